/*
 * A small pool of threads for what must not stall an event loop: signatures, database calls.
 * Work goes in from the loop, runs on some thread, and comes back to the loop by an eventfd.
 */
#ifndef RC_BASE_WORKERS_H
#define RC_BASE_WORKERS_H

#include <stdbool.h>
#include <stddef.h>

struct rc_workers;

/* One piece of work, embedded in the caller's own struct, which owns it until done returns. */
struct rc_work {
	void (*run)(struct rc_work *work); /* on a worker thread */
	void (*done)(
		struct rc_work *work); /* on the thread that calls rc_workers_poll; may be NULL */
	struct rc_work *next;	       /* the pool's */
};

/* Starts n threads (≥ 1) named name (≤ 11 characters). Signals must be blocked already. */
struct rc_workers *rc_workers_new(unsigned n, const char *name);

/* How many threads there are. */
unsigned rc_workers_threads(const struct rc_workers *workers);

/* Queues work in front of nothing: first in, first started. Any thread. */
void rc_workers_submit(struct rc_workers *workers, struct rc_work *work);

/* Readable when some work is done and waits for rc_workers_poll. */
int rc_workers_fd(const struct rc_workers *workers);

/* Calls done for work that has finished, in the order of finishing; returns how many. */
size_t rc_workers_poll(struct rc_workers *workers);

/* Work submitted and not yet polled. */
size_t rc_workers_pending(const struct rc_workers *workers);

/* Waits until everything submitted has run, polls it, and ends the threads. NULL is fine. */
void rc_workers_free(struct rc_workers *workers);

#endif
