/* What follows when the chain moves: the pool, events, who waits, the log. */
#include <inttypes.h>
#include <sched.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/test_point.h"
#include "daemons/chaind/chaind.h"

/* Lines of progress during initial download: one in so many microseconds. */
#define PROGRESS_US 10000000

static void log_move(struct chaind *chaind, struct block_node *old_tip, struct block_node *fork,
		     size_t n_blocks)
{
	struct block_node *tip = chain_tip(&chaind->chain);
	uint64_t now = (uint64_t)rc_mono_us(&chaind->clock);
	bool behind = connect_initial_download(&chaind->connect);
	char hex[RC_ID_HEX];

	if (fork != old_tip) {
		rc_log(RC_LOG_NOTICE,
		       "reorganised: %u blocks undone, %zu connected; the tip is %s at height %u",
		       node_height(old_tip) - node_height(fork), n_blocks,
		       rc_block_id_hex(hex, &tip->id), node_height(tip));
	} else if (!behind && !(tip->child)) {
		rc_log(RC_LOG_DEBUG, "new tip %s at height %u", rc_block_id_hex(hex, &tip->id),
		       node_height(tip));
	}
	if (now - chaind->last_log_us >= PROGRESS_US &&
	    node_height(tip) != chaind->last_log_height) {
		rc_log(RC_LOG_INFO, "height %u of %u, %zu transactions in the pool",
		       node_height(tip), node_height(chaind->chain.best_header),
		       (size_t)chaind->pool.count);
		chaind->last_log_us = now;
		chaind->last_log_height = node_height(tip);
	}
}

static void set_tip_metrics(struct chaind *chaind)
{
	struct block_node *tip = chain_tip(&chaind->chain);

	rc_metric_set(chaind->metrics, METRIC_TIP_HEIGHT, node_height(tip));
	rc_metric_set(chaind->metrics, METRIC_TIP_TIME, tip->header.time);
	rc_metric_set(chaind->metrics, METRIC_INITIAL_DOWNLOAD,
		      connect_initial_download(&chaind->connect));
}

/* What a reorganisation does to the pool: what may not hold any more is asked again, after what
 * the undone blocks had. */
static void unsettle(struct chaind *chaind, struct block_node *old_tip, struct block_node *fork)
{
	struct block_node *tip = chain_tip(&chaind->chain);

	rc_metric_add(chaind->metrics, METRIC_REORGS, 1);
	rc_metric_add(chaind->metrics, METRIC_BLOCKS_DISCONNECTED,
		      node_height(old_tip) - node_height(fork));
	for (uint32_t h = node_height(fork) + 1; h <= node_height(old_tip); h++)
		refill_add_block(&chaind->refill, node_ancestor(old_tip, h));
	mempool_unsettle(&chaind->pool, node_height(fork), node_height(tip), tip->median_time);
	RC_TEST_POINT(CHAIND_UNSETTLED);
}

/*~ A new tip is told before the pool follows it, which takes a full block's transactions some
 * milliseconds to leave: nobody sees the pool in between, since no request is read before this turn
 * of the loop is over, and what is called here doesn't look into the pool. A kill in between leaves
 * what one before this turn leaves: at the next start every transaction of the journal is asked
 * again. */
static void tell(struct chaind *chaind, bool reorganised)
{
	set_tip_metrics(chaind);
	event_tip(chaind, reorganised);
	chaind_wake_blocks(chaind);
	poll_wake(&chaind->tip_polls);
	poll_wake(&chaind->wanted_polls);
	/* All of it is in the hands of the bus's thread, which would wait for the end of this one's
	 * time slice where utxod keeps the other processors busy. */
	if (chaind->pool.count > 0)
		sched_yield();
}

/* The pool fits the tip: who works with it goes on. */
static void pool_followed(struct chaind *chaind)
{
	admit_tip_moved(&chaind->admit);
	poll_wake(&chaind->settle_polls);
	poll_wake(&chaind->template_polls);
	refill_pump(&chaind->refill);
}

static void on_known_coins(void *arg, const struct rc_outpoint *outpoints, size_t n,
			   const struct rc_coin **ret_coins)
{
	struct chaind *chaind = arg;

	mempool_state_coins(&chaind->pool, outpoints, n, ret_coins);
}

static void on_advanced(void *arg, struct block_node *old_tip, struct block_node *fork,
			struct pipe_block *const *blocks, size_t n_blocks)
{
	struct chaind *chaind = arg;

	tell(chaind, fork != old_tip);
	if (fork != old_tip)
		unsettle(chaind, old_tip, fork);
	for (size_t i = 0; i < n_blocks; i++) {
		mempool_block(&chaind->pool, &blocks[i]->body->block);
		chaind_txs_confirmed(chaind, &blocks[i]->body->block);
	}
	RC_TEST_POINT(CHAIND_POOL_MOVED);
	log_move(chaind, old_tip, fork, n_blocks);
	pool_followed(chaind);
}

