/* Bech32m (BIP350): a prefix and values of 5 bits as text with a checksum that catches typing
 * errors. */
#ifndef RC_TYPES_BECH32M_H
#define RC_TYPES_BECH32M_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RC_BECH32M_MAX	      90 /* characters, without the terminator */
#define RC_BECH32M_HRP_MAX    83 /* 90 − separator − checksum */
#define RC_BECH32M_VALUES_MAX 83 /* the same with a prefix of one character less its own */

/* X(NAME, "text") */
#define RC_BECH32M_TABLE(X)                                                        \
	X(RC_BECH32M_OK, "right")                                                  \
	X(RC_BECH32M_LENGTH, "longer than 90 characters")                          \
	X(RC_BECH32M_CASE, "upper and lower case mixed")                           \
	X(RC_BECH32M_PREFIX,                                                       \
	  "no prefix, no separator '1', or a character that can't be in a prefix") \
	X(RC_BECH32M_CHARACTER, "a character that can't be in an address")         \
	X(RC_BECH32M_SHORT, "too short for a checksum")                            \
	X(RC_BECH32M_CHECKSUM, "wrong checksum: mistyped, or of another kind")

enum rc_bech32m_result {
#define X(name, text) name,
	RC_BECH32M_TABLE(X)
#undef X
};

const char *rc_bech32m_result_text(enum rc_bech32m_result result);

/* values: each below 32. hrp: lower case. False if the text would be over RC_BECH32M_MAX. */
bool rc_bech32m_encode(const char *hrp, const uint8_t *values, size_t n,
		       char ret_text[RC_BECH32M_MAX + 1]);

/* Any bytes; *ret_hrp comes in lower case. */
enum rc_bech32m_result rc_bech32m_decode(const char *text, size_t len,
					 char ret_hrp[RC_BECH32M_HRP_MAX + 1],
					 uint8_t ret_values[RC_BECH32M_VALUES_MAX], size_t *ret_n);

/* Bytes to values of 5 bits, the last padded with zeros; returns how many: ⌈8·len/5⌉. */
size_t rc_bits_8_to_5(const uint8_t *bytes, size_t len, uint8_t *ret_values);
/* Back; false if the padding is 5 bits or more, or not zero. Writes ⌊5·n/8⌋ bytes. */
bool rc_bits_5_to_8(const uint8_t *values, size_t n, uint8_t *ret_bytes, size_t *ret_len);

#endif
