/* Leases of blocks to peers. See download.h. */
#include "daemons/chaind/download.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void download_init(struct download *download, struct chain *chain)
{
	memset(download, 0, sizeof(*download));
	download->chain = chain;
	download->lease_ms = LEASE_MS;
}

static void drop(struct download *download, struct lease *lease)
{
	HASH_DEL(download->leases, lease);
	free(lease);
}

void download_done(struct download *download)
{
	struct lease *lease, *next;

	HASH_ITER (hh, download->leases, lease, next)
		drop(download, lease);
}

static struct lease *find(const struct download *download, const struct rc_block_id *id)
{
	struct lease *lease;

	HASH_FIND(hh, download->leases, id->b, sizeof(id->b), lease);
	return lease;
}

bool download_leased(const struct download *download, const struct rc_block_id *id)
{
	return find(download, id) != NULL;
}

size_t download_count(const struct download *download)
{
	return HASH_COUNT(download->leases);
}

/* The highest block on the way to tip whose chain is whole: such blocks come first on any way. */
static struct block_node *whole_below(struct block_node *tip)
{
	uint32_t low = 0, high = node_height(tip);

	while (low < high) {
		uint32_t mid = low + (high - low + 1) / 2;

		if (node_ancestor(tip, mid)->flags & NODE_CHAIN)
			low = mid;
		else
			high = mid - 1;
	}
	return node_ancestor(tip, low);
}

/* The blocks of the window on a peer's way, lowest first, whose bodies aren't here. */
static void find_path(struct download *download, struct download_peer *peer, uint32_t per_peer)
{
	struct block_node *tip = chain_find(download->chain, &peer->tip);
	struct block_node *from, *n;
	uint32_t top;

	peer->first = peer->n_path = 0;
	peer->path = NULL;
	peer->room = per_peer > peer->in_flight ? per_peer - peer->in_flight : 0;
	if (!tip || node_bad(tip) || tip->flags & NODE_CHAIN || peer->room == 0 ||
	    rc_u256_cmp(&tip->work, &chain_tip(download->chain)->work) <= 0)
		return;
	from = whole_below(tip);
	top = node_height(from) + DOWNLOAD_WINDOW;
	n = node_ancestor(tip, top < node_height(tip) ? top : node_height(tip));
	peer->path = rc_alloc_array(node_height(n) - node_height(from), sizeof(*peer->path));
	for (; n != from; n = n->parent) {
		if (!(n->flags & NODE_BODY))
			peer->path[peer->n_path++] = n;
	}
	for (size_t i = 0; i < peer->n_path / 2; i++) {
		struct block_node *swap = peer->path[i];

		peer->path[i] = peer->path[peer->n_path - 1 - i];
		peer->path[peer->n_path - 1 - i] = swap;
	}
}

static bool failed_with(const struct download_peer *peer, const struct rc_block_id *id)
{
	for (size_t i = 0; i < peer->n_failed; i++) {
		if (memcmp(peer->failed[i], id->b, 32) == 0)
			return true;
	}
	return false;
}

static void lease_to(struct download *download, const struct rc_block_id *id, uint64_t peer,
		     uint64_t client, int64_t now_ms)
{
	struct lease *lease = rc_alloc(sizeof(*lease));

	lease->id = *id;
	lease->peer = peer;
	lease->client = client;
	lease->until_ms = now_ms + download->lease_ms;
	HASH_ADD(hh, download->leases, id.b, sizeof(lease->id.b), lease);
}

bool download_hold(struct download *download, const struct rc_block_id *id, uint64_t peer,
		   uint64_t client, int64_t now_ms)
{
	download_expire(download, now_ms);
	if (find(download, id))
		return false;
	lease_to(download, id, peer, client, now_ms);
	return true;
}

/* The next block for a peer, leased; NULL: none. */
static struct block_node *next_for(struct download *download, struct download_peer *peer,
				   uint64_t client, int64_t now_ms)
{
	while (peer->room > 0 && peer->first < peer->n_path) {
		struct block_node *node = peer->path[peer->first++];

		if (find(download, &node->id) || failed_with(peer, &node->id))
			continue;
		lease_to(download, &node->id, peer->peer, client, now_ms);
		peer->room--;
		return node;
	}
	return NULL;
}

size_t download_assign(struct download *download, struct download_peer *peers, size_t n_peers,
		       uint64_t client, uint32_t per_peer, int64_t now_ms,
		       struct download_lease *ret_leases, size_t max)
{
	size_t n = 0;
	bool more = true;

	download_expire(download, now_ms);
	for (size_t i = 0; i < n_peers; i++)
		find_path(download, &peers[i], per_peer);
	/* In turns, so that neighbouring blocks come from different peers. */
	while (more && n < max) {
		more = false;
		for (size_t i = 0; i < n_peers && n < max; i++) {
			struct block_node *node = next_for(download, &peers[i], client, now_ms);

			if (!node)
				continue;
			ret_leases[n++] =
				(struct download_lease){peers[i].peer, node, download->lease_ms};
			more = true;
		}
	}
	for (size_t i = 0; i < n_peers; i++)
		free(peers[i].path);
	return n;
}

void download_arrived(struct download *download, const struct rc_block_id *id)
{
	struct lease *lease = find(download, id);

	if (!lease)
		return;
	drop(download, lease);
	download->lease_ms -= download->lease_ms / 8;
	if (download->lease_ms < LEASE_MIN_MS)
		download->lease_ms = LEASE_MIN_MS;
}

void download_release(struct download *download, const struct rc_block_id *id)
{
	struct lease *lease = find(download, id);

	if (lease)
		drop(download, lease);
}

void download_drop_client(struct download *download, uint64_t client)
{
	struct lease *lease, *next;

	HASH_ITER (hh, download->leases, lease, next) {
		if (lease->client == client)
			drop(download, lease);
	}
}

int64_t download_expire(struct download *download, int64_t now_ms)
{
	struct lease *lease, *next;
	int64_t first = INT64_MAX;
	bool expired = false;

	HASH_ITER (hh, download->leases, lease, next) {
		if (lease->until_ms <= now_ms) {
			drop(download, lease);
			download->n_expired++;
			expired = true;
		} else if (lease->until_ms < first) {
			first = lease->until_ms;
		}
	}
	if (expired && download->lease_ms < LEASE_MAX_MS)
		download->lease_ms *= 2;
	return first;
}
