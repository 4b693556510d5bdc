/*
 * A daemon's state directory: one process at a time, one network for ever. Its file `format` says
 * in text which daemon, which version of its files and which network the directory belongs to.
 */
#ifndef RC_SERVICE_STATE_DIR_H
#define RC_SERVICE_STATE_DIR_H

#include <stdint.h>

#include "base/err.h"

/*
 * Makes the directory if it isn't there, locks it, checks or writes its format file. RC_ELOCKED
 * with the holder's pid, RC_ENETWORK, RC_EVERSION, RC_ECONFIG (another daemon's). The lock goes
 * with *ret_lock_fd.
 */
int rc_state_dir_open(const char *dir, const char *daemon, unsigned format,
		      const uint8_t network_id[32], int *ret_lock_fd, struct rc_error *error);

#endif
