/* How a KEY lock commits to policies, as in BIP341 with tags as a parameter (20-consensus,
 * "Locks"). */
#ifndef RC_CONSENSUS_TAPROOT_H
#define RC_CONSENSUS_TAPROOT_H

#include "base/mem.h"
#include "consensus/verdict.h"
#include "crypto/sha256.h"

/* The three tags; ours are rc_taproot_rusty, Bitcoin's rc_taproot_bip341 (for its vectors). */
struct rc_taproot {
	enum rc_tag leaf;
	enum rc_tag branch;
	enum rc_tag tweak;
};

extern const struct rc_taproot rc_taproot_rusty;
extern const struct rc_taproot rc_taproot_bip341;

#define RC_LEAF_VERSION	     0
#define RC_CONTROL_BASE	     33
#define RC_CONTROL_STEP	     32
#define RC_CONTROL_STEPS_MAX 16
#define RC_CONTROL_SIZE_MAX  (RC_CONTROL_BASE + RC_CONTROL_STEP * RC_CONTROL_STEPS_MAX)

/* H(leaf, version ‖ cs length ‖ policy); len ≤ 65,535. */
void rc_taproot_leaf(const struct rc_taproot *tags, uint8_t version, const void *policy, size_t len,
		     struct rc_hash *ret_leaf);

/* H(branch, min ‖ max). ret may be a or b. */
void rc_taproot_branch(const struct rc_taproot *tags, const struct rc_hash *a,
		       const struct rc_hash *b, struct rc_hash *ret_branch);

/* t = H(tweak, P ‖ root); root NULL: H(tweak, P). */
void rc_taproot_tweak(const struct rc_taproot *tags, const uint8_t internal[32],
		      const struct rc_hash *root, uint8_t ret_tweak[32]);

/* Q and the parity of its y. False if P doesn't lift, t ≥ n or Q is infinity. */
bool rc_taproot_output(const struct rc_taproot *tags, const uint8_t internal[32],
		       const struct rc_hash *root, uint8_t ret_output[32], int *ret_parity);

/*
 * The control block of a policy path: its size and version, then that output commits to the policy
 * through it: control-size, control-version, policy-size, control-key, policy-commitment, in this
 * order. *ret_leaf is the policy's leaf hash.
 */
enum rc_verdict rc_control_check(const uint8_t output[32], struct rc_bytes control,
				 struct rc_bytes policy, struct rc_hash *ret_leaf);

#endif
