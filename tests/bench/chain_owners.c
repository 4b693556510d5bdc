/* Keys, locks, policies and signatures. See chain_owners.h. */
#include "tests/bench/chain_owners.h"

#include <assert.h>
#include <string.h>

#include <secp256k1.h>

#include "consensus/budget.h"
#include "consensus/taproot.h"
#include "crypto/schnorr.h"
#include "tests/bench/driver.h"
#include "types/policy.h"

/* Encoded bytes of a form: its policy, and its arguments with their lengths; its signatures. */
static const struct {
	uint16_t policy, arguments, signatures;
} forms[FORM_COUNT] = {
	[FORM_KEY_PATH] = {0, 65, 1},
	[FORM_SINGLE] = {33, 65, 1},
	[FORM_MULTI] = {3 + 3 * 32, 2 * 65 + 1, 2},
	[FORM_OLDER] = {2 + 33 + 5, 65, 1},
	[FORM_ANY_KEYS] = {2 + 3 + 2 * 32 + 2 + 33 + 5, 2 + 2 * 65, 2},
	[FORM_ANY_TIME] = {2 + 3 + 2 * 32 + 2 + 33 + 5, 2 + 65, 1},
	[FORM_PREIMAGE] = {2 + 33 + 33, 65 + 33, 1},
	[FORM_CHOOSE] = {3 + 3 * 33, 2 + 2 * 65, 2},
};

