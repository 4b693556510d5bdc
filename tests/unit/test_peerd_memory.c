/* What links hold in a node's memory: peers of one network group that have it queue much and don't
 * read, or send halves, hold no more than their group may, and nobody else waits for that; honest
 * ones of one group, slow and many, are served later and kept. */
#include <stdlib.h>
#include <string.h>

#include "peer_rig.h"
#include "proto/peer.pb-c.h"

#define MIB	  (1u << 20)
#define BLOCKS	  6
#define BLOCK	  1900000
#define STRANGERS 20

static struct rig rig;
static struct rig_node *node;
static struct rig_stranger s[STRANGERS], good; /* outlive what is under way */

static int begin(void **state)
{
	(void)state;
	node = rig_of_one(&rig, 80);
	memset(s, 0, sizeof(s));
	return 0;
}

static int end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < STRANGERS; i++) {
		if (s[i].end)
			rig_stranger_done(&s[i]);
	}
	if (good.end)
		rig_stranger_done(&good);
	memset(&good, 0, sizeof(good));
	rig_done(&rig);
	return 0;
}

/* The first n strangers, all of one network group; a good one of another. */
static void open_all(unsigned n, const char *format)
{
	char from[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(from, sizeof(from), format, i + 1);
		assert_true(rig_open(&s[i], node, from));
	}
	assert_true(rig_open(&good, node, "9.9.9.9:7440"));
}

static size_t group_holds(enum memory_kind kind)
{
	size_t most = 0;

	memory_count(node->core);
	for (const struct peer *p = node->core->peers; p; p = p->hh.next) {
		if (p->group && p->group->held[kind] > most)
			most = p->group->held[kind];
	}
	return most;
}

static unsigned n_closed(unsigned n)
{
	unsigned closed = 0;

	for (unsigned i = 0; i < n; i++)
		closed += s[i].closed;
	return closed;
}

static void send_packed(struct rig_stranger *to, uint16_t type, const ProtobufCMessage *m)
{
	RC_AUTOFREE uint8_t *data = rc_alloc(protobuf_c_message_get_packed_size(m));

	rig_stranger_send(to, RC_LINK_CONTROL, type, data, protobuf_c_message_pack(m, data));
}

/* The newest n blocks. */
static void ask_blocks(struct rig_stranger *to, unsigned n)
{
	Rc__P2p__GetData m = RC__P2P__GET_DATA__INIT;
	uint8_t items[BLOCKS][PEER_ITEM_SIZE];
	const struct rig_block *b = node->tip;

	for (unsigned i = 0; i < n; i++, b = b->parent) {
		items[i][0] = PEER_ITEM_BLOCK;
		memcpy(items[i] + 1, b->id.b, 32);
	}
	m.items.data = items[0];
	m.items.len = n * PEER_ITEM_SIZE;
	send_packed(to, PEER_MSG_GETDATA, &m.base);
}

/* As much as may wait, of transactions that aren't here. */
static void ask_much(struct rig_stranger *to)
{
	enum { N = 4999 };
	Rc__P2p__GetData m = RC__P2P__GET_DATA__INIT;
	RC_AUTOFREE uint8_t *items = rc_alloc_array(N, PEER_ITEM_SIZE);

	for (uint32_t i = 0; i < N; i++) {
		items[i * PEER_ITEM_SIZE] = PEER_ITEM_WTXID;
		memcpy(items + i * PEER_ITEM_SIZE + 1, &i, sizeof(i));
	}
	m.items.data = items;
	m.items.len = N * PEER_ITEM_SIZE;
	send_packed(to, PEER_MSG_GETDATA, &m.base);
}

/* ---- what goes out ---- */

static bool has_all(void *stranger)
{
	return ((struct rig_stranger *)stranger)->heard[PEER_MSG_BLOCK] == BLOCKS;
}

