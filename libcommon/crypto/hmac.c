/* See hmac.h. HMAC-SHA256 stands on sha256.h, whose calls are the fast ones; the others, used for
 * wallets alone, on OpenSSL's. */
#include "crypto/hmac.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "crypto/sha256.h"

#define BLOCK 64 /* of SHA-256 */

void rc_hmac_sha256_parts(const void *key, size_t key_len, const struct rc_bytes *parts,
			  size_t n_parts, uint8_t ret_mac[32])
{
	uint8_t padded[BLOCK] = {0}, mixed[BLOCK], inner[32];
	struct rc_sha256 s;

	if (key_len > BLOCK)
		rc_sha256(key, key_len, padded);
	else if (key_len)
		memcpy(padded, key, key_len);
	for (int i = 0; i < BLOCK; i++)
		mixed[i] = padded[i] ^ 0x36;
	rc_sha256_init(&s);
	rc_sha256_update(&s, mixed, BLOCK);
	for (size_t i = 0; i < n_parts; i++)
		rc_sha256_update(&s, parts[i].data, parts[i].len);
	rc_sha256_final(&s, inner);
	for (int i = 0; i < BLOCK; i++)
		mixed[i] = padded[i] ^ 0x5c;
	rc_sha256_init(&s);
	rc_sha256_update(&s, mixed, BLOCK);
	rc_sha256_update(&s, inner, sizeof(inner));
	rc_sha256_final(&s, ret_mac);
	rc_wipe(padded, sizeof(padded));
	rc_wipe(mixed, sizeof(mixed));
	rc_wipe(inner, sizeof(inner));
	rc_wipe(&s, sizeof(s));
}

void rc_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
		    uint8_t ret_mac[32])
{
	struct rc_bytes part = {data, len};

	rc_hmac_sha256_parts(key, key_len, &part, 1, ret_mac);
}

void rc_hmac_sha512(const void *key, size_t key_len, const void *data, size_t len,
		    uint8_t ret_mac[64])
{
	uint8_t mac[64];
	unsigned mac_len = sizeof(mac);

	assert(key_len <= INT_MAX);
	/* OpenSSL takes a NULL key to mean "as before" and NULL data as an error. */
	if (!HMAC(EVP_sha512(), key_len ? key : "", (int)key_len, len ? data : (const void *)"",
		  len, mac, &mac_len))
		abort();
	memcpy(ret_mac, mac, sizeof(mac));
	rc_wipe(mac, sizeof(mac));
}

void rc_pbkdf2_hmac_sha512(const void *password, size_t password_len, const void *salt,
			   size_t salt_len, unsigned iterations, uint8_t *ret_key, size_t ret_len)
{
	assert(password_len <= INT_MAX && salt_len <= INT_MAX && ret_len <= INT_MAX);
	assert(iterations >= 1 && iterations <= INT_MAX);
	if (!PKCS5_PBKDF2_HMAC(password_len ? password : "", (int)password_len,
			       salt_len ? salt : (const void *)"", (int)salt_len, (int)iterations,
			       EVP_sha512(), (int)ret_len, ret_key))
		abort();
}
