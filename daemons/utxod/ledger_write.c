/* The builder's side: staging, committing, switching; and the log. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/test_point.h"
#include "daemons/utxod/ledger_internal.h"

/* ---- staging ---- */

/* Whether the block is part of what the top stands on. */
static bool have_block(struct ledger *ledger, const struct rc_block_id *id)
{
	uint32_t height;
	bool staged = false;

	pthread_mutex_lock(&ledger->lock);
	for (const struct version *v = ledger->top; v != ledger->applied && !staged; v = v->below)
		staged = v->kind == VERSION_APPLY && rc_block_id_eq(&v->block.id, id);
	pthread_mutex_unlock(&ledger->lock);
	if (staged)
		return true;
	if (!deltalog_find(ledger->log, id, &height))
		return false;
	return !ledger->switching || height <= ledger->fork.height;
}

/* With the lock held: what a flush can take off. It leaves the newest version, however large. */
static size_t flushable(const struct ledger *ledger)
{
	const struct version *newest = ledger->applied;
	size_t dirty = ledger->dirty_bytes;
	size_t stays = newest->seq > ledger->flushed ? version_dirty(newest, ledger->flushed) : 0;

	return dirty > stays ? dirty - stays : 0;
}

/* Rounds of the clock's hand: after two nothing is new. */
#define RELIEVE_TRIMS 2

/* Whether the pages' memory is passed though all that can be has been dropped, and the flush that
 * is under way will free some: it holds what the versions after those it writes took from pages. */
static bool is_pressed(struct ledger *ledger)
{
	if (!tree_over(ledger->tree))
		return false;
	ledger_collect(ledger);
	tree_trim(ledger->tree);
	if (!atomic_load(&ledger->flush_in_flight))
		return false;
	for (unsigned i = 1; i < RELIEVE_TRIMS && tree_over(ledger->tree); i++)
		tree_trim(ledger->tree);
	return tree_over(ledger->tree);
}

/* The undo steps of a switch do not count: they leave only by a commit of what stands on them. Nor
 * does a switch wait for the disk: chaind would take that for a branch longer than can be staged,
 * and commit a part of it that has less work than what it undoes. */
static int refuse_full(struct ledger *ledger, struct rc_error *error)
{
	size_t blocks = 0, bytes = 0;
	bool switching;
	int err = RC_OK;

	pthread_mutex_lock(&ledger->lock);
	switching = ledger->switching;
	pthread_mutex_unlock(&ledger->lock);
	if (!switching && is_pressed(ledger))
		return rc_error_set(error, RC_EBUSY,
				    "the tree's memory is full until a flush ends");
	pthread_mutex_lock(&ledger->lock);
	for (const struct version *v = ledger->top;
	     v != ledger->applied && v->kind == VERSION_APPLY; v = v->below) {
		blocks++;
		bytes += version_bytes(v);
	}
	if (blocks >= LEDGER_STAGE_BLOCKS || bytes >= ledger->options.stage_bytes)
		err = rc_error_set(error, RC_EBUSY,
				   "%zu blocks of %zu MiB are staged: commit first", blocks,
				   bytes >> 20);
	else if (!switching && flushable(ledger) >= LEDGER_DIRTY(ledger->options.flush_bytes))
		err = rc_error_set(error, RC_EBUSY, "%zu MiB wait for the disk",
				   ledger->dirty_bytes >> 20);
	pthread_mutex_unlock(&ledger->lock);
	return err;
}

static int stage(struct ledger *ledger, struct rc_bytes delta, struct rc_error *error)
{
	struct version *v;
	struct rc_delta head;
	int err = ledger_refuse_broken(ledger, error);

	if (err)
		return err;
	if (!rc_delta_decode_head(delta.data, delta.len, &head))
		return rc_error_set(error, RC_EINVAL, "malformed delta");
	if (have_block(ledger, &head.id))
		return RC_OK;
	if (!rc_block_id_eq(&head.parent, &ledger->top->block.id) ||
	    head.height != ledger->top->block.height + 1)
		return rc_error_set(error, RC_ENOENT,
				    "unknown: the parent of block %u isn't the block on top, %u",
				    head.height, ledger->top->block.height);
	err = refuse_full(ledger, error);
	if (err)
		return err;
	v = version_new(rc_memdup(delta.data, delta.len), delta.len, VERSION_APPLY);
	if (!v)
		return rc_error_set(error, RC_EINVAL, "malformed delta of block %u", head.height);
	return ledger_grow(ledger, v, error);
}

