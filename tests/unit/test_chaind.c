/* chaind as a whole over a utxod in the same process: mining, paying, reorganising, dying. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chaind_node.h"
#include "consensus/merkle.h"
#include "consensus/pow.h"
#include "rc_test.h"

static void assert_same_state(struct test_node *a, struct test_node *b)
{
	struct rc_block_id id_a, id_b;
	struct rc_hash root_a, root_b;

	fake_utxod_tip(a->utxod, &id_a);
	fake_utxod_tip(b->utxod, &id_b);
	assert_memory_equal(&id_a, &id_b, sizeof(id_a));
	fake_utxod_root(a->utxod, &root_a);
	fake_utxod_root(b->utxod, &root_b);
	assert_memory_equal(&root_a, &root_b, sizeof(root_a));
}

static void test_mine_and_restart(void **state)
{
	struct rc_loop *loop = rc_loop_new();
	struct test_node n;
	struct rc_block_id tip;

	(void)state;
	node_init(&n, loop, "a");
	node_generate(&n, 30);
	assert_int_equal(node_tip_height(&n), 30);
	assert_int_equal(fake_utxod_height(n.utxod), 30);
	tip = node_tip(&n)->id;
	node_stop_chaind(&n);
	node_start_chaind(&n);
	node_wait_height(&n, 30);
	assert_true(rc_block_id_eq(&node_tip(&n)->id, &tip));
	node_generate(&n, 5);
	assert_int_equal(fake_utxod_height(n.utxod), 35);
	node_free(&n);
	rc_loop_free(loop);
}

/* A body is there from the moment it is handed over, not only once it is on the disk. */
static void test_body_being_written(void **state)
{
	struct rc_loop *loop = rc_loop_new();
	struct test_node n;
	struct rc_buf raw = RC_BUF_INIT, again = RC_BUF_INIT;
	struct block_node *genesis;

	(void)state;
	node_init(&n, loop, "a");
	node_generate(&n, 1);
	node_body(&n, node_tip(&n), &raw);
	genesis = n.chaind->chain.genesis; /* whose body is never stored */
	blockstore_sync(n.chaind->store, NULL, NULL);
	blockstore_put(n.chaind->store, &n.chaind->chain, genesis, raw.data, raw.len, true, NULL,
		       NULL);
	node_body(&n, genesis, &again);
	assert_int_equal(again.len, raw.len);
	assert_memory_equal(again.data, raw.data, raw.len);
	rc_buf_done(&raw);
	rc_buf_done(&again);
	node_free(&n);
	rc_loop_free(loop);
}

static void on_body_at_the_end(void *arg, struct rc_buf *body)
{
	struct rc_buf *want = arg;

	assert_int_equal(body->len, want->len);
	assert_memory_equal(body->data, want->data, body->len);
	want->len = 0;
}

/* A stop waits for it: whoever asked isn't told that the body is lost. */
static void test_body_being_written_at_a_stop(void **state)
{
	/* Whether the reader has found nothing before the stop, or finds it in its course. */
	for (unsigned before = 0; before < 2; before++) {
		struct rc_loop *loop = rc_loop_new();
		struct test_node n;
		struct rc_buf raw = RC_BUF_INIT;
		struct rc_workers *readers;
		struct block_node *genesis;

		node_init(&n, loop, "a");
		node_generate(&n, 1);
		node_body(&n, node_tip(&n), &raw);
		genesis = n.chaind->chain.genesis; /* whose body is never stored */
		readers = blockstore_readers(n.chaind->store);
		blockstore_sync(n.chaind->store, NULL, NULL);
		blockstore_put(n.chaind->store, &n.chaind->chain, genesis, raw.data, raw.len, true,
			       NULL, NULL);
		blockstore_get(n.chaind->store, genesis, NULL, on_body_at_the_end, &raw);
		while (before && rc_workers_pending(readers))
			rc_workers_poll(readers);
		assert_true(raw.len > 0);
		node_free(&n);
		assert_int_equal(raw.len, 0);
		rc_buf_done(&raw);
		rc_loop_free(loop);
	}
	(void)state;
}

