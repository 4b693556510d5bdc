/* Templates out, blocks in; and what a test network may do besides. */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "consensus/pow.h"
#include "consensus/tx_type.h"
#include "daemons/rpcd/backends.h"
#include "daemons/rpcd/methods.h"
#include "daemons/rpcd/show.h"
#include "daemons/rpcd/tip.h"
#include "types/address.h"

static bool only_on_reg(struct rpc_call *call)
{
	if (!strcmp(call_network(call)->params.name, "reg"))
		return true;
	rpc_call_fail(call, RPC_MISC, "%s: only the network reg has that, this is %s",
		      call->method->name, call_network(call)->params.name);
	return false;
}

/* ---- templates ---- */

static void show_template_txs(struct json_out *out, const struct rc_template *t)
{
	const uint8_t *raw = t->raw_txs.data;
	size_t left = t->raw_txs.len;

	out_array(out, "transactions");
	for (size_t i = 0; i < t->n_txs && t->txs[i].size <= left; i++) {
		const struct rc_template_tx *tx = &t->txs[i];

		out_object(out, NULL);
		out_hex(out, "data", raw, tx->size);
		out_id(out, "txid", tx->txid.b);
		out_id(out, "hash", tx->wtxid.b);
		out_uint(out, "fee", tx->fee);
		out_uint(out, "size", tx->size);
		out_uint(out, "budget", tx->budget);
		out_array(out, "depends");
		for (size_t d = 0; d < tx->n_depends; d++)
			out_uint(out, NULL, tx->depends[d]);
		out_array_end(out);
		out_object_end(out);
		raw += tx->size;
		left -= tx->size;
	}
	out_array_end(out);
}

static void show_template(struct json_out *out, const struct rc_template *t)
{
	struct rc_u256 target;
	char hex[65];

	out_object(out, NULL);
	out_array(out, "capabilities");
	out_text(out, NULL, "longpoll");
	out_array_end(out);
	out_uint(out, "version", RC_HEADER_VERSION);
	out_array(out, "rules");
	out_array_end(out);
	out_id(out, "previousblockhash", t->prev.b);
	out_uint(out, "height", t->height);
	out_hex(out, "stateroot", t->state_root.b, 32);
	show_template_txs(out, t);
	out_uint(out, "coinbasevalue", t->coinbase_oxides);
	out_array(out, "coinbaseoutputs");
	for (size_t i = 0; i < t->n_coinbase_outputs; i++)
		out_hex(out, NULL, t->coinbase_outputs[i].data, t->coinbase_outputs[i].len);
	out_array_end(out);
	out_hex(out, "longpollid", t->id.data, t->id.len);
	if (rc_bits_target(t->bits, &target))
		out_text(out, "target", rc_u256_hex(hex, &target));
	out_textf(out, "bits", "%08x", t->bits);
	out_uint(out, "curtime", t->time);
	out_uint(out, "mintime", t->min_time);
	out_uint(out, "maxtime", t->max_time);
	out_text(out, "noncerange", "0000000000000000ffffffffffffffff");
	out_uint(out, "sizelimit", t->size_limit);
	out_uint(out, "budgetlimit", t->budget_limit);
	out_array(out, "mutable");
	out_text(out, NULL, "time");
	out_text(out, NULL, "transactions");
	out_text(out, NULL, "coinbase");
	out_array_end(out);
	out_object_end(out);
}

static void on_template(void *arg, const struct rc_reply *why, const struct rc_template *t)
{
	struct rpc_call *call = call_resume(arg, why);

	if (!call)
		return;
	show_template(&call->out, t);
	rpc_call_done(call);
}

void on_getblocktemplate(struct rpc_call *call)
{
	const struct rpc_arg *fields = call->args[0].fields;
	struct rc_bytes known = {NULL, 0};
	uint32_t wait_ms = 0;
	bool force = false;
	uint64_t bus;

	if (fields && fields[TEMPLATE_MODE].given &&
	    strcmp(fields[TEMPLATE_MODE].text, "template")) {
		rpc_call_fail(call, RPC_BAD_PARAMETER,
			      "getblocktemplate: the only mode is \"template\"; a proposal is "
			      "judged by submitblock");
		return;
	}
	if (fields) {
		force = fields[TEMPLATE_FORCE].b;
		if (fields[TEMPLATE_LONGPOLLID].given) {
			known = (struct rc_bytes){fields[TEMPLATE_LONGPOLLID].data,
						  fields[TEMPLATE_LONGPOLLID].len};
			wait_ms = (uint32_t)fields[TEMPLATE_TIMEOUT].i;
		}
	}
	bus = rc_chaind_template(backend_chaind(call_rpcd(call)->backends, BACKEND_CHAIND_TEMPLATE),
				 known, wait_ms, force, call_deadline(call) + wait_ms, on_template,
				 call_wait(call, BACKEND_CHAIND_TEMPLATE));
	call_waits_for_event(call, bus);
}

static void on_mining_info(void *arg, const struct rc_reply *why, const struct rc_chain_info *info)
{
	struct rpc_call *call = call_resume(arg, why);
	const struct rc_network *network;
	struct json_out *out;

	if (!call)
		return;
	network = call_network(call);
	out = &call->out;
	out_object(out, NULL);
	out_uint(out, "blocks", info->tip.height);
	show_bits(out, network, info->bits);
	out_uint(out, "pooledtx", info->pool_transactions);
	out_text(out, "chain", info->network);
	out_object(out, "next");
	out_uint(out, "height", info->tip.height + 1);
	show_bits(out, network, rc_required_bits(network, info->tip.height, info->time));
	out_object_end(out);
	out_array(out, "warnings");
	for (size_t i = 0; i < info->n_warnings; i++)
		out_text(out, NULL, info->warnings[i]);
	out_array_end(out);
	out_object_end(out);
	rpc_call_done(call);
}

