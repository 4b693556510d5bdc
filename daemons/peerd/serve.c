/*
 * What peers ask for, answered from chaind: each peer has its own queue, few questions to chaind
 * on their way and little output ahead of its connection, so a slow one keeps nobody waiting.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "daemons/peerd/peerd.h"
#include "proto/peer.pb-c.h"
#include "types/compact.h"

/* Items that may wait: an honest peer asks for 16 blocks and 100 transactions at a time. */
#define ITEMS_MAX 5000
/* Questions to chaind for one peer, and bulk bytes queued for it before the next one. */
#define SERVING_MAX 2
#define BULK_AHEAD  (4u << 20)
/* Transactions asked of chaind in one call. */
#define TXS_A_CALL 200
/* Room for items, 56 bytes each (303 kB). A message is taken while no more than ITEMS_MAX wait with
 * its own; beside these there are only parked ones, and those in a question to chaind, that come
 * back. */
#define ITEMS_ROOM (ITEMS_MAX + PEER_PARKED_MAX + SERVING_MAX * TXS_A_CALL)
/* Of what the bound over all leaves, and that of its network group, one peer may have so much
 * ahead. */
#define AHEAD_SHARE	  8
#define AHEAD_GROUP_SHARE 4
/* Who is slow (MEMORY_SLOW_BYTES, MEMORY_SLOW_AFTER) ends when half of the bound is held, or all of
 * its group's; who takes that little in so long when all of it is, and holds most for longest. */
#define SLOW_AT_BOUND (2 * PEERD_SECOND)
/* Ids remembered as given to a peer, a generation: 16 kB. */
#define SERVED_KNOWN 1000
/* A block that isn't here is waited for: it may be on its way, its header already told. */
#define PARKED_FOR   (5 * PEERD_SECOND)
#define PARKED_AGAIN (250 * PEERD_MS)

struct serve_call {
	struct peerd *core;
	uint64_t peer;
	size_t n;
	struct serve_item items[];
};

static struct serve_call *call_new(struct peer *peer, const struct serve_item *items, size_t n)
{
	struct serve_call *call = rc_alloc(sizeof(*call) + n * sizeof(*items));

	call->core = peer->core;
	call->peer = peer->id;
	call->n = n;
	memcpy(call->items, items, n * sizeof(*items));
	peer->serving++;
	return call;
}

static void send_notfound(struct peer *peer, const struct serve_item *items, size_t n)
{
	Rc__P2p__NotFound m = RC__P2P__NOT_FOUND__INIT;
	RC_AUTOFREE uint8_t *raw = rc_alloc_array(n, PEER_ITEM_SIZE);

	if (n == 0)
		return;
	rc_log(RC_LOG_DEBUG, "peer %llu: %zu of what it asks for aren't here",
	       (unsigned long long)peer->id, n);
	for (size_t i = 0; i < n; i++) {
		/* What isn't there isn't there in any form. */
		raw[i * PEER_ITEM_SIZE] =
			items[i].kind == PEER_ITEM_COMPACT ? PEER_ITEM_BLOCK : items[i].kind;
		memcpy(raw + i * PEER_ITEM_SIZE + 1, items[i].id, 32);
	}
	m.items.data = raw;
	m.items.len = n * PEER_ITEM_SIZE;
	peer_send(peer, PEER_MSG_NOTFOUND, &m.base);
}

/* Answers that are asked for again and again would be this node's work for 33 bytes. A block in
 * compact form is another answer than the whole: who can't use it asks for that. */
static void note_served(struct peer *peer, enum peer_message form, const uint8_t id[32], size_t len)
{
	uint8_t key[32];

	memcpy(key, id, sizeof(key));
	key[0] ^= (uint8_t)form;
	if (!seen_add(&peer->served, key))
		peer_charge(peer, 0, len);
}

static void send_raw(struct peer *peer, enum peer_message message, struct rc_bytes raw)
{
	struct rc_buf buf = RC_BUF_INIT;
	uint8_t *data;
	size_t len;

	peer_message_put_raw(raw, &buf);
	data = rc_buf_take(&buf, &len);
	peer_send_taken(peer, message, data, len);
}

/* ---- headers ---- */

static void go_headers(struct peer *peer);

