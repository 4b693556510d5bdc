/* HTTP/1.1 as far as a JSON-RPC client needs it: POST, Content-Length or chunks, keep-alive. */
#include "client/http.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"

/* Status line and headers of an answer, with those of interim ones; rpcd's have some 300 bytes. */
#define HEAD_MAX (16u << 10)

struct rc_http {
	char *unix_path;
	char *host;
	uint16_t port;
	char where[256];
	int fd; /* −1: not connected */
	struct rc_buf in;
	size_t taken; /* bytes of in that are used up */
	int64_t deadline_us;
	struct rc_error *error;
};

struct rc_http *rc_http_new(const char *unix_path, const char *host, uint16_t port)
{
	struct rc_http *http = rc_alloc(sizeof(*http));

	http->fd = -1;
	http->port = port;
	if (unix_path) {
		http->unix_path = rc_strdup(unix_path);
		snprintf(http->where, sizeof(http->where), "%s", unix_path);
	} else {
		http->host = rc_strdup(host);
		snprintf(http->where, sizeof(http->where), strchr(host, ':') ? "[%s]:%u" : "%s:%u",
			 host, port);
	}
	return http;
}

static void disconnect(struct rc_http *http)
{
	if (http->fd >= 0)
		close(http->fd);
	http->fd = -1;
	rc_buf_clear(&http->in);
	http->taken = 0;
}

void rc_http_free(struct rc_http *http)
{
	if (!http)
		return;
	disconnect(http);
	rc_buf_done(&http->in);
	free(http->unix_path);
	free(http->host);
	free(http);
}

const char *rc_http_where(const struct rc_http *http)
{
	return http->where;
}

/* Waits until fd is ready for events or the deadline. */
static int wait_fd(struct rc_http *http, short events)
{
	struct pollfd p = {.fd = http->fd, .events = events};

	for (;;) {
		int64_t left_us = http->deadline_us - rc_mono_us(&rc_clock_system);
		int n = left_us > 0 ? poll(&p, 1, (int)(left_us / 1000) + 1) : 0;

		if (n > 0)
			return RC_OK;
		if (n == 0)
			return rc_error_set(http->error, RC_EDEADLINE, "%s: no answer in time",
					    http->where);
		if (errno != EINTR)
			return rc_error_errno(http->error, "%s", http->where);
	}
}

static int connect_error(struct rc_http *http, int errnum)
{
	errno = errnum;
	if (errnum == EACCES || errnum == EPERM)
		return rc_error_set(http->error, RC_EACCES,
				    "%s: permission denied; the socket's group says who may use it",
				    http->where);
	rc_error_errno(http->error, "%s: cannot connect; is rpcd running?", http->where);
	if (http->error)
		http->error->code = RC_EUNAVAILABLE;
	return RC_EUNAVAILABLE;
}

static int connect_to(struct rc_http *http, int family, const struct sockaddr *addr, socklen_t len)
{
	int one = 1, err = 0;
	socklen_t err_len = sizeof(err);

	http->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (http->fd < 0)
		return rc_error_errno(http->error, "socket");
	if (connect(http->fd, addr, len) < 0) {
		if (errno != EINPROGRESS) {
			err = errno;
		} else {
			if (wait_fd(http, POLLOUT) < 0) {
				disconnect(http);
				return RC_EUNAVAILABLE;
			}
			getsockopt(http->fd, SOL_SOCKET, SO_ERROR, &err, &err_len);
		}
	}
	if (err) {
		disconnect(http);
		return connect_error(http, err);
	}
	if (family != AF_UNIX)
		setsockopt(http->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return RC_OK;
}

static int connect_unix(struct rc_http *http)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	if (strlen(http->unix_path) >= sizeof(addr.sun_path))
		return rc_error_set(http->error, RC_ETOOBIG,
				    "%s: a socket's path has at most 107 bytes", http->unix_path);
	memcpy(addr.sun_path, http->unix_path, strlen(http->unix_path));
	return connect_to(http, AF_UNIX, (struct sockaddr *)&addr, sizeof(addr));
}

static int connect_tcp(struct rc_http *http)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	/* No look-up, whose answer might be another host: without a name it is ::1 and 127.0.0.1.
	 */
	const char *name = strcmp(http->host, "localhost") ? http->host : NULL;
	struct addrinfo *found;
	char port[8];
	int err;

	snprintf(port, sizeof(port), "%u", http->port);
	err = getaddrinfo(name, port, &hints, &found);
	if (err)
		return rc_error_set(http->error, RC_EUNAVAILABLE, "%s: %s", http->where,
				    gai_strerror(err));
	err = RC_EUNAVAILABLE;
	for (struct addrinfo *a = found; a && err < 0; a = a->ai_next)
		err = connect_to(http, a->ai_family, a->ai_addr, a->ai_addrlen);
	freeaddrinfo(found);
	return err;
}

