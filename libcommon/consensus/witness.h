/* Whether an input's witness opens its coin's lock: pure, any thread (20-consensus, "Locks"). */
#ifndef RC_CONSENSUS_WITNESS_H
#define RC_CONSENSUS_WITNESS_H

#include "consensus/sighash.h"
#include "consensus/verdict.h"
#include "types/policy.h"

/*
 * Who verifies signatures: a cache may stand in front. NULL wherever a pointer to one is taken:
 * rc_schnorr_verify itself. Called on the thread that checks; must say what BIP340 says.
 */
struct rc_sig_verifier {
	bool (*verify)(void *arg, const uint8_t sig[64], const uint8_t message[32],
		       const uint8_t key[32]);
	void *arg;
};

/* One input of a transaction, all its witness rules in order. */
enum rc_verdict rc_witness_check(const struct rc_sighash *s, uint32_t input,
				 const struct rc_sig_verifier *verifier);

/* The arguments of a policy evaluated: from the tables of FerrisScript. message of a signature is
 * asked for by hash type, so tests may replace it. */
struct rc_policy_context {
	uint32_t lock_time;
	uint32_t sequence;
	/* A signature item of 64 or 65 bytes with a valid hash type, for a key. */
	bool (*sig_holds)(void *arg, const uint8_t sig[64], enum rc_hash_type type,
			  const uint8_t key[32]);
	void *arg;
};

/* Size, then parsing: policy-size, policy-opcode, policy-form. *ret_policy looks into data. */
enum rc_verdict rc_policy_check(const void *data, size_t len, struct rc_policy *ret_policy);

/* arguments: n encoded items, cs bytes each, read from r; exactly these. */
enum rc_verdict rc_policy_eval(const struct rc_policy *policy, struct rc_reader *arguments,
			       uint32_t n, const struct rc_policy_context *context);

/* Splits a signature item; false: sig-encoding. */
bool rc_sig_item_parse(struct rc_bytes item, enum rc_hash_type *ret_type);

#endif
