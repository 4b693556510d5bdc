/*
 * Fixed pieces of work whose instructions are counted under valgrind by instructions.py. A word
 * names the work:
 *
 *   connect-block  a block of 200 inputs, 160 of them signed for the key path and 40 for 2-of-3
 *                  policies: body check, plan, rules, delta, every witness; its coins stand ready
 *   tree-update    1,000 coins spent and 1,000 made in a trie of 20,000: operations of the delta,
 *                  pages, hashes, the state's root; all pages are in memory
 *   parse-block    a block of 1,000 transactions: decoding, with every id
 *   rpc-header     10 × getblockheader, from a request's bytes to the answer's; chaind's answer is
 *                  there at once
 *   rpc-block      getblock with verbosity 2, the block of connect-block, the same way
 *
 * Inputs come from a seed, so that they are the same everywhere. Between begin() and end() nothing
 * but the work is counted: making inputs and freeing are outside. Without valgrind the works
 * are merely done, and checked the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <valgrind/callgrind.h>

#include "base/num.h"
#include "consensus/body_check.h"
#include "consensus/coinbase.h"
#include "consensus/connect.h"
#include "consensus/merkle.h"
#include "consensus/subsidy.h"
#include "consensus/taproot.h"
#include "crypto/schnorr.h"
#include "daemons/rpcd/backends.h"
#include "daemons/rpcd/heavy.h"
#include "daemons/rpcd/known.h"
#include "daemons/rpcd/methods.h"
#include "daemons/utxod/delta_ops.h"

static void begin(void)
{
	CALLGRIND_START_INSTRUMENTATION;
}

static void end(void)
{
	CALLGRIND_STOP_INSTRUMENTATION;
}

/* A work that doesn't come out as it must counts nothing. */
static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "counted: %s\n", what);
	exit(1);
}

/* The linker gives this in place of the C library's: one processor, so that no work is shared with
 * threads, whose waiting would be counted, more of it where there are more of them. */
long __real_sysconf(int name);
long __wrap_sysconf(int name);
long __wrap_sysconf(int name)
{
	return name == _SC_NPROCESSORS_ONLN ? 1 : __real_sysconf(name);
}

/* Bytes that follow from the seed alone: SHA-256 of a counter. */
static void fixed_fill(void *arg, void *dst, size_t len)
{
	uint64_t *counter = arg;
	uint8_t *p = dst, hash[32];

	for (; len > 0; (*counter)++) {
		size_t n = len < sizeof(hash) ? len : sizeof(hash);

		rc_sha256(counter, sizeof(*counter), hash);
		memcpy(p, hash, n);
		p += n;
		len -= n;
	}
}

static uint64_t counter;
static const struct rc_random fixed = {fixed_fill, &counter};

/* ---- a block ---- */

#define HEIGHT	  1000
#define AMOUNT	  (2 * RC_OXIDES_PER_RUST)
#define FEE	  1000
#define KEYS	  8
#define KEY_PATHS 160 /* inputs of the block of 200; the others go by a policy */
#define MULTI	  3   /* keys of a policy, two of which sign */

struct key {
	uint8_t secret[32], x[32];
};

struct fixed_block {
	struct rc_network network;
	struct key keys[KEYS];
	struct rc_lock locks[KEYS];
	uint8_t lock_bytes[KEYS][RC_LOCK_KEY_SIZE];
	struct rc_buf policy;
	uint8_t policy_lock[RC_LOCK_KEY_SIZE], control[RC_CONTROL_BASE];
	struct rc_hash leaf;
	uint32_t n_inputs;
	struct rc_outpoint *outpoints; /* of all inputs in order, and their coins */
	struct rc_coin *coins;
	struct rc_buf raw;
};

