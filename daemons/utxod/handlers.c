/*~ The table of what utxod answers, and the reading half of it: each question is a job for a
 * reading thread, on a version of the state that doesn't change under it. */
#include <stdlib.h>
#include <string.h>

#include "daemons/utxod/utxod.h"
#include "proto/utxod.pb-c.h"

/* A question about one version. */
struct read_job {
	struct job job;
	struct rc_block_id at;
	bool has_at;
	bool rooted;	/* it needs the tree, not the coins alone */
	bool by_height; /* of the applied chain */
	bool latest;	/* the applied tip − 1 */
	uint32_t height;
	int (*read)(struct read_job *r, const struct ledger_view *view);
	void (*answer)(struct read_job *r);
	/* results */
	struct block_ref block;
	struct rc_buf bulk;
	struct rc_hash root;
	struct ledger_list list;
	struct ledger_verified verified;
	uint8_t *values; /* GetEntries: all of them */
	ProtobufCBinaryData *entries;
	size_t n_entries;
	struct rc_buf deltas[64];
	size_t n_deltas;
};

static struct read_job *of(struct job *job)
{
	return (struct read_job *)job; /* its first member */
}

static void fill_ref(const struct block_ref *block, Rc__BlockRef *ref)
{
	rc__block_ref__init(ref);
	ref->height = block->height;
	ref->id.data = (uint8_t *)(uintptr_t)block->id.b;
	ref->id.len = sizeof(block->id.b);
}

static int open_version(struct read_job *r, struct ledger_view *view)
{
	struct ledger *ledger = r->job.u->ledger;

	if (r->latest) {
		struct block_ref applied, durable;

		ledger_tips(ledger, &applied, &durable);
		if (!applied.height)
			return RC_ENOENT;
		return ledger_view_height(ledger, applied.height - 1, view);
	}
	if (r->by_height)
		return ledger_view_height(ledger, r->height, view);
	return ledger_view_at(ledger, r->has_at ? &r->at : NULL, r->rooted, view);
}

static void run_read(struct job *job)
{
	struct read_job *r = of(job);
	struct ledger_view view;

	job->err = open_version(r, &view);
	job->missed = job->err != RC_OK;
	if (job->missed) {
		rc_error_set(&job->error, RC_ENOENT,
			     "unknown: no such block is staged, or committed and kept");
		job->err = RC_ENOENT;
		return;
	}
	ledger_view_block(&view, &r->block);
	job->err = r->read(r, &view);
	if (job->err && ledger_view_gone(&view)) /* what was read is void */
		job->err = rc_error_set(&job->error, RC_ENOENT, "unknown: the block was dropped");
	ledger_view_close(&view);
}

static void done_read(struct job *job)
{
	struct read_job *r = of(job);

	if (job->err)
		rc_request_fail(job->request, job->err, "%s", job->error.text);
	else
		r->answer(r);
	rc_buf_done(&r->bulk);
	free(r->list.coins);
	free(r->entries);
	free(r->values);
}

static struct read_job *read_new(struct rc_request *request, enum utxod_metric timer,
				 int (*read)(struct read_job *r, const struct ledger_view *view),
				 void (*answer)(struct read_job *r))
{
	struct read_job *r = rc_alloc(sizeof(*r));

	r->job.request = request;
	r->job.timer = timer;
	r->job.run = run_read;
	r->job.done = done_read;
	r->read = read;
	r->answer = answer;
	return r;
}

/* False: not an id; answered, and the job is gone. */
static bool take_at(struct read_job *r, ProtobufCBinaryData at)
{
	r->has_at = at.len == sizeof(r->at.b);
	if (r->has_at)
		memcpy(r->at.b, at.data, sizeof(r->at.b));
	if (r->has_at || !at.len)
		return true;
	rc_request_fail(r->job.request, RC_EINVAL, "a block id has 32 bytes");
	free(r);
	return false;
}

static void free_bulk(void *data, void *hint)
{
	(void)hint;
	free(data);
}

