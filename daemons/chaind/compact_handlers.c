/*
 * Compact blocks: made of the blocks here for peers, and made whole again of the pool's
 * transactions when a peer sends one. A block is told of before it is connected: who asks for it
 * then is served from memory.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemons/chaind/handlers.h"

/* Deeper below the tip than this a block is given whole (BIP152: 5, and 10 for its transactions):
 * pools have long forgotten its transactions, and every answer reads a block. */
#define COMPACT_DEPTH 5
#define TXNS_DEPTH    10

static bool deep(struct chaind *chaind, const struct block_node *node, uint32_t depth)
{
	return node_height(node) + depth < node_height(chain_tip(&chaind->chain));
}

/* ---- parts of a block for peers ---- */

struct part {
	struct chaind *chaind;
	struct rc_block_id id;
	struct rc_request *request;
	enum rc_message message;
	bool whole;
	uint64_t nonce;
	uint32_t *places;
	size_t n_places;
	bool no_such_place;
	bool unreadable;
	struct rc_arena arena; /* of the places */
	struct rc_buf out;
};

/* Who asks for one form after the other of old blocks has each of them read and hashed once. */
static const struct made_compact *find_made(const struct chaind *chaind,
					    const struct rc_block_id *id)
{
	for (size_t i = 0; i < MADE_COMPACTS; i++) {
		const struct made_compact *made = &chaind->compacts[i];

		if (made->raw.len && rc_block_id_eq(&made->id, id))
			return made;
	}
	return NULL;
}

static void keep_made(struct chaind *chaind, const struct part *part)
{
	struct made_compact *made = &chaind->compacts[chaind->next_compact % MADE_COMPACTS];

	if (part->message != RC_MSG_COMPACT_BLOCK || part->whole || part->unreadable ||
	    find_made(chaind, &part->id))
		return;
	chaind->next_compact++;
	made->id = part->id;
	rc_buf_clear(&made->raw);
	rc_buf_put(&made->raw, part->out.data, part->out.len);
}

static void answer_part(struct part *part)
{
	struct rc_bytes bulk = {part->out.data, part->out.len};

	if (part->unreadable) {
		rc_request_fail(part->request, RC_ENOENT, "the block's body can't be read");
	} else if (part->message == RC_MSG_COMPACT_BLOCK) {
		Rc__CompactBlockReply reply = RC__COMPACT_BLOCK_REPLY__INIT;

		reply.whole = part->whole;
		rc_request_reply_bulk(part->request, &reply, &bulk, 1);
	} else {
		Rc__BlockTxnsReply reply = RC__BLOCK_TXNS_REPLY__INIT;

		reply.whole = part->whole;
		reply.no_such_place = part->no_such_place;
		rc_request_reply_bulk(part->request, &reply, &bulk, 1);
	}
	rc_buf_done(&part->out);
	rc_arena_done(&part->arena);
	free(part);
}

/* Any thread: of a block's bytes, the transactions at some places, which ascend. Without their
 * hashes: these are as dear as all the rest. */
static void take_txns(struct part *part, const void *data, size_t len)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_block_reader reader;
	size_t next = 0;

	part->unreadable = !rc_block_reader_init(&reader, data, len);
	part->no_such_place = part->places[part->n_places - 1] >= reader.n_txs;
	for (uint32_t i = 0; next < part->n_places && !part->unreadable && !part->no_such_place;
	     i++) {
		struct rc_tx tx;

		rc_tx_read(&reader.r, &arena, &tx);
		part->unreadable = reader.r.failed;
		if (part->places[next] == i && !part->unreadable) {
			rc_buf_put(&part->out, tx.raw.data, tx.raw.len);
			next++;
		}
		rc_arena_reset(&arena);
	}
	rc_arena_done(&arena);
}

