/* Files as a daemon needs them: read whole within a limit, replaced in one step, locked. */
#ifndef RC_BASE_FILE_H
#define RC_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Appends the whole of a regular file to *buf. RC_ETOOBIG if it has more than max bytes. */
int rc_file_read(const char *path, size_t max, struct rc_buf *buf, struct rc_error *error);

/*
 * Replaces path by these bytes: temporary file beside it, fsync, rename, fsync of the directory.
 * After any crash the file has the old content or the new, whole. mode is the file's.
 * RC_ESYNC: a sync failed, so which of the two isn't known, and a sync that is tried again may lie.
 * All other errors leave the file as it was.
 */
int rc_file_replace(const char *path, const void *data, size_t len, mode_t mode,
		    struct rc_error *error);

/*
 * Removes a file; when it returns the name is gone for good. Fine if there is none. RC_ESYNC: it is
 * gone, but may be back after a crash. All other errors leave the file as it was.
 */
int rc_file_remove(const char *path, struct rc_error *error);

/* Makes a directory and its missing parents; fine if it is there already. */
int rc_dir_make(const char *path, mode_t mode, struct rc_error *error);

/* fsync of a directory: a new or renamed name in it is durable afterwards. RC_ESYNC if it fails. */
int rc_dir_sync(const char *path, struct rc_error *error);

/*
 * Takes the lock of a directory (flock on DIR/lock, which then holds our pid). RC_ELOCKED with the
 * holder's pid in the text if somebody has it. The lock goes with the descriptor *ret_fd.
 */
int rc_dir_lock(const char *dir, int *ret_fd, struct rc_error *error);

#endif
