/* Free lists by size over chunks of 2 MiB; chunks are kept until the end, since a cache refills. */
#include "daemons/utxod/slab.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/mem.h"

/* The size and place of a huge page of memory: hundreds of megabytes looked into at random would
 * otherwise miss the CPU's table of addresses at nearly each look. */
#define CHUNK_BYTES ((size_t)2 << 20)

struct slab_chunk {
	struct slab_chunk *next;
};

void slab_init(struct slab *slab)
{
	*slab = (struct slab){.used = CHUNK_BYTES};
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

static void *carve(struct slab *slab, size_t size)
{
	void *block;

	if (slab->used + size > CHUNK_BYTES) {
		struct slab_chunk *c = aligned_alloc(CHUNK_BYTES, CHUNK_BYTES);

		if (!c) {
			rc_log(RC_LOG_CRIT, "out of memory for tree pages: ending");
			abort();
		}
		madvise(c, CHUNK_BYTES, MADV_HUGEPAGE); /* a hint */
		c->next = slab->chunks;
		slab->chunks = c;
		slab->used = SLAB_STEP;
	}
	block = (char *)slab->chunks + slab->used;
	slab->used += size;
	return block;
}

void *slab_get(struct slab *slab, size_t size)
{
	size_t class = class_of(size);
	struct slab_stack *stack = &slab->free[class - 1];
	void *block;

	pthread_mutex_lock(&slab->lock);
	block = stack->n ? stack->block[--stack->n] : carve(slab, class * SLAB_STEP);
	pthread_mutex_unlock(&slab->lock);
	atomic_fetch_add_explicit(&slab->live, class * SLAB_STEP, memory_order_relaxed);
	return block;
}

/* With the lock held; returns the bytes. */
static size_t put(struct slab *slab, void *block, size_t size)
{
	size_t class = class_of(size);
	struct slab_stack *stack = &slab->free[class - 1];

	if (stack->n == stack->cap) {
		stack->cap = stack->cap ? 2 * stack->cap : 64;
		stack->block = rc_realloc_array(stack->block, stack->cap, sizeof(void *));
	}
	stack->block[stack->n++] = block;
	return class * SLAB_STEP;
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

void *slab_local_get(struct slab_local *local, size_t size)
{
	size_t class = class_of(size);
	struct slab *slab = local->slab;
	struct slab_stack *stack = &slab->free[class - 1];
	unsigned n = local->class[class - 1].n;
	void **block = local->class[class - 1].block;

	if (!n) {
		pthread_mutex_lock(&slab->lock);
		while (n < SLAB_TAKE)
			block[n++] = stack->n ? stack->block[--stack->n]
					      : carve(slab, class * SLAB_STEP);
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
