/* Who gets a slot, and who keeps it: making room among inbound links, anchors, feelers. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "crypto/sha256.h"
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
	(void)state;
	node = rig_of_one(&rig, 78);
	return 0;
}

static int end(void **state)
{
	(void)state;
	rig_done(&rig);
	return 0;
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
		rig_open(&s[i], node, from);
		assert_int_not_equal(s[i].peer, 0);
		assert_int_equal(s[i].heard[PEER_MSG_PING], 1);
		assert_true(core_peer(node->core, s[i].peer)->ping_best_us < 100000);
	}
	gave.peer = s[39].peer; /* the newest of the large group */
	peerd_chain_tx(node->core, &gave);
	rig_open(&s[40], node, "9.9.9.9:7440");
	assert_int_not_equal(s[40].peer, 0);
	rig_turn(&rig, 50);
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
	rig_open(&s[41], node, "10.1.1.1:9");
	assert_int_equal(s[41].peer, 0);
	assert_int_equal(node->core->counters[PEERD_EVICTED], 1);
	for (unsigned i = 0; i < 42; i++)
		rig_stranger_done(&s[i]);
}

/* ---- anchors ---- */

static const uint8_t net_id[32] = {1, 2, 3};

static struct net_endpoint endpoint(const char *addr)
{
	struct net_endpoint e = {.has_key = true};
	uint8_t secret[32] = {0};

	secret[31] = (uint8_t)strlen(addr);
	assert_true(net_addr_parse(addr, 1, &e.addr));
	assert_true(rc_link_key_from_secret(secret, e.key));
	return e;
}

static int decode(const void *data, size_t len, struct anchors *ret)
{
	struct rc_error error = {0};

	return anchors_decode(data, len, net_id, ret, &error);
}

/* With a checksum that fits, so that what stands inside is what is judged. */
static int decode_sealed(uint8_t *data, size_t len, struct anchors *ret)
{
	rc_sha256(data, len - 32, data + len - 32);
	return decode(data, len, ret);
}

static void the_anchors_file(void **state)
{
	struct net_endpoint e[3] = {endpoint("1.2.3.4:5"), endpoint("[2a00::1]:77"),
				    endpoint("9.9.9.9:99")};
	struct anchors anchors = {0}, back = {0};
	struct rc_buf buf = RC_BUF_INIT;
	uint8_t *copy;

	(void)state;
	for (unsigned n = 0; n <= ANCHORS_MAX; n++) {
		rc_buf_clear(&buf);
		anchors_encode(&anchors, net_id, &buf);
		assert_true(buf.len <= ANCHORS_FILE_MAX);
		assert_int_equal(decode(buf.data, buf.len, &back), RC_OK);
		assert_int_equal(back.n, n);
		assert_memory_equal(back.list, anchors.list, n * sizeof(back.list[0]));
		anchors_add(&anchors, &e[n]);
		anchors_add(&anchors, &e[0]); /* it is there */
	}
	assert_int_equal(anchors.n, ANCHORS_MAX);
	copy = rc_alloc(buf.len + 1);
	/* Cut anywhere, grown, changed anywhere. */
	back.n = 77;
	for (size_t len = 0; len <= buf.len + 1; len++) {
		memcpy(copy, buf.data, len < buf.len ? len : buf.len);
		if (len != buf.len)
			assert_true(decode(copy, len, &back) < 0);
		if (len >= 33 && len != buf.len)
			assert_true(decode_sealed(copy, len, &back) < 0);
	}
	for (size_t i = 0; i < buf.len; i++) {
		memcpy(copy, buf.data, buf.len);
		copy[i] ^= 0x40;
		assert_true(decode(copy, buf.len, &back) < 0);
	}
	/* What the checksum doesn't see: another version, network, number, port 0, no key, twice.
	 */
	static const struct {
		size_t at;
		int err;
	} wrong[] = {{0, RC_EFORMAT}, {8, RC_EVERSION}, {10, RC_ENETWORK}, {42, RC_EFORMAT}};

	for (unsigned i = 0; i < RC_ARRAY_LEN(wrong); i++) {
		memcpy(copy, buf.data, buf.len);
		copy[wrong[i].at] ^= 0xff;
		assert_int_equal(decode_sealed(copy, buf.len, &back), wrong[i].err);
	}
	memcpy(copy, buf.data, buf.len);
	memset(copy + 43 + 16, 0, 2);
	assert_int_equal(decode_sealed(copy, buf.len, &back), RC_EFORMAT);
	memcpy(copy, buf.data, buf.len);
	copy[43 + 18] = 9;
	assert_int_equal(decode_sealed(copy, buf.len, &back), RC_EFORMAT);
	memcpy(copy, buf.data, buf.len);
	memcpy(copy + 43 + 51, copy + 43, 51);
	assert_int_equal(decode_sealed(copy, buf.len, &back), RC_EFORMAT);
	memcpy(copy, buf.data, buf.len);
	memset(copy + 43, 0, 16); /* :: is nobody's address */
	assert_int_equal(decode_sealed(copy, buf.len, &back), RC_EFORMAT);
	assert_int_equal(back.n, 77);
	free(copy);
	rc_buf_done(&buf);
}

