/* Fixed-width little- and big-endian numbers, and sums that can't overflow unseen. */
#ifndef RC_BASE_NUM_H
#define RC_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RC_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define RC_MUST_CHECK	__attribute__((warn_unused_result))

static inline uint16_t rc_get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t rc_get_le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t rc_get_le64(const uint8_t *p)
{
	return rc_get_le32(p) | (uint64_t)rc_get_le32(p + 4) << 32;
}

static inline uint32_t rc_get_be32(const uint8_t *p)
{
	return p[3] | (uint32_t)p[2] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[0] << 24;
}

static inline uint64_t rc_get_be64(const uint8_t *p)
{
	return rc_get_be32(p + 4) | (uint64_t)rc_get_be32(p) << 32;
}

static inline void rc_put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void rc_put_le32(uint8_t *p, uint32_t v)
{
	rc_put_le16(p, (uint16_t)v);
	rc_put_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void rc_put_le64(uint8_t *p, uint64_t v)
{
	rc_put_le32(p, (uint32_t)v);
	rc_put_le32(p + 4, (uint32_t)(v >> 32));
}

static inline void rc_put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static inline void rc_put_be64(uint8_t *p, uint64_t v)
{
	rc_put_be32(p, (uint32_t)(v >> 32));
	rc_put_be32(p + 4, (uint32_t)v);
}

/* *ret = a + b; false, and *ret untouched, if that doesn't fit. */
static inline RC_MUST_CHECK bool rc_add_u64(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*ret = sum;
	return true;
}

/* *ret = a * b; false, and *ret untouched, if that doesn't fit. */
static inline RC_MUST_CHECK bool rc_mul_size(size_t a, size_t b, size_t *ret)
{
	size_t product;

	if (__builtin_mul_overflow(a, b, &product))
		return false;
	*ret = product;
	return true;
}

static inline uint64_t rc_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t rc_max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
