/* link/message: whole links, back to back without sockets. */
#include "tests/unit/rc_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/num.h"
#include "crypto/schnorr.h"
#include "crypto/sha256.h"
#include "link/message.h"
#include "link/record.h"

#define TYPE_SMALL   1 /* up to 1,000 bytes */
#define TYPE_BIG     2 /* up to 3 MB */
#define TYPE_REFUSED 3 /* the receiver refuses it */
#define TYPE_SECRET  9 /* known to the sender alone */

struct side {
	struct rc_link *link;
	bool knows_secret, refuses_open;
	unsigned opened, got[RC_LINK_STREAMS];
	size_t got_bytes;
	uint16_t last_type;
	struct rc_sha256 hash[RC_LINK_STREAMS]; /* over type and data of all messages */
	unsigned order[64];			/* streams in order of arrival */
	unsigned n_order;
};

static int64_t max_len(void *arg, enum rc_link_stream stream, uint16_t type)
{
	struct side *s = arg;

	(void)stream;
	switch (type) {
	case TYPE_SMALL:
	case TYPE_REFUSED:
		return 1000;
	case TYPE_BIG:
		return 3000000;
	case TYPE_SECRET:
		return s->knows_secret ? 100000 : -1;
	}
	return -1;
}

static bool on_open(void *arg, struct rc_link *link)
{
	struct side *s = arg;

	assert_int_equal(rc_link_state(link), RC_LINK_OPEN);
	s->opened++;
	return !s->refuses_open;
}

static void note(struct rc_sha256 *h, uint16_t type, const void *data, size_t len)
{
	rc_sha256_update(h, &type, sizeof(type));
	rc_sha256_update(h, &len, sizeof(len));
	rc_sha256_update(h, data, len);
}

static bool on_message(void *arg, struct rc_link *link, enum rc_link_stream stream, uint16_t type,
		       struct rc_buf *data)
{
	struct side *s = arg;

	assert_ptr_equal(link, s->link);
	if (type == TYPE_REFUSED)
		return false;
	note(&s->hash[stream], type, data->data, data->len);
	if (s->n_order < RC_ARRAY_LEN(s->order))
		s->order[s->n_order++] = stream;
	s->got[stream]++;
	s->got_bytes += data->len;
	s->last_type = type;
	return true;
}

struct rig {
	struct rc_test_random t;
	struct side side[2]; /* 0 dialled */
};

static void rig_open_with(struct rig *rig, enum rc_link_pattern pattern)
{
	struct rc_handshake_params p[2] = {0};

	rc_test_random_init(&rig->t);
	for (int i = 0; i < 2; i++) {
		rc_link_secret_make(&rig->t.random, p[i].secret);
		rc_link_prologue(p[0].secret, p[i].prologue); /* any network */
		p[i].prologue_len = RC_LINK_PROLOGUE_SIZE;
		p[i].random = &rig->t.random;
	}
	p[0].initiator = true;
	p[0].pattern = pattern;
	p[0].has_remote = pattern == RC_LINK_XK;
	rc_link_key_from_secret(p[1].secret, p[0].remote);
	for (int i = 0; i < 2; i++) {
		struct side *s = &rig->side[i];
		struct rc_link_events events = {max_len, on_open, on_message, s};

		s->link = rc_link_new(&p[i], &events);
		assert_non_null(s->link);
		for (int k = 0; k < RC_LINK_STREAMS; k++)
			rc_sha256_init(&s->hash[k]);
	}
}

/* Moves what side from has to say to the other, in random slices. False if there was nothing. */
static bool rig_move(struct rig *rig, int from, size_t want)
{
	struct rc_buf wire = RC_BUF_INIT;
	size_t n = rc_link_pull(rig->side[from].link, &wire, want), at = 0;

	assert_int_equal(n, wire.len);
	while (at < n) {
		size_t slice = 1 + rc_random_below(&rig->t.random, rc_min_u64(n - at, 40000));

		rc_link_feed(rig->side[!from].link, wire.data + at, slice);
		at += slice;
	}
	rc_buf_done(&wire);
	return n > 0;
}

