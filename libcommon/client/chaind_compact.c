/* Blocks in compact form, asked of chaind and given to it. See chaind.h. */
#include "client/chaind_call.h"

static void compact_block_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__CompactBlockReply *body = reply->body;
	struct rc_block_part part = {0};
	struct rc_reply r = *reply;

	if (r.err == RC_OK && r.n_bulk != 1)
		rc_chaind_malformed(&r);
	if (r.err == RC_OK)
		part = (struct rc_block_part){.whole = body->whole, .raw = r.bulk[0]};
	c.fn.block_part(c.arg, &r, r.err < 0 ? NULL : &part);
}

uint64_t rc_chaind_compact_block(struct rc_chaind *chaind, const struct rc_block_id *id,
				 uint32_t deadline_ms, rc_block_part_fn fn, void *arg)
{
	Rc__CompactBlockRequest body = RC__COMPACT_BLOCK_REQUEST__INIT;

	body.id = rc_chaind_field(id->b, sizeof(id->b));
	return rc_chaind_call(chaind, RC_MSG_COMPACT_BLOCK, &body, NULL, 0, deadline_ms,
			      compact_block_answered, (union chaind_fn){.block_part = fn}, arg);
}

static void block_txns_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__BlockTxnsReply *body = reply->body;
	struct rc_block_part part = {0};
	struct rc_reply r = *reply;

	if (r.err == RC_OK && r.n_bulk != 1)
		rc_chaind_malformed(&r);
	if (r.err == RC_OK)
		part = (struct rc_block_part){body->whole, body->no_such_place, r.bulk[0]};
	c.fn.block_part(c.arg, &r, r.err < 0 ? NULL : &part);
}

uint64_t rc_chaind_block_txns(struct rc_chaind *chaind, const struct rc_block_id *id,
			      struct rc_bytes places, uint32_t deadline_ms, rc_block_part_fn fn,
			      void *arg)
{
	Rc__BlockTxnsRequest body = RC__BLOCK_TXNS_REQUEST__INIT;

	body.id = rc_chaind_field(id->b, sizeof(id->b));
	return rc_chaind_call(chaind, RC_MSG_BLOCK_TXNS, &body, &places, 1, deadline_ms,
			      block_txns_answered, (union chaind_fn){.block_part = fn}, arg);
}

static void rebuild_answered(void *arg, const struct rc_reply *reply)
{
	struct chaind_call c = rc_chaind_take(arg);
	const Rc__RebuildReply *body = reply->body;
	struct rc_rebuild result = {0};
	struct rc_reply r = *reply;

	if (r.err == RC_OK && r.n_bulk != 1)
		rc_chaind_malformed(&r);
	if (r.err == RC_OK) {
		result = (struct rc_rebuild){
			.verdict = body->verdict,
			.verdict_class = body->verdict_class,
			.fault_of_sender = body->fault_of_sender,
			.duplicate = body->duplicate,
			.block.height = body->height,
			.missing = body->missing,
			.ambiguous = body->ambiguous,
			.transactions = body->transactions,
			.places = r.bulk[0],
		};
		rc_chaind_get32(body->id, result.block.id.b);
	}
	c.fn.rebuild(c.arg, &r, r.err < 0 ? NULL : &result);
}

uint64_t rc_chaind_rebuild(struct rc_chaind *chaind, uint64_t peer, struct rc_bytes compact,
			   struct rc_bytes places, struct rc_bytes txs, uint32_t deadline_ms,
			   rc_rebuild_fn fn, void *arg)
{
	Rc__RebuildRequest body = RC__REBUILD_REQUEST__INIT;
	struct rc_bytes bulk[3] = {compact, places, txs};

	body.peer = peer;
	return rc_chaind_call(chaind, RC_MSG_REBUILD, &body, bulk, 3, deadline_ms, rebuild_answered,
			      (union chaind_fn){.rebuild = fn}, arg);
}
