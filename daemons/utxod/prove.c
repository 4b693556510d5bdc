/* Walking a version's tree: proofs, and the coins of a lock. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/utxod/ledger_internal.h"

/* A proof's leaves beyond this many bytes are answered by the opened branch: it must fit a message
 * (16 MiB, bus/messages.def). */
#define PROOF_BYTES_MAX ((size_t)15 << 20)

/* Whether the first bits of two keys are the same. */
static bool agree(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return !rest || ((a[whole] ^ b[whole]) & (uint8_t)(0xff00 >> rest)) == 0;
}

/* ---- leaves in order ---- */

/* False ends the walk. */
typedef bool (*leaf_fn)(void *arg, const struct tree_node *leaf);

struct walk {
	struct tree_reader *reader;
	leaf_fn fn;
	void *arg;
	bool ended;
	struct rc_error *error;
};

/* Leaves below a node whose key is above `after` (NULL: all). */
static int walk_leaves(struct walk *w, const struct tree_node *node, const uint8_t *after)
{
	struct page_copy *mark = tree_reader_mark(w->reader);
	struct tree_node left, right;
	int err, c;

	if (w->ended)
		return RC_OK;
	if (after) {
		if (!agree(after, node->key, node->depth)) {
			/* They differ within the path, so whole bytes tell which is first. */
			c = memcmp(after, node->key, (node->depth + 7u) / 8);
			if (c > 0)
				return RC_OK; /* all of it comes before */
			after = NULL;
		} else if (node->leaf) {
			return RC_OK; /* `after` itself */
		}
	}
	if (node->leaf) {
		w->ended = !w->fn(w->arg, node);
		return RC_OK;
	}
	err = tree_sides(w->reader, node, &left, &right, w->error);
	if (err)
		return err;
	/* `after` lies on one side: on the right, all of the left comes before it. */
	if (!after || !rc_key_bit(after, node->depth)) {
		err = walk_leaves(w, &left, after);
		after = NULL;
	}
	if (!err)
		err = walk_leaves(w, &right, after);
	tree_reader_back(w->reader, mark);
	return err;
}

/* Where a walk by a prefix ends. */
struct descent {
	struct tree_node node;
	bool any;
	size_t n_steps;
	struct rc_buf steps;
};

static void put_hash_sum(struct rc_buf *buf, unsigned ns, const struct rc_state_node *node)
{
	rc_buf_put(buf, node->hash.b, 32);
	if (ns == RC_STATE_COINS)
		rc_buf_put_le64(buf, node->sum);
}

static int descend(const struct ledger_view *view, struct tree_reader *reader, unsigned ns,
		   unsigned bits, const uint8_t *prefix, struct descent *d, struct rc_error *error)
{
	int err = tree_top(reader, &view->version->roots, ns, &d->any, &d->node, error);

	if (err || !d->any)
		return err;
	while (!d->node.leaf && d->node.depth < bits && agree(d->node.key, prefix, d->node.depth)) {
		struct tree_node left, right;
		unsigned bit = rc_key_bit(prefix, d->node.depth);

		err = tree_sides(reader, &d->node, &left, &right, error);
		if (err)
			return err;
		rc_buf_put_le16(&d->steps, (uint16_t)d->node.depth);
		put_hash_sum(&d->steps, ns, bit ? &left.node : &right.node);
		d->n_steps++;
		d->node = bit ? right : left;
	}
	return RC_OK;
}

/* ---- leaves with their values ---- */

struct leaf_list {
	uint8_t *keys;
	size_t key_len;
	size_t n, cap, most;
	bool over; /* there are more than most */
};

static bool add_leaf(void *arg, const struct tree_node *leaf)
{
	struct leaf_list *l = arg;

	if (l->n == l->most) {
		l->over = true;
		return false;
	}
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 64;
		l->keys = rc_realloc_array(l->keys, l->cap, l->key_len);
	}
	memcpy(l->keys + l->n++ * l->key_len, leaf->key, l->key_len);
	return true;
}

static int missing(struct rc_error *error, unsigned ns)
{
	return rc_error_set(error, RC_EFORMAT,
			    "state: an entry of namespace %u is in the tree and has no value", ns);
}

/* Calls fn with each key and value in order. */
typedef bool (*value_fn)(void *arg, const uint8_t *key, const uint8_t *value, size_t len);

