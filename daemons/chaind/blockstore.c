/* The block store. See blockstore.h. */
#include "daemons/chaind/blockstore.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/reader.h"
#include "base/test_point.h"
#include "service/service.h"

#define BLOCKSTORE_FORMAT  1
#define BLOCKSTORE_READERS 2
/* In initial download, what may be lost in a power cut and fetched again. */
#define UNSYNCED_MAX (UINT64_C(32) << 20)
/* Figures are asked of RocksDB once in so many written batches. */
#define MEASURE_EVERY 64

struct waiter {
	struct waiter *next;
	blockstore_done_fn fn;
	void *arg;
};

struct write_batch {
	struct rc_store_batch *batch;
	struct waiter *waiters, *last;
	uint64_t bytes;
	bool sync;
};

struct blockstore {
	struct rc_work work; /* the writer's */
	struct rc_store *store;
	struct rc_workers *writer;
	struct rc_workers *readers;
	bool busy;
	struct write_batch running, next;
	uint64_t batches_done;
	bool closing;
	uint64_t unsynced;
	_Atomic uint64_t disk_bytes; /* written by the writer, read by the loop */
	unsigned until_measure;
};

static void key_encode(uint8_t key[BLOCKSTORE_KEY_SIZE], char kind, uint32_t height,
		       const struct rc_block_id *id)
{
	key[0] = (uint8_t)kind;
	rc_put_be32(key + 1, height);
	memcpy(key + 5, id->b, 32);
}

/* ---- records ---- */

size_t blockstore_record_encode(const struct block_node *node, struct rc_buf *buf)
{
	const char *verdict = node->flags & NODE_FAILED ? rc_verdict_name(node->verdict) : "";
	size_t before = buf->len;

	rc_header_encode(&node->header, rc_buf_add(buf, RC_HEADER_SIZE));
	rc_buf_put_u8(buf, node->flags & NODE_STORED_FLAGS);
	rc_buf_put_le64(buf, node->order);
	rc_buf_put_le32(buf, node->size);
	rc_buf_put_le32(buf, node->n_txs);
	rc_buf_put_u8(buf, (uint8_t)strlen(verdict));
	rc_buf_put(buf, verdict, strlen(verdict));
	return buf->len - before;
}

bool blockstore_record_load(struct chain *chain, struct rc_bytes key, struct rc_bytes value,
			    size_t *lost)
{
	struct rc_reader r = rc_reader_of(value.data, value.len);
	const uint8_t *raw = rc_read_bytes(&r, RC_HEADER_SIZE);
	uint8_t flags = rc_read_u8(&r);
	uint64_t order = rc_read_le64(&r);
	uint32_t size = rc_read_le32(&r);
	uint32_t n_txs = rc_read_le32(&r);
	size_t name_len = rc_read_u8(&r);
	const uint8_t *name = rc_read_bytes(&r, name_len);
	enum rc_verdict verdict = RC_VERDICT_OK;
	struct rc_header header;
	struct rc_block_id id;
	struct rc_u256 target;
	struct block_node *parent;
	char text[256];

	if (!rc_reader_end(&r) || key.len != BLOCKSTORE_KEY_SIZE || flags & ~NODE_STORED_FLAGS ||
	    (name_len && !(flags & NODE_FAILED)))
		return false;
	rc_header_decode(raw, &header);
	rc_header_id(raw, &id);
	if (memcmp(key.data + 5, id.b, 32) != 0 || rc_get_be32(key.data + 1) != header.height ||
	    !rc_bits_target(header.bits, &target))
		return false;
	memcpy(text, name, name_len);
	text[name_len] = '\0';
	/* A name this version doesn't know: the block is judged again. */
	if (flags & NODE_FAILED && (strlen(text) != name_len || !rc_verdict_parse(text, &verdict)))
		flags &= (uint8_t)~NODE_FAILED;
	parent = chain_find(chain, &header.prev);
	if (!parent || node_height(parent) + 1 != header.height || chain_find(chain, &id)) {
		(*lost)++;
		return true;
	}
	chain_restore_body(chain, chain_insert(chain, &header, &id, parent), flags, order, size,
			   n_txs, verdict);
	return true;
}

