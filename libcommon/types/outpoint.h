/* The name of an output: which transaction, which place. */
#ifndef RC_TYPES_OUTPOINT_H
#define RC_TYPES_OUTPOINT_H

#include "base/num.h"
#include "types/id.h"

struct rc_outpoint {
	struct rc_txid txid;
	uint32_t index;
};

/* In a transaction: txid, index u32 little-endian. As a key: index big-endian, so that byte order
 * is the order of rc_outpoint_cmp. Both 36 bytes. */
#define RC_OUTPOINT_SIZE 36

static inline bool rc_outpoint_eq(const struct rc_outpoint *a, const struct rc_outpoint *b)
{
	return a->index == b->index && rc_txid_eq(&a->txid, &b->txid);
}

static inline int rc_outpoint_cmp(const struct rc_outpoint *a, const struct rc_outpoint *b)
{
	int by_txid = rc_txid_cmp(&a->txid, &b->txid);

	return by_txid ? by_txid : (a->index > b->index) - (a->index < b->index);
}

static inline void rc_outpoint_key_encode(const struct rc_outpoint *o,
					  uint8_t ret_key[RC_OUTPOINT_SIZE])
{
	memcpy(ret_key, o->txid.b, 32);
	rc_put_be32(ret_key + 32, o->index);
}

static inline void rc_outpoint_key_decode(const uint8_t key[RC_OUTPOINT_SIZE],
					  struct rc_outpoint *ret)
{
	memcpy(ret->txid.b, key, 32);
	ret->index = rc_get_be32(key + 32);
}

/* Sorts ascending by rc_outpoint_cmp. */
void rc_outpoint_sort(struct rc_outpoint *outpoints, size_t n);

#endif
