/*
 * The asking end. A call is kept, with its bytes, until it is answered or its deadline passes; what
 * the connection loses is sent again. Order holds: after a reconnect everything outstanding goes
 * out again in the order of the calls, and the server knows what it still has in hand.
 */
#include "bus/client.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "bus/frames.h"
#include "bus/zsock.h"
#include "proto/common.pb-c.h"

/* A call that is out so long is asked for again, and a greeting repeated. */
#define ASK_AGAIN_US INT64_C(1000000)
/* Told to a caller beyond the edge's credit. */
#define BUSY_RETRY_MS 20u
#define RECEIVE_MARK  8192
#define LINGER_MS     100

/* Frames of an answer: envelope, body, bulk. */
enum { FRAME_ENVELOPE, FRAME_BODY, FRAME_BULK };

/* Body and bulk of a call; shared with libzmq while it sends them. */
struct payload {
	atomic_int refs;
	size_t n;
	struct rc_bytes *frames; /* body, then bulk */
	uint8_t bytes[];
};

struct call {
	uint64_t id;
	const struct rc_message_info *info;
	struct payload *payload;
	size_t bytes;
	uint64_t trace;
	int64_t deadline_us;
	int64_t asked_us; /* when it went out last; 0: it waits for room */
	rc_reply_fn fn;
	void *arg;
	int err; /* of a call in failed */
	struct call *prev, *next;
	UT_hash_handle hh;
};

enum state {
	STATE_DOWN,    /* no connection */
	STATE_GREETED, /* Hello sent */
	STATE_UP,
	STATE_REFUSED, /* the server won't have us */
};

struct rc_client {
	struct rc_client_config config;
	const struct rc_edge *edge;
	struct rc_loop *loop;
	struct rc_zsock *zsock;
	char endpoint[256];
	enum state state;
	uint64_t server_boot; /* 0: never welcomed */
	uint32_t credit_messages, credit_bytes;
	int refusal; /* in STATE_REFUSED */
	char refusal_text[256];
	bool refusal_logged;

	uint64_t next_id;
	uint64_t trace;
	struct call *calls;  /* in the order of calling */
	struct call *by_id;  /* hash */
	struct call *unsent; /* the first that waits for room or a connection */
	struct call *failed; /* to be told in the next turn */
	size_t bytes;
	struct rc_source *due;	  /* timer: the next deadline */
	struct rc_source *again;  /* timer: ask again, greet again */
	struct rc_source *tell;	  /* defer: failed */
	struct rc_source *rejoin; /* defer: connect to an in-process server anew */
	int64_t due_us;
	bool again_armed;
	bool closing;
	bool *gone; /* set when a callback closed the client under its caller */

	struct rc_frames kept_frames; /* of rc_client_wait */
	struct rc_bump kept_bump;
	struct rc_reply kept;
	struct rc_bytes *kept_bulk;
	char kept_text[RC_ENVELOPE_MAX];
};

/* ---- payloads ---- */

static struct payload *payload_new(const void *body, const struct rc_bytes *bulk, size_t n_bulk)
{
	size_t body_len = body ? protobuf_c_message_get_packed_size(body) : 0;
	size_t total = body_len;
	struct payload *p;
	uint8_t *at;

	for (size_t i = 0; i < n_bulk; i++)
		total += bulk[i].len;
	p = malloc(sizeof(*p) + total);
	if (!p)
		p = rc_alloc(sizeof(*p) + total); /* logs and ends */
	atomic_init(&p->refs, 1);
	p->n = 1 + n_bulk;
	p->frames = rc_alloc_array(p->n, sizeof(*p->frames));
	if (body)
		protobuf_c_message_pack(body, p->bytes);
	p->frames[0] = (struct rc_bytes){p->bytes, body_len};
	at = p->bytes + body_len;
	for (size_t i = 0; i < n_bulk; i++) {
		if (bulk[i].len)
			memcpy(at, bulk[i].data, bulk[i].len);
		p->frames[1 + i] = (struct rc_bytes){at, bulk[i].len};
		at += bulk[i].len;
	}
	return p;
}

static void payload_unref(struct payload *payload)
{
	if (payload && atomic_fetch_sub(&payload->refs, 1) == 1) {
		free(payload->frames);
		free(payload);
	}
}

static void free_shared(void *data, void *hint)
{
	(void)data;
	payload_unref(hint);
}

static size_t payload_bytes(const struct payload *payload)
{
	size_t bytes = 0;

	for (size_t i = 0; i < payload->n; i++)
		bytes += payload->frames[i].len;
	return bytes;
}

static void put_payload(struct rc_frames *frames, struct payload *payload)
{
	for (size_t i = 0; i < payload->n; i++) {
		struct rc_bytes b = payload->frames[i];

		if (b.len < RC_TALLY_LEAST) {
			rc_frames_put(frames, NULL, b.data, b.len);
			continue;
		}
		atomic_fetch_add(&payload->refs, 1);
		rc_frames_put_owned(frames, NULL, (void *)b.data, b.len, free_shared, payload);
	}
}