static void rig_settle(struct rig *rig)
{
	bool moved;

	do {
		moved = rig_move(rig, 0, 50000);
		moved |= rig_move(rig, 1, 50000);
	} while (moved);
	assert_false(rc_link_wants_write(rig->side[0].link));
}

static void rig_open(struct rig *rig, enum rc_link_pattern pattern)
{
	rig_open_with(rig, pattern);
	assert_int_equal(rc_link_send(rig->side[0].link, RC_LINK_CONTROL, TYPE_SMALL, "x", 1),
			 RC_EUNAVAILABLE);
	rig_settle(rig);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rc_link_state(rig->side[i].link), RC_LINK_OPEN);
		assert_int_equal(rig->side[i].opened, 1);
		assert_int_equal(rc_link_pattern(rig->side[i].link), pattern);
	}
	assert_memory_equal(rc_link_hash(rig->side[0].link), rc_link_hash(rig->side[1].link), 32);
}

static void rig_done(struct rig *rig)
{
	for (int i = 0; i < 2; i++)
		rc_link_free(rig->side[i].link);
}

static void test_traffic(void **state)
{
	uint8_t *data = rc_alloc(3000000);

	(void)state;
	for (int pattern = RC_LINK_XK; pattern <= RC_LINK_XX; pattern++) {
		struct rc_sha256 want[2][RC_LINK_STREAMS];
		struct rig rig = {0};

		rig_open(&rig, pattern);
		for (int i = 0; i < 4; i++)
			rc_sha256_init(&want[i / 2][i % 2]);
		rc_random_fill(&rig.t.random, data, 3000000);
		rc_link_set_padding(rig.side[0].link, 512);
		for (int i = 0; i < 1200; i++) {
			int from = (int)rc_random_below(&rig.t.random, 2);
			enum rc_link_stream stream = rc_random_below(&rig.t.random, 2);
			uint16_t type = rc_random_below(&rig.t.random, 20) ? TYPE_SMALL : TYPE_BIG;
			size_t len =
				rc_random_below(&rig.t.random, type == TYPE_SMALL ? 1001 : 100001);

			assert_int_equal(rc_link_send(rig.side[from].link, stream, type, data, len),
					 RC_OK);
			note(&want[!from][stream], type, data, len);
			rig_move(&rig, (int)rc_random_below(&rig.t.random, 2), 5000);
		}
		assert_int_equal(
			rc_link_send(rig.side[0].link, RC_LINK_BULK, TYPE_BIG, data, 3000000), 0);
		note(&want[1][RC_LINK_BULK], TYPE_BIG, data, 3000000);
		rig_settle(&rig);
		for (int i = 0; i < 4; i++) {
			uint8_t a[32], b[32];

			rc_sha256_final(&want[i / 2][i % 2], a);
			rc_sha256_final(&rig.side[i / 2].hash[i % 2], b);
			assert_memory_equal(a, b, 32);
		}
		assert_int_equal(rig.side[0].got[0] + rig.side[0].got[1] + rig.side[1].got[0] +
					 rig.side[1].got[1],
				 1201);
		assert_true(rc_link_bytes_out(rig.side[0].link) ==
			    rc_link_bytes_in(rig.side[1].link));
		rig_done(&rig);
	}
	free(data);
}