/* The answer with the job's bulk, handed over. */
static void reply_bulk(struct read_job *r, const void *body)
{
	size_t len;
	uint8_t *data;

	rc_buf_reserve(&r->bulk, 1);
	data = rc_buf_take(&r->bulk, &len);
	rc_request_reply_owned(r->job.request, body, data, len, free_bulk, NULL);
}

/* ---- tip ---- */

static void on_tip(void *ctx, struct rc_request *request)
{
	Rc__TipReply reply = RC__TIP_REPLY__INIT;
	struct block_ref applied, durable;
	struct utxod *u = ctx;
	Rc__BlockRef a, d;

	ledger_tips(u->ledger, &applied, &durable);
	fill_ref(&applied, &a);
	fill_ref(&durable, &d);
	reply.applied = &a;
	reply.durable = &d;
	rc_request_reply(request, &reply);
}

/* ---- coins ---- */

static int read_coins(struct read_job *r, const struct ledger_view *view)
{
	struct rc_bytes raw = rc_request_bulk(r->job.request, 0);
	size_t n = raw.len / RC_OUTPOINT_SIZE;
	RC_AUTOFREE struct rc_outpoint *outpoints = rc_alloc_array(n, sizeof(*outpoints));
	RC_AUTOFREE struct rc_coin *coins = rc_alloc_array(n, sizeof(*coins));
	int err;

	for (size_t i = 0; i < n; i++) {
		memcpy(outpoints[i].txid.b, raw.data + i * RC_OUTPOINT_SIZE, 32);
		outpoints[i].index = rc_get_le32(raw.data + i * RC_OUTPOINT_SIZE + 32);
	}
	err = ledger_coins(view, outpoints, n, coins, &r->job.error);
	if (err)
		return err;
	rc_buf_reserve(&r->bulk, n * (1 + RC_COIN_VALUE_MAX));
	for (size_t i = 0; i < n; i++) {
		uint8_t *at = rc_buf_reserve(&r->bulk, 1 + RC_COIN_VALUE_MAX);

		at[0] = coins[i].lock_len ? (uint8_t)rc_coin_value_encode(&coins[i], at + 1) : 0;
		r->bulk.len += 1u + at[0];
	}
	return RC_OK;
}

static void answer_coins(struct read_job *r)
{
	Rc__GetCoinsReply reply = RC__GET_COINS_REPLY__INIT;
	Rc__BlockRef at;

	fill_ref(&r->block, &at);
	reply.at = &at;
	reply_bulk(r, &reply);
}

static void on_get_coins(void *ctx, struct rc_request *request)
{
	const Rc__GetCoinsRequest *m = rc_request_body(request);
	struct read_job *r;

	if (rc_request_n_bulk(request) != 1 ||
	    rc_request_bulk(request, 0).len % RC_OUTPOINT_SIZE != 0) {
		rc_request_fail(request, RC_EINVAL,
				"GetCoins has one bulk frame, outpoints of 36 bytes");
		return;
	}
	r = read_new(request, M_T_COINS, read_coins, answer_coins);
	if (take_at(r, m->at))
		engine_read(ctx, &r->job);
}

/* ---- entries ---- */

static int read_entries(struct read_job *r, const struct ledger_view *view)
{
	const Rc__GetEntriesRequest *m = rc_request_body(r->job.request);
	RC_AUTOFREE size_t *start = rc_alloc_array(m->n_keys + 1, sizeof(*start));
	size_t len;
	int err = RC_OK;

	for (size_t i = 0; i < m->n_keys && !err; i++) {
		start[i] = r->bulk.len;
		err = ledger_entry(view, m->ns, m->keys[i].data, &r->bulk, &r->job.error);
		err = err == RC_ENOENT ? RC_OK : err;
	}
	if (err)
		return err;
	start[m->n_keys] = r->bulk.len;
	rc_buf_reserve(&r->bulk, 1);
	r->values = rc_buf_take(&r->bulk, &len);
	r->n_entries = m->n_keys;
	r->entries = rc_alloc_array(m->n_keys, sizeof(*r->entries));
	for (size_t i = 0; i < m->n_keys; i++)
		r->entries[i] =
			(ProtobufCBinaryData){start[i + 1] - start[i], r->values + start[i]};
	return RC_OK;
}

