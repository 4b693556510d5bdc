/* chaind's requests: one function a message, and one that turns its answer into plain structs. */
#include "client/chaind.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/arena.h"
#include "client/chaind_call.h"
#include "proto/chaind.pb-c.h"

struct rc_chaind {
	struct rc_client *bus;
	struct chaind_call *calls;
};

int rc_chaind_open(struct rc_loop *loop, const struct rc_client_config *config,
		   struct rc_chaind **ret, struct rc_error *error)
{
	struct rc_client_config to_chaind = *config;
	struct rc_chaind *chaind = rc_alloc(sizeof(*chaind));
	int rc;

	to_chaind.to = RC_CHAIND;
	rc = rc_client_open(loop, &to_chaind, &chaind->bus, error);
	if (rc < 0) {
		free(chaind);
		return rc;
	}
	*ret = chaind;
	return RC_OK;
}

void rc_chaind_close(struct rc_chaind *chaind)
{
	if (!chaind)
		return;
	rc_client_close(chaind->bus);
	free(chaind);
}

struct rc_client *rc_chaind_bus(struct rc_chaind *chaind)
{
	return chaind->bus;
}

/* ---- what all calls share ---- */

uint64_t rc_chaind_call(struct rc_chaind *chaind, enum rc_message message, const void *body,
			const struct rc_bytes *bulk, size_t n_bulk, uint32_t deadline_ms,
			rc_reply_fn answered, union chaind_fn fn, void *arg)
{
	struct chaind_call *c = rc_alloc(sizeof(*c));

	c->chaind = chaind;
	c->fn = fn;
	c->arg = arg;
	c->id = rc_client_call(chaind->bus, message, body, bulk, n_bulk, deadline_ms, answered, c);
	if (c->id == 0) { /* the client is closing: it is never answered */
		free(c);
		return 0;
	}
	HASH_ADD(hh, chaind->calls, id, sizeof(c->id), c);
	return c->id;
}

void rc_chaind_cancel(struct rc_chaind *chaind, uint64_t id)
{
	struct chaind_call *c;

	HASH_FIND(hh, chaind->calls, &id, sizeof(id), c);
	if (!c)
		return;
	rc_client_cancel(chaind->bus, id);
	HASH_DEL(chaind->calls, c);
	free(c);
}

struct chaind_call rc_chaind_take(void *arg)
{
	struct chaind_call *done = arg;
	struct chaind_call c = *done;

	HASH_DEL(c.chaind->calls, done);
	free(done);
	return c;
}

/* An answer that can't be what was asked for is one we can't use. */
void rc_chaind_malformed(struct rc_reply *reply)
{
	reply->err = RC_EFORMAT;
	reply->text = "chaind's answer is malformed";
	reply->body = NULL;
}

static void get_ref(const Rc__BlockRef *ref, struct rc_block_ref *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (!ref)
		return;
	ret->height = ref->height;
	rc_chaind_get32(ref->id, ret->id.b);
}

static struct rc_bytes bulk_of(const struct rc_reply *reply, size_t i)
{
	return i < reply->n_bulk ? reply->bulk[i] : (struct rc_bytes){NULL, 0};
}

/* Ids of 32 bytes each, in the arena; false if one isn't. */
static bool get_ids(size_t n, const ProtobufCBinaryData *fields, struct rc_arena *arena,
		    void *ret_ids)
{
	uint8_t *ids = rc_arena_alloc(arena, n * 32 + 1);

	for (size_t i = 0; i < n; i++) {
		if (!rc_chaind_get32(fields[i], ids + i * 32))
			return false;
	}
	*(uint8_t **)ret_ids = ids;
	return true;
}

static ProtobufCBinaryData *put_ids(const void *ids, size_t n)
{
	ProtobufCBinaryData *fields = rc_alloc_array(n, sizeof(*fields));

	for (size_t i = 0; i < n; i++)
		fields[i] = rc_chaind_field((const uint8_t *)ids + i * 32, 32);
	return fields;
}

/* ---- the chain ---- */

