/* The core's frame: its life, its entry points, its clock. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemons/peerd/peerd.h"

/* Times of peers are checked so often: half a second late is early enough for seconds. */
#define TICK_US (500 * PEERD_MS)

int64_t core_now(const struct peerd *core)
{
	return rc_mono_us(core->out.clock);
}

uint32_t core_time(const struct peerd *core)
{
	return (uint32_t)(rc_wall_ms(core->out.clock) / 1000);
}

void core_count(struct peerd *core, enum peerd_counter counter, uint64_t n)
{
	core->counters[counter] += n;
}

struct peer *core_peer(const struct peerd *core, uint64_t id)
{
	struct peer *peer;

	HASH_FIND(hh, core->peers, &id, sizeof(id), peer);
	return peer;
}

bool core_in_download(const struct peerd *core)
{
	return !core->chain_known ||
	       (core->initial_download && core->best_header.height > core->chain_tip.height);
}

/*
 * Exponentially distributed, from a table of −ln((2i+1)/32) in thousandths: the shape matters
 * (arrival tells nothing about the start), not its digits.
 */
int64_t core_delay(struct peerd *core, int64_t mean_us)
{
	static const uint16_t shape[16] = {3466, 2367, 1856, 1520, 1269, 1068, 901, 758,
					   633,	 521,  421,  330,  247,	 170,  99,  32};

	return mean_us * shape[rc_random_below(core->out.random, 16)] / 1000;
}

struct chain_call *chain_call_new(struct peerd *core, uint64_t peer, uint64_t n)
{
	struct chain_call *call = rc_alloc(sizeof(*call));

	*call = (struct chain_call){core, peer, n};
	return call;
}

void core_enter(struct peerd *core)
{
	core->depth++;
}

void core_leave(struct peerd *core)
{
	if (core->depth > 1) {
		core->depth--;
		return;
	}
	relay_ask(core);
	if (core->memory_waits)
		memory_settle(core);
	for (size_t i = 0; i < core->n_dirty; i++) {
		core->dirty[i]->dirty = false;
		if (!core->dirty[i]->dead)
			peer_flush(core->dirty[i]);
	}
	core->n_dirty = 0;
	for (size_t i = 0; i < core->n_dead; i++)
		peer_free(core->dead[i]);
	core->n_dead = 0;
	core->depth--;
	core->out.arm(core->out.ctx, timers_next(&core->timers));
}

static void on_tick(void *arg)
{
	struct peerd *core = arg;
	struct peer *peer, *next;
	int64_t now = core_now(core);

	fetch_check_line(core, now);
	HASH_ITER (hh, core->peers, peer, next) {
		if (peer->dead) /* by the turn of one before */
			continue;
		peer_check_times(peer, now);
		if (!peer_is_ready(peer))
			continue;
		/* Each may be its end. */
		sync_check_times(peer, now);
		if (!peer->dead)
			fetch_check_times(peer, now);
		if (!peer->dead)
			serve_check_times(peer, now);
		if (!peer->dead)
			serve_go(peer);
	}
	memory_check_times(core, now);
	relay_check_times(core, now);
	charge_tick(core);
	if (core->peers || core->groups)
		timer_arm(&core->timers, &core->tick, now + TICK_US);
}

void peerd_wake(struct peerd *core)
{
	core_enter(core);
	timers_run(&core->timers, core_now(core));
	core_leave(core);
}

static void *copy_of(const void *list, size_t n, size_t size)
{
	return n ? rc_memdup(list, n * size) : NULL;
}

struct peerd *peerd_new(const struct outside *out, const struct peerd_options *options,
			const struct rc_network *network, const uint8_t secret[32],
			struct book *book, struct bans *bans, const struct anchors *anchors)
{
	struct peerd *core = rc_alloc(sizeof(*core));

