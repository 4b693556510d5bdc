/* Transactions on their way into the pool. See admit.h. */
#include "daemons/chaind/admit.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/test_point.h"
#include "consensus/body_check.h"
#include "consensus/connect.h"
#include "daemons/chaind/metrics.h"

/* Outpoints of one question: 36 bytes each, so 720 kB, and at most 1 MB of answer. */
#define BATCH_OUTPOINTS_MAX 20000
/* Questions under way: while one is answered the next can be asked. */
#define BATCHES_MAX	  4
#define COINS_DEADLINE_MS (5 * 60 * 1000)
/* After a failure, and where utxod's tip is ahead of what we know. */
#define AGAIN_MS 20
/* Transactions verified in one piece of work: a millisecond, so that handing over costs nothing and
 * nobody waits long behind others. */
#define VERIFY_MAX 16
/* Fewer than that are split into so many pieces, for that many threads. */
#define VERIFY_PIECES 4
/* What is decoded of a transaction, and its coins, for each of its bytes: an input of 40 bytes
 * takes 56 decoded, 56 for its coin and 9 beside it; and what is rounded up. */
#define DECODED_PER_BYTE 3
#define DECODED_LEAST	 192
/* Invalid transactions remembered by wtxid: 10,000 × 100 bytes. */
#define REJECTED_MAX 10000

struct rejected {
	UT_hash_handle hh;
	struct rc_wtxid wtxid;
	enum rc_verdict verdict;
};

/* Who wants to know. */
struct asker {
	struct asker *next;
	bool local;
	bool joined;
	uint64_t max_fee_rate;
	admit_fn fn;
	void *arg;
};

struct admission {
	UT_hash_handle by_txid, by_wtxid;
	struct admission *prev_test, *next_test; /* instead of these, where it is tested only */
	struct admit *admit;
	struct admission *next; /* in a list of those that ask, are asked about, or are verified */
	struct rc_arena arena;
	struct rc_tx tx;
	struct admit_options options;
	struct asker *askers;
	struct admission **children; /* wait for this one's end */
	size_t n_children;
	bool listed;	       /* found by its ids, or among the tests */
	unsigned waiting;      /* for so many parents under way */
	struct block_node *at; /* the tip its coins were asked at */
	struct rc_coin *coins; /* of each input */
	const struct rc_coin **coin_at;
	uint8_t *source; /* of each input: enum coin_source */
	uint32_t to_ask;
	bool fee_known;
	struct rc_loose_result loose;
	struct verified_place verified; /* its place there */
	struct rc_witness_finding finding;
	struct admit_result result;
	size_t len;
	uint8_t raw[];
};

enum coin_source { COIN_NONE, COIN_STATE, COIN_POOL };

/* A question under way, and who shares its answer. */
struct batch {
	struct admit *admit;
	struct admission *members;
	uint32_t n_outpoints;
};

/* Some whose witnesses a thread verifies. */
struct piece {
	struct rc_work work;
	struct admit *admit;
	struct admission *members;
};

static void gather(struct admission *a);
static void flush(void *arg);

void admit_init(struct admit *admit)
{
	admit->by_txid = admit->by_wtxid = admit->tests = NULL;
	admit->asking = admit->checking = NULL;
	admit->checking_end = &admit->checking;
	admit->rejected = NULL;
}

/* ---- ends ---- */

static void admission_free(struct admission *a)
{
	struct asker *asker, *next;

	LL_FOREACH_SAFE(a->askers, asker, next)
	free(asker);
	rc_arena_done(&a->arena);
	free(a->children);
	free(a);
}

/* Only what may enter is found by its ids: nobody joins a test or waits for it, and it hides no
 * other of the same transaction. */
static void enlist(struct admission *a)
{
	struct admit *admit = a->admit;

	a->listed = true;
	if (a->options.test_only) {
		DL_APPEND2(admit->tests, a, prev_test, next_test);
		return;
	}
	HASH_ADD(by_txid, admit->by_txid, tx.txid.b, sizeof(a->tx.txid.b), a);
	HASH_ADD(by_wtxid, admit->by_wtxid, tx.wtxid.b, sizeof(a->tx.wtxid.b), a);
}

