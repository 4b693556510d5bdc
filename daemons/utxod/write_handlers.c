/*~ chaind's requests: each is a job for the builder, in the order they came. What repeats another
 * is fine; what comes from a chaind that isn't the last to open is refused. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/test_point.h"
#include "daemons/utxod/utxod.h"
#include "proto/utxod.pb-c.h"

struct write_job {
	struct job job;
	struct rc_bytes delta; /* the request's own memory */
	struct rc_block_id id;
	bool has_id;
	bool durable;
};

static void fill_ref(const struct block_ref *block, Rc__BlockRef *ref)
{
	rc__block_ref__init(ref);
	ref->height = block->height;
	ref->id.data = (uint8_t *)(uintptr_t)block->id.b;
	ref->id.len = sizeof(block->id.b);
}

/* The error of a job, as an answer. */
static void fail(struct job *job)
{
	if (job->err == RC_EBUSY)
		rc_request_busy(job->request, BUSY_RETRY_MS);
	else
		rc_request_fail(job->request, job->err, "%s", job->error.text);
}

/* NULL: refused, and answered. */
static struct write_job *begin(struct utxod *u, struct rc_request *request, uint64_t writer)
{
	struct write_job *w;

	if (!writer || writer != u->writer) {
		rc_request_fail(request, RC_EDENIED,
				u->writer ? "another chaind has opened this utxod for writing since"
					  : "open for writing first");
		return NULL;
	}
	if (u->stopping) {
		rc_request_fail(request, RC_EUNAVAILABLE, "utxod stops");
		return NULL;
	}
	w = rc_alloc(sizeof(*w));
	w->job.request = request;
	w->job.timer = M_T_OTHER;
	return w;
}

/* False: not an id; answered, and the job is gone. */
static bool take_id(struct write_job *w, ProtobufCBinaryData id, bool may_be_empty)
{
	w->has_id = id.len == sizeof(w->id.b);
	if (w->has_id)
		memcpy(w->id.b, id.data, sizeof(w->id.b));
	if (w->has_id || (may_be_empty && !id.len))
		return true;
	rc_request_fail(w->job.request, RC_EINVAL, "a block id has 32 bytes");
	free(w);
	return false;
}

static struct write_job *of(struct job *job)
{
	return (struct write_job *)job; /* its first member */
}

/* ---- open ---- */

static void run_open(struct job *job)
{
	RC_TEST_POINT(UTXOD_OPEN_WRITER);
	ledger_abort(job->u->ledger, NULL);
}

static void answer_open(struct utxod *u, struct rc_request *request)
{
	Rc__OpenWriterReply reply = RC__OPEN_WRITER_REPLY__INIT;
	struct block_ref applied, durable;
	Rc__BlockRef tip;

	ledger_tips(u->ledger, &applied, &durable);
	fill_ref(&durable, &tip);
	reply.tip = &tip;
	RC_TEST_POINT(UTXOD_OPEN_ANSWER);
	rc_request_reply(request, &reply);
}

static void done_open(struct job *job)
{
	engine_when_durable(job->u, job->request, answer_open);
}

void on_open_writer(void *ctx, struct rc_request *request)
{
	const Rc__OpenWriterRequest *m = rc_request_body(request);
	struct utxod *u = ctx;
	struct job *job;

	if (!m->writer) {
		rc_request_fail(request, RC_EINVAL, "a writer's boot id isn't 0");
		return;
	}
	if (m->writer == u->writer) { /* asked again: it keeps what it has staged */
		engine_when_durable(u, request, answer_open);
		return;
	}
	rc_log(RC_LOG_INFO, "opened for writing by chaind of boot %016llx",
	       (unsigned long long)m->writer);
	u->writer = m->writer;
	job = rc_alloc(sizeof(struct write_job));
	job->request = request;
	job->timer = M_T_OTHER;
	job->run = run_open;
	job->done = done_open;
	engine_build(u, job);
}

/* ---- stage ---- */

static void run_stage(struct job *job)
{
	job->u->staging = job;
	job->err = ledger_stage(job->u->ledger, of(job)->delta, &job->error);
	job->u->staging = NULL;
}

static void done_stage(struct job *job)
{
	if (job->err == RC_EINVAL)
		rc_log(RC_LOG_ERR, "a delta of chaind was refused: %s", job->error.text);
	if (!job->request) /* answered when the delta was in the log */
		return;
	if (job->err)
		fail(job);
	else
		rc_request_reply(job->request, NULL);
}

void on_stage(void *ctx, struct rc_request *request)
{
	const Rc__StageRequest *m = rc_request_body(request);
	struct write_job *w = begin(ctx, request, m->writer);

	if (!w)
		return;
	if (rc_request_n_bulk(request) != 1) {
		rc_request_fail(request, RC_EINVAL, "Stage has one bulk frame, the delta");
		free(w);
		return;
	}
	w->delta = rc_request_bulk(request, 0);
	w->job.timer = M_T_STAGE;
	w->job.stages = true;
	w->job.run = run_stage;
	w->job.done = done_stage;
	engine_build(ctx, &w->job);
}

