/*
 * A driver of the committed state: utxod's ledger in this process, on RocksDB in a directory.
 *
 *   open DIR CACHE_MB   opens or makes the state there, this process's former one again too; cache
 *                       divided as utxod does
 *   load N              brings a new state to N coins, by blocks that fill a range of the tree each
 *   updates N           one block of N / 2 coins spent, chosen at random, and N / 2 made: time and
 *                       CPU from the delta's bytes to the new root, and of the commit
 *   flush               writes what is applied to the disk
 *   coins WHICH N       looks up N coins through the ledger; WHICH: uniform, recent
 *   multiget WHICH N    as many of the same choice by one sorted batched MultiGet of the database
 *   figures             memory, hits and so on
 *
 * Coins are functions of a number: whoever holds the number has the coin. `recent` takes 80 of 100
 * among the youngest twentieth.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/num.h"
#include "daemons/utxod/delta_ops.h"
#include "daemons/utxod/ledger_internal.h"
#include "daemons/utxod/memory.h"
#include "driver.h"

/* Coins of one block of the load: 400,000 have some 70 MB of deltas and as much again of pages. */
#define LOAD_BLOCK 400000
/* Recent is the youngest of so many: at 10 million coins what a hundred blocks of 5,000 made. */
#define RECENT_OF      20
#define RECENT_PERCENT 80
#define PARTS_MAX      256
/* Flushes come by command, lest one begins while something else is measured. */
#define FLUSH_BYTES ((size_t)2 << 30)

struct bench {
	struct disk_pair disks;
	struct ledger *ledger;
	char *dir;
	uint32_t *live; /* numbers of coins in the state */
	size_t n_live, cap_live;
	uint32_t *height; /* by number: of the block that made it; 0: it is spent */
	uint32_t next;	  /* number */
	size_t newest;	  /* the last of live are the last block's, which no flush writes */
	uint64_t random;
	struct rc_block_id tip;
	uint32_t tip_height;
};

static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static void check(int err, const char *what, const struct rc_error *error)
{
	if (err)
		driver_die("%s: %s", what, error->text);
}

/* ---- coins by number ---- */

static void fill(uint64_t of, uint8_t ret[32])
{
	for (unsigned i = 0; i < 4; i++)
		rc_put_le64(ret + 8 * i, mix(of * 4 + i));
}

static void make_outpoint(uint32_t number, struct rc_outpoint *ret)
{
	fill(number, ret->txid.b);
	ret->index = number & 1;
}

static void make_lock(uint32_t number, uint8_t ret[RC_LOCK_KEY_SIZE])
{
	uint8_t key[32];

	fill(UINT64_C(1) << 40 | number, key);
	rc_lock_key_encode(key, ret);
}

static void make_coin(const struct bench *b, uint32_t number, struct rc_delta_coin *ret)
{
	uint8_t encoded[RC_LOCK_KEY_SIZE];
	struct rc_lock lock;

	memset(ret, 0, sizeof(*ret));
	make_outpoint(number, &ret->outpoint);
	make_lock(number, encoded);
	if (!rc_lock_decode(encoded, sizeof(encoded), &lock))
		abort();
	rc_coin_init(&ret->coin, 1000 + number % 1000, b->height[number], false, &lock);
}

static int compare_coins(const void *a, const void *b)
{
	return rc_outpoint_cmp(&((const struct rc_delta_coin *)a)->outpoint,
			       &((const struct rc_delta_coin *)b)->outpoint);
}

/* A number that was never used, now live. */
static uint32_t add_coin(struct bench *b)
{
	if (b->n_live == b->cap_live || b->next >= b->cap_live) {
		b->cap_live = b->cap_live ? 2 * b->cap_live : 1 << 20;
		b->live = rc_realloc_array(b->live, b->cap_live, sizeof(*b->live));
		b->height = rc_realloc_array(b->height, b->cap_live, sizeof(*b->height));
	}
	b->live[b->n_live++] = b->next;
	return b->next++;
}

/* ---- blocks ---- */

