/* types/compact against the reference's vectors, and blocks rebuilt of what is at hand. */
#include <stdlib.h>
#include <string.h>

#include "daemons/chaind/rebuild.h"
#include "rc_test.h"

/* ---- the form ---- */

static void test_good(void **state)
{
	json_t *file = rc_test_vectors("rustycoin-extra/compact.json");
	const json_t *rows = json_object_get(file, "good"), *row;
	size_t limit = (size_t)rc_test_u64(json_object_get(file, "limit")), i;

	(void)state;
	assert_int_equal(json_array_size(rows), 8);
	json_array_foreach(rows, i, row)
	{
		RC_AUTOFREE uint8_t *raw = NULL, *made = NULL, *ids = NULL;
		size_t raw_len = rc_test_hex(rc_test_str(row, "block"), &raw);
		size_t len = rc_test_hex(rc_test_str(row, "compact"), &made);
		size_t n_ids = rc_test_hex(rc_test_str(row, "short_ids"), &ids) / 6;
		const json_t *places = json_object_get(row, "prefilled");
		struct rc_arena arena = RC_ARENA_INIT;
		struct rc_buf out = RC_BUF_INIT;
		struct rc_compact c;
		struct rc_block block;
		uint32_t n = 0;

		assert_true(rc_block_decode(raw, raw_len, &arena, &block));
		assert_true(rc_compact_decode(made, len, limit, &arena, &c));
		assert_memory_equal(&c.id, &block.id, 32);
		assert_true(c.nonce == rc_test_u64(json_object_get(row, "nonce")));
		assert_int_equal(c.n_txs, block.n_txs);
		assert_int_equal(c.n_short, n_ids);
		assert_memory_equal(c.short_ids, ids, 6 * n_ids);
		assert_int_equal(c.n_prefilled, json_array_size(places));
		for (uint32_t p = 0, t = 0; t < block.n_txs; t++) {
			const struct rc_tx *tx = &block.txs[t];

			if (p < c.n_prefilled && c.prefilled[p].index == t) {
				assert_int_equal(json_integer_value(json_array_get(places, p)), t);
				assert_int_equal(c.prefilled[p].raw.len, tx->raw.len);
				assert_memory_equal(c.prefilled[p].raw.data, tx->raw.data,
						    tx->raw.len);
				p++;
			} else {
				assert_true(rc_compact_short_id_at(&c, n++) ==
					    rc_compact_short_id(c.k0, c.k1, &tx->wtxid));
			}
		}
		/* The node itself tells the first one in full, and no other. */
		rc_compact_encode(&block, c.nonce, &out);
		assert_int_equal(out.len == len && memcmp(out.data, made, len) == 0,
				 c.n_prefilled == 1);
		assert_true(out.len <= raw_len + RC_COMPACT_EXTRA);
		/* Cut anywhere it is none, nor for a network of shorter blocks. */
		for (size_t cut = 0; cut < len; cut += 1 + cut / 50)
			assert_false(rc_compact_decode(made, cut, limit, &arena, &c));
		assert_false(rc_compact_decode(made, len, RC_HEADER_SIZE + 20, &arena, &c));
		rc_buf_done(&out);
		rc_arena_done(&arena);
	}
	json_decref(file);
}

static void test_bad(void **state)
{
	json_t *file = rc_test_vectors("rustycoin-extra/compact.json");
	const json_t *rows = json_object_get(file, "bad"), *row;
	size_t limit = (size_t)rc_test_u64(json_object_get(file, "limit")), i;

	(void)state;
	assert_int_equal(json_array_size(rows), 18);
	json_array_foreach(rows, i, row)
	{
		RC_AUTOFREE uint8_t *raw = NULL;
		size_t len = rc_test_hex(rc_test_str(row, "compact"), &raw);
		struct rc_arena arena = RC_ARENA_INIT;
		struct rc_compact c;

		if (rc_compact_decode(raw, len, limit, &arena, &c))
			fail_msg("%s", rc_test_str(row, "why"));
		rc_arena_done(&arena);
	}
	json_decref(file);
}

