/* An authenticated but hostile peer against peerd's core: what each misdeed leads to, and that none
 * costs memory or keeps honest peers from their work. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "peer_rig.h"
#include "proto/peer.pb-c.h"

static struct rig rig;
static struct rig_node *node;

static int begin(void **state)
{
	(void)state;
	node = rig_of_one(&rig, 77);
	return 0;
}

static int end(void **state)
{
	(void)state;
	rig_done(&rig);
	return 0;
}

static void pack(const ProtobufCMessage *m, struct rc_buf *buf)
{
	rc_buf_clear(buf);
	protobuf_c_message_pack(m, rc_buf_add(buf, protobuf_c_message_get_packed_size(m)));
}

/* A link that is ready. */
static void open_link(struct rig_stranger *s)
{
	static uint16_t port = 30000;

	char from[32];

	snprintf(from, sizeof(from), "127.0.0.1:%u", ++port);
	assert_true(rig_open(s, node, from));
	assert_int_equal(s->heard[PEER_MSG_HELLO], 1);
}

static void send_items(struct rig_stranger *s, enum peer_message type, uint8_t kind, size_t n,
		       uint32_t first)
{
	Rc__P2p__Inv m = RC__P2P__INV__INIT; /* of one form with getdata and notfound */
	struct rc_buf items = RC_BUF_INIT, buf = RC_BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		uint8_t *item = rc_buf_add(&items, PEER_ITEM_SIZE);

		memset(item, 0, PEER_ITEM_SIZE);
		item[0] = kind;
		rc_put_le32(item + 1, first + (uint32_t)i);
	}
	m.items.data = items.data;
	m.items.len = items.len;
	pack(&m.base, &buf);
	rig_stranger_send(s, RC_LINK_CONTROL, (uint16_t)type, buf.data, buf.len);
	rc_buf_done(&items);
	rc_buf_done(&buf);
}

static void send_raw(struct rig_stranger *s, enum rc_link_stream stream, enum peer_message type,
		     const void *data, size_t len)
{
	struct rc_buf buf = RC_BUF_INIT;

	peer_message_put_raw((struct rc_bytes){data, len}, &buf);
	rig_stranger_send(s, stream, (uint16_t)type, buf.data, buf.len);
	rc_buf_done(&buf);
}

static unsigned score_of(const struct rig_stranger *s)
{
	const struct peer *p = core_peer(node->core, s->peer);

	return p ? score_points(&p->score, core_now(node->core) / PEERD_SECOND) : SCORE_LIMIT;
}

static void out_of_place(void **state)
{
	static struct rig_stranger s; /* what is under way reaches it later */
	size_t n;
	const struct peer_message_info *rows = peer_messages(&n);

	(void)state;
	/* Anything before the greeting; a greeting twice. */
	for (size_t i = 0; i < n; i++) {
		if (rows[i].number == PEER_MSG_HELLO)
			open_link(&s);
		else
			rig_stranger_dial(&s, node, (uint16_t)(31000 + i));
		rig_turn(&rig, 50);
		if (rows[i].number == PEER_MSG_HELLO)
			rig_stranger_greet(&s, true);
		else
			rig_stranger_send(&s, rows[i].stream, rows[i].number, "", 0);
		rig_turn(&rig, 50);
		assert_true(s.closed);
		rig_stranger_done(&s);
	}
	assert_int_equal(node->core->counters[PEERD_MALFORMED], n);
	assert_int_equal(HASH_COUNT(node->core->peers), 0);
}

static void malformed(void **state)
{
	static const struct {
		enum rc_link_stream stream;
		enum peer_message type;
		const char *data;
		size_t len;
	} rows[] = {
		{RC_LINK_CONTROL, PEER_MSG_PING, "\x08", 1},
		{RC_LINK_CONTROL, PEER_MSG_INV, "\x0a\xff\xff\xff\xff\x0f", 6},
		{RC_LINK_CONTROL, PEER_MSG_ADDR, "\x0a\x02\x0a\x05", 4},
		{RC_LINK_CONTROL, PEER_MSG_HEADERS, "\x0a\x80\x80\x80", 4},
		{RC_LINK_BULK, PEER_MSG_BLOCK, "\x0b\x01", 2},
		{RC_LINK_BULK, PEER_MSG_TX, "\xff\xff", 2},
		{RC_LINK_CONTROL, PEER_MSG_GETDATA, "garbage", 7},
	};

	(void)state;
	for (size_t i = 0; i < RC_ARRAY_LEN(rows); i++) {
		static struct rig_stranger s; /* what is under way reaches it later */

		open_link(&s);
		rig_stranger_send(&s, rows[i].stream, (uint16_t)rows[i].type, rows[i].data,
				  rows[i].len);
		rig_turn(&rig, 50);
		assert_true(s.closed);
		rig_stranger_done(&s);
	}
}

