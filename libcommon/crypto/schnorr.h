/* BIP340 signatures and the key arithmetic of locks, over libsecp256k1. */
#ifndef RC_CRYPTO_SCHNORR_H
#define RC_CRYPTO_SCHNORR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/sha256.h"

/*
 * Makes and randomises the process-wide context (crypto.md, 0). Before threads, again after a
 * fork. Verification works without it; anything with a secret asserts that it was called.
 */
void rc_schnorr_init(void);

/* BIP340 verify: 64-byte signature, message of any length, x-only key. Constant memory, any
 * thread. A key that isn't on the curve gives false. */
bool rc_schnorr_verify(const uint8_t sig[64], const void *msg, size_t msg_len,
		       const uint8_t pubkey[32]);

/* BIP340 sign by a secret key 1…n−1. aux: 32 fresh random bytes (NULL: zeros, for vectors).
 * False for an invalid secret. */
bool rc_schnorr_sign(const uint8_t secret[32], const void *msg, size_t msg_len,
		     const uint8_t aux[32], uint8_t ret_sig[64]);

/* x of secret·G, and the parity of its y if asked. False for an invalid secret. */
bool rc_xonly_from_secret(const uint8_t secret[32], uint8_t ret_pubkey[32], int *ret_parity);

/* Whether the x-only key lifts to a point (BIP340 lift_x). */
bool rc_xonly_valid(const uint8_t pubkey[32]);

/*
 * Q = lift_x(internal) + tweak·G (20-consensus, "Locks"). False if internal doesn't lift,
 * tweak ≥ n, or Q is infinity.
 */
bool rc_xonly_tweak(const uint8_t internal[32], const uint8_t tweak[32], uint8_t ret_output[32],
		    int *ret_parity);

/* Whether output with this parity is lift_x(internal) + tweak·G. *ret_key_bad (may be NULL) tells
 * an internal key or tweak that is no key (control-key) from a mismatch (policy-commitment). Any
 * thread. The first call makes a table, in some 15 ms. */
bool rc_xonly_tweak_check(const uint8_t output[32], int parity, const uint8_t internal[32],
			  const uint8_t tweak[32], bool *ret_key_bad);

/* The secret of Q: the secret of internal (negated if its y is odd) + tweak mod n. False if that
 * can't be. */
bool rc_secret_tweak(const uint8_t secret[32], const uint8_t tweak[32], uint8_t ret_secret[32]);

#endif
