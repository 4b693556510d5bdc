/* Base64, the canonical form only: one text for one value, so that nothing has two spellings. */
#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *rc_base64_encode(char *dst, const void *data, size_t len)
{
	const uint8_t *p = data;
	char *out = dst;

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t v = (uint32_t)p[i] << 16;

		if (left > 1)
			v |= (uint32_t)p[i + 1] << 8;
		if (left > 2)
			v |= p[i + 2];
		*out++ = digits[v >> 18];
		*out++ = digits[v >> 12 & 63];
		*out++ = left > 1 ? digits[v >> 6 & 63] : '=';
		*out++ = left > 2 ? digits[v & 63] : '=';
	}
	*out = '\0';
	return dst;
}

static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

bool rc_base64_decode(const char *text, size_t text_len, uint8_t *dst, size_t max, size_t *ret_len)
{
	size_t n = 0;

	if (text_len % 4)
		return false;
	for (size_t i = 0; i < text_len; i += 4) {
		bool last = i + 4 == text_len;
		size_t pad = 0;
		uint32_t v = 0;

		if (last && text[i + 3] == '=')
			pad = text[i + 2] == '=' ? 2 : 1;
		for (size_t j = 0; j < 4; j++) {
			int d = j >= 4 - pad ? 0 : digit_value(text[i + j]);

			if (d < 0)
				return false;
			v = v << 6 | (uint32_t)d;
		}
		/* Bits that the padding leaves unused are zero. */
		if ((pad == 1 && v & 0xff) || (pad == 2 && v & 0xffff) || n + 3 - pad > max)
			return false;
		for (size_t j = 0; j < 3 - pad; j++)
			dst[n++] = (uint8_t)(v >> (16 - 8 * j));
	}
	*ret_len = n;
	return true;
}
