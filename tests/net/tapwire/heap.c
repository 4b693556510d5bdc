/* A binary heap of pointers. */
#include "tests/net/tapwire/heap.h"

#include <stdlib.h>

static size_t weight(const struct frame *frame)
{
	return sizeof(*frame) + frame->len;
}

static bool before(const struct frame *a, const struct frame *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

void heap_put(struct heap *heap, struct frame *frame)
{
	size_t i = heap->n++;

	if (heap->n > heap->cap) {
		heap->cap = heap->cap ? heap->cap * 2 : 256;
		heap->list = realloc(heap->list, heap->cap * sizeof(struct frame *));
		if (!heap->list)
			abort();
	}
	frame->order = heap->order++;
	heap->bytes += weight(frame);
	for (; i > 0 && before(frame, heap->list[(i - 1) / 2]); i = (i - 1) / 2)
		heap->list[i] = heap->list[(i - 1) / 2];
	heap->list[i] = frame;
}

int64_t heap_next(const struct heap *heap)
{
	return heap->n ? heap->list[0]->due_ns : INT64_MAX;
}

struct frame *heap_take(struct heap *heap)
{
	struct frame *first = heap->list[0], *last = heap->list[--heap->n];
	size_t i = 0, child;

	heap->bytes -= weight(first);
	while ((child = 2 * i + 1) < heap->n) {
		if (child + 1 < heap->n && before(heap->list[child + 1], heap->list[child]))
			child++;
		if (!before(heap->list[child], last))
			break;
		heap->list[i] = heap->list[child];
		i = child;
	}
	if (heap->n)
		heap->list[i] = last;
	return first;
}

void heap_done(struct heap *heap)
{
	while (heap->n)
		free(heap_take(heap));
	free(heap->list);
	*heap = (struct heap){0};
}
