/*
 * Building the next version: one pass over sorted operations gives the new pages, then all dirty
 * branches are hashed, the deepest first, those of one depth side by side.
 *
 * Most pages keep their shape, with a leaf more or less and other hashes: they are changed in place
 * by a patch (patch.h), which names what is new. Where more changes, the page's new content is a
 * list of elements (items) in key order; a list that became too long is cut along branches into
 * more pages, one that became short is dissolved into the page above.
 *
 * While patches are made no page changes; a group's are applied when its branches are hashed.
 *
 * Which branches must be hashed again follows from one number an element: `dirty`, the depth down
 * to which something around it changed. A changed or new element makes all branches above it dirty.
 * An element that went away makes dirty exactly those branches that had it below them; each such
 * branch of depth d that still exists has the removed key's nearest remaining neighbour on one side
 * below it, and shares d bits with the removed key, so the neighbour is marked with the number of
 * bits it shares with it. A branch of depth d is dirty if some element below it is marked with d or
 * more.
 */
#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/utxod/tree_build.h"

#define CACHE_LINE 64
/* With fewer operations than this, waking other threads isn't worth it. */
#define PARALLEL_OPS 256

/* What is under one item of a namespace's first page, by a thread of its own. */
struct part {
	struct builder b;
	uint32_t child;
	size_t lo, hi; /* operations; none: nothing to do */
	int err;
	struct rc_error error;
};

/* The first bit in which two elements differ: one that counts for both. */
static unsigned split_of(const struct element *x, const struct element *y)
{
	return rc_key_split(x->key, y->key,
			    page_key_bytes(x->depth < y->depth ? x->depth : y->depth));
}

/* How a key stands to an item: before it, at or under it, after it. */
static int place(const uint8_t *key, const uint8_t *item, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	int c = memcmp(key, item, whole);
	uint8_t mask;

	if (c || !rest)
		return c;
	mask = (uint8_t)(0xff00 >> rest);
	return (key[whole] & mask) - (item[whole] & mask);
}

struct element *tree_push(struct builder *b)
{
	GROW(b->list, b->n, b->cap);
	return &b->list[b->n++];
}

static void push_leaf(struct builder *b, const struct tree_op *op)
{
	*tree_push(b) = (struct element){.key = op->key,
					 .node = &op->after,
					 .job = NO_JOB,
					 .depth = (uint16_t)(8 * b->key_len),
					 .split = UNKNOWN,
					 .dirty = ALL_ABOVE};
}

static uint32_t take_id(struct builder *b)
{
	uint32_t id;

	pthread_mutex_lock(&b->tree->lock);
	id = tree_take_id(b->tree);
	pthread_mutex_unlock(&b->tree->lock);
	GROW(b->made, b->n_made, b->cap_made);
	b->made[b->n_made++] = id;
	return id;
}

/* Another page in the place of what was there. */
static void replace_page(struct builder *b, struct page *page)
{
	struct patch *patch = tree_alloc_patch(b, patch_size(0, 0, 0));

	*patch = (struct patch){.page = page, .id = page->id, .size = page->size, .whole = true};
	tree_add_patch(b, patch, b->seq);
}

static struct page *new_page(struct builder *b, unsigned cap, unsigned stride, uint32_t id)
{
	return page_init(slab_local_get(b->slab, page_size(cap, stride)), b->ns, cap, stride, id,
			 b->seq);
}

/* The page leaves the tree. */
static void give_up(struct builder *b, uint32_t id)
{
	replace_page(b, new_page(b, 0, 0, id));
	GROW(b->gone, b->n_gone, b->cap_gone);
	b->gone[b->n_gone++] = id;
}

int tree_misfit(struct builder *b, const char *what)
{
	return rc_error_set(b->error, RC_EINVAL, "delta doesn't fit the state: %s (namespace %u)",
			    what, b->ns);
}

/* ---- a list becomes a page ---- */

