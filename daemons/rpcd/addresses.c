/*~ What somebody has, without an index: utxod walks the part of the tree below a lock's hash, and
 * the pool adds what it makes and spends. Both must speak of one tip, else they are asked again. */
#include <stdlib.h>
#include <string.h>

#include "daemons/rpcd/backends.h"
#include "daemons/rpcd/methods.h"
#include "daemons/rpcd/show.h"
#include "types/address.h"

#define PAGE_COINS 10000u
/* Coins of one question: some 120 bytes each here, 400 in the answer. */
#define COINS_MAX 200000u
/* A busy tip may move between two questions; more often than this is somebody's fault. */
#define ATTEMPTS_MAX 20
#define POOL_SPENT   2

struct owned_coin {
	struct rc_outpoint outpoint;
	struct rc_coin coin;
	uint32_t owner; /* which lock */
	bool in_pool;	/* made by the pool */
	bool spent;	/* by the pool */
};

struct owner {
	struct rc_hash lock_hash;
	const char *address; /* NULL: named by its hash */
};

struct query {
	struct owner *owners;
	size_t n_owners, at_owner;
	struct owned_coin *coins;
	size_t n_coins, cap;
	size_t owner_from; /* first coin of the owner that is being asked for */
	bool mempool;
	bool pinned; /* anchor is set: all must hold for it */
	struct rc_block_place anchor;
	struct rc_block_ref pool_tip;
	uint8_t *pool_spent; /* outpoints of the state that the pool spends */
	size_t n_pool_spent;
	int attempts;
	void (*answer)(struct rpc_call *call, const struct query *q);
};

static void query_free(void *state)
{
	struct query *q = state;

	free(q->owners);
	free(q->coins);
	free(q->pool_spent);
	free(q);
}

static struct owned_coin *add_coin(struct query *q)
{
	if (q->n_coins == q->cap) {
		q->cap = q->cap ? 2 * q->cap : 64;
		q->coins = rc_realloc_array(q->coins, q->cap, sizeof(*q->coins));
	}
	memset(&q->coins[q->n_coins], 0, sizeof(*q->coins));
	q->coins[q->n_coins].owner = (uint32_t)q->at_owner;
	return &q->coins[q->n_coins++];
}

static void ask_pool(struct rpc_call *call);
static void ask_coins(struct rpc_call *call, const struct rc_outpoint *after);

/* The tip moved between two questions: from the start. */
static void begin_again(struct rpc_call *call)
{
	struct query *q = call->state;

	if (++q->attempts > ATTEMPTS_MAX) {
		rpc_call_fail_retry(call, RPC_OVERLOADED, 1000,
				    json_pack("{s:i}", "retry_ms", 1000),
				    "the tip moves faster than this can be answered: try again");
		return;
	}
	q->n_coins = q->at_owner = q->owner_from = 0;
	q->pinned = false;
	ask_pool(call);
}

static int by_outpoint(const void *a, const void *b)
{
	return memcmp(a, b, RC_OUTPOINT_SIZE);
}

static bool pool_spends(const struct query *q, const struct rc_outpoint *outpoint)
{
	uint8_t raw[RC_OUTPOINT_SIZE];

	memcpy(raw, outpoint->txid.b, 32);
	rc_put_le32(raw + 32, outpoint->index);
	return q->n_pool_spent &&
	       bsearch(raw, q->pool_spent, q->n_pool_spent, RC_OUTPOINT_SIZE, by_outpoint);
}

static void next_owner(struct rpc_call *call)
{
	struct query *q = call->state;

	q->at_owner++;
	q->owner_from = q->n_coins;
	if (q->at_owner == q->n_owners)
		q->answer(call, q);
	else
		ask_pool(call);
}

static void on_coins(void *arg, const struct rc_reply *why, const struct rc_utxod_coin_list *list)
{
	struct rpc_call *call = call_resume_any(arg, why);
	struct query *q;

	if (!call)
		return;
	q = call->state;
	if (why->err == RC_ENOENT) { /* the block that was pinned isn't kept any more */
		begin_again(call);
		return;
	}
	if (why->err) {
		call_fail_reply(call, why);
		return;
	}
	if (q->mempool && !rc_block_id_eq(&q->pool_tip.id, &list->at.id)) {
		begin_again(call);
		return;
	}
	q->anchor = list->at;
	q->pinned = true;
	if (q->n_coins + list->n > COINS_MAX) {
		rpc_call_fail(call, RPC_BAD_PARAMETER,
			      "%s: more than %u coins: ask for fewer addresses", call->method->name,
			      COINS_MAX);
		return;
	}
	for (size_t i = 0; i < list->n; i++) {
		struct owned_coin *c = add_coin(q);

		c->outpoint = list->coins[i].outpoint;
		c->coin = list->coins[i].coin;
		c->spent = pool_spends(q, &c->outpoint);
	}
	if (list->more && list->n)
		ask_coins(call, &list->coins[list->n - 1].outpoint);
	else
		next_owner(call);
}

