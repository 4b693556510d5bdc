/*
 * Which transactions' witnesses were verified already, by wtxid: a witness's verdict depends on the
 * transaction and the coins it spends alone (20-consensus, "Evaluation"), and the wtxid covers
 * both. A fixed table; when a bucket is full a random member goes. Any thread.
 */
#ifndef CHAIND_VERIFIED_H
#define CHAIND_VERIFIED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "types/id.h"

struct verified;

struct verified *verified_new(size_t bytes, const struct rc_random *random);
void verified_free(struct verified *verified);

/* Where a wtxid stands. What is found for several beforehand is in the cache when it is looked at,
 * and one place serves to look and to add. */
struct verified_place {
	uint8_t key[32];
	size_t bucket;
};

void verified_find(const struct verified *verified, const struct rc_wtxid *wtxid,
		   struct verified_place *ret_place);
bool verified_has(struct verified *verified, const struct verified_place *place);
void verified_add(struct verified *verified, const struct verified_place *place);

#endif
