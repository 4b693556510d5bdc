/* link/handshake and link/record: BOLT 8's vectors on our code, and properties for XX, which has no
 * published ones. */
#include "tests/unit/rc_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "crypto/schnorr.h"
#include "link/handshake.h"
#include "link/record.h"

/* A source of "randomness" that gives one ephemeral key. */
struct fixed {
	uint8_t bytes[32];
	struct rc_random random;
};

static void fixed_fill(void *arg, void *dst, size_t len)
{
	struct fixed *f = arg;

	assert_int_equal(len, 32);
	memcpy(dst, f->bytes, 32);
}

static void bolt8_params(const json_t *keys, struct fixed *f, struct rc_handshake_params *p)
{
	uint8_t pub[33], want[33];

	memset(p, 0, sizeof(*p));
	rc_test_hex_into(keys, "ls.priv", p->secret, 32);
	rc_test_hex_into(keys, "ls.pub", want, 33);
	assert_true(rc_link_key_from_secret(p->secret, pub));
	assert_memory_equal(pub, want, 33);
	rc_test_hex_into(keys, "e.priv", f->bytes, 32);
	f->random = (struct rc_random){fixed_fill, f};
	p->random = &f->random;
	p->pattern = RC_LINK_XK;
	p->xk_only = true;
	p->initiator = p->has_remote = json_object_get(keys, "rs.pub") != NULL;
	if (p->initiator)
		rc_test_hex_into(keys, "rs.pub", p->remote, 33);
	memcpy(p->prologue, "lightning", 9);
	p->prologue_len = 9;
}

/* What BOLT 8's error means here. A short read is no error yet: the act goes on. */
static enum rc_link_fault expected_fault(const char *error)
{
	if (strstr(error, "BAD_VERSION"))
		return RC_LINK_FAULT_PATTERN;
	if (strstr(error, "BAD_PUBKEY"))
		return RC_LINK_FAULT_POINT;
	if (strstr(error, "BAD_TAG") || strstr(error, "BAD_CIPHERTEXT"))
		return RC_LINK_FAULT_HANDSHAKE_MAC;
	assert_non_null(strstr(error, "READ_FAILED"));
	return RC_LINK_FAULT_NONE;
}

static void check_output(const char *hex, struct rc_buf *out)
{
	RC_AUTOFREE uint8_t *want = NULL;
	size_t len = rc_test_hex(hex, &want);

	assert_int_equal(out->len, len);
	assert_memory_equal(out->data, want, len);
	rc_buf_clear(out);
}

static void check_split(struct rc_handshake *hs, const json_t *keys)
{
	struct rc_handshake_result result;
	uint8_t want[32];

	assert_int_equal(hs->state, RC_HANDSHAKE_DONE);
	rc_handshake_result(hs, &result);
	rc_test_hex_into(keys, "sk", want, 32);
	assert_memory_equal(result.send_key, want, 32);
	rc_test_hex_into(keys, "rk", want, 32);
	assert_memory_equal(result.recv_key, want, 32);
}

static void feed_hex(struct rc_handshake *hs, const char *hex, struct rc_buf *out)
{
	RC_AUTOFREE uint8_t *data = NULL;
	size_t len = rc_test_hex(hex, &data), used;

	rc_handshake_feed(hs, data, len, &used, out);
}

static void run_bolt8_case(const json_t *c, size_t *ret_failures)
{
	struct rc_handshake_params p;
	struct rc_handshake hs;
	struct rc_buf out = RC_BUF_INIT;
	const char *error = NULL;
	const json_t *step, *value;
	struct fixed f;
	size_t i;

	bolt8_params(json_object_get(c, "keys"), &f, &p);
	assert_true(rc_handshake_init(&hs, &p, &out));
	json_array_foreach(json_object_get(c, "steps"), i, step)
	{
		if (json_object_get(step, "input"))
			feed_hex(&hs, rc_test_str(step, "input"), &out);
		value = json_object_get(step, "output");
		if (json_is_string(value))
			check_output(json_string_value(value), &out);
		else if (value)
			check_split(&hs, value);
		if (json_object_get(step, "error"))
			error = rc_test_str(step, "error");
	}
	assert_int_equal(out.len, 0);
	if (error) {
		enum rc_link_fault fault = expected_fault(error);

		++*ret_failures;
		assert_int_equal(hs.fault, fault);
		assert_int_equal(hs.state, fault ? RC_HANDSHAKE_FAILED : RC_HANDSHAKE_GOING);
	} else {
		assert_int_equal(hs.state, RC_HANDSHAKE_DONE);
	}
	rc_handshake_done(&hs);
	rc_buf_done(&out);
}

