/* RIPEMD-160 of SHA-256, which BIP32 names keys by. Not for anything new. */
#ifndef RC_CRYPTO_RIPEMD160_H
#define RC_CRYPTO_RIPEMD160_H

#include <stddef.h>
#include <stdint.h>

void rc_hash160(const void *data, size_t len, uint8_t ret_hash[20]);

#endif
