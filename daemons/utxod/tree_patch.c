/*
 * A page changed in place: the patch that makes it what it will be, with as little as that takes;
 * and the shape of a page, from which its dirty branches follow.
 */
#include <string.h>

#include "daemons/utxod/tree_build.h"

void *tree_alloc_patch(struct builder *b, size_t size)
{
	void *patch;

	if (b->room_left < size) {
		GROW(b->chunks, b->n_chunks, b->cap_chunks);
		b->room = slab_local_get(b->slab, SLAB_MAX);
		b->room_left = SLAB_MAX;
		b->chunks[b->n_chunks++] = (struct slab_block){b->room, SLAB_MAX};
	}
	patch = b->room;
	size = (size + 7) / 8 * 8;
	b->room += size;
	b->room_left -= size < b->room_left ? size : b->room_left;
	return patch;
}

void tree_add_patch(struct builder *b, struct patch *patch, uint64_t before)
{
	size_t n = b->n_patches;

	GROW(b->touched, n, b->cap_touched);
	b->touched[n] =
		(struct tree_touch){patch->id, patch->size, versions_between(before, b->seq)};
	GROW(b->patches, b->n_patches, b->cap_patches);
	b->patches[b->n_patches++] = patch;
}

/* ---- the shape ---- */

static void close_branch(struct shape *s, const int16_t *dirty, unsigned gap)
{
	int16_t l = s->left[gap] < 0 ? dirty[gap] : s->dirty[s->left[gap]];
	int16_t r = s->right[gap] < 0 ? dirty[gap + 1] : s->dirty[s->right[gap]];

	s->dirty[gap] = l > r ? l : r;
	s->order[s->n++] = (uint8_t)gap;
}

/* The trie over n items is the Cartesian tree of their splits, built with a stack. */
void tree_shape(struct shape *s, const int16_t *dirty, const uint16_t *split, unsigned n)
{
	uint8_t stack[PAGE_ITEMS];
	unsigned top = 0;

	s->n = 0;
	for (unsigned i = 0; i + 1 < n; i++) {
		int last = -1;

		while (top && split[stack[top - 1]] > split[i]) {
			last = stack[--top];
			close_branch(s, dirty, (unsigned)last);
		}
		s->left[i] = (int8_t)last;
		s->right[i] = -1;
		if (top)
			s->right[stack[top - 1]] = (int8_t)i;
		stack[top++] = (uint8_t)i;
	}
	while (top)
		close_branch(s, dirty, stack[--top]);
}

static uint32_t push_job(struct builder *b, const struct job *job)
{
	GROW(b->jobs, b->n_jobs, b->cap_jobs);
	b->jobs[b->n_jobs] = *job;
	return (uint32_t)b->n_jobs++;
}

static uint32_t add_job(struct builder *b, const struct places *p, const struct shape *s,
			unsigned gap, unsigned depth)
{
	struct job job = {.left = s->left[gap] < 0 ? p->item[gap] : p->branch[s->left[gap]],
			  .right = s->right[gap] < 0 ? p->item[gap + 1] : p->branch[s->right[gap]],
			  .out = p->branch[gap],
			  .key = p->key[gap],
			  .depth = (uint16_t)depth};

	return push_job(b, &job);
}

/* Hashes the dirty branches later; returns the job of the root, NO_JOB if it is clean. */
uint32_t tree_add_jobs(struct builder *b, const struct places *p, const struct shape *s,
		       const uint16_t *split)
{
	uint32_t job = NO_JOB;

	for (unsigned i = 0; i < s->n; i++) {
		unsigned gap = s->order[i];

		job = s->dirty[gap] >= split[gap] ? add_job(b, p, s, gap, split[gap]) : NO_JOB;
	}
	return job; /* the last one closed is the root */
}

/* Takes an element's node to where it belongs, now or when it is known. */
void tree_put_node(struct builder *b, const struct element *e, struct rc_state_node *to)
{
	if (e->job == NO_JOB)
		*to = *e->node;
	else
		b->jobs[e->job].copy = to;
}

