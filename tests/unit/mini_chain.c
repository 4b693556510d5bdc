/* See mini_chain.h. */
#include "tests/unit/mini_chain.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "consensus/header_check.h"

void mini_chain_init(struct mini_chain *chain, const struct rc_network *network)
{
	static const struct rc_hash empty[RC_STATE_NAMESPACES];
	struct mini_block *genesis = rc_alloc(sizeof(*genesis));

	*chain = (struct mini_chain){.network = *network};
	genesis->id = network->genesis_id;
	genesis->header = network->genesis_header;
	genesis->judged = true;
	genesis->arrival = ++chain->arrivals;
	rc_state_root(empty, &genesis->root);
	HASH_ADD(hh, chain->blocks, id, sizeof(genesis->id), genesis);
	chain->at = chain->tip = genesis;
}

static void free_entry(struct mini_chain *chain, struct mini_entry *e)
{
	HASH_DEL(chain->entries, e);
	free(e->value);
	free(e);
}

void mini_chain_done(struct mini_chain *chain)
{
	struct mini_block *b, *b_next;
	struct mini_refused *r, *r_next;
	struct mini_coin *c, *c_next;
	struct mini_entry *e, *e_next;

	HASH_ITER (hh, chain->blocks, b, b_next) {
		HASH_DEL(chain->blocks, b);
		free(b->raw);
		free(b->delta);
		free(b);
	}
	HASH_ITER (hh, chain->refused, r, r_next) {
		HASH_DEL(chain->refused, r);
		free(r);
	}
	HASH_ITER (hh, chain->coins, c, c_next) {
		HASH_DEL(chain->coins, c);
		free(c);
	}
	HASH_ITER (hh, chain->entries, e, e_next) {
		free_entry(chain, e);
	}
}

struct mini_block *mini_chain_find(struct mini_chain *chain, const struct rc_block_id *id)
{
	struct mini_block *b;

	HASH_FIND(hh, chain->blocks, id, sizeof(*id), b);
	return b;
}

uint32_t mini_chain_median_time(const struct mini_block *block)
{
	uint32_t times[RC_MEDIAN_SPAN];
	size_t n = 0;

	for (; block && n < RC_MEDIAN_SPAN; block = block->parent)
		times[n++] = block->header.time;
	return rc_median_time(times, n);
}

static struct mini_coin *find_coin(const struct mini_chain *chain, const struct rc_outpoint *o)
{
	uint8_t key[RC_OUTPOINT_SIZE];
	struct mini_coin *c;

	rc_outpoint_key_encode(o, key);
	HASH_FIND(hh, chain->coins, key, sizeof(key), c);
	return c;
}

const struct rc_coin *mini_chain_coin(const struct mini_chain *chain,
				      const struct rc_outpoint *outpoint)
{
	const struct mini_coin *c = find_coin(chain, outpoint);

	return c ? &c->coin : NULL;
}

static void put_coin(struct mini_chain *chain, const struct rc_delta_coin *coin)
{
	struct mini_coin *c = rc_alloc(sizeof(*c));

	assert(!find_coin(chain, &coin->outpoint));
	rc_outpoint_key_encode(&coin->outpoint, c->key);
	c->coin = coin->coin;
	HASH_ADD(hh, chain->coins, key, sizeof(c->key), c);
}

static void take_coin(struct mini_chain *chain, const struct rc_delta_coin *coin)
{
	struct mini_coin *c = find_coin(chain, &coin->outpoint);

	assert(c && memcmp(&c->coin, &coin->coin, sizeof(c->coin)) == 0);
	HASH_DEL(chain->coins, c);
	free(c);
}

static struct mini_entry *find_entry(const struct mini_chain *chain, unsigned ns,
				     const uint8_t *key)
{
	uint8_t ns_key[1 + RC_STATE_KEY_MAX] = {(uint8_t)ns};
	struct mini_entry *e;

	memcpy(ns_key + 1, key, rc_state_key_len(ns));
	HASH_FIND(hh, chain->entries, ns_key, sizeof(ns_key), e);
	return e;
}

rc_amount mini_chain_treasury(const struct mini_chain *chain)
{
	const struct mini_entry *e;
	uint8_t key[32];

	rc_gov_key_treasury(key);
	e = find_entry(chain, RC_STATE_GOVERNANCE, key);
	return e ? rc_get_le64(e->value) : 0;
}

/* Sets an entry from one value to another; what was there must be the former. */
static void change_entry(struct mini_chain *chain, const struct rc_delta_entry *d,
			 const struct rc_bytes *from, const struct rc_bytes *to)
{
	struct mini_entry *e = find_entry(chain, d->ns, d->key);

	assert((e != NULL) == (from != NULL));
	if (from) {
		assert(e->value_len == from->len && memcmp(e->value, from->data, from->len) == 0);
		free_entry(chain, e);
	}
	if (to) {
		e = rc_alloc(sizeof(*e));
		e->ns_key[0] = d->ns;
		memcpy(e->ns_key + 1, d->key, rc_state_key_len(d->ns));
		e->value = rc_memdup(to->data, to->len);
		e->value_len = to->len;
		HASH_ADD(hh, chain->entries, ns_key, sizeof(e->ns_key), e);
	}
}

