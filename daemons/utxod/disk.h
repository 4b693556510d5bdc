/*
 * What utxod's core needs of a disk: two ordered key-value databases. disk_store.c is RocksDB;
 * disk_memory.c is memory that can be cut off like a power cut, for tests and simulation.
 *
 * Each disk has one writer at a time (its pending puts and deletes belong to it); any thread may
 * read. A failed commit or sync is final: the process ends with 74.
 */
#ifndef UTXOD_DISK_H
#define UTXOD_DISK_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

enum disk_sync {
	DISK_LAZY,  /* survives this process, not a power cut, until a later sync */
	DISK_SYNC,  /* on disk when commit returns (log) */
	DISK_FLUSH, /* on disk without a log of its own (state) */
};

struct disk_figures {
	uint64_t disk_bytes;
	uint64_t cache_bytes;  /* blocks, indexes and filters in memory */
	uint64_t buffer_bytes; /* write buffers */
	uint64_t table_bytes;  /* open tables */
};

struct disk;

/* A value of a multi-get or of a walk; valid during the call. False ends a walk. */
typedef void (*disk_value_fn)(void *arg, size_t i, struct rc_bytes value);
typedef bool (*disk_walk_fn)(void *arg, struct rc_bytes key, struct rc_bytes value);

struct disk_ops {
	void (*put)(struct disk *disk, const void *key, size_t key_len, const void *value,
		    size_t len);
	void (*del)(struct disk *disk, const void *key, size_t key_len);
	/* All that was put and deleted since the last commit, or nothing. */
	int (*commit)(struct disk *disk, enum disk_sync how, struct rc_error *error);
	/* Everything committed is on disk. */
	int (*sync)(struct disk *disk, struct rc_error *error);
	/* Appends to *buf; RC_ENOENT. */
	int (*get)(struct disk *disk, const void *key, size_t key_len, struct rc_buf *buf,
		   struct rc_error *error);
	/* Keys ascending. fn is called for those that are there. */
	int (*multi_get)(struct disk *disk, const struct rc_bytes *keys, size_t n, disk_value_fn fn,
			 void *arg, struct rc_error *error);
	/* Keys of [from, to) ascending. */
	int (*walk)(struct disk *disk, struct rc_bytes from, struct rc_bytes to, disk_walk_fn fn,
		    void *arg, struct rc_error *error);
	void (*figures)(struct disk *disk, struct disk_figures *ret);
	void (*close)(struct disk *disk);
};

struct disk {
	const struct disk_ops *ops;
};

/* The two databases of a state directory: DIR/log and DIR/state. */
struct disk_pair {
	struct disk *log;
	struct disk *state;
};

/* log_bytes, state_bytes: memory of each (store.h, memory_bytes); the state's write buffer, which
 * holds a flush's changes while it lasts, comes on top. */
int disk_store_open(const char *dir, const uint8_t network[32], size_t log_bytes,
		    size_t state_bytes, struct disk_pair *ret, struct rc_error *error);
void disk_pair_close(struct disk_pair *pair);

struct disk *disk_memory_new(void);
/* Forgets what no sync has covered. */
void disk_memory_cut(struct disk *disk);
/* The next commit or sync fails as a full disk does. */
void disk_memory_fail(struct disk *disk);

#endif
