/*
 * The mixed scenario: a chain begins, nodes find each other, blocks and payments are made at any of
 * them while everything fails that may; then the faults end, and all must agree.
 */
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "check.h"
#include "daemons/peerd/netaddr.h"
#include "eclipse.h"
#include "net.h"
#include "oracle.h"
#include "user.h"

#define FIRST_BLOCKS 14 /* some coinbases are mature */
#define QUIET_US     (20 * SIM_SECOND)
#define AGREE_US     (900 * SIM_SECOND)

#define VICTIM	     0
#define LAG_US	     (60 * SIM_SECOND) /* a node that is up so long has what was there before */
#define WATCH_US     (10 * SIM_SECOND)
#define LOOKS	     (LAG_US / WATCH_US)
#define ATTACK_SLOTS 20

/* What a seed does, and how often. */
static struct {
	bool eclipse;
	bool alone; /* no honest node dials the victim, which forgets its seeds: its book must do */
	unsigned nodes;
	int64_t chaos_us;
	int64_t block_us, payment_us, fault_us; /* means */
	unsigned weights[SIM_FAULTS];		/* of faults begun one by one */
	int64_t end;
} plan;

static unsigned any_node(void)
{
	return (unsigned)sim_random_below(&sim.random, plan.nodes);
}

/* ---- faults ---- */

static void on_partition_end(void *arg)
{
	(void)arg;
	sim_say("paths heal");
	sim_net_heal();
}

static void split(bool one_way)
{
	uint8_t *side = rc_alloc_array(plan.nodes, 1);

	for (unsigned i = 0; i < plan.nodes; i++)
		side[i] = (uint8_t)sim_random_below(&sim.random, 2);
	for (unsigned a = 0; a < plan.nodes; a++)
		for (unsigned b = 0; b < plan.nodes; b++)
			if (one_way ? side[a] < side[b] : side[a] != side[b])
				sim_net_cut(a, b, true);
	free(side);
	sim_say(one_way ? "a partition of one way" : "a partition");
	sim_fault(one_way ? SIM_FAULT_ONE_WAY : SIM_FAULT_SPLIT);
	sim_post(NULL, sim_random_delay(&sim.random, 15 * SIM_SECOND), "heal", on_partition_end,
		 NULL);
}

/* Swizzle-swizzle: paths stop one by one, in some order, and all go on later. */
static void swizzle(void *arg)
{
	unsigned a = any_node();
	int left = (int)(intptr_t)arg;

	for (unsigned b = 0; b < plan.nodes; b++) {
		sim_net_cut(a, b, true);
		sim_net_cut(b, a, true);
	}
	sim_fault(SIM_FAULT_SPLIT);
	if (left > 0)
		sim_post(NULL, sim_random_delay(&sim.random, 3 * SIM_SECOND), "clog", swizzle,
			 (void *)(intptr_t)(left - 1));
	else
		sim_post(NULL, sim_random_delay(&sim.random, 8 * SIM_SECOND), "heal",
			 on_partition_end, NULL);
}

static void slow_path(void)
{
	unsigned a = any_node(), b = any_node();

	sim_net_slow(a, b, 2 + (unsigned)sim_random_below(&sim.random, 60));
	sim_fault(SIM_FAULT_SLOW);
}

static void pause_one(void)
{
	struct sim_proc *proc = nodes[any_node()].procs[sim_random_below(&sim.random, SIM_DAEMONS)];

	if (!proc)
		return;
	sim_say("%s stands still", proc->name);
	sim_pause(proc, sim_random_delay(&sim.random, 4 * SIM_SECOND));
	sim_fault(SIM_FAULT_PAUSE);
}

static void jump(void)
{
	int64_t by = (int64_t)sim_random_below(&sim.random, 1200 * SIM_SECOND) - 600 * SIM_SECOND;

	nodes[any_node()].clock_us = by;
	sim_fault(SIM_FAULT_CLOCK);
}

