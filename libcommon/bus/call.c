/* Calls: kept until answered, sent in order, asked for again, given up at their deadline. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <utlist.h>

#include "base/num.h"
#include "bus/client_state.h"
#include "proto/common.pb-c.h"

/* A call that is out so long is asked for again, and a greeting repeated. */
#define ASK_AGAIN_US INT64_C(1000000)
/* Told to a caller beyond the edge's credit. */
#define BUSY_RETRY_MS 20u

static void watch_deadline(struct rc_client *client, int64_t deadline_us)
{
	if (client->due_us && client->due_us <= deadline_us)
		return;
	client->due_us = deadline_us;
	rc_timer_arm(client->due, deadline_us - rc_loop_now_us(client->loop));
}

/* When a call is given up as things are: at its deadline, or when it was held for long enough. */
static int64_t end_of(const struct rc_client *client, const struct rc_call *call)
{
	int64_t since =
		call->called_us > client->down_since_us ? call->called_us : client->down_since_us;
	int64_t held = since + (int64_t)client->config.hold_ms * 1000;

	if (client->state == RC_CLIENT_UP || !client->config.hold_ms || held > call->deadline_us)
		return call->deadline_us;
	return held;
}

void rc_calls_hold(struct rc_client *client)
{
	client->down_since_us = rc_loop_now_us(client->loop);
	if (client->calls && client->config.hold_ms)
		watch_deadline(client,
			       client->down_since_us + (int64_t)client->config.hold_ms * 1000);
}

void rc_calls_watch_again(struct rc_client *client)
{
	if (client->again_armed)
		return;
	client->again_armed = true;
	rc_timer_arm(client->again, ASK_AGAIN_US);
}

static void call_free(struct rc_call *call)
{
	rc_payload_unref(call->payload);
	free(call);
}

/* Takes a call off the books; its bytes aren't needed any more. */
static void take_off(struct rc_client *client, struct rc_call *call)
{
	if (client->unsent == call)
		client->unsent = call->next;
	DL_DELETE(client->calls, call);
	HASH_DEL(client->by_id, call);
	client->bytes -= call->bytes;
	rc_payload_unref(call->payload);
	call->payload = NULL;
}

/* To be told in the next turn: never from inside the caller's own call. */
static void fail_later(struct rc_client *client, struct rc_call *call, int err)
{
	call->err = err;
	DL_APPEND(client->failed, call);
	rc_defer_enable(client->tell, true);
}

/* Calls fn, which may close the client: false if it did. */
bool rc_call_tell(struct rc_client *client, struct rc_call *call, const struct rc_reply *reply)
{
	bool gone = false;
	bool *outer = client->gone;

	client->gone = &gone;
	if (call->fn)
		call->fn(call->arg, reply);
	call_free(call);
	if (gone) {
		if (outer)
			*outer = true;
		return false;
	}
	client->gone = outer;
	return true;
}

/* libzmq tries again in silence whatever the reason is; a look at the socket tells it. */
static void say_unavailable(const struct rc_client *client, char *text, size_t size)
{
	static const char scheme[] = "ipc://";
	const char *path = client->endpoint + sizeof(scheme) - 1;
	bool is_path = strncmp(client->endpoint, scheme, sizeof(scheme) - 1) == 0;
	const char *us = rc_daemon_name(client->config.to);

	if (is_path && access(path, W_OK) < 0 && errno == EACCES)
		snprintf(text, size, "no permission to ask %s: be a member of the group of %s", us,
			 path);
	else
		snprintf(text, size, "%s doesn't answer at %s: is it running?", us,
			 client->endpoint);
}

static const char *why_failed(struct rc_client *client, const struct rc_call *call, char *text,
			      size_t size)
{
	const char *us = rc_daemon_name(client->config.to);

	switch (call->err) {
	case RC_EUNAVAILABLE:
		say_unavailable(client, text, size);
		break;
	case RC_EDEADLINE:
		snprintf(text, size, "%s took too long to answer %s", us, call->info->name);
		break;
	case RC_EBUSY:
		snprintf(text, size, "as many requests are under way to %s as may be", us);
		break;
	case RC_ETOOBIG:
		snprintf(text, size, "the request %s is too large", call->info->name);
		break;
	default:
		if (call->err == client->refusal)
			return client->refusal_text;
		snprintf(text, size, "%s", rc_err_text(call->err));
		break;
	}
	return text;
}

