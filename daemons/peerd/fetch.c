/*
 * Blocks: chaind leases them to peers (one Wanted open), peers are asked, what comes goes to chaind
 * within bounds; what doesn't come is released and asked of another.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "base/test_point.h"
#include "daemons/peerd/peerd.h"
#include "proto/peer.pb-c.h"

/*
 * Wanted is opened again when what it was told changes. The older ones end by themselves: a call
 * given up might be one whose leases are on their way, and those blocks would be asked of nobody
 * until the leases end. The more are open, the longer changes are gathered, so that there are never
 * more than some thirty.
 */
#define WANTED_WAIT_MS	 2000
#define WANTED_GAP	 (2 * PEERD_MS)
#define WANTED_FEW	 8
#define WANTED_GAP_MANY	 (100 * PEERD_MS)
#define WANTED_ERROR_GAP (1 * PEERD_SECOND)
#define WANTED_EMPTY_GAP (200 * PEERD_MS) /* an answer of nothing should have taken its time */
/*
 * A peer is asked for what it gives in a minute, by the blocks it gave: at least one, so that no
 * more of them wait at a slow one than another could give in its place.
 */
#define WINDOW_US    (60 * PEERD_SECOND)
#define WINDOW_FIRST 4 /* of one that gave none yet */
/* It isn't read for what we make it wait for, or others of its group. Who is over its budget has
 * that from its own doing. No pause is an exception to the time of a block. */
#define PAUSES_OURS (PEER_PAUSE_HELD | PEER_PAUSE_TXS | PEER_PAUSE_OUTPUT | PEER_PAUSE_MEMORY)
/* Blocks on their way to chaind: two of the largest. Beyond, peers with a block at hand are not
 * read, so no more than one a peer is held beside these. */
#define SUBMIT_BYTES_MAX (64u << 20)
/* A block is held so long; then it is given up: a peer that isn't read would give us up. */
#define HELD_MAX (5 * PEERD_SECOND)
/* Fewer bytes than this in a stall timeout is no progress. Those of the bulk stream count, where
 * blocks come, behind the transactions that were asked for before them. */
#define PROGRESS_BYTES (8u << 10)
/*
 * However slowly it comes: from one block of a peer to its next it takes no longer than this and
 * the limit's bytes at 25 kB/s. On main that is 60 + 2,000,000 / 25,000 = 140 s, where a link of
 * 1 Mbit/s takes 2,000,000 / 125,000 = 16 s; with the largest limit there is, 32 MB, 1,340 s to
 * 256 s. That the link carries 16 blocks at a time changes nothing: they come one after another.
 */
#define BLOCK_TIMEOUT (60 * PEERD_SECOND)
#define BLOCK_RATE    25000
/*
 * One that has given no block for this and the limit's bytes at 1 Mbit/s (26 s on main) keeps none
 * from others: as soon as chaind leases them anew, they are asked of whom it says. What comes late
 * all the same is taken.
 */
#define OVERDUE	     (10 * PEERD_SECOND)
#define OVERDUE_RATE 125000
/*
 * Both rates are of a line that one peer has for itself. Where several give, and half of their
 * share of the line is less, it is that: of 125 kB/s and ten peers 6,250 bytes a second, 10 + 320 s
 * until a block is overdue, 60 + 320 s until it is given up. The line is the best of the spans
 * lately (an eighth less with each one), so who drips beside others that give faster gains nothing;
 * and no rate is below a twentieth, as of ten: those 330 s, and 60 + 1,600 s.
 */
#define LINE_SPAN	   (10 * PEERD_SECOND)
#define LINE_DECAY	   8
#define LINE_GIVERS_MAX	   10
#define STALL_FACTOR_MAX   32
#define STALLS_MAX	   4  /* one of ours is given up after so many in a row */
#define STALLS_COUNTED	   30 /* one of others is set aside for five minutes at most */
#define FAILED_MAX	   64
#define LATE_MAX	   (4 * INFLIGHT_PER_PEER)
#define FAILED_FOR	   (10 * PEERD_SECOND)
#define NOTFOUND_FOR	   (2 * PEERD_SECOND)
#define ASKED_BLOCKS_KNOWN 4096

