/* peerd's cores against each other: links, sync, relay, stalls, conduct, with time held. */
#include <string.h>

#include "peer_rig.h"

static void addnode(struct peerd_options *o, struct net_endpoint *to, unsigned port)
{
	char text[32];

	snprintf(text, sizeof(text), "127.0.0.1:%u", port);
	assert_true(net_endpoint_parse(text, 1, to));
	o->addnode = to;
	o->n_addnode = 1;
}

/* Nodes in a line: each knows the one before. */
static void line(struct rig *rig, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct peerd_options o = rig_options(i);
		struct net_endpoint to;

		if (i)
			addnode(&o, &to, 20000 + i - 1);
		rig_add(rig, &o);
	}
}

static bool all_linked(void *arg)
{
	struct rig *rig = arg;

	for (unsigned i = 0; i < rig->n; i++) {
		struct peer *p = rig->nodes[i].core->peers;

		if (!p || p->state != PEER_READY)
			return false;
	}
	return true;
}

/* What honest nodes do is within their budgets. */
static void nobody_was_over_budget(const struct rig *rig)
{
	for (unsigned i = 0; i < rig->n; i++)
		assert_int_equal(rig->nodes[i].core->counters[PEERD_OVER_BUDGET], 0);
}

static void two_nodes_link_and_sync(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 1);
	line(&rig, 2);
	rig_mine(&rig.nodes[0], 5000, 300, 0);
	assert_true(rig_run(&rig, 10 * PEERD_SECOND, all_linked, &rig));
	assert_true(rig_run(&rig, 120 * PEERD_SECOND, rig_agree, &rig));
	assert_int_equal(rig.nodes[1].blocks_taken, 5000);
	assert_int_equal(rig.nodes[1].duplicates, 0);
	/* A new block travels by itself. */
	rig_mine(&rig.nodes[1], 1, 500, 0);
	assert_true(rig_run(&rig, 5 * PEERD_SECOND, rig_agree, &rig));
	nobody_was_over_budget(&rig);
	rig_done(&rig);
}

static void a_fork_is_found(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 2);
	line(&rig, 3);
	rig_mine(&rig.nodes[0], 50, 300, 1);
	rig_mine(&rig.nodes[1], 60, 300, 2);
	rig_mine(&rig.nodes[2], 70, 300, 3);
	assert_true(rig_run(&rig, 60 * PEERD_SECOND, rig_agree, &rig));
	assert_int_equal(rig.nodes[0].tip->height, 70);
	nobody_was_over_budget(&rig);
	rig_done(&rig);
}

static void gossip_links_everybody(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 3);
	line(&rig, 8);
	rig_run(&rig, 120 * PEERD_SECOND, NULL, NULL);
	for (unsigned i = 0; i < rig.n; i++) {
		struct rig_node *node = &rig.nodes[i];

		/* The first ones were dialled by the others, and have no need to dial back. */
		assert_in_range(HASH_COUNT(node->core->peers), 5, 9);
		assert_true(book_count(node->core->book) >= 5);
	}
	nobody_was_over_budget(&rig);
	rig_done(&rig);
}

static bool paid(void *arg)
{
	struct rig *rig = arg;

	for (unsigned i = 1; i < rig->n; i++) {
		if (HASH_COUNT(rig->nodes[i].pool) != HASH_COUNT(rig->nodes[0].pool))
			return false;
	}
	return true;
}

static void transactions_reach_everybody(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 4);
	line(&rig, 5);
	for (uint32_t i = 0; i < 500; i++)
		rig_pay(&rig.nodes[0], i); /* before there are links: told on connecting */
	assert_true(rig_run(&rig, 10 * PEERD_SECOND, all_linked, &rig));
	for (uint32_t i = 500; i < 2000; i++)
		rig_pay(&rig.nodes[0], i);
	assert_true(rig_run(&rig, 60 * PEERD_SECOND, paid, &rig));
	assert_int_equal(HASH_COUNT(rig.nodes[4].pool), 2000);
	/* Each came once. */
	assert_int_equal(rig.nodes[4].core->counters[PEERD_TXS_RECEIVED], 2000);
	nobody_was_over_budget(&rig);
	rig_done(&rig);
}

