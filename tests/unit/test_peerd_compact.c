/* Blocks in compact form against peerd's core: who is asked for them, what is asked further, who
 * announces them, and what an enemy gets for a bad one. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "consensus/pow.h"
#include "peer_rig.h"
#include "proto/peer.pb-c.h"
#include "types/compact.h"

static struct rig rig;
static struct rig_node *node;

#define STRANGERS 5
static struct rig_stranger s[STRANGERS];

static const struct rc_rebuild whole = {.verdict = "ok", .verdict_class = "ok"};
static const struct rc_rebuild lacks_two = {
	.verdict = "ok",
	.verdict_class = "ok",
	.missing = 2,
	.places = {(const uint8_t *)"\x01\x00", 2},
};
static const struct rc_rebuild lacks_one = {
	.verdict = "ok",
	.verdict_class = "ok",
	.missing = 1,
	.places = {(const uint8_t *)"\x01", 1},
};
static const struct rc_rebuild ambiguous = {
	.verdict = "ok", .verdict_class = "ok", .ambiguous = true};
static const struct rc_rebuild guilty = {
	.verdict = "header-height", .verdict_class = "invalid", .fault_of_sender = true};
static const struct rc_rebuild nobodys = {.verdict = "block-state-root",
					  .verdict_class = "invalid"};

static void pack(const ProtobufCMessage *m, struct rc_buf *buf)
{
	rc_buf_clear(buf);
	protobuf_c_message_pack(m, rc_buf_add(buf, protobuf_c_message_get_packed_size(m)));
}

static void say(struct rig_stranger *to, enum peer_message type, const ProtobufCMessage *m)
{
	struct rc_buf buf = RC_BUF_INIT;

	pack(m, &buf);
	rig_stranger_send(to, peer_message_find((uint16_t)type)->stream, (uint16_t)type, buf.data,
			  buf.len);
	rc_buf_done(&buf);
}

static void turn(int64_t ms)
{
	rig_run(&rig, ms * PEERD_MS, NULL, NULL);
}

static void say_wish(struct rig_stranger *to, uint32_t version, bool announce)
{
	Rc__P2p__SendCompact m = RC__P2P__SEND_COMPACT__INIT;

	m.version = version;
	m.announce = announce;
	say(to, PEER_MSG_SENDCOMPACT, &m.base);
}

/* Strangers with links that are ready and know compact blocks. */
static int begin(void **state)
{
	struct peerd_options o = rig_options(0);
	Rc__P2p__Hello m = RC__P2P__HELLO__INIT;

	(void)state;
	rig_init(&rig, 78);
	node = rig_add(&rig, &o);
	node->rebuild = node->rebuild_again = whole;
	rig_mine(node, 3, 300, 0);
	m.version = 1;
	m.services = PEER_SERVICE_BLOCKS;
	m.relay = m.headers = true;
	for (unsigned i = 0; i < STRANGERS; i++) {
		rig_stranger_dial(&s[i], node, (uint16_t)(30000 + i));
		turn(50);
		say(&s[i], PEER_MSG_HELLO, &m.base);
		say_wish(&s[i], 1, false);
	}
	turn(100);
	for (unsigned i = 0; i < STRANGERS; i++) {
		/* It says so of itself, and asks nobody to announce. */
		assert_int_equal(s[i].heard[PEER_MSG_SENDCOMPACT], 1);
		assert_memory_equal(s[i].said[PEER_MSG_SENDCOMPACT], "\x08\x01\x00", 3);
	}
	return 0;
}

static int end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < STRANGERS; i++)
		rig_stranger_done(&s[i]);
	rig_done(&rig);
	return 0;
}

/* A block on the node's tip with work: header, nonce, no short id, the coinbase in full. */
static void make_block(uint64_t nonce, struct rc_buf *ret_compact)
{
	static const uint8_t lock[2] = {RC_LOCK_DATA, 0};
	struct rc_tx_out output = {.amount = 0, .lock = {lock, 2, RC_LOCK_DATA}};
	struct rc_tx coinbase = {
		.version = 1, .type = RC_TX_COINBASE, .n_outputs = 1, .outputs = &output};
	struct rc_header h = {
		.version = 1,
		.height = node->tip->height + 1,
		.prev = node->tip->id,
		.bits = rig.network.params.limit_bits,
		.nonce = nonce,
	};
	struct rc_u256 target;
	struct rc_block_id id;
	uint8_t raw[RC_HEADER_SIZE];

	assert_true(rc_bits_target(h.bits, &target));
	do {
		h.nonce += 1000;
		rc_header_encode(&h, raw);
		rc_header_id(raw, &id);
	} while (!rc_pow_holds(&id, &target));
	rc_buf_clear(ret_compact);
	rc_buf_put(ret_compact, raw, sizeof(raw));
	rc_buf_put_le64(ret_compact, 1);
	rc_buf_put_cs(ret_compact, 0);
	rc_buf_put_cs(ret_compact, 1);
	rc_buf_put_cs(ret_compact, 0);
	rc_tx_encode(&coinbase, ret_compact);
}

