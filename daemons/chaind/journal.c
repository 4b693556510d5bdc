/* The pool's journal. See journal.h. */
#include "daemons/chaind/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/reader.h"
#include "base/test_point.h"
#include "service/service.h"

static const uint8_t FILE_MAGIC[4] = {'R', 'C', 'M', 'J'};
static const uint8_t RECORD_MAGIC[4] = {'R', 'C', 'T', 'X'};
#define JOURNAL_VERSION	    1
#define JOURNAL_BODY_HEAD   9
#define JOURNAL_FLAG_LOCAL  1
#define JOURNAL_CHECK_BYTES 8
/* A file is never read whole beyond this: the pool's 300 MB, twice, and as much again. */
#define JOURNAL_FILE_MAX (UINT64_C(1) << 30)

/* Parts of a new file between two syncs of it: the last one has little left to sync, and keeps the
 * thread from a person's record no longer than any other. */
#define JOURNAL_PARTS_SYNC 16

/* Who waits for a write. */
struct journal_waiter {
	struct journal_waiter *next;
	void (*fn)(void *arg);
	void *arg;
};

/* What one run of the worker does. */
struct journal_batch {
	struct rc_buf bytes;
	struct journal_waiter *waiters;
	bool sync;
	bool compact;		/* bytes are the new file's … */
	enum journal_fill fill; /* … and what follows them */
};

struct journal {
	struct rc_work work;
	struct rc_workers *workers;
	char *dir;
	char *path;
	struct rc_hash network_id;
	int fd;
	bool busy;
	uint64_t size;
	struct journal_batch running; /* the worker's while busy */
	struct journal_batch next;
	/* The new file while there is one being written. */
	journal_fill_fn fill;
	void *fill_arg;
	int new_fd;
	uint64_t new_size;
	unsigned unsynced;	    /* its parts since it was synced; the worker's while busy */
	struct rc_buf late;	    /* persons' records appended meanwhile */
	struct rc_source *gathered; /* a timer; NULL: nothing is gathered */
	bool gathering;		    /* it is armed */
};

/* ---- format ---- */

void journal_head_put(struct rc_buf *buf, const struct rc_hash *network_id)
{
	rc_buf_put(buf, FILE_MAGIC, sizeof(FILE_MAGIC));
	rc_buf_put_u8(buf, JOURNAL_VERSION);
	rc_buf_put(buf, network_id->b, sizeof(network_id->b));
}

void journal_record_put(struct rc_buf *buf, const struct journal_record *record)
{
	size_t start = buf->len;
	size_t body_len = JOURNAL_BODY_HEAD + record->tx_len;
	uint8_t hash[32];

	assert(record->tx_len <= JOURNAL_TX_MAX);
	rc_buf_put(buf, RECORD_MAGIC, sizeof(RECORD_MAGIC));
	rc_buf_put_le32(buf, (uint32_t)body_len);
	rc_buf_add(buf, JOURNAL_CHECK_BYTES);
	rc_buf_put_le64(buf, record->time);
	rc_buf_put_u8(buf, record->local ? JOURNAL_FLAG_LOCAL : 0);
	rc_buf_put(buf, record->tx, record->tx_len);
	rc_sha256(buf->data + start + JOURNAL_RECORD_HEAD, body_len, hash);
	memcpy(buf->data + start + 8, hash, JOURNAL_CHECK_BYTES);
}

/* Reads a record at p; false if there is none. */
static bool record_at(const uint8_t *p, size_t len, struct journal_record *ret, size_t *ret_used)
{
	struct rc_reader r = rc_reader_of(p, len);
	const uint8_t *magic = rc_read_bytes(&r, sizeof(RECORD_MAGIC));
	uint32_t body_len = rc_read_le32(&r);
	const uint8_t *check = rc_read_bytes(&r, JOURNAL_CHECK_BYTES);
	const uint8_t *body;
	uint8_t hash[32];

	if (r.failed || memcmp(magic, RECORD_MAGIC, sizeof(RECORD_MAGIC)) != 0 ||
	    body_len < JOURNAL_BODY_HEAD || body_len > JOURNAL_BODY_HEAD + JOURNAL_TX_MAX)
		return false;
	body = rc_read_bytes(&r, body_len);
	if (!body)
		return false;
	rc_sha256(body, body_len, hash);
	if (memcmp(check, hash, JOURNAL_CHECK_BYTES) != 0)
		return false;
	ret->time = rc_get_le64(body);
	ret->local = body[8] & JOURNAL_FLAG_LOCAL;
	ret->tx = body + JOURNAL_BODY_HEAD;
	ret->tx_len = body_len - JOURNAL_BODY_HEAD;
	*ret_used = JOURNAL_RECORD_HEAD + body_len;
	return true;
}

