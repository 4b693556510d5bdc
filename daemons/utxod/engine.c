/*~ The threads: what is asked goes to the builder or a reader; what was committed goes to the log,
 * and now and then to the state's disk, while the next block is built. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/test_point.h"
#include "daemons/utxod/memory.h"
#include "daemons/utxod/utxod.h"

static int64_t now_us(const struct utxod *u)
{
	return rc_mono_us(rc_service_clock(u->service));
}

/* ---- jobs ---- */

static struct job *job_of(struct rc_work *work)
{
	return (struct job *)work; /* its first member */
}

static void run_job(struct rc_work *work)
{
	struct job *job = job_of(work);
	int64_t start = now_us(job->u);

	job->missed = false;
	job->run(job);
	rc_metric_time_us(rc_service_metrics(job->u->service), job->timer,
			  (uint64_t)(now_us(job->u) - start));
}

static void submit_read(struct job *job)
{
	job->built = job->u->built;
	rc_workers_submit(job->pool, &job->work);
}

/* The builder has finished something: who waits for a version looks again. */
static void wake_readers(struct utxod *u)
{
	struct job *job = u->waiting;

	if (u->closing)
		return;
	u->waiting = NULL;
	while (job) {
		struct job *next = job->next;

		submit_read(job);
		job = next;
	}
}

/* Deltas of staged blocks go to the log while their trees are made and their signatures verified.
 * Who staged one that is sure to fit has his answer then, and may commit it. */
struct ahead {
	struct rc_work work;
	struct utxod *u;
	struct job *stage; /* NULL: answered when it ends */
	int err;
	struct rc_error error;
};

static void forget_early(struct job *job)
{
	if (job->ahead)
		job->ahead->stage = NULL;
}

static void finish_job(struct job *job)
{
	job->done(job);
	free(job);
}

/* A disk that fails, or returns other bytes than were written: who goes on serving from it may
 * serve the next wrong thing without noticing. */
static void die_of_disk(const struct job *job)
{
	if (job->err == RC_EIO || job->err == RC_EFORMAT)
		rc_service_die_io("%s", job->error.text);
}

static void build_done(struct rc_work *work)
{
	struct job *job = job_of(work);
	struct utxod *u = job->u;

	rc_metric_set(rc_service_metrics(u->service), M_BUILDING, --u->building);
	u->building_other -= !job->stages;
	u->built++;
	forget_early(job);
	die_of_disk(job);
	finish_job(job);
	wake_readers(u);
}

static void read_done(struct rc_work *work)
{
	struct job *job = job_of(work);
	struct utxod *u = job->u;

	/* A block that is being staged, or has been since: not unknown yet. */
	if (job->missed && u->building && !u->closing) {
		job->next = u->waiting;
		u->waiting = job;
		return;
	}
	if (job->missed && job->built != u->built && !u->closing) {
		submit_read(job);
		return;
	}
	die_of_disk(job);
	finish_job(job);
}

static void prepare(struct utxod *u, struct job *job, void (*done)(struct rc_work *work))
{
	job->u = u;
	job->work.run = run_job;
	job->work.done = done;
	job->start_us = now_us(u);
}

void engine_build(struct utxod *u, struct job *job)
{
	prepare(u, job, build_done);
	rc_metric_set(rc_service_metrics(u->service), M_BUILDING, ++u->building);
	u->building_other += !job->stages;
	rc_workers_submit(u->builder, &job->work);
}

bool engine_commit_ahead(struct utxod *u, const struct rc_block_id *id)
{
	int64_t start = now_us(u);

	/* A Stage that waits goes on top of what is committed all the same. */
	if (u->building_other || !ledger_commit_ahead(u->ledger, id))
		return false;
	rc_metric_time_us(rc_service_metrics(u->service), M_T_APPLY, (uint64_t)(now_us(u) - start));
	return true;
}

