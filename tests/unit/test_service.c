/* The life of a daemon: a small one is forked and watched from outside. */
#include "service/service.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/num.h"
#include "proto/common.pb-c.h"
#include "service/network_file.h"
#include "tests/unit/rc_test.h"

#define PATIENCE_MS 20000

/* ---- the daemon ---- */

struct small {
	struct rc_service *service;
	struct rc_source *hang;
};

enum { METRIC_STARTS, METRIC_OPEN_US, N_METRICS };
static const struct rc_metric_def metric_defs[N_METRICS] = {
	{"starts_total", RC_COUNTER, NULL, "Starts."},
	{"open_seconds", RC_HISTOGRAM, "kind=\"test\"", "Time of opening."},
};

static const struct rc_option options[] = {
	{"cache_mb", RC_OPT_U64, 1, 4096, "MiB", NULL, "64", true, "Memory for nothing."},
	{"fail", RC_OPT_CHOICE, 0, 0, NULL, "no|open|enter|start|io", "no", false,
	 "Where to fail."},
	{"forbidden", RC_OPT_PATH, 0, 0, NULL, NULL, NULL, false, "A file that must not open."},
	{NULL, 0, 0, 0, NULL, NULL, NULL, false, NULL},
};

static void *small_new(struct rc_service *service)
{
	struct small *small = rc_alloc(sizeof(*small));

	small->service = service;
	return small;
}

static bool fails(struct small *small, const char *where)
{
	return strcmp(rc_config_text(rc_service_config(small->service), "fail"), where) == 0;
}

static int small_open(void *ctx, struct rc_error *error)
{
	return fails(ctx, "open") ? rc_error_set(error, RC_EUNAVAILABLE, "port in use") : RC_OK;
}

static int small_enter(void *ctx, struct rc_error *error)
{
	struct small *small = ctx;
	const char *path = rc_config_text(rc_service_config(small->service), "forbidden");
	struct rlimit core;

	/* Whether confined or not. */
	if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur != 0 || core.rlim_max != 0)
		return rc_error_set(error, RC_EFORMAT, "core dumps are on");
	/* A debugger may attach to an unconfined one alone. */
	if (prctl(PR_GET_DUMPABLE) != !rc_config_bool(rc_service_config(small->service), "confine"))
		return rc_error_set(error, RC_EFORMAT, "who may trace is wrong");
	if (path && open(path, O_RDONLY) >= 0)
		return rc_error_set(error, RC_EFORMAT, "the forbidden file opened");
	if (path && socket(AF_INET, SOCK_STREAM, 0) >= 0) {
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9)};
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno != EACCES)
			return rc_error_set(error, RC_EFORMAT, "TCP isn't refused");
		close(fd);
	}
	return fails(ctx, "enter") ? rc_error_set(error, RC_EIO, "disk broken") : RC_OK;
}

static int small_start(void *ctx, struct rc_error *error)
{
	struct small *small = ctx;

	if (fails(small, "start"))
		return rc_error_set(error, RC_EACCES, "not for you");
	if (fails(small, "io"))
		rc_service_die_io("sync of %s failed", "nothing");
	rc_metric_add(rc_service_metrics(small->service), METRIC_STARTS, 1);
	rc_metric_time_us(rc_service_metrics(small->service), METRIC_OPEN_US, 1500);
	rc_service_ready(small->service);
	return RC_OK;
}

static void small_status(void *ctx, struct rc_status *status)
{
	struct small *small = ctx;

	snprintf(status->text, sizeof(status->text), "well");
	rc_status_figure(
		status, "cache", "%llu MiB",
		(unsigned long long)rc_config_u64(rc_service_config(small->service), "cache_mb"));
}

static void small_stop(void *ctx)
{
	struct small *small = ctx;

	rc_service_stopped(small->service);
}

static void small_free(void *ctx)
{
	free(ctx);
}

static const struct rc_handler no_handlers[] = {{0, NULL}};

static const struct rc_service_def small_def = {
	.daemon = RC_UTXOD,
	.name = "utxod",
	.summary = "a small daemon",
	.options = options,
	.roles = "read,admin",
	.handlers = no_handlers,
	.new = small_new,
	.open = small_open,
	.enter = small_enter,
	.start = small_start,
	.status = small_status,
	.stop = small_stop,
	.free = small_free,
	.metrics = metric_defs,
	.n_metrics = N_METRICS,
};

/* ---- the rig ---- */

struct rig {
	char dir[64];
	char notify[108];
	int notify_fd;
	int output; /* of the last one started: its stdout and stderr */
	char text[65536];
};