/* Where the next record may begin: the next magic after at. */
static size_t next_magic(const uint8_t *data, size_t len, size_t at)
{
	const uint8_t *p = at < len ? memmem(data + at, len - at, RECORD_MAGIC, 4) : NULL;

	return p ? (size_t)(p - data) : len;
}

int journal_parse(const uint8_t *data, size_t len, const struct rc_hash *network_id,
		  void (*fn)(void *arg, const struct journal_record *record), void *arg,
		  struct journal_parsed *ret_parsed, struct rc_error *error)
{
	struct journal_parsed parsed = {0};
	size_t at = JOURNAL_HEAD_SIZE;
	bool skipped = false;

	if (len < JOURNAL_HEAD_SIZE || memcmp(data, FILE_MAGIC, sizeof(FILE_MAGIC)) != 0)
		return rc_error_set(error, RC_EFORMAT, "not a mempool journal");
	if (data[4] != JOURNAL_VERSION)
		return rc_error_set(error, RC_EVERSION, "mempool journal of version %u, not %u",
				    data[4], JOURNAL_VERSION);
	if (memcmp(data + 5, network_id->b, 32) != 0)
		return rc_error_set(error, RC_ENETWORK, "mempool journal of another network");
	parsed.good_len = at;
	while (at < len) {
		struct journal_record record;
		size_t used;

		if (record_at(data + at, len - at, &record, &used)) {
			parsed.damaged += skipped;
			skipped = false;
			parsed.records++;
			at += used;
			parsed.good_len = at;
			fn(arg, &record);
		} else {
			skipped = true;
			at = next_magic(data, len, at + 1);
		}
	}
	parsed.torn = parsed.good_len < len;
	*ret_parsed = parsed;
	return RC_OK;
}

/* ---- file ---- */

static void write_all(int fd, const uint8_t *data, size_t len, const char *path)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			rc_service_die_io("writing %s failed: %s; the pool's journal is not "
					  "complete, restarting from what is on disk",
					  path, strerror(n < 0 ? errno : ENOSPC));
		data += n;
		len -= (size_t)n;
	}
}

static void sync_file(int fd, const char *path)
{
	if (fdatasync(fd) < 0)
		rc_service_die_io("syncing %s failed: %s; restarting from what is on disk", path,
				  strerror(errno));
}

static char *temp_path(const struct journal *journal)
{
	return rc_asprintf("%s.tmp", journal->path);
}

/* The new file is complete and synced before it takes the old one's name. */
static void replace_file(struct journal *journal, const char *temp)
{
	struct rc_error error;

	sync_file(journal->new_fd, temp);
	RC_TEST_POINT(CHAIND_COMPACT_SYNCED);
	if (rename(temp, journal->path) < 0)
		rc_service_die_io("renaming %s failed: %s", temp, strerror(errno));
	RC_TEST_POINT(CHAIND_COMPACT_RENAMED);
	if (rc_dir_sync(journal->dir, &error) < 0)
		rc_service_die_io("%s", error.text);
	RC_TEST_POINT(CHAIND_COMPACT_DONE);
	close(journal->fd);
	journal->fd = journal->new_fd;
	journal->new_fd = -1;
}

