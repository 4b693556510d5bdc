/*
 * A whole link without its socket: handshake, records, and messages of two streams cut into
 * fragments (crypto.md, 6). Feed it what was received, in any slicing; it calls back for each
 * complete message. Queue messages; pull encrypted bytes when the socket has room. Control messages
 * go between the fragments of a bulk message, so a block in transfer doesn't delay a vote.
 *
 * Memory: one record (64 KiB), at most one unfinished message a stream (no longer than its type
 * may be, and no more of it than has come), and what the caller queued.
 */
#ifndef RC_LINK_MESSAGE_H
#define RC_LINK_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "link/fault.h"
#include "link/handshake.h"

enum rc_link_stream {
	RC_LINK_CONTROL = 0,
	RC_LINK_BULK = 1,
};
#define RC_LINK_STREAMS 2

enum rc_link_state {
	RC_LINK_HANDSHAKE,
	RC_LINK_OPEN,
	RC_LINK_FAILED, /* close silently; rc_link_fault says why */
};

struct rc_link;

struct rc_link_events {
	/* The greatest length of a message of this type in this stream, asked before memory is
	 * taken (and before one is sent); negative: the type is unknown here, its data is skipped.
	 */
	int64_t (*max_len)(void *arg, enum rc_link_stream stream, uint16_t type);
	/* The handshake is done, before any message. False refuses the link. May be NULL. */
	bool (*on_open)(void *arg, struct rc_link *link);
	/*
	 * A complete message. *data is the link's, good until the return; rc_buf_take may take it.
	 * May call rc_link_send, must not free the link. False refuses the link: nothing more is
	 * delivered.
	 */
	bool (*on_message)(void *arg, struct rc_link *link, enum rc_link_stream stream,
			   uint16_t type, struct rc_buf *data);
	void *arg;
};

/* Starts a link; an initiator's first bytes are there to be pulled at once. NULL if a key of params
 * is no key. params and events are copied. */
struct rc_link *rc_link_new(const struct rc_handshake_params *params,
			    const struct rc_link_events *events);
void rc_link_free(struct rc_link *link);

enum rc_link_state rc_link_state(const struct rc_link *link);
enum rc_link_fault rc_link_fault(const struct rc_link *link);

/* Once open: the peer's link key, the hash that names this link for channel binding, the pattern.
 */
const uint8_t *rc_link_remote_key(const struct rc_link *link);
const uint8_t *rc_link_hash(const struct rc_link *link);
enum rc_link_pattern rc_link_pattern(const struct rc_link *link);

/* Takes received bytes. Returns the state: after RC_LINK_FAILED only rc_link_free is useful. */
enum rc_link_state rc_link_feed(struct rc_link *link, const uint8_t *data, size_t len);

/* Queues a message (copied). RC_EUNAVAILABLE unless open; RC_ETOOBIG or RC_EINVAL if max_len says
 * that the peer would refuse it. */
int rc_link_send(struct rc_link *link, enum rc_link_stream stream, uint16_t type, const void *data,
		 size_t len);
/* As rc_link_send; data comes from malloc and is the link's from now on, whatever is returned. */
int rc_link_send_taken(struct rc_link *link, enum rc_link_stream stream, uint16_t type,
		       uint8_t *data, size_t len);

/* Bytes of messages queued in a stream and not yet pulled, 8 a message for its head included: what
 * backpressure looks at. */
size_t rc_link_queued(const struct rc_link *link, enum rc_link_stream stream);

/* Bytes that a stream's message takes which has begun to come and isn't complete; its number in
 * the stream, from 1, tells it from the one before. */
size_t rc_link_half_received(const struct rc_link *link, enum rc_link_stream stream,
			     uint64_t *ret_number);

/* Bytes that came of a stream's messages, whole or not yet, of types that are known here. */
uint64_t rc_link_data_in(const struct rc_link *link, enum rc_link_stream stream);

/* Whether rc_link_pull would give something. */
bool rc_link_wants_write(const struct rc_link *link);

/* Appends bytes to send to *out until at least want bytes were added or nothing is left; adds at
 * most one record (64 KiB and 34 bytes) more than want. Returns how many. */
size_t rc_link_pull(struct rc_link *link, struct rc_buf *out, size_t want);

/* Control records are padded to a multiple of this many bytes, 0 (the start value): not at all. */
void rc_link_set_padding(struct rc_link *link, size_t multiple);

/* Encrypted bytes taken in and given out, handshake included. */
uint64_t rc_link_bytes_in(const struct rc_link *link);
uint64_t rc_link_bytes_out(const struct rc_link *link);

#endif
