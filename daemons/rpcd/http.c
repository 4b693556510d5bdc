/*~ One request: headers decide (path, method, size, load, password) before a byte of the body is
 * taken; the body goes to rpc.c; the connection sleeps; the answer wakes it. The body of what is
 * refused is read and dropped: a socket that is closed with bytes unread resets the connection,
 * and the client, which sends still, loses the refusal. */
#include "daemons/rpcd/http.h"

#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/test_point.h"

#define LISTENERS_MAX  8
#define IDLE_TIMEOUT_S 120
#define MHD_MEMORY     (32u << 10) /* a connection's: headers, and 16 KiB of body a read */
#define RETRY_AFTER_MS 1000
#define DELAYED_MAX    64 /* wrong passwords that wait for their refusal; more get 429 at once */
/* Bodies that come at once, of the largest size: eight where that is small, and of 64 MiB three,
 * since all of them are bounded by this; and so is what is made of them (heavy.h). */
#define BODIES_MAX   8u
#define BODIES_BYTES ((size_t)192 << 20)
/* Connections for which the kernel keeps a whole large answer: an answer of 2.4 MB is sent in half
 * the processor time. Four MiB each (heavy.h), so the first few. */
#define ROOMY_MAX 20
/* An answer of so many bytes is never refused: a connection has RPC_BATCH_PARALLEL at most that
 * were begun before there was too much. */
#define ANSWER_SMALL 4096u
/* How often those who wait are looked at: who has hung up keeps his place no longer. */
#define HANG_UP_US INT64_C(1000000)

struct listener {
	struct front *front;
	struct MHD_Daemon *mhd;
	struct rc_source *source; /* MHD's epoll descriptor */
	struct rc_source *timer;  /* MHD's next timeout */
	bool is_unix;
	bool run; /* something was resumed */
};

/* Bytes in hand, in all and of them those of users without the class admin: they may have three
 * quarters, so that the last one is an operator's. */
struct tally {
	size_t all, users, max;
};

struct front {
	struct rpcd *rpcd;
	struct listener listeners[LISTENERS_MAX];
	size_t n_listeners;
	struct rc_source *kick; /* runs listeners after a resume */
	struct rc_source *delay_timer;
	struct request *requests; /* all */
	struct request *delayed;  /* wrong passwords, the next due first */
	size_t n_delayed;
	size_t in_flight, in_flight_max;
	size_t body_max;      /* bytes */
	int64_t body_us;      /* that a body may take */
	unsigned n_roomy;     /* connections: ROOMY_MAX */
	struct tally bodies;  /* as they come */
	struct tally calls;   /* what was made of them, while the calls go on (rpc_weight) */
	struct tally answers; /* that are made and not taken yet */
	struct rc_source *hang_up_timer;
	bool hang_up_armed;
};

enum stage {
	STAGE_BODY,	/* taking the body */
	STAGE_WORK,	/* suspended */
	STAGE_ANSWER,	/* the answer is there */
	STAGE_ANSWERED, /* given to MHD */
};

struct request {
	struct front *front;
	struct listener *listener;
	struct MHD_Connection *connection;
	enum stage stage;
	enum rpc_class class;
	bool suspended;
	bool gone; /* the connection ended while the work went on */
	struct rc_buf body;
	size_t counted; /* in front->bodies */
	size_t weight;	/* in front->calls */
	size_t held;	/* in front->answers */
	int refused;	/* the status the rest of the body is dropped for, and then told; 0: none */
	size_t came;	/* bytes of the body, dropped or not */
	int64_t began_us;
	struct rpc_batch *batch; /* while it works */
	struct rpc_answer answer;
	const char *plain; /* a refusal's text instead of JSON */
	struct request *next_delayed;
	int64_t due_us;
	struct request *prev, *next; /* of all */
};

static void listener_run(struct listener *listener);

/* ---- answers ---- */

static const char *status_text(int status)
{
	switch (status) {
	case 400:
		return "bad request\n";
	case 401:
		return "a user and password are needed: see rpcd(8), cookie and rpcauth\n";
	case 404:
		return "JSON-RPC is at /\n";
	case 405:
		return "JSON-RPC is by POST\n";
	case 413:
		return "the request is too large: see rpcd(8), rpc_body_mb\n";
	case 429:
		return "too many wrong passwords\n";
	default:
		return "overloaded, try again\n";
	}
}