/* On a reader's thread. */
static void part_read(void *arg, struct rc_buf *buf)
{
	struct part *part = arg;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_block block;

	if (!buf->data) {
		part->unreadable = true;
	} else if (part->whole) {
		part->out = *buf;
		*buf = RC_BUF_INIT;
	} else if (part->message == RC_MSG_BLOCK_TXNS) {
		take_txns(part, buf->data, buf->len);
	} else if (rc_block_decode(buf->data, buf->len, &arena, &block)) {
		rc_compact_encode(&block, part->nonce, &part->out);
	} else {
		part->unreadable = true;
	}
	rc_arena_done(&arena);
}

static void part_here(void *arg, struct rc_buf *buf)
{
	struct part *part = arg;

	(void)buf;
	keep_made(part->chaind, part);
	answer_part(part);
}

/* What is in memory of this block; false: nothing. */
static bool take_recent(struct chaind *chaind, struct part *part)
{
	const struct made_compact *made = find_made(chaind, &part->id);
	const struct body *recent = chaind->recent;

	if (made && part->message == RC_MSG_COMPACT_BLOCK) {
		rc_buf_put(&part->out, made->raw.data, made->raw.len);
		return true;
	}
	if (!recent || !rc_block_id_eq(&recent->block.id, &part->id))
		return false;
	if (part->message == RC_MSG_COMPACT_BLOCK)
		rc_compact_encode(&recent->block, part->nonce, &part->out);
	else
		take_txns(part, recent->raw.data, recent->raw.len);
	keep_made(chaind, part);
	return true;
}

static void find_part(struct chaind *chaind, struct part *part, const struct block_node *node,
		      uint32_t depth)
{
	char hex[RC_ID_HEX];

	part->chaind = chaind;
	part->id = node->id;
	part->whole = deep(chaind, node, depth);
	if (!(node->flags & NODE_BODY) || node_bad(node) || node == chaind->chain.genesis) {
		rc_request_fail(part->request, RC_ENOENT, "the body of block %s is not stored",
				rc_block_id_hex(hex, &node->id));
		rc_arena_done(&part->arena);
		free(part);
	} else if (!part->whole && take_recent(chaind, part)) {
		answer_part(part);
	} else {
		blockstore_get(chaind->store, node, part_read, part_here, part);
	}
}

static struct part *part_new(struct rc_request *request, enum rc_message message)
{
	struct part *part = rc_alloc(sizeof(*part));

	part->request = request;
	part->message = message;
	return part;
}

void on_compact_block(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__CompactBlockRequest *body = rc_request_body(request);
	struct block_node *node = take_block(chaind, request, body->id);
	struct part *part;

	if (!node)
		return;
	part = part_new(request, RC_MSG_COMPACT_BLOCK);
	part->nonce = rc_random_u64(chaind->random);
	find_part(chaind, part, node, COMPACT_DEPTH);
}

void on_block_txns(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__BlockTxnsRequest *body = rc_request_body(request);
	struct block_node *node = take_block(chaind, request, body->id);
	struct rc_bytes places;
	struct part *part;
	size_t n;

	if (!node || !take_items(request, 1, &places, &n))
		return;
	part = part_new(request, RC_MSG_BLOCK_TXNS);
	if (!rc_indexes_decode(places.data, places.len, RC_COMPACT_TXS_MAX(RC_BLOCK_SIZE_MAX),
			       &part->arena, &part->places, &part->n_places)) {
		rc_request_fail(request, RC_EINVAL, "bulk frame 0 is no list of places");
		rc_arena_done(&part->arena);
		free(part);
		return;
	}
	find_part(chaind, part, node, TXNS_DEPTH);
}

/* ---- a peer's compact block ---- */

struct rebuild_request {
	struct chaind *chaind;
	struct rc_request *request;
	uint64_t number; /* of the wait for its verdict; 0: none yet */
	bool done;
	uint32_t n_txs;
};

static void fill_verdict(Rc__RebuildReply *reply, enum rc_verdict verdict)
{
	reply->verdict = (char *)rc_verdict_name(verdict);
	reply->verdict_class = (char *)rc_verdict_class_name(rc_verdict_class(verdict));
}

