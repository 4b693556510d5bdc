/*
 * The daemons behind rpcd, and how a call waits for them: held while one is restarting, begun again
 * when it says try again, given up after hold_ms.
 */
#ifndef RPCD_BACKENDS_H
#define RPCD_BACKENDS_H

#include "client/chaind.h"
#include "client/peerd.h"
#include "client/utxod.h"
#include "daemons/rpcd/rpcd.h"

/* A connection: the edges of rpcd in bus/topology.c. */
enum backend {
	BACKEND_CHAIND_READ,
	BACKEND_CHAIND_TEMPLATE, /* reading, too: templates alone, for their size */
	BACKEND_CHAIND_SUBMIT,
	BACKEND_CHAIND_ADMIN,
	BACKEND_UTXOD_READ,
	BACKEND_PEERD_READ,
	BACKEND_PEERD_ADMIN,
	BACKEND_COUNT
};

struct backends;

int backends_open(struct rpcd *rpcd, struct backends **ret, struct rc_error *error);
/* Every waiting call is answered first. NULL is fine. */
void backends_close(struct backends *backends);

enum rc_daemon backend_daemon(enum backend backend);
bool backend_up(const struct backends *backends, enum backend backend);
struct rc_client *backend_client(const struct backends *backends, enum backend backend);
struct rc_chaind *backend_chaind(const struct backends *backends, enum backend backend);
/* fn(arg) when a connection to chaind's read role comes or goes. */
void backends_on_chaind(struct backends *backends, void (*fn)(void *arg, bool up), void *arg);

/*
 * A handler asks like this:
 *
 *	rc_chaind_header(call_chaind(call), &id, call_deadline(call), on_header,
 *			 call_wait(call, BACKEND_CHAIND_READ));
 *
 * and its callback begins with
 *
 *	struct rpc_call *call = call_resume(arg, why);
 *	if (!call)
 *		return;
 *
 * where NULL means: the call is dealt with (answered with an error, held, or begun again).
 */
void *call_wait(struct rpc_call *call, enum backend backend);
struct rpc_call *call_resume(void *wait, const struct rc_reply *why);
/* As call_resume, but the errors a handler has its own words for (RC_ENOENT, RC_EEXIST, RC_EINVAL)
 * are left to it. */
struct rpc_call *call_resume_any(void *wait, const struct rc_reply *why);
/* For a question that waits for an event: bus is its id. If who asked the call hangs up, so does
 * the call (rpc_hang_up). Right after asking. */
void call_waits_for_event(struct rpc_call *call, uint64_t bus);
/* The error object for a reply's error. */
void call_fail_reply(struct rpc_call *call, const struct rc_reply *why);

uint32_t call_deadline(const struct rpc_call *call);
struct rc_chaind *call_chaind(const struct rpc_call *call); /* read */
struct rc_chaind *call_chaind_submit(const struct rpc_call *call);
struct rc_chaind *call_chaind_admin(const struct rpc_call *call);
struct rc_client *call_utxod(const struct rpc_call *call);
struct rc_client *call_peerd(const struct rpc_call *call); /* read */
struct rc_client *call_peerd_admin(const struct rpc_call *call);

#endif
