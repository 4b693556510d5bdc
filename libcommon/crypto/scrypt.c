/* See scrypt.h. */
#include "crypto/scrypt.h"

#include <stdbool.h>

#include <openssl/evp.h>

#include "base/err.h"

/* RFC 7914, 2; r·p < 2^30, n < 2^(128·r/8). */
static bool params_valid(struct rc_scrypt_params s)
{
	if (s.n < 2 || (s.n & (s.n - 1)) || !s.r || !s.p || (uint64_t)s.r * s.p >= 1u << 30)
		return false;
	return s.r >= 4 || s.n >> (16 * s.r) == 0;
}

int rc_scrypt(const void *password, size_t password_len, const void *salt, size_t salt_len,
	      struct rc_scrypt_params s, uint64_t max_memory, uint8_t *ret_key, size_t ret_len)
{
	uint64_t block = 128 * (uint64_t)s.r, memory;

	if (!params_valid(s) || !ret_len)
		return RC_ERANGE;
	/* OpenSSL's own count: n + p blocks and two more; it compares with the limit again. */
	if (s.n > UINT64_MAX / block - s.p - 2)
		return RC_ETOOBIG;
	memory = block * (s.n + s.p + 2);
	if (memory > max_memory)
		return RC_ETOOBIG;
	if (!EVP_PBE_scrypt(password_len ? password : "", password_len,
			    salt_len ? salt : (const void *)"", salt_len, s.n, s.r, s.p, memory,
			    ret_key, ret_len))
		return RC_ENOMEM;
	return RC_OK;
}
