/*
 * Whom we are linked to: slots for full and block-only links in distinct network groups, links that
 * operators asked for, which inbound connections are taken.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "crypto/siphash.h"
#include "daemons/peerd/evict.h"
#include "daemons/peerd/peerd.h"

/* How often missing links are looked after: quick enough that 1 s retries are 1 s. */
#define CONNECT_TICK (500 * PEERD_MS)
/* Connections begun at a time, beside those that are up. */
#define DIALS_AT_ONCE 8
/* Draws from the book for one slot; a book with few usable ones isn't turned over for ever. */
#define DRAWS 50
/* Addresses remembered as failing; the oldest is forgotten. */
#define BACKOFFS_MAX 1024
/* An address that never answered is left for up to this long. */
#define COLD_RETRY_MAX (600 * PEERD_SECOND)
/* Where no address can be reached, as with a proxy that is down or without a network, the next
 * dials wait 1, 2, 4 … this: it is near, and nothing is learned of the addresses. */
#define WAY_RETRY_MAX (10 * PEERD_SECOND)
/* Who answered at an operator's address is believed to be there for so long: another machine may
 * have come in its place. */
#define MET_FOR (3600 * PEERD_SECOND)
/* The mean time between feelers: of a full table of new addresses (65,536) each is tried once in
 * three months, and of those near by in the book, most in days (Bitcoin Core's figure). */
#define FEELER_GAP (120 * PEERD_SECOND)

unsigned connect_count(const struct peerd *core, enum peer_role role, bool ready_only)
{
	unsigned n = 0;

	for (const struct peer *p = core->peers; p; p = p->hh.next)
		n += p->role == role && (!ready_only || p->state == PEER_READY);
	return n;
}

/* ---- when an address may be dialled again ---- */

static struct backoff *backoff_find(struct peerd *core, const struct net_addr *addr)
{
	struct backoff *b;
	uint8_t name[18];

	book_name(addr, name);
	HASH_FIND(hh, core->backoffs, name, sizeof(name), b);
	return b;
}

static void backoff_free(struct peerd *core, struct backoff *b)
{
	HASH_DEL(core->backoffs, b);
	free(b);
}

static int64_t retry_after(unsigned failures, int64_t most)
{
	int64_t wait = PEERD_SECOND << (failures < 20 ? failures : 20);

	return wait < most ? wait : most;
}

static void backoff_add(struct peerd *core, const struct net_addr *addr, bool was_linked)
{
	struct backoff *b = backoff_find(core, addr);

	if (!b) {
		if (HASH_COUNT(core->backoffs) >= BACKOFFS_MAX)
			backoff_free(core, core->backoffs);
		b = rc_alloc(sizeof(*b));
		b->addr = *addr;
		book_name(addr, b->name);
		HASH_ADD(hh, core->backoffs, name, sizeof(b->name), b);
	}
	if (was_linked) {
		b->was_linked = true;
		b->failures = 0;
	}
	b->next_at =
		core_now(core) +
		retry_after(b->failures, b->was_linked ? core->opt.retry_max_us : COLD_RETRY_MAX);
	b->failures++;
}

/* ---- who may be dialled ---- */

static bool is_own(const struct peerd *core, const struct net_addr *addr)
{
	for (size_t i = 0; i < core->n_own; i++) {
		if (net_addr_eq(&core->own[i], addr))
			return true;
	}
	for (size_t i = 0; i < core->opt.n_external; i++) {
		if (net_addr_eq(&core->opt.external[i], addr))
			return true;
	}
	return false;
}

/* Where a peer listens: the address we dialled, or its hello's port. */
static bool listens_at(const struct peer *peer, const struct net_addr *addr)
{
	if (!net_addr_ip_eq(&peer->addr, addr))
		return false;
	return peer->role == PEER_INBOUND ? peer->listen_port == addr->port
					  : peer->addr.port == addr->port;
}

/*
 * Linked already, at this address or (key: of who is there, NULL: unknown) at another one. An
 * inbound link counts on private networks only, where it saves the second link of two nodes that
 * know each other; elsewhere who dials us doesn't choose whom we dial.
 */
