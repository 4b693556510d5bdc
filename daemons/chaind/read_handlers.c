/* Questions about the chain and its blocks. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "consensus/subsidy.h"
#include "daemons/chaind/handlers.h"

/* Headers of one answer: a message of peers holds 2,000. */
#define HEADERS_MAX 2000
/* Branch ends of one answer. */
#define TIPS_MAX 1000

/* ---- the chain at a glance ---- */

/* The sum of all subsidies up to a height: by eras of halving, never block by block. */
static uint64_t supply_at(const struct rc_network *network, uint32_t height)
{
	uint64_t sum = 0, first = 1;

	while (first <= height) {
		uint32_t halving = network->params.halving;
		uint64_t last = (first / halving + 1) * (uint64_t)halving - 1;
		uint64_t subsidy = rc_subsidy(network, (uint32_t)first);

		if (subsidy == 0)
			break;
		if (last > height)
			last = height;
		sum += subsidy * (last - first + 1);
		first = last + 1;
	}
	return sum;
}

static size_t warnings_of(struct chaind *chaind, char *ret_warnings[2])
{
	const struct rc_network_params *p = &chaind->network->params;
	struct block_node *tip = chain_tip(&chaind->chain);
	size_t n = 0;

	if (p->retarget == RC_RETARGET_ASERT && tip == chaind->chain.genesis &&
	    chaind_now(chaind) > (uint64_t)p->genesis_time + p->half_life)
		ret_warnings[n++] = "the network's genesis time is long past and nobody has mined "
				    "yet: the difficulty starts at its limit";
	if (chaind->connect.best != tip && chaind->connect.switching)
		ret_warnings[n++] = "a reorganisation is under way";
	return n;
}

void on_chain_info(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const struct connector *c = &chaind->connect;
	struct block_node *tip = chain_tip(&chaind->chain);
	Rc__ChainInfoReply reply = RC__CHAIN_INFO_REPLY__INIT;
	Rc__BlockRef tip_ref = RC__BLOCK_REF__INIT, durable = RC__BLOCK_REF__INIT;
	Rc__BlockRef best = RC__BLOCK_REF__INIT;
	char *warnings[2];
	uint8_t work[32];

	if (!take_tip(chaind, request))
		return;
	fill_ref(&tip_ref, tip);
	fill_ref(&best, chaind->chain.best_header);
	durable.height = c->durable_height;
	durable.id = field_of(c->durable_id.b, sizeof(c->durable_id.b));
	rc_u256_encode_be(&tip->work, work);
	reply.tip = &tip_ref;
	reply.durable = &durable;
	reply.best_header = &best;
	reply.chainwork = field_of(work, sizeof(work));
	reply.bits = tip->header.bits;
	reply.time = tip->header.time;
	reply.median_time = tip->median_time;
	if (c->tip_root_known)
		reply.state_root = field_of(c->tip_root.b, sizeof(c->tip_root.b));
	reply.initial_download = connect_initial_download(c);
	reply.size_on_disk = blockstore_disk_bytes(chaind->store);
	reply.block_limit = chaind->network->params.block_limit;
	reply.network_id = field_of(chaind->network->id.b, 32);
	reply.network = (char *)chaind->network->params.name;
	reply.n_warnings = warnings_of(chaind, warnings);
	reply.warnings = warnings;
	reply.supply_oxides = supply_at(chaind->network, node_height(tip));
	reply.pool_transactions = chaind->pool.count;
	reply.pool_bytes = chaind->pool.bytes;
	rc_request_reply(request, &reply);
}

void on_block_id_at(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__BlockIdAtRequest *body = rc_request_body(request);
	struct block_node *node = chain_at(&chaind->chain, body->height);
	Rc__BlockIdAtReply reply = RC__BLOCK_ID_AT_REPLY__INIT;

	if (!take_tip(chaind, request))
		return;
	if (!node) {
		rc_request_fail(request, RC_ENOENT, "height %u is above the tip's, %u",
				body->height, node_height(chain_tip(&chaind->chain)));
		return;
	}
	reply.id = field_of(node->id.b, sizeof(node->id.b));
	rc_request_reply(request, &reply);
}

/* ---- a header and its block ---- */

static const char *status_of(struct chaind *chaind, const struct block_node *node)
{
	if (node_bad(node))
		return "invalid";
	if (chain_is_active(&chaind->chain, node))
		return "active";
	if (node->flags & NODE_VALID)
		return "valid";
	return node->flags & NODE_BODY ? "stored" : "headers-only";
}

