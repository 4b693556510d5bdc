/* A utxod for tests. See fake_utxod.h. */
#include "fake_utxod.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/mem.h"
#include "base/num.h"
#include "consensus/state_hash.h"
#include "proto/utxod.pb-c.h"
#include "rc_test.h"

struct block {
	struct rc_block_id id;
	uint8_t *delta;
	size_t len;
};

struct stack {
	struct block *blocks;
	size_t n, cap;
};

struct coin {
	UT_hash_handle hh;
	uint8_t key[RC_OUTPOINT_SIZE];
	struct rc_coin coin;
};

/* The state after some block. */
struct view {
	struct coin *coins;
	bool has_treasury;
	uint8_t treasury[8];
};

struct fake_utxod {
	struct rc_loop *loop;
	const struct rc_network *network;
	const char *inproc;
	struct rc_server *server;
	struct stack committed; /* 0: genesis */
	struct stack staged;
	size_t base; /* blocks of committed that staged ones stand on */
	uint64_t writer;
	unsigned requests, commits, largest;
	size_t stack_max;
	/* Commits done and not answered: answered together, the last one first. */
	struct rc_request *held[64];
	size_t n_held;
	struct rc_source *timer;
	bool (*on_request)(void *arg, const char *name);
	void *arg;
};

static void push(struct stack *s, const struct rc_block_id *id, const void *delta, size_t len)
{
	if (s->n == s->cap) {
		s->cap = s->cap * 2 + 16;
		s->blocks = rc_realloc_array(s->blocks, s->cap, sizeof(*s->blocks));
	}
	s->blocks[s->n++] = (struct block){*id, len ? rc_memdup(delta, len) : NULL, len};
}

static void cut(struct stack *s, size_t n)
{
	while (s->n > n)
		free(s->blocks[--s->n].delta);
}

/* ---- the state ---- */

static void apply(struct view *v, const struct block *b)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_delta delta;
	struct coin *c;

	if (!b->len)
		return;
	assert_true(rc_delta_decode(b->delta, b->len, &arena, &delta));
	for (uint32_t i = 0; i < delta.n_spent; i++) {
		uint8_t key[RC_OUTPOINT_SIZE];

		rc_outpoint_key_encode(&delta.spent[i].outpoint, key);
		HASH_FIND(hh, v->coins, key, sizeof(key), c);
		assert_non_null(c);
		assert_memory_equal(&c->coin, &delta.spent[i].coin, sizeof(c->coin));
		HASH_DEL(v->coins, c);
		free(c);
	}
	for (uint32_t i = 0; i < delta.n_created; i++) {
		c = rc_alloc(sizeof(*c));
		rc_outpoint_key_encode(&delta.created[i].outpoint, c->key);
		c->coin = delta.created[i].coin;
		HASH_ADD(hh, v->coins, key, sizeof(c->key), c);
	}
	for (uint32_t i = 0; i < delta.n_entries; i++) {
		const struct rc_delta_entry *e = &delta.entries[i];

		assert_int_equal(e->ns, RC_STATE_GOVERNANCE);
		assert_int_equal(e->has_before, v->has_treasury);
		if (e->has_before)
			assert_memory_equal(e->before.data, v->treasury, 8);
		v->has_treasury = e->has_after;
		if (e->has_after)
			memcpy(v->treasury, e->after.data, 8);
	}
	rc_arena_done(&arena);
}

static void view_done(struct view *v)
{
	struct coin *c, *next;

	HASH_ITER (hh, v->coins, c, next) {
		HASH_DEL(v->coins, c);
		free(c);
	}
}

/* The state after `at`; false if it is neither staged nor committed. */
static bool view_at(const struct fake_utxod *f, const uint8_t *at, struct view *ret)
{
	size_t base = 0, staged = 0;

	for (size_t i = 0; i < f->committed.n; i++) {
		if (memcmp(f->committed.blocks[i].id.b, at, 32) == 0)
			base = i + 1;
	}
	for (size_t i = 0; i < f->staged.n && !base; i++) {
		if (memcmp(f->staged.blocks[i].id.b, at, 32) == 0)
			staged = i + 1;
	}
	if (!base && !staged)
		return false;
	if (staged)
		base = f->base;
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < base; i++)
		apply(ret, &f->committed.blocks[i]);
	for (size_t i = 0; i < staged; i++)
		apply(ret, &f->staged.blocks[i]);
	return true;
}