int ledger_stage(struct ledger *ledger, struct rc_bytes delta, struct rc_error *error)
{
	int err;

	atomic_store(&ledger->build_in_flight, true);
	RC_TEST_POINT(UTXOD_STAGE);
	err = stage(ledger, delta, error);
	RC_TEST_POINT(UTXOD_STAGED);
	atomic_store(&ledger->build_in_flight, false);
	return err;
}

/* ---- committing ---- */

static void commit_to(struct ledger *ledger, struct version *to)
{
	pthread_mutex_lock(&ledger->lock);
	ledger_advance(ledger, to);
	ledger->switching = false; /* what is committed stands above the undo steps */
	pthread_mutex_unlock(&ledger->lock);
}

int ledger_commit(struct ledger *ledger, const struct rc_block_id *id, struct rc_error *error)
{
	struct version *v = ledger->top;
	uint32_t height;

	RC_TEST_POINT(UTXOD_COMMIT);
	while (v != ledger->applied &&
	       !(v->kind == VERSION_APPLY && rc_block_id_eq(&v->block.id, id)))
		v = v->below;
	if (v != ledger->applied) {
		commit_to(ledger, v);
		return RC_OK;
	}
	if (deltalog_find(ledger->log, id, &height))
		return RC_OK;
	return rc_error_set(error, RC_ENOENT, "unknown: the block is neither staged nor committed");
}

bool ledger_commit_ahead(struct ledger *ledger, const struct rc_block_id *id)
{
	struct version *v;
	bool good;

	pthread_mutex_lock(&ledger->lock);
	for (v = ledger->top; v != ledger->applied;) {
		if (v->kind == VERSION_APPLY && rc_block_id_eq(&v->block.id, id))
			break;
		v = v->below;
	}
	good = v != ledger->applied && !ledger->switching && (v->sure || atomic_load(&v->rooted));
	if (good)
		ledger_advance(ledger, v);
	pthread_mutex_unlock(&ledger->lock);
	return good;
}

/* ---- undoing ---- */

/* The logger may have pruned a step between looking it up and reading it. */
static bool is_kept(struct ledger *ledger, uint32_t height, uint64_t seq)
{
	struct chain_entry now;

	return deltalog_at(ledger->log, height, &now) && now.seq == seq;
}

/* The delta of a committed block, from memory if its version is there. */
static int find_delta(struct ledger *ledger, uint32_t height, const struct chain_entry *entry,
		      struct rc_buf *buf, struct rc_error *error)
{
	const struct version *v;
	struct step step;
	int err;

	if (!entry->seq)
		return rc_error_set(error, RC_ENOENT, "unknown: its delta is no longer kept");
	pthread_mutex_lock(&ledger->lock);
	for (v = ledger->applied; v && v->seq > entry->seq;)
		v = v->below;
	if (v && v->seq == entry->seq && v->kind == VERSION_APPLY)
		rc_buf_put(buf, v->encoded, v->encoded_len);
	else
		v = NULL;
	pthread_mutex_unlock(&ledger->lock);
	if (v)
		return RC_OK;
	err = deltalog_read(ledger->log, entry->seq, &step, buf, error);
	if (err == RC_EFORMAT && !is_kept(ledger, height, entry->seq))
		err = rc_error_set(error, RC_ENOENT, "unknown: its delta is no longer kept");
	return err;
}

