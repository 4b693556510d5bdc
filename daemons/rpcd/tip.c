/* State is pulled, not pushed: a lost event would cost nothing, since none is relied on. */
#include "daemons/rpcd/tip.h"

#include <stdlib.h>
#include <utlist.h>

#define POLL_MS	   25000u
#define ANSWER_MS  (POLL_MS + 10000u) /* the poll's end, and time for its way */
#define PAUSE_US   100000	      /* after an error, before asking again */
#define TOUCHED_MS 10000u

struct waiter {
	struct rpc_call *call;
	tip_fn fn;
	bool has_known;
	struct rc_block_id known;
	uint32_t min_height;
	int64_t until_us;
	bool overdue; /* its time is over, and the tip wasn't known */
	struct waiter *prev, *next;
};

struct tip {
	struct rpcd *rpcd;
	struct rc_block_ref ref;
	bool seen;     /* ref is set */
	bool sure;     /* and chaind has not been away since */
	bool polling;  /* the long poll is open */
	bool touching; /* a question after a submission is open */
	bool touch_again;
	bool closing;
	struct rc_source *pause;
	struct rc_source *timer; /* the next waiter's end */
	struct waiter *waiters;
};

static void poll_tip(struct tip *tip);
static void ask_now(struct tip *tip);

static bool satisfied(const struct tip *tip, const struct waiter *w)
{
	return tip->seen &&
	       (w->overdue || (tip->ref.height >= w->min_height &&
			       !(w->has_known && rc_block_id_eq(&tip->ref.id, &w->known))));
}

static void arm_timer(struct tip *tip)
{
	const struct waiter *w;
	int64_t first = INT64_MAX;

	DL_FOREACH (tip->waiters, w)
		if (w->until_us < first)
			first = w->until_us;
	if (first != INT64_MAX)
		rc_timer_arm(tip->timer, first - rc_loop_now_us(tip->rpcd->loop));
}

static void fail_away(struct rpc_call *call, const char *daemon)
{
	rpc_call_fail_retry(call, RPC_DAEMON_AWAY, 1000,
			    json_pack("{s:s, s:i}", "daemon", daemon, "retry_ms", 1000),
			    "%s is away or stopping: try again", daemon);
}

/*
 * Answers whom the tip satisfies, or whose time is over. An answer may begin its batch's next call,
 * which may come back here: so they are out of the list, and can't be hung up on, before the first
 * is answered.
 */
static void wake(struct tip *tip)
{
	int64_t now = rc_loop_now_us(tip->rpcd->loop);
	struct waiter *due = NULL, *w, *next;

	DL_FOREACH_SAFE (tip->waiters, w, next) {
		if (!satisfied(tip, w) && w->until_us > now)
			continue;
		/* Its answer is the tip as it is: not known yet at a start, and held for as any. */
		if (!tip->seen && !w->overdue) {
			w->overdue = true;
			w->until_us = now + (int64_t)call_deadline(w->call) * 1000;
			rc_timer_arm(tip->pause, 0); /* ask */
			continue;
		}
		DL_DELETE(tip->waiters, w);
		w->call->hang_up = NULL;
		DL_APPEND(due, w);
	}
	while ((w = due)) {
		DL_DELETE(due, w);
		if (tip->seen)
			w->fn(w->call, &tip->ref);
		else
			fail_away(w->call, "chaind");
		free(w);
	}
	arm_timer(tip);
}

static void take(struct tip *tip, const struct rc_block_ref *ref)
{
	tip->ref = *ref;
	tip->seen = true;
	wake(tip);
}

static void on_polled(void *arg, const struct rc_reply *why, const struct rc_block_ref *ref)
{
	struct tip *tip = arg;

	tip->polling = false;
	if (tip->closing)
		return;
	if (why->err) {
		tip->sure = false;
		rc_timer_arm(tip->pause, PAUSE_US);
		return;
	}
	/* While a question after a submission is open, only its answer is sure to be new enough. */
	tip->sure = !tip->touching;
	take(tip, ref);
	poll_tip(tip);
}