/* Keeps the connection of the last request unless the server has closed it meanwhile. */
static int ensure_connected(struct rc_http *http)
{
	struct pollfd p = {.fd = http->fd, .events = POLLIN};

	if (http->fd >= 0 && poll(&p, 1, 0) != 0)
		disconnect(http);
	if (http->fd >= 0)
		return RC_OK;
	return http->unix_path ? connect_unix(http) : connect_tcp(http);
}

static int send_all(struct rc_http *http, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = send(http->fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			int err = wait_fd(http, POLLOUT);

			if (err < 0)
				return err;
			continue;
		}
		/* A server that refuses early (401, 413) answers and closes: read that answer. */
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return RC_OK;
		if (n < 0)
			return rc_error_errno(http->error, "%s: sending", http->where);
		p += n;
		len -= (size_t)n;
	}
	return RC_OK;
}

/* Reads some more bytes into in; what is used up makes room, so that an answer of many small pieces
 * takes no more memory than one. */
static int fill(struct rc_http *http)
{
	if (http->taken) {
		http->in.len -= http->taken;
		memmove(http->in.data, http->in.data + http->taken, http->in.len);
		http->taken = 0;
	}
	for (;;) {
		uint8_t *room = rc_buf_reserve(&http->in, 64u << 10);
		ssize_t n = recv(http->fd, room, 64u << 10, 0);

		if (n > 0) {
			http->in.len += (size_t)n;
			return RC_OK;
		}
		if (n == 0 || errno == ECONNRESET)
			return rc_error_set(http->error, RC_EIO,
					    "%s: the connection was closed before the answer; the "
					    "request may have been carried out",
					    http->where);
		if (errno == EAGAIN) {
			int err = wait_fd(http, POLLIN);

			if (err < 0)
				return err;
		} else if (errno != EINTR) {
			return rc_error_errno(http->error, "%s: receiving", http->where);
		}
	}
}

static int bad_http(struct rc_http *http)
{
	return rc_error_set(http->error, RC_EFORMAT, "%s: the answer isn't HTTP/1.1", http->where);
}

/* The next line without its end, in place; valid until the next fill. */
static int read_line(struct rc_http *http, char **ret)
{
	for (;;) {
		size_t have = http->in.len - http->taken;
		char *start = have ? (char *)http->in.data + http->taken : NULL;
		char *end = have ? memchr(start, '\n', have) : NULL;
		int err;

		if (end) {
			http->taken += (size_t)(end - start) + 1;
			if (end > start && end[-1] == '\r')
				end--;
			*end = '\0';
			*ret = start;
			return RC_OK;
		}
		if (have > HEAD_MAX)
			return bad_http(http);
		err = fill(http);
		if (err < 0)
			return err;
	}
}

static int read_body(struct rc_http *http, size_t len, struct rc_buf *body)
{
	while (len) {
		size_t have = (size_t)rc_min_u64(http->in.len - http->taken, len);
		int err;

		if (have) {
			rc_buf_put(body, http->in.data + http->taken, have);
			http->taken += have;
			len -= have;
			continue;
		}
		rc_buf_clear(&http->in);
		http->taken = 0;
		err = fill(http);
		if (err < 0)
			return err;
	}
	return RC_OK;
}

static int too_big(struct rc_http *http, size_t max)
{
	return rc_error_set(http->error, RC_ETOOBIG, "%s: the answer has more than %zu bytes",
			    http->where, max);
}

static int read_chunks(struct rc_http *http, size_t max, struct rc_buf *body)
{
	for (;;) {
		unsigned long long len;
		char *line;
		int err = read_line(http, &line);

		if (err < 0)
			return err;
		if (!isxdigit((unsigned char)*line)) /* strtoull takes signs and spaces too */
			return bad_http(http);
		len = strtoull(line, NULL, 16);
		if (len > max - body->len)
			return too_big(http, max);
		if (len) {
			err = read_body(http, (size_t)len, body);
			if (err < 0)
				return err;
		}
		err = read_line(http, &line);
		if (err < 0)
			return err;
		if (*line) /* trailers aren't sent by anything we talk to */
			return bad_http(http);
		if (!len)
			return RC_OK;
	}
}

