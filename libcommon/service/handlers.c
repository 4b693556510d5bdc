/* What every daemon answers: Status, Metrics, Reload, SetLogLevel. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "bus/frames.h"
#include "proto/common.pb-c.h"
#include "service/service_state.h"

void rc_status_figure(struct rc_status *status, const char *name, const char *fmt, ...)
{
	struct rc_status_figure *figure;
	va_list ap;

	if (status->n_figures >= RC_ARRAY_LEN(status->figures))
		return;
	figure = &status->figures[status->n_figures++];
	snprintf(figure->name, sizeof(figure->name), "%s", name);
	va_start(ap, fmt);
	vsnprintf(figure->value, sizeof(figure->value), fmt, ap);
	va_end(ap);
}

void rc_service_status(struct rc_service *service, struct rc_status *ret_status)
{
	*ret_status = (struct rc_status){.ready = service->ready};
	snprintf(ret_status->text, sizeof(ret_status->text), "%s",
		 service->stopping ? "stopping"
		 : service->ready  ? "ready"
				   : "starting");
	if (service->def->status && service->ctx && !service->stopping)
		service->def->status(service->ctx, ret_status);
	ret_status->ready = ret_status->ready && service->ready && !service->stopping;
}

static void on_status(void *ctx, struct rc_request *request)
{
	struct rc_service *service = ctx;
	Rc__StatusReply reply = RC__STATUS_REPLY__INIT;
	Rc__StatusReply__Figure figures[RC_ARRAY_LEN(((struct rc_status *)0)->figures)];
	Rc__StatusReply__Figure *list[RC_ARRAY_LEN(figures)];
	struct rc_status status;

	rc_service_status(service, &status);
	for (unsigned i = 0; i < status.n_figures; i++) {
		figures[i] = (Rc__StatusReply__Figure)RC__STATUS_REPLY__FIGURE__INIT;
		figures[i].name = status.figures[i].name;
		figures[i].value = status.figures[i].value;
		list[i] = &figures[i];
	}
	reply.name = (char *)service->def->name;
	reply.version = (char *)RC_VERSION;
	reply.schema = RC_BUS_SCHEMA;
	reply.boot = service->boot;
	reply.pid = (uint32_t)getpid();
	reply.uptime_ms =
		(uint64_t)(rc_mono_us(rc_service_clock(service)) - service->started_us) / 1000;
	reply.ready = status.ready;
	reply.text = status.text;
	reply.network = service->network.params.name;
	reply.log_level = (char *)rc_log_level_name(rc_log_level());
	reply.n_figures = status.n_figures;
	reply.figures = list;
	rc_request_reply(request, &reply);
}

/* Pages of the process in memory, the second number of statm. */
static int64_t resident_bytes(const struct rc_service *service)
{
	char text[128];
	ssize_t n =
		service->statm_fd < 0 ? -1 : pread(service->statm_fd, text, sizeof(text) - 1, 0);
	unsigned long pages;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	if (sscanf(text, "%*u %lu", &pages) != 1)
		return 0;
	return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

void rc_service_write_common(struct rc_service *service, struct rc_buf *buf)
{
	static const struct {
		enum rc_log_level level;
		struct rc_metric_def def;
	} logs[] = {
		{RC_LOG_CRIT, {"log_crit_total", RC_COUNTER, NULL, "Log lines of level crit."}},
		{RC_LOG_ERR, {"log_err_total", RC_COUNTER, NULL, "Log lines of level err."}},
		{RC_LOG_WARNING,
		 {"log_warning_total", RC_COUNTER, NULL, "Log lines of level warning."}},
	};
	const char *daemon = service->def->name;
	struct rc_server_stats s;
	struct rc_status status;

	rc_server_stats(service->server, &s);
	rc_service_status(service, &status);
	const struct {
		struct rc_metric_def def;
		int64_t value;
	} rows[] = {
		{{"uptime_seconds", RC_GAUGE, NULL, "Time since the start."},
		 (rc_mono_us(rc_service_clock(service)) - service->started_us) / 1000000},
		{{"resident_bytes", RC_GAUGE, NULL, "Memory of the process, libraries included."},
		 resident_bytes(service)},
		{{"ready", RC_GAUGE, NULL, "1: requests are answered."}, status.ready},
		{{"bus_clients", RC_GAUGE, NULL, "Connected clients."}, (int64_t)s.sessions},
		{{"bus_pending_requests", RC_GAUGE, NULL, "Requests in hand."}, (int64_t)s.pending},
		{{"bus_pending_bytes", RC_GAUGE, NULL, "Bytes of requests in hand."},
		 (int64_t)s.pending_bytes},
		{{"bus_outgoing_bytes", RC_GAUGE, NULL, "Bytes of answers not taken yet."},
		 (int64_t)s.outgoing_bytes},
		{{"bus_requests_total", RC_COUNTER, NULL, "Requests given to handlers."},
		 (int64_t)s.requests},
		{{"bus_repeated_total", RC_COUNTER, NULL, "Requests asked again while in hand."},
		 (int64_t)s.repeated},
		{{"bus_busy_total", RC_COUNTER, NULL, "Requests refused for want of credit."},
		 (int64_t)s.busy},
		{{"bus_dropped_total", RC_COUNTER, NULL, "Answers that nobody took."},
		 (int64_t)s.dropped},
		{{"bus_bad_total", RC_COUNTER, NULL, "Messages that aren't ours."}, (int64_t)s.bad},
		{{"bus_refused_total", RC_COUNTER, NULL, "Clients refused."}, (int64_t)s.refused},
	};

	for (size_t i = 0; i < RC_ARRAY_LEN(rows); i++)
		rc_metrics_write_one(buf, daemon, &rows[i].def, rows[i].value);
	for (size_t i = 0; i < RC_ARRAY_LEN(logs); i++)
		rc_metrics_write_one(buf, daemon, &logs[i].def,
				     (int64_t)rc_log_count(logs[i].level));
}

static void on_metrics(void *ctx, struct rc_request *request)
{
	struct rc_service *service = ctx;
	Rc__MetricsReply reply = RC__METRICS_REPLY__INIT;
	struct rc_buf buf = RC_BUF_INIT;

	rc_service_write_common(service, &buf);
	rc_metrics_write(service->metrics, &buf);
	reply.text.data = buf.data;
	reply.text.len = buf.len;
	rc_request_reply(request, &reply);
	rc_buf_done(&buf);
}

static void on_reload(void *ctx, struct rc_request *request)
{
	struct rc_service *service = ctx;
	Rc__ReloadReply reply = RC__RELOAD_REPLY__INIT;
	char text[1024];
	int err = rc_service_reload(service, text, sizeof(text));

	reply.text = text;
	if (err < 0)
		rc_request_fail(request, err, "%s", text);
	else
		rc_request_reply(request, &reply);
}

static void on_set_log_level(void *ctx, struct rc_request *request)
{
	const Rc__SetLogLevelRequest *body = rc_request_body(request);
	Rc__SetLogLevelReply reply = RC__SET_LOG_LEVEL_REPLY__INIT;
	enum rc_log_level before = rc_log_level(), level;

	(void)ctx;
	if (!rc_log_level_parse(body->level ? body->level : "", &level)) {
		rc_request_fail(request, RC_EINVAL,
				"there is no log level '%.20s': crit, err, warning, notice, info, "
				"debug",
				body->level ? body->level : "");
		return;
	}
	rc_log(RC_LOG_NOTICE, "log level %s, was %s", rc_log_level_name(level),
	       rc_log_level_name(before));
	rc_log_set_level(level);
	reply.before = (char *)rc_log_level_name(before);
	rc_request_reply(request, &reply);
}

const struct rc_handler rc_service_handlers[] = {
	{RC_MSG_STATUS, on_status},
	{RC_MSG_METRICS, on_metrics},
	{RC_MSG_RELOAD, on_reload},
	{RC_MSG_SET_LOG_LEVEL, on_set_log_level},
	{0, NULL},
};
