/* Loose transactions: into the pool, out of it, and out of stored blocks. */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "consensus/verdict.h"
#include "daemons/rpcd/backends.h"
#include "daemons/rpcd/heavy.h"
#include "daemons/rpcd/methods.h"
#include "daemons/rpcd/show.h"
#include "types/tx.h"

/* Outputs that are looked for when a transaction's inputs are gone: is it in the chain already? */
#define OUTPUTS_LOOKED_AT 100u

static struct rc_txid arg_txid(const struct rpc_arg *arg)
{
	struct rc_txid txid;

	memcpy(txid.b, arg->id, sizeof(txid.b));
	return txid;
}

/* ---- reading ---- */

/* Appends an object of the transaction, open for more members; false if it can't be read. */
static bool open_tx_object(struct rpc_call *call, struct rc_bytes raw)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_tx tx;
	bool good = rc_tx_decode(raw.data, raw.len, &arena, &tx);

	if (good) {
		out_object(&call->out, NULL);
		show_tx(&call->out, call_network(call), &tx);
	}
	rc_arena_done(&arena);
	return good;
}

void on_decoderawtransaction(struct rpc_call *call)
{
	struct rc_bytes raw = {call->args[0].data, call->args[0].len};

	if (!open_tx_object(call, raw)) {
		rpc_call_fail_data(
			call, RPC_DESERIALIZATION,
			json_pack("{s:s, s:s}", "verdict", "tx-parse", "class", "invalid"),
			"TX decode failed: %s", rc_verdict_words(RC_V_TX_PARSE));
		return;
	}
	out_object_end(&call->out);
	rpc_call_done(call);
}

static void answer_tx(struct rpc_call *call, struct rc_bytes raw, const struct rc_header_info *info)
{
	if (!call->args[1].i) {
		out_hex(&call->out, NULL, raw.data, raw.len);
		rpc_call_done(call);
		return;
	}
	if (!open_tx_object(call, raw)) {
		rpc_call_fail(call, RPC_INTERNAL_ERROR,
			      "chaind sent a transaction that can't be read");
		return;
	}
	if (info) {
		out_id(&call->out, "blockhash", call->args[2].id);
		out_uint(&call->out, "blockheight", info->height);
		out_uint(&call->out, "blockindex", info->index);
		out_int(&call->out, "confirmations", info->confirmations);
		out_bool(&call->out, "in_active_chain", info->confirmations >= 0);
	}
	out_hex(&call->out, "hex", raw.data, raw.len);
	out_object_end(&call->out);
	rpc_call_done(call);
}

static void on_block_tx(void *arg, const struct rc_reply *why, const struct rc_header_info *info)
{
	struct rpc_call *call = call_resume_any(arg, why);

	if (!call)
		return;
	if (why->err == RC_ENOENT)
		rpc_call_fail(call, RPC_NOT_FOUND,
			      "No such transaction in that block, or the block is not stored");
	else if (why->err)
		call_fail_reply(call, why);
	else
		answer_tx(call, info->raw, info);
}

static void on_pool_tx(void *arg, const struct rc_reply *why, const struct rc_mempool_entry *entry)
{
	struct rpc_call *call = call_resume_any(arg, why);

	if (!call)
		return;
	if (why->err == RC_ENOENT)
		rpc_call_fail(call, RPC_NOT_FOUND,
			      "No such transaction in the pool; give blockhash for one of a block");
	else if (why->err)
		call_fail_reply(call, why);
	else
		answer_tx(call, entry->raw, NULL);
}

void on_getrawtransaction(struct rpc_call *call)
{
	struct rc_txid txid = arg_txid(&call->args[0]);
	struct rc_block_id block;

	if (!heavy_enter(call, call->args[2].given ? HEAVY_BLOCK : HEAVY_POOL_TX))
		return;
	if (!call->args[2].given) {
		rc_chaind_mempool_tx(call_chaind(call), &txid, NULL, call_deadline(call),
				     on_pool_tx, call_wait(call, BACKEND_CHAIND_READ));
		return;
	}
	memcpy(block.b, call->args[2].id, sizeof(block.b));
	rc_chaind_block_tx(call_chaind(call), &block, &txid, call_deadline(call), on_block_tx,
			   call_wait(call, BACKEND_CHAIND_READ));
}

/* ---- the pool ---- */

static void on_pool_info(void *arg, const struct rc_reply *why, const struct rc_mempool_info *info)
{
	struct rpc_call *call = call_resume(arg, why);
	struct json_out *out;

	if (!call)
		return;
	out = &call->out;
	out_object(out, NULL);
	out_bool(out, "loaded", !info->filling);
	out_uint(out, "size", info->count);
	out_uint(out, "bytes", info->bytes);
	out_uint(out, "usage", info->usage);
	out_uint(out, "maxmempool", info->max);
	out_amount(out, "total_fee", info->total_fee);
	out_amount(out, "mempoolminfee", info->min_fee_per_kb);
	out_uint(out, "orphans", info->orphans);
	out_uint(out, "sequence", info->sequence);
	out_object_end(out);
	rpc_call_done(call);
}

