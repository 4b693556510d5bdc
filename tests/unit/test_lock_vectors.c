/* Check values of keys, signature hashes and policies. */
#include "tests/unit/rc_test.h"

#include <stdlib.h>
#include <string.h>

#include "consensus/budget.h"
#include "consensus/network.h"
#include "consensus/taproot.h"
#include "consensus/witness.h"
#include "crypto/schnorr.h"

static json_t *vectors;

static int load(void **state)
{
	(void)state;
	rc_schnorr_init();
	vectors = rc_test_vectors("rustycoin/check-values.json");
	return 0;
}

static int unload(void **state)
{
	(void)state;
	json_decref(vectors);
	return 0;
}

static const json_t *rows_of(const char *table, size_t count)
{
	const json_t *rows = json_object_get(vectors, table);

	assert_int_equal(json_array_size(rows), count);
	return rows;
}

static uint64_t number(const json_t *row, const char *key)
{
	return rc_test_u64(json_object_get(row, key));
}

static void assert_bytes(const json_t *row, const char *key, const void *data, size_t len)
{
	RC_AUTOFREE uint8_t *want = NULL;

	assert_int_equal(rc_test_hex(rc_test_str(row, key), &want), len);
	assert_memory_equal(data, want, len);
}

static void test_keys(void **state)
{
	const json_t *row;
	size_t i;

	(void)state;
	json_array_foreach(rows_of("keys", 4), i, row)
	{
		uint8_t secret[32], internal[32], tweak[32], output[32], lock[RC_LOCK_KEY_SIZE];
		uint8_t tweaked[32];
		int parity;

		rc_test_hex_into(row, "secret", secret, 32);
		assert_true(rc_xonly_from_secret(secret, internal, NULL));
		assert_bytes(row, "internal_key", internal, 32);
		rc_taproot_tweak(&rc_taproot_rusty, internal, NULL, tweak);
		assert_bytes(row, "tweak", tweak, 32);
		assert_true(rc_taproot_output(&rc_taproot_rusty, internal, NULL, output, &parity));
		assert_bytes(row, "output_key", output, 32);
		assert_int_equal(parity, number(row, "parity"));
		assert_true(rc_secret_tweak(secret, tweak, tweaked));
		assert_bytes(row, "tweaked_secret", tweaked, 32);
		rc_lock_key_encode(output, lock);
		assert_bytes(row, "lock", lock, sizeof(lock));
	}
}

struct spend {
	struct rc_arena arena;
	struct rc_network network;
	uint8_t *raw;
	struct rc_tx tx;
	struct rc_coin coins[8];
	const struct rc_coin *coin_list[8];
	struct rc_sighash sighash;
};

/* The transaction of a row with the coins it spends. */
static void spend_init(struct spend *s, const json_t *row)
{
	const json_t *spent;
	size_t len, i;

	memset(s, 0, sizeof(*s));
	assert_true(rc_network_builtin(rc_test_str(row, "network"), &s->network));
	len = rc_test_hex(rc_test_str(row, "raw"), &s->raw);
	assert_true(rc_tx_decode(s->raw, len, &s->arena, &s->tx));
	assert_bytes(row, "txid", s->tx.txid.b, 32);
	assert_bytes(row, "witness_hash", s->tx.witness_hash.b, 32);
	assert_bytes(row, "wtxid", s->tx.wtxid.b, 32);
	assert_int_equal(rc_tx_budget(&s->tx), number(row, "budget"));
	assert_int_equal(s->tx.n_inputs, json_array_size(json_object_get(row, "spent")));
	json_array_foreach(json_object_get(row, "spent"), i, spent)
	{
		RC_AUTOFREE uint8_t *lock_bytes = NULL;
		struct rc_lock lock;

		len = rc_test_hex(rc_test_str(spent, "lock"), &lock_bytes);
		assert_true(rc_lock_decode(lock_bytes, len, &lock));
		rc_coin_init(&s->coins[i], number(spent, "amount"),
			     (uint32_t)number(spent, "height"), number(spent, "coinbase"), &lock);
		s->coin_list[i] = &s->coins[i];
	}
	rc_sighash_init(&s->network.id, &s->tx, s->coin_list, &s->sighash);
}

static void spend_done(struct spend *s)
{
	free(s->raw);
	rc_arena_done(&s->arena);
}

/* Message and hash of one input as the row has them, under a leaf or none; the item is a signature
 * of that hash by the coin's key, made here as it was there. */
static void check_input(const struct spend *s, uint32_t i, enum rc_hash_type type,
			const struct rc_hash *leaf, const json_t *input)
{
	uint8_t message[RC_SIGHASH_MESSAGE];
	struct rc_hash hash;

	rc_sighash_message(&s->sighash, i, type, leaf, message);
	assert_bytes(input, "message_269", message, sizeof(message));
	rc_sighash(&s->sighash, i, type, leaf, &hash);
	assert_bytes(input, "sighash", hash.b, 32);
	assert_int_equal(rc_witness_check(&s->sighash, i, NULL), RC_VERDICT_OK);
}