static void delist(struct admission *a)
{
	struct admit *admit = a->admit;

	if (!a->listed)
		return;
	a->listed = false;
	if (a->options.test_only) {
		DL_DELETE2(admit->tests, a, prev_test, next_test);
		return;
	}
	HASH_DELETE(by_txid, admit->by_txid, a);
	HASH_DELETE(by_wtxid, admit->by_wtxid, a);
}

static void tell_askers(struct admission *a)
{
	struct asker *asker;

	LL_FOREACH (a->askers, asker) {
		a->result.joined = asker->joined;
		asker->fn(asker->arg, &a->result);
	}
}

static void end_unavailable(struct admission *a)
{
	delist(a);
	a->result.err = RC_EUNAVAILABLE;
	tell_askers(a);
	admission_free(a);
}

void admit_done(struct admit *admit)
{
	struct admission *a, *a_next;
	struct rejected *r, *r_next;

	admit->closing = true;
	HASH_ITER (by_wtxid, admit->by_wtxid, a, a_next)
		end_unavailable(a);
	DL_FOREACH_SAFE2(admit->tests, a, a_next, next_test)
	end_unavailable(a);
	HASH_ITER (hh, admit->rejected, r, r_next) {
		HASH_DEL(admit->rejected, r);
		free(r);
	}
	rc_source_free(admit->flush);
	rc_source_free(admit->later);
}

static void reject(struct admit *admit, const struct rc_wtxid *wtxid, enum rc_verdict verdict)
{
	struct rejected *r;

	HASH_FIND(hh, admit->rejected, wtxid->b, sizeof(wtxid->b), r);
	if (r)
		return;
	if (admit->n_rejected >= REJECTED_MAX) {
		r = admit->rejected;
		HASH_DEL(admit->rejected, r);
		free(r);
		admit->n_rejected--;
	}
	r = rc_alloc(sizeof(*r));
	r->wtxid = *wtxid;
	r->verdict = verdict;
	HASH_ADD(hh, admit->rejected, wtxid.b, sizeof(r->wtxid.b), r);
	admit->n_rejected++;
}

/* Who asks after the first one joins it. */
static void add_asker(struct admission *a, const struct admit_options *options, admit_fn fn,
		      void *arg)
{
	struct asker *asker = rc_alloc(sizeof(*asker));

	*asker = (struct asker){
		.local = options->local,
		.joined = a->askers,
		.max_fee_rate = options->max_fee_rate,
		.fn = fn,
		.arg = arg,
	};
	LL_APPEND(a->askers, asker);
}

/* Tells everybody, lets those that waited go on, and forgets it. */
static void finish(struct admission *a)
{
	struct admit *admit = a->admit;
	struct admission **children = a->children;
	size_t n_children = a->n_children;

	delist(a);
	admit->count--;
	admit->bytes -= a->len;
	rc_metric_set(admit->metrics, METRIC_ADMIT_IN_FLIGHT, (int64_t)admit->count);
	tell_askers(a);
	a->children = NULL;
	admission_free(a);
	for (size_t i = 0; i < n_children; i++) {
		/* At the end their threads are gone: admit_done tells them. */
		if (--children[i]->waiting == 0 && !admit->closing)
			gather(children[i]);
	}
	free(children);
}

static void set_verdict(struct admit_result *result, enum rc_verdict verdict, uint32_t input,
			bool with_input)
{
	result->verdict = verdict;
	result->class = rc_verdict_class_loose(verdict);
	if (with_input)
		snprintf(result->reason, sizeof(result->reason), "%s (input %u)",
			 rc_verdict_words(verdict), input);
	else
		snprintf(result->reason, sizeof(result->reason), "%s", rc_verdict_words(verdict));
}

static void refuse(struct admission *a, enum rc_verdict verdict, uint32_t input, bool with_input)
{
	struct admit *admit = a->admit;

	set_verdict(&a->result, verdict, input, with_input);
	rc_metric_add(admit->metrics, METRIC_POOL_REFUSED, 1);
	if (a->result.class == RC_CLASS_INVALID)
		reject(admit, &a->tx.wtxid, verdict);
	finish(a);
}

/* ---- what who asks is willing to pay ---- */

static bool too_dear(const struct admission *a, uint64_t max_fee_rate)
{
	return max_fee_rate && fee_rate_compare(a->loose.fee, a->len, max_fee_rate, 1000) > 0;
}