static void chain_info_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__ChainInfoReply *body = reply->body;
	struct rc_chain_info info = {0};

	if (reply->err < 0) {
		c.fn.chain_info(c.arg, reply, NULL);
		return;
	}
	get_ref(body->tip, &info.tip);
	get_ref(body->durable, &info.durable);
	get_ref(body->best_header, &info.best_header);
	rc_chaind_get32(body->chainwork, info.chainwork);
	info.bits = body->bits;
	info.time = body->time;
	info.median_time = body->median_time;
	info.has_state_root = rc_chaind_get32(body->state_root, info.state_root.b);
	info.initial_download = body->initial_download;
	info.size_on_disk = body->size_on_disk;
	info.block_limit = body->block_limit;
	rc_chaind_get32(body->network_id, info.network_id.b);
	info.network = body->network;
	info.n_warnings = body->n_warnings;
	info.warnings = (const char *const *)body->warnings;
	info.supply_oxides = body->supply_oxides;
	info.pool_transactions = body->pool_transactions;
	info.pool_bytes = body->pool_bytes;
	c.fn.chain_info(c.arg, reply, &info);
}

uint64_t rc_chaind_chain_info(struct rc_chaind *chaind, uint32_t deadline_ms, rc_chain_info_fn fn,
			      void *arg)
{
	return rc_chaind_call(chaind, RC_MSG_CHAIN_INFO, NULL, NULL, 0, deadline_ms,
			      chain_info_answered, (union chaind_fn){.chain_info = fn}, arg);
}

static void block_id_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__BlockIdAtReply *body = reply->body;
	struct rc_reply r = *reply;
	struct rc_block_id id;

	if (r.err == RC_OK && !rc_chaind_get32(body->id, id.b))
		rc_chaind_malformed(&r);
	c.fn.block_id(c.arg, &r, r.err < 0 ? NULL : &id);
}

uint64_t rc_chaind_block_id_at(struct rc_chaind *chaind, uint32_t height, uint32_t deadline_ms,
			       rc_block_id_fn fn, void *arg)
{
	Rc__BlockIdAtRequest body = RC__BLOCK_ID_AT_REQUEST__INIT;

	body.height = height;
	return rc_chaind_call(chaind, RC_MSG_BLOCK_ID_AT, &body, NULL, 0, deadline_ms,
			      block_id_answered, (union chaind_fn){.block_id = fn}, arg);
}

static void header_info(struct chaind_call *c, const struct rc_reply *reply,
			const Rc__HeaderReply *body, uint32_t index)
{
	struct rc_header_info info = {0};
	struct rc_reply r = *reply;

	if (r.err == RC_OK && !body)
		rc_chaind_malformed(&r);
	if (r.err < 0) {
		c->fn.header_info(c->arg, &r, NULL);
		return;
	}
	info.height = body->height;
	info.confirmations = body->confirmations;
	rc_chaind_get32(body->chainwork, info.chainwork);
	info.median_time = body->median_time;
	info.has_next = rc_chaind_get32(body->next, info.next.b);
	info.transactions = body->transactions;
	info.size = body->size;
	info.status = body->status;
	info.verdict = body->verdict;
	info.raw = bulk_of(reply, 0);
	info.index = index;
	c->fn.header_info(c->arg, &r, &info);
}

static void header_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);

	header_info(&c, reply, reply->body, 0);
}

static void block_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__BlockReply *body = reply->body;

	header_info(&c, reply, body ? body->header : NULL, 0);
}

static void block_tx_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__BlockTxReply *body = reply->body;

	header_info(&c, reply, body ? body->header : NULL, body ? body->index : 0);
}

uint64_t rc_chaind_header(struct rc_chaind *chaind, const struct rc_block_id *id,
			  uint32_t deadline_ms, rc_header_info_fn fn, void *arg)
{
	Rc__HeaderRequest body = RC__HEADER_REQUEST__INIT;

	body.id = rc_chaind_field(id->b, 32);
	return rc_chaind_call(chaind, RC_MSG_HEADER, &body, NULL, 0, deadline_ms, header_answered,
			      (union chaind_fn){.header_info = fn}, arg);
}

uint64_t rc_chaind_block(struct rc_chaind *chaind, const struct rc_block_id *id,
			 uint32_t deadline_ms, rc_header_info_fn fn, void *arg)
{
	Rc__BlockRequest body = RC__BLOCK_REQUEST__INIT;

	body.id = rc_chaind_field(id->b, 32);
	return rc_chaind_call(chaind, RC_MSG_BLOCK, &body, NULL, 0, deadline_ms, block_answered,
			      (union chaind_fn){.header_info = fn}, arg);
}

