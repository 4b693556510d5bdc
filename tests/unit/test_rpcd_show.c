/* What rpcd writes as JSON, against trees that Jansson makes of the same facts: equal to the byte.
 */
#include "tests/unit/rc_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "consensus/tx_type.h"
#include "daemons/rpcd/room.h"
#include "daemons/rpcd/show.h"
#include "types/address.h"
#include "types/block.h"

#define ROUNDS 400

static struct rc_test_random seeded;
static struct rc_network network_reg;

static uint32_t any(void)
{
	return (uint32_t)rc_random_u64(&seeded.random);
}

/* ---- trees, by the plainest means ---- */

static json_t *hex_of(const uint8_t *data, size_t len, bool reversed)
{
	char *text = rc_alloc(2 * len + 1);
	json_t *value;

	for (size_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", data[reversed ? len - 1 - i : i]);
	value = json_string(text);
	free(text);
	return value;
}

static void set_amount(json_t *object, const char *key, rc_amount amount)
{
	char text[64], oxides[64];

	snprintf(text, sizeof(text), "%llu.%08llu", (unsigned long long)(amount / 100000000),
		 (unsigned long long)(amount % 100000000));
	snprintf(oxides, sizeof(oxides), "%s_oxides", key);
	json_object_set_new(object, key, json_string(text));
	json_object_set_new(object, oxides, json_integer((json_int_t)amount));
}

static json_t *lock_tree(const struct rc_network *network, const struct rc_lock *lock)
{
	static const char *const names[] = {"", "key", "data", "bond", "peg"};
	json_t *tree = json_pack("{s:s, s:o}", "type", names[lock->kind], "hex",
				 hex_of(lock->data, lock->len, false));
	char address[RC_ADDRESS_SIZE];

	if (lock->kind == RC_LOCK_KEY) {
		rc_address_encode(network->params.hrp, rc_lock_key(lock), address);
		json_object_set_new(tree, "address", json_string(address));
	}
	return tree;
}

static json_t *input_tree(const struct rc_tx_in *in)
{
	struct rc_witness_iter it = rc_witness_iter_of(in);
	json_t *items = json_array();
	struct rc_bytes item;

	while (rc_witness_next(&it, &item))
		json_array_append_new(items, hex_of(item.data, item.len, false));
	return json_pack("{s:o, s:I, s:I, s:o}", "txid", hex_of(in->prevout.txid.b, 32, true),
			 "vout", (json_int_t)in->prevout.index, "sequence",
			 (json_int_t)in->sequence, "witness", items);
}

static json_t *output_tree(const struct rc_network *network, const struct rc_tx_out *out,
			   uint32_t n)
{
	json_t *tree = json_pack("{s:I}", "n", (json_int_t)n);

	set_amount(tree, "value", out->amount);
	json_object_set_new(tree, "lock", lock_tree(network, &out->lock));
	return tree;
}

static json_t *tx_tree(const struct rc_network *network, const struct rc_tx *tx)
{
	const struct rc_tx_type *type = rc_tx_type_find(tx->type);
	json_t *inputs = json_array(), *outputs = json_array(), *tree;

	for (uint32_t i = 0; i < tx->n_inputs; i++)
		json_array_append_new(inputs, input_tree(&tx->inputs[i]));
	for (uint32_t i = 0; i < tx->n_outputs; i++)
		json_array_append_new(outputs, output_tree(network, &tx->outputs[i], i));
	tree = json_pack("{s:o, s:o, s:I, s:I}", "txid", hex_of(tx->txid.b, 32, true), "wtxid",
			 hex_of(tx->wtxid.b, 32, true), "version", (json_int_t)tx->version, "type",
			 (json_int_t)tx->type);
	if (type)
		json_object_set_new(tree, "typename", json_string(type->name));
	json_object_set_new(tree, "size", json_integer((json_int_t)tx->raw.len));
	json_object_set_new(tree, "locktime", json_integer(tx->lock_time));
	json_object_set_new(tree, "vin", inputs);
	json_object_set_new(tree, "vout", outputs);
	json_object_set_new(tree, "payload", hex_of(tx->payload.data, tx->payload.len, false));
	return tree;
}

/* ---- transactions of every kind ---- */

static uint8_t junk[4096];

static void fill_junk(void)
{
	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = (uint8_t)any();
}

static const uint8_t *some_junk(size_t len)
{
	return junk + (size_t)any() % (sizeof(junk) - len);
}

static void add_lock(struct rc_arena *arena, struct rc_tx_out *out, uint8_t kind)
{
	struct rc_buf buf = RC_BUF_INIT;
	uint8_t lock[RC_LOCK_BOND_SIZE];
	uint8_t *data;

	if (kind == RC_LOCK_DATA) {
		size_t len = (size_t)any() % (RC_LOCK_DATA_MAX + 1);

		rc_lock_data_put(&buf, some_junk(len), len);
	} else if (kind == RC_LOCK_BOND) {
		rc_lock_bond_encode(1 + any() % 4, some_junk(32), lock);
		rc_buf_put(&buf, lock, RC_LOCK_BOND_SIZE);
	} else {
		rc_lock_key_encode(some_junk(32), lock);
		lock[0] = kind;
		rc_buf_put(&buf, lock, RC_LOCK_KEY_SIZE);
	}
	data = rc_arena_alloc(arena, buf.len);
	memcpy(data, buf.data, buf.len);
	out->lock = (struct rc_lock){data, (uint16_t)buf.len, kind};
	rc_buf_done(&buf);
}

static void add_witness(struct rc_arena *arena, struct rc_tx_in *in)
{
	struct rc_bytes items[5];
	struct rc_buf buf = RC_BUF_INIT;
	size_t n = (size_t)any() % 6;
	uint8_t *data;

	for (size_t i = 0; i < n; i++) {
		size_t len = (size_t)any() % (any() % 4 ? 65 : 600);

		items[i] = (struct rc_bytes){some_junk(len), len};
	}
	rc_witness_put(&buf, items, n);
	data = rc_arena_alloc(arena, buf.len);
	memcpy(data, buf.data, buf.len);
	in->witness = data;
	in->witness_len = (uint32_t)buf.len;
	rc_buf_done(&buf);
}

/* The encoding of some transaction of this type. */
static void put_tx(struct rc_buf *buf, uint16_t type)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_tx tx = {.version = RC_TX_VERSION, .type = type, .lock_time = (uint32_t)any()};

	tx.n_inputs = type == RC_TX_COINBASE ? 0 : (uint32_t)any() % 4;
	tx.inputs = rc_arena_alloc(&arena, 4 * sizeof(*tx.inputs));
	for (uint32_t i = 0; i < tx.n_inputs; i++) {
		memcpy(tx.inputs[i].prevout.txid.b, some_junk(32), 32);
		tx.inputs[i].prevout.index = (uint32_t)any() * 2u;
		tx.inputs[i].sequence = any() % 2 ? RC_SEQUENCE_FINAL : (uint32_t)any();
		add_witness(&arena, &tx.inputs[i]);
	}
	tx.n_outputs = (uint32_t)any() % 6;
	tx.outputs = rc_arena_alloc(&arena, 6 * sizeof(*tx.outputs));
	for (uint32_t i = 0; i < tx.n_outputs; i++) {
		tx.outputs[i].amount = any() % 3 ? (rc_amount)any() * 4000000 : any() % 3;
		add_lock(&arena, &tx.outputs[i], (uint8_t)(1 + any() % 4));
	}
	tx.payload.len = any() % 2 ? 0 : (size_t)any() % 300;
	tx.payload.data = some_junk(tx.payload.len);
	rc_tx_encode(&tx, buf);
	rc_arena_done(&arena);
}

