/* Commands that make, show and look after a wallet; paying is in send.c. */
#include "tools/rusty-wallet/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "crypto/schnorr.h"
#include "tools/rusty-wallet/secret.h"

/* ---- shared ---- */

static int ask_passphrase(void *arg, char *ret_text, struct rc_error *error)
{
	const struct wallet_options *o = arg;

	return secret_read_line(o->passphrase_fd, "Passphrase", true, ret_text, PASSPHRASE_MAX,
				error);
}

int command_open(const struct wallet_options *o, struct wallet **ret_wallet, struct rc_error *error)
{
	return wallet_open(o->wallet, o->network, ask_passphrase, (void *)o, &rc_random_system,
			   ret_wallet, error);
}

int command_scan(const struct wallet_options *o, struct wallet *wallet, struct node *ret_node,
		 struct node_coins *coins, struct rc_error *error)
{
	struct rc_jsonrpc_where where = o->node;
	struct node node = {0};
	bool moved = false;
	int err;

	where.network = wallet->network.params.name;
	err = node_open(&where, &wallet->network, &node, error);
	if (err == RC_OK)
		err = wallet_scan(wallet, &node, o->gap, coins, &moved, error);
	if (err == RC_OK && moved)
		err = wallet_save(wallet, error);
	if (err < 0) {
		node_close(&node);
		node_coins_done(coins);
		return err;
	}
	*ret_node = node;
	return RC_OK;
}

void command_put_amount(json_t *object, const char *key, rc_amount amount)
{
	RC_AUTOFREE char *oxides = rc_asprintf("%s_oxides", key);
	char text[RC_AMOUNT_TEXT];

	json_object_set_new(object, key, json_string(rc_amount_format(text, amount)));
	json_object_set_new(object, oxides, json_integer((json_int_t)amount));
}

static const char *chain_name(uint32_t chain)
{
	return chain == WALLET_CHANGE ? "change" : "receive";
}

static json_t *describe(const struct wallet *wallet)
{
	bool is_main = strcmp(wallet->network.params.name, "main") == 0;
	const struct wallet_data *data = &wallet->secrets->data;
	RC_AUTOFREE char *path = rc_asprintf(
		"m/86'/%u'/%u'", is_main ? WALLET_COIN_TYPE_MAIN : WALLET_COIN_TYPE_OTHER,
		data->account);
	char id[RC_ID_HEX];

	return json_pack("{s:s,s:s,s:s,s:s,s:i,s:I,s:I}", "wallet", wallet->path, "network",
			 wallet->network.params.name, "network_id",
			 rc_hash_hex(id, &wallet->network.id), "path", path, "words",
			 data->entropy_len * 8 * 33 / 32 / 11, "next_receive",
			 (json_int_t)data->next[WALLET_RECEIVE], "next_change",
			 (json_int_t)data->next[WALLET_CHANGE]);
}

/* ---- create, restore ---- */

/* Makes the file; asks for the new passphrase first. */
static int make_wallet(const struct wallet_options *o, const struct wallet_data *data,
		       struct wallet **ret_wallet, struct rc_error *error)
{
	char *passphrase = secret_alloc(PASSPHRASE_MAX);
	struct rc_network network;
	int err = wallet_network(o->network ? o->network : o->new_network, NULL, &network, error);

	if (err == RC_OK && access(o->wallet, F_OK) == 0)
		err = rc_error_set(
			error, RC_EEXIST,
			"%s is there already: it is not touched; choose another --wallet",
			o->wallet);
	if (err == RC_OK)
		err = secret_read_new_passphrase(o->passphrase_fd, passphrase, error);
	if (err == RC_OK)
		err = wallet_create(o->wallet, &network, data, passphrase, WALLET_LOG_N,
				    &rc_random_system, ret_wallet, error);
	secret_free(passphrase, PASSPHRASE_MAX);
	return err;
}

static int write_words(int fd, const char *sentence, struct rc_error *error)
{
	size_t len = strlen(sentence);

	/* Not through a buffer of the C library's, which nobody wipes. */
	if (write(fd, sentence, len) != (ssize_t)len || write(fd, "\n", 1) != 1)
		return rc_error_errno(error,
				      "descriptor %d (--words-fd): the words were not "
				      "written; delete the wallet and make another",
				      fd);
	return RC_OK;
}

int cmd_create(const struct wallet_options *o, char **args, int n, json_t **ret,
	       struct rc_error *error)
{
	struct wallet_data *data = secret_alloc(sizeof(*data));
	char *sentence = secret_alloc(RC_BIP39_SENTENCE_MAX);
	struct wallet *wallet = NULL;
	int err;

