/* What a block may make, and who gets it (20-consensus, "Subsidy and treasury"). */
#ifndef RC_CONSENSUS_SUBSIDY_H
#define RC_CONSENSUS_SUBSIDY_H

#include "consensus/network.h"

rc_amount rc_subsidy(const struct rc_network *network, uint32_t height);
/* The share that accrues in the state. */
rc_amount rc_subsidy_treasury(const struct rc_network *network, uint32_t height);
/* The masternode's share, if one is enabled in the state before the block. */
rc_amount rc_subsidy_masternode(const struct rc_network *network, uint32_t height);

/* T(h) from T(h − 1) and the treasury payments of block h; payments ≤ T(h − 1) + treasury(h). */
rc_amount rc_treasury_after(const struct rc_network *network, uint32_t height, rc_amount before,
			    rc_amount payments);

/* What the miner of block h may take at most, masternodes aside (none is enabled yet). fees ≤
 * RC_SUPPLY_LIMIT. */
rc_amount rc_miner_limit(const struct rc_network *network, uint32_t height, rc_amount fees);

#endif