/* What one peerd fetches no other does; itself it may try another peer at once. */
static void test_leases_of_transactions(void **state)
{
	struct rc_loop *loop = rc_loop_new();
	struct test_node n;
	struct rc_wtxid wtxid = {{1}}, other = {{2}};

	(void)state;
	node_init(&n, loop, "a");
	node_generate(&n, 1);
	assert_true(chaind_want_tx(n.chaind, 1, &wtxid));
	assert_false(chaind_want_tx(n.chaind, 2, &wtxid));
	assert_true(chaind_want_tx(n.chaind, 1, &wtxid));
	assert_true(chaind_want_tx(n.chaind, 2, &other));
	node_free(&n);
	rc_loop_free(loop);
}

static void test_pay(void **state)
{
	struct rc_loop *loop = rc_loop_new();
	struct test_node n;
	struct rc_outpoint outpoint, second;
	struct rc_coin coin, made;
	struct rc_buf raw = RC_BUF_INIT, child = RC_BUF_INIT;
	struct admit_result result;

	(void)state;
	node_init(&n, loop, "a");
	node_generate(&n, 12);
	node_coinbase(&n, 1, &outpoint, &coin);
	node_pay(&n, &outpoint, &coin, 10000, 2, &raw);

	/* A signature that isn't. */
	raw.data[raw.len - 1] ^= 1;
	assert_int_equal(node_submit_tx(&n, &raw, 7, &result), RC_V_SIG_INVALID);
	assert_int_equal(result.class, RC_CLASS_INVALID);
	assert_true(admit_knows(&n.chaind->admit, &result.wtxid));
	raw.data[raw.len - 1] ^= 1;

	/* A child before its parent waits for it. */
	node_output(&raw, 0, 13, &second, &made);
	node_pay(&n, &second, &made, 1000, 1, &child);
	assert_int_equal(node_submit_tx(&n, &child, 7, &result), RC_V_TX_INPUT_MISSING);
	assert_int_equal(result.class, RC_CLASS_UNKNOWN);
	assert_true(result.orphan);
	assert_int_equal(result.n_missing, 1);
	assert_memory_equal(&result.missing[0], &second.txid, 32);

	assert_int_equal(node_submit_tx(&n, &raw, 0, &result), RC_VERDICT_OK);
	assert_int_equal(result.fee, 10000);
	node_wait_idle(&n);
	assert_int_equal(n.chaind->pool.count, 2);
	assert_int_equal(orphans_count(&n.chaind->orphans), 0);
	assert_int_equal(node_submit_tx(&n, &raw, 0, &result), RC_VERDICT_OK);
	assert_true(result.duplicate);
	assert_true(mempool_consistent(&n.chaind->pool));

	/* The journal brings both back. */
	node_stop_chaind(&n);
	node_start_chaind(&n);
	node_wait_height(&n, 12);
	node_wait_idle(&n);
	assert_int_equal(n.chaind->pool.count, 2);

	node_generate(&n, 1);
	node_wait_idle(&n);
	assert_int_equal(n.chaind->pool.count, 0);
	assert_int_equal(node_tip(&n)->n_txs, 3);
	assert_int_equal(node_submit_tx(&n, &raw, 0, &result), RC_V_TX_INPUT_MISSING);

	/* Not mature yet: it can't be told yet. */
	node_coinbase(&n, 13, &outpoint, &coin);
	node_pay(&n, &outpoint, &coin, 10000, 1, &raw);
	assert_int_equal(node_submit_tx(&n, &raw, 0, &result), RC_V_TX_INPUT_IMMATURE);
	assert_int_equal(result.class, RC_CLASS_UNKNOWN);
	rc_buf_done(&raw);
	rc_buf_done(&child);
	node_free(&n);
	rc_loop_free(loop);
}

static void tell_block(void *arg, const struct block_result *result)
{
	struct node_told *told = arg;

	told->n++;
	told->err = result->err;
}

