/* Memory of pages: chunks that are closed and go; a tree that is packed beside its readers. */
#include "rc_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "daemons/utxod/slab.h"
#include "daemons/utxod/tree_internal.h"
#include "tree_rig.h"

/* ---- blocks ---- */

struct held_block {
	uint64_t *at;
	size_t size;
	uint64_t mark;
};

static void take(struct slab *slab, const struct rc_random *random, size_t size,
		 struct held_block *ret)
{
	ret->at = slab_get(slab, size);
	ret->size = size;
	ret->mark = rc_random_u64(random);
	for (size_t i = 0; i < size / 8; i++)
		ret->at[i] = ret->mark + i;
}

static void expect_whole(const struct held_block *block)
{
	for (size_t i = 0; i < block->size / 8; i++)
		assert_true(block->at[i] == block->mark + i);
}

static void give(struct slab *slab, struct held_block *block)
{
	expect_whole(block);
	slab_put(slab, block->at, block->size);
}

/* Blocks of one size after those of another: what is closed isn't handed out, and goes with its
 * last block; what is in use stays as it is. */
static void test_closing(void **state)
{
	enum { BLOCKS = 20000 };
	struct held_block *block = rc_alloc_array(BLOCKS, sizeof(*block));
	struct rc_test_random r;
	struct slab slab;
	size_t held, n = 0;

	(void)state;
	rc_test_random_init(&r);
	slab_init(&slab);
	assert_int_equal(slab_close(&slab, 10), 0);
	for (size_t i = 0; i < BLOCKS; i++)
		take(&slab, &r.random, 1024, &block[i]);
	held = atomic_load(&slab.held);
	assert_true(held >= 1024 * BLOCKS && held <= 1024 * BLOCKS + 2 * SLAB_CHUNK);
	assert_int_equal(slab_close(&slab, 10), 0); /* all of it is in use */
	for (size_t i = 0; i < BLOCKS; i++)
		if (rc_random_below(&r.random, 4))
			give(&slab, &block[i]);
		else
			block[n++] = block[i];
	assert_int_equal(atomic_load(&slab.live), 1024 * n);
	assert_int_equal(atomic_load(&slab.held), held);
	assert_int_equal(slab_close(&slab, 4), 4);
	assert_int_equal(atomic_load(&slab.closed), 4);
	for (size_t i = 0; i < n; i++) {
		struct held_block moved;

		if (!slab_is_closed(block[i].at))
			continue;
		take(&slab, &r.random, 1024, &moved);
		assert_false(slab_is_closed(moved.at));
		give(&slab, &block[i]);
		block[i] = moved;
	}
	assert_int_equal(atomic_load(&slab.closed), 0);
	assert_int_equal(atomic_load(&slab.held), held - 4 * SLAB_CHUNK);
	/* What is left over of one size isn't used by another: until it is closed. */
	for (size_t i = 0; i < n; i++)
		give(&slab, &block[i]);
	assert_int_equal(atomic_load(&slab.live), 0);
	slab_close(&slab, SIZE_MAX);
	assert_int_equal(atomic_load(&slab.held), SLAB_CHUNK); /* the newest */
	slab_done(&slab);
	free(block);
}

/* ---- a tree ---- */

enum { LEAVES = 60000, FEW_LEAVES = 20000, ROUNDS = 15, READERS = 2 };

struct world {
	struct disk *disk;
	struct tree *tree;
	struct tree_roots roots;
	uint64_t seq;
	size_t n, step; /* leaves at first, and those that each round removes */
	uint8_t (*key)[RC_STATE_KEY_MAX];
	struct tree_op op[LEAVES];
	struct tree_change change[ROUNDS + 1];
};

static int compare_ops(const void *a, const void *b)
{
	return memcmp(((const struct tree_op *)a)->key, ((const struct tree_op *)b)->key,
		      RC_STATE_KEY_MAX);
}

static void leaf_of(const uint8_t *key, struct rc_state_node *ret)
{
	const uint8_t value[8] = {1};

	rc_state_leaf(RC_STATE_COINS, key, value, sizeof(value), ret);
}

