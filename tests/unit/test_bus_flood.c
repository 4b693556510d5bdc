/*
 * The bus under load: a million requests and their answers, small and bulk, while the server is
 * stopped, killed and started again, and other clients are slow or dead. Every call must be
 * answered or reported, right, and nobody's queue may pass its bytes. RC_FLOOD sets another number.
 * Before that, the server's death while its answers are being taken, frame by frame, and while the
 * client doesn't look.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zmq.h>

#include "base/clock.h"
#include "base/log.h"
#include "bus/frames.h"
#include "proto/common.pb-c.h"
#include "proto/utxod.pb-c.h"
#include "tests/unit/bus_rig.h"
#include "tests/unit/rc_test.h"

#define MILLION	    1000000u
#define BULK_EVERY  50u	   /* one call in so many carries bulk both ways */
#define BULK_BYTES  20000u /* the last 8 tell the number of the call */
#define DEADLINE_MS 120000u
#define WINDOW	    1000u /* calls out at once: just below the edge's credit */
#define PATIENCE_US INT64_C(240000000)
#define EVENT_EVERY 1000u
#define ANSWERS	    100u /* of three frames: more than the 100 frames after which libzmq looks up */
#define SOCKETS_MAX 64u
/* Time enough for libzmq to connect again by itself, if it did. */
#define UNNOTICED_MS 100

/* ---- the server, a process of its own ---- */

struct server {
	struct rc_server *server;
	uint64_t n;
};

static void on_root(void *ctx, struct rc_request *request)
{
	struct server *server = ctx;
	const Rc__RootRequest *body = rc_request_body(request);
	Rc__RootReply reply = RC__ROOT_REPLY__INIT;
	Rc__BlockRef at = RC__BLOCK_REF__INIT;

	at.height = body->height;
	reply.at = &at;
	if (++server->n % EVENT_EVERY == 0)
		rc_server_publish(server->server, "tip", &at);
	rc_request_reply(request, &reply);
}

static void on_get_coins(void *ctx, struct rc_request *request)
{
	struct rc_bytes in = rc_request_bulk(request, 0);

	(void)ctx;
	rc_request_reply_bulk(request, NULL, &in, 1);
}

/* What it holds, for the test's eyes. */
static void on_metrics(void *ctx, struct rc_request *request)
{
	struct server *server = ctx;
	Rc__MetricsReply reply = RC__METRICS_REPLY__INIT;
	struct rc_server_stats stats;

	rc_server_stats(server->server, &stats);
	reply.text.data = (uint8_t *)&stats;
	reply.text.len = sizeof(stats);
	rc_request_reply(request, &reply);
}

static const struct rc_handler handlers[] = {
	{RC_MSG_ROOT, on_root},
	{RC_MSG_GET_COINS, on_get_coins},
	{RC_MSG_METRICS, on_metrics},
	{0, NULL},
};

static void serve(const char *rundir)
{
	struct bus_rig rig;
	struct server server = {0};

	memset(&rig, 0, sizeof(rig));
	snprintf(rig.rundir, sizeof(rig.rundir), "%s", rundir);
	rig.loop = rc_loop_new();
	bus_rig_serve(&rig, handlers, &server);
	server.server = rig.server;
	rc_loop_run(rig.loop, NULL);
}

/* ---- a client that asks for a lot and takes nothing ---- */