/* What no block of the network could hold isn't taken in, whatever the options say. */
static void test_larger_than_a_block(void **state)
{
	struct rc_network_params params = *rc_network_builtin_params("reg");
	struct rc_loop *loop = rc_loop_new();
	struct rc_network network;
	struct test_node n;
	struct rc_outpoint outpoint;
	struct rc_coin coin;
	struct rc_buf raw = RC_BUF_INIT;
	struct rc_error error;

	(void)state;
	memcpy(params.name, "small", 6);
	memcpy(params.hrp, "small", 6);
	params.block_limit = 10000;
	if (rc_network_custom(&params, &network, &error) < 0)
		fail_msg("%s", error.text);
	node_init_on(&n, loop, "s", &network, &rc_clock_system);
	node_generate(&n, 12);
	node_coinbase(&n, 1, &outpoint, &coin);
	node_pay(&n, &outpoint, &coin, 100000, 250, &raw);
	assert_true(raw.len > params.block_limit);
	assert_int_equal(node_submit_tx(&n, &raw, 0, NULL), RC_V_POOL_SIZE);
	node_pay(&n, &outpoint, &coin, 100000, 150, &raw);
	assert_int_equal(node_submit_tx(&n, &raw, 0, NULL), RC_VERDICT_OK);
	node_generate(&n, 1);
	assert_int_equal(n.chaind->pool.count, 0);
	rc_buf_done(&raw);
	node_free(&n);
	rc_loop_free(loop);
}

static bool has_parent(void *arg)
{
	struct test_node *n = arg;

	return n->chaind->pool.count > 0;
}

/* Whoever waits when chaind ends is told so, once; nothing goes on that has no threads any more. */
static void test_told_at_the_end(void **state)
{
	struct rc_loop *loop = rc_loop_new();
	struct test_node a, b;
	struct rc_outpoint outpoint, second;
	struct rc_coin coin, made;
	struct rc_buf raw = RC_BUF_INIT, child = RC_BUF_INIT, block = RC_BUF_INIT;
	struct admit_options options = {.local = true};
	struct node_told parent_told = {0}, child_told = {0}, block_told = {0};

	(void)state;
	node_init(&a, loop, "a");
	node_init(&b, loop, "b");
	node_generate(&a, 12);
	node_feed(&b, &a, 0);
	node_wait_height(&b, 12);
	node_coinbase(&a, 1, &outpoint, &coin);
	node_pay(&a, &outpoint, &coin, 10000, 1, &raw);
	node_output(&raw, 0, 13, &second, &made);
	node_pay(&a, &second, &made, 10000, 1, &child);
	node_generate(&b, 1);
	node_body(&b, node_tip(&b), &block);

	/* The parent is being written, the child waits for it. */
	admit_submit(&a.chaind->admit, raw.data, raw.len, &options, node_tell_tx, &parent_told);
	admit_submit(&a.chaind->admit, child.data, child.len, &options, node_tell_tx, &child_told);
	node_wait(loop, has_parent, &a, "the parent in the pool");
	fake_utxod_stop(a.utxod);
	chaind_submit_block(a.chaind, 0, block.data, block.len, BLOCK_CONNECTED, tell_block,
			    &block_told);
	node_stop_chaind(&a);
	assert_int_equal(parent_told.n, 1);
	assert_int_equal(parent_told.err, RC_OK);
	assert_int_equal(child_told.n, 1);
	assert_int_equal(child_told.err, RC_EUNAVAILABLE);
	assert_int_equal(block_told.n, 1);
	assert_int_equal(block_told.err, RC_EUNAVAILABLE);

	node_start_chaind(&a);
	rc_buf_done(&raw);
	rc_buf_done(&child);
	rc_buf_done(&block);
	node_free(&a);
	node_free(&b);
	rc_loop_free(loop);
}

static void forget_journal(struct test_node *n)
{
	RC_AUTOFREE char *path = rc_asprintf("%s/mempool.journal", n->dir);

	assert_int_equal(unlink(path), 0);
}

/* Two branches of depth and depth + 1 above block 15; the longer one wins, and what only the
 * shorter one had is back in the pool. */
