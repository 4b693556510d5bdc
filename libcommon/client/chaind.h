/*
 * chaind's requests as typed calls, for peerd, rpcd and the tools. A call is answered exactly once,
 * later, by its function: why->err tells (RC_OK, or why there is no answer, see bus/client.h);
 * reply is NULL unless it is RC_OK, and is valid during the callback only. Each call returns its
 * id, for rc_chaind_cancel.
 */
#ifndef RC_CLIENT_CHAIND_H
#define RC_CLIENT_CHAIND_H

#include "bus/client.h"
#include "types/header.h"
#include "types/outpoint.h"

struct rc_chaind;

/* config: from, role, rundir or inproc, network_id, boot, on_state and arg; to is set here. */
int rc_chaind_open(struct rc_loop *loop, const struct rc_client_config *config,
		   struct rc_chaind **ret, struct rc_error *error);
void rc_chaind_close(struct rc_chaind *chaind);
struct rc_client *rc_chaind_bus(struct rc_chaind *chaind);
/* The call's function won't be called any more. A call that was answered is fine. */
void rc_chaind_cancel(struct rc_chaind *chaind, uint64_t call);

/* A block by height and id; id all zero: none. */
struct rc_block_ref {
	uint32_t height;
	struct rc_block_id id;
};

/* ---- reading ---- */

struct rc_chain_info {
	struct rc_block_ref tip, durable, best_header;
	uint8_t chainwork[32]; /* big-endian */
	uint32_t bits, time, median_time;
	bool has_state_root;
	struct rc_hash state_root; /* of the state after the tip */
	bool initial_download;
	uint64_t size_on_disk;
	uint32_t block_limit;
	struct rc_hash network_id;
	const char *network;
	size_t n_warnings;
	const char *const *warnings;
	uint64_t supply_oxides;
	uint64_t pool_transactions, pool_bytes;
};
typedef void (*rc_chain_info_fn)(void *arg, const struct rc_reply *why,
				 const struct rc_chain_info *reply);
uint64_t rc_chaind_chain_info(struct rc_chaind *chaind, uint32_t deadline_ms, rc_chain_info_fn fn,
			      void *arg);

typedef void (*rc_block_id_fn)(void *arg, const struct rc_reply *why,
			       const struct rc_block_id *reply);
/* RC_ENOENT above the tip. */
uint64_t rc_chaind_block_id_at(struct rc_chaind *chaind, uint32_t height, uint32_t deadline_ms,
			       rc_block_id_fn fn, void *arg);

struct rc_header_info {
	uint32_t height;
	int32_t confirmations; /* −1: not on the best chain */
	uint8_t chainwork[32];
	uint32_t median_time;
	bool has_next;
	struct rc_block_id next;
	uint32_t transactions; /* 0: body not stored */
	uint64_t size;
	const char *status; /* "active", "valid", "headers-only", "invalid", "stored" */
	const char *verdict;
	struct rc_bytes raw; /* header: 118 bytes; block: all of it; block_tx: the transaction */
	uint32_t index;	     /* of block_tx: the transaction's place */
};
typedef void (*rc_header_info_fn)(void *arg, const struct rc_reply *why,
				  const struct rc_header_info *reply);
/* RC_ENOENT: not known, or (block, block_tx) not stored. */
uint64_t rc_chaind_header(struct rc_chaind *chaind, const struct rc_block_id *id,
			  uint32_t deadline_ms, rc_header_info_fn fn, void *arg);
uint64_t rc_chaind_block(struct rc_chaind *chaind, const struct rc_block_id *id,
			 uint32_t deadline_ms, rc_header_info_fn fn, void *arg);
uint64_t rc_chaind_block_tx(struct rc_chaind *chaind, const struct rc_block_id *block,
			    const struct rc_txid *txid, uint32_t deadline_ms, rc_header_info_fn fn,
			    void *arg);

struct rc_chain_tip {
	uint32_t height;
	struct rc_block_id id;
	uint32_t branch_length;
	const char *status;
};
struct rc_chain_tips {
	size_t n;
	const struct rc_chain_tip *tips;
};
typedef void (*rc_chain_tips_fn)(void *arg, const struct rc_reply *why,
				 const struct rc_chain_tips *reply);
uint64_t rc_chaind_chain_tips(struct rc_chaind *chaind, uint32_t deadline_ms, rc_chain_tips_fn fn,
			      void *arg);

struct rc_mempool_info {
	uint64_t count, bytes, usage, max, total_fee, min_fee_per_kb, orphans, sequence;
	bool filling; /* transactions come back, after a start or a reorganisation */
};
typedef void (*rc_mempool_info_fn)(void *arg, const struct rc_reply *why,
				   const struct rc_mempool_info *reply);
uint64_t rc_chaind_mempool_info(struct rc_chaind *chaind, uint32_t deadline_ms,
				rc_mempool_info_fn fn, void *arg);

