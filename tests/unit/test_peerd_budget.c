/* What a peer and a network group may take of this node: the budgets' arithmetic, and hostile peers
 * that go beyond them, while others are served. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "peer_rig.h"
#include "proto/peer.pb-c.h"
#include "types/tx.h"

#define SECOND PEERD_SECOND

static const struct {
	uint64_t rate, most;
} table[BUDGETS] = {
#define BUDGET(NAME, name, rate, most, what) {rate, most},
#include "daemons/peerd/budget.def"
#undef BUDGET
};

/* ---- the arithmetic ---- */

static const uint64_t nothing[BUDGETS];

static void what_is_saved_is_bounded(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < BUDGETS; kind++) {
		for (unsigned shares = 1; shares <= BUDGET_GROUP_SHARES; shares++) {
			uint64_t cost[BUDGETS] = {0};
			struct budget b;

			budget_init(&b, shares, 0);
			assert_true(budget_full(&b, 1000 * SECOND));
			cost[kind] = table[kind].most;
			for (unsigned i = 0; i < shares; i++)
				assert_int_equal(budget_take(&b, 1000 * SECOND, cost), 0);
			assert_false(budget_full(&b, 1000 * SECOND));
			/* A second's worth for all shares more: a second to wait. */
			cost[kind] = table[kind].rate;
			for (unsigned i = 1; i < shares; i++)
				assert_true(budget_take(&b, 1000 * SECOND, cost) > 0);
			assert_int_equal(budget_take(&b, 1000 * SECOND, cost), SECOND);
			assert_int_equal(budget_take(&b, 1000 * SECOND + 1, nothing), SECOND - 1);
			assert_int_equal(budget_take(&b, 1001 * SECOND, nothing), 0);
			/* However large one thing is, the wait for it has an end. */
			cost[kind] = UINT64_MAX;
			assert_true(budget_take(&b, 1001 * SECOND, cost) <= 40 * SECOND);
			/* A clock that goes back gives nothing and takes nothing. */
			assert_true(budget_take(&b, 0, nothing) > 0);
		}
	}
}

/* Fractions of small steps aren't lost: one a turn at just the rate is never over. */
static void small_steps_count(void **state)
{
	struct budget b;
	const uint64_t one[BUDGETS] = {[BUDGET_TIME] = 1};
	uint64_t most[BUDGETS] = {[BUDGET_TIME] = table[BUDGET_TIME].most};
	int64_t step = SECOND / (int64_t)table[BUDGET_TIME].rate;

	(void)state;
	budget_init(&b, 1, 0);
	budget_take(&b, 0, most);
	for (int64_t i = 1; i < 100000; i++)
		assert_int_equal(budget_take(&b, i * step, one), 0);
}

/* A second's worth as soon as it may, each time after a pause: how many seconds until it is worn
 * out; 0: not within an hour. */
static int64_t lasts(int64_t pause)
{
	struct budget b;
	uint64_t all[BUDGETS] = {[BUDGET_MESSAGES] = table[BUDGET_MESSAGES].most};
	uint64_t some[BUDGETS] = {[BUDGET_MESSAGES] = table[BUDGET_MESSAGES].rate};
	int64_t now = 0;

	budget_init(&b, 1, 0);
	budget_take(&b, 0, all);
	while (now < 3600 * SECOND) {
		now += budget_take(&b, now, some);
		assert_int_equal(budget_take(&b, now, nothing), 0);
		if (budget_worn_out(&b, now))
			return now / SECOND;
		now += pause;
	}
	return 0;
}

static void who_is_over_for_long_is_worn_out(void **state)
{
	(void)state;
	assert_in_range(lasts(0), 60, 61);
	assert_in_range(lasts(SECOND / 2), 150, 170); /* over half of the time */
	assert_int_equal(lasts(SECOND * 9 / 10), 0);
}

/* ---- in a node ---- */

static struct rig rig;
static struct rig_node *node;

static int begin(void **state)
{
	(void)state;
	node = rig_of_one(&rig, 79);
	return 0;
}

static int end(void **state)
{
	(void)state;
	rig_done(&rig);
	return 0;
}

static bool is_read(const struct rig_stranger *s)
{
	return !(core_peer(node->core, s->peer)->pauses & PEER_PAUSE_BUDGET);
}

static uint64_t bytes_read(const struct rig_stranger *s)
{
	return rc_link_bytes_in(core_peer(node->core, s->peer)->link);
}

static int64_t left(const struct rig_stranger *s, enum budget_kind kind)
{
	return core_peer(node->core, s->peer)->budget.left[kind] / 1000000;
}