static void too_long(void **state)
{
	size_t n;
	const struct peer_message_info *rows = peer_messages(&n);
	RC_AUTOFREE uint8_t *data = rc_alloc(33000000);

	(void)state;
	for (size_t i = 1; i < n; i++) {
		static struct rig_stranger s; /* what is under way reaches it later */

		open_link(&s);
		rig_stranger_send(&s, rows[i].stream, rows[i].number, data, rows[i].max + 1u);
		rig_turn(&rig, 3000);
		assert_true(s.closed);
		rig_stranger_done(&s);
	}
}

static void an_unknown_type_is_skipped(void **state)
{
	static struct rig_stranger s; /* what is under way reaches it later */

	(void)state;
	open_link(&s);
	for (uint16_t type = PEER_MSG_BLOCKTXN + 1; type < 200; type++)
		rig_stranger_send(&s, type % 2 ? RC_LINK_BULK : RC_LINK_CONTROL, type, "abc", 3);
	rig_turn(&rig, 500);
	assert_false(s.closed);
	assert_int_equal(score_of(&s), 0);
	rig_stranger_done(&s);
}

/* Each of these costs the link at once, and the address its welcome. */
static void misdeeds(void **state)
{
	static struct rig_stranger s; /* what is under way reaches it later */
	uint8_t two[2 * RC_HEADER_SIZE] = {0};

	(void)state;
	open_link(&s);
	send_items(&s, PEER_MSG_INV, 9, 1, 0); /* an unknown kind */
	rig_turn(&rig, 50);
	assert_true(s.closed);
	rig_stranger_done(&s);
	open_link(&s);
	send_items(&s, PEER_MSG_GETDATA, PEER_ITEM_WTXID, 6000, 0);
	rig_turn(&rig, 200);
	assert_true(s.closed);
	rig_stranger_done(&s);
	open_link(&s);
	send_raw(&s, RC_LINK_CONTROL, PEER_MSG_HEADERS, two, sizeof(two)); /* don't follow */
	rig_turn(&rig, 50);
	assert_true(s.closed);
	rig_stranger_done(&s);
	open_link(&s);
	send_raw(&s, RC_LINK_CONTROL, PEER_MSG_HEADERS, two, sizeof(two) - 1);
	rig_turn(&rig, 50);
	assert_true(s.closed);
	rig_stranger_done(&s);
	open_link(&s);
	send_raw(&s, RC_LINK_BULK, PEER_MSG_TX, "no transaction", 14);
	rig_turn(&rig, 50);
	assert_true(s.closed);
	rig_stranger_done(&s);
	open_link(&s);
	send_raw(&s, RC_LINK_CONTROL, PEER_MSG_GETHEADERS, two, 31); /* half an id */
	rig_turn(&rig, 50);
	assert_true(s.closed);
	rig_stranger_done(&s);
	assert_int_equal(discouraged_count(node->core->discouraged), 6);
}

/* Honest data that comes early, late or twice costs nothing, and is bounded. */
static void unasked_data(void **state)
{
	static struct rig_stranger s; /* what is under way reaches it later */
	struct rc_buf tx = RC_BUF_INIT;

	(void)state;
	open_link(&s);
	for (uint32_t i = 0; i < 200; i++) {
		rc_buf_clear(&tx);
		rig_make_tx(i, &tx);
		send_raw(&s, RC_LINK_BULK, PEER_MSG_TX, tx.data, tx.len);
		send_raw(&s, RC_LINK_BULK, PEER_MSG_BLOCK, node->tip->body, node->tip->len);
		send_items(&s, PEER_MSG_NOTFOUND, PEER_ITEM_BLOCK, 10, i);
	}
	rig_turn(&rig, 2000);
	assert_false(s.closed);
	assert_int_equal(score_of(&s), 0);
	assert_int_equal(HASH_COUNT(node->pool), 0); /* nobody asked for them */
	rc_buf_done(&tx);
	rig_stranger_done(&s);
}

