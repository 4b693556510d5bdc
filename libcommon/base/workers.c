/* One queue in, one queue out, a mutex each: work items are tens of microseconds and more. */
#include "base/workers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

struct work_queue {
	struct rc_work *first;
	struct rc_work **last;
};

struct rc_workers {
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_cond_t idle;
	struct work_queue todo;
	struct work_queue finished;
	size_t running; /* threads inside a run */
	atomic_size_t pending;
	bool stop;
	int fd;
	char name[12];
	atomic_uint named;
	unsigned n;
	pthread_t threads[];
};

static void queue_init(struct work_queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
}

static void queue_put(struct work_queue *queue, struct rc_work *work)
{
	work->next = NULL;
	*queue->last = work;
	queue->last = &work->next;
}

static struct rc_work *queue_get(struct work_queue *queue)
{
	struct rc_work *work = queue->first;

	if (work) {
		queue->first = work->next;
		if (!queue->first)
			queue->last = &queue->first;
	}
	return work;
}

/* By the thread itself: another's name is a file in /proc, which a confined daemon can't open. */
static void name_self(struct rc_workers *w)
{
	char name[16];

	snprintf(name, sizeof(name), "%s/%u", w->name, atomic_fetch_add(&w->named, 1) % 1000);
	pthread_setname_np(pthread_self(), name);
}

static void *worker_main(void *arg)
{
	struct rc_workers *w = arg;
	static const uint64_t one = 1;

	name_self(w);
	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct rc_work *work = queue_get(&w->todo);
		bool was_empty;

		if (!work) {
			if (w->stop)
				break;
			pthread_cond_wait(&w->more, &w->lock);
			continue;
		}
		w->running++;
		pthread_mutex_unlock(&w->lock);
		work->run(work);
		pthread_mutex_lock(&w->lock);
		w->running--;
		was_empty = !w->finished.first;
		queue_put(&w->finished, work);
		/* The counter only saturates at 2^64 − 2; the write can't fail otherwise. */
		if (was_empty && write(w->fd, &one, sizeof(one)) < 0)
			rc_log(RC_LOG_ERR, "eventfd of the worker pool: write failed");
		if (!w->todo.first && !w->running)
			pthread_cond_broadcast(&w->idle);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

struct rc_workers *rc_workers_new(unsigned n, const char *name)
{
	struct rc_workers *w = rc_alloc(sizeof(*w) + n * sizeof(w->threads[0]));

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	pthread_cond_init(&w->idle, NULL);
	queue_init(&w->todo);
	queue_init(&w->finished);
	w->n = n;
	snprintf(w->name, sizeof(w->name), "%.11s", name);
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->fd < 0) {
		rc_log(RC_LOG_CRIT, "no descriptor for a worker pool: ending");
		abort();
	}
	for (unsigned i = 0; i < n; i++) {
		if (pthread_create(&w->threads[i], NULL, worker_main, w) != 0) {
			rc_log(RC_LOG_CRIT, "can't start worker threads: ending");
			abort();
		}
	}
	return w;
}

unsigned rc_workers_threads(const struct rc_workers *workers)
{
	return workers->n;
}

void rc_workers_submit(struct rc_workers *workers, struct rc_work *work)
{
	atomic_fetch_add(&workers->pending, 1);
	pthread_mutex_lock(&workers->lock);
	queue_put(&workers->todo, work);
	pthread_cond_signal(&workers->more);
	pthread_mutex_unlock(&workers->lock);
}

int rc_workers_fd(const struct rc_workers *workers)
{
	return workers->fd;
}

size_t rc_workers_poll(struct rc_workers *workers)
{
	struct rc_work *work;
	uint64_t ignored;
	size_t n = 0;

	pthread_mutex_lock(&workers->lock);
	/* Read under the lock: a write after this belongs to work put after this. */
	if (read(workers->fd, &ignored, sizeof(ignored)) < 0)
		ignored = 0;
	work = workers->finished.first;
	queue_init(&workers->finished);
	pthread_mutex_unlock(&workers->lock);

	while (work) {
		struct rc_work *next = work->next;

		atomic_fetch_sub(&workers->pending, 1);
		if (work->done)
			work->done(work);
		work = next;
		n++;
	}
	return n;
}

size_t rc_workers_pending(const struct rc_workers *workers)
{
	return atomic_load(&workers->pending);
}

void rc_workers_free(struct rc_workers *workers)
{
	if (!workers)
		return;
	/* done may submit more: go on until nothing is left. */
	while (rc_workers_pending(workers)) {
		pthread_mutex_lock(&workers->lock);
		while (workers->todo.first || workers->running)
			pthread_cond_wait(&workers->idle, &workers->lock);
		pthread_mutex_unlock(&workers->lock);
		rc_workers_poll(workers);
	}
	pthread_mutex_lock(&workers->lock);
	workers->stop = true;
	pthread_cond_broadcast(&workers->more);
	pthread_mutex_unlock(&workers->lock);
	for (unsigned i = 0; i < workers->n; i++)
		pthread_join(workers->threads[i], NULL);
	close(workers->fd);
	pthread_cond_destroy(&workers->more);
	pthread_cond_destroy(&workers->idle);
	pthread_mutex_destroy(&workers->lock);
	free(workers);
}
