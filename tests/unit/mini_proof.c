/* A node is a range of sorted leaves; its hash is made anew whenever it is needed. */
#include "tests/unit/mini_proof.h"

#include <assert.h>

struct range {
	unsigned ns;
	const struct mini_leaf *leaves;
	size_t n;
};

static struct rc_state_node node_of(const struct range *r)
{
	struct rc_trie_fold fold;
	struct rc_state_node node;
	bool good = true;

	rc_trie_fold_init(&fold, r->ns);
	for (size_t i = 0; i < r->n; i++)
		good &= rc_trie_fold_add(&fold, r->leaves[i].key, mini_leaf_value(&r->leaves[i]),
					 r->leaves[i].len);
	good &= rc_trie_fold_end(&fold, &node);
	assert(good);
	return node;
}

static bool agrees(const uint8_t *key, const uint8_t *prefix, unsigned bits)
{
	for (unsigned i = 0; i < bits; i++)
		if (rc_key_bit(key, i) != rc_key_bit(prefix, i))
			return false;
	return true;
}

/* The depth of the branch that a range of two and more is. */
static unsigned depth_of(const struct range *r)
{
	return rc_key_split(r->leaves[0].key, r->leaves[r->n - 1].key, rc_state_key_len(r->ns));
}

static void split(const struct range *r, unsigned depth, struct range sides[2])
{
	size_t at = 0;

	while (rc_key_bit(r->leaves[at].key, depth) == 0)
		at++;
	sides[0] = (struct range){r->ns, r->leaves, at};
	sides[1] = (struct range){r->ns, r->leaves + at, r->n - at};
}

static void put_node(struct rc_buf *buf, const struct range *r)
{
	struct rc_state_node node = node_of(r);

	rc_buf_put(buf, node.hash.b, 32);
	if (r->ns == RC_STATE_COINS)
		rc_buf_put_le64(buf, node.sum);
}

static void put_leaf(struct rc_buf *buf, unsigned ns, const struct mini_leaf *leaf)
{
	rc_buf_put(buf, leaf->key, rc_state_key_len(ns));
	rc_buf_put_cs(buf, leaf->len);
	rc_buf_put(buf, mini_leaf_value(leaf), leaf->len);
}

static void put_branch(struct rc_buf *buf, const struct range *r)
{
	unsigned depth = depth_of(r), bytes = (depth + 7) / 8;
	uint8_t path[RC_STATE_KEY_MAX];
	struct range sides[2];

	split(r, depth, sides);
	memcpy(path, r->leaves[0].key, bytes);
	if (depth % 8)
		path[bytes - 1] &= (uint8_t)(0xff00 >> depth % 8);
	rc_buf_put_u8(buf, RC_PROOF_END_BRANCH);
	rc_buf_put_le16(buf, (uint16_t)depth);
	rc_buf_put(buf, path, bytes);
	put_node(buf, &sides[0]);
	put_node(buf, &sides[1]);
}

static void put_end(struct rc_buf *buf, const struct mini_question *q, const struct range *r)
{
	bool has_prefix = r->n > 0 && agrees(r->leaves[0].key, q->about.prefix, q->about.bits) &&
			  agrees(r->leaves[r->n - 1].key, q->about.prefix, q->about.bits);

	if (r->n == 0) {
		rc_buf_put_u8(buf, RC_PROOF_END_EMPTY);
	} else if (!has_prefix && r->n == 1) {
		rc_buf_put_u8(buf, RC_PROOF_END_OTHER);
		put_leaf(buf, r->ns, r->leaves);
	} else if (!has_prefix ||
		   (r->n > 1 && (q->sums_only || (q->max_leaves && r->n > q->max_leaves)))) {
		put_branch(buf, r);
	} else {
		rc_buf_put_u8(buf, RC_PROOF_END_LEAVES);
		rc_buf_put_cs(buf, r->n);
		for (size_t i = 0; i < r->n; i++)
			put_leaf(buf, r->ns, &r->leaves[i]);
	}
}

void mini_proof_make(const struct mini_question *question, const struct mini_leaf *leaves, size_t n,
		     const struct rc_hash *roots, struct rc_buf *buf)
{
	const struct rc_proof_question *about = &question->about;
	struct range at = {about->ns, leaves, n}, sides[2];
	struct rc_buf steps = RC_BUF_INIT;
	size_t n_steps = 0;

	rc_buf_put_u8(buf, RC_PROOF_VERSION);
	rc_buf_put_u8(buf, about->ns);
	rc_buf_put_le16(buf, about->bits);
	rc_buf_put(buf, about->prefix, (about->bits + 7u) / 8);
	for (unsigned ns = 1; ns <= RC_STATE_NAMESPACES; ns++)
		if (ns != about->ns)
			rc_buf_put(buf, roots[ns - 1].b, 32);
	while (at.n > 1) {
		unsigned depth = depth_of(&at), right;

		if (depth >= about->bits || !agrees(at.leaves[0].key, about->prefix, depth))
			break;
		split(&at, depth, sides);
		right = rc_key_bit(about->prefix, depth);
		rc_buf_put_le16(&steps, (uint16_t)depth);
		put_node(&steps, &sides[!right]);
		n_steps++;
		at = sides[right];
	}
	rc_buf_put_cs(buf, n_steps);
	rc_buf_put(buf, steps.data, steps.len);
	rc_buf_done(&steps);
	put_end(buf, question, &at);
}
