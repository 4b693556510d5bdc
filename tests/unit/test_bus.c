/* The bus within one process: what each promise of client.h and server.h means. */
#include "tests/unit/bus_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zmq.h>

#include "base/log.h"
#include "base/num.h"
#include "bus/frames.h"
#include "bus/topology.h"
#include "proto/common.pb-c.h"
#include "proto/utxod.pb-c.h"
#include "tests/unit/rc_test.h"

/* What the small server does with its requests. */
struct server {
	struct rc_request *held[64];
	size_t n_held;
	size_t handled;
	size_t cancelled;
	bool hold;
};

struct answers {
	size_t n;
	int last_err;
	uint64_t sum;
	char text[512];
	uint32_t retry_ms;
	size_t again; /* answers to what was asked more than once */
	size_t sent;  /* and at all */
	size_t bulk_len;
};

static void on_root(void *ctx, struct rc_request *request)
{
	struct server *server = ctx;
	const Rc__RootRequest *body = rc_request_body(request);
	Rc__RootReply reply = RC__ROOT_REPLY__INIT;
	Rc__BlockRef at = RC__BLOCK_REF__INIT;

	server->handled++;
	if (server->hold) {
		server->held[server->n_held++] = request;
		return;
	}
	at.height = body->height;
	reply.at = &at;
	rc_request_reply(request, &reply);
}

static void on_cancelled(void *arg, struct rc_request *request)
{
	struct server *server = arg;

	server->cancelled++;
	rc_request_fail(request, RC_ECANCELLED, "given up");
}

static void on_tip(void *ctx, struct rc_request *request)
{
	struct server *server = ctx;

	server->handled++;
	rc_request_on_cancel(request, on_cancelled, server);
}

static void free_data(void *data, void *hint)
{
	(void)hint;
	free(data);
}

/* Gives the bulk back, without a copy. */
static void on_get_coins(void *ctx, struct rc_request *request)
{
	struct server *server = ctx;
	struct rc_bytes in = rc_request_bulk(request, 0);

	server->handled++;
	assert_int_equal(rc_request_n_bulk(request), 1);
	rc_request_reply_owned(request, NULL, rc_memdup(in.data, in.len), in.len, free_data, NULL);
}

static void on_commit(void *ctx, struct rc_request *request)
{
	(void)ctx;
	rc_request_fail(request, RC_EINVAL, "%s", "no such block is staged");
}

static const struct rc_handler handlers[] = {
	{RC_MSG_ROOT, on_root},
	{RC_MSG_TIP, on_tip},
	{RC_MSG_GET_COINS, on_get_coins},
	{RC_MSG_COMMIT, on_commit},
	{0, NULL},
};

static void on_answer(void *arg, const struct rc_reply *reply)
{
	struct answers *answers = arg;

	answers->n++;
	answers->last_err = reply->err;
	answers->retry_ms = reply->retry_ms;
	answers->again += reply->again;
	snprintf(answers->text, sizeof(answers->text), "%s", reply->text ? reply->text : "");
	answers->bulk_len = reply->n_bulk ? reply->bulk[0].len : 0;
}

static void on_root_answer(void *arg, const struct rc_reply *reply)
{
	struct answers *answers = arg;
	const Rc__RootReply *body = reply->body;

	on_answer(arg, reply);
	if (body)
		answers->sum += body->at->height;
}

static uint64_t ask_root(struct rc_client *client, uint32_t height, uint32_t deadline_ms,
			 struct answers *answers)
{
	Rc__RootRequest request = RC__ROOT_REQUEST__INIT;

	request.height = height;
	return rc_client_call(client, RC_MSG_ROOT, &request, NULL, 0, deadline_ms, on_root_answer,
			      answers);
}

