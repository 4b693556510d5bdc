/* Memory of tree pages: many blocks of a few sizes, without an allocator's overhead for each. */
#ifndef UTXOD_SLAB_H
#define UTXOD_SLAB_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
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

/* Blocks are cut from chunks, which begin at multiples of their size: a block tells its chunk. */
#define SLAB_CHUNK ((size_t)2 << 20)

struct slab_chunk {
	struct slab_chunk *next;
	size_t live; /* bytes of its blocks that are handed out */
	bool closed;
};

struct slab {
	pthread_mutex_t lock;
	struct slab_stack free[SLAB_CLASSES];
	struct slab_chunk *chunks; /* the newest first */
	size_t used;		   /* of the newest chunk */
	atomic_size_t live;	   /* bytes handed out, rounded up */
	atomic_size_t held;	   /* bytes of chunks */
	atomic_size_t closed;	   /* chunks: slab_close */
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
 * What a block leaves is for blocks of its size, and in time each size would keep the most it ever
 * had. So chunks of which little is used can be closed: none of their blocks is handed out any
 * more, their users move what they can, and a chunk goes when its last block is put.
 *
 * Closes up to n chunks, the emptiest first; returns how many. Its callers take turns with those of
 * slab_is_closed.
 */
size_t slab_close(struct slab *slab, size_t n);
static inline bool slab_is_closed(const void *block)
{
	return ((const struct slab_chunk *)((uintptr_t)block & ~(SLAB_CHUNK - 1)))->closed;
}

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
