/* See peer_rig.h. */
#include "peer_rig.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/log.h"
#include "base/num.h"
#include "crypto/schnorr.h"
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

static void later(struct rig *rig, int64_t after, void (*fn)(void *arg), void *arg)
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
};

struct delivery {
	struct rig_end *to;
	struct chunk *chunk;
};

static void hand_over(struct rig_end *end)
{
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

	if (!end->closed && end->peer)
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

	if (a->closed)
		return;
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

static void *net_dial(void *ctx, const struct net_addr *addr, uint64_t peer)
{
	struct rig_node *node = ctx;
	struct rig *rig = node->rig;
	struct rig_end *end = end_new(node);

	end->peer = peer;
	for (unsigned i = 0; i < rig->n; i++) {
		if (net_addr_eq(&rig->nodes[i].addr, addr)) {
			end->other = end_new(&rig->nodes[i]);
			end->other->other = end;
		}
	}
	later(rig, rig->latency, on_dialled, end);
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
	later(node->rig, node->rig->latency, deliver, d);
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
		later(node->rig, 0, take_again, end);
}

static void net_close(void *ctx, void *conn)
{
	struct rig_node *node = ctx;
	struct rig_end *end = conn;

	end->closed = true;
	if (end->other)
		later(node->rig, node->rig->latency, deliver_end, end->other);
}

static const struct net_ops net = {net_dial, net_send, net_set_reading, net_close};

/* ---- the fake chaind ---- */

static struct rig_block *block_find(const struct rig_node *node, const struct rc_block_id *id)
{
	struct rig_block *b;

	HASH_FIND(hh, node->blocks, id, sizeof(*id), b);
	return b;
}

static struct rig_block *header_add(struct rig_node *node, const uint8_t *raw)
{
	struct rc_header h;
	struct rc_block_id id;
	struct rig_block *b, *parent;

	rc_header_decode(raw, &h);
	rc_header_id(raw, &id);
	b = block_find(node, &id);
	if (b)
		return b;
	parent = block_find(node, &h.prev);
	if (!parent && node->blocks)
		return NULL;
	b = rc_alloc(sizeof(*b));
	b->id = id;
	b->parent = parent;
	b->height = parent ? parent->height + 1 : 0;
	memcpy(b->header, raw, RC_HEADER_SIZE);
	HASH_ADD(hh, node->blocks, id, sizeof(b->id), b);
	if (!node->best_header || b->height > node->best_header->height)
		node->best_header = b;
	return b;
}

struct rc_block_ref rig_ref(const struct rig_block *b);
struct rc_block_ref rig_ref(const struct rig_block *b)
{
	return (struct rc_block_ref){b->height, b->id};
}

/* One answer on its way: what is needed of any of them. */
struct answer {
	struct rig_node *node;
	void *arg;
	union {
		rc_chain_info_fn info;
		rc_locator_fn locator;
		rc_bytes_fn bytes;
		rc_header_info_fn header;
		rc_submit_headers_fn headers;
		rc_submit_block_fn block;
		rc_done_fn done;
		rc_have_txs_fn have;
		rc_submit_txs_fn txs;
		rc_pool_txs_fn pool_txs;
		rc_mempool_entry_fn entry;
		rc_mempool_list_fn list;
		rc_mempool_info_fn pool_info;
	} fn;
	struct rc_block_id *ids;
	size_t n;
	struct rc_buf data;
	uint64_t peer;
	struct rc_txid txid;
};

static struct answer *answer_new(struct rig_node *node, void *arg)
{
	struct answer *a = rc_alloc(sizeof(*a));

	a->node = node;
	a->arg = arg;
	return a;
}

static void answer_free(struct answer *a)
{
	free(a->ids);
	rc_buf_done(&a->data);
	free(a);
}

#define CHAIN_US 1000 /* an answer of chaind */
static const struct rc_reply fine = {0}, absent = {.err = RC_ENOENT};

static bool chain_up(void *ctx)
{
	return ((struct rig_node *)ctx)->chain_up;
}

static void do_info(void *arg)
{
	struct answer *a = arg;
	struct rc_chain_info info = {
		.tip = rig_ref(a->node->tip),
		.best_header = rig_ref(a->node->best_header),
	};

	info.initial_download = a->node->tip->height + 6 < a->node->best_header->height;
	a->fn.info(a->arg, &fine, &info);
	answer_free(a);
}

static void chain_info(void *ctx, rc_chain_info_fn fn, void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	a->fn.info = fn;
	later(a->node->rig, CHAIN_US, do_info, a);
}

static void do_locator(void *arg)
{
	struct answer *a = arg;
	struct rc_block_id ids[100];
	struct rc_locator l = {.ids = ids, .best_header = rig_ref(a->node->best_header)};
	uint32_t step = 1;

	for (struct rig_block *b = a->node->best_header; b;) {
		ids[l.n++] = b->id;
		if (l.n > 10)
			step *= 2;
		if (b->height == 0)
			break;
		for (uint32_t i = 0; i < step && b->parent; i++)
			b = b->parent;
	}
	a->fn.locator(a->arg, &fine, &l);
	answer_free(a);
}

static void chain_locator(void *ctx, const struct rc_block_id *from, rc_locator_fn fn, void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	(void)from;
	a->fn.locator = fn;
	later(a->node->rig, CHAIN_US, do_locator, a);
}

/* The block of this height on the tip's branch. */
static struct rig_block *at_height(const struct rig_node *node, uint32_t height)
{
	struct rig_block *b = node->tip;

	while (b->height > height)
		b = b->parent;
	return b;
}

static void do_headers(void *arg)
{
	struct answer *a = arg;
	struct rig_node *node = a->node;
	struct rc_buf out = RC_BUF_INIT;
	struct rc_bytes raw;
	uint32_t from = 0;

	for (size_t i = 0; i < a->n; i++) {
		struct rig_block *b = block_find(node, &a->ids[i]);

		if (b && b->height <= node->tip->height && at_height(node, b->height) == b) {
			from = b->height;
			break;
		}
	}
	for (uint32_t h = from + 1; h <= node->tip->height && h <= from + PEER_HEADERS_MAX; h++)
		(void)rc_buf_add(&out, RC_HEADER_SIZE);
	for (struct rig_block *b = node->tip; b->height > from; b = b->parent) {
		if (b->height <= from + PEER_HEADERS_MAX)
			memcpy(out.data + (b->height - from - 1) * RC_HEADER_SIZE, b->header,
			       RC_HEADER_SIZE);
	}
	raw = (struct rc_bytes){out.data, out.len};
	a->fn.bytes(a->arg, &fine, &raw);
	rc_buf_done(&out);
	answer_free(a);
}

static void chain_headers(void *ctx, const struct rc_block_id *locator, size_t n_locator,
			  const struct rc_block_id *stop, uint32_t max, rc_bytes_fn fn, void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	(void)stop;
	(void)max;
	a->fn.bytes = fn;
	a->ids = rc_memdup(locator, n_locator * sizeof(*locator));
	a->n = n_locator;
	later(a->node->rig, CHAIN_US, do_headers, a);
}

static void do_block(void *arg)
{
	struct answer *a = arg;
	struct rig_block *b = block_find(a->node, a->ids);
	struct rc_header_info info = {0};

	if (b && b->body) {
		info.height = b->height;
		info.raw = (struct rc_bytes){b->body, b->len};
		a->fn.header(a->arg, &fine, &info);
	} else {
		a->fn.header(a->arg, &absent, NULL);
	}
	answer_free(a);
}

static void chain_block(void *ctx, const struct rc_block_id *id, rc_header_info_fn fn, void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	a->fn.header = fn;
	a->ids = rc_memdup(id, sizeof(*id));
	later(a->node->rig, CHAIN_US, do_block, a);
}

/* ---- wanted ---- */

struct rig_wanted {
	struct rig_wanted *prev, *next;
	struct rig_node *node;
	struct rc_wanted_peer *peers;
	size_t n;
	uint32_t max;
	int64_t until;
	rc_wanted_fn fn;
	void *arg;
	uint64_t call;
};

static bool failed_here(const struct rc_wanted_peer *p, const struct rig_block *b)
{
	for (size_t i = 0; i < p->n_failed; i++) {
		if (rc_block_id_eq(&p->failed[i], &b->id))
			return true;
	}
	return false;
}

#define LEASES	 256
#define LEASE_US (10 * PEERD_SECOND)

static size_t lease(struct rig_node *node, const struct rig_wanted *w, struct rc_lease *ret)
{
	int64_t now = node->rig->now;
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++) {
		const struct rc_wanted_peer *p = &w->peers[i];
		struct rig_block *b = block_find(node, &p->tip), *path[2048];
		size_t n_path = 0;
		uint32_t room = w->max > p->in_flight ? w->max - p->in_flight : 0;

		for (; b && !b->connected; b = b->parent) {
			path[n_path % RC_ARRAY_LEN(path)] = b;
			n_path++;
		}
		for (size_t j = n_path; j > 0 && room > 0 && n < LEASES && n_path - j < 1024; j--) {
			b = path[(j - 1) % RC_ARRAY_LEN(path)];
			if (b->body || (b->leased_to && b->leased_until > now) || failed_here(p, b))
				continue;
			b->leased_to = p->peer;
			b->leased_until = now + LEASE_US;
			ret[n++] = (struct rc_lease){p->peer, b->id, b->height, 10000};
			room--;
		}
	}
	return n;
}

