/* crypto/sha256: NIST's messages, tags, and many messages at once. */
#include "tests/unit/rc_test.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/sha256.h"

static void test_nist_messages(void **state)
{
	json_t *root = rc_test_vectors("nist-sha256/sha256-shortmsg.json"), *row;
	size_t i, rows = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "vectors"), i, row)
	{
		RC_AUTOFREE uint8_t *msg = NULL;
		size_t len = rc_test_hex(rc_test_str(row, "msg"), &msg);
		uint8_t want[32], got[32];
		struct rc_sha256 s;

		assert_int_equal(len * 8, rc_test_u64(json_object_get(row, "len_bits")));
		rc_test_hex_into(row, "md", want, 32);
		rc_sha256(msg, len, got);
		assert_memory_equal(got, want, 32);
		rc_sha256_init(&s);
		for (size_t at = 0; at < len; at++)
			rc_sha256_update(&s, msg + at, 1);
		rc_sha256_final(&s, got);
		assert_memory_equal(got, want, 32);
		rows++;
	}
	assert_int_equal(rows, 67);
	json_decref(root);
}

static void test_double(void **state)
{
	uint8_t once[32], twice[32], direct[32];

	(void)state;
	rc_sha256("abc", 3, once);
	rc_sha256(once, 32, twice);
	rc_sha256d("abc", 3, direct);
	assert_memory_equal(direct, twice, 32);
	rc_sha256(once, 32, once); /* in place */
	assert_memory_equal(once, twice, 32);
}

/* The definition, without the table of midstates. */
static void slow_tagged(enum rc_tag tag, const void *data, size_t len, uint8_t ret[32])
{
	struct rc_sha256 s;
	uint8_t hash[32];

	rc_sha256(rc_tag_text(tag), strlen(rc_tag_text(tag)), hash);
	rc_sha256_init(&s);
	rc_sha256_update(&s, hash, 32);
	rc_sha256_update(&s, hash, 32);
	rc_sha256_update(&s, data, len);
	rc_sha256_final(&s, ret);
}

static void test_tags(void **state)
{
	(void)state;
	for (int tag = 0; tag < RC_TAG_COUNT; tag++) {
		struct rc_bytes parts[2] = {{(const uint8_t *)"ab", 2}, {(const uint8_t *)"c", 1}};
		uint8_t want[32], got[32];

		slow_tagged(tag, "abc", 3, want);
		rc_tagged_hash(tag, "abc", 3, got);
		assert_memory_equal(got, want, 32);
		rc_tagged_hash_parts(tag, parts, 2, got);
		assert_memory_equal(got, want, 32);
	}
	assert_string_equal(rc_tag_text(RC_TAG_TXID), "RC/txid");
}

/* Every implementation this CPU has, against one message at a time, at random lengths. */
static void test_many(void **state)
{
	static const char *const names[] = {"openssl", "avx2", "avx512"};
	const char *before = rc_sha256_implementation();
	struct rc_test_random t;
	uint8_t *data = rc_alloc(70 * 320);
	uint8_t *hashes = rc_alloc(70 * 32);

	(void)state;
	rc_test_random_init(&t);
	for (size_t k = 0; k < 3; k++) {
		if (!rc_sha256_force(names[k])) {
			print_message("this CPU has no %s\n", names[k]);
			continue;
		}
		assert_string_equal(rc_sha256_implementation(), names[k]);
		for (int round = 0; round < 300; round++) {
			size_t len = rc_random_below(&t.random, 301);
			size_t stride = len + rc_random_below(&t.random, 20);
			size_t n = rc_random_below(&t.random, 70);
			enum rc_tag tag = (enum rc_tag)rc_random_below(&t.random, RC_TAG_COUNT);
			uint8_t want[32];

			rc_random_fill(&t.random, data, n * stride);
			rc_tagged_hash_many(tag, data, stride, len, n, hashes);
			for (size_t i = 0; i < n; i++) {
				slow_tagged(tag, data + i * stride, len, want);
				assert_memory_equal(hashes + 32 * i, want, 32);
			}
			rc_sha256_many(data, stride, len, n, hashes);
			for (size_t i = 0; i < n; i++) {
				rc_sha256(data + i * stride, len, want);
				assert_memory_equal(hashes + 32 * i, want, 32);
			}
		}
	}
	assert_false(rc_sha256_force("abacus"));
	assert_true(rc_sha256_force(before));
	free(data);
	free(hashes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nist_messages),
		cmocka_unit_test(test_double),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("sha256", tests, NULL, NULL);
}