void on_getmininginfo(struct rpc_call *call)
{
	rc_chaind_chain_info(call_chaind(call), call_deadline(call), on_mining_info,
			     call_wait(call, BACKEND_CHAIND_READ));
}

/* ---- submissions ---- */

static json_t *verdict_data(const char *verdict, const char *class)
{
	return json_pack("{s:s, s:s}", "verdict", verdict, "class", class ? class : "");
}

static void on_submitted(void *arg, const struct rc_reply *why, const struct rc_submit_block *reply)
{
	struct rpc_call *call = call_resume(arg, why);

	if (!call)
		return;
	tip_touch(call_rpcd(call)->tip);
	if (strcmp(reply->verdict, "ok")) {
		rpc_call_fail_data(
			call,
			strcmp(reply->verdict, "block-parse") ? RPC_VERIFY : RPC_DESERIALIZATION,
			verdict_data(reply->verdict, reply->verdict_class), "%s", reply->verdict);
		return;
	}
	/* Its own first asking isn't somebody else's submission. */
	if (reply->duplicate && !call->again)
		out_text(&call->out, NULL, "duplicate");
	else
		out_null(&call->out, NULL);
	rpc_call_done(call);
}

void on_submitblock(struct rpc_call *call)
{
	struct rc_bytes block = {call->args[0].data, call->args[0].len};

	rc_chaind_submit_block(call_chaind_submit(call), 0, true, block, call_deadline(call),
			       on_submitted, call_wait(call, BACKEND_CHAIND_SUBMIT));
}

static void on_header_submitted(void *arg, const struct rc_reply *why,
				const struct rc_submit_headers *reply)
{
	struct rpc_call *call = call_resume(arg, why);

	if (!call)
		return;
	if (strcmp(reply->verdict, "ok")) {
		rpc_call_fail_data(call, RPC_VERIFY,
				   verdict_data(reply->verdict, reply->verdict_class), "%s",
				   reply->verdict);
		return;
	}
	out_null(&call->out, NULL);
	rpc_call_done(call);
}

void on_submitheader(struct rpc_call *call)
{
	struct rc_bytes header = {call->args[0].data, call->args[0].len};

	rc_chaind_submit_headers(call_chaind_submit(call), 0, header, call_deadline(call),
				 on_header_submitted, call_wait(call, BACKEND_CHAIND_SUBMIT));
}

/* ---- network reg ---- */

/* What generate is to reach: asked for once, so that asking again mines nothing twice. */
struct generate {
	uint8_t lock[RC_LOCK_KEY_SIZE];
	uint32_t goal;
	bool has_goal;
};

static void on_generated(void *arg, const struct rc_reply *why, const struct rc_block_ids *ids)
{
	struct rpc_call *call = call_resume(arg, why);

	if (!call)
		return;
	tip_touch(call_rpcd(call)->tip);
	out_array(&call->out, NULL);
	for (size_t i = 0; i < ids->n; i++)
		out_id(&call->out, NULL, ids->ids[i].b);
	out_array_end(&call->out);
	rpc_call_done(call);
}

static void generate(struct rpc_call *call)
{
	const struct generate *g = call->state;

	rc_chaind_generate(call_chaind_admin(call), (struct rc_bytes){g->lock, sizeof(g->lock)},
			   g->goal, (uint64_t)call->args[2].i, call_deadline(call), on_generated,
			   call_wait(call, BACKEND_CHAIND_ADMIN));
}

static void on_generate_tip(void *arg, const struct rc_reply *why, const struct rc_block_ref *tip)
{
	struct rpc_call *call = call_resume(arg, why);
	struct generate *g;

	if (!call)
		return;
	g = call->state;
	g->goal = tip->height + (uint32_t)call->args[0].i;
	g->has_goal = true;
	generate(call);
}

void on_generatetoaddress(struct rpc_call *call)
{
	struct generate *g = call->state;
	struct rc_error error;
	uint8_t key[32];

	if (!only_on_reg(call))
		return;
	if (!g) {
		if (rc_address_decode(call->args[1].text, call_network(call)->params.hrp, key,
				      &error) < 0) {
			rpc_call_fail(call, RPC_NOT_FOUND, "Invalid address: %s", error.text);
			return;
		}
		g = rc_alloc(sizeof(*g));
		rc_lock_key_encode(key, g->lock);
		rpc_call_set_state(call, g, NULL);
	}
	if (g->has_goal)
		generate(call);
	else
		rc_chaind_wait_tip(call_chaind(call), NULL, 0, 0, call_deadline(call),
				   on_generate_tip, call_wait(call, BACKEND_CHAIND_READ));
}

static void on_mock_time(void *arg, const struct rc_reply *why)
{
	struct rpc_call *call = call_resume(arg, why);

	if (!call)
		return;
	out_null(&call->out, NULL);
	rpc_call_done(call);
}

void on_setmocktime(struct rpc_call *call)
{
	if (!only_on_reg(call))
		return;
	rc_chaind_set_mock_time(call_chaind_admin(call), (uint32_t)call->args[0].i,
				call_deadline(call), on_mock_time,
				call_wait(call, BACKEND_CHAIND_ADMIN));
}