void on_getmempoolinfo(struct rpc_call *call)
{
	rc_chaind_mempool_info(call_chaind(call), call_deadline(call), on_pool_info,
			       call_wait(call, BACKEND_CHAIND_READ));
}

static void show_txids(struct json_out *out, const char *key, const struct rc_txid *ids, size_t n)
{
	out_array(out, key);
	for (size_t i = 0; i < n; i++)
		out_id(out, NULL, ids[i].b);
	out_array_end(out);
}

static void show_entry(struct json_out *out, const char *key, const struct rc_mempool_entry *e)
{
	out_object(out, key);
	out_id(out, "wtxid", e->wtxid.b);
	out_uint(out, "size", e->size);
	out_object(out, "fees");
	out_amount(out, "base", e->fee);
	out_amount(out, "ancestor", e->ancestor_fee);
	out_object_end(out);
	out_uint(out, "time", e->time);
	out_uint(out, "height", e->height);
	out_uint(out, "ancestorcount", e->ancestors);
	out_uint(out, "ancestorsize", e->ancestor_size);
	out_uint(out, "descendantcount", e->descendants);
	show_txids(out, "depends", e->depends, e->n_depends);
	show_txids(out, "spentby", e->spent_by, e->n_spent_by);
	out_object_end(out);
}

static void on_pool_entry(void *arg, const struct rc_reply *why,
			  const struct rc_mempool_entry *entry)
{
	struct rpc_call *call = call_resume_any(arg, why);

	if (!call)
		return;
	if (why->err == RC_ENOENT) {
		rpc_call_fail(call, RPC_NOT_FOUND, "Transaction not in mempool");
	} else if (why->err) {
		call_fail_reply(call, why);
	} else {
		show_entry(&call->out, NULL, entry);
		rpc_call_done(call);
	}
}

void on_getmempoolentry(struct rpc_call *call)
{
	struct rc_txid txid = arg_txid(&call->args[0]);

	if (heavy_enter(call, HEAVY_POOL_TX))
		rc_chaind_mempool_tx(call_chaind(call), &txid, NULL, call_deadline(call),
				     on_pool_entry, call_wait(call, BACKEND_CHAIND_READ));
}

static void on_pool_list(void *arg, const struct rc_reply *why, const struct rc_mempool_list *list)
{
	struct rpc_call *call = call_resume(arg, why);
	struct json_out *out;
	char txid[RC_ID_HEX];

	if (!call)
		return;
	out = &call->out;
	if (call->args[0].b) {
		out_object(out, NULL);
		for (size_t i = 0; i < list->n_entries; i++)
			show_entry(out, rc_txid_hex(txid, &list->entries[i].txid),
				   &list->entries[i]);
		out_object_end(out);
	} else if (call->args[1].b) {
		out_object(out, NULL);
		show_txids(out, "txids", list->txids, list->n_txids);
		out_uint(out, "mempool_sequence", list->sequence);
		out_object_end(out);
	} else {
		show_txids(out, NULL, list->txids, list->n_txids);
	}
	rpc_call_done(call);
}

void on_getrawmempool(struct rpc_call *call)
{
	if (call->args[0].b && call->args[1].b) {
		rpc_call_fail(call, RPC_BAD_PARAMETER,
			      "getrawmempool: a verbose list has no sequence number");
		return;
	}
	if (heavy_enter(call, call->args[0].b ? HEAVY_POOL : HEAVY_POOL_IDS))
		rc_chaind_mempool_list(call_chaind(call), call->args[0].b, call_deadline(call),
				       on_pool_list, call_wait(call, BACKEND_CHAIND_READ));
}

/* ---- submitting ---- */

static json_t *result_data(const struct rc_submit_tx *r)
{
	json_t *data = json_pack("{s:s, s:s}", "verdict", r->verdict, "class", r->verdict_class);
	json_t *missing;
	char hex[RC_ID_HEX];

	if (r->n_missing) {
		missing = json_array();
		for (size_t i = 0; i < r->n_missing; i++)
			json_array_append_new(missing,
					      json_string(rc_txid_hex(hex, &r->missing[i])));
		json_object_set_new(data, "missing", missing);
	}
	return data;
}

static const char *result_words(const struct rc_submit_tx *r)
{
	enum rc_verdict verdict;

	if (r->reason && *r->reason)
		return r->reason;
	return rc_verdict_parse(r->verdict, &verdict) ? rc_verdict_words(verdict) : "refused";
}

static void refuse_tx(struct rpc_call *call, const struct rc_submit_tx *r)
{
	enum rpc_code code = RPC_REJECTED;

	if (!strcmp(r->verdict, "tx-parse"))
		code = RPC_DESERIALIZATION;
	else if (!strcmp(r->verdict_class, "unknown"))
		code = RPC_VERIFY;
	rpc_call_fail_data(call, code, result_data(r), "%s: %s", r->verdict, result_words(r));
}

/* A transaction whose inputs are gone may be in the chain already: its outputs tell. */
struct refused {
	json_t *data;
	char *text;
};

