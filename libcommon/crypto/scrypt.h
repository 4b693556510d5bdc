/* scrypt (RFC 7914): a passphrase into a key, at a price. */
#ifndef RC_CRYPTO_SCRYPT_H
#define RC_CRYPTO_SCRYPT_H

#include <stddef.h>
#include <stdint.h>

struct rc_scrypt_params {
	uint64_t n; /* cost, a power of two ≥ 2 */
	uint32_t r; /* block size, in 128 bytes */
	uint32_t p; /* lanes */
};

/*
 * RC_ERANGE if the parameters aren't scrypt's, RC_ETOOBIG if they need more memory than max_memory
 * (about 128·r·(n + p) bytes): parameters of a file are from outside. Takes max_memory at most.
 */
int rc_scrypt(const void *password, size_t password_len, const void *salt, size_t salt_len,
	      struct rc_scrypt_params params, uint64_t max_memory, uint8_t *ret_key,
	      size_t ret_len);

#endif
