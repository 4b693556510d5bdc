/*
 * A block against its parent's state: collecting what it spends, then every rule in the order of
 * the document's table, building the delta on the way.
 *
 * Coins a block makes stand in one array, by ascending txid and index, so that the delta's created
 * list is that array without the coins spent again: first_output[tx] is where those of a
 * transaction begin.
 */
#include "consensus/connect.h"

#include <assert.h>
#include <stdlib.h>

#include "consensus/budget.h"
#include "consensus/coinbase.h"
#include "consensus/state_hash.h"
#include "consensus/subsidy.h"
#include "consensus/tx_type.h"
#include "consensus/txid_index.h"

/* Where an input finds its coin: a place in the plan's outpoints, or with this bit a place among
 * the block's own outputs. Both are far below 2^31: an outpoint takes 40 bytes of the block. */
#define SOURCE_OWN     (UINT32_C(1) << 31)
#define SOURCE_MISSING UINT32_MAX

/* Something to sort by an outpoint or a txid (index 0). */
struct sort_item {
	uint64_t key; /* the txid's first four bytes, the index */
	const struct rc_txid *txid;
	uint32_t number; /* of the input among all of the block, or of the transaction */
};

static struct sort_item sort_item_of(const struct rc_txid *txid, uint32_t index, uint32_t number)
{
	return (struct sort_item){(uint64_t)rc_get_be32(txid->b) << 32 | index, txid, number};
}

static int by_outpoint(const void *a, const void *b)
{
	const struct sort_item *x = a, *y = b;
	int by_txid = rc_txid_cmp(x->txid, y->txid);

	return by_txid ? by_txid : (x->key > y->key) - (x->key < y->key);
}

/* By their keys alone, a byte at a time from the last. Returns where the result stands: in items or
 * in spare. */
static struct sort_item *sort_by_key(struct sort_item *items, struct sort_item *spare, uint32_t n)
{
	for (unsigned shift = 0; shift < 64; shift += 8) {
		uint32_t end[256] = {0}, at = 0;
		struct sort_item *sorted = spare;

		for (uint32_t i = 0; i < n; i++)
			end[items[i].key >> shift & 255]++;
		if (end[items[0].key >> shift & 255] == n)
			continue;
		for (unsigned byte = 0; byte < 256; byte++)
			end[byte] = at += end[byte];
		for (uint32_t i = n; i-- > 0;)
			sorted[--end[items[i].key >> shift & 255]] = items[i];
		spare = items;
		items = sorted;
	}
	return items;
}

/* Txids are hashes: those that begin alike are nearly always the same, so that the keys' order is
 * the one that is wanted. Where somebody made others by work, they are sorted by all of it. */
static struct sort_item *sort_items(struct sort_item *items, uint32_t n, struct rc_arena *arena)
{
	uint32_t end;

	if (n < 2)
		return items;
	items = sort_by_key(items, rc_arena_alloc(arena, n * sizeof(*items)), n);
	for (uint32_t first = 0; first < n; first = end) {
		bool same = true;

		for (end = first + 1; end < n && items[end].key >> 32 == items[first].key >> 32;
		     end++)
			same = same && rc_txid_eq(items[end].txid, items[first].txid);
		if (!same)
			qsort(items + first, end - first, sizeof(*items), by_outpoint);
	}
	return items;
}

/* first_output of each transaction, in the order of their txids. */
static void place_outputs(const struct rc_block *block, struct rc_arena *arena,
			  uint32_t *ret_first_output)
{
	struct sort_item *items = rc_arena_alloc(arena, block->n_txs * sizeof(*items));
	uint32_t at = 0;

	for (uint32_t i = 0; i < block->n_txs; i++)
		items[i] = sort_item_of(&block->txs[i].txid, 0, i);
	items = sort_items(items, block->n_txs, arena);
	for (uint32_t i = 0; i < block->n_txs; i++) {
		ret_first_output[items[i].number] = at;
		at += block->txs[items[i].number].n_outputs;
	}
}

/* The source of an input of transaction number tx, if an earlier one of the block makes it. */
static bool own_source(const struct rc_connect_plan *plan, const struct rc_txid_index *index,
		       uint32_t tx, const struct rc_outpoint *prevout, uint32_t *ret_source)
{
	uint32_t maker = rc_txid_index_find(index, &prevout->txid);

	if (maker == RC_TXID_NONE || maker >= tx)
		return false;
	*ret_source = prevout->index < plan->block->txs[maker].n_outputs
			      ? SOURCE_OWN | (plan->first_output[maker] + prevout->index)
			      : SOURCE_MISSING;
	return true;
}

