/* Who mines and pays, over the bus as rpcd does, and what was acknowledged to it (user.c). */
#ifndef SIM_USER_H
#define SIM_USER_H

#include "node.h"

void user_init(void);
/* Asks the node for n blocks on its tip, or tells it a new payment. */
void user_mine(unsigned node, unsigned n);
void user_pay(unsigned node);
/* Nothing that was acknowledged is missing from the chain and the pool, unless it can't be there
 * any more. */
void user_check(void);

extern uint64_t user_payments, user_accepted, user_blocks;

#endif
