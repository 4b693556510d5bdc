/* One process that is a client of every node. */
#include "user.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/chaind.h"
#include "consensus/sighash.h"
#include "crypto/schnorr.h"
#include "daemons/chaind/chaind.h"
#include "oracle.h"

#define DEADLINE_MS 60000
#define FEE_LEAST   2000
#define OUTPUTS_MAX 4
#define INPUTS_MAX  3
/* Of those told and not confirmed, so that no chain of them meets the pool's limits. */
#define DEPTH_MAX 5

struct payment {
	unsigned node;
	bool accepted; /* the node said so: it is synced there */
	unsigned depth;
	struct rc_txid txid;
	struct rc_outpoint inputs[INPUTS_MAX];
	uint32_t n_inputs;
	struct rc_outpoint outputs[OUTPUTS_MAX];
	struct rc_coin coins[OUTPUTS_MAX];
	uint32_t n_outputs;
	uint8_t *raw;
	size_t len;
	struct payment *next;
};

static struct {
	struct rc_loop *loop;
	struct rc_chaind **clients;
	struct rc_network network;
	uint8_t secret[32];
	uint8_t lock[RC_LOCK_KEY_SIZE];
	struct payment *payments;
} user;

uint64_t user_payments, user_accepted, user_blocks;

static int user_main(int argc, char **argv)
{
	struct rc_error error;

	(void)argc;
	(void)argv;
	user.loop = rc_loop_new();
	user.clients = rc_alloc_array(n_nodes, sizeof(struct rc_chaind *));
	for (unsigned i = 0; i < n_nodes; i++) {
		RC_AUTOFREE char *rundir = rc_asprintf("/sim/n%u/run", i);
		struct rc_client_config config = {
			.from = RC_RPCD,
			.role = RC_ROLE_ADMIN,
			.rundir = rundir,
			.boot = rc_random_u64(&rc_random_system) | 1,
		};

		memcpy(config.network_id, user.network.id.b, 32);
		if (rc_chaind_open(user.loop, &config, &user.clients[i], &error) < 0)
			sim_fail("%s", error.text);
	}
	rc_loop_run(user.loop, NULL);
	return 0;
}

static struct sim_proc *proc;

void user_init(void)
{
	if (!rc_network_builtin("reg", &user.network))
		sim_fail("no network reg");
	rc_schnorr_init();
	memset(user.secret, 0x21, sizeof(user.secret));
	user.lock[0] = RC_LOCK_KEY;
	if (!rc_xonly_from_secret(user.secret, user.lock + 1, NULL))
		sim_fail("no key");
	proc = sim_spawn("user", SIM_NOBODY, user_main, 0, NULL);
}

/* ---- mining ---- */

static struct chaind *chaind_of(unsigned node)
{
	struct sim_proc *p = nodes[node].procs[SIM_CHAIND];

	return p ? p->chaind : NULL;
}

static void on_mined(void *arg, const struct rc_reply *why, const struct rc_block_ids *reply)
{
	(void)arg;
	if (why->err == RC_OK)
		user_blocks += reply->n;
}

struct request {
	unsigned node, n;
};

static void mine(void *arg)
{
	struct request *r = arg;
	struct chaind *chaind = chaind_of(r->node);

	if (chaind && chaind->entered)
		rc_chaind_generate(user.clients[r->node],
				   (struct rc_bytes){user.lock, sizeof(user.lock)},
				   node_height(chain_tip(&chaind->chain)) + r->n, 0, DEADLINE_MS,
				   on_mined, NULL);
	free(r);
}

void user_mine(unsigned node, unsigned n)
{
	struct request *r = rc_alloc(sizeof(*r));

	*r = (struct request){node, n};
	sim_post(proc, 1, "user", mine, r);
}

/* ---- paying ---- */

static void on_submitted(void *arg, const struct rc_reply *why, const struct rc_submit_txs *reply)
{
	struct payment *p = arg;

	if (why->err != RC_OK || reply->n != 1)
		return;
	if (strcmp(reply->results[0].verdict, "ok") == 0 && !p->accepted) {
		p->accepted = true;
		user_accepted++;
	}
	sim_say("payment at n%u: %s %s", p->node, reply->results[0].verdict,
		reply->results[0].reason ? reply->results[0].reason : "");
}

