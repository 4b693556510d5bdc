/* Frames of a message, envelopes, unpacking with a budget. */
#include "bus/frames.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "proto/common.pb-c.h"

/* A list of 32-byte ids takes 2.6 times its wire size unpacked, one of block references 3.4 times;
 * nothing of ours reaches 16. */
#define BUDGET_FACTOR 16u
#define BUDGET_LEAST  (256u << 10)
#define CHUNK_LEAST   1024u
#define ALIGN	      16u

struct rc_tally {
	atomic_size_t refs;
	atomic_size_t bytes;
};

struct rc_tally *rc_tally_new(void)
{
	struct rc_tally *tally = rc_alloc(sizeof(*tally));

	atomic_init(&tally->refs, 1);
	return tally;
}

void rc_tally_unref(struct rc_tally *tally)
{
	if (tally && atomic_fetch_sub(&tally->refs, 1) == 1)
		free(tally);
}

size_t rc_tally_bytes(struct rc_tally *tally)
{
	return atomic_load(&tally->bytes);
}

/* What libzmq gives back when it has written a counted frame out, or dropped it. */
struct counted {
	struct rc_tally *tally;
	size_t len;
	void (*free_fn)(void *data, void *hint);
	void *hint;
	uint8_t copy[];
};

static void free_counted(void *data, void *hint)
{
	struct counted *c = hint;

	if (c->free_fn)
		c->free_fn(data, c->hint);
	atomic_fetch_sub(&c->tally->bytes, c->len);
	rc_tally_unref(c->tally);
	free(c);
}

/* copy_len: room for a copy behind it. Not zeroed: a block is copied here. */
static struct counted *counted_new(struct rc_tally *tally, size_t len, size_t copy_len)
{
	struct counted *c = malloc(sizeof(*c) + copy_len);

	if (!c)
		c = rc_alloc(sizeof(*c) + copy_len); /* logs and ends */
	*c = (struct counted){.tally = tally, .len = len};
	atomic_fetch_add(&tally->refs, 1);
	atomic_fetch_add(&tally->bytes, len);
	return c;
}

zmq_msg_t *rc_frames_msg(const struct rc_frames *frames, unsigned i)
{
	assert(i < frames->n);
	return (zmq_msg_t *)(frames->many ? &frames->many[i] : &frames->few[i]);
}

void rc_frames_done(struct rc_frames *frames)
{
	for (unsigned i = 0; i < frames->n; i++)
		zmq_msg_close(rc_frames_msg(frames, i));
	free(frames->many);
	frames->many = NULL;
	frames->n = 0;
	frames->cap = 0;
	frames->bytes = 0;
}

static void move_all(zmq_msg_t *dst, zmq_msg_t *src, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		zmq_msg_init(&dst[i]);
		zmq_msg_move(&dst[i], &src[i]);
		zmq_msg_close(&src[i]);
	}
}

void rc_frames_move(struct rc_frames *dst, struct rc_frames *src)
{
	assert(dst->n == 0 && !dst->many);
	if (src->many)
		dst->many = src->many;
	else
		move_all(dst->few, src->few, src->n);
	dst->n = src->n;
	dst->cap = src->cap;
	dst->bytes = src->bytes;
	src->many = NULL;
	src->n = 0;
	src->cap = 0;
	src->bytes = 0;
}

struct rc_bytes rc_frames_get(const struct rc_frames *frames, unsigned i)
{
	zmq_msg_t *msg = rc_frames_msg(frames, i);

	return (struct rc_bytes){zmq_msg_data(msg), zmq_msg_size(msg)};
}

static zmq_msg_t *add_slot(struct rc_frames *frames)
{
	if (frames->n >= RC_FRAMES_FEW && frames->n >= frames->cap) {
		unsigned cap = frames->n * 2;
		zmq_msg_t *many = rc_alloc_array(cap, sizeof(*many));

		move_all(many, frames->many ? frames->many : frames->few, frames->n);
		free(frames->many);
		frames->many = many;
		frames->cap = cap;
	}
	frames->n++;
	return rc_frames_msg(frames, frames->n - 1);
}

zmq_msg_t *rc_frames_add(struct rc_frames *frames)
{
	zmq_msg_t *msg = add_slot(frames);

	zmq_msg_init(msg);
	return msg;
}

void rc_frames_drop_last(struct rc_frames *frames)
{
	zmq_msg_close(rc_frames_msg(frames, frames->n - 1));
	frames->n--;
}

