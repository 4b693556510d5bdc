/* What the files of rustyctl share. */
#ifndef RUSTYCTL_H
#define RUSTYCTL_H

#include <stdbool.h>

#include "bus/client.h"
#include "consensus/network.h"
#include "service/config.h"

struct rustyctl {
	struct rc_config *config;
	struct rc_network network;
	struct rc_loop *loop;
	uint64_t boot;
};

/* The daemon of this name; false if there is none. */
bool rustyctl_daemon(const char *name, enum rc_daemon *ret_daemon);
/* A client of a daemon; says why not, and returns NULL. */
struct rc_client *rustyctl_client(struct rustyctl *ctl, enum rc_daemon daemon, enum rc_role role);
uint32_t rustyctl_timeout_ms(const struct rustyctl *ctl);

/* Prints the node on one screen; exit code 0 ok, 1 degraded, 2 down. */
int rustyctl_status(struct rustyctl *ctl, bool json);

#endif