/* Answers of the pool that are full before all is in them: the rest is asked for again, not called
 * absent. */
static void full_answers_of_the_pool(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 16);
	line(&rig, 2);
	assert_true(rig_run(&rig, 10 * PEERD_SECOND, all_linked, &rig));
	rig.nodes[0].pool_most = 7;
	for (uint32_t i = 0; i < 300; i++)
		rig_pay(&rig.nodes[0], i);
	assert_true(rig_run(&rig, 60 * PEERD_SECOND, paid, &rig));
	assert_int_equal(rig.nodes[1].core->counters[PEERD_TXS_ASKED], 300);
	assert_int_equal(rig.nodes[1].core->received_by_type[PEER_MSG_NOTFOUND], 0);
	rig_done(&rig);
}

/* Many sources, one of which takes requests and says nothing. */
static void a_stalled_peer_is_replaced(void **state)
{
	struct rig rig;
	struct peerd_options o;
	struct net_endpoint to[4];
	char text[32];

	(void)state;
	rig_init(&rig, 5);
	for (unsigned i = 0; i < 4; i++) {
		o = rig_options(i);
		o.outbound = o.block_only = 0;
		rig_add(&rig, &o);
		rig_mine(&rig.nodes[i], 2000, 1000, 0);
	}
	o = rig_options(4);
	for (unsigned i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "127.0.0.1:%u", 20000 + i);
		assert_true(net_endpoint_parse(text, 1, &to[i]));
	}
	o.connect = to;
	o.n_connect = 4;
	rig_add(&rig, &o);
	assert_true(rig_run(&rig, 10 * PEERD_SECOND, all_linked, &rig));
	rig_run(&rig, 20 * PEERD_MS, NULL, NULL);
	rig.nodes[1].silent = true;
	assert_true(rig_run(&rig, 120 * PEERD_SECOND, rig_agree, &rig));
	assert_int_equal(rig.nodes[4].blocks_taken, 2000);
	rig.nodes[1].silent = false;
	rig_done(&rig);
}

static void a_killed_node_comes_back(void **state)
{
	struct rig rig;
	struct peerd_options o;
	struct net_endpoint to;

	(void)state;
	rig_init(&rig, 6);
	line(&rig, 3);
	rig_mine(&rig.nodes[0], 300, 300, 0);
	assert_true(rig_run(&rig, 30 * PEERD_SECOND, rig_agree, &rig));
	rig_kill(&rig.nodes[1]);
	rig_mine(&rig.nodes[0], 10, 300, 0);
	rig_run(&rig, 5 * PEERD_SECOND, NULL, NULL);
	o = rig_options(1);
	addnode(&o, &to, 20000);
	rig_restart(&rig.nodes[1], &o);
	assert_true(rig_run(&rig, 60 * PEERD_SECOND, rig_agree, &rig));
	rig_done(&rig);
}

static bool lonely(void *arg)
{
	struct rig_node *node = arg;

	return HASH_COUNT(node->core->peers) == 0;
}

static void who_sends_an_invalid_block_is_cut(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 7);
	line(&rig, 2);
	assert_true(rig_run(&rig, 10 * PEERD_SECOND, all_linked, &rig));
	rig.nodes[0].refuse = "tx-overspend";
	for (unsigned i = 0; i < 6; i++) {
		rig_mine(&rig.nodes[1], 1, 300, (uint8_t)i);
		rig_run(&rig, PEERD_SECOND, NULL, NULL);
	}
	assert_true(rig.nodes[0].core->counters[PEERD_PENALTIES] > 0);
	assert_true(rig_run(&rig, 60 * PEERD_SECOND, lonely, &rig.nodes[0]));
	rig_done(&rig);
}

