/* Leases of blocks to peers, and the table of verified transactions. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "daemons/chaind/download.h"
#include "daemons/chaind/verified.h"
#include "rc_test.h"

#define HEIGHT 3000

struct world {
	struct rc_network network;
	struct chain chain;
	struct download download;
	struct block_node *at[HEIGHT + 1];
	struct rc_test_random t;
};

static void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	rc_test_random_init(&w->t);
	assert_true(rc_network_builtin("reg", &w->network));
	chain_init(&w->chain, &w->network);
	w->at[0] = w->chain.genesis;
	for (uint32_t h = 1; h <= HEIGHT; h++) {
		struct rc_header header = {
			.version = 1,
			.height = h,
			.prev = w->at[h - 1]->id,
			.bits = w->network.params.limit_bits,
		};
		struct rc_block_id id;

		rc_random_fill(&w->t.random, &id, sizeof(id));
		w->at[h] = chain_insert(&w->chain, &header, &id, w->at[h - 1]);
	}
	download_init(&w->download, &w->chain);
}

static void world_done(struct world *w)
{
	download_done(&w->download);
	chain_done(&w->chain);
}

static struct download_peer peer_of(struct world *w, uint64_t id, uint32_t height)
{
	return (struct download_peer){.peer = id, .tip = w->at[height]->id};
}

static void test_spread(void **state)
{
	struct download_lease leases[2048];
	struct download_peer peers[3];
	unsigned per_peer[4] = {0};
	struct world w;
	size_t n;

	(void)state;
	world_init(&w);
	for (uint64_t i = 0; i < 3; i++)
		peers[i] = peer_of(&w, i + 1, HEIGHT);
	n = download_assign(&w.download, peers, 3, 99, DOWNLOAD_PER_PEER, 0, leases, 2048);
	assert_int_equal(n, 3 * DOWNLOAD_PER_PEER);
	for (size_t i = 0; i < n; i++) {
		per_peer[leases[i].peer]++;
		assert_true(node_height(leases[i].node) <= 3 * DOWNLOAD_PER_PEER);
		for (size_t j = 0; j < i; j++)
			assert_ptr_not_equal(leases[i].node, leases[j].node);
	}
	for (int i = 1; i <= 3; i++)
		assert_int_equal(per_peer[i], DOWNLOAD_PER_PEER);
	/* Neighbours come from different peers. */
	assert_int_not_equal(leases[0].peer, leases[1].peer);

	/* Another peerd gets others; who has all in flight gets none. */
	peers[0] = peer_of(&w, 7, HEIGHT);
	peers[1] = peer_of(&w, 8, HEIGHT);
	peers[1].in_flight = DOWNLOAD_PER_PEER;
	n = download_assign(&w.download, peers, 2, 100, DOWNLOAD_PER_PEER, 0, leases, 2048);
	assert_int_equal(n, DOWNLOAD_PER_PEER);
	assert_true(node_height(leases[0].node) > 3 * DOWNLOAD_PER_PEER);
	assert_int_equal(leases[0].peer, 7);
	download_drop_client(&w.download, 99);
	assert_int_equal(download_count(&w.download), DOWNLOAD_PER_PEER);
	world_done(&w);
}

static void test_window_and_expiry(void **state)
{
	struct download_lease leases[4096];
	struct download_peer peer;
	struct world w;
	const uint8_t *failed[1];
	uint32_t ms;
	size_t n;

	(void)state;
	world_init(&w);
	peer = peer_of(&w, 1, HEIGHT);
	n = download_assign(&w.download, &peer, 1, 1, 4000, 0, leases, 4096);
	assert_int_equal(n, DOWNLOAD_WINDOW);
	/* The window moves with the whole chain, not with what lies beyond a gap. */
	for (uint32_t h = 2; h <= 500; h++) {
		chain_set_body(&w.chain, w.at[h], 100, 1);
		download_arrived(&w.download, &w.at[h]->id);
	}
	peer = peer_of(&w, 1, HEIGHT);
	assert_int_equal(download_assign(&w.download, &peer, 1, 1, 4000, 0, leases, 4096), 0);
	ms = w.download.lease_ms;
	assert_true(ms < LEASE_MS && ms >= LEASE_MIN_MS);

	/* A stalled peer's blocks go to another one, not to one that failed with them. */
	assert_int_equal(download_expire(&w.download, 1000), LEASE_MS);
	assert_int_equal(download_expire(&w.download, LEASE_MS), INT64_MAX);
	assert_int_equal(w.download.lease_ms, 2 * ms);
	peer = peer_of(&w, 1, HEIGHT);
	failed[0] = w.at[1]->id.b;
	peer.failed = failed;
	peer.n_failed = 1;
	n = download_assign(&w.download, &peer, 1, 1, 1, LEASE_MS, leases, 4096);
	assert_int_equal(n, 1);
	assert_int_equal(node_height(leases[0].node), 501);
	peer = peer_of(&w, 2, HEIGHT);
	n = download_assign(&w.download, &peer, 1, 1, 1, LEASE_MS, leases, 4096);
	assert_int_equal(node_height(leases[0].node), 1);
	download_release(&w.download, &w.at[1]->id);
	assert_false(download_leased(&w.download, &w.at[1]->id));
	world_done(&w);
}

static void test_nothing_wanted(void **state)
{
	struct download_lease leases[64];
	struct download_peer peer;
	struct world w;

	(void)state;
	world_init(&w);
	for (uint32_t h = 1; h <= 10; h++)
		chain_set_body(&w.chain, w.at[h], 100, 1);
	chain_set_tip(&w.chain, w.at[10]);
	/* A peer that is not ahead of us, one with an unknown tip, one on an invalid branch. */
	peer = peer_of(&w, 1, 10);
	assert_int_equal(download_assign(&w.download, &peer, 1, 1, 16, 0, leases, 64), 0);
	memset(&peer.tip, 9, sizeof(peer.tip));
	assert_int_equal(download_assign(&w.download, &peer, 1, 1, 16, 0, leases, 64), 0);
	chain_set_failed(&w.chain, w.at[20], RC_V_BLOCK_BUDGET);
	peer = peer_of(&w, 1, 30);
	assert_int_equal(download_assign(&w.download, &peer, 1, 1, 16, 0, leases, 64), 0);
	peer = peer_of(&w, 1, 19);
	assert_int_equal(download_assign(&w.download, &peer, 1, 1, 16, 0, leases, 64), 9);
	world_done(&w);
}

static void test_verified(void **state)
{
	struct rc_test_random t;
	struct verified *v;
	struct rc_wtxid ids[1000];
	struct verified_place places[1000];
	unsigned kept = 0;

	(void)state;
	rc_test_random_init(&t);
	v = verified_new(512 * 32, &t.random);
	rc_random_fill(&t.random, ids, sizeof(ids));
	for (size_t i = 0; i < 1000; i++)
		verified_find(v, &ids[i], &places[i]);
	for (size_t i = 0; i < 100; i++) {
		assert_false(verified_has(v, &places[i]));
		verified_add(v, &places[i]);
		verified_add(v, &places[i]);
		assert_true(verified_has(v, &places[i]));
	}
	for (size_t i = 100; i < 1000; i++)
		verified_add(v, &places[i]);
	for (size_t i = 0; i < 1000; i++)
		kept += verified_has(v, &places[i]);
	assert_true(kept <= 512 && kept > 300);
	verified_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_window_and_expiry),
		cmocka_unit_test(test_nothing_wanted),
		cmocka_unit_test(test_verified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
