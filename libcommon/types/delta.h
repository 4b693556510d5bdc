/*
 * What a block does to the state, self-contained: undo and replication are the same record
 * (30-state, "What utxod answers"). chaind makes it, utxod applies and logs it.
 *
 * delta   = 01 | parent 32 | block id 32 | height u32
 *         | cs spent   { outpoint key 36 | coin value }        keys strictly ascending
 *         | cs created { outpoint key 36 | coin value }        keys strictly ascending
 *         | cs entries { ns u8 | key | flags u8 | [cs bytes before] | [cs bytes after] }
 *                                                              (ns, key) strictly ascending
 * outpoint key: txid 32, index u32 big-endian. coin value: types/coin.h; that of a created coin has
 * the delta's height. ns 2 … 5 with its key length; flags: bit 0 there was a value before, bit 1
 * there is one after, at least one of them, and not the same value twice. No outpoint is in both
 * lists: what a block creates and spends isn't in its delta.
 */
#ifndef RC_TYPES_DELTA_H
#define RC_TYPES_DELTA_H

#include "base/arena.h"
#include "types/coin.h"
#include "types/id.h"

#define RC_STATE_NAMESPACES  8
#define RC_STATE_COINS	     1
#define RC_STATE_MASTERNODES 2
#define RC_STATE_QUORUMS     3
#define RC_STATE_GOVERNANCE  4
#define RC_STATE_SIDECHAINS  5
#define RC_STATE_KEY_MAX     68

/* Bytes of a key in a namespace: 68, 32, 32, 32, 65; 0 for any other number. */
static inline size_t rc_state_key_len(unsigned ns)
{
	static const uint8_t len[] = {0, RC_COIN_KEY_SIZE, 32, 32, 32, 65};

	return ns < sizeof(len) ? len[ns] : 0;
}

struct rc_delta_coin {
	struct rc_outpoint outpoint;
	struct rc_coin coin;
};

struct rc_delta_entry {
	uint8_t ns;
	uint8_t key[65];
	bool has_before;
	bool has_after;
	struct rc_bytes before; /* views */
	struct rc_bytes after;
};

struct rc_delta {
	struct rc_block_id parent;
	struct rc_block_id id;
	uint32_t height;
	uint32_t n_spent;
	uint32_t n_created;
	uint32_t n_entries;
	struct rc_delta_coin *spent;
	struct rc_delta_coin *created;
	struct rc_delta_entry *entries;
};

/* The lists must be sorted as above (rc_connect_block makes them so). */
void rc_delta_encode(const struct rc_delta *delta, struct rc_buf *buf);

/* Strict; arrays are the arena's, values of entries look into data. */
bool rc_delta_decode(const void *data, size_t len, struct rc_arena *arena,
		     struct rc_delta *ret_delta);

/* Parent, id and height alone, without reading the rest. */
bool rc_delta_decode_head(const void *data, size_t len, struct rc_delta *ret_head);

#endif
