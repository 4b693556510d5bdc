/* Listening sockets. Plain HTTP stays on this host unless an operator says otherwise. */
#include "daemons/rpcd/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"

#define BACKLOG	    1024
#define PASSED_FROM 3 /* SD_LISTEN_FDS_START: the first passed descriptor */

/* Of an answer that isn't taken the kernel keeps so much at most, of TCP: by itself it is 2 to 4
 * MiB a connection, which is this process's memory to its control group, and no longer counted
 * here. Unix sockets have 208 KiB. The smaller, the more often a large answer's connection wakes
 * up: listen_roomy. */
#define UNSENT_BYTES (128 << 10)

/* Who is accepted inherits it. */
static void keep_little(int fd)
{
	int bytes = UNSENT_BYTES;

	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}

void listen_roomy(int fd)
{
	int bytes = 0; /* the system's: no bound but the buffer's */

	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}

static bool is_loopback(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)addr)->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)addr)->sin6_addr);
}

/* What a passed socket is for, by its name, of len bytes. */
static int take_name(const char *name, size_t len, struct listen_socket *ret,
		     struct rc_error *error)
{
	static const char *const names[] = {"rpc", "ops"};

	for (size_t i = 0; i < RC_ARRAY_LEN(names); i++)
		if (len == strlen(names[i]) && !memcmp(name, names[i], len)) {
			ret->is_ops = i == 1;
			snprintf(ret->where, sizeof(ret->where), "passed socket %d (%s)", ret->fd,
				 names[i]);
			return RC_OK;
		}
	return rc_error_set(
		error, RC_ECONFIG,
		"passed socket %d has the name \"%.*s\": the names are rpc and ops: set "
		"FileDescriptorName= in its unit",
		ret->fd, (int)rc_min_u64(len, 64), name);
}

static int take_socket(int fd, const char *name, size_t len, struct listen_socket *ret,
		       struct rc_error *error)
{
	struct sockaddr_storage addr = {0};
	socklen_t addr_len = sizeof(addr), size = sizeof(int);
	int type = 0, listens = 0, err;

	*ret = (struct listen_socket){.fd = fd};
	err = take_name(name, len, ret, error);
	if (err < 0)
		return err;
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
	if (getsockname(fd, (struct sockaddr *)&addr, &addr_len) < 0 || type != SOCK_STREAM ||
	    !listens ||
	    (addr.ss_family != AF_UNIX && addr.ss_family != AF_INET && addr.ss_family != AF_INET6))
		return rc_error_set(error, RC_ECONFIG,
				    "%s isn't a listening stream socket, of TCP or Unix",
				    ret->where);
	ret->is_unix = addr.ss_family == AF_UNIX;
	ret->is_local = ret->is_unix || is_loopback((struct sockaddr *)&addr);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	if (!ret->is_unix)
		keep_little(fd);
	return RC_OK;
}

static int take_passed(struct listen_socket *ret, size_t max, size_t *ret_n, struct rc_error *error)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	const char *name = getenv("LISTEN_FDNAMES");
	long n = pid && count && strtol(pid, NULL, 10) == getpid() ? strtol(count, NULL, 10) : 0;

	*ret_n = 0;
	if (n > (long)max)
		return rc_error_set(error, RC_ECONFIG, "%ld sockets are passed, there may be %zu",
				    n, max);
	for (int i = 0; i < n; i++) {
		size_t len = name ? strcspn(name, ":") : 0;
		int err = take_socket(PASSED_FROM + i, name ? name : "", len, &ret[i], error);

		if (err < 0)
			return err;
		name = name && name[len] ? name + len + 1 : NULL;
		*ret_n = (size_t)i + 1;
	}
	return RC_OK;
}

int listen_passed(struct listen_socket *ret, size_t max, size_t *ret_n, struct rc_error *error)
{
	int err = take_passed(ret, max, ret_n, error);

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return err;
}