static bool tell_failure(struct rc_client *client, struct rc_call *call)
{
	char text[512];
	struct rc_reply reply = {
		.err = call->err,
		.text = why_failed(client, call, text, sizeof(text)),
		.retry_ms = call->err == RC_EBUSY ? BUSY_RETRY_MS : 0,
		.boot = client->server_boot,
		.again = call->times > 1,
		.sent = call->times > 0,
		.held = call->held,
	};

	return rc_call_tell(client, call, &reply);
}

void rc_calls_on_tell(void *arg)
{
	struct rc_client *client = arg;
	struct rc_call *call;
	unsigned left;

	rc_defer_enable(client->tell, false);
	DL_COUNT(client->failed, call, left);
	/* Only those of now: who asks again from its callback and fails at once, again and again,
	 * is told in later turns, after the sockets have had theirs. */
	for (; left && (call = client->failed); left--) {
		DL_DELETE(client->failed, call);
		if (!tell_failure(client, call))
			return;
	}
	if (client->failed)
		rc_defer_enable(client->tell, true);
}

static void send_small(struct rc_client *client, int kind, uint64_t id)
{
	struct rc_envelope envelope = {.kind = kind, .id = id, .boot = client->config.boot};
	struct rc_frames frames = {0};

	rc_frames_put_envelope(&frames, &envelope);
	rc_zsock_send(client->zsock, &frames);
	rc_frames_done(&frames);
}

static int send_call(struct rc_client *client, struct rc_call *call)
{
	int64_t now = rc_loop_now_us(client->loop);
	int64_t left_ms = (call->deadline_us - now) / 1000;
	struct rc_envelope envelope = {
		.kind = RC__ENVELOPE__KIND__REQUEST,
		.message = call->info->message,
		.id = call->id,
		.deadline_ms = left_ms < 1 ? 1 : (uint32_t)left_ms,
		.trace = call->trace,
		.boot = client->config.boot,
	};
	struct rc_frames frames = {0};
	int err;

	rc_frames_put_envelope(&frames, &envelope);
	rc_payload_put(&frames, call->payload);
	err = rc_zsock_send(client->zsock, &frames);
	rc_frames_done(&frames);
	if (err < 0)
		return err;
	call->asked_us = now;
	call->times++;
	return RC_OK;
}

void rc_calls_send(struct rc_client *client)
{
	while (client->state == RC_CLIENT_UP && client->unsent) {
		if (send_call(client, client->unsent) < 0)
			return; /* on_room comes */
		client->unsent = client->unsent->next;
	}
}

struct rc_call *rc_calls_take(struct rc_client *client, uint64_t id)
{
	struct rc_call *call;

	HASH_FIND(hh, client->by_id, &id, sizeof(id), call);
	if (call)
		take_off(client, call);
	return call;
}

void rc_calls_fail_all(struct rc_client *client, int err)
{
	struct rc_call *call;

	while ((call = client->calls)) {
		take_off(client, call);
		fail_later(client, call, err);
	}
}

void rc_calls_send_again(struct rc_client *client, uint64_t id)
{
	struct rc_call *call;

	HASH_FIND(hh, client->by_id, &id, sizeof(id), call);
	if (!call || client->state != RC_CLIENT_UP)
		return;
	if (send_call(client, call) < 0)
		call->asked_us = 0; /* no room now: the next round asks again */
}

/* ---- time ---- */

void rc_calls_on_again(void *arg)
{
	struct rc_client *client = arg;
	int64_t now = rc_loop_now_us(client->loop);
	struct rc_call *call;

	client->again_armed = false;
	/* In-process nothing is lost, and what waits for a server would pile up. */
	if (client->state == RC_CLIENT_GREETED && !client->config.inproc)
		rc_client_greet(client);
	if (client->state == RC_CLIENT_UP) {
		DL_FOREACH (client->calls, call) {
			if (call == client->unsent)
				break;
			if (now - call->asked_us < ASK_AGAIN_US)
				continue;
			call->asked_us = now;
			send_small(client, RC__ENVELOPE__KIND__AGAIN, call->id);
		}
	}
	if (client->calls || client->state == RC_CLIENT_GREETED)
		rc_calls_watch_again(client);
}

