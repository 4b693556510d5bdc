/* The pool's transactions and their links. Policy is in mempool_policy.c. See mempool.h. */
#include "daemons/chaind/mempool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/mem.h"
#include "daemons/chaind/mempool_sets.h"

/* What tables and heaps take beside a transaction's own allocation: an entry by each id, two heap
 * places. */
#define POOL_TX_OVERHEAD (2 * POOL_INDEX_ENTRY + 2 * sizeof(void *))

const struct pool_limits pool_limits_default = {
	.bytes_max = UINT64_C(300) << 20,
	.min_fee_rate = 1000,
	.ancestors_max = 25,
	.descendants_max = 25,
	.size_max = 100000,
	.budget_max = UINT64_MAX,
	.data_max = 1,
	.dust = 546,
	.expiry = 14 * 86400,
	.replace_max = 100,
};

const char *pool_removal_name(enum pool_removal why)
{
	static const char *const names[POOL_REMOVALS] = {
		[POOL_IN_BLOCK] = "block",    [POOL_CONFLICT] = "conflict",
		[POOL_REPLACED] = "replaced", [POOL_EVICTED] = "evicted",
		[POOL_EXPIRED] = "expired",   [POOL_REORGANISED] = "reorganised",
	};

	return names[why];
}

int fee_rate_compare(uint64_t fee_a, uint64_t size_a, uint64_t fee_b, uint64_t size_b)
{
	unsigned __int128 a = (unsigned __int128)fee_a * size_b;
	unsigned __int128 b = (unsigned __int128)fee_b * size_a;

	return (a > b) - (a < b);
}

/* Eviction: the lower of the rates that going costs the pool: its own, or with what follows. */
static bool evict_above(const struct pool_tx *a, const struct pool_tx *b)
{
	bool a_own = fee_rate_compare(a->facts.fee, a->tx.raw.len, a->desc_fee, a->desc_size) > 0;
	bool b_own = fee_rate_compare(b->facts.fee, b->tx.raw.len, b->desc_fee, b->desc_size) > 0;
	int by_rate = fee_rate_compare(
		a_own ? a->facts.fee : a->desc_fee, a_own ? a->tx.raw.len : a->desc_size,
		b_own ? b->facts.fee : b->desc_fee, b_own ? b->tx.raw.len : b->desc_size);

	return by_rate ? by_rate < 0 : a->sequence > b->sequence;
}

/* Mining: the lower of its own rate and that of it with all it needs. */
static bool mine_above(const struct pool_tx *a, const struct pool_tx *b)
{
	bool a_own = fee_rate_compare(a->facts.fee, a->tx.raw.len, a->anc_fee, a->anc_size) < 0;
	bool b_own = fee_rate_compare(b->facts.fee, b->tx.raw.len, b->anc_fee, b->anc_size) < 0;
	int by_rate = fee_rate_compare(
		a_own ? a->facts.fee : a->anc_fee, a_own ? a->tx.raw.len : a->anc_size,
		b_own ? b->facts.fee : b->anc_fee, b_own ? b->tx.raw.len : b->anc_size);

	return by_rate ? by_rate > 0 : a->sequence < b->sequence;
}

void mempool_init(struct mempool *pool, const struct pool_limits *limits,
		  void (*on_removed)(void *arg, const struct pool_tx *tx, enum pool_removal why),
		  void *arg)
{
	memset(pool, 0, sizeof(*pool));
	pool->limits = *limits;
	pool->on_removed = on_removed;
	pool->arg = arg;
	pool_index_init(&pool->by_txid, offsetof(struct pool_tx, tx.txid), sizeof(struct rc_txid));
	pool_index_init(&pool->by_wtxid, offsetof(struct pool_tx, tx.wtxid),
			sizeof(struct rc_wtxid));
	pool_index_init(&pool->spends, offsetof(struct pool_spend, key), RC_OUTPOINT_SIZE);
	pool_index_init(&pool->locks, offsetof(struct pool_lock, hash), sizeof(struct rc_hash));
	pool_heap_init(&pool->evict, evict_above, offsetof(struct pool_tx, evict_place));
	pool_heap_init(&pool->mine, mine_above, offsetof(struct pool_tx, mine_place));
}

