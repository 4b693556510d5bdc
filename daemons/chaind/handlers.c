/* The table of chaind's messages. See handlers.h. */
#include "daemons/chaind/handlers.h"

#include <string.h>

const struct rc_handler chaind_handlers[] = {
	{RC_MSG_CHAIN_INFO, on_chain_info},
	{RC_MSG_BLOCK_ID_AT, on_block_id_at},
	{RC_MSG_HEADER, on_header},
	{RC_MSG_BLOCK, on_block},
	{RC_MSG_BLOCK_TX, on_block_tx},
	{RC_MSG_CHAIN_TIPS, on_chain_tips},
	{RC_MSG_MEMPOOL_INFO, on_mempool_info},
	{RC_MSG_MEMPOOL_LIST, on_mempool_list},
	{RC_MSG_MEMPOOL_TX, on_mempool_tx},
	{RC_MSG_POOL_COINS, on_pool_coins},
	{RC_MSG_POOL_LOCK, on_pool_lock},
	{RC_MSG_TEMPLATE, on_template},
	{RC_MSG_WAIT_TIP, on_wait_tip},
	{RC_MSG_HEADERS, on_headers},
	{RC_MSG_LOCATOR, on_locator},
	{RC_MSG_POOL_TXS, on_pool_txs},
	{RC_MSG_COMPACT_BLOCK, on_compact_block},
	{RC_MSG_BLOCK_TXNS, on_block_txns},
	{RC_MSG_SUBMIT_HEADERS, on_submit_headers},
	{RC_MSG_SUBMIT_BLOCK, on_submit_block},
	{RC_MSG_SUBMIT_TX, on_submit_tx},
	{RC_MSG_WANTED, on_wanted},
	{RC_MSG_RELEASE, on_release},
	{RC_MSG_HAVE_TXS, on_have_txs},
	{RC_MSG_REBUILD, on_rebuild},
	{RC_MSG_GENERATE, on_generate},
	{RC_MSG_INVALIDATE_BLOCK, on_invalidate_block},
	{RC_MSG_RECONSIDER_BLOCK, on_reconsider_block},
	{RC_MSG_SET_MOCK_TIME, on_set_mock_time},
	{0, NULL},
};

void fill_ref(Rc__BlockRef *ref, const struct block_node *node)
{
	ref->height = node_height(node);
	ref->id = field_of(node->id.b, sizeof(node->id.b));
}

bool take_id(struct rc_request *request, ProtobufCBinaryData field, const char *what,
	     uint8_t ret_id[32])
{
	if (field.len != 32) {
		rc_request_fail(request, RC_EINVAL, "%s has %zu bytes, not 32", what, field.len);
		return false;
	}
	memcpy(ret_id, field.data, 32);
	return true;
}

bool take_tip(struct chaind *chaind, struct rc_request *request)
{
	if (!chaind->connect.tip_known)
		rc_request_fail(request, RC_EUNAVAILABLE, "waits for utxod, which has the tip");
	return chaind->connect.tip_known;
}

struct block_node *take_block(struct chaind *chaind, struct rc_request *request,
			      ProtobufCBinaryData field)
{
	struct rc_block_id id;
	struct block_node *node;
	char hex[RC_ID_HEX];

	if (!take_id(request, field, "the block's id", id.b))
		return NULL;
	node = chain_find(&chaind->chain, &id);
	if (!node)
		rc_request_fail(request, RC_ENOENT, "block %s is not known",
				rc_block_id_hex(hex, &id));
	return node;
}

bool take_items(struct rc_request *request, size_t item, struct rc_bytes *ret_items, size_t *ret_n)
{
	struct rc_bytes bulk = {NULL, 0};

	if (rc_request_n_bulk(request) > 0)
		bulk = rc_request_bulk(request, 0);
	if (bulk.len % item) {
		rc_request_fail(request, RC_EINVAL,
				"bulk frame 0 has %zu bytes, not a multiple of %zu", bulk.len,
				item);
		return false;
	}
	*ret_items = bulk;
	*ret_n = bulk.len / item;
	return true;
}
