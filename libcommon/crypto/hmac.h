/* HMAC with SHA-256 and SHA-512, and PBKDF2 over the latter (BIP32, BIP39, Noise). */
#ifndef RC_CRYPTO_HMAC_H
#define RC_CRYPTO_HMAC_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

/* ret_mac may be part of key or data. */
void rc_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
		    uint8_t ret_mac[32]);
/* Of parts[0] ‖ parts[1] ‖ … */
void rc_hmac_sha256_parts(const void *key, size_t key_len, const struct rc_bytes *parts,
			  size_t n_parts, uint8_t ret_mac[32]);

void rc_hmac_sha512(const void *key, size_t key_len, const void *data, size_t len,
		    uint8_t ret_mac[64]);

/* iterations ≥ 1, ret_len ≥ 1. */
void rc_pbkdf2_hmac_sha512(const void *password, size_t password_len, const void *salt,
			   size_t salt_len, unsigned iterations, uint8_t *ret_key, size_t ret_len);

#endif
