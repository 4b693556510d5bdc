/*
 * What peers cost this node: each has budgets, and all inbound links of a network group have some
 * together, so that many addresses of one party are no more than a few peers. Over budget a peer is
 * read later; over it for most of a minute it ends.
 */
#include <stdlib.h>
#include <string.h>

#include "daemons/peerd/peerd.h"

/* A group whose links are gone is remembered until its budgets are full again, or a new link would
 * begin with all of them; of more than this the oldest is forgotten. 300 bytes each. */
#define GROUPS_MAX 4096

static struct peer_group *group_find(const struct peerd *core, const struct net_addr *addr)
{
	struct net_group group = net_addr_group(addr);
	struct peer_group *g;

	HASH_FIND(hh, core->groups, &group, sizeof(group), g);
	return g;
}

static void group_free(struct peerd *core, struct peer_group *g)
{
	HASH_DEL(core->groups, g);
	free(g);
}

/* In the order of coming, so that what a bounded table forgets is the oldest. */
static void forget_groups(struct peerd *core, bool one_at_least)
{
	struct peer_group *g, *next;

	HASH_ITER (hh, core->groups, g, next) {
		if (g->links > 0 || (!one_at_least && !budget_full(&g->budget, core_now(core))))
			continue;
		group_free(core, g);
		if (one_at_least)
			return;
	}
}

void charge_begin(struct peer *peer)
{
	struct peerd *core = peer->core;
	struct peer_group *g;

	budget_init(&peer->budget, 1, core_now(core));
	/* Whom we chose to dial is of a group of its own. */
	if (peer->role != PEER_INBOUND)
		return;
	g = group_find(core, &peer->addr);
	if (!g) {
		if (HASH_COUNT(core->groups) >= GROUPS_MAX)
			forget_groups(core, true);
		g = rc_alloc(sizeof(*g));
		g->group = net_addr_group(&peer->addr);
		budget_init(&g->budget, BUDGET_GROUP_SHARES, core_now(core));
		HASH_ADD(hh, core->groups, group, sizeof(g->group), g);
	}
	g->links++;
	peer->group = g;
}

void charge_end(struct peer *peer)
{
	if (peer->group)
		peer->group->links--;
	peer->group = NULL;
}

void charge_tick(struct peerd *core)
{
	forget_groups(core, false);
}

void charge_done(struct peerd *core)
{
	struct peer_group *g, *next;

	HASH_ITER (hh, core->groups, g, next)
		group_free(core, g);
}

bool charge_group_over(struct peerd *core, const struct net_addr *addr)
{
	static const uint64_t nothing[BUDGETS];
	struct peer_group *g = group_find(core, addr);

	return g && budget_take(&g->budget, core_now(core), nothing) > 0;
}

static void take(struct peer *peer, const uint64_t cost[BUDGETS])
{
	struct peerd *core = peer->core;
	int64_t now = core_now(core), wait, group_wait;

	if (peer->dead)
		return;
	wait = budget_take(&peer->budget, now, cost);
	if (peer->group) {
		group_wait = budget_take(&peer->group->budget, now, cost);
		if (group_wait > wait)
			wait = group_wait;
	}
	if (wait > 0 && !(peer->pauses & PEER_PAUSE_BUDGET))
		core_count(core, PEERD_OVER_BUDGET, 1);
	peer_pause(peer, PEER_PAUSE_BUDGET, wait > 0);
	if (wait > 0)
		timer_arm(&core->timers, &peer->resume, now + wait + PEERD_MS);
}

void peer_charge(struct peer *peer, uint64_t time, size_t bytes)
{
	const uint64_t cost[BUDGETS] = {
		[BUDGET_TIME] = time,
		[BUDGET_BYTES] = bytes,
		[BUDGET_MESSAGES] = 1,
	};

	take(peer, cost);
}

void charge_resume(void *arg)
{
	static const uint64_t nothing[BUDGETS];

	take(arg, nothing);
}

/*
 * Bytes of a link that are no part of a message this node knows: unknown types, records with little
 * or nothing in them. Honest records hold 16 KiB under 36 bytes, a message has 8 more: 1/128 and 64
 * is more than that. What isn't whole yet may still be useful: only more waste than ever before is
 * charged.
 */
static uint64_t with_frame(uint64_t len)
{
	return len + len / 128 + 64;
}

void charge_useful(struct peer *peer, size_t len)
{
	peer->useful += with_frame(len);
}

void charge_waste(struct peer *peer)
{
	uint64_t cost[BUDGETS] = {0}, useful = peer->useful, in;

	if (peer->dead || peer->state < PEER_HELLO)
		return;
	in = rc_link_bytes_in(peer->link);
	for (unsigned i = 0; i < RC_LINK_STREAMS; i++)
		useful += with_frame(peer->half[i].bytes);
	if (in <= useful || in - useful <= peer->waste)
		return;
	cost[BUDGET_BYTES] = in - useful - peer->waste;
	peer->waste = in - useful;
	core_count(peer->core, PEERD_WASTE_BYTES, cost[BUDGET_BYTES]);
	take(peer, cost);
}

bool charge_worn_out(struct peer *peer, int64_t now)
{
	/* Whom an operator named is read slowly, but kept. */
	return budget_worn_out(&peer->budget, now) && peer->role != PEER_MANUAL;
}
