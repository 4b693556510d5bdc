/*
 * A block in compact form (40-network, "Messages"; the idea of BIP152): its header, a short id for
 * each transaction that the receiver is expected to have, and the others in full.
 *
 *   header 118 | nonce u64 | cs n { short id 6 } | cs m { cs index, transaction }
 *
 * A short id is the low 48 bits, little-endian, of SipHash-2-4 of the wtxid under k0, k1: the first
 * two u64 of SHA256(header ‖ nonce). Indexes ascend: each is told as the number of places skipped
 * since the one before. The first transaction, the coinbase, is always told in full: nobody has it.
 */
#ifndef RC_TYPES_COMPACT_H
#define RC_TYPES_COMPACT_H

#include "types/block.h"

#define RC_COMPACT_ID_SIZE 6

/* Most transactions a block of this size can hold: what bounds counts and indexes. */
#define RC_COMPACT_TXS_MAX(block_limit) ((block_limit) / RC_TX_LEAST_SIZE)

/* The bytes a compact form takes beyond those of its block: nonce 8; the second count 5 and its
 * indexes at most 5 each for so many prefilled ones, of which this node's encoder makes one. */
#define RC_COMPACT_EXTRA 32

struct rc_compact_tx {
	uint32_t index;
	struct rc_bytes raw;
};

struct rc_compact {
	struct rc_header header;
	struct rc_block_id id;
	uint64_t nonce;
	uint64_t k0, k1;
	uint32_t n_txs;	  /* of the block */
	uint32_t n_short; /* the others are prefilled */
	uint32_t n_prefilled;
	const uint8_t *short_ids; /* n_short × 6, in the order of the places not prefilled */
	const struct rc_compact_tx *prefilled; /* indexes ascend from 0 */
};

/*
 * Exactly one compact block and nothing after it. False if it can't be parsed, or if no block of
 * block_limit bytes can have that form. *ret looks into data, which must outlive it; its array is
 * the arena's. Neither the header nor the transactions are judged.
 */
bool rc_compact_decode(const void *data, size_t len, size_t block_limit, struct rc_arena *arena,
		       struct rc_compact *ret);

/* Appends the compact form of a decoded block: its first transaction in full, the others short. */
void rc_compact_encode(const struct rc_block *block, uint64_t nonce, struct rc_buf *buf);

void rc_compact_keys(const uint8_t header[RC_HEADER_SIZE], uint64_t nonce, uint64_t *ret_k0,
		     uint64_t *ret_k1);
uint64_t rc_compact_short_id(uint64_t k0, uint64_t k1, const struct rc_wtxid *wtxid);
/* The i-th of the message. */
uint64_t rc_compact_short_id_at(const struct rc_compact *compact, uint32_t i);

/*
 * Places of a block, as getblocktxn names them: cs each, the number of places skipped since the one
 * before; their number isn't told. Decoding takes at least one, each below limit; false if it is no
 * such list. The array is the arena's.
 */
void rc_indexes_encode(const uint32_t *indexes, size_t n, struct rc_buf *buf);
bool rc_indexes_decode(const void *data, size_t len, uint32_t limit, struct rc_arena *arena,
		       uint32_t **ret_indexes, size_t *ret_n);

#endif