/* All of one group ask for blocks and read nothing. */
static void the_deaf_fill_their_group_alone(void **state)
{
	size_t most = 16 * MIB + rig.network.params.block_limit, reached = 0;
	uint64_t ended;

	(void)state;
	rig_mine(node, BLOCKS, BLOCK, 0);
	open_all(STRANGERS, "8.8.%u.1:7440");
	for (unsigned i = 0; i < STRANGERS; i++) {
		s[i].deaf = true;
		ask_blocks(&s[i], BLOCKS);
	}
	for (unsigned ms = 0; ms < 3000; ms++) {
		size_t now = group_holds(MEMORY_OUT);

		if (ms == 1000)
			ask_blocks(&good, BLOCKS);
		reached = now > reached ? now : reached;
		assert_true(now < most + 100000); /* and what small things there are */
		rig_turn(&rig, 1);
	}
	assert_true(reached > 12 * MIB);
	assert_int_equal(good.heard[PEER_MSG_BLOCK], BLOCKS);
	assert_int_equal(n_closed(STRANGERS), 0);
	/* Who comes to be wanted takes the place of those who don't take what they have. */
	rig_stranger_listen(&s[STRANGERS - 1]);
	assert_true(rig_run(&rig, 25 * PEERD_SECOND, has_all, &s[STRANGERS - 1]));
	assert_false(s[STRANGERS - 1].closed);
	ended = node->core->counters[PEERD_MEMORY_ENDED];
	assert_in_range(ended, 1, STRANGERS - 1);
	assert_int_equal(n_closed(STRANGERS), ended);
	assert_int_equal(discouraged_count(node->core->discouraged), 0);
	assert_false(good.closed);
}

/* Nor do small questions with long answers: headers. */
static void headers_nobody_takes(void **state)
{
	enum { N = 12 };
	Rc__P2p__GetHeaders ask = RC__P2P__GET_HEADERS__INIT;

	(void)state;
	rig_mine(node, 2000, 200, 0);
	open_all(N, "8.8.%u.1:7440");
	ask.locator.data = rig.network.genesis_id.b;
	ask.locator.len = 32;
	for (unsigned i = 0; i < N; i++)
		s[i].deaf = true;
	for (unsigned round = 0; round < 60; round++) {
		for (unsigned i = 0; i < N; i++)
			send_packed(&s[i], PEER_MSG_GETHEADERS, &ask.base);
		rig_turn(&rig, 10);
	}
	/* Beyond the bound, what each may hold whatever the others do, and two answers. */
	assert_in_range(group_holds(MEMORY_OUT), 14 * MIB,
			16 * MIB + N * (MEMORY_FREE + 2 * 118 * 2000));
	send_packed(&good, PEER_MSG_GETHEADERS, &ask.base);
	rig_turn(&rig, 200);
	assert_int_equal(good.heard[PEER_MSG_HEADERS], 1);
}

/* However much is asked for, what isn't answered yet keeps no answer waiting, and once it is
 * answered it is gone. */
static void questions_take_no_room_from_answers(void **state)
{
	struct peer *first;

	(void)state;
	rig_mine(node, BLOCKS, BLOCK, 0);
	node->core->opt.memory[MEMORY_OUT].group = 0; /* twice the largest block */
	open_all(STRANGERS, "8.8.%u.1:7440");
	first = core_peer(node->core, s[0].peer);
	for (unsigned i = 0; i < STRANGERS - 1; i++)
		ask_much(&s[i]);
	rig_turn(&rig, 20000); /* in the group's budget of time */
	assert_int_equal(first->n_items, 0);
	assert_int_equal(first->items_cap, 0);
	assert_true(group_holds(MEMORY_OUT) < 1000);
	/* While they wait. */
	for (unsigned i = 0; i < STRANGERS - 1; i++) {
		core_peer(node->core, s[i].peer)->serving = 2;
		ask_much(&s[i]);
	}
	rig_turn(&rig, 20);
	for (unsigned i = 0; i < STRANGERS - 1; i++)
		core_peer(node->core, s[i].peer)->serving = 0;
	assert_int_equal(first->n_items, 4999);
	assert_true(group_holds(MEMORY_OUT) < 1000);
	ask_blocks(&s[STRANGERS - 1], BLOCKS);
	assert_true(rig_run(&rig, 20 * PEERD_SECOND, has_all, &s[STRANGERS - 1]));
	assert_int_equal(n_closed(STRANGERS), 0);
}

/* Who holds much for all of them ends; who is slow with little, of another group, is kept. */
static void who_is_slow_with_little_is_kept(void **state)
{
	enum { N = 6 };

	(void)state;
	rig_mine(node, 1, 300000, 0);
	node->core->opt.memory[MEMORY_OUT].all = 12 * MIB;
	rig.window = 128 << 10;
	open_all(1, "7.7.%u.1:7440");
	s[0].deaf = true;
	ask_blocks(&s[0], 1);
	rig_turn(&rig, 100);
	rig_mine(node, BLOCKS, BLOCK, 0);
	for (unsigned i = 1; i < N; i++) {
		char from[32];

		snprintf(from, sizeof(from), "8.%u.1.1:7440", i);
		assert_true(rig_open(&s[i], node, from));
		s[i].deaf = true;
		ask_blocks(&s[i], BLOCKS);
	}
	rig_turn(&rig, 1000);
	assert_true(peer_queued(core_peer(node->core, s[0].peer)) > 100000);
	memory_count(node->core);
	assert_true(node->core->held[MEMORY_OUT] > 6 * MIB);
	rig_turn(&rig, 14000);
	assert_in_range(n_closed(N), 1, N - 1);
	assert_false(s[0].closed);
	assert_true(node->core->held[MEMORY_OUT] <= 6 * MIB);
}