static void fill_header(struct chaind *chaind, const struct block_node *node,
			Rc__HeaderReply *reply, uint8_t work[32])
{
	struct block_node *tip = chain_tip(&chaind->chain);
	bool active = chain_is_active(&chaind->chain, node);
	struct block_node *next = active ? chain_at(&chaind->chain, node_height(node) + 1) : NULL;

	rc_u256_encode_be(&node->work, work);
	reply->height = node_height(node);
	reply->confirmations = active ? (int32_t)(node_height(tip) - node_height(node) + 1) : -1;
	reply->chainwork = field_of(work, 32);
	reply->median_time = node->median_time;
	if (next)
		reply->next = field_of(next->id.b, sizeof(next->id.b));
	reply->transactions = node->flags & NODE_BODY ? node->n_txs : 0;
	reply->size = node->flags & NODE_BODY ? node->size : 0;
	reply->status = (char *)status_of(chaind, node);
	if (node->flags & NODE_FAILED)
		reply->verdict = (char *)rc_verdict_name(node->verdict);
	else if (node->flags & NODE_UNDER_BAD)
		reply->verdict = (char *)rc_verdict_name(RC_V_HEADER_PARENT_INVALID);
}

void on_header(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__HeaderRequest *body = rc_request_body(request);
	struct block_node *node = take_block(chaind, request, body->id);
	Rc__HeaderReply reply = RC__HEADER_REPLY__INIT;
	uint8_t work[32], raw[RC_HEADER_SIZE];
	struct rc_bytes bulk = {raw, sizeof(raw)};

	if (!node)
		return;
	fill_header(chaind, node, &reply, work);
	rc_header_encode(&node->header, raw);
	rc_request_reply_bulk(request, &reply, &bulk, 1);
}

/* ---- bodies, read on another thread ---- */

struct block_read {
	struct chaind *chaind;
	struct rc_request *request;
	struct block_node *node;
	bool one_tx;
	struct rc_txid txid;
	uint32_t index;
	struct rc_buf tx;
};

static void free_bytes(void *data, void *hint)
{
	(void)hint;
	free(data);
}

/* On the reader's thread: the one transaction that was asked for. */
static void find_tx(void *arg, struct rc_buf *buf)
{
	struct block_read *read = arg;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_block_reader reader;
	struct rc_tx tx;

	if (!read->one_tx || !buf->data)
		return;
	if (rc_block_reader_init(&reader, buf->data, buf->len)) {
		for (uint32_t i = 0; rc_block_reader_next(&reader, &arena, &tx); i++) {
			if (rc_txid_eq(&tx.txid, &read->txid)) {
				rc_buf_put(&read->tx, tx.raw.data, tx.raw.len);
				read->index = i;
				break;
			}
			rc_arena_reset(&arena);
		}
	}
	rc_arena_done(&arena);
	rc_buf_done(buf);
}

static void reply_block(struct block_read *read, struct rc_buf *buf)
{
	Rc__BlockReply reply = RC__BLOCK_REPLY__INIT;
	Rc__HeaderReply header = RC__HEADER_REPLY__INIT;
	uint8_t work[32];
	size_t len;
	uint8_t *data = rc_buf_take(buf, &len);

	fill_header(read->chaind, read->node, &header, work);
	reply.header = &header;
	rc_request_reply_owned(read->request, &reply, data, len, free_bytes, NULL);
}

static void reply_block_tx(struct block_read *read)
{
	Rc__BlockTxReply reply = RC__BLOCK_TX_REPLY__INIT;
	Rc__HeaderReply header = RC__HEADER_REPLY__INIT;
	struct rc_bytes bulk = {read->tx.data, read->tx.len};
	char hex[RC_ID_HEX];
	uint8_t work[32];

	if (!read->tx.len) {
		rc_request_fail(read->request, RC_ENOENT, "transaction %s is not in this block",
				rc_txid_hex(hex, &read->txid));
		return;
	}
	fill_header(read->chaind, read->node, &header, work);
	reply.index = read->index;
	reply.header = &header;
	rc_request_reply_bulk(read->request, &reply, &bulk, 1);
}

static void block_here(void *arg, struct rc_buf *buf)
{
	struct block_read *read = arg;

	if (read->one_tx)
		reply_block_tx(read);
	else if (buf->data)
		reply_block(read, buf);
	else
		rc_request_fail(read->request, RC_ENOENT, "the block's body can't be read");
	rc_buf_done(&read->tx);
	free(read);
}

static void read_body(struct chaind *chaind, struct rc_request *request, struct block_node *node,
		      const struct rc_txid *txid)
{
	struct block_read *read;
	char hex[RC_ID_HEX];

	if (!(node->flags & NODE_BODY)) {
		rc_request_fail(request, RC_ENOENT, "the body of block %s is not stored",
				rc_block_id_hex(hex, &node->id));
		return;
	}
	read = rc_alloc(sizeof(*read));
	read->chaind = chaind;
	read->request = request;
	read->node = node;
	read->one_tx = txid != NULL;
	if (txid)
		read->txid = *txid;
	/* The genesis block is the network's, not the store's. */
	if (node == chaind->chain.genesis) {
		struct rc_buf buf = RC_BUF_INIT;

		rc_buf_put(&buf, chaind->network->genesis_block, chaind->network->genesis_len);
		find_tx(read, &buf);
		block_here(read, &buf);
		rc_buf_done(&buf);
		return;
	}
	blockstore_get(chaind->store, node, find_tx, block_here, read);
}