	core->out = *out;
	core->opt = *options;
	core->opt.connect =
		copy_of(options->connect, options->n_connect, sizeof(*options->connect));
	core->opt.addnode =
		copy_of(options->addnode, options->n_addnode, sizeof(*options->addnode));
	core->opt.seeds = copy_of(options->seeds, options->n_seeds, sizeof(*options->seeds));
	core->opt.external =
		copy_of(options->external, options->n_external, sizeof(*options->external));
	core->network = network;
	memcpy(core->link_secret, secret, 32);
	if (!rc_link_key_from_secret(secret, core->link_key))
		rc_log(RC_LOG_CRIT, "the link key is no secret key");
	core->hash_k0 = rc_random_u64(out->random);
	core->hash_k1 = rc_random_u64(out->random);
	core->next_peer = 1;
	core->active = true;
	core->book = book ? book : book_new(out->random, options->private_addresses);
	if (bans) {
		core->bans = *bans;
		*bans = (struct bans){0};
	}
	if (anchors)
		core->anchors = core->to_anchor = *anchors;
	core->discouraged = discouraged_new();
	timer_init(&core->tick, on_tick, core);
	connect_init(core);
	stale_init(core);
	gossip_init(core);
	sync_init(core);
	fetch_init(core);
	compact_init(core);
	relay_init(core);
	announce_init(core);
	return core;
}

void peerd_end_links(struct peerd *core)
{
	struct peer *peer, *next;

	core_enter(core);
	core->stopping = true;
	HASH_ITER (hh, core->peers, peer, next)
		peer_drop(peer, "this node stops");
	core_leave(core);
}

void peerd_free(struct peerd *core)
{
	if (!core)
		return;
	peerd_end_links(core);
	relay_done(core);
	fetch_done(core);
	compact_done(core);
	connect_done(core);
	charge_done(core);
	announce_done(core);
	discouraged_free(core->discouraged);
	bans_done(&core->bans);
	book_free(core->book);
	timers_done(&core->timers);
	rc_arena_done(&core->arena);
	free(core->dead);
	free(core->dirty);
	free(core->opt.connect);
	free(core->opt.addnode);
	free(core->opt.seeds);
	free(core->opt.external);
	rc_wipe(core->link_secret, sizeof(core->link_secret));
	free(core);
}

void peerd_start(struct peerd *core)
{
	core_enter(core);
	connect_soon(core);
	core_leave(core);
}

void peerd_connected(struct peerd *core, uint64_t id)
{
	struct peer *peer = core_peer(core, id);

	core_enter(core);
	if (peer && peer->state == PEER_CONNECTING) {
		connect_reached(peer);
		peer->state = PEER_HANDSHAKE;
		peer_flush(peer);
	}
	core_leave(core);
}

void peerd_writable(struct peerd *core, uint64_t id)
{
	struct peer *peer = core_peer(core, id);

	core_enter(core);
	if (peer) {
		peer->no_room = false;
		peer_flush(peer);
		if (peer_is_ready(peer))
			serve_go(peer);
	}
	core_leave(core);
}

void peerd_lost(struct peerd *core, uint64_t id, const char *why)
{
	struct peer *peer = core_peer(core, id);

	core_enter(core);
	if (peer)
		peer_drop(peer, "%s", why);
	core_leave(core);
}

void peerd_not_dialled(struct peerd *core, uint64_t id, const char *why)
{
	struct peer *peer = core_peer(core, id);

	core_enter(core);
	if (peer) {
		peer->no_way = true;
		peer_drop(peer, "%s", why);
	}
	core_leave(core);
}

uint64_t peerd_accepted(struct peerd *core, void *conn, const struct net_addr *addr)
{
	struct peer *peer;
	uint64_t id = 0;

	core_enter(core);
	if (!connect_may_accept(core, addr)) {
		core_count(core, PEERD_REFUSED, 1);
	} else {
		core_count(core, PEERD_ACCEPTED, 1);
		peer = peer_new(core, PEER_INBOUND, addr);
		peer->conn = conn;
		peer->state = PEER_HANDSHAKE;
		id = peer->id;
	}
	core_leave(core);
	return id;
}

void peerd_chain_state(struct peerd *core, bool up, bool changed)
{
	core_enter(core);
	(void)changed; /* whoever restarted, what it knows of us is asked and told again */
	if (up) {
		sync_chain_up(core);
		fetch_chain_up(core);
		relay_chain_up(core);
	}
	core_leave(core);
}

