/* The ids people see: distinct types, so that a txid never passes for a block id. */
#ifndef RC_TYPES_ID_H
#define RC_TYPES_ID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/hex.h"
#include "crypto/sha256.h"

struct rc_txid {
	uint8_t b[32];
};

struct rc_wtxid {
	uint8_t b[32];
};

struct rc_block_id {
	uint8_t b[32];
};

/* 64 digits and the terminator. */
#define RC_ID_HEX 65

/*
 * For noun in txid, wtxid, block_id, hash:
 *  rc_NOUN_eq, rc_NOUN_cmp (as byte strings, first byte first), rc_NOUN_is_zero,
 *  rc_NOUN_hex (returns dst), rc_NOUN_from_hex (exactly 64 digits; else false, *ret untouched).
 * The three ids are shown byte-reversed, hashes (roots, network ids) as they are.
 */
#define RC_ID_FUNCTIONS(noun, to_hex, from_hex)                                                 \
	static inline bool rc_##noun##_eq(const struct rc_##noun *a, const struct rc_##noun *b) \
	{                                                                                       \
		return memcmp(a->b, b->b, 32) == 0;                                             \
	}                                                                                       \
	static inline int rc_##noun##_cmp(const struct rc_##noun *a, const struct rc_##noun *b) \
	{                                                                                       \
		return memcmp(a->b, b->b, 32);                                                  \
	}                                                                                       \
	static inline bool rc_##noun##_is_zero(const struct rc_##noun *a)                       \
	{                                                                                       \
		uint8_t any = 0;                                                                \
		for (int i = 0; i < 32; i++)                                                    \
			any |= a->b[i];                                                         \
		return any == 0;                                                                \
	}                                                                                       \
	static inline char *rc_##noun##_hex(char dst[RC_ID_HEX], const struct rc_##noun *a)     \
	{                                                                                       \
		return to_hex(dst, a->b, 32);                                                   \
	}                                                                                       \
	static inline bool rc_##noun##_from_hex(const char *text, struct rc_##noun *ret)        \
	{                                                                                       \
		return from_hex(text, ret->b, 32);                                              \
	}

RC_ID_FUNCTIONS(txid, rc_hex_encode_reversed, rc_hex_decode_reversed)
RC_ID_FUNCTIONS(wtxid, rc_hex_encode_reversed, rc_hex_decode_reversed)
RC_ID_FUNCTIONS(block_id, rc_hex_encode_reversed, rc_hex_decode_reversed)
RC_ID_FUNCTIONS(hash, rc_hex_encode, rc_hex_decode)

#endif
