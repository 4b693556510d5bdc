/* See file.h. Every failure names the path. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/test_point.h"

static void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

int rc_file_read(const char *path, size_t max, struct rc_buf *buf, struct rc_error *error)
{
	RC_CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t start = buf->len;

	if (fd < 0)
		return rc_error_errno(error, "%s", path);
	if (fstat(fd, &st) < 0)
		return rc_error_errno(error, "%s", path);
	if (!S_ISREG(st.st_mode))
		return rc_error_set(error, RC_EINVAL, "%s: not a regular file", path);
	for (;;) {
		ssize_t n;

		/* One byte more than allowed is asked for, to see a file that is too big. */
		if (buf->len - start > max) {
			buf->len = start;
			return rc_error_set(error, RC_ETOOBIG, "%s: more than %zu bytes", path,
					    max);
		}
		n = read(fd, rc_buf_reserve(buf, 65536), 65536);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			buf->len = start;
			return rc_error_errno(error, "%s", path);
		}
		if (n == 0)
			return RC_OK;
		buf->len += (size_t)n;
	}
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* errno says why. */
static int sync_failed(const char *path, struct rc_error *error)
{
	return rc_error_set(error, RC_ESYNC, "sync of %s: %s", path, strerror(errno));
}

int rc_dir_sync(const char *path, struct rc_error *error)
{
	RC_CLEANUP(closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return rc_error_errno(error, "sync of %s", path);
	return fsync(fd) < 0 ? sync_failed(path, error) : RC_OK;
}

static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir;

	if (!slash)
		return rc_strdup(".");
	dir = rc_strdup(path);
	dir[slash == path ? 1 : slash - path] = 0;
	return dir;
}

/* errno says what failed. */
static int give_up(const char *temp, struct rc_error *error)
{
	int err = rc_error_errno(error, "%s", temp);

	unlink(temp);
	return err;
}

int rc_file_replace(const char *path, const void *data, size_t len, mode_t mode,
		    struct rc_error *error)
{
	RC_AUTOFREE char *temp = rc_asprintf("%s.tmp", path);
	RC_AUTOFREE char *dir = parent_of(path);
	/* Before anything is changed: without a descriptor for it nothing is. */
	RC_CLEANUP(closep) int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	RC_CLEANUP(closep) int fd = -1;
	int err = RC_OK;

	if (dir_fd < 0)
		return rc_error_errno(error, "%s", path);
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return rc_error_errno(error, "%s", temp);
	RC_TEST_POINT_FILE(path, MADE);
	if (fchmod(fd, mode) < 0 || write_all(fd, data, len) < 0)
		return give_up(temp, error);
	RC_TEST_POINT_FILE(path, WRITTEN);
	if (fsync(fd) < 0) {
		err = sync_failed(temp, error);
		unlink(temp);
		return err;
	}
	RC_TEST_POINT_FILE(path, SYNCED);
	if (rename(temp, path) < 0)
		return give_up(temp, error);
	RC_TEST_POINT_FILE(path, RENAMED);
	if (fsync(dir_fd) < 0)
		err = sync_failed(dir, error);
	RC_TEST_POINT_FILE(path, SAVED);
	return err;
}

int rc_file_remove(const char *path, struct rc_error *error)
{
	RC_AUTOFREE char *dir = parent_of(path);
	/* Before anything is changed: without a descriptor for it nothing is. */
	RC_CLEANUP(closep) int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir_fd < 0)
		return rc_error_errno(error, "removing %s", path);
	if (unlink(path) < 0)
		return errno == ENOENT ? RC_OK : rc_error_errno(error, "removing %s", path);
	return fsync(dir_fd) < 0 ? sync_failed(dir, error) : RC_OK;
}

int rc_dir_make(const char *path, mode_t mode, struct rc_error *error)
{
	RC_AUTOFREE char *part = rc_strdup(path);
	struct stat st;

	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return rc_error_errno(error, "making directory %s", part);
		*p = '/';
	}
	if (mkdir(part, mode) < 0 && errno != EEXIST)
		return rc_error_errno(error, "making directory %s", part);
	if (stat(part, &st) < 0)
		return rc_error_errno(error, "%s", part);
	if (!S_ISDIR(st.st_mode))
		return rc_error_set(error, RC_EEXIST, "%s: not a directory", part);
	return RC_OK;
}

int rc_dir_lock(const char *dir, int *ret_fd, struct rc_error *error)
{
	RC_AUTOFREE char *path = rc_asprintf("%s/lock", dir);
	char pid[32] = "?";
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int n;

	if (fd < 0)
		return rc_error_errno(error, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int code = errno;
		ssize_t got = pread(fd, pid, sizeof(pid) - 1, 0);

		if (got > 0) {
			pid[got] = 0;
			pid[strcspn(pid, "\n")] = 0;
		}
		close(fd);
		if (code == EWOULDBLOCK)
			return rc_error_set(error, RC_ELOCKED,
					    "%s is in use by process %s: stop that one first, or "
					    "choose another directory",
					    dir, pid);
		errno = code;
		return rc_error_errno(error, "locking %s", path);
	}
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) != n) {
		int err = rc_error_errno(error, "%s", path);

		close(fd);
		return err;
	}
	*ret_fd = fd;
	return RC_OK;
}
