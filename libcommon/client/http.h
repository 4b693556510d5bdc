/*
 * One HTTP/1.1 connection of a command-line tool: a request at a time over a Unix socket or TCP,
 * kept open between requests, with a deadline and a bound on the answer.
 */
#ifndef RC_CLIENT_HTTP_H
#define RC_CLIENT_HTTP_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct rc_http;

struct rc_http_answer {
	int status;
	uint32_t retry_after; /* seconds; 0: not told */
	struct rc_buf body;   /* the caller's: rc_buf_done */
};

/* Where: a socket's path, or else host and port. Nothing is connected yet. */
struct rc_http *rc_http_new(const char *unix_path, const char *host, uint16_t port);
void rc_http_free(struct rc_http *http);

/*
 * POSTs a body to path. authorization: the header's value, or NULL. The answer's body has at most
 * max bytes (RC_ETOOBIG beyond). RC_EUNAVAILABLE: nobody listens, the request was not sent;
 * RC_EACCES: the socket refuses us; RC_EDEADLINE; RC_EIO: the connection broke after sending, so
 * the request may have been carried out; RC_EFORMAT: that isn't HTTP.
 */
int rc_http_post(struct rc_http *http, const char *path, const char *authorization,
		 const char *content_type, const void *body, size_t len, size_t max,
		 uint32_t timeout_ms, struct rc_http_answer *ret, struct rc_error *error);

/* "unix:/path" or "127.0.0.1:17441": for messages. */
const char *rc_http_where(const struct rc_http *http);

#endif