static void fill_items(struct builder *b, struct page *page, const struct element *list, unsigned n)
{
	page->order.n = (uint16_t)n;
	for (unsigned i = 0; i < n; i++) {
		struct page_slot *slot = page_slot(page, i);

		page->order.slot[i] = (uint8_t)i;
		slot->child = list[i].child;
		slot->depth = list[i].depth;
		memcpy(slot->key, list[i].key, page_key_bytes(list[i].depth));
		tree_put_node(b, &list[i], &slot->node);
		if (i + 1 < n)
			page->order.split[i] =
				list[i].split != UNKNOWN && list[i + 1].key == list[i].next_key
					? list[i].split
					: (uint16_t)split_of(&list[i], &list[i + 1]);
	}
}

/* Makes a page of n elements, to be seen as one element from above. */
static struct element make_page(struct builder *b, const struct element *list, unsigned n,
				uint32_t id)
{
	struct element up = {
		.child = id, .after = list[n - 1].after, .split = UNKNOWN, .dirty = ALL_ABOVE};
	struct places places;
	int16_t dirty[PAGE_ITEMS] = {0};
	size_t key_bytes = 0;
	bool leaves = false;
	struct shape shape;
	struct page *page;
	unsigned root;

	for (unsigned i = 0; i < n; i++) {
		if (page_key_bytes(list[i].depth) > key_bytes)
			key_bytes = page_key_bytes(list[i].depth);
		leaves |= !list[i].child;
		dirty[i] = list[i].dirty;
	}
	page = new_page(b, page_cap(n, leaves), PAGE_STRIDE(key_bytes), id);
	fill_items(b, page, list, n);
	tree_shape(&shape, dirty, page->order.split, n);
	for (unsigned i = 0; i < n; i++) {
		places.item[i] = &page_slot(page, i)->node;
		places.key[i] = page_slot(page, i)->key;
		if (i + 1 == n)
			break;
		places.branch[i] = page_branch(page, i);
		if (shape.dirty[i] < page->order.split[i])
			*page_branch(page, i) = *list[i].after;
	}
	root = shape.order[n - 2];
	up.key = page_slot(page, 0)->key;
	up.depth = page->order.split[root];
	up.node = page_branch(page, root);
	up.job = tree_add_jobs(b, &places, &shape, page->order.split);
	/* The page's own branches may all be clean where what went away stood above its root. */
	if (up.job == NO_JOB)
		up.dirty = shape.dirty[root];
	replace_page(b, page);
	return up;
}

/* ---- lists become shorter ---- */

static size_t cut_at(const struct builder *b, size_t lo, size_t hi)
{
	size_t best = lo;
	unsigned least = UINT_MAX;

	for (size_t i = lo; i < hi; i++) {
		unsigned split = split_of(&b->list[i], &b->list[i + 1]);

		if (split < least) {
			least = split;
			best = i;
		}
	}
	return best;
}

/* Replaces elements lo … hi by pages of them, written from *to on (to ≤ lo: what is overwritten has
 * been read). *id: an id to use first, 0: none. */
static void cut(struct builder *b, size_t lo, size_t hi, uint32_t *id, size_t *to)
{
	size_t n = hi - lo + 1;

	if (n <= PAGE_INLINE) {
		memmove(&b->list[*to], &b->list[lo], n * sizeof(b->list[0]));
		*to += n;
	} else if (n <= PAGE_ITEMS) {
		uint32_t use = *id ? *id : take_id(b);

		*id = 0;
		b->list[*to] = make_page(b, &b->list[lo], (unsigned)n, use);
		*to += 1;
	} else {
		size_t gap = cut_at(b, lo, hi);

		cut(b, lo, gap, id, to);
		cut(b, gap + 1, hi, id, to);
	}
}

/* The list from start to the end is the new content of page id (0: none yet), as the page above
 * sees it afterwards: nothing, a few elements, or pages. */
static void settle(struct builder *b, size_t start, uint32_t id)
{
	size_t n = b->n - start, to = start;

	if (n)
		cut(b, start, b->n - 1, &id, &to);
	b->n = to;
	if (id)
		give_up(b, id);
}

/* ---- the pass ---- */

