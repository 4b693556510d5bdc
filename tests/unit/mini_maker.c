/* See mini_maker.h. */
#include "tests/unit/rc_test.h"

#include "tests/unit/mini_maker.h"

#include <string.h>

#include "consensus/merkle.h"
#include "consensus/subsidy.h"
#include "crypto/schnorr.h"

static void make_key(struct key *key)
{
	uint8_t secret[32] = {[31] = 5}, internal[32], tweak[32], output[32];

	assert_true(rc_xonly_from_secret(secret, internal, NULL));
	rc_taproot_tweak(&rc_taproot_rusty, internal, NULL, tweak);
	assert_true(rc_secret_tweak(secret, tweak, key->secret));
	assert_true(rc_taproot_output(&rc_taproot_rusty, internal, NULL, output, &(int){0}));
	rc_lock_key_encode(output, key->lock);
}

struct rc_lock maker_lock(const struct maker *maker)
{
	return (struct rc_lock){maker->key.lock, RC_LOCK_KEY_SIZE, RC_LOCK_KEY};
}

/* ---- blocks ---- */

void draft_init(struct draft *d, struct maker *maker)
{
	const struct mini_block *tip = maker->chain.tip;

	memset(d, 0, sizeof(*d));
	d->maker = maker;
	d->header = (struct rc_header){
		.version = 1,
		.height = tip->header.height + 1,
		.prev = tip->id,
		.state_root = tip->root,
		.time = mini_chain_median_time(tip) + 1,
		.bits = rc_required_bits(&maker->chain.network, tip->header.height,
					 tip->header.time),
	};
	d->payload.height = d->header.height;
	d->outputs[0] = (struct rc_tx_out){
		rc_miner_limit(&maker->chain.network, d->header.height, 0), maker_lock(maker)};
	d->coinbase = (struct rc_tx){
		.version = 1, .type = RC_TX_COINBASE, .n_outputs = 1, .outputs = d->outputs};
}

/* The bytes of the block, mined. */
void draft_encode(struct draft *d, struct rc_buf *raw)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf payload = RC_BUF_INIT, body = RC_BUF_INIT;
	struct rc_wtxid wtxids[5];
	struct rc_u256 target = d->maker->chain.network.limit;
	struct rc_block_id id;

	if (!d->coinbase.payload.data) {
		rc_coinbase_encode(&d->payload, &payload);
		d->coinbase.payload = (struct rc_bytes){payload.data, payload.len};
	}
	rc_tx_encode(&d->coinbase, &body);
	for (uint32_t i = 0; i <= d->n_txs; i++) {
		const struct rc_buf *tx_raw = i ? &d->txs[i - 1] : &body;
		struct rc_tx tx;

		memset(&wtxids[i], 0, 32);
		if (rc_tx_decode(tx_raw->data, tx_raw->len, &arena, &tx))
			wtxids[i] = tx.wtxid;
	}
	for (uint32_t i = 0; i < d->n_txs; i++)
		rc_buf_put(&body, d->txs[i].data, d->txs[i].len);
	if (!d->keep_root)
		rc_tx_root(wtxids, sizeof(*wtxids), d->n_txs + 1, &arena, &d->header.tx_root);
	rc_bits_target(d->header.bits, &target);
	rc_buf_clear(raw);
	rc_block_put_head(raw, &d->header, d->n_txs + 1);
	do {
		rc_put_le64(raw->data + RC_HEADER_NONCE_AT, d->header.nonce++);
		rc_header_id(raw->data, &id);
	} while (!rc_pow_holds(&id, &target));
	rc_buf_put(raw, body.data, body.len);
	rc_buf_done(&body);
	rc_buf_done(&payload);
	rc_arena_done(&arena);
}

static void draft_done(struct draft *d)
{
	for (uint32_t i = 0; i < d->n_txs; i++)
		rc_buf_done(&d->txs[i]);
}

enum rc_verdict draft_offer(struct draft *d)
{
	struct rc_buf raw = RC_BUF_INIT;
	enum rc_verdict verdict;

	draft_encode(d, &raw);
	verdict = mini_chain_offer(&d->maker->chain, raw.data, raw.len, d->maker->now);
	rc_buf_done(&raw);
	draft_done(d);
	return verdict;
}

/* ---- payments ---- */

/* Spends the coinbase of a height, all of it. */
void pay_init(struct pay *p, struct maker *maker, uint32_t height)
{
	const struct rc_coin *coin = mini_chain_coin(&maker->chain, &maker->coins[height - 1]);

	memset(p, 0, sizeof(*p));
	p->maker = maker;
	assert_non_null(coin);
	p->coins[0] = *coin;
	p->coin_list[0] = &p->coins[0];
	p->coin_list[1] = &p->coins[1];
	p->inputs[0] = (struct rc_tx_in){.prevout = maker->coins[height - 1],
					 .sequence = RC_SEQUENCE_FINAL};
	p->outputs[0] = (struct rc_tx_out){coin->amount, maker_lock(maker)};
	p->tx = (struct rc_tx){.version = 1,
			       .n_inputs = 1,
			       .n_outputs = 1,
			       .inputs = p->inputs,
			       .outputs = p->outputs};
}

