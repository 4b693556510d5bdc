/*
 * A utxod that fits on a page, for tests of chaind: the state is every delta from genesis on,
 * applied anew for each question. It serves the bus in-process, remembers what was committed, and
 * fails where a test wants it to.
 */
#ifndef FAKE_UTXOD_H
#define FAKE_UTXOD_H

#include "bus/server.h"
#include "consensus/network.h"
#include "types/delta.h"

struct fake_utxod;

struct fake_utxod *fake_utxod_new(struct rc_loop *loop, const struct rc_network *network,
				  const char *inproc);
void fake_utxod_free(struct fake_utxod *f);

/* A crash: what was staged is gone, and committed blocks above keep (UINT32_MAX: all stay); comes
 * back with another boot id. */
void fake_utxod_restart(struct fake_utxod *f, uint32_t keep);
/* Goes away until the next restart. */
void fake_utxod_stop(struct fake_utxod *f);

uint32_t fake_utxod_height(const struct fake_utxod *f);
void fake_utxod_tip(const struct fake_utxod *f, struct rc_block_id *ret_id);
void fake_utxod_root(const struct fake_utxod *f, struct rc_hash *ret_root);
/* Requests answered so far: for crashes at the n-th. */
unsigned fake_utxod_requests(const struct fake_utxod *f);
/* Called before each request is answered, with its name; true: the request is answered
 * UNAVAILABLE instead. */
void fake_utxod_on_request(struct fake_utxod *f, bool (*fn)(void *arg, const char *name),
			   void *arg);
/* Blocks that fit on the stack of staged ones. */
void fake_utxod_set_stack(struct fake_utxod *f, size_t max);
/* Commits seen, and the most blocks one of them made durable. */
unsigned fake_utxod_commits(const struct fake_utxod *f, unsigned *ret_largest);

#endif
