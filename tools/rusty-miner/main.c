/*
 * rusty-miner: mines on all cores. One connection long-polls for templates, another submits; the
 * threads in between only hash.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "client/jsonrpc.h"
#include "client/options.h"
#include "tools/rusty-miner/job.h"
#include "tools/rusty-miner/work.h"

#define TURN_MS		 200	/* how soon a signal is seen */
#define POLL_MS		 60000u /* of a long poll */
#define PAUSE_MS	 500u	/* after an error */
#define RATE_EVERY_US	 INT64_C(30000000)
#define FRESH_EVERY_US	 INT64_C(10000000) /* the header's time follows the clock that closely */
#define SUBMIT_FOR_US	 INT64_C(60000000) /* a block that was found, while the node is away */
#define KEPT_JOBS	 4u
#define THREADS_MAX	 1024u /* of 65,536 ranges */
#define ANSWER_MARGIN_MS 30000u

struct miner {
	struct rc_jsonrpc_where where;
	const char *address;
	uint64_t blocks; /* 0: without end */
	unsigned threads;
	bool force, quiet;

	uint8_t lock[RC_LOCK_KEY_SIZE];
	struct work *work;
	struct rc_jsonrpc *submit;
	/* What the polling thread hands over. */
	pthread_mutex_t mutex;
	struct job incoming;
	bool has_incoming;
	char poll_error[512];
	/* The main thread's. */
	struct job jobs[KEPT_JOBS]; /* job n is in place n % KEPT_JOBS */
	uint64_t job;		    /* the present one's number; 0: none */
	bool resting;		    /* its nonce was found: nobody hashes until a header is set */
	int64_t set_us, rate_us;
	uint64_t rate_hashes, found;
};

static atomic_bool stop_asked;

static void on_signal(int sig)
{
	(void)sig;
	atomic_store(&stop_asked, true);
}

static void print_help(FILE *out)
{
	fprintf(out, "usage: rusty-miner --address ADDRESS [options]\n\n"
		     "  --address ADDRESS who gets the coins\n"
		     "  --blocks N        stop after N accepted blocks; default: never\n"
		     "  --threads N       default: one a core\n"
		     "  --force           also where the network starts long after its genesis\n"
		     "  --quiet           found blocks and errors only\n"
		     "  --version, --help\n\n");
	rc_rpc_options_help(out);
}

static int usage_error(const char *text)
{
	fprintf(stderr, "rusty-miner: %s\nrusty-miner --help shows how it is used.\n", text);
	return RC_EXIT_USAGE;
}

static bool take_number(const char *text, uint64_t max, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return !errno && end != text && !*end && *text != '-' && *ret >= 1 && *ret <= max;
}

/* 0: go on; −1: end with success; else the exit code. */
static int read_options(struct miner *m, int argc, char **argv)
{
	struct rc_error error;
	const char *value;
	uint64_t number;

	for (int i = 1; i < argc; i++) {
		const char *word = argv[i] + strspn(argv[i], "-");
		int taken;

		if (argv[i][0] == '-' && (!strcmp(word, "help") || !strcmp(word, "h"))) {
			print_help(stdout);
			return -1;
		}
		if (argv[i][0] == '-' && !strcmp(word, "version")) {
			printf("rusty-miner %s\n", RC_VERSION);
			return -1;
		}
		if (argv[i][0] == '-' && !strcmp(word, "force")) {
			m->force = true;
		} else if (argv[i][0] == '-' && !strcmp(word, "quiet")) {
			m->quiet = true;
		} else if (rc_option_value("address", argc, argv, &i, &value, &error)) {
			m->address = value;
		} else if (rc_option_value("blocks", argc, argv, &i, &value, &error)) {
			if (!value || !take_number(value, UINT32_MAX, &m->blocks))
				return usage_error("--blocks needs a number from 1");
		} else if (rc_option_value("threads", argc, argv, &i, &value, &error)) {
			if (!value || !take_number(value, THREADS_MAX, &number))
				return usage_error("--threads needs a number from 1 to 1024");
			m->threads = (unsigned)number;
		} else {
			taken = rc_rpc_option(argc, argv, &i, &m->where, &error);
			if (taken < 0)
				return usage_error(error.text);
			if (!taken) {
				fprintf(stderr, "rusty-miner: there is no option %s\n", argv[i]);
				return RC_EXIT_USAGE;
			}
		}
	}
	return m->address ? 0 : usage_error("--address says who gets the coins; it is missing");
}

/* The lock that the address means, as the node reads it: a wrong network is refused there. */
static int take_address(struct miner *m)
{
	struct rc_error error;
	json_t *result;
	const char *lock;
	int err = rc_jsonrpc_call(m->submit, "validateaddress", json_pack("[s]", m->address),
				  &result, &error);

	if (err < 0) {
		fprintf(stderr, "rusty-miner: %s\n", error.text);
		return rc_rpc_exit_code(err);
	}
	lock = json_string_value(json_object_get(result, "lock"));
	if (!lock || !rc_hex_decode(lock, m->lock, sizeof(m->lock))) {
		const char *why = json_string_value(json_object_get(result, "error"));

		fprintf(stderr, "rusty-miner: --address %s: %s\n", m->address,
			why ? why : "not an address");
		json_decref(result);
		return RC_EXIT_USAGE;
	}
	json_decref(result);
	return RC_EXIT_OK;
}