static void wanted_free(struct rig_wanted *w)
{
	DL_DELETE(w->node->wanted, w);
	for (size_t i = 0; i < w->n; i++)
		free((void *)(uintptr_t)w->peers[i].failed);
	free(w->peers);
	free(w);
}

static void wanted_answer(struct rig_wanted *w, const struct rc_lease *leases, size_t n)
{
	struct rc_wanted reply = {n, leases};

	w->fn(w->arg, &fine, &reply);
	wanted_free(w);
}

static void check_wanted(void *arg)
{
	struct rig_node *node = arg;
	struct rc_lease leases[LEASES];
	struct rig_wanted *w, *next;

	if (!node->core || !node->chain_up)
		return;
	DL_FOREACH_SAFE (node->wanted, w, next) {
		size_t n = lease(node, w, leases);

		if (n || w->until <= node->rig->now)
			wanted_answer(w, leases, n);
	}
}

static uint64_t chain_wanted(void *ctx, const struct rc_wanted_peer *peers, size_t n_peers,
			     uint32_t max_per_peer, uint32_t wait_ms, rc_wanted_fn fn, void *arg)
{
	struct rig_node *node = ctx;
	struct rig_wanted *w = rc_alloc(sizeof(*w));

	w->node = node;
	w->peers = rc_memdup(peers, n_peers * sizeof(*peers));
	for (size_t i = 0; i < n_peers; i++)
		w->peers[i].failed =
			rc_memdup(peers[i].failed, peers[i].n_failed * sizeof(*peers[i].failed));
	w->n = n_peers;
	w->max = max_per_peer;
	w->until = node->rig->now + wait_ms * PEERD_MS;
	w->fn = fn;
	w->arg = arg;
	DL_APPEND(node->wanted, w);
	later(node->rig, CHAIN_US, check_wanted, node);
	later(node->rig, wait_ms * PEERD_MS, check_wanted, node);
	w->call = ++node->calls;
	return w->call;
}

