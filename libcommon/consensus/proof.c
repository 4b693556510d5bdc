/* Checking, steps 1 to 4 of 30-state, "One proof type". Nothing is allocated. */
#include "consensus/proof.h"

#include <string.h>

/* What is read before the end, and where the steps stand. */
struct head {
	struct rc_proof_question about;
	const uint8_t *others; /* roots of the other seven namespaces */
	const uint8_t *steps;
	size_t n_steps;
	size_t step_size;
	int last_depth; /* of the last step; −1 without steps */
};

/* Spare bits of a path or prefix are zero. */
static bool spare_zero(const uint8_t *path, unsigned bits)
{
	return bits % 8 == 0 || (path[bits / 8] & (0xff >> bits % 8)) == 0;
}

/* Whether a and b agree in their first bits. */
static bool agree(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	size_t whole = bits / 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return bits % 8 == 0 || ((a[whole] ^ b[whole]) >> (8 - bits % 8)) == 0;
}

static bool is_zero(const uint8_t hash[32])
{
	static const uint8_t zero[32];

	return memcmp(hash, zero, 32) == 0;
}

/* A hash that stands for a side: never empty; in namespace 1 its sum follows. */
static bool read_side(struct rc_reader *r, unsigned ns, struct rc_state_node *ret_side)
{
	rc_read_into(r, ret_side->hash.b, 32);
	ret_side->sum = ns == RC_STATE_COINS ? rc_read_le64(r) : 0;
	return !r->failed && !is_zero(ret_side->hash.b) && rc_amount_valid(ret_side->sum);
}

static bool read_about(struct rc_reader *r, struct rc_proof_question *about)
{
	size_t prefix_len;

	memset(about, 0, sizeof(*about));
	if (rc_read_u8(r) != RC_PROOF_VERSION)
		return false;
	about->ns = rc_read_u8(r);
	about->bits = rc_read_le16(r);
	if (rc_state_key_len(about->ns) == 0 || about->bits > 8 * rc_state_key_len(about->ns))
		return false;
	prefix_len = (about->bits + 7u) / 8;
	rc_read_into(r, about->prefix, prefix_len);
	return !r->failed && spare_zero(about->prefix, about->bits);
}

static bool read_steps(struct rc_reader *r, struct head *h)
{
	h->step_size = 2 + 32 + (h->about.ns == RC_STATE_COINS ? 8 : 0);
	h->n_steps = rc_read_count(r, h->step_size);
	h->steps = r->p;
	h->last_depth = -1;
	for (size_t i = 0; i < h->n_steps; i++) {
		int depth = rc_read_le16(r);
		struct rc_state_node sibling;

		if (!read_side(r, h->about.ns, &sibling) || depth <= h->last_depth ||
		    depth >= h->about.bits)
			return false;
		h->last_depth = depth;
	}
	return true;
}

static bool same_question(const struct rc_proof_question *a, const struct rc_proof_question *b)
{
	return a->ns == b->ns && a->bits == b->bits && agree(a->prefix, b->prefix, a->bits);
}

static const uint8_t *read_leaf(struct rc_reader *r, unsigned ns, struct rc_bytes *ret_value)
{
	const uint8_t *key = rc_read_bytes(r, rc_state_key_len(ns));
	size_t len = rc_read_count(r, 1);

	*ret_value = (struct rc_bytes){rc_read_bytes(r, len), len};
	/* The sum of a coin's leaf is its first 8 bytes. */
	if (r->failed || (ns == RC_STATE_COINS && len < 8))
		return NULL;
	return key;
}

/* End 00: the namespace is empty. */
static bool end_empty(const struct head *h, struct rc_proof *proof, struct rc_state_node *ret_node)
{
	memset(ret_node, 0, sizeof(*ret_node));
	proof->answer = RC_PROOF_ABSENT;
	return h->n_steps == 0;
}

/* End 01: all leaves under the prefix. */
static bool end_leaves(const struct head *h, struct rc_reader *r, struct rc_proof *proof,
		       struct rc_state_node *ret_node)
{
	const struct rc_proof_question *about = &h->about;
	struct rc_trie_fold fold;

	proof->answer = RC_PROOF_LEAVES;
	proof->n_leaves = rc_read_count(r, rc_state_key_len(about->ns) + 1);
	if (r->failed || proof->n_leaves == 0)
		return false;
	proof->leaves = *r;
	rc_trie_fold_init(&fold, about->ns);
	for (size_t i = 0; i < proof->n_leaves; i++) {
		struct rc_bytes value;
		const uint8_t *key = read_leaf(r, about->ns, &value);

		if (!key || !agree(key, about->prefix, about->bits) ||
		    !rc_trie_fold_add(&fold, key, value.data, value.len))
			return false;
	}
	proof->leaves.end = r->p;
	if (!rc_trie_fold_end(&fold, ret_node))
		return false;
	proof->total = ret_node->sum;
	return true;
}

/* End 02: one branch, opened. */
static bool end_branch(const struct head *h, struct rc_reader *r, struct rc_proof *proof,
		       struct rc_state_node *ret_node)
{
	const struct rc_proof_question *about = &h->about;
	unsigned depth = rc_read_le16(r), common;
	struct rc_state_node left, right;