static void reorganise(uint32_t depth, size_t stack)
{
	struct rc_loop *loop = rc_loop_new();
	struct test_node a, b;
	struct rc_outpoint outpoint;
	struct rc_coin coin;
	struct rc_buf raw = RC_BUF_INIT;
	struct rc_block_id old_tip;
	unsigned commits, largest;

	node_init(&a, loop, "a");
	node_init(&b, loop, "b");
	fake_utxod_set_stack(a.utxod, stack);
	node_generate(&a, 15);
	node_feed(&b, &a, 0);
	node_wait_height(&b, 15);
	node_coinbase(&a, 1, &outpoint, &coin);
	node_pay(&a, &outpoint, &coin, 10000, 1, &raw);
	assert_int_equal(node_submit_tx(&a, &raw, 0, NULL), RC_VERDICT_OK);
	node_generate(&a, depth);
	assert_int_equal(a.chaind->pool.count, 0);
	node_generate(&b, depth);
	old_tip = node_tip(&a)->id;

	/* Equal work: the first one stays. */
	node_feed(&a, &b, 15);
	node_wait_idle(&a);
	assert_true(rc_block_id_eq(&node_tip(&a)->id, &old_tip));
	node_generate(&b, 1);
	node_feed(&a, &b, 15 + depth);
	node_wait_height(&a, 16 + depth);
	node_wait_idle(&a);
	assert_same_state(&a, &b);
	assert_int_equal(a.chaind->pool.count, 1);
	assert_true(mempool_consistent(&a.chaind->pool));
	commits = fake_utxod_commits(a.utxod, &largest);
	assert_true(commits > 0);
	if (stack > depth)
		assert_int_equal(largest, depth + 1); /* undo and branch in one record */
	assert_int_equal(rc_metric_get(a.metrics, METRIC_REORGS), 1);

	/* Without its journal it finds them in the branch that was left. */
	node_stop_chaind(&a);
	forget_journal(&a);
	node_start_chaind(&a);
	node_wait_height(&a, 16 + depth);
	node_wait_idle(&a);
	assert_int_equal(a.chaind->pool.count, 1);

	/* The other way round, with a transaction mined on both. */
	node_generate(&a, 1);
	assert_int_equal(a.chaind->pool.count, 0);
	node_feed(&b, &a, 16 + depth);
	node_wait_height(&b, 17 + depth);
	assert_same_state(&a, &b);
	rc_buf_done(&raw);
	node_free(&a);
	node_free(&b);
	rc_loop_free(loop);
}

static void test_reorganise_1(void **state)
{
	(void)state;
	reorganise(1, 1000);
}

static void test_reorganise_6(void **state)
{
	(void)state;
	reorganise(6, 1000);
}

static void test_reorganise_100(void **state)
{
	(void)state;
	reorganise(100, 1000);
}

static void test_reorganise_in_parts(void **state)
{
	(void)state;
	reorganise(40, 8);
}

/* A block whose coins the pool knows connects without a question to utxod, to the same state as
 * elsewhere; also where a reorganisation has moved a coin's maker to another height meanwhile. */
static void test_coins_of_the_pool(void **state)
{
	struct rc_loop *loop = rc_loop_new();
	struct test_node a, b;
	struct rc_outpoint outpoint, second;
	struct rc_coin coin, made;
	const struct rc_coin *known;
	struct rc_buf parent = RC_BUF_INIT, child = RC_BUF_INIT;

	(void)state;
	node_init(&a, loop, "a");
	node_init(&b, loop, "b");
	node_generate(&a, 15);
	node_feed(&b, &a, 0);
	node_wait_height(&b, 15);
	node_coinbase(&a, 1, &outpoint, &coin);
	node_pay(&a, &outpoint, &coin, 10000, 2, &parent);
	assert_int_equal(node_submit_tx(&a, &parent, 7, NULL), RC_VERDICT_OK);
	assert_int_equal(node_submit_tx(&b, &parent, 7, NULL), RC_VERDICT_OK);
	node_output(&parent, 0, 16, &second, &made);
	node_pay(&a, &second, &made, 10000, 1, &child);
	assert_int_equal(node_submit_tx(&a, &child, 7, NULL), RC_VERDICT_OK);
	/* a has the parent at 16 and the child in its pool; the other branch the parent at 17. */
	node_stop_chaind(&b);
	forget_journal(&b);
	node_start_chaind(&b);
	node_wait_height(&b, 15);
	node_wait_idle(&b);
	node_generate(&b, 1);
	assert_int_equal(node_tip(&b)->n_txs, 1);
	node_stop_chaind(&a);
	node_start_chaind(&a);
	node_wait_height(&a, 15);
	node_wait_idle(&a);
	assert_int_equal(a.chaind->pool.count, 2);
	node_generate(&a, 1);
	assert_int_equal(node_tip(&a)->n_txs, 3);
	assert_int_equal(rc_metric_get(a.metrics, METRIC_COINS_KNOWN), 1);
	/* Both were verified as they entered the pool, and aren't again. */
	assert_int_equal(rc_metric_get(a.metrics, METRIC_VERIFIED_HITS), 2);
	assert_int_equal(rc_metric_get(a.metrics, METRIC_VERIFIED_MISSES), 0);
	assert_int_equal(node_submit_tx(&b, &parent, 7, NULL), RC_VERDICT_OK);
	node_generate(&b, 2);
	assert_int_equal(node_submit_tx(&b, &child, 7, NULL), RC_VERDICT_OK);
	node_feed(&a, &b, 15);
	node_wait_height(&a, 18);
	node_wait_idle(&a);
	assert_same_state(&a, &b);
	/* The child is in a's pool again, with its coin where it is now. */
	assert_int_equal(a.chaind->pool.count, 1);
	mempool_state_coins(&a.chaind->pool, &second, 1, &known);
	assert_int_equal(known->height, 17);
	node_generate(&a, 1);
	assert_int_equal(node_tip(&a)->n_txs, 2);
	assert_int_equal(rc_metric_get(a.metrics, METRIC_COINS_KNOWN), 2);
	node_feed(&b, &a, 18);
	node_wait_height(&b, 19);
	node_wait_idle(&b);
	assert_same_state(&a, &b);
	rc_buf_done(&parent);
	rc_buf_done(&child);
	node_free(&a);
	node_free(&b);
	rc_loop_free(loop);
}

