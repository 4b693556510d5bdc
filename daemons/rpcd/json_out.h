/*
 * Writes JSON straight into a buffer: an answer is never built as a tree first. Amounts and ids go
 * out in the one form people see. key is NULL inside an array and at the top.
 */
#ifndef RPCD_JSON_OUT_H
#define RPCD_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>

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

void out_object(struct json_out *out, const char *key);
void out_object_end(struct json_out *out);
void out_array(struct json_out *out, const char *key);
void out_array_end(struct json_out *out);

void out_uint(struct json_out *out, const char *key, uint64_t value);
void out_int(struct json_out *out, const char *key, int64_t value);
void out_bool(struct json_out *out, const char *key, bool value);
void out_null(struct json_out *out, const char *key);
/* Escaped; bytes that aren't UTF-8 become U+FFFD. NULL is written as null. */
void out_text(struct json_out *out, const char *key, const char *text);
void out_textf(struct json_out *out, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Lower-case digits, as the bytes stand; and byte-reversed, for ids. */
void out_hex(struct json_out *out, const char *key, const void *data, size_t len);
void out_id(struct json_out *out, const char *key, const uint8_t id[32]);
/* "KEY": "1.00000000", "KEY_oxides": 100000000 */
void out_amount(struct json_out *out, const char *key, rc_amount amount);
/* JSON that is made already. */
void out_raw(struct json_out *out, const char *key, const char *json, size_t len);

#endif
