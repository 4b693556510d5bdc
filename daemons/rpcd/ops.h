/*
 * The operations listener: /livez, /readyz, /metrics on a thread of its own, answered from a
 * picture in memory, so that no load on the API and no hung daemon delays them.
 */
#ifndef RPCD_OPS_H
#define RPCD_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "daemons/rpcd/listen.h"
#include "service/metrics.h"

/* Open ones; further ones wait in the kernel. */
#define OPS_CONNECTIONS 64u

struct ops;

/* What the main thread knows; made anew by it, taken over by ops_publish. */
struct ops_picture {
	bool ready;
	struct rc_buf causes;  /* a JSON list of sentences */
	struct rc_buf metrics; /* but for rpcd's own table */
};

/* Takes the socket over. metrics: rpcd's own, read on the thread. */
int ops_open(const struct listen_socket *socket, const struct rc_metrics *metrics,
	     const struct rc_clock *clock, struct ops **ret, struct rc_error *error);
void ops_close(struct ops *ops);
/* The main thread's; it also says that its loop turns (/livez). */
void ops_publish(struct ops *ops, struct ops_picture *picture);

#endif
