/*
 * The messages of the bus: one row each in messages.def, from which decoding, permission, limits,
 * names in logs and rustycoin-bus(7) are made.
 */
#ifndef RC_BUS_MESSAGE_H
#define RC_BUS_MESSAGE_H

#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "bus/topology.h"

enum rc_message {
#define RC_MESSAGE(NAME, number, daemon, role, snake, request_max, reply_max) \
	RC_MSG_##NAME = number,
#include "bus/messages.def"
#undef RC_MESSAGE
};

struct rc_message_info {
	enum rc_message message;
	const char *name;      /* "get_coins" */
	enum rc_daemon daemon; /* who answers; RC_DAEMON_COUNT: every daemon */
	enum rc_role role;     /* the least a client must have */
	uint32_t request_max;  /* bytes of body and bulk together */
	uint32_t reply_max;
	const ProtobufCMessageDescriptor *request;
	const ProtobufCMessageDescriptor *reply;
};

/* NULL for a number that isn't in the table. */
const struct rc_message_info *rc_message_find(uint32_t number);
const struct rc_message_info *rc_messages(size_t *ret_count);

#endif