static void say_raw(struct rig_stranger *to, enum peer_message type, struct rc_bytes raw)
{
	struct rc_buf buf = RC_BUF_INIT;

	peer_message_put_raw(raw, &buf);
	rig_stranger_send(to, peer_message_find((uint16_t)type)->stream, (uint16_t)type, buf.data,
			  buf.len);
	rc_buf_done(&buf);
}

static void say_header(struct rig_stranger *to, const struct rc_buf *compact)
{
	say_raw(to, PEER_MSG_HEADERS, (struct rc_bytes){compact->data, RC_HEADER_SIZE});
}

static void say_compact(struct rig_stranger *to, const struct rc_buf *compact)
{
	say_raw(to, PEER_MSG_COMPACTBLOCK, (struct rc_bytes){compact->data, compact->len});
}

static void say_txns(struct rig_stranger *to, const struct rc_buf *compact, uint32_t n)
{
	Rc__P2p__BlockTxn m = RC__P2P__BLOCK_TXN__INIT;
	struct rc_buf txs = RC_BUF_INIT;
	struct rc_block_id id;

	rc_header_id(compact->data, &id);
	for (uint32_t i = 0; i < n; i++)
		rig_make_tx(i, &txs);
	m.block.data = id.b;
	m.block.len = sizeof(id.b);
	m.transactions.data = txs.data;
	m.transactions.len = txs.len;
	say(to, PEER_MSG_BLOCKTXN, &m.base);
	rc_buf_done(&txs);
}

static unsigned kind_asked(const struct rig_stranger *of)
{
	return of->said[PEER_MSG_GETDATA][2]; /* tag, length, kind */
}

static bool is_closed(const struct rig_stranger *of)
{
	return of->closed;
}

/* Tells the header, is asked for the compact form, gives it. */
static void give(struct rig_stranger *from, const struct rc_buf *compact)
{
	unsigned before = from->heard[PEER_MSG_GETDATA];

	say_header(from, compact);
	turn(200);
	assert_int_equal(from->heard[PEER_MSG_GETDATA], before + 1);
	assert_int_equal(kind_asked(from), PEER_ITEM_COMPACT);
	say_compact(from, compact);
	turn(200);
}

static uint64_t counted(enum peerd_counter counter)
{
	return node->core->counters[counter];
}

static void test_from_the_pool(void **state)
{
	struct rc_buf block = RC_BUF_INIT;

	(void)state;
	make_block(1, &block);
	give(&s[0], &block);
	assert_int_equal(node->rebuilds, 1);
	assert_int_equal(node->tip->height, 4);
	assert_int_equal(counted(PEERD_COMPACT_POOL), 1);
	assert_int_equal(counted(PEERD_COMPACT_BYTES), block.len);
	assert_int_equal(inflight_total(&node->core->inflight), 0);
	/* The others are told of it; who gave it is asked to announce the next. */
	for (unsigned i = 1; i < STRANGERS; i++)
		assert_int_equal(s[i].heard[PEER_MSG_HEADERS] > 0, true);
	assert_int_equal(s[0].heard[PEER_MSG_SENDCOMPACT], 2);
	assert_memory_equal(s[0].said[PEER_MSG_SENDCOMPACT], "\x08\x01\x10\x01", 4);
	assert_int_equal(node->core->n_rebuilding, 0);

	/* And does, without being asked: twice is once. */
	make_block(2, &block);
	say_compact(&s[0], &block);
	say_compact(&s[0], &block);
	turn(200);
	assert_int_equal(node->rebuilds, 2);
	assert_int_equal(node->tip->height, 5);
	/* From another it is of no use, and no harm. */
	make_block(3, &block);
	say_compact(&s[1], &block);
	turn(200);
	assert_int_equal(node->rebuilds, 2);
	assert_int_equal(node->tip->height, 5);
	assert_int_equal(counted(PEERD_PENALTIES), 0);
	rc_buf_done(&block);
}

