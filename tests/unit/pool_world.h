/* Transactions for tests of the pool: unsigned payments of made-up coins, with any shape. */
#ifndef POOL_WORLD_H
#define POOL_WORLD_H

#include "daemons/chaind/mempool.h"
#include "rc_test.h"

#define POOL_TX_INPUTS_MAX 8

/* A transaction of its own, with the coins it spends. */
struct made_tx {
	struct rc_arena arena;
	struct rc_buf raw;
	struct rc_tx tx;
	struct rc_coin coins[POOL_TX_INPUTS_MAX];
	const struct rc_coin *coin_at[POOL_TX_INPUTS_MAX];
	struct pool_facts facts;
};

/* Spends these outpoints, makes n_outputs coins; padding bytes of witness make it larger. */
void made_tx_init(struct made_tx *m, const struct rc_outpoint *inputs, size_t n_inputs,
		  uint32_t n_outputs, rc_amount fee, size_t padding);
void made_tx_done(struct made_tx *m);
/* A fresh outpoint of the state. */
void made_outpoint(struct rc_test_random *t, struct rc_outpoint *ret);
struct rc_outpoint made_output(const struct made_tx *m, uint32_t index);
enum rc_verdict made_add(struct mempool *pool, struct made_tx *m, uint64_t now);

#endif
