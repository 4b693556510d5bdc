/* The header tree against a naive one: random trees, arrivals in any order, failures, vetoes. */
#include <stdlib.h>
#include <string.h>

#include "daemons/chaind/chain.h"
#include "daemons/chaind/future.h"
#include "rc_test.h"

#define NODES 400

struct world {
	struct rc_network network;
	struct chain chain;
	struct rc_test_random t;
	struct block_node *nodes[NODES];
	size_t n;
};

static struct block_node *add(struct world *w, struct block_node *parent, uint32_t time)
{
	struct rc_header header = {
		.version = 1,
		.height = node_height(parent) + 1,
		.prev = parent->id,
		.time = time,
		.bits = w->network.params.limit_bits,
	};
	struct rc_block_id id;

	rc_random_fill(&w->t.random, &id, sizeof(id));
	return w->nodes[w->n++] = chain_insert(&w->chain, &header, &id, parent);
}

static void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	rc_test_random_init(&w->t);
	assert_true(rc_network_builtin("reg", &w->network));
	chain_init(&w->chain, &w->network);
	w->nodes[w->n++] = w->chain.genesis;
	while (w->n < NODES) {
		/* Mostly long branches: a new node stands on a late one. */
		size_t back = 1 + rc_random_below(&w->t.random, 4);
		size_t at = rc_random_below(&w->t.random, 20) == 0 || back > w->n
				    ? rc_random_below(&w->t.random, w->n)
				    : w->n - back;

		add(w, w->nodes[at], (uint32_t)rc_random_below(&w->t.random, 1u << 30));
	}
}

static struct block_node *naive_ancestor(struct block_node *n, uint32_t height)
{
	while (node_height(n) > height)
		n = n->parent;
	return n;
}

static struct block_node *naive_fork(struct block_node *a, struct block_node *b)
{
	while (a != b) {
		if (node_height(a) >= node_height(b))
			a = a->parent;
		else
			b = b->parent;
	}
	return a;
}

static void test_ancestors(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	for (int i = 0; i < 3000; i++) {
		struct block_node *a = w.nodes[rc_random_below(&w.t.random, w.n)];
		struct block_node *b = w.nodes[rc_random_below(&w.t.random, w.n)];
		uint32_t h = (uint32_t)rc_random_below(&w.t.random, node_height(a) + 1);

		assert_ptr_equal(node_ancestor(a, h), naive_ancestor(a, h));
		assert_ptr_equal(node_fork(a, b), naive_fork(a, b));
		assert_int_equal(node_is_ancestor(a, b),
				 node_height(a) <= node_height(b) &&
					 naive_ancestor(b, node_height(a)) == a);
	}
	chain_done(&w.chain);
}

static void test_median_time(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	for (size_t i = 0; i < w.n; i++) {
		uint32_t times[11];
		size_t n = 0, below = 0, above = 0;

		for (struct block_node *b = w.nodes[i]; b && n < 11; b = b->parent)
			times[n++] = b->header.time;
		for (size_t j = 0; j < n; j++) {
			below += times[j] < w.nodes[i]->median_time;
			above += times[j] > w.nodes[i]->median_time;
		}
		/* At place n/2 of the sorted times. */
		assert_true(below <= n / 2 && above <= n - 1 - n / 2);
	}
	chain_done(&w.chain);
}

static bool naive_chain(const struct block_node *n)
{
	for (; n; n = n->parent) {
		if (!(n->flags & NODE_BODY))
			return false;
	}
	return true;
}

static bool naive_bad(const struct block_node *n)
{
	for (; n; n = n->parent) {
		if (n->flags & (NODE_FAILED | NODE_VETOED))
			return true;
	}
	return false;
}

static void check_flags(struct world *w)
{
	struct block_node *best = w->chain.genesis;

	for (size_t i = 0; i < w->n; i++) {
		struct block_node *n = w->nodes[i];

		assert_int_equal(!!(n->flags & NODE_CHAIN), naive_chain(n));
		assert_int_equal(node_bad(n), naive_bad(n));
		if (naive_chain(n) && !naive_bad(n) && node_compare(n, best) > 0)
			best = n;
		if (!naive_bad(n))
			assert_true(rc_u256_cmp(&n->work, &w->chain.best_header->work) <= 0);
	}
	assert_ptr_equal(chain_best(&w->chain), best);
	assert_false(node_bad(w->chain.best_header));
}

static void test_bodies_and_failures(void **state)
{
	struct world w;
	struct block_node *best;

	(void)state;
	world_init(&w);
	best = w.chain.genesis;
	for (int i = 0; i < 3000; i++) {
		struct block_node *n = w.nodes[1 + rc_random_below(&w.t.random, w.n - 1)];

		switch (rc_random_below(&w.t.random, 40)) {
		case 0:
			chain_set_failed(&w.chain, n, RC_V_BLOCK_BUDGET);
			best = chain_best(&w.chain);
			break;
		case 1:
			chain_veto(&w.chain, n);
			best = chain_best(&w.chain);
			break;
		case 2:
		case 3:
			chain_reconsider(&w.chain, n);
			best = chain_best(&w.chain);
			break;
		case 4:
			if (n->flags & NODE_BODY)
				chain_lose_body(&w.chain, n);
			best = chain_best(&w.chain);
			break;
		default:
			if (n->flags & NODE_BODY)
				break;
			chain_set_body(&w.chain, n, 1000, 1);
			best = chain_best_below(n, best);
			assert_ptr_equal(best, chain_best(&w.chain));
			break;
		}
		if (i % 50 == 0)
			check_flags(&w);
	}
	check_flags(&w);
	chain_done(&w.chain);
}

