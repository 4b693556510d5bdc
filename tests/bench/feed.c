/*
 * Hands blocks and transactions to a running chaind over its bus, as peerd does and in place of
 * it: a bus has one peerd, so none may run beside this.
 *
 *   open RUNDIR NETWORK FILE       NETWORK: as for make_chain; FILE: its chain
 *   feed FROM TO [WINDOW]          blocks of these heights, WINDOW (16) of them under way at once;
 *                                  answers when the last of them is the tip
 *   headers FROM TO                their headers, as peers send them first
 *   txs HEIGHT [BATCH [WINDOW]]    all but the coinbase to the pool, BATCH (100) a request
 *   tip                            chaind's tip
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/num.h"
#include "client/chaind.h"
#include "service/network_file.h"
#include "tests/bench/chain_file.h"
#include "tests/bench/driver.h"
#include "types/block.h"

/* Nothing here takes longer, or it is stuck. */
#define DEADLINE_MS 600000
#define PEER	    1 /* who is said to have sent it all */
#define HEADERS_MAX 2000

static struct rc_loop *loop;
static struct rc_chaind *chaind;
static struct chain_file chain;

/* What the calls under way found. */
static struct {
	size_t under_way;
	size_t ok, refused;
	char first_verdict[64]; /* of the refused */
	struct rc_block_ref tip;
} found;

static void begin(void)
{
	if (!chaind)
		driver_die("open comes first");
	memset(&found, 0, sizeof(found));
}

static void wait_until_fewer(size_t n)
{
	while (found.under_way >= n && found.under_way)
		rc_loop_turn(loop, -1);
}

static void answered(const struct rc_reply *why)
{
	found.under_way--;
	if (why->err)
		driver_die("chaind: %s (%s)", rc_err_text(why->err), why->text ? why->text : "");
}

static void judge(const char *verdict)
{
	if (strcmp(verdict, "ok") == 0) {
		found.ok++;
		return;
	}
	if (!found.refused++)
		snprintf(found.first_verdict, sizeof(found.first_verdict), "%s", verdict);
}

static unsigned long word(char **words, int n, int i, unsigned long otherwise, unsigned long most)
{
	unsigned long value = i < n ? driver_number(words[i], most) : otherwise;

	if (!value)
		driver_die("0 is too few");
	return value;
}

static json_t *run_open(char **words, int n)
{
	struct rc_client_config config = {
		.from = RC_PEERD, .role = RC_ROLE_SUBMIT, .rundir = words[0], .boot = 1};
	struct rc_network network;
	struct rc_error error;
	double end = driver_now() + 30;

	(void)n;
	if (chaind) {
		rc_chaind_close(chaind);
		chain_file_close(&chain);
	}
	if (rc_network_load(words[1], &network, &error))
		driver_die("%s", error.text);
	memcpy(config.network_id, network.id.b, 32);
	config.boot = (uint64_t)(driver_now() * 1e6);
	chain_file_open(&chain, words[2]);
	if (!loop)
		loop = rc_loop_new();
	if (rc_chaind_open(loop, &config, &chaind, &error))
		driver_die("%s", error.text);
	while (!rc_client_up(rc_chaind_bus(chaind))) {
		if (driver_now() > end)
			driver_die("no chaind in %s", words[0]);
		rc_loop_turn(loop, 10000);
	}
	return json_pack("{s:I}", "height", (json_int_t)chain.height);
}

static void on_block(void *arg, const struct rc_reply *why, const struct rc_submit_block *reply)
{
	(void)arg;
	answered(why);
	if (reply)
		judge(reply->verdict);
}

static void on_tip(void *arg, const struct rc_reply *why, const struct rc_block_ref *reply)
{
	(void)arg;
	answered(why);
	if (reply)
		found.tip = *reply;
}

static void wait_tip(uint32_t height)
{
	double end = driver_now() + DEADLINE_MS / 1e3;

	do {
		if (driver_now() > end || found.refused)
			break;
		found.under_way++;
		rc_chaind_wait_tip(chaind, NULL, height, 1000, DEADLINE_MS, on_tip, NULL);
		wait_until_fewer(1);
	} while (found.tip.height < height);
}

