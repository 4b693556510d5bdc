/*
 * The rules of a block with its parent's state, as two pure steps, so that coins are fetched in
 * one batch and signatures are verified on other threads meanwhile:
 *
 *   rc_connect_collect   which coins the block spends that it doesn't make itself
 *   (the caller fetches them at the parent's state)
 *   rc_connect_block     every rule but the witnesses'; gives the delta, the fees, witness jobs
 *   (the caller stages the delta; worker threads run rc_witness_job_run on each job)
 *   rc_witness_worse     folds the jobs' findings into the first failing one
 *
 * The block's verdict is rc_connect_block's, if that is not ok; else the folded one of all jobs.
 */
#ifndef RC_CONSENSUS_CONNECT_H
#define RC_CONSENSUS_CONNECT_H

#include "base/arena.h"
#include "consensus/network.h"
#include "consensus/verdict.h"
#include "consensus/witness.h"
#include "types/block.h"
#include "types/delta.h"

/* Where no single transaction or input is to blame. */
#define RC_NO_PLACE UINT32_MAX

/* What the block needs of the state, and where each of its inputs finds its coin. */
struct rc_connect_plan {
	const struct rc_block *block;
	struct rc_outpoint *outpoints; /* ascending, none twice: to be fetched */
	uint32_t n_outpoints;
	uint32_t *sources;	/* of all inputs in order: see connect.c */
	uint32_t *first_output; /* of each transaction: its first output among all of them */
};

/* The block must have passed rc_block_check. */
void rc_connect_collect(const struct rc_block *block, struct rc_arena *arena,
			struct rc_connect_plan *ret_plan);

/* A coin as fetched: parallel to the plan's outpoints. */
struct rc_coin_slot {
	bool present;
	struct rc_coin coin;
};

/* Values of the state that rules read, as they stand before the block. */
struct rc_governed {
	rc_amount treasury; /* T(h − 1), at rc_gov_key_treasury; 0 when absent */
};

struct rc_connect_context {
	const struct rc_network *network;
	uint32_t median_time; /* MTP(parent) */
	/* Root of the state after the parent. NULL: not there yet; then the caller compares it with
	 * the header before it believes any other verdict, since block-state-root comes first. */
	const struct rc_hash *parent_root;
	struct rc_governed governed;
};

/* A part of a transaction's inputs to verify: small enough that all threads get some. */
struct rc_witness_job {
	const struct rc_tx *tx;
	const struct rc_coin *const *coins; /* of all inputs of tx */
	const struct rc_sighash *sighash;   /* NULL: made by the job itself */
	uint32_t tx_index;
	uint32_t first_input;
	uint32_t n_inputs;
};

#define RC_WITNESS_JOB_INPUTS 64

struct rc_connect_result {
	struct rc_delta delta; /* sorted, ready to encode */
	rc_amount fees;
	rc_amount *tx_fees; /* of each transaction; the coinbase's is 0 */
	rc_amount treasury; /* T(h) */
	uint64_t budget;    /* units used */
	struct rc_witness_job *jobs;
	uint32_t n_jobs;
	/* Where the rule failed, if the verdict is not ok; else RC_NO_PLACE. */
	uint32_t bad_tx;
	uint32_t bad_input;
};

/*
 * coins: parallel to plan->outpoints. *ret_result looks into the block, into coins and into arena;
 * all must outlive the jobs. Whatever the verdict, bad_tx and bad_input are set; the rest only when
 * it is ok.
 */
enum rc_verdict rc_connect_block(const struct rc_connect_context *context,
				 const struct rc_connect_plan *plan,
				 const struct rc_coin_slot *coins, struct rc_arena *arena,
				 struct rc_connect_result *ret_result);

/* What a job found: the first failing input of its own. */
struct rc_witness_finding {
	enum rc_verdict verdict;
	uint32_t tx_index;
	uint32_t input;
};

/* Any thread; nothing is shared but what is only read. */
struct rc_witness_finding rc_witness_job_run(const struct rc_hash *network_id,
					     const struct rc_witness_job *job,
					     const struct rc_sig_verifier *verifier);

/* *worst becomes the one that is first in the document's order. Start with RC_VERDICT_OK. */
void rc_witness_worse(struct rc_witness_finding *worst, const struct rc_witness_finding *finding);

/*
 * A loose transaction that passed rc_tx_check_loose, for a block at tip + 1: everything but its
 * witnesses. coins: one for each input, NULL where there is none (a coin of the pool has height
 * tip + 1). context: height is tip + 1, median_time that of the tip. bad_input is set on failure.
 * Size and budget of a block are no rules of a loose transaction: the pool refuses, by its policy,
 * one that no block could hold.
 */
struct rc_loose_context {
	const struct rc_network *network;
	uint32_t height;
	uint32_t median_time;
};

struct rc_loose_result {
	rc_amount fee;
	uint64_t budget;
	uint32_t bad_input;
};

enum rc_verdict rc_tx_check_with_coins(const struct rc_loose_context *context,
				       const struct rc_tx *tx, const struct rc_coin *const *coins,
				       struct rc_loose_result *ret_result);

/* Whether lock_time and relative locks hold at height with the parent's median time: also for
 * templates. */
bool rc_tx_lock_time_holds(const struct rc_tx *tx, uint32_t height, uint32_t median_time);

#endif
