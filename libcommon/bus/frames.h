/*
 * What travels in one message of the bus: [envelope][body][bulk…], and the one place where
 * protobuf bytes are read: with a bump allocator and a budget, because protobuf-c can turn one
 * megabyte of wire into sixty of memory.
 */
#ifndef RC_BUS_FRAMES_H
#define RC_BUS_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>
#include <zmq.h>

#include "base/mem.h"

/* A daemon talks to those one version older and younger (10-architecture, "Versions"). */
#define RC_BUS_SCHEMA 1u

/* The most frames of a message; bulk frames beyond are refused. */
#define RC_FRAMES_MAX 4096u
/* Room that an envelope and a Hello need, beyond what messages.def allows for body and bulk. */
#define RC_ENVELOPE_MAX 4096u

/*
 * Bytes handed to libzmq and not yet written out, of one client: what a slow reader makes us keep.
 * Frames of less than RC_TALLY_LEAST aren't counted here; their number is bounded by the socket's
 * high-water mark.
 */
#define RC_TALLY_LEAST 4096u
struct rc_tally;
struct rc_tally *rc_tally_new(void);
void rc_tally_unref(struct rc_tally *tally);
size_t rc_tally_bytes(struct rc_tally *tally);

/* A message being received, made or kept for later. Zero is an empty one. It must not be copied:
 * see rc_frames_move. */
#define RC_FRAMES_FEW 4u
struct rc_frames {
	zmq_msg_t few[RC_FRAMES_FEW];
	zmq_msg_t *many; /* when few aren't enough; then all stand here */
	unsigned n;
	unsigned cap;
	size_t bytes;
};

void rc_frames_done(struct rc_frames *frames);
/* dst must be empty; src is, afterwards. */
void rc_frames_move(struct rc_frames *dst, struct rc_frames *src);
struct rc_bytes rc_frames_get(const struct rc_frames *frames, unsigned i);
zmq_msg_t *rc_frames_msg(const struct rc_frames *frames, unsigned i);
/* An empty frame at the end; the caller adds to bytes what it puts in. */
zmq_msg_t *rc_frames_add(struct rc_frames *frames);
void rc_frames_drop_last(struct rc_frames *frames);
/* Appends a copy. tally: may be NULL. */
void rc_frames_put(struct rc_frames *frames, struct rc_tally *tally, const void *data, size_t len);
/* Appends without a copy; free_fn(data, hint) runs on any thread when nobody needs it. */
void rc_frames_put_owned(struct rc_frames *frames, struct rc_tally *tally, void *data, size_t len,
			 void (*free_fn)(void *data, void *hint), void *hint);
void rc_frames_put_packed(struct rc_frames *frames, struct rc_tally *tally,
			  const ProtobufCMessage *message);

/* The envelope as we use it; numbers of kind are those of common.proto. */
struct rc_envelope {
	uint32_t schema;
	int kind;
	uint32_t message;
	uint64_t id;
	uint32_t deadline_ms;
	uint64_t trace;
	uint64_t boot;
	int32_t error;
	const char *text; /* never NULL after decoding; cut to RC_ENVELOPE_MAX / 2 in sending */
	uint32_t retry_ms;
};
void rc_frames_put_envelope(struct rc_frames *frames, const struct rc_envelope *envelope);

/* A bump allocator of one message's life. Zero is an empty one. */
struct rc_bump {
	struct rc_bump_chunk *chunks;
	size_t used, cap; /* of the newest chunk */
	size_t total;
	size_t budget;
};
void rc_bump_done(struct rc_bump *bump);

/* False if it can't be read. text points into bump. */
bool rc_envelope_decode(struct rc_bytes bytes, struct rc_bump *bump, struct rc_envelope *ret);
/* The unpacked message, or NULL if the bytes can't be read or would take more memory than
 * 256 KiB + 16 × their length. */
void *rc_body_decode(const ProtobufCMessageDescriptor *type, struct rc_bytes bytes,
		     struct rc_bump *bump);

#endif
