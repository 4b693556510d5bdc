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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip_ipc),
		cmocka_unit_test(test_round_trip_inproc),
	};

	rc_log_init("test_bus", RC_LOG_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
