/*
 * Each rule's code is provoked by the smallest fault that breaks the rule: one row a verdict, so a
 * new line in verdicts.def fails here until somebody shows how to reach it.
 */
#include "tests/unit/rc_test.h"

#include <stdlib.h>
#include <string.h>

#include "consensus/coinbase.h"
#include "consensus/header_check.h"
#include "consensus/merkle.h"
#include "consensus/proof.h"
#include "consensus/subsidy.h"
#include "consensus/taproot.h"
#include "crypto/schnorr.h"
#include "tests/unit/mini_maker.h"

static struct maker maker;

/* ---- one function a verdict ---- */

static enum rc_verdict header_version(void)
{
	struct draft d;

	draft_init(&d, &maker);
	d.header.version = 2;
	return draft_offer(&d);
}

static enum rc_verdict header_genesis(void)
{
	struct draft d;

	draft_init(&d, &maker);
	d.header.height = 0;
	return draft_offer(&d);
}

static enum rc_verdict header_bits(void)
{
	struct draft d;

	draft_init(&d, &maker);
	d.header.bits |= 0x00800000;
	return draft_offer(&d);
}

static enum rc_verdict header_work(void)
{
	struct rc_buf raw = RC_BUF_INIT;
	enum rc_verdict verdict = RC_VERDICT_OK;
	struct draft d;

	draft_init(&d, &maker);
	draft_encode(&d, &raw);
	/* Half of all nonces don't do. */
	while (verdict != RC_V_HEADER_WORK) {
		rc_put_le64(raw.data + RC_HEADER_NONCE_AT, d.header.nonce++);
		rc_header_decode(raw.data, &d.header);
		{
			struct rc_block_id id;

			rc_header_id(raw.data, &id);
			verdict = rc_header_check_alone(&maker.chain.network, &d.header, &id);
		}
		d.header.nonce++;
	}
	verdict = mini_chain_offer(&maker.chain, raw.data, raw.len, maker.now);
	rc_buf_done(&raw);
	return verdict;
}

static enum rc_verdict header_parent_unknown(void)
{
	struct draft d;

	draft_init(&d, &maker);
	d.header.prev.b[0] ^= 1;
	return draft_offer(&d);
}

/* A block with a wrong state root, then one on top of it. */
static enum rc_verdict header_parent_invalid(void)
{
	struct rc_buf raw = RC_BUF_INIT;
	struct rc_block_id id;
	struct draft d;

	draft_init(&d, &maker);
	d.header.state_root.b[3] ^= 1;
	draft_encode(&d, &raw);
	rc_header_id(raw.data, &id);
	assert_int_equal(mini_chain_offer(&maker.chain, raw.data, raw.len, maker.now),
			 RC_V_BLOCK_STATE_ROOT);
	rc_buf_done(&raw);
	draft_init(&d, &maker);
	d.header.prev = id;
	d.header.height++;
	return draft_offer(&d);
}

static enum rc_verdict header_height(void)
{
	struct draft d;

	draft_init(&d, &maker);
	d.header.height++;
	return draft_offer(&d);
}

static enum rc_verdict header_difficulty(void)
{
	struct draft d;

	draft_init(&d, &maker);
	d.header.bits = 0x203fffff;
	return draft_offer(&d);
}

static enum rc_verdict header_time_past(void)
{
	struct draft d;

	draft_init(&d, &maker);
	d.header.time--;
	return draft_offer(&d);
}

static enum rc_verdict header_time_future(void)
{
	struct draft d;

	draft_init(&d, &maker);
	d.header.time = (uint32_t)maker.now + maker.chain.network.params.future_limit + 1;
	return draft_offer(&d);
}

static enum rc_verdict block_size_max(void)
{
	RC_AUTOFREE uint8_t *zeros = rc_alloc(RC_BLOCK_SIZE_MAX + 1);
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_block block;

	return rc_block_check(zeros, RC_BLOCK_SIZE_MAX + 1, &arena, &block);
}

static enum rc_verdict block_parse(void)
{
	struct rc_buf raw = RC_BUF_INIT;
	enum rc_verdict verdict;
	struct draft d;

	draft_init(&d, &maker);
	draft_encode(&d, &raw);
	verdict = mini_chain_offer(&maker.chain, raw.data, raw.len - 1, maker.now);
	rc_buf_done(&raw);
	return verdict;
}

static enum rc_verdict block_root_mismatch(void)
{
	struct draft d;