static void test_what_is_missing(void **state)
{
	struct rc_buf block = RC_BUF_INIT;

	(void)state;
	node->rebuild = lacks_two;
	make_block(1, &block);
	give(&s[0], &block);
	assert_int_equal(s[0].heard[PEER_MSG_GETBLOCKTXN], 1);
	assert_memory_equal(s[0].said[PEER_MSG_GETBLOCKTXN] + 34, "\x12\x02\x01\x00", 4);
	assert_int_equal(inflight_total(&node->core->inflight), 1);
	/* Of another, that is no answer. */
	say_txns(&s[1], &block, 2);
	turn(100);
	assert_int_equal(node->rebuilds, 1);
	say_txns(&s[0], &block, 2);
	turn(200);
	assert_int_equal(node->rebuilds, 2);
	assert_int_equal(node->tip->height, 4);
	assert_int_equal(counted(PEERD_COMPACT_ASKED), 1);
	assert_int_equal(counted(PEERD_COMPACT_TXS_ASKED), 2);
	assert_int_equal(inflight_total(&node->core->inflight), 0);
	say_txns(&s[0], &block, 2); /* once more */
	turn(100);
	assert_int_equal(node->rebuilds, 2);
	assert_int_equal(counted(PEERD_PENALTIES), 0);
	rc_buf_done(&block);
}

static void test_ambiguous(void **state)
{
	struct rc_buf block = RC_BUF_INIT;

	(void)state;
	node->rebuild = ambiguous;
	make_block(1, &block);
	give(&s[0], &block);
	assert_int_equal(s[0].heard[PEER_MSG_GETDATA], 2);
	assert_int_equal(kind_asked(&s[0]), PEER_ITEM_BLOCK);
	node->rebuild = whole;
	say_raw(&s[0], PEER_MSG_BLOCK, (struct rc_bytes){block.data, block.len});
	turn(200);
	assert_int_equal(node->tip->height, 4);
	assert_int_equal(counted(PEERD_COMPACT_FULL), 1);
	assert_int_equal(counted(PEERD_PENALTIES), 0);
	rc_buf_done(&block);
}

static void test_still_missing(void **state)
{
	struct rc_buf block = RC_BUF_INIT;

	(void)state;
	node->rebuild = node->rebuild_again = lacks_two;
	make_block(1, &block);
	give(&s[0], &block);
	say_txns(&s[0], &block, 2);
	turn(200);
	assert_int_equal(s[0].heard[PEER_MSG_GETBLOCKTXN], 1);
	assert_int_equal(kind_asked(&s[0]), PEER_ITEM_BLOCK);
	assert_int_equal(counted(PEERD_COMPACT_FULL), 1);
	assert_int_equal(node->core->n_rebuilding, 0);
	/* Another has it too. The first gives the compact form again, which is no answer: nothing
	 * is rebuilt a third time, and the other is asked. */
	say_header(&s[1], &block);
	turn(100);
	assert_int_equal(s[1].heard[PEER_MSG_GETDATA], 0);
	say_compact(&s[0], &block);
	turn(100);
	assert_int_equal(node->rebuilds, 2);
	assert_int_equal(s[1].heard[PEER_MSG_GETDATA], 1);
	assert_int_equal(kind_asked(&s[1]), PEER_ITEM_BLOCK);
	node->rebuild = whole;
	say_raw(&s[1], PEER_MSG_BLOCK, (struct rc_bytes){block.data, block.len});
	turn(200);
	assert_int_equal(node->tip->height, 4);
	assert_int_equal(inflight_total(&node->core->inflight), 0);
	assert_int_equal(counted(PEERD_PENALTIES), 0);
	rc_buf_done(&block);
}

/* A block that the peer gives whole instead of its transactions, as it does with an old one. */
static void test_whole_instead(void **state)
{
	struct rc_buf block = RC_BUF_INIT;

	(void)state;
	node->rebuild = lacks_two;
	make_block(1, &block);
	give(&s[0], &block);
	say_raw(&s[0], PEER_MSG_BLOCK, (struct rc_bytes){block.data, block.len});
	turn(200);
	assert_int_equal(node->tip->height, 4);
	assert_int_equal(node->core->n_rebuilding, 0);
	assert_int_equal(inflight_total(&node->core->inflight), 0);
	rc_buf_done(&block);
}

