/* ZeroMQ sockets as sources of the loop. */
#include "bus/zsock.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "base/clock.h"
#include "base/log.h"

/* Messages taken in one turn of the loop: a millisecond or two of small ones. */
#define SLICE 128
/* Sockets of a process: a simulation of some hundred nodes has about ten each. */
#define MAX_SOCKETS 8192
/* After a lost connection: soon, since a daemon is back within a fraction of a second, and a node
 * isn't there before its daemons have found each other; then slower. */
#define RECONNECT_MS	 10
#define RECONNECT_MAX_MS 50
/* A day: a client's connection is renewed by us, below. */
#define NEVER_MS (24 * 3600 * 1000)
/* The monitor's own message: 16-bit event, 32-bit value. */
#define MONITOR_FRAME 6

struct rc_zsock {
	struct rc_zsock_config config;
	struct rc_loop *loop;
	void *socket;
	struct rc_source *wake;
	struct rc_source *more;
	struct rc_zsock *monitor;
	char *inproc;		   /* the endpoint bound in-process; else NULL */
	char *endpoint;		   /* of a watched client: connected to, again and again */
	struct rc_source *renewal; /* timer, runs while such a one has no connection under way */
	bool renewing;		   /* it runs */
	int64_t renew_ms;
	bool want_room;
	unsigned depth; /* pumps under way: the struct outlives them */
	bool closed;
};

static void free_context(void *context)
{
	zmq_ctx_term(context);
}

static void *make_context(void)
{
	void *context = zmq_ctx_new();

	if (!context || zmq_ctx_set(context, ZMQ_MAX_SOCKETS, MAX_SOCKETS) < 0) {
		rc_log(RC_LOG_CRIT, "bus: no ZeroMQ context (%s); the process ends",
		       zmq_strerror(zmq_errno()));
		abort();
	}
	return context;
}

/* Sizes are checked by libzmq: a wrong one is our mistake, and silent if nobody looks. */
static void set_int(void *socket, int option, int value)
{
	int r = zmq_setsockopt(socket, option, &value, sizeof(value));

	assert(r == 0);
	(void)r;
}

static int get_events(struct rc_zsock *zsock)
{
	int events = 0;
	size_t size = sizeof(events);

	while (zmq_getsockopt(zsock->socket, ZMQ_EVENTS, &events, &size) < 0) {
		if (zmq_errno() != EINTR)
			return 0;
	}
	return events;
}

/* One message, or false when none waits. An oversized one leaves no frames. */
static bool receive(struct rc_zsock *zsock, struct rc_frames *frames)
{
	bool bad = false;

	for (;;) {
		zmq_msg_t *msg = rc_frames_add(frames);

		while (zmq_msg_recv(msg, zsock->socket, ZMQ_DONTWAIT) < 0) {
			if (zmq_errno() == EINTR)
				continue;
			rc_frames_done(frames);
			return false;
		}
		frames->bytes += zmq_msg_size(msg);
		if (frames->n > RC_FRAMES_MAX || frames->bytes > zsock->config.max_bytes)
			bad = true;
		if (!zmq_msg_more(msg))
			break;
		if (bad)
			rc_frames_drop_last(frames);
	}
	if (bad)
		rc_frames_done(frames);
	return true;
}

static void pump(struct rc_zsock *zsock)
{
	unsigned taken = 0;
	int events = 0;

	zsock->depth++;
	while (!zsock->closed && taken < SLICE) {
		struct rc_frames frames = {0};

		if (!receive(zsock, &frames))
			break;
		taken++;
		if (frames.n)
			zsock->config.on_frames(zsock->config.arg, &frames);
		else if (zsock->config.on_bad)
			zsock->config.on_bad(zsock->config.arg);
		rc_frames_done(&frames);
	}
	if (!zsock->closed)
		events = get_events(zsock);
	if (!zsock->closed && zsock->want_room && (events & ZMQ_POLLOUT)) {
		zsock->want_room = false;
		zsock->config.on_room(zsock->config.arg);
		if (!zsock->closed)
			events = get_events(zsock);
	}
	zsock->depth--;
	if (!zsock->closed)
		rc_defer_enable(zsock->more, events & ZMQ_POLLIN);
	else if (!zsock->depth)
		free(zsock);
}

static void on_wake(void *arg, int fd, uint32_t revents)
{
	(void)fd;
	(void)revents;
	pump(arg);
}

static void on_more(void *arg)
{
	pump(arg);
}

static int zmq_error(struct rc_error *error, const char *what, const char *endpoint)
{
	int code = zmq_errno();
	int err = code == EADDRINUSE ? RC_EEXIST : rc_err_from_errno(code);

	return rc_error_set(error, err, "%s %s: %s", what, endpoint, zmq_strerror(code));
}