static void on_headers(void *arg, const struct rc_reply *why, const struct rc_bytes *reply)
{
	struct chain_call *call = arg;
	struct peerd *core = call->core;
	struct peer *peer = core_peer(core, call->peer);
	Rc__P2p__Headers m = RC__P2P__HEADERS__INIT;

	(void)why; /* chaind is away longer than a question waits: the peer asks again */
	core_enter(core);
	if (peer) {
		peer->serving_headers = false;
		if (reply) {
			m.raw.data = (uint8_t *)(uintptr_t)reply->data;
			m.raw.len = reply->len;
			peer_send(peer, PEER_MSG_HEADERS, &m.base);
		}
		go_headers(peer);
	}
	core_leave(core);
	free(call);
}

static void go_headers(struct peer *peer)
{
	struct peerd *core = peer->core;

	if (!peer->locator || peer->serving_headers)
		return;
	peer->serving_headers = true;
	core->out.chain->headers(core->out.chain_ctx, peer->locator, peer->n_locator,
				 peer->has_stop ? &peer->stop : NULL, PEER_HEADERS_MAX, on_headers,
				 chain_call_new(core, peer->id, 0));
	free(peer->locator);
	peer->locator = NULL;
}

void serve_on_getheaders(struct peer *peer, const void *body)
{
	const Rc__P2p__GetHeaders *m = body;
	size_t n = m->locator.len / 32;

	if (m->locator.len % 32 != 0 || n == 0 || n > PEER_LOCATOR_MAX ||
	    (m->stop.len != 0 && m->stop.len != 32)) {
		peer_penalise(peer, "locator-form", NULL);
		return;
	}
	free(peer->locator);
	peer->locator = rc_memdup(m->locator.data, m->locator.len);
	peer->n_locator = n;
	peer->has_stop = m->stop.len == 32;
	if (peer->has_stop)
		memcpy(peer->stop.b, m->stop.data, 32);
	go_headers(peer);
}

/* ---- blocks and transactions ---- */

static void serve_next(struct peer *answered);

static void add_item(struct peer *peer, const struct serve_item *item)
{
	assert(peer->n_items < ITEMS_ROOM);
	if (peer->n_items == peer->items_cap) {
		peer->items_cap = peer->items_cap < ITEMS_ROOM / 2
					  ? rc_max_u64(32, 2 * peer->items_cap)
					  : ITEMS_ROOM;
		peer->items = rc_realloc_array(peer->items, peer->items_cap, sizeof(*item));
	}
	peer->items[peer->n_items++] = *item;
}

static void park(struct peer *peer, const struct serve_item *item)
{
	int64_t now = core_now(peer->core);
	struct serve_item *slot;

	if (peer->n_parked == PEER_PARKED_MAX || (item->until && item->until <= now)) {
		send_notfound(peer, item, 1);
		return;
	}
	slot = &peer->parked[peer->n_parked++];
	*slot = *item;
	if (!slot->until)
		slot->until = now + PARKED_FOR;
	slot->again_at = now + PARKED_AGAIN;
}

/* The end of a question for a block. raw: the answer, in this form; NULL: there is none. */
static void give_block(struct serve_call *call, const struct rc_reply *why,
		       const struct rc_bytes *raw, enum peer_message form)
{
	struct peerd *core = call->core;
	struct peer *peer = core_peer(core, call->peer);

	core_enter(core);
	if (peer) {
		peer->serving--;
		if (raw) {
			seen_add(&peer->known_blocks, call->items[0].id);
			core_count(core, PEERD_BLOCKS_SERVED, 1);
			note_served(peer, form, call->items[0].id, raw->len);
			send_raw(peer, form, *raw);
		} else if (why->err == RC_ENOENT) {
			park(peer, &call->items[0]);
		} else {
			send_notfound(peer, call->items, 1);
		}
		serve_next(peer);
	}
	core_leave(core);
	free(call);
}

static void on_block(void *arg, const struct rc_reply *why, const struct rc_header_info *reply)
{
	give_block(arg, why, reply ? &reply->raw : NULL, PEER_MSG_BLOCK);
}

static void on_compact(void *arg, const struct rc_reply *why, const struct rc_block_part *reply)
{
	give_block(arg, why, reply ? &reply->raw : NULL,
		   reply && reply->whole ? PEER_MSG_BLOCK : PEER_MSG_COMPACTBLOCK);
}

