/* peerd's small parts: messages, timers, memory of ids, scores, bans, downloads, the link key. */
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "crypto/schnorr.h"
#include "crypto/sha256.h"
#include "daemons/peerd/conduct.h"
#include "daemons/peerd/inflight.h"
#include "daemons/peerd/link_key.h"
#include "daemons/peerd/message.h"
#include "daemons/peerd/seen.h"
#include "daemons/peerd/timers.h"
#include "proto/peer.pb-c.h"
#include "rc_test.h"

static void table_of_messages(void **state)
{
	size_t n;
	const struct peer_message_info *rows = peer_messages(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(rows[i].number, i + 1); /* found by place */
		assert_true(rows[i].number < PEER_MSG_LIMIT);
		assert_ptr_equal(peer_message_find(rows[i].number), &rows[i]);
		assert_true(rows[i].max >= 16 && rows[i].max <= 33000000);
		assert_non_null(rows[i].descriptor);
	}
	assert_null(peer_message_find(0));
	assert_null(peer_message_find((uint16_t)(n + 1)));
	assert_null(peer_message_find(UINT16_MAX));
	/* What this node makes is within its own limits. */
	assert_true(peer_message_find(PEER_MSG_HEADERS)->max >= PEER_HEADERS_MAX * 118 + 8);
	assert_true(peer_message_find(PEER_MSG_INV)->max >= PEER_ITEMS_MAX * PEER_ITEM_SIZE + 8);
	assert_true(peer_message_find(PEER_MSG_GETHEADERS)->max >= PEER_LOCATOR_MAX * 32 + 32 + 10);
}

static void messages_decode_within_budget(void **state)
{
	struct rc_arena arena = RC_ARENA_INIT;
	const struct peer_message_info *addr = peer_message_find(PEER_MSG_ADDR);
	struct rc_buf buf = RC_BUF_INIT;
	struct rc_bytes raw;
	Rc__P2p__Addr *m;

	(void)state;
	/* 40,000 empty endpoints in 80,000 bytes: refused or bounded, never much memory. */
	for (unsigned i = 0; i < 40000; i++)
		rc_buf_put(&buf, "\x0a", 2);
	m = peer_message_decode(addr, buf.data, buf.len, &arena);
	assert_true(arena.total <= 81 * buf.len);
	(void)m;
	rc_arena_reset(&arena);
	/* Over the limit of its row. */
	rc_buf_add(&buf, addr->max);
	assert_null(peer_message_decode(addr, buf.data, buf.len, &arena));
	rc_buf_clear(&buf);
	/* Raw bytes, without a copy and with one. */
	peer_message_put_raw((struct rc_bytes){(const uint8_t *)"hello", 5}, &buf);
	assert_true(peer_message_raw(buf.data, buf.len, &raw));
	assert_int_equal(raw.len, 5);
	assert_memory_equal(raw.data, "hello", 5);
	Rc__P2p__Block *block =
		peer_message_decode(peer_message_find(PEER_MSG_BLOCK), buf.data, buf.len, &arena);

	assert_non_null(block);
	assert_int_equal(block->raw.len, 5);
	for (size_t len = 0; len < buf.len; len++)
		assert_false(peer_message_raw(buf.data, len, &raw));
	rc_buf_put_u8(&buf, 0);
	assert_false(peer_message_raw(buf.data, buf.len, &raw));
	rc_buf_done(&buf);
	rc_arena_done(&arena);
}

static void note_time(void *arg)
{
	int64_t **next = arg;

	*(*next)++ += 1;
}

static void timers_run_in_order(void **state)
{
	struct timers t = {0};
	struct timer list[100];
	struct rc_test_random r;
	int64_t at = 0;

	(void)state;
	rc_test_random_init(&r);
	for (unsigned i = 0; i < 100; i++) {
		static int64_t ran[100], *next = ran;

		timer_init(&list[i], note_time, &next);
		timer_arm(&t, &list[i], (int64_t)rc_random_below(&r.random, 1000));
	}
	for (unsigned i = 0; i < 100; i += 3)
		timer_disarm(&t, &list[i]);
	for (unsigned i = 1; i < 100; i += 3)
		timer_arm(&t, &list[i], (int64_t)rc_random_below(&r.random, 1000));
	assert_int_equal(t.n, 66);
	while (t.n) {
		int64_t due = timers_next(&t);
		size_t n = t.n;

		assert_true(due >= at);
		at = due;
		timers_run(&t, at - 1);
		assert_int_equal(t.n, n);
		timers_run(&t, at);
		assert_true(t.n < n);
	}
	assert_true(timers_next(&t) == INT64_MAX);
	timers_done(&t);
}

