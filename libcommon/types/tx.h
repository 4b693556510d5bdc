/* A transaction, decoded in place: views over its bytes, its ids beside them. */
#ifndef RC_TYPES_TX_H
#define RC_TYPES_TX_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/reader.h"
#include "types/amount.h"
#include "types/id.h"
#include "types/lock.h"
#include "types/outpoint.h"

#define RC_TX_VERSION 1

/* Types in force; the rules of each are rows of consensus/tx_type.c. */
#define RC_TX_PAYMENT  0
#define RC_TX_COINBASE 1

/* Least sizes of elements, for counts (20-consensus, "Conventions"). */
#define RC_TX_LEAST_SIZE    11
#define RC_TX_IN_LEAST_SIZE 40
#define RC_TX_OUT_LEAST	    10

#define RC_SEQUENCE_FINAL    UINT32_C(0xffffffff)
#define RC_SEQUENCE_NO_LOCK  (UINT32_C(1) << 31) /* set: no relative lock */
#define RC_SEQUENCE_RESERVED UINT32_C(0x7fff0000)
#define RC_SEQUENCE_BLOCKS   UINT32_C(0xffff)
/* lock_time below is a height, from here on a time. */
#define RC_LOCK_TIME_IS_TIME UINT32_C(500000000)

struct rc_tx_in {
	struct rc_outpoint prevout;
	uint32_t sequence;
	uint32_t n_items;     /* of the witness */
	uint32_t witness_len; /* of the encoded list, its count included */
	const uint8_t
		*witness; /* cs n_items { cs bytes }; NULL in a transaction being built: none */
};

struct rc_tx_out {
	rc_amount amount;
	struct rc_lock lock;
};

struct rc_tx {
	uint16_t version;
	uint16_t type;
	uint32_t lock_time;
	uint32_t n_inputs;
	uint32_t n_outputs;
	uint32_t base_size; /* bytes before the witness: what the txid covers */
	struct rc_tx_in *inputs;
	struct rc_tx_out *outputs;
	struct rc_bytes payload;
	struct rc_bytes raw; /* the whole encoding, witness included */
	struct rc_txid txid;
	struct rc_hash witness_hash;
	struct rc_wtxid wtxid;
};

/*
 * Exactly one transaction and nothing after it; the ids are filled in. False if it can't be parsed.
 * *ret_tx looks into data, which must outlive it; its arrays are the arena's.
 */
bool rc_tx_decode(const void *data, size_t len, struct rc_arena *arena, struct rc_tx *ret_tx);

/* Reads the next transaction of a stream, without its ids; marks the reader failed if there is
 * none. */
void rc_tx_read(struct rc_reader *r, struct rc_arena *arena, struct rc_tx *ret_tx);

/* Fills txid, witness_hash and wtxid of n decoded transactions, equal lengths side by side. */
void rc_tx_hash_many(struct rc_tx *txs, size_t n, struct rc_arena *arena);

/*
 * Encodes from version, type, lock_time, inputs (with their encoded witnesses), outputs and
 * payload; raw and ids aren't looked at. A builder fills such a struct, encodes, and decodes the
 * result for the ids. rc_tx_encode_base leaves the witness out.
 */
void rc_tx_encode(const struct rc_tx *tx, struct rc_buf *buf);
void rc_tx_encode_base(const struct rc_tx *tx, struct rc_buf *buf);

/* Appends the encoded witness of one input: cs n { cs bytes }. */
void rc_witness_put(struct rc_buf *buf, const struct rc_bytes *items, size_t n_items);

/* wtxid from its two parts. */
void rc_wtxid_of(const struct rc_txid *txid, const struct rc_hash *witness_hash,
		 struct rc_wtxid *ret_wtxid);

/* Walks the witness of a decoded input, item by item. */
struct rc_witness_iter {
	struct rc_reader r;
	uint32_t left;
};

static inline struct rc_witness_iter rc_witness_iter_of(const struct rc_tx_in *in)
{
	struct rc_witness_iter it = {rc_reader_of(in->witness, in->witness_len), 0};

	it.left = (uint32_t)rc_read_cs(&it.r);
	return it;
}

/* The next item; false when none is left. */
static inline bool rc_witness_next(struct rc_witness_iter *it, struct rc_bytes *ret_item)
{
	size_t len;

	if (it->left == 0)
		return false;
	it->left--;
	len = (size_t)rc_read_cs(&it->r);
	*ret_item = (struct rc_bytes){rc_read_bytes(&it->r, len), len};
	return true;
}

#endif