void on_block(void *ctx, struct rc_request *request)
{
	const Rc__BlockRequest *body = rc_request_body(request);
	struct block_node *node = take_block(ctx, request, body->id);

	if (node)
		read_body(ctx, request, node, NULL);
}

void on_block_tx(void *ctx, struct rc_request *request)
{
	const Rc__BlockTxRequest *body = rc_request_body(request);
	struct rc_txid txid;
	struct block_node *node;

	if (!take_id(request, body->txid, "the transaction's id", txid.b))
		return;
	node = take_block(ctx, request, body->block);
	if (node)
		read_body(ctx, request, node, &txid);
}

/* ---- branches ---- */

static bool ends_branch(struct chaind *chaind, const struct block_node *node)
{
	return !node->child || node == chain_tip(&chaind->chain);
}

void on_chain_tips(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	struct block_node *tip = chain_tip(&chaind->chain), *node;
	Rc__ChainTipsReply reply = RC__CHAIN_TIPS_REPLY__INIT;
	Rc__ChainTipsReply__Tip *tips, **list;

	if (!take_tip(chaind, request))
		return;
	tips = rc_alloc_array(TIPS_MAX, sizeof(*tips));
	list = rc_alloc_array(TIPS_MAX, sizeof(*list));
	CHAIN_EACH(&chaind->chain, node)
	{
		Rc__ChainTipsReply__Tip *t = &tips[reply.n_tips];

		if (!ends_branch(chaind, node) || reply.n_tips == TIPS_MAX)
			continue;
		*t = (Rc__ChainTipsReply__Tip)RC__CHAIN_TIPS_REPLY__TIP__INIT;
		t->height = node_height(node);
		t->id = field_of(node->id.b, sizeof(node->id.b));
		t->branch_length = node_height(node) - node_height(node_fork(node, tip));
		t->status = (char *)status_of(chaind, node);
		list[reply.n_tips++] = t;
	}
	reply.tips = list;
	rc_request_reply(request, &reply);
	free(list);
	free(tips);
}

/* ---- of peers ---- */

/* What is served: up to the best header, since headers are told before their blocks are connected
 * and who hears of one asks for those before it. */
static struct block_node *served_tip(struct chaind *chaind)
{
	struct block_node *tip = chain_tip(&chaind->chain), *best = chaind->chain.best_header;

	return rc_u256_cmp(&best->work, &tip->work) > 0 ? best : tip;
}

/* The last block below tip that a locator names; genesis is everybody's. */
static struct block_node *start_of(struct chaind *chaind, const Rc__HeadersRequest *body,
				   struct block_node *tip)
{
	for (size_t i = 0; i < body->n_locator; i++) {
		struct rc_block_id id;
		struct block_node *node;

		if (body->locator[i].len != sizeof(id.b))
			continue;
		memcpy(id.b, body->locator[i].data, sizeof(id.b));
		node = chain_find(&chaind->chain, &id);
		if (node && node_is_ancestor(node, tip))
			return node;
	}
	return chaind->chain.genesis;
}

void on_headers(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__HeadersRequest *body = rc_request_body(request);
	Rc__HeadersReply reply = RC__HEADERS_REPLY__INIT;
	uint32_t max = body->max && body->max < HEADERS_MAX ? body->max : HEADERS_MAX;
	struct block_node *tip = served_tip(chaind), *start = start_of(chaind, body, tip), *node;
	uint32_t n = node_height(tip) - node_height(start);
	struct rc_buf buf = RC_BUF_INIT;
	struct rc_bytes bulk;

	if (n > max)
		n = max;
	rc_buf_add(&buf, n * RC_HEADER_SIZE);
	node = node_ancestor(tip, node_height(start) + n);
	for (uint32_t i = n; i-- > 0; node = node->parent) {
		rc_header_encode(&node->header, buf.data + i * RC_HEADER_SIZE);
		if (body->stop.len == 32 && memcmp(body->stop.data, node->id.b, 32) == 0)
			n = i + 1;
	}
	bulk = (struct rc_bytes){buf.data, n * RC_HEADER_SIZE};
	rc_request_reply_bulk(request, &reply, &bulk, 1);
	rc_buf_done(&buf);
}

void on_locator(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__LocatorRequest *body = rc_request_body(request);
	struct block_node *from = chaind->chain.best_header;
	Rc__LocatorReply reply = RC__LOCATOR_REPLY__INIT;
	Rc__BlockRef best = RC__BLOCK_REF__INIT;
	struct rc_block_id ids[CHAIN_LOCATOR_MAX];
	ProtobufCBinaryData fields[CHAIN_LOCATOR_MAX];

	if (body->from.len) {
		from = take_block(chaind, request, body->from);
		if (!from)
			return;
	}
	reply.n_ids = chain_locator(from, ids);
	for (size_t i = 0; i < reply.n_ids; i++)
		fields[i] = field_of(ids[i].b, sizeof(ids[i].b));
	fill_ref(&best, chaind->chain.best_header);
	reply.ids = fields;
	reply.best_header = &best;
	rc_request_reply(request, &reply);
}
