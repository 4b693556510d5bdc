/* What unit tests share: cmocka, vector files, a seeded generator whose seed is printed. */
#ifndef RC_TEST_H
#define RC_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/mem.h"

/* Loads tests/vectors/NAME as JSON; fails the test if it isn't there. A number of 19 digits and
 * more comes as text, since Jansson has signed 64-bit integers only: read both by rc_test_u64. */
json_t *rc_test_vectors(const char *name);
uint64_t rc_test_u64(const json_t *number);

/* The whole of tests/vectors/NAME, terminated; the caller frees it. */
char *rc_test_vector_text(const char *name);

/* Member key of a JSON object as text; fails the test if it is missing or no string. */
const char *rc_test_str(const json_t *object, const char *key);

/* Hexadecimal text to bytes; fails the test if it isn't hex. The caller frees *ret. */
size_t rc_test_hex(const char *hex, uint8_t **ret);

/* Member key of a JSON object decoded from hex into exactly len bytes of dst. */
void rc_test_hex_into(const json_t *object, const char *key, void *dst, size_t len);

/* A repeatable generator; the seed comes from RC_TEST_SEED or the clock, and is printed. */
struct rc_test_random {
	uint64_t state[4];
	struct rc_random random; /* rc_random_*() on &t.random */
};
void rc_test_random_init(struct rc_test_random *t);
void rc_test_random_seed(struct rc_test_random *t, uint64_t seed);

#endif
