/*
 * Transactions whose parents aren't known yet, kept a while in case they come: few, and not for
 * long (20-consensus, "Policy"). When there are too many the oldest goes.
 */
#ifndef CHAIND_ORPHANS_H
#define CHAIND_ORPHANS_H

#include <uthash.h>

#include "types/tx.h"

#define ORPHANS_MAX	100
#define ORPHAN_SECONDS	(20 * 60)
#define ORPHAN_SIZE_MAX 100000
/* Parents of one that are remembered; what needs more isn't kept. */
#define ORPHAN_PARENTS_MAX 25

struct orphan {
	UT_hash_handle hh; /* by wtxid; uthash keeps the order of arrival */
	struct rc_wtxid wtxid;
	uint64_t until; /* seconds since 1970 */
	uint64_t peer;
	size_t n_parents;
	struct rc_txid parents[ORPHAN_PARENTS_MAX];
	size_t len;
	uint8_t raw[];
};

struct orphans {
	struct orphan *all;
};

void orphans_done(struct orphans *orphans);
size_t orphans_count(const struct orphans *orphans);
bool orphans_has(const struct orphans *orphans, const struct rc_wtxid *wtxid);
/* False if it isn't kept (too large, too many parents, there already). */
bool orphans_add(struct orphans *orphans, const struct rc_tx *tx, const struct rc_txid *parents,
		 size_t n_parents, uint64_t peer, uint64_t now);
/* Takes one that waits for this parent out; the caller frees it. NULL: none. */
struct orphan *orphans_take_child(struct orphans *orphans, const struct rc_txid *parent);
void orphans_expire(struct orphans *orphans, uint64_t now);

#endif