	draft_init(&d, &maker);
	d.keep_root = true;
	return draft_offer(&d);
}

static enum rc_verdict block_coinbase(void)
{
	struct draft d;

	draft_init(&d, &maker);
	d.coinbase.type = RC_TX_PAYMENT;
	return draft_offer(&d);
}

static enum rc_verdict tx_parse(void)
{
	struct rc_buf raw = RC_BUF_INIT;
	enum rc_verdict verdict;
	struct pay p;

	pay_init(&p, &maker, 1);
	pay_sign(&p);
	pay_encode(&p, &raw);
	verdict = mini_chain_check_tx(&maker.chain, raw.data, raw.len - 1);
	rc_buf_done(&raw);
	return verdict;
}

static enum rc_verdict tx_coinbase(void)
{
	struct rc_buf raw = RC_BUF_INIT;
	enum rc_verdict verdict;
	struct draft d;

	draft_init(&d, &maker);
	rc_tx_encode(&d.coinbase, &raw);
	verdict = mini_chain_check_tx(&maker.chain, raw.data, raw.len);
	rc_buf_done(&raw);
	return verdict;
}

static enum rc_verdict tx_version(void)
{
	struct pay p;

	pay_init(&p, &maker, 1);
	p.tx.version = 2;
	return pay_sign_and_offer(&p);
}

static enum rc_verdict tx_type(void)
{
	struct pay p;

	pay_init(&p, &maker, 1);
	p.tx.type = 10;
	return pay_sign_and_offer(&p);
}

static enum rc_verdict tx_lock(void)
{
	uint8_t bond[RC_LOCK_BOND_SIZE] = {RC_LOCK_BOND, RC_BOND_MASTERNODE};
	struct pay p;

	pay_init(&p, &maker, 1);
	p.outputs[0].lock = (struct rc_lock){bond, sizeof(bond), RC_LOCK_BOND};
	return pay_sign_and_offer(&p);
}

static enum rc_verdict tx_input_count(void)
{
	struct pay p;

	pay_init(&p, &maker, 1);
	p.tx.n_inputs = 0;
	return pay_offer(&p);
}

static enum rc_verdict tx_output_count(void)
{
	struct pay p;

	pay_init(&p, &maker, 1);
	p.tx.n_outputs = 0;
	return pay_sign_and_offer(&p);
}

static enum rc_verdict amount_range(void)
{
	struct pay p;

	pay_init(&p, &maker, 1);
	p.outputs[0].amount = RC_SUPPLY_LIMIT;
	p.outputs[1] = (struct rc_tx_out){1, maker_lock(&maker)};
	p.tx.n_outputs = 2;
	return pay_sign_and_offer(&p);
}

static enum rc_verdict tx_input_twice(void)
{
	struct pay p;

	pay_init(&p, &maker, 1);
	p.inputs[1] = p.inputs[0];
	p.coins[1] = p.coins[0];
	p.tx.n_inputs = 2;
	return pay_sign_and_offer(&p);
}

static enum rc_verdict tx_sequence(void)
{
	struct pay p;

	pay_init(&p, &maker, 1);
	p.inputs[0].sequence = 1 << 16;
	return pay_sign_and_offer(&p);
}

static enum rc_verdict tx_lock_time_form(void)
{
	struct draft d;

	draft_init(&d, &maker);
	d.coinbase.lock_time = 1;
	return draft_offer(&d);
}

static enum rc_verdict tx_payload(void)
{
	struct pay p;

	pay_init(&p, &maker, 1);
	p.tx.payload = (struct rc_bytes){(const uint8_t *)"x", 1};
	return pay_sign_and_offer(&p);
}

static enum rc_verdict tx_twice(void)
{
	struct draft d;
	struct pay p;

	draft_init(&d, &maker);
	for (d.n_txs = 0; d.n_txs < 2; d.n_txs++) {
		pay_init(&p, &maker, 1);
		pay_sign(&p);
		pay_encode(&p, &d.txs[d.n_txs]);
	}
	return draft_offer(&d);
}

static enum rc_verdict block_state_root(void)
{
	struct draft d;

	draft_init(&d, &maker);
	d.header.state_root.b[0] ^= 1;
	return draft_offer(&d);
}

static enum rc_verdict block_size(void)
{
	static const uint8_t padding[MAKER_BLOCK_LIMIT];
	struct draft d;
	struct pay p;