struct rc_mempool_entry {
	struct rc_txid txid;
	struct rc_wtxid wtxid;
	uint32_t size;
	uint64_t fee, time;
	uint32_t height, ancestors, descendants;
	uint64_t ancestor_size, ancestor_fee;
	size_t n_depends, n_spent_by;
	const struct rc_txid *depends, *spent_by;
	struct rc_bytes raw; /* of rc_chaind_mempool_tx */
};
struct rc_mempool_list {
	size_t n_txids;
	const struct rc_txid *txids;
	size_t n_entries; /* when verbose */
	const struct rc_mempool_entry *entries;
	uint64_t sequence; /* the pool's when the list was begun */
};
typedef void (*rc_mempool_list_fn)(void *arg, const struct rc_reply *why,
				   const struct rc_mempool_list *reply);
/* Oldest first, each once. It is asked for in parts, each with this deadline: what enters or leaves
 * the pool meanwhile may be there or not. Begun again where chaind restarted between two parts;
 * RC_EUNAVAILABLE if it goes on doing so. Not to be cancelled. */
void rc_chaind_mempool_list(struct rc_chaind *chaind, bool verbose, uint32_t deadline_ms,
			    rc_mempool_list_fn fn, void *arg);

typedef void (*rc_mempool_entry_fn)(void *arg, const struct rc_reply *why,
				    const struct rc_mempool_entry *reply);
/* By txid, or where that is NULL by wtxid. RC_ENOENT: not in the pool. */
uint64_t rc_chaind_mempool_tx(struct rc_chaind *chaind, const struct rc_txid *txid,
			      const struct rc_wtxid *wtxid, uint32_t deadline_ms,
			      rc_mempool_entry_fn fn, void *arg);

/* Answers with a tip and bulk frames, as chaind.proto describes them. */
struct rc_pool_answer {
	struct rc_block_ref tip;
	struct rc_bytes made;  /* bulk 0 */
	struct rc_bytes spent; /* bulk 1 of pool_lock */
};
typedef void (*rc_pool_answer_fn)(void *arg, const struct rc_reply *why,
				  const struct rc_pool_answer *reply);
/* outpoints: n × 36 bytes (txid, index little-endian). */
uint64_t rc_chaind_pool_coins(struct rc_chaind *chaind, struct rc_bytes outpoints,
			      uint32_t deadline_ms, rc_pool_answer_fn fn, void *arg);
uint64_t rc_chaind_pool_lock(struct rc_chaind *chaind, const struct rc_hash *lock_hash,
			     uint32_t deadline_ms, rc_pool_answer_fn fn, void *arg);

struct rc_template_tx {
	struct rc_txid txid;
	struct rc_wtxid wtxid;
	uint64_t fee;
	uint32_t size, budget;
	size_t n_depends;
	const uint32_t *depends; /* places in the list, from 1 */
};
struct rc_template {
	struct rc_bytes id;
	uint32_t height;
	struct rc_block_id prev;
	struct rc_hash state_root;
	uint32_t time, min_time, max_time, bits;
	uint64_t coinbase_oxides;
	size_t n_coinbase_outputs;
	const struct rc_bytes *coinbase_outputs;
	uint32_t size_limit, budget_limit;
	size_t n_txs;
	const struct rc_template_tx *txs;
	struct rc_bytes raw_txs; /* one after another */
};
typedef void (*rc_template_fn)(void *arg, const struct rc_reply *why,
			       const struct rc_template *reply);
/* known: a template's id (empty: none): waits up to wait_ms until there is another. */
uint64_t rc_chaind_template(struct rc_chaind *chaind, struct rc_bytes known, uint32_t wait_ms,
			    bool force, uint32_t deadline_ms, rc_template_fn fn, void *arg);

typedef void (*rc_block_ref_fn)(void *arg, const struct rc_reply *why,
				const struct rc_block_ref *reply);
/* Until the tip isn't known (NULL: any) any more and its height is at least min_height; after
 * wait_ms the tip as it is. */
uint64_t rc_chaind_wait_tip(struct rc_chaind *chaind, const struct rc_block_id *known,
			    uint32_t min_height, uint32_t wait_ms, uint32_t deadline_ms,
			    rc_block_ref_fn fn, void *arg);

/* ---- of peers ---- */

typedef void (*rc_bytes_fn)(void *arg, const struct rc_reply *why, const struct rc_bytes *reply);
/* n × 118 bytes after the first locator id of the best chain, at most max (0: 2,000). stop may be
 * NULL. */
uint64_t rc_chaind_headers(struct rc_chaind *chaind, const struct rc_block_id *locator,
			   size_t n_locator, const struct rc_block_id *stop, uint32_t max,
			   uint32_t deadline_ms, rc_bytes_fn fn, void *arg);