	(void)args;
	(void)n;
	data->entropy_len = o->words == 12 ? 16 : 32;
	rc_random_fill(&rc_random_system, data->entropy, data->entropy_len);
	rc_bip39_encode(data->entropy, data->entropy_len, sentence);
	/* The words first: a wallet that nobody can restore is worse than none. */
	err = o->words_fd >= 0 ? write_words(o->words_fd, sentence, error) : RC_OK;
	if (err == RC_OK)
		err = make_wallet(o, data, &wallet, error);
	if (err == RC_OK) {
		*ret = json_pack("{s:s,s:s}", "wallet", o->wallet, "network",
				 wallet->network.params.name);
		if (o->words_fd < 0)
			json_object_set_new(*ret, "words", json_string(sentence));
	}
	wallet_close(wallet);
	secret_free(data, sizeof(*data));
	secret_free(sentence, RC_BIP39_SENTENCE_MAX);
	return err;
}

#define TYPED_WORDS_MAX 4096 /* 24 words and any white space */

static int read_words(const struct wallet_options *o, struct wallet_data *data,
		      struct rc_error *error)
{
	char *typed = secret_alloc(TYPED_WORDS_MAX);
	enum rc_bip39_result result;
	unsigned bad = 0;
	size_t len = 0;
	int err = secret_read_line(o->words_fd, "Words", false, typed, TYPED_WORDS_MAX, error);

	if (err == RC_OK) {
		result = rc_bip39_decode(typed, data->entropy, &len, &bad);
		data->entropy_len = (uint8_t)len;
		if (result == RC_BIP39_WORD)
			err = rc_error_set(error, RC_EINVAL,
					   "word %u is not in the list of 2,048 words", bad);
		else if (result != RC_BIP39_OK)
			err = rc_error_set(error, RC_EINVAL, "%s", rc_bip39_result_text(result));
	}
	secret_free(typed, TYPED_WORDS_MAX);
	return err;
}

/* Looks for coins of the restored words. The wallet stays if that fails: balance looks again. */
static int look_for_coins(const struct wallet_options *o, struct wallet *wallet, json_t *result,
			  struct rc_error *error)
{
	struct node_coins coins = {0};
	struct node node;
	int err = command_scan(o, wallet, &node, &coins, error);

	if (err < 0)
		return rc_error_prefix(error,
				       "the wallet is restored, but no coins were looked for "
				       "(rusty-wallet balance does it)");
	json_object_set_new(result, "coins", json_integer((json_int_t)coins.n));
	node_coins_done(&coins);
	node_close(&node);
	return RC_OK;
}

int cmd_restore(const struct wallet_options *o, char **args, int n, json_t **ret,
		struct rc_error *error)
{
	struct wallet_data *data = secret_alloc(sizeof(*data));
	struct wallet *wallet = NULL;
	json_t *result;
	int err = read_words(o, data, error);

	(void)args;
	(void)n;
	if (err == RC_OK)
		err = make_wallet(o, data, &wallet, error);
	if (err == RC_OK) {
		result = json_pack("{s:s,s:s}", "wallet", o->wallet, "network",
				   wallet->network.params.name);
		if (!o->offline)
			err = look_for_coins(o, wallet, result, error);
		if (err == RC_OK)
			*ret = result;
		else
			json_decref(result);
	}
	wallet_close(wallet);
	secret_free(data, sizeof(*data));
	return err;
}

/* ---- addresses ---- */

static json_t *address_row(const struct node_address *a)
{
	return json_pack("{s:s,s:s,s:I}", "address", a->text, "chain", chain_name(a->chain),
			 "index", (json_int_t)a->index);
}

static int address_new(struct wallet *wallet, enum wallet_chain chain, json_t **ret,
		       struct rc_error *error)
{
	uint32_t *next = &wallet->secrets->data.next[chain];
	struct node_address address;
	int err;

	do {
		if (*next == RC_BIP32_HARDENED - 1)
			return rc_error_set(error, RC_ERANGE, "no address is left");
	} while (!wallet_address(wallet, chain, (*next)++, &address));
	err = wallet_save(wallet, error); /* first, so that no address is given out twice */
	if (err == RC_OK)
		*ret = json_pack("{s:s}", "address", address.text);
	return err;
}

static json_t *address_list(const struct wallet *wallet, bool change)
{
	json_t *list = json_array();

	for (int chain = WALLET_RECEIVE; chain <= (change ? WALLET_CHANGE : WALLET_RECEIVE);
	     chain++) {
		for (uint32_t i = 0; i < wallet->secrets->data.next[chain]; i++) {
			struct node_address address;

			if (wallet_address(wallet, chain, i, &address))
				json_array_append_new(list, address_row(&address));
		}
	}
	return list;
}

int cmd_address(const struct wallet_options *o, char **args, int n, json_t **ret,
		struct rc_error *error)
{
	bool list = n && strcmp(args[0], "list") == 0;
	struct wallet *wallet;
	int err;

	if (n && !list && strcmp(args[0], "new") != 0)
		return rc_error_set(error, RC_EINVAL, "address takes 'new' or 'list', not '%s'",
				    args[0]);
	err = command_open(o, &wallet, error);
	if (err < 0)
		return err;
	if (list)
		*ret = address_list(wallet, o->change);
	else
		err = address_new(wallet, o->change ? WALLET_CHANGE : WALLET_RECEIVE, ret, error);
	wallet_close(wallet);
	return err;
}

