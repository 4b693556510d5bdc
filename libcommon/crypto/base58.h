/* Base58 with a checksum, the text form of BIP32's extended keys. Nothing else of ours uses it. */
#ifndef RC_CRYPTO_BASE58_H
#define RC_CRYPTO_BASE58_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RC_BASE58_DATA_MAX 128 /* bytes, checksum not counted */
#define RC_BASE58_TEXT_MAX 181 /* (128 + 4) · log 256 / log 58, and the terminator */

/* data ‖ first 4 bytes of its double SHA-256. len ≤ RC_BASE58_DATA_MAX. */
void rc_base58_encode(const uint8_t *data, size_t len, char ret_text[RC_BASE58_TEXT_MAX]);

/* Exactly len bytes and a right checksum; else false. */
bool rc_base58_decode(const char *text, uint8_t *ret_data, size_t len);

#endif