struct rc_locator {
	size_t n;
	const struct rc_block_id *ids;
	struct rc_block_ref best_header;
};
typedef void (*rc_locator_fn)(void *arg, const struct rc_reply *why,
			      const struct rc_locator *reply);
/* from NULL: the best header. */
uint64_t rc_chaind_locator(struct rc_chaind *chaind, const struct rc_block_id *from,
			   uint32_t deadline_ms, rc_locator_fn fn, void *arg);

struct rc_submit_headers {
	const char *verdict; /* "ok", or the first failing rule */
	const char *verdict_class;
	uint32_t accepted;
	struct rc_block_ref last;
	uint8_t last_work[32];
	bool wanted; /* it has more work than chaind's tip */
	/* Their branch isn't kept before it has shown enough work: the peer is to be asked on from
	 * this id. */
	bool go_on;
	struct rc_block_id ask_from;
};
typedef void (*rc_submit_headers_fn)(void *arg, const struct rc_reply *why,
				     const struct rc_submit_headers *reply);
uint64_t rc_chaind_submit_headers(struct rc_chaind *chaind, uint64_t peer, struct rc_bytes headers,
				  uint32_t deadline_ms, rc_submit_headers_fn fn, void *arg);

struct rc_submit_block {
	const char *verdict;
	const char *verdict_class;
	bool fault_of_message; /* the body isn't the header's: the sender's fault alone */
	bool duplicate;
	struct rc_block_ref block;
};
typedef void (*rc_submit_block_fn)(void *arg, const struct rc_reply *why,
				   const struct rc_submit_block *reply);
/* wait_connect: answered when it is connected and durable, or judged, or known not to become the
 * tip now; else when it is stored. */
uint64_t rc_chaind_submit_block(struct rc_chaind *chaind, uint64_t peer, bool wait_connect,
				struct rc_bytes block, uint32_t deadline_ms, rc_submit_block_fn fn,
				void *arg);

struct rc_submit_tx {
	const char *verdict;
	const char *verdict_class;
	struct rc_txid txid;
	struct rc_wtxid wtxid;
	uint64_t fee;
	uint32_t size;
	bool duplicate;
	bool orphan;
	size_t n_missing;
	const struct rc_txid *missing;
	const char *reason;
};
struct rc_submit_txs {
	size_t n;
	const struct rc_submit_tx *results; /* in the order of the frames */
};
typedef void (*rc_submit_txs_fn)(void *arg, const struct rc_reply *why,
				 const struct rc_submit_txs *reply);
/* peer 0: a person's: durable before the answer. max_fee_rate: oxides per 1,000 bytes, 0: any. */
uint64_t rc_chaind_submit_txs(struct rc_chaind *chaind, uint64_t peer, bool test_only,
			      uint64_t max_fee_rate, const struct rc_bytes *txs, size_t n_txs,
			      uint32_t deadline_ms, rc_submit_txs_fn fn, void *arg);

struct rc_wanted_peer {
	uint64_t peer;
	struct rc_block_id tip; /* best header that it has shown */
	uint32_t in_flight;
	size_t n_failed;
	const struct rc_block_id *failed; /* not leased to it again */
};
struct rc_lease {
	uint64_t peer;
	struct rc_block_id id;
	uint32_t height;
	uint32_t lease_ms;
};
struct rc_wanted {
	size_t n;
	const struct rc_lease *leases;
};
typedef void (*rc_wanted_fn)(void *arg, const struct rc_reply *why, const struct rc_wanted *reply);
uint64_t rc_chaind_wanted(struct rc_chaind *chaind, const struct rc_wanted_peer *peers,
			  size_t n_peers, uint32_t max_per_peer, uint32_t wait_ms,
			  uint32_t deadline_ms, rc_wanted_fn fn, void *arg);

typedef void (*rc_done_fn)(void *arg, const struct rc_reply *why);
uint64_t rc_chaind_release(struct rc_chaind *chaind, const struct rc_block_id *ids, size_t n_ids,
			   uint32_t deadline_ms, rc_done_fn fn, void *arg);

struct rc_have_txs {
	struct rc_bytes wanted; /* n × 32: those to be fetched, leased to the asker */
	uint32_t lease_ms;
};
typedef void (*rc_have_txs_fn)(void *arg, const struct rc_reply *why,
			       const struct rc_have_txs *reply);
uint64_t rc_chaind_have_txs(struct rc_chaind *chaind, uint64_t peer, const struct rc_wtxid *wtxids,
			    size_t n_wtxids, uint32_t deadline_ms, rc_have_txs_fn fn, void *arg);

struct rc_pool_txs {
	size_t n;
	const struct rc_wtxid *found;
	const struct rc_bytes *raw; /* parallel to found */
	/* Of those asked, the first ones were looked for, then the answer was full; 0: all were. */
	uint32_t looked;
};
typedef void (*rc_pool_txs_fn)(void *arg, const struct rc_reply *why,
			       const struct rc_pool_txs *reply);
