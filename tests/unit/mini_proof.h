/* Making proofs from sorted leaves, the plain way: for tests (30-state, "Making"). */
#ifndef RC_TEST_MINI_PROOF_H
#define RC_TEST_MINI_PROOF_H

#include "base/buf.h"
#include "consensus/proof.h"
#include "tests/unit/mini_chain.h"

struct mini_question {
	struct rc_proof_question about;
	size_t max_leaves; /* 0: no bound */
	bool sums_only;
};

/* Appends the proof. leaves: of the question's namespace, ascending; roots: of all eight. */
void mini_proof_make(const struct mini_question *question, const struct mini_leaf *leaves, size_t n,
		     const struct rc_hash *roots, struct rc_buf *buf);

#endif
