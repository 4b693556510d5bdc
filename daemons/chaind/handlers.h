/* The rows of chaind's messages, and what several of them share. */
#ifndef CHAIND_HANDLERS_H
#define CHAIND_HANDLERS_H

#include "daemons/chaind/chaind.h"
#include "proto/chaind.pb-c.h"

/* A view of 32 bytes and the like for a message's field. */
static inline ProtobufCBinaryData field_of(const void *data, size_t len)
{
	return (ProtobufCBinaryData){len, (uint8_t *)data};
}

/* Fills ref with a place of the chain. */
void fill_ref(Rc__BlockRef *ref, const struct block_node *node);

/* Reads an id of 32 bytes; false, and the request is answered with INVALID, if it is none. */
bool take_id(struct rc_request *request, ProtobufCBinaryData field, const char *what,
	     uint8_t ret_id[32]);
/* False: nobody knows yet what the tip is, as after a start, and the request is answered so:
 * telling the genesis block instead would be wrong. */
bool take_tip(struct chaind *chaind, struct rc_request *request);
/* The block of an id; NULL, and the request is answered, where it isn't known. */
struct block_node *take_block(struct chaind *chaind, struct rc_request *request,
			      ProtobufCBinaryData field);
/* Bulk frame 0 as items of this size; false, and answered, if its length isn't a multiple. */
bool take_items(struct rc_request *request, size_t item, struct rc_bytes *ret_items, size_t *ret_n);

/* read_handlers.c */
void on_chain_info(void *ctx, struct rc_request *request);
void on_block_id_at(void *ctx, struct rc_request *request);
void on_header(void *ctx, struct rc_request *request);
void on_block(void *ctx, struct rc_request *request);
void on_block_tx(void *ctx, struct rc_request *request);
void on_chain_tips(void *ctx, struct rc_request *request);
void on_headers(void *ctx, struct rc_request *request);
void on_locator(void *ctx, struct rc_request *request);
/* pool_handlers.c */
void on_mempool_info(void *ctx, struct rc_request *request);
void on_mempool_list(void *ctx, struct rc_request *request);
void on_mempool_tx(void *ctx, struct rc_request *request);
void on_pool_coins(void *ctx, struct rc_request *request);
void on_pool_lock(void *ctx, struct rc_request *request);
void on_pool_txs(void *ctx, struct rc_request *request);
void on_have_txs(void *ctx, struct rc_request *request);
/* wait_handlers.c */
void on_wait_tip(void *ctx, struct rc_request *request);
void on_template(void *ctx, struct rc_request *request);
void on_wanted(void *ctx, struct rc_request *request);
void on_release(void *ctx, struct rc_request *request);
/* submit_handlers.c */
void on_submit_headers(void *ctx, struct rc_request *request);
void on_submit_block(void *ctx, struct rc_request *request);
void on_submit_tx(void *ctx, struct rc_request *request);
/* compact_handlers.c */
void on_compact_block(void *ctx, struct rc_request *request);
void on_block_txns(void *ctx, struct rc_request *request);
void on_rebuild(void *ctx, struct rc_request *request);
/* admin_handlers.c */
void on_generate(void *ctx, struct rc_request *request);
void on_invalidate_block(void *ctx, struct rc_request *request);
void on_reconsider_block(void *ctx, struct rc_request *request);
void on_set_mock_time(void *ctx, struct rc_request *request);

#endif
