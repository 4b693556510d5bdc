/* Body and bulk of a call in one piece of memory, shared with libzmq while it sends them. */
#ifndef RC_BUS_PAYLOAD_H
#define RC_BUS_PAYLOAD_H

#include "bus/frames.h"

struct rc_payload;

/* body: a protobuf message, or NULL: an empty one. Both are copied. */
struct rc_payload *rc_payload_new(const void *body, const struct rc_bytes *bulk, size_t n_bulk);
void rc_payload_unref(struct rc_payload *payload);
size_t rc_payload_bytes(const struct rc_payload *payload);
/* Appends body and bulk to frames; large ones without a copy. */
void rc_payload_put(struct rc_frames *frames, struct rc_payload *payload);

#endif