static bool is_linked(const struct peerd *core, const struct net_addr *addr, const uint8_t *key)
{
	for (const struct peer *p = core->peers; p; p = p->hh.next) {
		if (p->role == PEER_INBOUND && net_addr_class(addr) == NET_PUBLIC)
			continue;
		if (listens_at(p, addr) ||
		    (key && p->state == PEER_READY &&
		     memcmp(rc_link_remote_key(p->link), key, RC_LINK_KEY_SIZE) == 0))
			return true;
	}
	return false;
}

static bool group_taken(const struct peerd *core, const struct net_addr *addr)
{
	struct net_group group = net_addr_group(addr), other;

	for (const struct peer *p = core->peers; p; p = p->hh.next) {
		if (p->role != PEER_OUTBOUND && p->role != PEER_BLOCK_ONLY)
			continue;
		other = net_addr_group(&p->addr);
		if (net_group_eq(&group, &other))
			return true;
	}
	return false;
}

static bool may_dial(struct peerd *core, enum peer_role role, const struct net_addr *addr)
{
	const struct backoff *b = backoff_find(core, addr);
	const struct book_entry *e = book_find(core->book, addr);
	int64_t now = core_now(core);

	if (b && b->next_at > now)
		return false;
	/* A key that was only told might keep us from an honest node. */
	if (is_linked(core, addr, e && e->tried && e->has_key ? e->key : NULL))
		return false;
	if (role != PEER_FEELER && group_taken(core, addr))
		return false;
	return !is_own(core, addr) && !bans_has(&core->bans, addr, core_time(core)) &&
	       !discouraged_has(core->discouraged, addr, now / PEERD_SECOND);
}

static void manual_cut(struct peerd *core, size_t i)
{
	core->n_manual--;
	memmove(core->manual + i, core->manual + i + 1,
		(core->n_manual - i) * sizeof(*core->manual));
}

/* Its link ended, or never came to be: later again, or never. */
static void manual_lost(struct peerd *core, struct manual *manual, bool was_linked)
{
	manual->peer = 0;
	if (manual->once) {
		manual_cut(core, (size_t)(manual - core->manual));
		return;
	}
	if (was_linked)
		manual->failures = 0;
	manual->next_at = core_now(core) + retry_after(manual->failures, core->opt.retry_max_us);
	manual->failures++;
}

/* The way to all addresses failed a moment ago. */
static bool way_closed(const struct peerd *core)
{
	return core_now(core) < core->way_again_at;
}

static void dial(struct peerd *core, enum peer_role role, const struct net_endpoint *endpoint,
		 struct manual *manual)
{
	struct peer *peer;

	peer = peer_dial(core, role, endpoint);
	if (manual && peer)
		manual->peer = peer->id;
	else if (manual && (manual->once || !way_closed(core)))
		manual_lost(core, manual, false);
}

static void dial_entry(struct peerd *core, enum peer_role role, const struct book_entry *e)
{
	struct net_endpoint endpoint = {.addr = e->addr, .has_key = e->has_key};

	memcpy(endpoint.key, e->key, RC_LINK_KEY_SIZE);
	dial(core, role, &endpoint, NULL);
}

/* Lost links first, as soon as their wait is over; then a draw from the book. */
static bool fill_slot(struct peerd *core, enum peer_role role)
{
	const struct book_entry *e;
	struct backoff *b;

	for (b = core->backoffs; b; b = b->hh.next) {
		e = b->was_linked ? book_find(core->book, &b->addr) : NULL;
		if (e && may_dial(core, role, &b->addr))
			goto found;
	}
	for (unsigned i = 0; i < DRAWS; i++) {
		e = book_select(core->book, core_time(core));
		if (!e)
			return false;
		if (may_dial(core, role, &e->addr))
			goto found;
	}
	return false;
found:
	dial_entry(core, role, e);
	return true;
}

static unsigned dialling(const struct peerd *core)
{
	unsigned n = 0;

	for (const struct peer *p = core->peers; p; p = p->hh.next)
		n += p->role != PEER_INBOUND && p->state != PEER_READY;
	return n;
}

static void fill_slots(struct peerd *core, enum peer_role role, unsigned target)
{
	unsigned have = connect_count(core, role, false);

	while (have < target && dialling(core) < DIALS_AT_ONCE && !way_closed(core) &&
	       fill_slot(core, role))
		have++;
}

