/*
 * Blocks in compact form (BIP152's idea): chaind makes a peer's whole from its pool, what it misses
 * is asked of that peer, and where short ids don't tell enough the block is fetched whole from it.
 * The last three peers that gave us a new best block are asked to announce the next so; the others
 * announce headers, and are asked for the compact form.
 *
 * Nothing is kept of a compact block before its header has shown work, and one is kept of a peer at
 * a time. Nobody is penalised for a collision of short ids, nor for a block that turns out bad by
 * what only the state tells: compact blocks are told on once their bodies were checked without it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/test_point.h"
#include "consensus/header_check.h"
#include "daemons/peerd/peerd.h"
#include "proto/peer.pb-c.h"
#include "types/compact.h"

/* In hand at a time, of all peers: as many as may announce, and as many who were asked. Each is no
 * longer than a block, twice that while its missing transactions are handed on. */
#define REBUILDING_MAX 8
/* A compact block may be in hand so long. */
#define IN_HAND_MOST (60 * PEERD_SECOND)
/* Blocks that were ambiguous, remembered a generation. */
#define AMBIGUOUS_KNOWN 64
/* A peer that has so much queued isn't sent a block it didn't ask for; a header tells it. */
#define ANNOUNCE_AHEAD (1u << 20)

struct rebuilding {
	struct rc_block_id id;
	uint32_t height;
	uint64_t number;
	int64_t since;
	uint8_t *raw; /* the compact block */
	size_t len;
	uint32_t missing; /* asked of the peer; 0: not yet */
	bool waiting;	  /* for those */
	uint8_t *places;  /* theirs */
	size_t places_len;
};

struct rebuild_call {
	struct peerd *core;
	uint64_t peer, number;
	struct rc_block_id id;
};

/* ---- who announces ---- */

static void send_wish(struct peer *peer, bool announce)
{
	Rc__P2p__SendCompact m = RC__P2P__SEND_COMPACT__INIT;

	m.version = PEER_COMPACT_VERSION;
	m.announce = announce;
	peer_send(peer, PEER_MSG_SENDCOMPACT, &m.base);
}

void compact_ready(struct peer *peer)
{
	send_wish(peer, false);
}

void compact_on_sendcompact(struct peer *peer, const void *body)
{
	const Rc__P2p__SendCompact *m = body;

	if (m->version != PEER_COMPACT_VERSION)
		return;
	peer->compact = true;
	peer->compact_wanted = m->announce;
}

static bool is_announcer(const struct peer *peer)
{
	const struct peerd *core = peer->core;

	for (unsigned i = 0; i < core->n_announcers; i++) {
		if (core->announcers[i] == peer->id)
			return true;
	}
	return false;
}

static void forget_announcer(struct peerd *core, uint64_t id)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < core->n_announcers; i++) {
		if (core->announcers[i] != id)
			core->announcers[kept++] = core->announcers[i];
	}
	core->n_announcers = kept;
}

static bool is_inbound(const struct peerd *core, uint64_t id)
{
	const struct peer *peer = core_peer(core, id);

	return peer && peer->role == PEER_INBOUND;
}

/* Whose place a new one takes: who gave longest ago, but the last one we chose ourselves stays, so
 * that those who come to us can't take all places. */
static uint64_t to_replace(const struct peerd *core, const struct peer *by)
{
	unsigned ours = 0;

	for (unsigned i = 0; i < core->n_announcers; i++)
		ours += !is_inbound(core, core->announcers[i]);
	if (ours == 1 && by->role == PEER_INBOUND && !is_inbound(core, core->announcers[0]))
		return core->announcers[1];
	return core->announcers[0];
}

static void prefer(struct peer *peer)
{
	struct peerd *core = peer->core;
	bool was = is_announcer(peer);

	forget_announcer(core, peer->id);
	if (core->n_announcers == ANNOUNCERS_MAX) {
		uint64_t id = to_replace(core, peer);
		struct peer *other = core_peer(core, id);

		forget_announcer(core, id);
		if (other)
			send_wish(other, false);
	}
	core->announcers[core->n_announcers++] = peer->id;
	if (!was)
		send_wish(peer, true);
}

void compact_gave(struct peer *peer, const struct rc_block_id *id)
{
	struct peerd *core = peer->core;

	core->givers[core->next_giver++ % GIVERS_MAX] = (struct giver){*id, peer->id};
}

void compact_chain_tip(struct peerd *core, const struct rc_block_id *id)
{
	if (core_in_download(core))
		return;
	for (unsigned i = 0; i < GIVERS_MAX; i++) {
		struct peer *peer = core_peer(core, core->givers[i].peer);

		if (!rc_block_id_eq(&core->givers[i].id, id))
			continue;
		core->givers[i].peer = 0;
		if (peer)
			peer->block_at = core_now(core);
		if (peer && peer_is_ready(peer) && peer->compact)
			prefer(peer);
		return;
	}
}

