/*
 * The pool: valid transactions that wait for a block, who spends what of whom, and the policy that
 * bounds it (20-consensus, "Policy"). Pure data: what a candidate spends was looked up and verified
 * before (admit.c); time comes in.
 */
#ifndef CHAIND_MEMPOOL_H
#define CHAIND_MEMPOOL_H

#include "base/clock.h"
#include "consensus/verdict.h"
#include "daemons/chaind/pool_heap.h"
#include "daemons/chaind/pool_index.h"
#include "types/block.h"
#include "types/coin.h"
#include "types/tx.h"

struct pool_limits {
	uint64_t bytes_max;	  /* of memory the pool takes */
	uint64_t min_fee_rate;	  /* oxides per 1,000 bytes */
	uint32_t ancestors_max;	  /* in the pool, itself included */
	uint32_t descendants_max; /* likewise */
	uint32_t size_max;	  /* of a transaction, bytes */
	uint64_t budget_max;	  /* of a transaction, units */
	uint32_t data_max;	  /* DATA outputs of one */
	uint64_t dust;		  /* least amount of a KEY output */
	uint32_t expiry;	  /* seconds */
	uint32_t replace_max;	  /* transactions one replacement may evict */
};
extern const struct pool_limits pool_limits_default;

enum pool_removal {
	POOL_IN_BLOCK,
	POOL_CONFLICT,
	POOL_REPLACED,
	POOL_EVICTED,
	POOL_EXPIRED,
	POOL_REORGANISED, /* taken out to be asked again */
	POOL_REMOVALS
};
const char *pool_removal_name(enum pool_removal why);

/* An input: what it spends. The table by outpoint is of these. */
struct pool_spend {
	uint8_t key[RC_OUTPOINT_SIZE];
	struct pool_tx *tx;  /* whose input it is */
	struct rc_coin coin; /* as in the state once its maker is there */
};

/* A place in the list of everything the pool does to one lock. */
struct pool_lock;
struct pool_lock_ref {
	struct pool_lock *lock;
	struct pool_lock_ref *next, *prev;
	struct pool_tx *tx;
	uint32_t index;
	bool spends; /* input index spends a coin of the lock; else output index makes one */
};
struct pool_lock {
	struct rc_hash hash;
	struct pool_lock_ref *refs;
};

/* What is known of a transaction beside its bytes. */
struct pool_facts {
	rc_amount fee;
	uint64_t budget;
	uint64_t time;	     /* seconds since 1970, of its entry */
	uint64_t peer;	     /* who sent it; 0: a person */
	uint32_t height;     /* the tip's at its entry */
	uint32_t min_height; /* the first block its relative locks and maturities allow */
	uint32_t coins_to;   /* greatest height of the coins of the state that it spends */
	bool local;	     /* a person's */
	bool synced;	     /* on the disk as a person's */
	uint64_t told;	     /* when peers were told of it last */
};

struct pool_tx {
	struct rc_tx tx; /* its views and arrays are in this allocation */
	struct pool_facts facts;
	uint64_t sequence;     /* order of entry */
	struct pool_tx *older; /* list in order of entry */
	struct pool_tx *newer;
	struct pool_tx **parents; /* in the pool */
	struct pool_tx **children;
	uint32_t n_parents, n_children, cap_children;
	/* Sums over ancestors and descendants in the pool, itself included. */
	uint32_t anc_count, desc_count;
	uint64_t anc_size, desc_size;
	uint64_t anc_fee, desc_fee;
	uint32_t evict_place, mine_place;
	uint64_t mark; /* of the last traversal that saw it */
	size_t usage;
	struct pool_spend *spends;     /* n_inputs */
	struct pool_lock_ref *in_refs; /* n_inputs */
	struct pool_lock_ref *out_refs;
};

/* A walk over the pool that may rest between turns of the loop. */
struct pool_cursor {
	struct pool_tx *next;
	struct pool_cursor *prev_cursor, *next_cursor; /* of the pool's */
};

struct mempool {
	struct pool_limits limits;
	struct pool_index by_txid, by_wtxid; /* of struct pool_tx */
	struct pool_index spends;	     /* of struct pool_spend */
	struct pool_index locks;	     /* of struct pool_lock */
	struct pool_tx *oldest, *newest;
	struct pool_cursor *cursors; /* under way */
	struct pool_heap evict;	     /* top: the lowest descendant rate */
	struct pool_heap mine;	     /* top: the highest ancestor rate */
	uint64_t count, bytes, usage, total_fee;
	uint64_t sequence;
	uint64_t rolling_rate; /* minimum that eviction left, oxides per 1,000 bytes */
	uint64_t rolling_since;
	uint64_t mark;
	uint64_t removals[POOL_REMOVALS];
	/* Called before a transaction goes; its links are gone already. */
	void (*on_removed)(void *arg, const struct pool_tx *tx, enum pool_removal why);
	void *arg;
};

