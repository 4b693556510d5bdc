/* The units of tapwire's control lines, read strictly: the whole word, within bounds, or an error.
 */
#ifndef TAPWIRE_UNITS_H
#define TAPWIRE_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

/* A chance of 1, in millionths. */
#define CHANCE_ONE 1000000

#define DURATION_MAX_NS (60 * NS_PER_S)
#define RATE_MIN	1000	     /* bits a second */
#define RATE_MAX	100000000000 /* 100 Gbit/s */
#define QUEUE_MIN	2048	     /* bytes: one frame of an Ethernet fits */
#define QUEUE_MAX	(64 << 20)

/* "none" is 0 for all of them. On failure the result is untouched. */

/* 100us, 2.5ms, 1s → nanoseconds. */
bool units_duration(const char *word, int64_t *ret_ns);
/* 5%, 0.01% → millionths. */
bool units_chance(const char *word, uint32_t *ret_millionths);
/* 1mbit, 56.6kbit, 2gbit, 9600bit → bits a second. */
bool units_rate(const char *word, uint64_t *ret_bits);
/* 4096, 64k, 1m → bytes. */
bool units_size(const char *word, uint32_t *ret_bytes);
/* A decimal number, at most 2^59. */
bool units_number(const char *word, uint64_t *ret);

#endif
