/* The real transport. Level-triggered: what isn't read now is offered again next turn. */
#include "daemons/peerd/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/hex.h"
#include "base/num.h"
#include "daemons/peerd/socks.h"

#define LISTEN_MAX	16
#define BACKLOG		128
#define ACCEPTS_A_TURN	16
#define READ_BYTES	(64u << 10) /* of one connection in one turn */
#define ACCEPT_PAUSE_US (1000 * 1000)
/* Unsent bytes the kernel holds for a connection: little, so that a control message overtakes bulk;
 * what is on its way isn't counted, so a long fat link still fills. */
#define NOTSENT_LOWAT	 (256 << 10)
#define KEEPALIVE_IDLE_S 60

struct conn {
	struct sockets *sockets;
	struct rc_source *source;
	int fd;
	uint64_t peer;
	bool connecting, reading, full;
	struct socks *socks; /* the proxy is still being asked */
	int error;	     /* connecting to it failed at once */
	bool busy, closed;   /* closed while its callback runs: freed by that */
};

struct listener {
	int fd;
	struct net_addr addr;
	struct rc_source *source;
};

struct sockets {
	struct rc_loop *loop;
	struct peerd *core;
	struct listener listeners[LISTEN_MAX];
	size_t n_listeners;
	struct rc_source *accept_again;
	struct sockets_config config;
	bool proxy_failed; /* said once, until it works again */
	uint8_t buf[READ_BYTES];
};

union any_addr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t to_sockaddr(const struct net_addr *addr, union any_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (net_addr_is_v4(addr)) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(addr->port);
		memcpy(&ret->v4.sin_addr, addr->ip + 12, 4);
		return sizeof(ret->v4);
	}
	ret->v6.sin6_family = AF_INET6;
	ret->v6.sin6_port = htons(addr->port);
	memcpy(&ret->v6.sin6_addr, addr->ip, 16);
	return sizeof(ret->v6);
}

static bool from_sockaddr(const union any_addr *any, struct net_addr *ret)
{
	if (any->any.sa_family == AF_INET)
		return net_addr_from_wire((const uint8_t *)&any->v4.sin_addr, 4,
					  ntohs(any->v4.sin_port), ret);
	if (any->any.sa_family == AF_INET6)
		return net_addr_from_wire((const uint8_t *)&any->v6.sin6_addr, 16,
					  ntohs(any->v6.sin6_port), ret);
	return false;
}

static void set_option(int fd, int level, int name, int value)
{
	/* Each is an improvement, none a condition. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

static void tune(const struct sockets *s, int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)s->config.user_timeout_ms);
	set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOTSENT_LOWAT);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
}

/* ---- connections ---- */

static void update_events(struct conn *c)
{
	uint32_t events = 0;

	if (c->connecting || c->full || (c->socks && c->socks->out_len))
		events |= POLLOUT;
	if (c->socks ? !c->connecting : c->reading && !c->connecting)
		events |= POLLIN;
	rc_source_set_events(c->source, events);
}

static void conn_free(struct conn *c)
{
	free(c->socks);
	free(c);
}

static void finish(struct conn *c, const char *why)
{
	peerd_lost(c->sockets->core, c->peer, why);
}

/* ---- through a proxy ---- */

static void say_proxy_fails(struct sockets *s, const char *why)
{
	char addr[NET_ADDR_TEXT];

	if (!s->proxy_failed)
		rc_log(RC_LOG_WARNING, "the proxy %s: %s; dialled again until it works",
		       net_addr_format(addr, &s->config.proxy), why);
	s->proxy_failed = true;
}

/* The dial ended for a reason that isn't the address's: it isn't held against it. */
static void proxy_fails(struct conn *c, const char *why)
{
	say_proxy_fails(c->sockets, why);
	peerd_not_dialled(c->sockets->core, c->peer, why);
}

/* Once it was asked for the address, that is what it waits for. */
static const char *net_late(void *ctx, void *conn)
{
	const struct conn *c = conn;

	if (!c->socks || (c->socks->part > SOCKS_AUTH && c->socks->out_len == 0))
		return NULL;
	say_proxy_fails(ctx, "no answer in time");
	return "the proxy doesn't answer in time";
}

static void proxy_begin(struct conn *c, const struct net_addr *target)
{
	const struct sockets_config *config = &c->sockets->config;
	char user[33] = "", password[33] = "";
	uint8_t random[32];

	if (config->proxy_isolate) {
		rc_random_fill(config->random, random, sizeof(random));
		rc_hex_encode(user, random, 16);
		rc_hex_encode(password, random + 16, 16);
	}
	c->socks = rc_alloc(sizeof(*c->socks));
	socks_begin(c->socks, target, user, password);
}

static void proxy_send(struct conn *c)
{
	ssize_t n = send(c->fd, c->socks->out, c->socks->out_len, MSG_NOSIGNAL);

	if (n > 0)
		socks_sent(c->socks, (size_t)n);
	update_events(c);
}

/* Reads no byte beyond the proxy's own. */
static void proxy_read(struct conn *c)
{
	struct sockets *s = c->sockets;
	ssize_t n = recv(c->fd, s->buf, socks_wants(c->socks), 0);
	enum socks_step step;
	const char *why;

	if (n == 0) {
		proxy_fails(c, "it closed the connection");
		return;
	}
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			proxy_fails(c, strerror(errno));
		return;
	}
	step = socks_take(c->socks, s->buf, (size_t)n);
	why = c->socks->why;
	switch (step) {
	case SOCKS_GOING:
		proxy_send(c);
		return;
	case SOCKS_NO_PROXY:
		proxy_fails(c, why);
		return;
	case SOCKS_NO_PEER:
		s->proxy_failed = false;
		finish(c, why);
		return;
	case SOCKS_DONE:
		break;
	}
	s->proxy_failed = false;
	free(c->socks);
	c->socks = NULL;
	update_events(c);
	peerd_connected(s->core, c->peer);
}

