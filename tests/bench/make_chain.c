/*
 * Makes a valid chain for benchmarks: coinbases, blocks that fan out into coins, blocks that spend
 * them; the same bytes for the same options.
 *
 *   make_chain --out FILE [options]          see --help; ends with one line of JSON
 *
 * The file: for each block from height 1 on u32 LE length ‖ the block's encoding (chain_file.h
 * reads it). What the JSON says: heights, transactions, signatures, coins at the end, state root.
 *
 * How it is fast: txids don't cover witnesses, so all of a block's signatures are made side by
 * side; the key of coin n is (a base + n)·G, found from the one before by one addition; and the
 * state roots that headers hold come from utxod's tree, in memory alone. Coins are remembered whole
 * (some 100 bytes each, and 200 in the tree).
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/mem.h"
#include "consensus/coinbase.h"
#include "consensus/merkle.h"
#include "consensus/pow.h"
#include "consensus/sighash.h"
#include "consensus/subsidy.h"
#include "crypto/schnorr.h"
#include "daemons/utxod/delta_ops.h"
#include "service/network_file.h"
#include "tests/bench/chain_owners.h"
#include "tests/bench/driver.h"
#include "types/block.h"

/* What the pool's policy asks of an output of a payment. */
#define LEAST_OUTPUT 546
/* Blocks whose coins are "recent". */
#define RECENT_BLOCKS 8
/* Locks made at once by one thread. */
#define KEY_CHUNK 256
/* Without consequence for what the chain is worth: the tree is never flushed, so never trimmed. */
#define TREE_LIMIT ((size_t)1 << 40)

struct options {
	const char *network, *out;
	uint64_t seed, fund_coins, fund_outputs, blocks, inputs, recent, age, time, spacing,
		threads;
	uint64_t in, out_per_tx; /* the shape */
	enum mix mix;
	bool has_age, has_time;
};

/* ---- the chain being made ---- */

struct made_tx {
	uint32_t first_pick, n_in; /* coins it spends: chain.picks */
	uint32_t first_out, n_out; /* coins it makes: chain.outs */
	size_t size;
	struct rc_buf raw;
	struct rc_txid txid;
	struct rc_wtxid wtxid;
};

struct chain {
	struct options opt;
	struct rc_network network;
	struct owners owners;
	uint64_t random;
	FILE *file;

	/* Coins of the state, oldest first; spent ones are squeezed out when they are half. */
	struct coin *coins;
	size_t n_coins, cap_coins, n_spent;
	size_t recent_from[RECENT_BLOCKS]; /* n_coins before each of the last blocks */
	uint32_t next_number;
	struct coin *coinbases; /* by height */

	/* The block being made. */
	struct made_tx *txs;
	size_t n_txs, cap_txs;
	struct coin *picks, *outs;
	size_t n_picks, cap_picks, n_outs, cap_outs;
	size_t size, budget; /* of the block so far */
	rc_amount fees;
	struct rc_arena arena;

	struct tree *tree;
	struct tree_roots roots;
	struct rc_hash state_root;
	rc_amount treasury;
	struct rc_block_id tip;
	uint32_t height, tip_time, first_time, last_height;
	uint64_t n_signatures, n_spend_signatures, n_inputs, n_transactions, n_bytes;
};

static uint64_t draw(struct chain *chain, uint64_t below)
{
	chain->random += UINT64_C(0x9e3779b97f4a7c15);
	return mix64(chain->random) % below;
}

/* ---- all cores ---- */

struct parallel {
	struct chain *chain;
	void (*fn)(struct chain *chain, size_t i);
	size_t n;
	atomic_size_t next;
};

static void *parallel_thread(void *arg)
{
	struct parallel *p = arg;
	size_t i;

	while ((i = atomic_fetch_add(&p->next, 1)) < p->n)
		p->fn(p->chain, i);
	return NULL;
}

