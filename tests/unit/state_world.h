/*
 * A small world for tests of the state: blocks with deltas, each with the whole state after it kept
 * as a plain sorted list, from which roots and answers are computed the slow way.
 */
#ifndef RC_TEST_STATE_WORLD_H
#define RC_TEST_STATE_WORLD_H

#include "rc_test.h"

#include "consensus/state_hash.h"
#include "daemons/utxod/ledger.h"
#include "types/delta.h"

#define WORLD_OWNERS 40

struct world_block {
	struct rc_block_id id;
	uint32_t height;
	uint32_t parent;	     /* index; of block 0: itself */
	struct rc_delta_coin *coins; /* ascending by outpoint */
	size_t n_coins;
	uint64_t treasury; /* 0: absent */
	struct rc_buf delta;
	struct rc_hash root;
};

struct world {
	struct rc_random *random;
	struct world_block *block; /* block[0] is the genesis block: nothing */
	size_t n, cap;
	uint8_t owner[WORLD_OWNERS][33];
	uint64_t serial; /* no txid twice */
};

void world_init(struct world *w, struct rc_random *random);
void world_done(struct world *w);

/* A new block on block[parent] that spends and makes up to so many coins; returns its index. */
uint32_t world_grow(struct world *w, uint32_t parent, size_t spend, size_t make);

/* Index of a block by id; fails the test if there is none. */
uint32_t world_find(const struct world *w, const struct rc_block_id *id);
bool world_is_ancestor(const struct world *w, uint32_t ancestor, uint32_t of);
uint32_t world_ancestor_at(const struct world *w, uint32_t of, uint32_t height);

/* Of a ledger for this world, with so little memory that it must read and flush. */
struct ledger_options world_ledger_options(const struct world *w);
/* Fails the test with the reason if it can't be opened. */
struct ledger *world_open_ledger(const struct disk_pair *disks,
				 const struct ledger_options *options);

/* NULL: no such coin after that block. */
const struct rc_coin *world_coin(const struct world_block *b, const struct rc_outpoint *o);

#endif
