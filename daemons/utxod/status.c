/* What utxod tells of itself: Status for people, metrics for machines, from the ledger's figures.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/num.h"
#include "daemons/utxod/status.h"

const struct rc_metric_def utxod_metric_defs[] = {
#define X(id, name, type, label, text) {name, type, label, text},
	UTXOD_METRIC_TABLE(X)
#undef X
};
_Static_assert(RC_ARRAY_LEN(utxod_metric_defs) == M_COUNT, "a row for each metric");

/* Gauges and totals that the ledger keeps, by metric. */
static void total(struct rc_metrics *metrics, enum utxod_metric metric, uint64_t value)
{
	rc_metric_add(metrics, metric, value - rc_metric_get(metrics, metric));
}

static void gauge(struct rc_metrics *metrics, enum utxod_metric metric, uint64_t value)
{
	rc_metric_set(metrics, metric, (int64_t)value);
}

void utxod_metrics_update(struct utxod *u)
{
	struct rc_metrics *m = rc_service_metrics(u->service);
	struct ledger_figures f;

	ledger_figures(u->ledger, &f);
	gauge(m, M_HEIGHT, f.applied.height);
	gauge(m, M_DURABLE, f.durable.height);
	gauge(m, M_FLUSHED, f.flushed.height);
	gauge(m, M_COINS, f.coins);
	gauge(m, M_STAGED, f.staged_blocks);
	gauge(m, M_DIRTY, f.dirty_bytes);
	gauge(m, M_VERSIONS, f.versions);
	total(m, M_COMMITS, f.commits);
	total(m, M_UNDONE, f.undone);
	total(m, M_SWITCHES, f.switches);
	total(m, M_FLUSHES, f.flushes);
	total(m, M_SYNCS, f.syncs);
	total(m, M_PAGE_HITS, f.page_hits);
	total(m, M_PAGE_LOADS, f.page_loads);
	total(m, M_PAGE_DROPS, f.page_drops);
	total(m, M_HASHES, f.hashes);
	total(m, M_COIN_HITS, f.coin_hits);
	total(m, M_COIN_MISSES, f.coin_misses);
	gauge(m, M_LOG_BYTES, f.log.disk_bytes);
	gauge(m, M_STATE_BYTES, f.state.disk_bytes);
	gauge(m, M_MEM_PAGES, f.page_held);
	gauge(m, M_MEM_COINS, f.coin_bytes);
	gauge(m, M_MEM_DELTAS, f.delta_bytes);
	gauge(m, M_MEM_CACHE, f.log.cache_bytes + f.state.cache_bytes);
	gauge(m, M_MEM_BUFFERS, f.log.buffer_bytes + f.state.buffer_bytes);
	gauge(m, M_MEM_TABLES, f.log.table_bytes + f.state.table_bytes);
	gauge(m, M_MEM_LIMIT, rc_config_u64(rc_service_config(u->service), "cache_mb") << 20);
	gauge(m, M_START_DATABASES, u->databases_us);
	gauge(m, M_START_LOG, f.recovery.log_us);
	gauge(m, M_START_PAGES, f.recovery.read_us);
	gauge(m, M_START_APPLY, f.recovery.apply_us);
}

static void figure(struct rc_status *status, const char *name, uint64_t value)
{
	rc_status_figure(status, name, "%" PRIu64, value);
}

void utxod_status(void *ctx, struct rc_status *ret)
{
	struct utxod *u = ctx;
	struct ledger_figures f;
	char id[RC_ID_HEX];
	uint64_t verify_of = atomic_load(&u->verify_of);

	ledger_figures(u->ledger, &f);
	ret->ready = true;
	if (verify_of)
		snprintf(ret->text, sizeof(ret->text),
			 "at block %u; verifying: %" PRIu64 " of %" PRIu64 " entries",
			 f.applied.height, (uint64_t)atomic_load(&u->verify_done), verify_of);
	else if (!u->writer)
		snprintf(ret->text, sizeof(ret->text), "at block %u; waits for chaind",
			 f.applied.height);
	else
		snprintf(ret->text, sizeof(ret->text), "at block %u", f.applied.height);
	figure(ret, "height", f.applied.height);
	rc_status_figure(ret, "tip", "%s", rc_block_id_hex(id, &f.applied.id));
	figure(ret, "durable", f.durable.height);
	figure(ret, "flushed", f.flushed.height);
	figure(ret, "coins", f.coins);
	figure(ret, "staged", f.staged_blocks);
	figure(ret, "dirty_bytes", f.dirty_bytes);
	figure(ret, "cache_bytes", f.page_bytes + f.coin_bytes);
	figure(ret, "page_loads", f.page_loads);
	figure(ret, "coin_hits", f.coin_hits);
	figure(ret, "coin_misses", f.coin_misses);
	figure(ret, "commits", f.commits);
	figure(ret, "undone", f.undone);
	figure(ret, "switches", f.switches);
	figure(ret, "flushes", f.flushes);
	figure(ret, "build_in_flight", f.build_in_flight);
	figure(ret, "commit_in_flight", f.write_in_flight);
	figure(ret, "flush_in_flight", f.flush_in_flight);
	figure(ret, "lowest_delta", f.lowest_delta);
	figure(ret, "recovered_steps", f.recovery.steps);
	figure(ret, "recovered_us", f.recovery.all_us);
}
