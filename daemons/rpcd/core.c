/*~ rpcd's life: sockets and cookie before confinement, connections after it, then the loop. */
#include "daemons/rpcd/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/num.h"
#include "base/test_point.h"
#include "daemons/rpcd/backends.h"
#include "daemons/rpcd/heavy.h"
#include "daemons/rpcd/http.h"
#include "daemons/rpcd/known.h"
#include "daemons/rpcd/methods.h"
#include "daemons/rpcd/ops.h"
#include "daemons/rpcd/rpcd.h"
#include "daemons/rpcd/tip.h"
#include "daemons/rpcd/watch.h"

#define SOCKETS_MAX 8
/* Of the bus, of listeners, of the configuration: some 90, and room for the libraries'. */
#define OWN_DESCRIPTORS 256
#define STOP_TICK_US	10000
#define STOP_GRACE_US	INT64_C(1500000) /* requests in hand may end for so long after SIGTERM */

/* What is opened before confinement and used after it. */
struct rpcd_ctx {
	struct rpcd rpcd;
	struct listen_socket sockets[SOCKETS_MAX];
	size_t n_sockets;
	size_t n_passed; /* the first ones, by the service manager */
	struct listen_socket ops_socket;
	struct rc_source *stop_timer;
	int64_t stop_until_us;
	uint64_t stop_requests; /* that had come by the last look */
	unsigned stop_quiet;	/* looks since one came */
	char *rundir;		/* RUNDIR/rpcd */
	char *socket_path;	/* of the Unix socket made here; NULL: none, or it was passed */
};

static const struct rc_option options[] = {
	{"rpc_port", RC_OPT_U64, 0, 65535, NULL, NULL, "0", false,
	 "TCP port of JSON-RPC; 0: the network's (main 7441, test 27441, reg 17441)"},
	{"rpc_bind", RC_OPT_LIST, 0, 64, NULL, NULL, "127.0.0.1", false,
	 "numeric addresses to listen on; an empty list: the Unix socket only"},
	{"rpc_allow_plain", RC_OPT_BOOL, 0, 0, NULL, NULL, "no", false,
	 "listen on addresses beyond loopback without TLS: only behind a proxy on a private net"},
	{"rpc_socket", RC_OPT_PATH, 0, 107, NULL, NULL, NULL, false,
	 "path of the Unix socket, where permissions replace the password; default "
	 "RUNDIR/rpcd/rpcd.sock"},
	{"rpc_socket_mode", RC_OPT_CHOICE, 0, 0, NULL, "0600|0660|0666", "0660", false,
	 "permissions of the Unix socket: who may connect may do everything"},
	{"cookie", RC_OPT_PATH, 0, 4095, NULL, NULL, NULL, false,
	 "file that gets a new user:password at each start, mode 0600; default RUNDIR/rpcd/cookie"},
	{"rpcauth", RC_OPT_LIST, 0, 512, NULL, NULL, NULL, true,
	 "users as user:salt$hash, made as by Bitcoin Core's rpcauth.py; :read, :submit or :admin "
	 "(the default) after it says what he may"},
	{"rpc_connections", RC_OPT_U64, 1, 20000, NULL, NULL, "512", false,
	 "connections a listener takes; further ones wait in the kernel"},
	{"rpc_in_flight", RC_OPT_U64, 1, 100000, NULL, NULL, "2048", false,
	 "requests that may wait for an answer; more get HTTP 503"},
	{"rpc_body_mb", RC_OPT_U64, 1, 256, "MiB", NULL, "64", false,
	 "most of a request's body; a block of 32,000,000 bytes in hex needs 62"},
	{"rpc_body_seconds", RC_OPT_U64, 1, 3600, "seconds", NULL, "60", false,
	 "how long a request's body may take to come"},
	{"rpc_answers_mb", RC_OPT_U64, 1, 65536, "MiB", NULL, "256", false,
	 "most of all answers that wait to be read; beyond it reads get HTTP 503, error -32052"},
	{"block_cache_mb", RC_OPT_U64, 0, 65536, "MiB", NULL, "32", false,
	 "most of the blocks kept in memory for who asks for one again; the largest block needs "
	 "31"},
	{"hold_ms", RC_OPT_U64, 0, 600000, "milliseconds", NULL, "5000", false,
	 "how long a request is held while a daemon behind is away"},
	{"watch_ms", RC_OPT_U64, 20, 60000, "milliseconds", NULL, "1000", false,
	 "how often the daemons are asked for their state and metrics"},
	{"ops_port", RC_OPT_U64, 0, 65535, NULL, NULL, "0", false,
	 "TCP port of health and metrics; 0: the network's (main 7442, test 27442, reg 17442)"},
	{"ops_bind", RC_OPT_TEXT, 0, 64, NULL, NULL, "127.0.0.1", false,
	 "numeric address of health and metrics; they need no password"},
	{0},
};

