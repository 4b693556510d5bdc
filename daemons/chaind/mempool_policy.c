/*
 * Which valid transactions the pool takes, what they may replace, and what leaves when it is full
 * (20-consensus, "Policy").
 */
#include <assert.h>

#include "daemons/chaind/mempool.h"
#include "daemons/chaind/mempool_sets.h"

/* What a replacement pays for its own bytes, beyond the fees of what it evicts. */
#define REPLACE_FEE_PER_BYTE 1
/* After an eviction the minimum is the evicted rate plus this, oxides per 1,000 bytes. */
#define ROLLING_STEP 1000
/* The raised minimum falls by 1 in 16 every so many seconds: to half in about two hours. */
#define ROLLING_FALL_SECONDS 660
#define ROLLING_FALL_PART    16

enum rc_verdict mempool_check_form(const struct mempool *pool, const struct rc_tx *tx)
{
	uint32_t n_data = 0;

	if (tx->raw.len > pool->limits.size_max)
		return RC_V_POOL_SIZE;
	for (uint32_t i = 0; i < tx->n_outputs; i++)
		n_data += tx->outputs[i].lock.kind == RC_LOCK_DATA;
	if (n_data > pool->limits.data_max)
		return RC_V_POOL_DATA;
	for (uint32_t i = 0; i < tx->n_outputs; i++) {
		if (tx->outputs[i].lock.kind == RC_LOCK_KEY &&
		    tx->outputs[i].amount < pool->limits.dust)
			return RC_V_POOL_DUST;
	}
	return RC_VERDICT_OK;
}

uint64_t mempool_min_fee_rate(struct mempool *pool, uint64_t now)
{
	while (pool->rolling_rate > 0 && now >= pool->rolling_since + ROLLING_FALL_SECONDS) {
		pool->rolling_since += ROLLING_FALL_SECONDS;
		pool->rolling_rate -= pool->rolling_rate / ROLLING_FALL_PART + 1;
	}
	return pool->rolling_rate > pool->limits.min_fee_rate ? pool->rolling_rate
							      : pool->limits.min_fee_rate;
}

/* Fills conflicts with those the pool has against tx, each once. */
static void direct_conflicts(struct mempool *pool, const struct rc_tx *tx,
			     struct pool_set *conflicts)
{
	for (uint32_t i = 0; i < tx->n_inputs; i++) {
		struct pool_tx *other = mempool_spender(pool, &tx->inputs[i].prevout);

		if (other)
			pool_set_add(conflicts, other);
	}
}

static bool parent_of_conflict(const struct pool_set *evicted, size_t n_direct,
			       const struct pool_tx *parent)
{
	for (size_t i = 0; i < n_direct; i++) {
		for (uint32_t j = 0; j < evicted->txs[i]->n_parents; j++) {
			if (evicted->txs[i]->parents[j] == parent)
				return true;
		}
	}
	return false;
}

/* evicted: the direct conflicts first, then all that descends from them. */
static enum rc_verdict check_replacement(struct mempool *pool, const struct rc_tx *tx,
					 rc_amount fee, const struct pool_set *evicted,
					 size_t n_direct)
{
	uint64_t fees = 0;

	if (n_direct == 0)
		return RC_VERDICT_OK;
	for (uint32_t i = 0; i < tx->n_inputs; i++) {
		struct pool_tx *parent = mempool_find(pool, &tx->inputs[i].prevout.txid);

		if (!parent)
			continue;
		if (pool_set_has(evicted, parent))
			return RC_V_POOL_CONFLICT; /* it needs what it would evict */
		if (!parent_of_conflict(evicted, n_direct, parent))
			return RC_V_POOL_REPLACEMENT;
	}
	if (evicted->n > pool->limits.replace_max)
		return RC_V_POOL_REPLACEMENT;
	for (size_t i = 0; i < evicted->n; i++)
		fees += evicted->txs[i]->facts.fee;
	if (fee < fees + REPLACE_FEE_PER_BYTE * tx->raw.len)
		return RC_V_POOL_REPLACEMENT;
	for (size_t i = 0; i < n_direct; i++) {
		const struct pool_tx *c = evicted->txs[i];

		if (fee_rate_compare(fee, tx->raw.len, c->facts.fee, c->tx.raw.len) <= 0)
			return RC_V_POOL_REPLACEMENT;
	}
	return RC_VERDICT_OK;
}