static void answer_too_dear(struct admission *a, admit_fn fn, void *arg)
{
	struct admit_result result = a->result;

	set_verdict(&result, RC_V_POOL_MAX_FEE, 0, false);
	rc_metric_add(a->admit->metrics, METRIC_POOL_REFUSED, 1);
	fn(arg, &result);
}

/* Its fee is known now: those it is too dear for are told so. False: all of them; it has ended. */
static bool judge_fee(struct admission *a)
{
	struct asker *asker, *next, *unwilling = NULL;
	size_t n_willing = 0;

	a->fee_known = true;
	LL_FOREACH (a->askers, asker)
		n_willing += !too_dear(a, asker->max_fee_rate);
	if (n_willing == 0) {
		refuse(a, RC_V_POOL_MAX_FEE, 0, false);
		return false;
	}
	a->options.local = false;
	LL_FOREACH_SAFE(a->askers, asker, next)
	{
		if (!too_dear(a, asker->max_fee_rate)) {
			a->options.local |= asker->local;
			continue;
		}
		LL_DELETE(a->askers, asker);
		LL_PREPEND(unwilling, asker);
	}
	LL_FOREACH_SAFE(unwilling, asker, next)
	{
		answer_too_dear(a, asker->fn, asker->arg);
		free(asker);
	}
	return true;
}

/* ---- into the pool ---- */

/* On the disk as a person's: who submits it again needn't wait. It may have left the pool. */
static void note_synced(struct admission *a)
{
	struct pool_tx *entry = mempool_find_wtxid(a->admit->pool, &a->tx.wtxid);

	if (entry)
		entry->facts.synced = true;
}

static void journaled(void *arg)
{
	struct admission *a = arg;

	note_synced(a);
	RC_TEST_POINT(CHAIND_TX_JOURNALED);
	finish(a);
}

static void retry_orphan(void *arg, const struct admit_result *result)
{
	(void)arg;
	(void)result;
}

static void retry_orphans(struct admit *admit, const struct rc_txid *parent)
{
	struct orphan *o;

	while ((o = orphans_take_child(admit->orphans, parent))) {
		struct admit_options options = {.peer = o->peer};

		admit_submit(admit, o->raw, o->len, &options, retry_orphan, NULL);
		free(o);
	}
}

/* What the locks and coins say about when it may be mined. */
static void fill_facts(const struct admission *a, struct pool_facts *facts)
{
	struct admit *admit = a->admit;
	uint32_t maturity = admit->chain->network->params.maturity;

	*facts = (struct pool_facts){
		.fee = a->loose.fee,
		.budget = a->loose.budget,
		.time = a->options.time ? a->options.time
					: (uint64_t)(rc_wall_ms(admit->clock) / 1000),
		.peer = a->options.peer,
		.height = node_height(a->at),
		.local = a->options.local,
		.synced = a->options.local && a->options.journaled,
	};
	if (a->tx.lock_time && a->tx.lock_time < RC_LOCK_TIME_IS_TIME)
		facts->min_height = a->tx.lock_time + 1;
	for (uint32_t i = 0; i < a->tx.n_inputs; i++) {
		uint32_t made = a->coins[i].height, sequence = a->tx.inputs[i].sequence;
		uint32_t least = 0;

		if (a->source[i] != COIN_STATE)
			continue;
		if (made > facts->coins_to)
			facts->coins_to = made;
		if (!(sequence & RC_SEQUENCE_NO_LOCK))
			least = made + (sequence & RC_SEQUENCE_BLOCKS);
		if (a->coins[i].coinbase && made + maturity > least)
			least = made + maturity;
		if (least > facts->min_height)
			facts->min_height = least;
	}
}

