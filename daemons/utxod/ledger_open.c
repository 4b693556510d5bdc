/* Opening: the state stands at its marker, the log's steps above it are applied again. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/test_point.h"
#include "daemons/utxod/ledger_internal.h"

static struct version *base_version(const struct marker *marker)
{
	struct version *v = version_new(NULL, 0, VERSION_BASE);

	v->seq = marker->seq;
	v->block = v->step = marker->block;
	v->roots = marker->roots;
	v->coins = marker->coins;
	v->entries = marker->entries;
	tree_state_root(&v->roots, &v->root);
	atomic_store(&v->rooted, true);
	v->released = v->retired = true;
	return v;
}

static void start_line(struct ledger *ledger, const struct marker *marker)
{
	struct version *base = base_version(marker);

	ledger->bottom = ledger->applied = ledger->top = base;
	ledger->living = ledger->flushed = ledger->written = ledger->durable = base->seq;
	ledger->flushed_block = ledger->durable_block = base->block;
	ledger_count(ledger, base, version_own_bytes(base));
}

static int read_marker(struct ledger *ledger, struct marker *marker, struct rc_error *error)
{
	struct rc_buf free_ids = RC_BUF_INIT;
	RC_AUTOFREE uint32_t *ids = NULL;
	int err = marker_read(ledger->disks.state, marker, &free_ids, error);

	if (err == RC_ENOENT) {
		memset(marker, 0, sizeof(*marker));
		marker->block.id = ledger->options.genesis;
		tree_roots_init(&marker->roots);
		err = RC_OK;
	}
	if (!err) {
		ids = rc_alloc_array(free_ids.len / 4, sizeof(*ids));
		for (size_t i = 0; i < free_ids.len / 4; i++)
			ids[i] = rc_get_le32(free_ids.data + 4 * i);
		ledger->tree = tree_new(ledger->disks.state, ledger->options.page_bytes,
					marker->next_id, ids, free_ids.len / 4);
		tree_flushed(ledger->tree, marker->seq, NULL, 0);
	}
	rc_buf_done(&free_ids);
	return err;
}

/* The log and the state must be of one history. */
static int compare(struct ledger *ledger, const struct marker *marker, struct rc_error *error)
{
	uint64_t end = deltalog_end(ledger->log), begin = deltalog_begin(ledger->log);

	if (end < marker->seq)
		return rc_error_set(
			error, RC_EFORMAT,
			"log of deltas ends at step %llu and the state is at %llu: they "
			"aren't of one directory; restore a backup of both",
			(unsigned long long)end, (unsigned long long)marker->seq);
	if (begin > marker->seq + 1)
		return rc_error_set(error, RC_EFORMAT,
				    "log of deltas begins at step %llu and the state is at %llu: "
				    "steps between are missing; restore a backup of both",
				    (unsigned long long)begin, (unsigned long long)marker->seq);
	return RC_OK;
}

/* A step of the log as a version, to be the next one. */
static int read_step(struct ledger *ledger, uint64_t seq, struct version **ret,
		     struct rc_error *error)
{
	struct rc_buf delta = RC_BUF_INIT;
	struct step step, applied;
	struct version *v;
	uint8_t *encoded;
	size_t len;
	int err = deltalog_read(ledger->log, seq, &step, &delta, error);

	if (!err && step.kind == STEP_UNDO)
		err = deltalog_read(ledger->log, step.ref, &applied, &delta, error);
	if (err) {
		rc_buf_done(&delta);
		return err;
	}
	encoded = rc_buf_take(&delta, &len);
	v = version_new(encoded, len, step.kind == STEP_UNDO ? VERSION_UNDO : VERSION_APPLY);
	if (!v || !rc_block_id_eq(&v->step.id, &step.id)) {
		if (v)
			version_free(v);
		return rc_error_set(error, RC_EFORMAT, "log of deltas: step %llu is damaged",
				    (unsigned long long)seq);
	}
	v->ref = step.ref;
	*ret = v;
	return RC_OK;
}

/* Takes the version over. */
static int replay_one(struct ledger *ledger, struct version *v, struct rc_error *error)
{
	unsigned long long seq = ledger->top->seq + 1;
	uint32_t height = v->block.height;
	struct rc_error why;
	int err;

	if (!rc_block_id_eq(v->kind == VERSION_UNDO ? &v->step.id : &v->step_parent,
			    &ledger->top->block.id)) {
		version_free(v);
		return rc_error_set(error, RC_EFORMAT, "log of deltas: step %llu is damaged", seq);
	}
	err = ledger_grow(ledger, v, &why);
	/* Which of the two isn't what was written can't be told. */
	if (err == RC_EINVAL || err == RC_EFORMAT)
		return rc_error_set(error, RC_EFORMAT,
				    "state: its tree or the log of deltas is damaged: step %llu, "
				    "block %u: %s; restore a backup of both, or remove the state "
				    "directory to have it built again",
				    seq, height, why.text);
	return err ? rc_error_set(error, err, "applying step %llu again: %s", seq, why.text)
		   : RC_OK;
}

