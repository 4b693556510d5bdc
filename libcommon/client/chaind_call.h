/* What the files of chaind's calls share: the functions a call may be answered by, and how an
 * answer is read. */
#ifndef RC_CLIENT_CHAIND_CALL_H
#define RC_CLIENT_CHAIND_CALL_H

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

/* An answer that can't be what was asked for is one we can't use. */
void rc_chaind_malformed(struct rc_reply *reply);
/* Its lists are the arena's. False: malformed. */
bool rc_chaind_get_entry(const Rc__MempoolEntry *e, struct rc_arena *arena,
			 struct rc_mempool_entry *ret);

#endif
