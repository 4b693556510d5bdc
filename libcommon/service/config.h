/*
 * Options: one table a daemon, from which the command line, the files, --help, --print-config and
 * the manual page's list are made (80-operations, "Configuration").
 */
#ifndef RC_SERVICE_CONFIG_H
#define RC_SERVICE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum rc_option_type {
	RC_OPT_BOOL,   /* yes, no, true, false, 1, 0 */
	RC_OPT_U64,    /* min … max, in unit */
	RC_OPT_TEXT,   /* min … max bytes */
	RC_OPT_PATH,   /* absolute after reading */
	RC_OPT_LIST,   /* texts; may be given several times, or by commas */
	RC_OPT_CHOICE, /* one of the words in choices, separated by | */
};

struct rc_option {
	const char *name; /* as in the file and after --, with underscores ("cache_mb"); dashes do,
			     too */
	enum rc_option_type type;
	uint64_t min, max;
	const char *unit;    /* "MiB", "seconds" …; NULL: none */
	const char *choices; /* of RC_OPT_CHOICE */
	const char *def;     /* default as text; NULL: none */
	bool reload;	     /* may change on SIGHUP */
	const char *text;    /* one sentence: what it does and when one would change it */
};

struct rc_config;

/* Values by name; asking for a name that isn't in the table is our own mistake. */
uint64_t rc_config_u64(const struct rc_config *config, const char *name);
bool rc_config_bool(const struct rc_config *config, const char *name);
const char *rc_config_text(const struct rc_config *config, const char *name); /* NULL: not set */
size_t rc_config_list(const struct rc_config *config, const char *name, const char *const **ret);
bool rc_config_is_set(const struct rc_config *config, const char *name);

/* The options of every program that talks on the bus, and those that only daemons have; the last
 * row's name is NULL. */
extern const struct rc_option rc_common_options[];
extern const struct rc_option rc_daemon_options[];

/* What a command line asks for. */
enum rc_config_mode {
	RC_MODE_RUN,
	RC_MODE_HELP,
	RC_MODE_VERSION,
	RC_MODE_PRINT,	 /* --print-config */
	RC_MODE_CHECK,	 /* --check-config */
	RC_MODE_OPTIONS, /* --print-options: the table, for the manual pages */
};

/* A program with options. */
struct rc_config_program {
	const char *name;		       /* also its section in the files */
	const char *summary;		       /* one line */
	const struct rc_option *const *tables; /* the last is NULL */
	const char *const *defaults; /* "name=value" in place of the tables'; may be NULL */
};

/*
 * The whole of it: rustycoin.conf, NAME.conf and their drop-ins in /etc/rustycoin (or the one file
 * given by --config, and its drop-ins), then the command line; what comes later wins. RC_ECONFIG
 * with a sentence.
 */
int rc_config_load(const struct rc_config_program *program, int argc, char **argv,
		   struct rc_config **ret, enum rc_config_mode *ret_mode, struct rc_error *error);
/* Does what mode asks for, on standard output. */
void rc_config_answer(const struct rc_config_program *program, const struct rc_config *config,
		      enum rc_config_mode mode);
/* Takes over the values of fresh that may change while running. Appends to changed what did, and
 * to kept what would need a restart (names, spaces between). */
void rc_config_take_over(struct rc_config *config, const struct rc_config *fresh,
			 struct rc_buf *changed, struct rc_buf *kept);

/* For tests and tools: a config of this table from "name=value" texts. */
int rc_config_new(const struct rc_option *const *tables, const char *const *settings,
		  size_t n_settings, struct rc_config **ret, struct rc_error *error);
/* Reads a file (and its .d drop-ins) into the config: file, line and the nearest known name are in
 * the error. Keys before any section count, and those of the program's own. */
int rc_config_read(struct rc_config *config, const char *path, bool must_exist,
		   struct rc_error *error);
/* The text of one file, path being its name in errors. */
int rc_config_parse(struct rc_config *config, const char *path, const char *text, size_t len,
		    struct rc_error *error);
void rc_config_free(struct rc_config *config);

#endif