int blockstore_load(struct blockstore *store, struct chain *chain, struct rc_error *error)
{
	static const uint8_t from = 'h', to = 'i';
	struct rc_store_iter *iter = rc_store_iter_new(store->store, (struct rc_bytes){&from, 1},
						       (struct rc_bytes){&to, 1});
	struct rc_bytes key, value;
	size_t lost = 0, n = 0;
	int rc = RC_OK;

	while (rc == RC_OK && rc_store_iter_next(iter, &key, &value)) {
		n++;
		if (!blockstore_record_load(chain, key, value, &lost))
			rc = rc_error_set(error, RC_EFORMAT,
					  "%s has a damaged index record; restore a backup, or "
					  "remove the directory to fetch the chain again",
					  rc_store_path(store->store));
	}
	if (rc == RC_OK)
		rc = rc_store_iter_end(iter, error);
	else
		rc_store_iter_end(iter, NULL);
	if (rc < 0)
		return rc;
	if (lost)
		rc_log(RC_LOG_WARNING,
		       "%zu of %zu headers in the index have lost their parent; they are fetched "
		       "again",
		       lost, n);
	chain_loaded(chain);
	return RC_OK;
}

/* ---- life ---- */

static void run_batch(struct rc_work *work);
static void batch_done(struct rc_work *work);

int blockstore_open(const char *dir, const struct rc_network *network, size_t memory_bytes,
		    struct blockstore **ret, struct rc_error *error)
{
	RC_AUTOFREE char *path = rc_asprintf("%s/blocks", dir);
	struct rc_store_config config = {
		.kind = RC_STORE_BLOCKS,
		.path = path,
		.owner = "chaind/blocks",
		.format = BLOCKSTORE_FORMAT,
		.memory_bytes = memory_bytes,
	};
	struct blockstore *store = rc_alloc(sizeof(*store));
	int rc;

	memcpy(config.network, network->id.b, sizeof(config.network));
	rc = rc_store_open(&config, &store->store, error);
	if (rc < 0) {
		free(store);
		return rc;
	}
	store->work.run = run_batch;
	store->work.done = batch_done;
	store->running.batch = rc_store_batch_new();
	store->next.batch = rc_store_batch_new();
	store->writer = rc_workers_new(1, "blockwrite");
	store->readers = rc_workers_new(BLOCKSTORE_READERS, "blockread");
	*ret = store;
	return RC_OK;
}

void blockstore_close(struct blockstore *store)
{
	if (!store)
		return;
	store->closing = true;
	if (rc_store_batch_count(store->next.batch))
		blockstore_sync(store, NULL, NULL);
	/* Ends when nothing is left: a batch that is done starts the next one. */
	rc_workers_free(store->readers);
	rc_workers_free(store->writer);
	RC_TEST_POINT(CHAIND_CLOSE);
	rc_store_batch_free(store->running.batch);
	rc_store_batch_free(store->next.batch);
	rc_store_close(store->store);
	free(store);
}

struct rc_workers *blockstore_writer(struct blockstore *store)
{
	return store->writer;
}

struct rc_workers *blockstore_readers(struct blockstore *store)
{
	return store->readers;
}

uint64_t blockstore_disk_bytes(const struct blockstore *store)
{
	return atomic_load_explicit(&store->disk_bytes, memory_order_relaxed);
}

/* ---- writing ---- */

static void run_batch(struct rc_work *work)
{
	struct blockstore *store = (struct blockstore *)work;
	struct rc_error error;
	int rc = RC_OK;

	RC_TEST_POINT(CHAIND_STORE);
	if (rc_store_batch_count(store->running.batch))
		rc = rc_store_write(store->store, store->running.batch, store->running.sync,
				    &error);
	else if (store->running.sync)
		rc = rc_store_sync(store->store, &error);
	if (rc < 0)
		rc_service_die_io("%s; restarting from what is on disk", error.text);
	RC_TEST_POINT(CHAIND_STORE_WRITTEN);
	if (store->until_measure-- == 0) {
		struct rc_store_figures figures;

		rc_store_figures(store->store, &figures);
		atomic_store_explicit(&store->disk_bytes, figures.disk_bytes, memory_order_relaxed);
		store->until_measure = MEASURE_EVERY;
	}
}

static void start_batch(struct blockstore *store)
{
	struct rc_store_batch *spare = store->running.batch;

	if (store->busy ||
	    (!rc_store_batch_count(store->next.batch) && !store->next.waiters && !store->next.sync))
		return;
	store->unsynced += store->next.bytes;
	if (store->unsynced >= UNSYNCED_MAX)
		store->next.sync = true;
	if (store->next.sync)
		store->unsynced = 0;
	store->running = store->next;
	store->next = (struct write_batch){.batch = spare};
	store->busy = true;
	rc_workers_submit(store->writer, &store->work);
}

static void batch_done(struct rc_work *work)
{
	struct blockstore *store = (struct blockstore *)work;
	struct waiter *waiter = store->running.waiters;

	store->running.waiters = NULL;
	store->busy = false;
	store->batches_done++;
	start_batch(store);
	while (waiter) {
		struct waiter *next = waiter->next;

		waiter->fn(waiter->arg);
		free(waiter);
		waiter = next;
	}
}

