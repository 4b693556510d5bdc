/* Changing pages in place, and back. */
#include "daemons/utxod/patch.h"

#include <string.h>

static void swap_nodes(struct rc_state_node *a, struct rc_state_node *b)
{
	struct rc_state_node t = *a;

	*a = *b;
	*b = t;
}

static void swap_slots(uint64_t *a, uint64_t *b, size_t bytes)
{
	for (size_t i = 0; i < bytes / sizeof(*a); i++) {
		uint64_t t = a[i];

		a[i] = b[i];
		b[i] = t;
	}
}

static struct rc_state_node *node_of(const struct page *page, const struct patch_node *n)
{
	struct page_slot *slot = page_slot(page, n->slot);

	return n->branch ? &slot->branch : &slot->node;
}

/*~ Whole slots aside, each node is in one place only, so the order of exchanges doesn't matter. */
static void exchange(struct patch *patch, struct page *page)
{
	struct page_order order = page->order;
	uint64_t seq = page->seq;

	page->order = patch->order;
	patch->order = order;
	page->seq = patch->seq;
	patch->seq = seq;
	for (unsigned i = 0; i < patch->n_nodes; i++)
		swap_nodes(node_of(page, &patch->node[i]), &patch->node[i].node);
	for (unsigned i = 0; i < patch->n_items; i++) {
		struct patch_item *item = patch_item(patch, i);

		swap_slots((uint64_t *)page_slot(page, (unsigned)item->slot), item->bytes,
			   patch->stride);
	}
}

void patch_apply(struct patch *patch, struct page *page)
{
	exchange(patch, page);
	patch->older = page->undo;
	page->undo = patch;
}

void patch_undo(struct patch *patch, struct page *page)
{
	exchange(patch, page);
	page->undo = patch->older;
}

bool patch_step_back(struct page *copy)
{
	struct patch *patch = copy->undo;

	if (patch->whole) {
		if (patch->page)
			memcpy(copy, patch->page, patch->page->size);
		return patch->page != NULL;
	}
	copy->order = patch->order;
	copy->seq = patch->seq;
	copy->undo = patch->older;
	for (unsigned i = 0; i < patch->n_nodes; i++)
		*node_of(copy, &patch->node[i]) = patch->node[i].node;
	for (unsigned i = 0; i < patch->n_items; i++) {
		struct patch_item *item = patch_item(patch, i);

		memcpy(page_slot(copy, (unsigned)item->slot), item->bytes, patch->stride);
	}
	return true;
}
