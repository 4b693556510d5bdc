/* Versions in a line: putting one on top, reading one, letting the oldest go. */
#include "daemons/utxod/ledger_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/test_point.h"
#include "daemons/utxod/delta_ops.h"

/* ---- one version ---- */

struct coinmap_change version_coins(const struct version *version)
{
	const struct rc_delta *d = &version->delta;

	if (version->kind == VERSION_UNDO)
		return (struct coinmap_change){d->spent, d->created, d->n_spent, d->n_created};
	return (struct coinmap_change){d->created, d->spent, d->n_created, d->n_spent};
}

struct registry_change version_registry(const struct version *version)
{
	return (struct registry_change){version->delta.entries, version->delta.n_entries,
					version->kind == VERSION_UNDO};
}

/* Memory it holds besides the shared structures, and of those what it keeps from being dropped. */
size_t version_bytes(const struct version *version)
{
	return version->encoded_len + version->arena.total + version->change.bytes +
	       version->change.page_bytes;
}

size_t version_own_bytes(const struct version *version)
{
	const struct tree_change *c = &version->change;

	return sizeof(*version) + version->encoded_len + version->arena.total +
	       c->n_touched * (sizeof(c->touched[0]) + sizeof(c->patch[0])) +
	       c->n_blocks * sizeof(c->block[0]) + (c->n_made + c->n_gone) * sizeof(uint32_t);
}

/* How much more a flush has to write for it: pages that were changed since the last one already are
 * written anyway. */
size_t version_dirty(const struct version *version, uint64_t flushed)
{
	const struct tree_change *c = &version->change;
	size_t bytes = 0;

	for (size_t i = 0; i < c->n_touched; i++)
		if (version->seq - flushed <= c->touched[i].age)
			bytes += c->touched[i].size;
	return version->encoded_len + version->arena.total + bytes;
}

uint64_t version_changes(const struct version *version)
{
	const struct rc_delta *d = &version->delta;

	return (uint64_t)d->n_spent + d->n_created + d->n_entries;
}

struct version *version_new(uint8_t *encoded, size_t len, enum version_kind kind)
{
	struct version *v = rc_alloc(sizeof(*v));

	v->kind = kind;
	v->encoded = encoded;
	v->encoded_len = len;
	v->arena = RC_ARENA_INIT;
	if (kind != VERSION_BASE && !rc_delta_decode(encoded, len, &v->arena, &v->delta)) {
		version_free(v);
		return NULL;
	}
	v->step = (struct block_ref){v->delta.height, v->delta.id};
	v->step_parent = v->delta.parent;
	v->block = v->step;
	if (kind == VERSION_UNDO)
		v->block = (struct block_ref){v->delta.height - 1, v->delta.parent};
	return v;
}

void version_free(struct version *version)
{
	tree_change_done(&version->change);
	rc_arena_done(&version->arena);
	free(version->encoded);
	free(version);
}

void ledger_step(const struct version *version, struct step *ret)
{
	*ret = (struct step){.seq = version->seq,
			     .kind = version->kind == VERSION_UNDO ? STEP_UNDO : STEP_APPLY,
			     .height = version->step.height,
			     .id = version->step.id,
			     .parent = version->step_parent,
			     .ref = version->ref,
			     .delta = {version->encoded, version->encoded_len}};
}

/* ---- on top ---- */

void ledger_count(struct ledger *ledger, struct version *v, size_t bytes)
{
	ledger->line_bytes += bytes - v->counted;
	v->counted = bytes;
	tree_beside(ledger->tree, ledger->line_bytes);
}

static void link_top(struct ledger *ledger, struct version *v)
{
	pthread_mutex_lock(&ledger->lock);
	ledger_count(ledger, v, version_own_bytes(v));
	ledger->top->above = v;
	ledger->top = v;
	ledger->staged_blocks++;
	ledger->staged_bytes += version_bytes(v);
	pthread_mutex_unlock(&ledger->lock);
}

