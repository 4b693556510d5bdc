/* What utxod finds when it opens its databases: the steps of the log, and the state's marker. First
 * byte which one; what is read is written again to the same bytes. */
#include <stdint.h>
#include <string.h>

#include "base/num.h"
#include "daemons/utxod/ledger_internal.h"

#define KEY_SIZE 9
/* seq, height, id, coins, entries, next id; of each namespace depth, page, key, hash and sum. */
#define MARKER_SIZE (8 + 4 + 32 + 8 + 8 + 4 + TREE_NAMESPACES * (2 + 4 + RC_STATE_KEY_MAX + 32 + 8))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(struct disk *disk, const void *key, size_t key_len, const uint8_t *data,
		 size_t len)
{
	struct rc_buf buf = RC_BUF_INIT;

	disk->ops->commit(disk, DISK_LAZY, NULL);
	if (disk->ops->get(disk, key, key_len, &buf, NULL) != RC_OK || buf.len != len ||
	    (len && memcmp(buf.data, data, len) != 0))
		__builtin_trap();
	rc_buf_done(&buf);
}

/* The chain is that of the steps that applied and weren't undone. */
static void check_chain(struct deltalog *log)
{
	uint32_t height = deltalog_tip(log), found;
	struct chain_entry entry;

	for (; height && height >= deltalog_lowest(log); height--)
		if (!deltalog_at(log, height, &entry) || !deltalog_find(log, &entry.id, &found) ||
		    found > deltalog_tip(log))
			__builtin_trap();
}

/* Steps of DELTALOG_HEAD bytes, one after another; what is left over is one of a wrong size. */
static void read_log(struct disk *disk, struct disk *other, const uint8_t *data, size_t size)
{
	const struct rc_block_id genesis = {{0}};
	struct rc_buf delta = RC_BUF_INIT;
	struct deltalog *log, *again;
	uint8_t key[KEY_SIZE] = {'h'};
	uint64_t seq = 0;
	struct step step;

	for (size_t at = 0, len; at < size; at += len) {
		len = size - at < DELTALOG_HEAD ? size - at : DELTALOG_HEAD;
		rc_put_be64(key + 1, ++seq);
		disk->ops->put(disk, key, sizeof(key), data + at, len);
	}
	disk->ops->commit(disk, DISK_LAZY, NULL);
	if (deltalog_open(disk, &genesis, &log, NULL) != RC_OK)
		return;
	if (deltalog_end(log) != seq || deltalog_open(other, &genesis, &again, NULL) != RC_OK)
		__builtin_trap();
	check_chain(log);
	for (seq = 1; seq <= deltalog_end(log); seq++, data += DELTALOG_HEAD) {
		bool read = deltalog_read(log, seq, &step, &delta, NULL) == RC_OK;

		/* What applies a block has no delta here. */
		if (read != (data[0] == STEP_UNDO))
			__builtin_trap();
		deltalog_put(again, &step, false);
		rc_put_be64(key + 1, seq);
		same(other, key, sizeof(key), data, DELTALOG_HEAD);
	}
	deltalog_free(again);
	deltalog_free(log);
	rc_buf_done(&delta);
}

/* The marker, and what follows it is the list of free pages. */
static void read_marker(struct disk *disk, struct disk *other, const uint8_t *data, size_t size)
{
	size_t len = size < MARKER_SIZE ? size : MARKER_SIZE;
	struct rc_buf free_ids = RC_BUF_INIT;
	struct marker marker;

	disk->ops->put(disk, "m", 1, data, len);
	disk->ops->put(disk, "f", 1, data + len, size - len);
	disk->ops->commit(disk, DISK_LAZY, NULL);
	if (marker_read(disk, &marker, &free_ids, NULL) == RC_OK) {
		marker_put(other, &marker, &free_ids);
		same(other, "m", 1, data, len);
		same(other, "f", 1, data + len, size - len);
	}
	rc_buf_done(&free_ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct disk_pair pair;

	if (!size)
		return 0;
	pair = (struct disk_pair){disk_memory_new(), disk_memory_new()};
	(data[0] & 1 ? read_marker : read_log)(pair.log, pair.state, data + 1, size - 1);
	disk_pair_close(&pair);
	return 0;
}