/* Most payments spend what no other one does; some contest it. */
static bool wants(const struct rc_outpoint *from)
{
	for (const struct payment *p = user.payments; p; p = p->next)
		for (uint32_t i = 0; i < p->n_inputs; i++)
			if (rc_outpoint_eq(&p->inputs[i], from))
				return sim_random_chance(&sim.random, 0.15);
	return true;
}

/* A coin of the chain the oracle finds best, or one that a payment of before makes. */
static bool choose_coin(struct rc_outpoint *ret_from, struct rc_coin *ret_coin, unsigned *ret_depth)
{
	struct payment *p = user.payments;
	struct mini_coin *c;
	uint64_t skip;

	*ret_depth = 0;
	if (p && sim_random_chance(&sim.random, 0.3)) {
		uint32_t i = (uint32_t)sim_random_below(&sim.random, p->n_outputs);

		if (p->depth >= DEPTH_MAX)
			return false;
		*ret_from = p->outputs[i];
		*ret_coin = p->coins[i];
		*ret_depth = p->depth + 1;
		return wants(ret_from);
	}
	mini_chain_go(&oracle, oracle.tip);
	if (!oracle.coins)
		return false;
	skip = sim_random_below(&sim.random, HASH_COUNT(oracle.coins));
	for (c = oracle.coins; skip; skip--)
		c = c->hh.next;
	if (c->coin.amount < 100000 ||
	    (c->coin.coinbase && c->coin.height + 10 > oracle.tip->header.height + 1))
		return false;
	rc_outpoint_key_decode(c->key, ret_from);
	*ret_coin = c->coin;
	return wants(ret_from);
}

static void sign(struct rc_tx *tx, const struct rc_coin *const *coins, struct rc_buf *witnesses)
{
	struct rc_sighash sighash;

	rc_sighash_init(&user.network.id, tx, coins, &sighash);
	for (uint32_t i = 0; i < tx->n_inputs; i++) {
		struct rc_hash message;
		uint8_t sig[64];
		struct rc_bytes item = {sig, sizeof(sig)};

		rc_sighash(&sighash, i, RC_HASH_ALL, NULL, &message);
		if (!rc_schnorr_sign(user.secret, message.b, 32, NULL, sig))
			sim_fail("a payment can't be signed");
		rc_witness_put(&witnesses[i], &item, 1);
		tx->inputs[i].n_items = 1;
		tx->inputs[i].witness = witnesses[i].data;
		tx->inputs[i].witness_len = (uint32_t)witnesses[i].len;
	}
}

static bool make(struct payment *p)
{
	struct rc_coin coins[INPUTS_MAX];
	const struct rc_coin *list[INPUTS_MAX];
	struct rc_tx_in inputs[INPUTS_MAX] = {0};
	struct rc_tx_out outputs[OUTPUTS_MAX];
	struct rc_buf witnesses[INPUTS_MAX] = {0}, raw = RC_BUF_INIT;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_tx tx = {.version = RC_TX_VERSION, .type = RC_TX_PAYMENT}, made;
	uint32_t want = 1 + (uint32_t)sim_random_below(&sim.random, INPUTS_MAX);
	rc_amount sum = 0, fee = FEE_LEAST + sim_random_below(&sim.random, 20000);

	for (uint32_t i = 0; i < want; i++) {
		struct rc_outpoint from;
		bool twice = false;
		unsigned depth;

		if (!choose_coin(&from, &coins[p->n_inputs], &depth))
			continue;
		for (uint32_t j = 0; j < p->n_inputs; j++)
			twice |= rc_outpoint_eq(&from, &p->inputs[j]);
		if (twice)
			continue;
		inputs[p->n_inputs].prevout = p->inputs[p->n_inputs] = from;
		inputs[p->n_inputs].sequence = RC_SEQUENCE_FINAL;
		list[p->n_inputs] = &coins[p->n_inputs];
		sum += coins[p->n_inputs].amount;
		p->depth = depth > p->depth ? depth : p->depth;
		p->n_inputs++;
	}
	if (!p->n_inputs || sum < 10 * fee)
		return false;
	p->n_outputs = 1 + (uint32_t)sim_random_below(&sim.random, OUTPUTS_MAX);
	for (uint32_t i = 0; i < p->n_outputs; i++) {
		outputs[i].amount = (sum - fee) / p->n_outputs;
		outputs[i].lock = (struct rc_lock){user.lock, sizeof(user.lock), RC_LOCK_KEY};
	}
	tx.n_inputs = p->n_inputs;
	tx.inputs = inputs;
	tx.n_outputs = p->n_outputs;
	tx.outputs = outputs;
	sign(&tx, list, witnesses);
	rc_tx_encode(&tx, &raw);
	if (!rc_tx_decode(raw.data, raw.len, &arena, &made))
		sim_fail("a payment can't be read");
	p->txid = made.txid;
	for (uint32_t i = 0; i < p->n_outputs; i++) {
		p->outputs[i] = (struct rc_outpoint){made.txid, i};
		rc_coin_init(&p->coins[i], outputs[i].amount, 0, false, &outputs[i].lock);
	}
	rc_arena_done(&arena);
	for (uint32_t i = 0; i < INPUTS_MAX; i++)
		rc_buf_done(&witnesses[i]);
	p->raw = rc_buf_take(&raw, &p->len);
	return true;
}

