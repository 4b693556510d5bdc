/* One link: its life from connecting to its end, and its messages in and out. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "daemons/peerd/peerd.h"
#include "proto/peer.pb-c.h"
#include "types/compact.h"

/* What is encrypted ahead of the connection's room: beyond the kernel's own buffer a record or two,
 * so that a control message waits behind no more. */
#define OUT_AHEAD (64u << 10)
/* Answers and announcements queued for a peer that doesn't read: it is read no more until they
 * went out. What it asked of blocks is bounded in serve.c. */
#define OUT_CONTROL_MAX (4u << 20)
/* Ids of blocks and transactions remembered as known to a peer, a generation. */
#define KNOWN_BLOCKS 512
#define KNOWN_TXS    8000
#define KNOWN_ADDRS  2000

const char *peer_role_name(enum peer_role role)
{
	static const char *const names[PEER_ROLES] = {
		[PEER_INBOUND] = "inbound",	  [PEER_OUTBOUND] = "outbound",
		[PEER_BLOCK_ONLY] = "block-only", [PEER_MANUAL] = "manual",
		[PEER_FEELER] = "feeler",
	};

	return names[role];
}

const char *peer_state_name(enum peer_state state)
{
	static const char *const names[] = {
		[PEER_CONNECTING] = "connecting",
		[PEER_HANDSHAKE] = "handshake",
		[PEER_HELLO] = "hello",
		[PEER_READY] = "ready",
	};

	return names[state];
}

/* ---- the link's questions ---- */

/* Over the block limit: protobuf around the bytes of a block or a transaction, tags and lengths,
 * 16; the id of a blocktxn 34; what a compact form has beside its block's bytes 32. */
#define BULK_FRAME_BYTES 64

static int64_t on_max_len(void *arg, enum rc_link_stream stream, uint16_t type)
{
	const struct peer_message_info *info = peer_message_find(type);
	const struct peer *peer = arg;

	/* An unknown type is skipped: a later version may know it. A known one in the other stream
	 * is treated as unknown too. */
	if (!info || info->stream != stream)
		return -1;
	/* Places are named in a byte or two: one for each transaction a block may have. */
	if (type == PEER_MSG_GETBLOCKTXN)
		return (int64_t)rc_min_u64(
			info->max,
			2 * RC_COMPACT_TXS_MAX((uint64_t)peer->core->network->params.block_limit));
	if (stream != RC_LINK_BULK)
		return (int64_t)info->max;
	/* No block over the network's limit is valid, and no transaction: none is held half-way. */
	return (int64_t)rc_min_u64(info->max, (uint64_t)peer->core->network->params.block_limit +
						      BULK_FRAME_BYTES);
}

static void greet(struct peer *peer)
{
	struct peerd *core = peer->core;
	Rc__P2p__Hello m = RC__P2P__HELLO__INIT;
	Rc__P2p__Endpoint seen = RC__P2P__ENDPOINT__INIT;
	uint8_t ip[16];

	seen.ip.len = net_addr_wire(&peer->addr, ip);
	seen.ip.data = ip;
	seen.port = peer->addr.port;
	m.version = PEER_PROTOCOL_VERSION;
	m.services = PEER_SERVICE_BLOCKS;
	m.height = core->chain_tip.height;
	m.time = core_time(core);
	m.user_agent = core->opt.user_agent;
	/* Through a proxy it sees another address than ours. */
	m.port = core->opt.listen && !core->opt.hidden ? core->opt.port : 0;
	m.relay = peer->role != PEER_BLOCK_ONLY && peer->role != PEER_FEELER;
	m.headers = true;
	m.seen = &seen;
	peer_send(peer, PEER_MSG_HELLO, &m.base);
}

static bool on_open(void *arg, struct rc_link *link)
{
	struct peer *peer = arg;
	struct peerd *core = peer->core;
	const struct peer *other;

	core_count(core, PEERD_HANDSHAKES_DONE, 1);
	peer->state = PEER_HELLO;
	/* One outbound link a node is enough, whatever its addresses. */
	if (peer->role != PEER_INBOUND) {
		connect_met(peer, link);
		for (other = core->peers; other; other = other->hh.next) {
			if (other != peer && other->role != PEER_INBOUND &&
			    other->state >= PEER_HELLO && !other->dead &&
			    memcmp(rc_link_remote_key(other->link), rc_link_remote_key(link),
				   RC_LINK_KEY_SIZE) == 0) {
				peer->answered = true;
				peer_drop(peer, "there is a link to this node already");
				return false;
			}
		}
	}
	greet(peer);
	return true;
}

