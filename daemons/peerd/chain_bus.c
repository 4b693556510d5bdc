/* chaind over the bus: each question with its deadline. */
#include "daemons/peerd/chain_bus.h"

#include <stdlib.h>

/* A restarting chaind is waited for; what takes longer is asked again by whoever needs it. */
#define READ_MS	  30000
#define SUBMIT_MS 120000 /* a block behind a long reorganisation */
#define WAIT_MS	  10000	 /* over the time of a long poll */

struct chain_bus {
	struct rc_chaind *chaind;
	struct rc_chaind_subscription *subscription;
	struct peerd *core; /* NULL: not started */
	struct rc_loop *loop;
	bool up;
};

static bool bus_up(void *ctx)
{
	return ((struct chain_bus *)ctx)->up;
}

static void bus_info(void *ctx, rc_chain_info_fn fn, void *arg)
{
	rc_chaind_chain_info(((struct chain_bus *)ctx)->chaind, READ_MS, fn, arg);
}

static void bus_locator(void *ctx, const struct rc_block_id *from, rc_locator_fn fn, void *arg)
{
	rc_chaind_locator(((struct chain_bus *)ctx)->chaind, from, READ_MS, fn, arg);
}

static void bus_headers(void *ctx, const struct rc_block_id *locator, size_t n_locator,
			const struct rc_block_id *stop, uint32_t max, rc_bytes_fn fn, void *arg)
{
	rc_chaind_headers(((struct chain_bus *)ctx)->chaind, locator, n_locator, stop, max, READ_MS,
			  fn, arg);
}

static void bus_block(void *ctx, const struct rc_block_id *id, rc_header_info_fn fn, void *arg)
{
	rc_chaind_block(((struct chain_bus *)ctx)->chaind, id, READ_MS, fn, arg);
}

static void bus_submit_headers(void *ctx, uint64_t peer, struct rc_bytes headers,
			       rc_submit_headers_fn fn, void *arg)
{
	rc_chaind_submit_headers(((struct chain_bus *)ctx)->chaind, peer, headers, SUBMIT_MS, fn,
				 arg);
}

static void bus_submit_block(void *ctx, uint64_t peer, bool wait_connect, struct rc_bytes block,
			     rc_submit_block_fn fn, void *arg)
{
	rc_chaind_submit_block(((struct chain_bus *)ctx)->chaind, peer, wait_connect, block,
			       SUBMIT_MS, fn, arg);
}

static void bus_compact_block(void *ctx, const struct rc_block_id *id, rc_block_part_fn fn,
			      void *arg)
{
	rc_chaind_compact_block(((struct chain_bus *)ctx)->chaind, id, READ_MS, fn, arg);
}

static void bus_block_txns(void *ctx, const struct rc_block_id *id, struct rc_bytes places,
			   rc_block_part_fn fn, void *arg)
{
	rc_chaind_block_txns(((struct chain_bus *)ctx)->chaind, id, places, READ_MS, fn, arg);
}

static void bus_rebuild(void *ctx, uint64_t peer, struct rc_bytes compact, struct rc_bytes places,
			struct rc_bytes txs, rc_rebuild_fn fn, void *arg)
{
	rc_chaind_rebuild(((struct chain_bus *)ctx)->chaind, peer, compact, places, txs, READ_MS,
			  fn, arg);
}

static void bus_wanted(void *ctx, const struct rc_wanted_peer *peers, size_t n_peers,
		       uint32_t max_per_peer, uint32_t wait_ms, rc_wanted_fn fn, void *arg)
{
	rc_chaind_wanted(((struct chain_bus *)ctx)->chaind, peers, n_peers, max_per_peer, wait_ms,
			 wait_ms + WAIT_MS, fn, arg);
}

static void bus_release(void *ctx, const struct rc_block_id *ids, size_t n, rc_done_fn fn,
			void *arg)
{
	rc_chaind_release(((struct chain_bus *)ctx)->chaind, ids, n, READ_MS, fn, arg);
}

static void bus_have_txs(void *ctx, uint64_t peer, const struct rc_wtxid *wtxids, size_t n,
			 rc_have_txs_fn fn, void *arg)
{
	rc_chaind_have_txs(((struct chain_bus *)ctx)->chaind, peer, wtxids, n, READ_MS, fn, arg);
}

