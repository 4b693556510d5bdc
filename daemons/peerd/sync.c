/*
 * Headers: each peer is asked for what it has beyond ours. A long run (full messages) comes from
 * one peer at a time, the others tell the rest of theirs after it; chaind judges in order. A branch
 * with too little work so far chaind only counts, and has it asked for again (chaind's presync.h):
 * that is a long run too, and goes on where it stood when its peer has its next turn, unless the
 * answer it begins with shows more.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemons/peerd/peerd.h"
#include "proto/peer.pb-c.h"

/* Full messages handed to chaind and not yet judged, while the next one travels. */
#define SUBMITS_AHEAD 4
/* An answer to getheaders takes no longer, or another peer is asked. */
#define HEADERS_TIMEOUT (30 * PEERD_SECOND)
/* Asked again: after an announcement that didn't fit, of a header from the future, and as a
 * safety net for what may have been missed. */
#define AGAIN_SOON   (1 * PEERD_SECOND)
#define AGAIN_FUTURE (30 * PEERD_SECOND)
#define AGAIN_ANYHOW (600 * PEERD_SECOND)
/*
 * Another peer has its turn, where one waits, when this one hasn't made the best header so many
 * higher in so long, or had so many more counted: eight full messages, which a link of 250 kbit/s
 * carries. So a count goes on to its end, however long, while its peer gives. It is twice as long
 * at each change that goes by in vain, eight times at most: less than chaind keeps a count that
 * stands still (PRESYNC_IDLE), and time for 500,000 headers to be counted at 1 Mbit/s (480 s ×
 * 125,000 / 118).
 */
#define TURN_LEAST (60 * PEERD_SECOND)
#define TURN_MOST  (8 * TURN_LEAST)
#define TURN_GAIN  (8 * PEER_HEADERS_MAX)
/* A branch that was counted in vain: about what 200,000 headers take. The first is within what is
 * saved up. */
#define COUNTED_COST (1000 * 1000)
/* Of a headers message: how many last ids count as known to its sender. */
#define KNOWN_LAST 16

#define HEADER_PREV_AT 6 /* version u16, height u32 */

static void on_again(void *arg)
{
	struct peer *peer = arg;

	sync_ask(peer);
	timer_arm(&peer->core->timers, &peer->headers_again,
		  core_now(peer->core) + AGAIN_ANYHOW / 2 +
			  core_delay(peer->core, AGAIN_ANYHOW / 2));
}

static void again_in(struct peer *peer, int64_t wait)
{
	timer_arm_by(&peer->core->timers, &peer->headers_again, core_now(peer->core) + wait);
}

static void send_getheaders(struct peer *peer, const struct rc_block_id *ids, size_t n)
{
	Rc__P2p__GetHeaders m = RC__P2P__GET_HEADERS__INIT;

	if (n > PEER_LOCATOR_MAX)
		n = PEER_LOCATOR_MAX;
	m.locator.data = (uint8_t *)(uintptr_t)ids;
	m.locator.len = n * sizeof(*ids);
	peer_send(peer, PEER_MSG_GETHEADERS, &m.base);
	peer->headers_asked = true;
	peer->headers_at = core_now(peer->core);
	peer->headers_from = n == 1 ? ids[0] : (struct rc_block_id){{0}};
}

static void take_turn(struct peer *peer)
{
	struct peerd *core = peer->core;

	core->header_peer = peer->id;
	core->header_since = peer->header_turn = core_now(core);
	core->header_mark = core->best_header.height;
	core->header_counted = 0;
	core->header_inbound = peer->role == PEER_INBOUND;
}

static void on_locator(void *arg, const struct rc_reply *why, const struct rc_locator *reply)
{
	struct chain_call *call = arg;
	struct peerd *core = call->core;
	struct peer *peer = core_peer(core, call->peer);

	core_enter(core);
	if (peer)
		peer->locator_asked = false;
	if (reply)
		sync_chain_best(core, &reply->best_header);
	if (reply && reply->n > 0 && peer && !peer->headers_asked) {
		/* Without the newest id, so that a peer level with us answers that one header, and
		 * we know its tip. */
		size_t skip = reply->n > 1 ? 1 : 0;

		send_getheaders(peer, reply->ids + skip, reply->n - skip);
	} else if (!reply && peer && why->err != RC_ECANCELLED) {
		again_in(peer, AGAIN_SOON);
	}
	core_leave(core);
	free(call);
}

