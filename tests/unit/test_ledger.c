/* Versions of the state against a plain model: random histories with reorganisations and power
 * cuts, requests that don't fit, proofs. */
#include "state_world.h"

#include <stdlib.h>
#include <string.h>

#include "consensus/proof.h"

struct fixture {
	struct rc_test_random random;
	struct world world;
	struct disk_pair disks;
	struct ledger_options options;
	struct ledger *ledger;
	/* What the ledger should say. */
	uint32_t applied;
	uint32_t durable;		      /* last synced */
	uint32_t staged[LEDGER_STAGE_BLOCKS]; /* blocks on the fork, or on the applied tip */
	uint32_t n_staged;
	bool switching;
	uint32_t fork;
	uint32_t ahead; /* the block being staged is committed before its tree is made; 0: not */
	bool misfit;	/* what is staged isn't what the model has */
	bool sure, went_ahead;
	unsigned n_ahead;
};

static void on_top(void *arg, bool sure);

static int setup(void **state)
{
	struct fixture *f = rc_alloc(sizeof(*f));

	rc_test_random_init(&f->random);
	world_init(&f->world, &f->random.random);
	f->disks = (struct disk_pair){disk_memory_new(), disk_memory_new()};
	f->options = world_ledger_options(&f->world);
	f->options.flush_changes = 200;
	f->options.on_top = on_top;
	f->options.arg = f;
	f->ledger = world_open_ledger(&f->disks, &f->options);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	ledger_close(f->ledger);
	disk_pair_close(&f->disks);
	world_done(&f->world);
	free(f);
	return 0;
}

static uint32_t top_of(const struct fixture *f)
{
	return f->n_staged ? f->staged[f->n_staged - 1] : f->switching ? f->fork : f->applied;
}

/* ---- comparing ---- */

static void check_coins(struct fixture *f, struct ledger_view *view, const struct world_block *b)
{
	enum { ASK = 60 };
	struct rc_outpoint o[ASK];
	struct rc_coin coins[ASK];
	struct rc_error error;

	for (unsigned i = 0; i < ASK; i++) {
		/* Coins of any block: some are here, some spent, some on other branches. */
		const struct world_block *any =
			&f->world.block[rc_random_below(&f->random.random, f->world.n)];

		rc_random_fill(&f->random.random, &o[i], sizeof(o[i]));
		if (any->n_coins && i % 8)
			o[i] = any->coins[rc_random_below(&f->random.random, any->n_coins)]
				       .outpoint;
	}
	assert_int_equal(ledger_coins(view, o, ASK, coins, &error), RC_OK);
	for (unsigned i = 0; i < ASK; i++) {
		const struct rc_coin *want = world_coin(b, &o[i]);

		assert_int_equal(want != NULL, coins[i].lock_len != 0);
		if (want)
			assert_memory_equal(want, &coins[i], sizeof(*want));
	}
}

static void check_treasury(struct ledger_view *view, const struct world_block *b)
{
	struct rc_buf value = RC_BUF_INIT;
	struct rc_error error;
	uint8_t key[32];
	int err;

	rc_gov_key_treasury(key);
	err = ledger_entry(view, RC_STATE_GOVERNANCE, key, &value, &error);
	assert_int_equal(err, b->treasury ? RC_OK : RC_ENOENT);
	if (!err)
		assert_int_equal(rc_get_le64(value.data), b->treasury);
	rc_buf_done(&value);
}

static void check_list(struct fixture *f, struct ledger_view *view, const struct world_block *b)
{
	const uint8_t *lock = f->world.owner[rc_random_below(&f->random.random, WORLD_OWNERS)];
	struct ledger_list list;
	struct rc_outpoint after, *from = NULL;
	struct rc_error error;
	struct rc_hash hash;
	rc_amount total = 0;
	size_t max = 1 + rc_random_below(&f->random.random, 5), n = 0, want = 0;

	rc_lock_hash(lock, 33, &hash);
	for (size_t i = 0; i < b->n_coins; i++) {
		if (memcmp(b->coins[i].coin.lock, lock, 33) == 0) {
			total += b->coins[i].coin.amount;
			want++;
		}
	}
	do {
		assert_int_equal(ledger_list(view, &hash, from, max, &list, &error), RC_OK);
		assert_int_equal(list.total, total);
		assert_true(list.n <= max);
		for (size_t i = 0; i < list.n; i++) {
			const struct rc_coin *c = world_coin(b, &list.coins[i].outpoint);

			assert_non_null(c);
			assert_memory_equal(c, &list.coins[i].coin, sizeof(*c));
			assert_true(!from || rc_outpoint_cmp(from, &list.coins[i].outpoint) < 0);
			after = list.coins[i].outpoint;
			from = &after;
		}
		n += list.n;
		free(list.coins);
	} while (list.more);
	assert_int_equal(n, want);
}