/* ---- a page is changed in place ---- */

/* Leaves put into a page by one patch; what it holds then is bounded by a block of pages. */
#define PATCH_ITEMS 8
_Static_assert(sizeof(struct patch) + 2 * PAGE_ITEMS * sizeof(struct patch_node) +
			       PATCH_ITEMS * (sizeof(struct patch_item) +
					      PAGE_STRIDE(RC_STATE_KEY_MAX)) <=
		       SLAB_MAX,
	       "a patch fits");

/* Whether all edits leave the page's shape be: children are the same, leaves have room. */
bool tree_fits(const struct builder *b, const struct page *page, size_t first_edit, bool top)
{
	unsigned n = page->order.n, inserts = 0;

	for (size_t i = first_edit; i < b->n_edits; i++) {
		const struct edit *e = &b->edits[i];
		const struct page_slot *item = e->in ? page_item(page, e->item) : NULL;

		if (!item)
			inserts++;
		else if (!item->child)
			n -= b->op[e->lo].kind == TREE_REMOVE;
		else if (e->n != 1 || b->list[e->first].child != item->child ||
			 b->list[e->first].depth != item->depth)
			return false;
		if (inserts > PATCH_ITEMS)
			return false;
	}
	n += inserts;
	return n <= page->cap && n > (top ? 1 : PAGE_INLINE) &&
	       (!inserts || page->stride >= PAGE_STRIDE(b->key_len));
}

/* A page's items as they will be. */
struct draft {
	struct page_order order;
	int16_t was[PAGE_ITEMS]; /* place in the order before, −1: new */
	int16_t dirty[PAGE_ITEMS];
	const struct edit *edit[PAGE_ITEMS]; /* what changes it, or NULL */
	unsigned n_changed, n_inserted;
};

static void draft_item(struct draft *d, int was, unsigned slot, const struct edit *e)
{
	unsigned i = d->order.n++;

	d->was[i] = (int16_t)was;
	d->dirty[i] = e ? ALL_ABOVE : CLEAN;
	d->edit[i] = e;
	d->order.slot[i] = (uint8_t)slot;
	d->n_changed += e && was >= 0;
	d->n_inserted += was < 0;
}

static void keep(struct draft *d, const struct page *page, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		draft_item(d, (int)i, page->order.slot[i], NULL);
}

static void draft_items(const struct builder *b, const struct page *page, size_t first_edit,
			struct draft *d)
{
	unsigned next = 0;

	d->order.n = 0;
	d->n_changed = d->n_inserted = 0;
	for (size_t i = first_edit; i < b->n_edits; i++) {
		const struct edit *e = &b->edits[i];

		keep(d, page, next, e->item);
		next = e->item;
		if (!e->in) {
			draft_item(d, -1, PAGE_ITEMS, e);
			continue;
		}
		next++;
		if (page_item(page, e->item)->child || b->op[e->lo].kind != TREE_REMOVE)
			draft_item(d, (int)e->item, page->order.slot[e->item], e);
	}
	keep(d, page, next, page->order.n);
}

/* New items into free slots: first such as had no item, which older versions don't ask for. */
static void find_slots(const struct page *page, struct draft *d)
{
	uint32_t used = 0, before = 0;

	for (unsigned i = 0; i < d->order.n; i++)
		if (d->was[i] >= 0)
			used |= UINT32_C(1) << d->order.slot[i];
	for (unsigned i = 0; i < page->order.n; i++)
		before |= UINT32_C(1) << page->order.slot[i];
	for (unsigned i = 0; i < d->order.n; i++) {
		uint32_t all = (UINT32_C(1) << page->cap) - 1, free = all & ~used & ~before;

		if (d->was[i] >= 0)
			continue;
		if (!free)
			free = all & ~used;
		d->order.slot[i] = (uint8_t)__builtin_ctz(free);
		used |= UINT32_C(1) << d->order.slot[i];
	}
}

static const uint8_t *draft_key(const struct builder *b, const struct page *page,
				const struct draft *d, unsigned i)
{
	return d->was[i] < 0 ? b->op[d->edit[i]->lo].key : page_item(page, d->was[i])->key;
}