/* splitmix64 */
uint64_t mix64(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void secret_of(const struct owners *owners, uint32_t number, uint8_t ret_secret[32])
{
	uint8_t tweak[32] = {0};

	rc_put_be32(tweak + 28, number);
	memcpy(ret_secret, owners->base_secret, 32);
	if (!secp256k1_ec_seckey_tweak_add(secp256k1_context_static, ret_secret, tweak))
		driver_die("a key that is none: take another seed");
}

enum form owners_form(const struct owners *owners, uint32_t number)
{
	uint64_t r = mix64(number + owners->seed * 31);

	if (owners->mix == MIX_KEY || (owners->mix == MIX_MIXED && r % 2))
		return FORM_KEY_PATH;
	return FORM_SINGLE + (r >> 8) % (FORM_COUNT - FORM_SINGLE);
}

static unsigned n_siblings(uint32_t number)
{
	return (unsigned)(mix64(number) % 3);
}

/* Who may sign: the owner first, then two cosigners; the second never does. */
struct party {
	uint8_t key[32], secret[32];
	bool signs;
};

/* The policy of a coin and what its spender shows. */
struct policy {
	uint8_t bytes[256];
	size_t len;
	struct party party[3];
	uint8_t preimage[32];
	uint8_t sibling[2][32];
	unsigned n_siblings;
	struct rc_hash leaf, root;
};

static void policy_of(const struct owners *owners, const struct coin *coin, const uint8_t owner[32],
		      struct policy *ret)
{
	uint32_t number = coin->number;
	uint8_t keys[3][32], seed[5] = {0}, hash[32];
	struct rc_buf buf = RC_BUF_INIT;

	memcpy(keys[0], owner, 32);
	for (unsigned i = 0; i < 3; i++) {
		unsigned co = (number + i) % COSIGNERS;

		if (i)
			memcpy(keys[i], owners->cosigner[co], 32);
		memcpy(ret->party[i].key, keys[i], 32);
		memcpy(ret->party[i].secret, owners->cosigner_secret[co], 32);
		ret->party[i].signs = i < 2;
	}
	secret_of(owners, number, ret->party[0].secret);
	rc_put_le32(seed, number);
	rc_sha256(seed, sizeof(seed), ret->preimage);
	rc_sha256(ret->preimage, 32, hash);
	switch ((enum form)coin->form) {
	case FORM_KEY_PATH:
	case FORM_COUNT:
		driver_die("a coin without a policy");
	case FORM_SINGLE:
		rc_policy_put_key(&buf, owner);
		break;
	case FORM_MULTI:
		rc_policy_put_multi(&buf, 2, keys[0], 3);
		break;
	case FORM_OLDER:
		rc_policy_put_all(&buf, 2);
		rc_policy_put_key(&buf, owner);
		rc_policy_put_older(&buf, 1);
		break;
	case FORM_ANY_KEYS:
	case FORM_ANY_TIME:
		rc_policy_put_any(&buf, 2);
		rc_policy_put_multi(&buf, 2, keys[0], 2);
		rc_policy_put_all(&buf, 2);
		rc_policy_put_key(&buf, owner);
		rc_policy_put_after(&buf, 1);
		break;
	case FORM_PREIMAGE:
		rc_policy_put_all(&buf, 2);
		rc_policy_put_key(&buf, owner);
		rc_policy_put_preimage(&buf, hash);
		break;
	case FORM_CHOOSE:
		rc_policy_put_choose(&buf, 2, 3);
		for (unsigned i = 0; i < 3; i++)
			rc_policy_put_key(&buf, keys[i]);
		break;
	}
	assert(buf.len <= sizeof(ret->bytes));
	memcpy(ret->bytes, buf.data, buf.len);
	ret->len = buf.len;
	rc_buf_done(&buf);
	rc_taproot_leaf(&rc_taproot_rusty, RC_LEAF_VERSION, ret->bytes, ret->len, &ret->leaf);
	ret->root = ret->leaf;
	ret->n_siblings = n_siblings(number);
	for (unsigned i = 0; i < ret->n_siblings; i++) {
		struct rc_hash sibling;

		seed[4] = (uint8_t)(1 + i);
		rc_sha256(seed, sizeof(seed), ret->sibling[i]);
		memcpy(sibling.b, ret->sibling[i], 32);
		rc_taproot_branch(&rc_taproot_rusty, &ret->root, &sibling, &ret->root);
	}
}

/* The lock of a coin from its owner's key. */
static void set_lock(const struct owners *owners, struct coin *coin, const uint8_t owner[32])
{
	struct policy policy;
	uint8_t output[32];
	int parity;

	coin->c.coin.lock_len = RC_LOCK_KEY_SIZE;
	if (coin->form == FORM_KEY_PATH) {
		rc_lock_key_encode(owner, coin->c.coin.lock);
		return;
	}
	policy_of(owners, coin, owner, &policy);
	if (!rc_taproot_output(&rc_taproot_rusty, owner, &policy.root, output, &parity))
		driver_die("a key that can't be tweaked: take another seed");
	rc_lock_key_encode(output, coin->c.coin.lock);
}

void owners_locks(const struct owners *owners, struct coin *coins, size_t n)
{
	const secp256k1_context *ctx = secp256k1_context_static;
	uint8_t secret[32], one[32] = {[31] = 1}, compressed[33];
	secp256k1_pubkey key, g, sum;
	const secp256k1_pubkey *both[2] = {&key, &g};
	secp256k1_context *own = secp256k1_context_create(SECP256K1_CONTEXT_NONE);

	secret_of(owners, coins[0].number, secret);
	if (!secp256k1_ec_pubkey_create(own, &key, secret) ||
	    !secp256k1_ec_pubkey_create(own, &g, one))
		driver_die("a key that is none");
	for (size_t i = 0; i < n; i++) {
		size_t len = sizeof(compressed);

		secp256k1_ec_pubkey_serialize(ctx, compressed, &len, &key, SECP256K1_EC_COMPRESSED);
		set_lock(owners, &coins[i], compressed + 1);
		if (!secp256k1_ec_pubkey_combine(ctx, &sum, both, 2))
			driver_die("keys that add up to nothing");
		key = sum;
	}
	secp256k1_context_destroy(own);
}

size_t coin_input_size(const struct coin *coin)
{
	size_t size = RC_TX_IN_LEAST_SIZE + 1 + forms[coin->form].arguments;

	if (coin->form != FORM_KEY_PATH)
		size += 1 + forms[coin->form].policy + 1 + RC_CONTROL_BASE +
			RC_CONTROL_STEP * n_siblings(coin->number);
	return size;
}

unsigned coin_signatures(const struct coin *coin)
{
	return forms[coin->form].signatures;
}

unsigned coin_budget(const struct coin *coin)
{
	return coin_signatures(coin) * RC_BUDGET_SIGNATURE +
	       (coin->form == FORM_KEY_PATH ? 0 : RC_BUDGET_POLICY_PATH);
}

struct signer {
	const struct owners *owners;
	const struct rc_sighash *sighash;
	uint32_t input;
};

static struct rc_bytes sign(const struct signer *s, const uint8_t secret[32],
			    const struct rc_hash *leaf, uint8_t ret_sig[64])
{
	struct rc_hash hash;

	rc_sighash(s->sighash, s->input, RC_HASH_ALL, leaf, &hash);
	if (!rc_schnorr_sign(secret, hash.b, 32, NULL, ret_sig))
		driver_die("can't sign");
	return (struct rc_bytes){ret_sig, 64};
}

/* A party's item, empty if it doesn't sign. */
static struct rc_bytes party_item(const struct signer *s, const struct policy *p, unsigned i,
				  uint8_t sig[2][64])
{
	if (!p->party[i].signs)
		return (struct rc_bytes){p->preimage, 0};
	return sign(s, p->party[i].secret, &p->leaf, sig[i]);
}

/* The items of the first n parties in the order of their keys. */
static void multi_items(const struct signer *s, const struct policy *p, unsigned n,
			uint8_t sig[2][64], struct rc_bytes *items)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned place = 0;

		for (unsigned j = 0; j < n; j++)
			place += memcmp(p->party[j].key, p->party[i].key, 32) < 0;
		items[place] = party_item(s, p, i, sig);
	}
}

