/*
 * Transactions that come back: of blocks that were undone, those a reorganisation unsettled, those
 * the journal had. They pass the same checks as any other, a bounded number at a time and parents
 * first; who doesn't hold any more is dropped.
 */
#ifndef CHAIND_REFILL_H
#define CHAIND_REFILL_H

#include "daemons/chaind/admit.h"
#include "daemons/chaind/blockstore.h"
#include "daemons/chaind/body.h"

struct refill_tx;
struct refill_block;

struct refill {
	struct admit *admit;
	struct blockstore *store;
	struct refill_block *blocks; /* to be read, lowest first; the first one may be under way */
	struct refill_tx *txs;	     /* come after all blocks, in order */
	struct body *body;	     /* of the first block */
	uint32_t next_tx;
	bool reading;
	bool paused; /* until there is a session with utxod */
	unsigned out;
	bool pumping, closing;
	/* One that was in the pool didn't come back. */
	void (*lost)(void *arg, const struct admit_result *result, size_t size);
	/* Everything has been answered. */
	void (*finished)(void *arg);
	void *arg;
	size_t n_back, n_lost;
	uint64_t undone;  /* blocks that were added */
	uint64_t n_added; /* transactions */
};

void refill_init(struct refill *refill);
void refill_done(struct refill *refill);
bool refill_active(const struct refill *refill);

/* A block's transactions, coinbase aside. Blocks are added lowest first. */
void refill_add_block(struct refill *refill, struct block_node *node);
/* A transaction; raw is copied. */
void refill_add_tx(struct refill *refill, const void *raw, size_t len,
		   const struct admit_options *options);
/* Goes on. */
void refill_pump(struct refill *refill);
void refill_pause(struct refill *refill, bool pause);

#endif
