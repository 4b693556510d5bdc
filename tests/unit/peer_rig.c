/* See peer_rig.h. */
#include "peer_rig_chain.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/log.h"
#include "base/num.h"
#include "crypto/schnorr.h"
#include "proto/peer.pb-c.h"
#include "types/tx.h"

/* ---- events ---- */

struct rig_event {
	struct timer timer;
	struct rig *rig;
	void (*fn)(void *arg);
	void *arg;
};

static void on_event(void *arg)
{
	struct rig_event *e = arg;

	e->fn(e->arg);
	free(e);
}

void rig_later(struct rig *rig, int64_t after, void (*fn)(void *arg), void *arg)
{
	struct rig_event *e = rc_alloc(sizeof(*e));

	e->rig = rig;
	e->fn = fn;
	e->arg = arg;
	timer_init(&e->timer, on_event, e);
	timer_arm(&rig->events, &e->timer, rig->now + after);
}

static int64_t wall_ms(void *arg)
{
	const struct rig *rig = arg;

	return INT64_C(1800000000000) + rig->now / 1000;
}

static int64_t mono_us(void *arg)
{
	const struct rig *rig = arg;

	return rig->now;
}

/* ---- the network ---- */

struct chunk {
	uint8_t *data;
	size_t len;
	struct chunk *next;
};

struct rig_end {
	struct rig_end *next_made, *other;
	struct rig_node *node;
	uint64_t peer;
	struct chunk *first; /* arrived, not taken yet */
	size_t on_way;	     /* bytes sent by this end and not taken by the other */
	bool reading, closed, starved;
	struct rig_stranger *stranger; /* in place of a node */
};

struct delivery {
	struct rig_end *to;
	struct chunk *chunk;
};

static void stranger_takes(struct rig_stranger *s, const uint8_t *data, size_t len)
{
	struct rc_buf out = RC_BUF_INIT;

	rc_link_feed(s->link, data, len);
	rc_link_pull(s->link, &out, SIZE_MAX / 2);
	rig_stranger_write(s, out.data, out.len);
	rc_buf_done(&out);
}

static void hand_over(struct rig_end *end)
{
	if (end->stranger) {
		while (end->first && !end->stranger->deaf) {
			struct chunk *c = end->first;
			struct rig_end *from = end->other;

			end->first = c->next;
			from->on_way -= c->len;
			if (!end->stranger->closed)
				stranger_takes(end->stranger, c->data, c->len);
			free(c->data);
			free(c);
			if (from->starved && !from->closed) {
				from->starved = false;
				peerd_writable(from->node->core, from->peer);
			}
		}
		return;
	}
	while (!end->closed && end->reading && end->first && !end->node->silent) {
		struct chunk *c = end->first;
		struct rig_end *from = end->other;

		end->first = c->next;
		from->on_way -= c->len;
		peerd_received(end->node->core, end->peer, c->data, c->len);
		free(c->data);
		free(c);
		if (from->starved && !from->closed) {
			from->starved = false;
			peerd_writable(from->node->core, from->peer);
		}
	}
}

static void deliver(void *arg)
{
	struct delivery *d = arg;
	struct chunk **last = &d->to->first;

	while (*last)
		last = &(*last)->next;
	*last = d->chunk;
	hand_over(d->to);
	free(d);
}

static void deliver_end(void *arg)
{
	struct rig_end *end = arg;

	if (end->stranger)
		end->stranger->closed = true;
	else if (!end->closed && end->peer)
		peerd_lost(end->node->core, end->peer, "the other side closed it");
}

static struct rig_end *end_new(struct rig_node *node)
{
	struct rig_end *end = rc_alloc(sizeof(*end));

	end->node = node;
	end->reading = true;
	LL_PREPEND2(node->rig->ends, end, next_made);
	return end;
}

