/* What the files of the asking end share. */
#ifndef RC_BUS_CLIENT_STATE_H
#define RC_BUS_CLIENT_STATE_H

#include <uthash.h>

#include "bus/client.h"
#include "bus/frames.h"
#include "bus/payload.h"
#include "bus/zsock.h"

struct rc_call {
	uint64_t id;
	const struct rc_message_info *info;
	struct rc_payload *payload;
	size_t bytes;
	uint64_t trace;
	int64_t deadline_us;
	int64_t called_us;
	int64_t asked_us; /* when it went out last; 0: it waits for room */
	unsigned times;	  /* that it went out */
	rc_reply_fn fn;
	void *arg;
	int err;   /* of a call in failed */
	bool held; /* and so is this */
	struct rc_call *prev, *next;
	UT_hash_handle hh;
};

enum rc_client_state {
	RC_CLIENT_DOWN,	   /* no connection */
	RC_CLIENT_GREETED, /* Hello sent */
	RC_CLIENT_UP,
	RC_CLIENT_REFUSED, /* the server won't have us */
};

struct rc_client {
	struct rc_client_config config;
	const struct rc_edge *edge;
	struct rc_loop *loop;
	struct rc_zsock *zsock;
	char endpoint[256];
	enum rc_client_state state;
	uint64_t server_boot; /* 0: never welcomed */
	uint32_t credit_messages, credit_bytes;
	int refusal; /* in RC_CLIENT_REFUSED */
	char refusal_text[256];
	bool refusal_logged;

	uint64_t next_id;
	uint64_t trace;
	struct rc_call *calls;	/* in the order of calling */
	struct rc_call *by_id;	/* hash */
	struct rc_call *unsent; /* the first that waits for room or a connection */
	struct rc_call *failed; /* to be told in the next turn */
	size_t bytes;
	struct rc_source *due;	  /* timer: the next deadline */
	struct rc_source *again;  /* timer: ask again, greet again */
	struct rc_source *tell;	  /* defer: failed */
	struct rc_source *rejoin; /* defer: connect to an in-process server anew */
	int64_t due_us;
	int64_t down_since_us; /* while it isn't up */
	bool again_armed;
	bool closing;
	bool *gone; /* set when a callback closed the client under its caller */

	struct rc_frames kept_frames; /* of rc_client_wait */
	struct rc_bump kept_bump;
	struct rc_reply kept;
	struct rc_bytes *kept_bulk;
	char kept_text[RC_ENVELOPE_MAX];
};

/* Deadlines and asking again; the timers' and defer's functions. */
void rc_calls_on_due(void *client);
void rc_calls_on_again(void *client);
void rc_calls_on_tell(void *client);

/* The connection went away: calls are held from now on. */
void rc_calls_hold(struct rc_client *client);
/* Has the timer for asking again run. */
void rc_calls_watch_again(struct rc_client *client);
/* Sends, in order, what waits for room or for a connection. */
void rc_calls_send(struct rc_client *client);
/* The server doesn't have call id: it, or its answer, was lost. */
void rc_calls_send_again(struct rc_client *client, uint64_t id);
/* Takes the call of this id off the books, to be told; NULL: there is none. */
struct rc_call *rc_calls_take(struct rc_client *client, uint64_t id);
/* Calls its function and frees it: false if the client was closed there. */
bool rc_call_tell(struct rc_client *client, struct rc_call *call, const struct rc_reply *reply);
/* Every call is told this error in the next turn. */
void rc_calls_fail_all(struct rc_client *client, int err);
/* Every call is told at once that it is cancelled: the client closes. */
void rc_calls_cancel_all(struct rc_client *client);

/* Greets; the state becomes RC_CLIENT_GREETED. */
void rc_client_greet(struct rc_client *client);

#endif
