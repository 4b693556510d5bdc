/* The one way to ask for the time and for randomness, so that tests and simulation hold both. */
#ifndef RC_BASE_CLOCK_H
#define RC_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

struct rc_clock {
	int64_t (*wall_ms)(void *arg); /* milliseconds since 1970, may jump */
	int64_t (*mono_us)(void *arg); /* microseconds, never goes back */
	void *arg;
};

struct rc_random {
	void (*fill)(void *arg, void *dst, size_t len);
	void *arg;
};

/* The system's. */
extern const struct rc_clock rc_clock_system;
extern const struct rc_random rc_random_system;

static inline int64_t rc_wall_ms(const struct rc_clock *clock)
{
	return clock->wall_ms(clock->arg);
}

static inline int64_t rc_mono_us(const struct rc_clock *clock)
{
	return clock->mono_us(clock->arg);
}

static inline void rc_random_fill(const struct rc_random *random, void *dst, size_t len)
{
	random->fill(random->arg, dst, len);
}

static inline uint64_t rc_random_u64(const struct rc_random *random)
{
	uint64_t v;

	random->fill(random->arg, &v, sizeof(v));
	return v;
}

/* 0 … n − 1, without bias; n ≥ 1. */
uint64_t rc_random_below(const struct rc_random *random, uint64_t n);

#endif