static void ids_are_remembered_for_a_while(void **state)
{
	struct seen seen;
	uint8_t id[32] = {0};

	(void)state;
	seen_init(&seen, 1, 2, 1000);
	assert_false(seen_has(&seen, id));
	for (uint32_t i = 0; i < 10000; i++) {
		rc_put_le32(id, i);
		assert_true(seen_add(&seen, id));
		assert_false(seen_add(&seen, id));
		/* At least the last thousand. */
		for (uint32_t back = 1; back < 1000 && back <= i; back += 111) {
			rc_put_le32(id, i - back);
			assert_true(seen_has(&seen, id));
		}
	}
	assert_true(seen.young.n + seen.old.n <= 2000);
	rc_put_le32(id, 1);
	assert_false(seen_has(&seen, id));
	for (uint32_t i = 9500; i < 10000; i++) {
		rc_put_le32(id, i);
		seen_forget(&seen, id);
		assert_false(seen_has(&seen, id));
	}
	rc_put_le32(id, 9400);
	assert_true(seen_has(&seen, id));
	seen_done(&seen);
}

static void scores(void **state)
{
	struct score s = {0};
	size_t n;
	const struct score_row *rows = score_rows(&n);

	(void)state;
	assert_string_equal(rows[n - 1].what, "*");
	assert_string_equal(score_find("header-work")->what, "header-*");
	assert_string_equal(score_find("header-parent-invalid")->what, "header-parent-invalid");
	assert_string_equal(score_find("sig-invalid")->what, "*");
	assert_string_equal(score_find("block-root-mismatch")->what, "block-*");
	assert_false(score_add(&s, 60, 0));
	assert_int_equal(score_points(&s, 0), 60);
	assert_int_equal(score_points(&s, 600), 50); /* ten minutes, ten points */
	assert_false(score_add(&s, 49, 600));
	assert_true(score_add(&s, 1, 600));
	assert_int_equal(score_points(&s, 600 + 100 * 60), 0);
	assert_int_equal(score_points(&s, 0), 100); /* a clock that went back helps nobody */
}

static void discouraged_addresses(void **state)
{
	struct discouraged *d = discouraged_new();
	struct net_addr a, b, local, local2, v6, same64, other64;

	(void)state;
	assert_true(net_addr_parse("8.8.8.8:1", 1, &a));
	assert_true(net_addr_parse("8.8.8.8:2", 1, &b));
	assert_true(net_addr_parse("127.0.0.1:1", 1, &local));
	assert_true(net_addr_parse("127.0.0.1:2", 1, &local2));
	discouraged_add(d, &a, 100);
	discouraged_add(d, &local, 100);
	assert_true(discouraged_has(d, &b, 100)); /* any port of it */
	assert_true(discouraged_has(d, &local, 100));
	assert_false(discouraged_has(d, &local2, 100)); /* another node of this host */
	assert_true(net_addr_parse("[2a00:1:2:3::1]:1", 1, &v6));
	assert_true(net_addr_parse("[2a00:1:2:3:ffff::9]:2", 1, &same64));
	assert_true(net_addr_parse("[2a00:1:2:4::1]:1", 1, &other64));
	discouraged_add(d, &v6, 100);
	assert_true(discouraged_has(d, &same64, 100)); /* one party's */
	assert_false(discouraged_has(d, &other64, 100));
	assert_true(discouraged_has(d, &a, 100 + DISCOURAGED_SECONDS - 1));
	assert_false(discouraged_has(d, &a, 100 + DISCOURAGED_SECONDS));
	for (uint32_t i = 0; i < DISCOURAGED_MAX + 100; i++) {
		uint8_t ip[4] = {30, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

		assert_true(net_addr_from_wire(ip, 4, 1, &a));
		discouraged_add(d, &a, 100);
	}
	assert_int_equal(discouraged_count(d), DISCOURAGED_MAX);
	discouraged_free(d);
}

static void ban(struct bans *bans, const char *text, uint64_t until, int want)
{
	struct net_subnet s;

	assert_true(net_subnet_parse(text, &s));
	assert_int_equal(bans_add(bans, &s, until, "a reason", 1000, NULL), want);
}

static void bans_and_their_file(void **state)
{
	struct bans bans = {0}, again = {0};
	struct rc_buf one = RC_BUF_INIT, two = RC_BUF_INIT;
	struct net_addr in, out;
	struct net_subnet s;

	(void)state;
	assert_true(net_addr_parse("10.5.6.7", 1, &in));
	assert_true(net_addr_parse("11.5.6.7", 1, &out));
	ban(&bans, "10.0.0.0/8", 2000, RC_OK);
	ban(&bans, "10.0.0.0/8", 3000, RC_EEXIST);
	ban(&bans, "10.0.0.0/16", 3000, RC_OK);
	ban(&bans, "fd00::/8", 3000, RC_OK);
	ban(&bans, "1.2.3.4", 3000, RC_OK);
	ban(&bans, "1.2.3.5", 1000, RC_ERANGE);
	assert_true(bans_has(&bans, &in, 1500));
	assert_false(bans_has(&bans, &out, 1500));
	assert_false(bans_has(&bans, &in, 2000));
	bans_encode(&bans, &one);
	assert_int_equal(bans_decode(one.data, one.len, &again, NULL), RC_OK);
	assert_int_equal(again.n, 4);
	bans_encode(&again, &two);
	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.data, two.data, one.len);
	bans_done(&again);
	for (size_t len = 0; len < one.len; len++)
		assert_int_not_equal(bans_decode(one.data, len, &again, NULL), RC_OK);
	for (size_t i = 0; i < one.len; i++) {
		one.data[i] ^= 0x80;
		assert_int_not_equal(bans_decode(one.data, one.len, &again, NULL), RC_OK);
		one.data[i] ^= 0x80;
	}
	/* Bits beyond the mask, under a right checksum: there is one writing of a subnet only. */
	one.data[14 + 42 + 15] |= 1; /* 10.0.0.0/8 is the second one */
	rc_sha256(one.data, one.len - 32, one.data + one.len - 32);
	assert_int_not_equal(bans_decode(one.data, one.len, &again, NULL), RC_OK);
	bans_sweep(&bans, 2500);
	assert_int_equal(bans.n, 3);
	assert_true(net_subnet_parse("fd00::/8", &s));
	assert_int_equal(bans_remove(&bans, &s), RC_OK);
	assert_int_equal(bans_remove(&bans, &s), RC_ENOENT);
	bans_done(&bans);
	rc_buf_done(&one);
	rc_buf_done(&two);
}