	draft_init(&d, &maker);
	d.n_txs = 1;
	pay_init(&p, &maker, 1);
	pay_witness(&p, &(struct rc_bytes){padding, sizeof(padding)}, 1);
	pay_encode(&p, &d.txs[0]);
	return draft_offer(&d);
}

static enum rc_verdict coinbase_height(void)
{
	struct draft d;

	draft_init(&d, &maker);
	d.payload.height++;
	return draft_offer(&d);
}

static enum rc_verdict coinbase_lock(void)
{
	static const uint8_t finality[RC_FINALITY_LOCK_SIZE];
	struct draft d;

	draft_init(&d, &maker);
	d.payload.lock = finality;
	return draft_offer(&d);
}

static enum rc_verdict tx_input_missing(void)
{
	struct pay p;

	pay_init(&p, &maker, 1);
	p.inputs[0].prevout.index++;
	return pay_sign_and_offer(&p);
}

static enum rc_verdict tx_input_immature(void)
{
	struct pay p;

	pay_init(&p, &maker, maker.chain.tip->header.height);
	return pay_sign_and_offer(&p);
}

/* No chain can hold a bond yet: the rule is asked with a coin made up. */
static enum rc_verdict tx_input_lock(void)
{
	const struct rc_loose_context context = {&maker.chain.network, 100, 100};
	struct rc_loose_result result;
	struct pay p;

	pay_init(&p, &maker, 1);
	p.coins[0].lock_len = RC_LOCK_BOND_SIZE;
	p.coins[0].lock[0] = RC_LOCK_BOND;
	return rc_tx_check_with_coins(&context, &p.tx, p.coin_list, &result);
}

static enum rc_verdict tx_lock_time(void)
{
	struct pay p;

	pay_init(&p, &maker, 1);
	p.tx.lock_time = maker.chain.tip->header.height + 1;
	p.inputs[0].sequence--;
	return pay_sign_and_offer(&p);
}

static enum rc_verdict tx_relative_lock(void)
{
	struct pay p;

	pay_init(&p, &maker, 1);
	p.inputs[0].sequence = maker.chain.tip->header.height + 1;
	return pay_sign_and_offer(&p);
}

static enum rc_verdict tx_overspend(void)
{
	struct pay p;

	pay_init(&p, &maker, 1);
	p.outputs[0].amount++;
	return pay_sign_and_offer(&p);
}

/* Many empty witnesses of two items would cost more than their bytes, were they not so short: one
 * with very many signatures that are none does. */
static enum rc_verdict block_budget(void)
{
	static const uint8_t item[64];
	struct rc_bytes items[140];
	struct draft d;
	struct pay p;

	for (size_t i = 0; i < RC_ARRAY_LEN(items); i++)
		items[i] = (struct rc_bytes){item, sizeof(item)};
	draft_init(&d, &maker);
	d.n_txs = 1;
	pay_init(&p, &maker, 1);
	pay_witness(&p, items, RC_ARRAY_LEN(items));
	pay_encode(&p, &d.txs[0]);
	return draft_offer(&d);
}

static enum rc_verdict coinbase_amount(void)
{
	struct draft d;

	draft_init(&d, &maker);
	d.outputs[0].amount++;
	return draft_offer(&d);
}

static enum rc_verdict witness_empty(void)
{
	struct pay p;

	pay_init(&p, &maker, 1);
	return pay_offer(&p);
}

static enum rc_verdict witness_form(void)
{
	struct rc_sighash s;
	struct pay p;

	pay_init(&p, &maker, 1);
	p.coins[0].lock_len = RC_LOCK_BOND_SIZE;
	p.coins[0].lock[0] = RC_LOCK_BOND;
	rc_sighash_init(&maker.chain.network.id, &p.tx, p.coin_list, &s);
	return rc_witness_check(&s, 0, NULL);
}

static enum rc_verdict sig_encoding(void)
{
	struct pay p;

	pay_init(&p, &maker, 1);
	pay_witness(&p, &(struct rc_bytes){(const uint8_t *)"x", 1}, 1);
	return pay_offer(&p);
}

static enum rc_verdict sig_invalid(void)
{
	uint8_t sig[64];
	struct pay p;

	pay_init(&p, &maker, 1);
	pay_sign_item(&p, sig);
	sig[40] ^= 1;
	pay_witness(&p, &(struct rc_bytes){sig, 64}, 1);
	return pay_offer(&p);
}

