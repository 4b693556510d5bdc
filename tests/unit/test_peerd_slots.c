/* Who gets a slot, and who keeps it: making room among inbound links. */
#include <stdlib.h>
#include <string.h>

#include "daemons/peerd/evict.h"
#include "peer_rig.h"

/* ---- the choice itself ---- */

#define SLOTS 125

static struct evict_candidate candidate(uint64_t peer, uint64_t group, int64_t since)
{
	return (struct evict_candidate){
		.peer = peer, .group = group, .since = since, .ping_us = UINT64_MAX};
}

static void few_are_all_kept(void **state)
{
	struct evict_candidate list[EVICT_KEEP_GROUPS];

	(void)state;
	for (unsigned i = 0; i < EVICT_KEEP_GROUPS; i++)
		list[i] = candidate(i + 1, i, i);
	assert_int_equal(evict_choose(list, EVICT_KEEP_GROUPS), 0);
	assert_int_equal(evict_choose(list, 0), 0);
}

/* One who is best at something is kept, however new, whatever its group. */
static void each_merit_keeps(void **state)
{
	(void)state;
	for (unsigned merit = 0; merit < 5; merit++) {
		struct evict_candidate list[SLOTS];

		for (unsigned i = 0; i < SLOTS; i++)
			list[i] = candidate(i + 1, 5, i);
		/* The newest of the one group: it would be the one to go. */
		switch (merit) {
		case 0:
			break;
		case 1:
			list[SLOTS - 1].ping_us = 100;
			break;
		case 2:
			list[SLOTS - 1].tx_at = 7;
			break;
		case 3:
			list[SLOTS - 1].block_only = true;
			break;
		case 4:
			list[SLOTS - 1].block_at = 7;
			break;
		}
		for (unsigned i = 0; i < EVICT_KEEP_GROUPS + 1; i++)
			list[i].group = 1000; /* those whose group is kept are others */
		if (merit == 0)
			assert_int_equal(evict_choose(list, SLOTS), SLOTS);
		else
			assert_int_equal(evict_choose(list, SLOTS), SLOTS - 1);
	}
}

static void discouraged_ones_go_first(void **state)
{
	struct evict_candidate list[SLOTS];

	(void)state;
	for (unsigned i = 0; i < SLOTS; i++)
		list[i] = candidate(i + 1, i < 100 ? 5 : i, i);
	list[3].discouraged = true; /* the oldest of all, and best at everything */
	list[3].since = -1;
	list[3].ping_us = 1;
	list[3].tx_at = list[3].block_at = 1000;
	assert_int_equal(evict_choose(list, SLOTS), 4);
}

/* An order of the list is no merit. */
static void the_order_of_the_list_is_nothing(void **state)
{
	struct rc_test_random random;
	struct evict_candidate list[SLOTS], shuffled[SLOTS];
	uint64_t chosen = 0;

	(void)state;
	rc_test_random_seed(&random, 3);
	for (unsigned i = 0; i < SLOTS; i++) {
		list[i] = candidate(i + 1, i % 40, i / 10);
		list[i].ping_us = i % 7 ? i % 11 : UINT64_MAX;
		list[i].tx_at = i % 5;
		list[i].block_at = i % 3;
		list[i].block_only = i % 4 == 0;
	}
	for (unsigned round = 0; round < 50; round++) {
		memcpy(shuffled, list, sizeof(list));
		for (size_t i = SLOTS - 1; i > 0; i--) {
			size_t j = (size_t)rc_random_below(&random.random, i + 1);
			struct evict_candidate c = shuffled[i];

			shuffled[i] = shuffled[j];
			shuffled[j] = c;
		}
		if (round == 0)
			chosen = evict_choose(shuffled, SLOTS);
		else
			assert_int_equal(evict_choose(shuffled, SLOTS), chosen);
	}
	assert_int_not_equal(chosen, 0);
}

/*
 * A flood that goes on and on, of which each may be nearer than any honest peer and give new
 * transactions and blocks later than any. Of 125, at most 28 are kept by merit: of the other 97,
 * half stay by time, however the rest goes.
 */
#define KEPT_BY_TIME ((SLOTS - 28) / 2)

