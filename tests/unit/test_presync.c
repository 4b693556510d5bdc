/* Little work takes no memory: long branches are counted, asked for again, and kept only when they
 * have shown enough and are the same again. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "chaind_node.h"
#include "consensus/pow.h"
#include "rc_test.h"

#define LONG 200000

static struct rc_network network;
static struct rc_test_random t;

struct branch {
	struct rc_header *headers;
	struct rc_block_id *ids;
	size_t n;
};

static struct branch branches[2]; /* of genesis, LONG and a bit more; they part at the first */
static uint64_t now;

static void mine(struct branch *b, size_t n, uint32_t salt)
{
	const struct rc_header *parent = &network.genesis_header;
	struct rc_block_id prev = network.genesis_id;
	struct rc_u256 target;

	b->headers = rc_alloc_array(n, sizeof(*b->headers));
	b->ids = rc_alloc_array(n, sizeof(*b->ids));
	b->n = n;
	for (size_t i = 0; i < n; i++) {
		struct rc_header *h = &b->headers[i];
		uint8_t raw[RC_HEADER_SIZE];

		*h = (struct rc_header){
			.version = 1,
			.height = parent->height + 1,
			.prev = prev,
			.time = parent->time + network.params.spacing,
			.bits = rc_required_bits(&network, parent->height, parent->time),
			.nonce = salt,
		};
		assert_true(rc_bits_target(h->bits, &target));
		do {
			h->nonce += 16;
			rc_header_encode(h, raw);
			rc_header_id(raw, &b->ids[i]);
		} while (!rc_pow_holds(&b->ids[i], &target));
		prev = b->ids[i];
		parent = h;
	}
}

static int setup(void **state)
{
	struct rc_network_params params = *rc_network_builtin_params("reg");
	struct rc_error error;

	(void)state;
	rc_test_random_init(&t);
	snprintf(params.name, sizeof(params.name), "count");
	snprintf(params.hrp, sizeof(params.hrp), "count");
	params.retarget = RC_RETARGET_ASERT;
	params.spacing = 60;
	params.half_life = 288 * 60;
	if (rc_network_custom(&params, &network, &error) < 0)
		fail_msg("%s", error.text);
	mine(&branches[0], LONG + 5000, 1);
	mine(&branches[1], LONG + 5000, 2);
	now = branches[0].headers[LONG + 4999].time;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		free(branches[i].headers);
		free(branches[i].ids);
	}
	return 0;
}

static struct rc_u256 work_of(const struct branch *b, size_t n)
{
	struct rc_u256 work = {0};

	for (size_t i = 0; i < n; i++)
		work = rc_work_add(work, rc_work_of_bits(b->headers[i].bits));
	return work;
}

/* How a run went. */
struct outcome {
	enum presync_step step;
	enum rc_verdict verdict;
	size_t most_bytes, given, rounds;
	size_t asked[2]; /* messages of each pass */
};

/* A peer that answers with branch a in the first pass and with b in the second, of n headers each,
 * until it is over. What is given out goes into the chain. */
static struct outcome answer(struct chain *chain, const struct branch *a, const struct branch *b,
			     size_t n)
{
	struct presync *p = presync_new(chain, chain->genesis, &t.random, now);
	struct outcome o = {.step = PRESYNC_GO_ON};

	while (o.step == PRESYNC_GO_ON) {
		const struct branch *of = presync_is_again(p) ? b : a;
		struct rc_block_id from = presync_from(p);
		struct rc_header header;
		struct rc_block_id id;
		size_t i = 0, m;

		while (!rc_block_id_eq(&of->headers[i].prev, &from))
			i++;
		m = n - i < PRESYNC_FULL ? n - i : PRESYNC_FULL;
		assert_true(m > 0);
		o.asked[presync_is_again(p)]++;
		o.step = presync_take(p, of->headers + i, of->ids + i, m, m == PRESYNC_FULL, now,
				      &o.verdict);
		if (presync_bytes(p) > o.most_bytes)
			o.most_bytes = presync_bytes(p);
		while (presync_ready(p, &header, &id)) {
			struct block_node *node;

			assert_int_equal(chain_accept_header(chain, &header, &id, now, &node),
					 RC_VERDICT_OK);
			o.given++;
		}
	}
	presync_free(p);
	return o;
}