static void rig_init(struct rig *rig)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	memset(rig, 0, sizeof(*rig));
	snprintf(rig->dir, sizeof(rig->dir), "/tmp/rc-life-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	snprintf(rig->notify, sizeof(rig->notify), "%s/notify", rig->dir);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", rig->notify);
	rig->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(rig->notify_fd, (struct sockaddr *)&a, sizeof(a)), 0);
	rig->output = -1;
}

static void rig_done(struct rig *rig)
{
	RC_AUTOFREE char *command = NULL;
	char *argv[] = {(char *)"rm", (char *)"-rf", rig->dir, NULL};
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	close(rig->notify_fd);
	if (rig->output >= 0)
		close(rig->output);
}

static void write_file(struct rig *rig, const char *name, const char *text)
{
	RC_AUTOFREE char *path = rc_asprintf("%s/%s", rig->dir, name);
	struct rc_error error;

	if (rc_file_replace(path, text, strlen(text), 0644, &error) < 0)
		fail_msg("%s", error.text);
}

/* Forks the daemon; more: up to four arguments. */
static pid_t start(struct rig *rig, const struct rc_service_def *def, const char *const *more)
{
	char *argv[16] = {(char *)"utxod"};
	int pipes[2], argc = 1;
	pid_t pid;

	argv[argc++] = rc_asprintf("--rundir=%s/run", rig->dir);
	argv[argc++] = rc_asprintf("--statedir=%s/state", rig->dir);
	argv[argc++] = rc_asprintf("--config=%s/conf", rig->dir);
	argv[argc++] = rc_strdup("--network=reg");
	for (; more && *more; more++)
		argv[argc++] = rc_strdup(*more);
	if (rig->output >= 0)
		close(rig->output);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char me[32];

		dup2(pipes[1], STDOUT_FILENO);
		dup2(pipes[1], STDERR_FILENO);
		snprintf(me, sizeof(me), "%ld", (long)getpid());
		setenv("NOTIFY_SOCKET", rig->notify, 1);
		setenv("WATCHDOG_USEC", "200000", 1);
		setenv("WATCHDOG_PID", me, 1);
		unsetenv("JOURNAL_STREAM");
		exit(rc_service_main(def, argc, argv));
	}
	for (int i = 1; i < argc; i++)
		free(argv[i]);
	close(pipes[1]);
	rig->output = pipes[0];
	return pid;
}

