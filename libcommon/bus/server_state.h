/* What the files of the serving end share: the server, its role sockets, a request in hand. */
#ifndef RC_BUS_SERVER_STATE_H
#define RC_BUS_SERVER_STATE_H

#include "bus/publisher.h"
#include "bus/server.h"
#include "bus/session.h"

/* Of all requests in hand: with every client within its edge's credit this isn't reached. */
#define RC_SERVER_BYTES_MAX ((size_t)512 << 20)
/* Told to a caller that gets BUSY for want of credit. */
#define RC_BUSY_RETRY_MS 50u

/* A ROUTER. */
struct rc_role_socket {
	struct rc_server *server;
	enum rc_role role;
	struct rc_zsock *zsock;
	struct rc_session *sessions; /* by key */
};

/* A handler's row with the context it gets. */
struct rc_row {
	rc_handler_fn handle;
	void *ctx;
};

struct rc_server {
	struct rc_loop *loop;
	enum rc_daemon daemon;
	uint8_t network_id[32];
	uint64_t boot;
	int lock_fd;
	struct rc_role_socket sockets[RC_ROLE_COUNT]; /* zsock NULL: role not served */
	struct rc_publisher *publisher;
	struct rc_row *rows; /* beside rc_messages() */

	struct rc_request *requests; /* all in hand, by age */
	struct rc_request *by_id;    /* hash of those not cancelled */
	struct rc_source *due;	     /* timer: the next deadline */
	int64_t due_us;		     /* 0: not armed */
	struct rc_source *sweep;     /* timer: who is still there? */
	unsigned sweeps_left;
	unsigned logged; /* bits of enum below: warnings are given once */
	struct rc_server_stats stats;
};

struct rc_request_key {
	uint64_t boot;
	uint64_t id;
};

struct rc_request {
	struct rc_server *server;
	struct rc_role_socket *socket;
	struct rc_session *session; /* NULL: gone, or cancelled */
	const struct rc_message_info *info;
	struct rc_request_key key;
	enum rc_daemon from;
	uint64_t trace;
	int64_t deadline_us; /* 0: none */
	int64_t orphan_us;   /* until when a lost client may come back for it; 0: it isn't lost */
	struct rc_frames frames;
	struct rc_bump bump;
	const void *body;
	bool cancelled;
	void (*on_cancel)(void *arg, struct rc_request *request);
	void *on_cancel_arg;
	struct rc_request *prev, *next;	      /* of the server */
	struct rc_request *prev_of, *next_of; /* of the session */
	UT_hash_handle hh;
};

/* Sends an envelope, with a body or without, to a session's key. */
void rc_server_send(struct rc_role_socket *socket, struct rc_session *session,
		    struct rc_frames *frames);
/* Frames that begin with the identity of whom they go to. */
void rc_server_frames(struct rc_frames *frames, struct rc_bytes key);
/* The client is gone: its requests wait a little for its return. */
void rc_server_session_gone(struct rc_role_socket *socket, struct rc_session *session);
void rc_server_bad(struct rc_server *server, const char *what);

/* A REQUEST, AGAIN or CANCEL of a session (NULL: of somebody without one). */
void rc_request_arrived(struct rc_role_socket *socket, struct rc_session *session,
			const struct rc_envelope *envelope, struct rc_frames *frames);
void rc_request_again(struct rc_role_socket *socket, struct rc_session *session,
		      const struct rc_envelope *envelope);
void rc_request_given_up(struct rc_role_socket *socket, struct rc_session *session,
			 const struct rc_envelope *envelope);
/* Nobody waits for the answer any more. */
void rc_request_cancel(struct rc_request *request);
/* The session of a request is gone: the client has until orphan_us to come back. */
void rc_request_orphan(struct rc_request *request, int64_t orphan_us);
/* When it is over: the deadline, or an orphan's end if that is earlier; 0: never. */
int64_t rc_request_end_us(const struct rc_request *request);
/* Frees without an answer: the server closes. */
void rc_request_discard(struct rc_request *request);

#endif
