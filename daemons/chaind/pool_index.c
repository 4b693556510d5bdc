/* Open addressing, linear probing, no tombstones. See pool_index.h. */
#include "daemons/chaind/pool_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

#define LEAST_CAP 64

void pool_index_init(struct pool_index *index, size_t key_offset, size_t key_len)
{
	assert(key_len == 32 || key_len == 36);
	/* Of SHA-512's constants: where nothing is secret they spread keys too. */
	*index = (struct pool_index){
		.key_offset = key_offset,
		.key_len = key_len,
		.salt = {UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b),
			 UINT64_C(0x3c6ef372fe94f82b), UINT64_C(0xa54ff53a5f1d36f1)},
	};
}

void pool_index_done(struct pool_index *index)
{
	free(index->slots);
	index->slots = NULL;
	index->cap = index->n = 0;
}

void pool_index_salt(struct pool_index *index, const struct rc_random *random)
{
	assert(index->n == 0);
	rc_random_fill(random, index->salt, sizeof(index->salt));
}

static const void *key_of(const struct pool_index *index, const void *item)
{
	return (const uint8_t *)item + index->key_offset;
}

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_of(const struct pool_index *index, const void *key)
{
	const uint64_t *salt = index->salt;
	const uint8_t *p = key;
	uint64_t tail = index->key_len > 32 ? rc_get_le32(p + 32) : 0;

	return fold(rc_get_le64(p) ^ salt[0], rc_get_le64(p + 8) ^ salt[1]) +
	       fold((rc_get_le64(p + 16) ^ salt[2]) + (tail << 32), rc_get_le64(p + 24) ^ salt[3]);
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

void pool_index_fetch(const struct pool_index *index, const void *key)
{
	if (index->cap)
		__builtin_prefetch(&index->slots[hash_of(index, key) & (index->cap - 1)]);
}

void *pool_index_guess(const struct pool_index *index, const void *key)
{
	uint64_t hash;
	size_t i;

	if (index->n == 0)
		return NULL;
	hash = hash_of(index, key);
	i = hash & (index->cap - 1);
	while (index->slots[i].item && index->slots[i].hash != hash)
		i = (i + 1) & (index->cap - 1);
	return index->slots[i].item;
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
