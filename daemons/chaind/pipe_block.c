/*
 * One block's way through the pipeline: loaded, its coins and its parent's root fetched, checked,
 * staged and verified at the same time. See connect.h.
 */
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/test_point.h"
#include "daemons/chaind/connect.h"
#include "daemons/chaind/metrics.h"

/* Inputs a worker verifies before it takes more: they take a third of a millisecond, so that the
 * threads end within that time of each other, and taking is one atomic addition. */
#define CHUNK_INPUTS 8
/* Outpoints asked for in one request: a block's coins are looked up by all of utxod's readers. */
#define FETCH_PART 1024
/* Of them under way at once: enough for all of its readers, and few of the edge's credit, which a
 * commit must find room in (topology.c). The others follow as these are answered. */
#define FETCH_PARTS_OUT 16

/* Work on another thread for a block. */
struct block_work {
	struct rc_work work;
	struct pipe_block *b;
};

/* A worker's part in a block: it takes chunks of jobs until none is left. */
struct verifier {
	struct rc_work work;
	struct pipe_block *b;
	struct rc_witness_finding finding;
	uint64_t hits, misses; /* transactions whose witnesses were known to be good, and not */
};

/* A request for some of a block's coins. */
struct fetch_part {
	uint32_t first, n; /* of what is asked of utxod */
	bool asked, here;
};

struct pipe_block *pipe_block_new(struct connector *c, struct block_node *node)
{
	struct pipe_block *b = rc_alloc(sizeof(*b));

	b->c = c;
	b->node = node;
	b->refs = 1;
	b->entered_us = b->stage_us = rc_mono_us(c->clock);
	b->body = connect_take_body(c, node);
	return b;
}

void pipe_block_ref(struct pipe_block *b)
{
	b->refs++;
}

void pipe_block_unref(struct pipe_block *b)
{
	if (!b || --b->refs > 0)
		return;
	body_unref(b->body);
	rc_arena_done(&b->arena);
	rc_buf_done(&b->delta);
	free(b->chunks);
	free(b->verifiers);
	free(b);
}

static void timed(struct pipe_block *b, enum chaind_metric metric)
{
	int64_t now = rc_mono_us(b->c->clock);

	rc_metric_time_us(b->c->metrics, metric, (uint64_t)(now - b->stage_us));
	b->stage_us = now;
}

/* Work that is done: true if its block is still in the pipeline; the reference is given back. */
static bool work_ends(struct pipe_block *b)
{
	bool live = !b->dropped;

	pipe_block_unref(b);
	return live;
}

/* ---- load ---- */

/* A read that decodes on the reader's thread. */
struct load {
	struct pipe_block *b;
	struct body *body;
};

static void load_decode(void *arg, struct rc_buf *buf)
{
	struct load *load = arg;

	if (!buf->data)
		return;
	load->body = body_new(buf);
	body_check(load->body);
}

static void load_done(void *arg, struct rc_buf *buf)
{
	struct load *load = arg;
	struct pipe_block *b = load->b;
	struct connector *c = b->c;
	struct body *body = load->body;
	bool good = body && body->verdict == RC_VERDICT_OK &&
		    rc_block_id_eq(&body->block.id, &b->node->id);

	(void)buf;
	free(load);
	if (b->dropped || !good) {
		struct block_node *node = b->node;

		body_unref(body);
		if (work_ends(b))
			c->ops.lost_body(c->arg, node);
		return;
	}
	b->loading = false;
	b->body = body;
	timed(b, METRIC_T_LOAD);
	pipe_block_unref(b);
	connect_step(c);
}

static void start_load(struct pipe_block *b)
{
	struct load *load = rc_alloc(sizeof(*load));

	b->loading = true;
	pipe_block_ref(b);
	load->b = b;
	blockstore_get(b->c->store, b->node, load_decode, load_done, load);
}

/* ---- fetch ---- */

static void put_coin(struct pipe_block *b, uint32_t slot, const struct rc_coin *coin)
{
	b->coins[slot].present = rc_utxod_coin_found(coin);
	b->coins[slot].coin = *coin;
}