static void chain_cancel(void *ctx, uint64_t call)
{
	struct rig_node *node = ctx;
	struct rig_wanted *w, *next;

	DL_FOREACH_SAFE (node->wanted, w, next) {
		if (w->call == call)
			wanted_free(w);
	}
}

static void do_release(void *arg)
{
	struct answer *a = arg;

	for (size_t i = 0; i < a->n; i++) {
		struct rig_block *b = block_find(a->node, &a->ids[i]);

		if (b)
			b->leased_to = 0;
	}
	check_wanted(a->node);
	a->fn.done(a->arg, &fine);
	answer_free(a);
}

static void chain_release(void *ctx, const struct rc_block_id *ids, size_t n, rc_done_fn fn,
			  void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	a->fn.done = fn;
	a->ids = rc_memdup(ids, n * sizeof(*ids));
	a->n = n;
	later(a->node->rig, CHAIN_US, do_release, a);
}

/* ---- submitting ---- */

static void do_submit_headers(void *arg)
{
	struct answer *a = arg;
	struct rc_submit_headers r = {.verdict = "ok", .verdict_class = "ok"};

	for (size_t i = 0; i < a->data.len; i += RC_HEADER_SIZE) {
		struct rig_block *b = header_add(a->node, a->data.data + i);

		if (!b) {
			r.verdict = "header-parent-unknown";
			r.verdict_class = "unknown";
			break;
		}
		r.accepted++;
		r.last = rig_ref(b);
		r.wanted = b->height > a->node->tip->height;
	}
	a->fn.headers(a->arg, &fine, &r);
	check_wanted(a->node);
	answer_free(a);
}