static bool linked_to_nobody(void *arg)
{
	struct rig *rig = arg;

	return !all_linked(rig);
}

static void a_silent_link_is_given_up(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 8);
	line(&rig, 2);
	assert_true(rig_run(&rig, 10 * PEERD_SECOND, all_linked, &rig));
	rig_run(&rig, 30 * PEERD_SECOND, NULL, NULL);
	rig.nodes[1].silent = true;
	rig_mine(&rig.nodes[0], 1, 300, 0);
	/* Ping after 5 s, given up 20 s later. */
	rig_run(&rig, 22 * PEERD_SECOND, NULL, NULL);
	assert_true(all_linked(&rig));
	assert_true(rig_run(&rig, 6 * PEERD_SECOND, linked_to_nobody, &rig));
	rig.nodes[1].silent = false;
	assert_true(rig_run(&rig, 120 * PEERD_SECOND, all_linked, &rig));
	assert_true(rig_run(&rig, 60 * PEERD_SECOND, rig_agree, &rig));
	rig_done(&rig);
}

static void chaind_may_restart(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 9);
	line(&rig, 2);
	assert_true(rig_run(&rig, 10 * PEERD_SECOND, all_linked, &rig));
	rig.nodes[1].chain_up = false;
	peerd_chain_state(rig.nodes[1].core, false, false);
	rig_mine(&rig.nodes[0], 30, 300, 0);
	rig_run(&rig, 10 * PEERD_SECOND, NULL, NULL);
	rig.nodes[1].chain_up = true;
	peerd_chain_state(rig.nodes[1].core, true, true);
	assert_true(rig_run(&rig, 20 * PEERD_SECOND, rig_agree, &rig));
	rig_done(&rig);
}

/* chaind counts a long branch first: it is asked for again, and then kept. */
static void a_counted_branch_is_asked_twice(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 14);
	line(&rig, 2);
	rig_mine(&rig.nodes[0], 9000, 300, 0);
	rig.nodes[1].count_until = 8500;
	assert_true(rig_run(&rig, 120 * PEERD_SECOND, rig_agree, &rig));
	assert_int_equal(rig.nodes[1].core->counters[PEERD_PENALTIES], 0);
	assert_in_range(rig.nodes[1].core->counters[PEERD_HEADERS_RECEIVED], 18000, 26000);
	nobody_was_over_budget(&rig);
	rig_done(&rig);
}

/* One that never has enough is asked for no more than now and then. */
static void a_branch_counted_in_vain(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 15);
	line(&rig, 2);
	rig_mine(&rig.nodes[0], 9000, 300, 0);
	rig.nodes[1].count_until = 1000000;
	rig_run(&rig, 240 * PEERD_SECOND, NULL, NULL);
	assert_int_equal(HASH_COUNT(rig.nodes[1].blocks), 1);
	assert_true(all_linked(&rig));
	assert_in_range(rig.nodes[1].core->counters[PEERD_HEADERS_RECEIVED], 9000, 30000);
	assert_int_equal(rig.nodes[1].core->counters[PEERD_PENALTIES], 0);
	rig_done(&rig);
}

/* Two runs of one seed are the same run. */
static void a_seed_is_a_run(void **state)
{
	uint64_t bytes[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct rig rig;

		rig_init(&rig, 10);
		line(&rig, 4);
		rig_mine(&rig.nodes[2], 100, 1000, 0);
		rig_run(&rig, 60 * PEERD_SECOND, NULL, NULL);
		assert_true(rig_agree(&rig));
		bytes[i] = 0;
		for (struct peer *p = rig.nodes[1].core->peers; p; p = p->hh.next)
			bytes[i] = bytes[i] * 31 + rc_link_bytes_in(p->link);
		rig_done(&rig);
	}
	assert_true(bytes[0] == bytes[1]);
}

