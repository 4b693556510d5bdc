/* The list of the pool, asked of chaind part by part. See chaind.h. */
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/mem.h"
#include "client/chaind_call.h"

/* Times a list is begun, where chaind restarts meanwhile. */
#define LIST_TRIES 3

/* A transaction that is in the list already: one that left the pool and came back is met twice. */
struct listed {
	UT_hash_handle hh;
	struct rc_txid txid;
};

struct list_call {
	struct rc_chaind *chaind;
	bool verbose;
	uint32_t deadline_ms; /* of each part */
	rc_mempool_list_fn fn;
	void *arg;
	unsigned tries;
	/* Of this try. */
	bool begun;
	uint64_t boot; /* of the chaind whose sequence it follows */
	struct rc_txid last;
	struct rc_arena arena;
	struct listed *listed; /* the arena's */
	struct rc_mempool_list list;
	struct rc_txid *txids;
	struct rc_mempool_entry *entries;
};

static void list_part_answered(void *arg, const struct rc_reply *reply);

static uint64_t list_ask(struct list_call *l, uint64_t after)
{
	Rc__MempoolListRequest body = RC__MEMPOOL_LIST_REQUEST__INIT;

	body.verbose = l->verbose;
	body.after = after;
	if (after)
		body.after_txid = (ProtobufCBinaryData){sizeof(l->last.b), l->last.b};
	return rc_client_call(rc_chaind_bus(l->chaind), RC_MSG_MEMPOOL_LIST, &body, NULL, 0,
			      l->deadline_ms, list_part_answered, l);
}

/* True: it wasn't there. Of a last part nothing need be remembered: none is there twice in one. */
static bool is_new(struct list_call *l, const struct rc_txid *txid, bool remember)
{
	struct listed *listed;

	HASH_FIND(hh, l->listed, txid->b, sizeof(txid->b), listed);
	if (listed)
		return false;
	if (!remember)
		return true;
	listed = rc_arena_alloc(&l->arena, sizeof(*listed));
	listed->txid = *txid;
	HASH_ADD(hh, l->listed, txid.b, sizeof(listed->txid.b), listed);
	return true;
}

static bool list_add(struct list_call *l, const Rc__MempoolListReply *body)
{
	size_t n = l->list.n_txids;

	if (body->more && body->n_txids == 0)
		return false; /* it would be asked for ever */
	if (body->n_entries != (l->verbose ? body->n_txids : 0))
		return false;
	if (!l->begun)
		l->list.sequence = body->sequence;
	l->begun = true;
	l->txids = rc_realloc_array(l->txids, n + body->n_txids, sizeof(*l->txids));
	if (l->verbose)
		l->entries = rc_realloc_array(l->entries, n + body->n_txids, sizeof(*l->entries));
	for (size_t i = 0; i < body->n_txids; i++) {
		if (body->txids[i].len != sizeof(l->last.b))
			return false;
		memcpy(l->last.b, body->txids[i].data, sizeof(l->last.b));
		if (!is_new(l, &l->last, body->more))
			continue;
		if (l->verbose && !rc_chaind_get_entry(body->entries[i], &l->arena, &l->entries[n]))
			return false;
		l->txids[n++] = l->last;
	}
	l->list.n_txids = n;
	l->list.n_entries = l->verbose ? n : 0;
	return true;
}

static void list_drop(struct list_call *l)
{
	HASH_CLEAR(hh, l->listed);
	rc_arena_done(&l->arena);
	free(l->txids);
	free(l->entries);
	l->arena = RC_ARENA_INIT;
	l->txids = NULL;
	l->entries = NULL;
	l->list = (struct rc_mempool_list){0};
	l->begun = false;
}

/* Adds a part; *ret_after: after what to ask for the next, if there is more. */
static void list_take(struct list_call *l, struct rc_reply *r, bool *ret_more, uint64_t *ret_after)
{
	const Rc__MempoolListReply *body = r->body;

	if (l->begun && r->boot != l->boot) {
		/* Its sequence began anew: what it has before that place would be left out. */
		list_drop(l);
		*ret_more = true;
		*ret_after = 0;
		if (++l->tries == LIST_TRIES) {
			r->err = RC_EUNAVAILABLE;
			r->text = "chaind restarted while its pool was listed";
			r->body = NULL;
		}
		return;
	}
	l->boot = r->boot;
	*ret_more = body->more;
	*ret_after = body->last;
	if (!list_add(l, body))
		rc_chaind_malformed(r);
}

static void list_part_answered(void *arg, const struct rc_reply *reply)
{
	struct list_call *l = arg;
	struct rc_reply r = *reply;
	uint64_t after = 0;
	bool more = false;

	if (r.err == RC_OK)
		list_take(l, &r, &more, &after);
	if (r.err == RC_OK && more && list_ask(l, after))
		return;
	if (r.err == RC_OK && more)
		r.err = RC_ECANCELLED; /* the client is closing */
	l->list.txids = l->txids;
	l->list.entries = l->entries;
	l->fn(l->arg, &r, r.err < 0 ? NULL : &l->list);
	list_drop(l);
	free(l);
}

void rc_chaind_mempool_list(struct rc_chaind *chaind, bool verbose, uint32_t deadline_ms,
			    rc_mempool_list_fn fn, void *arg)
{
	struct list_call *l = rc_alloc(sizeof(*l));

	*l = (struct list_call){
		.chaind = chaind,
		.verbose = verbose,
		.deadline_ms = deadline_ms,
		.fn = fn,
		.arg = arg,
	};
	if (list_ask(l, 0) == 0) /* the client is closing: it is never answered */
		free(l);
}