/* Those of an earlier life come before anything the book says, each once. */
static void dial_anchors(struct peerd *core)
{
	while (core->to_anchor.n > 0 && !way_closed(core)) {
		struct net_endpoint e = core->to_anchor.list[0];

		core->to_anchor.n--;
		memmove(core->to_anchor.list, core->to_anchor.list + 1,
			core->to_anchor.n * sizeof(e));
		if (connect_count(core, PEER_BLOCK_ONLY, false) < core->opt.block_only &&
		    book_accepts(core->book, &e.addr) && may_dial(core, PEER_BLOCK_ONLY, &e.addr))
			dial(core, PEER_BLOCK_ONLY, &e, NULL);
	}
}

/*
 * With all slots filled nothing else would tell which of the addresses heard of are there: one is
 * dialled now and then, greeted and left. So the table of tried ones, from which lost links are
 * replaced, grows by addresses that this node chose itself.
 */
static void on_feeler(void *arg)
{
	struct peerd *core = arg;

	timer_arm(&core->timers, &core->feeler_timer,
		  core_now(core) + core_delay(core, FEELER_GAP));
	if (!core->active || core->stopping || core->opt.n_connect || core->opt.outbound == 0 ||
	    way_closed(core) || connect_count(core, PEER_OUTBOUND, true) < core->opt.outbound ||
	    connect_count(core, PEER_FEELER, false) > 0)
		return;
	for (unsigned i = 0; i < DRAWS; i++) {
		const struct book_entry *e = book_select_new(core->book, core_time(core));

		if (!e)
			return;
		if (!may_dial(core, PEER_FEELER, &e->addr))
			continue;
		core_count(core, PEERD_FEELERS, 1);
		dial_entry(core, PEER_FEELER, e);
		return;
	}
}

static void tend_manual(struct peerd *core)
{
	int64_t now = core_now(core);

	/* From the end, since a dial that fails at once may cut its entry. */
	for (size_t i = core->n_manual; i > 0 && !way_closed(core); i--) {
		struct manual *m = &core->manual[i - 1];

		if (m->peer || m->next_at > now || is_own(core, &m->endpoint.addr) ||
		    is_linked(core, &m->endpoint.addr, m->met_until > now ? m->met_key : NULL))
			continue;
		dial(core, PEER_MANUAL, &m->endpoint, m);
	}
}

static void on_connect(void *arg)
{
	struct peerd *core = arg;

	if (!core->active || core->stopping)
		return;
	if (way_closed(core)) {
		timer_arm(&core->timers, &core->connect_timer, core->way_again_at);
		return;
	}
	tend_manual(core);
	if (core->opt.n_connect == 0) {
		dial_anchors(core);
		/* Then links that carry blocks and transactions both. */
		fill_slots(core, PEER_OUTBOUND, core->opt.outbound + core->one_more);
		if (connect_count(core, PEER_OUTBOUND, true) >= core->opt.outbound)
			fill_slots(core, PEER_BLOCK_ONLY, core->opt.block_only);
	}
	timer_arm_by(&core->timers, &core->connect_timer, core_now(core) + CONNECT_TICK);
}

void connect_soon(struct peerd *core)
{
	if (core->active && !core->stopping)
		timer_arm_by(&core->timers, &core->connect_timer, core_now(core));
}

static void hear_seeds(struct peerd *core)
{
	for (size_t i = 0; i < core->opt.n_seeds; i++) {
		struct book_hearsay heard = {
			.endpoint = core->opt.seeds[i],
			.services = PEER_SERVICE_BLOCKS,
			.time = core_time(core),
		};

		book_add(core->book, &heard, &core->opt.seeds[i].addr, 0, core_time(core));
	}
}

static void manual_add(struct peerd *core, const struct net_endpoint *endpoint, bool once)
{
	core->manual = rc_realloc_array(core->manual, core->n_manual + 1, sizeof(*core->manual));
	core->manual[core->n_manual++] = (struct manual){.endpoint = *endpoint, .once = once};
}

