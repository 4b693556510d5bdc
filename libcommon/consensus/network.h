/* A network is its table: every parameter of consensus, encoded, and what follows from it. */
#ifndef RC_CONSENSUS_NETWORK_H
#define RC_CONSENSUS_NETWORK_H

#include "base/buf.h"
#include "base/err.h"
#include "types/amount.h"
#include "types/header.h"
#include "types/id.h"

/* Little-endian limbs: w[0] is the least significant. */
struct rc_u256 {
	uint64_t w[4];
};

#define RC_NETWORK_TABLE_VERSION 1
#define RC_NETWORK_NAME_MAX	 16
#define RC_NETWORK_HRP_MAX	 15
#define RC_NETWORK_TEXT_MAX	 64
/* The table's fields in order: version, name, hrp, time and bits, text, spacing, retarget, limit,
 * half-life and future limit, subsidy, halving, shares, maturity, block limit and cycle,
 * collateral. */
#define RC_NETWORK_TABLE_MAX                                                                      \
	(2 + 1 + RC_NETWORK_NAME_MAX + 1 + RC_NETWORK_HRP_MAX + 8 + 1 + RC_NETWORK_TEXT_MAX + 4 + \
	 1 + 4 + 8 + 8 + 4 + 2 + 12 + 8)
/* header 118, count 1, transaction 34 and its payload: height 4, zero 1, length 1, text */
#define RC_GENESIS_SIZE_MAX (118 + 1 + 2 + 2 + 1 + 1 + 8 + 2 + 4 + 1 + 6 + RC_NETWORK_TEXT_MAX)

enum rc_retarget {
	RC_RETARGET_NONE = 0, /* always the limit */
	RC_RETARGET_ASERT = 1,
};

/* The table's fields, in its order (20-consensus, "Networks"). Text is terminated. */
struct rc_network_params {
	char name[RC_NETWORK_NAME_MAX + 1];
	char hrp[RC_NETWORK_HRP_MAX + 1];
	uint32_t genesis_time;
	uint32_t genesis_bits;
	uint8_t genesis_text_len;
	uint8_t genesis_text[RC_NETWORK_TEXT_MAX + 1];
	uint32_t spacing; /* seconds */
	uint8_t retarget; /* enum rc_retarget */
	uint32_t limit_bits;
	uint32_t half_life;	  /* seconds */
	uint32_t future_limit;	  /* seconds */
	rc_amount subsidy;	  /* oxides */
	uint32_t halving;	  /* blocks */
	uint8_t masternode_share; /* percent */
	uint8_t treasury_share;	  /* percent */
	uint32_t maturity;	  /* blocks */
	uint32_t block_limit;	  /* bytes */
	uint32_t cycle;		  /* blocks */
	rc_amount collateral;	  /* oxides */
};

/* Not part of the table. */
struct rc_ports {
	uint16_t peers;
	uint16_t rpcd;
	uint16_t operations;
	uint16_t bus; /* the first of them */
};

#define RC_NETWORK_BOOTSTRAP_MAX 1024

struct rc_network {
	struct rc_network_params params;
	size_t table_len;
	uint8_t table[RC_NETWORK_TABLE_MAX];
	struct rc_u256 limit;	       /* target of limit_bits */
	struct rc_u256 genesis_target; /* target of genesis_bits */
	struct rc_header genesis_header;
	struct rc_block_id genesis_id;
	size_t genesis_len;
	uint8_t genesis_block[RC_GENESIS_SIZE_MAX];
	struct rc_hash id; /* H(RC/network, table ‖ genesis id) */
	struct rc_ports ports;
	char bootstrap[RC_NETWORK_BOOTSTRAP_MAX]; /* addresses, comma between; may be empty */
};

/* The parameters of "main", "test" or "reg"; NULL for any other name. */
const struct rc_network_params *rc_network_builtin_params(const char *name);

/* One of the three by name; false if it is none of them. */
bool rc_network_builtin(const char *name, struct rc_network *ret_network);

/*
 * A custom network: every bound of the table is checked, and the error names the field
 * (RC_ERANGE). Ports are those of custom networks, bootstrap is empty; the caller may change both.
 */
int rc_network_custom(const struct rc_network_params *params, struct rc_network *ret_network,
		      struct rc_error *error);

/* Fields to the canonical bytes. */
void rc_network_table_encode(const struct rc_network_params *params, struct rc_buf *buf);
/* Strict in form only; the bounds are rc_network_custom's. */
bool rc_network_table_decode(const void *table, size_t len, struct rc_network_params *ret_params);

/* The encoded genesis block of a network with these parameters; nothing is checked. */
void rc_genesis_encode(const struct rc_network_params *params, struct rc_buf *buf);

#endif
