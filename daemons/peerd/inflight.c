/* Bookkeeping of blocks asked of peers. */
#include "daemons/peerd/inflight.h"

#include <stdlib.h>

#include "base/mem.h"

void inflight_done(struct inflight *inflight)
{
	struct inflight_block *b, *next;

	HASH_ITER (hh, inflight->blocks, b, next) {
		HASH_DEL(inflight->blocks, b);
		free(b);
	}
}

static struct inflight_block *find(const struct inflight *inflight, const struct rc_block_id *id)
{
	struct inflight_block *b;

	HASH_FIND(hh, inflight->blocks, id, sizeof(*id), b);
	return b;
}

bool inflight_add(struct inflight *inflight, const struct rc_block_id *id, uint32_t height,
		  uint64_t peer)
{
	struct inflight_block *b;

	if (find(inflight, id) || inflight_count(inflight, peer) >= INFLIGHT_PER_PEER)
		return false;
	b = rc_alloc(sizeof(*b));
	b->id = *id;
	b->height = height;
	b->peer = peer;
	HASH_ADD(hh, inflight->blocks, id, sizeof(b->id), b);
	return true;
}

const struct inflight_block *inflight_find(const struct inflight *inflight,
					   const struct rc_block_id *id)
{
	return find(inflight, id);
}

uint64_t inflight_take(struct inflight *inflight, const struct rc_block_id *id)
{
	struct inflight_block *b = find(inflight, id);
	uint64_t peer;

	if (!b)
		return 0;
	peer = b->peer;
	HASH_DEL(inflight->blocks, b);
	free(b);
	return peer;
}

/* At most 16 blocks for each of some ten peers: a walk is cheaper than lists to keep right. */
unsigned inflight_count(const struct inflight *inflight, uint64_t peer)
{
	const struct inflight_block *b;
	unsigned n = 0;

	for (b = inflight->blocks; b; b = b->hh.next)
		n += b->peer == peer;
	return n;
}

size_t inflight_total(const struct inflight *inflight)
{
	return HASH_COUNT(inflight->blocks);
}

size_t inflight_drop_peer(struct inflight *inflight, uint64_t peer, struct rc_block_id *ret)
{
	struct inflight_block *b, *next;
	size_t n = 0;

	HASH_ITER (hh, inflight->blocks, b, next) {
		if (b->peer != peer)
			continue;
		ret[n++] = b->id;
		HASH_DEL(inflight->blocks, b);
		free(b);
	}
	return n;
}
