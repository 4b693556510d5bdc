/* JSON text, one value after another: escapes, hex and amounts without a detour. */
#include "daemons/rpcd/json_out.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

static void put_text(struct rc_buf *buf, const char *text);

/* The comma and the key that stand before a value. */
static void before(struct json_out *out, const char *key)
{
	if (out->comma)
		rc_buf_put_u8(out->buf, ',');
	out->comma = true;
	if (key) {
		put_text(out->buf, key);
		rc_buf_put_u8(out->buf, ':');
	}
}

static void open_with(struct json_out *out, const char *key, char bracket)
{
	before(out, key);
	rc_buf_put_u8(out->buf, (uint8_t)bracket);
	out->comma = false;
}

static void close_with(struct json_out *out, char bracket)
{
	rc_buf_put_u8(out->buf, (uint8_t)bracket);
	out->comma = true;
}

void out_object(struct json_out *out, const char *key)
{
	open_with(out, key, '{');
}

void out_object_end(struct json_out *out)
{
	close_with(out, '}');
}

void out_array(struct json_out *out, const char *key)
{
	open_with(out, key, '[');
}

void out_array_end(struct json_out *out)
{
	close_with(out, ']');
}

void out_uint(struct json_out *out, const char *key, uint64_t value)
{
	char digits[20], *p = digits + sizeof(digits);

	before(out, key);
	do {
		*--p = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	rc_buf_put(out->buf, p, (size_t)(digits + sizeof(digits) - p));
}

void out_int(struct json_out *out, const char *key, int64_t value)
{
	if (value >= 0) {
		out_uint(out, key, (uint64_t)value);
		return;
	}
	before(out, key);
	rc_buf_printf(out->buf, "%lld", (long long)value);
}

void out_raw(struct json_out *out, const char *key, const char *json, size_t len)
{
	before(out, key);
	rc_buf_put(out->buf, json, len);
}

void out_bool(struct json_out *out, const char *key, bool value)
{
	out_raw(out, key, value ? "true" : "false", value ? 4 : 5);
}

void out_null(struct json_out *out, const char *key)
{
	out_raw(out, key, "null", 4);
}

/* Bytes of the UTF-8 character at p; 0 if it isn't one (RFC 3629). */
static size_t utf8_len(const uint8_t *p)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (p[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static void put_text(struct rc_buf *buf, const char *text)
{
	const uint8_t *p = (const uint8_t *)text;

	rc_buf_put_u8(buf, '"');
	while (*p) {
		size_t n = utf8_len(p);

		if (!n) {
			rc_buf_put(buf, "\xef\xbf\xbd", 3);
			p++;
		} else if (*p == '"' || *p == '\\') {
			rc_buf_put_u8(buf, '\\');
			rc_buf_put_u8(buf, *p++);
		} else if (*p == '\n') {
			rc_buf_put(buf, "\\n", 2);
			p++;
		} else if (*p < 0x20 || *p == 0x7f) {
			rc_buf_printf(buf, "\\u%04x", *p++);
		} else {
			rc_buf_put(buf, p, n);
			p += n;
		}
	}
	rc_buf_put_u8(buf, '"');
}

void out_text(struct json_out *out, const char *key, const char *text)
{
	if (!text) {
		out_null(out, key);
		return;
	}
	before(out, key);
	put_text(out->buf, text);
}

void out_textf(struct json_out *out, const char *key, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	out_text(out, key, text);
	free(text);
}

void out_hex(struct json_out *out, const char *key, const void *data, size_t len)
{
	char *p;

	before(out, key);
	rc_buf_put_u8(out->buf, '"');
	p = (char *)rc_buf_reserve(out->buf, 2 * len + 1);
	rc_hex_encode(p, data, len);
	out->buf->len += 2 * len;
	rc_buf_put_u8(out->buf, '"');
}

void out_id(struct json_out *out, const char *key, const uint8_t id[32])
{
	char hex[65];

	rc_hex_encode_reversed(hex, id, 32);
	before(out, key);
	rc_buf_put_u8(out->buf, '"');
	rc_buf_put(out->buf, hex, 64);
	rc_buf_put_u8(out->buf, '"');
}

void out_amount(struct json_out *out, const char *key, rc_amount amount)
{
	char text[RC_AMOUNT_TEXT], oxides[64];

	out_text(out, key, rc_amount_format(text, amount));
	snprintf(oxides, sizeof(oxides), "%s_oxides", key);
	out_uint(out, oxides, amount);
}
