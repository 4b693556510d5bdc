/* base: numbers, buffers, reader, hex, files, locks, arena, workers. */
#include "tests/unit/rc_test.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/decimal.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/num.h"
#include "base/reader.h"
#include "base/workers.h"

static void test_compact_size(void **state)
{
	json_t *root = rc_test_vectors("rustycoin/check-values.json");
	json_t *cs = json_object_get(root, "cs"), *row;
	size_t i, good = 0, bad = 0;

	(void)state;
	json_array_foreach(json_object_get(cs, "good"), i, row)
	{
		RC_AUTOFREE uint8_t *want = NULL;
		size_t n = rc_test_hex(json_string_value(json_array_get(row, 1)), &want);
		uint64_t v = rc_test_u64(json_array_get(row, 0));
		struct rc_buf buf = RC_BUF_INIT;
		struct rc_reader r = rc_reader_of(want, n);

		rc_buf_put_cs(&buf, v);
		assert_int_equal(buf.len, n);
		assert_memory_equal(buf.data, want, n);
		assert_true(rc_read_cs(&r) == v);
		assert_true(rc_reader_end(&r));
		rc_buf_done(&buf);
		good++;
	}
	json_array_foreach(json_object_get(cs, "bad"), i, row)
	{
		RC_AUTOFREE uint8_t *data = NULL;
		size_t n = rc_test_hex(json_string_value(row), &data);
		struct rc_reader r = rc_reader_of(data, n);

		rc_read_cs(&r);
		assert_false(rc_reader_end(&r));
		bad++;
	}
	assert_int_equal(good, 11);
	assert_int_equal(bad, 10);
	json_decref(root);
}

static void test_reader_never_passes_end(void **state)
{
	static const uint8_t three[3] = {1, 2, 3};
	struct rc_reader r = rc_reader_of(three, 3);

	(void)state;
	assert_int_equal(rc_read_le32(&r), 0);
	assert_true(r.failed);
	assert_int_equal(rc_read_u8(&r), 0); /* stays failed though a byte is left */
	r = rc_reader_of("\xfe\xff\xff\xff\xff", 5);
	assert_int_equal(rc_read_count(&r, 40), 0);
	assert_true(r.failed);
}

/* Every length about the step, against one digit after another. */
static void test_hex_lengths(void **state)
{
	uint8_t data[70], back[70];
	char want[2 * sizeof(data) + 1], turned[2 * sizeof(data) + 1], got[2 * sizeof(data) + 2];

	(void)state;
	for (size_t len = 0; len <= sizeof(data); len++) {
		want[0] = turned[0] = '\0';
		for (size_t i = 0; i < len; i++) {
			data[i] = (uint8_t)(37 * i + 11 * len);
			sprintf(want + 2 * i, "%02x", data[i]);
		}
		for (size_t i = 0; i < len; i++)
			sprintf(turned + 2 * i, "%02x", data[len - 1 - i]);
		got[2 * len + 1] = 'x';
		assert_string_equal(rc_hex_encode(got, data, len), want);
		assert_string_equal(rc_hex_encode_reversed(got, data, len), turned);
		assert_int_equal(got[2 * len + 1], 'x');
		assert_true(rc_hex_decode(want, back, len));
		assert_memory_equal(back, data, len);
		for (size_t i = 0; i < 2 * len; i++)
			want[i] = (char)toupper(want[i]);
		assert_true(rc_hex_decode(want, back, len));
		assert_memory_equal(back, data, len);
	}
}

/* Every character in every place of a step and behind it. */
static void test_hex_digits(void **state)
{
	char text[40];

	(void)state;
	for (size_t at = 0; at < sizeof(text); at++)
		for (int c = 0; c < 256; c++) {
			memset(text, '7', sizeof(text));
			text[at] = (char)c;
			assert_int_equal(rc_hex_is(text, sizeof(text)), isxdigit(c) != 0);
		}
	assert_true(rc_hex_is(text, 0));
}

static void test_decimal(void **state)
{
	char want[32], got[32];

	(void)state;
	for (uint64_t v = 1; v; v = v > UINT64_MAX / 3 ? 0 : v * 3 + 1)
		for (int d = -1; d <= 1; d++) {
			uint64_t value = v + (uint64_t)d;

			snprintf(want, sizeof(want), "%llu", (unsigned long long)value);
			*rc_decimal(got, value) = '\0';
			assert_string_equal(got, want);
		}
	*rc_decimal(got, UINT64_MAX) = '\0';
	assert_string_equal(got, "18446744073709551615");
	*rc_decimal_fixed(got, 42, 8) = '\0';
	assert_string_equal(got, "00000042");
	*rc_decimal_fixed(got, 1234, 3) = '\0';
	assert_string_equal(got, "234");
	*rc_decimal_fixed(got, 7, 1) = '\0';
	assert_string_equal(got, "7");
}

static void test_hex(void **state)
{
	uint8_t out[3] = {9, 9, 9};
	char text[7];

	(void)state;
	assert_true(rc_hex_decode("00Ff7a", out, 3));
	assert_memory_equal(out, "\x00\xff\x7a", 3);
	assert_false(rc_hex_decode("00ff7", out, 3));
	assert_false(rc_hex_decode("00ff7g", out, 3));
	assert_memory_equal(out, "\x00\xff\x7a", 3);
	assert_string_equal(rc_hex_encode_reversed(text, out, 3), "7aff00");
}