static void on_hello(struct peer *peer, const void *body)
{
	const Rc__P2p__Hello *m = body;
	size_t n = 0;

	if (m->version < 1) {
		peer_drop(peer, "its protocol version is 0");
		return;
	}
	peer->version = m->version;
	peer->services = m->services;
	peer->start_height = m->height;
	peer->listen_port = m->port <= UINT16_MAX ? (uint16_t)m->port : 0;
	peer->relay = m->relay && peer->role != PEER_BLOCK_ONLY;
	peer->headers = m->headers;
	/* It goes into logs and answers: printable ASCII only. */
	for (const char *p = m->user_agent; *p && n < sizeof(peer->user_agent) - 1; p++) {
		if (*p >= ' ' && *p <= '~')
			peer->user_agent[n++] = *p;
	}
	peer->answered = true;
	if (peer->role == PEER_FEELER) {
		connect_felt(peer);
		return;
	}
	peer->state = PEER_READY;
	connect_ready(peer);
	if (peer->dead)
		return;
	gossip_ready(peer);
	compact_ready(peer);
	sync_ready(peer);
	relay_ready(peer);
	fetch_changed(peer->core);
	/* How near it is counts when inbound links make room. */
	if (peer->role == PEER_INBOUND)
		peer_ping(peer);
}

static void on_ping(struct peer *peer, const void *body)
{
	const Rc__P2p__Ping *ping = body;
	Rc__P2p__Pong pong = RC__P2P__PONG__INIT;

	pong.nonce = ping->nonce;
	peer_send(peer, PEER_MSG_PONG, &pong.base);
}

static void on_pong(struct peer *peer, const void *body)
{
	const Rc__P2p__Pong *m = body;

	/* Late or twice: nothing to be learned. */
	if (!peer->ping_sent || m->nonce != peer->ping_nonce)
		return;
	peer->ping_us = (uint64_t)(core_now(peer->core) - peer->ping_sent);
	if (peer->ping_us == 0)
		peer->ping_us = 1;
	peer->ping_best_us = rc_min_u64(peer->ping_best_us, peer->ping_us);
	peer->ping_sent = 0;
}

/* Checks the form of a list of items; NULL, and a penalty, if it has none. */
static bool items_of(struct peer *peer, const ProtobufCBinaryData *data, uint8_t most_kind,
		     size_t *ret_n)
{
	size_t n = data->len / PEER_ITEM_SIZE;

	*ret_n = n;
	if (data->len % PEER_ITEM_SIZE != 0 || n > PEER_ITEMS_MAX) {
		peer_penalise(peer, "inv-form", NULL);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		uint8_t kind = data->data[i * PEER_ITEM_SIZE];

		if (kind < PEER_ITEM_BLOCK || kind > most_kind) {
			peer_penalise(peer, "inv-form", NULL);
			return false;
		}
	}
	return true;
}

static void on_inv(struct peer *peer, const void *body)
{
	const Rc__P2p__Inv *m = body;
	struct rc_block_id id;
	size_t n;

	if (!items_of(peer, &m->items, PEER_ITEM_WTXID, &n))
		return;
	for (size_t i = 0; i < n && !peer->dead; i++) {
		const uint8_t *item = m->items.data + i * PEER_ITEM_SIZE;

		if (*item == PEER_ITEM_BLOCK) {
			memcpy(id.b, item + 1, 32);
			sync_on_block_inv(peer, &id);
		}
	}
	if (!peer->dead)
		relay_on_inv(peer, m->items.data, n);
}

static void on_notfound(struct peer *peer, const void *body)
{
	const Rc__P2p__NotFound *m = body;
	struct rc_block_id id;
	size_t n;

	if (!items_of(peer, &m->items, PEER_ITEM_TXID, &n))
		return;
	for (size_t i = 0; i < n && !peer->dead; i++) {
		const uint8_t *item = m->items.data + i * PEER_ITEM_SIZE;

		if (*item == PEER_ITEM_BLOCK) {
			memcpy(id.b, item + 1, 32);
			fetch_on_notfound(peer, &id);
		} else {
			relay_on_notfound(peer, *item, item + 1);
		}
	}
}

