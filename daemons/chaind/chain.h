/*
 * The header tree: every header this node keeps, with its work, its place, what is known of its
 * block, and the best chain through it. Pure data: time comes in, what must be stored goes out by
 * the dirty list.
 */
#ifndef CHAIND_CHAIN_H
#define CHAIND_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "consensus/header_check.h"
#include "consensus/network.h"
#include "consensus/pow.h"
#include "types/header.h"

/* What is known of a block. The stored ones are the format of the index: never renumbered. */
enum node_flag {
	NODE_BODY = 1,	     /* stored: its body is in the store */
	NODE_VALID = 2,	     /* stored: every rule held once */
	NODE_FAILED = 4,     /* stored: a rule failed, see verdict */
	NODE_VETOED = 8,     /* stored: an operator called it invalid */
	NODE_CHAIN = 16,     /* bodies of it and of all its ancestors are stored */
	NODE_UNDER_BAD = 32, /* an ancestor is failed or vetoed */
	NODE_DIRTY = 64,     /* on the dirty list */
	NODE_STUCK = 128,    /* can't be reached from the state (undo data gone): not tried again */
	NODE_SYNCED = 256,   /* its body is on the disk */
};
#define NODE_STORED_FLAGS (NODE_BODY | NODE_VALID | NODE_FAILED | NODE_VETOED)
#define NODE_BAD	  (NODE_FAILED | NODE_VETOED | NODE_UNDER_BAD)

struct block_node {
	UT_hash_handle hh;
	struct rc_block_id id;
	struct rc_header header;
	struct block_node *parent; /* NULL: genesis */
	struct block_node *skip;   /* an ancestor far below: log time to any height */
	struct block_node *child;  /* first of the children, siblings chained */
	struct block_node *sibling;
	struct block_node *dirty_next;
	struct rc_u256 work; /* from block 1 to here */
	uint64_t order;	     /* of its body's arrival; 0: no body yet */
	uint32_t median_time;
	uint32_t size;
	uint32_t n_txs;
	uint16_t verdict; /* enum rc_verdict of a failed one */
	uint16_t flags;
};

struct bad_header;

/* anc is node itself or an ancestor of it. */
bool node_is_ancestor(const struct block_node *anc, struct block_node *node);

struct chain {
	const struct rc_network *network;
	struct block_node *nodes; /* by id */
	struct block_node *genesis;
	struct block_node **active; /* the applied chain by height */
	uint32_t active_len;
	uint32_t active_cap;
	struct block_node *best_header; /* most work, not bad */
	struct rc_u256 least_work;	/* of the network's chain, as far as an operator knows */
	struct block_node *dirty;
	uint64_t next_order;
	struct bad_header *bad_headers; /* refused for good, oldest first */
	size_t n_bad_headers;
};

void chain_init(struct chain *chain, const struct rc_network *network);
void chain_done(struct chain *chain);

static inline uint32_t node_height(const struct block_node *node)
{
	return node->header.height;
}

static inline bool node_bad(const struct block_node *node)
{
	return node->flags & NODE_BAD;
}

struct block_node *chain_find(const struct chain *chain, const struct rc_block_id *id);
/* The applied tip (genesis before any block), and a block of the applied chain; NULL above it. */
struct block_node *chain_tip(const struct chain *chain);
struct block_node *chain_at(const struct chain *chain, uint32_t height);
bool chain_is_active(const struct chain *chain, const struct block_node *node);
/* The applied tip is now this one. */
void chain_set_tip(struct chain *chain, struct block_node *node);

/* The ancestor (or node itself) at a height not above its own. */
struct block_node *node_ancestor(struct block_node *node, uint32_t height);
/* The last common ancestor. */
struct block_node *node_fork(struct block_node *a, struct block_node *b);
/* Which is the better chain to be on: > 0 if a is. Work, then fully checked, then first come. */
int node_compare(const struct block_node *a, const struct block_node *b);