static void parallel(struct chain *chain, size_t n, void (*fn)(struct chain *chain, size_t i))
{
	struct parallel p = {.chain = chain, .fn = fn, .n = n};
	pthread_t thread[64];
	size_t more = chain->opt.threads - 1;

	for (size_t i = 0; i < more; i++)
		if (pthread_create(&thread[i], NULL, parallel_thread, &p))
			driver_die("can't start a thread");
	parallel_thread(&p);
	for (size_t i = 0; i < more; i++)
		pthread_join(thread[i], NULL);
}

/* ---- transactions ---- */

static void make_locks(struct chain *chain, size_t chunk)
{
	size_t from = chunk * KEY_CHUNK, n = chain->n_outs - from;

	owners_locks(&chain->owners, chain->outs + from, n < KEY_CHUNK ? n : KEY_CHUNK);
}

static size_t cs_size(size_t n)
{
	return n < 253 ? 1 : n < 65536 ? 3 : 5;
}

/* Bytes of a transaction without its inputs. */
static size_t outer_size(size_t n_in, size_t n_out)
{
	return 2 + 2 + cs_size(n_in) + cs_size(n_out) + 4 + 1 + n_out * (8 + RC_LOCK_KEY_SIZE);
}

/* Encodes and signs transaction i of the block; its outputs' locks are there. */
static void make_tx(struct chain *chain, size_t i)
{
	struct made_tx *made = &chain->txs[i];
	struct rc_tx_in *inputs = rc_alloc_array(made->n_in, sizeof(*inputs));
	struct rc_tx_out *outputs = rc_alloc_array(made->n_out, sizeof(*outputs));
	const struct rc_coin **coins = rc_alloc_array(made->n_in, sizeof(*coins));
	size_t *witness_at = rc_alloc_array(made->n_in + 1, sizeof(*witness_at));
	struct rc_sighash sighash;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf witness = RC_BUF_INIT;
	struct rc_tx tx = {.version = RC_TX_VERSION,
			   .lock_time = 1,
			   .n_inputs = made->n_in,
			   .n_outputs = made->n_out,
			   .inputs = inputs,
			   .outputs = outputs};

	for (uint32_t k = 0; k < made->n_in; k++) {
		const struct coin *coin = &chain->picks[made->first_pick + k];

		inputs[k].prevout = coin->c.outpoint;
		/* One block of relative lock where a policy asks for it. */
		inputs[k].sequence = coin->form == FORM_OLDER ? 1 : RC_SEQUENCE_FINAL - 1;
		coins[k] = &coin->c.coin;
	}
	for (uint32_t k = 0; k < made->n_out; k++) {
		const struct rc_coin *coin = &chain->outs[made->first_out + k].c.coin;

		outputs[k] = (struct rc_tx_out){coin->amount, rc_coin_lock(coin)};
	}
	rc_sighash_init(&chain->network.id, &tx, coins, &sighash);
	for (uint32_t k = 0; k < made->n_in; k++) {
		witness_at[k] = witness.len;
		owners_witness(&chain->owners, &chain->picks[made->first_pick + k], &sighash, k,
			       &witness);
	}
	witness_at[made->n_in] = witness.len;
	for (uint32_t k = 0; k < made->n_in; k++) {
		inputs[k].witness = witness.data + witness_at[k];
		inputs[k].witness_len = (uint32_t)(witness_at[k + 1] - witness_at[k]);
	}
	rc_buf_clear(&made->raw);
	rc_tx_encode(&tx, &made->raw);
	if (made->raw.len != made->size ||
	    !rc_tx_decode(made->raw.data, made->raw.len, &arena, &tx))
		driver_die("a transaction of %zu bytes in place of %zu", made->raw.len, made->size);
	made->txid = tx.txid;
	made->wtxid = tx.wtxid;
	for (uint32_t k = 0; k < made->n_out; k++)
		chain->outs[made->first_out + k].c.outpoint = (struct rc_outpoint){tx.txid, k};
	rc_buf_done(&witness);
	rc_arena_done(&arena);
	free(inputs);
	free(outputs);
	free(coins);
	free(witness_at);
}

/* ---- blocks ---- */

