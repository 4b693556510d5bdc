/*
 * peerd's core: links to peers, the address book, relay, download. It knows no socket, no bus and
 * no clock of its own (outside.h), keeps no chain state, and is one thread: kill it and only links
 * are lost.
 *
 * A file a noun: peer.c one link's life and messages; connect.c whom we dial; stale.c when one
 * more; evict.c who makes room for a newcomer; gossip.c addresses; charge.c what peers cost us;
 * memory.c what they hold; sync.c headers; fetch.c blocks, over inflight.c's bookkeeping; compact.c
 * blocks in compact form; serve.c what peers ask for; announce.c new blocks; relay.c transactions.
 */
#ifndef PEERD_PEERD_H
#define PEERD_PEERD_H

#include <uthash.h>

#include "base/buf.h"
#include "consensus/network.h"
#include "daemons/peerd/anchors.h"
#include "daemons/peerd/book.h"
#include "daemons/peerd/budget.h"
#include "daemons/peerd/conduct.h"
#include "daemons/peerd/inflight.h"
#include "daemons/peerd/message.h"
#include "daemons/peerd/outside.h"
#include "daemons/peerd/seen.h"
#include "daemons/peerd/timers.h"

#define PEERD_SECOND INT64_C(1000000) /* µs, the unit of all times here */
#define PEERD_MS     INT64_C(1000)

/* Headers that wait for their blocks before they are told on. */
#define PEERD_GOOD_HEADERS 64

/* What links hold in memory. */
enum memory_kind {
#define MEMORY(NAME, name, group, all, what) MEMORY_##NAME,
#include "daemons/peerd/memory.def"
#undef MEMORY
	MEMORIES
};
/* Bytes: of the inbound links of a network group, of all links. */
struct memory_limit {
	size_t group, all;
};
extern const struct memory_limit memory_limits[MEMORIES]; /* the table's */

struct peerd_options {
	uint16_t port;		/* that other nodes use; 0: we don't listen */
	uint16_t default_port;	/* of the network, for addresses without one */
	bool private_addresses; /* loopback and private addresses are kept and told */
	bool listen;
	bool hidden; /* behind a proxy: this host's addresses aren't told */
	unsigned max_inbound, outbound, block_only;
	unsigned handshakes_max;	   /* inbound links not yet authenticated, in all */
	unsigned handshakes_per_group_max; /* and of one network group */
	struct net_endpoint *connect;	   /* only these are dialled, if there are any */
	size_t n_connect;
	struct net_endpoint *addnode; /* these are always dialled */
	size_t n_addnode;
	struct net_endpoint *seeds; /* into the book when it is empty */
	size_t n_seeds;
	struct net_addr *external; /* addresses of ours, told to peers */
	size_t n_external;
	int64_t handshake_us;	 /* handshake and hello, from connecting on */
	int64_t dial_us;	 /* a connection takes no longer */
	int64_t ping_after_us;	 /* unanswered data: ping */
	int64_t ping_idle_us;	 /* nothing said: ping */
	int64_t link_timeout_us; /* an unanswered ping: the link is gone */
	int64_t retry_max_us;	 /* 1, 2, 4 … this */
	int64_t stall_us;	 /* least stall timeout of a download, doubled up to 32 times */
	int64_t relay_delay_us;	 /* mean delay of an inventory of transactions */
	int64_t session_us;	 /* a link is made anew after this … */
	uint64_t session_bytes;	 /* … or so many bytes */
	struct memory_limit memory[MEMORIES];
	char user_agent[64];
};

enum peer_role {
	PEER_INBOUND,
	PEER_OUTBOUND,
	PEER_BLOCK_ONLY,
	PEER_MANUAL,
	PEER_FEELER, /* ends with the greeting: is anybody there? */
	PEER_ROLES
};
enum peer_state { PEER_CONNECTING, PEER_HANDSHAKE, PEER_HELLO, PEER_READY };
const char *peer_role_name(enum peer_role role);
const char *peer_state_name(enum peer_state state);