static void test_sums(void **state)
{
	uint64_t v = 5;

	(void)state;
	assert_false(rc_add_u64(UINT64_MAX, 1, &v));
	assert_true(v == 5);
	assert_true(rc_add_u64(UINT64_MAX, 0, &v));
	assert_true(v == UINT64_MAX);
}

/* What can't be removed for good, here since no descriptor is left, stays. */
static void check_remove_needs_descriptor(const char *path)
{
	struct rlimit was, none;
	struct rc_error error;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_not_equal(rc_file_remove(path, &error), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(access(path, F_OK), 0);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/rc-test-base-XXXXXX";
	struct rc_buf buf = RC_BUF_INIT;
	struct rc_error error;
	char path[64], sub[64];
	struct stat st;
	int fd, status;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	assert_int_equal(rc_file_replace(path, "one", 3, 0600, &error), 0);
	assert_int_equal(rc_file_replace(path, "twotwo", 6, 0640, &error), 0);
	assert_int_equal(rc_file_read(path, 6, &buf, &error), 0);
	assert_int_equal(buf.len, 6);
	assert_int_equal(rc_file_read(path, 5, &buf, &error), RC_ETOOBIG);
	assert_int_equal(buf.len, 6);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(rc_file_read(dir, 5, &buf, &error), RC_EINVAL);
	snprintf(sub, sizeof(sub), "%s/no/file", dir);
	assert_int_equal(rc_file_replace(sub, "x", 1, 0600, &error), RC_ENOENT);
	assert_non_null(strstr(error.text, sub)); /* says which */
	snprintf(sub, sizeof(sub), "%s/a/b/c", dir);
	assert_int_equal(rc_dir_make(sub, 0700, &error), 0);
	assert_int_equal(rc_dir_make(sub, 0700, &error), 0);
	snprintf(sub, sizeof(sub), "%s/gone", dir);
	assert_int_equal(rc_file_replace(sub, "x", 1, 0600, &error), 0);
	check_remove_needs_descriptor(sub);
	assert_int_equal(rc_file_remove(sub, &error), 0);
	assert_int_equal(access(sub, F_OK), -1);
	assert_int_equal(rc_file_remove(sub, &error), 0); /* there is none */
	rc_buf_done(&buf);

	assert_int_equal(rc_dir_lock(dir, &fd, &error), 0);
	pid = fork();
	if (pid == 0) {
		int fd2;

		_exit(rc_dir_lock(dir, &fd2, &error) == RC_ELOCKED ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
	assert_int_equal(rc_dir_lock(dir, &fd, &error), 0);
	close(fd);
	snprintf(sub, sizeof(sub), "rm -rf %s", dir);
	assert_int_equal(system(sub), 0);
}

static void test_arena_budget(void **state)
{
	struct rc_arena arena = {.budget = 100000};

	(void)state;
	for (int i = 0; i < 100; i++) {
		uint8_t *p = rc_arena_try_alloc(&arena, 900);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		memset(p, 0xaa, 900);
	}
	assert_null(rc_arena_try_alloc(&arena, 50000));
	assert_null(rc_arena_try_alloc(&arena, SIZE_MAX));
	rc_arena_reset(&arena);
	assert_non_null(rc_arena_try_alloc(&arena, 90000));
	rc_arena_done(&arena);
}

struct count_work {
	struct rc_work work;
	atomic_int *ran;
	int *done;
	struct rc_workers *again; /* submit once more from done */
};

static void count_run(struct rc_work *work)
{
	atomic_fetch_add(((struct count_work *)work)->ran, 1);
}

static void count_done(struct rc_work *work)
{
	struct count_work *c = (struct count_work *)work;

	(*c->done)++;
	if (c->again) {
		struct rc_workers *w = c->again;

		c->again = NULL;
		rc_workers_submit(w, work);
	}
}

static void test_workers(void **state)
{
	struct rc_workers *workers = rc_workers_new(3, "test");
	struct count_work *work = rc_alloc_array(5000, sizeof(*work));
	atomic_int ran = 0;
	int done = 0;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		work[i] = (struct count_work){
			{count_run, count_done, NULL}, &ran, &done, i % 2 ? workers : NULL};
		rc_workers_submit(workers, &work[i].work);
		if (i % 100 == 0)
			rc_workers_poll(workers);
	}
	rc_workers_free(workers);
	assert_int_equal(atomic_load(&ran), 7500);
	assert_int_equal(done, 7500);
	free(work);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compact_size), cmocka_unit_test(test_reader_never_passes_end),
		cmocka_unit_test(test_hex_lengths),  cmocka_unit_test(test_hex_digits),
		cmocka_unit_test(test_decimal),	     cmocka_unit_test(test_hex),
		cmocka_unit_test(test_sums),	     cmocka_unit_test(test_files),
		cmocka_unit_test(test_arena_budget), cmocka_unit_test(test_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
