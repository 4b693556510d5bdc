/* The table of edges, and the paths of their endpoints. */
#include "bus/topology.h"

#include <stdio.h>
#include <sys/un.h>

#include "base/num.h"

#define MIB (1u << 20)

/*
 * Credit of an edge. Bytes hold at least two of the largest message that uses it (a delta is
 * 96 MiB at most, a block 33 MiB), so that one may travel while the next is made; messages keep
 * what a slow server answers last within a second or two of its work. At the limit the caller
 * gets BUSY.
 */
static const struct rc_edge edges[] = {
	{RC_CHAIND, RC_UTXOD, RC_ROLE_READ, 1024, 256 * MIB, "coins, roots, proofs"},
	{RC_CHAIND, RC_UTXOD, RC_ROLE_WRITE, 256, 256 * MIB, "deltas of blocks, commits"},
	{RC_PEERD, RC_CHAIND, RC_ROLE_READ, 1024, 256 * MIB, "what peers ask for"},
	{RC_PEERD, RC_CHAIND, RC_ROLE_SUBMIT, 4096, 256 * MIB, "what peers bring"},
	{RC_RPCD, RC_CHAIND, RC_ROLE_READ, 4096, 256 * MIB, "questions of users"},
	{RC_RPCD, RC_CHAIND, RC_ROLE_SUBMIT, 1024, 128 * MIB, "transactions, mined blocks"},
	{RC_RPCD, RC_CHAIND, RC_ROLE_ADMIN, 64, 64 * MIB, "the administrator's methods"},
	{RC_RPCD, RC_UTXOD, RC_ROLE_READ, 4096, 256 * MIB, "coins, balances, proofs"},
	{RC_RPCD, RC_PEERD, RC_ROLE_READ, 256, 64 * MIB, "the network's methods"},
	{RC_RPCD, RC_PEERD, RC_ROLE_ADMIN, 64, 16 * MIB, "addnode, setban"},
	{RC_TOOL, RC_UTXOD, RC_ROLE_READ, 64, 128 * MIB, "rustyctl, tests"},
	{RC_TOOL, RC_UTXOD, RC_ROLE_ADMIN, 64, 128 * MIB, "rustyctl"},
	{RC_TOOL, RC_CHAIND, RC_ROLE_READ, 64, 128 * MIB, "rustyctl, tests"},
	{RC_TOOL, RC_CHAIND, RC_ROLE_SUBMIT, 64, 128 * MIB, "rusty-miner, tests"},
	{RC_TOOL, RC_CHAIND, RC_ROLE_ADMIN, 64, 128 * MIB, "rustyctl"},
	{RC_TOOL, RC_PEERD, RC_ROLE_READ, 64, 64 * MIB, "rustyctl, tests"},
	{RC_TOOL, RC_PEERD, RC_ROLE_ADMIN, 64, 64 * MIB, "rustyctl"},
	{RC_TOOL, RC_RPCD, RC_ROLE_READ, 64, 64 * MIB, "rustyctl, tests"},
	{RC_TOOL, RC_RPCD, RC_ROLE_ADMIN, 64, 64 * MIB, "rustyctl"},
};

static const char *const daemon_names[RC_DAEMON_COUNT] = {
	[RC_UTXOD] = "utxod", [RC_CHAIND] = "chaind", [RC_PEERD] = "peerd",
	[RC_RPCD] = "rpcd",   [RC_TOOL] = "tool",
};

static const char *const role_names[RC_ROLE_COUNT] = {
	[RC_ROLE_READ] = "read",
	[RC_ROLE_SUBMIT] = "submit",
	[RC_ROLE_WRITE] = "write",
	[RC_ROLE_ADMIN] = "admin",
};

const char *rc_daemon_name(enum rc_daemon daemon)
{
	return (unsigned)daemon < RC_DAEMON_COUNT ? daemon_names[daemon] : "unknown";
}

const char *rc_role_name(enum rc_role role)
{
	return (unsigned)role < RC_ROLE_COUNT ? role_names[role] : "unknown";
}

bool rc_role_includes(enum rc_role have, enum rc_role least)
{
	if (have == least || least == RC_ROLE_READ)
		return true;
	return have == RC_ROLE_ADMIN && least == RC_ROLE_SUBMIT;
}

const struct rc_edge *rc_edge_find(enum rc_daemon from, enum rc_daemon to, enum rc_role role)
{
	for (size_t i = 0; i < RC_ARRAY_LEN(edges); i++) {
		const struct rc_edge *e = &edges[i];

		if (e->from == from && e->to == to && e->role == role)
			return e;
	}
	return NULL;
}

const struct rc_edge *rc_edges(size_t *ret_count)
{
	*ret_count = RC_ARRAY_LEN(edges);
	return edges;
}

static int endpoint(const char *rundir, enum rc_daemon daemon, const char *what, char *ret,
		    size_t size, struct rc_error *error)
{
	/* sun_path with its terminator */
	const size_t longest = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	char path[512];
	int n = snprintf(path, sizeof(path), "%s/%s/%s", rundir, rc_daemon_name(daemon), what);

	if (n < 0 || (size_t)n > longest)
		return rc_error_set(error, RC_ETOOBIG,
				    "%s/%s/%s is %d bytes long, a socket's path may have %zu: "
				    "choose a shorter run directory (option rundir)",
				    rundir, rc_daemon_name(daemon), what, n, longest);
	n = snprintf(path, sizeof(path), "ipc://%s/%s/%s", rundir, rc_daemon_name(daemon), what);
	if ((size_t)n >= size)
		return rc_error_set(error, RC_ETOOBIG, "no room for the endpoint %s", path);
	snprintf(ret, size, "%s", path);
	return RC_OK;
}

int rc_endpoint_role(const char *rundir, enum rc_daemon daemon, enum rc_role role, char *ret,
		     size_t size, struct rc_error *error)
{
	return endpoint(rundir, daemon, rc_role_name(role), ret, size, error);
}

int rc_endpoint_events(const char *rundir, enum rc_daemon daemon, char *ret, size_t size,
		       struct rc_error *error)
{
	return endpoint(rundir, daemon, "events", ret, size, error);
}