static void chain_submit_headers(void *ctx, uint64_t peer, struct rc_bytes headers,
				 rc_submit_headers_fn fn, void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	(void)peer;
	a->fn.headers = fn;
	rc_buf_put(&a->data, headers.data, headers.len);
	later(a->node->rig, CHAIN_US, do_submit_headers, a);
}

static void publish_tip(struct rig_node *node)
{
	struct rc_tip_event e = {
		.tip = rig_ref(node->tip),
		.header = {node->tip->header, RC_HEADER_SIZE},
		.initial_download = node->tip->height + 6 < node->best_header->height,
	};

	if (node->core && node->chain_up)
		peerd_chain_tip(node->core, &e);
}

/* Connects what can be: a highest block all of whose ancestors are here becomes the tip. */
static void connect_all(struct rig_node *node)
{
	struct rig_block *b, *before = node->tip;
	bool more = true;

	while (more) {
		more = false;
		for (b = node->blocks; b; b = b->hh.next) {
			if (b->connected || !b->body || !b->parent->connected)
				continue;
			b->connected = true;
			more = true;
			if (b->height > node->tip->height)
				node->tip = b;
		}
	}
	if (node->tip != before)
		publish_tip(node);
}

static void do_submit_block(void *arg)
{
	struct answer *a = arg;
	struct rig_node *node = a->node;
	struct rig_block *b = header_add(node, a->data.data);
	struct rc_submit_block r = {.verdict = "ok", .verdict_class = "ok"};

	if (!b || node->refuse) {
		r.verdict = b ? node->refuse : "header-parent-unknown";
		r.verdict_class = b ? "invalid" : "unknown";
	} else {
		r.block = rig_ref(b);
		r.duplicate = b->body != NULL;
		node->duplicates += r.duplicate;
		if (!b->body) {
			node->blocks_taken++;
			b->body = rc_memdup(a->data.data, a->data.len);
			b->len = a->data.len;
		}
		connect_all(node);
	}
	a->fn.block(a->arg, &fine, &r);
	check_wanted(node);
	answer_free(a);
}

static void chain_submit_block(void *ctx, uint64_t peer, bool wait_connect, struct rc_bytes block,
			       rc_submit_block_fn fn, void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	(void)peer;
	(void)wait_connect;
	a->fn.block = fn;
	rc_buf_put(&a->data, block.data, block.len);
	later(a->node->rig, CHAIN_US, do_submit_block, a);
}

/* ---- transactions ---- */

static struct rig_tx *tx_find(const struct rig_node *node, const uint8_t wtxid[32])
{
	struct rig_tx *t;

	HASH_FIND(hh, node->pool, wtxid, 32, t);
	return t;
}

