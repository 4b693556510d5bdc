/*
 * Offers the reference's random chains to this implementation and compares every answer; the file
 * and how a node answers are described in README.md beside this.
 *
 *    replay FILE        prints what was compared; exits 1 at the first difference
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/hex.h"
#include "base/mem.h"
#include "consensus/merkle.h"
#include "consensus/proof.h"
#include "tests/unit/mini_chain.h"
#include "tests/unit/mini_proof.h"

struct replay {
	struct mini_chain chain;
	bool open; /* chain is there */
	uint64_t scenario;
	uint64_t line;
	/* What was compared. */
	uint64_t scenarios, blocks, txs, judged, moved, proofs, loose, verdicts[RC_VERDICT_COUNT];
};

static void differ(const struct replay *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

static void differ(const struct replay *r, const char *fmt, ...)
{
	va_list args;

	printf("line %" PRIu64 ", scenario %" PRIu64 ": ", r->line, r->scenario);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	exit(1);
}

static const char *text(const struct replay *r, const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	if (!value)
		differ(r, "no text '%s'", key);
	return value;
}

static uint64_t number(const struct replay *r, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value))
		differ(r, "no number '%s'", key);
	return (uint64_t)json_integer_value(value);
}

static size_t bytes_of(const struct replay *r, const char *hex, uint8_t **ret)
{
	size_t len;

	if (!rc_hex_decode_alloc(hex, strlen(hex), ret, &len))
		differ(r, "'%.40s' is not hexadecimal", hex);
	return len;
}

static void expect_bytes(const struct replay *r, const char *what, const char *want,
			 const void *got, size_t len)
{
	RC_AUTOFREE char *hex = rc_alloc(2 * len + 1);

	rc_hex_encode(hex, got, len);
	if (strcmp(hex, want) != 0)
		differ(r, "%s: got %s, want %s", what, hex, want);
}

static void expect_number(const struct replay *r, const char *what, uint64_t want, uint64_t got)
{
	if (want != got)
		differ(r, "%s: got %" PRIu64 ", want %" PRIu64, what, got, want);
}

static void expect_verdict(struct replay *r, const char *what, const char *want,
			   enum rc_verdict got)
{
	if (strcmp(want, rc_verdict_name(got)) != 0)
		differ(r, "%s: got %s, want %s", what, rc_verdict_name(got), want);
	r->verdicts[got]++;
}

static void begin(struct replay *r, const json_t *row)
{
	RC_AUTOFREE uint8_t *table = NULL;
	size_t len = bytes_of(r, text(r, row, "table"), &table);
	struct rc_network_params params;
	struct rc_network network;
	struct rc_error error;

	r->scenario = number(r, row, "scenario");
	if (r->open)
		mini_chain_done(&r->chain);
	if (!rc_network_table_decode(table, len, &params))
		differ(r, "the table doesn't parse");
	if (!rc_network_builtin(params.name, &network) &&
	    rc_network_custom(&params, &network, &error))
		differ(r, "the table: %s", error.text);
	expect_bytes(r, "table", text(r, row, "table"), network.table, network.table_len);
	expect_bytes(r, "genesis_id", text(r, row, "genesis_id"), network.genesis_id.b, 32);
	expect_bytes(r, "network_id", text(r, row, "network_id"), network.id.b, 32);
	mini_chain_init(&r->chain, &network);
	r->open = true;
	r->scenarios++;
}

static void offer_header(struct replay *r, const json_t *row)
{
	RC_AUTOFREE uint8_t *raw = NULL;

	if (bytes_of(r, text(r, row, "header"), &raw) != RC_HEADER_SIZE)
		differ(r, "a header of another size");
	expect_verdict(r, "verdict", text(r, row, "verdict"),
		       mini_chain_header(&r->chain, raw, number(r, row, "clock")));
}

/* The ids of all transactions, if the block parses. */
static void compare_ids(struct replay *r, const json_t *row, const uint8_t *raw, size_t len)
{
	const json_t *txids = json_object_get(row, "txids");
	const json_t *wtxids = json_object_get(row, "wtxids");
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_block block = {.n_txs = 0};
	struct rc_block_id id;

	rc_header_id(raw, &id);
	expect_bytes(r, "id", text(r, row, "id"), id.b, 32);
	rc_block_decode(raw, len, &arena, &block);
	expect_number(r, "txids", json_array_size(txids), block.n_txs);
	expect_number(r, "wtxids", json_array_size(wtxids), block.n_txs);
	for (uint32_t i = 0; i < block.n_txs; i++) {
		expect_bytes(r, "txid", json_string_value(json_array_get(txids, i)),
			     block.txs[i].txid.b, 32);
		expect_bytes(r, "wtxid", json_string_value(json_array_get(wtxids, i)),
			     block.txs[i].wtxid.b, 32);
	}
	r->txs += block.n_txs;
	rc_arena_done(&arena);
}

