/* Kept requests. See polls.h. */
#include "daemons/chaind/polls.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/mem.h"

/* Nobody waits longer, whatever was asked: 10 minutes. */
#define POLL_WAIT_MAX_MS (10 * 60 * 1000)

struct poll {
	struct poll *prev, *next;
	struct poll_list *list;
	struct rc_request *request;
	int64_t until_us;
};

static void drop(struct poll *poll)
{
	DL_DELETE(poll->list->polls, poll);
	poll->list->n--;
	free(poll);
}

static void arm(struct poll_list *list)
{
	int64_t first = INT64_MAX, now = rc_loop_now_us(list->loop);
	struct poll *poll;

	DL_FOREACH (list->polls, poll) {
		if (poll->until_us < first)
			first = poll->until_us;
	}
	if (first == INT64_MAX)
		rc_timer_disarm(list->timer);
	else
		rc_timer_arm(list->timer, first > now ? first - now : 0);
}

static void try_all(struct poll_list *list)
{
	int64_t now = rc_loop_now_us(list->loop);
	struct poll *poll, *next;

	DL_FOREACH_SAFE (list->polls, poll, next) {
		if (list->attempt(list->ctx, poll->request, poll->until_us <= now))
			drop(poll);
	}
	arm(list);
}

static void timer_fired(void *arg)
{
	try_all(arg);
}

void poll_list_init(struct poll_list *list, struct rc_loop *loop,
		    bool (*attempt)(void *ctx, struct rc_request *request, bool last), void *ctx)
{
	memset(list, 0, sizeof(*list));
	list->loop = loop;
	list->attempt = attempt;
	list->ctx = ctx;
	list->timer = rc_loop_add_timer(loop, timer_fired, list);
}

void poll_list_done(struct poll_list *list)
{
	struct poll *poll, *next;

	DL_FOREACH_SAFE (list->polls, poll, next) {
		rc_request_on_cancel(poll->request, NULL, NULL);
		rc_request_fail(poll->request, RC_EUNAVAILABLE, "chaind is stopping");
		drop(poll);
	}
	rc_source_free(list->timer);
	list->timer = NULL;
}

static void cancelled(void *arg, struct rc_request *request)
{
	drop(arg);
	rc_request_fail(request, RC_EDEADLINE, "nobody waits any more");
}

void poll_keep(struct poll_list *list, struct rc_request *request, uint32_t wait_ms)
{
	struct poll *poll;

	if (list->attempt(list->ctx, request, wait_ms == 0))
		return;
	poll = rc_alloc(sizeof(*poll));
	poll->list = list;
	poll->request = request;
	if (wait_ms > POLL_WAIT_MAX_MS)
		wait_ms = POLL_WAIT_MAX_MS;
	poll->until_us = rc_loop_now_us(list->loop) + (int64_t)wait_ms * 1000;
	DL_APPEND(list->polls, poll);
	list->n++;
	rc_request_on_cancel(request, cancelled, poll);
	arm(list);
}

void poll_wake(struct poll_list *list)
{
	if (list->polls)
		try_all(list);
}