/* A longer branch whose last block is wrong: the old tip stays, or comes back. */
static void test_invalid_branch(void **state)
{
	struct rc_loop *loop = rc_loop_new();
	struct test_node a, b;
	struct rc_buf raw = RC_BUF_INIT;
	struct rc_block_id old_tip, bad;
	struct rc_header header;
	struct rc_u256 target;

	(void)state;
	node_init(&a, loop, "a");
	node_init(&b, loop, "b");
	node_generate(&a, 5);
	node_feed(&b, &a, 0);
	node_wait_height(&b, 5);
	node_generate(&a, 3);
	node_generate(&b, 4);
	old_tip = node_tip(&a)->id;
	/* The last one of b, with another state root, mined again. */
	node_body(&b, node_tip(&b), &raw);
	rc_header_decode(raw.data, &header);
	header.state_root.b[0] ^= 1;
	assert_true(rc_bits_target(header.bits, &target));
	do {
		header.nonce++;
		rc_header_encode(&header, raw.data);
		rc_header_id(raw.data, &bad);
	} while (!rc_pow_holds(&bad, &target));
	for (uint32_t h = 6; h <= 8; h++) {
		struct rc_buf body = RC_BUF_INIT;

		node_body(&b, chain_at(&b.chaind->chain, h), &body);
		assert_int_equal(node_submit_block(&a, &body, false), RC_VERDICT_OK);
		rc_buf_done(&body);
	}
	assert_int_equal(node_submit_block(&a, &raw, true), RC_V_BLOCK_STATE_ROOT);
	node_wait_idle(&a);
	assert_true(rc_block_id_eq(&node_tip(&a)->id, &old_tip));
	assert_int_equal(fake_utxod_height(a.utxod), 8);
	/* Remembered, also over a restart. */
	assert_int_equal(node_submit_block(&a, &raw, true), RC_V_BLOCK_STATE_ROOT);
	node_stop_chaind(&a);
	node_start_chaind(&a);
	node_wait_height(&a, 8);
	assert_int_equal(node_submit_block(&a, &raw, true), RC_V_BLOCK_STATE_ROOT);
	/* A damaged body is its sender's fault alone. */
	rc_buf_clear(&raw);
	node_body(&b, node_tip(&b), &raw);
	raw.data[raw.len - 1] ^= 1;
	assert_int_equal(node_submit_block(&a, &raw, true), RC_V_BLOCK_ROOT_MISMATCH);
	raw.data[raw.len - 1] ^= 1;
	assert_int_equal(node_submit_block(&a, &raw, true), RC_VERDICT_OK);
	node_wait_idle(&a);
	assert_same_state(&a, &b);
	rc_buf_done(&raw);
	node_free(&a);
	node_free(&b);
	rc_loop_free(loop);
}

/* Makes the last witness of a block's last transaction another one, and mines the block again. */
static void spoil_signature(struct rc_buf *raw)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_block block;
	struct rc_header header;
	struct rc_u256 target;
	struct rc_block_id id;

	raw->data[raw->len - 1] ^= 1;
	assert_true(rc_block_decode(raw->data, raw->len, &arena, &block));
	header = block.header;
	rc_tx_root(&block.txs[0].wtxid, sizeof(block.txs[0]), block.n_txs, &arena, &header.tx_root);
	assert_true(rc_bits_target(header.bits, &target));
	do {
		header.nonce++;
		rc_header_encode(&header, raw->data);
		rc_header_id(raw->data, &id);
	} while (!rc_pow_holds(&id, &target));
	rc_arena_done(&arena);
}

