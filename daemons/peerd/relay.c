/*
 * Transactions: announced by wtxid after short random delays, fetched from one peer at a time,
 * handed to chaind in batches. An orphan's parents are asked, by txid, of the peer that gave the
 * orphan: it has them, since its own pool took the child.
 */
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/log.h"
#include "base/num.h"
#include "base/reader.h"
#include "base/test_point.h"
#include "daemons/peerd/peerd.h"
#include "proto/peer.pb-c.h"
#include "types/tx.h"

/* Limits of the family (operators' notes, 5.6). */
#define TXS_IN_FLIGHT_MAX 100	/* asked of one peer */
#define ANNOUNCED_MAX	  5000	/* wants that one peer brought up */
#define WANTS_MAX	  50000 /* in all: of 440 bytes, 22 MB, and what peers of our choice add */
#define ANNOUNCERS	  6	/* peers remembered for a want */
/* Asked of another peer after this; given up if there is none. */
#define TX_RETRY_SOON (5 * PEERD_SECOND)
#define TX_RETRY_LAST (30 * PEERD_SECOND)
/* Inventories gathered for one question to chaind; transactions for one SubmitTx. */
#define HAVE_GAP	(2 * PEERD_MS)
#define HAVE_MAX	2000
#define BATCH_GAP	(4 * PEERD_MS)
#define BATCH_TXS_MAX	500
#define BATCH_BYTES_MAX (1u << 20)
#define SUBMITS_MAX	4 /* batches of one peer on their way; beyond, it is not read */
#define INV_BATCH	5000
#define INV_QUEUE_MAX	50000
#define INV_QUEUE_FULL	(MEMORY_FREE / 32) /* where its group holds too much */
#define INV_AHEAD	(64u << 10)	   /* who has so much to take is told of no more */
#define INBOUND_SLOWER	2		   /* who came to us learns later */
#define RECENT_TXS	50000
#define OWN_TXS_MAX	10000
#define OWN_TICK	(30 * PEERD_SECOND)
#define OWN_AGAIN	(300 * PEERD_SECOND)
#define FEE_TICK	(60 * PEERD_SECOND)
#define FEE_NOTHING	UINT64_MAX /* a fee filter that asks for no transactions at all */
/* A peer whose fee filter opens again is told the pool again no sooner: the list costs chaind. */
#define POOL_TOLD_GAP (600 * PEERD_SECOND)
/* The pool is listed for all who wait, one list at a time and one a second: whoever makes links
 * again and again has chaind list it no more often. To be told of an entry costs a peer, and its
 * network group, what that takes of peerd, in ns: 50,000 of them 10 ms. */
#define POOL_LIST_GAP  (1 * PEERD_SECOND)
#define POOL_TOLD_COST 200
#define ORPHAN_PARENTS 25
/* About what chaind spends on one it refuses, with some signatures: 200 such a second are within a
 * peer's budget. */
#define TX_REFUSED_COST 1000

enum want_state {
	WANT_FRESH,  /* chaind wasn't asked yet */
	WANT_ASKING, /* chaind is asked */
	WANT_READY,  /* a peer is to be asked */
	WANT_ASKED,  /* a peer was asked */
};

struct tx_want;

/* Who can be asked for a want; while it is ready, a place in that peer's list. */
struct announcer {
	struct peer *peer; /* NULL: a free place */
	struct tx_want *want;
	struct announcer *prev, *next;		 /* of peer->tx_ready */
	struct announcer *prev_told, *next_told; /* of peer->tx_told */
};

struct tx_want {
	uint8_t name[PEER_ITEM_SIZE]; /* kind, id */
	enum want_state state;
	struct peer *first; /* who brought it up: it counts against it; NULL: gone */
	struct announcer announcers[ANNOUNCERS];
	struct peer *asked; /* of WANT_ASKED */
	int64_t deadline;
	struct tx_want *prev, *next;		 /* of the list of its state: fresh, asked */
	struct tx_want *prev_first, *next_first; /* of first->tx_first */
	UT_hash_handle hh;
};

struct own_tx {
	struct rc_wtxid wtxid;
	uint64_t fee_per_kb;
	int64_t again_at;
	UT_hash_handle hh;
};

/* ---- wants ---- */

