/*
 * RocksDB behind our own calls. Debian's build has assertions on, so the order matters: column
 * family handles are destroyed before the database, options and caches after it.
 */
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <rocksdb/c.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/num.h"
#include "base/test_point.h"

/* What stands in every database beside its owner's keys: magic, owner's format u32, network id,
 * owner's name. Owners' keys never begin with this byte. */
#define FORMAT_KEY	 "\0format"
#define FORMAT_KEY_LEN	 7
#define FORMAT_MAGIC	 "RCDB1"
#define FORMAT_MAGIC_LEN 5
#define FORMAT_HEAD	 (FORMAT_MAGIC_LEN + 4 + 32)

/* A value from here on goes to a blob file: compaction then never copies it. Below, one more file
 * access costs more than the copying. */
#define BLOB_LEAST 1024
#define LOG_BUFFER ((size_t)8 << 20)
/* Nothing is flushed but by rc_store_flush, all of it as one table: what is on disk is what stood
 * at a flush, however many batches went before it. */
#define STATE_BUFFER  ((size_t)16 << 30)
#define BLOCKS_BUFFER ((size_t)16 << 20)
/* Flushes that are merged into the rest together: each merge writes much of the rest again. A
 * look-up asks so many filters more. */
#define STATE_TABLES_LEVEL0 8
/* Of each table that is merged, at once: without it every block is a read of its own. The ten and
 * more of a merge hold 4 MiB of it. */
#define STATE_MERGE_READ ((size_t)256 << 10)
#define BLOOM_BITS	 10
#define INFO_LOG_BYTES	 ((size_t)1 << 20)
#define INFO_LOG_FILES	 2
#define INFO_LOG_WARN	 2
#define NO_COMPRESSION	 0
#define BACKGROUND_JOBS	 2
#define STATE_BLOCK_SIZE 4096
/* Open at once: a table of the state has 64 MiB. */
#define TABLES_MAX 256
/* Least of a cache: what one look-up pins. */
#define CACHE_LEAST  ((size_t)256 << 10)
#define BUFFER_LEAST ((size_t)64 << 10)

struct rc_store {
	rocksdb_t *db;
	rocksdb_column_family_handle_t *family; /* the only one: "default" */
	rocksdb_options_t *options;
	rocksdb_block_based_table_options_t *table;
	rocksdb_cache_t *cache;
	rocksdb_readoptions_t *read;
	rocksdb_writeoptions_t *write;
	rocksdb_writeoptions_t *write_sync;
	rocksdb_flushoptions_t *flush;
	enum rc_store_kind kind;
	char *path;
	atomic_int broken; /* enum rc_err of the first failed write */
};

struct rc_store_batch {
	rocksdb_writebatch_t *raw;
	size_t bytes;
};

static int classify(const char *text)
{
	if (strstr(text, "No space left"))
		return RC_ENOSPC;
	if (strstr(text, "ermission denied") || strstr(text, "Read-only file system"))
		return RC_EACCES;
	if (strstr(text, "lock file") || strstr(text, "lock hold"))
		return RC_ELOCKED;
	if (!strncmp(text, "Corruption", 10) || !strncmp(text, "Not implemented", 15) ||
	    !strncmp(text, "Invalid argument", 16))
		return RC_EFORMAT;
	return RC_EIO;
}

/* Takes over RocksDB's error text. */
static int take_error(const struct rc_store *store, const char *what, char *text,
		      struct rc_error *error)
{
	int code = classify(text);

	rc_error_set(error, code, "database %s: %s: %s", store->path, what, text);
	free(text);
	return code;
}

static int write_error(struct rc_store *store, const char *what, char *text, struct rc_error *error)
{
	int code = take_error(store, what, text, error);

	atomic_store(&store->broken, code);
	return code;
}

/*
 * RocksDB doesn't survive a full disk: after a failed write Debian's build may abort, also while it
 * is opened. So we stop before that: what a flush of write buffers in the background needs stays
 * free, and an open wants more, lest the next write be the last again.
 */
#define MIB	   (UINT64_C(1) << 20)
#define FREE_WRITE (32 * MIB)
#define FREE_OPEN  (48 * MIB)

static int check_space(const struct rc_store *store, uint64_t least, const char *what,
		       struct rc_error *error)
{
	struct statvfs fs;
	uint64_t left;

