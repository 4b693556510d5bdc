/* Money as text: RUST with up to eight digits after the point. */
#include "types/amount.h"

#include "base/decimal.h"

char *rc_amount_format(char dst[RC_AMOUNT_TEXT], rc_amount amount)
{
	char *p = rc_decimal(dst, amount / RC_OXIDES_PER_RUST % 1000000000);

	*p++ = '.';
	p = rc_decimal_fixed(p, amount % RC_OXIDES_PER_RUST, 8);
	*p = '\0';
	return dst;
}

bool rc_amount_parse(const char *text, rc_amount *ret_amount)
{
	uint64_t whole = 0, part = 0, scale = RC_OXIDES_PER_RUST;
	const char *p = text;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		whole = whole * 10 + (uint64_t)(*p - '0');
		if (whole > RC_SUPPLY_LIMIT / RC_OXIDES_PER_RUST)
			return false;
	}
	if (*p == '.') {
		p++;
		if (*p < '0' || *p > '9')
			return false;
		for (; *p >= '0' && *p <= '9'; p++) {
			if (scale == 1)
				return false;
			scale /= 10;
			part += (uint64_t)(*p - '0') * scale;
		}
	}
	if (*p || whole * RC_OXIDES_PER_RUST + part > RC_SUPPLY_LIMIT)
		return false;
	*ret_amount = whole * RC_OXIDES_PER_RUST + part;
	return true;
}
