/* Steps on disk, and the chain they leave. */
#include "daemons/utxod/deltalog.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/num.h"
#include "base/reader.h"
#include "base/test_point.h"

#define KEY_SIZE 9
/* Pruned in strides: each deletes two keys a block. */
#define PRUNE_STRIDE 16

struct chain_row {
	UT_hash_handle hh;
	struct chain_entry entry;
	uint32_t height;
};

struct deltalog {
	struct disk *disk;
	struct rc_block_id genesis;
	uint64_t begin, end; /* steps on disk */
	pthread_mutex_t lock;
	struct chain_row **row; /* heights first … first + n − 1 */
	size_t n, cap;
	uint32_t first;
	struct chain_row *by_id;
};

static void key_of(uint8_t kind, uint64_t seq, uint8_t key[KEY_SIZE])
{
	key[0] = kind;
	rc_put_be64(key + 1, seq);
}

/* ---- the chain ---- */

static void push_row(struct deltalog *log, const struct step *step)
{
	struct chain_row *row = rc_alloc(sizeof(*row));

	row->entry = (struct chain_entry){step->id, step->parent, step->seq};
	row->height = step->height;
	if (log->n == log->cap) {
		log->cap = log->cap ? 2 * log->cap : 256;
		log->row = rc_realloc_array(log->row, log->cap, sizeof(struct chain_row *));
	}
	if (!log->n)
		log->first = step->height;
	log->row[log->n++] = row;
	HASH_ADD(hh, log->by_id, entry.id, sizeof(struct rc_block_id), row);
}

static void drop_row(struct deltalog *log, struct chain_row *row)
{
	HASH_DELETE(hh, log->by_id, row);
	free(row);
}

/* False: the step doesn't continue the chain. */
static bool follow(struct deltalog *log, const struct step *step)
{
	const struct chain_row *top = log->n ? log->row[log->n - 1] : NULL;

	if (step->kind == STEP_UNDO) {
		if (!top || !rc_block_id_eq(&top->entry.id, &step->id))
			return false;
		drop_row(log, log->row[--log->n]);
		return true;
	}
	if (top &&
	    (step->height != top->height + 1 || !rc_block_id_eq(&step->parent, &top->entry.id)))
		return false;
	push_row(log, step);
	return true;
}

void deltalog_follow(struct deltalog *log, const struct step *step)
{
	pthread_mutex_lock(&log->lock);
	follow(log, step);
	pthread_mutex_unlock(&log->lock);
}

bool deltalog_at(struct deltalog *log, uint32_t height, struct chain_entry *ret)
{
	bool found = true;

	pthread_mutex_lock(&log->lock);
	if (log->n && height >= log->first && height - log->first < log->n)
		*ret = log->row[height - log->first]->entry;
	else if (height == 0)
		*ret = (struct chain_entry){.id = log->genesis};
	else if (log->n && height + 1 == log->first)
		*ret = (struct chain_entry){.id = log->row[0]->entry.parent};
	else
		found = false;
	pthread_mutex_unlock(&log->lock);
	return found;
}

bool deltalog_find(struct deltalog *log, const struct rc_block_id *id, uint32_t *ret_height)
{
	struct chain_row *row;
	bool found = true;

	pthread_mutex_lock(&log->lock);
	HASH_FIND(hh, log->by_id, id, sizeof(*id), row);
	if (row)
		*ret_height = row->height;
	else if (rc_block_id_eq(id, &log->genesis))
		*ret_height = 0;
	else if (log->n && rc_block_id_eq(id, &log->row[0]->entry.parent))
		*ret_height = log->first - 1;
	else
		found = false;
	pthread_mutex_unlock(&log->lock);
	return found;
}

uint32_t deltalog_tip(struct deltalog *log)
{
	uint32_t tip;

	pthread_mutex_lock(&log->lock);
	tip = log->n ? log->row[log->n - 1]->height : 0;
	pthread_mutex_unlock(&log->lock);
	return tip;
}

uint32_t deltalog_lowest(struct deltalog *log)
{
	uint32_t lowest;

	pthread_mutex_lock(&log->lock);
	lowest = log->n ? log->first : 0;
	pthread_mutex_unlock(&log->lock);
	return lowest;
}

/* ---- disk ---- */

static bool decode_head(struct rc_bytes key, struct rc_bytes value, struct step *step)
{
	struct rc_reader r = rc_reader_of(value.data, value.len);

	memset(step, 0, sizeof(*step));
	if (key.len != KEY_SIZE)
		return false;
	step->seq = rc_get_be64(key.data + 1);
	step->kind = rc_read_u8(&r);
	step->height = rc_read_le32(&r);
	rc_read_into(&r, step->id.b, 32);
	rc_read_into(&r, step->parent.b, 32);
	step->ref = rc_read_le64(&r);
	return rc_reader_end(&r) && (step->kind == STEP_APPLY || step->kind == STEP_UNDO);
}

struct opening {
	struct deltalog *log;
	bool bad;
};