/* Room for an element at n. */
static void *grow(void *array, size_t *cap, size_t n, size_t size)
{
	if (n < *cap)
		return array;
	*cap = *cap ? 2 * *cap : 1024;
	return rc_realloc_array(array, *cap, size);
}

static void begin_block(struct chain *chain)
{
	chain->n_txs = chain->n_picks = chain->n_outs = 0;
	/* Header, count of transactions, and the coinbase with one output. */
	chain->size = RC_HEADER_SIZE + 5 + outer_size(0, 1) + 6;
	chain->budget = 0;
	chain->fees = 0;
	chain->height++;
}

static void add_pick(struct chain *chain, const struct coin *coin)
{
	chain->picks = grow(chain->picks, &chain->cap_picks, chain->n_picks, sizeof(*chain->picks));
	chain->picks[chain->n_picks++] = *coin;
}

static struct coin new_coin(struct chain *chain)
{
	uint32_t number = chain->next_number++;

	return (struct coin){.number = number,
			     .form = (uint8_t)owners_form(&chain->owners, number)};
}

static void add_out(struct chain *chain, rc_amount amount)
{
	struct coin *coin;

	chain->outs = grow(chain->outs, &chain->cap_outs, chain->n_outs, sizeof(*chain->outs));
	coin = &chain->outs[chain->n_outs++];
	*coin = new_coin(chain);
	coin->c.coin.amount = amount;
	coin->c.coin.height = chain->height;
}

/*
 * Plans a transaction of the last n_in picks with n_out outputs, the fee between one and two oxides
 * a byte. False, and nothing planned, if the block has no room for it.
 */
static bool add_tx(struct chain *chain, uint32_t n_in, uint32_t n_out)
{
	uint32_t first = (uint32_t)(chain->n_picks - n_in);
	size_t size = 0, budget = 0, limit = chain->network.params.block_limit;
	rc_amount total = 0, fee, each;
	struct made_tx *made;

	for (uint32_t k = first; k < first + n_in; k++) {
		const struct coin *coin = &chain->picks[k];

		size += coin_input_size(coin);
		budget += coin_budget(coin);
		total += coin->c.coin.amount;
	}
	while (n_out > 1 && total < LEAST_OUTPUT * n_out * 2 + 2 * (size + outer_size(n_in, n_out)))
		n_out--;
	size += outer_size(n_in, n_out);
	if (chain->size + size > limit || chain->budget + budget > limit)
		return false;
	if (total < 2 * size + LEAST_OUTPUT)
		driver_die(
			"the coins have run out of value at height %u: fewer blocks, or a shape of "
			"fewer outputs",
			chain->height);
	fee = size + draw(chain, size);
	if (chain->n_txs == chain->cap_txs) {
		chain->txs = grow(chain->txs, &chain->cap_txs, chain->n_txs, sizeof(*chain->txs));
		memset(chain->txs + chain->n_txs, 0,
		       (chain->cap_txs - chain->n_txs) * sizeof(*chain->txs));
	}
	made = &chain->txs[chain->n_txs++]; /* with the buffer of its last use */
	made->first_pick = first;
	made->n_in = n_in;
	made->first_out = (uint32_t)chain->n_outs;
	made->n_out = n_out;
	made->size = size;
	each = (total - fee) / n_out;
	for (uint32_t k = 0; k < n_out; k++)
		add_out(chain, each);
	/* Amounts differ, as they do. */
	chain->outs[made->first_out].c.coin.amount += total - fee - each * n_out;
	if (n_out > 1) {
		rc_amount some = draw(chain, each / 4 + 1);

		chain->outs[made->first_out].c.coin.amount -= some;
		chain->outs[chain->n_outs - 1].c.coin.amount += some;
	}
	chain->size += size;
	chain->budget += budget;
	chain->fees += fee;
	return true;
}

static size_t n_chunks(const struct chain *chain)
{
	return (chain->n_outs + KEY_CHUNK - 1) / KEY_CHUNK;
}

