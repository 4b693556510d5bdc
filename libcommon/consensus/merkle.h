/* The tree over a block's transactions, and proofs of inclusion (20-consensus, "Block"). */
#ifndef RC_CONSENSUS_MERKLE_H
#define RC_CONSENSUS_MERKLE_H

#include "base/arena.h"
#include "base/buf.h"
#include "consensus/verdict.h"
#include "types/id.h"

/* tx_root of n ≥ 1 wtxids that stand stride bytes apart. */
void rc_tx_root(const struct rc_wtxid *wtxids, size_t stride, uint32_t n, struct rc_arena *arena,
		struct rc_hash *ret_root);

/*
 * The same root of wtxids that don't all stand in memory at once: begin with their count, give them
 * in rounds of RC_TX_ROOT_ROUND (the last one: what is left), end.
 */
#define RC_TX_ROOT_ROUND \
	1024 /* their tree's lower levels fit a CPU's first cache; a power of two */
struct rc_tx_root_maker {
	uint32_t n, n_tops;
	uint8_t *levels[2]; /* of one round */
	uint8_t *tops[2];   /* of the rounds, and above */
};
void rc_tx_root_begin(struct rc_tx_root_maker *maker, uint32_t n, struct rc_arena *arena);
void rc_tx_root_round(struct rc_tx_root_maker *maker, const struct rc_wtxid *wtxids, size_t stride,
		      uint32_t n);
void rc_tx_root_end(struct rc_tx_root_maker *maker, struct rc_hash *ret_root);

/* A path never has more siblings: n is u32. */
#define RC_INCLUSION_PATH_MAX 32
/* index, n, witness hash, cs, path. */
#define RC_INCLUSION_SIZE_MAX (4 + 4 + 32 + 1 + 32 * RC_INCLUSION_PATH_MAX)

/* Appends the proof of leaf index < n: index u32, n u32, witness_hash 32, cs path { 32 }. */
void rc_inclusion_make(const struct rc_wtxid *wtxids, size_t stride, uint32_t n, uint32_t index,
		       const struct rc_hash *witness_hash, struct rc_arena *arena,
		       struct rc_buf *buf);

/* RC_V_PROOF_INVALID, or ok and the place of the transaction in the block. */
enum rc_verdict rc_inclusion_check(const void *proof, size_t len, const struct rc_txid *txid,
				   const struct rc_hash *tx_root, uint32_t *ret_index);

#endif
