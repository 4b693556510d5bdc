/* Points as links use them: compressed public keys and Diffie-Hellman. */
#ifndef RC_CRYPTO_ECDH_H
#define RC_CRYPTO_ECDH_H

#include <stdbool.h>
#include <stdint.h>

#define RC_POINT_SIZE 33 /* 02 or 03, then x */

/* secret·G, compressed; false for an invalid secret. Needs rc_schnorr_init. */
bool rc_point_from_secret(const uint8_t secret[32], uint8_t ret_point[RC_POINT_SIZE]);

/* Whether the bytes are a compressed point on the curve. */
bool rc_point_valid(const uint8_t point[RC_POINT_SIZE]);

/* Whether 1 ≤ secret < n. */
bool rc_secret_valid(const uint8_t secret[32]);

/* SHA256 of the compressed secret·point, in constant time. False if either is invalid. */
bool rc_ecdh(const uint8_t secret[32], const uint8_t point[RC_POINT_SIZE], uint8_t ret_shared[32]);

#endif