static unsigned honest_after_flood(unsigned groups, bool better)
{
	struct evict_candidate list[SLOTS], copy[SLOTS + 1];
	unsigned honest = 0;

	for (unsigned i = 0; i < SLOTS; i++) {
		list[i] = candidate(i + 1, (i + 1) * UINT64_C(0x9e3779b97f4a7c15), i);
		list[i].ping_us = 50000 + i;
	}
	for (uint64_t id = SLOTS + 1; id < 20000; id++) {
		uint64_t victim;
		unsigned i = 0;

		memcpy(copy, list, sizeof(list));
		victim = evict_choose(copy, SLOTS);
		assert_int_not_equal(victim, 0);
		while (list[i].peer != victim)
			i++;
		list[i] = candidate(id, id % groups * UINT64_C(0xc2b2ae3d27d4eb4f), (int64_t)id);
		if (better) {
			list[i].ping_us = 1;
			list[i].tx_at = list[i].block_at = (int64_t)id;
			list[i].block_only = id % 2;
		}
	}
	for (unsigned i = 0; i < SLOTS; i++)
		honest += list[i].peer <= SLOTS;
	return honest;
}

static void a_flood_pushes_few_out(void **state)
{
	(void)state;
	/* Of one group: they take each other's place. */
	assert_in_range(honest_after_flood(1, false), SLOTS - 2, SLOTS);
	assert_in_range(honest_after_flood(1, true), KEPT_BY_TIME, SLOTS);
	assert_in_range(honest_after_flood(1000, false), KEPT_BY_TIME, SLOTS);
	assert_in_range(honest_after_flood(1000, true), KEPT_BY_TIME, SLOTS);
}

/* ---- in a node ---- */

static struct rig rig;
static struct rig_node *node;

static int begin(void **state)
{
	struct peerd_options o = rig_options(0);

	(void)state;
	rig_init(&rig, 78);
	node = rig_add(&rig, &o);
	rig_mine(node, 20, 300, 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	rig_done(&rig);
	return 0;
}

static void turn(int64_t ms)
{
	rig_run(&rig, ms * PEERD_MS, NULL, NULL);
}

static void open_from(struct rig_stranger *s, const char *from)
{
	rig_stranger_dial_from(s, node, from);
	turn(50);
	if (s->peer == 0)
		return;
	rig_stranger_greet(s, true);
	turn(50);
	assert_false(s->closed);
}

/* All slots in use, most by one network group: a newcomer takes the place of that group's newest,
 * and who gave something new keeps its own. */
static void the_largest_group_makes_room(void **state)
{
	static struct rig_stranger s[42]; /* outlive what is under way */
	struct rc_tx_event gave = {.size = 100};
	struct net_addr bad;
	unsigned kept = 0;
	char from[32];

	(void)state;
	node->core->opt.max_inbound = 40;
	for (unsigned i = 0; i < 40; i++) {
		if (i < 15)
			snprintf(from, sizeof(from), "%u.1.1.1:7440", 20 + i);
		else
			snprintf(from, sizeof(from), "8.8.%u.1:7440", i);
		open_from(&s[i], from);
		assert_int_not_equal(s[i].peer, 0);
		assert_int_equal(s[i].heard[PEER_MSG_PING], 1);
		assert_true(core_peer(node->core, s[i].peer)->ping_best_us < 100000);
	}
	gave.peer = s[39].peer; /* the newest of the large group */
	peerd_chain_tx(node->core, &gave);
	open_from(&s[40], "9.9.9.9:7440");
	assert_int_not_equal(s[40].peer, 0);
	turn(50);
	for (unsigned i = 0; i < 15; i++)
		kept += !s[i].closed;
	assert_int_equal(kept, 15);
	assert_false(s[39].closed);
	for (unsigned i = 15; i < 40; i++)
		kept += !s[i].closed;
	assert_int_equal(kept, 39);
	assert_int_equal(node->core->counters[PEERD_EVICTED], 1);
	/* Nobody makes room for a discouraged one. */
	assert_true(net_addr_parse("10.1.1.1:9", 1, &bad));
	discouraged_add(node->core->discouraged, &bad, core_now(node->core) / PEERD_SECOND);
	open_from(&s[41], "10.1.1.1:9");
	assert_int_equal(s[41].peer, 0);
	assert_int_equal(node->core->counters[PEERD_EVICTED], 1);
	for (unsigned i = 0; i < 42; i++)
		rig_stranger_done(&s[i]);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_are_all_kept),
		cmocka_unit_test(each_merit_keeps),
		cmocka_unit_test(discouraged_ones_go_first),
		cmocka_unit_test(the_order_of_the_list_is_nothing),
		cmocka_unit_test(a_flood_pushes_few_out),
		ROW(the_largest_group_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
