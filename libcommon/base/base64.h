/* Base64 with padding (RFC 4648, section 4): HTTP's Basic credentials. */
#ifndef RC_BASE_BASE64_H
#define RC_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters of len encoded bytes, without the terminator. */
#define RC_BASE64_LEN(len) (((len) + 2) / 3 * 4)

/* Writes RC_BASE64_LEN(len) characters and a terminator to dst; returns dst. */
char *rc_base64_encode(char *dst, const void *data, size_t len);
/* Decodes the one canonical encoding of at most max bytes; false (dst may be partly written)
 * otherwise. */
bool rc_base64_decode(const char *text, size_t text_len, uint8_t *dst, size_t max, size_t *ret_len);

#endif
