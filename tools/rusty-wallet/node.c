/* See node.h. */
#include "tools/rusty-wallet/node.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

/* Codes of rustycoin-rpc(7). */
#define CODE_IN_CHAIN  (-27)
#define CODE_TIP_MOVED (-32051)
#define CODE_NO_METHOD (-32601)
#define CODE_BAD_CALL  (-32602)

/* A page of coins is some 5 MB of JSON (500 bytes a coin). What a node makes this wallet hold is
 * bounded: 500 pages are 5,000,000 coins of 96 bytes, 480 MB. */
#define PAGE_COINS 10000
#define PAGES_MAX  500u
#define LIST_TRIES 10u

static int bad_answer(struct rc_error *error, const char *method, const char *what)
{
	return rc_error_set(error, RC_EFORMAT, "the node's answer to %s has no %s", method, what);
}

/* A call. An error object of the node is its refusal, not our user's wrong argument. */
static int call(struct node *node, const char *method, json_t *params, json_t **ret_result,
		struct rc_error *error)
{
	int err = rc_jsonrpc_call(node->rpc, method, params, ret_result, error);

	if (err != RC_EINVAL)
		return err;
	if (error)
		error->code = RC_ECANCELLED;
	return RC_ECANCELLED;
}

/* The network's id names every rule, the chain's name only some of them. */
static int check_network(const json_t *info, const struct rc_network *network,
			 struct rc_error *error)
{
	const char *chain = json_string_value(json_object_get(info, "chain"));
	const char *id = json_string_value(json_object_get(info, "network_id"));
	uint8_t got[32];

	if (!chain || !id || !rc_hex_decode(id, got, sizeof(got)))
		return bad_answer(error, "getblockchaininfo", "chain and network_id");
	if (memcmp(got, network->id.b, sizeof(got)) == 0)
		return RC_OK;
	return rc_error_set(error, RC_ENETWORK,
			    "the node is on network '%s' (%.8s…), the wallet on '%s': nothing was "
			    "asked or sent",
			    chain, id, network->params.name);
}

int node_open(const struct rc_jsonrpc_where *where, const struct rc_network *network,
	      struct node *ret_node, struct rc_error *error)
{
	struct node node = {0};
	json_t *info = NULL, *blocks;
	int err = rc_jsonrpc_open(where, &node.rpc, error);

	/* No socket and no cookie: not a file of ours that is missing, but the node. */
	if (err == RC_ENOENT) {
		err = RC_EUNAVAILABLE;
		if (error)
			error->code = err;
	}
	if (err == RC_OK)
		err = call(&node, "getblockchaininfo", NULL, &info, error);
	if (err == RC_OK)
		err = check_network(info, network, error);
	blocks = json_object_get(info, "blocks");
	if (err == RC_OK && (!json_is_integer(blocks) || json_integer_value(blocks) < 0 ||
			     json_integer_value(blocks) > UINT32_MAX))
		err = bad_answer(error, "getblockchaininfo", "height");
	node.tip = (uint32_t)json_integer_value(blocks);
	json_decref(info);
	if (err < 0)
		node_close(&node);
	else
		*ret_node = node;
	return err;
}

void node_close(struct node *node)
{
	rc_jsonrpc_close(node->rpc);
	node->rpc = NULL;
}

static const struct node_address *find(const struct node_address *addresses, size_t n,
				       const char *text)
{
	for (size_t i = 0; text && i < n; i++)
		if (strcmp(addresses[i].text, text) == 0)
			return &addresses[i];
	return NULL;
}

/* An integer member from 0 to max; *ok turns false if there is none. */
static uint64_t number(const json_t *row, const char *key, uint64_t max, bool *ok)
{
	const json_t *value = json_object_get(row, key);
	json_int_t v = json_integer_value(value);

	if (!json_is_integer(value) || v < 0 || (uint64_t)v > max) {
		*ok = false;
		return 0;
	}
	return (uint64_t)v;
}

static void set_owner(struct wallet_coin *coin, const struct node_address *address)
{
	coin->chain = address->chain;
	coin->index = address->index;
	memcpy(coin->output_key, address->output_key, sizeof(coin->output_key));
}

static bool parse_coin(const json_t *row, const struct node_address *addresses, size_t n,
		       struct wallet_coin *coin)
{
	const struct node_address *address =
		find(addresses, n, json_string_value(json_object_get(row, "address")));
	const char *txid = json_string_value(json_object_get(row, "txid"));
	bool ok = true;