static enum rc_verdict control_size(void)
{
	struct policy_spend s;

	policy_plain(&s, &maker);
	s.control_len--;
	return policy_spend_check(&s);
}

static enum rc_verdict control_version(void)
{
	struct policy_spend s;

	policy_plain(&s, &maker);
	s.control[0] |= 2;
	return policy_spend_check(&s);
}

static enum rc_verdict policy_size(void)
{
	struct policy_spend s;

	policy_plain(&s, &maker);
	rc_buf_clear(&s.policy);
	return policy_spend_check(&s);
}

static enum rc_verdict control_key(void)
{
	struct policy_spend s;

	policy_plain(&s, &maker);
	memset(s.control + 1, 0xff, 32); /* more than the field's size */
	return policy_spend_check(&s);
}

static enum rc_verdict policy_commitment(void)
{
	struct policy_spend s;

	policy_plain(&s, &maker);
	s.control[0] ^= 1;
	return policy_spend_check(&s);
}

static enum rc_verdict policy_opcode(void)
{
	struct policy_spend s;

	policy_init(&s, &maker);
	rc_buf_put_u8(&s.policy, 0x06);
	policy_commit(&s);
	return policy_spend_check(&s);
}

static enum rc_verdict policy_form(void)
{
	struct policy_spend s;

	policy_init(&s, &maker);
	rc_buf_put_u8(&s.policy, RC_POLICY_KEY);
	policy_commit(&s);
	return policy_spend_check(&s);
}

static enum rc_verdict policy_arguments(void)
{
	struct policy_spend s;

	policy_plain(&s, &maker);
	s.arguments[s.n_arguments++] = (struct rc_bytes){(const uint8_t *)"x", 1};
	return policy_spend_check(&s);
}

static enum rc_verdict policy_count(void)
{
	uint8_t keys[64] = {1};
	struct policy_spend s;

	policy_init(&s, &maker);
	rc_policy_put_multi(&s.policy, 1, keys, 2);
	policy_commit(&s);
	s.n_arguments = 2; /* both empty */
	return policy_spend_check(&s);
}

static enum rc_verdict policy_lock(void)
{
	struct policy_spend s;

	policy_plain(&s, &maker);
	s.pay.tx.lock_time = 1;
	return policy_spend_check(&s);
}

static enum rc_verdict policy_preimage(void)
{
	static const uint8_t hash[32];
	struct policy_spend s;

	policy_init(&s, &maker);
	rc_policy_put_preimage(&s.policy, hash);
	policy_commit(&s);
	s.arguments[s.n_arguments++] = (struct rc_bytes){hash, 32};
	return policy_spend_check(&s);
}

static enum rc_verdict policy_choice(void)
{
	struct policy_spend s;

	policy_init(&s, &maker);
	rc_policy_put_any(&s.policy, 2);
	rc_policy_put_after(&s.policy, 1);
	rc_policy_put_after(&s.policy, 1);
	policy_commit(&s);
	s.arguments[s.n_arguments++] = (struct rc_bytes){(const uint8_t *)"\x02", 1};
	return policy_spend_check(&s);
}

static enum rc_verdict proof_invalid(void)
{
	struct rc_proof proof;

	return rc_proof_check("\x01", 1, NULL, &maker.chain.tip->root, &proof);
}

static const char no_masternodes[] = "no masternode can be enabled until masternodes are in force";
static const char no_payments[] = "no treasury payment is due until governance is in force";

