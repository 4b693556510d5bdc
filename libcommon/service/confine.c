/* Confinement from within. System call filters are the service manager's. */
#include "service/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/landlock.h>
#include <openssl/crypto.h>

#include "base/log.h"
#include "base/num.h"

/* Newer than Debian 12's headers: see landlock(7). */
#define ACCESS_FS_TRUNCATE  (1ULL << 14) /* ABI 3 */
#define ACCESS_FS_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#define ACCESS_NET_BIND	    (1ULL << 0)	 /* ABI 4 */
#define ACCESS_NET_CONNECT  (1ULL << 1)
#define SCOPE_SIGNAL	    (1ULL << 1) /* ABI 6 */
enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_NET = 4, ABI_IOCTL = 5, ABI_SCOPE = 6 };

struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

#define READ_FILE LANDLOCK_ACCESS_FS_READ_FILE
#define READ_DIR  (READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RUN	  (READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE)
#define WRITE                                                                        \
	(READ_DIR | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR |               \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK)
#define ALL_OF_ABI_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

struct path_rule {
	const char *path;
	uint64_t access;
	bool network; /* only daemons that resolve names need it */
};

/* What the C library, OpenSSL and RocksDB look at while running. */
static const struct path_rule system_rules[] = {
	{"/dev/null", READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE, false},
	{"/dev/urandom", READ_FILE, false},
	{"/proc/self", READ_DIR, false},
	{"/proc/meminfo", READ_FILE, false},
	{"/proc/sys/kernel/random/boot_id", READ_FILE, false},
	{"/sys/devices/system/cpu", READ_DIR, false},
	{"/etc/localtime", READ_FILE, false},
	{"/usr/share/zoneinfo", READ_DIR, false},
	{"/etc/ssl/openssl.cnf", READ_FILE, false},
	{"/etc/hosts", READ_FILE, true},
	{"/etc/host.conf", READ_FILE, true},
	{"/etc/gai.conf", READ_FILE, true},
	{"/etc/nsswitch.conf", READ_FILE, true},
	{"/etc/resolv.conf", READ_FILE, true},
	{"/etc/services", READ_FILE, true},
	{"/etc/ld.so.cache", READ_FILE, true},
	{"/run/systemd/resolve", READ_DIR, true},
	{"/run/resolvconf", READ_DIR, true},
	{"/usr/lib", RUN, true},
	{"/lib", RUN, true},
	{"/usr/share/ca-certificates", READ_DIR, true},
	{"/etc/ssl/certs", READ_DIR, true},
};

void rc_confine_prepare(bool network)
{
	struct addrinfo *list = NULL;
	struct rlimit files;

	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_CIPHERS |
				    OPENSSL_INIT_ADD_ALL_DIGESTS,
			    NULL);
	tzset();
	if (network && getaddrinfo("localhost", NULL, NULL, &list) == 0)
		freeaddrinfo(list);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static int allow_path(int ruleset, const char *path, uint64_t access, uint64_t handled,
		      struct rc_error *error)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access & handled};
	struct stat st;
	int r;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR
			       ? RC_OK
			       : rc_error_errno(error, "%s", path);
	/* What is for directories only is refused for a file. */
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				       READ_FILE | ACCESS_FS_TRUNCATE | ACCESS_FS_IOCTL_DEV;
	r = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	if (r < 0)
		rc_error_errno(error, "allowing %s", path);
	close(rule.parent_fd);
	return r < 0 ? RC_EACCES : RC_OK;
}

static int allow_paths(int ruleset, const struct rc_confine *confine, uint64_t handled,
		       struct rc_error *error)
{
	uint64_t write = WRITE | LANDLOCK_ACCESS_FS_REFER | ACCESS_FS_TRUNCATE;
	int err = RC_OK;

	for (size_t i = 0; err == RC_OK && confine->writable[i]; i++)
		err = allow_path(ruleset, confine->writable[i], write, handled, error);
	for (size_t i = 0; err == RC_OK && confine->readable[i]; i++)
		err = allow_path(ruleset, confine->readable[i], READ_DIR, handled, error);
	for (size_t i = 0; err == RC_OK && i < RC_ARRAY_LEN(system_rules); i++)
		if (!system_rules[i].network || confine->network)
			err = allow_path(ruleset, system_rules[i].path, system_rules[i].access,
					 handled, error);
	return err;
}

static int enter_landlock(const struct rc_confine *confine, struct rc_error *error)
{
	struct ruleset_attr attr = {.handled_access_fs = ALL_OF_ABI_1};
	size_t size = sizeof(attr);
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	int ruleset, err;

	if (abi < 1) {
		rc_log(RC_LOG_WARNING,
		       "this kernel has no Landlock (%s): the daemon's access to "
		       "files is bounded by its user and its unit only",
		       strerror(errno));
		return RC_OK;
	}
	if (abi >= ABI_REFER)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= ABI_TRUNCATE)
		attr.handled_access_fs |= ACCESS_FS_TRUNCATE;
	if (abi >= ABI_IOCTL)
		attr.handled_access_fs |= ACCESS_FS_IOCTL_DEV;
	if (abi >= ABI_NET && !confine->network)
		attr.handled_access_net = ACCESS_NET_BIND | ACCESS_NET_CONNECT;
	if (abi >= ABI_SCOPE)
		attr.scoped = SCOPE_SIGNAL;
	if (abi < ABI_NET)
		size = sizeof(attr.handled_access_fs);
	else if (abi < ABI_SCOPE)
		size = sizeof(attr) - sizeof(attr.scoped);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0)
		return rc_error_errno(error, "making a Landlock rule set");
	err = allow_paths(ruleset, confine, attr.handled_access_fs, error);
	if (err == RC_OK && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		err = rc_error_errno(error, "entering Landlock");
	close(ruleset);
	return err;
}

int rc_confine_dumps(struct rc_error *error)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return rc_error_errno(error, "giving up core dumps");
	return RC_OK;
}

int rc_confine_enter(const struct rc_confine *confine, struct rc_error *error)
{
	int err = rc_confine_dumps(error);

	if (err < 0)
		return err;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return rc_error_errno(error, "giving up being traced");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return rc_error_errno(error, "giving up new privileges");
	return enter_landlock(confine, error);
}
