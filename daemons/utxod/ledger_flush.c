/*
 * Writing the state to its disk, in the background: what the versions since the last flush changed,
 * once each, with the marker in the same batch. Younger versions go on meanwhile.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/test_point.h"
#include "daemons/utxod/ledger_internal.h"

/* ---- the marker ---- */

static const uint8_t marker_key[] = {'m'};
static const uint8_t free_key[] = {'f'};

void marker_put(struct disk *disk, const struct marker *m, const struct rc_buf *free_ids)
{
	struct rc_buf buf = RC_BUF_INIT;

	rc_buf_put_le64(&buf, m->seq);
	rc_buf_put_le32(&buf, m->block.height);
	rc_buf_put(&buf, m->block.id.b, 32);
	rc_buf_put_le64(&buf, m->coins);
	rc_buf_put_le64(&buf, m->entries);
	rc_buf_put_le32(&buf, m->next_id);
	for (unsigned i = 0; i < TREE_NAMESPACES; i++) {
		const struct tree_root *r = &m->roots.ns[i];

		rc_buf_put_le16(&buf, r->depth);
		rc_buf_put_le32(&buf, r->page);
		rc_buf_put(&buf, r->key, RC_STATE_KEY_MAX);
		rc_buf_put(&buf, r->node.hash.b, 32);
		rc_buf_put_le64(&buf, r->node.sum);
	}
	disk->ops->put(disk, marker_key, sizeof(marker_key), buf.data, buf.len);
	disk->ops->put(disk, free_key, sizeof(free_key), free_ids->data ? free_ids->data : buf.data,
		       free_ids->len);
	rc_buf_done(&buf);
}

/* As free_ids_settle left them: an id that a page has, or will be given once more, would stand for
 * two pages. */
static bool free_ids_good(const struct rc_buf *ids, uint32_t next)
{
	uint32_t last = 0; /* is no page */

	for (size_t i = 0; i + 4 <= ids->len; i += 4) {
		uint32_t id = rc_get_le32(ids->data + i);

		if (id <= last || id >= next)
			return false;
		last = id;
	}
	return ids->len % 4 == 0;
}

int marker_read(struct disk *disk, struct marker *ret, struct rc_buf *free_ids,
		struct rc_error *error)
{
	struct rc_buf buf = RC_BUF_INIT;
	struct rc_reader r;
	int err = disk->ops->get(disk, marker_key, sizeof(marker_key), &buf, error);

	if (!err)
		err = disk->ops->get(disk, free_key, sizeof(free_key), free_ids, error);
	if (err) {
		rc_buf_done(&buf);
		return err;
	}
	r = rc_reader_of(buf.data, buf.len);
	ret->seq = rc_read_le64(&r);
	ret->block.height = rc_read_le32(&r);
	rc_read_into(&r, ret->block.id.b, 32);
	ret->coins = rc_read_le64(&r);
	ret->entries = rc_read_le64(&r);
	ret->next_id = rc_read_le32(&r);
	for (unsigned i = 0; i < TREE_NAMESPACES; i++) {
		struct tree_root *t = &ret->roots.ns[i];

		t->depth = rc_read_le16(&r);
		t->page = rc_read_le32(&r);
		rc_read_into(&r, t->key, RC_STATE_KEY_MAX);
		rc_read_into(&r, t->node.hash.b, 32);
		t->node.sum = rc_read_le64(&r);
	}
	if (!rc_reader_end(&r) || !free_ids_good(free_ids, ret->next_id))
		err = rc_error_set(error, RC_EFORMAT,
				   "state: its marker is damaged; restore a backup or remove the "
				   "state directory");
	rc_buf_done(&buf);
	return err;
}

/* ---- what is written ---- */

/* One coin made or gone, in one version. */
struct coin_op {
	const struct rc_outpoint *outpoint;
	const struct rc_coin *coin; /* NULL: gone */
	uint64_t seq;
};

static int compare_ops(const void *a, const void *b)
{
	const struct coin_op *x = a, *y = b;
	int c = rc_outpoint_cmp(x->outpoint, y->outpoint);

	return c ? c : (x->seq > y->seq) - (x->seq < y->seq);
}

/* The first version to write and the last, both in the line while this runs. */
struct span {
	struct version *first, *last;
};

static struct version *next_in(const struct span *span, const struct version *v)
{
	return v == span->last ? NULL : v->above;
}