static void answer_entries(struct read_job *r)
{
	Rc__GetEntriesReply reply = RC__GET_ENTRIES_REPLY__INIT;
	Rc__BlockRef at;

	fill_ref(&r->block, &at);
	reply.at = &at;
	reply.values = r->entries;
	reply.n_values = r->n_entries;
	rc_request_reply(r->job.request, &reply);
}

static void on_get_entries(void *ctx, struct rc_request *request)
{
	const Rc__GetEntriesRequest *m = rc_request_body(request);
	size_t key_len = m->ns == RC_STATE_COINS ? 0 : rc_state_key_len(m->ns);
	struct read_job *r;

	for (size_t i = 0; i < m->n_keys; i++)
		if (m->keys[i].len != key_len)
			key_len = 0;
	if (!key_len) {
		rc_request_fail(request, RC_EINVAL,
				"GetEntries takes namespaces 2 to 5, with keys of its length");
		return;
	}
	r = read_new(request, M_T_OTHER, read_entries, answer_entries);
	if (take_at(r, m->at))
		engine_read(ctx, &r->job);
}

/* ---- root ---- */

static int read_root(struct read_job *r, const struct ledger_view *view)
{
	ledger_view_root(view, &r->root);
	return RC_OK;
}

static void answer_root(struct read_job *r)
{
	Rc__RootReply reply = RC__ROOT_REPLY__INIT;
	Rc__BlockRef at;

	fill_ref(&r->block, &at);
	reply.at = &at;
	reply.root = (ProtobufCBinaryData){sizeof(r->root.b), r->root.b};
	rc_request_reply(r->job.request, &reply);
}

static void on_root(void *ctx, struct rc_request *request)
{
	const Rc__RootRequest *m = rc_request_body(request);
	struct read_job *r = read_new(request, M_T_ROOT, read_root, answer_root);

	r->rooted = true;
	r->by_height = m->by_height;
	r->height = m->height;
	if (take_at(r, m->at))
		engine_read(ctx, &r->job);
}

/* ---- proofs ---- */

static int read_proof(struct read_job *r, const struct ledger_view *view)
{
	const Rc__ProveRequest *m = rc_request_body(r->job.request);
	struct rc_proof_question q = {.ns = (uint8_t)m->ns, .bits = (uint16_t)m->bits};
	uint32_t max = m->max_leaves ? m->max_leaves : LEAVES_DEFAULT;

	memcpy(q.prefix, m->prefix.data, m->prefix.len);
	return ledger_prove(view, &q, m->sums_only, max < LEAVES_MAX ? max : LEAVES_MAX, &r->bulk,
			    &r->job.error);
}

static void answer_proof(struct read_job *r)
{
	Rc__ProveReply reply = RC__PROVE_REPLY__INIT;
	Rc__BlockRef at;

	fill_ref(&r->block, &at);
	reply.at = &at;
	reply_bulk(r, &reply);
}

/* The same bounds the checker has (30-state, "Checking", 1). */
static bool question_ok(const Rc__ProveRequest *m)
{
	size_t key_len = m->ns <= RC_STATE_NAMESPACES ? rc_state_key_len(m->ns) : 0;

	if (!key_len || m->bits > 8 * key_len || m->prefix.len != (m->bits + 7) / 8)
		return false;
	return m->bits % 8 == 0 ||
	       (m->prefix.data[m->prefix.len - 1] & (0xffu >> m->bits % 8)) == 0;
}

static void on_prove(void *ctx, struct rc_request *request)
{
	const Rc__ProveRequest *m = rc_request_body(request);
	struct read_job *r;

	if (!question_ok(m)) {
		rc_request_fail(request, RC_EINVAL,
				"Prove takes namespaces 1 to 5 and a prefix of up to a key's bits, "
				"spare bits zero");
		return;
	}
	r = read_new(request, M_T_PROVE, read_proof, answer_proof);
	r->rooted = true;
	r->latest = m->latest;
	r->by_height = !m->latest;
	r->height = m->height;
	engine_read(ctx, &r->job);
}

/* ---- the coins of a lock ---- */