/* Counters, in the order of the metrics' rows (metrics.def). */
enum peerd_counter {
#define METRIC(NAME, type, name, label, text) PEERD_##NAME,
#include "daemons/peerd/metrics.def"
#undef METRIC
	PEERD_COUNTERS
};

/* A peer's question about items, waiting for its turn (serve.c). */
struct serve_item {
	uint8_t kind;
	uint8_t id[32];
	int64_t until, again_at; /* of one that was parked */
};

#define PEER_PARKED_MAX 16

/* Peers that are asked to announce blocks in compact form (BIP152). */
#define ANNOUNCERS_MAX 3
/* Blocks that came lately, and who gave them: so many until the tip is one of them. */
#define GIVERS_MAX 16

/* Places of a block that a peer asks for (serve.c). */
struct txns_question {
	struct rc_block_id id;
	uint8_t *places; /* NULL: nothing waits */
	size_t len;
};

struct failed_block {
	struct rc_block_id id;
	int64_t until;
};

struct peer;

/* The inbound links of a network group. */
struct peer_group {
	struct net_group group;
	unsigned links;
	struct budget budget;

	/* memory.c */
	size_t held[MEMORIES]; /* by its links, when last counted */
	struct peer *turn;     /* of those with half a message the one that goes on, then … */
	uint64_t turn_id;      /* … and at the tick before … */
	uint64_t turn_mark;    /* … bytes received of it when it had sent enough … */
	int64_t turn_at;       /* … and when */
	bool memory_told;      /* that it holds too much */

	UT_hash_handle hh;
};

struct peer {
	struct peerd *core;
	uint64_t id;
	enum peer_role role;
	enum peer_state state;
	struct net_addr addr;
	bool dialled_with_key; /* XK */
	bool answered;	       /* its greeting came, or that none came isn't its fault */
	bool no_way;	       /* the way to any address failed, not this one */
	bool no_use;	       /* ended for another one: not dialled before others */
	bool dead;	       /* closed; freed when the turn ends */
	void *conn;
	struct rc_link *link;
	struct rc_buf out; /* encrypted, not yet taken by the connection */
	size_t out_at;
	bool dirty;	 /* has something to flush */
	bool no_room;	 /* the connection is full: peerd_writable will come */
	unsigned pauses; /* reasons not to read: enum peer_pause bits */
	struct timer resume;
	char why[96]; /* it ended */

	/* Times, µs of the monotonic clock; *_wall in ms since 1970 for people. */
	int64_t since, last_recv, last_send;
	int64_t unanswered; /* the first send after the last receive; 0: none */
	int64_t since_wall, last_recv_wall, last_send_wall;
	int64_t ping_sent; /* 0: none outstanding */
	uint64_t ping_nonce;
	uint64_t ping_us;
	uint64_t ping_best_us;	 /* UINT64_MAX: none answered */
	int64_t tx_at, block_at; /* it gave one that was new here; 0: never */
	struct budget budget;
	struct peer_group *group; /* of an inbound one */
	uint64_t useful, waste;	  /* charge.c: bytes of messages we know; others, charged */
	struct score score;

	/* hello */
	uint32_t version;
	uint64_t services;
	uint32_t start_height;
	char user_agent[64];
	uint16_t listen_port;
	bool relay;   /* it wants transactions */
	bool headers; /* it wants blocks announced by headers */

	/* sync.c */
	bool has_tip;
	struct rc_block_ref tip;	 /* best header it has shown */
	bool locator_asked;		 /* chaind was asked where to begin */
	bool headers_asked;		 /* an answer to getheaders is owed … */
	int64_t headers_at;		 /* … since … */
	struct rc_block_id headers_from; /* … to what follows this; zeros: a locator */
	bool headers_behind;		 /* it has more to show; another one is asked first */
	unsigned headers_submitted;
	bool counting; /* chaind doesn't keep its branch yet, and says whence to ask on */
	struct rc_block_id counted_to; /* chaind asked on from here, last */
	int64_t header_turn;	       /* when it was last asked for a long run; 0: never */
	struct timer headers_again;

