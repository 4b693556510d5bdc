/* The one door to the journal and to stderr. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define LINE_MAX_BYTES 2048 /* a longer line is cut: a log line is for reading */
#define FIELDS_MAX     16   /* the longest list any caller passes is 6 */

static const char *const level_names[8] = {
	[RC_LOG_CRIT] = "crit",	    [RC_LOG_ERR] = "err",   [RC_LOG_WARNING] = "warning",
	[RC_LOG_NOTICE] = "notice", [RC_LOG_INFO] = "info", [RC_LOG_DEBUG] = "debug",
};

static const char *log_program = "rustycoin";
static atomic_int log_level_now = RC_LOG_INFO;
static atomic_ullong log_counts[8];
static bool log_to_journal;
static _Thread_local uint64_t log_trace;

/* systemd sets JOURNAL_STREAM to device:inode of the stderr it gave us; if our stderr still is
 * that, structured fields reach the journal and a plain copy would only double every line. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void rc_log_init(const char *program, enum rc_log_level level)
{
	log_program = program;
	atomic_store(&log_level_now, level);
	log_to_journal = stderr_is_journal();
}

void rc_log_set_level(enum rc_log_level level)
{
	atomic_store(&log_level_now, level);
}

enum rc_log_level rc_log_level(void)
{
	return (enum rc_log_level)atomic_load(&log_level_now);
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
	log_trace = trace;
}

uint64_t rc_log_count(enum rc_log_level level)
{
	return atomic_load(&log_counts[level & 7]);
}

static void send_journal(enum rc_log_level level, const struct rc_log_field *fields, unsigned n,
			 const char *message)
{
	char text[FIELDS_MAX + 4][LINE_MAX_BYTES + 64];
	struct iovec iov[FIELDS_MAX + 4];
	int used = 0;

	snprintf(text[used], sizeof(text[0]), "MESSAGE=%s", message);
	used++;
	snprintf(text[used], sizeof(text[0]), "PRIORITY=%d", (int)level);
	used++;
	snprintf(text[used], sizeof(text[0]), "SYSLOG_IDENTIFIER=%s", log_program);
	used++;
	if (log_trace) {
		snprintf(text[used], sizeof(text[0]), "RC_TRACE=%016llx",
			 (unsigned long long)log_trace);
		used++;
	}
	for (unsigned i = 0; i < n && i < FIELDS_MAX; i++) {
		snprintf(text[used], sizeof(text[0]), "RC_%s=%s", fields[i].name, fields[i].value);
		used++;
	}
	for (int i = 0; i < used; i++) {
		iov[i].iov_base = text[i];
		iov[i].iov_len = strlen(text[i]);
	}
	sd_journal_sendv(iov, used);
}

static void send_stderr(enum rc_log_level level, const struct rc_log_field *fields, unsigned n,
			const char *message)
{
	char line[LINE_MAX_BYTES + 512];
	struct timespec ts;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	len = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
	len += (size_t)snprintf(line + len, sizeof(line) - len, ".%03ldZ %s[%ld] %s: %s",
				ts.tv_nsec / 1000000, log_program, (long)getpid(),
				rc_log_level_name(level), message);
	for (unsigned i = 0; i < n && len < sizeof(line) - 2; i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, " %s=%s", fields[i].name,
					fields[i].value);
	if (log_trace && len < sizeof(line) - 2)
		len += (size_t)snprintf(line + len, sizeof(line) - len, " trace=%016llx",
					(unsigned long long)log_trace);
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	/* One write a line, so that lines of several daemons on one terminal don't mix. A failure
	 * has nowhere to be reported. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

static void log_va(enum rc_log_level level, const struct rc_log_field *fields, unsigned n,
		   const char *fmt, va_list ap)
{
	char message[LINE_MAX_BYTES];

	atomic_fetch_add(&log_counts[level & 7], 1);
	if ((int)level > atomic_load(&log_level_now))
		return;
	vsnprintf(message, sizeof(message), fmt, ap);
	/* A line from outside bytes must not forge a second one. */
	for (char *p = message; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	if (log_to_journal)
		send_journal(level, fields, n, message);
	else
		send_stderr(level, fields, n, message);
}

void rc_log(enum rc_log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(level, NULL, 0, fmt, ap);
	va_end(ap);
}

void rc_log_with(enum rc_log_level level, const struct rc_log_field *fields, unsigned n_fields,
		 const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(level, fields, n_fields, fmt, ap);
	va_end(ap);
}
