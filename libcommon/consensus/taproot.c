/* Leaves, branches, tweaks and control blocks. */
#include "consensus/taproot.h"

#include <assert.h>
#include <string.h>

#include "base/num.h"
#include "types/policy.h"
#include "crypto/schnorr.h"

const struct rc_taproot rc_taproot_rusty = {RC_TAG_LEAF, RC_TAG_BRANCH, RC_TAG_TAPTWEAK};
const struct rc_taproot rc_taproot_bip341 = {RC_TAG_BIP341_LEAF, RC_TAG_BIP341_BRANCH,
					     RC_TAG_BIP341_TWEAK};

void rc_taproot_leaf(const struct rc_taproot *tags, uint8_t version, const void *policy, size_t len,
		     struct rc_hash *ret_leaf)
{
	uint8_t head[1 + 3] = {version, (uint8_t)len};
	size_t head_len = 2;
	struct rc_sha256 s;

	/* A policy has at most 2,048 bytes; the leaves of foreign vectors are as short. */
	assert(len <= UINT16_MAX);
	if (len > 252) {
		head[1] = 0xfd;
		rc_put_le16(head + 2, (uint16_t)len);
		head_len = 4;
	}
	rc_tagged_init(tags->leaf, &s);
	rc_sha256_update(&s, head, head_len);
	rc_sha256_update(&s, policy, len);
	rc_sha256_final(&s, ret_leaf->b);
}

void rc_taproot_branch(const struct rc_taproot *tags, const struct rc_hash *a,
		       const struct rc_hash *b, struct rc_hash *ret_branch)
{
	bool in_order = memcmp(a->b, b->b, 32) <= 0;
	uint8_t pair[64];

	memcpy(pair, in_order ? a->b : b->b, 32);
	memcpy(pair + 32, in_order ? b->b : a->b, 32);
	rc_tagged_hash(tags->branch, pair, sizeof(pair), ret_branch->b);
}

void rc_taproot_tweak(const struct rc_taproot *tags, const uint8_t internal[32],
		      const struct rc_hash *root, uint8_t ret_tweak[32])
{
	uint8_t message[64];

	memcpy(message, internal, 32);
	if (root)
		memcpy(message + 32, root->b, 32);
	rc_tagged_hash(tags->tweak, message, root ? 64 : 32, ret_tweak);
}

bool rc_taproot_output(const struct rc_taproot *tags, const uint8_t internal[32],
		       const struct rc_hash *root, uint8_t ret_output[32], int *ret_parity)
{
	uint8_t tweak[32];

	rc_taproot_tweak(tags, internal, root, tweak);
	return rc_xonly_tweak(internal, tweak, ret_output, ret_parity);
}

enum rc_verdict rc_control_check(const uint8_t output[32], struct rc_bytes control,
				 struct rc_bytes policy, struct rc_hash *ret_leaf)
{
	const struct rc_taproot *tags = &rc_taproot_rusty;
	const uint8_t *internal = control.data + 1;
	struct rc_hash root;
	uint8_t tweak[32];
	bool key_bad;

	if (control.len < RC_CONTROL_BASE || control.len > RC_CONTROL_SIZE_MAX ||
	    (control.len - RC_CONTROL_BASE) % RC_CONTROL_STEP != 0)
		return RC_V_CONTROL_SIZE;
	if (control.data[0] >> 1 != RC_LEAF_VERSION)
		return RC_V_CONTROL_VERSION;
	if (policy.len < 1 || policy.len > RC_POLICY_SIZE_MAX)
		return RC_V_POLICY_SIZE;
	rc_taproot_leaf(tags, RC_LEAF_VERSION, policy.data, policy.len, ret_leaf);
	root = *ret_leaf;
	for (size_t at = RC_CONTROL_BASE; at < control.len; at += RC_CONTROL_STEP) {
		struct rc_hash sibling;

		memcpy(sibling.b, control.data + at, 32);
		rc_taproot_branch(tags, &root, &sibling, &root);
	}
	rc_taproot_tweak(tags, internal, &root, tweak);
	if (rc_xonly_tweak_check(output, control.data[0] & 1, internal, tweak, &key_bad))
		return RC_VERDICT_OK;
	return key_bad ? RC_V_CONTROL_KEY : RC_V_POLICY_COMMITMENT;
}
