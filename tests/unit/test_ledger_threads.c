/* Builder, logger, flusher and readers side by side, as the daemon runs them: what a reader sees is
 * one block's state, whole, whatever is built, dropped, flushed and trimmed meanwhile. */
#include "state_world.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/proof.h"
#include "daemons/utxod/ledger.h"

#define BLOCKS 160
/* The builder is never so far ahead that it gets BUSY in earnest. */
#define TRIES 100000

struct shared {
	struct rc_test_random random;
	struct world world; /* doesn't change while threads run */
	struct disk_pair disks;
	struct ledger *ledger;
	uint32_t chain[BLOCKS + 1];
	uint32_t rival[BLOCKS + 1][3]; /* of chain[i − 2] … */
	uint32_t
		staging; /* the builder's: a block that may be committed before its tree is there */
	atomic_uint ahead; /* the same, until the committer has tried */
	atomic_uint n_ahead;
	atomic_bool done;
	atomic_uint reads, proofs, missed, wrong;
};

/* Checks in threads can't fail the test themselves. */
static void expect(struct shared *s, bool good)
{
	if (!good)
		atomic_fetch_add(&s->wrong, 1);
}

/* Grows every other block, then each block of the chain has rivals two blocks deep. */
static void make_blocks(struct shared *s)
{
	uint32_t at = 0;

	for (unsigned i = 1; i <= BLOCKS; i++)
		s->chain[i] = at = world_grow(&s->world, at, 25, 30);
	for (unsigned i = 3; i <= BLOCKS; i++) {
		at = s->chain[i - 3];
		for (unsigned k = 0; k < 3; k++)
			s->rival[i][k] = at = world_grow(&s->world, at, 10, 12);
	}
}

static void stage(struct shared *s, uint32_t b)
{
	const struct rc_buf *delta = &s->world.block[b].delta;
	int err = RC_EBUSY;

	for (unsigned i = 0; err == RC_EBUSY && i < TRIES; i++)
		err = ledger_stage(s->ledger, (struct rc_bytes){delta->data, delta->len}, NULL);
	expect(s, err == RC_OK);
}

static void commit(struct shared *s, uint32_t b)
{
	expect(s, ledger_commit(s->ledger, &s->world.block[b].id, NULL) == RC_OK);
	if (b % 2)
		ledger_collect(s->ledger);
}

static void switch_to(struct shared *s, uint32_t b)
{
	expect(s, ledger_switch(s->ledger, &s->world.block[b].id, NULL) == RC_OK);
}

static void on_top(void *arg, bool sure)
{
	struct shared *s = arg;

	if (sure)
		atomic_store(&s->ahead, s->staging);
}

static void *committer_main(void *arg)
{
	struct shared *s = arg;

	while (!atomic_load(&s->done)) {
		uint32_t b = atomic_load(&s->ahead);

		if (!b) {
			sched_yield();
			continue;
		}
		if (ledger_commit_ahead(s->ledger, &s->world.block[b].id))
			atomic_fetch_add(&s->n_ahead, 1);
		atomic_store(&s->ahead, 0);
	}
	return NULL;
}

static void *builder_main(void *arg)
{
	struct shared *s = arg;

	for (unsigned i = 1; i <= BLOCKS; i++) {
		s->staging = s->chain[i];
		stage(s, s->chain[i]);
		s->staging = 0;
		while (atomic_load(&s->ahead)) /* meanwhile it does nothing else */
			sched_yield();
		commit(s, s->chain[i]);
		if (i % 5 == 0) { /* a rival that is given up */
			switch_to(s, s->chain[i - 3]);
			stage(s, s->rival[i][0]);
			stage(s, s->rival[i][1]);
			ledger_abort(s->ledger, NULL);
		}
		if (i % 7 == 0) { /* a rival that wins, and is overtaken again */
			switch_to(s, s->chain[i - 3]);
			for (unsigned k = 0; k < 3; k++)
				stage(s, s->rival[i][k]);
			commit(s, s->rival[i][2]);
			switch_to(s, s->chain[i - 3]);
			for (unsigned k = i - 2; k <= i; k++)
				stage(s, s->chain[k]);
			commit(s, s->chain[i]);
		}
	}
	atomic_store(&s->done, true);
	return NULL;
}

static void *logger_main(void *arg)
{
	struct shared *s = arg;

	for (unsigned i = 0; !atomic_load(&s->done); i++) {
		expect(s, ledger_write_ahead(s->ledger, i % 5 == 0, NULL) == RC_OK);
		expect(s, ledger_write(s->ledger, i % 3 == 0, NULL) == RC_OK);
	}
	return NULL;
}

static void *flusher_main(void *arg)
{
	struct shared *s = arg;

	while (!atomic_load(&s->done))
		expect(s, ledger_flush(s->ledger, NULL) == RC_OK);
	return NULL;
}

static const struct world_block *find(struct shared *s, const struct ledger_view *view)
{
	struct block_ref ref;

	ledger_view_block(view, &ref);
	for (size_t i = 0; i < s->world.n; i++)
		if (rc_block_id_eq(&s->world.block[i].id, &ref.id))
			return &s->world.block[i];
	return NULL;
}

