/* chaind's answers about compact blocks, over the bus: one node makes them, another rebuilds. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "chaind_node.h"
#include "client/chaind.h"
#include "consensus/merkle.h"
#include "consensus/pow.h"
#include "daemons/chaind/handlers.h"
#include "rc_test.h"

#define PEER 7

static struct rc_loop *loop;
static struct test_node a, b; /* who mines, who rebuilds */
static struct rc_server *server_a, *server_b;
static struct rc_chaind *to_a, *to_b;

static void serve(struct test_node *n, struct rc_server **ret_server, struct rc_chaind **ret_client)
{
	struct rc_server_config server = {
		.daemon = RC_CHAIND,
		.inproc = n->name,
		.handlers = chaind_handlers,
		.ctx = n->chaind,
		.roles = "read,submit",
	};
	struct rc_client_config client = {
		.from = RC_PEERD,
		.role = RC_ROLE_SUBMIT,
		.inproc = n->name,
		.boot = 1,
	};
	struct rc_error error;

	memcpy(server.network_id, n->network.id.b, 32);
	memcpy(client.network_id, n->network.id.b, 32);
	if (rc_server_open(loop, &server, ret_server, &error) < 0 ||
	    rc_chaind_open(loop, &client, ret_client, &error) < 0)
		fail_msg("%s", error.text);
}

/* Both have one chain of 14 blocks, of which 4 pay what is mature. */
static int begin(void **state)
{
	(void)state;
	loop = rc_loop_new();
	node_init(&a, loop, "a");
	node_init(&b, loop, "b");
	serve(&a, &server_a, &to_a);
	serve(&b, &server_b, &to_b);
	node_generate(&a, 14);
	node_feed(&b, &a, 0);
	node_wait_height(&b, 14);
	node_wait_idle(&b);
	return 0;
}

static int end(void **state)
{
	(void)state;
	rc_chaind_close(to_a);
	rc_chaind_close(to_b);
	rc_server_close(server_a);
	rc_server_close(server_b);
	node_free(&a);
	node_free(&b);
	rc_loop_free(loop);
	return 0;
}

/* ---- calls ---- */

struct answer {
	bool done;
	int err;
	struct rc_block_part part;
	struct rc_rebuild rebuild;
	char verdict[64], class[16];
	struct rc_buf raw; /* part's, or rebuild's places */
};

static bool is_done(void *arg)
{
	return ((struct answer *)arg)->done;
}

static void on_part(void *arg, const struct rc_reply *why, const struct rc_block_part *part)
{
	struct answer *answer = arg;

	answer->done = true;
	answer->err = why->err;
	if (!part)
		return;
	answer->part = *part;
	rc_buf_put(&answer->raw, part->raw.data, part->raw.len);
}

static void on_rebuild_answer(void *arg, const struct rc_reply *why, const struct rc_rebuild *reply)
{
	struct answer *answer = arg;

	answer->done = true;
	answer->err = why->err;
	if (!reply)
		return;
	answer->rebuild = *reply;
	snprintf(answer->verdict, sizeof(answer->verdict), "%s", reply->verdict);
	snprintf(answer->class, sizeof(answer->class), "%s", reply->verdict_class);
	rc_buf_put(&answer->raw, reply->places.data, reply->places.len);
}

static struct answer compact_of(const struct rc_block_id *id)
{
	struct answer answer = {0};

	rc_chaind_compact_block(to_a, id, 10000, on_part, &answer);
	node_wait(loop, is_done, &answer, "a compact block");
	return answer;
}

static struct answer txns_of(const struct rc_block_id *id, const void *places, size_t len)
{
	struct answer answer = {0};

	rc_chaind_block_txns(to_a, id, (struct rc_bytes){places, len}, 10000, on_part, &answer);
	node_wait(loop, is_done, &answer, "transactions of a block");
	return answer;
}

static struct rc_bytes view(const struct rc_buf *buf)
{
	return (struct rc_bytes){buf->data, buf->len};
}

static struct answer rebuild_of(const struct rc_buf *compact, const struct rc_buf *places,
				struct rc_bytes txs)
{
	static const struct rc_bytes none;
	struct answer answer = {0};

	rc_chaind_rebuild(to_b, PEER, view(compact), places ? view(places) : none, txs, 10000,
			  on_rebuild_answer, &answer);
	node_wait(loop, is_done, &answer, "a block rebuilt");
	return answer;
}

