/*
 * peerd: this node's links to other nodes. It owns the network sockets, the encryption of links,
 * the address book, what is known of peers' conduct, relay and the scheduling of downloads. It
 * keeps no chain state, checks no rule of consensus and holds no key but its own link key.
 *
 * Who calls it: rpcd and tools (read, admin). Whom it calls: chaind (submit).
 */
#include "daemons/peerd/daemon.h"

static struct rc_service_def peerd_service = {
	.daemon = RC_PEERD,
	.name = "peerd",
	.summary = "links to other nodes: encrypted, scored, one address book",
	.options = peerd_option_table,
	.roles = "read,admin",
	.handlers = peerd_handlers,
	.network = true,
	.new = daemon_new,
	.open = daemon_open,
	.enter = daemon_enter,
	.start = daemon_start,
	.status = daemon_status,
	.stop = daemon_stop,
	.close = daemon_close,
	.free = daemon_free,
	.metrics = peerd_metric_table,
};

int main(int argc, char **argv)
{
	peerd_service.n_metrics = peerd_n_metrics;
	return rc_service_main(&peerd_service, argc, argv);
}