/* The coinbase, whose output's owner has the next number. */
static void make_coinbase(struct chain *chain, struct rc_buf *raw, struct rc_wtxid *ret_wtxid)
{
	struct coin *coin = &chain->coinbases[chain->height];
	struct rc_coinbase payload = {.height = chain->height};
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf bytes = RC_BUF_INIT;
	struct rc_tx_out output;
	struct rc_tx tx = {.version = RC_TX_VERSION,
			   .type = RC_TX_COINBASE,
			   .n_outputs = 1,
			   .outputs = &output};

	*coin = new_coin(chain);
	coin->c.coin = (struct rc_coin){
		.amount = rc_miner_limit(&chain->network, chain->height, chain->fees),
		.height = chain->height,
		.coinbase = 1};
	owners_locks(&chain->owners, coin, 1);
	output = (struct rc_tx_out){coin->c.coin.amount, rc_coin_lock(&coin->c.coin)};
	rc_coinbase_encode(&payload, &bytes);
	tx.payload = (struct rc_bytes){bytes.data, bytes.len};
	rc_tx_encode(&tx, raw);
	if (!rc_tx_decode(raw->data, raw->len, &arena, &tx))
		driver_die("a coinbase that doesn't parse");
	coin->c.outpoint = (struct rc_outpoint){tx.txid, 0};
	*ret_wtxid = tx.wtxid;
	rc_buf_done(&bytes);
	rc_arena_done(&arena);
}

/* Writes the block: coinbase and all planned transactions, mined. */
static void write_block(struct chain *chain)
{
	uint32_t n = (uint32_t)chain->n_txs + 1;
	struct rc_wtxid *wtxids = rc_alloc_array(n, sizeof(*wtxids));
	struct rc_buf raw = RC_BUF_INIT, coinbase = RC_BUF_INIT;
	const struct rc_network *net = &chain->network;
	struct rc_header header = {
		.version = RC_HEADER_VERSION,
		.height = chain->height,
		.prev = chain->tip,
		.state_root = chain->state_root,
		.bits = rc_required_bits(net, chain->height - 1, chain->tip_time)};
	struct rc_u256 target;
	uint8_t length[4];

	header.time = chain->first_time + (chain->height - 1) * (uint32_t)chain->opt.spacing;
	make_coinbase(chain, &coinbase, &wtxids[0]);
	for (size_t i = 0; i < chain->n_txs; i++)
		wtxids[i + 1] = chain->txs[i].wtxid;
	rc_tx_root(wtxids, sizeof(*wtxids), n, &chain->arena, &header.tx_root);
	rc_arena_reset(&chain->arena);
	if (!rc_bits_target(header.bits, &target))
		driver_die("the network asks for no target at all");
	rc_block_put_head(&raw, &header, n);
	do {
		rc_put_le64(raw.data + RC_HEADER_NONCE_AT, header.nonce++);
		rc_header_id(raw.data, &chain->tip);
	} while (!rc_pow_holds(&chain->tip, &target));
	chain->tip_time = header.time;
	rc_buf_put(&raw, coinbase.data, coinbase.len);
	for (size_t i = 0; i < chain->n_txs; i++) {
		rc_buf_put(&raw, chain->txs[i].raw.data, chain->txs[i].raw.len);
		chain->n_inputs += chain->txs[i].n_in;
	}
	if (raw.len > net->params.block_limit)
		driver_die("a block over the limit");
	rc_put_le32(length, (uint32_t)raw.len);
	if (fwrite(length, 4, 1, chain->file) != 1 ||
	    fwrite(raw.data, raw.len, 1, chain->file) != 1)
		driver_die("%s: %s", chain->opt.out, strerror(errno));
	chain->n_bytes += raw.len;
	chain->n_transactions += n;
	for (size_t i = 0; i < chain->n_picks; i++)
		chain->n_signatures += coin_signatures(&chain->picks[i]);
	rc_buf_done(&raw);
	rc_buf_done(&coinbase);
	free(wtxids);
}

