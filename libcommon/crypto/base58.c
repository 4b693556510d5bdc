/* See base58.h. */
#include "crypto/base58.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/sha256.h"

static const char digits[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

#define CHECKSUM 4

void rc_base58_encode(const uint8_t *data, size_t len, char ret_text[RC_BASE58_TEXT_MAX])
{
	uint8_t full[RC_BASE58_DATA_MAX + CHECKSUM], hash[32];
	uint8_t number[RC_BASE58_TEXT_MAX] = {0}; /* base 58, least significant digit first */
	size_t used = 0, zeros = 0, at = 0;

	assert(len <= RC_BASE58_DATA_MAX);
	memcpy(full, data, len);
	rc_sha256d(data, len, hash);
	memcpy(full + len, hash, CHECKSUM);
	len += CHECKSUM;
	while (zeros < len && !full[zeros])
		zeros++;
	for (size_t i = zeros; i < len; i++) {
		unsigned carry = full[i];

		for (size_t k = 0; k < used || carry; k++) {
			carry += 256u * number[k];
			number[k] = (uint8_t)(carry % 58);
			carry /= 58;
			if (k >= used)
				used = k + 1;
		}
	}
	memset(ret_text, '1', zeros);
	at = zeros;
	while (used)
		ret_text[at++] = digits[number[--used]];
	ret_text[at] = '\0';
	rc_wipe(full, sizeof(full));
	rc_wipe(number, sizeof(number));
}

bool rc_base58_decode(const char *text, uint8_t *ret_data, size_t len)
{
	uint8_t number[RC_BASE58_DATA_MAX + CHECKSUM] = {0}, hash[32];
	size_t full = len + CHECKSUM, ones = strspn(text, "1"), zeros = 0;
	bool ok;

	assert(len <= RC_BASE58_DATA_MAX);
	if (strlen(text) >= RC_BASE58_TEXT_MAX)
		return false;
	for (const char *p = text; *p; p++) {
		const char *digit = strchr(digits, *p);
		unsigned carry;

		if (!digit)
			return false;
		carry = (unsigned)(digit - digits);
		for (size_t k = full; k-- > 0;) {
			carry += 58u * number[k];
			number[k] = (uint8_t)carry;
			carry >>= 8;
		}
		if (carry)
			return false; /* longer than asked for */
	}
	while (zeros < full && !number[zeros])
		zeros++;
	rc_sha256d(number, len, hash);
	ok = zeros == ones && memcmp(hash, number + len, CHECKSUM) == 0;
	if (ok)
		memcpy(ret_data, number, len);
	rc_wipe(number, sizeof(number));
	return ok;
}
