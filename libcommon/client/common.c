/* The questions each daemon answers: plain C on this side, the bus's messages on the other. */
#include "client/common.h"

#include <stdlib.h>

#include "proto/common.pb-c.h"

struct waiter {
	union {
		rc_daemon_status_fn status;
		rc_daemon_metrics_fn metrics;
		rc_daemon_text_fn text;
	} fn;
	void *arg;
};

static struct waiter *waiter_new(void *arg)
{
	struct waiter *w = rc_alloc(sizeof(*w));

	w->arg = arg;
	return w;
}

static void on_status(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;
	RC_AUTOFREE struct rc_daemon_figure *figures = NULL;
	const Rc__StatusReply *m = reply->body;
	struct rc_daemon_status status;

	if (reply->err) {
		w->fn.status(w->arg, reply, NULL);
		return;
	}
	figures = rc_alloc_array(m->n_figures, sizeof(*figures));
	for (size_t i = 0; i < m->n_figures; i++)
		figures[i] = (struct rc_daemon_figure){m->figures[i]->name, m->figures[i]->value};
	status = (struct rc_daemon_status){
		.name = m->name,
		.version = m->version,
		.schema = m->schema,
		.boot = m->boot,
		.pid = m->pid,
		.uptime_ms = m->uptime_ms,
		.ready = m->ready,
		.text = m->text,
		.network = m->network,
		.log_level = m->log_level,
		.n_figures = m->n_figures,
		.figures = figures,
	};
	w->fn.status(w->arg, reply, &status);
}

uint64_t rc_daemon_status(struct rc_client *client, uint32_t deadline_ms, rc_daemon_status_fn fn,
			  void *arg)
{
	struct waiter *w = waiter_new(arg);

	w->fn.status = fn;
	return rc_client_call(client, RC_MSG_STATUS, NULL, NULL, 0, deadline_ms, on_status, w);
}

static void on_metrics(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;
	const Rc__MetricsReply *m = reply->body;

	if (reply->err)
		w->fn.metrics(w->arg, reply, NULL);
	else
		w->fn.metrics(w->arg, reply, &(struct rc_bytes){m->text.data, m->text.len});
}

uint64_t rc_daemon_metrics(struct rc_client *client, uint32_t deadline_ms, rc_daemon_metrics_fn fn,
			   void *arg)
{
	struct waiter *w = waiter_new(arg);

	w->fn.metrics = fn;
	return rc_client_call(client, RC_MSG_METRICS, NULL, NULL, 0, deadline_ms, on_metrics, w);
}

static void on_reload(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;
	const Rc__ReloadReply *m = reply->body;

	w->fn.text(w->arg, reply, reply->err ? NULL : m->text);
}

uint64_t rc_daemon_reload(struct rc_client *client, uint32_t deadline_ms, rc_daemon_text_fn fn,
			  void *arg)
{
	struct waiter *w = waiter_new(arg);

	w->fn.text = fn;
	return rc_client_call(client, RC_MSG_RELOAD, NULL, NULL, 0, deadline_ms, on_reload, w);
}

static void on_log_level(void *arg, const struct rc_reply *reply)
{
	RC_AUTOFREE struct waiter *w = arg;
	const Rc__SetLogLevelReply *m = reply->body;

	w->fn.text(w->arg, reply, reply->err ? NULL : m->before);
}

uint64_t rc_daemon_set_log_level(struct rc_client *client, const char *level, uint32_t deadline_ms,
				 rc_daemon_text_fn fn, void *arg)
{
	Rc__SetLogLevelRequest m = RC__SET_LOG_LEVEL_REQUEST__INIT;
	struct waiter *w = waiter_new(arg);

	m.level = (char *)(uintptr_t)level;
	w->fn.text = fn;
	return rc_client_call(client, RC_MSG_SET_LOG_LEVEL, &m, NULL, 0, deadline_ms, on_log_level,
			      w);
}
