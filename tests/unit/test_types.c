/* types: every object comes back from its encoding, and nothing else does. */
#include "tests/unit/rc_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "types/amount.h"
#include "types/block.h"
#include "types/coin.h"
#include "types/delta.h"
#include "types/hash_batch.h"
#include "types/header.h"
#include "types/policy.h"
#include "types/tx.h"

static void test_amount(void **state)
{
	static const struct {
		const char *text;
		rc_amount amount;
	} good[] = {
		{"0", 0},
		{"1", 100000000},
		{"0.00000001", 1},
		{"12.5", 1250000000},
		{"000.10000000", 10000000},
		{"84000000", RC_SUPPLY_LIMIT},
		{"84000000.00000000", RC_SUPPLY_LIMIT},
	};
	static const char *const bad[] = {"",
					  "-1",
					  "+1",
					  "1e3",
					  ".5",
					  "1.",
					  "0x1",
					  "1 ",
					  " 1",
					  "1,5",
					  "0.000000001",
					  "84000000.00000001",
					  "84000001",
					  "99999999999999999999999999"};
	char text[RC_AMOUNT_TEXT];
	rc_amount amount, sum = 0;

	(void)state;
	for (size_t i = 0; i < RC_ARRAY_LEN(good); i++) {
		assert_true(rc_amount_parse(good[i].text, &amount));
		assert_true(amount == good[i].amount);
		assert_true(rc_amount_parse(rc_amount_format(text, amount), &amount));
		assert_true(amount == good[i].amount);
	}
	assert_string_equal(rc_amount_format(text, 1250000000), "12.50000000");
	amount = 77;
	for (size_t i = 0; i < RC_ARRAY_LEN(bad); i++)
		assert_false(rc_amount_parse(bad[i], &amount));
	assert_true(amount == 77);

	assert_true(rc_amount_add(&sum, RC_SUPPLY_LIMIT - 1));
	assert_true(rc_amount_add(&sum, 1));
	assert_false(rc_amount_add(&sum, 1));
	assert_false(rc_amount_add(&sum, UINT64_MAX));
	assert_true(sum == RC_SUPPLY_LIMIT);
}

static void test_ids(void **state)
{
	struct rc_txid a = {{1}}, b = {{2}}, zero = {{0}}, back;
	struct rc_hash h = {{0xab}};
	char hex[RC_ID_HEX];

	(void)state;
	assert_true(rc_txid_eq(&a, &a));
	assert_false(rc_txid_eq(&a, &b));
	assert_true(rc_txid_cmp(&a, &b) < 0);
	assert_true(rc_txid_is_zero(&zero));
	assert_false(rc_txid_is_zero(&a));
	/* Ids are shown byte-reversed, hashes as they are. */
	assert_string_equal(rc_txid_hex(hex, &a) + 62, "01");
	assert_true(rc_txid_from_hex(hex, &back));
	assert_true(rc_txid_eq(&a, &back));
	assert_false(rc_txid_from_hex("01", &back));
	assert_memory_equal(rc_hash_hex(hex, &h), "ab00", 4);
}

static void test_outpoints(void **state)
{
	struct rc_test_random t;
	struct rc_outpoint o[200];
	uint8_t key[RC_OUTPOINT_SIZE], before[RC_OUTPOINT_SIZE] = {0};

	(void)state;
	rc_test_random_init(&t);
	for (size_t i = 0; i < RC_ARRAY_LEN(o); i++) {
		rc_random_fill(&t.random, &o[i], sizeof(o[i]));
		if (i % 3)
			o[i].txid = o[i - 1].txid; /* several outputs of one */
	}
	rc_outpoint_sort(o, RC_ARRAY_LEN(o));
	for (size_t i = 0; i < RC_ARRAY_LEN(o); i++) {
		struct rc_outpoint back;

		rc_outpoint_key_encode(&o[i], key);
		assert_true(memcmp(before, key, sizeof(key)) <= 0);
		memcpy(before, key, sizeof(key));
		rc_outpoint_key_decode(key, &back);
		assert_true(rc_outpoint_eq(&o[i], &back));
		assert_int_equal(rc_outpoint_cmp(&o[i], &back), 0);
	}
}

