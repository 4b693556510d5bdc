/* See hkdf.h. */
#include "crypto/hkdf.h"

#include <string.h>

#include "base/mem.h"
#include "crypto/hmac.h"

void rc_hkdf_sha256_extract(const void *salt, size_t salt_len, const void *ikm, size_t ikm_len,
			    uint8_t ret_prk[32])
{
	rc_hmac_sha256(salt, salt_len, ikm, ikm_len, ret_prk);
}

bool rc_hkdf_sha256_expand(const uint8_t prk[32], const void *info, size_t info_len,
			   uint8_t *ret_okm, size_t ret_len)
{
	uint8_t block[32];

	if (ret_len > RC_HKDF_SHA256_MAX)
		return false;
	for (size_t at = 0; at < ret_len; at += sizeof(block)) {
		uint8_t number = (uint8_t)(at / sizeof(block) + 1);
		struct rc_bytes parts[] = {
			{block, at ? sizeof(block) : 0},
			{info, info_len},
			{&number, 1},
		};
		size_t left = ret_len - at;

		rc_hmac_sha256_parts(prk, 32, parts, 3, block);
		memcpy(ret_okm + at, block, left < sizeof(block) ? left : sizeof(block));
	}
	rc_wipe(block, sizeof(block));
	return true;
}

void rc_hkdf_noise(const uint8_t ck[32], const void *ikm, size_t ikm_len, uint8_t ret_first[32],
		   uint8_t ret_second[32])
{
	uint8_t prk[32], out[64];

	rc_hkdf_sha256_extract(ck, 32, ikm, ikm_len, prk);
	rc_hkdf_sha256_expand(prk, NULL, 0, out, sizeof(out));
	memcpy(ret_first, out, 32);
	memcpy(ret_second, out + 32, 32);
	rc_wipe(prk, sizeof(prk));
	rc_wipe(out, sizeof(out));
}
