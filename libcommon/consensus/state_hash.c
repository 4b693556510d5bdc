/* The tree's hashes, and the one-pass root of sorted leaves. */
#include "consensus/state_hash.h"

#include <assert.h>

unsigned rc_key_split(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t i = 0;

	while (i + 8 <= len) {
		uint64_t differ = rc_get_be64(a + i) ^ rc_get_be64(b + i);

		if (differ)
			return (unsigned)(8 * i) + (unsigned)__builtin_clzll(differ);
		i += 8;
	}
	while (i < len && a[i] == b[i])
		i++;
	if (i == len)
		return (unsigned)(8 * len);
	return (unsigned)(8 * i) + (unsigned)__builtin_clz((unsigned)(a[i] ^ b[i])) - 24;
}

size_t rc_state_leaf_message(unsigned ns, const uint8_t *key, const uint8_t value_hash[32],
			     uint8_t ret_message[RC_STATE_LEAF_MESSAGE_MAX])
{
	size_t key_len = rc_state_key_len(ns);

	ret_message[0] = (uint8_t)ns;
	memcpy(ret_message + 1, key, key_len);
	memcpy(ret_message + 1 + key_len, value_hash, 32);
	return 1 + key_len + 32;
}

/* Appends a side: its hash, in namespace 1 its sum too. */
static uint8_t *put_side(uint8_t *p, unsigned ns, const struct rc_state_node *side)
{
	memcpy(p, side->hash.b, 32);
	p += 32;
	if (ns == RC_STATE_COINS) {
		rc_put_le64(p, side->sum);
		p += 8;
	}
	return p;
}

size_t rc_state_branch_message(unsigned ns, unsigned depth, const uint8_t *key,
			       const struct rc_state_node *left, const struct rc_state_node *right,
			       uint8_t ret_message[RC_STATE_BRANCH_MESSAGE_MAX])
{
	size_t path_len = (depth + 7) / 8;
	uint8_t *p = ret_message;

	*p++ = (uint8_t)ns;
	rc_put_le16(p, (uint16_t)depth);
	p += 2;
	memcpy(p, key, path_len);
	if (depth % 8)
		p[path_len - 1] &= (uint8_t)(0xff00 >> depth % 8);
	p += path_len;
	p = put_side(p, ns, left);
	p = put_side(p, ns, right);
	return (size_t)(p - ret_message);
}

void rc_state_leaf(unsigned ns, const uint8_t *key, const void *value, size_t len,
		   struct rc_state_node *ret_node)
{
	uint8_t message[RC_STATE_LEAF_MESSAGE_MAX], value_hash[32];
	size_t message_len;

	rc_sha256(value, len, value_hash);
	message_len = rc_state_leaf_message(ns, key, value_hash, message);
	rc_tagged_hash(RC_TAG_STATE_LEAF, message, message_len, ret_node->hash.b);
	ret_node->sum = ns == RC_STATE_COINS ? rc_get_le64(value) : 0;
}

void rc_state_branch(unsigned ns, unsigned depth, const uint8_t *key,
		     const struct rc_state_node *left, const struct rc_state_node *right,
		     struct rc_state_node *ret_node)
{
	uint8_t message[RC_STATE_BRANCH_MESSAGE_MAX];
	size_t len = rc_state_branch_message(ns, depth, key, left, right, message);

	ret_node->sum = left->sum + right->sum;
	rc_tagged_hash(RC_TAG_STATE_BRANCH, message, len, ret_node->hash.b);
}

void rc_state_root(const struct rc_hash roots[RC_STATE_NAMESPACES], struct rc_hash *ret_root)
{
	rc_tagged_hash(RC_TAG_STATE_ROOT, roots, RC_STATE_NAMESPACES * sizeof(*roots), ret_root->b);
}

void rc_gov_key(const void *subject, size_t len, uint8_t ret_key[32])
{
	rc_tagged_hash(RC_TAG_GOV_KEY, subject, len, ret_key);
}

void rc_gov_key_treasury(uint8_t ret_key[32])
{
	static const char subject[] = "treasury";

	rc_gov_key(subject, sizeof(subject) - 1, ret_key);
}

void rc_trie_fold_init(struct rc_trie_fold *fold, unsigned ns)
{
	assert(rc_state_key_len(ns) > 0);
	fold->ns = ns;
	fold->n = 0;
	fold->open = 0;
	fold->over = false;
	memset(&fold->node, 0, sizeof(fold->node));
}

/* Closes the open branches deeper than depth: nothing more comes below them. */
static void close_below(struct rc_trie_fold *fold, int depth)
{
	while (fold->open > 0 && fold->stack[fold->open - 1].depth > depth) {
		fold->open--;
		rc_state_branch(fold->ns, fold->stack[fold->open].depth, fold->last,
				&fold->stack[fold->open].left, &fold->node, &fold->node);
		/* Each side is at most the limit, so the sum of two didn't wrap. */
		if (!rc_amount_valid(fold->node.sum))
			fold->over = true;
	}
}

bool rc_trie_fold_add(struct rc_trie_fold *fold, const uint8_t *key, const void *value, size_t len)
{
	size_t key_len = rc_state_key_len(fold->ns);

	if (fold->n > 0) {
		unsigned split = rc_key_split(fold->last, key, key_len);

		if (split == 8 * key_len || rc_key_bit(key, split) == 0)
			return false;
		close_below(fold, (int)split);
		fold->stack[fold->open].left = fold->node;
		fold->stack[fold->open].depth = (uint16_t)split;
		fold->open++;
	}
	rc_state_leaf(fold->ns, key, value, len, &fold->node);
	if (!rc_amount_valid(fold->node.sum))
		fold->over = true;
	memcpy(fold->last, key, key_len);
	fold->n++;
	return true;
}

bool rc_trie_fold_end(struct rc_trie_fold *fold, struct rc_state_node *ret_root)
{
	close_below(fold, -1);
	*ret_root = fold->node;
	return !fold->over;
}
