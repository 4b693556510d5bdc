/* Coins in memory: what is kept beside the limit, and what is never given up. */
#include "rc_test.h"

#include <stdlib.h>
#include <string.h>

#include "daemons/utxod/coinmap.h"

#define LIMIT ((size_t)1 << 20)

static void outpoint_of(uint64_t number, struct rc_outpoint *ret)
{
	uint64_t x = number * UINT64_C(0x9e3779b97f4a7c15);

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->txid.b, &number, 8);
	memcpy(ret->txid.b + 8, &x, 8);
}

static void coins_of(uint64_t first, size_t n, struct rc_delta_coin *ret)
{
	memset(ret, 0, n * sizeof(*ret));
	for (size_t i = 0; i < n; i++) {
		outpoint_of(first + i, &ret[i].outpoint);
		ret[i].coin = (struct rc_coin){.amount = first + i, .height = 1, .lock_len = 33};
	}
}

/* As if the disk had said so. */
static void remember(struct coinmap *map, uint64_t first, size_t n)
{
	RC_AUTOFREE struct rc_outpoint *outpoints = rc_alloc_array(n, sizeof(*outpoints));
	RC_AUTOFREE struct rc_coin *coins = rc_alloc_array(n, sizeof(*coins));

	for (size_t i = 0; i < n; i++) {
		outpoint_of(first + i, &outpoints[i]);
		coins[i] = (struct rc_coin){.amount = first + i, .height = 1, .lock_len = 33};
	}
	coinmap_settle(map, &(struct coinmap_at){.seq = 1}, outpoints, n, coins);
}

static size_t found(struct coinmap *map, uint64_t seq, uint64_t first, size_t n)
{
	RC_AUTOFREE struct rc_outpoint *outpoints = rc_alloc_array(n, sizeof(*outpoints));
	RC_AUTOFREE struct rc_coin *coins = rc_alloc_array(n, sizeof(*coins));
	RC_AUTOFREE enum coinmap_answer *answers = rc_alloc_array(n, sizeof(*answers));
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		outpoint_of(first + i, &outpoints[i]);
	coinmap_get(map, &(struct coinmap_at){.seq = seq}, outpoints, n, coins, answers);
	for (size_t i = 0; i < n; i++) {
		if (answers[i] != COINMAP_FOUND)
			continue;
		assert_int_equal(coins[i].amount, first + i);
		count++;
	}
	return count;
}

/* What is asked for often stays, whatever is asked for once goes by; the limit holds meanwhile. */
static void test_limit(void **state)
{
	enum { OFTEN = 3000, ONCE = 500, ROUNDS = 200 };
	struct coinmap *map = coinmap_new(LIMIT, &rc_random_system);
	struct coinmap_figures figures;

	(void)state;
	remember(map, 0, OFTEN);
	for (uint64_t round = 1; round <= ROUNDS; round++) {
		found(map, 1, 0, OFTEN);
		remember(map, OFTEN + round * ONCE, ONCE);
		coinmap_figures(map, &figures);
		/* A table may have room for twice its slots, the entries for half as many again. */
		assert_true(figures.bytes <= LIMIT + LIMIT / 4);
	}
	assert_true(found(map, 1, 0, OFTEN) > OFTEN * 9 / 10);
	assert_true(figures.entries > LIMIT / 200);
	coinmap_free(map);
}

/* What isn't on the disk is never given up; once it is, it may go. */
static void test_exact(void **state)
{
	enum { MADE = 20000 };
	struct coinmap *map = coinmap_new(LIMIT, &rc_random_system);
	RC_AUTOFREE struct rc_delta_coin *made = rc_alloc_array(MADE, sizeof(*made));
	const struct coinmap_change change = {.made = made, .n_made = MADE};
	struct coinmap_figures figures;

	(void)state;
	coins_of(0, MADE, made);
	assert_int_equal(coinmap_apply(map, 5, &change), COINMAP_KNOWN);
	assert_int_equal(coinmap_apply(map, 6, &change), COINMAP_UNFIT);
	remember(map, MADE, MADE);
	assert_int_equal(found(map, 5, 0, MADE), MADE);
	assert_int_equal(found(map, 4, 0, MADE), 0);
	coinmap_retire(map, 5, &change);
	remember(map, 2 * MADE, MADE);
	coinmap_figures(map, &figures);
	assert_true(figures.entries < LIMIT / 100);
	coinmap_free(map);
}

/* What a version spends is there for the one before it, also where memory didn't know it. */
static void test_versions(void **state)
{
	enum { N = 1000 };
	struct coinmap *map = coinmap_new(LIMIT, &rc_random_system);
	RC_AUTOFREE struct rc_delta_coin *coins = rc_alloc_array(N, sizeof(*coins));
	const struct coinmap_change spends = {.spent = coins, .n_spent = N};
	const struct coinmap_change makes = {.made = coins, .n_made = N};

	(void)state;
	coins_of(0, N, coins);
	remember(map, 0, N / 2);
	assert_int_equal(coinmap_apply(map, 7, &spends), COINMAP_FITS);
	assert_int_equal(found(map, 6, 0, N), N);
	assert_int_equal(found(map, 7, 0, N), 0);
	/* Undone by a version above, and spent again. */
	assert_int_equal(coinmap_apply(map, 8, &makes), COINMAP_KNOWN);
	assert_int_equal(coinmap_apply(map, 9, &spends), COINMAP_KNOWN);
	for (uint64_t seq = 6; seq <= 9; seq++)
		assert_int_equal(found(map, seq, 0, N), seq % 2 ? 0 : N);
	coinmap_drop(map, 9, &spends);
	coins[N - 1].coin.amount++; /* not the coin that is there */
	assert_int_equal(coinmap_apply(map, 9, &spends), COINMAP_FITS);
	coinmap_retire(map, 7, &spends);
	coinmap_retire(map, 8, &makes);
	assert_int_equal(found(map, 8, 0, N), N);
	assert_int_equal(found(map, 9, 0, N), 0);
	coinmap_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
