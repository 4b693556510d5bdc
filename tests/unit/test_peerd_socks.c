/* SOCKS5, the client's side: right answers in any slicing, and wrong ones. */
#include <string.h>

#include "base/num.h"
#include "daemons/peerd/socks.h"
#include "rc_test.h"

static struct net_addr target(const char *text)
{
	struct net_addr addr;

	assert_true(net_addr_parse(text, 1, &addr));
	return addr;
}

/* Hands over an answer in pieces of this size, as much as is asked for each time. */
static enum socks_step answer(struct socks *s, const char *bytes, size_t len, size_t piece)
{
	enum socks_step step = SOCKS_GOING;
	size_t at = 0;

	while (at < len && step == SOCKS_GOING) {
		size_t n = rc_min_u64(rc_min_u64(piece, len - at), socks_wants(s));

		assert_true(n > 0);
		step = socks_take(s, (const uint8_t *)bytes + at, n);
		at += n;
	}
	return step;
}

static void expect_sent(struct socks *s, const char *bytes, size_t len)
{
	assert_int_equal(s->out_len, len);
	assert_memory_equal(s->out, bytes, len);
	/* Also in two goes. */
	socks_sent(s, 1);
	assert_memory_equal(s->out, bytes + 1, len - 1);
	socks_sent(s, len - 1);
}

static void the_way_of_rfc_1928(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} ends[] = {
		{"\5\0\0\1\1\2\3\4\0\5", 10},
		{"\5\0\0\4\1\2\3\4\5\6\7\10\1\2\3\4\5\6\7\10\0\5", 22},
		{"\5\0\0\3\7example\0\5", 14},
		{"\5\0\0\3\0\0\5", 7},
	};
	struct net_addr v4 = target("1.2.3.4:7440"), v6 = target("[2a00::1]:7440");

	(void)state;
	for (size_t i = 0; i < RC_ARRAY_LEN(ends); i++) {
		for (size_t piece = 1; piece < 30; piece++) {
			struct socks s;

			socks_begin(&s, &v4, NULL, NULL);
			expect_sent(&s, "\5\1\0", 3);
			assert_int_equal(answer(&s, "\5\0", 2, piece), SOCKS_GOING);
			expect_sent(&s, "\5\1\0\1\1\2\3\4\x1d\x10", 10);
			assert_int_equal(answer(&s, ends[i].bytes, ends[i].len - 1, piece),
					 SOCKS_GOING);
			assert_int_equal(socks_wants(&s), 1);
			assert_int_equal(answer(&s, ends[i].bytes + ends[i].len - 1, 1, 1),
					 SOCKS_DONE);
			assert_int_equal(socks_wants(&s), 0); /* the next byte is the peer's */
		}
	}
	struct socks s;

	socks_begin(&s, &v6, "", "");
	socks_sent(&s, 3);
	answer(&s, "\5\0", 2, 2);
	expect_sent(&s, "\5\1\0\4\x2a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x1d\x10", 22);
}

static void user_and_password(void **state)
{
	struct net_addr v4 = target("1.2.3.4:7440");
	struct socks s;

	(void)state;
	socks_begin(&s, &v4, "me", "secret");
	expect_sent(&s, "\5\2\0\2", 4);
	assert_int_equal(answer(&s, "\5\2", 2, 1), SOCKS_GOING);
	expect_sent(&s, "\1\2me\6secret", 11);
	assert_int_equal(answer(&s, "\1\0", 2, 1), SOCKS_GOING);
	assert_int_equal(s.out_len, 10);
	/* It may do without. */
	socks_begin(&s, &v4, "me", "secret");
	socks_sent(&s, 4);
	assert_int_equal(answer(&s, "\5\0", 2, 1), SOCKS_GOING);
	assert_int_equal(s.out_len, 10);
	/* Refused; asked for what we didn't offer. */
	socks_begin(&s, &v4, "me", "secret");
	socks_sent(&s, 4);
	answer(&s, "\5\2", 2, 1);
	socks_sent(&s, s.out_len);
	assert_int_equal(answer(&s, "\1\1", 2, 1), SOCKS_NO_PROXY);
	assert_non_null(s.why);
	socks_begin(&s, &v4, NULL, NULL);
	socks_sent(&s, 3);
	assert_int_equal(answer(&s, "\5\2", 2, 1), SOCKS_NO_PROXY);
}

