/*
 * The listening end of events. Every new connection begins with the publisher's hello, and then
 * with a replay; a gap in the numbers begins one, too. While one is under way live events are let
 * pass: the replay brings them, or shows that there are more. A replay every two seconds finds what
 * a slow subscriber lost at the end of a burst, where no later number shows the gap.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/client.h"
#include "bus/frames.h"
#include "bus/publisher.h"
#include "bus/zsock.h"
#include "proto/common.pb-c.h"

#define REPLAY_MS    10000
#define RETRY_US     INT64_C(500000)
#define CHECK_US     INT64_C(2000000)
#define RECEIVE_MARK 1024
/* Largest event: as what Events(since) may carry. */
#define EVENT_MAX (16 << 20)

/* Frames of an event: topic, envelope, Event. */
enum { FRAME_TOPIC, FRAME_ENVELOPE, FRAME_EVENT, N_FRAMES };

struct rc_subscriber {
	struct rc_loop *loop;
	struct rc_zsock *zsock;
	struct rc_client *replay;
	char endpoint[256];
	bool inproc;
	rc_event_fn fn;
	rc_missed_fn missed;
	void *arg;
	uint64_t boot;	   /* of the publisher; 0: not known yet */
	uint64_t sequence; /* the last one given to fn */
	uint64_t seen;	   /* the greatest one heard of */
	uint64_t call;	   /* the replay under way; 0: none */
	struct rc_source *again;
	struct rc_source *rejoin;
	bool *gone;
};

static void ask_replay(struct rc_subscriber *subscriber);

/* Both call out, and are false if the subscriber was closed there. */
static bool tell_missed(struct rc_subscriber *subscriber)
{
	bool gone = false;

	subscriber->gone = &gone;
	if (subscriber->missed)
		subscriber->missed(subscriber->arg);
	if (!gone)
		subscriber->gone = NULL;
	return !gone;
}

static bool tell_event(struct rc_subscriber *subscriber, const Rc__Event *event)
{
	bool gone = false;

	subscriber->sequence = event->sequence;
	subscriber->gone = &gone;
	subscriber->fn(subscriber->arg, event->topic ? event->topic : "",
		       (struct rc_bytes){event->body.data, event->body.len}, event->boot,
		       event->sequence);
	if (!gone)
		subscriber->gone = NULL;
	return !gone;
}

static void on_replay(void *arg, const struct rc_reply *reply)
{
	struct rc_subscriber *subscriber = arg;
	const Rc__EventsReply *events = reply->body;
	bool missed;

	subscriber->call = 0;
	if (reply->err < 0) {
		if (reply->err != RC_ECANCELLED)
			rc_timer_arm(subscriber->again, RETRY_US);
		return;
	}
	missed = events->missed || events->boot != subscriber->boot;
	if (missed) {
		subscriber->boot = events->boot;
		subscriber->sequence = events->last;
		subscriber->seen = events->last;
		rc_timer_arm(subscriber->again, CHECK_US);
		tell_missed(subscriber);
		return;
	}
	for (size_t i = 0; i < events->n_events; i++) {
		if (events->events[i]->sequence != subscriber->sequence + 1)
			continue;
		if (!tell_event(subscriber, events->events[i]))
			return;
	}
	if (events->last > subscriber->seen)
		subscriber->seen = events->last;
	if (subscriber->seen > subscriber->sequence)
		ask_replay(subscriber);
	else
		rc_timer_arm(subscriber->again, CHECK_US);
}

static void ask_replay(struct rc_subscriber *subscriber)
{
	Rc__EventsRequest request = RC__EVENTS_REQUEST__INIT;

	if (subscriber->call || !subscriber->replay)
		return;
	request.boot = subscriber->boot;
	request.since = subscriber->sequence;
	subscriber->call = rc_client_call(subscriber->replay, RC_MSG_EVENTS, &request, NULL, 0,
					  REPLAY_MS, on_replay, subscriber);
}

static void on_again(void *arg)
{
	ask_replay(arg);
}

/* Without a replay client a gap is a loss. */
static void on_gap(struct rc_subscriber *subscriber, const Rc__Event *event)
{
	if (subscriber->replay) {
		ask_replay(subscriber);
		return;
	}
	subscriber->boot = event->boot;
	subscriber->sequence = event->sequence - 1;
	if (tell_missed(subscriber))
		tell_event(subscriber, event);
}

