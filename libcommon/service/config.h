/*
 * Options: one table a daemon, from which the command line, the files, --help, --print-config and
 * the manual page's list are made (80-operations, "Configuration").
 */
#ifndef RC_SERVICE_CONFIG_H
#define RC_SERVICE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
	const char *name; /* as in the file and after --, with underscores ("cache_mb") */
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

/* For tests and tools: a config of this table from "name=value" texts. */
int rc_config_new(const struct rc_option *const *tables, const char *const *settings,
		  size_t n_settings, struct rc_config **ret, struct rc_error *error);
/* Reads a file (and its .d drop-ins) into the config: file, line and the nearest known name are in
 * the error. section: the only one whose keys count besides those before any section. */
int rc_config_read(struct rc_config *config, const char *path, bool must_exist,
		   struct rc_error *error);
void rc_config_free(struct rc_config *config);

#endif