void mempool_salt(struct mempool *pool, const struct rc_random *random)
{
	struct pool_index *tables[] = {&pool->by_txid, &pool->by_wtxid, &pool->spends,
				       &pool->locks};

	for (size_t i = 0; i < RC_ARRAY_LEN(tables); i++)
		pool_index_salt(tables[i], random);
}

static void pool_tx_free(struct pool_tx *tx)
{
	free(tx->parents);
	free(tx->children);
	free(tx);
}

struct pool_tx *mempool_find(const struct mempool *pool, const struct rc_txid *txid)
{
	return pool_index_find(&pool->by_txid, txid->b);
}

struct pool_tx *mempool_find_wtxid(const struct mempool *pool, const struct rc_wtxid *wtxid)
{
	return pool_index_find(&pool->by_wtxid, wtxid->b);
}

static struct pool_spend *find_spend(const struct mempool *pool, const struct rc_outpoint *outpoint)
{
	uint8_t key[RC_OUTPOINT_SIZE];

	rc_outpoint_key_encode(outpoint, key);
	return pool_index_find(&pool->spends, key);
}

struct pool_tx *mempool_spender(const struct mempool *pool, const struct rc_outpoint *outpoint)
{
	struct pool_spend *spend = find_spend(pool, outpoint);

	return spend ? spend->tx : NULL;
}

/* So many bytes come into the CPU's cache; NULL: none. */
static void fetch_lines(const void *from, size_t bytes)
{
	for (size_t at = 0; from && at < bytes; at += 64)
		__builtin_prefetch((const char *)from + at);
}

void mempool_fetch(const struct mempool *pool, const struct rc_tx *tx)
{
	pool_index_fetch(&pool->by_txid, tx->txid.b);
	pool_index_fetch(&pool->by_wtxid, tx->wtxid.b);
	for (uint32_t i = 0; i < tx->n_inputs; i++) {
		uint8_t key[RC_OUTPOINT_SIZE];

		rc_outpoint_key_encode(&tx->inputs[i].prevout, key);
		pool_index_fetch(&pool->spends, key);
		pool_index_fetch(&pool->by_txid, tx->inputs[i].prevout.txid.b);
	}
}

bool mempool_coin(const struct mempool *pool, const struct rc_outpoint *outpoint, uint32_t height,
		  struct rc_coin *ret_coin)
{
	struct pool_tx *tx = mempool_find(pool, &outpoint->txid);
	const struct rc_tx_out *out;

	if (!tx || outpoint->index >= tx->tx.n_outputs)
		return false;
	out = &tx->tx.outputs[outpoint->index];
	if (!rc_lock_makes_coin(&out->lock))
		return false;
	rc_coin_init(ret_coin, out->amount, height, false, &out->lock);
	return true;
}

/* Of what is asked for some steps later: first its places in the tables, then the spend itself. */
static void fetch_state_coin(const struct mempool *pool, const struct rc_outpoint *outpoints,
			     size_t n, size_t i)
{
	size_t far = i + 2 * MEMPOOL_FETCH_AHEAD, near = i + MEMPOOL_FETCH_AHEAD;
	uint8_t key[RC_OUTPOINT_SIZE];

	if (far < n) {
		rc_outpoint_key_encode(&outpoints[far], key);
		pool_index_fetch(&pool->spends, key);
		pool_index_fetch(&pool->by_txid, outpoints[far].txid.b);
	}
	if (near < n) {
		rc_outpoint_key_encode(&outpoints[near], key);
		fetch_lines(pool_index_guess(&pool->spends, key), sizeof(struct pool_spend));
	}
}

void mempool_state_coins(const struct mempool *pool, const struct rc_outpoint *outpoints, size_t n,
			 const struct rc_coin **ret_coins)
{
	for (size_t i = 0; i < n; i++) {
		const struct pool_spend *spend = find_spend(pool, &outpoints[i]);

		fetch_state_coin(pool, outpoints, n, i);
		ret_coins[i] =
			spend && !mempool_find(pool, &outpoints[i].txid) ? &spend->coin : NULL;
	}
}

