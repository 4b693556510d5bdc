/* A small network on one host: a directory, its nodes, their daemons. */
#ifndef RUSTY_DEVNET_H
#define RUSTY_DEVNET_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "base/err.h"

/* Two cores run this many daemons four at a time without falling over each other. */
#define DEVNET_NODES_MAX 16
#define DEVNET_DAEMONS	 4

/* Bottom up, as in the picture of rustycoin(7); the order is of no importance to the daemons. */
extern const char *const devnet_daemons[DEVNET_DAEMONS];

struct devnet_node {
	char name[16];
	char datadir[PATH_MAX];
	uint16_t port; /* peers; rpcd is the next, operations the one after */
	pid_t pids[DEVNET_DAEMONS];
};

struct devnet {
	char dir[PATH_MAX];
	char bindir[PATH_MAX];	   /* where the tools are */
	char libexecdir[PATH_MAX]; /* where the daemons are */
	unsigned n_nodes;
	struct devnet_node nodes[DEVNET_NODES_MAX];
};

/* ---- state.c: the directory and devnet.json ---- */

/* dir NULL: $XDG_RUNTIME_DIR/rusty-devnet, or /tmp/rusty-devnet-UID. RC_ETOOBIG if a socket's path
 * under it would pass 107 bytes. */
int devnet_locate(struct devnet *net, const char *dir, struct rc_error *error);
/* Names, directories and ports of n nodes. */
void devnet_plan(struct devnet *net, unsigned n_nodes, uint16_t base_port);
/* The object of devnet.json. */
json_t *devnet_json(const struct devnet *net);
int devnet_save(const struct devnet *net, struct rc_error *error);
/* RC_ENOENT: there is no network in that directory. */
int devnet_load(struct devnet *net, struct rc_error *error);
/* Removes the directory and all in it. */
int devnet_remove(const struct devnet *net, struct rc_error *error);

/* ---- process.c: starting and ending daemons ---- */

/* Starts daemon d of node i in a session of its own, its output going to NODE/DAEMON.log. */
int devnet_start(struct devnet *net, unsigned i, unsigned d, struct rc_error *error);
/* Whether that process is still the daemon we started. */
bool devnet_running(const struct devnet *net, const struct devnet_node *node, unsigned d);
/* Asks all to stop and waits; who doesn't within 20 s is killed, which is an error. */
int devnet_stop(struct devnet *net, struct rc_error *error);
/* The last lines of a daemon's log, to stderr. */
void devnet_show_log(const struct devnet_node *node, unsigned d);

/* ---- rpc.c: asking nodes ---- */

/* One call to a node; *ret_result is the caller's. */
int devnet_call(const struct devnet_node *node, const char *method, json_t *params,
		json_t **ret_result, struct rc_error *error);
/* Waits until every node is ready, linked and on one tip, showing what is waited for. */
int devnet_wait(const struct devnet *net, struct rc_error *error);
/* The table of all daemons, or JSON. Returns 0 all well, 1 degraded, 2 down. */
int devnet_status(const struct devnet *net, bool as_json);

#endif
