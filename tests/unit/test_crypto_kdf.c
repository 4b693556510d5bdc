/* crypto/hmac, hkdf, scrypt: the rows of RFC 5869, RFC 7914 and Wycheproof. */
#include "tests/unit/rc_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "crypto/hkdf.h"
#include "crypto/hmac.h"
#include "crypto/ripemd160.h"
#include "crypto/scrypt.h"

struct blob {
	uint8_t *data;
	size_t len;
};

static struct blob member(const json_t *row, const char *key)
{
	struct blob b;

	b.len = rc_test_hex(rc_test_str(row, key), &b.data);
	return b;
}

static void blob_free(struct blob *b)
{
	free(b->data);
}
#define BLOB RC_CLEANUP(blob_free) struct blob

static bool is_valid(const json_t *row)
{
	return strcmp(rc_test_str(row, "result"), "valid") == 0;
}

static void test_hkdf_rfc5869(void **state)
{
	json_t *root = rc_test_vectors("rfc5869/hkdf-sha256.json"), *row;
	size_t i, rows = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "vectors"), i, row)
	{
		BLOB ikm = member(row, "ikm"), salt = member(row, "salt");
		BLOB info = member(row, "info"), okm = member(row, "okm");
		uint8_t prk[32], want[32], got[128];

		rc_test_hex_into(row, "prk", want, 32);
		rc_hkdf_sha256_extract(salt.data, salt.len, ikm.data, ikm.len, prk);
		assert_memory_equal(prk, want, 32);
		assert_int_equal(okm.len, rc_test_u64(json_object_get(row, "L")));
		assert_true(rc_hkdf_sha256_expand(prk, info.data, info.len, got, okm.len));
		assert_memory_equal(got, okm.data, okm.len);
		rows++;
	}
	assert_int_equal(rows, 3);
	json_decref(root);
}

static void check_hkdf_row(const json_t *row)
{
	BLOB ikm = member(row, "ikm"), salt = member(row, "salt");
	BLOB info = member(row, "info"), okm = member(row, "okm");
	size_t size = rc_test_u64(json_object_get(row, "size"));
	RC_AUTOFREE uint8_t *got = rc_alloc(size);
	uint8_t prk[32];

	rc_hkdf_sha256_extract(salt.data, salt.len, ikm.data, ikm.len, prk);
	assert_int_equal(rc_hkdf_sha256_expand(prk, info.data, info.len, got, size), is_valid(row));
	if (!is_valid(row))
		return;
	assert_int_equal(size, okm.len);
	assert_memory_equal(got, okm.data, size);
}

static void check_hmac_row(const json_t *row)
{
	BLOB key = member(row, "key"), msg = member(row, "msg"), tag = member(row, "tag");
	uint8_t mac[64];

	/* Half of the rows hold the first 32 bytes of the MAC. */
	rc_hmac_sha512(key.data, key.len, msg.data, msg.len, mac);
	assert_true(tag.len == 64 || tag.len == 32);
	assert_int_equal(memcmp(mac, tag.data, tag.len) == 0, is_valid(row));
}

static void check_pbkdf2_row(const json_t *row)
{
	BLOB password = member(row, "password"), salt = member(row, "salt");
	BLOB dk = member(row, "dk");
	RC_AUTOFREE uint8_t *got = rc_alloc(dk.len);
	unsigned iterations = (unsigned)rc_test_u64(json_object_get(row, "iterationCount"));

	assert_int_equal(dk.len, rc_test_u64(json_object_get(row, "dkLen")));
	rc_pbkdf2_hmac_sha512(password.data, password.len, salt.data, salt.len, iterations, got,
			      dk.len);
	assert_true(is_valid(row));
	assert_memory_equal(got, dk.data, dk.len);
}

/* Calls check for each row of a Wycheproof file; returns how many there were. */
static size_t wycheproof(const char *file, void (*check)(const json_t *row))
{
	json_t *root = rc_test_vectors(file), *group, *row;
	size_t i, k, rows = 0;

	json_array_foreach(json_object_get(root, "testGroups"), i, group)
	{
		json_array_foreach(json_object_get(group, "tests"), k, row)
		{
			check(row);
			rows++;
		}
	}
	assert_int_equal(rows, rc_test_u64(json_object_get(root, "numberOfTests")));
	json_decref(root);
	return rows;
}

static void test_hkdf_wycheproof(void **state)
{
	(void)state;
	assert_int_equal(wycheproof("wycheproof/hkdf_sha256_test.json", check_hkdf_row), 86);
}

