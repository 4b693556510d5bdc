/* types/bech32m and types/address: BIP350's rows by our rules, and our own check values. */
#include "tests/unit/rc_test.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "types/address.h"

static enum rc_bech32m_result decode_row(const json_t *row, char *hrp, uint8_t *values, size_t *n)
{
	RC_AUTOFREE uint8_t *text = NULL;
	size_t len = rc_test_hex(rc_test_str(row, "string_hex"), &text);

	return rc_bech32m_decode((const char *)text, len, hrp, values, n);
}

static void test_bip350_strings(void **state)
{
	json_t *root = rc_test_vectors("bip350/bech32m.json"), *row;
	char hrp[RC_BECH32M_HRP_MAX + 1], text[RC_BECH32M_MAX + 1];
	uint8_t values[RC_BECH32M_VALUES_MAX];
	size_t i, n, valid = 0, invalid = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "bech32m_valid"), i, row)
	{
		const char *want = rc_test_str(row, "string");

		assert_int_equal(decode_row(row, hrp, values, &n), RC_BECH32M_OK);
		assert_true(rc_bech32m_encode(hrp, values, n, text));
		assert_int_equal(strcasecmp(text, want), 0);
		valid++;
	}
	json_array_foreach(json_object_get(root, "bech32m_invalid"), i, row)
	{
		assert_int_not_equal(decode_row(row, hrp, values, &n), RC_BECH32M_OK);
		invalid++;
	}
	assert_int_equal(valid, 7);
	assert_int_equal(invalid, 14);
	json_decref(root);
}

/* Of the valid segwit addresses those of version 1 and 32 bytes are addresses in our sense, with
 * Bitcoin's prefixes for a network's. */
static void test_bip350_addresses(void **state)
{
	json_t *root = rc_test_vectors("bip350/bech32m.json"), *row;
	size_t i, ours = 0, others = 0, invalid = 0;
	struct rc_error error;
	uint8_t key[32];

	(void)state;
	json_array_foreach(json_object_get(root, "segwit_address_valid"), i, row)
	{
		const char *address = rc_test_str(row, "address");
		const char *script = rc_test_str(row, "scriptPubKey");
		const char *hrp = tolower((unsigned char)address[0]) == 't' ? "tb" : "bc";

		if (strncmp(script, "5120", 4) == 0 && strlen(script) == 68) {
			char want[65], text[RC_ADDRESS_SIZE];

			assert_int_equal(rc_address_decode(address, hrp, key, &error), RC_OK);
			assert_string_equal(rc_hex_encode(want, key, 32), script + 4);
			rc_address_encode(hrp, key, text);
			assert_int_equal(strcasecmp(text, address), 0);
			ours++;
		} else {
			assert_int_equal(rc_address_decode(address, hrp, key, &error), RC_EINVAL);
			others++;
		}
	}
	json_array_foreach(json_object_get(root, "segwit_address_invalid"), i, row)
	{
		const char *address = rc_test_str(row, "address");
		const char *hrp = tolower((unsigned char)address[0]) == 't' ? "tb" : "bc";

		assert_true(rc_address_decode(address, hrp, key, &error) < 0);
		invalid++;
	}
	assert_int_equal(ours, 2);
	assert_int_equal(others, 6);
	assert_int_equal(invalid, 15);
	json_decref(root);
}

static void test_check_values(void **state)
{
	json_t *root = rc_test_vectors("rustycoin/check-values.json"), *row;
	static const char *const networks[][2] = {{"main", "rc"}, {"test", "trc"}, {"reg", "rcrt"}};
	struct rc_error error;
	size_t i, rows = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "keys"), i, row)
	{
		json_t *addresses = json_object_get(row, "address");
		uint8_t want[32], key[32];

		rc_test_hex_into(row, "output_key", want, 32);
		for (int k = 0; k < 3; k++) {
			const char *text = rc_test_str(addresses, networks[k][0]);
			char made[RC_ADDRESS_SIZE];

			rc_address_encode(networks[k][1], want, made);
			assert_string_equal(made, text);
			assert_int_equal(rc_address_decode(text, networks[k][1], key, &error), 0);
			assert_memory_equal(key, want, 32);
			assert_int_equal(
				rc_address_decode(text, networks[(k + 1) % 3][1], key, &error),
				RC_ENETWORK);
			rows++;
		}
	}
	assert_int_equal(rows, 12);
	json_decref(root);
}

