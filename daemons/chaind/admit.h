/*
 * Loose transactions on their way into the pool: form, coins, rules, policy, witnesses, journal.
 * Many at once: coins of all that wait are asked of utxod in one batch, at its committed tip, and
 * witnesses are verified on other threads; when the tip moved meanwhile, what depends on it is
 * asked again (10-architecture, "A transaction arrives").
 */
#ifndef CHAIND_ADMIT_H
#define CHAIND_ADMIT_H

#include "base/clock.h"
#include "client/utxod.h"
#include "consensus/verdict.h"
#include "daemons/chaind/chain.h"
#include "daemons/chaind/journal.h"
#include "daemons/chaind/mempool.h"
#include "daemons/chaind/orphans.h"
#include "daemons/chaind/verified.h"
#include "service/metrics.h"

/* Between arrival and verdict: bytes and transactions; beyond, who submits is told to come again.
 * Each takes about five times its bytes meanwhile. */
#define ADMIT_BYTES_MAX (16u << 20)
#define ADMIT_COUNT_MAX 10000

struct admit_options {
	uint64_t peer; /* 0: a person, or ourselves */
	bool local;    /* a person's: synced in the journal before it is answered */
	bool test_only;
	bool journaled;	       /* it is in the journal already */
	bool again;	       /* it was in the pool, or in a block, before: not announced */
	uint64_t max_fee_rate; /* oxides per 1,000 bytes; 0: any. Of this submission alone, also
				  where another one is under way */
	uint64_t time;	       /* of its first entry; 0: now */
};

struct admit_result {
	enum rc_verdict verdict;
	enum rc_verdict_class class;
	int err; /* < 0: no verdict, see reason */
	struct rc_txid txid;
	struct rc_wtxid wtxid;
	rc_amount fee;
	uint32_t size;
	bool duplicate;
	bool orphan;
	bool joined; /* the same one was under way already: its answer, by what there was then */
	char reason[192];
	size_t n_missing;
	struct rc_txid missing[ORPHAN_PARENTS_MAX]; /* the first n_missing are there */
};
typedef void (*admit_fn)(void *arg, const struct admit_result *result);

struct admission;
struct rejected;

struct admit {
	struct chain *chain;
	struct mempool *pool;
	struct orphans *orphans;
	struct verified *verified;
	struct journal *journal;
	struct rc_loop *loop;
	struct rc_client *utxod;
	struct rc_workers *verify;
	struct rc_metrics *metrics;
	const struct rc_clock *clock;
	/* In the pool now (tx: its entry). */
	void (*accepted)(void *arg, const struct pool_tx *tx, const struct admit_options *options);
	void *arg;

	struct admission *by_txid; /* those under way that may enter */
	struct admission *by_wtxid;
	struct admission *tests;    /* those under way that are tested only */
	struct admission *asking;   /* wait for coins to be asked */
	struct admission *checking; /* wait for their witnesses to be verified */
	struct admission **checking_end;
	size_t n_checking;
	struct rc_source *flush; /* at the end of the turn: does what both wait for */
	struct rc_source *later; /* asks again after a failure */
	unsigned batches_out;
	size_t count, bytes;
	struct rejected *rejected; /* wtxids that are invalid, oldest first */
	size_t n_rejected;
	bool closing;
};

void admit_init(struct admit *admit);
/* Those under way are answered RC_EUNAVAILABLE. */
void admit_done(struct admit *admit);

/* Room for so many more bytes? */
bool admit_has_room(const struct admit *admit, size_t bytes);
/* fn is called exactly once, perhaps before this returns. raw is copied. */
void admit_submit(struct admit *admit, const void *raw, size_t len,
		  const struct admit_options *options, admit_fn fn, void *arg);
/* The applied tip is another one. */
void admit_tip_moved(struct admit *admit);
/* Is it under way, an orphan, or known to be invalid? */
bool admit_knows(const struct admit *admit, const struct rc_wtxid *wtxid);

#endif