void rc_connect_collect(const struct rc_block *block, struct rc_arena *arena,
			struct rc_connect_plan *ret_plan)
{
	struct rc_connect_plan *plan = ret_plan;
	struct rc_txid_index index;
	struct sort_item *items;
	uint32_t n_items = 0, input = 0;

	*plan = (struct rc_connect_plan){.block = block};
	plan->sources = rc_arena_alloc(arena, block->n_inputs * sizeof(*plan->sources));
	plan->first_output = rc_arena_alloc(arena, block->n_txs * sizeof(*plan->first_output));
	place_outputs(block, arena, plan->first_output);
	items = rc_arena_alloc(arena, block->n_inputs * sizeof(*items));
	rc_txid_index_init(&index, block, arena);
	for (uint32_t tx = 0; tx < block->n_txs; tx++) {
		for (uint32_t i = 0; i < block->txs[tx].n_inputs; i++, input++) {
			const struct rc_outpoint *o = &block->txs[tx].inputs[i].prevout;

			if (own_source(plan, &index, tx, o, &plan->sources[input]))
				continue;
			items[n_items++] = sort_item_of(&o->txid, o->index, input);
		}
		rc_txid_index_add(&index, tx);
	}
	items = sort_items(items, n_items, arena);
	plan->outpoints = rc_arena_alloc(arena, n_items * sizeof(*plan->outpoints));
	for (uint32_t i = 0; i < n_items; i++) {
		if (i == 0 || items[i].key != items[i - 1].key ||
		    !rc_txid_eq(items[i].txid, items[i - 1].txid))
			plan->outpoints[plan->n_outpoints++] =
				(struct rc_outpoint){*items[i].txid, (uint32_t)items[i].key};
		plan->sources[items[i].number] = plan->n_outpoints - 1;
	}
}

/* What a rule of a transaction reads beside the transaction: the same in a block and loose. */
struct place {
	const struct rc_network *network;
	uint32_t height;
	uint32_t median_time;
};

static enum rc_verdict check_coin(const struct place *place, const struct rc_tx_type *type,
				  const struct rc_coin *coin)
{
	uint64_t ripe = (uint64_t)coin->height + place->network->params.maturity;

	if (coin->coinbase && place->height < ripe)
		return RC_V_TX_INPUT_IMMATURE;
	if (!(type->spends & RC_LOCK_BIT(coin->lock[0])))
		return RC_V_TX_INPUT_LOCK;
	return RC_VERDICT_OK;
}

bool rc_tx_lock_time_holds(const struct rc_tx *tx, uint32_t height, uint32_t median_time)
{
	uint32_t now = tx->lock_time < RC_LOCK_TIME_IS_TIME ? height : median_time;

	if (tx->lock_time == 0 || tx->lock_time < now)
		return true;
	for (uint32_t i = 0; i < tx->n_inputs; i++)
		if (tx->inputs[i].sequence != RC_SEQUENCE_FINAL)
			return false;
	return true;
}

static bool relative_locks_hold(const struct place *place, const struct rc_tx *tx,
				const struct rc_coin *const *coins)
{
	for (uint32_t i = 0; i < tx->n_inputs; i++) {
		uint32_t sequence = tx->inputs[i].sequence;

		if (!(sequence & RC_SEQUENCE_NO_LOCK) &&
		    place->height < (uint64_t)coins[i]->height + (sequence & RC_SEQUENCE_BLOCKS))
			return false;
	}
	return true;
}

/* The rules after a transaction's inputs. Σ outputs ≤ L is known. */
static enum rc_verdict check_after_inputs(const struct place *place, const struct rc_tx *tx,
					  const struct rc_coin *const *coins, rc_amount *ret_fee)
{
	rc_amount in = 0, out = 0;

	if (!rc_tx_lock_time_holds(tx, place->height, place->median_time))
		return RC_V_TX_LOCK_TIME;
	if (!relative_locks_hold(place, tx, coins))
		return RC_V_TX_RELATIVE_LOCK;
	for (uint32_t i = 0; i < tx->n_inputs; i++)
		if (!rc_amount_add(&in, coins[i]->amount))
			return RC_V_AMOUNT_RANGE;
	for (uint32_t i = 0; i < tx->n_outputs; i++)
		out += tx->outputs[i].amount;
	if (in < out)
		return RC_V_TX_OVERSPEND;
	*ret_fee = in - out;
	return RC_VERDICT_OK;
}

