/* The command that pays: coins chosen, transaction made, saved, sent. */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "crypto/schnorr.h"
#include "tools/rusty-wallet/commands.h"
#include "tools/rusty-wallet/payment.h"
#include "tools/rusty-wallet/secret.h"

struct sending {
	const struct wallet_options *options;
	struct wallet *wallet;
	struct node node;
	struct node_coins coins;
	struct wallet_order order;
	struct wallet_choice choice;
	uint8_t to[32]; /* the receiver's output key */
	struct node_address change;
	struct rc_buf raw;
	struct rc_txid txid;
};

static int parse_order(struct sending *s, const char *address, const char *amount,
		       struct rc_error *error)
{
	const struct wallet_options *o = s->options;
	int err = rc_address_decode(address, s->wallet->network.params.hrp, s->to, error);

	if (err < 0)
		return err;
	if (!rc_xonly_valid(s->to))
		return rc_error_set(error, RC_EINVAL,
				    "the address is no key: what is sent there is lost");
	s->order.all = strcmp(amount, "all") == 0;
	if (!s->order.all && !rc_amount_parse(amount, &s->order.amount))
		return rc_error_set(error, RC_EINVAL,
				    "'%s' is no amount: RUST with at most 8 places, as 12.5, or "
				    "'all'",
				    amount);
	if (o->has_fee && o->has_fee_rate)
		return rc_error_set(error, RC_EINVAL, "either --fee or --fee-rate");
	s->order.subtract_fee = o->subtract_fee;
	s->order.fixed_fee = o->has_fee;
	s->order.fee = o->fee;
	s->order.fee_rate = o->has_fee_rate ? o->fee_rate : 1;
	s->order.maturity = s->wallet->network.params.maturity;
	return RC_OK;
}

/* "TXID:N" */
static bool parse_outpoint(const char *text, struct rc_outpoint *ret)
{
	char txid[RC_ID_HEX], *end;
	unsigned long index;

	if (strlen(text) < RC_ID_HEX + 1 || text[RC_ID_HEX - 1] != ':')
		return false;
	memcpy(txid, text, RC_ID_HEX - 1);
	txid[RC_ID_HEX - 1] = '\0';
	text += RC_ID_HEX;
	if (*text < '0' || *text > '9')
		return false;
	index = strtoul(text, &end, 10);
	ret->index = (uint32_t)index;
	return !*end && index <= UINT32_MAX && rc_txid_from_hex(txid, &ret->txid);
}

/* Moves the coin of this name behind the `kept` coins named before it. */
static int keep_coin(struct sending *s, const char *name, size_t kept, struct rc_error *error)
{
	struct wallet_coin *coins = s->coins.coins, named;
	struct rc_outpoint at;
	size_t i = kept;

	if (!parse_outpoint(name, &at))
		return rc_error_set(error, RC_EINVAL, "'%s' is no coin: TXID:N", name);
	while (i < s->coins.n && !rc_outpoint_eq(&coins[i].at, &at))
		i++;
	if (i == s->coins.n)
		return rc_error_set(error, RC_ENOENT,
				    "coin %s is not this wallet's, is spent, or was named twice",
				    name);
	if (!wallet_coin_mature(&coins[i], &s->order))
		return rc_error_set(error, RC_EINVAL, "coin %s was mined too recently", name);
	named = coins[i];
	coins[i] = coins[kept];
	coins[kept] = named;
	return RC_OK;
}

/* Keeps only the coins named by --coin, if any are. */
static int keep_named(struct sending *s, struct rc_error *error)
{
	const struct wallet_options *o = s->options;

	for (unsigned k = 0; k < o->n_coins; k++) {
		int err = keep_coin(s, o->coins[k], k, error);

		if (err < 0)
			return err;
	}
	if (o->n_coins) {
		s->coins.n = o->n_coins;
		s->order.named = true;
	}
	return RC_OK;
}

static int check_fee(const struct sending *s, struct rc_error *error)
{
	char fee[RC_AMOUNT_TEXT], max[RC_AMOUNT_TEXT];

	if (s->choice.fee <= s->options->max_fee)
		return RC_OK;
	return rc_error_set(error, RC_ERANGE,
			    "the fee would be %s RUST, more than %s (--max-fee): nothing was sent",
			    rc_amount_format(fee, s->choice.fee),
			    rc_amount_format(max, s->options->max_fee));
}

/* The address for the change: the next one of its chain. It is used up only by sending. */
static int take_change_address(struct sending *s, struct rc_error *error)
{
	uint32_t *next = &s->wallet->secrets->data.next[WALLET_CHANGE];

	if (!s->choice.change)
		return RC_OK;
	do {
		if (*next == RC_BIP32_HARDENED - 1)
			return rc_error_set(error, RC_ERANGE, "no change address is left");
	} while (!wallet_address(s->wallet, WALLET_CHANGE, (*next)++, &s->change));
	return RC_OK;
}

