/* Words to numbers. No floating point: what is written is what is meant. */
#include "tests/net/tapwire/units.h"

#include <stddef.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t scale;
};

static bool is_none(const char *word)
{
	return strcmp(word, "none") == 0;
}

/* DIGITS[.DIGITS]UNIT as a number of the smallest unit, which a fraction has to hit. */
static bool measure(const char *word, const struct unit *units, uint64_t most, uint64_t *ret)
{
	uint64_t whole = 0, part = 0, place = 1;
	const char *p = word;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		whole = whole * 10 + (uint64_t)(*p - '0');
		if (whole > most)
			return false;
	}
	if (*p == '.') {
		const char *digits = ++p;

		for (; *p >= '0' && *p <= '9'; p++) {
			if (p - digits == 9)
				return false;
			part = part * 10 + (uint64_t)(*p - '0');
			place *= 10;
		}
		if (p == digits)
			return false;
	}
	while (units->name && strcmp(units->name, p) != 0)
		units++;
	if (!units->name || whole > most / units->scale || part * units->scale % place != 0)
		return false;
	whole = whole * units->scale + part * units->scale / place;
	if (whole > most)
		return false;
	*ret = whole;
	return true;
}

bool units_duration(const char *word, int64_t *ret_ns)
{
	static const struct unit units[] = {
		{"us", NS_PER_US}, {"ms", NS_PER_MS}, {"s", NS_PER_S}, {NULL, 0}};
	uint64_t n = 0;

	if (!is_none(word) && !measure(word, units, DURATION_MAX_NS, &n))
		return false;
	*ret_ns = (int64_t)n;
	return true;
}

bool units_chance(const char *word, uint32_t *ret_millionths)
{
	static const struct unit units[] = {{"%", CHANCE_ONE / 100}, {NULL, 0}};
	uint64_t n = 0;

	if (!is_none(word) && !measure(word, units, CHANCE_ONE, &n))
		return false;
	*ret_millionths = (uint32_t)n;
	return true;
}

bool units_rate(const char *word, uint64_t *ret_bits)
{
	static const struct unit units[] = {
		{"bit", 1}, {"kbit", 1000}, {"mbit", 1000000}, {"gbit", 1000000000}, {NULL, 0}};
	uint64_t n = 0;

	if (!is_none(word) && (!measure(word, units, RATE_MAX, &n) || n < RATE_MIN))
		return false;
	*ret_bits = n;
	return true;
}

bool units_size(const char *word, uint32_t *ret_bytes)
{
	static const struct unit units[] = {{"", 1}, {"k", 1 << 10}, {"m", 1 << 20}, {NULL, 0}};
	uint64_t n;

	if (!measure(word, units, QUEUE_MAX, &n) || n < QUEUE_MIN)
		return false;
	*ret_bytes = (uint32_t)n;
	return true;
}

bool units_number(const char *word, uint64_t *ret)
{
	static const struct unit units[] = {{"", 1}, {NULL, 0}};

	return !strchr(word, '.') && measure(word, units, UINT64_C(1) << 59, ret);
}
