/* A state, or a log, that isn't what was written: nothing is built on it, and what to do is told.
 */
#include "state_world.h"

#include <stdlib.h>
#include <string.h>

#include "daemons/utxod/ledger_internal.h"

struct fixture {
	struct rc_test_random random;
	struct world world;
	struct disk_pair disks;
	struct ledger_options options;
	struct ledger *ledger;
	struct rc_error error;		 /* of the last opening */
	const struct rc_block_id *ahead; /* to commit before its tree is made; NULL: nothing */
	bool written;			 /* its step is in the log before that, too */
};

static void on_top(void *arg, bool sure)
{
	struct fixture *f = arg;

	if (!f->ahead)
		return;
	assert_true(sure);
	assert_true(ledger_commit_ahead(f->ledger, f->ahead));
	if (f->written)
		assert_int_equal(ledger_write(f->ledger, true, NULL), RC_OK);
}

static int open_ledger(struct fixture *f)
{
	f->ahead = NULL;
	return ledger_open(&f->disks, &f->options, &f->ledger, &f->error);
}

static int setup(void **state)
{
	struct fixture *f = rc_alloc(sizeof(*f));

	rc_test_random_init(&f->random);
	world_init(&f->world, &f->random.random);
	f->disks = (struct disk_pair){disk_memory_new(), disk_memory_new()};
	f->options = world_ledger_options(&f->world);
	f->options.on_top = on_top;
	f->options.arg = f;
	assert_int_equal(open_ledger(f), RC_OK);
	*state = f;
	return 0;
}

static void close_ledger(struct fixture *f)
{
	ledger_close(f->ledger);
	f->ledger = NULL;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close_ledger(f);
	disk_pair_close(&f->disks);
	world_done(&f->world);
	free(f);
	return 0;
}

static int stage(struct fixture *f, uint32_t b, struct rc_error *error)
{
	const struct rc_buf *delta = &f->world.block[b].delta;

	return ledger_stage(f->ledger, (struct rc_bytes){delta->data, delta->len}, error);
}

static void commit(struct fixture *f, uint32_t b)
{
	assert_int_equal(stage(f, b, NULL), RC_OK);
	assert_int_equal(ledger_commit(f->ledger, &f->world.block[b].id, NULL), RC_OK);
}

static void write_and_flush(struct fixture *f)
{
	assert_int_equal(ledger_write(f->ledger, true, NULL), RC_OK);
	assert_int_equal(ledger_flush(f->ledger, NULL), RC_OK);
}

static void expect_height(struct fixture *f, uint32_t height)
{
	struct block_ref applied, durable;

	ledger_tips(f->ledger, &applied, &durable);
	assert_int_equal(applied.height, height);
}

/* ---- page ids that are free ---- */

static void put_ids(struct rc_buf *buf, const uint32_t *ids, size_t n)
{
	rc_buf_clear(buf);
	for (size_t i = 0; i < n; i++)
		rc_buf_put_le32(buf, ids[i]);
}

/* Whatever is listed, also when the least of all isn't used yet. */
static void test_free_ids(void **state)
{
	static const struct {
		uint32_t ids[6], n, next, want[6], n_want;
	} cases[] = {
		{{7, 3, 7, 9, 3, 5}, 6, 9, {3, 5, 7}, 3},
		{{9}, 1, 9, {0}, 0},
		{{12, 9, 9}, 3, 9, {0}, 0},
		{{8}, 1, 9, {8}, 1},
		{{0}, 0, 9, {0}, 0},
	};
	struct rc_buf buf = RC_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < RC_ARRAY_LEN(cases); i++) {
		put_ids(&buf, cases[i].ids, cases[i].n);
		free_ids_settle(&buf, cases[i].next);
		assert_int_equal(buf.len, 4 * cases[i].n_want);
		for (uint32_t k = 0; k < cases[i].n_want; k++)
			assert_int_equal(rc_get_le32(buf.data + 4 * k), cases[i].want[k]);
	}
	rc_buf_done(&buf);
}

