/* A disk in memory: a hash of values, and a journal of what no sync has covered yet. */
#include "daemons/utxod/disk.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct memory_row {
	UT_hash_handle hh;
	uint8_t *value;
	size_t len;
	size_t key_len;
	uint8_t key[];
};

/* A change: pending (not committed), or what a committed one replaced. */
struct memory_change {
	struct memory_change *next;
	uint8_t *value; /* NULL: delete; of the journal: there was none */
	size_t len;
	size_t key_len;
	uint8_t key[];
};

struct memory_disk {
	struct disk disk;
	pthread_mutex_t lock;
	struct memory_row *rows;
	struct memory_change *pending; /* newest first */
	struct memory_change *journal; /* newest first: rolled back by a cut */
	bool failing;
};

static struct memory_disk *of(struct disk *disk)
{
	return (struct memory_disk *)disk;
}

static void push(struct memory_change **list, const void *key, size_t key_len, const void *value,
		 size_t len)
{
	struct memory_change *c = rc_alloc(sizeof(*c) + key_len);

	memcpy(c->key, key, key_len);
	c->key_len = key_len;
	c->value = value ? rc_memdup(value, len) : NULL;
	c->len = len;
	c->next = *list;
	*list = c;
}

static void drop_list(struct memory_change **list)
{
	while (*list) {
		struct memory_change *c = *list;

		*list = c->next;
		free(c->value);
		free(c);
	}
}

static void memory_put(struct disk *disk, const void *key, size_t key_len, const void *value,
		       size_t len)
{
	push(&of(disk)->pending, key, key_len, value, len);
}

static void memory_del(struct disk *disk, const void *key, size_t key_len)
{
	push(&of(disk)->pending, key, key_len, NULL, 0);
}

static struct memory_row *find(struct memory_disk *d, const void *key, size_t key_len)
{
	struct memory_row *row;

	HASH_FIND(hh, d->rows, key, key_len, row);
	return row;
}

/* Puts (value not NULL) or deletes. */
static void set_row(struct memory_disk *d, const struct memory_change *c)
{
	struct memory_row *row = find(d, c->key, c->key_len);

	if (row) {
		HASH_DELETE(hh, d->rows, row);
		free(row->value);
		free(row);
	}
	if (!c->value)
		return;
	row = rc_alloc(sizeof(*row) + c->key_len);
	memcpy(row->key, c->key, c->key_len);
	row->key_len = c->key_len;
	row->value = rc_memdup(c->value, c->len);
	row->len = c->len;
	HASH_ADD_KEYPTR(hh, d->rows, row->key, row->key_len, row);
}

static int fail(struct memory_disk *d, struct rc_error *error)
{
	return d->failing ? rc_error_set(error, RC_ENOSPC, "memory disk: told to fail") : RC_OK;
}

static int memory_commit(struct disk *disk, enum disk_sync how, struct rc_error *error)
{
	struct memory_disk *d = of(disk);
	struct memory_change *ordered = NULL;

	if (fail(d, error))
		return RC_ENOSPC;
	while (d->pending) {
		struct memory_change *c = d->pending;

		d->pending = c->next;
		c->next = ordered;
		ordered = c;
	}
	pthread_mutex_lock(&d->lock);
	for (struct memory_change *c = ordered; c; c = c->next) {
		struct memory_row *row = find(d, c->key, c->key_len);

		push(&d->journal, c->key, c->key_len, row ? row->value : NULL, row ? row->len : 0);
		set_row(d, c);
	}
	if (how != DISK_LAZY)
		drop_list(&d->journal);
	pthread_mutex_unlock(&d->lock);
	drop_list(&ordered);
	return RC_OK;
}

static int memory_sync(struct disk *disk, struct rc_error *error)
{
	struct memory_disk *d = of(disk);

	if (fail(d, error))
		return RC_ENOSPC;
	pthread_mutex_lock(&d->lock);
	drop_list(&d->journal);
	pthread_mutex_unlock(&d->lock);
	return RC_OK;
}

