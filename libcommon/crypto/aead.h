/* ChaCha20-Poly1305 (RFC 8439: 96-bit nonce, 128-bit tag) with a context kept for many uses. */
#ifndef RC_CRYPTO_AEAD_H
#define RC_CRYPTO_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

#define RC_AEAD_KEY_SIZE   32
#define RC_AEAD_NONCE_SIZE 12
#define RC_AEAD_TAG_SIZE   16

struct rc_aead;

/* A context, without a key yet. Not for two threads at once. */
struct rc_aead *rc_aead_new(void);
void rc_aead_free(struct rc_aead *aead);
void rc_aead_set_key(struct rc_aead *aead, const uint8_t key[RC_AEAD_KEY_SIZE]);

/* Writes the encryption of parts[0] ‖ parts[1] ‖ … and then the tag. A part may be where its own
 * ciphertext goes. A nonce is used once under a key. */
void rc_aead_seal(struct rc_aead *aead, const uint8_t nonce[RC_AEAD_NONCE_SIZE], const void *ad,
		  size_t ad_len, const struct rc_bytes *parts, size_t n_parts, uint8_t *ret_sealed);

/* sealed: sealed_len bytes, the tag last. Writes sealed_len − 16 bytes, in place or elsewhere.
 * False if it isn't authentic; then what was written is zeros. */
bool rc_aead_open(struct rc_aead *aead, const uint8_t nonce[RC_AEAD_NONCE_SIZE], const void *ad,
		  size_t ad_len, const uint8_t *sealed, size_t sealed_len, uint8_t *ret_plain);

/* Noise's nonce: 4 zero bytes ‖ counter, little-endian. */
void rc_aead_noise_nonce(uint64_t counter, uint8_t ret_nonce[RC_AEAD_NONCE_SIZE]);

#endif
