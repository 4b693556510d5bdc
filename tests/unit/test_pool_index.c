/* The pool's tables against a plain list: whatever is added and removed, in whatever order. */
#include <string.h>

#include "base/num.h"
#include "daemons/chaind/pool_index.h"
#include "rc_test.h"

#define ITEMS 3000

struct item {
	uint32_t before; /* the key isn't at the start */
	uint8_t key[36];
	bool in;
};

static void assert_same(const struct pool_index *index, struct item *items, size_t n)
{
	size_t in = 0;

	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(pool_index_find(index, items[i].key),
				 items[i].in ? &items[i] : NULL);
		assert_ptr_equal(pool_index_guess(index, items[i].key),
				 items[i].in ? &items[i] : NULL);
		in += items[i].in;
	}
	assert_int_equal(index->n, in);
	assert_true(4 * index->n <= 3 * index->cap);
}

static void test_against_a_list(void **state)
{
	static struct item items[ITEMS];
	struct rc_test_random random;
	struct pool_index index;

	(void)state;
	rc_test_random_init(&random);
	pool_index_init(&index, offsetof(struct item, key), sizeof(items[0].key));
	pool_index_salt(&index, &random.random);
	assert_null(pool_index_find(&index, items[0].key));
	for (uint32_t i = 0; i < ITEMS; i++)
		rc_put_le32(items[i].key + (i % 2 ? 32 : 12), i);
	/* Few, so that runs pass the table's end; then all, so that it grows; then few again. */
	for (unsigned phase = 0; phase < 3; phase++) {
		size_t n = phase == 1 ? ITEMS : 48;

		for (unsigned step = 0; step < 20000; step++) {
			struct item *item = &items[rc_random_below(&random.random, n)];

			if (item->in)
				pool_index_remove(&index, item);
			else
				pool_index_add(&index, item);
			item->in = !item->in;
			if (step % 97 == 0 && phase != 1)
				assert_same(&index, items, n);
		}
		assert_same(&index, items, ITEMS);
		for (size_t i = 0; i < ITEMS; i++) {
			if (items[i].in)
				pool_index_remove(&index, &items[i]);
			items[i].in = false;
		}
		assert_int_equal(index.n, 0);
	}
	pool_index_done(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
