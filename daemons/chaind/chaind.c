/* chaind as a whole: opened, started, looked after once a second, closed. See chaind.h. */
#include "daemons/chaind/chaind.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/test_point.h"
#include "crypto/schnorr.h"

#define MAINTENANCE_US INT64_C(1000000)
/* Threads that decode and check; two, so that one block's checks don't wait for another's bytes. */
#define PREP_THREADS 2

/* ---- the clock, which an operator of reg may hold ---- */

static int64_t wall_ms(void *arg)
{
	const struct chaind *chaind = arg;

	return chaind->mock_time ? (int64_t)chaind->mock_time * 1000
				 : rc_wall_ms(chaind->system_clock);
}

static int64_t mono_us(void *arg)
{
	const struct chaind *chaind = arg;

	return rc_mono_us(chaind->system_clock);
}

uint64_t chaind_now(const struct chaind *chaind)
{
	return (uint64_t)(rc_wall_ms(&chaind->clock) / 1000);
}

/* ---- opening ---- */

/* at: before the block store, the headers and the journal, and after them. */
static void tell_opened(struct chaind *chaind, const int64_t at[4])
{
	static const enum chaind_metric metric[] = {METRIC_START_STORE, METRIC_START_HEADERS,
						    METRIC_START_JOURNAL};

	for (size_t i = 0; i < RC_ARRAY_LEN(metric); i++)
		rc_metric_set(chaind->metrics, metric[i], at[i + 1] - at[i]);
	rc_log(RC_LOG_INFO,
	       "block store opened in %lld ms, %u headers read in %lld, journal in %lld",
	       (long long)(at[1] - at[0]) / 1000, HASH_COUNT(chaind->chain.nodes),
	       (long long)(at[2] - at[1]) / 1000, (long long)(at[3] - at[2]) / 1000);
}

int chaind_enter(struct chaind *chaind, struct rc_error *error)
{
	unsigned threads = chaind->config.verify_threads;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t at[4];
	int rc;

	chaind->clock = (struct rc_clock){wall_ms, mono_us, chaind};
	chain_init(&chaind->chain, chaind->network);
	chaind->chain.least_work = chaind->config.least_work;
	chaind->entered = true;
	if (threads == 0)
		threads = cores > 0 ? (unsigned)cores : 1;
	chaind->prep = rc_workers_new(PREP_THREADS, "prep");
	chaind->verify = rc_workers_new(threads, "verify");
	chaind->journal_writer = rc_workers_new(1, "journal");
	chaind->verified = verified_new(chaind->config.verified_bytes, chaind->random);
	download_init(&chaind->download, &chaind->chain);
	at[0] = rc_mono_us(&chaind->clock);
	rc = blockstore_open(chaind->config.statedir, chaind->network, chaind->config.cache_bytes,
			     &chaind->store, error);
	if (rc < 0)
		return rc;
	at[1] = rc_mono_us(&chaind->clock);
	RC_TEST_POINT(CHAIND_START_STORE);
	rc = blockstore_load(chaind->store, &chaind->chain, error);
	if (rc < 0)
		return rc;
	at[2] = rc_mono_us(&chaind->clock);
	RC_TEST_POINT(CHAIND_START_INDEX);
	chaind_pool_open(chaind);
	rc = chaind_journal_open(chaind, error);
	if (rc < 0)
		return rc;
	at[3] = rc_mono_us(&chaind->clock);
	RC_TEST_POINT(CHAIND_START_JOURNAL);
	tell_opened(chaind, at);
	rc_metric_set(chaind->metrics, METRIC_HEADERS, HASH_COUNT(chaind->chain.nodes));
	rc_metric_set(chaind->metrics, METRIC_HEADER_HEIGHT,
		      node_height(chaind->chain.best_header));
	return RC_OK;
}

static void maintain(void *arg)
{
	struct chaind *chaind = arg;
	struct future_header future;
	bool came = false;

	rc_timer_arm(chaind->maintenance, MAINTENANCE_US);
	chaind_pool_maintain(chaind);
	download_expire(&chaind->download, rc_mono_us(&chaind->clock) / 1000);
	rc_metric_set(chaind->metrics, METRIC_LEASES, (int64_t)download_count(&chaind->download));
	while (future_take(&chaind->future,
			   chaind_now(chaind) + chaind->network->params.future_limit, &future)) {
		struct headers_result result;
		uint8_t raw[RC_HEADER_SIZE];

		rc_header_encode(&future.header, raw);
		chaind_submit_headers(chaind, (struct presync_who){0, future.peer}, raw, 1,
				      &result);
		came = true;
	}
	if (!came)
		poll_wake(&chaind->wanted_polls);
	poll_wake(&chaind->template_polls);
}