/* Off the top again, when its last reader has left. */
static void unlink_top(struct ledger *ledger, struct version *v)
{
	pthread_mutex_lock(&ledger->lock);
	assert(ledger->top == v);
	atomic_store(&v->dead, true);
	ledger->top = v->below;
	ledger->top->above = NULL;
	ledger->staged_blocks--;
	ledger->staged_bytes -= version_bytes(v);
	ledger_count(ledger, v, 0);
	while (v->pins)
		pthread_cond_wait(&ledger->left, &ledger->lock);
	pthread_mutex_unlock(&ledger->lock);
}

/* Kept between blocks: 16,000 changes fit. Memory that is new for each block would be cleared by
 * the system first, a millisecond for 10,000. */
#define SCRATCH_KEPT ((size_t)4 << 20)

static int grow_tree(struct ledger *ledger, struct version *v, struct tree_change *ret_change,
		     struct rc_error *error)
{
	struct tree_ops ops[TREE_NAMESPACES];
	struct rc_arena *scratch = &ledger->scratch;
	int err;

	scratch->chunk = (size_t)version_changes(v) * DELTA_OPS_EACH + DELTA_OPS_ONCE;
	delta_ops(&v->delta, v->kind == VERSION_UNDO, scratch, ops);
	err = tree_update(ledger->tree, v->seq, &v->below->roots, ops, &v->roots, ret_change,
			  error);
	if (scratch->total > SCRATCH_KEPT)
		rc_arena_done(scratch);
	else
		rc_arena_reset(scratch);
	if (!err)
		tree_state_root(&v->roots, &v->root);
	return err;
}

/* How many entries there are after a version; inserts and removes fitted, so nothing wraps. */
static void count(struct version *v)
{
	const struct coinmap_change c = version_coins(v);
	bool undo = v->kind == VERSION_UNDO;

	v->coins = v->below->coins + c.n_made - c.n_spent;
	v->entries = v->below->entries;
	for (uint32_t i = 0; i < v->delta.n_entries; i++) {
		const struct rc_delta_entry *e = &v->delta.entries[i];

		v->entries += undo ? e->has_before : e->has_after;
		v->entries -= undo ? e->has_after : e->has_before;
	}
}

/* Whether the entries are before the version what its delta says, by what memory knows of them. */
static bool entries_known(struct ledger *ledger, const struct version *v)
{
	struct rc_buf value = RC_BUF_INIT;
	bool known = true;

	for (uint32_t i = 0; known && i < v->delta.n_entries; i++) {
		const struct rc_delta_entry *e = &v->delta.entries[i];
		bool there;

		rc_buf_clear(&value);
		known = registry_get(ledger->registry, v->below->seq, e->ns, e->key, &there,
				     &value) &&
			there == e->has_before &&
			(!there || (value.len == e->before.len &&
				    memcmp(value.data, e->before.data, value.len) == 0));
	}
	rc_buf_done(&value);
	return known;
}

/* Whether all coins together stay within the supply limit, when those it spends are there. */
static bool sum_fits(const struct version *v, const struct coinmap_change *coins)
{
	const struct tree_root *below = &v->below->roots.ns[RC_STATE_COINS - 1];
	rc_amount sum = below->depth == TREE_EMPTY ? 0 : below->node.sum;

	for (size_t i = 0; i < coins->n_spent; i++) {
		if (coins->spent[i].coin.amount > sum)
			return false;
		sum -= coins->spent[i].coin.amount;
	}
	for (size_t i = 0; i < coins->n_made; i++)
		if (!rc_amount_add(&sum, coins->made[i].coin.amount))
			return false;
	return true;
}

/* With the lock held. */
static bool is_applied(const struct ledger *ledger, const struct version *v)
{
	return v->seq <= ledger->applied->seq;
}

