/* The serving end: sockets, greetings, deadlines, clients that went away. */
#include "bus/server.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/num.h"
#include "bus/server_state.h"

/* Clients of one role: daemons, and tools that come and go. */
#define SESSIONS_MAX 1024u
/* A lost client's requests wait so long for its return. */
#define ORPHAN_US INT64_C(2000000)
/* After a lost connection libzmq needs a moment to take the peer off its list. */
#define SWEEP_US       INT64_C(20000)
#define SWEEP_AGAIN_US INT64_C(1000000)
#define SWEEPS	       2
/* Answers waiting in libzmq for one client: twice the largest credit of the topology. */
#define SEND_MARK    8192
#define RECEIVE_MARK 1024
#define LINGER_MS    500

/* Bits of rc_server.logged. */
enum { LOGGED_BAD = 1, LOGGED_FULL = 2, LOGGED_NETWORK = 4, LOGGED_SCHEMA = 8, LOGGED_EDGE = 16 };

static void warn_once(struct rc_server *server, unsigned what, const char *text)
{
	if (server->logged & what)
		return;
	server->logged |= what;
	rc_log(RC_LOG_WARNING, "bus: %s (further ones are only counted)", text);
}

void rc_server_bad(struct rc_server *server, const char *what)
{
	char text[128];

	server->stats.bad++;
	snprintf(text, sizeof(text), "dropped a message: %s", what);
	warn_once(server, LOGGED_BAD, text);
}

void rc_server_frames(struct rc_frames *frames, struct rc_bytes key)
{
	rc_frames_put(frames, NULL, key.data, key.len);
}

void rc_server_send(struct rc_role_socket *socket, struct rc_session *session,
		    struct rc_frames *frames)
{
	int err = rc_session_send(session, socket->zsock, frames);

	socket->server->stats.dropped += err < 0;
	if (err == RC_EUNAVAILABLE)
		rc_server_session_gone(socket, session);
}

void rc_server_session_gone(struct rc_role_socket *socket, struct rc_session *session)
{
	int64_t until = rc_loop_now_us(socket->server->loop) + ORPHAN_US;

	while (session->requests)
		rc_request_orphan(session->requests, until);
	HASH_DEL(socket->sessions, session);
	rc_session_free(session);
}

/* ---- greetings ---- */

/* Why this client may not come in; RC_OK: it may. */
static int check_hello(struct rc_role_socket *socket, const struct rc_envelope *envelope,
		       const Rc__Hello *hello, char *ret_text, size_t size)
{
	struct rc_server *server = socket->server;
	const char *us = rc_daemon_name(server->daemon);
	const char *them = hello->daemon < RC_DAEMON_COUNT
				   ? rc_daemon_name((enum rc_daemon)hello->daemon)
				   : "?";

	if (envelope->schema + 1 < RC_BUS_SCHEMA || envelope->schema > RC_BUS_SCHEMA + 1) {
		snprintf(ret_text, size,
			 "%s speaks schema %u of the bus, %s speaks %u: only neighbours understand "
			 "each other; install the same version of both",
			 them, envelope->schema, us, RC_BUS_SCHEMA);
		warn_once(server, LOGGED_SCHEMA, ret_text);
		return RC_EVERSION;
	}
	if (hello->network_id.len != sizeof(server->network_id) ||
	    memcmp(hello->network_id.data, server->network_id, sizeof(server->network_id)) != 0) {
		snprintf(ret_text, size,
			 "%s belongs to another network than %s: check the option network of both",
			 them, us);
		warn_once(server, LOGGED_NETWORK, ret_text);
		return RC_ENETWORK;
	}
	if (!hello->boot || hello->daemon >= RC_DAEMON_COUNT ||
	    !rc_edge_find((enum rc_daemon)hello->daemon, server->daemon, socket->role)) {
		snprintf(ret_text, size, "%s may not open the role %s of %s", them,
			 rc_role_name(socket->role), us);
		warn_once(server, LOGGED_EDGE, ret_text);
		return RC_EDENIED;
	}
	return RC_OK;
}