/* The list being written by one page: where it began, and the last key removed since the last
 * element, whose next neighbour must be marked. */
struct writer {
	size_t start;
	const uint8_t *removed;
	unsigned removed_depth; /* bits of it */
};

static void mark(struct element *e, const struct writer *w)
{
	const struct element removed = {.key = w->removed, .depth = (uint16_t)w->removed_depth};
	int16_t bits = (int16_t)split_of(e, &removed);

	if (bits > e->dirty)
		e->dirty = bits;
}

static void note_removed(struct builder *b, struct writer *w, const uint8_t *key, unsigned depth)
{
	w->removed = key;
	w->removed_depth = depth;
	if (b->n > w->start)
		mark(&b->list[b->n - 1], w);
}

/* After elements were pushed from `first` on. */
static void note_pushed(struct builder *b, struct writer *w, size_t first)
{
	if (w->removed && b->n > first)
		mark(&b->list[first], w);
	if (b->n > first)
		w->removed = NULL;
}

static int check_leaf(struct builder *b, const struct rc_state_node *node, const struct tree_op *op)
{
	if (op->kind == TREE_INSERT)
		return tree_misfit(b, "an entry to insert is there already");
	if (memcmp(&op->before.hash, &node->hash, sizeof(node->hash)) != 0)
		return tree_misfit(b, "an entry's value before isn't the state's");
	return RC_OK;
}

static int check_insert(struct builder *b, const struct tree_op *op)
{
	if (op->kind != TREE_INSERT)
		return tree_misfit(b, "an entry to remove or replace isn't there");
	return RC_OK;
}

static void insert_leaf(struct builder *b, struct writer *w, const struct tree_op *op)
{
	push_leaf(b, op);
	note_pushed(b, w, b->n - 1);
}

static void change_leaf(struct builder *b, struct writer *w, const struct rc_state_node *after,
			const struct tree_op *op)
{
	if (op->kind == TREE_REMOVE) {
		note_removed(b, w, op->key, 8 * (unsigned)b->key_len);
		return;
	}
	push_leaf(b, op);
	b->list[b->n - 1].after = after;
	note_pushed(b, w, b->n - 1);
}

static int update_page(struct builder *b, uint32_t id, size_t lo, size_t hi, bool *ret_in_place);

static const struct rc_state_node *branch_after(const struct page *page, unsigned i)
{
	return i + 1 < page->order.n ? page_branch(page, i) : NULL;
}

/* Items from … to − 1 stay as they are. */
static void keep_items(struct builder *b, struct writer *w, const struct page *page, unsigned from,
		       unsigned to)
{
	size_t first = b->n;

	for (unsigned i = from; i < to; i++) {
		const struct page_slot *item = page_item(page, i);
		bool last = i + 1 == page->order.n;

		*tree_push(b) =
			(struct element){.key = item->key,
					 .next_key = last ? NULL : page_item(page, i + 1)->key,
					 .node = &item->node,
					 .after = branch_after(page, i),
					 .child = item->child,
					 .job = NO_JOB,
					 .depth = item->depth,
					 .split = last ? UNKNOWN : page->order.split[i],
					 .dirty = CLEAN};
	}
	note_pushed(b, w, first);
}

/* Changes the pages of patches from the first on; elements from `first` on have their nodes there
 * then. */
static void apply_patches(struct builder *b, size_t first_patch, size_t first)
{
	for (size_t i = first_patch; i < b->n_patches; i++)
		if (!b->patches[i]->applied)
			tree_apply(b->tree, b->patches[i]);
	for (size_t i = first; i < b->n; i++) {
		if (b->list[i].home)
			b->list[i].node = b->list[i].home;
		b->list[i].home = NULL;
	}
}

