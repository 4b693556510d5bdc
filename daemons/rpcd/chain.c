/*~ The chain's methods. The first ones show the shape of all: ask, and go on in a callback. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/pow.h"
#include "daemons/rpcd/backends.h"
#include "daemons/rpcd/heavy.h"
#include "daemons/rpcd/known.h"
#include "daemons/rpcd/methods.h"
#include "daemons/rpcd/show.h"
#include "daemons/rpcd/tip.h"
#include "types/block.h"

#define WAIT_DEFAULT_MS 600000

static struct rc_block_id arg_block_id(const struct rpc_arg *arg)
{
	struct rc_block_id id;

	memcpy(id.b, arg->id, sizeof(id.b));
	return id;
}

/* ---- the tip: from memory where that is sure ---- */

static void answer_height(struct rpc_call *call, const struct rc_block_ref *tip)
{
	out_uint(&call->out, NULL, tip->height);
	rpc_call_done(call);
}

static void answer_id(struct rpc_call *call, const struct rc_block_ref *tip)
{
	out_id(&call->out, NULL, tip->id.b);
	rpc_call_done(call);
}

static void on_tip_height(void *arg, const struct rc_reply *why, const struct rc_block_ref *tip)
{
	struct rpc_call *call = call_resume(arg, why);

	if (call)
		answer_height(call, tip);
}

static void on_tip_id(void *arg, const struct rc_reply *why, const struct rc_block_ref *tip)
{
	struct rpc_call *call = call_resume(arg, why);

	if (call)
		answer_id(call, tip);
}

void on_getblockcount(struct rpc_call *call)
{
	const struct rc_block_ref *tip = tip_known(call_rpcd(call)->tip);

	if (tip)
		answer_height(call, tip);
	else
		rc_chaind_wait_tip(call_chaind(call), NULL, 0, 0, call_deadline(call),
				   on_tip_height, call_wait(call, BACKEND_CHAIND_READ));
}

void on_getbestblockhash(struct rpc_call *call)
{
	const struct rc_block_ref *tip = tip_known(call_rpcd(call)->tip);

	if (tip)
		answer_id(call, tip);
	else
		rc_chaind_wait_tip(call_chaind(call), NULL, 0, 0, call_deadline(call), on_tip_id,
				   call_wait(call, BACKEND_CHAIND_READ));
}

static void answer_tip(struct rpc_call *call, const struct rc_block_ref *tip)
{
	out_object(&call->out, NULL);
	out_id(&call->out, "hash", tip->id.b);
	out_uint(&call->out, "height", tip->height);
	out_object_end(&call->out);
	rpc_call_done(call);
}

static uint32_t wait_time(const struct rpc_arg *arg)
{
	return arg->i ? (uint32_t)arg->i : WAIT_DEFAULT_MS;
}

void on_waitforblockheight(struct rpc_call *call)
{
	tip_wait(call, NULL, (uint32_t)call->args[0].i, wait_time(&call->args[1]), answer_tip);
}

static void on_present_tip(void *arg, const struct rc_reply *why, const struct rc_block_ref *tip)
{
	struct rpc_call *call = call_resume(arg, why);

	if (call)
		tip_wait(call, &tip->id, 0, wait_time(&call->args[0]), answer_tip);
}

void on_waitfornewblock(struct rpc_call *call)
{
	const struct rc_block_ref *tip = tip_known(call_rpcd(call)->tip);
	struct rc_block_id known = arg_block_id(&call->args[1]);

	if (call->args[1].given)
		tip_wait(call, &known, 0, wait_time(&call->args[0]), answer_tip);
	else if (tip)
		tip_wait(call, &tip->id, 0, wait_time(&call->args[0]), answer_tip);
	else
		rc_chaind_wait_tip(call_chaind(call), NULL, 0, 0, call_deadline(call),
				   on_present_tip, call_wait(call, BACKEND_CHAIND_READ));
}

/* ---- the chain at a glance ---- */

/* blocks ÷ headers with 8 decimals, from integers. */
static void show_progress(struct json_out *out, uint32_t blocks, uint32_t headers)
{
	uint64_t parts = headers ? (uint64_t)blocks * 100000000u / headers : 100000000u;
	char text[32];
	int n;

	if (parts > 100000000u)
		parts = 100000000u;
	n = snprintf(text, sizeof(text), "%u.%08u", (unsigned)(parts / 100000000u),
		     (unsigned)(parts % 100000000u));
	out_raw(out, "verificationprogress", text, (size_t)n);
}