static void same(struct rc_buf *got, json_t *want)
{
	char *text = json_dumps(want, JSON_COMPACT | JSON_ENCODE_ANY);
	json_t *parsed = json_loadb((char *)got->data, got->len, JSON_DECODE_ANY, NULL);

	assert_non_null(parsed);
	assert_true(json_equal(parsed, want));
	assert_int_equal(got->len, strlen(text));
	assert_memory_equal(got->data, text, got->len);
	free(text);
	json_decref(parsed);
	json_decref(want);
	rc_buf_done(got);
}

static void test_transactions(void **state)
{
	static const uint16_t types[] = {RC_TX_PAYMENT, RC_TX_COINBASE, 2, 7, UINT16_MAX};
	const struct rc_network *network = &network_reg;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct rc_arena arena = RC_ARENA_INIT;
		struct rc_buf raw = RC_BUF_INIT, text = RC_BUF_INIT;
		struct json_out out = json_out_to(&text);
		struct rc_tx tx;

		fill_junk();
		put_tx(&raw, types[i % RC_ARRAY_LEN(types)]);
		assert_true(rc_tx_decode(raw.data, raw.len, &arena, &tx));
		out_object(&out, NULL);
		show_tx(&out, network, &tx);
		out_object_end(&out);
		same(&text, tx_tree(network, &tx));
		rc_buf_done(&raw);
		rc_arena_done(&arena);
	}
}

