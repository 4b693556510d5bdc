/* Counted before any curve work, from the lengths of witness items. */
#include "consensus/budget.h"

static uint64_t input_budget(const struct rc_tx_in *in)
{
	uint64_t units = RC_BUDGET_POLICY_PATH;
	struct rc_witness_iter it;
	struct rc_bytes item;

	if (in->n_items == 0)
		return 0;
	if (in->n_items == 1)
		return RC_BUDGET_KEY_PATH;
	it = rc_witness_iter_of(in);
	while (it.left > 2 && rc_witness_next(&it, &item))
		if (item.len == 64 || item.len == 65)
			units += RC_BUDGET_SIGNATURE;
	return units;
}

uint64_t rc_tx_budget(const struct rc_tx *tx)
{
	uint64_t units = 0;

	for (uint32_t i = 0; i < tx->n_inputs; i++)
		units += input_budget(&tx->inputs[i]);
	return units;
}
