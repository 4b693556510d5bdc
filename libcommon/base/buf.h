/* A growing byte buffer: what every encoder writes into. */
#ifndef RC_BASE_BUF_H
#define RC_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct rc_buf {
	uint8_t *data;
	size_t len;
	size_t cap;
};

#define RC_BUF_INIT ((struct rc_buf){0})

void rc_buf_done(struct rc_buf *buf);
void rc_buf_clear(struct rc_buf *buf);
/* For rc_buf_reserve: more bytes than there is room for. */
uint8_t *rc_buf_grow(struct rc_buf *buf, size_t more);
/* Room for more bytes; returns where they go. The length doesn't change. */
static inline uint8_t *rc_buf_reserve(struct rc_buf *buf, size_t more)
{
	/* The short way is here: encoders put a few bytes at a time, millions of times. */
	return more <= buf->cap - buf->len ? buf->data + buf->len : rc_buf_grow(buf, more);
}
/* Grows the length by more and returns the new bytes, not initialised. */
static inline uint8_t *rc_buf_add(struct rc_buf *buf, size_t more)
{
	uint8_t *p = rc_buf_reserve(buf, more);

	buf->len += more;
	return p;
}
void rc_buf_put(struct rc_buf *buf, const void *data, size_t len);
static inline void rc_buf_put_u8(struct rc_buf *buf, uint8_t v)
{
	*rc_buf_add(buf, 1) = v;
}
void rc_buf_put_le16(struct rc_buf *buf, uint16_t v);
void rc_buf_put_le32(struct rc_buf *buf, uint32_t v);
void rc_buf_put_le64(struct rc_buf *buf, uint64_t v);
void rc_buf_put_be32(struct rc_buf *buf, uint32_t v);
/* Compact size (20-consensus, "Conventions"), the shortest form. */
void rc_buf_put_cs(struct rc_buf *buf, uint64_t v);
void rc_buf_printf(struct rc_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Takes the bytes out; the caller frees them. A zero byte stands after the last one. */
uint8_t *rc_buf_take(struct rc_buf *buf, size_t *ret_len);

#endif
