/*
 * The committed state with its versions: what utxod is, without bus and threads of its own.
 *
 * Versions form one line: base … applied … staged top. A block applied is one step up; a block
 * undone is one step up too, to a version with the content of the one below that block. So a
 * reorganisation is undo steps and apply steps on top, committed together, and nothing below ever
 * changes under a reader.
 *
 * Who may call what at once:
 *   builder   ledger_stage, _commit, _abort, _switch, _revert: one thread at a time
 *   logger    ledger_write, ledger_write_ahead: one thread at a time
 *   flusher   ledger_flush: one thread at a time
 *   readers   ledger_view_*, and everything on a view: any number
 *   anybody   ledger_tips, ledger_figures
 * The three workers and the readers may run side by side. An error of ledger_write or ledger_flush
 * is final (exit 74).
 */
#ifndef UTXOD_LEDGER_H
#define UTXOD_LEDGER_H

#include "base/clock.h"
#include "consensus/proof.h"
#include "daemons/utxod/deltalog.h"
#include "daemons/utxod/disk.h"
#include "daemons/utxod/tree.h"

/* Versions at and below the applied tip that stay readable (State(tip − 1) is what light clients
 * ask for); fewer, but two, when what they changed passes a sixteenth of the pages' memory. */
#define LEDGER_KEEP 10
/* Staged at once: a pipeline of blocks; above: BUSY, commit first. One block is always taken. */
#define LEDGER_STAGE_BLOCKS 128
#define LEDGER_STAGE_BYTES  ((size_t)256 << 20)
/* A reorganisation's undo, beside that; above: TOOBIG, and who asks has to revert before he can
 * check the other branch. So the few blocks of an ordinary one are always undone, whatever their
 * size. */
#define LEDGER_SWITCH_BLOCKS 3
#define LEDGER_SWITCH_BYTES  ((size_t)256 << 20)
/* A flush begins at either: what it has to write, or what can be applied again in 0.3 s after a
 * crash (some 300,000 changes a second from files in the page cache, half as many from the disk).
 * The rarer, the fewer times a page that changes often is written. */
#define LEDGER_FLUSH_BYTES   ((size_t)192 << 20)
#define LEDGER_FLUSH_CHANGES 100000
/* Unflushed beyond this: Stage answers BUSY until the flusher caught up. A third more than what
 * starts a flush, for the blocks that come while it lasts. */
#define LEDGER_DIRTY(flush_bytes) ((flush_bytes) + (flush_bytes) / 3)
/* Deltas written and not synced, during initial download. */
#define LEDGER_SYNC_BYTES ((size_t)16 << 20)

struct ledger;

struct ledger_options {
	struct rc_block_id genesis;
	size_t page_bytes;    /* pages and versions, unflushed ones included (memory.h) */
	size_t coin_bytes;    /* coins to remember */
	size_t stage_bytes;   /* 0: LEDGER_STAGE_BYTES */
	size_t switch_bytes;  /* 0: LEDGER_SWITCH_BYTES */
	uint32_t undo_blocks; /* deltas kept at least: how deep a reorganisation may go */
	size_t flush_bytes;   /* 0: LEDGER_FLUSH_BYTES */
	uint64_t flush_changes;
	const struct rc_clock *clock;
	const struct rc_random *random;
	/* On the builder's thread: a version is on top, its tree isn't made yet; may be NULL.
	 * sure: it fits, so ledger_commit_ahead takes it from now on. */
	void (*on_top)(void *arg, bool sure);
	/* On the builder's thread: a revert has more to write than it may, and waits until logger
	 * and flusher, which this has to set to work, have written it. NULL: it goes on. */
	void (*on_full)(void *arg);
	void *arg;
};

struct block_ref {
	uint32_t height;
	struct rc_block_id id;
};

/* Opens and recovers: the state at its marker, and the log's steps above it. The disks stay the
 * caller's. RC_EFORMAT: damaged or not belonging together, with what to do. */
int ledger_open(const struct disk_pair *disks, const struct ledger_options *options,
		struct ledger **ret, struct rc_error *error);
/* Nothing is written: what is durable is in the log. No other call is under way. */
void ledger_close(struct ledger *ledger);

