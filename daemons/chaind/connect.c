/* The pipeline's queue: what enters, what is judged, what is committed. See connect.h. */
#include "daemons/chaind/connect.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/test_point.h"
#include "daemons/chaind/metrics.h"

/* Blocks in the pipeline at once. Two keep two cores busy; more hide the time of a commit's sync
 * and of reading bodies. Their bytes bound the memory (decoded, about four times as much). */
#define PIPE_BLOCKS_MAX 16 /* not judged yet; in a reorganisation more may wait for the commit */
#define PIPE_BYTES_MAX	((size_t)48 << 20)
/* Arrived bodies kept for the pipeline; beyond, they are read again from the store. */
#define OFFERED_MAX	  256
#define OFFERED_BYTES_MAX ((size_t)64 << 20)
/* Commits asked and not answered: an eighth of the requests that the bus lets chaind have under way
 * to utxod, which blocks that come faster than a disk syncs would fill. The others wait. */
#define COMMITS_MAX 32
/* The tip is this near the present: every commit is durable before it is answered. */
#define PRESENT_SECONDS (24 * 3600)

void connect_init(struct connector *c)
{
	struct block_node *genesis = c->chain->genesis;

	c->phase = CONNECT_DOWN;
	c->best = c->base = genesis;
	c->durable_id = genesis->id;
	c->offered = rc_alloc_array(OFFERED_MAX, sizeof(*c->offered));
	c->backoff_ms = 100;
}

static void drop_offered(struct connector *c, size_t i)
{
	c->offered_bytes -= c->offered[i].body->raw.len;
	body_unref(c->offered[i].body);
	c->offered[i] = c->offered[--c->n_offered];
}

void connect_done(struct connector *c)
{
	connect_drop_all(c);
	while (c->n_offered)
		drop_offered(c, 0);
	free(c->offered);
	rc_source_free(c->retry);
}

bool connect_running(const struct connector *c)
{
	return c->phase == CONNECT_RUNNING || c->phase == CONNECT_MOVING;
}

bool connect_initial_download(const struct connector *c)
{
	int64_t now = rc_wall_ms(c->clock) / 1000;

	return c->chain->network->params.retarget != RC_RETARGET_NONE &&
	       (int64_t)chain_tip(c->chain)->header.time + PRESENT_SECONDS < now;
}

void connect_set_durable(struct connector *c, const struct rc_block_place *durable)
{
	if (!durable->known)
		return;
	c->durable_height = durable->height;
	c->durable_id = durable->id;
	rc_metric_set(c->metrics, METRIC_DURABLE_HEIGHT, durable->height);
}

/* ---- bodies on offer ---- */

void connect_offer_body(struct connector *c, struct block_node *node, struct body *body)
{
	while (c->n_offered == OFFERED_MAX ||
	       (c->n_offered && c->offered_bytes + body->raw.len > OFFERED_BYTES_MAX)) {
		size_t last = 0;

		for (size_t i = 1; i < c->n_offered; i++) {
			if (node_height(c->offered[i].node) > node_height(c->offered[last].node))
				last = i;
		}
		if (node_height(c->offered[last].node) <= node_height(node))
			return; /* those on offer are needed earlier */
		drop_offered(c, last);
	}
	c->offered_bytes += body->raw.len;
	c->offered[c->n_offered++] = (struct offered){node, body_ref(body)};
}

struct body *connect_take_body(struct connector *c, const struct block_node *node)
{
	uint32_t tip = node_height(chain_tip(c->chain));
	struct body *body = NULL;

	for (size_t i = 0; i < c->n_offered; i++) {
		if (c->offered[i].node == node) {
			body = body_ref(c->offered[i].body);
			drop_offered(c, i);
			break;
		}
	}
	/* What the tip has passed isn't needed any more, and branches beside it are rarely. */
	for (size_t i = c->n_offered; i-- > 0;) {
		const struct block_node *n = c->offered[i].node;

		if (chain_is_active(c->chain, n) ||
		    (node_height(n) <= tip && !node_is_ancestor(n, c->best)))
			drop_offered(c, i);
	}
	return body;
}

/* ---- dropping ---- */

static void dequeue(struct connector *c, struct pipe_block *b)
{
	DL_DELETE(c->head, b);
	c->tail = c->head ? c->head->prev : NULL;
	c->queued--;
	c->queued_ready -= b->ready;
	c->queued_bytes -= b->node->size;
	rc_metric_set(c->metrics, METRIC_CONNECT_IN_FLIGHT, c->queued);
}

static struct pipe_block *next_of(const struct pipe_block *b)
{
	return b->next; /* NULL at the tail (utlist) */
}

