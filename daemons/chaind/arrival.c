/*
 * Headers and blocks as they arrive: what they show by themselves is judged here; the rest is the
 * pipeline's. Who wants to know what became of a block waits here too.
 */
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/test_point.h"
#include "consensus/header_check.h"
#include "daemons/chaind/chaind.h"

/* ---- headers ---- */

/* Headers that aren't worth memory: only what they show by themselves is judged. */
static enum rc_verdict check_in_passing(struct chaind *chaind, const struct rc_header *headers,
					const struct rc_block_id *ids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum rc_verdict verdict =
			rc_header_check_alone(chaind->network, &headers[i], &ids[i]);

		if (i > 0 && !rc_block_id_eq(&headers[i].prev, &ids[i - 1]))
			return RC_V_HEADER_PARENT_UNKNOWN;
		if (verdict != RC_VERDICT_OK)
			return verdict;
	}
	return RC_VERDICT_OK;
}

static bool worth_keeping(struct chaind *chaind, uint64_t peer, const struct rc_header *headers,
			  const struct rc_block_id *ids, size_t n)
{
	return peer == 0 || chain_run_enough(&chaind->chain, headers, ids, n);
}

static enum rc_verdict accept_header(struct chaind *chaind, uint64_t peer,
				     const struct rc_header *header, const struct rc_block_id *id,
				     struct block_node **ret_node)
{
	enum rc_verdict verdict =
		chain_accept_header(&chaind->chain, header, id, chaind_now(chaind), ret_node);

	if (verdict == RC_V_HEADER_TIME_FUTURE)
		future_add(&chaind->future, peer, header, id);
	return verdict;
}

static void headers_changed(struct chaind *chaind)
{
	RC_TEST_POINT(CHAIND_HEADERS);
	blockstore_put_index(chaind->store, &chaind->chain);
	rc_metric_set(chaind->metrics, METRIC_HEADERS, HASH_COUNT(chaind->chain.nodes));
	rc_metric_set(chaind->metrics, METRIC_HEADER_HEIGHT,
		      node_height(chaind->chain.best_header));
	chaind_publish_header(chaind);
	poll_wake(&chaind->wanted_polls);
}

/* Keeps what a branch has shown to be worth it; false: a rule that it broke only now. */
static bool keep_ready(struct chaind *chaind, uint64_t peer, struct presync *presync,
		       struct headers_result *result)
{
	struct rc_header header;
	struct rc_block_id id;

	while (presync_ready(presync, &header, &id)) {
		struct block_node *node;

		result->verdict = accept_header(chaind, peer, &header, &id, &node);
		if (result->verdict != RC_VERDICT_OK)
			return false;
		result->accepted++;
		result->last = node;
	}
	return true;
}

static void go_on_counting(struct chaind *chaind, struct presync_who who, struct presync *presync,
			   const struct rc_header *headers, const struct rc_block_id *ids, size_t n,
			   bool more, struct headers_result *result)
{
	enum rc_verdict verdict;
	enum presync_step step =
		presync_take(presync, headers, ids, n, more, chaind_now(chaind), &verdict);
	bool kept = keep_ready(chaind, who.peer, presync, result);

	if (kept) /* those before a header that breaks a rule don't excuse it */
		result->verdict = verdict;
	rc_metric_add(chaind->metrics, METRIC_HEADERS_PASSING, n);
	if (!kept || step != PRESYNC_GO_ON) {
		presyncs_drop(&chaind->presyncs, who);
	} else {
		result->go_on = true;
		result->ask_from = presync_from(presync);
		presyncs_bound(&chaind->presyncs, who);
	}
	rc_metric_set(chaind->metrics, METRIC_PRESYNC_BYTES,
		      (int64_t)presyncs_bytes(&chaind->presyncs));
}

/* Headers of a branch with too little work so far: counted, if there is more of it. */
static void begin_counting(struct chaind *chaind, struct presync_who who,
			   const struct rc_header *headers, const struct rc_block_id *ids, size_t n,
			   struct headers_result *result)
{
	uint64_t now = chaind_now(chaind);
	size_t kept;
	struct block_node *base = chain_run_base(&chaind->chain, headers, ids, n, &kept);
	struct presync *presync;

	if (n < PRESYNC_FULL || !base || node_bad(base)) {
		result->verdict = check_in_passing(chaind, headers, ids, n);
		return;
	}
	presync = presync_new(&chaind->chain, base, chaind->random, now);
	presyncs_put(&chaind->presyncs, who, presync, now);
	go_on_counting(chaind, who, presync, headers + kept, ids + kept, n - kept, true, result);
}