static struct rig_tx *tx_add(struct rig_node *node, const void *raw, size_t len, uint64_t peer)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_tx_event e = {.peer = peer, .size = (uint32_t)len, .fee = len};
	struct rig_tx *t;
	struct rc_tx tx;

	assert_true(rc_tx_decode(raw, len, &arena, &tx));
	rc_arena_done(&arena);
	t = tx_find(node, tx.wtxid.b);
	if (t)
		return t;
	t = rc_alloc(sizeof(*t));
	t->wtxid = tx.wtxid;
	t->txid = tx.txid;
	t->raw = rc_memdup(raw, len);
	t->len = len;
	HASH_ADD(hh, node->pool, wtxid, sizeof(t->wtxid), t);
	e.wtxid = t->wtxid;
	e.txid = t->txid;
	if (node->core)
		peerd_chain_tx(node->core, &e);
	return t;
}

static void do_have(void *arg)
{
	struct answer *a = arg;
	struct rc_have_txs r = {.lease_ms = 10000};
	struct rc_buf out = RC_BUF_INIT;

	for (size_t i = 0; i < a->data.len; i += 32) {
		if (!tx_find(a->node, a->data.data + i))
			rc_buf_put(&out, a->data.data + i, 32);
	}
	r.wanted = (struct rc_bytes){out.data, out.len};
	a->fn.have(a->arg, &fine, &r);
	rc_buf_done(&out);
	answer_free(a);
}

static void chain_have(void *ctx, uint64_t peer, const struct rc_wtxid *wtxids, size_t n,
		       rc_have_txs_fn fn, void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	(void)peer;
	a->fn.have = fn;
	rc_buf_put(&a->data, wtxids, n * 32);
	later(a->node->rig, CHAIN_US, do_have, a);
}

static void do_submit_txs(void *arg)
{
	struct answer *a = arg;
	struct rc_submit_tx *results = rc_alloc_array(a->n, sizeof(*results));
	struct rc_submit_txs r = {a->n, results};
	struct rc_reader in = rc_reader_of(a->data.data, a->data.len);

	for (size_t i = 0; i < a->n; i++) {
		uint32_t len = rc_read_le32(&in);
		struct rig_tx *t = tx_add(a->node, rc_read_bytes(&in, len), len, a->peer);

		results[i].verdict = results[i].verdict_class = "ok";
		results[i].wtxid = t->wtxid;
	}
	a->fn.txs(a->arg, &fine, &r);
	free(results);
	answer_free(a);
}

static void chain_submit_txs(void *ctx, uint64_t peer, const struct rc_bytes *txs, size_t n,
			     rc_submit_txs_fn fn, void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	a->peer = peer;
	a->fn.txs = fn;
	a->n = n;
	for (size_t i = 0; i < n; i++) {
		rc_buf_put_le32(&a->data, (uint32_t)txs[i].len);
		rc_buf_put(&a->data, txs[i].data, txs[i].len);
	}
	later(a->node->rig, CHAIN_US, do_submit_txs, a);
}

static void do_pool_txs(void *arg)
{
	struct answer *a = arg;
	struct rc_wtxid *found = rc_alloc_array(a->data.len / 32, sizeof(*found));
	struct rc_bytes *raw = rc_alloc_array(a->data.len / 32, sizeof(*raw));
	struct rc_pool_txs r = {0, found, raw};

	for (size_t i = 0; i < a->data.len; i += 32) {
		struct rig_tx *t = tx_find(a->node, a->data.data + i);

		if (!t)
			continue;
		found[r.n] = t->wtxid;
		raw[r.n++] = (struct rc_bytes){t->raw, t->len};
	}
	a->fn.pool_txs(a->arg, &fine, &r);
	free(found);
	free(raw);
	answer_free(a);
}

static void chain_pool_txs(void *ctx, const struct rc_wtxid *wtxids, size_t n, rc_pool_txs_fn fn,
			   void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	a->fn.pool_txs = fn;
	rc_buf_put(&a->data, wtxids, n * 32);
	later(a->node->rig, CHAIN_US, do_pool_txs, a);
}

static void do_pool_tx(void *arg)
{
	struct answer *a = arg;
	struct rc_mempool_entry e = {0};
	struct rig_tx *t = a->node->pool;

	while (t && !rc_txid_eq(&t->txid, &a->txid))
		t = t->hh.next;
	if (t) {
		e.wtxid = t->wtxid;
		e.raw = (struct rc_bytes){t->raw, t->len};
	}
	a->fn.entry(a->arg, t ? &fine : &absent, t ? &e : NULL);
	answer_free(a);
}

