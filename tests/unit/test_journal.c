/* The pool's journal: what is written is read again; torn ends and damage cost only themselves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/num.h"
#include "daemons/chaind/journal.h"
#include "rc_test.h"

static const struct rc_hash network = {{7}};

struct got {
	size_t n;
	uint64_t times[600];
	size_t lens[600];
	bool local[600];
};

static void on_record(void *arg, const struct journal_record *record)
{
	struct got *got = arg;

	assert_true(got->n < RC_ARRAY_LEN(got->times));
	for (size_t i = 0; i < record->tx_len; i++)
		assert_int_equal(record->tx[i], (uint8_t)(record->time + i));
	got->times[got->n] = record->time;
	got->lens[got->n] = record->tx_len;
	got->local[got->n++] = record->local;
}

static void put(struct rc_buf *buf, uint64_t time, size_t len)
{
	uint8_t *tx = rc_alloc(len);
	struct journal_record record = {time, time % 2, tx, len};

	for (size_t i = 0; i < len; i++)
		tx[i] = (uint8_t)(time + i);
	journal_record_put(buf, &record);
	free(tx);
}

static void test_parse(void **state)
{
	struct journal_parsed parsed;
	struct rc_buf buf = RC_BUF_INIT;
	struct got got = {0};
	struct rc_hash other = {{8}};
	struct rc_error error;

	(void)state;
	journal_head_put(&buf, &network);
	assert_int_equal(buf.len, JOURNAL_HEAD_SIZE);
	put(&buf, 10, 100);
	put(&buf, 11, 0);
	put(&buf, 12, 5000);
	assert_int_equal(
		journal_parse(buf.data, buf.len, &network, on_record, &got, &parsed, &error),
		RC_OK);
	assert_int_equal(got.n, 3);
	assert_int_equal(parsed.records, 3);
	assert_int_equal(parsed.good_len, buf.len);
	assert_false(parsed.torn);
	assert_false(got.local[0]);
	assert_true(got.local[1]);
	assert_int_equal(journal_parse(buf.data, buf.len, &other, on_record, &got, &parsed, &error),
			 RC_ENETWORK);
	buf.data[4]++;
	assert_int_equal(
		journal_parse(buf.data, buf.len, &network, on_record, &got, &parsed, &error),
		RC_EVERSION);
	buf.data[0]++;
	assert_int_equal(
		journal_parse(buf.data, buf.len, &network, on_record, &got, &parsed, &error),
		RC_EFORMAT);
	assert_int_equal(got.n, 3);
	rc_buf_done(&buf);
}

/* Cut anywhere: all whole records are there, and nothing else. */
static void test_torn(void **state)
{
	struct rc_buf buf = RC_BUF_INIT;
	size_t ends[5];

	(void)state;
	journal_head_put(&buf, &network);
	for (size_t i = 0; i < RC_ARRAY_LEN(ends); i++) {
		put(&buf, 20 + i, 40 + 13 * i);
		ends[i] = buf.len;
	}
	for (size_t cut = JOURNAL_HEAD_SIZE; cut <= buf.len; cut++) {
		struct journal_parsed parsed;
		struct got got = {0};
		size_t whole = 0;

		while (whole < RC_ARRAY_LEN(ends) && ends[whole] <= cut)
			whole++;
		assert_int_equal(
			journal_parse(buf.data, cut, &network, on_record, &got, &parsed, NULL),
			RC_OK);
		assert_int_equal(got.n, whole);
		assert_int_equal(parsed.good_len, whole ? ends[whole - 1] : JOURNAL_HEAD_SIZE);
		assert_int_equal(parsed.torn, cut > parsed.good_len);
	}
	rc_buf_done(&buf);
}

/* Any byte flipped costs one record at most, never a wrong one. */
static void test_flipped(void **state)
{
	struct rc_buf buf = RC_BUF_INIT;

	(void)state;
	journal_head_put(&buf, &network);
	for (uint64_t i = 0; i < 5; i++)
		put(&buf, 30 + i, 60);
	for (size_t at = JOURNAL_HEAD_SIZE; at < buf.len; at++) {
		struct journal_parsed parsed;
		struct got got = {0};

		for (int bit = 0; bit < 8; bit++) {
			buf.data[at] ^= (uint8_t)(1 << bit);
			got.n = 0;
			assert_int_equal(journal_parse(buf.data, buf.len, &network, on_record, &got,
						       &parsed, NULL),
					 RC_OK);
			assert_int_equal(got.n, 4);
			assert_int_equal(parsed.damaged + parsed.torn, 1);
			buf.data[at] ^= (uint8_t)(1 << bit);
		}
	}
	rc_buf_done(&buf);
}

