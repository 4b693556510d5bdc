/* The event loop: sd-event behind names of our own. One a process, used by its main thread only. */
#ifndef RC_BUS_LOOP_H
#define RC_BUS_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/workers.h"

struct rc_loop;
struct rc_source;

struct rc_loop *rc_loop_new(void);
void rc_loop_free(struct rc_loop *loop);

/* Runs until rc_loop_stop; returns the code given there. */
int rc_loop_run(struct rc_loop *loop, int *ret_exit_code);
void rc_loop_stop(struct rc_loop *loop, int exit_code);
/* One turn, waiting at most timeout_us (−1: for ever): for tests and tools. */
void rc_loop_turn(struct rc_loop *loop, int64_t timeout_us);

/* The loop's monotonic time of this turn, microseconds. */
int64_t rc_loop_now_us(const struct rc_loop *loop);

/* A descriptor. events and revents are those of poll(2). The source is freed by its owner. */
typedef void (*rc_fd_fn)(void *arg, int fd, uint32_t revents);
struct rc_source *rc_loop_add_fd(struct rc_loop *loop, int fd, uint32_t events, rc_fd_fn fn,
				 void *arg);
void rc_source_set_events(struct rc_source *source, uint32_t events);

/* A one-shot timer, not armed yet. Exact to the microsecond (the default slack of sd-event is
 * 250 ms). */
typedef void (*rc_timer_fn)(void *arg);
struct rc_source *rc_loop_add_timer(struct rc_loop *loop, rc_timer_fn fn, void *arg);
void rc_timer_arm(struct rc_source *timer, int64_t after_us); /* again: replaces */
void rc_timer_disarm(struct rc_source *timer);

/* Called once a turn while enabled, after what is ready now has had its turn: how long work gives
 * others theirs. Starts disabled. */
struct rc_source *rc_loop_add_defer(struct rc_loop *loop, rc_timer_fn fn, void *arg);
void rc_defer_enable(struct rc_source *defer, bool enable);

/* A signal, which must be blocked in all threads. */
typedef void (*rc_signal_fn)(void *arg, int signal);
struct rc_source *rc_loop_add_signal(struct rc_loop *loop, int signal, rc_signal_fn fn, void *arg);

/* Completions of a worker pool. */
struct rc_source *rc_loop_add_workers(struct rc_loop *loop, struct rc_workers *workers);

/* Lower runs first when several are ready; default 0. */
void rc_source_set_priority(struct rc_source *source, int priority);

/* May be called from the source's own callback. NULL is fine. */
void rc_source_free(struct rc_source *source);

/* One thing for all users of the loop (the bus's ZeroMQ context): made at the first asking, freed
 * with the loop, after its sources. */
void *rc_loop_shared(struct rc_loop *loop, void *(*make)(void), void (*free_fn)(void *shared));

/* Pings the watchdog of the service manager from this loop, if it asked for that. */
void rc_loop_watchdog(struct rc_loop *loop);

#endif
