/* chaind over the bus, behind the core's chain_ops; its events to the core's entry points. */
#ifndef PEERD_CHAIN_BUS_H
#define PEERD_CHAIN_BUS_H

#include "daemons/peerd/peerd.h"

struct chain_bus;

extern const struct chain_ops chain_bus_ops; /* its ctx is the struct chain_bus */

/* config: from, rundir or inproc, network, boot; the rest is set here. */
int chain_bus_open(struct rc_loop *loop, const struct rc_client_config *config,
		   struct chain_bus **ret, struct rc_error *error);
/* From now on the core is told. */
void chain_bus_start(struct chain_bus *bus, struct peerd *core);
/* Every outstanding question is answered RC_ECANCELLED. NULL is fine. */
void chain_bus_close(struct chain_bus *bus);

#endif