/* Logger and flusher are given no more work: nobody waits for them from here on. */
void ledger_end(struct ledger *ledger);

void ledger_tips(struct ledger *ledger, struct block_ref *ret_applied,
		 struct block_ref *ret_durable);

/* Numbers of these versions, to wait until what is applied now is durable. */
void ledger_seqs(struct ledger *ledger, uint64_t *ret_applied, uint64_t *ret_durable);

/* ---- builder ---- */

/* An encoded delta on top. RC_OK also if the block is staged, or committed and not undone by a
 * pending switch. RC_ENOENT: the parent isn't the top. RC_EBUSY: a bound. RC_EINVAL: malformed, or
 * it doesn't fit the state. Others: the disk, and what is applied already may lack its tree: final.
 */
int ledger_stage(struct ledger *ledger, struct rc_bytes delta, struct rc_error *error);
/* Everything staged up to the block becomes applied; ledger_write makes it durable. RC_ENOENT:
 * neither staged nor committed. */
int ledger_commit(struct ledger *ledger, const struct rc_block_id *id, struct rc_error *error);
/*~ The same for a version whose tree is still being made, where memory knows the state it changes:
 * every coin it spends, every entry as it was. Then nothing but a damaged state keeps the tree from
 * being made, and nobody needs to wait for it but who asks for the root. Any thread, but the
 * builder does nothing other than ledger_stage meanwhile. False: it takes ledger_commit. */
bool ledger_commit_ahead(struct ledger *ledger, const struct rc_block_id *id);
/* Frees the oldest part of the line, as far as readers and the disk allow: to be called soon after
 * a commit, by any thread, when nobody waits for it. The other calls do it themselves. */
void ledger_collect(struct ledger *ledger);
/* NULL: everything staged. Never fails; an id that isn't staged is fine. */
void ledger_abort(struct ledger *ledger, const struct rc_block_id *id);
/* Drops what is staged, then stages the undo of every block above the fork. A switch to the same
 * fork that is pending stays as it is, with what is staged on it. RC_ETOOBIG: its bound. */
int ledger_switch(struct ledger *ledger, const struct rc_block_id *fork, struct rc_error *error);
/* Undoes committed blocks back to this one, and commits that. */
int ledger_revert(struct ledger *ledger, const struct rc_block_id *to, struct rc_error *error);

/* ---- logger ---- */

/* Writes the steps of applied versions to the log; sync: they are durable when this returns.
 * RC_EFORMAT: one of them turned out to have no tree; what isn't written by then never is. */
int ledger_write(struct ledger *ledger, bool sync, struct rc_error *error);
/* Writes the deltas of staged versions to the log, so that little is left for ledger_write to do
 * when they are committed; dropped ones leave nothing that counts. sync: they are on the disk when
 * this returns. */
int ledger_write_ahead(struct ledger *ledger, bool sync, struct rc_error *error);
/* Bytes written and not synced; whether something applied isn't written; or isn't durable. */
size_t ledger_unsynced(struct ledger *ledger);
bool ledger_unwritten(struct ledger *ledger);
bool ledger_write_due(struct ledger *ledger);

/* ---- flusher ---- */

bool ledger_flush_due(struct ledger *ledger);
/* Writes durable versions but the newest (so that a restart finds State(tip − 1) too) to the
 * state's disk. Nothing to do is fine. */
int ledger_flush(struct ledger *ledger, struct rc_error *error);

/* ---- readers ---- */

/* A version held; to be closed soon: it keeps what it needs in memory. */
struct ledger_view {
	struct ledger *ledger;
	struct version *version;
	bool from_disk; /* coins are read there wherever it should have them: where it stands at */
	uint64_t written; /* this version, or later */
};
/* at NULL: the applied tip. RC_ENOENT: neither staged nor committed and kept. RC_EBUSY: rooted is
 * asked, and the root isn't there yet. */
int ledger_view_at(struct ledger *ledger, const struct rc_block_id *at, bool rooted,
		   struct ledger_view *ret);
/* The applied tip, rooted: waits for its tree. RC_ECANCELLED: there is none, and the ledger ends.
 */
