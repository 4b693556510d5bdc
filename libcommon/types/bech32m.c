/* See bech32m.h. */
#include "types/bech32m.h"

#include <assert.h>
#include <string.h>

#include "base/num.h"

#define CHECKSUM_LEN   6
#define CHECKSUM_CONST UINT32_C(0x2bc830a3)

static const char charset[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

const char *rc_bech32m_result_text(enum rc_bech32m_result result)
{
	static const char *const texts[] = {
#define X(name, text) [name] = text,
		RC_BECH32M_TABLE(X)
#undef X
	};

	return texts[result];
}

/*
 * The checksum is linear, so two values are taken in one step: what the ten bits that are shifted
 * out add is a table of 1,024 sums. G: BIP350's generators, for the lower five bits; H: what
 * becomes of these in the second half of the step, for the upper five.
 */
#define G0	0x3b6a57b2u
#define G1	0x26508e6du
#define G2	0x1ea119fau
#define G3	0x3d4233ddu
#define G4	0x2a1462b3u
#define H0	0x1fd7e966u
#define H1	0x3d3f76ccu
#define H2	0x2afaccb8u
#define H3	0x07e1bd59u
#define H4	0x0d537a9bu
#define SUM1(x) (x), (x) ^ G0
#define SUM2(x) SUM1(x), SUM1((x) ^ G1)
#define SUM3(x) SUM2(x), SUM2((x) ^ G2)
#define SUM4(x) SUM3(x), SUM3((x) ^ G3)
#define SUM5(x) SUM4(x), SUM4((x) ^ G4)
#define SUM6(x) SUM5(x), SUM5((x) ^ H0)
#define SUM7(x) SUM6(x), SUM6((x) ^ H1)
#define SUM8(x) SUM7(x), SUM7((x) ^ H2)
#define SUM9(x) SUM8(x), SUM8((x) ^ H3)
static const uint32_t sums[1024] = {SUM9(0), SUM9(H4)};

static uint32_t polymod_step(uint32_t checksum, uint8_t value)
{
	return ((checksum & 0x1ffffff) << 5 ^ value) ^ sums[checksum >> 25];
}

static uint32_t polymod(const char *hrp, const uint8_t *values, size_t n)
{
	uint32_t checksum = 1;
	size_t i = 0;

	for (const char *p = hrp; *p; p++)
		checksum = polymod_step(checksum, (uint8_t)*p >> 5);
	checksum = polymod_step(checksum, 0);
	for (const char *p = hrp; *p; p++)
		checksum = polymod_step(checksum, *p & 31);
	for (; i + 2 <= n; i += 2) {
		uint32_t two = (uint32_t)values[i] << 5 | values[i + 1];

		checksum = ((checksum & 0xfffff) << 10 ^ two) ^ sums[checksum >> 20];
	}
	return i < n ? polymod_step(checksum, values[i]) : checksum;
}

bool rc_bech32m_encode(const char *hrp, const uint8_t *values, size_t n,
		       char ret_text[RC_BECH32M_MAX + 1])
{
	static const uint8_t zeros[CHECKSUM_LEN];
	size_t hrp_len = strlen(hrp), at = hrp_len + 1;
	uint32_t checksum;

	if (!hrp_len || hrp_len > RC_BECH32M_HRP_MAX ||
	    n > RC_BECH32M_MAX - CHECKSUM_LEN - 1 - hrp_len)
		return false;
	memcpy(ret_text, hrp, hrp_len);
	ret_text[hrp_len] = '1';
	checksum = polymod(hrp, values, n);
	for (size_t i = 0; i < n; i++) {
		assert(values[i] < 32);
		ret_text[at++] = charset[values[i]];
	}
	for (size_t i = 0; i < CHECKSUM_LEN; i++)
		checksum = polymod_step(checksum, zeros[i]);
	checksum ^= CHECKSUM_CONST;
	for (int i = 0; i < CHECKSUM_LEN; i++)
		ret_text[at++] = charset[checksum >> 5 * (5 - i) & 31];
	ret_text[at] = '\0';
	return true;
}

/* Copies text in lower case; false if both cases are in it. */
static bool fold_case(const char *text, size_t len, char *ret)
{
	bool lower = false, upper = false;

	for (size_t i = 0; i < len; i++) {
		ret[i] = text[i];
		if (text[i] >= 'a' && text[i] <= 'z')
			lower = true;
		if (text[i] >= 'A' && text[i] <= 'Z') {
			upper = true;
			ret[i] = (char)(text[i] + 'a' - 'A');
		}
	}
	ret[len] = '\0';
	return !(lower && upper);
}

/* Length of the prefix: what stands before the last '1'; 0 if it is none. */
static size_t prefix_len(const char *text, size_t len)
{
	size_t hrp_len = len;

	while (hrp_len && text[hrp_len - 1] != '1')
		hrp_len--;
	if (hrp_len < 2)
		return 0;
	for (size_t i = 0; i < hrp_len - 1; i++)
		if ((uint8_t)text[i] < 33 || (uint8_t)text[i] > 126)
			return 0;
	return hrp_len - 1;
}

enum rc_bech32m_result rc_bech32m_decode(const char *text, size_t len,
					 char ret_hrp[RC_BECH32M_HRP_MAX + 1],
					 uint8_t ret_values[RC_BECH32M_VALUES_MAX], size_t *ret_n)
{
	char folded[RC_BECH32M_MAX + 1];
	uint8_t values[RC_BECH32M_MAX];
	size_t hrp_len, n;

	if (len > RC_BECH32M_MAX)
		return RC_BECH32M_LENGTH;
	if (!fold_case(text, len, folded))
		return RC_BECH32M_CASE;
	hrp_len = prefix_len(folded, len);
	if (!hrp_len)
		return RC_BECH32M_PREFIX;
	n = len - hrp_len - 1;
	for (size_t i = 0; i < n; i++) {
		const char *c = memchr(charset, folded[hrp_len + 1 + i], 32);

		if (!c)
			return RC_BECH32M_CHARACTER;
		values[i] = (uint8_t)(c - charset);
	}
	if (n < CHECKSUM_LEN)
		return RC_BECH32M_SHORT;
	folded[hrp_len] = '\0';
	if (polymod(folded, values, n) != CHECKSUM_CONST)
		return RC_BECH32M_CHECKSUM;
	memcpy(ret_hrp, folded, hrp_len + 1);
	*ret_n = n - CHECKSUM_LEN;
	memcpy(ret_values, values, *ret_n);
	return RC_BECH32M_OK;
}

size_t rc_bits_8_to_5(const uint8_t *bytes, size_t len, uint8_t *ret_values)
{
	uint32_t held = 0;
	unsigned bits = 0;
	size_t n = 0, i = 0;

	/* Five bytes are eight values. */
	for (; i + 5 <= len; i += 5) {
		uint64_t forty = (uint64_t)rc_get_be32(bytes + i) << 8 | bytes[i + 4];

		for (int shift = 35; shift >= 0; shift -= 5)
			ret_values[n++] = forty >> shift & 31;
	}
	for (; i < len; i++) {
		held = held << 8 | bytes[i];
		for (bits += 8; bits >= 5; bits -= 5)
			ret_values[n++] = held >> (bits - 5) & 31;
	}
	if (bits)
		ret_values[n++] = (uint8_t)(held << (5 - bits)) & 31;
	return n;
}

bool rc_bits_5_to_8(const uint8_t *values, size_t n, uint8_t *ret_bytes, size_t *ret_len)
{
	uint32_t held = 0;
	unsigned bits = 0;
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		held = held << 5 | values[i];
		bits += 5;
		if (bits >= 8) {
			bits -= 8;
			ret_bytes[len++] = (uint8_t)(held >> bits);
		}
	}
	*ret_len = len;
	return bits < 5 && (held & ((1u << bits) - 1)) == 0;
}