/*
 * A header's rules, and its place. *ret_node is the kept one (also of one known before, with the
 * verdict remembered for it); NULL if it isn't kept. Only ok and known ones are kept: what failed
 * is remembered by its id, as far as 20-consensus lets it be.
 */
enum rc_verdict chain_accept_header(struct chain *chain, const struct rc_header *header,
				    const struct rc_block_id *id, uint64_t now,
				    struct block_node **ret_node);
/* The same without keeping anything: for headers that come after another one not kept. */
enum rc_verdict chain_check_header(struct chain *chain, const struct rc_header *header,
				   const struct rc_block_id *id, const struct block_node *parent,
				   uint64_t now);
/* Puts a header under its parent without asking any rule: what the store had. */
struct block_node *chain_insert(struct chain *chain, const struct rc_header *header,
				const struct rc_block_id *id, struct block_node *parent);

/* All that the store had is in: chooses the best header. */
void chain_loaded(struct chain *chain);

/* The body is stored: an order of arrival, and perhaps whole chains behind it. */
void chain_set_body(struct chain *chain, struct block_node *node, uint32_t size, uint32_t n_txs);
/* What the store had: flags and order as they are. */
void chain_restore_body(struct chain *chain, struct block_node *node, uint8_t flags, uint64_t order,
			uint32_t size, uint32_t n_txs, enum rc_verdict verdict);
/* The body turned out to be lost. */
void chain_lose_body(struct chain *chain, struct block_node *node);
void chain_set_valid(struct chain *chain, struct block_node *node);
void chain_set_failed(struct chain *chain, struct block_node *node, enum rc_verdict verdict);
void chain_set_stuck(struct chain *chain, struct block_node *node);
/* An operator's word; reconsider lifts it, and failures, of the block, its ancestors and
 * descendants. */
void chain_veto(struct chain *chain, struct block_node *node);
void chain_reconsider(struct chain *chain, struct block_node *node);

/* The best block that could be the tip: all bodies there, nothing bad. Never NULL. */
struct block_node *chain_best(struct chain *chain);
/* As chain_best, over these and their descendants only: cheap after an arrival. */
struct block_node *chain_best_below(struct block_node *node, struct block_node *best);

/* Ids a peer is asked from, at most CHAIN_LOCATOR_MAX: the tip's last ten, then thinning out. */
#define CHAIN_LOCATOR_MAX 64
size_t chain_locator(struct block_node *from, struct rc_block_id ret_ids[CHAIN_LOCATOR_MAX]);

/*
 * How much work a branch must end with to take memory (40-network, "Conduct"): more than the tip's
 * less 144 blocks' worth, and the least that is known of the network's chain.
 */
struct chain_need {
	bool none; /* on a network whose work means nothing */
	struct rc_u256 above, slack, least;
};
struct chain_need chain_need(const struct chain *chain);
bool chain_need_met(const struct chain_need *need, const struct rc_u256 *work);
/* The last kept one of what a run, n ≥ 1, stands on and begins with; NULL: it stands on nothing
 * known. *ret_kept: how many of the run are kept. */
struct block_node *chain_run_base(const struct chain *chain, const struct rc_header *headers,
				  const struct rc_block_id *ids, size_t n, size_t *ret_kept);
/* Whether a run of headers, n ≥ 1, on top of what is known may take memory. Only work that was done
 * counts: neither what a target claims, nor a header that doesn't follow the one before it. True
 * also where none of them would take memory. */
bool chain_run_enough(const struct chain *chain, const struct rc_header *headers,
		      const struct rc_block_id *ids, size_t n);

/* Takes the next node whose record must be written; NULL: none. */
struct block_node *chain_next_dirty(struct chain *chain);
void chain_mark_dirty(struct chain *chain, struct block_node *node);

/* Hash table iteration for lists: every node, any order. */
#define CHAIN_EACH(chain, node) \
	for ((node) = (chain)->nodes; (node); (node) = (struct block_node *)(node)->hh.next)

#endif
