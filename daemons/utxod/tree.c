/* Versions of pages: finding a reader's copy, publishing, releasing, memory. */
#include "daemons/utxod/tree_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Slots the clock's hand passes in one call, so that the lock is never held long. */
#define TRIM_SLICE 65536

struct tree *tree_new(struct disk *disk, size_t limit, uint32_t next_id, const uint32_t *free_ids,
		      size_t n_free)
{
	struct tree *tree = rc_alloc(sizeof(*tree));

	tree->disk = disk;
	tree->limit = limit;
	tree->next_id = next_id ? next_id : 1; /* 0 says "a leaf" */
	tree->epoch = 1;
	tree->cold = true;
	slab_init(&tree->slab);
	for (unsigned i = 0; i < CREW_MAX; i++)
		tree->local[i].slab = &tree->slab;
	tree->crew = crew_new("tree");
	pthread_mutex_init(&tree->lock, NULL);
	for (size_t i = 0; i < n_free; i++)
		tree_give_back_id(tree, free_ids[i]);
	return tree;
}

void tree_free(struct tree *tree)
{
	if (!tree)
		return;
	while (tree->limbo) {
		struct tree_limbo *l = tree->limbo;

		tree->limbo = l->next;
		free(l);
	}
	for (uint32_t i = 0; i < SLOT_CHUNKS; i++)
		free(atomic_load(&tree->chunk[i]));
	crew_free(tree->crew);
	slab_done(&tree->slab);
	free(tree->free_ids);
	pthread_mutex_destroy(&tree->lock);
	free(tree);
}

void tree_change_done(struct tree_change *change)
{
	free(change->touched);
	free(change->made);
	free(change->gone);
	free(change->replaced);
	*change = (struct tree_change){0};
}

void tree_roots_init(struct tree_roots *roots)
{
	memset(roots, 0, sizeof(*roots));
	for (unsigned i = 0; i < TREE_NAMESPACES; i++)
		roots->ns[i].depth = TREE_EMPTY;
}

void tree_state_root(const struct tree_roots *roots, struct rc_hash *ret_root)
{
	struct rc_hash hash[RC_STATE_NAMESPACES] = {0};

	for (unsigned i = 0; i < TREE_NAMESPACES; i++)
		if (roots->ns[i].depth != TREE_EMPTY)
			hash[i] = roots->ns[i].node.hash;
	rc_state_root(hash, ret_root);
}

/* ---- ids and slots ---- */

uint32_t tree_take_id(struct tree *tree)
{
	return tree->n_free ? tree->free_ids[--tree->n_free] : tree->next_id++;
}

void tree_give_back_id(struct tree *tree, uint32_t id)
{
	if (tree->n_free == tree->cap_free) {
		tree->cap_free = tree->cap_free ? 2 * tree->cap_free : 64;
		tree->free_ids = rc_realloc_array(tree->free_ids, tree->cap_free, sizeof(uint32_t));
	}
	tree->free_ids[tree->n_free++] = id;
}

struct tree_slot *tree_slot(struct tree *tree, uint32_t id)
{
	_Atomic(struct tree_slot *) *place = &tree->chunk[id >> SLOT_CHUNK_BITS];
	struct tree_slot *chunk = atomic_load_explicit(place, memory_order_acquire);

	if (!chunk) {
		struct tree_slot *fresh = rc_alloc_array(SLOT_CHUNK, sizeof(*fresh));

		if (atomic_compare_exchange_strong(place, &chunk, fresh))
			chunk = fresh;
		else
			free(fresh);
	}
	return &chunk[id & (SLOT_CHUNK - 1)];
}

/* ---- readers ---- */

uint64_t tree_enter(struct tree *tree)
{
	unsigned i = 0;

	pthread_mutex_lock(&tree->lock);
	while (i < TREE_TICKETS && tree->ticket[i])
		i++;
	assert(i < TREE_TICKETS); /* threads are counted when they are made */
	tree->ticket[i] = tree->epoch;
	pthread_mutex_unlock(&tree->lock);
	return i;
}

