/* Blocks made at random, and the state after each by definition. */
#include "state_world.h"

#include <stdlib.h>
#include <string.h>

struct leaf_row {
	uint8_t key[RC_COIN_KEY_SIZE];
	const struct rc_coin *coin;
};

static int compare_leaves(const void *a, const void *b)
{
	return memcmp(((const struct leaf_row *)a)->key, ((const struct leaf_row *)b)->key,
		      RC_COIN_KEY_SIZE);
}

static void coins_root(const struct world_block *b, struct rc_hash *ret)
{
	struct rc_trie_fold *fold = rc_alloc(sizeof(*fold));
	struct leaf_row *rows = rc_alloc_array(b->n_coins + 1, sizeof(*rows));
	struct rc_state_node node;

	for (size_t i = 0; i < b->n_coins; i++) {
		rc_coin_key_encode(&b->coins[i].coin, &b->coins[i].outpoint, rows[i].key);
		rows[i].coin = &b->coins[i].coin;
	}
	qsort(rows, b->n_coins, sizeof(*rows), compare_leaves);
	rc_trie_fold_init(fold, RC_STATE_COINS);
	for (size_t i = 0; i < b->n_coins; i++) {
		uint8_t value[RC_COIN_VALUE_MAX];
		size_t len = rc_coin_value_encode(rows[i].coin, value);

		assert_true(rc_trie_fold_add(fold, rows[i].key, value, len));
	}
	assert_true(rc_trie_fold_end(fold, &node));
	*ret = node.hash;
	free(rows);
	free(fold);
}

static void set_root(struct world_block *b)
{
	struct rc_hash roots[RC_STATE_NAMESPACES] = {0};

	coins_root(b, &roots[0]);
	if (b->treasury) {
		struct rc_state_node node;
		uint8_t key[32], value[8];

		rc_gov_key_treasury(key);
		rc_put_le64(value, b->treasury);
		rc_state_leaf(RC_STATE_GOVERNANCE, key, value, sizeof(value), &node);
		roots[RC_STATE_GOVERNANCE - 1] = node.hash;
	}
	rc_state_root(roots, &b->root);
}

void world_init(struct world *w, struct rc_random *random)
{
	memset(w, 0, sizeof(*w));
	w->random = random;
	w->cap = 64;
	w->block = rc_alloc_array(w->cap, sizeof(*w->block));
	w->n = 1;
	memset(w->block[0].id.b, 0x11, 32);
	set_root(&w->block[0]);
	for (unsigned i = 0; i < WORLD_OWNERS; i++) {
		uint8_t key[32];

		rc_random_fill(random, key, sizeof(key));
		rc_lock_key_encode(key, w->owner[i]);
	}
}

void world_done(struct world *w)
{
	for (size_t i = 0; i < w->n; i++) {
		free(w->block[i].coins);
		rc_buf_done(&w->block[i].delta);
	}
	free(w->block);
}

static int compare_coins(const void *a, const void *b)
{
	return rc_outpoint_cmp(&((const struct rc_delta_coin *)a)->outpoint,
			       &((const struct rc_delta_coin *)b)->outpoint);
}

static void make_coin(struct world *w, uint32_t height, struct rc_delta_coin *ret)
{
	const uint8_t *lock = w->owner[rc_random_below(w->random, WORLD_OWNERS)];
	uint8_t serial[8];
	struct rc_lock view;

	memset(ret, 0, sizeof(*ret));
	rc_put_le64(serial, w->serial++);
	rc_sha256(serial, sizeof(serial), ret->outpoint.txid.b);
	ret->outpoint.index = (uint32_t)rc_random_below(w->random, 3);
	assert_true(rc_lock_decode(lock, 33, &view));
	rc_coin_init(&ret->coin, rc_random_below(w->random, 1000000), height,
		     rc_random_below(w->random, 8) == 0, &view);
}

/* Takes some of the parent's coins away; what stays goes to b. */
static uint32_t spend_some(struct world *w, const struct world_block *parent, struct world_block *b,
			   size_t spend, struct rc_delta_coin *spent)
{
	uint32_t n = 0;

	for (size_t i = 0; i < parent->n_coins; i++) {
		if (rc_random_below(w->random, parent->n_coins) < spend)
			spent[n++] = parent->coins[i];
		else
			b->coins[b->n_coins++] = parent->coins[i];
	}
	return n;
}

