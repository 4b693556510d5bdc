/* Headers whose time hasn't come: kept aside, few, one a peer and height (40-network). */
#ifndef CHAIND_FUTURE_H
#define CHAIND_FUTURE_H

#include "types/header.h"

#define FUTURE_MAX 2000

struct future_header {
	uint64_t peer;
	struct rc_header header;
	struct rc_block_id id;
};

struct future {
	struct future_header *headers; /* in order of arrival */
	size_t n;
};

void future_done(struct future *future);
/* A peer's newer one of a height takes the older one's place; when full, the oldest goes. */
void future_add(struct future *future, uint64_t peer, const struct rc_header *header,
		const struct rc_block_id *id);
/* Takes out one whose time is at most until; false: none. */
bool future_take(struct future *future, uint64_t until, struct future_header *ret_header);

#endif