static struct rc_call *find_due(struct rc_client *client, int64_t now)
{
	struct rc_call *call;

	client->due_us = 0;
	DL_FOREACH (client->calls, call) {
		int64_t end = end_of(client, call);

		if (end <= now)
			return call;
		if (!client->due_us || end < client->due_us)
			client->due_us = end;
	}
	return NULL;
}

static void give_up(struct rc_client *client, struct rc_call *call)
{
	if (client->state == RC_CLIENT_UP && call->asked_us)
		send_small(client, RC__ENVELOPE__KIND__CANCEL, call->id);
	take_off(client, call);
}

void rc_calls_on_due(void *arg)
{
	struct rc_client *client = arg;
	int64_t now = rc_loop_now_us(client->loop);
	struct rc_call *call;

	while ((call = find_due(client, now))) {
		give_up(client, call);
		call->err = client->state == RC_CLIENT_UP ? RC_EDEADLINE : RC_EUNAVAILABLE;
		call->held = client->state != RC_CLIENT_UP;
		DL_APPEND(client->failed, call);
	}
	if (client->due_us)
		rc_timer_arm(client->due, client->due_us - now);
	rc_calls_on_tell(client);
}

void rc_calls_cancel_all(struct rc_client *client)
{
	struct rc_call *call;

	while ((call = client->calls)) {
		give_up(client, call);
		call->err = RC_ECANCELLED;
		tell_failure(client, call);
	}
	while ((call = client->failed)) {
		DL_DELETE(client->failed, call);
		call->err = RC_ECANCELLED;
		tell_failure(client, call);
	}
}

/* ---- the caller's side ---- */

/* Why a call can't even be kept; RC_OK: it can. One alone is within any credit. */
static int check_call(const struct rc_client *client, const struct rc_call *call)
{
	if (call->bytes > call->info->request_max)
		return RC_ETOOBIG;
	if (client->state == RC_CLIENT_REFUSED)
		return client->refusal;
	if (HASH_COUNT(client->by_id) >= client->credit_messages)
		return RC_EBUSY;
	if (client->calls && client->bytes + call->bytes > client->credit_bytes)
		return RC_EBUSY;
	return RC_OK;
}

uint64_t rc_client_call(struct rc_client *client, enum rc_message message, const void *body,
			const struct rc_bytes *bulk, size_t n_bulk, uint32_t deadline_ms,
			rc_reply_fn fn, void *arg)
{
	const ProtobufCMessage *typed = body;
	struct rc_call *call;
	int err;

	if (client->closing)
		return 0;
	call = rc_alloc(sizeof(*call));
	call->info = rc_message_find(message);
	assert(call->info && rc_role_includes(client->config.role, call->info->role));
	assert(call->info->daemon == client->config.to || call->info->daemon == RC_DAEMON_COUNT);
	assert(!typed || typed->descriptor == call->info->request);
	call->id = client->next_id++;
	call->trace = client->trace;
	call->fn = fn;
	call->arg = arg;
	call->payload = rc_payload_new(body, bulk, n_bulk);
	call->bytes = rc_payload_bytes(call->payload);
	call->called_us = rc_loop_now_us(client->loop);
	call->deadline_us = call->called_us + (int64_t)deadline_ms * 1000;
	err = check_call(client, call);
	if (err < 0) {
		fail_later(client, call, err);
		return call->id;
	}
	DL_APPEND(client->calls, call);
	HASH_ADD(hh, client->by_id, id, sizeof(call->id), call);
	client->bytes += call->bytes;
	if (!client->unsent)
		client->unsent = call;
	watch_deadline(client, end_of(client, call));
	rc_calls_watch_again(client);
	rc_calls_send(client);
	return call->id;
}

void rc_client_cancel(struct rc_client *client, uint64_t id)
{
	struct rc_call *call;

	HASH_FIND(hh, client->by_id, &id, sizeof(id), call);
	if (call) {
		give_up(client, call);
		call_free(call);
		return;
	}
	DL_FOREACH (client->failed, call)
		if (call->id == id)
			call->fn = NULL; /* the turn to come frees it */
}
