/* utxod's metrics: one table. */
#ifndef UTXOD_METRICS_H
#define UTXOD_METRICS_H

#include "service/metrics.h"

/* X(ENUM, "name", type, label, "text") */
#define UTXOD_METRIC_TABLE(X)                                                                      \
	X(M_HEIGHT, "applied_height", RC_GAUGE, NULL, "Height of the applied tip")                 \
	X(M_DURABLE, "durable_height", RC_GAUGE, NULL, "Height of the durable tip")                \
	X(M_FLUSHED, "flushed_height", RC_GAUGE, NULL, "Height the state's disk stands at")        \
	X(M_COINS, "coins", RC_GAUGE, NULL, "Coins in the state")                                  \
	X(M_STAGED, "staged_blocks", RC_GAUGE, NULL, "Blocks staged and not committed")            \
	X(M_DIRTY, "dirty_bytes", RC_GAUGE, NULL, "Applied and not flushed")                       \
	X(M_VERSIONS, "versions", RC_GAUGE, NULL, "Versions of the state in memory")               \
	X(M_COMMITS, "commits_total", RC_COUNTER, NULL, "Blocks committed")                        \
	X(M_UNDONE, "undone_total", RC_COUNTER, NULL, "Blocks undone")                             \
	X(M_SWITCHES, "switches_total", RC_COUNTER, NULL, "Reorganisations begun")                 \
	X(M_FLUSHES, "flushes_total", RC_COUNTER, NULL, "Flushes of the state to its disk")        \
	X(M_SYNCS, "syncs_total", RC_COUNTER, NULL, "Syncs of the log")                            \
	X(M_BUILDING, "build_in_flight", RC_GAUGE, NULL, "A version is being built")               \
	X(M_WRITING, "commit_in_flight", RC_GAUGE, NULL, "Steps are being written to the log")     \
	X(M_FLUSHING, "flush_in_flight", RC_GAUGE, NULL, "The state is being flushed")             \
	X(M_PAGE_HITS, "page_hits_total", RC_COUNTER, NULL, "Tree pages found in memory")          \
	X(M_PAGE_LOADS, "page_loads_total", RC_COUNTER, NULL, "Tree pages read from disk")         \
	X(M_PAGE_DROPS, "page_drops_total", RC_COUNTER, NULL, "Tree pages dropped from memory")    \
	X(M_HASHES, "branches_hashed_total", RC_COUNTER, NULL, "Branches of the tree hashed")      \
	X(M_COIN_HITS, "coin_hits_total", RC_COUNTER, NULL, "Coins answered from memory")          \
	X(M_COIN_MISSES, "coin_misses_total", RC_COUNTER, NULL, "Coins asked of the disk")         \
	X(M_LOG_BYTES, "log_disk_bytes", RC_GAUGE, NULL, "Size of the log of deltas on disk")      \
	X(M_STATE_BYTES, "state_disk_bytes", RC_GAUGE, NULL, "Size of the state on disk")          \
	X(M_MEM_PAGES, "memory_bytes", RC_GAUGE, "part=\"pages\"", "Memory by what holds it")      \
	X(M_MEM_COINS, "memory_bytes", RC_GAUGE, "part=\"coins\"", "Memory by what holds it")      \
	X(M_MEM_DELTAS, "memory_bytes", RC_GAUGE, "part=\"deltas\"", "Memory by what holds it")    \
	X(M_MEM_CACHE, "memory_bytes", RC_GAUGE, "part=\"database_cache\"",                        \
	  "Memory by what holds it")                                                               \
	X(M_MEM_BUFFERS, "memory_bytes", RC_GAUGE, "part=\"database_buffers\"",                    \
	  "Memory by what holds it")                                                               \
	X(M_MEM_TABLES, "memory_bytes", RC_GAUGE, "part=\"database_tables\"",                      \
	  "Memory by what holds it")                                                               \
	X(M_MEM_LIMIT, "memory_limit_bytes", RC_GAUGE, NULL, "cache_mb")                           \
	X(M_START_DATABASES, "start_us", RC_GAUGE, "phase=\"databases\"",                          \
	  "What the start spent its time on")                                                      \
	X(M_START_LOG, "start_us", RC_GAUGE, "phase=\"log\"", "What the start spent its time on")  \
	X(M_START_PAGES, "start_us", RC_GAUGE, "phase=\"pages\"",                                  \
	  "What the start spent its time on")                                                      \
	X(M_START_APPLY, "start_us", RC_GAUGE, "phase=\"apply\"",                                  \
	  "What the start spent its time on")                                                      \
	X(M_T_STAGE, "stage_seconds", RC_HISTOGRAM, "stage=\"stage\"",                             \
	  "Time of the stages of work")                                                            \
	X(M_T_COMMIT, "stage_seconds", RC_HISTOGRAM, "stage=\"commit\"",                           \
	  "Time of the stages of work")                                                            \
	X(M_T_APPLY, "stage_seconds", RC_HISTOGRAM, "stage=\"apply\"",                             \
	  "Time of the stages of work")                                                            \
	X(M_T_ROOT, "stage_seconds", RC_HISTOGRAM, "stage=\"root\"", "Time of the stages of work") \
	X(M_T_AHEAD, "stage_seconds", RC_HISTOGRAM, "stage=\"log_ahead\"",                         \
	  "Time of the stages of work")                                                            \
	X(M_T_LOG, "stage_seconds", RC_HISTOGRAM, "stage=\"log\"", "Time of the stages of work")   \
	X(M_T_FLUSH, "stage_seconds", RC_HISTOGRAM, "stage=\"flush\"",                             \
	  "Time of the stages of work")                                                            \
	X(M_T_COINS, "stage_seconds", RC_HISTOGRAM, "stage=\"get_coins\"",                         \
	  "Time of the stages of work")                                                            \
	X(M_T_PROVE, "stage_seconds", RC_HISTOGRAM, "stage=\"prove\"",                             \
	  "Time of the stages of work")                                                            \
	X(M_T_OTHER, "stage_seconds", RC_HISTOGRAM, "stage=\"other\"", "Time of the stages of work")

enum utxod_metric {
#define X(id, name, type, label, text) id,
	UTXOD_METRIC_TABLE(X)
#undef X
		M_COUNT
};

struct utxod;
/* Brings gauges and totals up to date. */
void utxod_metrics_update(struct utxod *u);

#endif