static void on_block_txns(void *arg, const struct rc_reply *why, const struct rc_block_part *reply)
{
	struct serve_call *call = arg;
	struct peerd *core = call->core;
	struct peer *peer = core_peer(core, call->peer);
	Rc__P2p__BlockTxn m = RC__P2P__BLOCK_TXN__INIT;

	(void)why;
	core_enter(core);
	if (peer) {
		peer->serving--;
		if (!reply) {
			send_notfound(peer, call->items, 1);
		} else if (reply->no_such_place) {
			peer_penalise(peer, "compact-place", NULL);
		} else if (reply->whole) {
			core_count(core, PEERD_BLOCKS_SERVED, 1);
			send_raw(peer, PEER_MSG_BLOCK, reply->raw);
		} else {
			m.block.data = call->items[0].id;
			m.block.len = sizeof(call->items[0].id);
			m.transactions.data = (uint8_t *)(uintptr_t)reply->raw.data;
			m.transactions.len = reply->raw.len;
			peer_send(peer, PEER_MSG_BLOCKTXN, &m.base);
		}
		if (!peer->dead)
			serve_next(peer);
	}
	core_leave(core);
	free(call);
}

static void on_pool_txs(void *arg, const struct rc_reply *why, const struct rc_pool_txs *reply)
{
	struct serve_call *call = arg;
	struct peerd *core = call->core;
	struct peer *peer = core_peer(core, call->peer);
	size_t missing = 0, at = 0, looked = call->n;

	(void)why;
	core_enter(core);
	if (peer) {
		peer->serving--;
		if (reply && reply->looked && reply->looked < looked)
			looked = reply->looked;
		/* The answer was full: the rest is asked for again. */
		for (size_t i = looked; i < call->n; i++)
			add_item(peer, &call->items[i]);
		for (size_t i = 0; i < looked; i++) {
			/* Found ones come in the order of asking. */
			if (reply && at < reply->n &&
			    memcmp(reply->found[at].b, call->items[i].id, 32) == 0) {
				core_count(core, PEERD_TXS_SERVED, 1);
				seen_add(&peer->known_txs, call->items[i].id);
				note_served(peer, PEER_MSG_TX, call->items[i].id,
					    reply->raw[at].len);
				send_raw(peer, PEER_MSG_TX, reply->raw[at++]);
			} else {
				/* It was told and doesn't get it: if the pool has it again (a block
				 * was undone), it is to be told again. */
				seen_forget(&peer->known_txs, call->items[i].id);
				call->items[missing++] = call->items[i];
			}
		}
		send_notfound(peer, call->items, missing);
		serve_next(peer);
	}
	core_leave(core);
	free(call);
}

static void on_pool_tx(void *arg, const struct rc_reply *why, const struct rc_mempool_entry *reply)
{
	struct serve_call *call = arg;
	struct peerd *core = call->core;
	struct peer *peer = core_peer(core, call->peer);

	(void)why;
	core_enter(core);
	if (peer) {
		peer->serving--;
		if (reply) {
			core_count(core, PEERD_TXS_SERVED, 1);
			seen_add(&peer->known_txs, reply->wtxid.b);
			note_served(peer, PEER_MSG_TX, reply->wtxid.b, reply->raw.len);
			send_raw(peer, PEER_MSG_TX, reply->raw);
		} else {
			send_notfound(peer, call->items, 1);
		}
		serve_next(peer);
	}
	core_leave(core);
	free(call);
}

/* Asks chaind for what stands first; returns how many items that were. */
static size_t ask_first(struct peer *peer)
{
	struct peerd *core = peer->core;
	const struct chain_ops *chain = core->out.chain;
	struct rc_wtxid wtxids[TXS_A_CALL];
	struct rc_block_id id;
	struct rc_txid txid;
	size_t n = 0;

	switch ((enum peer_item_kind)peer->items[0].kind) {
	case PEER_ITEM_BLOCK:
		memcpy(id.b, peer->items[0].id, 32);
		chain->block(core->out.chain_ctx, &id, on_block, call_new(peer, peer->items, 1));
		return 1;
	case PEER_ITEM_COMPACT:
		memcpy(id.b, peer->items[0].id, 32);
		chain->compact_block(core->out.chain_ctx, &id, on_compact,
				     call_new(peer, peer->items, 1));
		return 1;
	case PEER_ITEM_TXID:
		memcpy(txid.b, peer->items[0].id, 32);
		chain->pool_tx(core->out.chain_ctx, &txid, on_pool_tx,
			       call_new(peer, peer->items, 1));
		return 1;
	case PEER_ITEM_WTXID:
		break;
	}
	while (n < peer->n_items && n < TXS_A_CALL && peer->items[n].kind == PEER_ITEM_WTXID) {
		memcpy(wtxids[n].b, peer->items[n].id, 32);
		n++;
	}
	chain->pool_txs(core->out.chain_ctx, wtxids, n, on_pool_txs,
			call_new(peer, peer->items, n));
	return n;
}