static void release(struct peerd *core, const struct rc_block_id *ids, size_t n);

/* ---- Wanted ---- */

struct wanted_call {
	struct peerd *core;
	uint64_t number;
	int64_t opened_at;
};

static void fail_block(struct peer *peer, const struct rc_block_id *id, int64_t wait)
{
	struct failed_block *f;

	if (!peer->failed)
		peer->failed = rc_alloc_array(FAILED_MAX, sizeof(*peer->failed));
	if (peer->n_failed == FAILED_MAX) {
		memmove(peer->failed, peer->failed + 1, (FAILED_MAX - 1) * sizeof(*peer->failed));
		peer->n_failed--;
	}
	f = &peer->failed[peer->n_failed++];
	f->id = *id;
	f->until = core_now(peer->core) + wait;
	peer->failed_at = core_now(peer->core);
}

static void ask_for(struct peer *peer, const uint8_t *items, size_t n)
{
	Rc__P2p__GetData m = RC__P2P__GET_DATA__INIT;

	if (n == 0)
		return;
	m.items.data = (uint8_t *)(uintptr_t)items;
	m.items.len = n * PEER_ITEM_SIZE;
	peer_send(peer, PEER_MSG_GETDATA, &m.base);
	core_count(peer->core, PEERD_BLOCKS_ASKED, n);
}

/* With the first question after a pause. */
static void start_clocks(struct peer *peer)
{
	peer->last_progress = peer->block_since = core_now(peer->core);
	peer->bytes_mark = rc_link_data_in(peer->link, RC_LINK_BULK);
}

/* It may still give so many blocks that are asked of others too. */
static void may_be_late(struct peer *peer, size_t n)
{
	peer->late = (unsigned)rc_min_u64(peer->late + n, LATE_MAX);
}

/* How many blocks it is asked for at a time. */
static unsigned window(const struct peer *peer)
{
	int64_t n = peer->block_us ? WINDOW_US / peer->block_us : WINDOW_FIRST;

	return n < 1 ? 1 : (unsigned)rc_min_u64((uint64_t)n, INFLIGHT_PER_PEER);
}

/* It is asked for more when half are done: one question for many blocks. */
static unsigned refill_at(const struct peer *peer)
{
	return window(peer) / 2;
}

bool fetch_rest(struct peer *peer, const struct rc_block_id *id, uint32_t height)
{
	struct peerd *core = peer->core;

	if (!inflight_add(&core->inflight, id, height, peer->id))
		return false;
	if (inflight_count(&core->inflight, peer->id) == 1)
		start_clocks(peer);
	seen_add(&core->asked_blocks, id->b);
	return true;
}

void fetch_whole(struct peer *peer, const struct rc_block_id *id, uint32_t height)
{
	uint8_t item[PEER_ITEM_SIZE];

	if (inflight_find(&peer->core->inflight, id))
		return; /* another gives it */
	if (!peer_is_ready(peer) || !fetch_rest(peer, id, height)) {
		fetch_release(peer->core, id);
		return;
	}
	item[0] = PEER_ITEM_BLOCK;
	memcpy(item + 1, id->b, 32);
	ask_for(peer, item, 1);
}

static bool may_ask(const struct peer *peer)
{
	return peer && peer_is_ready(peer) && !peer->held_block;
}

static bool may_give(const struct peer *peer)
{
	return may_ask(peer) && peer->has_tip && (peer->services & PEER_SERVICE_BLOCKS);
}

/* Somebody else who has blocks that aren't here, and hasn't stalled lately: then who has isn't
 * asked, else all may be. except may be NULL. */
static bool others_give(const struct peerd *core, const struct peer *except)
{
	for (const struct peer *p = core->peers; p; p = p->hh.next) {
		if (p != except && may_give(p) && p->tip.height > core->chain_tip.height &&
		    p->aside_until <= core_now(core))
			return true;
	}
	return false;
}

/* A lease of a Wanted that was opened before the peer failed with the block. */
static bool failed_lately(const struct peer *peer, const struct rc_block_id *id)
{
	for (size_t i = 0; i < peer->n_failed; i++) {
		if (rc_block_id_eq(&peer->failed[i].id, id))
			return true;
	}
	return false;
}