	/* fetch.c */
	struct failed_block *failed;
	size_t n_failed;
	unsigned stalls; /* without a block between; not asked, if others may be, … */
	int64_t aside_until;
	int64_t failed_at; /* it hadn't a block, or stalled, last; 0: not since it gave one */
	unsigned late;	   /* blocks it may still give, though asked of others meanwhile */
	struct half_message {
		size_t bytes;	 /* it holds, of a message begun … */
		uint64_t number; /* … which, in the stream … */
		int64_t since;	 /* … when */
		int64_t read;	 /* while its group was at the bound, it was read for so long */
	} half[RC_LINK_STREAMS];
	uint64_t taken_mark; /* bytes sent when it had last taken enough … */
	int64_t taken_at;    /* … when; 0: nothing waits for it */
	/* While blocks are asked of it: what it should give showed that it comes, and how much of
	 * it had come then; the last one came, or the first was asked. */
	int64_t last_progress;
	uint64_t bytes_mark;
	int64_t block_since;
	int64_t block_us;   /* from one block to the next, smoothed; 0: it gave none */
	uint64_t line_mark; /* bytes of the bulk stream when the line was measured */
	uint32_t last_block_height;
	size_t chain_bytes;  /* of its blocks and transactions on their way to chaind */
	uint8_t *held_block; /* it waits for room at chaind; reading is paused */
	size_t held_len;
	struct timer held_timer;

	/* serve.c */
	struct seen served;	  /* ids of what it got: once more isn't free */
	struct serve_item *items; /* first in, first out */
	size_t n_items, items_cap;
	struct serve_item parked[PEER_PARKED_MAX]; /* blocks that aren't here, perhaps not yet */
	size_t n_parked;
	unsigned serving; /* questions to chaind on their way */
	bool serving_headers;
	struct rc_block_id *locator; /* the newest getheaders, waiting */
	size_t n_locator;
	bool has_stop;
	struct rc_block_id stop;

	struct txns_question txns; /* the newest getblocktxn, waiting */

	/* announce.c */
	struct seen known_blocks;

	/* compact.c */
	bool compact;		       /* it knows compact blocks … */
	bool compact_wanted;	       /* … and wants new blocks announced by them */
	struct rebuilding *rebuilding; /* its compact block, not whole yet; NULL: none */
	unsigned txns_given_up; /* questions for the rest of one that nobody waits for any more */

	/* relay.c */
	struct seen known_txs;
	uint8_t *inv; /* wtxids to announce, 32 each */
	size_t n_inv, inv_cap;
	struct timer inv_timer;
	uint64_t fee_filter, fee_filter_sent;
	unsigned txs_in_flight;
	unsigned txs_announced;	    /* wants it was the first to announce */
	struct tx_want *tx_first;   /* these */
	struct announcer *tx_told;  /* wants it announced, at all */
	struct announcer *tx_ready; /* those of them that it may be asked for */
	bool tx_asker;		    /* in core->tx_askers */
	struct peer *prev_asker, *next_asker;
	struct rc_buf tx_batch; /* received, for one SubmitTx: u32 length, bytes */
	unsigned n_tx_batch;
	unsigned tx_submits;				  /* SubmitTx on their way */
	enum { POOL_NONE, POOL_WAITS, POOL_LISTED } pool; /* it is told the pool by … */
	int64_t opened_at; /* its fee filter opened and it was told the pool; 0: never */
	struct timer tx_timer;

	/* gossip.c */
	bool addr_asked;
	int64_t addr_tokens, addr_tokens_at; /* in thousandths */
	struct seen known_addrs;
	bool getaddr_answered;

	UT_hash_handle hh;
};

enum peer_pause {
	PEER_PAUSE_BUDGET = 1, /* it took more of our time than its share */
	PEER_PAUSE_HELD = 2,   /* its block waits for chaind */
	PEER_PAUSE_OUTPUT = 4, /* it doesn't read what we send */
	PEER_PAUSE_TXS = 8,    /* its transactions wait for chaind */
	PEER_PAUSE_MEMORY = 16 /* it holds some, and its network group too much */
};