/* Parked blocks that are asked for again: those of this id, or whose time has come. */
static void unpark(struct peer *peer, const struct rc_block_id *id)
{
	int64_t now = core_now(peer->core);

	for (size_t i = peer->n_parked; i > 0; i--) {
		struct serve_item item = peer->parked[i - 1];

		if (id ? memcmp(item.id, id->b, 32) != 0 : item.again_at > now)
			continue;
		peer->parked[i - 1] = peer->parked[--peer->n_parked];
		add_item(peer, &item);
	}
}

size_t serve_held(const struct peer *peer)
{
	size_t bytes = (size_t)peer->serving * peer->core->network->params.block_limit;

	if (peer->serving_headers)
		bytes += peer_message_find(PEER_MSG_HEADERS)->max;
	return bytes;
}

static void items_free(struct peer *peer)
{
	free(peer->items);
	peer->items = NULL;
	peer->n_items = peer->items_cap = 0;
}

/* What all peers asked for and haven't taken yet; an answer of chaind on its way may be as long as
 * a block. */
static size_t held_for_all(struct peerd *core)
{
	memory_count(core);
	return core->held[MEMORY_OUT];
}

static size_t ahead_of_all(const struct peerd *core)
{
	return memory_left_all(core, MEMORY_OUT) / AHEAD_SHARE;
}

static size_t ahead_of_group(const struct peer *peer)
{
	return memory_left(peer, MEMORY_OUT) / AHEAD_GROUP_SHARE;
}

/* How much may be ahead of one peer: less for each the more is held for all, so that a few slow
 * ones don't take what the others need, and nothing at the bound. */
static size_t bulk_ahead(const struct peer *peer)
{
	memory_count(peer->core);
	return rc_min_u64(BULK_AHEAD, rc_min_u64(ahead_of_all(peer->core), ahead_of_group(peer)));
}

/* At the bound: ends the link of who came to us and holds most for longest, so that a few who
 * don't read keep nobody waiting. Returns whether there was one. */
static bool drop_worst(struct peerd *core)
{
	int64_t now = core_now(core);
	struct peer *worst = NULL;
	double most = 0;

	for (struct peer *p = core->peers; p; p = p->hh.next) {
		double held;

		if (p->dead || p->role != PEER_INBOUND || !p->taken_at ||
		    now - p->taken_at < SLOW_AT_BOUND)
			continue;
		held = (double)memory_of(p, MEMORY_OUT) * (double)(now - p->taken_at);
		if (held > most) {
			most = held;
			worst = p;
		}
	}
	if (!worst)
		return false;
	memory_drop(worst, "it takes what it asked for too slowly");
	return true;
}

void serve_check_times(struct peer *peer, int64_t now)
{
	struct peerd *core = peer->core;
	uint64_t taken = rc_link_bytes_out(peer->link);
	size_t held, most = core->opt.memory[MEMORY_OUT].all;
	bool much = memory_of(peer, MEMORY_OUT) > MEMORY_FREE;

	/* The time begins with the first answer that waits. */
	if (peer_queued(peer) == 0) {
		peer->taken_at = 0;
		return;
	}
	if (!peer->taken_at || taken - peer->taken_mark >= MEMORY_SLOW_BYTES) {
		peer->taken_mark = taken;
		peer->taken_at = now;
		return;
	}
	if (now - peer->taken_at < SLOW_AT_BOUND)
		return;
	held = held_for_all(core);
	if (held >= most && drop_worst(core))
		return;
	/* For all, who holds little isn't worth its link: else strangers could have those ended
	 * whom this node dialled, and slow ones of any group. */
	if (now - peer->taken_at >= MEMORY_SLOW_AFTER &&
	    ((held >= most / 2 && much) || memory_left(peer, MEMORY_OUT) == 0))
		memory_drop(peer, "it takes what it asked for too slowly");
}

/* Whether chaind may be asked for one more item of this peer. */
static bool has_room(struct peer *peer)
{
	struct peerd *core = peer->core;
	size_t ahead = rc_link_queued(peer->link, RC_LINK_BULK), share;

	/* It isn't read, and what it asked for before waits too. */
	if (peer->pauses & PEER_PAUSE_BUDGET)
		return false;
	share = bulk_ahead(peer);
	/* Where it is tight, one question each. */
	if (peer->serving > 0 &&
	    (memory_left_all(core, MEMORY_OUT) <= core->opt.memory[MEMORY_OUT].all / 2 ||
	     memory_left(peer, MEMORY_OUT) <= memory_group_most(core, MEMORY_OUT) / 2))
		return false;
	if (ahead < share)
		return true;
	if (ahead > 0 || peer->serving > 0)
		return false;
	/* For its group to take something, or end (serve_check_times). */
	if (ahead_of_group(peer) == 0) {
		core->group_waits = true;
		return false;
	}
	/* Whose own queue is empty isn't kept waiting by those who don't take theirs. */
	if (drop_worst(core) && (peer->dead || bulk_ahead(peer) > 0))
		return !peer->dead;
	core->serve_waits = true;
	return false;
}