static void check_view(struct fixture *f, struct ledger_view *view, uint32_t index)
{
	const struct world_block *b = &f->world.block[index];
	struct ledger_verified verified;
	struct block_ref ref;
	struct rc_hash root;
	struct rc_error error = {0};

	ledger_view_block(view, &ref);
	assert_int_equal(ref.height, b->height);
	assert_memory_equal(&ref.id, &b->id, 32);
	ledger_view_root(view, &root);
	assert_memory_equal(&root, &b->root, 32);
	check_coins(f, view, b);
	check_treasury(view, b);
	check_list(f, view, b);
	if (rc_random_below(&f->random.random, 8) == 0) {
		assert_int_equal(ledger_verify(f->ledger, view, NULL, NULL, &verified, &error),
				 RC_OK);
		if (!verified.good)
			fail_msg("verify: %s", verified.text);
		assert_int_equal(verified.entries, b->n_coins + (b->treasury != 0));
	}
}

static void check_at(struct fixture *f, uint32_t index)
{
	struct ledger_view view;

	assert_int_equal(ledger_view_at(f->ledger, &f->world.block[index].id, true, &view), RC_OK);
	check_view(f, &view, index);
	ledger_view_close(&view);
}

static void check_all(struct fixture *f)
{
	struct block_ref applied, durable;
	struct ledger_view view;
	uint32_t height = f->world.block[f->applied].height;

	ledger_tips(f->ledger, &applied, &durable);
	assert_memory_equal(&applied.id, &f->world.block[f->applied].id, 32);
	assert_int_equal(ledger_view_at(f->ledger, NULL, true, &view), RC_OK);
	check_view(f, &view, f->applied);
	ledger_view_close(&view);
	check_at(f, top_of(f));
	for (uint32_t back = 0; back < 3 && back <= height; back++) {
		uint32_t index = world_ancestor_at(&f->world, f->applied, height - back);

		/* Versions kept: the last few; but two, fewer after an undo or an opening. */
		if (ledger_view_height(f->ledger, height - back, &view) != RC_OK) {
			assert_true(back >= 2);
			continue;
		}
		check_view(f, &view, index);
		ledger_view_close(&view);
	}
}

/* Between a version's coins and its tree. */
static void on_top(void *arg, bool sure)
{
	struct fixture *f = arg;
	struct world_block *b = &f->world.block[f->ahead];
	struct ledger_view view;

	f->sure = sure;
	f->went_ahead = f->ahead && ledger_commit_ahead(f->ledger, &b->id);
	if (f->ahead)
		assert_int_equal(f->went_ahead, sure && !f->switching);
	if (!f->went_ahead)
		return;
	f->n_ahead++;
	assert_int_equal(ledger_view_at(f->ledger, NULL, true, &view), RC_EBUSY);
	assert_int_equal(ledger_view_height(f->ledger, b->height, &view), RC_EBUSY);
	assert_int_equal(ledger_view_at(f->ledger, NULL, false, &view), RC_OK);
	check_coins(f, &view, b);
	check_treasury(&view, b);
	ledger_view_close(&view);
	/* What the other threads may do meanwhile. */
	ledger_write_ahead(f->ledger, false, NULL);
	if (b->height % 2) {
		ledger_write(f->ledger, true, NULL);
		ledger_flush(f->ledger, NULL);
	}
	ledger_collect(f->ledger);
}

/* ---- random steps ---- */

static void do_stage(struct fixture *f)
{
	struct rc_error error = {0};
	uint32_t b;
	int err;

	if (f->n_staged > 6)
		return;
	b = world_grow(&f->world, top_of(f), rc_random_below(&f->random.random, 40),
		       rc_random_below(&f->random.random, 60));
	f->ahead = rc_random_below(&f->random.random, 2) ? b : 0;
	err = ledger_stage(
		f->ledger,
		(struct rc_bytes){f->world.block[b].delta.data, f->world.block[b].delta.len},
		&error);
	if (err)
		fail_msg("stage: %s", error.text);
	f->ahead = 0;
	f->staged[f->n_staged++] = b;
	if (f->went_ahead) {
		struct ledger_figures figures;

		ledger_figures(f->ledger, &figures);
		f->durable = world_find(&f->world, &figures.durable.id);
		f->applied = b;
		f->n_staged = 0;
	}
}