/* ---- the polling thread ---- */

static void hand_over(struct miner *m, struct job *job, const char *error)
{
	pthread_mutex_lock(&m->mutex);
	if (job) {
		if (m->has_incoming)
			job_done(&m->incoming);
		m->incoming = *job;
		m->has_incoming = true;
	}
	snprintf(m->poll_error, sizeof(m->poll_error), "%s", error ? error : "");
	pthread_mutex_unlock(&m->mutex);
	work_wake(m->work);
}

/* Asks for a template, waiting for another than the last one. */
static int ask_template(struct miner *m, struct rc_jsonrpc *client, char *longpollid, size_t size)
{
	json_t *request = json_pack("{s:b}", "force", m->force);
	struct rc_error error;
	json_t *template;
	struct job job;
	int err;

	if (*longpollid) {
		json_object_set_new(request, "longpollid", json_string(longpollid));
		json_object_set_new(request, "timeout", json_integer(POLL_MS));
	}
	err = rc_jsonrpc_call(client, "getblocktemplate", json_pack("[o]", request), &template,
			      &error);
	if (err == RC_OK) {
		const char *id = json_string_value(json_object_get(template, "longpollid"));

		/* The wait may end with the same one. */
		if (!id || strcmp(id, longpollid)) {
			err = job_make(template, m->lock, &job, &error);
			if (err == RC_OK) {
				snprintf(longpollid, size, "%s", job.longpollid);
				hand_over(m, &job, NULL);
			}
		}
		json_decref(template);
	}
	if (err < 0) {
		*longpollid = '\0';
		hand_over(m, NULL, error.text);
	}
	return err;
}

static void *poll_templates(void *arg)
{
	struct miner *m = arg;
	struct rc_jsonrpc *client;
	struct rc_error error;
	char longpollid[129] = "";

	while (rc_jsonrpc_open(&m->where, &client, &error) < 0) {
		hand_over(m, NULL, error.text);
		usleep(PAUSE_MS * 1000);
	}
	rc_jsonrpc_set_timeout(client, POLL_MS + ANSWER_MARGIN_MS);
	while (!atomic_load(&stop_asked))
		if (ask_template(m, client, longpollid, sizeof(longpollid)) < 0)
			usleep(PAUSE_MS * 1000);
	rc_jsonrpc_close(client);
	return NULL;
}

/* ---- the main thread ---- */

/* Hands the present header to the threads, which begin at the first nonce. */
static void set_job(struct miner *m)
{
	struct job *job = &m->jobs[m->job % KEPT_JOBS];

	m->resting = false;
	m->set_us = rc_mono_us(&rc_clock_system);
	work_set(m->work, &job->header, &job->target, m->job);
}

/* The template's time was chaind's clock; as it is mined its time goes on. False if the header
 * stays the same. */
static bool advance_time(struct miner *m)
{
	struct job *job = &m->jobs[m->job % KEPT_JOBS];
	int64_t time = rc_wall_ms(&rc_clock_system) / 1000;

	/* A header that was found and refused would only be found again. */
	if (m->resting && time <= job->header.time)
		time = (int64_t)job->header.time + 1;
	if (time <= job->header.time || time > job->max_time)
		return false;
	job->header.time = (uint32_t)time;
	return true;
}

/* The same template with a later time: other hashes. What can't get another time goes on with the
 * nonces it hasn't tried, or rests until the next template. */
static void refresh_job(struct miner *m)
{
	if (advance_time(m))
		set_job(m);
	else
		m->set_us = rc_mono_us(&rc_clock_system);
}

static void take_incoming(struct miner *m, char *last_error, size_t size)
{
	char error[sizeof(m->poll_error)];
	bool taken = false;

	pthread_mutex_lock(&m->mutex);
	if (m->has_incoming) {
		m->job++;
		job_done(&m->jobs[m->job % KEPT_JOBS]);
		m->jobs[m->job % KEPT_JOBS] = m->incoming;
		m->has_incoming = false;
		taken = true;
	}
	memcpy(error, m->poll_error, sizeof(error));
	pthread_mutex_unlock(&m->mutex);
	if (taken) {
		m->resting = false;
		advance_time(m);
		set_job(m);
	}
	if (*error && strcmp(error, last_error))
		fprintf(stderr, "rusty-miner: no template: %s; trying again\n", error);
	snprintf(last_error, size, "%s", error);
}

/* The node, or a daemon behind it, may be back soon. */
static bool is_away(int err)
{
	return err == RC_EUNAVAILABLE || err == RC_EBUSY || err == RC_EIO || err == RC_EDEADLINE;
}

/* A found block is worth waiting for: submitting twice is harmless. For SUBMIT_FOR_US in all,
 * however the node fails. */
