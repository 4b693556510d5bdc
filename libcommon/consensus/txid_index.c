/*
 * Open addressing. The hash is keyed by the block's id, which its miner learns only by mining: so
 * nobody can choose txids that crowd one place without doing the work again for every try.
 */
#include "consensus/txid_index.h"

#include "base/num.h"

void rc_txid_index_init(struct rc_txid_index *index, const struct rc_block *block,
			struct rc_arena *arena)
{
	uint32_t size = 16;

	while (size / 2 < block->n_txs)
		size *= 2;
	index->block = block;
	index->mask = size - 1;
	index->slots = rc_arena_alloc(arena, size * sizeof(*index->slots));
	memset(index->slots, 0, size * sizeof(*index->slots));
	index->key[0] = rc_get_le64(block->id.b);
	index->key[1] = rc_get_le64(block->id.b + 8);
}

static uint32_t *find_slot(const struct rc_txid_index *index, const struct rc_txid *txid)
{
	unsigned __int128 product = (unsigned __int128)(rc_get_le64(txid->b) ^ index->key[0]) *
				    (rc_get_le64(txid->b + 8) ^ index->key[1]);
	uint32_t at = (uint32_t)((uint64_t)product ^ (uint64_t)(product >> 64)) & index->mask;

	while (index->slots[at] && !rc_txid_eq(&index->block->txs[index->slots[at] - 1].txid, txid))
		at = (at + 1) & index->mask;
	return &index->slots[at];
}

bool rc_txid_index_add(struct rc_txid_index *index, uint32_t tx)
{
	uint32_t *slot = find_slot(index, &index->block->txs[tx].txid);

	if (*slot)
		return false;
	*slot = tx + 1;
	return true;
}

uint32_t rc_txid_index_find(const struct rc_txid_index *index, const struct rc_txid *txid)
{
	uint32_t found = *find_slot(index, txid);

	return found ? found - 1 : RC_TXID_NONE;
}
