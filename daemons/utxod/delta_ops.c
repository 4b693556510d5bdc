/* Coins of one lock length have values and leaves of one length, so they are hashed as groups. */
#include "daemons/utxod/delta_ops.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_STRIDE 48
_Static_assert(RC_COIN_VALUE_MAX <= VALUE_STRIDE, "a coin's value fits");
#define LEAF_BATCH 256

struct coin_row {
	const struct rc_delta_coin *coin;
	bool made;
};

/* What sorting looks at first: eight bytes of the key are enough for nearly all pairs. */
struct sort_row {
	uint64_t head;
	const uint8_t *key;
	uint32_t at;
};

static int compare_rows(const void *a, const void *b)
{
	const struct sort_row *x = a, *y = b;

	if (x->head != y->head)
		return x->head < y->head ? -1 : 1;
	return memcmp(x->key, y->key, RC_COIN_KEY_SIZE);
}

static void sort_ops(struct tree_op *op, size_t n, struct rc_arena *arena)
{
	struct sort_row *row = rc_arena_alloc(arena, n * sizeof(*row) + 1);
	struct tree_op *copy = rc_arena_alloc(arena, n * sizeof(*copy) + 1);

	if (!n)
		return;
	for (size_t i = 0; i < n; i++)
		row[i] = (struct sort_row){rc_get_be64(op[i].key), op[i].key, (uint32_t)i};
	qsort(row, n, sizeof(*row), compare_rows);
	memcpy(copy, op, n * sizeof(*op));
	for (size_t i = 0; i < n; i++)
		op[i] = copy[row[i].at];
}

/* Leaf hashes of n coins: values at VALUE_STRIDE, all of len bytes. */
static void hash_leaves(const uint8_t *keys, const uint8_t *values, size_t len, size_t n,
			uint8_t *hashes)
{
	uint8_t message[LEAF_BATCH * RC_STATE_LEAF_MESSAGE_MAX];
	uint8_t value_hash[LEAF_BATCH][32];

	for (size_t from = 0; from < n; from += LEAF_BATCH) {
		size_t some = n - from < LEAF_BATCH ? n - from : LEAF_BATCH, size = 0;

		rc_sha256_many(values + from * VALUE_STRIDE, VALUE_STRIDE, len, some,
			       value_hash[0]);
		for (size_t i = 0; i < some; i++)
			size = rc_state_leaf_message(RC_STATE_COINS,
						     keys + (from + i) * RC_COIN_KEY_SIZE,
						     value_hash[i], message + i * size);
		rc_tagged_hash_many(RC_TAG_STATE_LEAF, message, size, size, some,
				    hashes + from * 32);
	}
}

/* Operations of coins whose locks have this length. */
static size_t coin_group(const struct coin_row *rows, size_t n_rows, size_t lock_len,
			 struct rc_arena *arena, struct tree_op *op)
{
	uint8_t *keys = rc_arena_alloc(arena, n_rows * RC_COIN_KEY_SIZE + 1);
	uint8_t *values = rc_arena_alloc(arena, n_rows * VALUE_STRIDE + 1);
	uint8_t *hashes = rc_arena_alloc(arena, n_rows * 32 + 1);
	size_t n = 0;

	for (size_t i = 0; i < n_rows; i++) {
		const struct rc_delta_coin *c = rows[i].coin;

		if (c->coin.lock_len != lock_len)
			continue;
		rc_coin_value_encode(&c->coin, values + n * VALUE_STRIDE);
		rc_outpoint_key_encode(&c->outpoint, keys + n * RC_COIN_KEY_SIZE + 32);
		op[n] = (struct tree_op){.key = keys + n * RC_COIN_KEY_SIZE,
					 .kind = rows[i].made ? TREE_INSERT : TREE_REMOVE};
		op[n].before.sum = op[n].after.sum = c->coin.amount;
		n++;
	}
	rc_sha256_many(values + COIN_VALUE_HEAD, VALUE_STRIDE, lock_len, n, hashes);
	for (size_t i = 0; i < n; i++)
		memcpy(keys + i * RC_COIN_KEY_SIZE, hashes + i * 32, 32);
	hash_leaves(keys, values, COIN_VALUE_HEAD + lock_len, n, hashes);
	for (size_t i = 0; i < n; i++) {
		struct rc_state_node *node =
			op[i].kind == TREE_INSERT ? &op[i].after : &op[i].before;

		memcpy(node->hash.b, hashes + i * 32, 32);
	}
	return n;
}

static void coin_ops(const struct rc_delta *delta, bool undo, struct rc_arena *arena,
		     struct tree_ops *ret)
{
	size_t n = (size_t)delta->n_spent + delta->n_created, done = 0;
	struct coin_row *rows = rc_arena_alloc(arena, n * sizeof(*rows) + 1);
	struct tree_op *op = rc_arena_alloc(arena, n * sizeof(*op) + 1);

	for (size_t i = 0; i < n; i++)
		rows[i] = i < delta->n_spent
				  ? (struct coin_row){&delta->spent[i], undo}
				  : (struct coin_row){&delta->created[i - delta->n_spent], !undo};
	done = coin_group(rows, n, RC_LOCK_KEY_SIZE, arena, op);
	if (done < n)
		done += coin_group(rows, n, RC_LOCK_BOND_SIZE, arena, op + done);
	assert(done == n); /* coins have no other locks */
	sort_ops(op, n, arena);
	*ret = (struct tree_ops){op, n};
}

static void entry_op(const struct rc_delta_entry *e, bool undo, struct tree_op *op)
{
	const struct rc_bytes *before = undo ? &e->after : &e->before;
	const struct rc_bytes *after = undo ? &e->before : &e->after;
	bool has_before = undo ? e->has_after : e->has_before;
	bool has_after = undo ? e->has_before : e->has_after;

	*op = (struct tree_op){.key = e->key,
			       .kind = !has_before  ? TREE_INSERT
				       : !has_after ? TREE_REMOVE
						    : TREE_REPLACE};
	if (has_before)
		rc_state_leaf(e->ns, e->key, before->data, before->len, &op->before);
	if (has_after)
		rc_state_leaf(e->ns, e->key, after->data, after->len, &op->after);
}

void delta_ops(const struct rc_delta *delta, bool undo, struct rc_arena *arena,
	       struct tree_ops ret_ops[TREE_NAMESPACES])
{
	struct tree_op *op = rc_arena_alloc(arena, delta->n_entries * sizeof(*op) + 1);

	memset(ret_ops, 0, TREE_NAMESPACES * sizeof(*ret_ops));
	coin_ops(delta, undo, arena, &ret_ops[0]);
	/* Sorted by namespace and key already. */
	for (uint32_t i = 0; i < delta->n_entries; i++) {
		struct tree_ops *ops = &ret_ops[delta->entries[i].ns - 1];

		if (!ops->n)
			ops->op = op + i;
		ops->n++;
		entry_op(&delta->entries[i], undo, op + i);
	}
}
