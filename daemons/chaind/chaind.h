/*
 * chaind: the header tree, the block store, the rules, the pool, templates. This is its state as a
 * whole, and the calls its handlers make; they know nothing of the bus's messages.
 *
 * What always holds between two turns of the loop:
 *  - the active chain ends in the block utxod has committed, as far as it has answered;
 *  - a body is stored before its block can be committed, synced where commits are durable;
 *  - every transaction of the pool holds on top of the active tip, and is in the journal;
 *  - what a person was told is accepted is synced.
 */
#ifndef CHAIND_CHAIND_H
#define CHAIND_CHAIND_H

#include "bus/server.h"
#include "daemons/chaind/admit.h"
#include "daemons/chaind/connect.h"
#include "daemons/chaind/download.h"
#include "daemons/chaind/future.h"
#include "daemons/chaind/metrics.h"
#include "daemons/chaind/polls.h"
#include "daemons/chaind/presync.h"
#include "daemons/chaind/rebuild.h"
#include "daemons/chaind/refill.h"
#include "service/service.h"

struct chaind_config {
	const char *statedir;
	size_t cache_bytes;    /* of the block store */
	size_t verified_bytes; /* of the table of verified transactions */
	unsigned verify_threads;
	struct rc_u256 least_work; /* of a branch that is kept, beside the tip's */
	struct pool_limits pool;
	struct rc_client_config utxod; /* how to reach it; on_state and arg are set here */
};

/* As many as may be asked for, and a few of other branches. */
#define MADE_COMPACTS 8

struct generator;
struct block_wait;
struct arrival;
struct confirmed;
struct tx_lease;
struct tx_event;

struct chaind {
	struct chaind_config config;
	struct rc_service *service; /* NULL in tests */
	struct rc_loop *loop;
	struct rc_server *server; /* NULL: nobody is told of events */
	const struct rc_network *network;
	const struct rc_clock *system_clock;
	const struct rc_random *random;
	struct rc_metrics *metrics;
	struct rc_clock clock; /* system_clock, unless an operator of reg holds it */
	uint32_t mock_time;

	struct chain chain;
	struct presyncs presyncs;
	struct blockstore *store;
	struct verified *verified;
	struct connector connect;
	struct mempool pool;
	struct orphans orphans;
	struct journal *journal;
	struct pool_cursor compact_walk; /* of what the journal's new file holds */
	struct pool_cursor expire_walk, tell_walk;
	bool compact_spoiled;
	struct admit admit;
	struct refill refill;
	struct download download;
	struct future future;
	struct generator *generator;
	struct rc_client *utxod;
	struct rc_workers *prep, *verify, *journal_writer;
	struct rc_source *sources[5];
	struct rc_source *maintenance; /* once a second */

	struct poll_list tip_polls, template_polls, wanted_polls, settle_polls;
	struct arrival *arrivals;
	struct block_wait *block_waits;
	uint64_t last_number; /* of waits */
	struct body *recent;  /* the block that came last, for those who are told of it; or NULL */
	struct made_compact { /* compact forms of late blocks: each is made once */
		struct rc_block_id id;
		struct rc_buf raw;
	} compacts[MADE_COMPACTS];
	unsigned next_compact;
	struct leftovers leftovers;
	struct tx_lease *tx_leases;
	struct confirmed *confirmed; /* wtxids of late blocks: not fetched again */
	struct tx_event *tx_events;  /* of the pool, to be told together */
	const char *tx_topic;	     /* by an event of this topic */
	size_t n_tx_events;
	struct rc_source *tell_txs;
	uint64_t last_log_us;
	uint32_t last_log_height;
	int64_t template_told_us;
	uint32_t told_durable; /* the height of the last "durable" event */
	bool entered, started, stopping, was_running;
	bool stale_seen; /* branches that were left before the start gave their transactions */
	bool headers_published;
	struct block_node *published_header;
};

/* ---- life ---- */

/* loop, network, clocks, random, metrics, config filled in. enter opens what is stored; start
 * begins to talk with utxod; close undoes both, also half-way. */
int chaind_enter(struct chaind *chaind, struct rc_error *error);
int chaind_start(struct chaind *chaind, struct rc_error *error);
void chaind_close(struct chaind *chaind);
/* Asks for everything to be written. */
void chaind_flush(struct chaind *chaind);
bool chaind_ready(const struct chaind *chaind);
void chaind_status(struct chaind *chaind, struct rc_status *status);
uint64_t chaind_now(const struct chaind *chaind); /* seconds since 1970 */