static void reply_rebuild(struct rc_request *request, Rc__RebuildReply *reply,
			  const struct rc_block_id *id, const struct rc_buf *missing)
{
	struct rc_bytes bulk = {missing ? missing->data : NULL, missing ? missing->len : 0};

	reply->id = field_of(id->b, sizeof(id->b));
	rc_request_reply_bulk(request, reply, &bulk, 1);
}

static void rebuilt(void *arg, const struct block_result *result)
{
	struct rebuild_request *r = arg;
	struct chaind *chaind = r->chaind;
	Rc__RebuildReply reply = RC__REBUILD_REPLY__INIT;
	bool invalid = rc_verdict_class(result->verdict) == RC_CLASS_INVALID;

	rc_request_on_cancel(r->request, NULL, NULL);
	if (result->err < 0) {
		rc_request_fail(r->request, result->err, "chaind is stopping");
	} else {
		/* Its root shows that a short id was another transaction's: nobody's fault. */
		reply.ambiguous = result->fault_of_message;
		fill_verdict(&reply, reply.ambiguous ? RC_VERDICT_OK : result->verdict);
		reply.fault_of_sender = invalid && !reply.ambiguous && !result->duplicate;
		reply.duplicate = result->duplicate;
		reply.height = result->height;
		reply.transactions = r->n_txs;
		rc_metric_add(chaind->metrics,
			      reply.ambiguous ? METRIC_REBUILD_AMBIGUOUS : METRIC_REBUILT, 1);
		reply_rebuild(r->request, &reply, &result->id, NULL);
	}
	r->done = true;
	if (r->number)
		free(r);
}

static void rebuild_cancelled(void *arg, struct rc_request *request)
{
	struct rebuild_request *r = arg;

	chaind_forget_block(r->chaind, r->number);
	rc_request_fail(request, RC_EDEADLINE, "the block was not decided in time");
	free(r);
}

static void take_in(struct chaind *chaind, struct rc_request *request, uint64_t peer,
		    const struct rc_buf *block, uint32_t n_txs)
{
	struct rebuild_request *r = rc_alloc(sizeof(*r));
	uint64_t number;

	r->chaind = chaind;
	r->request = request;
	r->n_txs = n_txs;
	number = chaind_submit_block(chaind, peer, block->data, block->len, BLOCK_CHECKED, rebuilt,
				     r);
	if (r->done) {
		free(r);
		return;
	}
	r->number = number;
	rc_request_on_cancel(request, rebuild_cancelled, r);
}

/* The transactions that were missing before: one for each place, and nothing after them. */
static bool take_given(struct rc_request *request, uint32_t n_txs, struct rc_arena *arena,
		       uint32_t **ret_places, struct rc_bytes **ret_txs, size_t *ret_n)
{
	struct rc_bytes places = rc_request_bulk(request, 1), txs = rc_request_bulk(request, 2);
	struct rc_reader r = rc_reader_of(txs.data, txs.len);

	*ret_n = 0;
	if (places.len == 0)
		return txs.len == 0;
	if (!rc_indexes_decode(places.data, places.len, n_txs, arena, ret_places, ret_n))
		return false;
	*ret_txs = rc_arena_alloc(arena, *ret_n * sizeof(**ret_txs));
	for (size_t i = 0; i < *ret_n && !r.failed; i++) {
		struct rc_tx tx;

		rc_tx_read(&r, arena, &tx);
		(*ret_txs)[i] = tx.raw;
	}
	return rc_reader_end(&r);
}