static struct tx_want *want_find(const struct peerd *core, uint8_t kind, const uint8_t id[32])
{
	struct tx_want *w;
	uint8_t name[PEER_ITEM_SIZE];

	name[0] = kind;
	memcpy(name + 1, id, 32);
	HASH_FIND(hh, core->wants, name, sizeof(name), w);
	return w;
}

static unsigned n_announcers(const struct tx_want *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ANNOUNCERS; i++)
		n += w->announcers[i].peer != NULL;
	return n;
}

/* This peer may have room, and something to be asked for: relay_ask looks. */
static void mark_asker(struct peer *peer)
{
	struct peerd *core = peer->core;

	if (peer->tx_asker || peer->dead)
		return;
	peer->tx_asker = true;
	DL_APPEND2(core->tx_askers, peer, prev_asker, next_asker);
}

static void unmark_asker(struct peer *peer)
{
	struct peerd *core = peer->core;

	if (peer->tx_asker)
		DL_DELETE2(core->tx_askers, peer, prev_asker, next_asker);
	peer->tx_asker = false;
}

static void ready_in(struct announcer *a)
{
	DL_APPEND(a->peer->tx_ready, a);
	mark_asker(a->peer);
}

static void want_unlist(struct peerd *core, struct tx_want *w)
{
	switch (w->state) {
	case WANT_FRESH:
		DL_DELETE(core->wants_fresh, w);
		break;
	case WANT_READY:
		for (unsigned i = 0; i < ANNOUNCERS; i++) {
			struct announcer *a = &w->announcers[i];

			if (a->peer)
				DL_DELETE(a->peer->tx_ready, a);
		}
		break;
	case WANT_ASKED:
		DL_DELETE(core->wants_asked, w);
		w->asked->txs_in_flight--;
		mark_asker(w->asked);
		break;
	case WANT_ASKING:
		break;
	}
}

static void want_set(struct peerd *core, struct tx_want *w, enum want_state state)
{
	want_unlist(core, w);
	w->state = state;
	if (state == WANT_FRESH)
		DL_APPEND(core->wants_fresh, w);
	else if (state == WANT_ASKED)
		DL_APPEND(core->wants_asked, w);
	for (unsigned i = 0; state == WANT_READY && i < ANNOUNCERS; i++) {
		if (w->announcers[i].peer)
			ready_in(&w->announcers[i]);
	}
}

/* Who brought it up is held to account no more. */
static void want_forgive(struct tx_want *w)
{
	if (!w->first)
		return;
	DL_DELETE2(w->first->tx_first, w, prev_first, next_first);
	w->first->txs_announced--;
	w->first = NULL;
}

static void want_free(struct peerd *core, struct tx_want *w)
{
	want_unlist(core, w);
	want_forgive(w);
	for (unsigned i = 0; i < ANNOUNCERS; i++) {
		struct announcer *a = &w->announcers[i];

		if (a->peer)
			DL_DELETE2(a->peer->tx_told, a, prev_told, next_told);
	}
	HASH_DEL(core->wants, w);
	free(w);
}

/* It may be asked of this peer too; beyond ANNOUNCERS, those before are enough. */
static void add_announcer(struct tx_want *w, struct peer *peer)
{
	struct announcer *free_place = NULL;

	for (unsigned i = 0; i < ANNOUNCERS; i++) {
		struct announcer *a = &w->announcers[i];

		if (a->peer == peer)
			return;
		if (!a->peer && !free_place)
			free_place = a;
	}
	if (!free_place)
		return;
	free_place->peer = peer;
	DL_APPEND2(peer->tx_told, free_place, prev_told, next_told);
	if (w->state == WANT_READY)
		ready_in(free_place);
}

static void forget_announcer(struct tx_want *w, const struct peer *peer)
{
	for (unsigned i = 0; i < ANNOUNCERS; i++) {
		struct announcer *a = &w->announcers[i];

		if (a->peer != peer)
			continue;
		if (w->state == WANT_READY)
			DL_DELETE(a->peer->tx_ready, a);
		DL_DELETE2(a->peer->tx_told, a, prev_told, next_told);
		a->peer = NULL;
	}
}

static struct tx_want *want_new(struct peer *peer, uint8_t kind, const uint8_t id[32],
				enum want_state state)
{
	struct peerd *core = peer->core;
	struct tx_want *w;

