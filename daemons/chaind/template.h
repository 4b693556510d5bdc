/* What to mine on: the best paying transactions of the pool, within a block's limits. */
#ifndef CHAIND_TEMPLATE_H
#define CHAIND_TEMPLATE_H

#include "daemons/chaind/mempool.h"

/* Kept free for header, count and coinbase: 118 + 5 + a coinbase with some 40 outputs. */
#define TEMPLATE_RESERVE 2000

struct template_tx {
	const struct pool_tx *tx;
	uint32_t n_depends;
	uint32_t *depends; /* places in the list, from 1 */
};

struct template_list {
	struct template_tx *txs; /* parents before children */
	size_t n;
	uint64_t bytes;
	uint64_t budget;
	rc_amount fees;
};

/*
 * Chooses by ancestor fee rate: a transaction with all it needs counts as one package, and what is
 * chosen no longer counts against those that need it. height: the new block's.
 */
void template_choose(struct mempool *pool, uint64_t bytes_max, uint64_t budget_max, uint32_t height,
		     uint32_t median_time, struct template_list *ret_list);
void template_list_done(struct template_list *list);

#endif
