/* Who may talk to whom, as what, and how much: the one table of the bus's edges. */
#ifndef RC_BUS_TOPOLOGY_H
#define RC_BUS_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* In the order of rank: requests flow to a lower rank only (10-architecture, rule 7). */
enum rc_daemon {
	RC_UTXOD,
	RC_CHAIND,
	RC_PEERD,
	RC_RPCD,
	RC_TOOL, /* command-line programs: above all */
	RC_DAEMON_COUNT
};
const char *rc_daemon_name(enum rc_daemon daemon);

/* A ROUTER socket each. A greater role includes the lesser ones, but write: chaind's alone. */
enum rc_role { RC_ROLE_READ, RC_ROLE_SUBMIT, RC_ROLE_WRITE, RC_ROLE_ADMIN, RC_ROLE_COUNT };
const char *rc_role_name(enum rc_role role);
/* Whether what needs least may come over a socket of role have. */
bool rc_role_includes(enum rc_role have, enum rc_role least);

struct rc_edge {
	enum rc_daemon from;
	enum rc_daemon to;
	enum rc_role role;
	uint32_t messages; /* outstanding requests of one client: beyond, BUSY */
	uint32_t bytes;	   /* of those and of answers not yet taken */
	const char *why;
};

/* NULL if from may not open role at to. */
const struct rc_edge *rc_edge_find(enum rc_daemon from, enum rc_daemon to, enum rc_role role);
const struct rc_edge *rc_edges(size_t *ret_count);

/*
 * The endpoint of a role ("read" …) or of the events of a daemon under a run directory:
 * ipc://RUNDIR/DAEMON/ROLE. RC_ETOOBIG, with the reason, if the path passes 107 bytes (sun_path).
 */
int rc_endpoint_role(const char *rundir, enum rc_daemon daemon, enum rc_role role, char *ret,
		     size_t size, struct rc_error *error);
int rc_endpoint_events(const char *rundir, enum rc_daemon daemon, char *ret, size_t size,
		       struct rc_error *error);

#endif