static void on_chain_info(void *arg, const struct rc_reply *why, const struct rc_chain_info *info)
{
	struct rpc_call *call = call_resume(arg, why);
	const struct rc_network *network;
	struct json_out *out;

	if (!call)
		return;
	network = call_network(call);
	out = &call->out;
	out_object(out, NULL);
	out_text(out, "chain", info->network);
	out_uint(out, "blocks", info->tip.height);
	out_uint(out, "headers", info->best_header.height);
	out_id(out, "bestblockhash", info->tip.id.b);
	show_bits(out, network, info->bits);
	out_uint(out, "time", info->time);
	out_uint(out, "mediantime", info->median_time);
	show_progress(out, info->tip.height, info->best_header.height);
	out_bool(out, "initialblockdownload", info->initial_download);
	out_hex(out, "chainwork", info->chainwork, 32);
	out_uint(out, "size_on_disk", info->size_on_disk);
	out_bool(out, "pruned", false);
	if (info->has_state_root)
		out_hex(out, "stateroot", info->state_root.b, 32);
	else
		out_null(out, "stateroot");
	out_null(out, "lock");
	out_uint(out, "maxblocksize", info->block_limit);
	out_amount(out, "supply", info->supply_oxides);
	out_object(out, "durable");
	out_uint(out, "height", info->durable.height);
	out_id(out, "hash", info->durable.id.b);
	out_object_end(out);
	out_hex(out, "network_id", info->network_id.b, 32);
	out_array(out, "warnings");
	for (size_t i = 0; i < info->n_warnings; i++)
		out_text(out, NULL, info->warnings[i]);
	out_array_end(out);
	out_object_end(out);
	rpc_call_done(call);
}

void on_getblockchaininfo(struct rpc_call *call)
{
	rc_chaind_chain_info(call_chaind(call), call_deadline(call), on_chain_info,
			     call_wait(call, BACKEND_CHAIND_READ));
}

static void on_chain_tips(void *arg, const struct rc_reply *why, const struct rc_chain_tips *tips)
{
	struct rpc_call *call = call_resume(arg, why);

	if (!call)
		return;
	out_array(&call->out, NULL);
	for (size_t i = 0; i < tips->n; i++) {
		const struct rc_chain_tip *t = &tips->tips[i];

		out_object(&call->out, NULL);
		out_uint(&call->out, "height", t->height);
		out_id(&call->out, "hash", t->id.b);
		out_uint(&call->out, "branchlen", t->branch_length);
		out_text(&call->out, "status", t->status);
		out_object_end(&call->out);
	}
	out_array_end(&call->out);
	rpc_call_done(call);
}

void on_getchaintips(struct rpc_call *call)
{
	if (heavy_enter(call, HEAVY_TIPS))
		rc_chaind_chain_tips(call_chaind(call), call_deadline(call), on_chain_tips,
				     call_wait(call, BACKEND_CHAIND_READ));
}

/* ---- blocks ---- */

static void on_block_id(void *arg, const struct rc_reply *why, const struct rc_block_id *id)
{
	struct rpc_call *call = call_resume_any(arg, why);

	if (!call)
		return;
	if (why->err == RC_ENOENT) {
		rpc_call_fail(call, RPC_BAD_PARAMETER, "Block height out of range");
	} else if (why->err) {
		call_fail_reply(call, why);
	} else {
		out_id(&call->out, NULL, id->b);
		rpc_call_done(call);
	}
}

void on_getblockhash(struct rpc_call *call)
{
	rc_chaind_block_id_at(call_chaind(call), (uint32_t)call->args[0].i, call_deadline(call),
			      on_block_id, call_wait(call, BACKEND_CHAIND_READ));
}

/* A block that isn't known or stored is one error for all; true if the call goes on. */
static bool block_found(struct rpc_call *call, const struct rc_reply *why)
{
	if (!why->err)
		return true;
	if (why->err == RC_ENOENT)
		rpc_call_fail(call, RPC_NOT_FOUND, "Block not found: %s",
			      why->text && *why->text ? why->text : "it isn't known or not stored");
	else
		call_fail_reply(call, why);
	return false;
}

static struct known *call_known(const struct rpc_call *call)
{
	return call_rpcd(call)->known;
}

static void answer_header(struct rpc_call *call, const struct rc_header_info *info)
{
	struct rc_block_id id = arg_block_id(&call->args[0]);
	struct rc_header header;

	if (!call->args[1].b) {
		out_hex(&call->out, NULL, info->raw.data, info->raw.len);
	} else {
		rc_header_decode(info->raw.data, &header);
		out_object(&call->out, NULL);
		show_header(&call->out, call_network(call), &id, &header, info);
		out_object_end(&call->out);
	}
	rpc_call_done(call);
}