static void on_block(struct peer *peer, const void *body)
{
	const Rc__P2p__Block *m = body;

	fetch_on_block(peer, (struct rc_bytes){m->raw.data, m->raw.len});
}

static void on_compact(struct peer *peer, const void *body)
{
	const Rc__P2p__CompactBlock *m = body;

	compact_on_block(peer, (struct rc_bytes){m->raw.data, m->raw.len});
}

static void on_tx(struct peer *peer, const void *body)
{
	const Rc__P2p__Tx *m = body;

	relay_on_tx(peer, (struct rc_bytes){m->raw.data, m->raw.len});
}

/* Handlers by number. Raw ones get the bytes without a copy. */
static const struct handler {
	void (*handle)(struct peer *peer, const void *body);
	void (*handle_raw)(struct peer *peer, struct rc_bytes raw);
} handlers[PEER_MSG_LIMIT] = {
	[PEER_MSG_HELLO] = {on_hello, NULL},
	[PEER_MSG_PING] = {on_ping, NULL},
	[PEER_MSG_PONG] = {on_pong, NULL},
	[PEER_MSG_GETADDR] = {gossip_on_getaddr, NULL},
	[PEER_MSG_ADDR] = {gossip_on_addr, NULL},
	[PEER_MSG_GETHEADERS] = {serve_on_getheaders, NULL},
	[PEER_MSG_HEADERS] = {sync_on_headers, NULL},
	[PEER_MSG_INV] = {on_inv, NULL},
	[PEER_MSG_GETDATA] = {serve_on_getdata, NULL},
	[PEER_MSG_NOTFOUND] = {on_notfound, NULL},
	[PEER_MSG_BLOCK] = {on_block, fetch_on_block},
	[PEER_MSG_TX] = {on_tx, relay_on_tx},
	[PEER_MSG_FEEFILTER] = {relay_on_feefilter, NULL},
	[PEER_MSG_SENDCOMPACT] = {compact_on_sendcompact, NULL},
	[PEER_MSG_COMPACTBLOCK] = {on_compact, compact_on_block},
	[PEER_MSG_GETBLOCKTXN] = {serve_on_getblocktxn, NULL},
	[PEER_MSG_BLOCKTXN] = {compact_on_blocktxn, NULL},
};

/* What was asked for costs nothing: those handlers charge when it was not. */
static uint64_t cost_of(const struct peer_message_info *info, size_t len)
{
	switch (info->number) {
	case PEER_MSG_HEADERS:
	case PEER_MSG_ADDR:
	case PEER_MSG_BLOCK:
	case PEER_MSG_TX:
	case PEER_MSG_COMPACTBLOCK:
	case PEER_MSG_BLOCKTXN:
		return 0;
	default:
		return info->cost + (uint64_t)info->item_cost * (len / PEER_ITEM_SIZE);
	}
}

/* Those above: they know whether they were asked. */
static bool charges_itself(const struct peer_message_info *info)
{
	return cost_of(info, 0) == 0;
}

static bool on_message(void *arg, struct rc_link *link, enum rc_link_stream stream, uint16_t type,
		       struct rc_buf *data)
{
	struct peer *peer = arg;
	struct peerd *core = peer->core;
	const struct peer_message_info *info = peer_message_find(type);
	struct rc_bytes raw;
	void *body;

	(void)link;
	(void)stream;
	if (peer->dead || !info)
		return false;
	core->received_by_type[type]++;
	charge_useful(peer, data->len);
	if (info->phase != (peer->state == PEER_READY ? PEER_PHASE_READY : PEER_PHASE_HELLO)) {
		core_count(core, PEERD_MALFORMED, 1);
		peer_drop(peer, "%s out of place", info->name);
		return false;
	}
	if (handlers[type].handle_raw && peer_message_raw(data->data, data->len, &raw)) {
		handlers[type].handle_raw(peer, raw);
		rc_arena_reset(&core->arena);
		return !peer->dead;
	}
	body = peer_message_decode(info, data->data, data->len, &core->arena);
	if (!body) {
		core_count(core, PEERD_MALFORMED, 1);
		peer_drop(peer, "malformed %s", info->name);
	} else {
		if (!charges_itself(info))
			peer_charge(peer, cost_of(info, data->len), data->len);
		handlers[type].handle(peer, body);
	}
	rc_arena_reset(&core->arena);
	return !peer->dead;
}

/* ---- life ---- */

