/*
 * Rules in states that no chain of today reaches, large transactions, the jobs of witnesses and
 * the order of what they find.
 */
#include "tests/unit/rc_test.h"

#include <stdlib.h>
#include <string.h>

#include "consensus/budget.h"
#include "consensus/header_check.h"
#include "tests/unit/mini_maker.h"

enum { MANY = 200 }; /* inputs: several jobs, and more than are compared pair by pair */

static struct maker maker;

static int setup(void **state)
{
	(void)state;
	maker_init(&maker);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	maker_done(&maker);
	return 0;
}

/* A payment of many inputs, with coins that exist only here. */
struct large {
	struct rc_tx tx;
	struct rc_tx_in inputs[MANY];
	struct rc_tx_out outputs[2];
	struct rc_coin_slot slots[MANY]; /* by outpoint, as collected */
	struct rc_coin coins[MANY];
	const struct rc_coin *coin_list[MANY];
};

static void large_init(struct large *l)
{
	const struct rc_lock lock = maker_lock(&maker);

	memset(l, 0, sizeof(*l));
	for (uint32_t i = 0; i < MANY; i++) {
		/* Not in the order of the outpoints. */
		l->inputs[i].prevout = (struct rc_outpoint){{{(uint8_t)(i * 7), 1}}, i};
		l->inputs[i].sequence = RC_SEQUENCE_FINAL;
		rc_coin_init(&l->coins[i], 1000, 1, false, &lock);
		l->coin_list[i] = &l->coins[i];
	}
	l->outputs[0] = (struct rc_tx_out){MANY * 1000, lock};
	l->tx = (struct rc_tx){.version = 1,
			       .n_inputs = MANY,
			       .n_outputs = 1,
			       .inputs = l->inputs,
			       .outputs = l->outputs};
}

static const struct rc_loose_context *loose(void)
{
	static struct rc_loose_context context;

	context = (struct rc_loose_context){&maker.chain.network, 100, 1000000};
	return &context;
}

static void test_many_inputs(void **state)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_loose_result result;
	struct large l;

	(void)state;
	large_init(&l);
	assert_int_equal(rc_tx_check(&l.tx, &arena), RC_VERDICT_OK);
	assert_int_equal(rc_tx_check_with_coins(loose(), &l.tx, l.coin_list, &result),
			 RC_VERDICT_OK);
	assert_true(result.fee == 0);
	l.inputs[MANY - 1].prevout = l.inputs[3].prevout;
	assert_int_equal(rc_tx_check(&l.tx, &arena), RC_V_TX_INPUT_TWICE);
	rc_arena_done(&arena);
}

/* The first failing input is named, and inputs come one by one. */
static void test_input_order(void **state)
{
	struct rc_loose_result result;
	struct large l;

	(void)state;
	large_init(&l);
	l.coin_list[9] = NULL;
	l.coins[5].coinbase = 1;
	l.coins[5].height = 99;
	l.coins[4].lock[0] = RC_LOCK_BOND;
	l.coins[4].lock_len = RC_LOCK_BOND_SIZE;
	assert_int_equal(rc_tx_check_with_coins(loose(), &l.tx, l.coin_list, &result),
			 RC_V_TX_INPUT_LOCK);
	assert_int_equal(result.bad_input, 4);
	l.coins[4] = l.coins[0];
	assert_int_equal(rc_tx_check_with_coins(loose(), &l.tx, l.coin_list, &result),
			 RC_V_TX_INPUT_IMMATURE);
	assert_int_equal(result.bad_input, 5);
	l.coins[5].height = 100 - MAKER_MATURITY; /* just ripe */
	assert_int_equal(rc_tx_check_with_coins(loose(), &l.tx, l.coin_list, &result),
			 RC_V_TX_INPUT_MISSING);
	assert_int_equal(result.bad_input, 9);
}

/* More money than there can be, in amounts that each are fine. */
static void test_amount_sums(void **state)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_loose_result result;
	struct large l;

	(void)state;
	large_init(&l);
	l.coins[0].amount = RC_SUPPLY_LIMIT;
	assert_int_equal(rc_tx_check_with_coins(loose(), &l.tx, l.coin_list, &result),
			 RC_V_AMOUNT_RANGE);
	assert_int_equal(result.bad_input, RC_NO_PLACE);
	l.outputs[1] = l.outputs[0];
	l.tx.n_outputs = 2;
	l.outputs[0].amount = RC_SUPPLY_LIMIT;
	assert_int_equal(rc_tx_check(&l.tx, &arena), RC_V_AMOUNT_RANGE);
	rc_arena_done(&arena);
}

