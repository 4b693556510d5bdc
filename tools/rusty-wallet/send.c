/*
 * The command that pays: coins chosen, transaction made, kept, sent, told. Whatever becomes of the
 * node or of this process on the way, the same command again pays once: while a payment is kept
 * (pending.h), its own command sends the same bytes again, and no other payment is made.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "crypto/schnorr.h"
#include "tools/rusty-wallet/commands.h"
#include "tools/rusty-wallet/payment.h"
#include "tools/rusty-wallet/pending.h"
#include "tools/rusty-wallet/secret.h"

struct sending {
	const struct wallet_options *options;
	struct wallet *wallet;
	struct node node;
	struct node_coins coins;
	struct wallet_order order;
	struct wallet_choice choice;
	const char *id; /* --id, or NULL */
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
	if (o->id && !pending_good_id(o->id))
		return rc_error_set(error, RC_EINVAL,
				    "--id is a text of 1 to %d bytes in UTF-8, without control "
				    "characters",
				    PENDING_ID_MAX);
	s->id = o->id;
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

static int parse_named(const struct wallet_options *o, struct rc_outpoint *named,
		       struct rc_error *error)
{
	for (unsigned k = 0; k < o->n_coins; k++) {
		if (!parse_outpoint(o->coins[k], &named[k]))
			return rc_error_set(error, RC_EINVAL, "'%s' is no coin: TXID:N",
					    o->coins[k]);
		for (unsigned i = 0; i < k; i++)
			if (rc_outpoint_eq(&named[i], &named[k]))
				return rc_error_set(error, RC_EINVAL, "coin %s was named twice",
						    o->coins[k]);
	}
	return RC_OK;
}

