/* The pool in its place: its journal, its events, leases of transactions, what expires. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemons/chaind/chaind.h"
#include "daemons/chaind/template.h"

/* A journal is written anew when it is this much larger than what is in the pool. */
#define JOURNAL_SLACK (4u << 20)
/* It is written in parts, one a turn of the loop: less than a millisecond of encoding. */
#define JOURNAL_PART (256u << 10)
/* Wtxids of late blocks that aren't fetched again: some ten full blocks' worth. */
#define CONFIRMED_MAX 50000
/* Leases of transactions: beyond, the oldest end. */
#define TX_LEASES_MAX 50000
/* Transactions of the pool looked at in one second's maintenance, to see whether they expired or
 * are to be told again: half a millisecond; a pool of 300,000 is through in a minute. */
#define MAINTAIN_MAX 5000
/* A person's transaction is announced again in so many seconds until a block has it. */
#define TELL_AGAIN_SECONDS 600

struct tx_lease {
	UT_hash_handle hh;
	struct rc_wtxid wtxid;
	uint64_t client; /* boot id of the peerd */
	int64_t until_ms;
};

struct confirmed {
	UT_hash_handle hh;
	struct rc_wtxid wtxid;
};

/* ---- what is fetched ---- */

static void drop_lease(struct chaind *chaind, const struct rc_wtxid *wtxid)
{
	struct tx_lease *lease;

	HASH_FIND(hh, chaind->tx_leases, wtxid->b, sizeof(wtxid->b), lease);
	if (!lease)
		return;
	HASH_DEL(chaind->tx_leases, lease);
	free(lease);
}

/* One that asks again for what it has leased didn't get it: it may go on with another peer. */
static bool lease(struct chaind *chaind, uint64_t client, const struct rc_wtxid *wtxid)
{
	int64_t now = rc_mono_us(&chaind->clock) / 1000;
	struct tx_lease *l;

	HASH_FIND(hh, chaind->tx_leases, wtxid->b, sizeof(wtxid->b), l);
	if (l && l->client != client && l->until_ms > now)
		return false;
	drop_lease(chaind, wtxid);
	if (HASH_COUNT(chaind->tx_leases) >= TX_LEASES_MAX)
		drop_lease(chaind, &chaind->tx_leases->wtxid);
	l = rc_alloc(sizeof(*l));
	l->wtxid = *wtxid;
	l->client = client;
	l->until_ms = now + TX_LEASE_MS;
	HASH_ADD(hh, chaind->tx_leases, wtxid.b, sizeof(l->wtxid.b), l);
	return true;
}

bool chaind_want_tx(struct chaind *chaind, uint64_t client, const struct rc_wtxid *wtxid)
{
	struct confirmed *confirmed;

	if (connect_initial_download(&chaind->connect) ||
	    mempool_find_wtxid(&chaind->pool, wtxid) || admit_knows(&chaind->admit, wtxid))
		return false;
	HASH_FIND(hh, chaind->confirmed, wtxid->b, sizeof(wtxid->b), confirmed);
	return !confirmed && lease(chaind, client, wtxid);
}

static void remember_confirmed(struct chaind *chaind, const struct rc_wtxid *wtxid)
{
	struct confirmed *c;

	HASH_FIND(hh, chaind->confirmed, wtxid->b, sizeof(wtxid->b), c);
	if (c)
		return;
	if (HASH_COUNT(chaind->confirmed) >= CONFIRMED_MAX) {
		c = chaind->confirmed; /* the oldest */
		HASH_DEL(chaind->confirmed, c);
	} else {
		c = rc_alloc(sizeof(*c));
	}
	memset(c, 0, sizeof(*c));
	c->wtxid = *wtxid;
	HASH_ADD(hh, chaind->confirmed, wtxid.b, sizeof(c->wtxid.b), c);
}

void chaind_txs_confirmed(struct chaind *chaind, const struct rc_block *block)
{
	if (connect_initial_download(&chaind->connect))
		return;
	for (uint32_t i = 1; i < block->n_txs; i++)
		remember_confirmed(chaind, &block->txs[i].wtxid);
}

/* ---- the pool's callbacks ---- */

static const enum chaind_metric removal_metric[POOL_REMOVALS] = {
	[POOL_CONFLICT] = METRIC_POOL_CONFLICTED,
	[POOL_REPLACED] = METRIC_POOL_REPLACED,
	[POOL_EVICTED] = METRIC_POOL_EVICTED,
	[POOL_EXPIRED] = METRIC_POOL_EXPIRED,
};

