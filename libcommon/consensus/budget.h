/* How much verification a block may ask for (20-consensus, "Block"). */
#ifndef RC_CONSENSUS_BUDGET_H
#define RC_CONSENSUS_BUDGET_H

#include "types/tx.h"

#define RC_BUDGET_KEY_PATH    100 /* a witness of one item */
#define RC_BUDGET_POLICY_PATH 50  /* of two or more */
#define RC_BUDGET_SIGNATURE   100 /* each item of 64 or 65 bytes before the last two */

/* Units of a transaction, from its witnesses' form alone. */
uint64_t rc_tx_budget(const struct rc_tx *tx);

#endif
