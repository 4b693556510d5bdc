/* What the tests of the bus share: a run directory, a small server, a client, turning the loop. */
#ifndef BUS_RIG_H
#define BUS_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/client.h"
#include "bus/loop.h"
#include "bus/server.h"

struct bus_rig {
	char rundir[64]; /* empty: in-process */
	struct rc_loop *loop;
	struct rc_server *server;
};

void bus_rig_init(struct bus_rig *rig, bool inproc);
void bus_rig_done(struct bus_rig *rig);
/* utxod with these handlers; boot 0: a new one. */
void bus_rig_serve(struct bus_rig *rig, const struct rc_handler *handlers, void *ctx);
struct rc_client_config bus_rig_config(const struct bus_rig *rig, enum rc_daemon from,
				       enum rc_role role);
struct rc_client *bus_rig_client(struct bus_rig *rig, enum rc_daemon from, enum rc_role role);
void bus_rig_wait_up(struct bus_rig *rig, struct rc_client *client);

/* Turns the loop until *what is at least n; fails the test after 20 s. */
void bus_rig_until(struct bus_rig *rig, const size_t *what, size_t n);
/* Turns the loop for so long. */
void bus_rig_for_ms(struct bus_rig *rig, int64_t ms);

#endif