/* A vote queued behind a block goes before the block's next fragment. */
static void test_control_overtakes_bulk(void **state)
{
	struct rig rig = {0};
	uint8_t *block = rc_alloc(2000000);

	(void)state;
	rig_open(&rig, RC_LINK_XK);
	assert_int_equal(
		rc_link_send_taken(rig.side[0].link, RC_LINK_BULK, TYPE_BIG, block, 2000000),
		RC_OK);
	assert_int_equal(rc_link_queued(rig.side[0].link, RC_LINK_BULK), 2000008);
	rig_move(&rig, 0, 100000);
	assert_int_equal(rig.side[1].n_order, 0);
	for (int i = 0; i < 3; i++)
		rc_link_send(rig.side[0].link, RC_LINK_CONTROL, TYPE_SMALL, "vote", 4);
	assert_int_equal(rc_link_queued(rig.side[0].link, RC_LINK_CONTROL), 36);
	rig_move(&rig, 0, 1);
	rig_move(&rig, 0, 1);
	rig_move(&rig, 0, 1);
	assert_int_equal(rig.side[1].got[RC_LINK_CONTROL], 3);
	assert_int_equal(rig.side[1].got[RC_LINK_BULK], 0);
	rig_settle(&rig);
	assert_int_equal(rig.side[1].got[RC_LINK_BULK], 1);
	assert_int_equal(rc_link_queued(rig.side[0].link, RC_LINK_BULK), 0);
	rig_done(&rig);
}

static void test_limits(void **state)
{
	struct rig rig = {0};
	uint8_t data[1001] = {0};
	struct rc_link *a;

	(void)state;
	rig.side[0].knows_secret = true;
	rig_open(&rig, RC_LINK_XX);
	a = rig.side[0].link;
	assert_int_equal(rc_link_send(a, RC_LINK_CONTROL, TYPE_SMALL, data, 1001), RC_ETOOBIG);
	assert_int_equal(rc_link_send(a, RC_LINK_CONTROL, 77, data, 1), RC_EINVAL);
	assert_int_equal(rc_link_send(a, RC_LINK_CONTROL, TYPE_SMALL, NULL, 0), RC_OK);
	rig_settle(&rig);
	assert_int_equal(rig.side[1].got[RC_LINK_CONTROL], 1);
	/* A type the receiver doesn't know is skipped, with whatever comes after intact. */
	{
		RC_AUTOFREE uint8_t *big = rc_alloc(90000);

		assert_int_equal(rc_link_send(a, RC_LINK_CONTROL, TYPE_SECRET, big, 90000), RC_OK);
	}
	assert_int_equal(rc_link_send(a, RC_LINK_CONTROL, TYPE_SMALL, data, 7), RC_OK);
	rig_settle(&rig);
	assert_int_equal(rc_link_state(rig.side[1].link), RC_LINK_OPEN);
	assert_int_equal(rig.side[1].got[RC_LINK_CONTROL], 2);
	assert_int_equal(rig.side[1].got_bytes, 7);
	/* Refused by the receiver: nothing after it is delivered. */
	rc_link_send(a, RC_LINK_CONTROL, TYPE_REFUSED, data, 7);
	rc_link_send(a, RC_LINK_CONTROL, TYPE_SMALL, data, 7);
	rig_settle(&rig);
	assert_int_equal(rc_link_fault(rig.side[1].link), RC_LINK_FAULT_REFUSED);
	assert_int_equal(rig.side[1].got[RC_LINK_CONTROL], 2);
	assert_int_equal(rc_link_feed(rig.side[1].link, data, 1), RC_LINK_FAILED);
	rig_done(&rig);
	/* Refused when it opened. */
	rig = (struct rig){0};
	rig.side[1].refuses_open = true;
	rig_open_with(&rig, RC_LINK_XK);
	rig_settle(&rig);
	assert_int_equal(rc_link_fault(rig.side[1].link), RC_LINK_FAULT_REFUSED);
	rig_done(&rig);
}