static void be_slow(const char *rundir)
{
	struct rc_envelope envelope = {.kind = RC__ENVELOPE__KIND__HELLO, .boot = 99};
	static const uint8_t bytes[BULK_BYTES];
	uint8_t id[32] = {1, 2, 3};
	Rc__Hello hello = RC__HELLO__INIT;
	void *context = zmq_ctx_new();
	void *socket = zmq_socket(context, ZMQ_DEALER);
	int mark = 2;
	char endpoint[128];

	zmq_setsockopt(socket, ZMQ_RCVHWM, &mark, sizeof(mark));
	snprintf(endpoint, sizeof(endpoint), "ipc://%s/utxod/read", rundir);
	zmq_connect(socket, endpoint);
	hello.network_id.data = id;
	hello.network_id.len = sizeof(id);
	hello.daemon = RC_RPCD;
	hello.boot = 99;
	for (uint64_t i = 0;; i++) {
		struct rc_frames frames = {0};

		rc_frames_put_envelope(&frames, &envelope);
		if (i == 0)
			rc_frames_put_packed(&frames, NULL, &hello.base);
		else
			rc_frames_put(&frames, NULL, "", 0);
		if (i > 0)
			rc_frames_put(&frames, NULL, bytes, sizeof(bytes));
		for (unsigned f = 0; f < frames.n; f++)
			zmq_msg_send(rc_frames_msg(&frames, f), socket,
				     f + 1 < frames.n ? ZMQ_SNDMORE : 0);
		rc_frames_done(&frames);
		envelope.kind = RC__ENVELOPE__KIND__REQUEST;
		envelope.message = RC_MSG_GET_COINS;
		envelope.id = i;
		usleep(100); /* it is slow, and must not take the machine from the others */
	}
}

/*
 * Processes are forked by one that never had a thread: a byte comes in ('s': server, 'c': slow
 * client), the pid goes back.
 */
static void nursery(int fd, const char *rundir)
{
	char what;

	signal(SIGCHLD, SIG_IGN);
	while (read(fd, &what, 1) == 1) {
		pid_t pid = fork();

		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (what == 's')
				serve(rundir);
			else
				be_slow(rundir);
			_exit(0);
		}
		if (write(fd, &pid, sizeof(pid)) != sizeof(pid))
			break;
	}
	_exit(0);
}

/* ---- the test ---- */

struct flood {
	struct bus_rig rig;
	struct rc_client *client;
	int nursery;
	pid_t server;
	pid_t slow;
	uint32_t total, sent, answered, wrong, busy;
	uint64_t most_bytes, heights, heights_back;
	size_t events, missed;
};

static pid_t bear(struct flood *flood, char what)
{
	pid_t pid = 0;

	assert_int_equal(write(flood->nursery, &what, 1), 1);
	assert_int_equal(read(flood->nursery, &pid, sizeof(pid)), sizeof(pid));
	assert_true(pid > 0);
	return pid;
}

/* The nursery reaps it; until then it holds the lock of its directory. loop turns meanwhile. */
static void kill_beside(struct flood *flood, struct rc_loop *loop)
{
	kill(flood->server, SIGKILL);
	while (kill(flood->server, 0) == 0)
		rc_loop_turn(loop, 1000);
}

static void kill_server(struct flood *flood)
{
	kill_beside(flood, flood->rig.loop);
}

static void on_root_answer(void *arg, const struct rc_reply *reply)
{
	struct flood *flood = arg;
	const Rc__RootReply *body = reply->body;

	if (reply->err == RC_EBUSY)
		flood->busy++;
	else if (reply->err < 0 || !body->at)
		flood->wrong++;
	else
		flood->heights_back += body->at->height;
	flood->answered++;
}

static void on_bulk_answer(void *arg, const struct rc_reply *reply)
{
	struct flood *flood = arg;

	if (reply->err == RC_EBUSY)
		flood->busy++;
	else if (reply->err < 0 || reply->n_bulk != 1 || reply->bulk[0].len != BULK_BYTES ||
		 reply->bulk[0].data[BULK_BYTES - 1] != 0x5a)
		flood->wrong++;
	flood->answered++;
}

static void send_one(struct flood *flood)
{
	static uint8_t bytes[BULK_BYTES];
	struct rc_bytes bulk = {bytes, sizeof(bytes)};
	Rc__RootRequest request = RC__ROOT_REQUEST__INIT;

	if (flood->sent % BULK_EVERY == 0) {
		bytes[BULK_BYTES - 1] = 0x5a;
		rc_client_call(flood->client, RC_MSG_GET_COINS, NULL, &bulk, 1, DEADLINE_MS,
			       on_bulk_answer, flood);
	} else {
		request.height = flood->sent;
		flood->heights += flood->sent;
		rc_client_call(flood->client, RC_MSG_ROOT, &request, NULL, 0, DEADLINE_MS,
			       on_root_answer, flood);
	}
	flood->sent++;
}