static bool others_turn(const struct peer *peer)
{
	return peer->core->header_peer != 0 && peer->core->header_peer != peer->id;
}

void sync_ask(struct peer *peer)
{
	struct peerd *core = peer->core;

	if (!peer_is_ready(peer) || peer->headers_asked || peer->locator_asked ||
	    !core->out.chain->up(core->out.chain_ctx))
		return;
	/* chaind's count of its branch waits for its turn. */
	peer->headers_behind = others_turn(peer) &&
			       (peer->counting || (peer->headers_behind && core->headers_counted));
	if (peer->headers_behind)
		return;
	peer->locator_asked = true;
	core->out.chain->locator(core->out.chain_ctx, NULL, on_locator,
				 chain_call_new(core, peer->id, 0));
}

/* Those we chose and those who came to us by turns, so that neither can keep the others from it by
 * their number; of them who had its last one longest ago. */
static bool has_turn_before(const struct peer *a, const struct peer *b)
{
	bool inbound = !a->core->header_inbound;

	if ((a->role == PEER_INBOUND) != (b->role == PEER_INBOUND))
		return (a->role == PEER_INBOUND) == inbound;
	return a->header_turn < b->header_turn;
}

static struct peer *next_behind(const struct peerd *core)
{
	struct peer *next = NULL;

	for (struct peer *p = core->peers; p; p = p->hh.next) {
		if (p->headers_behind && (!next || has_turn_before(p, next)))
			next = p;
	}
	return next;
}

/* The one that was asked for a long run is done or gone, or had its time. All who wait are asked
 * for what is new of theirs, perhaps little by now, but while chaind counts: then the next one
 * alone. */
static void next_header_peer(struct peerd *core)
{
	struct peer *next = next_behind(core);

	core->header_peer = 0;
	if (next)
		take_turn(next);
	for (struct peer *p = core->peers; p; p = p->hh.next) {
		if (p->headers_behind)
			sync_ask(p);
	}
}

void sync_shown(struct peer *peer, const struct rc_block_ref *ref)
{
	if (rc_block_id_is_zero(&ref->id) || (peer->has_tip && ref->height < peer->tip.height))
		return;
	peer->has_tip = true;
	peer->tip = *ref;
	fetch_changed(peer->core);
}

/* This one's turn goes on. */
static void gained(struct peerd *core)
{
	core->header_mark = core->best_header.height;
	core->header_counted = 0;
	core->header_since = core_now(core);
	core->header_patience = TURN_LEAST;
}

/* It has a turn, and chaind asks on from here: further on than before, where that changed. */
static void note_counted(struct peer *peer, const struct rc_block_id *from)
{
	struct peerd *core = peer->core;

	core->headers_counted = true;
	if (rc_block_id_eq(&peer->counted_to, from))
		return;
	peer->counted_to = *from;
	core->header_counted += PEER_HEADERS_MAX;
	if (core->header_counted >= TURN_GAIN)
		gained(core);
}

/* chaind said what became of headers of a branch that it counts, or doesn't any more. It counts few
 * at a time (PRESYNC_MAX): one, for us, so that none is in vain because there are others. */
static void note_counting(struct peer *peer, const struct rc_submit_headers *reply)
{
	struct peerd *core = peer->core;

	if (reply->go_on) {
		peer->counting = true;
		if (core->header_peer == 0)
			take_turn(peer);
		peer->headers_behind = others_turn(peer);
		if (!peer->headers_behind)
			note_counted(peer, &reply->ask_from);
		/* An answer on its way leads here again. */
		if (!peer->headers_behind && !peer->headers_asked && peer->headers_submitted == 0)
			send_getheaders(peer, &reply->ask_from, 1);
	} else if (peer->counting) {
		peer->counting = false;
		if (reply->accepted > 0) {
			again_in(peer, 0); /* enough: the rest as of any other */
			return;
		}
		/* Where it lost its count, that isn't the peer's doing. */
		if (strcmp(reply->verdict, "header-parent-unknown") != 0)
			peer_charge(peer, COUNTED_COST, 0);
		if (core->header_peer == peer->id)
			next_header_peer(core);
	} else if (reply->accepted == 0 && strcmp(reply->verdict, "ok") != 0 &&
		   core->header_peer == peer->id) {
		next_header_peer(core); /* none of it is even counted */
	}
}

