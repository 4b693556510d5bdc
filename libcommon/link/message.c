/* See message.h. */
#include "link/message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/reader.h"
#include "link/record.h"

/* Data in one record. A control message waits for at most one bulk fragment already sealed: 16 KiB
 * are 1.3 ms at 100 Mbit/s, and cost 42 bytes of head and tags, 0.3 %. */
#define FRAGMENT_DATA (16u << 10)

/* An idle link gives back the buffer of a message bigger than this. */
#define KEEP_BUFFER (64u << 10)

#define FLAG_FIRST  0x01
#define FLAG_LAST   0x02
#define FLAG_PADDED 0x04
#define FLAGS_KNOWN (FLAG_FIRST | FLAG_LAST | FLAG_PADDED)

#define HEAD_SIZE	2 /* stream, flags */
#define FIRST_HEAD_SIZE 8 /* and type, total length */
#define PAD_TAIL_SIZE	2

/* A message on its way out. */
struct queued {
	struct queued *next;
	uint8_t *data;
	size_t len, sent;
	uint16_t type;
	bool started;
};

struct out_stream {
	struct queued *first, **last;
	size_t bytes;
};

/* A message on its way in. */
struct in_stream {
	bool active, skipped;
	uint16_t type;
	uint64_t total, received;
	uint64_t number; /* of those that began */
	uint64_t taken;	 /* of all of them, but for skipped ones */
	struct rc_buf data;
};

struct rc_link {
	enum rc_link_state state;
	enum rc_link_fault fault;
	struct rc_link_events events;
	struct rc_handshake handshake;
	struct rc_buf handshake_out;
	struct rc_record_dir send, recv; /* once open */
	uint8_t remote[RC_LINK_KEY_SIZE], hash[32];
	enum rc_link_pattern pattern;
	struct rc_buf in; /* of the record being received */
	bool have_head;
	size_t body_len;
	struct in_stream in_streams[RC_LINK_STREAMS];
	struct out_stream out_streams[RC_LINK_STREAMS];
	size_t pad_multiple;
	uint64_t bytes_in, bytes_out;
	bool feeding;
};

/* ---- life ---- */

struct rc_link *rc_link_new(const struct rc_handshake_params *params,
			    const struct rc_link_events *events)
{
	struct rc_link *link = rc_alloc(sizeof(*link));

	link->events = *events;
	for (int i = 0; i < RC_LINK_STREAMS; i++)
		link->out_streams[i].last = &link->out_streams[i].first;
	if (!rc_handshake_init(&link->handshake, params, &link->handshake_out)) {
		rc_link_free(link);
		return NULL;
	}
	if (link->handshake.state == RC_HANDSHAKE_FAILED) {
		link->state = RC_LINK_FAILED;
		link->fault = link->handshake.fault;
	}
	return link;
}

static void queued_free(struct queued *q)
{
	free(q->data);
	free(q);
}

static void drop_queues(struct rc_link *link)
{
	for (int i = 0; i < RC_LINK_STREAMS; i++) {
		struct out_stream *out = &link->out_streams[i];

		while (out->first) {
			struct queued *q = out->first;

			out->first = q->next;
			queued_free(q);
		}
		out->last = &out->first;
		out->bytes = 0;
	}
	rc_buf_clear(&link->handshake_out);
}

void rc_link_free(struct rc_link *link)
{
	if (!link)
		return;
	assert(!link->feeding && "not from a callback");
	drop_queues(link);
	for (int i = 0; i < RC_LINK_STREAMS; i++)
		rc_buf_done(&link->in_streams[i].data);
	rc_buf_done(&link->handshake_out);
	rc_buf_done(&link->in);
	rc_handshake_done(&link->handshake);
	rc_record_done(&link->send);
	rc_record_done(&link->recv);
	rc_wipe(link, sizeof(*link));
	free(link);
}

static void fail(struct rc_link *link, enum rc_link_fault fault)
{
	link->state = RC_LINK_FAILED;
	link->fault = fault;
	drop_queues(link);
}

/* ---- receiving ---- */