/* ---- events ---- */

static void on_connecting(struct conn *c)
{
	int err = c->error;
	socklen_t len = sizeof(err);

	if (!err && getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err) {
		(c->socks ? proxy_fails : finish)(c, strerror(err));
		return;
	}
	c->connecting = false;
	if (c->socks) {
		proxy_send(c);
		return;
	}
	update_events(c);
	peerd_connected(c->sockets->core, c->peer);
}

static void on_readable(struct conn *c)
{
	struct sockets *s = c->sockets;
	ssize_t n = recv(c->fd, s->buf, sizeof(s->buf), 0);

	if (n > 0)
		peerd_received(s->core, c->peer, s->buf, (size_t)n);
	else if (n == 0)
		finish(c, "the peer closed it");
	else if (errno != EAGAIN && errno != EINTR)
		finish(c, strerror(errno));
}

static void on_conn(void *arg, int fd, uint32_t revents)
{
	struct conn *c = arg;

	(void)fd;
	c->busy = true;
	if (c->connecting) {
		on_connecting(c);
	} else if (c->socks) {
		if (revents & POLLOUT)
			proxy_send(c);
		if (revents & (POLLIN | POLLHUP | POLLERR))
			proxy_read(c);
	} else {
		if (revents & POLLOUT && c->full) {
			c->full = false;
			update_events(c);
			peerd_writable(c->sockets->core, c->peer);
		}
		if (!c->closed && c->reading && revents & (POLLIN | POLLHUP | POLLERR))
			on_readable(c);
		else if (!c->closed && revents & (POLLHUP | POLLERR))
			finish(c, "the connection broke");
	}
	c->busy = false;
	if (c->closed)
		conn_free(c);
}

static struct conn *conn_new(struct sockets *s, int fd, bool connecting)
{
	struct conn *c = rc_alloc(sizeof(*c));

	c->sockets = s;
	c->fd = fd;
	c->connecting = connecting;
	c->reading = true;
	c->source = rc_loop_add_fd(s->loop, fd, connecting ? POLLOUT : POLLIN, on_conn, c);
	return c;
}

/* By addresses of documentation, one of each family, which are routed as any; no packet is sent. */
static bool has_route_out(void)
{
	static const char *const somewhere[] = {"192.0.2.1:9", "[2001:db8::1]:9"};
	bool has = false;

	for (size_t i = 0; i < RC_ARRAY_LEN(somewhere) && !has; i++) {
		struct net_addr addr;
		union any_addr to;
		socklen_t len;
		int fd;

		if (!net_addr_parse(somewhere[i], 0, &addr))
			continue;
		len = to_sockaddr(&addr, &to);
		fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		has = fd >= 0 && connect(fd, &to.any, len) == 0;
		if (fd >= 0)
			close(fd);
	}
	return has;
}

