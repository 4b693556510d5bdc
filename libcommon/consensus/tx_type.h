/* One row a transaction type: what it may hold, make and spend (20-consensus, "Transaction"). */
#ifndef RC_CONSENSUS_TX_TYPE_H
#define RC_CONSENSUS_TX_TYPE_H

#include "consensus/verdict.h"
#include "types/tx.h"

struct rc_tx_type {
	uint16_t type;
	const char *name;
	uint32_t inputs_min, inputs_max;
	uint32_t outputs_min, outputs_max;
	unsigned makes;	 /* RC_LOCK_BIT of each kind its outputs may have */
	unsigned spends; /* of each kind its inputs may spend */
	bool (*payload_ok)(struct rc_bytes payload); /* its own strict parser */
};

/* The row of a type in force; NULL for any other number. */
const struct rc_tx_type *rc_tx_type_find(uint16_t type);

#endif