static void open_link(struct rc_link *link)
{
	struct rc_handshake_result result;

	rc_handshake_result(&link->handshake, &result);
	rc_record_init(&link->send, result.send_key, result.chaining_key);
	rc_record_init(&link->recv, result.recv_key, result.chaining_key);
	memcpy(link->remote, result.remote, sizeof(link->remote));
	memcpy(link->hash, result.hash, sizeof(link->hash));
	link->pattern = result.pattern;
	rc_wipe(&result, sizeof(result));
	rc_handshake_done(&link->handshake);
	link->state = RC_LINK_OPEN;
	if (link->events.on_open && !link->events.on_open(link->events.arg, link))
		fail(link, RC_LINK_FAULT_REFUSED);
}

static size_t feed_handshake(struct rc_link *link, const uint8_t *data, size_t len)
{
	size_t used;

	switch (rc_handshake_feed(&link->handshake, data, len, &used, &link->handshake_out)) {
	case RC_HANDSHAKE_GOING:
		break;
	case RC_HANDSHAKE_DONE:
		open_link(link);
		break;
	case RC_HANDSHAKE_FAILED:
		fail(link, link->handshake.fault);
		break;
	}
	return used;
}

/* A first fragment: asks whether the message may come before anything is kept of it. */
static enum rc_link_fault begin_message(struct rc_link *link, enum rc_link_stream stream,
					uint16_t type, uint32_t total)
{
	struct in_stream *in = &link->in_streams[stream];
	int64_t max = link->events.max_len(link->events.arg, stream, type);

	if (max >= 0 && total > (uint64_t)max)
		return RC_LINK_FAULT_LIMIT;
	in->active = true;
	in->number++;
	in->skipped = max < 0;
	in->type = type;
	in->total = total;
	in->received = 0;
	rc_buf_clear(&in->data);
	return RC_LINK_FAULT_NONE;
}

static enum rc_link_fault end_message(struct rc_link *link, enum rc_link_stream stream)
{
	struct in_stream *in = &link->in_streams[stream];
	bool goes_on = true;

	in->active = false;
	if (!in->skipped)
		goes_on = link->events.on_message(link->events.arg, link, stream, in->type,
						  &in->data);
	if (in->data.cap > KEEP_BUFFER)
		rc_buf_done(&in->data);
	rc_buf_clear(&in->data);
	return goes_on ? RC_LINK_FAULT_NONE : RC_LINK_FAULT_REFUSED;
}

/* Takes the padding off the end of r. */
static bool cut_padding(struct rc_reader *r)
{
	size_t left = rc_reader_left(r), pad;

	if (r->failed || left < PAD_TAIL_SIZE)
		return false;
	pad = rc_get_le16(r->end - PAD_TAIL_SIZE);
	if (pad > left - PAD_TAIL_SIZE)
		return false;
	r->end -= pad + PAD_TAIL_SIZE;
	return true;
}

static enum rc_link_fault take_fragment(struct rc_link *link, const uint8_t *body, size_t len)
{
	struct rc_reader r = rc_reader_of(body, len);
	uint8_t stream = rc_read_u8(&r), flags = rc_read_u8(&r);
	struct in_stream *in = &link->in_streams[stream & 1];
	enum rc_link_fault fault;
	size_t left;

	if (r.failed || stream >= RC_LINK_STREAMS || (flags & ~FLAGS_KNOWN))
		return RC_LINK_FAULT_HEAD;
	if (in->active == (bool)(flags & FLAG_FIRST))
		return RC_LINK_FAULT_ORDER;
	if (flags & FLAG_FIRST) {
		uint16_t type = rc_read_le16(&r);
		uint32_t total = rc_read_le32(&r);

		if (r.failed)
			return RC_LINK_FAULT_HEAD;
		fault = begin_message(link, stream, type, total);
		if (fault != RC_LINK_FAULT_NONE)
			return fault;
	}
	if ((flags & FLAG_PADDED) && !cut_padding(&r))
		return RC_LINK_FAULT_HEAD;
	left = rc_reader_left(&r);
	if (left > in->total - in->received)
		return RC_LINK_FAULT_LENGTH;
	in->received += left;
	if (!in->skipped && left) {
		rc_buf_put(&in->data, r.p, left);
		in->taken += left;
	}
	if (!(flags & FLAG_LAST))
		return RC_LINK_FAULT_NONE;
	if (in->received != in->total)
		return RC_LINK_FAULT_LENGTH;
	return end_message(link, stream);
}