/* Who doesn't answer is given up like who doesn't give a block: another is asked. */
static void test_silence(void **state)
{
	struct rc_buf block = RC_BUF_INIT;

	(void)state;
	node->rebuild = lacks_two;
	make_block(1, &block);
	give(&s[0], &block);
	say_header(&s[1], &block);
	turn(200);
	assert_int_equal(s[1].heard[PEER_MSG_GETDATA], 0);
	turn(node->core->opt.stall_us / PEERD_MS + 1500); /* and its ticks */
	assert_int_equal(s[1].heard[PEER_MSG_GETDATA], 1);
	assert_int_equal(node->core->n_rebuilding, 0);
	node->rebuild = whole;
	say_compact(&s[1], &block);
	turn(200);
	assert_int_equal(node->tip->height, 4);
	say_txns(&s[0], &block, 2); /* late: honest */
	turn(100);
	assert_int_equal(counted(PEERD_PENALTIES), 0);
	rc_buf_done(&block);
}

/* A rest that nobody waits for any more may come when the same block was begun anew, of which less
 * is missing now. */
static void test_late_rest(void **state)
{
	struct rc_buf block = RC_BUF_INIT;

	(void)state;
	node->rebuild = lacks_two;
	make_block(1, &block);
	give(&s[0], &block);
	assert_int_equal(s[0].heard[PEER_MSG_GETBLOCKTXN], 1);
	turn(node->core->opt.stall_us / PEERD_MS + 1500);
	assert_int_equal(node->core->n_rebuilding, 0);
	/* Nobody else has it: it is asked again. */
	for (unsigned i = 0; s[0].heard[PEER_MSG_GETDATA] < 2; i++) {
		assert_true(i < 600);
		turn(1000);
	}
	assert_int_equal(kind_asked(&s[0]), PEER_ITEM_COMPACT);
	node->rebuild = lacks_one;
	say_compact(&s[0], &block);
	turn(200);
	assert_int_equal(s[0].heard[PEER_MSG_GETBLOCKTXN], 2);
	say_txns(&s[0], &block, 2);
	turn(100);
	assert_int_equal(counted(PEERD_PENALTIES), 0);
	say_txns(&s[0], &block, 1);
	turn(200);
	assert_int_equal(node->tip->height, 4);
	/* That was the one: nothing is owed, and what isn't the rest is a fault again. */
	node->rebuild = lacks_two;
	make_block(2, &block);
	give(&s[0], &block);
	say_txns(&s[0], &block, 1);
	turn(100);
	assert_int_equal(counted(PEERD_PENALTIES), 1);
	rc_buf_done(&block);
}

/* The one who gave it away goes: another gives it. */
static void test_lost(void **state)
{
	struct rc_buf block = RC_BUF_INIT;

	(void)state;
	node->rebuild = lacks_two;
	make_block(1, &block);
	give(&s[0], &block);
	say_header(&s[1], &block);
	turn(100);
	peerd_lost(node->core, s[0].peer, "gone");
	turn(200);
	assert_int_equal(node->core->n_rebuilding, 0);
	assert_int_equal(s[1].heard[PEER_MSG_GETDATA], 1);
	rc_buf_done(&block);
}

/* What costs a link: bytes that are no compact block, no work, a bad header, other transactions
 * than were asked for. */
static void test_misdeeds(void **state)
{
	struct rc_buf block = RC_BUF_INIT;
	Rc__P2p__GetBlockTxn m = RC__P2P__GET_BLOCK_TXN__INIT;
	struct rc_u256 target;
	struct rc_block_id id;

	(void)state;
	make_block(1, &block);
	rc_buf_put_u8(&block, 0);
	say_compact(&s[0], &block);
	turn(100);
	assert_true(is_closed(&s[0]));
	block.len--;
	assert_true(rc_bits_target(rig.network.params.limit_bits, &target));
	do {
		block.data[RC_HEADER_NONCE_AT]++;
		rc_header_id(block.data, &id);
	} while (rc_pow_holds(&id, &target));
	say_compact(&s[1], &block);
	turn(100);
	assert_true(is_closed(&s[1]));
	assert_int_equal(node->rebuilds, 0);

	node->rebuild = guilty;
	make_block(2, &block);
	give(&s[2], &block);
	assert_int_equal(node->rebuilds, 1);
	assert_true(is_closed(&s[2]));

	node->rebuild = lacks_two;
	make_block(3, &block);
	give(&s[3], &block);
	say_txns(&s[3], &block, 1);
	turn(100);
	assert_true(is_closed(&s[3]));
	assert_int_equal(node->core->n_rebuilding, 0);
	assert_int_equal(inflight_total(&node->core->inflight), 0);

	m.block.data = id.b;
	m.block.len = sizeof(id.b);
	m.places.data = (uint8_t *)"\xff";
	m.places.len = 1;
	say(&s[4], PEER_MSG_GETBLOCKTXN, &m.base);
	turn(100);
	assert_true(is_closed(&s[4]));
	rc_buf_done(&block);
}