/* A link we keep by an operator's word (connect, addnode). */
struct manual {
	struct net_endpoint endpoint;
	uint64_t peer; /* 0: not linked */
	unsigned failures;
	int64_t next_at;
	bool once;
	int64_t met_until; /* it answered, with this key: another address of it may be linked */
	uint8_t met_key[RC_LINK_KEY_SIZE];
};

/* An address that failed or was lost: when it may be dialled again. */
struct backoff {
	struct net_addr addr;
	uint8_t name[18];
	unsigned failures;
	int64_t next_at;
	bool was_linked;
	UT_hash_handle hh;
};

struct peerd {
	struct outside out;
	struct peerd_options opt;
	const struct rc_network *network;
	uint8_t link_secret[32];
	uint8_t link_key[RC_LINK_KEY_SIZE];
	struct timers timers;
	struct timer tick;
	bool active; /* setnetworkactive */
	bool stopping;
	unsigned depth; /* of entry points */
	uint64_t counters[PEERD_COUNTERS];
	uint64_t sent_by_type[PEER_MSG_LIMIT], received_by_type[PEER_MSG_LIMIT];
	uint64_t bytes_in, bytes_out; /* of links that are gone */
	struct rc_arena arena;	      /* of the message being handled */

	struct peer *peers;	   /* by id, in the order of coming */
	struct peer_group *groups; /* of inbound links, and lately gone ones */
	struct peer **dead;
	size_t n_dead, dead_cap;
	struct peer **dirty;
	size_t n_dirty, dirty_cap;
	uint64_t next_peer;

	/* memory.c */
	size_t held[MEMORIES]; /* by all links, when last counted */
	bool memory_waits;     /* somebody isn't read */
	int64_t halves_at;     /* half messages were last looked through */

	/* connect.c */
	struct book *book;
	struct bans bans;
	struct discouraged *discouraged;
	struct manual *manual;
	size_t n_manual;
	struct backoff *backoffs;
	struct net_addr own[16]; /* addresses that turned out to be ours */
	size_t n_own;
	struct timer connect_timer;
	struct timer feeler_timer;
	unsigned way_failures; /* of the way to all addresses, in a row … */
	int64_t way_again_at;  /* … nothing is dialled before */

	/* stale.c */
	struct timer stale_timer;
	int64_t tip_at; /* chaind's tip is this since */
	bool one_more;	/* full link than the options say */

	struct anchors anchors;	  /* as they were kept last */
	struct anchors to_anchor; /* of an earlier life, not yet dialled */

	/* sync.c */
	uint64_t header_peer;	 /* whom a long run of headers is asked from; 0: nobody */
	int64_t header_since;	 /* it was chosen, or brought the best header much higher … */
	uint32_t header_mark;	 /* … than this */
	uint32_t header_counted; /* … or had so many counted, since */
	int64_t header_patience; /* how long it may take for that */
	bool headers_counted;	 /* chaind counts them, as of whoever had a turn last */
	bool header_inbound;	 /* the last one came to us */
	struct rc_block_ref chain_tip, best_header;
	bool initial_download;
	bool chain_known; /* the two above are chaind's */

	/* fetch.c */
	struct inflight inflight;
	unsigned wanted_open;	/* calls on their way; the newest counts */
	uint64_t wanted_number; /* of the newest */
	bool wanted_stale;	/* what it was told has changed since */
	struct seen asked_blocks;
	struct timer wanted_timer;
	size_t submit_bytes; /* of blocks on their way to chaind */
	int64_t stall_us;    /* adaptive; last doubled … */
	int64_t stall_raised_at;
	int64_t line_at;      /* the line was measured … */
	int64_t line_rate;    /* … blocks came on it so many bytes a second, at best lately … */
	unsigned line_givers; /* … and from so many peers */

	/* serve.c */
	bool serve_waits; /* for room that others take: somebody with nothing ahead … */
	bool group_waits; /* … or somebody whose network group has none */