static enum MHD_Result queue_answer(struct request *r)
{
	struct MHD_Response *response;
	enum MHD_Result result;
	char seconds[16];

	r->stage = STAGE_ANSWERED;
	if (r->plain) {
		response = MHD_create_response_from_buffer(
			strlen(r->plain), (void *)(uintptr_t)r->plain, MHD_RESPMEM_PERSISTENT);
		MHD_add_response_header(response, "Content-Type", "text/plain");
	} else {
		/* The request outlives the response's use of it. */
		const struct rc_buf *body = &r->answer.body;

		response = MHD_create_response_from_buffer(body->len, body->data,
							   MHD_RESPMEM_PERSISTENT);
		if (body->len)
			MHD_add_response_header(response, "Content-Type", "application/json");
	}
	if (r->answer.status == 401)
		MHD_add_response_header(response, "WWW-Authenticate", "Basic realm=\"rustycoin\"");
	if (r->answer.status == 405)
		MHD_add_response_header(response, "Allow", "POST");
	if (r->answer.status == 503 || r->answer.status == 429) {
		uint32_t ms = r->answer.retry_ms ? r->answer.retry_ms : RETRY_AFTER_MS;

		snprintf(seconds, sizeof(seconds), "%u", (ms + 999) / 1000);
		MHD_add_response_header(response, "Retry-After", seconds);
	}
	/* This client's next request is for the next rpcd, whose socket may be open already. */
	if (r->front->rpcd->stopping)
		MHD_add_response_header(response, "Connection", "close");
	result = MHD_queue_response(r->connection, (unsigned)r->answer.status, response);
	MHD_destroy_response(response);
	return result;
}

static void refuse(struct request *r, int status)
{
	r->answer.status = status;
	r->plain = status_text(status);
	r->stage = STAGE_ANSWER;
}

static size_t users_share(const struct tally *t)
{
	return t->max - t->max / 4;
}

/* Would so many more of this request be too much? What users have beyond their share, as answers
 * that were begun before may, isn't the operator's fault. */
static bool tally_over(const struct tally *t, const struct request *r, size_t more)
{
	size_t share = users_share(t);

	if (r->class == RPC_ADMIN)
		return t->all - t->users + rc_min_u64(t->users, share) + more > t->max;
	return t->users + more > share || t->all + more > t->max;
}

/* The request's part was before and is now. */
static void tally_set(struct tally *t, const struct request *r, size_t before, size_t now)
{
	t->all += now - before;
	if (r->class != RPC_ADMIN)
		t->users += now - before;
}

static void show_bodies(const struct front *front)
{
	rc_metric_set(front->rpcd->metrics, M_BODY_BYTES,
		      (int64_t)(front->bodies.all + front->calls.all));
}

static void count_body(struct request *r, size_t bytes)
{
	tally_set(&r->front->bodies, r, r->counted, bytes);
	r->counted = bytes;
	show_bodies(r->front);
}

static void release_body(struct request *r)
{
	count_body(r, 0);
	rc_buf_done(&r->body);
}

static void count_calls(struct request *r, size_t bytes)
{
	tally_set(&r->front->calls, r, r->weight, bytes);
	r->weight = bytes;
	show_bodies(r->front);
}

/* The request's answers have so many bytes now. */
static void hold_answers(struct request *r, size_t bytes)
{
	struct front *front = r->front;

	tally_set(&front->answers, r, r->held, bytes);
	r->held = bytes;
	rc_metric_set(front->rpcd->metrics, M_ANSWER_BYTES, (int64_t)front->answers.all);
}

/* Too much lies here for slow readers; an answer that is alone, an operator's but for users', may
 * have any size. */
static bool too_many_answers(const struct request *r)
{
	const struct tally *answers = &r->front->answers;
	size_t others = answers->all - r->held - (r->class == RPC_ADMIN ? answers->users : 0);

	return others && tally_over(answers, r, 0);
}

static void request_free(struct request *r)
{
	release_body(r);
	count_calls(r, 0);
	hold_answers(r, 0);
	room_give(&r->front->rpcd->room, &r->answer.body);
	DL_DELETE(r->front->requests, r);
	free(r);
}