/* Whether somebody answers at a Unix socket's path. */
static bool somebody_listens(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool answers;

	if (fd < 0)
		return false;
	answers = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN;
	close(fd);
	return answers;
}

int listen_unix(const char *path, unsigned mode, struct listen_socket *ret, struct rc_error *error)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;
	mode_t before;
	int fd, err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return rc_error_set(error, RC_ETOOBIG,
				    "%s is %zu bytes long, a socket's path may have %zu: set "
				    "rpc_socket to a shorter one",
				    path, strlen(path), sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path));
	if (somebody_listens(&addr))
		return rc_error_set(error, RC_EEXIST,
				    "%s: another process listens there: stop it, or set rpc_socket",
				    path);
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return rc_error_set(error, RC_EEXIST,
				    "%s is there and is no socket: move it away, or set rpc_socket",
				    path);
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return rc_error_errno(error, "socket");
	before = umask(0777 & ~mode);
	err = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, BACKLOG) < 0;
	umask(before);
	if (err) {
		err = rc_error_errno(error, "%s: cannot listen", path);
		close(fd);
		return err;
	}
	*ret = (struct listen_socket){.fd = fd, .is_unix = true, .is_local = true};
	snprintf(ret->where, sizeof(ret->where), "%s", path);
	return RC_OK;
}

/* An address that this host hasn't got yet (DHCP, a tunnel at boot) is listened on all the same:
 * connections come when it comes. */
static int bind_ahead(int fd, const struct addrinfo *a, const char *where)
{
	int one = 1;
	bool is_v6 = a->ai_family == AF_INET6;

	if (bind(fd, a->ai_addr, a->ai_addrlen) == 0)
		return 0;
	if (errno != EADDRNOTAVAIL)
		return -1;
	rc_log(RC_LOG_WARNING, "%s: this host hasn't got the address yet; it is listened on",
	       where);
	if (setsockopt(fd, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, is_v6 ? IPV6_FREEBIND : IP_FREEBIND,
		       &one, sizeof(one)) < 0)
		return -1;
	return bind(fd, a->ai_addr, a->ai_addrlen);
}

static int bind_tcp(const struct addrinfo *a, const char *where, struct listen_socket *ret,
		    struct rc_error *error)
{
	int one = 1, fd, err;

	fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return rc_error_errno(error, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	keep_little(fd);
	if (a->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind_ahead(fd, a, where) < 0 || listen(fd, BACKLOG) < 0) {
		err = errno == EADDRINUSE
			      ? rc_error_set(error, RC_EEXIST,
					     "%s: the port is in use: stop the other process, or "
					     "choose another port",
					     where)
			      : rc_error_errno(error, "%s: cannot listen", where);
		close(fd);
		return err;
	}
	*ret = (struct listen_socket){.fd = fd, .is_local = is_loopback(a->ai_addr)};
	snprintf(ret->where, sizeof(ret->where), "%s", where);
	return RC_OK;
}

int listen_refuse_plain(const char *where, struct rc_error *error)
{
	return rc_error_set(error, RC_ECONFIG,
			    "%s: plain HTTP beyond loopback shows passwords to the network: put a "
			    "proxy with TLS before rpcd, or set rpc_allow_plain = yes",
			    where);
}

int listen_tcp(const char *host, uint16_t port, bool allow_plain, struct listen_socket *ret,
	       struct rc_error *error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
	struct addrinfo *found;
	char text[8], where[128];
	int err;

	snprintf(text, sizeof(text), "%u", port);
	snprintf(where, sizeof(where), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
	if (getaddrinfo(host, text, &hints, &found))
		return rc_error_set(error, RC_ECONFIG, "%s: not a numeric address", host);
	if (!is_loopback(found->ai_addr) && !allow_plain)
		err = listen_refuse_plain(where, error);
	else
		err = bind_tcp(found, where, ret, error);
	freeaddrinfo(found);
	return err;
}
