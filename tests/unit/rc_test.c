/* See rc_test.h. */
#include "tests/unit/rc_test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/hex.h"

#define VECTOR_FILE_MAX (64u << 20) /* the largest is a few MB */

char *rc_test_vector_text(const char *name)
{
	RC_AUTOFREE char *path = rc_asprintf("tests/vectors/%s", name);
	struct rc_buf buf = RC_BUF_INIT;
	struct rc_error error;

	if (rc_file_read(path, VECTOR_FILE_MAX, &buf, &error) < 0)
		fail_msg("%s (tests run from the top of the tree)", error.text);
	return (char *)rc_buf_take(&buf, NULL);
}

/* Puts quotes around numbers of 19 digits and more that stand outside strings. */
static char *quote_big_numbers(const char *text)
{
	struct rc_buf out = RC_BUF_INIT;
	bool in_string = false;

	while (*text) {
		size_t n = in_string ? 0 : strspn(text, "0123456789");

		if (n >= 19) {
			rc_buf_printf(&out, "\"%.*s\"", (int)n, text);
			text += n;
			continue;
		}
		if (*text == '"')
			in_string = !in_string;
		else if (in_string && *text == '\\')
			rc_buf_put_u8(&out, (uint8_t)*text++);
		rc_buf_put_u8(&out, (uint8_t)*text++);
	}
	return (char *)rc_buf_take(&out, NULL);
}

uint64_t rc_test_u64(const json_t *number)
{
	if (json_is_string(number))
		return strtoull(json_string_value(number), NULL, 10);
	if (!json_is_integer(number))
		fail_msg("not a number");
	return (uint64_t)json_integer_value(number);
}

json_t *rc_test_vectors(const char *name)
{
	RC_AUTOFREE char *text = rc_test_vector_text(name);
	RC_AUTOFREE char *quoted = quote_big_numbers(text);
	json_error_t error;
	json_t *root = json_loads(quoted, JSON_ALLOW_NUL, &error);

	if (!root)
		fail_msg("%s: %s at line %d", name, error.text, error.line);
	return root;
}

const char *rc_test_str(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text)
		fail_msg("vector without text member '%s'", key);
	return text;
}

size_t rc_test_hex(const char *hex, uint8_t **ret)
{
	size_t len = 0;

	if (!rc_hex_decode_alloc(hex, strlen(hex), ret, &len))
		fail_msg("not hex: %s", hex);
	return len;
}

void rc_test_hex_into(const json_t *object, const char *key, void *dst, size_t len)
{
	if (!rc_hex_decode(rc_test_str(object, key), dst, len))
		fail_msg("member '%s' is not %zu bytes of hex", key, len);
}

/* xoshiro256**, public domain algorithm by Blackman and Vigna. */
static uint64_t next(uint64_t *s)
{
	uint64_t r = s[1] * 5, t = s[1] << 17;

	r = (r << 7 | r >> 57) * 9;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = s[3] << 45 | s[3] >> 19;
	return r;
}

static void fill(void *arg, void *dst, size_t len)
{
	uint8_t *p = dst;

	while (len) {
		uint64_t v = next(arg);
		size_t n = len < 8 ? len : 8;

		memcpy(p, &v, n);
		p += n;
		len -= n;
	}
}

void rc_test_random_seed(struct rc_test_random *t, uint64_t seed)
{
	for (int i = 0; i < 4; i++) { /* splitmix64 */
		uint64_t z = seed += 0x9e3779b97f4a7c15u;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		z = (z ^ z >> 27) * 0x94d049bb133111ebu;
		t->state[i] = z ^ z >> 31;
	}
	t->random = (struct rc_random){fill, t->state};
}

void rc_test_random_init(struct rc_test_random *t)
{
	const char *text = getenv("RC_TEST_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);

	print_message("seed: RC_TEST_SEED=%llu\n", (unsigned long long)seed);
	rc_test_random_seed(t, seed);
}