static void on_dialled(void *arg)
{
	struct rig_end *a = arg, *b = a->other;

	if (a->closed || a->node->proxy_silent)
		return;
	if (a->node->proxy_down) {
		peerd_not_dialled(a->node->core, a->peer, "the proxy is down");
		return;
	}
	if (!b || !b->node->core) {
		peerd_lost(a->node->core, a->peer, "nobody is there");
		return;
	}
	b->peer = peerd_accepted(b->node->core, b, &a->node->addr);
	if (b->peer == 0) {
		b->closed = true;
		peerd_lost(a->node->core, a->peer, "refused");
		return;
	}
	peerd_connected(a->node->core, a->peer);
}

static void *net_dial(void *ctx, const struct net_addr *addr, uint64_t peer, const char **ret_ours)
{
	struct rig_node *node = ctx;
	struct rig *rig = node->rig;
	struct rig_end *end;

	node->dials++;
	if (node->no_network)
		*ret_ours = "it has no network";
	if (node->no_route || node->no_network)
		return NULL;
	end = end_new(node);
	end->peer = peer;
	for (unsigned i = 0; i < rig->n; i++) {
		if (net_addr_eq(&rig->nodes[i].addr, addr) ||
		    net_addr_eq(&rig->nodes[i].alias, addr)) {
			end->other = end_new(&rig->nodes[i]);
			end->other->other = end;
		}
	}
	rig_later(rig, rig->latency, on_dialled, end);
	return end;
}

static size_t net_send(void *ctx, void *conn, const uint8_t *data, size_t len)
{
	struct rig_node *node = ctx;
	struct rig_end *end = conn;
	struct delivery *d;
	size_t room = node->rig->window - end->on_way;

	if (len > room) {
		end->starved = true;
		len = room;
	}
	if (len == 0)
		return 0;
	d = rc_alloc(sizeof(*d));
	d->to = end->other;
	d->chunk = rc_alloc(sizeof(*d->chunk));
	d->chunk->data = rc_memdup(data, len);
	d->chunk->len = len;
	end->on_way += len;
	rig_later(node->rig, node->rig->latency, deliver, d);
	return len;
}

static void take_again(void *arg)
{
	hand_over(arg);
}

static void net_set_reading(void *ctx, void *conn, bool on)
{
	struct rig_node *node = ctx;
	struct rig_end *end = conn;

	end->reading = on;
	if (on)
		rig_later(node->rig, 0, take_again, end);
}

static void net_close(void *ctx, void *conn)
{
	struct rig_node *node = ctx;
	struct rig_end *end = conn;

	end->closed = true;
	if (end->other)
		rig_later(node->rig, node->rig->latency, deliver_end, end->other);
}

static const char *net_late(void *ctx, void *conn)
{
	(void)conn;
	return ((struct rig_node *)ctx)->proxy_silent ? "the proxy says nothing" : NULL;
}

static int64_t stranger_max(void *arg, enum rc_link_stream stream, uint16_t type)
{
	(void)arg;
	(void)stream;
	(void)type;
	return 33000000; /* it keeps no limits */
}

static bool stranger_hears(void *arg, struct rc_link *link, enum rc_link_stream stream,
			   uint16_t type, struct rc_buf *data)
{
	struct rig_stranger *s = arg;

	(void)stream;
	s->heard[type % PEER_MSG_LIMIT]++;
	memset(s->said[type % PEER_MSG_LIMIT], 0, sizeof(s->said[0]));
	memcpy(s->said[type % PEER_MSG_LIMIT], data->data,
	       data->len < sizeof(s->said[0]) ? data->len : sizeof(s->said[0]));
	if (type == PEER_MSG_PING) /* the answer has the question's form */
		rc_link_send(link, RC_LINK_CONTROL, PEER_MSG_PONG, data->data, data->len);
	return true;
}

void rig_stranger_write(struct rig_stranger *s, const uint8_t *data, size_t len)
{
	struct rig_end *end = s->end;

	while (len > 0 && !s->closed) {
		struct delivery *d = rc_alloc(sizeof(*d));
		size_t n = len < 60000 ? len : 60000;

		d->to = end->other;
		d->chunk = rc_alloc(sizeof(*d->chunk));
		d->chunk->data = rc_memdup(data, n);
		d->chunk->len = n;
		end->on_way += n;
		rig_later(s->rig, s->rig->latency, deliver, d);
		data += n;
		len -= n;
	}
}