static unsigned draft_depth(const struct builder *b, const struct page *page, const struct draft *d,
			    unsigned i)
{
	return d->was[i] < 0 ? 8 * (unsigned)b->key_len : page_item(page, d->was[i])->depth;
}

/* Splits, and marks beside what went away: from the splits before, where keys are the same. */
static void draft_splits(const struct builder *b, const struct page *page, struct draft *d)
{
	const uint16_t *old = page->order.split;

	for (unsigned i = 0; i + 1 < d->order.n; i++) {
		int from = d->was[i], to = d->was[i + 1];
		unsigned x, y;

		if (from >= 0 && to >= 0) {
			uint16_t least = old[from];

			for (int k = from + 1; k < to; k++)
				least = old[k] < least ? old[k] : least;
			d->order.split[i] = least;
			continue;
		}
		x = draft_depth(b, page, d, i);
		y = draft_depth(b, page, d, i + 1);
		d->order.split[i] = (uint16_t)rc_key_split(draft_key(b, page, d, i),
							   draft_key(b, page, d, i + 1),
							   page_key_bytes(x < y ? x : y));
	}
}

/* Where an item went away, those beside it are marked with the bits they share with it. */
static void mark_neighbours(const struct builder *b, const struct page *page, size_t first_edit,
			    struct draft *d)
{
	uint32_t gone = 0;

	for (size_t i = first_edit; i < b->n_edits; i++) {
		const struct edit *e = &b->edits[i];

		if (e->in && !page_item(page, e->item)->child && b->op[e->lo].kind == TREE_REMOVE)
			gone |= UINT32_C(1) << e->item;
	}
	for (unsigned i = 0; gone && i < d->order.n; i++) {
		int at = d->was[i];

		if (d->dirty[i] == ALL_ABOVE)
			continue;
		if (at && gone >> (at - 1) & 1)
			d->dirty[i] = (int16_t)page->order.split[at - 1];
		if (gone >> (at + 1) & 1 && (int16_t)page->order.split[at] > d->dirty[i])
			d->dirty[i] = (int16_t)page->order.split[at];
	}
}

/* ---- one edit: most pages have no more ---- */

/* A branch above the item that changed. */
struct rung {
	const struct rc_state_node *side; /* its other side */
	uint8_t gap;
	bool right; /* where that side is */
};

/* What the edit makes of the page. */
struct single {
	struct page_order order;
	unsigned at; /* the item that all dirty branches have below them */
	int16_t dirty;
	const uint8_t *key; /* of it */
	bool inserts, changes;
};

static void single_insert(const struct builder *b, const struct page *page, const struct edit *e,
			  struct single *s)
{
	struct page_order *o = &s->order;
	unsigned at = e->item, n = o->n++, used = 0;

	s->inserts = true;
	s->key = b->op[e->lo].key;
	for (unsigned i = 0; i < n; i++)
		used |= 1u << o->slot[i];
	memmove(o->slot + at + 1, o->slot + at, (n - at) * sizeof(o->slot[0]));
	o->slot[at] = (uint8_t)__builtin_ctz(~used);
	if (at < n && at + 1 < n)
		memmove(o->split + at + 1, o->split + at, (n - 1 - at) * sizeof(o->split[0]));
	for (unsigned i = at ? at - 1 : 0; i < n && i <= at; i++) {
		const struct page_slot *beside = page_item(page, i);

		o->split[i] =
			(uint16_t)rc_key_split(s->key, beside->key, page_key_bytes(beside->depth));
	}
}

/* Of the branches beside it the deeper one goes; those above are above the neighbour there. */
static void single_remove(const struct page *page, const struct edit *e, struct single *s)
{
	struct page_order *o = &s->order;
	unsigned at = e->item, n = o->n--;
	bool left = at + 1 == n || (at && o->split[at - 1] > o->split[at]);
	unsigned gap = left ? at - 1 : at;

	s->at = left ? at - 1 : at;
	s->dirty = (int16_t)o->split[gap];
	s->key = page_item(page, left ? at - 1 : at + 1)->key;
	memmove(o->slot + at, o->slot + at + 1, (n - 1 - at) * sizeof(o->slot[0]));
	memmove(o->split + gap, o->split + gap + 1, (n - 2 - gap) * sizeof(o->split[0]));
}

