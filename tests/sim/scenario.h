/* What happens in a seed (scenario.c). */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "sim.h"

struct scenario_options {
	const char *name; /* NULL: the seed's */
	unsigned nodes;	  /* 0: the seed's */
	bool verbose, memo;
	const char *no_sync; /* a control (sim.h) */
};

/* Returns if all held. Once a process. */
void scenario_run(uint64_t seed, const struct scenario_options *options);
unsigned scenario_nodes(void);
void scenario_counts(uint64_t *ret_blocks, uint64_t *ret_payments, uint64_t *ret_reorganisations,
		     uint64_t *ret_recoveries);

#endif
