/* See budget.h. */
#include "daemons/peerd/budget.h"

#define MILLION INT64_C(1000000)
/* Longer than any budget takes to fill from as far below zero as it can be; keeps products small.
 */
#define FILL_MAX (1000 * MILLION)

static const struct {
	int64_t rate, most;
} rows[BUDGETS] = {
#define BUDGET(NAME, name, rate, most, what) {rate, most},
#include "daemons/peerd/budget.def"
#undef BUDGET
};

static int64_t most_of(const struct budget *b, unsigned kind)
{
	return rows[kind].most * b->shares * MILLION;
}

void budget_init(struct budget *b, unsigned shares, int64_t now)
{
	*b = (struct budget){.shares = shares, .at = now};
	for (unsigned i = 0; i < BUDGETS; i++)
		b->left[i] = most_of(b, i);
}

static void fill(struct budget *b, int64_t now)
{
	int64_t passed = now - b->at;

	if (passed <= 0)
		return;
	if (b->over)
		b->over_us += passed;
	else
		b->over_us -= passed / BUDGET_OVER_BACK;
	if (b->over_us < 0)
		b->over_us = 0;
	if (passed > FILL_MAX)
		passed = FILL_MAX;
	for (unsigned i = 0; i < BUDGETS; i++) {
		b->left[i] += passed * rows[i].rate * b->shares;
		if (b->left[i] > most_of(b, i))
			b->left[i] = most_of(b, i);
	}
	b->at = now;
}

int64_t budget_take(struct budget *b, int64_t now, const uint64_t cost[BUDGETS])
{
	int64_t wait = 0;

	fill(b, now);
	b->over = false;
	for (unsigned i = 0; i < BUDGETS; i++) {
		int64_t most = rows[i].most, rate = rows[i].rate * b->shares, until;

		b->left[i] -= (cost[i] < (uint64_t)most ? (int64_t)cost[i] : most) * MILLION;
		if (b->left[i] >= 0)
			continue;
		b->over = true;
		until = (-b->left[i] + rate - 1) / rate;
		if (until > wait)
			wait = until;
	}
	return wait;
}

bool budget_full(struct budget *b, int64_t now)
{
	bool full = true;

	fill(b, now);
	for (unsigned i = 0; i < BUDGETS; i++)
		full = full && b->left[i] == most_of(b, i);
	return full;
}

bool budget_worn_out(struct budget *b, int64_t now)
{
	fill(b, now);
	return b->over_us > BUDGET_OVER_MAX;
}
