/* A bump allocator in a chain of chunks. */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

#define CHUNK_BYTES 65536 /* 16 pages: a typical message fits one, a block a few dozen */
#define ALIGN	    16

struct rc_arena_chunk {
	struct rc_arena_chunk *next;
	size_t cap;
	_Alignas(ALIGN) uint8_t data[];
};

void *rc_arena_alloc(struct rc_arena *arena, size_t size)
{
	struct rc_arena_chunk *chunk = arena->chunks;
	size_t need = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	void *p;

	if (!chunk || chunk->cap - arena->used < need) {
		size_t least = arena->chunk ? arena->chunk : CHUNK_BYTES;
		size_t cap = need > least ? need : least;

		chunk = malloc(sizeof(*chunk) + cap);
		if (!chunk)
			chunk = rc_alloc(sizeof(*chunk) + cap); /* logs and ends */
		chunk->cap = cap;
		chunk->next = arena->chunks;
		arena->chunks = chunk;
		arena->used = 0;
	}
	p = chunk->data + arena->used;
	arena->used += need;
	arena->total += need;
	return p;
}

void *rc_arena_try_alloc(struct rc_arena *arena, size_t size)
{
	if (arena->budget && (size > arena->budget || arena->total > arena->budget - size))
		return NULL;
	return rc_arena_alloc(arena, size);
}

void rc_arena_reset(struct rc_arena *arena)
{
	struct rc_arena_chunk *keep = arena->chunks;

	if (keep) {
		while (keep->next) {
			struct rc_arena_chunk *next = keep->next;

			keep->next = next->next;
			free(next);
		}
	}
	arena->used = 0;
	arena->total = 0;
}

void rc_arena_done(struct rc_arena *arena)
{
	while (arena->chunks) {
		struct rc_arena_chunk *next = arena->chunks->next;

		free(arena->chunks);
		arena->chunks = next;
	}
	arena->used = 0;
	arena->total = 0;
}