static void check_lock(const uint8_t *data, size_t len, enum rc_lock_kind kind)
{
	struct rc_lock lock;
	RC_AUTOFREE uint8_t *longer = rc_alloc(len + 1);

	assert_true(rc_lock_decode(data, len, &lock));
	assert_int_equal(lock.kind, kind);
	assert_int_equal(lock.len, len);
	assert_ptr_equal(lock.data, data);
	memcpy(longer, data, len);
	assert_false(rc_lock_decode(longer, len + 1, &lock));
	for (size_t cut = 0; cut < len; cut++)
		assert_false(rc_lock_decode(data, cut, &lock));
}

static void test_locks(void **state)
{
	uint8_t key[32] = {7}, lock[64], data[RC_LOCK_DATA_MAX + 1] = {9};
	struct rc_buf buf = RC_BUF_INIT;
	struct rc_lock view;

	(void)state;
	rc_lock_key_encode(key, lock);
	check_lock(lock, RC_LOCK_KEY_SIZE, RC_LOCK_KEY);
	assert_true(rc_lock_decode(lock, RC_LOCK_KEY_SIZE, &view));
	assert_memory_equal(rc_lock_key(&view), key, 32);
	assert_true(rc_lock_makes_coin(&view));
	rc_lock_bond_encode(RC_BOND_PROPOSAL, key, lock);
	check_lock(lock, RC_LOCK_BOND_SIZE, RC_LOCK_BOND);
	lock[0] = RC_LOCK_PEG;
	check_lock(lock, RC_LOCK_PEG_SIZE, RC_LOCK_PEG);
	for (size_t n = 0; n <= RC_LOCK_DATA_MAX; n++) {
		rc_buf_clear(&buf);
		rc_lock_data_put(&buf, data, n);
		check_lock(buf.data, buf.len, RC_LOCK_DATA);
		assert_true(rc_lock_decode(buf.data, buf.len, &view));
		assert_int_equal(rc_lock_data(&view).len, n);
		assert_memory_equal(rc_lock_data(&view).data, data, n);
		assert_false(rc_lock_makes_coin(&view));
	}
	/* 257 bytes of data, a length not shortest, other kinds. */
	rc_buf_clear(&buf);
	rc_buf_put_u8(&buf, RC_LOCK_DATA);
	rc_buf_put_cs(&buf, RC_LOCK_DATA_MAX + 1);
	rc_buf_put(&buf, data, RC_LOCK_DATA_MAX + 1);
	assert_false(rc_lock_decode(buf.data, buf.len, &view));
	assert_false(rc_lock_decode("\x02\xfd\x01\x00\x00", 5, &view));
	for (int kind = 0; kind < 256; kind++) {
		lock[0] = (uint8_t)kind;
		if (kind < RC_LOCK_KEY || kind > RC_LOCK_PEG)
			for (size_t n = 1; n <= sizeof(lock); n++)
				assert_false(rc_lock_decode(lock, n, &view));
	}
	rc_buf_done(&buf);
}

static void test_header(void **state)
{
	uint8_t raw[RC_HEADER_SIZE], again[RC_HEADER_SIZE], many[70 * RC_HEADER_SIZE];
	struct rc_block_id ids[70], id;
	struct rc_header header;
	struct rc_test_random t;

	(void)state;
	rc_test_random_init(&t);
	rc_random_fill(&t.random, raw, sizeof(raw));
	rc_header_decode(raw, &header);
	rc_header_encode(&header, again);
	assert_memory_equal(raw, again, sizeof(raw));
	assert_int_equal(rc_get_le32(raw + RC_HEADER_TIME_AT), header.time);
	assert_true(rc_get_le64(raw + RC_HEADER_NONCE_AT) == header.nonce);
	rc_random_fill(&t.random, many, sizeof(many));
	rc_header_id_many(many, RC_ARRAY_LEN(ids), ids);
	for (size_t i = 0; i < RC_ARRAY_LEN(ids); i++) {
		rc_header_id(many + i * RC_HEADER_SIZE, &id);
		assert_memory_equal(id.b, ids[i].b, 32);
	}
}