static void begin_fault(enum sim_fault fault)
{
	struct node *node = &nodes[any_node()];
	enum daemon_kind kind = (enum daemon_kind)sim_random_below(&sim.random, SIM_DAEMONS);

	switch (fault) {
	case SIM_FAULT_KILL:
		node_kill(node, kind);
		break;
	case SIM_FAULT_POWER:
		node_power_cut(node, sim_random_delay(&sim.random, 5 * SIM_SECOND));
		break;
	case SIM_FAULT_STOP:
		node_stop(node, kind);
		break;
	case SIM_FAULT_PAUSE:
		pause_one();
		break;
	case SIM_FAULT_SPLIT:
		if (sim_random_chance(&sim.random, 0.7))
			split(false);
		else
			swizzle((void *)(intptr_t)sim_random_below(&sim.random, 4));
		break;
	case SIM_FAULT_ONE_WAY:
		split(true);
		break;
	case SIM_FAULT_RESET:
		sim_net_reset_one(node->i);
		break;
	case SIM_FAULT_SLOW:
		slow_path();
		break;
	case SIM_FAULT_BUS:
		sim_bus_break_one(node->i);
		break;
	case SIM_FAULT_CLOCK:
		jump();
		break;
	case SIM_FAULT_LOST:
	case SIM_FAULT_DISK:
	case SIM_FAULT_STALL:
	case SIM_FAULT_SYN:
	case SIM_FAULT_EVENT:
	case SIM_FAULT_HOSTILE:
	case SIM_FAULTS:
		break; /* by chance, or of others */
	}
}

static void on_fault(void *arg)
{
	unsigned sum = 0, at;

	(void)arg;
	if (sim.now >= plan.end)
		return;
	for (unsigned i = 0; i < SIM_FAULTS; i++)
		sum += plan.weights[i];
	at = (unsigned)sim_random_below(&sim.random, sum);
	for (unsigned i = 0; i < SIM_FAULTS; i++) {
		if (at < plan.weights[i]) {
			begin_fault((enum sim_fault)i);
			break;
		}
		at -= plan.weights[i];
	}
	sim_post(NULL, sim_random_delay(&sim.random, plan.fault_us), "fault", on_fault, NULL);
}

/* ---- work ---- */

static void on_block(void *arg)
{
	(void)arg;
	if (sim.now >= plan.end)
		return;
	user_mine(any_node(), 1 + (unsigned)sim_random_chance(&sim.random, 0.2));
	sim_post(NULL, sim_random_delay(&sim.random, plan.block_us), "block", on_block, NULL);
}

static void on_payment(void *arg)
{
	(void)arg;
	if (sim.now >= plan.end)
		return;
	user_pay(any_node());
	sim_post(NULL, sim_random_delay(&sim.random, plan.payment_us), "payment", on_payment, NULL);
}

static void on_first_blocks(void *arg)
{
	(void)arg;
	user_mine(0, FIRST_BLOCKS);
}

/* ---- the plan ---- */

/* Swarm: each seed has some kinds of faults only, so that none hides another. */
static void choose_faults(void)
{
	static const struct {
		enum sim_fault fault;
		unsigned weight;
	} table[] = {
		{SIM_FAULT_KILL, 6},  {SIM_FAULT_POWER, 3}, {SIM_FAULT_STOP, 2},
		{SIM_FAULT_PAUSE, 3}, {SIM_FAULT_SPLIT, 3}, {SIM_FAULT_ONE_WAY, 2},
		{SIM_FAULT_RESET, 5}, {SIM_FAULT_SLOW, 3},  {SIM_FAULT_BUS, 4},
		{SIM_FAULT_CLOCK, 1},
	};
	bool some = false;

	for (size_t i = 0; i < RC_ARRAY_LEN(table); i++) {
		if (sim_random_chance(&sim.random, 0.5)) {
			plan.weights[table[i].fault] = table[i].weight;
			some = true;
		}
	}
	if (!some)
		plan.weights[SIM_FAULT_KILL] = 1;
	sim_net_syn_loss = sim_random_chance(&sim.random, 0.5) ? 0.05 : 0;
	sim.bus_event_loss = sim_random_chance(&sim.random, 0.5) ? 0.02 : 0;
	sim.disk_slow = sim_random_chance(&sim.random, 0.3) ? 10 : 1;
	sim.disk_failure = sim_random_chance(&sim.random, 0.2) ? 0.0005 : 0;
}

static void choose(const struct scenario_options *options)
{
	plan.nodes = 3 + (unsigned)sim_random_below(&sim.random, 6);
	if (sim_random_chance(&sim.random, 0.01))
		plan.nodes += (unsigned)sim_random_below(&sim.random, 24);
	if (options->nodes)
		plan.nodes = options->nodes;
	plan.chaos_us = (20 + (int64_t)sim_random_below(&sim.random, 60)) * SIM_SECOND;
	plan.block_us = (1 + (int64_t)sim_random_below(&sim.random, 6)) * SIM_SECOND;
	plan.payment_us = (100 + (int64_t)sim_random_below(&sim.random, 2000)) * SIM_MS;
	plan.fault_us = (1 + (int64_t)sim_random_below(&sim.random, 8)) * SIM_SECOND;
	/* What is for eight nodes in an eighth of the time would spare most of two hundred. */
	if (plan.nodes > 32)
		plan.fault_us /= plan.nodes / 8;
	if (plan.eclipse) {
		plan.nodes += 6;
		plan.alone = sim_random_chance(&sim.random, 0.5);
	} else {
		choose_faults();
	}
}