static void ask_coins(struct rpc_call *call, const struct rc_outpoint *after)
{
	struct query *q = call->state;

	rc_utxod_list_coins(call_utxod(call), q->pinned ? &q->anchor.id : NULL,
			    &q->owners[q->at_owner].lock_hash, after, PAGE_COINS,
			    call_deadline(call), on_coins, call_wait(call, BACKEND_UTXOD_READ));
}

/* made: outpoint 36, u8 flags, u8 length, value; again and again. */
static bool take_pool_coins(struct query *q, struct rc_bytes made)
{
	struct rc_reader r = rc_reader_of(made.data, made.len);

	while (rc_reader_left(&r) && !r.failed) {
		struct rc_outpoint outpoint;
		struct owned_coin *c;
		const uint8_t *value;
		uint8_t flags, len;

		rc_read_into(&r, outpoint.txid.b, 32);
		outpoint.index = rc_read_le32(&r);
		flags = rc_read_u8(&r);
		len = rc_read_u8(&r);
		value = rc_read_bytes(&r, len);
		if (!value)
			return false;
		c = add_coin(q);
		c->outpoint = outpoint;
		c->in_pool = true;
		c->spent = flags & POOL_SPENT;
		if (!rc_coin_value_decode(value, len, &c->coin))
			return false;
	}
	return !r.failed;
}

static void on_pool(void *arg, const struct rc_reply *why, const struct rc_pool_answer *pool)
{
	struct rpc_call *call = call_resume(arg, why);
	struct query *q;

	if (!call)
		return;
	q = call->state;
	if (q->pinned && !rc_block_id_eq(&q->anchor.id, &pool->tip.id)) {
		begin_again(call);
		return;
	}
	q->pool_tip = pool->tip;
	free(q->pool_spent);
	q->n_pool_spent = pool->spent.len / RC_OUTPOINT_SIZE;
	q->pool_spent = rc_memdup(pool->spent.data, q->n_pool_spent * RC_OUTPOINT_SIZE);
	qsort(q->pool_spent, q->n_pool_spent, RC_OUTPOINT_SIZE, by_outpoint);
	if (!take_pool_coins(q, pool->made)) {
		rpc_call_fail(call, RPC_INTERNAL_ERROR, "chaind sent a coin that can't be read");
		return;
	}
	ask_coins(call, NULL);
}

static void ask_pool(struct rpc_call *call)
{
	struct query *q = call->state;

	if (!q->mempool) {
		ask_coins(call, NULL);
		return;
	}
	rc_chaind_pool_lock(call_chaind(call), &q->owners[q->at_owner].lock_hash,
			    call_deadline(call), on_pool, call_wait(call, BACKEND_CHAIND_READ));
}

/* ---- whose ---- */

static bool take_addresses(struct rpc_call *call, struct query *q, const struct rpc_arg *list)
{
	uint8_t key[32], lock[RC_LOCK_KEY_SIZE];
	struct rc_error error;

	for (size_t i = 0; i < list->len; i++) {
		const char *text = json_string_value(json_array_get(list->json, i));
		struct owner *owner = &q->owners[q->n_owners++];

		if (rc_address_decode(text, call_network(call)->params.hrp, key, &error) < 0) {
			rpc_call_fail(call, RPC_NOT_FOUND, "Invalid address %.100s: %s", text,
				      error.text);
			return false;
		}
		rc_lock_key_encode(key, lock);
		rc_lock_hash(lock, sizeof(lock), &owner->lock_hash);
		owner->address = text;
	}
	return true;
}

static bool take_hashes(struct rpc_call *call, struct query *q, const struct rpc_arg *list)
{
	for (size_t i = 0; i < list->len; i++) {
		const char *text = json_string_value(json_array_get(list->json, i));

		if (!rc_hash_from_hex(text, &q->owners[q->n_owners++].lock_hash)) {
			rpc_call_fail(call, RPC_BAD_PARAMETER,
				      "\"lockhashes\" item %zu must be 64 hexadecimal digits", i);
			return false;
		}
	}
	return true;
}

/* Two names of one owner would count its coins twice. */
static bool owners_differ(struct rpc_call *call, const struct query *q)
{
	for (size_t i = 1; i < q->n_owners; i++)
		for (size_t j = 0; j < i; j++)
			if (rc_hash_eq(&q->owners[i].lock_hash, &q->owners[j].lock_hash)) {
				rpc_call_fail(call, RPC_BAD_PARAMETER,
					      "%s: one address is given twice", call->method->name);
				return false;
			}
	return true;
}