int ledger_undo_one(struct ledger *ledger, uint32_t height, struct rc_error *error)
{
	struct rc_buf buf = RC_BUF_INIT;
	struct chain_entry entry;
	struct version *v;
	uint8_t *encoded;
	size_t len;
	int err;

	if (!deltalog_at(ledger->log, height, &entry))
		return rc_error_set(error, RC_ENOENT, "unknown: block %u is no longer kept",
				    height);
	err = find_delta(ledger, height, &entry, &buf, error);
	if (err) {
		rc_buf_done(&buf);
		return err;
	}
	encoded = rc_buf_take(&buf, &len);
	v = version_new(encoded, len, VERSION_UNDO);
	if (!v)
		return rc_error_set(error, RC_EFORMAT, "log of deltas: block %u is damaged",
				    height);
	v->ref = entry.seq;
	return ledger_grow(ledger, v, error);
}

static int do_switch(struct ledger *ledger, const struct rc_block_id *fork, struct rc_error *error)
{
	uint32_t height, tip = ledger->applied->block.height;
	int err = RC_OK;

	if (ledger->switching && rc_block_id_eq(&ledger->fork.id, fork))
		return RC_OK;
	if (!deltalog_find(ledger->log, fork, &height) || height > tip)
		return rc_error_set(error, RC_ENOENT,
				    "unknown: the fork isn't a block of the committed chain");
	ledger_abort(ledger, NULL);
	RC_TEST_POINT(UTXOD_SWITCH);
	for (uint32_t h = tip; !err && h > height; h--) {
		err = ledger_undo_one(ledger, h, error);
		RC_TEST_POINT(UTXOD_SWITCH_UNDONE);
		if (!err && tip - h >= LEDGER_SWITCH_BLOCKS &&
		    ledger->staged_bytes > ledger->options.switch_bytes)
			err = rc_error_set(error, RC_ETOOBIG,
					   "undoing %u blocks passes %zu MiB: revert in parts",
					   tip - height, ledger->options.switch_bytes >> 20);
	}
	if (err) {
		ledger_abort(ledger, NULL);
		return err;
	}
	ledger->switching = height != tip;
	ledger->fork = (struct block_ref){height, *fork};
	atomic_fetch_add(&ledger->switches, 1);
	RC_TEST_POINT(UTXOD_SWITCHED);
	return RC_OK;
}

int ledger_switch(struct ledger *ledger, const struct rc_block_id *fork, struct rc_error *error)
{
	int err;

	atomic_store(&ledger->build_in_flight, true);
	err = do_switch(ledger, fork, error);
	atomic_store(&ledger->build_in_flight, false);
	return err;
}

int ledger_repeat_tip(struct ledger *ledger, struct rc_error *error)
{
	const struct version *below;
	uint32_t height = ledger->applied->block.height;
	struct chain_entry entry;
	struct version *v;
	bool there;
	int err;

	/* Reverted to below the lowest delta that is kept: there is nothing to repeat it from. */
	if (!height || !deltalog_at(ledger->log, height, &entry) || !entry.seq)
		return RC_OK;
	/* Directly below: what lies deeper in the line may be let go while the tip stays. */
	pthread_mutex_lock(&ledger->lock);
	below = ledger->applied->below;
	there = below && below->block.height == height - 1;
	pthread_mutex_unlock(&ledger->lock);
	if (there)
		return RC_OK;
	err = ledger_undo_one(ledger, height, error);
	if (err)
		return err;
	RC_TEST_POINT(UTXOD_REPEAT_UNDONE);
	v = version_new(rc_memdup(ledger->top->encoded, ledger->top->encoded_len),
			ledger->top->encoded_len, VERSION_APPLY);
	err = ledger_grow(ledger, v, error);
	if (err)
		ledger_abort(ledger, NULL);
	else
		commit_to(ledger, ledger->top);
	return err;
}

/* Blocks are undone faster than the disk takes them: beyond the bound of a Stage, the flusher
 * first. The newest version aside, what is applied gets written without this thread's help. */