/* A block that only the state shows to be bad is nobody's fault here. */
static void test_nobodys_fault(void **state)
{
	struct rc_buf block = RC_BUF_INIT;

	(void)state;
	node->rebuild = nobodys;
	make_block(1, &block);
	give(&s[0], &block);
	assert_false(is_closed(&s[0]));
	assert_int_equal(counted(PEERD_PENALTIES), 0);
	assert_int_equal(node->core->n_rebuilding, 0);
	rc_buf_done(&block);
}

/* The last three who gave; the fourth takes the first one's place. */
/* One that can't be taken now still tells of its block: nobody does again. */
static void test_one_too_many(void **state)
{
	struct rc_buf block = RC_BUF_INIT;
	uint64_t before;

	(void)state;
	make_block(1, &block);
	give(&s[0], &block);
	node->rebuild = lacks_two;
	make_block(2, &block);
	say_compact(&s[0], &block);
	turn(100);
	assert_int_equal(node->rebuilds, 2);
	before = counted(PEERD_HEADERS_RECEIVED);
	make_block(3, &block);
	say_compact(&s[0], &block);
	turn(100);
	assert_int_equal(node->rebuilds, 2);
	assert_int_equal(counted(PEERD_HEADERS_RECEIVED), before + 1);
	assert_int_equal(counted(PEERD_PENALTIES), 0);
	rc_buf_done(&block);
}

static void test_announcers(void **state)
{
	struct rc_buf block = RC_BUF_INIT;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		make_block(i + 1, &block);
		give(&s[i], &block);
		assert_int_equal(node->core->n_announcers, i < 3 ? i + 1 : 3);
	}
	assert_int_equal(s[0].heard[PEER_MSG_SENDCOMPACT], 3);
	assert_memory_equal(s[0].said[PEER_MSG_SENDCOMPACT], "\x08\x01\x00", 3);
	for (unsigned i = 1; i < 4; i++)
		assert_memory_equal(s[i].said[PEER_MSG_SENDCOMPACT], "\x08\x01\x10\x01", 4);
	/* Who gives again is the newest: the next one to go is another. */
	make_block(7, &block);
	say_compact(&s[1], &block);
	turn(200);
	assert_int_equal(node->tip->height, 8);
	make_block(8, &block);
	give(&s[4], &block);
	assert_memory_equal(s[2].said[PEER_MSG_SENDCOMPACT], "\x08\x01\x00", 3);
	assert_memory_equal(s[1].said[PEER_MSG_SENDCOMPACT], "\x08\x01\x10\x01", 4);
	/* Who goes leaves a place. */
	peerd_lost(node->core, s[1].peer, "gone");
	turn(10);
	assert_int_equal(node->core->n_announcers, 2);
	rc_buf_done(&block);
}

/* The last one that this node chose itself stays, whoever comes to it and gives blocks. */
static void test_ours_stays(void **state)
{
	struct rc_buf block = RC_BUF_INIT;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		core_peer(node->core, s[0].peer)->role = PEER_OUTBOUND;
		make_block(i + 1, &block);
		give(&s[i], &block);
	}
	assert_memory_equal(s[0].said[PEER_MSG_SENDCOMPACT], "\x08\x01\x10\x01", 4);
	assert_memory_equal(s[1].said[PEER_MSG_SENDCOMPACT], "\x08\x01\x00", 3);
	core_peer(node->core, s[0].peer)->role = PEER_INBOUND;
	rc_buf_done(&block);
}

