/* A block is its header, a count, and transactions one after another. */
#include "types/block.h"

bool rc_block_reader_init(struct rc_block_reader *b, const void *data, size_t len)
{
	const uint8_t *raw;

	*b = (struct rc_block_reader){.r = rc_reader_of(data, len)};
	if (len > RC_BLOCK_SIZE_MAX) {
		b->r.failed = true;
		return false;
	}
	raw = rc_read_bytes(&b->r, RC_HEADER_SIZE);
	if (!raw)
		return false;
	rc_header_decode(raw, &b->header);
	b->n_txs = (uint32_t)rc_read_count(&b->r, RC_TX_LEAST_SIZE);
	b->left = b->n_txs;
	return !b->r.failed && b->n_txs > 0;
}

size_t rc_block_reader_next_many(struct rc_block_reader *b, struct rc_arena *arena,
				 struct rc_tx *ret_txs, size_t max)
{
	size_t n = 0;

	while (n < max && b->left && !b->r.failed) {
		rc_tx_read(&b->r, arena, &ret_txs[n]);
		if (b->r.failed)
			break;
		b->left--;
		n++;
	}
	if (n)
		rc_tx_hash_many(ret_txs, n, arena);
	return n;
}

bool rc_block_reader_next(struct rc_block_reader *b, struct rc_arena *arena, struct rc_tx *ret_tx)
{
	return rc_block_reader_next_many(b, arena, ret_tx, 1) == 1;
}

bool rc_block_reader_end(const struct rc_block_reader *b)
{
	return b->n_txs > 0 && b->left == 0 && rc_reader_end(&b->r);
}

bool rc_block_decode(const void *data, size_t len, struct rc_arena *arena,
		     struct rc_block *ret_block)
{
	struct rc_block_reader b;
	struct rc_block block;

	if (!rc_block_reader_init(&b, data, len))
		return false;
	memset(&block, 0, sizeof(block));
	block.header = b.header;
	block.raw = (struct rc_bytes){data, len};
	block.n_txs = b.n_txs;
	block.txs = rc_arena_alloc(arena, b.n_txs * sizeof(*block.txs));
	for (uint32_t i = 0; i < b.n_txs; i++) {
		rc_tx_read(&b.r, arena, &block.txs[i]);
		if (b.r.failed)
			return false;
		block.n_inputs += block.txs[i].n_inputs;
		block.n_outputs += block.txs[i].n_outputs;
	}
	if (!rc_reader_end(&b.r))
		return false;
	rc_header_id(data, &block.id);
	rc_tx_hash_many(block.txs, block.n_txs, arena);
	*ret_block = block;
	return true;
}

void rc_block_put_head(struct rc_buf *buf, const struct rc_header *header, uint32_t n_txs)
{
	rc_header_encode(header, rc_buf_add(buf, RC_HEADER_SIZE));
	rc_buf_put_cs(buf, n_txs);
}