void connect_init(struct peerd *core)
{
	timer_init(&core->connect_timer, on_connect, core);
	timer_init(&core->feeler_timer, on_feeler, core);
	timer_arm(&core->timers, &core->feeler_timer,
		  core_now(core) + core_delay(core, FEELER_GAP));
	for (size_t i = 0; i < core->opt.n_connect; i++)
		manual_add(core, &core->opt.connect[i], false);
	for (size_t i = 0; i < core->opt.n_addnode; i++)
		manual_add(core, &core->opt.addnode[i], false);
	hear_seeds(core);
}

void connect_done(struct peerd *core)
{
	struct backoff *b, *next;

	HASH_ITER (hh, core->backoffs, b, next)
		backoff_free(core, b);
	free(core->manual);
	core->manual = NULL;
}

/* ---- inbound ---- */

/* All inbound slots are in use: one link ends, or none (evict.h). */
static bool make_room(struct peerd *core)
{
	RC_AUTOFREE struct evict_candidate *list =
		rc_alloc_array(HASH_COUNT(core->peers), sizeof(*list));
	struct peer *victim;
	uint64_t id;
	size_t n = 0;

	for (const struct peer *p = core->peers; p; p = p->hh.next) {
		struct net_group group = net_addr_group(&p->addr);

		if (p->role != PEER_INBOUND)
			continue;
		list[n++] = (struct evict_candidate){
			.peer = p->id,
			.group = rc_siphash(core->hash_k0, core->hash_k1, group.b, group.len),
			.since = p->since,
			.tx_at = p->tx_at,
			.block_at = p->block_at,
			.ping_us = p->ping_best_us,
			.block_only = p->state == PEER_READY && !p->relay,
			.discouraged = discouraged_has(core->discouraged, &p->addr,
						       core_now(core) / PEERD_SECOND),
		};
	}
	id = evict_choose(list, n);
	if (id == 0)
		return false;
	victim = core_peer(core, id);
	core_count(core, PEERD_EVICTED, 1);
	peer_drop(victim, "its slot is needed");
	return true;
}

bool connect_may_accept(struct peerd *core, const struct net_addr *addr)
{
	struct net_group group = net_addr_group(addr), other;
	unsigned inbound = 0, unready = 0, unready_group = 0;
	bool loopback = net_addr_class(addr) == NET_LOOPBACK;

	if (!core->active || core->stopping || bans_has(&core->bans, addr, core_time(core)))
		return false;
	for (const struct peer *p = core->peers; p; p = p->hh.next) {
		if (p->role != PEER_INBOUND)
			continue;
		inbound++;
		if (p->state == PEER_READY)
			continue;
		unready++;
		other = net_addr_group(&p->addr);
		/* On loopback each port is a group: there the address counts. */
		unready_group +=
			loopback ? net_addr_ip_eq(&p->addr, addr) : net_group_eq(&group, &other);
	}
	if (unready >= core->opt.handshakes_max ||
	    unready_group >= core->opt.handshakes_per_group_max || charge_group_over(core, addr))
		return false;
	if (inbound < core->opt.max_inbound)
		return true;
	return !discouraged_has(core->discouraged, addr, core_now(core) / PEERD_SECOND) &&
	       make_room(core);
}

/* ---- what became of a link ---- */

static struct manual *manual_of(struct peerd *core, uint64_t peer)
{
	for (size_t i = 0; i < core->n_manual; i++) {
		if (core->manual[i].peer == peer)
			return &core->manual[i];
	}
	return NULL;
}

/*
 * Two nodes of a private network that dialled each other at once: the link of the lower key stays,
 * which both sides see alike. Elsewhere links in both directions are as good as any.
 */
static bool drop_double(struct peer *peer)
{
	struct peerd *core = peer->core;
	const uint8_t *key = rc_link_remote_key(peer->link);
	bool ours_lower = memcmp(core->link_key, key, RC_LINK_KEY_SIZE) < 0;
	struct peer *other, *next;

	if (net_addr_class(&peer->addr) == NET_PUBLIC)
		return false;
	HASH_ITER (hh, core->peers, other, next) {
		if (other->state != PEER_READY || other == peer ||
		    (other->role == PEER_INBOUND) == (peer->role == PEER_INBOUND) ||
		    memcmp(rc_link_remote_key(other->link), key, RC_LINK_KEY_SIZE) != 0)
			continue;
		if ((peer->role == PEER_INBOUND) == ours_lower) {
			peer_drop(peer, "there is a link to this node already");
			return true;
		}
		peer_drop(other, "there is a link to this node already");
	}
	return false;
}

