/*
 * What a daemon gives up before it does any work: new privileges, core dumps, all files but its
 * own, the network if it has no business there. Threads inherit it, so it comes before any thread.
 */
#ifndef RC_SERVICE_CONFINE_H
#define RC_SERVICE_CONFINE_H

#include <stdbool.h>

#include "base/err.h"

struct rc_confine {
	const char *const *writable; /* directories, the last is NULL; absent ones are left out */
	const char *const *readable; /* files and directories, likewise */
	bool network;		     /* TCP, and the files of name resolution */
};

/* What reads files lazily reads them now: OpenSSL, the time zone, one name (network only). Raises
 * the limit of descriptors to what is allowed. */
void rc_confine_prepare(bool network);

/* No core dumps. Also of an unconfined process, which a debugger may still attach to. */
int rc_confine_dumps(struct rc_error *error);

/* No core dumps, no reading or tracing of the process by others of its user, no new privileges, and
 * Landlock where the kernel has it; where not, the log says so, and only the rest holds. */
int rc_confine_enter(const struct rc_confine *confine, struct rc_error *error);

#endif
