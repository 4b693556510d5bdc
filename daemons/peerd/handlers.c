/* What the bus asks of peerd: a row each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "daemons/peerd/daemon.h"
#include "proto/peerd.pb-c.h"

#define NODE_ADDRESSES_MAX 10000

/* protobuf-c has no const; what it is given here is only read. */
static char *text(const char *constant)
{
	return (char *)(uintptr_t)constant;
}

static const struct {
	uint64_t bit;
	const char *name;
} services[] = {
#define X(NAME, bit, name) {PEER_SERVICE_##NAME, name},
	PEER_SERVICE_TABLE(X)
#undef X
};

/* Names of services; fills list (room for all), returns how many. */
static size_t service_names(uint64_t bits, char **list)
{
	size_t n = 0;

	for (size_t i = 0; i < RC_ARRAY_LEN(services); i++) {
		if (bits & services[i].bit)
			list[n++] = text(services[i].name);
	}
	return n;
}

static void on_net_info(void *ctx, struct rc_request *request)
{
	struct daemon *d = ctx;
	struct peerd *core = d->core;
	Rc__NetInfoReply m = RC__NET_INFO_REPLY__INIT;
	size_t n = sockets_n_listening(d->sockets);
	RC_AUTOFREE char **listening = rc_alloc_array(n, sizeof(char *));
	RC_AUTOFREE char *texts = rc_alloc_array(n, NET_ADDR_TEXT);
	char *names[RC_ARRAY_LEN(services)];

	for (size_t i = 0; i < n; i++) {
		struct net_addr addr = sockets_listening(d->sockets, i);

		listening[i] = net_addr_format(texts + i * NET_ADDR_TEXT, &addr);
	}
	metrics_update(d);
	m.protocol = PEER_PROTOCOL_VERSION;
	m.user_agent = core->opt.user_agent;
	m.active = core->active;
	m.inbound = connect_count(core, PEER_INBOUND, true);
	m.outbound = connect_count(core, PEER_OUTBOUND, true) +
		     connect_count(core, PEER_BLOCK_ONLY, true) +
		     connect_count(core, PEER_MANUAL, true);
	m.listening = listening;
	m.n_listening = n;
	m.link_key.data = core->link_key;
	m.link_key.len = RC_LINK_KEY_SIZE;
	m.bytes_received = core->counters[PEERD_BYTES_RECEIVED];
	m.bytes_sent = core->counters[PEERD_BYTES_SENT];
	m.time_ms = (uint64_t)rc_wall_ms(core->out.clock);
	m.services = names;
	m.n_services = service_names(PEER_SERVICE_BLOCKS, names);
	rc_request_reply(request, &m);
}

/* A peer as it is shown, with the room its texts need. */
struct shown_peer {
	Rc__PeerInfoReply__Peer m;
	char addr[NET_ADDR_TEXT];
	char *services[RC_ARRAY_LEN(services)];
};

static void show_peer(struct peerd *core, struct peer *peer, struct shown_peer *ret)
{
	Rc__PeerInfoReply__Peer *m = &ret->m;

	rc__peer_info_reply__peer__init(m);
	m->id = peer->id;
	m->addr = net_addr_format(ret->addr, &peer->addr);
	m->inbound = peer->role == PEER_INBOUND;
	m->role = text(peer_role_name(peer->role));
	m->network = text(net_addr_network(&peer->addr));
	m->transport = text("");
	m->user_agent = peer->user_agent;
	m->version = peer->version;
	m->services = ret->services;
	m->n_services = service_names(peer->services, ret->services);
	m->relay = peer->relay;
	m->last_send_ms = (uint64_t)peer->last_send_wall;
	m->last_recv_ms = (uint64_t)peer->last_recv_wall;
	m->ping_us = peer->ping_us;
	m->connected_ms = (uint64_t)peer->since_wall;
	m->synced_headers = peer->has_tip ? peer->tip.height : 0;
	m->synced_blocks = peer->last_block_height;
	m->start_height = peer->start_height;
	m->score = score_points(&peer->score, core_now(core) / PEERD_SECOND);
	m->in_flight = inflight_count(&core->inflight, peer->id);
	m->state = text(peer_state_name(peer->state));
	if (!peer->link)
		return;
	m->bytes_sent = rc_link_bytes_out(peer->link);
	m->bytes_received = rc_link_bytes_in(peer->link);
	if (peer->state < PEER_HELLO)
		return;
	m->transport = text(rc_link_pattern(peer->link) == RC_LINK_XK ? "noise-xk" : "noise-xx");
	m->link_key.data = (uint8_t *)(uintptr_t)rc_link_remote_key(peer->link);
	m->link_key.len = RC_LINK_KEY_SIZE;
}

