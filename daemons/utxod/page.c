/* Pages in memory and on disk. */
#include "daemons/utxod/page.h"

#include <string.h>

#include "base/reader.h"

_Static_assert(sizeof(struct rc_state_node) == 40, "a node is a hash and a sum");
_Static_assert(sizeof(struct page) + (2 * PAGE_ITEMS - 1) * sizeof(struct rc_state_node) +
			       PAGE_ITEMS * (4 + 2 + 2 + 2 + RC_STATE_KEY_MAX) <=
		       SLAB_MAX,
	       "the largest page fits a slab");

size_t page_size(unsigned n, size_t key_bytes)
{
	if (!n)
		return sizeof(struct page);
	return sizeof(struct page) + (2 * n - 1) * sizeof(struct rc_state_node) +
	       n * (sizeof(uint32_t) + 2 * sizeof(uint16_t)) + (n - 1) * sizeof(uint16_t) +
	       key_bytes;
}

struct page *page_init(void *block, size_t size, unsigned ns, unsigned n, uint32_t id, uint64_t seq)
{
	struct page *page = block;

	page->older = NULL;
	page->seq = seq;
	page->id = id;
	page->n = (uint16_t)n;
	page->ns = (uint8_t)ns;
	page->size = (uint32_t)size;
	return page;
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

/*
 * ns u8 | n u8 | items { depth u16 | child u32, unless a leaf | key: depth bits in whole bytes,
 * spare bits (the low ones of the last byte) zero | hash | sum (ns 1) } | branches { hash | sum }
 */
static void encode_node(const struct rc_state_node *node, bool sums, struct rc_buf *buf)
{
	rc_buf_put(buf, node->hash.b, 32);
	if (sums)
		rc_buf_put_le64(buf, node->sum);
}

static void encode_key(const uint8_t *key, unsigned depth, struct rc_buf *buf)
{
	rc_buf_put(buf, key, page_key_bytes(depth));
	if (depth % 8)
		buf->data[buf->len - 1] &= (uint8_t)(0xff00 >> depth % 8);
}

void page_encode(struct page *page, struct rc_buf *buf)
{
	bool sums = page->ns == RC_STATE_COINS;

	rc_buf_put_u8(buf, page->ns);
	rc_buf_put_u8(buf, (uint8_t)page->n);
	for (unsigned i = 0; i < page->n; i++) {
		rc_buf_put_le16(buf, page_depth(page)[i]);
		if (page_child(page)[i])
			rc_buf_put_le32(buf, page_child(page)[i]);
		encode_key(page_key(page, i), page_depth(page)[i], buf);
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
	for (unsigned i = 0; i + 1 < page->n; i++) {
		const uint8_t *a = page_key(page, i), *b = page_key(page, i + 1);
		uint16_t *depth = page_depth(page) + i;
		unsigned least = depth[0] < depth[1] ? depth[0] : depth[1];
		unsigned split = rc_key_split(a, b, page_key_bytes(least));

		if (split >= least || rc_key_bit(a, split))
			return false;
		page_split(page)[i] = (uint16_t)split;
	}
	return true;
}

/* An item as it stands in the bytes. */
struct item {
	uint32_t child;
	uint16_t depth;
	const uint8_t *key;
	struct rc_state_node node;
};

static bool decode_item(struct rc_reader *r, unsigned ns, struct item *item)
{
	unsigned bits = 8 * (unsigned)rc_state_key_len(ns), spare;
	size_t bytes;

	item->depth = rc_read_le16(r);
	if (item->depth > bits)
		return false;
	item->child = item->depth == bits ? 0 : rc_read_le32(r);
	if (item->depth < bits && !item->child)
		return false;
	bytes = page_key_bytes(item->depth);
	spare = 8 * (unsigned)bytes - item->depth;
	item->key = rc_read_bytes(r, bytes);
	if (!item->key)
		return false;
	decode_node(r, ns == RC_STATE_COINS, &item->node);
	return !spare || !(item->key[bytes - 1] & ((1u << spare) - 1));
}

struct page *page_decode(struct slab *slab, struct rc_bytes bytes, uint32_t id)
{
	struct rc_reader r = rc_reader_of(bytes.data, bytes.len);
	unsigned ns = rc_read_u8(&r), n = rc_read_u8(&r);
	struct item item[PAGE_ITEMS];
	size_t key_bytes = 0, at = 0, size;
	struct page *page;

	if (!rc_state_key_len(ns) || n < 2 || n > PAGE_ITEMS)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		if (!decode_item(&r, ns, &item[i]))
			return NULL;
		key_bytes += page_key_bytes(item[i].depth);
	}
	size = page_size(n, key_bytes);
	page = page_init(slab_get(slab, size), size, ns, n, id, 0);
	for (unsigned i = 0; i < n; i++) {
		page_child(page)[i] = item[i].child;
		page_depth(page)[i] = item[i].depth;
		page->node[i] = item[i].node;
		page_at(page)[i] = (uint16_t)at;
		memcpy(page_key(page, i), item[i].key, page_key_bytes(item[i].depth));
		at += page_key_bytes(item[i].depth);
	}
	for (unsigned i = 0; i + 1 < n; i++)
		decode_node(&r, ns == RC_STATE_COINS, &page_branch(page)[i]);
	if (!rc_reader_end(&r) || !fill_splits(page)) {
		page_free(slab, page);
		return NULL;
	}
	return page;
}