static void do_commit(struct fixture *f)
{
	struct rc_error error;
	uint32_t n;

	if (!f->n_staged)
		return;
	n = (uint32_t)rc_random_below(&f->random.random, f->n_staged) + 1;
	assert_int_equal(ledger_commit(f->ledger, &f->world.block[f->staged[n - 1]].id, &error),
			 RC_OK);
	f->applied = f->staged[n - 1];
	f->n_staged -= n;
	memmove(f->staged, f->staged + n, f->n_staged * sizeof(f->staged[0]));
	f->switching = false;
}

static void do_abort(struct fixture *f)
{
	if (!f->n_staged || rc_random_below(&f->random.random, 3) == 0) {
		ledger_abort(f->ledger, NULL);
		f->n_staged = 0;
		f->switching = false;
	} else {
		uint32_t at = (uint32_t)rc_random_below(&f->random.random, f->n_staged);

		ledger_abort(f->ledger, &f->world.block[f->staged[at]].id);
		f->n_staged = at;
	}
}

static uint32_t random_ancestor(struct fixture *f)
{
	uint32_t height = f->world.block[f->applied].height;
	uint64_t back = rc_random_below(&f->random.random, 12);

	return world_ancestor_at(&f->world, f->applied,
				 back > height ? 0 : height - (uint32_t)back);
}

static void do_switch(struct fixture *f)
{
	struct rc_error error = {0};
	uint32_t fork = random_ancestor(f);

	if (f->switching && fork == f->fork)
		return; /* stays as it is: tested apart */
	if (ledger_switch(f->ledger, &f->world.block[fork].id, &error) != RC_OK)
		fail_msg("switch: %s", error.text);
	f->n_staged = 0;
	f->fork = fork;
	f->switching = fork != f->applied;
}

static void do_revert(struct fixture *f)
{
	struct rc_error error = {0};
	uint32_t to = random_ancestor(f);

	if (ledger_revert(f->ledger, &f->world.block[to].id, &error) != RC_OK)
		fail_msg("revert: %s", error.text);
	f->n_staged = 0;
	f->switching = false;
	f->applied = to;
}

static void do_write(struct fixture *f, bool sync)
{
	struct rc_error error;

	assert_int_equal(ledger_write(f->ledger, sync, &error), RC_OK);
	if (sync)
		f->durable = f->applied;
}

static void do_ahead(struct fixture *f)
{
	struct ledger_figures figures;
	struct rc_error error;

	assert_int_equal(
		ledger_write_ahead(f->ledger, rc_random_below(&f->random.random, 2), &error),
		RC_OK);
	ledger_figures(f->ledger, &figures);
	f->durable = world_find(&f->world, &figures.durable.id);
}

static void do_flush(struct fixture *f)
{
	struct rc_error error = {0};
	struct ledger_figures figures;

	if (ledger_flush(f->ledger, &error) != RC_OK)
		fail_msg("flush: %s", error.text);
	ledger_figures(f->ledger, &figures);
	/* It syncs the log for what it writes. */
	f->durable = world_find(&f->world, &figures.durable.id);
}

/* Power goes: what comes back is at least what was durable, and one of the blocks committed. */
static void do_cut(struct fixture *f)
{
	struct block_ref applied, durable;
	uint32_t before = f->durable;

	ledger_close(f->ledger);
	f->ledger = NULL;
	disk_memory_cut(f->disks.log);
	disk_memory_cut(f->disks.state);
	f->ledger = world_open_ledger(&f->disks, &f->options);
	ledger_tips(f->ledger, &applied, &durable);
	assert_memory_equal(&applied.id, &durable.id, 32);
	f->applied = world_find(&f->world, &applied.id);
	assert_int_equal(f->applied, before);
	f->n_staged = 0;
	f->switching = false;
}

/* The process ends, the machine stays: written but unsynced steps are there too. */
static void do_kill(struct fixture *f)
{
	struct block_ref applied, durable;

	ledger_write(f->ledger, false, NULL);
	ledger_write_ahead(f->ledger, false, NULL);
	ledger_close(f->ledger);
	f->ledger = NULL;
	f->ledger = world_open_ledger(&f->disks, &f->options);
	ledger_tips(f->ledger, &applied, &durable);
	assert_memory_equal(&applied.id, &f->world.block[f->applied].id, 32);
	f->durable = f->applied;
	f->n_staged = 0;
	f->switching = false;
}

