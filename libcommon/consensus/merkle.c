/*
 * The tree of RFC 6962, built level by level: pairs are hashed, a last one without a partner moves
 * up as it is. That is the same tree as the recursive definition's.
 */
#include "consensus/merkle.h"

#include <assert.h>

#include "base/num.h"
#include "base/reader.h"
#include "types/tx.h"

/* One level up, from from[0 … n) to to[0 … (n + 1) / 2); returns that count. */
static uint32_t level_up(const uint8_t *from, uint32_t n, uint8_t *to)
{
	uint32_t pairs = n / 2;

	rc_tagged_hash_many(RC_TAG_MERKLE_NODE, from, 64, 64, pairs, to);
	if (n % 2)
		memcpy(to + 32 * (size_t)pairs, from + 32 * (size_t)(n - 1), 32);
	return pairs + n % 2;
}

/* Room for two levels of n leaves. */
static void alloc_levels(uint32_t n, struct rc_arena *arena, uint8_t *ret_levels[2])
{
	ret_levels[0] = rc_arena_alloc(arena, 32 * (size_t)n);
	ret_levels[1] = rc_arena_alloc(arena, 32 * ((size_t)n / 2 + 1));
}

static void load_leaves(const struct rc_wtxid *wtxids, size_t stride, uint32_t n, uint8_t *level)
{
	const uint8_t *leaf = (const uint8_t *)wtxids;

	for (uint32_t i = 0; i < n; i++)
		memcpy(level + 32 * (size_t)i, leaf + stride * i, 32);
}

/* The top of the tree over n hashes in levels[0]. */
static const uint8_t *top_of(uint8_t *const levels[2], uint32_t n)
{
	unsigned now = 0;

	for (; n > 1; now = !now)
		n = level_up(levels[now], n, levels[!now]);
	return levels[now];
}

static void root_of_tree(uint32_t n, const uint8_t tree[32], struct rc_hash *ret_root)
{
	uint8_t message[4 + 32];

	rc_put_le32(message, n);
	memcpy(message + 4, tree, 32);
	rc_tagged_hash(RC_TAG_MERKLE_ROOT, message, sizeof(message), ret_root->b);
}

void rc_tx_root_begin(struct rc_tx_root_maker *maker, uint32_t n, struct rc_arena *arena)
{
	assert(n > 0);
	maker->n = n;
	maker->n_tops = 0;
	alloc_levels(n < RC_TX_ROOT_ROUND ? n : RC_TX_ROOT_ROUND, arena, maker->levels);
	alloc_levels(n / RC_TX_ROOT_ROUND + 1, arena, maker->tops);
}

void rc_tx_root_round(struct rc_tx_root_maker *maker, const struct rc_wtxid *wtxids, size_t stride,
		      uint32_t n)
{
	load_leaves(wtxids, stride, n, maker->levels[0]);
	memcpy(maker->tops[0] + 32 * (size_t)maker->n_tops++, top_of(maker->levels, n), 32);
}

void rc_tx_root_end(struct rc_tx_root_maker *maker, struct rc_hash *ret_root)
{
	root_of_tree(maker->n, top_of(maker->tops, maker->n_tops), ret_root);
}

void rc_tx_root(const struct rc_wtxid *wtxids, size_t stride, uint32_t n, struct rc_arena *arena,
		struct rc_hash *ret_root)
{
	struct rc_tx_root_maker maker;

	rc_tx_root_begin(&maker, n, arena);
	for (uint32_t at = 0; at < n; at += RC_TX_ROOT_ROUND)
		rc_tx_root_round(&maker,
				 (const struct rc_wtxid *)((const uint8_t *)wtxids + stride * at),
				 stride, n - at < RC_TX_ROOT_ROUND ? n - at : RC_TX_ROOT_ROUND);
	rc_tx_root_end(&maker, ret_root);
}

void rc_inclusion_make(const struct rc_wtxid *wtxids, size_t stride, uint32_t n, uint32_t index,
		       const struct rc_hash *witness_hash, struct rc_arena *arena,
		       struct rc_buf *buf)
{
	uint8_t path[RC_INCLUSION_PATH_MAX * 32], *levels[2];
	unsigned now = 0, steps = 0;
	uint32_t at = index;

	assert(index < n);
	alloc_levels(n, arena, levels);
	load_leaves(wtxids, stride, n, levels[0]);
	for (uint32_t left = n; left > 1; now = !now, at /= 2) {
		if ((at ^ 1) < left)
			memcpy(path + 32 * steps++, levels[now] + 32 * (size_t)(at ^ 1), 32);
		left = level_up(levels[now], left, levels[!now]);
	}
	rc_buf_put_le32(buf, index);
	rc_buf_put_le32(buf, n);
	rc_buf_put(buf, witness_hash->b, 32);
	rc_buf_put_cs(buf, steps);
	rc_buf_put(buf, path, 32 * steps);
}

static void node(const uint8_t left[32], const uint8_t right[32], uint8_t ret[32])
{
	uint8_t pair[64];

	memcpy(pair, left, 32);
	memcpy(pair + 32, right, 32);
	rc_tagged_hash(RC_TAG_MERKLE_NODE, pair, sizeof(pair), ret);
}

enum rc_verdict rc_inclusion_check(const void *proof, size_t len, const struct rc_txid *txid,
				   const struct rc_hash *tx_root, uint32_t *ret_index)
{
	struct rc_reader r = rc_reader_of(proof, len);
	uint32_t index = rc_read_le32(&r), n = rc_read_le32(&r);
	uint32_t fn = index, sn = n - 1;
	struct rc_hash witness_hash, root;
	struct rc_wtxid up;
	const uint8_t *path;
	size_t steps;

	rc_read_into(&r, witness_hash.b, 32);
	steps = rc_read_count(&r, 32);
	path = rc_read_bytes(&r, 32 * steps);
	if (!rc_reader_end(&r) || index >= n)
		return RC_V_PROOF_INVALID;
	rc_wtxid_of(txid, &witness_hash, &up);
	for (size_t i = 0; i < steps; i++, path += 32) {
		if (sn == 0)
			return RC_V_PROOF_INVALID;
		if (fn % 2 || fn == sn) {
			node(path, up.b, up.b);
			for (; fn && fn % 2 == 0; fn /= 2)
				sn /= 2;
		} else {
			node(up.b, path, up.b);
		}
		fn /= 2;
		sn /= 2;
	}
	root_of_tree(n, up.b, &root);
	if (sn != 0 || !rc_hash_eq(&root, tx_root))
		return RC_V_PROOF_INVALID;
	*ret_index = index;
	return RC_VERDICT_OK;
}