static void coins_answered(void *arg, const struct rc_reply *reply,
			   const struct rc_utxod_coins *coins)
{
	struct fetch_part *part = ((struct session_call *)arg)->part;
	struct connector *c;
	struct pipe_block *b;
	struct block_node *node;

	if (!session_call_end(arg, &c, &b, &node))
		return;
	part->asked = false;
	b->parts_out--;
	if (reply->err == RC_EBUSY) {
		session_retry_in(c, reply->retry_ms);
	} else if (reply->err < 0 || coins->n != part->n) {
		pipe_block_unref(b);
		session_lost(c, "coins", reply);
		return;
	} else {
		for (uint32_t i = 0; i < part->n; i++)
			put_coin(b, b->asked_slots[part->first + i], &coins->coins[i]);
		part->here = true;
		if (--b->parts_left == 0) {
			b->fetched = true;
			RC_TEST_POINT(CHAIND_COINS);
			timed(b, METRIC_T_FETCH);
		}
	}
	pipe_block_unref(b);
	connect_step(c);
}

/* Sorts out which coins are known already and which are asked of utxod, in parts.
 *
 * What the pool's transactions spend is known on top of the applied tip and nowhere else: each of
 * them holds there, so its coins are unspent there, and a coin doesn't change as long as its block
 * stays. A reorganisation takes those out of the pool that spend coins made above its fork
 * (moves.c) before the tip it leads to is anybody's parent here; and if the pool were wrong, the
 * delta wouldn't fit utxod's state. */
static void plan_fetch(struct pipe_block *b)
{
	const struct rc_connect_plan *plan = &b->body->plan;
	struct connector *c = b->c;
	bool on_tip = b == c->head && !c->switching && b->node->parent == chain_tip(c->chain);
	RC_AUTOFREE const struct rc_coin **known =
		rc_alloc_array(plan->n_outpoints, sizeof(*known));
	uint32_t n = 0;

	if (on_tip)
		c->ops.known_coins(c->arg, plan->outpoints, plan->n_outpoints, known);
	b->coins = rc_arena_alloc(&b->arena, sizeof(*b->coins) * (plan->n_outpoints + 1));
	b->asked = rc_arena_alloc(&b->arena, sizeof(*b->asked) * (plan->n_outpoints + 1));
	b->asked_slots =
		rc_arena_alloc(&b->arena, sizeof(*b->asked_slots) * (plan->n_outpoints + 1));
	for (uint32_t i = 0; i < plan->n_outpoints; i++) {
		if (known[i]) {
			put_coin(b, i, known[i]);
			continue;
		}
		b->asked[n] = plan->outpoints[i];
		b->asked_slots[n++] = i;
	}
	rc_metric_add(c->metrics, METRIC_COINS_KNOWN, plan->n_outpoints - n);
	b->n_parts = b->parts_left = (n + FETCH_PART - 1) / FETCH_PART;
	b->parts = rc_arena_alloc(&b->arena, sizeof(*b->parts) * (b->n_parts + 1));
	for (uint32_t i = 0; i < b->n_parts; i++) {
		uint32_t first = i * FETCH_PART, left = n - first;

		b->parts[i] = (struct fetch_part){.first = first,
						  .n = left < FETCH_PART ? left : FETCH_PART};
	}
	b->fetched = n == 0;
	b->stage_us = rc_mono_us(c->clock);
}

static void fetch(struct pipe_block *b)
{
	struct connector *c = b->c;

	if (!b->coins)
		plan_fetch(b);
	for (uint32_t i = 0; i < b->n_parts && b->parts_out < FETCH_PARTS_OUT; i++) {
		struct fetch_part *part = &b->parts[i];
		struct session_call *call;

		if (part->asked || part->here)
			continue;
		part->asked = true;
		b->parts_out++;
		call = session_call_new(c, b, b->node, false);
		call->part = part;
		rc_utxod_get_coins(c->utxod, &b->node->parent->id, b->asked + part->first, part->n,
				   STATE_DEADLINE_MS, coins_answered, call);
	}
}

static void root_answered(void *arg, const struct rc_reply *reply, const struct rc_utxod_root *root)
{
	struct connector *c;
	struct pipe_block *b;
	struct block_node *node;

	if (!session_call_end(arg, &c, &b, &node))
		return;
	if (reply->err == RC_EBUSY) {
		b->root_asked = false;
		session_retry_in(c, reply->retry_ms);
	} else if (reply->err < 0) {
		pipe_block_unref(b);
		session_lost(c, "root", reply);
		return;
	} else {
		b->parent_root = root->root;
		b->root_here = true;
	}
	pipe_block_unref(b);
	connect_step(c);
}