static void welcome(struct rc_frames *frames, struct rc_server *server, const struct rc_edge *edge,
		    int err, const char *text)
{
	struct rc_envelope envelope = {
		.kind = RC__ENVELOPE__KIND__WELCOME,
		.boot = server->boot,
		.error = err,
		.text = text,
	};
	Rc__Hello hello = RC__HELLO__INIT;

	hello.network_id.data = server->network_id;
	hello.network_id.len = sizeof(server->network_id);
	hello.daemon = server->daemon;
	hello.boot = server->boot;
	hello.version = (char *)RC_VERSION;
	hello.credit_messages = edge ? edge->messages : 0;
	hello.credit_bytes = edge ? edge->bytes : 0;
	rc_frames_put_envelope(frames, &envelope);
	rc_frames_put_packed(frames, NULL, &hello.base);
}

/* What a daemon asked for in an earlier life, and is not here to hear, is forgotten. Cancelling may
 * free any request, so the search begins anew each time. */
static void forget_earlier_life(struct rc_role_socket *socket, enum rc_daemon from, uint64_t boot)
{
	struct rc_request *request;

	if (from == RC_TOOL)
		return;
	do {
		DL_FOREACH (socket->server->requests, request)
			if (!request->session && !request->cancelled && request->socket == socket &&
			    request->from == from && request->key.boot != boot)
				break;
		if (request)
			rc_request_cancel(request);
	} while (request);
}

static void sweep_soon(struct rc_server *server)
{
	server->sweeps_left = SWEEPS;
	rc_timer_arm(server->sweep, SWEEP_US);
}

static void on_hello(struct rc_role_socket *socket, struct rc_bytes key, struct rc_session *session,
		     const struct rc_envelope *envelope, const Rc__Hello *hello)
{
	struct rc_server *server = socket->server;
	const struct rc_edge *edge = NULL;
	struct rc_frames frames = {0};
	char text[256] = "";
	int err = check_hello(socket, envelope, hello, text, sizeof(text));

	if (err == RC_OK && !session && HASH_COUNT(socket->sessions) >= SESSIONS_MAX) {
		snprintf(text, sizeof(text), "%u clients of %s/%s are connected, no more may be",
			 SESSIONS_MAX, rc_daemon_name(server->daemon), rc_role_name(socket->role));
		warn_once(server, LOGGED_FULL, text);
		sweep_soon(server);
		err = RC_EBUSY;
	}
	if (err == RC_OK)
		edge = rc_edge_find((enum rc_daemon)hello->daemon, server->daemon, socket->role);
	else
		server->stats.refused++;
	rc_server_frames(&frames, key);
	welcome(&frames, server, edge, err, text);
	if (err < 0) {
		rc_zsock_send(socket->zsock, &frames);
		rc_frames_done(&frames);
		return;
	}
	if (session && (session->boot != hello->boot || session->edge != edge)) {
		rc_server_session_gone(socket, session);
		session = NULL;
	}
	if (!session) {
		session = rc_session_new(key, edge, hello->boot);
		HASH_ADD(hh, socket->sessions, key, session->key_len, session);
		forget_earlier_life(socket, edge->from, hello->boot);
		rc_log(RC_LOG_DEBUG, "bus: %s %s connected to %s", rc_daemon_name(edge->from),
		       hello->version ? hello->version : "", rc_role_name(socket->role));
	}
	rc_server_send(socket, session, &frames);
}

/* ---- messages ---- */

static void not_greeted(struct rc_role_socket *socket, struct rc_bytes key,
			const struct rc_envelope *envelope)
{
	struct rc_frames frames = {0};
	struct rc_envelope answer = {
		.kind = RC__ENVELOPE__KIND__REPLY,
		.message = envelope->message,
		.id = envelope->id,
		.boot = socket->server->boot,
		.error = RC_EDENIED,
		.text = "say Hello first",
	};

	rc_server_bad(socket->server, "a request without a greeting");
	rc_server_frames(&frames, key);
	rc_frames_put_envelope(&frames, &answer);
	rc_zsock_send(socket->zsock, &frames);
	rc_frames_done(&frames);
}

static void on_envelope(struct rc_role_socket *socket, const struct rc_envelope *envelope,
			struct rc_frames *frames, struct rc_bump *bump)
{
	struct rc_bytes key = rc_frames_get(frames, 0);
	struct rc_session *session;
	const Rc__Hello *hello;

