/* Compact blocks. See compact.h. */
#include "types/compact.h"

#include "crypto/sha256.h"
#include "crypto/siphash.h"

#define SHORT_ID_MASK ((UINT64_C(1) << 48) - 1)

void rc_compact_keys(const uint8_t header[RC_HEADER_SIZE], uint64_t nonce, uint64_t *ret_k0,
		     uint64_t *ret_k1)
{
	uint8_t keyed[RC_HEADER_SIZE + 8], hash[32];

	memcpy(keyed, header, RC_HEADER_SIZE);
	rc_put_le64(keyed + RC_HEADER_SIZE, nonce);
	rc_sha256(keyed, sizeof(keyed), hash);
	*ret_k0 = rc_get_le64(hash);
	*ret_k1 = rc_get_le64(hash + 8);
}

uint64_t rc_compact_short_id(uint64_t k0, uint64_t k1, const struct rc_wtxid *wtxid)
{
	return rc_siphash(k0, k1, wtxid->b, sizeof(wtxid->b)) & SHORT_ID_MASK;
}

uint64_t rc_compact_short_id_at(const struct rc_compact *compact, uint32_t i)
{
	const uint8_t *p = compact->short_ids + (size_t)i * RC_COMPACT_ID_SIZE;

	return (uint64_t)rc_get_le32(p) | (uint64_t)rc_get_le16(p + 4) << 32;
}

/* The next place of a list: *next is where counting goes on. */
static uint32_t read_index(struct rc_reader *r, uint32_t limit, uint32_t *next)
{
	uint64_t skipped = rc_read_cs(r);
	uint32_t index;

	if (r->failed || *next >= limit || skipped >= limit - *next) {
		r->failed = true;
		return 0;
	}
	index = *next + (uint32_t)skipped;
	*next = index + 1;
	return index;
}

bool rc_compact_decode(const void *data, size_t len, size_t block_limit, struct rc_arena *arena,
		       struct rc_compact *ret)
{
	struct rc_reader r = rc_reader_of(data, len);
	const uint8_t *header = rc_read_bytes(&r, RC_HEADER_SIZE);
	struct rc_compact c = {.nonce = rc_read_le64(&r)};
	struct rc_compact_tx *prefilled;
	size_t size; /* of the block, at least */
	uint32_t next = 0;

	c.n_short = (uint32_t)rc_read_count(&r, RC_COMPACT_ID_SIZE);
	c.short_ids = rc_read_bytes(&r, (size_t)c.n_short * RC_COMPACT_ID_SIZE);
	c.n_prefilled = (uint32_t)rc_read_count(&r, 1 + RC_TX_LEAST_SIZE);
	size = RC_HEADER_SIZE + 1 + (size_t)c.n_short * RC_TX_LEAST_SIZE;
	if (r.failed || c.n_prefilled == 0 || size > block_limit)
		return false;
	c.n_txs = c.n_short + c.n_prefilled;
	prefilled = rc_arena_alloc(arena, c.n_prefilled * sizeof(*prefilled));
	for (uint32_t i = 0; i < c.n_prefilled; i++) {
		struct rc_tx tx;

		prefilled[i].index = read_index(&r, c.n_txs, &next);
		rc_tx_read(&r, arena, &tx);
		if (r.failed)
			return false;
		prefilled[i].raw = tx.raw;
		size += tx.raw.len;
	}
	if (!rc_reader_end(&r) || prefilled[0].index != 0 || size > block_limit)
		return false;
	c.prefilled = prefilled;
	rc_header_decode(header, &c.header);
	rc_header_id(header, &c.id);
	rc_compact_keys(header, c.nonce, &c.k0, &c.k1);
	*ret = c;
	return true;
}

void rc_compact_encode(const struct rc_block *block, uint64_t nonce, struct rc_buf *buf)
{
	uint8_t *header = rc_buf_add(buf, RC_HEADER_SIZE);
	uint64_t k0, k1;

	rc_header_encode(&block->header, header);
	rc_compact_keys(header, nonce, &k0, &k1);
	rc_buf_put_le64(buf, nonce);
	rc_buf_put_cs(buf, block->n_txs - 1);
	for (uint32_t i = 1; i < block->n_txs; i++) {
		uint64_t id = rc_compact_short_id(k0, k1, &block->txs[i].wtxid);

		rc_buf_put_le32(buf, (uint32_t)id);
		rc_buf_put_le16(buf, (uint16_t)(id >> 32));
	}
	rc_buf_put_cs(buf, 1);
	rc_buf_put_cs(buf, 0);
	rc_buf_put(buf, block->txs[0].raw.data, block->txs[0].raw.len);
}

void rc_indexes_encode(const uint32_t *indexes, size_t n, struct rc_buf *buf)
{
	uint32_t next = 0;

	for (size_t i = 0; i < n; i++) {
		rc_buf_put_cs(buf, indexes[i] - next);
		next = indexes[i] + 1;
	}
}

bool rc_indexes_decode(const void *data, size_t len, uint32_t limit, struct rc_arena *arena,
		       uint32_t **ret_indexes, size_t *ret_n)
{
	struct rc_reader r = rc_reader_of(data, len);
	uint32_t *indexes, next = 0;
	size_t n = 0;

	/* One takes at least a byte, and there are no more than places. */
	if (len == 0)
		return false;
	indexes = rc_arena_alloc(arena, (len < limit ? len : limit) * sizeof(*indexes));
	while (!r.failed && rc_reader_left(&r) > 0) {
		uint32_t index = read_index(&r, limit, &next);

		if (!r.failed)
			indexes[n++] = index;
	}
	if (r.failed)
		return false;
	*ret_indexes = indexes;
	*ret_n = n;
	return true;
}
