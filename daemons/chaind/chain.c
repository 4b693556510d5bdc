/* The header tree. See chain.h. */
#include "daemons/chaind/chain.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Headers refused for good that are remembered: each cost its sender a proof of work. 10,000 × 96
 * bytes is 1 MB; beyond, the oldest is forgotten. */
#define BAD_HEADERS_MAX 10000

/* 40-network, "Conduct": a branch is kept when it has more work than the tip less so many blocks.
 */
#define LOW_WORK_BLOCKS 144

struct bad_header {
	UT_hash_handle hh;
	struct rc_block_id id;
	enum rc_verdict verdict;
};

static void remember_bad(struct chain *chain, const struct rc_block_id *id, enum rc_verdict verdict)
{
	struct bad_header *bad;

	HASH_FIND(hh, chain->bad_headers, id->b, sizeof(id->b), bad);
	if (bad)
		return;
	if (chain->n_bad_headers >= BAD_HEADERS_MAX) {
		bad = chain->bad_headers; /* uthash keeps the order of insertion */
		HASH_DEL(chain->bad_headers, bad);
		free(bad);
		chain->n_bad_headers--;
	}
	bad = rc_alloc(sizeof(*bad));
	bad->id = *id;
	bad->verdict = verdict;
	HASH_ADD(hh, chain->bad_headers, id.b, sizeof(bad->id.b), bad);
	chain->n_bad_headers++;
}

void chain_init(struct chain *chain, const struct rc_network *network)
{
	memset(chain, 0, sizeof(*chain));
	chain->network = network;
	chain->next_order = 1;
	chain->genesis = chain_insert(chain, &network->genesis_header, &network->genesis_id, NULL);
	chain->genesis->flags = NODE_BODY | NODE_VALID | NODE_CHAIN | NODE_SYNCED;
	chain->genesis->n_txs = 1;
	chain->genesis->size = (uint32_t)network->genesis_len;
	chain->best_header = chain->genesis;
	chain_set_tip(chain, chain->genesis);
}

void chain_done(struct chain *chain)
{
	struct block_node *node, *next;
	struct bad_header *bad, *bad_next;

	HASH_ITER (hh, chain->nodes, node, next) {
		HASH_DEL(chain->nodes, node);
		free(node);
	}
	HASH_ITER (hh, chain->bad_headers, bad, bad_next) {
		HASH_DEL(chain->bad_headers, bad);
		free(bad);
	}
	free(chain->active);
	memset(chain, 0, sizeof(*chain));
}

struct block_node *chain_find(const struct chain *chain, const struct rc_block_id *id)
{
	struct block_node *node;

	HASH_FIND(hh, chain->nodes, id->b, sizeof(id->b), node);
	return node;
}

struct block_node *chain_tip(const struct chain *chain)
{
	return chain->active[chain->active_len - 1];
}

struct block_node *chain_at(const struct chain *chain, uint32_t height)
{
	return height < chain->active_len ? chain->active[height] : NULL;
}

bool chain_is_active(const struct chain *chain, const struct block_node *node)
{
	return chain_at(chain, node_height(node)) == node;
}

void chain_set_tip(struct chain *chain, struct block_node *node)
{
	uint32_t len = node_height(node) + 1;

	if (len > chain->active_cap) {
		chain->active_cap = len + len / 2 + 1024;
		chain->active =
			rc_realloc_array(chain->active, chain->active_cap, sizeof(*chain->active));
	}
	for (struct block_node *n = node; n; n = n->parent) {
		uint32_t h = node_height(n);

		if (h < chain->active_len && chain->active[h] == n)
			break;
		chain->active[h] = n;
	}
	chain->active_len = len;
}

/* The height a skip pointer leads to: clears low set bits, so that log steps reach any height. */
static uint32_t skip_height(uint32_t height)
{
	if (height < 2)
		return 0;
	/* An odd height's two lowest bits are cleared, an even one's lowest (as Bitcoin Core). */
	if (height & 1) {
		uint32_t even = height - 1;

		even &= even - 1;
		return (even & (even - 1)) + 1;
	}
	return height & (height - 1);
}