static void set_pool_metrics(struct chaind *chaind)
{
	rc_metric_set(chaind->metrics, METRIC_POOL_COUNT, (int64_t)chaind->pool.count);
	rc_metric_set(chaind->metrics, METRIC_POOL_BYTES, (int64_t)chaind->pool.bytes);
	rc_metric_set(chaind->metrics, METRIC_POOL_USAGE, (int64_t)chaind->pool.usage);
}

static void on_removed(void *arg, const struct pool_tx *tx, enum pool_removal why)
{
	struct chaind *chaind = arg;
	char hex[RC_ID_HEX];

	if (why == POOL_REORGANISED) {
		struct admit_options options = {
			.peer = tx->facts.peer,
			.local = tx->facts.local,
			.journaled = !tx->facts.local || tx->facts.synced,
			.again = true,
			.time = tx->facts.time,
		};

		chaind->compact_spoiled = true;
		refill_add_tx(&chaind->refill, tx->tx.raw.data, tx->tx.raw.len, &options);
		return;
	}
	if (why != POOL_IN_BLOCK) {
		rc_metric_add(chaind->metrics, removal_metric[why], 1);
		leftovers_add(&chaind->leftovers, &tx->tx);
	}
	/* A person was told that it is accepted: that it went is worth a line. */
	if (tx->facts.local && why != POOL_IN_BLOCK)
		rc_log(RC_LOG_NOTICE, "transaction %s, submitted here, leaves the pool: %s",
		       rc_txid_hex(hex, &tx->tx.txid), pool_removal_name(why));
	event_tx_removed(chaind, &tx->tx.txid, &tx->tx.wtxid, (uint32_t)tx->tx.raw.len,
			 tx->facts.fee, pool_removal_name(why));
	set_pool_metrics(chaind);
}

static void on_accepted(void *arg, const struct pool_tx *tx, const struct admit_options *options)
{
	struct chaind *chaind = arg;

	drop_lease(chaind, &tx->tx.wtxid);
	set_pool_metrics(chaind);
	if (!options->again)
		event_tx(chaind, tx, "");
	poll_wake(&chaind->template_polls);
}

static void on_not_back(void *arg, const struct admit_result *result, size_t size)
{
	struct chaind *chaind = arg;

	rc_metric_add(chaind->metrics, METRIC_POOL_CONFLICTED, 1);
	event_tx_removed(chaind, &result->txid, &result->wtxid, (uint32_t)size, result->fee,
			 pool_removal_name(POOL_CONFLICT));
}

static void on_refilled(void *arg)
{
	struct chaind *chaind = arg;

	rc_log(RC_LOG_INFO,
	       "the pool is filled again: %zu transactions came back, %zu no longer hold",
	       chaind->refill.n_back, chaind->refill.n_lost);
	poll_wake(&chaind->template_polls);
}

/* ---- life ---- */

void chaind_pool_set_limits(struct chaind *chaind, const struct pool_limits *limits)
{
	uint32_t block = chaind->network->params.block_limit;

	chaind->config.pool = *limits;
	/* What no block of this network could hold would stay for ever. */
	if (chaind->config.pool.size_max > block - TEMPLATE_RESERVE)
		chaind->config.pool.size_max = block - TEMPLATE_RESERVE;
	chaind->config.pool.budget_max = block;
	chaind->pool.limits = chaind->config.pool;
}

void chaind_pool_open(struct chaind *chaind)
{
	mempool_init(&chaind->pool, &chaind->config.pool, on_removed, chaind);
	chaind_pool_set_limits(chaind, &chaind->config.pool);
	mempool_salt(&chaind->pool, chaind->random);
	mempool_walk_start(&chaind->pool, &chaind->expire_walk);
	mempool_walk_start(&chaind->pool, &chaind->tell_walk);
	chaind->admit = (struct admit){
		.chain = &chaind->chain,
		.pool = &chaind->pool,
		.orphans = &chaind->orphans,
		.verified = chaind->verified,
		.loop = chaind->loop,
		.verify = chaind->verify,
		.metrics = chaind->metrics,
		.clock = &chaind->clock,
		.accepted = on_accepted,
		.arg = chaind,
	};
	admit_init(&chaind->admit);
	chaind->refill = (struct refill){
		.admit = &chaind->admit,
		.store = chaind->store,
		.paused = true,
		.lost = on_not_back,
		.finished = on_refilled,
		.arg = chaind,
	};
	refill_init(&chaind->refill);
}

static void on_record(void *arg, const struct journal_record *record)
{
	struct chaind *chaind = arg;
	struct admit_options options = {
		.local = record->local,
		.journaled = true,
		.time = record->time,
	};

	if (record->time + chaind->config.pool.expiry < chaind_now(chaind))
		return;
	refill_add_tx(&chaind->refill, record->tx, record->tx_len, &options);
}

