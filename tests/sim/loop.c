/* bus/loop.h and base/workers.h on virtual time, for one thread. */
#include "bus/loop.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/workers.h"
#include "sim.h"

enum source_kind { SOURCE_TIMER, SOURCE_DEFER, SOURCE_SIGNAL, SOURCE_WORKERS };

struct rc_loop {
	struct sim_proc *proc;
	bool stopped;
	int exit_code;
	struct rc_source *signals;
	void *shared;
	void (*free_shared)(void *shared);
};

struct rc_source {
	struct rc_loop *loop;
	enum source_kind kind;
	rc_timer_fn fn;
	rc_signal_fn on_signal;
	void *arg;
	int signal;
	bool enabled;
	struct sim_event *event; /* NULL: none is under way */
	struct rc_source *next;	 /* of signals */
};

/* ---- the loop ---- */

struct rc_loop *rc_loop_new(void)
{
	struct rc_loop *loop = rc_alloc(sizeof(*loop));

	loop->proc = sim.current;
	return loop;
}

void rc_loop_free(struct rc_loop *loop)
{
	if (loop && loop->shared)
		loop->free_shared(loop->shared);
	free(loop);
}

int rc_loop_run(struct rc_loop *loop, int *ret_exit_code)
{
	loop->stopped = false;
	while (!loop->stopped)
		sim_wait_in_loop(loop);
	loop->proc->loop = NULL;
	if (ret_exit_code)
		*ret_exit_code = loop->exit_code;
	return 0;
}

void rc_loop_stop(struct rc_loop *loop, int exit_code)
{
	loop->stopped = true;
	loop->exit_code = exit_code;
}

bool rc_loop_is_stopped(const struct rc_loop *loop)
{
	return loop->stopped;
}

void rc_loop_turn(struct rc_loop *loop, int64_t timeout_us)
{
	(void)loop;
	(void)timeout_us;
	sim_fail("somebody turns the loop inside of a callback");
}

int64_t rc_loop_now_us(const struct rc_loop *loop)
{
	return sim.now + loop->proc->mono_offset;
}

void *rc_loop_shared(struct rc_loop *loop, void *(*make)(void), void (*free_fn)(void *shared))
{
	if (!loop->shared) {
		loop->shared = make();
		loop->free_shared = free_fn;
	}
	return loop->shared;
}

void rc_loop_watchdog(struct rc_loop *loop)
{
	(void)loop;
}

/* ---- sources ---- */

static struct rc_source *source_new(struct rc_loop *loop, enum source_kind kind, rc_timer_fn fn,
				    void *arg)
{
	struct rc_source *source = rc_alloc(sizeof(*source));

	*source = (struct rc_source){.loop = loop, .kind = kind, .fn = fn, .arg = arg};
	return source;
}

static void on_timer(void *arg)
{
	struct rc_source *source = arg;

	source->event = NULL;
	source->fn(source->arg); /* the source may be gone */
}

/* It comes again while it is enabled: the next turn is put in line before its function may free
 * it. */
static void on_defer(void *arg)
{
	struct rc_source *source = arg;

	source->event = sim_post(source->loop->proc, 1, "defer", on_defer, source);
	source->fn(source->arg);
}

struct rc_source *rc_loop_add_timer(struct rc_loop *loop, rc_timer_fn fn, void *arg)
{
	return source_new(loop, SOURCE_TIMER, fn, arg);
}

void rc_timer_disarm(struct rc_source *timer)
{
	if (timer->event)
		sim_cancel(timer->event);
	timer->event = NULL;
}

void rc_timer_arm(struct rc_source *timer, int64_t after_us)
{
	rc_timer_disarm(timer);
	timer->event = sim_post(timer->loop->proc, after_us, "timer", on_timer, timer);
}

struct rc_source *rc_loop_add_defer(struct rc_loop *loop, rc_timer_fn fn, void *arg)
{
	return source_new(loop, SOURCE_DEFER, fn, arg);
}

