/* The table of peer messages. */
#include "daemons/peerd/message.h"

#include "base/num.h"
#include "base/reader.h"
#include "proto/peer.pb-c.h"

/* Unpacked structs in memory for bytes on the wire: an endpoint of 2 bytes takes about 150. */
#define DECODE_BUDGET_FACTOR 80
#define DECODE_BUDGET_LEAST  4096

#define DESCRIPTOR_HELLO      &rc__p2p__hello__descriptor
#define DESCRIPTOR_PING	      &rc__p2p__ping__descriptor
#define DESCRIPTOR_PONG	      &rc__p2p__pong__descriptor
#define DESCRIPTOR_GETADDR    &rc__p2p__get_addr__descriptor
#define DESCRIPTOR_ADDR	      &rc__p2p__addr__descriptor
#define DESCRIPTOR_GETHEADERS &rc__p2p__get_headers__descriptor
#define DESCRIPTOR_HEADERS    &rc__p2p__headers__descriptor
#define DESCRIPTOR_INV	      &rc__p2p__inv__descriptor
#define DESCRIPTOR_GETDATA    &rc__p2p__get_data__descriptor
#define DESCRIPTOR_NOTFOUND   &rc__p2p__not_found__descriptor
#define DESCRIPTOR_BLOCK      &rc__p2p__block__descriptor
#define DESCRIPTOR_TX	      &rc__p2p__tx__descriptor
#define DESCRIPTOR_FEEFILTER  &rc__p2p__fee_filter__descriptor

#define DESCRIPTOR_SENDCOMPACT	&rc__p2p__send_compact__descriptor
#define DESCRIPTOR_COMPACTBLOCK &rc__p2p__compact_block__descriptor
#define DESCRIPTOR_GETBLOCKTXN	&rc__p2p__get_block_txn__descriptor
#define DESCRIPTOR_BLOCKTXN	&rc__p2p__block_txn__descriptor

static const struct peer_message_info rows[] = {
#define PEER_MESSAGE(NAME, number, name, stream, size, cost, item_cost, state) \
	{number, name,	    RC_LINK_##stream,	size,                          \
	 cost,	 item_cost, PEER_PHASE_##state, DESCRIPTOR_##NAME},
#include "daemons/peerd/messages.def"
#undef PEER_MESSAGE
};

const struct peer_message_info *peer_messages(size_t *ret_count)
{
	*ret_count = RC_ARRAY_LEN(rows);
	return rows;
}

const struct peer_message_info *peer_message_find(uint16_t number)
{
	/* Rows stand in the order of their numbers, from 1 (a test checks it). */
	return number >= 1 && number <= RC_ARRAY_LEN(rows) ? &rows[number - 1] : NULL;
}

static void *arena_alloc(void *arena, size_t size)
{
	return rc_arena_try_alloc(arena, size);
}

static void arena_free(void *arena, void *data)
{
	(void)arena;
	(void)data;
}

void *peer_message_decode(const struct peer_message_info *info, const uint8_t *data, size_t len,
			  struct rc_arena *arena)
{
	ProtobufCAllocator allocator = {arena_alloc, arena_free, arena};

	if (len > info->max)
		return NULL;
	/* Raw bytes unpack to their own length; only addr holds many small things. */
	arena->budget = arena->total + DECODE_BUDGET_LEAST +
			(info->number == PEER_MSG_ADDR ? DECODE_BUDGET_FACTOR : 4) * len;
	return protobuf_c_message_unpack(info->descriptor, &allocator, len, data);
}

#define RAW_TAG 0x0a /* field 1, bytes */

bool peer_message_raw(const uint8_t *data, size_t len, struct rc_bytes *ret_raw)
{
	struct rc_reader r = rc_reader_of(data, len);
	uint64_t n = 0;

	if (rc_read_u8(&r) != RAW_TAG)
		return false;
	for (unsigned shift = 0; shift < 35; shift += 7) {
		uint8_t b = rc_read_u8(&r);

		n |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			break;
	}
	if (r.failed || n != rc_reader_left(&r))
		return false;
	*ret_raw = (struct rc_bytes){r.p, (size_t)n};
	return true;
}

void peer_message_put_raw(struct rc_bytes raw, struct rc_buf *buf)
{
	uint64_t n = raw.len;

	rc_buf_reserve(buf, raw.len + 8);
	rc_buf_put_u8(buf, RAW_TAG);
	for (; n >= 0x80; n >>= 7)
		rc_buf_put_u8(buf, (uint8_t)(n | 0x80));
	rc_buf_put_u8(buf, (uint8_t)n);
	rc_buf_put(buf, raw.data, raw.len);
}
