/* What arrives on the bus: envelope, greeting, and the body of every message, both ways. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "bus/frames.h"
#include "bus/message.h"
#include "proto/common.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read can be written again: packing walks every pointer that unpacking made. */
static void pack_again(const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *packed = malloc(len ? len : 1);

	if (packed && protobuf_c_message_pack(message, packed) != len)
		abort();
	free(packed);
}

static void decode(const ProtobufCMessageDescriptor *type, struct rc_bytes bytes)
{
	struct rc_bump bump = {0};
	const ProtobufCMessage *message = rc_body_decode(type, bytes, &bump);

	if (message)
		pack_again(message);
	rc_bump_done(&bump);
}

/* First byte: which message; odd: its answer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rc_bytes bytes = {data + 1, size - 1};
	struct rc_envelope envelope;
	struct rc_bump bump = {0};
	const struct rc_message_info *m;
	size_t n, i;

	if (!size)
		return 0;
	m = rc_messages(&n);
	i = data[0] / 2;
	if (i < n)
		decode(data[0] % 2 ? m[i].reply : m[i].request, bytes);
	else if (i == n)
		decode(&rc__hello__descriptor, bytes);
	else if (i == n + 1)
		decode(&rc__event__descriptor, bytes);
	else if (rc_envelope_decode(bytes, &bump, &envelope) && !envelope.text)
		abort();
	rc_bump_done(&bump);
	return 0;
}