/* Nodes 1 … n that dial nobody, known to node 0 by its seeds. */
static struct net_endpoint seeds[8];

static struct peerd_options seeded(unsigned n)
{
	struct peerd_options o;
	char text[32];

	for (unsigned i = 1; i <= n; i++) {
		o = rig_options(i);
		o.outbound = o.block_only = 0;
		if (rig.n <= i)
			rig_add(&rig, &o);
		snprintf(text, sizeof(text), "127.0.0.1:%u", 20000 + i);
		assert_true(net_endpoint_parse(text, 1, &seeds[i - 1]));
	}
	o = rig_options(0);
	o.seeds = seeds;
	o.n_seeds = n;
	return o;
}

static void anchors_are_dialled_first(void **state)
{
	struct peerd_options o = seeded(6);
	struct peerd *core;
	unsigned matched = 0;

	(void)state;
	rig_kill(node);
	o.outbound = 2;
	o.block_only = 2;
	rig_restart(node, &o);
	core = node->core;
	assert_false(connect_keep_anchors(core));
	rig_turn(&rig, 20000);
	assert_int_equal(connect_count(core, PEER_BLOCK_ONLY, true), 2);
	assert_true(connect_keep_anchors(core));
	assert_false(connect_keep_anchors(core)); /* nothing new */
	assert_int_equal(core->anchors.n, 2);
	node->anchors = core->anchors;
	/* Its book lost, or filled by somebody: it comes back to those. */
	rig_kill(node);
	o.n_seeds = 0;
	node->dials = 0;
	rig_restart(node, &o);
	core = node->core;
	rig_turn(&rig, 200);
	assert_int_equal(node->dials, 2);
	for (const struct peer *p = core->peers; p; p = p->hh.next) {
		assert_int_equal(p->role, PEER_BLOCK_ONLY);
		assert_int_equal(p->state, PEER_READY);
		assert_true(p->dialled_with_key);
		for (unsigned i = 0; i < 2; i++)
			matched += net_addr_eq(&p->addr, &node->anchors.list[i].addr);
	}
	assert_int_equal(matched, 2);
	assert_false(connect_keep_anchors(core));
	/* Lost ones are kept while there are no better; one that misbehaves isn't. */
	peerd_set_active(core, false);
	rig_turn(&rig, 100);
	assert_false(connect_keep_anchors(core));
	discouraged_add(core->discouraged, &node->anchors.list[0].addr,
			core_now(core) / PEERD_SECOND);
	assert_true(connect_keep_anchors(core));
	assert_int_equal(core->anchors.n, 1);
	assert_true(net_addr_eq(&core->anchors.list[0].addr, &node->anchors.list[1].addr));
}

