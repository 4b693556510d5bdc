/*
 * The asking end. A call is kept, with its bytes, until it is answered or its deadline passes; what
 * the connection loses is sent again. Order holds: after a reconnect everything outstanding goes
 * out again in the order of the calls, and the server knows what it still has in hand.
 */
#include "bus/client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "bus/client_state.h"
#include "proto/common.pb-c.h"

#define RECEIVE_MARK 8192
#define LINGER_MS    100

/* Frames of an answer: envelope, body, bulk. */
enum { FRAME_ENVELOPE, FRAME_BODY, FRAME_BULK };

/* ---- greeting ---- */

void rc_client_greet(struct rc_client *client)
{
	struct rc_envelope envelope = {
		.kind = RC__ENVELOPE__KIND__HELLO,
		.boot = client->config.boot,
	};
	Rc__Hello hello = RC__HELLO__INIT;
	struct rc_frames frames = {0};

	hello.network_id.data = client->config.network_id;
	hello.network_id.len = sizeof(client->config.network_id);
	hello.daemon = client->config.from;
	hello.boot = client->config.boot;
	hello.version = (char *)RC_VERSION;
	rc_frames_put_envelope(&frames, &envelope);
	rc_frames_put_packed(&frames, NULL, &hello.base);
	rc_zsock_send(client->zsock, &frames);
	rc_frames_done(&frames);
	client->state = RC_CLIENT_GREETED;
	rc_calls_watch_again(client);
}

static bool tell_state(struct rc_client *client, bool up, bool changed)
{
	bool gone = false;
	bool *outer = client->gone;

	if (!client->config.on_state)
		return true;
	client->gone = &gone;
	client->config.on_state(client->config.arg, up, client->server_boot, changed);
	if (gone) {
		if (outer)
			*outer = true;
		return false;
	}
	client->gone = outer;
	return true;
}

static void go_down(struct rc_client *client)
{
	bool was_up = client->state == RC_CLIENT_UP;

	client->state = RC_CLIENT_DOWN;
	client->unsent = client->calls;
	if (!was_up)
		return;
	rc_calls_hold(client);
	tell_state(client, false, false);
}

static void on_link(void *arg, bool up)
{
	struct rc_client *client = arg;

	if (up)
		rc_client_greet(client);
	else
		go_down(client);
}

/* Whatever is outstanding is answered with the reason, as is what is called until another server
 * stands there. */
static void on_refused(struct rc_client *client, const struct rc_envelope *envelope)
{
	client->state = RC_CLIENT_REFUSED;
	client->refusal = envelope->error < 0 ? envelope->error : RC_EFORMAT;
	snprintf(client->refusal_text, sizeof(client->refusal_text), "%s refuses us: %s",
		 rc_daemon_name(client->config.to), envelope->text);
	if (!client->refusal_logged && client->config.from != RC_TOOL)
		rc_log(RC_LOG_ERR, "bus: %s; nothing is asked of it until it is restarted",
		       client->refusal_text);
	client->refusal_logged = true;
	rc_calls_fail_all(client, client->refusal);
}

static void on_welcome(struct rc_client *client, const struct rc_envelope *envelope,
		       const Rc__Hello *hello)
{
	bool changed = client->server_boot != hello->boot;
	struct rc_envelope ours = *envelope;

	if (client->state == RC_CLIENT_UP && !changed)
		return; /* the answer to a repeated greeting */
	if (envelope->error == RC_OK &&
	    (hello->network_id.len != sizeof(client->config.network_id) ||
	     memcmp(hello->network_id.data, client->config.network_id, hello->network_id.len) !=
		     0)) {
		ours.error = RC_ENETWORK;
		ours.text = "it belongs to another network: check the option network";
	}
	if (ours.error) {
		on_refused(client, &ours);
		return;
	}
	client->state = RC_CLIENT_UP;
	client->server_boot = hello->boot;
	client->refusal = 0;
	client->refusal_logged = false;
	client->credit_messages = client->edge->messages;
	client->credit_bytes = client->edge->bytes;
	if (hello->credit_messages && hello->credit_messages < client->credit_messages)
		client->credit_messages = hello->credit_messages;
	if (hello->credit_bytes && hello->credit_bytes < client->credit_bytes)
		client->credit_bytes = hello->credit_bytes;
	if (!tell_state(client, true, changed))
		return;
	client->unsent = client->calls;
	rc_calls_send(client);
}

/* ---- messages ---- */

/* Decodes an answer for call and tells it. */
static void on_reply(struct rc_client *client, const struct rc_envelope *envelope,
		     struct rc_frames *frames)
{
	struct rc_bytes few[8], *bulk = few, body = {0};
	struct rc_bump bump = {0};
	struct rc_reply reply = {.err = envelope->error, .text = envelope->text};
	struct rc_call *call;

