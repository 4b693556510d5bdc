/*
 * Asking utxod: one typed call a message. Each returns the id of the call (rc_client_cancel), is
 * answered exactly once, never from inside the call, on the loop's thread. In every callback reply
 * tells err, text, retry_ms and boot; the result beside it is NULL when reply->err is not RC_OK,
 * and valid during the callback only.
 *
 * `at` names the state after a block, staged or committed; NULL: the applied tip. A block that is
 * neither is RC_ENOENT ("unknown").
 */
#ifndef RC_CLIENT_UTXOD_H
#define RC_CLIENT_UTXOD_H

#include "bus/client.h"
#include "consensus/proof.h"
#include "types/coin.h"
#include "types/delta.h"
#include "types/id.h"

/* A block's place; known false: there is none. */
struct rc_block_place {
	uint32_t height;
	struct rc_block_id id;
	bool known;
};

/* durable never runs ahead of applied. An empty state is at the genesis block, which utxod knows
 * from the network: height 0. */
struct rc_utxod_tip {
	struct rc_block_place applied;
	struct rc_block_place durable;
};

/* ---- reading ---- */

typedef void (*rc_utxod_tip_fn)(void *arg, const struct rc_reply *reply,
				const struct rc_utxod_tip *tip);
uint64_t rc_utxod_tip(struct rc_client *client, uint32_t deadline_ms, rc_utxod_tip_fn fn,
		      void *arg);

struct rc_utxod_coins {
	struct rc_block_place at;
	size_t n;		     /* as many as asked, in their order */
	const struct rc_coin *coins; /* lock_len 0: no such coin */
};
/* No coin in the state has an empty lock. */
static inline bool rc_utxod_coin_found(const struct rc_coin *coin)
{
	return coin->lock_len != 0;
}
/* Outpoints in any order; the fastest is ascending (rc_outpoint_sort). */
typedef void (*rc_utxod_coins_fn)(void *arg, const struct rc_reply *reply,
				  const struct rc_utxod_coins *coins);
uint64_t rc_utxod_get_coins(struct rc_client *client, const struct rc_block_id *at,
			    const struct rc_outpoint *outpoints, size_t n, uint32_t deadline_ms,
			    rc_utxod_coins_fn fn, void *arg);

struct rc_utxod_entries {
	struct rc_block_place at;
	size_t n;
	const struct rc_bytes *values; /* data NULL: absent (no entry has an empty value) */
};
/* Entries of a namespace 2 … 5, each key of the namespace's length (types/delta.h). */
typedef void (*rc_utxod_entries_fn)(void *arg, const struct rc_reply *reply,
				    const struct rc_utxod_entries *entries);
uint64_t rc_utxod_get_entries(struct rc_client *client, const struct rc_block_id *at, unsigned ns,
			      const struct rc_bytes *keys, size_t n, uint32_t deadline_ms,
			      rc_utxod_entries_fn fn, void *arg);

/* The root of the state after a block; waits until it is computed. */
struct rc_utxod_root {
	struct rc_block_place at;
	struct rc_hash root;
};
typedef void (*rc_utxod_root_fn)(void *arg, const struct rc_reply *reply,
				 const struct rc_utxod_root *root);
uint64_t rc_utxod_root(struct rc_client *client, const struct rc_block_id *at, uint32_t deadline_ms,
		       rc_utxod_root_fn fn, void *arg);
/* Of the committed chain's State(height), within the kept window. */
uint64_t rc_utxod_root_at_height(struct rc_client *client, uint32_t height, uint32_t deadline_ms,
				 rc_utxod_root_fn fn, void *arg);

/* Which state a proof is made for: latest is State(applied tip − 1), the newest that a header
 * commits to. */
struct rc_utxod_prove {
	struct rc_proof_question about;
	bool latest;
	uint32_t height; /* unless latest */
	bool sums_only;
	uint32_t max_leaves; /* 0: utxod's own limit */
};
struct rc_utxod_proof {
	struct rc_block_place at; /* the state it holds for: check with the header above it */
	struct rc_bytes proof;
};
typedef void (*rc_utxod_proof_fn)(void *arg, const struct rc_reply *reply,
				  const struct rc_utxod_proof *proof);
uint64_t rc_utxod_prove(struct rc_client *client, const struct rc_utxod_prove *question,
			uint32_t deadline_ms, rc_utxod_proof_fn fn, void *arg);

struct rc_utxod_coin_list {
	struct rc_block_place at;
	size_t n;
	const struct rc_delta_coin *coins; /* ascending by outpoint */
	bool more;			   /* go on after the last one */
	rc_amount total;		   /* of all coins of the lock, listed or not */
};
/* The coins of a lock by its hash; after NULL: from the first; max 0: utxod's own limit. */
typedef void (*rc_utxod_list_fn)(void *arg, const struct rc_reply *reply,
				 const struct rc_utxod_coin_list *list);
