/* Typed calls to peerd: plain C on this side, the bus's messages on the other. */
#include "client/peerd.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/num.h"
#include "proto/peerd.pb-c.h"

/* A call on its way: whom to tell. The union keeps each function's own type. */
struct waiter {
	union {
		rc_peerd_done_fn done;
		rc_peerd_net_fn net;
		rc_peerd_peers_fn peers;
		rc_peerd_addresses_fn addresses;
		rc_peerd_books_fn books;
		rc_peerd_bans_fn bans;
	} fn;
	void *arg;
};

static struct waiter *waiter_new(void *arg)
{
	struct waiter *w = rc_alloc(sizeof(*w));

	w->arg = arg;
	return w;
}

/* As an argument of a message that isn't changed: protobuf-c has no const. */
static char *text_of(const char *text)
{
	return text ? (char *)(uintptr_t)text : (char *)(uintptr_t) "";
}

static void key_of(const ProtobufCBinaryData *data, uint8_t ret_key[33])
{
	memset(ret_key, 0, 33);
	if (data->len == 33)
		memcpy(ret_key, data->data, 33);
}

static void on_done(void *arg, const struct rc_reply *reply)
{
	struct waiter *w = arg;

	w->fn.done(w->arg, reply);
	free(w);
}

static void call_done(struct rc_client *client, enum rc_message message, const void *body,
		      uint32_t deadline_ms, rc_peerd_done_fn fn, void *arg)
{
	struct waiter *w = waiter_new(arg);

	w->fn.done = fn;
	rc_client_call(client, message, body, NULL, 0, deadline_ms, on_done, w);
}

static void on_net(void *arg, const struct rc_reply *reply)
{
	struct waiter *w = arg;
	const Rc__NetInfoReply *m = reply->body;
	struct rc_peerd_net net;

	if (reply->err) {
		w->fn.net(w->arg, reply, NULL);
		free(w);
		return;
	}
	net = (struct rc_peerd_net){
		.protocol = m->protocol,
		.user_agent = m->user_agent,
		.active = m->active,
		.inbound = m->inbound,
		.outbound = m->outbound,
		.listening = (const char *const *)m->listening,
		.n_listening = m->n_listening,
		.bytes_received = m->bytes_received,
		.bytes_sent = m->bytes_sent,
		.time_ms = m->time_ms,
		.services = (const char *const *)m->services,
		.n_services = m->n_services,
	};
	key_of(&m->link_key, net.link_key);
	w->fn.net(w->arg, reply, &net);
	free(w);
}

void rc_peerd_net_info(struct rc_client *client, uint32_t deadline_ms, rc_peerd_net_fn fn,
		       void *arg)
{
	struct waiter *w = waiter_new(arg);

	w->fn.net = fn;
	rc_client_call(client, RC_MSG_NET_INFO, NULL, NULL, 0, deadline_ms, on_net, w);
}

static void peer_of(const Rc__PeerInfoReply__Peer *m, struct rc_peerd_peer *ret)
{
	*ret = (struct rc_peerd_peer){
		.id = m->id,
		.addr = m->addr,
		.inbound = m->inbound,
		.role = m->role,
		.network = m->network,
		.transport = m->transport,
		.user_agent = m->user_agent,
		.version = m->version,
		.services = (const char *const *)m->services,
		.n_services = m->n_services,
		.relay = m->relay,
		.last_send_ms = m->last_send_ms,
		.last_recv_ms = m->last_recv_ms,
		.bytes_sent = m->bytes_sent,
		.bytes_received = m->bytes_received,
		.ping_us = m->ping_us,
		.connected_ms = m->connected_ms,
		.synced_headers = m->synced_headers,
		.synced_blocks = m->synced_blocks,
		.start_height = m->start_height,
		.score = m->score,
		.in_flight = m->in_flight,
		.state = m->state,
	};
	key_of(&m->link_key, ret->link_key);
}

static void on_peers(void *arg, const struct rc_reply *reply)
{
	struct waiter *w = arg;
	const Rc__PeerInfoReply *m = reply->body;
	RC_AUTOFREE struct rc_peerd_peer *peers = NULL;

	if (reply->err) {
		w->fn.peers(w->arg, reply, NULL, 0);
	} else {
		peers = rc_alloc_array(m->n_peers, sizeof(*peers));
		for (size_t i = 0; i < m->n_peers; i++)
			peer_of(m->peers[i], &peers[i]);
		w->fn.peers(w->arg, reply, peers, m->n_peers);
	}
	free(w);
}

void rc_peerd_peer_info(struct rc_client *client, uint32_t deadline_ms, rc_peerd_peers_fn fn,
			void *arg)
{
	struct waiter *w = waiter_new(arg);

	w->fn.peers = fn;
	rc_client_call(client, RC_MSG_PEER_INFO, NULL, NULL, 0, deadline_ms, on_peers, w);
}

static void on_addresses(void *arg, const struct rc_reply *reply)
{
	struct waiter *w = arg;
	const Rc__NodeAddressesReply *m = reply->body;
	RC_AUTOFREE struct rc_peerd_address *list = NULL;

	if (reply->err) {
		w->fn.addresses(w->arg, reply, NULL, 0);
		free(w);
		return;
	}
	list = rc_alloc_array(m->n_addresses, sizeof(*list));
	for (size_t i = 0; i < m->n_addresses; i++) {
		const Rc__NodeAddressesReply__Address *a = m->addresses[i];

		list[i] = (struct rc_peerd_address){
			.addr = a->addr,
			.port = (uint16_t)a->port,
			.time = a->time,
			.services = (const char *const *)a->services,
			.n_services = a->n_services,
			.network = a->network,
			.has_key = a->link_key.len == 33,
		};
		key_of(&a->link_key, list[i].link_key);
	}
	w->fn.addresses(w->arg, reply, list, m->n_addresses);
	free(w);
}

