/*
 * A bounded reader of outside bytes. It can't run past its end: the first read that would, or a
 * count that can't fit, marks it failed, and every later read gives zeros. A parser reads on and
 * asks once at the end (rc_reader_end), so no step can forget a check.
 */
#ifndef RC_BASE_READER_H
#define RC_BASE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/num.h"

struct rc_reader {
	const uint8_t *p;
	const uint8_t *end;
	bool failed;
};

static inline struct rc_reader rc_reader_of(const void *data, size_t len)
{
	const uint8_t *p = data;

	/* Of an empty buffer p is NULL, to which C adds nothing, not even 0. */
	return (struct rc_reader){p, len ? p + len : p, false};
}

static inline size_t rc_reader_left(const struct rc_reader *r)
{
	return (size_t)(r->end - r->p);
}

/* len bytes of the input, or NULL when there are fewer. */
static inline const uint8_t *rc_read_bytes(struct rc_reader *r, size_t len)
{
	const uint8_t *p = r->p;

	if (r->failed || rc_reader_left(r) < len) {
		r->failed = true;
		return NULL;
	}
	r->p += len;
	return p;
}

/* Copies len bytes to dst; zeros on failure. */
static inline void rc_read_into(struct rc_reader *r, void *dst, size_t len)
{
	const uint8_t *p = rc_read_bytes(r, len);

	if (p)
		memcpy(dst, p, len);
	else
		memset(dst, 0, len);
}

static inline uint8_t rc_read_u8(struct rc_reader *r)
{
	const uint8_t *p = rc_read_bytes(r, 1);

	return p ? *p : 0;
}

static inline uint16_t rc_read_le16(struct rc_reader *r)
{
	const uint8_t *p = rc_read_bytes(r, 2);

	return p ? rc_get_le16(p) : 0;
}

static inline uint32_t rc_read_le32(struct rc_reader *r)
{
	const uint8_t *p = rc_read_bytes(r, 4);

	return p ? rc_get_le32(p) : 0;
}

static inline uint64_t rc_read_le64(struct rc_reader *r)
{
	const uint8_t *p = rc_read_bytes(r, 8);

	return p ? rc_get_le64(p) : 0;
}

/* Compact size (20-consensus, "Conventions"): only the shortest form is accepted. */
static inline uint64_t rc_read_cs(struct rc_reader *r)
{
	uint8_t first = rc_read_u8(r);
	uint64_t v, least;

	if (first <= 252)
		return first;
	if (first == 0xfd) {
		v = rc_read_le16(r);
		least = 253;
	} else if (first == 0xfe) {
		v = rc_read_le32(r);
		least = (uint64_t)UINT16_MAX + 1;
	} else {
		v = rc_read_le64(r);
		least = (uint64_t)UINT32_MAX + 1;
	}
	if (v < least)
		r->failed = true;
	return r->failed ? 0 : v;
}

/* A count of elements of at least least_size bytes each: refused, before memory is taken, when so
 * many can't be left. */
static inline size_t rc_read_count(struct rc_reader *r, size_t least_size)
{
	uint64_t n = rc_read_cs(r);

	if (r->failed || n > rc_reader_left(r) / least_size) {
		r->failed = true;
		return 0;
	}
	return (size_t)n;
}

/* True when nothing failed and nothing is left over: the only good end of a strict parse. */
static inline bool rc_reader_end(const struct rc_reader *r)
{
	return !r->failed && r->p == r->end;
}

#endif
