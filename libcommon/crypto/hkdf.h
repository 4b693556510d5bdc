/* HKDF with SHA-256 (RFC 5869). */
#ifndef RC_CRYPTO_HKDF_H
#define RC_CRYPTO_HKDF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RC_HKDF_SHA256_MAX (255 * 32) /* bytes of one expansion, by the one-byte counter */

void rc_hkdf_sha256_extract(const void *salt, size_t salt_len, const void *ikm, size_t ikm_len,
			    uint8_t ret_prk[32]);

/* False, nothing written, if ret_len is over RC_HKDF_SHA256_MAX. */
bool rc_hkdf_sha256_expand(const uint8_t prk[32], const void *info, size_t info_len,
			   uint8_t *ret_okm, size_t ret_len);

/* Noise's two outputs: extract(ck, x), expanded to 64 bytes without info. Outputs may be inputs. */
void rc_hkdf_noise(const uint8_t ck[32], const void *ikm, size_t ikm_len, uint8_t ret_first[32],
		   uint8_t ret_second[32]);

#endif
