/* Nodes for tests of chaind. See chaind_node.h. */
#include "chaind_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "consensus/connect.h"
#include "consensus/sighash.h"
#include "crypto/schnorr.h"
#include "rc_test.h"

#define WAIT_US INT64_C(30000000)

void node_wait(struct rc_loop *loop, bool (*cond)(void *arg), void *arg, const char *what)
{
	int64_t end = rc_mono_us(&rc_clock_system) + WAIT_US;

	while (!cond(arg)) {
		if (rc_mono_us(&rc_clock_system) > end)
			fail_msg("waited 30 s in vain: %s", what);
		rc_loop_turn(loop, 20000);
	}
}

static bool is_running(void *arg)
{
	struct test_node *n = arg;

	return connect_running(&n->chaind->connect);
}

void node_start_chaind(struct test_node *n)
{
	struct chaind *chaind = rc_alloc(sizeof(*chaind));
	struct rc_error error;

	n->chaind = chaind;
	chaind->loop = n->loop;
	chaind->network = &n->network;
	chaind->system_clock = n->clock;
	chaind->random = &rc_random_system;
	chaind->metrics = n->metrics = rc_metrics_new("chaind", chaind_metrics, METRIC_COUNT);
	chaind->config = (struct chaind_config){
		.statedir = n->dir,
		.cache_bytes = 1 << 20,
		.verified_bytes = 1 << 20,
		.verify_threads = 2,
		.pool = pool_limits_default,
		.utxod = {.from = RC_CHAIND,
			  .to = RC_UTXOD,
			  .role = RC_ROLE_WRITE,
			  .inproc = n->name,
			  .boot = rc_random_u64(&rc_random_system)},
	};
	memcpy(chaind->config.utxod.network_id, n->network.id.b, 32);
	if (chaind_enter(chaind, &error) < 0 || chaind_start(chaind, &error) < 0)
		fail_msg("%s", error.text);
}

void node_stop_chaind(struct test_node *n)
{
	chaind_close(n->chaind);
	free(n->chaind);
	n->chaind = NULL;
	rc_metrics_free(n->metrics);
}

void node_init(struct test_node *n, struct rc_loop *loop, const char *name)
{
	struct rc_network network;

	assert_true(rc_network_builtin("reg", &network));
	node_init_on(n, loop, name, &network, &rc_clock_system);
}

void node_init_on(struct test_node *n, struct rc_loop *loop, const char *name,
		  const struct rc_network *network, const struct rc_clock *clock)
{
	memset(n, 0, sizeof(*n));
	rc_schnorr_init();
	n->loop = loop;
	n->network = *network;
	n->clock = clock;
	snprintf(n->dir, sizeof(n->dir), "/tmp/rc-chaind-XXXXXX");
	assert_non_null(mkdtemp(n->dir));
	snprintf(n->name, sizeof(n->name), "%s-%d", name, (int)getpid());
	memset(n->secret, 0x11, sizeof(n->secret));
	n->secret[0] = (uint8_t)name[0];
	n->lock[0] = RC_LOCK_KEY;
	assert_true(rc_xonly_from_secret(n->secret, n->lock + 1, NULL));
	n->utxod = fake_utxod_new(loop, &n->network, n->name);
	node_start_chaind(n);
	node_wait(loop, is_running, n, "chaind runs");
}

void node_free(struct test_node *n)
{
	RC_AUTOFREE char *command = rc_asprintf("rm -rf %s", n->dir);

	if (n->chaind)
		node_stop_chaind(n);
	fake_utxod_free(n->utxod);
	assert_int_equal(system(command), 0);
}

struct block_node *node_tip(struct test_node *n)
{
	return chain_tip(&n->chaind->chain);
}

uint32_t node_tip_height(struct test_node *n)
{
	return node_height(node_tip(n));
}

struct height_wait {
	struct test_node *n;
	uint32_t height;
};

static bool has_height(void *arg)
{
	struct height_wait *w = arg;

	return node_tip_height(w->n) == w->height;
}

void node_wait_height(struct test_node *n, uint32_t height)
{
	struct height_wait w = {n, height};

	node_wait(n->loop, has_height, &w, "a height");
}

static bool is_idle(void *arg)
{
	struct test_node *n = arg;
	struct connector *c = &n->chaind->connect;

	return c->phase == CONNECT_RUNNING && !c->switching && c->best == node_tip(n) && !c->head &&
	       !c->need_abort && c->writes_out == 0 && !refill_active(&n->chaind->refill) &&
	       n->chaind->admit.count == 0 && c->tip_root_known;
}

void node_wait_idle(struct test_node *n)
{
	node_wait(n->loop, is_idle, n, "nothing is under way");
}

/* ---- mining ---- */

static bool is_set(void *arg)
{
	return *(bool *)arg;
}

static void generated(void *arg, const struct generate_result *result)
{
	assert_int_equal(result->err, RC_OK);
	*(bool *)arg = true;
}

void node_generate(struct test_node *n, uint32_t blocks)
{
	bool done = false;

	chaind_generate(n->chaind, n->lock, sizeof(n->lock), node_tip_height(n) + blocks, 0,
			generated, &done);
	node_wait(n->loop, is_set, &done, "blocks are mined");
}

struct body_wait {
	struct rc_buf *buf;
	bool done;
};

static void body_here(void *arg, struct rc_buf *buf)
{
	struct body_wait *w = arg;

	assert_non_null(buf->data);
	rc_buf_put(w->buf, buf->data, buf->len);
	w->done = true;
}