struct pool_lock *mempool_lock(const struct mempool *pool, const struct rc_hash *lock_hash)
{
	return pool_index_find(&pool->locks, lock_hash->b);
}

/* ---- one allocation for a transaction and all it looks into ---- */

/* Moves a pointer into old bytes to the same place of the new ones. */
static const uint8_t *moved(const uint8_t *p, const uint8_t *from, const uint8_t *to)
{
	return p ? to + (p - from) : NULL;
}

static struct pool_tx *pool_tx_new(const struct rc_tx *tx, const struct rc_coin *const *coins,
				   const struct pool_facts *facts)
{
	size_t n_in = tx->n_inputs, n_out = tx->n_outputs;
	size_t size = sizeof(struct pool_tx) +
		      n_in * (sizeof(struct pool_spend) + sizeof(struct pool_lock_ref) +
			      sizeof(struct rc_tx_in)) +
		      n_out * (sizeof(struct pool_lock_ref) + sizeof(struct rc_tx_out)) +
		      tx->raw.len;
	struct pool_tx *p = rc_alloc(size);
	const uint8_t *from = tx->raw.data;
	uint8_t *raw;

	p->spends = (struct pool_spend *)(p + 1);
	p->in_refs = (struct pool_lock_ref *)(p->spends + n_in);
	p->out_refs = p->in_refs + n_in;
	p->tx = *tx;
	p->tx.inputs = (struct rc_tx_in *)(p->out_refs + n_out);
	p->tx.outputs = (struct rc_tx_out *)(p->tx.inputs + n_in);
	raw = (uint8_t *)(p->tx.outputs + n_out);
	memcpy(raw, from, tx->raw.len);
	p->tx.raw.data = raw;
	p->tx.payload.data = moved(tx->payload.data, from, raw);
	for (size_t i = 0; i < n_in; i++) {
		p->tx.inputs[i] = tx->inputs[i];
		p->tx.inputs[i].witness = moved(tx->inputs[i].witness, from, raw);
		p->spends[i].tx = p;
		p->spends[i].coin = *coins[i];
		rc_outpoint_key_encode(&tx->inputs[i].prevout, p->spends[i].key);
	}
	for (size_t i = 0; i < n_out; i++) {
		p->tx.outputs[i] = tx->outputs[i];
		p->tx.outputs[i].lock.data = moved(tx->outputs[i].lock.data, from, raw);
	}
	p->facts = *facts;
	/* Of locks about every other one is its alone. */
	p->usage = size + POOL_TX_OVERHEAD + n_in * POOL_INDEX_ENTRY +
		   (n_in + n_out) * (sizeof(struct pool_lock) + POOL_INDEX_ENTRY) / 2;
	return p;
}

/* ---- the index by lock ---- */

static void ref_add(struct mempool *pool, struct pool_lock_ref *ref, struct pool_tx *tx,
		    uint32_t index, bool spends, const struct rc_lock *lock)
{
	struct rc_hash hash;
	struct pool_lock *l;

	rc_lock_hash(lock->data, lock->len, &hash);
	l = mempool_lock(pool, &hash);
	if (!l) {
		l = rc_alloc(sizeof(*l));
		l->hash = hash;
		pool_index_add(&pool->locks, l);
	}
	*ref = (struct pool_lock_ref){l, l->refs, NULL, tx, index, spends};
	if (l->refs)
		l->refs->prev = ref;
	l->refs = ref;
}

static void ref_drop(struct mempool *pool, struct pool_lock_ref *ref)
{
	struct pool_lock *lock = ref->lock;

	if (!lock)
		return;
	if (ref->prev)
		ref->prev->next = ref->next;
	else
		lock->refs = ref->next;
	if (ref->next)
		ref->next->prev = ref->prev;
	if (!lock->refs) {
		pool_index_remove(&pool->locks, lock);
		free(lock);
	}
}