void engine_read(struct utxod *u, struct job *job)
{
	prepare(u, job, read_done);
	job->pool = u->readers;
	submit_read(job);
}

void engine_slow(struct utxod *u, struct job *job)
{
	prepare(u, job, read_done);
	job->pool = u->slow;
	submit_read(job);
}

/* ---- the state's disk ---- */

static void run_collect(struct rc_work *work)
{
	struct utxod *u = (struct utxod *)((char *)work - offsetof(struct utxod, collect_work));

	ledger_collect(u->ledger);
}

static void collect(struct utxod *u);

static void collect_done(struct rc_work *work)
{
	struct utxod *u = (struct utxod *)((char *)work - offsetof(struct utxod, collect_work));

	u->collecting = false;
	if (u->collect_again)
		collect(u);
}

/* What a commit made superfluous goes on the flusher's thread: whoever waits for the commit, or for
 * the next block, doesn't wait for that. A flush that is under way does it at its end. */
static void collect(struct utxod *u)
{
	u->collect_again = u->collecting;
	if (u->collecting || u->closing)
		return;
	u->collecting = true;
	u->collect_work = (struct rc_work){.run = run_collect, .done = collect_done};
	rc_workers_submit(u->flusher, &u->collect_work);
}

static void run_flush(struct rc_work *work)
{
	struct utxod *u = (struct utxod *)((char *)work - offsetof(struct utxod, flush_work));

	rc_metric_set(rc_service_metrics(u->service), M_FLUSHING, 1);
	u->flush_job.err = ledger_flush(u->ledger, &u->flush_job.error);
	rc_metric_set(rc_service_metrics(u->service), M_FLUSHING, 0);
}

static void follow_up(struct utxod *u);

static void flush_done(struct rc_work *work)
{
	struct utxod *u = (struct utxod *)((char *)work - offsetof(struct utxod, flush_work));

	u->flushing = false;
	if (u->flush_job.err)
		rc_service_die_io("%s", u->flush_job.error.text);
	rc_metric_time_us(rc_service_metrics(u->service), M_T_FLUSH,
			  (uint64_t)(now_us(u) - u->flush_job.start_us));
	follow_up(u);
}

static void start_flush(struct utxod *u)
{
	u->flushing = true;
	u->flush_job.start_us = now_us(u);
	u->flush_work = (struct rc_work){.run = run_flush, .done = flush_done};
	rc_workers_submit(u->flusher, &u->flush_work);
}

/* ---- the log ---- */

static void run_log(struct rc_work *work)
{
	struct utxod *u = (struct utxod *)((char *)work - offsetof(struct utxod, log_work));

	rc_metric_set(rc_service_metrics(u->service), M_WRITING, 1);
	u->log_job.err = ledger_write(u->ledger, u->log_job.sync, &u->log_job.error);
	rc_metric_set(rc_service_metrics(u->service), M_WRITING, 0);
}

static void run_ahead(struct rc_work *work)
{
	struct ahead *ahead = (struct ahead *)work;
	struct utxod *u = ahead->u;
	int64_t start = now_us(u);

	ahead->err = ledger_write_ahead(u->ledger, atomic_load(&u->commits_durable), &ahead->error);
	rc_metric_time_us(rc_service_metrics(u->service), M_T_AHEAD, (uint64_t)(now_us(u) - start));
}

static void ahead_done(struct rc_work *work)
{
	struct ahead *ahead = (struct ahead *)work;

	struct utxod *u = ahead->u;

	if (ahead->err)
		rc_service_die_io("%s", ahead->error.text);
	if (ahead->stage && !u->closing) {
		rc_request_reply(ahead->stage->request, NULL);
		ahead->stage->request = NULL;
		ahead->stage->ahead = NULL;
	}
	free(ahead);
	follow_up(u);
}

