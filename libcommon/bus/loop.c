/*
 * sd-event behind names of our own. What callers needn't know of it: timers have 250 ms of slack
 * unless told otherwise, and a deferred source that stays enabled starves every other of its
 * priority, because its place in the queue never ages.
 */
#include "bus/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-event.h>

#include "base/log.h"
#include "base/mem.h"

#define TIMER_ACCURACY_US 1

struct rc_loop {
	sd_event *event;
	bool stopped;
	int exit_code;
	void *shared;
	void (*free_shared)(void *shared);
};

struct rc_source {
	struct rc_loop *loop;
	sd_event_source *source;
	union {
		rc_fd_fn on_fd;
		rc_timer_fn on_timer;
		rc_signal_fn on_signal;
	};
	void *arg;
	int own_fd; /* of a defer source; else −1 */
};

/* sd-event calls fail for want of memory or descriptors, or by our own mistake. */
static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	rc_log(RC_LOG_CRIT, "event loop: %s failed (%s); the process ends", what, strerror(-r));
	abort();
}

struct rc_loop *rc_loop_new(void)
{
	struct rc_loop *loop = rc_alloc(sizeof(*loop));

	must(sd_event_new(&loop->event), "making the loop");
	return loop;
}

void rc_loop_free(struct rc_loop *loop)
{
	if (!loop)
		return;
	if (loop->shared)
		loop->free_shared(loop->shared);
	sd_event_unref(loop->event);
	free(loop);
}

void *rc_loop_shared(struct rc_loop *loop, void *(*make)(void), void (*free_fn)(void *shared))
{
	if (!loop->shared) {
		loop->shared = make();
		loop->free_shared = free_fn;
	}
	return loop->shared;
}

void rc_loop_turn(struct rc_loop *loop, int64_t timeout_us)
{
	int r = sd_event_run(loop->event, timeout_us < 0 ? UINT64_MAX : (uint64_t)timeout_us);

	if (r != -EINTR)
		must(r, "waiting for events");
}

int rc_loop_run(struct rc_loop *loop, int *ret_exit_code)
{
	loop->stopped = false;
	while (!loop->stopped)
		rc_loop_turn(loop, -1);
	if (ret_exit_code)
		*ret_exit_code = loop->exit_code;
	return 0;
}

void rc_loop_stop(struct rc_loop *loop, int exit_code)
{
	loop->stopped = true;
	loop->exit_code = exit_code;
}

int64_t rc_loop_now_us(const struct rc_loop *loop)
{
	uint64_t now = 0;

	must(sd_event_now(loop->event, CLOCK_MONOTONIC, &now), "asking for the time");
	return (int64_t)now;
}

static struct rc_source *source_new(struct rc_loop *loop, void *arg)
{
	struct rc_source *source = rc_alloc(sizeof(*source));

	source->loop = loop;
	source->arg = arg;
	source->own_fd = -1;
	return source;
}

/* In each of these the source may be gone when its function returns, so nothing follows. */
static int on_fd_event(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct rc_source *source = userdata;

	(void)s;
	source->on_fd(source->arg, fd, revents);
	return 0;
}

static int on_time_event(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct rc_source *source = userdata;

	(void)s;
	(void)usec;
	source->on_timer(source->arg);
	return 0;
}

static int on_defer_event(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct rc_source *source = userdata;

	(void)s;
	(void)fd;
	(void)revents;
	source->on_timer(source->arg);
	return 0;
}

static int on_signal_event(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	struct rc_source *source = userdata;

	(void)s;
	source->on_signal(source->arg, (int)si->ssi_signo);
	return 0;
}

struct rc_source *rc_loop_add_fd(struct rc_loop *loop, int fd, uint32_t events, rc_fd_fn fn,
				 void *arg)
{
	struct rc_source *source = source_new(loop, arg);

	source->on_fd = fn;
	must(sd_event_add_io(loop->event, &source->source, fd, events, on_fd_event, source),
	     "watching a descriptor");
	return source;
}

void rc_source_set_events(struct rc_source *source, uint32_t events)
{
	must(sd_event_source_set_io_events(source->source, events), "watching a descriptor");
}

struct rc_source *rc_loop_add_timer(struct rc_loop *loop, rc_timer_fn fn, void *arg)
{
	struct rc_source *source = source_new(loop, arg);

	source->on_timer = fn;
	must(sd_event_add_time(loop->event, &source->source, CLOCK_MONOTONIC, UINT64_MAX,
			       TIMER_ACCURACY_US, on_time_event, source),
	     "making a timer");
	rc_timer_disarm(source);
	return source;
}

void rc_timer_arm(struct rc_source *timer, int64_t after_us)
{
	struct timespec ts;
	int64_t now;

	/* The true time: that of the turn may be long past when a callback took long. */
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
	if (after_us < 0)
		after_us = 0;
	must(sd_event_source_set_time(timer->source, (uint64_t)(now + after_us)),
	     "setting a timer");
	must(sd_event_source_set_enabled(timer->source, SD_EVENT_ONESHOT), "arming a timer");
}

void rc_timer_disarm(struct rc_source *timer)
{
	must(sd_event_source_set_enabled(timer->source, SD_EVENT_OFF), "disarming a timer");
}

/* An always readable descriptor: it queues behind what became ready before it, turn by turn. */
struct rc_source *rc_loop_add_defer(struct rc_loop *loop, rc_timer_fn fn, void *arg)
{
	struct rc_source *source = source_new(loop, arg);

	source->on_timer = fn;
	source->own_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	must(source->own_fd < 0 ? -errno : 0, "making an eventfd");
	must(sd_event_add_io(loop->event, &source->source, source->own_fd, EPOLLIN, on_defer_event,
			     source),
	     "making a deferred source");
	rc_defer_enable(source, false);
	return source;
}

void rc_defer_enable(struct rc_source *defer, bool enable)
{
	must(sd_event_source_set_enabled(defer->source, enable ? SD_EVENT_ON : SD_EVENT_OFF),
	     "switching a deferred source");
}

struct rc_source *rc_loop_add_signal(struct rc_loop *loop, int signal, rc_signal_fn fn, void *arg)
{
	struct rc_source *source = source_new(loop, arg);

	source->on_signal = fn;
	must(sd_event_add_signal(loop->event, &source->source, signal, on_signal_event, source),
	     "watching a signal");
	return source;
}

static void on_workers(void *arg, int fd, uint32_t revents)
{
	(void)fd;
	(void)revents;
	rc_workers_poll(arg);
}

struct rc_source *rc_loop_add_workers(struct rc_loop *loop, struct rc_workers *workers)
{
	return rc_loop_add_fd(loop, rc_workers_fd(workers), EPOLLIN, on_workers, workers);
}

void rc_source_set_priority(struct rc_source *source, int priority)
{
	must(sd_event_source_set_priority(source->source, priority), "setting a priority");
}

void rc_source_free(struct rc_source *source)
{
	if (!source)
		return;
	sd_event_source_disable_unref(source->source);
	if (source->own_fd >= 0)
		close(source->own_fd);
	free(source);
}

void rc_loop_watchdog(struct rc_loop *loop)
{
	int r = sd_event_set_watchdog(loop->event, 1);

	if (r < 0)
		rc_log(RC_LOG_WARNING,
		       "watchdog: %s; the service manager will not see if this process hangs",
		       strerror(-r));
}