struct leaf {
	uint8_t key[RC_COIN_KEY_SIZE];
	uint8_t value[RC_COIN_VALUE_MAX];
	size_t len;
};

static int leaf_cmp(const void *a, const void *b)
{
	return memcmp(((const struct leaf *)a)->key, ((const struct leaf *)b)->key,
		      RC_COIN_KEY_SIZE);
}

static void root_of(const struct view *v, struct rc_hash *ret)
{
	size_t n = HASH_COUNT(v->coins), i = 0;
	RC_AUTOFREE struct leaf *leaves = rc_alloc_array(n, sizeof(*leaves));
	RC_AUTOFREE struct rc_trie_fold *fold = rc_alloc(sizeof(*fold));
	struct rc_hash roots[RC_STATE_NAMESPACES] = {0};
	struct rc_state_node node;
	uint8_t key[32];

	for (struct coin *c = v->coins; c; c = c->hh.next, i++) {
		struct rc_outpoint outpoint;

		rc_outpoint_key_decode(c->key, &outpoint);
		rc_coin_key_encode(&c->coin, &outpoint, leaves[i].key);
		leaves[i].len = rc_coin_value_encode(&c->coin, leaves[i].value);
	}
	if (n)
		qsort(leaves, n, sizeof(*leaves), leaf_cmp);
	rc_trie_fold_init(fold, RC_STATE_COINS);
	for (i = 0; i < n; i++)
		assert_true(rc_trie_fold_add(fold, leaves[i].key, leaves[i].value, leaves[i].len));
	assert_true(rc_trie_fold_end(fold, &node));
	roots[0] = node.hash;
	if (v->has_treasury) {
		rc_gov_key_treasury(key);
		rc_state_leaf(RC_STATE_GOVERNANCE, key, v->treasury, 8, &node);
		roots[RC_STATE_GOVERNANCE - 1] = node.hash;
	}
	rc_state_root(roots, ret);
}

/* ---- messages ---- */

static bool refused(struct fake_utxod *f, struct rc_request *request, const char *name)
{
	f->requests++;
	if (!f->on_request || !f->on_request(f->arg, name))
		return false;
	rc_request_fail(request, RC_EUNAVAILABLE, "as the test wants it");
	return true;
}

static void fill_ref(Rc__BlockRef *ref, uint32_t height, const struct rc_block_id *id)
{
	ref->height = height;
	ref->id = (ProtobufCBinaryData){32, (uint8_t *)id->b};
}

static void fill_tip(const struct fake_utxod *f, Rc__BlockRef *ref)
{
	fill_ref(ref, fake_utxod_height(f), &f->committed.blocks[f->committed.n - 1].id);
}

static bool wrong_writer(struct fake_utxod *f, struct rc_request *request, uint64_t writer)
{
	if (writer == f->writer)
		return false;
	rc_request_fail(request, RC_EDENIED, "another writer has opened");
	return true;
}

static void drop_staged(struct fake_utxod *f)
{
	cut(&f->staged, 0);
	f->base = f->committed.n;
}

static void on_open_writer(void *ctx, struct rc_request *request)
{
	struct fake_utxod *f = ctx;
	const Rc__OpenWriterRequest *body = rc_request_body(request);
	Rc__OpenWriterReply reply = RC__OPEN_WRITER_REPLY__INIT;
	Rc__BlockRef tip = RC__BLOCK_REF__INIT;

	if (refused(f, request, "open_writer"))
		return;
	f->writer = body->writer;
	drop_staged(f);
	fill_tip(f, &tip);
	reply.tip = &tip;
	rc_request_reply(request, &reply);
}