static void offer_block(struct replay *r, const json_t *row)
{
	RC_AUTOFREE uint8_t *raw = NULL;
	size_t len = bytes_of(r, text(r, row, "block"), &raw);
	const struct mini_block *before = r->chain.tip;
	const json_t *judged = json_object_get(row, "judged");
	char work[65];

	compare_ids(r, row, raw, len);
	expect_verdict(r, "verdict", text(r, row, "verdict"),
		       mini_chain_block(&r->chain, raw, len, number(r, row, "clock")));
	expect_number(r, "blocks judged", json_array_size(judged), r->chain.n_judged);
	for (size_t i = 0; i < r->chain.n_judged; i++) {
		const json_t *pair = json_array_get(judged, i);

		expect_bytes(r, "judged", json_string_value(json_array_get(pair, 0)),
			     r->chain.judged[i].id.b, 32);
		expect_verdict(r, "judged", json_string_value(json_array_get(pair, 1)),
			       r->chain.judged[i].verdict);
	}
	expect_bytes(r, "tip", text(r, row, "tip"), r->chain.tip->id.b, 32);
	expect_number(r, "height", number(r, row, "height"), r->chain.tip->header.height);
	expect_bytes(r, "state_root", text(r, row, "state_root"), r->chain.tip->root.b, 32);
	rc_u256_hex(work, &r->chain.tip->work);
	if (strcmp(work, text(r, row, "work")) != 0)
		differ(r, "work: got %s, want %s", work, text(r, row, "work"));
	r->blocks++;
	r->judged += r->chain.n_judged;
	r->moved += r->chain.tip != before && r->chain.tip->parent != before;
}

static int by_lock(const void *a, const void *b)
{
	const struct rc_coin *const *x = a, *const *y = b;

	return memcmp((*x)->lock, (*y)->lock, sizeof((*x)->lock));
}

static void compare_balances(struct replay *r, const json_t *row)
{
	const json_t *balances = json_object_get(row, "balances");
	size_t n = HASH_COUNT(r->chain.coins), at = 0, place = 0;
	RC_AUTOFREE const struct rc_coin **coins = rc_alloc_array(n, sizeof(*coins));
	rc_amount supply = mini_chain_treasury(&r->chain);

	for (const struct mini_coin *c = r->chain.coins; c; c = c->hh.next)
		coins[at++] = &c->coin;
	qsort(coins, n, sizeof(*coins), by_lock);
	for (at = 0; at < n; place++) {
		const struct rc_coin *first = coins[at];
		const json_t *pair = json_array_get(balances, place);
		rc_amount total = 0;

		if (!pair)
			differ(r, "more locks with coins than balances");
		for (; at < n && by_lock(&first, &coins[at]) == 0; at++)
			total += coins[at]->amount;
		expect_bytes(r, "lock", json_string_value(json_array_get(pair, 0)), first->lock,
			     first->lock_len);
		expect_number(r, "balance", (uint64_t)json_integer_value(json_array_get(pair, 1)),
			      total);
		supply += total;
	}
	expect_number(r, "balances", json_array_size(balances), place);
	expect_number(r, "treasury", number(r, row, "treasury"), mini_chain_treasury(&r->chain));
	expect_number(r, "supply", number(r, row, "supply"), supply);
}

static void compare_proof(struct replay *r, const json_t *row, const struct rc_hash *root,
			  const struct rc_hash *roots)
{
	static const char *const results[] = {"absent", "leaves", "total"};
	struct mini_question q = {.sums_only = json_is_true(json_object_get(row, "sums_only"))};
	const json_t *max_leaves = json_object_get(row, "max_leaves");
	RC_AUTOFREE uint8_t *prefix = NULL;
	size_t prefix_len = bytes_of(r, text(r, row, "prefix"), &prefix), n;
	RC_AUTOFREE struct mini_leaf *leaves = NULL;
	struct rc_buf buf = RC_BUF_INIT;
	struct rc_proof proof;

	q.about.ns = (uint8_t)number(r, row, "ns");
	q.about.bits = (uint16_t)number(r, row, "bits");
	memcpy(q.about.prefix, prefix, prefix_len);
	q.max_leaves = json_is_null(max_leaves) ? 0 : (size_t)json_integer_value(max_leaves);
	leaves = mini_chain_leaves(&r->chain, q.about.ns, &n);
	mini_proof_make(&q, leaves, n, roots, &buf);
	expect_bytes(r, "proof", text(r, row, "proof"), buf.data, buf.len);
	if (rc_proof_check(buf.data, buf.len, &q.about, root, &proof) != RC_VERDICT_OK)
		differ(r, "the proof is refused");
	if (strcmp(results[proof.answer], text(r, row, "result")) != 0)
		differ(r, "result: got %s, want %s", results[proof.answer], text(r, row, "result"));
	expect_number(r, "leaves", number(r, row, "leaves"), proof.n_leaves);
	if (proof.answer == RC_PROOF_TOTAL)
		expect_number(r, "total", number(r, row, "total"),
			      q.about.ns == RC_STATE_COINS ? proof.total : 0);
	rc_buf_done(&buf);
	r->proofs++;
}

