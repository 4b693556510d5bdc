/* See aead.h. A failure of OpenSSL that isn't a wrong tag means that memory or the provider is
 * gone: the process ends rather than send anything in the clear. */
#include "crypto/aead.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/log.h"
#include "base/num.h"

struct rc_aead {
	EVP_CIPHER_CTX *ctx;
};

/* Fetched once for the process: a fetch costs more than sealing a small record. */
static EVP_CIPHER *cipher;
static pthread_once_t cipher_once = PTHREAD_ONCE_INIT;

static void must(int ok)
{
	if (ok == 1)
		return;
	rc_log(RC_LOG_CRIT, "OpenSSL failed at ChaCha20-Poly1305: ending, to be restarted");
	abort();
}

static void fetch(void)
{
	cipher = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
	must(cipher != NULL);
}

struct rc_aead *rc_aead_new(void)
{
	struct rc_aead *aead = rc_alloc(sizeof(*aead));

	pthread_once(&cipher_once, fetch);
	aead->ctx = EVP_CIPHER_CTX_new();
	must(aead->ctx != NULL);
	return aead;
}

void rc_aead_free(struct rc_aead *aead)
{
	if (!aead)
		return;
	EVP_CIPHER_CTX_free(aead->ctx); /* wipes the key */
	free(aead);
}

void rc_aead_set_key(struct rc_aead *aead, const uint8_t key[RC_AEAD_KEY_SIZE])
{
	must(EVP_CipherInit_ex2(aead->ctx, cipher, key, NULL, 1, NULL));
}

void rc_aead_noise_nonce(uint64_t counter, uint8_t ret_nonce[RC_AEAD_NONCE_SIZE])
{
	memset(ret_nonce, 0, 4);
	rc_put_le64(ret_nonce + 4, counter);
}

static void start(struct rc_aead *aead, const uint8_t *nonce, const void *ad, size_t ad_len,
		  int seal)
{
	int n;

	must(EVP_CipherInit_ex2(aead->ctx, NULL, NULL, nonce, seal, NULL));
	assert(ad_len <= INT_MAX);
	if (ad_len)
		must(EVP_CipherUpdate(aead->ctx, NULL, &n, ad, (int)ad_len));
}

void rc_aead_seal(struct rc_aead *aead, const uint8_t nonce[RC_AEAD_NONCE_SIZE], const void *ad,
		  size_t ad_len, const struct rc_bytes *parts, size_t n_parts, uint8_t *ret_sealed)
{
	int n;

	start(aead, nonce, ad, ad_len, 1);
	for (size_t i = 0; i < n_parts; i++) {
		assert(parts[i].len <= INT_MAX);
		if (!parts[i].len)
			continue;
		must(EVP_EncryptUpdate(aead->ctx, ret_sealed, &n, parts[i].data,
				       (int)parts[i].len));
		ret_sealed += parts[i].len;
	}
	must(EVP_EncryptFinal_ex(aead->ctx, ret_sealed, &n));
	must(EVP_CIPHER_CTX_ctrl(aead->ctx, EVP_CTRL_AEAD_GET_TAG, RC_AEAD_TAG_SIZE, ret_sealed));
}

bool rc_aead_open(struct rc_aead *aead, const uint8_t nonce[RC_AEAD_NONCE_SIZE], const void *ad,
		  size_t ad_len, const uint8_t *sealed, size_t sealed_len, uint8_t *ret_plain)
{
	size_t len = sealed_len - RC_AEAD_TAG_SIZE;
	uint8_t tag[RC_AEAD_TAG_SIZE];
	int n;

	if (sealed_len < RC_AEAD_TAG_SIZE)
		return false;
	assert(len <= INT_MAX);
	memcpy(tag, sealed + len, sizeof(tag));
	start(aead, nonce, ad, ad_len, 0);
	must(EVP_CIPHER_CTX_ctrl(aead->ctx, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag));
	if (len)
		must(EVP_DecryptUpdate(aead->ctx, ret_plain, &n, sealed, (int)len));
	if (EVP_DecryptFinal_ex(aead->ctx, tag, &n) == 1)
		return true;
	if (len)
		memset(ret_plain, 0, len);
	return false;
}
