/* crypto/schnorr: BIP340's rows and the key arithmetic of locks. */
#include "tests/unit/rc_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "crypto/schnorr.h"

/* The next field of a CSV line; the fields hold no quotes. */
static char *field(char **line)
{
	return strsep(line, ",");
}

static void check_bip340_row(char *line, size_t *ret_signed)
{
	uint8_t secret[32], pubkey[32], aux[32], sig[64], got[64];
	RC_AUTOFREE uint8_t *msg = NULL;
	char *secret_hex, *aux_hex;
	size_t msg_len;
	bool valid;

	field(&line);
	secret_hex = field(&line);
	assert_true(rc_hex_decode(field(&line), pubkey, 32));
	aux_hex = field(&line);
	msg_len = rc_test_hex(field(&line), &msg);
	assert_true(rc_hex_decode(field(&line), sig, 64));
	valid = strcmp(field(&line), "TRUE") == 0;

	assert_int_equal(rc_schnorr_verify(sig, msg, msg_len, pubkey), valid);
	if (!*secret_hex)
		return;
	assert_true(rc_hex_decode(secret_hex, secret, 32));
	assert_true(rc_hex_decode(aux_hex, aux, 32));
	assert_true(rc_xonly_from_secret(secret, got, NULL));
	assert_memory_equal(got, pubkey, 32);
	assert_true(rc_schnorr_sign(secret, msg, msg_len, aux, got));
	assert_memory_equal(got, sig, 64);
	++*ret_signed;
}

static void test_bip340(void **state)
{
	RC_AUTOFREE char *text = rc_test_vector_text("bip340/test-vectors.csv");
	size_t rows = 0, rows_signed = 0;
	char *rest = text, *line;

	(void)state;
	strsep(&rest, "\n"); /* names of the columns */
	while ((line = strsep(&rest, "\r\n"))) {
		if (!*line)
			continue;
		check_bip340_row(line, &rows_signed);
		rows++;
	}
	assert_int_equal(rows, 19);
	assert_int_equal(rows_signed, 8);
}

/* The order of the curve; a secret or tweak must be below it. */
static const char order_hex[] = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

static void test_bad_secrets(void **state)
{
	uint8_t zero[32] = {0}, order[32], out[64], untouched[64];

	(void)state;
	memset(untouched, 7, sizeof(untouched));
	memcpy(out, untouched, sizeof(out));
	assert_true(rc_hex_decode(order_hex, order, 32));
	assert_false(rc_schnorr_sign(zero, "m", 1, NULL, out));
	assert_false(rc_schnorr_sign(order, "m", 1, NULL, out));
	assert_false(rc_xonly_from_secret(order, out, NULL));
	assert_false(rc_xonly_valid(zero)); /* 7 is no square */
	assert_memory_equal(out, untouched, sizeof(out));
}

static void test_keys(void **state)
{
	json_t *root = rc_test_vectors("rustycoin/check-values.json"), *row;
	size_t i, rows = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "keys"), i, row)
	{
		uint8_t secret[32], internal[32], tweak[32], tweaked[32], output[32], got[32];
		int parity = (int)json_integer_value(json_object_get(row, "parity")), got_parity;
		bool key_bad = true;

		rc_test_hex_into(row, "secret", secret, 32);
		rc_test_hex_into(row, "internal_key", internal, 32);
		rc_test_hex_into(row, "tweak", tweak, 32);
		rc_test_hex_into(row, "tweaked_secret", tweaked, 32);
		rc_test_hex_into(row, "output_key", output, 32);
		assert_true(rc_xonly_from_secret(secret, got, NULL));
		assert_memory_equal(got, internal, 32);
		rc_tagged_hash(RC_TAG_TAPTWEAK, internal, 32, got);
		assert_memory_equal(got, tweak, 32);
		assert_true(rc_secret_tweak(secret, tweak, got));
		assert_memory_equal(got, tweaked, 32);
		assert_true(rc_xonly_tweak(internal, tweak, got, &got_parity));
		assert_memory_equal(got, output, 32);
		assert_int_equal(got_parity, parity);
		assert_true(rc_xonly_tweak_check(output, parity, internal, tweak, &key_bad));
		assert_false(key_bad);
		assert_false(rc_xonly_tweak_check(output, !parity, internal, tweak, &key_bad));
		assert_false(key_bad);
		rows++;
	}
	assert_int_equal(rows, 4);
	json_decref(root);
}