struct peer *peer_new(struct peerd *core, enum peer_role role, const struct net_addr *addr)
{
	struct peer *peer = rc_alloc(sizeof(*peer));
	uint64_t k0 = core->hash_k0, k1 = core->hash_k1;

	peer->core = core;
	peer->id = core->next_peer++;
	peer->role = role;
	peer->addr = *addr;
	peer->since = peer->last_recv = peer->last_send = core_now(core);
	peer->since_wall = rc_wall_ms(core->out.clock);
	peer->ping_best_us = UINT64_MAX;
	charge_begin(peer);
	timer_init(&peer->resume, charge_resume, peer);
	seen_init(&peer->known_blocks, k0, k1, KNOWN_BLOCKS);
	seen_init(&peer->known_addrs, k0, k1, KNOWN_ADDRS);
	seen_init(&peer->known_txs, k0, k1, KNOWN_TXS);
	serve_init_peer(peer);
	relay_init_peer(peer);
	HASH_ADD(hh, core->peers, id, sizeof(peer->id), peer);
	if (!timer_armed(&core->tick))
		timer_arm(&core->timers, &core->tick, peer->since);
	return peer;
}

/* The link's state machine, made with the first bytes of an inbound connection or at dialling. */
static bool make_link(struct peer *peer, const struct net_endpoint *endpoint)
{
	struct peerd *core = peer->core;
	struct rc_handshake_params params = {
		.initiator = endpoint != NULL,
		.pattern = endpoint && endpoint->has_key ? RC_LINK_XK : RC_LINK_XX,
		.has_remote = endpoint && endpoint->has_key,
		.prologue_len = RC_LINK_PROLOGUE_SIZE,
		.random = core->out.random,
	};
	struct rc_link_events events = {on_max_len, on_open, on_message, peer};

	memcpy(params.secret, core->link_secret, 32);
	if (params.has_remote)
		memcpy(params.remote, endpoint->key, RC_LINK_KEY_SIZE);
	rc_link_prologue(core->network->id.b, params.prologue);
	peer->link = rc_link_new(&params, &events);
	rc_wipe(&params, sizeof(params));
	return peer->link != NULL;
}

struct peer *peer_dial(struct peerd *core, enum peer_role role, const struct net_endpoint *endpoint)
{
	struct peer *peer = peer_new(core, role, &endpoint->addr);
	const char *ours = NULL;

	peer->state = PEER_CONNECTING;
	peer->dialled_with_key = endpoint->has_key;
	core_count(core, PEERD_DIALLED, 1);
	if (!make_link(peer, endpoint)) {
		peer_drop(peer, "its link key is no key");
		return NULL;
	}
	peer->conn = core->out.net->dial(core->out.net_ctx, &endpoint->addr, peer->id, &ours);
	if (!peer->conn) {
		peer->no_way = ours != NULL;
		peer_drop(peer, "%s", ours ? ours : "no connection could be begun");
		return NULL;
	}
	return peer;
}

void peer_drop(struct peer *peer, const char *fmt, ...)
{
	struct peerd *core = peer->core;
	char addr[NET_ADDR_TEXT];
	va_list args;

	if (peer->dead)
		return;
	peer->dead = true;
	va_start(args, fmt);
	vsnprintf(peer->why, sizeof(peer->why), fmt, args);
	va_end(args);
	net_addr_format(addr, &peer->addr);
	rc_log(peer->state == PEER_READY && !core->stopping ? RC_LOG_INFO : RC_LOG_DEBUG,
	       "peer %llu %s (%s, %s): link ended: %s", (unsigned long long)peer->id, addr,
	       peer_role_name(peer->role), peer_state_name(peer->state), peer->why);
	if (peer->state == PEER_READY && core->out.on_link)
		core->out.on_link(core->out.ctx, peer->id, addr, false, peer->why);
	if (peer->state == PEER_HANDSHAKE)
		core_count(core, PEERD_HANDSHAKES_FAILED, 1);
	HASH_DEL(core->peers, peer);
	charge_end(peer);
	if (peer->conn)
		core->out.net->close(core->out.net_ctx, peer->conn);
	peer->conn = NULL;
	timer_disarm(&core->timers, &peer->resume);
	if (peer->link) {
		core->bytes_in += rc_link_bytes_in(peer->link);
		core->bytes_out += rc_link_bytes_out(peer->link);
	}
	serve_done_peer(peer);
	relay_lost(peer);
	sync_lost(peer);
	compact_lost(peer);
	fetch_lost(peer);
	connect_lost(peer);
	if (core->n_dead == core->dead_cap) {
		core->dead_cap = core->dead_cap ? 2 * core->dead_cap : 16;
		core->dead = rc_realloc_array(core->dead, core->dead_cap, sizeof(struct peer *));
	}
	core->dead[core->n_dead++] = peer;
}

