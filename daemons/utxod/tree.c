/* Versions of pages: finding a reader's copy, publishing, releasing, memory. */
#include "daemons/utxod/tree_internal.h"

#include <assert.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* Slots passed with the lock held: a millisecond, and a few where most of them have a page to move.
 */
#define SLICE 65536

/* Memory between pages that is left to them; packing begins two chunks later, since the newest is
 * being cut and one may be nearly empty. */
#define SPARE(limit)	     ((int64_t)(limit) / 32)
#define WORTH_PACKING(limit) (SPARE(limit) + (int64_t)(2 * SLAB_CHUNK))
/* Of n chunks, those emptied in one pass: they are held until it ends. */
#define PACK_CHUNKS(n) ((n) / 16 + 2)

struct tree *tree_new(struct disk *disk, size_t limit, uint32_t next_id, const uint32_t *free_ids,
		      size_t n_free)
{
	struct tree *tree = rc_alloc(sizeof(*tree));

	tree->disk = disk;
	tree->limit = limit;
	tree->next_id = next_id ? next_id : 1; /* 0 says "a leaf" */
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
	free(change->patch);
	free(change->made);
	free(change->gone);
	free(change->block);
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

void tree_set_updating(struct tree *tree, bool updating)
{
	pthread_mutex_lock(&tree->lock);
	tree->updating = updating;
	pthread_mutex_unlock(&tree->lock);
}

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

/* The slot of the first page of a chunk that is asked for. */
struct tree_slot *tree_new_slots(struct tree *tree, uint32_t id)
{
	_Atomic(struct tree_slot *) *place = &tree->chunk[id >> SLOT_CHUNK_BITS];
	struct tree_slot *chunk = NULL, *fresh = rc_alloc_array(SLOT_CHUNK, sizeof(*fresh));

	if (atomic_compare_exchange_strong(place, &chunk, fresh))
		chunk = fresh;
	else
		free(fresh);
	return &chunk[id & (SLOT_CHUNK - 1)];
}

/* As long as a page takes to be copied. */
static void hold(struct tree_slot *slot)
{
	while (atomic_exchange_explicit(&slot->held, true, memory_order_acquire))
		sched_yield();
}

static void let_go(struct tree_slot *slot)
{
	atomic_store_explicit(&slot->held, false, memory_order_release);
}

/* ---- from the disk ---- */

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

/* Into memory, unless somebody was faster: then that page is the truth. */
static void install(struct tree *tree, struct page *page)
{
	struct tree_slot *slot = tree_slot(tree, page->id);

	hold(slot);
	if (atomic_load(&slot->head)) {
		page_free(&tree->slab, page);
	} else {
		atomic_store_explicit(&slot->used, 1, memory_order_relaxed);
		atomic_store_explicit(&slot->head, page, memory_order_release);
	}
	let_go(slot);
	atomic_fetch_add_explicit(&tree->loads, 1, memory_order_relaxed);
	atomic_store_explicit(&tree->in_vain, 0, memory_order_relaxed);
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

static void note_used(struct tree_slot *slot)
{
	if (!atomic_load_explicit(&slot->used, memory_order_relaxed))
		atomic_store_explicit(&slot->used, 1, memory_order_relaxed);
}

int tree_page(struct tree *tree, uint32_t id, struct page **ret, struct rc_error *error)
{
	struct tree_slot *slot = tree_slot(tree, id);
	struct page *page;
	int err = RC_OK;

	while (!err && !(page = atomic_load_explicit(&slot->head, memory_order_acquire))) {
		err = load(tree, id, &page, error);
		if (!err)
			install(tree, page);
	}
	if (!err && !page->order.n)
		err = rc_error_set(error, RC_EFORMAT, "state: tree page %u isn't there", id);
	if (!err) {
		note_used(slot);
		*ret = page;
	}
	return err;
}

/* ---- readers ---- */

struct page_copy {
	struct page_copy *below;
	union {
		struct page page;
		uint64_t room[(PAGE_SIZE_MAX + 7) / 8];
	};
};

void tree_reader_init(struct tree_reader *reader, struct tree *tree, uint64_t seq)
{
	*reader = (struct tree_reader){.tree = tree, .seq = seq};
}

static void free_copies(struct page_copy *copy)
{
	while (copy) {
		struct page_copy *below = copy->below;

		free(copy);
		copy = below;
	}
}

void tree_reader_done(struct tree_reader *reader)
{
	free_copies(reader->top);
	free_copies(reader->spare);
	reader->top = reader->spare = NULL;
	/* Where no block comes for long, nobody else does. */
	if (reader->loaded)
		tree_trim(reader->tree);
	reader->loaded = false;
}

struct page_copy *tree_reader_mark(const struct tree_reader *reader)
{
	return reader->top;
}

void tree_reader_back(struct tree_reader *reader, struct page_copy *mark)
{
	while (reader->top != mark) {
		struct page_copy *copy = reader->top;

		reader->top = copy->below;
		copy->below = reader->spare;
		reader->spare = copy;
	}
}

/* The page as version seq sees it, into PAGE_SIZE_MAX bytes; false: it isn't in memory, or, with
 * order.n 0 in the copy, not in that version. */
static bool copy_page(struct tree_slot *slot, uint64_t seq, struct page *copy)
{
	const struct page *page;
	bool there;

	hold(slot);
	page = atomic_load_explicit(&slot->head, memory_order_acquire);
	there = page != NULL;
	copy->order.n = 1;
	if (there)
		memcpy(copy, page, page->size);
	while (there && copy->seq > seq) {
		there = patch_step_back(copy);
		if (!there)
			copy->order.n = 0;
	}
	let_go(slot);
	return there && copy->order.n;
}

static int read_page(struct tree_reader *reader, uint32_t id, struct page *copy,
		     struct rc_error *error)
{
	struct tree *tree = reader->tree;
	struct tree_slot *slot = tree_slot(tree, id);

	while (!copy_page(slot, reader->seq, copy)) {
		struct page *page;
		int err;

		if (!copy->order.n)
			return rc_error_set(error, RC_EFORMAT,
					    "state: tree page %u isn't there in version %llu", id,
					    (unsigned long long)reader->seq);
		err = load(tree, id, &page, error);
		if (err)
			return err;
		install(tree, page);
		reader->loaded = true;
	}
	note_used(slot);
	atomic_fetch_add_explicit(&tree->hits, 1, memory_order_relaxed);
	return RC_OK;
}

static void node_of_items(const struct page *page, unsigned lo, unsigned hi, struct tree_node *ret)
{
	unsigned gap = page_root_gap(page, lo, hi);

	*ret = (struct tree_node){.node = *page_branch(page, gap),
				  .key = page_item(page, lo)->key,
				  .depth = page->order.split[gap],
				  .page = page,
				  .lo = (uint16_t)lo,
				  .hi = (uint16_t)hi};
}

static int node_of_page(struct tree_reader *reader, uint32_t id, struct tree_node *ret,
			struct rc_error *error)
{
	struct page_copy *copy = reader->spare;
	int err;

	if (copy)
		reader->spare = copy->below;
	else
		copy = rc_alloc(sizeof(*copy));
	copy->below = reader->top;
	reader->top = copy;
	err = read_page(reader, id, &copy->page, error);
	if (!err)
		node_of_items(&copy->page, 0, copy->page.order.n - 1u, ret);
	return err;
}

int tree_top(struct tree_reader *reader, const struct tree_roots *roots, unsigned ns, bool *ret_any,
	     struct tree_node *ret_node, struct rc_error *error)
{
	const struct tree_root *root = &roots->ns[ns - 1];

	*ret_any = root->depth != TREE_EMPTY;
	if (!*ret_any)
		return RC_OK;
	if (root->page)
		return node_of_page(reader, root->page, ret_node, error);
	*ret_node = (struct tree_node){
		.node = root->node, .key = root->key, .depth = root->depth, .leaf = true};
	return RC_OK;
}

static int side(struct tree_reader *reader, const struct page *page, unsigned lo, unsigned hi,
		struct tree_node *ret, struct rc_error *error)
{
	const struct page_slot *item = page_item(page, lo);

	if (lo < hi) {
		node_of_items(page, lo, hi, ret);
		return RC_OK;
	}
	if (item->child)
		return node_of_page(reader, item->child, ret, error);
	*ret = (struct tree_node){
		.node = item->node, .key = item->key, .depth = item->depth, .leaf = true};
	return RC_OK;
}

int tree_sides(struct tree_reader *reader, const struct tree_node *branch,
	       struct tree_node *ret_left, struct tree_node *ret_right, struct rc_error *error)
{
	const struct page *page = branch->page;
	unsigned lo = branch->lo, hi = branch->hi, gap = page_root_gap(page, lo, hi);
	int err = side(reader, page, lo, gap, ret_left, error);

	return err ? err : side(reader, page, gap + 1, hi, ret_right, error);
}

/* ---- versions ---- */

void tree_apply(struct tree *tree, struct patch *patch)
{
	struct tree_slot *slot = tree_slot(tree, patch->id);
	struct page *page, *other = patch->page;

	hold(slot);
	page = atomic_load_explicit(&slot->head, memory_order_relaxed);
	if (patch->whole) {
		other->undo = patch;
		patch->page = page;
		atomic_store_explicit(&slot->head, other, memory_order_release);
	} else {
		patch_apply(patch, page);
	}
	let_go(slot);
	patch->applied = true;
	note_used(slot);
}

void tree_unapply(struct tree *tree, struct patch *patch)
{
	struct tree_slot *slot = tree_slot(tree, patch->id);
	struct page *page;

	hold(slot);
	page = atomic_load_explicit(&slot->head, memory_order_relaxed);
	if (patch->whole)
		atomic_store_explicit(&slot->head, patch->page, memory_order_release);
	else
		patch_undo(patch, page);
	let_go(slot);
	if (patch->whole)
		page_free(&tree->slab, page);
}

void tree_drop(struct tree *tree, uint64_t seq, struct tree_change *change)
{
	(void)seq;
	tree_set_updating(tree, true);
	for (size_t i = 0; i < change->n_touched; i++)
		tree_unapply(tree, change->patch[i]);
	/* Of the blocks, the pages are in their places again. */
	slab_put_many(&tree->slab, change->block, change->n_chunks);
	change->n_blocks = change->n_chunks = 0;
	pthread_mutex_lock(&tree->lock);
	for (size_t i = 0; i < change->n_made; i++)
		tree_give_back_id(tree, change->made[i]);
	tree->updating = false;
	pthread_mutex_unlock(&tree->lock);
	/* Pages are as the disk has them again. */
	atomic_store(&tree->in_vain, 0);
}

/*~ The pages aren't looked at, which would be a miss of the CPU's cache for each: they may keep a
 * pointer to a patch that is gone, since nobody asks them for a version so old. */
void tree_release(struct tree *tree, uint64_t seq, struct tree_change *change)
{
	slab_put_many(&tree->slab, change->block, change->n_blocks);
	change->n_blocks = change->n_chunks = 0;
	pthread_mutex_lock(&tree->lock);
	tree->released = seq;
	pthread_mutex_unlock(&tree->lock);
}

/* ---- disk and memory ---- */

void tree_put(struct tree *tree, uint64_t seq, const uint32_t *ids, size_t n)
{
	RC_AUTOFREE uint32_t *sorted = rc_memdup(ids, n * sizeof(*ids));
	RC_AUTOFREE struct page_copy *copy = rc_alloc(sizeof(*copy));
	struct rc_buf buf = RC_BUF_INIT;

	qsort(sorted, n, sizeof(*sorted), compare_ids);
	for (size_t i = 0; i < n; i++) {
		uint8_t key[PAGE_KEY_SIZE];

		if (i && sorted[i] == sorted[i - 1])
			continue;
		page_disk_key(sorted[i], key);
		/* In memory it is: it can't be dropped before it is flushed. */
		if (!copy_page(tree_slot(tree, sorted[i]), seq, &copy->page)) {
			assert(!copy->page.order.n);
			tree->disk->ops->del(tree->disk, key, sizeof(key));
			continue;
		}
		rc_buf_clear(&buf);
		page_encode(&copy->page, &buf);
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
	if (!page->order.n)
		return true; /* a tombstone that the disk has heard of */
	if (!atomic_load_explicit(&slot->used, memory_order_relaxed))
		return true;
	atomic_store_explicit(&slot->used, 0, memory_order_relaxed);
	return false;
}

/* Bytes in use beyond the limit; and beyond what leaves room for the next version. */
static int64_t over(const struct tree *tree)
{
	return (int64_t)(atomic_load(&tree->slab.live) + atomic_load(&tree->beside) +
			 tree->next_id * sizeof(struct tree_slot)) -
	       (int64_t)tree->limit;
}

static int64_t too_much(const struct tree *tree)
{
	return over(tree) + (int64_t)tree->room + SPARE(tree->limit);
}

bool tree_over(const struct tree *tree)
{
	return over(tree) > 0;
}

void tree_beside(struct tree *tree, size_t bytes)
{
	atomic_store(&tree->beside, bytes);
}

static void drop_page(struct tree *tree, struct tree_slot *slot, struct page *page)
{
	atomic_store_explicit(&slot->head, NULL, memory_order_release);
	page_free(&tree->slab, page);
	atomic_fetch_add_explicit(&tree->drops, 1, memory_order_relaxed);
}

static void move_page(struct tree *tree, struct tree_slot *slot, struct page *page)
{
	struct page *to = slab_get(&tree->slab, page->size);

	memcpy(to, page, page->size);
	atomic_store_explicit(&slot->head, to, memory_order_release);
	page_free(&tree->slab, page);
}

/*
 * With the lock held. As the state grows its pages change their sizes, and patches come and go with
 * each block: where more lies idle between them than that needs, some chunks are closed, and a pass
 * over all slots takes the pages out of them. The rest, patches and pages that others took the
 * place of, goes with its version.
 */
static void pack_slice(struct tree *tree)
{
	size_t held = atomic_load(&tree->slab.held), live = atomic_load(&tree->slab.live);
	int64_t idle = held > live ? (int64_t)(held - live) : 0;

	tree->spare = idle < tree->spare ? idle : tree->spare + (idle - tree->spare) / 8;
	if (!tree->packing && tree->spare > WORTH_PACKING(tree->limit)) {
		size_t n = PACK_CHUNKS(held / SLAB_CHUNK), closed = atomic_load(&tree->slab.closed);

		/* Those of before that somebody still has something in count. */
		if (n > closed)
			slab_close(&tree->slab, n - closed);
		tree->packing = 1;
	}
	for (uint32_t left = SLICE; left && tree->packing; left--) {
		struct tree_slot *slot = tree_slot(tree, tree->packing);
		struct page *page = atomic_load_explicit(&slot->head, memory_order_acquire);

		if (page && slab_is_closed(page)) {
			hold(slot);
			page = atomic_load_explicit(&slot->head, memory_order_acquire);
			if (too_much(tree) > 0 && droppable(tree, slot, page))
				drop_page(tree, slot, page);
			else
				move_page(tree, slot, page);
			let_go(slot);
		}
		if (++tree->packing >= tree->next_id)
			tree->packing = 0;
	}
}

/* With the lock held: the clock's hand passes a slice of the slots. */
static void trim_slice(struct tree *tree)
{
	uint64_t stable = tree->flushed < tree->released ? tree->flushed : tree->released;
	int64_t dropping = too_much(tree);
	uint64_t in_vain;

	if (stable != tree->stable)
		atomic_store(&tree->in_vain, 0);
	tree->stable = stable;
	in_vain = atomic_load(&tree->in_vain);
	/* After two rounds nothing is new, until pages are loaded, flushed or taken back. */
	for (uint32_t left = SLICE; left && dropping > 0 && in_vain < 2 * (uint64_t)tree->next_id;
	     left--) {
		struct tree_slot *slot;
		struct page *page;

		in_vain++;
		tree->hand = tree->hand + 1 < tree->next_id ? tree->hand + 1 : 1;
		slot = tree_slot(tree, tree->hand);
		if (!atomic_load(&slot->head))
			continue;
		/* Held: a reader may be copying it. */
		hold(slot);
		page = atomic_load(&slot->head);
		if (droppable(tree, slot, page)) {
			dropping -= page->size;
			drop_page(tree, slot, page);
			in_vain = 0;
		}
		let_go(slot);
	}
	atomic_store(&tree->in_vain, in_vain);
}

/* A round at most: ten million coins have a million slots, of which one in ten has a page in
 * memory; what a block loads has to go before the next ones have loaded as much as there may be. */
void tree_trim(struct tree *tree)
{
	bool go_on = true;

	for (uint64_t from = 0; go_on; from += SLICE) {
		/* Who waits for the lock gets it between slices. */
		pthread_mutex_lock(&tree->lock);
		if (!tree->updating) {
			trim_slice(tree);
			pack_slice(tree);
		}
		go_on = from + SLICE < tree->next_id && !tree->updating &&
			(tree->packing || too_much(tree) > 0);
		pthread_mutex_unlock(&tree->lock);
	}
}

void tree_figures(struct tree *tree, struct tree_figures *ret)
{
	*ret = (struct tree_figures){.bytes = atomic_load(&tree->slab.live),
				     .held = atomic_load(&tree->slab.held),
				     .hits = atomic_load(&tree->hits),
				     .loads = atomic_load(&tree->loads),
				     .drops = atomic_load(&tree->drops),
				     .hashes = atomic_load(&tree->hashes)};
}
