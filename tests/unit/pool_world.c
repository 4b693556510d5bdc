/* Transactions for tests of the pool. See pool_world.h. */
#include "pool_world.h"

#include <string.h>

#include "base/num.h"

void made_tx_init(struct made_tx *m, const struct rc_outpoint *inputs, size_t n_inputs,
		  uint32_t n_outputs, rc_amount fee, size_t padding)
{
	struct rc_tx_in in[POOL_TX_INPUTS_MAX];
	struct rc_tx_out out[32];
	uint8_t lock[RC_LOCK_KEY_SIZE] = {RC_LOCK_KEY, 1};
	struct rc_buf witness = RC_BUF_INIT;
	uint8_t *pad = rc_alloc(padding + 64);
	struct rc_bytes item = {pad, padding + 64};
	struct rc_tx tx = {
		.version = 1,
		.n_inputs = (uint32_t)n_inputs,
		.n_outputs = n_outputs,
		.inputs = in,
		.outputs = out,
	};

	assert_true(n_inputs <= POOL_TX_INPUTS_MAX && n_outputs <= RC_ARRAY_LEN(out));
	memset(m, 0, sizeof(*m));
	rc_witness_put(&witness, &item, 1);
	for (size_t i = 0; i < n_inputs; i++) {
		in[i] = (struct rc_tx_in){inputs[i], RC_SEQUENCE_FINAL, 1, (uint32_t)witness.len,
					  witness.data};
		m->coins[i] =
			(struct rc_coin){.amount = 1000000, .height = 1, .lock_len = sizeof(lock)};
		memcpy(m->coins[i].lock, lock, sizeof(lock));
		m->coin_at[i] = &m->coins[i];
	}
	for (uint32_t i = 0; i < n_outputs; i++)
		out[i] = (struct rc_tx_out){100000 + i, {lock, sizeof(lock), RC_LOCK_KEY}};
	rc_tx_encode(&tx, &m->raw);
	assert_true(rc_tx_decode(m->raw.data, m->raw.len, &m->arena, &m->tx));
	m->facts = (struct pool_facts){.fee = fee,
				       .budget = 100 * n_inputs,
				       .time = 1000,
				       .peer = 1,
				       .height = 10,
				       .coins_to = 1};
	rc_buf_done(&witness);
	rc_freep(&pad);
}

void made_tx_done(struct made_tx *m)
{
	rc_arena_done(&m->arena);
	rc_buf_done(&m->raw);
}

void made_outpoint(struct rc_test_random *t, struct rc_outpoint *ret)
{
	rc_random_fill(&t->random, ret, sizeof(*ret));
	ret->index = 0;
}

struct rc_outpoint made_output(const struct made_tx *m, uint32_t index)
{
	return (struct rc_outpoint){m->tx.txid, index};
}

enum rc_verdict made_add(struct mempool *pool, struct made_tx *m, uint64_t now)
{
	struct pool_tx *entry;

	return mempool_add(pool, &m->tx, m->coin_at, &m->facts, now, &entry);
}
