/*
 * The log: every step that made a version durable, in order. A step applies a block (with its whole
 * delta) or undoes one (naming the step that applied it). Versions form one line, so recovery is
 * reading on from the state's marker, also through a reorganisation whose fork lies below it.
 *
 * Keys: `h` ‖ seq u64 big-endian: kind u8 | height u32 | block id 32 | parent id 32 | ref u64;
 *       `d` ‖ seq: the delta (a blob).
 *
 * Which blocks are the chain is kept in memory, by height.
 */
#ifndef UTXOD_DELTALOG_H
#define UTXOD_DELTALOG_H

#include <pthread.h>

#include "daemons/utxod/disk.h"
#include "types/id.h"

enum step_kind { STEP_APPLY = 1, STEP_UNDO = 2 };

struct step {
	uint64_t seq;
	enum step_kind kind;
	uint32_t height; /* of the block applied or undone */
	struct rc_block_id id;
	struct rc_block_id parent;
	uint64_t ref;	       /* STEP_UNDO: the step that applied it */
	struct rc_bytes delta; /* STEP_APPLY */
};

struct chain_entry {
	struct rc_block_id id;
	struct rc_block_id parent;
	uint64_t seq; /* of the step that applied it */
};

/* Bytes of a step without its delta. */
#define DELTALOG_HEAD (1 + 4 + 32 + 32 + 8)

struct deltalog;

/* Reads the chain of the steps that are kept. genesis: the block below height 1. */
int deltalog_open(struct disk *disk, const struct rc_block_id *genesis, struct deltalog **ret,
		  struct rc_error *error);
void deltalog_free(struct deltalog *log);

/* The newest step on disk at opening; 0: none. And the oldest kept; 0: none. */
uint64_t deltalog_end(const struct deltalog *log);
uint64_t deltalog_begin(const struct deltalog *log);

/* ---- the chain, in memory; any thread ---- */

/* A step has become part of the applied chain. */
void deltalog_follow(struct deltalog *log, const struct step *step);
/* The chain's block at a height; false: none, or no longer kept. Height 0 is the genesis block. */
bool deltalog_at(struct deltalog *log, uint32_t height, struct chain_entry *ret);
bool deltalog_find(struct deltalog *log, const struct rc_block_id *id, uint32_t *ret_height);
/* The tip's height, and the lowest whose delta is kept (0: none). */
uint32_t deltalog_tip(struct deltalog *log);
uint32_t deltalog_lowest(struct deltalog *log);

/* ---- disk ---- */

/* Puts a step into the disk's pending batch; all of it but its delta, where that is there already.
 */
void deltalog_put(struct deltalog *log, const struct step *step, bool with_delta);
/*~ A delta ahead of its step, in the pending batch. A step is on disk when its head is, which is
 * small; so the bulk may go before, while nobody waits. Without a head it is nothing: the next step
 * of this number writes over it. */
void deltalog_put_delta(struct deltalog *log, uint64_t seq, struct rc_bytes delta);
/* Deletes, in the pending batch, steps that nobody needs: those before the chain's last `keep`
 * blocks, as far as the state is flushed. */
void deltalog_prune(struct deltalog *log, uint32_t keep, uint64_t flushed);
/* A step read back; its delta is appended to *delta for STEP_APPLY. */
int deltalog_read(struct deltalog *log, uint64_t seq, struct step *ret_step, struct rc_buf *delta,
		  struct rc_error *error);

#endif
