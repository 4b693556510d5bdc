/* The pool: limits, replacement, eviction, blocks, reorganisations; and against a naive one. */
#include <stdlib.h>
#include <string.h>

#include "daemons/chaind/orphans.h"
#include "daemons/chaind/template.h"
#include "pool_world.h"

#define NOW 2000

struct world {
	struct mempool pool;
	struct rc_test_random t;
	unsigned removed[POOL_REMOVALS];
};

static void on_removed(void *arg, const struct pool_tx *tx, enum pool_removal why)
{
	struct world *w = arg;

	(void)tx;
	w->removed[why]++;
}

static void world_init(struct world *w, const struct pool_limits *limits)
{
	memset(w, 0, sizeof(*w));
	rc_test_random_init(&w->t);
	mempool_init(&w->pool, limits ? limits : &pool_limits_default, on_removed, w);
}

static void world_done(struct world *w)
{
	assert_true(mempool_consistent(&w->pool));
	mempool_done(&w->pool);
}

static void fresh(struct world *w, struct made_tx *m, uint32_t n_outputs, rc_amount fee)
{
	struct rc_outpoint o;

	made_outpoint(&w->t, &o);
	made_tx_init(m, &o, 1, n_outputs, fee, 0);
}

static void spend(struct made_tx *m, const struct made_tx *of, uint32_t index, rc_amount fee)
{
	struct rc_outpoint o = made_output(of, index);

	made_tx_init(m, &o, 1, 2, fee, 0);
}

static void test_form(void **state)
{
	struct pool_limits limits = pool_limits_default;
	struct world w;
	struct made_tx m;

	(void)state;
	world_init(&w, &limits);
	fresh(&w, &m, 1, 1000);
	assert_int_equal(mempool_check_form(&w.pool, &m.tx), RC_VERDICT_OK);
	w.pool.limits.size_max = (uint32_t)m.raw.len - 1;
	assert_int_equal(mempool_check_form(&w.pool, &m.tx), RC_V_POOL_SIZE);
	w.pool.limits = limits;
	w.pool.limits.dust = 100001;
	assert_int_equal(mempool_check_form(&w.pool, &m.tx), RC_V_POOL_DUST);
	w.pool.limits = limits;
	m.tx.outputs[0].lock.kind = RC_LOCK_DATA;
	m.tx.outputs[0].amount = 0;
	assert_int_equal(mempool_check_form(&w.pool, &m.tx), RC_VERDICT_OK);
	w.pool.limits.data_max = 0;
	assert_int_equal(mempool_check_form(&w.pool, &m.tx), RC_V_POOL_DATA);
	made_tx_done(&m);
	world_done(&w);
}

static void test_fee(void **state)
{
	struct world w;
	struct made_tx m;

	(void)state;
	world_init(&w, NULL);
	fresh(&w, &m, 1, 0);
	m.facts.fee = m.raw.len - 1; /* one oxide a byte is the least */
	assert_int_equal(made_add(&w.pool, &m, NOW), RC_V_POOL_FEE);
	m.facts.fee = m.raw.len;
	assert_int_equal(made_add(&w.pool, &m, NOW), RC_VERDICT_OK);
	assert_int_equal(made_add(&w.pool, &m, NOW), RC_V_POOL_CONFLICT);
	made_tx_done(&m);
	world_done(&w);
}