void pay_sign_item(struct pay *p, uint8_t ret_item[64])
{
	struct rc_sighash s;
	struct rc_hash hash;

	rc_sighash_init(&p->maker->chain.network.id, &p->tx, p->coin_list, &s);
	rc_sighash(&s, 0, RC_HASH_ALL, NULL, &hash);
	assert_true(rc_schnorr_sign(p->maker->key.secret, hash.b, 32, NULL, ret_item));
}

void pay_witness(struct pay *p, const struct rc_bytes *items, size_t n)
{
	rc_buf_clear(&p->witness);
	rc_witness_put(&p->witness, items, n);
	for (uint32_t i = 0; i < p->tx.n_inputs; i++) {
		p->inputs[i].witness = p->witness.data;
		p->inputs[i].witness_len = (uint32_t)p->witness.len;
	}
}

void pay_sign(struct pay *p)
{
	uint8_t sig[64];

	pay_sign_item(p, sig);
	pay_witness(p, &(struct rc_bytes){sig, 64}, 1);
}

void pay_encode(struct pay *p, struct rc_buf *raw)
{
	rc_tx_encode(&p->tx, raw);
	rc_buf_done(&p->witness);
}

/* The verdict of a block with this payment, signed already. */
enum rc_verdict pay_offer(struct pay *p)
{
	struct draft d;

	draft_init(&d, p->maker);
	d.n_txs = 1;
	pay_encode(p, &d.txs[0]);
	return draft_offer(&d);
}

enum rc_verdict pay_sign_and_offer(struct pay *p)
{
	pay_sign(p);
	return pay_offer(p);
}

void policy_init(struct policy_spend *s, struct maker *maker)
{
	uint8_t secret[32] = {[31] = 9};

	memset(s, 0, sizeof(*s));
	pay_init(&s->pay, maker, 1);
	assert_true(rc_xonly_from_secret(secret, s->internal, NULL));
}

/* Makes the coin's lock commit to the policy as it is now. */
void policy_commit(struct policy_spend *s)
{
	struct rc_hash leaf;
	uint8_t output[32];
	int parity;

	rc_taproot_leaf(&rc_taproot_rusty, 0, s->policy.data, s->policy.len, &leaf);
	assert_true(rc_taproot_output(&rc_taproot_rusty, s->internal, &leaf, output, &parity));
	rc_lock_key_encode(output, s->pay.coins[0].lock);
	s->control[0] = (uint8_t)parity;
	memcpy(s->control + 1, s->internal, 32);
	s->control_len = RC_CONTROL_BASE;
}

enum rc_verdict policy_spend_check(struct policy_spend *s)
{
	struct rc_bytes items[RC_POLICY_KEYS_MAX + 2];
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf raw = RC_BUF_INIT;
	struct rc_sighash sighash;
	enum rc_verdict verdict;
	struct rc_tx tx;

	memcpy(items, s->arguments, s->n_arguments * sizeof(*items));
	items[s->n_arguments] = (struct rc_bytes){s->policy.data, s->policy.len};
	items[s->n_arguments + 1] = (struct rc_bytes){s->control, s->control_len};
	pay_witness(&s->pay, items, s->n_arguments + 2);
	pay_encode(&s->pay, &raw);
	assert_true(rc_tx_decode(raw.data, raw.len, &arena, &tx));
	rc_sighash_init(&s->pay.maker->chain.network.id, &tx, s->pay.coin_list, &sighash);
	verdict = rc_witness_check(&sighash, 0, NULL);
	rc_buf_done(&raw);
	rc_buf_done(&s->policy);
	rc_arena_done(&arena);
	return verdict;
}

/* The usual policy here: one height that has come, no arguments. */
void policy_plain(struct policy_spend *s, struct maker *maker)
{
	policy_init(s, maker);
	s->pay.tx.lock_time = 2;
	s->pay.inputs[0].sequence = RC_SEQUENCE_FINAL - 1;
	rc_policy_put_after(&s->policy, 2);
	policy_commit(s);
}

void maker_mine(struct maker *maker)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf raw = RC_BUF_INIT;
	struct rc_block block;
	struct draft d;

	draft_init(&d, maker);
	draft_encode(&d, &raw);
	assert_int_equal(mini_chain_offer(&maker->chain, raw.data, raw.len, maker->now),
			 RC_VERDICT_OK);
	assert_true(rc_block_decode(raw.data, raw.len, &arena, &block));
	assert_memory_equal(maker->chain.tip->id.b, block.id.b, 32);
	if (d.header.height <= RC_ARRAY_LEN(maker->coins))
		maker->coins[d.header.height - 1] = (struct rc_outpoint){block.txs[0].txid, 0};
	rc_buf_done(&raw);
	rc_arena_done(&arena);
}

void maker_init(struct maker *maker)
{
	struct rc_network_params params = *rc_network_builtin_params("reg");
	struct rc_network network;
	struct rc_error error;

	rc_schnorr_init();
	memset(maker, 0, sizeof(*maker));
	memcpy(params.name, "verdicts", sizeof("verdicts"));
	params.maturity = MAKER_MATURITY;
	params.block_limit = MAKER_BLOCK_LIMIT;
	assert_int_equal(rc_network_custom(&params, &network, &error), 0);
	make_key(&maker->key);
	mini_chain_init(&maker->chain, &network);
	maker->now = params.genesis_time + 10000;
	for (int i = 0; i < 4; i++)
		maker_mine(maker);
}

void maker_done(struct maker *maker)
{
	mini_chain_done(&maker->chain);
}