static void test_places(void **state)
{
	json_t *file = rc_test_vectors("rustycoin-extra/compact.json");
	const json_t *rows = json_object_get(file, "places"), *row;
	size_t i;

	(void)state;
	assert_int_equal(json_array_size(rows), 14);
	json_array_foreach(rows, i, row)
	{
		const json_t *list = json_array_get(row, 2);
		uint32_t limit = (uint32_t)json_integer_value(json_array_get(row, 0)), *places;
		RC_AUTOFREE uint8_t *raw = NULL;
		size_t len = rc_test_hex(json_string_value(json_array_get(row, 1)), &raw), n;
		struct rc_arena arena = RC_ARENA_INIT;
		struct rc_buf out = RC_BUF_INIT;

		if (json_is_null(list)) {
			assert_false(rc_indexes_decode(raw, len, limit, &arena, &places, &n));
		} else {
			assert_true(rc_indexes_decode(raw, len, limit, &arena, &places, &n));
			assert_int_equal(n, json_array_size(list));
			for (size_t j = 0; j < n; j++)
				assert_int_equal(places[j],
						 json_integer_value(json_array_get(list, j)));
			rc_indexes_encode(places, n, &out);
			assert_int_equal(out.len, len);
			assert_memory_equal(out.data, raw, len);
		}
		rc_buf_done(&out);
		rc_arena_done(&arena);
	}
	json_decref(file);
}

/* ---- rebuilding ---- */

#define N 40

/* A block, its compact form, and a pool that is a list: nothing else of it is looked at. */
struct world {
	struct rc_arena arena;
	struct rc_block block;
	struct rc_buf raw, compact_raw;
	struct rc_compact compact;
	struct mempool pool;
	struct pool_tx in_pool[N + 1];
	struct orphans orphans;
	struct leftovers leftovers;
	size_t limit; /* bytes of a block; 0: of the networks */
	struct rc_buf out, missing;
	uint32_t n_missing;
};

static void put_tx(struct rc_buf *buf, uint32_t number, uint16_t type)
{
	static const uint8_t lock[2] = {RC_LOCK_DATA, 0};
	struct rc_tx_in in = {.prevout.index = number, .sequence = UINT32_MAX};
	struct rc_tx_out outs = {.amount = 1000, .lock = {lock, 2, RC_LOCK_DATA}};
	struct rc_tx tx = {.version = 1,
			   .type = type,
			   .n_inputs = type == RC_TX_PAYMENT,
			   .n_outputs = 1,
			   .inputs = &in,
			   .outputs = &outs};

	rc_tx_encode(&tx, buf);
}

static void world_init(struct world *w)
{
	struct rc_header header = {.version = 1, .height = 7, .bits = 0x207fffff};

	memset(w, 0, sizeof(*w));
	rc_block_put_head(&w->raw, &header, N);
	for (uint32_t i = 0; i < N; i++)
		put_tx(&w->raw, i, i ? RC_TX_PAYMENT : RC_TX_COINBASE);
	assert_true(rc_block_decode(w->raw.data, w->raw.len, &w->arena, &w->block));
	rc_compact_encode(&w->block, 99, &w->compact_raw);
	assert_true(rc_compact_decode(w->compact_raw.data, w->compact_raw.len, 2000000, &w->arena,
				      &w->compact));
}

static void world_done(struct world *w)
{
	rc_arena_done(&w->arena);
	rc_buf_done(&w->raw);
	rc_buf_done(&w->compact_raw);
	rc_buf_done(&w->out);
	rc_buf_done(&w->missing);
	orphans_done(&w->orphans);
	leftovers_done(&w->leftovers);
}

static void pool_has(struct world *w, const struct rc_tx *tx)
{
	struct pool_tx *p = &w->in_pool[w->pool.count++];

	p->tx = *tx;
	p->older = w->pool.newest;
	w->pool.newest = p;
}

static enum rebuild_outcome run(struct world *w, const uint32_t *places,
				const struct rc_bytes *given, size_t n_given)
{
	struct rebuild_from from = {&w->pool, &w->orphans, &w->leftovers, 0x123456789abcdef,
				    w->limit ? w->limit : 2000000};

	rc_buf_clear(&w->out);
	rc_buf_clear(&w->missing);
	return rebuild(&from, &w->compact, places, given, n_given, &w->out, &w->missing,
		       &w->n_missing);
}