/* How long the blocks' limit takes at so many bytes a second. */
static int64_t limit_us(const struct peerd *core, int64_t rate)
{
	return (int64_t)core->network->params.block_limit * PEERD_SECOND / rate;
}

/* The same, of one peer, while others share the line with it. */
static int64_t share_us(const struct peerd *core, int64_t rate)
{
	int64_t n = (int64_t)rc_min_u64(core->line_givers, LINE_GIVERS_MAX);
	int64_t share, least;

	if (n > 1) {
		share = core->line_rate / (2 * n);
		least = rate / (2 * n);
		if (share < rate)
			rate = share > least ? share : least;
	}
	return limit_us(core, rate);
}

/*
 * chaind leases a block that is on its way: the lease of who was asked has ended. False: it is
 * still waited for, for the link may be slow. Where that peer is itself the one it is leased to,
 * another may be asked, if there is one.
 */
static bool take_over(struct peerd *core, const struct rc_lease *lease)
{
	struct rc_block_id id = lease->id;
	struct peer *holder = core_peer(core, inflight_find(&core->inflight, &id)->peer);

	if (!holder ||
	    core_now(core) - holder->block_since <= OVERDUE + share_us(core, OVERDUE_RATE) ||
	    (holder->id == lease->peer && !others_give(core, holder)))
		return false;
	inflight_take(&core->inflight, &id);
	compact_given_up(holder, &id);
	may_be_late(holder, 1);
	fail_block(holder, &id, FAILED_FOR);
	fetch_changed(core);
	return true;
}

/* The leases of one peer, in the order given. */
static void take_leases(struct peerd *core, const struct rc_lease *leases, size_t n, uint64_t id)
{
	struct peer *peer = core_peer(core, id);
	uint8_t items[INFLIGHT_PER_PEER * PEER_ITEM_SIZE];
	size_t n_items = 0;
	bool compact = false; /* one at a time */

	for (size_t i = 0; i < n; i++) {
		const struct rc_lease *l = &leases[i];

		if (l->peer != id)
			continue;
		if (inflight_find(&core->inflight, &l->id) && !take_over(core, l))
			continue; /* on its way from somebody */
		if (!may_ask(peer) || failed_lately(peer, &l->id) || n_items == INFLIGHT_PER_PEER ||
		    !inflight_add(&core->inflight, &l->id, l->height, id)) {
			release(core, &l->id, 1);
			continue;
		}
		seen_add(&core->asked_blocks, l->id.b);
		items[n_items * PEER_ITEM_SIZE] = PEER_ITEM_BLOCK;
		if (!compact && compact_may_ask(peer, &l->id, l->height)) {
			items[n_items * PEER_ITEM_SIZE] = PEER_ITEM_COMPACT;
			compact = true;
		}
		memcpy(items + n_items * PEER_ITEM_SIZE + 1, l->id.b, 32);
		n_items++;
	}
	if (n_items == 0)
		return;
	if (inflight_count(&core->inflight, id) == n_items)
		start_clocks(peer);
	ask_for(peer, items, n_items);
}

static void on_wanted(void *arg, const struct rc_reply *why, const struct rc_wanted *reply)
{
	struct wanted_call *call = arg;
	struct peerd *core = call->core;
	bool newest = call->number == core->wanted_number;

	core_enter(core);
	core->wanted_open--;
	for (size_t i = 0; reply && i < reply->n; i++) {
		bool first = true;

		for (size_t j = 0; j < i && first; j++)
			first = reply->leases[j].peer != reply->leases[i].peer;
		if (first)
			take_leases(core, reply->leases, reply->n, reply->leases[i].peer);
	}
	if (why->err == RC_ECANCELLED || core->stopping)
		; /* the client closes */
	else if (!reply)
		timer_arm_by(&core->timers, &core->wanted_timer, core_now(core) + WANTED_ERROR_GAP);
	else if (core->wanted_stale || (newest && reply->n > 0))
		fetch_changed(core);
	else if (newest)
		timer_arm_by(&core->timers, &core->wanted_timer,
			     call->opened_at + WANTED_EMPTY_GAP);
	core_leave(core);
	free(call);
}

