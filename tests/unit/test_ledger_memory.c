/* The pages' memory while blocks go on: what versions hold beside the pages counts, and what a
 * flush keeps from being freed doesn't grow with the time it takes. */
#include "state_world.h"

#include <stdlib.h>
#include <string.h>

#include "daemons/utxod/ledger.h"

#define COINS 12000 /* of the first block: some 3 MiB of pages */

struct fixture {
	struct rc_test_random random;
	struct world world;
	struct disk_pair disks;
	struct ledger_options options;
	struct ledger *ledger;
	uint32_t tip;
	void (*during)(struct fixture *f); /* a flush, once */
};

static void open_ledger(struct fixture *f, size_t page_bytes)
{
	f->options.page_bytes = page_bytes;
	assert_int_equal(ledger_open(&f->disks, &f->options, &f->ledger, NULL), RC_OK);
}

static int setup(void **state)
{
	struct fixture *f = rc_alloc(sizeof(*f));

	rc_test_random_init(&f->random);
	world_init(&f->world, &f->random.random);
	f->disks = (struct disk_pair){disk_memory_new(), disk_memory_new()};
	f->options = (struct ledger_options){.genesis = f->world.block[0].id,
					     .coin_bytes = 1 << 18,
					     .undo_blocks = 288,
					     .clock = &rc_clock_system,
					     .random = &f->random.random};
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

/* A block on the tip, applied and in the log; RC_EBUSY: it has to wait. */
static int try_grow(struct fixture *f, size_t spend, size_t make)
{
	uint32_t b = world_grow(&f->world, f->tip, spend, make);
	const struct rc_buf *delta = &f->world.block[b].delta;
	int err = ledger_stage(f->ledger, (struct rc_bytes){delta->data, delta->len}, NULL);

	if (err == RC_EBUSY)
		return err;
	assert_int_equal(err, RC_OK);
	assert_int_equal(ledger_commit(f->ledger, &f->world.block[b].id, NULL), RC_OK);
	assert_int_equal(ledger_write(f->ledger, true, NULL), RC_OK);
	f->tip = b;
	return RC_OK;
}

static void grow(struct fixture *f, size_t spend, size_t make)
{
	assert_int_equal(try_grow(f, spend, make), RC_OK);
}

static void flush(struct fixture *f)
{
	assert_int_equal(ledger_flush(f->ledger, NULL), RC_OK);
}

static size_t pages(struct fixture *f)
{
	struct ledger_figures figures;

	ledger_figures(f->ledger, &figures);
	return figures.page_bytes;
}

static void expect_good(struct fixture *f)
{
	struct ledger_verified verified;

	assert_int_equal(ledger_verify(f->ledger, NULL, NULL, NULL, &verified, NULL), RC_OK);
	if (!verified.good)
		fail_msg("%s", verified.text);
}

/* ---- in the midst of a flush ---- */

static struct fixture *hooked;
static struct disk_ops hooked_ops;
static const struct disk_ops *plain_ops;

static void call_once(void)
{
	void (*during)(struct fixture * f) = hooked->during;

	hooked->during = NULL;
	if (during)
		during(hooked);
}

static void put(struct disk *disk, const void *key, size_t key_len, const void *value, size_t len)
{
	call_once();
	plain_ops->put(disk, key, key_len, value, len);
}

static int commit(struct disk *disk, enum disk_sync how, struct rc_error *error)
{
	call_once();
	return plain_ops->commit(disk, how, error);
}

/* From the first page on, or when all is handed to the disk. */
static void flush_with(struct fixture *f, bool first, void (*during)(struct fixture *f))
{
	struct disk *disk = f->disks.state;

	hooked = f;
	plain_ops = disk->ops;
	hooked_ops = *plain_ops;
	if (first)
		hooked_ops.put = put;
	else
		hooked_ops.commit = commit;
	f->during = during;
	disk->ops = &hooked_ops;
	flush(f);
	disk->ops = plain_ops;
	assert_null(f->during);
}

/* ---- tests ---- */

/* Deltas and lists of pages come out of the same memory. */
static void test_beside(void **state)
{
	struct fixture *f = *state;
	const size_t limit = 2 << 20;
	struct ledger_figures figures;

	open_ledger(f, limit);
	grow(f, 0, COINS);
	for (unsigned i = 0; i < 20; i++) {
		grow(f, 20, 20);
		flush(f);
	}
	for (unsigned i = 0; i < 5; i++) {
		grow(f, 20, 20);
		ledger_figures(f->ledger, &figures);
		assert_true(figures.delta_bytes > 0);
		assert_true(figures.page_bytes > limit / 2);
		assert_true(figures.page_bytes + figures.delta_bytes <= limit);
	}
	expect_good(f);
}

static size_t whole; /* the tree in memory, no older versions */

static void go_on(struct fixture *f)
{
	for (unsigned i = 0; i < 60; i++) {
		grow(f, 100, 100);
		ledger_collect(f->ledger);
		assert_true(pages(f) < whole + whole / 2);
	}
}

/* While the disk writes, older versions go as they do without it. */
static void test_while_the_disk_writes(void **state)
{
	struct fixture *f = *state;

	open_ledger(f, 8 << 20);
	grow(f, 0, COINS);
	for (unsigned i = 0; i < 3; i++)
		grow(f, 1, 1);
	flush(f);
	whole = pages(f);
	assert_true(whole > 2 << 20);
	grow(f, 1, 1);
	grow(f, 1, 1);
	flush_with(f, false, go_on);
	flush(f);
	expect_good(f);
}

static unsigned n_taken;

static void go_on_until_busy(struct fixture *f)
{
	const size_t limit = f->options.page_bytes;

	for (n_taken = 0; try_grow(f, 100, 100) == RC_OK; n_taken++) {
		assert_true(n_taken < 100);
		assert_true(pages(f) < limit + (1 << 20));
	}
	assert_true(n_taken > 0);
}

/* Before all pages are handed over, none can go: the next block waits, but no longer than that. */
static void test_while_pages_are_copied(void **state)
{
	struct fixture *f = *state;

	open_ledger(f, 6 << 20);
	grow(f, 0, COINS);
	for (unsigned i = 0; i < 3; i++)
		grow(f, 1, 1);
	flush(f);
	grow(f, 1, 1);
	grow(f, 1, 1);
	flush_with(f, true, go_on_until_busy);
	grow(f, 100, 100);
	flush(f);
	expect_good(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_beside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_while_the_disk_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_while_pages_are_copied, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
