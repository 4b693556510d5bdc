/* Transactions that come back into the pool: of the journal, of blocks undone, of the pool itself.
 */
#include "base/log.h"
#include "chaind_node.h"
#include "rc_test.h"

static bool is_on_its_way_back(void *arg)
{
	struct test_node *n = arg;

	return n->chaind->refill.out > 0;
}

/* What a peer brought and a person submits while it is on its way back from the journal is on the
 * disk as the person's before that is answered. */
static void test_pay_again(void **state)
{
	struct rc_loop *loop = rc_loop_new();
	struct test_node n;
	struct rc_outpoint outpoint;
	struct rc_coin coin;
	struct rc_buf raw = RC_BUF_INIT;
	uint64_t before;

	(void)state;
	node_init(&n, loop, "a");
	node_generate(&n, 12);
	node_coinbase(&n, 1, &outpoint, &coin);
	node_pay(&n, &outpoint, &coin, 10000, 1, &raw);
	assert_int_equal(node_submit_tx(&n, &raw, 7, NULL), RC_VERDICT_OK);
	node_wait_idle(&n);
	node_stop_chaind(&n);
	node_start_chaind(&n);
	before = journal_size(n.chaind->journal);
	node_wait(loop, is_on_its_way_back, &n, "a transaction on its way back");
	assert_int_equal(node_submit_tx(&n, &raw, 0, NULL), RC_VERDICT_OK);
	assert_true(journal_size(n.chaind->journal) > before);
	rc_buf_done(&raw);
	node_free(&n);
	rc_loop_free(loop);
}

static bool is_in_pool(void *arg)
{
	struct test_node *n = arg;

	return n->chaind->pool.count > 0;
}

static bool is_all_done(void *arg)
{
	struct test_node *n = arg;

	return !refill_active(&n->chaind->refill) && n->chaind->admit.count == 0;
}

/* What a reorganisation takes from the pool comes back, also while its record is on the way to the
 * disk: its submitter is about to be told that it is accepted. */
static void test_reorganised_before_it_is_on_the_disk(void **state)
{
	struct rc_loop *loop = rc_loop_new();
	struct admit_options options = {.local = true};
	struct node_told told = {0};
	struct rc_outpoint outpoint;
	struct rc_buf raw = RC_BUF_INIT;
	struct rc_coin coin;
	struct test_node n;
	struct pool_cursor cursor;

	(void)state;
	node_init(&n, loop, "a");
	node_generate(&n, 12);
	node_coinbase(&n, 1, &outpoint, &coin);
	node_pay(&n, &outpoint, &coin, 10000, 1, &raw);
	admit_submit(&n.chaind->admit, raw.data, raw.len, &options, node_tell_tx, &told);
	node_wait(loop, is_in_pool, &n, "it is in the pool");
	assert_int_equal(told.n, 0);

	mempool_walk_start(&n.chaind->pool, &cursor);
	mempool_remove(&n.chaind->pool, mempool_walk_next(&cursor), POOL_REORGANISED);
	mempool_walk_end(&n.chaind->pool, &cursor);
	assert_int_equal(n.chaind->pool.count, 0);
	refill_pump(&n.chaind->refill);
	node_wait(loop, is_all_done, &n, "all is answered");
	assert_int_equal(told.n, 1);
	assert_int_equal(told.err, 0);
	assert_int_equal(told.verdict, RC_VERDICT_OK);
	assert_int_equal(n.chaind->pool.count, 1);
	rc_buf_done(&raw);
	node_free(&n);
	rc_loop_free(loop);
}

static bool is_filled_again(void *arg)
{
	struct test_node *n = arg;

	return !refill_active(&n->chaind->refill);
}

/* A block whose transactions should come back and that can't be read is worth a warning, once. */
static void test_unread_block(void **state)
{
	struct rc_loop *loop = rc_loop_new();
	struct test_node n;
	uint64_t before;

	(void)state;
	node_init(&n, loop, "a");
	node_generate(&n, 3);
	before = rc_log_count(RC_LOG_WARNING);
	refill_add_block(&n.chaind->refill, n.chaind->chain.genesis); /* its body is never stored */
	refill_pump(&n.chaind->refill);
	node_wait(loop, is_filled_again, &n, "the end of the refill");
	assert_int_equal(rc_log_count(RC_LOG_WARNING), before + 1);
	node_free(&n);
	rc_loop_free(loop);
}