static size_t list_coins(const struct span *span, struct coin_op **ret)
{
	struct coin_op *ops;
	size_t n = 0;

	for (struct version *v = span->first; v; v = next_in(span, v))
		n += (size_t)v->delta.n_spent + v->delta.n_created;
	ops = rc_alloc_array(n, sizeof(*ops));
	n = 0;
	for (struct version *v = span->first; v; v = next_in(span, v)) {
		struct coinmap_change c = version_coins(v);

		for (size_t i = 0; i < c.n_made; i++)
			ops[n++] = (struct coin_op){&c.made[i].outpoint, &c.made[i].coin, v->seq};
		for (size_t i = 0; i < c.n_spent; i++)
			ops[n++] = (struct coin_op){&c.spent[i].outpoint, NULL, v->seq};
	}
	qsort(ops, n, sizeof(*ops), compare_ops);
	*ret = ops;
	return n;
}

/* The net effect on each coin: one made and gone in between isn't written at all. */
static void put_coins(struct disk *disk, const struct span *span)
{
	RC_AUTOFREE struct coin_op *ops = NULL;
	size_t n = list_coins(span, &ops), end;

	for (size_t i = 0; i < n; i = end) {
		uint8_t key[COIN_DISK_KEY], value[RC_COIN_VALUE_MAX];
		const struct rc_coin *last;

		for (end = i + 1; end < n && rc_outpoint_eq(ops[end].outpoint, ops[i].outpoint);)
			end++;
		last = ops[end - 1].coin;
		coin_disk_key(ops[i].outpoint, key);
		if (last)
			disk->ops->put(disk, key, sizeof(key), value,
				       rc_coin_value_encode(last, value));
		else if (!ops[i].coin)
			disk->ops->del(disk, key, sizeof(key));
	}
}

/* In order of versions: the last word stands. */
static void put_entries(struct disk *disk, const struct span *span)
{
	for (struct version *v = span->first; v; v = next_in(span, v)) {
		bool undo = v->kind == VERSION_UNDO;

		for (uint32_t i = 0; i < v->delta.n_entries; i++) {
			const struct rc_delta_entry *e = &v->delta.entries[i];
			const struct rc_bytes *value = undo ? &e->before : &e->after;
			uint8_t key[ENTRY_DISK_KEY];
			size_t len = entry_disk_key(e->ns, e->key, key);

			if (undo ? e->has_before : e->has_after)
				disk->ops->put(disk, key, len, value->data, value->len);
			else
				disk->ops->del(disk, key, len);
		}
	}
}

static void put_ids(struct rc_buf *buf, const uint32_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		rc_buf_put_le32(buf, ids[i]);
}

static int compare_le32(const void *a, const void *b)
{
	uint32_t x = rc_get_le32(a), y = rc_get_le32(b);

	return (x > y) - (x < y);
}

void free_ids_settle(struct rc_buf *ids, uint32_t next)
{
	size_t n = 0;

	if (ids->len)
		qsort(ids->data, ids->len / 4, 4, compare_le32);
	for (size_t i = 0; i < ids->len; i += 4) {
		uint32_t id = rc_get_le32(ids->data + i);

		if (id >= next || (n && id == rc_get_le32(ids->data + n - 4)))
			continue;
		memmove(ids->data + n, ids->data + i, 4);
		n += 4;
	}
	ids->len = n;
}

/*
 * Ids that are free in the state as written: those free now, those that younger versions took,
 * those given up by what is written. An id may be listed twice while the builder works, and one may
 * be that was never used when the others were listed. (One it has taken for a version not finished
 * yet can be missing: after a crash it is just unused.)
 */
static uint32_t put_free_ids(struct ledger *ledger, const struct span *span, struct rc_buf *buf)
{
	uint32_t next = tree_free_ids(ledger->tree, buf);

	for (struct version *v = span->first; v; v = next_in(span, v))
		put_ids(buf, v->change.gone, v->change.n_gone);
	pthread_mutex_lock(&ledger->lock);
	for (struct version *v = span->last->above; v; v = v->above)
		if (atomic_load(&v->rooted))
			put_ids(buf, v->change.made, v->change.n_made);
	pthread_mutex_unlock(&ledger->lock);
	free_ids_settle(buf, next);
	return next;
}

static void put_pages(struct ledger *ledger, const struct span *span)
{
	RC_AUTOFREE uint32_t *ids = NULL;
	size_t n = 0;

	for (struct version *v = span->first; v; v = next_in(span, v))
		n += v->change.n_touched;
	ids = rc_alloc_array(n, sizeof(*ids));
	n = 0;
	for (struct version *v = span->first; v; v = next_in(span, v)) {
		for (size_t i = 0; i < v->change.n_touched; i++)
			ids[n++] = v->change.touched[i].id;
	}
	tree_put(ledger->tree, span->last->seq, ids, n);
}

/* ---- a flush ---- */

