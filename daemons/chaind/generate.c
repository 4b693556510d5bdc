/*
 * Mining inside the daemon, for regtest: one job at a time, each towards its goal height, nonces on
 * a thread of its own in slices, each block by the same way as everybody's.
 */
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/mem.h"
#include "consensus/coinbase.h"
#include "consensus/merkle.h"
#include "consensus/pow.h"
#include "consensus/subsidy.h"
#include "daemons/chaind/chaind.h"
#include "daemons/chaind/template.h"

/* Nonces tried before the loop is asked whether to go on: some 100 ms of hashing. */
#define SLICE_NONCES 100000

struct generate_job {
	struct generate_job *prev, *next;
	uint64_t number;
	uint8_t lock[RC_LOCK_SIZE_MAX];
	size_t lock_len;
	uint32_t goal;
	uint64_t tries_left;
	struct rc_block_id *ids;
	size_t n_ids, cap_ids;
	generate_fn fn;
	void *arg;
};

struct generator {
	struct rc_work work; /* the slice under way */
	struct chaind *chaind;
	struct rc_workers *workers;
	struct rc_source *source;
	struct generate_job *jobs; /* the first one is worked for */
	uint64_t last_number;
	bool mining, submitting;
	bool found;
	struct rc_block_id on; /* the tip that is built upon */
	uint64_t for_job;      /* number of the job that is mined for */
	struct rc_header header;
	struct rc_u256 target;
	struct rc_buf block;
	uint64_t tries;
};

static void job_end(struct generator *g, struct generate_job *job, int err, const char *text)
{
	struct generate_result result = {err, text, job->ids, job->n_ids};

	DL_DELETE(g->jobs, job);
	job->fn(job->arg, &result);
	free(job->ids);
	free(job);
}

/* ---- a block ---- */

static void put_coinbase(struct generator *g, const struct generate_job *job, uint32_t height,
			 rc_amount amount, struct rc_buf *buf)
{
	uint8_t unique[8];
	struct rc_coinbase coinbase = {.height = height, .free = {unique, sizeof(unique)}};
	struct rc_buf payload = RC_BUF_INIT;
	struct rc_tx_out out = {.amount = amount};
	struct rc_tx tx = {
		.version = RC_TX_VERSION,
		.type = RC_TX_COINBASE,
		.n_outputs = 1,
		.outputs = &out,
	};

	/* Never the same block twice: an operator may have called that one invalid. */
	rc_random_fill(g->chaind->random, unique, sizeof(unique));
	rc_lock_decode(job->lock, job->lock_len, &out.lock);
	if (out.lock.kind == RC_LOCK_DATA)
		out.amount = 0;
	rc_coinbase_encode(&coinbase, &payload);
	tx.payload = (struct rc_bytes){payload.data, payload.len};
	rc_tx_encode(&tx, buf);
	rc_buf_done(&payload);
}

static void fill_header(struct generator *g, const struct rc_wtxid *wtxids, uint32_t n_txs,
			struct rc_arena *arena)
{
	struct chaind *chaind = g->chaind;
	struct block_node *tip = chain_tip(&chaind->chain);
	uint64_t now = chaind_now(chaind);

	g->header = (struct rc_header){
		.version = RC_HEADER_VERSION,
		.height = node_height(tip) + 1,
		.prev = tip->id,
		.state_root = chaind->connect.tip_root,
		.time = now > tip->median_time ? (uint32_t)now : tip->median_time + 1,
		.bits = rc_required_bits(chaind->network, node_height(tip), tip->header.time),
	};
	rc_tx_root(wtxids, sizeof(*wtxids), n_txs, arena, &g->header.tx_root);
	rc_bits_target(g->header.bits, &g->target);
}

static void build(struct generator *g, const struct generate_job *job)
{
	struct chaind *chaind = g->chaind;
	struct block_node *tip = chain_tip(&chaind->chain);
	uint32_t height = node_height(tip) + 1;
	uint32_t limit = chaind->network->params.block_limit;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf coinbase = RC_BUF_INIT;
	struct template_list list;
	struct rc_wtxid *wtxids;
	struct rc_tx tx;

	template_choose(&chaind->pool, limit - TEMPLATE_RESERVE, limit, height, tip->median_time,
			&list);
	put_coinbase(g, job, height, rc_miner_limit(chaind->network, height, list.fees), &coinbase);
	rc_tx_decode(coinbase.data, coinbase.len, &arena, &tx);
	wtxids = rc_arena_alloc(&arena, (list.n + 1) * sizeof(*wtxids));
	wtxids[0] = tx.wtxid;
	for (size_t i = 0; i < list.n; i++)
		wtxids[i + 1] = list.txs[i].tx->tx.wtxid;
	fill_header(g, wtxids, (uint32_t)list.n + 1, &arena);
	rc_buf_clear(&g->block);
	rc_block_put_head(&g->block, &g->header, (uint32_t)list.n + 1);
	rc_buf_put(&g->block, coinbase.data, coinbase.len);
	for (size_t i = 0; i < list.n; i++)
		rc_buf_put(&g->block, list.txs[i].tx->tx.raw.data, list.txs[i].tx->tx.raw.len);
	g->on = tip->id;
	g->for_job = job->number;
	template_list_done(&list);
	rc_buf_done(&coinbase);
	rc_arena_done(&arena);
}