static void enter_pool(struct admission *a)
{
	struct admit *admit = a->admit;
	uint64_t now = (uint64_t)(rc_wall_ms(admit->clock) / 1000);
	struct rc_txid txid = a->tx.txid;
	struct pool_facts facts;
	struct pool_tx *entry;
	enum rc_verdict verdict;
	struct journal_record record;

	if (a->options.test_only) {
		finish(a);
		return;
	}
	fill_facts(a, &facts);
	verdict = mempool_add(admit->pool, &a->tx, a->coin_at, &facts, now, &entry);
	if (verdict != RC_VERDICT_OK) {
		refuse(a, verdict, 0, false);
		return;
	}
	rc_metric_add(admit->metrics, METRIC_POOL_ACCEPTED, 1);
	admit->accepted(admit->arg, entry, &a->options);
	record = (struct journal_record){facts.time, facts.local, a->raw, a->len};
	RC_TEST_POINT(CHAIND_TX_POOL);
	if (a->options.journaled) {
		finish(a);
	} else if (a->options.local) {
		/* Success is answered when it is on the disk. From here on the pool is what knows
		 * it: a reorganisation may take it from there and bring it back meanwhile, which
		 * must not be answered by this one's end. */
		delist(a);
		journal_append(admit->journal, &record, true, journaled, a);
	} else {
		journal_append(admit->journal, &record, false, NULL, NULL);
		finish(a);
	}
	retry_orphans(admit, &txid);
}

/* ---- witnesses ---- */

static void verify_run(struct rc_work *work)
{
	struct piece *piece = (struct piece *)work;
	struct admit *admit = piece->admit;
	struct admission *a;

	LL_FOREACH (piece->members, a) {
		const struct rc_witness_job job = {
			.tx = &a->tx,
			.coins = a->coin_at,
			.n_inputs = a->tx.n_inputs,
		};

		a->finding = rc_witness_job_run(&admit->chain->network->id, &job, NULL);
		if (a->finding.verdict == RC_VERDICT_OK)
			verified_add(admit->verified, &a->verified);
	}
}

/* Are the coins still what they were? */
static bool still_there(const struct admission *a)
{
	if (a->at != chain_tip(a->admit->chain))
		return false;
	for (uint32_t i = 0; i < a->tx.n_inputs; i++) {
		if (a->source[i] == COIN_POOL &&
		    !mempool_find(a->admit->pool, &a->tx.inputs[i].prevout.txid))
			return false;
	}
	return true;
}

/* Whoever is worked on MEMPOOL_FETCH_AHEAD steps later. */
static struct admission *fetch_next(const struct admit *admit, struct admission *ahead)
{
	if (!ahead)
		return NULL;
	mempool_fetch(admit->pool, &ahead->tx);
	return ahead->next;
}

static struct admission *fetch_first(const struct admit *admit, struct admission *members)
{
	for (unsigned i = 0; i < MEMPOOL_FETCH_AHEAD; i++)
		members = fetch_next(admit, members);
	return members;
}

static void verify_done(struct rc_work *work)
{
	struct piece *piece = (struct piece *)work;
	struct admission *a, *next, *members = piece->members, *ahead;
	const struct admit *admit = piece->admit;
	bool closing = admit->closing;

	free(piece);
	if (closing)
		return;
	ahead = fetch_first(admit, members);
	/* Each may end others that wait for it, but never one of this list. */
	LL_FOREACH_SAFE(members, a, next)
	{
		ahead = fetch_next(admit, ahead);
		if (a->finding.verdict != RC_VERDICT_OK)
			refuse(a, a->finding.verdict, a->finding.input, true);
		else if (still_there(a))
			enter_pool(a);
		else
			gather(a);
	}
}

static void flush_soon(struct admit *admit)
{
	if (!admit->flush)
		admit->flush = rc_loop_add_defer(admit->loop, flush, admit);
	rc_defer_enable(admit->flush, true);
}

/* Hands n of those that wait to the threads. */
static void verify_some(struct admit *admit, size_t n)
{
	struct piece *piece = rc_alloc(sizeof(*piece));
	struct admission **end = &admit->checking;

	*piece = (struct piece){{.run = verify_run, .done = verify_done}, admit, admit->checking};
	admit->n_checking -= n;
	while (n-- > 0)
		end = &(*end)->next;
	admit->checking = *end;
	*end = NULL;
	if (!admit->checking)
		admit->checking_end = &admit->checking;
	rc_workers_submit(admit->verify, &piece->work);
}

static void start_verify(struct admission *a)
{
	struct admit *admit = a->admit;

	a->next = NULL;
	*admit->checking_end = a;
	admit->checking_end = &a->next;
	admit->n_checking++;
	if (admit->n_checking == VERIFY_MAX * VERIFY_PIECES)
		verify_some(admit, VERIFY_MAX);
	flush_soon(admit);
}