/* ---- announcing ---- */

struct announce_call {
	struct peerd *core;
	struct rc_block_id id;
	uint8_t header[RC_HEADER_SIZE];
};

static void send_compact(struct peer *peer, struct rc_bytes raw)
{
	struct rc_buf buf = RC_BUF_INIT;
	uint8_t *data;
	size_t len;

	peer_message_put_raw(raw, &buf);
	data = rc_buf_take(&buf, &len);
	peer_send_taken(peer, PEER_MSG_COMPACTBLOCK, data, len);
}

/* Without an answer (the block is on its way to chaind's store) the header tells them. */
static void on_compact(void *arg, const struct rc_reply *why, const struct rc_block_part *reply)
{
	struct announce_call *call = arg;
	struct peerd *core = call->core;

	(void)why;
	core_enter(core);
	for (struct peer *p = core->peers; p; p = p->hh.next) {
		if (!peer_is_ready(p) || !p->compact_wanted ||
		    !seen_add(&p->known_blocks, call->id.b))
			continue;
		memory_count(core);
		if (reply && !reply->whole && peer_queued(p) <= ANNOUNCE_AHEAD &&
		    memory_left(p, MEMORY_OUT) > 0) {
			core_count(core, PEERD_BLOCKS_SERVED, 1);
			send_compact(p, reply->raw);
		} else {
			announce_tell(p, &call->id, call->header);
		}
	}
	core_leave(core);
	free(call);
}

void compact_announce(struct peerd *core, const struct rc_block_id *id, const uint8_t *header)
{
	struct announce_call *call = rc_alloc(sizeof(*call));

	call->core = core;
	call->id = *id;
	memcpy(call->header, header, RC_HEADER_SIZE);
	core->out.chain->compact_block(core->out.chain_ctx, id, on_compact, call);
}

/* ---- a peer's compact block ---- */

static void drop(struct peer *peer)
{
	struct rebuilding *r = peer->rebuilding;

	peer->rebuilding = NULL;
	peer->txns_given_up += r->waiting; /* what it was asked for may still come */
	peer->core->n_rebuilding--;
	free(r->raw);
	free(r->places);
	free(r);
}

size_t compact_held(const struct peer *peer)
{
	return peer->rebuilding ? peer->rebuilding->len + peer->rebuilding->places_len : 0;
}

void compact_given_up(struct peer *peer, const struct rc_block_id *id)
{
	if (peer->rebuilding && peer->rebuilding->waiting &&
	    rc_block_id_eq(&peer->rebuilding->id, id))
		drop(peer);
}

void compact_lost(struct peer *peer)
{
	forget_announcer(peer->core, peer->id);
	/* An answer of chaind about it finds nobody, and releases what is wanted. */
	if (peer->rebuilding)
		drop(peer);
}

bool compact_may_ask(const struct peer *peer, const struct rc_block_id *id, uint32_t height)
{
	const struct peerd *core = peer->core;

	return peer->compact && !peer->rebuilding && !core_in_download(core) &&
	       height == core->chain_tip.height + 1 && !seen_has(&core->ambiguous, id->b);
}

/* Short ids don't tell which transactions it has: all of it, from who has it. */
static void fall_back(struct peer *peer)
{
	struct peerd *core = peer->core;
	struct rc_block_id id = peer->rebuilding->id;
	uint32_t height = peer->rebuilding->height;
	char hex[RC_ID_HEX];

	rc_log(RC_LOG_INFO, "block %s can't be rebuilt of peer %llu's compact one: fetched whole",
	       rc_block_id_hex(hex, &id), (unsigned long long)peer->id);
	core_count(core, PEERD_COMPACT_FULL, 1);
	seen_add(&core->ambiguous, id.b);
	drop(peer);
	fetch_whole(peer, &id, height);
}

static void ask_missing(struct peer *peer, const struct rc_rebuild *reply)
{
	struct peerd *core = peer->core;
	struct rebuilding *r = peer->rebuilding;
	Rc__P2p__GetBlockTxn m = RC__P2P__GET_BLOCK_TXN__INIT;

	if (!fetch_rest(peer, &r->id, r->height)) {
		/* It was asked of another meanwhile, who gives it. */
		drop(peer);
		return;
	}
	r->missing = reply->missing;
	r->waiting = true;
	r->places = rc_memdup(reply->places.data, reply->places.len);
	r->places_len = reply->places.len;
	m.block.data = r->id.b;
	m.block.len = sizeof(r->id.b);
	m.places.data = r->places;
	m.places.len = r->places_len;
	core_count(core, PEERD_COMPACT_TXS_ASKED, r->missing);
	peer_send(peer, PEER_MSG_GETBLOCKTXN, &m.base);
}