static int submit_for_a_while(struct miner *m, json_t *params, json_t **ret_result,
			      struct rc_error *error)
{
	int64_t until_us = rc_mono_us(&rc_clock_system) + SUBMIT_FOR_US, left_us = SUBMIT_FOR_US;
	uint64_t one_ms = m->where.timeout_ms ? m->where.timeout_ms : UINT32_MAX;
	int err;

	do {
		rc_jsonrpc_set_timeout(m->submit,
				       (uint32_t)rc_min_u64(one_ms, (uint64_t)left_us / 1000 + 1));
		err = rc_jsonrpc_call(m->submit, "submitblock", json_incref(params), ret_result,
				      error);
		if (err == RC_OK || !is_away(err) || atomic_load(&stop_asked))
			break;
		usleep(PAUSE_MS * 1000);
		left_us = until_us - rc_mono_us(&rc_clock_system);
	} while (left_us > 0);
	return err;
}

/* Submits; an accepted or refused block is told, and counted if it was accepted. */
static void submit(struct miner *m, uint64_t number, uint64_t nonce)
{
	struct job *job = &m->jobs[number % KEPT_JOBS];
	struct rc_header header = job->header;
	uint8_t raw[RC_HEADER_SIZE];
	struct rc_block_id id;
	char hex[RC_ID_HEX], *block = job_block_hex(job, nonce);
	json_t *params = json_array(), *result;
	struct rc_error error;
	int err;

	header.nonce = nonce;
	rc_header_encode(&header, raw);
	rc_header_id(raw, &id);
	json_array_append_new(params, json_string(block));
	free(block);
	err = submit_for_a_while(m, params, &result, &error);
	json_decref(params);
	if (err < 0) {
		fprintf(stderr, "rusty-miner: block %u %s refused: %s\n", header.height,
			rc_block_id_hex(hex, &id), error.text);
		usleep(PAUSE_MS * 1000);
		return;
	}
	m->found++;
	printf("block %u %s, %u transactions\n", header.height, rc_block_id_hex(hex, &id),
	       job->n_txs);
	fflush(stdout);
	json_decref(result);
}

static void tell_rate(struct miner *m)
{
	int64_t now = rc_mono_us(&rc_clock_system);
	uint64_t hashes = work_hashes(m->work), rate;

	if (now - m->rate_us < RATE_EVERY_US)
		return;
	rate = (hashes - m->rate_hashes) * 1000000 / (uint64_t)(now - m->rate_us);
	if (!m->quiet)
		printf("%llu.%03llu million hashes a second, %llu blocks\n",
		       (unsigned long long)(rate / 1000000),
		       (unsigned long long)(rate / 1000 % 1000), (unsigned long long)m->found);
	fflush(stdout);
	m->rate_us = now;
	m->rate_hashes = hashes;
}

static void mine(struct miner *m)
{
	char last_error[512] = "";
	uint64_t number, nonce;

	m->rate_us = rc_mono_us(&rc_clock_system);
	while (!atomic_load(&stop_asked) && (!m->blocks || m->found < m->blocks)) {
		if (work_wait(m->work, TURN_MS, &number, &nonce)) {
			m->resting = true;
			submit(m, number, nonce);
			/* Refused or not, the next template comes by the long poll; until then a
			 * later second gives other hashes. */
		}
		take_incoming(m, last_error, sizeof(last_error));
		if (m->job && rc_mono_us(&rc_clock_system) - m->set_us > FRESH_EVERY_US)
			refresh_job(m);
		tell_rate(m);
	}
}

int main(int argc, char **argv)
{
	static struct miner m; /* the polling thread may outlive main's frame at exit */
	struct sigaction action = {.sa_handler = on_signal};
	struct rc_error error;
	pthread_t poller;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int code = read_options(&m, argc, argv);

	if (code)
		return code < 0 ? RC_EXIT_OK : code;
	code = rc_jsonrpc_open(&m.where, &m.submit, &error);
	if (code < 0) {
		fprintf(stderr, "rusty-miner: %s\n", error.text);
		return code == RC_EINVAL ? RC_EXIT_USAGE : rc_rpc_exit_code(code);
	}
	code = take_address(&m);
	if (code) {
		rc_jsonrpc_close(m.submit);
		return code;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	pthread_mutex_init(&m.mutex, NULL);
	code = work_new(m.threads ? m.threads : cores > 0 ? (unsigned)cores : 1, &m.work, &error);
	if (code == RC_OK) {
		code = pthread_create(&poller, NULL, poll_templates, &m);
		if (code)
			rc_error_set(&error, RC_EUNAVAILABLE, "no thread for templates: %s",
				     strerror(code));
	}
	if (code) {
		fprintf(stderr, "rusty-miner: %s\n", error.text);
		work_free(m.work);
		rc_jsonrpc_close(m.submit);
		return RC_EXIT_UNAVAILABLE;
	}
	pthread_detach(poller);
	mine(&m);
	if (!m.quiet)
		printf("%llu blocks accepted\n", (unsigned long long)m.found);
	fflush(stdout);
	/* The poller sleeps in its long poll: the process ends around it. */
	_exit(RC_EXIT_OK);
}
