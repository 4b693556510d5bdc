/* Sets of pool transactions, for walks over ancestors and descendants: the pool's own use. */
#ifndef CHAIND_MEMPOOL_SETS_H
#define CHAIND_MEMPOOL_SETS_H

#include "daemons/chaind/mempool.h"

/* Members carry the set's mark; only one set of a pool grows at a time. */
struct pool_set {
	struct mempool *pool;
	struct pool_tx **txs;
	size_t n;
	size_t cap;
	uint64_t mark;
};

void pool_set_init(struct pool_set *set, struct mempool *pool);
void pool_set_done(struct pool_set *set);
void pool_set_clear(struct pool_set *set);
/* False if it is in already. */
bool pool_set_add(struct pool_set *set, struct pool_tx *tx);
bool pool_set_has(const struct pool_set *set, const struct pool_tx *tx);
/* Adds tx and everything above or below it. */
void pool_set_ancestors(struct pool_set *set, struct pool_tx *tx);
void pool_set_descendants(struct pool_set *set, struct pool_tx *tx);

/* Takes a copy in; nothing is checked. */
void mempool_insert(struct mempool *pool, const struct rc_tx *tx,
		    const struct rc_coin *const *coins, const struct pool_facts *facts,
		    struct pool_tx **ret_tx);
/* Removes all members, which include the descendants of each; empties the set. */
size_t mempool_remove_set(struct mempool *pool, struct pool_set *set, enum pool_removal why);

#endif
