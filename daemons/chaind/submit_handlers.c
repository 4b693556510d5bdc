/* What is submitted: headers, blocks, transactions. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemons/chaind/handlers.h"

/* Headers of one request: a message of peers holds 2,000. */
#define SUBMIT_HEADERS_MAX PRESYNC_FULL
/* Transactions of one request. */
#define SUBMIT_TXS_MAX 5000
/* When who submits too much may come again. */
#define SUBMIT_RETRY_MS 50

static char *text_of(enum rc_verdict verdict)
{
	return (char *)rc_verdict_name(verdict);
}

/* ---- headers ---- */

void on_submit_headers(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__SubmitHeadersRequest *body = rc_request_body(request);
	Rc__SubmitHeadersReply reply = RC__SUBMIT_HEADERS_REPLY__INIT;
	Rc__BlockRef last = RC__BLOCK_REF__INIT;
	struct headers_result result;
	struct presync_who who;
	struct rc_bytes items;
	uint8_t work[32];
	size_t n;

	if (!take_items(request, RC_HEADER_SIZE, &items, &n))
		return;
	if (n > SUBMIT_HEADERS_MAX) {
		rc_request_fail(request, RC_EINVAL, "%zu headers, at most %u at once", n,
				SUBMIT_HEADERS_MAX);
		return;
	}
	who = (struct presync_who){rc_request_client_boot(request), body->peer};
	chaind_submit_headers(chaind, who, items.data, n, &result);
	reply.verdict = text_of(result.verdict);
	reply.verdict_class = (char *)rc_verdict_class_name(rc_verdict_class(result.verdict));
	reply.accepted = result.accepted;
	if (result.last) {
		fill_ref(&last, result.last);
		reply.last = &last;
		rc_u256_encode_be(&result.last->work, work);
		reply.last_work = field_of(work, sizeof(work));
	}
	reply.wanted = result.wanted;
	if (result.go_on)
		reply.ask_from = field_of(result.ask_from.b, sizeof(result.ask_from.b));
	rc_request_reply(request, &reply);
}

/* ---- a block ---- */

struct block_submission {
	struct chaind *chaind;
	struct rc_request *request;
	uint64_t number;
	bool done;
};

static void block_answered(void *arg, const struct block_result *result)
{
	struct block_submission *s = arg;
	Rc__SubmitBlockReply reply = RC__SUBMIT_BLOCK_REPLY__INIT;

	rc_request_on_cancel(s->request, NULL, NULL);
	if (result->err < 0) {
		rc_request_fail(s->request, result->err, "chaind is stopping");
		s->done = true;
		if (s->number)
			free(s);
		return;
	}
	reply.verdict = text_of(result->verdict);
	reply.verdict_class = (char *)rc_verdict_class_name(rc_verdict_class(result->verdict));
	reply.fault_of_message = result->fault_of_message;
	reply.duplicate = result->duplicate;
	reply.id = field_of(result->id.b, sizeof(result->id.b));
	reply.height = result->height;
	rc_request_reply(s->request, &reply);
	s->done = true;
	if (s->number)
		free(s);
}

static void block_cancelled(void *arg, struct rc_request *request)
{
	struct block_submission *s = arg;

	chaind_forget_block(s->chaind, s->number);
	rc_request_fail(request, RC_EDEADLINE, "the block was not decided in time");
	free(s);
}

void on_submit_block(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__SubmitBlockRequest *body = rc_request_body(request);
	struct block_submission *s;
	struct rc_bytes raw;
	uint64_t number;

	if (rc_request_n_bulk(request) != 1) {
		rc_request_fail(request, RC_EINVAL, "one block, in one bulk frame");
		return;
	}
	raw = rc_request_bulk(request, 0);
	s = rc_alloc(sizeof(*s));
	s->chaind = chaind;
	s->request = request;
	number = chaind_submit_block(chaind, body->peer, raw.data, raw.len,
				     body->wait_connect ? BLOCK_CONNECTED : BLOCK_STORED,
				     block_answered, s);
	if (s->done) {
		free(s);
		return;
	}
	s->number = number;
	rc_request_on_cancel(request, block_cancelled, s);
}

/* ---- transactions ---- */

struct tx_submission {
	struct rc_request *request; /* NULL: nobody waits any more */
	size_t n, left;
	struct admit_result *results;
};

struct tx_answer {
	struct tx_submission *s;
	size_t i;
};

