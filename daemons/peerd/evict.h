/*
 * Which inbound link makes room for a new one when all slots are in use. Pure.
 *
 * The method is that of Bitcoin Core's eviction: whoever wants to push honest peers out must be
 * better than they are at several things at once, each of which costs something else: addresses in
 * many network groups, machines near by, transactions and blocks that are new, time.
 */
#ifndef PEERD_EVICT_H
#define PEERD_EVICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kept, in this order, each of those that are left; 28 in all. */
#define EVICT_KEEP_GROUPS     4 /* by a secret order of network groups */
#define EVICT_KEEP_PINGS      8 /* quickest answers */
#define EVICT_KEEP_TXS	      4 /* gave us a new transaction last */
#define EVICT_KEEP_BLOCK_ONLY 8 /* want no transactions, and gave us a new block last */
#define EVICT_KEEP_BLOCKS     4 /* gave us a new block last */
/* Then half of the rest: those linked longest. */

struct evict_candidate {
	uint64_t peer;
	uint64_t group;	  /* its network group under a secret hash */
	int64_t since;	  /* linked, µs of one clock … */
	int64_t tx_at;	  /* … gave a transaction that was new; 0: never */
	int64_t block_at; /* … a block */
	uint64_t ping_us; /* the quickest answer; UINT64_MAX: none yet */
	bool block_only;  /* it wants no transactions */
	bool discouraged; /* these go first, whatever else they are */
};

/*
 * The peer whose link makes room: of those that aren't kept, the newest one of the group that has
 * most. Where there are discouraged ones, one of them. 0: nobody goes (peers are numbered from 1).
 * The list is reordered.
 */
uint64_t evict_choose(struct evict_candidate *list, size_t n);

#endif
