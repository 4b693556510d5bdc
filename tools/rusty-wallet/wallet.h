/* An open wallet: its file, locked; its secrets; its addresses; its coins as a node knows them. */
#ifndef WALLET_WALLET_H
#define WALLET_WALLET_H

#include "base/clock.h"
#include "consensus/network.h"
#include "tools/rusty-wallet/file.h"
#include "tools/rusty-wallet/keys.h"
#include "tools/rusty-wallet/node.h"

/* Addresses without a coin in a row after which none is looked for (BIP44's gap). */
#define WALLET_GAP     20
#define WALLET_GAP_MAX 10000

struct wallet_secrets {
	struct wallet_data data;
	struct wallet_seal seal;
	struct wallet_keys keys;
	char passphrase[1024];
};

struct wallet {
	char *path; /* as it was named */
	char *file; /* what that is, behind symbolic links: this one is replaced when saved */
	int lock_fd;
	struct rc_network network;
	struct wallet_secrets *secrets; /* in secret memory */
	const struct rc_random *random;
};

/* The network of this name or parameter file; for NULL the one of this id (which may be NULL:
 * main). RC_ENETWORK if name and id don't agree. */
int wallet_network(const char *name, const uint8_t *id, struct rc_network *ret_network,
		   struct rc_error *error);

/* A new wallet of data's words, all but its file, which must not be there: wallet_save makes it. */
int wallet_prepare(const char *path, const struct rc_network *network,
		   const struct wallet_data *data, const char *passphrase, uint8_t log_n,
		   const struct rc_random *random, struct wallet **ret_wallet,
		   struct rc_error *error);
/* The same with its file. */
int wallet_create(const char *path, const struct rc_network *network,
		  const struct wallet_data *data, const char *passphrase, uint8_t log_n,
		  const struct rc_random *random, struct wallet **ret_wallet,
		  struct rc_error *error);

/* Locks and opens the file. network: as wallet_network's name. ask_passphrase fills 1024 bytes; it
 * is asked after everything else was found right. */
int wallet_open(const char *path, const char *network,
		int (*ask_passphrase)(void *arg, char *ret_text, struct rc_error *error), void *arg,
		const struct rc_random *random, struct wallet **ret_wallet, struct rc_error *error);

/* Wipes the secrets, ends the lock. NULL is fine. */
void wallet_close(struct wallet *wallet);

/* Replaces the file by what is in memory, in one step. */
int wallet_save(struct wallet *wallet, struct rc_error *error);

/* Seals the file by another passphrase (and a new salt). */
int wallet_change_passphrase(struct wallet *wallet, const char *passphrase, uint8_t log_n,
			     struct rc_error *error);

/* An address of the wallet; false for an index that has none (one in 2^127). */
bool wallet_address(const struct wallet *wallet, enum wallet_chain chain, uint32_t index,
		    struct node_address *ret_address);

/*
 * All coins of the wallet's addresses and of `gap` more on each chain; where one of these has a
 * coin, `gap` more after it. Moves the next indices behind the last address with a coin;
 * *ret_moved tells if they did (then save).
 */
int wallet_scan(struct wallet *wallet, struct node *node, uint32_t gap, struct node_coins *coins,
		bool *ret_moved, struct rc_error *error);

/* The coins at these outpoints, in this order, whatever others there are; *ret_moved as above.
 * RC_ENOENT if one isn't there, is spent, or isn't of the addresses wallet_scan begins with. */
int wallet_find(struct wallet *wallet, struct node *node, uint32_t gap,
		const struct rc_outpoint *at, size_t n, struct node_coins *coins, bool *ret_moved,
		struct rc_error *error);

#endif
