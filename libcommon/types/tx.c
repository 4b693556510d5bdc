/* Decoding walks the bytes once; nothing is copied but numbers and outpoints. */
#include "types/tx.h"

#include "types/hash_batch.h"

static void read_inputs(struct rc_reader *r, struct rc_arena *arena, struct rc_tx *tx)
{
	size_t n = rc_read_count(r, RC_TX_IN_LEAST_SIZE);

	tx->n_inputs = (uint32_t)n;
	tx->inputs = n ? rc_arena_alloc(arena, n * sizeof(*tx->inputs)) : NULL;
	for (size_t i = 0; i < n; i++) {
		struct rc_tx_in *in = &tx->inputs[i];
		const uint8_t *p = rc_read_bytes(r, RC_TX_IN_LEAST_SIZE);

		if (!p)
			return;
		memcpy(in->prevout.txid.b, p, 32);
		in->prevout.index = rc_get_le32(p + 32);
		in->sequence = rc_get_le32(p + 36);
	}
}

static void read_outputs(struct rc_reader *r, struct rc_arena *arena, struct rc_tx *tx)
{
	size_t n = rc_read_count(r, RC_TX_OUT_LEAST);

	tx->n_outputs = (uint32_t)n;
	tx->outputs = n ? rc_arena_alloc(arena, n * sizeof(*tx->outputs)) : NULL;
	for (size_t i = 0; i < n && !r->failed; i++) {
		tx->outputs[i].amount = rc_read_le64(r);
		rc_lock_read(r, &tx->outputs[i].lock);
	}
}

/* Items aren't taken apart here: they cost no memory until a witness is checked. */
static void read_witness(struct rc_reader *r, struct rc_tx_in *in)
{
	const uint8_t *start = r->p;
	size_t n = rc_read_count(r, 1);

	in->n_items = (uint32_t)n;
	for (size_t i = 0; i < n && !r->failed; i++)
		rc_read_bytes(r, rc_read_count(r, 1));
	in->witness = start;
	in->witness_len = (uint32_t)(r->p - start);
}

void rc_tx_read(struct rc_reader *r, struct rc_arena *arena, struct rc_tx *ret_tx)
{
	const uint8_t *start = r->p;
	struct rc_tx *tx = ret_tx;
	size_t n;

	memset(tx, 0, sizeof(*tx));
	tx->version = rc_read_le16(r);
	tx->type = rc_read_le16(r);
	read_inputs(r, arena, tx);
	read_outputs(r, arena, tx);
	tx->lock_time = rc_read_le32(r);
	n = rc_read_count(r, 1);
	tx->payload = (struct rc_bytes){rc_read_bytes(r, n), n};
	tx->base_size = (uint32_t)(r->p - start);
	for (uint32_t i = 0; i < tx->n_inputs && !r->failed; i++)
		read_witness(r, &tx->inputs[i]);
	tx->raw = (struct rc_bytes){start, (size_t)(r->p - start)};
}

bool rc_tx_decode(const void *data, size_t len, struct rc_arena *arena, struct rc_tx *ret_tx)
{
	struct rc_reader r = rc_reader_of(data, len);
	struct rc_tx tx;

	/* Places in a transaction are u32. No transaction that long fits a block. */
	if (len > UINT32_MAX)
		return false;
	rc_tx_read(&r, arena, &tx);
	if (!rc_reader_end(&r))
		return false;
	rc_tx_hash_many(&tx, 1, arena);
	*ret_tx = tx;
	return true;
}

static void hash_one(struct rc_tx *tx)
{
	const uint8_t *raw = tx->raw.data;

	rc_tagged_hash(RC_TAG_TXID, raw, tx->base_size, tx->txid.b);
	rc_tagged_hash(RC_TAG_WITNESS, raw + tx->base_size, tx->raw.len - tx->base_size,
		       tx->witness_hash.b);
	rc_wtxid_of(&tx->txid, &tx->witness_hash, &tx->wtxid);
}

/* So many at a time: what is written for them beside fits the cache, however large a block is. */
#define HASH_ROUND 1024

struct hash_scratch {
	struct rc_hash_piece *bases, *witnesses, *leaves;
	uint8_t *pairs; /* txid and witness hash of each */
};

