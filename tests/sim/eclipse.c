/*
 * The attacker of 40-network: thousands of addresses in a few network groups, somebody behind each
 * of them, links into every inbound slot of his victim. He speaks the protocol well, has no block,
 * and is there again at once after every restart. He tells of his addresses, of a crowd in many
 * groups where nobody is, and of the honest nodes with keys that aren't theirs.
 */
#include "eclipse.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "consensus/network.h"
#include "link/message.h"
#include "net.h"
#include "proto/peer.pb-c.h"

/* Numbers of daemons/peerd/messages.def, which has no header without a core's. */
enum {
#define PEER_MESSAGE(NAME, number, name, stream, max, cost, item, state) MESSAGE_##NAME = number,
#include "daemons/peerd/messages.def"
#undef PEER_MESSAGE
};

#define TELL_US	   (15 * SIM_SECOND)
#define TOLD_ONCE  1000
#define FIRST_BYTE 60 /* 60.GROUP.x.y, far from the nodes' */
#define NOBODY	   70 /* 70.x.y.z to 89.x.y.z: each a group, nearly */

struct bad {
	struct sim_conn *conn;
	struct rc_link *link;
	bool dialled; /* by him */
	bool ready, dead;
	struct bad *prev, *next;
};

static struct {
	unsigned addresses, groups, links, nobody, honest;
	bool on;
	uint8_t wrong_key[RC_LINK_KEY_SIZE];
	struct bad *all;
	uint8_t prologue[RC_LINK_PROLOGUE_SIZE];
} attacker;

uint64_t eclipse_told;

/* ---- addresses ---- */

static void address(unsigned i, struct net_addr *ret)
{
	unsigned in_group = i / attacker.groups;
	const uint8_t ip[4] = {FIRST_BYTE, (uint8_t)(i % attacker.groups),
			       (uint8_t)(in_group / 250), (uint8_t)(1 + in_group % 250)};

	net_addr_from_wire(ip, sizeof(ip), 17440, ret);
}

static bool is_his(const struct net_addr *addr)
{
	return net_addr_is_v4(addr) && addr->ip[12] == FIRST_BYTE && addr->ip[13] < attacker.groups;
}

/* The same crowd each time it is told, so that its addresses get more places in the book. */
static void address_of_nobody(unsigned i, struct net_addr *ret)
{
	uint32_t mixed = (i + 1) * UINT32_C(2654435761); /* odd, so that no two are the same */
	const uint8_t ip[4] = {(uint8_t)(NOBODY + (mixed >> 24) % 20), (uint8_t)(mixed >> 16),
			       (uint8_t)(mixed >> 8), (uint8_t)mixed};

	net_addr_from_wire(ip, sizeof(ip), 17440, ret);
}

/* ---- saying ---- */

static void flush(struct bad *b)
{
	struct rc_buf out = RC_BUF_INIT;

	rc_link_pull(b->link, &out, SIZE_MAX / 2);
	if (out.len)
		sim_stranger_send(b->conn, out.data, out.len);
	rc_buf_done(&out);
}

static void say(struct bad *b, uint16_t type, const ProtobufCMessage *m)
{
	struct rc_buf buf = RC_BUF_INIT;

	protobuf_c_message_pack(m, rc_buf_add(&buf, protobuf_c_message_get_packed_size(m)));
	rc_link_send(b->link, RC_LINK_CONTROL, type, buf.data, buf.len);
	rc_buf_done(&buf);
}

static void greet(struct bad *b)
{
	Rc__P2p__Hello m = RC__P2P__HELLO__INIT;

	m.version = 1;
	m.services = 1;
	m.height = 1000000;
	m.time = (uint64_t)(rc_wall_ms(&rc_clock_system) / 1000);
	m.port = 17440;
	m.relay = m.headers = true;
	say(b, MESSAGE_HELLO, &m.base);
}

static void tell_addresses(struct bad *b)
{
	Rc__P2p__Addr m = RC__P2P__ADDR__INIT;
	Rc__P2p__Endpoint *list = rc_alloc_array(TOLD_ONCE, sizeof(*list));
	Rc__P2p__Endpoint **pointers = rc_alloc_array(TOLD_ONCE, sizeof(void *));
	struct net_addr *addrs = rc_alloc_array(TOLD_ONCE, sizeof(*addrs));

	for (unsigned i = 0; i < TOLD_ONCE; i++) {
		unsigned which = (unsigned)sim_random_below(&sim.random,
							    attacker.addresses + attacker.nobody);
		bool honest = i < attacker.honest;

		if (honest)
			sim_net_address(1 + i, &addrs[i]);
		else if (which < attacker.addresses)
			address(which, &addrs[i]);
		else
			address_of_nobody(which - attacker.addresses, &addrs[i]);
		list[i] = (Rc__P2p__Endpoint)RC__P2P__ENDPOINT__INIT;
		list[i].ip = (ProtobufCBinaryData){4, addrs[i].ip + 12};
		list[i].port = addrs[i].port;
		list[i].services = 1;
		list[i].time = (uint32_t)(rc_wall_ms(&rc_clock_system) / 1000);
		if (honest)
			list[i].link_key =
				(ProtobufCBinaryData){RC_LINK_KEY_SIZE, attacker.wrong_key};
		pointers[i] = &list[i];
	}
	m.n_endpoints = TOLD_ONCE;
	m.endpoints = pointers;
	say(b, MESSAGE_ADDR, &m.base);
	eclipse_told += TOLD_ONCE;
	sim_fault(SIM_FAULT_HOSTILE);
	free(addrs);
	free(pointers);
	free(list);
}

