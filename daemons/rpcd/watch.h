/*
 * What rpcd knows of the daemons without asking: each is asked for its Status, its Metrics and the
 * chain's state in the background, so that health is answered from memory.
 */
#ifndef RPCD_WATCH_H
#define RPCD_WATCH_H

#include "daemons/rpcd/backends.h"

/* The last word of a daemon. Texts are empty before the first answer. */
struct seen {
	enum rc_daemon daemon;
	bool up;       /* its bus answers */
	bool answered; /* the fields below are set, perhaps by an earlier life of it */
	bool ready;
	char version[32], network[32], log_level[16], text[256];
	uint32_t schema, pid;
	uint64_t boot, uptime_ms;
	struct rc_buf figures; /* a JSON object */
	struct rc_buf metrics; /* Prometheus text */
	bool asking_status, asking_metrics;
};

struct watch;

struct watch *watch_open(struct rpcd *rpcd);
void watch_close(struct watch *watch);
void watch_free(struct watch *watch);
/* A connection came or went: what is published changes at once. NULL is fine. */
void watch_changed(struct watch *watch);

/* utxod, chaind, peerd. */
#define WATCH_DAEMONS 3
const struct seen *watch_seen(const struct watch *watch, size_t i);

/* Whether the node can do its work; if not, each cause is a sentence in a JSON list. */
bool watch_health(const struct watch *watch, struct rc_buf *ret_causes);

#endif
