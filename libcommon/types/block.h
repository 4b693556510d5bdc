/* A block: header and transactions, decoded in place. */
#ifndef RC_TYPES_BLOCK_H
#define RC_TYPES_BLOCK_H

#include "types/header.h"
#include "types/tx.h"

/* The greatest block any governed limit allows: nothing larger is ever parsed. */
#define RC_BLOCK_SIZE_MAX 32000000u

struct rc_block {
	struct rc_header header;
	struct rc_block_id id;
	struct rc_tx *txs;
	uint32_t n_txs;
	uint32_t n_inputs; /* of all transactions */
	uint32_t n_outputs;
	struct rc_bytes raw;
};

/*
 * Header, at least one transaction, nothing after them; ids filled in. False if it can't be parsed
 * or is larger than RC_BLOCK_SIZE_MAX. *ret_block looks into data, which must outlive it; its
 * arrays are the arena's.
 */
bool rc_block_decode(const void *data, size_t len, struct rc_arena *arena,
		     struct rc_block *ret_block);

/* One transaction at a time, for who wants few of a large block. */
struct rc_block_reader {
	struct rc_reader r;
	struct rc_header header;
	uint32_t n_txs;
	uint32_t left;
};

/* Reads header and count; false if they aren't there. */
bool rc_block_reader_init(struct rc_block_reader *b, const void *data, size_t len);
/* The next transaction with its ids, its arrays from arena (which the caller may reset between);
 * false at the end or where parsing fails: rc_block_reader_end tells which. */
bool rc_block_reader_next(struct rc_block_reader *b, struct rc_arena *arena, struct rc_tx *ret_tx);
/* The same with up to max of them, hashed side by side; returns how many, 0 where the one above is
 * false. */
size_t rc_block_reader_next_many(struct rc_block_reader *b, struct rc_arena *arena,
				 struct rc_tx *ret_txs, size_t max);
/* True when all transactions were read and nothing is left over. */
bool rc_block_reader_end(const struct rc_block_reader *b);

/* Appends header and count; the transactions' encodings follow in order. */
void rc_block_put_head(struct rc_buf *buf, const struct rc_header *header, uint32_t n_txs);

#endif
