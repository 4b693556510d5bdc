/*
 * The serving end of the bus: binds a daemon's roles and its events, decodes, checks sender, size
 * and deadline, calls the handler's row, sends its answer.
 */
#ifndef RC_BUS_SERVER_H
#define RC_BUS_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/mem.h"
#include "bus/loop.h"
#include "bus/message.h"

struct rc_server;

/*
 * One request. It belongs to the handler until it is answered by rc_request_reply or
 * rc_request_fail, exactly once, at any later time (a long poll keeps it). When its deadline
 * passes or its client is gone, the framework calls the cancel function if one was set, and the
 * answer, still owed, goes nowhere.
 */
struct rc_request;
typedef void (*rc_handler_fn)(void *ctx, struct rc_request *request);

struct rc_handler {
	enum rc_message message;
	rc_handler_fn handle;
};

/* The unpacked body, of the type of the handler's row; valid until the answer. */
const void *rc_request_body(const struct rc_request *request);
/* Bulk frames: raw bytes, valid until the answer. */
size_t rc_request_n_bulk(const struct rc_request *request);
struct rc_bytes rc_request_bulk(const struct rc_request *request, size_t i);
enum rc_daemon rc_request_from(const struct rc_request *request);
enum rc_role rc_request_role(const struct rc_request *request);
uint64_t rc_request_client_boot(const struct rc_request *request);
uint64_t rc_request_trace(const struct rc_request *request);
/* Microseconds of the loop's clock; 0: none. */
int64_t rc_request_deadline_us(const struct rc_request *request);
void rc_request_on_cancel(struct rc_request *request, void (*fn)(void *arg, struct rc_request *),
			  void *arg);

/* Answers. body is of the row's reply type (NULL: an empty one); bulk frames are copied unless
 * given with a free function (rc_request_reply_owned), which libzmq then calls, on any thread. */
void rc_request_reply(struct rc_request *request, const void *body);
void rc_request_reply_bulk(struct rc_request *request, const void *body,
			   const struct rc_bytes *bulk, size_t n_bulk);
void rc_request_reply_owned(struct rc_request *request, const void *body, uint8_t *data, size_t len,
			    void (*free_fn)(void *data, void *hint), void *hint);
/* err: RC_EBUSY (retry_ms tells when to come again), RC_EDENIED, RC_EINVAL, RC_EUNAVAILABLE,
 * RC_EDEADLINE, RC_ENOENT …; the text reaches the caller. */
void rc_request_fail(struct rc_request *request, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void rc_request_busy(struct rc_request *request, uint32_t retry_ms);

struct rc_server_config {
	enum rc_daemon daemon;
	const char *rundir; /* or NULL: in-process, under the name inproc */
	const char *inproc; /* e.g. "node1": endpoints inproc://node1/chaind/read */
	uint8_t network_id[32];
	const struct rc_handler *handlers; /* ends with a row whose handle is NULL */
	void *ctx;			   /* given to every handler */
	const char *roles;		   /* which to bind: "read,submit,admin" */
	uint64_t boot;			   /* this process's; 0: made here */
	/* Rows that every daemon has, with their own context; may be NULL. */
	const struct rc_handler *common;
	void *common_ctx;
	/* Group of each role's socket and, as the last, of the events' (−1: as it is); may be
	 * NULL. */
	const gid_t *groups;
	bool is_locked; /* the caller holds the lock of RUNDIR/DAEMON (rc_dir_lock) */
};

/* Binds everything; RC_EEXIST, RC_EACCES, RC_ETOOBIG with the path in the text. */
int rc_server_open(struct rc_loop *loop, const struct rc_server_config *config,
		   struct rc_server **ret, struct rc_error *error);
/* Requests in hand are gone with it, so whoever still holds some answers them before. */
void rc_server_close(struct rc_server *server);

/* This process's boot id: random, never 0. */
uint64_t rc_server_boot(const struct rc_server *server);

/* Publishes an event (message type of its own, see messages.def rows EVENT_…): numbered, kept for
 * replay by Events(since), sent to all subscribers; returns its sequence number. */
uint64_t rc_server_publish(struct rc_server *server, const char *topic, const void *body);

/* Requests in hand, for metrics and for backpressure decisions. */
size_t rc_server_pending(const struct rc_server *server);

struct rc_server_stats {
	size_t sessions;
	size_t pending;	       /* requests in hand */
	size_t pending_bytes;  /* of those */
	size_t outgoing_bytes; /* of large answers that clients haven't taken */
	uint64_t requests;     /* given to handlers */
	uint64_t repeated;     /* asked again while in hand */
	uint64_t busy;	       /* refused for want of credit */
	uint64_t dropped;      /* answers that a slow or gone client didn't take */
	uint64_t bad;	       /* messages that aren't ours */
	uint64_t refused;      /* greetings refused */
};
void rc_server_stats(const struct rc_server *server, struct rc_server_stats *ret);

#endif
