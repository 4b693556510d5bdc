/* An operator's requests. */
#include <stdlib.h>

#include "base/mem.h"
#include "daemons/chaind/handlers.h"

/* A goal this far above the tip is a mistake. */
#define GENERATE_MAX 1000000

/* True, and answered, where a request is for networks without retarget only. */
static bool refused_here(struct chaind *chaind, struct rc_request *request, const char *what)
{
	if (chaind->network->params.retarget == RC_RETARGET_NONE)
		return false;
	rc_request_fail(request, RC_EDENIED, "%s is for regtest; this is network %s", what,
			chaind->network->params.name);
	return true;
}

struct generation {
	struct chaind *chaind;
	struct rc_request *request;
	uint64_t number;
	bool done;
};

static void generated(void *arg, const struct generate_result *result)
{
	struct generation *g = arg;
	Rc__GenerateReply reply = RC__GENERATE_REPLY__INIT;

	if (g->request)
		rc_request_on_cancel(g->request, NULL, NULL);
	if (g->request && result->err < 0) {
		rc_request_fail(g->request, result->err, "mining stopped: %s", result->text);
	} else if (g->request) {
		reply.n_ids = result->n_ids;
		reply.ids = rc_alloc_array(result->n_ids, sizeof(*reply.ids));
		for (size_t i = 0; i < result->n_ids; i++)
			reply.ids[i] = field_of(result->ids[i].b, 32);
		rc_request_reply(g->request, &reply);
		free(reply.ids);
	}
	g->done = true;
	if (g->number)
		free(g);
}

static void generate_cancelled(void *arg, struct rc_request *request)
{
	struct generation *g = arg;

	g->request = NULL;
	rc_request_fail(request, RC_EDEADLINE, "the goal was not reached in time");
	chaind_generate_cancel(g->chaind, g->number);
}

void on_generate(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__GenerateRequest *body = rc_request_body(request);
	uint32_t height = node_height(chain_tip(&chaind->chain));
	struct generation *g;
	struct rc_lock lock;
	uint64_t number;

	if (refused_here(chaind, request, "Generate"))
		return;
	if (!rc_lock_decode(body->lock.data, body->lock.len, &lock) ||
	    (lock.kind != RC_LOCK_KEY && lock.kind != RC_LOCK_DATA)) {
		rc_request_fail(request, RC_EINVAL, "the coinbase's lock is no KEY or DATA lock");
		return;
	}
	if (body->goal_height > height && body->goal_height - height > GENERATE_MAX) {
		rc_request_fail(request, RC_EINVAL, "height %u is more than %u above the tip",
				body->goal_height, GENERATE_MAX);
		return;
	}
	g = rc_alloc(sizeof(*g));
	g->chaind = chaind;
	g->request = request;
	number = chaind_generate(chaind, body->lock.data, body->lock.len, body->goal_height,
				 body->max_tries, generated, g);
	if (g->done) {
		free(g);
		return;
	}
	g->number = number;
	rc_request_on_cancel(request, generate_cancelled, g);
}

/* An operator's word is answered when the chain has followed it, or after so long. */
#define SETTLE_WAIT_MS 60000

static bool attempt_settled(void *ctx, struct rc_request *request, bool last)
{
	struct chaind *chaind = ctx;
	const struct connector *c = &chaind->connect;

	if (!last &&
	    (c->phase != CONNECT_RUNNING || c->switching || c->best != chain_tip(&chaind->chain)))
		return false;
	rc_request_reply(request, NULL);
	return true;
}

void on_settle_init(struct chaind *chaind)
{
	poll_list_init(&chaind->settle_polls, chaind->loop, attempt_settled, chaind);
}

void on_invalidate_block(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__InvalidateBlockRequest *body = rc_request_body(request);
	struct block_node *node = take_block(chaind, request, body->id);

	if (!node)
		return;
	if (node == chaind->chain.genesis) {
		rc_request_fail(request, RC_EINVAL, "the genesis block is valid by definition");
		return;
	}
	chaind_veto(chaind, node);
	poll_keep(&chaind->settle_polls, request, SETTLE_WAIT_MS);
}

void on_reconsider_block(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__ReconsiderBlockRequest *body = rc_request_body(request);
	struct block_node *node = take_block(chaind, request, body->id);

	if (!node)
		return;
	chaind_reconsider(chaind, node);
	poll_keep(&chaind->settle_polls, request, SETTLE_WAIT_MS);
}

void on_set_mock_time(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__SetMockTimeRequest *body = rc_request_body(request);

	if (refused_here(chaind, request, "SetMockTime"))
		return;
	chaind_set_mock_time(chaind, body->time);
	rc_request_reply(request, NULL);
}