static void chain_of(struct chain *chain, const struct rc_u256 *least)
{
	chain_init(chain, &network);
	chain->least_work = *least;
}

/* 24 periods and a message, one more not yet moved away, in a buffer that may have grown to twice
 * that. */
static size_t bound(void)
{
	size_t period = (LONG + 5000 + 288 * 64 + PRESYNC_BITS - 1) / PRESYNC_BITS;

	return 2 * (PRESYNC_AHEAD * period + 2 * PRESYNC_FULL) * RC_HEADER_SIZE + 4096;
}

/* However long, a branch that never has enough leaves nothing and takes next to nothing. */
static void a_flood_of_little_work(void **state)
{
	struct rc_u256 least = work_of(&branches[0], LONG + 1);
	struct outcome o;
	struct chain chain;

	(void)state;
	chain_of(&chain, &least);
	o = answer(&chain, &branches[0], &branches[0], LONG - 1);
	assert_int_equal(o.step, PRESYNC_OVER);
	assert_int_equal(o.verdict, RC_VERDICT_OK);
	assert_int_equal(o.asked[0], LONG / PRESYNC_FULL);
	assert_int_equal(o.given, 0);
	assert_int_equal(HASH_COUNT(chain.nodes), 1);
	assert_true(o.most_bytes < 1024);
	chain_done(&chain);
}

static void an_honest_long_chain(void **state)
{
	struct rc_u256 least = work_of(&branches[0], LONG);
	struct outcome o;
	struct chain chain;

	(void)state;
	chain_of(&chain, &least);
	assert_false(chain_run_enough(&chain, branches[0].headers, branches[0].ids, PRESYNC_FULL));
	o = answer(&chain, &branches[0], &branches[0], LONG + 5000);
	assert_int_equal(o.step, PRESYNC_ENOUGH);
	assert_int_equal(o.given, LONG);
	assert_int_equal(HASH_COUNT(chain.nodes), LONG + 1);
	assert_true(rc_block_id_eq(&chain.best_header->id, &branches[0].ids[LONG - 1]));
	assert_true(o.most_bytes < bound());
	/* What follows is kept at once. */
	assert_true(chain_run_enough(&chain, branches[0].headers + LONG, branches[0].ids + LONG,
				     PRESYNC_FULL));
	chain_done(&chain);
}

/* Much work is shown, another branch given: it comes out before anything is kept. */
static void another_branch_the_second_time(void **state)
{
	struct rc_u256 least = work_of(&branches[0], LONG);
	struct outcome o;
	struct chain chain;

	(void)state;
	chain_of(&chain, &least);
	o = answer(&chain, &branches[0], &branches[1], LONG + 5000);
	assert_int_equal(o.step, PRESYNC_OVER);
	assert_int_equal(o.given, 0);
	assert_int_equal(HASH_COUNT(chain.nodes), 1);
	assert_true(o.most_bytes < bound());
	chain_done(&chain);
}

/* A branch that forks off deeper than one message holds and has more work than the tip: without
 * counting, no part of it was ever enough. */