/* Any flipped bit of any record byte ends the link, and no message comes out of it. */
static void test_flipped_records(void **state)
{
	(void)state;
	for (size_t at = 0; at < 18 + 12 + 16; at++) {
		struct rig rig = {0};
		struct rc_buf wire = RC_BUF_INIT;

		rig_open(&rig, RC_LINK_XK);
		rc_link_send(rig.side[0].link, RC_LINK_CONTROL, TYPE_SMALL, "data", 4);
		rc_link_pull(rig.side[0].link, &wire, 1);
		assert_int_equal(wire.len, 18 + 12 + 16);
		wire.data[at] ^= (uint8_t)(1 << rc_random_below(&rig.t.random, 8));
		assert_int_equal(rc_link_feed(rig.side[1].link, wire.data, wire.len),
				 RC_LINK_FAILED);
		assert_int_equal(rc_link_fault(rig.side[1].link), RC_LINK_FAULT_RECORD_MAC);
		assert_int_equal(rig.side[1].got[0], 0);
		rc_buf_done(&wire);
		rig_done(&rig);
	}
}

/* ---- bodies of records that an authentic peer shouldn't send ---- */

struct body {
	const char *bytes;
	size_t len;
};
#define BODY(text)                      \
	{                               \
		text, sizeof(text) - 1, \
	}

static const struct {
	const char *why;
	struct body bodies[3];
	enum rc_link_fault fault;
	unsigned messages;
} body_cases[] = {
	{"one fragment", {BODY("\0\3\1\0\2\0\0\0ab")}, RC_LINK_FAULT_NONE, 1},
	{"two fragments", {BODY("\0\1\1\0\2\0\0\0a"), BODY("\0\2b")}, RC_LINK_FAULT_NONE, 1},
	{"an empty message", {BODY("\1\3\1\0\0\0\0\0")}, RC_LINK_FAULT_NONE, 1},
	{"empty last fragment", {BODY("\0\1\1\0\1\0\0\0a"), BODY("\0\2")}, RC_LINK_FAULT_NONE, 1},
	{"padded", {BODY("\0\7\1\0\2\0\0\0ab\0\0\0\3\0")}, RC_LINK_FAULT_NONE, 1},
	{"padded by nothing", {BODY("\0\7\1\0\2\0\0\0ab\0\0")}, RC_LINK_FAULT_NONE, 1},
	{"padding in a later fragment",
	 {BODY("\0\1\1\0\2\0\0\0a"), BODY("\0\6bxx\2\0")},
	 RC_LINK_FAULT_NONE,
	 1},
	{"streams interleaved",
	 {BODY("\1\1\2\0\1\0\0\0"), BODY("\0\3\1\0\0\0\0\0"), BODY("\1\2z")},
	 RC_LINK_FAULT_NONE,
	 2},
	{"empty record", {{"", 0}}, RC_LINK_FAULT_HEAD, 0},
	{"one byte", {BODY("\0")}, RC_LINK_FAULT_HEAD, 0},
	{"unknown stream", {BODY("\2\3\1\0\0\0\0\0")}, RC_LINK_FAULT_HEAD, 0},
	{"unknown flag", {BODY("\0\x0b\1\0\0\0\0\0")}, RC_LINK_FAULT_HEAD, 0},
	{"short head", {BODY("\0\3\1\0\0\0\0")}, RC_LINK_FAULT_HEAD, 0},
	{"padding without its length", {BODY("\0\7\1\0\0\0\0\0\0")}, RC_LINK_FAULT_HEAD, 0},
	{"padding longer than the body", {BODY("\0\7\1\0\0\0\0\0\1\0")}, RC_LINK_FAULT_HEAD, 0},
	{"padding that eats the head", {BODY("\0\7\1\0\2\0\0\0ab\4\0")}, RC_LINK_FAULT_HEAD, 0},
	{"last without first", {BODY("\0\2ab")}, RC_LINK_FAULT_ORDER, 0},
	{"middle without first", {BODY("\0\0ab")}, RC_LINK_FAULT_ORDER, 0},
	{"first twice",
	 {BODY("\0\1\1\0\2\0\0\0a"), BODY("\0\3\1\0\1\0\0\0a")},
	 RC_LINK_FAULT_ORDER,
	 0},
	{"too much in one", {BODY("\0\3\1\0\1\0\0\0ab")}, RC_LINK_FAULT_LENGTH, 0},
	{"too much in two", {BODY("\0\1\1\0\1\0\0\0a"), BODY("\0\0b")}, RC_LINK_FAULT_LENGTH, 0},
	{"too little", {BODY("\0\3\1\0\3\0\0\0ab")}, RC_LINK_FAULT_LENGTH, 0},
	{"too much of a skipped type", {BODY("\0\3\x63\0\1\0\0\0ab")}, RC_LINK_FAULT_LENGTH, 0},
	{"a skipped type of 4 GB, unfinished",
	 {BODY("\0\1\x63\0\xff\xff\xff\xff"), BODY("\0\0ab"), BODY("\1\3\1\0\1\0\0\0a")},
	 RC_LINK_FAULT_NONE,
	 1},
	{"over its type's limit", {BODY("\0\1\1\0\xe9\3\0\0")}, RC_LINK_FAULT_LIMIT, 0},
	{"4 GB of a known type", {BODY("\1\1\2\0\xff\xff\xff\xff")}, RC_LINK_FAULT_LIMIT, 0},
};

