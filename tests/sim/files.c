/*
 * Files in memory, behind the system calls themselves (the linker's --wrap): base/file.c, the
 * pool's journal and what else opens files run as they are. A power cut takes from each file what
 * was written since its last sync, or the end of that, and may leave other bytes there; a rename
 * whose directory wasn't synced may be undone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uthash.h>

#include "base/buf.h"
#include "sim.h"

#define FD_FIRST 100000
#define FDS	 4096

struct inode {
	struct rc_buf bytes;
	size_t synced; /* of them */
	bool locked;
};

struct name {
	char *path;
	unsigned node;
	bool directory;
	struct inode *inode;
	/* What a power cut may bring back: what was here before a rename that wasn't synced. */
	bool renamed;
	struct inode *before;
	UT_hash_handle hh;
};

struct file {
	struct sim_proc *proc; /* NULL: free */
	struct name *name;
	struct inode *inode;
	size_t at;
	bool append, locks;
};

static struct name *names;
static struct file files[FDS];

static struct name *name_of(const char *path)
{
	struct name *name;

	HASH_FIND_STR(names, path, name);
	return name;
}

static struct name *name_make(const char *path)
{
	struct name *name = rc_alloc(sizeof(*name));

	name->path = rc_strdup(path);
	name->node = sim.current ? sim.current->node : SIM_NOBODY;
	HASH_ADD_KEYPTR(hh, names, name->path, strlen(name->path), name);
	return name;
}

static int fail(int code)
{
	errno = code;
	return -1;
}

static bool there(const struct name *name)
{
	return name && (name->directory || name->inode);
}

static struct file *file_of(int fd)
{
	if (fd < FD_FIRST || fd >= FD_FIRST + FDS || files[fd - FD_FIRST].proc != sim.current)
		sim_fail("descriptor %d isn't this process's", fd);
	return &files[fd - FD_FIRST];
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	struct name *name = name_of(path);
	int fd = 0;

	if (!sim.current) /* the program's own: what an instrumented build writes at its end */
		return __real_open(path, flags, 0644);
	if (!there(name)) {
		if (!(flags & O_CREAT))
			return fail(ENOENT);
		if (!name)
			name = name_make(path);
		name->inode = rc_alloc(sizeof(*name->inode));
	}
	while (fd < FDS && files[fd].proc)
		fd++;
	if (fd == FDS)
		return fail(EMFILE);
	if (flags & O_TRUNC && name->inode)
		name->inode->bytes.len = name->inode->synced = 0;
	files[fd] = (struct file){.proc = sim.current,
				  .name = name,
				  .inode = name->inode,
				  .append = flags & O_APPEND};
	return FD_FIRST + fd;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	struct file *f;

	if (fd < FD_FIRST) /* the program's own */
		return __real_close(fd);
	f = file_of(fd);
	if (f->locks)
		f->inode->locked = false;
	f->proc = NULL;
	return 0;
}

ssize_t __real_read(int fd, void *dst, size_t len);
ssize_t __wrap_read(int fd, void *dst, size_t len);
ssize_t __wrap_read(int fd, void *dst, size_t len)
{
	struct file *f;
	size_t left;

	if (fd < FD_FIRST) /* the program's own */
		return __real_read(fd, dst, len);
	f = file_of(fd);
	left = f->inode->bytes.len - f->at;
	len = len < left ? len : left;
	if (len)
		memcpy(dst, f->inode->bytes.data + f->at, len);
	f->at += len;
	return (ssize_t)len;
}

ssize_t __wrap_pread(int fd, void *dst, size_t len, off_t at);
ssize_t __wrap_pread(int fd, void *dst, size_t len, off_t at)
{
	file_of(fd)->at = (size_t)at;
	return __wrap_read(fd, dst, len);
}

ssize_t __wrap_pwrite(int fd, const void *src, size_t len, off_t at);
ssize_t __wrap_pwrite(int fd, const void *src, size_t len, off_t at)
{
	struct inode *inode = file_of(fd)->inode;

	if ((size_t)at != inode->bytes.len)
		sim_fail("a write in the middle of a file: not foreseen");
	rc_buf_put(&inode->bytes, src, len);
	return (ssize_t)len;
}

ssize_t __real_write(int fd, const void *src, size_t len);
ssize_t __wrap_write(int fd, const void *src, size_t len);
ssize_t __wrap_write(int fd, const void *src, size_t len)
{
	struct file *f;

	if (fd < FD_FIRST) /* the program's own */
		return __real_write(fd, src, len);
	f = file_of(fd);
	sim_trace(src, len);
	if (sim_random_chance(&sim.random, sim.disk_failure)) {
		sim_fault(SIM_FAULT_DISK);
		return fail(EIO);
	}
	return __wrap_pwrite(fd, src, len, (off_t)f->inode->bytes.len);
}

int __wrap_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st)
{
	struct file *f = file_of(fd);

	*st = (struct stat){.st_mode = f->inode ? S_IFREG | 0600 : S_IFDIR | 0700,
			    .st_size = f->inode ? (off_t)f->inode->bytes.len : 0};
	return 0;
}

int __wrap_stat(const char *path, struct stat *st);
int __wrap_stat(const char *path, struct stat *st)
{
	struct name *name = name_of(path);

	if (!there(name))
		return fail(ENOENT);
	*st = (struct stat){.st_mode = name->directory ? S_IFDIR | 0700 : S_IFREG | 0600};
	return 0;
}

