/*
 * utxod, the daemon: the ledger with its threads, and who waits for what.
 *
 * Everything here belongs to the loop's thread; work goes to one of five pools and comes back:
 *   builder  (1)  stage, commit, abort, switch, revert, in the order asked
 *   logger   (1)  writes and syncs of the log
 *   flusher  (1)  flushes of the state; what commits made superfluous is freed
 *   readers  (2)  coins, entries, proofs, lists, from versions that don't change
 *   slow     (1)  verifying
 */
#ifndef UTXOD_UTXOD_H
#define UTXOD_UTXOD_H

#include "base/workers.h"
#include "daemons/utxod/ledger.h"
#include "daemons/utxod/metrics.h"
#include "service/service.h"

#define READ_THREADS 2
/* When nothing more is committed, unsynced steps are synced after this. */
#define IDLE_SYNC_US 1000000
/* Told to who must come again: a flush takes about so long. */
#define BUSY_RETRY_MS 50
/* Leaves of a proof and coins of a list unless asked for fewer: an answer of 16 MiB at most
 * (68-byte key, length, value of 47). */
#define LEAVES_DEFAULT 1000
#define LEAVES_MAX     100000

struct utxod;
struct job;
struct ahead;
typedef void (*job_fn)(struct job *job);

/* A request on its way through a thread and back. Freed after done. */
struct job {
	struct rc_work work;
	struct utxod *u;
	struct rc_request *request;
	job_fn run;  /* on the thread: sets err and error */
	job_fn done; /* on the loop: answers */
	struct rc_workers *pool;
	struct job *next;    /* of those that wait for the builder */
	bool reads;	     /* its version may still be on its way */
	bool missed;	     /* its version wasn't there */
	bool stages;	     /* a Stage, which a commit may overtake */
	struct ahead *ahead; /* may answer it before it ends */
	uint64_t built;	     /* builds finished when it began */
	int64_t start_us;
	enum utxod_metric timer;
	int err;
	struct rc_error error;
};

/* A commit that answers when this version is durable. */
struct durable_wait {
	struct durable_wait *next;
	uint64_t seq;
	void (*answer)(struct utxod *u, struct rc_request *request);
	struct rc_request *request;
	int64_t start_us;
};

struct utxod {
	struct rc_service *service;
	struct disk_pair disks;
	struct ledger *ledger;
	struct rc_workers *builder, *logger, *flusher, *readers, *slow;
	struct rc_source *sources[5];
	struct rc_source *idle_timer;
	struct rc_source *metrics_timer;
	uint64_t databases_us; /* what opening them took */
	uint64_t writer;       /* boot id of the chaind that may write; 0: none yet */
	unsigned building;
	unsigned building_other; /* of them: no Stage */
	struct job *staging;	 /* the builder's: the Stage it works on */
	uint64_t built;
	struct job *waiting;
	struct durable_wait *durable;
	bool logging, sync_wanted;
	bool flushing;
	bool collecting, collect_again;
	bool verifying;
	atomic_uint_fast64_t verify_done, verify_of; /* progress; of 0: nothing runs */
	atomic_bool commits_durable; /* the last one was asked to be: the chain is at the present */
	atomic_bool closing_now;     /* read by the verifier */
	bool stopping;
	bool closing;
	struct block_ref told_applied, told_durable;
	struct rc_work log_work, flush_work, collect_work;
	struct {
		bool sync;
		int err;
		struct rc_error error;
		int64_t start_us;
	} log_job, flush_job;
};

extern const struct rc_handler utxod_handlers[];
extern const struct rc_metric_def utxod_metric_defs[];

/* ---- engine.c ---- */

int engine_open(struct utxod *u, struct rc_error *error);
void engine_close(struct utxod *u);
/* Queues a job of this many bytes, which begins with struct job; filled in already but for what
 * queueing needs. */
void engine_build(struct utxod *u, struct job *job);
/* Commits at once what doesn't have to wait for the builder; false: it does. */
bool engine_commit_ahead(struct utxod *u, const struct rc_block_id *id);
void engine_read(struct utxod *u, struct job *job);
void engine_slow(struct utxod *u, struct job *job);
/* Something was committed: the log, the disk and events follow. sync: as soon as can be. */
void engine_committed(struct utxod *u, bool sync);
/* Calls answer(request) when everything applied now is durable. */
void engine_when_durable(struct utxod *u, struct rc_request *request,
			 void (*answer)(struct utxod *u, struct rc_request *request));
/* Finishes writing, then tells the service. */
void engine_stop(struct utxod *u);

/* ---- write_handlers.c: rows of the table in handlers.c ---- */

void on_open_writer(void *ctx, struct rc_request *request);
void on_stage(void *ctx, struct rc_request *request);
void on_commit(void *ctx, struct rc_request *request);
void on_abort(void *ctx, struct rc_request *request);
void on_switch(void *ctx, struct rc_request *request);
void on_revert(void *ctx, struct rc_request *request);

/* ---- events.c ---- */

/* Publishes the tips if they moved. */
void events_tip(struct utxod *u);

#endif