static void keep_headers(struct chaind *chaind, uint64_t peer, const struct rc_header *headers,
			 const struct rc_block_id *ids, size_t n, struct headers_result *result)
{
	for (size_t i = 0; i < n && result->verdict == RC_VERDICT_OK; i++) {
		struct block_node *node;

		if (i > 0 && !rc_block_id_eq(&headers[i].prev, &ids[i - 1])) {
			result->verdict = RC_V_HEADER_PARENT_UNKNOWN;
			break;
		}
		result->verdict = accept_header(chaind, peer, &headers[i], &ids[i], &node);
		if (result->verdict != RC_VERDICT_OK)
			break;
		result->accepted++;
		result->last = node;
	}
}

void chaind_submit_headers(struct chaind *chaind, struct presync_who who, const uint8_t *raw,
			   size_t n, struct headers_result *ret_result)
{
	RC_AUTOFREE struct rc_header *headers = rc_alloc_array(n, sizeof(*headers));
	RC_AUTOFREE struct rc_block_id *ids = rc_alloc_array(n, sizeof(*ids));
	struct headers_result result = {0};
	struct presync *presync;

	for (size_t i = 0; i < n; i++)
		rc_header_decode(raw + i * RC_HEADER_SIZE, &headers[i]);
	rc_header_id_many(raw, n, ids);
	presync = who.peer ? presyncs_find(&chaind->presyncs, who, chaind_now(chaind)) : NULL;
	if (n > 0) {
		struct rc_block_id from = {0};

		if (presync)
			from = presync_from(presync);
		if (!(presync && rc_block_id_eq(&headers[0].prev, &from)) &&
		    worth_keeping(chaind, who.peer, headers, ids, n))
			keep_headers(chaind, who.peer, headers, ids, n, &result);
		else if (presync)
			go_on_counting(chaind, who, presync, headers, ids, n, n >= PRESYNC_FULL,
				       &result);
		else
			begin_counting(chaind, who, headers, ids, n, &result);
	} else if (presync) {
		presyncs_drop(&chaind->presyncs, who); /* it has no more */
	}
	if (result.last)
		result.wanted =
			rc_u256_cmp(&result.last->work, &chain_tip(&chaind->chain)->work) > 0;
	if (result.accepted || result.verdict != RC_VERDICT_OK)
		headers_changed(chaind);
	*ret_result = result;
}

void chaind_publish_header(struct chaind *chaind)
{
	struct block_node *best = chaind->chain.best_header;

	if (best == chaind->published_header || connect_initial_download(&chaind->connect) ||
	    rc_u256_cmp(&best->work, &chain_tip(&chaind->chain)->work) <= 0)
		return;
	chaind->published_header = best;
	event_header(chaind, best);
}

/* ---- who waits for a block ---- */

struct block_wait {
	struct block_wait *prev, *next;
	struct block_node *node;
	uint64_t number;
	bool duplicate;
	block_fn fn;
	void *arg;
};

/* A block that is still being checked. */
struct arrival {
	struct rc_work work;
	struct chaind *chaind;
	struct body *body;
	struct block_node *node;
	uint64_t number;
	enum block_when when;
	bool synced;
	block_fn fn; /* NULL: forgotten */
	void *arg;
	struct arrival *prev, *next;
};

static void fill(struct block_result *result, const struct block_node *node)
{
	result->id = node->id;
	result->height = node_height(node);
	if (node->flags & NODE_FAILED)
		result->verdict = node->verdict;
	else if (node_bad(node))
		result->verdict = RC_V_HEADER_PARENT_INVALID;
}

/* Whether there is an answer for who waits for node. */
static bool decided(struct chaind *chaind, struct block_node *node)
{
	const struct connector *c = &chaind->connect;

	if (node_bad(node))
		return true;
	if (chain_is_active(&chaind->chain, node))
		return c->durable_height >= node_height(node);
	return !connect_heading_to(c, node);
}

static uint64_t next_number(struct chaind *chaind)
{
	return ++chaind->last_number;
}

