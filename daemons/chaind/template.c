/* Choosing transactions for a block. See template.h. */
#include "daemons/chaind/template.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/mem.h"
#include "consensus/connect.h"
#include "daemons/chaind/mempool_sets.h"

/* Packages that don't fit one after another before a nearly full block is given up on. */
#define MISSES_MAX 1000

/* What became of a transaction in this choice. */
struct choice {
	UT_hash_handle hh;
	struct pool_tx *tx;
	uint32_t place; /* from 1 in the list; 0: not chosen */
	bool refused;	/* it, with what it needs, didn't fit */
	bool lessened;	/* chosen, and what descends from it was told */
	/* Sums over it and the ancestors that are not chosen yet. */
	uint64_t fee, size;
	size_t at; /* place in the heap of changed ones; SIZE_MAX: not in it */
};

struct chooser {
	struct mempool *pool;
	struct choice *choices;
	struct choice **changed; /* heap by the rate that is left */
	size_t n_changed, cap_changed;
	struct template_list *list;
	size_t cap;
	uint64_t bytes_max, budget_max;
	uint32_t height, median_time;
};

static struct choice *choice_of(struct chooser *ch, struct pool_tx *tx)
{
	struct choice *c;

	HASH_FIND_PTR(ch->choices, &tx, c);
	return c;
}

static struct choice *choice_make(struct chooser *ch, struct pool_tx *tx)
{
	struct choice *c = choice_of(ch, tx);

	if (c)
		return c;
	c = rc_alloc(sizeof(*c));
	c->tx = tx;
	c->fee = tx->anc_fee;
	c->size = tx->anc_size;
	c->at = SIZE_MAX;
	HASH_ADD_PTR(ch->choices, tx, c);
	return c;
}

/* ---- the heap of those whose rate is another than the pool's ---- */

/* As the pool orders: the lower of the own rate and that of the package. */
static int rate_compare(uint64_t fee_a, uint64_t size_a, const struct pool_tx *a, uint64_t fee_b,
			uint64_t size_b, const struct pool_tx *b)
{
	bool a_own = fee_rate_compare(a->facts.fee, a->tx.raw.len, fee_a, size_a) < 0;
	bool b_own = fee_rate_compare(b->facts.fee, b->tx.raw.len, fee_b, size_b) < 0;
	int by_rate =
		fee_rate_compare(a_own ? a->facts.fee : fee_a, a_own ? a->tx.raw.len : size_a,
				 b_own ? b->facts.fee : fee_b, b_own ? b->tx.raw.len : size_b);

	return by_rate ? by_rate : (a->sequence < b->sequence) - (a->sequence > b->sequence);
}

static bool above(const struct choice *a, const struct choice *b)
{
	return rate_compare(a->fee, a->size, a->tx, b->fee, b->size, b->tx) > 0;
}

static void heap_set(struct chooser *ch, size_t i, struct choice *c)
{
	ch->changed[i] = c;
	c->at = i;
}

