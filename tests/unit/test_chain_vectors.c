/* The blocks of the check values, and the 64 that fail on top of block 13. */
#include "tests/unit/rc_test.h"

#include <string.h>

#include "tests/unit/mini_chain.h"

#define VECTORS "rustycoin/check-values.json"

static size_t block_of(const json_t *row, uint8_t **ret_raw)
{
	return rc_test_hex(rc_test_str(row, "block"), ret_raw);
}

/* The clock where the row doesn't say: any time after the block's own. */
static uint64_t clock_of(const json_t *row)
{
	const json_t *clock = json_object_get(row, "local_clock");

	return clock ? rc_test_u64(clock) : UINT32_MAX;
}

static void offer_good(struct mini_chain *chain, const json_t *row)
{
	RC_AUTOFREE uint8_t *raw = NULL;
	size_t len = block_of(row, &raw);
	struct rc_block_id id;
	struct rc_hash root;

	rc_test_hex_into(row, "id", id.b, 32);
	rc_test_hex_into(row, "state_root_after", root.b, 32);
	assert_int_equal(mini_chain_offer(chain, raw, len, clock_of(row)), RC_VERDICT_OK);
	assert_memory_equal(chain->tip->id.b, id.b, 32);
	assert_memory_equal(chain->tip->root.b, root.b, 32);
}

static void test_chain(void **state)
{
	json_t *vectors = rc_test_vectors(VECTORS);
	const json_t *chain_rows = json_object_get(vectors, "chain"), *blocks, *fails, *row;
	struct rc_network network;
	struct mini_chain chain;
	size_t i;

	(void)state;
	assert_true(rc_network_builtin(rc_test_str(chain_rows, "network"), &network));
	mini_chain_init(&chain, &network);
	blocks = json_object_get(chain_rows, "blocks");
	fails = json_object_get(chain_rows, "fail_after_block_13");
	assert_int_equal(json_array_size(blocks), 14);
	assert_int_equal(json_array_size(fails), 64);
	for (i = 0; i < 13; i++)
		offer_good(&chain, json_array_get(blocks, i));
	json_array_foreach(fails, i, row)
	{
		RC_AUTOFREE uint8_t *raw = NULL;
		size_t len = block_of(row, &raw);
		enum rc_verdict verdict = mini_chain_offer(&chain, raw, len, clock_of(row));

		if (strcmp(rc_verdict_name(verdict), rc_test_str(row, "code")) != 0)
			fail_msg("row %zu: %s, not %s", i, rc_verdict_name(verdict),
				 rc_test_str(row, "code"));
	}
	offer_good(&chain, json_array_get(blocks, 13));

	/* The state goes back to nothing and comes again. */
	mini_chain_go(&chain, mini_chain_find(&chain, &network.genesis_id));
	assert_null(chain.coins);
	assert_null(chain.entries);
	mini_chain_go(&chain, chain.tip);
	{
		struct rc_hash root;

		mini_chain_root(&chain, &root, NULL);
		assert_memory_equal(root.b, chain.tip->root.b, 32);
	}
	mini_chain_done(&chain);
	json_decref(vectors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