static void encode_block(struct bench *b, struct rc_delta *delta, struct rc_buf *buf)
{
	delta->parent = b->tip;
	delta->height = b->tip_height + 1;
	fill(UINT64_C(1) << 41 | delta->height, delta->id.b);
	qsort(delta->spent, delta->n_spent, sizeof(*delta->spent), compare_coins);
	qsort(delta->created, delta->n_created, sizeof(*delta->created), compare_coins);
	rc_delta_encode(delta, buf);
}

static void commit(struct bench *b, const struct rc_delta *delta)
{
	struct rc_error error;

	check(ledger_commit(b->ledger, &delta->id, &error), "commit", &error);
	b->tip = delta->id;
	b->tip_height = delta->height;
}

static void stage(struct bench *b, const struct rc_buf *buf)
{
	struct rc_error error;

	check(ledger_stage(b->ledger, (struct rc_bytes){buf->data, buf->len}, &error), "stage",
	      &error);
}

static void flush(struct bench *b)
{
	struct rc_error error;

	check(ledger_write(b->ledger, true, &error), "write", &error);
	check(ledger_flush(b->ledger, &error), "flush", &error);
}

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- load ---- */

/* Which part of the load a coin belongs to: parts are ranges of the tree, so that each page is
 * written once. */
static unsigned part_of(uint32_t number, unsigned parts)
{
	uint8_t lock[RC_LOCK_KEY_SIZE], hash[32];

	make_lock(number, lock);
	rc_sha256(lock, sizeof(lock), hash);
	return (unsigned)((uint64_t)rc_get_be32(hash) * parts >> 32);
}

static void load_part(struct bench *b, const uint32_t *numbers, size_t n)
{
	struct rc_delta delta = {0};
	struct rc_buf buf = RC_BUF_INIT;

	delta.created = rc_alloc_array(n, sizeof(*delta.created));
	for (size_t i = 0; i < n; i++) {
		b->height[numbers[i]] = b->tip_height + 1;
		make_coin(b, numbers[i], &delta.created[delta.n_created++]);
	}
	encode_block(b, &delta, &buf);
	stage(b, &buf);
	commit(b, &delta);
	rc_buf_done(&buf);
	free(delta.created);
	flush(b);
}

static json_t *load(struct bench *b, size_t n)
{
	unsigned parts = (unsigned)((n + LOAD_BLOCK - 1) / LOAD_BLOCK);
	size_t count[PARTS_MAX + 1] = {0}, at[PARTS_MAX];
	uint8_t *part = rc_alloc(n);
	uint32_t *sorted = rc_alloc_array(n, sizeof(*sorted));
	double start = now(CLOCK_MONOTONIC);

	if (parts > PARTS_MAX || b->n_live)
		driver_die("load: too many, or not the first");
	for (size_t i = 0; i < n; i++) {
		part[i] = (uint8_t)part_of(add_coin(b), parts);
		count[part[i] + 1]++;
	}
	for (unsigned p = 0; p < parts; p++) {
		count[p + 1] += count[p];
		at[p] = count[p];
	}
	for (size_t i = 0; i < n; i++)
		sorted[at[part[i]]++] = (uint32_t)i;
	for (unsigned p = 0; p < parts; p++)
		load_part(b, sorted + count[p], count[p + 1] - count[p]);
	free(part);
	free(sorted);
	return json_pack("{s:I,s:f}", "coins", (json_int_t)b->n_live, "seconds",
			 now(CLOCK_MONOTONIC) - start);
}

/* ---- updates ---- */

static uint64_t random_below(struct bench *b, uint64_t n)
{
	b->random = mix(b->random);
	return b->random % n;
}