/* Another peer is served as if nothing were. */
static void others_are_served(const char *from)
{
	static struct rig_stranger good[8]; /* outlive what is under way */
	static unsigned n;
	struct rig_stranger *s = &good[n++ % 8];
	Rc__P2p__GetHeaders ask = RC__P2P__GET_HEADERS__INIT;
	uint8_t data[64];
	size_t len;

	assert_true(rig_open(s, node, from));
	ask.locator.data = rig.network.genesis_id.b;
	ask.locator.len = 32;
	len = rc__p2p__get_headers__pack(&ask, data);
	rig_stranger_send(s, RC_LINK_CONTROL, PEER_MSG_GETHEADERS, data, len);
	rig_turn(&rig, 100);
	assert_int_equal(s->heard[PEER_MSG_HEADERS], 1);
	rig_stranger_done(s);
	rig_turn(&rig, 50);
}

static bool is_closed(void *arg)
{
	return ((struct rig_stranger *)arg)->closed;
}

/* The same message n times, in one piece. */
static void send_many(struct rig_stranger *s, enum rc_link_stream stream, uint16_t type,
		      const void *data, size_t len, size_t n)
{
	struct rc_buf out = RC_BUF_INIT;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(rc_link_send(s->link, stream, type, data, len), RC_OK);
	rc_link_pull(s->link, &out, SIZE_MAX / 2);
	rig_stranger_write(s, out.data, out.len);
	rc_buf_done(&out);
}

/* Types of a later version are skipped, and aren't free: read at the rate of the table, then no
 * more. Nobody is discouraged by it. */
static void unknown_types_cost(void **state)
{
	static struct rig_stranger s; /* what is under way reaches it later */
	static const uint8_t data[1 << 20];
	uint64_t most = table[BUDGET_BYTES].most, before;

	(void)state;
	assert_true(rig_open(&s, node, "8.8.8.8:1"));
	for (unsigned i = 0; i < 40; i++)
		rig_stranger_send(&s, i % 2 ? RC_LINK_BULK : RC_LINK_CONTROL, 999, data,
				  sizeof(data));
	rig_turn(&rig, 1000);
	assert_false(s.closed);
	assert_false(is_read(&s));
	before = bytes_read(&s);
	assert_true(before > most);
	assert_true(before < most + 2 * table[BUDGET_BYTES].rate + 200000);
	rig_turn(&rig, 10000);
	assert_true(bytes_read(&s) - before <= 11 * table[BUDGET_BYTES].rate);
	others_are_served("9.9.9.9:1");
	assert_true(node->core->counters[PEERD_WASTE_BYTES] >= before - 10000);
	assert_true(rig_run(&rig, 70 * SECOND, is_closed, &s));
	assert_int_equal(node->core->counters[PEERD_WORN_OUT], 1);
	assert_int_equal(discouraged_count(node->core->discouraged), 0);
	rig_stranger_done(&s);
}

/* The same of messages without anything in them. */
static void empty_messages_cost(void **state)
{
	static struct rig_stranger s;

	(void)state;
	assert_true(rig_open(&s, node, "8.8.8.8:1"));
	send_many(&s, RC_LINK_BULK, 999, "", 0, 300000);
	rig_turn(&rig, 1000);
	assert_false(is_read(&s));
	rig_stranger_done(&s);
}

/* Many small messages of a known type. */
static void messages_cost(void **state)
{
	static struct rig_stranger s;
	uint64_t most = table[BUDGET_MESSAGES].most;
	uint8_t ping[16];
	Rc__P2p__Ping m = RC__P2P__PING__INIT;
	size_t len;

	(void)state;
	m.nonce = 0x0102030405060708;
	len = rc__p2p__ping__pack(&m, ping);
	assert_true(rig_open(&s, node, "8.8.8.8:1"));
	send_many(&s, RC_LINK_CONTROL, PEER_MSG_PING, ping, len, 2 * most);
	rig_turn(&rig, 1000);
	assert_false(is_read(&s));
	/* What came in one piece is handled, the rest waits. */
	assert_in_range(s.heard[PEER_MSG_PONG], most, most + 3000);
	rig_turn(&rig, 11000);
	assert_in_range(s.heard[PEER_MSG_PONG], most + 5000, 2 * most);
	others_are_served("9.9.9.9:1");
	rig_stranger_done(&s);
}

/* Each of many addresses of one group keeps within its own budget: together they have four peers'
 * worth, and others all of theirs. No new link of the group begins while it is over. */
