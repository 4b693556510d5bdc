/* See presync.h. */
#include "daemons/chaind/presync.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "crypto/siphash.h"

/* How far a branch can run ahead of its time: log2 of the advantage in hashes, times the half-life.
 * Nobody has 2^64 times the power of all others. */
#define ADVANTAGE_LOG2 64

/* Where one pass is. */
struct walk {
	struct rc_block_id id;
	uint32_t height;
	uint32_t times[RC_MEDIAN_SPAN]; /* the newest at (height % span) */
	uint32_t n_times;
	struct rc_u256 work;
};

struct presync {
	const struct rc_network *network;
	struct chain_need need;
	struct walk base, at;
	bool again, enough;
	unsigned strays;
	uint64_t k0, k1;
	uint32_t period, offset;
	unsigned n_bits; /* kept in the first pass … */
	unsigned n_seen; /* … and seen in the second */
	uint8_t bits[(PRESYNC_BITS + 7) / 8];
	struct rc_buf held; /* of the second pass: raw headers … */
	size_t held_from;   /* … from here on */
};

/* Headers that a branch from here can have, by ASERT. */
static uint64_t longest(const struct rc_network_params *p, uint32_t base_height, uint64_t now)
{
	uint64_t most = (uint64_t)p->half_life / p->spacing * ADVANTAGE_LOG2;

	if (now > p->genesis_time)
		most += (now - p->genesis_time) / p->spacing;
	return most > base_height ? most - base_height : 1;
}

struct presync *presync_new(const struct chain *chain, struct block_node *base,
			    const struct rc_random *random, uint64_t now)
{
	struct presync *p = rc_alloc(sizeof(*p));
	struct block_node *node = base;

	p->network = chain->network;
	p->need = chain_need(chain);
	p->base.id = base->id;
	p->base.height = node_height(base);
	p->base.work = base->work;
	for (; node && p->base.n_times < RC_MEDIAN_SPAN; node = node->parent) {
		p->base.times[node_height(node) % RC_MEDIAN_SPAN] = node->header.time;
		p->base.n_times++;
	}
	p->at = p->base;
	p->period = (uint32_t)((longest(&chain->network->params, p->base.height, now) +
				PRESYNC_BITS - 1) /
			       PRESYNC_BITS);
	p->offset = (uint32_t)rc_random_below(random, p->period);
	p->k0 = rc_random_u64(random);
	p->k1 = rc_random_u64(random);
	return p;
}

void presync_free(struct presync *p)
{
	if (!p)
		return;
	rc_buf_done(&p->held);
	free(p);
}

struct rc_block_id presync_from(const struct presync *p)
{
	return p->at.id;
}

bool presync_is_again(const struct presync *p)
{
	return p->again;
}

size_t presync_bytes(const struct presync *p)
{
	return sizeof(*p) + p->held.cap;
}

/* All rules of the next header, but for an invalid parent: base's are known to be good. */
static enum rc_verdict step(const struct presync *p, struct walk *w, const struct rc_header *header,
			    const struct rc_block_id *id, uint64_t now)
{
	struct rc_header_parent parent = {
		.height = w->height,
		.time = w->times[w->height % RC_MEDIAN_SPAN],
	};
	enum rc_verdict verdict;

	if (!rc_block_id_eq(&header->prev, &w->id))
		return RC_V_HEADER_PARENT_UNKNOWN;
	/* Of fewer than 11 the slots aren't filled from 0 on. */
	if (w->n_times < RC_MEDIAN_SPAN) {
		uint32_t times[RC_MEDIAN_SPAN];

		for (uint32_t i = 0; i < w->n_times; i++)
			times[i] = w->times[(w->height - i) % RC_MEDIAN_SPAN];
		parent.median_time = rc_median_time(times, w->n_times);
	} else {
		parent.median_time = rc_median_time(w->times, RC_MEDIAN_SPAN);
	}
	verdict = rc_header_check(p->network, header, id, &parent, now);
	if (verdict != RC_VERDICT_OK)
		return verdict;
	w->id = *id;
	w->height++;
	w->times[w->height % RC_MEDIAN_SPAN] = header->time;
	if (w->n_times < RC_MEDIAN_SPAN)
		w->n_times++;
	w->work = rc_work_add(w->work, rc_work_of_bits(header->bits));
	return RC_VERDICT_OK;
}