/* 25 ancestors are fine, 26 are not; likewise descendants. */
static void test_family(void **state)
{
	struct made_tx chain[28], fan[27], root;
	struct world w;

	(void)state;
	world_init(&w, NULL);
	fresh(&w, &chain[0], 2, 10000);
	assert_int_equal(made_add(&w.pool, &chain[0], NOW), RC_VERDICT_OK);
	for (int i = 1; i <= 26; i++) {
		spend(&chain[i], &chain[i - 1], 0, 10000);
		assert_int_equal(made_add(&w.pool, &chain[i], NOW),
				 i <= 25 ? RC_VERDICT_OK : RC_V_POOL_ANCESTORS);
	}
	assert_int_equal(w.pool.count, 26);
	/* The first one's 26th descendant, by another way. */
	spend(&chain[27], &chain[0], 1, 10000);
	assert_int_equal(made_add(&w.pool, &chain[27], NOW), RC_V_POOL_DESCENDANTS);
	fresh(&w, &root, 30, 10000);
	assert_int_equal(made_add(&w.pool, &root, NOW), RC_VERDICT_OK);
	for (uint32_t i = 0; i <= 25; i++) {
		spend(&fan[i], &root, i, 10000);
		assert_int_equal(made_add(&w.pool, &fan[i], NOW),
				 i < 25 ? RC_VERDICT_OK : RC_V_POOL_DESCENDANTS);
	}
	/* A replacement of one of them makes room for itself. */
	{
		struct rc_outpoint o = made_output(&root, 3);

		made_tx_init(&fan[26], &o, 1, 1, 50000, 0);
	}
	assert_int_equal(made_add(&w.pool, &fan[26], NOW), RC_VERDICT_OK);
	assert_int_equal(w.removed[POOL_REPLACED], 1);
	for (int i = 0; i < 28; i++)
		made_tx_done(&chain[i]);
	for (int i = 0; i < 27; i++)
		made_tx_done(&fan[i]);
	made_tx_done(&root);
	world_done(&w);
}

static void test_replacement(void **state)
{
	struct rc_outpoint o[2];
	struct made_tx first, child, second, other;
	struct world w;

	(void)state;
	world_init(&w, NULL);
	made_outpoint(&w.t, &o[0]);
	made_tx_init(&first, o, 1, 2, 10000, 0);
	assert_int_equal(made_add(&w.pool, &first, NOW), RC_VERDICT_OK);
	spend(&child, &first, 0, 5000);
	assert_int_equal(made_add(&w.pool, &child, NOW), RC_VERDICT_OK);

	/* All that goes, and one oxide a byte of its own. */
	made_tx_init(&second, o, 1, 1, 0, 0);
	second.facts.fee = 15000 + second.raw.len - 1;
	assert_int_equal(made_add(&w.pool, &second, NOW), RC_V_POOL_REPLACEMENT);
	second.facts.fee++;
	assert_int_equal(made_add(&w.pool, &second, NOW), RC_VERDICT_OK);
	assert_int_equal(w.pool.count, 1);
	assert_int_equal(w.removed[POOL_REPLACED], 2);
	made_tx_done(&second);
	made_tx_done(&child);
	made_tx_done(&first);

	/* A higher fee but a lower rate. */
	made_outpoint(&w.t, &o[0]);
	made_tx_init(&first, o, 1, 1, 10000, 0);
	assert_int_equal(made_add(&w.pool, &first, NOW), RC_VERDICT_OK);
	made_tx_init(&second, o, 1, 2, 60000, 2000);
	assert_int_equal(made_add(&w.pool, &second, NOW), RC_V_POOL_REPLACEMENT);
	made_tx_done(&second);

	/* It adds an unconfirmed input. */
	fresh(&w, &other, 2, 10000);
	assert_int_equal(made_add(&w.pool, &other, NOW), RC_VERDICT_OK);
	o[1] = made_output(&other, 0);
	made_tx_init(&second, o, 2, 1, 90000, 0);
	assert_int_equal(made_add(&w.pool, &second, NOW), RC_V_POOL_REPLACEMENT);
	made_tx_done(&second);

	/* It needs what it would evict. */
	o[1] = made_output(&first, 0);
	made_tx_init(&second, o, 2, 1, 90000, 0);
	assert_int_equal(made_add(&w.pool, &second, NOW), RC_V_POOL_CONFLICT);
	made_tx_done(&second);
	made_tx_done(&first);
	made_tx_done(&other);
	world_done(&w);
}

