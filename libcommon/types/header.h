/* A block's header: 118 bytes whose double hash is the block's id and its proof of work. */
#ifndef RC_TYPES_HEADER_H
#define RC_TYPES_HEADER_H

#include "types/id.h"

#define RC_HEADER_SIZE	  118
#define RC_HEADER_VERSION 1
/* Where a miner writes, from the start of the encoding. */
#define RC_HEADER_TIME_AT  102
#define RC_HEADER_NONCE_AT 110

struct rc_header {
	uint16_t version;
	uint32_t height;
	struct rc_block_id prev;
	struct rc_hash tx_root;
	struct rc_hash state_root; /* of the state after the parent */
	uint32_t time;
	uint32_t bits;
	uint64_t nonce;
};

void rc_header_encode(const struct rc_header *header, uint8_t ret_raw[RC_HEADER_SIZE]);
void rc_header_decode(const uint8_t raw[RC_HEADER_SIZE], struct rc_header *ret_header);

/* SHA256(SHA256(raw)). */
void rc_header_id(const uint8_t raw[RC_HEADER_SIZE], struct rc_block_id *ret_id);
/* The ids of n headers that stand one after another, side by side in vector lanes. */
void rc_header_id_many(const uint8_t *raw, size_t n, struct rc_block_id *ret_ids);

#endif
