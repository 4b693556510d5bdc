/* SipHash-2-4 with 64 bits of output: hash tables and short ids that an attacker can't steer. */
#ifndef RC_CRYPTO_SIPHASH_H
#define RC_CRYPTO_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* k0, k1: the two halves of the key, each the little-endian number of its 8 bytes. */
uint64_t rc_siphash(uint64_t k0, uint64_t k1, const void *data, size_t len);

#endif
