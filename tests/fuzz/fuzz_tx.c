/* A loose transaction from anybody: what is accepted encodes to the same bytes, and its rules,
 * budget and signature hash run on it. */
#include <stdint.h>
#include <string.h>

#include "consensus/body_check.h"
#include "consensus/budget.h"
#include "consensus/connect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All inputs spend one made-up coin whose key is the end of the input's own witness: so control
 * blocks that commit to something get further. */
static void check_witnesses(const struct rc_tx *tx, struct rc_arena *arena)
{
	static const struct rc_hash network_id;
	const struct rc_coin **list = rc_arena_alloc(arena, tx->n_inputs * sizeof(*list));
	struct rc_coin coin = {.amount = 5, .height = 1, .lock_len = RC_LOCK_KEY_SIZE};
	struct rc_sighash sighash;

	coin.lock[0] = RC_LOCK_KEY;
	for (uint32_t i = 0; i < tx->n_inputs; i++)
		list[i] = &coin;
	rc_sighash_init(&network_id, tx, list, &sighash);
	for (uint32_t i = 0; i < tx->n_inputs && i < 4; i++)
		rc_witness_check(&sighash, i, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf again = RC_BUF_INIT;
	enum rc_verdict verdict;
	struct rc_tx tx;

	verdict = rc_tx_check_loose(data, size, &arena, &tx);
	if (verdict != RC_V_TX_PARSE) {
		rc_tx_encode(&tx, &again);
		if (again.len != size || memcmp(again.data, data, size) != 0)
			__builtin_trap();
		rc_tx_budget(&tx);
		rc_tx_lock_time_holds(&tx, 100, 100);
		check_witnesses(&tx, &arena);
	}
	rc_buf_done(&again);
	rc_arena_done(&arena);
	return 0;
}