static uint64_t wait_for(struct chaind *chaind, struct block_node *node, uint64_t number,
			 bool duplicate, block_fn fn, void *arg)
{
	struct block_wait *wait;

	if (decided(chaind, node)) {
		struct block_result result = {.duplicate = duplicate};

		fill(&result, node);
		fn(arg, &result);
		return 0;
	}
	wait = rc_alloc(sizeof(*wait));
	wait->node = node;
	wait->number = number;
	wait->duplicate = duplicate;
	wait->fn = fn;
	wait->arg = arg;
	DL_APPEND(chaind->block_waits, wait);
	return number;
}

void chaind_wake_blocks(struct chaind *chaind)
{
	struct block_wait *wait, *next;

	DL_FOREACH_SAFE (chaind->block_waits, wait, next) {
		struct block_result result = {.duplicate = wait->duplicate};

		if (!decided(chaind, wait->node))
			continue;
		fill(&result, wait->node);
		DL_DELETE(chaind->block_waits, wait);
		RC_TEST_POINT(CHAIND_BLOCK_ANSWER);
		wait->fn(wait->arg, &result);
		free(wait);
	}
}

void chaind_forget_block(struct chaind *chaind, uint64_t number)
{
	struct block_wait *wait, *next;
	struct arrival *a;

	DL_FOREACH (chaind->arrivals, a) {
		if (a->number == number)
			a->fn = NULL;
	}
	DL_FOREACH_SAFE (chaind->block_waits, wait, next) {
		if (wait->number == number) {
			DL_DELETE(chaind->block_waits, wait);
			free(wait);
		}
	}
}

void chaind_drop_waits(struct chaind *chaind)
{
	struct block_wait *wait, *next;

	DL_FOREACH_SAFE (chaind->block_waits, wait, next) {
		struct block_result result = {.err = RC_EUNAVAILABLE};

		DL_DELETE(chaind->block_waits, wait);
		wait->fn(wait->arg, &result);
		free(wait);
	}
}

/* ---- blocks ---- */

static void arrival_free(struct arrival *a)
{
	DL_DELETE(a->chaind->arrivals, a);
	body_unref(a->body);
	free(a);
}

static void answer(struct arrival *a, const struct block_result *result)
{
	if (a->fn)
		a->fn(a->arg, result);
	arrival_free(a);
}

/* chaind is stopping. */
static void give_up(struct arrival *a)
{
	struct block_result result = {.err = RC_EUNAVAILABLE};

	answer(a, &result);
}

static void stored(void *arg)
{
	struct arrival *a = arg;
	struct chaind *chaind = a->chaind;
	struct block_result result = {0};

	if (chaind->stopping) {
		give_up(a);
		return;
	}
	RC_TEST_POINT(CHAIND_BLOCK_STORED);
	if (a->synced)
		a->node->flags |= NODE_SYNCED;
	if (a->when == BLOCK_CONNECTED) {
		if (a->fn)
			wait_for(chaind, a->node, a->number, false, a->fn, a->arg);
		arrival_free(a);
	} else {
		fill(&result, a->node);
		answer(a, &result);
	}
	connect_step(&chaind->connect);
}

/* It is told to others now, who ask for it before it is on the disk. */
static void keep_recent(struct chaind *chaind, struct body *body)
{
	body_unref(chaind->recent);
	chaind->recent = connect_initial_download(&chaind->connect) ? NULL : body_ref(body);
}

static void checked_good(struct arrival *a)
{
	struct chaind *chaind = a->chaind;
	struct block_node *node = a->node;

	RC_TEST_POINT(CHAIND_BLOCK_CHECKED);
	/* Who waits is told that it is accepted; it may be the only copy: the first block of a
	 * network, or after a day without one, is mined far behind the present. */
	a->synced = a->when == BLOCK_CONNECTED || !connect_initial_download(&chaind->connect);
	chain_set_body(&chaind->chain, node, (uint32_t)a->body->raw.len, a->body->block.n_txs);
	blockstore_put(chaind->store, &chaind->chain, node, a->body->raw.data, a->body->raw.len,
		       a->synced, stored, a);
	keep_recent(chaind, a->body);
	if (a->when == BLOCK_CHECKED && a->fn) {
		/* Before it is tried on the state: what that says isn't asked. */
		struct block_result good = {.id = node->id, .height = node_height(node)};

		a->fn(a->arg, &good);
		a->fn = NULL;
	}
	connect_offer_body(&chaind->connect, node, a->body);
	connect_arrived(&chaind->connect, node);
	poll_wake(&chaind->wanted_polls);
}