	call = rc_calls_take(client, envelope->id);
	if (!call)
		return; /* given up, or answered twice */
	reply.retry_ms = envelope->retry_ms;
	reply.boot = envelope->boot;
	reply.again = call->times > 1;
	reply.sent = true;
	if (reply.err == RC_OK) {
		reply.n_bulk = frames->n > FRAME_BULK ? frames->n - FRAME_BULK : 0;
		if (reply.n_bulk > RC_ARRAY_LEN(few))
			bulk = rc_alloc_array(reply.n_bulk, sizeof(*bulk));
		for (unsigned i = 0; i < reply.n_bulk; i++)
			bulk[i] = rc_frames_get(frames, FRAME_BULK + i);
		reply.bulk = bulk;
		if (frames->n > FRAME_BODY)
			body = rc_frames_get(frames, FRAME_BODY);
		reply.body = rc_body_decode(call->info->reply, body, &bump);
		if (!reply.body) {
			reply.err = RC_EFORMAT;
			reply.text = "the answer can't be read";
		}
	} else if (reply.err > 0) {
		reply.err = RC_EFORMAT;
	}
	rc_call_tell(client, call, &reply); /* the client may be gone after this */
	rc_bump_done(&bump);
	if (bulk != few)
		free(bulk);
}

static void on_frames(void *arg, struct rc_frames *frames)
{
	struct rc_client *client = arg;
	struct rc_envelope envelope;
	struct rc_bump bump = {0};
	const Rc__Hello *hello;

	if (!rc_envelope_decode(rc_frames_get(frames, FRAME_ENVELOPE), &bump, &envelope)) {
		rc_bump_done(&bump);
		return;
	}
	if (envelope.kind == RC__ENVELOPE__KIND__REPLY) {
		on_reply(client, &envelope, frames);
	} else if (envelope.kind == RC__ENVELOPE__KIND__WELCOME && frames->n > FRAME_BODY) {
		hello = rc_body_decode(&rc__hello__descriptor, rc_frames_get(frames, FRAME_BODY),
				       &bump);
		if (hello && hello->boot)
			on_welcome(client, &envelope, hello);
	} else if (envelope.kind == RC__ENVELOPE__KIND__AGAIN) {
		rc_calls_send_again(client, envelope.id);
	} else if (envelope.kind == RC__ENVELOPE__KIND__NONE && envelope.error < 0 &&
		   client->config.inproc) {
		rc_defer_enable(client->rejoin, true);
	}
	rc_bump_done(&bump);
}

static void on_room(void *arg)
{
	rc_calls_send(arg);
}

/* An in-process server closed; libzmq doesn't reconnect there, and tells no connection's end. */
static void on_rejoin(void *arg)
{
	struct rc_client *client = arg;
	bool gone = false;
	bool *outer = client->gone;

	rc_defer_enable(client->rejoin, false);
	client->gone = &gone;
	go_down(client);
	if (gone) {
		if (outer)
			*outer = true;
		return;
	}
	client->gone = outer;
	rc_zsock_disconnect(client->zsock, client->endpoint);
	if (rc_zsock_connect(client->zsock, client->endpoint, NULL) == RC_OK)
		rc_client_greet(client);
}

/* ---- opening and closing ---- */

static int make_endpoint(struct rc_client *client, struct rc_error *error)
{
	const struct rc_client_config *c = &client->config;

	if (c->rundir)
		return rc_endpoint_role(c->rundir, c->to, c->role, client->endpoint,
					sizeof(client->endpoint), error);
	snprintf(client->endpoint, sizeof(client->endpoint), "inproc://%s/%s/%s", c->inproc,
		 rc_daemon_name(c->to), rc_role_name(c->role));
	return RC_OK;
}

static size_t largest_reply(enum rc_daemon daemon)
{
	size_t n, most = 0;
	const struct rc_message_info *m = rc_messages(&n);

	for (size_t i = 0; i < n; i++)
		if (m[i].daemon == daemon || m[i].daemon == RC_DAEMON_COUNT)
			most = rc_max_u64(most, m[i].reply_max);
	return most + RC_ENVELOPE_MAX;
}

int rc_client_open(struct rc_loop *loop, const struct rc_client_config *config,
		   struct rc_client **ret, struct rc_error *error)
{
	struct rc_client *client = rc_alloc(sizeof(*client));
	size_t most = largest_reply(config->to);
	struct rc_zsock_config zconfig = {
		.type = ZMQ_DEALER,
		.max_frame = (int64_t)most,
		.max_bytes = most + RC_ENVELOPE_MAX,
		.receive_mark = config->unread ? (int)config->unread : RECEIVE_MARK,
		.linger_ms = LINGER_MS,
		.watch_links = config->rundir != NULL,
		.on_frames = on_frames,
		.on_room = on_room,
		.on_link = on_link,
		.arg = client,
	};
	int err;

