/* Questions about the pool. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "daemons/chaind/handlers.h"

/* Flags of PoolCoins and PoolLock. */
#define POOL_MAKES  1
#define POOL_SPENDS 2
/* Transactions in one part of the pool's list: a millisecond. */
#define POOL_LIST_MAX 1000

void on_mempool_info(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	struct mempool *pool = &chaind->pool;
	Rc__MempoolInfoReply reply = RC__MEMPOOL_INFO_REPLY__INIT;

	reply.count = pool->count;
	reply.bytes = pool->bytes;
	reply.usage = pool->usage;
	reply.max = pool->limits.bytes_max;
	reply.total_fee = pool->total_fee;
	reply.min_fee_per_kb = mempool_min_fee_rate(pool, chaind_now(chaind));
	reply.orphans = orphans_count(&chaind->orphans);
	reply.sequence = pool->sequence;
	reply.filling = refill_active(&chaind->refill);
	rc_request_reply(request, &reply);
}

/* The lists of an entry are the arena's. */
static void fill_entry(const struct pool_tx *tx, struct rc_arena *arena, Rc__MempoolEntry *e)
{
	*e = (Rc__MempoolEntry)RC__MEMPOOL_ENTRY__INIT;
	e->txid = field_of(tx->tx.txid.b, 32);
	e->wtxid = field_of(tx->tx.wtxid.b, 32);
	e->size = (uint32_t)tx->tx.raw.len;
	e->fee = tx->facts.fee;
	e->time = tx->facts.time;
	e->height = tx->facts.height;
	e->ancestors = tx->anc_count;
	e->descendants = tx->desc_count;
	e->ancestor_size = tx->anc_size;
	e->ancestor_fee = tx->anc_fee;
	e->n_depends = tx->n_parents;
	e->depends = rc_arena_alloc(arena, (tx->n_parents + 1) * sizeof(*e->depends));
	for (uint32_t i = 0; i < tx->n_parents; i++)
		e->depends[i] = field_of(tx->parents[i]->tx.txid.b, 32);
	e->n_spent_by = tx->n_children;
	e->spent_by = rc_arena_alloc(arena, (tx->n_children + 1) * sizeof(*e->spent_by));
	for (uint32_t i = 0; i < tx->n_children; i++)
		e->spent_by[i] = field_of(tx->children[i]->tx.txid.b, 32);
}

/* The first one that entered after the one that an asker has; that one may have left. */
static struct pool_tx *list_from(struct mempool *pool, uint64_t after, const struct rc_txid *txid)
{
	struct pool_tx *tx;

	if (after == 0)
		return pool->oldest;
	tx = mempool_find(pool, txid);
	if (tx && tx->sequence == after)
		return tx->newer;
	for (tx = pool->oldest; tx && tx->sequence <= after;)
		tx = tx->newer;
	return tx;
}

/* A part of the pool, so that no answer keeps the loop from others: they ask for the next. */
void on_mempool_list(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	struct mempool *pool = &chaind->pool;
	const Rc__MempoolListRequest *body = rc_request_body(request);
	Rc__MempoolListReply reply = RC__MEMPOOL_LIST_REPLY__INIT;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_txid after = {{0}};
	struct pool_tx *tx;
	size_t n = 0;

	if (body->after &&
	    !take_id(request, body->after_txid, "the last transaction's id", after.b))
		return;
	reply.txids = rc_arena_alloc(&arena, POOL_LIST_MAX * sizeof(*reply.txids));
	reply.entries = rc_arena_alloc(&arena, POOL_LIST_MAX * sizeof(*reply.entries));
	for (tx = list_from(pool, body->after, &after); tx && n < POOL_LIST_MAX; tx = tx->newer) {
		reply.last = tx->sequence;
		reply.txids[n] = field_of(tx->tx.txid.b, 32);
		if (body->verbose) {
			reply.entries[n] = rc_arena_alloc(&arena, sizeof(**reply.entries));
			fill_entry(tx, &arena, reply.entries[n]);
		}
		n++;
	}
	reply.n_txids = n;
	reply.n_entries = body->verbose ? n : 0;
	reply.sequence = pool->sequence;
	reply.more = tx != NULL;
	rc_request_reply(request, &reply);
	rc_arena_done(&arena);
}