uint64_t rc_chaind_block_tx(struct rc_chaind *chaind, const struct rc_block_id *block,
			    const struct rc_txid *txid, uint32_t deadline_ms, rc_header_info_fn fn,
			    void *arg)
{
	Rc__BlockTxRequest body = RC__BLOCK_TX_REQUEST__INIT;

	body.block = rc_chaind_field(block->b, 32);
	body.txid = rc_chaind_field(txid->b, 32);
	return rc_chaind_call(chaind, RC_MSG_BLOCK_TX, &body, NULL, 0, deadline_ms,
			      block_tx_answered, (union chaind_fn){.header_info = fn}, arg);
}

static void chain_tips_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__ChainTipsReply *body = reply->body;
	struct rc_chain_tip *tips;
	struct rc_chain_tips list;

	if (reply->err < 0) {
		c.fn.chain_tips(c.arg, reply, NULL);
		return;
	}
	tips = rc_alloc_array(body->n_tips, sizeof(*tips));
	for (size_t i = 0; i < body->n_tips; i++) {
		tips[i].height = body->tips[i]->height;
		rc_chaind_get32(body->tips[i]->id, tips[i].id.b);
		tips[i].branch_length = body->tips[i]->branch_length;
		tips[i].status = body->tips[i]->status;
	}
	list = (struct rc_chain_tips){body->n_tips, tips};
	c.fn.chain_tips(c.arg, reply, &list);
	free(tips);
}

uint64_t rc_chaind_chain_tips(struct rc_chaind *chaind, uint32_t deadline_ms, rc_chain_tips_fn fn,
			      void *arg)
{
	return rc_chaind_call(chaind, RC_MSG_CHAIN_TIPS, NULL, NULL, 0, deadline_ms,
			      chain_tips_answered, (union chaind_fn){.chain_tips = fn}, arg);
}

/* ---- the pool ---- */

static void mempool_info_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__MempoolInfoReply *body = reply->body;
	struct rc_mempool_info info;

	if (reply->err < 0) {
		c.fn.mempool_info(c.arg, reply, NULL);
		return;
	}
	info = (struct rc_mempool_info){
		.count = body->count,
		.bytes = body->bytes,
		.usage = body->usage,
		.max = body->max,
		.total_fee = body->total_fee,
		.min_fee_per_kb = body->min_fee_per_kb,
		.orphans = body->orphans,
		.sequence = body->sequence,
		.filling = body->filling,
	};
	c.fn.mempool_info(c.arg, reply, &info);
}

uint64_t rc_chaind_mempool_info(struct rc_chaind *chaind, uint32_t deadline_ms,
				rc_mempool_info_fn fn, void *arg)
{
	return rc_chaind_call(chaind, RC_MSG_MEMPOOL_INFO, NULL, NULL, 0, deadline_ms,
			      mempool_info_answered, (union chaind_fn){.mempool_info = fn}, arg);
}

bool rc_chaind_get_entry(const Rc__MempoolEntry *e, struct rc_arena *arena,
			 struct rc_mempool_entry *ret)
{
	*ret = (struct rc_mempool_entry){
		.size = e->size,
		.fee = e->fee,
		.time = e->time,
		.height = e->height,
		.ancestors = e->ancestors,
		.descendants = e->descendants,
		.ancestor_size = e->ancestor_size,
		.ancestor_fee = e->ancestor_fee,
		.n_depends = e->n_depends,
		.n_spent_by = e->n_spent_by,
	};
	return rc_chaind_get32(e->txid, ret->txid.b) && rc_chaind_get32(e->wtxid, ret->wtxid.b) &&
	       get_ids(e->n_depends, e->depends, arena, &ret->depends) &&
	       get_ids(e->n_spent_by, e->spent_by, arena, &ret->spent_by);
}

static void mempool_tx_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__MempoolTxReply *body = reply->body;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_mempool_entry entry;
	struct rc_reply r = *reply;

	if (r.err == RC_OK && (!body->entry || !rc_chaind_get_entry(body->entry, &arena, &entry)))
		rc_chaind_malformed(&r);
	if (r.err == RC_OK)
		entry.raw = bulk_of(reply, 0);
	c.fn.mempool_entry(c.arg, &r, r.err < 0 ? NULL : &entry);
	rc_arena_done(&arena);
}