/* Read in rounds of any size a block's transactions are those of the whole block. */
static void test_rounds(void **state)
{
	struct rc_header header = {.height = 5};
	struct rc_arena arena = RC_ARENA_INIT, more = RC_ARENA_INIT;
	struct rc_buf raw = RC_BUF_INIT;
	struct rc_block block;
	struct rc_tx txs[200];

	(void)state;
	fill_junk();
	rc_block_put_head(&raw, &header, 150);
	for (int i = 0; i < 150; i++)
		put_tx(&raw, i ? RC_TX_PAYMENT : RC_TX_COINBASE);
	assert_true(rc_block_decode(raw.data, raw.len, &arena, &block));
	for (size_t max = 1; max <= 200; max = max * 2 + 1) {
		struct rc_block_reader reader;
		size_t n, at = 0;

		assert_true(rc_block_reader_init(&reader, raw.data, raw.len));
		while ((n = rc_block_reader_next_many(&reader, &more, txs, max)) > 0) {
			for (size_t i = 0; i < n; i++, at++) {
				assert_memory_equal(txs[i].txid.b, block.txs[at].txid.b, 32);
				assert_memory_equal(txs[i].wtxid.b, block.txs[at].wtxid.b, 32);
				assert_ptr_equal(txs[i].raw.data, block.txs[at].raw.data);
			}
			rc_arena_reset(&more);
		}
		assert_int_equal(at, 150);
		assert_true(rc_block_reader_end(&reader));
	}
	/* cut short: what is whole comes, and the end tells */
	for (size_t cut = 1; cut < 400; cut += 7) {
		struct rc_block_reader reader;
		size_t n, at = 0;

		assert_true(rc_block_reader_init(&reader, raw.data, raw.len - cut));
		while ((n = rc_block_reader_next_many(&reader, &more, txs, 64)) > 0)
			at += n;
		assert_true(at < 150);
		assert_false(rc_block_reader_end(&reader));
		rc_arena_reset(&more);
	}
	rc_arena_done(&arena);
	rc_arena_done(&more);
	rc_buf_done(&raw);
}

/* ---- values ---- */

static void test_numbers(void **state)
{
	static const int64_t edges[] = {0,	    1,	   9,	      10,	 99,
					100,	    -1,	   -9,	      -10,	 999999999,
					1000000000, 12345, INT64_MAX, INT64_MIN, INT64_MIN + 1};
	struct rc_buf buf = RC_BUF_INIT;
	struct json_out out = json_out_to(&buf);
	json_t *want = json_array();

	(void)state;
	out_array(&out, NULL);
	for (size_t i = 0; i < RC_ARRAY_LEN(edges); i++) {
		out_int(&out, NULL, edges[i]);
		json_array_append_new(want, json_integer(edges[i]));
		if (edges[i] >= 0) {
			out_uint(&out, NULL, (uint64_t)edges[i]);
			json_array_append_new(want, json_integer(edges[i]));
		}
	}
	out_bool(&out, NULL, true);
	json_array_append_new(want, json_true());
	out_null(&out, NULL);
	json_array_append_new(want, json_null());
	out_array_end(&out);
	same(&buf, want);
	out = json_out_to(&buf);
	out_uint(&out, NULL, UINT64_MAX);
	assert_int_equal(buf.len, 20);
	assert_memory_equal(buf.data, "18446744073709551615", 20);
	rc_buf_done(&buf);
}

