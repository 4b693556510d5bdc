/* The store: what is written is found, a refused database says why, a failed write is final. */
#include "rc_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/num.h"
#include "store/store.h"

#define N_KEYS 2000

struct fixture {
	char dir[64];
	char path[80];
	struct rc_store_config config;
};

static int setup(void **state)
{
	struct fixture *f = rc_alloc(sizeof(*f));

	strcpy(f->dir, "/tmp/rc-test-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/db", f->dir);
	f->config = (struct rc_store_config){
		.kind = RC_STORE_LOG, .path = f->path, .owner = "test/store", .format = 3};
	f->config.memory_bytes = (size_t)1 << 20;
	memset(f->config.network, 7, 32);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char *const argv[] = {"rm", "-rf", f->dir, NULL};
	pid_t pid = fork();

	if (pid == 0) {
		execvp("rm", argv);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
	free(f);
	return 0;
}

static void key_of(unsigned i, uint8_t key[5])
{
	key[0] = 'k';
	rc_put_be32(key + 1, i);
}

/* Small values, and every tenth one big enough for a blob file. */
static size_t value_of(unsigned i, uint8_t value[5000])
{
	size_t len = i % 10 ? 20 : 5000;

	memset(value, (int)(i & 0xff), len);
	rc_put_le32(value, i);
	return len;
}

static void fill(struct rc_store *store, struct rc_error *error)
{
	struct rc_store_batch *batch = rc_store_batch_new();
	uint8_t key[5], value[5000];

	for (unsigned i = 0; i < N_KEYS; i++) {
		key_of(i, key);
		rc_store_batch_put(batch, key, 5, value, value_of(i, value));
	}
	assert_int_equal(rc_store_batch_count(batch), N_KEYS);
	assert_int_equal(rc_store_write(store, batch, true, error), RC_OK);
	assert_int_equal(rc_store_batch_count(batch), 0);
	assert_int_equal(rc_store_batch_bytes(batch), 0);
	rc_store_batch_free(batch);
}

static void check_all(struct rc_store *store, struct rc_error *error)
{
	RC_AUTOFREE uint8_t *keys = rc_alloc_array(N_KEYS + 1, 5);
	RC_AUTOFREE struct rc_bytes *list = rc_alloc_array(N_KEYS + 1, sizeof(*list));
	const struct rc_bytes *values;
	struct rc_store_multi *multi;
	uint8_t value[5000];

	for (unsigned i = 0; i <= N_KEYS; i++) {
		key_of(i, keys + 5 * (size_t)i);
		list[i] = (struct rc_bytes){keys + 5 * (size_t)i, 5};
	}
	assert_int_equal(rc_store_multi_get(store, list, N_KEYS + 1, true, &multi, &values, error),
			 RC_OK);
	for (unsigned i = 0; i < N_KEYS; i++) {
		assert_int_equal(values[i].len, value_of(i, value));
		assert_memory_equal(values[i].data, value, values[i].len);
	}
	assert_null(values[N_KEYS].data);
	rc_store_multi_free(multi);
	assert_int_equal(rc_store_multi_get(store, list, 0, false, &multi, &values, error), RC_OK);
	rc_store_multi_free(multi);
}

static void walk(struct rc_store *store, struct rc_error *error)
{
	uint8_t from[5], to[5];
	struct rc_bytes key, value;
	struct rc_store_iter *iter;
	unsigned n = 0;

	key_of(100, from);
	key_of(200, to);
	iter = rc_store_iter_new(store, (struct rc_bytes){from, 5}, (struct rc_bytes){to, 5});
	for (; rc_store_iter_next(iter, &key, &value); n++) {
		assert_int_equal(rc_get_be32(key.data + 1), 100 + n);
		assert_int_equal(rc_get_le32(value.data), 100 + n);
	}
	assert_false(rc_store_iter_next(iter, &key, &value));
	assert_int_equal(rc_store_iter_end(iter, error), RC_OK);
	assert_int_equal(n, 100);
	iter = rc_store_iter_new_reverse(store, (struct rc_bytes){from, 5},
					 (struct rc_bytes){to, 5});
	assert_true(rc_store_iter_next(iter, &key, &value));
	assert_int_equal(rc_get_be32(key.data + 1), 199);
	assert_true(rc_store_iter_next(iter, &key, &value));
	assert_int_equal(rc_get_be32(key.data + 1), 198);
	assert_int_equal(rc_store_iter_end(iter, error), RC_OK);
}

static void test_every_kind(void **state)
{
	static const enum rc_store_kind kinds[] = {RC_STORE_LOG, RC_STORE_STATE, RC_STORE_BLOCKS};
	struct fixture *f = *state;
	struct rc_error error;

	for (size_t k = 0; k < RC_ARRAY_LEN(kinds); k++) {
		struct rc_store_figures figures;
		struct rc_store *store;
		struct rc_buf buf = RC_BUF_INIT;
		uint8_t key[5];

		snprintf(f->path, sizeof(f->path), "%s/db%zu", f->dir, k);
		f->config.kind = kinds[k];
		assert_int_equal(rc_store_open(&f->config, &store, &error), RC_OK);
		fill(store, &error);
		check_all(store, &error);
		assert_int_equal(rc_store_flush(store, &error), RC_OK);
		if (kinds[k] != RC_STORE_STATE)
			assert_int_equal(rc_store_sync(store, &error), RC_OK);
		rc_store_close(store);

		assert_int_equal(rc_store_open(&f->config, &store, &error), RC_OK);
		check_all(store, &error);
		walk(store, &error);
		key_of(10, key);
		assert_int_equal(rc_store_get(store, key, 5, &buf, &error), RC_OK);
		assert_int_equal(buf.len, 5000);
		rc_buf_done(&buf);
		key_of(N_KEYS, key);
		assert_int_equal(rc_store_get(store, key, 5, &buf, &error), RC_ENOENT);
		assert_false(rc_store_has(store, key, 5));
		rc_store_figures(store, &figures);
		assert_true(figures.disk_bytes > 0);
		rc_store_close(store);
	}
}

static void test_deletes(void **state)
{
	struct fixture *f = *state;
	struct rc_store_batch *batch = rc_store_batch_new();
	struct rc_error error;
	struct rc_store *store;
	uint8_t a[5], b[5], key[5];

	assert_int_equal(rc_store_open(&f->config, &store, &error), RC_OK);
	fill(store, &error);
	key_of(3, key);
	rc_store_batch_delete(batch, key, 5);
	key_of(10, a);
	key_of(20, b);
	rc_store_batch_delete_range(batch, (struct rc_bytes){a, 5}, (struct rc_bytes){b, 5});
	assert_int_equal(rc_store_write(store, batch, false, &error), RC_OK);
	for (unsigned i = 0; i < 30; i++) {
		key_of(i, key);
		assert_int_equal(rc_store_has(store, key, 5), !(i == 3 || (i >= 10 && i < 20)));
	}
	rc_store_batch_free(batch);
	rc_store_close(store);
}

/* A database is refused, with the reason, and not changed by that. */
static void test_refused(void **state)
{
	struct fixture *f = *state;
	struct rc_store_config other = f->config;
	struct rc_error error;
	struct rc_store *store, *second;

	assert_int_equal(rc_store_open(&f->config, &store, &error), RC_OK);
	assert_int_equal(rc_store_open(&f->config, &second, &error), RC_ELOCKED);
	assert_non_null(strstr(error.text, f->path));
	fill(store, &error);
	rc_store_close(store);

	other.network[0] ^= 1;
	assert_int_equal(rc_store_open(&other, &store, &error), RC_ENETWORK);
	assert_non_null(strstr(error.text, "another network"));
	other = f->config;
	other.format = 2;
	assert_int_equal(rc_store_open(&other, &store, &error), RC_EVERSION);
	assert_non_null(strstr(error.text, "newer"));
	other.format = 4;
	assert_int_equal(rc_store_open(&other, &store, &error), RC_EVERSION);
	assert_non_null(strstr(error.text, "old format 3"));
	other = f->config;
	other.owner = "test/other";
	assert_int_equal(rc_store_open(&other, &store, &error), RC_EFORMAT);
	assert_non_null(strstr(error.text, "belongs to test/store"));
	other = f->config;
	other.path = "/proc/no/such";
	assert_int_equal(rc_store_open(&other, &store, &error), RC_ENOENT);

	assert_int_equal(rc_store_open(&f->config, &store, &error), RC_OK);
	check_all(store, &error);
	rc_store_close(store);
}

static void test_damaged(void **state)
{
	struct fixture *f = *state;
	char current[128];
	struct rc_error error;
	struct rc_store *store;
	int fd;

	assert_int_equal(rc_store_open(&f->config, &store, &error), RC_OK);
	fill(store, &error);
	rc_store_close(store);
	snprintf(current, sizeof(current), "%s/CURRENT", f->path);
	fd = open(current, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "rubbish\n", 8), 8);
	close(fd);
	assert_int_equal(rc_store_open(&f->config, &store, &error), RC_EFORMAT);
	assert_non_null(strstr(error.text, f->path));
}

