/* Checking a proof about the state; utxod makes them (30-state, "One proof type"). */
#ifndef RC_CONSENSUS_PROOF_H
#define RC_CONSENSUS_PROOF_H

#include "base/reader.h"
#include "consensus/state_hash.h"
#include "consensus/verdict.h"

#define RC_PROOF_VERSION 1

enum rc_proof_end {
	RC_PROOF_END_EMPTY = 0,	 /* the namespace is empty */
	RC_PROOF_END_LEAVES = 1, /* every leaf under the prefix */
	RC_PROOF_END_BRANCH = 2, /* one branch, opened */
	RC_PROOF_END_OTHER = 3,	 /* a leaf that stands where the prefix would */
};

enum rc_proof_answer {
	RC_PROOF_ABSENT, /* nothing has the prefix */
	RC_PROOF_LEAVES, /* these entries and no others */
	RC_PROOF_TOTAL,	 /* two or more entries; in namespace 1 with this total */
};

struct rc_proof_question {
	uint8_t ns;
	uint16_t bits;
	uint8_t prefix[RC_STATE_KEY_MAX]; /* ⌈bits/8⌉ bytes, spare low bits zero */
};

struct rc_proof {
	struct rc_proof_question about;
	enum rc_proof_answer answer;
	rc_amount total; /* namespace 1: of the leaves, or of the opened branch */
	size_t n_leaves;
	struct rc_reader leaves; /* for rc_proof_next */
	/* Of an opened branch: its path, so that one may ask again for path ‖ 0 and path ‖ 1. */
	uint16_t branch_depth;
	uint8_t branch_path[RC_STATE_KEY_MAX];
};

/*
 * Checks the proof's bytes against a state root and, if question isn't NULL, that it answers that
 * question. *ret_proof looks into data. RC_V_PROOF_INVALID or ok.
 */
enum rc_verdict rc_proof_check(const void *data, size_t len,
			       const struct rc_proof_question *question,
			       const struct rc_hash *state_root, struct rc_proof *ret_proof);

/* The next leaf of an answer RC_PROOF_LEAVES, in key order; false after the last. */
bool rc_proof_next(struct rc_proof *proof, const uint8_t **ret_key, struct rc_bytes *ret_value);

#endif
