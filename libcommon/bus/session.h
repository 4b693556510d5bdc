/* A client's connection as the server sees it: who it is, its credit, what waits to go to it. */
#ifndef RC_BUS_SESSION_H
#define RC_BUS_SESSION_H

#include <stdint.h>

#include <uthash.h>

#include "bus/frames.h"
#include "bus/topology.h"
#include "bus/zsock.h"

/* The identity frame of a ROUTER: five bytes unless the peer chose its own. */
#define RC_SESSION_KEY_MAX 32u

struct rc_request;
struct rc_outgoing;

struct rc_session {
	uint8_t key[RC_SESSION_KEY_MAX];
	size_t key_len;
	const struct rc_edge *edge;
	uint64_t boot; /* of the client */
	struct rc_tally *tally;
	unsigned in_hand;     /* requests taken and not answered */
	size_t request_bytes; /* of those */
	struct rc_request *requests;
	struct rc_outgoing *queue; /* answers that found no room in libzmq */
	unsigned queued;
	UT_hash_handle hh;
};

/* key_len ≤ RC_SESSION_KEY_MAX. */
struct rc_session *rc_session_new(struct rc_bytes key, const struct rc_edge *edge, uint64_t boot);
void rc_session_free(struct rc_session *session);

/* Bytes of requests in hand and of answers that the client hasn't taken. */
size_t rc_session_bytes(struct rc_session *session);

/*
 * Sends frames (identity first) behind what waits already. Frames are emptied always. RC_EBUSY:
 * dropped, as many answers wait as there may be requests. RC_EUNAVAILABLE: the client is gone.
 */
int rc_session_send(struct rc_session *session, struct rc_zsock *zsock, struct rc_frames *frames);
/* Sends what waits; RC_OK when nothing is left, RC_EBUSY, RC_EUNAVAILABLE as above. */
int rc_session_flush(struct rc_session *session, struct rc_zsock *zsock);

#endif