static void on_get_coins(void *ctx, struct rc_request *request)
{
	struct fake_utxod *f = ctx;
	const Rc__GetCoinsRequest *body = rc_request_body(request);
	Rc__GetCoinsReply reply = RC__GET_COINS_REPLY__INIT;
	Rc__BlockRef at = RC__BLOCK_REF__INIT;
	struct rc_bytes in = rc_request_bulk(request, 0), out;
	const uint8_t *id =
		body->at.len ? body->at.data : f->committed.blocks[f->committed.n - 1].id.b;
	struct rc_buf buf = RC_BUF_INIT;
	struct view v;

	if (refused(f, request, "get_coins"))
		return;
	if (!view_at(f, id, &v)) {
		rc_request_fail(request, RC_ENOENT, "no such state");
		return;
	}
	for (size_t i = 0; i + 36 <= in.len; i += 36) {
		uint8_t key[RC_OUTPOINT_SIZE], value[RC_COIN_VALUE_MAX];
		struct coin *c;
		size_t len = 0;

		memcpy(key, in.data + i, 32);
		rc_put_be32(key + 32, rc_get_le32(in.data + i + 32));
		HASH_FIND(hh, v.coins, key, sizeof(key), c);
		if (c)
			len = rc_coin_value_encode(&c->coin, value);
		rc_buf_put_u8(&buf, (uint8_t)len);
		rc_buf_put(&buf, value, len);
	}
	fill_tip(f, &at);
	at.id = (ProtobufCBinaryData){32, (uint8_t *)id};
	reply.at = &at;
	out = (struct rc_bytes){buf.data, buf.len};
	rc_request_reply_bulk(request, &reply, &out, 1);
	rc_buf_done(&buf);
	view_done(&v);
}

static void on_get_entries(void *ctx, struct rc_request *request)
{
	struct fake_utxod *f = ctx;
	const Rc__GetEntriesRequest *body = rc_request_body(request);
	Rc__GetEntriesReply reply = RC__GET_ENTRIES_REPLY__INIT;
	Rc__BlockRef at = RC__BLOCK_REF__INIT;
	ProtobufCBinaryData value = {0, NULL};
	struct view v;

	if (refused(f, request, "get_entries"))
		return;
	if (!view_at(f, body->at.data, &v)) {
		rc_request_fail(request, RC_ENOENT, "no such state");
		return;
	}
	if (v.has_treasury)
		value = (ProtobufCBinaryData){8, v.treasury};
	fill_tip(f, &at);
	reply.at = &at;
	reply.n_values = 1;
	reply.values = &value;
	rc_request_reply(request, &reply);
	view_done(&v);
}

static void on_root(void *ctx, struct rc_request *request)
{
	struct fake_utxod *f = ctx;
	const Rc__RootRequest *body = rc_request_body(request);
	Rc__RootReply reply = RC__ROOT_REPLY__INIT;
	Rc__BlockRef at = RC__BLOCK_REF__INIT;
	struct rc_hash root;
	struct view v;

	if (refused(f, request, "root"))
		return;
	if (!view_at(f, body->at.data, &v)) {
		rc_request_fail(request, RC_ENOENT, "no such state");
		return;
	}
	root_of(&v, &root);
	view_done(&v);
	fill_tip(f, &at);
	at.id = body->at;
	reply.at = &at;
	reply.root = (ProtobufCBinaryData){32, root.b};
	rc_request_reply(request, &reply);
}

static void on_stage(void *ctx, struct rc_request *request)
{
	struct fake_utxod *f = ctx;
	const Rc__StageRequest *body = rc_request_body(request);
	struct rc_bytes bulk = rc_request_bulk(request, 0);
	const struct rc_block_id *top = f->staged.n ? &f->staged.blocks[f->staged.n - 1].id
						    : &f->committed.blocks[f->base - 1].id;
	struct rc_delta head;
	struct view v;

	if (refused(f, request, "stage") || wrong_writer(f, request, body->writer))
		return;
	assert_true(rc_delta_decode_head(bulk.data, bulk.len, &head));
	if (!rc_block_id_eq(&head.parent, top)) {
		rc_request_fail(request, RC_ENOENT, "the parent is not the top of the stack");
		return;
	}
	if (f->staged.n >= f->stack_max) {
		rc_request_fail(request, RC_EBUSY, "the stack is full");
		return;
	}
	push(&f->staged, &head.id, bulk.data, bulk.len);
	assert_true(view_at(f, head.id.b, &v)); /* it fits the state */
	view_done(&v);
	rc_request_reply(request, NULL);
}