/* Whether a bit of the header just passed is kept. */
static bool is_marked(const struct presync *p)
{
	return (p->at.height - p->base.height) % p->period == p->offset;
}

static unsigned bit_of(const struct presync *p, const struct rc_block_id *id)
{
	return (unsigned)(rc_siphash(p->k0, p->k1, id->b, sizeof(id->b)) & 1);
}

static bool keep_bit(struct presync *p)
{
	if (p->n_bits == PRESYNC_BITS)
		return false; /* longer than any branch can be */
	p->bits[p->n_bits / 8] |= (uint8_t)(bit_of(p, &p->at.id) << p->n_bits % 8);
	p->n_bits++;
	return true;
}

static bool same_bit(struct presync *p)
{
	unsigned i = p->n_seen++;

	return i < p->n_bits && (p->bits[i / 8] >> i % 8 & 1u) == bit_of(p, &p->at.id);
}

static void hold(struct presync *p, const struct rc_header *header)
{
	/* Once a message. */
	if (p->held_from >= PRESYNC_FULL * RC_HEADER_SIZE) {
		memmove(p->held.data, p->held.data + p->held_from, p->held.len - p->held_from);
		p->held.len -= p->held_from;
		p->held_from = 0;
	}
	rc_header_encode(header, rc_buf_add(&p->held, RC_HEADER_SIZE));
}

static enum presync_step count(struct presync *p, const struct rc_header *headers,
			       const struct rc_block_id *ids, size_t n, bool more, uint64_t now,
			       enum rc_verdict *ret_verdict)
{
	for (size_t i = 0; i < n; i++) {
		*ret_verdict = step(p, &p->at, &headers[i], &ids[i], now);
		if (*ret_verdict != RC_VERDICT_OK || (is_marked(p) && !keep_bit(p)))
			return PRESYNC_OVER;
		if (chain_need_met(&p->need, &p->at.work)) {
			p->again = true;
			p->at = p->base;
			return PRESYNC_GO_ON;
		}
	}
	return more ? PRESYNC_GO_ON : PRESYNC_OVER;
}

static enum presync_step check(struct presync *p, const struct rc_header *headers,
			       const struct rc_block_id *ids, size_t n, bool more, uint64_t now,
			       enum rc_verdict *ret_verdict)
{
	for (size_t i = 0; i < n && !p->enough; i++) {
		*ret_verdict = step(p, &p->at, &headers[i], &ids[i], now);
		if (*ret_verdict != RC_VERDICT_OK || (is_marked(p) && !same_bit(p)))
			return PRESYNC_OVER;
		hold(p, &headers[i]);
		p->enough = chain_need_met(&p->need, &p->at.work);
	}
	if (p->enough)
		return PRESYNC_ENOUGH;
	return more ? PRESYNC_GO_ON : PRESYNC_OVER;
}

enum presync_step presync_take(struct presync *p, const struct rc_header *headers,
			       const struct rc_block_id *ids, size_t n, bool more, uint64_t now,
			       enum rc_verdict *ret_verdict)
{
	*ret_verdict = RC_VERDICT_OK;
	if (!rc_block_id_eq(&headers[0].prev, &p->at.id))
		return ++p->strays > PRESYNC_STRAYS ? PRESYNC_OVER : PRESYNC_GO_ON;
	p->strays = 0;
	return (p->again ? check : count)(p, headers, ids, n, more, now, ret_verdict);
}