static void rebuild_from_pool(struct chaind *chaind, struct rc_request *request, uint64_t peer,
			      const struct rc_compact *compact, const uint32_t *places,
			      const struct rc_bytes *given, size_t n_given)
{
	struct rebuild_from from = {&chaind->pool, &chaind->orphans, &chaind->leftovers,
				    rc_random_u64(chaind->random),
				    chaind->network->params.block_limit};
	struct rc_buf block = RC_BUF_INIT, missing = RC_BUF_INIT;
	Rc__RebuildReply reply = RC__REBUILD_REPLY__INIT;
	enum rebuild_outcome outcome =
		rebuild(&from, compact, places, given, n_given, &block, &missing, &reply.missing);
	char hex[RC_ID_HEX];

	rc_log(RC_LOG_DEBUG, "compact block %s of peer %llu: %u transactions, %u missing",
	       rc_block_id_hex(hex, &compact->id), (unsigned long long)peer, compact->n_txs,
	       reply.missing);
	if (outcome == REBUILD_WHOLE) {
		take_in(chaind, request, peer, &block, compact->n_txs);
	} else {
		fill_verdict(&reply, RC_VERDICT_OK);
		reply.ambiguous = outcome == REBUILD_AMBIGUOUS;
		reply.height = compact->header.height;
		reply.transactions = compact->n_txs;
		rc_metric_add(chaind->metrics,
			      reply.ambiguous ? METRIC_REBUILD_AMBIGUOUS : METRIC_REBUILD_MISSING,
			      reply.ambiguous ? 1 : reply.missing);
		reply_rebuild(request, &reply, &compact->id, &missing);
	}
	rc_buf_done(&block);
	rc_buf_done(&missing);
}

/* Its header, judged as any other, before anything is put together. False: answered. */
static bool take_header(struct chaind *chaind, struct rc_request *request, uint64_t peer,
			const struct rc_compact *compact, const uint8_t *raw)
{
	bool known = chain_find(&chaind->chain, &compact->id) != NULL;
	/* Before the header wakes who fetches blocks: this one is on its way. */
	bool held =
		download_hold(&chaind->download, &compact->id, peer,
			      rc_request_client_boot(request), rc_mono_us(&chaind->clock) / 1000);
	Rc__RebuildReply reply = RC__REBUILD_REPLY__INIT;
	struct rc_block_id none = {{0}};
	struct headers_result result;

	chaind_submit_headers(chaind, (struct presync_who){rc_request_client_boot(request), peer},
			      raw, 1, &result);
	if (result.verdict == RC_VERDICT_OK && result.last && !(result.last->flags & NODE_BODY))
		return true;
	if (held)
		download_release(&chaind->download, &compact->id);
	if (result.verdict == RC_VERDICT_OK && !result.last)
		result.verdict = RC_V_HEADER_PARENT_UNKNOWN; /* a branch of too little work */
	fill_verdict(&reply, result.verdict);
	/* A block that failed later on was told on by who couldn't know. */
	reply.fault_of_sender = !known && rc_verdict_class(result.verdict) == RC_CLASS_INVALID;
	reply.duplicate = result.verdict == RC_VERDICT_OK;
	reply.height = compact->header.height;
	reply_rebuild(request, &reply, result.last ? &compact->id : &none, NULL);
	return false;
}

void on_rebuild(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__RebuildRequest *body = rc_request_body(request);
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_compact compact;
	struct rc_bytes raw, *given = NULL;
	uint32_t *places = NULL;
	size_t n_given;

	if (rc_request_n_bulk(request) != 3) {
		rc_request_fail(request, RC_EINVAL,
				"a compact block, places and transactions, "
				"in three bulk frames");
		return;
	}
	raw = rc_request_bulk(request, 0);
	if (!rc_compact_decode(raw.data, raw.len, chaind->network->params.block_limit, &arena,
			       &compact))
		rc_request_fail(request, RC_EINVAL, "bulk frame 0 is no compact block");
	else if (!take_given(request, compact.n_txs, &arena, &places, &given, &n_given))
		rc_request_fail(request, RC_EINVAL,
				"bulk frame 2 isn't the transactions of the places of frame 1");
	else if (take_header(chaind, request, body->peer, &compact, raw.data))
		rebuild_from_pool(chaind, request, body->peer, &compact, places, given, n_given);
	rc_arena_done(&arena);
}