static void on_peer_info(void *ctx, struct rc_request *request)
{
	struct daemon *d = ctx;
	Rc__PeerInfoReply m = RC__PEER_INFO_REPLY__INIT;
	size_t n = HASH_COUNT(d->core->peers), i = 0;
	RC_AUTOFREE struct shown_peer *shown = rc_alloc_array(n, sizeof(*shown));
	RC_AUTOFREE Rc__PeerInfoReply__Peer **list =
		rc_alloc_array(n, sizeof(Rc__PeerInfoReply__Peer *));

	for (struct peer *p = d->core->peers; p; p = p->hh.next) {
		show_peer(d->core, p, &shown[i]);
		list[i] = &shown[i].m;
		i++;
	}
	m.peers = list;
	m.n_peers = n;
	rc_request_reply(request, &m);
}

struct shown_address {
	Rc__NodeAddressesReply__Address m;
	char addr[NET_ADDR_TEXT];
	char *services[RC_ARRAY_LEN(services)];
};

static bool service_bit(const char *name, uint64_t *ret_bit)
{
	*ret_bit = 0;
	for (size_t i = 0; i < RC_ARRAY_LEN(services); i++) {
		if (strcmp(services[i].name, name) == 0)
			*ret_bit = services[i].bit;
	}
	return *ret_bit != 0;
}

static void show_address(const struct book_entry *e, struct shown_address *ret)
{
	Rc__NodeAddressesReply__Address *m = &ret->m;

	rc__node_addresses_reply__address__init(m);
	m->addr = net_addr_format_ip(ret->addr, &e->addr);
	m->port = e->addr.port;
	m->time = e->time;
	m->services = ret->services;
	m->n_services = service_names(e->services, ret->services);
	m->network = text(net_addr_network(&e->addr));
	if (e->has_key) {
		m->link_key.data = (uint8_t *)(uintptr_t)e->key;
		m->link_key.len = RC_LINK_KEY_SIZE;
	}
}

static void on_node_addresses(void *ctx, struct rc_request *request)
{
	struct daemon *d = ctx;
	const Rc__NodeAddressesRequest *ask = rc_request_body(request);
	Rc__NodeAddressesReply m = RC__NODE_ADDRESSES_REPLY__INIT;
	size_t want =
		ask->count && ask->count < NODE_ADDRESSES_MAX ? ask->count : NODE_ADDRESSES_MAX;
	size_t have = book_count(d->core->book), n = 0;
	uint64_t bit = 0;

	if (*ask->network && strcmp(ask->network, "ipv4") != 0 &&
	    strcmp(ask->network, "ipv6") != 0) {
		rc_request_fail(request, RC_EINVAL, "%.40s is not ipv4 or ipv6", ask->network);
		return;
	}
	if (*ask->service && !service_bit(ask->service, &bit)) {
		rc_request_fail(request, RC_EINVAL, "%.40s is no service this node knows",
				ask->service);
		return;
	}
	RC_AUTOFREE const struct book_entry **entries = rc_alloc_array(have, sizeof(*entries));
	have = book_sample(d->core->book, bit, core_time(d->core), entries, have);
	RC_AUTOFREE struct shown_address *shown = rc_alloc_array(have, sizeof(*shown));
	RC_AUTOFREE Rc__NodeAddressesReply__Address **list =
		rc_alloc_array(have, sizeof(Rc__NodeAddressesReply__Address *));

	for (size_t i = 0; i < have && n < want; i++) {
		if (*ask->network && strcmp(net_addr_network(&entries[i]->addr), ask->network) != 0)
			continue;
		show_address(entries[i], &shown[n]);
		list[n] = &shown[n].m;
		n++;
	}
	m.addresses = list;
	m.n_addresses = n;
	rc_request_reply(request, &m);
}

static void on_addrman_info(void *ctx, struct rc_request *request)
{
	struct daemon *d = ctx;
	const struct book *book = d->core->book;
	Rc__AddrmanInfoReply m = RC__ADDRMAN_INFO_REPLY__INIT;
	Rc__AddrmanInfoReply__Table tables[3], *list[3];
	static const char *const names[3] = {"ipv4", "ipv6", "all"};

	for (unsigned i = 0; i < 3; i++) {
		rc__addrman_info_reply__table__init(&tables[i]);
		tables[i].network = text(names[i]);
		list[i] = &tables[i];
		if (i < 2) {
			tables[i].fresh = (uint32_t)book_count_of(book, BOOK_NEW, i == 0);
			tables[i].tried = (uint32_t)book_count_of(book, BOOK_TRIED, i == 0);
		}
	}
	tables[2].fresh = tables[0].fresh + tables[1].fresh;
	tables[2].tried = tables[0].tried + tables[1].tried;
	m.tables = list;
	m.n_tables = 3;
	rc_request_reply(request, &m);
}