static void floods_are_bounded(void **state)
{
	static struct rig_stranger s[4]; /* outlive what is under way */
	struct peerd *core = node->core;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		open_link(&s[i]);
	for (uint32_t round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 4; i++) {
			send_items(&s[i], PEER_MSG_INV, PEER_ITEM_WTXID, 5000,
				   round * 100000 + i * 10000);
			send_items(&s[i], PEER_MSG_INV, PEER_ITEM_BLOCK, 500, round * 1000);
			for (unsigned j = 0; j < 50; j++)
				rig_stranger_send(&s[i], RC_LINK_CONTROL, PEER_MSG_GETADDR, "", 0);
		}
		rig_turn(&rig, 100);
		assert_true(relay_wants(core) <= 4 * 5000);
	}
	for (unsigned i = 0; i < 4; i++) {
		assert_true(s[i].heard[PEER_MSG_ADDR] <= 1);
		assert_true(s[i].heard[PEER_MSG_GETHEADERS] <= 3);
	}
	/* Over budget they are read slower; an honest peer is served meanwhile. */
	static struct rig_stranger good; /* outlive what is under way */
	Rc__P2p__GetHeaders ask = RC__P2P__GET_HEADERS__INIT;
	struct rc_buf buf = RC_BUF_INIT;

	open_link(&good);
	ask.locator.data = rig.network.genesis_id.b;
	ask.locator.len = 32;
	pack(&ask.base, &buf);
	rig_stranger_send(&good, RC_LINK_CONTROL, PEER_MSG_GETHEADERS, buf.data, buf.len);
	rig_turn(&rig, 100);
	assert_int_equal(good.heard[PEER_MSG_HEADERS], 1);
	rc_buf_done(&buf);
	for (unsigned i = 0; i < 4; i++)
		rig_stranger_done(&s[i]);
	rig_stranger_done(&good);
	rig_turn(&rig, 100);
	assert_int_equal(relay_wants(core), 0);
}

/* What was announced and never given is asked of another, and given up at the end. */
static void promises_not_kept(void **state)
{
	static struct rig_stranger a, b; /* outlive what is under way */

	(void)state;
	open_link(&a);
	open_link(&b);
	send_items(&a, PEER_MSG_INV, PEER_ITEM_WTXID, 50, 0);
	rig_turn(&rig, 50);
	send_items(&b, PEER_MSG_INV, PEER_ITEM_WTXID, 50, 0);
	rig_turn(&rig, 200);
	assert_int_equal(a.heard[PEER_MSG_GETDATA], 1);
	assert_int_equal(b.heard[PEER_MSG_GETDATA], 0);
	rig_turn(&rig, 6000);
	assert_int_equal(b.heard[PEER_MSG_GETDATA], 1);
	rig_turn(&rig, 60000);
	assert_int_equal(relay_wants(node->core), 0);
	rig_stranger_done(&a);
	rig_stranger_done(&b);
}

/* Whoever announces a transaction and goes before chaind has said that it is wanted keeps nobody
 * else's announcement of it from being heard. */
static void a_promise_of_one_who_went(void **state)
{
	static struct rig_stranger a, b; /* outlive what is under way */

	(void)state;
	open_link(&a);
	open_link(&b);
	send_items(&a, PEER_MSG_INV, PEER_ITEM_WTXID, 5, 0);
	for (unsigned i = 0; i < 100 && relay_wants(node->core) == 0; i++)
		rig_run(&rig, 100, NULL, NULL);
	assert_int_equal(relay_wants(node->core), 5);
	rig_run(&rig, 2 * PEERD_MS, NULL, NULL); /* chaind is asked */
	rig_stranger_done(&a);
	rig_turn(&rig, 100);
	assert_int_equal(relay_wants(node->core), 0);
	send_items(&b, PEER_MSG_INV, PEER_ITEM_WTXID, 5, 0);
	rig_turn(&rig, 100);
	assert_int_equal(b.heard[PEER_MSG_GETDATA], 1);
	rig_stranger_done(&b);
}