static void bus_submit_txs(void *ctx, uint64_t peer, const struct rc_bytes *txs, size_t n,
			   rc_submit_txs_fn fn, void *arg)
{
	rc_chaind_submit_txs(((struct chain_bus *)ctx)->chaind, peer, false, 0, txs, n, SUBMIT_MS,
			     fn, arg);
}

static void bus_pool_txs(void *ctx, const struct rc_wtxid *wtxids, size_t n, rc_pool_txs_fn fn,
			 void *arg)
{
	rc_chaind_pool_txs(((struct chain_bus *)ctx)->chaind, wtxids, n, READ_MS, fn, arg);
}

static void bus_pool_tx(void *ctx, const struct rc_txid *txid, rc_mempool_entry_fn fn, void *arg)
{
	rc_chaind_mempool_tx(((struct chain_bus *)ctx)->chaind, txid, NULL, READ_MS, fn, arg);
}

static void bus_pool_list(void *ctx, rc_mempool_list_fn fn, void *arg)
{
	rc_chaind_mempool_list(((struct chain_bus *)ctx)->chaind, true, READ_MS, fn, arg);
}

static void bus_pool_info(void *ctx, rc_mempool_info_fn fn, void *arg)
{
	rc_chaind_mempool_info(((struct chain_bus *)ctx)->chaind, READ_MS, fn, arg);
}

const struct chain_ops chain_bus_ops = {
	.up = bus_up,
	.info = bus_info,
	.locator = bus_locator,
	.headers = bus_headers,
	.block = bus_block,
	.submit_headers = bus_submit_headers,
	.submit_block = bus_submit_block,
	.compact_block = bus_compact_block,
	.block_txns = bus_block_txns,
	.rebuild = bus_rebuild,
	.wanted = bus_wanted,
	.release = bus_release,
	.have_txs = bus_have_txs,
	.submit_txs = bus_submit_txs,
	.pool_txs = bus_pool_txs,
	.pool_tx = bus_pool_tx,
	.pool_list = bus_pool_list,
	.pool_info = bus_pool_info,
};

static void on_state(void *arg, bool up, uint64_t boot, bool changed)
{
	struct chain_bus *bus = arg;

	(void)boot;
	bus->up = up;
	if (bus->core)
		peerd_chain_state(bus->core, up, changed);
}

static void on_tip(void *arg, const struct rc_tip_event *event)
{
	struct chain_bus *bus = arg;

	if (bus->core)
		peerd_chain_tip(bus->core, event);
}

static void on_header(void *arg, const struct rc_header_event *event)
{
	struct chain_bus *bus = arg;

	if (bus->core)
		peerd_chain_header(bus->core, event);
}

static void on_tx(void *arg, const struct rc_tx_event *event)
{
	struct chain_bus *bus = arg;

	if (bus->core)
		peerd_chain_tx(bus->core, event);
}

static void on_tx_removed(void *arg, const struct rc_tx_event *event)
{
	struct chain_bus *bus = arg;

	if (bus->core)
		peerd_chain_tx_removed(bus->core, event);
}

static void on_missed(void *arg)
{
	struct chain_bus *bus = arg;

	if (bus->core)
		peerd_chain_missed(bus->core);
}

int chain_bus_open(struct rc_loop *loop, const struct rc_client_config *config,
		   struct chain_bus **ret, struct rc_error *error)
{
	static const struct rc_chaind_events events = {
		.tip = on_tip,
		.header = on_header,
		.tx = on_tx,
		.tx_removed = on_tx_removed,
		.missed = on_missed,
	};
	struct rc_client_config c = *config;
	struct chain_bus *bus = rc_alloc(sizeof(*bus));
	int err;

	bus->loop = loop;
	c.to = RC_CHAIND;
	c.role = RC_ROLE_SUBMIT;
	c.on_state = on_state;
	c.arg = bus;
	err = rc_chaind_open(loop, &c, &bus->chaind, error);
	if (!err)
		err = rc_chaind_subscribe(loop, &c, bus->chaind, &events, bus, &bus->subscription,
					  error);
	if (err) {
		chain_bus_close(bus);
		return err;
	}
	*ret = bus;
	return RC_OK;
}

void chain_bus_start(struct chain_bus *bus, struct peerd *core)
{
	bus->core = core;
	if (bus->up)
		peerd_chain_state(core, true, true);
}

void chain_bus_close(struct chain_bus *bus)
{
	if (!bus)
		return;
	rc_chaind_unsubscribe(bus->subscription);
	rc_chaind_close(bus->chaind);
	free(bus);
}
