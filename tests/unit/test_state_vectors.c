/* The published states and proofs, made by the ledger from deltas: equal to the byte. */
#include "rc_test.h"

#include <stdlib.h>
#include <string.h>

#include "daemons/utxod/ledger.h"

#define TREASURY UINT64_C(500000000)
#define HEIGHTS	 50

struct state {
	struct disk_pair disks;
	struct ledger *ledger;
	struct rc_delta deltas[HEIGHTS + 1]; /* by height; 0 isn't used */
	struct rc_delta_coin coins[HEIGHTS + 1][2];
	struct rc_delta_entry entries[64];
	uint8_t values[64][64];
	uint8_t treasury[8];
};

static json_t *find_trie(const json_t *all, unsigned ns, unsigned n)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(all, "tries"), i,
			   row) if (rc_test_u64(json_object_get(row, "ns")) == ns &&
				    rc_test_u64(json_object_get(row, "n")) ==
					    n) return json_object_get(row, "entries");
	fail_msg("no such trie");
	return NULL;
}

static void add_coin(struct state *s, const struct rc_outpoint *outpoint,
		     const struct rc_coin *coin)
{
	struct rc_delta *d = &s->deltas[coin->height];

	assert_true(coin->height >= 1 && coin->height <= HEIGHTS && d->n_created < 2);
	s->coins[coin->height][d->n_created++] = (struct rc_delta_coin){*outpoint, *coin};
}

/* Coins of a published trie, each in the block of its height. */
static void add_coins(struct state *s, const json_t *entries)
{
	for (size_t i = 0; i < json_array_size(entries); i++) {
		const json_t *row = json_array_get(entries, i);
		struct rc_outpoint outpoint;
		struct rc_coin coin;
		uint8_t *key, *value, want[RC_COIN_KEY_SIZE];
		size_t len;

		assert_int_equal(rc_test_hex(json_string_value(json_array_get(row, 0)), &key),
				 RC_COIN_KEY_SIZE);
		len = rc_test_hex(json_string_value(json_array_get(row, 1)), &value);
		assert_true(rc_coin_value_decode(value, len, &coin));
		rc_outpoint_key_decode(key + 32, &outpoint);
		rc_coin_key_encode(&coin, &outpoint, want);
		assert_memory_equal(key, want, RC_COIN_KEY_SIZE);
		add_coin(s, &outpoint, &coin);
		free(key);
		free(value);
	}
}

static void add_treasury(struct state *s)
{
	struct rc_delta_entry *e = &s->entries[0];

	e->ns = RC_STATE_GOVERNANCE;
	rc_gov_key_treasury(e->key);
	e->has_after = true;
	rc_put_le64(s->treasury, TREASURY);
	e->after = (struct rc_bytes){s->treasury, 8};
	s->deltas[1].n_entries = 1;
}

static void add_entries(struct state *s, unsigned ns, const json_t *entries)
{
	for (size_t i = 0; i < json_array_size(entries); i++) {
		const json_t *row = json_array_get(entries, i);
		struct rc_delta_entry *e = &s->entries[i];
		uint8_t *bytes;
		size_t len;

		e->ns = (uint8_t)ns;
		e->has_after = true;
		rc_test_hex(json_string_value(json_array_get(row, 0)), &bytes);
		memcpy(e->key, bytes, rc_state_key_len(ns));
		free(bytes);
		len = rc_test_hex(json_string_value(json_array_get(row, 1)), &bytes);
		memcpy(s->values[i], bytes, len);
		free(bytes);
		e->after = (struct rc_bytes){s->values[i], len};
	}
	s->deltas[1].n_entries = (uint32_t)json_array_size(entries);
}

static void two_coins(struct state *s)
{
	uint8_t lock[33] = {1};
	struct rc_outpoint outpoint;
	struct rc_coin coin;
	struct rc_lock view;

	memset(lock + 1, 0x11, 32);
	memset(outpoint.txid.b, 0x22, 32);
	assert_true(rc_lock_decode(lock, sizeof(lock), &view));
	for (uint32_t i = 0; i < 2; i++) {
		outpoint.index = i;
		rc_coin_init(&coin, 700 + 100 * i, 5, false, &view);
		add_coin(s, &outpoint, &coin);
	}
}