static void await_flush(struct ledger *ledger)
{
	size_t most = LEDGER_DIRTY(ledger->options.flush_bytes);
	bool full;

	if (!ledger->options.on_full)
		return;
	pthread_mutex_lock(&ledger->lock);
	full = flushable(ledger) >= most;
	pthread_mutex_unlock(&ledger->lock);
	if (!full)
		return;
	ledger->options.on_full(ledger->options.arg);
	pthread_mutex_lock(&ledger->lock);
	while (!ledger->ending && flushable(ledger) >= most)
		pthread_cond_wait(&ledger->left, &ledger->lock);
	pthread_mutex_unlock(&ledger->lock);
}

void ledger_end(struct ledger *ledger)
{
	pthread_mutex_lock(&ledger->lock);
	ledger->ending = true;
	pthread_cond_broadcast(&ledger->left);
	pthread_mutex_unlock(&ledger->lock);
}

int ledger_revert(struct ledger *ledger, const struct rc_block_id *to, struct rc_error *error)
{
	uint32_t height;
	int err = RC_OK;

	if (!deltalog_find(ledger->log, to, &height))
		return rc_error_set(error, RC_ENOENT,
				    "unknown: not a block of the committed chain");
	if (height < ledger->applied->block.height && height + 1 < deltalog_lowest(ledger->log))
		return rc_error_set(error, RC_ENOENT,
				    "unknown: deltas are kept from block %u on only",
				    deltalog_lowest(ledger->log));
	ledger_abort(ledger, NULL);
	atomic_store(&ledger->build_in_flight, true);
	RC_TEST_POINT(UTXOD_REVERT);
	while (!err && ledger->applied->block.height > height) {
		await_flush(ledger);
		err = ledger_undo_one(ledger, ledger->applied->block.height, error);
		if (err)
			break;
		commit_to(ledger, ledger->top);
		RC_TEST_POINT(UTXOD_REVERT_UNDONE);
		ledger_collect(ledger);
	}
	if (!err)
		err = ledger_repeat_tip(ledger, error);
	atomic_store(&ledger->build_in_flight, false);
	return err;
}

/* ---- the log ---- */

/* Applied versions that the log hasn't; they stay, since they aren't flushed. */
static struct version *first_unwritten(struct ledger *ledger, struct version **ret_last,
				       uint64_t *ret_flushed)
{
	struct version *v;

	pthread_mutex_lock(&ledger->lock);
	for (v = ledger->applied; v && v->seq > ledger->written + 1;)
		v = v->below;
	if (v && v->seq != ledger->written + 1)
		v = NULL;
	*ret_last = ledger->applied;
	*ret_flushed = ledger->flushed;
	pthread_mutex_unlock(&ledger->lock);
	return v;
}

/* The lowest version above those that the log has, held; NULL: each has its delta there. */
static struct version *hold_unlogged(struct ledger *ledger)
{
	struct version *found = NULL;

	pthread_mutex_lock(&ledger->lock);
	for (struct version *v = ledger->top; v && v->seq > ledger->written; v = v->below)
		if (v->kind == VERSION_APPLY && !v->logged)
			found = v;
	if (found)
		found->pins++;
	pthread_mutex_unlock(&ledger->lock);
	return found;
}

void ledger_set_durable(struct ledger *ledger, uint64_t seq)
{
	const struct version *v = ledger->applied;

	if (seq <= ledger->durable)
		return;
	while (v->seq > seq)
		v = v->below;
	ledger->durable = seq;
	ledger->durable_block = v->block;
}

int ledger_write_ahead(struct ledger *ledger, bool sync, struct rc_error *error)
{
	struct disk *disk = ledger->disks.log;
	struct version *v;

	while ((v = hold_unlogged(ledger))) {
		int err;

		deltalog_put_delta(ledger->log, v->seq,
				   (struct rc_bytes){v->encoded, v->encoded_len});
		RC_TEST_POINT(UTXOD_AHEAD);
		err = disk->ops->commit(disk, sync ? DISK_SYNC : DISK_LAZY, error);
		RC_TEST_POINT(UTXOD_AHEAD_WRITTEN);
		pthread_mutex_lock(&ledger->lock);
		if (!err) {
			v->logged = true;
			if (sync) /* with what was written before */
				ledger_set_durable(ledger, ledger->written);
			ledger->unsynced = sync ? 0 : ledger->unsynced + v->encoded_len;
		}
		if (--v->pins == 0)
			pthread_cond_broadcast(&ledger->left);
		pthread_mutex_unlock(&ledger->lock);
		if (err)
			return err;
	}
	return RC_OK;
}

