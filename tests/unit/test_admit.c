/* Submissions of one transaction that meet on their way into the pool. */
#include "chaind_node.h"
#include "rc_test.h"

static void node_with_payment(struct test_node *n, struct rc_loop *loop, struct rc_buf *ret_raw)
{
	struct rc_outpoint outpoint;
	struct rc_coin coin;

	node_init(n, loop, "a");
	node_generate(n, 12);
	node_coinbase(n, 1, &outpoint, &coin);
	node_pay(n, &outpoint, &coin, 10000, 1, ret_raw);
}

/* Whoever submits what a peer brought before waits for the disk, also where another person does. */
static void test_submitted_twice(void **state)
{
	const struct admit_options person = {.local = true};
	struct rc_loop *loop = rc_loop_new();
	struct node_told first = {0}, second = {0}, third = {0};
	struct rc_buf raw = RC_BUF_INIT;
	struct test_node n;

	(void)state;
	node_with_payment(&n, loop, &raw);
	assert_int_equal(node_submit_tx(&n, &raw, 7, NULL), RC_VERDICT_OK);
	admit_submit(&n.chaind->admit, raw.data, raw.len, &person, node_tell_tx, &first);
	assert_int_equal(first.n, 0);
	admit_submit(&n.chaind->admit, raw.data, raw.len, &person, node_tell_tx, &second);
	assert_int_equal(second.n, 0);
	node_wait(loop, node_is_told, &first, "the first is on the disk");
	node_wait(loop, node_is_told, &second, "the second is on the disk");
	/* Now it is there. */
	admit_submit(&n.chaind->admit, raw.data, raw.len, &person, node_tell_tx, &third);
	assert_int_equal(third.n, 1);
	assert_int_equal(third.verdict, RC_VERDICT_OK);
	rc_buf_done(&raw);
	node_free(&n);
	rc_loop_free(loop);
}

/* A test of a transaction that is under way doesn't keep a later submission from joining it. */
static void test_tested_meanwhile(void **state)
{
	const struct admit_options person = {.local = true}, test = {.test_only = true};
	struct rc_loop *loop = rc_loop_new();
	struct node_told first = {0}, tested = {0}, second = {0};
	struct rc_buf raw = RC_BUF_INIT;
	struct rc_outpoint outpoint;
	struct rc_coin coin;
	struct test_node n;

	(void)state;
	node_with_payment(&n, loop, &raw);
	admit_submit(&n.chaind->admit, raw.data, raw.len, &person, node_tell_tx, &first);
	admit_submit(&n.chaind->admit, raw.data, raw.len, &test, node_tell_tx, &tested);
	admit_submit(&n.chaind->admit, raw.data, raw.len, &person, node_tell_tx, &second);
	node_wait(loop, node_is_told, &first, "a verdict");
	node_wait(loop, node_is_told, &tested, "a verdict");
	node_wait(loop, node_is_told, &second, "a verdict");
	assert_int_equal(first.verdict, RC_VERDICT_OK);
	assert_int_equal(tested.verdict, RC_VERDICT_OK);
	assert_int_equal(second.verdict, RC_VERDICT_OK);
	assert_int_equal(n.chaind->pool.count, 1);

	/* One that is still under way at the end is told so. */
	rc_buf_clear(&raw);
	tested = (struct node_told){0};
	node_coinbase(&n, 2, &outpoint, &coin);
	node_pay(&n, &outpoint, &coin, 10000, 1, &raw);
	admit_submit(&n.chaind->admit, raw.data, raw.len, &test, node_tell_tx, &tested);
	node_stop_chaind(&n);
	assert_int_equal(tested.n, 1);
	assert_int_equal(tested.err, RC_EUNAVAILABLE);
	node_start_chaind(&n);
	rc_buf_done(&raw);
	node_free(&n);
	rc_loop_free(loop);
}

/* The greatest fee rate is each submission's own, also of one that joins another. */
static void test_fee_limits(void **state)
{
	struct rc_loop *loop = rc_loop_new();
	struct node_told any = {0}, low = {0}, high = {0}, alone = {0};
	struct admit_options options = {.peer = 7};
	struct test_node n;
	struct rc_outpoint outpoint;
	struct rc_coin coin;
	struct rc_buf raw = RC_BUF_INIT;
	uint64_t rate;

	(void)state;
	node_init(&n, loop, "a");
	node_generate(&n, 12);
	node_coinbase(&n, 1, &outpoint, &coin);
	node_pay(&n, &outpoint, &coin, 10000, 1, &raw);
	rate = UINT64_C(10000) * 1000 / raw.len;

	options = (struct admit_options){.local = true, .max_fee_rate = rate};
	admit_submit(&n.chaind->admit, raw.data, raw.len, &options, node_tell_tx, &alone);
	node_wait(loop, node_is_told, &alone, "a verdict");
	assert_int_equal(alone.verdict, RC_V_POOL_MAX_FEE);
	assert_int_equal(n.chaind->pool.count, 0);

	options = (struct admit_options){.peer = 7};
	admit_submit(&n.chaind->admit, raw.data, raw.len, &options, node_tell_tx, &any);
	options = (struct admit_options){.local = true, .max_fee_rate = rate};
	admit_submit(&n.chaind->admit, raw.data, raw.len, &options, node_tell_tx, &low);
	options = (struct admit_options){.local = true, .max_fee_rate = rate + 1};
	admit_submit(&n.chaind->admit, raw.data, raw.len, &options, node_tell_tx, &high);
	node_wait(loop, node_is_told, &any, "a verdict");
	node_wait(loop, node_is_told, &high, "a verdict");
	assert_int_equal(any.verdict, RC_VERDICT_OK);
	assert_int_equal(low.n, 1);
	assert_int_equal(low.verdict, RC_V_POOL_MAX_FEE);
	assert_int_equal(high.verdict, RC_VERDICT_OK);
	assert_int_equal(n.chaind->pool.count, 1);
	rc_buf_done(&raw);
	node_free(&n);
	rc_loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_submitted_twice),
		cmocka_unit_test(test_tested_meanwhile),
		cmocka_unit_test(test_fee_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
