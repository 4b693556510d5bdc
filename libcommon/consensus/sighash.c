/* The 269 bytes (20-consensus, "Signature hash"), at the offsets of the table there. */
#include "consensus/sighash.h"

#include <assert.h>

enum {
	AT_HASH_TYPE = 32,
	AT_VERSION = 33,
	AT_TYPE = 35,
	AT_LOCK_TIME = 37,
	AT_OUTPOINTS = 41,
	AT_AMOUNTS = 73,
	AT_LOCKS = 105,
	AT_SEQUENCES = 137,
	AT_OUTPUTS = 169,
	AT_PAYLOAD = 201,
	AT_INDEX = 233,
	AT_LEAF = 237,
};

/* The four hashes over inputs first … first + n − 1, at their places in the message. */
static void hash_inputs(const struct rc_sighash *s, uint32_t first, uint32_t n, uint8_t *message)
{
	struct rc_sha256 outpoints, amounts, locks, sequences;

	rc_sha256_init(&outpoints);
	rc_sha256_init(&amounts);
	rc_sha256_init(&locks);
	rc_sha256_init(&sequences);
	for (uint32_t i = first; i < first + n; i++) {
		const struct rc_tx_in *in = &s->tx->inputs[i];
		const struct rc_coin *coin = s->coins[i];
		uint8_t outpoint[RC_OUTPOINT_SIZE], amount[8], sequence[4];

		memcpy(outpoint, in->prevout.txid.b, 32);
		rc_put_le32(outpoint + 32, in->prevout.index);
		rc_put_le64(amount, coin->amount);
		rc_put_le32(sequence, in->sequence);
		rc_sha256_update(&outpoints, outpoint, sizeof(outpoint));
		rc_sha256_update(&amounts, amount, sizeof(amount));
		rc_sha256_update(&locks, coin->lock, coin->lock_len);
		rc_sha256_update(&sequences, sequence, sizeof(sequence));
	}
	rc_sha256_final(&outpoints, message + AT_OUTPOINTS);
	rc_sha256_final(&amounts, message + AT_AMOUNTS);
	rc_sha256_final(&locks, message + AT_LOCKS);
	rc_sha256_final(&sequences, message + AT_SEQUENCES);
}

void rc_sighash_init(const struct rc_hash *network_id, const struct rc_tx *tx,
		     const struct rc_coin *const *coins, struct rc_sighash *ret)
{
	struct rc_sha256 outputs;

	ret->tx = tx;
	ret->coins = coins;
	memset(ret->head, 0, sizeof(ret->head));
	memcpy(ret->head, network_id->b, 32);
	rc_put_le16(ret->head + AT_VERSION, tx->version);
	rc_put_le16(ret->head + AT_TYPE, tx->type);
	rc_put_le32(ret->head + AT_LOCK_TIME, tx->lock_time);
	hash_inputs(ret, 0, tx->n_inputs, ret->head);
	rc_sha256_init(&outputs);
	for (uint32_t i = 0; i < tx->n_outputs; i++) {
		uint8_t amount[8];

		rc_put_le64(amount, tx->outputs[i].amount);
		rc_sha256_update(&outputs, amount, sizeof(amount));
		rc_sha256_update(&outputs, tx->outputs[i].lock.data, tx->outputs[i].lock.len);
	}
	rc_sha256_final(&outputs, ret->head + AT_OUTPUTS);
	rc_sha256(tx->payload.data, tx->payload.len, ret->head + AT_PAYLOAD);
}

void rc_sighash_message(const struct rc_sighash *s, uint32_t input, enum rc_hash_type type,
			const struct rc_hash *leaf, uint8_t ret_message[RC_SIGHASH_MESSAGE])
{
	assert(input < s->tx->n_inputs);
	memcpy(ret_message, s->head, RC_SIGHASH_MESSAGE);
	ret_message[AT_HASH_TYPE] = (uint8_t)type;
	if (type == RC_HASH_ANYONECANPAY) {
		hash_inputs(s, input, 1, ret_message);
		rc_put_le32(ret_message + AT_INDEX, UINT32_MAX);
	} else {
		rc_put_le32(ret_message + AT_INDEX, input);
	}
	if (leaf)
		memcpy(ret_message + AT_LEAF, leaf->b, 32);
}

void rc_sighash(const struct rc_sighash *s, uint32_t input, enum rc_hash_type type,
		const struct rc_hash *leaf, struct rc_hash *ret_hash)
{
	uint8_t message[RC_SIGHASH_MESSAGE];

	rc_sighash_message(s, input, type, leaf, message);
	rc_tagged_hash(RC_TAG_SIGHASH, message, sizeof(message), ret_hash->b);
}