static int coin_values(const struct ledger_view *view, const struct leaf_list *l, value_fn fn,
		       void *arg, struct rc_error *error)
{
	RC_AUTOFREE struct rc_outpoint *outpoints = rc_alloc_array(l->n, sizeof(*outpoints));
	RC_AUTOFREE struct rc_coin *coins = rc_alloc_array(l->n, sizeof(*coins));
	int err;

	for (size_t i = 0; i < l->n; i++)
		rc_outpoint_key_decode(l->keys + i * l->key_len + 32, &outpoints[i]);
	err = ledger_coins(view, outpoints, l->n, coins, error);
	for (size_t i = 0; !err && i < l->n; i++) {
		uint8_t value[RC_COIN_VALUE_MAX];

		if (!coins[i].lock_len)
			err = missing(error, RC_STATE_COINS);
		else if (!fn(arg, l->keys + i * l->key_len, value,
			     rc_coin_value_encode(&coins[i], value)))
			break;
	}
	return err;
}

static int entry_values(const struct ledger_view *view, unsigned ns, const struct leaf_list *l,
			value_fn fn, void *arg, struct rc_error *error)
{
	struct rc_buf value = RC_BUF_INIT;
	int err = RC_OK;

	for (size_t i = 0; !err && i < l->n; i++) {
		rc_buf_clear(&value);
		err = ledger_entry(view, ns, l->keys + i * l->key_len, &value, error);
		if (err == RC_ENOENT)
			err = missing(error, ns);
		if (!err && !fn(arg, l->keys + i * l->key_len, value.data, value.len))
			break;
	}
	rc_buf_done(&value);
	return err;
}

static int leaf_values(const struct ledger_view *view, unsigned ns, const struct leaf_list *l,
		       value_fn fn, void *arg, struct rc_error *error)
{
	return ns == RC_STATE_COINS ? coin_values(view, l, fn, arg, error)
				    : entry_values(view, ns, l, fn, arg, error);
}

/* ---- proofs ---- */

struct leaf_writer {
	struct rc_buf *buf;
	size_t key_len;
	bool over;
};

static bool put_leaf(void *arg, const uint8_t *key, const uint8_t *value, size_t len)
{
	struct leaf_writer *w = arg;

	rc_buf_put(w->buf, key, w->key_len);
	rc_buf_put_cs(w->buf, len);
	rc_buf_put(w->buf, value, len);
	w->over = w->buf->len > PROOF_BYTES_MAX;
	return !w->over;
}

static int put_branch_end(struct tree_reader *reader, unsigned ns, const struct tree_node *node,
			  struct rc_buf *proof, struct rc_error *error)
{
	struct tree_node left, right;
	unsigned whole = (node->depth + 7u) / 8, rest = node->depth % 8;
	int err = tree_sides(reader, node, &left, &right, error);

	if (err)
		return err;
	rc_buf_put_u8(proof, RC_PROOF_END_BRANCH);
	rc_buf_put_le16(proof, (uint16_t)node->depth);
	rc_buf_put(proof, node->key, whole);
	if (rest)
		proof->data[proof->len - 1] &= (uint8_t)(0xff00 >> rest);
	put_hash_sum(proof, ns, &left.node);
	put_hash_sum(proof, ns, &right.node);
	return RC_OK;
}

/* Leaves below the node as end 01 (kind) or 03; *ret_over: too many, nothing was written. */
static int put_leaves_end(const struct ledger_view *view, struct tree_reader *reader, unsigned ns,
			  const struct tree_node *node, enum rc_proof_end kind, uint32_t max_leaves,
			  bool *ret_over, struct rc_buf *proof, struct rc_error *error)
{
	struct leaf_list list = {.key_len = rc_state_key_len(ns), .most = max_leaves};
	struct walk w = {.reader = reader, .fn = add_leaf, .arg = &list, .error = error};
	struct leaf_writer out = {proof, list.key_len, false};
	size_t start = proof->len;
	int err = walk_leaves(&w, node, NULL);

	if (!err && !list.over) {
		rc_buf_put_u8(proof, (uint8_t)kind);
		if (kind == RC_PROOF_END_LEAVES)
			rc_buf_put_cs(proof, list.n);
		err = leaf_values(view, ns, &list, put_leaf, &out, error);
	}
	*ret_over = list.over || out.over;
	if (*ret_over)
		proof->len = start;
	free(list.keys);
	return err;
}

static int put_end(const struct ledger_view *view, struct tree_reader *reader,
		   const struct rc_proof_question *q, const struct descent *d, bool sums_only,
		   uint32_t max_leaves, struct rc_buf *proof, struct rc_error *error)
{
	const struct tree_node *node = &d->node;
	bool inside = d->any && node->depth >= q->bits && agree(node->key, q->prefix, q->bits);
	bool over = false;
	int err;

	if (!d->any) {
		rc_buf_put_u8(proof, RC_PROOF_END_EMPTY);
		return RC_OK;
	}
	if (node->leaf)
		return put_leaves_end(view, reader, q->ns, node,
				      inside ? RC_PROOF_END_LEAVES : RC_PROOF_END_OTHER, 1, &over,
				      proof, error);
	if (!inside || sums_only)
		return put_branch_end(reader, q->ns, node, proof, error);
	err = put_leaves_end(view, reader, q->ns, node, RC_PROOF_END_LEAVES, max_leaves, &over,
			     proof, error);
	return err || !over ? err : put_branch_end(reader, q->ns, node, proof, error);
}

