/* Many tagged hashes of messages of any length: those of equal length go side by side in lanes. */
#ifndef RC_TYPES_HASH_BATCH_H
#define RC_TYPES_HASH_BATCH_H

#include "crypto/sha256.h"

struct rc_hash_piece {
	const uint8_t *data;
	size_t len;
	uint8_t *ret; /* 32 bytes; may lie in data only if no other piece reads it */
};

/* H(tag, piece) for each of n pieces. */
void rc_hash_pieces(enum rc_tag tag, const struct rc_hash_piece *pieces, size_t n);

#endif