/* The newest version to write, pinned, and the oldest not yet written; false: nothing to do. */
static bool choose(struct ledger *ledger, struct span *span)
{
	struct version *v;
	bool any;

	pthread_mutex_lock(&ledger->lock);
	for (v = ledger->applied->below; v && v->seq > ledger->written;)
		v = v->below;
	any = v && v->seq > ledger->flushed;
	if (any) {
		v->pins++;
		span->last = v;
		while (v->seq > ledger->flushed + 1)
			v = v->below;
		span->first = v;
	}
	pthread_mutex_unlock(&ledger->lock);
	return any;
}

/* The state on disk never runs ahead of the log. */
static int sync_log(struct ledger *ledger, const struct version *upto, struct rc_error *error)
{
	struct disk *log = ledger->disks.log;
	uint64_t durable, written;
	int err;

	pthread_mutex_lock(&ledger->lock);
	durable = ledger->durable;
	written = ledger->written;
	pthread_mutex_unlock(&ledger->lock);
	if (durable >= upto->seq)
		return RC_OK;
	err = log->ops->sync(log, error);
	if (err)
		return err;
	pthread_mutex_lock(&ledger->lock);
	ledger_set_durable(ledger, written);
	pthread_mutex_unlock(&ledger->lock);
	return RC_OK;
}

/* The pages are handed to the disk as the last version has them: what the versions since took from
 * them, which is most of what they hold, needn't stay until they are on it. */
static void let_go_of_pages(struct ledger *ledger, const struct span *span)
{
	pthread_mutex_lock(&ledger->lock);
	span->last->pins--;
	pthread_mutex_unlock(&ledger->lock);
	ledger_collect(ledger);
}

static void finish(struct ledger *ledger, const struct span *span)
{
	uint64_t changes = 0;

	for (struct version *v = span->first; v; v = next_in(span, v)) {
		changes += version_changes(v);
		tree_flushed(ledger->tree, v->seq, v->change.gone, v->change.n_gone);
	}
	pthread_mutex_lock(&ledger->lock);
	ledger->flushed = span->last->seq;
	ledger->flushed_block = span->last->block;
	ledger->dirty_bytes = 0;
	for (const struct version *v = span->last; v != ledger->applied;) {
		v = v->above;
		ledger->dirty_bytes += version_dirty(v, ledger->flushed);
	}
	ledger->dirty_changes -= changes;
	pthread_cond_broadcast(&ledger->left);
	pthread_mutex_unlock(&ledger->lock);
	ledger_collect(ledger);
	tree_trim(ledger->tree);
	rc_mem_give_back();
}

static int flush(struct ledger *ledger, struct rc_error *error)
{
	struct disk *disk = ledger->disks.state;
	struct rc_buf free_ids = RC_BUF_INIT;
	struct marker marker;
	struct span span;
	int err;

	if (!choose(ledger, &span))
		return RC_OK;
	RC_TEST_POINT(UTXOD_FLUSH);
	err = sync_log(ledger, span.last, error);
	if (err)
		return err;
	RC_TEST_POINT(UTXOD_FLUSH_LOG);
	put_pages(ledger, &span);
	let_go_of_pages(ledger, &span);
	RC_TEST_POINT(UTXOD_FLUSH_PAGES);
	put_coins(disk, &span);
	put_entries(disk, &span);
	RC_TEST_POINT(UTXOD_FLUSH_COINS);
	marker = (struct marker){.seq = span.last->seq,
				 .block = span.last->block,
				 .coins = span.last->coins,
				 .entries = span.last->entries,
				 .roots = span.last->roots};
	marker.next_id = put_free_ids(ledger, &span, &free_ids);
	marker_put(disk, &marker, &free_ids);
	rc_buf_done(&free_ids);
	RC_TEST_POINT(UTXOD_FLUSH_MARKER);
	err = disk->ops->commit(disk, DISK_FLUSH, error);
	if (err)
		return err;
	RC_TEST_POINT(UTXOD_FLUSHED);
	finish(ledger, &span);
	RC_TEST_POINT(UTXOD_FLUSH_DONE);
	atomic_fetch_add(&ledger->flushes, 1);
	return RC_OK;
}

int ledger_flush(struct ledger *ledger, struct rc_error *error)
{
	int err;

	atomic_store(&ledger->flush_in_flight, true);
	err = flush(ledger, error);
	atomic_store(&ledger->flush_in_flight, false);
	return err;
}

bool ledger_flush_due(struct ledger *ledger)
{
	bool due;

	pthread_mutex_lock(&ledger->lock);
	due = ledger->dirty_bytes >= ledger->options.flush_bytes ||
	      ledger->dirty_changes >= ledger->options.flush_changes;
	due = due && ledger->applied->below && ledger->applied->below->seq > ledger->flushed &&
	      ledger->written > ledger->flushed;
	pthread_mutex_unlock(&ledger->lock);
	return due;
}