static const struct rc_metric_def metrics[M_COUNT] = {
	[M_REQUESTS] = {"requests_total", RC_COUNTER, NULL, "HTTP requests."},
	[M_CALLS] = {"calls_total", RC_COUNTER, NULL, "JSON-RPC calls of known methods."},
	[M_CALLS_FAILED] = {"calls_failed_total", RC_COUNTER, NULL, "Calls answered by an error."},
	[M_IN_FLIGHT] = {"in_flight", RC_GAUGE, NULL, "Requests that wait for their answer."},
	[M_CONNECTIONS] = {"connections", RC_GAUGE, NULL, "Open connections of the API."},
	[M_AUTH_FAILED] = {"auth_failed_total", RC_COUNTER, NULL, "Wrong or missing passwords."},
	[M_REFUSED_BUSY] = {"refused_busy_total", RC_COUNTER, NULL, "Requests refused by load."},
	[M_REFUSED_SIZE] = {"refused_size_total", RC_COUNTER, NULL, "Requests refused by size."},
	[M_HELD] = {"held_total", RC_COUNTER, NULL, "Questions held while a daemon was away."},
	[M_HELD_TOO_LONG] = {"held_too_long_total", RC_COUNTER, NULL,
			     "Of those, given up after hold_ms."},
	[M_BODY_BYTES] = {"body_bytes", RC_GAUGE, NULL,
			  "Bytes of bodies, and of what calls have of them."},
	[M_ANSWER_BYTES] = {"answer_bytes", RC_GAUGE, NULL,
			    "Bytes of answers made and not taken yet."},
	[M_KEPT_BODY_BYTES] = {"kept_body_bytes", RC_GAUGE, NULL,
			       "Bytes of blocks kept for who asks next."},
	[M_WAITING] = {"waiting_for_room", RC_GAUGE, NULL,
		       "Calls with large answers that wait for others to end."},
	[M_ANSWER_TIME] = {"answer_seconds", RC_HISTOGRAM, NULL,
			   "From a request's end to its answer."},
};

static void *rpcd_new(struct rc_service *service)
{
	struct rpcd_ctx *ctx = rc_alloc(sizeof(*ctx));

	ctx->rpcd.service = service;
	ctx->rpcd.table = methods_table();
	ctx->ops_socket.fd = -1;
	return ctx;
}

/* ---- before confinement ---- */

/* A passed socket stands in for what would be bound here. */
static bool was_passed(const struct rpcd_ctx *ctx, bool is_unix)
{
	for (size_t i = 0; i < ctx->n_passed; i++)
		if (ctx->sockets[i].is_unix == is_unix)
			return true;
	return false;
}