	if (statvfs(store->path, &fs) < 0)
		return rc_error_errno(error, "database %s", store->path);
	left = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (left >= least)
		return RC_OK;
	return rc_error_set(error, RC_ENOSPC,
			    "database %s: no space left to %s: %llu MiB are free on its disk, %llu "
			    "are wanted; make room there",
			    store->path, what, (unsigned long long)(left / MIB),
			    (unsigned long long)(least / MIB));
}

/* As a failed write: final. */
static int check_writable(struct rc_store *store, uint64_t bytes, struct rc_error *error)
{
	int err = atomic_load(&store->broken);

	if (err)
		return rc_error_set(error, err,
				    "database %s: an earlier write failed; end and recover",
				    store->path);
	err = check_space(store, FREE_WRITE + bytes, "write", error);
	if (err < 0)
		atomic_store(&store->broken, err);
	return err;
}

/* ---- open and close ---- */

/*
 * Without RocksDB's garbage collection of blob files: with every merge of tables it writes the
 * older half of all big values again, garbage or not (and as every table has small records from end
 * to end of the keys, a merge takes in all): 6 MiB for each of a log of 1,000. Our owners write a
 * big value once, and let go of the oldest first: a file goes with the last of its values.
 */
static void set_blobs(rocksdb_options_t *options)
{
	rocksdb_options_set_enable_blob_files(options, 1);
	rocksdb_options_set_min_blob_size(options, BLOB_LEAST);
}

/* Indexes and filters are cut in pieces that stand in the cache like other blocks: the cache bounds
 * them, and what isn't looked at leaves it. */
static void set_tables(rocksdb_block_based_table_options_t *table, rocksdb_cache_t *cache)
{
	rocksdb_block_based_options_set_block_cache(table, cache);
	rocksdb_block_based_options_set_index_type(
		table, rocksdb_block_based_table_index_type_two_level_index_search);
	rocksdb_block_based_options_set_partition_filters(table, 1);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1);
	rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, 1);
}

/*
 * What the C interface has no call for. What wasn't flushed of a kind without a WAL is dropped by a
 * close as by a crash: it may be half of what belongs together. Not avoid_flush_during_recovery: an
 * earlier process may have left its WAL unsynced, and rocksdb_flush_wal syncs only what this one
 * wrote. So an open writes what it replays to a table, synced, and owners may count on it.
 */
static rocksdb_options_t *base_options(void)
{
	rocksdb_options_t *plain = rocksdb_options_create(), *options = rocksdb_options_create();
	char *error = NULL;

	rocksdb_get_options_from_string(plain,
					"avoid_flush_during_shutdown=true;"
					"fail_if_options_file_error=true",
					options, &error);
	assert(!error);
	rocksdb_options_destroy(plain);
	return options;
}

/* What is larger than a part of a cache never stays in it: one of blocks has a single part. */
static rocksdb_cache_t *make_cache(enum rc_store_kind kind, size_t size)
{
	rocksdb_lru_cache_options_t *o = rocksdb_lru_cache_options_create();
	rocksdb_cache_t *cache;

	rocksdb_lru_cache_options_set_capacity(o, size);
	if (kind == RC_STORE_BLOCKS)
		rocksdb_lru_cache_options_set_num_shard_bits(o, 0);
	cache = rocksdb_cache_create_lru_opts(o);
	rocksdb_lru_cache_options_destroy(o);
	return cache;
}

/* A write buffer as the kind wants it, and two must fit; the rest is the cache's. */
static size_t set_buffer(rocksdb_options_t *options, size_t wanted, size_t memory)
{
	size_t size = memory / 8 * 3;

	if (size > wanted)
		size = wanted;
	if (size < BUFFER_LEAST)
		size = BUFFER_LEAST;
	rocksdb_options_set_write_buffer_size(options, size);
	return memory > 2 * size ? memory - 2 * size : 0;
}

