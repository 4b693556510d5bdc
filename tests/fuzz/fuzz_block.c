/* A block from a peer: whole and streamed decoding agree, its encoding is unique, the rules run.
 * The root is put right, so that the rules behind it are reached. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "consensus/body_check.h"
#include "consensus/connect.h"
#include "consensus/merkle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_streamed(const uint8_t *data, size_t size, const struct rc_block *block)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_block_reader reader;
	struct rc_tx tx;
	uint32_t n = 0;

	if (!rc_block_reader_init(&reader, data, size))
		__builtin_trap();
	while (rc_block_reader_next(&reader, &arena, &tx)) {
		if (!rc_wtxid_eq(&tx.wtxid, &block->txs[n].wtxid))
			__builtin_trap();
		n++;
		rc_arena_reset(&arena);
	}
	if (n != block->n_txs || !rc_block_reader_end(&reader))
		__builtin_trap();
	rc_arena_done(&arena);
}

/* Every outpoint asked for exists as a coin of a fixed kind: rules with state run. */
static void connect(const struct rc_block *block, struct rc_arena *arena)
{
	struct rc_connect_context context = {0};
	struct rc_connect_result result;
	struct rc_connect_plan plan;
	struct rc_coin_slot *slots;
	struct rc_network network;

	rc_network_builtin("reg", &network);
	context.network = &network;
	rc_connect_collect(block, arena, &plan);
	slots = rc_arena_alloc(arena, plan.n_outpoints * sizeof(*slots));
	memset(slots, 0, plan.n_outpoints * sizeof(*slots));
	for (uint32_t i = 0; i < plan.n_outpoints; i++) {
		slots[i].present = plan.outpoints[i].index < 4;
		slots[i].coin = (struct rc_coin){.amount = RC_OXIDES_PER_RUST,
						 .lock_len = RC_LOCK_KEY_SIZE,
						 .lock = {RC_LOCK_KEY}};
	}
	if (rc_connect_block(&context, &plan, slots, arena, &result) == RC_VERDICT_OK) {
		struct rc_buf raw = RC_BUF_INIT;
		struct rc_delta back;

		rc_delta_encode(&result.delta, &raw);
		if (!rc_delta_decode(raw.data, raw.len, arena, &back))
			__builtin_trap();
		rc_buf_done(&raw);
		for (uint32_t i = 0; i < result.n_jobs && i < 4; i++)
			rc_witness_job_run(&network.id, &result.jobs[i], NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_block block;

	if (rc_block_decode(data, size, &arena, &block)) {
		uint8_t *copy = rc_memdup(data, size);
		enum rc_verdict verdict;

		check_streamed(data, size, &block);
		rc_tx_root(&block.txs[0].wtxid, sizeof(block.txs[0]), block.n_txs, &arena,
			   &block.header.tx_root);
		rc_header_encode(&block.header, copy);
		verdict = rc_block_check_body(&block, &arena);
		/* A crowd is checked in rounds, and must get the same. */
		if (rc_block_check(copy, size, &arena, &block) != verdict)
			__builtin_trap();
		if (verdict == RC_VERDICT_OK)
			connect(&block, &arena);
		free(copy);
	}
	rc_arena_done(&arena);
	return 0;
}
