/*
 * The life of every daemon, once: options → configuration → signals blocked → state directory
 * locked → credentials → confinement → state opened → bus bound → loop → ready; stop is the exact
 * reverse (10-architecture, "Process life"; style.md, 2).
 */
#ifndef RC_SERVICE_SERVICE_H
#define RC_SERVICE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "bus/client.h"
#include "bus/loop.h"
#include "bus/server.h"
#include "consensus/network.h"
#include "service/config.h"
#include "service/metrics.h"

struct rc_service;

/* What a daemon tells of itself in Status; filled by its status hook. */
struct rc_status {
	bool ready;
	char text[256]; /* one line: what it does now, or what it waits for */
	struct rc_status_figure {
		char name[32];
		char value[96];
	} figures[24];
	unsigned n_figures;
};
void rc_status_figure(struct rc_status *status, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A daemon: its tables and hooks in the order of life. ctx is what new returned. */
struct rc_service_def {
	enum rc_daemon daemon;
	const char *name;		   /* "chaind" */
	const char *summary;		   /* one line for --help */
	const struct rc_option *options;   /* its own; the common ones are added (config.h) */
	const char *roles;		   /* of its bus: "read,submit,admin" */
	const struct rc_handler *handlers; /* the common ones (Ping, Status …) are added */
	const char
		*read_paths; /* extra paths Landlock lets it read, colon-separated; may be NULL */
	bool network;	     /* opens sockets beyond the bus (peerd, rpcd) */
	void *(*new)(struct rc_service *service);
	int (*open)(
		void *ctx,
		struct rc_error *error); /* before confinement: credentials, listening sockets */
	int (*enter)(void *ctx, struct rc_error *error); /* after it: databases, threads */
	int (*start)(void *ctx, struct rc_error *error); /* the bus is bound: clients, timers */
	void (*reload)(void *ctx); /* SIGHUP or Reload: config is read again */
	void (*status)(void *ctx, struct rc_status *ret_status);
	void (*stop)(void *ctx);  /* SIGTERM: refuse new work; call rc_service_stopped when the rest
				     is done, within 15 s. NULL: at once */
	void (*close)(void *ctx); /* the reverse of start, enter and open, also half-way */
	void (*free)(void *ctx);

	const struct rc_metric_def *metrics; /* its table; may be NULL */
	size_t n_metrics;
	unsigned state_format; /* version of what it keeps; 0: 1. A directory of another is refused
				*/
	bool stateless;	       /* keeps nothing: no state directory, none is locked */
};

/*
 * main() of a daemon is this one call. Returns the exit code (base/err.h): 0 stopped as asked; 69
 * an address or a daemon isn't to be had; 74 input/output; 75 somebody else has the state or run
 * directory; 77 permission; 78 the configuration is bad, or the state directory belongs to another
 * network, daemon or format: starting again can't help; else 1.
 */
int rc_service_main(const struct rc_service_def *def, int argc, char **argv);

/* What the hooks may use. */
struct rc_loop *rc_service_loop(struct rc_service *service);
struct rc_server *rc_service_server(struct rc_service *service);
const struct rc_config *rc_service_config(const struct rc_service *service);
const struct rc_network *rc_service_network(const struct rc_service *service);
const char *rc_service_rundir(const struct rc_service *service);
const char *rc_service_statedir(const struct rc_service *service); /* NULL: stateless */
struct rc_metrics *rc_service_metrics(struct rc_service *service);
/* What Metrics tells of every daemon before its own table: uptime, bus, log. Prometheus text. */
void rc_service_write_common(struct rc_service *service, struct rc_buf *buf);
const struct rc_clock *rc_service_clock(const struct rc_service *service);
const struct rc_random *rc_service_random(const struct rc_service *service);
uint64_t rc_service_boot(const struct rc_service *service);
/* A client config for an edge of this daemon, filled in. */
struct rc_client_config rc_service_client(const struct rc_service *service, enum rc_daemon to,
					  enum rc_role role);

/* READY=1 is sent the first time; later calls change the status line only. Call it when a request
 * sent now is answered. */
void rc_service_ready(struct rc_service *service);
void rc_service_stopped(struct rc_service *service);

/* The first failed write or sync of durable data: logs at crit and ends the process with 74 at
 * once, without closing anything (10-architecture). Any thread. */
_Noreturn void rc_service_die_io(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
