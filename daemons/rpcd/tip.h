/*
 * chaind's tip, kept here: one long poll is always open, so height and id are answered from memory,
 * and waiting for a block costs the bus nothing more.
 */
#ifndef RPCD_TIP_H
#define RPCD_TIP_H

#include "daemons/rpcd/backends.h"

struct tip;

struct tip *tip_open(struct rpcd *rpcd);
/* Before the backends are closed: answers who waits. Freed after them, since they answer the open
 * long poll. NULL is fine for both. */
void tip_close(struct tip *tip);
void tip_free(struct tip *tip);

/* NULL while it isn't sure (chaind was away, or something was just submitted): ask chaind. */
const struct rc_block_ref *tip_known(const struct tip *tip);
/* The last one seen, sure or not; NULL before the first. */
const struct rc_block_ref *tip_last(const struct tip *tip);

/* Something was submitted here: reads that follow must see it. */
void tip_touch(struct tip *tip);

/* Calls fn(call, tip) once: when the tip isn't `known` any more (NULL: any) and its height is at
 * least min_height, or after wait_ms with the tip as it is. */
typedef void (*tip_fn)(struct rpc_call *call, const struct rc_block_ref *tip);
void tip_wait(struct rpc_call *call, const struct rc_block_id *known, uint32_t min_height,
	      uint32_t wait_ms, tip_fn fn);

#endif