/* ---- the life of a call ---- */

static void watch_deadline(struct rc_client *client, int64_t deadline_us)
{
	if (client->due_us && client->due_us <= deadline_us)
		return;
	client->due_us = deadline_us;
	rc_timer_arm(client->due, deadline_us - rc_loop_now_us(client->loop));
}

static void watch_again(struct rc_client *client)
{
	if (client->again_armed)
		return;
	client->again_armed = true;
	rc_timer_arm(client->again, ASK_AGAIN_US);
}

static void call_free(struct call *call)
{
	payload_unref(call->payload);
	free(call);
}

/* Takes a call off the books; its bytes aren't needed any more. */
static void take_off(struct rc_client *client, struct call *call)
{
	if (client->unsent == call)
		client->unsent = call->next;
	DL_DELETE(client->calls, call);
	HASH_DEL(client->by_id, call);
	client->bytes -= call->bytes;
	payload_unref(call->payload);
	call->payload = NULL;
}

/* To be told in the next turn: never from inside the caller's own call. */
static void fail_later(struct rc_client *client, struct call *call, int err)
{
	call->err = err;
	DL_APPEND(client->failed, call);
	rc_defer_enable(client->tell, true);
}

/* Calls fn, which may close the client: false if it did. */
static bool tell(struct rc_client *client, struct call *call, const struct rc_reply *reply)
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

static const char *why_failed(struct rc_client *client, const struct call *call, char *text,
			      size_t size)
{
	const char *us = rc_daemon_name(client->config.to);

	switch (call->err) {
	case RC_EUNAVAILABLE:
		snprintf(text, size, "%s doesn't answer at %s: is it running?", us,
			 client->endpoint);
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

static bool tell_failure(struct rc_client *client, struct call *call)
{
	char text[512];
	struct rc_reply reply = {
		.err = call->err,
		.text = why_failed(client, call, text, sizeof(text)),
		.retry_ms = call->err == RC_EBUSY ? BUSY_RETRY_MS : 0,
		.boot = client->server_boot,
	};

	return tell(client, call, &reply);
}

static void on_tell(void *arg)
{
	struct rc_client *client = arg;
	struct call *call;

	rc_defer_enable(client->tell, false);
	while ((call = client->failed)) {
		DL_DELETE(client->failed, call);
		if (!tell_failure(client, call))
			return;
	}
}

static void send_small(struct rc_client *client, int kind, uint64_t id)
{
	struct rc_envelope envelope = {.kind = kind, .id = id, .boot = client->config.boot};
	struct rc_frames frames = {0};

	rc_frames_put_envelope(&frames, &envelope);
	rc_zsock_send(client->zsock, &frames);
	rc_frames_done(&frames);
}

static int send_call(struct rc_client *client, struct call *call)
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
	put_payload(&frames, call->payload);
	err = rc_zsock_send(client->zsock, &frames);
	rc_frames_done(&frames);
	if (err == RC_OK)
		call->asked_us = now;
	return err;
}

static void send_unsent(struct rc_client *client)
{
	while (client->state == STATE_UP && client->unsent) {
		if (send_call(client, client->unsent) < 0)
			return; /* on_room comes */
		client->unsent = client->unsent->next;
	}
}

/* ---- greeting ---- */

static void say_hello(struct rc_client *client)
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
	client->state = STATE_GREETED;
	watch_again(client);
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
	bool was_up = client->state == STATE_UP;

	client->state = STATE_DOWN;
	client->unsent = client->calls;
	if (was_up)
		tell_state(client, false, false);
}

static void on_link(void *arg, bool up)
{
	struct rc_client *client = arg;

	if (up)
		say_hello(client);
	else
		go_down(client);
}

/* Whatever is outstanding is answered with the reason, as is what is called until another server
 * stands there. */
static void on_refused(struct rc_client *client, const struct rc_envelope *envelope)
{
	struct call *call;

	client->state = STATE_REFUSED;
	client->refusal = envelope->error < 0 ? envelope->error : RC_EFORMAT;
	snprintf(client->refusal_text, sizeof(client->refusal_text), "%s refuses us: %s",
		 rc_daemon_name(client->config.to), envelope->text);
	if (!client->refusal_logged && client->config.from != RC_TOOL)
		rc_log(RC_LOG_ERR, "bus: %s; nothing is asked of it until it is restarted",
		       client->refusal_text);
	client->refusal_logged = true;
	while ((call = client->calls)) {
		take_off(client, call);
		fail_later(client, call, client->refusal);
	}
}

static void on_welcome(struct rc_client *client, const struct rc_envelope *envelope,
		       const Rc__Hello *hello)
{
	bool changed = client->server_boot != hello->boot;
	struct rc_envelope ours = *envelope;

	if (client->state == STATE_UP && !changed)
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
	client->state = STATE_UP;
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
	send_unsent(client);
}