/* ---- with coins ---- */

static void orphaned(struct admission *a)
{
	struct admit *admit = a->admit;
	struct admit_result *result = &a->result;

	for (uint32_t i = 0; i < a->tx.n_inputs; i++) {
		const struct rc_txid *parent = &a->tx.inputs[i].prevout.txid;
		size_t j = 0;

		if (a->source[i] != COIN_NONE)
			continue;
		while (j < result->n_missing && !rc_txid_eq(&result->missing[j], parent))
			j++;
		if (j == result->n_missing && j < ORPHAN_PARENTS_MAX)
			result->missing[result->n_missing++] = *parent;
	}
	if (a->options.peer && !a->options.test_only)
		result->orphan =
			orphans_add(admit->orphans, &a->tx, result->missing, result->n_missing,
				    a->options.peer, (uint64_t)(rc_wall_ms(admit->clock) / 1000));
	rc_metric_set(admit->metrics, METRIC_POOL_ORPHANS, (int64_t)orphans_count(admit->orphans));
}

static void judge(struct admission *a)
{
	struct admit *admit = a->admit;
	uint64_t now = (uint64_t)(rc_wall_ms(admit->clock) / 1000);
	struct rc_loose_context context = {
		.network = admit->chain->network,
		.height = node_height(a->at) + 1,
		.median_time = a->at->median_time,
	};
	enum rc_verdict verdict = rc_tx_check_with_coins(&context, &a->tx, a->coin_at, &a->loose);

	if (verdict == RC_V_TX_INPUT_MISSING)
		orphaned(a);
	if (verdict != RC_VERDICT_OK) {
		refuse(a, verdict, a->loose.bad_input, a->loose.bad_input < a->tx.n_inputs);
		return;
	}
	a->result.fee = a->loose.fee;
	if (!judge_fee(a))
		return;
	if (a->options.test_only && mempool_find_wtxid(admit->pool, &a->tx.wtxid)) {
		/* It entered meanwhile, and doesn't conflict with itself. */
		a->result.duplicate = true;
		finish(a);
		return;
	}
	verdict = a->loose.budget > admit->pool->limits.budget_max ? RC_V_POOL_SIZE : RC_VERDICT_OK;
	if (verdict == RC_VERDICT_OK)
		verdict = mempool_check(admit->pool, &a->tx, a->loose.fee, now);
	if (verdict != RC_VERDICT_OK)
		refuse(a, verdict, 0, false);
	else if (verified_has(admit->verified, &a->verified))
		enter_pool(a);
	else
		start_verify(a);
}

static void again_now(void *arg)
{
	struct admit *admit = arg;

	rc_defer_enable(admit->flush, true);
}

static void ask_later(struct admit *admit)
{
	if (!admit->later)
		admit->later = rc_loop_add_timer(admit->loop, again_now, admit);
	rc_timer_arm(admit->later, AGAIN_MS * 1000);
}

static void put_back(struct admit *admit, struct admission *members)
{
	struct admission *a, *next;

	LL_FOREACH_SAFE(members, a, next)
	LL_PREPEND(admit->asking, a);
}

static void coins_answered(void *arg, const struct rc_reply *reply,
			   const struct rc_utxod_coins *coins)
{
	struct batch *batch = arg;
	struct admit *admit = batch->admit;
	struct admission *members = batch->members, *a, *next, *ahead;
	struct block_node *tip;
	size_t k = 0;
	uint32_t asked = batch->n_outpoints;

	free(batch);
	if (admit->closing)
		return;
	tip = chain_tip(admit->chain);
	admit->batches_out--;
	if (reply->err < 0 || coins->n != asked || !rc_block_id_eq(&coins->at.id, &tip->id)) {
		/* utxod is away, or at another block than we know: ask again when that is over. */
		put_back(admit, members);
		ask_later(admit);
		return;
	}
	LL_FOREACH_SAFE(members, a, next)
	{
		a->at = tip;
		for (uint32_t i = 0; i < a->tx.n_inputs; i++) {
			if (a->source[i] == COIN_POOL)
				continue;
			a->coins[i] = coins->coins[k++];
			if (rc_utxod_coin_found(&a->coins[i])) {
				a->source[i] = COIN_STATE;
				a->coin_at[i] = &a->coins[i];
			}
		}
	}
	if (admit->asking)
		flush_soon(admit);
	ahead = fetch_first(admit, members);
	/* Each may end others that wait for it, but never one of this list. */
	LL_FOREACH_SAFE(members, a, next)
	{
		ahead = fetch_next(admit, ahead);
		if (still_there(a))
			judge(a);
		else
			gather(a);
	}
}

