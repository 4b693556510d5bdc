/*
 * A bounded memory of ids that were seen lately: two generations of a hash set; when the young one
 * is full the old one is forgotten. Ids are hashed under a secret key, so that nobody can aim at
 * a collision. It may forget, and it may (once in 2^40) take one id for another: good enough for
 * what may be asked again.
 */
#ifndef PEERD_SEEN_H
#define PEERD_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seen {
	uint64_t k0, k1;
	size_t most; /* ids a generation holds */
	struct seen_half {
		uint64_t *slots; /* open addressing, 0: empty */
		size_t n, cap;
	} young, old;
};

void seen_init(struct seen *seen, uint64_t k0, uint64_t k1, size_t most);
void seen_done(struct seen *seen);
bool seen_has(const struct seen *seen, const uint8_t id[32]);
/* False if it was there already. */
bool seen_add(struct seen *seen, const uint8_t id[32]);
void seen_forget(struct seen *seen, const uint8_t id[32]);
void seen_clear(struct seen *seen);

#endif
