/* Finds a transaction of a block by its txid. Internal to consensus. */
#ifndef RC_CONSENSUS_TXID_INDEX_H
#define RC_CONSENSUS_TXID_INDEX_H

#include "base/arena.h"
#include "types/block.h"

#define RC_TXID_NONE UINT32_MAX

struct rc_txid_index {
	const struct rc_block *block;
	uint32_t *slots; /* place in the block + 1; 0: free */
	uint32_t mask;
	uint64_t key[2];
};

/* Empty, with room for all of the block's. */
void rc_txid_index_init(struct rc_txid_index *index, const struct rc_block *block,
			struct rc_arena *arena);
/* Adds transaction number tx; false if its txid is there already. */
bool rc_txid_index_add(struct rc_txid_index *index, uint32_t tx);
/* The transaction's number, or RC_TXID_NONE. */
uint32_t rc_txid_index_find(const struct rc_txid_index *index, const struct rc_txid *txid);

#endif