/* A frame of len bytes to be filled in. */
static uint8_t *add_space(struct rc_frames *frames, struct rc_tally *tally, size_t len)
{
	zmq_msg_t *msg = add_slot(frames);
	int r;

	frames->bytes += len;
	if (tally && len >= RC_TALLY_LEAST) {
		struct counted *c = counted_new(tally, len, len);

		r = zmq_msg_init_data(msg, c->copy, len, free_counted, c);
	} else {
		r = zmq_msg_init_size(msg, len);
	}
	if (r < 0)
		rc_alloc(SIZE_MAX / 2); /* out of memory: logs and ends */
	return zmq_msg_data(msg);
}

void rc_frames_put(struct rc_frames *frames, struct rc_tally *tally, const void *data, size_t len)
{
	uint8_t *dst = add_space(frames, tally, len);

	if (len)
		memcpy(dst, data, len);
}

void rc_frames_put_owned(struct rc_frames *frames, struct rc_tally *tally, void *data, size_t len,
			 void (*free_fn)(void *data, void *hint), void *hint)
{
	zmq_msg_t *msg = add_slot(frames);
	int r;

	frames->bytes += len;
	if (tally && len >= RC_TALLY_LEAST) {
		struct counted *c = counted_new(tally, len, 0);

		c->free_fn = free_fn;
		c->hint = hint;
		r = zmq_msg_init_data(msg, data, len, free_counted, c);
	} else {
		r = zmq_msg_init_data(msg, data, len, free_fn, hint);
	}
	if (r < 0)
		rc_alloc(SIZE_MAX / 2);
}

void rc_frames_put_packed(struct rc_frames *frames, struct rc_tally *tally,
			  const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);

	protobuf_c_message_pack(message, add_space(frames, tally, len));
}

void rc_frames_put_envelope(struct rc_frames *frames, const struct rc_envelope *envelope)
{
	Rc__Envelope e = RC__ENVELOPE__INIT;
	char text[RC_ENVELOPE_MAX / 2];

	e.schema = RC_BUS_SCHEMA;
	e.kind = (Rc__Envelope__Kind)envelope->kind;
	e.message = envelope->message;
	e.id = envelope->id;
	e.deadline_ms = envelope->deadline_ms;
	e.trace = envelope->trace;
	e.boot = envelope->boot;
	e.error = envelope->error;
	e.retry_ms = envelope->retry_ms;
	if (envelope->text && envelope->text[0]) {
		size_t len = strnlen(envelope->text, sizeof(text) - 1);

		memcpy(text, envelope->text, len);
		text[len] = 0;
		e.text = text;
	}
	rc_frames_put_packed(frames, NULL, &e.base);
}

struct rc_bump_chunk {
	struct rc_bump_chunk *next;
	_Alignas(ALIGN) uint8_t data[];
};

void rc_bump_done(struct rc_bump *bump)
{
	while (bump->chunks) {
		struct rc_bump_chunk *next = bump->chunks->next;

		free(bump->chunks);
		bump->chunks = next;
	}
	*bump = (struct rc_bump){0};
}

static void *bump_alloc(void *arg, size_t size)
{
	struct rc_bump *bump = arg;
	size_t need;
	void *p;

	if (size > bump->budget || bump->total > bump->budget - size)
		return NULL;
	need = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (bump->cap - bump->used < need) {
		size_t cap = rc_max_u64(rc_max_u64(need, bump->cap * 2), CHUNK_LEAST);
		struct rc_bump_chunk *chunk = malloc(sizeof(*chunk) + cap);

		if (!chunk)
			return NULL;
		chunk->next = bump->chunks;
		bump->chunks = chunk;
		bump->used = 0;
		bump->cap = cap;
	}
	p = bump->chunks->data + bump->used;
	bump->used += need;
	bump->total += size;
	return p;
}

static void bump_free(void *arg, void *p)
{
	(void)arg;
	(void)p;
}

void *rc_body_decode(const ProtobufCMessageDescriptor *type, struct rc_bytes bytes,
		     struct rc_bump *bump)
{
	ProtobufCAllocator allocator = {bump_alloc, bump_free, bump};

	bump->budget = bump->total + BUDGET_LEAST + BUDGET_FACTOR * bytes.len;
	return protobuf_c_message_unpack(type, &allocator, bytes.len, bytes.data);
}

bool rc_envelope_decode(struct rc_bytes bytes, struct rc_bump *bump, struct rc_envelope *ret)
{
	Rc__Envelope *e;

	if (bytes.len > RC_ENVELOPE_MAX)
		return false;
	e = rc_body_decode(&rc__envelope__descriptor, bytes, bump);
	if (!e)
		return false;
	*ret = (struct rc_envelope){
		.schema = e->schema,
		.kind = (int)e->kind,
		.message = e->message,
		.id = e->id,
		.deadline_ms = e->deadline_ms,
		.trace = e->trace,
		.boot = e->boot,
		.error = e->error,
		.text = e->text ? e->text : "",
		.retry_ms = e->retry_ms,
	};
	return true;
}