/* Moves the state by picks [from_pick …) and outs [from_out …), the coinbase and the treasury. */
static void move_state(struct chain *chain, size_t from_pick, size_t from_out)
{
	size_t n_spent = chain->n_picks - from_pick, n_made = chain->n_outs - from_out + 1;
	struct rc_delta delta = {.n_spent = (uint32_t)n_spent, .n_created = (uint32_t)n_made};
	rc_amount after = rc_treasury_after(&chain->network, chain->height, chain->treasury, 0);
	uint8_t before_text[8], after_text[8];
	struct rc_delta_entry entry = {.ns = RC_STATE_GOVERNANCE,
				       .has_before = chain->treasury != 0,
				       .has_after = after != 0,
				       .before = {before_text, 8},
				       .after = {after_text, 8}};
	struct tree_ops ops[TREE_NAMESPACES];
	struct tree_change change = {0};
	struct tree_roots roots;
	struct rc_error error;

	delta.spent = rc_arena_alloc(&chain->arena, n_spent * sizeof(*delta.spent) + 1);
	delta.created = rc_arena_alloc(&chain->arena, n_made * sizeof(*delta.created));
	for (size_t i = 0; i < n_spent; i++)
		delta.spent[i] = chain->picks[from_pick + i].c;
	for (size_t i = 0; i + 1 < n_made; i++)
		delta.created[i] = chain->outs[from_out + i].c;
	delta.created[n_made - 1] = chain->coinbases[chain->height].c;
	rc_gov_key_treasury(entry.key);
	rc_put_le64(before_text, chain->treasury);
	rc_put_le64(after_text, after);
	delta.entries = &entry;
	delta.n_entries = after != chain->treasury;
	delta_ops(&delta, false, &chain->arena, ops);
	if (tree_update(chain->tree, chain->height, &chain->roots, ops, &roots, &change, &error))
		driver_die("height %u: %s", chain->height, error.text);
	tree_release(chain->tree, chain->height, &change);
	tree_change_done(&change);
	chain->roots = roots;
	chain->treasury = after;
	tree_state_root(&roots, &chain->state_root);
	rc_arena_reset(&chain->arena);
	/* The new coins, the youngest at the end. */
	memmove(chain->recent_from, chain->recent_from + 1, (RECENT_BLOCKS - 1) * sizeof(size_t));
	chain->recent_from[RECENT_BLOCKS - 1] = chain->n_coins;
	for (size_t i = from_out; i < chain->n_outs; i++) {
		chain->coins = grow(chain->coins, &chain->cap_coins, chain->n_coins,
				    sizeof(*chain->coins));
		chain->coins[chain->n_coins++] = chain->outs[i];
	}
}

/* ---- the three parts of a chain ---- */

static void empty_block(struct chain *chain)
{
	begin_block(chain);
	write_block(chain);
	move_state(chain, 0, 0);
}

/* Outputs of one fan-out transaction, and how many of these a block has room for. */
struct fan {
	uint64_t txs, outputs;
};

/* A block's fan for so many coins at most. */
static struct fan fan_of(const struct chain *chain, uint64_t coins)
{
	struct fan fan = {.outputs = chain->opt.fund_outputs < coins ? chain->opt.fund_outputs
								     : coins};
	/* An input's longest form, so that the mix doesn't matter. */
	size_t one = RC_TX_IN_LEAST_SIZE + 400 + outer_size(1, fan.outputs);
	size_t room = chain->network.params.block_limit - 1000;

	fan.txs = (coins + fan.outputs - 1) / fan.outputs;
	if (fan.txs * (one + 8 + RC_LOCK_KEY_SIZE) > room)
		fan.txs = room / (one + 8 + RC_LOCK_KEY_SIZE);
	if (!fan.txs)
		driver_die("--fund-outputs: no transaction of so many fits in a block");
	return fan;
}