/* A transaction of any shape, encoded. */
static void random_tx(struct rc_test_random *t, struct rc_buf *buf)
{
	struct rc_tx_in inputs[4];
	struct rc_tx_out outputs[5];
	uint8_t locks[5][RC_LOCK_SIZE_MAX], payload[40], item[100];
	struct rc_buf witnesses[4] = {RC_BUF_INIT};
	struct rc_tx tx = {.inputs = inputs, .outputs = outputs};

	tx.version = (uint16_t)rc_random_u64(&t->random);
	tx.type = (uint16_t)rc_random_u64(&t->random);
	tx.lock_time = (uint32_t)rc_random_u64(&t->random);
	tx.n_inputs = (uint32_t)rc_random_below(&t->random, 5);
	tx.n_outputs = (uint32_t)rc_random_below(&t->random, 6);
	rc_random_fill(&t->random, payload, sizeof(payload));
	tx.payload = (struct rc_bytes){payload, rc_random_below(&t->random, sizeof(payload))};
	for (uint32_t i = 0; i < tx.n_inputs; i++) {
		struct rc_bytes items[5];
		size_t n = rc_random_below(&t->random, 6);

		rc_random_fill(&t->random, &inputs[i].prevout, sizeof(inputs[i].prevout));
		inputs[i].sequence = (uint32_t)rc_random_u64(&t->random);
		for (size_t j = 0; j < n; j++)
			items[j] =
				(struct rc_bytes){item, rc_random_below(&t->random, sizeof(item))};
		rc_random_fill(&t->random, item, sizeof(item));
		rc_witness_put(&witnesses[i], items, n);
		inputs[i].witness = n || i % 2 ? witnesses[i].data : NULL;
		inputs[i].witness_len = (uint32_t)witnesses[i].len;
	}
	for (uint32_t i = 0; i < tx.n_outputs; i++) {
		struct rc_buf data = RC_BUF_INIT;

		outputs[i].amount = rc_random_u64(&t->random);
		rc_random_fill(&t->random, locks[i], sizeof(locks[i]));
		if (i % 2) {
			rc_lock_key_encode(payload, locks[i]);
			assert_true(rc_lock_decode(locks[i], RC_LOCK_KEY_SIZE, &outputs[i].lock));
			continue;
		}
		rc_lock_data_put(&data, payload, rc_random_below(&t->random, 40));
		memcpy(locks[i], data.data, data.len);
		assert_true(rc_lock_decode(locks[i], data.len, &outputs[i].lock));
		rc_buf_done(&data);
	}
	rc_tx_encode(&tx, buf);
	for (uint32_t i = 0; i < tx.n_inputs; i++)
		rc_buf_done(&witnesses[i]);
}

/* The ids as the document says them, without anything shared. */
static void check_ids(const struct rc_tx *tx)
{
	uint8_t pair[64], id[32];

	rc_tagged_hash(RC_TAG_TXID, tx->raw.data, tx->base_size, pair);
	rc_tagged_hash(RC_TAG_WITNESS, tx->raw.data + tx->base_size, tx->raw.len - tx->base_size,
		       pair + 32);
	rc_tagged_hash(RC_TAG_MERKLE_LEAF, pair, 64, id);
	assert_memory_equal(tx->txid.b, pair, 32);
	assert_memory_equal(tx->witness_hash.b, pair + 32, 32);
	assert_memory_equal(tx->wtxid.b, id, 32);
}

static void test_tx_round_trip(void **state)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_test_random t;

	(void)state;
	rc_test_random_init(&t);
	for (int round = 0; round < 200; round++) {
		struct rc_buf raw = RC_BUF_INIT, again = RC_BUF_INIT, base = RC_BUF_INIT;
		struct rc_tx tx;

		random_tx(&t, &raw);
		assert_true(rc_tx_decode(raw.data, raw.len, &arena, &tx));
		assert_int_equal(tx.raw.len, raw.len);
		check_ids(&tx);
		rc_tx_encode(&tx, &again);
		assert_int_equal(raw.len, again.len);
		assert_memory_equal(raw.data, again.data, raw.len);
		rc_tx_encode_base(&tx, &base);
		assert_int_equal(base.len, tx.base_size);
		assert_memory_equal(base.data, raw.data, base.len);
		for (uint32_t i = 0; i < tx.n_inputs; i++) {
			struct rc_witness_iter it = rc_witness_iter_of(&tx.inputs[i]);
			struct rc_bytes item;
			uint32_t n = 0;

			while (rc_witness_next(&it, &item))
				n++;
			assert_int_equal(n, tx.inputs[i].n_items);
			assert_true(rc_reader_end(&it.r));
		}
		for (size_t cut = 0; cut < raw.len; cut++)
			assert_false(rc_tx_decode(raw.data, cut, &arena, &tx));
		rc_buf_put_u8(&raw, 0);
		assert_false(rc_tx_decode(raw.data, raw.len, &arena, &tx));
		rc_buf_done(&raw);
		rc_buf_done(&again);
		rc_buf_done(&base);
		rc_arena_reset(&arena);
	}
	rc_arena_done(&arena);
}