static int read_list(struct read_job *r, const struct ledger_view *view)
{
	const Rc__ListCoinsRequest *m = rc_request_body(r->job.request);
	uint32_t max = m->max ? m->max : LEAVES_DEFAULT;
	struct rc_outpoint after;
	struct rc_hash hash;
	int err;

	memcpy(hash.b, m->lock_hash.data, sizeof(hash.b));
	if (m->after.len) {
		memcpy(after.txid.b, m->after.data, 32);
		after.index = rc_get_le32(m->after.data + 32);
	}
	err = ledger_list(view, &hash, m->after.len ? &after : NULL,
			  max < LEAVES_MAX ? max : LEAVES_MAX, &r->list, &r->job.error);
	for (size_t i = 0; !err && i < r->list.n; i++) {
		const struct rc_delta_coin *c = &r->list.coins[i];
		uint8_t value[RC_COIN_VALUE_MAX];
		size_t len = rc_coin_value_encode(&c->coin, value);

		rc_buf_put(&r->bulk, c->outpoint.txid.b, 32);
		rc_buf_put_le32(&r->bulk, c->outpoint.index);
		rc_buf_put_u8(&r->bulk, (uint8_t)len);
		rc_buf_put(&r->bulk, value, len);
	}
	return err;
}

static void answer_list(struct read_job *r)
{
	Rc__ListCoinsReply reply = RC__LIST_COINS_REPLY__INIT;
	Rc__BlockRef at;

	fill_ref(&r->block, &at);
	reply.at = &at;
	reply.count = (uint32_t)r->list.n;
	reply.more = r->list.more;
	reply.total_oxides = r->list.total;
	reply_bulk(r, &reply);
}

static void on_list_coins(void *ctx, struct rc_request *request)
{
	const Rc__ListCoinsRequest *m = rc_request_body(request);
	struct read_job *r;

	if (m->lock_hash.len != 32 || (m->after.len && m->after.len != RC_OUTPOINT_SIZE)) {
		rc_request_fail(request, RC_EINVAL,
				"ListCoins takes a lock hash of 32 bytes and an outpoint of 36");
		return;
	}
	r = read_new(request, M_T_OTHER, read_list, answer_list);
	r->rooted = true;
	if (take_at(r, m->at))
		engine_read(ctx, &r->job);
}

/* ---- history ---- */

/* Whole deltas as many as fit an answer, one at least. */
#define DELTAS_BYTES ((size_t)64 << 20)

static void run_deltas(struct job *job)
{
	const Rc__DeltasRequest *m = rc_request_body(job->request);
	struct read_job *r = of(job);
	size_t max = m->max_count && m->max_count < RC_ARRAY_LEN(r->deltas)
			     ? m->max_count
			     : RC_ARRAY_LEN(r->deltas);
	size_t bytes = 0;

	while (r->n_deltas < max && bytes < DELTAS_BYTES) {
		struct rc_buf *d = &r->deltas[r->n_deltas];

		job->err = ledger_delta(job->u->ledger, m->from_height + (uint32_t)r->n_deltas, d,
					&job->error);
		if (job->err || (r->n_deltas && bytes + d->len > DELTAS_BYTES))
			break;
		bytes += d->len;
		r->n_deltas++;
	}
	/* The end of the chain, or below what is kept: told by what is there. */
	if (job->err == RC_ENOENT)
		job->err = RC_OK;
}

static void done_deltas(struct job *job)
{
	Rc__DeltasReply reply = RC__DELTAS_REPLY__INIT;
	struct read_job *r = of(job);
	struct rc_bytes bulk[RC_ARRAY_LEN(r->deltas)];

	reply.first_height = ledger_lowest_delta(job->u->ledger);
	for (size_t i = 0; i < r->n_deltas; i++)
		bulk[i] = (struct rc_bytes){r->deltas[i].data, r->deltas[i].len};
	if (job->err)
		rc_request_fail(job->request, job->err, "%s", job->error.text);
	else
		rc_request_reply_bulk(job->request, &reply, bulk, r->n_deltas);
	for (size_t i = 0; i < RC_ARRAY_LEN(r->deltas); i++)
		rc_buf_done(&r->deltas[i]);
}

