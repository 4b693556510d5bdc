/* See evict.h. */
#include "daemons/peerd/evict.h"

#include <stdlib.h>

typedef int (*order_fn)(const void *a, const void *b);

/* Worst first, so that those to keep stand at the end; equal ones by age, the newest first. */
static int by_age(const struct evict_candidate *a, const struct evict_candidate *b)
{
	if (a->since != b->since)
		return a->since > b->since ? -1 : 1;
	return a->peer > b->peer ? -1 : a->peer < b->peer;
}

#define ORDER(name, worse)                                     \
	static int name(const void *pa, const void *pb)        \
	{                                                      \
		const struct evict_candidate *a = pa, *b = pb; \
                                                               \
		if (worse(a, b))                               \
			return -1;                             \
		if (worse(b, a))                               \
			return 1;                              \
		return by_age(a, b);                           \
	}
#define LOWER_GROUP(a, b)   ((a)->group < (b)->group)
#define SLOWER(a, b)	    ((a)->ping_us > (b)->ping_us)
#define EARLIER_TX(a, b)    ((a)->tx_at < (b)->tx_at)
#define EARLIER_BLOCK(a, b) ((a)->block_at < (b)->block_at)
#define LESS_BLOCK_ONLY(a, b) \
	((a)->block_only != (b)->block_only ? (b)->block_only : EARLIER_BLOCK(a, b))
#define NEWER(a, b) ((a)->since > (b)->since)
ORDER(group_order, LOWER_GROUP)
ORDER(ping_order, SLOWER)
ORDER(tx_order, EARLIER_TX)
ORDER(block_order, EARLIER_BLOCK)
ORDER(block_only_order, LESS_BLOCK_ONLY)
ORDER(age_order, NEWER)

static bool any(const struct evict_candidate *c)
{
	(void)c;
	return true;
}

static bool answered(const struct evict_candidate *c)
{
	return c->ping_us != UINT64_MAX;
}

static bool gave_tx(const struct evict_candidate *c)
{
	return c->tx_at != 0;
}

static bool gave_block(const struct evict_candidate *c)
{
	return c->block_at != 0;
}

static bool is_block_only(const struct evict_candidate *c)
{
	return c->block_only;
}

/* What is kept, in turn; who never did what a row asks for isn't kept by it. */
static const struct keep_row {
	order_fn order;
	bool (*deserves)(const struct evict_candidate *c);
	size_t most;
} keeps[] = {
	{group_order, any, EVICT_KEEP_GROUPS},
	{ping_order, answered, EVICT_KEEP_PINGS},
	{tx_order, gave_tx, EVICT_KEEP_TXS},
	{block_only_order, is_block_only, EVICT_KEEP_BLOCK_ONLY},
	{block_order, gave_block, EVICT_KEEP_BLOCKS},
};

/* Returns how many are left of n. */
static size_t keep(struct evict_candidate *list, size_t n, const struct keep_row *row)
{
	qsort(list, n, sizeof(*list), row->order);
	for (size_t i = 0; i < row->most && n > 0 && row->deserves(&list[n - 1]); i++)
		n--;
	return n;
}

/* Of the largest group the newest; of two as large, that of the newest of both. */
static uint64_t of_largest_group(const struct evict_candidate *list, size_t n)
{
	size_t most = 0;
	const struct evict_candidate *worst = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t same = 0;

		for (size_t j = 0; j < n; j++)
			same += list[j].group == list[i].group;
		if (!worst || same > most || (same == most && by_age(&list[i], worst) < 0)) {
			most = same;
			worst = &list[i];
		}
	}
	return worst ? worst->peer : 0;
}

uint64_t evict_choose(struct evict_candidate *list, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		struct evict_candidate c = list[i];

		if (!c.discouraged)
			continue;
		list[i] = list[bad];
		list[bad++] = c;
	}
	if (bad)
		return of_largest_group(list, bad);
	for (size_t i = 0; i < sizeof(keeps) / sizeof(keeps[0]); i++)
		n = keep(list, n, &keeps[i]);
	qsort(list, n, sizeof(*list), age_order);
	n -= n / 2;
	return of_largest_group(list, n);
}