	/* Some who came to us could fill the whole with what they never give: that must not keep us
	 * from hearing those we chose. */
	if (peer->txs_announced >= ANNOUNCED_MAX ||
	    (peer->role == PEER_INBOUND && HASH_COUNT(core->wants) >= WANTS_MAX))
		return NULL;
	w = rc_alloc(sizeof(*w));
	w->name[0] = kind;
	memcpy(w->name + 1, id, 32);
	for (unsigned i = 0; i < ANNOUNCERS; i++)
		w->announcers[i].want = w;
	w->first = peer;
	w->state = WANT_ASKING; /* of no list */
	add_announcer(w, peer);
	DL_APPEND2(peer->tx_first, w, prev_first, next_first);
	peer->txs_announced++;
	HASH_ADD(hh, core->wants, name, sizeof(w->name), w);
	want_set(core, w, state);
	return w;
}

/* ---- asking peers ---- */

static void ask(struct peer *peer)
{
	struct peerd *core = peer->core;
	Rc__P2p__GetData m = RC__P2P__GET_DATA__INIT;
	struct rc_buf items = RC_BUF_INIT;

	while (peer->tx_ready && peer->txs_in_flight < TXS_IN_FLIGHT_MAX) {
		struct tx_want *w = peer->tx_ready->want;

		want_set(core, w, WANT_ASKED);
		w->asked = peer;
		w->deadline =
			core_now(core) + (n_announcers(w) > 1 ? TX_RETRY_SOON : TX_RETRY_LAST);
		peer->txs_in_flight++;
		rc_buf_put(&items, w->name, sizeof(w->name));
	}
	if (items.len) {
		m.items.data = items.data;
		m.items.len = items.len;
		core_count(core, PEERD_TXS_ASKED, items.len / PEER_ITEM_SIZE);
		peer_send(peer, PEER_MSG_GETDATA, &m.base);
	}
	rc_buf_done(&items);
}

void relay_ask(struct peerd *core)
{
	while (core->tx_askers) {
		struct peer *peer = core->tx_askers;

		unmark_asker(peer);
		if (peer_is_ready(peer))
			ask(peer);
	}
}

/* The peer it was asked of doesn't give it: the next one, or nobody. */
static void want_retry(struct peerd *core, struct tx_want *w)
{
	forget_announcer(w, w->asked);
	if (n_announcers(w) == 0)
		want_free(core, w);
	else
		want_set(core, w, WANT_READY);
}

struct have_call {
	struct peerd *core;
	struct have_call *next; /* while they are filled */
	uint64_t peer;
	size_t n;
	struct rc_wtxid wtxids[];
};

static void on_have(void *arg, const struct rc_reply *why, const struct rc_have_txs *reply)
{
	struct have_call *call = arg;
	struct peerd *core = call->core;

	(void)why;
	core_enter(core);
	for (size_t i = 0; reply && i + 32 <= reply->wanted.len; i += 32) {
		struct tx_want *w = want_find(core, PEER_ITEM_WTXID, reply->wanted.data + i);

		if (!w || w->state != WANT_ASKING)
			continue;
		/* Who announced it may be gone: then the next one who does is asked. */
		if (n_announcers(w))
			want_set(core, w, WANT_READY);
		else
			want_free(core, w);
	}
	for (size_t i = 0; i < call->n; i++) {
		struct tx_want *w = want_find(core, PEER_ITEM_WTXID, call->wtxids[i].b);

		if (!w || w->state != WANT_ASKING)
			continue;
		if (reply)
			seen_add(&core->recent_txs, call->wtxids[i].b);
		want_free(core, w);
	}
	core_leave(core);
	free(call);
}

/* The call that asks for what this peer brought up. A few peers at a time bring anything. */
static struct have_call *call_for(struct have_call **calls, struct peerd *core, uint64_t peer)
{
	struct have_call *call;

	LL_FOREACH (*calls, call) {
		if (call->peer == peer && call->n < HAVE_MAX)
			return call;
	}
	call = rc_alloc(sizeof(*call) + HAVE_MAX * sizeof(struct rc_wtxid));
	call->core = core;
	call->peer = peer;
	LL_PREPEND(*calls, call);
	return call;
}