/* What the tree changed for it is there: until now only its builder knew of that. */
static void take_change(struct ledger *ledger, struct version *v, const struct tree_change *change)
{
	pthread_mutex_lock(&ledger->lock);
	if (is_applied(ledger, v)) {
		ledger->dirty_bytes -= version_dirty(v, ledger->flushed);
		v->change = *change;
		ledger->dirty_bytes += version_dirty(v, ledger->flushed);
	} else {
		ledger->staged_bytes -= version_bytes(v);
		v->change = *change;
		ledger->staged_bytes += version_bytes(v);
	}
	ledger_count(ledger, v, version_own_bytes(v));
	atomic_store(&v->rooted, true);
	pthread_cond_broadcast(&ledger->left);
	pthread_mutex_unlock(&ledger->lock);
}

/* Its tree can't be made. Applied already, it was known to fit: then the tree isn't what the coins
 * say, and there is no way back. */
static int drop_treeless(struct ledger *ledger, struct version *v, int err, struct rc_error *error)
{
	struct coinmap_change coins = version_coins(v);
	struct registry_change entries = version_registry(v);

	pthread_mutex_lock(&ledger->lock);
	v->sure = false;
	ledger->broken |= is_applied(ledger, v);
	pthread_cond_broadcast(&ledger->left);
	pthread_mutex_unlock(&ledger->lock);
	if (ledger->broken) {
		if (err == RC_EINVAL) {
			rc_error_prefix(error, "state: its tree is damaged: block %u",
					v->block.height);
			err = RC_EFORMAT;
		}
		return err;
	}
	unlink_top(ledger, v);
	coinmap_drop(ledger->coins, v->seq, &coins);
	registry_drop(ledger->registry, v->seq, &entries);
	version_free(v);
	return err;
}

int ledger_refuse_broken(struct ledger *ledger, struct rc_error *error)
{
	int err = RC_OK;

	pthread_mutex_lock(&ledger->lock);
	if (ledger->broken)
		err = rc_error_set(error, RC_EFORMAT,
				   "state: its tree is damaged: block %u has none, and isn't "
				   "written nor built on",
				   ledger->applied->block.height);
	pthread_mutex_unlock(&ledger->lock);
	return err;
}

int ledger_grow(struct ledger *ledger, struct version *v, struct rc_error *error)
{
	struct coinmap_change coins = version_coins(v);
	struct registry_change entries = version_registry(v);
	struct tree_change change = {0};
	enum coinmap_fit fit;
	int err;

	err = ledger_refuse_broken(ledger, error);
	if (err) {
		version_free(v);
		return err;
	}
	v->seq = ledger->top->seq + 1;
	v->below = ledger->top;
	fit = coinmap_apply(ledger->coins, v->seq, &coins);
	if (fit == COINMAP_UNFIT) {
		version_free(v);
		return rc_error_set(error, RC_EINVAL,
				    "delta doesn't fit the state: it spends a coin that isn't "
				    "there, or makes one that is");
	}
	v->sure = fit == COINMAP_KNOWN && v->kind == VERSION_APPLY && sum_fits(v, &coins) &&
		  entries_known(ledger, v);
	registry_apply(ledger->registry, v->seq, &entries);
	count(v);
	/* Coins can be read from here on; the root comes with the tree. */
	link_top(ledger, v);
	if (ledger->options.on_top)
		ledger->options.on_top(ledger->options.arg, v->sure);
	RC_TEST_POINT(UTXOD_STAGE_TOP);
	err = grow_tree(ledger, v, &change, error);
	if (err) {
		tree_change_done(&change);
		return drop_treeless(ledger, v, err, error);
	}
	take_change(ledger, v, &change);
	return RC_OK;
}

static void shrink(struct ledger *ledger)
{
	struct version *v = ledger->top;
	struct coinmap_change coins = version_coins(v);
	struct registry_change entries = version_registry(v);

	unlink_top(ledger, v);
	coinmap_drop(ledger->coins, v->seq, &coins);
	registry_drop(ledger->registry, v->seq, &entries);
	tree_drop(ledger->tree, v->seq, &v->change);
	atomic_fetch_add(&ledger->aborts, 1);
	version_free(v);
}