void rig_stranger_send(struct rig_stranger *s, enum rc_link_stream stream, uint16_t type,
		       const void *data, size_t len)
{
	struct rc_buf out = RC_BUF_INIT;

	rc_link_send(s->link, stream, type, data, len);
	rc_link_pull(s->link, &out, SIZE_MAX / 2);
	rig_stranger_write(s, out.data, out.len);
	rc_buf_done(&out);
}

void rig_stranger_dial(struct rig_stranger *s, struct rig_node *node, uint16_t port)
{
	char from[32];

	snprintf(from, sizeof(from), "127.0.0.1:%u", port);
	rig_stranger_dial_from(s, node, from);
}

void rig_stranger_dial_from(struct rig_stranger *s, struct rig_node *node, const char *from)
{
	struct rc_handshake_params p = {
		.initiator = true,
		.pattern = RC_LINK_XX,
		.prologue_len = RC_LINK_PROLOGUE_SIZE,
		.random = &node->rig->random.random,
	};
	struct rc_link_events events = {stranger_max, NULL, stranger_hears, s};
	struct net_addr addr;
	struct rig_end *theirs;
	struct rc_buf out = RC_BUF_INIT;

	memset(s, 0, sizeof(*s));
	s->rig = node->rig;
	assert_true(net_addr_parse(from, 1, &addr));
	rc_link_secret_make(p.random, p.secret);
	rc_link_prologue(node->rig->network.id.b, p.prologue);
	s->link = rc_link_new(&p, &events);
	s->end = end_new(node);
	s->end->stranger = s;
	theirs = end_new(node);
	theirs->other = s->end;
	s->end->other = theirs;
	theirs->peer = peerd_accepted(node->core, theirs, &addr);
	s->peer = theirs->peer;
	if (s->peer == 0) {
		s->closed = theirs->closed = true;
		return;
	}
	rc_link_pull(s->link, &out, 1);
	rig_stranger_write(s, out.data, out.len);
	rc_buf_done(&out);
}

void rig_stranger_greet(struct rig_stranger *s, bool relay)
{
	Rc__P2p__Hello m = RC__P2P__HELLO__INIT;
	RC_AUTOFREE uint8_t *data = NULL;

	m.version = PEER_PROTOCOL_VERSION;
	m.services = PEER_SERVICE_BLOCKS;
	m.relay = relay;
	m.headers = true;
	data = rc_alloc(rc__p2p__hello__get_packed_size(&m));
	rig_stranger_send(s, RC_LINK_CONTROL, PEER_MSG_HELLO, data, rc__p2p__hello__pack(&m, data));
}

bool rig_open(struct rig_stranger *s, struct rig_node *node, const char *from)
{
	rig_stranger_dial_from(s, node, from);
	rig_turn(node->rig, 50);
	if (s->peer == 0)
		return false;
	rig_stranger_greet(s, true);
	rig_turn(node->rig, 50);
	assert_false(s->closed);
	return true;
}

void rig_stranger_listen(struct rig_stranger *s)
{
	s->deaf = false;
	hand_over(s->end);
}

void rig_stranger_done(struct rig_stranger *s)
{
	rc_link_free(s->link);
	s->link = NULL;
	s->closed = true;
	if (!s->end->other->closed && s->peer)
		peerd_lost(s->end->other->node->core, s->peer, "the stranger went");
}

static const struct net_ops net = {net_dial, net_send, net_set_reading, net_close, net_late};

/* ---- nodes ---- */

static void on_wake(void *arg)
{
	struct rig_node *node = arg;

	if (node->core)
		peerd_wake(node->core);
}

static void arm(void *ctx, int64_t at_us)
{
	struct rig_node *node = ctx;

	if (at_us == INT64_MAX)
		timer_disarm(&node->rig->events, &node->wake);
	else
		timer_arm(&node->rig->events, &node->wake, at_us);
}