struct block_node *node_ancestor(struct block_node *node, uint32_t height)
{
	assert(height <= node_height(node));
	while (node_height(node) > height) {
		uint32_t skip = skip_height(node_height(node));
		uint32_t skip_prev = skip_height(node_height(node) - 1);
		bool worth = skip == height ||
			     (skip > height && !(skip_prev + 2 < skip && skip_prev >= height));

		node = node->skip && worth ? node->skip : node->parent;
	}
	return node;
}

struct block_node *node_fork(struct block_node *a, struct block_node *b)
{
	if (node_height(a) > node_height(b))
		a = node_ancestor(a, node_height(b));
	else
		b = node_ancestor(b, node_height(a));
	while (a != b) {
		if (a->skip && b->skip && a->skip != b->skip) {
			a = a->skip;
			b = b->skip;
		} else {
			a = a->parent;
			b = b->parent;
		}
	}
	return a;
}

bool node_is_ancestor(const struct block_node *anc, struct block_node *node)
{
	return node_height(anc) <= node_height(node) &&
	       node_ancestor(node, node_height(anc)) == anc;
}

int node_compare(const struct block_node *a, const struct block_node *b)
{
	int by_work = rc_u256_cmp(&a->work, &b->work);
	bool a_valid = a->flags & NODE_VALID, b_valid = b->flags & NODE_VALID;

	if (by_work)
		return by_work;
	if (a_valid != b_valid)
		return a_valid ? 1 : -1;
	return (a->order < b->order) - (a->order > b->order);
}

static uint32_t median_of(struct block_node *node)
{
	uint32_t times[RC_MEDIAN_SPAN];
	size_t n = 0;

	for (; node && n < RC_MEDIAN_SPAN; node = node->parent)
		times[n++] = node->header.time;
	return rc_median_time(times, n);
}

struct block_node *chain_insert(struct chain *chain, const struct rc_header *header,
				const struct rc_block_id *id, struct block_node *parent)
{
	struct block_node *node = rc_alloc(sizeof(*node));

	node->id = *id;
	node->header = *header;
	node->parent = parent;
	if (parent) {
		node->work = rc_work_add(parent->work, rc_work_of_bits(header->bits));
		node->skip = node_ancestor(parent, skip_height(header->height));
		node->sibling = parent->child;
		parent->child = node;
		if (parent->flags & NODE_BAD)
			node->flags |= NODE_UNDER_BAD;
	}
	node->median_time = median_of(node);
	HASH_ADD(hh, chain->nodes, id.b, sizeof(node->id.b), node);
	if (!chain->best_header ||
	    (!node_bad(node) && rc_u256_cmp(&node->work, &chain->best_header->work) > 0))
		chain->best_header = node;
	return node;
}

enum rc_verdict chain_check_header(struct chain *chain, const struct rc_header *header,
				   const struct rc_block_id *id, const struct block_node *parent,
				   uint64_t now)
{
	struct rc_header_parent p;

	if (!parent)
		return rc_header_check(chain->network, header, id, NULL, now);
	p.invalid = parent->flags & NODE_BAD;
	p.height = node_height(parent);
	p.time = parent->header.time;
	p.median_time = parent->median_time;
	return rc_header_check(chain->network, header, id, &p, now);
}

enum rc_verdict chain_accept_header(struct chain *chain, const struct rc_header *header,
				    const struct rc_block_id *id, uint64_t now,
				    struct block_node **ret_node)
{
	struct block_node *node = chain_find(chain, id);
	struct block_node *parent;
	struct bad_header *bad;
	enum rc_verdict verdict;

	*ret_node = node;
	if (node) {
		if (node->flags & NODE_FAILED)
			return node->verdict;
		return node->flags & (NODE_UNDER_BAD | NODE_VETOED) ? RC_V_HEADER_PARENT_INVALID
								    : RC_VERDICT_OK;
	}
	HASH_FIND(hh, chain->bad_headers, id->b, sizeof(id->b), bad);
	if (bad)
		return bad->verdict;
	parent = chain_find(chain, &header->prev);
	verdict = chain_check_header(chain, header, id, parent, now);
	HASH_FIND(hh, chain->bad_headers, header->prev.b, sizeof(header->prev.b), bad);
	if (verdict == RC_V_HEADER_PARENT_UNKNOWN && bad)
		verdict = RC_V_HEADER_PARENT_INVALID;
	if (verdict == RC_VERDICT_OK) {
		*ret_node = chain_insert(chain, header, id, parent);
		chain_mark_dirty(chain, *ret_node);
	} else if (rc_verdict_class(verdict) == RC_CLASS_INVALID && verdict > RC_V_HEADER_WORK) {
		/* Before the proof of work has held, an id costs nothing to make. */
		remember_bad(chain, id, verdict);
	}
	return verdict;
}