static void free_answer(struct answer *answer)
{
	rc_buf_done(&answer->raw);
}

/* Three payments in a's pool, the first of them in b's too; then a mines them. */
static void pay_and_mine(struct rc_buf txs[3])
{
	for (uint32_t i = 0; i < 3; i++) {
		struct rc_outpoint outpoint;
		struct rc_coin coin;

		node_coinbase(&a, i + 1, &outpoint, &coin);
		node_pay(&a, &outpoint, &coin, 10000, 1, &txs[i]);
		assert_int_equal(node_submit_tx(&a, &txs[i], 0, NULL), RC_VERDICT_OK);
	}
	assert_int_equal(node_submit_tx(&b, &txs[0], PEER, NULL), RC_VERDICT_OK);
	node_generate(&a, 1);
	node_wait_idle(&a);
}

static void free_txs(struct rc_buf txs[3])
{
	for (size_t i = 0; i < 3; i++)
		rc_buf_done(&txs[i]);
}

/* ---- what is asked and answered ---- */

static void test_two_calls(void **state)
{
	struct rc_buf txs[3] = {0};
	struct answer compact, first, rest, second;
	struct rc_block_id id;

	(void)state;
	pay_and_mine(txs);
	id = node_tip(&a)->id;
	compact = compact_of(&id);
	assert_false(compact.part.whole);
	assert_true(compact.raw.len < 400);

	first = rebuild_of(&compact.raw, NULL, (struct rc_bytes){0});
	assert_int_equal(first.err, RC_OK);
	assert_string_equal(first.verdict, "ok");
	assert_int_equal(first.rebuild.missing, 2);
	assert_int_equal(first.rebuild.transactions, 4);
	assert_memory_equal(&first.rebuild.block.id, &id, sizeof(id));
	/* Nobody else is asked for it meanwhile. */
	assert_true(download_leased(&b.chaind->download, &id));

	rest = txns_of(&id, first.raw.data, first.raw.len);
	assert_int_equal(rest.err, RC_OK);
	assert_false(rest.part.whole);
	second = rebuild_of(&compact.raw, &first.raw, view(&rest.raw));
	assert_int_equal(second.err, RC_OK);
	assert_string_equal(second.verdict, "ok");
	assert_int_equal(second.rebuild.missing, 0);
	assert_false(second.rebuild.ambiguous);
	assert_false(second.rebuild.duplicate);
	node_wait_height(&b, 15);
	assert_true(rc_block_id_eq(&node_tip(&b)->id, &id));
	assert_false(download_leased(&b.chaind->download, &id));
	free_answer(&second);

	/* Again: it is here. */
	second = rebuild_of(&compact.raw, NULL, (struct rc_bytes){0});
	assert_true(second.rebuild.duplicate);
	assert_false(second.rebuild.fault_of_sender);
	assert_int_equal(download_count(&b.chaind->download), 0);
	free_answer(&compact);
	free_answer(&first);
	free_answer(&rest);
	free_answer(&second);
	free_txs(txs);
}

/* Other transactions than those that were missing: another root. Nobody is at fault, nothing is
 * remembered of the block, which is taken whole. */
static void test_wrong_root(void **state)
{
	struct rc_buf txs[3] = {0}, wrong = RC_BUF_INIT, raw = RC_BUF_INIT;
	struct answer compact, first, second;

	(void)state;
	pay_and_mine(txs);
	compact = compact_of(&node_tip(&a)->id);
	first = rebuild_of(&compact.raw, NULL, (struct rc_bytes){0});
	assert_int_equal(first.rebuild.missing, 2);
	rc_buf_put(&wrong, txs[1].data, txs[1].len);
	rc_buf_put(&wrong, txs[1].data, txs[1].len);
	second = rebuild_of(&compact.raw, &first.raw, view(&wrong));
	assert_int_equal(second.err, RC_OK);
	assert_true(second.rebuild.ambiguous);
	assert_false(second.rebuild.fault_of_sender);
	assert_string_equal(second.class, "ok");
	assert_int_equal(node_tip_height(&b), 14);
	node_body(&a, node_tip(&a), &raw);
	assert_int_equal(node_submit_block(&b, &raw, true), RC_VERDICT_OK);
	assert_int_equal(node_tip_height(&b), 15);
	free_answer(&compact);
	free_answer(&first);
	free_answer(&second);
	free_txs(txs);
	rc_buf_done(&wrong);
	rc_buf_done(&raw);
}