int chaind_journal_open(struct chaind *chaind, struct rc_error *error)
{
	int rc = journal_open(chaind->config.statedir, &chaind->network->id, chaind->journal_writer,
			      on_record, chaind, &chaind->journal, error);

	chaind->admit.journal = chaind->journal;
	return rc;
}

/* The next part of the journal's new file: what is in the pool, oldest first. */
static enum journal_fill fill_journal(void *arg, struct rc_buf *records)
{
	struct chaind *chaind = arg;
	struct pool_tx *tx = NULL;

	/* What left the pool to be asked again is in the old file alone. */
	while (!chaind->stopping && !chaind->compact_spoiled && records->len < JOURNAL_PART &&
	       (tx = mempool_walk_next(&chaind->compact_walk))) {
		struct journal_record record = {tx->facts.time, tx->facts.local, tx->tx.raw.data,
						tx->tx.raw.len};

		journal_record_put(records, &record);
	}
	if (tx)
		return JOURNAL_MORE;
	mempool_walk_end(&chaind->pool, &chaind->compact_walk);
	return chaind->stopping || chaind->compact_spoiled ? JOURNAL_GIVE_UP : JOURNAL_LAST;
}

/* What is in the journal and not in the pool any more is most of it: write the pool anew. Not
 * while transactions are on their way back, which are in the journal alone. Also while more is
 * being written: under a steady load it always is, and a journal too large is never read again. */
static void compact(struct chaind *chaind)
{
	uint64_t size = journal_size(chaind->journal);

	rc_metric_set(chaind->metrics, METRIC_JOURNAL_BYTES, (int64_t)size);
	if (size < 2 * chaind->pool.bytes + JOURNAL_SLACK || refill_active(&chaind->refill) ||
	    !connect_running(&chaind->connect) || journal_compacting(chaind->journal))
		return;
	rc_log(RC_LOG_INFO,
	       "the pool's journal of %" PRIu64 " bytes is written anew: about %" PRIu64 " bytes",
	       size, chaind->pool.bytes);
	chaind->compact_spoiled = false;
	mempool_walk_start(&chaind->pool, &chaind->compact_walk);
	journal_compact(chaind->journal, fill_journal, chaind);
}

static void tell_again(struct chaind *chaind, uint64_t now)
{
	struct pool_cursor *walk = &chaind->tell_walk;

	for (size_t i = 0; i < MAINTAIN_MAX; i++) {
		struct pool_tx *tx = mempool_walk_next(walk);
		uint64_t since;

		if (!tx)
			break;
		since = tx->facts.told ? tx->facts.told : tx->facts.time;
		if (!tx->facts.local || since + TELL_AGAIN_SECONDS > now)
			continue;
		tx->facts.told = now;
		event_tx(chaind, tx, "again");
	}
	if (!walk->next)
		mempool_walk_again(&chaind->pool, walk);
}

void chaind_pool_maintain(struct chaind *chaind)
{
	uint64_t now = chaind_now(chaind);
	size_t n = mempool_expire(&chaind->pool, &chaind->expire_walk, MAINTAIN_MAX, now);
	int64_t now_ms = rc_mono_us(&chaind->clock) / 1000;

	if (!chaind->expire_walk.next)
		mempool_walk_again(&chaind->pool, &chaind->expire_walk);
	if (n)
		rc_log(RC_LOG_INFO, "%zu transactions expired", n);
	tell_again(chaind, now);
	orphans_expire(&chaind->orphans, now);
	rc_metric_set(chaind->metrics, METRIC_POOL_ORPHANS,
		      (int64_t)orphans_count(&chaind->orphans));
	set_pool_metrics(chaind);
	while (chaind->tx_leases && chaind->tx_leases->until_ms <= now_ms)
		drop_lease(chaind, &chaind->tx_leases->wtxid);
	compact(chaind);
}

void chaind_pool_close(struct chaind *chaind)
{
	struct tx_lease *l, *l_next;
	struct confirmed *c, *c_next;

	refill_done(&chaind->refill);
	admit_done(&chaind->admit);
	orphans_done(&chaind->orphans);
	mempool_walk_end(&chaind->pool, &chaind->expire_walk);
	mempool_walk_end(&chaind->pool, &chaind->tell_walk);
	mempool_done(&chaind->pool);
	journal_close(chaind->journal);
	HASH_ITER (hh, chaind->tx_leases, l, l_next) {
		HASH_DEL(chaind->tx_leases, l);
		free(l);
	}
	HASH_ITER (hh, chaind->confirmed, c, c_next) {
		HASH_DEL(chaind->confirmed, c);
		free(c);
	}
}
