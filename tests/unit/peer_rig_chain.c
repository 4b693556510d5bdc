/* See peer_rig_chain.h. */
#include "peer_rig_chain.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/num.h"
#include "types/tx.h"

static struct rig_block *block_find(const struct rig_node *node, const struct rc_block_id *id)
{
	struct rig_block *b;

	HASH_FIND(hh, node->blocks, id, sizeof(*id), b);
	return b;
}

struct rig_block *rig_header_add(struct rig_node *node, const uint8_t *raw)
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

static struct rc_block_ref ref(const struct rig_block *b)
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
		rc_block_part_fn part;
		rc_rebuild_fn rebuild;
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
		.tip = ref(a->node->tip),
		.best_header = ref(a->node->best_header),
	};

	info.initial_download = a->node->tip->height + 6 < a->node->best_header->height;
	a->fn.info(a->arg, &fine, &info);
	answer_free(a);
}

static void chain_info(void *ctx, rc_chain_info_fn fn, void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	a->fn.info = fn;
	rig_later(a->node->rig, CHAIN_US, do_info, a);
}

static void do_locator(void *arg)
{
	struct answer *a = arg;
	struct rc_block_id ids[100];
	struct rc_locator l = {.ids = ids, .best_header = ref(a->node->best_header)};
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
	rig_later(a->node->rig, CHAIN_US, do_locator, a);
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
	rig_later(a->node->rig, CHAIN_US, do_headers, a);
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
	rig_later(a->node->rig, CHAIN_US, do_block, a);
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

static void chain_wanted(void *ctx, const struct rc_wanted_peer *peers, size_t n_peers,
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
	rig_later(node->rig, CHAIN_US, check_wanted, node);
	rig_later(node->rig, wait_ms * PEERD_MS, check_wanted, node);
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
	rig_later(a->node->rig, CHAIN_US, do_release, a);
}

/* ---- submitting ---- */

/* A branch of little work so far is counted, not kept: true if so. */
static bool count_headers(struct rig_node *node, const struct rc_buf *data,
			  struct rc_submit_headers *r)
{
	size_t n = data->len / RC_HEADER_SIZE;
	struct rc_header first, last;
	bool goes_on;

	if (node->count_until == 0 || n == 0)
		return false;
	rc_header_decode(data->data, &first);
	rc_header_decode(data->data + (n - 1) * RC_HEADER_SIZE, &last);
	if (node->refuse_headers) {
		r->verdict = r->verdict_class = node->refuse_headers;
		return true;
	}
	if (rc_block_id_is_zero(&node->count_from))
		node->count_from = node->rig->network.genesis_id;
	goes_on = rc_block_id_eq(&first.prev, &node->count_from);
	if (goes_on)
		rc_header_id(data->data + (n - 1) * RC_HEADER_SIZE, &node->count_from);
	r->go_on = n == PEER_HEADERS_MAX;
	if (last.height >= node->count_until) {
		node->count_until = 0;
		node->count_from = node->rig->network.genesis_id;
		r->go_on = true;
	}
	r->ask_from = node->count_from;
	if (!r->go_on && goes_on)
		node->count_from = node->rig->network.genesis_id;
	return true;
}

static void do_submit_headers(void *arg)
{
	struct answer *a = arg;
	struct rc_submit_headers r = {.verdict = "ok", .verdict_class = "ok"};
	bool counted = count_headers(a->node, &a->data, &r);

	for (size_t i = 0; !counted && i < a->data.len; i += RC_HEADER_SIZE) {
		struct rig_block *b = rig_header_add(a->node, a->data.data + i);

		if (!b) {
			r.verdict = "header-parent-unknown";
			r.verdict_class = "unknown";
			break;
		}
		r.accepted++;
		r.last = ref(b);
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
	rig_later(a->node->rig, CHAIN_US, do_submit_headers, a);
}

void rig_publish_tip(struct rig_node *node)
{
	struct rc_tip_event e = {
		.tip = ref(node->tip),
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
		rig_publish_tip(node);
}

static void do_submit_block(void *arg)
{
	struct answer *a = arg;
	struct rig_node *node = a->node;
	struct rig_block *b = rig_header_add(node, a->data.data);
	struct rc_submit_block r = {.verdict = "ok", .verdict_class = "ok"};

	if (!b || node->refuse) {
		r.verdict = b ? node->refuse : "header-parent-unknown";
		r.verdict_class = b ? "invalid" : "unknown";
	} else {
		r.block = ref(b);
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
	rig_later(a->node->rig, CHAIN_US, do_submit_block, a);
}

/* ---- compact blocks ---- */

/* The rig's blocks are headers and zeros, which have no compact form: they are given whole, as old
 * ones are, unless a test has an answer. */
static void do_compact_block(void *arg)
{
	struct answer *a = arg;
	struct rig_block *b = block_find(a->node, a->ids);
	struct rc_block_part part = {.raw = a->node->compact};

	a->node->compacts_asked++;
	if (!part.raw.len && b && b->body)
		part = (struct rc_block_part){.whole = true, .raw = {b->body, b->len}};
	a->fn.part(a->arg, part.raw.len ? &fine : &absent, part.raw.len ? &part : NULL);
	answer_free(a);
}

static void chain_compact_block(void *ctx, const struct rc_block_id *id, rc_block_part_fn fn,
				void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	a->fn.part = fn;
	a->ids = rc_memdup(id, sizeof(*id));
	rig_later(a->node->rig, CHAIN_US, do_compact_block, a);
}

static void do_block_txns(void *arg)
{
	struct answer *a = arg;
	struct rc_block_part part = a->node->txns;

	a->fn.part(a->arg, &fine, &part);
	answer_free(a);
}

static void chain_block_txns(void *ctx, const struct rc_block_id *id, struct rc_bytes places,
			     rc_block_part_fn fn, void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	(void)id;
	a->fn.part = fn;
	a->node->txns_asked++;
	a->node->places_asked = places.len;
	rig_later(a->node->rig, CHAIN_US, do_block_txns, a);
}

static void do_rebuild(void *arg)
{
	struct answer *a = arg;
	struct rig_node *node = a->node;
	struct rc_rebuild r = a->n ? node->rebuild_again : node->rebuild;
	struct rig_block *b = rig_header_add(node, a->data.data);

	if (b)
		r.block = ref(b);
	a->fn.rebuild(a->arg, &fine, &r);
	if (b && !b->body && strcmp(r.verdict_class, "ok") == 0 && !r.missing && !r.ambiguous) {
		b->body = rc_memdup(b->header, RC_HEADER_SIZE);
		b->len = RC_HEADER_SIZE;
		connect_all(node);
	}
	answer_free(a);
}

static void chain_rebuild(void *ctx, uint64_t peer, struct rc_bytes compact, struct rc_bytes places,
			  struct rc_bytes txs, rc_rebuild_fn fn, void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	(void)peer;
	(void)txs;
	a->fn.rebuild = fn;
	a->n = places.len;
	a->node->rebuilds++;
	rc_buf_put(&a->data, compact.data, compact.len);
	rig_later(a->node->rig, CHAIN_US, do_rebuild, a);
}

/* ---- transactions ---- */

struct rig_tx *rig_tx_find(const struct rig_node *node, const uint8_t wtxid[32])
{
	struct rig_tx *t;

	HASH_FIND(hh, node->pool, wtxid, 32, t);
	return t;
}

struct rig_tx *rig_tx_add(struct rig_node *node, const void *raw, size_t len, uint64_t peer)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_tx_event e = {.peer = peer, .size = (uint32_t)len, .fee = len};
	struct rig_tx *t;
	struct rc_tx tx;

	assert_true(rc_tx_decode(raw, len, &arena, &tx));
	rc_arena_done(&arena);
	t = rig_tx_find(node, tx.wtxid.b);
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
		if (!rig_tx_find(a->node, a->data.data + i))
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
	rig_later(a->node->rig, CHAIN_US, do_have, a);
}

static void do_submit_txs(void *arg)
{
	struct answer *a = arg;
	struct rc_submit_tx *results = rc_alloc_array(a->n, sizeof(*results));
	struct rc_submit_txs r = {a->n, results};
	struct rc_reader in = rc_reader_of(a->data.data, a->data.len);

	for (size_t i = 0; i < a->n; i++) {
		uint32_t len = rc_read_le32(&in);
		struct rig_tx *t;

		if (a->node->refuse_txs) {
			(void)rc_read_bytes(&in, len);
			results[i].verdict = results[i].verdict_class = a->node->refuse_txs;
			continue;
		}
		t = rig_tx_add(a->node, rc_read_bytes(&in, len), len, a->peer);

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
	rig_later(a->node->rig, CHAIN_US, do_submit_txs, a);
}

static void do_pool_txs(void *arg)
{
	struct answer *a = arg;
	struct rc_wtxid *found = rc_alloc_array(a->data.len / 32, sizeof(*found));
	struct rc_bytes *raw = rc_alloc_array(a->data.len / 32, sizeof(*raw));
	struct rc_pool_txs r = {.found = found, .raw = raw};

	for (size_t i = 0; i < a->data.len; i += 32) {
		struct rig_tx *t = rig_tx_find(a->node, a->data.data + i);

		if (a->node->pool_most && r.looked == a->node->pool_most)
			break;
		r.looked++;
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
	rig_later(a->node->rig, CHAIN_US, do_pool_txs, a);
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
	rig_later(a->node->rig, CHAIN_US, do_pool_tx, a);
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
	if (a->node->pool_away)
		a->fn.list(a->arg, &(struct rc_reply){.err = RC_EBUSY}, NULL);
	else
		a->fn.list(a->arg, &fine, &r);
	free(entries);
	answer_free(a);
}

static void chain_pool_list(void *ctx, rc_mempool_list_fn fn, void *arg)
{
	struct answer *a = answer_new(ctx, arg);

	a->node->pool_lists++;
	a->fn.list = fn;
	rig_later(a->node->rig, CHAIN_US, do_pool_list, a);
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
	rig_later(a->node->rig, CHAIN_US, do_pool_info, a);
}

const struct chain_ops rig_chain_ops = {
	.up = chain_up,
	.info = chain_info,
	.locator = chain_locator,
	.headers = chain_headers,
	.block = chain_block,
	.submit_headers = chain_submit_headers,
	.submit_block = chain_submit_block,
	.compact_block = chain_compact_block,
	.block_txns = chain_block_txns,
	.rebuild = chain_rebuild,
	.wanted = chain_wanted,
	.release = chain_release,
	.have_txs = chain_have,
	.submit_txs = chain_submit_txs,
	.pool_txs = chain_pool_txs,
	.pool_tx = chain_pool_tx,
	.pool_list = chain_pool_list,
	.pool_info = chain_pool_info,
};

void rig_wanted_cancel(struct rig_node *node)
{
	static const struct rc_reply cancelled = {.err = RC_ECANCELLED};
	struct rig_wanted *w, *next;

	DL_FOREACH_SAFE (node->wanted, w, next) {
		w->fn(w->arg, &cancelled, NULL);
		wanted_free(w);
	}
}