static void linked_to_both_anchors(void)
{
	unsigned linked = 0;

	for (const struct peer *p = node->core->peers; p; p = p->hh.next) {
		for (unsigned i = 0; i < 2; i++)
			linked += p->role == PEER_BLOCK_ONLY && p->state == PEER_READY &&
				  net_addr_eq(&p->addr, &node->anchors.list[i].addr);
	}
	assert_int_equal(linked, 2);
}

/* A proxy that isn't up, or takes connections and says nothing, or no network, when dials fail at
 * once: no address is blamed for that, and the anchors are dialled once it works. */
static void no_way_blames_nobody(void **state)
{
	static const struct {
		bool down, silent, no_network;
		unsigned addnodes, dials, dials_most; /* most: as many as wait together */
	} ways[] = {
		{.silent = true, .addnodes = 1, 25, 5 * 15},
		{.down = true, .addnodes = 1, 25, 5 * 15},
		{.no_network = true, .addnodes = 1, 12, 15},
		{.no_network = true, .addnodes = 0, 12, 15}, /* an anchor comes first */
	};
	struct peerd_options o = seeded(6);

	(void)state;
	for (unsigned way = 0; way < RC_ARRAY_LEN(ways); way++) {
		rig_kill(node);
		for (unsigned i = 0; i < 2; i++) {
			node->anchors.list[i] = seeds[4 + i];
			node->anchors.list[i].has_key = true;
			memcpy(node->anchors.list[i].key, rig.nodes[5 + i].core->link_key,
			       RC_LINK_KEY_SIZE);
		}
		node->anchors.n = 2;
		o.outbound = 2;
		o.block_only = 2;
		o.addnode = &seeds[0];
		o.n_addnode = ways[way].addnodes;
		node->proxy_silent = ways[way].silent;
		node->proxy_down = ways[way].down;
		node->no_network = ways[way].no_network;
		node->dials = 0;
		rig_restart(node, &o);
		rig_turn(&rig, 120000);
		/* After 1, 2, 4, 8, 10, 10 … seconds, five at a time or the first only. */
		assert_in_range(node->dials, ways[way].dials, ways[way].dials_most);
		assert_int_equal(HASH_COUNT(node->core->backoffs), 0);
		for (unsigned i = 0; i < 6; i++) {
			const struct book_entry *e = book_find(node->core->book, &seeds[i].addr);

			assert_int_equal(e->attempts, 0);
			assert_int_equal(e->last_try, 0);
		}
		node->proxy_silent = node->proxy_down = node->no_network = false;
		rig_turn(&rig, 17000); /* what is dialled still, and the longest wait */
		linked_to_both_anchors();
		assert_int_equal(connect_count(node->core, PEER_OUTBOUND, true), 2);
		assert_int_equal(connect_count(node->core, PEER_MANUAL, true), o.n_addnode);
		/* From then on an address that fails is to blame. */
		assert_int_equal(node->core->way_failures, 0);
	}
}

/* With 'connect', or without links for blocks, nobody else is dialled. */
static void anchors_obey_the_options(void **state)
{
	struct peerd_options o = seeded(2);
	struct net_endpoint only = seeds[1];

	(void)state;
	rig_kill(node);
	node->anchors.list[0] = endpoint("127.0.0.1:20001");
	node->anchors.n = 1;
	o.n_seeds = 0;
	o.connect = &only;
	o.n_connect = 1;
	rig_restart(node, &o);
	rig_turn(&rig, 5000);
	assert_int_equal(node->dials, 1);
	assert_int_equal(connect_count(node->core, PEER_MANUAL, true), 1);
	rig_kill(node);
	o.n_connect = 0;
	o.block_only = 0;
	node->dials = 0;
	rig_restart(node, &o);
	rig_turn(&rig, 5000);
	assert_int_equal(node->dials, 0);
}

/* ---- feelers ---- */