/* All branches above an item, upwards; returns how many. */
static unsigned climb(const struct page *page, const struct page_order *o, unsigned at,
		      struct rung rung[PAGE_ITEMS])
{
	unsigned lo = at, hi = at, n = 0;

	while (lo || hi + 1u < o->n) {
		bool right = !lo || (hi + 1u < o->n && o->split[hi] > o->split[lo - 1]);
		unsigned gap = right ? hi : lo - 1, from = right ? gap + 1 : gap, to = from;
		unsigned root = right ? from : from - 1; /* of items from … to, if they are many */

		while (right && to + 1u < o->n && o->split[to] > o->split[gap]) {
			root = o->split[to] < o->split[root] ? to : root;
			to++;
		}
		while (!right && from && o->split[from - 1] > o->split[gap]) {
			from--;
			root = o->split[from] < o->split[root] ? from : root;
		}
		lo = from < lo ? from : lo;
		hi = to > hi ? to : hi;
		rung[n++] = (struct rung){
			.side = from == to ? &page_slot(page, o->slot[from])->node
					   : &page_slot(page, o->slot[root + 1])->branch,
			.gap = (uint8_t)gap,
			.right = right};
	}
	return n;
}

static void patch_single(struct builder *b, const struct page *page, size_t first,
			 const struct edit *e)
{
	struct element up = {.child = page->id, .split = UNKNOWN, .dirty = ALL_ABOVE};
	struct single s = {.order = page->order, .at = e->item, .dirty = ALL_ABOVE};
	struct page_slot *image = NULL;
	struct rung rung[PAGE_ITEMS];
	const struct rc_state_node *below;
	struct patch_node *node;
	struct patch *patch;
	unsigned n, clean = 0, n_nodes;

	if (!e->in) {
		single_insert(b, page, e, &s);
	} else if (!page_item(page, e->item)->child && b->op[e->lo].kind == TREE_REMOVE) {
		single_remove(page, e, &s);
	} else {
		s.changes = true;
		s.key = page_item(page, e->item)->key;
	}
	n = climb(page, &s.order, s.at, rung);
	while (clean < n && (int16_t)s.order.split[rung[clean].gap] > s.dirty)
		clean++;
	/* The branch before a new item is in its slot. */
	n_nodes = s.changes + n - clean - (s.inserts && s.at);
	patch = tree_alloc_patch(b, patch_size(n_nodes, s.inserts, page->stride));
	*patch = (struct patch){.seq = b->seq,
				.id = page->id,
				.size = page->size,
				.stride = page->stride,
				.n_nodes = (uint8_t)n_nodes,
				.n_items = s.inserts,
				.order = s.order};
	node = patch->node;
	below = &page_slot(page, s.order.slot[s.at])->node;
	if (s.inserts) {
		struct patch_item *item = patch_item(patch, 0);

		item->slot = s.order.slot[s.at];
		image = (struct page_slot *)item->bytes;
		image->node = b->op[e->lo].after;
		image->child = 0;
		image->depth = (uint16_t)(8 * b->key_len);
		memcpy(image->key, s.key, b->key_len);
		below = &image->node;
	} else if (s.changes) {
		node->slot = s.order.slot[s.at];
		node->branch = false;
		if (page_item(page, e->item)->child)
			tree_put_node(b, &b->list[e->first], &node->node);
		else
			node->node = b->op[e->lo].after;
		below = &node++->node;
	}
	up.job = NO_JOB;
	for (unsigned i = 0; i < n; i++) {
		unsigned gap = rung[i].gap, slot = s.order.slot[gap + 1];
		struct rc_state_node *out = &page_slot(page, slot)->branch;

		up.home = out;
		if (i >= clean) {
			if (s.inserts && gap + 1 == s.at) {
				out = &image->branch;
			} else {
				node->slot = (uint8_t)slot;
				node->branch = true;
				out = &node++->node;
			}
			up.job = push_job(
				b, &(struct job){.left = rung[i].right ? below : rung[i].side,
						 .right = rung[i].right ? rung[i].side : below,
						 .out = out,
						 .key = s.key,
						 .depth = s.order.split[gap]});
		}
		up.depth = s.order.split[gap];
		below = out;
	}
	up.key = s.key;
	up.node = below;
	if (up.job == NO_JOB)
		up.dirty = s.dirty;
	tree_add_patch(b, patch, page->seq);
	b->n = first;
	*tree_push(b) = up;
}