static void on_top(void *arg, bool sure)
{
	struct utxod *u = arg;
	struct ahead *ahead;

	if (!u->logger)
		return; /* what is applied again at opening is in the log */
	ahead = rc_alloc(sizeof(*ahead));
	ahead->u = u;
	ahead->work.run = run_ahead;
	ahead->work.done = ahead_done;
	if (sure && u->staging) {
		ahead->stage = u->staging;
		ahead->stage->ahead = ahead;
	}
	rc_workers_submit(u->logger, &ahead->work);
}

/* When that job ends, what is due is started. */
static void on_full(void *arg)
{
	on_top(arg, false);
}

/* Answers those whose version is durable now. */
static void answer_durable(struct utxod *u)
{
	struct durable_wait **link = &u->durable;
	uint64_t applied, durable;

	ledger_seqs(u->ledger, &applied, &durable);
	while (*link) {
		struct durable_wait *w = *link;

		if (w->seq > durable) {
			link = &w->next;
			continue;
		}
		*link = w->next;
		rc_metric_time_us(rc_service_metrics(u->service), M_T_COMMIT,
				  (uint64_t)(now_us(u) - w->start_us));
		w->answer(u, w->request);
		free(w);
	}
}

static void log_done(struct rc_work *work)
{
	struct utxod *u = (struct utxod *)((char *)work - offsetof(struct utxod, log_work));

	u->logging = false;
	if (u->log_job.err)
		rc_service_die_io("%s", u->log_job.error.text);
	rc_metric_time_us(rc_service_metrics(u->service), M_T_LOG,
			  (uint64_t)(now_us(u) - u->log_job.start_us));
	follow_up(u);
}

static void start_log(struct utxod *u, bool sync)
{
	u->logging = true;
	u->sync_wanted = false;
	u->log_job.sync = sync;
	u->log_job.start_us = now_us(u);
	u->log_work = (struct rc_work){.run = run_log, .done = log_done};
	rc_workers_submit(u->logger, &u->log_work);
}

/* What is next to be written, when something was; when nothing is, idle time syncs. */
static void follow_up(struct utxod *u)
{
	bool due, sync;

	if (u->closing)
		return;
	answer_durable(u);
	events_tip(u);
	due = ledger_write_due(u->ledger);
	sync = u->durable || u->sync_wanted || u->stopping ||
	       ledger_unsynced(u->ledger) >= LEDGER_SYNC_BYTES;
	if (due && !u->logging) {
		if (sync || ledger_unwritten(u->ledger))
			start_log(u, sync);
		else
			rc_timer_arm(u->idle_timer, IDLE_SYNC_US);
	}
	if (!u->flushing && ledger_flush_due(u->ledger))
		start_flush(u);
	if (u->stopping && !u->logging && !u->flushing && !due)
		rc_service_stopped(u->service);
}

static void on_idle(void *arg)
{
	struct utxod *u = arg;

	u->sync_wanted = true;
	follow_up(u);
}

void engine_committed(struct utxod *u, bool sync)
{
	u->sync_wanted |= sync;
	follow_up(u);
	collect(u);
}

void engine_when_durable(struct utxod *u, struct rc_request *request,
			 void (*answer)(struct utxod *u, struct rc_request *request))
{
	struct durable_wait *w = rc_alloc(sizeof(*w));
	uint64_t durable;

	ledger_seqs(u->ledger, &w->seq, &durable);
	w->answer = answer;
	w->request = request;
	w->start_us = now_us(u);
	w->next = u->durable;
	u->durable = w;
	follow_up(u);
	collect(u);
}

void engine_stop(struct utxod *u)
{
	u->stopping = true;
	RC_TEST_POINT(UTXOD_STOP);
	follow_up(u);
}

/* ---- life ---- */

static void start_threads(struct utxod *u)
{
	struct rc_loop *loop = rc_service_loop(u->service);
	struct rc_workers *pools[5];

	u->builder = pools[0] = rc_workers_new(1, "builder");
	u->logger = pools[1] = rc_workers_new(1, "logger");
	u->flusher = pools[2] = rc_workers_new(1, "flusher");
	u->readers = pools[3] = rc_workers_new(READ_THREADS, "reader");
	u->slow = pools[4] = rc_workers_new(1, "verifier");
	for (unsigned i = 0; i < 5; i++)
		u->sources[i] = rc_loop_add_workers(loop, pools[i]);
	u->idle_timer = rc_loop_add_timer(loop, on_idle, u);
}