void on_mempool_tx(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__MempoolTxRequest *body = rc_request_body(request);
	Rc__MempoolTxReply reply = RC__MEMPOOL_TX_REPLY__INIT;
	struct rc_arena arena = RC_ARENA_INIT;
	Rc__MempoolEntry entry;
	struct rc_txid txid;
	struct rc_wtxid wtxid;
	struct pool_tx *tx;
	struct rc_bytes bulk;

	if (body->txid.len) {
		if (!take_id(request, body->txid, "the transaction's id", txid.b))
			return;
		tx = mempool_find(&chaind->pool, &txid);
	} else {
		if (!take_id(request, body->wtxid, "the transaction's wtxid", wtxid.b))
			return;
		tx = mempool_find_wtxid(&chaind->pool, &wtxid);
	}
	if (!tx) {
		rc_request_fail(request, RC_ENOENT, "the transaction is not in the pool");
		return;
	}
	fill_entry(tx, &arena, &entry);
	reply.entry = &entry;
	bulk = tx->tx.raw;
	rc_request_reply_bulk(request, &reply, &bulk, 1);
	rc_arena_done(&arena);
}

/* ---- coins ---- */

/* An outpoint on the bus: txid, index little-endian. */
static void read_outpoint(const uint8_t *p, struct rc_outpoint *ret)
{
	memcpy(ret->txid.b, p, 32);
	ret->index = rc_get_le32(p + 32);
}

static void put_value(struct rc_buf *buf, const struct rc_coin *coin)
{
	uint8_t value[RC_COIN_VALUE_MAX];
	size_t len = rc_coin_value_encode(coin, value);

	rc_buf_put_u8(buf, (uint8_t)len);
	rc_buf_put(buf, value, len);
}

void on_pool_coins(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	Rc__PoolCoinsReply reply = RC__POOL_COINS_REPLY__INIT;
	Rc__BlockRef tip = RC__BLOCK_REF__INIT;
	struct rc_buf buf = RC_BUF_INIT;
	struct rc_bytes items, bulk;
	size_t n;

	if (!take_items(request, RC_OUTPOINT_SIZE, &items, &n))
		return;
	for (size_t i = 0; i < n; i++) {
		struct rc_outpoint outpoint;
		struct rc_coin coin;
		uint8_t flags = 0;

		read_outpoint(items.data + i * RC_OUTPOINT_SIZE, &outpoint);
		if (mempool_coin(&chaind->pool, &outpoint, 0, &coin))
			flags |= POOL_MAKES;
		if (mempool_spender(&chaind->pool, &outpoint))
			flags |= POOL_SPENDS;
		rc_buf_put_u8(&buf, flags);
		if (flags & POOL_MAKES)
			put_value(&buf, &coin);
	}
	fill_ref(&tip, chain_tip(&chaind->chain));
	reply.tip = &tip;
	bulk = (struct rc_bytes){buf.data, buf.len};
	rc_request_reply_bulk(request, &reply, &bulk, 1);
	rc_buf_done(&buf);
}

static void put_outpoint(struct rc_buf *buf, const struct rc_outpoint *outpoint)
{
	rc_buf_put(buf, outpoint->txid.b, 32);
	rc_buf_put_le32(buf, outpoint->index);
}