struct head {
	int status;
	uint32_t retry_after;
	unsigned long long length;
	bool has_length, chunked, closes;
};

/* False: a length that is none. */
static bool take_header(struct head *head, char *line)
{
	char *value = strchr(line, ':');

	if (!value)
		return true;
	*value++ = '\0';
	value += strspn(value, " \t");
	if (!strcasecmp(line, "Content-Length")) {
		if (!isdigit((unsigned char)*value))
			return false;
		head->length = strtoull(value, NULL, 10);
		head->has_length = true;
	} else if (!strcasecmp(line, "Transfer-Encoding")) {
		head->chunked = !strcasecmp(value, "chunked");
	} else if (!strcasecmp(line, "Connection")) {
		head->closes = !strcasecmp(value, "close");
	} else if (!strcasecmp(line, "Retry-After")) {
		head->retry_after = (uint32_t)strtoul(value, NULL, 10);
	}
	return true;
}

/* A line of a head, of which *left bytes may still come. */
static int read_head_line(struct rc_http *http, size_t *left, char **ret)
{
	int err = read_line(http, ret);
	size_t len;

	if (err < 0)
		return err;
	len = strlen(*ret) + 1;
	if (len > *left)
		return bad_http(http);
	*left -= len;
	return RC_OK;
}

/* HTTP/1.0 or 1.1, and three digits. */
static bool read_status(const char *line, int *ret)
{
	char digits[4] = "", minor;

	if (sscanf(line, "HTTP/1.%c %3[0-9]", &minor, digits) != 2 || strlen(digits) != 3 ||
	    (minor != '0' && minor != '1'))
		return false;
	*ret = (int)strtol(digits, NULL, 10);
	return true;
}

static int read_head(struct rc_http *http, size_t *left, struct head *ret)
{
	struct head head = {0};
	char *line;
	int err = read_head_line(http, left, &line);

	if (err < 0)
		return err;
	if (!read_status(line, &head.status))
		return bad_http(http);
	for (;;) {
		err = read_head_line(http, left, &line);
		if (err < 0)
			return err;
		if (!*line)
			break;
		if (!take_header(&head, line))
			return bad_http(http);
	}
	*ret = head;
	return RC_OK;
}

static int read_answer(struct rc_http *http, size_t max, struct rc_http_answer *answer)
{
	size_t left = HEAD_MAX;
	struct head head;
	int err;

	do {
		err = read_head(http, &left, &head);
		if (err < 0)
			return err;
	} while (head.status == 100);
	answer->status = head.status;
	answer->retry_after = head.retry_after;
	if (head.chunked)
		err = read_chunks(http, max, &answer->body);
	else if (head.length > max)
		err = too_big(http, max);
	else
		err = read_body(http, (size_t)head.length, &answer->body);
	if (err < 0)
		return err;
	if (head.closes || (!head.chunked && !head.has_length && head.status != 204))
		disconnect(http);
	return RC_OK;
}

static int exchange(struct rc_http *http, const struct rc_buf *head, const void *body, size_t len,
		    size_t max, struct rc_http_answer *answer)
{
	int err = ensure_connected(http);

	if (err < 0)
		return err;
	rc_buf_clear(&http->in);
	http->taken = 0;
	err = send_all(http, head->data, head->len);
	if (err == RC_OK)
		err = send_all(http, body, len);
	if (err == RC_OK)
		err = read_answer(http, max, answer);
	return err;
}

int rc_http_post(struct rc_http *http, const char *path, const char *authorization,
		 const char *content_type, const void *body, size_t len, size_t max,
		 uint32_t timeout_ms, struct rc_http_answer *ret, struct rc_error *error)
{
	struct rc_buf head = RC_BUF_INIT;
	struct rc_http_answer answer = {.body = RC_BUF_INIT};
	int err;

	http->error = error;
	http->deadline_us = rc_mono_us(&rc_clock_system) + (int64_t)timeout_ms * 1000;
	rc_buf_printf(&head,
		      "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\n"
		      "Content-Length: %zu\r\n",
		      path, http->unix_path ? "localhost" : http->where, content_type, len);
	if (authorization)
		rc_buf_printf(&head, "Authorization: %s\r\n", authorization);
	rc_buf_put(&head, "\r\n", 2);
	err = exchange(http, &head, body, len, max, &answer);
	rc_wipe(head.data, head.len);
	rc_buf_done(&head);
	if (err < 0) {
		disconnect(http);
		rc_buf_done(&answer.body);
		return err;
	}
	*ret = answer;
	return RC_OK;
}
