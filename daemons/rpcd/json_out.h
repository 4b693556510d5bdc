/*
 * Writes JSON straight into a buffer: an answer is never built as a tree first. Amounts and ids go
 * out in the one form people see. key is NULL inside an array and at the top; else a word of the
 * program's own, written as it is: a name from outside goes through out_text_named.
 */
#ifndef RPCD_JSON_OUT_H
#define RPCD_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "types/amount.h"

struct json_out {
	struct rc_buf *buf;
	bool comma; /* a value stands before the next one */
};

static inline struct json_out json_out_to(struct rc_buf *buf)
{
	return (struct json_out){buf, false};
}

/* The comma and the key that stand before a value. A block in full has 70,000 of them: inlined, a
 * key is a few stores of constants. */
static inline __attribute__((always_inline)) void out_key(struct json_out *out, const char *key)
{
	size_t n = key ? strlen(key) : 0;
	char *p = (char *)rc_buf_reserve(out->buf, n + 4);

	if (out->comma)
		*p++ = ',';
	out->comma = true;
	if (key) {
		*p++ = '"';
		memcpy(p, key, n);
		p += n;
		*p++ = '"';
		*p++ = ':';
	}
	out->buf->len = (size_t)(p - (char *)out->buf->data);
}

static inline void out_object(struct json_out *out, const char *key)
{
	out_key(out, key);
	rc_buf_put_u8(out->buf, '{');
	out->comma = false;
}

static inline void out_object_end(struct json_out *out)
{
	rc_buf_put_u8(out->buf, '}');
	out->comma = true;
}

static inline void out_array(struct json_out *out, const char *key)
{
	out_key(out, key);
	rc_buf_put_u8(out->buf, '[');
	out->comma = false;
}

static inline void out_array_end(struct json_out *out)
{
	rc_buf_put_u8(out->buf, ']');
	out->comma = true;
}

/* Values alone, after out_key. */
void out_put_uint(struct json_out *out, uint64_t value);
void out_put_int(struct json_out *out, int64_t value);
void out_put_text(struct json_out *out, const char *text);
void out_put_hex(struct json_out *out, const void *data, size_t len);
void out_put_id(struct json_out *out, const uint8_t id[32]);
void out_put_amount(struct json_out *out, rc_amount amount);

static inline void out_uint(struct json_out *out, const char *key, uint64_t value)
{
	out_key(out, key);
	out_put_uint(out, value);
}

static inline void out_int(struct json_out *out, const char *key, int64_t value)
{
	out_key(out, key);
	out_put_int(out, value);
}

/* JSON that is made already. */
static inline void out_raw(struct json_out *out, const char *key, const char *json, size_t len)
{
	out_key(out, key);
	rc_buf_put(out->buf, json, len);
}

static inline void out_bool(struct json_out *out, const char *key, bool value)
{
	out_raw(out, key, value ? "true" : "false", value ? 4 : 5);
}

static inline void out_null(struct json_out *out, const char *key)
{
	out_raw(out, key, "null", 4);
}

/* Escaped; bytes that aren't UTF-8 become U+FFFD. NULL is written as null. */
static inline void out_text(struct json_out *out, const char *key, const char *text)
{
	out_key(out, key);
	out_put_text(out, text);
}

/* Text that needs no escape, an address say. */
static inline void out_plain(struct json_out *out, const char *key, const char *text, size_t len)
{
	char *p;

	out_key(out, key);
	p = (char *)rc_buf_add(out->buf, len + 2);
	p[0] = '"';
	memcpy(p + 1, text, len);
	p[len + 1] = '"';
}

/* As out_text, under a name that isn't the program's own: it is escaped, too. */
void out_text_named(struct json_out *out, const char *name, const char *text);
void out_textf(struct json_out *out, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Lower-case digits, as the bytes stand; and byte-reversed, for ids. */
static inline void out_hex(struct json_out *out, const char *key, const void *data, size_t len)
{
	out_key(out, key);
	out_put_hex(out, data, len);
}

static inline void out_id(struct json_out *out, const char *key, const uint8_t id[32])
{
	out_key(out, key);
	out_put_id(out, id);
}

/* "KEY": "1.00000000", "KEY_oxides": 100000000 */
static inline __attribute__((always_inline)) void out_amount(struct json_out *out, const char *key,
							     rc_amount amount)
{
	size_t n = strlen(key);
	char *p;

	out_key(out, key);
	out_put_amount(out, amount);
	p = (char *)rc_buf_add(out->buf, n + 11);
	memcpy(p, ",\"", 2);
	memcpy(p + 2, key, n);
	memcpy(p + 2 + n, "_oxides\":", 9);
	out_put_uint(out, amount);
}

#endif
