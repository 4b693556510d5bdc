/* The tree: published values, random histories against a plain rebuild, old versions, disk. */
#include "rc_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "daemons/utxod/tree.h"
#include "tree_rig.h"

/* ---- a plain model: the entries of one namespace, sorted ---- */

#define MODEL_VALUE_MAX 64

struct model_entry {
	uint8_t key[RC_STATE_KEY_MAX];
	uint8_t value[MODEL_VALUE_MAX];
	size_t len;
};

struct model {
	unsigned ns;
	struct model_entry *entry;
	size_t n, cap;
};

static size_t model_find(const struct model *m, const uint8_t *key, bool *ret_there)
{
	size_t lo = 0, hi = m->n, len = rc_state_key_len(m->ns);

	*ret_there = false;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = memcmp(m->entry[mid].key, key, len);

		if (c == 0) {
			*ret_there = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void model_put(struct model *m, const struct model_entry *e)
{
	bool there;
	size_t at = model_find(m, e->key, &there);

	if (!there) {
		if (m->n == m->cap) {
			m->cap = m->cap ? 2 * m->cap : 64;
			m->entry = rc_realloc_array(m->entry, m->cap, sizeof(*m->entry));
		}
		memmove(&m->entry[at + 1], &m->entry[at], (m->n - at) * sizeof(*m->entry));
		m->n++;
	}
	m->entry[at] = *e;
}

static void model_remove(struct model *m, size_t at)
{
	memmove(&m->entry[at], &m->entry[at + 1], (m->n - at - 1) * sizeof(*m->entry));
	m->n--;
}

/* The definition, as 30-state writes it. */
static void model_root_of(const struct model *m, size_t lo, size_t hi, struct rc_state_node *ret)
{
	const struct model_entry *e = &m->entry[lo];
	struct rc_state_node left, right;
	unsigned split;
	size_t cut = lo;

	if (lo == hi) {
		rc_state_leaf(m->ns, e->key, e->value, e->len, ret);
		return;
	}
	split = rc_key_split(e->key, m->entry[hi].key, rc_state_key_len(m->ns));
	while (!rc_key_bit(m->entry[cut + 1].key, split))
		cut++;
	model_root_of(m, lo, cut, &left);
	model_root_of(m, cut + 1, hi, &right);
	rc_state_branch(m->ns, split, e->key, &left, &right, ret);
}

static void model_root(const struct model *m, struct rc_state_node *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (m->n)
		model_root_of(m, 0, m->n - 1, ret);
}

/* ---- a tree under test, one namespace at a time ---- */

struct bench {
	struct disk *disk;
	struct tree *tree;
	struct tree_roots roots;
	uint64_t seq;
	struct tree_op *op;
	size_t n, cap;
	struct model_entry *entry; /* keys of op are here */
};

static void bench_open(struct bench *t, size_t limit)
{
	memset(t, 0, sizeof(*t));
	t->disk = disk_memory_new();
	t->tree = tree_new(t->disk, limit, 1, NULL, 0);
	tree_roots_init(&t->roots);
}

static void bench_close(struct bench *t)
{
	tree_free(t->tree);
	t->disk->ops->close(t->disk);
	free(t->op);
	free(t->entry);
}

static void bench_add(struct bench *t, unsigned ns, enum tree_op_kind kind,
		      const struct model_entry *before, const struct model_entry *after)
{
	const struct model_entry *e = after ? after : before;

	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 256;
		t->op = rc_realloc_array(t->op, t->cap, sizeof(*t->op));
		t->entry = rc_realloc_array(t->entry, t->cap, sizeof(*t->entry));
	}
	memset(&t->op[t->n], 0, sizeof(t->op[0]));
	t->op[t->n].kind = kind;
	if (before)
		rc_state_leaf(ns, before->key, before->value, before->len, &t->op[t->n].before);
	if (after)
		rc_state_leaf(ns, after->key, after->value, after->len, &t->op[t->n].after);
	t->entry[t->n] = *e;
	t->n++;
}

static int compare_ops(const void *a, const void *b)
{
	return memcmp(((const struct tree_op *)a)->key, ((const struct tree_op *)b)->key, 32 * 2);
}

static int bench_apply(struct bench *t, unsigned ns, struct tree_roots *roots,
		       struct tree_change *change)
{
	struct tree_ops ops[TREE_NAMESPACES] = {0};
	struct rc_error error;
	int err;

	for (size_t i = 0; i < t->n; i++)
		t->op[i].key = t->entry[i].key;
	/* Keys of tests differ within their first 64 bytes, or are short and padded with zeros. */
	if (t->n)
		qsort(t->op, t->n, sizeof(*t->op), compare_ops);
	ops[ns - 1] = (struct tree_ops){t->op, t->n};
	err = tree_update(t->tree, t->seq + 1, &t->roots, ops, roots, change, &error);
	t->n = 0;
	return err;
}

/* ---- published values ---- */

static void load_entry(unsigned ns, const json_t *row, struct model_entry *e)
{
	uint8_t *bytes;

	memset(e, 0, sizeof(*e));
	assert_int_equal(rc_test_hex(json_string_value(json_array_get(row, 0)), &bytes),
			 rc_state_key_len(ns));
	memcpy(e->key, bytes, rc_state_key_len(ns));
	free(bytes);
	e->len = rc_test_hex(json_string_value(json_array_get(row, 1)), &bytes);
	assert_true(e->len <= MODEL_VALUE_MAX);
	memcpy(e->value, bytes, e->len);
	free(bytes);
}

static void test_vectors(void **state)
{
	json_t *all = rc_test_vectors("rustycoin/check-values.json"), *row;
	json_t *tries = json_object_get(all, "tries");
	size_t i;

	(void)state;
	json_array_foreach(tries, i, row)
	{
		unsigned ns = (unsigned)rc_test_u64(json_object_get(row, "ns"));
		const json_t *entries = json_object_get(row, "entries");
		struct rc_hash root;
		struct tree_change change;
		struct model_entry e;
		struct bench t;

		bench_open(&t, 1 << 20);
		for (size_t k = 0; k < json_array_size(entries); k++) {
			load_entry(ns, json_array_get(entries, k), &e);
			bench_add(&t, ns, TREE_INSERT, NULL, &e);
		}
		assert_int_equal(bench_apply(&t, ns, &t.roots, &change), RC_OK);
		tree_change_done(&change);
		rc_test_hex_into(row, "root", root.b, 32);
		assert_memory_equal(t.roots.ns[ns - 1].node.hash.b, root.b, 32);
		if (ns == RC_STATE_COINS)
			assert_int_equal(t.roots.ns[0].node.sum,
					 rc_test_u64(json_object_get(row, "sum")));
		bench_close(&t);
	}
	assert_int_equal(i, 15);
	json_decref(all);
}

/* ---- random histories ---- */

/* Keys that meet early, late and almost: long common prefixes of every length. */
static void random_key(const struct rc_random *random, const struct model *m, uint8_t *key)
{
	size_t len = rc_state_key_len(m->ns), keep;

	memset(key, 0, RC_STATE_KEY_MAX);
	rc_random_fill(random, key, len < 64 ? len : 64);
	if (!m->n || rc_random_below(random, 3))
		return;
	keep = rc_random_below(random, len < 64 ? len : 64);
	memcpy(key, m->entry[rc_random_below(random, m->n)].key, keep);
	if (keep && rc_random_below(random, 2))
		key[keep] = m->entry[rc_random_below(random, m->n)].key[keep] ^
			    (uint8_t)(1u << rc_random_below(random, 8));
}

static void random_value(const struct rc_random *random, struct model_entry *e)
{
	e->len = 8 + rc_random_below(random, 40);
	rc_random_fill(random, e->value, e->len);
	memset(e->value + 4, 0, 4); /* sums stay small */
}

/* Adds random operations to the batch and to the model. */
static void random_block(struct bench *t, struct model *m, const struct rc_random *random, size_t n,
			 unsigned remove_percent)
{
	struct model before = {m->ns, rc_memdup(m->entry, m->n * sizeof(*m->entry)), m->n, m->n};

	for (size_t i = 0; i < n; i++) {
		struct model_entry e = {0}, old;
		bool there, was;
		size_t at;

		if (m->n && rc_random_below(random, 100) < remove_percent) {
			at = rc_random_below(random, before.n ? before.n : 1);
			if (!before.n)
				continue;
			old = before.entry[at];
			at = model_find(m, old.key, &there);
			if (!there || memcmp(&m->entry[at], &old, sizeof(old)) != 0)
				continue; /* touched by this block already */
			if (rc_random_below(random, 4)) {
				model_remove(m, at);
				bench_add(t, m->ns, TREE_REMOVE, &old, NULL);
			} else {
				e = old;
				random_value(random, &e);
				if (e.len == old.len && !memcmp(e.value, old.value, e.len))
					continue;
				model_put(m, &e);
				bench_add(t, m->ns, TREE_REPLACE, &old, &e);
			}
			continue;
		}
		random_key(random, m, e.key);
		random_value(random, &e);
		model_find(m, e.key, &there);
		model_find(&before, e.key, &was);
		if (there || was)
			continue;
		model_put(m, &e);
		bench_add(t, m->ns, TREE_INSERT, NULL, &e);
	}
	free(before.entry);
}

static void check_root(const struct bench *t, const struct model *m)
{
	const struct tree_root *root = &t->roots.ns[m->ns - 1];
	struct rc_state_node want;

	model_root(m, &want);
	assert_int_equal(root->depth == TREE_EMPTY, m->n == 0);
	if (!m->n)
		return;
	assert_memory_equal(root->node.hash.b, want.hash.b, 32);
	if (m->ns == RC_STATE_COINS)
		assert_int_equal(root->node.sum, want.sum);
}

/* Leaves of a version by walking, in order. */
static void walk(struct tree_reader *reader, const struct tree_node *node, struct model *m,
		 size_t *at)
{
	struct page_copy *mark = tree_reader_mark(reader);
	struct tree_node left, right;
	struct rc_error error;

	if (node->leaf) {
		assert_true(*at < m->n);
		assert_memory_equal(node->key, m->entry[*at].key, rc_state_key_len(m->ns));
		++*at;
		return;
	}
	assert_int_equal(tree_sides(reader, node, &left, &right, &error), RC_OK);
	walk(reader, &left, m, at);
	walk(reader, &right, m, at);
	tree_reader_back(reader, mark);
}

static void check_walk(struct bench *t, struct model *m)
{
	struct tree_node top;
	struct rc_error error;
	size_t at = 0;
	bool any;
	struct tree_reader reader;

	tree_reader_init(&reader, t->tree, t->seq);
	assert_int_equal(tree_top(&reader, &t->roots, m->ns, &any, &top, &error), RC_OK);
	assert_int_equal(any, m->n > 0);
	if (any)
		walk(&reader, &top, m, &at);
	assert_int_equal(at, m->n);
	tree_reader_done(&reader);
}

/* Histories of blocks of up to `most` operations that grow and shrink the tree, flushed and read
 * again with little memory. */
static void history(unsigned ns, const struct rc_random *random, size_t limit, size_t most)
{
	struct model m = {.ns = ns};
	unsigned blocks = most > 200 ? 16 : 60;
	struct bench t;

	bench_open(&t, limit);
	for (unsigned block = 0; block < blocks; block++) {
		struct tree_change change;
		/* Grows to the middle, then shrinks to nothing or nearly. */
		unsigned remove = block < blocks / 2 ? 30 : 85;

		random_block(&t, &m, random, 1 + rc_random_below(random, most), remove);
		assert_int_equal(bench_apply(&t, ns, &t.roots, &change), RC_OK);
		t.seq++;
		check_root(&t, &m);
		tree_rig_flush(t.tree, t.disk, t.seq, &change);
		tree_release(t.tree, t.seq, &change);
		tree_change_done(&change);
		tree_trim(t.tree);
		if (block % 8 == 0)
			check_walk(&t, &m);
	}
	while (m.n) {
		struct tree_change change;
		size_t n = 1 + rc_random_below(random, most / 5);

		for (size_t i = 0; i < n && m.n; i++) {
			struct model_entry old = m.entry[m.n - 1];

			model_remove(&m, m.n - 1);
			bench_add(&t, ns, TREE_REMOVE, &old, NULL);
		}
		assert_int_equal(bench_apply(&t, ns, &t.roots, &change), RC_OK);
		t.seq++;
		check_root(&t, &m);
		tree_rig_flush(t.tree, t.disk, t.seq, &change);
		tree_release(t.tree, t.seq, &change);
		tree_change_done(&change);
	}
	tree_trim(t.tree);
	bench_close(&t);
	free(m.entry);
}

static void test_random(void **state)
{
	struct rc_test_random r;

	(void)state;
	rc_test_random_init(&r);
	for (unsigned round = 0; round < 6; round++)
		for (unsigned ns = 1; ns <= TREE_NAMESPACES; ns++)
			history(ns, &r.random, round % 2 ? 4096 : 1 << 20, 200);
}

/* Blocks large enough that several threads build them. */
static void test_random_large(void **state)
{
	struct rc_test_random r;

	(void)state;
	rc_test_random_init(&r);
	for (unsigned round = 0; round < 2; round++)
		history(round % 2 ? RC_STATE_GOVERNANCE : RC_STATE_COINS, &r.random, 65536, 2000);
}

/* The same entries in one block, in many, and after detours: one root. */
static void test_order(void **state)
{
	struct rc_test_random r;
	struct model m = {.ns = RC_STATE_COINS};
	struct rc_hash want;

	(void)state;
	rc_test_random_init(&r);
	for (unsigned way = 0; way < 8; way++) {
		struct tree_change change;
		struct bench t;
		size_t step = way ? 1 + rc_random_below(&r.random, 300) : 500;

		bench_open(&t, 1 << 20);
		if (!way)
			random_block(&t, &m, &r.random, 500, 0);
		t.n = 0;
		/* A random order, by a stride prime to the count. */
		for (size_t done = 0, k = 0; done < m.n;) {
			for (size_t i = 0; i < step && done < m.n; i++, done++) {
				k = (k + 263) % m.n;
				bench_add(&t, m.ns, TREE_INSERT, NULL, &m.entry[k]);
			}
			assert_int_equal(bench_apply(&t, m.ns, &t.roots, &change), RC_OK);
			tree_change_done(&change);
			t.seq++;
		}
		check_root(&t, &m);
		if (way)
			assert_memory_equal(t.roots.ns[0].node.hash.b, want.b, 32);
		want = t.roots.ns[0].node.hash;
		bench_close(&t);
	}
	free(m.entry);
}

/* Old versions stay readable while new ones are built, dropped and flushed. */
static void test_versions(void **state)
{
	enum { KEEP = 8 };
	struct rc_test_random r;
	struct model now = {.ns = RC_STATE_COINS}, old[KEEP] = {0};
	struct tree_roots roots[KEEP];
	struct tree_change changes[KEEP] = {0};
	struct bench t;

	(void)state;
	rc_test_random_init(&r);
	bench_open(&t, 65536);
	for (unsigned block = 0; block < 80; block++) {
		unsigned slot = block % KEEP;

		/* Sometimes a version that is dropped again. */
		if (block && rc_random_below(&r.random, 3) == 0) {
			struct model copy = {now.ns,
					     rc_memdup(now.entry, now.n * sizeof(*now.entry)),
					     now.n, now.n};
			struct tree_change change;
			struct tree_roots ignored;

			random_block(&t, &copy, &r.random, 100, 50);
			assert_int_equal(bench_apply(&t, now.ns, &ignored, &change), RC_OK);
			tree_drop(t.tree, t.seq + 1, &change);
			tree_change_done(&change);
			free(copy.entry);
		}
		if (block >= KEEP) {
			tree_release(t.tree, t.seq - KEEP + 2, &changes[(slot + 1) % KEEP]);
			tree_change_done(&changes[slot]);
			free(old[slot].entry);
		}
		random_block(&t, &now, &r.random, 150, 50);
		assert_int_equal(bench_apply(&t, now.ns, &t.roots, &changes[slot]), RC_OK);
		t.seq++;
		check_root(&t, &now);
		tree_rig_flush(t.tree, t.disk, t.seq, &changes[slot]);
		tree_trim(t.tree);
		old[slot] = (struct model){now.ns, rc_memdup(now.entry, now.n * sizeof(*now.entry)),
					   now.n, now.n};
		roots[slot] = t.roots;
		for (unsigned back = 0; back < KEEP - 1 && back <= block; back++) {
			unsigned s = (block - back) % KEEP;
			struct bench then = t;

			then.seq = t.seq - back;
			then.roots = roots[s];
			check_walk(&then, &old[s]);
		}
	}
	for (unsigned i = 0; i < KEEP; i++) {
		tree_change_done(&changes[i]);
		free(old[i].entry);
	}
	free(now.entry);
	bench_close(&t);
}

/* An operation that doesn't fit changes nothing. */
static void test_misfits(void **state)
{
	struct rc_test_random r;
	struct model m = {.ns = RC_STATE_GOVERNANCE};
	struct tree_roots ignored;
	struct tree_change change;
	struct model_entry e, other;
	struct bench t;

	(void)state;
	rc_test_random_init(&r);
	bench_open(&t, 1 << 20);
	random_block(&t, &m, &r.random, 1000, 0);
	assert_int_equal(bench_apply(&t, m.ns, &t.roots, &change), RC_OK);
	tree_change_done(&change);
	t.seq++;
	for (unsigned i = 0; i < 60; i++) {
		/* In half of them the others fit, and are many. */
		struct model copy = {m.ns, rc_memdup(m.entry, m.n * sizeof(*m.entry)), m.n, m.n};

		e = other = m.entry[rc_random_below(&r.random, m.n)];
		other.value[0] ^= 1;
		if (i & 4)
			random_block(&t, &copy, &r.random, 600, 0);
		free(copy.entry);
		switch (i % 4) {
		case 0:
			bench_add(&t, m.ns, TREE_INSERT, NULL, &other);
			break;
		case 1:
			bench_add(&t, m.ns, TREE_REMOVE, &other, NULL);
			break;
		case 2:
			bench_add(&t, m.ns, TREE_REPLACE, &other, &e);
			break;
		default:
			e.key[20] ^= 0x10;
			bench_add(&t, m.ns, TREE_REMOVE, &e, NULL);
			break;
		}
		assert_int_equal(bench_apply(&t, m.ns, &ignored, &change), RC_EINVAL);
		check_walk(&t, &m);
	}
	random_block(&t, &m, &r.random, 300, 50);
	assert_int_equal(bench_apply(&t, m.ns, &t.roots, &change), RC_OK);
	t.seq++;
	check_root(&t, &m);
	tree_change_done(&change);
	bench_close(&t);
	free(m.entry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),	     cmocka_unit_test(test_random),
		cmocka_unit_test(test_random_large), cmocka_unit_test(test_order),
		cmocka_unit_test(test_versions),     cmocka_unit_test(test_misfits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