static void check_round_trip(bool inproc)
{
	struct bus_rig rig;
	struct server server = {0};
	struct answers answers = {0};
	struct rc_client *client;
	uint8_t *big = rc_alloc(10u << 20);
	struct rc_bytes bulk = {big, 10u << 20};

	bus_rig_init(&rig, inproc);
	client = bus_rig_client(&rig, RC_CHAIND, RC_ROLE_READ); /* before there is a server */
	ask_root(client, 7, 5000, &answers);
	assert_int_equal(answers.n, 0);
	bus_rig_serve(&rig, handlers, &server);
	bus_rig_until(&rig, &answers.n, 1);
	assert_int_equal(answers.last_err, 0);
	assert_int_equal(answers.sum, 7);

	rc_client_call(client, RC_MSG_GET_COINS, NULL, &bulk, 1, 5000, on_answer, &answers);
	assert_int_equal(rc_client_outstanding(client), 1);
	assert_int_equal(rc_client_outstanding_bytes(client), 10u << 20);
	bus_rig_until(&rig, &answers.n, 2);
	assert_int_equal(answers.last_err, 0);
	assert_int_equal(answers.bulk_len, 10u << 20);
	assert_int_equal(rc_client_outstanding_bytes(client), 0);
	for (int i = 0; i < 500; i++)
		ask_root(client, 1, 5000, &answers);
	bus_rig_until(&rig, &answers.n, 502);
	assert_int_equal(answers.sum, 507);
	assert_int_equal(answers.again, 0);
	assert_int_equal(rc_server_pending(rig.server), 0);
	rc_client_close(client);
	bus_rig_done(&rig);
	free(big);
}

static void test_round_trip_ipc(void **state)
{
	(void)state;
	check_round_trip(false);
}

static void test_round_trip_inproc(void **state)
{
	(void)state;
	check_round_trip(true);
}

/* ---- no, not yet, not any more ---- */

static void test_failures(void **state)
{
	struct bus_rig rig;
	struct server server = {0};
	struct answers answers = {0};
	struct rc_client *read, *write;
	uint64_t id;

	(void)state;
	bus_rig_init(&rig, false);
	read = bus_rig_client(&rig, RC_CHAIND, RC_ROLE_READ);
	ask_root(read, 1, 50, &answers);
	bus_rig_until(&rig, &answers.n, 1);
	assert_int_equal(answers.last_err, RC_EUNAVAILABLE);
	assert_non_null(strstr(answers.text, "is it running?"));

	bus_rig_serve(&rig, handlers, &server);
	bus_rig_wait_up(&rig, read);
	rc_client_call(read, RC_MSG_TIP, NULL, NULL, 0, 50, on_answer, &answers);
	bus_rig_until(&rig, &answers.n, 2);
	assert_int_equal(answers.last_err, RC_EDEADLINE);
	bus_rig_until(&rig, &server.cancelled, 1);
	assert_int_equal(rc_server_pending(rig.server), 0);

	id = rc_client_call(read, RC_MSG_TIP, NULL, NULL, 0, 5000, on_answer, &answers);
	bus_rig_until(&rig, &server.handled, 2);
	rc_client_cancel(read, id);
	bus_rig_until(&rig, &server.cancelled, 2);
	assert_int_equal(answers.n, 2);
	assert_int_equal(rc_client_outstanding(read), 0);

	write = bus_rig_client(&rig, RC_CHAIND, RC_ROLE_WRITE);
	rc_client_call(write, RC_MSG_COMMIT, NULL, NULL, 0, 5000, on_answer, &answers);
	bus_rig_until(&rig, &answers.n, 3);
	assert_int_equal(answers.last_err, RC_EINVAL);
	assert_string_equal(answers.text, "no such block is staged");
	/* A message that this server has no handler for; one its greater role includes. */
	rc_client_call(write, RC_MSG_STAGE, NULL, NULL, 0, 5000, on_answer, &answers);
	bus_rig_until(&rig, &answers.n, 4);
	assert_int_equal(answers.last_err, RC_EINVAL);
	assert_non_null(strstr(answers.text, "unknown-kind"));
	ask_root(write, 1, 5000, &answers);
	bus_rig_until(&rig, &answers.n, 5);
	assert_int_equal(answers.last_err, RC_OK);

	/* Closing answers what is outstanding. */
	rc_client_call(read, RC_MSG_TIP, NULL, NULL, 0, 5000, on_answer, &answers);
	rc_client_close(read);
	assert_int_equal(answers.n, 6);
	assert_int_equal(answers.last_err, RC_ECANCELLED);
	rc_client_close(write);
	bus_rig_done(&rig);
}