static void test_histories(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 900; i++) {
		uint64_t what = rc_random_below(&f->random.random, 100);

		if (what < 35)
			do_stage(f);
		else if (what < 40)
			do_ahead(f);
		else if (what < 62)
			do_commit(f);
		else if (what < 65)
			ledger_collect(f->ledger);
		else if (what < 70)
			do_abort(f);
		else if (what < 76)
			do_switch(f);
		else if (what < 78)
			do_revert(f);
		else if (what < 84)
			do_write(f, false);
		else if (what < 90)
			do_write(f, true);
		else if (what < 97)
			do_flush(f);
		else if (what < 98)
			do_kill(f);
		else
			do_cut(f);
		check_all(f);
	}
	assert_true(f->n_ahead > 0);
}

/* ---- one by one ---- */

static int stage_block(struct fixture *f, uint32_t b)
{
	return ledger_stage(
		f->ledger,
		(struct rc_bytes){f->world.block[b].delta.data, f->world.block[b].delta.len}, NULL);
}

static void commit_block(struct fixture *f, uint32_t b)
{
	assert_int_equal(stage_block(f, b), RC_OK);
	assert_int_equal(ledger_commit(f->ledger, &f->world.block[b].id, NULL), RC_OK);
	f->applied = b;
}

static void test_requests(void **state)
{
	struct fixture *f = *state;
	struct world *w = &f->world;
	struct ledger_view view;
	uint32_t a1 = world_grow(w, 0, 0, 30), a2 = world_grow(w, a1, 5, 20);
	uint32_t a3 = world_grow(w, a2, 5, 20), b2 = world_grow(w, a1, 9, 9);
	uint32_t b3 = world_grow(w, b2, 9, 9);

	/* Unknown parents, and blocks that are nowhere. */
	assert_int_equal(stage_block(f, a2), RC_ENOENT);
	assert_int_equal(ledger_commit(f->ledger, &w->block[a1].id, NULL), RC_ENOENT);
	assert_int_equal(ledger_view_at(f->ledger, &w->block[a1].id, true, &view), RC_ENOENT);
	assert_int_equal(ledger_switch(f->ledger, &w->block[a1].id, NULL), RC_ENOENT);
	assert_int_equal(ledger_revert(f->ledger, &w->block[a1].id, NULL), RC_ENOENT);
	ledger_abort(f->ledger, &w->block[a1].id);

	/* Everything twice. */
	assert_int_equal(stage_block(f, a1), RC_OK);
	assert_int_equal(stage_block(f, a1), RC_OK);
	assert_int_equal(stage_block(f, a2), RC_OK);
	assert_int_equal(stage_block(f, b2), RC_ENOENT);
	assert_int_equal(ledger_commit(f->ledger, &w->block[a2].id, NULL), RC_OK);
	assert_int_equal(ledger_commit(f->ledger, &w->block[a2].id, NULL), RC_OK);
	assert_int_equal(ledger_commit(f->ledger, &w->block[a1].id, NULL), RC_OK);
	assert_int_equal(stage_block(f, a1), RC_OK);
	f->applied = a2;
	check_all(f);

	/* A switch that is asked twice keeps what stands on it. */
	assert_int_equal(ledger_switch(f->ledger, &w->block[a1].id, NULL), RC_OK);
	assert_int_equal(stage_block(f, b2), RC_OK);
	assert_int_equal(ledger_switch(f->ledger, &w->block[a1].id, NULL), RC_OK);
	f->switching = true;
	f->fork = a1;
	f->staged[0] = b2;
	f->n_staged = 1;
	check_all(f);
	/* The old tip can be staged again as a branch of its own. */
	ledger_abort(f->ledger, &w->block[b2].id);
	assert_int_equal(stage_block(f, a2), RC_OK);
	assert_int_equal(stage_block(f, a3), RC_OK);
	f->staged[0] = a2;
	f->staged[1] = a3;
	f->n_staged = 2;
	check_all(f);
	assert_int_equal(ledger_commit(f->ledger, &w->block[a3].id, NULL), RC_OK);
	f->applied = a3;
	f->n_staged = 0;
	f->switching = false;
	check_all(f);

	/* A whole switch; the blocks left behind are unknown then. */
	assert_int_equal(ledger_switch(f->ledger, &w->block[a1].id, NULL), RC_OK);
	assert_int_equal(stage_block(f, b2), RC_OK);
	assert_int_equal(stage_block(f, b3), RC_OK);
	assert_int_equal(ledger_commit(f->ledger, &w->block[b3].id, NULL), RC_OK);
	f->applied = b3;
	check_all(f);
	assert_int_equal(ledger_view_at(f->ledger, &w->block[a3].id, true, &view), RC_ENOENT);
	assert_int_equal(ledger_commit(f->ledger, &w->block[a3].id, NULL), RC_ENOENT);
	assert_int_equal(ledger_revert(f->ledger, &w->block[a1].id, NULL), RC_OK);
	f->applied = a1;
	check_all(f);
	assert_int_equal(ledger_revert(f->ledger, &w->block[a1].id, NULL), RC_OK);
}

