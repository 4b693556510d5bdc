/* Free lists by size over chunks; chunks are kept until they are closed, since a cache refills. */
#include "daemons/utxod/slab.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/mem.h"

/*
 * A chunk has the size and place of a huge page of memory: hundreds of megabytes looked into at
 * random would otherwise miss the CPU's table of addresses at nearly each look.
 */
_Static_assert(sizeof(struct slab_chunk) <= SLAB_STEP, "the head of a chunk is a step");

/* Emptying a chunk that is fuller than this moves much for little. */
#define WORTH_CLOSING (SLAB_CHUNK / 8 * 7)

void slab_init(struct slab *slab)
{
	*slab = (struct slab){.used = SLAB_CHUNK};
	pthread_mutex_init(&slab->lock, NULL);
}

void slab_done(struct slab *slab)
{
	while (slab->chunks) {
		struct slab_chunk *c = slab->chunks;

		slab->chunks = c->next;
		free(c);
	}
	for (unsigned i = 0; i < SLAB_CLASSES; i++)
		free(slab->free[i].block);
	pthread_mutex_destroy(&slab->lock);
}

static size_t class_of(size_t size)
{
	size_t class = (size + SLAB_STEP - 1) / SLAB_STEP;

	assert(class >= 1 && class <= SLAB_CLASSES);
	return class;
}

static struct slab_chunk *chunk_of(const void *block)
{
	return (struct slab_chunk *)((uintptr_t)block & ~(SLAB_CHUNK - 1));
}

/* From here on with the lock held. */
static void *carve(struct slab *slab, size_t size)
{
	void *block;

	if (slab->used + size > SLAB_CHUNK) {
		struct slab_chunk *c = aligned_alloc(SLAB_CHUNK, SLAB_CHUNK);

		if (!c) {
			rc_log(RC_LOG_CRIT, "out of memory for tree pages: ending");
			abort();
		}
		madvise(c, SLAB_CHUNK, MADV_HUGEPAGE); /* a hint */
		*c = (struct slab_chunk){.next = slab->chunks};
		slab->chunks = c;
		slab->used = SLAB_STEP;
		atomic_fetch_add_explicit(&slab->held, SLAB_CHUNK, memory_order_relaxed);
	}
	block = (char *)slab->chunks + slab->used;
	slab->used += size;
	return block;
}

static void *get(struct slab *slab, size_t class)
{
	struct slab_stack *stack = &slab->free[class - 1];
	void *block = stack->n ? stack->block[--stack->n] : carve(slab, class * SLAB_STEP);

	chunk_of(block)->live += class * SLAB_STEP;
	return block;
}

/* A closed one: nothing of it is in use. */
static void drop(struct slab *slab, struct slab_chunk *chunk)
{
	struct slab_chunk **at = &slab->chunks;

	while (*at != chunk)
		at = &(*at)->next;
	*at = chunk->next;
	free(chunk);
	atomic_fetch_sub_explicit(&slab->closed, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&slab->held, SLAB_CHUNK, memory_order_relaxed);
}

/* Returns the bytes. */
static size_t put(struct slab *slab, void *block, size_t size)
{
	size_t class = class_of(size);
	struct slab_stack *stack = &slab->free[class - 1];
	struct slab_chunk *chunk = chunk_of(block);

	chunk->live -= class * SLAB_STEP;
	if (chunk->closed) {
		if (!chunk->live)
			drop(slab, chunk);
		return class * SLAB_STEP;
	}
	if (stack->n == stack->cap) {
		stack->cap = stack->cap ? 2 * stack->cap : 64;
		stack->block = rc_realloc_array(stack->block, stack->cap, sizeof(void *));
	}
	stack->block[stack->n++] = block;
	return class * SLAB_STEP;
}

/* ---- with their own locking ---- */

void *slab_get(struct slab *slab, size_t size)
{
	size_t class = class_of(size);
	void *block;

	pthread_mutex_lock(&slab->lock);
	block = get(slab, class);
	pthread_mutex_unlock(&slab->lock);
	atomic_fetch_add_explicit(&slab->live, class * SLAB_STEP, memory_order_relaxed);
	return block;
}

void slab_put(struct slab *slab, void *block, size_t size)
{
	slab_put_many(slab, &(struct slab_block){block, (uint32_t)size}, 1);
}

void slab_put_many(struct slab *slab, const struct slab_block *blocks, size_t n)
{
	size_t bytes = 0;

	pthread_mutex_lock(&slab->lock);
	for (size_t i = 0; i < n; i++)
		bytes += put(slab, blocks[i].block, blocks[i].size);
	pthread_mutex_unlock(&slab->lock);
	atomic_fetch_sub_explicit(&slab->live, bytes, memory_order_relaxed);
}

/* The newest isn't among them: it is being cut. */
static struct slab_chunk *emptiest(struct slab *slab)
{
	struct slab_chunk *least = NULL;

	for (struct slab_chunk *c = slab->chunks ? slab->chunks->next : NULL; c; c = c->next)
		if (!c->closed && c->live <= WORTH_CLOSING && (!least || c->live < least->live))
			least = c;
	return least;
}

static void forget_closed(struct slab_stack *stack)
{
	size_t kept = 0;

	for (size_t i = 0; i < stack->n; i++)
		if (!chunk_of(stack->block[i])->closed)
			stack->block[kept++] = stack->block[i];
	stack->n = kept;
}

size_t slab_close(struct slab *slab, size_t n)
{
	struct slab_chunk *chunk, *next;
	size_t closed = 0;

	pthread_mutex_lock(&slab->lock);
	while (closed < n && (chunk = emptiest(slab))) {
		chunk->closed = true;
		closed++;
	}
	atomic_fetch_add_explicit(&slab->closed, closed, memory_order_relaxed);
	for (unsigned i = 0; closed && i < SLAB_CLASSES; i++)
		forget_closed(&slab->free[i]);
	for (chunk = slab->chunks; chunk; chunk = next) {
		next = chunk->next;
		if (chunk->closed && !chunk->live)
			drop(slab, chunk);
	}
	pthread_mutex_unlock(&slab->lock);
	return closed;
}

void *slab_local_get(struct slab_local *local, size_t size)
{
	size_t class = class_of(size);
	struct slab *slab = local->slab;
	unsigned n = local->class[class - 1].n;
	void **block = local->class[class - 1].block;

	if (!n) {
		pthread_mutex_lock(&slab->lock);
		while (n < SLAB_TAKE)
			block[n++] = get(slab, class);
		pthread_mutex_unlock(&slab->lock);
		atomic_fetch_add(&slab->live, SLAB_TAKE * class * SLAB_STEP);
	}
	local->class[class - 1].n = --n;
	/* The next one is fetched for writing meanwhile. */
	for (size_t at = 0; n && at < class * SLAB_STEP; at += SLAB_STEP)
		__builtin_prefetch((char *)block[n - 1] + at, 1);
	return block[n];
}

void slab_local_done(struct slab_local *local)
{
	for (size_t class = 1; class <= SLAB_CLASSES; class ++)
		while (local->class[class - 1].n)
			slab_put(local->slab,
				 local->class[class - 1].block[--local->class[class - 1].n],
				 class * SLAB_STEP);
}