/* A count that can't be is refused before any memory is taken for it. */
static void test_counts(void **state)
{
	static const char *const heads[] = {
		"01000000ffffffffffffffffff",	/* inputs */
		"01000000fe00ffffff",		/* inputs */
		"0100000000ffffffffffffffffff", /* outputs */
		"0100000000fe00ffffff",		/* outputs */
	};
	struct rc_arena arena = RC_ARENA_INIT;
	uint8_t block[RC_HEADER_SIZE + 5] = {0};
	struct rc_block b;
	struct rc_delta d;

	(void)state;
	for (size_t i = 0; i < RC_ARRAY_LEN(heads); i++) {
		RC_AUTOFREE uint8_t *raw = NULL;
		size_t len = rc_test_hex(heads[i], &raw);
		struct rc_tx tx;

		assert_false(rc_tx_decode(raw, len, &arena, &tx));
	}
	memcpy(block + RC_HEADER_SIZE, "\xfe\xff\xff\xff\x00", 5);
	assert_false(rc_block_decode(block, sizeof(block), &arena, &b));
	{
		uint8_t delta[1 + 32 + 32 + 4 + 5] = {1};

		memcpy(delta + sizeof(delta) - 5, "\xfe\xff\xff\xff\x00", 5);
		assert_false(rc_delta_decode(delta, sizeof(delta), &arena, &d));
	}
	assert_int_equal(arena.total, 0);
	rc_arena_done(&arena);
}

static void test_block_round_trip(void **state)
{
	struct rc_arena arena = RC_ARENA_INIT, small = RC_ARENA_INIT;
	struct rc_test_random t;

	(void)state;
	rc_test_random_init(&t);
	for (uint32_t n = 1; n < 60; n += 7) {
		struct rc_buf raw = RC_BUF_INIT;
		struct rc_header header;
		struct rc_block block;
		struct rc_block_reader reader;
		struct rc_tx tx;
		uint32_t inputs = 0, outputs = 0;

		rc_random_fill(&t.random, &header, sizeof(header));
		rc_block_put_head(&raw, &header, n);
		for (uint32_t i = 0; i < n; i++)
			random_tx(&t, &raw);
		assert_true(rc_block_decode(raw.data, raw.len, &arena, &block));
		assert_int_equal(block.n_txs, n);
		assert_memory_equal(block.header.prev.b, header.prev.b, 32);
		assert_true(rc_block_reader_init(&reader, raw.data, raw.len));
		for (uint32_t i = 0; i < n; i++) {
			check_ids(&block.txs[i]);
			assert_false(rc_block_reader_end(&reader));
			assert_true(rc_block_reader_next(&reader, &small, &tx));
			assert_memory_equal(tx.wtxid.b, block.txs[i].wtxid.b, 32);
			inputs += tx.n_inputs;
			outputs += tx.n_outputs;
			rc_arena_reset(&small);
		}
		assert_false(rc_block_reader_next(&reader, &small, &tx));
		assert_true(rc_block_reader_end(&reader));
		assert_int_equal(inputs, block.n_inputs);
		assert_int_equal(outputs, block.n_outputs);
		for (size_t cut = 0; cut < raw.len; cut += 1 + raw.len / 500)
			assert_false(rc_block_decode(raw.data, cut, &arena, &block));
		rc_buf_put_u8(&raw, 0);
		assert_false(rc_block_decode(raw.data, raw.len, &arena, &block));
		rc_buf_done(&raw);
		rc_arena_reset(&arena);
	}
	/* A block without transactions is none; nor is one over the greatest limit. */
	{
		uint8_t empty[RC_HEADER_SIZE + 1] = {0};
		struct rc_block block;

		assert_false(rc_block_decode(empty, sizeof(empty), &arena, &block));
		assert_false(rc_block_decode(empty, RC_BLOCK_SIZE_MAX + 1, &arena, &block));
	}
	rc_arena_done(&arena);
	rc_arena_done(&small);
}