/* Deltas that don't fit the state change nothing. */
static void test_misfits(void **state)
{
	struct fixture *f = *state;
	struct world *w = &f->world;
	uint32_t a1 = world_grow(w, 0, 0, 50), a2 = world_grow(w, a1, 20, 20);
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_delta delta;
	struct rc_buf buf = RC_BUF_INIT;
	struct rc_error error;

	commit_block(f, a1);
	for (unsigned i = 0; i < 5; i++) {
		const struct rc_buf *good = &w->block[a2].delta;

		rc_arena_reset(&arena);
		rc_buf_clear(&buf);
		assert_true(rc_delta_decode(good->data, good->len, &arena, &delta));
		if (i == 0) /* a coin that never was */
			delta.spent[3].outpoint.txid.b[31] ^= 1;
		else if (i == 1) /* with another amount */
			delta.spent[3].coin.amount ^= 1;
		else if (i == 2) /* a coin that is there */
			delta.created[0] = w->block[a1].coins[0], delta.n_created = 1,
			delta.n_spent = 0, delta.created[0].coin.height = delta.height;
		else if (i == 3) /* a coin spent already, and a wrong height */
			delta.height++;
		rc_delta_encode(&delta, &buf);
		if (i == 4)
			buf.len--;
		assert_int_equal(
			ledger_stage(f->ledger, (struct rc_bytes){buf.data, buf.len}, &error),
			i == 3 ? RC_ENOENT : RC_EINVAL);
		check_all(f);
	}
	rc_arena_done(&arena);
	rc_buf_done(&buf);
	commit_block(f, a2);
	check_all(f);
}

static bool question_of(struct fixture *f, const struct world_block *b, unsigned kind,
			struct rc_proof_question *q)
{
	const struct rc_delta_coin *c;