/* Two places of one short id. */
static void test_ambiguous(void **state)
{
	struct rc_buf txs[3] = {0};
	struct answer compact, first;
	uint8_t *ids;

	(void)state;
	pay_and_mine(txs);
	compact = compact_of(&node_tip(&a)->id);
	ids = compact.raw.data + RC_HEADER_SIZE + 8 + 1;
	memcpy(ids, ids + 6, 6);
	first = rebuild_of(&compact.raw, NULL, (struct rc_bytes){0});
	assert_true(first.rebuild.ambiguous);
	assert_false(first.rebuild.fault_of_sender);
	assert_int_equal(first.rebuild.missing, 0);
	free_answer(&compact);
	free_answer(&first);
	free_txs(txs);
}

static void mine_again(uint8_t *raw)
{
	struct rc_header header;
	struct rc_u256 target;
	struct rc_block_id id;

	rc_header_decode(raw, &header);
	assert_true(rc_bits_target(header.bits, &target));
	do {
		header.nonce++;
		rc_header_encode(&header, raw);
		rc_header_id(raw, &id);
	} while (!rc_pow_holds(&id, &target));
}

/* Headers are judged before anything: who sends a bad one checks none. */
static void test_headers(void **state)
{
	struct answer compact, answer;
	struct rc_header header;

	(void)state;
	node_generate(&a, 1);
	compact = compact_of(&node_tip(&a)->id);
	rc_header_decode(compact.raw.data, &header);

	/* Without work. */
	do {
		struct rc_block_id id;
		struct rc_u256 target;

		header.nonce++;
		rc_header_encode(&header, compact.raw.data);
		rc_header_id(compact.raw.data, &id);
		assert_true(rc_bits_target(header.bits, &target));
		if (!rc_pow_holds(&id, &target))
			break;
	} while (true);
	answer = rebuild_of(&compact.raw, NULL, (struct rc_bytes){0});
	assert_string_equal(answer.verdict, "header-work");
	assert_true(answer.rebuild.fault_of_sender);
	assert_int_equal(download_count(&b.chaind->download), 0);
	free_answer(&answer);

	/* Its height isn't its parent's and one. */
	header.height += 5;
	rc_header_encode(&header, compact.raw.data);
	mine_again(compact.raw.data);
	answer = rebuild_of(&compact.raw, NULL, (struct rc_bytes){0});
	assert_string_equal(answer.verdict, "header-height");
	assert_true(answer.rebuild.fault_of_sender);
	free_answer(&answer);

	/* A parent that isn't known is nobody's fault. */
	header.height -= 5;
	memset(header.prev.b, 0x55, 32);
	rc_header_encode(&header, compact.raw.data);
	mine_again(compact.raw.data);
	answer = rebuild_of(&compact.raw, NULL, (struct rc_bytes){0});
	assert_string_equal(answer.verdict, "header-parent-unknown");
	assert_string_equal(answer.class, "unknown");
	assert_false(answer.rebuild.fault_of_sender);
	assert_int_equal(download_count(&b.chaind->download), 0);
	free_answer(&answer);
	free_answer(&compact);
}

/* A block with this header's root over these transactions, in compact form, all told in full. */
static void told_in_full(const struct rc_buf *raw, struct rc_buf *ret)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_block block;

	assert_true(rc_block_decode(raw->data, raw->len, &arena, &block));
	rc_buf_put(ret, raw->data, RC_HEADER_SIZE);
	rc_buf_put_le64(ret, 5);
	rc_buf_put_cs(ret, 0);
	rc_buf_put_cs(ret, block.n_txs);
	for (uint32_t i = 0; i < block.n_txs; i++) {
		rc_buf_put_cs(ret, 0);
		rc_buf_put(ret, block.txs[i].raw.data, block.txs[i].raw.len);
	}
	rc_arena_done(&arena);
}