/* Handles the head or body that link->in now holds whole. */
static enum rc_link_fault take_part(struct rc_link *link)
{
	enum rc_link_fault fault = RC_LINK_FAULT_RECORD_MAC;
	uint16_t len;

	if (!link->have_head) {
		if (!rc_record_open_head(&link->recv, link->in.data, &len))
			return fault;
		link->body_len = len;
		link->have_head = true;
		rc_buf_clear(&link->in);
		return RC_LINK_FAULT_NONE;
	}
	if (rc_record_open_body(&link->recv, link->in.data, link->body_len))
		fault = take_fragment(link, link->in.data, link->body_len);
	link->have_head = false;
	rc_buf_clear(&link->in);
	return fault;
}

static size_t feed_record(struct rc_link *link, const uint8_t *data, size_t len)
{
	size_t want = link->have_head ? link->body_len + RC_RECORD_TAG_SIZE : RC_RECORD_HEAD_SIZE;
	size_t take = rc_min_u64(want - link->in.len, len);
	enum rc_link_fault fault;

	rc_buf_put(&link->in, data, take);
	if (link->in.len < want)
		return take;
	fault = take_part(link);
	if (fault != RC_LINK_FAULT_NONE)
		fail(link, fault);
	return take;
}

enum rc_link_state rc_link_feed(struct rc_link *link, const uint8_t *data, size_t len)
{
	assert(!link->feeding && "not from a callback");
	link->feeding = true;
	link->bytes_in += len;
	while (len && link->state != RC_LINK_FAILED) {
		size_t used = link->state == RC_LINK_HANDSHAKE ? feed_handshake(link, data, len)
							       : feed_record(link, data, len);

		data += used;
		len -= used;
	}
	link->feeding = false;
	return link->state;
}

/* ---- sending ---- */

int rc_link_send_taken(struct rc_link *link, enum rc_link_stream stream, uint16_t type,
		       uint8_t *data, size_t len)
{
	struct out_stream *out = &link->out_streams[stream];
	struct queued *q;
	int64_t max = -1;
	int err = RC_OK;

	if (link->state != RC_LINK_OPEN)
		err = RC_EUNAVAILABLE;
	else if ((max = link->events.max_len(link->events.arg, stream, type)) < 0)
		err = RC_EINVAL;
	else if (len > UINT32_MAX || len > (uint64_t)max)
		err = RC_ETOOBIG;
	if (err < 0) {
		free(data);
		return err;
	}
	q = rc_alloc(sizeof(*q));
	q->data = data;
	q->len = len;
	q->type = type;
	*out->last = q;
	out->last = &q->next;
	out->bytes += FIRST_HEAD_SIZE + len;
	return RC_OK;
}

int rc_link_send(struct rc_link *link, enum rc_link_stream stream, uint16_t type, const void *data,
		 size_t len)
{
	return rc_link_send_taken(link, stream, type, rc_memdup(data, len), len);
}

/* Bytes of padding after a body of len bytes; the tail that tells them is not counted. */
static size_t padding_of(const struct rc_link *link, enum rc_link_stream stream, size_t len)
{
	size_t over;

	if (!link->pad_multiple || stream != RC_LINK_CONTROL)
		return 0;
	over = (len + PAD_TAIL_SIZE) % link->pad_multiple;
	return over ? link->pad_multiple - over : 0;
}

