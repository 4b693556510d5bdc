/*
 * utxod's state by itself, as its daemon drives it, to see where memory and the time of a start go:
 * a builder here, a flusher beside it, on real databases. Coins come from their numbers, so that
 * nothing but the state is in memory.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "crypto/sha256.h"
#include "daemons/utxod/ledger.h"
#include "daemons/utxod/memory.h"
#include "driver.h"
#include "types/lock.h"

enum { UNDO_BLOCKS = 288, READ_MOST = 1 << 20, BLOCKS_MOST = 1 << 20 };

static struct {
	char dir[256];
	struct disk_pair disks;
	struct ledger *ledger;
	struct memory_plan plan;
	uint64_t flush_changes;
	uint64_t oldest, newest; /* coins in the state: numbers oldest … newest − 1 */
	struct block_ref tip;
	uint64_t first[BLOCKS_MOST]; /* coin that a block made, by height */
	size_t base;		     /* resident before anything was opened */
	pthread_t flusher;
	atomic_bool flushing, joinable;
	size_t peak;
} s;

static size_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	size_t size, pages;

	if (!f || fscanf(f, "%zu %zu", &size, &pages) != 2)
		driver_die("no /proc/self/statm");
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void note_peak(void)
{
	size_t now = resident();

	if (now > s.peak)
		s.peak = now;
}

/* ---- coins ---- */

static void coin_of(uint64_t number, struct rc_delta_coin *ret)
{
	uint8_t seed[9] = {0}, key[32], encoded[33];
	struct rc_lock lock;

	memset(ret, 0, sizeof(*ret));
	rc_put_le64(seed, number);
	rc_sha256(seed, sizeof(seed), ret->outpoint.txid.b);
	seed[8] = 1;
	rc_sha256(seed, sizeof(seed), key);
	rc_lock_key_encode(key, encoded);
	rc_lock_decode(encoded, sizeof(encoded), &lock);
	rc_coin_init(&ret->coin, 1000, 1, false, &lock);
}

static int compare_coins(const void *a, const void *b)
{
	return rc_outpoint_cmp(&((const struct rc_delta_coin *)a)->outpoint,
			       &((const struct rc_delta_coin *)b)->outpoint);
}

