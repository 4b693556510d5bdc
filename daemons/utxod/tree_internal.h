/* What tree.c and tree_update.c share. */
#ifndef UTXOD_TREE_INTERNAL_H
#define UTXOD_TREE_INTERNAL_H

#include <pthread.h>

#include "daemons/utxod/crew.h"
#include "daemons/utxod/patch.h"
#include "daemons/utxod/tree.h"

/* Slots of pages by id, in chunks, so that the table grows without moving. */
#define SLOT_CHUNK_BITS 16
#define SLOT_CHUNK	((uint32_t)1 << SLOT_CHUNK_BITS)
#define SLOT_CHUNKS	((uint32_t)1 << (32 - SLOT_CHUNK_BITS))

struct tree_slot {
	_Atomic(struct page *) head; /* NULL: as the disk has it */
	_Atomic uint8_t used;	     /* looked at since the clock's hand passed */
	_Atomic bool held;	     /* being changed or copied */
};

struct tree {
	struct disk *disk;
	struct slab slab;
	struct slab_local local[CREW_MAX]; /* the builder's threads', during an update */
	struct crew *crew;
	size_t limit;
	atomic_size_t beside;
	_Atomic(struct tree_slot *) chunk[SLOT_CHUNKS];

	pthread_mutex_t lock;	  /* all below */
	_Atomic uint32_t next_id; /* changed with the lock held */
	uint32_t *free_ids;
	size_t n_free, cap_free;
	bool cold;     /* the builder's own: the last version met pages that weren't in memory */
	bool updating; /* pages the builder looks at must stay: tree_set_updating */
	uint64_t flushed;
	uint64_t released; /* versions before this have no readers */
	uint32_t hand;
	uint64_t stable;  /* what the hand knew last of flushed and released */
	size_t room;	  /* bytes that a version of late took: left free for the next one */
	uint32_t packing; /* the next id to be looked at; 0: no pass is under way */
	int64_t spare;	  /* bytes of chunks that weren't in use at the busiest moment of late */

	atomic_uint_fast64_t in_vain; /* slots passed since a page was dropped, or may be again */
	atomic_uint_fast64_t hits, loads, drops, hashes;
};

/* The page itself, for the builder: he alone changes it. Read from the disk if need be. */
int tree_page(struct tree *tree, uint32_t id, struct page **ret, struct rc_error *error);
/* Changes pages by patches, and back. */
void tree_apply(struct tree *tree, struct patch *patch);
void tree_unapply(struct tree *tree, struct patch *patch);
/* Loads pages that aren't in memory, together. Ids may repeat; the array is sorted. */
int tree_load(struct tree *tree, uint32_t *ids, size_t n, struct rc_error *error);
/* The builder's: while it is set, pages stay where they are. */
void tree_set_updating(struct tree *tree, bool updating);
/* With the lock held. */
uint32_t tree_take_id(struct tree *tree);
void tree_give_back_id(struct tree *tree, uint32_t id);
struct tree_slot *tree_new_slots(struct tree *tree, uint32_t id);

static inline struct tree_slot *tree_slot(struct tree *tree, uint32_t id)
{
	struct tree_slot *chunk =
		atomic_load_explicit(&tree->chunk[id >> SLOT_CHUNK_BITS], memory_order_acquire);

	return chunk ? &chunk[id & (SLOT_CHUNK - 1)] : tree_new_slots(tree, id);
}

/* The page if it is in memory, else NULL. */
static inline struct page *tree_peek(struct tree *tree, uint32_t id)
{
	struct page *page = atomic_load_explicit(&tree_slot(tree, id)->head, memory_order_acquire);

	return page && page->order.n ? page : NULL;
}

#endif
