/* utxod's messages behind typed calls: requests are encoded, answers checked and decoded here. */
#include "client/utxod.h"

#include <stdlib.h>
#include <string.h>

#include "proto/utxod.pb-c.h"

/* Who waits for an answer, and what its shape depends on. */
struct waiter {
	union {
		rc_utxod_tip_fn tip;
		rc_utxod_coins_fn coins;
		rc_utxod_entries_fn entries;
		rc_utxod_root_fn root;
		rc_utxod_proof_fn proof;
		rc_utxod_list_fn list;
		rc_utxod_deltas_fn deltas;
		rc_utxod_ancestry_fn ancestry;
		rc_utxod_verified_fn verified;
		rc_utxod_done_fn done;
		rc_utxod_place_fn place;
	} fn;
	void *arg;
	size_t n; /* how much was asked */
};

static struct waiter *waiter_new(void *arg, size_t n)
{
	struct waiter *w = rc_alloc(sizeof(*w));

	w->arg = arg;
	w->n = n;
	return w;
}

static ProtobufCBinaryData bytes_of(const void *data, size_t len)
{
	return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static ProtobufCBinaryData id_of(const struct rc_block_id *id)
{
	return bytes_of(id ? id->b : NULL, id ? sizeof(id->b) : 0);
}

/* An absent block, or one with an id that is none, isn't known. */
static struct rc_block_place place_of(const Rc__BlockRef *ref)
{
	struct rc_block_place place = {0};

	if (ref && ref->id.len == sizeof(place.id.b)) {
		place.height = ref->height;
		memcpy(place.id.b, ref->id.data, sizeof(place.id.b));
		place.known = true;
	}
	return place;
}

/* The answer to be told when the other side's bytes make no sense. */
static struct rc_reply malformed(const struct rc_reply *reply)
{
	return (struct rc_reply){
		.err = RC_EFORMAT, .text = "utxod: malformed answer", .boot = reply->boot};
}

/* ---- tip, place, done ---- */

static void on_tip(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;
	const Rc__TipReply *m = reply->body;
	struct rc_utxod_tip tip;

	if (reply->err) {
		w->fn.tip(w->arg, reply, NULL);
		return;
	}
	tip = (struct rc_utxod_tip){place_of(m->applied), place_of(m->durable)};
	w->fn.tip(w->arg, reply, &tip);
}

uint64_t rc_utxod_tip(struct rc_client *client, uint32_t deadline_ms, rc_utxod_tip_fn fn, void *arg)
{
	struct waiter *w = waiter_new(arg, 0);

	w->fn.tip = fn;
	return rc_client_call(client, RC_MSG_TIP, NULL, NULL, 0, deadline_ms, on_tip, w);
}

static void on_writer(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;
	const Rc__OpenWriterReply *m = reply->body;
	struct rc_utxod_tip tip;

	if (reply->err) {
		w->fn.tip(w->arg, reply, NULL);
		return;
	}
	tip = (struct rc_utxod_tip){place_of(m->tip), place_of(m->tip)};
	w->fn.tip(w->arg, reply, &tip);
}

uint64_t rc_utxod_open_writer(struct rc_client *client, uint64_t writer, uint32_t deadline_ms,
			      rc_utxod_tip_fn fn, void *arg)
{
	Rc__OpenWriterRequest m = RC__OPEN_WRITER_REQUEST__INIT;
	struct waiter *w = waiter_new(arg, 0);

	m.writer = writer;
	w->fn.tip = fn;
	return rc_client_call(client, RC_MSG_OPEN_WRITER, &m, NULL, 0, deadline_ms, on_writer, w);
}

static void on_commit(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;
	const Rc__CommitReply *m = reply->body;
	struct rc_utxod_tip tip;

	if (reply->err) {
		w->fn.tip(w->arg, reply, NULL);
		return;
	}
	tip = (struct rc_utxod_tip){place_of(m->applied), place_of(m->durable)};
	w->fn.tip(w->arg, reply, &tip);
}

uint64_t rc_utxod_commit(struct rc_client *client, uint64_t writer, const struct rc_block_id *id,
			 bool durable, uint32_t deadline_ms, rc_utxod_tip_fn fn, void *arg)
{
	Rc__CommitRequest m = RC__COMMIT_REQUEST__INIT;
	struct waiter *w = waiter_new(arg, 0);

	m.writer = writer;
	m.id = id_of(id);
	m.durable = durable;
	w->fn.tip = fn;
	return rc_client_call(client, RC_MSG_COMMIT, &m, NULL, 0, deadline_ms, on_commit, w);
}

static void on_done(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;

	w->fn.done(w->arg, reply);
}

uint64_t rc_utxod_stage(struct rc_client *client, uint64_t writer, struct rc_bytes delta,
			uint32_t deadline_ms, rc_utxod_done_fn fn, void *arg)
{
	Rc__StageRequest m = RC__STAGE_REQUEST__INIT;
	struct waiter *w = waiter_new(arg, 0);

	m.writer = writer;
	w->fn.done = fn;
	return rc_client_call(client, RC_MSG_STAGE, &m, &delta, 1, deadline_ms, on_done, w);
}

uint64_t rc_utxod_abort(struct rc_client *client, uint64_t writer, const struct rc_block_id *id,
			uint32_t deadline_ms, rc_utxod_done_fn fn, void *arg)
{
	Rc__AbortRequest m = RC__ABORT_REQUEST__INIT;
	struct waiter *w = waiter_new(arg, 0);

	m.writer = writer;
	m.id = id_of(id);
	w->fn.done = fn;
	return rc_client_call(client, RC_MSG_ABORT, &m, NULL, 0, deadline_ms, on_done, w);
}

static void on_switch(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;
	const Rc__SwitchReply *m = reply->body;
	struct rc_block_place place;

	if (reply->err) {
		w->fn.place(w->arg, reply, NULL);
		return;
	}
	place = place_of(m->fork);
	w->fn.place(w->arg, reply, &place);
}

uint64_t rc_utxod_switch(struct rc_client *client, uint64_t writer, const struct rc_block_id *fork,
			 uint32_t deadline_ms, rc_utxod_place_fn fn, void *arg)
{
	Rc__SwitchRequest m = RC__SWITCH_REQUEST__INIT;
	struct waiter *w = waiter_new(arg, 0);

	m.writer = writer;
	m.fork = id_of(fork);
	w->fn.place = fn;
	return rc_client_call(client, RC_MSG_SWITCH, &m, NULL, 0, deadline_ms, on_switch, w);
}

static void on_revert(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;
	const Rc__RevertReply *m = reply->body;
	struct rc_block_place place;

	if (reply->err) {
		w->fn.place(w->arg, reply, NULL);
		return;
	}
	place = place_of(m->applied);
	w->fn.place(w->arg, reply, &place);
}

uint64_t rc_utxod_revert(struct rc_client *client, uint64_t writer, const struct rc_block_id *to,
			 uint32_t deadline_ms, rc_utxod_place_fn fn, void *arg)
{
	Rc__RevertRequest m = RC__REVERT_REQUEST__INIT;
	struct waiter *w = waiter_new(arg, 0);

	m.writer = writer;
	m.to = id_of(to);
	w->fn.place = fn;
	return rc_client_call(client, RC_MSG_REVERT, &m, NULL, 0, deadline_ms, on_revert, w);
}

/* ---- coins and entries ---- */

/* For each, u8 length and so many bytes of value; nothing left over. */
static bool read_coins(const struct rc_reply *reply, size_t n, struct rc_coin *coins)
{
	struct rc_reader r;

	if (reply->n_bulk != 1)
		return false;
	r = rc_reader_of(reply->bulk[0].data, reply->bulk[0].len);
	for (size_t i = 0; i < n && !r.failed; i++) {
		size_t len = rc_read_u8(&r);
		const uint8_t *value = rc_read_bytes(&r, len);

		if (!value || (len && !rc_coin_value_decode(value, len, &coins[i])))
			return false;
	}
	return rc_reader_end(&r);
}

static void on_coins(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;
	RC_AUTOFREE struct rc_coin *coins = NULL;
	const Rc__GetCoinsReply *m = reply->body;
	struct rc_utxod_coins answer;

	if (reply->err) {
		w->fn.coins(w->arg, reply, NULL);
		return;
	}
	coins = rc_alloc_array(w->n, sizeof(*coins));
	if (!read_coins(reply, w->n, coins)) {
		struct rc_reply bad = malformed(reply);

		w->fn.coins(w->arg, &bad, NULL);
		return;
	}
	answer = (struct rc_utxod_coins){place_of(m->at), w->n, coins};
	w->fn.coins(w->arg, reply, &answer);
}

uint64_t rc_utxod_get_coins(struct rc_client *client, const struct rc_block_id *at,
			    const struct rc_outpoint *outpoints, size_t n, uint32_t deadline_ms,
			    rc_utxod_coins_fn fn, void *arg)
{
	Rc__GetCoinsRequest m = RC__GET_COINS_REQUEST__INIT;
	struct waiter *w = waiter_new(arg, n);
	RC_AUTOFREE uint8_t *raw = rc_alloc_array(n, RC_OUTPOINT_SIZE);

	for (size_t i = 0; i < n; i++) {
		memcpy(raw + i * RC_OUTPOINT_SIZE, outpoints[i].txid.b, 32);
		rc_put_le32(raw + i * RC_OUTPOINT_SIZE + 32, outpoints[i].index);
	}
	m.at = id_of(at);
	w->fn.coins = fn;
	return rc_client_call(client, RC_MSG_GET_COINS, &m,
			      &(struct rc_bytes){raw, n * RC_OUTPOINT_SIZE}, 1, deadline_ms,
			      on_coins, w);
}

static void on_entries(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;
	RC_AUTOFREE struct rc_bytes *values = NULL;
	const Rc__GetEntriesReply *m = reply->body;
	struct rc_utxod_entries answer;

	if (!reply->err && m->n_values != w->n) {
		struct rc_reply bad = malformed(reply);

		w->fn.entries(w->arg, &bad, NULL);
		return;
	}
	if (reply->err) {
		w->fn.entries(w->arg, reply, NULL);
		return;
	}
	values = rc_alloc_array(w->n, sizeof(*values));
	for (size_t i = 0; i < w->n; i++)
		if (m->values[i].len)
			values[i] = (struct rc_bytes){m->values[i].data, m->values[i].len};
	answer = (struct rc_utxod_entries){place_of(m->at), w->n, values};
	w->fn.entries(w->arg, reply, &answer);
}

uint64_t rc_utxod_get_entries(struct rc_client *client, const struct rc_block_id *at, unsigned ns,
			      const struct rc_bytes *keys, size_t n, uint32_t deadline_ms,
			      rc_utxod_entries_fn fn, void *arg)
{
	Rc__GetEntriesRequest m = RC__GET_ENTRIES_REQUEST__INIT;
	RC_AUTOFREE ProtobufCBinaryData *raw = rc_alloc_array(n, sizeof(*raw));
	struct waiter *w = waiter_new(arg, n);

	for (size_t i = 0; i < n; i++)
		raw[i] = bytes_of(keys[i].data, keys[i].len);
	m.at = id_of(at);
	m.ns = ns;
	m.keys = raw;
	m.n_keys = n;
	w->fn.entries = fn;
	return rc_client_call(client, RC_MSG_GET_ENTRIES, &m, NULL, 0, deadline_ms, on_entries, w);
}

/* ---- the tree ---- */

static void on_root(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;
	const Rc__RootReply *m = reply->body;
	struct rc_utxod_root root;

	if (!reply->err && m->root.len != sizeof(root.root.b)) {
		struct rc_reply bad = malformed(reply);

		w->fn.root(w->arg, &bad, NULL);
		return;
	}
	if (reply->err) {
		w->fn.root(w->arg, reply, NULL);
		return;
	}
	root.at = place_of(m->at);
	memcpy(root.root.b, m->root.data, sizeof(root.root.b));
	w->fn.root(w->arg, reply, &root);
}

uint64_t rc_utxod_root(struct rc_client *client, const struct rc_block_id *at, uint32_t deadline_ms,
		       rc_utxod_root_fn fn, void *arg)
{
	Rc__RootRequest m = RC__ROOT_REQUEST__INIT;
	struct waiter *w = waiter_new(arg, 0);

	m.at = id_of(at);
	w->fn.root = fn;
	return rc_client_call(client, RC_MSG_ROOT, &m, NULL, 0, deadline_ms, on_root, w);
}

uint64_t rc_utxod_root_at_height(struct rc_client *client, uint32_t height, uint32_t deadline_ms,
				 rc_utxod_root_fn fn, void *arg)
{
	Rc__RootRequest m = RC__ROOT_REQUEST__INIT;
	struct waiter *w = waiter_new(arg, 0);

	m.by_height = true;
	m.height = height;
	w->fn.root = fn;
	return rc_client_call(client, RC_MSG_ROOT, &m, NULL, 0, deadline_ms, on_root, w);
}

static void on_proof(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;
	const Rc__ProveReply *m = reply->body;
	struct rc_utxod_proof proof;

	if (!reply->err && reply->n_bulk != 1) {
		struct rc_reply bad = malformed(reply);

		w->fn.proof(w->arg, &bad, NULL);
		return;
	}
	if (reply->err) {
		w->fn.proof(w->arg, reply, NULL);
		return;
	}
	proof = (struct rc_utxod_proof){place_of(m->at), reply->bulk[0]};
	w->fn.proof(w->arg, reply, &proof);
}

uint64_t rc_utxod_prove(struct rc_client *client, const struct rc_utxod_prove *question,
			uint32_t deadline_ms, rc_utxod_proof_fn fn, void *arg)
{
	Rc__ProveRequest m = RC__PROVE_REQUEST__INIT;
	struct waiter *w = waiter_new(arg, 0);

	m.ns = question->about.ns;
	m.bits = question->about.bits;
	m.prefix = bytes_of(question->about.prefix, (question->about.bits + 7u) / 8);
	m.latest = question->latest;
	m.height = question->height;
	m.sums_only = question->sums_only;
	m.max_leaves = question->max_leaves;
	w->fn.proof = fn;
	return rc_client_call(client, RC_MSG_PROVE, &m, NULL, 0, deadline_ms, on_proof, w);
}

/* For each coin: outpoint 36 (index little-endian), u8 length, value. */
static bool read_list(const struct rc_reply *reply, size_t n, struct rc_delta_coin *coins)
{
	struct rc_reader r;

	if (reply->n_bulk != 1)
		return n == 0;
	r = rc_reader_of(reply->bulk[0].data, reply->bulk[0].len);
	for (size_t i = 0; i < n && !r.failed; i++) {
		const uint8_t *value;
		size_t len;

		rc_read_into(&r, coins[i].outpoint.txid.b, 32);
		coins[i].outpoint.index = rc_read_le32(&r);
		len = rc_read_u8(&r);
		value = rc_read_bytes(&r, len);
		if (!value || !rc_coin_value_decode(value, len, &coins[i].coin))
			return false;
	}
	return rc_reader_end(&r);
}

static void on_list(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;
	RC_AUTOFREE struct rc_delta_coin *coins = NULL;
	const Rc__ListCoinsReply *m = reply->body;
	struct rc_utxod_coin_list list;
	size_t room;

	if (reply->err) {
		w->fn.list(w->arg, reply, NULL);
		return;
	}
	/* A coin has at least 37 bytes: a count that can't be is refused before memory is taken. */
	room = reply->n_bulk == 1 ? reply->bulk[0].len / (RC_OUTPOINT_SIZE + 1) : 0;
	coins = rc_alloc_array(m->count <= room ? m->count : 0, sizeof(*coins));
	if (m->count > room || !read_list(reply, m->count, coins)) {
		struct rc_reply bad = malformed(reply);

		w->fn.list(w->arg, &bad, NULL);
		return;
	}
	list = (struct rc_utxod_coin_list){place_of(m->at), m->count, coins, m->more,
					   m->total_oxides};
	w->fn.list(w->arg, reply, &list);
}

uint64_t rc_utxod_list_coins(struct rc_client *client, const struct rc_block_id *at,
			     const struct rc_hash *lock_hash, const struct rc_outpoint *after,
			     uint32_t max, uint32_t deadline_ms, rc_utxod_list_fn fn, void *arg)
{
	Rc__ListCoinsRequest m = RC__LIST_COINS_REQUEST__INIT;
	struct waiter *w = waiter_new(arg, 0);
	uint8_t raw[RC_OUTPOINT_SIZE];

	if (after) {
		memcpy(raw, after->txid.b, 32);
		rc_put_le32(raw + 32, after->index);
		m.after = bytes_of(raw, sizeof(raw));
	}
	m.at = id_of(at);
	m.lock_hash = bytes_of(lock_hash->b, sizeof(lock_hash->b));
	m.max = max;
	w->fn.list = fn;
	return rc_client_call(client, RC_MSG_LIST_COINS, &m, NULL, 0, deadline_ms, on_list, w);
}

/* ---- history ---- */

static void on_deltas(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;
	const Rc__DeltasReply *m = reply->body;
	struct rc_utxod_deltas deltas;

	if (reply->err) {
		w->fn.deltas(w->arg, reply, NULL);
		return;
	}
	deltas = (struct rc_utxod_deltas){m->first_height, reply->n_bulk, reply->bulk};
	w->fn.deltas(w->arg, reply, &deltas);
}

uint64_t rc_utxod_deltas(struct rc_client *client, uint32_t from_height, uint32_t max_count,
			 uint32_t deadline_ms, rc_utxod_deltas_fn fn, void *arg)
{
	Rc__DeltasRequest m = RC__DELTAS_REQUEST__INIT;
	struct waiter *w = waiter_new(arg, 0);

	m.from_height = from_height;
	m.max_count = max_count;
	w->fn.deltas = fn;
	return rc_client_call(client, RC_MSG_DELTAS, &m, NULL, 0, deadline_ms, on_deltas, w);
}

static void on_ancestry(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;
	RC_AUTOFREE struct rc_block_place *blocks = NULL;
	const Rc__AncestryReply *m = reply->body;
	struct rc_utxod_ancestry ancestry;

	if (reply->err) {
		w->fn.ancestry(w->arg, reply, NULL);
		return;
	}
	blocks = rc_alloc_array(m->n_blocks, sizeof(*blocks));
	for (size_t i = 0; i < m->n_blocks; i++)
		blocks[i] = place_of(m->blocks[i]);
	ancestry = (struct rc_utxod_ancestry){m->n_blocks, blocks};
	w->fn.ancestry(w->arg, reply, &ancestry);
}

uint64_t rc_utxod_ancestry(struct rc_client *client, uint32_t from_height, uint32_t max_count,
			   uint32_t deadline_ms, rc_utxod_ancestry_fn fn, void *arg)
{
	Rc__AncestryRequest m = RC__ANCESTRY_REQUEST__INIT;
	struct waiter *w = waiter_new(arg, 0);

	m.from_height = from_height;
	m.max_count = max_count;
	w->fn.ancestry = fn;
	return rc_client_call(client, RC_MSG_ANCESTRY, &m, NULL, 0, deadline_ms, on_ancestry, w);
}

static void on_verified(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;
	const Rc__VerifyStateReply *m = reply->body;
	struct rc_utxod_verified verified;

	if (reply->err) {
		w->fn.verified(w->arg, reply, NULL);
		return;
	}
	verified = (struct rc_utxod_verified){place_of(m->at), m->good, m->text, m->entries};
	w->fn.verified(w->arg, reply, &verified);
}

uint64_t rc_utxod_verify_state(struct rc_client *client, uint32_t deadline_ms,
			       rc_utxod_verified_fn fn, void *arg)
{
	struct waiter *w = waiter_new(arg, 0);

	w->fn.verified = fn;
	return rc_client_call(client, RC_MSG_VERIFY_STATE, NULL, NULL, 0, deadline_ms, on_verified,
			      w);
}

/* ---- events ---- */

bool rc_utxod_tip_event(struct rc_bytes body, struct rc_utxod_tip *ret_tip)
{
	/* Two blocks by height and id: the default allocator can't be made to take much. */
	Rc__UtxodTip *m = rc__utxod_tip__unpack(NULL, body.len, body.data);

	if (!m)
		return false;
	*ret_tip = (struct rc_utxod_tip){place_of(m->applied), place_of(m->durable)};
	rc__utxod_tip__free_unpacked(m, NULL);
	return true;
}
