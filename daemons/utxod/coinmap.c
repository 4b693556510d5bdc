/*
 * Striped hash tables over arrays of entries. A slot of a table is some of a hash and an entry's
 * number, so that what isn't here is known from the slots, a line of the CPU's cache, and of what
 * is only its own entry is looked at.
 */
#include "daemons/utxod/coinmap.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define STRIPES	    64
#define FOREVER	    UINT64_MAX
#define NONE	    0 /* entry 0 of each stripe is never used */
#define FIRST_SLOTS 64
/* Entries the clock looks at for each one that is added over the limit. */
#define EVICT_LOOK 8

struct entry {
	uint64_t born; /* 0: the disk has it */
	uint64_t died;
	struct rc_coin coin;
	struct rc_outpoint outpoint;
	uint8_t live; /* in use; else `died` is the next free one */
	uint8_t used; /* asked for since the clock passed */
};

struct slot {
	uint32_t tag; /* the low bits of the hash, those of its home among them */
	uint32_t at;  /* NONE: free */
};

struct stripe {
	pthread_mutex_t lock;
	struct entry *entry;
	struct slot *
		slot; /* probed one after another from a hash's home; three quarters full at most */
	uint32_t n_slots; /* power of two */
	uint32_t n;	  /* entries ever used, and the array's size */
	uint32_t cap;
	uint32_t live;
	uint32_t free;
	uint32_t hand;
	uint64_t hits, misses;
};

struct coinmap {
	uint64_t seed[2];
	uint32_t stripe_limit; /* entries */
	struct stripe stripe[STRIPES];
};

struct coinmap *coinmap_new(size_t limit, const struct rc_random *random)
{
	struct coinmap *map = rc_alloc(sizeof(*map));

	rc_random_fill(random, map->seed, sizeof(map->seed));
	map->stripe_limit =
		(uint32_t)(limit / (sizeof(struct entry) + 2 * sizeof(struct slot)) / STRIPES);
	for (unsigned i = 0; i < STRIPES; i++) {
		struct stripe *s = &map->stripe[i];

		pthread_mutex_init(&s->lock, NULL);
		s->n_slots = FIRST_SLOTS;
		s->slot = rc_alloc_array(s->n_slots, sizeof(struct slot));
		s->n = 1;
	}
	return map;
}

void coinmap_free(struct coinmap *map)
{
	if (!map)
		return;
	for (unsigned i = 0; i < STRIPES; i++) {
		free(map->stripe[i].entry);
		free(map->stripe[i].slot);
		pthread_mutex_destroy(&map->stripe[i].lock);
	}
	free(map);
}

/* Keyed, so that ground txids don't meet in one bucket. */
static uint64_t hash_of(const struct coinmap *map, const struct rc_outpoint *o)
{
	uint64_t a, b;

	memcpy(&a, o->txid.b, 8);
	memcpy(&b, o->txid.b + 8, 8);
	a = (a ^ map->seed[0] ^ o->index) * UINT64_C(0x9e3779b97f4a7c15);
	b = (b ^ map->seed[1] ^ (a >> 32)) * UINT64_C(0xc2b2ae3d27d4eb4f);
	return a ^ b ^ (b >> 29);
}

/* Of a hash without the stripe's part: where its search begins. */
static uint32_t home_of(const struct stripe *s, uint64_t hash)
{
	return (uint32_t)hash & (s->n_slots - 1);
}

static void put_slot(struct stripe *s, uint64_t hash, uint32_t at)
{
	uint32_t i = home_of(s, hash);

	while (s->slot[i].at != NONE)
		i = (i + 1) & (s->n_slots - 1);
	s->slot[i] = (struct slot){(uint32_t)hash, at};
}

static void grow_slots(struct stripe *s)
{
	struct slot *old = s->slot;
	uint32_t n = s->n_slots;

	s->n_slots *= 2;
	s->slot = rc_alloc_array(s->n_slots, sizeof(struct slot));
	for (uint32_t i = 0; i < n; i++)
		if (old[i].at != NONE)
			put_slot(s, old[i].tag, old[i].at);
	free(old);
}