int engine_open(struct utxod *u, struct rc_error *error)
{
	const struct rc_config *config = rc_service_config(u->service);
	const struct rc_network *network = rc_service_network(u->service);
	struct memory_plan plan;
	struct ledger_options options = {
		.genesis = network->genesis_id,
		.undo_blocks = (uint32_t)rc_config_u64(config, "undo_blocks"),
		.flush_changes = rc_config_u64(config, "flush_changes"),
		.clock = rc_service_clock(u->service),
		.random = rc_service_random(u->service),
		.on_top = on_top,
		.on_full = on_full,
		.arg = u,
	};
	struct ledger_figures f;
	int64_t start = now_us(u);
	int err;

	memory_plan((size_t)rc_config_u64(config, "cache_mb") << 20,
		    (size_t)rc_config_u64(config, "flush_mb") << 20, &plan);
	options.page_bytes = plan.pages;
	options.coin_bytes = plan.coins;
	options.flush_bytes = plan.flush;
	options.stage_bytes = plan.stage;
	options.switch_bytes = plan.undo;
	err = disk_store_open(rc_service_statedir(u->service), network->id.b, plan.log, plan.state,
			      &u->disks, error);
	u->databases_us = (uint64_t)(now_us(u) - start);
	RC_TEST_POINT(UTXOD_START_DATABASES);
	if (!err)
		err = ledger_open(&u->disks, &options, &u->ledger, error);
	/* The ledger knows two databases, not where they are. */
	if (err && !strstr(error->text, rc_service_statedir(u->service)))
		rc_error_prefix(error, "%s", rc_service_statedir(u->service));
	if (err)
		return err;
	ledger_figures(u->ledger, &f);
	rc_log(RC_LOG_NOTICE,
	       "state at block %u, %llu coins; databases opened in %llu ms; %llu steps of %llu "
	       "changes applied again in %llu ms (log %llu, pages %llu, applying %llu)",
	       f.applied.height, (unsigned long long)f.coins,
	       (unsigned long long)u->databases_us / 1000, (unsigned long long)f.recovery.steps,
	       (unsigned long long)f.recovery.changes, (unsigned long long)f.recovery.all_us / 1000,
	       (unsigned long long)f.recovery.log_us / 1000,
	       (unsigned long long)f.recovery.read_us / 1000,
	       (unsigned long long)f.recovery.apply_us / 1000);
	u->told_applied = f.applied;
	u->told_durable = f.durable;
	start_threads(u);
	RC_TEST_POINT(UTXOD_STARTED);
	return RC_OK;
}

void engine_close(struct utxod *u)
{
	u->closing = true; /* what ends now starts nothing new */
	atomic_store(&u->closing_now, true);
	for (unsigned i = 0; i < 5; i++)
		rc_source_free(u->sources[i]);
	rc_source_free(u->idle_timer);
	if (u->ledger)
		ledger_end(u->ledger);
	rc_workers_free(u->builder);
	rc_workers_free(u->slow);
	rc_workers_free(u->readers);
	rc_workers_free(u->flusher);
	rc_workers_free(u->logger);
	while (u->durable) {
		struct durable_wait *w = u->durable;

		u->durable = w->next;
		rc_request_fail(w->request, RC_EUNAVAILABLE, "utxod stops");
		free(w);
	}
	while (u->waiting) {
		struct job *job = u->waiting;

		u->waiting = job->next;
		finish_job(job);
	}
	RC_TEST_POINT(UTXOD_CLOSE);
	ledger_close(u->ledger);
	disk_pair_close(&u->disks);
}
