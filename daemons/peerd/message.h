/* The table of peer messages (messages.def), and their bounded decoding. */
#ifndef PEERD_MESSAGE_H
#define PEERD_MESSAGE_H

#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/buf.h"
#include "link/message.h"

#define PEER_PROTOCOL_VERSION 1
#define PEER_COMPACT_VERSION  1

/* Bits of services, as hello and addresses carry them. */
#define PEER_SERVICE_TABLE(X) \
	X(BLOCKS, 0, "blocks") /* serves every block and header of the best chain */
enum peer_service {
#define X(NAME, bit, name) PEER_SERVICE_##NAME = 1 << bit,
	PEER_SERVICE_TABLE(X)
#undef X
};

/* Kinds of items in inv, getdata and notfound: u8 kind, id 32. */
enum peer_item_kind {
	PEER_ITEM_BLOCK = 1,
	PEER_ITEM_WTXID = 2,
	PEER_ITEM_TXID = 3,    /* getdata and notfound only */
	PEER_ITEM_COMPACT = 4, /* getdata only */
};
#define PEER_ITEM_SIZE	   33
#define PEER_ITEMS_MAX	   50000
#define PEER_HEADERS_MAX   2000
#define PEER_LOCATOR_MAX   101
#define PEER_ENDPOINTS_MAX 1000

enum peer_message {
#define PEER_MESSAGE(NAME, number, name, stream, size, cost, item_cost, state) \
	PEER_MSG_##NAME = number,
#include "daemons/peerd/messages.def"
#undef PEER_MESSAGE
};
#define PEER_MSG_LIMIT 32 /* numbers are below */

/* When a message is allowed. */
enum peer_phase { PEER_PHASE_HELLO, PEER_PHASE_READY };

struct peer_message_info {
	uint16_t number;
	const char *name;
	enum rc_link_stream stream;
	uint32_t max;
	uint32_t cost;
	uint32_t item_cost;
	enum peer_phase phase;
	const ProtobufCMessageDescriptor *descriptor;
};

/* NULL for a number that isn't in the table. */
const struct peer_message_info *peer_message_find(uint16_t number);
const struct peer_message_info *peer_messages(size_t *ret_count);

/*
 * Bytes to the unpacked message of the row's type, in the arena, whose budget bounds what a short
 * message may take; NULL if it is no such message. What it points to lives as long as the arena.
 */
void *peer_message_decode(const struct peer_message_info *info, const uint8_t *data, size_t len,
			  struct rc_arena *arena);

/* Block, tx and compact block have one field of raw bytes: a view of it without a copy; false if
 * the message isn't written that way (then decode tells). */
bool peer_message_raw(const uint8_t *data, size_t len, struct rc_bytes *ret_raw);
/* The same the other way: *buf gets the message that holds raw. */
void peer_message_put_raw(struct rc_bytes raw, struct rc_buf *buf);

#endif