/* Fresh wants, a call for each peer that brought some up. */
static void ask_chain(void *arg)
{
	struct peerd *core = arg;
	struct have_call *calls = NULL;

	while (core->wants_fresh) {
		struct tx_want *w = core->wants_fresh;
		struct have_call *call = call_for(&calls, core, w->first ? w->first->id : 0);

		memcpy(call->wtxids[call->n++].b, w->name + 1, 32);
		want_set(core, w, WANT_ASKING);
	}
	while (calls) {
		struct have_call *call = calls;

		LL_DELETE(calls, call);
		core->out.chain->have_txs(core->out.chain_ctx, call->peer, call->wtxids, call->n,
					  on_have, call);
	}
}

void relay_on_inv(struct peer *peer, const uint8_t *items, size_t n)
{
	struct peerd *core = peer->core;
	int64_t soon = core_now(core) + TX_RETRY_SOON;

	/* What it announces during a download is judged too early; it announces its pool again when
	 * our fee filter opens. */
	if (core_in_download(core) || peer->role == PEER_BLOCK_ONLY)
		return;
	for (size_t i = 0; i < n; i++) {
		const uint8_t *item = items + i * PEER_ITEM_SIZE;
		struct tx_want *w;

		if (*item != PEER_ITEM_WTXID)
			continue;
		seen_add(&peer->known_txs, item + 1);
		if (seen_has(&core->recent_txs, item + 1))
			continue;
		w = want_find(core, PEER_ITEM_WTXID, item + 1);
		if (!w) {
			want_new(peer, PEER_ITEM_WTXID, item + 1, WANT_FRESH);
			continue;
		}
		if (w->state == WANT_ASKED && w->asked == peer)
			continue;
		add_announcer(w, peer);
		/* Now there is another to ask. */
		if (w->state == WANT_ASKED)
			w->deadline = w->deadline < soon ? w->deadline : soon;
	}
	if (core->wants_fresh)
		timer_arm_by(&core->timers, &core->have_timer, core_now(core) + HAVE_GAP);
}

void relay_on_notfound(struct peer *peer, uint8_t kind, const uint8_t id[32])
{
	struct tx_want *w = want_find(peer->core, kind, id);

	if (w && w->state == WANT_ASKED && w->asked == peer)
		want_retry(peer->core, w);
}

/* ---- what comes ---- */

static void ask_parents(struct peer *peer, const struct rc_submit_tx *orphan)
{
	for (size_t i = 0; i < orphan->n_missing && i < ORPHAN_PARENTS; i++) {
		if (!want_find(peer->core, PEER_ITEM_TXID, orphan->missing[i].b))
			want_new(peer, PEER_ITEM_TXID, orphan->missing[i].b, WANT_READY);
	}
}

static void on_submitted(void *arg, const struct rc_reply *why, const struct rc_submit_txs *reply)
{
	struct chain_call *call = arg;
	struct peerd *core = call->core;
	struct peer *peer = core_peer(core, call->peer);
	char hex[RC_ID_HEX];

	core_enter(core);
	RC_TEST_POINT(PEERD_TXS_TAKEN);
	if (peer) {
		peer->tx_submits--;
		peer->chain_bytes -= call->n;
		peer_pause(peer, PEER_PAUSE_TXS, peer->tx_submits >= SUBMITS_MAX);
	}
	if (!reply && why->err != RC_ECANCELLED) {
		rc_log(RC_LOG_DEBUG, "%llu bytes of transactions were not taken: %s",
		       (unsigned long long)call->n, rc_err_text(why->err));
		seen_clear(&core->recent_txs); /* they may be asked for again */
	}
	for (size_t i = 0; peer && reply && i < reply->n && !peer->dead; i++) {
		const struct rc_submit_tx *r = &reply->results[i];

		/* Asked for, checked, and of no use: else it could have us check such ones for
		 * nothing. */
		if (strcmp(r->verdict_class, "ok") != 0 || r->duplicate)
			peer_charge(peer, TX_REFUSED_COST, 0);
		if (r->orphan)
			ask_parents(peer, r);
		else if (strcmp(r->verdict_class, "invalid") == 0)
			peer_penalise(peer, r->verdict, rc_wtxid_hex(hex, &r->wtxid));
	}
	core_leave(core);
	free(call);
}