static void remove_entry(struct stripe *s, uint64_t hash, uint32_t at)
{
	uint32_t mask = s->n_slots - 1, gap = home_of(s, hash);

	while (s->slot[gap].at != at)
		gap = (gap + 1) & mask;
	/* Those behind it move up where the gap would end their search. */
	for (uint32_t i = (gap + 1) & mask; s->slot[i].at != NONE; i = (i + 1) & mask) {
		uint32_t home = home_of(s, s->slot[i].tag);

		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		s->slot[gap] = s->slot[i];
		gap = i;
	}
	s->slot[gap].at = NONE;
	s->entry[at].live = 0;
	s->entry[at].died = s->free;
	s->free = at;
	s->live--;
}

/* Over the limit: drops coins that the disk has and nobody asked for lately. The clock goes round
 * once before, lest all of them count as asked for when the limit is reached. */
static void evict(struct coinmap *map, struct stripe *s)
{
	uint32_t from = map->stripe_limit - map->stripe_limit / EVICT_LOOK;

	for (unsigned look = EVICT_LOOK; look && s->live > from; look--) {
		struct entry *e;

		s->hand = s->hand + 1 < s->n ? s->hand + 1 : 1;
		e = &s->entry[s->hand];
		if (!e->live || e->born || e->died != FOREVER)
			continue;
		if (e->used)
			e->used = 0;
		else if (s->live > map->stripe_limit)
			remove_entry(s, hash_of(map, &e->outpoint) / STRIPES, s->hand);
	}
}

/* Half as much again, but not past the limit for it; beyond, for exact ones only, little by little.
 */
static uint32_t next_cap(const struct coinmap *map, uint32_t cap)
{
	uint32_t limit = map->stripe_limit + 1;

	if (!cap)
		return FIRST_SLOTS;
	if (cap < limit)
		return cap + cap / 2 < limit ? cap + cap / 2 : limit;
	return cap + cap / 16 + 1;
}

static void add_entry(struct coinmap *map, struct stripe *s, uint64_t hash,
		      const struct rc_outpoint *outpoint, const struct rc_coin *coin, uint64_t born,
		      uint64_t died)
{
	uint32_t at;

	evict(map, s);
	at = s->free;
	if (at) {
		s->free = (uint32_t)s->entry[at].died;
	} else {
		if (s->n >= s->cap) {
			s->cap = next_cap(map, s->cap);
			s->entry = rc_realloc_array(s->entry, s->cap, sizeof(s->entry[0]));
		}
		at = s->n++;
	}
	s->entry[at] = (struct entry){.born = born,
				      .died = died,
				      .outpoint = *outpoint,
				      .coin = *coin,
				      .live = 1,
				      .used = 1};
	if (4 * (uint64_t)++s->live > 3 * (uint64_t)s->n_slots)
		grow_slots(s);
	put_slot(s, hash, at);
}

/* Entries of an outpoint, in no order: their times don't overlap. */
struct search {
	const struct rc_outpoint *outpoint;
	uint32_t tag;
	uint32_t next; /* slot */
};

static uint32_t next_of(const struct stripe *s, struct search *search)
{
	for (;;) {
		const struct slot *slot = &s->slot[search->next];

		if (slot->at == NONE)
			return NONE;
		search->next = (search->next + 1) & (s->n_slots - 1);
		if (slot->tag == search->tag &&
		    rc_outpoint_eq(&s->entry[slot->at].outpoint, search->outpoint))
			return slot->at;
	}
}

static struct search search_for(const struct stripe *s, uint64_t hash,
				const struct rc_outpoint *outpoint)
{
	return (struct search){outpoint, (uint32_t)hash, home_of(s, hash)};
}

/* ---- many at once ---- */