void peerd_chain_tip(struct peerd *core, const struct rc_tip_event *event)
{
	core_enter(core);
	stale_tip(core, &event->tip.id);
	core->chain_tip = event->tip;
	core->initial_download = event->initial_download;
	core->chain_known = true;
	sync_chain_best(core, &event->tip);
	serve_block_stored(core, &event->tip.id);
	compact_chain_tip(core, &event->tip.id);
	relay_chain_tip(core);
	if (event->header.len != RC_HEADER_SIZE)
		announce_block(core, &event->tip.id, NULL);
	else if (core_in_download(core))
		announce_later(core, &event->tip.id, event->header.data);
	else
		announce_block(core, &event->tip.id, event->header.data);
	core_leave(core);
}

void peerd_chain_header(struct peerd *core, const struct rc_header_event *event)
{
	core_enter(core);
	sync_chain_best(core, &event->block);
	if (!core_in_download(core) && event->header.len == RC_HEADER_SIZE)
		announce_header(core, &event->block.id, event->header.data);
	core_leave(core);
}

void peerd_chain_tx(struct peerd *core, const struct rc_tx_event *event)
{
	core_enter(core);
	relay_chain_tx(core, event);
	core_leave(core);
}

void peerd_chain_tx_removed(struct peerd *core, const struct rc_tx_event *event)
{
	core_enter(core);
	relay_chain_tx_removed(core, event);
	core_leave(core);
}

void peerd_chain_missed(struct peerd *core)
{
	core_enter(core);
	sync_refresh(core);
	relay_chain_up(core);
	core_leave(core);
}

int peerd_disconnect(struct peerd *core, const char *addr, uint64_t id, struct rc_error *error)
{
	struct net_addr wanted;
	struct peer *peer, *next;
	bool by_addr = addr && *addr, found = false;

	if (by_addr && !net_addr_parse(addr, core->opt.default_port, &wanted))
		return rc_error_set(error, RC_EINVAL, "%.80s is not IP:PORT or [IP]:PORT", addr);
	core_enter(core);
	HASH_ITER (hh, core->peers, peer, next) {
		if (by_addr ? net_addr_eq(&peer->addr, &wanted) : peer->id == id) {
			found = true;
			peer_drop(peer, "an operator's word");
		}
	}
	core_leave(core);
	if (found)
		return RC_OK;
	return by_addr ? rc_error_set(error, RC_ENOENT, "no link to %.80s", addr)
		       : rc_error_set(error, RC_ENOENT, "no link %llu", (unsigned long long)id);
}

int peerd_ban(struct peerd *core, const char *text, uint64_t until, struct rc_error *error)
{
	struct net_subnet subnet;
	struct peer *peer, *next;
	int err;

	if (!net_subnet_parse(text, &subnet))
		return rc_error_set(error, RC_EINVAL, "%.80s is not an address or ADDRESS/BITS",
				    text);
	err = bans_add(&core->bans, &subnet, until, "an operator's word", core_time(core), error);
	if (err)
		return err;
	core_enter(core);
	HASH_ITER (hh, core->peers, peer, next) {
		if (net_subnet_has(&subnet, &peer->addr))
			peer_drop(peer, "banned");
	}
	core_leave(core);
	return RC_OK;
}

int peerd_unban(struct peerd *core, const char *text, struct rc_error *error)
{
	struct net_subnet subnet;

	if (!net_subnet_parse(text, &subnet))
		return rc_error_set(error, RC_EINVAL, "%.80s is not an address or ADDRESS/BITS",
				    text);
	if (bans_remove(&core->bans, &subnet))
		return rc_error_set(error, RC_ENOENT, "%.80s is not banned", text);
	core_enter(core);
	connect_soon(core);
	core_leave(core);
	return RC_OK;
}

void peerd_set_active(struct peerd *core, bool active)
{
	struct peer *peer, *next;

	core_enter(core);
	core->active = active;
	if (!active) {
		HASH_ITER (hh, core->peers, peer, next)
			peer_drop(peer, "the network was turned off");
	}
	connect_soon(core);
	core_leave(core);
}

void peerd_ping_all(struct peerd *core)
{
	struct peer *peer;

	core_enter(core);
	for (peer = core->peers; peer; peer = peer->hh.next)
		peer_ping(peer);
	core_leave(core);
}