uint64_t rc_utxod_list_coins(struct rc_client *client, const struct rc_block_id *at,
			     const struct rc_hash *lock_hash, const struct rc_outpoint *after,
			     uint32_t max, uint32_t deadline_ms, rc_utxod_list_fn fn, void *arg);

/* Encoded deltas of the committed chain from a height up, as many as fit. */
struct rc_utxod_deltas {
	uint32_t first_height; /* the oldest that is kept */
	size_t n;
	const struct rc_bytes *deltas; /* rc_delta_decode */
};
typedef void (*rc_utxod_deltas_fn)(void *arg, const struct rc_reply *reply,
				   const struct rc_utxod_deltas *deltas);
uint64_t rc_utxod_deltas(struct rc_client *client, uint32_t from_height, uint32_t max_count,
			 uint32_t deadline_ms, rc_utxod_deltas_fn fn, void *arg);

/* Block ids of the committed chain, descending from a height, as far as they are kept. */
struct rc_utxod_ancestry {
	size_t n;
	const struct rc_block_place *blocks;
};
typedef void (*rc_utxod_ancestry_fn)(void *arg, const struct rc_reply *reply,
				     const struct rc_utxod_ancestry *ancestry);
uint64_t rc_utxod_ancestry(struct rc_client *client, uint32_t from_height, uint32_t max_count,
			   uint32_t deadline_ms, rc_utxod_ancestry_fn fn, void *arg);

struct rc_utxod_verified {
	struct rc_block_place at;
	bool good;
	const char *text;
	uint64_t entries;
};
typedef void (*rc_utxod_verified_fn)(void *arg, const struct rc_reply *reply,
				     const struct rc_utxod_verified *verified);
uint64_t rc_utxod_verify_state(struct rc_client *client, uint32_t deadline_ms,
			       rc_utxod_verified_fn fn, void *arg);

/* ---- writing: chaind's alone; writer is its boot id ---- */

/* Drops what an earlier writer staged, fences off its late requests, and answers when everything
 * applied is durable. The tip goes to both places of *tip. */
uint64_t rc_utxod_open_writer(struct rc_client *client, uint64_t writer, uint32_t deadline_ms,
			      rc_utxod_tip_fn fn, void *arg);

/* Answers without a result: reply->err tells. */
typedef void (*rc_utxod_done_fn)(void *arg, const struct rc_reply *reply);

/* A block's encoded delta, on top of what is staged or of the applied tip. A block that is staged
 * or committed already is fine; RC_ENOENT: its parent is neither the top of the stack nor, with
 * nothing staged, the tip; RC_EBUSY: the stack is full, commit first; RC_EINVAL: the delta doesn't
 * fit the state. */
uint64_t rc_utxod_stage(struct rc_client *client, uint64_t writer, struct rc_bytes delta,
			uint32_t deadline_ms, rc_utxod_done_fn fn, void *arg);

/* Commits a staged block and all below it; durable: answered when it is on disk. A block that is
 * committed already is fine. RC_ENOENT: neither staged nor committed. */
uint64_t rc_utxod_commit(struct rc_client *client, uint64_t writer, const struct rc_block_id *id,
			 bool durable, uint32_t deadline_ms, rc_utxod_tip_fn fn, void *arg);

/* Drops a staged block and all above it; NULL: everything staged, a switch included. */
uint64_t rc_utxod_abort(struct rc_client *client, uint64_t writer, const struct rc_block_id *id,
			uint32_t deadline_ms, rc_utxod_done_fn fn, void *arg);

typedef void (*rc_utxod_place_fn)(void *arg, const struct rc_reply *reply,
				  const struct rc_block_place *place);
/* Drops what is staged and undoes to a committed block in memory; Stages follow on top of it.
 * RC_ENOENT: not an ancestor whose delta is kept. */
uint64_t rc_utxod_switch(struct rc_client *client, uint64_t writer, const struct rc_block_id *fork,
			 uint32_t deadline_ms, rc_utxod_place_fn fn, void *arg);
/* Undoes committed blocks back to this one, durably. */
uint64_t rc_utxod_revert(struct rc_client *client, uint64_t writer, const struct rc_block_id *to,
			 uint32_t deadline_ms, rc_utxod_place_fn fn, void *arg);

/* ---- events ---- */

/* Body of the event "tip" (rc_subscriber): the applied or the durable block moved. */
bool rc_utxod_tip_event(struct rc_bytes body, struct rc_utxod_tip *ret_tip);

#endif