static void run_until(struct flood *flood, uint32_t answered)
{
	int64_t end = rc_mono_us(&rc_clock_system) + PATIENCE_US;

	while (flood->answered < answered) {
		while (flood->sent < flood->total && flood->sent - flood->answered < WINDOW)
			send_one(flood);
		if (rc_client_outstanding_bytes(flood->client) > flood->most_bytes)
			flood->most_bytes = rc_client_outstanding_bytes(flood->client);
		rc_loop_turn(flood->rig.loop, 100000);
		if (rc_mono_us(&rc_clock_system) > end)
			fail_msg("stuck at %u of %u answers, %u sent", flood->answered, answered,
				 flood->sent);
	}
}

static void on_event(void *arg, const char *topic, struct rc_bytes body, uint64_t boot,
		     uint64_t sequence)
{
	struct flood *flood = arg;

	(void)topic;
	(void)body;
	(void)boot;
	(void)sequence;
	flood->events++;
}

static void on_missed(void *arg)
{
	struct flood *flood = arg;

	flood->missed++;
}

static void on_stats(void *arg, const struct rc_reply *reply)
{
	struct rc_server_stats *stats = arg;
	const Rc__MetricsReply *body = reply->body;

	assert_int_equal(reply->err, 0);
	memcpy(stats, body->text.data, sizeof(*stats));
}

/* The server's own figures, over a client of its own. */
static void get_stats(struct bus_rig *rig, struct rc_client *tool, struct rc_server_stats *stats)
{
	memset(stats, 0xff, sizeof(*stats));
	rc_client_call(tool, RC_MSG_METRICS, NULL, NULL, 0, DEADLINE_MS, on_stats, stats);
	while (stats->requests == UINT64_MAX)
		rc_loop_turn(rig->loop, 100000);
}

/* Latency of one at a time, for the report only. */
static void measure_alone(struct flood *flood)
{
	int64_t start = rc_mono_us(&rc_clock_system);
	uint32_t n = 2000;

	for (uint32_t i = 0; i < n; i++) {
		Rc__RootRequest request = RC__ROOT_REQUEST__INIT;
		uint32_t before = flood->answered;

		rc_client_call(flood->client, RC_MSG_ROOT, &request, NULL, 0, DEADLINE_MS,
			       on_root_answer, flood);
		while (flood->answered == before)
			rc_loop_turn(flood->rig.loop, 100000);
	}
	print_message("one at a time: %lld us each\n",
		      (long long)(rc_mono_us(&rc_clock_system) - start) / n);
	flood->answered = 0;
}

static void measure(struct flood *flood, uint32_t until)
{
	int64_t start = rc_mono_us(&rc_clock_system);
	uint32_t n = until - flood->answered;
	int64_t us;

	run_until(flood, until);
	us = rc_mono_us(&rc_clock_system) - start;
	print_message("%u requests in %lld ms: %llu/s\n", n, (long long)us / 1000,
		      (unsigned long long)n * 1000000 / (unsigned long long)(us + 1));
}

static void start(struct flood *flood)
{
	int fds[2];

	memset(flood, 0, sizeof(*flood));
	snprintf(flood->rig.rundir, sizeof(flood->rig.rundir), "/tmp/rc-flood-XXXXXX");
	assert_non_null(mkdtemp(flood->rig.rundir));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fds[0]);
		nursery(fds[1], flood->rig.rundir);
	}
	close(fds[1]);
	flood->nursery = fds[0];
	flood->rig.loop = rc_loop_new();
	flood->client = bus_rig_client(&flood->rig, RC_CHAIND, RC_ROLE_READ);
}

static void start_all(struct flood *flood, struct rc_subscriber **ret_subscriber)
{
	const char *text = getenv("RC_FLOOD");
	struct rc_client_config config;
	struct rc_error error;

	start(flood);
	flood->total = text ? (uint32_t)strtoul(text, NULL, 10) : MILLION;
	config = bus_rig_config(&flood->rig, RC_CHAIND, RC_ROLE_READ);
	assert_int_equal(rc_subscriber_open(flood->rig.loop, &config, flood->client, on_event,
					    on_missed, flood, ret_subscriber, &error),
			 RC_OK);
}

