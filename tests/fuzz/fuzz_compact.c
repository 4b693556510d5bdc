/* A compact block and lists of places from a peer: what is read is written again to the same bytes,
 * and rebuilding from nothing ends, naming what is missing. */
#include <stdint.h>
#include <string.h>

#include "daemons/chaind/rebuild.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BLOCK_LIMIT 100000

static void places(const uint8_t *data, size_t size, struct rc_arena *arena)
{
	struct rc_buf again = RC_BUF_INIT;
	uint32_t *list;
	size_t n;

	if (rc_indexes_decode(data, size, RC_COMPACT_TXS_MAX(BLOCK_LIMIT), arena, &list, &n)) {
		rc_indexes_encode(list, n, &again);
		if (again.len != size || memcmp(again.data, data, size) != 0)
			__builtin_trap();
	}
	rc_buf_done(&again);
}

static void whole(const struct rc_buf *block, const struct rc_compact *c, struct rc_arena *arena)
{
	struct rc_block b;

	/* The form told the count in one byte at least; here it may take five. */
	if (block->len > BLOCK_LIMIT + 4 || !rc_block_decode(block->data, block->len, arena, &b) ||
	    b.n_txs != c->n_txs)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mempool pool = {0};
	struct rebuild_from from = {
		.pool = &pool, .salt = 0x9e3779b97f4a7c15, .block_limit = BLOCK_LIMIT};
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf block = RC_BUF_INIT, missing = RC_BUF_INIT;
	struct rc_compact c;
	uint32_t n_missing = 0;

	places(data, size, &arena);
	if (rc_compact_decode(data, size, BLOCK_LIMIT, &arena, &c)) {
		switch (rebuild(&from, &c, NULL, NULL, 0, &block, &missing, &n_missing)) {
		case REBUILD_WHOLE:
			if (c.n_short)
				__builtin_trap();
			whole(&block, &c, &arena);
			break;
		case REBUILD_MISSING:
			if (n_missing != c.n_short)
				__builtin_trap();
			places(missing.data, missing.len, &arena);
			break;
		case REBUILD_AMBIGUOUS:
			if (block.len)
				__builtin_trap();
			break;
		}
	}
	rc_buf_done(&block);
	rc_buf_done(&missing);
	rc_arena_done(&arena);
	return 0;
}