static bool open_step(void *arg, struct rc_bytes key, struct rc_bytes value)
{
	struct opening *o = arg;
	struct deltalog *log = o->log;
	struct step step;

	if (!decode_head(key, value, &step) || (log->end && step.seq != log->end + 1) ||
	    !follow(log, &step)) {
		o->bad = true;
		return false;
	}
	if (!log->begin)
		log->begin = step.seq;
	log->end = step.seq;
	return true;
}

int deltalog_open(struct disk *disk, const struct rc_block_id *genesis, struct deltalog **ret,
		  struct rc_error *error)
{
	static const uint8_t from[] = {'h'}, to[] = {'h' + 1};
	struct deltalog *log = rc_alloc(sizeof(*log));
	struct opening o = {log, false};
	int err;

	log->disk = disk;
	log->genesis = *genesis;
	pthread_mutex_init(&log->lock, NULL);
	err = disk->ops->walk(disk, (struct rc_bytes){from, 1}, (struct rc_bytes){to, 1}, open_step,
			      &o, error);
	if (!err && o.bad)
		err = rc_error_set(error, RC_EFORMAT,
				   "log of deltas: the step after %llu doesn't continue the chain; "
				   "restore a backup or remove the state directory",
				   (unsigned long long)log->end);
	if (err) {
		deltalog_free(log);
		return err;
	}
	*ret = log;
	return RC_OK;
}

void deltalog_free(struct deltalog *log)
{
	if (!log)
		return;
	while (log->n)
		drop_row(log, log->row[--log->n]);
	free(log->row);
	pthread_mutex_destroy(&log->lock);
	free(log);
}

uint64_t deltalog_end(const struct deltalog *log)
{
	return log->end;
}

uint64_t deltalog_begin(const struct deltalog *log)
{
	return log->begin;
}

void deltalog_put_delta(struct deltalog *log, uint64_t seq, struct rc_bytes delta)
{
	uint8_t key[KEY_SIZE];

	key_of('d', seq, key);
	log->disk->ops->put(log->disk, key, KEY_SIZE, delta.data, delta.len);
}

void deltalog_put(struct deltalog *log, const struct step *step, bool with_delta)
{
	struct rc_buf head = RC_BUF_INIT;
	uint8_t key[KEY_SIZE];

	rc_buf_put_u8(&head, (uint8_t)step->kind);
	rc_buf_put_le32(&head, step->height);
	rc_buf_put(&head, step->id.b, 32);
	rc_buf_put(&head, step->parent.b, 32);
	rc_buf_put_le64(&head, step->ref);
	key_of('h', step->seq, key);
	log->disk->ops->put(log->disk, key, KEY_SIZE, head.data, head.len);
	if (step->kind == STEP_APPLY && with_delta)
		deltalog_put_delta(log, step->seq, step->delta);
	rc_buf_done(&head);
	if (!log->begin)
		log->begin = step->seq;
	log->end = step->seq;
}

/* Takes rows off the low end; returns the first step that must stay. */
static uint64_t forget_rows(struct deltalog *log, uint32_t keep, uint64_t flushed)
{
	size_t gone = 0;
	uint64_t stays = 0;

	pthread_mutex_lock(&log->lock);
	if (log->n > (size_t)keep + PRUNE_STRIDE) {
		while (log->n - gone > keep && log->row[gone + 1]->entry.seq <= flushed)
			drop_row(log, log->row[gone++]);
		memmove(log->row, log->row + gone, (log->n - gone) * sizeof(struct chain_row *));
		log->n -= gone;
		log->first += (uint32_t)gone;
		stays = log->row[0]->entry.seq;
	}
	pthread_mutex_unlock(&log->lock);
	return gone ? stays : 0;
}

void deltalog_prune(struct deltalog *log, uint32_t keep, uint64_t flushed)
{
	uint64_t stays = forget_rows(log, keep, flushed);
	uint8_t key[KEY_SIZE];

	for (; log->begin < stays; log->begin++) {
		key_of('h', log->begin, key);
		log->disk->ops->del(log->disk, key, KEY_SIZE);
		key_of('d', log->begin, key);
		log->disk->ops->del(log->disk, key, KEY_SIZE);
		RC_TEST_POINT(UTXOD_LOG_PRUNED);
	}
}

int deltalog_read(struct deltalog *log, uint64_t seq, struct step *ret_step, struct rc_buf *delta,
		  struct rc_error *error)
{
	struct rc_buf head = RC_BUF_INIT;
	uint8_t key[KEY_SIZE];
	int err;

	key_of('h', seq, key);
	err = log->disk->ops->get(log->disk, key, KEY_SIZE, &head, error);
	if (!err && !decode_head((struct rc_bytes){key, KEY_SIZE},
				 (struct rc_bytes){head.data, head.len}, ret_step))
		err = RC_EFORMAT;
	if (!err && ret_step->kind == STEP_APPLY) {
		key_of('d', seq, key);
		err = log->disk->ops->get(log->disk, key, KEY_SIZE, delta, error);
		ret_step->delta = (struct rc_bytes){delta->data, delta->len};
	}
	rc_buf_done(&head);
	if (err == RC_ENOENT || err == RC_EFORMAT)
		err = rc_error_set(error, RC_EFORMAT, "log of deltas: step %llu is %s",
				   (unsigned long long)seq,
				   err == RC_ENOENT ? "missing" : "damaged");
	return err;
}