void connect_drop_from(struct connector *c, struct pipe_block *b)
{
	while (b) {
		struct pipe_block *next = next_of(b);

		if ((b->staging || b->staged) && !c->need_abort) {
			c->need_abort = true;
			c->abort_id = b->node->id;
		}
		b->dropped = true;
		dequeue(c, b);
		pipe_block_unref(b);
		b = next;
	}
	c->stack_full = false;
}

void connect_drop_all(struct connector *c)
{
	connect_drop_from(c, c->head);
	c->need_abort = c->abort_all = c->switching = c->stack_full = false;
	c->commits_out = c->writes_out = 0;
	rc_metric_set(c->metrics, METRIC_COMMIT_IN_FLIGHT, 0);
	rc_metric_set(c->metrics, METRIC_REORG_IN_FLIGHT, 0);
}

static void abort_answered(void *arg, const struct rc_reply *reply)
{
	struct connector *c;
	struct pipe_block *b;
	struct block_node *node;

	if (!session_call_end(arg, &c, &b, &node))
		return;
	if (reply->err < 0) {
		session_lost(c, "abort", reply);
		return;
	}
	if (c->abort_all) {
		c->base = chain_tip(c->chain);
		c->switching = false;
		rc_metric_set(c->metrics, METRIC_REORG_IN_FLIGHT, 0);
	}
	c->need_abort = c->abort_all = false;
	connect_step(c);
}

/* True while an abort is still to be done: nothing new is staged until utxod has dropped what must
 * go, and it isn't told to before everything that was sent is answered. */
static bool aborting(struct connector *c)
{
	if (!c->need_abort)
		return false;
	if (c->writes_out == 0) {
		struct session_call *call = session_call_new(c, NULL, NULL, true);

		rc_utxod_abort(c->utxod, c->writer, c->abort_all ? NULL : &c->abort_id,
			       STATE_DEADLINE_MS, abort_answered, call);
	}
	return true;
}

/* ---- judging ---- */

enum judgement { READY, WAIT, FAILED };

static void body_synced(void *arg)
{
	struct session_call *call = arg;
	struct block_node *node = call->node;
	struct connector *c;
	struct pipe_block *b;

	/* True for the body whatever became of the session. */
	node->flags |= NODE_SYNCED;
	if (!session_call_end(call, &c, &b, &node))
		return;
	pipe_block_unref(b);
	connect_step(c);
}

static bool body_on_disk(struct pipe_block *b)
{
	if (b->node->flags & NODE_SYNCED || connect_initial_download(b->c))
		return true;
	if (!b->sync_asked) {
		b->sync_asked = true;
		blockstore_sync(b->c->store, body_synced,
				session_call_new(b->c, b, b->node, false));
	}
	return false;
}

/* The first failing rule in the document's order: root, then the rest of the state's rules, then
 * the witnesses. */
static enum judgement judge(struct pipe_block *b, enum rc_verdict *ret_verdict)
{
	*ret_verdict = RC_VERDICT_OK;
	if (!b->root_here)
		return WAIT;
	if (memcmp(b->parent_root.b, b->node->header.state_root.b, 32) != 0)
		*ret_verdict = RC_V_BLOCK_STATE_ROOT;
	else if (!b->checked)
		return WAIT;
	else if (b->check_verdict != RC_VERDICT_OK)
		*ret_verdict = b->check_verdict;
	else if (!b->verified)
		return WAIT;
	else
		*ret_verdict = b->finding.verdict;
	if (*ret_verdict != RC_VERDICT_OK)
		return FAILED;
	return b->staged && body_on_disk(b) ? READY : WAIT;
}

static void fail(struct connector *c, struct pipe_block *b, enum rc_verdict verdict)
{
	struct block_node *node = b->node;
	char hex[RC_ID_HEX], where[64] = "";

	/* A wrong root is known before the check ends; its findings are the worker's until then. */
	if (verdict != RC_V_BLOCK_STATE_ROOT) {
		bool witness = b->check_verdict == RC_VERDICT_OK;
		uint32_t tx = witness ? b->finding.tx_index : b->result.bad_tx;
		if (tx < b->body->block.n_txs)
			snprintf(where, sizeof(where), "; transaction %u, input %u", tx,
				 witness ? b->finding.input : b->result.bad_input);
	}
	rc_log(RC_LOG_WARNING,
	       "block %s at height %u is invalid: %s (%s%s); it and what builds on it are not "
	       "followed",
	       rc_block_id_hex(hex, &node->id), node_height(node), rc_verdict_name(verdict),
	       rc_verdict_words(verdict), where);
	rc_metric_add(c->metrics, METRIC_BLOCKS_INVALID, 1);
	connect_drop_from(c, b);
	chain_set_failed(c->chain, node, verdict);
	blockstore_put_index(c->store, c->chain);
	c->best = chain_best(c->chain);
	c->ops.failed(c->arg, node);
}

