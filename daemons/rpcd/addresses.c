/*~ What somebody has, without an index: utxod walks the part of the tree below a lock's hash, and
 * the pool adds what it makes and spends. Both must speak of one tip, else they are asked again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/num.h"
#include "daemons/rpcd/backends.h"
#include "daemons/rpcd/heavy.h"
#include "daemons/rpcd/methods.h"
#include "daemons/rpcd/show.h"
#include "types/address.h"

#define PAGE_COINS 10000u
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

/* What getaddressbalance adds up, coin by coin. */
struct sums {
	rc_amount balance, immature, received, spent, available;
	uint64_t coins; /* of the state */
};

struct query {
	struct owner *owners;
	size_t n_owners, at_owner;
	bool listing; /* the coins are wanted, else their sums */
	struct owned_coin *coins;
	size_t n_coins, cap;
	size_t n_state; /* of them, those of the state */
	size_t limit;	/* of n_state; 0: all */
	struct sums sums;
	/* This is a page after another: it goes on here, and holds for the other's block. */
	bool is_later;
	bool in_owner; /* after an outpoint of its first owner */
	struct rc_outpoint after;
	struct rc_buf next; /* what the page after this one is asked for by; empty: none */
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
	rc_buf_done(&q->next);
	free(q);
}

static bool is_mature(const struct rpc_call *call, const struct query *q,
		      const struct owned_coin *c)
{
	/* For the next block: tip + 1 − c ≥ maturity (20-consensus, "Locks in time"). */
	return !c->coin.coinbase ||
	       q->anchor.height + 1 - c->coin.height >= call_network(call)->params.maturity;
}

static void add_to_sums(const struct rpc_call *call, struct query *q, const struct owned_coin *c)
{
	struct sums *s = &q->sums;
	rc_amount amount = c->coin.amount;

	if (c->in_pool) {
		s->received += c->spent ? 0 : amount;
		s->available += c->spent ? 0 : amount;
		return;
	}
	s->coins++;
	s->balance += amount;
	if (c->spent)
		s->spent += amount;
	else if (!is_mature(call, q, c))
		s->immature += amount;
	else
		s->available += amount;
}

static void add_coin(const struct rpc_call *call, struct query *q, const struct owned_coin *coin)
{
	if (!q->listing) {
		add_to_sums(call, q, coin);
		return;
	}
	if (q->n_coins == q->cap) {
		q->cap = q->cap ? 2 * q->cap : 64;
		q->coins = rc_realloc_array(q->coins, q->cap, sizeof(*q->coins));
	}
	q->coins[q->n_coins] = *coin;
	q->coins[q->n_coins++].owner = (uint32_t)q->at_owner;
	q->n_state += !coin->in_pool;
}

static void ask_pool(struct rpc_call *call);
static void ask_first_coins(struct rpc_call *call);
static void ask_coins(struct rpc_call *call, const struct rc_outpoint *after);

/* The tip moved between two questions: from the start. A later page can't: it would be of another
 * block than those before it. */
