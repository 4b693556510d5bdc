/* What the wallet asks of a node, by JSON-RPC. The node is trusted for what coins there are (a
 * light node proves it), never with a key, and never for which network it is on. */
#ifndef WALLET_NODE_H
#define WALLET_NODE_H

#include "base/mem.h"
#include "client/jsonrpc.h"
#include "consensus/network.h"
#include "tools/rusty-wallet/coins.h"
#include "types/address.h"

#define NODE_ADDRESSES_MAX 200 /* in one request */

struct node {
	struct rc_jsonrpc *rpc;
	uint32_t tip; /* height of its best block */
};

/* An address of ours, to be asked for. */
struct node_address {
	char text[RC_ADDRESS_SIZE];
	uint8_t output_key[32];
	uint32_t chain, index;
};

struct node_coins {
	struct wallet_coin *coins;
	size_t n, cap;
};

/* RC_ENETWORK if the node is on another network than ours. */
int node_open(const struct rc_jsonrpc_where *where, const struct rc_network *network,
	      struct node *ret_node, struct rc_error *error);
void node_close(struct node *node);

/* Appends the coins of these addresses, the pool's too; those a transaction of the pool spends
 * already are left out. They are asked for in pages; RC_EBUSY if blocks come too fast for that,
 * RC_ETOOBIG beyond 5,000,000 coins of one list of addresses. */
int node_list_coins(struct node *node, const struct node_address *addresses, size_t n,
		    struct node_coins *coins, struct rc_error *error);
void node_coins_done(struct node_coins *coins);

/* The coins of an answer of getaddressutxos; RC_EFORMAT if it isn't one. Pure, for tests. */
int node_parse_coins(const json_t *answer, const struct node_address *addresses, size_t n,
		     struct node_coins *coins, struct rc_error *error);

/* Appends the coin at an outpoint if there is one and it is among the addresses' (*ret_found). */
int node_find_coin(struct node *node, const struct rc_outpoint *at,
		   const struct node_address *addresses, size_t n, struct node_coins *coins,
		   bool *ret_found, struct rc_error *error);

enum node_sent {
	NODE_TAKEN,   /* it is in the node's pool, or in the chain already */
	NODE_REFUSED, /* the node looked at it and said no */
	NODE_UNASKED, /* it never reached the node, or no daemon that could take it */
	NODE_UNSURE,  /* there was no answer, or none that tells */
};

/* Gives a signed transaction to the node's pool. Asking again is harmless. *ret_sent tells what
 * became of it; the result is RC_OK for NODE_TAKEN, else the error. */
int node_send(struct node *node, struct rc_bytes raw, const struct rc_txid *txid,
	      enum node_sent *ret_sent, struct rc_error *error);

#endif
