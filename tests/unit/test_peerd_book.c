/* peerd's address book: what one party can fill, choices, and its file, every cut of it refused. */
#include <string.h>

#include "base/num.h"
#include "crypto/schnorr.h"
#include "crypto/sha256.h"
#include "daemons/peerd/book_tables.h"
#include "rc_test.h"

#define NOW 1800000000u

static const uint8_t network[32] = {1, 2, 3};

static struct net_addr addr_of(const char *text)
{
	struct net_addr a;

	assert_true(net_addr_parse(text, 7440, &a));
	return a;
}

static struct net_addr v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	struct net_addr addr;

	assert_true(net_addr_from_wire((uint8_t[]){a, b, c, d}, 4, 7440, &addr));
	return addr;
}

static bool hear(struct book *book, struct net_addr addr, struct net_addr source)
{
	struct book_hearsay h = {.endpoint = {.addr = addr}, .services = 1, .time = NOW - 3600};

	return book_add(book, &h, &source, 0, NOW);
}

/* Every place holds what stands there by its own hash, and the counts are right. */
static void check(const struct book *book)
{
	size_t refs = 0, tried = 0, want = 0;

	for (uint32_t b = 0; b < BOOK_NEW_BUCKETS; b++) {
		for (uint32_t p = 0; p < BOOK_BUCKET_SIZE; p++) {
			const struct book_node *n = book->fresh[b][p];

			if (!n)
				continue;
			refs++;
			assert_false(n->e.tried);
			assert_int_equal(book_place(book, BOOK_NEW, b, &n->e.addr), p);
		}
	}
	for (uint32_t b = 0; b < BOOK_TRIED_BUCKETS; b++) {
		for (uint32_t p = 0; p < BOOK_BUCKET_SIZE; p++) {
			const struct book_node *n = book->tried[b][p];

			if (!n)
				continue;
			tried++;
			assert_true(n->e.tried);
			assert_int_equal(book_tried_bucket(book, &n->e.addr), b);
		}
	}
	for (size_t i = 0; i < book->n; i++) {
		want += book->all[i]->e.refs;
		assert_int_equal(book->all[i]->place, i);
	}
	assert_int_equal(refs, want);
	assert_int_equal(tried, book->n_tried);
}

static struct book *filled(struct rc_test_random *r, unsigned n)
{
	struct book *book = book_new(&r->random, true);

	for (unsigned i = 0; i < n; i++) {
		uint64_t x = rc_random_u64(&r->random);
		struct net_addr a = v4((uint8_t)(1 + x % 9), (uint8_t)(x >> 8), (uint8_t)(x >> 16),
				       (uint8_t)(x >> 24));
		struct net_endpoint e = {.addr = a, .has_key = x >> 40 & 1};

		if (e.has_key)
			rc_link_key_from_secret((uint8_t[32]){[31] = 1, [30] = (uint8_t)i}, e.key);
		hear(book, a, v4((uint8_t)(11 + (x >> 32) % 30), 1, 1, 1));
		if (x >> 41 & 1) {
			book_attempt(book, &a, NOW - 100);
			book_good(book, &e, 1, NOW - (uint32_t)(x >> 48) % 1000);
		} else if (x >> 42 & 1) {
			book_failed(book, &a);
		}
	}
	return book;
}

static void one_source_fills_few_buckets(void **state)
{
	struct rc_test_random r;
	struct book *book;
	unsigned buckets = 0;

	(void)state;
	rc_test_random_init(&r);
	book = book_new(&r.random, true);
	/* An attacker of one /16 names 40,000 addresses of 200 groups. */
	for (unsigned i = 0; i < 40000; i++)
		hear(book,
		     v4((uint8_t)(20 + i % 100), (uint8_t)(i % 2), (uint8_t)(i >> 8), (uint8_t)i),
		     v4(8, 8, (uint8_t)(i >> 4), 8));
	for (uint32_t b = 0; b < BOOK_NEW_BUCKETS; b++) {
		bool used = false;

		for (uint32_t p = 0; p < BOOK_BUCKET_SIZE; p++)
			used = used || book->fresh[b][p];
		buckets += used;
	}
	assert_in_range(buckets, 1, BOOK_NEW_PER_SOURCE);
	assert_true(book_count(book) <= BOOK_NEW_PER_SOURCE * BOOK_BUCKET_SIZE);
	/* Another's word still gets in. */
	unsigned added = 0;

	for (uint8_t i = 0; i < 100; i++)
		added += hear(book, v4(50, i, 1, 1), v4(9, i, 1, 1));
	assert_true(added > 80);
	check(book);
	book_free(book);
}

