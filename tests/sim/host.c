/* The small rest of what the daemons find in a system: a log, no confinement, no helping threads.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/log.h"
#include "daemons/utxod/crew.h"
#include "service/confine.h"
#include "sim.h"

static const char *const level_names[8] = {
	[RC_LOG_CRIT] = "crit",	    [RC_LOG_ERR] = "err",   [RC_LOG_WARNING] = "warning",
	[RC_LOG_NOTICE] = "notice", [RC_LOG_INFO] = "info", [RC_LOG_DEBUG] = "debug",
};

void rc_log_init(const char *program, enum rc_log_level level)
{
	(void)program;
	(void)level;
}

void rc_log_set_level(enum rc_log_level level)
{
	(void)level;
}

enum rc_log_level rc_log_level(void)
{
	return RC_LOG_INFO;
}

bool rc_log_level_parse(const char *text, enum rc_log_level *ret_level)
{
	for (int i = 0; i < 8; i++) {
		if (level_names[i] && strcasecmp(level_names[i], text) == 0) {
			*ret_level = (enum rc_log_level)i;
			return true;
		}
	}
	return false;
}

const char *rc_log_level_name(enum rc_log_level level)
{
	return (unsigned)level < 8 && level_names[level] ? level_names[level] : "?";
}

void rc_log_set_trace(uint64_t trace)
{
	(void)trace;
}

uint64_t rc_log_count(enum rc_log_level level)
{
	(void)level;
	return 0;
}

char sim_last_error[512];

static void log_line(enum rc_log_level level, const char *fmt, va_list ap)
{
	if (level <= RC_LOG_ERR) {
		va_list copy;

		va_copy(copy, ap);
		vsnprintf(sim_last_error, sizeof(sim_last_error), fmt, copy);
		va_end(copy);
	}
	if (!sim.verbose || level > RC_LOG_INFO)
		return;
	fprintf(stderr, "%11.6f %-9s %s: ", (double)sim.now / 1e6,
		sim.current ? sim.current->name : "-", rc_log_level_name(level));
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void rc_log(enum rc_log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(level, fmt, ap);
	va_end(ap);
}

void rc_log_with(enum rc_log_level level, const struct rc_log_field *fields, unsigned n_fields,
		 const char *fmt, ...)
{
	va_list ap;

	(void)fields;
	(void)n_fields;
	va_start(ap, fmt);
	log_line(level, fmt, ap);
	va_end(ap);
}

/* ---- service/confine.h ---- */

void rc_confine_prepare(bool network)
{
	(void)network;
}

int rc_confine_dumps(struct rc_error *error)
{
	(void)error;
	return RC_OK;
}

int rc_confine_enter(const struct rc_confine *confine, struct rc_error *error)
{
	(void)confine;
	(void)error;
	return RC_OK;
}

/* ---- threads ---- */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *arg),
			  void *arg);

/* There are none: who wants to open or read two things at once does so one after the other. */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *arg),
			  void *arg)
{
	(void)thread;
	(void)attr;
	(void)start;
	(void)arg;
	return EAGAIN;
}

/* ---- utxod/crew.h ---- */

struct crew {
	char nothing;
};

struct crew *crew_new(const char *name)
{
	(void)name;
	return rc_alloc(sizeof(struct crew));
}

void crew_free(struct crew *crew)
{
	free(crew);
}

void crew_run(struct crew *crew, size_t n, void (*fn)(void *arg, size_t i, unsigned who), void *arg)
{
	(void)crew;
	for (size_t i = 0; i < n; i++)
		fn(arg, i, 0);
}