/* A mature coinbase into parcels, each parcel into coins, all in one block. */
static void fund_block(struct chain *chain, uint64_t coins)
{
	struct fan fan = fan_of(chain, coins);
	const struct coin *from =
		&chain->coinbases[chain->height + 1 - chain->network.params.maturity];

	begin_block(chain);
	add_pick(chain, from);
	if (!add_tx(chain, 1, (uint32_t)fan.txs) || chain->n_outs != fan.txs)
		driver_die("a coinbase is worth too little for --fund-outputs and --fund-coins");
	/* Spent in their own block: no relative lock would hold. */
	for (size_t i = 0; i < fan.txs; i++)
		chain->outs[i].form = FORM_KEY_PATH;
	parallel(chain, n_chunks(chain), make_locks);
	make_tx(chain, 0);
	for (size_t i = 0; i < fan.txs; i++) {
		uint64_t left = coins - (chain->n_outs - fan.txs);
		uint64_t n_out = left < fan.outputs ? left : fan.outputs;

		add_pick(chain, &chain->outs[i]);
		if (!add_tx(chain, 1, (uint32_t)n_out) || chain->txs[i + 1].n_out != n_out)
			driver_die("a coinbase is worth too little for --fund-outputs and "
				   "--fund-coins");
	}
	parallel(chain, n_chunks(chain), make_locks);
	parallel(chain, chain->n_txs, make_tx);
	write_block(chain);
	/* The coinbase spent, the parcels passed over, the coins made. */
	chain->n_picks = 1;
	move_state(chain, 0, fan.txs);
}

/* A coin that isn't spent, random or recent; marked as spent. */
static const struct coin *pick_coin(struct chain *chain)
{
	size_t from = 0;

	if (chain->n_spent == chain->n_coins)
		driver_die("no coin is left at height %u: more --fund-coins", chain->height);
	if (draw(chain, 100) < chain->opt.recent)
		from = chain->recent_from[0];
	/* At least half of all are unspent; of the recent ones, maybe none. */
	for (unsigned tries = 0;; tries++) {
		struct coin *coin;

		if (from == chain->n_coins || tries == 32)
			from = 0;
		coin = &chain->coins[from + draw(chain, chain->n_coins - from)];
		if (coin->spent)
			continue;
		coin->spent = true;
		chain->n_spent++;
		return coin;
	}
}

/* Squeezes spent coins out when they are half. */
static void squeeze(struct chain *chain)
{
	size_t n = 0, mark = 0;

	if (chain->n_spent * 2 < chain->n_coins)
		return;
	for (size_t i = 0; i <= chain->n_coins; i++) {
		while (mark < RECENT_BLOCKS && chain->recent_from[mark] == i)
			chain->recent_from[mark++] = n;
		if (i < chain->n_coins && !chain->coins[i].spent)
			chain->coins[n++] = chain->coins[i];
	}
	chain->n_coins = n;
	chain->n_spent = 0;
}

static void spend_block(struct chain *chain)
{
	uint64_t before = chain->n_signatures;

	begin_block(chain);
	while (chain->n_picks + chain->opt.in <= chain->opt.inputs) {
		for (uint64_t i = 0; i < chain->opt.in; i++)
			add_pick(chain, pick_coin(chain));
		if (!add_tx(chain, (uint32_t)chain->opt.in, (uint32_t)chain->opt.out_per_tx))
			driver_die("--inputs: a block has no room for so many (%zu were put in)",
				   chain->n_picks - chain->opt.in);
	}
	parallel(chain, n_chunks(chain), make_locks);
	parallel(chain, chain->n_txs, make_tx);
	write_block(chain);
	move_state(chain, 0, 0);
	squeeze(chain);
	chain->n_spend_signatures += chain->n_signatures - before;
}

/* ---- options ---- */

struct option_row {
	const char *name, *value, *text;
	uint64_t *number; /* NULL: a text, or a row of its own */
	uint64_t min, max;
};

static void parse_shape(struct options *o, const char *text)
{
	char end;

	if (sscanf(text, "%" SCNu64 "x%" SCNu64 "%c", &o->in, &o->out_per_tx, &end) != 2 ||
	    o->in < 1 || o->in > 1000 || o->out_per_tx < 1 || o->out_per_tx > 1000)
		driver_die("--shape: inputs x outputs, as in 2x2");
}

