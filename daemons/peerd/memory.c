/*
 * What links hold in memory (memory.def): each, the inbound ones of a network group, and all. Where
 * a group holds too much its links are read and served later, so that they hold no more; who then
 * neither takes nor sends ends. What is counted is what is there, looked at when it is needed:
 * there are no books to keep.
 */
#include "base/log.h"
#include "base/num.h"
#include "daemons/peerd/peerd.h"

const struct memory_limit memory_limits[MEMORIES] = {
#define MEMORY(NAME, name, group, all, what) {group, all},
#include "daemons/peerd/memory.def"
#undef MEMORY
};

/* ---- counting ---- */

size_t memory_of(const struct peer *peer, enum memory_kind kind)
{
	size_t bytes = 0;

	switch (kind) {
	case MEMORY_HALF:
		for (unsigned i = 0; i < RC_LINK_STREAMS; i++)
			bytes += peer->half[i].bytes;
		break;
	case MEMORY_CHAIN:
		bytes = peer->chain_bytes + peer->tx_batch.len + compact_held(peer);
		if (peer->held_block)
			bytes += peer->held_len;
		break;
	case MEMORY_OUT:
		bytes = peer_queued(peer) + serve_held(peer) + peer->inv_cap * 32;
		break;
	case MEMORIES:
		break;
	}
	return bytes;
}

static size_t taken_in(const struct peer *peer)
{
	return memory_of(peer, MEMORY_HALF) + memory_of(peer, MEMORY_CHAIN);
}

static int64_t began(const struct peer *peer)
{
	int64_t since = INT64_MAX;

	for (unsigned i = 0; i < RC_LINK_STREAMS; i++) {
		if (peer->half[i].bytes && peer->half[i].since < since)
			since = peer->half[i].since;
	}
	return since;
}

/* Whether this node asked it for blocks, or for the rest of one. */
static bool is_asked(const struct peer *peer)
{
	return peer->rebuilding || inflight_count(&peer->core->inflight, peer->id) > 0;
}

/* Of those that could go on if they were read: one that was asked first of all, then whose half
 * message began first. */
static void note_turn(struct peer_group *g, struct peer *peer)
{
	bool asked, before;

	if (memory_of(peer, MEMORY_HALF) == 0 || taken_in(peer) <= MEMORY_FREE ||
	    (peer->pauses & ~(unsigned)PEER_PAUSE_MEMORY))
		return;
	asked = is_asked(peer);
	before = g->turn && is_asked(g->turn);
	if (!g->turn || (asked && !before) || (asked == before && began(peer) < began(g->turn)))
		g->turn = peer;
}

void memory_count(struct peerd *core)
{
	for (unsigned kind = 0; kind < MEMORIES; kind++)
		core->held[kind] = 0;
	for (struct peer *p = core->peers; p; p = p->hh.next) {
		if (!p->group)
			continue;
		for (unsigned kind = 0; kind < MEMORIES; kind++)
			p->group->held[kind] = 0;
		p->group->turn = NULL;
	}
	for (struct peer *p = core->peers; p; p = p->hh.next) {
		for (unsigned kind = 0; kind < MEMORIES; kind++) {
			size_t bytes = memory_of(p, kind);

			core->held[kind] += bytes;
			if (p->group)
				p->group->held[kind] += bytes;
		}
		if (p->group)
			note_turn(p->group, p);
	}
}

size_t memory_group_most(const struct peerd *core, enum memory_kind kind)
{
	return rc_max_u64(core->opt.memory[kind].group,
			  UINT64_C(2) * core->network->params.block_limit);
}

size_t memory_left(const struct peer *peer, enum memory_kind kind)
{
	size_t most = memory_group_most(peer->core, kind);
	size_t held = peer->group ? peer->group->held[kind] : memory_of(peer, kind);

	return held < most ? most - held : 0;
}

size_t memory_left_all(const struct peerd *core, enum memory_kind kind)
{
	size_t most = core->opt.memory[kind].all;

	return core->held[kind] < most ? most - core->held[kind] : 0;
}

/* ---- what follows ---- */

void memory_drop(struct peer *peer, const char *why)
{
	core_count(peer->core, PEERD_MEMORY_ENDED, 1);
	peer_drop(peer, "%s, while memory is wanted", why);
}

/* Whether a link isn't read for now: only one that holds more than every link may. */
static bool waits(const struct peer *peer)
{
	/* Whom we dialled is asked for what it gives. */
	if (!peer->group || !peer->link)
		return false;
	if (memory_left(peer, MEMORY_OUT) == 0 &&
	    rc_link_queued(peer->link, RC_LINK_CONTROL) > MEMORY_FREE)
		return true;
	if (taken_in(peer) <= MEMORY_FREE)
		return false;
	if (memory_left(peer, MEMORY_CHAIN) == 0 || memory_left_all(peer->core, MEMORY_CHAIN) == 0)
		return true; /* until chaind has taken some */
	/* Until others are complete: one of them goes on, or none ever were. */
	return memory_left(peer, MEMORY_HALF) == 0 && peer != peer->group->turn;
}