/* Seals the next fragment of a stream that has one. */
static void seal_fragment(struct rc_link *link, enum rc_link_stream stream, struct rc_buf *out)
{
	static const uint8_t zeros[RC_RECORD_BODY_MAX];
	struct out_stream *from = &link->out_streams[stream];
	struct queued *q = from->first;
	size_t len = rc_min_u64(q->len - q->sent, FRAGMENT_DATA);
	bool padded = link->pad_multiple && stream == RC_LINK_CONTROL;
	uint8_t head[FIRST_HEAD_SIZE], tail[PAD_TAIL_SIZE];
	size_t head_len = q->started ? HEAD_SIZE : FIRST_HEAD_SIZE;
	size_t pad = padding_of(link, stream, head_len + len);
	struct rc_bytes parts[] = {
		{head, head_len},
		{q->data + q->sent, len},
		{zeros, pad},
		{tail, PAD_TAIL_SIZE},
	};

	head[0] = (uint8_t)stream;
	head[1] = (uint8_t)((q->started ? 0 : FLAG_FIRST) |
			    (q->sent + len == q->len ? FLAG_LAST : 0) | (padded ? FLAG_PADDED : 0));
	rc_put_le16(head + 2, q->type);
	rc_put_le32(head + 4, (uint32_t)q->len);
	rc_put_le16(tail, (uint16_t)pad);
	rc_record_seal(&link->send, parts, padded ? 4 : 2, out);
	q->started = true;
	q->sent += len;
	from->bytes -= len;
	if (q->sent < q->len)
		return;
	from->bytes -= FIRST_HEAD_SIZE;
	from->first = q->next;
	if (!from->first)
		from->last = &from->first;
	queued_free(q);
}

size_t rc_link_pull(struct rc_link *link, struct rc_buf *out, size_t want)
{
	size_t start = out->len;

	if (link->handshake_out.len) {
		rc_buf_put(out, link->handshake_out.data, link->handshake_out.len);
		rc_buf_clear(&link->handshake_out);
	}
	while (out->len - start < want) {
		if (link->out_streams[RC_LINK_CONTROL].first)
			seal_fragment(link, RC_LINK_CONTROL, out);
		else if (link->out_streams[RC_LINK_BULK].first)
			seal_fragment(link, RC_LINK_BULK, out);
		else
			break;
	}
	link->bytes_out += out->len - start;
	return out->len - start;
}

void rc_link_set_padding(struct rc_link *link, size_t multiple)
{
	/* A padded fragment must stay a record. */
	assert(multiple <= RC_RECORD_BODY_MAX - FRAGMENT_DATA - FIRST_HEAD_SIZE - PAD_TAIL_SIZE);
	link->pad_multiple = multiple;
}

/* ---- looking ---- */

enum rc_link_state rc_link_state(const struct rc_link *link)
{
	return link->state;
}

enum rc_link_fault rc_link_fault(const struct rc_link *link)
{
	return link->fault;
}

const uint8_t *rc_link_remote_key(const struct rc_link *link)
{
	return link->remote;
}

const uint8_t *rc_link_hash(const struct rc_link *link)
{
	return link->hash;
}

enum rc_link_pattern rc_link_pattern(const struct rc_link *link)
{
	return link->pattern;
}

size_t rc_link_queued(const struct rc_link *link, enum rc_link_stream stream)
{
	return link->out_streams[stream].bytes;
}

size_t rc_link_half_received(const struct rc_link *link, enum rc_link_stream stream,
			     uint64_t *ret_number)
{
	const struct in_stream *in = &link->in_streams[stream];

	*ret_number = in->number;
	return in->active && in->data.len ? in->data.cap : 0;
}

uint64_t rc_link_data_in(const struct rc_link *link, enum rc_link_stream stream)
{
	return link->in_streams[stream].taken;
}

bool rc_link_wants_write(const struct rc_link *link)
{
	return link->handshake_out.len || link->out_streams[RC_LINK_CONTROL].first ||
	       link->out_streams[RC_LINK_BULK].first;
}

uint64_t rc_link_bytes_in(const struct rc_link *link)
{
	return link->bytes_in;
}

uint64_t rc_link_bytes_out(const struct rc_link *link)
{
	return link->bytes_out;
}
