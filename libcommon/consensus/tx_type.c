/*
 * The table of transaction types in force. A later type is one row here and one file with its
 * payload's parser and its rules that read the state.
 */
#include "consensus/tx_type.h"

#include "base/num.h"
#include "consensus/coinbase.h"

static bool payment_payload_ok(struct rc_bytes payload)
{
	return payload.len == 0;
}

static bool coinbase_payload_ok(struct rc_bytes payload)
{
	struct rc_coinbase coinbase;

	return rc_coinbase_decode(payload, &coinbase);
}

#define ANY	    UINT32_MAX
#define KEY_OR_DATA (RC_LOCK_BIT(RC_LOCK_KEY) | RC_LOCK_BIT(RC_LOCK_DATA))

/* A payment also spends a BOND that the registry says is released; no registry entry exists until
 * masternodes are in force, so no bond is. */
static const struct rc_tx_type types[] = {
	{RC_TX_PAYMENT, "payment", 1, ANY, 1, ANY, KEY_OR_DATA, RC_LOCK_BIT(RC_LOCK_KEY),
	 payment_payload_ok},
	{RC_TX_COINBASE, "coinbase", 0, 0, 1, ANY, KEY_OR_DATA, 0, coinbase_payload_ok},
};

const struct rc_tx_type *rc_tx_type_find(uint16_t type)
{
	for (size_t i = 0; i < RC_ARRAY_LEN(types); i++)
		if (types[i].type == type)
			return &types[i];
	return NULL;
}