static int take_passed(struct rpcd_ctx *ctx, struct rc_error *error)
{
	bool allowed = rc_config_bool(rc_service_config(ctx->rpcd.service), "rpc_allow_plain");
	struct listen_socket passed[SOCKETS_MAX - 1];
	size_t n;
	int err = listen_passed(passed, RC_ARRAY_LEN(passed), &n, error);

	for (size_t i = 0; i < n && err == RC_OK; i++) {
		if (passed[i].is_ops && (ctx->ops_socket.fd >= 0 || passed[i].is_unix))
			err = rc_error_set(error, RC_ECONFIG,
					   "%s: one socket has the name ops, of TCP",
					   passed[i].where);
		else if (passed[i].is_ops)
			ctx->ops_socket = passed[i];
		else if (!passed[i].is_local && !allowed)
			err = listen_refuse_plain(passed[i].where, error);
		else
			ctx->sockets[ctx->n_sockets++] = passed[i];
	}
	ctx->n_passed = ctx->n_sockets;
	return err;
}

static int open_unix(struct rpcd_ctx *ctx, struct rc_error *error)
{
	const struct rc_config *config = rc_service_config(ctx->rpcd.service);
	const char *path = rc_config_text(config, "rpc_socket");
	const char *mode = rc_config_text(config, "rpc_socket_mode");
	RC_AUTOFREE char *own = rc_asprintf("%s/rpcd.sock", ctx->rundir);
	int err;

	if (was_passed(ctx, true))
		return RC_OK;
	err = listen_unix(path ? path : own, (unsigned)strtoul(mode, NULL, 8),
			  &ctx->sockets[ctx->n_sockets], error);
	if (err < 0)
		return err;
	ctx->n_sockets++;
	ctx->socket_path = rc_strdup(path ? path : own);
	return RC_OK;
}

static int open_tcp(struct rpcd_ctx *ctx, struct rc_error *error)
{
	const struct rc_config *config = rc_service_config(ctx->rpcd.service);
	uint16_t port = (uint16_t)rc_config_u64(config, "rpc_port");
	const char *const *hosts;
	size_t n = rc_config_list(config, "rpc_bind", &hosts);
	int err = RC_OK;

	if (was_passed(ctx, false))
		return RC_OK;
	if (!port)
		port = rc_service_network(ctx->rpcd.service)->ports.rpcd;
	if (n > SOCKETS_MAX - ctx->n_sockets)
		return rc_error_set(error, RC_ECONFIG,
				    "rpc_bind has %zu addresses, it may have %zu", n,
				    SOCKETS_MAX - ctx->n_sockets);
	for (size_t i = 0; i < n && err == RC_OK; i++) {
		err = listen_tcp(hosts[i], port, rc_config_bool(config, "rpc_allow_plain"),
				 &ctx->sockets[ctx->n_sockets], error);
		if (err == RC_OK)
			ctx->n_sockets++;
	}
	return err;
}

static int open_ops(struct rpcd_ctx *ctx, struct rc_error *error)
{
	const struct rc_config *config = rc_service_config(ctx->rpcd.service);
	uint16_t port = (uint16_t)rc_config_u64(config, "ops_port");

	if (ctx->ops_socket.fd >= 0)
		return RC_OK;
	if (!port)
		port = rc_service_network(ctx->rpcd.service)->ports.operations;
	/* It shows figures only, so an operator may bind it wherever Prometheus is. */
	return listen_tcp(rc_config_text(config, "ops_bind"), port, true, &ctx->ops_socket, error);
}

/* Who is let in without a descriptor left isn't: libmicrohttpd would turn on his knocking. */
static int check_descriptors(const struct rpcd_ctx *ctx, struct rc_error *error)
{
	const struct rc_config *config = rc_service_config(ctx->rpcd.service);
	uint64_t connections = rc_config_u64(config, "rpc_connections");
	uint64_t need = ctx->n_sockets * connections + OPS_CONNECTIONS + OWN_DESCRIPTORS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || need <= limit.rlim_cur)
		return RC_OK;
	return rc_error_set(error, RC_ECONFIG,
			    "rpc_connections = %llu of %zu listeners needs %llu descriptors, this "
			    "process may have %llu: lower it, or raise LimitNOFILE= of its unit "
			    "(ulimit -n)",
			    (unsigned long long)connections, ctx->n_sockets,
			    (unsigned long long)need, (unsigned long long)limit.rlim_cur);
}

