/*~ Waiting well: the bus keeps a request over a restart of the daemon; this file decides how long a
 * user waits for that, and what he is told. */
#include "daemons/rpcd/backends.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/log.h"
#include "base/num.h"
#include "daemons/rpcd/watch.h"

/* How soon a call that was told "try again" begins again. */
#define SWEEP_US 50000

struct rpc_wait {
	struct rpc_call *call;
	struct backends *backends;
	enum backend backend;
	uint64_t bus; /* call_waits_for_event */
};

struct connection {
	struct backends *backends;
	enum backend which;
	struct rc_chaind *chaind;
	struct rc_client *client;
	bool up;
};

struct backends {
	struct rpcd *rpcd;
	struct connection connections[BACKEND_COUNT];
	struct rpc_call *retries; /* to be begun again at the next sweep */
	struct rc_source *sweep;
	uint32_t hold_ms;
	void (*on_chaind)(void *arg, bool up);
	void *on_chaind_arg;
	bool closing;
};

/*
 * A new tip answers all who wait for a template at once, with 46 MiB each where blocks are full:
 * a few lie here, the others at chaind, within the edge's bytes, beyond which it says busy.
 */
static const struct {
	enum rc_daemon daemon;
	enum rc_role role;
	unsigned unread; /* rc_client_config */
} kinds[BACKEND_COUNT] = {
	[BACKEND_CHAIND_READ] = {RC_CHAIND, RC_ROLE_READ, 0},
	[BACKEND_CHAIND_TEMPLATE] = {RC_CHAIND, RC_ROLE_READ, 1},
	[BACKEND_CHAIND_SUBMIT] = {RC_CHAIND, RC_ROLE_SUBMIT, 0},
	[BACKEND_CHAIND_ADMIN] = {RC_CHAIND, RC_ROLE_ADMIN, 0},
	[BACKEND_UTXOD_READ] = {RC_UTXOD, RC_ROLE_READ, 0},
	[BACKEND_PEERD_READ] = {RC_PEERD, RC_ROLE_READ, 0},
	[BACKEND_PEERD_ADMIN] = {RC_PEERD, RC_ROLE_ADMIN, 0},
};

enum rc_daemon backend_daemon(enum backend backend)
{
	return kinds[backend].daemon;
}

static void arm_sweep(struct backends *b)
{
	rc_timer_arm(b->sweep, SWEEP_US);
}

static void on_state(void *arg, bool up, uint64_t boot, bool changed)
{
	struct connection *c = arg;
	struct backends *b = c->backends;

	(void)boot, (void)changed;
	c->up = up;
	if (c->which == BACKEND_CHAIND_READ && b->on_chaind)
		b->on_chaind(b->on_chaind_arg, up);
	watch_changed(b->rpcd->watch);
}

/* May what the call asks for have been done, or be done yet, although it fails? */
static bool maybe_done(const struct rpc_call *call, const struct rc_reply *why)
{
	return call->again || call->changed || (why && why->sent && why->err != RC_EBUSY);
}

/* The data of an error that tells to try again. Reading changes nothing, so that doesn't say. */
static json_t *retry_data(const struct rpc_call *call, const char *name, uint32_t retry_ms,
			  bool maybe)
{
	json_t *data = json_pack("{s:s, s:i}", "daemon", name, "retry_ms", (int)retry_ms);

	if (call->method->class != RPC_READ)
		json_object_set_new(data, "maybe_done", json_boolean(maybe));
	return data;
}

/* What a text ends with. */
static const char *advice(const struct rpc_call *call, bool maybe)
{
	if (call->method->class == RPC_READ)
		return "try again";
	return maybe ? "it may have been done: look before you try again"
		     : "it was not done: try again";
}

static void fail_away(struct rpc_call *call, enum backend backend, const struct rc_reply *why,
		      const char *text)
{
	const char *name = rc_daemon_name(backend_daemon(backend));
	uint32_t retry_ms = 1000;
	bool maybe = maybe_done(call, why);

	rpc_call_fail_retry(call, RPC_DAEMON_AWAY, retry_ms,
			    retry_data(call, name, retry_ms, maybe), "%s %s; %s", name, text,
			    advice(call, maybe));
}

static void on_sweep(void *arg)
{
	struct backends *b = arg;
	struct rpc_call *retries = b->retries;

	b->retries = NULL;
	while (retries) {
		struct rpc_call *call = retries;

		LL_DELETE2(retries, call, next_retry);
		rpc_call_restart(call);
		call->method->handle(call);
	}
	if (b->retries)
		arm_sweep(b);
}

