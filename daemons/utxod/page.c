/* Pages in memory and on disk. */
#include "daemons/utxod/page.h"

#include <string.h>

#include "base/reader.h"

_Static_assert(sizeof(struct rc_state_node) == 40, "a node is a hash and a sum");
_Static_assert(PAGE_SIZE_MAX <= SLAB_MAX, "the largest page fits a slab");

size_t page_size(unsigned cap, unsigned stride)
{
	return sizeof(struct page) + (size_t)cap * stride;
}

struct page *page_init(void *block, unsigned ns, unsigned cap, unsigned stride, uint32_t id,
		       uint64_t seq)
{
	struct page *page = block;

	*page = (struct page){.seq = seq,
			      .id = id,
			      .size = (uint32_t)page_size(cap, stride),
			      .stride = (uint16_t)stride,
			      .ns = (uint8_t)ns,
			      .cap = (uint8_t)cap};
	return page;
}

void page_free(struct slab *slab, struct page *page)
{
	slab_put(slab, page, page->size);
}

unsigned page_cap(unsigned n, bool leaves)
{
	return !leaves || n == PAGE_ITEMS ? n : n + 1;
}

unsigned page_root_gap(const struct page *p, unsigned lo, unsigned hi)
{
	const uint16_t *split = p->order.split;
	unsigned best = lo;

	for (unsigned i = lo + 1; i < hi; i++)
		if (split[i] < split[best])
			best = i;
	return best;
}

/*~ Down the trie by the splits alone, looking at no key: that gives the item that has most bits in
 * common with the key. One comparison with it tells how many, and the splits where the key is. */
unsigned page_find(const struct page *p, const uint8_t *key, bool *ret_in)
{
	const struct page_order *o = &p->order;
	unsigned at = 0, left_of = UINT16_MAX, n = o->n, same;
	const struct page_slot *item;

	for (unsigned gap = 0; gap + 1 < n; gap++) {
		unsigned split = o->split[gap];
		/* Where the key is to the left of a branch, what is to its right is passed over.
		 * Written so that no jump has to be guessed. */
		bool here = split < left_of, right = rc_key_bit(key, split);

		at = here && right ? gap + 1 : at;
		left_of = !here ? left_of : right ? UINT16_MAX : split;
	}
	item = page_item(p, at);
	same = rc_key_split(key, item->key, page_key_bytes(item->depth));
	*ret_in = same >= item->depth;
	if (*ret_in)
		return at;
	/* Among items that have more than `same` bits in common with one another: before or after
	 * all of them. */
	if (rc_key_bit(key, same)) {
		while (at + 1 < n && o->split[at] > same)
			at++;
		return at + 1;
	}
	while (at && o->split[at - 1] > same)
		at--;
	return at;
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

void page_encode(const struct page *page, struct rc_buf *buf)
{
	bool sums = page->ns == RC_STATE_COINS;

	rc_buf_put_u8(buf, page->ns);
	rc_buf_put_u8(buf, (uint8_t)page->order.n);
	for (unsigned i = 0; i < page->order.n; i++) {
		const struct page_slot *item = page_item(page, i);

		rc_buf_put_le16(buf, item->depth);
		if (item->child)
			rc_buf_put_le32(buf, item->child);
		encode_key(item->key, item->depth, buf);
		encode_node(&item->node, sums, buf);
	}
	for (unsigned i = 0; i + 1 < page->order.n; i++)
		encode_node(page_branch(page, i), sums, buf);
}

static void decode_node(struct rc_reader *r, bool sums, struct rc_state_node *node)
{
	rc_read_into(r, node->hash.b, 32);
	node->sum = sums ? rc_read_le64(r) : 0;
}

/* Keys ascend and each item's bits tell it from its neighbours. */
static bool fill_splits(struct page *page)
{
	for (unsigned i = 0; i + 1 < page->order.n; i++) {
		const struct page_slot *a = page_item(page, i), *b = page_item(page, i + 1);
		unsigned least = a->depth < b->depth ? a->depth : b->depth;
		unsigned split = rc_key_split(a->key, b->key, page_key_bytes(least));

		if (split >= least || rc_key_bit(a->key, split))
			return false;
		page->order.split[i] = (uint16_t)split;
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
	size_t key_bytes = 0;
	bool leaves = false;
	struct page *page;
	unsigned cap, stride;

	if (!rc_state_key_len(ns) || n < 2 || n > PAGE_ITEMS)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		if (!decode_item(&r, ns, &item[i]))
			return NULL;
		if (page_key_bytes(item[i].depth) > key_bytes)
			key_bytes = page_key_bytes(item[i].depth);
		leaves |= !item[i].child;
	}
	cap = page_cap(n, leaves);
	stride = PAGE_STRIDE(key_bytes);
	page = page_init(slab_get(slab, page_size(cap, stride)), ns, cap, stride, id, 0);
	page->order.n = (uint16_t)n;
	for (unsigned i = 0; i < n; i++) {
		struct page_slot *slot = page_slot(page, i);

		page->order.slot[i] = (uint8_t)i;
		slot->node = item[i].node;
		slot->child = item[i].child;
		slot->depth = item[i].depth;
		memcpy(slot->key, item[i].key, page_key_bytes(item[i].depth));
	}
	for (unsigned i = 0; i + 1 < n; i++)
		decode_node(&r, ns == RC_STATE_COINS, page_branch(page, i));
	if (!rc_reader_end(&r) || !fill_splits(page)) {
		page_free(slab, page);
		return NULL;
	}
	return page;
}
