/* Requests that wait for something: a tip, a template, blocks to fetch. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "consensus/pow.h"
#include "consensus/subsidy.h"
#include "daemons/chaind/handlers.h"
#include "daemons/chaind/template.h"

/* A template that only lacks newer transactions is replaced after so long. */
#define TEMPLATE_REFRESH_US INT64_C(5000000)
/* Blocks leased by one answer. */
#define WANTED_MAX 1024

/* ---- the tip ---- */

static bool attempt_tip(void *ctx, struct rc_request *request, bool last)
{
	struct chaind *chaind = ctx;
	const Rc__WaitTipRequest *body = rc_request_body(request);
	struct block_node *tip = chain_tip(&chaind->chain);
	Rc__WaitTipReply reply = RC__WAIT_TIP_REPLY__INIT;
	Rc__BlockRef ref = RC__BLOCK_REF__INIT;
	bool known = body->known.len == 32 && memcmp(body->known.data, tip->id.b, 32) == 0;

	if (!chaind->connect.tip_known) {
		if (last)
			take_tip(chaind, request);
		return last;
	}
	if (!last && (known || node_height(tip) < body->min_height))
		return false;
	fill_ref(&ref, tip);
	reply.tip = &ref;
	rc_request_reply(request, &reply);
	return true;
}

void on_wait_tip(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__WaitTipRequest *body = rc_request_body(request);

	poll_keep(&chaind->tip_polls, request, body->wait_ms);
}

/* ---- templates ---- */

/* A template's id: the tip's, and the pool's sequence. */
#define TEMPLATE_ID_SIZE 40

static void template_id(struct chaind *chaind, uint8_t ret_id[TEMPLATE_ID_SIZE])
{
	memcpy(ret_id, chain_tip(&chaind->chain)->id.b, 32);
	rc_put_le64(ret_id + 32, chaind->pool.sequence);
}

static void fill_txs(Rc__TemplateReply *reply, const struct template_list *list,
		     struct rc_arena *arena, struct rc_buf *raw)
{
	reply->n_transactions = list->n;
	reply->transactions = rc_arena_alloc(arena, (list->n + 1) * sizeof(*reply->transactions));
	for (size_t i = 0; i < list->n; i++) {
		const struct pool_tx *tx = list->txs[i].tx;
		Rc__TemplateReply__TemplateTx *t = rc_arena_alloc(arena, sizeof(*t));

		*t = (Rc__TemplateReply__TemplateTx)RC__TEMPLATE_REPLY__TEMPLATE_TX__INIT;
		t->txid = field_of(tx->tx.txid.b, 32);
		t->wtxid = field_of(tx->tx.wtxid.b, 32);
		t->fee = tx->facts.fee;
		t->size = (uint32_t)tx->tx.raw.len;
		t->budget = (uint32_t)tx->facts.budget;
		t->n_depends = list->txs[i].n_depends;
		t->depends = list->txs[i].depends;
		reply->transactions[i] = t;
		rc_buf_put(raw, tx->tx.raw.data, tx->tx.raw.len);
	}
}

static void reply_template(struct chaind *chaind, struct rc_request *request)
{
	const struct rc_network_params *p = &chaind->network->params;
	struct block_node *tip = chain_tip(&chaind->chain);
	Rc__TemplateReply reply = RC__TEMPLATE_REPLY__INIT;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf raw = RC_BUF_INIT;
	struct template_list list;
	uint8_t id[TEMPLATE_ID_SIZE];
	uint64_t now = chaind_now(chaind);
	struct rc_bytes bulk;

	template_choose(&chaind->pool, p->block_limit - TEMPLATE_RESERVE, p->block_limit,
			node_height(tip) + 1, tip->median_time, &list);
	fill_txs(&reply, &list, &arena, &raw);
	template_id(chaind, id);
	reply.template_id = field_of(id, sizeof(id));
	reply.height = node_height(tip) + 1;
	reply.prev = field_of(tip->id.b, 32);
	reply.state_root = field_of(chaind->connect.tip_root.b, 32);
	reply.min_time = tip->median_time + 1;
	reply.time = now > reply.min_time ? (uint32_t)now : reply.min_time;
	reply.max_time = (uint32_t)(now + p->future_limit);
	reply.bits = rc_required_bits(chaind->network, node_height(tip), tip->header.time);
	reply.coinbase_oxides = rc_miner_limit(chaind->network, reply.height, list.fees);
	reply.size_limit = p->block_limit;
	reply.budget_limit = p->block_limit;
	bulk = (struct rc_bytes){raw.data, raw.len};
	rc_request_reply_bulk(request, &reply, &bulk, 1);
	template_list_done(&list);
	rc_buf_done(&raw);
	rc_arena_done(&arena);
}

/* Whether there is another template than the one the asker has. */
static bool another(struct chaind *chaind, const Rc__TemplateRequest *body)
{
	uint8_t id[TEMPLATE_ID_SIZE];

	if (body->known.len != TEMPLATE_ID_SIZE)
		return true;
	template_id(chaind, id);
	if (memcmp(id, body->known.data, 32) != 0)
		return true;
	return memcmp(id, body->known.data, TEMPLATE_ID_SIZE) != 0 &&
	       rc_loop_now_us(chaind->loop) - chaind->template_told_us >= TEMPLATE_REFRESH_US;
}