static void test_credit(void **state)
{
	struct bus_rig rig;
	struct server server = {.hold = true};
	struct answers answers = {0};
	struct rc_client *client;
	uint32_t most = rc_edge_find(RC_TOOL, RC_UTXOD, RC_ROLE_READ)->messages;

	(void)state;
	assert_int_equal(most, RC_ARRAY_LEN(server.held));
	bus_rig_init(&rig, false);
	bus_rig_serve(&rig, handlers, &server);
	client = bus_rig_client(&rig, RC_TOOL, RC_ROLE_READ);
	for (uint32_t i = 0; i < most; i++)
		ask_root(client, 1, 20000, &answers);
	ask_root(client, 1, 20000, &answers);
	assert_int_equal(answers.n, 0); /* never from inside the call */
	bus_rig_until(&rig, &answers.n, 1);
	assert_int_equal(answers.last_err, RC_EBUSY);
	assert_true(answers.retry_ms > 0);
	bus_rig_until(&rig, &server.handled, most);
	/* Asked again after a second, they aren't done twice. */
	bus_rig_for_ms(&rig, 2200);
	assert_int_equal(server.handled, most);
	assert_int_equal(rc_server_pending(rig.server), most);
	for (uint32_t i = 0; i < most; i++)
		rc_request_busy(server.held[i], 123);
	bus_rig_until(&rig, &answers.n, 1 + most);
	assert_int_equal(answers.last_err, RC_EBUSY);
	assert_int_equal(answers.retry_ms, 123);
	rc_client_close(client);
	bus_rig_done(&rig);
}

/* ---- restarts ---- */

struct states {
	size_t ups, downs, changes;
};

static void on_state(void *arg, bool up, uint64_t boot, bool changed)
{
	struct states *states = arg;

	assert_true(boot != 0);
	states->ups += up;
	states->downs += !up;
	states->changes += changed;
}

static void check_restart(bool inproc)
{
	struct bus_rig rig;
	struct server server = {.hold = true};
	struct answers answers = {0};
	struct states states = {0};
	struct rc_client_config config;
	struct rc_client *client;
	struct rc_error error;

	bus_rig_init(&rig, inproc);
	config = bus_rig_config(&rig, RC_CHAIND, RC_ROLE_READ);
	config.on_state = on_state;
	config.arg = &states;
	assert_int_equal(rc_client_open(rig.loop, &config, &client, &error), RC_OK);
	bus_rig_serve(&rig, handlers, &server);
	bus_rig_until(&rig, &states.ups, 1);
	for (uint32_t i = 1; i <= 10; i++)
		ask_root(client, i, 20000, &answers);
	bus_rig_until(&rig, &server.handled, 10);
	rc_server_close(rig.server);
	rig.server = NULL;
	bus_rig_until(&rig, &states.downs, 1);
	assert_false(rc_client_up(client));
	server.hold = false;
	bus_rig_serve(&rig, handlers, &server);
	bus_rig_until(&rig, &answers.n, 10);
	assert_int_equal(answers.last_err, RC_OK);
	assert_int_equal(answers.sum, 55);
	assert_int_equal(answers.again, 10);
	assert_int_equal(states.ups, 2);
	assert_int_equal(states.changes, 2);
	rc_client_close(client);
	bus_rig_done(&rig);
}

static void test_restart_ipc(void **state)
{
	(void)state;
	check_restart(false);
}

static void test_restart_inproc(void **state)
{
	(void)state;
	check_restart(true);
}

static void on_held(void *arg, const struct rc_reply *reply)
{
	struct answers *answers = arg;

	assert_int_equal(reply->err, RC_EUNAVAILABLE);
	assert_true(reply->held);
	answers->n++;
	answers->sent += reply->sent;
}

/* What was held for hold_ms is given up before its deadline, says whether it went out, and is not
 * done when a server comes. */
static void check_held(bool inproc)
{
	struct bus_rig rig;
	struct server server = {.hold = true};
	struct answers held = {0}, asked = {0};
	struct states states = {0};
	struct rc_client_config config;
	struct rc_client *client;
	struct rc_error error;

	bus_rig_init(&rig, inproc);
	config = bus_rig_config(&rig, RC_CHAIND, RC_ROLE_READ);
	config.on_state = on_state;
	config.arg = &states;
	config.hold_ms = 50;
	assert_int_equal(rc_client_open(rig.loop, &config, &client, &error), RC_OK);
	rc_client_call(client, RC_MSG_ROOT, NULL, NULL, 0, 600000, on_held, &held);
	bus_rig_until(&rig, &held.n, 1);
	assert_int_equal(held.sent, 0);
	bus_rig_serve(&rig, handlers, &server);
	bus_rig_until(&rig, &states.ups, 1);
	/* While a server is there it may take its time. */
	rc_client_call(client, RC_MSG_ROOT, NULL, NULL, 0, 600000, on_held, &held);
	bus_rig_until(&rig, &server.handled, 1);
	bus_rig_for_ms(&rig, 120);
	assert_int_equal(held.n, 1);
	rc_server_close(rig.server);
	rig.server = NULL;
	bus_rig_until(&rig, &held.n, 2);
	assert_int_equal(held.sent, 1);
	server = (struct server){0};
	bus_rig_serve(&rig, handlers, &server);
	bus_rig_until(&rig, &states.ups, 2);
	ask_root(client, 7, 20000, &asked);
	bus_rig_until(&rig, &asked.n, 1);
	assert_int_equal(asked.last_err, RC_OK);
	assert_int_equal(server.handled, 1);
	rc_client_close(client);
	bus_rig_done(&rig);
}