/*
 * Why a dial failed at once, if that says nothing of its address. Having no way to it may be the
 * lack of its family only, and whoever tells addresses chooses their family; having no way anywhere
 * is a network that is down.
 */
static const char *our_fault(int error)
{
	switch (error) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return strerror(error);
	case ENETUNREACH:
	case EADDRNOTAVAIL:
		return has_route_out() ? NULL : "this host has no way to any network";
	default:
		return NULL;
	}
}

static void *net_dial(void *ctx, const struct net_addr *addr, uint64_t peer, const char **ret_ours)
{
	struct sockets *s = ctx;
	union any_addr to;
	socklen_t len = to_sockaddr(s->config.has_proxy ? &s->config.proxy : addr, &to);
	int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct conn *c;
	int error = 0;

	if (fd < 0) {
		*ret_ours = our_fault(errno);
		return NULL;
	}
	tune(s, fd);
	if (connect(fd, &to.any, len) < 0 && errno != EINPROGRESS) {
		error = errno;
		if (!s->config.has_proxy) {
			close(fd);
			*ret_ours = our_fault(error);
			return NULL;
		}
	}
	c = conn_new(s, fd, true);
	c->peer = peer;
	c->error = error; /* told from the loop */
	if (s->config.has_proxy)
		proxy_begin(c, addr);
	return c;
}

static size_t net_send(void *ctx, void *conn, const uint8_t *data, size_t len)
{
	struct conn *c = conn;
	ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);

	(void)ctx;
	/* An error shows as POLLERR, from the loop and not from inside this call. */
	if (n < 0)
		n = 0;
	if ((size_t)n < len) {
		c->full = true;
		update_events(c);
	}
	return (size_t)n;
}

static void net_set_reading(void *ctx, void *conn, bool on)
{
	struct conn *c = conn;

	(void)ctx;
	c->reading = on;
	update_events(c);
}

static void net_close(void *ctx, void *conn)
{
	struct conn *c = conn;

	(void)ctx;
	rc_source_free(c->source);
	close(c->fd);
	c->closed = true;
	if (!c->busy)
		conn_free(c);
}

const struct net_ops sockets_net_ops = {net_dial, net_send, net_set_reading, net_close, net_late};

/* ---- listening ---- */

static void pause_accepting(struct sockets *s, bool pause)
{
	for (size_t i = 0; i < s->n_listeners; i++) {
		if (s->listeners[i].source)
			rc_source_set_events(s->listeners[i].source, pause ? 0 : POLLIN);
	}
	if (pause)
		rc_timer_arm(s->accept_again, ACCEPT_PAUSE_US);
}

static void on_accept_again(void *arg)
{
	pause_accepting(arg, false);
}

static void on_accept(void *arg, int fd, uint32_t revents)
{
	struct sockets *s = arg;

	(void)revents;
	for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
		union any_addr from;
		socklen_t len = sizeof(from);
		struct net_addr addr;
		struct conn *c;
		int new = accept4(fd, &from.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (new < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM) {
				rc_log(RC_LOG_WARNING, "accepting connections: %s; again in 1 s",
				       strerror(errno));
				pause_accepting(s, true);
			}
			return;
		}
		if (!from_sockaddr(&from, &addr)) {
			close(new);
			continue;
		}
		tune(s, new);
		c = conn_new(s, new, false);
		c->peer = peerd_accepted(s->core, c, &addr);
		if (c->peer == 0)
			net_close(s, c);
	}
}

/* An address that was named and that this host hasn't got yet (DHCP, a tunnel at boot) is listened
 * on all the same: connections come when it comes. */
