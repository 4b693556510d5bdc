/*
 * Blocks and the index of headers in RocksDB: bodies in blob files, keys in the order of heights.
 *
 *   'h' height u32 be, id 32   →  header 118 | flags u8 | order u64 | size u32 | transactions u32
 *                                 | u8 length, name of the verdict
 *   'b' height u32 be, id 32   →  the block's bytes
 *
 * The network's genesis block is in neither. Writes are collected and written by a thread of its
 * own, many in one batch; reads run on a small pool. The first failed write ends the process.
 */
#ifndef CHAIND_BLOCKSTORE_H
#define CHAIND_BLOCKSTORE_H

#include "base/workers.h"
#include "daemons/chaind/chain.h"
#include "store/store.h"

struct blockstore;

/* memory_bytes: of the database, all of it (store.h). */
int blockstore_open(const char *dir, const struct rc_network *network, size_t memory_bytes,
		    struct blockstore **ret, struct rc_error *error);
/* Writes what is still collected first. NULL is fine. */
void blockstore_close(struct blockstore *store);

/* Descriptors of its two pools' completions are the loop's to watch. */
struct rc_workers *blockstore_writer(struct blockstore *store);
struct rc_workers *blockstore_readers(struct blockstore *store);

/* Fills an empty chain (chain_init) from the index; blocking. */
int blockstore_load(struct blockstore *store, struct chain *chain, struct rc_error *error);

/* Takes the chain's dirty records along. Called by whoever changed the chain, at the end. */
void blockstore_put_index(struct blockstore *store, struct chain *chain);

/* A body, with its record; raw is copied. fn runs when it is written, and on the disk if sync was
 * told, or enough bytes have come together. */
typedef void (*blockstore_done_fn)(void *arg);
void blockstore_put(struct blockstore *store, struct chain *chain, const struct block_node *node,
		    const void *raw, size_t len, bool sync, blockstore_done_fn fn, void *arg);
/* fn runs when everything put before is on the disk. */
void blockstore_sync(struct blockstore *store, blockstore_done_fn fn, void *arg);

/* Reads a body on a reader; fn gets it (data NULL: it isn't there) and may take it by setting
 * data to NULL in *buf. work (may be NULL) runs on the reader's thread after the read. */
typedef void (*blockstore_read_fn)(void *arg, struct rc_buf *buf);
void blockstore_get(struct blockstore *store, const struct block_node *node,
		    void (*work)(void *arg, struct rc_buf *buf), blockstore_read_fn fn, void *arg);

/* Bytes on disk, as last measured. */
uint64_t blockstore_disk_bytes(const struct blockstore *store);

/* Keys and records, for tests. */
#define BLOCKSTORE_KEY_SIZE 37
size_t blockstore_record_encode(const struct block_node *node, struct rc_buf *buf);
/* Puts one record into the chain, or counts it in *lost: its parent isn't there, or it is there
 * itself. False: the bytes are no record of this key. */
bool blockstore_record_load(struct chain *chain, struct rc_bytes key, struct rc_bytes value,
			    size_t *lost);

#endif