static void on_list_banned(void *ctx, struct rc_request *request)
{
	struct daemon *d = ctx;
	struct bans *bans = &d->core->bans;
	Rc__ListBannedReply m = RC__LIST_BANNED_REPLY__INIT;

	bans_sweep(bans, core_time(d->core));
	RC_AUTOFREE Rc__ListBannedReply__Ban *shown = rc_alloc_array(bans->n, sizeof(*shown));
	RC_AUTOFREE Rc__ListBannedReply__Ban **list =
		rc_alloc_array(bans->n, sizeof(Rc__ListBannedReply__Ban *));
	RC_AUTOFREE char *texts = rc_alloc_array(bans->n, NET_SUBNET_TEXT);

	for (size_t i = 0; i < bans->n; i++) {
		rc__list_banned_reply__ban__init(&shown[i]);
		shown[i].subnet =
			net_subnet_format(texts + i * NET_SUBNET_TEXT, &bans->list[i].subnet);
		shown[i].created = bans->list[i].created;
		shown[i].until = bans->list[i].until;
		shown[i].reason = bans->list[i].reason;
		list[i] = &shown[i];
	}
	m.bans = list;
	m.n_bans = bans->n;
	rc_request_reply(request, &m);
}

/* ---- orders ---- */

static void answer(struct rc_request *request, int err, const struct rc_error *error)
{
	if (err)
		rc_request_fail(request, err, "%s", error->text);
	else
		rc_request_reply(request, NULL);
}

/* A change of the bans is answered when it is on disk; one that can't be kept there is undone.
 * before: the bans as they were. */
static void answer_bans(struct daemon *d, struct rc_request *request, int err,
			struct rc_buf *before, struct rc_error *error)
{
	struct bans old = {0};

	if (!err) {
		err = files_save_bans(d, error);
		if (err && bans_decode(before->data, before->len, &old, NULL) == RC_OK) {
			old.changes = d->core->bans.changes;
			bans_done(&d->core->bans);
			d->core->bans = old;
		}
	}
	rc_buf_done(before);
	answer(request, err, error);
}

static void on_add_node(void *ctx, struct rc_request *request)
{
	struct daemon *d = ctx;
	const Rc__AddNodeRequest *ask = rc_request_body(request);
	struct rc_error error = {0};

	answer(request, peerd_add_node(d->core, ask->addr, ask->command, &error), &error);
}

static void on_disconnect(void *ctx, struct rc_request *request)
{
	struct daemon *d = ctx;
	const Rc__DisconnectRequest *ask = rc_request_body(request);
	struct rc_error error = {0};

	answer(request, peerd_disconnect(d->core, ask->addr, ask->id, &error), &error);
}

static void on_set_ban(void *ctx, struct rc_request *request)
{
	struct daemon *d = ctx;
	const Rc__SetBanRequest *ask = rc_request_body(request);
	struct rc_error error = {0};
	uint64_t now = core_time(d->core), until = ask->seconds ? ask->seconds : BAN_SECONDS;
	struct rc_buf before = RC_BUF_INIT;
	int err;

	bans_encode(&d->core->bans, &before);
	if (!ask->absolute && !rc_add_u64(until, now, &until))
		until = UINT64_MAX;
	err = ask->remove ? peerd_unban(d->core, ask->subnet, &error)
			  : peerd_ban(d->core, ask->subnet, until, &error);
	answer_bans(d, request, err, &before, &error);
}

static void on_clear_banned(void *ctx, struct rc_request *request)
{
	struct daemon *d = ctx;
	struct rc_buf before = RC_BUF_INIT;
	struct rc_error error = {0};

	bans_encode(&d->core->bans, &before);
	bans_clear(&d->core->bans);
	answer_bans(d, request, RC_OK, &before, &error);
}

static void on_set_network_active(void *ctx, struct rc_request *request)
{
	struct daemon *d = ctx;
	const Rc__SetNetworkActiveRequest *ask = rc_request_body(request);

	rc_log(RC_LOG_NOTICE, "the network is turned %s by an operator's word",
	       ask->active ? "on" : "off");
	peerd_set_active(d->core, ask->active);
	rc_request_reply(request, NULL);
}

static void on_ping_peers(void *ctx, struct rc_request *request)
{
	struct daemon *d = ctx;

	peerd_ping_all(d->core);
	rc_request_reply(request, NULL);
}

void handlers_publish_link(struct daemon *d, uint64_t peer, const char *addr, bool up,
			   const char *why)
{
	Rc__PeerdLink m = RC__PEERD_LINK__INIT;

	m.id = peer;
	m.addr = text(addr);
	m.up = up;
	m.why = text(why);
	rc_server_publish(rc_service_server(d->service), "peer", &m);
}

const struct rc_handler peerd_handlers[] = {
	{RC_MSG_NET_INFO, on_net_info},
	{RC_MSG_PEER_INFO, on_peer_info},
	{RC_MSG_NODE_ADDRESSES, on_node_addresses},
	{RC_MSG_ADDRMAN_INFO, on_addrman_info},
	{RC_MSG_LIST_BANNED, on_list_banned},
	{RC_MSG_ADD_NODE, on_add_node},
	{RC_MSG_DISCONNECT, on_disconnect},
	{RC_MSG_SET_BAN, on_set_ban},
	{RC_MSG_CLEAR_BANNED, on_clear_banned},
	{RC_MSG_SET_NETWORK_ACTIVE, on_set_network_active},
	{RC_MSG_PING_PEERS, on_ping_peers},
	{0, NULL},
};