static void encode(struct world *w, struct world_block *b, const struct world_block *parent,
		   struct rc_delta *delta)
{
	struct rc_delta_entry entry = {.ns = RC_STATE_GOVERNANCE};
	uint8_t before[8], after[8];

	(void)w;
	rc_gov_key_treasury(entry.key);
	rc_put_le64(before, parent->treasury);
	rc_put_le64(after, b->treasury);
	entry.has_before = parent->treasury != 0;
	entry.has_after = b->treasury != 0;
	entry.before = (struct rc_bytes){before, entry.has_before ? 8 : 0};
	entry.after = (struct rc_bytes){after, entry.has_after ? 8 : 0};
	delta->parent = parent->id;
	delta->id = b->id;
	delta->height = b->height;
	delta->entries = &entry;
	delta->n_entries = parent->treasury != b->treasury;
	rc_delta_encode(delta, &b->delta);
}

uint32_t world_grow(struct world *w, uint32_t parent_index, size_t spend, size_t make)
{
	struct world_block b = {0};
	const struct world_block *parent;
	struct rc_delta delta = {0};
	uint64_t serial = w->serial++;

	if (w->n == w->cap) {
		w->cap *= 2;
		w->block = rc_realloc_array(w->block, w->cap, sizeof(*w->block));
	}
	parent = &w->block[parent_index];
	b.height = parent->height + 1;
	b.parent = parent_index;
	rc_sha256(&serial, sizeof(serial), b.id.b);
	b.coins = rc_alloc_array(parent->n_coins + make + 1, sizeof(*b.coins));
	delta.spent = rc_alloc_array(parent->n_coins + 1, sizeof(*delta.spent));
	delta.created = rc_alloc_array(make + 1, sizeof(*delta.created));
	delta.n_spent = spend_some(w, parent, &b, spend, delta.spent);
	for (size_t i = 0; i < make; i++)
		make_coin(w, b.height, &delta.created[delta.n_created++]);
	qsort(delta.created, delta.n_created, sizeof(*delta.created), compare_coins);
	memcpy(b.coins + b.n_coins, delta.created, delta.n_created * sizeof(*b.coins));
	b.n_coins += delta.n_created;
	qsort(b.coins, b.n_coins, sizeof(*b.coins), compare_coins);
	b.treasury = rc_random_below(w->random, 4) ? parent->treasury + 5
						   : rc_random_below(w->random, 2) * 7;
	encode(w, &b, parent, &delta);
	free(delta.spent);
	free(delta.created);
	set_root(&b);
	w->block[w->n] = b;
	return (uint32_t)w->n++;
}

uint32_t world_find(const struct world *w, const struct rc_block_id *id)
{
	for (size_t i = w->n; i-- > 0;)
		if (rc_block_id_eq(&w->block[i].id, id))
			return (uint32_t)i;
	fail_msg("no such block");
	return 0;
}

uint32_t world_ancestor_at(const struct world *w, uint32_t of, uint32_t height)
{
	while (w->block[of].height > height)
		of = w->block[of].parent;
	return of;
}

bool world_is_ancestor(const struct world *w, uint32_t ancestor, uint32_t of)
{
	return world_ancestor_at(w, of, w->block[ancestor].height) == ancestor;
}

struct ledger_options world_ledger_options(const struct world *w)
{
	return (struct ledger_options){.genesis = w->block[0].id,
				       .page_bytes = 1 << 19,
				       .coin_bytes = 1 << 18,
				       .undo_blocks = 288,
				       .clock = &rc_clock_system,
				       .random = w->random};
}

struct ledger *world_open_ledger(const struct disk_pair *disks,
				 const struct ledger_options *options)
{
	struct rc_error error = {0};
	struct ledger *ledger;

	if (ledger_open(disks, options, &ledger, &error))
		fail_msg("%s", error.text);
	return ledger;
}

const struct rc_coin *world_coin(const struct world_block *b, const struct rc_outpoint *o)
{
	struct rc_delta_coin key = {.outpoint = *o};
	const struct rc_delta_coin *found =
		b->n_coins ? bsearch(&key, b->coins, b->n_coins, sizeof(*b->coins), compare_coins)
			   : NULL;

	return found ? &found->coin : NULL;
}