/* ---- commit ---- */

static void run_commit(struct job *job)
{
	job->err = ledger_commit(job->u->ledger, &of(job)->id, &job->error);
}

static void answer_commit(struct utxod *u, struct rc_request *request)
{
	Rc__CommitReply reply = RC__COMMIT_REPLY__INIT;
	struct block_ref applied, durable;
	Rc__BlockRef a, d;

	ledger_tips(u->ledger, &applied, &durable);
	fill_ref(&applied, &a);
	fill_ref(&durable, &d);
	reply.applied = &a;
	reply.durable = &d;
	RC_TEST_POINT(UTXOD_COMMIT_ANSWER);
	rc_request_reply(request, &reply);
}

static void done_commit(struct job *job)
{
	struct utxod *u = job->u;

	if (job->err) {
		fail(job);
		return;
	}
	atomic_store(&u->commits_durable, of(job)->durable);
	if (of(job)->durable) {
		engine_when_durable(u, job->request, answer_commit);
		return;
	}
	engine_committed(u, false);
	answer_commit(u, job->request);
}

void on_commit(void *ctx, struct rc_request *request)
{
	const Rc__CommitRequest *m = rc_request_body(request);
	struct write_job *w = begin(ctx, request, m->writer);

	if (!w || !take_id(w, m->id, false))
		return;
	w->durable = m->durable;
	if (engine_commit_ahead(ctx, &w->id)) {
		w->job.u = ctx;
		done_commit(&w->job);
		free(w);
		return;
	}
	w->job.timer = M_T_APPLY;
	w->job.run = run_commit;
	w->job.done = done_commit;
	engine_build(ctx, &w->job);
}

/* ---- abort ---- */

static void run_abort(struct job *job)
{
	ledger_abort(job->u->ledger, of(job)->has_id ? &of(job)->id : NULL);
}

static void done_abort(struct job *job)
{
	rc_request_reply(job->request, NULL);
}

void on_abort(void *ctx, struct rc_request *request)
{
	const Rc__AbortRequest *m = rc_request_body(request);
	struct write_job *w = begin(ctx, request, m->writer);

	if (!w || !take_id(w, m->id, true))
		return;
	w->job.run = run_abort;
	w->job.done = done_abort;
	engine_build(ctx, &w->job);
}

/* ---- switch and revert ---- */

static void run_switch(struct job *job)
{
	job->err = ledger_switch(job->u->ledger, &of(job)->id, &job->error);
}

static void done_switch(struct job *job)
{
	Rc__SwitchReply reply = RC__SWITCH_REPLY__INIT;
	struct block_ref fork = {.id = of(job)->id};
	struct ledger_view view;
	Rc__BlockRef ref;

	if (job->err) {
		fail(job);
		return;
	}
	if (ledger_view_at(job->u->ledger, &fork.id, false, &view) == RC_OK) {
		ledger_view_block(&view, &fork);
		ledger_view_close(&view);
	}
	rc_log(RC_LOG_INFO, "switching at block %u", fork.height);
	fill_ref(&fork, &ref);
	reply.fork = &ref;
	rc_request_reply(job->request, &reply);
}

void on_switch(void *ctx, struct rc_request *request)
{
	const Rc__SwitchRequest *m = rc_request_body(request);
	struct write_job *w = begin(ctx, request, m->writer);

	if (!w || !take_id(w, m->fork, false))
		return;
	w->job.run = run_switch;
	w->job.done = done_switch;
	engine_build(ctx, &w->job);
}

static void run_revert(struct job *job)
{
	job->err = ledger_revert(job->u->ledger, &of(job)->id, &job->error);
}

static void answer_revert(struct utxod *u, struct rc_request *request)
{
	Rc__RevertReply reply = RC__REVERT_REPLY__INIT;
	struct block_ref applied, durable;
	Rc__BlockRef ref;

	ledger_tips(u->ledger, &applied, &durable);
	rc_log(RC_LOG_NOTICE, "reverted to block %u", applied.height);
	RC_TEST_POINT(UTXOD_REVERT_ANSWER);
	fill_ref(&applied, &ref);
	reply.applied = &ref;
	rc_request_reply(request, &reply);
}

static void done_revert(struct job *job)
{
	if (job->err)
		fail(job);
	else
		engine_when_durable(job->u, job->request, answer_revert);
}

void on_revert(void *ctx, struct rc_request *request)
{
	const Rc__RevertRequest *m = rc_request_body(request);
	struct write_job *w = begin(ctx, request, m->writer);

	if (!w || !take_id(w, m->to, false))
		return;
	w->job.run = run_revert;
	w->job.done = done_revert;
	engine_build(ctx, &w->job);
}