/*
 * Work on many coins goes stripe by stripe, so that a lock is taken once for some hundred of them,
 * and within a stripe slots, entries and what the caller gave are fetched some steps ahead: a coin
 * is a miss of the CPU's cache in each, which would otherwise be waited for one after another.
 */
#define FETCH_SLOT  16 /* steps ahead */
#define FETCH_ENTRY 8

struct visit {
	uint64_t hash;	/* without the stripe's part */
	uint32_t which; /* in the caller's arrays */
};

/* In the memory of what is asked about, or of the coin it is part of. */
typedef const struct rc_outpoint *(*outpoint_fn)(const void *arg, size_t i);

struct round {
	struct visit *visit; /* by stripe */
	uint32_t end[STRIPES];
	outpoint_fn outpoint;
	const void *arg;
};

static void round_init(struct round *r, const struct coinmap *map, outpoint_fn outpoint,
		       const void *arg, size_t n)
{
	RC_AUTOFREE uint64_t *hash = rc_alloc_array(n, sizeof(*hash));
	uint32_t at[STRIPES + 1] = {0};

	r->visit = rc_alloc_array(n, sizeof(*r->visit));
	r->outpoint = outpoint;
	r->arg = arg;
	for (size_t i = 0; i < n; i++) {
		hash[i] = hash_of(map, outpoint(arg, i));
		at[hash[i] % STRIPES + 1]++;
	}
	for (unsigned s = 0; s < STRIPES; s++) {
		at[s + 1] += at[s];
		r->end[s] = at[s + 1];
	}
	for (size_t i = 0; i < n; i++)
		r->visit[at[hash[i] % STRIPES]++] = (struct visit){hash[i] / STRIPES, (uint32_t)i};
}

static void round_done(struct round *r)
{
	free(r->visit);
}

static void fetch_two_lines(const void *p)
{
	__builtin_prefetch(p);
	__builtin_prefetch((const char *)p + 64);
}

/* With the stripe's lock held, before visit k of those up to end. */
static void fetch_ahead(const struct stripe *s, const struct round *r, size_t k, size_t end)
{
	if (k + FETCH_SLOT < end) {
		const struct visit *v = &r->visit[k + FETCH_SLOT];

		__builtin_prefetch(&s->slot[home_of(s, v->hash)]);
		fetch_two_lines(r->outpoint(r->arg, v->which));
	}
	if (k + FETCH_ENTRY < end) {
		uint64_t hash = r->visit[k + FETCH_ENTRY].hash;
		uint32_t i = home_of(s, hash);

		while (s->slot[i].at != NONE && s->slot[i].tag != (uint32_t)hash)
			i = (i + 1) & (s->n_slots - 1);
		if (s->slot[i].at != NONE)
			fetch_two_lines(&s->entry[s->slot[i].at]);
	}
}

/* Calls fn for each visit, its stripe locked, until one says false; returns how many said true. */
static size_t go_round(struct coinmap *map, const struct round *r,
		       bool (*fn)(void *arg, struct stripe *s, const struct visit *v), void *arg)
{
	size_t k = 0;
	bool good = true;

	for (unsigned i = 0; good && i < STRIPES; i++) {
		struct stripe *s = &map->stripe[i];

		if (k == r->end[i])
			continue;
		pthread_mutex_lock(&s->lock);
		for (; good && k < r->end[i]; k += good) {
			fetch_ahead(s, r, k, r->end[i]);
			good = fn(arg, s, &r->visit[k]);
		}
		pthread_mutex_unlock(&s->lock);
	}
	return k;
}

/* ---- asking ---- */

struct question {
	struct coinmap *map;
	const struct coinmap_at *at;
	const struct rc_outpoint *outpoints;
	struct rc_coin *coins;
	enum coinmap_answer *answers;
};

static const struct rc_outpoint *asked(const void *arg, size_t i)
{
	return (const struct rc_outpoint *)arg + i;
}