/* A version that makes, or removes, keys from … to − 1. */
static void change(struct world *w, enum tree_op_kind kind, size_t from, size_t to,
		   struct tree_change *ret)
{
	struct tree_ops ops[TREE_NAMESPACES] = {0};
	struct rc_error error;

	for (size_t i = from; i < to; i++) {
		struct tree_op *op = &w->op[i - from];

		*op = (struct tree_op){.key = w->key[i], .kind = kind};
		leaf_of(w->key[i], kind == TREE_INSERT ? &op->after : &op->before);
	}
	qsort(w->op, to - from, sizeof(w->op[0]), compare_ops);
	ops[RC_STATE_COINS - 1] = (struct tree_ops){w->op, to - from};
	assert_int_equal(tree_update(w->tree, w->seq + 1, &w->roots, ops, &w->roots, ret, &error),
			 RC_OK);
	w->seq++;
}

/* Leaves below a node; −1: a branch isn't what its two sides give. */
static long count(struct tree_reader *reader, const struct tree_node *node)
{
	struct page_copy *mark = tree_reader_mark(reader);
	struct tree_node left, right;
	struct rc_state_node want;
	struct rc_error error;
	long l, r;

	if (node->leaf) {
		leaf_of(node->key, &want);
		return memcmp(&want, &node->node, sizeof(want)) ? -1 : 1;
	}
	if (tree_sides(reader, node, &left, &right, &error) < 0)
		return -1;
	rc_state_branch(RC_STATE_COINS, node->depth, left.key, &left.node, &right.node, &want);
	l = count(reader, &left);
	r = count(reader, &right);
	tree_reader_back(reader, mark);
	return l < 0 || r < 0 || memcmp(&want, &node->node, sizeof(want)) ? -1 : l + r;
}

static long count_all(struct tree *tree, const struct tree_roots *roots, uint64_t seq)
{
	struct tree_reader reader;
	struct rc_error error;
	struct tree_node top;
	long n = -1;
	bool any;

	tree_reader_init(&reader, tree, seq);
	if (tree_top(&reader, roots, RC_STATE_COINS, &any, &top, &error) == RC_OK)
		n = any ? count(&reader, &top) : 0;
	tree_reader_done(&reader);
	return n;
}

/* Of the first version, again and again. */
struct walker {
	pthread_t thread;
	struct tree *tree;
	struct tree_roots roots;
	atomic_bool *end;
	long leaves, walks, wrong;
};

static void *walk(void *arg)
{
	struct walker *w = arg;

	do {
		w->walks++;
		w->wrong += count_all(w->tree, &w->roots, 1) != w->leaves;
	} while (!atomic_load(w->end));
	return NULL;
}

static void open_world(struct world *w, const struct rc_random *random, size_t leaves, size_t limit)
{
	w->n = leaves;
	w->step = leaves * 6 / 100;
	w->disk = disk_memory_new();
	w->tree = tree_new(w->disk, limit, 1, NULL, 0);
	tree_roots_init(&w->roots);
	w->key = rc_alloc_array(leaves, sizeof(*w->key));
	rc_random_fill(random, w->key, leaves * sizeof(*w->key));
	change(w, TREE_INSERT, 0, leaves, &w->change[0]);
	tree_rig_flush(w->tree, w->disk, w->seq, &w->change[0]);
}

static void close_world(struct world *w)
{
	for (unsigned i = 0; i <= ROUNDS; i++)
		tree_change_done(&w->change[i]);
	tree_free(w->tree);
	w->disk->ops->close(w->disk);
	free(w->key);
	free(w);
}

static struct tree_figures figures(struct world *w)
{
	struct tree_figures f;

	tree_figures(w->tree, &f);
	return f;
}