static char *with_address(const char *option, unsigned of)
{
	struct net_addr addr;
	char text[NET_ADDR_TEXT];

	sim_net_address(of, &addr);
	return rc_asprintf("--%s=%s", option, net_addr_format(text, &addr));
}

/* Linked to those before it, the victim excepted, and to nobody it heard of. */
static unsigned keep_apart(const struct node *node, char **peerd)
{
	unsigned n = 0;

	peerd[n++] = rc_strdup("--outbound=0");
	peerd[n++] = rc_strdup("--block-only=0");
	for (unsigned i = 0; i < 3 && node->i > 1; i++)
		peerd[n++] = with_address(
			"addnode",
			i ? 1 + (unsigned)sim_random_below(&sim.random, node->i - 1) : node->i - 1);
	return n;
}

static void configure(struct node *node)
{
	char **utxod = node->options[SIM_UTXOD], **chaind = node->options[SIM_CHAIND],
	     **peerd = node->options[SIM_PEERD];
	unsigned n = 0;

	utxod[0] = rc_strdup("--cache-mb=16");
	utxod[1] = rc_asprintf("--flush-changes=%u",
			       10 + (unsigned)sim_random_below(&sim.random, 400));
	chaind[0] = rc_strdup("--cache-mb=1");
	chaind[1] = rc_strdup("--verified-mb=1");
	chaind[2] = rc_strdup("--verify-threads=2");
	if (plan.alone && node->i != VICTIM) {
		n = keep_apart(node, peerd);
	} else {
		if (plan.eclipse)
			peerd[n++] = rc_asprintf("--max-inbound=%d", ATTACK_SLOTS);
		else
			peerd[n++] = rc_asprintf("--outbound=%u",
						 2 + (unsigned)sim_random_below(&sim.random, 5));
		/* Alone it has no anchors either. */
		peerd[n++] = rc_strdup(plan.alone ? "--block-only=0" : "--block-only=1");
		for (unsigned i = 0; i < 3; i++)
			peerd[n++] = with_address("seednode", i ? any_node() : plan.alone ? 1 : 0);
	}
}

static void forget_seeds(struct node *node)
{
	char **option = node->options[SIM_PEERD];

	while (*option && strncmp(*option, "--seednode", 10) != 0)
		option++;
	*option = NULL; /* they are the last */
}

static void init(uint64_t seed, const struct scenario_options *options)
{
	sim_init(seed);
	sim.verbose = options->verbose;
	sim_memo_on = options->memo;
	sim.no_sync = options->no_sync;
	choose(options);
	sim_net_init(plan.nodes);
	nodes_init(plan.nodes);
	oracle_init();
	user_init();
	sim.after_event = check_event;
	for (unsigned i = 0; i < plan.nodes; i++) {
		configure(&nodes[i]);
		node_start(&nodes[i]);
	}
}

static void end_of_faults(void)
{
	sim_say("the faults end");
	sim_net_heal();
	sim_net_syn_loss = 0;
	sim.bus_event_loss = 0;
	sim.disk_slow = 1;
	sim.disk_failure = 0;
	for (unsigned i = 0; i < plan.nodes; i++)
		nodes[i].clock_us = 0;
}

/* ---- an attacker ---- */

static struct {
	uint32_t heights[LOOKS]; /* of the others, ten seconds apart */
	unsigned looks;
	unsigned most_in, most_out; /* the attacker's links */
} watched;

static void on_watch(void *arg)
{
	uint32_t height, others = 0;
	unsigned at = watched.looks % LOOKS;

	(void)arg;
	if (sim.now >= plan.end)
		return;
	for (unsigned i = 1; i < plan.nodes; i++)
		if (check_height(&nodes[i], &height) && height > others)
			others = height;
	watched.most_in = (unsigned)rc_max_u64(watched.most_in, eclipse_links(true));
	watched.most_out = (unsigned)rc_max_u64(watched.most_out, eclipse_links(false));
	if (watched.looks >= LOOKS && sim.now - nodes[VICTIM].up_since > LAG_US &&
	    check_height(&nodes[VICTIM], &height) && height < watched.heights[at]) {
		check_describe();
		sim_fail("n%u is isolated: it has %u blocks, the others had %u a minute ago; "
			 "the attacker has %u links in, %u out",
			 VICTIM, height, watched.heights[at], eclipse_links(true),
			 eclipse_links(false));
	}
	watched.heights[at] = others;
	watched.looks++;
	sim_post(NULL, WATCH_US, "watch", on_watch, NULL);
}