	/* announce.c */
	struct seen announced; /* blocks */
	struct seen arrived;   /* blocks that came lately */
	struct good_header {
		struct rc_block_id id;
		uint8_t raw[RC_HEADER_SIZE];
	} good_headers[PEERD_GOOD_HEADERS]; /* whose blocks haven't come; the oldest is replaced */
	unsigned next_good_header;
	struct timer announce_timer;
	bool announce_due;
	struct rc_block_id announce_id; /* the newest block during a download */
	uint8_t announce_header[RC_HEADER_SIZE];

	/* compact.c */
	uint64_t
		announcers[ANNOUNCERS_MAX]; /* peers asked for it; the one that gave first, first */
	unsigned n_announcers;
	unsigned n_rebuilding;
	uint64_t last_rebuilding; /* number */
	struct seen ambiguous;	  /* blocks to be fetched whole */
	struct giver {
		struct rc_block_id id;
		uint64_t peer;
	} givers[GIVERS_MAX];
	unsigned next_giver;

	/* relay.c */
	struct tx_want *wants;	     /* by kind and id */
	struct tx_want *wants_fresh; /* chaind hasn't been asked about them */
	struct tx_want *wants_asked; /* of peers */
	struct peer *tx_askers;	     /* who may have room and something to be asked for */
	struct timer have_timer;
	struct seen recent_txs; /* judged lately: not asked for again */
	struct own_tx *own_txs;
	bool own_due; /* what the pool has of them is to be seen */
	struct timer own_timer;
	bool pool_listing;    /* chaind was asked for its pool … */
	int64_t pool_next_at; /* … and isn't again before */
	struct timer pool_timer;
	uint64_t pool_min_fee;
	struct timer fee_timer;
	uint64_t hash_k0, hash_k1;

	/* gossip.c */
	struct timer gossip_timer;
	uint64_t gossip_day; /* who is told what changes daily */
};

/* ---- life ---- */

/* book may be NULL (a new one is made); it and the bans are the core's from now on. anchors: of an
 * earlier life, or NULL. secret: our static link key. options are copied, their lists with them. */
struct peerd *peerd_new(const struct outside *out, const struct peerd_options *options,
			const struct rc_network *network, const uint8_t secret[32],
			struct book *book, struct bans *bans, const struct anchors *anchors);
/* Ends every link for good. What a link gives back (leases of blocks) goes to chaind: to be called
 * while that is still there. */
void peerd_end_links(struct peerd *core);
void peerd_free(struct peerd *core);
/* Begins dialling. */
void peerd_start(struct peerd *core);

/* ---- entry points of the transport, the clock and chaind's events ---- */

void peerd_wake(struct peerd *core);
/* An inbound connection; the peer's id, or 0: refused, the transport closes it. */
uint64_t peerd_accepted(struct peerd *core, void *conn, const struct net_addr *addr);
void peerd_connected(struct peerd *core, uint64_t peer);
void peerd_received(struct peerd *core, uint64_t peer, const uint8_t *data, size_t len);
void peerd_writable(struct peerd *core, uint64_t peer);
void peerd_lost(struct peerd *core, uint64_t peer, const char *why);
/* A dial ended for a reason that isn't the address's: nothing is held against it, and nothing else
 * dialled for a while that doubles. */
void peerd_not_dialled(struct peerd *core, uint64_t peer, const char *why);

/* chaind came up (changed: another process than before) or went away. */
void peerd_chain_state(struct peerd *core, bool up, bool changed);
void peerd_chain_tip(struct peerd *core, const struct rc_tip_event *event);
void peerd_chain_header(struct peerd *core, const struct rc_header_event *event);
void peerd_chain_tx(struct peerd *core, const struct rc_tx_event *event);
void peerd_chain_tx_removed(struct peerd *core, const struct rc_tx_event *event);
/* Events were lost: what they tell is asked for. */
void peerd_chain_missed(struct peerd *core);

/* ---- what operators ask ---- */

int peerd_add_node(struct peerd *core, const char *text, const char *command,
		   struct rc_error *error);
int peerd_disconnect(struct peerd *core, const char *addr, uint64_t id, struct rc_error *error);
int peerd_ban(struct peerd *core, const char *subnet, uint64_t until, struct rc_error *error);
int peerd_unban(struct peerd *core, const char *subnet, struct rc_error *error);
void peerd_set_active(struct peerd *core, bool active);
void peerd_ping_all(struct peerd *core);