static void test_replaces_too_many(void **state)
{
	struct pool_limits limits = pool_limits_default;
	struct rc_outpoint o[POOL_TX_INPUTS_MAX];
	struct made_tx m, big;
	struct world w;

	(void)state;
	limits.replace_max = 5;
	world_init(&w, &limits);
	for (int i = 0; i < 6; i++) {
		made_outpoint(&w.t, &o[i]);
		made_tx_init(&m, &o[i], 1, 1, 1000, 0);
		assert_int_equal(made_add(&w.pool, &m, NOW), RC_VERDICT_OK);
		made_tx_done(&m);
	}
	made_tx_init(&big, o, 6, 1, 900000, 0);
	assert_int_equal(made_add(&w.pool, &big, NOW), RC_V_POOL_REPLACEMENT);
	made_tx_done(&big);
	made_tx_init(&big, o, 5, 1, 900000, 0);
	assert_int_equal(made_add(&w.pool, &big, NOW), RC_VERDICT_OK);
	assert_int_equal(w.pool.count, 2);
	made_tx_done(&big);
	world_done(&w);
}

/* A full pool drops the lowest descendant rate, and asks for more afterwards, less with time. */
static void test_eviction(void **state)
{
	struct pool_limits limits = pool_limits_default;
	struct world w;
	struct made_tx m;
	uint64_t rate;

	(void)state;
	limits.bytes_max = 100000;
	world_init(&w, &limits);
	for (int i = 0; i < 300; i++) {
		fresh(&w, &m, 1, 1000 + (rc_amount)rc_random_below(&w.t.random, 100000));
		made_add(&w.pool, &m, NOW);
		made_tx_done(&m);
		assert_true(w.pool.usage <= limits.bytes_max);
	}
	assert_true(w.removed[POOL_EVICTED] > 50);
	rate = mempool_min_fee_rate(&w.pool, NOW);
	assert_true(rate > limits.min_fee_rate);
	for (struct pool_tx *tx = w.pool.oldest; tx; tx = tx->newer)
		assert_true(fee_rate_compare(tx->desc_fee, tx->desc_size, rate, 1000) >= -1);
	fresh(&w, &m, 1, 300);
	assert_int_equal(made_add(&w.pool, &m, NOW), RC_V_POOL_FEE);
	assert_true(mempool_min_fee_rate(&w.pool, NOW + 7200) < rate);
	assert_int_equal(mempool_min_fee_rate(&w.pool, NOW + 86400 * 30), limits.min_fee_rate);
	made_tx_done(&m);
	world_done(&w);
}

static void test_expiry(void **state)
{
	struct world w;
	struct pool_cursor walk;
	struct made_tx a, b;

	(void)state;
	world_init(&w, NULL);
	fresh(&w, &a, 2, 10000);
	assert_int_equal(made_add(&w.pool, &a, NOW), RC_VERDICT_OK);
	spend(&b, &a, 0, 10000);
	b.facts.time = 5000;
	assert_int_equal(made_add(&w.pool, &b, NOW), RC_VERDICT_OK);
	mempool_walk_start(&w.pool, &walk);
	assert_int_equal(mempool_expire(&w.pool, &walk, 10, 1000 + w.pool.limits.expiry), 0);
	mempool_walk_again(&w.pool, &walk);
	assert_int_equal(mempool_expire(&w.pool, &walk, 0, 1001 + w.pool.limits.expiry), 0);
	assert_int_equal(mempool_expire(&w.pool, &walk, 1, 1001 + w.pool.limits.expiry), 2);
	mempool_walk_end(&w.pool, &walk);
	made_tx_done(&a);
	made_tx_done(&b);
	world_done(&w);
}