static void answer_commits(void *arg)
{
	struct fake_utxod *f = arg;

	while (f->n_held) {
		Rc__CommitReply reply = RC__COMMIT_REPLY__INIT;
		Rc__BlockRef tip = RC__BLOCK_REF__INIT;

		fill_tip(f, &tip);
		reply.applied = &tip;
		reply.durable = &tip;
		rc_request_reply(f->held[--f->n_held], &reply);
	}
}

static void on_commit(void *ctx, struct rc_request *request)
{
	struct fake_utxod *f = ctx;
	const Rc__CommitRequest *body = rc_request_body(request);
	size_t n = 0;

	if (refused(f, request, "commit") || wrong_writer(f, request, body->writer))
		return;
	for (size_t i = 0; i < f->staged.n; i++) {
		if (memcmp(f->staged.blocks[i].id.b, body->id.data, 32) == 0)
			n = i + 1;
	}
	if (!n) {
		rc_request_fail(request, RC_ENOENT, "not staged");
		return;
	}
	cut(&f->committed, f->base);
	for (size_t i = 0; i < n; i++) {
		push(&f->committed, &f->staged.blocks[i].id, f->staged.blocks[i].delta,
		     f->staged.blocks[i].len);
		free(f->staged.blocks[i].delta);
	}
	memmove(f->staged.blocks, f->staged.blocks + n,
		(f->staged.n - n) * sizeof(*f->staged.blocks));
	f->staged.n -= n;
	f->base = f->committed.n;
	f->commits++;
	if (n > f->largest)
		f->largest = (unsigned)n;
	f->held[f->n_held++] = request;
	if (f->n_held == RC_ARRAY_LEN(f->held))
		answer_commits(f);
	else
		rc_timer_arm(f->timer, 1000);
}

static void on_abort(void *ctx, struct rc_request *request)
{
	struct fake_utxod *f = ctx;
	const Rc__AbortRequest *body = rc_request_body(request);

	if (refused(f, request, "abort") || wrong_writer(f, request, body->writer))
		return;
	if (!body->id.len) {
		drop_staged(f);
	} else {
		for (size_t i = 0; i < f->staged.n; i++) {
			if (memcmp(f->staged.blocks[i].id.b, body->id.data, 32) == 0)
				cut(&f->staged, i);
		}
	}
	rc_request_reply(request, NULL);
}

/* The place after a committed block; 0: it isn't. */
static size_t committed_at(const struct fake_utxod *f, const uint8_t *id)
{
	for (size_t i = 0; i < f->committed.n; i++) {
		if (memcmp(f->committed.blocks[i].id.b, id, 32) == 0)
			return i + 1;
	}
	return 0;
}

static void on_switch(void *ctx, struct rc_request *request)
{
	struct fake_utxod *f = ctx;
	const Rc__SwitchRequest *body = rc_request_body(request);
	Rc__SwitchReply reply = RC__SWITCH_REPLY__INIT;
	Rc__BlockRef fork = RC__BLOCK_REF__INIT;
	size_t at = committed_at(f, body->fork.data);

	if (refused(f, request, "switch") || wrong_writer(f, request, body->writer))
		return;
	if (!at) {
		rc_request_fail(request, RC_ENOENT, "not committed");
		return;
	}
	cut(&f->staged, 0);
	f->base = at;
	fill_ref(&fork, (uint32_t)at - 1, &f->committed.blocks[at - 1].id);
	reply.fork = &fork;
	rc_request_reply(request, &reply);
}

static void on_revert(void *ctx, struct rc_request *request)
{
	struct fake_utxod *f = ctx;
	const Rc__RevertRequest *body = rc_request_body(request);
	Rc__RevertReply reply = RC__REVERT_REPLY__INIT;
	Rc__BlockRef tip = RC__BLOCK_REF__INIT;
	size_t at = committed_at(f, body->to.data);

	if (refused(f, request, "revert") || wrong_writer(f, request, body->writer))
		return;
	if (!at) {
		rc_request_fail(request, RC_ENOENT, "not committed");
		return;
	}
	cut(&f->committed, at);
	drop_staged(f);
	fill_tip(f, &tip);
	reply.applied = &tip;
	rc_request_reply(request, &reply);
}