static int put_steps(struct ledger *ledger, bool sync, struct rc_error *error)
{
	struct disk *disk = ledger->disks.log;
	uint64_t flushed;
	struct version *last, *v = first_unwritten(ledger, &last, &flushed);
	size_t bytes = 0;
	int err;

	if (!v)
		return sync && ledger_unsynced(ledger) ? disk->ops->sync(disk, error) : RC_OK;
	for (;; v = v->above) {
		struct step step;

		ledger_step(v, &step);
		deltalog_put(ledger->log, &step, !v->logged);
		bytes += DELTALOG_HEAD + (v->logged ? 0 : v->encoded_len);
		if (v == last)
			break;
	}
	deltalog_prune(ledger->log, ledger->options.undo_blocks, flushed);
	RC_TEST_POINT(UTXOD_LOG);
	err = disk->ops->commit(disk, sync ? DISK_SYNC : DISK_LAZY, error);
	RC_TEST_POINT(UTXOD_LOG_WRITTEN);
	atomic_fetch_add(&ledger->writes, 1);
	pthread_mutex_lock(&ledger->lock);
	if (!err) {
		ledger->written = last->seq;
		ledger->unsynced += bytes;
	}
	pthread_mutex_unlock(&ledger->lock);
	return err;
}

int ledger_write(struct ledger *ledger, bool sync, struct rc_error *error)
{
	int err;

	atomic_store(&ledger->write_in_flight, true);
	/* A step that can't be applied would end each start to come. */
	err = ledger_refuse_broken(ledger, error);
	if (!err)
		err = put_steps(ledger, sync, error);
	if (!err && sync) {
		pthread_mutex_lock(&ledger->lock);
		ledger_set_durable(ledger, ledger->written);
		ledger->unsynced = 0;
		pthread_mutex_unlock(&ledger->lock);
		atomic_fetch_add(&ledger->syncs, 1);
		RC_TEST_POINT(UTXOD_DURABLE);
	}
	atomic_store(&ledger->write_in_flight, false);
	return err;
}

size_t ledger_unsynced(struct ledger *ledger)
{
	size_t n;

	pthread_mutex_lock(&ledger->lock);
	n = ledger->unsynced;
	pthread_mutex_unlock(&ledger->lock);
	return n;
}

bool ledger_unwritten(struct ledger *ledger)
{
	bool any;

	pthread_mutex_lock(&ledger->lock);
	any = ledger->written != ledger->applied->seq;
	pthread_mutex_unlock(&ledger->lock);
	return any;
}

bool ledger_write_due(struct ledger *ledger)
{
	bool due;

	pthread_mutex_lock(&ledger->lock);
	due = ledger->durable != ledger->applied->seq;
	pthread_mutex_unlock(&ledger->lock);
	return due;
}

int ledger_delta(struct ledger *ledger, uint32_t height, struct rc_buf *delta,
		 struct rc_error *error)
{
	struct chain_entry entry;

	if (!deltalog_at(ledger->log, height, &entry))
		return rc_error_set(error, RC_ENOENT, "unknown: no delta of block %u", height);
	return find_delta(ledger, height, &entry, delta, error);
}

bool ledger_block_at(struct ledger *ledger, uint32_t height, struct block_ref *ret)
{
	struct chain_entry entry;

	if (!deltalog_at(ledger->log, height, &entry))
		return false;
	*ret = (struct block_ref){height, entry.id};
	return true;
}

uint32_t ledger_lowest_delta(struct ledger *ledger)
{
	return deltalog_lowest(ledger->log);
}