static void a_deep_fork_with_more_work(void **state)
{
	struct rc_u256 nothing = {0};
	struct block_node *tip = NULL;
	struct outcome o;
	struct chain chain;

	(void)state;
	chain_of(&chain, &nothing);
	for (size_t i = 0; i < 5000; i++)
		assert_int_equal(chain_accept_header(&chain, &branches[0].headers[i],
						     &branches[0].ids[i], now, &tip),
				 RC_VERDICT_OK);
	chain_set_tip(&chain, tip);
	assert_false(chain_run_enough(&chain, branches[1].headers, branches[1].ids, PRESYNC_FULL));
	o = answer(&chain, &branches[1], &branches[1], 3999); /* not even near */
	assert_int_equal(o.step, PRESYNC_OVER);
	assert_int_equal(o.given, 0);
	o = answer(&chain, &branches[1], &branches[1], 7000);
	assert_int_equal(o.step, PRESYNC_ENOUGH);
	assert_in_range(o.given, 5000 - 144, 5000);
	assert_true(chain_run_enough(&chain, branches[1].headers + o.given,
				     branches[1].ids + o.given, 1000));
	chain_done(&chain);
}

/* Each rule is checked in passing, in both passes. */
static void a_broken_rule_ends_it(void **state)
{
	struct rc_u256 least = work_of(&branches[0], LONG);
	struct chain chain;
	enum rc_verdict verdict;

	(void)state;
	chain_of(&chain, &least);
	for (unsigned kind = 0; kind < 4; kind++) {
		struct presync *p = presync_new(&chain, chain.genesis, &t.random, now);
		struct rc_header headers[10];
		struct rc_block_id ids[10];
		uint64_t when = now;

		memcpy(headers, branches[0].headers, sizeof(headers));
		memcpy(ids, branches[0].ids, sizeof(ids));
		switch (kind) {
		case 0: /* no work */
			memset(&ids[5], 0xff, sizeof(ids[5]));
			break;
		case 1: /* a target of its own choice */
			headers[5].bits = 0x03000001;
			break;
		case 2: /* a gap */
			headers[5].prev.b[0] ^= 1;
			break;
		case 3:
			when = headers[5].time - network.params.future_limit - 1;
			break;
		}
		assert_int_equal(presync_take(p, headers, ids, 10, true, when, &verdict),
				 PRESYNC_OVER);
		assert_int_not_equal(verdict, RC_VERDICT_OK);
		if (kind < 2)
			assert_int_equal(rc_verdict_class(verdict), RC_CLASS_INVALID);
		presync_free(p);
	}
	chain_done(&chain);
}

/* Answers to other questions are passed over, but not for ever. */
static void strays_are_passed_over(void **state)
{
	struct rc_u256 least = work_of(&branches[0], LONG);
	struct chain chain;
	struct presync *p;
	enum rc_verdict verdict;

	(void)state;
	chain_of(&chain, &least);
	p = presync_new(&chain, chain.genesis, &t.random, now);
	for (unsigned round = 0; round < 3; round++) {
		struct rc_block_id from = presync_from(p);

		for (unsigned i = 0; i < PRESYNC_STRAYS; i++)
			assert_int_equal(presync_take(p, branches[1].headers + 7,
						      branches[1].ids + 7, 100, true, now,
						      &verdict),
					 PRESYNC_GO_ON);
		assert_memory_equal(from.b, presync_from(p).b, 32);
		assert_int_equal(presync_take(p, branches[0].headers + 100 * round,
					      branches[0].ids + 100 * round, 100, true, now,
					      &verdict),
				 PRESYNC_GO_ON);
	}
	for (unsigned i = 0; i < PRESYNC_STRAYS; i++)
		assert_int_equal(presync_take(p, branches[1].headers + 7, branches[1].ids + 7, 100,
					      true, now, &verdict),
				 PRESYNC_GO_ON);
	assert_int_equal(presync_take(p, branches[1].headers + 7, branches[1].ids + 7, 100, true,
				      now, &verdict),
			 PRESYNC_OVER);
	presync_free(p);
	chain_done(&chain);
}