static void begin(struct rpc_call *call,
		  void (*answer)(struct rpc_call *call, const struct query *q))
{
	const struct rpc_arg *fields = call->args[0].fields;
	const struct rpc_arg *addresses = &fields[ADDRESS_ADDRESSES];
	const struct rpc_arg *hashes = &fields[ADDRESS_LOCKHASHES];
	struct query *q = rc_alloc(sizeof(*q));

	rpc_call_set_state(call, q, query_free);
	q->answer = answer;
	q->mempool = fields[ADDRESS_MEMPOOL].b;
	q->owners = rc_alloc_array(addresses->len + hashes->len, sizeof(*q->owners));
	if (!take_addresses(call, q, addresses) || !take_hashes(call, q, hashes) ||
	    !owners_differ(call, q))
		return;
	if (!q->n_owners) {
		rpc_call_fail(call, RPC_INVALID_PARAMS,
			      "%s: \"addresses\" or \"lockhashes\" must name somebody",
			      call->method->name);
		return;
	}
	ask_pool(call);
}

/* ---- answers ---- */

static bool is_mature(const struct rpc_call *call, const struct query *q,
		      const struct owned_coin *c)
{
	/* For the next block: tip + 1 − c ≥ maturity (20-consensus, "Locks in time"). */
	return !c->coin.coinbase ||
	       q->anchor.height + 1 - c->coin.height >= call_network(call)->params.maturity;
}

static void answer_balance(struct rpc_call *call, const struct query *q)
{
	rc_amount balance = 0, immature = 0, received = 0, spent = 0, available = 0;
	struct json_out *out = &call->out;
	size_t in_state = 0;

	for (size_t i = 0; i < q->n_coins; i++) {
		const struct owned_coin *c = &q->coins[i];
		rc_amount amount = c->coin.amount;

		if (c->in_pool) {
			received += c->spent ? 0 : amount;
			available += c->spent ? 0 : amount;
			continue;
		}
		in_state++;
		balance += amount;
		if (c->spent)
			spent += amount;
		else if (!is_mature(call, q, c))
			immature += amount;
		else
			available += amount;
	}
	out_object(out, NULL);
	out_amount(out, "balance", balance);
	out_amount(out, "immature", immature);
	out_amount(out, "pool_received", received);
	out_amount(out, "pool_spent", spent);
	out_amount(out, "available", available);
	out_uint(out, "coins", in_state);
	show_anchor(out, q->anchor.height, &q->anchor.id);
	out_object_end(out);
	rpc_call_done(call);
}

static void answer_coins(struct rpc_call *call, const struct query *q)
{
	struct json_out *out = &call->out;

	out_object(out, NULL);
	out_array(out, "utxos");
	for (size_t i = 0; i < q->n_coins; i++) {
		const struct owned_coin *c = &q->coins[i];
		const struct owner *owner = &q->owners[c->owner];

		out_object(out, NULL);
		out_id(out, "txid", c->outpoint.txid.b);
		out_uint(out, "vout", c->outpoint.index);
		if (owner->address)
			out_text(out, "address", owner->address);
		out_hex(out, "lockhash", owner->lock_hash.b, 32);
		out_hex(out, "lock", c->coin.lock, c->coin.lock_len);
		out_amount(out, "value", c->coin.amount);
		out_uint(out, "height", c->in_pool ? 0 : c->coin.height);
		out_uint(out, "confirmations",
			 c->in_pool ? 0 : q->anchor.height - c->coin.height + 1);
		out_bool(out, "coinbase", c->coin.coinbase);
		out_bool(out, "mature", is_mature(call, q, c));
		out_bool(out, "spent", c->spent);
		out_object_end(out);
	}
	out_array_end(out);
	show_anchor(out, q->anchor.height, &q->anchor.id);
	out_object_end(out);
	rpc_call_done(call);
}

void on_getaddressbalance(struct rpc_call *call)
{
	begin(call, answer_balance);
}

void on_getaddressutxos(struct rpc_call *call)
{
	begin(call, answer_coins);
}

void on_validateaddress(struct rpc_call *call)
{
	uint8_t key[32], lock[RC_LOCK_KEY_SIZE];
	struct json_out *out = &call->out;
	struct rc_error error;
	struct rc_hash hash;
	bool good = rc_address_decode(call->args[0].text, call_network(call)->params.hrp, key,
				      &error) == RC_OK;

	out_object(out, NULL);
	out_bool(out, "isvalid", good);
	if (good) {
		rc_lock_key_encode(key, lock);
		rc_lock_hash(lock, sizeof(lock), &hash);
		out_text(out, "address", call->args[0].text);
		out_hex(out, "outputkey", key, sizeof(key));
		out_hex(out, "lock", lock, sizeof(lock));
		out_hex(out, "lockhash", hash.b, 32);
	} else {
		out_text(out, "error", error.text);
	}
	out_object_end(out);
	rpc_call_done(call);
}