static void ask_root(struct pipe_block *b)
{
	struct connector *c = b->c;

	b->root_asked = true;
	if (c->tip_root_known && b->node->parent == chain_tip(c->chain)) {
		b->parent_root = c->tip_root;
		b->root_here = true;
		return;
	}
	rc_utxod_root(c->utxod, &b->node->parent->id, STATE_DEADLINE_MS, root_answered,
		      session_call_new(c, b, b->node, false));
}

/* ---- check ---- */

static void cut_into_chunks(struct pipe_block *b)
{
	const struct rc_connect_result *r = &b->result;
	uint32_t n = 0, inputs = 0;

	b->chunks = rc_alloc_array(r->n_jobs + 1, sizeof(*b->chunks));
	for (uint32_t i = 0; i < r->n_jobs; i++) {
		if (n == 0 || inputs + r->jobs[i].n_inputs > CHUNK_INPUTS) {
			b->chunks[n++] = i;
			inputs = 0;
		}
		inputs += r->jobs[i].n_inputs;
	}
	b->chunks[n] = r->n_jobs;
	b->n_chunks = n;
}

static void check_run(struct rc_work *work)
{
	struct block_work *w = (struct block_work *)work;
	struct pipe_block *b = w->b;
	struct rc_connect_context context = {
		.network = b->c->chain->network,
		.median_time = b->node->parent->median_time,
		.parent_root = NULL, /* judged by the queue, when it is there */
		.governed = {.treasury = b->treasury_before},
	};

	if (b->dropped)
		return;
	b->check_verdict =
		rc_connect_block(&context, &b->body->plan, b->coins, &b->arena, &b->result);
	if (b->check_verdict != RC_VERDICT_OK)
		return;
	rc_delta_encode(&b->result.delta, &b->delta);
	cut_into_chunks(b);
}

static void check_done(struct rc_work *work)
{
	struct block_work *w = (struct block_work *)work;
	struct pipe_block *b = w->b;
	struct connector *c = b->c;

	free(w);
	b->checking = false;
	b->checked = true;
	RC_TEST_POINT(CHAIND_CHECKED);
	timed(b, METRIC_T_CHECK);
	if (work_ends(b))
		connect_step(c);
}

static void start_check(struct pipe_block *b)
{
	struct block_work *w = rc_alloc(sizeof(*w));

	b->checking = true;
	b->treasury_before = b == b->c->head ? b->c->base_treasury : b->prev->result.treasury;
	/* Nothing of a download was in the pool, and hardly anything is verified again. */
	b->remembers = !connect_initial_download(b->c);
	pipe_block_ref(b);
	w->work.run = check_run;
	w->work.done = check_done;
	w->b = b;
	rc_workers_submit(b->c->prep, &w->work);
}

/* ---- verify ---- */

/* Each job has an input at least. */
#define CHUNK_JOBS CHUNK_INPUTS

/* Where the transactions of a chunk's jobs stand among the verified ones. */
static void find_verified(struct pipe_block *b, uint32_t first, uint32_t n,
			  struct verified_place ret_places[CHUNK_JOBS])
{
	for (uint32_t i = 0; i < n; i++)
		verified_find(b->c->verified, &b->result.jobs[first + i].tx->wtxid, &ret_places[i]);
}

/* True: its witnesses are known to be good. */
static bool known_good(struct verifier *v, const struct rc_witness_job *job,
		       const struct verified_place *place)
{
	bool known = verified_has(v->b->c->verified, place);

	if (job->first_input == 0) {
		v->hits += known;
		v->misses += !known;
	}
	return known;
}