static void move_state(struct mini_chain *chain, struct mini_block *block, bool forward)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_delta d;
	bool good = rc_delta_decode(block->delta, block->delta_len, &arena, &d);

	assert(good);
	assert(rc_block_id_eq(&d.id, &block->id));
	for (uint32_t i = 0; i < d.n_spent; i++)
		(forward ? take_coin : put_coin)(chain, &d.spent[i]);
	for (uint32_t i = 0; i < d.n_created; i++)
		(forward ? put_coin : take_coin)(chain, &d.created[i]);
	for (uint32_t i = 0; i < d.n_entries; i++) {
		const struct rc_delta_entry *e = &d.entries[i];
		const struct rc_bytes *before = e->has_before ? &e->before : NULL;
		const struct rc_bytes *after = e->has_after ? &e->after : NULL;

		change_entry(chain, e, forward ? before : after, forward ? after : before);
	}
	rc_arena_done(&arena);
	chain->at = forward ? block : block->parent;
}

void mini_chain_go(struct mini_chain *chain, struct mini_block *to)
{
	/* Up to the common ancestor, then down the remembered way. */
	struct mini_block **way = NULL;
	size_t n = 0;

	for (struct mini_block *b = to; b; b = b->parent)
		n++;
	way = rc_alloc_array(n, sizeof(*way));
	n = 0;
	for (struct mini_block *b = to; b != chain->at;) {
		if (b->header.height >= chain->at->header.height && b->parent) {
			way[n++] = b;
			b = b->parent;
		} else {
			move_state(chain, chain->at, false);
		}
	}
	while (n > 0)
		move_state(chain, way[--n], true);
	free(way);
}

static int by_key(const void *a, const void *b)
{
	return memcmp(((const struct mini_leaf *)a)->key, ((const struct mini_leaf *)b)->key,
		      RC_STATE_KEY_MAX);
}

struct mini_leaf *mini_chain_leaves(const struct mini_chain *chain, unsigned ns, size_t *ret_n)
{
	size_t most = HASH_COUNT(chain->coins) + HASH_COUNT(chain->entries), n = 0;
	struct mini_leaf *leaves = rc_alloc_array(most, sizeof(*leaves));
	const struct mini_coin *c = ns == RC_STATE_COINS ? chain->coins : NULL;
	const struct mini_entry *e;

	for (; c; c = c->hh.next, n++) {
		struct rc_outpoint o;

		rc_outpoint_key_decode(c->key, &o);
		rc_coin_key_encode(&c->coin, &o, leaves[n].key);
		leaves[n].len = rc_coin_value_encode(&c->coin, leaves[n].coin);
	}
	for (e = chain->entries; e; e = e->hh.next)
		if (e->ns_key[0] == ns) {
			memcpy(leaves[n].key, e->ns_key + 1, RC_STATE_KEY_MAX);
			leaves[n].elsewhere = e->value;
			leaves[n++].len = e->value_len;
		}
	qsort(leaves, n, sizeof(*leaves), by_key);
	*ret_n = n;
	return leaves;
}

const uint8_t *mini_leaf_value(const struct mini_leaf *leaf)
{
	return leaf->elsewhere ? leaf->elsewhere : leaf->coin;
}

void mini_chain_root(const struct mini_chain *chain, struct rc_hash *ret_root,
		     struct rc_hash *ret_roots)
{
	struct rc_hash roots[RC_STATE_NAMESPACES] = {0};

	for (unsigned ns = 1; ns <= 5; ns++) {
		size_t n;
		RC_AUTOFREE struct mini_leaf *leaves = mini_chain_leaves(chain, ns, &n);
		struct rc_trie_fold fold;
		struct rc_state_node node;
		bool good = true;

		rc_trie_fold_init(&fold, ns);
		for (size_t i = 0; i < n; i++)
			good &= rc_trie_fold_add(&fold, leaves[i].key, mini_leaf_value(&leaves[i]),
						 leaves[i].len);
		good &= rc_trie_fold_end(&fold, &node);
		assert(good);
		roots[ns - 1] = node.hash;
	}
	rc_state_root(roots, ret_root);
	if (ret_roots)
		memcpy(ret_roots, roots, sizeof(roots));
}

