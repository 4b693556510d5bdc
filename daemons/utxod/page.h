/*
 * A page: one piece of a namespace's trie, a subtree of up to PAGE_ITEMS items. An item is a leaf
 * or the root of another page. Items stand in key order; between two neighbours there is exactly
 * one branch of the trie, at the first bit in which they differ, so the trie's shape needs no
 * pointers: the root of items lo … hi is the gap between them with the least split.
 *
 * In memory each item has a slot that it keeps, and its order is told apart from it, so that a
 * change touches what it changes and no more (patch.h). On disk: key `p` ‖ id u32 big-endian.
 */
#ifndef UTXOD_PAGE_H
#define UTXOD_PAGE_H

#include "base/buf.h"
#include "consensus/state_hash.h"
#include "daemons/utxod/slab.h"

/*
 * 16: 10,000 changes among 10 million coins touch some 25,000 pages of 11 items of 90 bytes, or 160
 * where they are leaves; half the items cost more pages and look-ups, twice the items longer ways
 * within a page and more to write.
 */
#define PAGE_ITEMS 16
/* A page of no more than this is dissolved into the one above. */
#define PAGE_INLINE 3

#define PAGE_KEY_SIZE 5

struct page_slot {
	struct rc_state_node node;
	struct rc_state_node branch; /* in the gap before the item; the first has none */
	uint32_t child;		     /* page id; 0: a leaf */
	uint16_t
		depth; /* bits of the key that count: of a leaf all, else the child's root's path */
	uint16_t unused;
	uint8_t key[];
};

/* Which slots are used, in key order. */
struct page_order {
	uint16_t n;			/* items; 0: the page is gone in this version */
	uint16_t split[PAGE_ITEMS - 1]; /* first bit in which items i and i + 1 differ */
	uint8_t slot[PAGE_ITEMS];
};

struct patch;

struct page {
	uint64_t seq;	    /* the version that changed it last; 0: as the disk has it */
	struct patch *undo; /* gives what it was before, while that has readers */
	uint32_t id;	    /* the same through all versions */
	uint32_t size;	    /* bytes of memory */
	uint16_t stride;    /* bytes of a slot */
	uint8_t ns;
	uint8_t cap; /* slots */
	struct page_order order;
	uint64_t slots[];
};

/* Bytes of an item's key that are there. */
static inline size_t page_key_bytes(unsigned depth)
{
	return (depth + 7u) / 8;
}

static inline struct page_slot *page_slot(const struct page *p, unsigned slot)
{
	return (struct page_slot *)((char *)p->slots + (size_t)slot * p->stride);
}

/* Item i in key order. */
static inline struct page_slot *page_item(const struct page *p, unsigned i)
{
	return page_slot(p, p->order.slot[i]);
}

/* The branch between items gap and gap + 1. */
static inline struct rc_state_node *page_branch(const struct page *p, unsigned gap)
{
	return &page_item(p, gap + 1)->branch;
}

/* Bytes of a slot with so many of a key, and of the largest page. */
#define PAGE_STRIDE(key_bytes) ((sizeof(struct page_slot) + (key_bytes) + 7) / 8 * 8)
#define PAGE_SIZE_MAX	       (sizeof(struct page) + PAGE_ITEMS * PAGE_STRIDE(RC_STATE_KEY_MAX))

/* Memory of a page of so many slots (0: a tombstone). */
size_t page_size(unsigned cap, unsigned stride);
/* A page in a block of page_size bytes; its order and slots are the caller's to fill. */
struct page *page_init(void *block, unsigned ns, unsigned cap, unsigned stride, uint32_t id,
		       uint64_t seq);
void page_free(struct slab *slab, struct page *page);
/* Slots that a page of n items is given: it can take a few more leaves, if it has any. */
unsigned page_cap(unsigned n, bool leaves);

/* The gap that is the root of items lo … hi (lo < hi). */
unsigned page_root_gap(const struct page *p, unsigned lo, unsigned hi);
/* The first item that isn't before the key, n if all are; *ret_in: the key belongs to it. */
unsigned page_find(const struct page *p, const uint8_t *key, bool *ret_in);

void page_encode(const struct page *page, struct rc_buf *buf);
/* NULL if the bytes aren't a page. */
struct page *page_decode(struct slab *slab, struct rc_bytes bytes, uint32_t id);

void page_disk_key(uint32_t id, uint8_t ret_key[PAGE_KEY_SIZE]);

#endif
