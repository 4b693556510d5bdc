/* crypto/bip32, bip39, base58: the published rows. */
#include "tests/unit/rc_test.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/bip32.h"
#include "crypto/bip39.h"
#include "crypto/schnorr.h"

static void check_chain(const struct rc_bip32 *root, const json_t *row)
{
	uint32_t path[RC_BIP32_PATH_MAX];
	char text[RC_BASE58_TEXT_MAX];
	struct rc_bip32 key, decoded, public;
	size_t n;

	assert_true(rc_bip32_path_parse(rc_test_str(row, "path"), path, &n));
	assert_true(rc_bip32_derive(root, path, n, &key));
	rc_bip32_encode(&key, text);
	assert_string_equal(text, rc_test_str(row, "xprv"));
	assert_true(rc_bip32_decode(text, &decoded));
	assert_memory_equal(&decoded, &key, sizeof(key));
	rc_bip32_neuter(&key);
	rc_bip32_encode(&key, text);
	assert_string_equal(text, rc_test_str(row, "xpub"));
	assert_true(rc_bip32_decode(text, &decoded));
	assert_memory_equal(&decoded, &key, sizeof(key));
	/* The last step by public derivation, where that is possible. */
	if (!n || path[n - 1] & RC_BIP32_HARDENED)
		return;
	assert_true(rc_bip32_derive(root, path, n - 1, &public));
	rc_bip32_neuter(&public);
	assert_true(rc_bip32_child(&public, path[n - 1], &public));
	assert_memory_equal(&public, &key, sizeof(key));
}

static void test_bip32(void **state)
{
	json_t *root = rc_test_vectors("bip32/bip32.json"), *row, *chain;
	size_t i, k, chains = 0, invalid = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "valid"), i, row)
	{
		RC_AUTOFREE uint8_t *seed = NULL;
		size_t len = rc_test_hex(rc_test_str(row, "seed"), &seed);
		struct rc_bip32 key;

		assert_true(rc_bip32_from_seed(seed, len, &key));
		json_array_foreach(json_object_get(row, "chains"), k, chain)
		{
			check_chain(&key, chain);
			chains++;
		}
	}
	json_array_foreach(json_object_get(root, "invalid"), i, row)
	{
		struct rc_bip32 key;

		if (rc_bip32_decode(rc_test_str(row, "key"), &key))
			fail_msg("accepted: %s", rc_test_str(row, "reason"));
		invalid++;
	}
	assert_int_equal(chains, 6 + 6 + 2 + 3);
	assert_int_equal(invalid, 16);
	json_decref(root);
}

static void test_bip32_edges(void **state)
{
	static const char *const bad_paths[] = {
		"",	 "/",
		"m/",	 "m/0/",
		"m//0",	 "m/-1",
		"m/x",	 "m/0''",
		"n/0",	 "m/2147483648",
		"m/0h'", "m/ 0",
		"m0",	 "m/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0",
	};
	uint32_t path[RC_BIP32_PATH_MAX];
	uint8_t seed[65] = {1};
	struct rc_bip32 key;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad_paths) / sizeof(bad_paths[0]); i++)
		assert_false(rc_bip32_path_parse(bad_paths[i], path, &n));
	assert_true(rc_bip32_path_parse("m/86'/1h/2147483647", path, &n));
	assert_int_equal(n, 3);
	assert_int_equal(path[1], 1 | RC_BIP32_HARDENED);
	assert_int_equal(path[2], 2147483647);
	assert_false(rc_bip32_from_seed(seed, 15, &key));
	assert_false(rc_bip32_from_seed(seed, 65, &key));
	assert_true(rc_bip32_from_seed(seed, 64, &key));
	rc_bip32_neuter(&key);
	assert_false(rc_bip32_child(&key, RC_BIP32_HARDENED, &key));
	key.depth = 255;
	assert_false(rc_bip32_child(&key, 0, &key));
}

static void test_base58(void **state)
{
	uint8_t data[4] = {0, 0, 1, 2}, out[4];
	char text[RC_BASE58_TEXT_MAX];

	(void)state;
	rc_base58_encode(data, 4, text);
	assert_memory_equal(text, "11", 2);
	assert_true(rc_base58_decode(text, out, 4));
	assert_memory_equal(out, data, 4);
	assert_false(rc_base58_decode(text + 1, out, 4));
	assert_false(rc_base58_decode(text, out, 3));
	text[3] = text[3] == '2' ? '3' : '2';
	assert_false(rc_base58_decode(text, out, 4));
	assert_false(rc_base58_decode("0OIl", out, 1));
	assert_false(rc_base58_decode("", out, 1));
}