static void flush(void *arg)
{
	struct admit *admit = arg;
	size_t each = admit->n_checking / VERIFY_PIECES + 1;

	rc_defer_enable(admit->flush, false);
	while (admit->n_checking) {
		size_t n = each < VERIFY_MAX ? each : VERIFY_MAX;

		verify_some(admit, n < admit->n_checking ? n : admit->n_checking);
	}
	while (admit->asking && admit->batches_out < BATCHES_MAX) {
		struct batch *batch = rc_alloc(sizeof(*batch));
		RC_AUTOFREE struct rc_outpoint *outpoints = NULL;
		struct admission *a;
		uint32_t n = 0;

		batch->admit = admit;
		while ((a = admit->asking) && (n == 0 || n + a->to_ask <= BATCH_OUTPOINTS_MAX)) {
			LL_DELETE(admit->asking, a);
			LL_PREPEND(batch->members, a);
			n += a->to_ask;
		}
		outpoints = rc_alloc_array(n, sizeof(*outpoints));
		n = 0;
		LL_FOREACH (batch->members, a) {
			for (uint32_t i = 0; i < a->tx.n_inputs; i++) {
				if (a->source[i] != COIN_POOL)
					outpoints[n++] = a->tx.inputs[i].prevout;
			}
		}
		batch->n_outpoints = n;
		admit->batches_out++;
		rc_utxod_get_coins(admit->utxod, NULL, outpoints, n, COINS_DEADLINE_MS,
				   coins_answered, batch);
	}
}

/* Looks for the coins: in the pool, with transactions under way, else in the state. */
static void gather(struct admission *a)
{
	struct admit *admit = a->admit;
	struct block_node *tip = chain_tip(admit->chain);

	a->to_ask = 0;
	a->at = tip;
	for (uint32_t i = 0; i < a->tx.n_inputs; i++) {
		const struct rc_outpoint *prevout = &a->tx.inputs[i].prevout;
		struct admission *parent;

		a->source[i] = COIN_NONE;
		a->coin_at[i] = NULL;
		if (mempool_coin(admit->pool, prevout, node_height(tip) + 1, &a->coins[i])) {
			a->source[i] = COIN_POOL;
			a->coin_at[i] = &a->coins[i];
			continue;
		}
		HASH_FIND(by_txid, admit->by_txid, prevout->txid.b, 32, parent);
		if (parent && parent != a) {
			parent->children =
				rc_realloc_array(parent->children, parent->n_children + 1,
						 sizeof(struct admission *));
			parent->children[parent->n_children++] = a;
			a->waiting++;
			continue;
		}
		a->to_ask++;
	}
	if (a->waiting)
		return;
	if (a->to_ask == 0) {
		judge(a);
		return;
	}
	LL_PREPEND(admit->asking, a);
	flush_soon(admit);
}

/* ---- arrival ---- */

bool admit_has_room(const struct admit *admit, size_t bytes)
{
	return admit->count < ADMIT_COUNT_MAX &&
	       (admit->count == 0 || admit->bytes + bytes <= ADMIT_BYTES_MAX);
}

bool admit_knows(const struct admit *admit, const struct rc_wtxid *wtxid)
{
	struct admission *a;
	struct rejected *r;

	HASH_FIND(by_wtxid, admit->by_wtxid, wtxid->b, sizeof(wtxid->b), a);
	HASH_FIND(hh, admit->rejected, wtxid->b, sizeof(wtxid->b), r);
	return a || r || orphans_has(admit->orphans, wtxid);
}