/* Who is further than all others isn't given up for those who only begin. */
static void the_furthest_stays(void **state)
{
	struct rc_u256 least = work_of(&branches[0], LONG);
	struct presyncs all = {0};
	struct chain chain;
	enum rc_verdict verdict;

	(void)state;
	chain_of(&chain, &least);
	for (uint64_t peer = 1; peer <= 3 * PRESYNC_MAX; peer++) {
		struct presync *p = presync_new(&chain, chain.genesis, &t.random, now);

		presyncs_put(&all, (struct presync_who){7, peer}, p, now + peer);
		assert_int_equal(presync_take(p, branches[0].headers, branches[0].ids,
					      peer == 1 ? 101 : 100, true, now, &verdict),
				 PRESYNC_GO_ON);
	}
	assert_null(presyncs_find(&all, (struct presync_who){7, 2}, now + 100));
	assert_non_null(presyncs_find(&all, (struct presync_who){7, 1}, now + 100));
	presyncs_done(&all);
	chain_done(&chain);
}

/* However many peers come with such branches, few are followed, and fewer held. */
static void those_of_all_peers_are_bounded(void **state)
{
	struct rc_u256 least = work_of(&branches[0], 100);
	struct presyncs all = {0};
	struct chain chain;
	enum rc_verdict verdict;
	unsigned left = 0, again = 0;

	(void)state;
	chain_of(&chain, &least);
	for (uint64_t peer = 1; peer <= 100; peer++) {
		struct presync_who who = {7, peer};
		struct presync *p = presync_new(&chain, chain.genesis, &t.random, now);

		presyncs_put(&all, who, p, now + peer);
		assert_ptr_equal(presyncs_find(&all, who, now + peer), p);
		assert_null(presyncs_find(&all, (struct presync_who){8, peer}, now + peer));
		if (peer <= 90)
			continue;
		presync_take(p, branches[0].headers, branches[0].ids, 200, true, now, &verdict);
		assert_true(presync_is_again(p));
		presyncs_bound(&all, who);
		assert_ptr_equal(presyncs_find(&all, who, now + peer), p);
	}
	for (unsigned i = 0; i < PRESYNC_MAX; i++) {
		left += all.list[i].presync != NULL;
		again += all.list[i].presync && presync_is_again(all.list[i].presync);
	}
	assert_int_equal(again, PRESYNC_AGAIN_MAX);
	assert_in_range(left, again, PRESYNC_MAX);
	assert_null(presyncs_find(&all, (struct presync_who){7, 1}, now + 100));
	/* The same peer begins anew: one each. */
	presyncs_put(&all, (struct presync_who){7, 100},
		     presync_new(&chain, chain.genesis, &t.random, now), now + 100);
	presyncs_drop(&all, (struct presync_who){7, 100});
	assert_null(presyncs_find(&all, (struct presync_who){7, 100}, now + 100));
	/* Without news for long. */
	assert_null(presyncs_find(&all, (struct presync_who){7, 99}, now + 101 + PRESYNC_IDLE));
	assert_int_equal(presyncs_bytes(&all), 0);
	presyncs_done(&all);
	chain_done(&chain);
}

/* ---- in chaind ---- */

#define COUNTED 4500

static int64_t wall_ms(void *arg)
{
	(void)arg;
	return (int64_t)now * 1000;
}

static int64_t mono_us(void *arg)
{
	(void)arg;
	return (int64_t)now * 1000000;
}

/* Submits up to 2,000 of n from where chaind says, as a peer would answer; one of them, by its
 * place in the message, with a target of its own choice (spoilt SIZE_MAX: none). */
static struct headers_result submit_spoilt(struct test_node *node, struct presync_who who, size_t n,
					   const struct rc_block_id *from, size_t spoilt)
{
	const struct branch *b = &branches[0];
	struct headers_result result;
	struct rc_buf raw = RC_BUF_INIT;
	size_t i = 0;

	while (!rc_block_id_eq(&b->headers[i].prev, from))
		i++;
	for (size_t j = i; j < n && j < i + PRESYNC_FULL; j++) {
		struct rc_header header = b->headers[j];

		header.bits ^= j - i == spoilt;
		rc_header_encode(&header, rc_buf_add(&raw, RC_HEADER_SIZE));
	}
	chaind_submit_headers(node->chaind, who, raw.data, raw.len / RC_HEADER_SIZE, &result);
	rc_buf_done(&raw);
	return result;
}