static void write_part(struct journal *journal)
{
	const struct journal_batch *part = &journal->running;
	RC_AUTOFREE char *temp = temp_path(journal);

	if (part->fill == JOURNAL_GIVE_UP) {
		if (journal->new_fd >= 0)
			close(journal->new_fd);
		journal->new_fd = -1;
		unlink(temp);
		return;
	}
	if (journal->new_fd < 0) {
		journal->new_fd =
			open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0640);
		if (journal->new_fd < 0)
			rc_service_die_io("making %s failed: %s", temp, strerror(errno));
		journal->unsynced = 0;
		RC_TEST_POINT(CHAIND_COMPACT_MADE);
	}
	write_all(journal->new_fd, part->bytes.data, part->bytes.len, temp);
	RC_TEST_POINT(CHAIND_COMPACT_WRITTEN);
	if (part->fill == JOURNAL_LAST) {
		replace_file(journal, temp);
	} else if (++journal->unsynced == JOURNAL_PARTS_SYNC) {
		sync_file(journal->new_fd, temp);
		journal->unsynced = 0;
	}
}

static void run_batch(struct rc_work *work)
{
	struct journal *journal = (struct journal *)work;

	if (journal->running.compact) {
		write_part(journal);
		return;
	}
	RC_TEST_POINT(CHAIND_JOURNAL);
	write_all(journal->fd, journal->running.bytes.data, journal->running.bytes.len,
		  journal->path);
	RC_TEST_POINT(CHAIND_JOURNAL_WRITTEN);
	if (journal->running.sync)
		sync_file(journal->fd, journal->path);
	RC_TEST_POINT(CHAIND_JOURNAL_SYNCED);
}

/* The next part of the new file. */
static void start_part(struct journal *journal)
{
	struct journal_batch part = {.compact = true};

	if (journal->new_size == 0)
		journal_head_put(&part.bytes, &journal->network_id);
	part.fill = journal->fill(journal->fill_arg, &part.bytes);
	if (part.fill == JOURNAL_LAST)
		rc_buf_put(&part.bytes, journal->late.data, journal->late.len);
	journal->new_size += part.bytes.len;
	journal->running = part;
}

/* What was appended goes before the next part, so that who waits for it waits for one part only. */
static void start_batch(struct journal *journal)
{
	bool part_was_last = journal->running.compact;

	if (journal->busy)
		return;
	if (journal->next.bytes.len && (part_was_last || !journal->fill)) {
		journal->running = journal->next;
		journal->next = (struct journal_batch){0};
		journal->size += journal->running.bytes.len;
	} else if (journal->fill) {
		start_part(journal);
	} else {
		return;
	}
	journal->busy = true;
	rc_workers_submit(journal->workers, &journal->work);
}

static void end_compaction(struct journal *journal)
{
	if (journal->running.fill == JOURNAL_LAST)
		journal->size = journal->new_size;
	rc_buf_done(&journal->late);
	journal->fill = NULL;
	journal->new_size = 0;
}

static void batch_done(struct rc_work *work)
{
	struct journal *journal = (struct journal *)work;
	struct journal_waiter *waiter = journal->running.waiters;
	bool part = journal->running.compact;

	if (part && journal->running.fill != JOURNAL_MORE)
		end_compaction(journal);
	rc_buf_done(&journal->running.bytes);
	journal->running = (struct journal_batch){.compact = part};
	journal->busy = false;
	start_batch(journal);
	while (waiter) {
		struct journal_waiter *next = waiter->next;

		waiter->fn(waiter->arg);
		free(waiter);
		waiter = next;
	}
}

