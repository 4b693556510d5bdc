/* Walks over the pool's ancestors and descendants. See mempool_sets.h. */
#include "daemons/chaind/mempool_sets.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void pool_set_init(struct pool_set *set, struct mempool *pool)
{
	memset(set, 0, sizeof(*set));
	set->pool = pool;
	set->mark = ++pool->mark;
}

void pool_set_done(struct pool_set *set)
{
	free(set->txs);
	memset(set, 0, sizeof(*set));
}

void pool_set_clear(struct pool_set *set)
{
	set->n = 0;
	set->mark = ++set->pool->mark;
}

bool pool_set_has(const struct pool_set *set, const struct pool_tx *tx)
{
	return tx->mark == set->mark;
}

bool pool_set_add(struct pool_set *set, struct pool_tx *tx)
{
	if (tx->mark == set->mark)
		return false;
	tx->mark = set->mark;
	if (set->n == set->cap) {
		set->cap = set->cap ? set->cap * 2 : 32;
		set->txs = rc_realloc_array(set->txs, set->cap, sizeof(*set->txs));
	}
	set->txs[set->n++] = tx;
	return true;
}

void pool_set_ancestors(struct pool_set *set, struct pool_tx *tx)
{
	size_t next = set->n;

	pool_set_add(set, tx);
	for (; next < set->n; next++) {
		for (uint32_t i = 0; i < set->txs[next]->n_parents; i++)
			pool_set_add(set, set->txs[next]->parents[i]);
	}
}

void pool_set_descendants(struct pool_set *set, struct pool_tx *tx)
{
	size_t next = set->n;

	pool_set_add(set, tx);
	for (; next < set->n; next++) {
		for (uint32_t i = 0; i < set->txs[next]->n_children; i++)
			pool_set_add(set, set->txs[next]->children[i]);
	}
}

static int by_sequence(const void *a, const void *b)
{
	const struct pool_tx *x = *(struct pool_tx *const *)a, *y = *(struct pool_tx *const *)b;

	return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static size_t give(struct pool_set *set, struct pool_tx **ret, size_t max)
{
	size_t n = set->n;

	qsort(set->txs, n, sizeof(*set->txs), by_sequence);
	memcpy(ret, set->txs, (n < max ? n : max) * sizeof(*ret));
	pool_set_done(set);
	return n;
}

size_t mempool_descendants(struct mempool *pool, struct pool_tx *tx, struct pool_tx **ret,
			   size_t max)
{
	struct pool_set set;

	pool_set_init(&set, pool);
	pool_set_descendants(&set, tx);
	return give(&set, ret, max);
}

size_t mempool_ancestors(struct mempool *pool, struct pool_tx *tx, struct pool_tx **ret, size_t max)
{
	struct pool_set set;

	pool_set_init(&set, pool);
	pool_set_ancestors(&set, tx);
	return give(&set, ret, max);
}

bool mempool_consistent(struct mempool *pool)
{
	uint64_t count = 0, bytes = 0, usage = 0, fee = 0, spends = 0;
	struct pool_set set;

	for (struct pool_tx *tx = pool->oldest; tx; tx = tx->newer) {
		uint64_t anc_fee = 0, anc_size = 0, desc_fee = 0, desc_size = 0;

		count++;
		bytes += tx->tx.raw.len;
		usage += tx->usage;
		fee += tx->facts.fee;
		spends += tx->tx.n_inputs;
		pool_set_init(&set, pool);
		pool_set_ancestors(&set, tx);
		for (size_t i = 0; i < set.n; i++) {
			anc_fee += set.txs[i]->facts.fee;
			anc_size += set.txs[i]->tx.raw.len;
		}
		if (set.n != tx->anc_count || anc_fee != tx->anc_fee || anc_size != tx->anc_size)
			return pool_set_done(&set), false;
		pool_set_clear(&set);
		pool_set_descendants(&set, tx);
		for (size_t i = 0; i < set.n; i++) {
			desc_fee += set.txs[i]->facts.fee;
			desc_size += set.txs[i]->tx.raw.len;
		}
		if (set.n != tx->desc_count || desc_fee != tx->desc_fee ||
		    desc_size != tx->desc_size)
			return pool_set_done(&set), false;
		pool_set_done(&set);
		if (pool->evict.items[tx->evict_place] != tx ||
		    pool->mine.items[tx->mine_place] != tx ||
		    mempool_find(pool, &tx->tx.txid) != tx ||
		    mempool_find_wtxid(pool, &tx->tx.wtxid) != tx)
			return false;
	}
	for (size_t i = 1; i < pool->evict.n; i++) {
		if (pool->evict.above(pool->evict.items[i], pool->evict.items[(i - 1) / 2]) ||
		    pool->mine.above(pool->mine.items[i], pool->mine.items[(i - 1) / 2]))
			return false;
	}
	return count == pool->count && bytes == pool->bytes && usage == pool->usage &&
	       fee == pool->total_fee && spends == pool->spends.n && count == pool->by_txid.n &&
	       count == pool->by_wtxid.n && count == pool->evict.n && count == pool->mine.n;
}
