/*
 * The difference between two versions of a page. Applied it changes the page in place, and is then
 * what makes the older version of the newer one again: so a version costs what it changes, and who
 * reads an older one pays for that with a copy (tree.h).
 */
#ifndef UTXOD_PATCH_H
#define UTXOD_PATCH_H

#include "daemons/utxod/page.h"

struct patch_node {
	struct rc_state_node node;
	uint8_t slot;
	bool branch; /* the slot's branch, not its item */
};

struct patch {
	struct patch *older; /* applied: the page's undo before */
	struct page *page;   /* whole: the version on the other side; NULL: as the disk has it */
	uint64_t seq;	     /* of the version on the other side */
	uint32_t id;
	uint32_t size; /* bytes of the page in the newer version */
	uint16_t stride;
	bool whole;   /* another page instead, and nothing of what follows */
	bool applied; /* the builder's own */
	uint8_t n_nodes, n_items;
	struct page_order order;
	struct patch_node node[];
	/* then whole slots: n_items of struct patch_item */
};

struct patch_item {
	uint64_t slot;
	uint64_t bytes[]; /* a struct page_slot of the page's stride */
};

/* Bytes; the most that fits a block of pages. */
static inline size_t patch_size(unsigned n_nodes, unsigned n_items, unsigned stride)
{
	return sizeof(struct patch) + n_nodes * sizeof(struct patch_node) +
	       (size_t)n_items * (sizeof(struct patch_item) + stride);
}

static inline struct patch_item *patch_item(struct patch *patch, unsigned i)
{
	return (struct patch_item *)((char *)(patch->node + patch->n_nodes) +
				     (size_t)i * (sizeof(struct patch_item) + patch->stride));
}

/* Not whole ones: changes the page, whose undo it then is, and back. */
void patch_apply(struct patch *patch, struct page *page);
void patch_undo(struct patch *patch, struct page *page);
/* Makes a page (in PAGE_SIZE_MAX bytes, a copy) what it was before an applied patch, its undo,
 * which stays as it is. False: it wasn't in memory. */
bool patch_step_back(struct page *copy);

#endif