static void test_held_ipc(void **state)
{
	(void)state;
	check_held(false);
}

static void test_held_inproc(void **state)
{
	(void)state;
	check_held(true);
}

static void close_client(void *arg, const struct rc_reply *reply)
{
	struct rc_client **client = arg;

	(void)reply;
	rc_client_close(*client);
	*client = NULL;
}

static bool is_null(struct rc_client *const *client)
{
	return !*client;
}

static void test_closed_by_its_answer(void **state)
{
	struct bus_rig rig;
	struct server server = {0};
	struct answers answers = {0};
	struct rc_client *client;

	(void)state;
	bus_rig_init(&rig, false);
	bus_rig_serve(&rig, handlers, &server);
	client = bus_rig_client(&rig, RC_CHAIND, RC_ROLE_READ);
	rc_client_call(client, RC_MSG_PING, NULL, NULL, 0, 5000, close_client, &client);
	ask_root(client, 1, 5000, &answers);
	while (!is_null(&client))
		rc_loop_turn(rig.loop, 100000);
	assert_int_equal(answers.n, 1);
	assert_int_equal(answers.last_err, RC_ECANCELLED);
	bus_rig_done(&rig);
}

static void test_waiting(void **state)
{
	struct bus_rig rig;
	struct server server = {0};
	Rc__RootRequest request = RC__ROOT_REQUEST__INIT;
	const struct rc_reply *reply;
	struct rc_client *client;
	uint8_t data[5000];
	struct rc_bytes bulk = {data, sizeof(data)};

	(void)state;
	memset(data, 7, sizeof(data));
	bus_rig_init(&rig, false);
	bus_rig_serve(&rig, handlers, &server);
	client = bus_rig_client(&rig, RC_TOOL, RC_ROLE_READ);
	request.height = 42;
	reply = rc_client_wait(client, RC_MSG_ROOT, &request, NULL, 0, 5000);
	assert_int_equal(reply->err, RC_OK);
	assert_int_equal(((const Rc__RootReply *)reply->body)->at->height, 42);
	reply = rc_client_wait(client, RC_MSG_GET_COINS, NULL, &bulk, 1, 5000);
	assert_int_equal(reply->n_bulk, 1);
	assert_memory_equal(reply->bulk[0].data, data, sizeof(data));
	rc_client_close(client);
	bus_rig_done(&rig);
}

/* ---- strangers: a bare socket that says what it likes ---- */

struct stranger {
	void *context;
	void *socket;
};

static void stranger_init(struct stranger *stranger, struct bus_rig *rig, const char *role)
{
	char endpoint[128];
	int linger = 0, patience = 5000, mark = 2;

	snprintf(endpoint, sizeof(endpoint), "ipc://%s/utxod/%s", rig->rundir, role);
	stranger->context = zmq_ctx_new();
	stranger->socket = zmq_socket(stranger->context, ZMQ_DEALER);
	zmq_setsockopt(stranger->socket, ZMQ_LINGER, &linger, sizeof(linger));
	zmq_setsockopt(stranger->socket, ZMQ_RCVTIMEO, &patience, sizeof(patience));
	zmq_setsockopt(stranger->socket, ZMQ_RCVHWM, &mark, sizeof(mark));
	assert_int_equal(zmq_connect(stranger->socket, endpoint), 0);
}

static void stranger_done(struct stranger *stranger)
{
	zmq_close(stranger->socket);
	zmq_ctx_term(stranger->context);
}

