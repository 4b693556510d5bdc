/* Which network a program runs on: built in, or a parameter file (network(5)). */
#ifndef RC_SERVICE_NETWORK_FILE_H
#define RC_SERVICE_NETWORK_FILE_H

#include "consensus/network.h"

/* A parameter file is never larger. */
#define RC_NETWORK_FILE_MAX 65536

/*
 * The text of a parameter file: strict INI, each key at most once, none unknown. The error says
 * the line and the key (RC_ECONFIG).
 */
int rc_network_parse_ini(const char *text, size_t len, struct rc_network *ret_network,
			 struct rc_error *error);

/* Appends the text of a parameter file of these values, ports and bootstrap included. */
void rc_network_write_ini(const struct rc_network *network, struct rc_buf *buf);

/* Sets one key of network(5) from its text, as a line of the file would; bounds are checked later,
 * by rc_network_custom. */
int rc_network_set(struct rc_network *network, const char *key, const char *value,
		   struct rc_error *error);

/* "main", "test", "reg", or the path of a parameter file. */
int rc_network_load(const char *name_or_path, struct rc_network *ret_network,
		    struct rc_error *error);

#endif