static enum coinmap_answer look(struct stripe *s, const struct question *q, uint64_t hash,
				const struct rc_outpoint *outpoint, struct rc_coin *ret_coin)
{
	enum coinmap_answer answer = COINMAP_ASK_DISK;
	struct search search = search_for(s, hash, outpoint);
	uint32_t at;

	while ((at = next_of(s, &search)) != NONE) {
		struct entry *e = &s->entry[at];

		answer = COINMAP_ABSENT;
		if (q->at->seq < e->born || e->died <= q->at->seq)
			continue;
		if (q->at->exact && e->born <= q->at->written && e->died == FOREVER)
			return COINMAP_ASK_DISK;
		e->used |= !q->at->exact;
		*ret_coin = e->coin;
		return COINMAP_FOUND;
	}
	return answer;
}

static bool ask_one(void *arg, struct stripe *s, const struct visit *v)
{
	struct question *q = arg;

	q->answers[v->which] = look(s, q, v->hash, &q->outpoints[v->which], &q->coins[v->which]);
	if (q->at->exact)
		return true;
	if (q->answers[v->which] == COINMAP_ASK_DISK)
		s->misses++;
	else
		s->hits++;
	return true;
}

void coinmap_get(struct coinmap *map, const struct coinmap_at *at,
		 const struct rc_outpoint *outpoints, size_t n, struct rc_coin *ret_coins,
		 enum coinmap_answer *ret_answers)
{
	struct question q = {map, at, outpoints, ret_coins, ret_answers};
	struct round r;

	round_init(&r, map, asked, outpoints, n);
	go_round(map, &r, ask_one, &q);
	round_done(&r);
}

static bool settle_one(void *arg, struct stripe *s, const struct visit *v)
{
	struct question *q = arg;
	const struct rc_outpoint *outpoint = &q->outpoints[v->which];
	struct rc_coin *coin = &q->coins[v->which];

	switch (look(s, q, v->hash, outpoint, coin)) {
	case COINMAP_ASK_DISK:
		if (coin->lock_len && q->map->stripe_limit && !q->at->exact)
			add_entry(q->map, s, v->hash, outpoint, coin, 0, FOREVER);
		break;
	case COINMAP_ABSENT:
		memset(coin, 0, sizeof(*coin));
		break;
	case COINMAP_FOUND:
		break;
	}
	return true;
}

void coinmap_settle(struct coinmap *map, const struct coinmap_at *at,
		    const struct rc_outpoint *outpoints, size_t n, struct rc_coin *coins)
{
	struct question q = {map, at, outpoints, coins, NULL};
	struct round r;

	round_init(&r, map, asked, outpoints, n);
	go_round(map, &r, settle_one, &q);
	round_done(&r);
}

/* ---- changing ---- */

struct changing {
	struct coinmap *map;
	uint64_t seq;
	const struct coinmap_change *change;
	bool unknown; /* something is spent that isn't here, or that is another coin here */
};

/* Coins of a change by number: those it spends, then those it makes. */
static const struct rc_delta_coin *coin_of(const struct coinmap_change *change, size_t i)
{
	return i < change->n_spent ? &change->spent[i] : &change->made[i - change->n_spent];
}

static const struct rc_outpoint *changed(const void *arg, size_t i)
{
	return &coin_of(arg, i)->outpoint;
}

static bool same_coin(const struct rc_coin *a, const struct rc_coin *b)
{
	return a->amount == b->amount && a->height == b->height && a->coinbase == b->coinbase &&
	       a->lock_len == b->lock_len && memcmp(a->lock, b->lock, a->lock_len) == 0;
}