static void a_group_is_a_few_peers(void **state)
{
	static struct rig_stranger s[16], again; /* outlive what is under way */
	unsigned each = 4500, over = 0;
	uint64_t most = table[BUDGET_MESSAGES].most * BUDGET_GROUP_SHARES;
	uint8_t ping[16];
	Rc__P2p__Ping m = RC__P2P__PING__INIT;
	unsigned answers = 0;
	char from[32];
	size_t len;

	(void)state;
	m.nonce = 1;
	len = rc__p2p__ping__pack(&m, ping);
	for (unsigned i = 0; i < RC_ARRAY_LEN(s); i++) {
		snprintf(from, sizeof(from), "8.8.%u.1:7440", i);
		assert_true(rig_open(&s[i], node, from));
	}
	for (unsigned i = 0; i < RC_ARRAY_LEN(s); i++)
		send_many(&s[i], RC_LINK_CONTROL, PEER_MSG_PING, ping, len, each);
	rig_turn(&rig, 500);
	for (unsigned i = 0; i < RC_ARRAY_LEN(s); i++) {
		answers += s[i].heard[PEER_MSG_PONG];
		over += !is_read(&s[i]);
		assert_false(core_peer(node->core, s[i].peer)->budget.over);
	}
	assert_true(over > 0);
	assert_true(answers >= most / 2);
	assert_true(answers <= most + RC_ARRAY_LEN(s) * 1500);
	rig_stranger_dial_from(&again, node, "8.8.77.1:7440");
	assert_int_equal(again.peer, 0);
	rig_stranger_done(&again);
	others_are_served("9.9.9.9:1");
	/* Who comes back finds what he left; in time it is forgotten. */
	for (unsigned i = 0; i < RC_ARRAY_LEN(s); i++)
		rig_stranger_done(&s[i]);
	rig_stranger_dial_from(&again, node, "8.8.77.1:7440");
	assert_int_equal(again.peer, 0);
	rig_stranger_done(&again);
	rig_turn(&rig, 60000);
	assert_null(node->core->groups);
	assert_true(rig_open(&again, node, "8.8.77.1:7440"));
	rig_stranger_done(&again);
}

/* A block that one asks for again and again is sent at the rate of the table. */
static void asking_again_costs(void **state)
{
	static struct rig_stranger s;
	Rc__P2p__GetData m = RC__P2P__GET_DATA__INIT;
	uint8_t item[PEER_ITEM_SIZE] = {PEER_ITEM_BLOCK}, data[64];
	size_t len;

	(void)state;
	rig_mine(node, 1, 500000, 0);
	assert_true(rig_open(&s, node, "8.8.8.8:1"));
	memcpy(item + 1, node->tip->id.b, 32);
	m.items.data = item;
	m.items.len = sizeof(item);
	len = rc__p2p__get_data__pack(&m, data);
	for (unsigned i = 0; i < 100; i++) {
		rig_stranger_send(&s, RC_LINK_CONTROL, PEER_MSG_GETDATA, data, len);
		rig_turn(&rig, 20);
	}
	rig_turn(&rig, 10000);
	/* 8 MiB saved up, 256 KiB a second for 12 seconds: 24 blocks, and two under way. */
	assert_in_range(s.heard[PEER_MSG_BLOCK], 20, 26);
	rig_stranger_done(&s);
}

/* A block that comes after it was asked of somebody else is honest, once. */
static void a_late_block_is_free_once(void **state)
{
	static struct rig_stranger s;
	struct rc_buf buf = RC_BUF_INIT;
	int64_t before;

	(void)state;
	assert_true(rig_open(&s, node, "8.8.8.8:1"));
	seen_add(&node->core->asked_blocks, node->tip->id.b);
	core_peer(node->core, s.peer)->late = 1;
	peer_message_put_raw((struct rc_bytes){node->tip->body, node->tip->len}, &buf);
	rig_turn(&rig, 60000);
	before = left(&s, BUDGET_BYTES);
	rig_stranger_send(&s, RC_LINK_BULK, PEER_MSG_BLOCK, buf.data, buf.len);
	rig_turn(&rig, 50);
	assert_int_equal(left(&s, BUDGET_BYTES), before);
	rig_stranger_send(&s, RC_LINK_BULK, PEER_MSG_BLOCK, buf.data, buf.len);
	rig_turn(&rig, 7);
	assert_in_range(before - left(&s, BUDGET_BYTES), 1, (int64_t)node->tip->len);
	rc_buf_done(&buf);
	rig_stranger_done(&s);
}

