/* Bytes as hexadecimal text and back. */
#ifndef RC_BASE_HEX_H
#define RC_BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes 2·len lower-case digits and a terminator to dst (2·len + 1 bytes); returns dst. */
char *rc_hex_encode(char *dst, const void *data, size_t len);
/* The same with the bytes in reverse order, as people see ids (20-consensus, "Conventions"). */
char *rc_hex_encode_reversed(char *dst, const void *data, size_t len);
/* Are all n characters digits? */
bool rc_hex_is(const char *text, size_t n);
/* Exactly 2·len digits, either case, and the terminator; else false and dst is untouched. */
bool rc_hex_decode(const char *text, void *dst, size_t len);
bool rc_hex_decode_reversed(const char *text, void *dst, size_t len);
/* Any even number of digits; *ret_data is the caller's to free. */
bool rc_hex_decode_alloc(const char *text, size_t text_len, uint8_t **ret_data, size_t *ret_len);

#endif