/* ---- the server dies while its answers are taken ---- */

/* Of the sockets this process has open now; known: only those among them. */
static size_t list_sockets(ino_t *sockets, const ino_t *known, size_t n_known)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	size_t n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		bool counts = !known;
		struct stat st;

		if (fstatat(dirfd(dir), entry->d_name, &st, 0) < 0 || !S_ISSOCK(st.st_mode))
			continue;
		for (size_t i = 0; i < n_known; i++)
			counts |= known[i] == st.st_ino;
		if (!counts)
			continue;
		assert_true(n < SOCKETS_MAX);
		sockets[n++] = st.st_ino;
	}
	closedir(dir);
	return n;
}

/* Until the server has handed every answer to the kernel; asked by a loop apart. */
static void wait_all_written(const struct flood *flood)
{
	int64_t end = rc_mono_us(&rc_clock_system) + PATIENCE_US;
	struct bus_rig rig = flood->rig;
	struct rc_server_stats stats;
	struct rc_client *tool;
	unsigned looks = 0;

	rig.loop = rc_loop_new();
	tool = bus_rig_client(&rig, RC_TOOL, RC_ROLE_READ);
	do {
		assert_true(rc_mono_us(&rc_clock_system) < end);
		get_stats(&rig, tool, &stats);
		looks++;
	} while (stats.requests < flood->sent + looks || stats.outgoing_bytes);
	rc_client_close(tool);
	rc_loop_free(rig.loop);
}

/*
 * The first answer: the others are let come, then the server dies, and libzmq's thread has seen it
 * (it closes the connection after telling of its loss) before the second answer is taken.
 */
static void on_first_answer(void *arg, const struct rc_reply *reply)
{
	int64_t end = rc_mono_us(&rc_clock_system) + PATIENCE_US;
	ino_t sockets[SOCKETS_MAX], left[SOCKETS_MAX];
	struct flood *flood = arg;
	size_t n;

	flood->answered++;
	assert_int_equal(reply->err, RC_OK);
	wait_all_written(flood);
	n = list_sockets(sockets, NULL, 0);
	kill(flood->server, SIGKILL);
	while (list_sockets(left, sockets, n) == n)
		assert_true(rc_mono_us(&rc_clock_system) < end);
}

/* shift: answers of two frames before those of three, so that libzmq takes notice of the loss at
 * another frame of an answer. */
static void die_amid_answers(struct flood *flood, unsigned shift)
{
	static const uint8_t bytes[BULK_BYTES] = {[BULK_BYTES - 1] = 0x5a};
	Rc__RootRequest request = RC__ROOT_REQUEST__INIT;
	struct rc_bytes bulk = {bytes, sizeof(bytes)};

	flood->answered = 0;
	flood->sent = 1 + shift + ANSWERS;
	flood->server = bear(flood, 's');
	bus_rig_wait_up(&flood->rig, flood->client);
	rc_client_call(flood->client, RC_MSG_GET_COINS, NULL, &bulk, 1, DEADLINE_MS,
		       on_first_answer, flood);
	for (unsigned i = 0; i < shift; i++)
		rc_client_call(flood->client, RC_MSG_ROOT, &request, NULL, 0, DEADLINE_MS,
			       on_root_answer, flood);
	for (unsigned i = 0; i < ANSWERS; i++)
		rc_client_call(flood->client, RC_MSG_GET_COINS, NULL, &bulk, 1, DEADLINE_MS,
			       on_bulk_answer, flood);
	while (flood->answered == 0 || rc_client_up(flood->client))
		rc_loop_turn(flood->rig.loop, 100000);
	kill_server(flood);
	flood->server = bear(flood, 's');
	flood->total = flood->sent;
	run_until(flood, flood->sent);
	assert_int_equal(flood->wrong, 0);
	assert_int_equal(flood->busy, 0);
	kill_server(flood);
	while (rc_client_up(flood->client))
		rc_loop_turn(flood->rig.loop, 100000);
}

static void test_death_amid_answers(void **state)
{
	struct flood flood;

	(void)state;
	start(&flood);
	for (unsigned shift = 0; shift < 3; shift++)
		die_amid_answers(&flood, shift);
	rc_client_close(flood.client);
	close(flood.nursery);
	bus_rig_done(&flood.rig);
}