static void refs_add(struct mempool *pool, struct pool_tx *tx)
{
	for (uint32_t i = 0; i < tx->tx.n_inputs; i++) {
		struct rc_lock lock = rc_coin_lock(&tx->spends[i].coin);

		ref_add(pool, &tx->in_refs[i], tx, i, true, &lock);
	}
	for (uint32_t i = 0; i < tx->tx.n_outputs; i++) {
		if (rc_lock_makes_coin(&tx->tx.outputs[i].lock))
			ref_add(pool, &tx->out_refs[i], tx, i, false, &tx->tx.outputs[i].lock);
	}
}

/* ---- links ---- */

static void link_parents(struct mempool *pool, struct pool_tx *tx)
{
	tx->parents = rc_alloc_array(tx->tx.n_inputs, sizeof(struct pool_tx *));
	for (uint32_t i = 0; i < tx->tx.n_inputs; i++) {
		struct pool_tx *parent = mempool_find(pool, &tx->tx.inputs[i].prevout.txid);
		uint32_t j = 0;

		while (parent && j < tx->n_parents && tx->parents[j] != parent)
			j++;
		if (!parent || j < tx->n_parents)
			continue;
		tx->parents[tx->n_parents++] = parent;
		if (parent->n_children == parent->cap_children) {
			parent->cap_children = parent->cap_children * 2 + 2;
			parent->children = rc_realloc_array(parent->children, parent->cap_children,
							    sizeof(struct pool_tx *));
		}
		parent->children[parent->n_children++] = tx;
	}
}

static void drop_link(struct pool_tx **list, uint32_t *n, const struct pool_tx *tx)
{
	for (uint32_t i = 0; i < *n; i++) {
		if (list[i] == tx) {
			list[i] = list[--*n];
			return;
		}
	}
	assert(!"a link without its other side");
}

void mempool_insert(struct mempool *pool, const struct rc_tx *rc_tx,
		    const struct rc_coin *const *coins, const struct pool_facts *facts,
		    struct pool_tx **ret_tx)
{
	struct pool_tx *tx = pool_tx_new(rc_tx, coins, facts);
	struct pool_set ancestors;

	tx->sequence = ++pool->sequence;
	link_parents(pool, tx);
	pool_index_add(&pool->by_txid, tx);
	pool_index_add(&pool->by_wtxid, tx);
	for (uint32_t i = 0; i < tx->tx.n_inputs; i++)
		pool_index_add(&pool->spends, &tx->spends[i]);
	refs_add(pool, tx);
	tx->older = pool->newest;
	*(pool->newest ? &pool->newest->newer : &pool->oldest) = tx;
	pool->newest = tx;
	for (struct pool_cursor *c = pool->cursors; c; c = c->next_cursor) {
		if (!c->next)
			c->next = tx;
	}

	tx->anc_count = tx->desc_count = 1;
	tx->anc_size = tx->desc_size = tx->tx.raw.len;
	tx->anc_fee = tx->desc_fee = tx->facts.fee;
	pool_set_init(&ancestors, pool);
	pool_set_ancestors(&ancestors, tx);
	for (size_t i = 0; i < ancestors.n; i++) {
		struct pool_tx *a = ancestors.txs[i];

		if (a == tx)
			continue;
		tx->anc_count++;
		tx->anc_size += a->tx.raw.len;
		tx->anc_fee += a->facts.fee;
		a->desc_count++;
		a->desc_size += tx->tx.raw.len;
		a->desc_fee += tx->facts.fee;
		pool_heap_update(&pool->evict, a);
	}
	pool_set_done(&ancestors);
	pool_heap_push(&pool->evict, tx);
	pool_heap_push(&pool->mine, tx);
	pool->count++;
	pool->bytes += tx->tx.raw.len;
	pool->usage += tx->usage;
	pool->total_fee += tx->facts.fee;
	*ret_tx = tx;
}

