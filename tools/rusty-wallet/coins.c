/* See coins.h. */
#include "tools/rusty-wallet/coins.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

#define SEARCH_STEPS 100000

/* Coins that may be used, largest first; ties by outpoint, so that the order of the node's answer
 * doesn't matter. */
struct pool {
	const struct wallet_coin *coins;
	const struct wallet_order *order;
	size_t *by_size;
	size_t n;
};

static size_t count_size(size_t n)
{
	return n < 253 ? 1 : 3;
}

uint64_t wallet_payment_size(size_t n_inputs, size_t n_outputs)
{
	/* version, type, lock_time, empty payload */
	return 2 + 2 + 4 + 1 + count_size(n_inputs) + n_inputs * WALLET_INPUT_SIZE +
	       count_size(n_outputs) + n_outputs * WALLET_OUTPUT_SIZE;
}

bool wallet_coin_mature(const struct wallet_coin *coin, const struct wallet_order *order)
{
	return !coin->coinbase ||
	       (coin->confirmed &&
		(uint64_t)order->tip + 1 >= (uint64_t)coin->height + order->maturity);
}

static rc_amount fee_of(const struct wallet_order *order, size_t n_inputs, size_t n_outputs)
{
	if (order->fixed_fee)
		return order->fee;
	/* At most 10^6 oxides a byte and 10^5 bytes: no overflow. */
	return order->fee_rate * wallet_payment_size(n_inputs, n_outputs);
}

/* The receiver pays the fee out of paid oxides. False if too little is left for him. */
static bool settle_subtracted(const struct wallet_order *order, rc_amount sum, rc_amount paid,
			      size_t n_inputs, struct wallet_choice *choice)
{
	rc_amount rest = sum - paid, fee;

	if (rest < WALLET_DUST) {
		fee = fee_of(order, n_inputs, 1);
		fee = fee > rest ? fee - rest : 0; /* the dust is part of it */
		choice->change = 0;
	} else {
		fee = fee_of(order, n_inputs, 2);
		choice->change = rest;
	}
	if (fee > paid || paid - fee < WALLET_DUST)
		return false;
	choice->paid = paid - fee;
	choice->fee = sum - choice->paid - choice->change;
	return true;
}

/* What n_inputs coins of this sum make of the order; false if they don't suffice. */
static bool settle(const struct wallet_order *order, rc_amount sum, size_t n_inputs,
		   struct wallet_choice *choice)
{
	rc_amount amount = order->all ? sum : order->amount, rest, fee;

	if (sum < amount)
		return false;
	if (order->subtract_fee || order->all)
		return settle_subtracted(order, sum, amount, n_inputs, choice);
	rest = sum - amount;
	choice->paid = amount;
	fee = fee_of(order, n_inputs, 2);
	if (rest >= fee && rest - fee >= WALLET_DUST) {
		choice->change = rest - fee;
		choice->fee = fee;
		return true;
	}
	choice->change = 0;
	choice->fee = rest;
	return rest >= fee_of(order, n_inputs, 1);
}

static int by_size(const void *a, const void *b, void *arg)
{
	const struct wallet_coin *coins = arg;
	const struct wallet_coin *x = &coins[*(const size_t *)a], *y = &coins[*(const size_t *)b];

	if (x->amount != y->amount)
		return x->amount < y->amount ? 1 : -1;
	return rc_outpoint_cmp(&x->at, &y->at);
}

static int by_outpoint(const void *a, const void *b, void *arg)
{
	const struct wallet_coin *coins = arg;

	return rc_outpoint_cmp(&coins[*(const size_t *)a].at, &coins[*(const size_t *)b].at);
}

static bool may_spend(const struct wallet_coin *coin, const struct wallet_order *order,
		      bool unconfirmed_change)
{
	if (order->named)
		return true;
	if (!wallet_coin_mature(coin, order))
		return false;
	if (!order->fixed_fee && coin->amount <= order->fee_rate * WALLET_INPUT_SIZE)
		return false; /* costs more than it brings */
	return coin->confirmed || (unconfirmed_change && coin->chain == 1);
}

