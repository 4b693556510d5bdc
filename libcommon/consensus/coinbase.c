/* height u32 | lock u8 [132 bytes] | free u8 n, n bytes. */
#include "consensus/coinbase.h"

#include <assert.h>

#include "base/reader.h"

bool rc_coinbase_decode(struct rc_bytes payload, struct rc_coinbase *ret_coinbase)
{
	struct rc_reader r = rc_reader_of(payload.data, payload.len);
	struct rc_coinbase c = {.height = rc_read_le32(&r)};
	uint8_t has_lock = rc_read_u8(&r);

	if (has_lock > 1)
		return false;
	if (has_lock)
		c.lock = rc_read_bytes(&r, RC_FINALITY_LOCK_SIZE);
	c.free.len = rc_read_u8(&r);
	c.free.data = rc_read_bytes(&r, c.free.len);
	if (!rc_reader_end(&r) || c.free.len > RC_COINBASE_FREE_MAX)
		return false;
	*ret_coinbase = c;
	return true;
}

void rc_coinbase_encode(const struct rc_coinbase *coinbase, struct rc_buf *buf)
{
	assert(coinbase->free.len <= RC_COINBASE_FREE_MAX);
	rc_buf_put_le32(buf, coinbase->height);
	rc_buf_put_u8(buf, coinbase->lock != NULL);
	if (coinbase->lock)
		rc_buf_put(buf, coinbase->lock, RC_FINALITY_LOCK_SIZE);
	rc_buf_put_u8(buf, (uint8_t)coinbase->free.len);
	rc_buf_put(buf, coinbase->free.data, coinbase->free.len);
}