int backends_open(struct rpcd *rpcd, struct backends **ret, struct rc_error *error)
{
	struct backends *b = rc_alloc(sizeof(*b));
	int err = RC_OK;

	b->rpcd = rpcd;
	b->hold_ms = (uint32_t)rc_config_u64(rc_service_config(rpcd->service), "hold_ms");
	b->sweep = rc_loop_add_timer(rpcd->loop, on_sweep, b);
	for (enum backend i = 0; i < BACKEND_COUNT && err == RC_OK; i++) {
		struct connection *c = &b->connections[i];
		struct rc_client_config config =
			rc_service_client(rpcd->service, kinds[i].daemon, kinds[i].role);

		c->backends = b;
		c->which = i;
		config.hold_ms = b->hold_ms ? b->hold_ms : 1;
		config.unread = kinds[i].unread;
		config.on_state = on_state;
		config.arg = c;
		if (kinds[i].daemon == RC_CHAIND) {
			err = rc_chaind_open(rpcd->loop, &config, &c->chaind, error);
			if (err == RC_OK)
				c->client = rc_chaind_bus(c->chaind);
		} else {
			err = rc_client_open(rpcd->loop, &config, &c->client, error);
		}
	}
	if (err < 0) {
		backends_close(b);
		return err;
	}
	*ret = b;
	return RC_OK;
}

void backends_close(struct backends *b)
{
	if (!b)
		return;
	b->closing = true;
	for (enum backend i = 0; i < BACKEND_COUNT; i++) {
		struct connection *c = &b->connections[i];

		if (c->chaind)
			rc_chaind_close(c->chaind);
		else
			rc_client_close(c->client);
	}
	while (b->retries) {
		struct rpc_call *call = b->retries;

		LL_DELETE2(b->retries, call, next_retry);
		fail_away(call, BACKEND_CHAIND_READ, NULL, "can't be asked: rpcd is stopping");
	}
	rc_source_free(b->sweep);
	free(b);
}

bool backend_up(const struct backends *b, enum backend backend)
{
	return b->connections[backend].up;
}

struct rc_client *backend_client(const struct backends *b, enum backend backend)
{
	return b->connections[backend].client;
}

struct rc_chaind *backend_chaind(const struct backends *b, enum backend backend)
{
	return b->connections[backend].chaind;
}

void backends_on_chaind(struct backends *b, void (*fn)(void *arg, bool up), void *arg)
{
	b->on_chaind = fn;
	b->on_chaind_arg = arg;
}

void *call_wait(struct rpc_call *call, enum backend backend)
{
	struct backends *b = call_rpcd(call)->backends;
	struct rpc_wait *w = rc_alloc(sizeof(*w));

	w->call = call;
	w->backends = b;
	w->backend = backend;
	call->wait = w;
	if (!b->connections[backend].up)
		rc_metric_add(b->rpcd->metrics, M_HELD, 1);
	return w;
}

static void hang_up(struct rpc_call *call)
{
	struct rpc_wait *w = call->wait;
	struct backends *b = w->backends;

	rc_chaind_cancel(backend_chaind(b, w->backend), w->bus);
	free(w);
	call->wait = NULL;
	rpc_call_fail(call, RPC_MISC, "the client hung up");
}

void call_waits_for_event(struct rpc_call *call, uint64_t bus)
{
	if (!bus)
		return; /* the connection closes, and the call is told */
	assert(call->wait && backend_daemon(call->wait->backend) == RC_CHAIND);
	call->wait->bus = bus;
	call->hang_up = hang_up;
}

/* The daemon, or one that it needs itself, says: not now. Begin again while there is time. */
static bool try_again(struct backends *b, struct rpc_call *call)
{
	int64_t now = rc_loop_now_us(b->rpcd->loop);

	if (!call->held_us)
		call->held_us = now;
	if (b->closing || now - call->held_us >= (int64_t)b->hold_ms * 1000)
		return false;
	rc_metric_add(b->rpcd->metrics, M_HELD, 1);
	LL_PREPEND2(b->retries, call, next_retry);
	arm_sweep(b);
	return true;
}