static void assert_whole(struct world *w)
{
	assert_int_equal(w->n_missing, 0);
	assert_int_equal(w->out.len, w->raw.len);
	assert_memory_equal(w->out.data, w->raw.data, w->raw.len);
}

/* From every source; what is nowhere is named, and given it is whole. */
static void test_rebuild(void **state)
{
	struct world w;
	uint32_t *places;
	struct rc_bytes given[3];
	size_t n;

	(void)state;
	world_init(&w);
	for (uint32_t i = 1; i < N; i++) {
		if (i == 5)
			assert_true(orphans_add(&w.orphans, &w.block.txs[i], NULL, 0, 1, 0));
		else if (i == 6)
			leftovers_add(&w.leftovers, &w.block.txs[i]);
		else if (i != 1 && i != 20 && i != N - 1)
			pool_has(&w, &w.block.txs[i]);
	}
	assert_int_equal(run(&w, NULL, NULL, 0), REBUILD_MISSING);
	assert_int_equal(w.n_missing, 3);
	assert_true(rc_indexes_decode(w.missing.data, w.missing.len, N, &w.arena, &places, &n));
	assert_int_equal(n, 3);
	assert_int_equal(places[0], 1);
	assert_int_equal(places[1], 20);
	assert_int_equal(places[2], N - 1);
	for (size_t i = 0; i < 3; i++)
		given[i] = w.block.txs[places[i]].raw;
	assert_int_equal(run(&w, places, given, 3), REBUILD_WHOLE);
	assert_whole(&w);
	/* One fewer: still missing. */
	assert_int_equal(run(&w, places, given, 2), REBUILD_MISSING);
	assert_int_equal(w.n_missing, 1);
	/* Places of another message are no harm. */
	assert_int_equal(run(&w, (uint32_t[]){N, UINT32_MAX}, given, 2), REBUILD_MISSING);
	assert_int_equal(w.n_missing, 3);
	world_done(&w);
}

/* What has the short ids is larger than a block may be: neither put together nor asked for. */
static void test_too_large(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	for (uint32_t i = 2; i < N; i++)
		pool_has(&w, &w.block.txs[i]);
	w.limit = w.raw.len - w.block.txs[1].raw.len;
	assert_int_equal(run(&w, NULL, NULL, 0), REBUILD_MISSING);
	assert_int_equal(w.n_missing, 1);
	w.limit--;
	assert_int_equal(run(&w, NULL, NULL, 0), REBUILD_AMBIGUOUS);
	assert_int_equal(w.missing.len, 0);
	pool_has(&w, &w.block.txs[1]);
	w.limit = w.raw.len;
	assert_int_equal(run(&w, NULL, NULL, 0), REBUILD_WHOLE);
	assert_whole(&w);
	w.limit--;
	assert_int_equal(run(&w, NULL, NULL, 0), REBUILD_AMBIGUOUS);
	assert_int_equal(w.out.len, 0);
	world_done(&w);
}

/* Two at hand with one short id: neither is taken, the place is asked for. The same one twice is
 * one. */
static void test_two_of_one_short_id(void **state)
{
	struct world w;
	struct rc_tx impostor;
	struct rc_bytes given;
	uint32_t place = 9;

	(void)state;
	world_init(&w);
	for (uint32_t i = 1; i < N; i++)
		pool_has(&w, &w.block.txs[i]);
	leftovers_add(&w.leftovers, &w.block.txs[9]);
	assert_int_equal(run(&w, NULL, NULL, 0), REBUILD_WHOLE);
	assert_whole(&w);
	impostor = w.block.txs[8];
	impostor.wtxid = w.block.txs[9].wtxid;
	leftovers_add(&w.leftovers, &impostor);
	assert_int_equal(run(&w, NULL, NULL, 0), REBUILD_MISSING);
	assert_int_equal(w.n_missing, 1);
	assert_int_equal(w.missing.len, 1);
	assert_int_equal(w.missing.data[0], 9);
	given = w.block.txs[9].raw;
	assert_int_equal(run(&w, &place, &given, 1), REBUILD_WHOLE);
	assert_whole(&w);
	world_done(&w);
}

