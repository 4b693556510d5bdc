/* Halvings and shares. */
#include "consensus/subsidy.h"

#include <assert.h>

rc_amount rc_subsidy(const struct rc_network *network, uint32_t height)
{
	uint32_t halvings = height / network->params.halving;

	return height == 0 || halvings >= 64 ? 0 : network->params.subsidy >> halvings;
}

/* The subsidy is at most the supply limit, so × 100 fits. */
rc_amount rc_subsidy_treasury(const struct rc_network *network, uint32_t height)
{
	return rc_subsidy(network, height) * network->params.treasury_share / 100;
}

rc_amount rc_subsidy_masternode(const struct rc_network *network, uint32_t height)
{
	return rc_subsidy(network, height) * network->params.masternode_share / 100;
}

rc_amount rc_treasury_after(const struct rc_network *network, uint32_t height, rc_amount before,
			    rc_amount payments)
{
	rc_amount due = before + rc_subsidy_treasury(network, height);

	assert(payments <= due);
	return height % network->params.cycle == 0 ? 0 : due - payments;
}

rc_amount rc_miner_limit(const struct rc_network *network, uint32_t height, rc_amount fees)
{
	assert(rc_amount_valid(fees));
	return rc_subsidy(network, height) - rc_subsidy_treasury(network, height) + fees;
}