/* Waits for the end, at most PATIENCE_MS; the output is in rig->text. */
static int finish(struct rig *rig, pid_t pid)
{
	struct pollfd p = {.fd = rig->output, .events = POLLIN};
	size_t n = 0;
	int status = 0;

	while (n < sizeof(rig->text) - 1) {
		ssize_t got;

		if (poll(&p, 1, PATIENCE_MS) <= 0) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			fail_msg("it doesn't end");
		}
		got = read(rig->output, rig->text + n, sizeof(rig->text) - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	rig->text[n] = 0;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void expect_end(struct rig *rig, const char *const *more, int code, const char *said)
{
	int got = finish(rig, start(rig, &small_def, more));

	if (got != code || !strstr(rig->text, said))
		fail_msg("exit %d, not %d; said: %s (wanted: %s)", got, code, rig->text, said);
}

/* The next datagrams to the service manager until one has this text. */
static void expect_notify(struct rig *rig, const char *text)
{
	struct pollfd p = {.fd = rig->notify_fd, .events = POLLIN};
	char got[4096];

	for (;;) {
		ssize_t n;

		if (poll(&p, 1, PATIENCE_MS) <= 0)
			fail_msg("the service manager never heard %s", text);
		n = recv(rig->notify_fd, got, sizeof(got) - 1, 0);
		assert_true(n >= 0);
		got[n] = 0;
		if (strstr(got, text))
			return;
	}
}

/* Asks the running daemon as rustyctl does. */
static struct rc_client *ask_client(struct rig *rig, struct rc_loop *loop, enum rc_role role)
{
	static struct rc_network network;
	RC_AUTOFREE char *rundir = rc_asprintf("%s/run", rig->dir);
	struct rc_client_config config = {
		.from = RC_TOOL, .to = RC_UTXOD, .role = role, .rundir = rundir, .boot = 77};
	struct rc_client *client;
	struct rc_error error;

	assert_true(rc_network_builtin("reg", &network));
	memcpy(config.network_id, network.id.b, 32);
	assert_int_equal(rc_client_open(loop, &config, &client, &error), RC_OK);
	return client;
}

/* ---- tests ---- */

static void test_life(void **state)
{
	const struct rc_reply *reply;
	const Rc__StatusReply *status;
	const Rc__MetricsReply *metrics;
	Rc__SetLogLevelRequest level = RC__SET_LOG_LEVEL_REQUEST__INIT;
	struct rc_client *client;
	struct rc_loop *loop = rc_loop_new();
	struct rig rig;
	RC_AUTOFREE char *text = NULL;
	pid_t pid;

	(void)state;
	rig_init(&rig);
	write_file(&rig, "conf", "cache_mb = 100\n");
	pid = start(&rig, &small_def, NULL);
	expect_notify(&rig, "READY=1");
	expect_notify(&rig, "WATCHDOG=1");
	client = ask_client(&rig, loop, RC_ROLE_ADMIN);
	reply = rc_client_wait(client, RC_MSG_STATUS, NULL, NULL, 0, PATIENCE_MS);
	assert_int_equal(reply->err, 0);
	status = reply->body;
	assert_string_equal(status->name, "utxod");
	assert_string_equal(status->network, "reg");
	assert_string_equal(status->text, "well");
	assert_int_equal(status->pid, pid);
	assert_true(status->ready);
	assert_string_equal(status->figures[0]->value, "100 MiB");

	level.level = (char *)"debug";
	reply = rc_client_wait(client, RC_MSG_SET_LOG_LEVEL, &level, NULL, 0, PATIENCE_MS);
	assert_int_equal(reply->err, 0);
	assert_string_equal(((const Rc__SetLogLevelReply *)reply->body)->before, "info");
	level.level = (char *)"loud";
	reply = rc_client_wait(client, RC_MSG_SET_LOG_LEVEL, &level, NULL, 0, PATIENCE_MS);
	assert_int_equal(reply->err, RC_EINVAL);

	reply = rc_client_wait(client, RC_MSG_METRICS, NULL, NULL, 0, PATIENCE_MS);
	metrics = reply->body;
	text = rc_asprintf("%.*s", (int)metrics->text.len, metrics->text.data);
	assert_non_null(strstr(text, "\nrustycoin_utxod_starts_total 1\n"));
	assert_non_null(strstr(
		text, "\nrustycoin_utxod_open_seconds_bucket{kind=\"test\",le=\"0.002048\"} 1\n"));
	assert_non_null(strstr(
		text, "\nrustycoin_utxod_open_seconds_bucket{kind=\"test\",le=\"0.001024\"} 0\n"));
	assert_non_null(
		strstr(text, "\nrustycoin_utxod_open_seconds_sum{kind=\"test\"} 0.001500\n"));
	assert_non_null(strstr(text, "\nrustycoin_utxod_bus_clients 1\n"));

	/* by signal, by request, and a bad file changes nothing */
	write_file(&rig, "conf", "cache_mb = 200\n");
	assert_int_equal(kill(pid, SIGHUP), 0);
	expect_notify(&rig, "RELOADING=1");
	expect_notify(&rig, "READY=1");
	reply = rc_client_wait(client, RC_MSG_STATUS, NULL, NULL, 0, PATIENCE_MS);
	status = reply->body;
	assert_string_equal(status->figures[0]->value, "200 MiB");
	write_file(&rig, "conf", "cache_mb = 300\nfail = start\n");
	reply = rc_client_wait(client, RC_MSG_RELOAD, NULL, NULL, 0, PATIENCE_MS);
	assert_int_equal(reply->err, 0);
	assert_string_equal(((const Rc__ReloadReply *)reply->body)->text,
			    "changed: cache_mb; only a restart changes: fail");
	write_file(&rig, "conf", "cache_mb = much\n");
	reply = rc_client_wait(client, RC_MSG_RELOAD, NULL, NULL, 0, PATIENCE_MS);
	assert_int_equal(reply->err, RC_ECONFIG);
	assert_non_null(strstr(reply->text, "conf:1: cache_mb = much"));
	reply = rc_client_wait(client, RC_MSG_STATUS, NULL, NULL, 0, PATIENCE_MS);
	status = reply->body;
	assert_string_equal(status->figures[0]->value, "300 MiB");

	assert_int_equal(kill(pid, SIGTERM), 0);
	expect_notify(&rig, "STOPPING=1");
	assert_int_equal(finish(&rig, pid), RC_EXIT_OK);
	assert_non_null(strstr(rig.text, "stopped"));
	rc_client_close(client);
	rc_loop_free(loop);
	rig_done(&rig);
}

static void test_exit_codes(void **state)
{
	static const struct {
		const char *args[4];
		int code;
		const char *said;
	} cases[] = {
		{{"--fail=open"}, RC_EXIT_UNAVAILABLE, "port in use"},
		{{"--fail", "enter"}, RC_EXIT_IO, "disk broken"},
		{{"--fail=start"}, RC_EXIT_NOPERM, "not for you"},
		{{"--fail=io"}, RC_EXIT_IO, "sync of nothing failed"},
		{{"--cache-mb=5000"}, RC_EXIT_CONFIG, "from 1 to 4096 MiB"},
		{{"--cahce-mb=5"}, RC_EXIT_CONFIG, "did you mean 'cache_mb'?"},
		{{"hello"}, RC_EXIT_CONFIG, "'hello' is no option"},
		{{"--network=custom"}, RC_EXIT_CONFIG, "needs network_file"},
		{{"--network=custom", "--network-file=/nowhere"}, RC_EXIT_CONFIG, "/nowhere"},
		{{"--check-config"}, RC_EXIT_OK, "the configuration is good"},
		{{"--version"}, RC_EXIT_OK, "(bus schema 1, network reg)"},
		{{"--help"},
		 RC_EXIT_OK,
		 "--cache_mb (1 to 4096 MiB; default 64; reloaded on SIGHUP)"},
		{{"--print-config"}, RC_EXIT_OK, "cache_mb = 64"},
		{{"--statedir=/proc/nothing"}, RC_EXIT_FAILURE, "/proc/nothing"},
	};
	struct rig rig;

	(void)state;
	rig_init(&rig);
	write_file(&rig, "conf", "");
	for (size_t i = 0; i < RC_ARRAY_LEN(cases); i++)
		expect_end(&rig, cases[i].args, cases[i].code, cases[i].said);
	rig_done(&rig);
}

static void test_state_directory(void **state)
{
	const char *const other_network[] = {"--network=test", NULL};
	struct rc_service_def newer = small_def;
	struct rig rig;
	pid_t pid;
	const char *long_rundir[3] = {NULL};
	RC_AUTOFREE char *holder = NULL;
	RC_AUTOFREE char *rundir = NULL;
	RC_AUTOFREE char *state2 = NULL;

	(void)state;
	rig_init(&rig);
	write_file(&rig, "conf", "");
	newer.state_format = 2;
	pid = start(&rig, &newer, NULL);
	expect_notify(&rig, "READY=1");
	close(rig.output);
	rig.output = -1;
	holder = rc_asprintf("in use by process %ld", (long)pid);
	expect_end(&rig, NULL, RC_EXIT_TEMPFAIL, holder);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);

	expect_end(&rig, NULL, RC_EXIT_CONFIG, "was written by a newer utxod");
	write_file(&rig, "state/format", "daemon utxod\nformat 0\nnetwork x\n");
	expect_end(&rig, NULL, RC_EXIT_CONFIG, "belongs to the network x");
	write_file(&rig, "state/format", "daemon chaind\nformat 1\nnetwork x\n");
	expect_end(&rig, NULL, RC_EXIT_CONFIG, "this is the state of chaind");
	write_file(&rig, "state/format", "hello");
	expect_end(&rig, NULL, RC_EXIT_CONFIG, "not a format file");
	write_file(&rig, "state/format", "daemon utxod\nformat 1\nnetwork x\n");
	expect_end(&rig, other_network, RC_EXIT_CONFIG, "belongs to the network x");
	rundir = rc_asprintf("--rundir=%s/a-directory-whose-name-is-so-long-that-no-socket-in-it-"
			     "could-have-a-path-of-its-own-in-107-bytes",
			     rig.dir);
	state2 = rc_asprintf("--statedir=%s/state2", rig.dir);
	long_rundir[0] = rundir;
	long_rundir[1] = state2;
	expect_end(&rig, long_rundir, RC_EXIT_CONFIG, "choose a shorter run directory");
	rig_done(&rig);
}

/* The daemon itself tries what it must not do, before (control) and behind confinement. */
static void test_confinement(void **state)
{
	const char *const off[] = {"--confine=no", "--forbidden=/etc/passwd", NULL};
	const char *const on[] = {"--confine=yes", "--forbidden=/etc/passwd", NULL};
	struct rig rig;
	pid_t pid;
	int code;

	(void)state;
	rig_init(&rig);
	write_file(&rig, "conf", "");
	expect_end(&rig, off, RC_EXIT_CONFIG, "the forbidden file opened");
	if (strcmp(rc_daemon_options[2].def, "yes") != 0) {
		rig_done(&rig);
		skip(); /* sanitizers read /proc on their own */
	}
	pid = start(&rig, &small_def, on);
	expect_notify(&rig, "READY=1");
	kill(pid, SIGTERM);
	code = finish(&rig, pid);
	if (!strstr(rig.text, "no Landlock") && code != RC_EXIT_OK)
		fail_msg("exit %d: %s", code, rig.text);
	rig_done(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_state_directory),
		cmocka_unit_test(test_confinement),
	};

	rc_log_init("test_service", RC_LOG_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
