/* The events of a daemon: numbered, kept for a while, sent to whoever listens. */
#ifndef RC_BUS_PUBLISHER_H
#define RC_BUS_PUBLISHER_H

#include <stdint.h>

#include "bus/loop.h"
#include "bus/zsock.h"
#include "proto/common.pb-c.h"

/* What a new subscriber gets first: from here on it sees everything. */
#define RC_EVENTS_HELLO "hello"
/* The publisher closes: reconnect (only in-process, where nothing else tells). */
#define RC_EVENTS_BYE "bye"

struct rc_publisher;

int rc_publisher_open(struct rc_loop *loop, const char *endpoint, uint64_t boot,
		      struct rc_publisher **ret, struct rc_error *error);
void rc_publisher_close(struct rc_publisher *publisher);
uint64_t rc_publisher_send(struct rc_publisher *publisher, const char *topic,
			   const ProtobufCMessage *body);
uint64_t rc_publisher_last(const struct rc_publisher *publisher);

/*
 * Answers Events(boot, since): calls answer with the reply, which is gone afterwards. As many
 * events as fit 4 MiB; whoever sees that last is greater than the last one got asks again.
 */
void rc_publisher_replay(const struct rc_publisher *publisher, const Rc__EventsRequest *request,
			 void (*answer)(void *arg, const Rc__EventsReply *reply), void *arg);

#endif
