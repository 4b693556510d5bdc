/* The coinbase's payload (20-consensus, "Coinbase"). */
#ifndef RC_CONSENSUS_COINBASE_H
#define RC_CONSENSUS_COINBASE_H

#include "base/buf.h"
#include <stdbool.h>

#include "base/mem.h"

#define RC_COINBASE_FREE_MAX 64
/* height u32, block id 32, quorum id 32, signature 64: also the value of the entry `lock`. */
#define RC_FINALITY_LOCK_SIZE (4 + 32 + 32 + 64)

struct rc_coinbase {
	uint32_t height;
	const uint8_t *lock;  /* RC_FINALITY_LOCK_SIZE bytes, or NULL */
	struct rc_bytes free; /* the miner's, at most RC_COINBASE_FREE_MAX */
};

/* Strict; views into payload. */
bool rc_coinbase_decode(struct rc_bytes payload, struct rc_coinbase *ret_coinbase);
void rc_coinbase_encode(const struct rc_coinbase *coinbase, struct rc_buf *buf);

#endif
