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

/* ---- a crowd ----
 *
 * A decoded transaction takes some 230 bytes and can be encoded in 11: a body of such would take 20
 * times its own size, though nothing of it can be good. So where there are more transactions than
 * good ones have room, they are read in rounds and forgotten, until the first rule that fails is
 * known. Good ones among them, in front of the first bad one, are as long as good ones are.
 */

/* The shortest that passes rc_tx_check, coinbase aside: an input with its empty witness, an output.
 */
#define GOOD_TX_LEAST (RC_TX_LEAST_SIZE + RC_TX_IN_LEAST_SIZE + 1 + RC_TX_OUT_LEAST)

#define CROWD_ROUND RC_TX_ROOT_ROUND

struct crowd {
	struct rc_block_reader reader;
	struct rc_hash root;
	bool coinbase_first;	 /* and no other */
	uint32_t good;		 /* transactions in front of the first that fails rc_tx_check */
	enum rc_verdict verdict; /* of that one */
};

static void crowd_look(struct crowd *crowd, uint32_t at, const struct rc_tx *txs, uint32_t n,
		       struct rc_arena *arena)
{
	for (uint32_t i = 0; i < n; i++) {
		if ((txs[i].type == RC_TX_COINBASE) != (at + i == 0))
			crowd->coinbase_first = false;
		if (crowd->verdict != RC_VERDICT_OK)
			continue;
		crowd->verdict = rc_tx_check(&txs[i], arena);
		crowd->good += crowd->verdict == RC_VERDICT_OK;
	}
}

/* False: it can't be parsed. */
static bool crowd_walk(struct crowd *crowd, struct rc_arena *arena)
{
	struct rc_arena round = RC_ARENA_INIT;
	struct rc_tx *txs = rc_arena_alloc(arena, CROWD_ROUND * sizeof(*txs));
	struct rc_block_reader *b = &crowd->reader;
	struct rc_tx_root_maker maker;

	rc_tx_root_begin(&maker, b->n_txs, arena);
	for (uint32_t at = 0; at < b->n_txs && !b->r.failed; at += CROWD_ROUND) {
		uint32_t n = b->n_txs - at < CROWD_ROUND ? b->n_txs - at : CROWD_ROUND;

		for (uint32_t i = 0; i < n && !b->r.failed; i++)
			rc_tx_read(&b->r, &round, &txs[i]);
		if (b->r.failed)
			break;
		rc_tx_hash_many(txs, n, &round);
		rc_tx_root_round(&maker, &txs[0].wtxid, sizeof(*txs), n);
		crowd_look(crowd, at, txs, n, &round);
		rc_arena_reset(&round);
	}
	rc_arena_done(&round);
	if (!rc_reader_end(&b->r))
		return false;
	rc_tx_root_end(&maker, &crowd->root);
	return true;
}

/* Whether one of the good ones in front is there twice. */
static bool crowd_twice(const struct crowd *crowd, const void *data, size_t len,
			struct rc_arena *arena)
{
	struct rc_block block = {.n_txs = crowd->good};
	struct rc_block_reader reader;
	struct rc_txid_index index;

	block.txs = rc_arena_alloc(arena, crowd->good * sizeof(*block.txs));
	rc_header_id(data, &block.id);
	rc_txid_index_init(&index, &block, arena);
	rc_block_reader_init(&reader, data, len);
	for (uint32_t i = 0; i < crowd->good; i++) {
		rc_block_reader_next(&reader, arena, &block.txs[i]);
		if (!rc_txid_index_add(&index, i))
			return true;
	}
	return false;
}

/* The verdict of a body that is one; RC_VERDICT_OK: it isn't, after all. */
static enum rc_verdict check_crowd(const struct rc_block_reader *reader, const void *data,
				   size_t len, struct rc_arena *arena)
{
	struct crowd crowd = {.reader = *reader, .coinbase_first = true, .verdict = RC_VERDICT_OK};

	if (!crowd_walk(&crowd, arena))
		return RC_V_BLOCK_PARSE;
	if (!rc_hash_eq(&crowd.root, &reader->header.tx_root))
		return RC_V_BLOCK_ROOT_MISMATCH;
	if (!crowd.coinbase_first)
		return RC_V_BLOCK_COINBASE;
	return crowd_twice(&crowd, data, len, arena) ? RC_V_TX_TWICE : crowd.verdict;
}

enum rc_verdict rc_block_check(const void *data, size_t len, struct rc_arena *arena,
			       struct rc_block *ret_block)
{
	struct rc_block_reader reader;
	enum rc_verdict verdict;

	if (len > RC_BLOCK_SIZE_MAX)
		return RC_V_BLOCK_SIZE_MAX;
	if (!rc_block_reader_init(&reader, data, len))
		return RC_V_BLOCK_PARSE;
	if (reader.n_txs - 1 > len / GOOD_TX_LEAST) {
		verdict = check_crowd(&reader, data, len, arena);
		if (verdict != RC_VERDICT_OK)
			return verdict;
	}
	if (!rc_block_decode(data, len, arena, ret_block))
		return RC_V_BLOCK_PARSE;
	return rc_block_check_body(ret_block, arena);
}
