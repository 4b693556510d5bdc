/* The commands of rusty-wallet: each takes its arguments and options and makes one JSON value,
 * which main.c prints. */
#ifndef WALLET_COMMANDS_H
#define WALLET_COMMANDS_H

#include <jansson.h>

#include "tools/rusty-wallet/wallet.h"

#define COINS_NAMED_MAX 256

/* What the command line said; fields not given are zero, descriptors −1. */
struct wallet_options {
	const char *wallet;  /* path */
	const char *network; /* name or parameter file */
	/* The environment's, for a new wallet and for the default path; an old wallet knows its
	 * own. */
	const char *new_network;
	struct rc_jsonrpc_where node;
	int passphrase_fd, new_passphrase_fd, words_fd;
	unsigned words; /* 12 or 24 */
	unsigned gap;
	bool change, offline, dry_run, subtract_fee;
	bool json; /* how a result is printed */
	bool has_fee, has_fee_rate;
	rc_amount fee, max_fee;
	uint64_t fee_rate;
	const char *id;			    /* --id, NULL: none */
	const char *coins[COINS_NAMED_MAX]; /* --coin, as typed */
	unsigned n_coins;
};

struct wallet_command {
	const char *name;
	const char *arguments; /* for the usage text */
	const char *text;
	int min_args, max_args;
	unsigned options; /* bits of enum wallet_option (options.c) */
	/* *ret_result stays NULL if the command printed by itself (command_print). */
	int (*run)(const struct wallet_options *options, char **args, int n_args,
		   json_t **ret_result, struct rc_error *error);
};

/* Beyond enum rc_err: a payment is kept in FILE.pending that may be made (RC_EXIT_UNSETTLED). */
#define WALLET_EUNSETTLED (-1000)

int cmd_create(const struct wallet_options *o, char **args, int n, json_t **ret,
	       struct rc_error *error);
int cmd_restore(const struct wallet_options *o, char **args, int n, json_t **ret,
		struct rc_error *error);
int cmd_address(const struct wallet_options *o, char **args, int n, json_t **ret,
		struct rc_error *error);
int cmd_balance(const struct wallet_options *o, char **args, int n, json_t **ret,
		struct rc_error *error);
int cmd_listunspent(const struct wallet_options *o, char **args, int n, json_t **ret,
		    struct rc_error *error);
int cmd_send(const struct wallet_options *o, char **args, int n, json_t **ret,
	     struct rc_error *error);
int cmd_pending(const struct wallet_options *o, char **args, int n, json_t **ret,
		struct rc_error *error);
int cmd_info(const struct wallet_options *o, char **args, int n, json_t **ret,
	     struct rc_error *error);
int cmd_passphrase(const struct wallet_options *o, char **args, int n, json_t **ret,
		   struct rc_error *error);

/* ---- what the commands share (commands.c) ---- */

/* Opens the wallet of the options, asking for the passphrase. */
int command_open(const struct wallet_options *o, struct wallet **ret_wallet,
		 struct rc_error *error);

/* Connects to the node of the options, which must be on the wallet's network. */
int command_connect(const struct wallet_options *o, const struct wallet *wallet,
		    struct node *ret_node, struct rc_error *error);

/* Lists all coins; saves the wallet if indices moved, unless nothing is to be saved (--dry-run). */
int command_scan(const struct wallet_options *o, struct wallet *wallet, struct node *node,
		 struct node_coins *coins, struct rc_error *error);

/* Prints a result: it has left this program when it returns RC_OK. */
int command_print(const struct wallet_options *o, json_t *result, struct rc_error *error);

/* KEY: text in RUST, KEY_oxides: integer. */
void command_put_amount(json_t *object, const char *key, rc_amount amount);

#endif