/* Only the coins named by --coin: however many others there are, nobody asks for them. */
static int list_named(struct sending *s, struct rc_error *error)
{
	const struct wallet_options *o = s->options;
	struct rc_outpoint named[COINS_NAMED_MAX];
	bool moved;
	int err = parse_named(o, named, error);

	if (err == RC_OK)
		err = wallet_find(s->wallet, &s->node, o->gap, named, o->n_coins, &s->coins, &moved,
				  error);
	for (unsigned k = 0; k < o->n_coins && err == RC_OK; k++)
		if (!wallet_coin_mature(&s->coins.coins[k], &s->order))
			err = rc_error_set(error, RC_EINVAL, "coin %s was mined too recently",
					   o->coins[k]);
	s->order.named = true;
	return err;
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

/* ---- a payment that is kept ---- */

/* What makes two commands the same payment: to whom, how much, and what the caller calls it. Fee
 * and coins don't count: who asks again with another fee still wants to pay once. */
static json_t *order_of(const struct sending *s)
{
	char amount[24] = "all", address[RC_ADDRESS_SIZE];
	json_t *order;

	if (!s->order.all)
		snprintf(amount, sizeof(amount), "%llu", (unsigned long long)s->order.amount);
	rc_address_encode(s->wallet->network.params.hrp, s->to, address);
	order = json_pack("{s:s,s:s,s:b}", "address", address, "amount", amount, "subtract_fee",
			  s->order.subtract_fee);
	if (s->id)
		json_object_set_new(order, "id", json_string(s->id));
	return order;
}

static int unsettled(struct rc_error *error)
{
	if (error)
		error->code = WALLET_EUNSETTLED;
	return WALLET_EUNSETTLED;
}

/* Sends the kept transaction again. After RC_OK it is settled, and may be told and forgotten. */
static int settle(const struct wallet_options *o, const struct wallet *wallet,
		  const struct pending *p, struct rc_error *error)
{
	char txid[RC_ID_HEX];
	struct node node = {0};
	enum node_sent sent = NODE_UNASKED;
	int err = command_connect(o, wallet, &node, error);

	if (err == RC_OK)
		err = node_send(&node, (struct rc_bytes){p->raw.data, p->raw.len}, &p->txid, &sent,
				error);
	node_close(&node);
	if (err == RC_OK)
		return RC_OK;
	rc_txid_hex(txid, &p->txid);
	/* That this node refuses it now doesn't say that nobody took it when it was first sent. */
	if (sent == NODE_REFUSED)
		rc_error_prefix(error,
				"payment %s, which may have been sent before, is kept, but was "
				"not taken this time; 'rusty-wallet pending drop' gives it up",
				txid);
	else
		rc_error_prefix(error,
				"payment %s may have been sent before and is kept; it is not known "
				"yet whether it is made, so nothing else was paid",
				txid);
	return unsettled(error);
}

/* Tells the result of a settled payment, then forgets the payment: the other way round, who was not
 * told would pay again. */
static int tell(const struct wallet_options *o, const struct wallet *wallet, json_t *result,
		struct rc_error *error)
{
	int err = command_print(o, result, error);

	if (err == RC_OK)
		err = pending_remove(wallet, error);
	if (err == RC_OK)
		return RC_OK;
	rc_error_prefix(error, "payment %s is made, and kept until that could be told",
			json_string_value(json_object_get(result, "txid")));
	return unsettled(error);
}

static int refuse_other(const struct pending *p, struct rc_error *error)
{
	const json_t *order = json_object_get(p->kept, "order");
	const json_t *report = json_object_get(p->kept, "report");
	const char *id = json_string_value(json_object_get(order, "id"));
	char when[PENDING_WHEN];

	rc_error_set(error, WALLET_EUNSETTLED,
		     "nothing was paid: payment %s of %s to %s%s%.40s%s is kept%s; its own command "
		     "again settles it, or 'rusty-wallet pending show|resend|drop'",
		     json_string_value(json_object_get(report, "txid")),
		     json_string_value(json_object_get(report, "amount")),
		     json_string_value(json_object_get(order, "address")), id ? " (--id " : "",
		     id ? id : "", id ? ")" : "", pending_when(p, when));
	return WALLET_EUNSETTLED;
}

/* The same order: its payment is told once more, and said to be no new one. */
static int tell_again(struct sending *s, const struct pending *p, struct rc_error *error)
{
	json_t *result = json_object_get(p->kept, "report");
	char when[PENDING_WHEN];

	fprintf(stderr,
		"rusty-wallet: no new payment: this command's earlier transaction %s%s is settled "
		"(another payment of the same needs another --id)\n",
		json_string_value(json_object_get(result, "txid")), pending_when(p, when));
	json_object_set_new(result, "again", json_true());
	pending_put_when(p, result);
	return tell(s->options, s->wallet, result, error);
}

/* Settles the payment that is kept, if there is one, for the order that it was made for; no other
 * order may pay meanwhile, or forget it: who gave that order would, when he asks again, pay again.
 * *ret_same: it was this order, and is told. */
static int settle_earlier(struct sending *s, bool *ret_same, struct rc_error *error)
{
	json_t *order = order_of(s);
	struct pending p;
	int err = pending_load(s->wallet, &p, error);

	if (err < 0)
		err = unsettled(error);
	*ret_same = p.kept && json_equal(json_object_get(p.kept, "order"), order);
	if (p.kept && !*ret_same)
		err = refuse_other(&p, error);
	if (*ret_same)
		err = settle(s->options, s->wallet, &p, error);
	if (*ret_same && err == RC_OK)
		err = tell_again(s, &p, error);
	json_decref(order);
	pending_done(&p);
	return err;
}

/* ---- a new payment ---- */

static int make_payment(struct sending *s, struct rc_error *error)
{
	int err = command_connect(s->options, s->wallet, &s->node, error);

	s->order.tip = s->node.tip;
	if (err == RC_OK)
		err = s->options->n_coins
			      ? list_named(s, error)
			      : command_scan(s->options, s->wallet, &s->node, &s->coins, error);
	if (err == RC_OK)
		err = wallet_choose(s->coins.coins, s->coins.n, &s->order, &s->choice, error);
	if (err == RC_OK)
		err = check_fee(s, error);
	if (err == RC_OK)
		err = take_change_address(s, error);
	if (err == RC_OK)
		err = make_transaction(s, error);
	return err;
}

/* The transaction goes to disk before it leaves, and stays there unless its fate is known. */
static int send_kept(struct sending *s, json_t *result, struct rc_error *error)
{
	struct rc_bytes raw = {s->raw.data, s->raw.len};
	json_t *order = order_of(s);
	enum node_sent sent = NODE_UNASKED;
	char txid[RC_ID_HEX];
	int err = pending_save(s->wallet, order, result, raw, rc_wall_ms(&rc_clock_system) / 1000,
			       error);

	json_decref(order);
	if (err == RC_OK)
		err = node_send(&s->node, raw, &s->txid, &sent, error);
	if (sent == NODE_TAKEN)
		return tell(s->options, s->wallet, result, error);
	/* Never sent, or refused by the only one who had it: no payment. */
	if (sent != NODE_UNSURE && pending_remove(s->wallet, NULL) == RC_OK)
		return err;
	rc_error_prefix(error,
			"transaction %s may have been sent and is kept: the same command again "
			"sends the same transaction, 'rusty-wallet pending' shows it",
			rc_txid_hex(txid, &s->txid));
	return unsettled(error);
}

static int pay(struct sending *s, char **args, json_t **ret, struct rc_error *error)
{
	int err = parse_order(s, args[0], args[1], error);
	bool same = false;
	json_t *result;

	if (err == RC_OK && !s->options->dry_run)
		err = settle_earlier(s, &same, error);
	if (err < 0 || same)
		return err;
	err = make_payment(s, error);
	if (err < 0)
		return err;
	result = report(s);
	if (s->options->dry_run) {
		*ret = result;
		return RC_OK;
	}
	/* Saved before it is sent: a change address is never used twice. */
	err = wallet_save(s->wallet, error);
	if (err == RC_OK)
		err = send_kept(s, result, error);
	json_decref(result);
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
	err = pay(&s, args, ret, error);
	free(s.choice.picked);
	rc_buf_done(&s.raw);
	node_coins_done(&s.coins);
	node_close(&s.node);
	wallet_close(s.wallet);
	return err;
}

/* ---- looking after it ---- */

static json_t *describe_pending(const struct pending *p)
{
	const json_t *order = json_object_get(p->kept, "order");
	json_t *result = json_deep_copy(json_object_get(p->kept, "report"));
	json_t *id = json_object_get(order, "id");

	json_object_del(result, "sent"); /* just that isn't known */
	json_object_set(result, "address", json_object_get(order, "address"));
	if (id)
		json_object_set(result, "id", id);
	pending_put_when(p, result);
	json_object_set_new(result, "coins", pending_coins(p));
	json_object_set(result, "hex", json_object_get(p->kept, "hex"));
	return result;
}

static int pending_show(const struct wallet_options *o, const struct wallet *wallet,
			const struct pending *p, json_t **ret, struct rc_error *error)
{
	(void)o, (void)wallet, (void)error;
	*ret = p->kept ? describe_pending(p) : json_pack("{s:b}", "pending", 0);
	return RC_OK;
}

/* It stays kept: whoever ordered it hasn't been told. */
static int pending_resend(const struct wallet_options *o, const struct wallet *wallet,
			  const struct pending *p, json_t **ret, struct rc_error *error)
{
	int err = settle(o, wallet, p, error);

	if (err < 0)
		return err;
	*ret = json_deep_copy(json_object_get(p->kept, "report"));
	json_object_set_new(*ret, "kept", json_true());
	return RC_OK;
}

static int pending_drop(const struct wallet_options *o, const struct wallet *wallet,
			const struct pending *p, json_t **ret, struct rc_error *error)
{
	int err = pending_remove(wallet, error);

	(void)o;
	if (err < 0)
		return err;
	*ret = json_pack("{s:O,s:o}", "dropped",
			 json_object_get(json_object_get(p->kept, "report"), "txid"), "coins",
			 pending_coins(p));
	return RC_OK;
}

int cmd_pending(const struct wallet_options *o, char **args, int n, json_t **ret,
		struct rc_error *error)
{
	static const struct {
		const char *name;
		int (*run)(const struct wallet_options *o, const struct wallet *wallet,
			   const struct pending *p, json_t **ret, struct rc_error *error);
	} verbs[] = {{"show", pending_show}, {"resend", pending_resend}, {"drop", pending_drop}};
	struct wallet *wallet;
	struct pending p = {0};
	size_t verb = 0;
	int err;

	while (n && verb < RC_ARRAY_LEN(verbs) && strcmp(args[0], verbs[verb].name) != 0)
		verb++;
	if (verb == RC_ARRAY_LEN(verbs))
		return rc_error_set(error, RC_EINVAL,
				    "pending takes 'show', 'resend' or 'drop', not '%s'", args[0]);
	err = command_open(o, &wallet, error);
	if (err < 0)
		return err;
	err = pending_load(wallet, &p, error);
	if (err == RC_OK && !p.kept && verb != 0)
		err = rc_error_set(error, RC_ENOENT, "no payment is pending");
	if (err == RC_OK)
		err = verbs[verb].run(o, wallet, &p, ret, error);
	pending_done(&p);
	wallet_close(wallet);
	return err;
}