	memset(q, 0, sizeof(*q));
	q->ns = RC_STATE_COINS;
	if (kind < 4) {
		if (!b->n_coins)
			return false;
		c = &b->coins[rc_random_below(&f->random.random, b->n_coins)];
		rc_coin_key_encode(&c->coin, &c->outpoint, q->prefix);
		q->bits = kind == 0   ? 8 * RC_COIN_KEY_SIZE
			  : kind == 1 ? 256
				      : (uint16_t)rc_random_below(&f->random.random, 300);
		if (kind == 3) /* near, but absent mostly */
			q->prefix[rc_random_below(&f->random.random, 32)] ^= 4;
	} else if (kind == 4) {
		q->ns = RC_STATE_GOVERNANCE;
		q->bits = 256;
		rc_gov_key_treasury(q->prefix);
	} else if (kind == 5) {
		q->ns = (uint8_t)(1 + rc_random_below(&f->random.random, 5));
		q->bits = (uint16_t)rc_random_below(&f->random.random, 257);
		rc_random_fill(&f->random.random, q->prefix, 32);
	}
	for (unsigned i = q->bits; i < 8 * RC_STATE_KEY_MAX; i++)
		q->prefix[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	return true;
}

/* Proofs are accepted by the checker, say what the model says, and no changed byte passes. */
static void test_proofs(void **state)
{
	struct fixture *f = *state;
	uint32_t tip = 0;

	for (unsigned i = 0; i < 12; i++)
		commit_block(f, tip = world_grow(&f->world, tip, 10, 30));
	for (unsigned i = 0; i < 600; i++) {
		const struct world_block *b;
		struct rc_proof_question q;
		struct rc_buf proof = RC_BUF_INIT;
		struct rc_proof result;
		struct rc_error error;
		struct ledger_view view;
		rc_amount total = 0;
		size_t n = 0, at;

		tip = world_ancestor_at(&f->world, f->applied,
					f->world.block[f->applied].height - i % 3);
		b = &f->world.block[tip];
		if (!question_of(f, b, i % 7, &q))
			continue;
		assert_int_equal(ledger_view_height(f->ledger, b->height, &view), RC_OK);
		assert_int_equal(
			ledger_prove(&view, &q, i % 5 == 0, i % 11 ? 100 : 3, &proof, &error),
			RC_OK);
		ledger_view_close(&view);
		assert_int_equal(rc_proof_check(proof.data, proof.len, &q, &b->root, &result),
				 RC_VERDICT_OK);
		for (size_t k = 0; q.ns == RC_STATE_COINS && k < b->n_coins; k++) {
			uint8_t key[RC_COIN_KEY_SIZE];

			rc_coin_key_encode(&b->coins[k].coin, &b->coins[k].outpoint, key);
			if (rc_key_split(key, q.prefix, RC_COIN_KEY_SIZE) < q.bits)
				continue;
			n++;
			total += b->coins[k].coin.amount;
		}
		if (q.ns == RC_STATE_COINS) {
			assert_int_equal(result.answer == RC_PROOF_ABSENT, n == 0);
			if (result.answer != RC_PROOF_ABSENT)
				assert_int_equal(result.total, total);
			if (result.answer == RC_PROOF_LEAVES)
				assert_int_equal(result.n_leaves, n);
		}
		for (unsigned k = 0; k < 40; k++) {
			at = rc_random_below(&f->random.random, proof.len);
			proof.data[at] ^= (uint8_t)(1u << k % 8);
			assert_int_not_equal(
				rc_proof_check(proof.data, proof.len, &q, &b->root, &result),
				RC_VERDICT_OK);
			proof.data[at] ^= (uint8_t)(1u << k % 8);
		}
		rc_buf_done(&proof);
	}
}

/* The bounds of the stack. */
static void test_bounds(void **state)
{
	struct fixture *f = *state;
	uint32_t tip = 0;
	struct rc_error error;

	for (unsigned i = 0; i < LEDGER_STAGE_BLOCKS; i++) {
		tip = world_grow(&f->world, tip, 1, 2);
		assert_int_equal(stage_block(f, tip), RC_OK);
	}
	tip = world_grow(&f->world, tip, 1, 2);
	assert_int_equal(ledger_stage(f->ledger,
				      (struct rc_bytes){f->world.block[tip].delta.data,
							f->world.block[tip].delta.len},
				      &error),
			 RC_EBUSY);
	assert_int_equal(ledger_commit(f->ledger, &f->world.block[3].id, &error), RC_OK);
	assert_int_equal(stage_block(f, tip), RC_OK);
}

/* The undo of a long reorganisation leaves room for what replaces it. */
static void test_long_switch(void **state)
{
	struct fixture *f = *state;
	uint32_t a = 0, b = 0;

	for (unsigned i = 0; i < LEDGER_STAGE_BLOCKS + 10; i++) {
		a = world_grow(&f->world, a, 1, 2);
		commit_block(f, a);
	}
	assert_int_equal(ledger_switch(f->ledger, &f->world.block[0].id, NULL), RC_OK);
	for (unsigned i = 0; i < LEDGER_STAGE_BLOCKS; i++) {
		b = world_grow(&f->world, b, 1, 2);
		assert_int_equal(stage_block(f, b), RC_OK);
	}
	assert_int_equal(ledger_commit(f->ledger, &f->world.block[b].id, NULL), RC_OK);
}

/* A short reorganisation is never refused; a longer one over its bound is, and changes nothing. */
static void test_switch_bound(void **state)
{
	struct fixture *f = *state;
	struct rc_error error;
	uint32_t tip = 0;

	f->options.stage_bytes = f->options.switch_bytes = 1;
	do_kill(f);
	for (unsigned i = 0; i < LEDGER_SWITCH_BLOCKS + 1; i++)
		commit_block(f, tip = world_grow(&f->world, tip, 1, 2));
	assert_int_equal(ledger_switch(f->ledger, &f->world.block[0].id, &error), RC_ETOOBIG);
	check_all(f);
	f->fork = world_ancestor_at(&f->world, tip, 1);
	assert_int_equal(ledger_switch(f->ledger, &f->world.block[f->fork].id, &error), RC_OK);
	f->switching = true;
	check_all(f);
	assert_int_equal(stage_block(f, world_grow(&f->world, f->fork, 1, 2)), RC_OK);
}

/* Deltas older than undo_blocks go; a fork below them is unknown, everything above works. */
static void test_pruning(void **state)
{
	struct fixture *f = *state;
	struct rc_buf delta = RC_BUF_INIT;
	struct rc_error error;
	uint32_t tip = 0, lowest;
	struct block_ref ref;

	ledger_close(f->ledger);
	f->ledger = NULL;
	f->options.undo_blocks = 20;
	f->ledger = world_open_ledger(&f->disks, &f->options);
	for (unsigned i = 0; i < 80; i++) {
		commit_block(f, tip = world_grow(&f->world, tip, 5, 6));
		do_write(f, i % 2);
		if (i % 5 == 0)
			do_flush(f);
		if (i % 25 == 24)
			do_kill(f);
	}
	lowest = ledger_lowest_delta(f->ledger);
	assert_true(lowest > 30 && lowest <= 60);
	assert_int_equal(ledger_delta(f->ledger, lowest - 1, &delta, &error), RC_ENOENT);
	for (uint32_t h = lowest; h <= 80; h++) {
		const struct world_block *b = &f->world.block[world_ancestor_at(&f->world, tip, h)];

		rc_buf_clear(&delta);
		assert_int_equal(ledger_delta(f->ledger, h, &delta, &error), RC_OK);
		assert_int_equal(delta.len, b->delta.len);
		assert_memory_equal(delta.data, b->delta.data, delta.len);
		assert_true(ledger_block_at(f->ledger, h, &ref));
		assert_memory_equal(&ref.id, &b->id, 32);
	}
	rc_buf_done(&delta);
	assert_int_equal(ledger_revert(f->ledger, &f->world.block[1].id, &error), RC_ENOENT);
	f->applied = world_ancestor_at(&f->world, tip, lowest);
	assert_int_equal(ledger_revert(f->ledger, &f->world.block[f->applied].id, &error), RC_OK);
	check_all(f);
	do_write(f, true);
	do_cut(f);
	check_all(f);
}

/* The log is pruned between finding a delta and reading it: that delta is gone, not damaged. */
static struct fixture *pruned_meanwhile;
static const struct disk_ops *plain_ops;

static int get_after_pruning(struct disk *disk, const void *key, size_t key_len, struct rc_buf *buf,
			     struct rc_error *error)
{
	struct fixture *f = pruned_meanwhile;

