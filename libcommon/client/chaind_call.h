/* What the files of chaind's calls share: the functions a call may be answered by, and how an
 * answer is read. */
#ifndef RC_CLIENT_CHAIND_CALL_H
#define RC_CLIENT_CHAIND_CALL_H

#include <string.h>

#include <uthash.h>

#include "base/arena.h"
#include "client/chaind.h"
#include "proto/chaind.pb-c.h"

union chaind_fn {
	rc_chain_info_fn chain_info;
	rc_block_id_fn block_id;
	rc_header_info_fn header_info;
	rc_chain_tips_fn chain_tips;
	rc_mempool_info_fn mempool_info;
	rc_mempool_entry_fn mempool_entry;
	rc_pool_answer_fn pool_answer;
	rc_template_fn template_;
	rc_block_ref_fn block_ref;
	rc_bytes_fn bytes;
	rc_locator_fn locator;
	rc_submit_headers_fn submit_headers;
	rc_submit_block_fn submit_block;
	rc_submit_txs_fn submit_txs;
	rc_wanted_fn wanted;
	rc_have_txs_fn have_txs;
	rc_pool_txs_fn pool_txs;
	rc_block_part_fn block_part;
	rc_rebuild_fn rebuild;
	rc_done_fn done;
	rc_block_ids_fn block_ids;
};

/* A call that is open. */
struct chaind_call {
	UT_hash_handle hh; /* of those that can be cancelled */
	uint64_t id;
	struct rc_chaind *chaind;
	union chaind_fn fn;
	void *arg;
};

/* Makes one; 0: the client is closing, it is never answered. */
uint64_t rc_chaind_call(struct rc_chaind *chaind, enum rc_message message, const void *body,
			const struct rc_bytes *bulk, size_t n_bulk, uint32_t deadline_ms,
			rc_reply_fn answered, union chaind_fn fn, void *arg);
/* The end of a call, arg being that of its rc_reply_fn: what to call, freed. */
struct chaind_call rc_chaind_take(void *arg);

static inline ProtobufCBinaryData rc_chaind_field(const void *data, size_t len)
{
	return (ProtobufCBinaryData){len, (uint8_t *)data};
}

/* False: not an id. */
static inline bool rc_chaind_get32(ProtobufCBinaryData field, uint8_t ret[32])
{
	if (field.len != 32)
		return false;
	memcpy(ret, field.data, 32);
	return true;
}

/* An answer that can't be what was asked for is one we can't use. */
void rc_chaind_malformed(struct rc_reply *reply);
/* Its lists are the arena's. False: malformed. */
bool rc_chaind_get_entry(const Rc__MempoolEntry *e, struct rc_arena *arena,
			 struct rc_mempool_entry *ret);

#endif