static void test_bolt8_handshakes(void **state)
{
	json_t *root = rc_test_vectors("bolt8/noise-xk-secp256k1.json"), *c;
	size_t i, cases = 0, failures = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "handshake"), i, c)
	{
		run_bolt8_case(c, &failures);
		cases++;
	}
	assert_int_equal(cases, 15);
	assert_int_equal(failures, 13);
	json_decref(root);
}

static void test_bolt8_messages(void **state)
{
	json_t *root = rc_test_vectors("bolt8/noise-xk-secp256k1.json");
	json_t *m = json_object_get(root, "message"), *outputs = json_object_get(m, "outputs");
	struct rc_record_dir send, recv;
	struct rc_buf out = RC_BUF_INIT;
	uint8_t key[32], ck[32];
	size_t checked = 0;

	(void)state;
	rc_test_hex_into(m, "sk", key, 32);
	rc_test_hex_into(m, "ck", ck, 32);
	rc_record_init(&send, key, ck);
	rc_record_init(&recv, key, ck);
	for (int i = 0; i <= 1001; i++) {
		RC_AUTOFREE char *name = rc_asprintf("%d", i);
		struct rc_bytes part = {(const uint8_t *)"hello", 5};
		uint16_t len;

		rc_record_seal(&send, &part, 1, &out);
		assert_int_equal(out.len, 18 + 5 + 16);
		if (json_object_get(outputs, name)) {
			RC_AUTOFREE uint8_t *want = NULL;

			assert_int_equal(rc_test_hex(rc_test_str(outputs, name), &want), out.len);
			assert_memory_equal(out.data, want, out.len);
			checked++;
		}
		assert_true(rc_record_open_head(&recv, out.data, &len));
		assert_int_equal(len, 5);
		assert_true(rc_record_open_body(&recv, out.data + 18, 5));
		assert_memory_equal(out.data + 18, "hello", 5);
		rc_buf_clear(&out);
	}
	assert_int_equal(checked, 6);
	assert_int_equal(json_object_size(outputs), 6);
	rc_record_done(&send);
	rc_record_done(&recv);
	rc_buf_done(&out);
	json_decref(root);
}

/* ---- both patterns by property ---- */

struct pair {
	struct rc_test_random t;
	struct rc_handshake_params params[2]; /* 0 the initiator's */
	struct rc_handshake hs[2];
	struct rc_buf wire[2]; /* from side i */
};

static void pair_params(struct pair *p, enum rc_link_pattern pattern)
{
	uint8_t network_id[32];

	memset(p->params, 0, sizeof(p->params));
	rc_random_fill(&p->t.random, network_id, 32);
	for (int i = 0; i < 2; i++) {
		struct rc_handshake_params *q = &p->params[i];

		rc_link_secret_make(&p->t.random, q->secret);
		rc_link_prologue(network_id, q->prologue);
		q->prologue_len = RC_LINK_PROLOGUE_SIZE;
		q->random = &p->t.random;
	}
	p->params[0].initiator = true;
	p->params[0].pattern = pattern;
	if (pattern == RC_LINK_XK) {
		p->params[0].has_remote = true;
		rc_link_key_from_secret(p->params[1].secret, p->params[0].remote);
	}
}

/* Which byte of which act to flip; act −1: none. */
struct damage {
	int act;
	size_t at;
	uint8_t bits;
};

static void pair_start(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		rc_buf_clear(&p->wire[i]);
		assert_true(rc_handshake_init(&p->hs[i], &p->params[i], &p->wire[i]));
	}
}

/* Carries bytes to and fro in slices until nobody says anything more. */
static void pair_run(struct pair *p, struct damage damage, size_t *sizes)
{
	int act = 0;

	pair_start(p);
	for (int from = 0; p->wire[from].len; from = !from, act++) {
		struct rc_buf *in = &p->wire[from];
		size_t at = 0;

		if (sizes)
			sizes[act] = in->len;
		if (damage.act == act)
			in->data[damage.at] ^= damage.bits;
		while (at < in->len && p->hs[!from].state == RC_HANDSHAKE_GOING) {
			size_t n = 1 + rc_random_below(&p->t.random, in->len - at), used;

			rc_handshake_feed(&p->hs[!from], in->data + at, n, &used, &p->wire[!from]);
			at += used;
		}
		rc_buf_clear(in);
	}
}

