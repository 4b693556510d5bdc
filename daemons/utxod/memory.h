/* How cache_mb is shared out: what each part of utxod may take. */
#ifndef UTXOD_MEMORY_H
#define UTXOD_MEMORY_H

#include <stddef.h>

/* Of 16: the database's blocks, the log's database, coins; the write buffer of a flush has two
 * thirds of the next, and the tree's pages what is left, half of it and more. */
#define MEMORY_STATE_16THS 4
#define MEMORY_LOG_16THS   1
#define MEMORY_COIN_16THS  2
/* Of 16, out of the pages: what starts a flush. Of a million coins each writes a great part of all
 * pages again, so rarer is cheaper: with 2, 450 MiB and blocks of 5,000 payments, utxod's time was
 * 18 % more. */
#define MEMORY_FLUSH_16THS 3
/* Of the pages, while a reorganisation is pending. */
#define MEMORY_UNDO_16THS 4
/* Two write buffers of 8 MiB, and what reading deltas needs; more is of no use. */
#define MEMORY_LOG_MOST ((size_t)20 << 20)

/*
 * All in bytes; log + state + buffer + coins + pages is what was given. What is staged or applied
 * and not flushed lives in `pages` (pages that were changed, most of it; deltas) and is bounded by
 * `stage` and by LEDGER_DIRTY of `flush`: together less than `pages`. Only a single block that
 * makes more new pages than that can pass them; it has to be applied all the same. So can the undo
 * steps of a pending reorganisation, by two sixteenths when everything else is at its bound, and by
 * more if LEDGER_SWITCH_BLOCKS of them alone are larger than `undo`.
 */
struct memory_plan {
	size_t log;    /* database of the log */
	size_t state;  /* cache of the state's database: blocks, indexes, filters */
	size_t flush;  /* changes that start a flush, as they are in memory */
	size_t buffer; /* what a flush of them writes: a page has two thirds as many bytes there */
	size_t stage;  /* blocks staged */
	size_t undo;   /* blocks of a switch undone, beside that */
	size_t coins;
	size_t pages;
};

/* flush_bytes: what is wanted at most. */
void memory_plan(size_t cache_bytes, size_t flush_bytes, struct memory_plan *ret);

#endif
