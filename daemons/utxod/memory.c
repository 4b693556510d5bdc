/* The arithmetic of cache_mb. */
#include "daemons/utxod/memory.h"

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

void memory_plan(size_t cache_bytes, size_t flush_bytes, struct memory_plan *ret)
{
	size_t part = cache_bytes / 16;

	*ret = (struct memory_plan){
		.log = least(MEMORY_LOG_16THS * part, MEMORY_LOG_MOST),
		.state = MEMORY_STATE_16THS * part,
		.flush = least(MEMORY_FLUSH_16THS * part, flush_bytes),
		.stage = part,
		.undo = MEMORY_UNDO_16THS * part,
		.coins = MEMORY_COIN_16THS * part,
	};
	ret->buffer = ret->flush / 3 * 2;
	ret->pages = cache_bytes - ret->log - ret->state - ret->buffer - ret->coins;
}
