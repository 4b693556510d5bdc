/* A ring of events behind an XPUB socket. */
#include "bus/publisher.h"

#include <assert.h>
#include <stdlib.h>

#include "base/num.h"
#include "bus/topology.h"

/* Kept for replay: some minutes of a busy node; a subscriber that missed more asks for the present
 * state instead. */
#define KEPT_EVENTS 4096u
#define KEPT_BYTES  (16u << 20)
/* Of one answer; the rest is asked for again. */
#define REPLAY_BYTES (4u << 20)
/* Waiting for one slow subscriber; beyond, it loses events and replays them. */
#define WAITING_EVENTS 1024
/* What subscribers send: a prefix of a topic. */
#define SUBSCRIPTION_MAX 256
/* What the fields around an event's body add to its size in an answer, generously. */
#define EVENT_OVERHEAD 96u

struct event {
	char *topic;
	uint8_t *body;
	size_t len;
};

struct rc_publisher {
	struct rc_zsock *zsock;
	uint64_t boot;
	uint64_t last;			/* sequence of the newest; 0: none yet */
	uint64_t first;			/* of the oldest kept; last + 1: none is */
	size_t bytes;			/* of those kept */
	struct event ring[KEPT_EVENTS]; /* sequence s stands at s % KEPT_EVENTS */
};

/* Subscriptions: libzmq keeps them; we only take them off the queue. */
static void on_subscription(void *arg, struct rc_frames *frames)
{
	(void)arg;
	(void)frames;
}

int rc_publisher_open(struct rc_loop *loop, const char *endpoint, uint64_t boot,
		      struct rc_publisher **ret, struct rc_error *error)
{
	struct rc_publisher *publisher = rc_alloc(sizeof(*publisher));
	const struct rc_zsock_config config = {
		.type = ZMQ_XPUB,
		.max_frame = SUBSCRIPTION_MAX,
		.max_bytes = SUBSCRIPTION_MAX,
		.send_mark = WAITING_EVENTS,
		.receive_mark = WAITING_EVENTS,
		.linger_ms = 100,
		.xpub_hello = RC_EVENTS_HELLO,
		.on_frames = on_subscription,
		.arg = publisher,
	};
	int err;

	publisher->boot = boot;
	publisher->first = 1;
	err = rc_zsock_open(loop, &config, &publisher->zsock, error);
	if (err == RC_OK)
		err = rc_zsock_bind(publisher->zsock, endpoint, error);
	if (err < 0) {
		rc_publisher_close(publisher);
		return err;
	}
	*ret = publisher;
	return RC_OK;
}

static void forget_oldest(struct rc_publisher *publisher)
{
	struct event *event = &publisher->ring[publisher->first % KEPT_EVENTS];

	publisher->bytes -= event->len;
	free(event->topic);
	free(event->body);
	*event = (struct event){0};
	publisher->first++;
}

void rc_publisher_close(struct rc_publisher *publisher)
{
	struct rc_frames bye = {0};

	if (!publisher)
		return;
	if (publisher->zsock) {
		rc_frames_put(&bye, NULL, RC_EVENTS_BYE, sizeof(RC_EVENTS_BYE) - 1);
		rc_zsock_send(publisher->zsock, &bye);
		rc_frames_done(&bye);
	}
	rc_zsock_close(publisher->zsock);
	while (publisher->first <= publisher->last)
		forget_oldest(publisher);
	free(publisher);
}

uint64_t rc_publisher_last(const struct rc_publisher *publisher)
{
	return publisher->last;
}

static Rc__Event as_message(const struct rc_publisher *publisher, uint64_t sequence)
{
	const struct event *event = &publisher->ring[sequence % KEPT_EVENTS];
	Rc__Event message = RC__EVENT__INIT;

	message.boot = publisher->boot;
	message.sequence = sequence;
	message.topic = event->topic;
	message.body.data = event->body;
	message.body.len = event->len;
	return message;
}

uint64_t rc_publisher_send(struct rc_publisher *publisher, const char *topic,
			   const ProtobufCMessage *body)
{
	struct rc_envelope envelope = {.kind = RC__ENVELOPE__KIND__EVENT, .boot = publisher->boot};
	struct rc_frames frames = {0};
	struct event *event;
	Rc__Event message;

	while (publisher->last - publisher->first + 1 >= KEPT_EVENTS ||
	       (publisher->first <= publisher->last && publisher->bytes > KEPT_BYTES))
		forget_oldest(publisher);
	publisher->last++;
	event = &publisher->ring[publisher->last % KEPT_EVENTS];
	event->topic = rc_strdup(topic);
	event->len = body ? protobuf_c_message_get_packed_size(body) : 0;
	event->body = rc_alloc(event->len);
	if (body)
		protobuf_c_message_pack(body, event->body);
	publisher->bytes += event->len;

	message = as_message(publisher, publisher->last);
	rc_frames_put(&frames, NULL, topic, strlen(topic));
	rc_frames_put_envelope(&frames, &envelope);
	rc_frames_put_packed(&frames, NULL, &message.base);
	rc_zsock_send(publisher->zsock, &frames); /* an XPUB drops for whom it must, never fails */
	rc_frames_done(&frames);
	return publisher->last;
}

void rc_publisher_replay(const struct rc_publisher *publisher, const Rc__EventsRequest *request,
			 void (*answer)(void *arg, const Rc__EventsReply *reply), void *arg)
{
	Rc__EventsReply reply = RC__EVENTS_REPLY__INIT;
	uint64_t next = request->since + 1;
	size_t bytes = 0, n = 0, most;
	Rc__Event *messages;
	Rc__Event **list;

	reply.boot = publisher->boot;
	reply.last = publisher->last;
	if (request->boot != publisher->boot || request->since > publisher->last) {
		reply.missed = true;
		answer(arg, &reply);
		return;
	}
	if (next < publisher->first) {
		reply.missed = true;
		next = publisher->first;
	}
	most = publisher->last + 1 - next;
	messages = rc_alloc_array(most, sizeof(*messages));
	list = rc_alloc_array(most, sizeof(Rc__Event *));
	for (; n < most && bytes < REPLAY_BYTES; n++) {
		messages[n] = as_message(publisher, next + n);
		list[n] = &messages[n];
		bytes += messages[n].body.len + strlen(messages[n].topic) + EVENT_OVERHEAD;
	}
	reply.n_events = n;
	reply.events = list;
	answer(arg, &reply);
	free(list);
	free(messages);
}