void rc_defer_enable(struct rc_source *defer, bool enable)
{
	if (!enable)
		rc_timer_disarm(defer);
	else if (!defer->event)
		defer->event = sim_post(defer->loop->proc, 1, "defer", on_defer, defer);
}

struct rc_source *rc_loop_add_fd(struct rc_loop *loop, int fd, uint32_t events, rc_fd_fn fn,
				 void *arg)
{
	(void)loop;
	(void)fd;
	(void)events;
	(void)fn;
	(void)arg;
	sim_fail("a descriptor is watched: what it stands for has to be behind an interface");
}

void rc_source_set_events(struct rc_source *source, uint32_t events)
{
	(void)source;
	(void)events;
}

void rc_source_set_priority(struct rc_source *source, int priority)
{
	(void)source;
	(void)priority;
}

struct rc_source *rc_loop_add_signal(struct rc_loop *loop, int signal, rc_signal_fn fn, void *arg)
{
	struct rc_source *source = source_new(loop, SOURCE_SIGNAL, NULL, arg);

	source->on_signal = fn;
	source->signal = signal;
	source->next = loop->signals;
	loop->signals = source;
	return source;
}

static void on_signal(void *arg)
{
	struct rc_source *source = arg;

	source->event = NULL;
	source->on_signal(source->arg, source->signal);
}

void sim_loop_signal(struct rc_loop *loop, int signal)
{
	for (struct rc_source *s = loop->signals; s; s = s->next)
		if (s->signal == signal && !s->event)
			s->event = sim_post(loop->proc, 1, "signal", on_signal, s);
}

/* ---- threads ---- */

/* By the names of pools: those that work on the disk are slower, and now and then very slow. */
static const struct {
	const char *name;
	int64_t mean_us;
	bool disk;
} pools[] = {
	{"journal", 800, true},	  {"blockwrite", 800, true}, {"blockread", 100, true},
	{"logger", 800, true},	  {"flusher", 2000, true},   {"prep", 60, false},
	{"verify", 120, false},	  {"builder", 120, false},   {"reader", 60, false},
	{"generate", 500, false},
};

#define THREADS_MAX 8

struct piece {
	struct rc_workers *workers;
	struct rc_work *work;
	struct sim_event *event;
	struct piece *prev, *next; /* of its process's, in the order of ending */
};

struct rc_workers {
	struct sim_proc *proc;
	unsigned n;
	int64_t mean_us;
	bool disk;
	int64_t free_at[THREADS_MAX];
	struct piece *pieces; /* not run yet, in the order of their time */
	struct rc_work *done, **done_end;
	size_t pending;
	bool watched;
	struct sim_event *poll;
	struct rc_workers *next; /* of all */
};

static struct rc_workers *all_workers;

struct rc_workers *rc_workers_new(unsigned n, const char *name)
{
	struct rc_workers *w = rc_alloc(sizeof(*w));

	w->proc = sim.current;
	w->n = n < THREADS_MAX ? n : THREADS_MAX;
	w->done_end = &w->done;
	w->mean_us = 100;
	for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
		if (strcmp(pools[i].name, name) == 0) {
			w->mean_us = pools[i].mean_us;
			w->disk = pools[i].disk;
		}
	}
	w->next = all_workers;
	all_workers = w;
	return w;
}

unsigned rc_workers_threads(const struct rc_workers *workers)
{
	return workers->n;
}

static void on_poll(void *arg)
{
	struct rc_workers *w = arg;

	w->poll = NULL;
	rc_workers_poll(w);
}

static void poll_soon(struct rc_workers *w)
{
	if (w->watched && w->done && !w->poll)
		w->poll = sim_post(w->proc, 1 + (int64_t)sim_random_below(&sim.random, 30),
				   "workers", on_poll, w);
}