void rc_peerd_node_addresses(struct rc_client *client, uint32_t count, const char *network,
			     const char *service, uint32_t deadline_ms, rc_peerd_addresses_fn fn,
			     void *arg)
{
	Rc__NodeAddressesRequest m = RC__NODE_ADDRESSES_REQUEST__INIT;
	struct waiter *w = waiter_new(arg);

	m.count = count;
	m.network = text_of(network);
	m.service = text_of(service);
	w->fn.addresses = fn;
	rc_client_call(client, RC_MSG_NODE_ADDRESSES, &m, NULL, 0, deadline_ms, on_addresses, w);
}

static void on_books(void *arg, const struct rc_reply *reply)
{
	struct waiter *w = arg;
	const Rc__AddrmanInfoReply *m = reply->body;
	RC_AUTOFREE struct rc_peerd_book *list = NULL;

	if (reply->err) {
		w->fn.books(w->arg, reply, NULL, 0);
		free(w);
		return;
	}
	list = rc_alloc_array(m->n_tables, sizeof(*list));
	for (size_t i = 0; i < m->n_tables; i++)
		list[i] = (struct rc_peerd_book){m->tables[i]->network, m->tables[i]->fresh,
						 m->tables[i]->tried};
	w->fn.books(w->arg, reply, list, m->n_tables);
	free(w);
}

void rc_peerd_addrman_info(struct rc_client *client, uint32_t deadline_ms, rc_peerd_books_fn fn,
			   void *arg)
{
	struct waiter *w = waiter_new(arg);

	w->fn.books = fn;
	rc_client_call(client, RC_MSG_ADDRMAN_INFO, NULL, NULL, 0, deadline_ms, on_books, w);
}

static void on_bans(void *arg, const struct rc_reply *reply)
{
	struct waiter *w = arg;
	const Rc__ListBannedReply *m = reply->body;
	RC_AUTOFREE struct rc_peerd_ban *list = NULL;

	if (reply->err) {
		w->fn.bans(w->arg, reply, NULL, 0);
		free(w);
		return;
	}
	list = rc_alloc_array(m->n_bans, sizeof(*list));
	for (size_t i = 0; i < m->n_bans; i++)
		list[i] = (struct rc_peerd_ban){m->bans[i]->subnet, m->bans[i]->created,
						m->bans[i]->until, m->bans[i]->reason};
	w->fn.bans(w->arg, reply, list, m->n_bans);
	free(w);
}

void rc_peerd_list_banned(struct rc_client *client, uint32_t deadline_ms, rc_peerd_bans_fn fn,
			  void *arg)
{
	struct waiter *w = waiter_new(arg);

	w->fn.bans = fn;
	rc_client_call(client, RC_MSG_LIST_BANNED, NULL, NULL, 0, deadline_ms, on_bans, w);
}

void rc_peerd_add_node(struct rc_client *client, const char *addr, const char *command,
		       uint32_t deadline_ms, rc_peerd_done_fn fn, void *arg)
{
	Rc__AddNodeRequest m = RC__ADD_NODE_REQUEST__INIT;

	m.addr = text_of(addr);
	m.command = text_of(command);
	call_done(client, RC_MSG_ADD_NODE, &m, deadline_ms, fn, arg);
}

void rc_peerd_disconnect(struct rc_client *client, const char *addr, uint64_t id,
			 uint32_t deadline_ms, rc_peerd_done_fn fn, void *arg)
{
	Rc__DisconnectRequest m = RC__DISCONNECT_REQUEST__INIT;

	m.addr = text_of(addr);
	m.id = id;
	call_done(client, RC_MSG_DISCONNECT, &m, deadline_ms, fn, arg);
}

void rc_peerd_set_ban(struct rc_client *client, const char *subnet, bool remove, uint64_t seconds,
		      bool absolute, uint32_t deadline_ms, rc_peerd_done_fn fn, void *arg)
{
	Rc__SetBanRequest m = RC__SET_BAN_REQUEST__INIT;

	m.subnet = text_of(subnet);
	m.remove = remove;
	m.seconds = seconds;
	m.absolute = absolute;
	call_done(client, RC_MSG_SET_BAN, &m, deadline_ms, fn, arg);
}

void rc_peerd_clear_banned(struct rc_client *client, uint32_t deadline_ms, rc_peerd_done_fn fn,
			   void *arg)
{
	call_done(client, RC_MSG_CLEAR_BANNED, NULL, deadline_ms, fn, arg);
}

void rc_peerd_set_network_active(struct rc_client *client, bool active, uint32_t deadline_ms,
				 rc_peerd_done_fn fn, void *arg)
{
	Rc__SetNetworkActiveRequest m = RC__SET_NETWORK_ACTIVE_REQUEST__INIT;

	m.active = active;
	call_done(client, RC_MSG_SET_NETWORK_ACTIVE, &m, deadline_ms, fn, arg);
}

void rc_peerd_ping_peers(struct rc_client *client, uint32_t deadline_ms, rc_peerd_done_fn fn,
			 void *arg)
{
	call_done(client, RC_MSG_PING_PEERS, NULL, deadline_ms, fn, arg);
}