/* Operations lo … hi − 1 go under a child; what comes of it goes to the end of the list. */
static int update_child(struct builder *b, uint32_t child, size_t lo, size_t hi)
{
	bool group = !b->grouped && hi - lo <= GROUP_OPS, in_place;
	size_t first = b->n, first_job = b->n_jobs, first_patch = b->n_patches;
	int err;

	b->grouped |= group;
	err = update_page(b, child, lo, hi, &in_place);
	if (!err && !in_place)
		settle(b, first, child);
	if (!err && group)
		err = tree_hash(b, first_job, first);
	if (!err && group)
		apply_patches(b, first_patch, first);
	if (group)
		b->grouped = false;
	return err;
}

/* The same, taken from who has done it. */
static void take_part(struct builder *b, const struct part *part)
{
	for (size_t i = 0; i < part->b.n; i++)
		*tree_push(b) = part->b.list[i];
}

/* ---- fetching ahead ---- */

static void fetch(const void *from, size_t len)
{
	for (size_t at = 0; at < len; at += CACHE_LINE)
		__builtin_prefetch((const char *)from + at);
}

/*
 * Walks down with operations lo … hi − 1 from a page on, all of them a level at a time, so that the
 * memory of many pages is fetched at once: one after another they would cost a miss each, several
 * times over. Changes nothing.
 */
static void warm(struct builder *b, uint32_t id, size_t lo, size_t hi)
{
	struct page *page[GROUP_OPS];
	uint32_t at[GROUP_OPS], id_of[GROUP_OPS];
	size_t n = hi - lo, left = n, n_pages;
	unsigned level = 0;

	for (size_t i = 0; i < n; i++)
		at[i] = id;
	for (; left; level++) {
		uint8_t *found = level < WARM_LEVELS ? b->found[level] : NULL;

		/* Each page once: those of neighbours are the same, further up. */
		n_pages = 0;
		for (size_t i = 0; i < n; i++)
			if (at[i] && (!n_pages || at[i] != id_of[n_pages - 1]))
				id_of[n_pages++] = at[i];
		for (size_t k = 0; k < n_pages; k++)
			__builtin_prefetch(tree_slot(b->tree, id_of[k]));
		for (size_t k = 0; k < n_pages; k++)
			__builtin_prefetch(atomic_load_explicit(&tree_slot(b->tree, id_of[k])->head,
								memory_order_relaxed));
		for (size_t k = 0; k < n_pages; k++) {
			page[k] = tree_peek(b->tree, id_of[k]);
			if (page[k])
				fetch(page[k], page[k]->size);
		}
		left = 0;
		for (size_t i = 0, k = 0; i < n; i++) {
			const struct page *p;
			unsigned item = 0;
			bool in = false;

			if (found)
				found[i] = UNKNOWN_ITEM;
			if (!at[i])
				continue;
			k += at[i] != id_of[k];
			p = page[k];
			if (p)
				item = page_find(p, b->op[lo + i].key, &in);
			if (found && p)
				found[i] = (uint8_t)(item | (in ? FOUND_IN : 0));
			at[i] = in ? page_item(p, item)->child : 0;
			left += at[i] != 0;
		}
	}
	/* Pages below one that wasn't in memory. */
	for (; level < WARM_LEVELS; level++)
		memset(b->found[level], UNKNOWN_ITEM, n);
	b->warm_from = lo;
	b->warmed = hi;
	b->level = 0;
}

/*
 * Where pages are missing, as after a start: walks down with all operations, a level at a time, and
 * loads what is missing of a level with one request. One by one it would be ten times as slow.
 */
static int preload(struct builder *b, uint32_t id, size_t n)
{
	RC_AUTOFREE uint32_t *at = rc_alloc_array(n, sizeof(*at));
	RC_AUTOFREE uint32_t *absent = rc_alloc_array(n, sizeof(*absent));
	size_t left = n, n_absent;
	int err = RC_OK;

	for (size_t i = 0; i < n; i++)
		at[i] = id;
	while (!err && left) {
		left = n_absent = 0;
		for (size_t i = 0; i < n; i++)
			if (at[i] && !tree_peek(b->tree, at[i]))
				absent[n_absent++] = at[i];
		if (n_absent)
			err = tree_load(b->tree, absent, n_absent, b->error);
		b->missed |= n_absent != 0;
		for (size_t i = 0; !err && i < n; i++) {
			struct page *page = at[i] ? tree_peek(b->tree, at[i]) : NULL;
			bool in = false;
			unsigned item = page ? page_find(page, b->op[i].key, &in) : 0;

			at[i] = in ? page_item(page, item)->child : 0;
			left += at[i] != 0;
		}
	}
	return err;
}