static void hash_round(struct rc_tx *txs, size_t n, const struct hash_scratch *s)
{
	for (size_t i = 0; i < n; i++) {
		const uint8_t *raw = txs[i].raw.data;
		uint8_t *pair = s->pairs + 64 * i;

		s->bases[i] = (struct rc_hash_piece){raw, txs[i].base_size, pair};
		s->witnesses[i] = (struct rc_hash_piece){
			raw + txs[i].base_size, txs[i].raw.len - txs[i].base_size, pair + 32};
		s->leaves[i] = (struct rc_hash_piece){pair, 64, txs[i].wtxid.b};
	}
	rc_hash_pieces(RC_TAG_TXID, s->bases, n);
	rc_hash_pieces(RC_TAG_WITNESS, s->witnesses, n);
	rc_hash_pieces(RC_TAG_MERKLE_LEAF, s->leaves, n);
	for (size_t i = 0; i < n; i++) {
		memcpy(txs[i].txid.b, s->pairs + 64 * i, 32);
		memcpy(txs[i].witness_hash.b, s->pairs + 64 * i + 32, 32);
	}
}

void rc_tx_hash_many(struct rc_tx *txs, size_t n, struct rc_arena *arena)
{
	size_t round = n < HASH_ROUND ? n : HASH_ROUND;
	struct hash_scratch s;

	if (n == 1) {
		hash_one(txs);
		return;
	}
	s.bases = rc_arena_alloc(arena, 3 * round * sizeof(*s.bases));
	s.witnesses = s.bases + round;
	s.leaves = s.witnesses + round;
	s.pairs = rc_arena_alloc(arena, 64 * round);
	for (size_t at = 0; at < n; at += round)
		hash_round(txs + at, n - at < round ? n - at : round, &s);
}

void rc_tx_encode_base(const struct rc_tx *tx, struct rc_buf *buf)
{
	rc_buf_put_le16(buf, tx->version);
	rc_buf_put_le16(buf, tx->type);
	rc_buf_put_cs(buf, tx->n_inputs);
	for (uint32_t i = 0; i < tx->n_inputs; i++) {
		rc_buf_put(buf, tx->inputs[i].prevout.txid.b, 32);
		rc_buf_put_le32(buf, tx->inputs[i].prevout.index);
		rc_buf_put_le32(buf, tx->inputs[i].sequence);
	}
	rc_buf_put_cs(buf, tx->n_outputs);
	for (uint32_t i = 0; i < tx->n_outputs; i++) {
		rc_buf_put_le64(buf, tx->outputs[i].amount);
		rc_buf_put(buf, tx->outputs[i].lock.data, tx->outputs[i].lock.len);
	}
	rc_buf_put_le32(buf, tx->lock_time);
	rc_buf_put_cs(buf, tx->payload.len);
	rc_buf_put(buf, tx->payload.data, tx->payload.len);
}

void rc_tx_encode(const struct rc_tx *tx, struct rc_buf *buf)
{
	rc_tx_encode_base(tx, buf);
	for (uint32_t i = 0; i < tx->n_inputs; i++) {
		const struct rc_tx_in *in = &tx->inputs[i];

		if (in->witness)
			rc_buf_put(buf, in->witness, in->witness_len);
		else
			rc_buf_put_u8(buf, 0);
	}
}

void rc_witness_put(struct rc_buf *buf, const struct rc_bytes *items, size_t n_items)
{
	rc_buf_put_cs(buf, n_items);
	for (size_t i = 0; i < n_items; i++) {
		rc_buf_put_cs(buf, items[i].len);
		rc_buf_put(buf, items[i].data, items[i].len);
	}
}

void rc_wtxid_of(const struct rc_txid *txid, const struct rc_hash *witness_hash,
		 struct rc_wtxid *ret_wtxid)
{
	uint8_t pair[64];

	memcpy(pair, txid->b, 32);
	memcpy(pair + 32, witness_hash->b, 32);
	rc_tagged_hash(RC_TAG_MERKLE_LEAF, pair, sizeof(pair), ret_wtxid->b);
}
