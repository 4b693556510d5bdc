/*
 * Building the next version: one pass over sorted operations gives the new pages, then all dirty
 * branches are hashed, the deepest first, those of one depth side by side.
 *
 * A page's new content is a list of elements (items) in key order; a list that became too long is
 * cut along branches into more pages, one that became short is dissolved into the page above.
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

#define CLEAN	   (-1)
#define ALL_ABOVE  INT16_MAX
#define UNKNOWN	   UINT16_MAX
#define CACHE_LINE 64
/* Operations that go through all steps together: their pages, two or three of 1.7 KB each, are
 * fetched, copied and hashed while the second-level cache of a megabyte holds them. */
#define GROUP_OPS 256
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

#define GROW(array, n, cap)                                                             \
	do {                                                                            \
		if ((n) == (cap)) {                                                     \
			(cap) = (cap) ? 2 * (cap) : 256;                                \
			(array) = rc_realloc_array((array), (cap), sizeof((array)[0])); \
		}                                                                       \
	} while (0)

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

static struct element *push(struct builder *b)
{
	GROW(b->list, b->n, b->cap);
	return &b->list[b->n++];
}

static void push_leaf(struct builder *b, const struct tree_op *op)
{
	*push(b) = (struct element){.key = op->key,
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

static void add_page(struct builder *b, struct page *page)
{
	GROW(b->pages, b->n_pages, b->cap_pages);
	b->pages[b->n_pages++] = page;
}

/* The page leaves the tree. */
static void give_up(struct builder *b, uint32_t id)
{
	size_t size = page_size(0, 0);

	add_page(b, page_init(slab_local_get(b->slab, size), size, b->ns, 0, id, b->seq));
	GROW(b->gone, b->n_gone, b->cap_gone);
	b->gone[b->n_gone++] = id;
}

int tree_misfit(struct builder *b, const char *what)
{
	return rc_error_set(b->error, RC_EINVAL, "delta doesn't fit the state: %s (namespace %u)",
			    what, b->ns);
}

/* ---- a list becomes a page ---- */

/* Children of the branches of a page: from a gap to its two sides, −1: the item beside it. */
struct shape {
	int8_t left[PAGE_ITEMS], right[PAGE_ITEMS];
	int16_t dirty[PAGE_ITEMS]; /* greatest mark below the branch */
	uint8_t order[PAGE_ITEMS]; /* children before parents */
	unsigned n;		   /* branches ordered */
};

static void close_branch(struct shape *s, const struct element *list, unsigned gap)
{
	int16_t l = s->left[gap] < 0 ? list[gap].dirty : s->dirty[s->left[gap]];
	int16_t r = s->right[gap] < 0 ? list[gap + 1].dirty : s->dirty[s->right[gap]];

	s->dirty[gap] = l > r ? l : r;
	s->order[s->n++] = (uint8_t)gap;
}

/* The trie over n items is the Cartesian tree of their splits, built with a stack. */
static void find_shape(struct shape *s, const struct element *list, const uint16_t *split,
		       unsigned n)
{
	uint8_t stack[PAGE_ITEMS];
	unsigned top = 0;

	s->n = 0;
	for (unsigned i = 0; i + 1 < n; i++) {
		int last = -1;

		while (top && split[stack[top - 1]] > split[i]) {
			last = stack[--top];
			close_branch(s, list, (unsigned)last);
		}
		s->left[i] = (int8_t)last;
		s->right[i] = -1;
		if (top)
			s->right[stack[top - 1]] = (int8_t)i;
		stack[top++] = (uint8_t)i;
	}
	while (top)
		close_branch(s, list, stack[--top]);
}

static uint32_t add_job(struct builder *b, struct page *page, const struct shape *s, unsigned gap)
{
	struct rc_state_node *branch = page_branch(page);

	GROW(b->jobs, b->n_jobs, b->cap_jobs);
	b->jobs[b->n_jobs] = (struct job){
		.left = s->left[gap] < 0 ? &page->node[gap] : &branch[s->left[gap]],
		.right = s->right[gap] < 0 ? &page->node[gap + 1] : &branch[s->right[gap]],
		.out = &branch[gap],
		.key = page_key(page, gap),
		.depth = page_split(page)[gap]};
	return (uint32_t)b->n_jobs++;
}

/* How many elements from the first on stand one after another in one old page, unchanged. */
static unsigned run_of(const struct element *list, unsigned n, size_t *ret_key_bytes)
{
	size_t bytes = page_key_bytes(list[0].depth);
	unsigned run = 1;

	while (run < n && list[0].job == NO_JOB && list[run].job == NO_JOB &&
	       list[run].node == list[0].node + run && list[run].key == list[0].key + bytes)
		bytes += page_key_bytes(list[run++].depth);
	*ret_key_bytes = bytes;
	return run;
}

/* Items as they are in the elements; runs of an old page are copied whole. */
static void fill_items(struct builder *b, struct page *page, const struct element *list, unsigned n)
{
	uint32_t *child = page_child(page);
	uint16_t *depth = page_depth(page), *split = page_split(page), *at = page_at(page);
	size_t key_bytes = 0;
	unsigned run;

	for (unsigned i = 0; i < n; i++) {
		child[i] = list[i].child;
		depth[i] = list[i].depth;
		at[i] = (uint16_t)key_bytes;
		key_bytes += page_key_bytes(list[i].depth);
	}
	for (unsigned i = 0; i < n; i += run) {
		run = run_of(list + i, n - i, &key_bytes);
		memcpy(page_key(page, i), list[i].key, key_bytes);
		if (list[i].job == NO_JOB)
			memcpy(&page->node[i], list[i].node, run * sizeof(page->node[0]));
		else
			b->jobs[list[i].job].copy = &page->node[i];
		for (unsigned k = i; k < i + run && k + 1 < n; k++)
			split[k] = k + 1 < i + run && list[k].split != UNKNOWN
					   ? list[k].split
					   : (uint16_t)split_of(&list[k], &list[k + 1]);
	}
}

static size_t size_of(const struct element *list, unsigned n)
{
	size_t key_bytes = 0;

	for (unsigned i = 0; i < n; i++)
		key_bytes += page_key_bytes(list[i].depth);
	return page_size(n, key_bytes);
}

/* Makes a page of n elements, to be seen as one element from above. */
static struct element make_page(struct builder *b, const struct element *list, unsigned n,
				uint32_t id)
{
	size_t size = size_of(list, n);
	struct page *page = page_init(slab_local_get(b->slab, size), size, b->ns, n, id, b->seq);
	struct element up = {
		.child = id, .after = list[n - 1].after, .split = UNKNOWN, .dirty = ALL_ABOVE};
	struct shape shape;
	uint32_t job = NO_JOB;

	fill_items(b, page, list, n);
	find_shape(&shape, list, page_split(page), n);
	for (unsigned i = 0; i < shape.n; i++) {
		unsigned gap = shape.order[i];

		job = NO_JOB;
		if (shape.dirty[gap] >= page_split(page)[gap])
			job = add_job(b, page, &shape, gap);
		else
			page_branch(page)[gap] = *list[gap].after;
	}
	/* The last one closed is the root of the page. */
	up.key = page_key(page, 0);
	up.depth = page_split(page)[shape.order[n - 2]];
	up.job = job;
	up.node = &page_branch(page)[shape.order[n - 2]];
	/* The page's own branches may all be clean where what went away stood above its root. */
	if (job == NO_JOB)
		up.dirty = shape.dirty[shape.order[n - 2]];
	add_page(b, page);
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

static int insert_before(struct builder *b, struct writer *w, const struct tree_op *op)
{
	if (op->kind != TREE_INSERT)
		return tree_misfit(b, "an entry to remove or replace isn't there");
	push_leaf(b, op);
	note_pushed(b, w, b->n - 1);
	return RC_OK;
}

static int change_leaf(struct builder *b, struct writer *w, const struct rc_state_node *node,
		       const struct rc_state_node *after, const struct tree_op *op)
{
	if (op->kind == TREE_INSERT)
		return tree_misfit(b, "an entry to insert is there already");
	if (memcmp(&op->before.hash, &node->hash, sizeof(node->hash)) != 0)
		return tree_misfit(b, "an entry's value before isn't the state's");
	if (op->kind == TREE_REMOVE) {
		note_removed(b, w, op->key, 8 * (unsigned)b->key_len);
		return RC_OK;
	}
	push_leaf(b, op);
	b->list[b->n - 1].after = after;
	note_pushed(b, w, b->n - 1);
	return RC_OK;
}

static int update_page(struct builder *b, uint32_t id, size_t lo, size_t hi);

static const struct rc_state_node *branch_after(struct page *page, unsigned i)
{
	return i + 1 < page->n ? &page_branch(page)[i] : NULL;
}

/* Items from … to − 1 stay as they are. */
static void keep_items(struct builder *b, struct writer *w, struct page *page, unsigned from,
		       unsigned to)
{
	size_t first = b->n;

	for (unsigned i = from; i < to; i++)
		*push(b) =
			(struct element){.key = page_key(page, i),
					 .node = &page->node[i],
					 .after = branch_after(page, i),
					 .child = page_child(page)[i],
					 .job = NO_JOB,
					 .depth = page_depth(page)[i],
					 .split = i + 1 < page->n ? page_split(page)[i] : UNKNOWN,
					 .dirty = CLEAN};
	note_pushed(b, w, first);
}

/* Operations lo … hi − 1 go under a child; what comes of it goes to the end of the list. */
static int update_child(struct builder *b, uint32_t child, size_t lo, size_t hi)
{
	bool group = !b->grouped && hi - lo <= GROUP_OPS;
	size_t first = b->n, first_job = b->n_jobs;
	int err;

	b->grouped |= group;
	err = update_page(b, child, lo, hi);
	if (!err) {
		settle(b, first, child);
		if (group)
			err = tree_hash(b, first_job, first);
	}
	if (group)
		b->grouped = false;
	return err;
}

/* The same, taken from who has done it. */
static void take_part(struct builder *b, const struct part *part)
{
	for (size_t i = 0; i < part->b.n; i++)
		*push(b) = part->b.list[i];
}

/* Operations lo … hi − 1 go into item i of the page. */
static int update_item(struct builder *b, struct writer *w, struct page *page, unsigned i,
		       const struct part *part, size_t lo, size_t hi)
{
	const struct rc_state_node *after = branch_after(page, i);
	uint32_t child = page_child(page)[i];
	size_t first = b->n;
	int err = RC_OK;

	if (!child)
		return change_leaf(b, w, &page->node[i], after, &b->op[lo]);
	if (part)
		take_part(b, part);
	else
		err = update_child(b, child, lo, hi);
	if (err)
		return err;
	if (b->n == first)
		note_removed(b, w, page_key(page, i), page_depth(page)[i]);
	else
		b->list[b->n - 1].after = after;
	note_pushed(b, w, first);
	return RC_OK;
}

/* The first item from `from` on that isn't before the key; *ret_in: the key belongs to it. */
static unsigned find_item(struct page *page, unsigned from, const uint8_t *key, bool *ret_in)
{
	unsigned lo = from, hi = page->n;

	*ret_in = false;
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		int c = place(key, page_key(page, mid), page_depth(page)[mid]);

		if (c == 0) {
			*ret_in = true;
			return mid;
		}
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* ---- fetching ahead ---- */

static void fetch(const void *from, size_t len)
{
	for (size_t at = 0; at < len; at += CACHE_LINE)
		__builtin_prefetch((const char *)from + at);
}

/* The page in memory as the version sees it, or NULL: then it must be loaded. */
static struct page *peek(struct builder *b, uint32_t id)
{
	struct page *page =
		atomic_load_explicit(&tree_slot(b->tree, id)->head, memory_order_acquire);

	while (page && page->seq > b->from_seq)
		page = page->older;
	return page && page->n ? page : NULL;
}

/*
 * Walks down with operations lo … hi − 1 from a page on, all of them a level at a time, so that the
 * memory of many pages is fetched at once: one after another they would cost a miss each, several
 * times over. Changes nothing.
 */
static void warm(struct builder *b, uint32_t id, size_t lo, size_t hi)
{
	struct page *page[GROUP_OPS];
	uint32_t at[GROUP_OPS];
	size_t n = hi - lo, left = n;

	for (size_t i = 0; i < n; i++)
		at[i] = id;
	while (left) {
		left = 0;
		for (size_t i = 0; i < n; i++)
			if (at[i])
				__builtin_prefetch(tree_slot(b->tree, at[i]));
		for (size_t i = 0; i < n; i++)
			if (at[i])
				__builtin_prefetch(atomic_load_explicit(
					&tree_slot(b->tree, at[i])->head, memory_order_relaxed));
		for (size_t i = 0; i < n; i++) {
			page[i] = at[i] ? peek(b, at[i]) : NULL;
			if (page[i] && (!i || page[i] != page[i - 1]))
				fetch(page[i], page[i]->size);
		}
		for (size_t i = 0; i < n; i++) {
			bool in = false;
			unsigned item = page[i] ? find_item(page[i], 0, b->op[lo + i].key, &in) : 0;

			at[i] = in ? page_child(page[i])[item] : 0;
			left += at[i] != 0;
		}
	}
	b->warmed = hi;
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
			if (at[i] && !peek(b, at[i]))
				absent[n_absent++] = at[i];
		if (n_absent)
			err = tree_load(b->tree, absent, n_absent, b->error);
		b->missed |= n_absent != 0;
		for (size_t i = 0; !err && i < n; i++) {
			struct page *page = at[i] ? peek(b, at[i]) : NULL;
			bool in = false;
			unsigned item = page ? find_item(page, 0, b->op[i].key, &in) : 0;

			at[i] = in ? page_child(page)[item] : 0;
			left += at[i] != 0;
		}
	}
	return err;
}

/* The page as the version builds on it. */
static int get_page(struct builder *b, uint32_t id, struct page **ret)
{
	struct page *page = peek(b, id);
	int err = RC_OK;

	b->hits += page != NULL;
	b->missed |= !page;
	if (!page)
		err = tree_page(b->tree, id, b->from_seq, &page, b->error);
	if (!err && page->ns != b->ns)
		err = rc_error_set(b->error, RC_EFORMAT, "state: tree page %u is misplaced", id);
	*ret = page;
	return err;
}

/* The first of operations lo … hi − 1 that isn't under an item; op lo is. */
static size_t end_of(const struct builder *b, size_t lo, size_t hi, struct page *page, unsigned i)
{
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (place(b->op[mid].key, page_key(page, i), page_depth(page)[i]) == 0)
			lo = mid;
		else
			hi = mid;
	}
	return hi;
}

/* Writes the new content of a page to the end of the list. */
static int update_page(struct builder *b, uint32_t id, size_t lo, size_t hi)
{
	struct writer w = {b->n, NULL, 0};
	struct part *parts = b->parts;
	struct page *page;
	unsigned next = 0; /* item not looked at yet */
	int err;

	b->parts = NULL; /* they are this page's */
	if (hi > b->warmed && hi - lo > 1 && hi - lo <= GROUP_OPS)
		warm(b, id, lo, hi);
	err = get_page(b, id, &page);
	while (!err && lo < hi) {
		bool in;
		unsigned i = find_item(page, next, b->op[lo].key, &in);
		size_t end = lo + 1;

		keep_items(b, &w, page, next, i);
		next = i;
		if (in) {
			end = end_of(b, lo, hi, page, i);
			err = update_item(b, &w, page, i, parts ? &parts[i] : NULL, lo, end);
			next = i + 1;
		} else {
			err = insert_before(b, &w, &b->op[lo]);
		}
		lo = end;
	}
	if (!err)
		keep_items(b, &w, page, next, page->n);
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
			*push(b) = (struct element){.key = root->key,
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
			err = change_leaf(b, &w, &root->node, NULL, &b->op[i]);
			done = true;
		} else {
			err = insert_before(b, &w, &b->op[i]);
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
}

/* What a part made becomes the builder's. */
static void merge_part(struct builder *b, struct part *part)
{
	for (size_t i = 0; i < part->b.n_pages; i++)
		add_page(b, part->b.pages[i]);
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
	free(b->pages);
	free(b->made);
	free(b->gone);
}

/*~ What is under different items of the first page has nothing in common: threads build and hash
 * it side by side, and the page itself is made of what they hand over. */
static int update_parts(struct builder *b, uint32_t id, size_t n_ops)
{
	struct part part[PAGE_ITEMS] = {0};
	struct page *page;
	int err = get_page(b, id, &page);

	if (err)
		return err;
	for (unsigned i = 0; i < page->n; i++) {
		part[i].child = page_child(page)[i];
		part[i].b = (struct builder){.tree = b->tree,
					     .error = &part[i].error,
					     .op = b->op,
					     .from_seq = b->from_seq,
					     .seq = b->seq,
					     .ns = b->ns,
					     .key_len = b->key_len};
	}
	for (size_t lo = 0, end; lo < n_ops; lo = end) {
		bool in;
		unsigned i = find_item(page, 0, b->op[lo].key, &in);

		end = in ? end_of(b, lo, n_ops, page, i) : lo + 1;
		if (!in || !part[i].child)
			continue;
		part[i].lo = lo;
		part[i].hi = end;
	}
	crew_run(b->tree->crew, page->n, run_part, part);
	for (unsigned i = 0; i < page->n; i++) {
		merge_part(b, &part[i]);
		if (!err && part[i].err) {
			err = part[i].err;
			*b->error = part[i].error;
		}
	}
	b->parts = part;
	if (!err)
		err = update_page(b, id, 0, n_ops);
	for (unsigned i = 0; i < page->n; i++)
		builder_done(&part[i].b);
	return err;
}

static int update_namespace(struct builder *b, const struct tree_root *from, size_t n_ops,
			    struct tree_root *to)
{
	int err = RC_OK;

	b->n = 0;
	b->n_jobs = 0;
	b->warmed = 0;
	b->key_len = rc_state_key_len(b->ns);
	if (from->page && b->tree->cold)
		err = preload(b, from->page, n_ops);
	if (err)
		return err;
	if (from->page && n_ops >= PARALLEL_OPS)
		err = update_parts(b, from->page, n_ops);
	else if (from->page)
		err = update_page(b, from->page, 0, n_ops);
	else
		err = update_leaf(b, from, n_ops);
	if (err)
		return err;
	make_top(b, from->page);
	err = tree_hash(b, 0, 0);
	if (!err)
		set_root(b, to);
	return err;
}

static uint32_t versions_between(uint64_t older, uint64_t seq)
{
	return seq - older < UINT32_MAX ? (uint32_t)(seq - older) : UINT32_MAX;
}

/* New copies become visible to readers of seq and later; nobody has that number yet. */
static void publish(struct builder *b, struct tree_change *change)
{
	change->touched = rc_alloc_array(b->n_pages, sizeof(uint32_t));
	change->replaced = rc_alloc_array(b->n_pages, sizeof(struct slab_block));
	pthread_mutex_lock(&b->tree->lock);
	for (size_t i = 0; i < b->n_pages; i++) {
		struct page *page = b->pages[i];
		struct tree_slot *slot = tree_slot(b->tree, page->id);

		page->older = atomic_load(&slot->head);
		if (page->older)
			change->replaced[change->n_replaced++] =
				(struct slab_block){page->older, page->older->size,
						    versions_between(page->older->seq, b->seq)};
		atomic_store_explicit(&slot->used, 1, memory_order_relaxed);
		atomic_store_explicit(&slot->head, page, memory_order_release);
		change->touched[i] = page->id;
		change->bytes += page->size;
	}
	pthread_mutex_unlock(&b->tree->lock);
	change->n_touched = b->n_pages;
	change->made = b->made;
	change->n_made = b->n_made;
	change->gone = b->gone;
	change->n_gone = b->n_gone;
	b->made = b->gone = NULL;
}

static void discard(struct builder *b)
{
	for (size_t i = 0; i < b->n_pages; i++)
		page_free(&b->tree->slab, b->pages[i]);
	pthread_mutex_lock(&b->tree->lock);
	for (size_t i = 0; i < b->n_made; i++)
		tree_give_back_id(b->tree, b->made[i]);
	pthread_mutex_unlock(&b->tree->lock);
}

static void set_updating(struct tree *tree, bool updating)
{
	pthread_mutex_lock(&tree->lock);
	tree->updating = updating;
	pthread_mutex_unlock(&tree->lock);
}

int tree_update(struct tree *tree, uint64_t from_seq, uint64_t seq, const struct tree_roots *from,
		const struct tree_ops ops[TREE_NAMESPACES], struct tree_roots *ret_roots,
		struct tree_change *ret_change, struct rc_error *error)
{
	struct builder b = {.tree = tree, .error = error, .from_seq = from_seq, .seq = seq};
	struct tree_roots roots = *from;
	int err = RC_OK;

	b.slab = &tree->local[0];
	set_updating(tree, true);
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
		publish(&b, ret_change);
		*ret_roots = roots;
	}
	set_updating(tree, false);
	tree->cold = b.missed;
	for (unsigned i = 0; i < CREW_MAX; i++)
		slab_local_done(&tree->local[i]);
	atomic_fetch_add(&tree->hits, b.hits);
	builder_done(&b);
	tree_trim(tree);
	return err;
}