/* Members of evicted among the descendants of a: they go, so they don't count against it. */
static uint32_t leaving_below(struct pool_tx *a, const struct pool_set *evicted)
{
	uint32_t n = 0;

	for (size_t i = 0; i < evicted->n; i++) {
		struct pool_set up;

		pool_set_init(&up, evicted->pool);
		pool_set_ancestors(&up, evicted->txs[i]);
		n += pool_set_has(&up, a);
		pool_set_done(&up);
	}
	return n;
}

static enum rc_verdict check_family(struct mempool *pool, const struct rc_tx *tx,
				    const struct pool_set *evicted)
{
	struct pool_set ancestors;
	enum rc_verdict verdict = RC_VERDICT_OK;
	size_t n;

	pool_set_init(&ancestors, pool);
	for (uint32_t i = 0; i < tx->n_inputs; i++) {
		struct pool_tx *parent = mempool_find(pool, &tx->inputs[i].prevout.txid);

		if (parent)
			pool_set_ancestors(&ancestors, parent);
	}
	n = ancestors.n;
	if (n > pool->limits.ancestors_max)
		verdict = RC_V_POOL_ANCESTORS;
	for (size_t i = 0; verdict == RC_VERDICT_OK && i < n; i++) {
		struct pool_tx *a = ancestors.txs[i];

		/* desc_count counts a itself, which makes room for the new one. */
		if (a->desc_count > pool->limits.descendants_max &&
		    a->desc_count - leaving_below(a, evicted) > pool->limits.descendants_max)
			verdict = RC_V_POOL_DESCENDANTS;
	}
	pool_set_done(&ancestors);
	return verdict;
}

static enum rc_verdict check_with(struct mempool *pool, const struct rc_tx *tx, rc_amount fee,
				  uint64_t now, struct pool_set *evicted)
{
	uint64_t rate = mempool_min_fee_rate(pool, now);
	enum rc_verdict verdict;
	size_t n_direct;

	if (mempool_find(pool, &tx->txid))
		return RC_V_POOL_CONFLICT; /* the same with another witness */
	if (fee_rate_compare(fee, tx->raw.len, rate, 1000) < 0)
		return RC_V_POOL_FEE;
	direct_conflicts(pool, tx, evicted);
	n_direct = evicted->n;
	for (size_t i = 0; i < n_direct; i++) {
		/* Members are marked already; their descendants are not. */
		for (uint32_t j = 0; j < evicted->txs[i]->n_children; j++)
			pool_set_descendants(evicted, evicted->txs[i]->children[j]);
	}
	verdict = check_replacement(pool, tx, fee, evicted, n_direct);
	if (verdict != RC_VERDICT_OK)
		return verdict;
	return check_family(pool, tx, evicted);
}

enum rc_verdict mempool_check(struct mempool *pool, const struct rc_tx *tx, rc_amount fee,
			      uint64_t now)
{
	struct pool_set evicted;
	enum rc_verdict verdict;

	pool_set_init(&evicted, pool);
	verdict = check_with(pool, tx, fee, now, &evicted);
	pool_set_done(&evicted);
	return verdict;
}

static void trim(struct mempool *pool, uint64_t now)
{
	while (pool->usage > pool->limits.bytes_max && pool->count > 0) {
		struct pool_tx *worst = pool_heap_top(&pool->evict);
		uint64_t rate =
			(uint64_t)((unsigned __int128)worst->desc_fee * 1000 / worst->desc_size) +
			ROLLING_STEP;

		mempool_min_fee_rate(pool, now);
		if (rate > pool->rolling_rate)
			pool->rolling_rate = rate;
		pool->rolling_since = now;
		mempool_remove(pool, worst, POOL_EVICTED);
	}
}

enum rc_verdict mempool_add(struct mempool *pool, const struct rc_tx *tx,
			    const struct rc_coin *const *coins, const struct pool_facts *facts,
			    uint64_t now, struct pool_tx **ret_tx)
{
	struct pool_set evicted;
	struct rc_txid txid = tx->txid;
	enum rc_verdict verdict;
	struct pool_tx *added;

	pool_set_init(&evicted, pool);
	verdict = check_with(pool, tx, facts->fee, now, &evicted);
	if (verdict == RC_VERDICT_OK) {
		mempool_remove_set(pool, &evicted, POOL_REPLACED);
		mempool_insert(pool, tx, coins, facts, &added);
		trim(pool, now);
		if (mempool_find(pool, &txid) == added)
			*ret_tx = added;
		else
			verdict = RC_V_POOL_FULL;
	}
	pool_set_done(&evicted);
	return verdict;
}
