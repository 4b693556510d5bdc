/*
 * Which blocks are fetched from which peer: a window moves up each peer's chain, and a lease keeps
 * others from fetching the same block until it ends (40-network, "Conduct"). Pure: time comes in.
 */
#ifndef CHAIND_DOWNLOAD_H
#define CHAIND_DOWNLOAD_H

#include <uthash.h>

#include "daemons/chaind/chain.h"

/* Above the last block whose chain is whole: enough for 64 peers, and at 2 MB a block what the
 * store holds out of order stays under 2 GB. */
#define DOWNLOAD_WINDOW	  1024
#define DOWNLOAD_PER_PEER 16
/* A lease: at first, at least and at most. It doubles when one runs out, and falls by an eighth
 * when a block comes in time (as the stall timeout of Bitcoin Core does). */
#define LEASE_MS     10000
#define LEASE_MIN_MS 4000
#define LEASE_MAX_MS 128000

struct lease {
	UT_hash_handle hh;
	struct rc_block_id id;
	uint64_t peer;
	uint64_t client; /* boot id of the peerd */
	int64_t until_ms;
};

struct download {
	struct chain *chain;
	struct lease *leases;
	uint32_t lease_ms;
	uint64_t n_expired;
};

struct download_peer {
	uint64_t peer;
	struct rc_block_id tip;
	uint32_t in_flight;
	size_t n_failed;
	const uint8_t *const *failed; /* of 32 bytes each */
	size_t first;		      /* filled: the peer's place on its way up */
	size_t n_path;
	struct block_node **path;
	uint32_t room;
};

struct download_lease {
	uint64_t peer;
	struct block_node *node;
	uint32_t lease_ms;
};

void download_init(struct download *download, struct chain *chain);
void download_done(struct download *download);

/* Leases blocks to these peers of one client, at most per_peer in flight each; fills at most max of
 * ret_leases; returns how many. */
size_t download_assign(struct download *download, struct download_peer *peers, size_t n_peers,
		       uint64_t client, uint32_t per_peer, int64_t now_ms,
		       struct download_lease *ret_leases, size_t max);
/* A peer brings this block without having been asked: nobody else is asked for it meanwhile. False
 * if somebody has it leased already. */
bool download_hold(struct download *download, const struct rc_block_id *id, uint64_t peer,
		   uint64_t client, int64_t now_ms);
/* It came, or won't: the lease ends. */
void download_arrived(struct download *download, const struct rc_block_id *id);
void download_release(struct download *download, const struct rc_block_id *id);
/* A client has gone: its leases end. */
void download_drop_client(struct download *download, uint64_t client);
/* Ends leases that ran out; returns when the next one does (INT64_MAX: none). */
int64_t download_expire(struct download *download, int64_t now_ms);
bool download_leased(const struct download *download, const struct rc_block_id *id);
size_t download_count(const struct download *download);

#endif