static bool count_aborts(void *arg, const char *name)
{
	*(unsigned *)arg += strcmp(name, "abort") == 0;
	return false;
}

/* A block is staged while its signatures are verified; one that then turns out invalid is taken
 * back, alone or as the last of a branch that would have won. */
static void test_bad_signature(void **state)
{
	struct rc_loop *loop = rc_loop_new();
	struct test_node a, b;
	struct rc_outpoint outpoint;
	struct rc_coin coin;
	struct rc_buf tx = RC_BUF_INIT, good = RC_BUF_INIT, bad = RC_BUF_INIT;
	struct rc_block_id old_tip;
	unsigned aborts = 0;

	(void)state;
	node_init(&a, loop, "a");
	node_init(&b, loop, "b");
	fake_utxod_on_request(a.utxod, count_aborts, &aborts);
	node_generate(&b, 12);
	node_feed(&a, &b, 0);
	node_wait_height(&a, 12);
	node_coinbase(&b, 1, &outpoint, &coin);
	node_pay(&b, &outpoint, &coin, 10000, 1, &tx);
	assert_int_equal(node_submit_tx(&b, &tx, 0, NULL), RC_VERDICT_OK);
	node_generate(&b, 1);
	node_body(&b, node_tip(&b), &good);
	rc_buf_put(&bad, good.data, good.len);
	spoil_signature(&bad);
	assert_int_equal(node_submit_block(&a, &bad, true), RC_V_SIG_INVALID);
	node_wait_idle(&a);
	assert_int_equal(node_tip_height(&a), 12);
	assert_int_equal(fake_utxod_height(a.utxod), 12);
	assert_int_equal(aborts, 1);
	assert_int_equal(node_submit_block(&a, &good, true), RC_VERDICT_OK);
	assert_same_state(&a, &b);

	/* The last of a branch: utxod has switched and staged when it is judged. */
	node_generate(&a, 2);
	old_tip = node_tip(&a)->id;
	node_generate(&b, 2);
	node_coinbase(&b, 2, &outpoint, &coin);
	rc_buf_clear(&tx);
	node_pay(&b, &outpoint, &coin, 10000, 1, &tx);
	assert_int_equal(node_submit_tx(&b, &tx, 0, NULL), RC_VERDICT_OK);
	node_generate(&b, 1);
	rc_buf_clear(&bad);
	node_body(&b, node_tip(&b), &bad);
	spoil_signature(&bad);
	for (uint32_t h = 14; h <= 15; h++) {
		rc_buf_clear(&good);
		node_body(&b, chain_at(&b.chaind->chain, h), &good);
		assert_int_equal(node_submit_block(&a, &good, false), RC_VERDICT_OK);
	}
	assert_int_equal(node_submit_block(&a, &bad, true), RC_V_SIG_INVALID);
	node_wait_idle(&a);
	assert_true(rc_block_id_eq(&node_tip(&a)->id, &old_tip));
	assert_int_equal(fake_utxod_height(a.utxod), 15);
	rc_buf_clear(&good);
	node_body(&b, node_tip(&b), &good);
	assert_int_equal(node_submit_block(&a, &good, true), RC_VERDICT_OK);
	node_wait_idle(&a);
	assert_same_state(&a, &b);
	rc_buf_done(&tx);
	rc_buf_done(&good);
	rc_buf_done(&bad);
	node_free(&a);
	node_free(&b);
	rc_loop_free(loop);
}

