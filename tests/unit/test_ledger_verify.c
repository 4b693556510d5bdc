/* Verifying sees what is on the disk, whatever is in memory of it. */
#include "state_world.h"

#include <stdlib.h>
#include <string.h>

#include "daemons/utxod/ledger_internal.h"

#define PAGE_BYTES ((size_t)1 << 19)

struct fixture {
	struct rc_test_random random;
	struct world world;
	struct disk_pair disks;
	struct ledger *ledger;
	uint32_t tip;
};

static int setup(void **state)
{
	struct fixture *f = rc_alloc(sizeof(*f));
	struct ledger_options options;

	rc_test_random_init(&f->random);
	world_init(&f->world, &f->random.random);
	options = world_ledger_options(&f->world);
	options.page_bytes = PAGE_BYTES;
	f->disks = (struct disk_pair){disk_memory_new(), disk_memory_new()};
	f->ledger = world_open_ledger(&f->disks, &options);
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

static void grow(struct fixture *f, size_t spend, size_t make)
{
	struct world_block *b;

	f->tip = world_grow(&f->world, f->tip, spend, make);
	b = &f->world.block[f->tip];
	assert_int_equal(
		ledger_stage(f->ledger, (struct rc_bytes){b->delta.data, b->delta.len}, NULL),
		RC_OK);
	assert_int_equal(ledger_commit(f->ledger, &b->id, NULL), RC_OK);
}

static void flush(struct fixture *f)
{
	assert_int_equal(ledger_write(f->ledger, true, NULL), RC_OK);
	assert_int_equal(ledger_flush(f->ledger, NULL), RC_OK);
}

static void verify(struct fixture *f, bool good)
{
	struct ledger_verified verified;
	struct ledger_view view;

	assert_int_equal(ledger_verify(f->ledger, NULL, NULL, NULL, &verified, NULL), RC_OK);
	assert_int_equal(verified.good, good);
	assert_int_equal(ledger_view_tip(f->ledger, &view), RC_OK);
	assert_int_equal(ledger_verify(f->ledger, &view, NULL, NULL, &verified, NULL), RC_OK);
	assert_int_equal(verified.good, good);
	ledger_view_close(&view);
}

/* A coin of the state that is on the disk. */
static void pick(struct fixture *f, struct rc_delta_coin *ret)
{
	const struct world_block *b = &f->world.block[f->tip];
	uint8_t key[COIN_DISK_KEY];
	struct rc_buf value = RC_BUF_INIT;
	int err;

	do {
		*ret = b->coins[rc_random_below(&f->random.random, b->n_coins)];
		coin_disk_key(&ret->outpoint, key);
		err = f->disks.state->ops->get(f->disks.state, key, sizeof(key), &value, NULL);
	} while (err);
	rc_buf_done(&value);
}

static void expect_coin(struct fixture *f, const struct rc_delta_coin *c)
{
	struct ledger_view view;
	struct rc_coin coin;

	assert_int_equal(ledger_view_at(f->ledger, NULL, false, &view), RC_OK);
	assert_int_equal(ledger_coins(&view, &c->outpoint, 1, &coin, NULL), RC_OK);
	assert_memory_equal(&coin, &c->coin, sizeof(coin));
	ledger_view_close(&view);
}

static void damage(struct fixture *f, bool lose)
{
	struct disk *disk = f->disks.state;
	uint8_t key[COIN_DISK_KEY], value[RC_COIN_VALUE_MAX];
	struct rc_delta_coin c;
	size_t len;

	grow(f, 0, 60);
	grow(f, 5, 5);
	flush(f);
	grow(f, 5, 5); /* unflushed ones beside them */
	verify(f, true);
	pick(f, &c);
	expect_coin(f, &c); /* in memory now */
	coin_disk_key(&c.outpoint, key);
	len = rc_coin_value_encode(&c.coin, value);
	if (lose) {
		disk->ops->del(disk, key, sizeof(key));
	} else {
		value[0] ^= 1;
		disk->ops->put(disk, key, sizeof(key), value, len);
	}
	assert_int_equal(disk->ops->commit(disk, DISK_FLUSH, NULL), RC_OK);
	verify(f, false);
	/* It has only looked: who asks is answered as before. */
	expect_coin(f, &c);
	rc_coin_value_encode(&c.coin, value);
	disk->ops->put(disk, key, sizeof(key), value, len);
	assert_int_equal(disk->ops->commit(disk, DISK_FLUSH, NULL), RC_OK);
	verify(f, true);
}

static void test_lost(void **state)
{
	damage(*state, true);
}

static void test_changed(void **state)
{
	damage(*state, false);
}

/* A state larger than the pages' memory is brought there piece by piece. */
static void test_memory(void **state)
{
	struct fixture *f = *state;
	struct ledger_figures before, after;

	grow(f, 0, 12000);
	for (unsigned i = 0; i < 2; i++)
		grow(f, 1, 1);
	flush(f);
	ledger_figures(f->ledger, &before);
	assert_true(before.page_bytes <= PAGE_BYTES);
	verify(f, true);
	ledger_figures(f->ledger, &after);
	assert_true(after.page_loads - before.page_loads > PAGE_BYTES / PAGE_SIZE_MAX);
	assert_true(after.page_bytes <= PAGE_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