/* A new server stands there before the client has heard of the old one's end: it must not be asked
 * anything before it is greeted. */
static void test_death_unnoticed(void **state)
{
	struct rc_client *tool;
	struct flood flood;
	struct bus_rig rig;

	(void)state;
	start(&flood);
	flood.server = bear(&flood, 's');
	bus_rig_wait_up(&flood.rig, flood.client);
	rig = flood.rig;
	rig.loop = rc_loop_new();
	kill_beside(&flood, rig.loop);
	flood.server = bear(&flood, 's');
	tool = bus_rig_client(&rig, RC_TOOL, RC_ROLE_READ);
	bus_rig_wait_up(&rig, tool);
	bus_rig_for_ms(&rig, UNNOTICED_MS);
	flood.total = ANSWERS;
	run_until(&flood, ANSWERS);
	assert_int_equal(flood.wrong, 0);
	assert_int_equal(flood.busy, 0);
	rc_client_close(tool);
	rc_loop_free(rig.loop);
	rc_client_close(flood.client);
	kill(flood.server, SIGKILL);
	close(flood.nursery);
	bus_rig_done(&flood.rig);
}

/* ---- the flood ---- */

static void test_flood(void **state)
{
	const uint32_t most = rc_edge_find(RC_RPCD, RC_UTXOD, RC_ROLE_READ)->bytes;
	struct rc_subscriber *subscriber;
	struct rc_server_stats stats;
	struct rc_client *tool;
	struct flood flood;
	pid_t dead;

	(void)state;
	start_all(&flood, &subscriber);
	tool = bus_rig_client(&flood.rig, RC_TOOL, RC_ROLE_READ);
	flood.server = bear(&flood, 's');
	bus_rig_wait_up(&flood.rig, flood.client);
	measure_alone(&flood);
	measure(&flood, flood.total / 5);

	/* Beside a client that takes nothing, and one that dies. */
	flood.slow = bear(&flood, 'c');
	dead = bear(&flood, 'c');
	run_until(&flood, flood.total / 10 * 3);
	kill(dead, SIGKILL);
	run_until(&flood, flood.total / 10 * 4);
	get_stats(&flood.rig, tool, &stats);
	assert_true(stats.outgoing_bytes <= most);
	assert_true(stats.pending_bytes <= 2 * (uint64_t)most);

	/* Stopped midway: everything waits, and goes on. */
	kill(flood.server, SIGSTOP);
	bus_rig_for_ms(&flood.rig, 2500);
	kill(flood.server, SIGCONT);
	run_until(&flood, flood.total / 10 * 5);

	/* Killed midway, twice. */
	for (uint32_t i = 6; i <= 7; i++) {
		kill_server(&flood);
		bus_rig_for_ms(&flood.rig, 100);
		flood.server = bear(&flood, 's');
		run_until(&flood, flood.total / 10 * i);
	}
	kill(flood.slow, SIGKILL);
	measure(&flood, flood.total);
	assert_int_equal(flood.sent, flood.total);
	assert_int_equal(rc_client_outstanding(flood.client), 0);
	assert_int_equal(flood.wrong, 0);
	if (!flood.busy)
		assert_int_equal(flood.heights_back, flood.heights);
	assert_true(flood.missed >= 3); /* the first time, and two new publishers */
	assert_true(flood.events > 0);
	get_stats(&flood.rig, tool, &stats);
	assert_true(stats.outgoing_bytes <= most);
	print_message("%u answered, %u of them busy, %zu events; at most %llu bytes out\n",
		      flood.answered, flood.busy, flood.events,
		      (unsigned long long)flood.most_bytes);
	rc_subscriber_close(subscriber);
	rc_client_close(tool);
	rc_client_close(flood.client);
	kill(flood.server, SIGKILL);
	close(flood.nursery);
	bus_rig_done(&flood.rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_death_amid_answers),
		cmocka_unit_test(test_death_unnoticed),
		cmocka_unit_test(test_flood),
	};

	rc_log_init("test_bus_flood", RC_LOG_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
