/* A page of the state's tree, as it stands in the database: what is read is written again to the
 * same bytes, and each item is found by its own key, whatever follows its bits. */
#include <stdint.h>
#include <string.h>

#include "daemons/utxod/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_item(const struct page *page, unsigned i, uint8_t rest)
{
	const struct page_slot *item = page_item(page, i);
	size_t bytes = page_key_bytes(item->depth);
	uint8_t key[RC_STATE_KEY_MAX];
	bool in;

	memset(key, rest, sizeof(key));
	memcpy(key, item->key, bytes);
	if (item->depth % 8)
		key[bytes - 1] |= rest & (uint8_t)(0xff >> item->depth % 8);
	if (page_find(page, key, &in) != i || !in)
		__builtin_trap();
}

/* Every branch of the trie is a gap, reached once from the root. */
static unsigned count_branches(const struct page *page, unsigned lo, unsigned hi)
{
	unsigned gap;

	if (lo == hi)
		return 0;
	gap = page_root_gap(page, lo, hi);
	if (gap < lo || gap >= hi)
		__builtin_trap();
	return 1 + count_branches(page, lo, gap) + count_branches(page, gap + 1, hi);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rc_buf again = RC_BUF_INIT;
	static struct slab slab;
	struct page *page;

	if (!slab.used)
		slab_init(&slab);
	page = page_decode(&slab, (struct rc_bytes){data, size}, 7);
	if (!page)
		return 0;
	page_encode(page, &again);
	if (again.len != size || memcmp(again.data, data, size) != 0)
		__builtin_trap();
	for (unsigned i = 0; i < page->order.n; i++) {
		check_item(page, i, 0);
		check_item(page, i, 0xff);
	}
	if (count_branches(page, 0, page->order.n - 1u) != page->order.n - 1u)
		__builtin_trap();
	page_free(&slab, page);
	rc_buf_done(&again);
	return 0;
}
