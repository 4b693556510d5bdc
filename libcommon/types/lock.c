/* The one parser of locks, and the writers of each kind. */
#include "types/lock.h"

#include <assert.h>

#include "crypto/sha256.h"

void rc_lock_read(struct rc_reader *r, struct rc_lock *ret_lock)
{
	const uint8_t *start = r->p;
	uint8_t kind = rc_read_u8(r);
	uint64_t n;

	switch (kind) {
	case RC_LOCK_KEY:
	case RC_LOCK_PEG:
		rc_read_bytes(r, 32);
		break;
	case RC_LOCK_BOND:
		rc_read_bytes(r, 1 + 32);
		break;
	case RC_LOCK_DATA:
		n = rc_read_cs(r);
		if (n > RC_LOCK_DATA_MAX)
			r->failed = true;
		else
			rc_read_bytes(r, (size_t)n);
		break;
	default:
		r->failed = true;
	}
	*ret_lock = (struct rc_lock){0};
	if (!r->failed)
		*ret_lock = (struct rc_lock){start, (uint16_t)(r->p - start), kind};
}

bool rc_lock_decode(const void *data, size_t len, struct rc_lock *ret_lock)
{
	struct rc_reader r = rc_reader_of(data, len);
	struct rc_lock lock;

	rc_lock_read(&r, &lock);
	if (!rc_reader_end(&r))
		return false;
	*ret_lock = lock;
	return true;
}

struct rc_bytes rc_lock_data(const struct rc_lock *lock)
{
	struct rc_reader r = rc_reader_of(lock->data + 1, lock->len - 1u);
	size_t n = (size_t)rc_read_cs(&r);

	assert(lock->kind == RC_LOCK_DATA);
	return (struct rc_bytes){r.p, n};
}

void rc_lock_key_encode(const uint8_t output_key[32], uint8_t ret_lock[RC_LOCK_KEY_SIZE])
{
	ret_lock[0] = RC_LOCK_KEY;
	memcpy(ret_lock + 1, output_key, 32);
}

void rc_lock_bond_encode(enum rc_bond_purpose purpose, const uint8_t owner_key[32],
			 uint8_t ret_lock[RC_LOCK_BOND_SIZE])
{
	ret_lock[0] = RC_LOCK_BOND;
	ret_lock[1] = (uint8_t)purpose;
	memcpy(ret_lock + 2, owner_key, 32);
}

void rc_lock_data_put(struct rc_buf *buf, const void *data, size_t len)
{
	assert(len <= RC_LOCK_DATA_MAX);
	rc_buf_put_u8(buf, RC_LOCK_DATA);
	rc_buf_put_cs(buf, len);
	rc_buf_put(buf, data, len);
}

void rc_lock_hash(const void *lock, size_t len, struct rc_hash *ret_hash)
{
	rc_sha256(lock, len, ret_hash->b);
}