/* ---- hearing ---- */

static int64_t max_len(void *arg, enum rc_link_stream stream, uint16_t type)
{
	(void)arg;
	(void)stream;
	(void)type;
	return 33000000;
}

static bool on_message(void *arg, struct rc_link *link, enum rc_link_stream stream, uint16_t type,
		       struct rc_buf *data)
{
	static const Rc__P2p__Headers nothing = RC__P2P__HEADERS__INIT;
	struct bad *b = arg;

	(void)stream;
	switch (type) {
	case MESSAGE_HELLO:
		b->ready = true;
		break;
	case MESSAGE_PING: /* the answer has the question's form */
		rc_link_send(link, RC_LINK_CONTROL, MESSAGE_PONG, data->data, data->len);
		break;
	case MESSAGE_GETADDR:
		tell_addresses(b);
		break;
	case MESSAGE_GETHEADERS:
		say(b, MESSAGE_HEADERS, &nothing.base);
		break;
	default:
		break;
	}
	return true;
}

static bool on_open(void *arg, struct rc_link *link)
{
	(void)arg;
	(void)link;
	return true;
}

static void gone(struct bad *b)
{
	b->dead = true;
	b->ready = false;
}

static void on_received(void *arg, const uint8_t *data, size_t len)
{
	struct bad *b = arg;
	enum rc_link_state before = rc_link_state(b->link), after;

	if (b->dead)
		return;
	after = rc_link_feed(b->link, data, len);
	if (after == RC_LINK_FAILED) {
		gone(b);
		sim_stranger_close(b->conn);
		return;
	}
	if (before == RC_LINK_HANDSHAKE && after == RC_LINK_OPEN)
		greet(b);
	flush(b);
}

static void on_connected(void *arg)
{
	flush(arg);
}

static void on_lost(void *arg)
{
	gone(arg);
}

static const struct sim_stranger_ops ops = {on_connected, on_received, on_lost};

static struct bad *bad_new(bool dialled)
{
	struct rc_handshake_params p = {
		.initiator = dialled,
		.pattern = RC_LINK_XX,
		.prologue_len = RC_LINK_PROLOGUE_SIZE,
		.random = &sim.random.random,
	};
	struct bad *b = rc_alloc(sizeof(*b));
	struct rc_link_events events = {max_len, on_open, on_message, b};

	memcpy(p.prologue, attacker.prologue, sizeof(p.prologue));
	rc_link_secret_make(p.random, p.secret); /* each address another node, as far as one sees */
	b->dialled = dialled;
	b->link = rc_link_new(&p, &events);
	DL_APPEND(attacker.all, b);
	sim_fault(SIM_FAULT_HOSTILE);
	return b;
}

/* ---- the attack ---- */

static bool listens(const struct net_addr *to, struct sim_conn *conn)
{
	struct bad *b;

	if (!attacker.on || !is_his(to))
		return false;
	b = bad_new(false);
	b->conn = sim_stranger_take(conn, &ops, b);
	return true;
}

unsigned eclipse_links(bool inbound)
{
	unsigned n = 0;
	struct bad *b;

	DL_FOREACH (attacker.all, b)
		n += b->ready && b->dialled == inbound;
	return n;
}

static void forget_dead(void)
{
	struct bad *b, *next;

	DL_FOREACH_SAFE (attacker.all, b, next) {
		if (!b->dead)
			continue;
		DL_DELETE(attacker.all, b);
		rc_link_free(b->link); /* the rest stays: an event may name it */
		b->link = NULL;
	}
}

static void on_dial(void *arg)
{
	unsigned under_way = 0;
	struct net_addr victim, from;
	struct bad *b;

	(void)arg;
	if (!attacker.on)
		return;
	forget_dead();
	DL_FOREACH (attacker.all, b)
		under_way += b->dialled;
	sim_net_address(0, &victim);
	for (; under_way < attacker.links; under_way++) {
		address((unsigned)sim_random_below(&sim.random, attacker.addresses), &from);
		b = bad_new(true);
		b->conn = sim_stranger_dial(&from, &victim, &ops, b);
	}
	sim_post(NULL, SIM_SECOND, "attack", on_dial, NULL);
}

static void on_tell(void *arg)
{
	struct bad *b;

	(void)arg;
	if (!attacker.on)
		return;
	DL_FOREACH (attacker.all, b) {
		if (b->ready && !b->dead) {
			tell_addresses(b);
			flush(b);
		}
	}
	sim_post(NULL, TELL_US, "attack", on_tell, NULL);
}

void eclipse_init(unsigned addresses, unsigned groups, unsigned nobody, unsigned honest)
{
	struct rc_network network;
	uint8_t secret[32];

	if (!rc_network_builtin("reg", &network))
		sim_fail("no network reg");
	rc_link_prologue(network.id.b, attacker.prologue);
	attacker.addresses = addresses;
	attacker.groups = groups;
	attacker.nobody = nobody;
	attacker.honest = honest;
	rc_link_secret_make(&sim.random.random, secret);
	rc_link_key_from_secret(secret, attacker.wrong_key);
	sim_stranger_listens = listens;
}

void eclipse_begin(unsigned links)
{
	attacker.on = true;
	attacker.links = links;
	on_dial(NULL);
	on_tell(NULL);
}

void eclipse_end(void)
{
	struct bad *b;

	attacker.on = false;
	DL_FOREACH (attacker.all, b) {
		if (b->dead)
			continue;
		gone(b);
		sim_stranger_close(b->conn);
	}
}
