/*
 * chaind and utxod in one process: the same cores, threads and databases as the daemons', on one
 * loop, their messages through memory. What the split over processes costs is the difference.
 *
 *   open DIR NETWORK FILE     DIR: for their data; FILE: a chain of make_chain
 *   feed FROM TO              hands over blocks of these heights; seconds until all are connected
 *   settle                    waits until flushes are over
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "crypto/schnorr.h"
#include "daemons/chaind/chaind.h"
#include "daemons/utxod/utxod.h"
#include "service/network_file.h"
#include "service/service_state.h"
#include "tests/bench/chain_file.h"
#include "tests/bench/driver.h"

#define NAME   "one"
#define WINDOW 16

/* utxod's options and their defaults are its main's; these are what bench_connect.py gives the
 * daemons, where they differ from them. */
static const struct rc_option options[] = {
	{"cache_mb", RC_OPT_U64, 16, 1u << 20, "MiB", NULL, "1024", false, ""},
	{"undo_blocks", RC_OPT_U64, 288, 1u << 30, "blocks", NULL, "10000", false, ""},
	{"flush_mb", RC_OPT_U64, 1, 4096, "MiB", NULL, "192", false, ""},
	{"flush_changes", RC_OPT_U64, 1, 1u << 30, "entries", NULL, "100000", false, ""},
	{"statedir", RC_OPT_PATH, 1, 4096, NULL, NULL, NULL, false, ""},
	{NULL, RC_OPT_BOOL, 0, 0, NULL, NULL, NULL, false, NULL},
};

static struct {
	struct rc_loop *loop;
	struct rc_service service; /* utxod's */
	struct utxod *utxod;
	struct chaind *chaind;
	struct rc_network network;
	struct chain_file chain;
	char *chaind_dir;
	unsigned under_way;
} node;

static void directory(const char *path)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		driver_die("%s: %s", path, strerror(errno));
}

static void open_utxod(const char *dir)
{
	static const struct rc_service_def def = {.name = "utxod"};
	static const struct rc_option *const tables[] = {options, NULL};
	char *setting = rc_asprintf("statedir=%s/utxod", dir);
	const char *const settings[] = {setting};
	struct rc_server_config server = {.daemon = RC_UTXOD,
					  .inproc = NAME,
					  .handlers = utxod_handlers,
					  .roles = "read,write,admin"};
	struct rc_error error;

	directory(strchr(setting, '=') + 1);
	node.utxod = rc_alloc(sizeof(*node.utxod));
	node.utxod->service = &node.service;
	node.service.def = &def;
	node.service.network = node.network;
	node.service.loop = node.loop;
	node.service.metrics = rc_metrics_new("utxod", utxod_metric_defs, M_COUNT);
	if (rc_config_new(tables, settings, 1, &node.service.config, &error) < 0 ||
	    engine_open(node.utxod, &error) < 0)
		driver_die("%s", error.text);
	memcpy(server.network_id, node.network.id.b, sizeof(server.network_id));
	server.ctx = node.utxod;
	if (rc_server_open(node.loop, &server, &node.service.server, &error) < 0)
		driver_die("%s", error.text);
}

static void open_chaind(const char *dir)
{
	struct chaind *chaind = rc_alloc(sizeof(*chaind));
	struct rc_error error;

	node.chaind = chaind;
	node.chaind_dir = rc_asprintf("%s/chaind", dir);
	directory(node.chaind_dir);
	chaind->loop = node.loop;
	chaind->network = &node.network;
	chaind->system_clock = &rc_clock_system;
	chaind->random = &rc_random_system;
	chaind->metrics = rc_metrics_new("chaind", chaind_metrics, METRIC_COUNT);
	chaind->config = (struct chaind_config){
		.statedir = node.chaind_dir,
		.cache_bytes = (size_t)64 << 20,
		.verified_bytes = (size_t)16 << 20,
		.pool = pool_limits_default,
		.utxod = {.from = RC_CHAIND,
			  .to = RC_UTXOD,
			  .role = RC_ROLE_WRITE,
			  .inproc = NAME,
			  .boot = rc_random_u64(&rc_random_system)},
	};
	memcpy(chaind->config.utxod.network_id, node.network.id.b, 32);
	if (chaind_enter(chaind, &error) < 0 || chaind_start(chaind, &error) < 0)
		driver_die("%s", error.text);
}

static json_t *run_open(char **words, int n)
{
	struct rc_error error;

	(void)n;
	rc_schnorr_init();
	if (rc_network_load(words[1], &node.network, &error) < 0)
		driver_die("%s", error.text);
	chain_file_open(&node.chain, words[2]);
	directory(words[0]);
	node.loop = rc_loop_new();
	open_utxod(words[0]);
	open_chaind(words[0]);
	while (!connect_running(&node.chaind->connect))
		rc_loop_turn(node.loop, 100000);
	return json_pack("{s:I}", "height", (json_int_t)node.chain.height);
}

static void on_block(void *arg, const struct block_result *result)
{
	(void)arg;
	node.under_way--;
	if (result->err || result->verdict != RC_VERDICT_OK)
		driver_die("block %u: %s", result->height, rc_verdict_name(result->verdict));
}

static json_t *run_feed(char **words, int n)
{
	unsigned long from = driver_number(words[0], UINT32_MAX);
	unsigned long to = driver_number(words[1], UINT32_MAX);
	double start = driver_now();

	(void)n;
	for (unsigned long h = from; h <= to; h++) {
		struct rc_bytes block = chain_file_block(&node.chain, h);

		while (node.under_way >= WINDOW)
			rc_loop_turn(node.loop, -1);
		node.under_way++;
		chaind_submit_block(node.chaind, 1, block.data, block.len, false, on_block, NULL);
	}
	while (node.under_way || node_height(chain_tip(&node.chaind->chain)) < to)
		rc_loop_turn(node.loop, -1);
	return json_pack("{s:f}", "seconds", driver_now() - start);
}

static json_t *run_settle(char **words, int n)
{
	double end = driver_now() + 60;

	(void)words;
	(void)n;
	do
		rc_loop_turn(node.loop, 100000);
	while ((node.utxod->flushing || node.utxod->logging || node.utxod->collecting) &&
	       driver_now() < end);
	return json_pack("{}");
}

int main(int argc, char **argv)
{
	static const struct driver_command commands[] = {
		{"open", 3, "DIR NETWORK FILE", run_open},
		{"feed", 2, "FROM TO", run_feed},
		{"settle", 0, "", run_settle},
		{NULL, 0, NULL, NULL},
	};
	return driver_run(argc, argv, "chaind and utxod in one process.", commands);
}