/* Walks a subtree without recursion: the next node after n below root, skipping n's children if
 * told so. */
static struct block_node *next_below(struct block_node *root, struct block_node *n, bool skip)
{
	if (!skip && n->child)
		return n->child;
	while (n != root && !n->sibling)
		n = n->parent;
	return n == root ? NULL : n->sibling;
}

static void spread_chain(struct block_node *root)
{
	struct block_node *n = root;

	while (n) {
		bool whole = n->flags & NODE_BODY && n->parent && n->parent->flags & NODE_CHAIN;

		if (whole)
			n->flags |= NODE_CHAIN;
		n = next_below(root, n, !whole);
	}
}

void chain_set_body(struct chain *chain, struct block_node *node, uint32_t size, uint32_t n_txs)
{
	node->size = size;
	node->n_txs = n_txs;
	if (!(node->flags & NODE_BODY))
		node->order = chain->next_order++;
	node->flags |= NODE_BODY;
	spread_chain(node);
	chain_mark_dirty(chain, node);
}

void chain_restore_body(struct chain *chain, struct block_node *node, uint8_t flags, uint64_t order,
			uint32_t size, uint32_t n_txs, enum rc_verdict verdict)
{
	node->flags |= flags & NODE_STORED_FLAGS;
	if (flags & NODE_BODY)
		node->flags |= NODE_SYNCED;
	node->order = order;
	node->size = size;
	node->n_txs = n_txs;
	node->verdict = (uint16_t)verdict;
	if (order >= chain->next_order)
		chain->next_order = order + 1;
	spread_chain(node);
}

void chain_lose_body(struct chain *chain, struct block_node *node)
{
	struct block_node *n = node;

	node->flags &= (uint16_t) ~(NODE_BODY | NODE_SYNCED);
	node->order = 0;
	while (n) {
		n->flags &= (uint16_t)~NODE_CHAIN;
		n = next_below(node, n, false);
	}
	chain_mark_dirty(chain, node);
}

void chain_set_valid(struct chain *chain, struct block_node *node)
{
	if (node->flags & NODE_VALID)
		return;
	node->flags |= NODE_VALID;
	chain_mark_dirty(chain, node);
}

static void find_best_header(struct chain *chain)
{
	struct block_node *node;

	chain->best_header = chain->genesis;
	CHAIN_EACH(chain, node)
	{
		if (!node_bad(node) && (rc_u256_cmp(&node->work, &chain->best_header->work) > 0 ||
					(node != chain->best_header &&
					 rc_u256_cmp(&node->work, &chain->best_header->work) == 0 &&
					 chain_is_active(chain, node))))
			chain->best_header = node;
	}
}

void chain_loaded(struct chain *chain)
{
	find_best_header(chain);
}

static void spread_bad(struct chain *chain, struct block_node *root)
{
	struct block_node *n = root;

	while ((n = next_below(root, n, false)))
		n->flags |= NODE_UNDER_BAD;
	if (node_bad(chain->best_header))
		find_best_header(chain);
}

void chain_set_failed(struct chain *chain, struct block_node *node, enum rc_verdict verdict)
{
	node->flags |= NODE_FAILED;
	node->verdict = (uint16_t)verdict;
	chain_mark_dirty(chain, node);
	spread_bad(chain, node);
}

void chain_set_stuck(struct chain *chain, struct block_node *node)
{
	(void)chain;
	node->flags |= NODE_STUCK;
}

void chain_veto(struct chain *chain, struct block_node *node)
{
	node->flags |= NODE_VETOED;
	chain_mark_dirty(chain, node);
	spread_bad(chain, node);
}

static void clear_bad(struct chain *chain, struct block_node *node)
{
	node->flags &= (uint16_t)~NODE_STUCK;
	if (node->flags & (NODE_FAILED | NODE_VETOED)) {
		node->flags &= (uint8_t) ~(NODE_FAILED | NODE_VETOED);
		node->verdict = RC_VERDICT_OK;
		chain_mark_dirty(chain, node);
	}
}

