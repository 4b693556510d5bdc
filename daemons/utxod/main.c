/*
 * utxod: what the chain knows at a block. It owns the state (coins and registries), its
 * authenticated tree and the log of deltas; it judges no block, speaks to no peer and holds no key.
 *
 * Who calls it: chaind alone writes; chaind, rpcd and tools read. It calls nobody.
 */
#include <stdlib.h>

#include "daemons/utxod/status.h"
#include "daemons/utxod/utxod.h"

#define METRICS_EVERY_US 1000000

static const struct rc_option utxod_options[] = {
	{"cache_mb", RC_OPT_U64, 16, 1u << 20, "MiB", NULL, "450", false,
	 "Memory for tree pages, coins, unflushed changes and both databases together; more makes "
	 "old coins cheaper to spend"},
	{"undo_blocks", RC_OPT_U64, 288, 1u << 30, "blocks", NULL, "10000", false,
	 "Deltas kept: how deep a reorganisation or a revert may go, and how far a follower may "
	 "lag"},
	{"flush_mb", RC_OPT_U64, 1, 4096, "MiB", NULL, "192", false,
	 "Changes held in memory before the state's disk is brought up to date, at most three "
	 "sixteenths of cache_mb"},
	{"flush_changes", RC_OPT_U64, 1, 1u << 30, "entries", NULL, "100000", false,
	 "The same in entries changed: what a start after a crash may have to apply again"},
	{NULL, RC_OPT_BOOL, 0, 0, NULL, NULL, NULL, false, NULL},
};

static void *utxod_new(struct rc_service *service)
{
	struct utxod *u = rc_alloc(sizeof(*u));

	u->service = service;
	return u;
}

static int utxod_enter(void *ctx, struct rc_error *error)
{
	return engine_open(ctx, error);
}

static void on_metrics_timer(void *arg)
{
	struct utxod *u = arg;

	utxod_metrics_update(u);
	rc_timer_arm(u->metrics_timer, METRICS_EVERY_US);
}

static int utxod_start(void *ctx, struct rc_error *error)
{
	struct utxod *u = ctx;

	(void)error;
	u->metrics_timer = rc_loop_add_timer(rc_service_loop(u->service), on_metrics_timer, u);
	on_metrics_timer(u);
	rc_service_ready(u->service);
	engine_committed(u, false); /* what was applied again may be due for the disk */
	return RC_OK;
}

static void utxod_stop(void *ctx)
{
	engine_stop(ctx);
}

static void utxod_close(void *ctx)
{
	struct utxod *u = ctx;

	rc_source_free(u->metrics_timer);
	engine_close(u);
}

static struct rc_service_def utxod_service = {
	.daemon = RC_UTXOD,
	.name = "utxod",
	.summary = "the committed state: coins, registries, their authenticated tree",
	.options = utxod_options,
	.roles = "read,write,admin",
	.handlers = utxod_handlers,
	.new = utxod_new,
	.enter = utxod_enter,
	.start = utxod_start,
	.status = utxod_status,
	.stop = utxod_stop,
	.close = utxod_close,
	.free = free,
	.metrics = utxod_metric_defs,
	.n_metrics = M_COUNT,
};

int main(int argc, char **argv)
{
	return rc_service_main(&utxod_service, argc, argv);
}
