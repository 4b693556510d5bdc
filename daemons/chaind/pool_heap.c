/* A heap whose members know their places. See pool_heap.h. */
#include "daemons/chaind/pool_heap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static uint32_t *place(const struct pool_heap *heap, struct pool_tx *tx)
{
	return (uint32_t *)(void *)((char *)tx + heap->place_at);
}

void pool_heap_init(struct pool_heap *heap, pool_heap_above_fn above, size_t place_at)
{
	memset(heap, 0, sizeof(*heap));
	heap->above = above;
	heap->place_at = place_at;
}

void pool_heap_done(struct pool_heap *heap)
{
	free(heap->items);
	memset(heap, 0, sizeof(*heap));
}

static void put(struct pool_heap *heap, size_t i, struct pool_tx *tx)
{
	heap->items[i] = tx;
	*place(heap, tx) = (uint32_t)i;
}

static void sift_up(struct pool_heap *heap, size_t i, struct pool_tx *tx)
{
	while (i > 0 && heap->above(tx, heap->items[(i - 1) / 2])) {
		put(heap, i, heap->items[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(heap, i, tx);
}

static void sift_down(struct pool_heap *heap, size_t i, struct pool_tx *tx)
{
	for (;;) {
		size_t c = 2 * i + 1;

		if (c >= heap->n)
			break;
		if (c + 1 < heap->n && heap->above(heap->items[c + 1], heap->items[c]))
			c++;
		if (!heap->above(heap->items[c], tx))
			break;
		put(heap, i, heap->items[c]);
		i = c;
	}
	put(heap, i, tx);
}

void pool_heap_push(struct pool_heap *heap, struct pool_tx *tx)
{
	if (heap->n == heap->cap) {
		heap->cap = heap->cap ? heap->cap * 2 : 256;
		heap->items = rc_realloc_array(heap->items, heap->cap, sizeof(struct pool_tx *));
	}
	sift_up(heap, heap->n++, tx);
}

void pool_heap_update(struct pool_heap *heap, struct pool_tx *tx)
{
	size_t i = *place(heap, tx);

	assert(heap->items[i] == tx);
	if (i > 0 && heap->above(tx, heap->items[(i - 1) / 2]))
		sift_up(heap, i, tx);
	else
		sift_down(heap, i, tx);
}

void pool_heap_remove(struct pool_heap *heap, struct pool_tx *tx)
{
	size_t i = *place(heap, tx);
	struct pool_tx *last = heap->items[--heap->n];

	assert(heap->items[i] == tx);
	if (last == tx)
		return;
	put(heap, i, last);
	pool_heap_update(heap, last);
}

/* ---- walking down ---- */

static bool place_above(const struct pool_heap *heap, uint32_t a, uint32_t b)
{
	return heap->above(heap->items[a], heap->items[b]);
}

static void frontier_push(struct pool_heap_walk *walk, uint32_t item)
{
	size_t i = walk->n++;

	if (walk->n > walk->cap) {
		walk->cap = walk->cap ? walk->cap * 2 : 64;
		walk->frontier = rc_realloc_array(walk->frontier, walk->cap, sizeof(uint32_t));
	}
	while (i > 0 && place_above(walk->heap, item, walk->frontier[(i - 1) / 2])) {
		walk->frontier[i] = walk->frontier[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	walk->frontier[i] = item;
}

void pool_heap_walk_init(struct pool_heap_walk *walk, const struct pool_heap *heap)
{
	memset(walk, 0, sizeof(*walk));
	walk->heap = heap;
	if (heap->n)
		frontier_push(walk, 0);
}

struct pool_tx *pool_heap_walk_next(struct pool_heap_walk *walk)
{
	uint32_t top, last;
	size_t i = 0;

	if (walk->n == 0)
		return NULL;
	top = walk->frontier[0];
	last = walk->frontier[--walk->n];
	for (;;) {
		size_t c = 2 * i + 1;

		if (c >= walk->n)
			break;
		if (c + 1 < walk->n &&
		    place_above(walk->heap, walk->frontier[c + 1], walk->frontier[c]))
			c++;
		if (!place_above(walk->heap, walk->frontier[c], last))
			break;
		walk->frontier[i] = walk->frontier[c];
		i = c;
	}
	walk->frontier[i] = last;
	for (uint32_t c = 2 * top + 1; c <= 2 * top + 2; c++) {
		if (c < walk->heap->n)
			frontier_push(walk, c);
	}
	return walk->heap->items[top];
}

void pool_heap_walk_done(struct pool_heap_walk *walk)
{
	free(walk->frontier);
	memset(walk, 0, sizeof(*walk));
}