static void test_tweak_faults(void **state)
{
	uint8_t secret[32] = {[31] = 3}, internal[32], order[32], output[32], zero[32] = {0};
	uint8_t off_curve[32] = {[31] = 5}; /* 5³ + 7 is no square */
	uint8_t minus[32], sum[32];
	bool key_bad = false;
	int parity;

	(void)state;
	assert_true(rc_hex_decode(order_hex, order, 32));
	assert_true(rc_xonly_from_secret(secret, internal, &parity));
	assert_false(rc_xonly_valid(off_curve));
	assert_false(rc_xonly_tweak(off_curve, zero, output, NULL));
	assert_false(rc_xonly_tweak(internal, order, output, NULL));
	assert_false(rc_xonly_tweak_check(internal, 0, internal, order, &key_bad));
	assert_true(key_bad);
	assert_true(rc_xonly_tweak(internal, zero, output, NULL));
	assert_memory_equal(output, internal, 32);
	assert_false(rc_secret_tweak(secret, order, sum));
	/* The tweak n − d gives infinity when the y of d·G is even, n − (n − d) when it is odd. */
	memcpy(minus, order, 32);
	if (parity == 0)
		minus[31] -= 3;
	else
		memcpy(minus, secret, 32);
	assert_false(rc_xonly_tweak(internal, minus, output, NULL));
	assert_false(rc_secret_tweak(secret, minus, sum));
	assert_false(rc_xonly_tweak_check(internal, 0, internal, minus, &key_bad));
	assert_true(key_bad);
}

/* The check by the table against the arithmetic of secrets: (±d + t)·G. */
static void check_tweak(const uint8_t secret[32], const uint8_t tweak[32])
{
	uint8_t internal[32], tweaked[32], output[32];
	bool key_bad = true;
	int parity = 0;

	assert_true(rc_xonly_from_secret(secret, internal, NULL));
	assert_true(rc_secret_tweak(secret, tweak, tweaked));
	assert_true(rc_xonly_from_secret(tweaked, output, &parity));
	assert_true(rc_xonly_tweak_check(output, parity, internal, tweak, &key_bad));
	assert_false(key_bad);
	assert_false(rc_xonly_tweak_check(output, !parity, internal, tweak, &key_bad));
	output[7] ^= 1;
	assert_false(rc_xonly_tweak_check(output, parity, internal, tweak, &key_bad));
	assert_false(key_bad);
}

static void test_tweak_check(void **state)
{
	uint8_t secret[32], tweak[32] = {0};
	uint8_t one[32] = {[31] = 1}, small[32] = {0};

	(void)state;
	check_tweak(one, tweak); /* 0: the key as it is */
	/* Each point of the table alone. The first, G + G, is a doubling. */
	for (unsigned j = 0; j < 32; j++) {
		for (unsigned d = 1; d < 256; d++) {
			tweak[31 - j] = (uint8_t)d;
			check_tweak(one, tweak);
		}
		tweak[31 - j] = 0;
	}
	assert_true(rc_hex_decode(order_hex, tweak, 32));
	tweak[31] -= 2; /* the largest that leaves a point */
	check_tweak(one, tweak);
	/* Infinity on the way: d·G with an odd y is lifted to −d·G. */
	memset(tweak, 0, sizeof(tweak));
	tweak[30] = 9;
	for (unsigned odd = 0, d = 1; odd < 5; d++) {
		uint8_t key[32];
		int parity;

		small[31] = tweak[31] = (uint8_t)d;
		assert_true(rc_xonly_from_secret(small, key, &parity));
		check_tweak(small, tweak);
		odd += (unsigned)parity;
	}
	for (unsigned i = 0; i < 2000; i++) {
		uint8_t number[8] = {(uint8_t)i, (uint8_t)(i >> 8)};

		rc_tagged_hash(RC_TAG_TAPTWEAK, number, sizeof(number), secret);
		rc_tagged_hash(RC_TAG_TAPTWEAK, secret, sizeof(secret), tweak);
		check_tweak(secret, tweak);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bip340),	    cmocka_unit_test(test_bad_secrets),
		cmocka_unit_test(test_keys),	    cmocka_unit_test(test_tweak_faults),
		cmocka_unit_test(test_tweak_check),
	};

	rc_schnorr_init();
	return cmocka_run_group_tests_name("schnorr", tests, NULL, NULL);
}