static void on_honest_block(void *arg)
{
	(void)arg;
	if (sim.now >= plan.end)
		return;
	user_mine(1 + (unsigned)sim_random_below(&sim.random, plan.nodes - 1), 1);
	sim_post(NULL, sim_random_delay(&sim.random, plan.block_us), "block", on_honest_block,
		 NULL);
}

static void on_victim_restart(void *arg)
{
	struct node *victim = &nodes[VICTIM];
	int64_t dark = 0;

	(void)arg;
	if (sim.now >= plan.end)
		return;
	switch (sim_random_below(&sim.random, 3)) {
	case 0:
		node_kill(victim, SIM_PEERD);
		break;
	case 1:
		node_stop(victim, SIM_PEERD);
		break;
	default:
		dark = sim_random_delay(&sim.random, 10 * SIM_SECOND);
		node_power_cut(victim, dark);
		break;
	}
	victim->up_since = sim.now + dark;
	sim_post(NULL, LAG_US + sim_random_delay(&sim.random, 100 * SIM_SECOND), "restart",
		 on_victim_restart, NULL);
}

static void settle(const char *what);
static void run_for(int64_t us);

/* 10,000 addresses of few groups and as many of nobody, wrong keys, every inbound slot, over
 * restarts: the victim goes on. */
static void run_eclipse(void)
{
	check_hostile = true;
	eclipse_init(10000, 2 + (unsigned)sim_random_below(&sim.random, 5), 10000, plan.nodes - 1);
	plan.block_us = 20 * SIM_SECOND;
	sim_post(NULL, 2 * SIM_SECOND, "begin", on_first_blocks, NULL);
	run_for(30 * SIM_SECOND + (int64_t)sim_random_below(&sim.random, 300) * SIM_SECOND);
	plan.end = sim.now + 2000 * SIM_SECOND;
	if (plan.alone)
		forget_seeds(&nodes[VICTIM]);
	eclipse_begin(2 * ATTACK_SLOTS);
	on_watch(NULL);
	on_honest_block(NULL);
	sim_post(NULL, 100 * SIM_SECOND, "restart", on_victim_restart, NULL);
	run_for(2000 * SIM_SECOND);
	sim_say("the attacker told %llu addresses, had up to %u links in and %u out",
		(unsigned long long)eclipse_told, watched.most_in, watched.most_out);
	/* Eviction keeps honest links in: more than some the attacker doesn't get. */
	if (watched.most_in < ATTACK_SLOTS / 4)
		sim_fail("the attack took only %u of %d slots: it shows nothing", watched.most_in,
			 ATTACK_SLOTS);
	eclipse_end();
	run_for(QUIET_US);
	settle("after the attack");
}

static void agree(const char *what)
{
	if (!sim_run_until(sim.now + AGREE_US, check_agreed, NULL)) {
		check_describe();
		sim_fail("%s: the nodes don't agree after %lld s", what,
			 (long long)(AGREE_US / SIM_SECOND));
	}
}

static void run_for(int64_t us)
{
	sim_run_until(sim.now + us, NULL, NULL);
}

/* Where the next blocks decide ties: one that is behind, because it lost power late, would only
 * make another. */
static unsigned highest_node(void)
{
	unsigned best = 0;
	uint32_t height, most = 0;

	for (unsigned i = 0; i < plan.nodes; i++) {
		if (check_height(&nodes[i], &height) && height > most) {
			most = height;
			best = i;
		}
	}
	return best;
}

static void settle(const char *what)
{
	user_mine(highest_node(), 2);
	run_for(QUIET_US);
	agree(what);
	check_settled();
}

void scenario_run(uint64_t seed, const struct scenario_options *options)
{
	const char *name = options->name ? options->name : seed % 100 == 50 ? "eclipse" : "mixed";

	plan.eclipse = strcmp(name, "eclipse") == 0;
	init(seed, options);
	if (plan.eclipse) {
		run_eclipse();
		return;
	}
	sim_post(NULL, 2 * SIM_SECOND, "begin", on_first_blocks, NULL);
	run_for(5 * SIM_SECOND);
	plan.end = sim.now + plan.chaos_us;
	on_block(NULL);
	on_payment(NULL);
	on_fault(NULL);
	run_for(plan.chaos_us);
	end_of_faults();
	run_for(QUIET_US);
	settle("after the faults");
	user_check();
}

unsigned scenario_nodes(void)
{
	return plan.nodes;
}

void scenario_counts(uint64_t *ret_blocks, uint64_t *ret_payments, uint64_t *ret_reorganisations,
		     uint64_t *ret_recoveries)
{
	*ret_blocks = user_blocks;
	*ret_payments = user_accepted;
	*ret_reorganisations = check_reorganisations;
	*ret_recoveries = check_recoveries;
}
