/*
 * The asking end of the bus: keeps each request until its answer or deadline, over restarts of the
 * other side. The typed clients of libcommon/client are thin rows over this.
 */
#ifndef RC_BUS_CLIENT_H
#define RC_BUS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "bus/loop.h"
#include "bus/message.h"

struct rc_client;

/* An answer, or why there is none. err: RC_OK, RC_EDEADLINE, RC_EUNAVAILABLE, RC_EBUSY,
 * RC_EDENIED, RC_EINVAL or another code of the handler's. Valid during the callback only. */
struct rc_reply {
	int err;
	const char *text;  /* the handler's sentence when err < 0 */
	uint32_t retry_ms; /* of RC_EBUSY */
	const void *body;  /* unpacked, of the message's reply type, when err is 0 */
	const struct rc_bytes *bulk;
	size_t n_bulk;
	uint64_t boot; /* of the server that answered */
	/* The request went out more than once: what it asks for may have been done by an earlier
	 * one, whose answer was lost with a server or a connection. */
	bool again;
	bool sent; /* it went out, once at least; else nothing of it was done, nor will be */
	bool held; /* RC_EUNAVAILABLE by no server's word: none was there for hold_ms */
};
typedef void (*rc_reply_fn)(void *arg, const struct rc_reply *reply);

/* The connection came up (boot: the server's; changed: not the one before, or the first), or went
 * away. */
typedef void (*rc_client_state_fn)(void *arg, bool up, uint64_t boot, bool changed);

struct rc_client_config {
	enum rc_daemon from, to;
	enum rc_role role;
	const char *rundir; /* as in rc_server_config */
	const char *inproc;
	uint8_t network_id[32];
	uint64_t boot; /* ours */
	/* A call that has had no server for so long is answered RC_EUNAVAILABLE, and not sent
	 * later; 0: it waits until its deadline. */
	uint32_t hold_ms;
	/* Answers that may have come and lie here unread, one more than that among libzmq's
	 * threads; the others lie at the server. 0: thousands. */
	unsigned unread;
	rc_client_state_fn on_state; /* may be NULL */
	void *arg;
};

/* Connecting never fails for want of a server: it may come later. */
int rc_client_open(struct rc_loop *loop, const struct rc_client_config *config,
		   struct rc_client **ret, struct rc_error *error);
/* Every outstanding call is answered RC_ECANCELLED first; a call made meanwhile is never answered
 * (0 is returned). May be called from the client's own callbacks. NULL is fine. */
void rc_client_close(struct rc_client *client);
bool rc_client_up(const struct rc_client *client);

/*
 * Sends a request, to be answered within deadline_ms. body: of the message's request type (NULL:
 * empty); bulk is copied. fn is called exactly once, never from inside this call. Returns the
 * call's id. Over the edge's credit the answer is RC_EBUSY.
 */
uint64_t rc_client_call(struct rc_client *client, enum rc_message message, const void *body,
			const struct rc_bytes *bulk, size_t n_bulk, uint32_t deadline_ms,
			rc_reply_fn fn, void *arg);
/* fn won't be called any more. */
void rc_client_cancel(struct rc_client *client, uint64_t call);
/* The trace id of calls made from now on, so that one request can be followed through the logs. */
void rc_client_set_trace(struct rc_client *client, uint64_t trace);
size_t rc_client_outstanding(const struct rc_client *client);
size_t rc_client_outstanding_bytes(const struct rc_client *client);

/* A blocking call for command-line tools: turns the loop until the answer. The copy of the reply
 * lives until the next call on this client. */
const struct rc_reply *rc_client_wait(struct rc_client *client, enum rc_message message,
				      const void *body, const struct rc_bytes *bulk, size_t n_bulk,
				      uint32_t deadline_ms);

/*
 * Events of a daemon: fn gets each (topic, body bytes packed as the topic's message), in order,
 * missed ones fetched by Events(since). missed: some are gone for good, or the publisher is a new
 * one: ask for the present state.
 */
struct rc_subscriber; /* close it before its replay client */
typedef void (*rc_event_fn)(void *arg, const char *topic, struct rc_bytes body, uint64_t boot,
			    uint64_t sequence);
typedef void (*rc_missed_fn)(void *arg);
int rc_subscriber_open(struct rc_loop *loop, const struct rc_client_config *config,
		       struct rc_client *replay, rc_event_fn fn, rc_missed_fn missed, void *arg,
		       struct rc_subscriber **ret, struct rc_error *error);
void rc_subscriber_close(struct rc_subscriber *subscriber);

#endif