static void pair_done(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		rc_handshake_done(&p->hs[i]);
		rc_buf_done(&p->wire[i]);
	}
}

static const struct damage none = {.act = -1};

static void test_agreement(void **state)
{
	static const size_t want_sizes[2][3] = {{50, 50, 66}, {34, 99, 66}};
	struct pair p = {0};

	(void)state;
	rc_test_random_init(&p.t);
	for (int i = 0; i < 20; i++) {
		struct rc_handshake_result a, b;
		enum rc_link_pattern pattern = i % 2 ? RC_LINK_XX : RC_LINK_XK;
		size_t sizes[3] = {0};
		uint8_t key[33];

		pair_params(&p, pattern);
		pair_run(&p, none, sizes);
		assert_memory_equal(sizes, want_sizes[pattern], sizeof(sizes));
		assert_int_equal(p.hs[0].state, RC_HANDSHAKE_DONE);
		assert_int_equal(p.hs[1].state, RC_HANDSHAKE_DONE);
		rc_handshake_result(&p.hs[0], &a);
		rc_handshake_result(&p.hs[1], &b);
		assert_memory_equal(a.send_key, b.recv_key, 32);
		assert_memory_equal(a.recv_key, b.send_key, 32);
		assert_memory_not_equal(a.recv_key, a.send_key, 32);
		assert_memory_equal(a.chaining_key, b.chaining_key, 32);
		assert_memory_equal(a.hash, b.hash, 32);
		assert_int_equal(a.pattern, pattern);
		assert_int_equal(b.pattern, pattern);
		rc_link_key_from_secret(p.params[0].secret, key);
		assert_memory_equal(b.remote, key, 33);
		rc_link_key_from_secret(p.params[1].secret, key);
		assert_memory_equal(a.remote, key, 33);
	}
	pair_done(&p);
}

/* One flipped bit in any byte of any act: the side that reads it fails and answers nothing. */
static void test_every_flipped_byte(void **state)
{
	struct pair p = {0};

	(void)state;
	rc_test_random_init(&p.t);
	for (int pattern = RC_LINK_XK; pattern <= RC_LINK_XX; pattern++) {
		size_t sizes[3];

		pair_params(&p, pattern);
		pair_run(&p, none, sizes);
		for (int act = 0; act < 3; act++) {
			for (size_t at = 0; at < sizes[act]; at++) {
				uint8_t bits = (uint8_t)(1 << rc_random_below(&p.t.random, 8));

				/* The pattern's byte of XK's first act makes it one of XX. */
				if (act == 0 && at == 0)
					bits |= 2;
				pair_run(&p, (struct damage){act, at, bits}, NULL);
				/* XX's first act has no tag: a flip shows in the second, unless
				 * the point or the pattern is none. */
				if (pattern == RC_LINK_XX && act == 0)
					assert_true(p.hs[0].state == RC_HANDSHAKE_FAILED ||
						    p.hs[1].state == RC_HANDSHAKE_FAILED);
				else
					assert_int_equal(p.hs[act != 1].state, RC_HANDSHAKE_FAILED);
			}
		}
	}
	pair_done(&p);
}

/* Any part of an act leaves the reader waiting; it never ends by itself. */
static void test_truncation(void **state)
{
	struct pair p = {0};
	struct rc_buf out = RC_BUF_INIT;

	(void)state;
	rc_test_random_init(&p.t);
	for (int pattern = RC_LINK_XK; pattern <= RC_LINK_XX; pattern++) {
		pair_params(&p, pattern);
		pair_start(&p);
		for (size_t len = 0; len < p.wire[0].len; len++) {
			struct rc_handshake hs;
			size_t used;

			rc_handshake_init(&hs, &p.params[1], &out);
			assert_int_equal(rc_handshake_feed(&hs, p.wire[0].data, len, &used, &out),
					 RC_HANDSHAKE_GOING);
			assert_int_equal(used, len);
			assert_int_equal(out.len, 0);
			rc_handshake_done(&hs);
		}
	}
	rc_buf_done(&out);
	pair_done(&p);
}

