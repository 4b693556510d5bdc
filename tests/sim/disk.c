/*
 * store/store.h in memory. What a process that is killed loses: of a store without a WAL all since
 * the last flush, of the others nothing. What a power cut loses: every batch since the last sync,
 * or those after some point; a batch is whole or not there.
 */
#include "store/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "sim.h"

struct row {
	uint8_t *key, *value;
	size_t key_len, len;
};

/* What a write replaced. */
struct undo {
	struct undo *next;
	uint64_t batch;
	struct row row; /* value NULL: there was none */
};

/* A database, over the lives of those who open it. */
struct disk {
	char *path;
	char *owner;
	enum rc_store_kind kind;
	unsigned node;
	struct row *rows; /* ascending */
	size_t n, cap;
	struct undo *undo; /* of what no sync has covered, newest first */
	uint64_t batches;
	struct rc_store *open;
	UT_hash_handle hh;
};

struct rc_store {
	struct disk *disk;
	struct sim_proc *proc;
	bool failed;
};

static struct disk *disks;
void (*sim_disk_on_put)(struct sim_proc *proc, const char *owner, struct rc_bytes key,
			struct rc_bytes value);

/* ---- rows ---- */

static int compare(const void *a, size_t a_len, const void *b, size_t b_len)
{
	int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return c ? c : (a_len > b_len) - (a_len < b_len);
}

