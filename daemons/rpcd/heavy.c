/* A sum and a queue a lane. One call begins a turn of the loop, so that a queue of answers that are
 * known here doesn't hold the loop. */
#include "daemons/rpcd/heavy.h"

#include <stdlib.h>

#include <utlist.h>

#include "daemons/rpcd/backends.h"

#define MIB ((size_t)1 << 20)
/* How often it is looked for those who have waited for too long. */
#define LOOK_US INT64_C(1000000)

/* Of a block that is kept here a turn turns so many bytes into JSON, in some 10 ms, or one block.
 */
#define TURN_BYTES (2 * MIB)
/* Smaller ones aren't worth the counting. */
#define TURN_LEAST ((size_t)32 << 10)

enum lane_name { OF_CHAIN, OF_COINS, OF_PEERS, OF_TURN, LANES };

/* Four of the largest blocks; one list of coins, or three balances; two lists of peers. */
static const size_t lane_max[LANES] = {
	[OF_CHAIN] = 132 * MIB,
	[OF_COINS] = 96 * MIB,
	[OF_PEERS] = 32 * MIB,
	[OF_TURN] = 0,
};

/*
 * What a call takes at most. The bus carries no more than 33 MiB of a block and 16 MiB of a list;
 * chaind's tx_size_max is 1,000,000 at most. A pool of 300 MiB has 350,000 of the smallest
 * transactions: an id takes 120 bytes, an entry 168 more. What the pool makes and spends of a lock:
 * chaind's answer, and what is kept of it; and 200,000 coins of the state and as many of the pool,
 * of 104 bytes, in an array that doubles.
 */
static const struct {
	enum lane_name lane;
	size_t bytes;
} kinds[] = {
	[HEAVY_BLOCK] = {OF_CHAIN, 33 * MIB},
	[HEAVY_POOL_TX] = {OF_CHAIN, 1 * MIB},
	[HEAVY_POOL_IDS] = {OF_CHAIN, 48 * MIB},
	[HEAVY_POOL] = {OF_CHAIN, 112 * MIB},
	[HEAVY_TIPS] = {OF_CHAIN, 16 * MIB},
	[HEAVY_BALANCE] = {OF_COINS, 32 * MIB},
	[HEAVY_COINS] = {OF_COINS, 96 * MIB},
	[HEAVY_PEERS] = {OF_PEERS, 16 * MIB},
	[HEAVY_KEPT] = {OF_TURN, 0},
};

struct lane {
	size_t bytes;		  /* of the calls that go on */
	struct rpc_call *waiting; /* by heavy_next */
};

struct heavy {
	struct rpcd *rpcd;
	int64_t n_waiting;
	struct lane lanes[LANES];
	size_t turn;		/* bytes that this turn has turned into JSON */
	struct rc_source *next; /* defer: begins the first that waits */
	struct rc_source *timer;
	bool armed;
	bool closing;
};

static void watch_waiting(struct heavy *heavy)
{
	if (!heavy->armed)
		rc_timer_arm(heavy->timer, LOOK_US);
	heavy->armed = true;
}

static void wait_for_room(struct heavy *heavy, struct lane *lane, struct rpc_call *call)
{
	call->heavy_until_us =
		rc_loop_now_us(heavy->rpcd->loop) + (int64_t)call_deadline(call) * 1000;
	DL_APPEND2(lane->waiting, call, heavy_prev, heavy_next);
	rc_metric_set(heavy->rpcd->metrics, M_WAITING, ++heavy->n_waiting);
	watch_waiting(heavy);
}

static void wait_no_more(struct heavy *heavy, struct lane *lane, struct rpc_call *call)
{
	DL_DELETE2(lane->waiting, call, heavy_prev, heavy_next);
	rc_metric_set(heavy->rpcd->metrics, M_WAITING, --heavy->n_waiting);
}

static bool has_room(const struct heavy *heavy, enum heavy_kind kind)
{
	enum lane_name lane = kinds[kind].lane;

	return heavy->lanes[lane].bytes + kinds[kind].bytes <= lane_max[lane];
}

static void on_end(struct rpc_call *call)
{
	struct heavy *heavy = call_rpcd(call)->heavy;
	struct lane *lane = &heavy->lanes[kinds[call->heavy].lane];

	lane->bytes -= kinds[call->heavy].bytes;
	if (lane->waiting)
		rc_defer_enable(heavy->next, true);
}

static void take(struct heavy *heavy, struct rpc_call *call)
{
	heavy->lanes[kinds[call->heavy].lane].bytes += kinds[call->heavy].bytes;
	call->has_room = true;
	call->at_end = on_end;
}