static void on_submitted(void *arg, const struct rc_reply *why,
			 const struct rc_submit_headers *reply)
{
	struct chain_call *call = arg;
	struct peerd *core = call->core;
	struct peer *peer = core_peer(core, call->peer);

	core_enter(core);
	if (reply)
		sync_chain_best(core, &reply->last);
	if (peer)
		peer->headers_submitted--;
	if (peer && !reply && why->err != RC_ECANCELLED)
		again_in(peer, why->err == RC_EBUSY ? why->retry_ms * PEERD_MS : AGAIN_SOON);
	if (peer && reply) {
		if (core->header_peer == peer->id && reply->last.height > core->header_mark &&
		    reply->last.height - core->header_mark >= TURN_GAIN)
			gained(core);
		if (call->n && reply->accepted > 0 && core->header_peer == peer->id)
			core->headers_counted = false; /* they are kept from here on */
		if (call->n || reply->go_on)
			note_counting(peer, reply);
		sync_shown(peer, &reply->last);
		if (strcmp(reply->verdict_class, "invalid") == 0)
			peer_penalise(peer, reply->verdict, NULL);
		else if (strcmp(reply->verdict, "header-parent-unknown") == 0)
			again_in(peer, peer->headers_asked ? AGAIN_SOON : 0);
		else if (strcmp(reply->verdict, "header-time-future") == 0)
			again_in(peer, AGAIN_FUTURE);
	}
	core_leave(core);
	free(call);
}

/* Whole headers, each the child of the one before; the last ids are known to the peer. */
static bool check_run(struct peer *peer, const uint8_t *raw, size_t n, struct rc_block_id *ret_last)
{
	RC_AUTOFREE struct rc_block_id *ids = rc_alloc_array(n, sizeof(*ids));

	rc_header_id_many(raw, n, ids);
	for (size_t i = 1; i < n; i++) {
		if (memcmp(raw + i * RC_HEADER_SIZE + HEADER_PREV_AT, ids[i - 1].b, 32) != 0) {
			peer_penalise(peer, "headers-gap", NULL);
			return false;
		}
	}
	for (size_t i = n > KNOWN_LAST ? n - KNOWN_LAST : 0; i < n; i++)
		seen_add(&peer->known_blocks, ids[i].b);
	*ret_last = ids[n - 1];
	return true;
}

/* A full message: there is more. Either this peer goes on, or it waits for the one that does. */
static void go_on(struct peer *peer, const struct rc_block_id *last)
{
	struct peerd *core = peer->core;

	if (core->header_peer == 0)
		take_turn(peer);
	if (core->header_peer != peer->id) {
		peer->headers_behind = true;
		return;
	}
	if (peer->headers_submitted < SUBMITS_AHEAD)
		send_getheaders(peer, last, 1);
	else
		again_in(peer, 100 * PEERD_MS); /* chaind is slower than the peer */
}

/* Who pushes more than chaind can judge is asked for it later: false. */
static bool may_push(struct peer *peer)
{
	if (peer->headers_submitted < 2 * SUBMITS_AHEAD)
		return true;
	again_in(peer, AGAIN_SOON);
	return false;
}

/* judge: what chaind says ends a count, for it is the answer to what was asked for. */
static void submit(struct peer *peer, struct rc_bytes raw, bool judge)
{
	struct peerd *core = peer->core;

	core_count(core, PEERD_HEADERS_RECEIVED, raw.len / RC_HEADER_SIZE);
	peer->headers_submitted++;
	core->out.chain->submit_headers(core->out.chain_ctx, peer->id, raw, on_submitted,
					chain_call_new(core, peer->id, judge));
}

void sync_on_header(struct peer *peer, const uint8_t raw[RC_HEADER_SIZE])
{
	if (may_push(peer))
		submit(peer, (struct rc_bytes){raw, RC_HEADER_SIZE}, false);
}

