/* The table of messages, made from messages.def and the generated descriptors. */
#include "bus/message.h"

#include <stddef.h>

#include "base/num.h"
#include "proto/chaind.pb-c.h"
#include "proto/common.pb-c.h"
#include "proto/peerd.pb-c.h"
#include "proto/utxod.pb-c.h"

static const struct rc_message_info messages[] = {
#define RC_MESSAGE(NAME, number, daemon, role, snake, request_max, reply_max) \
	{RC_MSG_##NAME,                                                       \
	 #snake,                                                              \
	 daemon,                                                              \
	 role,                                                                \
	 request_max,                                                         \
	 reply_max,                                                           \
	 &rc__##snake##_request__descriptor,                                  \
	 &rc__##snake##_reply__descriptor},
#include "bus/messages.def"
#undef RC_MESSAGE
};

/* Rows stand in the order of their numbers. */
const struct rc_message_info *rc_message_find(uint32_t number)
{
	size_t low = 0, high = RC_ARRAY_LEN(messages);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if ((uint32_t)messages[middle].message < number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < RC_ARRAY_LEN(messages) && (uint32_t)messages[low].message == number)
		return &messages[low];
	return NULL;
}

const struct rc_message_info *rc_messages(size_t *ret_count)
{
	*ret_count = RC_ARRAY_LEN(messages);
	return messages;
}