/* ---- mining ---- */

static void slice_run(struct rc_work *work)
{
	struct generator *g = (struct generator *)work;
	uint64_t end = g->header.nonce + SLICE_NONCES;

	for (g->found = false; g->header.nonce < end; g->header.nonce++) {
		struct rc_block_id id;

		g->tries++;
		rc_header_encode(&g->header, g->block.data);
		rc_header_id(g->block.data, &id);
		if (rc_pow_holds(&id, &g->target)) {
			g->found = true;
			return;
		}
	}
}

static void connected(void *arg, const struct block_result *result)
{
	struct generator *g = arg;
	struct generate_job *job = g->jobs;

	g->submitting = false;
	if (g->chaind->stopping)
		return;
	if (!job || job->number != g->for_job) {
		chaind_generate_step(g->chaind);
		return;
	}
	if (result->verdict != RC_VERDICT_OK) {
		job_end(g, job, RC_EINVAL, rc_verdict_name(result->verdict));
	} else {
		if (job->n_ids == job->cap_ids) {
			job->cap_ids = job->cap_ids * 2 + 16;
			job->ids = rc_realloc_array(job->ids, job->cap_ids, sizeof(*job->ids));
		}
		job->ids[job->n_ids++] = result->id;
	}
	chaind_generate_step(g->chaind);
}

static void slice_done(struct rc_work *work)
{
	struct generator *g = (struct generator *)work;
	struct chaind *chaind = g->chaind;
	struct generate_job *job = g->jobs;

	g->mining = false;
	if (!job || chaind->stopping)
		return;
	if (job->number != g->for_job) {
		chaind_generate_step(chaind);
		return;
	}
	job->tries_left -= g->tries < job->tries_left ? g->tries : job->tries_left;
	if (!g->found && job->tries_left == 0) {
		job_end(g, job, RC_OK, NULL);
	} else if (g->found && rc_block_id_eq(&g->on, &chain_tip(&chaind->chain)->id)) {
		g->submitting = true;
		chaind_submit_block(chaind, 0, g->block.data, g->block.len, BLOCK_CONNECTED,
				    connected, g);
		return;
	} else if (!g->found && rc_block_id_eq(&g->on, &chain_tip(&chaind->chain)->id)) {
		g->mining = true;
		g->tries = 0;
		rc_workers_submit(g->workers, &g->work);
		return;
	}
	chaind_generate_step(chaind);
}

void chaind_generate_step(struct chaind *chaind)
{
	struct generator *g = chaind->generator;
	struct generate_job *job;

	if (!g || g->mining || g->submitting)
		return;
	while ((job = g->jobs) && node_height(chain_tip(&chaind->chain)) >= job->goal)
		job_end(g, job, RC_OK, NULL);
	if (!job || !connect_running(&chaind->connect) || !chaind->connect.tip_root_known)
		return;
	/* A better block is on its way: what is found now would lose against it. */
	if (chaind->connect.best != chain_tip(&chaind->chain))
		return;
	build(g, job);
	g->mining = true;
	g->tries = 0;
	rc_workers_submit(g->workers, &g->work);
}

/* ---- jobs ---- */

static struct generator *generator_new(struct chaind *chaind)
{
	struct generator *g = rc_alloc(sizeof(*g));

	g->chaind = chaind;
	g->work.run = slice_run;
	g->work.done = slice_done;
	g->workers = rc_workers_new(1, "generate");
	g->source = rc_loop_add_workers(chaind->loop, g->workers);
	return g;
}

uint64_t chaind_generate(struct chaind *chaind, const void *lock, size_t lock_len,
			 uint32_t goal_height, uint64_t max_tries, generate_fn fn, void *arg)
{
	struct generate_job *job = rc_alloc(sizeof(*job));
	struct generator *g;

	if (!chaind->generator)
		chaind->generator = generator_new(chaind);
	g = chaind->generator;
	memcpy(job->lock, lock, lock_len);
	job->lock_len = lock_len;
	job->goal = goal_height;
	job->tries_left = max_tries ? max_tries : UINT64_MAX;
	job->fn = fn;
	job->arg = arg;
	job->number = ++g->last_number;
	DL_APPEND(g->jobs, job);
	chaind_generate_step(chaind);
	return g->last_number;
}

void chaind_generate_cancel(struct chaind *chaind, uint64_t number)
{
	struct generator *g = chaind->generator;
	struct generate_job *job, *next;

	if (!g)
		return;
	DL_FOREACH_SAFE (g->jobs, job, next) {
		if (job->number == number) {
			job_end(g, job, RC_ECANCELLED, "nobody waits any more");
			return;
		}
	}
}

void chaind_generate_done(struct chaind *chaind)
{
	struct generator *g = chaind->generator;
	struct generate_job *job, *next;

	if (!g)
		return;
	DL_FOREACH_SAFE (g->jobs, job, next)
		job_end(g, job, RC_EUNAVAILABLE, "chaind is stopping");
	rc_source_free(g->source);
	rc_workers_free(g->workers);
	rc_buf_done(&g->block);
	free(g);
	chaind->generator = NULL;
}
