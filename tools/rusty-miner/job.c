/* Template to header: coinbase built, Merkle root computed (20-consensus, "Coinbase", "Block"). */
#include "tools/rusty-miner/job.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "consensus/coinbase.h"
#include "consensus/merkle.h"
#include "types/block.h"
#include "types/tx.h"

#define COINBASE_TEXT "rusty-miner"
#define OUTPUTS_MAX   64u

static int wrong(struct rc_error *error, const char *member)
{
	return rc_error_set(error, RC_EFORMAT, "the template's \"%s\" can't be read", member);
}

static bool take_u32(const json_t *template, const char *member, uint32_t *ret)
{
	const json_t *value = json_object_get(template, member);
	json_int_t v = json_integer_value(value);

	if (!json_is_integer(value) || v < 0 || v > UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static bool take_bits(const json_t *template, uint32_t *ret)
{
	const char *text = json_string_value(json_object_get(template, "bits"));
	uint8_t be[4];

	if (!text || !rc_hex_decode(text, be, sizeof(be)))
		return false;
	*ret = rc_get_be32(be);
	return true;
}

/* The outputs that must come first, as they are encoded, then the miner's. */
static int put_outputs(const json_t *template, const uint8_t lock[RC_LOCK_KEY_SIZE],
		       struct rc_buf *buf, struct rc_error *error)
{
	json_t *fixed = json_object_get(template, "coinbaseoutputs"), *item;
	json_t *value = json_object_get(template, "coinbasevalue");
	size_t i;

	if (!json_is_array(fixed) || json_array_size(fixed) > OUTPUTS_MAX)
		return wrong(error, "coinbaseoutputs");
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return wrong(error, "coinbasevalue");
	rc_buf_put_cs(buf, json_array_size(fixed) + 1);
	json_array_foreach(fixed, i, item)
	{
		uint8_t *data;
		size_t len;

		if (!json_is_string(item) ||
		    !rc_hex_decode_alloc(json_string_value(item), json_string_length(item), &data,
					 &len))
			return wrong(error, "coinbaseoutputs");
		rc_buf_put(buf, data, len);
		free(data);
	}
	rc_buf_put_le64(buf, (uint64_t)json_integer_value(value));
	rc_buf_put(buf, lock, RC_LOCK_KEY_SIZE);
	return RC_OK;
}

static int put_coinbase(const json_t *template, uint32_t height,
			const uint8_t lock[RC_LOCK_KEY_SIZE], struct rc_buf *buf,
			struct rc_error *error)
{
	struct rc_coinbase coinbase = {
		.height = height, .free = {(const uint8_t *)COINBASE_TEXT, strlen(COINBASE_TEXT)}};
	struct rc_buf payload = RC_BUF_INIT;
	int err;

	rc_buf_put_le16(buf, RC_TX_VERSION);
	rc_buf_put_le16(buf, RC_TX_COINBASE);
	rc_buf_put_cs(buf, 0);
	err = put_outputs(template, lock, buf, error);
	if (err < 0)
		return err;
	rc_buf_put_le32(buf, 0);
	rc_coinbase_encode(&coinbase, &payload);
	rc_buf_put_cs(buf, payload.len);
	rc_buf_put(buf, payload.data, payload.len);
	rc_buf_done(&payload);
	return RC_OK;
}

static int put_txs(const json_t *list, struct rc_buf *txs, struct rc_wtxid *wtxids,
		   struct rc_error *error)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		json_t *data = json_object_get(item, "data");
		const char *id = json_string_value(json_object_get(item, "hash"));
		uint8_t *raw;
		size_t len;

		if (!json_is_string(data) || !id || !rc_wtxid_from_hex(id, &wtxids[i]) ||
		    !rc_hex_decode_alloc(json_string_value(data), json_string_length(data), &raw,
					 &len))
			return wrong(error, "transactions");
		rc_buf_put(txs, raw, len);
		free(raw);
	}
	return RC_OK;
}

static int read_members(const json_t *template, struct job *job, struct rc_error *error)
{
	const char *prev = json_string_value(json_object_get(template, "previousblockhash"));
	const char *root = json_string_value(json_object_get(template, "stateroot"));
	const char *poll = json_string_value(json_object_get(template, "longpollid"));

	job->header.version = RC_HEADER_VERSION;
	if (!take_u32(template, "height", &job->header.height))
		return wrong(error, "height");
	if (!prev || !rc_block_id_from_hex(prev, &job->header.prev))
		return wrong(error, "previousblockhash");
	if (!root || !rc_hash_from_hex(root, &job->header.state_root))
		return wrong(error, "stateroot");
	if (!take_u32(template, "curtime", &job->header.time) ||
	    !take_u32(template, "maxtime", &job->max_time))
		return wrong(error, "curtime");
	if (!take_bits(template, &job->header.bits) ||
	    !rc_bits_target(job->header.bits, &job->target))
		return wrong(error, "bits");
	if (!poll || strlen(poll) >= sizeof(job->longpollid))
		return wrong(error, "longpollid");
	memcpy(job->longpollid, poll, strlen(poll) + 1);
	return RC_OK;
}

static int make_body(const json_t *template, const uint8_t lock[RC_LOCK_KEY_SIZE], struct job *job,
		     struct rc_error *error)
{
	const json_t *list = json_object_get(template, "transactions");
	size_t n = json_array_size(list) + 1;
	RC_AUTOFREE struct rc_wtxid *wtxids = rc_alloc_array(n, sizeof(*wtxids));
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_tx coinbase;
	int err;

	err = put_coinbase(template, job->header.height, lock, &job->txs, error);
	if (err == RC_OK && !rc_tx_decode(job->txs.data, job->txs.len, &arena, &coinbase))
		err = wrong(error, "coinbaseoutputs");
	if (err == RC_OK) {
		wtxids[0] = coinbase.wtxid;
		err = put_txs(list, &job->txs, wtxids + 1, error);
	}
	if (err == RC_OK) {
		job->n_txs = (uint32_t)n;
		rc_tx_root(wtxids, sizeof(*wtxids), (uint32_t)n, &arena, &job->header.tx_root);
	}
	rc_arena_done(&arena);
	return err;
}

int job_make(const json_t *template, const uint8_t lock[RC_LOCK_KEY_SIZE], struct job *ret,
	     struct rc_error *error)
{
	struct job job = {.txs = RC_BUF_INIT};
	int err = read_members(template, &job, error);

	if (err == RC_OK)
		err = make_body(template, lock, &job, error);
	if (err < 0) {
		job_done(&job);
		return err;
	}
	*ret = job;
	return RC_OK;
}

void job_done(struct job *job)
{
	rc_buf_done(&job->txs);
}

char *job_block_hex(const struct job *job, uint64_t nonce)
{
	struct rc_header header = job->header;
	struct rc_buf block = RC_BUF_INIT;
	char *hex;

	header.nonce = nonce;
	rc_block_put_head(&block, &header, job->n_txs);
	rc_buf_put(&block, job->txs.data, job->txs.len);
	hex = rc_alloc(2 * block.len + 1);
	rc_hex_encode(hex, block.data, block.len);
	rc_buf_done(&block);
	return hex;
}