/* ---- messages ---- */

/* Decodes an answer for call and tells it. */
static void on_reply(struct rc_client *client, const struct rc_envelope *envelope,
		     struct rc_frames *frames)
{
	struct rc_bytes few[8], *bulk = few, body = {0};
	struct rc_bump bump = {0};
	struct rc_reply reply = {.err = envelope->error, .text = envelope->text};
	struct call *call;

	HASH_FIND(hh, client->by_id, &envelope->id, sizeof(envelope->id), call);
	if (!call)
		return; /* given up, or answered twice */
	take_off(client, call);
	reply.retry_ms = envelope->retry_ms;
	reply.boot = envelope->boot;
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
	tell(client, call, &reply); /* the client may be gone after this */
	rc_bump_done(&bump);
	if (bulk != few)
		free(bulk);
}

/* The server doesn't have it: it, or its answer, was lost. */
static void on_again_answer(struct rc_client *client, uint64_t id)
{
	struct call *call;

	HASH_FIND(hh, client->by_id, &id, sizeof(id), call);
	if (!call || client->state != STATE_UP)
		return;
	if (send_call(client, call) < 0)
		call->asked_us = 0; /* no room now: the next round asks again */
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
		on_again_answer(client, envelope.id);
	} else if (envelope.kind == RC__ENVELOPE__KIND__NONE && envelope.error < 0 &&
		   client->config.inproc) {
		rc_defer_enable(client->rejoin, true);
	}
	rc_bump_done(&bump);
}

static void on_room(void *arg)
{
	send_unsent(arg);
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
		say_hello(client);
}

/* ---- time ---- */

static void on_again(void *arg)
{
	struct rc_client *client = arg;
	int64_t now = rc_loop_now_us(client->loop);
	struct call *call;

	client->again_armed = false;
	/* In-process nothing is lost, and what waits for a server would pile up. */
	if (client->state == STATE_GREETED && !client->config.inproc)
		say_hello(client);
	if (client->state == STATE_UP) {
		DL_FOREACH (client->calls, call) {
			if (call == client->unsent)
				break;
			if (now - call->asked_us < ASK_AGAIN_US)
				continue;
			call->asked_us = now;
			send_small(client, RC__ENVELOPE__KIND__AGAIN, call->id);
		}
	}
	if (client->calls || client->state == STATE_GREETED)
		watch_again(client);
}

static struct call *find_due(struct rc_client *client, int64_t now)
{
	struct call *call;

	client->due_us = 0;
	DL_FOREACH (client->calls, call) {
		if (call->deadline_us <= now)
			return call;
		if (!client->due_us || call->deadline_us < client->due_us)
			client->due_us = call->deadline_us;
	}
	return NULL;
}

static void give_up(struct rc_client *client, struct call *call)
{
	if (client->state == STATE_UP && call->asked_us)
		send_small(client, RC__ENVELOPE__KIND__CANCEL, call->id);
	take_off(client, call);
}

static void on_due(void *arg)
{
	struct rc_client *client = arg;
	int64_t now = rc_loop_now_us(client->loop);
	struct call *call;

	while ((call = find_due(client, now))) {
		give_up(client, call);
		call->err = client->state == STATE_UP ? RC_EDEADLINE : RC_EUNAVAILABLE;
		DL_APPEND(client->failed, call);
	}
	if (client->due_us)
		rc_timer_arm(client->due, client->due_us - now);
	on_tell(client);
}

/* ---- the interface ---- */

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
		.receive_mark = RECEIVE_MARK,
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
	client->credit_messages = client->edge->messages;
	client->credit_bytes = client->edge->bytes;
	/* Never used twice, also by other clients of this process. */
	client->next_id = rc_random_u64(&rc_random_system) >> 1 | 1;
	client->due = rc_loop_add_timer(loop, on_due, client);
	client->again = rc_loop_add_timer(loop, on_again, client);
	client->tell = rc_loop_add_defer(loop, on_tell, client);
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
		say_hello(client);
	*ret = client;
	return RC_OK;
}

static void cancel_all(struct rc_client *client)
{
	struct call *call;

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
	cancel_all(client);
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
	return client->state == STATE_UP;
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

/* Why a call can't even be kept; RC_OK: it can. One alone is within any credit. */
static int check_call(const struct rc_client *client, const struct call *call)
{
	if (call->bytes > call->info->request_max)
		return RC_ETOOBIG;
	if (client->state == STATE_REFUSED)
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
	struct call *call;
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
	call->payload = payload_new(body, bulk, n_bulk);
	call->bytes = payload_bytes(call->payload);
	call->deadline_us = rc_loop_now_us(client->loop) + (int64_t)deadline_ms * 1000;
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
	watch_deadline(client, call->deadline_us);
	watch_again(client);
	send_unsent(client);
	return call->id;
}

void rc_client_cancel(struct rc_client *client, uint64_t id)
{
	struct call *call;

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
