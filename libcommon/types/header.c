/* The header's 118 bytes, and ids by the thousand. */
#include "types/header.h"

#include "base/num.h"

void rc_header_encode(const struct rc_header *header, uint8_t ret_raw[RC_HEADER_SIZE])
{
	rc_put_le16(ret_raw, header->version);
	rc_put_le32(ret_raw + 2, header->height);
	memcpy(ret_raw + 6, header->prev.b, 32);
	memcpy(ret_raw + 38, header->tx_root.b, 32);
	memcpy(ret_raw + 70, header->state_root.b, 32);
	rc_put_le32(ret_raw + RC_HEADER_TIME_AT, header->time);
	rc_put_le32(ret_raw + RC_HEADER_TIME_AT + 4, header->bits);
	rc_put_le64(ret_raw + RC_HEADER_NONCE_AT, header->nonce);
}

void rc_header_decode(const uint8_t raw[RC_HEADER_SIZE], struct rc_header *ret_header)
{
	ret_header->version = rc_get_le16(raw);
	ret_header->height = rc_get_le32(raw + 2);
	memcpy(ret_header->prev.b, raw + 6, 32);
	memcpy(ret_header->tx_root.b, raw + 38, 32);
	memcpy(ret_header->state_root.b, raw + 70, 32);
	ret_header->time = rc_get_le32(raw + RC_HEADER_TIME_AT);
	ret_header->bits = rc_get_le32(raw + RC_HEADER_TIME_AT + 4);
	ret_header->nonce = rc_get_le64(raw + RC_HEADER_NONCE_AT);
}

void rc_header_id(const uint8_t raw[RC_HEADER_SIZE], struct rc_block_id *ret_id)
{
	rc_sha256d(raw, RC_HEADER_SIZE, ret_id->b);
}

void rc_header_id_many(const uint8_t *raw, size_t n, struct rc_block_id *ret_ids)
{
	enum { BATCH = 64 };
	uint8_t once[BATCH * 32];

	while (n > 0) {
		size_t now = n < BATCH ? n : BATCH;

		rc_sha256_many(raw, RC_HEADER_SIZE, RC_HEADER_SIZE, now, once);
		rc_sha256_many(once, 32, 32, now, ret_ids->b);
		raw += now * RC_HEADER_SIZE;
		ret_ids += now;
		n -= now;
	}
}
