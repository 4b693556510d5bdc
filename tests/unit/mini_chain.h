/*
 * The smallest possible node, for tests: every block in memory, one state that is moved along the
 * tree by deltas, roots made anew each time. What it finds is what consensus says and nothing else.
 */
#ifndef RC_TEST_MINI_CHAIN_H
#define RC_TEST_MINI_CHAIN_H

#include <uthash.h>

#include "consensus/body_check.h"
#include "consensus/connect.h"
#include "consensus/pow.h"
#include "consensus/state_hash.h"

struct mini_block {
	struct rc_block_id id;
	struct rc_header header;
	struct mini_block *parent;
	struct rc_u256 work;	/* of the chain up to here */
	enum rc_verdict reason; /* what made it invalid, if anything */
	uint32_t arrival;	/* order in which bodies came; 0: none yet */
	uint8_t *raw;		/* the body */
	size_t raw_len;
	bool judged; /* with state: delta and root are there */
	uint8_t *delta;
	size_t delta_len;
	struct rc_hash root; /* of the state after this block */
	UT_hash_handle hh;
};

/* A header that broke a rule for good. */
struct mini_refused {
	struct rc_block_id id;
	enum rc_verdict reason;
	UT_hash_handle hh;
};

/* A block judged with state, and what was found. */
struct mini_judgement {
	struct rc_block_id id;
	enum rc_verdict verdict;
};

struct mini_entry {
	uint8_t ns_key[1 + RC_STATE_KEY_MAX];
	uint8_t *value;
	size_t value_len;
	UT_hash_handle hh;
};

struct mini_coin {
	uint8_t key[RC_OUTPOINT_SIZE];
	struct rc_coin coin;
	UT_hash_handle hh;
};

struct mini_chain {
	struct rc_network network;
	struct mini_block *blocks; /* the tree of headers, with bodies where they came */
	struct mini_refused *refused;
	struct mini_block *at;	/* whose state the state is */
	struct mini_block *tip; /* most work, first to arrive */
	struct mini_coin *coins;
	struct mini_entry *entries; /* namespaces 2 to 5 */
	uint32_t arrivals;
	struct mini_judgement judged[64]; /* during the last offer */
	size_t n_judged;
};

void mini_chain_init(struct mini_chain *chain, const struct rc_network *network);
void mini_chain_done(struct mini_chain *chain);

/*
 * A header, or a whole block, is offered; what happens is written in tests/reference/README.md
 * ("How the node answers"). The verdict is of the rules without state; those with state are in
 * chain->judged, and the tip has moved.
 */
enum rc_verdict mini_chain_header(struct mini_chain *chain, const uint8_t raw[RC_HEADER_SIZE],
				  uint64_t now);
enum rc_verdict mini_chain_block(struct mini_chain *chain, const uint8_t *raw, size_t len,
				 uint64_t now);

/* mini_chain_block, and if that is ok what was judged of this block, if it was. */
enum rc_verdict mini_chain_offer(struct mini_chain *chain, const uint8_t *raw, size_t len,
				 uint64_t now);

struct mini_block *mini_chain_find(struct mini_chain *chain, const struct rc_block_id *id);

/* Moves the state to a judged block. */
void mini_chain_go(struct mini_chain *chain, struct mini_block *to);

/* MTP of a block. */
uint32_t mini_chain_median_time(const struct mini_block *block);

/* The coin at the present state, or NULL. */
const struct rc_coin *mini_chain_coin(const struct mini_chain *chain,
				      const struct rc_outpoint *outpoint);

/* T of the present state. */
rc_amount mini_chain_treasury(const struct mini_chain *chain);

/* Every rule of a loose transaction at the present state's block + 1. */
enum rc_verdict mini_chain_check_tx(struct mini_chain *chain, const uint8_t *raw, size_t len);

/* The present state's root, from all its entries, and the eight namespaces' if asked. */
void mini_chain_root(const struct mini_chain *chain, struct rc_hash *ret_root,
		     struct rc_hash *ret_roots);

/* All entries of a namespace in key order; the caller frees the array, the values are the chain's
 * as long as it isn't changed. */
struct mini_leaf {
	uint8_t key[RC_STATE_KEY_MAX];
	uint8_t coin[RC_COIN_VALUE_MAX];
	const uint8_t *elsewhere; /* the value, if it isn't coin */
	size_t len;
};
struct mini_leaf *mini_chain_leaves(const struct mini_chain *chain, unsigned ns, size_t *ret_n);
const uint8_t *mini_leaf_value(const struct mini_leaf *leaf);

/* All witnesses of a connected result, in the document's order. */
struct rc_witness_finding mini_verify_jobs(const struct rc_hash *network_id,
					   const struct rc_connect_result *result);

#endif
