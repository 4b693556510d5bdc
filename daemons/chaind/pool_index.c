/* Open addressing, linear probing, no tombstones. See pool_index.h. */
#include "daemons/chaind/pool_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/siphash.h"

#define LEAST_CAP 64

void pool_index_init(struct pool_index *index, size_t key_offset, size_t key_len)
{
	*index = (struct pool_index){.key_offset = key_offset, .key_len = key_len};
}

void pool_index_done(struct pool_index *index)
{
	free(index->slots);
	index->slots = NULL;
	index->cap = index->n = 0;
}

void pool_index_salt(struct pool_index *index, uint64_t k0, uint64_t k1)
{
	assert(index->n == 0);
	index->k0 = k0;
	index->k1 = k1;
}

static const void *key_of(const struct pool_index *index, const void *item)
{
	return (const uint8_t *)item + index->key_offset;
}

static uint64_t hash_of(const struct pool_index *index, const void *key)
{
	return rc_siphash(index->k0, index->k1, key, index->key_len);
}

/* The first free place of a hash's run. */
static struct pool_slot *free_slot(const struct pool_index *index, uint64_t hash)
{
	size_t i = hash & (index->cap - 1);

	while (index->slots[i].item)
		i = (i + 1) & (index->cap - 1);
	return &index->slots[i];
}

static void grow(struct pool_index *index)
{
	struct pool_slot *old = index->slots;
	size_t old_cap = index->cap;

	index->cap = old_cap ? 2 * old_cap : LEAST_CAP;
	index->slots = rc_alloc_array(index->cap, sizeof(*index->slots));
	for (size_t i = 0; i < old_cap; i++) {
		if (old[i].item)
			*free_slot(index, old[i].hash) = old[i];
	}
	free(old);
}

void *pool_index_find(const struct pool_index *index, const void *key)
{
	uint64_t hash;

	if (index->n == 0)
		return NULL;
	hash = hash_of(index, key);
	for (size_t i = hash & (index->cap - 1); index->slots[i].item;
	     i = (i + 1) & (index->cap - 1)) {
		const struct pool_slot *slot = &index->slots[i];

		if (slot->hash == hash &&
		    memcmp(key_of(index, slot->item), key, index->key_len) == 0)
			return slot->item;
	}
	return NULL;
}

void pool_index_add(struct pool_index *index, void *item)
{
	uint64_t hash = hash_of(index, key_of(index, item));

	if (4 * (index->n + 1) > 3 * index->cap)
		grow(index);
	*free_slot(index, hash) = (struct pool_slot){hash, item};
	index->n++;
}

void pool_index_remove(struct pool_index *index, const void *item)
{
	size_t mask = index->cap - 1;
	size_t gap = hash_of(index, key_of(index, item)) & mask;

	while (index->slots[gap].item != item) {
		assert(index->slots[gap].item);
		gap = (gap + 1) & mask;
	}
	/* Those behind it in the run move up where the gap would end their search. */
	for (size_t i = (gap + 1) & mask; index->slots[i].item; i = (i + 1) & mask) {
		size_t home = index->slots[i].hash & mask;

		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		index->slots[gap] = index->slots[i];
		gap = i;
	}
	index->slots[gap].item = NULL;
	index->n--;
}