/* Its names are durable: renames in it can't be undone any more. */
static void sync_directory(const char *path)
{
	size_t len = strlen(path);

	for (struct name *name = names; name; name = name->hh.next)
		if (strncmp(name->path, path, len) == 0 && name->path[len] == '/' &&
		    !strchr(name->path + len + 1, '/'))
			name->renamed = false;
}

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	struct file *f = file_of(fd);

	if (sim_sync_lies(f->name->path))
		return 0;
	if (f->inode)
		f->inode->synced = f->inode->bytes.len;
	else
		sync_directory(f->name->path);
	return 0;
}

int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	return __wrap_fsync(fd);
}

int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
	struct name *a = name_of(from), *b = name_of(to);

	if (!there(a))
		return fail(ENOENT);
	if (!b)
		b = name_make(to);
	/* The oldest state that a power cut may bring back. */
	if (!b->renamed)
		b->before = b->inode;
	b->renamed = true;
	b->inode = a->inode;
	a->inode = NULL;
	return 0;
}

int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path)
{
	struct name *name = name_of(path);

	if (!there(name))
		return fail(ENOENT);
	name->inode = NULL;
	return 0;
}

static int shorten(struct inode *inode, size_t len)
{
	if (len < inode->bytes.len)
		inode->bytes.len = len;
	if (inode->synced > len)
		inode->synced = len;
	return 0;
}

int __wrap_ftruncate(int fd, off_t len);
int __wrap_ftruncate(int fd, off_t len)
{
	return shorten(file_of(fd)->inode, (size_t)len);
}

int __wrap_truncate(const char *path, off_t len);
int __wrap_truncate(const char *path, off_t len)
{
	struct name *name = name_of(path);

	return there(name) ? shorten(name->inode, (size_t)len) : fail(ENOENT);
}

int __wrap_flock(int fd, int operation);
int __wrap_flock(int fd, int operation)
{
	struct file *f = file_of(fd);

	(void)operation;
	if (f->inode->locked)
		return fail(EWOULDBLOCK);
	f->inode->locked = f->locks = true;
	return 0;
}

int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
	struct name *name = name_of(path);

	(void)mode;
	if (there(name))
		return fail(EEXIST);
	if (!name)
		name = name_make(path);
	name->directory = true;
	return 0;
}

int __wrap_chmod(const char *path, mode_t mode);
int __wrap_chmod(const char *path, mode_t mode)
{
	(void)path;
	(void)mode;
	return 0;
}

int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode)
{
	(void)fd;
	(void)mode;
	return 0;
}

int __wrap_access(const char *path, int mode);
int __wrap_access(const char *path, int mode)
{
	(void)mode;
	return there(name_of(path)) ? 0 : fail(ENOENT);
}

int __wrap_scandir(const char *dir, struct dirent ***list, int (*filter)(const struct dirent *),
		   int (*compare)(const struct dirent **, const struct dirent **));
int __wrap_scandir(const char *dir, struct dirent ***list, int (*filter)(const struct dirent *),
		   int (*compare)(const struct dirent **, const struct dirent **))
{
	(void)dir;
	(void)list;
	(void)filter;
	(void)compare;
	return fail(ENOENT); /* no drop-ins of a configuration */
}

/* ---- what isn't files, but the system's all the same ---- */

_Noreturn void __wrap__exit(int code);
void __wrap__exit(int code)
{
	sim_exit(code);
}

/* It is written into locks. */
pid_t __wrap_getpid(void);
pid_t __wrap_getpid(void)
{
	return sim.current ? 1000 + (pid_t)sim.current->serial : 1;
}

struct group *__wrap_getgrnam(const char *name);
struct group *__wrap_getgrnam(const char *name)
{
	(void)name;
	return NULL;
}

int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old);
int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	(void)how;
	(void)set;
	(void)old;
	return 0;
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	(void)cond;
	pthread_mutex_unlock(mutex);
	sim_work_a_piece();
	pthread_mutex_lock(mutex);
	return 0;
}

/* ---- ends ---- */

void sim_files_proc_ended(struct sim_proc *proc)
{
	for (unsigned i = 0; i < FDS; i++) {
		if (files[i].proc != proc)
			continue;
		if (files[i].locks)
			files[i].inode->locked = false;
		files[i].proc = NULL;
	}
}

static void cut(struct inode *inode)
{
	size_t unsynced = inode->bytes.len - inode->synced, keep;

	if (!unsynced)
		return;
	keep = (size_t)sim_random_below(&sim.random, unsynced + 1);
	if (sim_random_chance(&sim.random, 0.5))
		keep = 0;
	/* A page that was allocated and not written. */
	if (keep && sim_random_chance(&sim.random, 0.3))
		memset(inode->bytes.data + inode->synced, 0, keep);
	inode->bytes.len = inode->synced + keep;
	inode->synced = inode->bytes.len;
	sim.faults[SIM_FAULT_LOST]++;
}

void sim_files_power_cut(unsigned node)
{
	for (struct name *name = names; name; name = name->hh.next) {
		if (name->node != node)
			continue;
		if (name->renamed && sim_random_chance(&sim.random, 0.5)) {
			name->inode = name->before;
			sim.faults[SIM_FAULT_LOST]++;
		}
		name->renamed = false;
		if (name->inode)
			cut(name->inode);
	}
}