/* Takes one transaction out of everything. The sums of those that stay lose it. */
static void detach(struct mempool *pool, struct pool_tx *tx)
{
	struct pool_set set;

	pool_set_init(&set, pool);
	pool_set_ancestors(&set, tx);
	for (size_t i = 0; i < set.n; i++) {
		struct pool_tx *a = set.txs[i];

		if (a == tx)
			continue;
		a->desc_count--;
		a->desc_size -= tx->tx.raw.len;
		a->desc_fee -= tx->facts.fee;
		pool_heap_update(&pool->evict, a);
	}
	pool_set_clear(&set);
	pool_set_descendants(&set, tx);
	for (size_t i = 0; i < set.n; i++) {
		struct pool_tx *d = set.txs[i];

		if (d == tx)
			continue;
		d->anc_count--;
		d->anc_size -= tx->tx.raw.len;
		d->anc_fee -= tx->facts.fee;
		pool_heap_update(&pool->mine, d);
	}
	pool_set_done(&set);
	for (uint32_t i = 0; i < tx->n_parents; i++)
		drop_link(tx->parents[i]->children, &tx->parents[i]->n_children, tx);
	for (uint32_t i = 0; i < tx->n_children; i++)
		drop_link(tx->children[i]->parents, &tx->children[i]->n_parents, tx);
	tx->n_parents = tx->n_children = 0;
	pool_heap_remove(&pool->evict, tx);
	pool_heap_remove(&pool->mine, tx);
	pool_index_remove(&pool->by_txid, tx);
	pool_index_remove(&pool->by_wtxid, tx);
	for (uint32_t i = 0; i < tx->tx.n_inputs; i++) {
		pool_index_remove(&pool->spends, &tx->spends[i]);
		ref_drop(pool, &tx->in_refs[i]);
	}
	for (uint32_t i = 0; i < tx->tx.n_outputs; i++)
		ref_drop(pool, &tx->out_refs[i]);
	for (struct pool_cursor *c = pool->cursors; c; c = c->next_cursor) {
		if (c->next == tx)
			c->next = tx->newer;
	}
	*(tx->older ? &tx->older->newer : &pool->oldest) = tx->newer;
	*(tx->newer ? &tx->newer->older : &pool->newest) = tx->older;
	pool->count--;
	pool->bytes -= tx->tx.raw.len;
	pool->usage -= tx->usage;
	pool->total_fee -= tx->facts.fee;
	pool->sequence++;
}

void mempool_walk_start(struct mempool *pool, struct pool_cursor *cursor)
{
	cursor->next = pool->oldest;
	DL_APPEND2(pool->cursors, cursor, prev_cursor, next_cursor);
}

struct pool_tx *mempool_walk_next(struct pool_cursor *cursor)
{
	struct pool_tx *tx = cursor->next;

	if (tx)
		cursor->next = tx->newer;
	return tx;
}

void mempool_walk_end(struct mempool *pool, struct pool_cursor *cursor)
{
	DL_DELETE2(pool->cursors, cursor, prev_cursor, next_cursor);
}

void mempool_walk_again(struct mempool *pool, struct pool_cursor *cursor)
{
	cursor->next = pool->oldest;
}

static void tell_removed(struct mempool *pool, struct pool_tx *tx, enum pool_removal why)
{
	pool->removals[why]++;
	if (pool->on_removed)
		pool->on_removed(pool->arg, tx, why);
	pool_tx_free(tx);
}