static void test_lock_times(void **state)
{
	struct large l;

	(void)state;
	large_init(&l);
	l.tx.lock_time = 99;
	l.inputs[0].sequence--;
	assert_true(rc_tx_lock_time_holds(&l.tx, 100, 0));
	assert_false(rc_tx_lock_time_holds(&l.tx, 99, 0));
	l.tx.lock_time = RC_LOCK_TIME_IS_TIME;
	assert_false(rc_tx_lock_time_holds(&l.tx, 100, RC_LOCK_TIME_IS_TIME));
	assert_true(rc_tx_lock_time_holds(&l.tx, 0, RC_LOCK_TIME_IS_TIME + 1));
	l.inputs[0].sequence++;
	assert_true(rc_tx_lock_time_holds(&l.tx, 0, 0));
}

/* Counts calls; holds for signatures whose first byte isn't 0. */
static bool count_verify(void *arg, const uint8_t sig[64], const uint8_t message[32],
			 const uint8_t key[32])
{
	(void)message;
	(void)key;
	++*(unsigned *)arg;
	return sig[0] != 0;
}

/* A block with the large payment in it, as connect would see it after the body's rules. */
struct large_block {
	struct rc_arena arena;
	struct rc_buf raw;
	struct rc_block block;
	struct rc_connect_plan plan;
	struct rc_connect_context context;
	struct rc_connect_result result;
};

static enum rc_verdict connect_large(struct large_block *b, struct large *l)
{
	struct draft d;

	memset(b, 0, sizeof(*b));
	draft_init(&d, &maker);
	d.n_txs = 1;
	rc_tx_encode(&l->tx, &d.txs[0]);
	draft_encode(&d, &b->raw);
	rc_buf_done(&d.txs[0]);
	assert_int_equal(rc_block_check(b->raw.data, b->raw.len, &b->arena, &b->block),
			 RC_VERDICT_OK);
	rc_connect_collect(&b->block, &b->arena, &b->plan);
	assert_int_equal(b->plan.n_outpoints, MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		l->slots[i].present = true;
		l->slots[i].coin = l->coins[0];
		if (i)
			assert_true(rc_outpoint_cmp(&b->plan.outpoints[i - 1],
						    &b->plan.outpoints[i]) < 0);
	}
	b->context = (struct rc_connect_context){
		.network = &maker.chain.network,
		.median_time = mini_chain_median_time(maker.chain.tip),
		.governed = {.treasury = mini_chain_treasury(&maker.chain)},
	};
	b->context.parent_root = NULL; /* not known yet: not compared */
	return rc_connect_block(&b->context, &b->plan, l->slots, &b->arena, &b->result);
}

static void large_block_done(struct large_block *b)
{
	rc_buf_done(&b->raw);
	rc_arena_done(&b->arena);
}

/* Outpoints are collected in their order, each once, also where txids begin alike. */
static void test_collect_order(void **state)
{
	/* Their first four bytes, eight bytes, and all of them but the last are the same. */
	static const uint8_t places[] = {0, 4, 8, 31};
	struct rc_outpoint sorted[MANY];
	struct large_block b;
	struct large l;

	(void)state;
	maker.chain.network.params.block_limit = 100000;
	for (size_t p = 0; p < sizeof(places); p++) {
		large_init(&l);
		for (uint32_t i = 0; i < MANY; i++) {
			struct rc_outpoint *o = &l.inputs[i].prevout;

			*o = (struct rc_outpoint){.index = i * 0x01234567u};
			memset(o->txid.b, 0x5a, sizeof(o->txid.b));
			o->txid.b[places[p]] = (uint8_t)(i * 7 % 5);
			sorted[i] = *o;
		}
		assert_int_equal(connect_large(&b, &l), RC_VERDICT_OK);
		rc_outpoint_sort(sorted, MANY);
		for (uint32_t i = 0; i < MANY; i++)
			assert_true(rc_outpoint_eq(&b.plan.outpoints[i], &sorted[i]));
		for (uint32_t i = 0; i < MANY; i++)
			assert_true(rc_outpoint_eq(&b.plan.outpoints[b.plan.sources[i]],
						   &l.inputs[i].prevout));
		large_block_done(&b);
	}
	maker.chain.network.params.block_limit = MAKER_BLOCK_LIMIT;
}

