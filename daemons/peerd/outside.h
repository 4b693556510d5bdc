/*
 * All that peerd's core knows of the world: a way to move bytes, a chain to ask, a clock, chance.
 * The daemon gives it sockets and the bus; tests and the simulation give it what they like.
 *
 * None of these functions calls back from inside itself: answers come later, by the core's entry
 * points (peerd.h) or by the function that was given.
 */
#ifndef PEERD_OUTSIDE_H
#define PEERD_OUTSIDE_H

#include "base/clock.h"
#include "client/chaind.h"
#include "daemons/peerd/netaddr.h"

/* Connections. A conn is the transport's own; it stays valid until close. */
struct net_ops {
	/* Begins a connection for a peer: peerd_connected or peerd_lost follow. NULL: can't;
	 * *ret_ours (NULL before) says why if that isn't the address's fault. */
	void *(*dial)(void *ctx, const struct net_addr *addr, uint64_t peer, const char **ret_ours);
	/* Takes as much as it has room for; less than len: peerd_writable follows. */
	size_t (*send)(void *ctx, void *conn, const uint8_t *data, size_t len);
	/* Whether peerd_received may be called; on at first. */
	void (*set_reading)(void *ctx, void *conn, bool on);
	/* Nothing is called for it any more. */
	void (*close)(void *ctx, void *conn);
	/* A dial has taken too long: why that isn't the address's fault; NULL: for all that is
	 * known it is. NULL as a function: it always is. */
	const char *(*late)(void *ctx, void *conn);
};

/* chaind's questions that peerd asks; the functions and answers are those of client/chaind.h. */
struct chain_ops {
	bool (*up)(void *ctx);
	void (*info)(void *ctx, rc_chain_info_fn fn, void *arg);
	void (*locator)(void *ctx, const struct rc_block_id *from, rc_locator_fn fn, void *arg);
	void (*headers)(void *ctx, const struct rc_block_id *locator, size_t n_locator,
			const struct rc_block_id *stop, uint32_t max, rc_bytes_fn fn, void *arg);
	void (*block)(void *ctx, const struct rc_block_id *id, rc_header_info_fn fn, void *arg);
	void (*submit_headers)(void *ctx, uint64_t peer, struct rc_bytes headers,
			       rc_submit_headers_fn fn, void *arg);
	void (*submit_block)(void *ctx, uint64_t peer, bool wait_connect, struct rc_bytes block,
			     rc_submit_block_fn fn, void *arg);
	void (*compact_block)(void *ctx, const struct rc_block_id *id, rc_block_part_fn fn,
			      void *arg);
	void (*block_txns)(void *ctx, const struct rc_block_id *id, struct rc_bytes places,
			   rc_block_part_fn fn, void *arg);
	void (*rebuild)(void *ctx, uint64_t peer, struct rc_bytes compact, struct rc_bytes places,
			struct rc_bytes txs, rc_rebuild_fn fn, void *arg);
	void (*wanted)(void *ctx, const struct rc_wanted_peer *peers, size_t n_peers,
		       uint32_t max_per_peer, uint32_t wait_ms, rc_wanted_fn fn, void *arg);
	void (*release)(void *ctx, const struct rc_block_id *ids, size_t n, rc_done_fn fn,
			void *arg);
	void (*have_txs)(void *ctx, uint64_t peer, const struct rc_wtxid *wtxids, size_t n,
			 rc_have_txs_fn fn, void *arg);
	void (*submit_txs)(void *ctx, uint64_t peer, const struct rc_bytes *txs, size_t n,
			   rc_submit_txs_fn fn, void *arg);
	void (*pool_txs)(void *ctx, const struct rc_wtxid *wtxids, size_t n, rc_pool_txs_fn fn,
			 void *arg);
	void (*pool_tx)(void *ctx, const struct rc_txid *txid, rc_mempool_entry_fn fn, void *arg);
	void (*pool_list)(void *ctx, rc_mempool_list_fn fn, void *arg);
	void (*pool_info)(void *ctx, rc_mempool_info_fn fn, void *arg);
};

struct outside {
	const struct rc_clock *clock;
	const struct rc_random *random;
	const struct net_ops *net;
	void *net_ctx;
	const struct chain_ops *chain;
	void *chain_ctx;
	/* peerd_wake is to be called at this time of the clock (replaces an earlier one). */
	void (*arm)(void *ctx, int64_t at_us);
	/* A link was made or lost; may be NULL. */
	void (*on_link)(void *ctx, uint64_t peer, const char *addr, bool up, const char *why);
	void *ctx;
};

#endif
