/* The two databases in RocksDB. */
#include "daemons/utxod/disk.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/test_point.h"
#include "store/store.h"

#define LOG_FORMAT   1
#define STATE_FORMAT 2 /* 2: a page has no more of a key than it needs */
/* Handed to the database before a commit, so that a flush's changes are in memory once, in its
 * write buffer: of the state, nothing counts before the flush. */
#define SPILL_BYTES ((size_t)1 << 20)

struct store_disk {
	struct disk disk;
	struct rc_store *store;
	struct rc_store_batch *batch;
	bool spills;
	int err; /* of what was spilled */
	struct rc_error error;
};

static struct store_disk *of(struct disk *disk)
{
	return (struct store_disk *)disk;
}

static void spill(struct store_disk *d)
{
	if (d->spills && !d->err && rc_store_batch_bytes(d->batch) >= SPILL_BYTES)
		d->err = rc_store_write(d->store, d->batch, false, &d->error);
}

static void store_put(struct disk *disk, const void *key, size_t key_len, const void *value,
		      size_t len)
{
	rc_store_batch_put(of(disk)->batch, key, key_len, value, len);
	spill(of(disk));
}

static void store_del(struct disk *disk, const void *key, size_t key_len)
{
	rc_store_batch_delete(of(disk)->batch, key, key_len);
	spill(of(disk));
}

static int store_commit(struct disk *disk, enum disk_sync how, struct rc_error *error)
{
	struct store_disk *d = of(disk);
	int err = d->err;

	if (err)
		return rc_error_set(error, err, "%s", d->error.text);
	err = rc_store_write(d->store, d->batch, how == DISK_SYNC, error);
	if (!err && how == DISK_FLUSH) {
		RC_TEST_POINT(UTXOD_FLUSH_WRITTEN);
		err = rc_store_flush(d->store, error);
	}
	return err;
}

static int store_sync(struct disk *disk, struct rc_error *error)
{
	return rc_store_sync(of(disk)->store, error);
}

static int store_get(struct disk *disk, const void *key, size_t key_len, struct rc_buf *buf,
		     struct rc_error *error)
{
	return rc_store_get(of(disk)->store, key, key_len, buf, error);
}

static int store_multi_get(struct disk *disk, const struct rc_bytes *keys, size_t n,
			   disk_value_fn fn, void *arg, struct rc_error *error)
{
	const struct rc_bytes *values;
	struct rc_store_multi *multi;
	int err = rc_store_multi_get(of(disk)->store, keys, n, true, &multi, &values, error);

	if (err)
		return err;
	for (size_t i = 0; i < n; i++)
		if (values[i].data)
			fn(arg, i, values[i]);
	rc_store_multi_free(multi);
	return RC_OK;
}

static int store_walk(struct disk *disk, struct rc_bytes from, struct rc_bytes to, disk_walk_fn fn,
		      void *arg, struct rc_error *error)
{
	struct rc_store_iter *iter = rc_store_iter_new(of(disk)->store, from, to);
	struct rc_bytes key, value;

	while (rc_store_iter_next(iter, &key, &value))
		if (!fn(arg, key, value))
			break;
	return rc_store_iter_end(iter, error);
}

static void store_figures(struct disk *disk, struct disk_figures *ret)
{
	struct rc_store_figures f;

	rc_store_figures(of(disk)->store, &f);
	ret->disk_bytes = f.disk_bytes;
	ret->cache_bytes = f.cache_bytes;
	ret->buffer_bytes = f.memtable_bytes;
	ret->table_bytes = f.table_bytes;
}

static void store_close(struct disk *disk)
{
	struct store_disk *d = of(disk);

	rc_store_batch_free(d->batch);
	rc_store_close(d->store);
	free(d);
}

static const struct disk_ops store_ops = {
	.put = store_put,
	.del = store_del,
	.commit = store_commit,
	.sync = store_sync,
	.get = store_get,
	.multi_get = store_multi_get,
	.walk = store_walk,
	.figures = store_figures,
	.close = store_close,
};

static int open_one(const struct rc_store_config *config, struct disk **ret, struct rc_error *error)
{
	struct store_disk *d = rc_alloc(sizeof(*d));
	int err = rc_store_open(config, &d->store, error);

	if (err) {
		free(d);
		return err;
	}
	d->disk.ops = &store_ops;
	d->spills = config->kind == RC_STORE_STATE;
	d->batch = rc_store_batch_new();
	*ret = &d->disk;
	return RC_OK;
}

/* One database, opened by a thread of its own: each waits for its disk. */
struct opening {
	struct rc_store_config config;
	struct disk *disk;
	struct rc_error error;
	int err;
};

static void *run_opening(void *arg)
{
	struct opening *o = arg;

	o->err = open_one(&o->config, &o->disk, &o->error);
	return NULL;
}

int disk_store_open(const char *dir, const uint8_t network[32], size_t log_bytes,
		    size_t state_bytes, struct disk_pair *ret, struct rc_error *error)
{
	RC_AUTOFREE char *log_path = rc_asprintf("%s/log", dir);
	RC_AUTOFREE char *state_path = rc_asprintf("%s/state", dir);
	struct opening log = {.config = {.kind = RC_STORE_LOG,
					 .path = log_path,
					 .owner = "utxod/log",
					 .format = LOG_FORMAT,
					 .memory_bytes = log_bytes}};
	struct opening state = {.config = {.kind = RC_STORE_STATE,
					   .path = state_path,
					   .owner = "utxod/state",
					   .format = STATE_FORMAT,
					   .memory_bytes = state_bytes}};
	struct disk_pair pair;
	const struct opening *bad;
	pthread_t thread;
	bool both;

	memcpy(log.config.network, network, 32);
	memcpy(state.config.network, network, 32);
	both = pthread_create(&thread, NULL, run_opening, &log) == 0;
	run_opening(&state);
	if (both)
		pthread_join(thread, NULL);
	else
		run_opening(&log);
	pair = (struct disk_pair){.log = log.disk, .state = state.disk};
	bad = log.err ? &log : state.err ? &state : NULL;
	if (bad) {
		disk_pair_close(&pair);
		return rc_error_set(error, bad->err, "%s", bad->error.text);
	}
	*ret = pair;
	return RC_OK;
}

void disk_pair_close(struct disk_pair *pair)
{
	if (pair->state)
		pair->state->ops->close(pair->state);
	if (pair->log)
		pair->log->ops->close(pair->log);
	pair->state = pair->log = NULL;
}