/* Pages are moved while others read an old version and new ones are made: nobody sees it. */
static void test_packing_beside_readers(void **state)
{
	struct world *w = rc_alloc(sizeof(*w));
	struct walker walker[READERS];
	atomic_bool end = false;
	struct rc_test_random r;
	size_t closed = 0;

	(void)state;
	rc_test_random_init(&r);
	open_world(w, &r.random, FEW_LEAVES, 64 << 20);
	for (unsigned i = 0; i < READERS; i++) {
		walker[i] = (struct walker){
			.tree = w->tree, .roots = w->roots, .end = &end, .leaves = FEW_LEAVES};
		assert_int_equal(pthread_create(&walker[i].thread, NULL, walk, &walker[i]), 0);
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		change(w, TREE_REMOVE, i * w->step, (i + 1) * w->step, &w->change[i + 1]);
		tree_rig_flush(w->tree, w->disk, w->seq, &w->change[i + 1]);
		pthread_mutex_lock(&w->tree->lock);
		for (struct slab_chunk *c = w->tree->slab.chunks->next; c; c = c->next)
			closed += !c->closed && c->live < SLAB_CHUNK / 8 * 7;
		slab_close(&w->tree->slab, 2);
		w->tree->packing = 1;
		pthread_mutex_unlock(&w->tree->lock);
		tree_trim(w->tree);
	}
	assert_true(closed > 0);
	assert_int_equal(count_all(w->tree, &w->roots, w->seq), w->n - ROUNDS * w->step);
	atomic_store(&end, true);
	for (unsigned i = 0; i < READERS; i++) {
		pthread_join(walker[i].thread, NULL);
		assert_true(walker[i].walks > 0);
		assert_int_equal(walker[i].wrong, 0);
	}
	close_world(w);
}

/* Where most of a state went away, so does its memory, all but what tree.c leaves idle. */
static void test_packing_of_itself(void **state)
{
	struct world *w = rc_alloc(sizeof(*w));
	struct rc_test_random r;
	struct tree_figures f;
	size_t before;

	(void)state;
	rc_test_random_init(&r);
	open_world(w, &r.random, LEAVES, 64 << 20);
	before = figures(w).held;
	tree_release(w->tree, w->seq, &w->change[0]);
	for (unsigned i = 0; i < ROUNDS; i++) {
		change(w, TREE_REMOVE, i * w->step, (i + 1) * w->step, &w->change[i + 1]);
		tree_rig_flush(w->tree, w->disk, w->seq, &w->change[i + 1]);
		tree_release(w->tree, w->seq, &w->change[i + 1]);
	}
	for (unsigned i = 0; i < 200; i++)
		tree_trim(w->tree);
	f = figures(w);
	assert_true(f.bytes < before / 2);
	assert_true(f.held <= f.bytes + 4 * SLAB_CHUNK);
	assert_int_equal(f.drops, 0); /* moved, not read again */
	assert_int_equal(count_all(w->tree, &w->roots, w->seq), w->n - ROUNDS * w->step);
	close_world(w);
}

/* A state larger than its memory: before each version there is room for one like those of late, so
 * that it doesn't pass the limit, nor does what its pages lie in, but for what tree.c leaves. */
static void test_room(void **state)
{
	const size_t limit = 4 << 20;
	struct world *w = rc_alloc(sizeof(*w));
	struct rc_test_random r;

	(void)state;
	rc_test_random_init(&r);
	open_world(w, &r.random, LEAVES, limit);
	tree_release(w->tree, w->seq, &w->change[0]);
	assert_true(figures(w).bytes > 2 * limit);
	tree_trim(w->tree);
	for (unsigned i = 0; i < ROUNDS; i++) {
		size_t before = figures(w).bytes;

		change(w, TREE_REMOVE, i * w->step / 20, (i + 1) * w->step / 20, &w->change[i + 1]);
		if (i > 1) {
			assert_true(before + w->tree->room <= limit);
			assert_true(w->tree->room > limit / 32);
			assert_true(figures(w).held <= limit + 4 * SLAB_CHUNK);
		}
		tree_rig_flush(w->tree, w->disk, w->seq, &w->change[i + 1]);
		tree_release(w->tree, w->seq, &w->change[i + 1]);
		for (unsigned k = 0; k < 20; k++)
			tree_trim(w->tree);
	}
	assert_true(figures(w).drops > 0);
	close_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closing),
		cmocka_unit_test(test_packing_beside_readers),
		cmocka_unit_test(test_packing_of_itself),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
