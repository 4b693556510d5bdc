/* chaind's events, unpacked for who follows it. See chaind.h. */
#include <stdlib.h>
#include <string.h>

#include "client/chaind.h"
#include "proto/chaind.pb-c.h"

struct rc_chaind_subscription {
	struct rc_subscriber *subscriber;
	struct rc_chaind_events events;
	void *arg;
};

static void get32(ProtobufCBinaryData field, uint8_t ret[32])
{
	memset(ret, 0, 32);
	if (field.len == 32)
		memcpy(ret, field.data, 32);
}

static struct rc_block_ref ref_of(const Rc__BlockRef *ref)
{
	struct rc_block_ref ret = {0};

	if (ref) {
		ret.height = ref->height;
		get32(ref->id, ret.id.b);
	}
	return ret;
}

static void on_tip(struct rc_chaind_subscription *s,
		   void (*fn)(void *arg, const struct rc_tip_event *event), struct rc_bytes body)
{
	Rc__ChaindTip *m = fn ? rc__chaind_tip__unpack(NULL, body.len, body.data) : NULL;
	struct rc_tip_event event;

	if (!m)
		return;
	event.tip = ref_of(m->tip);
	event.durable = ref_of(m->durable);
	get32(m->prev, event.prev.b);
	event.header = (struct rc_bytes){m->header.data, m->header.len};
	event.reorganised = m->reorganised;
	event.initial_download = m->initial_download;
	fn(s->arg, &event);
	rc__chaind_tip__free_unpacked(m, NULL);
}

static void on_header(struct rc_chaind_subscription *s, struct rc_bytes body)
{
	Rc__ChaindHeader *m =
		s->events.header ? rc__chaind_header__unpack(NULL, body.len, body.data) : NULL;
	struct rc_header_event event;

	if (!m)
		return;
	event.block = ref_of(m->block);
	event.header = (struct rc_bytes){m->header.data, m->header.len};
	s->events.header(s->arg, &event);
	rc__chaind_header__free_unpacked(m, NULL);
}

static void tell_tx(struct rc_chaind_subscription *s,
		    void (*fn)(void *arg, const struct rc_tx_event *event), const Rc__ChaindTx *m)
{
	struct rc_tx_event event = {.size = m->size, .fee = m->fee, .why = m->why, .peer = m->peer};

	get32(m->txid, event.txid.b);
	get32(m->wtxid, event.wtxid.b);
	fn(s->arg, &event);
}

static void on_tx(struct rc_chaind_subscription *s,
		  void (*fn)(void *arg, const struct rc_tx_event *event), struct rc_bytes body)
{
	Rc__ChaindTx *m = fn ? rc__chaind_tx__unpack(NULL, body.len, body.data) : NULL;

	if (!m)
		return;
	tell_tx(s, fn, m);
	for (size_t i = 0; i < m->n_more; i++)
		tell_tx(s, fn, m->more[i]);
	rc__chaind_tx__free_unpacked(m, NULL);
}

static void on_event(void *arg, const char *topic, struct rc_bytes body, uint64_t boot,
		     uint64_t sequence)
{
	struct rc_chaind_subscription *s = arg;

	(void)boot;
	(void)sequence;
	if (strcmp(topic, "tip") == 0)
		on_tip(s, s->events.tip, body);
	else if (strcmp(topic, "durable") == 0)
		on_tip(s, s->events.durable, body);
	else if (strcmp(topic, "header") == 0)
		on_header(s, body);
	else if (strcmp(topic, "tx") == 0)
		on_tx(s, s->events.tx, body);
	else if (strcmp(topic, "tx-removed") == 0)
		on_tx(s, s->events.tx_removed, body);
}

static void on_missed(void *arg)
{
	struct rc_chaind_subscription *s = arg;

	if (s->events.missed)
		s->events.missed(s->arg);
}

int rc_chaind_subscribe(struct rc_loop *loop, const struct rc_client_config *config,
			struct rc_chaind *chaind, const struct rc_chaind_events *events, void *arg,
			struct rc_chaind_subscription **ret, struct rc_error *error)
{
	struct rc_client_config to_chaind = *config;
	struct rc_chaind_subscription *s = rc_alloc(sizeof(*s));
	int rc;

	to_chaind.to = RC_CHAIND;
	s->events = *events;
	s->arg = arg;
	rc = rc_subscriber_open(loop, &to_chaind, rc_chaind_bus(chaind), on_event, on_missed, s,
				&s->subscriber, error);
	if (rc < 0) {
		free(s);
		return rc;
	}
	*ret = s;
	return RC_OK;
}

void rc_chaind_unsubscribe(struct rc_chaind_subscription *s)
{
	if (!s)
		return;
	rc_subscriber_close(s->subscriber);
	free(s);
}
