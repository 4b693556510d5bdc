/* A wallet file from anywhere: the parser in its clear part, and, sealed by a key at hand, in what
 * was encrypted. What is accepted must encode to the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/aead.h"
#include "tools/rusty-wallet/file.h"

#define HEAD 83 /* bytes before the nonce */

static const uint8_t *nonce_of_file;

static void same_nonce(void *arg, void *dst, size_t len)
{
	(void)arg;
	memcpy(dst, nonce_of_file, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Replaces what stands after the head by its encryption, so that the plaintext is the fuzzer's. */
static uint8_t *seal_tail(const uint8_t *data, size_t size, const uint8_t key[32], size_t *ret_len)
{
	size_t ad = HEAD + 12 + 4, plain = size - ad;
	uint8_t *file = rc_alloc(size + RC_AEAD_TAG_SIZE);
	struct rc_bytes part = {data + ad, plain};
	struct rc_aead *aead = rc_aead_new();

	memcpy(file, data, ad);
	file[HEAD + 12] = (uint8_t)(plain + RC_AEAD_TAG_SIZE);
	memset(file + HEAD + 13, 0, 3);
	rc_aead_set_key(aead, key);
	rc_aead_seal(aead, file + HEAD, file, ad, &part, 1, file + ad);
	rc_aead_free(aead);
	*ret_len = size + RC_AEAD_TAG_SIZE;
	return file;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct rc_random random = {same_nonce, NULL};
	struct wallet_seal seal = {.key = {1}};
	struct rc_buf again = RC_BUF_INIT;
	struct wallet_data wallet;
	uint8_t *file;
	size_t len;

	wallet_file_head(data, size, &seal.head, NULL);
	wallet_file_unseal(data, size, &seal, &wallet, NULL);
	if (size < HEAD + 16 || size > HEAD + 16 + 200)
		return 0;
	file = seal_tail(data, size, seal.key, &len);
	if (wallet_file_unseal(file, len, &seal, &wallet, NULL) == RC_OK) {
		if (wallet_file_head(file, len, &seal.head, NULL) < 0)
			__builtin_trap();
		nonce_of_file = file + HEAD;
		wallet_file_encode(&wallet, &seal, &random, &again);
		if (again.len != len || memcmp(again.data, file, len) != 0)
			__builtin_trap();
	}
	rc_buf_done(&again);
	free(file);
	return 0;
}
