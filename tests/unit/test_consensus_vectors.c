/* Check values of networks, difficulty, subsidy and the transactions' tree. */
#include "tests/unit/rc_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "consensus/body_check.h"
#include "consensus/merkle.h"
#include "consensus/network.h"
#include "consensus/pow.h"
#include "consensus/subsidy.h"

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

static uint64_t number(const json_t *row, const char *key)
{
	return rc_test_u64(json_object_get(row, key));
}

/* bits and the like are hexadecimal numbers. */
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

static void test_networks(void **state)
{
	const json_t *row;
	size_t i;

	(void)state;
	json_array_foreach(rows_of("networks", 3), i, row)
	{
		struct rc_arena arena = RC_ARENA_INIT;
		struct rc_buf buf = RC_BUF_INIT;
		struct rc_network_params params;
		struct rc_network n;
		struct rc_block block;

		assert_true(rc_network_builtin(rc_test_str(row, "name"), &n));
		assert_string_equal(n.params.name, rc_test_str(row, "name"));
		assert_bytes(row, "table", n.table, n.table_len);
		assert_bytes(row, "genesis_block", n.genesis_block, n.genesis_len);
		assert_bytes(row, "genesis_id", n.genesis_id.b, 32);
		assert_bytes(row, "network_id", n.id.b, 32);
		assert_true(rc_network_table_decode(n.table, n.table_len, &params));
		rc_network_table_encode(&params, &buf);
		assert_bytes(row, "table", buf.data, buf.len);

		assert_int_equal(rc_block_check(n.genesis_block, n.genesis_len, &arena, &block),
				 RC_VERDICT_OK);
		assert_bytes(row, "genesis_tx", block.txs[0].raw.data, block.txs[0].raw.len);
		assert_bytes(row, "genesis_txid", block.txs[0].txid.b, 32);
		assert_bytes(row, "genesis_witness_hash", block.txs[0].witness_hash.b, 32);
		assert_bytes(row, "genesis_tx_root", block.header.tx_root.b, 32);
		rc_buf_done(&buf);
		rc_arena_done(&arena);
	}
}

static void test_bits(void **state)
{
	const json_t *row;
	char hex[65];
	size_t i;

	(void)state;
	json_array_foreach(rows_of("bits", 28), i, row)
	{
		uint32_t bits = hex_number(row, "bits");
		struct rc_u256 target, work;

		assert_int_equal(rc_bits_target(bits, &target),
				 json_is_true(json_object_get(row, "canonical")));
		if (!json_is_true(json_object_get(row, "canonical")))
			continue;
		assert_string_equal(rc_u256_hex(hex, &target), rc_test_str(row, "target"));
		work = rc_work_of_bits(bits);
		assert_string_equal(rc_u256_hex(hex, &work), rc_test_str(row, "work"));
		assert_int_equal(rc_target_bits(&target), bits);
	}
}

/* Targets are written without leading zeros here. */
static void test_compact(void **state)
{
	const json_t *row;
	size_t i;

	(void)state;
	json_array_foreach(rows_of("compact", 17), i, row)
	{
		const char *digits = json_string_value(json_array_get(row, 0));
		char padded[65];
		struct rc_u256 target;
		uint8_t be[32], back[32];

		assert_true(strlen(digits) <= 64);
		memset(padded, '0', 64);
		memcpy(padded + 64 - strlen(digits), digits, strlen(digits) + 1);
		assert_true(rc_hex_decode(padded, be, 32));
		rc_u256_decode_be(be, &target);
		rc_u256_encode_be(&target, back);
		assert_memory_equal(back, be, 32);
		assert_int_equal(rc_target_bits(&target),
				 strtoul(json_string_value(json_array_get(row, 1)), NULL, 16));
	}
}

static void test_asert(void **state)
{
	const json_t *row;
	size_t i, wrong = 0;

	(void)state;
	json_array_foreach(rows_of("asert", 18), i, row)
	{
		struct rc_network n;
		uint32_t bits;

		assert_true(rc_network_builtin("main", &n));
		n.params.genesis_bits = hex_number(row, "genesis_bits");
		assert_true(rc_bits_target(n.params.genesis_bits, &n.genesis_target));
		bits = rc_required_bits(&n, (uint32_t)number(row, "parent_height"),
					(uint32_t)(n.params.genesis_time +
						   number(row, "parent_time_minus_genesis_time")));
		assert_int_equal(bits, hex_number(row, "bits"));
		if (json_object_get(row, "wrong_if_floored")) {
			assert_int_not_equal(bits, hex_number(row, "wrong_if_floored"));
			wrong++;
		}
	}
	assert_int_equal(wrong, 8);
}

static void test_subsidy(void **state)
{
	const json_t *row;
	size_t i;

	(void)state;
	json_array_foreach(rows_of("subsidy", 18), i, row)
	{
		uint32_t height = (uint32_t)number(row, "height");
		struct rc_network n;

		assert_true(rc_network_builtin(rc_test_str(row, "network"), &n));
		assert_true(rc_subsidy(&n, height) == number(row, "subsidy"));
		assert_true(rc_subsidy_treasury(&n, height) == number(row, "treasury"));
		assert_true(rc_subsidy_masternode(&n, height) == number(row, "masternode"));
		assert_true(rc_miner_limit(&n, height, 5) ==
			    number(row, "subsidy") - number(row, "treasury") + 5);
	}
}