static void one_group_reaches_few_tried_buckets(void **state)
{
	struct rc_test_random r;
	struct book *book;
	unsigned buckets = 0;

	(void)state;
	rc_test_random_init(&r);
	book = book_new(&r.random, true);
	for (unsigned i = 0; i < 5000; i++) {
		struct net_endpoint e = {.addr = v4(8, 8, (uint8_t)(i >> 8), (uint8_t)i)};

		hear(book, e.addr, v4((uint8_t)(20 + i % 200), (uint8_t)i, 1, 1));
		book_good(book, &e, 1, NOW);
	}
	for (uint32_t b = 0; b < BOOK_TRIED_BUCKETS; b++) {
		bool used = false;

		for (uint32_t p = 0; p < BOOK_BUCKET_SIZE; p++)
			used = used || book->tried[b][p];
		buckets += used;
	}
	assert_in_range(buckets, 1, BOOK_TRIED_PER_GROUP);
	check(book);
	book_free(book);
}

static void what_is_kept(void **state)
{
	struct rc_test_random r;
	struct book *closed, *open;
	struct net_addr source = v4(9, 9, 9, 9);

	(void)state;
	rc_test_random_init(&r);
	closed = book_new(&r.random, false);
	open = book_new(&r.random, true);
	assert_true(hear(closed, addr_of("8.8.8.8"), source));
	assert_true(hear(closed, addr_of("[2a00:1450::1]:7440"), source));
	for (unsigned i = 0; i < 5; i++) {
		static const char *const local[] = {"127.0.0.1:9", "10.1.2.3", "192.168.0.1",
						    "[::1]:5", "[fd00::1]:5"};

		assert_false(hear(closed, addr_of(local[i]), source));
		assert_true(hear(open, addr_of(local[i]), source));
	}
	for (unsigned i = 0; i < 5; i++) {
		static const char *const never[] = {"0.0.0.0:1", "224.0.0.1", "255.255.255.255",
						    "[ff02::1]:1", "203.0.113.5"};

		assert_false(hear(open, addr_of(never[i]), source));
	}
	book_free(closed);
	book_free(open);
}

static void groups(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{"8.8.1.1", "8.8.200.3", true},
		{"8.8.1.1", "8.9.1.1", false},
		{"10.1.2.3", "10.1.2.200", true},
		{"10.1.2.3", "10.1.3.3", false},
		{"127.0.0.1:1", "127.0.0.1:2", false},
		{"127.0.0.1:1", "127.0.0.1:1", true},
		{"2a00:1450::1", "2a00:1450:ffff::", true},
		{"2a00:1450::1", "2a00:1451::1", false},
		{"fd00:0:0:1::1", "fd00:0:0:1::2", true},
		{"fd00:0:0:1::1", "fd00:0:0:2::1", false},
	};

	(void)state;
	for (size_t i = 0; i < RC_ARRAY_LEN(rows); i++) {
		struct net_addr a = addr_of(rows[i].a), b = addr_of(rows[i].b);
		struct net_group ga = net_addr_group(&a), gb = net_addr_group(&b);

		assert_int_equal(net_group_eq(&ga, &gb), rows[i].same);
	}
}

static void addresses_as_text(void **state)
{
	static const char *const good[][2] = {
		{"1.2.3.4", "1.2.3.4:7440"},	 {"1.2.3.4:5", "1.2.3.4:5"},
		{"[::1]:5", "[::1]:5"},		 {"::1", "[::1]:7440"},
		{"[2a00::1]", "[2a00::1]:7440"},
	};
	static const char *const bad[] = {
		"",	"1.2.3",  "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:1x",
		"[::1", "[::1]5", "::1]:5",   "host:1",	   "1.2.3.4 :1",    "[1.2.3.4.5]:1"};
	char text[NET_ADDR_TEXT];
	struct net_addr a;
	struct net_endpoint e;
	struct net_subnet s;

	(void)state;
	for (size_t i = 0; i < RC_ARRAY_LEN(good); i++) {
		assert_true(net_addr_parse(good[i][0], 7440, &a));
		assert_string_equal(net_addr_format(text, &a), good[i][1]);
	}
	for (size_t i = 0; i < RC_ARRAY_LEN(bad); i++)
		assert_false(net_addr_parse(bad[i], 7440, &a));
	/* The generator's point is a key; its x with another prefix is none. */
	assert_true(net_endpoint_parse(
		"0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798@1.2.3.4:5", 1,
		&e));
	assert_true(e.has_key && e.addr.port == 5);
	assert_false(net_endpoint_parse(
		"0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798@1.2.3.4:5", 1,
		&e));
	assert_false(net_endpoint_parse("02@1.2.3.4", 1, &e));
	assert_true(net_subnet_parse("10.1.2.3/8", &s));
	assert_string_equal(net_subnet_format(text, &s), "10.0.0.0/8");
	assert_true(net_subnet_parse("fd00::1", &s));
	assert_string_equal(net_subnet_format(text, &s), "fd00::1/128");
	assert_false(net_subnet_parse("10.0.0.0/33", &s));
	assert_false(net_subnet_parse("10.0.0.0/", &s));
	assert_false(net_subnet_parse("10.0.0.0/-1", &s));
	assert_false(net_subnet_parse("::/129", &s));
}