static void pool_fill(struct pool *pool, size_t n_coins, bool unconfirmed_change)
{
	pool->n = 0;
	for (size_t i = 0; i < n_coins; i++)
		if (may_spend(&pool->coins[i], pool->order, unconfirmed_change))
			pool->by_size[pool->n++] = i;
	qsort_r(pool->by_size, pool->n, sizeof(size_t), by_size, (void *)pool->coins);
}

/* ---- a set that needs no change ---- */

struct search {
	const struct pool *pool;
	rc_amount need, slack; /* a sum of need … need + slack is a match */
	rc_amount cost;	       /* of an input, taken off each coin's amount */
	size_t *path, depth;
	size_t *best, best_n;
	rc_amount best_excess;
	size_t usable; /* coins that are worth more than their input costs */
	unsigned steps;
};

static rc_amount worth(const struct search *s, size_t i)
{
	return s->pool->coins[s->pool->by_size[i]].amount - s->cost;
}

static bool found_enough(struct search *s, rc_amount sum)
{
	if (sum < s->need)
		return false;
	if (sum - s->need < s->best_excess && s->depth) {
		s->best_excess = sum - s->need;
		s->best_n = s->depth;
		memcpy(s->best, s->path, s->depth * sizeof(size_t));
	}
	return true;
}

/* Tries coin i and those after it, in order of size: each first with it, then without. rest: worth
 * of the coins from i on. Calls nest as deep as coins are taken, WALLET_INPUTS_MAX at most. */
static void descend(struct search *s, size_t i, rc_amount sum, rc_amount rest)
{
	while (sum <= s->need + s->slack && !found_enough(s, sum) && sum + rest >= s->need &&
	       i < s->usable && s->depth < WALLET_INPUTS_MAX && s->best_excess &&
	       s->steps++ < SEARCH_STEPS) {
		rc_amount w = worth(s, i);

		rest -= w;
		s->path[s->depth++] = i++;
		descend(s, i, sum + w, rest);
		s->depth--;
		/* Without it: without others of the same worth as well, which would only repeat. */
		for (; i < s->usable && worth(s, i) == w; i++)
			rest -= w;
	}
}

static bool choose_exact(const struct pool *pool, struct wallet_choice *choice)
{
	const struct wallet_order *order = pool->order;
	struct search s = {.pool = pool};
	rc_amount rest = 0, sum = 0;
	bool ok = false;

	s.cost = order->fixed_fee ? 0 : order->fee_rate * WALLET_INPUT_SIZE;
	s.need = order->amount +
		 (order->fixed_fee ? order->fee : order->fee_rate * wallet_payment_size(0, 1));
	s.slack = order->fixed_fee ? WALLET_DUST - 1
				   : order->fee_rate * (WALLET_OUTPUT_SIZE + WALLET_INPUT_SIZE);
	s.best_excess = s.slack + 1;
	while (s.usable < pool->n && pool->coins[pool->by_size[s.usable]].amount > s.cost)
		rest += worth(&s, s.usable++);
	s.path = rc_alloc_array(WALLET_INPUTS_MAX, sizeof(size_t));
	s.best = rc_alloc_array(WALLET_INPUTS_MAX, sizeof(size_t));
	descend(&s, 0, 0, rest);
	for (size_t i = 0; i < s.best_n; i++) {
		choice->picked[i] = pool->by_size[s.best[i]];
		sum += pool->coins[choice->picked[i]].amount;
	}
	/* The count of 253 inputs and more takes two bytes that the need doesn't hold. */
	if (s.best_n && sum - order->amount >= fee_of(order, s.best_n, 1)) {
		choice->n = s.best_n;
		choice->paid = order->amount;
		choice->change = 0;
		choice->fee = sum - order->amount;
		ok = true;
	}
	free(s.path);
	free(s.best);
	return ok;
}

/* ---- the largest first ---- */