/* First of all: who asks for the rest of a compact block waits for little, and is soon done. */
static void ask_txns(struct peer *peer)
{
	struct peerd *core = peer->core;
	struct txns_question *q = &peer->txns;
	struct serve_item item = {.kind = PEER_ITEM_BLOCK};

	memcpy(item.id, q->id.b, 32);
	core->out.chain->block_txns(core->out.chain_ctx, &q->id,
				    (struct rc_bytes){q->places, q->len}, on_block_txns,
				    call_new(peer, &item, 1));
	free(q->places);
	q->places = NULL;
}

void serve_go(struct peer *peer)
{
	size_t done = 0;

	unpark(peer, NULL);
	if (!peer->dead && peer->txns.places && peer->serving < SERVING_MAX && has_room(peer))
		ask_txns(peer);
	while (!peer->dead && peer->n_items > 0 && peer->serving < SERVING_MAX && has_room(peer)) {
		done = ask_first(peer);
		peer->n_items -= done;
		memmove(peer->items, peer->items + done, peer->n_items * sizeof(*peer->items));
	}
	if (peer->n_items == 0)
		items_free(peer);
}

/* Chaind has answered: if some wait for that with nothing ahead of them, the next of them comes
 * before the one who was answered, so that all have their turn. */
static void serve_next(struct peer *answered)
{
	struct peerd *core = answered->core;
	struct peer *p = answered;

	if (core->serve_waits || core->group_waits) {
		core->serve_waits = core->group_waits = false;
		do {
			p = p->hh.next ? p->hh.next : core->peers;
			if (p != answered && peer_is_ready(p) &&
			    (p->n_items > 0 || p->txns.places) && p->serving == 0 &&
			    rc_link_queued(p->link, RC_LINK_BULK) == 0)
				serve_go(p);
		} while (p != answered && !answered->dead && !core->serve_waits);
	}
	serve_go(answered);
}

void serve_on_getdata(struct peer *peer, const void *body)
{
	const Rc__P2p__GetData *m = body;
	size_t n = m->items.len / PEER_ITEM_SIZE;

	if (m->items.len % PEER_ITEM_SIZE != 0) {
		peer_penalise(peer, "inv-form", NULL);
		return;
	}
	if (peer->n_items + n > ITEMS_MAX) {
		peer_penalise(peer, "getdata-flood", NULL);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const uint8_t *raw = m->items.data + i * PEER_ITEM_SIZE;
		struct serve_item item = {.kind = *raw};

		if (*raw < PEER_ITEM_BLOCK || *raw > PEER_ITEM_COMPACT) {
			peer_penalise(peer, "inv-form", NULL);
			return;
		}
		memcpy(item.id, raw + 1, 32);
		add_item(peer, &item);
	}
	serve_go(peer);
}

/* One waits at a time: who asks for a second one before the answer has given the first one up. */
void serve_on_getblocktxn(struct peer *peer, const void *body)
{
	const Rc__P2p__GetBlockTxn *m = body;
	struct peerd *core = peer->core;
	uint32_t *places;
	size_t n;

	if (m->block.len != sizeof(peer->txns.id.b) ||
	    !rc_indexes_decode(m->places.data, m->places.len,
			       RC_COMPACT_TXS_MAX(core->network->params.block_limit), &core->arena,
			       &places, &n)) {
		peer_penalise(peer, "compact-form", NULL);
		return;
	}
	free(peer->txns.places);
	memcpy(peer->txns.id.b, m->block.data, sizeof(peer->txns.id.b));
	peer->txns.places = rc_memdup(m->places.data, m->places.len);
	peer->txns.len = m->places.len;
	serve_go(peer);
}

void serve_block_stored(struct peerd *core, const struct rc_block_id *id)
{
	for (struct peer *p = core->peers; p; p = p->hh.next) {
		if (p->n_parked == 0)
			continue;
		unpark(p, id);
		serve_go(p);
	}
}

void serve_init_peer(struct peer *peer)
{
	seen_init(&peer->served, peer->core->hash_k0, peer->core->hash_k1, SERVED_KNOWN);
}

void serve_done_peer(struct peer *peer)
{
	items_free(peer);
	peer->n_parked = 0;
}