static void resume(struct request *r)
{
	r->suspended = false;
	MHD_resume_connection(r->connection);
	r->listener->run = true;
	rc_defer_enable(r->front->kick, true);
}

/* ---- wrong passwords wait ---- */

static void arm_delay(struct front *front)
{
	if (front->delayed)
		rc_timer_arm(front->delay_timer,
			     front->delayed->due_us - rc_loop_now_us(front->rpcd->loop));
}

static void on_delay(void *arg)
{
	struct front *front = arg;
	int64_t now = rc_loop_now_us(front->rpcd->loop);

	while (front->delayed && front->delayed->due_us <= now) {
		struct request *r = front->delayed;

		front->delayed = r->next_delayed;
		front->n_delayed--;
		resume(r);
	}
	arm_delay(front);
}

static void delay_refusal(struct request *r)
{
	struct front *front = r->front;
	int64_t now = rc_loop_now_us(front->rpcd->loop);
	struct request **at = &front->delayed;

	rc_metric_add(front->rpcd->metrics, M_AUTH_FAILED, 1);
	refuse(r, 401);
	if (front->n_delayed >= DELAYED_MAX) {
		refuse(r, 429);
		return;
	}
	r->due_us = now + (int64_t)auth_failed(front->rpcd->auth, now) * 1000;
	while (*at && (*at)->due_us <= r->due_us)
		at = &(*at)->next_delayed;
	r->next_delayed = *at;
	*at = r;
	front->n_delayed++;
	r->suspended = true;
	MHD_suspend_connection(r->connection);
	arm_delay(front);
}

static void forget_delayed(struct request *r)
{
	for (struct request **at = &r->front->delayed; *at; at = &(*at)->next_delayed)
		if (*at == r) {
			*at = r->next_delayed;
			r->front->n_delayed--;
			return;
		}
}

/* ---- who hangs up while he waits ---- */

static void watch_hang_ups(struct front *front)
{
	if (front->hang_up_armed)
		return;
	front->hang_up_armed = true;
	rc_timer_arm(front->hang_up_timer, HANG_UP_US);
}

/* Or ended his sending, which looks the same. libmicrohttpd doesn't look at a connection that is
 * asleep. */
static bool has_hung_up(const struct request *r)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct pollfd p = {.fd = info ? info->connect_fd : -1, .events = POLLRDHUP};

	return poll(&p, 1, 0) > 0;
}

static void on_hang_up_timer(void *arg)
{
	struct front *front = arg;
	int64_t old = rc_loop_now_us(front->rpcd->loop) - HANG_UP_US;
	struct request *r, *next;

	front->hang_up_armed = false;
	/* Nobody is freed here: who is resumed goes when libmicrohttpd runs. */
	DL_FOREACH_SAFE (front->requests, r, next) {
		if (!r->batch || r->gone)
			continue;
		watch_hang_ups(front);
		if (r->suspended && r->began_us <= old && has_hung_up(r))
			rpc_hang_up(r->batch);
	}
}

/* ---- requests ---- */

static int may_call(void *arg, const struct rpc_method *method)
{
	struct request *r = arg;

	rc_metric_add(r->front->rpcd->metrics, M_CALLS, 1);
	if (r->front->rpcd->closing) /* what a batch has left: there is nobody to ask */
		return RPC_DAEMON_AWAY;
	if (method->class > r->class)
		return RPC_NOT_PERMITTED;
	/* Submissions and an operator's word have short answers, and must get through. */
	if (method->class == RPC_READ && too_many_answers(r)) {
		rc_metric_add(r->front->rpcd->metrics, M_REFUSED_BUSY, 1);
		return RPC_OVERLOADED;
	}
	return 0;
}

/* The answers of a batch lie here while its other calls go on, so each counts when it is made. What
 * is kept is not dropped later: the caller must learn what became of a submission. */
static bool may_keep(void *arg, const struct rpc_method *method, size_t bytes, size_t sum)
{
	struct request *r = arg;

	hold_answers(r, sum);
	if (!method || method->class != RPC_READ || bytes <= ANSWER_SMALL || !too_many_answers(r))
		return true;
	rc_metric_add(r->front->rpcd->metrics, M_REFUSED_BUSY, 1);
	return false;
}