/* A list that chaind doesn't give is asked for again. */
static void the_pool_is_told_though_chaind_was_busy(void **state)
{
	(void)state;
	rig_pay(node, 1);
	node->pool_away = true;
	open_all(1, "8.8.%u.1:7440");
	rig_turn(&rig, 5000);
	assert_in_range(node->pool_lists, 2, 7); /* one a second */
	assert_int_equal(s[0].heard[PEER_MSG_INV], 0);
	node->pool_away = false;
	rig_turn(&rig, 10000);
	assert_int_equal(s[0].heard[PEER_MSG_INV], 1);
	assert_int_equal(good.heard[PEER_MSG_INV], 1);
}

/* Nor does it keep the pool from being told that others hold more than half of what all may. */
static void the_pool_is_told_beside_the_slow(void **state)
{
	enum { N = 6 };

	(void)state;
	rig_mine(node, BLOCKS, BLOCK, 0);
	rig_pay(node, 1);
	node->core->opt.memory[MEMORY_OUT].all = 14 * MIB;
	for (unsigned i = 0; i < N; i++) {
		char from[32];

		snprintf(from, sizeof(from), "8.%u.1.1:7440", i + 1);
		assert_true(rig_open(&s[i], node, from));
		s[i].deaf = true;
		ask_blocks(&s[i], 1);
	}
	rig_turn(&rig, 1500);
	memory_count(node->core);
	assert_true(node->core->held[MEMORY_OUT] > 7 * MIB);
	assert_true(rig_open(&good, node, "9.9.9.9:7440"));
	rig_turn(&rig, 5000);
	assert_true(node->core->held[MEMORY_OUT] > 7 * MIB);
	assert_int_equal(good.heard[PEER_MSG_INV], 1);
}

/* The pool is told to a few at a time, and to all in the end. */
static void the_pool_is_told_by_and_by(void **state)
{
	size_t list = 16384 * 32, most; /* what 10,000 entries take of a peer's */

	(void)state;
	for (uint32_t i = 0; i < 10000; i++)
		rig_pay(node, i);
	node->core->opt.memory[MEMORY_OUT].group = 0; /* twice the largest block */
	most = memory_group_most(node->core, MEMORY_OUT);
	for (unsigned i = 0; i < STRANGERS; i++) {
		char from[32];

		snprintf(from, sizeof(from), "8.8.%u.1:7440", i + 1);
		assert_true(rig_open(&s[i], node, from));
		s[i].deaf = true;
	}
	for (unsigned i = 0; i < 30; i++) {
		rig_turn(&rig, 100);
		assert_true(group_holds(MEMORY_OUT) <= most + list + 500000);
	}
	for (unsigned i = 0; i < STRANGERS; i++)
		rig_stranger_listen(&s[i]);
	rig_turn(&rig, 30000);
	assert_int_equal(node->core->counters[PEERD_TXS_ANNOUNCED], STRANGERS * 10000);
	assert_int_equal(n_closed(STRANGERS), 0);
}

/* Honest nodes of a private network take blocks over lines of 100 kB/s. */
static void slow_ones_of_one_group_are_kept(void **state)
{
	enum { N = 16 };
	size_t reached = 0;

	(void)state;
	rig.window = 1024; /* in 10 ms */
	rig_mine(node, BLOCKS, BLOCK / 2, 0);
	open_all(N, "10.1.1.%u:7440");
	for (unsigned i = 0; i < N; i++)
		ask_blocks(&s[i], BLOCKS);
	for (unsigned second = 0; second < 90; second++) {
		size_t now = group_holds(MEMORY_OUT);

		reached = now > reached ? now : reached;
		rig_turn(&rig, 1000);
	}
	assert_true(reached > 12 * MIB);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(s[i].heard[PEER_MSG_BLOCK], BLOCKS);
		assert_false(s[i].closed);
	}
	assert_int_equal(node->core->counters[PEERD_MEMORY_ENDED], 0);
}

/* ---- what comes in ---- */

enum { HALVES = 12 };

static struct rc_buf rest[STRANGERS];

