/*
 * rpcd's state. It owns no durable fact: everything it answers comes from chaind, utxod and peerd;
 * what it keeps (the tip, the last word of each daemon) may be lost at any time.
 */
#ifndef RPCD_RPCD_H
#define RPCD_RPCD_H

#include "daemons/rpcd/auth.h"
#include "daemons/rpcd/room.h"
#include "daemons/rpcd/rpc.h"
#include "service/service.h"

struct rpcd {
	struct rc_service *service;
	struct rc_loop *loop;
	struct rc_metrics *metrics;
	struct rpc_table table;
	struct auth *auth;
	struct front *front;	   /* http.c */
	struct backends *backends; /* backends.c */
	struct tip *tip;	   /* tip.c */
	struct known *known;	   /* known.c */
	struct heavy *heavy;	   /* heavy.c */
	struct room room;	   /* of large answers */
	struct ops *ops;	   /* ops.c */
	struct watch *watch;	   /* watch.c */
	int64_t started_us;
	bool stopping; /* no new requests */
	bool closing;  /* and no new calls of those in hand */
};

/* Index of each row of rpcd_metrics (main.c). */
enum rpcd_metric {
	M_REQUESTS,
	M_CALLS,
	M_CALLS_FAILED,
	M_IN_FLIGHT,
	M_CONNECTIONS,
	M_AUTH_FAILED,
	M_REFUSED_BUSY,
	M_REFUSED_SIZE,
	M_HELD,
	M_HELD_TOO_LONG,
	M_BODY_BYTES,
	M_ANSWER_BYTES,
	M_KEPT_BODY_BYTES,
	M_WAITING,
	M_ANSWER_TIME,
	M_COUNT
};

static inline struct rpcd *call_rpcd(const struct rpc_call *call)
{
	return call->ctx;
}

static inline const struct rc_network *call_network(const struct rpc_call *call)
{
	return rc_service_network(call_rpcd(call)->service);
}

#endif
