/*
 * The one door to RocksDB. Every call blocks: use it on worker threads (base/workers.h), never on
 * an event loop. A store may be used by several threads at once; a batch, an iterator and a result
 * belong to one thread at a time.
 *
 * The first failed write, sync or flush is final: the store refuses every later one with the same
 * error, and its owner ends the process with 74 without closing it (10-architecture, "Process
 * life"): a failed sync that is tried again can lie.
 */
#ifndef RC_STORE_STORE_H
#define RC_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

struct rc_store;

/* What a database is for; each kind has its own settings (store.c). */
enum rc_store_kind {
	RC_STORE_LOG,	 /* small synced records, big values in blob files, WAL */
	RC_STORE_STATE,	 /* random keys, bloom filter, no WAL: durable by rc_store_flush alone */
	RC_STORE_BLOCKS, /* big values in blob files and in the cache, keys in order, WAL */
};

struct rc_store_config {
	enum rc_store_kind kind;
	const char *path;    /* a directory of its own; made (0700) if its parent is there */
	const char *owner;   /* "utxod/state": who made it and for what; compared at every open */
	uint32_t format;     /* the owner's format version; a newer one is refused */
	uint8_t network[32]; /* network id; another one is refused */
	/*
	 * All the memory it may take: blocks of tables with their indexes and filters, and for
	 * kinds with a WAL two write buffers, at most three parts of eight of it each. Not in it:
	 * what is written to RC_STORE_STATE between two flushes, which its owner bounds; open
	 * tables, some 10 KiB each and TABLES_MAX at most; and pinned values while they are held.
	 */
	size_t memory_bytes;
};

/*
 * Opens or makes it. RC_EVERSION (made by a newer program, or an older one without a migration),
 * RC_ENETWORK, RC_EFORMAT (not ours, or damaged), RC_ELOCKED, RC_EACCES, RC_ENOSPC, RC_EIO, each
 * with the path and what to do in the text. A refused database is not changed. What it finds is on
 * disk when this returns, also where an earlier process wrote it and didn't sync.
 */
int rc_store_open(const struct rc_store_config *config, struct rc_store **ret,
		  struct rc_error *error);
/* Waits for background work. No call may be under way, all iterators and results freed. NULL is
 * fine. */
void rc_store_close(struct rc_store *store);

/* ---- writing: all of a batch or nothing ---- */

struct rc_store_batch;
struct rc_store_batch *rc_store_batch_new(void);
void rc_store_batch_free(struct rc_store_batch *batch);
void rc_store_batch_clear(struct rc_store_batch *batch);
void rc_store_batch_put(struct rc_store_batch *batch, const void *key, size_t key_len,
			const void *value, size_t len);
void rc_store_batch_delete(struct rc_store_batch *batch, const void *key, size_t key_len);
/* Keys from … to − 1. For rare use: each such range costs every later read a little until it is
 * compacted away. */
void rc_store_batch_delete_range(struct rc_store_batch *batch, struct rc_bytes from,
				 struct rc_bytes to);
size_t rc_store_batch_count(const struct rc_store_batch *batch);
size_t rc_store_batch_bytes(const struct rc_store_batch *batch);

/* Writes and clears the batch. RC_ENOSPC when less than 32 MiB and the batch are free on the disk:
 * as every failed write it is final, the process ends and recovers. sync: it is on disk when this
 * returns (not for RC_STORE_STATE, whose WAL is off: rc_store_flush). */
int rc_store_write(struct rc_store *store, struct rc_store_batch *batch, bool sync,
		   struct rc_error *error);
/* Everything written before is on disk when this returns (kinds with a WAL). */
int rc_store_sync(struct rc_store *store, struct rc_error *error);
/* The write buffer goes to a table file, synced: what was written is durable without a WAL. */
int rc_store_flush(struct rc_store *store, struct rc_error *error);

/* ---- reading ---- */

/* Appends the value to *buf. RC_ENOENT (no text) if there is none. */
int rc_store_get(struct rc_store *store, const void *key, size_t key_len, struct rc_buf *buf,
		 struct rc_error *error);
bool rc_store_has(struct rc_store *store, const void *key, size_t key_len);

/* A value held in place, without a copy. */
struct rc_store_value;
int rc_store_get_pinned(struct rc_store *store, const void *key, size_t key_len,
			struct rc_store_value **ret_value, struct rc_bytes *ret_bytes,
			struct rc_error *error);
void rc_store_value_free(struct rc_store_value *value);

/*
 * Many keys at once, the fastest way to read: sorted says that they ascend (memcmp order, shorter
 * first). The values are pinned until the result is freed; data NULL: absent. *ret_values is an
 * array of n owned by the result.
 */
struct rc_store_multi;
int rc_store_multi_get(struct rc_store *store, const struct rc_bytes *keys, size_t n, bool sorted,
		       struct rc_store_multi **ret, const struct rc_bytes **ret_values,
		       struct rc_error *error);
void rc_store_multi_free(struct rc_store_multi *multi);

/*
 * Walks keys in [from, to) in order over one consistent view; to.data NULL: to the end. Starts
 * before the first key: call rc_store_iter_next. Views are valid until the next step.
 */
struct rc_store_iter;
struct rc_store_iter *rc_store_iter_new(struct rc_store *store, struct rc_bytes from,
					struct rc_bytes to);
/* The same from the last key down. */
struct rc_store_iter *rc_store_iter_new_reverse(struct rc_store *store, struct rc_bytes from,
						struct rc_bytes to);
/* The next key and value; false at the end or on an error (rc_store_iter_end tells). */
bool rc_store_iter_next(struct rc_store_iter *iter, struct rc_bytes *ret_key,
			struct rc_bytes *ret_value);
/* Frees it; RC_OK if it walked without an error. */
int rc_store_iter_end(struct rc_store_iter *iter, struct rc_error *error);

/* ---- figures ---- */

struct rc_store_figures {
	uint64_t disk_bytes;	 /* table and blob files */
	uint64_t memtable_bytes; /* write buffers */
	uint64_t cache_bytes;	 /* blocks, indexes and filters in the cache */
	uint64_t table_bytes;	 /* open tables beside that */
	uint64_t keys_estimate;
};
void rc_store_figures(struct rc_store *store, struct rc_store_figures *ret_figures);

const char *rc_store_path(const struct rc_store *store);

#endif