/* Who came to us can't, with promises, keep us from hearing those we chose. */
static void promises_fill_no_room_of_others(void **state)
{
	static struct rig_stranger s[11], chosen; /* outlive what is under way */

	(void)state;
	for (uint32_t i = 0; i < RC_ARRAY_LEN(s); i++) {
		open_link(&s[i]);
		send_items(&s[i], PEER_MSG_INV, PEER_ITEM_WTXID, 5000, i * 5000);
	}
	rig_turn(&rig, 200);
	assert_int_equal(relay_wants(node->core), 50000);
	assert_int_equal(s[10].heard[PEER_MSG_GETDATA], 0);
	open_link(&chosen);
	core_peer(node->core, chosen.peer)->role = PEER_OUTBOUND;
	send_items(&chosen, PEER_MSG_INV, PEER_ITEM_WTXID, 10, 1000000);
	rig_turn(&rig, 200);
	assert_int_equal(chosen.heard[PEER_MSG_GETDATA], 1);
	for (unsigned i = 0; i < RC_ARRAY_LEN(s); i++)
		rig_stranger_done(&s[i]);
	rig_stranger_done(&chosen);
}

static void send_filter(struct rig_stranger *s, uint64_t fee_per_kb)
{
	Rc__P2p__FeeFilter m = RC__P2P__FEE_FILTER__INIT;
	struct rc_buf buf = RC_BUF_INIT;

	m.fee_per_kb = fee_per_kb;
	pack(&m.base, &buf);
	rig_stranger_send(s, RC_LINK_CONTROL, PEER_MSG_FEEFILTER, buf.data, buf.len);
	rc_buf_done(&buf);
	rig_turn(&rig, 50);
}

/* The list of the whole pool is dear for chaind, a fee filter is cheap for a peer. */
static void a_filter_that_opens_and_shuts(void **state)
{
	static struct rig_stranger s; /* what is under way reaches it later */
	unsigned before;

	(void)state;
	open_link(&s);
	rig_turn(&rig, 50);
	before = node->pool_lists;
	for (unsigned i = 0; i < 20; i++) {
		send_filter(&s, UINT64_MAX);
		send_filter(&s, 0);
	}
	assert_false(s.closed);
	assert_int_equal(node->pool_lists, before + 1);
	rig_stranger_done(&s);
}

static void inbound_slots(void **state)
{
	struct peerd *core = node->core;
	static struct rig_stranger s[20]; /* outlive what is under way */
	unsigned taken = 0;

	(void)state;
	core->opt.max_inbound = 10;
	core->opt.handshakes_per_group_max = 4;
	/* Connections without a handshake. */
	for (unsigned i = 0; i < 20; i++) {
		rig_stranger_dial(&s[i], node, (uint16_t)(32000 + i));
		taken += s[i].peer != 0;
	}
	assert_int_equal(taken, 4);
	rig_turn(&rig, 6000); /* their time is over */
	assert_int_equal(HASH_COUNT(core->peers), 0);
	for (unsigned i = 0; i < 20; i++)
		rig_stranger_done(&s[i]);
	/* All slots in use: a discouraged one goes first. */
	for (unsigned i = 0; i < 10; i++)
		open_link(&s[i]);
	rig_stranger_dial(&s[10], node, 33000);
	assert_int_equal(s[10].peer, 0);
	discouraged_add(core->discouraged, &core_peer(core, s[3].peer)->addr,
			core_now(core) / PEERD_SECOND);
	rig_stranger_dial(&s[11], node, 33001);
	assert_int_not_equal(s[11].peer, 0);
	rig_turn(&rig, 50);
	assert_true(s[3].closed);
	for (unsigned i = 0; i < 12; i++)
		rig_stranger_done(&s[i]);
}

/* Messages that have begun and don't end have one bound for all links: the oldest of them go. */
static void half_messages_are_bounded(void **state)
{
	static struct rig_stranger s[8];
	size_t len = 100000;
	uint8_t *data = rc_alloc(len);
	unsigned closed = 0;

	(void)state;
	node->core->opt.memory[MEMORY_HALF].all = 3 * len;
	for (unsigned i = 0; i < 8; i++) {
		struct rc_buf buf = RC_BUF_INIT;

		open_link(&s[i]);
		assert_int_equal(rc_link_send(s[i].link, RC_LINK_BULK, PEER_MSG_BLOCK, data, len),
				 RC_OK);
		rc_link_pull(s[i].link, &buf, 60000); /* not to the end */
		rig_stranger_write(&s[i], buf.data, buf.len);
		rc_buf_done(&buf);
		rig_turn(&rig, 50);
	}
	for (unsigned i = 0; i < 8; i++)
		closed += s[i].closed;
	assert_in_range(closed, 1, 5);
	assert_true(s[0].closed);
	assert_false(s[7].closed);
	for (unsigned i = 0; i < 8; i++)
		rig_stranger_done(&s[i]);
	free(data);
}