static const struct {
	enum rc_verdict verdict;
	enum rc_verdict (*provoke)(void);
	const char *unreachable; /* why, where there is no function */
} rows[] = {
	{RC_V_HEADER_VERSION, header_version, NULL},
	{RC_V_HEADER_GENESIS, header_genesis, NULL},
	{RC_V_HEADER_BITS, header_bits, NULL},
	{RC_V_HEADER_WORK, header_work, NULL},
	{RC_V_HEADER_PARENT_UNKNOWN, header_parent_unknown, NULL},
	{RC_V_HEADER_PARENT_INVALID, header_parent_invalid, NULL},
	{RC_V_HEADER_HEIGHT, header_height, NULL},
	{RC_V_HEADER_DIFFICULTY, header_difficulty, NULL},
	{RC_V_HEADER_TIME_PAST, header_time_past, NULL},
	{RC_V_HEADER_TIME_FUTURE, header_time_future, NULL},
	{RC_V_BLOCK_SIZE_MAX, block_size_max, NULL},
	{RC_V_BLOCK_PARSE, block_parse, NULL},
	{RC_V_BLOCK_ROOT_MISMATCH, block_root_mismatch, NULL},
	{RC_V_BLOCK_COINBASE, block_coinbase, NULL},
	{RC_V_TX_PARSE, tx_parse, NULL},
	{RC_V_TX_COINBASE, tx_coinbase, NULL},
	{RC_V_TX_VERSION, tx_version, NULL},
	{RC_V_TX_TYPE, tx_type, NULL},
	{RC_V_TX_LOCK, tx_lock, NULL},
	{RC_V_TX_INPUT_COUNT, tx_input_count, NULL},
	{RC_V_TX_OUTPUT_COUNT, tx_output_count, NULL},
	{RC_V_AMOUNT_RANGE, amount_range, NULL},
	{RC_V_TX_INPUT_TWICE, tx_input_twice, NULL},
	{RC_V_TX_SEQUENCE, tx_sequence, NULL},
	{RC_V_TX_LOCK_TIME_FORM, tx_lock_time_form, NULL},
	{RC_V_TX_PAYLOAD, tx_payload, NULL},
	{RC_V_TX_TWICE, tx_twice, NULL},
	{RC_V_BLOCK_STATE_ROOT, block_state_root, NULL},
	{RC_V_BLOCK_SIZE, block_size, NULL},
	{RC_V_COINBASE_HEIGHT, coinbase_height, NULL},
	{RC_V_COINBASE_LOCK, coinbase_lock, NULL},
	{RC_V_TX_INPUT_MISSING, tx_input_missing, NULL},
	{RC_V_TX_INPUT_IMMATURE, tx_input_immature, NULL},
	{RC_V_TX_INPUT_LOCK, tx_input_lock, NULL},
	{RC_V_TX_LOCK_TIME, tx_lock_time, NULL},
	{RC_V_TX_RELATIVE_LOCK, tx_relative_lock, NULL},
	{RC_V_TX_OVERSPEND, tx_overspend, NULL},
	{RC_V_BLOCK_BUDGET, block_budget, NULL},
	{RC_V_COINBASE_MASTERNODE, NULL, no_masternodes},
	{RC_V_COINBASE_TREASURY, NULL, no_payments},
	{RC_V_COINBASE_AMOUNT, coinbase_amount, NULL},
	{RC_V_WITNESS_EMPTY, witness_empty, NULL},
	{RC_V_WITNESS_FORM, witness_form, NULL},
	{RC_V_SIG_ENCODING, sig_encoding, NULL},
	{RC_V_SIG_INVALID, sig_invalid, NULL},
	{RC_V_CONTROL_SIZE, control_size, NULL},
	{RC_V_CONTROL_VERSION, control_version, NULL},
	{RC_V_POLICY_SIZE, policy_size, NULL},
	{RC_V_CONTROL_KEY, control_key, NULL},
	{RC_V_POLICY_COMMITMENT, policy_commitment, NULL},
	{RC_V_POLICY_OPCODE, policy_opcode, NULL},
	{RC_V_POLICY_FORM, policy_form, NULL},
	{RC_V_POLICY_ARGUMENTS, policy_arguments, NULL},
	{RC_V_POLICY_COUNT, policy_count, NULL},
	{RC_V_POLICY_LOCK, policy_lock, NULL},
	{RC_V_POLICY_PREIMAGE, policy_preimage, NULL},
	{RC_V_POLICY_CHOICE, policy_choice, NULL},
	{RC_V_PROOF_INVALID, proof_invalid, NULL},
};

static int setup(void **state)
{
	(void)state;
	maker_init(&maker);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	maker_done(&maker);
	return 0;
}

/* The controls: what the provoking functions start from is valid. */
static void test_good(void **state)
{
	uint8_t before[32];
	struct policy_spend s;
	struct pay p;

	(void)state;
	memcpy(before, maker.chain.tip->id.b, 32);
	policy_plain(&s, &maker);
	assert_int_equal(policy_spend_check(&s), RC_VERDICT_OK);
	pay_init(&p, &maker, 2);
	assert_int_equal(pay_sign_and_offer(&p), RC_VERDICT_OK);
	assert_memory_not_equal(before, maker.chain.tip->id.b, 32);
}

