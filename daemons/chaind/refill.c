/* Bringing transactions back into the pool. See refill.h. */
#include "daemons/chaind/refill.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/test_point.h"

/* Under way at once: enough to fill batches of coins and all threads. */
#define OUT_MAX 2000

struct refill_block {
	struct refill_block *prev, *next;
	struct block_node *node;
};

/* In the list, or, while its answer is awaited, with admit alone. */
struct refill_tx {
	struct refill_tx *prev, *next;
	struct refill *refill;
	struct admit_options options;
	bool of_block, was_in_pool;
	uint64_t number; /* in the order they came */
	uint64_t undone; /* refill's, when it was submitted */
	size_t len;
	uint8_t raw[];
};

void refill_init(struct refill *refill)
{
	refill->blocks = NULL;
	refill->txs = NULL;
}

void refill_done(struct refill *refill)
{
	struct refill_block *b, *b_next;
	struct refill_tx *t, *t_next;

	refill->closing = true;
	DL_FOREACH_SAFE (refill->blocks, b, b_next)
		free(b);
	DL_FOREACH_SAFE (refill->txs, t, t_next)
		free(t);
	body_unref(refill->body);
}

bool refill_active(const struct refill *refill)
{
	return refill->blocks || refill->txs || refill->body || refill->out;
}

void refill_add_block(struct refill *refill, struct block_node *node)
{
	struct refill_block *b = rc_alloc(sizeof(*b));

	b->node = node;
	refill->undone++;
	DL_APPEND(refill->blocks, b);
}

static struct refill_tx *tx_new(struct refill *refill, const void *raw, size_t len,
				const struct admit_options *options, bool of_block)
{
	struct refill_tx *t = rc_alloc(sizeof(*t) + len);

	t->refill = refill;
	t->options = *options;
	t->of_block = of_block;
	t->was_in_pool = options->again;
	t->number = refill->n_added++;
	t->len = len;
	memcpy(t->raw, raw, len);
	return t;
}

void refill_add_tx(struct refill *refill, const void *raw, size_t len,
		   const struct admit_options *options)
{
	struct refill_tx *t = tx_new(refill, raw, len, options, false);

	DL_APPEND(refill->txs, t);
}

/* Again, at its place: parents first, and blocks' before others'. Those that were under way came
 * before all that were not, so the place is near the front. */
static void add_again(struct refill_tx *t)
{
	struct refill_tx *later;

	DL_FOREACH (t->refill->txs, later)
		if (later->of_block != t->of_block ? t->of_block : later->number > t->number)
			break;
	if (later)
		DL_PREPEND_ELEM(t->refill->txs, later, t);
	else
		DL_APPEND(t->refill->txs, t);
}

static void submit(struct refill_tx *t);

static void answered(void *arg, const struct admit_result *result)
{
	struct refill_tx *t = arg;
	struct refill *refill = t->refill;
	bool back = result->verdict == RC_VERDICT_OK;

	refill->out--;
	refill->n_back += back;
	RC_TEST_POINT(CHAIND_REFILLED);
	if (!back && !refill->closing && t->undone != refill->undone) {
		/* Blocks were undone while it was judged. What it spends may have been in one of
		 * them, or what spends the same: it is asked once more, after what they had. */
		add_again(t);
		refill_pump(refill);
		return;
	}
	if (!back && !refill->closing && result->joined) {
		/* Somebody had sent it before its parents came back: it is asked for its own sake,
		 * and at once, before those that wait for it look for it. */
		submit(t);
		return;
	}
	if (!back && t->was_in_pool && !refill->closing) {
		refill->n_lost++;
		refill->lost(refill->arg, result, t->len);
	}
	free(t);
	refill_pump(refill);
}

static void submit(struct refill_tx *t)
{
	t->undone = t->refill->undone;
	t->refill->out++;
	admit_submit(t->refill->admit, t->raw, t->len, &t->options, answered, t);
}

/* ---- blocks ---- */

struct read {
	struct refill *refill;
	struct body *body;
};

static void read_decode(void *arg, struct rc_buf *buf)
{
	struct read *read = arg;

	if (!buf->data)
		return;
	read->body = body_new(buf);
	body_check(read->body);
}

static void log_unread(const struct block_node *node, const struct body *body)
{
	char hex[RC_ID_HEX];

	rc_log(RC_LOG_WARNING,
	       "block %s at height %u, no longer of the best chain, can't be read back from the "
	       "store "
	       "(%s): its transactions don't return to the pool, unless peers send them again; if "
	       "this "
	       "happens more than once, check the disk and chaind's state directory",
	       rc_block_id_hex(hex, &node->id), node_height(node),
	       body ? rc_verdict_name(body->verdict) : "it is not there");
}

static void read_done(void *arg, struct rc_buf *buf)
{
	struct read *read = arg;
	struct refill *refill = read->refill;
	struct refill_block *first = refill->blocks;

	(void)buf;
	refill->reading = false;
	if (read->body && read->body->verdict == RC_VERDICT_OK && !refill->closing) {
		refill->body = read->body;
		refill->next_tx = 1;
	} else {
		if (!refill->closing)
			log_unread(first->node, read->body);
		body_unref(read->body);
	}
	free(read);
	if (refill->closing)
		return;
	DL_DELETE(refill->blocks, first);
	free(first);
	refill_pump(refill);
}

static void submit_of_body(struct refill *refill)
{
	/* They were not in the pool: peers are told of them again. */
	struct admit_options options = {0};

	while (refill->body && refill->out < OUT_MAX) {
		const struct rc_tx *tx;

		if (refill->next_tx >= refill->body->block.n_txs) {
			body_unref(refill->body);
			refill->body = NULL;
			return;
		}
		tx = &refill->body->block.txs[refill->next_tx++];
		submit(tx_new(refill, tx->raw.data, tx->raw.len, &options, true));
	}
}

/* ---- in order: the blocks', then the others ---- */

void refill_pause(struct refill *refill, bool pause)
{
	refill->paused = pause;
	refill_pump(refill);
}

void refill_pump(struct refill *refill)
{
	/* Answers may come from inside a submission. */
	if (refill->pumping || refill->paused || refill->closing)
		return;
	refill->pumping = true;
	for (;;) {
		submit_of_body(refill);
		if (refill->body || refill->reading || refill->out >= OUT_MAX)
			break;
		if (refill->blocks) {
			struct read *read = rc_alloc(sizeof(*read));

			read->refill = refill;
			refill->reading = true;
			blockstore_get(refill->store, refill->blocks->node, read_decode, read_done,
				       read);
			break;
		}
		if (!refill->txs)
			break;
		while (refill->txs && refill->out < OUT_MAX) {
			struct refill_tx *t = refill->txs;

			DL_DELETE(refill->txs, t);
			submit(t);
		}
	}
	refill->pumping = false;
	if (!refill_active(refill) && (refill->n_back || refill->n_lost)) {
		refill->finished(refill->arg);
		refill->n_back = refill->n_lost = 0;
	}
}