/* Applied without following the chain: the log knows it already. */
static void take_over(struct ledger *ledger)
{
	struct version *v = ledger->top;

	pthread_mutex_lock(&ledger->lock);
	ledger->staged_blocks = ledger->staged_bytes = 0;
	ledger->dirty_bytes += version_dirty(v, ledger->flushed);
	ledger->dirty_changes += version_changes(v);
	ledger->applied = v;
	ledger->written = ledger->durable = v->seq;
	ledger->durable_block = v->block;
	pthread_mutex_unlock(&ledger->lock);
	ledger_collect(ledger);
}

/*
 * Steps that are read together, so that the pages for all of them are, too: as many changes as find
 * room, two pages of some 2 KiB each, in half of the pages' memory.
 */
#define GROUP_STEPS	       256
#define GROUP_CHANGES(options) ((options)->page_bytes / 2 / 4096)

struct group {
	struct version *version[GROUP_STEPS];
	size_t n, next; /* those before `next` are in the line */
	uint64_t changes;
};

static void put_key(uint8_t *keys, size_t *n, const struct rc_delta_coin *coin)
{
	rc_coin_key_encode(&coin->coin, &coin->outpoint, keys + (*n)++ * RC_COIN_KEY_SIZE);
}

/* Entries of the other namespaces are few: they are read as they come. */
static int preload(struct ledger *ledger, const struct group *group, struct rc_error *error)
{
	RC_AUTOFREE uint8_t *keys = rc_alloc_array(group->changes + 1, RC_COIN_KEY_SIZE);
	RC_AUTOFREE const uint8_t **list = rc_alloc_array(group->changes + 1, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; i < group->n; i++) {
		const struct rc_delta *d = &group->version[i]->delta;

		for (uint32_t k = 0; k < d->n_spent; k++)
			put_key(keys, &n, &d->spent[k]);
		for (uint32_t k = 0; k < d->n_created; k++)
			put_key(keys, &n, &d->created[k]);
	}
	for (size_t i = 0; i < n; i++)
		list[i] = keys + i * RC_COIN_KEY_SIZE;
	return tree_preload(ledger->tree, &ledger->top->roots, RC_STATE_COINS, list, n, error);
}

static int read_group(struct ledger *ledger, uint64_t end, struct group *group,
		      struct rc_error *error)
{
	int64_t start = rc_mono_us(ledger->options.clock);
	int err = RC_OK;

	while (!err && group->n < GROUP_STEPS && ledger->top->seq + group->n < end &&
	       (!group->n || group->changes < GROUP_CHANGES(&ledger->options))) {
		err = read_step(ledger, ledger->top->seq + group->n + 1, &group->version[group->n],
				error);
		if (!err)
			group->changes += version_changes(group->version[group->n++]);
	}
	ledger->recovery.log_us += (uint64_t)(rc_mono_us(ledger->options.clock) - start);
	return err;
}

static int replay_group(struct ledger *ledger, struct group *group, struct rc_error *error)
{
	int64_t start = rc_mono_us(ledger->options.clock), read;
	int err = preload(ledger, group, error);

	read = rc_mono_us(ledger->options.clock);
	while (!err && group->next < group->n) {
		err = replay_one(ledger, group->version[group->next++], error);
		if (err)
			break;
		take_over(ledger);
		ledger->recovery.steps++;
		RC_TEST_POINT(UTXOD_START_APPLIED);
		/* Whoever waits for this start doesn't wait for a flush too, unless memory asks it.
		 */
		if (ledger->dirty_bytes >= LEDGER_DIRTY(ledger->options.flush_bytes))
			err = ledger_flush(ledger, error);
	}
	ledger->recovery.changes += group->changes;
	ledger->recovery.read_us += (uint64_t)(read - start);
	ledger->recovery.apply_us += (uint64_t)(rc_mono_us(ledger->options.clock) - read);
	return err;
}

static int replay(struct ledger *ledger, struct rc_error *error)
{
	uint64_t end = deltalog_end(ledger->log);
	int err = RC_OK;

	while (!err && ledger->top->seq < end) {
		struct group group = {.n = 0};

		err = read_group(ledger, end, &group, error);
		RC_TEST_POINT(UTXOD_START_READ);
		if (!err)
			err = replay_group(ledger, &group, error);
		while (group.next < group.n)
			version_free(group.version[group.next++]);
	}
	return err;
}

int ledger_open(const struct disk_pair *disks, const struct ledger_options *options,
		struct ledger **ret, struct rc_error *error)
{
	struct ledger *ledger = rc_alloc(sizeof(*ledger));
	int64_t start = rc_mono_us(options->clock);
	struct marker marker;
	int err;

