/* The committed state's check values: tries, roots, governance keys, proofs good and bad. */
#include "tests/unit/rc_test.h"

#include <string.h>

#include "consensus/proof.h"

#define VECTORS "rustycoin/check-values.json"

static json_t *vectors;

static int load(void **state)
{
	(void)state;
	vectors = rc_test_vectors(VECTORS);
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

static void test_tries(void **state)
{
	const json_t *row, *entry;
	size_t i, j;

	(void)state;
	json_array_foreach(rows_of("tries", 15), i, row)
	{
		unsigned ns = (unsigned)rc_test_u64(json_object_get(row, "ns"));
		const json_t *entries = json_object_get(row, "entries");
		struct rc_trie_fold fold;
		struct rc_state_node node;
		struct rc_hash root;

		rc_trie_fold_init(&fold, ns);
		json_array_foreach(entries, j, entry)
		{
			RC_AUTOFREE uint8_t *key = NULL, *value = NULL;
			size_t key_len =
				rc_test_hex(json_string_value(json_array_get(entry, 0)), &key);
			size_t len =
				rc_test_hex(json_string_value(json_array_get(entry, 1)), &value);

			assert_int_equal(key_len, rc_state_key_len(ns));
			assert_true(rc_trie_fold_add(&fold, key, value, len));
			/* The same key again, and so any lower one, is refused. */
			assert_false(rc_trie_fold_add(&fold, key, value, len));
		}
		assert_true(rc_trie_fold_end(&fold, &node));
		rc_test_hex_into(row, "root", root.b, 32);
		assert_memory_equal(node.hash.b, root.b, 32);
		if (ns == RC_STATE_COINS)
			assert_true(node.sum == rc_test_u64(json_object_get(row, "sum")));
	}
}

static void test_states(void **state)
{
	const json_t *row;
	size_t i;

	(void)state;
	json_array_foreach(rows_of("states", 3), i, row)
	{
		const json_t *roots = json_object_get(row, "roots");
		struct rc_hash ns_roots[RC_STATE_NAMESPACES], want, root;

		assert_int_equal(json_array_size(roots), RC_STATE_NAMESPACES);
		for (size_t j = 0; j < RC_STATE_NAMESPACES; j++)
			assert_true(rc_hash_from_hex(json_string_value(json_array_get(roots, j)),
						     &ns_roots[j]));
		rc_state_root(ns_roots, &root);
		rc_test_hex_into(row, "state_root", want.b, 32);
		assert_memory_equal(root.b, want.b, 32);
	}
}

static void test_gov_keys(void **state)
{
	const json_t *row;
	size_t i;

	(void)state;
	json_array_foreach(rows_of("gov_keys", 4), i, row)
	{
		RC_AUTOFREE uint8_t *subject = NULL, *want = NULL;
		size_t len = rc_test_hex(json_string_value(json_array_get(row, 1)), &subject);
		uint8_t key[32];

		rc_test_hex(json_string_value(json_array_get(row, 2)), &want);
		rc_gov_key(subject, len, key);
		assert_memory_equal(key, want, 32);
		if (len == 8 && memcmp(subject, "treasury", 8) == 0) {
			rc_gov_key_treasury(key);
			assert_memory_equal(key, want, 32);
		}
	}
}

static void question_of(const json_t *row, struct rc_proof_question *q)
{
	RC_AUTOFREE uint8_t *prefix = NULL;
	size_t len = rc_test_hex(rc_test_str(row, "prefix"), &prefix);

	memset(q, 0, sizeof(*q));
	q->ns = (uint8_t)rc_test_u64(json_object_get(row, "ns"));
	q->bits = (uint16_t)rc_test_u64(json_object_get(row, "bits"));
	assert_int_equal(len, (q->bits + 7) / 8);
	memcpy(q->prefix, prefix, len);
}

static void check_leaves(struct rc_proof *proof, const json_t *leaves)
{
	const uint8_t *key;
	struct rc_bytes value;
	const json_t *leaf;
	size_t i;

	assert_int_equal(proof->n_leaves, json_array_size(leaves));
	json_array_foreach(leaves, i, leaf)
	{
		RC_AUTOFREE uint8_t *want_key = NULL, *want = NULL;
		size_t key_len = rc_test_hex(json_string_value(json_array_get(leaf, 0)), &want_key);
		size_t len = rc_test_hex(json_string_value(json_array_get(leaf, 1)), &want);

		assert_true(rc_proof_next(proof, &key, &value));
		assert_memory_equal(key, want_key, key_len);
		assert_int_equal(value.len, len);
		assert_memory_equal(value.data, want, len);
	}
	assert_false(rc_proof_next(proof, &key, &value));
}

static void test_proofs(void **state)
{
	const json_t *row;
	size_t i;

	(void)state;
	json_array_foreach(rows_of("proofs", 20), i, row)
	{
		RC_AUTOFREE uint8_t *data = NULL;
		size_t len = rc_test_hex(rc_test_str(row, "proof"), &data);
		const char *result = rc_test_str(row, "result");
		struct rc_proof_question q;
		struct rc_proof proof;
		struct rc_hash root;

		question_of(row, &q);
		rc_test_hex_into(row, "state_root", root.b, 32);
		assert_int_equal(rc_proof_check(data, len, &q, &root, &proof), RC_VERDICT_OK);
		assert_int_equal(rc_proof_check(data, len, NULL, &root, &proof), RC_VERDICT_OK);
		assert_int_equal(proof.about.ns, q.ns);
		assert_int_equal(proof.about.bits, q.bits);
		assert_memory_equal(proof.about.prefix, q.prefix, sizeof(q.prefix));
		if (strcmp(result, "absent") == 0) {
			assert_int_equal(proof.answer, RC_PROOF_ABSENT);
		} else if (strcmp(result, "leaves") == 0) {
			assert_int_equal(proof.answer, RC_PROOF_LEAVES);
			check_leaves(&proof, json_object_get(row, "leaves"));
		} else {
			assert_string_equal(result, "total");
			assert_int_equal(proof.answer, RC_PROOF_TOTAL);
			if (q.ns == RC_STATE_COINS)
				assert_true(proof.total ==
					    rc_test_u64(json_object_get(row, "total")));
		}
		/* Every truncation and every flipped bit is refused. */
		for (size_t cut = 0; cut < len; cut++) {
			assert_int_equal(rc_proof_check(data, cut, NULL, &root, &proof),
					 RC_V_PROOF_INVALID);
			data[cut] ^= 1 << cut % 8;
			assert_int_equal(rc_proof_check(data, len, &q, &root, &proof),
					 RC_V_PROOF_INVALID);
			data[cut] ^= 1 << cut % 8;
		}
	}
}

static void test_proofs_bad(void **state)
{
	const json_t *row;
	size_t i;

	(void)state;
	json_array_foreach(rows_of("proofs_bad", 27), i, row)
	{
		RC_AUTOFREE uint8_t *data = NULL;
		size_t len = rc_test_hex(rc_test_str(row, "proof"), &data);
		const json_t *asked = json_object_get(row, "asked");
		struct rc_proof_question q;
		struct rc_proof proof;
		struct rc_hash root;

		if (asked)
			question_of(asked, &q);
		rc_test_hex_into(row, "state_root", root.b, 32);
		if (rc_proof_check(data, len, asked ? &q : NULL, &root, &proof) !=
		    RC_V_PROOF_INVALID)
			fail_msg("row %zu accepted: %s", i, rc_test_str(row, "why"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tries),	   cmocka_unit_test(test_states),
		cmocka_unit_test(test_gov_keys),   cmocka_unit_test(test_proofs),
		cmocka_unit_test(test_proofs_bad),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