static void compare_inclusion(struct replay *r, const json_t *row)
{
	RC_AUTOFREE uint8_t *proof = NULL;
	size_t len = bytes_of(r, text(r, row, "proof"), &proof);
	struct rc_txid txid;
	struct rc_hash root;
	uint32_t index;

	if (!rc_hex_decode(text(r, row, "txid"), txid.b, 32) ||
	    !rc_hash_from_hex(text(r, row, "tx_root"), &root))
		differ(r, "no ids");
	if (rc_inclusion_check(proof, len, &txid, &root, &index) != RC_VERDICT_OK)
		differ(r, "the inclusion proof is refused");
	r->proofs++;
}

static void end(struct replay *r, const json_t *row)
{
	struct rc_hash root, roots[RC_STATE_NAMESPACES];
	const json_t *item;
	size_t i;

	mini_chain_go(&r->chain, r->chain.tip);
	mini_chain_root(&r->chain, &root, roots);
	if (!rc_hash_eq(&root, &r->chain.tip->root))
		differ(r, "the state moved back and forth has another root");
	compare_balances(r, row);
	json_array_foreach(json_object_get(row, "proofs"), i, item)
		compare_proof(r, item, &root, roots);
	json_array_foreach(json_object_get(row, "inclusions"), i, item) compare_inclusion(r, item);
	json_array_foreach(json_object_get(row, "mempool_txs"), i, item)
	{
		RC_AUTOFREE uint8_t *raw = NULL;
		size_t len = bytes_of(r, text(r, item, "tx"), &raw);

		expect_verdict(r, "loose transaction", text(r, item, "verdict"),
			       mini_chain_check_tx(&r->chain, raw, len));
		r->loose++;
	}
}

static void replay_line(struct replay *r, const char *line, size_t len)
{
	json_t *row = json_loadb(line, len, 0, NULL);
	const char *op;

	r->line++;
	if (!row)
		differ(r, "not JSON");
	op = json_string_value(json_object_get(row, "op"));
	if (!op)
		begin(r, row);
	else if (!r->open)
		differ(r, "an event before any scenario");
	else if (strcmp(op, "header") == 0)
		offer_header(r, row);
	else if (strcmp(op, "block") == 0)
		offer_block(r, row);
	else if (strcmp(op, "end") == 0)
		end(r, row);
	else
		differ(r, "unknown event '%s'", op);
	json_decref(row);
}

static void report(const struct replay *r)
{
	unsigned kinds = 0;

	for (int i = 0; i < RC_VERDICT_COUNT; i++)
		kinds += r->verdicts[i] > 0;
	printf("%" PRIu64 " chains, %" PRIu64 " blocks, %" PRIu64 " transactions, %" PRIu64
	       " reorganisations, %" PRIu64 " blocks judged with state, %" PRIu64
	       " proofs, %" PRIu64 " loose transactions, %u kinds of verdict\n",
	       r->scenarios, r->blocks, r->txs, r->moved, r->judged, r->proofs, r->loose, kinds);
}

int main(int argc, char **argv)
{
	struct replay *r = rc_alloc(sizeof(*r));
	size_t cap = 0;
	ssize_t len;
	char *line = NULL;
	FILE *file;

	if (argc != 2) {
		fprintf(stderr, "usage: replay FILE\n");
		return 64;
	}
	file = fopen(argv[1], "r");
	if (!file) {
		perror(argv[1]);
		return 1;
	}
	while ((len = getline(&line, &cap, file)) > 0)
		replay_line(r, line, (size_t)len);
	fclose(file);
	free(line);
	report(r);
	if (r->open)
		mini_chain_done(&r->chain);
	free(r);
	return 0;
}