enum rc_verdict rc_tx_check_with_coins(const struct rc_loose_context *context,
				       const struct rc_tx *tx, const struct rc_coin *const *coins,
				       struct rc_loose_result *ret_result)
{
	const struct place place = {context->network, context->height, context->median_time};
	const struct rc_tx_type *type = rc_tx_type_find(tx->type);
	enum rc_verdict verdict;

	ret_result->bad_input = RC_NO_PLACE;
	for (uint32_t i = 0; i < tx->n_inputs; i++) {
		verdict = coins[i] ? check_coin(&place, type, coins[i]) : RC_V_TX_INPUT_MISSING;
		if (verdict != RC_VERDICT_OK) {
			ret_result->bad_input = i;
			return verdict;
		}
	}
	verdict = check_after_inputs(&place, tx, coins, &ret_result->fee);
	if (verdict != RC_VERDICT_OK)
		return verdict;
	ret_result->budget = rc_tx_budget(tx);
	return RC_VERDICT_OK;
}

enum made_state { MADE_NO_COIN, MADE_UNSPENT, MADE_SPENT };

/* A block on its way through the table. */
struct connecting {
	struct place place;
	const struct rc_connect_plan *plan;
	const struct rc_coin_slot *slots;
	bool *slot_spent;
	struct rc_delta_coin *made;   /* of all outputs; see the top of the file */
	uint8_t *made_states;	      /* enum made_state */
	const struct rc_coin **coins; /* of all inputs in order, as they are found */
	uint32_t n_coins;
	struct rc_connect_result *result;
};

/* Takes the coin of the next input; NULL if there is none or it is spent. */
static const struct rc_coin *spend(struct connecting *c, uint32_t source)
{
	if (source == SOURCE_MISSING)
		return NULL;
	if (source & SOURCE_OWN) {
		uint32_t at = source & ~SOURCE_OWN;

		if (c->made_states[at] != MADE_UNSPENT)
			return NULL;
		c->made_states[at] = MADE_SPENT;
		return &c->made[at].coin;
	}
	if (!c->slots[source].present || c->slot_spent[source])
		return NULL;
	c->slot_spent[source] = true;
	return &c->slots[source].coin;
}

static void make_outputs(struct connecting *c, uint32_t number)
{
	const struct rc_tx *tx = &c->plan->block->txs[number];
	uint32_t at = c->plan->first_output[number];

	for (uint32_t i = 0; i < tx->n_outputs; i++, at++) {
		const struct rc_tx_out *out = &tx->outputs[i];

		c->made_states[at] = MADE_NO_COIN;
		if (!rc_lock_makes_coin(&out->lock))
			continue;
		c->made_states[at] = MADE_UNSPENT;
		c->made[at].outpoint = (struct rc_outpoint){tx->txid, i};
		rc_coin_init(&c->made[at].coin, out->amount, c->place.height,
			     tx->type == RC_TX_COINBASE, &out->lock);
	}
}

static enum rc_verdict connect_tx(struct connecting *c, uint32_t number)
{
	const struct rc_tx *tx = &c->plan->block->txs[number];
	const struct rc_tx_type *type = rc_tx_type_find(tx->type);
	const struct rc_coin **coins = c->coins + c->n_coins;
	const uint32_t *sources = c->plan->sources + c->n_coins;
	enum rc_verdict verdict;

	c->result->bad_tx = number;
	for (uint32_t i = 0; i < tx->n_inputs; i++) {
		coins[i] = spend(c, sources[i]);
		verdict = coins[i] ? check_coin(&c->place, type, coins[i]) : RC_V_TX_INPUT_MISSING;
		if (verdict != RC_VERDICT_OK) {
			c->result->bad_input = i;
			return verdict;
		}
	}
	c->n_coins += tx->n_inputs;
	if (number > 0) {
		verdict = check_after_inputs(&c->place, tx, coins, &c->result->tx_fees[number]);
		if (verdict != RC_VERDICT_OK)
			return verdict;
	}
	make_outputs(c, number);
	c->result->bad_tx = RC_NO_PLACE;
	return RC_VERDICT_OK;
}

