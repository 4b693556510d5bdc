/* Headers from the future. See future.h. */
#include "daemons/chaind/future.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void future_done(struct future *future)
{
	free(future->headers);
	memset(future, 0, sizeof(*future));
}

static void take_at(struct future *future, size_t i)
{
	memmove(future->headers + i, future->headers + i + 1,
		(future->n - i - 1) * sizeof(*future->headers));
	future->n--;
}

void future_add(struct future *future, uint64_t peer, const struct rc_header *header,
		const struct rc_block_id *id)
{
	for (size_t i = 0; i < future->n; i++) {
		const struct future_header *h = &future->headers[i];

		if (rc_block_id_eq(&h->id, id))
			return;
		if (h->peer == peer && h->header.height == header->height) {
			take_at(future, i);
			break;
		}
	}
	if (!future->headers)
		future->headers = rc_alloc_array(FUTURE_MAX, sizeof(*future->headers));
	if (future->n == FUTURE_MAX)
		take_at(future, 0);
	future->headers[future->n++] = (struct future_header){peer, *header, *id};
}

bool future_take(struct future *future, uint64_t until, struct future_header *ret_header)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < future->n; i++) {
		/* Parents before children. */
		if (future->headers[i].header.time <= until &&
		    (best == SIZE_MAX ||
		     future->headers[i].header.height < future->headers[best].header.height))
			best = i;
	}
	if (best == SIZE_MAX)
		return false;
	*ret_header = future->headers[best];
	take_at(future, best);
	return true;
}