/* 200 inputs take 4 jobs that share their hashes; each input is verified once. */
static void test_jobs(void **state)
{
	unsigned calls = 0, inputs = 0;
	const struct rc_sig_verifier verifier = {count_verify, &calls};
	struct rc_witness_finding worst = {.verdict = RC_VERDICT_OK};
	uint8_t good[66] = {1, 64, 1}, bad[66] = {1, 64, 0};
	struct large_block b;
	struct large l;

	(void)state;
	maker.chain.network.params.block_limit = 100000;
	large_init(&l);
	l.outputs[0].amount -= 5;
	for (uint32_t i = 0; i < MANY; i++) {
		l.inputs[i].witness = i == 70 || i == 131 ? bad : good;
		l.inputs[i].witness_len = sizeof(good);
	}
	assert_int_equal(connect_large(&b, &l), RC_VERDICT_OK);
	assert_int_equal(b.result.n_jobs, 4);
	assert_int_equal(b.result.budget, 100 * MANY);
	assert_true(b.result.fees == 5);
	assert_true(b.result.tx_fees[0] == 0 && b.result.tx_fees[1] == 5);
	assert_int_equal(b.result.delta.n_spent, MANY);
	assert_int_equal(b.result.delta.n_created, 2);
	for (uint32_t i = b.result.n_jobs; i-- > 0;) {
		const struct rc_witness_job *job = &b.result.jobs[i];
		struct rc_witness_finding f;

		assert_non_null(job->sighash);
		inputs += job->n_inputs;
		f = rc_witness_job_run(&maker.chain.network.id, job, &verifier);
		rc_witness_worse(&worst, &f);
	}
	assert_int_equal(inputs, MANY);
	/* Input 131 was found first, 70 is first in the document's order. */
	assert_int_equal(worst.verdict, RC_V_SIG_INVALID);
	assert_int_equal(worst.tx_index, 1);
	assert_int_equal(worst.input, 70);
	/* A job ends at its first failure. */
	assert_int_equal(calls, 64 + (70 - 64 + 1) + (131 - 128 + 1) + 8);
	large_block_done(&b);
	maker.chain.network.params.block_limit = MAKER_BLOCK_LIMIT;
}

static void test_worse(void **state)
{
	const struct rc_witness_finding ok = {RC_VERDICT_OK, 0, 0};
	const struct rc_witness_finding late = {RC_V_SIG_INVALID, 5, 0};
	const struct rc_witness_finding early = {RC_V_SIG_ENCODING, 2, 9};
	const struct rc_witness_finding earlier = {RC_V_WITNESS_EMPTY, 2, 3};
	struct rc_witness_finding worst = ok;

	(void)state;
	rc_witness_worse(&worst, &late);
	rc_witness_worse(&worst, &ok);
	assert_int_equal(worst.verdict, RC_V_SIG_INVALID);
	rc_witness_worse(&worst, &early);
	assert_int_equal(worst.verdict, RC_V_SIG_ENCODING);
	rc_witness_worse(&worst, &earlier);
	rc_witness_worse(&worst, &early);
	rc_witness_worse(&worst, &late);
	assert_int_equal(worst.verdict, RC_V_WITNESS_EMPTY);
}

/* A coin that another input of the block took is missing; so is one that isn't there. */
static void test_spent_twice(void **state)
{
	struct large_block b;
	struct large l;

	(void)state;
	maker.chain.network.params.block_limit = 100000;
	large_init(&l);
	assert_int_equal(connect_large(&b, &l), RC_VERDICT_OK);
	l.slots[17].present = false;
	assert_int_equal(rc_connect_block(&b.context, &b.plan, l.slots, &b.arena, &b.result),
			 RC_V_TX_INPUT_MISSING);
	assert_int_equal(b.result.bad_tx, 1);
	assert_true(rc_outpoint_eq(&b.block.txs[1].inputs[b.result.bad_input].prevout,
				   &b.plan.outpoints[17]));
	large_block_done(&b);
	maker.chain.network.params.block_limit = MAKER_BLOCK_LIMIT;
}

/* Two transactions, each with all the fee there can be. */
static void test_fees_sum(void **state)
{
	struct rc_coin_slot slots[2];
	struct rc_connect_result result;
	struct rc_connect_context context = {.network = &maker.chain.network};
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_connect_plan plan;
	struct rc_buf raw = RC_BUF_INIT;
	struct rc_block block;
	struct draft d;

	(void)state;
	draft_init(&d, &maker);
	for (d.n_txs = 0; d.n_txs < 2; d.n_txs++) {
		struct pay p;

		pay_init(&p, &maker, 1);
		p.inputs[0].prevout.txid.b[0] ^= (uint8_t)(1 + d.n_txs);
		p.outputs[0].amount = 0;
		pay_encode(&p, &d.txs[d.n_txs]);
		slots[d.n_txs].present = true;
		slots[d.n_txs].coin = p.coins[0];
		slots[d.n_txs].coin.amount = RC_SUPPLY_LIMIT;
		slots[d.n_txs].coin.coinbase = 0;
	}
	draft_encode(&d, &raw);
	assert_int_equal(rc_block_check(raw.data, raw.len, &arena, &block), RC_VERDICT_OK);
	rc_connect_collect(&block, &arena, &plan);
	assert_int_equal(rc_connect_block(&context, &plan, slots, &arena, &result),
			 RC_V_AMOUNT_RANGE);
	assert_int_equal(result.bad_tx, RC_NO_PLACE);
	slots[1].coin.amount = 0;
	assert_int_equal(rc_connect_block(&context, &plan, slots, &arena, &result), RC_VERDICT_OK);
	assert_true(result.fees == RC_SUPPLY_LIMIT);
	for (uint32_t i = 0; i < d.n_txs; i++)
		rc_buf_done(&d.txs[i]);
	rc_buf_done(&raw);
	rc_arena_done(&arena);
}