/* Who has failed longest ago, or not at all, comes first: chaind asks in this order, and many may
 * know the header of a block that only one has. */
static int by_failure(const void *pa, const void *pb)
{
	const struct peer *a = *(const struct peer *const *)pa;
	const struct peer *b = *(const struct peer *const *)pb;

	if (a->failed_at != b->failed_at)
		return a->failed_at < b->failed_at ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

/* Who may be asked for blocks, as chaind is told; *ret_room: one of them could take some. */
static size_t tell_peers(struct peerd *core, struct rc_wanted_peer *peers,
			 struct rc_block_id *failed, bool *ret_room)
{
	size_t n = 0, n_failed = 0;
	bool choice = others_give(core, NULL);
	RC_AUTOFREE const struct peer **order =
		rc_alloc_array(HASH_COUNT(core->peers), sizeof(const struct peer *));

	*ret_room = false;
	for (const struct peer *p = core->peers; p; p = p->hh.next) {
		if (may_give(p) && !(choice && p->aside_until > core_now(core)))
			order[n++] = p;
	}
	qsort(order, n, sizeof(const struct peer *), by_failure);
	for (size_t at = 0; at < n; at++) {
		const struct peer *p = order[at];
		struct rc_wanted_peer *w = &peers[at];
		unsigned asked = inflight_count(&core->inflight, p->id), most = window(p);

		*w = (struct rc_wanted_peer){
			.peer = p->id,
			.tip = p->tip.id,
			/* What is less than the most of any peer counts as asked already. */
			.in_flight = INFLIGHT_PER_PEER - (asked < most ? most - asked : 0),
			.failed = failed + n_failed,
			.n_failed = p->n_failed,
		};
		for (size_t i = 0; i < p->n_failed; i++)
			failed[n_failed++] = p->failed[i].id;
		*ret_room = *ret_room || asked <= refill_at(p);
	}
	return n;
}

static void open_wanted(void *arg)
{
	struct peerd *core = arg;
	struct wanted_call *call;
	size_t n;
	bool room;

	core->wanted_stale = true;
	if (!core->out.chain->up(core->out.chain_ctx))
		return;
	RC_AUTOFREE struct rc_wanted_peer *peers =
		rc_alloc_array(HASH_COUNT(core->peers), sizeof(*peers));
	RC_AUTOFREE struct rc_block_id *failed =
		rc_alloc_array((size_t)HASH_COUNT(core->peers) * FAILED_MAX, sizeof(*failed));

	n = tell_peers(core, peers, failed, &room);
	if (!room)
		return; /* asked again when a peer has given half of what it was asked for */
	call = rc_alloc(sizeof(*call));
	*call = (struct wanted_call){core, ++core->wanted_number, core_now(core)};
	core->wanted_open++;
	core->wanted_stale = false;
	core->out.chain->wanted(core->out.chain_ctx, peers, n, INFLIGHT_PER_PEER, WANTED_WAIT_MS,
				on_wanted, call);
}

void fetch_changed(struct peerd *core)
{
	int64_t gap = core->wanted_open < WANTED_FEW ? WANTED_GAP : WANTED_GAP_MANY;

	if (!core->stopping)
		timer_arm_by(&core->timers, &core->wanted_timer, core_now(core) + gap);
}

void fetch_chain_up(struct peerd *core)
{
	fetch_changed(core);
}

static void on_released(void *arg, const struct rc_reply *why)
{
	(void)arg;
	(void)why; /* a lease ends by itself too */
}

static void release(struct peerd *core, const struct rc_block_id *ids, size_t n)
{
	if (n)
		core->out.chain->release(core->out.chain_ctx, ids, n, on_released, core);
}

void fetch_release(struct peerd *core, const struct rc_block_id *id)
{
	release(core, id, 1);
	fetch_changed(core);
}

void fetch_not_given(struct peer *peer, const struct rc_block_id *id)
{
	fail_block(peer, id, FAILED_FOR);
	fetch_release(peer->core, id);
}

/* ---- blocks ---- */

struct submit_call {
	struct peerd *core;
	uint64_t peer;
	size_t len;
	struct rc_block_id id;
};

static void submit(struct peer *peer, struct rc_bytes raw, const struct rc_block_id *id);

static void drop_held(struct peer *peer)
{
	free(peer->held_block);
	peer->held_block = NULL;
	timer_disarm(&peer->core->timers, &peer->held_timer);
	peer_pause(peer, PEER_PAUSE_HELD, false);
}

static void on_held_too_long(void *arg)
{
	struct peer *peer = arg;
	struct rc_block_id id;

	rc_header_id(peer->held_block, &id);
	release(peer->core, &id, 1);
	drop_held(peer);
	fetch_changed(peer->core);
}

static void submit_held(struct peerd *core)
{
	for (struct peer *p = core->peers; p; p = p->hh.next) {
		struct rc_block_id id;

		if (!p->held_block)
			continue;
		if (core->submit_bytes && core->submit_bytes + p->held_len > SUBMIT_BYTES_MAX)
			return;
		rc_header_id(p->held_block, &id);
		submit(p, (struct rc_bytes){p->held_block, p->held_len}, &id);
		drop_held(p);
		fetch_changed(core);
	}
}

static void on_submitted(void *arg, const struct rc_reply *why, const struct rc_submit_block *reply)
{
	struct submit_call *call = arg;
	struct peerd *core = call->core;
	struct peer *peer = core_peer(core, call->peer);
	char hex[RC_ID_HEX];

	core_enter(core);
	core->submit_bytes -= call->len;
	if (peer)
		peer->chain_bytes -= call->len;
	if (!reply) {
		/* Not judged: it is wanted again by and by. */
		if (why->err != RC_ECANCELLED) {
			rc_log(RC_LOG_DEBUG, "block %s was not taken: %s",
			       rc_block_id_hex(hex, &call->id), rc_err_text(why->err));
			release(core, &call->id, 1);
			fetch_changed(core);
		}
	} else if (strcmp(reply->verdict_class, "invalid") == 0) {
		rc_log(RC_LOG_NOTICE, "block %s from peer %llu is invalid: %s%s",
		       rc_block_id_hex(hex, &call->id), (unsigned long long)call->peer,
		       reply->verdict, reply->fault_of_message ? " (its message alone)" : "");
		if (peer)
			peer_penalise(peer, reply->verdict, hex);
		fetch_changed(core);
	} else {
		if (peer && reply->block.height > peer->last_block_height)
			peer->last_block_height = reply->block.height;
		if (peer && !reply->duplicate && strcmp(reply->verdict_class, "ok") == 0)
			peer->block_at = core_now(core);
		/* Blocks flow: patience shrinks back (Bitcoin Core's adaptive timeout). */
		core->stall_us = core->stall_us * 85 / 100;
		if (core->stall_us < core->opt.stall_us)
			core->stall_us = core->opt.stall_us;
		serve_block_stored(core, &call->id);
		RC_TEST_POINT(PEERD_BLOCK_TAKEN);
	}
	submit_held(core);
	core_leave(core);
	free(call);
}

static void submit(struct peer *peer, struct rc_bytes raw, const struct rc_block_id *id)
{
	struct peerd *core = peer->core;
	struct submit_call *call = rc_alloc(sizeof(*call));

	*call = (struct submit_call){core, peer->id, raw.len, *id};
	core->submit_bytes += raw.len;
	peer->chain_bytes += raw.len;
	core_count(core, PEERD_BLOCKS_RECEIVED, 1);
	RC_TEST_POINT(PEERD_BLOCK);
	announce_arrived(core, id);
	compact_gave(peer, id);
	/* Near the tip the answer is the verdict, so that who sent it can be judged too; during a
	 * download it is that the block is stored. */
	core->out.chain->submit_block(core->out.chain_ctx, peer->id, !core_in_download(core), raw,
				      on_submitted, call);
}

/* A block that was asked of it has come, perhaps late: what was asked after it has its time from
 * now on. */
static void gave(struct peer *peer)
{
	int64_t now = core_now(peer->core), took = now - peer->block_since;

	if (took > WINDOW_US)
		took = WINDOW_US;
	peer->block_us = peer->block_us ? (3 * peer->block_us + took) / 4 : took;
	peer->last_progress = peer->block_since = now;
	peer->stalls = 0;
}

/* And it was still awaited. */
static void progressed(struct peer *peer)
{
	struct peerd *core = peer->core;
	unsigned left = inflight_count(&core->inflight, peer->id);

	gave(peer);
	peer->aside_until = peer->failed_at = 0;
	if (left == refill_at(peer) || left == 0)
		fetch_changed(core);
}

bool fetch_take(struct peer *peer, const struct rc_block_id *id)
{
	struct peerd *core = peer->core;
	const struct inflight_block *b = inflight_find(&core->inflight, id);

	if (!b || b->peer != peer->id)
		return false;
	inflight_take(&core->inflight, id);
	progressed(peer);
	return true;
}

/* To chaind, or until there is room. */
static void take(struct peer *peer, struct rc_bytes raw, const struct rc_block_id *id)
{
	struct peerd *core = peer->core;

	if (!core->submit_bytes || core->submit_bytes + raw.len <= SUBMIT_BYTES_MAX) {
		submit(peer, raw, id);
		return;
	}
	if (peer->held_block) { /* came in one piece with the one that waits */
		release(core, id, 1);
		return;
	}
	peer->held_block = rc_memdup(raw.data, raw.len);
	peer->held_len = raw.len;
	peer_pause(peer, PEER_PAUSE_HELD, true);
	timer_init(&peer->held_timer, on_held_too_long, peer);
	timer_arm(&core->timers, &peer->held_timer, core_now(core) + HELD_MAX);
}

/* One that nobody is asked for. Late is honest, once for each that it was asked for; else it costs
 * time. */
static void on_late_block(struct peer *peer, struct rc_bytes raw, const struct rc_block_id *id)
{
	struct peerd *core = peer->core;

	if (peer->late == 0 || !seen_has(&core->asked_blocks, id->b)) {
		peer_charge(peer, peer_message_find(PEER_MSG_BLOCK)->cost + raw.len, raw.len);
		return;
	}
	peer->late--;
	gave(peer);
	if (!seen_has(&core->arrived, id->b))
		take(peer, raw, id); /* it was released, and nobody asked since */
}

void fetch_on_block(struct peer *peer, struct rc_bytes raw)
{
	struct peerd *core = peer->core;
	struct rc_block_id id;
	struct peer *other;
	uint64_t owner;

	if (raw.len < RC_HEADER_SIZE) {
		peer_penalise(peer, "block-parse", "shorter than a header");
		return;
	}
	rc_header_id(raw.data, &id);
	seen_add(&peer->known_blocks, id.b);
	compact_given_up(peer, &id);
	owner = inflight_take(&core->inflight, &id);
	if (owner == 0) {
		on_late_block(peer, raw, &id);
		return;
	}
	if (owner != peer->id) {
		if (peer->late > 0)
			peer->late--; /* it is this one */
		other = core_peer(core, owner);
		if (other) {
			/* What it owes of the block isn't awaited any more. */
			compact_given_up(other, &id);
			may_be_late(other, 1);
		}
	}
	progressed(peer);
	take(peer, raw, &id);
}

void fetch_on_notfound(struct peer *peer, const struct rc_block_id *id)
{
	struct peerd *core = peer->core;
	const struct inflight_block *b = inflight_find(&core->inflight, id);

	if (!b || b->peer != peer->id)
		return;
	inflight_take(&core->inflight, id);
	compact_given_up(peer, id);
	core_count(core, PEERD_BLOCK_NOTFOUND, 1);
	fail_block(peer, id, NOTFOUND_FOR);
	release(core, id, 1);
	fetch_changed(core);
}

/* ---- what doesn't come ---- */

static void give_up(struct peer *peer, int64_t wait)
{
	struct peerd *core = peer->core;
	struct rc_block_id ids[INFLIGHT_PER_PEER];
	size_t n = inflight_drop_peer(&core->inflight, peer->id, ids);

	for (size_t i = 0; i < n; i++)
		compact_given_up(peer, &ids[i]);
	for (size_t i = 0; wait && i < n; i++)
		fail_block(peer, &ids[i], wait);
	may_be_late(peer, n);
	release(core, ids, n);
	if (n)
		fetch_changed(core);
}

void fetch_lost(struct peer *peer)
{
	if (peer->held_block) {
		struct rc_block_id id;

		rc_header_id(peer->held_block, &id);
		release(peer->core, &id, 1);
		timer_disarm(&peer->core->timers, &peer->held_timer);
	}
	give_up(peer, 0);
}

static void on_stall(struct peer *peer)
{
	struct peerd *core = peer->core;
	int64_t most = core->opt.stall_us * STALL_FACTOR_MAX, now = core_now(core);

	if (peer->stalls < STALLS_COUNTED)
		peer->stalls++;
	core_count(core, PEERD_BLOCK_STALLS, 1);
	rc_log(RC_LOG_INFO, "peer %llu: blocks don't come; others are asked",
	       (unsigned long long)peer->id);
	/* Whoever promises blocks and gives none would be asked for the next ones, and so hold up
	 * the whole download for as long as it goes on. */
	peer->aside_until = now + FAILED_FOR * (int64_t)peer->stalls;
	give_up(peer, FAILED_FOR * (int64_t)peer->stalls);
	/* Several who stall together double it once: they don't show that the line is slow. */
	if (now - core->stall_raised_at >= core->stall_us) {
		core->stall_us = core->stall_us * 2 < most ? core->stall_us * 2 : most;
		core->stall_raised_at = now;
	}
	if (peer->stalls >= STALLS_MAX &&
	    (peer->role == PEER_OUTBOUND || peer->role == PEER_BLOCK_ONLY))
		peer_drop(peer, "it stalled %u times", peer->stalls);
}

static void expire_failed(struct peer *peer, int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < peer->n_failed; i++) {
		if (peer->failed[i].until > now)
			peer->failed[kept++] = peer->failed[i];
	}
	if (kept != peer->n_failed)
		fetch_changed(peer->core);
	peer->n_failed = kept;
}

