/* Commits that don't wait for the tree of what they commit, and those that must. */
#include "state_world.h"

#include <stdlib.h>
#include <string.h>

#include "daemons/utxod/ledger.h"

struct fixture {
	struct rc_test_random random;
	struct world world;
	struct disk_pair disks;
	struct ledger_options options;
	struct ledger *ledger;
	const struct rc_block_id *ahead; /* to commit before its tree is made; NULL: nothing */
	bool sure, went_ahead;		 /* of the last block staged */
};

/* Between a version's coins and its tree. */
static void on_top(void *arg, bool sure)
{
	struct fixture *f = arg;
	struct ledger_view view;

	f->sure = sure;
	f->went_ahead = f->ahead && ledger_commit_ahead(f->ledger, f->ahead);
	if (!f->went_ahead)
		return;
	assert_int_equal(ledger_view_at(f->ledger, NULL, true, &view), RC_EBUSY);
	assert_int_equal(ledger_view_at(f->ledger, NULL, false, &view), RC_OK);
	ledger_view_close(&view);
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
	f->ledger = world_open_ledger(&f->disks, &f->options);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	ledger_close(f->ledger);
	disk_pair_close(&f->disks);
	world_done(&f->world);
	free(f);
	return 0;
}

static int stage(struct fixture *f, uint32_t b, bool ahead)
{
	const struct world_block *block = &f->world.block[b];

	f->ahead = ahead ? &block->id : NULL;
	return ledger_stage(f->ledger, (struct rc_bytes){block->delta.data, block->delta.len},
			    NULL);
}

static void check_tip(struct fixture *f, uint32_t b)
{
	struct world_block *block = &f->world.block[b];
	struct ledger_view view;
	struct block_ref ref;
	struct rc_hash root;

	assert_int_equal(ledger_view_tip(f->ledger, &view), RC_OK);
	ledger_view_block(&view, &ref);
	assert_int_equal(ref.height, block->height);
	assert_memory_equal(&ref.id, &block->id, 32);
	ledger_view_root(&view, &root);
	assert_memory_equal(&root, &block->root, 32);
	ledger_view_close(&view);
}

static void commit(struct fixture *f, uint32_t b)
{
	assert_int_equal(stage(f, b, false), RC_OK);
	assert_int_equal(ledger_commit(f->ledger, &f->world.block[b].id, NULL), RC_OK);
	check_tip(f, b);
}

/* What all but the newest block made is on the disk, and nothing of it in memory. */
static void forget(struct fixture *f)
{
	assert_int_equal(ledger_write(f->ledger, true, NULL), RC_OK);
	assert_int_equal(ledger_flush(f->ledger, NULL), RC_OK);
	ledger_close(f->ledger);
	f->ahead = NULL;
	f->ledger = world_open_ledger(&f->disks, &f->options);
}

static void test_known(void **state)
{
	struct fixture *f = *state;
	struct world *w = &f->world;
	uint32_t a1, a2, a3, b2;

	/* Memory doesn't know that there is no treasury: then the tree has to say so. */
	do
		a1 = world_grow(w, 0, 0, 50);
	while (!w->block[a1].treasury);
	a2 = world_grow(w, a1, 20, 20);
	a3 = world_grow(w, a2, 20, 20);
	b2 = world_grow(w, a1, 5, 5);
	commit(f, a1);
	assert_int_equal(stage(f, a2, true), RC_OK);
	assert_true(f->went_ahead);
	check_tip(f, a2);
	/* Asked again. */
	assert_int_equal(stage(f, a2, true), RC_OK);
	assert_int_equal(ledger_commit(f->ledger, &w->block[a2].id, NULL), RC_OK);
	/* Also when the tree is there; neither what is committed nor what was never staged. */
	assert_int_equal(stage(f, a3, false), RC_OK);
	assert_false(ledger_commit_ahead(f->ledger, &w->block[a2].id));
	assert_false(ledger_commit_ahead(f->ledger, &w->block[b2].id));
	assert_true(ledger_commit_ahead(f->ledger, &w->block[a3].id));
	check_tip(f, a3);
	/* Undone blocks go with the branch, by the builder alone. */
	assert_int_equal(ledger_switch(f->ledger, &w->block[a1].id, NULL), RC_OK);
	assert_int_equal(stage(f, b2, true), RC_OK);
	assert_false(f->went_ahead);
	check_tip(f, a3);
}

