/* A host with the three daemons of a node, started again as a service manager does (node.c). */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include "sim.h"

enum daemon_kind { SIM_UTXOD, SIM_CHAIND, SIM_PEERD, SIM_DAEMONS };

struct node {
	unsigned i;
	bool power;
	struct sim_proc *procs[SIM_DAEMONS];	/* NULL: not running */
	struct sim_event *restart[SIM_DAEMONS]; /* under way */
	int64_t clock_us;			/* its wall clock is off by so much */
	unsigned starts;
	int64_t up_since;		/* for whoever watches */
	char *options[SIM_DAEMONS][16]; /* more arguments; the last is NULL */
};

extern struct node *nodes;
extern unsigned n_nodes;

void nodes_init(unsigned n);
/* The host gets power. */
void node_start(struct node *node);
/* kill -9; it is started again after a while. */
void node_kill(struct node *node, enum daemon_kind kind);
/* SIGTERM; it is started again. */
void node_stop(struct node *node, enum daemon_kind kind);
/* Off, and on again after us. */
void node_power_cut(struct node *node, int64_t us);

#endif