	HASH_FIND(hh, socket->sessions, key.data, key.len, session);
	if (envelope->kind == RC__ENVELOPE__KIND__HELLO) {
		hello = frames->n > 2 ? rc_body_decode(&rc__hello__descriptor,
						       rc_frames_get(frames, 2), bump)
				      : NULL;
		if (hello)
			on_hello(socket, key, session, envelope, hello);
		else
			rc_server_bad(socket->server, "a greeting that can't be read");
	} else if (envelope->kind == RC__ENVELOPE__KIND__NONE) {
		return;
	} else if (!session) {
		not_greeted(socket, key, envelope);
	} else if (envelope->kind == RC__ENVELOPE__KIND__REQUEST) {
		rc_request_arrived(socket, session, envelope, frames);
	} else if (envelope->kind == RC__ENVELOPE__KIND__AGAIN) {
		rc_request_again(socket, session, envelope);
	} else if (envelope->kind == RC__ENVELOPE__KIND__CANCEL) {
		rc_request_given_up(socket, session, envelope);
	} else {
		rc_server_bad(socket->server, "no request");
	}
}

static void on_frames(void *arg, struct rc_frames *frames)
{
	struct rc_role_socket *socket = arg;
	struct rc_envelope envelope;
	struct rc_bump bump = {0};

	if (frames->n < 2 || rc_frames_get(frames, 0).len > RC_SESSION_KEY_MAX)
		rc_server_bad(socket->server, "no envelope");
	else if (!rc_envelope_decode(rc_frames_get(frames, 1), &bump, &envelope))
		rc_server_bad(socket->server, "an envelope that can't be read");
	else
		on_envelope(socket, &envelope, frames, &bump);
	rc_bump_done(&bump);
}

static void on_bad(void *arg)
{
	struct rc_role_socket *socket = arg;

	rc_server_bad(socket->server, "too many frames or bytes");
}

static void on_room(void *arg)
{
	struct rc_role_socket *socket = arg;
	struct rc_session *session, *next;

	HASH_ITER (hh, socket->sessions, session, next) {
		if (session->queue && rc_session_flush(session, socket->zsock) == RC_EUNAVAILABLE)
			rc_server_session_gone(socket, session);
	}
}

static void on_link(void *arg, bool up)
{
	struct rc_role_socket *socket = arg;

	if (!up)
		sweep_soon(socket->server);
}

/* A ROUTER doesn't tell who left; sending to him does. */
static void sweep_socket(struct rc_role_socket *socket)
{
	struct rc_envelope envelope = {
		.kind = RC__ENVELOPE__KIND__NONE,
		.boot = socket->server->boot,
	};
	struct rc_session *session, *next;

	HASH_ITER (hh, socket->sessions, session, next) {
		struct rc_frames frames = {0};

		rc_server_frames(&frames, (struct rc_bytes){session->key, session->key_len});
		rc_frames_put_envelope(&frames, &envelope);
		if (rc_zsock_send(socket->zsock, &frames) == RC_EUNAVAILABLE)
			rc_server_session_gone(socket, session);
		rc_frames_done(&frames);
	}
}

static void on_sweep(void *arg)
{
	struct rc_server *server = arg;

	for (unsigned r = 0; r < RC_ROLE_COUNT; r++)
		sweep_socket(&server->sockets[r]);
	if (--server->sweeps_left)
		rc_timer_arm(server->sweep, SWEEP_AGAIN_US);
}

/* The first request whose time is over; else NULL, and the next deadline in due_us. */
static struct rc_request *find_due(struct rc_server *server, int64_t now)
{
	struct rc_request *request;

	server->due_us = 0;
	DL_FOREACH (server->requests, request) {
		int64_t end = rc_request_end_us(request);

		if (!end)
			continue;
		if (end <= now)
			break;
		if (!server->due_us || end < server->due_us)
			server->due_us = end;
	}
	return request;
}

static void on_due(void *arg)
{
	struct rc_server *server = arg;
	int64_t now = rc_loop_now_us(server->loop);
	struct rc_request *request;

	while ((request = find_due(server, now)))
		rc_request_cancel(request); /* which may free any, so the search begins anew */
	if (server->due_us)
		rc_timer_arm(server->due, server->due_us - now);
}

/* ---- messages every server answers itself ---- */

static void on_ping(void *ctx, struct rc_request *request)
{
	(void)ctx;
	rc_request_reply(request, NULL);
}

static void answer_events(void *arg, const Rc__EventsReply *reply)
{
	rc_request_reply(arg, reply);
}

static void on_events(void *ctx, struct rc_request *request)
{
	struct rc_server *server = ctx;

	rc_publisher_replay(server->publisher, rc_request_body(request), answer_events, request);
}