static void stranger_say(struct stranger *stranger, struct rc_envelope envelope,
			 const ProtobufCMessage *body)
{
	struct rc_frames frames = {0};

	rc_frames_put_envelope(&frames, &envelope);
	if (body)
		rc_frames_put_packed(&frames, NULL, body);
	for (unsigned i = 0; i < frames.n; i++)
		assert_true(zmq_msg_send(rc_frames_msg(&frames, i), stranger->socket,
					 i + 1 < frames.n ? ZMQ_SNDMORE : 0) >= 0);
	rc_frames_done(&frames);
}

static void stranger_greet(struct stranger *stranger, uint8_t network, uint32_t daemon)
{
	Rc__Hello hello = RC__HELLO__INIT;
	uint8_t id[32] = {network, 2, 3};

	hello.network_id.data = id;
	hello.network_id.len = sizeof(id);
	hello.daemon = daemon;
	hello.boot = 99;
	stranger_say(stranger, (struct rc_envelope){.kind = RC__ENVELOPE__KIND__HELLO, .boot = 99},
		     &hello.base);
}

/* Turns the server's loop until something is there; its kind and error. */
static int hear_any(struct stranger *stranger, struct bus_rig *rig, int *ret_kind)
{
	struct rc_envelope envelope = {0};
	struct rc_bump bump = {0};
	int more = 1, error;
	bool first = true;

	for (int i = 0; i < 200; i++) {
		zmq_pollitem_t item = {stranger->socket, 0, ZMQ_POLLIN, 0};

		rc_loop_turn(rig->loop, 10000);
		if (zmq_poll(&item, 1, 1) > 0)
			break;
	}
	while (more) {
		zmq_msg_t msg;

		zmq_msg_init(&msg);
		assert_true(zmq_msg_recv(&msg, stranger->socket, 0) >= 0);
		more = zmq_msg_more(&msg);
		if (first)
			assert_true(rc_envelope_decode(
				(struct rc_bytes){zmq_msg_data(&msg), zmq_msg_size(&msg)}, &bump,
				&envelope));
		first = false;
		zmq_msg_close(&msg);
	}
	*ret_kind = envelope.kind;
	error = envelope.error;
	rc_bump_done(&bump);
	return error;
}

/* The next that isn't the server's asking who is still there. */
static int stranger_hear(struct stranger *stranger, struct bus_rig *rig, int *ret_kind)
{
	int error;

	do
		error = hear_any(stranger, rig, ret_kind);
	while (*ret_kind == RC__ENVELOPE__KIND__NONE);
	return error;
}

static void test_strangers(void **state)
{
	struct rc_envelope request = {.kind = RC__ENVELOPE__KIND__REQUEST, .id = 5};
	struct server server = {.hold = true};
	struct rc_server_stats stats;
	struct stranger s;
	struct bus_rig rig;
	int kind;

	(void)state;
	bus_rig_init(&rig, false);
	bus_rig_serve(&rig, handlers, &server);
	stranger_init(&s, &rig, "read");
	request.message = RC_MSG_ROOT;
	stranger_say(&s, request, NULL);
	assert_int_equal(stranger_hear(&s, &rig, &kind), RC_EDENIED); /* without a greeting */
	stranger_greet(&s, 9, RC_CHAIND);
	assert_int_equal(stranger_hear(&s, &rig, &kind), RC_ENETWORK);
	assert_int_equal(kind, RC__ENVELOPE__KIND__WELCOME);
	stranger_greet(&s, 1, RC_PEERD);
	assert_int_equal(stranger_hear(&s, &rig, &kind), RC_EDENIED); /* no such edge */
	stranger_greet(&s, 1, 1000);
	assert_int_equal(stranger_hear(&s, &rig, &kind), RC_EDENIED);
	stranger_greet(&s, 1, RC_CHAIND);
	assert_int_equal(stranger_hear(&s, &rig, &kind), RC_OK);

	request.message = RC_MSG_COMMIT; /* on the socket of readers */
	stranger_say(&s, request, NULL);
	assert_int_equal(stranger_hear(&s, &rig, &kind), RC_EDENIED);
	request.message = 9999;
	stranger_say(&s, request, NULL);
	assert_int_equal(stranger_hear(&s, &rig, &kind), RC_EINVAL);
	request.message = RC_MSG_CHAIN_INFO; /* chaind's */
	stranger_say(&s, request, NULL);
	assert_int_equal(stranger_hear(&s, &rig, &kind), RC_EINVAL);
	assert_int_equal(server.handled, 0);

	/* The same request twice: one handler's call, one answer. */
	request.message = RC_MSG_ROOT;
	stranger_say(&s, request, NULL);
	stranger_say(&s, request, NULL);
	bus_rig_for_ms(&rig, 200);
	assert_int_equal(server.handled, 1);
	rc_server_stats(rig.server, &stats);
	assert_int_equal(stats.repeated, 1);
	rc_request_reply(server.held[0], NULL);
	assert_int_equal(stranger_hear(&s, &rig, &kind), RC_OK);

	/* Garbage of all kinds is counted, and nothing comes of it. */
	for (int i = 0; i < 100; i++) {
		char junk[64];

		memset(junk, i * 37, sizeof(junk));
		zmq_send(s.socket, junk, (size_t)(i % 64), i % 3 ? 0 : ZMQ_SNDMORE);
	}
	zmq_send(s.socket, "", 0, 0);
	bus_rig_for_ms(&rig, 200);
	rc_server_stats(rig.server, &stats);
	assert_true(stats.bad >= 30);
	assert_int_equal(server.handled, 1);
	stranger_say(&s, request, NULL);
	bus_rig_for_ms(&rig, 200);
	assert_int_equal(server.handled, 2);

	/* Gone without a word: what it asked is cancelled. */
	rc_request_on_cancel(server.held[1], on_cancelled, &server);
	stranger_done(&s);
	bus_rig_until(&rig, &server.cancelled, 1);
	assert_int_equal(rc_server_pending(rig.server), 0);
	rc_server_stats(rig.server, &stats);
	assert_int_equal(stats.sessions, 0);
	bus_rig_done(&rig);
}