static void add_waiter(struct write_batch *batch, blockstore_done_fn fn, void *arg)
{
	struct waiter *waiter;

	if (!fn)
		return;
	waiter = rc_alloc(sizeof(*waiter));
	waiter->fn = fn;
	waiter->arg = arg;
	*(batch->last && batch->waiters ? &batch->last->next : &batch->waiters) = waiter;
	batch->last = waiter;
}

static void collect_index(struct blockstore *store, struct chain *chain)
{
	struct rc_buf record = RC_BUF_INIT;
	struct block_node *node;

	while ((node = chain_next_dirty(chain))) {
		uint8_t key[BLOCKSTORE_KEY_SIZE];

		rc_buf_clear(&record);
		blockstore_record_encode(node, &record);
		key_encode(key, 'h', node_height(node), &node->id);
		rc_store_batch_put(store->next.batch, key, sizeof(key), record.data, record.len);
		store->next.bytes += record.len;
	}
	rc_buf_done(&record);
}

void blockstore_put_index(struct blockstore *store, struct chain *chain)
{
	collect_index(store, chain);
	start_batch(store);
}

void blockstore_put(struct blockstore *store, struct chain *chain, const struct block_node *node,
		    const void *raw, size_t len, bool sync, blockstore_done_fn fn, void *arg)
{
	uint8_t key[BLOCKSTORE_KEY_SIZE];

	collect_index(store, chain);
	key_encode(key, 'b', node_height(node), &node->id);
	rc_store_batch_put(store->next.batch, key, sizeof(key), raw, len);
	store->next.bytes += len;
	store->next.sync |= sync;
	add_waiter(&store->next, fn, arg);
	start_batch(store);
}

void blockstore_sync(struct blockstore *store, blockstore_done_fn fn, void *arg)
{
	store->next.sync = true;
	add_waiter(&store->next, fn, arg);
	start_batch(store);
}

/* ---- reading ---- */

struct read_job {
	struct rc_work work;
	struct blockstore *store;
	uint8_t key[BLOCKSTORE_KEY_SIZE];
	/* What is being written when this is asked for is there once so many batches are done. */
	uint64_t batch;
	bool early; /* it was asked for before that */
	bool found;
	struct rc_buf buf;
	void (*extra)(void *arg, struct rc_buf *buf);
	blockstore_read_fn fn;
	void *arg;
};

static void run_read(struct rc_work *work)
{
	struct read_job *job = (struct read_job *)work;
	struct rc_error error;
	int rc = rc_store_get(job->store->store, job->key, sizeof(job->key), &job->buf, &error);

	if (rc < 0) {
		if (rc != RC_ENOENT)
			rc_log(RC_LOG_ERR, "reading a block failed: %s", error.text);
		rc_buf_done(&job->buf);
		/* It may be on its way to the disk still. */
		if (job->early)
			return;
	}
	job->found = rc == RC_OK;
	if (job->extra)
		job->extra(job->arg, &job->buf);
}

static void read_done(struct rc_work *work);

static void read_again(void *arg)
{
	struct read_job *job = arg;

	job->early = false;
	if (!job->store->closing) {
		rc_workers_submit(job->store->readers, &job->work);
		return;
	}
	/* The readers end before what is being written is. */
	run_read(&job->work);
	read_done(&job->work);
}

static void read_done(struct rc_work *work)
{
	struct read_job *job = (struct read_job *)work;
	struct blockstore *store = job->store;

	/* The extra work may have taken the bytes, so they don't tell. */
	if (job->early && !job->found) {
		if (store->batches_done >= job->batch)
			read_again(job);
		else
			add_waiter(store->batches_done + 1 == job->batch ? &store->running
									 : &store->next,
				   read_again, job);
		return;
	}
	job->fn(job->arg, &job->buf);
	rc_buf_done(&job->buf);
	free(job);
}

void blockstore_get(struct blockstore *store, const struct block_node *node,
		    void (*extra)(void *arg, struct rc_buf *buf), blockstore_read_fn fn, void *arg)
{
	struct read_job *job = rc_alloc(sizeof(*job));

	job->work.run = run_read;
	job->work.done = read_done;
	job->store = store;
	job->batch =
		store->batches_done + store->busy + (rc_store_batch_count(store->next.batch) > 0);
	job->early = job->batch > store->batches_done;
	key_encode(job->key, 'b', node_height(node), &node->id);
	job->extra = extra;
	job->fn = fn;
	job->arg = arg;
	rc_workers_submit(store->readers, &job->work);
}
