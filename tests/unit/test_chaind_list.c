/* The pool's list in parts, while the pool changes and chaind restarts. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bus/server.h"
#include "client/chaind.h"
#include "proto/chaind.pb-c.h"
#include "rc_test.h"

static const struct rc_hash network = {{1, 2, 3}};

/* A chaind whose pool is three parts of two: "ab", "bc", "de"; b has come back in between. */
struct pool {
	struct rc_loop *loop;
	struct rc_server *server;
	unsigned parts;	   /* asked for */
	unsigned restarts; /* to be done after a part that has others behind it */
	struct rc_source *restart;
};

static void on_list(void *ctx, struct rc_request *request)
{
	static const char *const parts[] = {"ab", "bc", "de"};
	const Rc__MempoolListRequest *body = rc_request_body(request);
	Rc__MempoolListReply reply = RC__MEMPOOL_LIST_REPLY__INIT;
	ProtobufCBinaryData fields[2];
	Rc__MempoolEntry entries[2], *each[2] = {&entries[0], &entries[1]};
	struct rc_txid txids[2] = {0};
	struct pool *pool = ctx;
	uint64_t part = body->after;

	assert_true(part < 3);
	if (part) {
		assert_int_equal(body->after_txid.len, 32);
		assert_int_equal(body->after_txid.data[0], parts[part - 1][1]);
	}
	for (size_t i = 0; i < 2; i++) {
		txids[i].b[0] = (uint8_t)parts[part][i];
		fields[i] = (ProtobufCBinaryData){32, txids[i].b};
		entries[i] = (Rc__MempoolEntry)RC__MEMPOOL_ENTRY__INIT;
		entries[i].txid = entries[i].wtxid = fields[i];
	}
	reply.n_txids = 2;
	reply.txids = fields;
	reply.n_entries = body->verbose ? 2 : 0;
	reply.entries = each;
	reply.sequence = 10 + part;
	reply.last = part + 1;
	reply.more = part < 2;
	rc_request_reply(request, &reply);
	pool->parts++;
	if (part == 1 && pool->restarts) {
		pool->restarts--;
		rc_defer_enable(pool->restart, true);
	}
}

static void serve(struct pool *pool)
{
	static const struct rc_handler handlers[] = {{RC_MSG_MEMPOOL_LIST, on_list}, {0}};
	struct rc_server_config config = {
		.daemon = RC_CHAIND,
		.inproc = "pool",
		.network_id = {1, 2, 3},
		.handlers = handlers,
		.ctx = pool,
		.roles = "read",
	};
	struct rc_error error;

	if (rc_server_open(pool->loop, &config, &pool->server, &error) < 0)
		fail_msg("%s", error.text);
}

static void restart(void *arg)
{
	struct pool *pool = arg;

	rc_defer_enable(pool->restart, false);
	rc_server_close(pool->server);
	serve(pool);
}

struct answer {
	bool here;
	int err;
	char txids[16], entries[16];
	uint64_t sequence;
};

static void on_answer(void *arg, const struct rc_reply *why, const struct rc_mempool_list *list)
{
	struct answer *answer = arg;

	answer->here = true;
	answer->err = why->err;
	if (!list)
		return;
	for (size_t i = 0; i < list->n_txids; i++)
		answer->txids[i] = (char)list->txids[i].b[0];
	for (size_t i = 0; i < list->n_entries; i++)
		answer->entries[i] = (char)list->entries[i].txid.b[0];
	answer->sequence = list->sequence;
}

static struct answer list_with(unsigned restarts, bool verbose, unsigned *ret_parts)
{
	struct pool pool = {.loop = rc_loop_new(), .restarts = restarts};
	struct rc_client_config config = {
		.from = RC_RPCD,
		.role = RC_ROLE_READ,
		.inproc = "pool",
		.boot = 1,
	};
	struct answer answer = {0};
	struct rc_chaind *chaind;
	struct rc_error error;
	int64_t end = rc_mono_us(&rc_clock_system) + 20000000;

	memcpy(config.network_id, network.b, 32);
	pool.restart = rc_loop_add_defer(pool.loop, restart, &pool);
	rc_defer_enable(pool.restart, false);
	serve(&pool);
	if (rc_chaind_open(pool.loop, &config, &chaind, &error) < 0)
		fail_msg("%s", error.text);
	while (!rc_client_up(rc_chaind_bus(chaind)))
		rc_loop_turn(pool.loop, 100000);
	rc_chaind_mempool_list(chaind, verbose, 10000, on_answer, &answer);
	while (!answer.here && rc_mono_us(&rc_clock_system) < end)
		rc_loop_turn(pool.loop, 100000);
	assert_true(answer.here);
	rc_chaind_close(chaind);
	rc_server_close(pool.server);
	rc_source_free(pool.restart);
	rc_loop_free(pool.loop);
	*ret_parts = pool.parts;
	return answer;
}

/* What comes back in between is there once, and the sequence is that of the beginning. */
static void test_parts(void **state)
{
	unsigned parts;
	struct answer answer = list_with(0, false, &parts);

	(void)state;
	assert_int_equal(answer.err, RC_OK);
	assert_string_equal(answer.txids, "abcde");
	assert_string_equal(answer.entries, "");
	assert_int_equal(answer.sequence, 10);
	assert_int_equal(parts, 3);
	answer = list_with(0, true, &parts);
	assert_string_equal(answer.txids, "abcde");
	assert_string_equal(answer.entries, "abcde");
}

/* A chaind that restarts has another order: the list is begun again, and not for ever. */
static void test_restarts(void **state)
{
	unsigned parts;
	struct answer answer = list_with(1, true, &parts);

	(void)state;
	assert_int_equal(answer.err, RC_OK);
	assert_string_equal(answer.entries, "abcde");
	assert_true(parts > 4);
	answer = list_with(10, false, &parts);
	assert_int_equal(answer.err, RC_EUNAVAILABLE);
	assert_string_equal(answer.txids, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_restarts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