static void unlink_piece(struct piece *piece)
{
	struct rc_workers *w = piece->workers;

	if (piece->prev)
		piece->prev->next = piece->next;
	else
		w->pieces = piece->next;
	if (piece->next)
		piece->next->prev = piece->prev;
}

static void run_piece(struct piece *piece)
{
	struct rc_workers *w = piece->workers;
	struct rc_work *work = piece->work;

	unlink_piece(piece);
	free(piece);
	work->run(work);
	work->next = NULL;
	*w->done_end = work;
	w->done_end = &work->next;
	poll_soon(w);
}

static void on_piece(void *arg)
{
	run_piece(arg);
}

void rc_workers_submit(struct rc_workers *w, struct rc_work *work)
{
	struct piece *piece = rc_alloc(sizeof(*piece));
	unsigned thread = 0;
	int64_t took = sim_random_delay(&sim.random, w->mean_us);

	for (unsigned i = 1; i < w->n; i++)
		if (w->free_at[i] < w->free_at[thread])
			thread = i;
	if (w->disk) {
		took = (int64_t)((double)took * sim.disk_slow);
		if (sim_random_chance(&sim.random, 0.01))
			took += (int64_t)sim_random_below(&sim.random, 300 * SIM_MS);
	}
	if (w->free_at[thread] < sim.now)
		w->free_at[thread] = sim.now;
	w->free_at[thread] += took;
	piece->workers = w;
	piece->work = work;
	piece->event = sim_post(w->proc, w->free_at[thread] - sim.now, "work", on_piece, piece);
	piece->next = w->pieces;
	if (w->pieces)
		w->pieces->prev = piece;
	w->pieces = piece;
	w->pending++;
}

int rc_workers_fd(const struct rc_workers *workers)
{
	(void)workers;
	return -1;
}

size_t rc_workers_poll(struct rc_workers *w)
{
	struct rc_work *work = w->done;
	size_t n = 0;

	w->done = NULL;
	w->done_end = &w->done;
	while (work) {
		struct rc_work *next = work->next;

		w->pending--;
		n++;
		if (work->done)
			work->done(work);
		work = next;
	}
	return n;
}

size_t rc_workers_pending(const struct rc_workers *workers)
{
	return workers->pending;
}

/* The oldest of what hasn't run. */
static struct piece *oldest(struct rc_workers *w)
{
	struct piece *piece = w->pieces;

	while (piece && piece->next)
		piece = piece->next;
	return piece;
}

void rc_workers_free(struct rc_workers *w)
{
	struct rc_workers **link = &all_workers;

	if (!w)
		return;
	while (w->pieces || w->done) {
		struct piece *piece = oldest(w);

		if (piece) {
			sim_cancel(piece->event);
			run_piece(piece);
		} else {
			rc_workers_poll(w);
		}
	}
	if (w->poll)
		sim_cancel(w->poll);
	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
	free(w);
}

void sim_work_a_piece(void)
{
	for (struct rc_workers *w = all_workers; w; w = w->next) {
		struct piece *piece = w->proc == sim.current ? oldest(w) : NULL;

		if (piece) {
			sim_cancel(piece->event);
			run_piece(piece);
			return;
		}
	}
	sim_fail("a thread waits for others that have nothing to do");
}

struct rc_source *rc_loop_add_workers(struct rc_loop *loop, struct rc_workers *workers)
{
	workers->watched = true;
	poll_soon(workers);
	return source_new(loop, SOURCE_WORKERS, NULL, workers);
}

void rc_source_free(struct rc_source *source)
{
	if (!source)
		return;
	if (source->kind == SOURCE_WORKERS) {
		struct rc_workers *w = source->arg;

		w->watched = false;
		if (w->poll)
			sim_cancel(w->poll);
		w->poll = NULL;
	}
	if (source->kind == SOURCE_SIGNAL) {
		struct rc_source **link = &source->loop->signals;

		while (*link != source)
			link = &(*link)->next;
		*link = source->next;
	}
	if (source->event)
		sim_cancel(source->event);
	free(source);
}