/* ---- arrivals (arrival.c) ---- */

struct headers_result {
	enum rc_verdict verdict;
	uint32_t accepted;
	struct block_node *last;
	bool wanted;
	bool go_on; /* a branch that isn't kept yet (presync.h): to be asked on from … */
	struct rc_block_id ask_from;
};
/* n × RC_HEADER_SIZE bytes, each the child of the one before. who.peer 0: no peer. */
void chaind_submit_headers(struct chaind *chaind, struct presync_who who, const uint8_t *raw,
			   size_t n, struct headers_result *ret_result);

struct block_result {
	int err; /* < 0: no verdict, chaind is stopping */
	enum rc_verdict verdict;
	bool fault_of_message;
	bool duplicate;
	struct rc_block_id id;
	uint32_t height;
};
typedef void (*block_fn)(void *arg, const struct block_result *result);
/* What the answer waits for. */
enum block_when {
	BLOCK_CHECKED,	 /* the body is the header's and breaks no rule that needs no state */
	BLOCK_STORED,	 /* it is in the store */
	BLOCK_CONNECTED, /* connected and durable, failed, or not on the way to the best chain */
};
/* raw is copied. A number for chaind_forget_block; 0: fn was called. */
uint64_t chaind_submit_block(struct chaind *chaind, uint64_t peer, const void *raw, size_t len,
			     enum block_when when, block_fn fn, void *arg);
/* fn isn't called any more. */
void chaind_forget_block(struct chaind *chaind, uint64_t wait);
/* Answers who waits for what has been decided. */
void chaind_wake_blocks(struct chaind *chaind);
/* The end: everybody is told that there is no verdict. */
void chaind_drop_waits(struct chaind *chaind);
/* A header with enough work is told before its block is connected. */
void chaind_publish_header(struct chaind *chaind);

/* ---- the chain moved (moves.c) ---- */

void chaind_set_connect_ops(struct chaind *chaind);
void chaind_veto(struct chaind *chaind, struct block_node *node);
void chaind_reconsider(struct chaind *chaind, struct block_node *node);
int chaind_set_mock_time(struct chaind *chaind, uint32_t time);

/* ---- transactions (txs.c) ---- */

void chaind_pool_open(struct chaind *chaind);
/* As configured, and bounded by what a block of the network holds. */
void chaind_pool_set_limits(struct chaind *chaind, const struct pool_limits *limits);
void chaind_pool_maintain(struct chaind *chaind);
void chaind_pool_close(struct chaind *chaind);
/* True: this client (its boot id) should fetch it, and no other for a while. */
bool chaind_want_tx(struct chaind *chaind, uint64_t client, const struct rc_wtxid *wtxid);
#define TX_LEASE_MS 20000
void chaind_txs_confirmed(struct chaind *chaind, const struct rc_block *block);
int chaind_journal_open(struct chaind *chaind, struct rc_error *error);

/* ---- mining on reg (generate.c) ---- */

struct generate_result {
	int err;
	const char *text;
	const struct rc_block_id *ids;
	size_t n_ids;
};
typedef void (*generate_fn)(void *arg, const struct generate_result *result);
/* Mines until the active chain has this height. Returns its number, for chaind_generate_cancel. */
uint64_t chaind_generate(struct chaind *chaind, const void *lock, size_t lock_len,
			 uint32_t goal_height, uint64_t max_tries, generate_fn fn, void *arg);
void chaind_generate_cancel(struct chaind *chaind, uint64_t number);
void chaind_generate_step(struct chaind *chaind);
void chaind_generate_done(struct chaind *chaind);

/* ---- events (events.c) ---- */

void event_tip(struct chaind *chaind, bool reorganised);
void event_durable(struct chaind *chaind);
void event_header(struct chaind *chaind, const struct block_node *node);
void event_tx(struct chaind *chaind, const struct pool_tx *tx, const char *why);
/* What was kept to be told together is told now. */
void event_flush(struct chaind *chaind);
void events_done(struct chaind *chaind);
void event_tx_removed(struct chaind *chaind, const struct rc_txid *txid,
		      const struct rc_wtxid *wtxid, uint32_t size, uint64_t fee, const char *why);

/* ---- handlers ---- */

extern const struct rc_handler chaind_handlers[];
/* The lists of kept requests. */
void on_polls_init(struct chaind *chaind);
void on_settle_init(struct chaind *chaind);

#endif