static void on_event(struct rc_subscriber *subscriber, const Rc__Event *event)
{
	if (event->boot != subscriber->boot) {
		on_gap(subscriber, event);
		return;
	}
	if (event->sequence <= subscriber->sequence)
		return; /* known from a replay */
	if (event->sequence > subscriber->seen)
		subscriber->seen = event->sequence;
	if (subscriber->call)
		return;
	if (event->sequence == subscriber->sequence + 1)
		tell_event(subscriber, event);
	else
		on_gap(subscriber, event);
}

static bool frame_is(const struct rc_frames *frames, const char *text)
{
	struct rc_bytes b = rc_frames_get(frames, 0);

	return frames->n == 1 && b.len == strlen(text) && memcmp(b.data, text, b.len) == 0;
}

static void on_frames(void *arg, struct rc_frames *frames)
{
	struct rc_subscriber *subscriber = arg;
	struct rc_bump bump = {0};
	const Rc__Event *event;

	if (frame_is(frames, RC_EVENTS_HELLO)) {
		ask_replay(subscriber);
	} else if (frame_is(frames, RC_EVENTS_BYE)) {
		if (subscriber->inproc)
			rc_defer_enable(subscriber->rejoin, true);
	} else if (frames->n == N_FRAMES) {
		event = rc_body_decode(&rc__event__descriptor, rc_frames_get(frames, FRAME_EVENT),
				       &bump);
		if (event && event->sequence)
			on_event(subscriber, event);
		rc_bump_done(&bump);
	}
}

/* In-process sockets don't reconnect by themselves. */
static void on_rejoin(void *arg)
{
	struct rc_subscriber *subscriber = arg;

	rc_defer_enable(subscriber->rejoin, false);
	rc_zsock_disconnect(subscriber->zsock, subscriber->endpoint);
	rc_zsock_connect(subscriber->zsock, subscriber->endpoint, NULL);
}

static int make_endpoint(struct rc_subscriber *subscriber, const struct rc_client_config *config,
			 struct rc_error *error)
{
	if (config->rundir)
		return rc_endpoint_events(config->rundir, config->to, subscriber->endpoint,
					  sizeof(subscriber->endpoint), error);
	snprintf(subscriber->endpoint, sizeof(subscriber->endpoint), "inproc://%s/%s/events",
		 config->inproc, rc_daemon_name(config->to));
	return RC_OK;
}

int rc_subscriber_open(struct rc_loop *loop, const struct rc_client_config *config,
		       struct rc_client *replay, rc_event_fn fn, rc_missed_fn missed, void *arg,
		       struct rc_subscriber **ret, struct rc_error *error)
{
	struct rc_subscriber *subscriber = rc_alloc(sizeof(*subscriber));
	const struct rc_zsock_config zconfig = {
		.type = ZMQ_SUB,
		.max_frame = EVENT_MAX,
		.max_bytes = EVENT_MAX + RC_ENVELOPE_MAX,
		.send_mark = RECEIVE_MARK,
		.receive_mark = RECEIVE_MARK,
		.on_frames = on_frames,
		.arg = subscriber,
	};
	int err;

	subscriber->loop = loop;
	subscriber->replay = replay;
	subscriber->inproc = !config->rundir;
	subscriber->fn = fn;
	subscriber->missed = missed;
	subscriber->arg = arg;
	subscriber->again = rc_loop_add_timer(loop, on_again, subscriber);
	subscriber->rejoin = rc_loop_add_defer(loop, on_rejoin, subscriber);
	err = make_endpoint(subscriber, config, error);
	if (err == RC_OK)
		err = rc_zsock_open(loop, &zconfig, &subscriber->zsock, error);
	if (err == RC_OK)
		err = rc_zsock_connect(subscriber->zsock, subscriber->endpoint, error);
	if (err < 0) {
		rc_subscriber_close(subscriber);
		return err;
	}
	*ret = subscriber;
	return RC_OK;
}

void rc_subscriber_close(struct rc_subscriber *subscriber)
{
	if (!subscriber)
		return;
	if (subscriber->gone)
		*subscriber->gone = true;
	if (subscriber->call)
		rc_client_cancel(subscriber->replay, subscriber->call);
	rc_zsock_close(subscriber->zsock);
	rc_source_free(subscriber->again);
	rc_source_free(subscriber->rejoin);
	free(subscriber);
}