int ledger_view_tip(struct ledger *ledger, struct ledger_view *ret);
/* Of the applied chain, rooted. RC_ENOENT: no such version is kept. RC_EBUSY: the root isn't there
 * yet. */
int ledger_view_height(struct ledger *ledger, uint32_t height, struct ledger_view *ret);
void ledger_view_close(struct ledger_view *view);
/* From now on coins are read from the disk wherever it has them, and not kept. */
void ledger_view_from_disk(struct ledger_view *view);
/* The block was dropped meanwhile: what was read is void. */
bool ledger_view_gone(const struct ledger_view *view);

void ledger_view_block(const struct ledger_view *view, struct block_ref *ret);
/* Views with a root only. */
void ledger_view_root(const struct ledger_view *view, struct rc_hash *ret_root);

/* Coins by outpoint, in any order, ascending is fastest. lock_len 0: no such coin. */
int ledger_coins(const struct ledger_view *view, const struct rc_outpoint *outpoints, size_t n,
		 struct rc_coin *ret_coins, struct rc_error *error);
/* One entry of namespace 2 … 5: appended to *value. RC_ENOENT: absent. */
int ledger_entry(const struct ledger_view *view, unsigned ns, const uint8_t *key,
		 struct rc_buf *value, struct rc_error *error);

/* The proof of what is under a prefix (30-state, "One proof type"), appended to *proof.
 * max_leaves ≥ 1. */
int ledger_prove(const struct ledger_view *view, const struct rc_proof_question *question,
		 bool sums_only, uint32_t max_leaves, struct rc_buf *proof, struct rc_error *error);

/* Coins of a lock after an outpoint (NULL: from the first), at most max, ascending. */
struct ledger_list {
	struct rc_delta_coin *coins; /* the caller frees */
	size_t n;
	bool more;
	rc_amount total; /* of all coins of the lock */
};
int ledger_list(const struct ledger_view *view, const struct rc_hash *lock_hash,
		const struct rc_outpoint *after, size_t max, struct ledger_list *ret,
		struct rc_error *error);

/* Checks every value on the disk against the root, in pieces: of one view, or (view NULL) each
 * piece of the applied tip as it is then, which keeps no version. *ret_text says what differs, or
 * is empty. progress may be NULL; false stops (RC_ECANCELLED). */
struct ledger_verified {
	bool good;
	uint64_t entries, of;
	struct block_ref block; /* of the last piece */
	char text[512];
};
int ledger_verify(struct ledger *ledger, const struct ledger_view *view,
		  bool (*progress)(void *arg, uint64_t done, uint64_t of), void *arg,
		  struct ledger_verified *ret, struct rc_error *error);

/* Encoded delta of a committed block by height. RC_ENOENT: not kept. */
int ledger_delta(struct ledger *ledger, uint32_t height, struct rc_buf *delta,
		 struct rc_error *error);
/* The applied chain's block at a height, if still known. */
bool ledger_block_at(struct ledger *ledger, uint32_t height, struct block_ref *ret);
uint32_t ledger_lowest_delta(struct ledger *ledger);

/* ---- figures ---- */

/* What opening did, and the time of each part. */
struct ledger_recovery {
	uint64_t steps, changes; /* applied again */
	uint64_t log_us;	 /* reading steps */
	uint64_t read_us;	 /* reading pages */
	uint64_t apply_us;
	uint64_t all_us;
};

struct ledger_figures {
	struct block_ref applied, durable, flushed;
	uint64_t coins; /* in the state */
	uint64_t entries;
	uint64_t staged_blocks, staged_bytes;
	uint64_t dirty_bytes, dirty_changes; /* applied and not flushed */
	uint64_t versions;
	uint64_t page_bytes, page_held, page_hits, page_loads, page_drops, hashes;
	uint64_t coin_bytes, coin_entries, coin_hits, coin_misses;
	uint64_t delta_bytes;			    /* of the versions: deltas, most of it */
	uint64_t commits, aborts, switches, undone; /* since the start */
	uint64_t writes, syncs, flushes;
	struct ledger_recovery recovery;
	uint32_t lowest_delta;
	bool write_in_flight, flush_in_flight, build_in_flight;
	struct disk_figures log, state;
};
void ledger_figures(struct ledger *ledger, struct ledger_figures *ret);

#endif