static void send_batch(void *arg)
{
	struct peer *peer = arg;
	struct peerd *core = peer->core;
	struct rc_reader r = rc_reader_of(peer->tx_batch.data, peer->tx_batch.len);
	RC_AUTOFREE struct rc_bytes *txs = rc_alloc_array(peer->n_tx_batch, sizeof(*txs));

	timer_disarm(&core->timers, &peer->tx_timer);
	for (unsigned i = 0; i < peer->n_tx_batch; i++) {
		txs[i].len = rc_read_le32(&r);
		txs[i].data = rc_read_bytes(&r, txs[i].len);
	}
	peer->tx_submits++;
	peer->chain_bytes += peer->tx_batch.len;
	peer_pause(peer, PEER_PAUSE_TXS, peer->tx_submits >= SUBMITS_MAX);
	RC_TEST_POINT(PEERD_TXS);
	core->out.chain->submit_txs(core->out.chain_ctx, peer->id, txs, peer->n_tx_batch,
				    on_submitted,
				    chain_call_new(core, peer->id, peer->tx_batch.len));
	peer->n_tx_batch = 0;
	rc_buf_clear(&peer->tx_batch);
}

void relay_on_tx(struct peer *peer, struct rc_bytes raw)
{
	struct peerd *core = peer->core;
	const struct peer_message_info *info = peer_message_find(PEER_MSG_TX);
	struct tx_want *by_wtxid, *by_txid;
	struct rc_tx tx;

	if (!rc_tx_decode(raw.data, raw.len, &core->arena, &tx)) {
		peer_penalise(peer, "tx-parse", NULL);
		return;
	}
	seen_add(&peer->known_txs, tx.wtxid.b);
	by_wtxid = want_find(core, PEER_ITEM_WTXID, tx.wtxid.b);
	by_txid = want_find(core, PEER_ITEM_TXID, tx.txid.b);
	if (!by_wtxid && !by_txid) {
		/* Late, twice, or never asked for: costs time, not points. */
		peer_charge(peer, info->cost + raw.len, raw.len);
		return;
	}
	if (by_wtxid)
		want_free(core, by_wtxid);
	if (by_txid)
		want_free(core, by_txid);
	seen_add(&core->recent_txs, tx.wtxid.b);
	core_count(core, PEERD_TXS_RECEIVED, 1);
	rc_buf_put_le32(&peer->tx_batch, (uint32_t)raw.len);
	rc_buf_put(&peer->tx_batch, raw.data, raw.len);
	peer->n_tx_batch++;
	if (peer->n_tx_batch >= BATCH_TXS_MAX || peer->tx_batch.len >= BATCH_BYTES_MAX)
		send_batch(peer);
	else
		timer_arm_by(&core->timers, &peer->tx_timer, core_now(core) + BATCH_GAP);
}

/* ---- announcing ---- */

static void on_inv_timer(void *arg)
{
	struct peer *peer = arg;
	struct peerd *core = peer->core;
	Rc__P2p__Inv m = RC__P2P__INV__INIT;
	struct rc_buf items = RC_BUF_INIT;
	size_t i = 0, sent = 0;

	if (rc_link_queued(peer->link, RC_LINK_CONTROL) > INV_AHEAD) {
		timer_arm(&core->timers, &peer->inv_timer,
			  core_now(core) + core_delay(core, core->opt.relay_delay_us));
		return;
	}
	for (; i < peer->n_inv && sent < INV_BATCH; i++) {
		const uint8_t *wtxid = peer->inv + i * 32;

		if (!seen_add(&peer->known_txs, wtxid))
			continue; /* it told us meanwhile */
		rc_buf_put_u8(&items, PEER_ITEM_WTXID);
		rc_buf_put(&items, wtxid, 32);
		sent++;
	}
	peer->n_inv -= i;
	memmove(peer->inv, peer->inv + i * 32, peer->n_inv * 32);
	if (sent) {
		m.items.data = items.data;
		m.items.len = items.len;
		core_count(core, PEERD_TXS_ANNOUNCED, sent);
		peer_send(peer, PEER_MSG_INV, &m.base);
	}
	rc_buf_done(&items);
	if (peer->n_inv == 0) {
		free(peer->inv);
		peer->inv = NULL;
		peer->inv_cap = 0;
	}
	if (peer->n_inv)
		timer_arm(&core->timers, &peer->inv_timer,
			  core_now(core) + core_delay(core, core->opt.relay_delay_us));
}

