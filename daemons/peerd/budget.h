/*
 * Budgets (budget.def) of a peer, or of a network group with several shares: they fill by time up
 * to what may be saved, and what is done takes from them. Who is below zero in any is over and
 * waits; who is over most of the time for long enough is worth no slot. Pure.
 */
#ifndef PEERD_BUDGET_H
#define PEERD_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum budget_kind {
#define BUDGET(NAME, name, rate, most, what) BUDGET_##NAME,
#include "daemons/peerd/budget.def"
#undef BUDGET
	BUDGETS
};

/* Shares of all inbound links of one network group together: so many peers' worth. */
#define BUDGET_GROUP_SHARES 4
/*
 * Time over the budget counts in full, time within it a quarter back: a peer that is over for more
 * than a fifth of the time gathers, one that is over always has gathered this after a minute.
 */
#define BUDGET_OVER_MAX	 (INT64_C(60) * 1000000)
#define BUDGET_OVER_BACK 4

/* Times in µs of one clock. */
struct budget {
	int64_t left[BUDGETS]; /* in millionths, so that no fraction is lost */
	unsigned shares;
	bool over;
	int64_t at;
	int64_t over_us; /* see BUDGET_OVER_MAX */
};

void budget_init(struct budget *budget, unsigned shares, int64_t now);
/* Takes; one thing takes no more than may be saved up. Returns how long to wait until nothing is
 * below zero, 0: not at all. */
int64_t budget_take(struct budget *budget, int64_t now, const uint64_t cost[BUDGETS]);
/* Whether all is as much as may be: nothing would be forgotten with it. */
bool budget_full(struct budget *budget, int64_t now);
/* Over for too much of the time. */
bool budget_worn_out(struct budget *budget, int64_t now);

#endif