static void on_header(void *arg, const struct rc_reply *why, const struct rc_header_info *info)
{
	struct rpc_call *call = call_resume_any(arg, why);
	struct rc_block_id id;

	if (!call || !block_found(call, why))
		return;
	if (info->raw.len != RC_HEADER_SIZE) {
		rpc_call_fail(call, RPC_INTERNAL_ERROR, "chaind sent a header of %zu bytes",
			      info->raw.len);
		return;
	}
	id = arg_block_id(&call->args[0]);
	known_put_header(call_known(call), &id, info);
	answer_header(call, info);
}

void on_getblockheader(struct rpc_call *call)
{
	struct rc_block_id id = arg_block_id(&call->args[0]);
	const struct rc_header_info *info = known_header(call_known(call), &id);

	if (info)
		answer_header(call, info);
	else
		rc_chaind_header(call_chaind(call), &id, call_deadline(call), on_header,
				 call_wait(call, BACKEND_CHAIND_READ));
}

/* Transactions read, hashed and shown together: their tree stays in the processor's cache, however
 * large a block is. */
#define SHOW_ROUND 64

static void show_txs(struct rpc_call *call, struct rc_block_reader *reader, bool full)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct json_out *out = &call->out;
	struct rc_tx txs[SHOW_ROUND];
	size_t n;

	while ((n = rc_block_reader_next_many(reader, &arena, txs, SHOW_ROUND)) > 0) {
		for (size_t i = 0; i < n; i++) {
			if (full) {
				out_object(out, NULL);
				show_tx(out, call_network(call), &txs[i]);
				out_object_end(out);
			} else {
				out_id(out, NULL, txs[i].txid.b);
			}
		}
		rc_arena_reset(&arena);
	}
	rc_arena_done(&arena);
}

static bool show_block(struct rpc_call *call, struct rc_bytes body,
		       const struct rc_header_info *info)
{
	struct rc_block_id id = arg_block_id(&call->args[0]);
	struct rc_block_reader reader;
	struct json_out *out = &call->out;
	bool full = call->args[1].i == 2;

	if (!rc_block_reader_init(&reader, body.data, body.len))
		return false;
	/* Room at once for what a usual block makes; it grows if that was too little. */
	room_reserve(&call_rpcd(call)->room, out->buf,
		     full ? 5 * body.len : 80 * (size_t)reader.n_txs);
	out_object(out, NULL);
	show_header(out, call_network(call), &id, &reader.header, info);
	out_array(out, "tx");
	show_txs(call, &reader, full);
	out_array_end(out);
	out_object_end(out);
	return rc_block_reader_end(&reader);
}

static void answer_block(struct rpc_call *call, struct rc_bytes body,
			 const struct rc_header_info *info)
{
	if (!call->args[1].i) {
		/* With the envelope that follows: an id that was long makes the buffer grow. */
		room_reserve(&call_rpcd(call)->room, call->out.buf, 2 * body.len + 128);
		out_hex(&call->out, NULL, body.data, body.len);
	} else if (!show_block(call, body, info)) {
		rpc_call_fail(call, RPC_INTERNAL_ERROR, "chaind sent a block that can't be read");
		return;
	}
	rpc_call_done(call);
}

static void on_block(void *arg, const struct rc_reply *why, const struct rc_header_info *info)
{
	struct rpc_call *call = call_resume_any(arg, why);
	struct rc_block_id id;

	if (!call || !block_found(call, why))
		return;
	id = arg_block_id(&call->args[0]);
	known_put_header(call_known(call), &id, info);
	known_put_body(call_known(call), &id, info->raw);
	answer_block(call, info->raw, info);
}

static void ask_block(struct rpc_call *call)
{
	struct rc_block_id id = arg_block_id(&call->args[0]);

	if (heavy_enter(call, HEAVY_BLOCK))
		rc_chaind_block(call_chaind(call), &id, call_deadline(call), on_block,
				call_wait(call, BACKEND_CHAIND_READ));
}

/* The body was here; it may have gone while chaind was asked about the header. */
static void on_header_of_block(void *arg, const struct rc_reply *why,
			       const struct rc_header_info *info)
{
	struct rpc_call *call = call_resume_any(arg, why);
	struct rc_block_id id;
	struct rc_bytes body;

	if (!call || !block_found(call, why))
		return;
	id = arg_block_id(&call->args[0]);
	body = known_body(call_known(call), &id);
	known_put_header(call_known(call), &id, info);
	if (body.data)
		answer_block(call, body, info);
	else
		ask_block(call);
}

void on_getblock(struct rpc_call *call)
{
	struct rc_block_id id = arg_block_id(&call->args[0]);
	struct rc_bytes body = known_body(call_known(call), &id);
	const struct rc_header_info *info = known_header(call_known(call), &id);

	if (!body.data)
		ask_block(call);
	else if (!heavy_kept(call, body.len))
		return;
	else if (info || !call->args[1].i)
		answer_block(call, body, info);
	else
		rc_chaind_header(call_chaind(call), &id, call_deadline(call), on_header_of_block,
				 call_wait(call, BACKEND_CHAIND_READ));
}