static void make_keys(struct fixed_block *f)
{
	uint8_t keys[MULTI * 32], output[32];
	int parity;

	for (int i = 0; i < KEYS; i++) {
		fixed_fill(&counter, f->keys[i].secret, 32);
		must(rc_xonly_from_secret(f->keys[i].secret, f->keys[i].x, NULL), "a secret key");
		rc_lock_key_encode(f->keys[i].x, f->lock_bytes[i]);
		f->locks[i] = (struct rc_lock){f->lock_bytes[i], RC_LOCK_KEY_SIZE, RC_LOCK_KEY};
	}
	for (int i = 0; i < MULTI; i++)
		memcpy(keys + 32 * i, f->keys[i].x, 32);
	rc_policy_put_multi(&f->policy, 2, keys, MULTI);
	rc_taproot_leaf(&rc_taproot_rusty, RC_LEAF_VERSION, f->policy.data, f->policy.len,
			&f->leaf);
	must(rc_taproot_output(&rc_taproot_rusty, f->keys[KEYS - 1].x, &f->leaf, output, &parity),
	     "a policy's output");
	rc_lock_key_encode(output, f->policy_lock);
	f->control[0] = (uint8_t)parity;
	memcpy(f->control + 1, f->keys[KEYS - 1].x, 32);
}

static void sign(const struct key *key, const struct rc_hash *hash, uint8_t ret_sig[64])
{
	must(rc_schnorr_sign(key->secret, hash->b, sizeof(hash->b), NULL, ret_sig), "a signature");
}

static void sign_by_key(const struct fixed_block *f, const struct rc_sighash *s, uint32_t input,
			const struct key *key, struct rc_buf *witness)
{
	struct rc_hash hash;
	uint8_t sig[64];

	(void)f;
	rc_sighash(s, input, RC_HASH_ALL, NULL, &hash);
	sign(key, &hash, sig);
	rc_witness_put(witness, &(struct rc_bytes){sig, sizeof(sig)}, 1);
}

/* One item a key, in the order of the policy's (sorted) keys: two signatures and an empty one. */
static void sign_by_policy(const struct fixed_block *f, const struct rc_sighash *s, uint32_t input,
			   struct rc_buf *witness)
{
	struct rc_bytes items[MULTI + 2];
	uint8_t sigs[MULTI][64];
	struct rc_policy policy;
	struct rc_hash hash;
	int signers = 0;

	must(rc_policy_parse(f->policy.data, f->policy.len, &policy) == RC_POLICY_OK, "a policy");
	rc_sighash(s, input, RC_HASH_ALL, &f->leaf, &hash);
	for (int i = 0; i < MULTI; i++) {
		items[i] = (struct rc_bytes){NULL, 0};
		for (int k = 0; k < MULTI && signers < 2; k++) {
			if (memcmp(policy.nodes[0].bytes + 32 * i, f->keys[k].x, 32) != 0)
				continue;
			sign(&f->keys[k], &hash, sigs[i]);
			items[i] = (struct rc_bytes){sigs[i], sizeof(sigs[i])};
			signers++;
			break;
		}
	}
	items[MULTI] = (struct rc_bytes){f->policy.data, f->policy.len};
	items[MULTI + 1] = (struct rc_bytes){f->control, sizeof(f->control)};
	rc_witness_put(witness, items, RC_ARRAY_LEN(items));
}

/* Two coins to two others. Signed, or with random bytes in the signatures' places. */
static void put_payment(struct fixed_block *f, bool signed_, struct rc_buf *buf)
{
	struct rc_tx_in inputs[2];
	struct rc_tx_out outputs[2];
	const struct rc_coin *coins[2];
	struct rc_tx tx = {.version = RC_TX_VERSION,
			   .n_inputs = 2,
			   .n_outputs = 2,
			   .inputs = inputs,
			   .outputs = outputs};
	struct rc_buf witness[2] = {RC_BUF_INIT, RC_BUF_INIT};
	bool by_policy = signed_ && f->n_inputs >= KEY_PATHS;
	uint32_t at = f->n_inputs;
	struct rc_sighash sighash;

	for (uint32_t i = 0; i < 2; i++) {
		struct rc_lock lock = f->locks[(at + i) % KEYS];

		if (by_policy)
			lock.data = f->policy_lock;
		fixed_fill(&counter, f->outpoints[at + i].txid.b, 32);
		f->outpoints[at + i].index = i;
		rc_coin_init(&f->coins[at + i], AMOUNT, 100 + at, false, &lock);
		coins[i] = &f->coins[at + i];
		inputs[i] = (struct rc_tx_in){.prevout = f->outpoints[at + i],
					      .sequence = RC_SEQUENCE_FINAL};
		outputs[i] = (struct rc_tx_out){AMOUNT - FEE, f->locks[(at + 3 * i) % KEYS]};
	}
	rc_sighash_init(&f->network.id, &tx, coins, &sighash);
	for (uint32_t i = 0; i < 2; i++) {
		uint8_t any[64];

		if (by_policy) {
			sign_by_policy(f, &sighash, i, &witness[i]);
		} else if (signed_) {
			sign_by_key(f, &sighash, i, &f->keys[(at + i) % KEYS], &witness[i]);
		} else {
			fixed_fill(&counter, any, sizeof(any));
			rc_witness_put(&witness[i], &(struct rc_bytes){any, sizeof(any)}, 1);
		}
		inputs[i].witness = witness[i].data;
		inputs[i].witness_len = (uint32_t)witness[i].len;
	}
	rc_tx_encode(&tx, buf);
	rc_buf_done(&witness[0]);
	rc_buf_done(&witness[1]);
	f->n_inputs += 2;
}

