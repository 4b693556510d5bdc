/* The core's timers: a binary heap. */
#include "daemons/peerd/timers.h"

#include <stdlib.h>

#include "base/mem.h"

static bool before(const struct timer *a, const struct timer *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void put(struct timers *t, size_t i, struct timer *timer)
{
	t->heap[i] = timer;
	timer->slot = i + 1;
}

static void up(struct timers *t, size_t i)
{
	struct timer *moving = t->heap[i];

	while (i > 0 && before(moving, t->heap[(i - 1) / 2])) {
		put(t, i, t->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(t, i, moving);
}

static void down(struct timers *t, size_t i)
{
	struct timer *moving = t->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < t->n && before(t->heap[child + 1], t->heap[child]))
			child++;
		if (child >= t->n || !before(t->heap[child], moving))
			break;
		put(t, i, t->heap[child]);
		i = child;
	}
	put(t, i, moving);
}

void timers_done(struct timers *timers)
{
	for (size_t i = 0; i < timers->n; i++)
		timers->heap[i]->slot = 0;
	free(timers->heap);
	*timers = (struct timers){0};
}

void timer_init(struct timer *timer, timer_fn fn, void *arg)
{
	*timer = (struct timer){.fn = fn, .arg = arg};
}

void timer_disarm(struct timers *timers, struct timer *timer)
{
	size_t i = timer->slot - 1;

	if (timer->slot == 0)
		return;
	timer->slot = 0;
	timers->n--;
	if (i == timers->n)
		return;
	put(timers, i, timers->heap[timers->n]);
	up(timers, i);
	down(timers, timers->heap[i]->slot - 1);
}

void timer_arm(struct timers *timers, struct timer *timer, int64_t at_us)
{
	timer_disarm(timers, timer);
	if (timers->n == timers->cap) {
		timers->cap = timers->cap ? 2 * timers->cap : 64;
		timers->heap = rc_realloc_array(timers->heap, timers->cap, sizeof(*timers->heap));
	}
	timer->at_us = at_us;
	timer->order = timers->order++;
	put(timers, timers->n, timer);
	timers->n++;
	up(timers, timers->n - 1);
}

void timer_arm_by(struct timers *timers, struct timer *timer, int64_t at_us)
{
	if (timer->slot == 0 || timer->at_us > at_us)
		timer_arm(timers, timer, at_us);
}

bool timer_armed(const struct timer *timer)
{
	return timer->slot != 0;
}

int64_t timers_next(const struct timers *timers)
{
	return timers->n ? timers->heap[0]->at_us : INT64_MAX;
}

void timers_run(struct timers *timers, int64_t now_us)
{
	uint64_t until = timers->order;

	while (timers->n && timers->heap[0]->at_us <= now_us && timers->heap[0]->order < until) {
		struct timer *timer = timers->heap[0];

		timer_disarm(timers, timer);
		timer->fn(timer->arg);
	}
}
