/*
 * A binary heap of pool transactions that know their places, so that any of them can move or leave
 * in log time: one orders eviction, one mining.
 */
#ifndef CHAIND_POOL_HEAP_H
#define CHAIND_POOL_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pool_tx;

/* Which of two stands nearer the top. */
typedef bool (*pool_heap_above_fn)(const struct pool_tx *a, const struct pool_tx *b);

struct pool_heap {
	struct pool_tx **items;
	size_t n;
	size_t cap;
	pool_heap_above_fn above;
	size_t place_at; /* offset in struct pool_tx of this heap's uint32_t place */
};

void pool_heap_init(struct pool_heap *heap, pool_heap_above_fn above, size_t place_at);
void pool_heap_done(struct pool_heap *heap);
void pool_heap_push(struct pool_heap *heap, struct pool_tx *tx);
void pool_heap_remove(struct pool_heap *heap, struct pool_tx *tx);
/* Its order has changed. */
void pool_heap_update(struct pool_heap *heap, struct pool_tx *tx);

static inline struct pool_tx *pool_heap_top(const struct pool_heap *heap)
{
	return heap->n ? heap->items[0] : NULL;
}

/* Goes through the items from the top down without changing the heap: log time a step in the
 * number of steps made. The heap must stay as it is meanwhile. */
struct pool_heap_walk {
	const struct pool_heap *heap;
	uint32_t *frontier; /* places, themselves a heap */
	size_t n;
	size_t cap;
};
void pool_heap_walk_init(struct pool_heap_walk *walk, const struct pool_heap *heap);
struct pool_tx *pool_heap_walk_next(struct pool_heap_walk *walk); /* NULL at the end */
void pool_heap_walk_done(struct pool_heap_walk *walk);

#endif