/* A walk that rests meets what stays, once each, and what comes; never what has gone. */
static void test_walk(void **state)
{
	struct pool_cursor walk, other;
	struct made_tx txs[8];
	struct world w;

	(void)state;
	world_init(&w, NULL);
	mempool_walk_start(&w.pool, &walk);
	assert_null(mempool_walk_next(&walk));
	for (unsigned i = 0; i < 6; i++) {
		fresh(&w, &txs[i], 1, 10000);
		assert_int_equal(made_add(&w.pool, &txs[i], NOW), RC_VERDICT_OK);
	}
	mempool_walk_start(&w.pool, &other);
	assert_ptr_equal(mempool_walk_next(&walk), mempool_find(&w.pool, &txs[0].tx.txid));
	assert_ptr_equal(mempool_walk_next(&walk), mempool_find(&w.pool, &txs[1].tx.txid));
	/* One that was met, and the two that are next. */
	for (unsigned i = 1; i <= 3; i++)
		mempool_remove(&w.pool, mempool_find(&w.pool, &txs[i].tx.txid), POOL_CONFLICT);
	assert_ptr_equal(mempool_walk_next(&walk), mempool_find(&w.pool, &txs[4].tx.txid));
	assert_ptr_equal(mempool_walk_next(&walk), mempool_find(&w.pool, &txs[5].tx.txid));
	for (unsigned i = 6; i < 8; i++) {
		fresh(&w, &txs[i], 1, 10000);
		assert_int_equal(made_add(&w.pool, &txs[i], NOW), RC_VERDICT_OK);
	}
	assert_ptr_equal(mempool_walk_next(&walk), mempool_find(&w.pool, &txs[6].tx.txid));
	mempool_remove(&w.pool, mempool_find(&w.pool, &txs[7].tx.txid), POOL_CONFLICT);
	assert_null(mempool_walk_next(&walk));
	assert_ptr_equal(mempool_walk_next(&other), mempool_find(&w.pool, &txs[0].tx.txid));
	assert_ptr_equal(mempool_walk_next(&other), mempool_find(&w.pool, &txs[4].tx.txid));
	mempool_walk_end(&w.pool, &walk);
	mempool_walk_end(&w.pool, &other);
	for (unsigned i = 0; i < 8; i++)
		made_tx_done(&txs[i]);
	world_done(&w);
}

static void test_block(void **state)
{
	struct rc_outpoint o, made;
	struct made_tx a, b, c, rival;
	struct rc_outpoint asked[5 * MEMPOOL_FETCH_AHEAD];
	const struct rc_coin *coins[RC_ARRAY_LEN(asked)];
	struct rc_block block = {0};
	struct rc_tx txs[2];
	struct world w;

	(void)state;
	world_init(&w, NULL);
	made_outpoint(&w.t, &o);
	fresh(&w, &a, 2, 10000);
	spend(&b, &a, 0, 10000);
	made_tx_init(&c, &o, 1, 1, 10000, 0);
	made_tx_init(&rival, &o, 1, 2, 10000, 0);
	assert_int_equal(made_add(&w.pool, &a, NOW), RC_VERDICT_OK);
	assert_int_equal(made_add(&w.pool, &b, NOW), RC_VERDICT_OK);
	assert_int_equal(made_add(&w.pool, &c, NOW), RC_VERDICT_OK);
	/* Coins of the state are known, those of the pool's own aren't of the state. */
	made = made_output(&a, 0);
	for (size_t i = 0; i < RC_ARRAY_LEN(asked); i++)
		asked[i] = i % 2 ? o : made;
	mempool_state_coins(&w.pool, asked, RC_ARRAY_LEN(asked), coins);
	for (size_t i = 0; i < RC_ARRAY_LEN(asked); i++) {
		if (i % 2)
			assert_memory_equal(coins[i], &c.coins[0], sizeof(c.coins[0]));
		else
			assert_null(coins[i]);
	}
	txs[0] = a.tx;
	txs[1] = rival.tx;
	block.txs = txs;
	block.n_txs = 2;
	block.header.height = 50;
	mempool_block(&w.pool, &block);
	assert_int_equal(w.removed[POOL_IN_BLOCK], 1);
	assert_int_equal(w.removed[POOL_CONFLICT], 1);
	assert_int_equal(w.pool.count, 1);
	assert_int_equal(w.pool.oldest->anc_count, 1);
	mempool_state_coins(&w.pool, asked, 2, coins);
	assert_int_equal(coins[0]->height, 50);
	assert_null(coins[1]);
	/* b spends a coin of block 50 now: a reorganisation to 49 unsettles it, to 50 doesn't. */
	assert_int_equal(mempool_unsettle(&w.pool, 50, 60, 0), 0);
	assert_int_equal(mempool_unsettle(&w.pool, 49, 60, 0), 1);
	assert_int_equal(w.removed[POOL_REORGANISED], 1);
	made_tx_done(&a);
	made_tx_done(&b);
	made_tx_done(&c);
	made_tx_done(&rival);
	world_done(&w);
}