struct rc_witness_finding mini_verify_jobs(const struct rc_hash *network_id,
					   const struct rc_connect_result *result)
{
	struct rc_witness_finding worst = {.verdict = RC_VERDICT_OK};

	/* Backwards, so that folding has something to do. */
	for (uint32_t i = result->n_jobs; i-- > 0;) {
		struct rc_witness_finding f =
			rc_witness_job_run(network_id, &result->jobs[i], NULL);

		rc_witness_worse(&worst, &f);
	}
	return worst;
}

/* The rules with state and of witnesses; the delta if all hold. The state is the parent's. */
static enum rc_verdict connect_here(struct mini_chain *chain, const struct rc_block *block,
				    struct rc_arena *arena, struct rc_buf *ret_delta)
{
	struct rc_connect_context context = {
		.network = &chain->network,
		.median_time = mini_chain_median_time(chain->at),
		.parent_root = &chain->at->root,
		.governed = {.treasury = mini_chain_treasury(chain)},
	};
	struct rc_connect_plan plan;
	struct rc_connect_result result;
	struct rc_coin_slot *slots;
	enum rc_verdict verdict;

	rc_connect_collect(block, arena, &plan);
	slots = rc_arena_alloc(arena, plan.n_outpoints * sizeof(*slots));
	for (uint32_t i = 0; i < plan.n_outpoints; i++) {
		const struct rc_coin *coin = mini_chain_coin(chain, &plan.outpoints[i]);

		slots[i].present = coin != NULL;
		if (coin)
			slots[i].coin = *coin;
	}
	verdict = rc_connect_block(&context, &plan, slots, arena, &result);
	if (verdict == RC_VERDICT_OK)
		verdict = mini_verify_jobs(&chain->network.id, &result).verdict;
	if (verdict == RC_VERDICT_OK)
		rc_delta_encode(&result.delta, ret_delta);
	return verdict;
}

static bool descends(const struct mini_block *b, const struct mini_block *from)
{
	while (b && b != from)
		b = b->parent;
	return b != NULL;
}

static void make_invalid(struct mini_chain *chain, struct mini_block *block, enum rc_verdict why)
{
	struct mini_block *b;

	for (b = chain->blocks; b; b = b->hh.next)
		if (b->reason == RC_VERDICT_OK && descends(b, block))
			b->reason = b == block ? why : RC_V_HEADER_PARENT_INVALID;
}

static void refuse(struct mini_chain *chain, const struct rc_block_id *id, enum rc_verdict why)
{
	struct mini_refused *r = rc_alloc(sizeof(*r));

	r->id = *id;
	r->reason = why;
	HASH_ADD(hh, chain->refused, id, sizeof(r->id), r);
}

static enum rc_verdict new_header(struct mini_chain *chain, const struct rc_header *header,
				  const struct rc_block_id *id, uint64_t now)
{
	struct mini_block *parent = mini_chain_find(chain, &header->prev), *b;
	struct rc_header_parent context = {0};
	struct mini_refused *refused;
	enum rc_verdict verdict;

	HASH_FIND(hh, chain->refused, &header->prev, sizeof(header->prev), refused);
	if (parent) {
		context.invalid = parent->reason != RC_VERDICT_OK;
		context.height = parent->header.height;
		context.time = parent->header.time;
		context.median_time = mini_chain_median_time(parent);
	} else {
		context.invalid = refused != NULL;
	}
	verdict = rc_header_check(&chain->network, header, id, parent || refused ? &context : NULL,
				  now);
	if (verdict != RC_VERDICT_OK) {
		if (rc_verdict_class(verdict) == RC_CLASS_INVALID)
			refuse(chain, id, verdict);
		return verdict;
	}
	b = rc_alloc(sizeof(*b));
	b->id = *id;
	b->header = *header;
	b->parent = parent;
	b->work = rc_work_add(parent->work, rc_work_of_bits(header->bits));
	HASH_ADD(hh, chain->blocks, id, sizeof(b->id), b);
	return RC_VERDICT_OK;
}

enum rc_verdict mini_chain_header(struct mini_chain *chain, const uint8_t raw[RC_HEADER_SIZE],
				  uint64_t now)
{
	struct mini_refused *refused;
	struct mini_block *known;
	struct rc_header header;
	struct rc_block_id id;

	chain->n_judged = 0;
	rc_header_decode(raw, &header);
	rc_header_id(raw, &id);
	known = mini_chain_find(chain, &id);
	if (known)
		return known->reason;
	HASH_FIND(hh, chain->refused, &id, sizeof(id), refused);
	if (refused)
		return refused->reason;
	return new_header(chain, &header, &id, now);
}

static bool branch_ready(const struct mini_block *b)
{
	for (; b; b = b->parent)
		if (!b->arrival || b->reason != RC_VERDICT_OK)
			return false;
	return true;
}

static struct mini_block *best_candidate(const struct mini_chain *chain)
{
	struct mini_block *best = NULL, *b;

