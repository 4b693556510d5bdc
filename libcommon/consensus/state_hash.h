/* Hashes of the committed state: leaf, branch, root, and governance's keys (30-state, "The tree").
 */
#ifndef RC_CONSENSUS_STATE_HASH_H
#define RC_CONSENSUS_STATE_HASH_H

#include "types/delta.h"

/* A node as its parent sees it. sum: of namespace 1, else 0. */
struct rc_state_node {
	struct rc_hash hash;
	rc_amount sum;
};

/* ns 1, key 68, SHA256(value) 32. */
#define RC_STATE_LEAF_MESSAGE_MAX (1 + RC_STATE_KEY_MAX + 32)
/* ns 1, depth 2, path 68, two hashes and sums. */
#define RC_STATE_BRANCH_MESSAGE_MAX (1 + 2 + RC_STATE_KEY_MAX + 2 * (32 + 8))

/* Bit i of a key, most significant first. */
static inline unsigned rc_key_bit(const uint8_t *key, unsigned i)
{
	return (key[i / 8] >> (7 - i % 8)) & 1;
}

/* The number of the first bit in which two keys of len bytes differ; 8 × len if in none. */
unsigned rc_key_split(const uint8_t *a, const uint8_t *b, size_t len);

/* What is hashed, for batches of equal length: written to message, length returned. */
size_t rc_state_leaf_message(unsigned ns, const uint8_t *key, const uint8_t value_hash[32],
			     uint8_t ret_message[RC_STATE_LEAF_MESSAGE_MAX]);
/* key: any key below the branch; its first depth bits are the path. */
size_t rc_state_branch_message(unsigned ns, unsigned depth, const uint8_t *key,
			       const struct rc_state_node *left, const struct rc_state_node *right,
			       uint8_t ret_message[RC_STATE_BRANCH_MESSAGE_MAX]);

void rc_state_leaf(unsigned ns, const uint8_t *key, const void *value, size_t len,
		   struct rc_state_node *ret_node);
/* The sum of both sides must not pass what 64 bits hold; ret_node may be left or right. */
void rc_state_branch(unsigned ns, unsigned depth, const uint8_t *key,
		     const struct rc_state_node *left, const struct rc_state_node *right,
		     struct rc_state_node *ret_node);

/* state_root of the eight namespaces' roots, 1 first. */
void rc_state_root(const struct rc_hash roots[RC_STATE_NAMESPACES], struct rc_hash *ret_root);

/* H(RC/gov/key, subject). */
void rc_gov_key(const void *subject, size_t len, uint8_t ret_key[32]);
/* The key of the accrued treasury, and its value: u64 little-endian, absent when 0. */
void rc_gov_key_treasury(uint8_t ret_key[32]);

/*
 * The root of the trie of leaves that come in ascending key order, in one pass and without
 * allocation: for proofs, snapshots and checks of a whole namespace.
 */
#define RC_TRIE_DEPTH_MAX (8 * RC_STATE_KEY_MAX)

struct rc_trie_fold {
	unsigned ns;
	size_t n; /* leaves so far */
	unsigned open;
	bool over; /* a sum passed the supply limit */
	uint8_t last[RC_STATE_KEY_MAX];
	struct rc_state_node node; /* the right edge so far */
	struct {
		struct rc_state_node left;
		uint16_t depth;
	} stack[RC_TRIE_DEPTH_MAX];
};

void rc_trie_fold_init(struct rc_trie_fold *fold, unsigned ns);
/* False if the key isn't above the last one. */
bool rc_trie_fold_add(struct rc_trie_fold *fold, const uint8_t *key, const void *value, size_t len);
/* The root, 32 zero bytes without leaves. False if a sum passed the supply limit. */
bool rc_trie_fold_end(struct rc_trie_fold *fold, struct rc_state_node *ret_root);

#endif