static json_t *update(struct bench *b, size_t n)
{
	struct rc_delta delta = {0};
	struct rc_buf buf = RC_BUF_INIT;
	struct ledger_figures before, after;
	struct rc_error error;
	double wall, cpu, commit_wall;

	delta.spent = rc_alloc_array(n / 2, sizeof(*delta.spent));
	delta.created = rc_alloc_array(n / 2, sizeof(*delta.created));
	for (size_t i = 0; i < n / 2; i++) {
		size_t at = random_below(b, b->n_live);

		make_coin(b, b->live[at], &delta.spent[delta.n_spent++]);
		b->height[b->live[at]] = 0;
		b->live[at] = b->live[--b->n_live];
	}
	b->newest = n / 2;
	for (size_t i = 0; i < n / 2; i++) {
		uint32_t number = add_coin(b);

		b->height[number] = b->tip_height + 1;
		make_coin(b, number, &delta.created[delta.n_created++]);
	}
	encode_block(b, &delta, &buf);
	ledger_figures(b->ledger, &before);
	wall = now(CLOCK_MONOTONIC);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	stage(b, &buf);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	commit_wall = now(CLOCK_MONOTONIC);
	wall = commit_wall - wall;
	commit(b, &delta);
	commit_wall = now(CLOCK_MONOTONIC) - commit_wall;
	check(ledger_write(b->ledger, false, &error), "write", &error);
	ledger_figures(b->ledger, &after);
	rc_buf_done(&buf);
	free(delta.spent);
	free(delta.created);
	return json_pack("{s:f,s:f,s:f,s:I,s:I}", "seconds", wall, "cpu", cpu, "commit",
			 commit_wall, "hashes", (json_int_t)(after.hashes - before.hashes), "loads",
			 (json_int_t)(after.page_loads - before.page_loads));
}

/* ---- look-ups ---- */

static int compare_outpoints(const void *a, const void *b)
{
	return rc_outpoint_cmp(a, b);
}

/* One of the youngest, the last block's aside: numbers grow with time. */
static uint32_t choose_recent(struct bench *b, size_t youngest)
{
	uint32_t number;

	do {
		number = b->next - 1 - (uint32_t)(b->newest + random_below(b, youngest));
	} while (!b->height[number]);
	return number;
}

/* Outpoints of coins in the state, each once, ascending. */
static size_t choose(struct bench *b, const char *which, size_t n, struct rc_outpoint *ret)
{
	bool recent = !strcmp(which, "recent");
	size_t all = b->n_live - b->newest, unique = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t number = recent && random_below(b, 100) < RECENT_PERCENT
					  ? choose_recent(b, all / RECENT_OF)
					  : b->live[random_below(b, all)];

		make_outpoint(number, &ret[i]);
	}
	qsort(ret, n, sizeof(*ret), compare_outpoints);
	for (size_t i = 0; i < n; i++)
		if (!i || !rc_outpoint_eq(&ret[i], &ret[unique - 1]))
			ret[unique++] = ret[i];
	return unique;
}

static json_t *answer_lookups(size_t n, size_t found, double seconds, double cpu)
{
	return json_pack("{s:I,s:I,s:f,s:f}", "count", (json_int_t)n, "found", (json_int_t)found,
			 "seconds", seconds, "cpu", cpu);
}

static json_t *coins(struct bench *b, const char *which, size_t n)
{
	struct rc_outpoint *outpoints = rc_alloc_array(n, sizeof(*outpoints));
	struct rc_coin *ret = rc_alloc_array(n, sizeof(*ret));
	struct ledger_view view;
	struct rc_error error;
	double wall, cpu;
	size_t found = 0;

	n = choose(b, which, n, outpoints);
	wall = now(CLOCK_MONOTONIC);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	check(ledger_view_at(b->ledger, NULL, false, &view), "view", &error);
	check(ledger_coins(&view, outpoints, n, ret, &error), "coins", &error);
	ledger_view_close(&view);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	wall = now(CLOCK_MONOTONIC) - wall;
	for (size_t i = 0; i < n; i++)
		found += ret[i].lock_len != 0;
	free(outpoints);
	free(ret);
	return answer_lookups(n, found, wall, cpu);
}

static void count_value(void *arg, size_t i, struct rc_bytes value)
{
	(void)i;
	(void)value;
	++*(size_t *)arg;
}

static json_t *multiget(struct bench *b, const char *which, size_t n)
{
	struct rc_outpoint *outpoints = rc_alloc_array(n, sizeof(*outpoints));
	uint8_t(*key)[COIN_DISK_KEY] = rc_alloc_array(n, sizeof(*key));
	struct rc_bytes *keys = rc_alloc_array(n, sizeof(*keys));
	struct disk *disk = b->disks.state;
	struct rc_error error;
	double wall, cpu;
	size_t found = 0;

	n = choose(b, which, n, outpoints);
	for (size_t i = 0; i < n; i++) {
		coin_disk_key(&outpoints[i], key[i]);
		keys[i] = (struct rc_bytes){key[i], COIN_DISK_KEY};
	}
	wall = now(CLOCK_MONOTONIC);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	check(disk->ops->multi_get(disk, keys, n, count_value, &found, &error), "multiget", &error);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	wall = now(CLOCK_MONOTONIC) - wall;
	free(outpoints);
	free(key);
	free(keys);
	return answer_lookups(n, found, wall, cpu);
}