/* As where this host has no route to it: later again, and of a single try nothing stays. */
static void a_dial_that_fails_at_once(void **state)
{
	struct peerd_options o = rig_options(0);
	struct rig_node *node;
	struct rig rig;

	(void)state;
	rig_init(&rig, 11);
	node = rig_add(&rig, &o);
	node->no_route = true;
	assert_int_equal(peerd_add_node(node->core, "127.0.0.1:20001", "onetry", NULL), RC_OK);
	rig_run(&rig, 30 * PEERD_SECOND, NULL, NULL);
	assert_int_equal(node->dials, 1);
	assert_int_equal(node->core->n_manual, 0);
	assert_int_equal(peerd_add_node(node->core, "127.0.0.1:20001", "add", NULL), RC_OK);
	rig_run(&rig, 30 * PEERD_SECOND, NULL, NULL);
	assert_in_range(node->dials, 4, 6); /* after 1, 2, 4 … seconds */
	rig_done(&rig);
}

/* What is told to a node in its download it can't judge yet, and is told again after it. */
static void a_newcomer_gets_the_pool(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 13);
	line(&rig, 2);
	rig_mine(&rig.nodes[0], 5000, 1000, 0);
	for (uint32_t i = 0; i < 100; i++)
		rig_pay(&rig.nodes[0], i);
	assert_true(rig_run(&rig, 120 * PEERD_SECOND, rig_agree, &rig));
	assert_true(rig_run(&rig, 60 * PEERD_SECOND, paid, &rig));
	nobody_was_over_budget(&rig);
	rig_done(&rig);
}

/* A node known by two addresses, as one of IPv4 and one of IPv6: one link, and no more dials. */
static void two_addresses_one_link(void **state)
{
	struct peerd_options o;
	struct net_endpoint to[2];
	struct rig rig;

	(void)state;
	rig_init(&rig, 12);
	o = rig_options(0);
	assert_true(net_addr_parse("127.0.0.2:20000", 1, &rig_add(&rig, &o)->alias));
	o = rig_options(1);
	assert_true(net_endpoint_parse("127.0.0.2:20000", 1, &to[0]));
	assert_true(net_endpoint_parse("127.0.0.1:20000", 1, &to[1]));
	o.addnode = to;
	o.n_addnode = 2;
	rig_add(&rig, &o);
	rig_run(&rig, 600 * PEERD_SECOND, NULL, NULL);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(HASH_COUNT(rig.nodes[i].core->peers), 1);
		assert_in_range(rig.nodes[i].dials, 0, 4);
	}
	/* Another machine takes the address that isn't linked: it is found, though nobody tells. */
	memset(&rig.nodes[0].alias, 0, sizeof(rig.nodes[0].alias));
	o = rig_options(2);
	assert_true(net_addr_parse("127.0.0.2:20000", 1, &rig_add(&rig, &o)->alias));
	rig_run(&rig, 3700 * PEERD_SECOND, NULL, NULL);
	assert_true(connect_count(rig.nodes[1].core, PEER_MANUAL, true) +
			    connect_count(rig.nodes[1].core, PEER_INBOUND, true) >=
		    2);
	rig_done(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_nodes_link_and_sync),
		cmocka_unit_test(a_fork_is_found),
		cmocka_unit_test(gossip_links_everybody),
		cmocka_unit_test(transactions_reach_everybody),
		cmocka_unit_test(full_answers_of_the_pool),
		cmocka_unit_test(a_stalled_peer_is_replaced),
		cmocka_unit_test(a_killed_node_comes_back),
		cmocka_unit_test(who_sends_an_invalid_block_is_cut),
		cmocka_unit_test(a_silent_link_is_given_up),
		cmocka_unit_test(chaind_may_restart),
		cmocka_unit_test(a_counted_branch_is_asked_twice),
		cmocka_unit_test(a_branch_counted_in_vain),
		cmocka_unit_test(a_seed_is_a_run),
		cmocka_unit_test(a_dial_that_fails_at_once),
		cmocka_unit_test(a_newcomer_gets_the_pool),
		cmocka_unit_test(two_addresses_one_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
