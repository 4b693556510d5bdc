/* A lock, and a coin's value that holds one: strict, and one encoding each. */
#include <stdint.h>
#include <string.h>

#include "types/coin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t value[RC_COIN_VALUE_MAX];
	struct rc_lock lock;
	struct rc_coin coin;

	if (rc_lock_decode(data, size, &lock)) {
		if (lock.len != size || lock.data != data)
			__builtin_trap();
		if (lock.kind == RC_LOCK_DATA) {
			if (rc_lock_data(&lock).len > RC_LOCK_DATA_MAX)
				__builtin_trap();
		} else if (rc_lock_key(&lock) + 32 != data + size) {
			__builtin_trap();
		}
	}
	if (rc_coin_value_decode(data, size, &coin) &&
	    (rc_coin_value_encode(&coin, value) != size || memcmp(value, data, size) != 0))
		__builtin_trap();
	return 0;
}