static void put_coinbase(const struct fixed_block *f, struct rc_buf *buf)
{
	struct rc_coinbase coinbase = {.height = HEIGHT};
	struct rc_tx_out output = {rc_miner_limit(&f->network, HEIGHT, 0), f->locks[0]};
	struct rc_buf payload = RC_BUF_INIT;
	struct rc_tx tx = {.version = RC_TX_VERSION,
			   .type = RC_TX_COINBASE,
			   .n_outputs = 1,
			   .outputs = &output};

	rc_coinbase_encode(&coinbase, &payload);
	tx.payload = (struct rc_bytes){payload.data, payload.len};
	rc_tx_encode(&tx, buf);
	rc_buf_done(&payload);
}

/* A block of so many payments, in f->raw. */
static void fixed_block_init(struct fixed_block *f, uint32_t payments, bool signed_)
{
	struct rc_header header = {.version = RC_HEADER_VERSION, .height = HEIGHT};
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf body = RC_BUF_INIT;
	struct rc_block block;

	memset(f, 0, sizeof(*f));
	must(rc_network_builtin("reg", &f->network), "a network");
	make_keys(f);
	f->outpoints = rc_alloc_array(2 * payments, sizeof(*f->outpoints));
	f->coins = rc_alloc_array(2 * payments, sizeof(*f->coins));
	put_coinbase(f, &body);
	for (uint32_t i = 0; i < payments; i++)
		put_payment(f, signed_, &body);
	fixed_fill(&counter, &header.prev, 32);
	fixed_fill(&counter, &header.state_root, 32);
	header.time = f->network.params.genesis_time + HEIGHT;
	header.bits = f->network.params.limit_bits;
	rc_block_put_head(&f->raw, &header, payments + 1);
	rc_buf_put(&f->raw, body.data, body.len);
	must(rc_block_decode(f->raw.data, f->raw.len, &arena, &block), "a block");
	rc_tx_root(&block.txs[0].wtxid, sizeof(block.txs[0]), block.n_txs, &arena, &header.tx_root);
	rc_buf_clear(&f->raw);
	rc_block_put_head(&f->raw, &header, payments + 1);
	rc_buf_put(&f->raw, body.data, body.len);
	rc_buf_done(&body);
	rc_arena_done(&arena);
}

static void fixed_block_done(struct fixed_block *f)
{
	free(f->outpoints);
	free(f->coins);
	rc_buf_done(&f->policy);
	rc_buf_done(&f->raw);
}

/* ---- connect-block ---- */

/* The coins in the order of a plan. Freed by the caller. */
static struct rc_coin_slot *coins_of_plan(const struct fixed_block *f)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_connect_plan plan;
	struct rc_coin_slot *slots;
	struct rc_block block;

	must(rc_block_decode(f->raw.data, f->raw.len, &arena, &block), "a block");
	rc_connect_collect(&block, &arena, &plan);
	must(plan.n_outpoints == f->n_inputs, "a plan of all inputs");
	slots = rc_alloc_array(plan.n_outpoints, sizeof(*slots));
	for (uint32_t i = 0; i < plan.n_outpoints; i++) {
		uint32_t k = 0;

		while (!rc_outpoint_eq(&plan.outpoints[i], &f->outpoints[k]))
			k++;
		slots[i] = (struct rc_coin_slot){true, f->coins[k]};
	}
	rc_arena_done(&arena);
	return slots;
}

