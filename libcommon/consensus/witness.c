/* The witness rules of one input, in the order of their table (20-consensus, "Order of checks"). */
#include "consensus/witness.h"

#include "consensus/taproot.h"
#include "crypto/schnorr.h"

/* What a signature of this input needs: which leaf it signs under, and who verifies. */
struct signer {
	const struct rc_sighash *sighash;
	const struct rc_hash *leaf; /* NULL on the key path */
	const struct rc_sig_verifier *verifier;
	uint32_t input;
	/* The hash by type, made when first asked for: a policy may ask many times. */
	bool have[2];
	struct rc_hash hashes[2];
};

static bool sig_holds(void *arg, const uint8_t sig[64], enum rc_hash_type type,
		      const uint8_t key[32])
{
	struct signer *s = arg;
	unsigned i = type == RC_HASH_ANYONECANPAY;

	if (!s->have[i]) {
		rc_sighash(s->sighash, s->input, type, s->leaf, &s->hashes[i]);
		s->have[i] = true;
	}
	if (s->verifier)
		return s->verifier->verify(s->verifier->arg, sig, s->hashes[i].b, key);
	return rc_schnorr_verify(sig, s->hashes[i].b, 32, key);
}

/* The only item is a signature item for the key as it stands. */
static enum rc_verdict check_key_path(struct signer *s, const struct rc_tx_in *in,
				      const uint8_t key[32])
{
	struct rc_witness_iter it = rc_witness_iter_of(in);
	enum rc_hash_type type;
	struct rc_bytes item;

	rc_witness_next(&it, &item);
	if (!rc_sig_item_parse(item, &type))
		return RC_V_SIG_ENCODING;
	return sig_holds(s, item.data, type, key) ? RC_VERDICT_OK : RC_V_SIG_INVALID;
}

/* Arguments, then the policy, then the control block. */
static enum rc_verdict check_policy_path(struct signer *s, const struct rc_tx_in *in,
					 const uint8_t output[32])
{
	struct rc_witness_iter it = rc_witness_iter_of(in);
	struct rc_reader arguments = it.r;
	const struct rc_policy_context context = {s->sighash->tx->lock_time, in->sequence,
						  sig_holds, s};
	struct rc_bytes policy_bytes, control;
	struct rc_policy policy;
	enum rc_verdict verdict;
	struct rc_hash leaf;

	while (it.left > 1)
		rc_witness_next(&it, &policy_bytes);
	rc_witness_next(&it, &control);
	verdict = rc_control_check(output, control, policy_bytes, &leaf);
	if (verdict != RC_VERDICT_OK)
		return verdict;
	verdict = rc_policy_check(policy_bytes.data, policy_bytes.len, &policy);
	if (verdict != RC_VERDICT_OK)
		return verdict;
	s->leaf = &leaf;
	return rc_policy_eval(&policy, &arguments, in->n_items - 2, &context);
}

enum rc_verdict rc_witness_check(const struct rc_sighash *sighash, uint32_t input,
				 const struct rc_sig_verifier *verifier)
{
	const struct rc_tx_in *in = &sighash->tx->inputs[input];
	const struct rc_lock lock = rc_coin_lock(sighash->coins[input]);
	struct signer s = {.sighash = sighash, .verifier = verifier, .input = input};

	if (lock.kind == RC_LOCK_BOND) {
		if (in->n_items != 1)
			return RC_V_WITNESS_FORM;
	} else if (in->n_items == 0) {
		return RC_V_WITNESS_EMPTY;
	}
	if (in->n_items == 1)
		return check_key_path(&s, in, rc_lock_key(&lock));
	return check_policy_path(&s, in, rc_lock_key(&lock));
}