/* Smaller amount first, then by lock: the place tells nobody which output is change. */
static bool swapped(const struct rc_tx_out *a, const struct rc_tx_out *b)
{
	if (a->amount != b->amount)
		return a->amount > b->amount;
	return memcmp(a->lock.data, b->lock.data, RC_LOCK_KEY_SIZE) > 0;
}

static int make_transaction(struct sending *s, struct rc_error *error)
{
	size_t n = s->choice.n;
	struct payment_input *inputs = rc_alloc_array(n, sizeof(*inputs));
	uint8_t(*secrets)[32] = secret_alloc(n * sizeof(*secrets));
	uint8_t to_lock[RC_LOCK_KEY_SIZE], change_lock[RC_LOCK_KEY_SIZE];
	struct rc_tx_out outputs[2], first;
	uint32_t n_outputs = s->choice.change ? 2 : 1;
	int err;

	for (size_t i = 0; i < n; i++) {
		const struct wallet_coin *coin = &s->coins.coins[s->choice.picked[i]];
		uint8_t key[32], lock[RC_LOCK_KEY_SIZE];
		struct rc_lock view = {lock, RC_LOCK_KEY_SIZE, RC_LOCK_KEY};

		wallet_keys_output(&s->wallet->secrets->keys, coin->chain, coin->index, key,
				   secrets[i]);
		rc_lock_key_encode(key, lock);
		rc_coin_init(&inputs[i].coin, coin->amount, coin->height, coin->coinbase, &view);
		inputs[i].prevout = coin->at;
		inputs[i].sequence = RC_SEQUENCE_FINAL;
		inputs[i].secret = secrets[i];
		inputs[i].type = RC_HASH_ALL;
	}
	rc_lock_key_encode(s->to, to_lock);
	rc_lock_key_encode(s->change.output_key, change_lock);
	outputs[0] = (struct rc_tx_out){s->choice.paid, {to_lock, RC_LOCK_KEY_SIZE, RC_LOCK_KEY}};
	outputs[1] =
		(struct rc_tx_out){s->choice.change, {change_lock, RC_LOCK_KEY_SIZE, RC_LOCK_KEY}};
	if (n_outputs == 2 && swapped(&outputs[0], &outputs[1])) {
		first = outputs[0];
		outputs[0] = outputs[1];
		outputs[1] = first;
	}
	err = payment_build(&s->wallet->network.id, inputs, (uint32_t)n, outputs, n_outputs,
			    s->wallet->random, &s->raw, &s->txid, error);
	secret_free(secrets, n * sizeof(*secrets));
	free(inputs);
	return err;
}

static json_t *report(const struct sending *s)
{
	RC_AUTOFREE char *hex = rc_alloc(2 * s->raw.len + 1);
	char txid[RC_ID_HEX];
	json_t *result = json_pack("{s:s,s:b,s:I,s:I}", "txid", rc_txid_hex(txid, &s->txid), "sent",
				   !s->options->dry_run, "inputs", (json_int_t)s->choice.n, "size",
				   (json_int_t)s->raw.len);

	command_put_amount(result, "amount", s->choice.paid);
	command_put_amount(result, "fee", s->choice.fee);
	command_put_amount(result, "change", s->choice.change);
	if (s->options->dry_run)
		json_object_set_new(result, "hex",
				    json_string(rc_hex_encode(hex, s->raw.data, s->raw.len)));
	return result;
}

static int pay(struct sending *s, char **args, struct rc_error *error)
{
	int err = parse_order(s, args[0], args[1], error);

	if (err == RC_OK)
		err = command_scan(s->options, s->wallet, &s->node, &s->coins, error);
	s->order.tip = s->node.tip;
	if (err == RC_OK)
		err = keep_named(s, error);
	if (err == RC_OK)
		err = wallet_choose(s->coins.coins, s->coins.n, &s->order, &s->choice, error);
	if (err == RC_OK)
		err = check_fee(s, error);
	if (err == RC_OK)
		err = take_change_address(s, error);
	if (err == RC_OK)
		err = make_transaction(s, error);
	if (err < 0 || s->options->dry_run)
		return err;
	/* Saved before it is sent: a change address is never used twice. */
	err = wallet_save(s->wallet, error);
	if (err == RC_OK)
		err = node_send(&s->node, (struct rc_bytes){s->raw.data, s->raw.len}, &s->txid,
				error);
	return err;
}

int cmd_send(const struct wallet_options *o, char **args, int n, json_t **ret,
	     struct rc_error *error)
{
	struct sending s = {.options = o};
	int err = command_open(o, &s.wallet, error);

	(void)n;
	if (err < 0)
		return err;
	err = pay(&s, args, error);
	if (err == RC_OK)
		*ret = report(&s);
	free(s.choice.picked);
	rc_buf_done(&s.raw);
	node_coins_done(&s.coins);
	node_close(&s.node);
	wallet_close(s.wallet);
	return err;
}