/* The rules that come before any transaction's inputs. */
static enum rc_verdict check_before(const struct rc_connect_context *context,
				    const struct rc_block *block)
{
	struct rc_coinbase coinbase;
	bool parses = rc_coinbase_decode(block->txs[0].payload, &coinbase);

	assert(parses); /* tx-payload */
	if (context->parent_root && !rc_hash_eq(context->parent_root, &block->header.state_root))
		return RC_V_BLOCK_STATE_ROOT;
	if (block->raw.len > context->network->params.block_limit)
		return RC_V_BLOCK_SIZE;
	if (coinbase.height != block->header.height)
		return RC_V_COINBASE_HEIGHT;
	/* Until quorums are in force no finality lock is valid. */
	if (coinbase.lock)
		return RC_V_COINBASE_LOCK;
	return RC_VERDICT_OK;
}

/* The rules that come after all transactions. No masternode is enabled and no treasury payment is
 * due yet, so every output of the coinbase is the miner's. */
static enum rc_verdict check_after(const struct connecting *c)
{
	const struct rc_block *block = c->plan->block;
	struct rc_connect_result *result = c->result;
	rc_amount taken = 0;

	result->fees = 0;
	result->budget = 0;
	for (uint32_t i = 1; i < block->n_txs; i++) {
		if (!rc_amount_add(&result->fees, result->tx_fees[i]))
			return RC_V_AMOUNT_RANGE;
		result->budget += rc_tx_budget(&block->txs[i]);
	}
	if (result->budget > c->place.network->params.block_limit)
		return RC_V_BLOCK_BUDGET;
	for (uint32_t i = 0; i < block->txs[0].n_outputs; i++)
		taken += block->txs[0].outputs[i].amount;
	if (taken > rc_miner_limit(c->place.network, c->place.height, result->fees))
		return RC_V_COINBASE_AMOUNT;
	return RC_VERDICT_OK;
}

/* Jobs of at most RC_WITNESS_JOB_INPUTS inputs. The shared hashes of a transaction that takes
 * several jobs are made here, once; the others' by the job that needs them. */
static void make_jobs(const struct rc_hash *network_id, struct connecting *c,
		      struct rc_arena *arena)
{
	const struct rc_block *block = c->plan->block;
	const struct rc_coin *const *coins = c->coins;
	struct rc_connect_result *result = c->result;

	result->jobs =
		rc_arena_alloc(arena, (block->n_txs + block->n_inputs / RC_WITNESS_JOB_INPUTS) *
					      sizeof(*result->jobs));
	result->n_jobs = 0;
	for (uint32_t i = 0; i < block->n_txs; coins += block->txs[i].n_inputs, i++) {
		const struct rc_tx *tx = &block->txs[i];
		struct rc_sighash *shared = NULL;

		if (tx->n_inputs > RC_WITNESS_JOB_INPUTS) {
			shared = rc_arena_alloc(arena, sizeof(*shared));
			rc_sighash_init(network_id, tx, coins, shared);
		}
		for (uint32_t at = 0; at < tx->n_inputs; at += RC_WITNESS_JOB_INPUTS) {
			uint32_t left = tx->n_inputs - at;

			result->jobs[result->n_jobs++] = (struct rc_witness_job){
				.tx = tx,
				.coins = coins,
				.sighash = shared,
				.tx_index = i,
				.first_input = at,
				.n_inputs =
					left < RC_WITNESS_JOB_INPUTS ? left : RC_WITNESS_JOB_INPUTS,
			};
		}
	}
}

static struct rc_bytes treasury_value(rc_amount treasury, struct rc_arena *arena)
{
	uint8_t *value = rc_arena_alloc(arena, 8);

	rc_put_le64(value, treasury);
	return (struct rc_bytes){value, 8};
}

/* The treasury's entry, absent while it is 0. */
static void put_treasury(struct rc_delta *delta, rc_amount before, rc_amount after,
			 struct rc_arena *arena)
{
	struct rc_delta_entry *e;

	if (before == after)
		return;
	e = rc_arena_alloc(arena, sizeof(*e));
	memset(e, 0, sizeof(*e));
	e->ns = RC_STATE_GOVERNANCE;
	rc_gov_key_treasury(e->key);
	e->has_before = before != 0;
	e->has_after = after != 0;
	e->before = treasury_value(before, arena);
	e->after = treasury_value(after, arena);
	delta->entries = e;
	delta->n_entries = 1;
}