/* One on its way back, whose parent a block had that is undone meanwhile, is asked again after
 * that block's; so it is with all of the journal when a start begins with a reorganisation. */
static void test_undone_while_asked(void **state)
{
	struct rc_loop *loop = rc_loop_new();
	struct admit_options options = {.local = true, .journaled = true};
	struct rc_buf parent = RC_BUF_INIT, child = RC_BUF_INIT, block = RC_BUF_INIT;
	struct rc_outpoint outpoint;
	struct block_node *beside;
	struct test_node a, b;
	struct rc_coin coin;

	(void)state;
	node_init(&a, loop, "a");
	node_init(&b, loop, "b");
	node_generate(&a, 12);
	node_feed(&b, &a, 0);
	node_coinbase(&a, 1, &outpoint, &coin);
	node_pay(&a, &outpoint, &coin, 10000, 1, &parent);
	node_output(&parent, 0, 13, &outpoint, &coin);
	node_pay(&a, &outpoint, &coin, 10000, 1, &child);
	assert_int_equal(node_submit_tx(&b, &parent, 0, NULL), RC_VERDICT_OK);
	node_generate(&b, 1);
	node_generate(&a, 2);
	node_body(&b, node_tip(&b), &block);
	node_submit_block(&a, &block, false);
	node_wait_idle(&a);
	beside = chain_find(&a.chaind->chain, &node_tip(&b)->id);
	assert_non_null(beside);

	refill_add_tx(&a.chaind->refill, child.data, child.len, &options);
	refill_pump(&a.chaind->refill);
	assert_int_equal(a.chaind->refill.out, 1);
	refill_add_block(&a.chaind->refill, beside);
	node_wait(loop, is_filled_again, &a, "the end of the refill");
	assert_int_equal(a.chaind->pool.count, 2);
	rc_buf_done(&parent);
	rc_buf_done(&child);
	rc_buf_done(&block);
	node_free(&a);
	node_free(&b);
	rc_loop_free(loop);
}

/* One on its way back that a peer had sent before its parent was back is judged again by what is
 * there then, and so are those that spend of it. */
static void test_on_its_way_back_and_of_a_peer(void **state)
{
	struct admit_options of_peer = {.peer = 7}, options = {.local = true, .journaled = true};
	struct rc_buf raws[3] = {RC_BUF_INIT, RC_BUF_INIT, RC_BUF_INIT};
	struct rc_loop *loop = rc_loop_new();
	struct node_told told = {0};
	struct rc_outpoint outpoint;
	struct rc_coin coin;
	struct test_node n;

	(void)state;
	node_init(&n, loop, "a");
	node_generate(&n, 12);
	node_coinbase(&n, 1, &outpoint, &coin);
	for (unsigned i = 0; i < 3; i++) {
		node_pay(&n, &outpoint, &coin, 10000, 1, &raws[i]);
		node_output(&raws[i], 0, 13, &outpoint, &coin);
	}
	admit_submit(&n.chaind->admit, raws[1].data, raws[1].len, &of_peer, node_tell_tx, &told);
	for (unsigned i = 0; i < 3; i++)
		refill_add_tx(&n.chaind->refill, raws[i].data, raws[i].len, &options);
	refill_pump(&n.chaind->refill);
	assert_int_equal(n.chaind->refill.out, 3);
	node_wait(loop, is_all_done, &n, "the end of the refill");
	assert_int_equal(told.verdict, RC_V_TX_INPUT_MISSING);
	assert_int_equal(n.chaind->pool.count, 3);
	for (unsigned i = 0; i < 3; i++)
		rc_buf_done(&raws[i]);
	node_free(&n);
	rc_loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pay_again),
		cmocka_unit_test(test_reorganised_before_it_is_on_the_disk),
		cmocka_unit_test(test_unread_block),
		cmocka_unit_test(test_undone_while_asked),
		cmocka_unit_test(test_on_its_way_back_and_of_a_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