static void put_head(const struct ledger_view *view, const struct rc_proof_question *q,
		     struct rc_buf *proof)
{
	static const uint8_t empty[32];

	rc_buf_put_u8(proof, RC_PROOF_VERSION);
	rc_buf_put_u8(proof, q->ns);
	rc_buf_put_le16(proof, q->bits);
	rc_buf_put(proof, q->prefix, (q->bits + 7u) / 8);
	for (unsigned ns = 1; ns <= RC_STATE_NAMESPACES; ns++) {
		const struct tree_root *root =
			ns <= TREE_NAMESPACES ? &view->version->roots.ns[ns - 1] : NULL;

		if (ns == q->ns)
			continue;
		rc_buf_put(proof, root && root->depth != TREE_EMPTY ? root->node.hash.b : empty,
			   32);
	}
}

int ledger_prove(const struct ledger_view *view, const struct rc_proof_question *q, bool sums_only,
		 uint32_t max_leaves, struct rc_buf *proof, struct rc_error *error)
{
	struct descent d = {.steps = RC_BUF_INIT};
	size_t start = proof->len;
	struct tree_reader reader;
	int err;

	tree_reader_init(&reader, view->ledger->tree, view->version->seq);
	err = descend(view, &reader, q->ns, q->bits, q->prefix, &d, error);

	if (!err) {
		put_head(view, q, proof);
		rc_buf_put_cs(proof, d.n_steps);
		rc_buf_put(proof, d.steps.data, d.steps.len);
		err = put_end(view, &reader, q, &d, sums_only, max_leaves, proof, error);
	}
	if (!err && ledger_view_gone(view))
		err = rc_error_set(error, RC_ENOENT, "unknown: the block was dropped");
	if (err)
		proof->len = start;
	tree_reader_done(&reader);
	rc_buf_done(&d.steps);
	return err;
}

/* ---- the coins of a lock ---- */

static int fill_list(const struct ledger_view *view, const struct leaf_list *leaves,
		     struct ledger_list *ret, struct rc_error *error)
{
	RC_AUTOFREE struct rc_outpoint *outpoints = rc_alloc_array(leaves->n, sizeof(*outpoints));
	RC_AUTOFREE struct rc_coin *coins = rc_alloc_array(leaves->n, sizeof(*coins));
	int err;

	for (size_t i = 0; i < leaves->n; i++)
		rc_outpoint_key_decode(leaves->keys + i * leaves->key_len + 32, &outpoints[i]);
	err = ledger_coins(view, outpoints, leaves->n, coins, error);
	if (err)
		return err;
	ret->coins = rc_alloc_array(leaves->n, sizeof(*ret->coins));
	for (size_t i = 0; i < leaves->n; i++) {
		if (!coins[i].lock_len) {
			free(ret->coins);
			return missing(error, RC_STATE_COINS);
		}
		ret->coins[i] = (struct rc_delta_coin){outpoints[i], coins[i]};
	}
	ret->n = leaves->n;
	ret->more = leaves->over;
	return RC_OK;
}

int ledger_list(const struct ledger_view *view, const struct rc_hash *lock_hash,
		const struct rc_outpoint *after, size_t max, struct ledger_list *ret,
		struct rc_error *error)
{
	struct descent d = {.steps = RC_BUF_INIT};
	struct leaf_list leaves = {.key_len = RC_COIN_KEY_SIZE, .most = max};
	struct tree_reader reader;
	struct walk w = {.reader = &reader, .fn = add_leaf, .arg = &leaves, .error = error};
	struct ledger_list list = {0};
	uint8_t after_key[RC_COIN_KEY_SIZE];
	int err;

	tree_reader_init(&reader, view->ledger->tree, view->version->seq);
	err = descend(view, &reader, RC_STATE_COINS, 256, lock_hash->b, &d, error);
	memcpy(after_key, lock_hash->b, 32);
	if (after)
		rc_outpoint_key_encode(after, after_key + 32);
	if (!err && d.any && d.node.depth >= 256 && agree(d.node.key, lock_hash->b, 256)) {
		list.total = d.node.node.sum;
		err = walk_leaves(&w, &d.node, after ? after_key : NULL);
	}
	if (!err)
		err = fill_list(view, &leaves, &list, error);
	if (!err && ledger_view_gone(view)) {
		free(list.coins);
		err = rc_error_set(error, RC_ENOENT, "unknown: the block was dropped");
	}
	if (!err)
		*ret = list;
	free(leaves.keys);
	tree_reader_done(&reader);
	rc_buf_done(&d.steps);
	return err;
}