static void on_ancestry(void *ctx, struct rc_request *request)
{
	struct fake_utxod *f = ctx;
	const Rc__AncestryRequest *body = rc_request_body(request);
	Rc__AncestryReply reply = RC__ANCESTRY_REPLY__INIT;
	Rc__BlockRef refs[16], *list[16];

	if (refused(f, request, "ancestry"))
		return;
	for (uint32_t h = body->from_height; reply.n_blocks < 16; h--) {
		Rc__BlockRef *ref = &refs[reply.n_blocks];

		if (h < f->committed.n) {
			*ref = (Rc__BlockRef)RC__BLOCK_REF__INIT;
			fill_ref(ref, h, &f->committed.blocks[h].id);
			list[reply.n_blocks++] = ref;
		}
		if (h == 0)
			break;
	}
	reply.blocks = list;
	rc_request_reply(request, &reply);
}

static const struct rc_handler handlers[] = {
	{RC_MSG_OPEN_WRITER, on_open_writer},
	{RC_MSG_GET_COINS, on_get_coins},
	{RC_MSG_GET_ENTRIES, on_get_entries},
	{RC_MSG_ROOT, on_root},
	{RC_MSG_STAGE, on_stage},
	{RC_MSG_COMMIT, on_commit},
	{RC_MSG_ABORT, on_abort},
	{RC_MSG_SWITCH, on_switch},
	{RC_MSG_REVERT, on_revert},
	{RC_MSG_ANCESTRY, on_ancestry},
	{0, NULL},
};

/* ---- life ---- */

static void open_server(struct fake_utxod *f)
{
	struct rc_server_config config = {
		.daemon = RC_UTXOD,
		.inproc = f->inproc,
		.handlers = handlers,
		.ctx = f,
		.roles = "read,write",
	};
	struct rc_error error;

	memcpy(config.network_id, f->network->id.b, 32);
	if (rc_server_open(f->loop, &config, &f->server, &error) < 0)
		fail_msg("%s", error.text);
}

struct fake_utxod *fake_utxod_new(struct rc_loop *loop, const struct rc_network *network,
				  const char *inproc)
{
	struct fake_utxod *f = rc_alloc(sizeof(*f));

	f->loop = loop;
	f->network = network;
	f->inproc = inproc;
	f->stack_max = 1000;
	f->timer = rc_loop_add_timer(loop, answer_commits, f);
	push(&f->committed, &network->genesis_id, NULL, 0);
	f->base = 1;
	open_server(f);
	return f;
}

void fake_utxod_stop(struct fake_utxod *f)
{
	answer_commits(f);
	rc_server_close(f->server);
	f->server = NULL;
}

void fake_utxod_restart(struct fake_utxod *f, uint32_t keep)
{
	answer_commits(f);
	rc_server_close(f->server);
	if (keep < fake_utxod_height(f))
		cut(&f->committed, keep + 1);
	drop_staged(f);
	f->writer = 0;
	open_server(f);
}

void fake_utxod_free(struct fake_utxod *f)
{
	answer_commits(f);
	rc_server_close(f->server);
	cut(&f->staged, 0);
	cut(&f->committed, 0);
	free(f->staged.blocks);
	free(f->committed.blocks);
	rc_source_free(f->timer);
	free(f);
}

uint32_t fake_utxod_height(const struct fake_utxod *f)
{
	return (uint32_t)f->committed.n - 1;
}

void fake_utxod_tip(const struct fake_utxod *f, struct rc_block_id *ret_id)
{
	*ret_id = f->committed.blocks[f->committed.n - 1].id;
}

void fake_utxod_root(const struct fake_utxod *f, struct rc_hash *ret_root)
{
	struct view v;

	assert_true(view_at(f, f->committed.blocks[f->committed.n - 1].id.b, &v));
	root_of(&v, ret_root);
	view_done(&v);
}

unsigned fake_utxod_requests(const struct fake_utxod *f)
{
	return f->requests;
}

void fake_utxod_on_request(struct fake_utxod *f, bool (*fn)(void *arg, const char *name), void *arg)
{
	f->on_request = fn;
	f->arg = arg;
}

void fake_utxod_set_stack(struct fake_utxod *f, size_t max)
{
	f->stack_max = max;
}

unsigned fake_utxod_commits(const struct fake_utxod *f, unsigned *ret_largest)
{
	*ret_largest = f->largest;
	return f->commits;
}
