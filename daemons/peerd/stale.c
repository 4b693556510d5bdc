/*
 * A tip that has stood still too long: all that the slots hold may be an attacker's. One more full
 * link is made, to whom the book names, and the one that gave a new block least recently then ends.
 */
#include "daemons/peerd/peerd.h"

/*
 * Blocks come at random: ten times the spacing pass without one in e^-10, 1 of 22,000 gaps, which
 * at 150 s is once in 38 days. It costs a dial.
 */
#define STALE_SPACINGS 10
/* Where blocks come every second a link of ten isn't proven worse. */
#define STALE_LEAST (600 * PEERD_SECOND)
/* How often that is looked at, and so how long the newcomer has to bring a block (Bitcoin Core's
 * figure) … */
#define LOOK_GAP (45 * PEERD_SECOND)
/* … at the least, once its link is up. */
#define TRIAL (30 * PEERD_SECOND)

static bool is_stale(const struct peerd *core)
{
	int64_t after = (int64_t)core->network->params.spacing * STALE_SPACINGS * PEERD_SECOND;

	/* No spacing: blocks are made on demand. What is being fetched is under way. */
	return after > 0 && core->chain_known &&
	       core_now(core) - core->tip_at > (after > STALE_LEAST ? after : STALE_LEAST) &&
	       inflight_total(&core->inflight) == 0;
}

/* Of those that never gave a block the newest goes. */
static struct peer *least_useful(const struct peerd *core)
{
	struct peer *worst = NULL;

	for (struct peer *p = core->peers; p; p = p->hh.next) {
		if (p->role != PEER_OUTBOUND || p->state != PEER_READY ||
		    inflight_count(&core->inflight, p->id) > 0)
			continue;
		if (!worst || p->block_at < worst->block_at ||
		    (p->block_at == worst->block_at && p->since >= worst->since))
			worst = p;
	}
	return worst && core_now(core) - worst->since >= TRIAL ? worst : NULL;
}

static void on_look(void *arg)
{
	struct peerd *core = arg;
	struct peer *worst = NULL;

	timer_arm(&core->timers, &core->stale_timer, core_now(core) + LOOK_GAP);
	if (!core->active || core->stopping || core->opt.n_connect > 0 || core->opt.outbound == 0)
		return;
	if (connect_count(core, PEER_OUTBOUND, true) > core->opt.outbound)
		worst = least_useful(core);
	core->one_more = is_stale(core);
	if (worst) {
		worst->no_use = true;
		peer_drop(worst, "there is one link more than wanted, and it was of least use");
	}
	if (core->one_more) {
		core_count(core, PEERD_STALE_TIPS, 1);
		connect_soon(core);
	}
}

void stale_tip(struct peerd *core, const struct rc_block_id *tip)
{
	if (core->chain_known && memcmp(tip, &core->chain_tip.id, sizeof(*tip)) == 0)
		return;
	core->tip_at = core_now(core);
	core->one_more = false;
}

void stale_init(struct peerd *core)
{
	core->tip_at = core_now(core);
	timer_init(&core->stale_timer, on_look, core);
	timer_arm(&core->timers, &core->stale_timer, core_now(core) + LOOK_GAP);
}