static void give_txs(struct rig_stranger *s, uint32_t first, uint32_t n)
{
	Rc__P2p__Inv m = RC__P2P__INV__INIT;
	struct rc_buf items = RC_BUF_INIT, raw = RC_BUF_INIT, buf = RC_BUF_INIT;
	struct rc_arena arena = RC_ARENA_INIT;

	for (uint32_t i = first; i < first + n; i++) {
		struct rc_tx tx;

		rc_buf_clear(&raw);
		rig_make_tx(i, &raw);
		assert_true(rc_tx_decode(raw.data, raw.len, &arena, &tx));
		rc_buf_put_u8(&items, PEER_ITEM_WTXID);
		rc_buf_put(&items, tx.wtxid.b, 32);
	}
	m.items.data = items.data;
	m.items.len = items.len;
	rc__p2p__inv__pack(&m, rc_buf_add(&buf, rc__p2p__inv__get_packed_size(&m)));
	rig_stranger_send(s, RC_LINK_CONTROL, PEER_MSG_INV, buf.data, buf.len);
	rig_turn(&rig, 100);
	for (uint32_t i = first; i < first + n; i++) {
		rc_buf_clear(&raw);
		rc_buf_clear(&buf);
		rig_make_tx(i, &raw);
		peer_message_put_raw((struct rc_bytes){raw.data, raw.len}, &buf);
		rig_stranger_send(s, RC_LINK_BULK, PEER_MSG_TX, buf.data, buf.len);
	}
	rig_turn(&rig, 100);
	rc_arena_done(&arena);
	rc_buf_done(&items);
	rc_buf_done(&raw);
	rc_buf_done(&buf);
}

/* Transactions that are announced, asked for, checked and refused cost time; good ones don't. */
static void useless_transactions_cost(void **state)
{
	static struct rig_stranger s;
	int64_t most = (int64_t)table[BUDGET_TIME].most;

	(void)state;
	assert_true(rig_open(&s, node, "8.8.8.8:1"));
	rig_turn(&rig, 60000);
	give_txs(&s, 0, 50);
	assert_int_equal(HASH_COUNT(node->pool), 50);
	rig_turn(&rig, 5000);
	assert_int_equal(left(&s, BUDGET_TIME), most);
	node->refuse_txs = "policy";
	give_txs(&s, 100, 100);
	assert_int_equal(node->core->counters[PEERD_TXS_RECEIVED], 150);
	assert_in_range(most - left(&s, BUDGET_TIME), 70000, 100000);
	assert_int_equal(node->core->counters[PEERD_PENALTIES], 0);
	rig_stranger_done(&s);
}

/* Links made again and again have chaind list its pool no oftener than once a second, for all who
 * wait; each is told, and pays for it. */
static void one_list_for_all_who_wait(void **state)
{
	static struct rig_stranger s[15], one; /* outlive what is under way */
	unsigned before, told = 0;
	int64_t most = (int64_t)table[BUDGET_TIME].most, least = most;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++)
		rig_pay(node, i);
	before = node->pool_lists;
	for (unsigned i = 0; i < RC_ARRAY_LEN(s); i++) { /* 100 ms each */
		char from[32];

		snprintf(from, sizeof(from), "8.8.%u.1:7440", i);
		assert_true(rig_open(&s[i], node, from));
	}
	assert_in_range(node->pool_lists, before + 1, before + 2);
	rig_turn(&rig, 5000);
	assert_in_range(node->pool_lists, before + 2, before + 3);
	for (unsigned i = 0; i < RC_ARRAY_LEN(s); i++)
		told += s[i].heard[PEER_MSG_INV] > 0;
	assert_int_equal(told, RC_ARRAY_LEN(s));
	/* Nothing is listed for nobody. */
	rig_turn(&rig, 60000);
	assert_true(node->pool_lists <= before + 3);
	before = node->pool_lists;
	rig_stranger_dial(&one, node, 7440);
	rig_turn(&rig, 50);
	rig_stranger_greet(&one, true);
	for (unsigned i = 0; i < 100; i++) {
		rig_turn(&rig, 1);
		if (left(&one, BUDGET_TIME) < least)
			least = left(&one, BUDGET_TIME);
	}
	assert_int_equal(node->pool_lists, before + 1);
	assert_true(most - least >= 800); /* 5,000 of 0.2 µs, less what comes back in a ms */
	for (unsigned i = 0; i < RC_ARRAY_LEN(s); i++)
		rig_stranger_done(&s[i]);
	rig_stranger_done(&one);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_saved_is_bounded),
		cmocka_unit_test(small_steps_count),
		cmocka_unit_test(who_is_over_for_long_is_worn_out),
		ROW(unknown_types_cost),
		ROW(empty_messages_cost),
		ROW(messages_cost),
		ROW(a_group_is_a_few_peers),
		ROW(asking_again_costs),
		ROW(a_late_block_is_free_once),
		ROW(useless_transactions_cost),
		ROW(one_list_for_all_who_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