static void parse_mix(struct options *o, const char *text)
{
	static const char *const names[] = {"key", "policy", "mixed"};

	for (size_t i = 0; i < RC_ARRAY_LEN(names); i++)
		if (strcmp(text, names[i]) == 0) {
			o->mix = (enum mix)i;
			return;
		}
	driver_die("--mix: key, policy or mixed");
}

static void parse_options(int argc, char **argv, struct options *o)
{
	const struct option_row rows[] = {
		{"network", "NAME", "main, test, reg, or a parameter file (reg)", NULL, 0, 0},
		{"out", "FILE", "where the blocks go", NULL, 0, 0},
		{"seed", "N", "another one makes another chain (1)", &o->seed, 0, UINT32_MAX},
		{"blocks", "N", "blocks that spend (0)", &o->blocks, 0, 1000000},
		{"inputs", "N", "inputs of each of these blocks (5000)", &o->inputs, 1, 200000},
		{"shape", "AxB", "inputs and outputs of a transaction (2x2)", NULL, 0, 0},
		{"mix", "KIND", "locks: key, policy, or mixed, half of each (key)", NULL, 0, 0},
		{"fund-coins", "N", "coins made before the spends (enough for them)",
		 &o->fund_coins, 0, 500000000},
		{"fund-outputs", "N", "of these, outputs of one transaction (1000)",
		 &o->fund_outputs, 1, 40000},
		{"recent", "PERCENT", "inputs that spend coins of the last 8 blocks (0)",
		 &o->recent, 0, 100},
		{"spacing", "SECONDS", "between blocks (the network's, or 1)", &o->spacing, 1,
		 1000000},
		{"time", "SECONDS", "of the last block, since 1970 (begins at the genesis block)",
		 &o->time, 1, UINT32_MAX},
		{"age", "SECONDS", "the last block's, from now back (in place of --time)", &o->age,
		 0, UINT32_MAX},
		{"threads", "N", "that sign (all cores)", &o->threads, 1, 64},
	};

	for (int i = 1; i < argc; i++) {
		const struct option_row *row = NULL;
		const char *name = argv[i] + 2, *value = argv[i + 1];
		char *end;

		if (strcmp(argv[i], "--help") == 0) {
			printf("make_chain --out FILE [options]: a chain of blocks, for "
			       "benchmarks\n");
			for (size_t k = 0; k < RC_ARRAY_LEN(rows); k++)
				printf("  --%-12s %-8s %s\n", rows[k].name, rows[k].value,
				       rows[k].text);
			exit(0);
		}
		for (size_t k = 0; k < RC_ARRAY_LEN(rows); k++)
			if (strncmp(argv[i], "--", 2) == 0 && strcmp(name, rows[k].name) == 0)
				row = &rows[k];
		if (!row || !value)
			driver_die("%s: not an option, or without its value; see --help", argv[i]);
		i++;
		if (row->number) {
			errno = 0;
			*row->number = strtoull(value, &end, 10);
			if (errno || *end || end == value || *row->number < row->min ||
			    *row->number > row->max)
				driver_die("--%s: %" PRIu64 " … %" PRIu64, name, row->min,
					   row->max);
			o->has_age |= row->number == &o->age;
			o->has_time |= row->number == &o->time;
		} else if (strcmp(name, "network") == 0) {
			o->network = value;
		} else if (strcmp(name, "out") == 0) {
			o->out = value;
		} else if (strcmp(name, "shape") == 0) {
			parse_shape(o, value);
		} else {
			parse_mix(o, value);
		}
	}
	if (!o->out)
		driver_die("--out FILE is missing; see --help");
}