static void begin_again(struct rpc_call *call)
{
	struct query *q = call->state;

	if (q->is_later) {
		rpc_call_fail(call, RPC_ANCHOR_GONE,
			      "the tip moved since the page before: begin again without \"after\"");
		return;
	}
	if (++q->attempts > ATTEMPTS_MAX) {
		rpc_call_fail_retry(call, RPC_OVERLOADED, 1000,
				    json_pack("{s:i}", "retry_ms", 1000),
				    "the tip moves faster than this can be answered: try again");
		return;
	}
	q->n_coins = q->n_state = q->at_owner = 0;
	q->sums = (struct sums){0};
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

/*
 * Where the next page goes on, as text: BLOCK:OWNER, or BLOCK:OWNER:TXID:VOUT after that coin of
 * it. For callers it is opaque.
 */
static void end_page(struct query *q, const struct rc_outpoint *after)
{
	char text[65];

	rc_hex_encode_reversed(text, q->anchor.id.b, 32);
	rc_buf_printf(&q->next, "%s:%zu", text, q->at_owner);
	if (after) {
		rc_hex_encode_reversed(text, after->txid.b, 32);
		rc_buf_printf(&q->next, ":%s:%u", text, after->index);
	}
}

static bool page_is_full(const struct query *q)
{
	return q->limit && q->n_state >= q->limit;
}

static void next_owner(struct rpc_call *call)
{
	struct query *q = call->state;

	q->at_owner++;
	q->in_owner = false;
	if (q->at_owner < q->n_owners && !page_is_full(q)) {
		ask_pool(call);
		return;
	}
	if (q->at_owner < q->n_owners)
		end_page(q, NULL);
	q->answer(call, q);
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
	if (q->n_state + list->n > ADDRESS_COINS_MAX) {
		rpc_call_fail(call, RPC_BAD_PARAMETER,
			      "%s: more than %u coins: ask for them in pages, by \"limit\"",
			      call->method->name, ADDRESS_COINS_MAX);
		return;
	}
	for (size_t i = 0; i < list->n; i++) {
		struct owned_coin c = {
			.outpoint = list->coins[i].outpoint,
			.coin = list->coins[i].coin,
			.spent = pool_spends(q, &list->coins[i].outpoint),
		};

		add_coin(call, q, &c);
	}
	if (!list->more || !list->n) {
		next_owner(call);
	} else if (!page_is_full(q)) {
		ask_coins(call, &list->coins[list->n - 1].outpoint);
	} else {
		end_page(q, &list->coins[list->n - 1].outpoint);
		q->answer(call, q);
	}
}

static void ask_coins(struct rpc_call *call, const struct rc_outpoint *after)
{
	struct query *q = call->state;
	size_t most = q->limit ? q->limit - q->n_state : PAGE_COINS;

	rc_utxod_list_coins(call_utxod(call), q->pinned ? &q->anchor.id : NULL,
			    &q->owners[q->at_owner].lock_hash, after,
			    (uint32_t)rc_min_u64(most, PAGE_COINS), call_deadline(call), on_coins,
			    call_wait(call, BACKEND_UTXOD_READ));
}

static void ask_first_coins(struct rpc_call *call)
{
	const struct query *q = call->state;

	ask_coins(call, q->in_owner ? &q->after : NULL);
}

/* made: outpoint 36, u8 flags, u8 length, value; again and again. */
static bool take_pool_coins(const struct rpc_call *call, struct query *q, struct rc_bytes made)
{
	struct rc_reader r = rc_reader_of(made.data, made.len);

	while (rc_reader_left(&r) && !r.failed) {
		struct owned_coin c = {.in_pool = true};
		const uint8_t *value;
		uint8_t flags, len;

		rc_read_into(&r, c.outpoint.txid.b, 32);
		c.outpoint.index = rc_read_le32(&r);
		flags = rc_read_u8(&r);
		len = rc_read_u8(&r);
		value = rc_read_bytes(&r, len);
		if (!value)
			return false;
		c.spent = flags & POOL_SPENT;
		if (!rc_coin_value_decode(value, len, &c.coin))
			return false;
		add_coin(call, q, &c);
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
	/* What the pool makes for an owner stands before what he has: it was in an earlier page. */
	if (!q->in_owner && !take_pool_coins(call, q, pool->made)) {
		rpc_call_fail(call, RPC_INTERNAL_ERROR, "chaind sent a coin that can't be read");
		return;
	}
	if (q->n_coins - q->n_state > ADDRESS_COINS_MAX) {
		rpc_call_fail(call, RPC_BAD_PARAMETER,
			      "%s: more than %u coins of the pool: ask for fewer addresses at once",
			      call->method->name, ADDRESS_COINS_MAX);
		return;
	}
	ask_first_coins(call);
}

static void ask_pool(struct rpc_call *call)
{
	struct query *q = call->state;

	if (!q->mempool) {
		ask_first_coins(call);
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

/* A number of at most 32 bits, without sign or room before it, up to end or the text's end. */
static bool take_number(const char **text, char end, uint32_t *ret)
{
	char *at;
	unsigned long long value;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	value = strtoull(*text, &at, 10);
	if (errno || value > UINT32_MAX || (*at && *at != end))
		return false;
	*text = at;
	*ret = (uint32_t)value;
	return true;
}

static bool take_id(const char **text, uint8_t ret[32])
{
	char hex[65] = "";

	if (strlen(*text) < 64)
		return false;
	memcpy(hex, *text, 64);
	if (!rc_hex_decode_reversed(hex, ret, 32))
		return false;
	*text += 64;
	return true;
}

/* What end_page has said; false: it is something else. */
static bool take_after(struct query *q, const char *text)
{
	uint32_t owner;

	if (!take_id(&text, q->anchor.id.b) || *text++ != ':' || !take_number(&text, ':', &owner) ||
	    owner >= q->n_owners)
		return false;
	q->is_later = q->pinned = true;
	q->at_owner = owner;
	q->in_owner = *text == ':';
	if (!q->in_owner)
		return true;
	text++;
	return take_id(&text, q->after.txid.b) && *text++ == ':' &&
	       take_number(&text, '\0', &q->after.index) && !*text;
}

static bool take_page(struct rpc_call *call, struct query *q, const struct rpc_arg *fields)
{
	q->limit = fields[ADDRESS_LIMIT].given ? (size_t)fields[ADDRESS_LIMIT].i : 0;
	if (!fields[ADDRESS_AFTER].given || take_after(q, fields[ADDRESS_AFTER].text))
		return true;
	rpc_call_fail(call, RPC_BAD_PARAMETER,
		      "\"after\" must be next of an answer for the same addresses");
	return false;
}

static void begin(struct rpc_call *call, bool listing,
		  void (*answer)(struct rpc_call *call, const struct query *q))
{
	const struct rpc_arg *fields = call->args[0].fields;
	const struct rpc_arg *addresses = &fields[ADDRESS_ADDRESSES];
	const struct rpc_arg *hashes = &fields[ADDRESS_LOCKHASHES];
	struct query *q;

	if (!heavy_enter(call, listing ? HEAVY_COINS : HEAVY_BALANCE))
		return;
	q = rc_alloc(sizeof(*q));
	rpc_call_set_state(call, q, query_free);
	q->answer = answer;
	q->listing = listing;
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
	if (listing && !take_page(call, q, fields))
		return;
	ask_pool(call);
}

/* ---- answers ---- */

static void answer_balance(struct rpc_call *call, const struct query *q)
{
	const struct sums *s = &q->sums;
	struct json_out *out = &call->out;

	out_object(out, NULL);
	out_amount(out, "balance", s->balance);
	out_amount(out, "immature", s->immature);
	out_amount(out, "pool_received", s->received);
	out_amount(out, "pool_spent", s->spent);
	out_amount(out, "available", s->available);
	out_uint(out, "coins", s->coins);
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
	if (q->next.len)
		out_textf(out, "next", "%.*s", (int)q->next.len, (const char *)q->next.data);
	show_anchor(out, q->anchor.height, &q->anchor.id);
	out_object_end(out);
	rpc_call_done(call);
}

void on_getaddressbalance(struct rpc_call *call)
{
	begin(call, false, answer_balance);
}

void on_getaddressutxos(struct rpc_call *call)
{
	begin(call, true, answer_coins);
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
