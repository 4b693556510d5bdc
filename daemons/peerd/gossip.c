/* Addresses told and heard: bounded, rate limited, and each told on to two peers only. */
#include <string.h>

#include "base/num.h"
#include "crypto/siphash.h"
#include "daemons/peerd/peerd.h"
#include "proto/peer.pb-c.h"

/* Addresses a peer may tell unasked: 0.1 a second after a burst (operators' notes, 5.6). */
#define ADDR_TOKENS_BURST   1000
#define ADDR_TOKENS_PER_S   100 /* thousandths */
#define ADDR_ANSWER_PERCENT 23	/* of the book, so that one answer doesn't show it whole */
#define ENDPOINT_SIZE	    80	/* at most, as it travels */
#define ADDR_PENALTY	    (2 * 60 * 60)
/* A message of so few fresh ones is told on. */
#define ADDR_RELAY_MOST	 10
#define ADDR_RELAY_AGE	 (10 * 60)
#define ADDR_RELAY_PEERS 2
/* Our own address is told again so often. */
#define OWN_ADDR_AGAIN (24 * 60 * 60 * PEERD_SECOND)

static void endpoint_of(const struct net_endpoint *e, uint64_t services, uint32_t time,
			uint8_t ip[16], Rc__P2p__Endpoint *ret)
{
	rc__p2p__endpoint__init(ret);
	ret->ip.data = ip;
	ret->ip.len = net_addr_wire(&e->addr, ip);
	ret->port = e->addr.port;
	ret->services = services;
	ret->time = time;
	if (e->has_key) {
		ret->link_key.data = (uint8_t *)(uintptr_t)e->key;
		ret->link_key.len = RC_LINK_KEY_SIZE;
	}
}

static void addr_id(const struct net_addr *addr, uint8_t ret_id[32])
{
	memset(ret_id, 0, 32);
	memcpy(ret_id, addr->ip, 16);
	rc_put_le16(ret_id + 16, addr->port);
}

static void send_one(struct peer *peer, const struct net_endpoint *e, uint64_t services,
		     uint32_t time)
{
	Rc__P2p__Addr m = RC__P2P__ADDR__INIT;
	Rc__P2p__Endpoint one, *list = &one;
	uint8_t ip[16], id[32];

	addr_id(&e->addr, id);
	if (!seen_add(&peer->known_addrs, id))
		return;
	endpoint_of(e, services, time, ip, &one);
	m.endpoints = &list;
	m.n_endpoints = 1;
	peer_send(peer, PEER_MSG_ADDR, &m.base);
}

static bool wants_addrs(const struct peer *peer)
{
	return peer_is_ready(peer) && peer->role != PEER_BLOCK_ONLY;
}

/* To two peers, the same ones for a day, chosen by a hash that nobody can steer. */
static void tell_on(struct peerd *core, const struct peer *from, const struct book_hearsay *heard)
{
	struct peer *best[ADDR_RELAY_PEERS] = {NULL};
	uint64_t rank[ADDR_RELAY_PEERS] = {0};
	uint8_t key[40] = {0};

	addr_id(&heard->endpoint.addr, key);
	rc_put_le32(key + 20, core_time(core) / (24 * 60 * 60));
	for (struct peer *p = core->peers; p; p = p->hh.next) {
		uint64_t r;

		if (p == from || !wants_addrs(p))
			continue;
		rc_put_le64(key + 32, p->id);
		r = rc_siphash(core->hash_k0, core->hash_k1, key, sizeof(key));
		for (unsigned i = 0; i < ADDR_RELAY_PEERS; i++) {
			if (best[i] && rank[i] >= r)
				continue;
			memmove(best + i + 1, best + i,
				(ADDR_RELAY_PEERS - 1 - i) * sizeof(struct peer *));
			memmove(rank + i + 1, rank + i, (ADDR_RELAY_PEERS - 1 - i) * sizeof(*rank));
			best[i] = p;
			rank[i] = r;
			break;
		}
	}
	for (unsigned i = 0; i < ADDR_RELAY_PEERS && best[i]; i++)
		send_one(best[i], &heard->endpoint, heard->services, heard->time);
}

static bool take_token(struct peer *peer)
{
	int64_t now = core_now(peer->core);
	int64_t passed_ms = (now - peer->addr_tokens_at) / PEERD_MS;

	if (passed_ms > 0) {
		peer->addr_tokens += passed_ms * ADDR_TOKENS_PER_S / 1000;
		peer->addr_tokens_at += passed_ms * PEERD_MS;
	}
	if (peer->addr_tokens > ADDR_TOKENS_BURST * 1000)
		peer->addr_tokens = ADDR_TOKENS_BURST * 1000;
	if (peer->addr_tokens < 1000)
		return false;
	peer->addr_tokens -= 1000;
	return true;
}

static void hear(struct peer *peer, const Rc__P2p__Endpoint *e, bool few)
{
	struct peerd *core = peer->core;
	struct book_hearsay heard = {.services = e->services, .time = e->time};
	uint32_t now = core_time(core);
	uint8_t id[32];

	if (!net_addr_from_wire(e->ip.data, e->ip.len, e->port, &heard.endpoint.addr) ||
	    (e->link_key.len != 0 &&
	     (e->link_key.len != RC_LINK_KEY_SIZE || !rc_link_key_valid(e->link_key.data)))) {
		peer_penalise(peer, "addr-form", NULL);
		return;
	}
	if (!book_accepts(core->book, &heard.endpoint.addr) || !take_token(peer))
		return;
	if (e->link_key.len) {
		heard.endpoint.has_key = true;
		memcpy(heard.endpoint.key, e->link_key.data, RC_LINK_KEY_SIZE);
	}
	addr_id(&heard.endpoint.addr, id);
	seen_add(&peer->known_addrs, id);
	if (book_add(core->book, &heard, &peer->addr, ADDR_PENALTY, now))
		connect_soon(core);
	if (few && e->time <= now && now - e->time < ADDR_RELAY_AGE)
		tell_on(core, peer, &heard);
}