static void random_coin(struct rc_test_random *t, struct rc_coin *coin)
{
	uint8_t key[32], bytes[RC_LOCK_BOND_SIZE];
	struct rc_lock lock;
	bool bond = rc_random_below(&t->random, 4) == 0;

	rc_random_fill(&t->random, key, sizeof(key));
	if (bond)
		rc_lock_bond_encode(RC_BOND_MASTERNODE, key, bytes);
	else
		rc_lock_key_encode(key, bytes);
	assert_true(rc_lock_decode(bytes, bond ? RC_LOCK_BOND_SIZE : RC_LOCK_KEY_SIZE, &lock));
	rc_coin_init(coin, rc_random_below(&t->random, RC_SUPPLY_LIMIT + 1),
		     (uint32_t)rc_random_u64(&t->random), rc_random_below(&t->random, 2), &lock);
}

static void test_coin(void **state)
{
	uint8_t value[RC_COIN_VALUE_MAX + 1], key[RC_COIN_KEY_SIZE], hash[32];
	struct rc_outpoint o = {{{3}}, 0x01020304};
	struct rc_coin coin, back;
	struct rc_test_random t;

	(void)state;
	rc_test_random_init(&t);
	for (int round = 0; round < 100; round++) {
		size_t len;

		random_coin(&t, &coin);
		len = rc_coin_value_encode(&coin, value);
		assert_true(len >= RC_COIN_VALUE_LEAST && len <= RC_COIN_VALUE_MAX);
		assert_true(rc_coin_value_decode(value, len, &back));
		assert_memory_equal(&coin, &back, sizeof(coin));
		for (size_t cut = 0; cut < len; cut++)
			assert_false(rc_coin_value_decode(value, cut, &back));
		assert_false(rc_coin_value_decode(value, len + 1, &back));
		value[12] = 2; /* neither coinbase nor not */
		assert_false(rc_coin_value_decode(value, len, &back));
		value[12] = 0;
		value[13] = RC_LOCK_PEG; /* no coin */
		assert_false(rc_coin_value_decode(value, len, &back));
	}
	rc_coin_key_encode(&coin, &o, key);
	rc_lock_hash(coin.lock, coin.lock_len, (struct rc_hash *)hash);
	assert_memory_equal(key, hash, 32);
	assert_memory_equal(key + 32, o.txid.b, 32);
	assert_memory_equal(key + 64, "\x01\x02\x03\x04", 4);
	coin.amount = RC_SUPPLY_LIMIT + 1;
	assert_false(rc_coin_value_decode(value, rc_coin_value_encode(&coin, value), &back));
}

/* What the writers write is what the parser reads, end places included. */
static void test_policy(void **state)
{
	uint8_t keys[3 * 32], key[32] = {1};
	struct rc_buf buf = RC_BUF_INIT;
	struct rc_policy policy;

	(void)state;
	for (int i = 0; i < 3; i++)
		memset(keys + 32 * i, 9 - i, 32); /* descending: the writer sorts */
	rc_policy_put_any(&buf, 2);
	rc_policy_put_all(&buf, 2);
	rc_policy_put_multi(&buf, 2, keys, 3);
	rc_policy_put_after(&buf, 500);
	rc_policy_put_choose(&buf, 2, 3);
	rc_policy_put_key(&buf, key);
	rc_policy_put_older(&buf, 144);
	rc_policy_put_preimage(&buf, key);
	assert_int_equal(rc_policy_parse(buf.data, buf.len, &policy), RC_POLICY_OK);
	assert_int_equal(policy.n_nodes, 8);
	assert_int_equal(policy.nodes[0].end, 8);
	assert_int_equal(policy.nodes[1].end, 4);
	assert_int_equal(policy.nodes[2].end, 3);
	assert_int_equal(policy.nodes[2].k, 2);
	assert_int_equal(policy.nodes[2].bytes[0], 7);
	assert_int_equal(policy.nodes[3].value, 500);
	assert_int_equal(policy.nodes[4].end, 8);
	assert_int_equal(policy.nodes[6].value, 144);
	for (size_t cut = 0; cut < buf.len; cut++)
		assert_int_equal(rc_policy_parse(buf.data, cut, &policy), RC_POLICY_FAULT_FORM);
	rc_buf_put_u8(&buf, 1);
	assert_int_equal(rc_policy_parse(buf.data, buf.len, &policy), RC_POLICY_FAULT_FORM);
	rc_buf_done(&buf);
}