	if (!address || !txid || !rc_txid_from_hex(txid, &coin->at.txid))
		return false;
	coin->at.index = (uint32_t)number(row, "vout", UINT32_MAX, &ok);
	coin->amount = number(row, "value_oxides", RC_SUPPLY_LIMIT, &ok);
	coin->confirmed = number(row, "confirmations", UINT32_MAX, &ok) > 0;
	coin->height = coin->confirmed ? (uint32_t)number(row, "height", UINT32_MAX, &ok) : 0;
	coin->coinbase = json_is_true(json_object_get(row, "coinbase"));
	set_owner(coin, address);
	return ok;
}

/* An answer of gettxout, an object; *ret_ours: of one of the addresses. */
static bool parse_found(const json_t *answer, const struct rc_outpoint *at,
			const struct node_address *addresses, size_t n, struct wallet_coin *coin,
			bool *ret_ours)
{
	const json_t *lock = json_object_get(answer, "lock");
	const struct node_address *address =
		find(addresses, n, json_string_value(json_object_get(lock, "address")));
	uint64_t confirmations, tip;
	bool ok = true;

	*coin = (struct wallet_coin){.at = *at};
	coin->amount = number(answer, "value_oxides", RC_SUPPLY_LIMIT, &ok);
	confirmations = number(answer, "confirmations", UINT32_MAX, &ok);
	tip = number(json_object_get(answer, "anchor"), "height", UINT32_MAX, &ok);
	coin->confirmed = confirmations > 0;
	coin->height = coin->confirmed ? (uint32_t)(tip + 1 - confirmations) : 0;
	coin->coinbase = json_is_true(json_object_get(answer, "coinbase"));
	*ret_ours = address != NULL;
	if (address)
		set_owner(coin, address);
	return ok && confirmations <= tip + 1;
}

static void add_coin(struct node_coins *coins, const struct wallet_coin *coin)
{
	if (coins->n == coins->cap) {
		coins->cap = coins->cap ? 2 * coins->cap : 64;
		coins->coins = rc_realloc_array(coins->coins, coins->cap, sizeof(*coins->coins));
	}
	coins->coins[coins->n++] = *coin;
}

int node_parse_coins(const json_t *answer, const struct node_address *addresses, size_t n,
		     struct node_coins *coins, struct rc_error *error)
{
	const json_t *utxos = json_object_get(answer, "utxos"), *row;
	size_t i;

	if (!json_is_array(utxos))
		return bad_answer(error, "getaddressutxos", "list of coins");
	json_array_foreach(utxos, i, row)
	{
		struct wallet_coin coin = {0};

		if (!parse_coin(row, addresses, n, &coin))
			return rc_error_set(error, RC_EFORMAT,
					    "the node's answer to getaddressutxos: coin %zu is "
					    "not one of those asked for, or lacks a field",
					    i);
		if (json_is_true(json_object_get(row, "spent")))
			continue;
		add_coin(coins, &coin);
	}
	return RC_OK;
}

static int ask_page(struct node *node, const struct node_address *addresses, size_t n,
		    const char *after, json_t **ret_answer, struct rc_error *error)
{
	json_t *texts = json_array(), *ask;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(texts, json_string(addresses[i].text));
	ask = json_pack("{s:o,s:b,s:i}", "addresses", texts, "mempool", 1, "limit", PAGE_COINS);
	if (after)
		json_object_set_new(ask, "after", json_string(after));
	return call(node, "getaddressutxos", json_pack("[o]", ask), ret_answer, error);
}

/* All pages, which are of one block. */
static int list_once(struct node *node, const struct node_address *addresses, size_t n,
		     struct node_coins *coins, struct rc_error *error)
{
	json_t *answer = NULL, *next = NULL;
	unsigned pages = 0;
	int err;

	do {
		json_decref(answer); /* next is of it, and is held */
		answer = NULL;
		err = ask_page(node, addresses, n, json_string_value(next), &answer, error);
		if (err == RC_OK)
			err = node_parse_coins(answer, addresses, n, coins, error);
		json_decref(next);
		next = json_incref(json_object_get(answer, "next"));
		if (err == RC_OK && json_is_string(next) && ++pages == PAGES_MAX)
			err = rc_error_set(error, RC_ETOOBIG,
					   "the node knows more than %u coins of this wallet: "
					   "they can be spent by --coin",
					   PAGES_MAX * PAGE_COINS);
	} while (err == RC_OK && json_is_string(next));
	json_decref(next);
	json_decref(answer);
	return err;
}