void gossip_on_addr(struct peer *peer, const void *body)
{
	const Rc__P2p__Addr *m = body;
	const struct peer_message_info *info = peer_message_find(PEER_MSG_ADDR);
	bool few = m->n_endpoints <= ADDR_RELAY_MOST && !peer->addr_asked;

	if (m->n_endpoints > PEER_ENDPOINTS_MAX) {
		peer_penalise(peer, "addr-form", NULL);
		return;
	}
	if (!peer->addr_asked)
		peer_charge(peer, info->cost + info->item_cost * m->n_endpoints,
			    m->n_endpoints * ENDPOINT_SIZE);
	else
		peer->addr_tokens = ADDR_TOKENS_BURST * 1000;
	peer->addr_asked = false;
	if (peer->role == PEER_BLOCK_ONLY)
		return;
	for (size_t i = 0; i < m->n_endpoints && !peer->dead; i++)
		hear(peer, m->endpoints[i], few);
}

void gossip_on_getaddr(struct peer *peer, const void *body)
{
	const Rc__P2p__GetAddr *ask = body;
	struct peerd *core = peer->core;
	static const size_t most = PEER_ENDPOINTS_MAX;
	Rc__P2p__Addr m = RC__P2P__ADDR__INIT;
	size_t n, want = book_count(core->book) * ADDR_ANSWER_PERCENT / 100;

	/* Once a link, and only to who came to us: an answer must not show whom we dial. */
	if (peer->getaddr_answered || peer->role != PEER_INBOUND)
		return;
	peer->getaddr_answered = true;
	if (want < 32)
		want = 32; /* a small book is told whole: its network is small */
	want = rc_min_u64(want, most);
	if (ask->count)
		want = rc_min_u64(want, ask->count);
	RC_AUTOFREE const struct book_entry **entries = rc_alloc_array(want, sizeof(*entries));
	n = book_sample(core->book, ask->services, core_time(core), entries, want);
	RC_AUTOFREE Rc__P2p__Endpoint *list = rc_alloc_array(n, sizeof(*list));
	RC_AUTOFREE Rc__P2p__Endpoint **refs = rc_alloc_array(n, sizeof(Rc__P2p__Endpoint *));
	RC_AUTOFREE uint8_t *ips = rc_alloc_array(n, 16);

	for (size_t i = 0; i < n; i++) {
		struct net_endpoint e = {.addr = entries[i]->addr};

		endpoint_of(&e, entries[i]->services, entries[i]->time, ips + 16 * i, &list[i]);
		/* A key that we saw ourselves only: a wrong one costs the hearer a dial. */
		if (entries[i]->has_key && entries[i]->last_success) {
			list[i].link_key.data = (uint8_t *)(uintptr_t)entries[i]->key;
			list[i].link_key.len = RC_LINK_KEY_SIZE;
		}
		refs[i] = &list[i];
	}
	m.endpoints = refs;
	m.n_endpoints = n;
	peer_send(peer, PEER_MSG_ADDR, &m.base);
}

static void tell_own(struct peer *peer)
{
	struct peerd *core = peer->core;
	struct net_endpoint e = {.has_key = true};

	memcpy(e.key, core->link_key, RC_LINK_KEY_SIZE);
	for (size_t i = 0; i < core->opt.n_external; i++) {
		e.addr = core->opt.external[i];
		send_one(peer, &e, PEER_SERVICE_BLOCKS, core_time(core));
	}
}

/*
 * A peer that came to us and listens is itself an address worth knowing, by its own word for the
 * port alone; the handshake showed its key. So a node behind no translator needs no 'external'.
 */
static void hear_peer(struct peer *peer)
{
	struct peerd *core = peer->core;
	struct book_hearsay heard = {
		.endpoint = {.addr = peer->addr, .has_key = true},
		.services = peer->services,
		.time = core_time(core),
	};

	heard.endpoint.addr.port = peer->listen_port;
	memcpy(heard.endpoint.key, rc_link_remote_key(peer->link), RC_LINK_KEY_SIZE);
	if (!book_accepts(core->book, &heard.endpoint.addr))
		return;
	if (book_add(core->book, &heard, &peer->addr, 0, core_time(core))) {
		connect_soon(core);
		tell_on(core, peer, &heard);
	}
}

void gossip_ready(struct peer *peer)
{
	Rc__P2p__GetAddr m = RC__P2P__GET_ADDR__INIT;

	peer->addr_tokens = ADDR_TOKENS_BURST * 1000;
	peer->addr_tokens_at = core_now(peer->core);
	if (peer->role == PEER_BLOCK_ONLY)
		return;
	if (peer->role == PEER_INBOUND) {
		if (peer->listen_port)
			hear_peer(peer);
	} else {
		peer->addr_asked = true;
		peer_send(peer, PEER_MSG_GETADDR, &m.base);
	}
	tell_own(peer);
}

static void on_gossip(void *arg)
{
	struct peerd *core = arg;

	for (struct peer *p = core->peers; p; p = p->hh.next) {
		if (!wants_addrs(p))
			continue;
		seen_clear(&p->known_addrs);
		tell_own(p);
	}
	timer_arm(&core->timers, &core->gossip_timer, core_now(core) + OWN_ADDR_AGAIN);
}

void gossip_init(struct peerd *core)
{
	timer_init(&core->gossip_timer, on_gossip, core);
	timer_arm(&core->timers, &core->gossip_timer, core_now(core) + OWN_ADDR_AGAIN);
}