void connect_met(struct peer *peer, const struct rc_link *link)
{
	struct peerd *core = peer->core;
	struct net_endpoint endpoint = {.addr = peer->addr, .has_key = true};
	const struct book_entry *e = book_find(core->book, &peer->addr);
	struct manual *manual = manual_of(core, peer->id);

	memcpy(endpoint.key, rc_link_remote_key(link), RC_LINK_KEY_SIZE);
	if (manual) {
		manual->met_until = core_now(core) + MET_FOR;
		memcpy(manual->met_key, endpoint.key, RC_LINK_KEY_SIZE);
	}
	if (e)
		book_good(core->book, &endpoint, e->services, core_time(core));
}

void connect_ready(struct peer *peer)
{
	struct peerd *core = peer->core;
	struct net_endpoint endpoint = {.addr = peer->addr, .has_key = true};
	struct manual *manual = manual_of(core, peer->id);
	struct backoff *b;
	char addr[NET_ADDR_TEXT];

	if (drop_double(peer))
		return;
	net_addr_format(addr, &peer->addr);
	rc_log(RC_LOG_INFO, "peer %llu %s (%s): linked by %s, height %u, %s",
	       (unsigned long long)peer->id, addr, peer_role_name(peer->role),
	       rc_link_pattern(peer->link) == RC_LINK_XK ? "noise-xk" : "noise-xx",
	       peer->start_height, peer->user_agent);
	if (core->out.on_link)
		core->out.on_link(core->out.ctx, peer->id, addr, true, peer_role_name(peer->role));
	if (peer->role == PEER_INBOUND)
		return;
	memcpy(endpoint.key, rc_link_remote_key(peer->link), RC_LINK_KEY_SIZE);
	if (manual) {
		struct book_hearsay heard = {endpoint, peer->services, core_time(core)};

		manual->failures = 0;
		book_add(core->book, &heard, &peer->addr, 0, core_time(core));
	}
	book_good(core->book, &endpoint, peer->services, core_time(core));
	b = backoff_find(core, &peer->addr);
	if (b)
		backoff_free(core, b);
	connect_soon(core);
}

void connect_felt(struct peer *peer)
{
	struct peerd *core = peer->core;
	struct net_endpoint endpoint = {.addr = peer->addr, .has_key = true};

	memcpy(endpoint.key, rc_link_remote_key(peer->link), RC_LINK_KEY_SIZE);
	book_good(core->book, &endpoint, peer->services, core_time(core));
	core_count(core, PEERD_FEELERS_ANSWERED, 1);
	peer_drop(peer, "it was only asked whether it is there");
}

bool connect_keep_anchors(struct peerd *core)
{
	struct anchors now = {0};
	struct net_endpoint e = {.has_key = true};
	bool changed;

	/* In the order of linking. */
	for (const struct peer *p = core->peers; p; p = p->hh.next) {
		if (p->role != PEER_BLOCK_ONLY || p->state != PEER_READY)
			continue;
		e.addr = p->addr;
		memcpy(e.key, rc_link_remote_key(p->link), RC_LINK_KEY_SIZE);
		anchors_add(&now, &e);
	}
	/* Where links were just lost, all perhaps, those before are better than none. */
	for (size_t i = 0; i < core->anchors.n; i++) {
		const struct net_addr *addr = &core->anchors.list[i].addr;

		if (!bans_has(&core->bans, addr, core_time(core)) &&
		    !discouraged_has(core->discouraged, addr, core_now(core) / PEERD_SECOND))
			anchors_add(&now, &core->anchors.list[i]);
	}
	changed = now.n != core->anchors.n;
	for (size_t i = 0; i < now.n && !changed; i++)
		changed = !net_addr_eq(&now.list[i].addr, &core->anchors.list[i].addr) ||
			  memcmp(now.list[i].key, core->anchors.list[i].key, RC_LINK_KEY_SIZE) != 0;
	core->anchors = now;
	return changed;
}