/* Branches that were left less than so many blocks ago give their transactions back at a start: a
 * kill between a reorganisation and the refill must not lose one that was acknowledged. */
#define STALE_DEPTH 100

static void refill_stale(struct chaind *chaind)
{
	struct block_node *tip = chain_tip(&chaind->chain), *node;

	CHAIN_EACH(&chaind->chain, node)
	{
		struct block_node *fork;

		if (!(node->flags & NODE_VALID) || chain_is_active(&chaind->chain, node) ||
		    node_height(node) + STALE_DEPTH < node_height(tip) ||
		    (node->child && node->child->flags & NODE_VALID))
			continue;
		fork = node_fork(node, tip);
		for (uint32_t h = node_height(fork) + 1; h <= node_height(node); h++)
			refill_add_block(&chaind->refill, node_ancestor(node, h));
	}
}

/* utxod is elsewhere than was believed: after a start, or after its crash. Every transaction of the
 * pool is asked again. */
static void on_restarted(void *arg, struct block_node *old_tip)
{
	struct chaind *chaind = arg;
	struct block_node *fork = node_fork(old_tip, chain_tip(&chaind->chain));

	for (uint32_t h = node_height(fork) + 1; h <= node_height(old_tip); h++)
		refill_add_block(&chaind->refill, node_ancestor(old_tip, h));
	if (!chaind->stale_seen)
		refill_stale(chaind);
	chaind->stale_seen = true;
	mempool_unsettle(&chaind->pool, 0, 0, 0);
	RC_TEST_POINT(CHAIND_RESTARTED);
	tell(chaind, fork != old_tip);
	pool_followed(chaind);
}

static void on_failed(void *arg, struct block_node *node)
{
	struct chaind *chaind = arg;

	(void)node;
	chaind_wake_blocks(chaind);
	poll_wake(&chaind->wanted_polls);
}

static void on_changed(void *arg)
{
	struct chaind *chaind = arg;
	bool running = connect_running(&chaind->connect);

	if (running && chaind->service)
		rc_service_ready(chaind->service);
	if (running && !chaind->was_running)
		set_tip_metrics(chaind);
	chaind->was_running = running;
	refill_pause(&chaind->refill, !running);
	if (chaind->told_durable != chaind->connect.durable_height) {
		chaind->told_durable = chaind->connect.durable_height;
		event_durable(chaind);
		chaind_wake_blocks(chaind);
	}
	poll_wake(&chaind->template_polls);
	poll_wake(&chaind->settle_polls);
	chaind_generate_step(chaind);
}

static void on_lost_body(void *arg, struct block_node *node)
{
	struct chaind *chaind = arg;
	char hex[RC_ID_HEX];

	rc_log(RC_LOG_ERR,
	       "the body of block %s at height %u is missing or damaged in the store; it is "
	       "fetched again",
	       rc_block_id_hex(hex, &node->id), node_height(node));
	chain_lose_body(&chaind->chain, node);
	blockstore_put_index(chaind->store, &chaind->chain);
	connect_reconsider(&chaind->connect);
	poll_wake(&chaind->wanted_polls);
}

void chaind_set_connect_ops(struct chaind *chaind)
{
	chaind->connect.ops = (struct connect_ops){
		.known_coins = on_known_coins,
		.advanced = on_advanced,
		.failed = on_failed,
		.changed = on_changed,
		.restarted = on_restarted,
		.lost_body = on_lost_body,
	};
	chaind->connect.arg = chaind;
}

/* ---- an operator's word ---- */

static void reconsidered(struct chaind *chaind)
{
	blockstore_put_index(chaind->store, &chaind->chain);
	connect_reconsider(&chaind->connect);
	chaind_wake_blocks(chaind);
	poll_wake(&chaind->wanted_polls);
}

void chaind_veto(struct chaind *chaind, struct block_node *node)
{
	char hex[RC_ID_HEX];

	rc_log(RC_LOG_NOTICE, "block %s at height %u is called invalid by an operator",
	       rc_block_id_hex(hex, &node->id), node_height(node));
	chain_veto(&chaind->chain, node);
	RC_TEST_POINT(CHAIND_VETO);
	reconsidered(chaind);
}

void chaind_reconsider(struct chaind *chaind, struct block_node *node)
{
	char hex[RC_ID_HEX];

	rc_log(RC_LOG_NOTICE, "block %s at height %u is judged again, as an operator wishes",
	       rc_block_id_hex(hex, &node->id), node_height(node));
	chain_reconsider(&chaind->chain, node);
	reconsidered(chaind);
}

int chaind_set_mock_time(struct chaind *chaind, uint32_t time)
{
	if (chaind->network->params.retarget != RC_RETARGET_NONE)
		return RC_EDENIED;
	chaind->mock_time = time;
	return RC_OK;
}
