/* The rules of a block's body, and of a loose transaction, that need no state. */
#ifndef RC_CONSENSUS_BODY_CHECK_H
#define RC_CONSENSUS_BODY_CHECK_H

#include "base/arena.h"
#include "consensus/verdict.h"
#include "types/block.h"

/*
 * Bytes to a checked block: size, parse, tx_root, coinbase first, then each transaction's form.
 * The header's own rules are rc_header_check's. *ret_block is filled where the verdict is ok. What
 * is taken of the arena stays under RC_BLOCK_CHECK_MEMORY times len (small bodies: and 1 MiB),
 * whatever the bytes are.
 */
#define RC_BLOCK_CHECK_MEMORY 6
enum rc_verdict rc_block_check(const void *data, size_t len, struct rc_arena *arena,
			       struct rc_block *ret_block);

/* The same from tx_root on, of a decoded block. */
enum rc_verdict rc_block_check_body(const struct rc_block *block, struct rc_arena *arena);

/* One transaction's rules without state: version, type, locks, counts, amounts, inputs twice,
 * sequences, lock time, payload. */
enum rc_verdict rc_tx_check(const struct rc_tx *tx, struct rc_arena *arena);

/* Bytes to a loose transaction: tx-parse, tx-coinbase, then rc_tx_check. *ret_tx is filled unless
 * the verdict is tx-parse. */
enum rc_verdict rc_tx_check_loose(const void *data, size_t len, struct rc_arena *arena,
				  struct rc_tx *ret_tx);

#endif