static void on_deltas(void *ctx, struct rc_request *request)
{
	struct read_job *r = read_new(request, M_T_OTHER, NULL, NULL);

	r->job.run = run_deltas;
	r->job.done = done_deltas;
	engine_read(ctx, &r->job);
}

/* References are small: 64 bytes with protobuf's own. */
#define ANCESTRY_MAX 2000

static void on_ancestry(void *ctx, struct rc_request *request)
{
	const Rc__AncestryRequest *m = rc_request_body(request);
	size_t max = m->max_count && m->max_count < ANCESTRY_MAX ? m->max_count : ANCESTRY_MAX;
	RC_AUTOFREE struct block_ref *block = rc_alloc_array(max, sizeof(*block));
	RC_AUTOFREE Rc__BlockRef *ref = rc_alloc_array(max, sizeof(*ref));
	RC_AUTOFREE Rc__BlockRef **list = rc_alloc_array(max, sizeof(Rc__BlockRef *));
	Rc__AncestryReply reply = RC__ANCESTRY_REPLY__INIT;
	struct block_ref applied, durable;
	struct utxod *u = ctx;
	uint32_t height;
	size_t n = 0;

	ledger_tips(u->ledger, &applied, &durable);
	height = m->from_height < applied.height ? m->from_height : applied.height;
	while (n < max && ledger_block_at(u->ledger, height, &block[n])) {
		fill_ref(&block[n], &ref[n]);
		list[n] = &ref[n];
		n++;
		if (!height--)
			break;
	}
	reply.blocks = list;
	reply.n_blocks = n;
	rc_request_reply(request, &reply);
}

/* ---- verifying ---- */

static bool verify_progress(void *arg, uint64_t done, uint64_t of_all)
{
	struct utxod *u = arg;

	atomic_store(&u->verify_done, done);
	atomic_store(&u->verify_of, of_all);
	return !atomic_load(&u->closing_now);
}

static void run_verify(struct job *job)
{
	struct read_job *r = of(job);

	job->err = ledger_verify(job->u->ledger, NULL, verify_progress, job->u, &r->verified,
				 &job->error);
}

static void answer_verify(struct read_job *r)
{
	Rc__VerifyStateReply reply = RC__VERIFY_STATE_REPLY__INIT;
	Rc__BlockRef at;

	fill_ref(&r->verified.block, &at);
	reply.at = &at;
	reply.good = r->verified.good;
	reply.text = r->verified.text;
	reply.entries = r->verified.entries;
	rc_request_reply(r->job.request, &reply);
}

static void done_verify(struct job *job)
{
	job->u->verifying = false;
	atomic_store(&job->u->verify_of, 0);
	done_read(job);
}

static void on_verify_state(void *ctx, struct rc_request *request)
{
	struct utxod *u = ctx;
	struct read_job *r;

	if (u->verifying) {
		rc_request_busy(request, 1000);
		return;
	}
	u->verifying = true;
	r = read_new(request, M_T_OTHER, NULL, answer_verify);
	r->job.run = run_verify;
	r->job.done = done_verify;
	engine_slow(u, &r->job);
}

const struct rc_handler utxod_handlers[] = {
	{RC_MSG_TIP, on_tip},
	{RC_MSG_GET_COINS, on_get_coins},
	{RC_MSG_GET_ENTRIES, on_get_entries},
	{RC_MSG_ROOT, on_root},
	{RC_MSG_PROVE, on_prove},
	{RC_MSG_LIST_COINS, on_list_coins},
	{RC_MSG_DELTAS, on_deltas},
	{RC_MSG_ANCESTRY, on_ancestry},
	{RC_MSG_VERIFY_STATE, on_verify_state},
	{RC_MSG_OPEN_WRITER, on_open_writer},
	{RC_MSG_STAGE, on_stage},
	{RC_MSG_COMMIT, on_commit},
	{RC_MSG_ABORT, on_abort},
	{RC_MSG_SWITCH, on_switch},
	{RC_MSG_REVERT, on_revert},
	{0, NULL},
};
