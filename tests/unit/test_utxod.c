/*
 * The daemon over the bus: requests, fencing, and kill -9 at moments when its own counters show
 * work in flight. RC_TEST_KILLS says how often (default 100).
 */
#include "state_world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/common.h"
#include "client/utxod.h"
#include "consensus/network.h"
#include "service/network_file.h"

#define DEADLINE_MS   20000
#define DEFAULT_KILLS 100

struct fixture {
	struct rc_test_random random;
	struct world world;
	char dir[64];
	char rundir[80], statedir[80], logfile[80];
	struct rc_network network;
	struct rc_loop *loop;
	struct rc_client *client, *reader;
	pid_t pid;
	uint64_t writer;
	/* The last answer. */
	bool answered;
	int err;
	struct rc_utxod_tip tip;
	struct rc_hash root;
	struct rc_block_place place;
	struct rc_coin *coins;
	size_t n_coins;
	bool in_flight;
	bool verified;
	unsigned n_list;
	rc_amount total;
	struct rc_buf proof;
	uint64_t treasury;
	size_t n_deltas;
};

/* ---- the process ---- */

static pid_t spawn(struct fixture *f, const char *network, size_t file_limit)
{
	const char *build = getenv("BUILD");
	RC_AUTOFREE char *program = rc_asprintf("%s/bin/utxod", build ? build : "build");
	RC_AUTOFREE char *net = rc_asprintf("--network=%s", network);
	RC_AUTOFREE char *run = rc_asprintf("--rundir=%s", f->rundir);
	RC_AUTOFREE char *state = rc_asprintf("--statedir=%s", f->statedir);
	char *const argv[] = {program,
			      net,
			      run,
			      state,
			      "--cache_mb=16",
			      "--flush_changes=200",
			      "--undo_blocks=1000",
			      "--watchdog=no",
			      "--log_level=info",
			      NULL};
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open(f->logfile, O_WRONLY | O_CREAT | O_APPEND, 0600);

		dup2(fd, 2);
		if (file_limit) {
			struct rlimit limit = {file_limit, file_limit};

			signal(SIGXFSZ, SIG_IGN); /* a write beyond fails instead */
			setrlimit(RLIMIT_FSIZE, &limit);
		}
		execv(program, argv);
		_exit(127);
	}
	return pid;
}

