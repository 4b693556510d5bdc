/*
 * Who is asking: the cookie, which is renewed at each start, or a user of an rpcauth line, whose
 * password is kept as a salted hash only.
 */
#ifndef RPCD_AUTH_H
#define RPCD_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "daemons/rpcd/rpc.h"

struct auth;

/* cookie_path NULL: no cookie. lines: "user:salt$hash" as Bitcoin Core's rpcauth.py makes them,
 * optionally with ":read", ":submit" or ":admin" (the default) after it. */
int auth_open(const char *cookie_path, const char *const *lines, size_t n_lines,
	      const struct rc_random *random, struct auth **ret, struct rc_error *error);
/* New rpcauth lines; on failure the old ones stay. */
int auth_reload(struct auth *auth, const char *const *lines, size_t n_lines,
		struct rc_error *error);
/* Removes the cookie file, wipes secrets. NULL is fine. */
void auth_close(struct auth *auth);

/* The value of the header Authorization (may be NULL). Takes the same time whoever it is. */
bool auth_check(const struct auth *auth, const char *header, enum rpc_class *ret_class);

/* How long to wait with the refusal of a wrong password: doubles with each failure within a minute,
 * from 100 ms to 5 s. Only who fails waits. */
uint32_t auth_failed(struct auth *auth, int64_t now_us);

#endif