static void choices(void **state)
{
	struct rc_test_random r;
	struct book *book;
	struct net_addr bad = v4(20, 1, 1, 1), good = v4(21, 1, 1, 1);
	unsigned times_bad = 0;

	(void)state;
	rc_test_random_init(&r);
	book = book_new(&r.random, true);
	assert_null(book_select(book, NOW));
	hear(book, bad, v4(9, 1, 1, 1));
	assert_true(net_addr_eq(&book_select(book, NOW)->addr, &bad)); /* the only one there is */
	hear(book, good, v4(9, 1, 1, 1));
	for (unsigned i = 0; i < 8; i++)
		book_failed(book, &bad);
	for (unsigned i = 0; i < 1000; i++)
		times_bad += net_addr_eq(&book_select(book, NOW)->addr, &bad);
	assert_in_range(times_bad, 0, 200);
	book_remove(book, &good);
	book_remove(book, &bad);
	assert_int_equal(book_count(book), 0);
	check(book);
	book_free(book);
}

#define CROWD 13000

/*
 * One who answered just now stands beside thousands of new addresses, and this node starts again:
 * he is chosen as soon as he was. Several of his kind are chosen alike, wherever the thousands
 * stand in the file, which is in the order of addresses.
 */
static void who_answered_comes_before_a_crowd(void **state)
{
	struct rc_test_random r;
	struct rc_buf file = RC_BUF_INIT;
	struct book *book, *again;
	unsigned times[4] = {0}, crowd = 0;
	struct rc_error error;

	(void)state;
	rc_test_random_init(&r);
	book = book_new(&r.random, false);
	for (uint8_t i = 0; i < 4; i++) {
		struct net_endpoint e = {.addr = v4(50 + i, 1, 1, 1)};

		hear(book, e.addr, v4(9, 1, 1, 1));
		book_attempt(book, &e.addr, NOW);
		book_good(book, &e, 1, NOW);
	}
	for (uint32_t i = 0; i < CROWD; i++)
		hear(book, v4(60 + i % 30, (uint8_t)(i >> 8), (uint8_t)i, 1),
		     v4((uint8_t)(60 + i % 4), 1, 1, 1));
	book_encode(book, network, &file);
	book_free(book);
	assert_int_equal(
		book_decode(file.data, file.len, network, &r.random, false, &again, &error), RC_OK);
	rc_buf_done(&file);
	assert_true(book_count(again) > CROWD / 2);
	for (unsigned i = 0; i < 4000; i++) {
		uint8_t first = book_select(again, NOW + 60)->addr.ip[12];

		if (first < 60)
			times[first - 50]++;
		else
			crowd++;
	}
	assert_in_range(crowd, 1600, 2400);
	/* Alike but for two that share a bucket, one in a hundred times. */
	for (unsigned i = 0; i < 4; i++)
		assert_true(times[i] > 0);
	book_free(again);
}

/* A wrong key that is told again and again keeps nobody away: after one dial none is believed. */
static void wrong_keys_are_believed_once(void **state)
{
	struct rc_test_random r;
	struct book *book;
	struct net_addr addr = v4(50, 1, 1, 1);
	struct book_hearsay h = {
		.endpoint = {.addr = addr, .has_key = true}, .services = 1, .time = NOW};
	struct net_addr source = v4(60, 1, 1, 1);

	(void)state;
	rc_test_random_init(&r);
	rc_link_key_from_secret((uint8_t[32]){[31] = 1}, h.endpoint.key);
	book = book_new(&r.random, false);
	hear(book, addr, v4(9, 1, 1, 1));
	book_add(book, &h, &source, 0, NOW);
	assert_true(book_find(book, &addr)->has_key);
	book_attempt(book, &addr, NOW);
	book_failed(book, &addr);
	book_forget_key(book, &addr);
	book_add(book, &h, &source, 0, NOW);
	assert_false(book_find(book, &addr)->has_key);
	book_free(book);
}