struct rig {
	char dir[64];
	struct rc_workers *workers;
	struct journal *journal;
	unsigned synced;
};

static void rig_open(struct rig *rig, struct got *got)
{
	struct rc_error error;

	rig->workers = rc_workers_new(1, "journal");
	if (journal_open(rig->dir, &network, rig->workers, on_record, got, &rig->journal, &error) <
	    0)
		fail_msg("%s", error.text);
}

static void rig_close(struct rig *rig)
{
	rc_workers_free(rig->workers);
	journal_close(rig->journal);
}

static void on_synced(void *arg)
{
	struct rig *rig = arg;

	rig->synced++;
}

static void append(struct rig *rig, uint64_t time, bool sync)
{
	uint8_t tx[50];
	struct journal_record record = {time, sync, tx, sizeof(tx)};

	for (size_t i = 0; i < sizeof(tx); i++)
		tx[i] = (uint8_t)(time + i);
	journal_append(rig->journal, &record, sync, sync ? on_synced : NULL, rig);
}

/* A new file of n parts with a record each, given up at one of them. */
struct parts {
	unsigned n, give_up, given;
};

static enum journal_fill fill(void *arg, struct rc_buf *records)
{
	struct parts *parts = arg;

	put(records, parts->given, 50);
	if (++parts->given == parts->give_up)
		return JOURNAL_GIVE_UP;
	return parts->given < parts->n ? JOURNAL_MORE : JOURNAL_LAST;
}

static void test_file(void **state)
{
	struct rig rig = {.dir = "/tmp/rc-journal-XXXXXX"};
	RC_AUTOFREE char *path = NULL;
	RC_AUTOFREE char *temp = NULL;
	struct parts parts;
	struct got got = {0};
	struct stat st;
	size_t before;

	(void)state;
	assert_non_null(mkdtemp(rig.dir));
	path = rc_asprintf("%s/mempool.journal", rig.dir);
	rig_open(&rig, &got);
	for (uint64_t i = 0; i < 500; i++)
		append(&rig, i, i % 3 == 0);
	rig_close(&rig);
	assert_int_equal(rig.synced, 167);

	/* A torn end is cut off, and what follows stands right behind the last record. */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 3), 0);
	rig_open(&rig, &got);
	assert_int_equal(got.n, 499);
	append(&rig, 900, true);
	rig_close(&rig);
	got.n = 0;
	rig_open(&rig, &got);
	assert_int_equal(got.n, 500);
	assert_int_equal(got.times[499], 900);

	/* Written anew, while more is appended. */
	append(&rig, 901, false);
	assert_false(journal_compacting(rig.journal));
	parts = (struct parts){.n = 40}; /* it is synced on the way */
	journal_compact(rig.journal, fill, &parts);
	assert_true(journal_compacting(rig.journal));
	append(&rig, 902, true);
	rig_close(&rig);
	assert_int_equal(parts.given, 40);
	got.n = 0;
	rig_open(&rig, &got);
	assert_true(got.n >= 41);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(got.times[i], i);
	/* What a person waits for is there, before or after the change of files. */
	assert_int_equal(got.times[got.n - 1], 902);

	/* Given up: the old file stays, and no other is left behind. */
	before = got.n;
	parts = (struct parts){.n = 3, .give_up = 2};
	journal_compact(rig.journal, fill, &parts);
	append(&rig, 903, true);
	rig_close(&rig);
	assert_int_equal(parts.given, 2);
	got.n = 0;
	rig_open(&rig, &got);
	assert_int_equal(got.n, before + 1);
	assert_int_equal(got.times[got.n - 1], 903);
	temp = rc_asprintf("%s.tmp", path);
	assert_int_equal(access(temp, F_OK), -1);
	assert_false(journal_compacting(rig.journal));
	rig_close(&rig);

	/* What a kill left of a new file goes. */
	assert_int_equal(rc_file_replace(temp, "torn", 4, 0640, NULL), RC_OK);
	rig_open(&rig, &got);
	assert_int_equal(access(temp, F_OK), -1);
	rig_close(&rig);
	unlink(path);
	rmdir(rig.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_flipped),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
