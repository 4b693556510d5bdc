/* Pieces are few and large (a millisecond), so one lock gives them out. */
#include "daemons/utxod/crew.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

struct helper {
	struct crew *crew;
	pthread_t thread;
	unsigned who;
	char name[16];
};

struct crew {
	pthread_mutex_t lock;
	pthread_cond_t more; /* pieces to take, or the end */
	pthread_cond_t done; /* the last piece has returned */
	void (*fn)(void *arg, size_t i, unsigned who);
	void *arg;
	size_t n, next, left;
	bool ending;
	unsigned n_helpers;
	struct helper helper[CREW_MAX - 1];
};

/* With the lock held, which is let go meanwhile. */
static void take_one(struct crew *crew, unsigned who)
{
	size_t i = crew->next++;

	pthread_mutex_unlock(&crew->lock);
	crew->fn(crew->arg, i, who);
	pthread_mutex_lock(&crew->lock);
	if (--crew->left == 0)
		pthread_cond_signal(&crew->done);
}

static void *help(void *arg)
{
	struct helper *helper = arg;
	struct crew *crew = helper->crew;

	/* Its own: another thread's is in /proc, which the sandbox keeps shut. */
	pthread_setname_np(pthread_self(), helper->name);
	pthread_mutex_lock(&crew->lock);
	while (!crew->ending) {
		if (crew->next < crew->n)
			take_one(crew, helper->who);
		else
			pthread_cond_wait(&crew->more, &crew->lock);
	}
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

struct crew *crew_new(const char *name)
{
	struct crew *crew = rc_alloc(sizeof(*crew));
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->more, NULL);
	pthread_cond_init(&crew->done, NULL);
	for (unsigned i = 0; i < CREW_MAX - 1 && (long)i + 1 < cpus; i++) {
		struct helper *helper = &crew->helper[i];

		*helper = (struct helper){.crew = crew, .who = i + 1};
		snprintf(helper->name, sizeof(helper->name), "%.11s%u", name, i);
		if (pthread_create(&helper->thread, NULL, help, helper) != 0) {
			rc_log(RC_LOG_WARNING, "%s: no more threads; going on with %u", name,
			       i + 1);
			break;
		}
		crew->n_helpers++;
	}
	return crew;
}

void crew_free(struct crew *crew)
{
	if (!crew)
		return;
	pthread_mutex_lock(&crew->lock);
	crew->ending = true;
	pthread_cond_broadcast(&crew->more);
	pthread_mutex_unlock(&crew->lock);
	for (unsigned i = 0; i < crew->n_helpers; i++)
		pthread_join(crew->helper[i].thread, NULL);
	pthread_cond_destroy(&crew->done);
	pthread_cond_destroy(&crew->more);
	pthread_mutex_destroy(&crew->lock);
	free(crew);
}

void crew_run(struct crew *crew, size_t n, void (*fn)(void *arg, size_t i, unsigned who), void *arg)
{
	pthread_mutex_lock(&crew->lock);
	crew->fn = fn;
	crew->arg = arg;
	crew->n = crew->left = n;
	crew->next = 0;
	pthread_cond_broadcast(&crew->more);
	while (crew->next < n)
		take_one(crew, 0);
	while (crew->left)
		pthread_cond_wait(&crew->done, &crew->lock);
	crew->n = crew->next = 0;
	pthread_mutex_unlock(&crew->lock);
}
