/* By table: hex of whole blocks goes through here. */
#include "base/hex.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char digits[] = "0123456789abcdef";

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

char *rc_hex_encode(char *dst, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		dst[2 * i] = digits[p[i] >> 4];
		dst[2 * i + 1] = digits[p[i] & 15];
	}
	dst[2 * len] = 0;
	return dst;
}

char *rc_hex_encode_reversed(char *dst, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		dst[2 * i] = digits[p[len - 1 - i] >> 4];
		dst[2 * i + 1] = digits[p[len - 1 - i] & 15];
	}
	dst[2 * len] = 0;
	return dst;
}

static bool all_digits(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (digit_value(text[i]) < 0)
			return false;
	return true;
}

static void decode_checked(const char *text, uint8_t *dst, size_t len)
{
	for (size_t i = 0; i < len; i++)
		dst[i] = (uint8_t)(digit_value(text[2 * i]) << 4 | digit_value(text[2 * i + 1]));
}

bool rc_hex_decode(const char *text, void *dst, size_t len)
{
	if (strlen(text) != 2 * len || !all_digits(text, 2 * len))
		return false;
	decode_checked(text, dst, len);
	return true;
}

bool rc_hex_decode_reversed(const char *text, void *dst, size_t len)
{
	uint8_t *p = dst;

	if (!rc_hex_decode(text, dst, len))
		return false;
	for (size_t i = 0; i < len / 2; i++) {
		uint8_t t = p[i];

		p[i] = p[len - 1 - i];
		p[len - 1 - i] = t;
	}
	return true;
}

bool rc_hex_decode_alloc(const char *text, size_t text_len, uint8_t **ret_data, size_t *ret_len)
{
	uint8_t *data;

	if (text_len % 2 || !all_digits(text, text_len))
		return false;
	data = rc_alloc(text_len / 2);
	decode_checked(text, data, text_len / 2);
	*ret_data = data;
	*ret_len = text_len / 2;
	return true;
}