static void heap_fix(struct chooser *ch, size_t i)
{
	struct choice *c = ch->changed[i];

	while (i > 0 && above(c, ch->changed[(i - 1) / 2])) {
		heap_set(ch, i, ch->changed[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	for (;;) {
		size_t k = 2 * i + 1;

		if (k >= ch->n_changed)
			break;
		if (k + 1 < ch->n_changed && above(ch->changed[k + 1], ch->changed[k]))
			k++;
		if (!above(ch->changed[k], c))
			break;
		heap_set(ch, i, ch->changed[k]);
		i = k;
	}
	heap_set(ch, i, c);
}

static void heap_drop(struct chooser *ch, struct choice *c)
{
	size_t i = c->at;
	struct choice *last;

	if (i == SIZE_MAX)
		return;
	c->at = SIZE_MAX;
	last = ch->changed[--ch->n_changed];
	if (last == c)
		return;
	heap_set(ch, i, last);
	heap_fix(ch, i);
}

static void heap_put(struct chooser *ch, struct choice *c)
{
	if (c->at != SIZE_MAX) {
		heap_fix(ch, c->at);
		return;
	}
	if (ch->n_changed == ch->cap_changed) {
		ch->cap_changed = ch->cap_changed * 2 + 64;
		ch->changed =
			rc_realloc_array(ch->changed, ch->cap_changed, sizeof(struct choice *));
	}
	heap_set(ch, ch->n_changed++, c);
	heap_fix(ch, c->at);
}

/* ---- choosing ---- */

static void append(struct chooser *ch, struct choice *c)
{
	struct template_list *list = ch->list;
	struct template_tx *t;

	if (list->n == ch->cap) {
		ch->cap = ch->cap * 2 + 256;
		list->txs = rc_realloc_array(list->txs, ch->cap, sizeof(*list->txs));
	}
	t = &list->txs[list->n++];
	c->place = (uint32_t)list->n;
	t->tx = c->tx;
	t->n_depends = 0;
	t->depends = rc_alloc_array(c->tx->n_parents, sizeof(uint32_t));
	for (uint32_t i = 0; i < c->tx->n_parents; i++)
		t->depends[t->n_depends++] = choice_of(ch, c->tx->parents[i])->place;
	list->bytes += c->tx->tx.raw.len;
	list->budget += c->tx->facts.budget;
	list->fees += c->tx->facts.fee;
	heap_drop(ch, c);
}

/* What descends from a chosen one needs that much less. */
static void lessen(struct chooser *ch, struct pool_tx *chosen)
{
	struct pool_set below;

	pool_set_init(&below, ch->pool);
	pool_set_descendants(&below, chosen);
	for (size_t i = 0; i < below.n; i++) {
		struct choice *c;

		if (below.txs[i] == chosen)
			continue;
		c = choice_make(ch, below.txs[i]);
		if (c->place)
			continue;
		c->fee -= chosen->facts.fee;
		c->size -= chosen->tx.raw.len;
		if (!c->refused)
			heap_put(ch, c);
	}
	pool_set_done(&below);
}

static int by_sequence(const void *a, const void *b)
{
	const struct pool_tx *x = *(struct pool_tx *const *)a, *y = *(struct pool_tx *const *)b;

	return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

/* Takes a transaction with all it needs, or refuses it. */
static bool take(struct chooser *ch, struct pool_tx *tx)
{
	struct pool_set need;
	uint64_t bytes = 0, budget = 0;
	bool fits = true;

	pool_set_init(&need, ch->pool);
	pool_set_ancestors(&need, tx);
	qsort(need.txs, need.n, sizeof(*need.txs), by_sequence);
	for (size_t i = 0; i < need.n; i++) {
		const struct pool_tx *n = need.txs[i];
		struct choice *c = choice_of(ch, need.txs[i]);

		if (c && c->place)
			continue;
		bytes += n->tx.raw.len;
		budget += n->facts.budget;
		fits &= n->facts.min_height <= ch->height &&
			rc_tx_lock_time_holds(&n->tx, ch->height, ch->median_time);
	}
	fits &= ch->list->bytes + bytes <= ch->bytes_max &&
		ch->list->budget + budget <= ch->budget_max;
	if (!fits) {
		struct choice *c = choice_make(ch, tx);

		c->refused = true;
		heap_drop(ch, c);
	}
	for (size_t i = 0; fits && i < need.n; i++) {
		struct choice *c = choice_make(ch, need.txs[i]);

		if (!c->place)
			append(ch, c);
	}
	/* Afterwards, since the walk over descendants uses the pool's marks too. */
	for (size_t i = 0; fits && i < need.n; i++) {
		struct choice *c = choice_of(ch, need.txs[i]);

		if (!c->lessened) {
			c->lessened = true;
			lessen(ch, c->tx);
		}
	}
	pool_set_done(&need);
	return fits;
}

void template_choose(struct mempool *pool, uint64_t bytes_max, uint64_t budget_max, uint32_t height,
		     uint32_t median_time, struct template_list *ret_list)
{
	struct chooser ch = {.pool = pool,
			     .list = ret_list,
			     .bytes_max = bytes_max,
			     .budget_max = budget_max,
			     .height = height,
			     .median_time = median_time};
	struct pool_heap_walk walk;
	struct pool_tx *next;
	struct choice *c, *c_next;
	unsigned misses = 0;

	memset(ret_list, 0, sizeof(*ret_list));
	pool_heap_walk_init(&walk, &pool->mine);
	next = pool_heap_walk_next(&walk);
	while ((next || ch.n_changed) && misses < MISSES_MAX) {
		struct choice *top = ch.n_changed ? ch.changed[0] : NULL;
		struct choice *known = next ? choice_of(&ch, next) : NULL;
		struct pool_tx *tx;

		/* Its place in the pool's order no longer holds: it is chosen, refused or among the
		 * changed ones. */
		if (known) {
			next = pool_heap_walk_next(&walk);
			continue;
		}
		if (top && (!next || rate_compare(top->fee, top->size, top->tx, next->anc_fee,
						  next->anc_size, next) > 0)) {
			tx = top->tx;
		} else {
			tx = next;
			next = pool_heap_walk_next(&walk);
		}
		misses = take(&ch, tx) ? 0 : misses + 1;
	}
	pool_heap_walk_done(&walk);
	free(ch.changed);
	HASH_ITER (hh, ch.choices, c, c_next) {
		HASH_DEL(ch.choices, c);
		free(c);
	}
}

void template_list_done(struct template_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->txs[i].depends);
	free(list->txs);
	memset(list, 0, sizeof(*list));
}