/* T grows by its share, pays, and is emptied at the end of a cycle. */
static void test_treasury(void **state)
{
	struct rc_network n;
	rc_amount t = 0;

	(void)state;
	assert_true(rc_network_builtin("reg", &n));
	for (uint32_t h = 1; h < 50; h++) {
		t = rc_treasury_after(&n, h, t, 0);
		assert_true(t == h * 500000000ull);
	}
	assert_true(rc_treasury_after(&n, 49, t, 7) == t + 500000000ull - 7);
	assert_true(rc_treasury_after(&n, 50, t, 0) == 0);
}

static void test_tx_root(void **state)
{
	const json_t *row;
	size_t i, n_proofs = 0;

	(void)state;
	json_array_foreach(rows_of("tx_root", 5), i, row)
	{
		const json_t *leaves = json_object_get(row, "leaves");
		const json_t *proofs = json_object_get(row, "proofs");
		uint32_t n = (uint32_t)json_array_size(leaves);
		struct rc_arena arena = RC_ARENA_INIT;
		struct rc_wtxid *wtxids = rc_alloc_array(n, sizeof(*wtxids));
		struct rc_hash root;

		assert_int_equal(n, number(row, "n"));
		assert_int_equal(json_array_size(proofs), n);
		for (uint32_t j = 0; j < n; j++) {
			const json_t *leaf = json_array_get(leaves, j);
			struct rc_txid txid;
			struct rc_hash witness_hash;

			rc_test_hex_into(leaf, "txid", txid.b, 32);
			rc_test_hex_into(leaf, "witness_hash", witness_hash.b, 32);
			rc_wtxid_of(&txid, &witness_hash, &wtxids[j]);
			assert_bytes(leaf, "wtxid", wtxids[j].b, 32);
		}
		rc_tx_root(wtxids, sizeof(*wtxids), n, &arena, &root);
		assert_bytes(row, "tx_root", root.b, 32);
		for (uint32_t j = 0; j < n; j++, n_proofs++) {
			const json_t *leaf = json_array_get(leaves, j);
			struct rc_buf buf = RC_BUF_INIT;
			RC_AUTOFREE uint8_t *want = NULL;
			struct rc_hash witness_hash;
			struct rc_txid txid;
			uint32_t index;
			size_t len =
				rc_test_hex(json_string_value(json_array_get(proofs, j)), &want);

			rc_test_hex_into(leaf, "txid", txid.b, 32);
			rc_test_hex_into(leaf, "witness_hash", witness_hash.b, 32);
			rc_inclusion_make(wtxids, sizeof(*wtxids), n, j, &witness_hash, &arena,
					  &buf);
			assert_int_equal(buf.len, len);
			assert_memory_equal(buf.data, want, len);
			assert_int_equal(rc_inclusion_check(want, len, &txid, &root, &index),
					 RC_VERDICT_OK);
			assert_int_equal(index, j);
			for (size_t cut = 0; cut < len; cut++)
				assert_int_equal(
					rc_inclusion_check(want, cut, &txid, &root, &index),
					RC_V_PROOF_INVALID);
			rc_buf_done(&buf);
		}
		free(wtxids);
		rc_arena_done(&arena);
	}
	assert_true(n_proofs > 5);
}

static void test_tx_root_bad(void **state)
{
	const json_t *row;
	size_t i;

	(void)state;
	json_array_foreach(rows_of("tx_root_bad", 7), i, row)
	{
		RC_AUTOFREE uint8_t *proof = NULL;
		size_t len = rc_test_hex(rc_test_str(row, "proof"), &proof);
		struct rc_txid txid;
		struct rc_hash root;
		uint32_t index;

		rc_test_hex_into(row, "txid", txid.b, 32);
		rc_test_hex_into(row, "tx_root", root.b, 32);
		if (rc_inclusion_check(proof, len, &txid, &root, &index) != RC_V_PROOF_INVALID)
			fail_msg("row %zu accepted: %s", i, rc_test_str(row, "why"));
	}
}

/* Every table of the file is run by some test: a new one must not go unnoticed. */
static void test_tables(void **state)
{
	static const char *const run[] = {
		"networks",	"bits",	       "compact",     "asert", "subsidy",
		"tx_root",	"tx_root_bad", "cs",	      "tries", "gov_keys",
		"states",	"proofs",      "proofs_bad",  "keys",  "signed",
		"policy_spend", "policy_form", "policy_eval", "chain",
	};

	(void)state;
	assert_int_equal(json_object_size(vectors), sizeof(run) / sizeof(run[0]));
	for (size_t i = 0; i < sizeof(run) / sizeof(run[0]); i++)
		assert_non_null(json_object_get(vectors, run[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks), cmocka_unit_test(test_bits),
		cmocka_unit_test(test_compact),	 cmocka_unit_test(test_asert),
		cmocka_unit_test(test_subsidy),	 cmocka_unit_test(test_treasury),
		cmocka_unit_test(test_tx_root),	 cmocka_unit_test(test_tx_root_bad),
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