uint64_t rc_chaind_mempool_tx(struct rc_chaind *chaind, const struct rc_txid *txid,
			      const struct rc_wtxid *wtxid, uint32_t deadline_ms,
			      rc_mempool_entry_fn fn, void *arg)
{
	Rc__MempoolTxRequest body = RC__MEMPOOL_TX_REQUEST__INIT;

	if (txid)
		body.txid = rc_chaind_field(txid->b, 32);
	else
		body.wtxid = rc_chaind_field(wtxid->b, 32);
	return rc_chaind_call(chaind, RC_MSG_MEMPOOL_TX, &body, NULL, 0, deadline_ms,
			      mempool_tx_answered, (union chaind_fn){.mempool_entry = fn}, arg);
}

static void pool_answer(struct chaind_call *c, const struct rc_reply *reply,
			const Rc__BlockRef *tip)
{
	struct rc_pool_answer answer;

	get_ref(tip, &answer.tip);
	answer.made = bulk_of(reply, 0);
	answer.spent = bulk_of(reply, 1);
	c->fn.pool_answer(c->arg, reply, reply->err < 0 ? NULL : &answer);
}

static void pool_coins_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__PoolCoinsReply *body = reply->body;

	pool_answer(&c, reply, body ? body->tip : NULL);
}

static void pool_lock_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__PoolLockReply *body = reply->body;

	pool_answer(&c, reply, body ? body->tip : NULL);
}

uint64_t rc_chaind_pool_coins(struct rc_chaind *chaind, struct rc_bytes outpoints,
			      uint32_t deadline_ms, rc_pool_answer_fn fn, void *arg)
{
	return rc_chaind_call(chaind, RC_MSG_POOL_COINS, NULL, &outpoints, 1, deadline_ms,
			      pool_coins_answered, (union chaind_fn){.pool_answer = fn}, arg);
}

uint64_t rc_chaind_pool_lock(struct rc_chaind *chaind, const struct rc_hash *lock_hash,
			     uint32_t deadline_ms, rc_pool_answer_fn fn, void *arg)
{
	Rc__PoolLockRequest body = RC__POOL_LOCK_REQUEST__INIT;

	body.lock_hash = rc_chaind_field(lock_hash->b, 32);
	return rc_chaind_call(chaind, RC_MSG_POOL_LOCK, &body, NULL, 0, deadline_ms,
			      pool_lock_answered, (union chaind_fn){.pool_answer = fn}, arg);
}

/* ---- mining, waiting ---- */

static bool get_template(const Rc__TemplateReply *body, struct rc_arena *arena,
			 struct rc_template *t)
{
	struct rc_template_tx *txs =
		rc_arena_alloc(arena, (body->n_transactions + 1) * sizeof(*txs));
	struct rc_bytes *outputs =
		rc_arena_alloc(arena, (body->n_coinbase_outputs + 1) * sizeof(*outputs));

	*t = (struct rc_template){
		.id = {body->template_id.data, body->template_id.len},
		.height = body->height,
		.time = body->time,
		.min_time = body->min_time,
		.max_time = body->max_time,
		.bits = body->bits,
		.coinbase_oxides = body->coinbase_oxides,
		.n_coinbase_outputs = body->n_coinbase_outputs,
		.coinbase_outputs = outputs,
		.size_limit = body->size_limit,
		.budget_limit = body->budget_limit,
		.n_txs = body->n_transactions,
		.txs = txs,
	};
	for (size_t i = 0; i < body->n_coinbase_outputs; i++)
		outputs[i] = (struct rc_bytes){body->coinbase_outputs[i].data,
					       body->coinbase_outputs[i].len};
	for (size_t i = 0; i < body->n_transactions; i++) {
		const Rc__TemplateReply__TemplateTx *tx = body->transactions[i];

		txs[i] = (struct rc_template_tx){
			.fee = tx->fee,
			.size = tx->size,
			.budget = tx->budget,
			.n_depends = tx->n_depends,
			.depends = tx->depends,
		};
		if (!rc_chaind_get32(tx->txid, txs[i].txid.b) ||
		    !rc_chaind_get32(tx->wtxid, txs[i].wtxid.b))
			return false;
	}
	return rc_chaind_get32(body->prev, t->prev.b) &&
	       rc_chaind_get32(body->state_root, t->state_root.b);
}