int chaind_start(struct chaind *chaind, struct rc_error *error)
{
	struct connector *c = &chaind->connect;
	int rc;

	chaind->started = true;
	chaind->sources[0] = rc_loop_add_workers(chaind->loop, chaind->prep);
	chaind->sources[1] = rc_loop_add_workers(chaind->loop, chaind->verify);
	chaind->sources[2] = rc_loop_add_workers(chaind->loop, chaind->journal_writer);
	chaind->sources[3] = rc_loop_add_workers(chaind->loop, blockstore_writer(chaind->store));
	chaind->sources[4] = rc_loop_add_workers(chaind->loop, blockstore_readers(chaind->store));
	on_polls_init(chaind);
	on_settle_init(chaind);
	*c = (struct connector){
		.chain = &chaind->chain,
		.store = chaind->store,
		.verified = chaind->verified,
		.loop = chaind->loop,
		.prep = chaind->prep,
		.verify = chaind->verify,
		.metrics = chaind->metrics,
		.clock = &chaind->clock,
		.boot = chaind->config.utxod.boot,
	};
	journal_gather(chaind->journal, chaind->loop);
	chaind_set_connect_ops(chaind);
	connect_init(c);
	chaind->config.utxod.on_state = connect_on_utxod;
	chaind->config.utxod.arg = c;
	rc = rc_client_open(chaind->loop, &chaind->config.utxod, &chaind->utxod, error);
	if (rc < 0)
		return rc;
	c->utxod = chaind->utxod;
	chaind->admit.utxod = chaind->utxod;
	/* What a kill left in the page cache is synced before anything is built on it. */
	blockstore_sync(chaind->store, NULL, NULL);
	chaind->maintenance = rc_loop_add_timer(chaind->loop, maintain, chaind);
	rc_timer_arm(chaind->maintenance, MAINTENANCE_US);
	RC_TEST_POINT(CHAIND_STARTED);
	return RC_OK;
}

/* ---- closing ---- */

static void close_started(struct chaind *chaind)
{
	poll_list_done(&chaind->tip_polls);
	poll_list_done(&chaind->template_polls);
	poll_list_done(&chaind->wanted_polls);
	poll_list_done(&chaind->settle_polls);
	/* Answers that come from now on belong to no session. */
	chaind->connect.session++;
	chaind->admit.closing = true;
	chaind->refill.closing = true;
	rc_client_close(chaind->utxod);
	rc_source_free(chaind->maintenance);
	connect_done(&chaind->connect);
}

void chaind_close(struct chaind *chaind)
{
	chaind->stopping = true;
	if (!chaind->entered)
		return;
	if (chaind->started)
		close_started(chaind);
	for (size_t i = 0; i < RC_ARRAY_LEN(chaind->sources); i++)
		rc_source_free(chaind->sources[i]);
	rc_workers_free(chaind->verify);
	rc_workers_free(chaind->prep);
	journal_ungather(chaind->journal);
	rc_workers_free(chaind->journal_writer);
	blockstore_close(chaind->store);
	/* Nothing can arrive any more; who still waits is told so. */
	chaind_drop_waits(chaind);
	chaind_generate_done(chaind);
	if (chaind->admit.chain)
		chaind_pool_close(chaind);
	download_done(&chaind->download);
	future_done(&chaind->future);
	events_done(chaind);
	body_unref(chaind->recent);
	chaind->recent = NULL;
	for (size_t i = 0; i < RC_ARRAY_LEN(chaind->compacts); i++)
		rc_buf_done(&chaind->compacts[i].raw);
	leftovers_done(&chaind->leftovers);
	verified_free(chaind->verified);
	presyncs_done(&chaind->presyncs);
	chain_done(&chaind->chain);
	chaind->entered = false;
}

void chaind_flush(struct chaind *chaind)
{
	blockstore_put_index(chaind->store, &chaind->chain);
	blockstore_sync(chaind->store, NULL, NULL);
	RC_TEST_POINT(CHAIND_STOP);
}

/* ---- status ---- */

bool chaind_ready(const struct chaind *chaind)
{
	return chaind->started && connect_running(&chaind->connect) && rc_client_up(chaind->utxod);
}

static void status_line(struct chaind *chaind, struct rc_status *status)
{
	uint32_t height = node_height(chain_tip(&chaind->chain));
	uint32_t headers = node_height(chaind->chain.best_header);

	if (!chaind->started || !rc_client_up(chaind->utxod))
		snprintf(status->text, sizeof(status->text), "waits for utxod");
	else if (!connect_running(&chaind->connect))
		snprintf(status->text, sizeof(status->text), "asks utxod where the state stands");
	else if (connect_initial_download(&chaind->connect) && headers > height)
		snprintf(status->text, sizeof(status->text),
			 "initial download: height %u of %u (%u %%)", height, headers,
			 (unsigned)((uint64_t)height * 100 / headers));
	else
		snprintf(status->text, sizeof(status->text),
			 "at height %u, %" PRIu64 " transactions in the pool", height,
			 chaind->pool.count);
}

void chaind_status(struct chaind *chaind, struct rc_status *status)
{
	const struct connector *c = &chaind->connect;
	struct block_node *tip;
	char hex[RC_ID_HEX];

	if (!chaind->entered)
		return;
	tip = chain_tip(&chaind->chain);
	status->ready = chaind_ready(chaind);
	status_line(chaind, status);
	rc_status_figure(status, "height", "%u", node_height(tip));
	rc_status_figure(status, "tip", "%s", rc_block_id_hex(hex, &tip->id));
	rc_status_figure(status, "durable", "%u", c->durable_height);
	rc_status_figure(status, "headers", "%u", node_height(chaind->chain.best_header));
	rc_status_figure(status, "pool", "%" PRIu64 " transactions, %" PRIu64 " bytes",
			 chaind->pool.count, chaind->pool.bytes);
	rc_status_figure(status, "connect_in_flight", "%u", c->queued);
	rc_status_figure(status, "commit_in_flight", "%u", c->commits_out);
	rc_status_figure(status, "reorg_in_flight", "%u",
			 c->switching || c->phase == CONNECT_MOVING);
	rc_status_figure(status, "admissions", "%zu", chaind->admit.count);
	rc_status_figure(status, "leases", "%zu", download_count(&chaind->download));
	rc_status_figure(status, "blocks_on_disk", "%" PRIu64 " MiB",
			 blockstore_disk_bytes(chaind->store) >> 20);
}