/* A marker whose free ids would be given out twice, or stand for a page: refused. */
static void test_marker(void **state)
{
	struct fixture *f = *state;
	struct disk *disk = f->disks.state;
	struct rc_buf good = RC_BUF_INIT, buf = RC_BUF_INIT;
	struct marker marker;
	uint32_t tip = 0;

	for (unsigned i = 0; i < 4; i++)
		commit(f, tip = world_grow(&f->world, tip, 0, 60));
	write_and_flush(f);
	close_ledger(f);
	assert_int_equal(marker_read(disk, &marker, &good, NULL), RC_OK);
	assert_true(marker.next_id > 3);
	for (unsigned i = 0; i < 5; i++) {
		const uint32_t ids[5][2] = {{1, marker.next_id},
					    {marker.next_id + 7, marker.next_id + 8},
					    {0, 1},
					    {2, 1},
					    {2, 2}};

		put_ids(&buf, ids[i], 2);
		marker_put(disk, &marker, &buf);
		assert_int_equal(disk->ops->commit(disk, DISK_FLUSH, NULL), RC_OK);
		assert_int_equal(open_ledger(f), RC_EFORMAT);
		assert_non_null(strstr(f->error.text, "marker is damaged"));
	}
	marker_put(disk, &marker, &good);
	assert_int_equal(disk->ops->commit(disk, DISK_FLUSH, NULL), RC_OK);
	assert_int_equal(open_ledger(f), RC_OK);
	rc_buf_done(&good);
	rc_buf_done(&buf);
}

/* ---- a block that has no tree ---- */

/* Makes a coin again which only the disk knows: memory says that it fits. */
static uint32_t grow_misfit(struct fixture *f, uint32_t tip, uint32_t first)
{
	struct world *w = &f->world;
	uint32_t bad = world_grow(w, tip, 0, 1);
	struct rc_buf *buf = &w->block[bad].delta, changed = RC_BUF_INIT;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_delta delta;

	assert_true(rc_delta_decode(buf->data, buf->len, &arena, &delta));
	delta.created = &w->block[first].coins[0];
	delta.created[0].coin.height = delta.height;
	delta.n_created = 1;
	delta.n_spent = delta.n_entries = 0;
	rc_delta_encode(&delta, &changed);
	rc_arena_done(&arena);
	rc_buf_done(buf);
	*buf = changed;
	return bad;
}

/* Two blocks of which nothing is in memory, and then one that is committed ahead of its tree, which
 * can't be made. */
static uint32_t commit_misfit(struct fixture *f, bool written)
{
	struct world *w = &f->world;
	uint32_t a1 = world_grow(w, 0, 0, 50), a2 = world_grow(w, a1, 0, 1), bad;
	struct rc_error error;

	commit(f, a1);
	commit(f, a2);
	write_and_flush(f);
	close_ledger(f);
	assert_int_equal(open_ledger(f), RC_OK);
	bad = grow_misfit(f, a2, a1);
	f->ahead = &w->block[bad].id;
	f->written = written;
	assert_int_equal(stage(f, bad, &error), RC_EFORMAT);
	assert_non_null(strstr(error.text, "damaged"));
	f->ahead = NULL;
	expect_height(f, 3);
	return bad;
}

/* Nothing is built on it, and its step isn't written: a start doesn't find it. */
static void test_unwritten(void **state)
{
	struct fixture *f = *state;
	uint32_t bad = commit_misfit(f, false), next = world_grow(&f->world, bad, 0, 1);

	assert_int_equal(stage(f, next, NULL), RC_EFORMAT);
	assert_int_equal(stage(f, bad, NULL), RC_EFORMAT);
	assert_int_equal(ledger_switch(f->ledger, &f->world.block[0].id, NULL), RC_EFORMAT);
	assert_int_equal(ledger_write_ahead(f->ledger, true, NULL), RC_OK);
	assert_int_equal(ledger_write(f->ledger, true, NULL), RC_EFORMAT);
	close_ledger(f);
	assert_int_equal(open_ledger(f), RC_OK);
	expect_height(f, 2);
	/* Staged again, and its tree waited for: refused. */
	assert_int_equal(stage(f, bad, NULL), RC_EINVAL);
	commit(f, world_grow(&f->world, f->world.block[bad].parent, 5, 5));
}

/* Written already, it may have been acknowledged: each start says what to do. */
static void test_written(void **state)
{
	struct fixture *f = *state;

	commit_misfit(f, true);
	close_ledger(f);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(open_ledger(f), RC_EFORMAT);
		assert_non_null(strstr(f->error.text, "its tree or the log of deltas"));
		assert_non_null(strstr(f->error.text, "block 3"));
		assert_non_null(strstr(f->error.text, "restore a backup"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_free_ids),
		cmocka_unit_test_setup_teardown(test_marker, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unwritten, setup, teardown),
		cmocka_unit_test_setup_teardown(test_written, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
