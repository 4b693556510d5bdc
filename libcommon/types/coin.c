/* The coin's two encodings: key and value in the state. */
#include "types/coin.h"

#include <assert.h>

void rc_coin_init(struct rc_coin *coin, rc_amount amount, uint32_t height, bool coinbase,
		  const struct rc_lock *lock)
{
	assert(rc_lock_makes_coin(lock) && lock->len <= RC_LOCK_COIN_MAX);
	coin->amount = amount;
	coin->height = height;
	coin->coinbase = coinbase;
	coin->lock_len = (uint8_t)lock->len;
	memset(coin->lock, 0, sizeof(coin->lock));
	memcpy(coin->lock, lock->data, lock->len);
}

size_t rc_coin_value_encode(const struct rc_coin *coin, uint8_t ret_value[RC_COIN_VALUE_MAX])
{
	rc_put_le64(ret_value, coin->amount);
	rc_put_le32(ret_value + 8, coin->height);
	ret_value[12] = coin->coinbase;
	memcpy(ret_value + 13, coin->lock, coin->lock_len);
	return 13u + coin->lock_len;
}

void rc_coin_read(struct rc_reader *r, struct rc_coin *ret_coin)
{
	uint64_t amount = rc_read_le64(r);
	uint32_t height = rc_read_le32(r);
	uint8_t coinbase = rc_read_u8(r);
	struct rc_lock lock;

	rc_lock_read(r, &lock);
	if (!rc_lock_makes_coin(&lock) || coinbase > 1 || !rc_amount_valid(amount))
		r->failed = true;
	if (!r->failed)
		rc_coin_init(ret_coin, amount, height, coinbase, &lock);
}

bool rc_coin_value_decode(const void *value, size_t len, struct rc_coin *ret_coin)
{
	struct rc_reader r = rc_reader_of(value, len);
	struct rc_coin coin;

	rc_coin_read(&r, &coin);
	if (!rc_reader_end(&r))
		return false;
	*ret_coin = coin;
	return true;
}

void rc_coin_key_encode(const struct rc_coin *coin, const struct rc_outpoint *outpoint,
			uint8_t ret_key[RC_COIN_KEY_SIZE])
{
	rc_sha256(coin->lock, coin->lock_len, ret_key);
	rc_outpoint_key_encode(outpoint, ret_key + 32);
}