static void make_options(struct rc_store *store, const struct rc_store_config *config)
{
	rocksdb_options_t *o = base_options();
	size_t cache = config->memory_bytes;

	rocksdb_options_set_create_if_missing(o, 1);
	rocksdb_options_set_paranoid_checks(o, 1);
	rocksdb_options_set_compression(o, NO_COMPRESSION);
	rocksdb_options_set_max_background_jobs(o, BACKGROUND_JOBS);
	rocksdb_options_set_info_log_level(o, INFO_LOG_WARN);
	rocksdb_options_set_max_log_file_size(o, INFO_LOG_BYTES);
	rocksdb_options_set_keep_log_file_num(o, INFO_LOG_FILES);
	rocksdb_options_set_max_open_files(o, TABLES_MAX);
	rocksdb_options_set_skip_stats_update_on_db_open(o, 1);
	store->table = rocksdb_block_based_options_create();
	switch (config->kind) {
	case RC_STORE_LOG:
		cache = set_buffer(o, LOG_BUFFER, cache);
		break;
	case RC_STORE_STATE:
		rocksdb_options_set_write_buffer_size(o, STATE_BUFFER);
		rocksdb_options_set_level0_file_num_compaction_trigger(o, STATE_TABLES_LEVEL0);
		rocksdb_options_compaction_readahead_size(o, STATE_MERGE_READ);
		rocksdb_block_based_options_set_block_size(store->table, STATE_BLOCK_SIZE);
		break;
	case RC_STORE_BLOCKS:
		cache = set_buffer(o, BLOCKS_BUFFER, cache);
		break;
	}
	store->cache = make_cache(config->kind, cache > CACHE_LEAST ? cache : CACHE_LEAST);
	set_tables(store->table, store->cache);
	if (config->kind != RC_STORE_LOG)
		rocksdb_block_based_options_set_filter_policy(
			store->table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
	if (config->kind != RC_STORE_STATE)
		set_blobs(o);
	if (config->kind == RC_STORE_BLOCKS)
		rocksdb_options_set_blob_cache(o, store->cache);
	rocksdb_options_set_block_based_table_factory(o, store->table);
	store->options = o;
	store->read = rocksdb_readoptions_create();
	store->write = rocksdb_writeoptions_create();
	store->write_sync = rocksdb_writeoptions_create();
	if (config->kind == RC_STORE_STATE) {
		rocksdb_writeoptions_disable_WAL(store->write, 1);
		rocksdb_writeoptions_disable_WAL(store->write_sync, 1);
	} else {
		rocksdb_writeoptions_set_sync(store->write_sync, 1);
	}
	store->flush = rocksdb_flushoptions_create();
	rocksdb_flushoptions_set_wait(store->flush, 1);
}

static int open_raw(struct rc_store *store, struct rc_error *error)
{
	const char *const name = "default";
	const rocksdb_options_t *options = store->options;
	char *err = NULL;

	store->db = rocksdb_open_column_families(store->options, store->path, 1, &name, &options,
						 &store->family, &err);
	if (!err)
		return RC_OK;
	store->db = NULL;
	store->family = NULL;
	return take_error(store, "can't open", err, error);
}

static int write_format(struct rc_store *store, const struct rc_store_config *config,
			struct rc_error *error)
{
	struct rc_store_batch *batch = rc_store_batch_new();
	struct rc_buf value = RC_BUF_INIT;
	int err;

	rc_buf_put(&value, FORMAT_MAGIC, FORMAT_MAGIC_LEN);
	rc_buf_put_le32(&value, config->format);
	rc_buf_put(&value, config->network, 32);
	rc_buf_put(&value, config->owner, strlen(config->owner));
	rc_store_batch_put(batch, FORMAT_KEY, FORMAT_KEY_LEN, value.data, value.len);
	err = rc_store_write(store, batch, true, error);
	if (!err && store->kind == RC_STORE_STATE)
		err = rc_store_flush(store, error);
	rc_buf_done(&value);
	rc_store_batch_free(batch);
	return err;
}

static bool is_empty(struct rc_store *store)
{
	struct rc_store_iter *iter =
		rc_store_iter_new(store, (struct rc_bytes){0}, (struct rc_bytes){0});
	struct rc_bytes key, value;
	bool any = rc_store_iter_next(iter, &key, &value);

	return rc_store_iter_end(iter, NULL) == RC_OK && !any;
}

static int compare_format(const struct rc_store *store, const struct rc_store_config *config,
			  const struct rc_buf *value, struct rc_error *error)
{
	size_t owner_len = strlen(config->owner);
	uint32_t format;

	if (value->len < FORMAT_HEAD || memcmp(value->data, FORMAT_MAGIC, FORMAT_MAGIC_LEN) != 0)
		return rc_error_set(error, RC_EFORMAT,
				    "database %s: its format record is damaged; restore a backup "
				    "or remove the directory to build it again",
				    store->path);
	if (value->len - FORMAT_HEAD != owner_len ||
	    memcmp(value->data + FORMAT_HEAD, config->owner, owner_len) != 0)
		return rc_error_set(error, RC_EFORMAT, "database %s belongs to %.*s, not to %s",
				    store->path, (int)(value->len - FORMAT_HEAD),
				    (const char *)value->data + FORMAT_HEAD, config->owner);
	format = rc_get_le32(value->data + FORMAT_MAGIC_LEN);
	if (format > config->format)
		return rc_error_set(error, RC_EVERSION,
				    "database %s has format %u, made by a newer program; this one "
				    "knows up to %u: use the newer program",
				    store->path, format, config->format);
	if (format < config->format)
		return rc_error_set(error, RC_EVERSION,
				    "database %s has the old format %u and this program needs %u: "
				    "remove the directory to build it again",
				    store->path, format, config->format);
	if (memcmp(value->data + FORMAT_MAGIC_LEN + 4, config->network, 32) != 0)
		return rc_error_set(error, RC_ENETWORK,
				    "database %s belongs to another network; give another state "
				    "directory or the network it was made for",
				    store->path);
	return RC_OK;
}

static int check_format(struct rc_store *store, const struct rc_store_config *config,
			struct rc_error *error)
{
	struct rc_buf value = RC_BUF_INIT;
	int err = rc_store_get(store, FORMAT_KEY, FORMAT_KEY_LEN, &value, error);

	if (err == RC_OK) {
		err = compare_format(store, config, &value, error);
	} else if (err == RC_ENOENT && is_empty(store)) {
		RC_TEST_POINT(STORE_MADE);
		err = write_format(store, config, error);
	} else if (err == RC_ENOENT) {
		err = rc_error_set(error, RC_EFORMAT,
				   "database %s has no format record: it isn't one of ours",
				   store->path);
	}
	rc_buf_done(&value);
	return err;
}

int rc_store_open(const struct rc_store_config *config, struct rc_store **ret,
		  struct rc_error *error)
{
	struct rc_store *store = rc_alloc(sizeof(*store));
	int err;

	store->kind = config->kind;
	store->path = rc_strdup(config->path);
	make_options(store, config);
	if (mkdir(config->path, 0700) != 0 && errno != EEXIST) {
		err = rc_error_errno(error, "database %s: can't make the directory", config->path);
		rc_store_close(store);
		return err;
	}
	err = check_space(store, FREE_OPEN, "open it", error);
	if (!err)
		err = open_raw(store, error);
	if (!err)
		err = check_format(store, config, error);
	if (err) {
		rc_store_close(store);
		return err;
	}
	RC_TEST_POINT(STORE_OPENED);
	*ret = store;
	return RC_OK;
}

void rc_store_close(struct rc_store *store)
{
	if (!store)
		return;
	if (store->family)
		rocksdb_column_family_handle_destroy(store->family);
	if (store->db)
		rocksdb_close(store->db);
	rocksdb_flushoptions_destroy(store->flush);
	rocksdb_writeoptions_destroy(store->write_sync);
	rocksdb_writeoptions_destroy(store->write);
	rocksdb_readoptions_destroy(store->read);
	rocksdb_options_destroy(store->options);
	rocksdb_block_based_options_destroy(store->table);
	rocksdb_cache_destroy(store->cache);
	free(store->path);
	free(store);
}

const char *rc_store_path(const struct rc_store *store)
{
	return store->path;
}

/* ---- writing ---- */

struct rc_store_batch *rc_store_batch_new(void)
{
	struct rc_store_batch *batch = rc_alloc(sizeof(*batch));

	batch->raw = rocksdb_writebatch_create();
	return batch;
}

void rc_store_batch_free(struct rc_store_batch *batch)
{
	if (!batch)
		return;
	rocksdb_writebatch_destroy(batch->raw);
	free(batch);
}

void rc_store_batch_clear(struct rc_store_batch *batch)
{
	rocksdb_writebatch_clear(batch->raw);
	batch->bytes = 0;
}

void rc_store_batch_put(struct rc_store_batch *batch, const void *key, size_t key_len,
			const void *value, size_t len)
{
	rocksdb_writebatch_put(batch->raw, key, key_len, value, len);
	batch->bytes += key_len + len;
}

void rc_store_batch_delete(struct rc_store_batch *batch, const void *key, size_t key_len)
{
	rocksdb_writebatch_delete(batch->raw, key, key_len);
	batch->bytes += key_len;
}

void rc_store_batch_delete_range(struct rc_store_batch *batch, struct rc_bytes from,
				 struct rc_bytes to)
{
	rocksdb_writebatch_delete_range(batch->raw, (const char *)from.data, from.len,
					(const char *)to.data, to.len);
	batch->bytes += from.len + to.len;
}

size_t rc_store_batch_count(const struct rc_store_batch *batch)
{
	return (size_t)rocksdb_writebatch_count(batch->raw);
}

size_t rc_store_batch_bytes(const struct rc_store_batch *batch)
{
	return batch->bytes;
}

int rc_store_write(struct rc_store *store, struct rc_store_batch *batch, bool sync,
		   struct rc_error *error)
{
	char *text = NULL;
	int err = check_writable(store, batch->bytes, error);

	if (err)
		return err;
	rocksdb_write(store->db, sync ? store->write_sync : store->write, batch->raw, &text);
	if (text)
		return write_error(store, sync ? "write and sync" : "write", text, error);
	rc_store_batch_clear(batch);
	return RC_OK;
}

int rc_store_sync(struct rc_store *store, struct rc_error *error)
{
	char *text = NULL;
	int err = check_writable(store, 0, error);

	if (err)
		return err;
	rocksdb_flush_wal(store->db, 1, &text);
	return text ? write_error(store, "sync", text, error) : RC_OK;
}

int rc_store_flush(struct rc_store *store, struct rc_error *error)
{
	char *text = NULL;
	uint64_t buffered = 0;
	int err;

	rocksdb_property_int_cf(store->db, store->family, "rocksdb.cur-size-all-mem-tables",
				&buffered);
	err = check_writable(store, buffered, error);
	if (err)
		return err;
	rocksdb_flush_cf(store->db, store->flush, store->family, &text);
	return text ? write_error(store, "flush", text, error) : RC_OK;
}

/* ---- reading ---- */

int rc_store_get_pinned(struct rc_store *store, const void *key, size_t key_len,
			struct rc_store_value **ret_value, struct rc_bytes *ret_bytes,
			struct rc_error *error)
{
	char *text = NULL;
	rocksdb_pinnableslice_t *slice =
		rocksdb_get_pinned_cf(store->db, store->read, store->family, key, key_len, &text);
	size_t len;

	if (text)
		return take_error(store, "read", text, error);
	if (!slice)
		return RC_ENOENT;
	ret_bytes->data = (const uint8_t *)rocksdb_pinnableslice_value(slice, &len);
	ret_bytes->len = len;
	*ret_value = (struct rc_store_value *)slice;
	return RC_OK;
}

void rc_store_value_free(struct rc_store_value *value)
{
	if (value)
		rocksdb_pinnableslice_destroy((rocksdb_pinnableslice_t *)value);
}

int rc_store_get(struct rc_store *store, const void *key, size_t key_len, struct rc_buf *buf,
		 struct rc_error *error)
{
	struct rc_store_value *value;
	struct rc_bytes bytes;
	int err = rc_store_get_pinned(store, key, key_len, &value, &bytes, error);

	if (err)
		return err;
	rc_buf_put(buf, bytes.data, bytes.len);
	rc_store_value_free(value);
	return RC_OK;
}

bool rc_store_has(struct rc_store *store, const void *key, size_t key_len)
{
	struct rc_store_value *value = NULL;
	struct rc_bytes bytes;

	if (rc_store_get_pinned(store, key, key_len, &value, &bytes, NULL) != RC_OK)
		return false;
	rc_store_value_free(value);
	return true;
}

struct rc_store_multi {
	size_t n;
	rocksdb_pinnableslice_t **slices;
	char **errors;
	struct rc_bytes values[];
};

void rc_store_multi_free(struct rc_store_multi *multi)
{
	if (!multi)
		return;
	for (size_t i = 0; i < multi->n; i++) {
		if (multi->slices[i])
			rocksdb_pinnableslice_destroy(multi->slices[i]);
		free(multi->errors[i]);
	}
	free(multi->slices);
	free(multi->errors);
	free(multi);
}

int rc_store_multi_get(struct rc_store *store, const struct rc_bytes *keys, size_t n, bool sorted,
		       struct rc_store_multi **ret, const struct rc_bytes **ret_values,
		       struct rc_error *error)
{
	struct rc_store_multi *multi = rc_alloc(sizeof(*multi) + n * sizeof(multi->values[0]));
	RC_AUTOFREE const char **list = rc_alloc_array(n, sizeof(*list));
	RC_AUTOFREE size_t *sizes = rc_alloc_array(n, sizeof(*sizes));
	int err = RC_OK;

	multi->n = n;
	multi->slices = rc_alloc_array(n, sizeof(multi->slices[0]));
	multi->errors = rc_alloc_array(n, sizeof(multi->errors[0]));
	for (size_t i = 0; i < n; i++) {
		list[i] = (const char *)keys[i].data;
		sizes[i] = keys[i].len;
	}
	if (n)
		rocksdb_batched_multi_get_cf(store->db, store->read, store->family, n, list, sizes,
					     multi->slices, multi->errors, sorted);
	for (size_t i = 0; i < n; i++) {
		size_t len = 0;

		if (multi->errors[i] && !err) {
			err = take_error(store, "read", multi->errors[i], error);
			multi->errors[i] = NULL;
		}
		if (multi->slices[i])
			multi->values[i].data = (const uint8_t *)rocksdb_pinnableslice_value(
				multi->slices[i], &len);
		multi->values[i].len = len;
	}
	if (err) {
		rc_store_multi_free(multi);
		return err;
	}
	*ret = multi;
	*ret_values = multi->values;
	return RC_OK;
}

struct rc_store_iter {
	const struct rc_store *store;
	rocksdb_iterator_t *raw;
	rocksdb_readoptions_t *options;
	uint8_t *from; /* own copies: RocksDB keeps views of the bounds */
	uint8_t *to;
	bool reverse;
	bool started;
};

static struct rc_store_iter *iter_new(struct rc_store *store, struct rc_bytes from,
				      struct rc_bytes to, bool reverse)
{
	struct rc_store_iter *iter = rc_alloc(sizeof(*iter));

	iter->store = store;
	iter->reverse = reverse;
	iter->options = rocksdb_readoptions_create();
	rocksdb_readoptions_set_fill_cache(iter->options, 0);
	if (from.data) {
		iter->from = rc_memdup(from.data, from.len);
		rocksdb_readoptions_set_iterate_lower_bound(iter->options, (char *)iter->from,
							    from.len);
	}
	if (to.data) {
		iter->to = rc_memdup(to.data, to.len);
		rocksdb_readoptions_set_iterate_upper_bound(iter->options, (char *)iter->to,
							    to.len);
	}
	iter->raw = rocksdb_create_iterator_cf(store->db, iter->options, store->family);
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

static void iter_step(struct rc_store_iter *iter)
{
	if (!iter->started && iter->reverse)
		rocksdb_iter_seek_to_last(iter->raw);
	else if (!iter->started)
		rocksdb_iter_seek_to_first(iter->raw);
	else if (iter->reverse)
		rocksdb_iter_prev(iter->raw);
	else
		rocksdb_iter_next(iter->raw);
	iter->started = true;
}

bool rc_store_iter_next(struct rc_store_iter *iter, struct rc_bytes *ret_key,
			struct rc_bytes *ret_value)
{
	/* Stepping an iterator that is past its end is one of the assertions. */
	if (iter->started && !rocksdb_iter_valid(iter->raw))
		return false;
	iter_step(iter);
	if (!rocksdb_iter_valid(iter->raw))
		return false;
	ret_key->data = (const uint8_t *)rocksdb_iter_key(iter->raw, &ret_key->len);
	ret_value->data = (const uint8_t *)rocksdb_iter_value(iter->raw, &ret_value->len);
	return true;
}

int rc_store_iter_end(struct rc_store_iter *iter, struct rc_error *error)
{
	char *text = NULL;
	int err = RC_OK;

	rocksdb_iter_get_error(iter->raw, &text);
	if (text)
		err = take_error(iter->store, "walk", text, error);
	rocksdb_iter_destroy(iter->raw);
	rocksdb_readoptions_destroy(iter->options);
	free(iter->from);
	free(iter->to);
	free(iter);
	return err;
}

/* ---- figures ---- */

static uint64_t property(struct rc_store *store, const char *name)
{
	uint64_t v = 0;

	rocksdb_property_int_cf(store->db, store->family, name, &v);
	return v;
}

void rc_store_figures(struct rc_store *store, struct rc_store_figures *ret_figures)
{
	*ret_figures = (struct rc_store_figures){
		.disk_bytes = property(store, "rocksdb.total-sst-files-size") +
			      property(store, "rocksdb.total-blob-file-size"),
		.memtable_bytes = property(store, "rocksdb.size-all-mem-tables"),
		.cache_bytes = rocksdb_cache_get_usage(store->cache),
		.table_bytes = property(store, "rocksdb.estimate-table-readers-mem"),
		.keys_estimate = property(store, "rocksdb.estimate-num-keys"),
	};
}