void chain_reconsider(struct chain *chain, struct block_node *node)
{
	struct block_node *top = node, *n;

	for (n = node; n; n = n->parent) {
		if (n->flags & (NODE_FAILED | NODE_VETOED))
			top = n;
		clear_bad(chain, n);
	}
	for (n = node; n; n = next_below(node, n, false))
		clear_bad(chain, n);
	/* Another branch below top may have failures of its own: what is under those stays bad. */
	for (n = top; n; n = next_below(top, n, false)) {
		if (n->parent && n->parent->flags & NODE_BAD)
			n->flags |= NODE_UNDER_BAD;
		else
			n->flags &= (uint16_t)~NODE_UNDER_BAD;
	}
	find_best_header(chain);
}

struct block_node *chain_best_below(struct block_node *node, struct block_node *best)
{
	struct block_node *n = node;

	while (n) {
		bool fit = n->flags & NODE_CHAIN && !(n->flags & (NODE_BAD | NODE_STUCK));

		if (fit && n != best && node_compare(n, best) > 0)
			best = n;
		n = next_below(node, n, !fit);
	}
	return best;
}

struct block_node *chain_best(struct chain *chain)
{
	return chain_best_below(chain->genesis, chain->genesis);
}

size_t chain_locator(struct block_node *from, struct rc_block_id ret_ids[CHAIN_LOCATOR_MAX])
{
	size_t n = 0;
	uint32_t step = 1;

	for (;;) {
		uint32_t height = node_height(from);

		ret_ids[n++] = from->id;
		if (height == 0 || n == CHAIN_LOCATOR_MAX)
			return n;
		if (n >= 10)
			step *= 2;
		from = node_ancestor(
			from, n == CHAIN_LOCATOR_MAX - 1 || height < step ? 0 : height - step);
	}
}

struct chain_need chain_need(const struct chain *chain)
{
	struct block_node *tip = chain_tip(chain);
	struct rc_u256 one = rc_work_of_bits(tip->header.bits);
	struct chain_need need = {
		.none = chain->network->params.retarget == RC_RETARGET_NONE,
		.above = tip->work,
		.least = chain->least_work,
	};

	for (int i = 0; i < LOW_WORK_BLOCKS; i++)
		need.slack = rc_work_add(need.slack, one);
	return need;
}

bool chain_need_met(const struct chain_need *need, const struct rc_u256 *work)
{
	struct rc_u256 with = rc_work_add(*work, need->slack);

	return need->none ||
	       (rc_u256_cmp(&with, &need->above) > 0 && rc_u256_cmp(work, &need->least) >= 0);
}

struct block_node *chain_run_base(const struct chain *chain, const struct rc_header *headers,
				  const struct rc_block_id *ids, size_t n, size_t *ret_kept)
{
	struct block_node *base = chain_find(chain, &headers[0].prev), *known;
	size_t i = 0;

	for (; i < n && (known = chain_find(chain, &ids[i])); i++)
		base = known;
	*ret_kept = i;
	return base;
}

bool chain_run_enough(const struct chain *chain, const struct rc_header *headers,
		      const struct rc_block_id *ids, size_t n)
{
	struct chain_need need = chain_need(chain);
	const struct block_node *base;
	struct rc_u256 work;
	size_t i;

	base = chain_run_base(chain, headers, ids, n, &i);
	if (!base || i == n)
		return true;
	work = base->work;
	for (; i < n; i++) {
		if ((i > 0 && !rc_block_id_eq(&headers[i].prev, &ids[i - 1])) ||
		    rc_header_check_alone(chain->network, &headers[i], &ids[i]) != RC_VERDICT_OK)
			break;
		work = rc_work_add(work, rc_work_of_bits(headers[i].bits));
	}
	return chain_need_met(&need, &work);
}

void chain_mark_dirty(struct chain *chain, struct block_node *node)
{
	if (node->flags & NODE_DIRTY)
		return;
	node->flags |= NODE_DIRTY;
	node->dirty_next = chain->dirty;
	chain->dirty = node;
}

struct block_node *chain_next_dirty(struct chain *chain)
{
	struct block_node *node = chain->dirty;

	if (node) {
		chain->dirty = node->dirty_next;
		node->flags &= (uint16_t)~NODE_DIRTY;
	}
	return node;
}