/* ---- committing ---- */

static void settle(struct connector *c, struct block_node *to)
{
	struct block_node *old_tip = chain_tip(c->chain);
	struct block_node *fork = node_fork(old_tip, to);
	RC_AUTOFREE struct pipe_block **blocks = rc_alloc_array(c->queued, sizeof(*blocks));
	struct block_node *top = fork;
	size_t n = 0;
	int64_t now = rc_mono_us(c->clock);

	while (c->head && node_is_ancestor(c->head->node, to)) {
		struct pipe_block *b = c->head;

		assert(b->commit_sent);
		c->base_treasury = b->result.treasury;
		rc_metric_time_us(c->metrics, METRIC_T_COMMIT, (uint64_t)(now - b->stage_us));
		rc_metric_time_us(c->metrics, METRIC_T_CONNECT, (uint64_t)(now - b->entered_us));
		rc_metric_add(c->metrics, METRIC_BLOCKS_CONNECTED, 1);
		rc_metric_add(c->metrics, METRIC_INPUTS_CONNECTED, b->body->block.n_inputs);
		dequeue(c, b);
		blocks[n++] = b;
		top = b->node;
	}
	assert(top == to);
	(void)top;
	c->base = to;
	c->stack_full = c->hold = false;
	c->backoff_ms = 100;
	c->tip_root_known = c->tip_root_asked = false;
	if (c->switching) {
		c->switching = false;
		rc_metric_set(c->metrics, METRIC_REORG_IN_FLIGHT, 0);
		RC_TEST_POINT(CHAIND_REORG_SETTLED);
	}
	for (size_t i = 0; i < n; i++)
		chain_set_valid(c->chain, blocks[i]->node);
	chain_set_tip(c->chain, to);
	RC_TEST_POINT(CHAIND_TIP_SET);
	if (c->best != to)
		c->best = node_compare(to, c->best) > 0 ? to : c->best;
	blockstore_put_index(c->store, c->chain);
	now = rc_mono_us(c->clock);
	c->ops.advanced(c->arg, old_tip, fork, blocks, n);
	rc_metric_time_us(c->metrics, METRIC_T_PUBLISH, (uint64_t)(rc_mono_us(c->clock) - now));
	RC_TEST_POINT(CHAIND_SETTLED);
	for (size_t i = 0; i < n; i++)
		pipe_block_unref(blocks[i]);
}

static void commit_answered(void *arg, const struct rc_reply *reply, const struct rc_utxod_tip *tip)
{
	struct connector *c;
	struct pipe_block *b;
	struct block_node *node;

	if (!session_call_end(arg, &c, &b, &node))
		return;
	pipe_block_unref(b);
	c->commits_out--;
	rc_metric_set(c->metrics, METRIC_COMMIT_IN_FLIGHT, c->commits_out);
	if (reply->err < 0) {
		session_lost(c, "commit", reply);
		return;
	}
	RC_TEST_POINT(CHAIND_COMMIT_ANSWERED);
	/* Several answers may come in another order than was asked: a later block's says all. */
	if (!chain_is_active(c->chain, node)) {
		connect_set_durable(c, &tip->durable);
		settle(c, node);
	} else if (tip->durable.known && tip->durable.height > c->durable_height) {
		connect_set_durable(c, &tip->durable);
	}
	c->ops.changed(c->arg);
	connect_step(c);
}

/* Commits b and all below it in the queue. */
static void commit(struct connector *c, struct pipe_block *b)
{
	bool durable = !connect_initial_download(c) || b->node == c->best;
	int64_t now = rc_mono_us(c->clock);

	RC_TEST_POINT(CHAIND_COMMIT);
	for (struct pipe_block *p = b; p && !p->commit_sent; p = p == c->head ? NULL : p->prev) {
		p->commit_sent = true;
		p->stage_us = now;
	}
	c->commits_out++;
	rc_metric_set(c->metrics, METRIC_COMMIT_IN_FLIGHT, c->commits_out);
	rc_utxod_commit(c->utxod, c->writer, &b->node->id, durable, STATE_DEADLINE_MS,
			commit_answered, session_call_new(c, b, b->node, true));
	RC_TEST_POINT(CHAIND_COMMIT_SENT);
}

