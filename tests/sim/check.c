/* Invariants. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/chaind/chaind.h"
#include "daemons/utxod/utxod.h"
#include "oracle.h"

uint64_t check_reorganisations, check_tips, check_recoveries;

/* What a node was last seen with. */
struct look {
	uint64_t serial;  /* of this life … */
	uint64_t session; /* … and session */
	const struct block_node *tip;
	bool has_durable; /* told as durable at any time */
	struct rc_block_id durable;
};
static struct look *looks;

static struct look *look_of(const struct sim_proc *proc)
{
	if (!looks)
		looks = rc_alloc_array(n_nodes, sizeof(*looks));
	return &looks[proc->node];
}

static int compare_work(const struct rc_block_id *a, const struct rc_block_id *b)
{
	const struct mini_block *x = oracle_find(a), *y = oracle_find(b);

	if (!x || !y)
		sim_fail("a tip that no node has stored");
	return rc_u256_cmp(&x->work, &y->work);
}

/* ---- the pool against a block that is in the chain now ---- */

static void check_pool_without(struct chaind *chaind, const struct block_node *node)
{
	const struct mini_block *m = oracle_find(&node->id);
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_block block;

	if (!m || !m->raw || !rc_block_decode(m->raw, m->raw_len, &arena, &block))
		sim_fail("block %u of a chain has no body", node_height(node));
	for (uint32_t i = 0; i < block.n_txs; i++) {
		const struct rc_tx *tx = &block.txs[i];

		if (mempool_find(&chaind->pool, &tx->txid))
			sim_fail("the pool holds a transaction of block %u", node_height(node));
		for (uint32_t j = 0; j < tx->n_inputs; j++)
			if (mempool_spender(&chaind->pool, &tx->inputs[j].prevout))
				sim_fail("the pool spends what block %u spent", node_height(node));
	}
	rc_arena_done(&arena);
}

/* ---- chaind ---- */

static void check_new_tip(struct sim_proc *proc, struct look *look, struct block_node *tip)
{
	struct chaind *chaind = proc->chaind;
	const struct block_node *old = look->tip;
	struct block_node *fork;

	check_tips++;
	if (rc_u256_cmp(&tip->work, &old->work) <= 0)
		sim_fail("the tip went from height %u to %u without more work", node_height(old),
			 node_height(tip));
	fork = node_fork(tip, (struct block_node *)(uintptr_t)old);
	check_reorganisations += fork != old;
	for (struct block_node *n = tip; n != fork; n = n->parent)
		check_pool_without(chaind, n);
	if (!mempool_consistent(&chaind->pool))
		sim_fail("the pool's sums don't agree with a recount");
}

static void check_tables(const struct chaind *chaind)
{
	if (orphans_count(&chaind->orphans) > ORPHANS_MAX)
		sim_fail("more orphans than may be");
	if (chaind->admit.count > ADMIT_COUNT_MAX || chaind->admit.bytes > 2 * ADMIT_BYTES_MAX)
		sim_fail("more admissions under way than may be");
	if (chaind->pool.usage > chaind->pool.limits.bytes_max)
		sim_fail("the pool takes more than it may");
}

/* The first tip after a start, or after utxod came back: nothing told as durable may be missing. */
static void check_recovered(struct look *look, const struct block_node *tip)
{
	check_recoveries++;
	if (look->has_durable && compare_work(&tip->id, &look->durable) < 0)
		sim_fail("a durable block was lost: the tip is %u", node_height(tip));
}

static void check_chaind(struct sim_proc *proc)
{
	struct look *look = look_of(proc);
	struct chaind *chaind = proc->chaind;
	struct connector *c = &chaind->connect;
	struct block_node *tip;

	if (!chaind->started || !c->tip_known || c->phase != CONNECT_RUNNING)
		return;
	tip = chain_tip(&chaind->chain);
	if (look->serial != proc->serial || look->session != c->session) {
		if (node_height(tip))
			check_recovered(look, tip);
		look->serial = proc->serial;
		look->session = c->session;
	} else if (look->tip != tip) {
		check_new_tip(proc, look, tip);
	}
	look->tip = tip;
	if (c->durable_height &&
	    (!look->has_durable || !rc_block_id_eq(&look->durable, &c->durable_id))) {
		look->has_durable = true;
		look->durable = c->durable_id;
	}
	check_tables(chaind);
}