/* The page as the version builds on it. */
static int get_page(struct builder *b, uint32_t id, struct page **ret)
{
	struct page *page = tree_peek(b->tree, id);
	int err = RC_OK;

	b->hits += page != NULL;
	b->missed |= !page;
	if (!page)
		err = tree_page(b->tree, id, &page, b->error);
	if (!err && page->ns != b->ns)
		err = rc_error_set(b->error, RC_EFORMAT, "state: tree page %u is misplaced", id);
	*ret = page;
	return err;
}

/* The first of operations lo … hi − 1 that isn't under an item; op lo is. Mostly few are. */
static size_t end_of(const struct builder *b, size_t lo, size_t hi, const struct page_slot *item)
{
	size_t step = 1;

	while (hi - lo > 1) {
		size_t at = step < hi - lo ? lo + step : lo + (hi - lo) / 2;

		if (place(b->op[at].key, item->key, item->depth) == 0) {
			lo = at;
			step *= 2;
		} else {
			hi = at;
			step = (hi - lo) / 2;
			step = step ? step : 1;
		}
	}
	return hi;
}

/* page_find, unless that was asked when the page was fetched ahead. */
static unsigned find_item(const struct builder *b, const struct page *page, size_t op, bool *ret_in)
{
	uint8_t found = UNKNOWN_ITEM;

	if (op >= b->warm_from && op < b->warmed && b->level < WARM_LEVELS)
		found = b->found[b->level][op - b->warm_from];
	if (found == UNKNOWN_ITEM)
		return page_find(page, b->op[op].key, ret_in);
	*ret_in = found & FOUND_IN;
	return found & ~FOUND_IN;
}

/* Sorts operations to the items, with all that is below them. */
static int list_edits(struct builder *b, const struct page *page, const struct part *parts,
		      size_t lo, size_t hi)
{
	unsigned level = b->level;
	int err = RC_OK;

	while (!err && lo < hi) {
		struct edit e = {.lo = lo, .hi = lo + 1, .first = b->n};
		const struct page_slot *item;

		e.item = find_item(b, page, lo, &e.in);
		item = e.in ? page_item(page, e.item) : NULL;
		if (!item) {
			err = check_insert(b, &b->op[lo]);
		} else if (!item->child) {
			err = check_leaf(b, &item->node, &b->op[lo]);
		} else {
			e.hi = end_of(b, lo, hi, item);
			b->level = level + 1;
			if (parts)
				take_part(b, &parts[e.item]);
			else
				err = update_child(b, item->child, lo, e.hi);
			b->level = level;
			e.n = b->n - e.first;
		}
		GROW(b->edits, b->n_edits, b->cap_edits);
		b->edits[b->n_edits++] = e;
		lo = e.hi;
	}
	return err;
}

/* ---- a page becomes a list ---- */

/* What came of children stands in the list from `first` on; the page's new content takes its place.
 */
static void list_page(struct builder *b, const struct page *page, size_t first, size_t first_edit)
{
	size_t start = b->n;
	struct writer w = {start, NULL, 0};
	unsigned next = 0; /* item not looked at yet */

	for (size_t i = first_edit; i < b->n_edits; i++) {
		const struct edit *e = &b->edits[i];
		const struct rc_state_node *after = branch_after(page, e->item);
		size_t pushed;

		keep_items(b, &w, page, next, e->item);
		next = e->item + e->in;
		if (!e->in) {
			insert_leaf(b, &w, &b->op[e->lo]);
			continue;
		}
		if (!page_item(page, e->item)->child) {
			change_leaf(b, &w, after, &b->op[e->lo]);
			continue;
		}
		pushed = b->n;
		for (size_t k = 0; k < e->n; k++) {
			tree_push(b);
			b->list[b->n - 1] = b->list[e->first + k];
		}
		if (e->n)
			b->list[b->n - 1].after = after;
		else
			note_removed(b, &w, page_item(page, e->item)->key,
				     page_item(page, e->item)->depth);
		note_pushed(b, &w, pushed);
	}
	keep_items(b, &w, page, next, page->order.n);
	if (b->n > start)
		memmove(b->list + first, b->list + start, (b->n - start) * sizeof(*b->list));
	b->n -= start - first;
}