static void fail_overloaded(struct rpc_call *call, enum backend backend, const struct rc_reply *why)
{
	const char *name = rc_daemon_name(backend_daemon(backend));
	uint32_t retry_ms = why->retry_ms ? why->retry_ms : 1000;
	bool maybe = maybe_done(call, why);

	rpc_call_fail_retry(call, RPC_OVERLOADED, retry_ms, retry_data(call, name, retry_ms, maybe),
			    "%s is overloaded; %s", name, advice(call, maybe));
}

void call_fail_reply(struct rpc_call *call, const struct rc_reply *why)
{
	const char *text = why->text && *why->text ? why->text : rc_err_text(why->err);
	enum rpc_code code = RPC_MISC;

	if (why->err == RC_ENOENT)
		code = RPC_NOT_FOUND;
	else if (why->err == RC_EINVAL || why->err == RC_ERANGE || why->err == RC_EEXIST)
		code = RPC_BAD_PARAMETER;
	else if (why->err == RC_EFORMAT)
		code = RPC_DESERIALIZATION;
	else if (why->err == RC_EDENIED)
		code = RPC_NOT_PERMITTED;
	rpc_call_fail(call, code, "%s", text);
}

/* Takes the call out of its wait; NULL when it is dealt with here. */
static struct rpc_call *take(void *wait, const struct rc_reply *why)
{
	struct rpc_wait *w = wait;
	struct backends *b = w->backends;
	struct rpc_call *call = w->call;
	enum backend backend = w->backend;

	call->wait = NULL;
	call->hang_up = NULL;
	free(w);
	/* A daemon that stops may have done it yet; one that is busy has refused it. */
	call->again |= why->again || (why->err == RC_EUNAVAILABLE && why->sent);
	switch (why->err) {
	case RC_EUNAVAILABLE:
		if (!why->held && try_again(b, call))
			return NULL;
		rc_metric_add(b->rpcd->metrics, M_HELD_TOO_LONG, 1);
		if (why->held)
			fail_away(call, backend, why, "is away; the request was held and given up");
		else
			fail_away(call, backend, why,
				  why->text && *why->text ? why->text : "isn't available");
		return NULL;
	case RC_EBUSY:
		if (!try_again(b, call))
			fail_overloaded(call, backend, why);
		return NULL;
	case RC_EDEADLINE:
		fail_away(call, backend, why, "did not answer in time");
		return NULL;
	case RC_ECANCELLED:
		fail_away(call, backend, why, "can't be asked: rpcd is stopping");
		return NULL;
	}
	call->held_us = 0;
	call->changed |= !why->err && kinds[backend].role != RC_ROLE_READ;
	return call;
}

struct rpc_call *call_resume(void *wait, const struct rc_reply *why)
{
	struct rpc_call *call = take(wait, why);

	if (!call || !why->err)
		return call;
	call_fail_reply(call, why);
	return NULL;
}

struct rpc_call *call_resume_any(void *wait, const struct rc_reply *why)
{
	struct rpc_call *call = take(wait, why);

	if (!call || !why->err || why->err == RC_ENOENT || why->err == RC_EEXIST ||
	    why->err == RC_EINVAL)
		return call;
	call_fail_reply(call, why);
	return NULL;
}

/* While the daemon is away the bus holds the request, for hold_ms, so it has that much longer. */
uint32_t call_deadline(const struct rpc_call *call)
{
	return call->method->timeout_ms + call_rpcd(call)->backends->hold_ms;
}

struct rc_chaind *call_chaind(const struct rpc_call *call)
{
	return backend_chaind(call_rpcd(call)->backends, BACKEND_CHAIND_READ);
}

struct rc_chaind *call_chaind_submit(const struct rpc_call *call)
{
	return backend_chaind(call_rpcd(call)->backends, BACKEND_CHAIND_SUBMIT);
}

struct rc_chaind *call_chaind_admin(const struct rpc_call *call)
{
	return backend_chaind(call_rpcd(call)->backends, BACKEND_CHAIND_ADMIN);
}

struct rc_client *call_utxod(const struct rpc_call *call)
{
	return backend_client(call_rpcd(call)->backends, BACKEND_UTXOD_READ);
}

struct rc_client *call_peerd(const struct rpc_call *call)
{
	return backend_client(call_rpcd(call)->backends, BACKEND_PEERD_READ);
}

struct rc_client *call_peerd_admin(const struct rpc_call *call)
{
	return backend_client(call_rpcd(call)->backends, BACKEND_PEERD_ADMIN);
}
