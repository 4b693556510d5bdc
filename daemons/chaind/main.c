/*
 * chaind owns the header tree, the block store, the rules, the pool and its journal, and block
 * templates. It never touches the network, nor the state's database: blocks come from peerd and
 * rpcd by its submit role, the state is utxod's, to which it alone writes. Anybody on the node may
 * read; administrators may mine on regtest and call blocks invalid.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "daemons/chaind/chaind.h"

static const struct rc_option options[] = {
	{"cache_mb", RC_OPT_U64, 1, 65536, "MiB", NULL, "64", false,
	 "Memory of the block store: its write buffers and blocks read; the state's is utxod's."},
	{"verified_mb", RC_OPT_U64, 1, 4096, "MiB", NULL, "16", false,
	 "Memory for remembering which transactions' witnesses were verified."},
	{"verify_threads", RC_OPT_U64, 0, 256, NULL, NULL, "0", false,
	 "Threads that verify witnesses; 0: one a core."},
	{"least_work", RC_OPT_TEXT, 0, 64, NULL, NULL, NULL, false,
	 "Work, in hex, that the network's chain is known to have: headers of a branch with less "
	 "aren't kept. Empty: none is known."},
	{"mempool_mb", RC_OPT_U64, 1, 65536, "MiB", NULL, "300", true,
	 "Memory for the pool; beyond, the worst paying transactions are evicted."},
	{"min_fee_rate", RC_OPT_U64, 0, 100000000, "oxides per 1,000 bytes", NULL, "1000", true,
	 "Transactions that pay less aren't taken into the pool."},
	{"mempool_expiry", RC_OPT_U64, 60, 31536000, "seconds", NULL, "1209600", true,
	 "Transactions that weren't mined in this time leave the pool."},
	{"mempool_ancestors", RC_OPT_U64, 0, 1000, NULL, NULL, "25", true,
	 "Unconfirmed transactions that one may depend on."},
	{"mempool_descendants", RC_OPT_U64, 0, 1000, NULL, NULL, "25", true,
	 "Unconfirmed transactions that may depend on one."},
	{"tx_size_max", RC_OPT_U64, 1000, 1000000, "bytes", NULL, "100000", true,
	 "Larger transactions aren't taken into the pool."},
	{"dust", RC_OPT_U64, 0, 100000000, "oxides", NULL, "546", true,
	 "Transactions that pay a key less aren't taken into the pool."},
	{NULL, RC_OPT_BOOL, 0, 0, NULL, NULL, NULL, false, NULL},
};

static struct pool_limits limits_of(const struct rc_config *config)
{
	struct pool_limits limits = pool_limits_default;

	limits.bytes_max = rc_config_u64(config, "mempool_mb") << 20;
	limits.min_fee_rate = rc_config_u64(config, "min_fee_rate");
	limits.expiry = (uint32_t)rc_config_u64(config, "mempool_expiry");
	limits.ancestors_max = (uint32_t)rc_config_u64(config, "mempool_ancestors");
	limits.descendants_max = (uint32_t)rc_config_u64(config, "mempool_descendants");
	limits.size_max = (uint32_t)rc_config_u64(config, "tx_size_max");
	limits.dust = rc_config_u64(config, "dust");
	return limits;
}

static void *service_new(struct rc_service *service)
{
	const struct rc_config *config = rc_service_config(service);
	struct chaind *chaind = rc_alloc(sizeof(*chaind));

	chaind->service = service;
	chaind->loop = rc_service_loop(service);
	chaind->network = rc_service_network(service);
	chaind->system_clock = rc_service_clock(service);
	chaind->random = rc_service_random(service);
	chaind->metrics = rc_service_metrics(service);
	chaind->config = (struct chaind_config){
		.statedir = rc_service_statedir(service),
		.cache_bytes = (size_t)rc_config_u64(config, "cache_mb") << 20,
		.verified_bytes = (size_t)rc_config_u64(config, "verified_mb") << 20,
		.verify_threads = (unsigned)rc_config_u64(config, "verify_threads"),
		.pool = limits_of(config),
		.utxod = rc_service_client(service, RC_UTXOD, RC_ROLE_WRITE),
	};
	return chaind;
}

/* Up to 64 digits, as getblockchaininfo shows them. */
static int read_work(const char *text, struct rc_u256 *ret_work, struct rc_error *error)
{
	char digits[65];
	uint8_t be[32];
	size_t len = strlen(text);

	memset(digits, '0', 64);
	memcpy(digits + 64 - len, text, len + 1);
	if (!rc_hex_decode(digits, be, sizeof(be)))
		return rc_error_set(error, RC_ECONFIG, "least_work: %.64s is no number in hex",
				    text);
	rc_u256_decode_be(be, ret_work);
	return RC_OK;
}

static int service_enter(void *ctx, struct rc_error *error)
{
	struct chaind *chaind = ctx;
	const char *least = rc_config_text(rc_service_config(chaind->service), "least_work");
	int err = least ? read_work(least, &chaind->config.least_work, error) : RC_OK;

	return err ? err : chaind_enter(chaind, error);
}

static int service_start(void *ctx, struct rc_error *error)
{
	struct chaind *chaind = ctx;

	chaind->server = rc_service_server(chaind->service);
	return chaind_start(chaind, error);
}

static void service_reload(void *ctx)
{
	struct chaind *chaind = ctx;
	const struct pool_limits limits = limits_of(rc_service_config(chaind->service));

	chaind_pool_set_limits(chaind, &limits);
}

static void service_status(void *ctx, struct rc_status *ret_status)
{
	chaind_status(ctx, ret_status);
}

/* Everything acknowledged is on the disk already; what else is collected is written at the end. */
static void service_stop(void *ctx)
{
	struct chaind *chaind = ctx;

	chaind_flush(chaind);
	rc_service_stopped(chaind->service);
}

static void service_close(void *ctx)
{
	chaind_close(ctx);
}

static const struct rc_service_def chaind_service = {
	.daemon = RC_CHAIND,
	.name = "chaind",
	.summary = "header tree, block store, consensus, mempool and templates of Rusty Coin",
	.options = options,
	.metrics = chaind_metrics,
	.n_metrics = METRIC_COUNT,
	.roles = "read,submit,admin",
	.handlers = chaind_handlers,
	.new = service_new,
	.enter = service_enter,
	.start = service_start,
	.reload = service_reload,
	.status = service_status,
	.stop = service_stop,
	.close = service_close,
	.free = free,
};

int main(int argc, char **argv)
{
	return rc_service_main(&chaind_service, argc, argv);
}