/* A block but for its end, which stays in rest; until that is sent it says nothing else. */
static void send_half_but(unsigned i, size_t but)
{
	static const uint8_t block[BLOCK];
	struct rc_buf buf = RC_BUF_INIT, all = RC_BUF_INIT;
	size_t most;

	peer_message_put_raw((struct rc_bytes){block, sizeof(block)}, &buf);
	assert_int_equal(rc_link_send(s[i].link, RC_LINK_BULK, PEER_MSG_BLOCK, buf.data, buf.len),
			 RC_OK);
	rc_link_pull(s[i].link, &all, SIZE_MAX / 2);
	most = all.len - but;
	s[i].deaf = true;
	rig_stranger_write(&s[i], all.data, most);
	rest[i] = (struct rc_buf)RC_BUF_INIT;
	rc_buf_put(&rest[i], all.data + most, all.len - most);
	rc_buf_done(&buf);
	rc_buf_done(&all);
}

static void send_half(unsigned i)
{
	send_half_but(i, 1000);
}

static void send_rest(unsigned i)
{
	if (!s[i].closed)
		rig_stranger_write(&s[i], rest[i].data, rest[i].len);
	rc_buf_done(&rest[i]);
	rig_stranger_listen(&s[i]);
}

static void send_good_block(void)
{
	struct rc_buf buf = RC_BUF_INIT;
	uint64_t before = node->core->received_by_type[PEER_MSG_BLOCK];

	peer_message_put_raw((struct rc_bytes){node->tip->body, node->tip->len}, &buf);
	rig_stranger_send(&good, RC_LINK_BULK, PEER_MSG_BLOCK, buf.data, buf.len);
	rig_turn(&rig, 100);
	assert_int_equal(node->core->received_by_type[PEER_MSG_BLOCK], before + 1);
	rc_buf_done(&buf);
}

static void open_halves(void)
{
	rig_mine(node, 1, BLOCK, 0);
	open_all(HALVES, "8.8.%u.1:7440");
	for (unsigned i = 0; i < HALVES; i++)
		send_half(i);
	rig_turn(&rig, 500);
	assert_in_range(group_holds(MEMORY_HALF), 16 * MIB - BLOCK,
			16 * MIB + HALVES * 2 * MEMORY_FREE); /* their buffers double */
	assert_true(node->core->counters[PEERD_MEMORY_WAITS] > 0);
	assert_int_equal(n_closed(HALVES), 0);
	send_good_block();
}

/* Blocks of many peers of one group at a time: some are read later, all come. */
static void halves_wait_for_one_another(void **state)
{
	uint64_t before;

	(void)state;
	open_halves();
	before = node->core->received_by_type[PEER_MSG_BLOCK];
	for (unsigned i = 0; i < HALVES; i++)
		send_rest(i);
	rig_turn(&rig, 30000); /* nobody asked for them: that costs their group time */
	assert_int_equal(node->core->received_by_type[PEER_MSG_BLOCK], before + HALVES);
	assert_int_equal(n_closed(HALVES), 0);
	assert_int_equal(group_holds(MEMORY_HALF), 0);
	assert_false(node->core->memory_waits);
}

/* Of those that don't go on, as many end as must for the others to be read. */
static void halves_that_stay_halves(void **state)
{
	(void)state;
	open_halves();
	rig_turn(&rig, 8000);
	assert_int_equal(n_closed(HALVES), 0);
	rig_turn(&rig, 5000);
	assert_in_range(n_closed(HALVES), 1, 2);
	assert_true(s[0].closed); /* that began first */
	assert_int_equal(node->core->counters[PEERD_MEMORY_ENDED], n_closed(HALVES));
	send_good_block();
	for (unsigned i = 0; i < HALVES; i++)
		send_rest(i);
}

/* Halves too small to wait for a turn, whose number fills their group, have a time. */
static void small_halves_have_their_time(void **state)
{
	(void)state;
	node->core->opt.memory[MEMORY_HALF].group = 0; /* twice the largest block */
	open_all(STRANGERS, "8.8.%u.1:7440");
	for (unsigned i = 0; i < STRANGERS; i++)
		send_half_but(i, BLOCK - 230000);
	rig_turn(&rig, 15000);
	assert_int_equal(n_closed(STRANGERS), 0);
	assert_true(group_holds(MEMORY_HALF) >= memory_group_most(node->core, MEMORY_HALF));
	rig_turn(&rig, 10000);
	/* As many as must. */
	assert_in_range(n_closed(STRANGERS), 1, STRANGERS / 2);
	assert_true(group_holds(MEMORY_HALF) < memory_group_most(node->core, MEMORY_HALF));
	for (unsigned i = 0; i < STRANGERS; i++)
		rc_buf_done(&rest[i]);
}