static void test_hmac_sha512_wycheproof(void **state)
{
	(void)state;
	assert_int_equal(wycheproof("wycheproof/hmac_sha512_test.json", check_hmac_row), 174);
}

static void test_pbkdf2_wycheproof(void **state)
{
	(void)state;
	assert_int_equal(wycheproof("wycheproof/pbkdf2_hmacsha512_test.json", check_pbkdf2_row),
			 58);
}

static void test_scrypt_rfc7914(void **state)
{
	json_t *root = rc_test_vectors("rfc7914/scrypt.json"), *row;
	size_t i, rows = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "vectors"), i, row)
	{
		const char *password = rc_test_str(row, "password");
		const char *salt = rc_test_str(row, "salt");
		struct rc_scrypt_params params = {
			.n = rc_test_u64(json_object_get(row, "N")),
			.r = (uint32_t)rc_test_u64(json_object_get(row, "r")),
			.p = (uint32_t)rc_test_u64(json_object_get(row, "p")),
		};
		uint64_t memory = 128 * (uint64_t)params.r * (params.n + params.p + 2);
		uint8_t want[64], got[64];

		rc_test_hex_into(row, "derived_key", want, 64);
		assert_int_equal(rc_scrypt(password, strlen(password), salt, strlen(salt), params,
					   memory - 1, got, 64),
				 RC_ETOOBIG);
		assert_int_equal(rc_scrypt(password, strlen(password), salt, strlen(salt), params,
					   memory, got, 64),
				 RC_OK);
		assert_memory_equal(got, want, 64);
		rows++;
	}
	assert_int_equal(rows, 4);
	json_decref(root);
}

static void test_scrypt_params(void **state)
{
	static const struct rc_scrypt_params bad[] = {
		{0, 8, 1},
		{1, 8, 1},
		{1000, 8, 1},
		{1024, 0, 1},
		{1024, 8, 0},
		{65536, 1, 1},
		{1024, 1u << 15, 1u << 15},
		{1024, ~0u, ~0u},
	};
	uint8_t out[32];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(rc_scrypt("", 0, "", 0, bad[i], UINT64_MAX, out, 32), RC_ERANGE);
	assert_int_equal(rc_scrypt("", 0, "", 0, (struct rc_scrypt_params){1ull << 63, 8, 1},
				   UINT64_MAX, out, 32),
			 RC_ETOOBIG);
}

/* RFC 4231's first case, and a key longer than a block (its sixth). */
static void test_hmac_sha256(void **state)
{
	uint8_t key[131], mac[32], want[32];

	(void)state;
	memset(key, 0x0b, 20);
	rc_hmac_sha256(key, 20, "Hi There", 8, mac);
	assert_memory_equal(mac,
			    "\xb0\x34\x4c\x61\xd8\xdb\x38\x53\x5c\xa8\xaf\xce\xaf\x0b\xf1\x2b"
			    "\x88\x1d\xc2\x00\xc9\x83\x3d\xa7\x26\xe9\x37\x6c\x2e\x32\xcf\xf7",
			    32);
	memset(key, 0xaa, sizeof(key));
	rc_hmac_sha256(key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First",
		       54, want);
	assert_memory_equal(want,
			    "\x60\xe4\x31\x59\x1e\xe0\xb6\x7f\x0d\x8a\x26\xaa\xcb\xf5\xb7\x7f"
			    "\x8e\x0b\xc6\x21\x37\x28\xc5\x14\x05\x46\x04\x0f\x0e\xe3\x7f\x54",
			    32);
}

static void test_hash160(void **state)
{
	uint8_t hash[20];

	(void)state;
	rc_hash160("", 0, hash);
	assert_memory_equal(hash,
			    "\xb4\x72\xa2\x66\xd0\xbd\x89\xc1\x37\x06\xa4\x13\x2c\xcf\xb1\x6f"
			    "\x7c\x3b\x9f\xcb",
			    20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hkdf_rfc5869),
		cmocka_unit_test(test_hkdf_wycheproof),
		cmocka_unit_test(test_hmac_sha256),
		cmocka_unit_test(test_hmac_sha512_wycheproof),
		cmocka_unit_test(test_pbkdf2_wycheproof),
		cmocka_unit_test(test_scrypt_rfc7914),
		cmocka_unit_test(test_scrypt_params),
		cmocka_unit_test(test_hash160),
	};

	return cmocka_run_group_tests_name("crypto_kdf", tests, NULL, NULL);
}