static void tell(struct peer *peer)
{
	struct peer_group *g = peer->group;
	char addr[NET_ADDR_TEXT];
	bool full = false, low = true;

	if (!g)
		return;
	for (unsigned kind = 0; kind < MEMORIES; kind++) {
		size_t left = memory_left(peer, kind);

		full = full || left == 0;
		low = low && left > memory_group_most(peer->core, kind) / 2;
	}
	if (full && !g->memory_told)
		rc_log(RC_LOG_INFO,
		       "the network group of %s holds too much memory (half %zu, chain %zu, out "
		       "%zu bytes): its links are read and served later",
		       net_addr_format(addr, &peer->addr), g->held[MEMORY_HALF],
		       g->held[MEMORY_CHAIN], g->held[MEMORY_OUT]);
	g->memory_told = full || (g->memory_told && !low);
}

void memory_settle(struct peerd *core)
{
	memory_count(core);
	core->memory_waits = false;
	for (struct peer *p = core->peers; p; p = p->hh.next) {
		bool wait = waits(p);

		tell(p);
		if (wait && !(p->pauses & PEER_PAUSE_MEMORY))
			core_count(core, PEERD_MEMORY_WAITS, 1);
		peer_pause(p, PEER_PAUSE_MEMORY, wait);
		core->memory_waits = core->memory_waits || wait;
	}
}

/* Notes what its streams hold of messages that aren't complete, and since when. */
static void note_halves(struct peer *peer)
{
	for (unsigned i = 0; i < RC_LINK_STREAMS; i++) {
		struct half_message *half = &peer->half[i];
		uint64_t number;

		half->bytes = rc_link_half_received(peer->link, (enum rc_link_stream)i, &number);
		if (number != half->number) {
			half->since = core_now(peer->core);
			half->read = 0;
		}
		half->number = number;
	}
}

/*
 * Beyond the bound of half messages of all links the one that began first goes, of those who came
 * to us if there is one: who sends at a useful speed has ended by then. Who waits for chaind can't
 * end, and isn't chosen.
 */
static void bound_halves(struct peerd *core)
{
	struct peer *victim = NULL;
	size_t total = 0;

	for (struct peer *p = core->peers; p; p = p->hh.next) {
		bool inbound = p->role == PEER_INBOUND;
		bool before = victim && victim->role == PEER_INBOUND;

		total += memory_of(p, MEMORY_HALF);
		if (memory_of(p, MEMORY_HALF) == 0 ||
		    (p->pauses & (PEER_PAUSE_HELD | PEER_PAUSE_TXS)))
			continue;
		if (!victim || (inbound && !before) ||
		    (inbound == before && began(p) < began(victim)))
			victim = p;
	}
	if (total > core->opt.memory[MEMORY_HALF].all && victim)
		memory_drop(victim, "half a message for too long");
}

void memory_fed(struct peer *peer)
{
	struct peerd *core = peer->core;

	if (peer->dead)
		return;
	note_halves(peer);
	bound_halves(core);
	/* Nobody else holds more than before. */
	if (!peer->dead && (taken_in(peer) > MEMORY_FREE ||
			    rc_link_queued(peer->link, RC_LINK_CONTROL) > MEMORY_FREE))
		memory_settle(core);
}

/* Whose turn it is, and doesn't go on, keeps the others of its group waiting. */
static void tend_turn(struct peer_group *g, int64_t now)
{
	struct peer *peer = g->turn;
	uint64_t in = peer ? rc_link_bytes_in(peer->link) : 0;

	if (peer && memory_left(peer, MEMORY_HALF) == 0 && !peer->pauses &&
	    g->turn_id == peer->id && in - g->turn_mark < MEMORY_SLOW_BYTES) {
		if (now - g->turn_at >= MEMORY_SLOW_AFTER)
			memory_drop(peer, "half a message for too long");
		return;
	}
	g->turn_id = peer ? peer->id : 0;
	g->turn_mark = in;
	g->turn_at = now;
}

/* Adds the time it was read to its half messages; whether one of them took too long. */
static bool too_long(struct peer *peer, int64_t passed)
{
	int64_t most =
		rc_max_u64(MEMORY_HALF_AFTER, (uint64_t)peer->core->network->params.block_limit *
						      PEERD_SECOND / MEMORY_HALF_SPEED);
	bool late = false;

	for (unsigned i = 0; i < RC_LINK_STREAMS; i++) {
		if (!peer->half[i].bytes)
			continue;
		peer->half[i].read += passed;
		late = late || peer->half[i].read >= most;
	}
	return late;
}

/* While a group is at its bound each half message has its time, and no more of them end than must:
 * else those that come in drops, or are too small to wait for a turn, would hold it there. Not to
 * be read isn't a link's fault. */
static void tend_halves(struct peerd *core, int64_t now)
{
	int64_t passed = rc_min_u64(now - core->halves_at, PEERD_SECOND);
	struct peer *p, *next;

	core->halves_at = now;
	HASH_ITER (hh, core->peers, p, next) {
		if (p->dead || !p->group || p->pauses || memory_left(p, MEMORY_HALF) > 0 ||
		    !too_long(p, passed))
			continue;
		memory_drop(p, "half a message for too long");
		memory_count(core);
	}
}

void memory_check_times(struct peerd *core, int64_t now)
{
	memory_count(core);
	tend_halves(core, now);
	memory_settle(core);
	for (struct peer_group *g = core->groups; g; g = g->hh.next) {
		if (g->links == 0)
			g->turn = NULL;
		tend_turn(g, now);
	}
}
