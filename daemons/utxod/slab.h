/* Memory of tree pages: many blocks of a few sizes, without an allocator's overhead for each. */
#ifndef UTXOD_SLAB_H
#define UTXOD_SLAB_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Sizes are rounded up to steps; the largest page (tree_page.h) must fit. */
#define SLAB_STEP    64
#define SLAB_CLASSES 64
#define SLAB_MAX     ((size_t)SLAB_STEP * SLAB_CLASSES)

/* Free blocks of one size. Their own memory isn't touched: it is rarely in the CPU's cache. */
struct slab_stack {
	void **block;
	size_t n, cap;
};

struct slab {
	pthread_mutex_t lock;
	struct slab_stack free[SLAB_CLASSES];
	struct slab_chunk *chunks;
	size_t used;	    /* of the newest chunk */
	atomic_size_t live; /* bytes handed out, rounded up */
};

void slab_init(struct slab *slab);
/* Frees every block at once. */
void slab_done(struct slab *slab);
/* size ≤ SLAB_MAX; aligned to SLAB_STEP; not zeroed. Any thread. */
void *slab_get(struct slab *slab, size_t size);
void slab_put(struct slab *slab, void *block, size_t size);
/* Many at once, without looking into any. */
struct slab_block {
	void *block;
	uint32_t size; /* as it was asked for */
};
void slab_put_many(struct slab *slab, const struct slab_block *blocks, size_t n);

/*
 * Blocks taken many at a time by one thread: no lock and no atomic operation for each, which would
 * wait for the writes to the block before.
 */
#define SLAB_TAKE 32
struct slab_local {
	struct slab *slab;
	struct {
		unsigned n;
		void *block[SLAB_TAKE];
	} class[SLAB_CLASSES];
};
void *slab_local_get(struct slab_local *local, size_t size);
/* Gives back what is left. */
void slab_local_done(struct slab_local *local);

#endif
