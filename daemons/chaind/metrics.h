/* chaind's figures: one table, from which Metrics is served. */
#ifndef CHAIND_METRICS_H
#define CHAIND_METRICS_H

#include "service/metrics.h"

/* M(ID, name, type, label, text) */
#define CHAIND_METRICS(M)                                                                          \
	M(TIP_HEIGHT, "tip_height", RC_GAUGE, NULL, "Height of the applied tip.")                  \
	M(TIP_TIME, "tip_time_seconds", RC_GAUGE, NULL, "Time in the tip's header, since 1970.")   \
	M(DURABLE_HEIGHT, "durable_height", RC_GAUGE, NULL, "Height that is on utxod's disk.")     \
	M(HEADER_HEIGHT, "best_header_height", RC_GAUGE, NULL, "Height of the best header.")       \
	M(HEADERS, "headers", RC_GAUGE, NULL, "Headers kept.")                                     \
	M(INITIAL_DOWNLOAD, "initial_download", RC_GAUGE, NULL, "1 while the chain is fetched.")   \
	M(BLOCKS_CONNECTED, "blocks_connected_total", RC_COUNTER, NULL, "Blocks connected.")       \
	M(BLOCKS_DISCONNECTED, "blocks_disconnected_total", RC_COUNTER, NULL,                      \
	  "Blocks undone by reorganisations.")                                                     \
	M(BLOCKS_INVALID, "blocks_invalid_total", RC_COUNTER, NULL, "Blocks that broke a rule.")   \
	M(REORGS, "reorganisations_total", RC_COUNTER, NULL, "Reorganisations done.")              \
	M(INPUTS_CONNECTED, "inputs_connected_total", RC_COUNTER, NULL,                            \
	  "Inputs of connected blocks.")                                                           \
	M(CONNECT_IN_FLIGHT, "connect_in_flight", RC_GAUGE, NULL, "Blocks in the pipeline.")       \
	M(COMMIT_IN_FLIGHT, "commit_in_flight", RC_GAUGE, NULL, "Commits asked and unanswered.")   \
	M(REORG_IN_FLIGHT, "reorg_in_flight", RC_GAUGE, NULL,                                      \
	  "1 from a switch's beginning to its commit.")                                            \
	M(SESSIONS, "utxod_sessions_total", RC_COUNTER, NULL, "Times utxod was opened to write.")  \
	M(T_LOAD, "stage_seconds", RC_HISTOGRAM, "stage=\"load\"", "Time of a block's stages.")    \
	M(T_DECODE, "stage_seconds", RC_HISTOGRAM, "stage=\"decode\"",                             \
	  "Time of a block's stages.")                                                             \
	M(T_FETCH, "stage_seconds", RC_HISTOGRAM, "stage=\"fetch\"", "Time of a block's stages.")  \
	M(T_CHECK, "stage_seconds", RC_HISTOGRAM, "stage=\"check\"", "Time of a block's stages.")  \
	M(T_VERIFY, "stage_seconds", RC_HISTOGRAM, "stage=\"verify\"",                             \
	  "Time of a block's stages.")                                                             \
	M(T_STAGE, "stage_seconds", RC_HISTOGRAM, "stage=\"stage\"", "Time of a block's stages.")  \
	M(T_COMMIT, "stage_seconds", RC_HISTOGRAM, "stage=\"commit\"",                             \
	  "Time of a block's stages.")                                                             \
	M(T_PUBLISH, "stage_seconds", RC_HISTOGRAM, "stage=\"publish\"",                           \
	  "Time of a block's stages.")                                                             \
	M(T_CONNECT, "connect_seconds", RC_HISTOGRAM, NULL,                                        \
	  "From a block's entry into the pipeline to its commit.")                                 \
	M(COINS_KNOWN, "coins_known_total", RC_COUNTER, NULL,                                      \
	  "Coins of connected blocks that the pool knew, so that utxod wasn't asked.")             \
	M(VERIFIED_HITS, "verified_hits_total", RC_COUNTER, NULL,                                  \
	  "Transactions whose witnesses were known to be good.")                                   \
	M(VERIFIED_MISSES, "verified_misses_total", RC_COUNTER, NULL,                              \
	  "Transactions whose witnesses had to be verified.")                                      \
	M(POOL_COUNT, "mempool_transactions", RC_GAUGE, NULL, "Transactions in the pool.")         \
	M(POOL_BYTES, "mempool_bytes", RC_GAUGE, NULL, "Bytes of the pool's transactions.")        \
	M(POOL_USAGE, "mempool_usage_bytes", RC_GAUGE, NULL, "Memory the pool takes.")             \
	M(POOL_ACCEPTED, "mempool_accepted_total", RC_COUNTER, NULL, "Transactions taken in.")     \
	M(POOL_REFUSED, "mempool_refused_total", RC_COUNTER, NULL, "Transactions refused.")        \
	M(POOL_EVICTED, "mempool_removed_total", RC_COUNTER, "why=\"evicted\"",                    \
	  "Transactions that left the pool.")                                                      \
	M(POOL_EXPIRED, "mempool_removed_total", RC_COUNTER, "why=\"expired\"",                    \
	  "Transactions that left the pool.")                                                      \
	M(POOL_CONFLICTED, "mempool_removed_total", RC_COUNTER, "why=\"conflict\"",                \
	  "Transactions that left the pool.")                                                      \
	M(POOL_REPLACED, "mempool_removed_total", RC_COUNTER, "why=\"replaced\"",                  \
	  "Transactions that left the pool.")                                                      \
	M(POOL_ORPHANS, "mempool_orphans", RC_GAUGE, NULL, "Transactions that wait for a parent.") \
	M(ADMIT_IN_FLIGHT, "admissions_in_flight", RC_GAUGE, NULL,                                 \
	  "Transactions between arrival and verdict.")                                             \
	M(LEASES, "block_leases", RC_GAUGE, NULL, "Blocks leased to peers for download.")          \
	M(REBUILT, "compact_rebuilt_total", RC_COUNTER, NULL,                                      \
	  "Blocks taken in that came in compact form.")                                            \
	M(REBUILD_MISSING, "compact_missing_total", RC_COUNTER, NULL,                              \
	  "Transactions of compact blocks that were neither sent along nor in the pool.")          \
	M(REBUILD_AMBIGUOUS, "compact_ambiguous_total", RC_COUNTER, NULL,                          \
	  "Compact blocks whose short ids didn't tell what the block is.")                         \
	M(START_STORE, "start_us", RC_GAUGE, "phase=\"store\"",                                    \
	  "What the start spent its time on.")                                                     \
	M(HEADERS_PASSING, "headers_passing_total", RC_COUNTER, NULL,                              \
	  "Headers checked in passing: of branches with too little work so far.")                  \
	M(PRESYNC_BYTES, "presync_bytes", RC_GAUGE, NULL, "Memory for such branches.")             \
	M(START_HEADERS, "start_us", RC_GAUGE, "phase=\"headers\"",                                \
	  "What the start spent its time on.")                                                     \
	M(START_JOURNAL, "start_us", RC_GAUGE, "phase=\"journal\"",                                \
	  "What the start spent its time on.")                                                     \
	M(JOURNAL_BYTES, "journal_bytes", RC_GAUGE, NULL, "Size of the pool's journal.")

enum chaind_metric {
#define M(id, name, type, label, text) METRIC_##id,
	CHAIND_METRICS(M)
#undef M
		METRIC_COUNT
};

extern const struct rc_metric_def chaind_metrics[METRIC_COUNT];

#endif