static void connect_block(void)
{
	struct rc_witness_finding worst = {.verdict = RC_VERDICT_OK};
	struct rc_connect_context context;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_connect_result result;
	struct rc_connect_plan plan;
	struct rc_buf delta = RC_BUF_INIT;
	struct rc_coin_slot *coins;
	enum rc_verdict verdict;
	struct fixed_block f;
	struct rc_block block;

	fixed_block_init(&f, 100, true);
	coins = coins_of_plan(&f);
	context = (struct rc_connect_context){
		.network = &f.network, .median_time = f.network.params.genesis_time + HEIGHT - 1};
	/* Makes the table that a process makes once. */
	rc_xonly_tweak_check(f.keys[0].x, 0, f.keys[0].x, f.leaf.b, NULL);
	begin();
	verdict = rc_block_check(f.raw.data, f.raw.len, &arena, &block);
	if (verdict == RC_VERDICT_OK) {
		rc_connect_collect(&block, &arena, &plan);
		verdict = rc_connect_block(&context, &plan, coins, &arena, &result);
	}
	if (verdict == RC_VERDICT_OK) {
		rc_delta_encode(&result.delta, &delta);
		for (uint32_t i = 0; i < result.n_jobs; i++) {
			struct rc_witness_finding found =
				rc_witness_job_run(&f.network.id, &result.jobs[i], NULL);

			rc_witness_worse(&worst, &found);
		}
	}
	end();
	must(verdict == RC_VERDICT_OK, rc_verdict_name(verdict));
	must(worst.verdict == RC_VERDICT_OK, rc_verdict_name(worst.verdict));
	must(result.fees == 200 * FEE, "fees of the block");
	rc_buf_done(&delta);
	rc_arena_done(&arena);
	free(coins);
	fixed_block_done(&f);
}

/* ---- parse-block ---- */

static void parse_block(void)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct fixed_block f;
	struct rc_block block;
	bool parsed;

	fixed_block_init(&f, 999, false);
	begin();
	parsed = rc_block_decode(f.raw.data, f.raw.len, &arena, &block);
	end();
	must(parsed && block.n_txs == 1000, "a block of 1,000 transactions");
	rc_arena_done(&arena);
	fixed_block_done(&f);
}

/* ---- tree-update ---- */

#define TREE_COINS   20000
#define TREE_CHANGED 1000
#define TREE_MEMORY  (64u << 20)

static void fixed_coin(struct rc_delta_coin *c)
{
	uint8_t lock[RC_LOCK_KEY_SIZE];
	uint8_t key[32];

	fixed_fill(&counter, key, sizeof(key));
	rc_lock_key_encode(key, lock);
	fixed_fill(&counter, c->outpoint.txid.b, 32);
	c->outpoint.index = (uint32_t)rc_random_below(&fixed, 4);
	rc_coin_init(&c->coin, AMOUNT, HEIGHT, false,
		     &(struct rc_lock){lock, sizeof(lock), RC_LOCK_KEY});
}

static int compare_coins(const void *a, const void *b)
{
	return rc_outpoint_cmp(&((const struct rc_delta_coin *)a)->outpoint,
			       &((const struct rc_delta_coin *)b)->outpoint);
}

static void apply(struct tree *tree, uint64_t seq, const struct rc_delta *delta,
		  struct tree_roots *roots, struct rc_hash *ret_root)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct tree_ops ops[TREE_NAMESPACES];
	struct tree_roots before = *roots;
	struct tree_change change;
	struct rc_error error;

	delta_ops(delta, false, &arena, ops);
	must(tree_update(tree, seq, &before, ops, roots, &change, &error) == RC_OK,
	     "an update of the tree");
	tree_state_root(roots, ret_root);
	tree_change_done(&change);
	rc_arena_done(&arena);
}

