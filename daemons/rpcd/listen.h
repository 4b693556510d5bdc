/* rpcd's listening sockets: passed by the service manager, or bound here before confinement. */
#ifndef RPCD_LISTEN_H
#define RPCD_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct listen_socket {
	int fd;
	bool is_unix;  /* file permissions decide who may connect: no password */
	bool is_local; /* Unix or loopback: plain HTTP stays on this host */
	bool is_ops;   /* for health and metrics, not for JSON-RPC; of a passed one */
	char where[128];
};

/* Sockets of LISTEN_FDS, whose names in LISTEN_FDNAMES say what they are for: rpc or ops.
 * RC_ECONFIG: one has another name or none, isn't a listening stream socket, or they are more than
 * max. Clears the environment's variables. */
int listen_passed(struct listen_socket *ret, size_t max, size_t *ret_n, struct rc_error *error);

/* A Unix socket of this path and mode. A dead one of that name is replaced; RC_EEXIST: somebody
 * listens there, or it is no socket. */
int listen_unix(const char *path, unsigned mode, struct listen_socket *ret, struct rc_error *error);

/* host: a numeric address. RC_ECONFIG: beyond loopback although allow_plain is false; RC_EEXIST:
 * in use. */
int listen_tcp(const char *host, uint16_t port, bool allow_plain, struct listen_socket *ret,
	       struct rc_error *error);

/* The kernel may keep as much of answers as it likes for this accepted TCP connection, some 4 MiB.
 */
void listen_roomy(int fd);

/* RC_ECONFIG: this socket would carry plain HTTP beyond loopback. */
int listen_refuse_plain(const char *where, struct rc_error *error);

#endif
