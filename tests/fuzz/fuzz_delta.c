/* A delta on utxod's write socket or in its log: what is accepted encodes to the same bytes. */
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "types/delta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf again = RC_BUF_INIT;
	struct rc_delta delta, head;

	if (rc_delta_decode(data, size, &arena, &delta)) {
		rc_delta_encode(&delta, &again);
		if (again.len != size || memcmp(again.data, data, size) != 0)
			__builtin_trap();
		if (!rc_delta_decode_head(data, size, &head) ||
		    !rc_block_id_eq(&head.id, &delta.id) || head.height != delta.height)
			__builtin_trap();
	}
	rc_buf_done(&again);
	rc_arena_done(&arena);
	return 0;
}