static void set_options(void *socket, const struct rc_zsock_config *config)
{
	int r = zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &config->max_frame,
			       sizeof(config->max_frame));

	assert(r == 0);
	(void)r;
	set_int(socket, ZMQ_LINGER, config->linger_ms);
	set_int(socket, ZMQ_SNDHWM, config->send_mark);
	set_int(socket, ZMQ_RCVHWM, config->receive_mark);
	if (config->type == ZMQ_ROUTER)
		set_int(socket, ZMQ_ROUTER_MANDATORY, 1);
	if (config->type == ZMQ_DEALER)
		set_int(socket, ZMQ_RECONNECT_IVL, NEVER_MS);
	if (config->type == ZMQ_SUB) {
		set_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS);
		set_int(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
	}
	if (config->type == ZMQ_SUB)
		zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
	if (config->xpub_hello)
		zmq_setsockopt(socket, ZMQ_XPUB_WELCOME_MSG, config->xpub_hello,
			       strlen(config->xpub_hello));
}

/*
 * A client's connection is renewed by us, not by libzmq, for two reasons. libzmq either keeps what
 * waits to be sent, and brings it to the next server before our greeting; or (ZMQ_IMMEDIATE) it
 * ends the pipe as soon as a receive takes notice of the loss, also between two frames of a
 * message, and then its own assertion ends the process (4.3.4, fq.cpp: !_more). With us a pipe has
 * one connection, and ends between two messages, as does all that was in it, both ways.
 */
static void connect_again(void *arg)
{
	struct rc_zsock *zsock = arg;

	if (rc_zsock_connect(zsock, zsock->endpoint, NULL) < 0)
		rc_timer_arm(zsock->renewal, RECONNECT_MAX_MS * INT64_C(1000));
	else
		zsock->renewing = false;
}

static void renew_soon(struct rc_zsock *zsock)
{
	rc_zsock_disconnect(zsock, zsock->endpoint);
	zsock->renewing = true;
	rc_timer_arm(zsock->renewal, zsock->renew_ms * 1000);
	zsock->renew_ms *= 2;
	if (zsock->renew_ms > RECONNECT_MAX_MS)
		zsock->renew_ms = RECONNECT_MAX_MS;
}

/* The callback may close the socket, so it comes last. */
static void on_link_event(struct rc_zsock *zsock, bool up)
{
	if (zsock->renewing)
		return; /* news of the connection that was given up */
	if (up)
		zsock->renew_ms = RECONNECT_MS;
	else if (zsock->endpoint)
		renew_soon(zsock);
	zsock->config.on_link(zsock->config.arg, up);
}

static void on_monitor(void *arg, struct rc_frames *frames)
{
	struct rc_zsock *zsock = arg;
	struct rc_bytes first = rc_frames_get(frames, 0);
	uint16_t event; /* in the host's byte order */

	if (first.len < MONITOR_FRAME)
		return;
	memcpy(&event, first.data, sizeof(event));
	switch (event) {
	case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
		on_link_event(zsock, true);
		break;
	case ZMQ_EVENT_DISCONNECTED:
	case ZMQ_EVENT_CONNECT_RETRIED: /* it failed, and is let wait for NEVER_MS */
		on_link_event(zsock, false);
		break;
	}
}

static int open_monitor(struct rc_zsock *zsock, struct rc_error *error)
{
	/* Without a mark: libzmq's I/O thread would block on a full monitor. */
	const struct rc_zsock_config config = {
		.type = ZMQ_PAIR,
		.max_frame = -1,
		.max_bytes = RC_ENVELOPE_MAX,
		.on_frames = on_monitor,
		.arg = zsock,
	};
	char endpoint[64];
	int err;

	/* libzmq frees a name some time after its socket is closed; an address is used again
	 * sooner. */
	snprintf(endpoint, sizeof(endpoint), "inproc://monitor-%016llx",
		 (unsigned long long)rc_random_u64(&rc_random_system));
	if (zmq_socket_monitor(zsock->socket, endpoint,
			       ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
				       ZMQ_EVENT_CONNECT_RETRIED) < 0)
		return zmq_error(error, "watching", endpoint);
	err = rc_zsock_open(zsock->loop, &config, &zsock->monitor, error);
	if (err < 0)
		return err;
	return rc_zsock_connect(zsock->monitor, endpoint, error);
}

int rc_zsock_open(struct rc_loop *loop, const struct rc_zsock_config *config, struct rc_zsock **ret,
		  struct rc_error *error)
{
	void *context = rc_loop_shared(loop, make_context, free_context);
	struct rc_zsock *zsock = rc_alloc(sizeof(*zsock));
	int fd = -1;
	size_t size = sizeof(fd);
	int err;

