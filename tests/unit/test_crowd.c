/*
 * Bodies with more transactions than good ones have room: the same verdict as of a body decoded
 * whole, and memory within its bound. The root in rounds against its definition.
 */
#include "tests/unit/rc_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "consensus/body_check.h"
#include "consensus/merkle.h"
#include "tests/unit/mini_maker.h"

/* ---- the root ---- */

static void node(const uint8_t *left, const uint8_t *right, uint8_t ret[32])
{
	const struct rc_bytes parts[] = {{left, 32}, {right, 32}};

	rc_tagged_hash_parts(RC_TAG_MERKLE_NODE, parts, 2, ret);
}

/* tree(n > 1) = node(tree(first k), tree(the rest)), k the largest power of two with k < n. */
static void tree(const struct rc_wtxid *leaves, uint32_t n, uint8_t ret[32])
{
	uint8_t left[32], right[32];
	uint32_t k = 1;

	if (n == 1) {
		memcpy(ret, leaves[0].b, 32);
		return;
	}
	while (k * 2 < n)
		k *= 2;
	tree(leaves, k, left);
	tree(leaves + k, n - k, right);
	node(left, right, ret);
}

static void test_root(void **state)
{
	static const uint32_t counts[] = {1,	2,    3,    1000, 1023, 1024,
					  1025, 2047, 2048, 2049, 3073, 5000};
	struct rc_wtxid *leaves = rc_alloc_array(5000, sizeof(*leaves));
	struct rc_test_random t;

	(void)state;
	rc_test_random_init(&t);
	rc_random_fill(&t.random, leaves, 5000 * sizeof(*leaves));
	for (size_t i = 0; i < RC_ARRAY_LEN(counts); i++) {
		struct rc_arena arena = RC_ARENA_INIT;
		uint8_t message[4 + 32], want[32];
		struct rc_hash root;

		rc_put_le32(message, counts[i]);
		tree(leaves, counts[i], message + 4);
		rc_tagged_hash(RC_TAG_MERKLE_ROOT, message, sizeof(message), want);
		rc_tx_root(leaves, sizeof(*leaves), counts[i], &arena, &root);
		assert_memory_equal(root.b, want, 32);
		rc_arena_done(&arena);
	}
	free(leaves);
}

/* ---- bodies ---- */

static const uint8_t some_lock[RC_LOCK_KEY_SIZE] = {RC_LOCK_KEY, 1, 2, 3};
/* version 1, type 0, nothing else: 11 bytes */
static const uint8_t least_tx[RC_TX_LEAST_SIZE] = {1};

/* The shortest good one: an input without a witness, an output of no data. */
static void put_short(struct rc_buf *buf, uint32_t number)
{
	static const uint8_t no_data[] = {RC_LOCK_DATA, 0};
	struct rc_tx_in in = {.prevout.index = number, .sequence = RC_SEQUENCE_FINAL};
	struct rc_tx_out out = {0, {no_data, sizeof(no_data), RC_LOCK_DATA}};
	struct rc_tx tx = {
		.version = 1, .n_inputs = 1, .n_outputs = 1, .inputs = &in, .outputs = &out};

	rc_tx_encode(&tx, buf);
}

static void put_coinbase(struct rc_buf *buf)
{
	struct rc_coinbase coinbase = {.height = 5};
	struct rc_tx_out out = {1, {some_lock, sizeof(some_lock), RC_LOCK_KEY}};
	struct rc_buf payload = RC_BUF_INIT;
	struct rc_tx tx = {.version = 1, .type = RC_TX_COINBASE, .n_outputs = 1, .outputs = &out};

	rc_coinbase_encode(&coinbase, &payload);
	tx.payload = (struct rc_bytes){payload.data, payload.len};
	rc_tx_encode(&tx, buf);
	rc_buf_done(&payload);
}

/* Header, count and these transactions; the root is right where they can be decoded. */
static void put_block(struct rc_buf *raw, const struct rc_buf *txs, uint32_t n)
{
	struct rc_header header = {.version = 1, .height = 5};
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_block block;

	rc_buf_clear(raw);
	rc_block_put_head(raw, &header, n);
	rc_buf_put(raw, txs->data, txs->len);
	if (rc_block_decode(raw->data, raw->len, &arena, &block)) {
		rc_tx_root(&block.txs[0].wtxid, sizeof(block.txs[0]), n, &arena, &header.tx_root);
		rc_header_encode(&header, raw->data);
	}
	rc_arena_done(&arena);
}

static enum rc_verdict check_whole(const struct rc_buf *raw)
{
	struct rc_arena arena = RC_ARENA_INIT;
	enum rc_verdict verdict = RC_V_BLOCK_PARSE;
	struct rc_block block;