static void test_bip39(void **state)
{
	RC_AUTOFREE char *list = rc_test_vector_text("bip39/english-wordlist.txt");
	json_t *root = rc_test_vectors("bip39/vectors.json"), *row;
	char *rest = list, *word;
	size_t i, rows = 0, words = 0;

	(void)state;
	while ((word = strsep(&rest, "\n")))
		if (*word)
			assert_string_equal(rc_bip39_words[words++], word);
	assert_int_equal(words, 2048);
	json_array_foreach(json_object_get(root, "english"), i, row)
	{
		const char *sentence = json_string_value(json_array_get(row, 1));
		RC_AUTOFREE uint8_t *entropy = NULL, *want = NULL;
		size_t len = rc_test_hex(json_string_value(json_array_get(row, 0)), &entropy);
		uint8_t got[RC_BIP39_ENTROPY_MAX], seed[RC_BIP39_SEED_SIZE];
		char text[RC_BIP39_SENTENCE_MAX], xprv[RC_BASE58_TEXT_MAX];
		struct rc_bip32 key;
		size_t got_len;

		rc_bip39_encode(entropy, len, text);
		assert_string_equal(text, sentence);
		assert_int_equal(rc_bip39_decode(sentence, got, &got_len, NULL), RC_BIP39_OK);
		assert_int_equal(got_len, len);
		assert_memory_equal(got, entropy, len);
		rc_bip39_seed(text, "TREZOR", seed);
		assert_int_equal(rc_test_hex(json_string_value(json_array_get(row, 2)), &want), 64);
		assert_memory_equal(seed, want, 64);
		assert_true(rc_bip32_from_seed(seed, 64, &key));
		rc_bip32_encode(&key, xprv);
		assert_string_equal(xprv, json_string_value(json_array_get(row, 3)));
		rows++;
	}
	/* The rows in other languages need their lists, which the wallet doesn't have. */
	assert_int_equal(rows, 24);
	json_decref(root);
}

static void test_bip39_refusals(void **state)
{
	static const char good[] = "legal winner thank year wave sausage worth useful legal winner "
				   "thank yellow";
	uint8_t entropy[RC_BIP39_ENTROPY_MAX];
	unsigned bad = 0;
	size_t len;

	(void)state;
	assert_int_equal(rc_bip39_decode(good, entropy, &len, NULL), RC_BIP39_OK);
	assert_int_equal(rc_bip39_decode("  LEGAL winner\tthank year wave sausage worth useful\n"
					 "legal Winner thank yellow\n",
					 entropy, &len, NULL),
			 RC_BIP39_OK);
	assert_int_equal(rc_bip39_decode("winner legal thank year wave sausage worth useful legal "
					 "winner thank yellow",
					 entropy, &len, NULL),
			 RC_BIP39_CHECKSUM);
	assert_int_equal(
		rc_bip39_decode("legal winner thank year wave sausagee worth", entropy, &len, &bad),
		RC_BIP39_WORD);
	assert_int_equal(bad, 6);
	assert_int_equal(rc_bip39_decode("abandonabandonabandon", entropy, &len, &bad),
			 RC_BIP39_WORD);
	assert_int_equal(rc_bip39_decode("", entropy, &len, NULL), RC_BIP39_COUNT);
	assert_int_equal(rc_bip39_decode(good + 6, entropy, &len, NULL), RC_BIP39_COUNT);
	{
		RC_AUTOFREE char *many = rc_asprintf("%s %s %s", good, good, good);

		assert_int_equal(rc_bip39_decode(many, entropy, &len, NULL), RC_BIP39_COUNT);
	}
	assert_non_null(strstr(rc_bip39_result_text(RC_BIP39_CHECKSUM), "swapped"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bip32),	       cmocka_unit_test(test_bip32_edges),
		cmocka_unit_test(test_base58),	       cmocka_unit_test(test_bip39),
		cmocka_unit_test(test_bip39_refusals),
	};

	rc_schnorr_init();
	return cmocka_run_group_tests_name("hdkeys", tests, NULL, NULL);
}