static void random_coins(struct rc_test_random *t, struct rc_delta_coin *coins, uint32_t n,
			 uint8_t mark, const uint32_t *height)
{
	for (uint32_t i = 0; i < n; i++) {
		random_coin(t, &coins[i].coin);
		if (height)
			coins[i].coin.height = *height;
		rc_random_fill(&t->random, coins[i].outpoint.txid.b, 32);
		coins[i].outpoint.txid.b[0] = (uint8_t)i; /* ascending */
		coins[i].outpoint.txid.b[1] = mark;	  /* and not in the other list */
		coins[i].outpoint.index = (uint32_t)rc_random_u64(&t->random);
	}
}

static void random_delta(struct rc_test_random *t, struct rc_arena *arena, struct rc_delta *d)
{
	static const uint8_t values[2][50] = {{1}, {2}};

	memset(d, 0, sizeof(*d));
	rc_random_fill(&t->random, d->parent.b, 32);
	rc_random_fill(&t->random, d->id.b, 32);
	d->height = (uint32_t)rc_random_u64(&t->random);
	d->n_spent = (uint32_t)rc_random_below(&t->random, 9);
	d->n_created = (uint32_t)rc_random_below(&t->random, 9);
	d->n_entries = (uint32_t)rc_random_below(&t->random, 5);
	d->spent = rc_arena_alloc(arena, 9 * sizeof(*d->spent));
	d->created = rc_arena_alloc(arena, 9 * sizeof(*d->created));
	d->entries = rc_arena_alloc(arena, 5 * sizeof(*d->entries));
	random_coins(t, d->spent, d->n_spent, 1, NULL);
	random_coins(t, d->created, d->n_created, 2, &d->height);
	for (uint32_t i = 0; i < d->n_entries; i++) {
		struct rc_delta_entry *e = &d->entries[i];

		memset(e, 0, sizeof(*e));
		e->ns = (uint8_t)(RC_STATE_MASTERNODES + i);
		if (e->ns > RC_STATE_SIDECHAINS)
			e->ns = RC_STATE_SIDECHAINS;
		rc_random_fill(&t->random, e->key, rc_state_key_len(e->ns));
		e->key[0] = (uint8_t)i;
		e->has_before = rc_random_below(&t->random, 2);
		e->has_after = !e->has_before || rc_random_below(&t->random, 2);
		e->before = (struct rc_bytes){values[0], 1 + rc_random_below(&t->random, 50)};
		e->after = (struct rc_bytes){values[1], 1 + rc_random_below(&t->random, 50)};
	}
}

static void test_delta_round_trip(void **state)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_test_random t;

	(void)state;
	rc_test_random_init(&t);
	for (int round = 0; round < 100; round++) {
		struct rc_buf raw = RC_BUF_INIT, again = RC_BUF_INIT;
		struct rc_delta d, back;

		random_delta(&t, &arena, &d);
		rc_delta_encode(&d, &raw);
		assert_true(rc_delta_decode(raw.data, raw.len, &arena, &back));
		rc_delta_encode(&back, &again);
		assert_int_equal(raw.len, again.len);
		assert_memory_equal(raw.data, again.data, raw.len);
		assert_true(rc_delta_decode_head(raw.data, raw.len, &back));
		assert_memory_equal(back.id.b, d.id.b, 32);
		assert_int_equal(back.height, d.height);
		for (size_t cut = 0; cut < raw.len; cut++)
			assert_false(rc_delta_decode(raw.data, cut, &arena, &back));
		assert_false(rc_delta_decode_head(raw.data, 68, &back));
		raw.data[0] = 2;
		assert_false(rc_delta_decode(raw.data, raw.len, &arena, &back));
		assert_false(rc_delta_decode_head(raw.data, raw.len, &back));
		raw.data[0] = 1;
		rc_buf_put_u8(&raw, 0);
		assert_false(rc_delta_decode(raw.data, raw.len, &arena, &back));
		rc_buf_done(&raw);
		rc_buf_done(&again);
		rc_arena_reset(&arena);
	}
	rc_arena_done(&arena);
}