/* ---- shared by the core's files ---- */

/* Every entry point stands between these two: what was queued is sent, what died is freed. */
void core_enter(struct peerd *core);
void core_leave(struct peerd *core);
int64_t core_now(const struct peerd *core);
/* Seconds since 1970. */
uint32_t core_time(const struct peerd *core);
void core_count(struct peerd *core, enum peerd_counter counter, uint64_t n);
/* More blocks are known of than are here: transactions would be judged too early. */
bool core_in_download(const struct peerd *core);
/* Of a live peer; NULL once it is gone. */
struct peer *core_peer(const struct peerd *core, uint64_t id);
/* A random delay with this mean, at most four times as long (the family's "Poisson" delays). */
int64_t core_delay(struct peerd *core, int64_t mean_us);

/* A call to chaind on its way for a peer; freed by whoever gets the answer. */
struct chain_call {
	struct peerd *core;
	uint64_t peer;
	uint64_t n;
};
struct chain_call *chain_call_new(struct peerd *core, uint64_t peer, uint64_t n);

/* peer.c */
struct peer *peer_new(struct peerd *core, enum peer_role role, const struct net_addr *addr);
/* Begins a connection; NULL: it ended at once. */
struct peer *peer_dial(struct peerd *core, enum peer_role role,
		       const struct net_endpoint *endpoint);
