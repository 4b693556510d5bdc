/*
 * Connecting blocks: the pipeline between the block store, utxod and the threads that verify
 * (10-architecture, "A block arrives", "A reorganisation", "Restarts and power cuts").
 *
 * A block's way: its body is loaded; when its parent is staged, its coins and its parent's root are
 * asked of utxod in one batch; the pure rules give its delta, which is staged while its witnesses
 * are verified; when everything holds, and everything below it does, it is committed. Blocks stand
 * in the pipeline in the order of the chain, several at once; a verdict is only believed when all
 * below hold, so the first failing block is the one that is blamed, by its first failing rule.
 *
 * Every request to utxod belongs to a session, which begins with OpenWriter and ends with the first
 * answer that wasn't expected, or with another boot of utxod: then everything in the pipeline is
 * dropped, utxod's tip decides where we are, and the work starts again from there.
 */
#ifndef CHAIND_CONNECT_H
#define CHAIND_CONNECT_H

#include "base/clock.h"
#include "client/utxod.h"
#include "consensus/connect.h"
#include "daemons/chaind/blockstore.h"
#include "daemons/chaind/body.h"
#include "daemons/chaind/chain.h"
#include "daemons/chaind/verified.h"
#include "service/metrics.h"

struct connector;

/* A block in the pipeline. It lives until nobody refers to it: the queue, answers that are still to
 * come, work on other threads. */
struct pipe_block {
	struct connector *c;
	struct pipe_block *prev, *next;
	struct block_node *node;
	unsigned refs;
	_Atomic bool dropped;

	struct body *body; /* NULL until loaded */
	bool loading;
	struct rc_arena arena;	    /* coins, result; a worker's while it works */
	struct rc_coin_slot *coins; /* NULL: nothing was asked yet */
	struct rc_outpoint *asked;  /* of utxod, in parts */
	uint32_t *asked_slots;	    /* where their coins go */
	struct fetch_part *parts;
	uint32_t n_parts, parts_left, parts_out;
	struct rc_hash parent_root;
	rc_amount treasury_before;
	bool fetched;
	bool root_asked, root_here;
	bool checking, checked;
	bool remembers; /* which of its transactions are verified */
	enum rc_verdict check_verdict;
	struct rc_connect_result result;
	struct rc_buf delta;
	uint32_t *chunks; /* the first job of each, and at the end how many jobs there are */
	uint32_t n_chunks;
	_Atomic uint32_t next_chunk; /* not taken yet */
	struct verifier *verifiers;
	unsigned verifiers_left;
	struct rc_witness_finding finding;
	bool verify_started, verified;
	bool staging, staged;
	bool sync_asked;
	bool ready; /* everything holds: waits for its commit */
	bool commit_sent;
	int64_t entered_us, stage_us; /* since when: in the pipeline; in the present stage */
};

struct connect_ops {
	/* Of each outpoint the coin of the state at the applied tip, if it is known without utxod,
	 * valid until the loop turns; NULL: not known. */
	void (*known_coins)(void *arg, const struct rc_outpoint *outpoints, size_t n,
			    const struct rc_coin **ret_coins);
	/* The applied tip moved from old over fork to the last of blocks (none: it is fork). */
	void (*advanced)(void *arg, struct block_node *old_tip, struct block_node *fork,
			 struct pipe_block *const *blocks, size_t n_blocks);
	/* A block broke a rule. */
	void (*failed)(void *arg, struct block_node *node);
	/* The durable height, the tip's root or running changed. */
	void (*changed)(void *arg);
	/* utxod's tip was learned at a session's begin; old: what was believed before. */
	void (*restarted)(void *arg, struct block_node *old_tip);
	/* A body that should be stored can't be read. */
	void (*lost_body)(void *arg, struct block_node *node);
};

enum connect_phase {
	CONNECT_DOWN,	 /* no session */
	CONNECT_OPENING, /* OpenWriter, and what is needed to begin */
	CONNECT_MOVING,	 /* Switch or Revert under way */
	CONNECT_RUNNING,
};

struct connector {
	struct chain *chain;
	struct blockstore *store;
	struct verified *verified;
	struct rc_loop *loop;
	struct rc_client *utxod;
	struct rc_workers *prep;   /* decoding and pure checks */
	struct rc_workers *verify; /* witnesses */
	struct rc_metrics *metrics;
	const struct rc_clock *clock;
	struct connect_ops ops;
	void *arg;
	uint64_t boot;

