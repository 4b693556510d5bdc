/*
 * A library to preload: counts a program's input/output calls on files below some directories and
 * makes the Nth of one kind fail; or ignores every sync. How it is told: README.md, "badcall". What
 * happened stands in a file mapped by the program and by who watches it (struct report), so it is
 * there too when the program ended without a word.
 *
 * The C library's own calls (stdio, dlopen, threads) don't come by here.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { OPEN, READ, WRITE, SYNC, RENAME, MMAP, CHANGE, KINDS };
static const char *const KIND_NAMES[KINDS] = {"open",	"read", "write", "sync",
					      "rename", "mmap", "change"};
#define FDS	     4096
#define PATH_ROOM    384
#define REPORT_MAGIC UINT64_C(0x31304c4c41434442) /* "BDCALL01" */

/* badcall.py reads it: no padding, little-endian. */
struct report {
	uint64_t magic;
	_Atomic uint64_t calls[KINDS]; /* on files below the directories; of mmap all */
	_Atomic uint64_t failed;       /* calls made to fail */
	_Atomic uint64_t synced_again; /* syncs of a file after one of it was made to fail */
	_Atomic uint64_t ignored;      /* syncs not done */
	char call[32];		       /* the first that failed, and its file */
	char path[PATH_ROOM];
};

static struct report own_report; /* where no file is given */
static struct report *report = &own_report;
static struct {
	const char *dirs; /* with ':' between them */
	bool nosync;
	enum kind kind; /* KINDS: none */
	uint64_t nth;
	int error; /* 0: short */
	bool on;   /* all from the nth on */
} told = {.kind = KINDS};
static char *names[FDS]; /* of open files that are watched */
/* The file whose sync failed was removed: another one of its name is another file. */
static atomic_bool removed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static void usage(const char *why)
{
	fprintf(stderr, "badcall: %s (BADCALL=nosync | count | KIND:N:ERROR[+])\n", why);
	_exit(64);
}

static void parse(char *text)
{
	static const struct {
		const char *name;
		int error;
	} errors[] = {{"EIO", EIO},	{"ENOSPC", ENOSPC}, {"EMFILE", EMFILE}, {"EACCES", EACCES},
		      {"EROFS", EROFS}, {"ENOMEM", ENOMEM}, {"SHORT", 0}};
	char *nth = strchr(text, ':'), *error = nth ? strchr(nth + 1, ':') : NULL;
	size_t i = 0;

	if (!error)
		usage("three fields are wanted");
	*nth++ = *error++ = 0;
	told.on = error[0] && error[strlen(error) - 1] == '+';
	if (told.on)
		error[strlen(error) - 1] = 0;
	told.nth = strtoull(nth, NULL, 10);
	for (told.kind = 0; told.kind < KINDS && strcmp(KIND_NAMES[told.kind], text) != 0;)
		told.kind++;
	while (i < sizeof(errors) / sizeof(*errors) && strcmp(errors[i].name, error) != 0)
		i++;
	if (told.kind == KINDS || !told.nth || i == sizeof(errors) / sizeof(*errors))
		usage("an unknown kind, number or error");
	told.error = errors[i].error;
	if (!told.error && told.kind != READ && told.kind != WRITE)
		usage("only a read or a write can be short");
}