static void test_invalidate(void **state)
{
	struct rc_loop *loop = rc_loop_new();
	struct test_node a;
	struct rc_hash before, after;
	struct block_node *tip;

	(void)state;
	node_init(&a, loop, "a");
	node_generate(&a, 20);
	tip = node_tip(&a);
	fake_utxod_root(a.utxod, &before);
	chaind_veto(a.chaind, chain_at(&a.chaind->chain, 11));
	node_wait_height(&a, 10);
	node_wait_idle(&a);
	assert_int_equal(fake_utxod_height(a.utxod), 10);
	node_generate(&a, 2);
	chaind_reconsider(a.chaind, tip);
	node_wait_height(&a, 20);
	node_wait_idle(&a);
	assert_ptr_equal(node_tip(&a), tip);
	fake_utxod_root(a.utxod, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	node_free(&a);
	rc_loop_free(loop);
}

/* utxod's committed tip is a block this store doesn't have: back to one that it has. */
static void test_unknown_tip(void **state)
{
	struct rc_loop *loop = rc_loop_new();
	struct test_node a;
	char moved[80];
	RC_AUTOFREE char *command = NULL;

	(void)state;
	node_init(&a, loop, "a");
	node_generate(&a, 12);
	node_stop_chaind(&a);
	snprintf(moved, sizeof(moved), "%s.saved", a.dir);
	command = rc_asprintf("cp -r %s %s", a.dir, moved);
	assert_int_equal(system(command), 0);
	node_start_chaind(&a);
	node_wait_height(&a, 12);
	node_generate(&a, 30);
	node_stop_chaind(&a);
	free(command);
	command = rc_asprintf("rm -rf %s && mv %s %s", a.dir, moved, a.dir);
	assert_int_equal(system(command), 0);
	node_start_chaind(&a);
	node_wait_idle(&a);
	assert_int_equal(node_tip_height(&a), 12);
	assert_int_equal(fake_utxod_height(a.utxod), 12);
	node_generate(&a, 1);
	node_free(&a);
	rc_loop_free(loop);
}

/* utxod dies at every n-th request of a run with a reorganisation, losing what a power cut may
 * take; it comes back, and the node ends where one that was never disturbed is. */
struct crash {
	struct fake_utxod *utxod;
	unsigned at;
	bool due;
	bool refuse;
};

static bool crash_at(void *arg, const char *name)
{
	struct crash *crash = arg;

	(void)name;
	if (fake_utxod_requests(crash->utxod) != crash->at)
		return false;
	crash->due = !crash->refuse;
	return true;
}

static void crash_run(struct rc_loop *loop, struct test_node *source, struct test_node *rival,
		      unsigned at, bool refuse, bool *ret_reached)
{
	struct test_node n;
	struct crash crash = {.at = at, .refuse = refuse};
	int64_t end = rc_mono_us(&rc_clock_system) + 30000000;

	node_init(&n, loop, "n");
	crash.utxod = n.utxod;
	fake_utxod_on_request(n.utxod, crash_at, &crash);
	node_feed(&n, rival, 0);
	node_feed(&n, source, 0);
	while (node_tip(&n)->header.height != node_tip_height(source) ||
	       !rc_block_id_eq(&node_tip(&n)->id, &node_tip(source)->id)) {
		if (crash.due) {
			crash.due = false;
			fake_utxod_restart(n.utxod, fake_utxod_height(n.utxod));
		}
		if (rc_mono_us(&rc_clock_system) > end)
			fail_msg("stuck after a crash at request %u", at);
		rc_loop_turn(loop, 20000);
	}
	assert_same_state(&n, source);
	*ret_reached = fake_utxod_requests(n.utxod) > at;
	node_free(&n);
}

static void test_utxod_dies(void **state)
{
	struct rc_loop *loop = rc_loop_new();
	struct test_node source, rival;
	bool reached = true;
	unsigned n = 0;

	(void)state;
	node_init(&source, loop, "s");
	node_init(&rival, loop, "r");
	node_generate(&source, 3);
	node_feed(&rival, &source, 0);
	node_wait_height(&rival, 3);
	node_generate(&rival, 3);
	node_generate(&source, 5);
	for (unsigned at = 1; reached && at < 200; at += 1, n++)
		crash_run(loop, &source, &rival, at, at % 2, &reached);
	assert_true(n > 20);
	node_free(&source);
	node_free(&rival);
	rc_loop_free(loop);
}

/* ---- initial download, on a network that adjusts its difficulty ---- */

static int64_t fixed_wall_ms(void *arg)
{
	return *(int64_t *)arg;
}

static int64_t system_mono_us(void *arg)
{
	(void)arg;
	return rc_mono_us(&rc_clock_system);
}

static bool utxod_is_at_60(void *arg)
{
	struct test_node *n = arg;

	return fake_utxod_height(n->utxod) == 60;
}

static void strcpy_name(char *dst, const char *name)
{
	memcpy(dst, name, strlen(name) + 1);
}

static void test_initial_download(void **state)
{
	int64_t then, now;
	struct rc_clock old_clock = {fixed_wall_ms, system_mono_us, &then};
	struct rc_clock new_clock = {fixed_wall_ms, system_mono_us, &now};
	struct rc_loop *loop = rc_loop_new();
	struct test_node source, n;
	struct rc_network_params params;
	struct rc_network network;
	struct rc_buf last = RC_BUF_INIT;
	struct rc_error error;
	uint32_t lost;

	(void)state;
	params = *rc_network_builtin_params("reg");
	strcpy_name(params.name, "old");
	strcpy_name(params.hrp, "old");
	params.retarget = RC_RETARGET_ASERT;
	params.spacing = 60;
	if (rc_network_custom(&params, &network, &error) < 0)
		fail_msg("%s", error.text);
	then = (int64_t)(params.genesis_time + 10000) * 1000;
	now = (int64_t)(params.genesis_time + 20 * 86400) * 1000;
	node_init_on(&source, loop, "s", &network, &old_clock);
	node_generate(&source, 60);
	node_init_on(&n, loop, "n", &network, &new_clock);
	assert_true(connect_initial_download(&n.chaind->connect));

	/* Bodies in any order; the last one is the one that everything waits for. */
	for (uint32_t h = 1; h <= 60; h++) {
		struct block_node *node = chain_at(&source.chaind->chain, h);
		struct headers_result result;
		uint8_t raw[RC_HEADER_SIZE];

		rc_header_encode(&node->header, raw);
		chaind_submit_headers(n.chaind, (struct presync_who){0}, raw, 1, &result);
		assert_int_equal(result.verdict, RC_VERDICT_OK);
	}
	assert_int_equal(node_height(n.chaind->chain.best_header), 60);
	for (uint32_t h = 60; h >= 1; h--) {
		struct rc_buf body = RC_BUF_INIT;

		assert_int_equal(node_tip_height(&n), 0);
		node_body(&source, chain_at(&source.chaind->chain, h), &body);
		assert_int_equal(node_submit_block(&n, &body, false), RC_VERDICT_OK);
		rc_buf_done(&body);
	}
	node_wait_height(&n, 60);
	node_wait_idle(&n);
	assert_same_state(&n, &source);

	/* utxod loses what wasn't synced: the same blocks again, from the store. */
	for (lost = 60; lost > 0; lost /= 2) {
		fake_utxod_restart(n.utxod, 60 - lost);
		node_wait(loop, utxod_is_at_60, &n, "utxod is given the lost blocks again");
		node_wait_idle(&n);
		assert_same_state(&n, &source);
	}
	node_stop_chaind(&n);
	node_start_chaind(&n);
	node_wait_height(&n, 60);

	/* A block that somebody waits for is on the disk also here. */
	node_generate(&source, 1);
	node_body(&source, node_tip(&source), &last);
	assert_true(connect_initial_download(&n.chaind->connect));
	assert_int_equal(node_submit_block(&n, &last, true), RC_VERDICT_OK);
	assert_int_equal(node_tip_height(&n), 61);
	assert_int_equal(n.chaind->connect.durable_height, 61);
	assert_true(node_tip(&n)->flags & NODE_SYNCED);
	rc_buf_done(&last);

	node_free(&source);
	node_free(&n);
	rc_loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mine_and_restart),
		cmocka_unit_test(test_body_being_written),
		cmocka_unit_test(test_body_being_written_at_a_stop),
		cmocka_unit_test(test_leases_of_transactions),
		cmocka_unit_test(test_pay),
		cmocka_unit_test(test_larger_than_a_block),
		cmocka_unit_test(test_told_at_the_end),
		cmocka_unit_test(test_reorganise_1),
		cmocka_unit_test(test_reorganise_6),
		cmocka_unit_test(test_reorganise_100),
		cmocka_unit_test(test_reorganise_in_parts),
		cmocka_unit_test(test_coins_of_the_pool),
		cmocka_unit_test(test_invalid_branch),
		cmocka_unit_test(test_bad_signature),
		cmocka_unit_test(test_invalidate),
		cmocka_unit_test(test_unknown_tip),
		cmocka_unit_test(test_utxod_dies),
		cmocka_unit_test(test_initial_download),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