/* What becomes of a page goes to the end of the list: in place, itself as one element; else its new
 * content. */
static int update_page(struct builder *b, uint32_t id, size_t lo, size_t hi, bool *ret_in_place)
{
	size_t first = b->n, first_edit = b->n_edits;
	struct part *parts = b->parts;
	bool top = b->top;
	struct page *page;
	int err;

	b->parts = NULL; /* they are this page's */
	b->top = false;
	if (hi > b->warmed && hi - lo > 1 && hi - lo <= GROUP_OPS)
		warm(b, id, lo, hi);
	err = get_page(b, id, &page);
	if (!err)
		err = list_edits(b, page, parts, lo, hi);
	*ret_in_place = !err && tree_fits(b, page, first_edit, top);
	if (*ret_in_place)
		tree_patch_page(b, page, first, first_edit);
	else if (!err)
		list_page(b, page, first, first_edit);
	b->n_edits = first_edit;
	return err;
}

/* The namespace's root is a leaf, or nothing. */
static int update_leaf(struct builder *b, const struct tree_root *root, size_t n)
{
	struct writer w = {b->n, NULL, 0};
	bool there = root->depth != TREE_EMPTY, done = !there;
	int err = RC_OK;

	for (size_t i = 0; !err && i <= n; i++) {
		int c = done ? -1 : i == n ? 1 : memcmp(b->op[i].key, root->key, b->key_len);

		if (!done && c > 0) {
			*tree_push(b) = (struct element){.key = root->key,
							 .node = &root->node,
							 .job = NO_JOB,
							 .depth = root->depth,
							 .split = UNKNOWN,
							 .dirty = CLEAN};
			note_pushed(b, &w, b->n - 1);
			done = true;
		}
		if (i == n)
			break;
		if (c == 0 && !done) {
			err = check_leaf(b, &root->node, &b->op[i]);
			if (!err)
				change_leaf(b, &w, NULL, &b->op[i]);
			done = true;
		} else {
			err = check_insert(b, &b->op[i]);
			if (!err)
				insert_leaf(b, &w, &b->op[i]);
		}
	}
	return err;
}

/* ---- all of it ---- */

/* What is left in the list becomes the root. */
static void set_root(struct builder *b, struct tree_root *root)
{
	const struct element *e = b->list;

	memset(root, 0, sizeof(*root));
	if (!b->n) {
		root->depth = TREE_EMPTY;
		return;
	}
	assert(b->n == 1);
	root->page = e->child;
	root->depth = e->depth;
	memcpy(root->key, e->key, page_key_bytes(e->depth));
	root->node = *e->node;
}

/* A few elements at the top: they need a page, however short. */
static void make_top(struct builder *b, uint32_t id)
{
	while (b->n > PAGE_ITEMS)
		settle(b, 0, 0);
	if (b->n > 1) {
		uint32_t use = id ? id : take_id(b);
		struct element e = make_page(b, b->list, (unsigned)b->n, use);

		b->list[0] = e;
		b->n = 1;
	} else if (id) {
		give_up(b, id);
	}
}

static void run_part(void *arg, size_t i, unsigned who)
{
	struct part *part = (struct part *)arg + i;

	if (part->lo == part->hi)
		return;
	part->b.slab = &part->b.tree->local[who];
	part->err = update_child(&part->b, part->child, part->lo, part->hi);
	if (!part->err)
		part->err = tree_hash(&part->b, 0, 0);
	if (!part->err)
		apply_patches(&part->b, 0, 0);
}

