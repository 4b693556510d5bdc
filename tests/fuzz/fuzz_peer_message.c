/* Decoding of every peer message: first byte which one, the rest its data. What is decoded packs
 * again, within the budget of its size. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "daemons/peerd/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rc_arena arena = RC_ARENA_INIT;
	const struct peer_message_info *rows, *info;
	const ProtobufCMessage *message;
	struct rc_bytes raw;
	size_t n;

	if (size < 1)
		return 0;
	rows = peer_messages(&n);
	info = &rows[data[0] % n];
	message = peer_message_decode(info, data + 1, size - 1, &arena);
	if (arena.budget && arena.total > arena.budget + 16)
		abort();
	if (message) {
		size_t len = protobuf_c_message_get_packed_size(message);
		uint8_t *packed = malloc(len ? len : 1);

		if (!packed || protobuf_c_message_pack(message, packed) != len)
			abort();
		free(packed);
	}
	if (peer_message_raw(data + 1, size - 1, &raw)) {
		struct rc_buf buf = RC_BUF_INIT;
		struct rc_bytes again;

		if (raw.data < data || raw.data + raw.len != data + size)
			abort();
		peer_message_put_raw(raw, &buf);
		if (!peer_message_raw(buf.data, buf.len, &again) || again.len != raw.len)
			abort();
		rc_buf_done(&buf);
	}
	rc_arena_done(&arena);
	return 0;
}
