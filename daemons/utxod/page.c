/* Pages in memory and on disk. */
#include "daemons/utxod/page.h"

#include <string.h>

#include "base/reader.h"

_Static_assert(sizeof(struct rc_state_node) == 40, "a node is a hash and a sum");
_Static_assert(sizeof(struct page) + (2 * PAGE_ITEMS - 1) * sizeof(struct rc_state_node) +
			       PAGE_ITEMS * (4 + 2 + 2 + RC_STATE_KEY_MAX) <=
		       SLAB_MAX,
	       "the largest page fits a slab");

size_t page_size(unsigned ns, unsigned n)
{
	if (!n)
		return sizeof(struct page);
	return sizeof(struct page) + (2 * n - 1) * sizeof(struct rc_state_node) +
	       n * (sizeof(uint32_t) + sizeof(uint16_t)) + (n - 1) * sizeof(uint16_t) +
	       n * rc_state_key_len(ns);
}

struct page *page_init(void *block, unsigned ns, unsigned n, uint32_t id, uint64_t seq)
{
	struct page *page = block;

	page->older = NULL;
	page->seq = seq;
	page->id = id;
	page->n = (uint16_t)n;
	page->ns = (uint8_t)ns;
	page->size = (uint32_t)page_size(ns, n);
	return page;
}

struct page *page_new(struct slab *slab, unsigned ns, unsigned n, uint32_t id, uint64_t seq)
{
	return page_init(slab_get(slab, page_size(ns, n)), ns, n, id, seq);
}

void page_free(struct slab *slab, struct page *page)
{
	slab_put(slab, page, page->size);
}

unsigned page_root_gap(struct page *p, unsigned lo, unsigned hi)
{
	const uint16_t *split = page_split(p);
	unsigned best = lo;

	for (unsigned i = lo + 1; i < hi; i++)
		if (split[i] < split[best])
			best = i;
	return best;
}

void page_disk_key(uint32_t id, uint8_t ret_key[PAGE_KEY_SIZE])
{
	ret_key[0] = 'p';
	rc_put_be32(ret_key + 1, id);
}

/* ns u8 | n u8 | items { child u32 | depth u16 | key | hash | sum (ns 1) } | branches { hash | sum
 * } */
static void encode_node(const struct rc_state_node *node, bool sums, struct rc_buf *buf)
{
	rc_buf_put(buf, node->hash.b, 32);
	if (sums)
		rc_buf_put_le64(buf, node->sum);
}

void page_encode(struct page *page, struct rc_buf *buf)
{
	size_t key_len = rc_state_key_len(page->ns);
	bool sums = page->ns == RC_STATE_COINS;

	rc_buf_put_u8(buf, page->ns);
	rc_buf_put_u8(buf, (uint8_t)page->n);
	for (unsigned i = 0; i < page->n; i++) {
		rc_buf_put_le32(buf, page_child(page)[i]);
		rc_buf_put_le16(buf, page_depth(page)[i]);
		rc_buf_put(buf, page_key(page, i), key_len);
		encode_node(&page->node[i], sums, buf);
	}
	for (unsigned i = 0; i + 1 < page->n; i++)
		encode_node(&page_branch(page)[i], sums, buf);
}

static void decode_node(struct rc_reader *r, bool sums, struct rc_state_node *node)
{
	rc_read_into(r, node->hash.b, 32);
	node->sum = sums ? rc_read_le64(r) : 0;
}

/* Keys ascend and each item's bits tell it from its neighbours. */
static bool fill_splits(struct page *page)
{
	size_t key_len = rc_state_key_len(page->ns);

	for (unsigned i = 0; i + 1 < page->n; i++) {
		const uint8_t *a = page_key(page, i), *b = page_key(page, i + 1);
		unsigned split = rc_key_split(a, b, key_len);

		if (split >= page_depth(page)[i] || split >= page_depth(page)[i + 1] ||
		    rc_key_bit(a, split))
			return false;
		page_split(page)[i] = (uint16_t)split;
	}
	return true;
}

struct page *page_decode(struct slab *slab, struct rc_bytes bytes, uint32_t id)
{
	struct rc_reader r = rc_reader_of(bytes.data, bytes.len);
	unsigned ns = rc_read_u8(&r), n = rc_read_u8(&r);
	size_t key_len = rc_state_key_len(ns);
	bool sums = ns == RC_STATE_COINS;
	struct page *page;

	if (!key_len || n < 2 || n > PAGE_ITEMS)
		return NULL;
	page = page_new(slab, ns, n, id, 0);
	for (unsigned i = 0; i < n; i++) {
		page_child(page)[i] = rc_read_le32(&r);
		page_depth(page)[i] = rc_read_le16(&r);
		rc_read_into(&r, page_key(page, i), key_len);
		decode_node(&r, sums, &page->node[i]);
		if (page_depth(page)[i] > 8 * key_len ||
		    (page_depth(page)[i] == 8 * key_len) != (page_child(page)[i] == 0))
			r.failed = true;
	}
	for (unsigned i = 0; i + 1 < n; i++)
		decode_node(&r, sums, &page_branch(page)[i]);
	if (!rc_reader_end(&r) || !fill_splits(page)) {
		page_free(slab, page);
		return NULL;
	}
	return page;
}
