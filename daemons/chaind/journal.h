/*
 * The pool's journal: an append-only file of the transactions that were taken in, so that a kill
 * loses none that was acknowledged. Writing happens on a thread of its own; whatever comes while a
 * write is under way goes into the next one, with one sync for all.
 *
 * file   = "RCMJ" | version u8 = 1 | network id 32 | record*
 * record = "RCTX" | length u32 | first 8 bytes of SHA256(body) | body
 * body   = time u64 | flags u8 (1: a person's) | transaction
 */
#ifndef CHAIND_JOURNAL_H
#define CHAIND_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/workers.h"
#include "bus/loop.h"
#include "crypto/sha256.h"

#define JOURNAL_HEAD_SIZE   37
#define JOURNAL_RECORD_HEAD 16
/* A record's transaction: the greatest standard size an operator may set, 1 MiB. */
#define JOURNAL_TX_MAX (1u << 20)

struct journal_record {
	uint64_t time; /* seconds since 1970 */
	bool local;
	const uint8_t *tx;
	size_t tx_len;
};

void journal_head_put(struct rc_buf *buf, const struct rc_hash *network_id);
void journal_record_put(struct rc_buf *buf, const struct journal_record *record);

struct journal_parsed {
	size_t records;
	size_t damaged;	 /* stretches of bytes that are no record, a torn end aside */
	size_t good_len; /* up to the end of the last good record */
	bool torn;	 /* bytes follow it */
};
/* Reads the bytes of a whole file, and calls fn for each good record; what is damaged is skipped.
 * RC_EFORMAT, RC_EVERSION, RC_ENETWORK: not a journal of ours; nothing was called. */
int journal_parse(const uint8_t *data, size_t len, const struct rc_hash *network_id,
		  void (*fn)(void *arg, const struct journal_record *record), void *arg,
		  struct journal_parsed *ret_parsed, struct rc_error *error);

struct journal;

/*
 * Opens or makes DIR/mempool.journal, reads what is there (fn as above) and cuts a torn end off. A
 * new file that a kill left unfinished is removed.
 * The pool gives its completions to workers' owner: they run in rc_workers_poll.
 */
int journal_open(const char *dir, const struct rc_hash *network_id, struct rc_workers *workers,
		 void (*fn)(void *arg, const struct journal_record *record), void *arg,
		 struct journal **ret_journal, struct rc_error *error);
/* Everything appended must have been written: its worker has ended. */
void journal_close(struct journal *journal);
/* From now on what nobody waits for is gathered for JOURNAL_GATHER_US before it is written. */
void journal_gather(struct journal *journal, struct rc_loop *loop);
#define JOURNAL_GATHER_US 10000
/* Writes what was gathered, and writes everything at once from now on: before its worker ends. */
void journal_ungather(struct journal *journal);

/* Appends. fn (may be NULL) is called when it is written; sync: and on the disk. A write that fails
 * ends the process (10-architecture, "Process life"). */
void journal_append(struct journal *journal, const struct journal_record *record, bool sync,
		    void (*fn)(void *arg), void *arg);
/*
 * Writes a new file, part by part, and puts it in the place of the old one. fill is called for each
 * part, once the one before is written, and appends encoded records to *records. What is appended
 * meanwhile goes into the old file: fill must give that too, in its last part at the latest;
 * persons' records are taken over without it. What is appended after the last part follows it.
 */
enum journal_fill { JOURNAL_MORE, JOURNAL_LAST, JOURNAL_GIVE_UP };
typedef enum journal_fill (*journal_fill_fn)(void *arg, struct rc_buf *records);
void journal_compact(struct journal *journal, journal_fill_fn fill, void *arg);
bool journal_compacting(const struct journal *journal);
uint64_t journal_size(const struct journal *journal);

#endif