static void downloads(void **state)
{
	struct inflight d = {0};
	struct rc_block_id id = {{0}}, ids[INFLIGHT_PER_PEER];

	(void)state;
	for (uint8_t i = 0; i < 40; i++) {
		id.b[0] = i;
		assert_int_equal(inflight_add(&d, &id, i, 1 + i / 20), i % 20 < INFLIGHT_PER_PEER);
	}
	id.b[0] = 3;
	assert_false(inflight_add(&d, &id, 3, 3)); /* asked of somebody already */
	assert_int_equal(inflight_count(&d, 1), INFLIGHT_PER_PEER);
	assert_int_equal(inflight_total(&d), 2 * INFLIGHT_PER_PEER);
	id.b[0] = 0;
	assert_int_equal(inflight_take(&d, &id), 1);
	assert_int_equal(inflight_take(&d, &id), 0);
	assert_int_equal(inflight_drop_peer(&d, 2, ids), INFLIGHT_PER_PEER);
	assert_int_equal(inflight_count(&d, 2), 0);
	assert_int_equal(inflight_total(&d), INFLIGHT_PER_PEER - 1);
	inflight_done(&d);
}

static void the_link_key(void **state)
{
	uint8_t file[LINK_KEY_FILE_SIZE], secret[32], machine[32], got[32], got_machine[32];
	char path[] = "/tmp/rc-link-key-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	rc_schnorr_init();
	memset(secret, 7, 32);
	memset(machine, 8, 32);
	link_key_encode(secret, machine, file);
	assert_int_equal(link_key_decode(file, sizeof(file), got, got_machine, NULL), RC_OK);
	assert_memory_equal(got, secret, 32);
	for (size_t len = 0; len < sizeof(file); len++)
		assert_int_not_equal(link_key_decode(file, len, got, got_machine, NULL), RC_OK);
	for (size_t i = 0; i < sizeof(file); i++) {
		file[i] ^= 1;
		assert_int_not_equal(link_key_decode(file, sizeof(file), got, got_machine, NULL),
				     RC_OK);
		file[i] ^= 1;
	}
	/* Made once, kept on its machine, renewed on another. */
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	assert_int_equal(link_key_load(path, machine, &rc_random_system, secret, NULL), RC_OK);
	assert_int_equal(link_key_load(path, machine, &rc_random_system, got, NULL), RC_OK);
	assert_memory_equal(got, secret, 32);
	machine[0]++;
	assert_int_equal(link_key_load(path, machine, &rc_random_system, got, NULL), RC_OK);
	assert_memory_not_equal(got, secret, 32);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_of_messages),
		cmocka_unit_test(messages_decode_within_budget),
		cmocka_unit_test(timers_run_in_order),
		cmocka_unit_test(ids_are_remembered_for_a_while),
		cmocka_unit_test(scores),
		cmocka_unit_test(discouraged_addresses),
		cmocka_unit_test(bans_and_their_file),
		cmocka_unit_test(downloads),
		cmocka_unit_test(the_link_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