static void template_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_template t;
	struct rc_reply r = *reply;

	if (r.err == RC_OK && !get_template(reply->body, &arena, &t))
		rc_chaind_malformed(&r);
	if (r.err == RC_OK)
		t.raw_txs = bulk_of(reply, 0);
	c.fn.template_(c.arg, &r, r.err < 0 ? NULL : &t);
	rc_arena_done(&arena);
}

uint64_t rc_chaind_template(struct rc_chaind *chaind, struct rc_bytes known, uint32_t wait_ms,
			    bool force, uint32_t deadline_ms, rc_template_fn fn, void *arg)
{
	Rc__TemplateRequest body = RC__TEMPLATE_REQUEST__INIT;

	body.known = rc_chaind_field(known.data, known.len);
	body.wait_ms = wait_ms;
	body.force = force;
	return rc_chaind_call(chaind, RC_MSG_TEMPLATE, &body, NULL, 0, deadline_ms,
			      template_answered, (union chaind_fn){.template_ = fn}, arg);
}

static void wait_tip_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__WaitTipReply *body = reply->body;
	struct rc_block_ref ref;

	if (reply->err == RC_OK)
		get_ref(body->tip, &ref);
	c.fn.block_ref(c.arg, reply, reply->err < 0 ? NULL : &ref);
}

uint64_t rc_chaind_wait_tip(struct rc_chaind *chaind, const struct rc_block_id *known,
			    uint32_t min_height, uint32_t wait_ms, uint32_t deadline_ms,
			    rc_block_ref_fn fn, void *arg)
{
	Rc__WaitTipRequest body = RC__WAIT_TIP_REQUEST__INIT;

	if (known)
		body.known = rc_chaind_field(known->b, 32);
	body.min_height = min_height;
	body.wait_ms = wait_ms;
	return rc_chaind_call(chaind, RC_MSG_WAIT_TIP, &body, NULL, 0, deadline_ms,
			      wait_tip_answered, (union chaind_fn){.block_ref = fn}, arg);
}

/* ---- of peers ---- */

static void headers_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	struct rc_bytes bytes = bulk_of(reply, 0);
	struct rc_reply r = *reply;

	if (r.err == RC_OK && bytes.len % RC_HEADER_SIZE)
		rc_chaind_malformed(&r);
	c.fn.bytes(c.arg, &r, r.err < 0 ? NULL : &bytes);
}

uint64_t rc_chaind_headers(struct rc_chaind *chaind, const struct rc_block_id *locator,
			   size_t n_locator, const struct rc_block_id *stop, uint32_t max,
			   uint32_t deadline_ms, rc_bytes_fn fn, void *arg)
{
	Rc__HeadersRequest body = RC__HEADERS_REQUEST__INIT;
	uint64_t id;

	body.n_locator = n_locator;
	body.locator = put_ids(locator, n_locator);
	if (stop)
		body.stop = rc_chaind_field(stop->b, 32);
	body.max = max;
	id = rc_chaind_call(chaind, RC_MSG_HEADERS, &body, NULL, 0, deadline_ms, headers_answered,
			    (union chaind_fn){.bytes = fn}, arg);
	free(body.locator);
	return id;
}

static void locator_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__LocatorReply *body = reply->body;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_locator locator = {0};
	struct rc_reply r = *reply;

	if (r.err == RC_OK) {
		locator.n = body->n_ids;
		get_ref(body->best_header, &locator.best_header);
		if (!get_ids(body->n_ids, body->ids, &arena, &locator.ids))
			rc_chaind_malformed(&r);
	}
	c.fn.locator(c.arg, &r, r.err < 0 ? NULL : &locator);
	rc_arena_done(&arena);
}

uint64_t rc_chaind_locator(struct rc_chaind *chaind, const struct rc_block_id *from,
			   uint32_t deadline_ms, rc_locator_fn fn, void *arg)
{
	Rc__LocatorRequest body = RC__LOCATOR_REQUEST__INIT;

	if (from)
		body.from = rc_chaind_field(from->b, 32);
	return rc_chaind_call(chaind, RC_MSG_LOCATOR, &body, NULL, 0, deadline_ms, locator_answered,
			      (union chaind_fn){.locator = fn}, arg);
}

