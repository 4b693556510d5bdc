/* A coin: an unspent output of kind KEY or BOND, as the state holds it (30-state, "Entries"). */
#ifndef RC_TYPES_COIN_H
#define RC_TYPES_COIN_H

#include "types/amount.h"
#include "types/lock.h"
#include "types/outpoint.h"

struct rc_coin {
	rc_amount amount;
	uint32_t height;  /* of the block that made it */
	uint8_t coinbase; /* 1 for an output of a coinbase, else 0 */
	uint8_t lock_len;
	uint8_t lock[RC_LOCK_COIN_MAX]; /* whole encoding; bytes after lock_len are zero */
};

/* Value in the state: amount u64, height u32, coinbase u8, lock. */
#define RC_COIN_VALUE_LEAST (8 + 4 + 1 + RC_LOCK_KEY_SIZE)
#define RC_COIN_VALUE_MAX   (8 + 4 + 1 + RC_LOCK_COIN_MAX)
/* Key in the state: SHA256(lock) 32, txid 32, index u32 big-endian. */
#define RC_COIN_KEY_SIZE 68

/* Makes a coin of an output; the lock must be one that makes a coin. */
void rc_coin_init(struct rc_coin *coin, rc_amount amount, uint32_t height, bool coinbase,
		  const struct rc_lock *lock);

/* Returns the length. */
size_t rc_coin_value_encode(const struct rc_coin *coin, uint8_t ret_value[RC_COIN_VALUE_MAX]);
/* Strict: amount in range, coinbase 0 or 1, one KEY or BOND lock, nothing left over. */
bool rc_coin_value_decode(const void *value, size_t len, struct rc_coin *ret_coin);

/* Reads one value of a stream, as strictly; marks the reader failed, *ret_coin untouched, if there
 * is none. */
void rc_coin_read(struct rc_reader *r, struct rc_coin *ret_coin);

void rc_coin_key_encode(const struct rc_coin *coin, const struct rc_outpoint *outpoint,
			uint8_t ret_key[RC_COIN_KEY_SIZE]);

static inline struct rc_lock rc_coin_lock(const struct rc_coin *coin)
{
	return (struct rc_lock){coin->lock, coin->lock_len, coin->lock[0]};
}

#endif
