/* See payment.h. */
#include "tools/rusty-wallet/payment.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "consensus/witness.h"
#include "crypto/schnorr.h"

/* cs 1, cs length, signature, hash type */
#define WITNESS_MAX (1 + 1 + 65)

struct building {
	const struct rc_hash *network_id;
	const struct payment_input *inputs;
	struct rc_tx tx;
	const struct rc_coin **coins;
	uint8_t (*witnesses)[WITNESS_MAX];
};

static bool secret_opens(const struct payment_input *input)
{
	struct rc_lock lock = rc_coin_lock(&input->coin);
	uint8_t key[32];

	return lock.kind == RC_LOCK_KEY && rc_xonly_from_secret(input->secret, key, NULL) &&
	       memcmp(key, rc_lock_key(&lock), sizeof(key)) == 0;
}

/* Signs input i and encodes its witness. */
static bool sign(struct building *b, const struct rc_sighash *sighash, uint32_t i,
		 const struct rc_random *random)
{
	const struct payment_input *input = &b->inputs[i];
	uint8_t aux[32], item[65], *p = b->witnesses[i];
	size_t len = input->type == RC_HASH_ALL ? 64 : 65;
	struct rc_hash hash;

	rc_random_fill(random, aux, sizeof(aux));
	rc_sighash(sighash, i, input->type, NULL, &hash);
	item[64] = (uint8_t)input->type;
	if (!secret_opens(input) ||
	    !rc_schnorr_sign(input->secret, hash.b, sizeof(hash.b), aux, item))
		return false;
	*p++ = 1;
	*p++ = (uint8_t)len;
	memcpy(p, item, len);
	b->tx.inputs[i].n_items = 1;
	b->tx.inputs[i].witness = b->witnesses[i];
	b->tx.inputs[i].witness_len = (uint32_t)(2 + len);
	return true;
}

/* What every node will ask: does it parse, and does each witness open its coin? */
static bool holds(const struct building *b, const uint8_t *raw, size_t len,
		  struct rc_txid *ret_txid)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_sighash sighash;
	struct rc_tx tx;
	bool ok = rc_tx_decode(raw, len, &arena, &tx);

	if (ok) {
		rc_sighash_init(b->network_id, &tx, b->coins, &sighash);
		for (uint32_t i = 0; i < tx.n_inputs && ok; i++)
			ok = rc_witness_check(&sighash, i, NULL) == RC_VERDICT_OK;
		*ret_txid = tx.txid;
	}
	rc_arena_done(&arena);
	return ok;
}

static void building_init(struct building *b, const struct payment_input *inputs, uint32_t n_inputs)
{
	b->inputs = inputs;
	b->tx.version = RC_TX_VERSION;
	b->tx.type = RC_TX_PAYMENT;
	b->tx.n_inputs = n_inputs;
	b->tx.inputs = rc_alloc_array(n_inputs, sizeof(*b->tx.inputs));
	b->coins = rc_alloc_array(n_inputs, sizeof(*b->coins));
	b->witnesses = rc_alloc_array(n_inputs, sizeof(*b->witnesses));
	for (uint32_t i = 0; i < n_inputs; i++) {
		b->tx.inputs[i].prevout = inputs[i].prevout;
		b->tx.inputs[i].sequence = inputs[i].sequence;
		b->coins[i] = &inputs[i].coin;
	}
}

int payment_build(const struct rc_hash *network_id, const struct payment_input *inputs,
		  uint32_t n_inputs, const struct rc_tx_out *outputs, uint32_t n_outputs,
		  const struct rc_random *random, struct rc_buf *out, struct rc_txid *ret_txid,
		  struct rc_error *error)
{
	struct building b = {.network_id = network_id};
	struct rc_sighash sighash;
	size_t start = out->len;
	int err = RC_OK;

	building_init(&b, inputs, n_inputs);
	b.tx.n_outputs = n_outputs;
	b.tx.outputs = rc_memdup(outputs, n_outputs * sizeof(*outputs));
	rc_sighash_init(network_id, &b.tx, b.coins, &sighash);
	for (uint32_t i = 0; i < n_inputs && err == RC_OK; i++)
		if (!sign(&b, &sighash, i, random))
			err = rc_error_set(error, RC_ECRYPTO,
					   "input %u can't be signed: its coin has another key", i);
	if (err == RC_OK) {
		rc_tx_encode(&b.tx, out);
		if (!holds(&b, out->data + start, out->len - start, ret_txid))
			err = rc_error_set(error, RC_ECRYPTO,
					   "the signed transaction doesn't hold: nothing was sent");
	}
	if (err < 0)
		out->len = start;
	free(b.tx.inputs);
	free(b.tx.outputs);
	free(b.coins);
	free(b.witnesses);
	return err;
}