/* A responder whose peer is this test, with the records' keys in hand. */
static void test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < RC_ARRAY_LEN(body_cases); i++) {
		struct rc_handshake_params p = {0};
		struct rc_handshake_result result;
		struct rc_handshake hs;
		struct rc_record_dir send;
		struct rc_buf wire = RC_BUF_INIT, back = RC_BUF_INIT;
		struct side s = {0};
		struct rc_link_events events = {max_len, on_open, on_message, &s};
		struct rc_test_random t;
		size_t used;

		rc_test_random_seed(&t, 5);
		p.random = &t.random;
		rc_link_secret_make(&t.random, p.secret);
		s.link = rc_link_new(&p, &events);
		rc_link_key_from_secret(p.secret, p.remote);
		rc_link_secret_make(&t.random, p.secret);
		p.initiator = p.has_remote = true;
		assert_true(rc_handshake_init(&hs, &p, &wire));
		rc_link_feed(s.link, wire.data, wire.len);
		rc_buf_clear(&wire);
		rc_link_pull(s.link, &back, 1);
		rc_handshake_feed(&hs, back.data, back.len, &used, &wire);
		rc_handshake_result(&hs, &result);
		rc_record_init(&send, result.send_key, result.chaining_key);
		for (int k = 0; k < 3 && body_cases[i].bodies[k].bytes; k++) {
			struct rc_bytes part = {(const uint8_t *)body_cases[i].bodies[k].bytes,
						body_cases[i].bodies[k].len};

			rc_record_seal(&send, &part, 1, &wire);
		}
		rc_link_feed(s.link, wire.data, wire.len);
		if (rc_link_fault(s.link) != body_cases[i].fault ||
		    s.got[0] + s.got[1] != body_cases[i].messages)
			fail_msg("%s: %s, %u messages", body_cases[i].why,
				 rc_link_fault_name(rc_link_fault(s.link)), s.got[0] + s.got[1]);
		rc_record_done(&send);
		rc_buf_done(&wire);
		rc_buf_done(&back);
		rc_link_free(s.link);
	}
}

static void test_wrong_handshake(void **state)
{
	struct rig rig = {0};
	uint8_t junk[50] = {0};

	(void)state;
	rig_open_with(&rig, RC_LINK_XK);
	assert_int_equal(rc_link_feed(rig.side[1].link, junk, sizeof(junk)), RC_LINK_FAILED);
	assert_int_equal(rc_link_fault(rig.side[1].link), RC_LINK_FAULT_POINT);
	assert_false(rc_link_wants_write(rig.side[1].link));
	rig_done(&rig);
	rc_link_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_traffic),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_flipped_records),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_wrong_handshake),
		cmocka_unit_test(test_control_overtakes_bulk),
	};

	rc_schnorr_init();
	return cmocka_run_group_tests_name("link_message", tests, NULL, NULL);
}
