/* Many small allocations that live and die together: a decoded block, an unpacked message. */
#ifndef RC_BASE_ARENA_H
#define RC_BASE_ARENA_H

#include <stddef.h>

struct rc_arena_chunk;

struct rc_arena {
	struct rc_arena_chunk *chunks;
	size_t used;   /* of the newest chunk */
	size_t total;  /* bytes handed out, for budgets */
	size_t budget; /* 0: none; rc_arena_try_alloc refuses beyond it */
	size_t chunk;  /* least bytes of a chunk, where what will be needed is known; 0: 64 KiB */
};

#define RC_ARENA_INIT ((struct rc_arena){0})

/* Aligned to 16, not zeroed. Ends the process when memory runs out. */
void *rc_arena_alloc(struct rc_arena *arena, size_t size) __attribute__((malloc, returns_nonnull));
/* As above, but NULL when the arena's budget would be passed. */
void *rc_arena_try_alloc(struct rc_arena *arena, size_t size);
/* Forgets all allocations, keeps the newest chunk for the next use. */
void rc_arena_reset(struct rc_arena *arena);
void rc_arena_done(struct rc_arena *arena);

#endif
