/*
 * A session with utxod: opened for writing, our place learned from its durable tip, given up at the
 * first answer that wasn't expected. See connect.h.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/test_point.h"
#include "consensus/state_hash.h"
#include "daemons/chaind/connect.h"
#include "daemons/chaind/metrics.h"

/* Between two tries to open utxod: doubled from 100 ms up to this. */
#define BACKOFF_MAX_MS 10000
/* Ancestors asked for at once when utxod's tip isn't known here. */
#define ANCESTRY_PAGE 1000

struct session_call *session_call_new(struct connector *c, struct pipe_block *b,
				      struct block_node *node, bool write)
{
	struct session_call *call = rc_alloc(sizeof(*call));

	*call = (struct session_call){c, b, node, c->session, write, NULL};
	if (b)
		pipe_block_ref(b);
	c->writes_out += write;
	return call;
}

bool session_call_end(struct session_call *call, struct connector **ret_c,
		      struct pipe_block **ret_b, struct block_node **ret_node)
{
	struct connector *c = call->c;
	struct pipe_block *b = call->b;
	bool present = call->session == c->session;

	*ret_c = c;
	*ret_b = b;
	*ret_node = call->node;
	if (present && call->write)
		c->writes_out--;
	free(call);
	if (present && !(b && b->dropped))
		return true;
	pipe_block_unref(b);
	/* Something may have waited for this answer of a dropped block. */
	if (present)
		connect_step(c);
	return false;
}

static void retry_now(void *arg)
{
	struct connector *c = arg;

	c->hold = false;
	if (c->phase == CONNECT_DOWN && rc_client_up(c->utxod))
		session_start(c);
	else
		connect_step(c);
}

void session_retry_in(struct connector *c, uint32_t ms)
{
	c->hold = true;
	if (!c->retry)
		c->retry = rc_loop_add_timer(c->loop, retry_now, c);
	rc_timer_arm(c->retry, (int64_t)(ms ? ms : 10) * 1000);
}

void session_lost(struct connector *c, const char *what, const struct rc_reply *reply)
{
	c->session++;
	c->phase = CONNECT_DOWN;
	connect_drop_all(c);
	rc_log(RC_LOG_WARNING,
	       "utxod did not do as asked (%s: %s%s%s); what was staged is dropped, and the work "
	       "goes on from its tip in %u ms",
	       what, rc_err_text(reply->err), reply->text && reply->text[0] ? ": " : "",
	       reply->text ? reply->text : "", c->backoff_ms);
	session_retry_in(c, c->backoff_ms);
	c->backoff_ms = c->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : c->backoff_ms * 2;
	c->ops.changed(c->arg);
}

void connect_on_utxod(void *arg, bool up, uint64_t boot, bool changed)
{
	struct connector *c = arg;

	if (!up) {
		rc_log(RC_LOG_NOTICE, "utxod is away; requests that need it wait");
		c->ops.changed(c->arg);
		return;
	}
	/* The same utxod after a broken connection: what is outstanding is asked again by the
	 * client. */
	if (!changed && c->phase != CONNECT_DOWN && boot == c->utxod_boot)
		return;
	c->utxod_boot = boot;
	session_start(c);
}

/* ---- where we are ---- */

static void run(struct connector *c)
{
	c->phase = CONNECT_RUNNING;
	c->tip_known = true;
	connect_step(c);
	c->ops.changed(c->arg);
}

static void treasury_answered(void *arg, const struct rc_reply *reply,
			      const struct rc_utxod_entries *entries)
{
	struct connector *c;
	struct pipe_block *b;
	struct block_node *node;

	if (!session_call_end(arg, &c, &b, &node))
		return;
	if (reply->err < 0 || entries->n != 1 ||
	    (entries->values[0].len != 0 && entries->values[0].len != 8)) {
		session_lost(c, "treasury", reply);
		return;
	}
	c->base_treasury = entries->values[0].len ? rc_get_le64(entries->values[0].data) : 0;
	run(c);
}

/* Begins to work on top of base. */
static void settle_on(struct connector *c, struct block_node *base)
{
	uint8_t key[32];
	struct rc_bytes keys = {key, sizeof(key)};

	c->base = base;
	rc_gov_key_treasury(key);
	rc_utxod_get_entries(c->utxod, &base->id, RC_STATE_GOVERNANCE, &keys, 1, STATE_DEADLINE_MS,
			     treasury_answered, session_call_new(c, NULL, base, false));
}