	enum connect_phase phase;
	uint64_t session;
	uint64_t writer; /* of the session */
	uint64_t utxod_boot;
	struct rc_source *retry; /* opens again, or asks again after BUSY */
	uint32_t backoff_ms;

	struct block_node *best; /* where to go */
	struct block_node *base; /* the state's block below the queue */
	rc_amount base_treasury;
	bool switching; /* base is a fork below the applied tip */
	struct pipe_block *head, *tail;
	uint32_t queued;
	uint32_t queued_ready;
	size_t queued_bytes;
	bool stack_full;
	bool hold; /* utxod was busy: nothing new is asked until the retry */
	bool need_abort;
	bool abort_all;
	struct rc_block_id abort_id;
	unsigned writes_out; /* Stage, Commit, Abort without an answer */
	unsigned commits_out;
	bool stepping, step_again;

	/* Bodies that arrived and whose turn comes soon. */
	struct offered {
		struct block_node *node;
		struct body *body;
	} * offered;
	size_t n_offered;
	size_t offered_bytes;

	uint32_t durable_height;
	struct rc_block_id durable_id;
	bool tip_known; /* utxod has told it, in this process's life */
	bool tip_root_known, tip_root_asked;
	struct rc_hash tip_root;
};

/* All pointers above down to boot filled in by the caller. */
void connect_init(struct connector *c);
/* Drops the pipeline; workers must have ended or end before the chain does. */
void connect_done(struct connector *c);

/* utxod's connection (rc_client_state_fn with c as its arg). */
void connect_on_utxod(void *c, bool up, uint64_t boot, bool changed);

/* A body was stored, or flags of the chain changed: looks for the best chain and goes on. */
void connect_arrived(struct connector *c, struct block_node *node);
void connect_reconsider(struct connector *c);
/* Goes on with whatever can go on. */
void connect_step(struct connector *c);

/* utxod answers and the tip is known. */
bool connect_running(const struct connector *c);
/* Far behind the present: commits needn't be durable one by one. */
bool connect_initial_download(const struct connector *c);
/* Whether the pipeline will come to this block as things stand. */
bool connect_heading_to(const struct connector *c, struct block_node *node);
/* Gives a body that just arrived to the pipeline, so that it isn't read again; keeps a reference
 * if there is room. */
void connect_offer_body(struct connector *c, struct block_node *node, struct body *body);

/* ---- between the files of the pipeline ---- */

struct pipe_block *pipe_block_new(struct connector *c, struct block_node *node);
void pipe_block_ref(struct pipe_block *b);
/* Takes an offered body; NULL: none. */
struct body *connect_take_body(struct connector *c, const struct block_node *node);
void pipe_block_unref(struct pipe_block *b);
/* Starts what can be started for one block. */
void pipe_block_advance(struct pipe_block *b);

void session_start(struct connector *c);
void session_lost(struct connector *c, const char *what, const struct rc_reply *reply);
/* Whether an answer belongs to the present session. */
struct session_call {
	struct connector *c;
	struct pipe_block *b; /* referenced; may be NULL */
	struct block_node *node;
	uint64_t session;
	bool write;
	struct fetch_part *part; /* the block's */
};
struct session_call *session_call_new(struct connector *c, struct pipe_block *b,
				      struct block_node *node, bool write);
/* Frees the call. False: the answer is of an earlier session, or its block was dropped. *ret_b is
 * still referenced by the caller, who unrefs it. */
bool session_call_end(struct session_call *call, struct connector **ret_c,
		      struct pipe_block **ret_b, struct block_node **ret_node);
void session_move(struct connector *c, struct block_node *to);
void session_ask_tip_root(struct connector *c);
void session_retry_in(struct connector *c, uint32_t ms);
void connect_drop_from(struct connector *c, struct pipe_block *b);
void connect_drop_all(struct connector *c);
void connect_set_durable(struct connector *c, const struct rc_block_place *durable);

/* Deadlines of requests to utxod. Long: utxod may be restarting, and the answer of a write decides
 * nothing by coming late. */
#define STATE_DEADLINE_MS (10 * 60 * 1000)

#endif