static bool apply_one(void *arg, struct stripe *s, const struct visit *v)
{
	struct changing *c = arg;
	const struct rc_delta_coin *coin = coin_of(c->change, v->which);
	struct search search = search_for(s, v->hash, &coin->outpoint);
	bool any = false;
	uint32_t at;

	/* The entry that is still alive in the newest version. */
	while ((at = next_of(s, &search)) != NONE && s->entry[at].died != FOREVER)
		any = true;
	if (v->which >= c->change->n_spent) {
		if (at != NONE)
			return false;
		add_entry(c->map, s, v->hash, &coin->outpoint, &coin->coin, c->seq, FOREVER);
		return true;
	}
	if (at != NONE) {
		s->entry[at].died = c->seq;
		c->unknown |= !same_coin(&s->entry[at].coin, &coin->coin);
		return true;
	}
	if (any)
		return false;
	/* on disk only */
	add_entry(c->map, s, v->hash, &coin->outpoint, &coin->coin, 0, c->seq);
	c->unknown = true;
	return true;
}

/* The entry that the change spent, or made; NONE: there is none (any more). */
static uint32_t touched(const struct changing *c, const struct stripe *s, const struct visit *v,
			bool *ret_spent)
{
	bool spent = v->which < c->change->n_spent;
	struct search search = search_for(s, v->hash, changed(c->change, v->which));
	uint32_t at;

	while ((at = next_of(s, &search)) != NONE)
		if ((spent ? s->entry[at].died : s->entry[at].born) == c->seq)
			break;
	*ret_spent = spent;
	return at;
}

static bool drop_one(void *arg, struct stripe *s, const struct visit *v)
{
	bool spent;
	uint32_t at = touched(arg, s, v, &spent);

	/* What the disk has is asked there again: a delta that didn't fit may have named a coin
	 * that never was. */
	if (at != NONE && spent && s->entry[at].born)
		s->entry[at].died = FOREVER;
	else if (at != NONE)
		remove_entry(s, v->hash, at);
	return true;
}

static bool retire_one(void *arg, struct stripe *s, const struct visit *v)
{
	bool spent;
	uint32_t at = touched(arg, s, v, &spent);

	if (at != NONE && spent)
		remove_entry(s, v->hash, at);
	else if (at != NONE)
		s->entry[at].born = 0;
	return true;
}

enum coinmap_fit coinmap_apply(struct coinmap *map, uint64_t seq,
			       const struct coinmap_change *change)
{
	struct changing c = {map, seq, change, false};
	size_t n = change->n_spent + change->n_made, done;
	struct round r;

	round_init(&r, map, changed, change, n);
	done = go_round(map, &r, apply_one, &c);
	if (done < n) { /* the others are as they were */
		for (unsigned i = 0; i < STRIPES; i++)
			if (r.end[i] > done)
				r.end[i] = (uint32_t)done;
		go_round(map, &r, drop_one, &c);
	}
	round_done(&r);
	if (done < n)
		return COINMAP_UNFIT;
	return c.unknown ? COINMAP_FITS : COINMAP_KNOWN;
}

static void change_all(struct coinmap *map, uint64_t seq, const struct coinmap_change *change,
		       bool (*fn)(void *arg, struct stripe *s, const struct visit *v))
{
	struct changing c = {map, seq, change, false};
	struct round r;

	round_init(&r, map, changed, change, change->n_spent + change->n_made);
	go_round(map, &r, fn, &c);
	round_done(&r);
}

void coinmap_drop(struct coinmap *map, uint64_t seq, const struct coinmap_change *change)
{
	change_all(map, seq, change, drop_one);
}

void coinmap_retire(struct coinmap *map, uint64_t seq, const struct coinmap_change *change)
{
	change_all(map, seq, change, retire_one);
}

void coinmap_figures(struct coinmap *map, struct coinmap_figures *ret)
{
	*ret = (struct coinmap_figures){0};
	for (unsigned i = 0; i < STRIPES; i++) {
		struct stripe *s = &map->stripe[i];

		pthread_mutex_lock(&s->lock);
		ret->entries += s->live;
		ret->bytes += s->cap * sizeof(struct entry) + s->n_slots * sizeof(struct slot);
		ret->hits += s->hits;
		ret->misses += s->misses;
		pthread_mutex_unlock(&s->lock);
	}
}
