/* Health and figures, on libmicrohttpd's own polling thread; one mutex guards the picture. */
#include "daemons/rpcd/ops.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

/* The main loop publishes once a watch_ms at least (a minute at most): silence of twice that. */
#define LOOP_SILENCE_US INT64_C(120000000)
#define OPS_TIMEOUT_S	10u

struct ops {
	struct MHD_Daemon *mhd;
	const struct rc_metrics *own;
	const struct rc_clock *clock;
	pthread_mutex_t mutex;
	struct ops_picture picture; /* guarded by mutex, as are the two below */
	int64_t published_us;
	bool was_ready;
};

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
			      struct rc_buf *body)
{
	struct MHD_Response *response;
	enum MHD_Result result;
	size_t len;
	uint8_t *data = rc_buf_take(body, &len);

	response = MHD_create_response_from_buffer(len, data, MHD_RESPMEM_MUST_FREE);
	MHD_add_response_header(response, "Content-Type", type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_live(struct ops *ops, struct MHD_Connection *connection)
{
	struct rc_buf body = RC_BUF_INIT;
	int64_t silent_us;

	pthread_mutex_lock(&ops->mutex);
	silent_us = rc_mono_us(ops->clock) - ops->published_us;
	pthread_mutex_unlock(&ops->mutex);
	if (silent_us < LOOP_SILENCE_US) {
		rc_buf_printf(&body, "ok\n");
		return answer(connection, 200, "text/plain", &body);
	}
	rc_buf_printf(&body, "the main loop hasn't turned for %lld seconds\n",
		      (long long)(silent_us / 1000000));
	return answer(connection, 503, "text/plain", &body);
}

/* {"ready": …, "causes": […]}; started: whether it was ready once. */
static enum MHD_Result answer_ready(struct ops *ops, struct MHD_Connection *connection,
				    bool started)
{
	struct rc_buf body = RC_BUF_INIT;
	bool good;

	pthread_mutex_lock(&ops->mutex);
	good = started ? ops->was_ready : ops->picture.ready;
	rc_buf_printf(&body, "{\"%s\":%s,\"causes\":", started ? "started" : "ready",
		      good ? "true" : "false");
	if (ops->picture.causes.len && !good)
		rc_buf_put(&body, ops->picture.causes.data, ops->picture.causes.len);
	else
		rc_buf_printf(&body, good ? "[]" : "[\"rpcd is starting\"]");
	pthread_mutex_unlock(&ops->mutex);
	rc_buf_printf(&body, "}\n");
	return answer(connection, good ? 200 : 503, "application/json", &body);
}

static enum MHD_Result answer_metrics(struct ops *ops, struct MHD_Connection *connection)
{
	struct rc_buf body = RC_BUF_INIT;

	rc_metrics_write(ops->own, &body);
	pthread_mutex_lock(&ops->mutex);
	rc_buf_put(&body, ops->picture.metrics.data, ops->picture.metrics.len);
	pthread_mutex_unlock(&ops->mutex);
	return answer(connection, 200, "text/plain; version=0.0.4", &body);
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *connection, const char *url,
				 const char *method, const char *version, const char *upload,
				 size_t *upload_len, void **state)
{
	static int seen; /* its address marks a request whose headers were seen */
	struct ops *ops = cls;
	struct rc_buf body = RC_BUF_INIT;

	(void)version, (void)upload, (void)upload_len;
	if (strcmp(method, "GET")) {
		rc_buf_printf(&body, "GET only\n");
		return answer(connection, 405, "text/plain", &body);
	}
	if (*state != &seen) {
		*state = &seen;
		return MHD_YES;
	}
	if (!strcmp(url, "/livez"))
		return answer_live(ops, connection);
	if (!strcmp(url, "/readyz"))
		return answer_ready(ops, connection, false);
	if (!strcmp(url, "/startupz"))
		return answer_ready(ops, connection, true);
	if (!strcmp(url, "/metrics"))
		return answer_metrics(ops, connection);
	rc_buf_printf(&body, "/livez /readyz /startupz /metrics\n");
	return answer(connection, 404, "text/plain", &body);
}

static void on_log(void *cls, const char *fmt, va_list ap)
{
	(void)cls, (void)fmt, (void)ap;
}

int ops_open(const struct listen_socket *socket, const struct rc_metrics *metrics,
	     const struct rc_clock *clock, struct ops **ret, struct rc_error *error)
{
	struct ops *ops = rc_alloc(sizeof(*ops));

	ops->own = metrics;
	ops->clock = clock;
	ops->published_us = rc_mono_us(clock);
	pthread_mutex_init(&ops->mutex, NULL);
	ops->mhd = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL,
				    NULL, on_access, ops, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
				    MHD_OPTION_LISTEN_SOCKET, (MHD_socket)socket->fd,
				    MHD_OPTION_CONNECTION_LIMIT, OPS_CONNECTIONS,
				    MHD_OPTION_CONNECTION_TIMEOUT, OPS_TIMEOUT_S, MHD_OPTION_END);
	if (!ops->mhd) {
		pthread_mutex_destroy(&ops->mutex);
		free(ops);
		return rc_error_set(error, RC_EIO, "%s: libmicrohttpd can't start a thread",
				    socket->where);
	}
	rc_log(RC_LOG_INFO, "health and metrics at %s", socket->where);
	*ret = ops;
	return RC_OK;
}

static void picture_done(struct ops_picture *picture)
{
	rc_buf_done(&picture->causes);
	rc_buf_done(&picture->metrics);
}

void ops_close(struct ops *ops)
{
	if (!ops)
		return;
	MHD_stop_daemon(ops->mhd);
	picture_done(&ops->picture);
	pthread_mutex_destroy(&ops->mutex);
	free(ops);
}

void ops_publish(struct ops *ops, struct ops_picture *picture)
{
	struct ops_picture before;

	pthread_mutex_lock(&ops->mutex);
	before = ops->picture;
	ops->picture = *picture;
	ops->was_ready |= picture->ready;
	ops->published_us = rc_mono_us(ops->clock);
	pthread_mutex_unlock(&ops->mutex);
	picture_done(&before);
}