static void now_whole(struct peer *peer, const struct rc_rebuild *reply)
{
	struct peerd *core = peer->core;
	struct rebuilding *r = peer->rebuilding;
	char hex[RC_ID_HEX];

	if (reply->block.height > peer->last_block_height)
		peer->last_block_height = reply->block.height;
	if (!reply->duplicate) {
		peer->block_at = core_now(core);
		core_count(core, r->missing ? PEERD_COMPACT_ASKED : PEERD_COMPACT_POOL, 1);
		core_count(core, PEERD_BLOCKS_RECEIVED, 1);
		rc_log(RC_LOG_DEBUG,
		       "block %s of peer %llu is whole: %zu bytes, %u transactions, %u of them "
		       "asked for",
		       rc_block_id_hex(hex, &r->id), (unsigned long long)peer->id, r->len,
		       reply->transactions, r->missing);
		compact_gave(peer, &r->id);
	}
	drop(peer);
}

/* What chaind says of a compact block whose peer is still there. */
static void judge(struct peer *peer, const struct rc_rebuild *reply)
{
	struct peerd *core = peer->core;
	struct rc_block_id id = peer->rebuilding->id;
	char hex[RC_ID_HEX];

	sync_shown(peer, &reply->block);
	if (reply->fault_of_sender) {
		drop(peer);
		fetch_release(core, &id);
		peer_penalise(peer, reply->verdict, rc_block_id_hex(hex, &id));
	} else if (strcmp(reply->verdict_class, "ok") != 0) {
		/* Not judged yet, or bad by what its sender needn't know: that costs it time. */
		peer_charge(peer,
			    peer_message_find(PEER_MSG_COMPACTBLOCK)->cost + peer->rebuilding->len,
			    peer->rebuilding->len);
		drop(peer);
		fetch_release(core, &id);
		if (strcmp(reply->verdict, "header-parent-unknown") == 0)
			sync_ask(peer);
	} else if (reply->ambiguous || (reply->missing && peer->rebuilding->missing)) {
		fall_back(peer);
	} else if (reply->missing) {
		ask_missing(peer, reply);
	} else {
		now_whole(peer, reply);
	}
}

static void on_rebuilt(void *arg, const struct rc_reply *why, const struct rc_rebuild *reply)
{
	struct rebuild_call *call = arg;
	struct peerd *core = call->core;
	struct peer *peer = core_peer(core, call->peer);
	bool here = peer && peer->rebuilding && peer->rebuilding->number == call->number;
	bool whole = reply && strcmp(reply->verdict_class, "ok") == 0 && !reply->ambiguous &&
		     !reply->missing;
	char hex[RC_ID_HEX];

	core_enter(core);
	if (reply && !rc_block_id_is_zero(&reply->block.id))
		sync_chain_best(core, &reply->block);
	if (reply && here) {
		judge(peer, reply);
	} else if (!whole && why->err != RC_ECANCELLED) {
		if (!reply)
			rc_log(RC_LOG_DEBUG, "compact block %s was not taken: %s",
			       rc_block_id_hex(hex, &call->id), rc_err_text(why->err));
		if (here)
			drop(peer);
		/* Whatever it was: whole, it is asked for in another way. */
		seen_add(&core->ambiguous, call->id.b);
		fetch_release(core, &call->id);
	}
	if (whole) {
		RC_TEST_POINT(PEERD_REBUILT);
		announce_arrived(core, &call->id);
		serve_block_stored(core, &call->id);
	}
	core_leave(core);
	free(call);
}

static void rebuild(struct peer *peer, struct rc_bytes txs)
{
	struct peerd *core = peer->core;
	struct rebuilding *r = peer->rebuilding;
	struct rebuild_call *call = rc_alloc(sizeof(*call));

	*call = (struct rebuild_call){core, peer->id, r->number, r->id};
	core->out.chain->rebuild(core->out.chain_ctx, peer->id, (struct rc_bytes){r->raw, r->len},
				 (struct rc_bytes){r->places, r->places_len}, txs, on_rebuilt,
				 call);
	RC_TEST_POINT(PEERD_REBUILD);
}

/* Each has a clock elsewhere: blocks asked of a peer, questions to chaind. Should one outlive both,
 * it keeps nobody else's out. */
static void drop_old(struct peerd *core)
{
	for (struct peer *p = core->peers; core->n_rebuilding && p; p = p->hh.next) {
		if (p->rebuilding && core_now(core) - p->rebuilding->since > IN_HAND_MOST)
			drop(p);
	}
}