static int by_sequence(const void *a, const void *b)
{
	const struct pool_tx *x = *(struct pool_tx *const *)a, *y = *(struct pool_tx *const *)b;

	return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

size_t mempool_remove_set(struct mempool *pool, struct pool_set *set, enum pool_removal why)
{
	size_t n = set->n;

	if (n == 0)
		return 0;
	/* A parent entered before its children. */
	qsort(set->txs, n, sizeof(*set->txs), by_sequence);
	for (size_t i = n; i-- > 0;)
		detach(pool, set->txs[i]);
	for (size_t i = 0; i < n; i++)
		tell_removed(pool, set->txs[i], why);
	set->n = 0;
	return n;
}

size_t mempool_remove(struct mempool *pool, struct pool_tx *tx, enum pool_removal why)
{
	struct pool_set set;
	size_t n;

	pool_set_init(&set, pool);
	pool_set_descendants(&set, tx);
	n = mempool_remove_set(pool, &set, why);
	pool_set_done(&set);
	return n;
}

/* What a transaction spends of this maker is a coin of a block from now on. */
static void settle_coins(struct pool_tx *tx, const struct rc_txid *maker, uint32_t height)
{
	tx->facts.coins_to = height;
	for (uint32_t i = 0; i < tx->tx.n_inputs; i++) {
		if (rc_txid_eq(&tx->tx.inputs[i].prevout.txid, maker))
			tx->spends[i].coin.height = height;
	}
}

/* What is taken out some steps later: first what the tables have of it, then itself. */
static void fetch_ahead(const struct mempool *pool, const struct rc_block *block, uint32_t i)
{
	uint32_t far = i + 2 * MEMPOOL_FETCH_AHEAD, near = i + MEMPOOL_FETCH_AHEAD;

	if (far < block->n_txs)
		mempool_fetch(pool, &block->txs[far]);
	if (near < block->n_txs)
		fetch_lines(pool_index_guess(&pool->by_txid, block->txs[near].txid.b),
			    sizeof(struct pool_tx) + 256);
}

void mempool_block(struct mempool *pool, const struct rc_block *block)
{
	if (pool->count == 0)
		return;
	for (uint32_t i = 0; i < block->n_txs; i++) {
		const struct rc_tx *tx = &block->txs[i];
		struct pool_tx *mine = mempool_find(pool, &tx->txid);

		fetch_ahead(pool, block, i);
		if (mine) {
			for (uint32_t j = 0; j < mine->n_children; j++)
				settle_coins(mine->children[j], &tx->txid, block->header.height);
			detach(pool, mine);
			tell_removed(pool, mine, POOL_IN_BLOCK);
		}
		for (uint32_t j = 0; j < tx->n_inputs; j++) {
			struct pool_tx *other = mempool_spender(pool, &tx->inputs[j].prevout);

			if (other)
				mempool_remove(pool, other, POOL_CONFLICT);
		}
	}
}

size_t mempool_expire(struct mempool *pool, struct pool_cursor *walk, size_t max, uint64_t now)
{
	struct pool_tx *tx;
	size_t n = 0;

	while (max-- > 0 && (tx = mempool_walk_next(walk))) {
		if (tx->facts.time + pool->limits.expiry < now)
			n += mempool_remove(pool, tx, POOL_EXPIRED);
	}
	return n;
}

size_t mempool_unsettle(struct mempool *pool, uint32_t fork_height, uint32_t tip_height,
			uint32_t median_time)
{
	struct pool_set set;
	size_t n;

	pool_set_init(&set, pool);
	for (struct pool_tx *tx = pool->oldest; tx; tx = tx->newer) {
		uint32_t lock_time = tx->tx.lock_time;

		if (tx->facts.coins_to > fork_height || tx->facts.min_height > tip_height + 1 ||
		    (lock_time >= RC_LOCK_TIME_IS_TIME && lock_time >= median_time))
			pool_set_descendants(&set, tx);
	}
	n = mempool_remove_set(pool, &set, POOL_REORGANISED);
	pool_set_done(&set);
	return n;
}

void mempool_done(struct mempool *pool)
{
	struct pool_tx *tx = pool->oldest;

	assert(!pool->cursors);
	for (size_t i = 0; i < pool->locks.cap; i++)
		free(pool->locks.slots[i].item);
	pool_index_done(&pool->by_txid);
	pool_index_done(&pool->by_wtxid);
	pool_index_done(&pool->spends);
	pool_index_done(&pool->locks);
	while (tx) {
		struct pool_tx *newer = tx->newer;

		pool_tx_free(tx);
		tx = newer;
	}
	pool_heap_done(&pool->evict);
	pool_heap_done(&pool->mine);
	memset(pool, 0, sizeof(*pool));
}
