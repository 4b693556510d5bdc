/* Numbers as decimal text, by table: printf's general way costs ten times as much. */
#ifndef RC_BASE_DECIMAL_H
#define RC_BASE_DECIMAL_H

#include <stdint.h>

#define RC_DECIMAL_MAX 20 /* digits of a uint64_t */

/* Writes the digits at dst, at most RC_DECIMAL_MAX, without a terminator; returns their end. */
char *rc_decimal(char *dst, uint64_t value);
/* Exactly n digits (1 … RC_DECIMAL_MAX), with zeros before; higher ones are lost. */
char *rc_decimal_fixed(char *dst, uint64_t value, unsigned n);

#endif
