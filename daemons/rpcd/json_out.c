/* JSON text, one value after another: escapes, hex and amounts without a detour. */
#include "daemons/rpcd/json_out.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/hex.h"

void out_put_uint(struct json_out *out, uint64_t value)
{
	char *p = (char *)rc_buf_reserve(out->buf, RC_DECIMAL_MAX);

	out->buf->len += (size_t)(rc_decimal(p, value) - p);
}

void out_put_int(struct json_out *out, int64_t value)
{
	if (value < 0)
		rc_buf_put_u8(out->buf, '-');
	out_put_uint(out, value < 0 ? -(uint64_t)value : (uint64_t)value);
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

/* Bytes from p on that stand for themselves. */
static size_t plain_len(const uint8_t *p)
{
	size_t n = 0;

	while (p[n] >= 0x20 && p[n] < 0x7f && p[n] != '"' && p[n] != '\\')
		n++;
	return n;
}

static void put_text(struct rc_buf *buf, const char *text)
{
	const uint8_t *p = (const uint8_t *)text;

	rc_buf_put_u8(buf, '"');
	for (;;) {
		size_t n = plain_len(p);

		rc_buf_put(buf, p, n);
		p += n;
		if (!*p)
			break;
		n = utf8_len(p);
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

void out_put_text(struct json_out *out, const char *text)
{
	if (text)
		put_text(out->buf, text);
	else
		rc_buf_put(out->buf, "null", 4);
}

void out_text_named(struct json_out *out, const char *name, const char *text)
{
	out_key(out, NULL);
	put_text(out->buf, name);
	rc_buf_put_u8(out->buf, ':');
	out_put_text(out, text);
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

void out_put_hex(struct json_out *out, const void *data, size_t len)
{
	/* The terminator's room is the closing quote's. */
	char *p = (char *)rc_buf_add(out->buf, 2 * len + 2);

	p[0] = '"';
	rc_hex_encode(p + 1, data, len);
	p[1 + 2 * len] = '"';
}

void out_put_id(struct json_out *out, const uint8_t id[32])
{
	char *p = (char *)rc_buf_add(out->buf, 66);

	p[0] = '"';
	rc_hex_encode_reversed(p + 1, id, 32);
	p[65] = '"';
}

void out_put_amount(struct json_out *out, rc_amount amount)
{
	char *p = (char *)rc_buf_reserve(out->buf, RC_AMOUNT_TEXT + 2);

	p[0] = '"';
	rc_amount_format(p + 1, amount);
	p = strchr(p + 1, '\0');
	*p++ = '"';
	out->buf->len = (size_t)(p - (char *)out->buf->data);
}