/* The place of the first row that isn't less. */
static size_t lower(const struct disk *d, const void *key, size_t len)
{
	size_t low = 0, high = d->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare(d->rows[middle].key, d->rows[middle].key_len, key, len) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct row *find(const struct disk *d, const void *key, size_t len)
{
	size_t at = lower(d, key, len);

	if (at < d->n && compare(d->rows[at].key, d->rows[at].key_len, key, len) == 0)
		return &d->rows[at];
	return NULL;
}

/* Takes the value (NULL: deletes); gives back what was there, or NULL. */
static uint8_t *set(struct disk *d, const void *key, size_t key_len, uint8_t *value, size_t len,
		    size_t *ret_len)
{
	size_t at = lower(d, key, key_len);
	struct row *row = find(d, key, key_len);
	uint8_t *old = NULL;

	if (row) {
		old = row->value;
		*ret_len = row->len;
		if (value) {
			row->value = value;
			row->len = len;
			return old;
		}
		free(row->key);
		d->n--;
		memmove(row, row + 1, (d->n - at) * sizeof(*row));
		return old;
	}
	if (!value)
		return NULL;
	if (d->n == d->cap) {
		d->cap = d->cap * 2 + 64;
		d->rows = rc_realloc_array(d->rows, d->cap, sizeof(*d->rows));
	}
	memmove(d->rows + at + 1, d->rows + at, (d->n - at) * sizeof(*d->rows));
	d->rows[at] = (struct row){rc_memdup(key, key_len), value, key_len, len};
	d->n++;
	return NULL;
}

static void write_row(struct disk *d, const void *key, size_t key_len, const void *value,
		      size_t len)
{
	struct undo *undo = rc_alloc(sizeof(*undo));
	uint8_t *copy = value ? rc_alloc(len + 1) : NULL;

	if (len)
		memcpy(copy, value, len);
	undo->batch = d->batches;
	undo->row.key = rc_memdup(key, key_len);
	undo->row.key_len = key_len;
	undo->row.value = set(d, key, key_len, copy, len, &undo->row.len);
	undo->next = d->undo;
	d->undo = undo;
}

static void undo_one(struct disk *d)
{
	struct undo *undo = d->undo;
	size_t len;

	d->undo = undo->next;
	free(set(d, undo->row.key, undo->row.key_len, undo->row.value, undo->row.len, &len));
	free(undo->row.key);
	free(undo);
}

static void all_synced(struct disk *d)
{
	while (d->undo) {
		struct undo *undo = d->undo;

		d->undo = undo->next;
		free(undo->row.key);
		free(undo->row.value);
		free(undo);
	}
}

/* Keeps the first of the batches that no sync has covered, as many as chance will. */
static void cut(struct disk *d)
{
	uint64_t first, keep;
	struct undo *last = d->undo;

	if (!d->undo)
		return;
	while (last->next)
		last = last->next;
	first = last->batch;
	keep = first - 1 + sim_random_below(&sim.random, d->batches - first + 2);
	if (sim_random_chance(&sim.random, 0.5))
		keep = first - 1;
	while (d->undo && d->undo->batch > keep) {
		undo_one(d);
		sim.faults[SIM_FAULT_LOST]++;
	}
	all_synced(d);
}

void sim_disk_proc_ended(struct sim_proc *proc)
{
	for (struct disk *d = disks; d; d = d->hh.next) {
		if (!d->open || d->open->proc != proc)
			continue;
		if (d->kind == RC_STORE_STATE)
			cut(d);
		d->open = NULL;
	}
}

void sim_disk_power_cut(unsigned node)
{
	for (struct disk *d = disks; d; d = d->hh.next)
		if (d->node == node)
			cut(d);
}

/* ---- opening ---- */

int rc_store_open(const struct rc_store_config *config, struct rc_store **ret,
		  struct rc_error *error)
{
	struct rc_store *store;
	struct disk *d;

	HASH_FIND_STR(disks, config->path, d);
	if (!d) {
		d = rc_alloc(sizeof(*d));
		d->path = rc_strdup(config->path);
		d->owner = rc_strdup(config->owner);
		d->kind = config->kind;
		d->node = sim.current->node;
		HASH_ADD_KEYPTR(hh, disks, d->path, strlen(d->path), d);
	}
	if (d->open)
		return rc_error_set(error, RC_ELOCKED, "%s is in use", config->path);
	all_synced(d);
	store = rc_alloc(sizeof(*store));
	store->disk = d;
	store->proc = sim.current;
	d->open = store;
	*ret = store;
	return RC_OK;
}

void rc_store_close(struct rc_store *store)
{
	if (!store)
		return;
	store->disk->open = NULL;
	free(store);
}

const char *rc_store_path(const struct rc_store *store)
{
	return store->disk->path;
}

void rc_store_figures(struct rc_store *store, struct rc_store_figures *ret_figures)
{
	(void)store;
	*ret_figures = (struct rc_store_figures){0};
}

/* ---- writing ---- */

struct entry {
	uint8_t *key, *value; /* value NULL: delete; of a range its end */
	size_t key_len, len;
	bool range;
};

struct rc_store_batch {
	struct entry *entries;
	size_t n, cap, bytes;
};

struct rc_store_batch *rc_store_batch_new(void)
{
	return rc_alloc(sizeof(struct rc_store_batch));
}

void rc_store_batch_clear(struct rc_store_batch *batch)
{
	for (size_t i = 0; i < batch->n; i++) {
		free(batch->entries[i].key);
		free(batch->entries[i].value);
	}
	batch->n = batch->bytes = 0;
}

void rc_store_batch_free(struct rc_store_batch *batch)
{
	if (!batch)
		return;
	rc_store_batch_clear(batch);
	free(batch->entries);
	free(batch);
}

static void add(struct rc_store_batch *batch, const void *key, size_t key_len, const void *value,
		size_t len, bool range)
{
	struct entry *e;

	if (batch->n == batch->cap) {
		batch->cap = batch->cap * 2 + 16;
		batch->entries =
			rc_realloc_array(batch->entries, batch->cap, sizeof(*batch->entries));
	}
	e = &batch->entries[batch->n++];
	*e = (struct entry){rc_memdup(key, key_len), NULL, key_len, len, range};
	if (value) {
		e->value = rc_alloc(len + 1);
		memcpy(e->value, value, len);
	}
	batch->bytes += key_len + len;
}

void rc_store_batch_put(struct rc_store_batch *batch, const void *key, size_t key_len,
			const void *value, size_t len)
{
	add(batch, key, key_len, len ? value : "", len, false);
}

void rc_store_batch_delete(struct rc_store_batch *batch, const void *key, size_t key_len)
{
	add(batch, key, key_len, NULL, 0, false);
}

void rc_store_batch_delete_range(struct rc_store_batch *batch, struct rc_bytes from,
				 struct rc_bytes to)
{
	add(batch, from.data, from.len, to.data, to.len, true);
}

size_t rc_store_batch_count(const struct rc_store_batch *batch)
{
	return batch->n;
}

size_t rc_store_batch_bytes(const struct rc_store_batch *batch)
{
	return batch->bytes;
}

static void delete_range(struct disk *d, const struct entry *e)
{
	size_t at = lower(d, e->key, e->key_len);

	while (at < d->n && compare(d->rows[at].key, d->rows[at].key_len, e->value, e->len) < 0) {
		struct row row = d->rows[at];
		uint8_t *key = rc_memdup(row.key, row.key_len);

		write_row(d, key, row.key_len, NULL, 0);
		free(key);
	}
}

/* A disk that fails once fails for this process from then on. */
static int fail(struct rc_store *store, struct rc_error *error)
{
	if (!store->failed && sim_random_chance(&sim.random, sim.disk_failure)) {
		sim_fault(SIM_FAULT_DISK);
		store->failed = true;
	}
	return store->failed ? rc_error_set(error, RC_EIO, "%s: told to fail", store->disk->path)
			     : RC_OK;
}

int rc_store_write(struct rc_store *store, struct rc_store_batch *batch, bool sync,
		   struct rc_error *error)
{
	struct disk *d = store->disk;
	int err = fail(store, error);

	assert(d->open == store);
	if (err)
		return err;
	d->batches++;
	for (size_t i = 0; i < batch->n; i++) {
		const struct entry *e = &batch->entries[i];

		sim_trace(e->key, e->key_len);
		if (e->value)
			sim_trace(e->value, e->len);
		if (e->range) {
			delete_range(d, e);
			continue;
		}
		write_row(d, e->key, e->key_len, e->value, e->len);
		if (sim_disk_on_put && e->value)
			sim_disk_on_put(store->proc, d->owner,
					(struct rc_bytes){e->key, e->key_len},
					(struct rc_bytes){e->value, e->len});
	}
	rc_store_batch_clear(batch);
	if (sync && d->kind != RC_STORE_STATE && !sim_sync_lies(d->path))
		all_synced(d);
	return RC_OK;
}

int rc_store_sync(struct rc_store *store, struct rc_error *error)
{
	int err = fail(store, error);

	if (!err && store->disk->kind != RC_STORE_STATE && !sim_sync_lies(store->disk->path))
		all_synced(store->disk);
	return err;
}

int rc_store_flush(struct rc_store *store, struct rc_error *error)
{
	int err = fail(store, error);

	if (!err && !sim_sync_lies(store->disk->path))
		all_synced(store->disk);
	return err;
}

/* ---- reading ---- */

int rc_store_get(struct rc_store *store, const void *key, size_t key_len, struct rc_buf *buf,
		 struct rc_error *error)
{
	const struct row *row = find(store->disk, key, key_len);

	(void)error;
	if (!row)
		return RC_ENOENT;
	rc_buf_reserve(buf, row->len + 1);
	rc_buf_put(buf, row->value, row->len);
	return RC_OK;
}

bool rc_store_has(struct rc_store *store, const void *key, size_t key_len)
{
	return find(store->disk, key, key_len) != NULL;
}

struct rc_store_value {
	struct rc_buf buf;
};

int rc_store_get_pinned(struct rc_store *store, const void *key, size_t key_len,
			struct rc_store_value **ret_value, struct rc_bytes *ret_bytes,
			struct rc_error *error)
{
	struct rc_store_value *value = rc_alloc(sizeof(*value));
	int err = rc_store_get(store, key, key_len, &value->buf, error);

	if (err) {
		rc_store_value_free(value);
		return err;
	}
	*ret_value = value;
	*ret_bytes = (struct rc_bytes){value->buf.data, value->buf.len};
	return RC_OK;
}

void rc_store_value_free(struct rc_store_value *value)
{
	if (value)
		rc_buf_done(&value->buf);
	free(value);
}

struct rc_store_multi {
	struct rc_bytes *values;
	size_t n;
};

int rc_store_multi_get(struct rc_store *store, const struct rc_bytes *keys, size_t n, bool sorted,
		       struct rc_store_multi **ret, const struct rc_bytes **ret_values,
		       struct rc_error *error)
{
	struct rc_store_multi *multi = rc_alloc(sizeof(*multi));

	(void)sorted;
	(void)error;
	multi->n = n;
	multi->values = rc_alloc_array(n, sizeof(*multi->values));
	for (size_t i = 0; i < n; i++) {
		const struct row *row = find(store->disk, keys[i].data, keys[i].len);

		if (row)
			multi->values[i] = (struct rc_bytes){
				memcpy(rc_alloc(row->len + 1), row->value, row->len), row->len};
	}
	*ret = multi;
	*ret_values = multi->values;
	return RC_OK;
}

void rc_store_multi_free(struct rc_store_multi *multi)
{
	if (!multi)
		return;
	for (size_t i = 0; i < multi->n; i++)
		free((void *)(uintptr_t)multi->values[i].data);
	free(multi->values);
	free(multi);
}

/* A copy of the range: one consistent view. */
struct rc_store_iter {
	struct row *rows;
	size_t n, at;
	bool reverse;
};

static struct rc_store_iter *iter_new(struct rc_store *store, struct rc_bytes from,
				      struct rc_bytes to, bool reverse)
{
	const struct disk *d = store->disk;
	struct rc_store_iter *iter = rc_alloc(sizeof(*iter));
	size_t first = lower(d, from.data, from.len);
	size_t end = to.data ? lower(d, to.data, to.len) : d->n;

	iter->reverse = reverse;
	iter->n = end > first ? end - first : 0;
	iter->rows = rc_alloc_array(iter->n, sizeof(*iter->rows));
	for (size_t i = 0; i < iter->n; i++) {
		const struct row *row = &d->rows[first + i];

		iter->rows[i] = *row;
		iter->rows[i].key = rc_memdup(row->key, row->key_len);
		iter->rows[i].value = memcpy(rc_alloc(row->len + 1), row->value, row->len);
	}
	return iter;
}

struct rc_store_iter *rc_store_iter_new(struct rc_store *store, struct rc_bytes from,
					struct rc_bytes to)
{
	return iter_new(store, from, to, false);
}

struct rc_store_iter *rc_store_iter_new_reverse(struct rc_store *store, struct rc_bytes from,
						struct rc_bytes to)
{
	return iter_new(store, from, to, true);
}

bool rc_store_iter_next(struct rc_store_iter *iter, struct rc_bytes *ret_key,
			struct rc_bytes *ret_value)
{
	const struct row *row;

	if (iter->at == iter->n)
		return false;
	row = &iter->rows[iter->reverse ? iter->n - 1 - iter->at : iter->at];
	iter->at++;
	*ret_key = (struct rc_bytes){row->key, row->key_len};
	*ret_value = (struct rc_bytes){row->value, row->len};
	return true;
}

int rc_store_iter_end(struct rc_store_iter *iter, struct rc_error *error)
{
	(void)error;
	for (size_t i = 0; i < iter->n; i++) {
		free(iter->rows[i].key);
		free(iter->rows[i].value);
	}
	free(iter->rows);
	free(iter);
	return RC_OK;
}