void rig_init(struct rig *rig, uint64_t seed)
{
	memset(rig, 0, sizeof(*rig));
	rc_log_init("rig", RC_LOG_WARNING);
	rc_schnorr_init();
	rc_test_random_seed(&rig->random, seed);
	rig->clock = (struct rc_clock){wall_ms, mono_us, rig};
	assert_true(rc_network_builtin("reg", &rig->network));
	rig->latency = 5 * PEERD_MS;
	rig->window = 256 << 10;
	rig->now = PEERD_SECOND;
}

struct peerd_options rig_options(unsigned i)
{
	struct peerd_options o = {
		.port = (uint16_t)(20000 + i),
		.default_port = 17440,
		.private_addresses = true,
		.listen = true,
		.max_inbound = 125,
		.outbound = 8,
		.block_only = 2,
		.handshakes_max = 64,
		.handshakes_per_group_max = 16,
		.handshake_us = 5 * PEERD_SECOND,
		.dial_us = 5 * PEERD_SECOND,
		.ping_after_us = 5 * PEERD_SECOND,
		.ping_idle_us = 120 * PEERD_SECOND,
		.link_timeout_us = 20 * PEERD_SECOND,
		.retry_max_us = 60 * PEERD_SECOND,
		.stall_us = 2 * PEERD_SECOND,
		.relay_delay_us = 200 * PEERD_MS,
		.session_us = 24 * 3600 * PEERD_SECOND,
		.session_bytes = UINT64_C(1000000000000),
		.user_agent = "/rig/",
	};

	memcpy(o.memory, memory_limits, sizeof(o.memory));
	return o;
}

static void node_start(struct rig_node *node, const struct peerd_options *options)
{
	struct outside out = {
		.clock = &node->rig->clock,
		.random = &node->rig->random.random,
		.net = &net,
		.net_ctx = node,
		.chain = &rig_chain_ops,
		.chain_ctx = node,
		.arm = arm,
		.ctx = node,
	};
	uint8_t secret[32];

	rc_link_secret_make(out.random, secret);
	node->core = peerd_new(&out, options, &node->rig->network, secret, NULL, NULL,
			       node->anchors.n ? &node->anchors : NULL);
	peerd_chain_state(node->core, true, true);
	peerd_start(node->core);
}

struct rig_node *rig_add(struct rig *rig, const struct peerd_options *options)
{
	struct rig_node *node = &rig->nodes[rig->n++];
	char text[32];

	node->rig = rig;
	node->chain_up = true;
	snprintf(text, sizeof(text), "127.0.0.1:%u", options->port);
	assert_true(net_addr_parse(text, 1, &node->addr));
	timer_init(&node->wake, on_wake, node);
	node->tip = rig_header_add(node, rig->network.genesis_block);
	node->tip->body = rc_memdup(rig->network.genesis_block, rig->network.genesis_len);
	node->tip->len = rig->network.genesis_len;
	node->tip->connected = true;
	node_start(node, options);
	return node;
}

/* Answers that are on their way must reach their core: let them, with its links gone. */
void rig_kill(struct rig_node *node)
{
	peerd_set_active(node->core, false);
	rig_run(node->rig, 100 * PEERD_MS, NULL, NULL);
	rig_wanted_cancel(node);
	peerd_free(node->core);
	node->core = NULL;
	timer_disarm(&node->rig->events, &node->wake);
}

void rig_restart(struct rig_node *node, const struct peerd_options *options)
{
	node_start(node, options);
}

bool rig_run(struct rig *rig, int64_t us, bool (*until)(void *arg), void *arg)
{
	int64_t end = rig->now + us;

	for (;;) {
		int64_t next = timers_next(&rig->events);

		if (until && until(arg))
			return true;
		if (next > end)
			break;
		if (next > rig->now)
			rig->now = next;
		timers_run(&rig->events, rig->now);
	}
	rig->now = end;
	return until && until(arg);
}

void rig_turn(struct rig *rig, int64_t ms)
{
	rig_run(rig, ms * PEERD_MS, NULL, NULL);
}