static void submit_headers_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__SubmitHeadersReply *body = reply->body;
	struct rc_submit_headers result = {0};

	if (reply->err < 0) {
		c.fn.submit_headers(c.arg, reply, NULL);
		return;
	}
	result.verdict = body->verdict;
	result.verdict_class = body->verdict_class;
	result.accepted = body->accepted;
	get_ref(body->last, &result.last);
	rc_chaind_get32(body->last_work, result.last_work);
	result.wanted = body->wanted;
	result.go_on = rc_chaind_get32(body->ask_from, result.ask_from.b);
	c.fn.submit_headers(c.arg, reply, &result);
}

uint64_t rc_chaind_submit_headers(struct rc_chaind *chaind, uint64_t peer, struct rc_bytes headers,
				  uint32_t deadline_ms, rc_submit_headers_fn fn, void *arg)
{
	Rc__SubmitHeadersRequest body = RC__SUBMIT_HEADERS_REQUEST__INIT;

	body.peer = peer;
	return rc_chaind_call(chaind, RC_MSG_SUBMIT_HEADERS, &body, &headers, 1, deadline_ms,
			      submit_headers_answered, (union chaind_fn){.submit_headers = fn},
			      arg);
}

static void submit_block_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__SubmitBlockReply *body = reply->body;
	struct rc_submit_block result = {0};

	if (reply->err < 0) {
		c.fn.submit_block(c.arg, reply, NULL);
		return;
	}
	result.verdict = body->verdict;
	result.verdict_class = body->verdict_class;
	result.fault_of_message = body->fault_of_message;
	result.duplicate = body->duplicate;
	result.block.height = body->height;
	rc_chaind_get32(body->id, result.block.id.b);
	c.fn.submit_block(c.arg, reply, &result);
}

uint64_t rc_chaind_submit_block(struct rc_chaind *chaind, uint64_t peer, bool wait_connect,
				struct rc_bytes block, uint32_t deadline_ms, rc_submit_block_fn fn,
				void *arg)
{
	Rc__SubmitBlockRequest body = RC__SUBMIT_BLOCK_REQUEST__INIT;

	body.peer = peer;
	body.wait_connect = wait_connect;
	return rc_chaind_call(chaind, RC_MSG_SUBMIT_BLOCK, &body, &block, 1, deadline_ms,
			      submit_block_answered, (union chaind_fn){.submit_block = fn}, arg);
}

static bool get_tx_result(const Rc__SubmitTxReply__Result *in, struct rc_arena *arena,
			  struct rc_submit_tx *ret)
{
	*ret = (struct rc_submit_tx){
		.verdict = in->verdict,
		.verdict_class = in->verdict_class,
		.fee = in->fee,
		.size = in->size,
		.duplicate = in->duplicate,
		.orphan = in->orphan,
		.n_missing = in->n_missing,
		.reason = in->reason,
	};
	return rc_chaind_get32(in->txid, ret->txid.b) && rc_chaind_get32(in->wtxid, ret->wtxid.b) &&
	       get_ids(in->n_missing, in->missing, arena, &ret->missing);
}

static void submit_txs_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__SubmitTxReply *body = reply->body;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_submit_txs txs = {0};
	struct rc_submit_tx *results;
	struct rc_reply r = *reply;

	if (r.err == RC_OK) {
		results = rc_arena_alloc(&arena, (body->n_results + 1) * sizeof(*results));
		txs = (struct rc_submit_txs){body->n_results, results};
		for (size_t i = 0; r.err == RC_OK && i < body->n_results; i++) {
			if (!get_tx_result(body->results[i], &arena, &results[i]))
				rc_chaind_malformed(&r);
		}
	}
	c.fn.submit_txs(c.arg, &r, r.err < 0 ? NULL : &txs);
	rc_arena_done(&arena);
}