/* ---- against a naive pool ---- */

static bool naive_descends(const struct pool_tx *tx, const struct pool_tx *from)
{
	if (tx == from)
		return true;
	for (uint32_t i = 0; i < tx->n_parents; i++) {
		if (naive_descends(tx->parents[i], from))
			return true;
	}
	return false;
}

static void check_naively(struct world *w)
{
	for (struct pool_tx *tx = w->pool.oldest; tx; tx = tx->newer) {
		uint32_t down = 0, up = 0;

		for (struct pool_tx *o = w->pool.oldest; o; o = o->newer) {
			down += naive_descends(o, tx);
			up += naive_descends(tx, o);
		}
		assert_int_equal(down, tx->desc_count);
		assert_int_equal(up, tx->anc_count);
		assert_true(up <= w->pool.limits.ancestors_max + 1);
		assert_true(down <= w->pool.limits.descendants_max + 1);
		for (uint32_t i = 0; i < tx->tx.n_inputs; i++)
			assert_ptr_equal(mempool_spender(&w->pool, &tx->tx.inputs[i].prevout), tx);
	}
}

static void random_outpoint(struct world *w, struct rc_outpoint *ret)
{
	size_t skip = w->pool.count ? rc_random_below(&w->t.random, w->pool.count) : 0;
	struct pool_tx *tx = w->pool.newest;

	if (!tx || rc_random_below(&w->t.random, 3) == 0) {
		/* Few coins of the state, so that some are spent twice. */
		memset(ret, 0, sizeof(*ret));
		ret->txid.b[0] = (uint8_t)rc_random_below(&w->t.random, 60);
		return;
	}
	while (skip-- && tx->older)
		tx = tx->older;
	*ret = (struct rc_outpoint){tx->tx.txid,
				    (uint32_t)rc_random_below(&w->t.random, tx->tx.n_outputs)};
}

static void random_step(struct world *w)
{
	struct rc_outpoint o[3];
	struct made_tx m;
	size_t n = 1 + rc_random_below(&w->t.random, 3);

	if (w->pool.count && rc_random_below(&w->t.random, 40) == 0) {
		mempool_remove(&w->pool, w->pool.oldest, POOL_EXPIRED);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		random_outpoint(w, &o[i]);
		for (size_t j = 0; j < i; j++)
			n = rc_outpoint_eq(&o[i], &o[j]) ? i : n;
	}
	made_tx_init(&m, o, n, 1 + (uint32_t)rc_random_below(&w->t.random, 4),
		     400 + rc_random_below(&w->t.random, 20000), 0);
	made_add(&w->pool, &m, NOW);
	made_tx_done(&m);
}

static void test_random(void **state)
{
	struct pool_limits limits = pool_limits_default;
	struct world w;

	(void)state;
	limits.ancestors_max = 6;
	limits.descendants_max = 6;
	limits.bytes_max = 150000;
	world_init(&w, &limits);
	for (int i = 0; i < 4000; i++) {
		random_step(&w);
		if (i % 100 == 0) {
			check_naively(&w);
			assert_true(mempool_consistent(&w.pool));
		}
	}
	assert_true(w.removed[POOL_REPLACED] > 10);
	check_naively(&w);
	world_done(&w);
}

/* ---- templates ---- */

/* Parents first, within the limits, fees as summed; and no package that is left out would have paid
 * more than one that is in and could give way. */
