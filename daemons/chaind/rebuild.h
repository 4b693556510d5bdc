/*
 * A compact block made whole again from the transactions at hand: the pool's, orphans, and those
 * that left the pool lately without a block. Pure: nothing is judged, and what is put together is
 * only what short ids say; the block's tx_root tells whether they were right.
 */
#ifndef CHAIND_REBUILD_H
#define CHAIND_REBUILD_H

#include "daemons/chaind/mempool.h"
#include "daemons/chaind/orphans.h"
#include "types/compact.h"

/* Transactions that left the pool, but not into a block: a miner may still have them. So many, and
 * none longer than what a pool takes by default: 10 MB at most. */
#define LEFTOVERS_MAX	  100
#define LEFTOVER_SIZE_MAX 100000

struct leftovers {
	struct leftover {
		struct rc_wtxid wtxid;
		uint8_t *raw; /* NULL: a free place */
		size_t len;
	} txs[LEFTOVERS_MAX];
	unsigned next; /* the oldest, replaced next */
};

void leftovers_done(struct leftovers *leftovers);
void leftovers_add(struct leftovers *leftovers, const struct rc_tx *tx);

/* Where transactions are looked for; orphans and leftovers may be NULL. salt: any number that who
 * makes short ids can't know. */
struct rebuild_from {
	const struct mempool *pool;
	const struct orphans *orphans;
	const struct leftovers *leftovers;
	uint64_t salt;
	size_t block_limit; /* bytes: no block is larger */
};

enum rebuild_outcome {
	REBUILD_WHOLE,	 /* every place has a transaction */
	REBUILD_MISSING, /* some don't: none fits, or more than one does */
	/* Two places have one short id, or what has the short ids is larger than a block: no answer
	 * could help. */
	REBUILD_AMBIGUOUS,
};

/*
 * given: the transactions at n_given places, which ascend; they come before what is found. Appends
 * the block to block, or the missing places (rc_indexes_encode) to missing and their number to
 * *ret_missing. Time: a short hash for each transaction at hand.
 */
enum rebuild_outcome rebuild(const struct rebuild_from *from, const struct rc_compact *compact,
			     const uint32_t *places, const struct rc_bytes *given, size_t n_given,
			     struct rc_buf *block, struct rc_buf *missing, uint32_t *ret_missing);

#endif