/* Synced writes survive kill -9; so does an unsynced one, which the kernel has. An open leaves none
 * of that in a WAL, which it can't sync: it is in tables. */
static void test_killed(void **state)
{
	struct fixture *f = *state;
	struct rc_store_figures figures;
	struct rc_error error;
	struct rc_store *store;
	int status;
	pid_t pid;

	f->config.memory_bytes = (size_t)32 << 20; /* a write buffer that has room for all */
	pid = fork();
	if (pid == 0) {
		if (rc_store_open(&f->config, &store, &error) != RC_OK)
			_exit(1);
		fill(store, &error);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(rc_store_open(&f->config, &store, &error), RC_OK);
	rc_store_figures(store, &figures);
	assert_true(figures.disk_bytes > 0);
	check_all(store, &error);
	rc_store_close(store);
}

/* ---- big values ---- */

#define BATCH_VALUES 100 /* of 5,000 bytes: more than a write buffer */
#define BATCHES_MOST 300 /* merges come long before: RocksDB makes writers wait for them */
#define BATCHES_KEPT 4

/* Files of the database with this ending; ret_first, if there are any: the first made. */
static unsigned count_files(const struct fixture *f, const char *ending, unsigned *ret_first)
{
	DIR *dir = opendir(f->path);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(dir);
	while ((e = readdir(dir))) {
		unsigned number = (unsigned)strtoul(e->d_name, NULL, 10);

		if (strlen(e->d_name) != 6 + strlen(ending) || strcmp(e->d_name + 6, ending) != 0)
			continue;
		if (ret_first && (!n || number < *ret_first))
			*ret_first = number;
		n++;
	}
	closedir(dir);
	return n;
}

/* The values of a batch, or that they are let go of, and small records beside them, as its owners
 * have: one at each end, so that every table spans all keys. */
static void write_big(struct rc_store *store, unsigned batch_no, bool gone)
{
	struct rc_store_batch *batch = rc_store_batch_new();
	uint8_t key[5], value[5000];
	struct rc_error error;

	for (unsigned i = 0; i < BATCH_VALUES; i++) {
		unsigned number = 10 * (batch_no * BATCH_VALUES + i);

		key_of(number, key);
		if (gone)
			rc_store_batch_delete(batch, key, 5);
		else
			rc_store_batch_put(batch, key, 5, value, value_of(number, value));
	}
	rc_store_batch_put(batch, "a", 1, key, 5);
	rc_store_batch_put(batch, "z", 1, key, 5);
	if (rc_store_write(store, batch, false, &error) != RC_OK)
		fail_msg("%s", error.text);
	rc_store_batch_free(batch);
}

static void expect_big(struct rc_store *store, unsigned batch_no)
{
	uint8_t key[5], value[5000];
	struct rc_buf buf = RC_BUF_INIT;

	for (unsigned i = 0; i < BATCH_VALUES; i++) {
		unsigned number = 10 * (batch_no * BATCH_VALUES + i);

		key_of(number, key);
		rc_buf_clear(&buf);
		assert_int_equal(rc_store_get(store, key, 5, &buf, NULL), RC_OK);
		assert_int_equal(buf.len, value_of(number, value));
		assert_memory_equal(buf.data, value, buf.len);
	}
	rc_buf_done(&buf);
}

/* Merges of tables leave big values where they are; when the oldest are let go of, so is their
 * space. */
static void test_big_values_stay(void **state)
{
	static const enum rc_store_kind kinds[] = {RC_STORE_LOG, RC_STORE_BLOCKS};
	struct fixture *f = *state;

	for (unsigned k = 0; k < 2; k++) {
		unsigned n = 0, tables = 0, merges = 0, first = 0, now = 0, old = 0;
		struct rc_store *store;
		struct rc_error error;

		f->config.kind = kinds[k];
		f->path[strlen(f->path) - 1] = (char)('0' + k);
		assert_int_equal(rc_store_open(&f->config, &store, &error), RC_OK);
		for (; merges < 3 && n < BATCHES_MOST; n++) {
			unsigned was = tables;

			write_big(store, n, false);
			tables = count_files(f, ".sst", NULL);
			merges += tables < was;
			if (!first)
				count_files(f, ".blob", &first);
		}
		assert_int_equal(merges, 3);
		assert_true(first && count_files(f, ".blob", &now) > 0);
		assert_int_equal(now, first);
		for (unsigned b = 0; b < n; b++)
			expect_big(store, b);
		for (; now == first && n < BATCHES_MOST; n++) {
			write_big(store, n, false);
			while (old + BATCHES_KEPT <= n)
				write_big(store, old++, true);
			count_files(f, ".blob", &now);
		}
		assert_true(now > first);
		for (unsigned b = old; b < n; b++)
			expect_big(store, b);
		rc_store_close(store);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: it forks, and RocksDB's threads stay once a database was open. */
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_kind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deletes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_big_values_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
