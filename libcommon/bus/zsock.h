/*
 * A ZeroMQ socket in an event loop; the only file that knows that ZMQ_FD is edge-triggered. Its
 * wake-ups only say "look": after each, and after every send, ZMQ_EVENTS is read until nothing is
 * left, in slices, so that others get their turn.
 */
#ifndef RC_BUS_ZSOCK_H
#define RC_BUS_ZSOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "bus/frames.h"
#include "bus/loop.h"

struct rc_zsock;

struct rc_zsock_config {
	int type;		/* ZMQ_ROUTER, ZMQ_DEALER, ZMQ_XPUB, ZMQ_SUB */
	int64_t max_frame;	/* bytes: a peer that sends more is cut off by libzmq */
	size_t max_bytes;	/* of a whole message: beyond, it is dropped and on_bad called */
	int send_mark;		/* messages waiting to be sent to one peer */
	int receive_mark;	/* messages waiting to be taken from one peer */
	int linger_ms;		/* how long close may try to send the rest */
	const char *xpub_hello; /* ZMQ_XPUB: sent to each new subscriber; else NULL */
	bool watch_links;	/* on_link is wanted (ipc and tcp only) */
	/* A message came; the frames are emptied by the caller afterwards, so move what is kept. */
	void (*on_frames)(void *arg, struct rc_frames *frames);
	void (*on_bad)(void *arg); /* may be NULL */
	/* After a send was refused with RC_EBUSY: there may be room again. May be NULL. */
	void (*on_room)(void *arg);
	/* A connection is up (handshake done) or gone; which one isn't told. May be NULL. A DEALER
	 * has one: when it is gone, so is all that waited to be sent or to be taken; the next one
	 * is made unasked. A try that fails is told as one that is gone. */
	void (*on_link)(void *arg, bool up);
	void *arg;
};

int rc_zsock_open(struct rc_loop *loop, const struct rc_zsock_config *config, struct rc_zsock **ret,
		  struct rc_error *error);
/* May be called from the socket's own callbacks. NULL is fine. */
void rc_zsock_close(struct rc_zsock *zsock);
int rc_zsock_bind(struct rc_zsock *zsock, const char *endpoint, struct rc_error *error);
int rc_zsock_connect(struct rc_zsock *zsock, const char *endpoint, struct rc_error *error);
/* Never amid a message. What waits to be taken is dropped; over ipc and tcp what waits to be sent,
 * too. */
void rc_zsock_disconnect(struct rc_zsock *zsock, const char *endpoint);

/*
 * Sends and empties frames. RC_EBUSY: no room, frames are untouched, on_room will be called.
 * RC_EUNAVAILABLE: a ROUTER has no such peer (any more), frames are untouched.
 */
int rc_zsock_send(struct rc_zsock *zsock, struct rc_frames *frames);

#endif