/* What a part made becomes the builder's. */
static void merge_part(struct builder *b, struct part *part)
{
	for (size_t i = 0; i < part->b.n_patches; i++) {
		GROW(b->touched, b->n_patches, b->cap_touched);
		b->touched[b->n_patches] = part->b.touched[i];
		GROW(b->patches, b->n_patches, b->cap_patches);
		b->patches[b->n_patches++] = part->b.patches[i];
	}
	for (size_t i = 0; i < part->b.n_chunks; i++) {
		GROW(b->chunks, b->n_chunks, b->cap_chunks);
		b->chunks[b->n_chunks++] = part->b.chunks[i];
	}
	for (size_t i = 0; i < part->b.n_made; i++) {
		GROW(b->made, b->n_made, b->cap_made);
		b->made[b->n_made++] = part->b.made[i];
	}
	for (size_t i = 0; i < part->b.n_gone; i++) {
		GROW(b->gone, b->n_gone, b->cap_gone);
		b->gone[b->n_gone++] = part->b.gone[i];
	}
	b->hits += part->b.hits;
	b->missed |= part->b.missed;
}

static void builder_done(struct builder *b)
{
	free(b->list);
	free(b->jobs);
	free(b->edits);
	free(b->patches);
	free(b->touched);
	free(b->chunks);
	free(b->made);
	free(b->gone);
}

/*~ What is under different items of the first page has nothing in common: threads build and hash
 * it side by side, and the page itself is made of what they hand over. */
static int update_parts(struct builder *b, uint32_t id, size_t n_ops, bool *ret_in_place)
{
	struct part part[PAGE_ITEMS] = {0};
	struct page *page;
	int err = get_page(b, id, &page);
	unsigned n_parts;

	if (err)
		return err;
	n_parts = page->order.n;
	for (unsigned i = 0; i < n_parts; i++) {
		part[i].child = page_item(page, i)->child;
		part[i].b = (struct builder){.tree = b->tree,
					     .error = &part[i].error,
					     .op = b->op,
					     .seq = b->seq,
					     .ns = b->ns,
					     .key_len = b->key_len};
	}
	for (size_t lo = 0, end; lo < n_ops; lo = end) {
		bool in;
		unsigned i = page_find(page, b->op[lo].key, &in);

		end = in ? end_of(b, lo, n_ops, page_item(page, i)) : lo + 1;
		if (!in || !part[i].child)
			continue;
		part[i].lo = lo;
		part[i].hi = end;
	}
	crew_run(b->tree->crew, n_parts, run_part, part);
	for (unsigned i = 0; i < n_parts; i++) {
		merge_part(b, &part[i]);
		if (!err && part[i].err) {
			err = part[i].err;
			*b->error = part[i].error;
		}
	}
	b->n_applied = b->n_patches;
	b->parts = part;
	if (!err)
		err = update_page(b, id, 0, n_ops, ret_in_place);
	b->parts = NULL;
	for (unsigned i = 0; i < n_parts; i++)
		builder_done(&part[i].b);
	return err;
}

static int update_namespace(struct builder *b, const struct tree_root *from, size_t n_ops,
			    struct tree_root *to)
{
	size_t first_patch = b->n_patches;
	bool in_place = false;
	int err = RC_OK;

	b->n = 0;
	b->n_jobs = 0;
	b->top = true;
	b->warmed = 0;
	b->key_len = rc_state_key_len(b->ns);
	if (from->page && b->tree->cold)
		err = preload(b, from->page, n_ops);
	if (err)
		return err;
	if (from->page && n_ops >= PARALLEL_OPS)
		err = update_parts(b, from->page, n_ops, &in_place);
	else if (from->page)
		err = update_page(b, from->page, 0, n_ops, &in_place);
	else
		err = update_leaf(b, from, n_ops);
	if (err)
		return err;
	if (!in_place)
		make_top(b, from->page);
	err = tree_hash(b, 0, 0);
	if (err)
		return err;
	apply_patches(b, first_patch > b->n_applied ? first_patch : b->n_applied, 0);
	set_root(b, to);
	return RC_OK;
}

