/* The vectors made from the reference: networks, ASERT, treasury, policies, proofs. */
#include "tests/unit/rc_test.h"

#include <stdlib.h>
#include <string.h>

#include "consensus/pow.h"
#include "consensus/subsidy.h"
#include "consensus/witness.h"
#include "tests/unit/mini_proof.h"

static uint64_t number(const json_t *row, const char *key)
{
	return rc_test_u64(json_object_get(row, key));
}

static uint32_t hex_number(const json_t *row, const char *key)
{
	return (uint32_t)strtoul(rc_test_str(row, key), NULL, 16);
}

static void assert_bytes(const json_t *row, const char *key, const void *data, size_t len)
{
	RC_AUTOFREE uint8_t *want = NULL;

	assert_int_equal(rc_test_hex(rc_test_str(row, key), &want), len);
	assert_memory_equal(data, want, len);
}

static json_t *load(const char *name, size_t count)
{
	json_t *rows = rc_test_vectors(name);

	assert_int_equal(json_array_size(rows), count);
	return rows;
}

static void params_of(const json_t *f, struct rc_network_params *p)
{
	RC_AUTOFREE uint8_t *text = NULL;

	memset(p, 0, sizeof(*p));
	snprintf(p->name, sizeof(p->name), "%s", rc_test_str(f, "name"));
	snprintf(p->hrp, sizeof(p->hrp), "%s", rc_test_str(f, "hrp"));
	p->genesis_text_len = (uint8_t)rc_test_hex(rc_test_str(f, "genesis_text"), &text);
	memcpy(p->genesis_text, text, p->genesis_text_len);
	p->genesis_time = (uint32_t)number(f, "genesis_time");
	p->genesis_bits = (uint32_t)number(f, "genesis_bits");
	p->spacing = (uint32_t)number(f, "spacing");
	p->retarget = (uint8_t)number(f, "retarget");
	p->limit_bits = (uint32_t)number(f, "limit_bits");
	p->half_life = (uint32_t)number(f, "half_life");
	p->future_limit = (uint32_t)number(f, "future_limit");
	p->subsidy = number(f, "first_subsidy");
	p->halving = (uint32_t)number(f, "halving");
	p->masternode_share = (uint8_t)number(f, "masternode_share");
	p->treasury_share = (uint8_t)number(f, "treasury_share");
	p->maturity = (uint32_t)number(f, "maturity");
	p->block_limit = (uint32_t)number(f, "block_limit");
	p->cycle = (uint32_t)number(f, "cycle");
	p->collateral = number(f, "collateral");
}

static void test_networks(void **state)
{
	json_t *rows = load("rustycoin-extra/networks.json", 10);
	const json_t *row;
	size_t i;

	(void)state;
	json_array_foreach(rows, i, row)
	{
		struct rc_network_params params, back;
		struct rc_network n;
		struct rc_error error;

		params_of(json_object_get(row, "fields"), &params);
		assert_int_equal(rc_network_custom(&params, &n, &error), 0);
		assert_bytes(row, "table", n.table, n.table_len);
		assert_bytes(row, "genesis", n.genesis_block, n.genesis_len);
		assert_bytes(row, "genesis_id", n.genesis_id.b, 32);
		assert_bytes(row, "network_id", n.id.b, 32);
		assert_true(rc_network_table_decode(n.table, n.table_len, &back));
		assert_memory_equal(&back, &params, sizeof(params));
	}
	json_decref(rows);
}

static void test_asert(void **state)
{
	json_t *rows = load("rustycoin-extra/asert.json", 200);
	const json_t *row;
	size_t i;

	(void)state;
	json_array_foreach(rows, i, row)
	{
		struct rc_network n;

		assert_true(rc_network_builtin("main", &n));
		n.params.spacing = (uint32_t)number(row, "spacing");
		n.params.half_life = (uint32_t)number(row, "half_life");
		n.params.genesis_time = 1;
		n.params.genesis_bits = hex_number(row, "genesis_bits");
		n.params.limit_bits = hex_number(row, "limit_bits");
		/* Target 1, written in a way that no network may write it. */
		if (n.params.genesis_bits == 0x03000001)
			n.genesis_target = (struct rc_u256){{1}};
		else
			assert_true(rc_bits_target(n.params.genesis_bits, &n.genesis_target));
		assert_true(rc_bits_target(n.params.limit_bits, &n.limit));
		assert_int_equal(
			rc_required_bits(
				&n, (uint32_t)number(row, "parent_height"),
				1 + (uint32_t)number(row, "parent_time_minus_genesis_time")),
			hex_number(row, "bits"));
	}
	json_decref(rows);
}

static void test_treasury(void **state)
{
	json_t *rows = load("rustycoin-extra/treasury.json", 4);
	const json_t *row, *pair;
	size_t i, j;

	(void)state;
	json_array_foreach(rows, i, row)
	{
		const json_t *pairs = json_object_get(row, "subsidy_and_treasury_from_block_1");
		struct rc_network n;
		rc_amount t = 0;

		assert_int_equal(json_array_size(pairs), 40);
		assert_true(rc_network_builtin("reg", &n));
		n.params.subsidy = number(row, "first_subsidy");
		n.params.halving = (uint32_t)number(row, "halving");
		n.params.treasury_share = (uint8_t)number(row, "treasury_share");
		n.params.cycle = (uint32_t)number(row, "cycle");
		json_array_foreach(pairs, j, pair)
		{
			uint32_t h = (uint32_t)j + 1;

			assert_true(rc_subsidy(&n, h) == rc_test_u64(json_array_get(pair, 0)));
			t = rc_treasury_after(&n, h, t, 0);
			assert_true(t == rc_test_u64(json_array_get(pair, 1)));
		}
	}
	json_decref(rows);
}

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

