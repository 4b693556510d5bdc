/*
 * A blocking JSON-RPC 2.0 client for command-line tools. It finds the node by itself: the Unix
 * socket of rpcd, which file permissions guard, else TCP with the cookie file.
 */
#ifndef RC_CLIENT_JSONRPC_H
#define RC_CLIENT_JSONRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"

/* Where the node is; every field may be NULL or 0. Without url, datadir and rundir the environment
 * counts, which `rusty-devnet exec` sets: RUSTYCOIN_RUNDIR, RUSTYCOIN_DATADIR. */
struct rc_jsonrpc_where {
	const char *url;     /* "http://HOST:PORT", "unix:/PATH", or a path; else: found */
	const char *cookie;  /* file that holds user:password; else: RUNDIR/rpcd/cookie, for a
				loopback address; a Unix socket needs none, another host gets none
				that wasn't named */
	const char *datadir; /* of one node: its run directory is DATADIR/run */
	const char *rundir;  /* else: DATADIR/run, else /run/rustycoin */
	const char *network; /* for the default port: "main", "test", "reg"; else:
				RUSTYCOIN_NETWORK, else main */
	uint32_t timeout_ms; /* of one call; else: 60 s. Long polls: see rc_jsonrpc_set_timeout */
	uint32_t retry_ms;   /* how long a call is tried again while rpcd is away or has no time for
				it, so that it wasn't carried out; 0: not at all */
	bool retry_unsure;   /* also when a daemon behind rpcd is away, which may have carried the
				call out before: for calls that may be repeated */
	size_t answer_max;   /* bytes; else: 256 MiB */
};

/* The ports of document 20 for rpcd; 0 for a network that has no default (a custom one). */
uint16_t rc_jsonrpc_default_port(const char *network);

struct rc_jsonrpc;

/* Nothing is connected yet. RC_ENOENT: neither a socket nor a cookie there; RC_EACCES: not for us;
 * the text says what to do. */
int rc_jsonrpc_open(const struct rc_jsonrpc_where *where, struct rc_jsonrpc **ret,
		    struct rc_error *error);
/* Wipes the password. NULL is fine. */
void rc_jsonrpc_close(struct rc_jsonrpc *client);
void rc_jsonrpc_set_timeout(struct rc_jsonrpc *client, uint32_t timeout_ms);
/* "/run/rustycoin/rpcd/rpcd.sock" or "127.0.0.1:7441": for messages. */
const char *rc_jsonrpc_endpoint(const struct rc_jsonrpc *client);

/*
 * Calls a method. params (an array or object, or NULL for none) is taken over. *ret_result is the
 * caller's to json_decref. RC_EUNAVAILABLE: rpcd or a daemon behind it is away; RC_EDENIED: wrong
 * password or not permitted; RC_EBUSY: overloaded; RC_EDEADLINE; RC_EIO: the connection broke, the
 * call may have been carried out; RC_EINVAL: the answer is an error object: its message is in
 * *error, all of it in rc_jsonrpc_error.
 */
int rc_jsonrpc_call(struct rc_jsonrpc *client, const char *method, json_t *params,
		    json_t **ret_result, struct rc_error *error);

/* The error object {code, message, data} of the last call, valid until the next one; NULL if it had
 * none. */
const json_t *rc_jsonrpc_error(const struct rc_jsonrpc *client);
/* Its code; 0 if there is none. */
int rc_jsonrpc_error_code(const struct rc_jsonrpc *client);
/* The name of the consensus or policy rule in its data.verdict; NULL if there is none. */
const char *rc_jsonrpc_error_verdict(const struct rc_jsonrpc *client);

#endif