	if (depth >= 8 * rc_state_key_len(about->ns) || (int)depth <= h->last_depth)
		return false;
	rc_read_into(r, proof->branch_path, (depth + 7) / 8);
	if (r->failed || !spare_zero(proof->branch_path, depth) ||
	    !agree(proof->branch_path, about->prefix, (unsigned)(h->last_depth + 1)))
		return false;
	if (!read_side(r, about->ns, &left) || !read_side(r, about->ns, &right))
		return false;
	rc_state_branch(about->ns, depth, proof->branch_path, &left, &right, ret_node);
	proof->branch_depth = (uint16_t)depth;
	common = depth < about->bits ? depth : about->bits;
	if (!agree(proof->branch_path, about->prefix, common)) {
		proof->answer = RC_PROOF_ABSENT;
		return true;
	}
	proof->answer = RC_PROOF_TOTAL;
	proof->total = ret_node->sum;
	return depth >= about->bits;
}

/* End 03: another leaf stands where the prefix would. */
static bool end_other(const struct head *h, struct rc_reader *r, struct rc_proof *proof,
		      struct rc_state_node *ret_node)
{
	const struct rc_proof_question *about = &h->about;
	struct rc_bytes value;
	const uint8_t *key = read_leaf(r, about->ns, &value);

	if (!key || !agree(key, about->prefix, (unsigned)(h->last_depth + 1)) ||
	    agree(key, about->prefix, about->bits))
		return false;
	rc_state_leaf(about->ns, key, value.data, value.len, ret_node);
	proof->answer = RC_PROOF_ABSENT;
	return true;
}

/* Step 3: from the last step up to the namespace's root. */
static bool climb(const struct head *h, struct rc_state_node *node)
{
	for (size_t i = h->n_steps; i-- > 0;) {
		struct rc_reader r = rc_reader_of(h->steps + i * h->step_size, h->step_size);
		unsigned depth = rc_read_le16(&r);
		bool right = rc_key_bit(h->about.prefix, depth);
		struct rc_state_node sibling;

		read_side(&r, h->about.ns, &sibling);
		if (!rc_amount_valid(node->sum))
			return false;
		rc_state_branch(h->about.ns, depth, h->about.prefix, right ? &sibling : node,
				right ? node : &sibling, node);
	}
	return rc_amount_valid(node->sum);
}

/* Step 4: our root among the seven others. */
static bool root_matches(const struct head *h, const struct rc_hash *ours,
			 const struct rc_hash *state_root)
{
	struct rc_hash roots[RC_STATE_NAMESPACES], root;
	const uint8_t *other = h->others;

	for (unsigned ns = 1; ns <= RC_STATE_NAMESPACES; ns++) {
		if (ns == h->about.ns) {
			roots[ns - 1] = *ours;
			continue;
		}
		memcpy(roots[ns - 1].b, other, 32);
		other += 32;
	}
	rc_state_root(roots, &root);
	return rc_hash_eq(&root, state_root);
}

static bool check_end(const struct head *h, struct rc_reader *r, struct rc_proof *proof,
		      struct rc_state_node *ret_node)
{
	switch (rc_read_u8(r)) {
	case RC_PROOF_END_EMPTY:
		return !r->failed && end_empty(h, proof, ret_node);
	case RC_PROOF_END_LEAVES:
		return end_leaves(h, r, proof, ret_node);
	case RC_PROOF_END_BRANCH:
		return end_branch(h, r, proof, ret_node);
	case RC_PROOF_END_OTHER:
		return end_other(h, r, proof, ret_node);
	default:
		return false;
	}
}

enum rc_verdict rc_proof_check(const void *data, size_t len,
			       const struct rc_proof_question *question,
			       const struct rc_hash *state_root, struct rc_proof *ret_proof)
{
	struct rc_reader r = rc_reader_of(data, len);
	struct rc_proof proof;
	struct rc_state_node node;
	struct head h;

	memset(&proof, 0, sizeof(proof));
	if (!read_about(&r, &h.about) || (question && !same_question(&h.about, question)))
		return RC_V_PROOF_INVALID;
	h.others = rc_read_bytes(&r, (RC_STATE_NAMESPACES - 1) * 32);
	if (!h.others || !read_steps(&r, &h) || !check_end(&h, &r, &proof, &node))
		return RC_V_PROOF_INVALID;
	if (!rc_reader_end(&r) || !climb(&h, &node) || !root_matches(&h, &node.hash, state_root))
		return RC_V_PROOF_INVALID;
	proof.about = h.about;
	*ret_proof = proof;
	return RC_VERDICT_OK;
}

bool rc_proof_next(struct rc_proof *proof, const uint8_t **ret_key, struct rc_bytes *ret_value)
{
	if (proof->answer != RC_PROOF_LEAVES || proof->leaves.p == proof->leaves.end)
		return false;
	*ret_key = read_leaf(&proof->leaves, proof->about.ns, ret_value);
	return true;
}