/* ---- an operator's word ---- */

static void on_judged(void *arg, const struct rc_reply *why)
{
	struct rpc_call *call = call_resume_any(arg, why);

	if (!call || !block_found(call, why))
		return;
	tip_touch(call_rpcd(call)->tip);
	out_null(&call->out, NULL);
	rpc_call_done(call);
}

void on_invalidateblock(struct rpc_call *call)
{
	struct rc_block_id id = arg_block_id(&call->args[0]);

	rc_chaind_invalidate_block(call_chaind_admin(call), &id, call_deadline(call), on_judged,
				   call_wait(call, BACKEND_CHAIND_ADMIN));
}

void on_reconsiderblock(struct rpc_call *call)
{
	struct rc_block_id id = arg_block_id(&call->args[0]);

	rc_chaind_reconsider_block(call_chaind_admin(call), &id, call_deadline(call), on_judged,
				   call_wait(call, BACKEND_CHAIND_ADMIN));
}

/* ---- one coin: the pool's word first, then the state's ---- */

#define POOL_MADE  1
#define POOL_SPENT 2

static struct rc_outpoint arg_outpoint(const struct rpc_call *call)
{
	struct rc_outpoint outpoint = {.index = (uint32_t)call->args[1].i};

	memcpy(outpoint.txid.b, call->args[0].id, 32);
	return outpoint;
}

static void show_coin(struct rpc_call *call, const struct rc_coin *coin, uint32_t confirmations,
		      uint32_t height, const struct rc_block_id *best)
{
	struct json_out *out = &call->out;
	struct rc_lock lock = rc_coin_lock(coin);

	out_object(out, NULL);
	out_id(out, "bestblock", best->b);
	out_uint(out, "confirmations", confirmations);
	out_amount(out, "value", coin->amount);
	show_lock(out, "lock", call_network(call), &lock);
	out_bool(out, "coinbase", coin->coinbase);
	show_anchor(out, height, best);
	out_object_end(out);
	rpc_call_done(call);
}

static void on_state_coin(void *arg, const struct rc_reply *why, const struct rc_utxod_coins *coins)
{
	struct rpc_call *call = call_resume(arg, why);
	const struct rc_coin *coin;

	if (!call)
		return;
	coin = coins->n == 1 ? &coins->coins[0] : NULL;
	if (!coin || !rc_utxod_coin_found(coin)) {
		out_null(&call->out, NULL);
		rpc_call_done(call);
		return;
	}
	show_coin(call, coin, coins->at.height - coin->height + 1, coins->at.height, &coins->at.id);
}

static void ask_state(struct rpc_call *call)
{
	struct rc_outpoint outpoint = arg_outpoint(call);

	rc_utxod_get_coins(call_utxod(call), NULL, &outpoint, 1, call_deadline(call), on_state_coin,
			   call_wait(call, BACKEND_UTXOD_READ));
}

static void on_pool_coin(void *arg, const struct rc_reply *why, const struct rc_pool_answer *pool)
{
	struct rpc_call *call = call_resume(arg, why);
	struct rc_reader r;
	struct rc_coin coin;
	uint8_t flags, len;

	if (!call)
		return;
	r = rc_reader_of(pool->made.data, pool->made.len);
	flags = rc_read_u8(&r);
	if (flags & POOL_SPENT) {
		out_null(&call->out, NULL);
		rpc_call_done(call);
		return;
	}
	if (!(flags & POOL_MADE)) {
		ask_state(call);
		return;
	}
	len = rc_read_u8(&r);
	if (rc_reader_left(&r) < len || !rc_coin_value_decode(r.p, len, &coin)) {
		rpc_call_fail(call, RPC_INTERNAL_ERROR, "chaind sent a coin that can't be read");
		return;
	}
	show_coin(call, &coin, 0, pool->tip.height, &pool->tip.id);
}

void on_gettxout(struct rpc_call *call)
{
	struct rc_outpoint outpoint = arg_outpoint(call);
	uint8_t raw[RC_OUTPOINT_SIZE];

	if (!call->args[2].b) {
		ask_state(call);
		return;
	}
	memcpy(raw, outpoint.txid.b, 32);
	rc_put_le32(raw + 32, outpoint.index);
	rc_chaind_pool_coins(call_chaind(call), (struct rc_bytes){raw, sizeof(raw)},
			     call_deadline(call), on_pool_coin,
			     call_wait(call, BACKEND_CHAIND_READ));
}