/* Makes the patch, and the page's element in the place of the list from `first` on. */
void tree_patch_page(struct builder *b, const struct page *page, size_t first, size_t first_edit)
{
	struct element up = {.child = page->id, .split = UNKNOWN, .dirty = ALL_ABOVE};
	struct places places;
	struct patch *patch;
	struct shape shape;
	struct draft d;
	unsigned n_dirty = 0, root, n_nodes = 0, n_items = 0;

	if (b->n_edits == first_edit + 1) {
		patch_single(b, page, first, &b->edits[first_edit]);
		return;
	}
	draft_items(b, page, first_edit, &d);
	find_slots(page, &d);
	draft_splits(b, page, &d);
	mark_neighbours(b, page, first_edit, &d);
	tree_shape(&shape, d.dirty, d.order.split, d.order.n);
	for (unsigned i = 0; i + 1 < d.order.n; i++)
		n_dirty += d.was[i + 1] >= 0 && shape.dirty[i] >= d.order.split[i];
	patch = tree_alloc_patch(b, patch_size(d.n_changed + n_dirty, d.n_inserted, page->stride));
	*patch = (struct patch){.seq = b->seq,
				.id = page->id,
				.size = page->size,
				.stride = page->stride,
				.n_nodes = (uint8_t)(d.n_changed + n_dirty),
				.n_items = (uint8_t)d.n_inserted,
				.order = d.order};
	for (unsigned i = 0; i < d.order.n; i++) {
		struct page_slot *slot = page_slot(page, d.order.slot[i]);
		const struct edit *e = d.edit[i];

		places.key[i] = draft_key(b, page, &d, i);
		places.item[i] = &slot->node;
		if (i)
			places.branch[i - 1] = &slot->branch;
		if (d.was[i] < 0) {
			struct patch_item *item = patch_item(patch, n_items++);
			struct page_slot *image = (struct page_slot *)item->bytes;

			item->slot = d.order.slot[i];
			image->node = b->op[e->lo].after;
			image->child = 0;
			image->depth = (uint16_t)(8 * b->key_len);
			memcpy(image->key, b->op[e->lo].key, b->key_len);
			places.item[i] = &image->node;
			if (i)
				places.branch[i - 1] = &image->branch;
			continue;
		}
		if (e) {
			struct patch_node *n = &patch->node[n_nodes++];

			n->slot = d.order.slot[i];
			n->branch = false;
			places.item[i] = &n->node;
			if (slot->child)
				tree_put_node(b, &b->list[e->first], &n->node);
			else
				n->node = b->op[e->lo].after;
		}
		if (i && shape.dirty[i - 1] >= d.order.split[i - 1]) {
			struct patch_node *n = &patch->node[n_nodes++];

			n->slot = d.order.slot[i];
			n->branch = true;
			places.branch[i - 1] = &n->node;
		}
	}
	root = shape.order[shape.n - 1];
	up.key = places.key[0];
	up.depth = d.order.split[root];
	up.node = places.branch[root];
	up.home = &page_slot(page, d.order.slot[root + 1])->branch;
	up.job = tree_add_jobs(b, &places, &shape, d.order.split);
	if (up.job == NO_JOB)
		up.dirty = shape.dirty[root];
	tree_add_patch(b, patch, page->seq);
	b->n = first;
	*tree_push(b) = up;
}
