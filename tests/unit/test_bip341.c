/* consensus/taproot with Bitcoin's tags: the rows of BIP341 on our own code. */
#include "tests/unit/rc_test.h"

#include <stdlib.h>
#include <string.h>

#include "consensus/taproot.h"
#include "crypto/schnorr.h"
#include "types/address.h"

/* The leaf hash or the fold of a tree, as the vectors nest it; counts the leaves' hashes. */
static void tree_hash(const json_t *tree, const json_t *leaf_hashes, size_t *leaves,
		      struct rc_hash *ret)
{
	if (json_is_array(tree)) {
		struct rc_hash left, right;

		tree_hash(json_array_get(tree, 0), leaf_hashes, leaves, &left);
		tree_hash(json_array_get(tree, 1), leaf_hashes, leaves, &right);
		rc_taproot_branch(&rc_taproot_bip341, &left, &right, ret);
	} else {
		RC_AUTOFREE uint8_t *script = NULL, *want = NULL;
		size_t len = rc_test_hex(rc_test_str(tree, "script"), &script);
		size_t id = rc_test_u64(json_object_get(tree, "id"));
		uint8_t version = (uint8_t)rc_test_u64(json_object_get(tree, "leafVersion"));

		rc_taproot_leaf(&rc_taproot_bip341, version, script, len, ret);
		rc_test_hex(json_string_value(json_array_get(leaf_hashes, id)), &want);
		assert_memory_equal(ret->b, want, 32);
		++*leaves;
	}
}

/* Folds the siblings of a control block up from a leaf: it must end at the root. */
static void check_control(const char *hex, const struct rc_hash *root, const json_t *leaf_hash,
			  const uint8_t internal[32])
{
	RC_AUTOFREE uint8_t *control = NULL, *leaf = NULL;
	size_t len = rc_test_hex(hex, &control);
	struct rc_hash at, sibling;

	rc_test_hex(json_string_value(leaf_hash), &leaf);
	memcpy(at.b, leaf, 32);
	assert_memory_equal(control + 1, internal, 32);
	for (size_t i = RC_CONTROL_BASE; i < len; i += RC_CONTROL_STEP) {
		memcpy(sibling.b, control + i, 32);
		rc_taproot_branch(&rc_taproot_bip341, &at, &sibling, &at);
	}
	assert_memory_equal(at.b, root->b, 32);
}

static void check_output_row(const json_t *row, size_t *leaves, size_t *controls)
{
	const json_t *given = json_object_get(row, "given"), *control;
	const json_t *between = json_object_get(row, "intermediary");
	const json_t *expected = json_object_get(row, "expected");
	const json_t *tree = json_object_get(given, "scriptTree");
	const json_t *leaf_hashes = json_object_get(between, "leafHashes");
	uint8_t internal[32], want[32], got[32], parity_byte;
	struct rc_hash root, *root_or_none = NULL;
	char address[RC_ADDRESS_SIZE];
	int parity;
	size_t i;

	rc_test_hex_into(given, "internalPubkey", internal, 32);
	if (!json_is_null(tree)) {
		tree_hash(tree, leaf_hashes, leaves, &root);
		rc_test_hex_into(between, "merkleRoot", want, 32);
		assert_memory_equal(root.b, want, 32);
		root_or_none = &root;
	}
	rc_taproot_tweak(&rc_taproot_bip341, internal, root_or_none, got);
	rc_test_hex_into(between, "tweak", want, 32);
	assert_memory_equal(got, want, 32);
	assert_true(rc_taproot_output(&rc_taproot_bip341, internal, root_or_none, got, &parity));
	rc_test_hex_into(between, "tweakedPubkey", want, 32);
	assert_memory_equal(got, want, 32);
	rc_address_encode("bc", got, address);
	assert_string_equal(address, rc_test_str(expected, "bip350Address"));
	json_array_foreach(json_object_get(expected, "scriptPathControlBlocks"), i, control)
	{
		const char *hex = json_string_value(control);

		check_control(hex, &root, json_array_get(leaf_hashes, i), internal);
		parity_byte = (uint8_t)strtoul((char[]){hex[0], hex[1], 0}, NULL, 16);
		assert_int_equal(parity_byte & 1, parity);
		++*controls;
	}
}

static void test_outputs(void **state)
{
	json_t *root = rc_test_vectors("bip341/wallet-test-vectors.json"), *row;
	size_t i, rows = 0, leaves = 0, controls = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "scriptPubKey"), i, row)
	{
		check_output_row(row, &leaves, &controls);
		rows++;
	}
	assert_int_equal(rows, 7);
	assert_int_equal(leaves, 12);
	assert_int_equal(controls, 12);
	json_decref(root);
}

/* Secrets and their tweaks. The vectors' signature hashes and witnesses are Bitcoin's, which our
 * transactions don't have. */
static void test_secrets(void **state)
{
	json_t *root = rc_test_vectors("bip341/wallet-test-vectors.json"), *spend, *row;
	size_t i, k, rows = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "keyPathSpending"), i, spend)
		json_array_foreach(json_object_get(spend, "inputSpending"), k, row)
	{
		const json_t *given = json_object_get(row, "given");
		const json_t *between = json_object_get(row, "intermediary");
		uint8_t secret[32], want[32], got[32], internal[32];
		struct rc_hash merkle, *merkle_or_none = NULL;

		rc_test_hex_into(given, "internalPrivkey", secret, 32);
		rc_test_hex_into(between, "internalPubkey", want, 32);
		assert_true(rc_xonly_from_secret(secret, internal, NULL));
		assert_memory_equal(internal, want, 32);
		if (!json_is_null(json_object_get(given, "merkleRoot"))) {
			rc_test_hex_into(given, "merkleRoot", merkle.b, 32);
			merkle_or_none = &merkle;
		}
		rc_taproot_tweak(&rc_taproot_bip341, internal, merkle_or_none, got);
		rc_test_hex_into(between, "tweak", want, 32);
		assert_memory_equal(got, want, 32);
		assert_true(rc_secret_tweak(secret, got, got));
		rc_test_hex_into(between, "tweakedPrivkey", want, 32);
		assert_memory_equal(got, want, 32);
		rows++;
	}
	assert_int_equal(rows, 7);
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outputs),
		cmocka_unit_test(test_secrets),
	};

	rc_schnorr_init();
	return cmocka_run_group_tests_name("bip341", tests, NULL, NULL);
}