/* Who sends just fast enough not to be slow doesn't keep its turn. */
static void a_turn_has_its_end(void **state)
{
	enum { A_SECOND = 40000 };
	size_t at = 0;

	(void)state;
	rig_mine(node, 1, BLOCK, 0);
	open_all(HALVES, "8.8.%u.1:7440");
	send_half_but(0, 1600000);
	for (unsigned i = 1; i < HALVES; i++)
		send_half(i);
	for (unsigned second = 0; second < 24 && !s[0].closed; second++) {
		rig_stranger_write(&s[0], rest[0].data + at, A_SECOND);
		at += A_SECOND;
		rig_turn(&rig, 1000);
		assert_true(second > 17 || !s[0].closed);
	}
	assert_true(s[0].closed);
	for (unsigned i = 1; i < HALVES; i++)
		assert_false(s[i].closed);
	for (unsigned i = 0; i < HALVES; i++)
		send_rest(i);
}

/* Who was asked for a block goes on before those who weren't. */
static void who_was_asked_has_the_turn(void **state)
{
	const struct rc_block_id id = {.b = {1}};
	struct peer *last;

	(void)state;
	open_halves();
	last = core_peer(node->core, s[HALVES - 1].peer);
	assert_ptr_equal(last->group->turn, core_peer(node->core, s[0].peer));
	assert_true(inflight_add(&node->core->inflight, &id, 1, last->id));
	memory_count(node->core);
	assert_ptr_equal(last->group->turn, last);
	inflight_take(&node->core->inflight, &id);
	for (unsigned i = 0; i < HALVES; i++)
		send_rest(i);
}

/* What waits for chaind counts: the group's others finish no block until chaind has taken some. */
static void what_chaind_has_in_hand_counts(void **state)
{
	uint64_t before;

	(void)state;
	rig_mine(node, 1, BLOCK, 0);
	open_all(2, "8.8.%u.1:7440");
	core_peer(node->core, s[0].peer)->chain_bytes = 16 * MIB;
	before = node->core->received_by_type[PEER_MSG_BLOCK];
	send_half(1);
	send_rest(1);
	rig_turn(&rig, 2000);
	assert_int_equal(node->core->received_by_type[PEER_MSG_BLOCK], before);
	assert_in_range(group_holds(MEMORY_HALF), 1, 2 * MEMORY_FREE);
	send_good_block();
	core_peer(node->core, s[0].peer)->chain_bytes = 0;
	rig_turn(&rig, 1000);
	assert_int_equal(node->core->received_by_type[PEER_MSG_BLOCK], before + 2);
	assert_int_equal(n_closed(2), 0);
}

static size_t chain_holds(void)
{
	memory_count(node->core);
	return node->core->held[MEMORY_CHAIN];
}

/* What is on its way to chaind is counted, and no more once it has answered. */
static void what_goes_to_chaind_is_counted(void **state)
{
	struct rig_node *other;
	struct peerd_options o = rig_options(1);
	struct net_endpoint first;
	size_t reached = 0;

	(void)state;
	rig_mine(node, BLOCKS, BLOCK, 0);
	assert_true(net_endpoint_parse("127.0.0.1:20000", 1, &first));
	o.connect = &first;
	o.n_connect = 1;
	other = rig_add(&rig, &o);
	node = other;
	for (unsigned i = 0; i < 20000 && !rig_agree(&rig); i++) {
		size_t now = chain_holds();

		reached = now > reached ? now : reached;
		rig_run(&rig, 500, NULL, NULL);
	}
	assert_true(rig_agree(&rig));
	assert_true(reached >= BLOCK);
	rig_turn(&rig, 100);
	assert_int_equal(chain_holds(), 0);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		ROW(the_deaf_fill_their_group_alone),
		ROW(headers_nobody_takes),
		ROW(the_pool_is_told_by_and_by),
		ROW(slow_ones_of_one_group_are_kept),
		ROW(halves_wait_for_one_another),
		ROW(halves_that_stay_halves),
		ROW(questions_take_no_room_from_answers),
		ROW(who_is_slow_with_little_is_kept),
		ROW(the_pool_is_told_though_chaind_was_busy),
		ROW(the_pool_is_told_beside_the_slow),
		ROW(small_halves_have_their_time),
		ROW(a_turn_has_its_end),
		ROW(who_was_asked_has_the_turn),
		ROW(what_chaind_has_in_hand_counts),
		ROW(what_goes_to_chaind_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