static void test_ties(void **state)
{
	struct world w;
	struct block_node *a, *b, *c;

	(void)state;
	memset(&w, 0, sizeof(w));
	rc_test_random_init(&w.t);
	assert_true(rc_network_builtin("reg", &w.network));
	chain_init(&w.chain, &w.network);
	a = add(&w, w.chain.genesis, 1);
	b = add(&w, w.chain.genesis, 2);
	chain_set_body(&w.chain, b, 1, 1);
	chain_set_body(&w.chain, a, 1, 1);
	/* Equal work: who came first. */
	assert_ptr_equal(chain_best(&w.chain), b);
	/* Who was checked in full goes before who wasn't. */
	chain_set_valid(&w.chain, a);
	assert_ptr_equal(chain_best(&w.chain), a);
	chain_set_valid(&w.chain, b);
	assert_ptr_equal(chain_best(&w.chain), b);
	c = add(&w, a, 3);
	chain_set_body(&w.chain, c, 1, 1);
	assert_ptr_equal(chain_best(&w.chain), c);
	chain_set_tip(&w.chain, c);
	assert_true(chain_is_active(&w.chain, a));
	chain_set_tip(&w.chain, b);
	assert_false(chain_is_active(&w.chain, a));
	assert_ptr_equal(chain_at(&w.chain, 1), b);
	assert_null(chain_at(&w.chain, 2));
	chain_done(&w.chain);
}

static void test_locator(void **state)
{
	struct world w;
	struct rc_block_id ids[CHAIN_LOCATOR_MAX];

	(void)state;
	world_init(&w);
	for (size_t i = 0; i < w.n; i += 7) {
		size_t n = chain_locator(w.nodes[i], ids);
		uint32_t last = UINT32_MAX;

		assert_true(n >= 1 && n <= CHAIN_LOCATOR_MAX);
		assert_true(rc_block_id_eq(&ids[0], &w.nodes[i]->id));
		assert_true(rc_block_id_eq(&ids[n - 1], &w.chain.genesis->id));
		for (size_t j = 0; j < n; j++) {
			struct block_node *node = chain_find(&w.chain, &ids[j]);

			assert_non_null(node);
			assert_true(node_is_ancestor(node, w.nodes[i]));
			assert_true(last == UINT32_MAX || node_height(node) < last);
			last = node_height(node);
		}
	}
	chain_done(&w.chain);
}

/* Mines on reg; the rules themselves are tested where they are. */
static void mine(struct world *w, struct block_node *parent, struct rc_header *header,
		 struct rc_block_id *id)
{
	uint8_t raw[RC_HEADER_SIZE];

	*header = (struct rc_header){
		.version = 1,
		.height = node_height(parent) + 1,
		.prev = parent->id,
		.time = parent->median_time + 1,
		.bits = w->network.params.limit_bits,
		.nonce = rc_random_u64(&w->t.random),
	};
	do {
		header->nonce++;
		rc_header_encode(header, raw);
		rc_header_id(raw, id);
	} while (!rc_pow_holds(id, &w->network.limit));
}

