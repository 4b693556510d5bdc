/* A request's life in a server: checked, given to its handler, answered or cancelled. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <utlist.h>

#include "base/log.h"
#include "base/num.h"
#include "bus/server_state.h"

/* Frames of a message from a ROUTER: identity, envelope, body, bulk. */
enum { FRAME_KEY, FRAME_ENVELOPE, FRAME_BODY, FRAME_BULK };

const void *rc_request_body(const struct rc_request *request)
{
	return request->body;
}

size_t rc_request_n_bulk(const struct rc_request *request)
{
	return request->frames.n > FRAME_BULK ? request->frames.n - FRAME_BULK : 0;
}

struct rc_bytes rc_request_bulk(const struct rc_request *request, size_t i)
{
	assert(i < rc_request_n_bulk(request));
	return rc_frames_get(&request->frames, (unsigned)(FRAME_BULK + i));
}

enum rc_daemon rc_request_from(const struct rc_request *request)
{
	return request->from;
}

enum rc_role rc_request_role(const struct rc_request *request)
{
	return request->socket->role;
}

uint64_t rc_request_client_boot(const struct rc_request *request)
{
	return request->key.boot;
}

uint64_t rc_request_trace(const struct rc_request *request)
{
	return request->trace;
}

int64_t rc_request_deadline_us(const struct rc_request *request)
{
	return request->deadline_us;
}

void rc_request_on_cancel(struct rc_request *request, void (*fn)(void *arg, struct rc_request *),
			  void *arg)
{
	request->on_cancel = fn;
	request->on_cancel_arg = arg;
}

/* ---- coming and going ---- */

static void join_session(struct rc_request *request, struct rc_session *session)
{
	request->session = session;
	request->orphan_us = 0;
	DL_APPEND2(session->requests, request, prev_of, next_of);
	session->in_hand++;
	session->request_bytes += request->frames.bytes;
}

static void leave_session(struct rc_request *request)
{
	struct rc_session *session = request->session;

	if (!session)
		return;
	DL_DELETE2(session->requests, request, prev_of, next_of);
	session->in_hand--;
	session->request_bytes -= request->frames.bytes;
	request->session = NULL;
}

static void watch_deadline(struct rc_server *server, int64_t deadline_us)
{
	if (!deadline_us || (server->due_us && server->due_us <= deadline_us))
		return;
	server->due_us = deadline_us;
	rc_timer_arm(server->due, deadline_us - rc_loop_now_us(server->loop));
}

void rc_request_discard(struct rc_request *request)
{
	struct rc_server *server = request->server;

	leave_session(request);
	if (!request->cancelled)
		HASH_DEL(server->by_id, request);
	DL_DELETE(server->requests, request);
	server->stats.pending--;
	server->stats.pending_bytes -= request->frames.bytes;
	rc_frames_done(&request->frames);
	rc_bump_done(&request->bump);
	free(request);
}

void rc_request_cancel(struct rc_request *request)
{
	leave_session(request);
	request->cancelled = true;
	request->deadline_us = 0;
	request->orphan_us = 0;
	HASH_DEL(request->server->by_id, request);
	if (request->on_cancel)
		request->on_cancel(request->on_cancel_arg,
				   request); /* may answer, and so free it */
}

void rc_request_orphan(struct rc_request *request, int64_t orphan_us)
{
	leave_session(request);
	request->orphan_us = orphan_us;
	watch_deadline(request->server, orphan_us);
}

int64_t rc_request_end_us(const struct rc_request *request)
{
	if (!request->orphan_us ||
	    (request->deadline_us && request->deadline_us < request->orphan_us))
		return request->deadline_us;
	return request->orphan_us;
}

static struct rc_request *find(struct rc_role_socket *socket, const struct rc_session *session,
			       uint64_t id)
{
	const struct rc_request_key key = {session->boot, id};
	struct rc_request *request;

	HASH_FIND(hh, socket->server->by_id, &key, sizeof(key), request);
	return request && request->socket == socket ? request : NULL;
}

/* ---- answers ---- */

static void begin_answer(const struct rc_request *request, struct rc_frames *frames, int err,
			 const char *text, uint32_t retry_ms)
{
	const struct rc_session *session = request->session;
	struct rc_envelope envelope = {
		.kind = RC__ENVELOPE__KIND__REPLY,
		.message = request->info->message,
		.id = request->key.id,
		.trace = request->trace,
		.boot = request->server->boot,
		.error = err,
		.text = text,
		.retry_ms = retry_ms,
	};

	rc_server_frames(frames, (struct rc_bytes){session->key, session->key_len});
	rc_frames_put_envelope(frames, &envelope);
}

static void send_failure(struct rc_request *request, int err, const char *text, uint32_t retry_ms)
{
	struct rc_role_socket *socket = request->socket;
	struct rc_session *session = request->session;
	struct rc_frames frames = {0};

	if (session) {
		begin_answer(request, &frames, err, text, retry_ms);
		rc_request_discard(request);
		rc_server_send(socket, session, &frames);
	} else {
		rc_request_discard(request);
	}
}