static void make_delta(struct connecting *c, const struct rc_governed *governed,
		       struct rc_arena *arena)
{
	const struct rc_block *block = c->plan->block;
	struct rc_delta *delta = &c->result->delta;

	*delta = (struct rc_delta){
		.parent = block->header.prev, .id = block->id, .height = block->header.height};
	/* Every outpoint asked for was named by an input, and every input found its coin. */
	delta->n_spent = c->plan->n_outpoints;
	delta->spent = rc_arena_alloc(arena, delta->n_spent * sizeof(*delta->spent));
	for (uint32_t i = 0; i < delta->n_spent; i++)
		delta->spent[i] = (struct rc_delta_coin){c->plan->outpoints[i], c->slots[i].coin};
	/* Copied, not moved together in place: the jobs look at spent ones too. */
	delta->created = rc_arena_alloc(arena, block->n_outputs * sizeof(*delta->created));
	for (uint32_t i = 0; i < block->n_outputs; i++)
		if (c->made_states[i] == MADE_UNSPENT)
			delta->created[delta->n_created++] = c->made[i];
	put_treasury(delta, governed->treasury, c->result->treasury, arena);
}

enum rc_verdict rc_connect_block(const struct rc_connect_context *context,
				 const struct rc_connect_plan *plan,
				 const struct rc_coin_slot *coins, struct rc_arena *arena,
				 struct rc_connect_result *ret_result)
{
	const struct rc_block *block = plan->block;
	struct connecting c = {
		.place = {context->network, block->header.height, context->median_time},
		.plan = plan,
		.slots = coins,
		.result = ret_result,
	};
	enum rc_verdict verdict;

	ret_result->bad_tx = ret_result->bad_input = RC_NO_PLACE;
	verdict = check_before(context, block);
	if (verdict != RC_VERDICT_OK)
		return verdict;
	c.slot_spent = rc_arena_alloc(arena, plan->n_outpoints * sizeof(*c.slot_spent));
	memset(c.slot_spent, 0, plan->n_outpoints * sizeof(*c.slot_spent));
	c.made = rc_arena_alloc(arena, block->n_outputs * sizeof(*c.made));
	c.made_states = rc_arena_alloc(arena, block->n_outputs);
	c.coins = rc_arena_alloc(arena, block->n_inputs * sizeof(*c.coins));
	ret_result->tx_fees = rc_arena_alloc(arena, block->n_txs * sizeof(*ret_result->tx_fees));
	ret_result->tx_fees[0] = 0;
	for (uint32_t i = 0; i < block->n_txs; i++) {
		verdict = connect_tx(&c, i);
		if (verdict != RC_VERDICT_OK)
			return verdict;
	}
	verdict = check_after(&c);
	if (verdict != RC_VERDICT_OK)
		return verdict;
	ret_result->treasury = rc_treasury_after(context->network, block->header.height,
						 context->governed.treasury, 0);
	make_jobs(&context->network->id, &c, arena);
	make_delta(&c, &context->governed, arena);
	return RC_VERDICT_OK;
}

struct rc_witness_finding rc_witness_job_run(const struct rc_hash *network_id,
					     const struct rc_witness_job *job,
					     const struct rc_sig_verifier *verifier)
{
	const struct rc_sighash *sighash = job->sighash;
	struct rc_sighash own;

	if (!sighash) {
		rc_sighash_init(network_id, job->tx, job->coins, &own);
		sighash = &own;
	}
	for (uint32_t i = job->first_input; i < job->first_input + job->n_inputs; i++) {
		enum rc_verdict verdict = rc_witness_check(sighash, i, verifier);

		if (verdict != RC_VERDICT_OK)
			return (struct rc_witness_finding){verdict, job->tx_index, i};
	}
	return (struct rc_witness_finding){RC_VERDICT_OK, job->tx_index, 0};
}

void rc_witness_worse(struct rc_witness_finding *worst, const struct rc_witness_finding *finding)
{
	if (finding->verdict == RC_VERDICT_OK)
		return;
	if (worst->verdict == RC_VERDICT_OK || finding->tx_index < worst->tx_index ||
	    (finding->tx_index == worst->tx_index && finding->input < worst->input))
		*worst = *finding;
}