void connect_reached(struct peer *peer)
{
	struct peerd *core = peer->core;

	book_attempt(core->book, &peer->addr, core_time(core));
	core->way_failures = 0;
	core->way_again_at = 0;
}

/* It is as if the address had never been dialled; an anchor is dialled again before others. */
static void no_way(struct peer *peer, struct manual *manual)
{
	struct peerd *core = peer->core;
	int64_t now = core_now(core), most = core->opt.retry_max_us;

	for (size_t i = 0; i < core->anchors.n; i++) {
		if (peer->role == PEER_BLOCK_ONLY &&
		    net_addr_eq(&core->anchors.list[i].addr, &peer->addr))
			anchors_add(&core->to_anchor, &core->anchors.list[i]);
	}
	if (manual)
		manual->peer = 0;
	if (manual && manual->once)
		manual_cut(core, (size_t)(manual - core->manual));
	/* Dials that were on their way together fail together: that is once. */
	if (now >= core->way_again_at)
		core->way_again_at = now + retry_after(core->way_failures++,
						       most < WAY_RETRY_MAX ? most : WAY_RETRY_MAX);
	timer_arm_by(&core->timers, &core->connect_timer, core->way_again_at);
}

void connect_lost(struct peer *peer)
{
	struct peerd *core = peer->core;
	struct manual *manual = manual_of(core, peer->id);

	if (core->stopping)
		return;
	if (peer->state == PEER_CONNECTING)
		core_count(core, PEERD_DIAL_FAILED, 1);
	if (peer->role == PEER_INBOUND)
		return;
	if (peer->no_way) {
		no_way(peer, manual);
		return;
	}
	if (peer->state == PEER_CONNECTING)
		connect_reached(peer);
	if (!peer->answered) {
		book_failed(core->book, &peer->addr);
		/* Silence in the handshake may be another key than we were told. */
		if (peer->dialled_with_key && peer->state == PEER_HANDSHAKE)
			book_forget_key(core->book, &peer->addr);
	}
	if (manual)
		manual_lost(core, manual, peer->state == PEER_READY);
	else if (peer->role != PEER_FEELER || !peer->answered)
		backoff_add(core, &peer->addr, peer->state == PEER_READY && !peer->no_use);
	timer_arm_by(&core->timers, &core->connect_timer, core_now(core) + CONNECT_TICK);
}

void connect_is_self(struct peer *peer)
{
	struct peerd *core = peer->core;

	if (peer->role == PEER_INBOUND)
		return;
	book_remove(core->book, &peer->addr);
	if (core->n_own < RC_ARRAY_LEN(core->own) && !is_own(core, &peer->addr))
		core->own[core->n_own++] = peer->addr;
}

/* ---- operators ---- */

int peerd_add_node(struct peerd *core, const char *text, const char *command,
		   struct rc_error *error)
{
	struct net_endpoint endpoint;
	size_t i;
	bool add = strcmp(command, "add") == 0, once = strcmp(command, "onetry") == 0;

	if (!add && !once && strcmp(command, "remove") != 0)
		return rc_error_set(error, RC_EINVAL, "%.40s is not add, remove or onetry",
				    command);
	if (!net_endpoint_parse(text, core->opt.default_port, &endpoint))
		return rc_error_set(error, RC_EINVAL,
				    "%.120s is not IP:PORT or [IP]:PORT, nor KEY@ before one",
				    text);
	for (i = 0; i < core->n_manual; i++) {
		if (!core->manual[i].once &&
		    net_addr_eq(&core->manual[i].endpoint.addr, &endpoint.addr))
			break;
	}
	if (add && i < core->n_manual)
		return rc_error_set(error, RC_EEXIST, "%.120s was added before", text);
	if (!add && !once && i == core->n_manual)
		return rc_error_set(error, RC_ENOENT, "%.120s was not added", text);
	core_enter(core);
	if (add || once)
		manual_add(core, &endpoint, once);
	else
		manual_cut(core, i); /* a link that is up stays */
	connect_soon(core);
	core_leave(core);
	return RC_OK;
}