static void checked_bad(struct arrival *a, enum rc_verdict verdict)
{
	struct chaind *chaind = a->chaind;
	struct block_result result = {0};
	char hex[RC_ID_HEX];

	result.fault_of_message = !rc_verdict_names_block(verdict);
	if (!result.fault_of_message) {
		rc_log(RC_LOG_WARNING,
		       "block %s at height %u is invalid: %s (%s); it and what builds on it are "
		       "not followed",
		       rc_block_id_hex(hex, &a->node->id), node_height(a->node),
		       rc_verdict_name(verdict), rc_verdict_words(verdict));
		rc_metric_add(chaind->metrics, METRIC_BLOCKS_INVALID, 1);
		chain_set_failed(&chaind->chain, a->node, verdict);
		blockstore_put_index(chaind->store, &chaind->chain);
		connect_reconsider(&chaind->connect);
	}
	fill(&result, a->node);
	result.verdict = verdict;
	answer(a, &result);
	chaind_wake_blocks(chaind);
	poll_wake(&chaind->wanted_polls);
}

static void check_run(struct rc_work *work)
{
	struct arrival *a = (struct arrival *)work;
	int64_t start = rc_mono_us(&a->chaind->clock);

	body_check(a->body);
	rc_metric_time_us(a->chaind->metrics, METRIC_T_DECODE,
			  (uint64_t)(rc_mono_us(&a->chaind->clock) - start));
}

static void check_done(struct rc_work *work)
{
	struct arrival *a = (struct arrival *)work;
	struct chaind *chaind = a->chaind;

	if (chaind->stopping) {
		give_up(a);
		return;
	}
	download_arrived(&chaind->download, &a->node->id);
	if (a->body->verdict != RC_VERDICT_OK) {
		checked_bad(a, a->body->verdict);
	} else if (a->node->flags & NODE_BODY) {
		struct block_result result = {.duplicate = true};

		if (a->when == BLOCK_CONNECTED) {
			if (a->fn)
				wait_for(chaind, a->node, a->number, true, a->fn, a->arg);
			arrival_free(a);
		} else {
			fill(&result, a->node);
			answer(a, &result);
		}
	} else {
		checked_good(a);
	}
}

/* The header's verdict; *ret_node is kept when it is ok. */
static enum rc_verdict header_of(struct chaind *chaind, uint64_t peer, const uint8_t *raw,
				 struct block_result *result, struct block_node **ret_node)
{
	struct rc_header header;
	struct block_node *known;
	enum rc_verdict verdict;

	rc_header_decode(raw, &header);
	rc_header_id(raw, &result->id);
	result->height = header.height;
	known = chain_find(&chaind->chain, &result->id);
	if (!known && !worth_keeping(chaind, peer, &header, &result->id, 1))
		return RC_V_HEADER_PARENT_UNKNOWN;
	verdict = accept_header(chaind, peer, &header, &result->id, ret_node);
	if (!known)
		headers_changed(chaind);
	return verdict;
}

uint64_t chaind_submit_block(struct chaind *chaind, uint64_t peer, const void *raw, size_t len,
			     enum block_when when, block_fn fn, void *arg)
{
	struct block_result result = {0};
	struct block_node *node = NULL;
	struct rc_buf buf = RC_BUF_INIT;
	struct arrival *a;

	if (len < RC_HEADER_SIZE || len > RC_BLOCK_SIZE_MAX) {
		result.verdict = len > RC_BLOCK_SIZE_MAX ? RC_V_BLOCK_SIZE_MAX : RC_V_BLOCK_PARSE;
		result.fault_of_message = true;
		fn(arg, &result);
		return 0;
	}
	result.verdict = header_of(chaind, peer, raw, &result, &node);
	if (result.verdict != RC_VERDICT_OK) {
		fn(arg, &result);
		return 0;
	}
	if (node->flags & NODE_BODY) {
		if (when == BLOCK_CONNECTED)
			return wait_for(chaind, node, next_number(chaind), true, fn, arg);
		result.duplicate = true;
		fn(arg, &result);
		return 0;
	}
	rc_buf_put(&buf, raw, len);
	a = rc_alloc(sizeof(*a));
	a->chaind = chaind;
	a->body = body_new(&buf);
	a->node = node;
	a->number = next_number(chaind);
	a->when = when;
	a->fn = fn;
	a->arg = arg;
	a->work.run = check_run;
	a->work.done = check_done;
	DL_APPEND(chaind->arrivals, a);
	rc_workers_submit(chaind->prep, &a->work);
	return a->number;
}
