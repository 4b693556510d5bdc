/*
 * The pool's tables: items by a key of theirs. A slot is a hash and a pointer, in one array, so
 * that a look-up is one reach into memory; the hash is salted, so that nobody outside chooses who
 * stands beside whom. Keys are hashes, or a hash and a small number: products with secret factors
 * spread them, at a tenth of what SipHash takes.
 */
#ifndef CHAIND_POOL_INDEX_H
#define CHAIND_POOL_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

/* What an entry costs at most: a slot of 16 bytes in a table three eighths full. */
#define POOL_INDEX_ENTRY 43

struct pool_slot {
	uint64_t hash;
	void *item; /* NULL: free */
};

struct pool_index {
	size_t key_offset, key_len; /* in an item */
	uint64_t salt[4];
	struct pool_slot *slots;
	size_t cap; /* a power of two, or 0 */
	size_t n;
};

/* Items are structs that have key_len bytes of key, 32 or 36, at key_offset; they stay their
 * owner's. */
void pool_index_init(struct pool_index *index, size_t key_offset, size_t key_len);
void pool_index_done(struct pool_index *index);
/* Only while it is empty. */
void pool_index_salt(struct pool_index *index, const struct rc_random *random);

/* It will be asked for this key soon: where the search begins comes into the CPU's cache. */
void pool_index_fetch(const struct pool_index *index, const void *key);
/* Most likely the key's item, if it has one: another's only where all 64 bits of their hashes
 * agree. Nothing of an item is read. */
void *pool_index_guess(const struct pool_index *index, const void *key);
void *pool_index_find(const struct pool_index *index, const void *key);
/* No item may have its key yet. */
void pool_index_add(struct pool_index *index, void *item);
/* It must be there. */
void pool_index_remove(struct pool_index *index, const void *item);

#endif
