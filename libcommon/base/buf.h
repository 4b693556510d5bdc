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
/* Room for more bytes; returns where they go. The length doesn't change. */
uint8_t *rc_buf_reserve(struct rc_buf *buf, size_t more);
/* Grows the length by more and returns the new bytes, not initialised. */
uint8_t *rc_buf_add(struct rc_buf *buf, size_t more);
void rc_buf_put(struct rc_buf *buf, const void *data, size_t len);
void rc_buf_put_u8(struct rc_buf *buf, uint8_t v);
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