static bool attempt_template(void *ctx, struct rc_request *request, bool last)
{
	struct chaind *chaind = ctx;
	const Rc__TemplateRequest *body = rc_request_body(request);

	/* There is no template, not even an empty one, before the state's root is there. */
	if (!connect_running(&chaind->connect) || !chaind->connect.tip_root_known ||
	    chaind->connect.switching) {
		if (!last)
			return false;
		rc_request_fail(request, RC_EUNAVAILABLE,
				"the state root of the tip is not computed yet");
		return true;
	}
	if (!last && !another(chaind, body))
		return false;
	chaind->template_told_us = rc_loop_now_us(chaind->loop);
	reply_template(chaind, request);
	return true;
}

/* How long a template is waited for where nothing was said: the root takes some milliseconds. */
#define TEMPLATE_WAIT_MS 5000

void on_template(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const struct rc_network_params *p = &chaind->network->params;
	const Rc__TemplateRequest *body = rc_request_body(request);

	if (!body->force && p->retarget == RC_RETARGET_ASERT &&
	    chain_tip(&chaind->chain) == chaind->chain.genesis &&
	    chaind_now(chaind) > (uint64_t)p->genesis_time + p->half_life) {
		rc_request_fail(request, RC_EDENIED,
				"nobody has mined on this network, and its genesis time is %llu "
				"seconds past: its first blocks would come as fast as they can be "
				"hashed; ask with force if that is meant",
				(unsigned long long)(chaind_now(chaind) - p->genesis_time));
		return;
	}
	poll_keep(&chaind->template_polls, request,
		  body->wait_ms ? body->wait_ms : TEMPLATE_WAIT_MS);
}

/* ---- blocks to fetch ---- */

static size_t take_peers(const Rc__WantedRequest *body, struct rc_arena *arena,
			 struct download_peer *ret_peers)
{
	size_t n = 0;

	for (size_t i = 0; i < body->n_peers; i++) {
		const Rc__WantedRequest__PeerTip *p = body->peers[i];
		struct download_peer *peer = &ret_peers[n];
		const uint8_t **failed;

		if (p->tip.len != 32)
			continue;
		memset(peer, 0, sizeof(*peer));
		peer->peer = p->peer;
		memcpy(peer->tip.b, p->tip.data, 32);
		peer->in_flight = p->in_flight;
		failed = rc_arena_alloc(arena, (p->n_failed + 1) * sizeof(*failed));
		for (size_t j = 0; j < p->n_failed; j++) {
			if (p->failed[j].len == 32)
				failed[peer->n_failed++] = p->failed[j].data;
		}
		peer->failed = failed;
		n++;
	}
	return n;
}

static void reply_wanted(struct rc_request *request, const struct download_lease *leases, size_t n,
			 struct rc_arena *arena)
{
	Rc__WantedReply reply = RC__WANTED_REPLY__INIT;

	reply.n_leases = n;
	reply.leases = rc_arena_alloc(arena, (n + 1) * sizeof(*reply.leases));
	for (size_t i = 0; i < n; i++) {
		Rc__WantedReply__Lease *lease = rc_arena_alloc(arena, sizeof(*lease));

		*lease = (Rc__WantedReply__Lease)RC__WANTED_REPLY__LEASE__INIT;
		lease->peer = leases[i].peer;
		lease->id = field_of(leases[i].node->id.b, 32);
		lease->height = node_height(leases[i].node);
		lease->lease_ms = leases[i].lease_ms;
		reply.leases[i] = lease;
	}
	rc_request_reply(request, &reply);
}

static bool attempt_wanted(void *ctx, struct rc_request *request, bool last)
{
	struct chaind *chaind = ctx;
	const Rc__WantedRequest *body = rc_request_body(request);
	struct rc_arena arena = RC_ARENA_INIT;
	struct download_peer *peers = rc_arena_alloc(&arena, (body->n_peers + 1) * sizeof(*peers));
	struct download_lease *leases = rc_arena_alloc(&arena, WANTED_MAX * sizeof(*leases));
	uint32_t per_peer = body->max_per_peer && body->max_per_peer < DOWNLOAD_PER_PEER
				    ? body->max_per_peer
				    : DOWNLOAD_PER_PEER;
	size_t n_peers = take_peers(body, &arena, peers);
	size_t n =
		download_assign(&chaind->download, peers, n_peers, rc_request_client_boot(request),
				per_peer, rc_mono_us(&chaind->clock) / 1000, leases, WANTED_MAX);
	bool answer = n > 0 || last;

	if (answer)
		reply_wanted(request, leases, n, &arena);
	rc_arena_done(&arena);
	return answer;
}

void on_wanted(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__WantedRequest *body = rc_request_body(request);

	poll_keep(&chaind->wanted_polls, request, body->wait_ms);
}

void on_release(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__ReleaseRequest *body = rc_request_body(request);
	Rc__ReleaseReply reply = RC__RELEASE_REPLY__INIT;

	for (size_t i = 0; i < body->n_ids; i++) {
		struct rc_block_id id;

		if (body->ids[i].len != sizeof(id.b))
			continue;
		memcpy(id.b, body->ids[i].data, sizeof(id.b));
		download_release(&chaind->download, &id);
	}
	rc_request_reply(request, &reply);
	poll_wake(&chaind->wanted_polls);
}

void on_polls_init(struct chaind *chaind)
{
	poll_list_init(&chaind->tip_polls, chaind->loop, attempt_tip, chaind);
	poll_list_init(&chaind->template_polls, chaind->loop, attempt_template, chaind);
	poll_list_init(&chaind->wanted_polls, chaind->loop, attempt_wanted, chaind);
}