static int bind_ahead(int fd, const struct sockaddr *addr, socklen_t len, const char *text)
{
	if (bind(fd, addr, len) == 0)
		return 0;
	if (errno != EADDRNOTAVAIL)
		return -1;
	rc_log(RC_LOG_WARNING, "%s: this host hasn't got the address yet; it is listened on", text);
	if (addr->sa_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
	else
		set_option(fd, IPPROTO_IP, IP_FREEBIND, 1);
	return bind(fd, addr, len);
}

/* *ret_skipped: this host lacks the family, and the address wasn't asked for by name. */
static int listen_at(struct sockets *s, const struct net_addr *addr, bool named,
		     struct rc_error *error)
{
	union any_addr any;
	socklen_t len = to_sockaddr(addr, &any);
	char text[NET_ADDR_TEXT];
	int fd = socket(any.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	net_addr_format(text, addr);
	if (fd < 0) {
		if (!named && errno == EAFNOSUPPORT)
			return RC_OK;
		return rc_error_errno(error, "making a socket for %s", text);
	}
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (any.any.sa_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	err = named ? bind_ahead(fd, &any.any, len, text) : bind(fd, &any.any, len);
	if (err < 0 || listen(fd, BACKLOG) < 0) {
		err = errno;
		close(fd);
		if (!named && (err == EADDRNOTAVAIL || err == EAFNOSUPPORT))
			return RC_OK;
		if (err == EADDRINUSE)
			return rc_error_set(error, RC_EUNAVAILABLE,
					    "%s is in use by another process: stop that one, or "
					    "choose another 'port' or 'listen'",
					    text);
		errno = err;
		return rc_error_errno(error, "listening at %s", text);
	}
	s->listeners[s->n_listeners].fd = fd;
	s->listeners[s->n_listeners].addr = *addr;
	s->n_listeners++;
	return RC_OK;
}

int sockets_open(const struct sockets_config *config, struct sockets **ret, struct rc_error *error)
{
	static const char *const wildcards[] = {"0.0.0.0", "::"};
	bool named = config->n_listen > 0;
	const char *const *list = named ? config->listen : wildcards;
	size_t n = named ? config->n_listen : RC_ARRAY_LEN(wildcards);
	struct sockets *s = rc_alloc(sizeof(*s));
	int err = RC_OK;

	s->config = *config;
	if (!config->listening)
		n = 0;
	if (n > LISTEN_MAX)
		err = rc_error_set(error, RC_ECONFIG, "listen: at most %d addresses", LISTEN_MAX);
	for (size_t i = 0; i < n && !err; i++) {
		struct net_addr addr;

		if (net_addr_parse(list[i], config->port, &addr))
			err = listen_at(s, &addr, named, error);
		else
			err = rc_error_set(error, RC_ECONFIG,
					   "listen: %.80s is not IP, IP:PORT or [IP]:PORT",
					   list[i]);
	}
	if (err) {
		sockets_close(s);
		return err;
	}
	*ret = s;
	return RC_OK;
}

void sockets_start(struct sockets *s, struct rc_loop *loop, struct peerd *core)
{
	s->loop = loop;
	s->core = core;
	s->accept_again = rc_loop_add_timer(loop, on_accept_again, s);
	for (size_t i = 0; i < s->n_listeners; i++)
		s->listeners[i].source =
			rc_loop_add_fd(loop, s->listeners[i].fd, POLLIN, on_accept, s);
}

void sockets_stop_listening(struct sockets *s)
{
	for (size_t i = 0; i < s->n_listeners; i++) {
		rc_source_free(s->listeners[i].source);
		close(s->listeners[i].fd);
	}
	s->n_listeners = 0;
}

void sockets_close(struct sockets *s)
{
	if (!s)
		return;
	sockets_stop_listening(s);
	rc_source_free(s->accept_again);
	free(s);
}

size_t sockets_n_listening(const struct sockets *s)
{
	return s->n_listeners;
}

struct net_addr sockets_listening(const struct sockets *s, size_t i)
{
	return s->listeners[i].addr;
}

size_t sockets_own_addresses(uint16_t port, bool private_ok, struct net_addr *ret, size_t max)
{
	struct ifaddrs *list;
	size_t n = 0;

	if (getifaddrs(&list) < 0)
		return 0;
	for (const struct ifaddrs *i = list; i && n < max; i = i->ifa_next) {
		union any_addr any;
		struct net_addr addr;
		enum net_class class;

		if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) ||
		    (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
			continue;
		memset(&any, 0, sizeof(any));
		memcpy(&any, i->ifa_addr,
		       i->ifa_addr->sa_family == AF_INET ? sizeof(any.v4) : sizeof(any.v6));
		any.v4.sin_port = htons(port); /* at the same place in both */
		if (!from_sockaddr(&any, &addr))
			continue;
		class = net_addr_class(&addr);
		if (class == NET_PUBLIC || (class == NET_PRIVATE && private_ok))
			ret[n++] = addr;
	}
	freeifaddrs(list);
	return n;
}