static void test_accept(void **state)
{
	struct world w;
	struct rc_header header, child;
	struct rc_block_id id, child_id;
	struct block_node *node, *again;
	uint64_t now;

	(void)state;
	memset(&w, 0, sizeof(w));
	rc_test_random_init(&w.t);
	assert_true(rc_network_builtin("reg", &w.network));
	chain_init(&w.chain, &w.network);
	now = w.network.params.genesis_time + 100;
	mine(&w, w.chain.genesis, &header, &id);
	assert_int_equal(chain_accept_header(&w.chain, &header, &id, now, &node), RC_VERDICT_OK);
	assert_non_null(node);
	assert_ptr_equal(w.chain.best_header, node);
	assert_int_equal(chain_accept_header(&w.chain, &header, &id, now, &again), RC_VERDICT_OK);
	assert_ptr_equal(again, node);
	assert_ptr_equal(chain_next_dirty(&w.chain), node);
	assert_null(chain_next_dirty(&w.chain));

	/* A failure is remembered by the id, and its child has an invalid parent, not an unknown
	 * one. */
	mine(&w, node, &header, &id);
	header.time = node->median_time;
	do {
		uint8_t raw[RC_HEADER_SIZE];

		header.nonce++;
		rc_header_encode(&header, raw);
		rc_header_id(raw, &id);
	} while (!rc_pow_holds(&id, &w.network.limit));
	assert_int_equal(chain_accept_header(&w.chain, &header, &id, now, &again),
			 RC_V_HEADER_TIME_PAST);
	assert_null(again);
	child = header;
	child.height++;
	child.prev = id;
	child.time++;
	do {
		uint8_t raw[RC_HEADER_SIZE];

		child.nonce++;
		rc_header_encode(&child, raw);
		rc_header_id(raw, &child_id);
	} while (!rc_pow_holds(&child_id, &w.network.limit));
	assert_int_equal(chain_accept_header(&w.chain, &child, &child_id, now, &again),
			 RC_V_HEADER_PARENT_INVALID);

	/* What depends on the clock is not. */
	mine(&w, node, &header, &id);
	assert_int_equal(chain_accept_header(&w.chain, &header, &id,
					     header.time - w.network.params.future_limit - 1,
					     &again),
			 RC_V_HEADER_TIME_FUTURE);
	assert_int_equal(chain_accept_header(&w.chain, &header, &id, now, &again), RC_VERDICT_OK);

	/* Descendants of a failed block. */
	chain_set_failed(&w.chain, node, RC_V_COINBASE_AMOUNT);
	assert_true(node_bad(again));
	mine(&w, again, &header, &id);
	assert_int_equal(chain_accept_header(&w.chain, &header, &id, now, &again),
			 RC_V_HEADER_PARENT_INVALID);
	chain_done(&w.chain);
}

/* A branch of little work doesn't take memory, whatever stands behind or before its headers. */
static void test_low_work(void **state)
{
	struct world w;
	struct block_node *tip, *above;
	struct rc_header run[4];
	struct rc_block_id ids[4];

	(void)state;
	memset(&w, 0, sizeof(w));
	rc_test_random_init(&w.t);
	assert_true(rc_network_builtin("reg", &w.network));
	w.network.params.retarget = RC_RETARGET_ASERT;
	chain_init(&w.chain, &w.network);
	tip = w.chain.genesis;
	for (uint32_t i = 0; i < 300; i++)
		tip = add(&w, tip, w.network.params.genesis_time + i);
	chain_set_tip(&w.chain, tip);
	above = add(&w, tip, w.network.params.genesis_time + 1000);

	for (size_t i = 0; i < 2; i++) {
		struct block_node parent = *w.chain.genesis;

		if (i) {
			parent.id = ids[0];
			parent.header.height = 1;
		}
		mine(&w, &parent, &run[i], &ids[i]);
	}
	assert_false(chain_run_enough(&w.chain, run, ids, 2));
	/* Behind them: a target that nobody met, a header that is known. */
	run[2] = run[1];
	run[2].prev = ids[1];
	run[2].height = 3;
	run[2].bits = 0x03000001;
	memset(&ids[2], 0xff, sizeof(ids[2]));
	assert_false(chain_run_enough(&w.chain, run, ids, 3));
	run[2] = above->header;
	ids[2] = above->id;
	assert_false(chain_run_enough(&w.chain, run, ids, 3));
	/* Before them: what everybody knows. */
	memmove(run + 1, run, 2 * sizeof(*run));
	memmove(ids + 1, ids, 2 * sizeof(*ids));
	run[0] = w.chain.genesis->header;
	ids[0] = w.chain.genesis->id;
	assert_false(chain_run_enough(&w.chain, run, ids, 3));
	/* What is known takes none; near the tip there is enough. */
	assert_true(chain_run_enough(&w.chain, run, ids, 1));
	mine(&w, above, &run[0], &ids[0]);
	assert_true(chain_run_enough(&w.chain, run, ids, 1));
	chain_done(&w.chain);
}

static void test_future(void **state)
{
	struct future future = {0};
	struct future_header got;
	struct rc_header header = {.height = 5, .time = 1000};
	struct rc_block_id id = {{1}};

	(void)state;
	future_add(&future, 1, &header, &id);
	future_add(&future, 1, &header, &id);
	assert_int_equal(future.n, 1);
	/* One a peer and height. */
	id.b[0] = 2;
	header.time = 2000;
	future_add(&future, 1, &header, &id);
	assert_int_equal(future.n, 1);
	for (uint32_t i = 0; i < 3 * FUTURE_MAX; i++) {
		memcpy(id.b, &i, sizeof(i));
		id.b[10] = 1;
		header.height = i;
		header.time = 10000 + i;
		future_add(&future, 2, &header, &id);
		assert_true(future.n <= FUTURE_MAX);
	}
	assert_false(future_take(&future, 5000, &got));
	assert_true(future_take(&future, UINT32_MAX, &got));
	assert_int_equal(got.header.height, 2 * FUTURE_MAX);
	assert_int_equal(future.n, FUTURE_MAX - 1);
	future_done(&future);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ancestors),
		cmocka_unit_test(test_median_time),
		cmocka_unit_test(test_bodies_and_failures),
		cmocka_unit_test(test_ties),
		cmocka_unit_test(test_locator),
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_low_work),
		cmocka_unit_test(test_future),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
