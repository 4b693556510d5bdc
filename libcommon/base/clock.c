/* The system's clocks and getrandom(2). */
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "base/log.h"

static int64_t system_wall_ms(void *arg)
{
	struct timespec ts;

	(void)arg;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t system_mono_us(void *arg)
{
	struct timespec ts;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void system_fill(void *arg, void *dst, size_t len)
{
	uint8_t *p = dst;

	(void)arg;
	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			/* Keys made without randomness would be worse than no process. */
			rc_log(RC_LOG_CRIT, "getrandom failed: ending");
			abort();
		}
		p += n;
		len -= (size_t)n;
	}
}

const struct rc_clock rc_clock_system = {system_wall_ms, system_mono_us, NULL};
const struct rc_random rc_random_system = {system_fill, NULL};

uint64_t rc_random_below(const struct rc_random *random, uint64_t n)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % n; /* a multiple of n */
	uint64_t v;

	do {
		v = rc_random_u64(random);
	} while (v >= limit);
	return v % n;
}