/* Stages and commits the blocks up to the last height that has something. */
static void build(struct state *s, const struct rc_random *random)
{
	struct ledger_options options = {.page_bytes = 1 << 19,
					 .coin_bytes = 1 << 18,
					 .undo_blocks = 288,
					 .clock = &rc_clock_system,
					 .random = random};
	struct rc_buf buf = RC_BUF_INIT;
	struct rc_error error = {0};
	unsigned last = 0;

	s->disks = (struct disk_pair){disk_memory_new(), disk_memory_new()};
	assert_int_equal(ledger_open(&s->disks, &options, &s->ledger, &error), RC_OK);
	for (unsigned h = 1; h <= HEIGHTS; h++)
		if (s->deltas[h].n_created || s->deltas[h].n_entries)
			last = h;
	for (unsigned h = 1; h <= last; h++) {
		struct rc_delta *d = &s->deltas[h];

		d->height = h;
		d->created = s->coins[h];
		d->entries = s->entries;
		memset(d->id.b, (int)h, 32);
		memset(d->parent.b, (int)h - 1, 32);
		rc_buf_clear(&buf);
		rc_delta_encode(d, &buf);
		if (ledger_stage(s->ledger, (struct rc_bytes){buf.data, buf.len}, &error) != RC_OK)
			fail_msg("block %u: %s", h, error.text);
		assert_int_equal(ledger_commit(s->ledger, &d->id, &error), RC_OK);
	}
	rc_buf_done(&buf);
}

static void destroy(struct state *s)
{
	ledger_close(s->ledger);
	disk_pair_close(&s->disks);
	free(s);
}

/* The proofs whose root is this state's; returns how many. */
static unsigned check_proofs(struct state *s, const json_t *proofs)
{
	struct ledger_view view;
	struct rc_hash root, want;
	const json_t *row;
	unsigned n = 0;
	size_t i;

	assert_int_equal(ledger_view_at(s->ledger, NULL, true, &view), RC_OK);
	ledger_view_root(&view, &root);
	json_array_foreach(proofs, i, row)
	{
		const char *what = rc_test_str(row, "what");
		struct rc_proof_question q = {0};
		struct rc_buf proof = RC_BUF_INIT;
		uint8_t *prefix, *bytes;
		struct rc_error error;
		size_t len;

		rc_test_hex_into(row, "state_root", want.b, 32);
		if (!rc_hash_eq(&root, &want))
			continue;
		q.ns = (uint8_t)rc_test_u64(json_object_get(row, "ns"));
		q.bits = (uint16_t)rc_test_u64(json_object_get(row, "bits"));
		len = rc_test_hex(rc_test_str(row, "prefix"), &prefix);
		memcpy(q.prefix, prefix, len);
		free(prefix);
		assert_int_equal(
			ledger_prove(&view, &q, strstr(what, "sum") || strstr(what, "total only"),
				     strstr(what, "max_leaves = 16") ? 16 : 100, &proof, &error),
			RC_OK);
		len = rc_test_hex(rc_test_str(row, "proof"), &bytes);
		if (proof.len != len || memcmp(proof.data, bytes, len) != 0)
			fail_msg("%s: another proof", what);
		free(bytes);
		rc_buf_done(&proof);
		n++;
	}
	ledger_view_close(&view);
	return n;
}

static void check_root(struct state *s, const json_t *states, size_t index)
{
	const json_t *row = json_array_get(states, index);
	struct ledger_view view;
	struct rc_hash root, want;

	assert_int_equal(ledger_view_at(s->ledger, NULL, true, &view), RC_OK);
	ledger_view_root(&view, &root);
	ledger_view_close(&view);
	rc_test_hex_into(row, "state_root", want.b, 32);
	assert_memory_equal(&root, &want, 32);
}

static void test_states(void **state)
{
	enum { EMPTY, TWO, FIFTY, ONE, SIDE, COUNT };
	json_t *all = rc_test_vectors("rustycoin/check-values.json");
	const json_t *states = json_object_get(all, "states");
	const json_t *proofs = json_object_get(all, "proofs");
	struct rc_test_random random;
	unsigned n = 0;

	(void)state;
	rc_test_random_init(&random);
	for (unsigned i = 0; i < COUNT; i++) {
		struct state *s = rc_alloc(sizeof(*s));

		if (i == TWO)
			two_coins(s);
		if (i == FIFTY)
			add_coins(s, find_trie(all, RC_STATE_COINS, 50));
		if (i == ONE)
			add_coins(s, find_trie(all, RC_STATE_COINS, 1));
		if (i == SIDE)
			add_entries(s, RC_STATE_SIDECHAINS,
				    find_trie(all, RC_STATE_SIDECHAINS, 50));
		if (i == TWO || i == FIFTY)
			add_treasury(s);
		build(s, &random.random);
		if (i <= FIFTY)
			check_root(s, states, i);
		n += check_proofs(s, proofs);
		destroy(s);
	}
	assert_int_equal(json_array_size(states), 3);
	assert_int_equal(json_array_size(proofs), 20);
	assert_int_equal(n, 20);
	json_decref(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_states)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