static void pay(void *arg)
{
	struct request *r = arg;
	struct payment *p = rc_alloc(sizeof(*p));
	struct rc_bytes raw;

	p->node = r->node;
	free(r);
	if (!make(p)) {
		free(p);
		return;
	}
	user_payments++;
	p->next = user.payments;
	user.payments = p;
	raw = (struct rc_bytes){p->raw, p->len};
	rc_chaind_submit_txs(user.clients[p->node], 0, false, 0, &raw, 1, DEADLINE_MS, on_submitted,
			     p);
}

void user_pay(unsigned node)
{
	struct request *r = rc_alloc(sizeof(*r));

	*r = (struct request){node, 1};
	sim_post(proc, 1, "user", pay, r);
}

/* ---- what was acknowledged ---- */

static bool in_chain(const struct payment *p)
{
	/* Its outputs are coins, or were spent by another payment that is in the chain. */
	for (uint32_t i = 0; i < p->n_outputs; i++)
		if (mini_chain_coin(&oracle, &p->outputs[i]))
			return true;
	for (const struct payment *q = user.payments; q; q = q->next)
		for (uint32_t j = 0; j < q->n_inputs; j++)
			if (q != p && memcmp(&q->inputs[j].txid, &p->txid, 32) == 0 && in_chain(q))
				return true;
	return false;
}

/* Whether every coin it spends is there, and nobody else spends it. */
static bool still_possible(const struct payment *p, const struct mempool *pool)
{
	for (uint32_t i = 0; i < p->n_inputs; i++) {
		if (mempool_spender(pool, &p->inputs[i]))
			return false;
		if (!mini_chain_coin(&oracle, &p->inputs[i]) &&
		    !mempool_find(pool, &p->inputs[i].txid))
			return false;
	}
	return true;
}

/* Another one spent one of its coins, or one of theirs that it needs: it may have been
 * replaced, and the other one after it. */
static bool was_contested(const struct payment *p)
{
	for (const struct payment *q = user.payments; q; q = q->next) {
		if (q == p)
			continue;
		for (uint32_t i = 0; i < p->n_inputs; i++) {
			for (uint32_t j = 0; j < q->n_inputs; j++)
				if (rc_outpoint_eq(&p->inputs[i], &q->inputs[j]))
					return true;
			if (memcmp(&p->inputs[i].txid, &q->txid, 32) == 0 && was_contested(q))
				return true;
		}
	}
	return false;
}

void user_check(void)
{
	for (const struct payment *p = user.payments; p; p = p->next) {
		struct chaind *chaind = chaind_of(p->node);
		char hex[RC_ID_HEX];

		if (!p->accepted || in_chain(p) || mempool_find(&chaind->pool, &p->txid))
			continue;
		if (still_possible(p, &chaind->pool) && !was_contested(p))
			sim_fail("n%u lost payment %s, which it had accepted and which is valid",
				 p->node, rc_txid_hex(hex, &p->txid));
	}
}