static int open_auth(struct rpcd_ctx *ctx, struct rc_error *error)
{
	const struct rc_config *config = rc_service_config(ctx->rpcd.service);
	const char *path = rc_config_text(config, "cookie");
	RC_AUTOFREE char *own = rc_asprintf("%s/cookie", ctx->rundir);
	const char *const *lines;
	size_t n = rc_config_list(config, "rpcauth", &lines);

	return auth_open(path ? path : own, lines, n, rc_service_random(ctx->rpcd.service),
			 &ctx->rpcd.auth, error);
}

static int rpcd_open(void *arg, struct rc_error *error)
{
	struct rpcd_ctx *ctx = arg;
	int err;

	ctx->rundir = rc_asprintf("%s/rpcd", rc_service_rundir(ctx->rpcd.service));
	err = rc_dir_make(ctx->rundir, 0711, error);
	if (err == RC_OK)
		err = take_passed(ctx, error);
	if (err == RC_OK)
		err = open_unix(ctx, error);
	if (err == RC_OK)
		err = open_tcp(ctx, error);
	if (err == RC_OK)
		err = open_ops(ctx, error);
	if (err == RC_OK)
		err = check_descriptors(ctx, error);
	if (err == RC_OK)
		err = open_auth(ctx, error);
	return err;
}

/* ---- after it ---- */

static int rpcd_start(void *arg, struct rc_error *error)
{
	struct rpcd_ctx *ctx = arg;
	struct rpcd *rpcd = &ctx->rpcd;
	size_t n = ctx->n_sockets;
	int err;

	rpcd->loop = rc_service_loop(rpcd->service);
	rpcd->metrics = rc_service_metrics(rpcd->service);
	rpcd->started_us = rc_loop_now_us(rpcd->loop);
	err = ops_open(&ctx->ops_socket, rpcd->metrics, rc_service_clock(rpcd->service), &rpcd->ops,
		       error);
	if (err < 0)
		return err;
	ctx->ops_socket.fd = -1;
	err = backends_open(rpcd, &rpcd->backends, error);
	if (err < 0)
		return err;
	rpcd->tip = tip_open(rpcd);
	rpcd->heavy = heavy_new(rpcd);
	rpcd->known = known_new(
		rpcd, (size_t)rc_config_u64(rc_service_config(rpcd->service), "block_cache_mb")
			      << 20);
	rpcd->watch = watch_open(rpcd);
	ctx->n_sockets = 0;
	err = front_open(rpcd, ctx->sockets, n, &rpcd->front, error);
	if (err < 0)
		return err;
	RC_TEST_POINT(RPCD_STARTED);
	/* A request sent now is answered: by the daemons behind, or with who is away. */
	rc_service_ready(rpcd->service);
	return RC_OK;
}

static void rpcd_reload(void *arg)
{
	struct rpcd_ctx *ctx = arg;
	const char *const *lines;
	size_t n = rc_config_list(rc_service_config(ctx->rpcd.service), "rpcauth", &lines);
	struct rc_error error;

	if (auth_reload(ctx->rpcd.auth, lines, n, &error) < 0)
		rc_log(RC_LOG_ERR, "%s; the users stay as they were", error.text);
}

static void rpcd_status(void *arg, struct rc_status *status)
{
	struct rpcd_ctx *ctx = arg;
	struct rpcd *rpcd = &ctx->rpcd;
	struct rc_buf causes = RC_BUF_INIT;
	bool healthy = rpcd->watch && watch_health(rpcd->watch, &causes);

	/* rpcd itself is ready when it answers; the node's health is a figure of its own. */
	status->ready = rpcd->front && !rpcd->stopping;
	snprintf(status->text, sizeof(status->text), "%s",
		 rpcd->stopping ? "stopping"
		 : healthy	? "answering"
				: "answering; the node is not ready (gethealth says why)");
	rc_status_figure(status, "healthy", "%s", healthy ? "yes" : "no");
	if (rpcd->front)
		rc_status_figure(status, "in_flight", "%zu", front_in_flight(rpcd->front));
	rc_status_figure(status, "connections", "%llu",
			 (unsigned long long)rc_metric_get(rpcd->metrics, M_CONNECTIONS));
	rc_status_figure(status, "requests", "%llu",
			 (unsigned long long)rc_metric_get(rpcd->metrics, M_REQUESTS));
	rc_buf_done(&causes);
}

