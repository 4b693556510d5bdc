/*
 * Pages read ahead of many changes, before any of them is made: a start after a crash has to apply
 * blocks again whose pages are on the disk only. All keys walk down together, a level at a time;
 * what is missing of a level is asked for by several threads at once, since a disk that answers one
 * question in 0.1 ms answers many in little more.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/utxod/tree_internal.h"

/* Questions to the disk under way at once, and the least that is worth a thread. */
#define THREADS	     8
#define THREAD_LEAST 32

struct part {
	struct tree *tree;
	uint32_t *ids;
	size_t n;
	struct rc_error error;
	int err;
};

static void *load_part(void *arg)
{
	struct part *part = arg;

	part->err = tree_load(part->tree, part->ids, part->n, &part->error);
	return NULL;
}

/* Ids ascending, so that each part is a stretch of the disk of its own. */
static int load_all(struct tree *tree, uint32_t *ids, size_t n, struct rc_error *error)
{
	size_t parts = n / THREAD_LEAST < THREADS ? n / THREAD_LEAST + 1 : THREADS, from = 0;
	struct part part[THREADS];
	pthread_t thread[THREADS];
	bool started[THREADS];
	int err = RC_OK;

	for (size_t i = 0; i < parts; i++) {
		size_t to = n * (i + 1) / parts;

		part[i] = (struct part){.tree = tree, .ids = ids + from, .n = to - from};
		started[i] =
			i + 1 < parts && pthread_create(&thread[i], NULL, load_part, &part[i]) == 0;
		if (!started[i])
			load_part(&part[i]);
		from = to;
	}
	for (size_t i = 0; i < parts; i++) {
		if (started[i])
			pthread_join(thread[i], NULL);
		if (part[i].err && !err)
			err = rc_error_set(error, part[i].err, "%s", part[i].error.text);
	}
	return err;
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Ids of the list that aren't in memory, ascending and each once; returns how many. */
static size_t find_absent(struct tree *tree, const uint32_t *at, size_t n, uint32_t *absent)
{
	size_t found = 0, unique = 0;

	for (size_t i = 0; i < n; i++)
		if (at[i] && (!i || at[i] != at[i - 1]) && !tree_peek(tree, at[i]))
			absent[found++] = at[i];
	qsort(absent, found, sizeof(*absent), compare_ids);
	for (size_t i = 0; i < found; i++)
		if (!unique || absent[i] != absent[unique - 1])
			absent[unique++] = absent[i];
	return unique;
}

/* The page below this one on the way to a key; 0: none. */
static uint32_t next_page(const struct page *page, const uint8_t *key)
{
	bool in = false;
	unsigned i = page ? page_find(page, key, &in) : 0;

	return in ? page_item(page, i)->child : 0;
}

int tree_preload(struct tree *tree, const struct tree_roots *roots, unsigned ns,
		 const uint8_t *const *keys, size_t n, struct rc_error *error)
{
	RC_AUTOFREE uint32_t *at = rc_alloc_array(n, sizeof(*at));
	RC_AUTOFREE uint32_t *absent = rc_alloc_array(n, sizeof(*absent));
	size_t left = roots->ns[ns - 1].page ? n : 0;
	int err = RC_OK;

	for (size_t i = 0; i < n; i++)
		at[i] = roots->ns[ns - 1].page;
	while (!err && left) {
		size_t n_absent = find_absent(tree, at, n, absent);

		left = 0;
		if (n_absent)
			err = load_all(tree, absent, n_absent, error);
		for (size_t i = 0; !err && i < n; i++) {
			at[i] = at[i] ? next_page(tree_peek(tree, at[i]), keys[i]) : 0;
			left += at[i] != 0;
		}
	}
	return err;
}
