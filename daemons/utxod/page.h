/*
 * A page: one piece of a namespace's trie, a subtree of up to PAGE_ITEMS items. An item is a leaf
 * or the root of another page. Items stand in key order; between two neighbours there is exactly
 * one branch of the trie, at the first bit in which they differ, so the trie's shape needs no
 * pointers: the root of items lo … hi is the gap between them with the least split.
 *
 * In memory a page never changes once the version that made it is complete; a version that changes
 * it makes another (tree.h). On disk: key `p` ‖ id u32 big-endian.
 */
#ifndef UTXOD_PAGE_H
#define UTXOD_PAGE_H

#include "base/buf.h"
#include "consensus/state_hash.h"
#include "daemons/utxod/slab.h"

/*
 * 16: a changed page is copied whole, and 10,000 changes among 10 million coins touch some 25,000
 * pages of 11 items of 90 bytes, or 160 where they are leaves; twice the items cost half again as
 * much copying, half of them more pages and look-ups (measured in tests/unit/test_tree.c, "speed").
 */
#define PAGE_ITEMS 16
/* A page of no more than this is dissolved into the one above. */
#define PAGE_INLINE 3

#define PAGE_KEY_SIZE 5

struct page {
	struct page *older; /* the same page as an earlier version has it, while that has readers */
	uint64_t seq;	    /* the version that made it; 0: from disk */
	uint32_t id;	    /* the same through all versions */
	uint16_t n;	    /* items; 0: the page is gone in this version */
	uint8_t ns;
	uint32_t size;		     /* bytes of memory */
	struct rc_state_node node[]; /* of n items, then of n − 1 branches */
	/* then: u32 child[n], u16 depth[n], u16 split[n − 1], u16 at[n], keys: of an item as many
	 * bytes as its bits need, all of a leaf's, a few of another's */
};

static inline struct rc_state_node *page_branch(struct page *p)
{
	return p->node + p->n;
}

/* Page ids of the items; 0: a leaf. */
static inline uint32_t *page_child(struct page *p)
{
	return (uint32_t *)(p->node + 2 * p->n - 1);
}

/* Bits of an item's key that count: all for a leaf, the path of the child's root for another. */
static inline uint16_t *page_depth(struct page *p)
{
	return (uint16_t *)(page_child(p) + p->n);
}

/* First bit in which items i and i + 1 differ. */
static inline uint16_t *page_split(struct page *p)
{
	return page_depth(p) + p->n;
}

/* Where an item's key begins, from the end of this array on. */
static inline uint16_t *page_at(struct page *p)
{
	return page_split(p) + p->n - 1;
}

static inline uint8_t *page_key(struct page *p, unsigned i)
{
	return (uint8_t *)(page_at(p) + p->n) + page_at(p)[i];
}

/* Bytes of an item's key that are there. */
static inline size_t page_key_bytes(unsigned depth)
{
	return (depth + 7u) / 8;
}

/* Memory of a page of n items with so many bytes of keys in all (n 0: a tombstone). */
size_t page_size(unsigned n, size_t key_bytes);
/* A page in a block of page_size bytes; its arrays are the caller's to fill. */
struct page *page_init(void *block, size_t size, unsigned ns, unsigned n, uint32_t id,
		       uint64_t seq);
void page_free(struct slab *slab, struct page *page);

/* The gap that is the root of items lo … hi (lo < hi). */
unsigned page_root_gap(struct page *p, unsigned lo, unsigned hi);

void page_encode(struct page *page, struct rc_buf *buf);
/* NULL if the bytes aren't a page. */
struct page *page_decode(struct slab *slab, struct rc_bytes bytes, uint32_t id);

void page_disk_key(uint32_t id, uint8_t ret_key[PAGE_KEY_SIZE]);

#endif