/* Returns true if something failed: the queue is another one. */
static bool judge_queue(struct connector *c)
{
	struct pipe_block *last_ready = NULL;
	struct block_node *tip = chain_tip(c->chain);

	for (struct pipe_block *b = c->head; b; b = next_of(b)) {
		enum rc_verdict verdict;
		enum judgement j;

		if (b->commit_sent)
			continue;
		j = judge(b, &verdict);
		if (j == FAILED) {
			fail(c, b, verdict);
			return true;
		}
		if (j == WAIT)
			break;
		last_ready = b;
		c->queued_ready += !b->ready;
		b->ready = true;
		if (!c->switching && c->commits_out < COMMITS_MAX)
			commit(c, b);
	}
	/* In a reorganisation readers see the old tip until the new one is better; undo and branch
	 * become durable as one record, unless the branch is longer than utxod can stage. */
	if (c->switching && last_ready && c->commits_out == 0 &&
	    (last_ready->node == c->best || node_compare(last_ready->node, tip) > 0 ||
	     c->stack_full || (last_ready == c->tail && c->queued_bytes >= PIPE_BYTES_MAX))) {
		if (last_ready->node != c->best && node_compare(last_ready->node, tip) <= 0)
			rc_log(RC_LOG_NOTICE,
			       "a reorganisation is longer than can be staged; its first part is "
			       "committed at height %u, on the way to height %u",
			       node_height(last_ready->node), node_height(c->best));
		RC_TEST_POINT(CHAIND_REORG_COMMIT);
		commit(c, last_ready);
	}
	return false;
}

/* ---- filling ---- */

static struct block_node *top_of(const struct connector *c)
{
	return c->tail ? c->tail->node : c->base;
}

static void fill(struct connector *c)
{
	struct block_node *top = top_of(c);

	while (top != c->best && c->queued - c->queued_ready < PIPE_BLOCKS_MAX &&
	       (c->queued == 0 || c->queued_bytes < PIPE_BYTES_MAX)) {
		struct block_node *next = node_ancestor(c->best, node_height(top) + 1);
		struct pipe_block *b = pipe_block_new(c, next);

		DL_APPEND(c->head, b);
		c->tail = b;
		c->queued++;
		c->queued_bytes += next->size;
		rc_metric_set(c->metrics, METRIC_CONNECT_IN_FLIGHT, c->queued);
		top = next;
	}
}

/* Makes the queue lead to the best block. False: something must be answered first. */
static bool turn(struct connector *c)
{
	if (c->switching && node_is_ancestor(chain_tip(c->chain), c->best)) {
		/* The way back: the old tip is applied still, so all that is staged goes. */
		if (c->commits_out)
			return false;
		connect_drop_from(c, c->head);
		c->need_abort = c->abort_all = true;
		aborting(c);
		return false;
	}
	if (node_is_ancestor(top_of(c), c->best))
		return true;
	for (struct pipe_block *b = c->head; b; b = next_of(b)) {
		if (b->commit_sent || node_is_ancestor(b->node, c->best))
			continue;
		connect_drop_from(c, b);
		break;
	}
	if (aborting(c) || c->commits_out)
		return false;
	if (node_is_ancestor(c->base, c->best))
		return node_is_ancestor(top_of(c), c->best);
	/* The base itself is off the best chain, and nothing stands on it any more. */
	if (c->head)
		return false;
	if (c->switching) {
		c->need_abort = c->abort_all = true;
		aborting(c);
		return false;
	}
	if (c->writes_out == 0)
		session_move(c, c->best);
	return false;
}

static void step_once(struct connector *c)
{
	do {
		if (c->phase != CONNECT_RUNNING || aborting(c) || !turn(c))
			return;
		fill(c);
		for (struct pipe_block *b = c->head; b; b = next_of(b))
			pipe_block_advance(b);
	} while (judge_queue(c));
	if (!c->head && !c->hold && !c->tip_root_known && !c->tip_root_asked)
		session_ask_tip_root(c);
}

void connect_step(struct connector *c)
{
	/* Callbacks of a step may ask for another. */
	if (c->stepping) {
		c->step_again = true;
		return;
	}
	c->stepping = true;
	do {
		c->step_again = false;
		step_once(c);
	} while (c->step_again);
	c->stepping = false;
}

void connect_arrived(struct connector *c, struct block_node *node)
{
	c->best = chain_best_below(node, c->best);
	connect_step(c);
}

void connect_reconsider(struct connector *c)
{
	c->best = chain_best(c->chain);
	connect_step(c);
}

bool connect_heading_to(const struct connector *c, struct block_node *node)
{
	return node_is_ancestor(node, c->best);
}