static void take_tip(struct connector *c, struct block_node *node)
{
	struct block_node *old = chain_tip(c->chain);

	/* Whatever utxod has committed was checked in full, by us before a restart. */
	for (struct block_node *n = node; n && !(n->flags & NODE_VALID); n = n->parent)
		chain_set_valid(c->chain, n);
	chain_set_tip(c->chain, node);
	blockstore_put_index(c->store, c->chain);
	connect_set_durable(c, &(struct rc_block_place){
				       .known = true, .height = node_height(node), .id = node->id});
	c->best = chain_best(c->chain);
	c->tip_root_known = c->tip_root_asked = false;
	if (old != node)
		c->ops.restarted(c->arg, old);
	RC_TEST_POINT(CHAIND_SESSION_TIP);
	settle_on(c, node);
}

/* ---- recovery: utxod's tip isn't a block we have ---- */

static void reverted(void *arg, const struct rc_reply *reply, const struct rc_block_place *place)
{
	struct connector *c;
	struct pipe_block *b;
	struct block_node *node;

	(void)place;
	if (!session_call_end(arg, &c, &b, &node))
		return;
	if (reply->err < 0) {
		session_lost(c, "revert", reply);
		return;
	}
	RC_TEST_POINT(CHAIND_SESSION_REVERTED);
	take_tip(c, node);
}

static void walk_back(struct connector *c, uint32_t from_height);

static void ancestry_answered(void *arg, const struct rc_reply *reply,
			      const struct rc_utxod_ancestry *ancestry)
{
	struct connector *c;
	struct pipe_block *b;
	struct block_node *node;
	uint32_t least;

	if (!session_call_end(arg, &c, &b, &node))
		return;
	if (reply->err < 0) {
		session_lost(c, "ancestry", reply);
		return;
	}
	for (size_t i = 0; i < ancestry->n; i++) {
		node = chain_find(c->chain, &ancestry->blocks[i].id);
		if (!node || !(node->flags & NODE_CHAIN))
			continue;
		rc_log(RC_LOG_WARNING,
		       "utxod is at a block that is not stored here; its state goes back to height "
		       "%u, and the blocks above are fetched again",
		       node_height(node));
		RC_TEST_POINT(CHAIND_SESSION_BACK);
		rc_utxod_revert(c->utxod, c->writer, &node->id, STATE_DEADLINE_MS, reverted,
				session_call_new(c, NULL, node, true));
		return;
	}
	least = ancestry->n ? ancestry->blocks[ancestry->n - 1].height : 0;
	if (least > 0) {
		walk_back(c, least - 1);
		return;
	}
	rc_log(RC_LOG_CRIT,
	       "none of the blocks that utxod can go back to is stored here: its state and this "
	       "block store do not belong together; restore both from one backup, or remove both");
	c->phase = CONNECT_DOWN;
	c->session++;
	session_retry_in(c, BACKOFF_MAX_MS);
}

static void walk_back(struct connector *c, uint32_t from_height)
{
	rc_utxod_ancestry(c->utxod, from_height, ANCESTRY_PAGE, STATE_DEADLINE_MS,
			  ancestry_answered, session_call_new(c, NULL, NULL, false));
}

static void opened(void *arg, const struct rc_reply *reply, const struct rc_utxod_tip *tip)
{
	struct connector *c;
	struct pipe_block *b;
	struct block_node *node;

	if (!session_call_end(arg, &c, &b, &node))
		return;
	if (reply->err < 0) {
		session_lost(c, "opening it to write", reply);
		return;
	}
	rc_metric_add(c->metrics, METRIC_SESSIONS, 1);
	RC_TEST_POINT(CHAIND_SESSION_OPENED);
	node = chain_find(c->chain, &tip->applied.id);
	rc_log(RC_LOG_INFO, "utxod is open for writing at height %u", tip->applied.height);
	if (node && node->flags & NODE_CHAIN)
		take_tip(c, node);
	else
		walk_back(c, tip->applied.height);
}

void session_start(struct connector *c)
{
	c->session++;
	/* Each session fences off the one before, as each chaind does. */
	c->writer = c->boot + c->session;
	connect_drop_all(c);
	c->phase = CONNECT_OPENING;
	c->hold = false;
	rc_utxod_open_writer(c->utxod, c->writer, STATE_DEADLINE_MS, opened,
			     session_call_new(c, NULL, NULL, true));
}