static void test_policies(void **state)
{
	json_t *rows = load("rustycoin-extra/policies.json", 250);
	const json_t *row, *argument;
	size_t i, j;

	(void)state;
	json_array_foreach(rows, i, row)
	{
		RC_AUTOFREE uint8_t *bytes = NULL;
		size_t len = rc_test_hex(rc_test_str(row, "policy"), &bytes);
		const json_t *arguments = json_object_get(row, "arguments");
		const struct rc_policy_context context = {
			.lock_time = (uint32_t)number(row, "lock_time"),
			.sequence = hex_number(row, "sequence"),
			.sig_holds = fake_sig_holds,
		};
		struct rc_buf items = RC_BUF_INIT;
		struct rc_policy policy;
		enum rc_verdict found;
		struct rc_reader r;

		json_array_foreach(arguments, j, argument)
		{
			RC_AUTOFREE uint8_t *item = NULL;
			size_t item_len = rc_test_hex(json_string_value(argument), &item);

			rc_buf_put_cs(&items, item_len);
			rc_buf_put(&items, item, item_len);
		}
		r = rc_reader_of(items.data, items.len);
		found = rc_policy_check(bytes, len, &policy);
		if (found == RC_VERDICT_OK)
			found = rc_policy_eval(&policy, &r, (uint32_t)json_array_size(arguments),
					       &context);
		if (strcmp(rc_verdict_name(found), rc_test_str(row, "verdict")) != 0)
			fail_msg("row %zu: %s, not %s", i, rc_verdict_name(found),
				 rc_test_str(row, "verdict"));
		rc_buf_done(&items);
	}
	json_decref(rows);
}

/* Entries of one namespace, as the file has them: ascending already. */
static size_t load_leaves(const json_t *entries, unsigned ns, struct mini_leaf **ret_leaves)
{
	char name[2] = {(char)('0' + ns), '\0'};
	const json_t *list = json_object_get(entries, name), *entry;
	struct mini_leaf *leaves = rc_alloc_array(json_array_size(list), sizeof(*leaves));
	size_t i;

	json_array_foreach(list, i, entry)
	{
		RC_AUTOFREE uint8_t *key = NULL;
		uint8_t *value;
		size_t len = rc_test_hex(json_string_value(json_array_get(entry, 0)), &key);

		assert_int_equal(len, rc_state_key_len(ns));
		memcpy(leaves[i].key, key, len);
		leaves[i].len = rc_test_hex(json_string_value(json_array_get(entry, 1)), &value);
		leaves[i].elsewhere = value;
	}
	*ret_leaves = leaves;
	return i;
}

static void test_proofs(void **state)
{
	static const char *const results[] = {"absent", "leaves", "total"};
	json_t *file = rc_test_vectors("rustycoin-extra/proofs.json");
	const json_t *rows = json_object_get(file, "proofs"), *row;
	struct rc_hash root, roots[RC_STATE_NAMESPACES];
	struct mini_leaf *leaves[6];
	size_t n[6], i;

	(void)state;
	assert_int_equal(json_array_size(rows), 60);
	for (unsigned ns = 1; ns <= 5; ns++)
		n[ns] = load_leaves(json_object_get(file, "entries"), ns, &leaves[ns]);
	for (i = 0; i < RC_STATE_NAMESPACES; i++)
		assert_true(rc_hash_from_hex(
			json_string_value(json_array_get(json_object_get(file, "roots"), i)),
			&roots[i]));
	rc_test_hex_into(file, "state_root", root.b, 32);
	json_array_foreach(rows, i, row)
	{
		const json_t *max_leaves = json_object_get(row, "max_leaves");
		RC_AUTOFREE uint8_t *prefix = NULL;
		size_t len = rc_test_hex(rc_test_str(row, "prefix"), &prefix);
		struct mini_question q = {
			.about = {.ns = (uint8_t)number(row, "ns"),
				  .bits = (uint16_t)number(row, "bits")},
			.max_leaves = json_is_null(max_leaves) ? 0 : rc_test_u64(max_leaves),
			.sums_only = json_is_true(json_object_get(row, "sums_only")),
		};
		struct rc_buf buf = RC_BUF_INIT;
		struct rc_proof proof;

		memcpy(q.about.prefix, prefix, len);
		mini_proof_make(&q, leaves[q.about.ns], n[q.about.ns], roots, &buf);
		assert_bytes(row, "proof", buf.data, buf.len);
		assert_int_equal(rc_proof_check(buf.data, buf.len, &q.about, &root, &proof),
				 RC_VERDICT_OK);
		assert_string_equal(results[proof.answer], rc_test_str(row, "result"));
		assert_true(proof.n_leaves == number(row, "leaves"));
		if (proof.answer == RC_PROOF_TOTAL && q.about.ns == RC_STATE_COINS)
			assert_true(proof.total == number(row, "total"));
		rc_buf_done(&buf);
	}
	for (unsigned ns = 1; ns <= 5; ns++) {
		for (size_t j = 0; j < n[ns]; j++)
			free((void *)leaves[ns][j].elsewhere);
		free(leaves[ns]);
	}
	json_decref(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks), cmocka_unit_test(test_asert),
		cmocka_unit_test(test_treasury), cmocka_unit_test(test_policies),
		cmocka_unit_test(test_proofs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
