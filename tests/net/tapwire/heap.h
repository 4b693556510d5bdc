/* Frames on their way, by the time they are due; equal times leave in the order they came. */
#ifndef TAPWIRE_HEAP_H
#define TAPWIRE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame {
	int64_t due_ns;
	uint64_t order;	 /* of coming; set by heap_put */
	uint64_t number; /* among those of its pair */
	uint16_t from, to;
	bool queued; /* it has passed the receiver's line */
	uint16_t len;
	uint8_t bytes[];
};

struct heap {
	struct frame **list;
	size_t n, cap;
	uint64_t order;
	size_t bytes; /* of all frames, with their struct */
};

/* The frame is the heap's until it is taken. */
void heap_put(struct heap *heap, struct frame *frame);
/* When the first is due; INT64_MAX: there is none. */
int64_t heap_next(const struct heap *heap);
/* The first, which is the caller's to free. */
struct frame *heap_take(struct heap *heap);
void heap_done(struct heap *heap);

#endif