void sync_on_headers(struct peer *peer, const void *body)
{
	const Rc__P2p__Headers *m = body;
	struct peerd *core = peer->core;
	const struct peer_message_info *info = peer_message_find(PEER_MSG_HEADERS);
	struct rc_block_id last;
	size_t n = m->raw.len / RC_HEADER_SIZE;
	bool asked = peer->headers_asked, crossed;

	if (m->raw.len % RC_HEADER_SIZE != 0 || n > PEER_HEADERS_MAX) {
		peer_penalise(peer, "headers-count", NULL);
		return;
	}
	/* One header may be an announcement that crossed our question: the answer is still owed,
	 * unless that was it; asking once more is harmless. Of a count it is known whether it was.
	 */
	crossed = n == 1 && asked && peer->counting && !rc_block_id_is_zero(&peer->headers_from) &&
		  memcmp(m->raw.data + HEADER_PREV_AT, peer->headers_from.b, 32) != 0;
	peer->headers_asked = crossed;
	asked = asked && !crossed;
	if (!asked)
		peer_charge(peer, info->cost + info->item_cost * n, m->raw.len);
	if (n == 0) {
		peer->counting = false;
		if (core->header_peer == peer->id)
			next_header_peer(core);
		return;
	}
	if (!asked && !may_push(peer))
		return;
	if (!check_run(peer, m->raw.data, n, &last))
		return;
	/* chaind has room for few counts (PRESYNC_MAX): of those who wait none begins. */
	if (n == PEER_HEADERS_MAX && core->headers_counted && !peer->counting &&
	    others_turn(peer)) {
		peer->headers_behind = true;
		return;
	}
	submit(peer, (struct rc_bytes){m->raw.data, m->raw.len}, asked || n == PEER_HEADERS_MAX);
	if (peer->counting)
		; /* chaind says whence to go on */
	else if (asked && n == PEER_HEADERS_MAX)
		go_on(peer, &last);
	else if (core->header_peer == peer->id)
		next_header_peer(core);
}

void sync_on_block_inv(struct peer *peer, const struct rc_block_id *id)
{
	seen_add(&peer->known_blocks, id->b);
	if (!seen_has(&peer->core->announced, id->b))
		sync_ask(peer);
}

void sync_chain_best(struct peerd *core, const struct rc_block_ref *best)
{
	if (best->height >= core->best_header.height)
		core->best_header = *best;
}

static void on_info(void *arg, const struct rc_reply *why, const struct rc_chain_info *reply)
{
	struct chain_call *call = arg;
	struct peerd *core = call->core;

	(void)why;
	core_enter(core);
	if (reply) {
		stale_tip(core, &reply->tip.id);
		core->chain_tip = reply->tip;
		core->best_header = reply->best_header;
		core->initial_download = reply->initial_download;
		core->chain_known = true;
		relay_chain_tip(core);
		/* What events told others while this node missed them. */
		if (!core_in_download(core))
			announce_block(core, &reply->tip.id, NULL);
	}
	core_leave(core);
	free(call);
}

void sync_refresh(struct peerd *core)
{
	core->out.chain->info(core->out.chain_ctx, on_info, chain_call_new(core, 0, 0));
}

void sync_chain_up(struct peerd *core)
{
	sync_refresh(core);
	core->header_peer = 0;
	core->headers_counted = false;
	for (struct peer *p = core->peers; p; p = p->hh.next) {
		p->counting = false; /* should it go on counting, it says so */
		sync_ask(p);
	}
}

void sync_ready(struct peer *peer)
{
	timer_init(&peer->headers_again, on_again, peer);
	again_in(peer, AGAIN_ANYHOW);
	sync_ask(peer);
}

void sync_lost(struct peer *peer)
{
	timer_disarm(&peer->core->timers, &peer->headers_again);
	if (peer->core->header_peer == peer->id)
		next_header_peer(peer->core);
}

void sync_check_times(struct peer *peer, int64_t now)
{
	struct peerd *core = peer->core;

	if (core->header_peer == peer->id && now - core->header_since > core->header_patience &&
	    next_behind(core)) {
		core->header_patience *= core->header_patience < TURN_MOST ? 2 : 1;
		next_header_peer(core);
	}
	if (!peer->headers_asked || peer->pauses || now - peer->headers_at < HEADERS_TIMEOUT)
		return;
	peer->headers_asked = false;
	rc_log(RC_LOG_INFO, "peer %llu: no headers in time", (unsigned long long)peer->id);
	if (core->header_peer == peer->id) {
		peer->headers_behind = false;
		next_header_peer(core);
	}
	/* One of ours that doesn't answer is worth another; who came to us may stay. */
	if (peer->role == PEER_OUTBOUND || peer->role == PEER_BLOCK_ONLY) {
		core_count(core, PEERD_TIMEOUTS, 1);
		peer_drop(peer, "no headers in time");
	} else {
		again_in(peer, HEADERS_TIMEOUT);
	}
}

void sync_init(struct peerd *core)
{
	core->header_peer = 0;
	core->header_patience = TURN_LEAST;
}