/* Begins anew where a block came between two pages. */
static int list_some(struct node *node, const struct node_address *addresses, size_t n,
		     struct node_coins *coins, struct rc_error *error)
{
	size_t before = coins->n;
	int err = RC_EBUSY;

	for (unsigned i = 0; i < LIST_TRIES; i++) {
		coins->n = before;
		err = list_once(node, addresses, n, coins, error);
		if (err == RC_OK || rc_jsonrpc_error_code(node->rpc) != CODE_TIP_MOVED)
			return err;
	}
	if (error)
		error->code = RC_EBUSY;
	rc_error_prefix(error, "the coins could not be listed %u times", LIST_TRIES);
	return RC_EBUSY;
}

int node_list_coins(struct node *node, const struct node_address *addresses, size_t n,
		    struct node_coins *coins, struct rc_error *error)
{
	while (n) {
		size_t now = n < NODE_ADDRESSES_MAX ? n : NODE_ADDRESSES_MAX;
		int err = list_some(node, addresses, now, coins, error);

		if (err < 0)
			return err;
		addresses += now;
		n -= now;
	}
	return RC_OK;
}

int node_find_coin(struct node *node, const struct rc_outpoint *at,
		   const struct node_address *addresses, size_t n, struct node_coins *coins,
		   bool *ret_found, struct rc_error *error)
{
	char txid[RC_ID_HEX];
	struct wallet_coin coin;
	json_t *answer = NULL;
	bool ours = false;
	int err = call(node, "gettxout",
		       json_pack("[s,I,b]", rc_txid_hex(txid, &at->txid), (json_int_t)at->index, 1),
		       &answer, error);

	*ret_found = false;
	if (err == RC_OK && !json_is_null(answer)) {
		if (!parse_found(answer, at, addresses, n, &coin, &ours))
			err = bad_answer(error, "gettxout", "good coin");
		else if (ours)
			add_coin(coins, &coin);
		*ret_found = err == RC_OK && ours;
	}
	json_decref(answer);
	return err;
}

void node_coins_done(struct node_coins *coins)
{
	free(coins->coins);
	*coins = (struct node_coins){0};
}

/* ---- sending ---- */

/* What a failed call says of the transaction. */
static enum node_sent sent_by(const struct node *node, int err)
{
	int code = rc_jsonrpc_error_code(node->rpc);
	const json_t *data = json_object_get(rc_jsonrpc_error(node->rpc), "data");

	if (code == CODE_IN_CHAIN)
		return NODE_TAKEN;
	if (json_is_false(json_object_get(data, "maybe_done")))
		return NODE_UNASKED;
	if (err == RC_EDENIED || err == RC_EACCES)
		return NODE_UNASKED;
	/* No listener, or rpcd had too much to do to look at it. With an error object it is a
	 * daemon behind that is away or busy: rpcd may have asked it before, unless it said no. */
	if (!code && (err == RC_EUNAVAILABLE || err == RC_EBUSY))
		return NODE_UNASKED;
	if (rc_jsonrpc_error_verdict(node->rpc) || code == CODE_NO_METHOD || code == CODE_BAD_CALL)
		return NODE_REFUSED;
	return NODE_UNSURE;
}

int node_send(struct node *node, struct rc_bytes raw, const struct rc_txid *txid,
	      enum node_sent *ret_sent, struct rc_error *error)
{
	RC_AUTOFREE char *hex = rc_alloc(2 * raw.len + 1);
	char want[RC_ID_HEX];
	json_t *answer = NULL;
	const char *verdict;
	int err;

	rc_hex_encode(hex, raw.data, raw.len);
	/* The wallet has its own limit on fees (--max-fee), so the node's is lifted. */
	err = call(node, "sendrawtransaction", json_pack("[ss]", hex, "0"), &answer, error);
	*ret_sent = err == RC_OK ? NODE_TAKEN : sent_by(node, err);
	if (err == RC_OK && (!json_is_string(answer) ||
			     strcmp(json_string_value(answer), rc_txid_hex(want, txid)) != 0)) {
		*ret_sent = NODE_UNSURE;
		err = rc_error_set(error, RC_EFORMAT, "the node took it under another id than %s",
				   rc_txid_hex(want, txid));
	}
	json_decref(answer);
	if (*ret_sent == NODE_TAKEN)
		return RC_OK;
	verdict = rc_jsonrpc_error_verdict(node->rpc);
	if (verdict && error)
		rc_error_prefix(error, "refused (%s)", verdict);
	return err;
}