/* Any bytes make JSON; text in UTF-8 comes back as it was, as a value and as a name. */
static void test_texts(void **state)
{
	static const char *const parts[] = {"a",
					    "\"",
					    "\\",
					    "/",
					    "\n",
					    "\t",
					    "\x7f",
					    "\x01",
					    "é",
					    "€",
					    "\U0001F980",
					    " ",
					    "long plain text",
					    "\xff",
					    "\xc0\x80",
					    "\xed\xa0\x80"};
	const size_t n_good = 13;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		size_t n_parts = (size_t)any() % 12;
		bool good = round % 2;
		struct rc_buf buf = RC_BUF_INIT, text = RC_BUF_INIT;
		struct json_out out = json_out_to(&buf);
		json_t *parsed;

		for (size_t i = 0; i < n_parts; i++) {
			const char *part =
				parts[(size_t)any() % (good ? n_good : RC_ARRAY_LEN(parts))];

			rc_buf_put(&text, part, strlen(part));
		}
		rc_buf_put_u8(&text, 0);
		out_object(&out, NULL);
		out_text(&out, "value", (char *)text.data);
		out_text_named(&out, (char *)text.data, "name");
		out_object_end(&out);
		parsed = json_loadb((char *)buf.data, buf.len, 0, NULL);
		assert_non_null(parsed);
		if (good) {
			assert_string_equal(json_string_value(json_object_get(parsed, "value")),
					    (char *)text.data);
			assert_string_equal(
				json_string_value(json_object_get(parsed, (char *)text.data)),
				"name");
		}
		json_decref(parsed);
		rc_buf_done(&buf);
		rc_buf_done(&text);
	}
}

/* ---- where large answers are written ---- */

/* Contents survive a change of buffers, and what is kept stays within its bound. */
static void test_room(void **state)
{
	struct room room = {0};

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct rc_buf bufs[3] = {RC_BUF_INIT, RC_BUF_INIT, RC_BUF_INIT};
		size_t kept = 0;

		for (int i = 0; i < 3; i++) {
			size_t more = (size_t)1 << any() % 25;

			rc_buf_printf(&bufs[i], "round %d, buffer %d", round, i);
			room_reserve(&room, &bufs[i], more);
			assert_true(bufs[i].cap - bufs[i].len >= more);
			memset(bufs[i].data + bufs[i].len, 'x', 1);
		}
		for (int i = 0; i < 3; i++) {
			char want[64];

			snprintf(want, sizeof(want), "round %d, buffer %d", round, i);
			assert_int_equal(bufs[i].len, strlen(want));
			assert_memory_equal(bufs[i].data, want, bufs[i].len);
			room_give(&room, &bufs[i]);
			assert_null(bufs[i].data);
		}
		for (int i = 0; i < ROOM_BUFFERS; i++) {
			assert_true(!room.kept[i].cap || room.kept[i].cap >= ROOM_LEAST);
			assert_int_equal(room.kept[i].len, 0);
			kept += room.kept[i].cap;
		}
		assert_int_equal(kept, room.bytes);
		assert_true(kept <= ROOM_BYTES_MAX);
	}
	room_done(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transactions), cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_numbers),	     cmocka_unit_test(test_texts),
		cmocka_unit_test(test_room),
	};

	rc_test_random_init(&seeded);
	if (!rc_network_builtin("reg", &network_reg))
		return 1;
	return cmocka_run_group_tests_name("rpcd_show", tests, NULL, NULL);
}