static int memory_get(struct disk *disk, const void *key, size_t key_len, struct rc_buf *buf,
		      struct rc_error *error)
{
	struct memory_disk *d = of(disk);
	struct memory_row *row;

	(void)error;
	pthread_mutex_lock(&d->lock);
	row = find(d, key, key_len);
	if (row)
		rc_buf_put(buf, row->value, row->len);
	pthread_mutex_unlock(&d->lock);
	return row ? RC_OK : RC_ENOENT;
}

static int memory_multi_get(struct disk *disk, const struct rc_bytes *keys, size_t n,
			    disk_value_fn fn, void *arg, struct rc_error *error)
{
	struct rc_buf buf = RC_BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		rc_buf_clear(&buf);
		if (memory_get(disk, keys[i].data, keys[i].len, &buf, error) == RC_OK)
			fn(arg, i, (struct rc_bytes){buf.data, buf.len});
	}
	rc_buf_done(&buf);
	return RC_OK;
}

static int compare_bytes(struct rc_bytes a, struct rc_bytes b)
{
	int c = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

	return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int compare_rows(const void *a, const void *b)
{
	const struct memory_change *x = *(struct memory_change *const *)a;
	const struct memory_change *y = *(struct memory_change *const *)b;

	return compare_bytes((struct rc_bytes){x->key, x->key_len},
			     (struct rc_bytes){y->key, y->key_len});
}

static int memory_walk(struct disk *disk, struct rc_bytes from, struct rc_bytes to, disk_walk_fn fn,
		       void *arg, struct rc_error *error)
{
	struct memory_disk *d = of(disk);
	struct memory_change *copies = NULL, **sorted;
	struct memory_row *row, *tmp;
	bool more = true;
	size_t n = 0, i = 0;

	(void)error;
	pthread_mutex_lock(&d->lock);
	HASH_ITER (hh, d->rows, row, tmp) {
		struct rc_bytes key = {row->key, row->key_len};

		if (compare_bytes(key, from) < 0 || compare_bytes(key, to) >= 0)
			continue;
		push(&copies, row->key, row->key_len, row->value, row->len);
		n++;
	}
	pthread_mutex_unlock(&d->lock);
	sorted = rc_alloc_array(n, sizeof(struct memory_change *));
	for (struct memory_change *c = copies; c; c = c->next)
		sorted[i++] = c;
	qsort(sorted, n, sizeof(struct memory_change *), compare_rows);
	for (i = 0; i < n && more; i++)
		more = fn(arg, (struct rc_bytes){sorted[i]->key, sorted[i]->key_len},
			  (struct rc_bytes){sorted[i]->value, sorted[i]->len});
	free(sorted);
	drop_list(&copies);
	return RC_OK;
}

static void memory_figures(struct disk *disk, struct disk_figures *ret)
{
	(void)disk;
	*ret = (struct disk_figures){0};
}

static void memory_close(struct disk *disk)
{
	struct memory_disk *d = of(disk);
	struct memory_row *row, *tmp;

	drop_list(&d->pending);
	drop_list(&d->journal);
	HASH_ITER (hh, d->rows, row, tmp) {
		HASH_DELETE(hh, d->rows, row);
		free(row->value);
		free(row);
	}
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static const struct disk_ops memory_ops = {
	.put = memory_put,
	.del = memory_del,
	.commit = memory_commit,
	.sync = memory_sync,
	.get = memory_get,
	.multi_get = memory_multi_get,
	.walk = memory_walk,
	.figures = memory_figures,
	.close = memory_close,
};

struct disk *disk_memory_new(void)
{
	struct memory_disk *d = rc_alloc(sizeof(*d));

	d->disk.ops = &memory_ops;
	pthread_mutex_init(&d->lock, NULL);
	return &d->disk;
}

void disk_memory_cut(struct disk *disk)
{
	struct memory_disk *d = of(disk);

	drop_list(&d->pending);
	for (struct memory_change *c = d->journal; c; c = c->next)
		set_row(d, c);
	drop_list(&d->journal);
}

void disk_memory_fail(struct disk *disk)
{
	of(disk)->failing = true;
}