static bool choose_largest(const struct pool *pool, bool all, struct wallet_choice *choice)
{
	rc_amount sum = 0;

	for (size_t i = 0; i < pool->n && i < WALLET_INPUTS_MAX; i++) {
		size_t coin = pool->by_size[i];

		if (!rc_amount_add(&sum, pool->coins[coin].amount))
			return false;
		choice->picked[i] = coin;
		choice->n = i + 1;
		if ((!all || choice->n == pool->n) && settle(pool->order, sum, choice->n, choice))
			return true;
	}
	return false;
}

static bool choose_from(const struct pool *pool, struct wallet_choice *choice)
{
	const struct wallet_order *order = pool->order;

	if (order->named || order->all)
		return choose_largest(pool, true, choice);
	if (!order->subtract_fee && choose_exact(pool, choice))
		return true;
	return choose_largest(pool, false, choice);
}

/* Also that all coins together are money that can exist: then no sum below can overflow. */
static int check_order(const struct wallet_coin *coins, size_t n, const struct wallet_order *order,
		       struct rc_error *error)
{
	rc_amount total = 0;

	for (size_t i = 0; i < n; i++)
		if (!rc_amount_add(&total, coins[i].amount))
			return rc_error_set(error, RC_EFORMAT,
					    "the node lists more coins than there can be");
	if (!order->all && order->amount < WALLET_DUST)
		return rc_error_set(error, RC_ERANGE,
				    "%llu oxides are too little to be relayed: the least is %llu",
				    (unsigned long long)order->amount,
				    (unsigned long long)WALLET_DUST);
	if (!rc_amount_valid(order->amount) || !rc_amount_valid(order->fee))
		return rc_error_set(error, RC_ERANGE, "more than there can ever be");
	if (!order->fixed_fee && order->fee_rate > WALLET_FEE_RATE_MAX)
		return rc_error_set(error, RC_ERANGE,
				    "a fee of %llu oxides a byte must be a mistake",
				    (unsigned long long)order->fee_rate);
	return RC_OK;
}

static int insufficient(const struct pool *pool, size_t n_coins, struct rc_error *error)
{
	rc_amount have = 0, total = 0;
	char have_text[RC_AMOUNT_TEXT], other_text[RC_AMOUNT_TEXT];

	for (size_t i = 0; i < pool->n; i++)
		have += pool->coins[pool->by_size[i]].amount;
	for (size_t i = 0; i < n_coins; i++)
		total += pool->coins[i].amount;
	if (pool->n > WALLET_INPUTS_MAX)
		return rc_error_set(
			error, RC_ERANGE,
			"it would take more than %u coins, too many for one "
			"transaction: send a part, or send it to yourself in parts first",
			(unsigned)WALLET_INPUTS_MAX);
	return rc_error_set(error, RC_ERANGE,
			    "not enough: %s RUST can be spent now (%s RUST can't: unconfirmed, or "
			    "mined too recently), less than the amount and the fee",
			    rc_amount_format(have_text, have),
			    rc_amount_format(other_text, total - have));
}

int wallet_choose(const struct wallet_coin *coins, size_t n, const struct wallet_order *order,
		  struct wallet_choice *ret_choice, struct rc_error *error)
{
	struct pool pool = {.coins = coins, .order = order};
	struct wallet_choice choice = {0};
	int err = check_order(coins, n, order, error);
	bool ok;

	if (err < 0)
		return err;
	pool.by_size = rc_alloc_array(n, sizeof(size_t));
	choice.picked = rc_alloc_array(WALLET_INPUTS_MAX, sizeof(size_t));
	pool_fill(&pool, n, false);
	ok = choose_from(&pool, &choice);
	if (!ok) {
		pool_fill(&pool, n, true);
		ok = choose_from(&pool, &choice);
	}
	if (ok) {
		qsort_r(choice.picked, choice.n, sizeof(size_t), by_outpoint, (void *)coins);
		*ret_choice = choice;
	} else {
		err = insufficient(&pool, n, error);
		free(choice.picked);
	}
	free(pool.by_size);
	return err;
}
