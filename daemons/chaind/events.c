/* What chaind tells its subscribers: hints, each with enough to act on. */
#include "daemons/chaind/chaind.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proto/chaind.pb-c.h"

/* Transactions told by one event: about 25 kB. */
#define TX_EVENTS_MAX 256
/* They are gathered so long: nobody acts on one sooner, and each event wakes every subscriber. */
#define TX_EVENTS_GATHER_US 10000

static const char topic_tx[] = "tx", topic_removed[] = "tx-removed";

/* Of a transaction that entered the pool or left it, until the event is written. */
struct tx_event {
	struct rc_txid txid;
	struct rc_wtxid wtxid;
	uint32_t size;
	rc_amount fee;
	uint64_t peer;
	const char *why; /* a constant */
};

static void put_ref(Rc__BlockRef *ref, uint32_t height, const struct rc_block_id *id)
{
	ref->height = height;
	ref->id = (ProtobufCBinaryData){sizeof(id->b), (uint8_t *)id->b};
}

static void tip_event(struct chaind *chaind, const char *topic, bool reorganised)
{
	struct block_node *tip = chain_tip(&chaind->chain);
	Rc__ChaindTip event = RC__CHAIND_TIP__INIT;
	Rc__BlockRef ref = RC__BLOCK_REF__INIT, durable = RC__BLOCK_REF__INIT;
	uint8_t header[RC_HEADER_SIZE];

	if (!chaind->server)
		return;
	event_flush(chaind);
	put_ref(&ref, node_height(tip), &tip->id);
	put_ref(&durable, chaind->connect.durable_height, &chaind->connect.durable_id);
	rc_header_encode(&tip->header, header);
	event.tip = &ref;
	event.durable = &durable;
	event.prev = (ProtobufCBinaryData){32, tip->header.prev.b};
	event.header = (ProtobufCBinaryData){sizeof(header), header};
	event.reorganised = reorganised;
	event.initial_download = connect_initial_download(&chaind->connect);
	rc_server_publish(chaind->server, topic, &event);
}

void event_tip(struct chaind *chaind, bool reorganised)
{
	tip_event(chaind, "tip", reorganised);
}

void event_durable(struct chaind *chaind)
{
	tip_event(chaind, "durable", false);
}

void event_header(struct chaind *chaind, const struct block_node *node)
{
	Rc__ChaindHeader event = RC__CHAIND_HEADER__INIT;
	Rc__BlockRef ref = RC__BLOCK_REF__INIT;
	uint8_t header[RC_HEADER_SIZE];

	if (!chaind->server)
		return;
	event_flush(chaind);
	put_ref(&ref, node_height(node), &node->id);
	rc_header_encode(&node->header, header);
	event.block = &ref;
	event.header = (ProtobufCBinaryData){sizeof(header), header};
	rc_server_publish(chaind->server, "header", &event);
}

static void flush_txs(void *arg)
{
	event_flush(arg);
}

static void fill_tx(const struct tx_event *from, Rc__ChaindTx *event)
{
	*event = (Rc__ChaindTx)RC__CHAIND_TX__INIT;
	event->txid = (ProtobufCBinaryData){32, (uint8_t *)from->txid.b};
	event->wtxid = (ProtobufCBinaryData){32, (uint8_t *)from->wtxid.b};
	event->size = from->size;
	event->fee = from->fee;
	event->why = (char *)from->why;
	event->peer = from->peer;
}

void event_flush(struct chaind *chaind)
{
	Rc__ChaindTx events[TX_EVENTS_MAX], *more[TX_EVENTS_MAX];
	size_t n = chaind->n_tx_events;

	if (n == 0)
		return;
	rc_timer_disarm(chaind->tell_txs);
	chaind->n_tx_events = 0;
	for (size_t i = 0; i < n; i++) {
		fill_tx(&chaind->tx_events[i], &events[i]);
		more[i] = &events[i];
	}
	events[0].n_more = n - 1;
	events[0].more = more + 1;
	rc_server_publish(chaind->server, chaind->tx_topic, &events[0]);
}

/* Told with those that come about now: an event each would cost more than the pool. In order: what
 * enters and what leaves are never in one event. */
static void gather(struct chaind *chaind, const char *topic, const struct tx_event *event)
{
	if (!chaind->server)
		return;
	if (!chaind->tx_events) {
		chaind->tx_events = rc_alloc_array(TX_EVENTS_MAX, sizeof(*chaind->tx_events));
		chaind->tell_txs = rc_loop_add_timer(chaind->loop, flush_txs, chaind);
	}
	if (chaind->tx_topic != topic)
		event_flush(chaind);
	chaind->tx_topic = topic;
	chaind->tx_events[chaind->n_tx_events++] = *event;
	if (chaind->n_tx_events == TX_EVENTS_MAX)
		event_flush(chaind);
	else if (chaind->n_tx_events == 1)
		rc_timer_arm(chaind->tell_txs, TX_EVENTS_GATHER_US);
}

void event_tx(struct chaind *chaind, const struct pool_tx *tx, const char *why)
{
	const struct tx_event event = {
		.txid = tx->tx.txid,
		.wtxid = tx->tx.wtxid,
		.size = (uint32_t)tx->tx.raw.len,
		.fee = tx->facts.fee,
		.peer = tx->facts.peer,
		.why = why,
	};

	gather(chaind, topic_tx, &event);
}

void event_tx_removed(struct chaind *chaind, const struct rc_txid *txid,
		      const struct rc_wtxid *wtxid, uint32_t size, uint64_t fee, const char *why)
{
	const struct tx_event event = {
		.txid = *txid, .wtxid = *wtxid, .size = size, .fee = fee, .why = why};

	gather(chaind, topic_removed, &event);
}

void events_done(struct chaind *chaind)
{
	rc_source_free(chaind->tell_txs);
	free(chaind->tx_events);
	chaind->tell_txs = NULL;
	chaind->tx_events = NULL;
	chaind->n_tx_events = 0;
}
