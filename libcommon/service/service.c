/* The life of a daemon, told once; the steps stand in run_service in their order. */
#include "service/service.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/num.h"
#include "service/confine.h"
#include "service/network_file.h"
#include "service/notify.h"
#include "service/service_state.h"
#include "service/state_dir.h"

/* A stop that takes longer is cut: whatever is lost then, a power cut could have taken, too. */
#define STOP_LIMIT_US INT64_C(15000000) /* below the unit's TimeoutStopSec */
#define STATE_ROOT    "/var/lib/rustycoin"

static const int handled_signals[] = {SIGTERM, SIGINT, SIGHUP};

static enum rc_exit exit_code(int err)
{
	switch (err) {
	case RC_ECONFIG:
	case RC_ENETWORK:
	case RC_EVERSION:
	case RC_EFORMAT: /* a damaged file: starting again mends nothing */
	case RC_ETOOBIG: /* a run directory with too long a path */
		return RC_EXIT_CONFIG;
	case RC_ELOCKED:
		return RC_EXIT_TEMPFAIL;
	case RC_EACCES:
	case RC_EDENIED:
		return RC_EXIT_NOPERM;
	case RC_EEXIST:
	case RC_EUNAVAILABLE:
	case RC_EBUSY:
		return RC_EXIT_UNAVAILABLE;
	case RC_EIO:
	case RC_ENOSPC:
	case RC_ESYNC:
		return RC_EXIT_IO;
	default:
		return RC_EXIT_FAILURE;
	}
}

void rc_service_die_io(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	rc_log(RC_LOG_CRIT, "%s; the process ends at once (74), recovery is at the next start",
	       text);
	_exit(RC_EXIT_IO);
}

/*
 * Debian's RocksDB has its assertions on, and some of them fail because a disk does: after a failed
 * write of its manifest it writes there again. That is the end of a process whose disk failed, so
 * it is told and ends as such; what is on the disk is whole. Taken over from glibc for the
 * libraries of this process, too; all other assertions end it as they always do.
 */
void __assert_fail(const char *assertion, const char *file, unsigned line, const char *function)
{
	if (function && strstr(function, "rocksdb::"))
		rc_service_die_io(
			"the database gave up after a failed read or write (RocksDB %s:%u: %s)",
			file, line, assertion);
	fprintf(stderr, "%s: %s:%u: %s: Assertion `%s' failed.\n", program_invocation_short_name,
		file, line, function ? function : "?", assertion);
	abort();
}

/* ---- before confinement ---- */

static int load_network(const struct rc_config *config, struct rc_network *ret_network,
			struct rc_error *error)
{
	const char *name = rc_config_text(config, "network");
	const char *file = rc_config_text(config, "network_file");
	int err;

	if (strcmp(name, "custom") != 0)
		return rc_network_load(name, ret_network, error);
	if (!file)
		return rc_error_set(error, RC_ECONFIG,
				    "network = custom needs network_file, the parameter file");
	err = rc_network_load(file, ret_network, error);
	if (err < 0 && error)
		error->code = RC_ECONFIG;
	return err < 0 ? RC_ECONFIG : RC_OK;
}