/* Everything that follows from the options and the network. */
static void plan(struct chain *chain)
{
	struct options *o = &chain->opt;
	uint64_t left, lost = o->in > o->out_per_tx ? o->in - o->out_per_tx : 0, blocks;
	int64_t last;

	if (!o->fund_coins && o->blocks)
		o->fund_coins = 4 * o->inputs + o->blocks * (o->inputs / o->in) * lost;
	if (!o->spacing)
		o->spacing = chain->network.params.spacing ? chain->network.params.spacing : 1;
	blocks = chain->network.params.maturity + o->blocks;
	for (left = o->fund_coins; left;) {
		struct fan fan = fan_of(chain, left);

		left -= fan.txs * fan.outputs < left ? fan.txs * fan.outputs : left;
		blocks++;
	}
	chain->last_height = (uint32_t)blocks;
	chain->coinbases = rc_alloc_array(blocks + 1, sizeof(*chain->coinbases));
	last = o->has_age    ? (int64_t)time(NULL) - (int64_t)o->age
	       : o->has_time ? (int64_t)o->time
			     : (int64_t)(chain->network.params.genesis_time + blocks * o->spacing);
	last -= (int64_t)((blocks - 1) * o->spacing);
	if (last <= (int64_t)chain->network.params.genesis_time || last > UINT32_MAX)
		driver_die("block 1 would come before the genesis block: a smaller --spacing");
	chain->first_time = (uint32_t)last;
}

static void prepare(struct chain *chain)
{
	struct rc_error error;

	rc_schnorr_init();
	if (rc_network_load(chain->opt.network, &chain->network, &error))
		driver_die("%s", error.text);
	chain->random = chain->opt.seed;
	owners_init(&chain->owners, chain->opt.seed, chain->opt.mix);
	chain->next_number = 1;
	chain->tip = chain->network.genesis_id;
	chain->tip_time = chain->network.params.genesis_time;
	chain->tree = tree_new(disk_memory_new(), TREE_LIMIT, 1, NULL, 0);
	tree_roots_init(&chain->roots);
	tree_state_root(&chain->roots, &chain->state_root);
	plan(chain);
	chain->file = fopen(chain->opt.out, "wb");
	if (!chain->file)
		driver_die("%s: %s", chain->opt.out, strerror(errno));
}

int main(int argc, char **argv)
{
	static struct chain chain = {.opt = {.network = "reg",
					     .seed = 1,
					     .inputs = 5000,
					     .fund_outputs = 1000,
					     .in = 2,
					     .out_per_tx = 2}};
	uint64_t left;
	uint32_t funded, n_funding;
	char tip[65], root[65];

	chain.opt.threads = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
	parse_options(argc, argv, &chain.opt);
	if (chain.opt.threads > 64)
		chain.opt.threads = 64;
	prepare(&chain);
	while (chain.height < chain.network.params.maturity)
		empty_block(&chain);
	for (left = chain.opt.fund_coins; left;) {
		size_t before = chain.n_coins;

		fund_block(&chain, left);
		left -= chain.n_coins - before;
	}
	funded = chain.height;
	n_funding = funded - chain.network.params.maturity; /* each spent a coinbase */
	for (uint64_t i = 0; i < chain.opt.blocks; i++)
		spend_block(&chain);
	assert(chain.height == chain.last_height);
	if (fclose(chain.file))
		driver_die("%s: %s", chain.opt.out, strerror(errno));
	rc_hex_encode(root, chain.state_root.b, 32);
	rc_hex_encode_reversed(tip, chain.tip.b, 32);
	printf("{\"network\": \"%s\", \"blocks\": %u, \"first_spend\": %u, "
	       "\"transactions\": %" PRIu64 ", \"inputs\": %" PRIu64 ", \"signatures\": %" PRIu64
	       ", \"spend_signatures\": %" PRIu64 ", \"coins\": %zu, \"bytes\": %" PRIu64
	       ", \"time\": %u, \"tip\": \"%s\", \"state_root\": \"%s\"}\n",
	       chain.network.params.name, chain.height, funded + 1, chain.n_transactions,
	       chain.n_inputs, chain.n_signatures, chain.n_spend_signatures,
	       chain.n_coins - chain.n_spent + chain.height - n_funding, chain.n_bytes,
	       chain.tip_time, tip, root);
	return 0;
}
