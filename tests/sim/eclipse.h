/* An attacker who wants one node for himself (eclipse.c). */
#ifndef SIM_ECLIPSE_H
#define SIM_ECLIPSE_H

#include <stdbool.h>
#include <stdint.h>

/* Addresses that are the attacker's, in so many network groups, all against node 0; those of nobody
 * that he tells besides, in many groups; nodes 1 … honest, of which he tells with a wrong key. */
void eclipse_init(unsigned addresses, unsigned groups, unsigned nobody, unsigned honest);
/* Dials until so many links to node 0 stand, tells it addresses over them, again and again. */
void eclipse_begin(unsigned links);
void eclipse_end(void);
/* Links of the attacker that stand, dialled by him and by node 0. */
unsigned eclipse_links(bool inbound);
extern uint64_t eclipse_told; /* addresses */

#endif
