/* Nonces in slices of many headers side by side, as the vector hashing of ids likes them. */
#include "tools/rusty-miner/work.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/num.h"

#define SLICE	    64u /* headers hashed at once: 7.5 KB, within the first-level cache */
#define RANGE_SHIFT 48	/* the thread's number is in the top 16 bits */

struct thread {
	struct work *work;
	unsigned number;
	pthread_t id;
};

struct work {
	struct thread *threads;
	unsigned n_threads;
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* for the threads: another header, or the end */
	pthread_cond_t found_cond;
	atomic_ulong generation; /* of the header; the rest is guarded by mutex */
	bool active, ending, found, woken;
	uint8_t raw[RC_HEADER_SIZE];
	struct rc_u256 target;
	uint64_t job, nonce;
	atomic_ulong hashes;
};

/* Tries a slice from *nonce on; true if one holds, and then it is *nonce. */
static bool try_slice(uint8_t *headers, const struct rc_u256 *target, uint64_t *nonce)
{
	struct rc_block_id ids[SLICE];

	for (unsigned i = 0; i < SLICE; i++)
		rc_put_le64(headers + i * RC_HEADER_SIZE + RC_HEADER_NONCE_AT, *nonce + i);
	rc_header_id_many(headers, SLICE, ids);
	for (unsigned i = 0; i < SLICE; i++)
		if (rc_pow_holds(&ids[i], target)) {
			*nonce += i;
			return true;
		}
	return false;
}

/* One header until it is found, is another, or ends. */
static void try_header(struct thread *t, uint8_t *headers, const struct rc_u256 *target,
		       unsigned long generation)
{
	struct work *w = t->work;
	uint64_t nonce = (uint64_t)t->number << RANGE_SHIFT;

	while (atomic_load_explicit(&w->generation, memory_order_relaxed) == generation) {
		bool found = try_slice(headers, target, &nonce);

		atomic_fetch_add_explicit(&w->hashes, SLICE, memory_order_relaxed);
		if (!found) {
			nonce += SLICE;
			continue;
		}
		pthread_mutex_lock(&w->mutex);
		if (atomic_load(&w->generation) == generation && w->active) {
			w->found = true;
			w->active = false;
			w->nonce = nonce;
			atomic_fetch_add(&w->generation, 1);
			pthread_cond_signal(&w->found_cond);
		}
		pthread_mutex_unlock(&w->mutex);
		return;
	}
}

static void *run(void *arg)
{
	struct thread *t = arg;
	struct work *w = t->work;
	uint8_t *headers = rc_alloc((size_t)SLICE * RC_HEADER_SIZE);
	struct rc_u256 target;
	unsigned long generation;

	for (;;) {
		pthread_mutex_lock(&w->mutex);
		while (!w->active && !w->ending)
			pthread_cond_wait(&w->changed, &w->mutex);
		if (w->ending) {
			pthread_mutex_unlock(&w->mutex);
			break;
		}
		generation = atomic_load(&w->generation);
		target = w->target;
		for (unsigned i = 0; i < SLICE; i++)
			memcpy(headers + i * RC_HEADER_SIZE, w->raw, RC_HEADER_SIZE);
		pthread_mutex_unlock(&w->mutex);
		try_header(t, headers, &target, generation);
	}
	free(headers);
	return NULL;
}

int work_new(unsigned threads, struct work **ret_work, struct rc_error *error)
{
	struct work *w = rc_alloc(sizeof(*w));
	pthread_condattr_t attr;
	int err;

	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->changed, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->found_cond, &attr);
	pthread_condattr_destroy(&attr);
	w->threads = rc_alloc_array(threads, sizeof(*w->threads));
	for (unsigned i = 0; i < threads; i++) {
		w->threads[i].work = w;
		w->threads[i].number = i;
		err = pthread_create(&w->threads[i].id, NULL, run, &w->threads[i]);
		if (err) {
			work_free(w);
			return rc_error_set(error, RC_EUNAVAILABLE,
					    "thread %u of %u can't be started: %s (--threads)",
					    i + 1, threads, strerror(err));
		}
		w->n_threads = i + 1; /* those to be ended */
	}
	*ret_work = w;
	return RC_OK;
}

void work_free(struct work *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->mutex);
	w->ending = true;
	w->active = false;
	atomic_fetch_add(&w->generation, 1);
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->mutex);
	for (unsigned i = 0; i < w->n_threads; i++)
		pthread_join(w->threads[i].id, NULL);
	pthread_mutex_destroy(&w->mutex);
	pthread_cond_destroy(&w->changed);
	pthread_cond_destroy(&w->found_cond);
	free(w->threads);
	free(w);
}

void work_set(struct work *w, const struct rc_header *header, const struct rc_u256 *target,
	      uint64_t job)
{
	pthread_mutex_lock(&w->mutex);
	w->found = false;
	w->active = header != NULL;
	w->job = job;
	if (header) {
		rc_header_encode(header, w->raw);
		w->target = *target;
	}
	atomic_fetch_add(&w->generation, 1);
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->mutex);
}

bool work_wait(struct work *w, unsigned ms, uint64_t *ret_job, uint64_t *ret_nonce)
{
	struct timespec until;
	bool found;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&w->mutex);
	while (!w->found && !w->woken &&
	       pthread_cond_timedwait(&w->found_cond, &w->mutex, &until) == 0)
		;
	found = w->found;
	if (found) {
		*ret_job = w->job;
		*ret_nonce = w->nonce;
	}
	w->found = w->woken = false;
	pthread_mutex_unlock(&w->mutex);
	return found;
}

void work_wake(struct work *w)
{
	pthread_mutex_lock(&w->mutex);
	w->woken = true;
	pthread_cond_signal(&w->found_cond);
	pthread_mutex_unlock(&w->mutex);
}

uint64_t work_hashes(const struct work *w)
{
	return atomic_load(&w->hashes);
}
