/* Two digits a step, from the last one. */
#include "base/decimal.h"

#include <string.h>

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
			    "25262728293031323334353637383940414243444546474849"
			    "50515253545556575859606162636465666768697071727374"
			    "75767778798081828384858687888990919293949596979899";

char *rc_decimal_fixed(char *dst, uint64_t value, unsigned n)
{
	char *p = dst + n;

	while (p - dst >= 2) {
		p -= 2;
		memcpy(p, pairs + 2 * (value % 100), 2);
		value /= 100;
	}
	if (p > dst)
		*dst = (char)('0' + value % 10);
	return dst + n;
}

char *rc_decimal(char *dst, uint64_t value)
{
	unsigned n = 1;

	for (uint64_t rest = value; rest >= 10; rest /= 10)
		n++;
	return rc_decimal_fixed(dst, value, n);
}