/* What the version did, for who lets it go or drops it; all patches are applied. */
static void describe(struct builder *b, struct tree_change *change)
{
	uint64_t flushed;

	pthread_mutex_lock(&b->tree->lock);
	flushed = b->tree->flushed;
	pthread_mutex_unlock(&b->tree->lock);
	for (size_t i = 0; i < b->n_patches; i++) {
		struct tree_touch *touch = &b->touched[i];

		if (!touch->age) {
			struct page *old = b->patches[i]->page;

			touch->age = versions_between(old ? old->seq : 0, b->seq);
			if (old) {
				GROW(b->chunks, b->n_chunks, b->cap_chunks);
				b->chunks[b->n_chunks++] = (struct slab_block){old, old->size};
			}
		}
		change->page_bytes +=
			touch->age >= versions_between(flushed, b->seq) ? touch->size : 0;
	}
	change->touched = b->touched;
	b->touched = NULL;
	change->n_touched = b->n_patches;
	change->patch = b->patches;
	change->block = b->chunks;
	change->n_blocks = b->n_chunks;
	for (size_t i = 0; i < change->n_blocks; i++)
		change->bytes += change->block[i].size;
	change->made = b->made;
	change->n_made = b->n_made;
	change->gone = b->gone;
	change->n_gone = b->n_gone;
	b->made = b->gone = NULL;
	b->patches = NULL;
	b->chunks = NULL;
}

static void discard(struct builder *b)
{
	for (size_t i = 0; i < b->n_patches; i++) {
		struct patch *p = b->patches[i];

		if (p->applied)
			tree_unapply(b->tree, p);
		else if (p->whole)
			page_free(&b->tree->slab, p->page);
	}
	slab_put_many(&b->tree->slab, b->chunks, b->n_chunks);
	pthread_mutex_lock(&b->tree->lock);
	for (size_t i = 0; i < b->n_made; i++)
		tree_give_back_id(b->tree, b->made[i]);
	pthread_mutex_unlock(&b->tree->lock);
}

/* What a version takes, of the larger ones of late; less than a quarter of all in any case. */
static void note_room(struct tree *tree, size_t before)
{
	size_t now = atomic_load(&tree->slab.live), took = now > before ? now - before : 0;

	pthread_mutex_lock(&tree->lock);
	tree->room -= tree->room / 16;
	if (took > tree->room)
		tree->room = took;
	if (tree->room > tree->limit / 4)
		tree->room = tree->limit / 4;
	pthread_mutex_unlock(&tree->lock);
}

int tree_update(struct tree *tree, uint64_t seq, const struct tree_roots *from,
		const struct tree_ops ops[TREE_NAMESPACES], struct tree_roots *ret_roots,
		struct tree_change *ret_change, struct rc_error *error)
{
	struct builder b = {.tree = tree, .error = error, .seq = seq};
	struct tree_roots roots = *from;
	size_t before = atomic_load(&tree->slab.live);
	int err = RC_OK;

	b.slab = &tree->local[0];
	tree_set_updating(tree, true);
	for (unsigned ns = 1; !err && ns <= TREE_NAMESPACES; ns++) {
		b.ns = ns;
		b.op = ops[ns - 1].op;
		if (ops[ns - 1].n)
			err = update_namespace(&b, &from->ns[ns - 1], ops[ns - 1].n,
					       &roots.ns[ns - 1]);
	}
	if (err) {
		discard(&b);
	} else {
		*ret_change = (struct tree_change){0};
		ret_change->n_chunks = b.n_chunks;
		describe(&b, ret_change);
		*ret_roots = roots;
	}
	tree_set_updating(tree, false);
	tree->cold = b.missed;
	for (unsigned i = 0; i < CREW_MAX; i++)
		slab_local_done(&tree->local[i]);
	atomic_fetch_add(&tree->hits, b.hits);
	builder_done(&b);
	note_room(tree, before);
	tree_trim(tree);
	return err;
}
