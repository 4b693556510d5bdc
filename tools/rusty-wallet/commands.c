/* Commands that make, show and look after a wallet; paying is in send.c. */
#include "tools/rusty-wallet/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "crypto/schnorr.h"
#include "tools/rusty-wallet/pending.h"
#include "tools/rusty-wallet/secret.h"

/* ---- shared ---- */

static void print_list(const json_t *list)
{
	const json_t *text;
	size_t i;

	json_array_foreach(list, i, text) printf("%s%s", i ? " " : "", json_string_value(text));
}

static void print_value(const json_t *value)
{
	if (json_is_string(value))
		printf("%s", json_string_value(value));
	else if (json_is_integer(value))
		printf("%lld", (long long)json_integer_value(value));
	else if (json_is_array(value))
		print_list(value);
	else
		printf("%s", json_is_true(value) ? "yes" : "no");
}

/* A list of objects as a line each; the members in the order they were made. */
static void print_rows(json_t *rows)
{
	const char *key;
	json_t *row, *value;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *gap = "";

		json_object_foreach(row, key, value)
		{
			printf("%s%s ", gap, key);
			print_value(value);
			gap = "  ";
		}
		printf("\n");
	}
}

static void put_result(json_t *result, bool as_json)
{
	const char *key;
	json_t *value;

	if (as_json) {
		json_dumpf(result, stdout, JSON_INDENT(2));
		printf("\n");
	} else if (json_is_array(result)) {
		print_rows(result);
	} else {
		json_object_foreach(result, key, value)
		{
			if (json_object_size(result) > 1)
				printf("%s: ", key);
			print_value(value);
			printf("\n");
		}
	}
}

int command_print(const struct wallet_options *o, json_t *result, struct rc_error *error)
{
	put_result(result, o->json);
	if (secret_flush() == 0)
		return RC_OK;
	return rc_error_errno(error, "the result can't be written");
}

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

int command_connect(const struct wallet_options *o, const struct wallet *wallet,
		    struct node *ret_node, struct rc_error *error)
{
	struct rc_jsonrpc_where where = o->node;

	where.network = wallet->network.params.name;
	return node_open(&where, &wallet->network, ret_node, error);
}

int command_scan(const struct wallet_options *o, struct wallet *wallet, struct node *node,
		 struct node_coins *coins, struct rc_error *error)
{
	bool moved = false;
	int err = wallet_scan(wallet, node, o->gap, coins, &moved, error);

	if (err == RC_OK && moved && !o->dry_run)
		err = wallet_save(wallet, error);
	return err;
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

/* A wallet, all but its file; asks for the new passphrase, once nothing else is in the way. */
static int prepare_wallet(const struct wallet_options *o, const struct wallet_data *data,
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
		err = wallet_prepare(o->wallet, &network, data, passphrase, WALLET_LOG_N,
				     &rc_random_system, ret_wallet, error);
	secret_free(passphrase, PASSPHRASE_MAX);
	return err;
}

/* Not through a buffer of the C library's, which nobody wipes. */
static int write_words(int fd, const char *sentence, struct rc_error *error)
{
	size_t left = strlen(sentence);

	while (left) {
		ssize_t n = write(fd, sentence, left);

		if (n < 0 && errno != EINTR)
			return rc_error_errno(error, "descriptor %d (--words-fd)", fd);
		sentence += n > 0 ? n : 0;
		left -= n > 0 ? (size_t)n : 0;
	}
	return write(fd, "\n", 1) == 1 ? RC_OK
				       : rc_error_errno(error, "descriptor %d (--words-fd)", fd);
}

/* Gives the words out, by their descriptor or with the result. */
static int tell_words(const struct wallet_options *o, const struct wallet *wallet,
		      const char *sentence, struct rc_error *error)
{
	json_t *result =
		json_pack("{s:s,s:s}", "wallet", o->wallet, "network", wallet->network.params.name);
	int err = RC_OK;

	if (o->words_fd >= 0)
		err = write_words(o->words_fd, sentence, error);
	else
		json_object_set_new(result, "words", json_string(sentence));
	if (err == RC_OK)
		err = command_print(o, result, error);
	json_decref(result);
	if (err < 0)
		rc_error_prefix(error, "no wallet was made, since its words were not written");
	return err;
}

/* A file of this name that was removed may have left a payment behind: it isn't a new wallet's.
 * What is restored is perhaps the same wallet, whose payment it is: then its file goes with it
 * again, once somebody has looked whose it is. */
static int check_no_payment(const struct wallet *wallet, struct rc_error *error)
{
	struct pending p;
	int err = pending_load(wallet, &p, error);

	if (err == RC_OK && p.kept)
		err = rc_error_set(
			error, RC_EEXIST,
			"%s.pending is there, an unsettled payment of an earlier wallet: move it "
			"away, and back if that wallet is restored here; or choose another "
			"--wallet",
			wallet->path);
	pending_done(&p);
	return err;
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
	(void)ret; /* printed before the file is made */
	data->entropy_len = o->words == 12 ? 16 : 32;
	rc_random_fill(&rc_random_system, data->entropy, data->entropy_len);
	rc_bip39_encode(data->entropy, data->entropy_len, sentence);
	err = prepare_wallet(o, data, &wallet, error);
	if (err == RC_OK)
		err = check_no_payment(wallet, error);
	/* The words before the file, and when nothing but the file is left to do: a wallet that
	 * nobody can restore is worse than none, and words of no wallet are a false backup. */
	if (err == RC_OK)
		err = tell_words(o, wallet, sentence, error);
	if (err == RC_OK) {
		err = wallet_save(wallet, error);
		if (err < 0)
			rc_error_prefix(error, "no wallet was made: throw these words away");
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
	struct node node = {0};
	int err = command_connect(o, wallet, &node, error);

	if (err == RC_OK)
		err = command_scan(o, wallet, &node, &coins, error);
	if (err < 0)
		rc_error_prefix(error, "the wallet is restored, but no coins were looked for "
				       "(rusty-wallet balance does it)");
	else
		json_object_set_new(result, "coins", json_integer((json_int_t)coins.n));
	node_coins_done(&coins);
	node_close(&node);
	return err;
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
		err = prepare_wallet(o, data, &wallet, error);
	if (err == RC_OK)
		err = check_no_payment(wallet, error);
	if (err == RC_OK)
		err = wallet_save(wallet, error);
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
	struct node node = {0};
	int err = command_open(o, &wallet, error);

	(void)args;
	(void)n;
	if (err < 0)
		return err;
	err = command_connect(o, wallet, &node, error);
	if (err == RC_OK)
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
	}
	node_coins_done(&coins);
	node_close(&node);
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
	struct node node = {0};
	int err = command_open(o, &wallet, error);

	(void)args;
	(void)n;
	if (err < 0)
		return err;
	err = command_connect(o, wallet, &node, error);
	if (err == RC_OK)
		err = command_scan(o, wallet, &node, &coins, error);
	if (err == RC_OK) {
		struct wallet_order order = order_at(wallet, &node);

		if (coins.n)
			qsort(coins.coins, coins.n, sizeof(*coins.coins), by_outpoint);
		*ret = json_array();
		for (size_t i = 0; i < coins.n; i++)
			json_array_append_new(*ret, coin_row(wallet, &coins.coins[i], &order));
	}
	node_coins_done(&coins);
	node_close(&node);
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
