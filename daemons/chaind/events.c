/* What chaind tells its subscribers: hints, each with enough to act on. */
#include "daemons/chaind/chaind.h"
#include "proto/chaind.pb-c.h"

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
	put_ref(&ref, node_height(node), &node->id);
	rc_header_encode(&node->header, header);
	event.block = &ref;
	event.header = (ProtobufCBinaryData){sizeof(header), header};
	rc_server_publish(chaind->server, "header", &event);
}

void event_tx(struct chaind *chaind, const struct pool_tx *tx, const char *why)
{
	Rc__ChaindTx event = RC__CHAIND_TX__INIT;

	if (!chaind->server)
		return;
	event.txid = (ProtobufCBinaryData){32, (uint8_t *)tx->tx.txid.b};
	event.wtxid = (ProtobufCBinaryData){32, (uint8_t *)tx->tx.wtxid.b};
	event.size = (uint32_t)tx->tx.raw.len;
	event.fee = tx->facts.fee;
	event.why = (char *)why;
	event.peer = tx->facts.peer;
	rc_server_publish(chaind->server, "tx", &event);
}

void event_tx_removed(struct chaind *chaind, const struct rc_txid *txid,
		      const struct rc_wtxid *wtxid, uint32_t size, uint64_t fee, const char *why)
{
	Rc__ChaindTx event = RC__CHAIND_TX__INIT;

	if (!chaind->server)
		return;
	event.txid = (ProtobufCBinaryData){32, (uint8_t *)txid->b};
	event.wtxid = (ProtobufCBinaryData){32, (uint8_t *)wtxid->b};
	event.size = size;
	event.fee = fee;
	event.why = (char *)why;
	rc_server_publish(chaind->server, "tx-removed", &event);
}