/* Somebody's compact block of this id is in hand. */
static bool in_hand(const struct peerd *core, const struct rc_block_id *id)
{
	for (const struct peer *p = core->peers; core->n_rebuilding && p; p = p->hh.next) {
		if (p->rebuilding && rc_block_id_eq(&p->rebuilding->id, id))
			return true;
	}
	return false;
}

void compact_on_block(struct peer *peer, struct rc_bytes raw)
{
	struct peerd *core = peer->core;
	const struct peer_message_info *info = peer_message_find(PEER_MSG_COMPACTBLOCK);
	struct rc_compact compact;
	struct rebuilding *r;
	enum rc_verdict verdict;
	bool asked;

	if (!rc_compact_decode(raw.data, raw.len, core->network->params.block_limit, &core->arena,
			       &compact)) {
		peer_penalise(peer, "compact-form", NULL);
		return;
	}
	verdict = rc_header_check_alone(core->network, &compact.header, &compact.id);
	if (verdict != RC_VERDICT_OK) {
		peer_penalise(peer, rc_verdict_name(verdict), NULL);
		return;
	}
	drop_old(core);
	seen_add(&peer->known_blocks, compact.id.b);
	asked = fetch_take(peer, &compact.id);
	if (seen_has(&core->ambiguous, compact.id.b) ||
	    (!asked && (!is_announcer(peer) || core_in_download(core) || peer->rebuilding ||
			core->n_rebuilding >= REBUILDING_MAX || in_hand(core, &compact.id) ||
			seen_has(&core->arrived, compact.id.b)))) {
		/* Late, twice, or one too many: honest, and of no use. Where it was asked for, it
		 * was for the whole block. */
		peer_charge(peer, info->cost + raw.len, raw.len);
		if (asked)
			fetch_not_given(peer, &compact.id);
		else if (!seen_has(&core->arrived, compact.id.b))
			sync_on_header(peer, raw.data); /* else nobody tells of the block again */
		return;
	}
	if (in_hand(core, &compact.id) || peer->rebuilding ||
	    core->n_rebuilding >= REBUILDING_MAX) {
		/* It was asked for, and must come by some way: chaind's lease alone wakes nobody.
		 */
		fetch_whole(peer, &compact.id, compact.header.height);
		return;
	}
	core_count(core, PEERD_COMPACT_BYTES, raw.len);
	r = rc_alloc(sizeof(*r));
	r->id = compact.id;
	r->height = compact.header.height;
	r->number = ++core->last_rebuilding;
	r->since = core_now(core);
	r->raw = rc_memdup(raw.data, raw.len);
	r->len = raw.len;
	peer->rebuilding = r;
	core->n_rebuilding++;
	rebuild(peer, (struct rc_bytes){NULL, 0});
}

/* So many transactions, one after another, and nothing after them. */
static bool are_txs(struct peer *peer, const ProtobufCBinaryData *data, uint32_t n)
{
	struct rc_reader r = rc_reader_of(data->data, data->len);

	for (; n > 0 && !r.failed; n--) {
		struct rc_tx tx;

		rc_tx_read(&r, &peer->core->arena, &tx);
	}
	return rc_reader_end(&r);
}

void compact_on_blocktxn(struct peer *peer, const void *body)
{
	const Rc__P2p__BlockTxn *m = body;
	const struct peer_message_info *info = peer_message_find(PEER_MSG_BLOCKTXN);
	struct rebuilding *r = peer->rebuilding;
	bool asked = r && r->waiting && m->block.len == sizeof(r->id.b) &&
		     memcmp(m->block.data, r->id.b, sizeof(r->id.b)) == 0;
	bool fits = asked && are_txs(peer, &m->transactions, r->missing);
	struct rc_block_id id;

	if (!asked || (!fits && peer->txns_given_up)) {
		/* Never asked for, or late: the same block may have been begun anew since then,
		 * with fewer or more of it in the pool. */
		peer->txns_given_up -= peer->txns_given_up > 0;
		peer_charge(peer, info->cost + m->transactions.len, m->transactions.len);
		return;
	}
	id = r->id;
	fetch_take(peer, &id);
	if (!fits) {
		r->waiting = false;
		drop(peer);
		fetch_release(peer->core, &id);
		peer_penalise(peer, "compact-form", NULL);
		return;
	}
	core_count(peer->core, PEERD_COMPACT_BYTES, m->transactions.len);
	r->waiting = false;
	rebuild(peer, (struct rc_bytes){m->transactions.data, m->transactions.len});
}

/* ---- life ---- */

void compact_init(struct peerd *core)
{
	seen_init(&core->ambiguous, core->hash_k0, core->hash_k1, AMBIGUOUS_KNOWN);
}

void compact_done(struct peerd *core)
{
	seen_done(&core->ambiguous);
}