/* ---- the end ---- */

/* Kept connections bring requests yet, each its last one (http.c): an end while they come would
 * break some off. Two looks, since the first may be before what came while the process slept is
 * read. */
static bool requests_come(struct rpcd_ctx *ctx)
{
	uint64_t requests = rc_metric_get(ctx->rpcd.metrics, M_REQUESTS);

	ctx->stop_quiet = requests == ctx->stop_requests ? ctx->stop_quiet + 1 : 0;
	ctx->stop_requests = requests;
	return ctx->stop_quiet < 2 && rc_metric_get(ctx->rpcd.metrics, M_CONNECTIONS);
}

static void on_stop_tick(void *arg)
{
	struct rpcd_ctx *ctx = arg;
	struct rpcd *rpcd = &ctx->rpcd;
	bool busy = requests_come(ctx) || front_in_flight(rpcd->front);

	if (busy && rc_loop_now_us(rpcd->loop) < ctx->stop_until_us)
		rc_timer_arm(ctx->stop_timer, STOP_TICK_US);
	else
		rc_service_stopped(rpcd->service);
}

static void rpcd_stop(void *arg)
{
	struct rpcd_ctx *ctx = arg;
	struct rpcd *rpcd = &ctx->rpcd;

	rpcd->stopping = true;
	RC_TEST_POINT(RPCD_STOP);
	front_quiesce(rpcd->front);
	tip_close(rpcd->tip); /* who waits for a block is told at once */
	ctx->stop_until_us = rc_loop_now_us(rpcd->loop) + STOP_GRACE_US;
	ctx->stop_timer = rc_loop_add_timer(rpcd->loop, on_stop_tick, ctx);
	rc_timer_arm(ctx->stop_timer, 0);
}

static void close_sockets(struct rpcd_ctx *ctx)
{
	for (size_t i = 0; i < ctx->n_sockets; i++)
		close(ctx->sockets[i].fd);
	if (ctx->ops_socket.fd >= 0)
		close(ctx->ops_socket.fd);
}

static void rpcd_close(void *arg)
{
	struct rpcd_ctx *ctx = arg;
	struct rpcd *rpcd = &ctx->rpcd;

	rpcd->stopping = rpcd->closing = true;
	rc_source_free(ctx->stop_timer);
	watch_close(rpcd->watch);
	tip_close(rpcd->tip);
	heavy_close(rpcd->heavy);
	backends_close(rpcd->backends);
	rpcd->backends = NULL;
	front_close(rpcd->front);
	watch_free(rpcd->watch);
	tip_free(rpcd->tip);
	known_free(rpcd->known);
	heavy_free(rpcd->heavy);
	room_done(&rpcd->room);
	ops_close(rpcd->ops);
	auth_close(rpcd->auth);
	close_sockets(ctx);
	if (ctx->socket_path)
		unlink(ctx->socket_path);
}

static void rpcd_free(void *arg)
{
	struct rpcd_ctx *ctx = arg;

	free((void *)(uintptr_t)ctx->rpcd.table.methods);
	free(ctx->rundir);
	free(ctx->socket_path);
	free(ctx);
}

const struct rc_service_def rpcd_service = {
	.daemon = RC_RPCD,
	.name = "rpcd",
	.summary = "JSON-RPC, health and metrics of a Rusty Coin node",
	.options = options,
	.roles = "read,admin",
	.handlers = NULL,
	.network = true,
	.new = rpcd_new,
	.open = rpcd_open,
	.start = rpcd_start,
	.reload = rpcd_reload,
	.status = rpcd_status,
	.stop = rpcd_stop,
	.close = rpcd_close,
	.free = rpcd_free,
	.metrics = metrics,
	.n_metrics = M_COUNT,
	.stateless = true,
};