	assert(config->boot);
	client->config = *config;
	client->edge = rc_edge_find(config->from, config->to, config->role);
	assert(client->edge);
	zconfig.send_mark = (int)(2 * client->edge->messages);
	client->loop = loop;
	client->down_since_us = rc_loop_now_us(loop);
	client->credit_messages = client->edge->messages;
	client->credit_bytes = client->edge->bytes;
	/* Never used twice, also by other clients of this process. */
	client->next_id = rc_random_u64(&rc_random_system) >> 1 | 1;
	client->due = rc_loop_add_timer(loop, rc_calls_on_due, client);
	client->again = rc_loop_add_timer(loop, rc_calls_on_again, client);
	client->tell = rc_loop_add_defer(loop, rc_calls_on_tell, client);
	client->rejoin = rc_loop_add_defer(loop, on_rejoin, client);
	err = make_endpoint(client, error);
	if (err == RC_OK)
		err = rc_zsock_open(loop, &zconfig, &client->zsock, error);
	if (err == RC_OK)
		err = rc_zsock_connect(client->zsock, client->endpoint, error);
	if (err < 0) {
		rc_client_close(client);
		return err;
	}
	client->config.rundir = NULL; /* the caller's texts needn't live on */
	client->config.inproc = config->rundir ? NULL : client->endpoint;
	if (client->config.inproc)
		rc_client_greet(client);
	*ret = client;
	return RC_OK;
}

static void forget_kept(struct rc_client *client)
{
	rc_frames_done(&client->kept_frames);
	rc_bump_done(&client->kept_bump);
	free(client->kept_bulk);
	client->kept_bulk = NULL;
}

void rc_client_close(struct rc_client *client)
{
	if (!client || client->closing)
		return;
	client->closing = true;
	rc_calls_cancel_all(client);
	if (client->gone)
		*client->gone = true;
	rc_zsock_close(client->zsock);
	rc_source_free(client->due);
	rc_source_free(client->again);
	rc_source_free(client->tell);
	rc_source_free(client->rejoin);
	forget_kept(client);
	free(client);
}

bool rc_client_up(const struct rc_client *client)
{
	return client->state == RC_CLIENT_UP;
}

void rc_client_set_trace(struct rc_client *client, uint64_t trace)
{
	client->trace = trace;
}

size_t rc_client_outstanding(const struct rc_client *client)
{
	return HASH_COUNT(client->by_id);
}

size_t rc_client_outstanding_bytes(const struct rc_client *client)
{
	return client->bytes;
}

/* ---- waiting ---- */

struct waiting {
	struct rc_client *client;
	bool done;
};

/* The answer's own copy, made by packing nothing: bulk is copied, the body unpacked again. */
static void keep_reply(void *arg, const struct rc_reply *reply)
{
	struct waiting *waiting = arg;
	struct rc_client *client = waiting->client;
	const ProtobufCMessage *body = reply->body;

	waiting->done = true;
	client->kept = *reply;
	snprintf(client->kept_text, sizeof(client->kept_text), "%s",
		 reply->text ? reply->text : "");
	client->kept.text = client->kept_text;
	if (body) {
		rc_frames_put_packed(&client->kept_frames, NULL, body);
		client->kept.body =
			rc_body_decode(body->descriptor, rc_frames_get(&client->kept_frames, 0),
				       &client->kept_bump);
	}
	client->kept_bulk = rc_alloc_array(reply->n_bulk, sizeof(*client->kept_bulk));
	client->kept.bulk = client->kept_bulk;
	for (size_t i = 0; i < reply->n_bulk; i++)
		rc_frames_put(&client->kept_frames, NULL, reply->bulk[i].data, reply->bulk[i].len);
	for (unsigned i = 0; i < reply->n_bulk; i++)
		client->kept_bulk[i] = rc_frames_get(&client->kept_frames, 1 + i);
}

const struct rc_reply *rc_client_wait(struct rc_client *client, enum rc_message message,
				      const void *body, const struct rc_bytes *bulk, size_t n_bulk,
				      uint32_t deadline_ms)
{
	struct waiting waiting = {client, false};

	forget_kept(client);
	rc_client_call(client, message, body, bulk, n_bulk, deadline_ms, keep_reply, &waiting);
	while (!waiting.done)
		rc_loop_turn(client->loop, -1);
	return &client->kept;
}