static void put_body(struct rc_request *request, struct rc_frames *frames, const void *body)
{
	const ProtobufCMessage *message = body;
	struct rc_tally *tally = request->session ? request->session->tally : NULL;

	if (!message) {
		rc_frames_put(frames, NULL, NULL, 0);
		return;
	}
	assert(message->descriptor == request->info->reply);
	rc_frames_put_packed(frames, tally, message);
}

/* Sends a complete answer, or BUSY in its place when the client has left too much lying. */
static void finish(struct rc_request *request, struct rc_frames *frames)
{
	struct rc_role_socket *socket = request->socket;
	struct rc_server *server = request->server;
	struct rc_session *session = request->session;
	size_t lying = session ? rc_tally_bytes(session->tally) : 0; /* with this answer */

	if (!session) {
		server->stats.dropped += !request->cancelled;
		rc_frames_done(frames);
		rc_request_discard(request);
	} else if (frames->bytes > (size_t)request->info->reply_max + RC_ENVELOPE_MAX) {
		rc_log(RC_LOG_ERR,
		       "bus: the answer to %s would have %zu bytes, more than %u; the caller is "
		       "told so",
		       request->info->name, frames->bytes, request->info->reply_max);
		rc_frames_done(frames);
		send_failure(request, RC_ETOOBIG, "the answer is too large", 0);
	} else if (lying > session->edge->bytes && lying > frames->bytes) {
		rc_frames_done(frames);
		server->stats.busy++;
		send_failure(request, RC_EBUSY, "answers wait to be taken", RC_BUSY_RETRY_MS);
	} else {
		rc_request_discard(request);
		rc_server_send(socket, session, frames);
	}
}

void rc_request_reply_bulk(struct rc_request *request, const void *body,
			   const struct rc_bytes *bulk, size_t n_bulk)
{
	struct rc_session *session = request->session;
	struct rc_frames frames = {0};

	if (session) {
		begin_answer(request, &frames, RC_OK, NULL, 0);
		put_body(request, &frames, body);
		for (size_t i = 0; i < n_bulk; i++)
			rc_frames_put(&frames, session->tally, bulk[i].data, bulk[i].len);
	}
	finish(request, &frames);
}

void rc_request_reply(struct rc_request *request, const void *body)
{
	rc_request_reply_bulk(request, body, NULL, 0);
}

void rc_request_reply_owned(struct rc_request *request, const void *body, uint8_t *data, size_t len,
			    void (*free_fn)(void *data, void *hint), void *hint)
{
	struct rc_session *session = request->session;
	struct rc_frames frames = {0};

	if (session) {
		begin_answer(request, &frames, RC_OK, NULL, 0);
		put_body(request, &frames, body);
		rc_frames_put_owned(&frames, session->tally, data, len, free_fn, hint);
	} else {
		free_fn(data, hint);
	}
	finish(request, &frames);
}

void rc_request_fail(struct rc_request *request, int err, const char *fmt, ...)
{
	char text[RC_ENVELOPE_MAX / 2];
	va_list ap;

	assert(err < 0);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	send_failure(request, err, text, 0);
}

void rc_request_busy(struct rc_request *request, uint32_t retry_ms)
{
	send_failure(request, RC_EBUSY, "busy", retry_ms);
}

/* ---- arrival ---- */

