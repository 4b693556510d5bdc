/* Records of chaind's index of headers. Each comes after two bytes: whether its header is put on
 * the block before it (an even one), and its length. What is read is written again to the same
 * bytes, but for a verdict that isn't known: that block is judged again. */
#include <stdint.h>
#include <string.h>

#include "base/num.h"
#include "daemons/chaind/blockstore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct block_node *node, const uint8_t *record, size_t len)
{
	struct rc_buf again = RC_BUF_INIT;

	blockstore_record_encode(node, &again);
	if (again.len != len || memcmp(again.data, record, len) != 0)
		__builtin_trap();
	rc_buf_done(&again);
}

/* Returns the block, or the one before it if it wasn't taken. */
static struct block_node *load(struct chain *chain, struct block_node *tip, bool on_tip,
			       uint8_t *record, size_t len)
{
	uint8_t key[BLOCKSTORE_KEY_SIZE] = {'h'};
	struct rc_header header;
	struct block_node *node;
	struct rc_block_id id;
	size_t lost = 0;

	if (len < RC_HEADER_SIZE)
		return tip;
	rc_header_decode(record, &header);
	if (on_tip) {
		header.prev = tip->id;
		header.height = node_height(tip) + 1;
		rc_header_encode(&header, record);
	}
	rc_header_id(record, &id);
	rc_put_be32(key + 1, header.height);
	memcpy(key + 5, id.b, 32);
	if (!blockstore_record_load(chain, (struct rc_bytes){key, sizeof(key)},
				    (struct rc_bytes){record, len}, &lost) ||
	    lost)
		return tip;
	node = chain_find(chain, &id);
	if (!node)
		__builtin_trap();
	if (node->flags & NODE_FAILED || !(record[RC_HEADER_SIZE] & NODE_FAILED))
		same(node, record, len);
	/* Under another name it is no record. */
	key[5] ^= 1;
	if (blockstore_record_load(chain, (struct rc_bytes){key, sizeof(key)},
				   (struct rc_bytes){record, len}, &lost))
		__builtin_trap();
	return node;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rc_network network;
	struct block_node *tip;
	uint8_t record[256];
	struct chain chain;

	rc_network_builtin("reg", &network);
	chain_init(&chain, &network);
	tip = chain.genesis;
	while (size >= 2) {
		size_t len = data[1] < size - 2 ? data[1] : size - 2;

		memcpy(record, data + 2, len);
		tip = load(&chain, tip, data[0] % 2 == 0, record, len);
		data += 2 + len;
		size -= 2 + len;
	}
	chain_loaded(&chain);
	if (!chain.best_header || !chain_best(&chain))
		__builtin_trap();
	chain_done(&chain);
	return 0;
}