static struct headers_result submit_from(struct test_node *node, struct presync_who who, size_t n,
					 const struct rc_block_id *from)
{
	return submit_spoilt(node, who, n, from, SIZE_MAX);
}

/* Each peer's branch is counted by itself, whichever peerd calls it how. */
static void chaind_counts_first(void **state)
{
	struct presync_who honest = {1, 5}, poor = {2, 5};
	struct rc_block_id from = network.genesis_id, poor_from = network.genesis_id;
	struct headers_result result, other = {0};
	struct rc_loop *loop = rc_loop_new();
	struct rc_clock clock = {wall_ms, mono_us, NULL};
	struct test_node n;
	struct chain *chain;
	unsigned rounds = 0;

	(void)state;
	node_init_on(&n, loop, "n", &network, &clock);
	chain = &n.chaind->chain;
	chain->least_work = work_of(&branches[0], COUNTED);
	do {
		result = submit_from(&n, honest, COUNTED, &from);
		assert_int_equal(result.verdict, RC_VERDICT_OK);
		from = result.ask_from;
		if (rounds++ < 2) { /* another one, whose branch is one short */
			other = submit_from(&n, poor, COUNTED - 1, &poor_from);
			assert_true(other.go_on);
			poor_from = other.ask_from;
		}
		if (rounds <= 3)
			assert_int_equal(HASH_COUNT(chain->nodes), 1);
		if (rounds == 3) {
			other = submit_from(&n, poor, COUNTED - 1, &poor_from);
			assert_false(other.go_on);
			assert_int_equal(other.accepted, 0);
		}
	} while (result.go_on);
	assert_int_equal(rounds, 6); /* 2,000, 2,000, 500, twice */
	assert_true(result.wanted);
	assert_int_equal(HASH_COUNT(chain->nodes), COUNTED + 1);
	assert_int_equal(node_height(chain->best_header), COUNTED);
	assert_int_equal(presyncs_bytes(&n.chaind->presyncs), 0);
	/* What is kept by now is no branch of little work any more. */
	result = submit_from(&n, poor, COUNTED - 1, &network.genesis_id);
	assert_false(result.go_on);
	assert_int_equal(result.accepted, PRESYNC_FULL);
	node_free(&n);
	rc_loop_free(loop);
}

/* Of a message some headers may be kept, and a later one breaks a rule: both are told. */
static void chaind_tells_what_breaks(void **state)
{
	struct presync_who who = {1, 5};
	struct rc_block_id from = network.genesis_id;
	struct headers_result result = {0};
	struct rc_loop *loop = rc_loop_new();
	struct rc_clock clock = {wall_ms, mono_us, NULL};
	struct test_node n;

	(void)state;
	node_init_on(&n, loop, "n", &network, &clock);
	n.chaind->chain.least_work = work_of(&branches[0], LONG / 10);
	while (!result.accepted) {
		result = submit_from(&n, who, LONG / 10, &from);
		assert_int_equal(result.verdict, RC_VERDICT_OK);
		assert_true(result.go_on);
		from = result.ask_from;
	}
	result = submit_spoilt(&n, who, LONG / 10, &from, 500);
	assert_int_equal(result.accepted, 500);
	assert_int_equal(rc_verdict_class(result.verdict), RC_CLASS_INVALID);
	assert_false(result.go_on);
	node_free(&n);
	rc_loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_of_little_work),
		cmocka_unit_test(an_honest_long_chain),
		cmocka_unit_test(another_branch_the_second_time),
		cmocka_unit_test(a_deep_fork_with_more_work),
		cmocka_unit_test(a_broken_rule_ends_it),
		cmocka_unit_test(strays_are_passed_over),
		cmocka_unit_test(the_furthest_stays),
		cmocka_unit_test(those_of_all_peers_are_bounded),
		cmocka_unit_test(chaind_counts_first),
		cmocka_unit_test(chaind_tells_what_breaks),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
