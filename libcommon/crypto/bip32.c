/* See bip32.h. */
#include "crypto/bip32.h"

#include <string.h>

#include <secp256k1.h>

#include "base/mem.h"
#include "base/num.h"
#include "crypto/hmac.h"
#include "crypto/ripemd160.h"
#include "crypto/secp.h"

#define VERSION_PRIVATE UINT32_C(0x0488ade4) /* xprv */
#define VERSION_PUBLIC	UINT32_C(0x0488b21e) /* xpub */
#define ENCODED_SIZE	78

bool rc_bip32_from_seed(const uint8_t *seed, size_t len, struct rc_bip32 *ret_root)
{
	struct rc_bip32 root = {.is_private = true};
	uint8_t mac[64];
	bool ok;

	if (len < RC_BIP32_SEED_MIN || len > RC_BIP32_SEED_MAX)
		return false;
	rc_hmac_sha512("Bitcoin seed", 12, seed, len, mac); /* BIP32's own word, for its vectors */
	memcpy(root.secret, mac, 32);
	memcpy(root.chain_code, mac + 32, 32);
	ok = rc_point_from_secret(root.secret, root.pubkey);
	if (ok)
		*ret_root = root;
	rc_wipe(mac, sizeof(mac));
	rc_wipe(&root, sizeof(root));
	return ok;
}

/* pubkey + tweak·G; the tweak follows from public data here, so variable time is fine. */
static bool add_to_point(uint8_t pubkey[RC_POINT_SIZE], const uint8_t tweak[32])
{
	const secp256k1_context *ctx = rc_secp_public_context();
	size_t len = RC_POINT_SIZE;
	secp256k1_pubkey key;

	return secp256k1_ec_pubkey_parse(ctx, &key, pubkey, RC_POINT_SIZE) &&
	       secp256k1_ec_pubkey_tweak_add(ctx, &key, tweak) &&
	       secp256k1_ec_pubkey_serialize(ctx, pubkey, &len, &key, SECP256K1_EC_COMPRESSED);
}

static bool make_child(struct rc_bip32 *child, const uint8_t mac[64])
{
	memcpy(child->chain_code, mac + 32, 32);
	if (!child->is_private)
		return add_to_point(child->pubkey, mac);
	return secp256k1_ec_seckey_tweak_add(rc_secp_secret_context(), child->secret, mac) &&
	       rc_point_from_secret(child->secret, child->pubkey);
}

bool rc_bip32_child(const struct rc_bip32 *parent, uint32_t index, struct rc_bip32 *ret_child)
{
	bool hardened = index & RC_BIP32_HARDENED, ok;
	struct rc_bip32 child = *parent;
	uint8_t data[RC_POINT_SIZE + 4], mac[64];

	if (parent->depth == UINT8_MAX || (hardened && !parent->is_private))
		return false;
	if (hardened) {
		data[0] = 0;
		memcpy(data + 1, parent->secret, 32);
	} else {
		memcpy(data, parent->pubkey, RC_POINT_SIZE);
	}
	rc_put_be32(data + RC_POINT_SIZE, index);
	rc_hmac_sha512(parent->chain_code, 32, data, sizeof(data), mac);
	rc_bip32_fingerprint(parent, child.parent);
	child.depth++;
	child.index = index;
	ok = make_child(&child, mac);
	if (ok)
		*ret_child = child;
	rc_wipe(&child, sizeof(child));
	rc_wipe(data, sizeof(data));
	rc_wipe(mac, sizeof(mac));
	return ok;
}

bool rc_bip32_derive(const struct rc_bip32 *root, const uint32_t *path, size_t n,
		     struct rc_bip32 *ret_key)
{
	struct rc_bip32 key = *root;
	bool ok = true;

	for (size_t i = 0; i < n && ok; i++)
		ok = rc_bip32_child(&key, path[i], &key);
	if (ok)
		*ret_key = key;
	rc_wipe(&key, sizeof(key));
	return ok;
}

/* One number below 2^31 and its mark; *text moves on. */
static bool parse_step(const char **text, uint32_t *ret_step)
{
	const char *p = *text;
	uint64_t number = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		number = 10 * number + (uint64_t)(*p - '0');
		if (number >= RC_BIP32_HARDENED)
			return false;
	}
	if (*p == '\'' || *p == 'h') {
		number |= RC_BIP32_HARDENED;
		p++;
	}
	*text = p;
	*ret_step = (uint32_t)number;
	return true;
}

bool rc_bip32_path_parse(const char *text, uint32_t ret_path[RC_BIP32_PATH_MAX], size_t *ret_n)
{
	uint32_t path[RC_BIP32_PATH_MAX];
	size_t n = 0;

	if (*text++ != 'm')
		return false;
	while (*text) {
		if (n == RC_BIP32_PATH_MAX || *text++ != '/' || !parse_step(&text, &path[n]))
			return false;
		n++;
	}
	memcpy(ret_path, path, n * sizeof(path[0]));
	*ret_n = n;
	return true;
}

void rc_bip32_neuter(struct rc_bip32 *key)
{
	key->is_private = false;
	rc_wipe(key->secret, sizeof(key->secret));
}

void rc_bip32_fingerprint(const struct rc_bip32 *key, uint8_t ret_fingerprint[4])
{
	uint8_t hash[20];

	rc_hash160(key->pubkey, RC_POINT_SIZE, hash);
	memcpy(ret_fingerprint, hash, 4);
}

void rc_bip32_encode(const struct rc_bip32 *key, char ret_text[RC_BASE58_TEXT_MAX])
{
	uint8_t raw[ENCODED_SIZE];

	rc_put_be32(raw, key->is_private ? VERSION_PRIVATE : VERSION_PUBLIC);
	raw[4] = key->depth;
	memcpy(raw + 5, key->parent, 4);
	rc_put_be32(raw + 9, key->index);
	memcpy(raw + 13, key->chain_code, 32);
	if (key->is_private) {
		raw[45] = 0;
		memcpy(raw + 46, key->secret, 32);
	} else {
		memcpy(raw + 45, key->pubkey, RC_POINT_SIZE);
	}
	rc_base58_encode(raw, sizeof(raw), ret_text);
	rc_wipe(raw, sizeof(raw));
}

static bool decode_raw(const uint8_t raw[ENCODED_SIZE], struct rc_bip32 *key)
{
	static const uint8_t no_parent[8]; /* fingerprint and index */

	key->is_private = rc_get_be32(raw) == VERSION_PRIVATE;
	if (!key->is_private && rc_get_be32(raw) != VERSION_PUBLIC)
		return false;
	key->depth = raw[4];
	memcpy(key->parent, raw + 5, 4);
	key->index = rc_get_be32(raw + 9);
	memcpy(key->chain_code, raw + 13, 32);
	if (!key->depth && memcmp(raw + 5, no_parent, sizeof(no_parent)) != 0)
		return false;
	if (key->is_private) {
		memcpy(key->secret, raw + 46, 32);
		return raw[45] == 0 && rc_point_from_secret(key->secret, key->pubkey);
	}
	memcpy(key->pubkey, raw + 45, RC_POINT_SIZE);
	return rc_point_valid(key->pubkey);
}

bool rc_bip32_decode(const char *text, struct rc_bip32 *ret_key)
{
	uint8_t raw[ENCODED_SIZE] = {0};
	struct rc_bip32 key = {0};
	bool ok = rc_base58_decode(text, raw, sizeof(raw)) && decode_raw(raw, &key);

	if (ok)
		*ret_key = key;
	rc_wipe(raw, sizeof(raw));
	rc_wipe(&key, sizeof(key));
	return ok;
}
