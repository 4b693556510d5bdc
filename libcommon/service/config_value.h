/* What the files of the configuration share: the table's values and the one way to set one. */
#ifndef RC_SERVICE_CONFIG_VALUE_H
#define RC_SERVICE_CONFIG_VALUE_H

#include "service/config.h"

/* A line of a file, so a value, is never longer. */
#define RC_CONFIG_LINE_MAX 4096

struct rc_value {
	const struct rc_option *option;
	char *text; /* as given; paths are absolute; lists by commas */
	uint64_t number;
	char **list;
	size_t n_list;
	bool set;	 /* by a file or the command line */
	unsigned source; /* which one set it: a later one replaces a list, the same one adds */
	char *origin;	 /* "FILE:LINE" or "command line" */
};

struct rc_config {
	struct rc_value *values;
	size_t n;
	const char *section; /* of our own keys; NULL: none */
	unsigned sources;
	char *directory;  /* where relative paths start */
	void **graveyard; /* texts that a reload replaced: callers may still hold them */
	size_t n_graveyard;
};

/* NULL if there is none; dashes are underscores. */
struct rc_value *rc_config_find(const struct rc_config *config, const char *name);
/* The known name nearest to this one, or NULL. */
const char *rc_config_nearest(const struct rc_config *config, const char *name);
/* Sets a value from text. The error has no place in it; the caller puts it before. */
int rc_config_set(struct rc_config *config, const char *name, const char *text, unsigned source,
		  const char *origin, struct rc_error *error);
struct rc_config *rc_config_of_tables(const struct rc_option *const *tables);
int rc_config_set_defaults(struct rc_config *config, const char *const *defaults, size_t n,
			   struct rc_error *error);

#endif