static void on_answer(void *arg, struct rpc_answer *answer)
{
	struct request *r = arg;
	struct front *front = r->front;

	front->in_flight--;
	rc_metric_set(front->rpcd->metrics, M_IN_FLIGHT, (int64_t)front->in_flight);
	rc_metric_time_us(front->rpcd->metrics, M_ANSWER_TIME,
			  (uint64_t)(rc_loop_now_us(front->rpcd->loop) - r->began_us));
	rc_metric_add(front->rpcd->metrics, M_CALLS_FAILED, answer->failed);
	r->answer = *answer;
	r->stage = STAGE_ANSWER;
	RC_TEST_POINT(RPCD_ANSWER);
	r->batch = NULL;
	release_body(r);
	count_calls(r, 0);
	hold_answers(r, answer->body.len);
	if (r->gone)
		request_free(r);
	else if (r->suspended)
		resume(r);
}

static size_t declared_length(struct MHD_Connection *connection)
{
	const char *text =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");

	return text ? (size_t)strtoull(text, NULL, 10) : 0;
}

/* The status it is refused with; 0: none. */
static int look_at_headers(struct request *r, const char *url, const char *method)
{
	struct front *front = r->front;
	size_t len = declared_length(r->connection);
	const char *credential =
		MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Authorization");

	rc_metric_add(front->rpcd->metrics, M_REQUESTS, 1);
	if (strcmp(url, "/"))
		return 404;
	if (strcmp(method, "POST"))
		return 405;
	if (r->listener->is_unix)
		r->class = RPC_ADMIN;
	else if (!auth_check(front->rpcd->auth, credential, &r->class))
		return 401;
	if (len > front->body_max) {
		rc_metric_add(front->rpcd->metrics, M_REFUSED_SIZE, 1);
		return 413;
	}
	if (front->in_flight >= front->in_flight_max || tally_over(&front->bodies, r, len) ||
	    front->rpcd->closing) {
		rc_metric_add(front->rpcd->metrics, M_REFUSED_BUSY, 1);
		return 503;
	}
	return 0;
}

/* Of a request's body, taken and dropped, at most: then the connection is cut. */
static size_t came_max(const struct front *front)
{
	return 2 * front->body_max;
}

/* Does a body come that is to be dropped? Who asks first if he may send one is told at once, as is
 * who would be cut off before its end. */