/* The arguments of a policy. */
static size_t policy_arguments(const struct signer *s, enum form form, const struct policy *p,
			       uint8_t sig[2][64], struct rc_bytes items[3])
{
	static const uint8_t byte[4] = {0, 1, 2, 3};

	switch (form) {
	case FORM_KEY_PATH:
	case FORM_COUNT:
		break;
	case FORM_SINGLE:
	case FORM_OLDER:
		items[0] = party_item(s, p, 0, sig);
		return 1;
	case FORM_MULTI:
		multi_items(s, p, 3, sig, items);
		return 3;
	case FORM_ANY_KEYS:
		items[0] = (struct rc_bytes){&byte[0], 1};
		multi_items(s, p, 2, sig, items + 1);
		return 3;
	case FORM_ANY_TIME:
		items[0] = (struct rc_bytes){&byte[1], 1};
		items[1] = party_item(s, p, 0, sig);
		return 2;
	case FORM_PREIMAGE:
		items[0] = party_item(s, p, 0, sig);
		items[1] = (struct rc_bytes){p->preimage, 32};
		return 2;
	case FORM_CHOOSE:
		items[0] = (struct rc_bytes){&byte[3], 1}; /* the first and the second child */
		items[1] = party_item(s, p, 0, sig);
		items[2] = party_item(s, p, 1, sig);
		return 3;
	}
	driver_die("a coin without a policy");
}

void owners_witness(const struct owners *owners, const struct coin *coin,
		    const struct rc_sighash *sighash, uint32_t input, struct rc_buf *buf)
{
	const struct signer s = {owners, sighash, input};
	uint8_t sig[2][64], owner[32], output[32], secret[32];
	uint8_t control[RC_CONTROL_SIZE_MAX];
	struct rc_bytes items[5];
	struct policy policy;
	int parity;
	size_t n;

	secret_of(owners, coin->number, secret);
	if (coin->form == FORM_KEY_PATH) {
		items[0] = sign(&s, secret, NULL, sig[0]);
		rc_witness_put(buf, items, 1);
		return;
	}
	if (!rc_xonly_from_secret(secret, owner, NULL))
		driver_die("a key that is none");
	policy_of(owners, coin, owner, &policy);
	if (!rc_taproot_output(&rc_taproot_rusty, owner, &policy.root, output, &parity))
		driver_die("a key that can't be tweaked");
	control[0] = (uint8_t)parity;
	memcpy(control + 1, owner, 32);
	for (unsigned i = 0; i < policy.n_siblings; i++)
		memcpy(control + RC_CONTROL_BASE + i * RC_CONTROL_STEP, policy.sibling[i], 32);
	n = policy_arguments(&s, coin->form, &policy, sig, items);
	items[n++] = (struct rc_bytes){policy.bytes, policy.len};
	items[n++] =
		(struct rc_bytes){control, RC_CONTROL_BASE + policy.n_siblings * RC_CONTROL_STEP};
	rc_witness_put(buf, items, n);
}

void owners_init(struct owners *owners, uint64_t seed, enum mix mix)
{
	owners->seed = seed;
	owners->mix = mix;
	for (unsigned i = 0; i <= COSIGNERS; i++) {
		uint8_t *secret = i ? owners->cosigner_secret[i - 1] : owners->base_secret;
		uint8_t text[9];

		rc_put_le64(text, seed);
		text[8] = (uint8_t)i;
		rc_sha256(text, sizeof(text), secret);
		if (i && !rc_xonly_from_secret(secret, owners->cosigner[i - 1], NULL))
			driver_die("a key that is none: take another seed");
	}
}
