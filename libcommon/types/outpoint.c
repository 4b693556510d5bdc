/* Sorting of outpoints: the order of coins in the database and in deltas. */
#include "types/outpoint.h"

#include <stdlib.h>

static int by_key(const void *a, const void *b)
{
	return rc_outpoint_cmp(a, b);
}

void rc_outpoint_sort(struct rc_outpoint *outpoints, size_t n)
{
	qsort(outpoints, n, sizeof(*outpoints), by_key);
}