void peer_free(struct peer *peer);
/* Ends the link; the reason is for people. */
void peer_drop(struct peer *peer, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Points by score.def; the link may end by it. detail may be NULL. */
void peer_penalise(struct peer *peer, const char *what, const char *detail);
void peer_send(struct peer *peer, enum peer_message message, const ProtobufCMessage *m);
/* data comes from malloc and is taken. */
void peer_send_taken(struct peer *peer, enum peer_message message, uint8_t *data, size_t len);
void peer_flush(struct peer *peer);
size_t peer_queued(const struct peer *peer);
void peer_pause(struct peer *peer, enum peer_pause why, bool pause);
void peer_ping(struct peer *peer);
void peer_check_times(struct peer *peer, int64_t now);
static inline bool peer_is_ready(const struct peer *peer)
{
	return peer->state == PEER_READY && !peer->dead;
}

/* charge.c */
void charge_begin(struct peer *peer);
void charge_end(struct peer *peer);
/* A message that nobody asked for: µs of work it makes, and its length. */
void peer_charge(struct peer *peer, uint64_t time, size_t bytes);
/* A whole message of a known type came. */
void charge_useful(struct peer *peer, size_t len);
/* Bytes came: those that are part of no such message are charged. */
void charge_waste(struct peer *peer);
/* The wait of peer->resume is over. */
void charge_resume(void *peer);
/* It is over its budget most of the time. */
bool charge_worn_out(struct peer *peer, int64_t now);
/* The network group of this address is over its budget. */
bool charge_group_over(struct peerd *core, const struct net_addr *addr);
void charge_tick(struct peerd *core);
void charge_done(struct peerd *core);

/*
 * memory.c. MEMORY_FREE: a link may hold so much whatever its group does. Slow, where memory is
 * wanted, is who takes or sends less than MEMORY_SLOW_BYTES in MEMORY_SLOW_AFTER; and who is read
 * and hasn't sent a message to its end after MEMORY_HALF_AFTER, or, on a network of larger blocks,
 * in the time that the largest takes at MEMORY_HALF_SPEED: 20 s for 2 MB.
 */
#define MEMORY_FREE	  (256u << 10)
#define MEMORY_SLOW_BYTES (256u << 10)
#define MEMORY_SLOW_AFTER (10 * PEERD_SECOND)
#define MEMORY_HALF_AFTER (20 * PEERD_SECOND)
#define MEMORY_HALF_SPEED 100000 /* bytes a second */
/* What this link holds. */
size_t memory_of(const struct peer *peer, enum memory_kind kind);
/* Brings held of the core and of all groups up to date. */
void memory_count(struct peerd *core);
/* What a group may hold. */
size_t memory_group_most(const struct peerd *core, enum memory_kind kind);
/* What this peer's group may hold still (a dialled peer is one of its own), and what all links may:
 * as of the last count. */
size_t memory_left(const struct peer *peer, enum memory_kind kind);
size_t memory_left_all(const struct peerd *core, enum memory_kind kind);
/* Counts; who waits for room is read again where there is some. */
void memory_settle(struct peerd *core);
/* It was read. */
void memory_fed(struct peer *peer);
void memory_check_times(struct peerd *core, int64_t now);
/* Ends a link: why, "while memory is wanted". */
void memory_drop(struct peer *peer, const char *why);

/* stale.c */
void stale_init(struct peerd *core);
/* chaind's tip is this one; chain_tip still the one before. */
void stale_tip(struct peerd *core, const struct rc_block_id *tip);

/* connect.c */
void connect_init(struct peerd *core);
void connect_done(struct peerd *core);
void connect_soon(struct peerd *core);
bool connect_may_accept(struct peerd *core, const struct net_addr *addr);
/* The handshake with a dialled address is done: whose it is is known, even if the link isn't kept.
 */
void connect_met(struct peer *peer, const struct rc_link *link);
void connect_ready(struct peer *peer);
void connect_lost(struct peer *peer);
/* A dial came as far as its address, whatever that then said. */
void connect_reached(struct peer *peer);
void connect_is_self(struct peer *peer);
/* A feeler's greeting came: the address is good, and that was all. */
void connect_felt(struct peer *peer);
/* The anchors as they are now: links for blocks that are up, those linked longest first, then
 * earlier ones. Returns whether they differ from the last time. */
bool connect_keep_anchors(struct peerd *core);
unsigned connect_count(const struct peerd *core, enum peer_role role, bool ready_only);

/* gossip.c */
void gossip_init(struct peerd *core);
void gossip_ready(struct peer *peer);
void gossip_on_getaddr(struct peer *peer, const void *m);
void gossip_on_addr(struct peer *peer, const void *m);

/* sync.c */
void sync_init(struct peerd *core);
void sync_ready(struct peer *peer);
void sync_lost(struct peer *peer);
void sync_chain_up(struct peerd *core);
void sync_refresh(struct peerd *core);
void sync_check_times(struct peer *peer, int64_t now);
void sync_ask(struct peer *peer);
/* One that was told with something else. It is checked by itself already. */
void sync_on_header(struct peer *peer, const uint8_t raw[RC_HEADER_SIZE]);
void sync_on_headers(struct peer *peer, const void *m);
void sync_chain_best(struct peerd *core, const struct rc_block_ref *best);
/* The peer has shown that it has this header. */
void sync_shown(struct peer *peer, const struct rc_block_ref *ref);
void sync_on_block_inv(struct peer *peer, const struct rc_block_id *id);

/* fetch.c */
void fetch_init(struct peerd *core);
void fetch_done(struct peerd *core);
void fetch_lost(struct peer *peer);
void fetch_chain_up(struct peerd *core);
/* Something that Wanted was told has changed. */
void fetch_changed(struct peerd *core);
void fetch_check_times(struct peer *peer, int64_t now);
/* How fast blocks come from all peers together. */
void fetch_check_line(struct peerd *core, int64_t now);
void fetch_on_block(struct peer *peer, struct rc_bytes raw);
void fetch_on_notfound(struct peer *peer, const struct rc_block_id *id);

/* The block is asked of this peer whole, in place of what it gave of it. */
void fetch_whole(struct peer *peer, const struct rc_block_id *id, uint32_t height);
/* More is owed of what a compact block misses: it counts as a block asked of this peer. False if it
 * is asked of somebody already. */
bool fetch_rest(struct peer *peer, const struct rc_block_id *id, uint32_t height);
/* A block asked of this peer has come in some form; false: it wasn't asked of it. */
bool fetch_take(struct peer *peer, const struct rc_block_id *id);
/* It doesn't come: chaind may have it asked of another. */
void fetch_release(struct peerd *core, const struct rc_block_id *id);
/* Not from this peer, at least. */
void fetch_not_given(struct peer *peer, const struct rc_block_id *id);

/* compact.c */
void compact_init(struct peerd *core);
void compact_done(struct peerd *core);
void compact_ready(struct peer *peer);
void compact_lost(struct peer *peer);
void compact_on_sendcompact(struct peer *peer, const void *m);
void compact_on_block(struct peer *peer, struct rc_bytes raw);
void compact_on_blocktxn(struct peer *peer, const void *m);
/* Whether this block is best asked of this peer in compact form: one just above our tip. */
bool compact_may_ask(const struct peer *peer, const struct rc_block_id *id, uint32_t height);
/* What was asked for a compact block of this peer comes whole, or not at all. */
void compact_given_up(struct peer *peer, const struct rc_block_id *id);
/* This peer gave this block … */
void compact_gave(struct peer *peer, const struct rc_block_id *id);
/* … and the best chain ends in it: the last three who did are asked to announce so. */
void compact_chain_tip(struct peerd *core, const struct rc_block_id *id);
/* To those who want it and don't have the block. header: for where it can't be had. */
void compact_announce(struct peerd *core, const struct rc_block_id *id, const uint8_t *header);

/* Bytes of the compact block it has in hand. */
size_t compact_held(const struct peer *peer);

/* serve.c */
/* Bytes of answers of chaind on their way, at the most. Not of its questions: they only go as they
 * are answered, so they must not keep answers waiting; ITEMS_ROOM and a question's greatest size
 * bound them for each link. */
size_t serve_held(const struct peer *peer);
/* Under want of memory, ends a peer that takes what it asked for too slowly. */
void serve_check_times(struct peer *peer, int64_t now);
void serve_init_peer(struct peer *peer);
void serve_on_getblocktxn(struct peer *peer, const void *m);
void serve_done_peer(struct peer *peer);
void serve_on_getheaders(struct peer *peer, const void *m);
void serve_on_getdata(struct peer *peer, const void *m);
/* There is room again, or a block has come. */
void serve_go(struct peer *peer);
void serve_block_stored(struct peerd *core, const struct rc_block_id *id);

/* announce.c */
/* One peer, that doesn't know it yet. header NULL: not at hand. */
void announce_tell(struct peer *peer, const struct rc_block_id *id, const uint8_t *header);
void announce_init(struct peerd *core);
void announce_done(struct peerd *core);
/* chaind found the header good: told on once its block has come, connected or not. Told before,
 * nodes would wait for each other's. */
void announce_header(struct peerd *core, const struct rc_block_id *id, const uint8_t *header);
/* The block has come and is on its way to chaind. */
void announce_arrived(struct peerd *core, const struct rc_block_id *id);
/* header NULL: not at hand. */
void announce_block(struct peerd *core, const struct rc_block_id *id, const uint8_t *header);
/* During a download: the newest one, once in a while. */
void announce_later(struct peerd *core, const struct rc_block_id *id, const uint8_t *header);

/* relay.c */
void relay_init(struct peerd *core);
void relay_done(struct peerd *core);
size_t relay_wants(const struct peerd *core);
void relay_init_peer(struct peer *peer);
void relay_done_peer(struct peer *peer);
void relay_ready(struct peer *peer);
void relay_lost(struct peer *peer);
void relay_chain_up(struct peerd *core);
void relay_check_times(struct peerd *core, int64_t now);
/* Asks peers for what they announced, where there is room: before an entry point is left. */
void relay_ask(struct peerd *core);
void relay_on_inv(struct peer *peer, const uint8_t *items, size_t n);
void relay_on_tx(struct peer *peer, struct rc_bytes raw);
void relay_on_notfound(struct peer *peer, uint8_t kind, const uint8_t id[32]);
void relay_on_feefilter(struct peer *peer, const void *m);
void relay_chain_tx(struct peerd *core, const struct rc_tx_event *event);
void relay_chain_tip(struct peerd *core);
void relay_chain_tx_removed(struct peerd *core, const struct rc_tx_event *event);

#endif