static void ask_item(struct rig_stranger *from, uint8_t kind, const struct rc_block_id *id)
{
	Rc__P2p__GetData m = RC__P2P__GET_DATA__INIT;
	uint8_t item[PEER_ITEM_SIZE] = {kind};

	memcpy(item + 1, id->b, 32);
	m.items.data = item;
	m.items.len = sizeof(item);
	say(from, PEER_MSG_GETDATA, &m.base);
	turn(100);
}

static void ask_places(struct rig_stranger *from, const struct rc_block_id *id)
{
	Rc__P2p__GetBlockTxn m = RC__P2P__GET_BLOCK_TXN__INIT;

	m.block.data = (uint8_t *)(uintptr_t)id->b;
	m.block.len = sizeof(id->b);
	m.places.data = (uint8_t *)"\x01\x02";
	m.places.len = 2;
	say(from, PEER_MSG_GETBLOCKTXN, &m.base);
	turn(100);
}

static void test_serving(void **state)
{
	struct rc_buf block = RC_BUF_INIT;
	struct rc_block_id absent = {{9}};

	(void)state;
	make_block(1, &block);
	node->compact = (struct rc_bytes){block.data, block.len};
	ask_item(&s[0], PEER_ITEM_COMPACT, &node->tip->id);
	assert_int_equal(s[0].heard[PEER_MSG_COMPACTBLOCK], 1);
	/* chaind has it whole only: so is the answer. */
	node->compact = (struct rc_bytes){0};
	ask_item(&s[0], PEER_ITEM_COMPACT, &node->tip->id);
	assert_int_equal(s[0].heard[PEER_MSG_BLOCK], 1);
	/* What isn't there is waited for, and then told not to be: as a block. */
	ask_item(&s[0], PEER_ITEM_COMPACT, &absent);
	turn(6000);
	assert_int_equal(s[0].heard[PEER_MSG_NOTFOUND], 1);
	assert_int_equal(s[0].said[PEER_MSG_NOTFOUND][2], PEER_ITEM_BLOCK);

	node->txns.raw = (struct rc_bytes){(const uint8_t *)"txs", 3};
	ask_places(&s[0], &node->tip->id);
	assert_int_equal(node->places_asked, 2);
	assert_int_equal(s[0].heard[PEER_MSG_BLOCKTXN], 1);
	node->txns.whole = true;
	ask_places(&s[0], &node->tip->id);
	assert_int_equal(s[0].heard[PEER_MSG_BLOCK], 2);
	node->txns = (struct rc_block_part){.no_such_place = true};
	ask_places(&s[0], &node->tip->id);
	assert_true(is_closed(&s[0]));
	rc_buf_done(&block);
}

/* Who asked for it is told of new blocks in compact form, by header where there is none. */
static void test_announcing(void **state)
{
	struct rc_buf block = RC_BUF_INIT;
	unsigned headers;

	(void)state;
	say_wish(&s[0], 1, true);
	say_wish(&s[1], 2, true); /* a version of another time */
	turn(100);
	headers = s[0].heard[PEER_MSG_HEADERS];
	make_block(1, &block);
	node->compact = (struct rc_bytes){block.data, block.len};
	node->compacts_asked = 0;
	rig_mine(node, 1, 300, 1);
	turn(200);
	assert_int_equal(s[0].heard[PEER_MSG_COMPACTBLOCK], 1);
	assert_int_equal(s[0].heard[PEER_MSG_HEADERS], headers);
	assert_int_equal(s[1].heard[PEER_MSG_COMPACTBLOCK], 0);
	assert_int_equal(node->compacts_asked, 1);
	node->compact = (struct rc_bytes){0};
	rig_mine(node, 1, 300, 1);
	turn(200);
	assert_int_equal(s[0].heard[PEER_MSG_COMPACTBLOCK], 1);
	assert_int_equal(s[0].heard[PEER_MSG_HEADERS], headers + 1);
	rc_buf_done(&block);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_from_the_pool), TEST(test_what_is_missing),
		TEST(test_ambiguous),	  TEST(test_still_missing),
		TEST(test_whole_instead), TEST(test_silence),
		TEST(test_late_rest),	  TEST(test_lost),
		TEST(test_misdeeds),	  TEST(test_nobodys_fault),
		TEST(test_one_too_many),  TEST(test_announcers),
		TEST(test_ours_stays),	  TEST(test_serving),
		TEST(test_announcing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
