/*
 * What an independent replay says: every block that any node ever stored, judged by the smallest
 * possible node (tests/unit/mini_chain.h), which keeps no tree and no cache (oracle.c).
 */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "tests/unit/mini_chain.h"

extern struct mini_chain oracle;

void oracle_init(void);
/* NULL: no node has stored it. */
struct mini_block *oracle_find(const struct rc_block_id *id);
/* Moves the oracle's state to a block; false: it is invalid, or not judged. */
bool oracle_go(const struct rc_block_id *id);

#endif