	ledger->disks = *disks;
	ledger->options = *options;
	if (!ledger->options.flush_bytes)
		ledger->options.flush_bytes = LEDGER_FLUSH_BYTES;
	if (!ledger->options.stage_bytes)
		ledger->options.stage_bytes = LEDGER_STAGE_BYTES;
	if (!ledger->options.switch_bytes)
		ledger->options.switch_bytes = LEDGER_SWITCH_BYTES;
	if (!ledger->options.flush_changes)
		ledger->options.flush_changes = LEDGER_FLUSH_CHANGES;
	pthread_mutex_init(&ledger->lock, NULL);
	pthread_mutex_init(&ledger->collecting, NULL);
	pthread_cond_init(&ledger->left, NULL);
	ledger->coins = coinmap_new(options->coin_bytes, options->random);
	ledger->registry = registry_new();
	err = deltalog_open(disks->log, &options->genesis, &ledger->log, error);
	RC_TEST_POINT(UTXOD_START_LOG);
	if (!err)
		err = read_marker(ledger, &marker, error);
	if (!err)
		err = compare(ledger, &marker, error);
	/* Steps that an earlier process wrote and didn't sync count as durable from here on:
	 * opening the database has written what it replayed to a table, since a sync is of this
	 * process's own writes alone. */
	if (!err)
		err = disks->log->ops->sync(disks->log, error);
	if (!err) {
		RC_TEST_POINT(UTXOD_START_SYNCED);
		start_line(ledger, &marker);
		err = replay(ledger, error);
	}
	if (!err)
		err = ledger_repeat_tip(ledger, error);
	if (err) {
		ledger_close(ledger);
		return err;
	}
	ledger->recovery.all_us = (uint64_t)(rc_mono_us(options->clock) - start);
	*ret = ledger;
	return RC_OK;
}

void ledger_close(struct ledger *ledger)
{
	struct version *v;

	if (!ledger)
		return;
	while ((v = ledger->bottom)) {
		ledger->bottom = v->above;
		version_free(v);
	}
	rc_arena_done(&ledger->scratch);
	deltalog_free(ledger->log);
	registry_free(ledger->registry);
	coinmap_free(ledger->coins);
	tree_free(ledger->tree);
	pthread_cond_destroy(&ledger->left);
	pthread_mutex_destroy(&ledger->collecting);
	pthread_mutex_destroy(&ledger->lock);
	free(ledger);
}

void ledger_figures(struct ledger *ledger, struct ledger_figures *ret)
{
	struct tree_figures tree;
	struct coinmap_figures coins;

	tree_figures(ledger->tree, &tree);
	coinmap_figures(ledger->coins, &coins);
	pthread_mutex_lock(&ledger->lock);
	*ret = (struct ledger_figures){
		.applied = ledger->applied->block,
		.durable = ledger->durable_block,
		.flushed = ledger->flushed_block,
		.coins = ledger->applied->coins,
		.entries = ledger->applied->entries,
		.staged_blocks = ledger->staged_blocks,
		.staged_bytes = ledger->staged_bytes,
		.dirty_bytes = ledger->dirty_bytes,
		.dirty_changes = ledger->dirty_changes,
		.versions = ledger->top->seq - ledger->bottom->seq + 1,
		.delta_bytes = ledger->line_bytes,
	};
	pthread_mutex_unlock(&ledger->lock);
	ret->page_bytes = tree.bytes;
	ret->page_held = tree.held;
	ret->page_hits = tree.hits;
	ret->page_loads = tree.loads;
	ret->page_drops = tree.drops;
	ret->hashes = tree.hashes;
	ret->coin_bytes = coins.bytes;
	ret->coin_entries = coins.entries;
	ret->coin_hits = coins.hits;
	ret->coin_misses = coins.misses;
	ret->commits = atomic_load(&ledger->commits);
	ret->aborts = atomic_load(&ledger->aborts);
	ret->switches = atomic_load(&ledger->switches);
	ret->undone = atomic_load(&ledger->undone);
	ret->writes = atomic_load(&ledger->writes);
	ret->syncs = atomic_load(&ledger->syncs);
	ret->flushes = atomic_load(&ledger->flushes);
	ret->recovery = ledger->recovery;
	ret->lowest_delta = deltalog_lowest(ledger->log);
	ret->write_in_flight = atomic_load(&ledger->write_in_flight);
	ret->flush_in_flight = atomic_load(&ledger->flush_in_flight);
	ret->build_in_flight = atomic_load(&ledger->build_in_flight);
	ledger->disks.log->ops->figures(ledger->disks.log, &ret->log);
	ledger->disks.state->ops->figures(ledger->disks.state, &ret->state);
}