/* A connection is lost, not its client: what is in hand goes to the new connection, however long it
 * takes; what nobody comes back for is cancelled. */
static void test_lost_connection(void **state)
{
	struct rc_envelope request = {
		.kind = RC__ENVELOPE__KIND__REQUEST, .message = RC_MSG_ROOT, .id = 5};
	struct server server = {.hold = true};
	struct stranger first, second;
	struct bus_rig rig;
	int kind;

	(void)state;
	bus_rig_init(&rig, false);
	bus_rig_serve(&rig, handlers, &server);
	stranger_init(&first, &rig, "read");
	stranger_greet(&first, 1, RC_CHAIND);
	assert_int_equal(stranger_hear(&first, &rig, &kind), RC_OK);
	stranger_say(&first, request, NULL);
	request.id = 6;
	stranger_say(&first, request, NULL);
	bus_rig_until(&rig, &server.handled, 2);
	rc_request_on_cancel(server.held[0], on_cancelled, &server);
	rc_request_on_cancel(server.held[1], on_cancelled, &server);
	stranger_done(&first);
	bus_rig_for_ms(&rig, 200);
	assert_int_equal(server.cancelled, 0);
	stranger_init(&second, &rig, "read");
	stranger_greet(&second, 1, RC_CHAIND);
	assert_int_equal(stranger_hear(&second, &rig, &kind), RC_OK);
	stranger_say(&second, request, NULL);
	bus_rig_until(&rig, &server.cancelled, 1); /* the first, after its two seconds */
	bus_rig_for_ms(&rig, 1000);
	assert_int_equal(server.cancelled, 1);
	assert_int_equal(server.handled, 2);
	rc_request_reply(server.held[1], NULL);
	assert_int_equal(stranger_hear(&second, &rig, &kind), RC_OK);
	assert_int_equal(kind, RC__ENVELOPE__KIND__REPLY);
	stranger_done(&second);
	bus_rig_done(&rig);
}