static void chain_pool_tx(void *ctx, const struct rc_txid *txid, rc_mempool_entry_fn fn, void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	a->fn.entry = fn;
	a->txid = *txid;
	later(a->node->rig, CHAIN_US, do_pool_tx, a);
}

static void do_pool_list(void *arg)
{
	struct answer *a = arg;
	size_t n = HASH_COUNT(a->node->pool), i = 0;
	struct rc_mempool_entry *entries = rc_alloc_array(n, sizeof(*entries));
	struct rc_mempool_list r = {.n_entries = n, .entries = entries};

	for (struct rig_tx *t = a->node->pool; t; t = t->hh.next, i++) {
		entries[i].wtxid = t->wtxid;
		entries[i].size = (uint32_t)t->len;
		entries[i].fee = t->len;
	}
	a->fn.list(a->arg, &fine, &r);
	free(entries);
	answer_free(a);
}

static void chain_pool_list(void *ctx, rc_mempool_list_fn fn, void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	a->fn.list = fn;
	later(a->node->rig, CHAIN_US, do_pool_list, a);
}

static void do_pool_info(void *arg)
{
	struct answer *a = arg;
	struct rc_mempool_info r = {.min_fee_per_kb = 1000};

	a->fn.pool_info(a->arg, &fine, &r);
	answer_free(a);
}

static void chain_pool_info(void *ctx, rc_mempool_info_fn fn, void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	a->fn.pool_info = fn;
	later(a->node->rig, CHAIN_US, do_pool_info, a);
}

static const struct chain_ops chain = {
	chain_up,	chain_info,	      chain_locator,	  chain_headers,
	chain_block,	chain_submit_headers, chain_submit_block, chain_wanted,
	chain_cancel,	chain_release,	      chain_have,	  chain_submit_txs,
	chain_pool_txs, chain_pool_tx,	      chain_pool_list,	  chain_pool_info,
};

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

	return o;
}

static void node_start(struct rig_node *node, const struct peerd_options *options)
{
	struct outside out = {
		.clock = &node->rig->clock,
		.random = &node->rig->random.random,
		.net = &net,
		.net_ctx = node,
		.chain = &chain,
		.chain_ctx = node,
		.arm = arm,
		.ctx = node,
	};
	uint8_t secret[32];

	rc_link_secret_make(out.random, secret);
	node->core = peerd_new(&out, options, &node->rig->network, secret, NULL, NULL);
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
	node->tip = header_add(node, rig->network.genesis_block);
	node->tip->body = rc_memdup(rig->network.genesis_block, rig->network.genesis_len);
	node->tip->len = rig->network.genesis_len;
	node->tip->connected = true;
	node_start(node, options);
	return node;
}

static void drop_wanted(struct rig_node *node)
{
	static const struct rc_reply cancelled = {.err = RC_ECANCELLED};
	struct rig_wanted *w, *next;

	DL_FOREACH_SAFE (node->wanted, w, next) {
		w->fn(w->arg, &cancelled, NULL);
		wanted_free(w);
	}
}

/* Answers that are on their way must reach their core: let them, with its links gone. */
void rig_kill(struct rig_node *node)
{
	peerd_set_active(node->core, false);
	rig_run(node->rig, 100 * PEERD_MS, NULL, NULL);
	drop_wanted(node);
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
		b = header_add(node, raw);
		b->body = rc_alloc(len);
		memcpy(b->body, raw, sizeof(raw));
		b->len = len;
		b->connected = true;
		node->tip = b;
	}
	publish_tip(node);
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
	t = tx_add(node, buf.data, buf.len, 0);
	rc_buf_done(&buf);
	return t->wtxid;
}

bool rig_has_tx(const struct rig_node *node, const struct rc_wtxid *wtxid)
{
	return tx_find(node, wtxid->b) != NULL;
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