/* Each single wrong character, everywhere, is refused; so are two characters changed places. */
static void test_typing_errors(void **state)
{
	static const char charset[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
	uint8_t key[32] = {1, 2, 3}, out[32] = {0}, zeros[32] = {0};
	char text[RC_ADDRESS_SIZE];
	struct rc_error error;
	size_t len;

	(void)state;
	rc_address_encode("rc", key, text);
	len = strlen(text);
	assert_int_equal(len, 62);
	for (size_t i = 3; i < len; i++) {
		char right = text[i];

		for (int c = 0; c < 32; c++) {
			text[i] = charset[c];
			if (text[i] != right)
				assert_int_equal(rc_address_decode(text, "rc", out, &error),
						 RC_EINVAL);
		}
		text[i] = right;
		if (i + 1 < len && text[i] != text[i + 1]) {
			text[i] = text[i + 1];
			text[i + 1] = right;
			assert_int_equal(rc_address_decode(text, "rc", out, &error), RC_EINVAL);
			text[i + 1] = text[i];
			text[i] = right;
		}
	}
	assert_memory_equal(out, zeros, 32);
	assert_int_equal(rc_address_decode("", "rc", out, &error), RC_EINVAL);
	assert_int_equal(rc_address_decode(text, "rc", out, &error), RC_OK);
	assert_false(rc_bech32m_encode("", key, 3, text));
	assert_false(rc_bech32m_encode("rc", key, 82, text));
}

/* The checksum as BIP350 writes it, value by value and bit by bit. */
static uint32_t checksum_by_bits(const char *hrp, const uint8_t *values, size_t n)
{
	static const uint32_t generators[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
					       0x2a1462b3};
	size_t hrp_len = strlen(hrp);
	uint32_t checksum = 1;

	for (size_t i = 0; i < 2 * hrp_len + 1 + n + 6; i++) {
		uint32_t top = checksum >> 25;
		uint8_t value = 0;

		if (i < hrp_len)
			value = (uint8_t)hrp[i] >> 5;
		else if (i > hrp_len && i <= 2 * hrp_len)
			value = hrp[i - hrp_len - 1] & 31;
		else if (i > 2 * hrp_len && i - 2 * hrp_len - 1 < n)
			value = values[i - 2 * hrp_len - 1];
		checksum = (checksum & 0x1ffffff) << 5 ^ value;
		for (int g = 0; g < 5; g++)
			if (top >> g & 1)
				checksum ^= generators[g];
	}
	return checksum ^ 0x2bc830a3;
}

static void test_checksums(void **state)
{
	static const char charset[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
	struct rc_test_random t;
	char text[RC_BECH32M_MAX + 1];
	uint8_t values[64], bytes[40], again[40];
	size_t len, n;

	(void)state;
	rc_test_random_init(&t);
	for (int round = 0; round < 2000; round++) {
		const char *hrp = round % 3 ? "rct" : "rc";
		uint32_t want;

		n = rc_random_u64(&t.random) % sizeof(values);
		for (size_t i = 0; i < n; i++)
			values[i] = rc_random_u64(&t.random) & 31;
		want = checksum_by_bits(hrp, values, n);
		assert_true(rc_bech32m_encode(hrp, values, n, text));
		for (int i = 0; i < 6; i++)
			assert_int_equal(text[strlen(hrp) + 1 + n + (size_t)i],
					 charset[want >> 5 * (5 - i) & 31]);
		len = rc_random_u64(&t.random) % sizeof(bytes);
		rc_random_fill(&t.random, bytes, len);
		n = rc_bits_8_to_5(bytes, len, values);
		assert_int_equal(n, (8 * len + 4) / 5);
		assert_true(rc_bits_5_to_8(values, n, again, &n));
		assert_int_equal(n, len);
		assert_memory_equal(again, bytes, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bip350_strings), cmocka_unit_test(test_bip350_addresses),
		cmocka_unit_test(test_check_values),   cmocka_unit_test(test_typing_errors),
		cmocka_unit_test(test_checksums),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
