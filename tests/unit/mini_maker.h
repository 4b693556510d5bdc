/* A chain of a few blocks on a small network, and what makes more: drafts of blocks and payments
 * that a test changes before they are signed, mined and offered. */
#ifndef RC_TEST_MINI_MAKER_H
#define RC_TEST_MINI_MAKER_H

#include "consensus/coinbase.h"
#include "consensus/taproot.h"
#include "tests/unit/mini_chain.h"

#define MAKER_MATURITY	  2
#define MAKER_BLOCK_LIMIT 10000 /* bytes, the least a network may have */

struct key {
	uint8_t secret[32]; /* of the output key */
	uint8_t lock[RC_LOCK_KEY_SIZE];
};

/* A chain of a few coinbases, all to one key. */
struct maker {
	struct mini_chain chain;
	struct key key;
	struct rc_outpoint coins[8]; /* the coinbase's output of height i + 1 */
	uint64_t now;
};

/* Four blocks on a custom network like reg. */
void maker_init(struct maker *maker);
void maker_done(struct maker *maker);
/* One more; the maker remembers the coins of the first eight. */
void maker_mine(struct maker *maker);
/* The KEY lock that everything pays to. */
struct rc_lock maker_lock(const struct maker *maker);

/* A block to be: change what you like, then offer it. */
struct draft {
	struct maker *maker;
	struct rc_header header;
	struct rc_tx coinbase;
	struct rc_tx_out outputs[2];
	struct rc_coinbase payload;
	struct rc_buf txs[4]; /* after the coinbase */
	uint32_t n_txs;
	bool keep_root; /* the header's tx_root is as it should be */
};

/* An empty block on the tip. */
void draft_init(struct draft *d, struct maker *maker);
/* The bytes of the block, mined; draft_offer also frees what the draft holds. */
void draft_encode(struct draft *d, struct rc_buf *raw);
enum rc_verdict draft_offer(struct draft *d);

struct pay {
	struct maker *maker;
	struct rc_tx tx;
	struct rc_tx_in inputs[2];
	struct rc_tx_out outputs[2];
	struct rc_coin coins[2];
	const struct rc_coin *coin_list[2];
	struct rc_buf witness;
};

/* Spends the coinbase of a height, all of it; without a witness yet. */
void pay_init(struct pay *p, struct maker *maker, uint32_t height);
void pay_sign_item(struct pay *p, uint8_t ret_item[64]);
void pay_witness(struct pay *p, const struct rc_bytes *items, size_t n);
void pay_sign(struct pay *p);
/* Appends the transaction's bytes and frees what p holds. */
void pay_encode(struct pay *p, struct rc_buf *raw);
/* The verdict of a block with this payment, signed already or now. */
enum rc_verdict pay_offer(struct pay *p);
enum rc_verdict pay_sign_and_offer(struct pay *p);

/* A spend by policy path of a coin that exists only here: arguments, policy, control block, and
 * what the control block claims can be changed before it is checked. */
struct policy_spend {
	struct pay pay;
	struct rc_buf policy;
	uint8_t internal[32];
	uint8_t control[RC_CONTROL_SIZE_MAX + 1];
	size_t control_len;
	struct rc_bytes arguments[RC_POLICY_KEYS_MAX];
	size_t n_arguments;
};

void policy_init(struct policy_spend *s, struct maker *maker);
/* Makes the coin's lock commit to the policy as it is now. */
void policy_commit(struct policy_spend *s);
/* The usual policy here: one height that has come, no arguments. */
void policy_plain(struct policy_spend *s, struct maker *maker);
/* The witness rules on it; frees what s holds. */
enum rc_verdict policy_spend_check(struct policy_spend *s);

#endif