static void update_tree(void)
{
	struct rc_delta_coin *coins = rc_alloc_array(TREE_COINS + TREE_CHANGED, sizeof(*coins));
	struct rc_delta_coin *spent = rc_alloc_array(TREE_CHANGED, sizeof(*spent));
	struct rc_delta first = {.height = 1, .n_created = TREE_COINS, .created = coins};
	struct rc_delta second = {.height = 2,
				  .n_spent = TREE_CHANGED,
				  .spent = spent,
				  .n_created = TREE_CHANGED,
				  .created = coins + TREE_COINS};
	struct disk *disk = disk_memory_new();
	struct tree *tree = tree_new(disk, TREE_MEMORY, 1, NULL, 0);
	struct rc_hash root, root_before;
	struct tree_roots roots;

	for (size_t i = 0; i < TREE_COINS + TREE_CHANGED; i++)
		fixed_coin(&coins[i]);
	for (size_t i = 0; i < TREE_CHANGED; i++) /* any twentieth: they aren't sorted yet */
		spent[i] = coins[i * (TREE_COINS / TREE_CHANGED)];
	qsort(spent, TREE_CHANGED, sizeof(*spent), compare_coins);
	qsort(coins, TREE_COINS, sizeof(*coins), compare_coins);
	qsort(coins + TREE_COINS, TREE_CHANGED, sizeof(*coins), compare_coins);
	tree_roots_init(&roots);
	apply(tree, 1, &first, &roots, &root_before);
	begin();
	apply(tree, 2, &second, &roots, &root);
	end();
	must(!rc_hash_eq(&root, &root_before), "another root");
	must(roots.ns[0].node.sum == (uint64_t)TREE_COINS * AMOUNT, "the sum of the coins");
	tree_free(tree);
	disk->ops->close(disk);
	free(spent);
	free(coins);
}

/* ---- rpc-header, rpc-block ----
 *
 * The linker gives these in place of what rpcd would ask over the bus (--wrap, mk/instructions.mk).
 */

static struct {
	struct rc_header_info info;
	struct rc_network network;
} chaind;

struct rc_chaind *__wrap_call_chaind(const struct rpc_call *call);
const struct rc_header_info *__wrap_known_header(struct known *known, const struct rc_block_id *id);
void __wrap_known_put_header(struct known *known, const struct rc_block_id *id,
			     const struct rc_header_info *info);
struct rc_bytes __wrap_known_body(struct known *known, const struct rc_block_id *id);
void __wrap_known_put_body(struct known *known, const struct rc_block_id *id, struct rc_bytes body);
uint32_t __wrap_call_deadline(const struct rpc_call *call);
void *__wrap_call_wait(struct rpc_call *call, enum backend backend);
struct rpc_call *__wrap_call_resume_any(void *wait, const struct rc_reply *why);
const struct rc_network *__wrap_rc_service_network(const struct rc_service *service);
uint64_t __wrap_rc_chaind_header(struct rc_chaind *to, const struct rc_block_id *id,
				 uint32_t deadline_ms, rc_header_info_fn fn, void *arg);
uint64_t __wrap_rc_chaind_block(struct rc_chaind *to, const struct rc_block_id *id,
				uint32_t deadline_ms, rc_header_info_fn fn, void *arg);

struct rc_chaind *__wrap_call_chaind(const struct rpc_call *call)
{
	(void)call;
	return NULL;
}

uint32_t __wrap_call_deadline(const struct rpc_call *call)
{
	return call->method->timeout_ms;
}

void *__wrap_call_wait(struct rpc_call *call, enum backend backend)
{
	(void)backend;
	return call;
}

struct rpc_call *__wrap_call_resume_any(void *wait, const struct rc_reply *why)
{
	(void)why;
	return wait;
}

const struct rc_network *__wrap_rc_service_network(const struct rc_service *service)
{
	(void)service;
	return &chaind.network;
}

/* rpcd keeps nothing: each answer is made anew from chaind's. */
const struct rc_header_info *__wrap_known_header(struct known *known, const struct rc_block_id *id)
{
	(void)known, (void)id;
	return NULL;
}

void __wrap_known_put_header(struct known *known, const struct rc_block_id *id,
			     const struct rc_header_info *info)
{
	(void)known, (void)id, (void)info;
}