	disk->ops = plain_ops;
	for (unsigned i = 0; i < 40; i++) {
		commit_block(f, world_grow(&f->world, f->applied, 2, 3));
		do_write(f, true);
		do_flush(f);
	}
	return plain_ops->get(disk, key, key_len, buf, error);
}

static void test_pruned_meanwhile(void **state)
{
	struct fixture *f = *state;
	static struct disk_ops hooked;
	struct rc_buf delta = RC_BUF_INIT;
	struct rc_error error;

	f->options.undo_blocks = 20;
	do_kill(f);
	for (unsigned i = 0; i < 30; i++) {
		commit_block(f, world_grow(&f->world, f->applied, 2, 3));
		do_write(f, true);
		do_flush(f);
	}
	plain_ops = f->disks.log->ops;
	hooked = *plain_ops;
	hooked.get = get_after_pruning;
	f->disks.log->ops = &hooked;
	pruned_meanwhile = f;
	assert_int_equal(ledger_delta(f->ledger, 1, &delta, &error), RC_ENOENT);
	assert_ptr_equal(f->disks.log->ops, plain_ops);
	rc_buf_done(&delta);
}

/* As deep as a revert may go: no delta is left, and the tip's own can't be read. */
static void test_revert_all_kept(void **state)
{
	struct fixture *f = *state;
	struct rc_error error = {0};
	uint32_t tip = 0, lowest;

	f->options.undo_blocks = 20;
	do_kill(f);
	for (unsigned i = 0; i < 60; i++) {
		commit_block(f, tip = world_grow(&f->world, tip, 5, 6));
		do_write(f, true);
		do_flush(f);
	}
	lowest = ledger_lowest_delta(f->ledger);
	assert_true(lowest > 10);
	f->applied = world_ancestor_at(&f->world, tip, lowest - 1);
	if (ledger_revert(f->ledger, &f->world.block[f->applied].id, &error) != RC_OK)
		fail_msg("%s", error.text);
	assert_int_equal(ledger_lowest_delta(f->ledger), 0);
	do_write(f, true);
	do_kill(f);
	check_at(f, f->applied);
	for (unsigned i = 0; i < 3; i++)
		commit_block(f, world_grow(&f->world, f->applied, 5, 6));
	do_write(f, true);
	do_cut(f);
	check_all(f);
}

/* A long revert has no more to write than what is staged may. */
static unsigned n_full;

static void write_all(void *arg)
{
	struct fixture *f = arg;
	struct rc_error error;

	n_full++;
	assert_int_equal(ledger_write(f->ledger, false, &error), RC_OK);
	assert_int_equal(ledger_flush(f->ledger, &error), RC_OK);
}

static void test_revert_waits(void **state)
{
	struct fixture *f = *state;
	struct ledger_figures figures;
	struct rc_error error = {0};

	f->options.flush_bytes = 1 << 16;
	f->options.on_full = write_all;
	f->options.arg = f;
	do_kill(f);
	for (unsigned i = 0; i < 60; i++) {
		commit_block(f, world_grow(&f->world, f->applied, 10, 20));
		do_write(f, true);
		do_flush(f);
	}
	f->applied = world_ancestor_at(&f->world, f->applied, 5);
	assert_int_equal(ledger_revert(f->ledger, &f->world.block[f->applied].id, &error), RC_OK);
	assert_true(n_full > 0);
	ledger_figures(f->ledger, &figures);
	assert_true(figures.dirty_bytes < 2 * LEDGER_DIRTY(f->options.flush_bytes));
	check_all(f);
	ledger_end(f->ledger);
}

/* The state below the tip can be read whatever led to the tip: reverts of any length, and a start.
 */
static void test_below_the_tip(void **state)
{
	struct fixture *f = *state;
	uint32_t blocks[41] = {0};
	struct ledger_view view;
	struct rc_error error;

	for (unsigned i = 1; i <= 40; i++)
		commit_block(f, blocks[i] = world_grow(&f->world, blocks[i - 1], 2, 3));
	for (unsigned h = 39, step = 1; h > step; h -= step++) {
		f->applied = blocks[h];
		assert_int_equal(ledger_revert(f->ledger, &f->world.block[blocks[h]].id, &error),
				 RC_OK);
		for (unsigned again = 0; again < 2; again++) {
			assert_int_equal(ledger_view_height(f->ledger, h - 1, &view), RC_OK);
			check_view(f, &view, blocks[h - 1]);
			ledger_view_close(&view);
			check_all(f);
			do_write(f, true);
			do_flush(f);
			do_kill(f);
		}
	}
}

/* Verifying holds no version for long: blocks go on meanwhile, and the old versions go. */
static bool grow_meanwhile(void *arg, uint64_t done, uint64_t of)
{
	struct fixture *f = arg;
	struct ledger_figures figures;

	assert_true(done <= of + 100);
	for (unsigned i = 0; i < 3; i++)
		commit_block(f, world_grow(&f->world, f->applied, 2, 3));
	do_write(f, true);
	do_flush(f);
	ledger_figures(f->ledger, &figures);
	assert_true(figures.versions <= LEDGER_KEEP + 4);
	return true;
}

static void test_verify_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct ledger_verified verified;
	struct rc_error error;
	uint32_t first = world_grow(&f->world, 0, 0, 12000);