static void test_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < RC_ARRAY_LEN(rows); i++) {
		enum rc_verdict found;

		/* All of them, in the order of the file. */
		assert_int_equal(rows[i].verdict, i + 1);
		assert_true((rows[i].provoke != NULL) != (rows[i].unreachable != NULL));
		if (!rows[i].provoke)
			continue;
		found = rows[i].provoke();
		if (found != rows[i].verdict)
			fail_msg("%s instead of %s", rc_verdict_name(found),
				 rc_verdict_name(rows[i].verdict));
	}
	/* What is left is the pool's policy, which chaind decides and its tests provoke. */
	for (int v = (int)RC_ARRAY_LEN(rows) + 1; v < RC_VERDICT_COUNT; v++)
		assert_int_equal(rc_verdict_class((enum rc_verdict)v), RC_CLASS_POLICY);
	for (size_t i = 0; i < RC_ARRAY_LEN(rows); i++)
		assert_int_not_equal(rc_verdict_class(rows[i].verdict), RC_CLASS_POLICY);
}

static void test_names(void **state)
{
	(void)state;
	for (int v = 0; v < RC_VERDICT_COUNT; v++) {
		const char *name = rc_verdict_name((enum rc_verdict)v);
		enum rc_verdict back = RC_VERDICT_COUNT;

		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
		assert_true(strlen(rc_verdict_words((enum rc_verdict)v)) > 0);
		assert_true(rc_verdict_parse(name, &back));
		assert_int_equal(back, v); /* and so no name stands twice */
	}
	assert_false(rc_verdict_parse("no-such-rule", &(enum rc_verdict){0}));
	assert_string_equal(rc_verdict_class_name(RC_CLASS_OK), "ok");
	assert_string_equal(rc_verdict_class_name(RC_CLASS_POLICY), "policy");
}

/* What is remembered, and under which name. */
static void test_classes(void **state)
{
	(void)state;
	assert_int_equal(rc_verdict_class(RC_VERDICT_OK), RC_CLASS_OK);
	assert_int_equal(rc_verdict_class(RC_V_HEADER_TIME_FUTURE), RC_CLASS_UNKNOWN);
	assert_int_equal(rc_verdict_class(RC_V_TX_INPUT_MISSING), RC_CLASS_INVALID);
	assert_int_equal(rc_verdict_class_loose(RC_V_TX_INPUT_MISSING), RC_CLASS_UNKNOWN);
	assert_int_equal(rc_verdict_class_loose(RC_V_TX_INPUT_IMMATURE), RC_CLASS_UNKNOWN);
	assert_int_equal(rc_verdict_class_loose(RC_V_TX_LOCK_TIME), RC_CLASS_UNKNOWN);
	assert_int_equal(rc_verdict_class_loose(RC_V_TX_RELATIVE_LOCK), RC_CLASS_UNKNOWN);
	assert_int_equal(rc_verdict_class_loose(RC_V_TX_OVERSPEND), RC_CLASS_INVALID);
	assert_int_equal(rc_verdict_class_loose(RC_V_POOL_FEE), RC_CLASS_POLICY);

	assert_true(rc_verdict_without_witness(RC_V_TX_VERSION));
	assert_true(rc_verdict_without_witness(RC_V_TX_OVERSPEND));
	assert_true(rc_verdict_without_witness(RC_V_TX_INPUT_LOCK));
	assert_false(rc_verdict_without_witness(RC_V_TX_PARSE));
	assert_false(rc_verdict_without_witness(RC_V_SIG_INVALID));
	assert_false(rc_verdict_without_witness(RC_V_BLOCK_BUDGET));
	assert_false(rc_verdict_without_witness(RC_V_TX_INPUT_MISSING));

	assert_true(rc_verdict_names_block(RC_V_HEADER_WORK));
	assert_true(rc_verdict_names_block(RC_V_BLOCK_COINBASE));
	assert_true(rc_verdict_names_block(RC_V_SIG_INVALID));
	assert_false(rc_verdict_names_block(RC_V_BLOCK_PARSE));
	assert_false(rc_verdict_names_block(RC_V_BLOCK_SIZE_MAX));
	assert_false(rc_verdict_names_block(RC_V_BLOCK_ROOT_MISMATCH));
	assert_false(rc_verdict_names_block(RC_V_HEADER_TIME_FUTURE));
	assert_false(rc_verdict_names_block(RC_V_PROOF_INVALID));
	assert_false(rc_verdict_names_block(RC_VERDICT_OK));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_classes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