/* An impostor alone is taken: the root tells. */
static void test_impostor(void **state)
{
	struct world w;
	struct rc_tx impostor;

	(void)state;
	world_init(&w);
	for (uint32_t i = 1; i < N; i++) {
		impostor = w.block.txs[i == 9 ? 8 : i];
		impostor.wtxid = w.block.txs[i].wtxid;
		pool_has(&w, &impostor);
	}
	assert_int_equal(run(&w, NULL, NULL, 0), REBUILD_WHOLE);
	assert_int_equal(w.out.len, w.raw.len);
	assert_memory_not_equal(w.out.data, w.raw.data, w.raw.len);
	world_done(&w);
}

/* A message with one short id twice; many of them, all the same; none at all. */
static void test_short_ids_twice(void **state)
{
	struct world w;
	uint8_t *ids;

	(void)state;
	world_init(&w);
	ids = w.compact_raw.data + (w.compact.short_ids - w.compact_raw.data);
	for (uint32_t i = 1; i < N; i++)
		pool_has(&w, &w.block.txs[i]);
	memcpy(ids + 6 * 30, ids + 6 * 3, 6);
	assert_int_equal(run(&w, NULL, NULL, 0), REBUILD_AMBIGUOUS);
	memset(ids, 0, 6 * (N - 1));
	assert_int_equal(run(&w, NULL, NULL, 0), REBUILD_AMBIGUOUS);
	assert_int_equal(w.out.len, 0);
	w.compact.n_short = 0;
	w.compact.n_txs = 1;
	assert_int_equal(run(&w, NULL, NULL, 0), REBUILD_WHOLE);
	world_done(&w);
}

/* As many as a block of least transactions holds, chosen by an enemy: in time, and all missing. */
static void test_many(void **state)
{
	const uint32_t n = RC_COMPACT_TXS_MAX(2000000) - 20;
	struct rc_buf raw = RC_BUF_INIT;
	struct world w;

	(void)state;
	world_init(&w);
	for (uint32_t i = 1; i < N; i++)
		pool_has(&w, &w.block.txs[i]);
	rc_buf_put(&raw, w.compact_raw.data, RC_HEADER_SIZE + 8);
	rc_buf_put_cs(&raw, n);
	for (uint32_t i = 0; i < n; i++) { /* they differ in the upper bits alone */
		rc_buf_put_le16(&raw, 0);
		rc_buf_put_le32(&raw, i);
	}
	rc_buf_put_cs(&raw, 1);
	rc_buf_put_cs(&raw, 0);
	rc_buf_put(&raw, w.block.txs[0].raw.data, w.block.txs[0].raw.len);
	assert_true(rc_compact_decode(raw.data, raw.len, 2000000, &w.arena, &w.compact));
	assert_int_equal(run(&w, NULL, NULL, 0), REBUILD_MISSING);
	assert_int_equal(w.n_missing, n);
	rc_buf_done(&raw);
	world_done(&w);
}

/* The oldest go, the longest aren't kept. */
static void test_leftovers(void **state)
{
	struct leftovers l = {0};
	struct rc_tx tx = {.raw = {(const uint8_t *)"abc", 3}};

	(void)state;
	for (unsigned i = 0; i < LEFTOVERS_MAX + 3; i++) {
		tx.wtxid.b[0] = (uint8_t)i;
		leftovers_add(&l, &tx);
	}
	assert_int_equal(l.next, 3);
	assert_int_equal(l.txs[2].wtxid.b[0], LEFTOVERS_MAX + 2);
	assert_int_equal(l.txs[3].wtxid.b[0], 3);
	tx.raw.len = LEFTOVER_SIZE_MAX + 1;
	leftovers_add(&l, &tx);
	assert_int_equal(l.next, 3);
	leftovers_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	  cmocka_unit_test(test_bad),
		cmocka_unit_test(test_places),	  cmocka_unit_test(test_rebuild),
		cmocka_unit_test(test_too_large), cmocka_unit_test(test_two_of_one_short_id),
		cmocka_unit_test(test_impostor),  cmocka_unit_test(test_short_ids_twice),
		cmocka_unit_test(test_many),	  cmocka_unit_test(test_leftovers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