/* A client that asks and never takes its answers costs no more than its edge's bytes. */
static void test_slow_client(void **state)
{
	struct rc_envelope envelope = {.kind = RC__ENVELOPE__KIND__REQUEST,
				       .message = RC_MSG_GET_COINS};
	const uint32_t most = rc_edge_find(RC_CHAIND, RC_UTXOD, RC_ROLE_READ)->bytes;
	struct server server = {0};
	struct answers answers = {0};
	struct rc_server_stats stats;
	struct rc_client *client;
	struct stranger s;
	struct bus_rig rig;
	uint8_t *big = rc_alloc(4u << 20);

	(void)state;
	bus_rig_init(&rig, false);
	bus_rig_serve(&rig, handlers, &server);
	stranger_init(&s, &rig, "read");
	stranger_greet(&s, 1, RC_CHAIND);
	for (uint64_t i = 0; i < 120; i++) { /* 480 MiB of answers */
		struct rc_frames frames = {0};

		envelope.id = 1000 + i;
		rc_frames_put_envelope(&frames, &envelope);
		rc_frames_put(&frames, NULL, "", 0);
		rc_frames_put(&frames, NULL, big, 4u << 20);
		for (unsigned f = 0; f < frames.n; f++) {
			while (zmq_msg_send(rc_frames_msg(&frames, f), s.socket,
					    ZMQ_DONTWAIT | (f + 1 < frames.n ? ZMQ_SNDMORE : 0)) <
			       0)
				rc_loop_turn(rig.loop, 1000);
		}
		rc_frames_done(&frames);
		rc_loop_turn(rig.loop, 0);
		rc_server_stats(rig.server, &stats);
		assert_true(stats.outgoing_bytes <= most);
	}
	bus_rig_for_ms(&rig, 300);
	rc_server_stats(rig.server, &stats);
	assert_true(stats.outgoing_bytes <= most);
	assert_true(stats.busy > 0);
	/* Others don't notice. */
	client = bus_rig_client(&rig, RC_CHAIND, RC_ROLE_READ);
	for (int i = 0; i < 100; i++)
		ask_root(client, 1, 5000, &answers);
	bus_rig_until(&rig, &answers.n, 100);
	assert_int_equal(answers.sum, 100);
	stranger_done(&s);
	bus_rig_for_ms(&rig, 300);
	rc_server_stats(rig.server, &stats);
	assert_int_equal(stats.outgoing_bytes, 0);
	rc_client_close(client);
	bus_rig_done(&rig);
	free(big);
}

static void test_refused(void **state)
{
	struct bus_rig rig;
	struct server server = {0};
	struct answers answers = {0};
	struct rc_client_config config;
	struct rc_client *client;
	struct rc_error error;

	(void)state;
	bus_rig_init(&rig, false);
	bus_rig_serve(&rig, handlers, &server);
	config = bus_rig_config(&rig, RC_CHAIND, RC_ROLE_READ);
	config.network_id[0] = 77;
	assert_int_equal(rc_client_open(rig.loop, &config, &client, &error), RC_OK);
	ask_root(client, 1, 15000, &answers);
	bus_rig_until(&rig, &answers.n, 1);
	assert_int_equal(answers.last_err, RC_ENETWORK);
	assert_non_null(strstr(answers.text, "belongs to another network"));
	ask_root(client, 1, 15000, &answers);
	bus_rig_until(&rig, &answers.n, 2);
	assert_int_equal(answers.last_err, RC_ENETWORK);
	rc_client_close(client);
	bus_rig_done(&rig);
}

/* ---- events ---- */

struct listener {
	size_t n, missed;
	uint64_t last, sum;
};

static void on_event(void *arg, const char *topic, struct rc_bytes body, uint64_t boot,
		     uint64_t sequence)
{
	struct listener *listener = arg;
	Rc__BlockRef *ref = rc__block_ref__unpack(NULL, body.len, body.data);

	assert_string_equal(topic, "tip");
	assert_true(boot != 0);
	if (listener->last)
		assert_int_equal(sequence, listener->last + 1);
	listener->last = sequence;
	listener->sum += ref->height;
	listener->n++;
	rc__block_ref__free_unpacked(ref, NULL);
}

static void on_missed(void *arg)
{
	struct listener *listener = arg;

	listener->missed++;
	listener->last = 0;
}

static void publish(struct bus_rig *rig, uint32_t height)
{
	Rc__BlockRef ref = RC__BLOCK_REF__INIT;

	ref.height = height;
	rc_server_publish(rig->server, "tip", &ref);
}