static void queue_inv(struct peer *peer, const uint8_t wtxid[32], uint64_t fee_per_kb)
{
	struct peerd *core = peer->core;
	int64_t mean = core->opt.relay_delay_us;

	if (!peer_is_ready(peer) || !peer->relay || fee_per_kb < peer->fee_filter ||
	    peer->n_inv >= INV_QUEUE_MAX ||
	    (peer->n_inv >= INV_QUEUE_FULL && memory_left(peer, MEMORY_OUT) == 0) ||
	    seen_has(&peer->known_txs, wtxid))
		return;
	if (peer->n_inv == peer->inv_cap) {
		peer->inv_cap = peer->inv_cap ? 2 * peer->inv_cap : 64;
		peer->inv = rc_realloc_array(peer->inv, peer->inv_cap, 32);
	}
	memcpy(peer->inv + peer->n_inv++ * 32, wtxid, 32);
	if (!timer_armed(&peer->inv_timer))
		timer_arm(&core->timers, &peer->inv_timer,
			  core_now(core) + core_delay(core, peer->role == PEER_INBOUND
								    ? mean * INBOUND_SLOWER
								    : mean));
}

static uint64_t fee_rate(uint64_t fee, uint32_t size)
{
	return size ? fee * 1000 / size : 0;
}

static void queue_all(struct peerd *core, const uint8_t wtxid[32], uint64_t fee_per_kb)
{
	for (struct peer *p = core->peers; p; p = p->hh.next)
		queue_inv(p, wtxid, fee_per_kb);
}

void relay_chain_tx(struct peerd *core, const struct rc_tx_event *event)
{
	uint64_t rate = fee_rate(event->fee, event->size);
	struct own_tx *own;

	struct peer *from = core_peer(core, event->peer);

	if (from)
		from->tx_at = core_now(core);
	seen_add(&core->recent_txs, event->wtxid.b);
	queue_all(core, event->wtxid.b, rate);
	if (event->peer != 0 || HASH_COUNT(core->own_txs) >= OWN_TXS_MAX)
		return;
	HASH_FIND(hh, core->own_txs, &event->wtxid, sizeof(event->wtxid), own);
	if (own)
		return;
	own = rc_alloc(sizeof(*own));
	own->wtxid = event->wtxid;
	own->fee_per_kb = rate;
	own->again_at = core_now(core) + OWN_AGAIN + core_delay(core, OWN_AGAIN);
	HASH_ADD(hh, core->own_txs, wtxid, sizeof(own->wtxid), own);
	timer_arm_by(&core->timers, &core->own_timer, core_now(core) + OWN_TICK);
}

static void own_free(struct peerd *core, struct own_tx *own)
{
	HASH_DEL(core->own_txs, own);
	free(own);
}

void relay_chain_tx_removed(struct peerd *core, const struct rc_tx_event *event)
{
	struct own_tx *own;

	HASH_FIND(hh, core->own_txs, &event->wtxid, sizeof(event->wtxid), own);
	if (own)
		own_free(core, own);
}

/* What a user gave this node is told again and again until a block has it: a peer may have
 * forgotten it, so what it once knew doesn't count. */
static void on_own_timer(void *arg)
{
	struct peerd *core = arg;
	struct own_tx *own, *next;
	int64_t now = core_now(core);

	HASH_ITER (hh, core->own_txs, own, next) {
		if (own->again_at > now)
			continue;
		own->again_at = now + OWN_AGAIN + core_delay(core, OWN_AGAIN);
		for (struct peer *p = core->peers; p; p = p->hh.next) {
			if (peer_is_ready(p))
				seen_forget(&p->known_txs, own->wtxid.b);
			queue_inv(p, own->wtxid.b, own->fee_per_kb);
		}
	}
	if (core->own_txs)
		timer_arm(&core->timers, &core->own_timer, now + OWN_TICK);
}

/* ---- the whole pool, to new peers ---- */