static void fill_result(const struct admit_result *r, ProtobufCBinaryData *missing,
			Rc__SubmitTxReply__Result *out)
{
	*out = (Rc__SubmitTxReply__Result)RC__SUBMIT_TX_REPLY__RESULT__INIT;
	out->verdict = text_of(r->verdict);
	out->verdict_class = (char *)rc_verdict_class_name(r->class);
	out->txid = field_of(r->txid.b, 32);
	out->wtxid = field_of(r->wtxid.b, 32);
	out->fee = r->fee;
	out->size = r->size;
	out->duplicate = r->duplicate;
	out->orphan = r->orphan;
	for (size_t i = 0; i < r->n_missing; i++)
		missing[i] = field_of(r->missing[i].b, 32);
	out->n_missing = r->n_missing;
	out->missing = missing;
	out->reason = (char *)r->reason;
}

static void reply_txs(struct tx_submission *s)
{
	Rc__SubmitTxReply reply = RC__SUBMIT_TX_REPLY__INIT;
	struct rc_arena arena = RC_ARENA_INIT;

	if (!s->request)
		return;
	rc_request_on_cancel(s->request, NULL, NULL);
	for (size_t i = 0; i < s->n; i++) {
		if (s->results[i].err < 0) {
			rc_request_fail(s->request, s->results[i].err, "chaind is stopping");
			return;
		}
	}
	reply.n_results = s->n;
	reply.results = rc_arena_alloc(&arena, (s->n + 1) * sizeof(*reply.results));
	for (size_t i = 0; i < s->n; i++) {
		reply.results[i] = rc_arena_alloc(&arena, sizeof(**reply.results));
		fill_result(&s->results[i],
			    rc_arena_alloc(&arena, (s->results[i].n_missing + 1) *
							   sizeof(ProtobufCBinaryData)),
			    reply.results[i]);
	}
	rc_request_reply(s->request, &reply);
	rc_arena_done(&arena);
}

/* One of the submission's owners is done with it: the last one frees it. */
static void release(struct tx_submission *s)
{
	if (--s->left > 0)
		return;
	reply_txs(s);
	free(s->results);
	free(s);
}

static void tx_answered(void *arg, const struct admit_result *result)
{
	struct tx_answer *answer = arg;
	struct tx_submission *s = answer->s;

	/* All but the missing parents that there aren't: 800 bytes. */
	memcpy(&s->results[answer->i], result,
	       offsetof(struct admit_result, missing) +
		       result->n_missing * sizeof(result->missing[0]));
	free(answer);
	release(s);
}

static void txs_cancelled(void *arg, struct rc_request *request)
{
	struct tx_submission *s = arg;

	s->request = NULL;
	rc_request_fail(request, RC_EDEADLINE, "the transactions were not decided in time");
}

void on_submit_tx(void *ctx, struct rc_request *request)
{
	struct chaind *chaind = ctx;
	const Rc__SubmitTxRequest *body = rc_request_body(request);
	struct admit_options options = {
		.peer = body->peer,
		.local = body->peer == 0 && !body->test_only,
		.test_only = body->test_only,
		.max_fee_rate = body->max_fee_rate,
	};
	size_t n = rc_request_n_bulk(request), bytes = 0;
	struct tx_submission *s;

	for (size_t i = 0; i < n; i++)
		bytes += rc_request_bulk(request, i).len;
	if (n == 0 || n > SUBMIT_TXS_MAX) {
		rc_request_fail(request, RC_EINVAL, "%zu transactions, 1 to %u at once", n,
				SUBMIT_TXS_MAX);
		return;
	}
	if (!admit_has_room(&chaind->admit, bytes)) {
		rc_request_busy(request, SUBMIT_RETRY_MS);
		return;
	}
	s = rc_alloc(sizeof(*s));
	s->request = request;
	s->n = n;
	s->left = n + 1;
	s->results = rc_alloc_array(n, sizeof(*s->results));
	rc_request_on_cancel(request, txs_cancelled, s);
	for (size_t i = 0; i < n; i++) {
		struct tx_answer *answer = rc_alloc(sizeof(*answer));
		struct rc_bytes raw = rc_request_bulk(request, i);

		*answer = (struct tx_answer){s, i};
		admit_submit(&chaind->admit, raw.data, raw.len, &options, tx_answered, answer);
	}
	release(s);
}
