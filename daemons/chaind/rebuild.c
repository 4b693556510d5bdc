/* Compact blocks made whole. See rebuild.h. */
#include "daemons/chaind/rebuild.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- what left the pool ---- */

void leftovers_done(struct leftovers *leftovers)
{
	for (unsigned i = 0; i < LEFTOVERS_MAX; i++)
		free(leftovers->txs[i].raw);
	memset(leftovers, 0, sizeof(*leftovers));
}

void leftovers_add(struct leftovers *leftovers, const struct rc_tx *tx)
{
	struct leftover *l = &leftovers->txs[leftovers->next];

	if (tx->raw.len > LEFTOVER_SIZE_MAX)
		return;
	free(l->raw);
	l->wtxid = tx->wtxid;
	l->raw = rc_memdup(tx->raw.data, tx->raw.len);
	l->len = tx->raw.len;
	leftovers->next = (leftovers->next + 1) % LEFTOVERS_MAX;
}

/* ---- places by short id ---- */

enum place_state {
	PLACE_EMPTY,
	PLACE_FIXED, /* sent along, or given later */
	PLACE_FOUND,
	PLACE_TWICE, /* two transactions at hand have its short id */
};

/* 16 bytes, since a hostile message makes as many as a block of least transactions holds: with the
 * slots 24 bytes for each 11 of the block limit. */
struct place {
	const uint8_t *raw;
	uint32_t len;
	uint32_t state; /* enum place_state */
};

struct work {
	const struct rc_compact *compact;
	struct place *places; /* n_txs */
	/* By short id: numbers in the message from 1; open addressing, a quarter to a half full. */
	uint32_t *slots;
	uint32_t *place_of; /* of the n-th short id */
	size_t mask;
	uint64_t odd; /* multiplied by it, the upper bits of a short id tell its slot */
	unsigned shift;
	uint32_t left; /* places that are empty */
};

static uint32_t *find(const struct work *w, uint64_t short_id)
{
	size_t i = (size_t)(short_id * w->odd >> w->shift);

	while (w->slots[i] && rc_compact_short_id_at(w->compact, w->slots[i] - 1) != short_id)
		i = (i + 1) & w->mask;
	return &w->slots[i];
}

static void fix(struct work *w, uint32_t place, struct rc_bytes raw)
{
	w->places[place] = (struct place){raw.data, (uint32_t)raw.len, PLACE_FIXED};
}

/* The places that have short ids, by these; false if two are the same. */
static bool list_places(struct work *w)
{
	const struct rc_compact *c = w->compact;
	unsigned bits = 2;
	uint32_t place = 0, p = 0;

	while ((UINT64_C(1) << bits) < 2 * (uint64_t)c->n_short)
		bits++;
	w->shift = 64 - bits;
	w->mask = ((size_t)1 << bits) - 1;
	w->slots = rc_alloc_array(w->mask + 1, sizeof(*w->slots));
	w->place_of = rc_alloc_array(c->n_short, sizeof(*w->place_of));
	for (uint32_t i = 0; i < c->n_short; i++) {
		uint32_t *slot = find(w, rc_compact_short_id_at(c, i));

		if (*slot)
			return false;
		*slot = i + 1;
		for (; p < c->n_prefilled && c->prefilled[p].index == place; p++)
			place++;
		w->place_of[i] = place++;
	}
	return true;
}

static void offer(struct work *w, const struct rc_wtxid *wtxid, const uint8_t *raw, size_t len)
{
	const struct rc_compact *c = w->compact;
	uint32_t *slot = find(w, rc_compact_short_id(c->k0, c->k1, wtxid));
	struct place *place;

	if (!*slot)
		return;
	place = &w->places[w->place_of[*slot - 1]];
	if (place->state == PLACE_EMPTY) {
		*place = (struct place){raw, (uint32_t)len, PLACE_FOUND};
		w->left--;
	} else if (place->state == PLACE_FOUND &&
		   (place->len != len || memcmp(place->raw, raw, len) != 0)) {
		place->state = PLACE_TWICE;
	}
}

static void look(struct work *w, const struct rebuild_from *from)
{
	const struct orphan *o, *next;

	for (const struct pool_tx *tx = from->pool->newest; tx && w->left; tx = tx->older)
		offer(w, &tx->tx.wtxid, tx->tx.raw.data, tx->tx.raw.len);
	if (from->orphans) {
		HASH_ITER (hh, from->orphans->all, o, next)
			offer(w, &o->wtxid, o->raw, o->len);
	}
	for (unsigned i = 0; from->leftovers && i < LEFTOVERS_MAX; i++) {
		const struct leftover *l = &from->leftovers->txs[i];

		if (l->raw)
			offer(w, &l->wtxid, l->raw, l->len);
	}
}

/* ---- the whole ---- */

static void put_block(const struct work *w, struct rc_buf *block)
{
	const struct rc_compact *c = w->compact;

	rc_block_put_head(block, &c->header, c->n_txs);
	for (uint32_t i = 0; i < c->n_txs; i++)
		rc_buf_put(block, w->places[i].raw, w->places[i].len);
}

/* Short ids may name the whole pool: what no block is isn't copied. */
static bool fits(const struct work *w, size_t block_limit)
{
	size_t size = RC_HEADER_SIZE + 1; /* and its count, which takes a byte at least */

	for (uint32_t i = 0; i < w->compact->n_txs; i++)
		size += w->places[i].len;
	return size <= block_limit;
}

static uint32_t put_missing(const struct work *w, struct rc_buf *missing)
{
	RC_AUTOFREE uint32_t *places = rc_alloc_array(w->compact->n_txs, sizeof(*places));
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->compact->n_txs; i++) {
		if (w->places[i].state == PLACE_EMPTY || w->places[i].state == PLACE_TWICE)
			places[n++] = i;
	}
	rc_indexes_encode(places, n, missing);
	return n;
}

enum rebuild_outcome rebuild(const struct rebuild_from *from, const struct rc_compact *compact,
			     const uint32_t *places, const struct rc_bytes *given, size_t n_given,
			     struct rc_buf *block, struct rc_buf *missing, uint32_t *ret_missing)
{
	struct work w = {.compact = compact, .odd = from->salt | 1};
	enum rebuild_outcome outcome = REBUILD_AMBIGUOUS;

	w.places = rc_alloc_array(compact->n_txs, sizeof(*w.places));
	for (uint32_t i = 0; i < compact->n_prefilled; i++)
		fix(&w, compact->prefilled[i].index, compact->prefilled[i].raw);
	for (size_t i = 0; i < n_given; i++) {
		if (places[i] < compact->n_txs)
			fix(&w, places[i], given[i]);
	}
	for (uint32_t i = 0; i < compact->n_txs; i++)
		w.left += w.places[i].state == PLACE_EMPTY;
	if (list_places(&w)) {
		look(&w, from);
		if (fits(&w, from->block_limit)) {
			*ret_missing = put_missing(&w, missing);
			outcome = *ret_missing ? REBUILD_MISSING : REBUILD_WHOLE;
		}
		if (outcome == REBUILD_WHOLE)
			put_block(&w, block);
	}
	free(w.slots);
	free(w.place_of);
	free(w.places);
	return outcome;
}