/* Of ours, those the pool still has. */
static void keep_own(struct peerd *core, const struct rc_mempool_list *list)
{
	struct own_tx *own, *next, *kept = NULL;

	for (size_t i = 0; i < list->n_entries; i++) {
		HASH_FIND(hh, core->own_txs, &list->entries[i].wtxid,
			  sizeof(list->entries[i].wtxid), own);
		if (!own)
			continue;
		HASH_DEL(core->own_txs, own);
		HASH_ADD(hh, kept, wtxid, sizeof(own->wtxid), own);
	}
	HASH_ITER (hh, core->own_txs, own, next)
		own_free(core, own);
	core->own_txs = kept;
}

static void tell_list(struct peer *peer, const struct rc_mempool_list *list)
{
	for (size_t i = 0; i < list->n_entries; i++)
		queue_inv(peer, list->entries[i].wtxid.b,
			  fee_rate(list->entries[i].fee, list->entries[i].size));
	peer_charge(peer, list->n_entries * POOL_TOLD_COST / 1000, 0);
}

static void list_pool(struct peerd *core);

/* The list takes no more than INV_QUEUE_MAX of a peer's, until it is told: what that leaves is for
 * others. */
static bool has_room(const struct peer *peer)
{
	return memory_left(peer, MEMORY_OUT) > 0 &&
	       memory_left_all(peer->core, MEMORY_OUT) > INV_QUEUE_MAX * 2 * 32;
}

/* n: the list is also to tell which of ours are left. Without an answer all wait for the next. */
static void on_pool(void *arg, const struct rc_reply *why, const struct rc_mempool_list *reply)
{
	struct chain_call *call = arg;
	struct peerd *core = call->core;

	(void)why;
	core_enter(core);
	core->pool_listing = false;
	if (reply && call->n)
		keep_own(core, reply);
	else if (call->n)
		core->own_due = true;
	for (struct peer *p = core->peers; p; p = p->hh.next) {
		if (p->pool != POOL_LISTED)
			continue;
		memory_count(core);
		p->pool = reply && has_room(p) ? POOL_NONE : POOL_WAITS;
		if (p->pool == POOL_NONE)
			tell_list(p, reply);
	}
	list_pool(core);
	core_leave(core);
	free(call);
}

/* For those who wait and have room for it; who comes to wait while a list is on its way has the
 * next one. */
static void list_pool(struct peerd *core)
{
	bool wanted = core->own_due;

	for (const struct peer *p = core->peers; p && !wanted; p = p->hh.next)
		wanted = p->pool == POOL_WAITS && has_room(p);
	if (!wanted || core->pool_listing || core->stopping ||
	    !core->out.chain->up(core->out.chain_ctx))
		return;
	if (core_now(core) < core->pool_next_at) {
		timer_arm_by(&core->timers, &core->pool_timer, core->pool_next_at);
		return;
	}
	for (struct peer *p = core->peers; p; p = p->hh.next) {
		if (p->pool == POOL_WAITS && has_room(p))
			p->pool = POOL_LISTED;
	}
	core->pool_listing = true;
	core->pool_next_at = core_now(core) + POOL_LIST_GAP;
	core->out.chain->pool_list(core->out.chain_ctx, on_pool,
				   chain_call_new(core, 0, core->own_due));
	core->own_due = false;
}

static void on_pool_timer(void *arg)
{
	list_pool(arg);
}

static void tell_pool(struct peer *peer)
{
	struct peerd *core = peer->core;

	if (!peer->relay)
		return;
	peer->pool = POOL_WAITS;
	list_pool(core);
}

void relay_on_feefilter(struct peer *peer, const void *body)
{
	const Rc__P2p__FeeFilter *m = body;
	bool opened = peer->fee_filter == FEE_NOTHING && m->fee_per_kb != FEE_NOTHING;
	int64_t now = core_now(peer->core);

	peer->fee_filter = m->fee_per_kb;
	if (!opened || (peer->opened_at && now - peer->opened_at < POOL_TOLD_GAP))
		return;
	/* It has its blocks now: what it wasn't told before, or was while it couldn't judge it. */
	seen_clear(&peer->known_txs);
	peer->opened_at = now;
	tell_pool(peer);
}