bool presync_ready(struct presync *p, struct rc_header *ret_header, struct rc_block_id *ret_id)
{
	size_t held = (p->held.len - p->held_from) / RC_HEADER_SIZE;
	const uint8_t *raw = p->held.data + p->held_from;

	if (held == 0 || (!p->enough && held <= (size_t)PRESYNC_AHEAD * p->period))
		return false;
	rc_header_decode(raw, ret_header);
	rc_header_id(raw, ret_id);
	p->held_from += RC_HEADER_SIZE;
	return true;
}

/* ---- those of all peers ---- */

static void drop(struct presync_one *one)
{
	presync_free(one->presync);
	one->presync = NULL;
}

void presyncs_done(struct presyncs *all)
{
	for (size_t i = 0; i < PRESYNC_MAX; i++)
		drop(&all->list[i]);
}

static struct presync_one *one_of(struct presyncs *all, struct presync_who who)
{
	for (size_t i = 0; i < PRESYNC_MAX; i++) {
		struct presync_one *one = &all->list[i];

		if (one->presync && one->who.client == who.client && one->who.peer == who.peer)
			return one;
	}
	return NULL;
}

struct presync *presyncs_find(struct presyncs *all, struct presync_who who, uint64_t now)
{
	struct presync_one *one;

	for (size_t i = 0; i < PRESYNC_MAX; i++) {
		one = &all->list[i];
		if (one->presync && one->at + PRESYNC_IDLE < now)
			drop(one);
	}
	one = one_of(all, who);
	if (!one)
		return NULL;
	one->at = now;
	return one->presync;
}

/* How far it came, in both passes. */
static uint64_t progress(const struct presync *p)
{
	return ((uint64_t)p->again << 32) + p->at.height - p->base.height;
}

/* The one that came further than all others; NULL: none. */
static struct presync_one *furthest(struct presyncs *all)
{
	struct presync_one *most = NULL;
	bool alone = false;

	for (size_t i = 0; i < PRESYNC_MAX; i++) {
		struct presync_one *one = &all->list[i];

		if (!one->presync)
			continue;
		if (!most || progress(one->presync) > progress(most->presync)) {
			most = one;
			alone = true;
		} else if (progress(one->presync) == progress(most->presync)) {
			alone = false;
		}
	}
	return alone ? most : NULL;
}

/* A free one, or of who was longest without news. */
static struct presync_one *place_for_new(struct presyncs *all)
{
	const struct presync_one *kept = furthest(all);
	struct presync_one *oldest = NULL;

	for (size_t i = 0; i < PRESYNC_MAX; i++) {
		struct presync_one *one = &all->list[i];

		if (!one->presync)
			return one;
		if (one != kept && (!oldest || one->at < oldest->at))
			oldest = one;
	}
	return oldest;
}

void presyncs_put(struct presyncs *all, struct presync_who who, struct presync *presync,
		  uint64_t now)
{
	struct presync_one *place = one_of(all, who);

	if (!place)
		place = place_for_new(all);
	drop(place);
	*place = (struct presync_one){presync, who, now};
}

void presyncs_drop(struct presyncs *all, struct presync_who who)
{
	struct presync_one *one = one_of(all, who);

	if (one)
		drop(one);
}

void presyncs_bound(struct presyncs *all, struct presync_who who)
{
	const struct presync_one *mine = one_of(all, who), *kept = furthest(all);
	struct presync_one *oldest = NULL;
	size_t n = 0;

	for (size_t i = 0; i < PRESYNC_MAX; i++) {
		struct presync_one *one = &all->list[i];

		if (!one->presync || !presync_is_again(one->presync))
			continue;
		n++;
		if (one != mine && one != kept && (!oldest || one->at < oldest->at))
			oldest = one;
	}
	if (n > PRESYNC_AGAIN_MAX)
		drop(oldest);
}

size_t presyncs_bytes(const struct presyncs *all)
{
	size_t bytes = 0;

	for (size_t i = 0; i < PRESYNC_MAX; i++) {
		if (all->list[i].presync)
			bytes += presync_bytes(all->list[i].presync);
	}
	return bytes;
}