static bool body_to_drop(const struct request *r)
{
	size_t len = declared_length(r->connection);

	if (MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Expect"))
		return false;
	if (MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Transfer-Encoding"))
		return true;
	return len > 0 && len <= came_max(r->front);
}

static enum MHD_Result tell_refusal(struct request *r)
{
	if (r->refused == 401)
		delay_refusal(r);
	else
		refuse(r, r->refused);
	return r->suspended ? MHD_YES : queue_answer(r);
}

/* libmicrohttpd takes an answer before a body or after it: the rest is dropped until then. */
static void drop_body(struct request *r, int status, enum rpcd_metric metric)
{
	rc_metric_add(r->front->rpcd->metrics, metric, 1);
	r->refused = status;
	release_body(r);
}

/*
 * Only what has come counts: who declares much and sends little takes nothing from others. Who
 * sends for longer than a body may take, or on and on after it was refused, is cut off.
 */
static enum MHD_Result take_body(struct request *r, const char *data, size_t *len)
{
	struct front *front = r->front;
	int64_t now = rc_loop_now_us(front->rpcd->loop);

	if (!r->began_us)
		r->began_us = now;
	if (now - r->began_us > front->body_us)
		return MHD_NO;
	r->came += *len;
	if (r->came > came_max(front))
		return MHD_NO;
	if (!r->refused && r->came > front->body_max)
		drop_body(r, 413, M_REFUSED_SIZE);
	else if (!r->refused && tally_over(&front->bodies, r, *len))
		drop_body(r, 503, M_REFUSED_BUSY);
	if (!r->refused) {
		rc_buf_put(&r->body, data, *len);
		count_body(r, r->body.len);
	}
	*len = 0;
	return MHD_YES;
}

static void begin_work(struct request *r)
{
	struct front *front = r->front;
	size_t weight = rpc_weight((const char *)r->body.data, r->body.len);

	if (tally_over(&front->calls, r, weight)) {
		rc_metric_add(front->rpcd->metrics, M_REFUSED_BUSY, 1);
		release_body(r);
		refuse(r, 503);
		return;
	}
	count_calls(r, weight);
	r->stage = STAGE_WORK;
	r->began_us = rc_loop_now_us(front->rpcd->loop);
	front->in_flight++;
	RC_TEST_POINT(RPCD_REQUEST);
	rc_metric_set(front->rpcd->metrics, M_IN_FLIGHT, (int64_t)front->in_flight);
	r->batch = rpc_start(&front->rpcd->table, front->rpcd, may_call, may_keep,
			     (const char *)r->body.data, r->body.len, on_answer, r);
	release_body(r); /* the calls have what they need of it */
	if (r->stage == STAGE_WORK) {
		r->suspended = true;
		MHD_suspend_connection(r->connection);
		watch_hang_ups(front);
		RC_TEST_POINT(RPCD_ASKED);
	}
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *connection, const char *url,
				 const char *method, const char *version, const char *upload,
				 size_t *upload_len, void **state)
{
	struct listener *listener = cls;
	struct request *r = *state;

	(void)version;
	if (!r) {
		r = rc_alloc(sizeof(*r));
		r->front = listener->front;
		r->listener = listener;
		r->connection = connection;
		DL_APPEND(r->front->requests, r);
		*state = r;
		r->refused = look_at_headers(r, url, method);
		/* An answer before a body closes the connection. */
		return r->refused && !body_to_drop(r) ? tell_refusal(r) : MHD_YES;
	}
	if (r->suspended || r->stage == STAGE_ANSWERED) {
		*upload_len = 0;
		return MHD_YES;
	}
	if (r->stage == STAGE_BODY && *upload_len)
		return take_body(r, upload, upload_len);
	if (r->stage == STAGE_BODY && r->refused)
		return tell_refusal(r);
	if (r->stage == STAGE_BODY)
		begin_work(r);
	if (r->stage == STAGE_ANSWER)
		return queue_answer(r);
	return MHD_YES;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode code)
{
	struct request *r = *state;

	(void)cls, (void)connection, (void)code;
	if (!r)
		return;
	*state = NULL;
	forget_delayed(r);
	if (r->stage == STAGE_WORK)
		r->gone = true; /* freed by on_answer */
	else
		request_free(r);
}

static bool make_roomy(struct listener *listener, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (listener->is_unix || !info || listener->front->n_roomy >= ROOMY_MAX)
		return false;
	listen_roomy(info->connect_fd);
	listener->front->n_roomy++;
	return true;
}

/* *state is the connection's own, not a request's: front where it is roomy. */
static void on_connection(void *cls, struct MHD_Connection *connection, void **state,
			  enum MHD_ConnectionNotificationCode code)
{
	struct listener *listener = cls;
	struct rc_metrics *metrics = listener->front->rpcd->metrics;
	int64_t now = (int64_t)rc_metric_get(metrics, M_CONNECTIONS);
	struct front *front = listener->front;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		rc_metric_set(metrics, M_CONNECTIONS, now + 1);
		*state = make_roomy(listener, connection) ? front : NULL;
	} else {
		rc_metric_set(metrics, M_CONNECTIONS, now - 1);
		front->n_roomy -= *state == front;
	}
}

static void on_mhd_log(void *cls, const char *fmt, va_list ap)
{
	char text[512];

	(void)cls;
	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	rc_log(RC_LOG_DEBUG, "http: %s", text);
}

/* ---- libmicrohttpd in the loop ---- */

static void listener_run(struct listener *listener)
{
	MHD_UNSIGNED_LONG_LONG ms;

	listener->run = false;
	MHD_run(listener->mhd);
	if (MHD_get_timeout(listener->mhd, &ms) == MHD_YES)
		rc_timer_arm(listener->timer, (int64_t)rc_min_u64(ms, 60000) * 1000);
	else
		rc_timer_disarm(listener->timer);
}

static void on_listener_fd(void *arg, int fd, uint32_t revents)
{
	(void)fd, (void)revents;
	listener_run(arg);
}

static void on_listener_timer(void *arg)
{
	listener_run(arg);
}

static void on_kick(void *arg)
{
	struct front *front = arg;

	rc_defer_enable(front->kick, false);
	for (size_t i = 0; i < front->n_listeners; i++)
		if (front->listeners[i].run)
			listener_run(&front->listeners[i]);
}

static int listener_open(struct front *front, const struct listen_socket *socket,
			 unsigned connections, struct rc_error *error)
{
	struct listener *listener = &front->listeners[front->n_listeners];
	const union MHD_DaemonInfo *info;

	listener->front = front;
	listener->is_unix = socket->is_unix;
	listener->mhd = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		on_access, listener, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, (MHD_socket)socket->fd, MHD_OPTION_CONNECTION_LIMIT,
		connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MHD_MEMORY, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener,
		MHD_OPTION_END);
	if (!listener->mhd)
		return rc_error_set(error, RC_EIO, "%s: libmicrohttpd can't listen", socket->where);
	info = MHD_get_daemon_info(listener->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info) {
		MHD_stop_daemon(listener->mhd);
		return rc_error_set(error, RC_EIO, "%s: libmicrohttpd has no epoll", socket->where);
	}
	listener->source =
		rc_loop_add_fd(front->rpcd->loop, info->epoll_fd, POLLIN, on_listener_fd, listener);
	listener->timer = rc_loop_add_timer(front->rpcd->loop, on_listener_timer, listener);
	front->n_listeners++;
	rc_log(RC_LOG_INFO, "JSON-RPC at %s", socket->where);
	return RC_OK;
}

