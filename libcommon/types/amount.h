/* Money: oxides, the supply limit, and sums that can't pass it unseen. */
#ifndef RC_TYPES_AMOUNT_H
#define RC_TYPES_AMOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/num.h"

/* 1 RUST = 100,000,000 oxides (20-consensus, "Conventions"). */
typedef uint64_t rc_amount;

#define RC_OXIDES_PER_RUST UINT64_C(100000000)
/* 84,000,000 RUST: every amount and every sum is at most this. */
#define RC_SUPPLY_LIMIT (UINT64_C(84000000) * RC_OXIDES_PER_RUST)

static inline bool rc_amount_valid(rc_amount a)
{
	return a <= RC_SUPPLY_LIMIT;
}

/* *sum += a; false, and *sum untouched, if a or the sum would pass the supply limit. */
static inline RC_MUST_CHECK bool rc_amount_add(rc_amount *sum, rc_amount a)
{
	if (a > RC_SUPPLY_LIMIT || *sum > RC_SUPPLY_LIMIT - a)
		return false;
	*sum += a;
	return true;
}

/* "12.50000000" (RUST with 8 digits) into dst of RC_AMOUNT_TEXT bytes; returns dst. */
#define RC_AMOUNT_TEXT 24
char *rc_amount_format(char dst[RC_AMOUNT_TEXT], rc_amount amount);
/* Digits, and at most 8 more after a point; no sign, no exponent, at most the supply limit. */
bool rc_amount_parse(const char *text, rc_amount *ret_amount);

#endif
