/* Sixteen bytes a step: hex of whole blocks goes through here. */
#include "base/hex.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

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

/* The compiler's vectors: of any machine it knows, without a choice at run time. */
#define STEP 16
typedef uint8_t bytes16 __attribute__((vector_size(STEP)));

/* The digits of values below 16: those from 10 on are letters, which stand 39 behind ':'. */
static bytes16 digits_of(bytes16 values)
{
	return values + '0' + ((bytes16)(values > 9) & ('a' - '9' - 1));
}

/* 32 digits of 16 bytes. */
static void encode_step(char *dst, const void *data)
{
	bytes16 bytes, high, low, out;

	memcpy(&bytes, data, STEP);
	high = digits_of(bytes >> 4);
	low = digits_of(bytes & 15);
	out = __builtin_shufflevector(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7,
				      23);
	memcpy(dst, &out, STEP);
	out = __builtin_shufflevector(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14,
				      30, 15, 31);
	memcpy(dst + STEP, &out, STEP);
}

char *rc_hex_encode(char *dst, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t i = 0;

	for (; i + STEP <= len; i += STEP)
		encode_step(dst + 2 * i, p + i);
	for (; i < len; i++) {
		dst[2 * i] = digits[p[i] >> 4];
		dst[2 * i + 1] = digits[p[i] & 15];
	}
	dst[2 * len] = 0;
	return dst;
}

char *rc_hex_encode_reversed(char *dst, const void *data, size_t len)
{
	const uint8_t *end = (const uint8_t *)data + len;
	uint8_t turned[STEP];
	size_t i = 0;

	for (; i + STEP <= len; i += STEP) {
		end -= STEP;
		rc_put_be64(turned, rc_get_le64(end + 8));
		rc_put_be64(turned + 8, rc_get_le64(end));
		encode_step(dst + 2 * i, turned);
	}
	for (; i < len; i++) {
		end--;
		dst[2 * i] = digits[*end >> 4];
		dst[2 * i + 1] = digits[*end & 15];
	}
	dst[2 * len] = 0;
	return dst;
}

/* The values of 16 digits; bad gets bits where one is none. */
static bytes16 values_of(const char *text, bytes16 *bad)
{
	bytes16 c, number, letter, is_number, is_letter;

	memcpy(&c, text, STEP);
	number = c - '0';
	letter = (c | 32) - 'a';
	is_number = (bytes16)(number < 10);
	is_letter = (bytes16)(letter < 6);
	*bad |= ~(is_number | is_letter);
	return (number & is_number) | ((letter + 10) & is_letter);
}

bool rc_hex_is(const char *text, size_t n)
{
	static const bytes16 none;
	bytes16 bad = none;
	size_t i = 0;

	for (; i + STEP <= n; i += STEP)
		values_of(text + i, &bad);
	if (memcmp(&bad, &none, STEP) != 0)
		return false;
	for (; i < n; i++)
		if (digit_value(text[i]) < 0)
			return false;
	return true;
}

static void decode_checked(const char *text, uint8_t *dst, size_t len)
{
	bytes16 bad = {0}, first, second, out;
	size_t i = 0;

	for (; i + STEP <= len; i += STEP) {
		first = values_of(text + 2 * i, &bad);
		second = values_of(text + 2 * i + STEP, &bad);
		out = __builtin_shufflevector(first, second, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20,
					      22, 24, 26, 28, 30)
		      << 4;
		out |= __builtin_shufflevector(first, second, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21,
					       23, 25, 27, 29, 31);
		memcpy(dst + i, &out, STEP);
	}
	for (; i < len; i++)
		dst[i] = (uint8_t)(digit_value(text[2 * i]) << 4 | digit_value(text[2 * i + 1]));
}

bool rc_hex_decode(const char *text, void *dst, size_t len)
{
	if (strlen(text) != 2 * len || !rc_hex_is(text, 2 * len))
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

	if (text_len % 2 || !rc_hex_is(text, text_len))
		return false;
	data = rc_alloc(text_len / 2);
	decode_checked(text, data, text_len / 2);
	*ret_data = data;
	*ret_len = text_len / 2;
	return true;
}