void peer_free(struct peer *peer)
{
	rc_link_free(peer->link);
	rc_buf_done(&peer->out);
	relay_done_peer(peer);
	seen_done(&peer->known_blocks);
	seen_done(&peer->known_addrs);
	seen_done(&peer->known_txs);
	seen_done(&peer->served);
	free(peer->failed);
	free(peer->held_block);
	free(peer->items);
	free(peer->locator);
	free(peer->txns.places);
	free(peer);
}

void peer_penalise(struct peer *peer, const char *what, const char *detail)
{
	struct peerd *core = peer->core;
	const struct score_row *row = score_find(what);
	char addr[NET_ADDR_TEXT];

	if (peer->dead || row->points == 0)
		return;
	core_count(core, PEERD_PENALTIES, 1);
	core_count(core, PEERD_PENALTY_POINTS, row->points);
	rc_log(RC_LOG_INFO, "peer %llu %s: %u points for %s%s%s", (unsigned long long)peer->id,
	       net_addr_format(addr, &peer->addr), row->points, what, detail ? ": " : "",
	       detail ? detail : "");
	if (!score_add(&peer->score, row->points, core_now(core) / PEERD_SECOND))
		return;
	/* Whom an operator named is cut, but not shunned. */
	if (peer->role != PEER_MANUAL)
		discouraged_add(core->discouraged, &peer->addr, core_now(core) / PEERD_SECOND);
	peer_drop(peer, "misbehaved: %s", what);
}

/* ---- bytes in ---- */

void peerd_received(struct peerd *core, uint64_t id, const uint8_t *data, size_t len)
{
	struct peer *peer = core_peer(core, id);
	enum rc_link_fault fault;

	core_enter(core);
	if (peer && !peer->link && !make_link(peer, NULL))
		peer_drop(peer, "no link could be made");
	if (peer && !peer->dead) {
		peer->last_recv = core_now(core);
		peer->last_recv_wall = rc_wall_ms(core->out.clock);
		peer->unanswered = 0;
		if (rc_link_feed(peer->link, data, len) == RC_LINK_FAILED && !peer->dead) {
			fault = rc_link_fault(peer->link);
			if (fault == RC_LINK_FAULT_SELF)
				connect_is_self(peer);
			if (peer->state > PEER_HANDSHAKE)
				core_count(core, PEERD_MALFORMED, 1);
			peer_drop(peer, "%s", rc_link_fault_text(fault));
		}
		memory_fed(peer);
		charge_waste(peer);
		if (!peer->dead && rc_link_wants_write(peer->link))
			peer_flush(peer);
	}
	core_leave(core);
}

void peer_pause(struct peer *peer, enum peer_pause why, bool pause)
{
	unsigned before = peer->pauses;

	if (pause)
		peer->pauses |= why;
	else
		peer->pauses &= ~(unsigned)why;
	if (peer->conn && (before == 0) != (peer->pauses == 0))
		peer->core->out.net->set_reading(peer->core->out.net_ctx, peer->conn,
						 peer->pauses == 0);
}

/* ---- bytes out ---- */

static void mark_dirty(struct peer *peer)
{
	struct peerd *core = peer->core;

	if (peer->dirty)
		return;
	peer->dirty = true;
	if (core->n_dirty == core->dirty_cap) {
		core->dirty_cap = core->dirty_cap ? 2 * core->dirty_cap : 64;
		core->dirty = rc_realloc_array(core->dirty, core->dirty_cap, sizeof(struct peer *));
	}
	core->dirty[core->n_dirty++] = peer;
}

void peer_send_taken(struct peer *peer, enum peer_message message, uint8_t *data, size_t len)
{
	const struct peer_message_info *info = peer_message_find((uint16_t)message);
	int err;

	assert(info);
	if (peer->dead || !peer->link || rc_link_state(peer->link) != RC_LINK_OPEN) {
		free(data);
		return;
	}
	err = rc_link_send_taken(peer->link, info->stream, info->number, data, len);
	if (err) {
		rc_log(RC_LOG_ERR, "a %s of %zu bytes can't be sent: %s", info->name, len,
		       rc_err_text(err));
		return;
	}
	peer->core->sent_by_type[message]++;
	mark_dirty(peer);
}

