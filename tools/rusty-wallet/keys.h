/* From the wallet's words to addresses and the secrets that sign for them (BIP32, BIP86's shape).
 */
#ifndef WALLET_KEYS_H
#define WALLET_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/bip32.h"
#include "tools/rusty-wallet/file.h"

enum wallet_chain {
	WALLET_RECEIVE = 0,
	WALLET_CHANGE = 1,
};

/* Step 2 of the path m/86'/coin'/account'/chain/index: 1 for every network but main, as everywhere;
 * main's is no registered number (SLIP-44) but ours alone. */
#define WALLET_COIN_TYPE_MAIN  7440
#define WALLET_COIN_TYPE_OTHER 1

/* In secret memory. */
struct wallet_keys {
	struct rc_bip32 chains[2];
};

/* False (one seed in 2^125): the words give no keys. */
bool wallet_keys_open(const struct wallet_data *data, uint32_t coin_type,
		      struct wallet_keys *ret_keys);

/*
 * The output key of an address: Q = P + H(RC/taptweak, P)·G, so no policy hides in it. ret_secret
 * (may be NULL): the secret of Q. False for an index that gives no key (one in 2^127): nobody uses
 * it.
 */
bool wallet_keys_output(const struct wallet_keys *keys, enum wallet_chain chain, uint32_t index,
			uint8_t ret_output_key[32], uint8_t ret_secret[32]);

#endif