static void send_filter(struct peer *peer)
{
	struct peerd *core = peer->core;
	Rc__P2p__FeeFilter m = RC__P2P__FEE_FILTER__INIT;
	uint64_t fee = core_in_download(core) ? FEE_NOTHING : core->pool_min_fee;

	if (!peer_is_ready(peer) || peer->role == PEER_BLOCK_ONLY || peer->fee_filter_sent == fee)
		return;
	peer->fee_filter_sent = fee;
	m.fee_per_kb = fee;
	peer_send(peer, PEER_MSG_FEEFILTER, &m.base);
}

static void send_filters(struct peerd *core)
{
	for (struct peer *p = core->peers; p; p = p->hh.next)
		send_filter(p);
}

static void on_pool_info(void *arg, const struct rc_reply *why, const struct rc_mempool_info *reply)
{
	struct chain_call *call = arg;
	struct peerd *core = call->core;

	(void)why;
	core_enter(core);
	if (reply)
		core->pool_min_fee = reply->min_fee_per_kb;
	send_filters(core);
	core_leave(core);
	free(call);
}

static void on_fee_timer(void *arg)
{
	struct peerd *core = arg;

	if (core->peers && core->out.chain->up(core->out.chain_ctx))
		core->out.chain->pool_info(core->out.chain_ctx, on_pool_info,
					   chain_call_new(core, 0, 0));
	timer_arm(&core->timers, &core->fee_timer, core_now(core) + FEE_TICK);
}

void relay_ready(struct peer *peer)
{
	send_filter(peer);
	tell_pool(peer);
}

void relay_chain_tip(struct peerd *core)
{
	/* A new block makes other transactions valid: none is remembered as judged. */
	seen_clear(&core->recent_txs);
	send_filters(core);
}

void relay_chain_up(struct peerd *core)
{
	seen_clear(&core->recent_txs);
	timer_arm(&core->timers, &core->fee_timer, core_now(core));
	core->own_due = core->own_txs != NULL;
	for (struct peer *p = core->peers; p; p = p->hh.next) {
		if (peer_is_ready(p) && p->relay)
			p->pool = POOL_WAITS;
	}
	list_pool(core);
}

/* ---- life ---- */

void relay_check_times(struct peerd *core, int64_t now)
{
	struct tx_want *w, *next;

	DL_FOREACH_SAFE (core->wants_asked, w, next) {
		if (w->deadline <= now)
			want_retry(core, w);
	}
	list_pool(core);
}

size_t relay_wants(const struct peerd *core)
{
	return HASH_COUNT(core->wants);
}

void relay_init_peer(struct peer *peer)
{
	timer_init(&peer->tx_timer, send_batch, peer);
	timer_init(&peer->inv_timer, on_inv_timer, peer);
}

void relay_lost(struct peer *peer)
{
	struct peerd *core = peer->core;

	timer_disarm(&core->timers, &peer->tx_timer);
	timer_disarm(&core->timers, &peer->inv_timer);
	/* Its own alone: who comes and goes must not cost a walk over what all others announced. */
	while (peer->tx_first)
		want_forgive(peer->tx_first);
	while (peer->tx_told) {
		struct tx_want *w = peer->tx_told->want;

		if (w->state == WANT_ASKED && w->asked == peer) {
			want_retry(core, w);
			continue;
		}
		forget_announcer(w, peer);
		if (n_announcers(w) == 0 && w->state != WANT_ASKING)
			want_free(core, w);
	}
	unmark_asker(peer);
}

void relay_done_peer(struct peer *peer)
{
	rc_buf_done(&peer->tx_batch);
	free(peer->inv);
}

void relay_init(struct peerd *core)
{
	timer_init(&core->have_timer, ask_chain, core);
	timer_init(&core->own_timer, on_own_timer, core);
	timer_init(&core->fee_timer, on_fee_timer, core);
	timer_init(&core->pool_timer, on_pool_timer, core);
	seen_init(&core->recent_txs, core->hash_k0, core->hash_k1, RECENT_TXS);
	timer_arm(&core->timers, &core->fee_timer, core_now(core) + FEE_TICK);
}

void relay_done(struct peerd *core)
{
	struct tx_want *w, *next;
	struct own_tx *own, *next_own;

	HASH_ITER (hh, core->wants, w, next)
		want_free(core, w);
	HASH_ITER (hh, core->own_txs, own, next_own)
		own_free(core, own);
	seen_done(&core->recent_txs);
}