static void put_made(struct chaind *chaind, const struct pool_lock_ref *ref, struct rc_buf *buf)
{
	struct rc_outpoint outpoint = {ref->tx->tx.txid, ref->index};
	struct rc_coin coin;

	if (!mempool_coin(&chaind->pool, &outpoint, 0, &coin))
		return;
	put_outpoint(buf, &outpoint);
	rc_buf_put_u8(buf, mempool_spender(&chaind->pool, &outpoint) ? POOL_SPENDS : 0);
	put_value(buf, &coin);
}

void on_pool_lock(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__PoolLockRequest *body = rc_request_body(request);
	Rc__PoolLockReply reply = RC__POOL_LOCK_REPLY__INIT;
	Rc__BlockRef tip = RC__BLOCK_REF__INIT;
	struct rc_buf made = RC_BUF_INIT, spent = RC_BUF_INIT;
	struct rc_bytes bulk[2];
	struct rc_hash hash;
	struct pool_lock *lock;

	if (!take_id(request, body->lock_hash, "the lock's hash", hash.b))
		return;
	lock = mempool_lock(&chaind->pool, &hash);
	for (struct pool_lock_ref *ref = lock ? lock->refs : NULL; ref; ref = ref->next) {
		const struct rc_outpoint *prevout;

		if (!ref->spends) {
			put_made(chaind, ref, &made);
			continue;
		}
		prevout = &ref->tx->tx.inputs[ref->index].prevout;
		if (!mempool_find(&chaind->pool, &prevout->txid))
			put_outpoint(&spent, prevout);
	}
	fill_ref(&tip, chain_tip(&chaind->chain));
	reply.tip = &tip;
	bulk[0] = (struct rc_bytes){made.data, made.len};
	bulk[1] = (struct rc_bytes){spent.data, spent.len};
	rc_request_reply_bulk(request, &reply, bulk, 2);
	rc_buf_done(&made);
	rc_buf_done(&spent);
}

/* ---- of peers ---- */

/* When an answer is full: with one more it is about as long as a block, which is what peerd counts
 * on for each answer that is on its way. */
#define POOL_TXS_BYTES ((size_t)1 << 20)

void on_pool_txs(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	Rc__PoolTxsReply reply = RC__POOL_TXS_REPLY__INIT;
	struct rc_bytes items, *bulk;
	size_t n, i, bytes = 0;

	if (!take_items(request, 32, &items, &n))
		return;
	bulk = rc_alloc_array(n, sizeof(*bulk));
	reply.found = rc_alloc_array(n, sizeof(*reply.found));
	for (i = 0; i < n && bytes < POOL_TXS_BYTES; i++) {
		struct rc_wtxid wtxid;
		struct pool_tx *tx;

		memcpy(wtxid.b, items.data + i * 32, 32);
		tx = mempool_find_wtxid(&chaind->pool, &wtxid);
		if (!tx)
			continue;
		reply.found[reply.n_found] = field_of(tx->tx.wtxid.b, 32);
		bulk[reply.n_found++] = tx->tx.raw;
		bytes += tx->tx.raw.len;
	}
	reply.looked = (uint32_t)i;
	rc_request_reply_bulk(request, &reply, bulk, reply.n_found);
	free(reply.found);
	free(bulk);
}

void on_have_txs(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	Rc__HaveTxsReply reply = RC__HAVE_TXS_REPLY__INIT;
	struct rc_buf wanted = RC_BUF_INIT;
	uint64_t client = rc_request_client_boot(request);
	struct rc_bytes items, bulk;
	size_t n;

	if (!take_items(request, 32, &items, &n))
		return;
	for (size_t i = 0; i < n; i++) {
		struct rc_wtxid wtxid;

		memcpy(wtxid.b, items.data + i * 32, 32);
		if (chaind_want_tx(chaind, client, &wtxid))
			rc_buf_put(&wanted, wtxid.b, 32);
	}
	reply.lease_ms = TX_LEASE_MS;
	bulk = (struct rc_bytes){wanted.data, wanted.len};
	rc_request_reply_bulk(request, &reply, &bulk, 1);
	rc_buf_done(&wanted);
}