/* Coins that are on the disk alone: the tree must say that they are there. */
static void test_unknown(void **state)
{
	struct fixture *f = *state;
	struct world *w = &f->world;
	uint32_t a1 = world_grow(w, 0, 0, 50), a2 = world_grow(w, a1, 0, 1);
	uint32_t a3 = world_grow(w, a2, 20, 20);

	commit(f, a1);
	commit(f, a2);
	forget(f);
	assert_int_equal(stage(f, a3, true), RC_OK);
	assert_false(f->sure);
	assert_false(f->went_ahead);
	check_tip(f, a2);
	assert_int_equal(ledger_commit(f->ledger, &w->block[a3].id, NULL), RC_OK);
	check_tip(f, a3);
}

/* A block of another amount than the coin has isn't sure, and then refused by its tree. */
static void test_amount(void **state)
{
	struct fixture *f = *state;
	struct world *w = &f->world;
	uint32_t a1 = world_grow(w, 0, 0, 50), a2 = world_grow(w, a1, 20, 20);
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_delta delta;
	struct rc_buf *buf = &w->block[a2].delta, changed = RC_BUF_INIT;

	commit(f, a1);
	assert_true(rc_delta_decode(buf->data, buf->len, &arena, &delta));
	delta.spent[3].coin.amount ^= 1;
	rc_delta_encode(&delta, &changed);
	rc_buf_done(buf);
	*buf = changed;
	assert_int_equal(stage(f, a2, true), RC_EINVAL);
	assert_false(f->went_ahead);
	check_tip(f, a1);
	rc_arena_done(&arena);
}

/* Nor is one that makes more than there can be. */
static void test_sum(void **state)
{
	struct fixture *f = *state;
	struct world *w = &f->world;
	uint32_t a1 = world_grow(w, 0, 0, 50), a2 = world_grow(w, a1, 0, 2);
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_delta delta;
	struct rc_buf *buf = &w->block[a2].delta, changed = RC_BUF_INIT;

	commit(f, a1);
	assert_true(rc_delta_decode(buf->data, buf->len, &arena, &delta));
	delta.created[0].coin.amount = RC_SUPPLY_LIMIT;
	rc_delta_encode(&delta, &changed);
	rc_buf_done(buf);
	*buf = changed;
	assert_int_equal(stage(f, a2, true), RC_EINVAL);
	assert_false(f->went_ahead);
	check_tip(f, a1);
	rc_arena_done(&arena);
}

/* Committed ahead of its tree, which then can't be made: told as damage, whoever waits for the
 * root is let go, and the ledger can be closed. */
static void test_never(void **state)
{
	struct fixture *f = *state;
	struct world *w = &f->world;
	uint32_t a1 = world_grow(w, 0, 0, 50), a2 = world_grow(w, a1, 0, 1);
	uint32_t bad = world_grow(w, a2, 0, 1);
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_delta delta;
	struct rc_buf *buf = &w->block[bad].delta, changed = RC_BUF_INIT;
	struct ledger_view view;
	struct rc_error error;

	commit(f, a1);
	commit(f, a2);
	forget(f);
	/* One that makes a coin which only the disk knows. */
	assert_true(rc_delta_decode(buf->data, buf->len, &arena, &delta));
	delta.created = &w->block[a1].coins[0];
	delta.created[0].coin.height = delta.height;
	delta.n_created = 1;
	delta.n_spent = delta.n_entries = 0;
	rc_delta_encode(&delta, &changed);
	rc_buf_done(buf);
	*buf = changed;
	f->ahead = &w->block[bad].id;
	assert_int_equal(ledger_stage(f->ledger, (struct rc_bytes){buf->data, buf->len}, &error),
			 RC_EFORMAT);
	assert_true(f->went_ahead);
	assert_non_null(strstr(error.text, "damaged"));
	assert_int_equal(ledger_view_tip(f->ledger, &view), RC_ECANCELLED);
	rc_arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_known, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_amount, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sum, setup, teardown),
		cmocka_unit_test_setup_teardown(test_never, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
