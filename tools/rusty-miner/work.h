/*
 * Hashing: threads that try nonces of one header until told another. Each has the range of nonces
 * whose top 16 bits are its number, so no two ever try the same.
 */
#ifndef MINER_WORK_H
#define MINER_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "consensus/pow.h"
#include "types/header.h"

struct work;

/* RC_EUNAVAILABLE when the system has no room for so many threads. */
int work_new(unsigned threads, struct work **ret_work, struct rc_error *error);
/* Ends the threads. NULL is fine. */
void work_free(struct work *work);

/* Another header to try; what was found for an earlier one and not taken is forgotten. job is given
 * back by work_wait. NULL: nothing to try. */
void work_set(struct work *work, const struct rc_header *header, const struct rc_u256 *target,
	      uint64_t job);
/* Waits at most ms; true when a nonce was found: the threads rest until work_set. */
bool work_wait(struct work *work, unsigned ms, uint64_t *ret_job, uint64_t *ret_nonce);
/* Wakes work_wait up. Any thread. */
void work_wake(struct work *work);
uint64_t work_hashes(const struct work *work);

#endif