__attribute__((constructor)) static void begin(void)
{
	const char *what = getenv("BADCALL"), *file = getenv("BADCALL_REPORT");

	told.dirs = getenv("BADCALL_DIRS");
	if (!what || !told.dirs)
		usage("BADCALL and BADCALL_DIRS are needed");
	if (file) {
		int fd = REAL(open)(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		void *at = MAP_FAILED;

		if (fd >= 0 && REAL(ftruncate)(fd, sizeof(*report)) == 0)
			at = REAL(mmap)(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED,
					fd, 0);
		if (at == MAP_FAILED)
			usage("the report can't be made");
		REAL(close)(fd);
		report = at;
	}
	report->magic = REPORT_MAGIC;
	told.nosync = !strcmp(what, "nosync");
	if (!told.nosync && strcmp(what, "count") != 0)
		parse(strdup(what));
}

/* ---- which files ---- */

static bool below(const char *path)
{
	char full[PATH_MAX * 2];

	if (!told.dirs)
		return false; /* before begin() */
	if (path[0] != '/' && getcwd(full, PATH_MAX)) {
		size_t len = strlen(full);

		snprintf(full + len, sizeof(full) - len, "/%s", path);
		path = full;
	}
	for (const char *dir = told.dirs; *dir;) {
		size_t len = strcspn(dir, ":");

		if (!strncmp(path, dir, len) && (path[len] == '/' || !path[len]))
			return true;
		dir += len + (dir[len] == ':');
	}
	return false;
}

static int opened(int fd, const char *path)
{
	if (fd >= 0 && fd < FDS) {
		pthread_mutex_lock(&lock);
		free(names[fd]);
		names[fd] = strdup(path);
		pthread_mutex_unlock(&lock);
	}
	return fd;
}

static bool watched(int fd, char name[PATH_ROOM])
{
	bool yes = false;

	if (fd < 0 || fd >= FDS)
		return false;
	pthread_mutex_lock(&lock);
	if (names[fd]) {
		snprintf(name, PATH_ROOM, "%s", names[fd]);
		yes = true;
	}
	pthread_mutex_unlock(&lock);
	return yes;
}

/* ---- which calls ---- */

/* Counts a call; true when it is to fail, errno set. */
static bool bad(enum kind kind, const char *call, const char *path)
{
	uint64_t n = atomic_fetch_add(&report->calls[kind], 1) + 1;

	if (kind == SYNC && !removed && !strcmp(report->path, path) && report->failed &&
	    strstr(report->call, "sync"))
		atomic_fetch_add(&report->synced_again, 1);
	if (kind != told.kind || n < told.nth || (n > told.nth && !told.on))
		return false;
	if (atomic_fetch_add(&report->failed, 1) == 0) {
		snprintf(report->path, sizeof(report->path), "%s", path);
		snprintf(report->call, sizeof(report->call), "%s", call);
	}
	errno = told.error;
	return true;
}

static bool bad_fd(enum kind kind, const char *call, int fd)
{
	char name[PATH_ROOM];

	return watched(fd, name) && bad(kind, call, name);
}

static bool bad_path(enum kind kind, const char *call, const char *path)
{
	return below(path) && bad(kind, call, path);
}

/* How much of a transfer of len bytes is done: all, half of it (short), or nothing (error). */
static ssize_t share(enum kind kind, const char *call, int fd, size_t len)
{
	if (!bad_fd(kind, call, fd))
		return (ssize_t)len;
	if (told.error)
		return -1;
	return (ssize_t)(len > 1 ? len / 2 : len);
}

#define OPEN_BODY(call, ...)                   \
	mode_t mode = 0;                       \
	int fd;                                \
                                               \
	if (flags & (O_CREAT | __O_TMPFILE)) { \
		va_list ap;                    \
                                               \
		va_start(ap, flags);           \
		mode = va_arg(ap, mode_t);     \
		va_end(ap);                    \
	}                                      \
	if (bad_path(OPEN, #call, path))       \
		return -1;                     \
	fd = REAL(call)(__VA_ARGS__, mode);    \
	return fd >= 0 && below(path) ? opened(fd, path) : fd;

int open(const char *path, int flags, ...)
{
	OPEN_BODY(open, path, flags)
}

int open64(const char *path, int flags, ...)
{
	OPEN_BODY(open64, path, flags)
}

int openat(int dir, const char *path, int flags, ...){OPEN_BODY(openat, dir, path, flags)}

DIR *opendir(const char *path)
{
	return bad_path(OPEN, "opendir", path) ? NULL : REAL(opendir)(path);
}

static void closed(int fd)
{
	if (fd < 0 || fd >= FDS)
		return;
	pthread_mutex_lock(&lock);
	free(names[fd]);
	names[fd] = NULL;
	pthread_mutex_unlock(&lock);
}

int close(int fd)
{
	closed(fd);
	return REAL(close)(fd);
}

/* A stream made of a descriptor closes that without a call of close. */
int fclose(FILE *stream)
{
	closed(fileno(stream));
	return REAL(fclose)(stream);
}

ssize_t read(int fd, void *data, size_t len)
{
	ssize_t n = share(READ, "read", fd, len);

	return n < 0 ? n : REAL(read)(fd, data, (size_t)n);
}

ssize_t pread(int fd, void *data, size_t len, off_t at)
{
	ssize_t n = share(READ, "pread", fd, len);

	return n < 0 ? n : REAL(pread)(fd, data, (size_t)n, at);
}

ssize_t pread64(int fd, void *data, size_t len, off64_t at)
{
	ssize_t n = share(READ, "pread64", fd, len);

	return n < 0 ? n : REAL(pread64)(fd, data, (size_t)n, at);
}

ssize_t write(int fd, const void *data, size_t len)
{
	ssize_t n = share(WRITE, "write", fd, len);

	return n < 0 ? n : REAL(write)(fd, data, (size_t)n);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
	ssize_t n = share(WRITE, "pwrite", fd, len);

	return n < 0 ? n : REAL(pwrite)(fd, data, (size_t)n, at);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	ssize_t n = share(WRITE, "pwrite64", fd, len);

	return n < 0 ? n : REAL(pwrite64)(fd, data, (size_t)n, at);
}

static bool ignored(void)
{
	if (told.nosync)
		atomic_fetch_add(&report->ignored, 1);
	return told.nosync;
}

int fsync(int fd)
{
	return bad_fd(SYNC, "fsync", fd) ? -1 : ignored() ? 0 : REAL(fsync)(fd);
}

int fdatasync(int fd)
{
	return bad_fd(SYNC, "fdatasync", fd) ? -1 : ignored() ? 0 : REAL(fdatasync)(fd);
}

int sync_file_range(int fd, off64_t from, off64_t len, unsigned flags)
{
	/* Without flags it does nothing and can only fail where it is unknown: a question. */
	if (flags && bad_fd(SYNC, "sync_file_range", fd))
		return -1;
	return ignored() ? 0 : REAL(sync_file_range)(fd, from, len, flags);
}

int rename(const char *from, const char *to)
{
	return bad_path(RENAME, "rename", to) ? -1 : REAL(rename)(from, to);
}

/* Memory of no file too: there are few files that a database maps. */
void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	char name[PATH_ROOM] = "memory";

	watched(fd, name);
	return bad(MMAP, "mmap", name) ? MAP_FAILED : REAL(mmap)(at, len, prot, flags, fd, offset);
}

/* ---- what changes names and lengths ---- */

int mkdir(const char *path, mode_t mode)
{
	return bad_path(CHANGE, "mkdir", path) ? -1 : REAL(mkdir)(path, mode);
}

int link(const char *from, const char *to)
{
	return bad_path(CHANGE, "link", to) ? -1 : REAL(link)(from, to);
}

int unlink(const char *path)
{
	int err = bad_path(CHANGE, "unlink", path) ? -1 : REAL(unlink)(path);

	if (err == 0 && report->failed && !strcmp(report->path, path))
		removed = true;
	return err;
}

int truncate(const char *path, off_t len)
{
	return bad_path(CHANGE, "truncate", path) ? -1 : REAL(truncate)(path, len);
}

int ftruncate(int fd, off_t len)
{
	return bad_fd(CHANGE, "ftruncate", fd) ? -1 : REAL(ftruncate)(fd, len);
}

int fallocate(int fd, int mode, off_t at, off_t len)
{
	return bad_fd(CHANGE, "fallocate", fd) ? -1 : REAL(fallocate)(fd, mode, at, len);
}

int posix_fallocate(int fd, off_t at, off_t len)
{
	if (bad_fd(CHANGE, "posix_fallocate", fd))
		return errno;
	return REAL(posix_fallocate)(fd, at, len);
}