static int open_file(struct journal *journal, struct rc_error *error)
{
	journal->fd = open(journal->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (journal->fd < 0)
		return rc_error_errno(error, "cannot open %s", journal->path);
	/* What a kill left in the page cache was read, so from here on it counts as accepted. */
	if (fdatasync(journal->fd) < 0)
		return rc_error_errno(error, "cannot sync %s", journal->path);
	return RC_OK;
}

static int start_file(struct journal *journal, struct rc_error *error)
{
	struct rc_buf head = RC_BUF_INIT;
	int rc;

	journal_head_put(&head, &journal->network_id);
	rc = rc_file_replace(journal->path, head.data, head.len, 0640, error);
	journal->size = head.len;
	rc_buf_done(&head);
	return rc;
}

static int read_file(struct journal *journal,
		     void (*fn)(void *arg, const struct journal_record *record), void *arg,
		     struct rc_error *error)
{
	struct rc_buf bytes = RC_BUF_INIT;
	struct journal_parsed parsed;
	int rc = rc_file_read(journal->path, JOURNAL_FILE_MAX, &bytes, error);

	if (rc == RC_ENOENT || (rc == RC_OK && bytes.len < JOURNAL_HEAD_SIZE)) {
		rc_buf_done(&bytes);
		return start_file(journal, error);
	}
	if (rc == RC_OK)
		rc = journal_parse(bytes.data, bytes.len, &journal->network_id, fn, arg, &parsed,
				   error);
	rc_buf_done(&bytes);
	if (rc < 0)
		return rc_error_prefix(error, "%s", journal->path);
	if (parsed.damaged)
		rc_log(RC_LOG_WARNING,
		       "%s is damaged in %zu places; the transactions there are lost, %zu others "
		       "were read",
		       journal->path, parsed.damaged, parsed.records);
	if (parsed.torn) {
		rc_log(RC_LOG_NOTICE, "%s ends in an unfinished record; it is cut off",
		       journal->path);
		RC_TEST_POINT(CHAIND_START_CUT);
		if (truncate(journal->path, (off_t)parsed.good_len) < 0)
			return rc_error_errno(error, "cannot shorten %s", journal->path);
	}
	journal->size = parsed.good_len;
	return RC_OK;
}

/* A new file that a kill left unfinished: it may be as large as the pool. */
static void drop_left_over(const struct journal *journal)
{
	RC_AUTOFREE char *temp = temp_path(journal);

	if (unlink(temp) < 0 && errno != ENOENT)
		rc_log(RC_LOG_WARNING, "cannot remove %s: %s", temp, strerror(errno));
}

int journal_open(const char *dir, const struct rc_hash *network_id, struct rc_workers *workers,
		 void (*fn)(void *arg, const struct journal_record *record), void *arg,
		 struct journal **ret_journal, struct rc_error *error)
{
	struct journal *journal = rc_alloc(sizeof(*journal));
	int rc;

	journal->workers = workers;
	journal->work.run = run_batch;
	journal->work.done = batch_done;
	journal->dir = rc_strdup(dir);
	journal->path = rc_asprintf("%s/mempool.journal", dir);
	journal->network_id = *network_id;
	journal->fd = journal->new_fd = -1;
	drop_left_over(journal);
	rc = read_file(journal, fn, arg, error);
	if (rc == RC_OK)
		rc = open_file(journal, error);
	if (rc < 0) {
		journal_close(journal);
		return rc;
	}
	*ret_journal = journal;
	return RC_OK;
}

void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	assert(!journal->busy);
	if (journal->fd >= 0)
		close(journal->fd);
	rc_buf_done(&journal->next.bytes);
	free(journal->dir);
	free(journal->path);
	free(journal);
}

static void on_gathered(void *arg)
{
	struct journal *journal = arg;

	journal->gathering = false;
	start_batch(journal);
}

void journal_gather(struct journal *journal, struct rc_loop *loop)
{
	journal->gathered = rc_loop_add_timer(loop, on_gathered, journal);
}

void journal_ungather(struct journal *journal)
{
	if (!journal)
		return;
	rc_source_free(journal->gathered);
	journal->gathered = NULL;
	start_batch(journal);
}

void journal_append(struct journal *journal, const struct journal_record *record, bool sync,
		    void (*fn)(void *arg), void *arg)
{
	journal_record_put(&journal->next.bytes, record);
	if (journal->fill && record->local)
		journal_record_put(&journal->late, record);
	journal->next.sync |= sync;
	if (!sync && !fn && journal->gathered) {
		if (!journal->gathering)
			rc_timer_arm(journal->gathered, JOURNAL_GATHER_US);
		journal->gathering = true;
		return;
	}
	if (fn) {
		struct journal_waiter *waiter = rc_alloc(sizeof(*waiter));

		*waiter = (struct journal_waiter){journal->next.waiters, fn, arg};
		journal->next.waiters = waiter;
	}
	start_batch(journal);
}

void journal_compact(struct journal *journal, journal_fill_fn fill, void *arg)
{
	assert(!journal->fill);
	journal->fill = fill;
	journal->fill_arg = arg;
	start_batch(journal);
}

bool journal_compacting(const struct journal *journal)
{
	return journal->fill != NULL;
}

uint64_t journal_size(const struct journal *journal)
{
	return journal->size;
}