/* ---- coins ---- */

static struct wallet_order order_at(const struct wallet *wallet, const struct node *node)
{
	return (struct wallet_order){.tip = node->tip, .maturity = wallet->network.params.maturity};
}

int cmd_balance(const struct wallet_options *o, char **args, int n, json_t **ret,
		struct rc_error *error)
{
	rc_amount confirmed = 0, unconfirmed = 0, immature = 0;
	struct node_coins coins = {0};
	struct wallet *wallet;
	struct node node;
	int err = command_open(o, &wallet, error);

	(void)args;
	(void)n;
	if (err < 0)
		return err;
	err = command_scan(o, wallet, &node, &coins, error);
	if (err == RC_OK) {
		struct wallet_order order = order_at(wallet, &node);

		for (size_t i = 0; i < coins.n; i++) {
			const struct wallet_coin *coin = &coins.coins[i];
			rc_amount *sum = !coin->confirmed		    ? &unconfirmed
					 : wallet_coin_mature(coin, &order) ? &confirmed
									    : &immature;

			if (!rc_amount_add(sum, coin->amount))
				*sum = RC_SUPPLY_LIMIT;
		}
		*ret = json_object();
		command_put_amount(*ret, "confirmed", confirmed);
		command_put_amount(*ret, "unconfirmed", unconfirmed);
		command_put_amount(*ret, "immature", immature);
		json_object_set_new(*ret, "height", json_integer(node.tip));
		node_coins_done(&coins);
		node_close(&node);
	}
	wallet_close(wallet);
	return err;
}

static json_t *coin_row(const struct wallet *wallet, const struct wallet_coin *coin,
			const struct wallet_order *order)
{
	char txid[RC_ID_HEX], address[RC_ADDRESS_SIZE];
	json_int_t confirmations = coin->confirmed ? (json_int_t)order->tip - coin->height + 1 : 0;
	json_t *row;

	rc_address_encode(wallet->network.params.hrp, coin->output_key, address);
	row = json_pack("{s:s,s:I,s:s,s:I,s:b,s:b}", "txid", rc_txid_hex(txid, &coin->at.txid),
			"vout", (json_int_t)coin->at.index, "address", address, "confirmations",
			confirmations, "coinbase", coin->coinbase, "spendable",
			wallet_coin_mature(coin, order) &&
				(coin->confirmed || coin->chain == WALLET_CHANGE));
	command_put_amount(row, "amount", coin->amount);
	return row;
}

static int by_outpoint(const void *a, const void *b)
{
	const struct wallet_coin *x = a, *y = b;

	return rc_outpoint_cmp(&x->at, &y->at);
}

int cmd_listunspent(const struct wallet_options *o, char **args, int n, json_t **ret,
		    struct rc_error *error)
{
	struct node_coins coins = {0};
	struct wallet *wallet;
	struct node node;
	int err = command_open(o, &wallet, error);

	(void)args;
	(void)n;
	if (err < 0)
		return err;
	err = command_scan(o, wallet, &node, &coins, error);
	if (err == RC_OK) {
		struct wallet_order order = order_at(wallet, &node);

		if (coins.n)
			qsort(coins.coins, coins.n, sizeof(*coins.coins), by_outpoint);
		*ret = json_array();
		for (size_t i = 0; i < coins.n; i++)
			json_array_append_new(*ret, coin_row(wallet, &coins.coins[i], &order));
		node_coins_done(&coins);
		node_close(&node);
	}
	wallet_close(wallet);
	return err;
}

/* ---- the wallet itself ---- */

int cmd_info(const struct wallet_options *o, char **args, int n, json_t **ret,
	     struct rc_error *error)
{
	struct wallet *wallet;
	int err = command_open(o, &wallet, error);

	(void)args;
	(void)n;
	if (err < 0)
		return err;
	*ret = describe(wallet);
	wallet_close(wallet);
	return RC_OK;
}

int cmd_passphrase(const struct wallet_options *o, char **args, int n, json_t **ret,
		   struct rc_error *error)
{
	struct wallet *wallet;
	char *passphrase;
	int err;

	(void)n;
	if (strcmp(args[0], "change") != 0)
		return rc_error_set(error, RC_EINVAL, "passphrase takes 'change', not '%s'",
				    args[0]);
	err = command_open(o, &wallet, error);
	if (err < 0)
		return err;
	passphrase = secret_alloc(PASSPHRASE_MAX);
	err = secret_read_new_passphrase(o->new_passphrase_fd, passphrase, error);
	if (err == RC_OK)
		err = wallet_change_passphrase(wallet, passphrase, WALLET_LOG_N, error);
	if (err == RC_OK)
		*ret = json_pack("{s:b}", "changed", 1);
	secret_free(passphrase, PASSPHRASE_MAX);
	wallet_close(wallet);
	return err;
}
