/* Coins of one lock length have values and leaves of one length, so they are hashed side by side.
 */
#include "daemons/utxod/delta_ops.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_STRIDE 48
_Static_assert(RC_COIN_VALUE_MAX <= VALUE_STRIDE, "a coin's value fits");
#define LEAF_BATCH \
	256 /* coins at a time: all that is made of them stays in the first-level cache */

struct coin_row {
	const struct rc_delta_coin *coin;
	bool made;
};

/* ---- keys and leaves ---- */

/* Of n coins whose locks have this length. */
static void hash_batch(const struct coin_row *rows, size_t n, size_t lock_len, uint8_t *keys,
		       uint8_t *leaves)
{
	uint8_t message[LEAF_BATCH * RC_STATE_LEAF_MESSAGE_MAX];
	uint8_t value[LEAF_BATCH * VALUE_STRIDE], hash[LEAF_BATCH][32];
	size_t size = 0;

	for (size_t i = 0; i < n; i++)
		rc_coin_value_encode(&rows[i].coin->coin, value + i * VALUE_STRIDE);
	rc_sha256_many(value + COIN_VALUE_HEAD, VALUE_STRIDE, lock_len, n, hash[0]);
	for (size_t i = 0; i < n; i++) {
		memcpy(keys + i * RC_COIN_KEY_SIZE, hash[i], 32);
		rc_outpoint_key_encode(&rows[i].coin->outpoint, keys + i * RC_COIN_KEY_SIZE + 32);
	}
	rc_sha256_many(value, VALUE_STRIDE, COIN_VALUE_HEAD + lock_len, n, hash[0]);
	for (size_t i = 0; i < n; i++)
		size = rc_state_leaf_message(RC_STATE_COINS, keys + i * RC_COIN_KEY_SIZE, hash[i],
					     message + i * size);
	rc_tagged_hash_many(RC_TAG_STATE_LEAF, message, size, size, n, leaves);
}

static void hash_rows(const struct coin_row *rows, size_t n, size_t lock_len, uint8_t *keys,
		      uint8_t *leaves)
{
	for (size_t at = 0; at < n; at += LEAF_BATCH)
		hash_batch(rows + at, n - at < LEAF_BATCH ? n - at : LEAF_BATCH, lock_len,
			   keys + at * RC_COIN_KEY_SIZE, leaves + at * 32);
}

/* ---- order ---- */

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

_Static_assert(sizeof(struct coin_row) + sizeof(struct sort_row) + sizeof(struct tree_op) +
			       RC_COIN_KEY_SIZE + 32 <=
		       DELTA_OPS_EACH,
	       "what coin_ops takes of the arena for each");

#define SORT_BITS_MAX 12

/*~ Keys begin with a hash, so their first bits deal them into heaps of one or two. Who makes many
 * alike, by coins of one lock, gets them sorted as anything else would be. */
static void sort_keys(const uint8_t *keys, size_t n, struct sort_row *ret)
{
	uint32_t end[(1 << SORT_BITS_MAX) + 1] = {0};
	unsigned bits = 1, heaps;

	while (bits < SORT_BITS_MAX && (size_t)1 << bits < n)
		bits++;
	heaps = 1u << bits;
	for (size_t i = 0; i < n; i++)
		end[rc_get_be32(keys + i * RC_COIN_KEY_SIZE) >> (32 - bits)]++;
	for (unsigned h = 1; h <= heaps; h++)
		end[h] += end[h - 1];
	for (size_t i = n; i-- > 0;) {
		const uint8_t *key = keys + i * RC_COIN_KEY_SIZE;
		uint64_t head = rc_get_be64(key);

		ret[--end[head >> (64 - bits)]] = (struct sort_row){head, key, (uint32_t)i};
	}
	for (unsigned h = 0; h < heaps; h++) /* each ends where the next begins, the last at n */
		if (end[h + 1] - end[h] > 1)
			qsort(ret + end[h], end[h + 1] - end[h], sizeof(*ret), compare_rows);
}

static void coin_ops(const struct rc_delta *delta, bool undo, struct rc_arena *arena,
		     struct tree_ops *ret)
{
	size_t n = (size_t)delta->n_spent + delta->n_created, n_keys = 0, n_bonds = 0;
	struct coin_row *rows = rc_arena_alloc(arena, n * sizeof(*rows) + 1);
	struct sort_row *sorted = rc_arena_alloc(arena, n * sizeof(*sorted) + 1);
	struct tree_op *op = rc_arena_alloc(arena, n * sizeof(*op) + 1);
	uint8_t *keys = rc_arena_alloc(arena, n * RC_COIN_KEY_SIZE + 1);
	uint8_t *leaves = rc_arena_alloc(arena, n * 32 + 1);

	for (size_t i = 0; i < n; i++) {
		const struct coin_row row =
			i < delta->n_spent
				? (struct coin_row){&delta->spent[i], undo}
				: (struct coin_row){&delta->created[i - delta->n_spent], !undo};

		if (row.coin->coin.lock_len == RC_LOCK_KEY_SIZE)
			rows[n_keys++] = row;
		else
			rows[n - ++n_bonds] = row;
	}
	hash_rows(rows, n_keys, RC_LOCK_KEY_SIZE, keys, leaves);
	/* Coins have no other locks. */
	for (size_t i = n_keys; i < n; i++)
		assert(rows[i].coin->coin.lock_len == RC_LOCK_BOND_SIZE);
	hash_rows(rows + n_keys, n_bonds, RC_LOCK_BOND_SIZE, keys + n_keys * RC_COIN_KEY_SIZE,
		  leaves + n_keys * 32);
	sort_keys(keys, n, sorted);
	for (size_t i = 0; i < n; i++) {
		size_t at = sorted[i].at;
		struct rc_state_node *node;

		op[i] = (struct tree_op){.key = sorted[i].key,
					 .kind = rows[at].made ? TREE_INSERT : TREE_REMOVE};
		op[i].before.sum = op[i].after.sum = rows[at].coin->coin.amount;
		node = rows[at].made ? &op[i].after : &op[i].before;
		memcpy(node->hash.b, leaves + at * 32, 32);
	}
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
