/* What the files of the ledger share. */
#ifndef UTXOD_LEDGER_INTERNAL_H
#define UTXOD_LEDGER_INTERNAL_H

#include <stdatomic.h>

#include "daemons/utxod/coinmap.h"
#include "daemons/utxod/ledger.h"
#include "daemons/utxod/registry.h"

enum version_kind {
	VERSION_BASE,  /* as the disk had it at opening */
	VERSION_APPLY, /* a block */
	VERSION_UNDO,  /* the block above it is taken back */
};

struct version {
	struct version *below, *above;
	uint64_t seq;
	struct block_ref block; /* whose state this is */
	enum version_kind kind;
	struct block_ref step; /* the block applied or undone */
	struct rc_block_id step_parent;
	uint64_t ref; /* VERSION_UNDO: seq of the step that applied it */

	uint8_t *encoded; /* the step's delta */
	size_t encoded_len;
	struct rc_arena arena;
	struct rc_delta delta;

	struct tree_roots roots;
	struct rc_hash root;
	struct tree_change change;
	uint64_t coins, entries; /* in the state */

	bool sure; /* it fits the state whatever its tree says: it may be applied before that */
	atomic_bool rooted;
	atomic_bool dead; /* dropped: its readers leave */
	size_t counted;	  /* of its own bytes, as the ledger has added them up */
	unsigned pins;
	bool logged;   /* its delta is in the log, ahead of its step */
	bool released; /* what gave the tree's older versions is gone */
	bool retired;  /* coins and entries too */
};

struct ledger {
	struct disk_pair disks;
	struct ledger_options options;
	struct tree *tree;
	struct coinmap *coins;
	struct registry *registry;
	struct deltalog *log;
	struct rc_arena scratch; /* the builder's: what a block is while its tree is made */

	pthread_mutex_t lock;
	pthread_cond_t left; /* a pin went, or a flush ended, or `ending` */
	struct version *bottom, *applied, *top;
	uint64_t living;  /* versions before this have no readers */
	uint64_t written; /* in the log */
	uint64_t durable;
	struct block_ref durable_block;
	uint64_t flushed;
	struct block_ref flushed_block;
	size_t unsynced;
	size_t line_bytes; /* of the versions in the line, but for pages and patches */
	size_t staged_bytes, staged_blocks;
	size_t dirty_bytes; /* what a flush of all that is applied has to write */
	uint64_t dirty_changes;
	bool ending;
	bool broken;	/* what is applied has no tree: its state is damaged */
	bool switching; /* undo steps are staged */
	struct block_ref fork;

	pthread_mutex_t collecting;

	atomic_uint_fast64_t commits, aborts, switches, undone, writes, syncs, flushes;
	struct ledger_recovery recovery;
	atomic_bool write_in_flight, flush_in_flight, build_in_flight;
};

/* What a version does, seen from its maps. */
struct coinmap_change version_coins(const struct version *version);
struct registry_change version_registry(const struct version *version);
size_t version_bytes(const struct version *version);
/* Its own: neither pages nor patches. */
size_t version_own_bytes(const struct version *version);
/* version above flushed, which is where the disk stands. */
size_t version_dirty(const struct version *version, uint64_t flushed);
uint64_t version_changes(const struct version *version);

/* A version not in the line yet, from an encoded delta (taken over). NULL: malformed. */
struct version *version_new(uint8_t *encoded, size_t len, enum version_kind kind);
void version_free(struct version *version);

/* With the lock held: of the pages' memory, the version has so many bytes of its own now. */
void ledger_count(struct ledger *ledger, struct version *version, size_t bytes);
/* RC_EFORMAT: something applied turned out to have no tree. */
int ledger_refuse_broken(struct ledger *ledger, struct rc_error *error);
/* Puts a new version on top: maps, line, tree. On failure it is freed and nothing has changed. */
int ledger_grow(struct ledger *ledger, struct version *version, struct rc_error *error);
/* With the lock held: applied moves up to this version. */
void ledger_advance(struct ledger *ledger, struct version *to);
/* With the lock held: the log is synced up to here. */
void ledger_set_durable(struct ledger *ledger, uint64_t seq);
/* Undoes the applied chain's block of this height on top. */
int ledger_undo_one(struct ledger *ledger, uint32_t height, struct rc_error *error);
/* Where State(tip − 1) isn't in memory (undo steps passed it, or a start came right after one): the
 * tip's block is undone and applied again, as one commit, and it is. */
int ledger_repeat_tip(struct ledger *ledger, struct rc_error *error);
void ledger_step(const struct version *version, struct step *ret);

/* The marker on the state's disk: what it is the state of. */
struct marker {
	uint64_t seq;
	struct block_ref block;
	uint64_t coins, entries;
	uint32_t next_id;
	struct tree_roots roots;
};
void marker_put(struct disk *disk, const struct marker *marker, const struct rc_buf *free_ids);
/* Page ids as they go there, u32 little-endian each: ascending, each once, those below `next` that
 * isn't used yet. */
void free_ids_settle(struct rc_buf *ids, uint32_t next);
/* RC_ENOENT: a new database. RC_EFORMAT: damaged; free ids that aren't settled are. */
int marker_read(struct disk *disk, struct marker *ret, struct rc_buf *free_ids,
		struct rc_error *error);

/* Key of a coin and of an entry on the state's disk. */
#define COIN_DISK_KEY  (1 + RC_OUTPOINT_SIZE)
#define ENTRY_DISK_KEY (2 + RC_STATE_KEY_MAX)
void coin_disk_key(const struct rc_outpoint *outpoint, uint8_t ret_key[COIN_DISK_KEY]);
size_t entry_disk_key(unsigned ns, const uint8_t *key, uint8_t ret_key[ENTRY_DISK_KEY]);

#endif