static void check_template(struct world *w, uint64_t bytes_max, const struct template_list *list)
{
	uint64_t bytes = 0, fees = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct pool_tx *tx = list->txs[i].tx;

		bytes += tx->tx.raw.len;
		fees += tx->facts.fee;
		assert_int_equal(list->txs[i].n_depends, tx->n_parents);
		for (uint32_t j = 0; j < list->txs[i].n_depends; j++) {
			uint32_t at = list->txs[i].depends[j];

			assert_true(at >= 1 && at <= i);
			assert_ptr_equal(list->txs[at - 1].tx, tx->parents[j]);
		}
		for (size_t j = 0; j < i; j++)
			assert_ptr_not_equal(list->txs[j].tx, tx);
	}
	assert_true(bytes <= bytes_max);
	assert_int_equal(bytes, list->bytes);
	assert_int_equal(fees, list->fees);
	if (w->pool.bytes <= bytes_max)
		assert_int_equal(list->n, w->pool.count);
}

static void test_template(void **state)
{
	struct template_list list;
	struct made_tx low, high, plain;
	struct world w;

	(void)state;
	world_init(&w, NULL);
	/* A child that pays for its parent goes before what pays in between. */
	fresh(&w, &low, 2, 300);
	spend(&high, &low, 0, 30000);
	fresh(&w, &plain, 1, 2000);
	assert_int_equal(made_add(&w.pool, &low, NOW), RC_VERDICT_OK);
	assert_int_equal(made_add(&w.pool, &plain, NOW), RC_VERDICT_OK);
	assert_int_equal(made_add(&w.pool, &high, NOW), RC_VERDICT_OK);
	template_choose(&w.pool, low.raw.len + high.raw.len, 1000, 11, 0, &list);
	assert_int_equal(list.n, 2);
	assert_memory_equal(&list.txs[0].tx->tx.txid, &low.tx.txid, 32);
	assert_memory_equal(&list.txs[1].tx->tx.txid, &high.tx.txid, 32);
	template_list_done(&list);
	/* The budget counts too. */
	template_choose(&w.pool, 100000, 200, 11, 0, &list);
	assert_int_equal(list.n, 2);
	template_list_done(&list);
	template_choose(&w.pool, 100000, 100000, 11, 0, &list);
	assert_int_equal(list.n, 3);
	template_list_done(&list);
	made_tx_done(&low);
	made_tx_done(&high);
	made_tx_done(&plain);
	for (int round = 0; round < 40; round++) {
		uint64_t max;

		for (int i = 0; i < 30; i++)
			random_step(&w);
		max = rc_random_below(&w.t.random, w.pool.bytes + 2000);
		template_choose(&w.pool, max, 1000000, 11, 0, &list);
		check_template(&w, max, &list);
		template_list_done(&list);
	}
	world_done(&w);
}

static void test_orphans(void **state)
{
	struct orphans orphans = {0};
	struct rc_test_random t;
	struct rc_outpoint o;
	struct orphan *got;
	struct made_tx m;

	(void)state;
	rc_test_random_init(&t);
	for (unsigned i = 0; i < ORPHANS_MAX + 20; i++) {
		made_outpoint(&t, &o);
		made_tx_init(&m, &o, 1, 1, 1000, 0);
		assert_true(orphans_add(&orphans, &m.tx, &o.txid, 1, 1, 100 + i));
		assert_false(orphans_add(&orphans, &m.tx, &o.txid, 1, 1, 100 + i));
		assert_true(orphans_count(&orphans) <= ORPHANS_MAX);
		if (i < ORPHANS_MAX + 19)
			made_tx_done(&m);
	}
	assert_true(orphans_has(&orphans, &m.tx.wtxid));
	got = orphans_take_child(&orphans, &o.txid);
	assert_non_null(got);
	assert_memory_equal(got->raw, m.raw.data, m.raw.len);
	free(got);
	assert_null(orphans_take_child(&orphans, &o.txid));
	orphans_expire(&orphans, 100 + 30 + ORPHAN_SECONDS);
	assert_int_equal(orphans_count(&orphans), ORPHANS_MAX - 1 - 11);
	made_tx_done(&m);
	orphans_done(&orphans);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_fee),
		cmocka_unit_test(test_family),
		cmocka_unit_test(test_replacement),
		cmocka_unit_test(test_replaces_too_many),
		cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_block),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_template),
		cmocka_unit_test(test_orphans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