static void feelers_learn_who_is_there(void **state)
{
	struct peerd_options o = seeded(5);
	struct peerd *core;
	unsigned there = 0;

	(void)state;
	rig_kill(node);
	assert_true(net_endpoint_parse("127.0.0.1:29999", 1, &seeds[5])); /* nobody's */
	o.n_seeds = 6;
	o.outbound = 1;
	o.block_only = 0;
	rig_restart(node, &o);
	core = node->core;
	rig_turn(&rig, 60000);
	assert_int_equal(connect_count(core, PEER_OUTBOUND, true), 1);
	rig_turn(&rig, 3600 * 1000);
	for (unsigned i = 0; i < 6; i++)
		there += book_find(core->book, &seeds[i].addr)->tried;
	assert_int_equal(there, 5);
	assert_true(core->counters[PEERD_FEELERS_ANSWERED] >= 3);
	assert_true(core->counters[PEERD_FEELERS] > core->counters[PEERD_FEELERS_ANSWERED]);
	assert_int_equal(HASH_COUNT(core->peers), 1);
	assert_int_equal(core->counters[PEERD_PENALTIES], 0);
	assert_true(book_find(core->book, &seeds[5].addr)->attempts > 0);
}

/* ---- a tip that stands still ---- */

static bool outbound_to(unsigned i)
{
	for (const struct peer *p = node->core->peers; p; p = p->hh.next) {
		if (p->role == PEER_OUTBOUND && p->state == PEER_READY &&
		    net_addr_eq(&p->addr, &rig.nodes[i].addr))
			return true;
	}
	return false;
}

/* All links it made are to nodes that keep new blocks to themselves: others are tried until one has
 * some, and that one stays. */
static void a_stale_tip_looks_elsewhere(void **state)
{
	struct peerd_options o = seeded(6);
	struct rig_block *before = node->tip;
	struct peerd *core;
	unsigned honest = 0;

	(void)state;
	o.block_only = 0;
	rig_kill(node);
	rig_restart(node, &o);
	rig_turn(&rig, 20000); /* all have its chain */
	rig_kill(node);
	rig.network.params.spacing = 150;
	o.outbound = 3;
	rig_restart(node, &o);
	core = node->core;
	rig_turn(&rig, 20000);
	assert_int_equal(connect_count(core, PEER_OUTBOUND, true), 3);
	for (unsigned i = 1; i <= 6 && !honest; i++)
		honest = outbound_to(i) ? 0 : i;
	/* No feeler is to bring the block: it is greeted only. */
	rig_mine(&rig.nodes[honest], 5, 1000, 1);
	rig_turn(&rig, 1450 * 1000);
	assert_int_equal(core->counters[PEERD_STALE_TIPS], 0);
	assert_int_equal(connect_count(core, PEER_OUTBOUND, true), 3);
	assert_ptr_equal(node->tip, before);
	rig_turn(&rig, 600 * 1000);
	assert_in_range(core->counters[PEERD_STALE_TIPS], 1, 12);
	assert_true(node->tip->height > before->height);
	assert_true(outbound_to(honest));
	assert_int_equal(connect_count(core, PEER_OUTBOUND, false), 3);
	/* With blocks as they should come nothing changes. */
	for (unsigned i = 0; i < 20; i++) {
		uint64_t dialled = core->counters[PEERD_DIALLED] - core->counters[PEERD_FEELERS],
			 looks = core->counters[PEERD_STALE_TIPS];

		rig_mine(&rig.nodes[honest], 1, 1000, 1);
		rig_turn(&rig, 300 * 1000);
		assert_int_equal(core->counters[PEERD_STALE_TIPS], looks);
		assert_int_equal(core->counters[PEERD_DIALLED] - core->counters[PEERD_FEELERS],
				 dialled);
	}
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
		cmocka_unit_test(the_anchors_file),
		ROW(anchors_are_dialled_first),
		ROW(no_way_blames_nobody),
		ROW(anchors_obey_the_options),
		ROW(feelers_learn_who_is_there),
		ROW(a_stale_tip_looks_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