/* Of users, who have three quarters, a body of the largest size must find room. */
static size_t at_least_one(size_t bytes, size_t one)
{
	return rc_max_u64(bytes, one + one / 3 + 1);
}

static size_t bodies_max(size_t body_max)
{
	return at_least_one(rc_min_u64(BODIES_MAX * body_max, BODIES_BYTES), body_max);
}

static size_t calls_max(size_t body_max)
{
	return at_least_one(BODIES_BYTES, rpc_weight_max(body_max));
}

int front_open(struct rpcd *rpcd, const struct listen_socket *sockets, size_t n, struct front **ret,
	       struct rc_error *error)
{
	const struct rc_config *config = rc_service_config(rpcd->service);
	struct front *front = rc_alloc(sizeof(*front));
	int err = RC_OK;

	front->rpcd = rpcd;
	front->in_flight_max = rc_config_u64(config, "rpc_in_flight");
	front->body_max = (size_t)rc_config_u64(config, "rpc_body_mb") << 20;
	front->body_us = (int64_t)rc_config_u64(config, "rpc_body_seconds") * 1000000;
	front->bodies.max = bodies_max(front->body_max);
	front->calls.max = calls_max(front->body_max);
	front->answers.max = (size_t)rc_config_u64(config, "rpc_answers_mb") << 20;
	front->hang_up_timer = rc_loop_add_timer(rpcd->loop, on_hang_up_timer, front);
	front->kick = rc_loop_add_defer(rpcd->loop, on_kick, front);
	front->delay_timer = rc_loop_add_timer(rpcd->loop, on_delay, front);
	for (size_t i = 0; i < n && i < LISTENERS_MAX && err == RC_OK; i++)
		err = listener_open(front, &sockets[i],
				    (unsigned)rc_config_u64(config, "rpc_connections"), error);
	if (err < 0) {
		front_close(front);
		return err;
	}
	*ret = front;
	return RC_OK;
}

void front_quiesce(struct front *front)
{
	for (size_t i = 0; i < front->n_listeners; i++) {
		MHD_socket fd = MHD_quiesce_daemon(front->listeners[i].mhd);

		if (fd != MHD_INVALID_SOCKET)
			close(fd);
	}
}

size_t front_in_flight(const struct front *front)
{
	return front->in_flight;
}

void front_close(struct front *front)
{
	struct request *r;

	if (!front)
		return;
	/* libmicrohttpd wants nobody asleep when it ends; who still waits sees his connection end.
	 */
	DL_FOREACH (front->requests, r)
		if (r->suspended)
			resume(r);
	for (size_t i = 0; i < front->n_listeners; i++) {
		MHD_run(front->listeners[i].mhd);
		rc_source_free(front->listeners[i].source);
		rc_source_free(front->listeners[i].timer);
		MHD_stop_daemon(front->listeners[i].mhd);
	}
	rc_source_free(front->kick);
	rc_source_free(front->delay_timer);
	rc_source_free(front->hang_up_timer);
	free(front);
}
