/* Hierarchical keys (BIP32): one seed, a tree of keys. */
#ifndef RC_CRYPTO_BIP32_H
#define RC_CRYPTO_BIP32_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/base58.h"
#include "crypto/ecdh.h"

#define RC_BIP32_HARDENED UINT32_C(0x80000000)
#define RC_BIP32_SEED_MIN 16
#define RC_BIP32_SEED_MAX 64
#define RC_BIP32_PATH_MAX 16 /* steps that rc_bip32_path_parse takes; ours have 5 */

struct rc_bip32 {
	bool is_private;
	uint8_t depth;
	uint8_t parent[4]; /* fingerprint */
	uint32_t index;
	uint8_t chain_code[32];
	uint8_t secret[32]; /* zeros if not is_private */
	uint8_t pubkey[RC_POINT_SIZE];
};

/* The root of a seed of RC_BIP32_SEED_MIN…MAX bytes; false for other lengths and (one in 2^127) for
 * a seed that gives no key. Needs rc_schnorr_init. */
bool rc_bip32_from_seed(const uint8_t *seed, size_t len, struct rc_bip32 *ret_root);

/* False if that child doesn't exist: hardened from a public key, depth over 255, or (one in 2^127)
 * an index to be skipped. ret_child may be parent. */
bool rc_bip32_child(const struct rc_bip32 *parent, uint32_t index, struct rc_bip32 *ret_child);

/* The descendant by n steps. */
bool rc_bip32_derive(const struct rc_bip32 *root, const uint32_t *path, size_t n,
		     struct rc_bip32 *ret_key);

/* "m", "m/86'/1'/0'": at most RC_BIP32_PATH_MAX steps; ' or h marks hardened ones. */
bool rc_bip32_path_parse(const char *text, uint32_t ret_path[RC_BIP32_PATH_MAX], size_t *ret_n);

/* Drops the secret. */
void rc_bip32_neuter(struct rc_bip32 *key);

void rc_bip32_fingerprint(const struct rc_bip32 *key, uint8_t ret_fingerprint[4]);

/* xprv… or xpub…; wipe the former. */
void rc_bip32_encode(const struct rc_bip32 *key, char ret_text[RC_BASE58_TEXT_MAX]);
bool rc_bip32_decode(const char *text, struct rc_bip32 *ret_key);

#endif
