/* One function that logs: structured journal fields where the journal is, plain lines elsewhere. */
#ifndef RC_BASE_LOG_H
#define RC_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

/* The numbers are syslog's. */
enum rc_log_level {
	RC_LOG_CRIT = 2,    /* money or data at stake: wake somebody */
	RC_LOG_ERR = 3,	    /* this daemon can't do its work until somebody acts */
	RC_LOG_WARNING = 4, /* unusual; the text says what happens next */
	RC_LOG_NOTICE = 5,  /* start, stop, reorganisation: rare and normal */
	RC_LOG_INFO = 6,
	RC_LOG_DEBUG = 7,
};

/* A structured field: name is upper case ASCII without the RC_ prefix that is put before it. */
struct rc_log_field {
	const char *name;
	const char *value;
};

/* Sets the name that stands before every line (the daemon's); not copied. Call once, early. */
void rc_log_init(const char *program, enum rc_log_level level);

void rc_log_set_level(enum rc_log_level level);
enum rc_log_level rc_log_level(void);
bool rc_log_level_parse(const char *text, enum rc_log_level *ret_level);
const char *rc_log_level_name(enum rc_log_level level);

/* The trace id put into every line until set again (0: none); per thread. */
void rc_log_set_trace(uint64_t trace);

/* Logs a line: who, what, and what happens next. Any thread. */
void rc_log(enum rc_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* As rc_log, with fields that scripts can select by. */
void rc_log_with(enum rc_log_level level, const struct rc_log_field *fields, unsigned n_fields,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Lines logged at warning and above since the start, a metric of every daemon. */
uint64_t rc_log_count(enum rc_log_level level);

#endif
