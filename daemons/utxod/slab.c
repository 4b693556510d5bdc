/* Free lists by size over chunks of 1 MiB; chunks are kept until the end, since a cache refills. */
#include "daemons/utxod/slab.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"

#define CHUNK_BYTES ((size_t)1 << 20)

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
		struct slab_chunk *c = aligned_alloc(SLAB_STEP, CHUNK_BYTES);

		if (!c) {
			rc_log(RC_LOG_CRIT, "out of memory for tree pages: ending");
			abort();
		}
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
	void **block;

	pthread_mutex_lock(&slab->lock);
	block = slab->free[class - 1];
	if (block)
		slab->free[class - 1] = *block;
	else
		block = carve(slab, class * SLAB_STEP);
	pthread_mutex_unlock(&slab->lock);
	atomic_fetch_add(&slab->live, class * SLAB_STEP);
	return block;
}

void slab_put(struct slab *slab, void *block, size_t size)
{
	size_t class = class_of(size);

	atomic_fetch_sub(&slab->live, class * SLAB_STEP);
	pthread_mutex_lock(&slab->lock);
	*(void **)block = slab->free[class - 1];
	slab->free[class - 1] = block;
	pthread_mutex_unlock(&slab->lock);
}