void ledger_abort(struct ledger *ledger, const struct rc_block_id *id)
{
	struct version *from = ledger->top;

	if (id) {
		while (from != ledger->applied &&
		       !(from->kind == VERSION_APPLY && rc_block_id_eq(&from->block.id, id)))
			from = from->below;
		if (from == ledger->applied)
			return;
		from = from->below;
	} else {
		from = ledger->applied;
		ledger->switching = false;
	}
	while (ledger->top != from) {
		shrink(ledger);
		RC_TEST_POINT(UTXOD_ABORTED);
	}
	ledger_collect(ledger);
}

void ledger_advance(struct ledger *ledger, struct version *to)
{
	while (ledger->applied != to) {
		struct version *v = ledger->applied->above;
		struct step step;

		ledger->staged_blocks--;
		ledger->staged_bytes -= version_bytes(v);
		ledger->dirty_bytes += version_dirty(v, ledger->flushed);
		ledger->dirty_changes += version_changes(v);
		ledger->applied = v;
		ledger_step(v, &step);
		deltalog_follow(ledger->log, &step);
		if (v->kind == VERSION_UNDO)
			atomic_fetch_add(&ledger->undone, 1);
		else
			atomic_fetch_add(&ledger->commits, 1);
		RC_TEST_POINT(UTXOD_COMMIT_APPLIED);
	}
}

/* ---- readers ---- */

/*~ Of the applied line, the versions that stand for the chain: from the tip down, each lower than
 * the one before; undo steps and what they took back are passed over. */
static struct version *next_of_chain(const struct version *v, uint64_t living)
{
	struct version *w = v->below;

	while (w && w->seq >= living && w->block.height >= v->block.height)
		w = w->below;
	return w && w->seq >= living ? w : NULL;
}

static struct version *find_by_id(struct ledger *ledger, const struct rc_block_id *at)
{
	struct version *v;

	if (!at)
		return ledger->applied;
	for (v = ledger->top; v != ledger->applied; v = v->below)
		if (rc_block_id_eq(&v->block.id, at))
			return v;
	while (v && !rc_block_id_eq(&v->block.id, at))
		v = next_of_chain(v, ledger->living);
	return v;
}

static int open_view(struct ledger *ledger, struct version *v, struct ledger_view *ret)
{
	v->pins++;
	pthread_mutex_unlock(&ledger->lock);
	*ret = (struct ledger_view){ledger, v, false, 0};
	return RC_OK;
}

int ledger_view_at(struct ledger *ledger, const struct rc_block_id *at, bool rooted,
		   struct ledger_view *ret)
{
	struct version *v;
	int err;

	pthread_mutex_lock(&ledger->lock);
	v = find_by_id(ledger, at);
	if (v && (!rooted || atomic_load(&v->rooted)))
		return open_view(ledger, v, ret);
	err = v ? RC_EBUSY : RC_ENOENT;
	pthread_mutex_unlock(&ledger->lock);
	return err;
}

int ledger_view_tip(struct ledger *ledger, struct ledger_view *ret)
{
	pthread_mutex_lock(&ledger->lock);
	while (!atomic_load(&ledger->applied->rooted) && !ledger->broken && !ledger->ending)
		pthread_cond_wait(&ledger->left, &ledger->lock);
	if (atomic_load(&ledger->applied->rooted))
		return open_view(ledger, ledger->applied, ret);
	pthread_mutex_unlock(&ledger->lock);
	return RC_ECANCELLED;
}

int ledger_view_height(struct ledger *ledger, uint32_t height, struct ledger_view *ret)
{
	struct version *v;
	int err;

	pthread_mutex_lock(&ledger->lock);
	for (v = ledger->applied; v && v->block.height > height;)
		v = next_of_chain(v, ledger->living);
	if (v && v->block.height == height && atomic_load(&v->rooted))
		return open_view(ledger, v, ret);
	err = v && v->block.height == height ? RC_EBUSY : RC_ENOENT;
	pthread_mutex_unlock(&ledger->lock);
	return err;
}

void ledger_view_close(struct ledger_view *view)
{
	struct ledger *ledger = view->ledger;

	pthread_mutex_lock(&ledger->lock);
	if (--view->version->pins == 0)
		pthread_cond_broadcast(&ledger->left);
	pthread_mutex_unlock(&ledger->lock);
	view->version = NULL;
}