static const struct rc_handler own_handlers[] = {
	{RC_MSG_PING, on_ping},
	{RC_MSG_EVENTS, on_events},
	{0, NULL},
};

static void add_rows(struct rc_server *server, const struct rc_handler *handlers, void *ctx)
{
	const struct rc_message_info *first;
	size_t n;

	first = rc_messages(&n);
	for (; handlers && handlers->handle; handlers++) {
		const struct rc_message_info *info = rc_message_find(handlers->message);

		assert(info && (info->daemon == server->daemon || info->daemon == RC_DAEMON_COUNT));
		server->rows[info - first] = (struct rc_row){handlers->handle, ctx};
	}
}

/* ---- opening and closing ---- */

/* The largest request of those a role may send. */
static size_t largest_request(enum rc_daemon daemon, enum rc_role role)
{
	size_t n, most = 0;
	const struct rc_message_info *m = rc_messages(&n);

	for (size_t i = 0; i < n; i++)
		if ((m[i].daemon == daemon || m[i].daemon == RC_DAEMON_COUNT) &&
		    rc_role_includes(role, m[i].role))
			most = rc_max_u64(most, m[i].request_max);
	return most + RC_ENVELOPE_MAX;
}

/* Binds under umask 0117, so that never even for a moment others may connect than owner and
 * group. */
static int bind_private(struct rc_zsock *zsock, const char *endpoint, struct rc_error *error)
{
	mode_t before = umask(0117);
	int err = rc_zsock_bind(zsock, endpoint, error);

	umask(before);
	return err;
}

static int set_group(const char *endpoint, gid_t group, struct rc_error *error)
{
	const char *path = strstr(endpoint, "://") + 3;

	if (group != (gid_t)-1 && chown(path, (uid_t)-1, group) < 0)
		return rc_error_errno(error, "giving %s to group %u", path, (unsigned)group);
	return RC_OK;
}

static int make_endpoint(const struct rc_server_config *config, int role, char *ret, size_t size,
			 struct rc_error *error)
{
	const char *what = role < RC_ROLE_COUNT ? rc_role_name((enum rc_role)role) : "events";

	if (!config->rundir) {
		snprintf(ret, size, "inproc://%s/%s/%s", config->inproc,
			 rc_daemon_name(config->daemon), what);
		return RC_OK;
	}
	if (role == RC_ROLE_COUNT)
		return rc_endpoint_events(config->rundir, config->daemon, ret, size, error);
	return rc_endpoint_role(config->rundir, config->daemon, (enum rc_role)role, ret, size,
				error);
}

static int open_role(struct rc_server *server, const struct rc_server_config *config,
		     enum rc_role role, struct rc_error *error)
{
	struct rc_role_socket *socket = &server->sockets[role];
	size_t most = largest_request(server->daemon, role);
	const struct rc_zsock_config zconfig = {
		.type = ZMQ_ROUTER,
		.max_frame = (int64_t)most,
		.max_bytes = most + RC_ENVELOPE_MAX,
		.send_mark = SEND_MARK,
		.receive_mark = RECEIVE_MARK,
		.linger_ms = LINGER_MS,
		.watch_links = config->rundir != NULL,
		.on_frames = on_frames,
		.on_bad = on_bad,
		.on_room = on_room,
		.on_link = on_link,
		.arg = socket,
	};
	char endpoint[256];
	int err = make_endpoint(config, (int)role, endpoint, sizeof(endpoint), error);

	if (err == RC_OK)
		err = rc_zsock_open(server->loop, &zconfig, &socket->zsock, error);
	if (err == RC_OK)
		err = bind_private(socket->zsock, endpoint, error);
	if (err == RC_OK && config->groups && config->rundir)
		err = set_group(endpoint, config->groups[role], error);
	return err;
}

static int open_events(struct rc_server *server, const struct rc_server_config *config,
		       struct rc_error *error)
{
	char endpoint[256];
	mode_t before;
	int err = make_endpoint(config, RC_ROLE_COUNT, endpoint, sizeof(endpoint), error);

	if (err < 0)
		return err;
	before = umask(0117);
	err = rc_publisher_open(server->loop, endpoint, server->boot, &server->publisher, error);
	umask(before);
	if (err == RC_OK && config->groups && config->rundir)
		err = set_group(endpoint, config->groups[RC_ROLE_COUNT], error);
	return err;
}

