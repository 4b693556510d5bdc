/* Striped hash tables over arrays of entries with 32-bit links. */
#include "daemons/utxod/coinmap.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define STRIPES	      64
#define FOREVER	      UINT64_MAX
#define NONE	      0 /* entry 0 of each stripe is never used */
#define FIRST_BUCKETS 64
/* Entries the clock looks at for each one that is added over the limit. */
#define EVICT_LOOK 8

struct entry {
	uint64_t born; /* 0: the disk has it */
	uint64_t died;
	struct rc_outpoint outpoint;
	uint32_t next;
	struct rc_coin coin;
	uint8_t live; /* in use */
	uint8_t used; /* asked for since the clock passed */
};

struct stripe {
	pthread_mutex_t lock;
	struct entry *entry;
	uint32_t *bucket;
	uint32_t n_buckets; /* power of two */
	uint32_t n;	    /* entries ever used, and the array's size */
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
	map->stripe_limit = (uint32_t)(limit / (sizeof(struct entry) + sizeof(uint32_t)) / STRIPES);
	for (unsigned i = 0; i < STRIPES; i++) {
		struct stripe *s = &map->stripe[i];

		pthread_mutex_init(&s->lock, NULL);
		s->n_buckets = FIRST_BUCKETS;
		s->bucket = rc_alloc_array(s->n_buckets, sizeof(uint32_t));
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
		free(map->stripe[i].bucket);
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

static struct stripe *lock_stripe(struct coinmap *map, const struct rc_outpoint *o,
				  uint64_t *ret_hash)
{
	uint64_t h = hash_of(map, o);
	struct stripe *s = &map->stripe[h % STRIPES];

	*ret_hash = h / STRIPES;
	pthread_mutex_lock(&s->lock);
	return s;
}

static uint32_t *bucket_of(struct stripe *s, uint64_t hash)
{
	return &s->bucket[hash & (s->n_buckets - 1)];
}

static void grow_buckets(struct coinmap *map, struct stripe *s)
{
	free(s->bucket);
	s->n_buckets *= 2;
	s->bucket = rc_alloc_array(s->n_buckets, sizeof(uint32_t));
	for (uint32_t i = 1; i < s->n; i++) {
		struct entry *e = &s->entry[i];
		uint32_t *bucket;

		if (!e->live)
			continue;
		bucket = bucket_of(s, hash_of(map, &e->outpoint) / STRIPES);
		e->next = *bucket;
		*bucket = i;
	}
}

static void remove_entry(struct stripe *s, uint64_t hash, uint32_t at)
{
	uint32_t *link = bucket_of(s, hash);

	while (*link != at)
		link = &s->entry[*link].next;
	*link = s->entry[at].next;
	s->entry[at].live = 0;
	s->entry[at].next = s->free;
	s->free = at;
	s->live--;
}

/* Over the limit: drops coins that the disk has and nobody asked for lately. */
static void evict(struct coinmap *map, struct stripe *s)
{
	for (unsigned look = EVICT_LOOK; look && s->live > map->stripe_limit; look--) {
		struct entry *e;

		s->hand = s->hand + 1 < s->n ? s->hand + 1 : 1;
		e = &s->entry[s->hand];
		if (!e->live || e->born || e->died != FOREVER)
			continue;
		if (e->used)
			e->used = 0;
		else
			remove_entry(s, hash_of(map, &e->outpoint) / STRIPES, s->hand);
	}
}

/* Half as much again, but not past the limit for it; beyond, for exact ones only, little by little.
 */
static uint32_t next_cap(const struct coinmap *map, uint32_t cap)
{
	uint32_t limit = map->stripe_limit + 1;

	if (!cap)
		return FIRST_BUCKETS;
	if (cap < limit)
		return cap + cap / 2 < limit ? cap + cap / 2 : limit;
	return cap + cap / 16 + 1;
}

static void add_entry(struct coinmap *map, struct stripe *s, uint64_t hash,
		      const struct rc_outpoint *outpoint, const struct rc_coin *coin, uint64_t born,
		      uint64_t died)
{
	uint32_t at, *bucket;

	evict(map, s);
	at = s->free;
	if (at) {
		s->free = s->entry[at].next;
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
	if (++s->live > s->n_buckets) {
		grow_buckets(map, s); /* links it too */
		return;
	}
	bucket = bucket_of(s, hash);
	s->entry[at].next = *bucket;
	*bucket = at;
}

/* Entries of an outpoint, in no order: their times don't overlap. */
static uint32_t first_of(struct stripe *s, uint64_t hash, const struct rc_outpoint *outpoint)
{
	uint32_t at = *bucket_of(s, hash);

	while (at != NONE && !rc_outpoint_eq(&s->entry[at].outpoint, outpoint))
		at = s->entry[at].next;
	return at;
}

static uint32_t next_of(struct stripe *s, uint32_t at)
{
	const struct rc_outpoint *outpoint = &s->entry[at].outpoint;

	do {
		at = s->entry[at].next;
	} while (at != NONE && !rc_outpoint_eq(&s->entry[at].outpoint, outpoint));
	return at;
}

enum coinmap_answer coinmap_get(struct coinmap *map, uint64_t seq,
				const struct rc_outpoint *outpoint, struct rc_coin *ret_coin)
{
	enum coinmap_answer answer = COINMAP_ASK_DISK;
	uint64_t hash;
	struct stripe *s = lock_stripe(map, outpoint, &hash);

	for (uint32_t at = first_of(s, hash, outpoint); at != NONE; at = next_of(s, at)) {
		struct entry *e = &s->entry[at];

		answer = COINMAP_ABSENT;
		if (e->born <= seq && seq < e->died) {
			answer = COINMAP_FOUND;
			e->used = 1;
			*ret_coin = e->coin;
			break;
		}
	}
	if (answer == COINMAP_ASK_DISK)
		s->misses++;
	else
		s->hits++;
	pthread_mutex_unlock(&s->lock);
	return answer;
}

/* The entry that is still alive in the newest version. */
static uint32_t alive(struct stripe *s, uint64_t hash, const struct rc_outpoint *outpoint)
{
	uint32_t at = first_of(s, hash, outpoint);

	while (at != NONE && s->entry[at].died != FOREVER)
		at = next_of(s, at);
	return at;
}

static bool make_one(struct coinmap *map, uint64_t seq, const struct rc_delta_coin *c)
{
	uint64_t hash;
	struct stripe *s = lock_stripe(map, &c->outpoint, &hash);
	bool good = alive(s, hash, &c->outpoint) == NONE;

	if (good)
		add_entry(map, s, hash, &c->outpoint, &c->coin, seq, FOREVER);
	pthread_mutex_unlock(&s->lock);
	return good;
}

static bool spend_one(struct coinmap *map, uint64_t seq, const struct rc_delta_coin *c)
{
	uint64_t hash;
	struct stripe *s = lock_stripe(map, &c->outpoint, &hash);
	uint32_t at = alive(s, hash, &c->outpoint);
	bool known = first_of(s, hash, &c->outpoint) != NONE;

	if (at != NONE)
		s->entry[at].died = seq;
	else if (!known) /* on disk only */
		add_entry(map, s, hash, &c->outpoint, &c->coin, 0, seq);
	pthread_mutex_unlock(&s->lock);
	return at != NONE || !known;
}

static void unmake_one(struct coinmap *map, uint64_t seq, const struct rc_delta_coin *c)
{
	uint64_t hash;
	struct stripe *s = lock_stripe(map, &c->outpoint, &hash);

	for (uint32_t at = first_of(s, hash, &c->outpoint); at != NONE; at = next_of(s, at)) {
		if (s->entry[at].born == seq) {
			remove_entry(s, hash, at);
			break;
		}
	}
	pthread_mutex_unlock(&s->lock);
}

static void unspend_one(struct coinmap *map, uint64_t seq, const struct rc_delta_coin *c)
{
	uint64_t hash;
	struct stripe *s = lock_stripe(map, &c->outpoint, &hash);

	for (uint32_t at = first_of(s, hash, &c->outpoint); at != NONE; at = next_of(s, at)) {
		if (s->entry[at].died != seq)
			continue;
		/* What the disk has is asked there again: a delta that didn't fit may have named a
		 * coin that never was. */
		if (s->entry[at].born)
			s->entry[at].died = FOREVER;
		else
			remove_entry(s, hash, at);
		break;
	}
	pthread_mutex_unlock(&s->lock);
}

bool coinmap_apply(struct coinmap *map, uint64_t seq, const struct coinmap_change *change)
{
	size_t made = 0, spent = 0;

	while (spent < change->n_spent && spend_one(map, seq, &change->spent[spent]))
		spent++;
	if (spent == change->n_spent)
		while (made < change->n_made && make_one(map, seq, &change->made[made]))
			made++;
	if (spent == change->n_spent && made == change->n_made)
		return true;
	while (made)
		unmake_one(map, seq, &change->made[--made]);
	while (spent)
		unspend_one(map, seq, &change->spent[--spent]);
	return false;
}

void coinmap_drop(struct coinmap *map, uint64_t seq, const struct coinmap_change *change)
{
	for (size_t i = 0; i < change->n_made; i++)
		unmake_one(map, seq, &change->made[i]);
	for (size_t i = 0; i < change->n_spent; i++)
		unspend_one(map, seq, &change->spent[i]);
}

void coinmap_retire(struct coinmap *map, uint64_t seq, const struct coinmap_change *change)
{
	for (size_t i = 0; i < change->n_spent + change->n_made; i++) {
		bool spent = i < change->n_spent;
		const struct rc_outpoint *o = spent ? &change->spent[i].outpoint
						    : &change->made[i - change->n_spent].outpoint;
		uint64_t hash;
		struct stripe *s = lock_stripe(map, o, &hash);

		for (uint32_t at = first_of(s, hash, o); at != NONE; at = next_of(s, at)) {
			struct entry *e = &s->entry[at];

			if (spent && e->died == seq) {
				remove_entry(s, hash, at);
				break;
			}
			if (!spent && e->born == seq) {
				e->born = 0;
				break;
			}
		}
		pthread_mutex_unlock(&s->lock);
	}
}

void coinmap_remember(struct coinmap *map, const struct rc_outpoint *outpoint,
		      const struct rc_coin *coin)
{
	uint64_t hash;
	struct stripe *s = lock_stripe(map, outpoint, &hash);

	if (first_of(s, hash, outpoint) == NONE && map->stripe_limit)
		add_entry(map, s, hash, outpoint, coin, 0, FOREVER);
	pthread_mutex_unlock(&s->lock);
}

void coinmap_figures(struct coinmap *map, struct coinmap_figures *ret)
{
	*ret = (struct coinmap_figures){0};
	for (unsigned i = 0; i < STRIPES; i++) {
		struct stripe *s = &map->stripe[i];

		pthread_mutex_lock(&s->lock);
		ret->entries += s->live;
		ret->bytes += s->cap * sizeof(struct entry) + s->n_buckets * sizeof(uint32_t);
		ret->hits += s->hits;
		ret->misses += s->misses;
		pthread_mutex_unlock(&s->lock);
	}
}