/* Whether a delta, changed by its maker, is still taken. */
static bool delta_taken(const struct rc_delta *d, struct rc_arena *arena)
{
	struct rc_buf raw = RC_BUF_INIT;
	struct rc_delta back;
	bool taken;

	rc_delta_encode(d, &raw);
	taken = rc_delta_decode(raw.data, raw.len, arena, &back);
	rc_buf_done(&raw);
	return taken;
}

static void test_delta_strict(void **state)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_delta d, changed;
	struct rc_delta_coin coins[2];
	struct rc_delta_entry entry, entries[2];
	struct rc_test_random t;

	(void)state;
	rc_test_random_init(&t);
	do
		random_delta(&t, &arena, &d);
	while (d.n_spent < 2 || d.n_created < 2 || d.n_entries < 2);
	assert_true(delta_taken(&d, &arena));
	/* Not ascending, or twice. */
	changed = d;
	changed.spent = coins;
	changed.n_spent = 2;
	coins[0] = d.spent[1];
	coins[1] = d.spent[0];
	assert_false(delta_taken(&changed, &arena));
	coins[0] = d.spent[0];
	assert_false(delta_taken(&changed, &arena));
	/* Created and spent; of another height. */
	changed = d;
	changed.spent = d.created;
	changed.n_spent = d.n_created;
	assert_false(delta_taken(&changed, &arena));
	changed = d;
	changed.height++;
	assert_false(delta_taken(&changed, &arena));
	/* Entries: order, coins among them, flags, nothing changed. */
	changed = d;
	changed.entries = entries;
	changed.n_entries = 2;
	entries[0] = d.entries[1];
	entries[1] = d.entries[0];
	assert_false(delta_taken(&changed, &arena));
	entries[0] = d.entries[0];
	assert_false(delta_taken(&changed, &arena));
	changed.entries = &entry;
	changed.n_entries = 1;
	for (unsigned ns = 0; ns < 10; ns++) {
		entry = d.entries[0];
		entry.ns = (uint8_t)ns;
		assert_int_equal(delta_taken(&changed, &arena), ns >= 2 && ns <= 5);
	}
	entry = d.entries[0];
	entry.has_before = entry.has_after = false;
	assert_false(delta_taken(&changed, &arena));
	entry.has_before = entry.has_after = true;
	entry.after = entry.before;
	assert_false(delta_taken(&changed, &arena));
	entry.after.len = 0;
	assert_true(delta_taken(&changed, &arena));
	rc_arena_done(&arena);
}

/* Lengths of every kind, some often enough to be hashed side by side. */
static void test_hash_pieces(void **state)
{
	enum { N = 3000 }; /* several rounds */
	uint8_t data[1000], got[N][32], want[32];
	struct rc_hash_piece pieces[N];
	struct rc_test_random t;

	(void)state;
	rc_test_random_init(&t);
	rc_random_fill(&t.random, data, sizeof(data));
	for (size_t n = 0; n <= N; n = n < 6 ? n + 1 : n * 2 < N ? n * 2 : n < N ? N : N + 1) {
		for (size_t i = 0; i < n; i++) {
			size_t len = i % 3 ? 64 + i % 4 : rc_random_below(&t.random, 800);

			pieces[i] = (struct rc_hash_piece){data + i % 50, len, got[i]};
		}
		rc_hash_pieces(RC_TAG_TXID, pieces, n);
		for (size_t i = 0; i < n; i++) {
			rc_tagged_hash(RC_TAG_TXID, pieces[i].data, pieces[i].len, want);
			assert_memory_equal(got[i], want, 32);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_amount),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_outpoints),
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_tx_round_trip),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_block_round_trip),
		cmocka_unit_test(test_coin),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_delta_round_trip),
		cmocka_unit_test(test_delta_strict),
		cmocka_unit_test(test_hash_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
