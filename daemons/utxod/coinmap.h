/*
 * Coins in memory, by outpoint: what unflushed and recent versions made and spent, exactly, and
 * beside that as many coins of the disk as fit. An entry holds for versions born … died − 1; what
 * the map says of an outpoint is the truth for every version that has readers, and for an outpoint
 * it doesn't know, the disk is.
 *
 * Any thread; locks are striped, and held for the coins of one stripe in a call.
 */
#ifndef UTXOD_COINMAP_H
#define UTXOD_COINMAP_H

#include <stdbool.h>

#include "base/clock.h"
#include "types/delta.h"

struct coinmap;

enum coinmap_answer {
	COINMAP_ASK_DISK, /* not known here */
	COINMAP_ABSENT,
	COINMAP_FOUND,
};

/* limit: bytes of coins to remember; exact ones are always kept. */
struct coinmap *coinmap_new(size_t limit, const struct rc_random *random);
void coinmap_free(struct coinmap *map);

/* Which version is asked. exact: to see what the disk has, where it stands at version `written` or
 * later: only what it may not have, or not any more, is looked at. */
struct coinmap_at {
	uint64_t seq;
	bool exact;
	uint64_t written;
};
/* For each of n outpoints what the version says, and the coin where it is found (else untouched).
 */
void coinmap_get(struct coinmap *map, const struct coinmap_at *at,
		 const struct rc_outpoint *outpoints, size_t n, struct rc_coin *ret_coins,
		 enum coinmap_answer *ret_answers);
/* The disk, asked because nothing was known here, says what is in coins (lock_len 0: absent). Puts
 * right what has become known meanwhile, and remembers the others unless exact. */
void coinmap_settle(struct coinmap *map, const struct coinmap_at *at,
		    const struct rc_outpoint *outpoints, size_t n, struct rc_coin *coins);

/* What a version makes and what it spends (in full, so nothing is read). */
struct coinmap_change {
	const struct rc_delta_coin *made, *spent;
	size_t n_made, n_spent;
};
enum coinmap_fit {
	COINMAP_UNFIT, /* a coin to make is there, or one to spend is known not to be */
	COINMAP_FITS,  /* as far as is known here: what is spent may be unknown */
	COINMAP_KNOWN, /* all that is spent is here and alive, as the change says */
};
/* COINMAP_UNFIT: nothing has changed. */
enum coinmap_fit coinmap_apply(struct coinmap *map, uint64_t seq,
			       const struct coinmap_change *change);
/* Takes the newest version back. */
void coinmap_drop(struct coinmap *map, uint64_t seq, const struct coinmap_change *change);
/* The version is on disk and none before it has readers: what it spent goes, what it made may. */
void coinmap_retire(struct coinmap *map, uint64_t seq, const struct coinmap_change *change);

struct coinmap_figures {
	uint64_t entries;
	uint64_t bytes;
	uint64_t hits;
	uint64_t misses;
};
void coinmap_figures(struct coinmap *map, struct coinmap_figures *ret);

#endif
