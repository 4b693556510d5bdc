/* Growing by doubling, so that n puts cost O(n); what is asked for at once is taken as it is: twice
 * of a large piece would be memory that nobody writes to. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

void rc_buf_done(struct rc_buf *buf)
{
	free(buf->data);
	*buf = RC_BUF_INIT;
}

void rc_buf_clear(struct rc_buf *buf)
{
	buf->len = 0;
}

uint8_t *rc_buf_grow(struct rc_buf *buf, size_t more)
{
	size_t want = buf->len + more;
	size_t cap = buf->cap ? 2 * buf->cap : 64;

	if (cap < want)
		cap = want;
	buf->data = rc_realloc_array(buf->data, cap, 1);
	buf->cap = cap;
	return buf->data + buf->len;
}

void rc_buf_put(struct rc_buf *buf, const void *data, size_t len)
{
	if (len)
		memcpy(rc_buf_add(buf, len), data, len);
}

void rc_buf_put_le16(struct rc_buf *buf, uint16_t v)
{
	rc_put_le16(rc_buf_add(buf, 2), v);
}

void rc_buf_put_le32(struct rc_buf *buf, uint32_t v)
{
	rc_put_le32(rc_buf_add(buf, 4), v);
}

void rc_buf_put_le64(struct rc_buf *buf, uint64_t v)
{
	rc_put_le64(rc_buf_add(buf, 8), v);
}

void rc_buf_put_be32(struct rc_buf *buf, uint32_t v)
{
	rc_put_be32(rc_buf_add(buf, 4), v);
}

void rc_buf_put_cs(struct rc_buf *buf, uint64_t v)
{
	if (v <= 252) {
		rc_buf_put_u8(buf, (uint8_t)v);
	} else if (v <= UINT16_MAX) {
		rc_buf_put_u8(buf, 0xfd);
		rc_buf_put_le16(buf, (uint16_t)v);
	} else if (v <= UINT32_MAX) {
		rc_buf_put_u8(buf, 0xfe);
		rc_buf_put_le32(buf, (uint32_t)v);
	} else {
		rc_buf_put_u8(buf, 0xff);
		rc_buf_put_le64(buf, v);
	}
}

void rc_buf_printf(struct rc_buf *buf, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n > 0) {
		vsnprintf((char *)rc_buf_reserve(buf, (size_t)n + 1), (size_t)n + 1, fmt, again);
		buf->len += (size_t)n;
	}
	va_end(again);
}

uint8_t *rc_buf_take(struct rc_buf *buf, size_t *ret_len)
{
	uint8_t *data;

	*rc_buf_reserve(buf, 1) = 0;
	data = buf->data;
	if (ret_len)
		*ret_len = buf->len;
	*buf = RC_BUF_INIT;
	return data;
}