static void verify_chunk(struct verifier *v, uint32_t chunk)
{
	struct pipe_block *b = v->b;
	const struct rc_hash *network_id = &b->c->chain->network->id;
	struct verified_place places[CHUNK_JOBS];
	uint32_t first = b->chunks[chunk], n = b->chunks[chunk + 1] - first;

	if (b->remembers)
		find_verified(b, first, n, places);
	for (uint32_t i = 0; i < n; i++) {
		const struct rc_witness_job *job = &b->result.jobs[first + i];
		struct rc_witness_finding found;

		if (b->remembers && known_good(v, job, &places[i]))
			continue;
		found = rc_witness_job_run(network_id, job, NULL);
		rc_witness_worse(&v->finding, &found);
		if (b->remembers && found.verdict == RC_VERDICT_OK &&
		    job->n_inputs == job->tx->n_inputs)
			verified_add(b->c->verified, &places[i]);
	}
}

static void verify_run(struct rc_work *work)
{
	struct verifier *v = (struct verifier *)work;
	struct pipe_block *b = v->b;
	uint32_t chunk;

	while (!b->dropped && (chunk = atomic_fetch_add(&b->next_chunk, 1)) < b->n_chunks)
		verify_chunk(v, chunk);
}

static void verify_done(struct rc_work *work)
{
	struct verifier *v = (struct verifier *)work;
	struct pipe_block *b = v->b;
	struct connector *c = b->c;

	rc_witness_worse(&b->finding, &v->finding);
	rc_metric_add(c->metrics, METRIC_VERIFIED_HITS, v->hits);
	rc_metric_add(c->metrics, METRIC_VERIFIED_MISSES, v->misses);
	if (--b->verifiers_left > 0) {
		pipe_block_unref(b);
		return;
	}
	b->verified = true;
	rc_metric_time_us(c->metrics, METRIC_T_VERIFY,
			  (uint64_t)(rc_mono_us(c->clock) - b->stage_us));
	if (work_ends(b))
		connect_step(c);
}

static void start_verify(struct pipe_block *b)
{
	unsigned n = rc_workers_threads(b->c->verify);

	if (n > b->n_chunks)
		n = b->n_chunks;
	b->verified = n == 0;
	b->verifiers = rc_alloc_array(n + 1, sizeof(*b->verifiers));
	b->verifiers_left = n;
	for (unsigned i = 0; i < n; i++) {
		struct verifier *v = &b->verifiers[i];

		v->work.run = verify_run;
		v->work.done = verify_done;
		v->b = b;
		pipe_block_ref(b);
		rc_workers_submit(b->c->verify, &v->work);
	}
}

/* ---- stage ---- */

static void stage_answered(void *arg, const struct rc_reply *reply)
{
	struct connector *c;
	struct pipe_block *b;
	struct block_node *node;

	if (!session_call_end(arg, &c, &b, &node))
		return;
	b->staging = false;
	if (reply->err == RC_EBUSY) {
		/* The stack is full: a commit makes room. */
		c->stack_full = true;
		session_retry_in(c, reply->retry_ms);
	} else if (reply->err < 0) {
		pipe_block_unref(b);
		session_lost(c, "stage", reply);
		return;
	} else {
		b->staged = true;
		RC_TEST_POINT(CHAIND_STAGED);
		rc_metric_time_us(c->metrics, METRIC_T_STAGE,
				  (uint64_t)(rc_mono_us(c->clock) - b->stage_us));
	}
	pipe_block_unref(b);
	connect_step(c);
}

static void start_stage(struct pipe_block *b)
{
	struct connector *c = b->c;

	b->staging = true;
	rc_utxod_stage(c->utxod, c->writer, (struct rc_bytes){b->delta.data, b->delta.len},
		       STATE_DEADLINE_MS, stage_answered, session_call_new(c, b, b->node, true));
	RC_TEST_POINT(CHAIND_STAGE);
}

/* ---- the way ---- */

void pipe_block_advance(struct pipe_block *b)
{
	struct connector *c = b->c;
	struct pipe_block *below = b == c->head ? NULL : b->prev;

	if (!b->body) {
		if (!b->loading)
			start_load(b);
		return;
	}
	if (below && !below->staged)
		return;
	if (!b->root_asked && !c->hold)
		ask_root(b);
	if (!b->fetched && !c->hold)
		fetch(b);
	if (b->fetched && !b->checked && !b->checking)
		start_check(b);
	if (!b->checked || b->check_verdict != RC_VERDICT_OK)
		return;
	if (!b->verify_started) {
		b->verify_started = true;
		start_verify(b);
	}
	if (!b->staged && !b->staging && !c->hold)
		start_stage(b);
}