uint64_t rc_chaind_pool_txs(struct rc_chaind *chaind, const struct rc_wtxid *wtxids,
			    size_t n_wtxids, uint32_t deadline_ms, rc_pool_txs_fn fn, void *arg);

struct rc_block_part {
	bool whole;	    /* raw is the block itself */
	bool no_such_place; /* of block_txns: the block has fewer transactions */
	struct rc_bytes raw;
};
typedef void (*rc_block_part_fn)(void *arg, const struct rc_reply *why,
				 const struct rc_block_part *reply);
/* raw: the compact form (types/compact.h). RC_ENOENT: not known, or not stored. */
uint64_t rc_chaind_compact_block(struct rc_chaind *chaind, const struct rc_block_id *id,
				 uint32_t deadline_ms, rc_block_part_fn fn, void *arg);
/* places: as rc_indexes_encode writes them. raw: the transactions there, one after another. */
uint64_t rc_chaind_block_txns(struct rc_chaind *chaind, const struct rc_block_id *id,
			      struct rc_bytes places, uint32_t deadline_ms, rc_block_part_fn fn,
			      void *arg);

struct rc_rebuild {
	const char *verdict;
	const char *verdict_class;
	bool fault_of_sender;
	bool duplicate;
	struct rc_block_ref block; /* id all zero: the header isn't kept */
	uint32_t missing;	   /* 0: the block was taken in, unless it is ambiguous */
	bool ambiguous;
	uint32_t transactions;
	struct rc_bytes places; /* of the missing ones, as block_txns takes them */
};
typedef void (*rc_rebuild_fn)(void *arg, const struct rc_reply *why,
			      const struct rc_rebuild *reply);
/* A compact block; places and txs (both empty at first): what it missed before. */
uint64_t rc_chaind_rebuild(struct rc_chaind *chaind, uint64_t peer, struct rc_bytes compact,
			   struct rc_bytes places, struct rc_bytes txs, uint32_t deadline_ms,
			   rc_rebuild_fn fn, void *arg);

/* ---- administration ---- */

struct rc_block_ids {
	size_t n;
	const struct rc_block_id *ids;
};
typedef void (*rc_block_ids_fn)(void *arg, const struct rc_reply *why,
				const struct rc_block_ids *reply);
uint64_t rc_chaind_generate(struct rc_chaind *chaind, struct rc_bytes lock, uint32_t goal_height,
			    uint64_t max_tries, uint32_t deadline_ms, rc_block_ids_fn fn,
			    void *arg);
uint64_t rc_chaind_invalidate_block(struct rc_chaind *chaind, const struct rc_block_id *id,
				    uint32_t deadline_ms, rc_done_fn fn, void *arg);
uint64_t rc_chaind_reconsider_block(struct rc_chaind *chaind, const struct rc_block_id *id,
				    uint32_t deadline_ms, rc_done_fn fn, void *arg);
/* 0 lets the clock go. */
uint64_t rc_chaind_set_mock_time(struct rc_chaind *chaind, uint32_t time, uint32_t deadline_ms,
				 rc_done_fn fn, void *arg);

/* ---- events ---- */

struct rc_tip_event {
	struct rc_block_ref tip, durable;
	struct rc_block_id prev;
	struct rc_bytes header; /* 118 bytes */
	bool reorganised;
	bool initial_download;
};
struct rc_header_event {
	struct rc_block_ref block;
	struct rc_bytes header;
};
struct rc_tx_event {
	struct rc_txid txid;
	struct rc_wtxid wtxid;
	uint32_t size;
	uint64_t fee;
	const char *why; /* of tx-removed: "block", "conflict", "replaced", "evicted", "expired" */
	uint64_t peer;
};
/* Any function may be NULL. missed: ask for the present state (bus/client.h). */
struct rc_chaind_events {
	void (*tip)(void *arg, const struct rc_tip_event *event);
	void (*durable)(void *arg, const struct rc_tip_event *event);
	void (*header)(void *arg, const struct rc_header_event *event);
	void (*tx)(void *arg, const struct rc_tx_event *event);
	void (*tx_removed)(void *arg, const struct rc_tx_event *event);
	void (*missed)(void *arg);
};
/* config as given to rc_chaind_open. chaind replays what was missed. */
struct rc_chaind_subscription;
int rc_chaind_subscribe(struct rc_loop *loop, const struct rc_client_config *config,
			struct rc_chaind *chaind, const struct rc_chaind_events *events, void *arg,
			struct rc_chaind_subscription **ret, struct rc_error *error);
void rc_chaind_unsubscribe(struct rc_chaind_subscription *subscription);

#endif