static void check_events(bool inproc)
{
	struct bus_rig rig;
	struct server server = {0};
	struct listener listener = {0};
	struct rc_client_config config;
	struct rc_subscriber *subscriber;
	struct rc_client *client;
	struct rc_error error;

	bus_rig_init(&rig, inproc);
	bus_rig_serve(&rig, handlers, &server);
	publish(&rig, 1000); /* before anybody listens: not ours */
	client = bus_rig_client(&rig, RC_CHAIND, RC_ROLE_READ);
	config = bus_rig_config(&rig, RC_CHAIND, RC_ROLE_READ);
	assert_int_equal(rc_subscriber_open(rig.loop, &config, client, on_event, on_missed,
					    &listener, &subscriber, &error),
			 RC_OK);
	bus_rig_until(&rig, &listener.missed, 1);
	for (uint32_t i = 1; i <= 100; i++)
		publish(&rig, i);
	bus_rig_until(&rig, &listener.n, 100);
	assert_int_equal(listener.sum, 5050);
	assert_int_equal(listener.missed, 1);

	/* More at once than libzmq keeps for one: the rest comes by replay, in order. */
	for (uint32_t i = 1; i <= 4000; i++)
		publish(&rig, 1);
	bus_rig_until(&rig, &listener.n, 4100);
	assert_int_equal(listener.sum, 9050);
	assert_int_equal(listener.missed, 1);

	/* A new publisher. */
	rc_server_close(rig.server);
	bus_rig_serve(&rig, handlers, &server);
	bus_rig_until(&rig, &listener.missed, 2);
	publish(&rig, 5);
	bus_rig_until(&rig, &listener.n, 4101);
	rc_subscriber_close(subscriber);
	rc_client_close(client);
	bus_rig_done(&rig);
}

static void test_events_ipc(void **state)
{
	(void)state;
	check_events(false);
}

static void test_events_inproc(void **state)
{
	(void)state;
	check_events(true);
}

/* ---- tables and places ---- */

static void test_tables(void **state)
{
	size_t n;
	const struct rc_message_info *m = rc_messages(&n);
	const struct rc_edge *e;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_true(i == 0 || m[i].message > m[i - 1].message);
		assert_ptr_equal(rc_message_find(m[i].message), &m[i]);
		assert_non_null(m[i].request);
	}
	assert_null(rc_message_find(0));
	assert_null(rc_message_find(UINT32_MAX));
	e = rc_edges(&n);
	for (size_t i = 0; i < n; i++) {
		assert_true(e[i].from > e[i].to); /* downhill */
		assert_ptr_equal(rc_edge_find(e[i].from, e[i].to, e[i].role), &e[i]);
	}
	assert_null(rc_edge_find(RC_PEERD, RC_UTXOD, RC_ROLE_READ));
	assert_true(rc_role_includes(RC_ROLE_ADMIN, RC_ROLE_SUBMIT));
	assert_true(rc_role_includes(RC_ROLE_WRITE, RC_ROLE_READ));
	assert_false(rc_role_includes(RC_ROLE_ADMIN, RC_ROLE_WRITE));
	assert_false(rc_role_includes(RC_ROLE_READ, RC_ROLE_SUBMIT));
}

static void test_places(void **state)
{
	struct rc_server_config config = {.daemon = RC_UTXOD, .roles = "read"};
	static const struct rc_handler none[] = {{0, NULL}};
	struct server server = {0};
	struct rc_server *second;
	struct rc_error error;
	struct bus_rig rig;
	char path[256];
	struct stat st;

	(void)state;
	bus_rig_init(&rig, false);
	bus_rig_serve(&rig, handlers, &server);
	snprintf(path, sizeof(path), "%s/utxod/write", rig.rundir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	snprintf(path, sizeof(path), "%s/utxod", rig.rundir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0711);
	config.rundir = rig.rundir;
	config.handlers = none;
	assert_int_equal(rc_server_open(rig.loop, &config, &second, &error), RC_ELOCKED);
	assert_non_null(strstr(error.text, "in use by process"));
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[107 - strlen("/utxod/read")] = 0;
	assert_int_equal(
		rc_endpoint_role(path, RC_UTXOD, RC_ROLE_READ, (char[256]){0}, 256, &error), RC_OK);
	assert_int_equal(rc_endpoint_events(path, RC_UTXOD, (char[256]){0}, 256, &error),
			 RC_ETOOBIG);
	assert_non_null(strstr(error.text, "107"));
	bus_rig_done(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip_ipc),
		cmocka_unit_test(test_round_trip_inproc),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_credit),
		cmocka_unit_test(test_restart_ipc),
		cmocka_unit_test(test_restart_inproc),
		cmocka_unit_test(test_held_ipc),
		cmocka_unit_test(test_held_inproc),
		cmocka_unit_test(test_closed_by_its_answer),
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_lost_connection),
		cmocka_unit_test(test_slow_client),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_events_ipc),
		cmocka_unit_test(test_events_inproc),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_places),
	};

	rc_log_init("test_bus", RC_LOG_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