	commit_block(f, first);
	assert_int_equal(ledger_verify(f->ledger, NULL, grow_meanwhile, f, &verified, &error),
			 RC_OK);
	assert_true(verified.good);
	assert_true(verified.entries > 11000);
	assert_true(f->world.block[f->applied].height > 2 * LEDGER_KEEP);
}

/* A failed write is told, and nothing is claimed durable. */
static void test_failing_disk(void **state)
{
	struct fixture *f = *state;
	struct block_ref applied, durable;
	struct rc_error error;

	commit_block(f, world_grow(&f->world, 0, 0, 10));
	do_write(f, true);
	commit_block(f, world_grow(&f->world, 1, 0, 10));
	disk_memory_fail(f->disks.log);
	assert_int_equal(ledger_write(f->ledger, true, &error), RC_ENOSPC);
	ledger_tips(f->ledger, &applied, &durable);
	assert_int_equal(applied.height, 2);
	assert_int_equal(durable.height, 1);
}

/* Nor does it keep hold of the block: dropping it would wait for ever. */
static void test_failing_ahead(void **state)
{
	struct fixture *f = *state;
	struct rc_error error;

	assert_int_equal(stage_block(f, world_grow(&f->world, 0, 0, 10)), RC_OK);
	disk_memory_fail(f->disks.log);
	assert_int_equal(ledger_write_ahead(f->ledger, false, &error), RC_ENOSPC);
	ledger_abort(f->ledger, NULL);
	check_all(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_misfits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_histories, setup, teardown),
		cmocka_unit_test_setup_teardown(test_proofs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_switch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_switch_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pruning, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pruned_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_revert_all_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_revert_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_below_the_tip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_verify_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failing_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failing_ahead, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