static json_t *run_feed(char **words, int n)
{
	unsigned long from = driver_number(words[0], UINT32_MAX);
	unsigned long to = driver_number(words[1], UINT32_MAX);
	unsigned long window = word(words, n, 2, 16, 1000);
	size_t bytes = 0;
	double start;

	begin();
	/* From the disk's cache into memory first: that isn't what is measured. */
	for (unsigned long h = from; h <= to; h++)
		for (size_t at = 0; at < chain_file_block(&chain, h).len; at += 4096)
			bytes += ((const volatile uint8_t *)chain_file_block(&chain, h).data)[at];
	bytes = 0;
	start = driver_now();
	for (unsigned long h = from; h <= to; h++) {
		struct rc_bytes block = chain_file_block(&chain, h);

		wait_until_fewer(window);
		found.under_way++;
		bytes += block.len;
		rc_chaind_submit_block(chaind, PEER, false, block, DEADLINE_MS, on_block, NULL);
	}
	wait_until_fewer(1);
	wait_tip((uint32_t)to);
	return json_pack("{s:f, s:I, s:I, s:I, s:s, s:I}", "seconds", driver_now() - start, "bytes",
			 (json_int_t)bytes, "ok", (json_int_t)found.ok, "refused",
			 (json_int_t)found.refused, "verdict", found.first_verdict, "height",
			 (json_int_t)found.tip.height);
}

static void on_headers(void *arg, const struct rc_reply *why, const struct rc_submit_headers *reply)
{
	(void)arg;
	answered(why);
	if (reply)
		judge(reply->verdict);
}

static json_t *run_headers(char **words, int n)
{
	unsigned long from = driver_number(words[0], UINT32_MAX);
	unsigned long to = driver_number(words[1], UINT32_MAX);
	struct rc_buf raw = RC_BUF_INIT;
	double start;

	(void)n;
	begin();
	start = driver_now();
	for (unsigned long h = from; h <= to;) {
		rc_buf_clear(&raw);
		for (unsigned i = 0; i < HEADERS_MAX && h <= to; i++, h++)
			rc_buf_put(&raw, chain_file_block(&chain, h).data, RC_HEADER_SIZE);
		found.under_way++;
		rc_chaind_submit_headers(chaind, PEER, (struct rc_bytes){raw.data, raw.len},
					 DEADLINE_MS, on_headers, NULL);
		wait_until_fewer(1);
	}
	rc_buf_done(&raw);
	return json_pack("{s:f, s:I, s:s}", "seconds", driver_now() - start, "refused",
			 (json_int_t)found.refused, "verdict", found.first_verdict);
}

static void on_txs(void *arg, const struct rc_reply *why, const struct rc_submit_txs *reply)
{
	(void)arg;
	answered(why);
	for (size_t i = 0; reply && i < reply->n; i++)
		judge(reply->results[i].orphan ? "orphan" : reply->results[i].verdict);
}

static json_t *run_txs(char **words, int n)
{
	struct rc_bytes raw = chain_file_block(&chain, driver_number(words[0], UINT32_MAX));
	unsigned long batch = word(words, n, 1, 100, 10000), window = word(words, n, 2, 16, 1000);
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_block block;
	double start;

	begin();
	if (!rc_block_decode(raw.data, raw.len, &arena, &block))
		driver_die("a block that doesn't parse");
	start = driver_now();
	for (uint32_t i = 1; i < block.n_txs;) {
		RC_AUTOFREE struct rc_bytes *txs = rc_alloc_array(batch, sizeof(*txs));
		size_t some = 0;

		for (; some < batch && i < block.n_txs; i++)
			txs[some++] = block.txs[i].raw;
		wait_until_fewer(window);
		found.under_way++;
		rc_chaind_submit_txs(chaind, PEER, false, 0, txs, some, DEADLINE_MS, on_txs, NULL);
	}
	wait_until_fewer(1);
	rc_arena_done(&arena);
	return json_pack("{s:f, s:I, s:I, s:s}", "seconds", driver_now() - start, "ok",
			 (json_int_t)found.ok, "refused", (json_int_t)found.refused, "verdict",
			 found.first_verdict);
}

static json_t *run_tip(char **words, int n)
{
	(void)words;
	(void)n;
	begin();
	wait_tip(0);
	return json_pack("{s:I}", "height", (json_int_t)found.tip.height);
}

int main(int argc, char **argv)
{
	static const struct driver_command commands[] = {
		{"open", 3, "RUNDIR NETWORK FILE", run_open},
		{"feed", 2, "FROM TO [WINDOW]", run_feed},
		{"headers", 2, "FROM TO", run_headers},
		{"txs", 1, "HEIGHT [BATCH [WINDOW]]", run_txs},
		{"tip", 0, "", run_tip},
		{NULL, 0, NULL, NULL},
	};

	return driver_run(argc, argv, "Hands a chain to chaind over the bus, as peerd does.",
			  commands);
}