static void read_coins(struct shared *s, const struct ledger_view *view,
		       const struct world_block *b, unsigned turn)
{
	enum { ASK = 20 };
	struct rc_outpoint o[ASK];
	struct rc_coin coins[ASK];

	for (unsigned i = 0; i < ASK; i++) {
		const struct world_block *any = &s->world.block[(turn * 31 + i * 7) % s->world.n];

		memset(&o[i], 0, sizeof(o[i]));
		if (any->n_coins)
			o[i] = any->coins[(turn + i) % any->n_coins].outpoint;
	}
	if (ledger_coins(view, o, ASK, coins, NULL) != RC_OK) {
		expect(s, false);
		return;
	}
	for (unsigned i = 0; i < ASK; i++) {
		const struct rc_coin *want = world_coin(b, &o[i]);

		expect(s, (want != NULL) == (coins[i].lock_len != 0) &&
				  (!want || !memcmp(want, &coins[i], sizeof(*want))));
	}
}

static void prove(struct shared *s, const struct ledger_view *view, const struct world_block *b,
		  unsigned turn)
{
	struct rc_proof_question q = {.ns = RC_STATE_COINS, .bits = 256};
	struct rc_buf proof = RC_BUF_INIT;
	struct rc_proof result;
	struct rc_hash hash;
	int err;

	rc_lock_hash(s->world.owner[turn % WORLD_OWNERS], 33, &hash);
	memcpy(q.prefix, hash.b, 32);
	err = ledger_prove(view, &q, false, 100, &proof, NULL);
	if (err == RC_ENOENT) /* dropped under us, and told */
		atomic_fetch_add(&s->missed, 1);
	else
		expect(s, !err && rc_proof_check(proof.data, proof.len, &q, &b->root, &result) ==
					  RC_VERDICT_OK);
	rc_buf_done(&proof);
	atomic_fetch_add(&s->proofs, 1);
}

static void *reader_main(void *arg)
{
	struct shared *s = arg;

	for (unsigned turn = 0; !atomic_load(&s->done); turn++) {
		const struct rc_block_id *at = NULL;
		const struct world_block *b;
		struct ledger_view view;
		struct rc_hash root;
		int err;

		if (turn % 3 == 1) /* any block: staged ones among them */
			at = &s->world.block[turn * 17 % s->world.n].id;
		err = at ? ledger_view_at(s->ledger, at, true, &view)
			 : ledger_view_tip(s->ledger, &view);
		if (err != RC_OK) {
			expect(s, at != NULL);
			continue;
		}
		b = find(s, &view);
		if (b) {
			ledger_view_root(&view, &root);
			expect(s, rc_hash_eq(&root, &b->root));
			read_coins(s, &view, b, turn);
			prove(s, &view, b, turn);
		}
		expect(s, b != NULL);
		ledger_view_close(&view);
		atomic_fetch_add(&s->reads, 1);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct shared *s = rc_alloc(sizeof(*s));
	struct ledger_options options = {.page_bytes = 1 << 18,
					 .coin_bytes = 1 << 17,
					 .undo_blocks = 300,
					 .clock = &rc_clock_system,
					 .random = &s->random.random,
					 .on_top = on_top,
					 .arg = s};
	void *(*const mains[])(void *) = {builder_main, committer_main, logger_main,
					  flusher_main, reader_main,	reader_main};
	pthread_t threads[RC_ARRAY_LEN(mains)];
	struct ledger_verified verified;
	struct ledger_figures figures;
	struct ledger_view view;
	struct rc_error error = {0};

	(void)state;
	rc_test_random_init(&s->random);
	world_init(&s->world, &s->random.random);
	make_blocks(s);
	s->disks = (struct disk_pair){disk_memory_new(), disk_memory_new()};
	options.genesis = s->world.block[0].id;
	assert_int_equal(ledger_open(&s->disks, &options, &s->ledger, &error), RC_OK);
	for (size_t i = 0; i < RC_ARRAY_LEN(mains); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, mains[i], s), 0);
	for (size_t i = 0; i < RC_ARRAY_LEN(mains); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&s->wrong), 0);
	ledger_figures(s->ledger, &figures);
	printf("%u reads, %u proofs, %u of dropped blocks, %u committed ahead, %llu flushes, "
	       "%llu loads, %llu drops\n",
	       atomic_load(&s->reads), atomic_load(&s->proofs), atomic_load(&s->missed),
	       atomic_load(&s->n_ahead), (unsigned long long)figures.flushes,
	       (unsigned long long)figures.page_loads, (unsigned long long)figures.page_drops);
	assert_true(figures.flushes > 0 && atomic_load(&s->reads) > 0 &&
		    atomic_load(&s->n_ahead) > 0);
	assert_int_equal(ledger_view_at(s->ledger, NULL, true, &view), RC_OK);
	assert_ptr_equal(find(s, &view), &s->world.block[s->chain[BLOCKS]]);
	assert_int_equal(ledger_verify(view.ledger, &view, NULL, NULL, &verified, &error), RC_OK);
	assert_true(verified.good);
	ledger_view_close(&view);
	ledger_close(s->ledger);
	disk_pair_close(&s->disks);
	world_done(&s->world);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