void peer_send(struct peer *peer, enum peer_message message, const ProtobufCMessage *m)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	uint8_t *data = rc_alloc(len);

	protobuf_c_message_pack(m, data);
	peer_send_taken(peer, message, data, len);
}

size_t peer_queued(const struct peer *peer)
{
	if (!peer->link)
		return 0;
	return rc_link_queued(peer->link, RC_LINK_CONTROL) +
	       rc_link_queued(peer->link, RC_LINK_BULK) + peer->out.len - peer->out_at;
}

void peer_flush(struct peer *peer)
{
	struct peerd *core = peer->core;

	while (!peer->dead && peer->conn && peer->link && peer->state != PEER_CONNECTING &&
	       !peer->no_room) {
		size_t left, n;

		if (peer->out_at == peer->out.len) {
			rc_buf_clear(&peer->out);
			peer->out_at = 0;
			if (rc_link_pull(peer->link, &peer->out, OUT_AHEAD) == 0)
				break;
		}
		left = peer->out.len - peer->out_at;
		n = core->out.net->send(core->out.net_ctx, peer->conn,
					peer->out.data + peer->out_at, left);
		peer->out_at += n;
		peer->no_room = n < left;
		if (n > 0) {
			peer->last_send = core_now(core);
			peer->last_send_wall = rc_wall_ms(core->out.clock);
			if (!peer->unanswered)
				peer->unanswered = peer->last_send;
		}
	}
	if (!peer->dead && peer->link)
		peer_pause(peer, PEER_PAUSE_OUTPUT,
			   rc_link_queued(peer->link, RC_LINK_CONTROL) > OUT_CONTROL_MAX);
}

/* ---- times ---- */

void peer_ping(struct peer *peer)
{
	Rc__P2p__Ping m = RC__P2P__PING__INIT;

	if (!peer_is_ready(peer) || peer->ping_sent)
		return;
	peer->ping_nonce = rc_random_u64(peer->core->out.random);
	peer->ping_sent = core_now(peer->core);
	m.nonce = peer->ping_nonce;
	peer_send(peer, PEER_MSG_PING, &m.base);
}

static void timed_out(struct peer *peer, const char *what)
{
	core_count(peer->core, PEERD_TIMEOUTS, 1);
	peer_drop(peer, "%s", what);
}

static void dial_timed_out(struct peer *peer)
{
	const struct outside *out = &peer->core->out;
	const char *why = out->net->late ? out->net->late(out->net_ctx, peer->conn) : NULL;

	peer->no_way = why != NULL;
	timed_out(peer, why ? why : "no connection in time");
}

void peer_check_times(struct peer *peer, int64_t now)
{
	const struct peerd_options *opt = &peer->core->opt;
	int64_t alive = peer->last_recv;
	uint64_t bytes;

	switch (peer->state) {
	case PEER_CONNECTING:
		if (now - peer->since > opt->dial_us)
			dial_timed_out(peer);
		return;
	case PEER_HANDSHAKE:
	case PEER_HELLO:
		if (now - peer->since > opt->dial_us + opt->handshake_us ||
		    (peer->role == PEER_INBOUND && now - peer->since > opt->handshake_us))
			timed_out(peer, "no handshake in time");
		return;
	case PEER_READY:
		break;
	}
	if (charge_worn_out(peer, now)) {
		core_count(peer->core, PEERD_WORN_OUT, 1);
		peer_drop(peer, "over its budget for most of a minute");
		return;
	}
	/* A paused peer can't answer: that is our doing. */
	if (peer->pauses)
		return;
	if (peer->ping_sent) {
		/* Who still takes what we send is slow, not gone. */
		if (peer->no_room && peer->last_send > alive)
			alive = peer->last_send;
		if (now - peer->ping_sent > opt->link_timeout_us &&
		    now - alive > opt->link_timeout_us)
			timed_out(peer, "no answer");
		return;
	}
	if ((peer->unanswered && now - peer->unanswered > opt->ping_after_us) ||
	    now - peer->last_recv > opt->ping_idle_us)
		peer_ping(peer);
	bytes = rc_link_bytes_in(peer->link) + rc_link_bytes_out(peer->link);
	if (now - peer->since > opt->session_us || bytes > opt->session_bytes)
		peer_drop(peer, "the session is old: it is made anew");
}