/* Half a block, by a link that goes on otherwise. */
static void park_half(struct rig_stranger *s)
{
	static const uint8_t data[100000];
	struct rc_buf buf = RC_BUF_INIT;

	open_link(s);
	assert_int_equal(rc_link_send(s->link, RC_LINK_BULK, PEER_MSG_BLOCK, data, sizeof(data)),
			 RC_OK);
	rc_link_pull(s->link, &buf, 60000);
	rig_stranger_write(s, buf.data, buf.len);
	rc_buf_done(&buf);
	rig_turn(&rig, 50);
}

/* What else a link sends doesn't make its half block younger. */
static void a_half_message_ages(void **state)
{
	static struct rig_stranger s[6]; /* outlive what is under way */
	Rc__P2p__Inv m = RC__P2P__INV__INIT;
	struct rc_buf items = RC_BUF_INIT, inv = RC_BUF_INIT, out = RC_BUF_INIT;

	(void)state;
	node->core->opt.memory[MEMORY_HALF].all = 300000;
	for (unsigned i = 0; i < 3; i++)
		park_half(&s[i]);
	for (unsigned i = 0; i < 3000; i++) /* of two records */
		*(uint8_t *)memset(rc_buf_add(&items, PEER_ITEM_SIZE), 0, PEER_ITEM_SIZE) =
			PEER_ITEM_WTXID;
	m.items.data = items.data;
	m.items.len = items.len;
	pack(&m.base, &inv);
	assert_int_equal(rc_link_send(s[0].link, RC_LINK_CONTROL, PEER_MSG_INV, inv.data, inv.len),
			 RC_OK);
	for (unsigned i = 0; i < 2; i++) {
		rc_buf_clear(&out);
		rc_link_pull(s[0].link, &out, 1);
		rig_stranger_write(&s[0], out.data, out.len);
		rig_turn(&rig, 50);
	}
	assert_false(s[0].closed);
	park_half(&s[3]);
	core_peer(node->core, s[1].peer)->role = PEER_OUTBOUND;
	park_half(&s[4]);
	assert_true(s[0].closed);
	for (unsigned i = 1; i < 5; i++)
		assert_false(s[i].closed);
	/* Whom we chose goes last, and who waits for chaind doesn't go. */
	peer_pause(core_peer(node->core, s[2].peer), PEER_PAUSE_HELD, true);
	park_half(&s[5]);
	assert_false(s[1].closed);
	assert_false(s[2].closed);
	assert_true(s[3].closed);
	for (unsigned i = 0; i < 6; i++)
		rig_stranger_done(&s[i]);
	rc_buf_done(&items);
	rc_buf_done(&inv);
	rc_buf_done(&out);
}

static void ask_block(struct rig_stranger *s, const struct rig_block *block)
{
	Rc__P2p__GetData m = RC__P2P__GET_DATA__INIT;
	struct rc_buf buf = RC_BUF_INIT;
	uint8_t item[PEER_ITEM_SIZE] = {PEER_ITEM_BLOCK};

	memcpy(item + 1, block->id.b, 32);
	m.items.data = item;
	m.items.len = sizeof(item);
	pack(&m.base, &buf);
	rig_stranger_send(s, RC_LINK_CONTROL, PEER_MSG_GETDATA, buf.data, buf.len);
	rc_buf_done(&buf);
}

/* Links that fill their queues with small answers and don't read hold all there is for all: they
 * go, and who reads is served. */
