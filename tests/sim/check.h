/* What has to hold: after each event, when it is quiet, at the end (check.c). */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "node.h"

/* To be sim.after_event. */
void check_event(struct sim_proc *proc);
/* Every node runs and stands on one tip. */
bool check_agreed(void *arg);
/* The height of a node's tip; false: its chaind isn't at work. */
bool check_height(const struct node *node, uint32_t *ret_height);
/* The same, nothing under way, and every root is that of the replay. */
void check_settled(void);
/* What agreed and what not, for a failure's text. */
void check_describe(void);
/* Of peerd alone (check_peerd.c). */
void check_peerd(struct sim_proc *proc);
unsigned check_links(const struct sim_proc *proc);
/* Attackers are there: scores are given. */
extern bool check_hostile;
extern uint64_t check_reorganisations, check_tips, check_recoveries;

#endif
