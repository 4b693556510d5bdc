/*
 * peerd's cores in one process with everything around them replaced: a network of queues with
 * latency, a chaind that believes every header, one clock that moves by events, chance from a seed.
 */
#ifndef PEER_RIG_H
#define PEER_RIG_H

#include "daemons/peerd/peerd.h"
#include "rc_test.h"

#define RIG_NODES 16

struct rig;

/* A block as the fake chain knows it. */
struct rig_block {
	struct rc_block_id id;
	struct rig_block *parent;
	uint32_t height;
	uint8_t header[RC_HEADER_SIZE];
	uint8_t *body; /* NULL: not here */
	size_t len;
	uint64_t leased_to;
	int64_t leased_until;
	bool connected;
	UT_hash_handle hh;
};

struct rig_tx {
	struct rc_wtxid wtxid;
	struct rc_txid txid;
	uint8_t *raw;
	size_t len;
	UT_hash_handle hh;
};

struct rig_node {
	struct rig *rig;
	struct peerd *core;
	struct net_addr addr, alias; /* it is reached at both */
	struct timer wake;
	struct rig_block *blocks, *best_header, *tip;
	struct rig_tx *pool;
	struct rig_wanted *wanted; /* long polls that are open */
	struct anchors anchors;	   /* given to its next core */
	bool chain_up;
	bool silent;		    /* takes bytes and hands none to its core: a stalled node */
	const char *refuse;	    /* verdict of every block it is given, NULL: ok */
	const char *refuse_txs;	    /* class of the verdict of every transaction, NULL: ok */
	const char *refuse_headers; /* verdict of those that are counted, NULL: ok */
	uint32_t pool_most;	    /* transactions in one answer of its pool, 0: any number */
	bool no_route;		    /* its dials fail at once */
	bool no_network;	    /* all of them, by its own fault */
	bool proxy_down;	    /* its dials end by the proxy's fault */
	bool proxy_silent;	    /* and never, but for being late */
	/* What its chaind says of compact blocks, and how often it was asked. */
	struct rc_bytes compact; /* of every block; empty: whole ones */
	struct rc_block_part txns;
	struct rc_rebuild rebuild, rebuild_again;
	unsigned compacts_asked, txns_asked, rebuilds;
	size_t places_asked;  /* bytes of the last question's places */
	uint32_t count_until; /* headers aren't kept before a branch was shown up to this height */
	struct rc_block_id count_from;
	unsigned blocks_taken, duplicates, dials, pool_lists;
};

struct rig {
	int64_t now;
	struct timers events;
	struct rc_test_random random;
	struct rc_clock clock;
	struct rc_network network;
	int64_t latency;
	size_t window; /* bytes on their way in one direction of a connection */
	struct rig_node nodes[RIG_NODES];
	unsigned n;
	struct rig_end *ends; /* all that were made, freed at the end */
};

void rig_init(struct rig *rig, uint64_t seed);
void rig_done(struct rig *rig);
/* A node with 127.0.0.1:(20000 + i), its options to be changed before rig_start. */
struct peerd_options rig_options(unsigned i);
struct rig_node *rig_add(struct rig *rig, const struct peerd_options *options);
/* Begins a rig of one node, which has 20 blocks. */
struct rig_node *rig_of_one(struct rig *rig, uint64_t seed);
/* Runs events until the time has passed or until(arg) holds; returns whether it does. */
bool rig_run(struct rig *rig, int64_t us, bool (*until)(void *arg), void *arg);
/* Runs events for so many milliseconds. */
void rig_turn(struct rig *rig, int64_t ms);
/* Ends the core as kill -9 would; a new one is made from nothing by rig_restart. */
void rig_kill(struct rig_node *node);
void rig_restart(struct rig_node *node, const struct peerd_options *options);

/* Grows a node's chain by n blocks of len bytes each (≥ 118), as if it had mined them; fork tells
 * branches apart. */
void rig_mine(struct rig_node *node, unsigned n, size_t len, uint8_t fork);
/* A transaction into its pool as a user's; returns its wtxid. */
struct rc_wtxid rig_pay(struct rig_node *node, uint32_t number);
/* As a block took it. */
void rig_confirm(struct rig_node *node, const struct rc_wtxid *wtxid);
bool rig_has_tx(const struct rig_node *node, const struct rc_wtxid *wtxid);
void rig_make_tx(uint32_t number, struct rc_buf *buf);
/*
 * A peer that is no node: a link of its own, opened to a node, which says what the test tells it.
 * It must outlive the rig's last run.
 */
struct rig_stranger {
	struct rig *rig;
	struct rig_end *end;
	struct rc_link *link;
	uint64_t peer; /* what the node calls it; 0: refused */
	bool closed;   /* the node ended it */
	bool deaf;     /* it takes nothing of what the node sends */
	unsigned heard[PEER_MSG_LIMIT];
	uint8_t said[PEER_MSG_LIMIT][64]; /* the first bytes of the last one of a type */
};
void rig_stranger_dial(struct rig_stranger *stranger, struct rig_node *node, uint16_t port);
/* The same with any IP:PORT. */
void rig_stranger_dial_from(struct rig_stranger *stranger, struct rig_node *node, const char *from);
/* Its hello; relay: it wants transactions. */
void rig_stranger_greet(struct rig_stranger *stranger, bool relay);
/* All of it: a link from any IP:PORT that is ready, and wants transactions; false: refused. */
bool rig_open(struct rig_stranger *stranger, struct rig_node *node, const char *from);
void rig_stranger_send(struct rig_stranger *stranger, enum rc_link_stream stream, uint16_t type,
		       const void *data, size_t len);
/* Bytes as they are, outside of the link. */
void rig_stranger_write(struct rig_stranger *stranger, const uint8_t *data, size_t len);
/* It takes again what the node sends. */
void rig_stranger_listen(struct rig_stranger *stranger);
void rig_stranger_done(struct rig_stranger *stranger);

/* Whether all nodes have the tip of the first one. */
bool rig_agree(void *rig);

#endif