/* Says no to a request that never got into hand. */
static void refuse(struct rc_role_socket *socket, struct rc_session *session,
		   const struct rc_envelope *envelope, int err, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

static void refuse(struct rc_role_socket *socket, struct rc_session *session,
		   const struct rc_envelope *envelope, int err, const char *fmt, ...)
{
	struct rc_frames frames = {0};
	char text[256];
	struct rc_envelope answer = {
		.kind = RC__ENVELOPE__KIND__REPLY,
		.message = envelope->message,
		.id = envelope->id,
		.trace = envelope->trace,
		.boot = socket->server->boot,
		.error = err,
		.text = text,
		.retry_ms = err == RC_EBUSY ? RC_BUSY_RETRY_MS : 0,
	};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	socket->server->stats.busy += err == RC_EBUSY;
	rc_server_frames(&frames, (struct rc_bytes){session->key, session->key_len});
	rc_frames_put_envelope(&frames, &answer);
	rc_server_send(socket, session, &frames);
}

/* The handler's row, if this server answers such a message on this socket. */
static const struct rc_row *find_row(struct rc_role_socket *socket, struct rc_session *session,
				     const struct rc_envelope *envelope, size_t bytes)
{
	const struct rc_message_info *info = rc_message_find(envelope->message);
	struct rc_server *server = socket->server;
	const struct rc_row *row;
	size_t n;

	if (!info) {
		refuse(socket, session, envelope, RC_EINVAL,
		       "unknown-kind: message %u is not known here", envelope->message);
		return NULL;
	}
	row = &server->rows[info - rc_messages(&n)];
	if (!row->handle) {
		refuse(socket, session, envelope, RC_EINVAL, "unknown-kind: %s doesn't answer %s",
		       rc_daemon_name(server->daemon), info->name);
		return NULL;
	}
	if (!rc_role_includes(socket->role, info->role)) {
		refuse(socket, session, envelope, RC_EDENIED, "%s needs the role %s, this is %s",
		       info->name, rc_role_name(info->role), rc_role_name(socket->role));
		return NULL;
	}
	if (bytes > info->request_max) {
		refuse(socket, session, envelope, RC_ETOOBIG, "%s may have %u bytes, not %zu",
		       info->name, info->request_max, bytes);
		return NULL;
	}
	return row;
}

/* Whether the client keeps within its credit; a request that is alone always does. */
static bool has_credit(struct rc_role_socket *socket, struct rc_session *session, size_t bytes)
{
	const struct rc_edge *edge = session->edge;

	if (session->in_hand >= edge->messages)
		return false;
	if (rc_tally_bytes(session->tally) > edge->bytes / 2)
		return false;
	if (session->in_hand && rc_session_bytes(session) + bytes > edge->bytes)
		return false;
	return socket->server->stats.pending_bytes + bytes <= RC_SERVER_BYTES_MAX;
}

static void take_in_hand(struct rc_request *request, struct rc_session *session,
			 const struct rc_envelope *envelope)
{
	struct rc_server *server = request->server;

	request->key = (struct rc_request_key){session->boot, envelope->id};
	request->from = session->edge->from;
	request->trace = envelope->trace;
	if (envelope->deadline_ms)
		request->deadline_us =
			rc_loop_now_us(server->loop) + (int64_t)envelope->deadline_ms * 1000;
	join_session(request, session);
	DL_APPEND(server->requests, request);
	HASH_ADD(hh, server->by_id, key, sizeof(request->key), request);
	server->stats.pending++;
	server->stats.pending_bytes += request->frames.bytes;
	server->stats.requests++;
	watch_deadline(server, request->deadline_us);
}

void rc_request_arrived(struct rc_role_socket *socket, struct rc_session *session,
			const struct rc_envelope *envelope, struct rc_frames *frames)
{
	size_t bytes = frames->bytes - rc_frames_get(frames, FRAME_KEY).len -
		       rc_frames_get(frames, FRAME_ENVELOPE).len;
	struct rc_request *request = find(socket, session, envelope->id);
	struct rc_bytes body = {0};
	const struct rc_row *row;

	if (request) { /* asked again: the one in hand will answer, to where it came from now */
		socket->server->stats.repeated++;
		leave_session(request);
		join_session(request, session);
		return;
	}
	row = find_row(socket, session, envelope, bytes);
	if (!row)
		return;
	if (!has_credit(socket, session, bytes)) {
		refuse(socket, session, envelope, RC_EBUSY, "%u requests are in hand",
		       session->in_hand);
		return;
	}
	request = rc_alloc(sizeof(*request));
	request->server = socket->server;
	request->socket = socket;
	request->info = rc_message_find(envelope->message);
	rc_frames_move(&request->frames, frames);
	if (request->frames.n > FRAME_BODY)
		body = rc_frames_get(&request->frames, FRAME_BODY);
	request->body = rc_body_decode(request->info->request, body, &request->bump);
	if (!request->body) {
		refuse(socket, session, envelope, RC_EINVAL, "the body of %s can't be read",
		       request->info->name);
		rc_frames_done(&request->frames);
		rc_bump_done(&request->bump);
		free(request);
		return;
	}
	take_in_hand(request, session, envelope);
	rc_log_set_trace(request->trace);
	row->handle(row->ctx, request);
	rc_log_set_trace(0);
}

void rc_request_again(struct rc_role_socket *socket, struct rc_session *session,
		      const struct rc_envelope *envelope)
{
	struct rc_request *request = find(socket, session, envelope->id);
	struct rc_envelope answer = {
		.kind = RC__ENVELOPE__KIND__AGAIN,
		.id = envelope->id,
		.boot = socket->server->boot,
	};
	struct rc_frames frames = {0};

	if (request) {
		leave_session(request);
		join_session(request, session);
		return;
	}
	rc_server_frames(&frames, (struct rc_bytes){session->key, session->key_len});
	rc_frames_put_envelope(&frames, &answer);
	rc_server_send(socket, session, &frames);
}

void rc_request_given_up(struct rc_role_socket *socket, struct rc_session *session,
			 const struct rc_envelope *envelope)
{
	struct rc_request *request = find(socket, session, envelope->id);

	if (request)
		rc_request_cancel(request);
}