static void refused_free(void *state)
{
	struct refused *r = state;

	json_decref(r->data);
	free(r->text);
	free(r);
}

static void on_own_outputs(void *arg, const struct rc_reply *why,
			   const struct rc_utxod_coins *coins)
{
	struct rpc_call *call = call_resume(arg, why);
	struct refused *r;

	if (!call)
		return;
	for (size_t i = 0; i < coins->n; i++)
		if (rc_utxod_coin_found(&coins->coins[i])) {
			rpc_call_fail_data(call, RPC_ALREADY_KNOWN,
					   json_pack("{s:s}", "verdict", "tx-in-chain"),
					   "Transaction outputs already in the chain's state");
			return;
		}
	r = call->state;
	rpc_call_fail_data(call, RPC_VERIFY, json_incref(r->data), "%s", r->text);
}

static void look_for_outputs(struct rpc_call *call, const struct rc_submit_tx *result)
{
	struct rc_outpoint outpoints[OUTPUTS_LOOKED_AT];
	struct rc_arena arena = RC_ARENA_INIT;
	struct refused *r;
	struct rc_tx tx;
	size_t n = 0;

	if (rc_tx_decode(call->args[0].data, call->args[0].len, &arena, &tx))
		for (; n < tx.n_outputs && n < OUTPUTS_LOOKED_AT; n++)
			outpoints[n] = (struct rc_outpoint){tx.txid, (uint32_t)n};
	rc_arena_done(&arena);
	if (!n) {
		refuse_tx(call, result);
		return;
	}
	r = rc_alloc(sizeof(*r));
	r->data = result_data(result);
	r->text = rc_asprintf("%s: %s", result->verdict, result_words(result));
	rpc_call_set_state(call, r, refused_free);
	rc_utxod_get_coins(call_utxod(call), NULL, outpoints, n, call_deadline(call),
			   on_own_outputs, call_wait(call, BACKEND_UTXOD_READ));
}

static void on_sent(void *arg, const struct rc_reply *why, const struct rc_submit_txs *reply)
{
	struct rpc_call *call = call_resume(arg, why);
	const struct rc_submit_tx *r;

	if (!call)
		return;
	if (reply->n != 1) {
		rpc_call_fail(call, RPC_INTERNAL_ERROR, "chaind answered for %zu transactions",
			      reply->n);
		return;
	}
	r = &reply->results[0];
	if (!strcmp(r->verdict, "ok")) {
		out_id(&call->out, NULL, r->txid.b);
		rpc_call_done(call);
	} else if (!strcmp(r->verdict, "tx-input-missing")) {
		look_for_outputs(call, r);
	} else {
		refuse_tx(call, r);
	}
}

void on_sendrawtransaction(struct rpc_call *call)
{
	struct rc_bytes raw = {call->args[0].data, call->args[0].len};

	rc_chaind_submit_txs(call_chaind_submit(call), 0, false, (uint64_t)call->args[1].i, &raw, 1,
			     call_deadline(call), on_sent, call_wait(call, BACKEND_CHAIND_SUBMIT));
}

static void show_result(struct json_out *out, const struct rc_submit_tx *r)
{
	bool allowed = !strcmp(r->verdict, "ok");

	out_object(out, NULL);
	out_id(out, "txid", r->txid.b);
	out_id(out, "wtxid", r->wtxid.b);
	out_bool(out, "allowed", allowed);
	if (allowed) {
		out_uint(out, "size", r->size);
		out_object(out, "fees");
		out_amount(out, "base", r->fee);
		out_object_end(out);
	} else {
		out_text(out, "reject-reason", result_words(r));
		out_text(out, "verdict", r->verdict);
		out_text(out, "class", r->verdict_class);
	}
	out_object_end(out);
}

static void on_tested(void *arg, const struct rc_reply *why, const struct rc_submit_txs *reply)
{
	struct rpc_call *call = call_resume(arg, why);

	if (!call)
		return;
	out_array(&call->out, NULL);
	for (size_t i = 0; i < reply->n; i++)
		show_result(&call->out, &reply->results[i]);
	out_array_end(&call->out);
	rpc_call_done(call);
}

void on_testmempoolaccept(struct rpc_call *call)
{
	size_t n = call->args[0].len;
	struct rc_bytes *raws = rc_alloc_array(n, sizeof(*raws));
	bool good = true;

	for (size_t i = 0; i < n && good; i++) {
		json_t *text = json_array_get(call->args[0].json, i);
		uint8_t *data;

		good = rc_hex_decode_alloc(json_string_value(text), json_string_length(text), &data,
					   &raws[i].len);
		raws[i].data = good ? data : NULL;
		if (!good)
			rpc_call_fail(call, RPC_DESERIALIZATION,
				      "testmempoolaccept: \"rawtxs\" item %zu must be an even "
				      "number of hexadecimal digits",
				      i);
	}
	if (good)
		rc_chaind_submit_txs(call_chaind_submit(call), 0, true, (uint64_t)call->args[1].i,
				     raws, n, call_deadline(call), on_tested,
				     call_wait(call, BACKEND_CHAIND_SUBMIT));
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)raws[i].data);
	free(raws);
}