static void test_signed(void **state)
{
	const json_t *row, *input;
	size_t i, j;

	(void)state;
	json_array_foreach(rows_of("signed", 2), i, row)
	{
		struct spend s;

		spend_init(&s, row);
		json_array_foreach(json_object_get(row, "inputs"), j, input)
		{
			const json_t *key = json_array_get(json_object_get(vectors, "keys"), j);
			RC_AUTOFREE uint8_t *item = NULL;
			size_t len = rc_test_hex(rc_test_str(input, "item"), &item);
			uint8_t secret[32], sig[64];
			enum rc_hash_type type;
			struct rc_hash hash;

			assert_true(rc_sig_item_parse((struct rc_bytes){item, len}, &type));
			check_input(&s, (uint32_t)j, type, NULL, input);
			rc_sighash(&s.sighash, (uint32_t)j, type, NULL, &hash);
			rc_test_hex_into(key, "tweaked_secret", secret, 32);
			assert_true(rc_schnorr_sign(secret, hash.b, 32, NULL, sig));
			assert_memory_equal(sig, item, 64);
		}
		spend_done(&s);
	}
}

static void test_policy_spend(void **state)
{
	const json_t *row;
	size_t i;

	(void)state;
	json_array_foreach(rows_of("policy_spend", 1), i, row)
	{
		RC_AUTOFREE uint8_t *policy = NULL, *other = NULL, *control = NULL;
		size_t policy_len = rc_test_hex(rc_test_str(row, "policy"), &policy);
		size_t other_len = rc_test_hex(rc_test_str(row, "other_policy"), &other);
		size_t control_len = rc_test_hex(rc_test_str(row, "control"), &control);
		struct rc_hash leaf, other_leaf, root, found;
		uint8_t internal[32], output[32];
		struct spend s;
		int parity;

		rc_taproot_leaf(&rc_taproot_rusty, 0, policy, policy_len, &leaf);
		assert_bytes(row, "leaf_hash", leaf.b, 32);
		rc_taproot_leaf(&rc_taproot_rusty, 0, other, other_len, &other_leaf);
		assert_bytes(row, "other_leaf_hash", other_leaf.b, 32);
		rc_taproot_branch(&rc_taproot_rusty, &leaf, &other_leaf, &root);
		assert_bytes(row, "root", root.b, 32);
		rc_test_hex_into(row, "internal_key", internal, 32);
		assert_true(rc_taproot_output(&rc_taproot_rusty, internal, &root, output, &parity));
		assert_bytes(row, "output_key", output, 32);
		assert_int_equal(parity, number(row, "parity"));
		assert_int_equal(rc_control_check(output, (struct rc_bytes){control, control_len},
						  (struct rc_bytes){policy, policy_len}, &found),
				 RC_VERDICT_OK);
		assert_memory_equal(found.b, leaf.b, 32);
		spend_init(&s, row);
		check_input(&s, 0, RC_HASH_ALL, &leaf,
			    json_array_get(json_object_get(row, "inputs"), 0));
		spend_done(&s);
	}
}

static void test_policy_form(void **state)
{
	const json_t *row;
	size_t i;

	(void)state;
	json_array_foreach(rows_of("policy_form", 38), i, row)
	{
		RC_AUTOFREE uint8_t *bytes = NULL;
		size_t len = rc_test_hex(rc_test_str(row, "policy"), &bytes);
		struct rc_policy policy;
		const char *found = rc_verdict_name(rc_policy_check(bytes, len, &policy));

		if (strcmp(found, rc_test_str(row, "verdict")) != 0)
			fail_msg("row %zu: %s, not %s", i, found, rc_test_str(row, "verdict"));
	}
}

/* As README of the vectors replaces signature checks. */
static bool fake_sig_holds(void *arg, const uint8_t sig[64], enum rc_hash_type type,
			   const uint8_t key[32])
{
	(void)arg;
	(void)type;
	for (int i = 0; i < 64; i++)
		if (sig[i] != key[0])
			return false;
	return true;
}

static void test_policy_eval(void **state)
{
	const json_t *row, *argument;
	size_t i, j;

	(void)state;
	json_array_foreach(rows_of("policy_eval", 57), i, row)
	{
		RC_AUTOFREE uint8_t *bytes = NULL;
		size_t len = rc_test_hex(rc_test_str(row, "policy"), &bytes);
		const json_t *arguments = json_object_get(row, "arguments");
		struct rc_policy_context context = {
			.lock_time = (uint32_t)number(row, "lock_time"),
			.sequence = (uint32_t)strtoul(rc_test_str(row, "sequence"), NULL, 16),
			.sig_holds = fake_sig_holds,
		};
		struct rc_buf items = RC_BUF_INIT;
		struct rc_policy policy;
		struct rc_reader r;
		const char *found;

		json_array_foreach(arguments, j, argument)
		{
			RC_AUTOFREE uint8_t *item = NULL;
			size_t item_len = rc_test_hex(json_string_value(argument), &item);

			rc_buf_put_cs(&items, item_len);
			rc_buf_put(&items, item, item_len);
		}
		r = rc_reader_of(items.data, items.len);
		assert_int_equal(rc_policy_check(bytes, len, &policy), RC_VERDICT_OK);
		found = rc_verdict_name(rc_policy_eval(
			&policy, &r, (uint32_t)json_array_size(arguments), &context));
		if (strcmp(found, rc_test_str(row, "verdict")) != 0)
			fail_msg("row %zu: %s, not %s", i, found, rc_test_str(row, "verdict"));
		rc_buf_done(&items);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),	     cmocka_unit_test(test_signed),
		cmocka_unit_test(test_policy_spend), cmocka_unit_test(test_policy_form),
		cmocka_unit_test(test_policy_eval),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