void ledger_view_from_disk(struct ledger_view *view)
{
	struct ledger *ledger = view->ledger;

	pthread_mutex_lock(&ledger->lock);
	view->from_disk = true;
	view->written = ledger->flushed;
	pthread_mutex_unlock(&ledger->lock);
}

bool ledger_view_gone(const struct ledger_view *view)
{
	return atomic_load(&view->version->dead);
}

void ledger_view_block(const struct ledger_view *view, struct block_ref *ret)
{
	*ret = view->version->block;
}

void ledger_view_root(const struct ledger_view *view, struct rc_hash *ret_root)
{
	*ret_root = view->version->root;
}

void ledger_tips(struct ledger *ledger, struct block_ref *ret_applied,
		 struct block_ref *ret_durable)
{
	pthread_mutex_lock(&ledger->lock);
	*ret_applied = ledger->applied->block;
	*ret_durable = ledger->durable_block;
	pthread_mutex_unlock(&ledger->lock);
}

void ledger_seqs(struct ledger *ledger, uint64_t *ret_applied, uint64_t *ret_durable)
{
	pthread_mutex_lock(&ledger->lock);
	*ret_applied = ledger->applied->seq;
	*ret_durable = ledger->durable;
	pthread_mutex_unlock(&ledger->lock);
}

/* ---- letting go ---- */

/* With the lock held: the oldest version that keeps its readers. */
static uint64_t oldest_living(struct ledger *ledger)
{
	struct version *from = ledger->applied;
	const struct version *parent = next_of_chain(from, ledger->living);
	size_t bytes = 0, most = ledger->options.page_bytes / 16;

	for (unsigned kept = 1; kept < LEDGER_KEEP && from->below; kept++) {
		bytes += from->change.bytes;
		if (kept >= 2 && bytes > most)
			break;
		from = from->below;
	}
	/* State(tip − 1), which stands deeper after undo steps. */
	while (parent && from->seq > parent->seq)
		from = from->below;
	/* What the log has is what the next flush may write: its pages stay. */
	while (from->seq > ledger->written && from->below)
		from = from->below;
	for (struct version *v = ledger->bottom; v != from; v = v->above)
		if (v->pins)
			return v->seq;
	return from->seq;
}

/* Takes off the line what is neither living nor unflushed. */
static struct version *take_bottom(struct ledger *ledger)
{
	struct version *v;

	pthread_mutex_lock(&ledger->lock);
	v = ledger->bottom;
	if (v->seq < ledger->living && v->retired) {
		ledger->bottom = v->above;
		ledger->bottom->below = NULL;
		ledger_count(ledger, v, 0);
	} else {
		v = NULL;
	}
	pthread_mutex_unlock(&ledger->lock);
	return v;
}

void ledger_collect(struct ledger *ledger)
{
	uint64_t living, flushed;
	struct version *v;

	pthread_mutex_lock(&ledger->collecting);
	pthread_mutex_lock(&ledger->lock);
	living = ledger->living = oldest_living(ledger);
	flushed = ledger->flushed;
	v = ledger->bottom;
	pthread_mutex_unlock(&ledger->lock);
	/* The line up to `living` is nobody else's to change now. */
	for (; v && v->seq <= living; v = v->seq < living ? v->above : NULL) {
		if (!v->released)
			tree_release(ledger->tree, v->seq, &v->change);
		v->released = true;
		if (v->seq <= flushed && !v->retired) {
			struct coinmap_change coins = version_coins(v);
			struct registry_change entries = version_registry(v);

			coinmap_retire(ledger->coins, v->seq, &coins);
			registry_retire(ledger->registry, v->seq, &entries);
			v->retired = true;
		}
	}
	while ((v = take_bottom(ledger)))
		version_free(v);
	RC_TEST_POINT(UTXOD_COLLECTED);
	pthread_mutex_unlock(&ledger->collecting);
}