	if (rc_block_decode(raw->data, raw->len, &arena, &block))
		verdict = rc_block_check_body(&block, &arena);
	rc_arena_done(&arena);
	return verdict;
}

static enum rc_verdict check(const struct rc_buf *raw)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_block block;
	enum rc_verdict verdict = rc_block_check(raw->data, raw->len, &arena, &block);

	rc_arena_done(&arena);
	return verdict;
}

/* Any crowd: good ones and a bad one, twice the same, coinbases where they mustn't be; damaged. */
static void random_crowd(const struct rc_random *random, struct rc_buf *raw)
{
	uint32_t n = 1 + (uint32_t)rc_random_below(random, 3000);
	uint32_t good = (uint32_t)rc_random_below(random, n), twice = UINT32_MAX;
	struct rc_buf txs = RC_BUF_INIT;

	if (rc_random_below(random, 2))
		twice = (uint32_t)rc_random_below(random, n);
	for (uint32_t i = 0; i < n; i++) {
		if (i == 0 ? rc_random_below(random, 20) : !rc_random_below(random, 20000))
			put_coinbase(&txs);
		else if (i <= good / 4)
			put_short(&txs, i == twice ? 1 : i);
		else
			rc_buf_put(&txs, least_tx, sizeof(least_tx));
	}
	put_block(raw, &txs, n);
	if (!rc_random_below(random, 8)) /* a count, an amount, a root … that isn't */
		raw->data[rc_random_below(random, raw->len)] ^= 1 << rc_random_below(random, 8);
	if (!rc_random_below(random, 8))
		raw->len -= rc_random_below(random, 3);
	rc_buf_done(&txs);
}

static void test_verdicts(void **state)
{
	size_t seen[RC_VERDICT_COUNT] = {0};
	struct rc_buf raw = RC_BUF_INIT;
	struct rc_test_random t;

	(void)state;
	rc_test_random_init(&t);
	for (int i = 0; i < 400; i++) {
		enum rc_verdict verdict;

		random_crowd(&t.random, &raw);
		verdict = check(&raw);
		assert_int_equal(verdict, check_whole(&raw));
		seen[verdict]++;
	}
	assert_true(seen[RC_V_BLOCK_PARSE] && seen[RC_V_BLOCK_ROOT_MISMATCH]);
	assert_true(seen[RC_V_BLOCK_COINBASE] && seen[RC_V_TX_INPUT_COUNT] && seen[RC_V_TX_TWICE]);
	rc_buf_done(&raw);
}

/* ---- memory ---- */

#define BODY (4u << 20) /* long enough for small things not to matter */

/* What is taken of the arena for a body of these, each time its own length of bytes. */
static void expect_bounded(const struct rc_buf *txs, uint32_t n, enum rc_verdict want)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf raw = RC_BUF_INIT;
	struct rc_block block;

	put_block(&raw, txs, n);
	assert_int_equal(rc_block_check(raw.data, raw.len, &arena, &block), want);
	print_message("%s: %zu bytes for each of the body\n", rc_verdict_name(want),
		      (arena.total + raw.len / 2) / raw.len);
	assert_true(arena.total < (size_t)RC_BLOCK_CHECK_MEMORY * raw.len);
	rc_arena_done(&arena);
	rc_buf_done(&raw);
}

static void test_memory(void **state)
{
	struct rc_buf txs = RC_BUF_INIT;
	uint32_t n;

	(void)state;
	/* The shortest that can be parsed. */
	put_coinbase(&txs);
	for (n = 1; txs.len < BODY; n++)
		rc_buf_put(&txs, least_tx, sizeof(least_tx));
	expect_bounded(&txs, n, RC_V_TX_INPUT_COUNT);
	/* The shortest good ones: this body is good. */
	rc_buf_clear(&txs);
	put_coinbase(&txs);
	for (n = 1; txs.len < BODY; n++)
		put_short(&txs, n);
	expect_bounded(&txs, n, RC_VERDICT_OK);
	/* Good ones, then as many others as just aren't a crowd, and one with all the outputs. */
	rc_buf_clear(&txs);
	put_coinbase(&txs);
	for (n = 1; n < BODY / 70; n++)
		rc_buf_put(&txs, least_tx, sizeof(least_tx));
	rc_buf_put(&txs, "\x01\0\0\0\0\xfe\0\0\x05", 10);
	for (uint32_t i = 0; i < 5u << 16; i++)
		rc_buf_put(&txs, "\0\0\0\0\0\0\0\0\x02", 10); /* nothing for DATA of no bytes */
	rc_buf_put(&txs, "\0\0\0\0", 5);
	expect_bounded(&txs, n + 1, RC_V_TX_INPUT_COUNT);
	rc_buf_done(&txs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