static void test_refusals(void **state)
{
	struct pair p = {0};

	(void)state;
	rc_test_random_init(&p.t);
	for (int pattern = RC_LINK_XK; pattern <= RC_LINK_XX; pattern++) {
		/* Another network. */
		pair_params(&p, pattern);
		p.params[1].prologue[RC_LINK_PROLOGUE_SIZE - 1] ^= 1;
		pair_run(&p, none, NULL);
		assert_int_not_equal(p.hs[0].state, RC_HANDSHAKE_DONE);
		assert_int_equal(p.hs[pattern == RC_LINK_XK].fault, RC_LINK_FAULT_HANDSHAKE_MAC);
		/* Another key than the expected one. */
		pair_params(&p, pattern);
		p.params[0].has_remote = true;
		rc_link_key_from_secret(p.params[0].prologue + 9, p.params[0].remote);
		pair_run(&p, none, NULL);
		if (pattern == RC_LINK_XX)
			assert_int_equal(p.hs[0].fault, RC_LINK_FAULT_PIN);
		else
			assert_int_equal(p.hs[1].fault, RC_LINK_FAULT_HANDSHAKE_MAC);
		assert_int_not_equal(p.hs[1].state, RC_HANDSHAKE_DONE);
		/* Ourselves. */
		pair_params(&p, pattern);
		memcpy(p.params[1].secret, p.params[0].secret, 32);
		if (pattern == RC_LINK_XK)
			rc_link_key_from_secret(p.params[1].secret, p.params[0].remote);
		pair_run(&p, none, NULL);
		assert_int_equal(p.hs[0].fault, RC_LINK_FAULT_SELF);
		assert_int_not_equal(p.hs[1].state, RC_HANDSHAKE_DONE);
	}
	/* A pinned key that is right. */
	pair_params(&p, RC_LINK_XX);
	p.params[0].has_remote = true;
	rc_link_key_from_secret(p.params[1].secret, p.params[0].remote);
	pair_run(&p, none, NULL);
	assert_int_equal(p.hs[0].state, RC_HANDSHAKE_DONE);
	/* A responder that takes XK only; keys that are none. */
	p.params[1].xk_only = true;
	pair_run(&p, none, NULL);
	assert_int_equal(p.hs[1].fault, RC_LINK_FAULT_PATTERN);
	p.params[0].remote[0] = 7;
	assert_false(rc_handshake_init(&p.hs[0], &p.params[0], &p.wire[0]));
	memset(p.params[1].secret, 0, 32);
	assert_false(rc_handshake_init(&p.hs[1], &p.params[1], &p.wire[1]));
	assert_string_equal(rc_link_fault_name(RC_LINK_FAULT_PIN), "pin");
	assert_string_equal(rc_link_fault_text(RC_LINK_FAULT_NONE), "nothing wrong");
	pair_done(&p);
}

/* Bytes after the handshake's last are left to the record layer. */
static void test_leaves_the_rest(void **state)
{
	struct pair p = {0};
	size_t used;

	(void)state;
	rc_test_random_init(&p.t);
	pair_params(&p, RC_LINK_XX);
	pair_start(&p);
	rc_handshake_feed(&p.hs[1], p.wire[0].data, p.wire[0].len, &used, &p.wire[1]);
	rc_buf_clear(&p.wire[0]);
	rc_handshake_feed(&p.hs[0], p.wire[1].data, p.wire[1].len, &used, &p.wire[0]);
	rc_buf_put(&p.wire[0], "a record", 8);
	assert_int_equal(
		rc_handshake_feed(&p.hs[1], p.wire[0].data, p.wire[0].len, &used, &p.wire[1]),
		RC_HANDSHAKE_DONE);
	assert_int_equal(used, 66);
	pair_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bolt8_handshakes), cmocka_unit_test(test_bolt8_messages),
		cmocka_unit_test(test_agreement),	 cmocka_unit_test(test_every_flipped_byte),
		cmocka_unit_test(test_truncation),	 cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_leaves_the_rest),
	};

	rc_schnorr_init();
	return cmocka_run_group_tests_name("link_handshake", tests, NULL, NULL);
}