static int wait_exit(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static struct rc_client *connect_as(struct fixture *f, enum rc_daemon from, enum rc_role role)
{
	struct rc_client_config config = {
		.from = from, .to = RC_UTXOD, .role = role, .rundir = f->rundir, .boot = f->writer};
	struct rc_client *client;
	struct rc_error error;

	memcpy(config.network_id, f->network.id.b, 32);
	assert_int_equal(rc_client_open(f->loop, &config, &client, &error), RC_OK);
	return client;
}

static int setup(void **state)
{
	struct fixture *f = rc_alloc(sizeof(*f));
	struct rc_error error;

	rc_test_random_init(&f->random);
	world_init(&f->world, &f->random.random);
	assert_int_equal(rc_network_load("reg", &f->network, &error), RC_OK);
	f->world.block[0].id = f->network.genesis_id;
	strcpy(f->dir, "/tmp/rc-test-utxod-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->rundir, sizeof(f->rundir), "%s/run", f->dir);
	snprintf(f->statedir, sizeof(f->statedir), "%s/state", f->dir);
	snprintf(f->logfile, sizeof(f->logfile), "%s/log.txt", f->dir);
	f->loop = rc_loop_new();
	f->writer = rc_random_u64(&f->random.random) | 1;
	f->pid = spawn(f, "reg", 0);
	f->client = connect_as(f, RC_CHAIND, RC_ROLE_WRITE);
	f->reader = connect_as(f, RC_TOOL, RC_ROLE_READ);
	*state = f;
	return 0;
}

static void remove_dir(const char *dir)
{
	char *const argv[] = {"rm", "-rf", (char *)(uintptr_t)dir, NULL};
	pid_t pid = fork();

	if (pid == 0) {
		execvp("rm", argv);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	rc_client_close(f->client);
	rc_client_close(f->reader);
	if (f->pid > 0) {
		kill(f->pid, SIGTERM);
		assert_int_equal(wait_exit(f->pid), 0);
	}
	rc_loop_free(f->loop);
	remove_dir(f->dir);
	world_done(&f->world);
	free(f->coins);
	rc_buf_done(&f->proof);
	free(f);
	return 0;
}

/* ---- calls that wait ---- */

static int64_t now_ms(void)
{
	return rc_mono_us(&rc_clock_system) / 1000;
}

static int wait_answer(struct fixture *f)
{
	int64_t until = now_ms() + DEADLINE_MS + 5000;

	while (!f->answered && now_ms() < until)
		rc_loop_turn(f->loop, 100000);
	assert_true(f->answered);
	f->answered = false;
	return f->err;
}

static void note(struct fixture *f, const struct rc_reply *reply)
{
	f->answered = true;
	f->err = reply->err;
}

static void got_tip(void *arg, const struct rc_reply *reply, const struct rc_utxod_tip *tip)
{
	struct fixture *f = arg;

	note(f, reply);
	if (tip)
		f->tip = *tip;
}

static void got_done(void *arg, const struct rc_reply *reply)
{
	note(arg, reply);
}

static void got_staged(void *arg, const struct rc_reply *reply)
{
	(void)arg;
	assert_int_equal(reply->err, RC_OK);
}

static void got_place(void *arg, const struct rc_reply *reply, const struct rc_block_place *place)
{
	struct fixture *f = arg;

	note(f, reply);
	if (place)
		f->place = *place;
}

static void got_root(void *arg, const struct rc_reply *reply, const struct rc_utxod_root *root)
{
	struct fixture *f = arg;

	note(f, reply);
	if (root)
		f->root = root->root;
}

static void got_coins(void *arg, const struct rc_reply *reply, const struct rc_utxod_coins *coins)
{
	struct fixture *f = arg;

	note(f, reply);
	if (!coins)
		return;
	free(f->coins);
	f->n_coins = coins->n;
	f->coins = rc_memdup(coins->coins, coins->n * sizeof(*coins->coins));
}

static void got_status(void *arg, const struct rc_reply *reply,
		       const struct rc_daemon_status *status)
{
	struct fixture *f = arg;

	note(f, reply);
	f->in_flight = false;
	for (size_t i = 0; status && i < status->n_figures; i++)
		if (strstr(status->figures[i].name, "_in_flight") &&
		    strcmp(status->figures[i].value, "0") != 0)
			f->in_flight = true;
}

static void got_verified(void *arg, const struct rc_reply *reply,
			 const struct rc_utxod_verified *verified)
{
	struct fixture *f = arg;

	note(f, reply);
	f->verified = verified && verified->good;
}

static struct rc_bytes delta_of(struct fixture *f, uint32_t b)
{
	return (struct rc_bytes){f->world.block[b].delta.data, f->world.block[b].delta.len};
}

static int do_stage(struct fixture *f, uint32_t b)
{
	rc_utxod_stage(f->client, f->writer, delta_of(f, b), DEADLINE_MS, got_done, f);
	return wait_answer(f);
}

static int do_commit(struct fixture *f, uint32_t b, bool durable)
{
	rc_utxod_commit(f->client, f->writer, &f->world.block[b].id, durable, DEADLINE_MS, got_tip,
			f);
	return wait_answer(f);
}

static int do_open(struct fixture *f)
{
	rc_utxod_open_writer(f->client, f->writer, DEADLINE_MS, got_tip, f);
	return wait_answer(f);
}

static void check_root(struct fixture *f, uint32_t b)
{
	rc_utxod_root(f->reader, &f->world.block[b].id, DEADLINE_MS, got_root, f);
	assert_int_equal(wait_answer(f), RC_OK);
	assert_memory_equal(&f->root, &f->world.block[b].root, 32);
}

/* ---- requests ---- */

static void got_list(void *arg, const struct rc_reply *reply, const struct rc_utxod_coin_list *list)
{
	struct fixture *f = arg;

	note(f, reply);
	f->n_list = list ? (unsigned)list->n : 0;
	f->total = list ? list->total : 0;
}

static void got_proof(void *arg, const struct rc_reply *reply, const struct rc_utxod_proof *proof)
{
	struct fixture *f = arg;

	note(f, reply);
	rc_buf_clear(&f->proof);
	if (proof) {
		f->place = proof->at;
		rc_buf_put(&f->proof, proof->proof.data, proof->proof.len);
	}
}

static void got_entries(void *arg, const struct rc_reply *reply,
			const struct rc_utxod_entries *entries)
{
	struct fixture *f = arg;

	note(f, reply);
	f->treasury = entries && entries->values[0].data ? rc_get_le64(entries->values[0].data) : 0;
}

static void got_deltas(void *arg, const struct rc_reply *reply,
		       const struct rc_utxod_deltas *deltas)
{
	struct fixture *f = arg;

	note(f, reply);
	f->n_deltas = deltas ? deltas->n : 0;
	for (size_t i = 0; i < f->n_deltas; i++) {
		struct rc_delta head;

		assert_true(
			rc_delta_decode_head(deltas->deltas[i].data, deltas->deltas[i].len, &head));
		assert_int_equal(head.height, i + 1);
	}
}

static void got_ancestry(void *arg, const struct rc_reply *reply,
			 const struct rc_utxod_ancestry *ancestry)
{
	struct fixture *f = arg;

	note(f, reply);
	if (ancestry && ancestry->n)
		f->place = ancestry->blocks[ancestry->n - 1];
	f->n_list = ancestry ? (unsigned)ancestry->n : 0;
}

static void ask_reads(struct fixture *f, uint32_t b)
{
	const struct world_block *block = &f->world.block[b];
	struct rc_utxod_prove prove = {.latest = true};
	struct rc_outpoint o[2] = {block->coins[0].outpoint};
	struct rc_bytes key;
	uint8_t treasury[32];
	struct rc_proof proof;
	struct rc_hash hash;

	rc_utxod_get_coins(f->reader, NULL, o, 2, DEADLINE_MS, got_coins, f);
	assert_int_equal(wait_answer(f), RC_OK);
	assert_memory_equal(&f->coins[0], &block->coins[0].coin, sizeof(f->coins[0]));
	assert_false(rc_utxod_coin_found(&f->coins[1]));

	rc_lock_hash(block->coins[0].coin.lock, block->coins[0].coin.lock_len, &hash);
	rc_utxod_list_coins(f->reader, NULL, &hash, NULL, 0, DEADLINE_MS, got_list, f);
	assert_int_equal(wait_answer(f), RC_OK);
	assert_true(f->n_list >= 1 && f->total >= block->coins[0].coin.amount);

	rc_gov_key_treasury(treasury);
	key = (struct rc_bytes){treasury, 32};
	rc_utxod_get_entries(f->reader, NULL, RC_STATE_GOVERNANCE, &key, 1, DEADLINE_MS,
			     got_entries, f);
	assert_int_equal(wait_answer(f), RC_OK);
	assert_int_equal(f->treasury, block->treasury);
	rc_utxod_get_entries(f->reader, NULL, RC_STATE_COINS, &key, 1, DEADLINE_MS, got_entries, f);
	assert_int_equal(wait_answer(f), RC_EINVAL);

	prove.about.ns = RC_STATE_COINS;
	prove.about.bits = 256;
	memcpy(prove.about.prefix, hash.b, 32);
	rc_utxod_prove(f->reader, &prove, DEADLINE_MS, got_proof, f);
	assert_int_equal(wait_answer(f), RC_OK);
	assert_int_equal(f->place.height, block->height - 1);
	assert_int_equal(rc_proof_check(f->proof.data, f->proof.len, &prove.about,
					&f->world.block[block->parent].root, &proof),
			 RC_VERDICT_OK);

	rc_utxod_deltas(f->reader, 1, 100, DEADLINE_MS, got_deltas, f);
	assert_int_equal(wait_answer(f), RC_OK);
	assert_int_equal(f->n_deltas, block->height);
	rc_utxod_ancestry(f->reader, UINT32_MAX, 100, DEADLINE_MS, got_ancestry, f);
	assert_int_equal(wait_answer(f), RC_OK);
	assert_int_equal(f->n_list, block->height + 1);
	assert_memory_equal(&f->place.id, &f->network.genesis_id, 32);
	rc_utxod_verify_state(f->reader, DEADLINE_MS, got_verified, f);
	assert_int_equal(wait_answer(f), RC_OK);
	assert_true(f->verified);
}

static void test_requests(void **state)
{
	struct fixture *f = *state;
	uint32_t tip = 0, fork;

	/* Not opened for writing yet. */
	tip = world_grow(&f->world, tip, 0, 40);
	assert_int_equal(do_stage(f, tip), RC_EDENIED);
	assert_int_equal(do_open(f), RC_OK);
	assert_int_equal(f->tip.applied.height, 0);
	assert_memory_equal(&f->tip.applied.id, &f->network.genesis_id, 32);
	check_root(f, 0);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(do_stage(f, tip), RC_OK);
		check_root(f, tip);
		assert_int_equal(do_commit(f, tip, i % 2), RC_OK);
		assert_int_equal(f->tip.applied.height, f->world.block[tip].height);
		if (i % 2)
			assert_int_equal(f->tip.durable.height, f->world.block[tip].height);
		tip = world_grow(&f->world, tip, 5, 40);
	}
	assert_int_equal(do_stage(f, tip), RC_OK);
	assert_int_equal(do_commit(f, tip, true), RC_OK);
	ask_reads(f, tip);

	/* A root asked for while the block is on its way. */
	tip = world_grow(&f->world, tip, 5, 40);
	rc_utxod_stage(f->client, f->writer, delta_of(f, tip), DEADLINE_MS, got_staged, f);
	check_root(f, tip);
	assert_int_equal(do_commit(f, tip, true), RC_OK);

	/* Rivals. */
	fork = world_ancestor_at(&f->world, tip, f->world.block[tip].height - 3);
	rc_utxod_switch(f->client, f->writer, &f->world.block[fork].id, DEADLINE_MS, got_place, f);
	assert_int_equal(wait_answer(f), RC_OK);
	assert_int_equal(f->place.height, f->world.block[fork].height);
	for (unsigned i = 0; i < 4; i++) {
		fork = world_grow(&f->world, fork, 5, 9);
		assert_int_equal(do_stage(f, fork), RC_OK);
		check_root(f, fork);
	}
	assert_int_equal(do_commit(f, fork, true), RC_OK);
	check_root(f, fork);
	rc_utxod_root(f->reader, &f->world.block[tip].id, DEADLINE_MS, got_root, f);
	assert_int_equal(wait_answer(f), RC_ENOENT);
	tip = world_ancestor_at(&f->world, fork, 2);
	rc_utxod_revert(f->client, f->writer, &f->world.block[tip].id, DEADLINE_MS, got_place, f);
	assert_int_equal(wait_answer(f), RC_OK);
	assert_int_equal(f->place.height, 2);
	check_root(f, tip);
}

/* A new chaind fences off the old one and finds nothing staged. */
static void test_fencing(void **state)
{
	struct fixture *f = *state;
	uint32_t a = world_grow(&f->world, 0, 0, 10), b = world_grow(&f->world, a, 3, 10);
	uint64_t old = f->writer;

	assert_int_equal(do_open(f), RC_OK);
	assert_int_equal(do_stage(f, a), RC_OK);
	assert_int_equal(do_commit(f, a, false), RC_OK);
	assert_int_equal(do_stage(f, b), RC_OK);
	f->writer = old + 2;
	assert_int_equal(do_open(f), RC_OK);
	assert_int_equal(f->tip.durable.height, 1);
	f->writer = old;
	assert_int_equal(do_stage(f, b), RC_EDENIED);
	assert_int_equal(do_commit(f, b, true), RC_EDENIED);
	f->writer = old + 2;
	assert_int_equal(do_commit(f, b, true), RC_ENOENT);
	assert_int_equal(do_stage(f, b), RC_OK);
	assert_int_equal(do_commit(f, b, true), RC_OK);
	check_root(f, b);
}

/* ---- kills ---- */

struct load {
	struct fixture *f;
	uint32_t tip;	     /* committed, or asked to be */
	uint32_t acked;	     /* durable by an answer */
	uint32_t sent[4096]; /* commits sent since the start, in order */
	unsigned n_sent;
	unsigned outstanding;
};

static void load_committed(void *arg, const struct rc_reply *reply, const struct rc_utxod_tip *tip)
{
	struct load *l = arg;

	l->outstanding--;
	if (reply->err == RC_OK && tip->durable.known)
		l->acked = world_find(&l->f->world, &tip->durable.id);
}

static void load_done(void *arg, const struct rc_reply *reply)
{
	struct load *l = arg;

	(void)reply;
	l->outstanding--;
}

static void load_place(void *arg, const struct rc_reply *reply, const struct rc_block_place *place)
{
	struct load *l = arg;

	(void)reply;
	(void)place;
	l->outstanding--;
}

/* Stages and commits a block, or a branch that replaces some blocks. */
static void load_more(struct load *l)
{
	struct fixture *f = l->f;
	uint32_t height = f->world.block[l->tip].height, n = 1;

	if (height > 4 && rc_random_below(&f->random.random, 6) == 0) {
		n = 2 + (uint32_t)rc_random_below(&f->random.random, 3);
		l->tip = world_ancestor_at(&f->world, l->tip, height + 1 - n);
		rc_utxod_switch(f->client, f->writer, &f->world.block[l->tip].id, DEADLINE_MS,
				load_place, l);
		l->outstanding++;
	}
	while (n--) {
		l->tip = world_grow(&f->world, l->tip, 30, 32);
		rc_utxod_stage(f->client, f->writer, delta_of(f, l->tip), DEADLINE_MS, load_done,
			       l);
		l->outstanding++;
	}
	rc_utxod_commit(f->client, f->writer, &f->world.block[l->tip].id,
			rc_random_below(&f->random.random, 4) != 0, DEADLINE_MS, load_committed, l);
	l->outstanding++;
	l->sent[l->n_sent++] = l->tip;
}

/* Keeps a few commits outstanding for some commits, then until the counters show work. */
static bool load_until_kill(struct load *l)
{
	struct fixture *f = l->f;
	uint64_t least = 1 + rc_random_below(&f->random.random, 12);
	bool asked = false;

	while (l->n_sent < 200) {
		while (l->outstanding < 6)
			load_more(l);
		if (l->n_sent < least) {
			rc_loop_turn(f->loop, 1000);
			continue;
		}
		if (!asked)
			rc_daemon_status(f->reader, DEADLINE_MS, got_status, f);
		asked = true;
		rc_loop_turn(f->loop, 1000);
		if (!f->answered)
			continue;
		f->answered = asked = false;
		if (f->in_flight)
			return true;
	}
	return false;
}

static void restart(struct fixture *f)
{
	/* What was asked is forgotten with the connection: this test knows what it sent. */
	rc_client_close(f->client);
	rc_client_close(f->reader);
	f->answered = false;
	f->writer += 2;
	f->pid = spawn(f, "reg", 0);
	f->client = connect_as(f, RC_CHAIND, RC_ROLE_WRITE);
	f->reader = connect_as(f, RC_TOOL, RC_ROLE_READ);
}

static int compare_ms(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void test_kills(void **state)
{
	struct fixture *f = *state;
	const char *wanted = getenv("RC_TEST_KILLS");
	unsigned kills = wanted ? (unsigned)atoi(wanted) : DEFAULT_KILLS, in_flight = 0;
	RC_AUTOFREE int *ms = rc_alloc_array(kills + 1, sizeof(*ms));
	struct load l = {.f = f};

	assert_int_equal(do_open(f), RC_OK);
	for (unsigned i = 0; i < kills; i++) {
		uint32_t found, before = l.tip;
		bool known = false;
		int64_t start;

		l.n_sent = l.outstanding = 0;
		l.acked = before;
		in_flight += load_until_kill(&l);
		kill(f->pid, SIGKILL);
		assert_int_equal(wait_exit(f->pid), 256 + SIGKILL);
		start = now_ms();
		restart(f);
		assert_int_equal(do_open(f), RC_OK);
		ms[i] = (int)(now_ms() - start);
		found = world_find(&f->world, &f->tip.durable.id);
		/* The tip is that of some commit, none acknowledged is lost. */
		known = found == before;
		for (unsigned k = 0; k < l.n_sent; k++)
			known |= l.sent[k] == found;
		assert_true(known);
		if (found != l.acked) {
			bool after = false, seen = l.acked == before;

			for (unsigned k = 0; k < l.n_sent; k++) {
				after |= seen && l.sent[k] == found;
				seen |= l.sent[k] == l.acked;
			}
			assert_true(after);
		}
		check_root(f, found);
		l.tip = found;
	}
	rc_utxod_verify_state(f->reader, DEADLINE_MS, got_verified, f);
	assert_int_equal(wait_answer(f), RC_OK);
	assert_true(f->verified);
	qsort(ms, kills, sizeof(*ms), compare_ms);
	printf("%u kills, %u in flight; answers again after %d ms (median), %d ms (worst)\n", kills,
	       in_flight, ms[kills / 2], ms[kills - 1]);
	assert_true(in_flight * 2 >= kills);
}

/* ---- bad starts ---- */

static void stop(struct fixture *f)
{
	kill(f->pid, SIGTERM);
	assert_int_equal(wait_exit(f->pid), 0);
	f->pid = 0;
}

static void expect_log(struct fixture *f, const char *words)
{
	char text[8192] = "";
	FILE *file = fopen(f->logfile, "r");

	assert_non_null(file);
	while (fgets(text, sizeof(text), file))
		if (strstr(text, words)) {
			fclose(file);
			return;
		}
	fclose(file);
	fail_msg("the log doesn't say \"%s\"", words);
}

static void test_bad_starts(void **state)
{
	struct fixture *f = *state;
	uint32_t a = world_grow(&f->world, 0, 0, 10);
	char path[128];
	int fd;

	assert_int_equal(do_open(f), RC_OK);
	assert_int_equal(do_stage(f, a), RC_OK);
	assert_int_equal(do_commit(f, a, true), RC_OK);
	/* A second start, another network, a damaged database: refused, nothing is changed. */
	assert_int_equal(wait_exit(spawn(f, "reg", 0)), RC_EXIT_TEMPFAIL);
	stop(f);
	assert_int_equal(wait_exit(spawn(f, "test", 0)), RC_EXIT_CONFIG);
	snprintf(path, sizeof(path), "%s/state/CURRENT", f->statedir);
	assert_int_equal(rename(path, f->logfile), 0);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "rubbish\n", 8), 8);
	close(fd);
	assert_int_not_equal(wait_exit(spawn(f, "reg", 0)), 0);
	expect_log(f, "utxod");
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	close(fd);
}

/* Writes fail from some size on, as on a full disk: 74, and what was acknowledged is there after.
 */
static void test_full_disk(void **state)
{
	struct fixture *f = *state;
	struct load l = {.f = f};
	int64_t until;
	int status = 0;

	assert_int_equal(do_open(f), RC_OK);
	stop(f);
	rc_client_close(f->client);
	rc_client_close(f->reader);
	f->writer += 2;
	f->pid = spawn(f, "reg", 100000);
	f->client = connect_as(f, RC_CHAIND, RC_ROLE_WRITE);
	f->reader = connect_as(f, RC_TOOL, RC_ROLE_READ);
	assert_int_equal(do_open(f), RC_OK);
	until = now_ms() + 60000;
	while (waitpid(f->pid, &status, WNOHANG) == 0 && now_ms() < until) {
		while (l.outstanding < 6 && l.n_sent < 4000)
			load_more(&l);
		rc_loop_turn(f->loop, 1000);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), RC_EXIT_IO);
	expect_log(f, "ends at once (74)");
	restart(f);
	assert_int_equal(do_open(f), RC_OK);
	assert_true(f->tip.durable.height > 0);
	check_root(f, world_find(&f->world, &f->tip.durable.id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fencing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_starts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kills, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