void rig_done(struct rig *rig)
{
	struct rig_end *end, *next_end;

	for (unsigned i = 0; i < rig->n; i++)
		if (rig->nodes[i].core)
			rig_kill(&rig->nodes[i]);
	rig_run(rig, 20 * PEERD_SECOND, NULL, NULL);
	for (unsigned i = 0; i < rig->n; i++) {
		struct rig_node *node = &rig->nodes[i];
		struct rig_block *b, *next;
		struct rig_tx *t, *next_tx;

		HASH_ITER (hh, node->blocks, b, next) {
			HASH_DEL(node->blocks, b);
			free(b->body);
			free(b);
		}
		HASH_ITER (hh, node->pool, t, next_tx) {
			HASH_DEL(node->pool, t);
			free(t->raw);
			free(t);
		}
	}
	LL_FOREACH_SAFE2(rig->ends, end, next_end, next_made)
	{
		while (end->first) {
			struct chunk *c = end->first;

			end->first = c->next;
			free(c->data);
			free(c);
		}
		free(end);
	}
	while (rig->events.n) {
		struct timer *t = rig->events.heap[0];

		timer_disarm(&rig->events, t);
		if (t->fn == on_event)
			free(t->arg);
	}
	timers_done(&rig->events);
}

void rig_mine(struct rig_node *node, unsigned n, size_t len, uint8_t fork)
{
	for (unsigned i = 0; i < n; i++) {
		struct rc_header h = {
			.version = 1,
			.height = node->tip->height + 1,
			.prev = node->tip->id,
			.nonce = fork,
		};
		uint8_t raw[RC_HEADER_SIZE];
		struct rig_block *b;

		rc_header_encode(&h, raw);
		b = rig_header_add(node, raw);
		b->body = rc_alloc(len);
		memcpy(b->body, raw, sizeof(raw));
		b->len = len;
		b->connected = true;
		node->tip = b;
	}
	rig_publish_tip(node);
}

struct rig_node *rig_of_one(struct rig *rig, uint64_t seed)
{
	struct peerd_options o = rig_options(0);
	struct rig_node *node;

	rig_init(rig, seed);
	node = rig_add(rig, &o);
	rig_mine(node, 20, 300, 0);
	return node;
}

/* A payment of no meaning: one input, one KEY output, one witness item. */
void rig_make_tx(uint32_t number, struct rc_buf *buf)
{
	uint8_t zeros[64] = {0}, txid[32] = {0};

	rc_put_le32(txid, number);
	rc_buf_put_le16(buf, 1);
	rc_buf_put_le16(buf, 0);
	rc_buf_put_cs(buf, 1);
	rc_buf_put(buf, txid, 32);
	rc_buf_put_le32(buf, 0);
	rc_buf_put_le32(buf, UINT32_MAX);
	rc_buf_put_cs(buf, 1);
	rc_buf_put_le64(buf, 1000);
	rc_buf_put_u8(buf, RC_LOCK_KEY);
	rc_buf_put(buf, zeros, 32);
	rc_buf_put_le32(buf, 0);
	rc_buf_put_cs(buf, 0);
	rc_buf_put_cs(buf, 1);
	rc_buf_put_cs(buf, 64);
	rc_buf_put(buf, zeros, 64);
}

struct rc_wtxid rig_pay(struct rig_node *node, uint32_t number)
{
	struct rc_buf buf = RC_BUF_INIT;
	struct rig_tx *t;

	rig_make_tx(number, &buf);
	t = rig_tx_add(node, buf.data, buf.len, 0);
	rc_buf_done(&buf);
	return t->wtxid;
}

void rig_confirm(struct rig_node *node, const struct rc_wtxid *wtxid)
{
	struct rig_tx *t = rig_tx_find(node, wtxid->b);

	HASH_DEL(node->pool, t);
	free(t->raw);
	free(t);
}

bool rig_has_tx(const struct rig_node *node, const struct rc_wtxid *wtxid)
{
	return rig_tx_find(node, wtxid->b) != NULL;
}

bool rig_agree(void *arg)
{
	struct rig *rig = arg;

	for (unsigned i = 1; i < rig->n; i++) {
		if (!rc_block_id_eq(&rig->nodes[i].tip->id, &rig->nodes[0].tip->id))
			return false;
	}
	return true;
}
