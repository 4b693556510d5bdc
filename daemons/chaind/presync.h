/*
 * Little work takes no memory: headers of a long branch are first only counted, and asked for again
 * once they have shown enough work (40-network, "Conduct"; Bitcoin Core's headers
 * pre-synchronisation). Pure: headers and the time come in, what may be kept comes out.
 *
 * In the first pass each header's rules are checked, and of one in every `period` a single bit
 * under a secret key and a secret offset is kept: 600 bits for the longest branch that ASERT
 * allows. In the second pass the bits must come out the same. Headers are given out once 24 bits
 * behind them were right, which who sends another branch than before gets with a chance of 2^-24;
 * or all, once their work is enough by itself.
 */
#ifndef CHAIND_PRESYNC_H
#define CHAIND_PRESYNC_H

#include "base/clock.h"
#include "daemons/chaind/chain.h"

#define PRESYNC_BITS  600
#define PRESYNC_AHEAD 24
/* Headers of a message that tells that there are more. */
#define PRESYNC_FULL 2000
/* Messages that were on their way for another question, in a row. */
#define PRESYNC_STRAYS 8

enum presync_step {
	PRESYNC_GO_ON,	/* more is to be asked, from presync_from */
	PRESYNC_ENOUGH, /* what is ready may be kept, and what comes after it needs no such care */
	PRESYNC_OVER,	/* nothing more comes of it: a rule is broken, or there was too little */
};

struct presync;

/* A branch that goes on from base, a kept header. now: seconds since 1970. */
struct presync *presync_new(const struct chain *chain, struct block_node *base,
			    const struct rc_random *random, uint64_t now);
void presync_free(struct presync *presync);

/* Of which header children are awaited. */
struct rc_block_id presync_from(const struct presync *presync);
/* In the second pass, which takes memory: (24 periods and a message) × 118 bytes at most. */
bool presync_is_again(const struct presync *presync);
size_t presync_bytes(const struct presync *presync);

/* n ≥ 1 headers, each the child of the one before, with their ids; more: their message was full.
 * *ret_verdict: the rule that one of them breaks, or ok. */
enum presync_step presync_take(struct presync *presync, const struct rc_header *headers,
			       const struct rc_block_id *ids, size_t n, bool more, uint64_t now,
			       enum rc_verdict *ret_verdict);
/* Takes out the next header that may be kept; false: none. */
bool presync_ready(struct presync *presync, struct rc_header *ret_header,
		   struct rc_block_id *ret_id);

/*
 * Those of all peers. At most PRESYNC_MAX, of which PRESYNC_AGAIN_MAX in the second pass: for a
 * network of 1,000,000 headers (period 1,700) 4 × 42,800 × 118 bytes, 20 MB. Beyond, the one that
 * was longest without news goes, but not the one that came further than all others: many that begin
 * don't end it. One without news for PRESYNC_IDLE seconds goes too.
 */
#define PRESYNC_MAX	  16
#define PRESYNC_AGAIN_MAX 4
#define PRESYNC_IDLE	  600

struct presync_who {
	uint64_t client; /* the boot of the peerd that … */
	uint64_t peer;	 /* … calls it so */
};

struct presyncs {
	struct presync_one {
		struct presync *presync; /* NULL: free */
		struct presync_who who;
		uint64_t at; /* of the last news */
	} list[PRESYNC_MAX];
};

void presyncs_done(struct presyncs *all);
/* NULL: there is none. */
struct presync *presyncs_find(struct presyncs *all, struct presync_who who, uint64_t now);
/* presync is the table's from now on. */
void presyncs_put(struct presyncs *all, struct presync_who who, struct presync *presync,
		  uint64_t now);
void presyncs_drop(struct presyncs *all, struct presync_who who);
/* One may have begun its second pass: others may have to go for it. */
void presyncs_bound(struct presyncs *all, struct presync_who who);
size_t presyncs_bytes(const struct presyncs *all);

#endif