#define PRIVATE 8

static void the_file_holds_everything(void **state)
{
	struct rc_test_random r;
	struct rc_buf one = RC_BUF_INIT, two = RC_BUF_INIT;
	struct book *book, *again;
	struct rc_error error;

	(void)state;
	rc_test_random_init(&r);
	book = filled(&r, 20000);
	check(book);
	book_encode(book, network, &one);
	assert_true(one.len <= BOOK_FILE_MAX);
	assert_int_equal(book_decode(one.data, one.len, network, &r.random, true, &again, &error),
			 RC_OK);
	check(again);
	assert_int_equal(book_count(again), book_count(book));
	assert_int_equal(again->n_tried, book->n_tried);
	book_encode(again, network, &two);
	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.data, two.data, one.len);
	book_free(again);
	/* Where private addresses aren't wanted any more they are dropped. */
	for (uint8_t i = 1; i <= PRIVATE; i++) /* a full bucket may keep one out */
		hear(book, v4(10, i, 1, 1), v4(9, i, 9, 9));
	rc_buf_clear(&one);
	book_encode(book, network, &one);
	assert_int_equal(book_decode(one.data, one.len, network, &r.random, false, &again, &error),
			 RC_OK);
	assert_in_range(book_count(book) - book_count(again), 1, PRIVATE);
	check(again);
	book_free(again);
	book_free(book);
	rc_buf_done(&one);
	rc_buf_done(&two);
}

static int decode(const uint8_t *data, size_t len, struct rc_test_random *r)
{
	struct book *book = NULL;
	int err = book_decode(data, len, network, &r->random, true, &book, NULL);

	if (err == RC_OK)
		book_free(book);
	else
		assert_null(book);
	return err;
}

static void sum(uint8_t *data, size_t len)
{
	rc_sha256(data, len - 32, data + len - 32);
}

static void every_damage_is_refused(void **state)
{
	struct rc_test_random r;
	struct rc_buf buf = RC_BUF_INIT;
	struct book *book;
	uint8_t other[32] = {9};
	size_t changed = 0;

	(void)state;
	rc_test_random_init(&r);
	book = filled(&r, 40);
	book_encode(book, network, &buf);
	assert_int_equal(decode(buf.data, buf.len, &r), RC_OK);
	for (size_t len = 0; len < buf.len; len++)
		assert_int_not_equal(decode(buf.data, len, &r), RC_OK);
	for (size_t i = 0; i < buf.len; i++) {
		buf.data[i] ^= 1;
		assert_int_not_equal(decode(buf.data, buf.len, &r), RC_OK);
		buf.data[i] ^= 1;
	}
	assert_int_equal(book_decode(buf.data, buf.len, other, &r.random, true, &book, NULL),
			 RC_ENETWORK);
	/* With a right checksum the inside is still checked: cuts, and what is appended. */
	for (size_t len = 110; len < buf.len; len++) {
		RC_AUTOFREE uint8_t *cut = rc_memdup(buf.data, len);

		sum(cut, len);
		assert_int_not_equal(decode(cut, len, &r), RC_OK);
	}
	/* A changed bucket, flag, count or order never yields a book that encodes otherwise. */
	for (size_t i = 74; i < buf.len - 32; i++) {
		struct book *got = NULL;
		struct rc_buf back = RC_BUF_INIT;

		buf.data[i] ^= 0x41;
		sum(buf.data, buf.len);
		if (book_decode(buf.data, buf.len, network, &r.random, true, &got, NULL) == RC_OK) {
			/* What isn't accepted (0.0.0.0 and the like) is dropped: no comparison. */
			check(got);
			book_encode(got, network, &back);
			if (back.len == buf.len)
				assert_memory_equal(back.data, buf.data, buf.len);
			changed++;
			book_free(got);
			rc_buf_done(&back);
		}
		buf.data[i] ^= 0x41;
	}
	assert_true(changed > 0); /* times and services may be any */
	book_free(book);
	rc_buf_done(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_source_fills_few_buckets),
		cmocka_unit_test(one_group_reaches_few_tried_buckets),
		cmocka_unit_test(what_is_kept),
		cmocka_unit_test(groups),
		cmocka_unit_test(addresses_as_text),
		cmocka_unit_test(choices),
		cmocka_unit_test(who_answered_comes_before_a_crowd),
		cmocka_unit_test(wrong_keys_are_believed_once),
		cmocka_unit_test(the_file_holds_everything),
		cmocka_unit_test(every_damage_is_refused),
	};

	rc_schnorr_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