/* With the lock held: frees what no reader can look at any more. */
static void empty_limbo(struct tree *tree)
{
	uint64_t oldest = UINT64_MAX;
	struct tree_limbo **link = &tree->limbo;

	for (unsigned i = 0; i < TREE_TICKETS; i++)
		if (tree->ticket[i] && tree->ticket[i] < oldest)
			oldest = tree->ticket[i];
	while (*link) {
		struct tree_limbo *l = *link;

		if (l->epoch >= oldest) {
			link = &l->next;
			continue;
		}
		*link = l->next;
		page_free(&tree->slab, l->page);
		free(l);
	}
}

void tree_leave(struct tree *tree, uint64_t ticket)
{
	pthread_mutex_lock(&tree->lock);
	tree->ticket[ticket] = 0;
	if (tree->limbo)
		empty_limbo(tree);
	pthread_mutex_unlock(&tree->lock);
}

/* With the lock held: out of its chain, freed when today's readers are gone. */
static void retire(struct tree *tree, struct page *page)
{
	struct tree_limbo *l = rc_alloc(sizeof(*l));

	l->page = page;
	l->epoch = tree->epoch++;
	l->next = tree->limbo;
	tree->limbo = l;
}

static int load(struct tree *tree, uint32_t id, struct page **ret, struct rc_error *error)
{
	uint8_t key[PAGE_KEY_SIZE];
	struct rc_buf buf = RC_BUF_INIT;
	int err;

	page_disk_key(id, key);
	err = tree->disk->ops->get(tree->disk, key, sizeof(key), &buf, error);
	if (err == RC_ENOENT)
		err = rc_error_set(error, RC_EFORMAT, "state: tree page %u is missing", id);
	if (!err) {
		*ret = page_decode(&tree->slab, (struct rc_bytes){buf.data, buf.len}, id);
		if (!*ret)
			err = rc_error_set(error, RC_EFORMAT, "state: tree page %u is damaged", id);
	}
	rc_buf_done(&buf);
	return err;
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Pages being loaded together. */
struct loading {
	struct tree *tree;
	const uint32_t *ids;
	size_t found;
	bool damaged;
};

/* Into memory, unless somebody was faster: then that chain is the truth. */
static void install(struct tree *tree, struct page *page)
{
	struct tree_slot *slot = tree_slot(tree, page->id);

	pthread_mutex_lock(&tree->lock);
	if (atomic_load(&slot->head)) {
		page_free(&tree->slab, page);
	} else {
		atomic_store_explicit(&slot->used, 1, memory_order_relaxed);
		atomic_store_explicit(&slot->head, page, memory_order_release);
	}
	pthread_mutex_unlock(&tree->lock);
	atomic_fetch_add_explicit(&tree->loads, 1, memory_order_relaxed);
}

static void on_page(void *arg, size_t i, struct rc_bytes value)
{
	struct loading *l = arg;
	struct page *page = page_decode(&l->tree->slab, value, l->ids[i]);

	l->found++;
	if (page)
		install(l->tree, page);
	else
		l->damaged = true;
}

int tree_load(struct tree *tree, uint32_t *ids, size_t n, struct rc_error *error)
{
	RC_AUTOFREE uint8_t(*key)[PAGE_KEY_SIZE] = rc_alloc_array(n, PAGE_KEY_SIZE);
	RC_AUTOFREE struct rc_bytes *keys = rc_alloc_array(n, sizeof(*keys));
	struct loading l = {.tree = tree, .ids = ids};
	size_t unique = 0;
	int err;

	qsort(ids, n, sizeof(*ids), compare_ids);
	for (size_t i = 0; i < n; i++)
		if (!i || ids[i] != ids[unique - 1])
			ids[unique++] = ids[i];
	for (size_t i = 0; i < unique; i++) {
		page_disk_key(ids[i], key[i]);
		keys[i] = (struct rc_bytes){key[i], PAGE_KEY_SIZE};
	}
	err = tree->disk->ops->multi_get(tree->disk, keys, unique, on_page, &l, error);
	if (!err && (l.damaged || l.found != unique))
		err = rc_error_set(error, RC_EFORMAT, "state: a tree page is %s",
				   l.damaged ? "damaged" : "missing");
	return err;
}

int tree_page(struct tree *tree, uint32_t id, uint64_t seq, struct page **ret,
	      struct rc_error *error)
{
	struct tree_slot *slot = tree_slot(tree, id);

	for (;;) {
		struct page *page = atomic_load_explicit(&slot->head, memory_order_acquire);
		bool newer = page != NULL;
		int err;

		while (page && page->seq > seq)
			page = page->older;
		if (page && page->n) {
			if (!atomic_load_explicit(&slot->used, memory_order_relaxed))
				atomic_store_explicit(&slot->used, 1, memory_order_relaxed);
			atomic_fetch_add_explicit(&tree->hits, 1, memory_order_relaxed);
			*ret = page;
			return RC_OK;
		}
		if (newer)
			return rc_error_set(error, RC_EFORMAT,
					    "state: tree page %u isn't there in version %llu", id,
					    (unsigned long long)seq);
		err = load(tree, id, &page, error);
		if (err)
			return err;
		install(tree, page);
	}
}

static void node_of_items(struct page *page, unsigned lo, unsigned hi, struct tree_node *ret)
{
	unsigned gap = page_root_gap(page, lo, hi);

	*ret = (struct tree_node){.node = page_branch(page)[gap],
				  .key = page_key(page, lo),
				  .depth = page_split(page)[gap],
				  .page = page,
				  .lo = (uint16_t)lo,
				  .hi = (uint16_t)hi};
}

static int node_of_page(struct tree *tree, uint64_t seq, uint32_t id, struct tree_node *ret,
			struct rc_error *error)
{
	struct page *page;
	int err = tree_page(tree, id, seq, &page, error);

	if (!err)
		node_of_items(page, 0, page->n - 1u, ret);
	return err;
}

int tree_top(struct tree *tree, uint64_t seq, const struct tree_roots *roots, unsigned ns,
	     bool *ret_any, struct tree_node *ret_node, struct rc_error *error)
{
	const struct tree_root *root = &roots->ns[ns - 1];

	*ret_any = root->depth != TREE_EMPTY;
	if (!*ret_any)
		return RC_OK;
	if (root->page)
		return node_of_page(tree, seq, root->page, ret_node, error);
	*ret_node = (struct tree_node){
		.node = root->node, .key = root->key, .depth = root->depth, .leaf = true};
	return RC_OK;
}

static int side(struct tree *tree, uint64_t seq, struct page *page, unsigned lo, unsigned hi,
		struct tree_node *ret, struct rc_error *error)
{
	if (lo < hi) {
		node_of_items(page, lo, hi, ret);
		return RC_OK;
	}
	if (page_child(page)[lo])
		return node_of_page(tree, seq, page_child(page)[lo], ret, error);
	*ret = (struct tree_node){.node = page->node[lo],
				  .key = page_key(page, lo),
				  .depth = page_depth(page)[lo],
				  .leaf = true};
	return RC_OK;
}

int tree_sides(struct tree *tree, uint64_t seq, const struct tree_node *branch,
	       struct tree_node *ret_left, struct tree_node *ret_right, struct rc_error *error)
{
	struct page *page = branch->page;
	unsigned lo = branch->lo, hi = branch->hi, gap = page_root_gap(page, lo, hi);
	int err = side(tree, seq, page, lo, gap, ret_left, error);

	return err ? err : side(tree, seq, page, gap + 1, hi, ret_right, error);
}

/* ---- versions ---- */

void tree_drop(struct tree *tree, uint64_t seq, const struct tree_change *change)
{
	pthread_mutex_lock(&tree->lock);
	for (size_t i = 0; i < change->n_touched; i++) {
		struct tree_slot *slot = tree_slot(tree, change->touched[i]);
		struct page *page = atomic_load(&slot->head);

		assert(page && page->seq == seq);
		atomic_store_explicit(&slot->head, page->older, memory_order_release);
		retire(tree, page);
	}
	for (size_t i = 0; i < change->n_made; i++)
		tree_give_back_id(tree, change->made[i]);
	empty_limbo(tree);
	pthread_mutex_unlock(&tree->lock);
}

/*~ The pages that stay aren't looked at, which would be a miss of the CPU's cache for each: their
 * pointers to the copies that go may remain, since nobody follows them from a version so old. */
void tree_release(struct tree *tree, uint64_t seq, const struct tree_change *change)
{
	slab_put_many(&tree->slab, change->replaced, change->n_replaced);
	pthread_mutex_lock(&tree->lock);
	tree->released = seq;
	pthread_mutex_unlock(&tree->lock);
}

/* ---- disk and memory ---- */

void tree_put(struct tree *tree, uint64_t seq, const uint32_t *ids, size_t n)
{
	RC_AUTOFREE uint32_t *sorted = rc_memdup(ids, n * sizeof(*ids));
	struct rc_buf buf = RC_BUF_INIT;

	qsort(sorted, n, sizeof(*sorted), compare_ids);
	for (size_t i = 0; i < n; i++) {
		struct page *page = atomic_load_explicit(&tree_slot(tree, sorted[i])->head,
							 memory_order_acquire);
		uint8_t key[PAGE_KEY_SIZE];

		if (i && sorted[i] == sorted[i - 1])
			continue;
		while (page && page->seq > seq)
			page = page->older;
		assert(page); /* it can't be dropped before it is flushed */
		page_disk_key(sorted[i], key);
		if (!page->n) {
			tree->disk->ops->del(tree->disk, key, sizeof(key));
			continue;
		}
		rc_buf_clear(&buf);
		page_encode(page, &buf);
		tree->disk->ops->put(tree->disk, key, sizeof(key), buf.data, buf.len);
	}
	rc_buf_done(&buf);
}

void tree_flushed(struct tree *tree, uint64_t seq, const uint32_t *gone, size_t n_gone)
{
	pthread_mutex_lock(&tree->lock);
	tree->flushed = seq;
	for (size_t i = 0; i < n_gone; i++)
		tree_give_back_id(tree, gone[i]);
	pthread_mutex_unlock(&tree->lock);
}

uint32_t tree_free_ids(struct tree *tree, struct rc_buf *buf)
{
	uint32_t next;

	pthread_mutex_lock(&tree->lock);
	for (size_t i = 0; i < tree->n_free; i++)
		rc_buf_put_le32(buf, tree->free_ids[i]);
	next = tree->next_id;
	pthread_mutex_unlock(&tree->lock);
	return next;
}

/* With the lock held: whether the disk has what this page says, and no older reader needs it. */
static bool droppable(const struct tree *tree, struct tree_slot *slot, const struct page *page)
{
	if (page->seq > tree->released || page->seq > tree->flushed)
		return false;
	if (!page->n)
		return true; /* a tombstone that the disk has heard of */
	if (!atomic_load_explicit(&slot->used, memory_order_relaxed))
		return true;
	atomic_store_explicit(&slot->used, 0, memory_order_relaxed);
	return false;
}

void tree_trim(struct tree *tree)
{
	uint32_t left = TRIM_SLICE;
	int64_t dropping;

	pthread_mutex_lock(&tree->lock);
	empty_limbo(tree);
	dropping = (int64_t)atomic_load(&tree->slab.live) - (int64_t)tree->limit;
	for (; left && !tree->updating && dropping > 0; left--) {
		struct tree_slot *slot;
		struct page *page;

		tree->hand = tree->hand + 1 < tree->next_id ? tree->hand + 1 : 1;
		slot = tree_slot(tree, tree->hand);
		page = atomic_load(&slot->head);
		if (!page || !droppable(tree, slot, page))
			continue;
		atomic_store_explicit(&slot->head, NULL, memory_order_release);
		dropping -= page->size;
		retire(tree, page);
		atomic_fetch_add_explicit(&tree->drops, 1, memory_order_relaxed);
	}
	empty_limbo(tree);
	pthread_mutex_unlock(&tree->lock);
}

void tree_figures(struct tree *tree, struct tree_figures *ret)
{
	*ret = (struct tree_figures){.bytes = atomic_load(&tree->slab.live),
				     .hits = atomic_load(&tree->hits),
				     .loads = atomic_load(&tree->loads),
				     .drops = atomic_load(&tree->drops),
				     .hashes = atomic_load(&tree->hashes)};
}