/* From here on signals come through the loop; every thread inherits the mask. */
static void block_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (size_t i = 0; i < RC_ARRAY_LEN(handled_signals); i++)
		sigaddset(&set, handled_signals[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* Groups rc-DAEMON-ROLE say who may connect to a role; where there are none, or we aren't in them
 * (a node of one user), the sockets keep the process's group. Who may listen to events may read. */
static void find_groups(struct rc_service *service)
{
	char name[64];

	for (unsigned r = 0; r <= RC_ROLE_COUNT; r++) {
		enum rc_role role = r < RC_ROLE_COUNT ? (enum rc_role)r : RC_ROLE_READ;
		const struct group *group;

		snprintf(name, sizeof(name), "rc-%s-%s", service->def->name, rc_role_name(role));
		group = getgrnam(name);
		if (group && (geteuid() == 0 || group_member(group->gr_gid)))
			service->groups[r] = group->gr_gid;
		else
			service->groups[r] = (gid_t)-1;
	}
}

static int make_directories(struct rc_service *service, struct rc_error *error)
{
	RC_AUTOFREE char *run =
		rc_asprintf("%s/%s", rc_service_rundir(service), service->def->name);
	int err = rc_dir_make(run, 0711, error);

	if (err < 0)
		return err;
	/* One process has them, before it touches what is in them. */
	if (service->def->stateless)
		return rc_dir_lock(run, &service->lock_fd, error);
	return rc_state_dir_open(rc_service_statedir(service), service->def->name,
				 service->def->state_format ? service->def->state_format : 1,
				 service->network.id.b, &service->lock_fd, error);
}

/* The directory of a file that may be replaced by renaming. */
static char *directory_of(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash && slash > path ? rc_asprintf("%.*s", (int)(slash - path), path) : NULL;
}

static const char *config_file(const struct rc_service *service)
{
	for (int i = 1; i < service->argc; i++) {
		if (strncmp(service->argv[i], "--config=", 9) == 0)
			return service->argv[i] + 9;
		if (strcmp(service->argv[i], "--config") == 0 && i + 1 < service->argc)
			return service->argv[i + 1];
	}
	return NULL;
}

#define EXTRA_PATHS_MAX 16

static int confine(struct rc_service *service, struct rc_error *error)
{
	const struct rc_service_def *def = service->def;
	const char *rundir = rc_service_rundir(service);
	RC_AUTOFREE char *run = rc_asprintf("%s/%s", rundir, def->name);
	RC_AUTOFREE char *extra = rc_strdup(def->read_paths ? def->read_paths : "");
	RC_AUTOFREE char *config_dir = directory_of(config_file(service));
	const char *writable[] = {run, rc_service_statedir(service), NULL};
	const char *readable[EXTRA_PATHS_MAX + 8] = {"/etc/rustycoin", rundir};
	const char *file = rc_config_text(service->config, "network_file");
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	struct rc_confine c = {writable, readable, def->network};
	char *rest = extra, *path;
	size_t n = 2;

	if (config_dir)
		readable[n++] = config_dir;
	if (file)
		readable[n++] = file;
	if (credentials)
		readable[n++] = credentials;
	while ((path = strsep(&rest, ":")) && n < RC_ARRAY_LEN(readable) - 1)
		if (*path)
			readable[n++] = path;
	if (!rc_config_bool(service->config, "confine")) {
		rc_log(RC_LOG_INFO, "confinement is off (option confine), core dumps stay off");
		return rc_confine_dumps(error);
	}
	return rc_confine_enter(&c, error);
}

/* ---- signals, reload, stop ---- */

static int read_again(struct rc_service *service, struct rc_buf *changed, struct rc_buf *kept,
		      struct rc_error *error)
{
	struct rc_config *fresh = NULL;
	enum rc_config_mode mode;
	int err = rc_config_load(&service->program, service->argc, service->argv, &fresh, &mode,
				 error);

	if (err == RC_OK)
		rc_config_take_over(service->config, fresh, changed, kept);
	rc_config_free(fresh);
	return err;
}

static void apply_log_level(struct rc_service *service)
{
	enum rc_log_level level;

	if (rc_log_level_parse(rc_config_text(service->config, "log_level"), &level))
		rc_log_set_level(level);
}

static void tell_reload(const struct rc_buf *changed, const struct rc_buf *kept, char *text,
			size_t size)
{
	if (!changed->len && !kept->len)
		snprintf(text, size, "the configuration is as it was");
	else
		snprintf(text, size, "changed: %.*s; only a restart changes: %.*s",
			 changed->len ? (int)changed->len : 7,
			 changed->len ? (char *)changed->data : "nothing",
			 kept->len ? (int)kept->len : 7,
			 kept->len ? (char *)kept->data : "nothing");
}

int rc_service_reload(struct rc_service *service, char *ret_text, size_t size)
{
	struct rc_buf changed = RC_BUF_INIT, kept = RC_BUF_INIT;
	struct rc_status status;
	struct rc_error error;
	int err;

	rc_notify_reloading();
	err = read_again(service, &changed, &kept, &error);
	if (err < 0) {
		snprintf(ret_text, size, "%s", error.text);
		rc_log(RC_LOG_ERR, "reload: %s; the configuration stays as it was", error.text);
	} else {
		apply_log_level(service);
		if (service->def->reload)
			service->def->reload(service->ctx);
		tell_reload(&changed, &kept, ret_text, size);
		rc_log(RC_LOG_NOTICE, "reload: %s", ret_text);
	}
	rc_service_status(service, &status);
	if (service->ready)
		rc_notify_ready(status.text);
	rc_buf_done(&changed);
	rc_buf_done(&kept);
	return err;
}

static void on_stop_limit(void *arg)
{
	struct rc_service *service = arg;

	rc_log(RC_LOG_ERR, "stopping took longer than %lld s; the rest is cut off",
	       (long long)(STOP_LIMIT_US / 1000000));
	rc_loop_stop(service->loop, RC_EXIT_FAILURE);
}

static void begin_stop(struct rc_service *service, int signal)
{
	if (service->stopping)
		return;
	service->stopping = true;
	rc_log(RC_LOG_NOTICE, "stopping (%s)", signal == SIGTERM ? "SIGTERM" : "SIGINT");
	rc_notify_stopping();
	rc_timer_arm(service->stop_limit, STOP_LIMIT_US);
	if (service->def->stop)
		service->def->stop(service->ctx);
	else
		rc_service_stopped(service);
}

static void on_signal(void *arg, int signal)
{
	struct rc_service *service = arg;
	char text[1024];

	if (signal == SIGHUP)
		rc_service_reload(service, text, sizeof(text));
	else
		begin_stop(service, signal);
}

void rc_service_stopped(struct rc_service *service)
{
	rc_loop_stop(service->loop, RC_EXIT_OK);
}

void rc_service_ready(struct rc_service *service)
{
	bool first = !service->ready;
	struct rc_status status;

	service->ready = true;
	rc_service_status(service, &status);
	if (first)
		rc_notify_ready(status.text);
	else
		rc_notify_status(status.text);
	if (first)
		rc_log(RC_LOG_NOTICE, "ready after %lld ms: %s",
		       (long long)((rc_mono_us(&rc_clock_system) - service->started_us) / 1000),
		       status.text);
}

/* ---- the story ---- */

static int bind_bus(struct rc_service *service, struct rc_error *error)
{
	struct rc_server_config config = {
		.daemon = service->def->daemon,
		.rundir = rc_service_rundir(service),
		.handlers = service->def->handlers,
		.ctx = service->ctx,
		.roles = service->def->roles,
		.boot = service->boot,
		.common = rc_service_handlers,
		.common_ctx = service,
		.groups = service->groups,
		.is_locked = service->def->stateless,
	};

	memcpy(config.network_id, service->network.id.b, sizeof(config.network_id));
	return rc_server_open(service->loop, &config, &service->server, error);
}

static void watch(struct rc_service *service)
{
	service->stop_limit = rc_loop_add_timer(service->loop, on_stop_limit, service);
	for (size_t i = 0; i < RC_ARRAY_LEN(handled_signals); i++)
		service->signals[i] =
			rc_loop_add_signal(service->loop, handled_signals[i], on_signal, service);
	if (rc_config_bool(service->config, "watchdog"))
		rc_loop_watchdog(service->loop);
}

/* Who looks at the log of a daemon that isn't ready wants to know what it waits for. */
static void tell_waiting(struct rc_service *service)
{
	struct rc_status status;

	rc_service_status(service, &status);
	rc_notify_status(status.text);
	rc_log(RC_LOG_NOTICE, "not ready yet: %s", status.text);
}

static int start_service(struct rc_service *service, struct rc_error *error)
{
	const struct rc_service_def *def = service->def;
	int err = make_directories(service, error);

	if (err < 0)
		return err;
	find_groups(service);
	rc_confine_prepare(def->network);
	service->loop = rc_loop_new();
	service->metrics = rc_metrics_new(def->name, def->metrics, def->n_metrics);
	service->ctx = def->new (service);
	if (def->open)
		err = def->open(service->ctx, error);
	if (err == RC_OK)
		err = confine(service, error);
	if (err == RC_OK && def->enter)
		err = def->enter(service->ctx, error);
	if (err == RC_OK)
		err = bind_bus(service, error);
	if (err == RC_OK)
		watch(service);
	if (err == RC_OK && def->start)
		err = def->start(service->ctx, error);
	if (err == RC_OK && !service->ready)
		tell_waiting(service);
	return err;
}

/* The reverse, from wherever the start got to. */
static void close_service(struct rc_service *service)
{
	const struct rc_service_def *def = service->def;

	if (service->ctx && def->close)
		def->close(service->ctx);
	rc_server_close(service->server);
	for (size_t i = 0; i < RC_ARRAY_LEN(handled_signals); i++)
		rc_source_free(service->signals[i]);
	rc_source_free(service->stop_limit);
	if (service->ctx && def->free)
		def->free(service->ctx);
	rc_metrics_free(service->metrics);
	rc_loop_free(service->loop);
	if (service->lock_fd >= 0)
		close(service->lock_fd);
	if (service->statm_fd >= 0)
		close(service->statm_fd);
}

static int run_service(struct rc_service *service)
{
	struct rc_error error;
	int code = RC_EXIT_OK;
	int err;

	rc_log(RC_LOG_NOTICE, "%s %s starts, network %s", service->def->name, RC_VERSION,
	       service->network.params.name);
	block_signals();
	err = start_service(service, &error);
	if (err == RC_OK) {
		rc_loop_run(service->loop, &code);
	} else {
		code = exit_code(err);
		rc_log(RC_LOG_ERR, "%s; not started (exit %d)", error.text, code);
	}
	close_service(service);
	rc_log(RC_LOG_NOTICE, "stopped");
	return code;
}

int rc_service_main(const struct rc_service_def *def, int argc, char **argv)
{
	const struct rc_option *const tables[] = {rc_common_options, rc_daemon_options,
						  def->options, NULL};
	RC_AUTOFREE char *statedir = rc_asprintf("statedir=" STATE_ROOT "/%s", def->name);
	const char *const defaults[] = {statedir, NULL};
	struct rc_service service = {
		.def = def,
		.argc = argc,
		.argv = argv,
		.program = {def->name, def->summary, tables, defaults},
		.boot = rc_random_u64(&rc_random_system) | 1,
		.started_us = rc_mono_us(&rc_clock_system),
		.lock_fd = -1,
		.statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC),
	};
	enum rc_config_mode mode = RC_MODE_RUN;
	struct rc_error error;
	int code = RC_EXIT_OK;
	int err;

	rc_mem_tune();
	rc_log_init(def->name, RC_LOG_INFO);
	err = rc_config_load(&service.program, argc, argv, &service.config, &mode, &error);
	if (err == RC_OK && (mode == RC_MODE_RUN || mode == RC_MODE_CHECK))
		err = load_network(service.config, &service.network, &error);
	if (err < 0) {
		rc_log(RC_LOG_ERR, "%s; not started (exit %d)", error.text, RC_EXIT_CONFIG);
		code = RC_EXIT_CONFIG;
	} else if (mode != RC_MODE_RUN) {
		rc_config_answer(&service.program, service.config, mode);
	} else {
		apply_log_level(&service);
		code = run_service(&service);
	}
	rc_config_free(service.config);
	return code;
}

/* ---- what the hooks may use ---- */

struct rc_loop *rc_service_loop(struct rc_service *service)
{
	return service->loop;
}

struct rc_server *rc_service_server(struct rc_service *service)
{
	return service->server;
}

const struct rc_config *rc_service_config(const struct rc_service *service)
{
	return service->config;
}

const struct rc_network *rc_service_network(const struct rc_service *service)
{
	return &service->network;
}

const char *rc_service_rundir(const struct rc_service *service)
{
	return rc_config_text(service->config, "rundir");
}

const char *rc_service_statedir(const struct rc_service *service)
{
	return service->def->stateless ? NULL : rc_config_text(service->config, "statedir");
}

struct rc_metrics *rc_service_metrics(struct rc_service *service)
{
	return service->metrics;
}

const struct rc_clock *rc_service_clock(const struct rc_service *service)
{
	(void)service;
	return &rc_clock_system;
}

const struct rc_random *rc_service_random(const struct rc_service *service)
{
	(void)service;
	return &rc_random_system;
}

uint64_t rc_service_boot(const struct rc_service *service)
{
	return service->boot;
}

struct rc_client_config rc_service_client(const struct rc_service *service, enum rc_daemon to,
					  enum rc_role role)
{
	struct rc_client_config config = {
		.from = service->def->daemon,
		.to = to,
		.role = role,
		.rundir = rc_service_rundir(service),
		.boot = service->boot,
	};

	memcpy(config.network_id, service->network.id.b, sizeof(config.network_id));
	return config;
}