static void who_does_not_read_starves_nobody(void **state)
{
	static struct rig_stranger s[6], good; /* outlive what is under way */
	unsigned closed = 0;

	(void)state;
	node->core->opt.memory[MEMORY_OUT].all = 1 << 20;
	open_link(&good);
	rig_turn(&rig, 15000); /* nothing waits for it: that isn't slowness */
	for (unsigned i = 0; i < 6; i++) {
		open_link(&s[i]);
		s[i].deaf = true;
		for (unsigned round = 0; round < 4; round++) {
			send_items(&s[i], PEER_MSG_GETDATA, PEER_ITEM_WTXID, 4000, 1);
			rig_turn(&rig, 50);
		}
	}
	rig_turn(&rig, 500);
	ask_block(&good, node->tip);
	rig_turn(&rig, 4000);
	assert_int_equal(good.heard[PEER_MSG_BLOCK], 1);
	assert_false(good.closed);
	for (unsigned i = 0; i < 6; i++)
		closed += s[i].closed;
	assert_in_range(closed, 1, 5); /* no more than needed be */
	for (unsigned i = 0; i < 6; i++)
		rig_stranger_done(&s[i]);
	rig_stranger_done(&good);
}

/* What is queued for all, and what answers of chaind on their way may add. */
static size_t served_now(void)
{
	size_t bytes = 0;

	for (const struct peer *p = node->core->peers; p; p = p->hh.next)
		bytes += peer_queued(p) + (size_t)p->serving * rig.network.params.block_limit;
	return bytes;
}

/* However many ask at once, and don't read, what is held for them has its bound; and with no more
 * room than for a few questions at a time, all who read get what they ask for. */
static void what_is_served_is_bounded(void **state)
{
	static struct rig_stranger s[40]; /* outlive what is under way */
	size_t limit = rig.network.params.block_limit, most = 3 * limit;

	(void)state;
	rig_mine(node, 1, 500000, 0);
	node->core->opt.memory[MEMORY_OUT].all = most;
	for (unsigned i = 0; i < RC_ARRAY_LEN(s); i++)
		open_link(&s[i]);
	for (unsigned deaf = 0; deaf < 2; deaf++) {
		for (unsigned i = 0; i < RC_ARRAY_LEN(s); i++) {
			s[i].deaf = deaf;
			for (unsigned j = 0; j < 10; j++)
				ask_block(&s[i], node->tip);
		}
		for (unsigned step = 0; step < 8000; step++) {
			rig_run(&rig, PEERD_MS, NULL, NULL);
			assert_true(served_now() < most + limit);
		}
		for (unsigned i = 0; !deaf && i < RC_ARRAY_LEN(s); i++)
			assert_int_equal(s[i].heard[PEER_MSG_BLOCK], 10);
	}
	for (unsigned i = 0; i < RC_ARRAY_LEN(s); i++)
		rig_stranger_done(&s[i]);
}

/* A transaction that was in a block when it was asked for is told again when it is back. */
static void what_was_not_there_is_told_again(void **state)
{
	static struct rig_stranger s;
	Rc__P2p__GetData m = RC__P2P__GET_DATA__INIT;
	struct rc_buf buf = RC_BUF_INIT;
	uint8_t item[PEER_ITEM_SIZE] = {PEER_ITEM_WTXID};
	struct rc_wtxid wtxid;

	(void)state;
	open_link(&s);
	wtxid = rig_pay(node, 1);
	rig_turn(&rig, 5000);
	assert_int_equal(s.heard[PEER_MSG_INV], 1);
	rig_confirm(node, &wtxid);
	memcpy(item + 1, wtxid.b, 32);
	m.items.data = item;
	m.items.len = sizeof(item);
	pack(&m.base, &buf);
	rig_stranger_send(&s, RC_LINK_CONTROL, PEER_MSG_GETDATA, buf.data, buf.len);
	rig_turn(&rig, 100);
	assert_int_equal(s.heard[PEER_MSG_NOTFOUND], 1);
	rig_pay(node, 1);
	rig_turn(&rig, 5000);
	assert_int_equal(s.heard[PEER_MSG_INV], 2);
	rc_buf_done(&buf);
	rig_stranger_done(&s);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		ROW(out_of_place),
		ROW(malformed),
		ROW(half_messages_are_bounded),
		ROW(a_half_message_ages),
		ROW(too_long),
		ROW(an_unknown_type_is_skipped),
		ROW(misdeeds),
		ROW(unasked_data),
		ROW(floods_are_bounded),
		ROW(promises_not_kept),
		ROW(a_promise_of_one_who_went),
		ROW(inbound_slots),
		ROW(promises_fill_no_room_of_others),
		ROW(a_filter_that_opens_and_shuts),
		ROW(who_does_not_read_starves_nobody),
		ROW(what_is_served_is_bounded),
		ROW(what_was_not_there_is_told_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