/* ---- life ---- */

static json_t *open_state(struct bench *b, const char *dir, size_t cache_mb)
{
	uint8_t network[32] = {0};
	struct memory_plan plan;
	struct ledger_options options = {
		.flush_bytes = FLUSH_BYTES,
		.undo_blocks = 1,
		.clock = &rc_clock_system,
		.random = &rc_random_system,
	};
	struct rc_error error;

	if (b->ledger) {
		flush(b);
		ledger_close(b->ledger);
		disk_pair_close(&b->disks);
	}
	memory_plan(cache_mb << 20, FLUSH_BYTES, &plan);
	options.page_bytes = plan.pages;
	options.coin_bytes = plan.coins;
	check(disk_store_open(dir, network, plan.log, plan.state, &b->disks, &error), "open",
	      &error);
	check(ledger_open(&b->disks, &options, &b->ledger, &error), "open", &error);
	return json_pack("{s:b}", "open", 1);
}

static json_t *figures(struct bench *b)
{
	struct ledger_figures f;

	ledger_figures(b->ledger, &f);
	return json_pack(
		"{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "coins", (json_int_t)f.coins, "page_bytes",
		(json_int_t)f.page_bytes, "coin_bytes", (json_int_t)f.coin_bytes, "coin_entries",
		(json_int_t)f.coin_entries, "coin_hits", (json_int_t)f.coin_hits, "coin_misses",
		(json_int_t)f.coin_misses, "page_loads", (json_int_t)f.page_loads, "dirty_bytes",
		(json_int_t)f.dirty_bytes, "disk_bytes", (json_int_t)f.state.disk_bytes);
}

static json_t *timed_flush(struct bench *b)
{
	double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);

	flush(b);
	return json_pack("{s:f,s:f}", "seconds", now(CLOCK_MONOTONIC) - wall, "cpu",
			 now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

/* ---- commands ---- */

#define NUMBER_MAX 100000000

static struct bench bench = {.random = 1};

static json_t *run_open(char **words, int n)
{
	(void)n;
	return open_state(&bench, words[0], driver_number(words[1], 1 << 20));
}

static json_t *run_load(char **words, int n)
{
	(void)n;
	return load(&bench, driver_number(words[0], NUMBER_MAX));
}

static json_t *run_updates(char **words, int n)
{
	(void)n;
	return update(&bench, driver_number(words[0], NUMBER_MAX));
}

static json_t *run_flush(char **words, int n)
{
	(void)words;
	(void)n;
	return timed_flush(&bench);
}

static json_t *run_coins(char **words, int n)
{
	(void)n;
	return coins(&bench, words[0], driver_number(words[1], NUMBER_MAX));
}

static json_t *run_multiget(char **words, int n)
{
	(void)n;
	return multiget(&bench, words[0], driver_number(words[1], NUMBER_MAX));
}

static json_t *run_figures(char **words, int n)
{
	(void)words;
	(void)n;
	return figures(&bench);
}

static const struct driver_command commands[] = {
	{"open", 2, "DIR CACHE_MB", run_open},
	{"load", 1, "N", run_load},
	{"updates", 1, "N", run_updates},
	{"flush", 0, "", run_flush},
	{"coins", 2, "uniform|recent N", run_coins},
	{"multiget", 2, "uniform|recent N", run_multiget},
	{"figures", 0, "", run_figures},
	{NULL, 0, NULL, NULL},
};

int main(int argc, char **argv)
{
	int code = driver_run(argc, argv, "The committed state, in this process.", commands);

	if (bench.ledger) {
		ledger_close(bench.ledger);
		disk_pair_close(&bench.disks);
	}
	free(bench.live);
	free(bench.height);
	return code;
}
