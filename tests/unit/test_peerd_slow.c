/* Peers that promise headers and blocks and give them slowly, or never: how long each may hold up
 * the others, and that who is honest and slow isn't taken for one of them. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "peer_rig.h"
#include "proto/peer.pb-c.h"

static struct rig rig;
static struct rig_node *node, *full; /* the newcomer, and one that has the blocks */

static int begin(void **state)
{
	struct peerd_options o = rig_options(0);

	(void)state;
	rig_init(&rig, 78);
	o.outbound = o.block_only = 0;
	node = rig_add(&rig, &o);
	o = rig_options(1);
	o.outbound = o.block_only = 0;
	full = rig_add(&rig, &o);
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

static void link_full(void)
{
	assert_int_equal(peerd_add_node(node->core, "127.0.0.1:20001", "add", NULL), RC_OK);
}

static void open_link(struct rig_stranger *s)
{
	static uint16_t port = 30000;

	rig_stranger_dial(s, node, ++port);
	turn(50);
	rig_stranger_greet(s, true);
	turn(50);
	assert_false(s->closed);
	assert_int_equal(s->heard[PEER_MSG_GETHEADERS], 1);
}

static const struct rig_block *block_at(uint32_t height)
{
	const struct rig_block *b = full->tip;

	while (b->height > height)
		b = b->parent;
	return b;
}

/* The full node's headers from this height on, at most a message. */
static void send_headers(struct rig_stranger *s, uint32_t from, uint32_t n)
{
	RC_AUTOFREE uint8_t *raw = rc_alloc((size_t)n * RC_HEADER_SIZE);
	struct rc_buf buf = RC_BUF_INIT;

	const struct rig_block *b = block_at(from + n - 1);

	for (uint32_t i = n; i > 0; i--, b = b->parent)
		memcpy(raw + (size_t)(i - 1) * RC_HEADER_SIZE, b->header, RC_HEADER_SIZE);
	peer_message_put_raw((struct rc_bytes){raw, (size_t)n * RC_HEADER_SIZE}, &buf);
	rig_stranger_send(s, RC_LINK_CONTROL, PEER_MSG_HEADERS, buf.data, buf.len);
	rc_buf_done(&buf);
}

static void put_block(struct rig_stranger *s, uint32_t height, struct rc_buf *out)
{
	const struct rig_block *b = block_at(height);
	struct rc_buf buf = RC_BUF_INIT;

	peer_message_put_raw((struct rc_bytes){b->body, b->len}, &buf);
	assert_int_equal(rc_link_send(s->link, RC_LINK_BULK, PEER_MSG_BLOCK, buf.data, buf.len),
			 RC_OK);
	rc_link_pull(s->link, out, SIZE_MAX / 2);
	rc_buf_done(&buf);
}

/* A link that has shown n headers and was asked for their first blocks. */
static void promise(struct rig_stranger *s, uint32_t n)
{
	open_link(s);
	send_headers(s, 1, n);
	turn(100);
	assert_int_equal(s->heard[PEER_MSG_GETDATA], 1);
	s->deaf = true; /* what it says from here on is what a test says */
}

/* So many bytes a second of *out, in tenths, for so long or until all agree. */
static bool drip(struct rig_stranger *s, const struct rc_buf *out, size_t rate, unsigned seconds)
{
	size_t at = 0, n;

	for (unsigned i = 0; i < 10 * seconds && !rig_agree(&rig); i++) {
		n = rc_min_u64(rate / 10, out->len - at);
		rig_stranger_write(s, out->data + at, n);
		at += n;
		turn(100);
	}
	return rig_agree(&rig);
}

static struct peer *peer_of(const struct rig_stranger *s)
{
	return core_peer(node->core, s->peer);
}

static uint64_t stalls(void)
{
	return node->core->counters[PEERD_BLOCK_STALLS];
}

/* Who gives enough not to be silent keeps its sixteen blocks from others for no longer than one of
 * the limit takes at 1 Mbit/s, and ten seconds. */
static void a_dripping_peer_holds_up_nobody(void **state)
{
	static struct rig_stranger s;
	struct rc_buf out = RC_BUF_INIT;

	(void)state;
	rig_mine(full, 40, 1900000, 0);
	promise(&s, 40);
	put_block(&s, 1, &out);
	link_full();
	assert_true(drip(&s, &out, 12000, 55));
	assert_int_equal(stalls(), 0); /* it was none by any other measure */
	rc_buf_done(&out);
	rig_stranger_done(&s);
}

/* Where it is the only one, it is given up after 140 s without a block (not 16 times that) … */
static void a_block_has_its_time(void **state)
{
	static struct rig_stranger s;
	struct rc_buf out = RC_BUF_INIT;
	int64_t since;

	(void)state;
	rig_mine(full, 40, 1900000, 0);
	promise(&s, 40);
	put_block(&s, 1, &out);
	since = rig.now;
	drip(&s, &out, 12000, 145);
	assert_int_equal(stalls(), 1);
	assert_in_range(peer_of(&s)->failed_at - since, 139 * PEERD_SECOND, 141 * PEERD_SECOND);
	rc_buf_done(&out);
	rig_stranger_done(&s);
}

/* … and one at 1 Mbit/s, with the largest blocks and sixteen of them asked for, isn't. */
static void a_slow_link_is_no_stall(void **state)
{
	static struct rig_stranger s;
	struct rc_buf out = RC_BUF_INIT;

	(void)state;
	rig_mine(full, 16, rig.network.params.block_limit, 0);
	promise(&s, 16);
	for (uint32_t i = 1; i <= 16; i++)
		put_block(&s, i, &out);
	assert_true(drip(&s, &out, 125000, 16 * 17));
	assert_int_equal(stalls(), 0);
	assert_int_equal(node->blocks_taken, 16);
	rc_buf_done(&out);
	rig_stranger_done(&s);
}

/* Ten who share a line, each with its part of it while it has something to give. */
#define SHARERS	      10
#define SHARED_BLOCKS 50
#define SHARED_RATE   125000

struct sharer {
	struct rig_stranger s;
	struct rc_buf out;
	size_t at;
	bool asked[SHARED_BLOCKS];
	unsigned given;
};

/* What it is asked for is sent to its end, as nobody can take the question back. */
static void note_asked(struct sharer *sharer, const struct rc_block_id ids[SHARED_BLOCKS])
{
	for (uint32_t i = 0; i < SHARED_BLOCKS; i++) {
		const struct inflight_block *b = inflight_find(&node->core->inflight, &ids[i]);
		bool asked = b && b->peer == sharer->s.peer;

		if (asked && !sharer->asked[i]) {
			put_block(&sharer->s, i + 1, &sharer->out);
			sharer->given++;
		}
		sharer->asked[i] = asked;
	}
}

static void give_share(struct sharer *sharer, size_t n)
{
	struct rc_buf *out = &sharer->out;

	n = rc_min_u64(n, out->len - sharer->at);
	rig_stranger_write(&sharer->s, out->data + sharer->at, n);
	sharer->at += n;
	if (sharer->at < out->len)
		return;
	rc_buf_clear(out);
	sharer->at = 0;
}

static void a_shared_line_is_no_stall(void **state)
{
	static struct sharer sharers[SHARERS];
	struct rc_block_id ids[SHARED_BLOCKS];
	size_t limit = rig.network.params.block_limit;
	unsigned given = 0;
	int64_t took;

	(void)state;
	rig_mine(full, SHARED_BLOCKS, limit, 0);
	for (uint32_t i = 0; i < SHARED_BLOCKS; i++)
		ids[i] = block_at(i + 1)->id;
	for (unsigned i = 0; i < SHARERS; i++)
		open_link(&sharers[i].s);
	for (unsigned i = 0; i < SHARERS; i++)
		send_headers(&sharers[i].s, 1, SHARED_BLOCKS);
	turn(100);
	took = rig.now;
	while (node->blocks_taken < SHARED_BLOCKS && rig.now - took < 3600 * PEERD_SECOND) {
		unsigned busy = 0;

		for (unsigned i = 0; i < SHARERS; i++) {
			note_asked(&sharers[i], ids);
			busy += sharers[i].out.len > 0;
		}
		for (unsigned i = 0; i < SHARERS; i++) {
			if (sharers[i].out.len > 0) {
				sharers[i].s.deaf = true;
				give_share(&sharers[i], SHARED_RATE / 10 / busy);
			} else {
				rig_stranger_listen(&sharers[i].s);
			}
		}
		turn(100);
	}
	took = rig.now - took;
	assert_int_equal(node->blocks_taken, SHARED_BLOCKS);
	assert_int_equal(stalls(), 0);
	for (unsigned i = 0; i < SHARERS; i++) {
		assert_false(sharers[i].s.closed);
		given += sharers[i].given;
		rc_buf_done(&sharers[i].out);
		rig_stranger_done(&sharers[i].s);
	}
	/* Of fifty at most one in ten was asked for twice. */
	assert_in_range(given, SHARED_BLOCKS, SHARED_BLOCKS * 11 / 10);
	assert_in_range(took / PEERD_SECOND, 1, SHARED_BLOCKS * limit / SHARED_RATE * 5 / 4);
}

/* One who was given up, and gives what it was asked for before all the same: of use while nobody
 * else is asked for it, and none that it has to give twice. */
static void what_comes_late_is_taken(void **state)
{
	static struct rig_stranger s;
	struct rc_buf out = RC_BUF_INIT;

	(void)state;
	rig_mine(full, 1, 300, 0);
	promise(&s, 1);
	turn(4000);
	assert_int_equal(stalls(), 1);
	assert_int_equal(inflight_total(&node->core->inflight), 0);
	put_block(&s, 1, &out);
	rig_stranger_write(&s, out.data, out.len);
	turn(200);
	assert_int_equal(node->blocks_taken, 1);
	assert_int_equal(peer_of(&s)->late, 0);
	assert_int_equal(peer_of(&s)->stalls, 0);
	rc_buf_done(&out);
	rig_stranger_done(&s);
}

/* It owes the same block no second time: what another was asked for was its late one. */
static void late_is_late_once(void **state)
{
	static struct rig_stranger first, second;
	struct rc_buf out = RC_BUF_INIT;

	(void)state;
	rig_mine(full, 1, 300, 0);
	promise(&first, 1);
	turn(1000);
	open_link(&second);
	send_headers(&second, 1, 1);
	turn(1500);
	assert_int_equal(peer_of(&first)->late, 1);
	assert_int_equal(second.heard[PEER_MSG_GETDATA], 1);
	put_block(&first, 1, &out);
	rig_stranger_write(&first, out.data, out.len);
	turn(200);
	assert_int_equal(node->blocks_taken, 1);
	assert_int_equal(peer_of(&first)->late, 0);
	rc_buf_done(&out);
	rig_stranger_done(&first);
	rig_stranger_done(&second);
}

/* Nor is a pause a stall that others of its network group brought about. */
static void a_pause_for_the_group(void **state)
{
	static struct rig_stranger s;

	(void)state;
	rig_mine(full, 40, 300, 0);
	promise(&s, 40);
	for (unsigned i = 0; i < 40; i++) {
		peer_pause(peer_of(&s), PEER_PAUSE_MEMORY, true);
		turn(100);
	}
	assert_int_equal(stalls(), 0);
	rig_stranger_done(&s);
}

/* What isn't of blocks is no progress of theirs, and a pause of its own making no excuse. */
static void other_bytes_are_no_blocks(void **state)
{
	static struct rig_stranger s;
	struct rc_buf out = RC_BUF_INIT;
	static const uint8_t bytes[12000];

	(void)state;
	rig_mine(full, 40, 300, 0);
	promise(&s, 40);
	for (unsigned i = 0; i < 5; i++) {
		rc_link_send(s.link, RC_LINK_CONTROL, 999, bytes, sizeof(bytes));
		rc_link_send(s.link, RC_LINK_BULK, 999, bytes, sizeof(bytes));
	}
	rc_link_pull(s.link, &out, SIZE_MAX / 2);
	drip(&s, &out, 24000, 4);
	assert_int_equal(stalls(), 1);
	rc_buf_done(&out);
	rig_stranger_done(&s);
}

static void a_pause_of_its_own(void **state)
{
	static struct rig_stranger s;

	(void)state;
	rig_mine(full, 40, 300, 0);
	promise(&s, 40);
	peer_pause(peer_of(&s), PEER_PAUSE_BUDGET, true);
	turn(4000);
	assert_int_equal(stalls(), 1);
	rig_stranger_done(&s);
}

/* Of two who were asked for one block, one after another, both may give it. */
static void twice_asked_is_once_late(void **state)
{
	static struct rig_stranger first, second;
	struct rc_buf out = RC_BUF_INIT;

	(void)state;
	rig_mine(full, 1, 1000000, 0);
	promise(&first, 1);
	turn(1000);
	open_link(&second);
	send_headers(&second, 1, 1);
	turn(2500);
	assert_int_equal(stalls(), 1);
	assert_int_equal(second.heard[PEER_MSG_GETDATA], 1);
	put_block(&first, 1, &out);
	rig_stranger_write(&first, out.data, out.len);
	turn(200);
	assert_int_equal(node->blocks_taken, 1);
	assert_int_equal(peer_of(&second)->late, 1);
	rc_buf_clear(&out);
	put_block(&second, 1, &out);
	rig_stranger_write(&second, out.data, out.len);
	turn(200);
	assert_int_equal(peer_of(&second)->late, 0);
	rc_buf_done(&out);
	rig_stranger_done(&first);
	rig_stranger_done(&second);
}

/* Who has nothing that isn't here is no reason to ask nobody. */
static void a_level_peer_is_no_other(void **state)
{
	static struct rig_stranger s, level;
	struct rc_buf out = RC_BUF_INIT;

	(void)state;
	rig_mine(full, 200, 300, 0);
	open_link(&level);
	send_headers(&level, 1, 1);
	turn(100);
	assert_int_equal(level.heard[PEER_MSG_GETDATA], 1);
	put_block(&level, 1, &out);
	rig_stranger_write(&level, out.data, out.len);
	turn(100);
	assert_int_equal(node->tip->height, 1);
	open_link(&s);
	send_headers(&s, 2, 199);
	for (unsigned i = 0; i < 100 && stalls() == 0; i++)
		turn(100);
	assert_int_equal(s.heard[PEER_MSG_GETDATA], 1);
	turn(1000);
	assert_int_equal(s.heard[PEER_MSG_GETDATA], 2);
	rc_buf_done(&out);
	rig_stranger_done(&s);
	rig_stranger_done(&level);
}

/* It came to us, so it isn't cut, however often; and may be asked again within five minutes. */
static void stalls_are_counted_to_an_end(void **state)
{
	static struct rig_stranger s;
	unsigned counted;

	(void)state;
	rig_mine(full, 40, 300, 0);
	open_link(&s);
	send_headers(&s, 1, 40);
	turn(3 * 3600 * 1000);
	assert_false(s.closed);
	counted = peer_of(&s)->stalls;
	assert_in_range(counted, 4, 30);
	turn(3600 * 1000);
	assert_true(stalls() > 40);
	assert_int_equal(peer_of(&s)->stalls, counted);
	assert_true(peer_of(&s)->aside_until <= core_now(node->core) + 300 * PEERD_SECOND);
	rig_stranger_done(&s);
}

/* Answers a question with the same full message each time, so that it is always asked for more. */
static void repeat_headers(struct rig_stranger *s, unsigned *answered)
{
	if (*answered == s->heard[PEER_MSG_GETHEADERS])
		return;
	*answered = s->heard[PEER_MSG_GETHEADERS];
	send_headers(s, 1, PEER_HEADERS_MAX);
}

static void repeated_headers_are_no_run(void **state)
{
	static struct rig_stranger s;
	unsigned answered = 0;

	(void)state;
	rig_mine(full, 9000, RC_HEADER_SIZE, 0);
	open_link(&s);
	repeat_headers(&s, &answered);
	turn(1000);
	assert_true(node->core->header_peer == s.peer);
	link_full();
	for (unsigned i = 0; i < 16 && node->best_header->height < 9000; i++) {
		repeat_headers(&s, &answered);
		turn(5000);
	}
	assert_int_equal(node->best_header->height, 9000);
	rig_stranger_done(&s);
}

/* Nor is it one whose next message comes just in time, always. */
static void slow_headers_are_no_run(void **state)
{
	static struct rig_stranger s;

	(void)state;
	rig_mine(full, 9000, RC_HEADER_SIZE, 0);
	open_link(&s);
	send_headers(&s, 1, PEER_HEADERS_MAX);
	turn(1000);
	link_full();
	for (uint32_t i = 1; i < 4; i++) {
		assert_int_equal(node->best_header->height, i * PEER_HEADERS_MAX);
		assert_true(node->core->header_peer == s.peer);
		turn(i < 3 ? 24000 : 20000);
		send_headers(&s, i * PEER_HEADERS_MAX + 1, PEER_HEADERS_MAX);
		turn(1000);
	}
	assert_int_equal(node->best_header->height, 9000);
	rig_stranger_done(&s);
}

/* chaind counts one branch at a time: of who has the turn, until it ends in whatever way. */
static void one_counts_at_a_time(void **state)
{
	static struct rig_stranger s[3];

	(void)state;
	rig_mine(full, 9000, RC_HEADER_SIZE, 0);
	node->count_until = 1000000;
	for (unsigned i = 0; i < 3; i++) {
		open_link(&s[i]);
		send_headers(&s[i], 1, PEER_HEADERS_MAX);
		turn(100);
	}
	assert_true(node->core->header_peer == s[0].peer);
	assert_int_equal(s[0].heard[PEER_MSG_GETHEADERS], 2);
	assert_int_equal(s[1].heard[PEER_MSG_GETHEADERS], 1);
	assert_int_equal(s[2].heard[PEER_MSG_GETHEADERS], 1);
	/* The end of its branch, which wasn't enough. */
	send_headers(&s[0], 2001, 100);
	turn(100);
	assert_false(peer_of(&s[0])->counting);
	assert_true(node->core->header_peer == s[1].peer);
	assert_int_equal(s[1].heard[PEER_MSG_GETHEADERS], 2);
	assert_int_equal(s[2].heard[PEER_MSG_GETHEADERS], 1);
	/* A verdict that is none of ok, and no misdeed. */
	node->refuse_headers = "header-time-future";
	send_headers(&s[1], 1, PEER_HEADERS_MAX);
	turn(100);
	assert_false(peer_of(&s[1])->counting);
	assert_true(node->core->header_peer == s[2].peer);
	assert_int_equal(s[2].heard[PEER_MSG_GETHEADERS], 2);
	send_headers(&s[2], 1, PEER_HEADERS_MAX);
	turn(100);
	assert_int_equal(node->core->header_peer, 0);
	for (unsigned i = 0; i < 3; i++)
		rig_stranger_done(&s[i]);
}

/* One that counts slowly has a minute, and its next turn after the other's. */
static void counting_by_turns(void **state)
{
	static struct rig_stranger s[2];
	unsigned asked;

	(void)state;
	rig_mine(full, 9000, RC_HEADER_SIZE, 0);
	node->count_until = 1000000;
	for (unsigned i = 0; i < 2; i++) {
		open_link(&s[i]);
		send_headers(&s[i], 1, PEER_HEADERS_MAX);
		turn(100);
	}
	for (unsigned i = 0; i < 5; i++) { /* within the time of an answer, each time */
		assert_true(node->core->header_peer == s[0].peer);
		turn(12000);
		send_headers(&s[0], 2001 + 1000 * i, PEER_HEADERS_MAX);
	}
	turn(1000);
	assert_true(node->core->header_peer == s[1].peer);
	assert_int_equal(s[1].heard[PEER_MSG_GETHEADERS], 2);
	/* What the first one was asked for in its time is taken, and no more asked. */
	asked = s[0].heard[PEER_MSG_GETHEADERS];
	send_headers(&s[0], 7001, PEER_HEADERS_MAX);
	turn(1000);
	assert_true(peer_of(&s[0])->counting && peer_of(&s[0])->headers_behind);
	assert_int_equal(s[0].heard[PEER_MSG_GETHEADERS], asked);
	/* The other goes: its turn. */
	rig_stranger_done(&s[1]);
	turn(100);
	assert_true(node->core->header_peer == s[0].peer);
	assert_int_equal(s[0].heard[PEER_MSG_GETHEADERS], asked + 1);
	rig_stranger_done(&s[0]);
}

/* Who waits for its turn takes no place at chaind, which has few: nothing of it is submitted. */
static void who_waits_is_not_counted(void **state)
{
	static struct rig_stranger s[3];
	uint64_t before;

	(void)state;
	rig_mine(full, 9000, RC_HEADER_SIZE, 0);
	node->count_until = 1000000;
	for (unsigned i = 0; i < 3; i++) {
		open_link(&s[i]);
		before = node->core->counters[PEERD_HEADERS_RECEIVED];
		send_headers(&s[i], 1, PEER_HEADERS_MAX);
		turn(100);
		assert_int_equal(node->core->counters[PEERD_HEADERS_RECEIVED] - before,
				 i == 0 ? PEER_HEADERS_MAX : 0);
		assert_int_equal(peer_of(&s[i])->headers_behind, i > 0);
	}
	/* What isn't full is told all the same: its tip. */
	before = node->core->counters[PEERD_HEADERS_RECEIVED];
	send_headers(&s[1], 1, 3);
	turn(100);
	assert_int_equal(node->core->counters[PEERD_HEADERS_RECEIVED] - before, 3);
	for (unsigned i = 0; i < 3; i++)
		rig_stranger_done(&s[i]);
}

/* Who has 16,000 more headers counted in its time keeps its turn, to the end of its branch. */
static void counting_goes_on(void **state)
{
	static struct rig_stranger s[2];

	(void)state;
	rig_mine(full, 26000, RC_HEADER_SIZE, 0);
	node->count_until = 1000000;
	for (unsigned i = 0; i < 2; i++) {
		open_link(&s[i]);
		send_headers(&s[i], 1, PEER_HEADERS_MAX);
		turn(100);
	}
	for (uint32_t i = 1; i < 13; i++) { /* 12 × 6.5 s */
		turn(6400);
		send_headers(&s[0], i * PEER_HEADERS_MAX + 1, PEER_HEADERS_MAX);
		turn(100);
		assert_true(node->core->header_peer == s[0].peer);
	}
	/* The same again is no gain. */
	for (unsigned i = 0; i < 11 && node->core->header_peer == s[0].peer; i++) {
		turn(6400);
		send_headers(&s[0], 12 * PEER_HEADERS_MAX + 1, PEER_HEADERS_MAX);
		turn(100);
	}
	assert_true(node->core->header_peer == s[1].peer);
	for (unsigned i = 0; i < 2; i++)
		rig_stranger_done(&s[i]);
}

/* A block that is told while a branch is counted says nothing of the count. */
static void a_new_block_ends_no_count(void **state)
{
	static struct rig_stranger s;

	(void)state;
	rig_mine(full, 9000, RC_HEADER_SIZE, 0);
	node->count_until = 1000000;
	open_link(&s);
	send_headers(&s, 1, PEER_HEADERS_MAX);
	turn(100);
	assert_true(peer_of(&s)->counting);
	assert_int_equal(s.heard[PEER_MSG_GETHEADERS], 2);
	send_headers(&s, 9000, 1);
	turn(100);
	assert_true(peer_of(&s)->counting && peer_of(&s)->headers_asked);
	assert_true(node->core->header_peer == s.peer);
	send_headers(&s, 2001, PEER_HEADERS_MAX);
	turn(100);
	assert_int_equal(s.heard[PEER_MSG_GETHEADERS], 3);
	/* The last one of its branch is no such block. */
	send_headers(&s, 4001, 1);
	turn(100);
	assert_false(peer_of(&s)->counting);
	rig_stranger_done(&s);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		ROW(a_dripping_peer_holds_up_nobody),
		ROW(a_block_has_its_time),
		ROW(a_slow_link_is_no_stall),
		ROW(a_shared_line_is_no_stall),
		ROW(what_comes_late_is_taken),
		ROW(late_is_late_once),
		ROW(a_pause_for_the_group),
		ROW(other_bytes_are_no_blocks),
		ROW(a_pause_of_its_own),
		ROW(twice_asked_is_once_late),
		ROW(a_level_peer_is_no_other),
		ROW(stalls_are_counted_to_an_end),
		ROW(repeated_headers_are_no_run),
		ROW(slow_headers_are_no_run),
		ROW(one_counts_at_a_time),
		ROW(counting_by_turns),
		ROW(who_waits_is_not_counted),
		ROW(counting_goes_on),
		ROW(a_new_block_ends_no_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