void node_body(struct test_node *n, const struct block_node *node, struct rc_buf *ret)
{
	struct body_wait w = {ret, false};

	blockstore_get(n->chaind->store, node, NULL, body_here, &w);
	node_wait(n->loop, is_set, &w.done, "a body");
}

struct verdict_wait {
	enum rc_verdict verdict;
	struct admit_result tx;
	bool done;
};

static void block_done(void *arg, const struct block_result *result)
{
	struct verdict_wait *w = arg;

	w->verdict = result->verdict;
	w->done = true;
}

enum rc_verdict node_submit_block(struct test_node *n, const struct rc_buf *raw, bool wait)
{
	struct verdict_wait w = {0};

	chaind_submit_block(n->chaind, 0, raw->data, raw->len,
			    wait ? BLOCK_CONNECTED : BLOCK_STORED, block_done, &w);
	node_wait(n->loop, is_set, &w.done, "a block's verdict");
	return w.verdict;
}

void node_feed(struct test_node *n, struct test_node *from, uint32_t above)
{
	for (uint32_t h = above + 1; h <= node_tip_height(from); h++) {
		struct rc_buf raw = RC_BUF_INIT;

		node_body(from, chain_at(&from->chaind->chain, h), &raw);
		assert_int_equal(node_submit_block(n, &raw, false), RC_VERDICT_OK);
		rc_buf_done(&raw);
	}
}

/* ---- paying ---- */

void node_tell_tx(void *arg, const struct admit_result *result)
{
	struct node_told *told = arg;

	told->n++;
	told->err = result->err;
	told->verdict = result->verdict;
}

bool node_is_told(void *arg)
{
	return ((struct node_told *)arg)->n > 0;
}

static void tx_done(void *arg, const struct admit_result *result)
{
	struct verdict_wait *w = arg;

	w->tx = *result;
	w->verdict = result->verdict;
	w->done = true;
}

enum rc_verdict node_submit_tx(struct test_node *n, const struct rc_buf *raw, uint64_t peer,
			       struct admit_result *ret_result)
{
	struct verdict_wait w = {0};
	struct admit_options options = {.peer = peer, .local = peer == 0};

	admit_submit(&n->chaind->admit, raw->data, raw->len, &options, tx_done, &w);
	node_wait(n->loop, is_set, &w.done, "a transaction's verdict");
	if (ret_result)
		*ret_result = w.tx;
	return w.verdict;
}

void node_coinbase(struct test_node *n, uint32_t height, struct rc_outpoint *ret_outpoint,
		   struct rc_coin *ret_coin)
{
	struct rc_buf raw = RC_BUF_INIT;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_block block;

	node_body(n, chain_at(&n->chaind->chain, height), &raw);
	assert_true(rc_block_decode(raw.data, raw.len, &arena, &block));
	*ret_outpoint = (struct rc_outpoint){block.txs[0].txid, 0};
	rc_coin_init(ret_coin, block.txs[0].outputs[0].amount, height, true,
		     &block.txs[0].outputs[0].lock);
	rc_arena_done(&arena);
	rc_buf_done(&raw);
}

void node_pay(struct test_node *n, const struct rc_outpoint *outpoint, const struct rc_coin *coin,
	      rc_amount fee, uint32_t n_outputs, struct rc_buf *ret_raw)
{
	struct rc_tx_out *outputs = rc_alloc_array(n_outputs, sizeof(*outputs));
	struct rc_tx_in input = {.prevout = *outpoint, .sequence = RC_SEQUENCE_FINAL};
	struct rc_tx tx = {
		.version = RC_TX_VERSION,
		.type = RC_TX_PAYMENT,
		.n_inputs = 1,
		.n_outputs = n_outputs,
		.inputs = &input,
		.outputs = outputs,
	};
	struct rc_buf witness = RC_BUF_INIT;
	struct rc_sighash sighash;
	struct rc_hash message;
	uint8_t sig[64];
	struct rc_bytes item = {sig, sizeof(sig)};

	for (uint32_t i = 0; i < n_outputs; i++) {
		outputs[i].amount = (coin->amount - fee) / n_outputs;
		outputs[i].lock = (struct rc_lock){n->lock, sizeof(n->lock), RC_LOCK_KEY};
	}
	outputs[0].amount += (coin->amount - fee) % n_outputs;
	rc_sighash_init(&n->network.id, &tx, &coin, &sighash);
	rc_sighash(&sighash, 0, RC_HASH_ALL, NULL, &message);
	assert_true(rc_schnorr_sign(n->secret, message.b, 32, NULL, sig));
	rc_witness_put(&witness, &item, 1);
	input.n_items = 1;
	input.witness = witness.data;
	input.witness_len = (uint32_t)witness.len;
	rc_buf_clear(ret_raw);
	rc_tx_encode(&tx, ret_raw);
	rc_buf_done(&witness);
	free(outputs);
}

void node_output(const struct rc_buf *raw, uint32_t index, uint32_t height,
		 struct rc_outpoint *ret_outpoint, struct rc_coin *ret_coin)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_tx tx;

	assert_true(rc_tx_decode(raw->data, raw->len, &arena, &tx));
	*ret_outpoint = (struct rc_outpoint){tx.txid, index};
	rc_coin_init(ret_coin, tx.outputs[index].amount, height, false, &tx.outputs[index].lock);
	rc_arena_done(&arena);
}
