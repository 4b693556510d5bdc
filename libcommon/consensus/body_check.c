/* The body's table of rules, as a list (20-consensus, "Order of checks"). */
#include "consensus/body_check.h"

#include <stdlib.h>

#include "consensus/merkle.h"
#include "consensus/tx_type.h"
#include "consensus/txid_index.h"

static bool locks_good(const struct rc_tx *tx, const struct rc_tx_type *type)
{
	for (uint32_t i = 0; i < tx->n_outputs; i++)
		if (!(type->makes & RC_LOCK_BIT(tx->outputs[i].lock.kind)))
			return false;
	return true;
}

static bool amounts_good(const struct rc_tx *tx)
{
	rc_amount sum = 0;

	for (uint32_t i = 0; i < tx->n_outputs; i++) {
		const struct rc_tx_out *out = &tx->outputs[i];

		if (out->lock.kind == RC_LOCK_DATA && out->amount != 0)
			return false;
		if (!rc_amount_add(&sum, out->amount))
			return false;
	}
	return true;
}

static int by_prevout(const void *a, const void *b)
{
	const struct rc_tx_in *const *x = a, *const *y = b;

	return rc_outpoint_cmp(&(*x)->prevout, &(*y)->prevout);
}

/* Up to so many inputs, comparing all pairs is faster than sorting. */
#define FEW_INPUTS 8

static bool inputs_differ(const struct rc_tx *tx, struct rc_arena *arena)
{
	const struct rc_tx_in **sorted;

	if (tx->n_inputs <= FEW_INPUTS) {
		for (uint32_t i = 0; i < tx->n_inputs; i++)
			for (uint32_t j = 0; j < i; j++)
				if (rc_outpoint_eq(&tx->inputs[i].prevout, &tx->inputs[j].prevout))
					return false;
		return true;
	}
	sorted = rc_arena_alloc(arena, tx->n_inputs * sizeof(*sorted));
	for (uint32_t i = 0; i < tx->n_inputs; i++)
		sorted[i] = &tx->inputs[i];
	qsort(sorted, tx->n_inputs, sizeof(*sorted), by_prevout);
	for (uint32_t i = 1; i < tx->n_inputs; i++)
		if (rc_outpoint_eq(&sorted[i - 1]->prevout, &sorted[i]->prevout))
			return false;
	return true;
}

static bool sequences_good(const struct rc_tx *tx)
{
	for (uint32_t i = 0; i < tx->n_inputs; i++) {
		uint32_t sequence = tx->inputs[i].sequence;

		if (!(sequence & RC_SEQUENCE_NO_LOCK) && (sequence & RC_SEQUENCE_RESERVED))
			return false;
	}
	return true;
}

enum rc_verdict rc_tx_check(const struct rc_tx *tx, struct rc_arena *arena)
{
	const struct rc_tx_type *type = rc_tx_type_find(tx->type);

	if (tx->version != RC_TX_VERSION)
		return RC_V_TX_VERSION;
	if (!type)
		return RC_V_TX_TYPE;
	if (!locks_good(tx, type))
		return RC_V_TX_LOCK;
	if (tx->n_inputs < type->inputs_min || tx->n_inputs > type->inputs_max)
		return RC_V_TX_INPUT_COUNT;
	if (tx->n_outputs < type->outputs_min || tx->n_outputs > type->outputs_max)
		return RC_V_TX_OUTPUT_COUNT;
	if (!amounts_good(tx))
		return RC_V_AMOUNT_RANGE;
	if (!inputs_differ(tx, arena))
		return RC_V_TX_INPUT_TWICE;
	if (!sequences_good(tx))
		return RC_V_TX_SEQUENCE;
	if (tx->n_inputs == 0 && tx->lock_time != 0)
		return RC_V_TX_LOCK_TIME_FORM;
	if (!type->payload_ok(tx->payload))
		return RC_V_TX_PAYLOAD;
	return RC_VERDICT_OK;
}

enum rc_verdict rc_tx_check_loose(const void *data, size_t len, struct rc_arena *arena,
				  struct rc_tx *ret_tx)
{
	if (!rc_tx_decode(data, len, arena, ret_tx))
		return RC_V_TX_PARSE;
	if (ret_tx->type == RC_TX_COINBASE)
		return RC_V_TX_COINBASE;
	return rc_tx_check(ret_tx, arena);
}

static bool coinbase_is_first(const struct rc_block *block)
{
	for (uint32_t i = 0; i < block->n_txs; i++)
		if ((block->txs[i].type == RC_TX_COINBASE) != (i == 0))
			return false;
	return true;
}

enum rc_verdict rc_block_check_body(const struct rc_block *block, struct rc_arena *arena)
{
	struct rc_txid_index index;
	struct rc_hash root;

	rc_tx_root(&block->txs[0].wtxid, sizeof(block->txs[0]), block->n_txs, arena, &root);
	if (!rc_hash_eq(&root, &block->header.tx_root))
		return RC_V_BLOCK_ROOT_MISMATCH;
	if (!coinbase_is_first(block))
		return RC_V_BLOCK_COINBASE;
	rc_txid_index_init(&index, block, arena);
	for (uint32_t i = 0; i < block->n_txs; i++) {
		enum rc_verdict verdict = rc_tx_check(&block->txs[i], arena);

		if (verdict != RC_VERDICT_OK)
			return verdict;
		if (!rc_txid_index_add(&index, i))
			return RC_V_TX_TWICE;
	}
	return RC_VERDICT_OK;
}

enum rc_verdict rc_block_check(const void *data, size_t len, struct rc_arena *arena,
			       struct rc_block *ret_block)
{
	if (len > RC_BLOCK_SIZE_MAX)
		return RC_V_BLOCK_SIZE_MAX;
	if (!rc_block_decode(data, len, arena, ret_block))
		return RC_V_BLOCK_PARSE;
	return rc_block_check_body(ret_block, arena);
}
