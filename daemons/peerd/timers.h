/* The core's timers: a heap over the clock it was given, so that a simulation may hold the time. */
#ifndef PEERD_TIMERS_H
#define PEERD_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void (*timer_fn)(void *arg);

/* Embedded in what it belongs to; disarm it before that goes. */
struct timer {
	int64_t at_us;
	uint64_t order; /* equal times run in the order of arming: two runs give one trace */
	timer_fn fn;
	void *arg;
	size_t slot; /* place in the heap + 1; 0: not armed */
};

struct timers {
	struct timer **heap;
	size_t n, cap;
	uint64_t order;
};

void timers_done(struct timers *timers);
void timer_init(struct timer *timer, timer_fn fn, void *arg);
/* Replaces what it was armed for. */
void timer_arm(struct timers *timers, struct timer *timer, int64_t at_us);
/* Only brings it forward: what is armed earlier stays. */
void timer_arm_by(struct timers *timers, struct timer *timer, int64_t at_us);
void timer_disarm(struct timers *timers, struct timer *timer);
bool timer_armed(const struct timer *timer);
/* When the next one is due; INT64_MAX: none. */
int64_t timers_next(const struct timers *timers);
/* Runs what is due; what that arms for now or earlier waits for the next call. */
void timers_run(struct timers *timers, int64_t now_us);

#endif
