/* The options that every JSON-RPC tool has: where the node is. */
#ifndef RC_CLIENT_OPTIONS_H
#define RC_CLIENT_OPTIONS_H

#include <stdio.h>

#include "client/jsonrpc.h"

/*
 * Takes argv[*i] (and its value) if it is one of --rpc-url, --cookie, --datadir, --rundir,
 * --network, --timeout; "--name=value" and "--name value", one dash or two. 1: taken, *i stands on
 * its last word; 0: it is another; RC_EINVAL: without its value, or a bad one.
 */
int rc_rpc_option(int argc, char **argv, int *i, struct rc_jsonrpc_where *where,
		  struct rc_error *error);
/* Their lines of --help. */
void rc_rpc_options_help(FILE *out);
/* One option of a tool's own: true if argv[*i] is --name; then *ret_value is its value, or NULL
 * and error set if there is none. */
bool rc_option_value(const char *name, int argc, char **argv, int *i, const char **ret_value,
		     struct rc_error *error);

/* The exit code for an error of a call: 69 away or overloaded, 77 not permitted, else 1. */
int rc_rpc_exit_code(int err);

#endif