uint64_t rc_chaind_submit_txs(struct rc_chaind *chaind, uint64_t peer, bool test_only,
			      uint64_t max_fee_rate, const struct rc_bytes *txs, size_t n_txs,
			      uint32_t deadline_ms, rc_submit_txs_fn fn, void *arg)
{
	Rc__SubmitTxRequest body = RC__SUBMIT_TX_REQUEST__INIT;

	body.peer = peer;
	body.test_only = test_only;
	body.max_fee_rate = max_fee_rate;
	return rc_chaind_call(chaind, RC_MSG_SUBMIT_TX, &body, txs, n_txs, deadline_ms,
			      submit_txs_answered, (union chaind_fn){.submit_txs = fn}, arg);
}

static void wanted_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__WantedReply *body = reply->body;
	struct rc_reply r = *reply;
	struct rc_wanted wanted = {0};
	struct rc_lease *leases = NULL;

	if (r.err == RC_OK) {
		leases = rc_alloc_array(body->n_leases, sizeof(*leases));
		wanted = (struct rc_wanted){body->n_leases, leases};
		for (size_t i = 0; i < body->n_leases; i++) {
			leases[i].peer = body->leases[i]->peer;
			leases[i].height = body->leases[i]->height;
			leases[i].lease_ms = body->leases[i]->lease_ms;
			if (!rc_chaind_get32(body->leases[i]->id, leases[i].id.b))
				rc_chaind_malformed(&r);
		}
	}
	c.fn.wanted(c.arg, &r, r.err < 0 ? NULL : &wanted);
	free(leases);
}

uint64_t rc_chaind_wanted(struct rc_chaind *chaind, const struct rc_wanted_peer *peers,
			  size_t n_peers, uint32_t max_per_peer, uint32_t wait_ms,
			  uint32_t deadline_ms, rc_wanted_fn fn, void *arg)
{
	Rc__WantedRequest body = RC__WANTED_REQUEST__INIT;
	Rc__WantedRequest__PeerTip *tips = rc_alloc_array(n_peers, sizeof(*tips));
	Rc__WantedRequest__PeerTip **list = rc_alloc_array(n_peers, sizeof(*list));
	uint64_t id;

	for (size_t i = 0; i < n_peers; i++) {
		tips[i] = (Rc__WantedRequest__PeerTip)RC__WANTED_REQUEST__PEER_TIP__INIT;
		tips[i].peer = peers[i].peer;
		tips[i].tip = rc_chaind_field(peers[i].tip.b, 32);
		tips[i].in_flight = peers[i].in_flight;
		tips[i].n_failed = peers[i].n_failed;
		tips[i].failed = put_ids(peers[i].failed, peers[i].n_failed);
		list[i] = &tips[i];
	}
	body.n_peers = n_peers;
	body.peers = list;
	body.wait_ms = wait_ms;
	body.max_per_peer = max_per_peer;
	id = rc_chaind_call(chaind, RC_MSG_WANTED, &body, NULL, 0, deadline_ms, wanted_answered,
			    (union chaind_fn){.wanted = fn}, arg);
	for (size_t i = 0; i < n_peers; i++)
		free(tips[i].failed);
	free(list);
	free(tips);
	return id;
}

static void have_txs_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__HaveTxsReply *body = reply->body;
	struct rc_have_txs have = {bulk_of(reply, 0), body ? body->lease_ms : 0};
	struct rc_reply r = *reply;

	if (r.err == RC_OK && have.wanted.len % 32)
		rc_chaind_malformed(&r);
	c.fn.have_txs(c.arg, &r, r.err < 0 ? NULL : &have);
}

uint64_t rc_chaind_have_txs(struct rc_chaind *chaind, uint64_t peer, const struct rc_wtxid *wtxids,
			    size_t n_wtxids, uint32_t deadline_ms, rc_have_txs_fn fn, void *arg)
{
	Rc__HaveTxsRequest body = RC__HAVE_TXS_REQUEST__INIT;
	struct rc_bytes bulk = {wtxids->b, n_wtxids * 32};

	body.peer = peer;
	return rc_chaind_call(chaind, RC_MSG_HAVE_TXS, &body, &bulk, 1, deadline_ms,
			      have_txs_answered, (union chaind_fn){.have_txs = fn}, arg);
}

static void pool_txs_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__PoolTxsReply *body = reply->body;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_pool_txs txs = {0};
	struct rc_reply r = *reply;

	if (r.err == RC_OK) {
		txs = (struct rc_pool_txs){body->n_found, NULL, reply->bulk, body->looked};
		if (reply->n_bulk != body->n_found ||
		    !get_ids(body->n_found, body->found, &arena, &txs.found))
			rc_chaind_malformed(&r);
	}
	c.fn.pool_txs(c.arg, &r, r.err < 0 ? NULL : &txs);
	rc_arena_done(&arena);
}

