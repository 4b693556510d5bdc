/* What a signature signs: 269 bytes, hashed once a transaction where they can be shared. */
#ifndef RC_CONSENSUS_SIGHASH_H
#define RC_CONSENSUS_SIGHASH_H

#include "types/coin.h"
#include "types/tx.h"

#define RC_SIGHASH_MESSAGE 269

enum rc_hash_type {
	RC_HASH_ALL = 0x00,
	RC_HASH_ANYONECANPAY = 0x81,
};

/*
 * The six hashes of a transaction, the same for every ALL input of it; made once. Hashing is
 * linear in the transaction's size.
 */
struct rc_sighash {
	const struct rc_tx *tx;
	const struct rc_coin *const *coins;
	uint8_t head[RC_SIGHASH_MESSAGE]; /* the message with hash type, index and leaf empty */
};

/* coins: one for each input of tx, in order. Both must outlive *ret. Inputs, outputs, version,
 * type, lock_time and payload of tx are looked at, nothing else: it may be one being built. */
void rc_sighash_init(const struct rc_hash *network_id, const struct rc_tx *tx,
		     const struct rc_coin *const *coins, struct rc_sighash *ret);

/* The message for one input; leaf NULL for the key path and a BOND. */
void rc_sighash_message(const struct rc_sighash *s, uint32_t input, enum rc_hash_type type,
			const struct rc_hash *leaf, uint8_t ret_message[RC_SIGHASH_MESSAGE]);

/* H(RC/sighash, the message). */
void rc_sighash(const struct rc_sighash *s, uint32_t input, enum rc_hash_type type,
		const struct rc_hash *leaf, struct rc_hash *ret_hash);

#endif