static enum socks_step ends_with(const char *bytes, size_t len)
{
	struct net_addr v4 = target("1.2.3.4:7440");
	struct socks s;
	enum socks_step step;

	socks_begin(&s, &v4, NULL, NULL);
	socks_sent(&s, 3);
	assert_int_equal(answer(&s, "\5\0", 2, 1), SOCKS_GOING);
	socks_sent(&s, s.out_len);
	step = answer(&s, bytes, len, 3);
	assert_int_equal(s.why == NULL, step == SOCKS_DONE || step == SOCKS_GOING);
	return step;
}

static void wrong_answers(void **state)
{
	struct net_addr v4 = target("1.2.3.4:7440");
	struct socks s;

	(void)state;
	for (int first = 0; first < 256; first++) {
		for (int second = 0; second < 256; second++) {
			char bytes[2] = {(char)first, (char)second};

			socks_begin(&s, &v4, NULL, NULL);
			socks_sent(&s, 3);
			assert_int_equal(answer(&s, bytes, 2, 2),
					 first == 5 && second == 0 ? SOCKS_GOING : SOCKS_NO_PROXY);
		}
	}
	/* What is said of an address is its fault, the rest the proxy's. */
	for (char reply = 1; reply <= 8; reply++) {
		char bytes[10] = {5, reply, 0, 1};

		assert_int_equal(ends_with(bytes, 10), reply == 7 ? SOCKS_NO_PROXY : SOCKS_NO_PEER);
	}
	assert_int_equal(ends_with("\5\11\0\1\0\0\0\0\0\0", 10), SOCKS_NO_PROXY);
	assert_int_equal(ends_with("\4\0\0\1\0\0\0\0\0\0", 10), SOCKS_NO_PROXY);
	assert_int_equal(ends_with("\5\0\1\1\0\0\0\0\0\0", 10), SOCKS_NO_PROXY);
	assert_int_equal(ends_with("\5\0\0\2\0\0\0\0\0\0", 10), SOCKS_NO_PROXY);
	/* An answer before the question. */
	socks_begin(&s, &v4, NULL, NULL);
	assert_int_equal(answer(&s, "\5\0", 2, 2), SOCKS_NO_PROXY);
}

/* Whatever comes, it ends within what RFC 1928 allows, 2 + 2 + 5 + 257 bytes. */
static void nonsense_ends(void **state)
{
	struct rc_test_random r;
	struct net_addr v4 = target("1.2.3.4:7440");
	unsigned done = 0;

	(void)state;
	rc_test_random_init(&r);
	for (unsigned round = 0; round < 100000; round++) {
		struct socks s;
		enum socks_step step = SOCKS_GOING;
		size_t total = 0;

		socks_begin(&s, &v4, round % 2 ? "u" : NULL, "p");
		while (step == SOCKS_GOING) {
			uint8_t bytes[300];
			size_t n = 1 + (size_t)rc_random_below(&r.random, socks_wants(&s));

			assert_true(socks_wants(&s) <= 257);
			socks_sent(&s, s.out_len);
			rc_random_fill(&r.random, bytes, n);
			for (size_t i = 0; i < n; i++)
				bytes[i] = bytes[i] % 4 ? (bytes[i] % 3 == 0) : bytes[i] % 6;
			if (s.have == 0)
				bytes[0] = s.part == SOCKS_AUTH ? 1 : 5;
			step = socks_take(&s, bytes, n);
			total += n;
		}
		assert_true(total <= 2 + 2 + 5 + 257);
		done += step == SOCKS_DONE;
	}
	assert_in_range(done, 100, 99000); /* both ways were gone */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_way_of_rfc_1928),
		cmocka_unit_test(user_and_password),
		cmocka_unit_test(wrong_answers),
		cmocka_unit_test(nonsense_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