/* Spending within a block: of the transaction before, not of the one after, not twice. */
static void test_within_block(void **state)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf raw = RC_BUF_INIT;
	struct rc_txid first_txid;
	struct draft d;
	struct rc_tx tx;
	struct pay first, second;

	(void)state;
	pay_init(&first, &maker, 1);
	pay_sign(&first);
	pay_encode(&first, &raw);
	assert_true(rc_tx_decode(raw.data, raw.len, &arena, &tx));
	first_txid = tx.txid;
	for (int order = 0; order < 3; order++) {
		draft_init(&d, &maker);
		d.n_txs = 2;
		pay_init(&second, &maker, 1);
		second.inputs[0].prevout = (struct rc_outpoint){first_txid, order == 2};
		second.coins[0].coinbase = 0;
		second.coins[0].height = d.header.height;
		pay_sign(&second);
		rc_buf_put(&d.txs[order == 1], raw.data, raw.len);
		pay_encode(&second, &d.txs[order != 1]);
		if (order) {
			/* After it, or an output that isn't. */
			assert_int_equal(draft_offer(&d), RC_V_TX_INPUT_MISSING);
			continue;
		}
		assert_int_equal(draft_offer(&d), RC_VERDICT_OK);
		/* What was made and spent in the block is nowhere. */
		assert_null(mini_chain_coin(&maker.chain, &second.inputs[0].prevout));
		maker_done(&maker);
		maker_init(&maker);
	}
	rc_buf_done(&raw);
	rc_arena_done(&arena);
}

static void test_median(void **state)
{
	static const uint32_t times[] = {5, 1, 9, 3, 7, 2, 8, 4, 6, 11, 10};

	(void)state;
	assert_int_equal(rc_median_time(times, 1), 5);
	assert_int_equal(rc_median_time(times, 2), 5);
	assert_int_equal(rc_median_time(times, 3), 5);
	assert_int_equal(rc_median_time(times, 4), 5);
	assert_int_equal(rc_median_time(times, 11), 6);
}

/* An input without items costs nothing; long and short items that are no signatures neither. */
static void test_budget(void **state)
{
	static const struct {
		const char *witness;
		unsigned units;
	} rows[] = {
		{"00", 0},
		{"0100", 100},
		{"020000", 50},
		{"03000000", 50},
	};
	struct rc_tx_in in;
	struct rc_tx tx = {.n_inputs = 1, .inputs = &in};

	(void)state;
	for (size_t i = 0; i < RC_ARRAY_LEN(rows); i++) {
		RC_AUTOFREE uint8_t *witness = NULL;

		memset(&in, 0, sizeof(in));
		in.witness_len = (uint32_t)rc_test_hex(rows[i].witness, &witness);
		in.witness = witness;
		in.n_items = witness[0];
		assert_int_equal(rc_tx_budget(&tx), rows[i].units);
	}
	/* 63 to 66 bytes as arguments, and the last two items of a signature's length. */
	for (size_t len = 63; len <= 66; len++) {
		static const uint8_t zeros[66];
		const struct rc_bytes items[] = {{zeros, len}, {zeros, 64}, {zeros, 65}};
		struct rc_buf witness = RC_BUF_INIT;

		rc_witness_put(&witness, items, 3);
		in = (struct rc_tx_in){.n_items = 3,
				       .witness = witness.data,
				       .witness_len = (uint32_t)witness.len};
		assert_int_equal(rc_tx_budget(&tx), len == 64 || len == 65 ? 150 : 50);
		rc_buf_done(&witness);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_inputs),   cmocka_unit_test(test_input_order),
		cmocka_unit_test(test_amount_sums),   cmocka_unit_test(test_lock_times),
		cmocka_unit_test(test_collect_order), cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_worse),	      cmocka_unit_test(test_spent_twice),
		cmocka_unit_test(test_fees_sum),      cmocka_unit_test(test_within_block),
		cmocka_unit_test(test_median),	      cmocka_unit_test(test_budget),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