static void poll_tip(struct tip *tip)
{
	struct rc_chaind *chaind = backend_chaind(tip->rpcd->backends, BACKEND_CHAIND_READ);

	if (tip->polling)
		return;
	tip->polling = true;
	/* When it isn't sure any more the answer is wanted at once. */
	rc_chaind_wait_tip(chaind, tip->sure ? &tip->ref.id : NULL, 0, POLL_MS, ANSWER_MS,
			   on_polled, tip);
}

static void on_touched(void *arg, const struct rc_reply *why, const struct rc_block_ref *ref)
{
	struct tip *tip = arg;

	tip->touching = false;
	if (tip->closing)
		return;
	if (tip->touch_again) {
		tip->touch_again = false;
		ask_now(tip);
		return;
	}
	if (!why->err) {
		tip->sure = true;
		take(tip, ref);
	} else if (!tip->seen) {
		rc_timer_arm(tip->pause, PAUSE_US);
	}
}

static void ask_now(struct tip *tip)
{
	tip->touching = true;
	rc_chaind_wait_tip(backend_chaind(tip->rpcd->backends, BACKEND_CHAIND_READ), NULL, 0, 0,
			   TOUCHED_MS, on_touched, tip);
}

static void on_pause(void *arg)
{
	struct tip *tip = arg;

	/* The long poll may have been begun before chaind had a tip: its answer is the next one. */
	if (!tip->seen && !tip->touching)
		ask_now(tip);
	poll_tip(tip);
}

static void on_timer(void *arg)
{
	wake(arg);
}

static void on_chaind(void *arg, bool up)
{
	struct tip *tip = arg;

	if (!up)
		tip->sure = false;
	else if (!tip->touching)
		ask_now(tip);
}

struct tip *tip_open(struct rpcd *rpcd)
{
	struct tip *tip = rc_alloc(sizeof(*tip));

	tip->rpcd = rpcd;
	tip->pause = rc_loop_add_timer(rpcd->loop, on_pause, tip);
	tip->timer = rc_loop_add_timer(rpcd->loop, on_timer, tip);
	backends_on_chaind(rpcd->backends, on_chaind, tip);
	poll_tip(tip);
	return tip;
}

void tip_close(struct tip *tip)
{
	struct waiter *w, *next;

	if (!tip || tip->closing)
		return;
	tip->closing = true;
	backends_on_chaind(tip->rpcd->backends, NULL, NULL);
	DL_FOREACH_SAFE (tip->waiters, w, next) {
		DL_DELETE(tip->waiters, w);
		fail_away(w->call, "rpcd");
		free(w);
	}
	rc_source_free(tip->pause);
	rc_source_free(tip->timer);
}

void tip_free(struct tip *tip)
{
	free(tip);
}

const struct rc_block_ref *tip_known(const struct tip *tip)
{
	return tip->seen && tip->sure ? &tip->ref : NULL;
}

const struct rc_block_ref *tip_last(const struct tip *tip)
{
	return tip->seen ? &tip->ref : NULL;
}

void tip_touch(struct tip *tip)
{
	tip->sure = false;
	if (tip->touching)
		tip->touch_again = true;
	else
		ask_now(tip);
}

static void hang_up(struct rpc_call *call)
{
	struct tip *tip = call_rpcd(call)->tip;
	struct waiter *w;

	DL_SEARCH_SCALAR(tip->waiters, w, call, call);
	DL_DELETE(tip->waiters, w);
	free(w);
	arm_timer(tip);
	rpc_call_fail(call, RPC_MISC, "the client hung up");
}

void tip_wait(struct rpc_call *call, const struct rc_block_id *known, uint32_t min_height,
	      uint32_t wait_ms, tip_fn fn)
{
	struct tip *tip = call_rpcd(call)->tip;
	struct waiter *w;

	if (tip->closing) { /* it was in hand when the stop began */
		fail_away(call, "rpcd");
		return;
	}
	w = rc_alloc(sizeof(*w));
	w->call = call;
	w->fn = fn;
	w->has_known = known != NULL;
	if (known)
		w->known = *known;
	w->min_height = min_height;
	w->until_us = rc_loop_now_us(tip->rpcd->loop) + (int64_t)wait_ms * 1000;
	DL_APPEND(tip->waiters, w);
	call->hang_up = hang_up;
	if (satisfied(tip, w) && tip->sure)
		wake(tip);
	else
		arm_timer(tip);
}