/* What can be told at once. True: *result is the answer. */
static bool known_answer(struct admit *admit, const struct rc_tx *tx, struct admit_result *result)
{
	struct pool_tx *entry = mempool_find_wtxid(admit->pool, &tx->wtxid);
	struct rejected *r;
	enum rc_verdict verdict;

	result->txid = tx->txid;
	result->wtxid = tx->wtxid;
	result->size = (uint32_t)tx->raw.len;
	if (entry) {
		result->duplicate = true;
		result->fee = entry->facts.fee;
		return true;
	}
	HASH_FIND(hh, admit->rejected, tx->wtxid.b, sizeof(tx->wtxid.b), r);
	verdict = r ? r->verdict : mempool_check_form(admit->pool, tx);
	if (verdict == RC_VERDICT_OK)
		return false;
	set_verdict(result, verdict, 0, false);
	rc_metric_add(admit->metrics, METRIC_POOL_REFUSED, 1);
	return true;
}

static void duplicate_journaled(void *arg)
{
	struct admission *a = arg;

	note_synced(a);
	a->askers->fn(a->askers->arg, &a->result);
	admission_free(a);
}

/* Answers one that was never under way. What a person submits is on the disk before it is answered,
 * also where a peer was first. */
static void answer_now(struct admission *a, admit_fn fn, void *arg)
{
	struct pool_tx *entry = mempool_find_wtxid(a->admit->pool, &a->tx.wtxid);

	if (a->options.local && a->result.duplicate && !entry->facts.synced) {
		struct journal_record record = {entry->facts.time, true, a->raw, a->len};

		entry->facts.local = true;
		add_asker(a, &a->options, fn, arg);
		journal_append(a->admit->journal, &record, true, duplicate_journaled, a);
		return;
	}
	fn(arg, &a->result);
	admission_free(a);
}

void admit_submit(struct admit *admit, const void *raw, size_t len,
		  const struct admit_options *options, admit_fn fn, void *arg)
{
	struct admission *a = rc_alloc(sizeof(*a) + len), *same = NULL;
	enum rc_verdict verdict;

	a->admit = admit;
	a->options = *options;
	a->len = len;
	memcpy(a->raw, raw, len);
	a->arena.chunk = DECODED_PER_BYTE * len + DECODED_LEAST;
	verdict = rc_tx_check_loose(a->raw, a->len, &a->arena, &a->tx);
	if (verdict != RC_VERDICT_OK) {
		if (verdict != RC_V_TX_PARSE) {
			a->result.txid = a->tx.txid;
			a->result.wtxid = a->tx.wtxid;
			reject(admit, &a->tx.wtxid, verdict);
		}
		a->result.size = (uint32_t)len;
		set_verdict(&a->result, verdict, 0, false);
		rc_metric_add(admit->metrics, METRIC_POOL_REFUSED, 1);
	}
	/* The same one under way: its answer is ours too. */
	if (verdict == RC_VERDICT_OK)
		HASH_FIND(by_wtxid, admit->by_wtxid, a->tx.wtxid.b, 32, same);
	if (same && !options->test_only) {
		if (same->fee_known && too_dear(same, options->max_fee_rate)) {
			answer_too_dear(same, fn, arg);
			admission_free(a);
			return;
		}
		/* Its record in the journal is a peer's, which nobody synced. */
		if (options->local && !same->options.local)
			same->options.journaled = false;
		same->options.local |= options->local;
		add_asker(same, options, fn, arg);
		admission_free(a);
		return;
	}
	if (verdict != RC_VERDICT_OK || known_answer(admit, &a->tx, &a->result)) {
		answer_now(a, fn, arg);
		return;
	}
	a->coins = rc_arena_alloc(&a->arena, a->tx.n_inputs * sizeof(*a->coins));
	a->coin_at = rc_arena_alloc(&a->arena, a->tx.n_inputs * sizeof(*a->coin_at));
	a->source = rc_arena_alloc(&a->arena, a->tx.n_inputs);
	verified_find(admit->verified, &a->tx.wtxid, &a->verified);
	add_asker(a, options, fn, arg);
	enlist(a);
	admit->count++;
	admit->bytes += a->len;
	rc_metric_set(admit->metrics, METRIC_ADMIT_IN_FLIGHT, (int64_t)admit->count);
	gather(a);
}

void admit_tip_moved(struct admit *admit)
{
	if (admit->asking && admit->flush)
		rc_defer_enable(admit->flush, true);
}
