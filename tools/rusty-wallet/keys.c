/* See keys.h. */
#include "tools/rusty-wallet/keys.h"

#include <string.h>

#include "base/mem.h"
#include "consensus/taproot.h"
#include "crypto/schnorr.h"

#define PURPOSE 86 /* one key an address, committed without policies */

bool wallet_keys_open(const struct wallet_data *data, uint32_t coin_type,
		      struct wallet_keys *ret_keys)
{
	uint32_t path[] = {PURPOSE | RC_BIP32_HARDENED, coin_type | RC_BIP32_HARDENED,
			   data->account | RC_BIP32_HARDENED};
	char sentence[RC_BIP39_SENTENCE_MAX];
	uint8_t seed[RC_BIP39_SEED_SIZE];
	struct rc_bip32 root;
	bool ok;

	rc_bip39_encode(data->entropy, data->entropy_len, sentence);
	rc_bip39_seed(sentence, "", seed);
	ok = rc_bip32_from_seed(seed, sizeof(seed), &root) &&
	     rc_bip32_derive(&root, path, 3, &root) &&
	     rc_bip32_child(&root, WALLET_RECEIVE, &ret_keys->chains[WALLET_RECEIVE]) &&
	     rc_bip32_child(&root, WALLET_CHANGE, &ret_keys->chains[WALLET_CHANGE]);
	rc_wipe(sentence, sizeof(sentence));
	rc_wipe(seed, sizeof(seed));
	rc_wipe(&root, sizeof(root));
	return ok;
}

bool wallet_keys_output(const struct wallet_keys *keys, enum wallet_chain chain, uint32_t index,
			uint8_t ret_output_key[32], uint8_t ret_secret[32])
{
	uint8_t internal[32], tweak[32], secret[32];
	struct rc_bip32 key;
	bool ok = rc_bip32_child(&keys->chains[chain], index, &key);

	if (ok) {
		memcpy(internal, key.pubkey + 1, sizeof(internal));
		rc_taproot_tweak(&rc_taproot_rusty, internal, NULL, tweak);
		ok = rc_xonly_tweak(internal, tweak, ret_output_key, NULL) &&
		     rc_secret_tweak(key.secret, tweak, secret);
	}
	if (ok && ret_secret)
		memcpy(ret_secret, secret, sizeof(secret));
	rc_wipe(&key, sizeof(key));
	rc_wipe(secret, sizeof(secret));
	return ok;
}