static void on_next(void *arg)
{
	struct heavy *heavy = arg;

	rc_defer_enable(heavy->next, false);
	heavy->turn = 0;
	for (struct lane *lane = heavy->lanes; lane < heavy->lanes + LANES; lane++) {
		struct rpc_call *call = lane->waiting;

		if (!call || !has_room(heavy, (enum heavy_kind)call->heavy))
			continue;
		wait_no_more(heavy, lane, call);
		take(heavy, call);
		if (lane->waiting)
			rc_defer_enable(heavy->next, true);
		rpc_call_restart(call);
		call->method->handle(call);
	}
}

static void fail(struct rpc_call *call, enum rpc_code code, const char *why)
{
	rpc_call_fail_retry(call, code, 1000,
			    json_pack("{s:s, s:i}", "daemon", "rpcd", "retry_ms", 1000),
			    "rpcd %s: try again", why);
}

static void on_timer(void *arg)
{
	struct heavy *heavy = arg;
	int64_t now = rc_loop_now_us(heavy->rpcd->loop);
	struct rpc_call *call, *next, *late = NULL;

	heavy->armed = false;
	for (struct lane *lane = heavy->lanes; lane < heavy->lanes + LANES; lane++) {
		DL_FOREACH_SAFE2(lane->waiting, call, next, heavy_next)
		{
			watch_waiting(heavy);
			if (call->heavy_until_us > now)
				continue;
			wait_no_more(heavy, lane, call);
			DL_APPEND2(late, call, heavy_prev, heavy_next);
		}
		/* The first one may have kept up smaller ones. */
		if (lane->waiting && late)
			rc_defer_enable(heavy->next, true);
	}
	/* Out of the lanes, for an answer may begin its batch's next call, which comes here. */
	while ((call = late)) {
		DL_DELETE2(late, call, heavy_prev, heavy_next);
		rc_metric_add(heavy->rpcd->metrics, M_REFUSED_BUSY, 1);
		fail(call, RPC_OVERLOADED, "is overloaded: too many large answers are asked for");
	}
}

struct heavy *heavy_new(struct rpcd *rpcd)
{
	struct heavy *heavy = rc_alloc(sizeof(*heavy));

	heavy->rpcd = rpcd;
	heavy->next = rc_loop_add_defer(rpcd->loop, on_next, heavy);
	heavy->timer = rc_loop_add_timer(rpcd->loop, on_timer, heavy);
	return heavy;
}

void heavy_close(struct heavy *heavy)
{
	struct rpc_call *call;

	if (!heavy || heavy->closing)
		return;
	heavy->closing = true;
	for (struct lane *lane = heavy->lanes; lane < heavy->lanes + LANES; lane++)
		while ((call = lane->waiting)) {
			wait_no_more(heavy, lane, call);
			fail(call, RPC_DAEMON_AWAY, "is stopping");
		}
}

void heavy_free(struct heavy *heavy)
{
	if (!heavy)
		return;
	rc_source_free(heavy->next);
	rc_source_free(heavy->timer);
	free(heavy);
}

bool heavy_enter(struct rpc_call *call, enum heavy_kind kind)
{
	struct heavy *heavy = call_rpcd(call)->heavy;
	struct lane *lane = &heavy->lanes[kinds[kind].lane];

	if (call->has_room && call->heavy != HEAVY_KEPT)
		return true;
	/* What was kept here when its turn was promised is gone, and must be asked for. */
	call->has_room = false;
	call->at_end = NULL;
	if (heavy->closing) {
		fail(call, RPC_DAEMON_AWAY, "is stopping");
		return false;
	}
	call->heavy = kind;
	if (!lane->waiting && has_room(heavy, kind)) {
		take(heavy, call);
		return true;
	}
	wait_for_room(heavy, lane, call);
	return false;
}

bool heavy_kept(struct rpc_call *call, size_t bytes)
{
	struct heavy *heavy = call_rpcd(call)->heavy;
	struct lane *lane = &heavy->lanes[OF_TURN];

	if (call->has_room || bytes < TURN_LEAST || heavy->closing)
		return true;
	rc_defer_enable(heavy->next, true);
	if (!lane->waiting && (!heavy->turn || heavy->turn + bytes <= TURN_BYTES)) {
		heavy->turn += bytes;
		return true;
	}
	call->heavy = HEAVY_KEPT;
	wait_for_room(heavy, lane, call);
	return false;
}