struct rc_bytes __wrap_known_body(struct known *known, const struct rc_block_id *id)
{
	(void)known, (void)id;
	return (struct rc_bytes){NULL, 0};
}

void __wrap_known_put_body(struct known *known, const struct rc_block_id *id, struct rc_bytes body)
{
	(void)known, (void)id, (void)body;
}

uint64_t __wrap_rc_chaind_block(struct rc_chaind *to, const struct rc_block_id *id,
				uint32_t deadline_ms, rc_header_info_fn fn, void *arg)
{
	(void)to, (void)id, (void)deadline_ms;
	fn(arg, &(struct rc_reply){.err = RC_OK}, &chaind.info);
	return 1;
}

uint64_t __wrap_rc_chaind_header(struct rc_chaind *to, const struct rc_block_id *id,
				 uint32_t deadline_ms, rc_header_info_fn fn, void *arg)
{
	struct rc_header_info info = chaind.info;

	(void)to, (void)id, (void)deadline_ms;
	info.raw.len = RC_HEADER_SIZE;
	fn(arg, &(struct rc_reply){.err = RC_OK}, &info);
	return 1;
}

static void on_answer(void *arg, struct rpc_answer *answer)
{
	must(answer->status == 200 && !answer->failed, "an answer");
	*(size_t *)arg += answer->body.len;
	rc_buf_done(&answer->body);
}

/* times requests; each answer has at least `least` bytes. */
static void answer(const char *method, const char *more, int times, size_t least)
{
	struct rpcd rpcd = {.table = methods_table()};
	struct rc_block_id id;
	struct fixed_block f;
	char hex[RC_ID_HEX], body[256];
	size_t bytes = 0;
	int len;

	json_object_seed(1); /* else random: the order of a hash table's walk, and its cost */
	rpcd.loop = rc_loop_new();
	rpcd.heavy = heavy_new(&rpcd);
	fixed_block_init(&f, 100, true);
	chaind.network = f.network;
	chaind.info = (struct rc_header_info){.height = HEIGHT,
					      .confirmations = 7,
					      .median_time = f.network.params.genesis_time,
					      .has_next = true,
					      .transactions = 101,
					      .size = f.raw.len,
					      .status = "active",
					      .verdict = "",
					      .raw = {f.raw.data, f.raw.len}};
	fixed_fill(&counter, chaind.info.chainwork, 32);
	fixed_fill(&counter, chaind.info.next.b, 32);
	rc_header_id(f.raw.data, &id);
	len = snprintf(
		body, sizeof(body),
		"{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"%s\", \"params\": [\"%s\"%s]}",
		method, rc_block_id_hex(hex, &id), more);
	begin();
	for (int i = 0; i < times; i++)
		rpc_start(&rpcd.table, &rpcd, NULL, NULL, body, (size_t)len, on_answer, &bytes);
	end();
	must(bytes >= least * (size_t)times, "whole answers");
	heavy_free(rpcd.heavy);
	rc_loop_free(rpcd.loop);
	free((void *)rpcd.table.methods);
	fixed_block_done(&f);
}

static void rpc_header(void)
{
	answer("getblockheader", "", 10, 500);
}

static void rpc_block(void)
{
	answer("getblock", ", 2", 1, 100000);
}

/* ---- */

static const struct {
	const char *name;
	void (*run)(void);
} works[] = {
	{"connect-block", connect_block}, {"tree-update", update_tree},
	{"parse-block", parse_block},	  {"rpc-header", rpc_header},
	{"rpc-block", rpc_block},
};

int main(int argc, char **argv)
{
	/* Valgrind has no AVX-512; the AVX2 form is counted wherever this runs. */
	if (argc == 2 && !rc_sha256_force("avx2")) {
		fprintf(stderr, "counted: this CPU lacks AVX2\n");
		return 77;
	}
	rc_schnorr_init();
	for (size_t i = 0; argc == 2 && i < RC_ARRAY_LEN(works); i++) {
		if (strcmp(argv[1], works[i].name) == 0) {
			works[i].run();
			return 0;
		}
	}
	fprintf(stderr, "usage: counted WORK\n");
	for (size_t i = 0; i < RC_ARRAY_LEN(works); i++)
		fprintf(stderr, "  %s\n", works[i].name);
	return 64;
}
