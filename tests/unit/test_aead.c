/* crypto/aead, siphash and ecdh. */
#include "tests/unit/rc_test.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "base/num.h"
#include "crypto/aead.h"
#include "crypto/ecdh.h"
#include "crypto/schnorr.h"
#include "crypto/siphash.h"

static void check_row(struct rc_aead *aead, const json_t *row)
{
	RC_AUTOFREE uint8_t *aad = NULL, *msg = NULL, *ct = NULL, *sealed = NULL, *out = NULL;
	bool valid = strcmp(rc_test_str(row, "result"), "valid") == 0;
	size_t aad_len = rc_test_hex(rc_test_str(row, "aad"), &aad);
	size_t len = rc_test_hex(rc_test_str(row, "msg"), &msg);
	uint8_t key[32], nonce[12], tag[16];
	struct rc_bytes parts[2] = {{msg, len / 3}, {msg + len / 3, len - len / 3}};

	assert_int_equal(rc_test_hex(rc_test_str(row, "ct"), &ct), len);
	rc_test_hex_into(row, "key", key, 32);
	rc_test_hex_into(row, "iv", nonce, 12);
	rc_test_hex_into(row, "tag", tag, 16);
	sealed = rc_alloc(len + 16);
	out = rc_alloc(len + 16);
	memcpy(sealed, ct, len);
	memcpy(sealed + len, tag, 16);
	rc_aead_set_key(aead, key);
	memset(out, 0xee, len);
	assert_int_equal(rc_aead_open(aead, nonce, aad, aad_len, sealed, len + 16, out), valid);
	if (valid)
		assert_memory_equal(out, msg, len);
	else
		for (size_t i = 0; i < len; i++)
			assert_int_equal(out[i], 0);
	rc_aead_seal(aead, nonce, aad, aad_len, parts, 2, out);
	assert_int_equal(memcmp(out, sealed, len + 16) == 0, valid);
	/* In place, both ways. */
	assert_true(rc_aead_open(aead, nonce, aad, aad_len, out, len + 16, out));
	assert_memory_equal(out, msg, len);
}

/* All rows with the 96-bit nonce of RFC 8439: 316 of 325. The nine others ask that nonces of other
 * sizes be refused, and such a nonce can't be given to this interface. */
static void test_wycheproof(void **state)
{
	json_t *root = rc_test_vectors("wycheproof/chacha20_poly1305_test.json"), *group, *row;
	struct rc_aead *aead = rc_aead_new();
	size_t i, k, rows = 0, other_nonce = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "testGroups"), i, group)
	{
		bool runs = rc_test_u64(json_object_get(group, "ivSize")) == 96;

		json_array_foreach(json_object_get(group, "tests"), k, row)
		{
			if (runs)
				check_row(aead, row);
			else
				assert_string_equal(rc_test_str(row, "result"), "invalid");
			*(runs ? &rows : &other_nonce) += 1;
		}
	}
	assert_int_equal(rows, 316);
	assert_int_equal(other_nonce, 9);
	rc_aead_free(aead);
	json_decref(root);
}

static void test_short_and_long(void **state)
{
	struct rc_aead *aead = rc_aead_new();
	uint8_t key[32] = {1}, nonce[12], sealed[16];

	(void)state;
	rc_aead_noise_nonce(0x0102030405060708, nonce);
	assert_memory_equal(nonce, "\0\0\0\0\x08\x07\x06\x05\x04\x03\x02\x01", 12);
	rc_aead_set_key(aead, key);
	rc_aead_seal(aead, nonce, NULL, 0, NULL, 0, sealed);
	assert_true(rc_aead_open(aead, nonce, NULL, 0, sealed, 16, NULL));
	assert_false(rc_aead_open(aead, nonce, NULL, 0, sealed, 15, NULL));
	assert_false(rc_aead_open(aead, nonce, "x", 1, sealed, 16, NULL));
	rc_aead_free(aead);
}

static uint64_t openssl_siphash(const uint8_t key[16], const void *data, size_t len)
{
	static const unsigned size = 8;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_SIZE, (unsigned *)&size),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	uint8_t out[8];
	size_t out_len;

	assert_int_equal(EVP_MAC_init(ctx, key, 16, params), 1);
	assert_int_equal(EVP_MAC_update(ctx, data, len), 1);
	assert_int_equal(EVP_MAC_final(ctx, out, &out_len, sizeof(out)), 1);
	assert_int_equal(out_len, 8);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return rc_get_le64(out);
}

/* The paper's example (appendix A), then every length to 300 against OpenSSL's. */
static void test_siphash(void **state)
{
	uint8_t key[16], data[300];

	(void)state;
	for (int i = 0; i < 16; i++)
		key[i] = (uint8_t)i;
	for (int i = 0; i < 300; i++)
		data[i] = (uint8_t)i;
	assert_true(rc_siphash(rc_get_le64(key), rc_get_le64(key + 8), data, 15) ==
		    0xa129ca6149be45e5u);
	for (size_t len = 0; len <= 300; len++)
		assert_true(rc_siphash(rc_get_le64(key), rc_get_le64(key + 8), data, len) ==
			    openssl_siphash(key, data, len));
}

static void test_ecdh(void **state)
{
	struct rc_test_random t;
	uint8_t a[32], b[32], pa[33], pb[33], sa[32], sb[32], zero[32] = {0};

	(void)state;
	rc_test_random_init(&t);
	for (int i = 0; i < 20; i++) {
		rc_random_fill(&t.random, a, 32);
		rc_random_fill(&t.random, b, 32);
		assert_true(rc_point_from_secret(a, pa) && rc_point_from_secret(b, pb));
		assert_true(rc_ecdh(a, pb, sa) && rc_ecdh(b, pa, sb));
		assert_memory_equal(sa, sb, 32);
	}
	assert_true(rc_secret_valid(a) && !rc_secret_valid(zero));
	assert_false(rc_point_from_secret(zero, pa));
	assert_false(rc_ecdh(zero, pb, sa));
	memset(sa, 0xff, 32);
	assert_false(rc_secret_valid(sa));
	pb[0] = 4;
	assert_false(rc_point_valid(pb));
	assert_false(rc_ecdh(a, pb, sa));
	pb[0] = 2;
	memset(pb + 1, 0xff, 32);
	assert_false(rc_point_valid(pb));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wycheproof),
		cmocka_unit_test(test_short_and_long),
		cmocka_unit_test(test_siphash),
		cmocka_unit_test(test_ecdh),
	};

	rc_schnorr_init();
	return cmocka_run_group_tests_name("aead", tests, NULL, NULL);
}