uint64_t rc_chaind_pool_txs(struct rc_chaind *chaind, const struct rc_wtxid *wtxids,
			    size_t n_wtxids, uint32_t deadline_ms, rc_pool_txs_fn fn, void *arg)
{
	struct rc_bytes bulk = {wtxids->b, n_wtxids * 32};

	return rc_chaind_call(chaind, RC_MSG_POOL_TXS, NULL, &bulk, 1, deadline_ms,
			      pool_txs_answered, (union chaind_fn){.pool_txs = fn}, arg);
}

/* ---- without a result, and administration ---- */

static void done_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);

	c.fn.done(c.arg, reply);
}

uint64_t rc_chaind_release(struct rc_chaind *chaind, const struct rc_block_id *ids, size_t n_ids,
			   uint32_t deadline_ms, rc_done_fn fn, void *arg)
{
	Rc__ReleaseRequest body = RC__RELEASE_REQUEST__INIT;
	uint64_t id;

	body.n_ids = n_ids;
	body.ids = put_ids(ids, n_ids);
	id = rc_chaind_call(chaind, RC_MSG_RELEASE, &body, NULL, 0, deadline_ms, done_answered,
			    (union chaind_fn){.done = fn}, arg);
	free(body.ids);
	return id;
}

static void generate_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__GenerateReply *body = reply->body;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_block_ids ids = {0};
	struct rc_reply r = *reply;

	if (r.err == RC_OK) {
		ids.n = body->n_ids;
		if (!get_ids(body->n_ids, body->ids, &arena, &ids.ids))
			rc_chaind_malformed(&r);
	}
	c.fn.block_ids(c.arg, &r, r.err < 0 ? NULL : &ids);
	rc_arena_done(&arena);
}

uint64_t rc_chaind_generate(struct rc_chaind *chaind, struct rc_bytes lock, uint32_t goal_height,
			    uint64_t max_tries, uint32_t deadline_ms, rc_block_ids_fn fn, void *arg)
{
	Rc__GenerateRequest body = RC__GENERATE_REQUEST__INIT;

	body.lock = rc_chaind_field(lock.data, lock.len);
	body.goal_height = goal_height;
	body.max_tries = max_tries;
	return rc_chaind_call(chaind, RC_MSG_GENERATE, &body, NULL, 0, deadline_ms,
			      generate_answered, (union chaind_fn){.block_ids = fn}, arg);
}

uint64_t rc_chaind_invalidate_block(struct rc_chaind *chaind, const struct rc_block_id *id,
				    uint32_t deadline_ms, rc_done_fn fn, void *arg)
{
	Rc__InvalidateBlockRequest body = RC__INVALIDATE_BLOCK_REQUEST__INIT;

	body.id = rc_chaind_field(id->b, 32);
	return rc_chaind_call(chaind, RC_MSG_INVALIDATE_BLOCK, &body, NULL, 0, deadline_ms,
			      done_answered, (union chaind_fn){.done = fn}, arg);
}

uint64_t rc_chaind_reconsider_block(struct rc_chaind *chaind, const struct rc_block_id *id,
				    uint32_t deadline_ms, rc_done_fn fn, void *arg)
{
	Rc__ReconsiderBlockRequest body = RC__RECONSIDER_BLOCK_REQUEST__INIT;

	body.id = rc_chaind_field(id->b, 32);
	return rc_chaind_call(chaind, RC_MSG_RECONSIDER_BLOCK, &body, NULL, 0, deadline_ms,
			      done_answered, (union chaind_fn){.done = fn}, arg);
}

uint64_t rc_chaind_set_mock_time(struct rc_chaind *chaind, uint32_t time, uint32_t deadline_ms,
				 rc_done_fn fn, void *arg)
{
	Rc__SetMockTimeRequest body = RC__SET_MOCK_TIME_REQUEST__INIT;

	body.time = time;
	return rc_chaind_call(chaind, RC_MSG_SET_MOCK_TIME, &body, NULL, 0, deadline_ms,
			      done_answered, (union chaind_fn){.done = fn}, arg);
}