/* What the body shows by itself, its sender has seen; what only the state tells, it hasn't. */
static void test_whose_fault(void **state)
{
	struct rc_buf raw = RC_BUF_INIT, bad = RC_BUF_INIT, compact = RC_BUF_INIT;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_header header;
	struct rc_block block;
	struct answer answer;
	struct rc_wtxid twice[2];

	(void)state;
	node_generate(&a, 1);
	node_body(&a, node_tip(&a), &raw);
	assert_true(rc_block_decode(raw.data, raw.len, &arena, &block));

	/* Two coinbases. */
	header = block.header;
	twice[0] = twice[1] = block.txs[0].wtxid;
	rc_tx_root(twice, sizeof(twice[0]), 2, &arena, &header.tx_root);
	rc_block_put_head(&bad, &header, 2);
	rc_buf_put(&bad, block.txs[0].raw.data, block.txs[0].raw.len);
	rc_buf_put(&bad, block.txs[0].raw.data, block.txs[0].raw.len);
	mine_again(bad.data);
	told_in_full(&bad, &compact);
	answer = rebuild_of(&compact, NULL, (struct rc_bytes){0});
	assert_string_equal(answer.verdict, "block-coinbase");
	assert_true(answer.rebuild.fault_of_sender);
	free_answer(&answer);
	/* Told again by another: known now. */
	answer = rebuild_of(&compact, NULL, (struct rc_bytes){0});
	assert_string_equal(answer.verdict, "block-coinbase");
	assert_false(answer.rebuild.fault_of_sender);
	free_answer(&answer);

	/* Another state root: the state tells. */
	header = block.header;
	header.state_root.b[0] ^= 1;
	rc_buf_clear(&bad);
	rc_block_put_head(&bad, &header, 1);
	rc_buf_put(&bad, block.txs[0].raw.data, block.txs[0].raw.len);
	mine_again(bad.data);
	rc_buf_clear(&compact);
	told_in_full(&bad, &compact);
	answer = rebuild_of(&compact, NULL, (struct rc_bytes){0});
	assert_string_equal(answer.verdict, "ok");
	assert_false(answer.rebuild.fault_of_sender);
	free_answer(&answer);
	node_wait_idle(&b);
	assert_int_equal(node_tip_height(&b), 14);
	rc_arena_done(&arena);
	rc_buf_done(&raw);
	rc_buf_done(&bad);
	rc_buf_done(&compact);
}

/* Old blocks are given whole, places that aren't there are told, and what is no message refused. */
static void test_limits(void **state)
{
	struct answer answer;
	struct rc_block_id id, none = {{1}};
	struct rc_buf junk = RC_BUF_INIT;

	(void)state;
	rc_buf_put(&junk, "junk", 4);
	for (uint32_t h = 14; h > 1; h--) {
		id = chain_at(&a.chaind->chain, h)->id;
		answer = compact_of(&id);
		assert_int_equal(answer.err, RC_OK);
		assert_int_equal(answer.part.whole, h + 5 < 14);
		free_answer(&answer);
		answer = txns_of(&id, "\0", 1);
		assert_int_equal(answer.err, RC_OK);
		assert_int_equal(answer.part.whole, h + 10 < 14);
		free_answer(&answer);
	}
	id = node_tip(&a)->id;
	answer = txns_of(&id, "\0\0", 2); /* it has one transaction */
	assert_true(answer.part.no_such_place);
	assert_int_equal(answer.raw.len, 0);
	free_answer(&answer);
	answer = txns_of(&id, "", 0);
	assert_int_equal(answer.err, RC_EINVAL);
	free_answer(&answer);
	answer = compact_of(&none);
	assert_int_equal(answer.err, RC_ENOENT);
	free_answer(&answer);
	answer = compact_of(&a.chaind->chain.genesis->id);
	assert_int_equal(answer.err, RC_ENOENT);
	free_answer(&answer);
	answer = rebuild_of(&junk, NULL, (struct rc_bytes){0});
	assert_int_equal(answer.err, RC_EINVAL);
	free_answer(&answer);
	/* Transactions without places, and too few of them. */
	answer = compact_of(&id);
	rc_buf_clear(&junk);
	rc_buf_put(&junk, answer.raw.data, answer.raw.len);
	free_answer(&answer);
	answer = rebuild_of(&junk, NULL, (struct rc_bytes){(const uint8_t *)"x", 1});
	assert_int_equal(answer.err, RC_EINVAL);
	free_answer(&answer);
	rc_buf_done(&junk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_two_calls, begin, end),
		cmocka_unit_test_setup_teardown(test_wrong_root, begin, end),
		cmocka_unit_test_setup_teardown(test_ambiguous, begin, end),
		cmocka_unit_test_setup_teardown(test_headers, begin, end),
		cmocka_unit_test_setup_teardown(test_whose_fault, begin, end),
		cmocka_unit_test_setup_teardown(test_limits, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