	for (b = chain->blocks; b; b = b->hh.next) {
		int more = best ? rc_u256_cmp(&b->work, &best->work) : 1;

		if (rc_u256_cmp(&b->work, &chain->tip->work) <= 0 || !branch_ready(b))
			continue;
		if (more > 0 || (more == 0 && b->arrival < best->arrival))
			best = b;
	}
	return best;
}

/* Judges one block in its parent's state. */
static enum rc_verdict judge(struct mini_chain *chain, struct mini_block *b)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf delta = RC_BUF_INIT;
	enum rc_verdict verdict;
	struct rc_block block;

	mini_chain_go(chain, b->parent);
	verdict = rc_block_check(b->raw, b->raw_len, &arena, &block);
	assert(verdict == RC_VERDICT_OK);
	verdict = connect_here(chain, &block, &arena, &delta);
	assert(chain->n_judged < RC_ARRAY_LEN(chain->judged));
	chain->judged[chain->n_judged++] = (struct mini_judgement){b->id, verdict};
	if (verdict == RC_VERDICT_OK) {
		b->delta = rc_buf_take(&delta, &b->delta_len);
		b->judged = true;
		move_state(chain, b, true);
		mini_chain_root(chain, &b->root, NULL);
	} else {
		make_invalid(chain, b, verdict);
	}
	rc_buf_done(&delta);
	rc_arena_done(&arena);
	return verdict;
}

static bool judge_branch(struct mini_chain *chain, struct mini_block *b)
{
	if (b->judged)
		return true;
	return judge_branch(chain, b->parent) && judge(chain, b) == RC_VERDICT_OK;
}

static void settle(struct mini_chain *chain)
{
	struct mini_block *b;

	while ((b = best_candidate(chain)) != NULL)
		if (judge_branch(chain, b))
			chain->tip = b;
	mini_chain_go(chain, chain->tip);
}

enum rc_verdict mini_chain_block(struct mini_chain *chain, const uint8_t *raw, size_t len,
				 uint64_t now)
{
	struct rc_arena arena = RC_ARENA_INIT;
	enum rc_verdict verdict;
	struct rc_block block;
	struct rc_block_id id;
	struct mini_block *b;

	chain->n_judged = 0;
	if (len < RC_HEADER_SIZE)
		return RC_V_BLOCK_PARSE;
	verdict = mini_chain_header(chain, raw, now);
	if (verdict != RC_VERDICT_OK)
		return verdict;
	rc_header_id(raw, &id);
	b = mini_chain_find(chain, &id);
	if (b->arrival)
		return RC_VERDICT_OK;
	verdict = rc_block_check(raw, len, &arena, &block);
	if (verdict == RC_VERDICT_OK) {
		b->arrival = ++chain->arrivals;
		b->raw = rc_memdup(raw, len);
		b->raw_len = len;
		settle(chain);
	} else if (rc_verdict_names_block(verdict)) {
		make_invalid(chain, b, verdict);
	}
	rc_arena_done(&arena);
	return verdict;
}

enum rc_verdict mini_chain_offer(struct mini_chain *chain, const uint8_t *raw, size_t len,
				 uint64_t now)
{
	enum rc_verdict verdict = mini_chain_block(chain, raw, len, now);
	struct rc_block_id id;

	if (verdict != RC_VERDICT_OK)
		return verdict;
	rc_header_id(raw, &id);
	for (size_t i = 0; i < chain->n_judged; i++)
		if (rc_block_id_eq(&chain->judged[i].id, &id))
			return chain->judged[i].verdict;
	return RC_VERDICT_OK;
}

enum rc_verdict mini_chain_check_tx(struct mini_chain *chain, const uint8_t *raw, size_t len)
{
	const struct rc_loose_context context = {&chain->network, chain->at->header.height + 1,
						 mini_chain_median_time(chain->at)};
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_loose_result result;
	const struct rc_coin **coins;
	struct rc_sighash sighash;
	enum rc_verdict verdict;
	struct rc_tx tx;

	verdict = rc_tx_check_loose(raw, len, &arena, &tx);
	if (verdict == RC_VERDICT_OK) {
		coins = rc_arena_alloc(&arena, tx.n_inputs * sizeof(*coins));
		for (uint32_t i = 0; i < tx.n_inputs; i++)
			coins[i] = mini_chain_coin(chain, &tx.inputs[i].prevout);
		verdict = rc_tx_check_with_coins(&context, &tx, coins, &result);
	}
	if (verdict == RC_VERDICT_OK) {
		rc_sighash_init(&chain->network.id, &tx, coins, &sighash);
		for (uint32_t i = 0; i < tx.n_inputs && verdict == RC_VERDICT_OK; i++)
			verdict = rc_witness_check(&sighash, i, NULL);
	}
	rc_arena_done(&arena);
	return verdict;
}
