/*
 * Bookkeeping of blocks asked of peers: who was asked for what. Pure; fetch.c asks, receives
 * and decides.
 */
#ifndef PEERD_INFLIGHT_H
#define PEERD_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "types/id.h"

/* Blocks asked of one peer at a time (operators' notes, 5.6). */
#define INFLIGHT_PER_PEER 16

struct inflight_block {
	struct rc_block_id id;
	uint64_t peer;
	uint32_t height;
	UT_hash_handle hh;
};

struct inflight {
	struct inflight_block *blocks; /* by id, in the order of asking */
};

void inflight_done(struct inflight *inflight);
/* False if the block is asked of somebody already. */
bool inflight_add(struct inflight *inflight, const struct rc_block_id *id, uint32_t height,
		  uint64_t peer);
const struct inflight_block *inflight_find(const struct inflight *inflight,
					   const struct rc_block_id *id);
/* Whom it was asked of; 0 if of nobody. */
uint64_t inflight_take(struct inflight *inflight, const struct rc_block_id *id);
unsigned inflight_count(const struct inflight *inflight, uint64_t peer);
size_t inflight_total(const struct inflight *inflight);
/* Forgets all of the peer's; their ids to ret (room for INFLIGHT_PER_PEER), returns how many. */
size_t inflight_drop_peer(struct inflight *inflight, uint64_t peer, struct rc_block_id *ret);

#endif