/* The block that made a coin. */
static uint32_t height_of(uint64_t number)
{
	uint32_t lo = 1, hi = s.tip.height + 1;

	while (hi - lo > 1) {
		uint32_t mid = (lo + hi) / 2;

		if (s.first[mid] <= number)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static struct rc_delta_coin *coins_of(uint64_t from, uint32_t n)
{
	struct rc_delta_coin *coins = rc_alloc_array(n, sizeof(*coins));

	for (uint32_t i = 0; i < n; i++) {
		coin_of(from + i, &coins[i]);
		coins[i].coin.height = height_of(from + i);
	}
	qsort(coins, n, sizeof(*coins), compare_coins);
	return coins;
}

/* ---- the daemon's part ---- */

static void *flush(void *arg)
{
	struct rc_error error;

	(void)arg;
	if (ledger_flush(s.ledger, &error) < 0)
		driver_die("%s", error.text);
	note_peak();
	atomic_store(&s.flushing, false);
	return NULL;
}

static void join_flusher(void)
{
	if (s.joinable)
		pthread_join(s.flusher, NULL);
	s.joinable = false;
}

static void flush_if_due(void)
{
	if (atomic_load(&s.flushing) || !ledger_flush_due(s.ledger))
		return;
	join_flusher();
	atomic_store(&s.flushing, true);
	s.joinable = pthread_create(&s.flusher, NULL, flush, NULL) == 0;
}

static void stage(const struct rc_delta *delta)
{
	struct rc_buf encoded = RC_BUF_INIT;
	struct rc_error error;
	int err;

	rc_delta_encode(delta, &encoded);
	while ((err = ledger_stage(s.ledger, (struct rc_bytes){encoded.data, encoded.len},
				   &error)) == RC_EBUSY) {
		flush_if_due();
		usleep(1000);
	}
	if (err < 0 || ledger_commit(s.ledger, &delta->id, &error) < 0 ||
	    ledger_write(s.ledger, ledger_unsynced(s.ledger) >= LEDGER_SYNC_BYTES, &error) < 0)
		driver_die("block %u: %s", delta->height, error.text);
	rc_buf_done(&encoded);
}

static void add_block(uint32_t spend, uint32_t make)
{
	struct rc_delta delta = {.parent = s.tip.id, .n_spent = spend, .n_created = make};

	delta.spent = coins_of(s.oldest, spend);
	delta.height = ++s.tip.height;
	if (delta.height == BLOCKS_MOST)
		driver_die("too many blocks");
	s.first[delta.height] = s.newest;
	rc_put_le32(delta.id.b, delta.height);
	delta.id.b[31] = 1;
	delta.created = coins_of(s.newest, make);
	stage(&delta);
	s.tip.id = delta.id;
	s.oldest += spend;
	s.newest += make;
	free(delta.spent);
	free(delta.created);
	note_peak();
	flush_if_due();
	/* The daemon's flusher does it: when a flush ends, else at once. */
	if (!atomic_load(&s.flushing))
		ledger_collect(s.ledger);
}

/* ---- commands ---- */

static void evict_files(const char *name)
{
	char path[512];
	DIR *dir;
	struct dirent *e;

	snprintf(path, sizeof(path), "%s/%s", s.dir, name);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		int fd = openat(dirfd(dir), e->d_name, O_RDONLY);

		if (fd < 0)
			continue;
		fdatasync(fd);
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		close(fd);
	}
	if (dir)
		closedir(dir);
}

static json_t *figures(void)
{
	struct ledger_figures f;

	ledger_figures(s.ledger, &f);
	return json_pack("{s:I s:I s:I s:I s:I s:I s:I s:I s:I s:I s:I}", "coins",
			 (json_int_t)f.coins, "resident", (json_int_t)(resident() - s.base), "peak",
			 (json_int_t)(s.peak - s.base), "pages", (json_int_t)f.page_held, "coinmap",
			 (json_int_t)f.coin_bytes, "deltas", (json_int_t)f.delta_bytes, "cache",
			 (json_int_t)(f.state.cache_bytes + f.log.cache_bytes), "buffers",
			 (json_int_t)(f.state.buffer_bytes + f.log.buffer_bytes), "tables",
			 (json_int_t)(f.state.table_bytes + f.log.table_bytes), "dirty_bytes",
			 (json_int_t)f.dirty_bytes, "dirty_changes", (json_int_t)f.dirty_changes);
}

static json_t *open_state(void)
{
	static const uint8_t network[32] = {1};
	struct ledger_options options = {
		.page_bytes = s.plan.pages,
		.coin_bytes = s.plan.coins,
		.stage_bytes = s.plan.stage,
		.flush_bytes = s.plan.flush,
		.flush_changes = s.flush_changes,
		.undo_blocks = UNDO_BLOCKS,
		.clock = &rc_clock_system,
		.random = &rc_random_system,
	};
	double start = driver_now(), opened;
	struct ledger_figures f;
	struct rc_error error;

	if (disk_store_open(s.dir, network, s.plan.log, s.plan.state, &s.disks, &error) < 0)
		driver_die("%s", error.text);
	opened = driver_now();
	if (ledger_open(&s.disks, &options, &s.ledger, &error) < 0)
		driver_die("%s", error.text);
	ledger_figures(s.ledger, &f);
	return json_pack(
		"{s:f s:f s:I s:I s:I s:I s:I}", "open_seconds", opened - start, "recover_seconds",
		driver_now() - opened, "steps", (json_int_t)f.recovery.steps, "changes",
		(json_int_t)f.recovery.changes, "log_us", (json_int_t)f.recovery.log_us, "read_us",
		(json_int_t)f.recovery.read_us, "apply_us", (json_int_t)f.recovery.apply_us);
}

static json_t *on_open(char **words, int n)
{
	(void)n;
	s.base = resident();
	snprintf(s.dir, sizeof(s.dir), "%s", words[0]);
	memory_plan(driver_number(words[1], 1 << 20) << 20, driver_number(words[2], 1 << 12) << 20,
		    &s.plan);
	s.flush_changes = driver_number(words[3], 1 << 30);
	return open_state();
}

static json_t *on_grow(char **words, int n)
{
	unsigned long blocks = driver_number(words[0], BLOCKS_MOST);
	uint32_t spend = (uint32_t)driver_number(words[1], 1 << 20);
	uint32_t make = (uint32_t)driver_number(words[2], 1 << 20);

	(void)n;
	while (blocks--)
		add_block(spend, make);
	return figures();
}

static json_t *on_read(char **words, int n)
{
	uint32_t count = (uint32_t)driver_number(words[0], READ_MOST);
	struct rc_outpoint *outpoints = rc_alloc_array(count, sizeof(*outpoints));
	struct rc_coin *coins = rc_alloc_array(count, sizeof(*coins));
	double start, end;
	struct ledger_view view;
	struct rc_error error;

	(void)n;
	for (uint32_t i = 0; i < count; i++) {
		struct rc_delta_coin c;

		coin_of(s.oldest + rc_random_below(&rc_random_system, s.newest - s.oldest), &c);
		outpoints[i] = c.outpoint;
	}
	start = driver_now();
	if (ledger_view_at(s.ledger, NULL, false, &view) < 0 ||
	    ledger_coins(&view, outpoints, count, coins, &error) < 0)
		driver_die("coins can't be read");
	end = driver_now();
	ledger_view_close(&view);
	for (uint32_t i = 0; i < count; i++)
		if (!coins[i].lock_len)
			driver_die("a coin is missing");
	free(outpoints);
	free(coins);
	note_peak();
	return json_pack("{s:i s:f}", "count", (int)count, "seconds", end - start);
}

static void close_state(void)
{
	join_flusher();
	ledger_close(s.ledger);
	disk_pair_close(&s.disks);
	s.ledger = NULL;
}

/* As after a crash: what isn't flushed is applied again, from a disk that nothing was read of. */
static json_t *on_reopen(char **words, int n)
{
	struct rc_error error;

	(void)n;
	join_flusher();
	if (ledger_write(s.ledger, true, &error) < 0)
		driver_die("%s", error.text);
	close_state();
	if (!strcmp(words[0], "cold")) {
		evict_files("log");
		evict_files("state");
	}
	return open_state();
}

static json_t *on_figures(char **words, int n)
{
	(void)words;
	(void)n;
	return figures();
}

static const struct driver_command commands[] = {
	{"open", 4, "DIR CACHE_MB FLUSH_MB FLUSH_CHANGES", on_open},
	{"grow", 3, "BLOCKS SPEND MAKE", on_grow},
	{"read", 1, "COINS", on_read},
	{"reopen", 1, "cold|warm", on_reopen},
	{"figures", 0, "", on_figures},
	{NULL, 0, NULL, NULL},
};

int main(int argc, char **argv)
{
	int code;

	rc_mem_tune();
	code = driver_run(argc, argv, "utxod's state: where memory and a start's time go",
			  commands);

	if (s.ledger)
		close_state();
	return code;
}