void fetch_check_times(struct peer *peer, int64_t now)
{
	struct peerd *core = peer->core;
	uint64_t bytes = rc_link_data_in(peer->link, RC_LINK_BULK);

	expire_failed(peer, now);
	if (inflight_count(&core->inflight, peer->id) == 0)
		return;
	if (bytes - peer->bytes_mark >= PROGRESS_BYTES || peer->pauses & PAUSES_OURS) {
		peer->bytes_mark = bytes;
		peer->last_progress = now;
	}
	if (now - peer->last_progress > core->stall_us ||
	    now - peer->block_since > BLOCK_TIMEOUT + share_us(core, BLOCK_RATE))
		on_stall(peer);
}

void fetch_check_line(struct peerd *core, int64_t now)
{
	int64_t span = now - core->line_at, rate = core->line_rate;
	uint64_t sum = 0;

	if (span < LINE_SPAN)
		return;
	core->line_at = now;
	core->line_givers = 0;
	for (struct peer *p = core->peers; p; p = p->hh.next) {
		uint64_t bytes = p->link ? rc_link_data_in(p->link, RC_LINK_BULK) : 0;

		sum += bytes - p->line_mark;
		if (bytes - p->line_mark >= PROGRESS_BYTES)
			core->line_givers++;
		p->line_mark = bytes;
	}
	rate -= rate / LINE_DECAY;
	core->line_rate = (int64_t)rc_max_u64(sum * PEERD_SECOND / (uint64_t)span, (uint64_t)rate);
}

void fetch_init(struct peerd *core)
{
	timer_init(&core->wanted_timer, open_wanted, core);
	seen_init(&core->asked_blocks, core->hash_k0, core->hash_k1, ASKED_BLOCKS_KNOWN);
	core->stall_us = core->opt.stall_us;
}

void fetch_done(struct peerd *core)
{
	inflight_done(&core->inflight);
	seen_done(&core->asked_blocks);
}