void check_event(struct sim_proc *proc)
{
	if (!proc)
		return;
	if (proc->chaind)
		check_chaind(proc);
	if (proc->peerd)
		check_peerd(proc);
}

/* ---- quiet ---- */

static struct chaind *chaind_of(const struct node *node)
{
	struct sim_proc *proc = node->procs[SIM_CHAIND];

	return proc && proc->chaind && proc->chaind->started &&
			       proc->chaind->connect.phase == CONNECT_RUNNING
		       ? proc->chaind
		       : NULL;
}

bool check_height(const struct node *node, uint32_t *ret_height)
{
	struct chaind *chaind = chaind_of(node);

	if (chaind)
		*ret_height = node_height(chain_tip(&chaind->chain));
	return chaind != NULL;
}

bool check_agreed(void *arg)
{
	const struct block_node *first = NULL;

	(void)arg;
	for (unsigned i = 0; i < n_nodes; i++) {
		struct chaind *chaind = chaind_of(&nodes[i]);
		struct block_node *tip;

		if (!chaind || !nodes[i].procs[SIM_UTXOD] || !nodes[i].procs[SIM_PEERD])
			return false;
		tip = chain_tip(&chaind->chain);
		if (!first)
			first = tip;
		if (!rc_block_id_eq(&first->id, &tip->id) || !chaind->connect.tip_root_known ||
		    chaind->admit.count || refill_active(&chaind->refill))
			return false;
	}
	return true;
}

void check_describe(void)
{
	for (unsigned i = 0; i < n_nodes; i++) {
		struct chaind *chaind = chaind_of(&nodes[i]);
		struct sim_proc *peerd = nodes[i].procs[SIM_PEERD];
		char hex[RC_ID_HEX];

		if (!chaind) {
			fprintf(stderr, "n%u: chaind isn't at work\n", i);
			continue;
		}
		fprintf(stderr,
			"n%u: tip %u %.16s, headers %u, pool %llu, admissions %zu, queued %u, "
			"links %u\n",
			i, node_height(chain_tip(&chaind->chain)),
			rc_block_id_hex(hex, &chain_tip(&chaind->chain)->id),
			node_height(chaind->chain.best_header),
			(unsigned long long)chaind->pool.count, chaind->admit.count,
			chaind->connect.queued, peerd && peerd->peerd ? check_links(peerd) : 0);
	}
}

static void check_pool_holds(struct chaind *chaind)
{
	for (struct pool_tx *tx = chaind->pool.oldest; tx; tx = tx->newer) {
		for (uint32_t i = 0; i < tx->tx.n_inputs; i++) {
			const struct rc_outpoint *from = &tx->tx.inputs[i].prevout;

			if (!mempool_find(&chaind->pool, &from->txid) &&
			    !mini_chain_coin(&oracle, from))
				sim_fail("a transaction of the pool spends what isn't there");
		}
	}
	if (!mempool_consistent(&chaind->pool))
		sim_fail("the pool's sums don't agree with a recount");
}

static void check_root(struct node *node, const struct rc_hash *root)
{
	struct sim_proc *proc = node->procs[SIM_UTXOD];
	struct ledger_view view;
	struct rc_hash own;

	sim.current = proc;
	if (ledger_view_at(proc->utxod->ledger, NULL, true, &view) != RC_OK)
		sim_fail("n%u has no root", node->i);
	ledger_view_root(&view, &own);
	ledger_view_close(&view);
	sim.current = NULL;
	if (memcmp(own.b, root->b, 32) != 0)
		sim_fail("n%u: the state's root isn't that of a replay", node->i);
}

void check_settled(void)
{
	struct block_node *tip = chain_tip(&chaind_of(&nodes[0])->chain);
	struct rc_hash root;

	if (!oracle_go(&tip->id))
		sim_fail("all agree on a tip that a replay finds invalid");
	mini_chain_root(&oracle, &root, NULL);
	for (unsigned i = 0; i < n_nodes; i++) {
		check_pool_holds(chaind_of(&nodes[i]));
		check_root(&nodes[i], &root);
	}
}