void mempool_init(struct mempool *pool, const struct pool_limits *limits,
		  void (*on_removed)(void *arg, const struct pool_tx *tx, enum pool_removal why),
		  void *arg);
void mempool_done(struct mempool *pool);
/* Salts its tables, while it is empty. */
void mempool_salt(struct mempool *pool, const struct rc_random *random);

struct pool_tx *mempool_find(const struct mempool *pool, const struct rc_txid *txid);
struct pool_tx *mempool_find_wtxid(const struct mempool *pool, const struct rc_wtxid *wtxid);
/* Who spends this outpoint; NULL: nobody in the pool. */
struct pool_tx *mempool_spender(const struct mempool *pool, const struct rc_outpoint *outpoint);
/* The coin an output of the pool makes; false if there is none. height: tip + 1. */
bool mempool_coin(const struct mempool *pool, const struct rc_outpoint *outpoint, uint32_t height,
		  struct rc_coin *ret_coin);
/* Of each outpoint the coin of the state that a transaction of the pool spends by it; NULL: nobody
 * does, or another transaction of the pool makes it. */
void mempool_state_coins(const struct mempool *pool, const struct rc_outpoint *outpoints, size_t n,
			 const struct rc_coin **ret_coins);
struct pool_lock *mempool_lock(const struct mempool *pool, const struct rc_hash *lock_hash);

/* It will be checked, added, or taken out soon: what the tables have of it and of what it spends
 * comes into the CPU's cache, so that many in a row don't wait for memory one after another. */
void mempool_fetch(const struct mempool *pool, const struct rc_tx *tx);
/* How many before. */
#define MEMPOOL_FETCH_AHEAD 8

/* Policy that needs no coins: size, DATA outputs, dust. */
enum rc_verdict mempool_check_form(const struct mempool *pool, const struct rc_tx *tx);
/* The least fee rate taken now, oxides per 1,000 bytes. */
uint64_t mempool_min_fee_rate(struct mempool *pool, uint64_t now);
/* Policy with the fee known: minimum, conflicts and replacement, ancestors, descendants. */
enum rc_verdict mempool_check(struct mempool *pool, const struct rc_tx *tx, rc_amount fee,
			      uint64_t now);
/*
 * Checks again and takes it in (a copy of its bytes), replacing what it conflicts with and evicting
 * what no longer fits: pool-full if that is itself. coins: what each input spends.
 */
enum rc_verdict mempool_add(struct mempool *pool, const struct rc_tx *tx,
			    const struct rc_coin *const *coins, const struct pool_facts *facts,
			    uint64_t now, struct pool_tx **ret_tx);

/*
 * Walks in the order of entry: what has left meanwhile is not met, what has entered is met at the
 * end. NULL at the end, until something enters. A started walk must be ended before mempool_done.
 */
void mempool_walk_start(struct mempool *pool, struct pool_cursor *cursor);
struct pool_tx *mempool_walk_next(struct pool_cursor *cursor);
void mempool_walk_end(struct mempool *pool, struct pool_cursor *cursor);
/* From the oldest again. */
void mempool_walk_again(struct mempool *pool, struct pool_cursor *cursor);

/* It and all that descends from it; returns how many went. */
size_t mempool_remove(struct mempool *pool, struct pool_tx *tx, enum pool_removal why);
/* A block's transactions are confirmed, and what conflicts with them goes. */
void mempool_block(struct mempool *pool, const struct rc_block *block);
/* What is older than the expiry goes, of at most max that the walk meets. Returns how many went. */
size_t mempool_expire(struct mempool *pool, struct pool_cursor *walk, size_t max, uint64_t now);

/*
 * After a reorganisation down to fork and up to a tip of this height and median time: takes out
 * what may not hold any more (it spends a coin made above the fork, or its time hasn't come), with
 * its descendants. on_removed sees each with POOL_REORGANISED, parents before children.
 */
size_t mempool_unsettle(struct mempool *pool, uint32_t fork_height, uint32_t tip_height,
			uint32_t median_time);

/* Fills ret (at most max) with all descendants of tx in the pool, itself first; parents before
 * children. Returns how many there are. */
size_t mempool_descendants(struct mempool *pool, struct pool_tx *tx, struct pool_tx **ret,
			   size_t max);
size_t mempool_ancestors(struct mempool *pool, struct pool_tx *tx, struct pool_tx **ret,
			 size_t max);

/* fee_a / size_a against fee_b / size_b: > 0 if a's is higher. */
int fee_rate_compare(uint64_t fee_a, uint64_t size_a, uint64_t fee_b, uint64_t size_b);

/* Sums and links agree with a recount: for tests. */
bool mempool_consistent(struct mempool *pool);

#endif