/* ---- moving off the present chain ---- */

static void moved_back(void *arg, const struct rc_reply *reply, const struct rc_block_place *place)
{
	struct connector *c;
	struct pipe_block *b;
	struct block_node *node, *old;

	if (!session_call_end(arg, &c, &b, &node))
		return;
	if (reply->err < 0) {
		session_lost(c, "revert", reply);
		return;
	}
	RC_TEST_POINT(CHAIND_MOVED_BACK);
	old = chain_tip(c->chain);
	chain_set_tip(c->chain, node);
	connect_set_durable(c, place);
	c->tip_root_known = c->tip_root_asked = false;
	rc_metric_set(c->metrics, METRIC_REORG_IN_FLIGHT, 0);
	c->ops.advanced(c->arg, old, node, NULL, 0);
	settle_on(c, node);
}

static void switched(void *arg, const struct rc_reply *reply, const struct rc_block_place *place)
{
	struct connector *c;
	struct pipe_block *b;
	struct block_node *fork;

	(void)place;
	if (!session_call_end(arg, &c, &b, &fork))
		return;
	if (reply->err == RC_ENOENT) {
		/* Deeper than undo data is kept. */
		struct block_node *first = node_ancestor(c->best, node_height(fork) + 1);

		rc_log(RC_LOG_CRIT,
		       "a better chain leaves ours at height %u, deeper than utxod can undo; this "
		       "node stays on its chain until it is set up anew",
		       node_height(fork));
		rc_metric_set(c->metrics, METRIC_REORG_IN_FLIGHT, 0);
		chain_set_stuck(c->chain, first);
		c->best = chain_best(c->chain);
		run(c);
		return;
	}
	if (reply->err == RC_ETOOBIG) {
		rc_log(RC_LOG_NOTICE,
		       "the reorganisation is too long for one step: the state goes back to height "
		       "%u first",
		       node_height(fork));
		rc_utxod_revert(c->utxod, c->writer, &fork->id, STATE_DEADLINE_MS, moved_back,
				session_call_new(c, NULL, fork, true));
		return;
	}
	if (reply->err < 0) {
		session_lost(c, "switch", reply);
		return;
	}
	c->switching = true;
	RC_TEST_POINT(CHAIND_SWITCHED);
	settle_on(c, fork);
}

void session_move(struct connector *c, struct block_node *to)
{
	struct block_node *tip = chain_tip(c->chain);
	struct block_node *fork = node_fork(tip, to);
	char from_hex[RC_ID_HEX], to_hex[RC_ID_HEX];

	assert(!c->head && c->writes_out == 0 && !c->switching);
	c->phase = CONNECT_MOVING;
	RC_TEST_POINT(CHAIND_MOVE);
	rc_metric_set(c->metrics, METRIC_REORG_IN_FLIGHT, 1);
	rc_log(RC_LOG_NOTICE,
	       "reorganisation: from %s at height %u back to height %u, then to %s at height %u",
	       rc_block_id_hex(from_hex, &tip->id), node_height(tip), node_height(fork),
	       rc_block_id_hex(to_hex, &to->id), node_height(to));
	if (fork == to)
		rc_utxod_revert(c->utxod, c->writer, &fork->id, STATE_DEADLINE_MS, moved_back,
				session_call_new(c, NULL, fork, true));
	else
		rc_utxod_switch(c->utxod, c->writer, &fork->id, STATE_DEADLINE_MS, switched,
				session_call_new(c, NULL, fork, true));
}

/* ---- the root templates wait for ---- */

static void tip_root_answered(void *arg, const struct rc_reply *reply,
			      const struct rc_utxod_root *root)
{
	struct connector *c;
	struct pipe_block *b;
	struct block_node *node;

	if (!session_call_end(arg, &c, &b, &node))
		return;
	if (node != chain_tip(c->chain))
		return;
	if (reply->err < 0) {
		c->tip_root_asked = false;
		session_retry_in(c, reply->retry_ms ? reply->retry_ms : 100);
		return;
	}
	c->tip_root = root->root;
	c->tip_root_known = true;
	c->ops.changed(c->arg);
}

void session_ask_tip_root(struct connector *c)
{
	struct block_node *tip = chain_tip(c->chain);

	c->tip_root_asked = true;
	rc_utxod_root(c->utxod, &tip->id, STATE_DEADLINE_MS, tip_root_answered,
		      session_call_new(c, NULL, tip, false));
}
