/* A payment: transaction built, signed and checked by the rules of consensus before it leaves. */
#ifndef WALLET_PAYMENT_H
#define WALLET_PAYMENT_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "consensus/sighash.h"
#include "types/coin.h"
#include "types/tx.h"

struct payment_input {
	struct rc_outpoint prevout;
	uint32_t sequence;
	struct rc_coin coin;   /* a KEY; height and coinbase aren't looked at */
	const uint8_t *secret; /* of the output key (keys.h) */
	enum rc_hash_type type;
};

/*
 * Appends the signed transaction to *out, *ret_txid is its id. Inputs and outputs stay in the order
 * given. random: auxiliary randomness of signatures. RC_ECRYPTO if a secret isn't its coin's.
 */
int payment_build(const struct rc_hash *network_id, const struct payment_input *inputs,
		  uint32_t n_inputs, const struct rc_tx_out *outputs, uint32_t n_outputs,
		  const struct rc_random *random, struct rc_buf *out, struct rc_txid *ret_txid,
		  struct rc_error *error);

#endif