	zsock->config = *config;
	zsock->loop = loop;
	zsock->socket = zmq_socket(context, config->type);
	if (!zsock->socket) {
		free(zsock);
		return zmq_error(error, "making", "a ZeroMQ socket");
	}
	set_options(zsock->socket, config);
	if (zmq_getsockopt(zsock->socket, ZMQ_FD, &fd, &size) < 0) {
		err = zmq_error(error, "asking for the descriptor of", "a ZeroMQ socket");
		zmq_close(zsock->socket);
		free(zsock);
		return err;
	}
	zsock->wake = rc_loop_add_fd(loop, fd, POLLIN, on_wake, zsock);
	zsock->more = rc_loop_add_defer(loop, on_more, zsock);
	zsock->renewal = rc_loop_add_timer(loop, connect_again, zsock);
	zsock->renew_ms = RECONNECT_MS;
	err = config->watch_links ? open_monitor(zsock, error) : RC_OK;
	if (err < 0) {
		rc_zsock_close(zsock);
		return err;
	}
	*ret = zsock;
	return RC_OK;
}

void rc_zsock_close(struct rc_zsock *zsock)
{
	if (!zsock)
		return;
	if (zsock->monitor) {
		zmq_socket_monitor(zsock->socket, NULL, 0);
		rc_zsock_close(zsock->monitor);
	}
	rc_source_free(zsock->wake);
	rc_source_free(zsock->more);
	rc_source_free(zsock->renewal);
	/* Closing goes on behind our back; the name must be free at once. */
	if (zsock->inproc)
		zmq_unbind(zsock->socket, zsock->inproc);
	free(zsock->inproc);
	free(zsock->endpoint);
	zmq_close(zsock->socket);
	zsock->closed = true;
	if (!zsock->depth)
		free(zsock);
}

/* What came before anybody looked at the descriptor makes no wake-up. */
static void look_soon(struct rc_zsock *zsock)
{
	rc_defer_enable(zsock->more, true);
}

int rc_zsock_bind(struct rc_zsock *zsock, const char *endpoint, struct rc_error *error)
{
	if (zmq_bind(zsock->socket, endpoint) < 0)
		return zmq_error(error, "binding", endpoint);
	if (strncmp(endpoint, "inproc://", strlen("inproc://")) == 0)
		zsock->inproc = rc_strdup(endpoint);
	look_soon(zsock);
	return RC_OK;
}

int rc_zsock_connect(struct rc_zsock *zsock, const char *endpoint, struct rc_error *error)
{
	if (zmq_connect(zsock->socket, endpoint) < 0)
		return zmq_error(error, "connecting to", endpoint);
	if (zsock->config.type == ZMQ_DEALER && zsock->monitor && !zsock->endpoint)
		zsock->endpoint = rc_strdup(endpoint);
	look_soon(zsock);
	return RC_OK;
}

void rc_zsock_disconnect(struct rc_zsock *zsock, const char *endpoint)
{
	set_int(zsock->socket, ZMQ_LINGER, 0);
	zmq_disconnect(zsock->socket, endpoint);
	set_int(zsock->socket, ZMQ_LINGER, zsock->config.linger_ms);
	/* A look takes the ended pipe off libzmq's lists of those to read and to write. Else it
	 * would be taken off later, perhaps amid a message of the next pipe, which that can
	 * interrupt. */
	get_events(zsock);
	look_soon(zsock);
}

/* RC_OK when libzmq has the message, or lost it because the peer went away midway. */
static int send_all(struct rc_zsock *zsock, struct rc_frames *frames)
{
	for (unsigned i = 0; i < frames->n; i++) {
		int flags = ZMQ_DONTWAIT | (i + 1 < frames->n ? ZMQ_SNDMORE : 0);
		int r;

		do
			r = zmq_msg_send(rc_frames_msg(frames, i), zsock->socket, flags);
		while (r < 0 && zmq_errno() == EINTR);
		if (r < 0 && i == 0)
			return zmq_errno() == EAGAIN ? RC_EBUSY : RC_EUNAVAILABLE;
	}
	return RC_OK;
}

int rc_zsock_send(struct rc_zsock *zsock, struct rc_frames *frames)
{
	int err = send_all(zsock, frames);
	int events;

	if (err == RC_OK)
		rc_frames_done(frames);
	else if (err == RC_EBUSY)
		zsock->want_room = zsock->config.on_room != NULL;
	if (zsock->depth)
		return err; /* the pump looks before it ends */
	/* Sending may have taken in the news that the descriptor was to wake us for. */
	events = get_events(zsock);
	if ((events & ZMQ_POLLIN) || (zsock->want_room && (events & ZMQ_POLLOUT)))
		look_soon(zsock);
	return err;
}