/* libzmq takes a path over silently, so the lock on the directory comes first. */
static int take_directory(struct rc_server *server, const struct rc_server_config *config,
			  struct rc_error *error)
{
	RC_AUTOFREE char *dir = NULL;
	int err;

	if (!config->rundir)
		return RC_OK;
	dir = rc_asprintf("%s/%s", config->rundir, rc_daemon_name(config->daemon));
	err = rc_dir_make(dir, 0711, error);
	return err < 0 || config->is_locked ? err : rc_dir_lock(dir, &server->lock_fd, error);
}

static int open_all(struct rc_server *server, const struct rc_server_config *config,
		    struct rc_error *error)
{
	RC_AUTOFREE char *roles = rc_strdup(config->roles);
	char *rest = roles, *name;
	int err = take_directory(server, config, error);

	while (err == RC_OK && (name = strsep(&rest, ","))) {
		unsigned role = 0;

		while (role < RC_ROLE_COUNT && strcmp(rc_role_name((enum rc_role)role), name) != 0)
			role++;
		assert(role < RC_ROLE_COUNT);
		err = open_role(server, config, (enum rc_role)role, error);
	}
	return err < 0 ? err : open_events(server, config, error);
}

int rc_server_open(struct rc_loop *loop, const struct rc_server_config *config,
		   struct rc_server **ret, struct rc_error *error)
{
	struct rc_server *server = rc_alloc(sizeof(*server));
	size_t n;
	int err;

	rc_messages(&n);
	server->loop = loop;
	server->daemon = config->daemon;
	memcpy(server->network_id, config->network_id, sizeof(server->network_id));
	server->boot = config->boot;
	while (!server->boot)
		server->boot = rc_random_u64(&rc_random_system);
	server->lock_fd = -1;
	for (unsigned r = 0; r < RC_ROLE_COUNT; r++) {
		server->sockets[r].server = server;
		server->sockets[r].role = (enum rc_role)r;
	}
	server->rows = rc_alloc_array(n, sizeof(*server->rows));
	add_rows(server, own_handlers, server);
	add_rows(server, config->common, config->common_ctx);
	add_rows(server, config->handlers, config->ctx);
	server->due = rc_loop_add_timer(loop, on_due, server);
	server->sweep = rc_loop_add_timer(loop, on_sweep, server);
	err = open_all(server, config, error);
	if (err < 0) {
		rc_server_close(server);
		return err;
	}
	*ret = server;
	return RC_OK;
}

/* Tells clients that we go; those of other processes see it by the connection, too. */
static void close_role(struct rc_role_socket *socket)
{
	struct rc_envelope envelope = {
		.kind = RC__ENVELOPE__KIND__NONE,
		.boot = socket->server->boot,
		.error = RC_EUNAVAILABLE,
	};
	struct rc_session *session, *next;

	HASH_ITER (hh, socket->sessions, session, next) {
		struct rc_frames frames = {0};

		rc_server_frames(&frames, (struct rc_bytes){session->key, session->key_len});
		rc_frames_put_envelope(&frames, &envelope);
		rc_session_send(session, socket->zsock, &frames);
		HASH_DEL(socket->sessions, session);
		rc_session_free(session);
	}
	rc_zsock_close(socket->zsock);
}

void rc_server_close(struct rc_server *server)
{
	if (!server)
		return;
	while (server->requests)
		rc_request_discard(server->requests);
	for (unsigned r = 0; r < RC_ROLE_COUNT; r++)
		close_role(&server->sockets[r]);
	rc_publisher_close(server->publisher);
	rc_source_free(server->due);
	rc_source_free(server->sweep);
	if (server->lock_fd >= 0)
		close(server->lock_fd);
	free(server->rows);
	free(server);
}

uint64_t rc_server_boot(const struct rc_server *server)
{
	return server->boot;
}

uint64_t rc_server_publish(struct rc_server *server, const char *topic, const void *body)
{
	return rc_publisher_send(server->publisher, topic, body);
}

size_t rc_server_pending(const struct rc_server *server)
{
	return server->stats.pending;
}

void rc_server_stats(const struct rc_server *server, struct rc_server_stats *ret)
{
	struct rc_session *session, *next;

	*ret = server->stats;
	for (unsigned r = 0; r < RC_ROLE_COUNT; r++) {
		HASH_ITER (hh, server->sockets[r].sessions, session, next) {
			ret->sessions++;
			ret->outgoing_bytes += rc_tally_bytes(session->tally);
		}
	}
}
