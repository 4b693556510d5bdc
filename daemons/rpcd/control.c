/* rpcd about itself and the daemons: help, health, log levels, configuration. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "client/common.h"
#include "daemons/rpcd/backends.h"
#include "daemons/rpcd/http.h"
#include "daemons/rpcd/methods.h"
#include "daemons/rpcd/watch.h"

/* ---- what there is ---- */

void on_help(struct rpc_call *call)
{
	const struct rpc_table *table = &call_rpcd(call)->table;
	struct rc_buf text = RC_BUF_INIT;
	const struct rpc_method *method;

	if (call->args[0].given) {
		method = rpc_method_find(table, call->args[0].text);
		if (!method) {
			rpc_call_fail(call, RPC_METHOD_NOT_FOUND, "help: unknown command: %.64s",
				      call->args[0].text);
			return;
		}
		help_method(method, &text);
	} else {
		help_all(table, &text);
	}
	rc_buf_put_u8(&text, '\0');
	out_text(&call->out, NULL, (const char *)text.data);
	rc_buf_done(&text);
	rpc_call_done(call);
}

void on_rpc_discover(struct rpc_call *call)
{
	help_openrpc(&call_rpcd(call)->table, &call->out);
	rpc_call_done(call);
}

static uint64_t uptime_s(const struct rpcd *rpcd)
{
	return (uint64_t)(rc_loop_now_us(rpcd->loop) - rpcd->started_us) / 1000000;
}

void on_uptime(struct rpc_call *call)
{
	out_uint(&call->out, NULL, uptime_s(call_rpcd(call)));
	rpc_call_done(call);
}

void on_getrpcinfo(struct rpc_call *call)
{
	struct rpcd *rpcd = call_rpcd(call);
	const struct rc_config *config = rc_service_config(rpcd->service);
	static const struct {
		const char *key;
		enum rpcd_metric metric;
	} figures[] = {{"connections", M_CONNECTIONS},
		       {"requests", M_REQUESTS},
		       {"calls", M_CALLS},
		       {"held", M_HELD},
		       {"held_too_long", M_HELD_TOO_LONG},
		       {"auth_failed", M_AUTH_FAILED},
		       {"refused_busy", M_REFUSED_BUSY},
		       {"refused_size", M_REFUSED_SIZE}};
	static const char *const limits[] = {"rpc_connections", "rpc_in_flight", "rpc_body_mb",
					     "hold_ms"};
	struct json_out *out = &call->out;

	out_object(out, NULL);
	out_text(out, "version", RC_VERSION);
	out_uint(out, "in_flight", front_in_flight(rpcd->front));
	for (size_t i = 0; i < RC_ARRAY_LEN(figures); i++)
		out_uint(out, figures[i].key, rc_metric_get(rpcd->metrics, figures[i].metric));
	out_object(out, "limits");
	for (size_t i = 0; i < RC_ARRAY_LEN(limits); i++)
		out_uint(out, limits[i], rc_config_u64(config, limits[i]));
	out_uint(out, "batch", RPC_BATCH_MAX);
	out_object_end(out);
	out_object_end(out);
	rpc_call_done(call);
}

void on_gethealth(struct rpc_call *call)
{
	struct rc_buf causes = RC_BUF_INIT;
	bool ready = watch_health(call_rpcd(call)->watch, &causes);

	out_object(&call->out, NULL);
	out_bool(&call->out, "ready", ready);
	out_raw(&call->out, "causes", (const char *)causes.data, causes.len);
	out_object_end(&call->out);
	rc_buf_done(&causes);
	rpc_call_done(call);
}

static void show_endpoint(struct json_out *out, const struct rpcd *rpcd, enum rc_daemon daemon)
{
	char endpoint[160] = "";

	rc_endpoint_role(rc_service_rundir(rpcd->service), daemon, RC_ROLE_READ, endpoint,
			 sizeof(endpoint), NULL);
	out_text(out, "endpoint", endpoint);
}

static void show_seen(struct json_out *out, const struct rpcd *rpcd, const struct seen *seen)
{
	out_object(out, NULL);
	out_text(out, "name", rc_daemon_name(seen->daemon));
	show_endpoint(out, rpcd, seen->daemon);
	out_bool(out, "up", seen->up);
	out_bool(out, "ready", seen->up && seen->answered && seen->ready);
	if (seen->answered) {
		out_text(out, "version", seen->version);
		out_uint(out, "schema", seen->schema);
		out_textf(out, "boot", "%016llx", (unsigned long long)seen->boot);
		out_uint(out, "pid", seen->pid);
		out_uint(out, "uptime", seen->uptime_ms / 1000);
		out_text(out, "state", seen->text);
		out_text(out, "log_level", seen->log_level);
		out_raw(out, "figures", (const char *)seen->figures.data, seen->figures.len);
	}
	out_object_end(out);
}

void on_listdaemons(struct rpc_call *call)
{
	struct rpcd *rpcd = call_rpcd(call);
	struct json_out *out = &call->out;

	out_array(out, NULL);
	for (size_t i = 0; i < WATCH_DAEMONS; i++)
		show_seen(out, rpcd, watch_seen(rpcd->watch, i));
	out_object(out, NULL);
	out_text(out, "name", "rpcd");
	show_endpoint(out, rpcd, RC_RPCD);
	out_bool(out, "up", true);
	out_bool(out, "ready", !rpcd->stopping);
	out_text(out, "version", RC_VERSION);
	out_textf(out, "boot", "%016llx", (unsigned long long)rc_service_boot(rpcd->service));
	out_uint(out, "pid", (uint64_t)getpid());
	out_uint(out, "uptime", uptime_s(rpcd));
	out_text(out, "state", rpcd->stopping ? "stopping" : "answering");
	out_text(out, "log_level", rc_log_level_name(rc_log_level()));
	out_object_end(out);
	out_array_end(out);
	rpc_call_done(call);
}

/* ---- what may be changed ---- */

/* The daemons rpcd may administer; utxod grants it reading only. */
static const struct {
	enum rc_daemon daemon;
	enum backend backend;
} administered[] = {{RC_CHAIND, BACKEND_CHAIND_ADMIN}, {RC_PEERD, BACKEND_PEERD_ADMIN}};

/* Which of them is named; −1: none, then the call is answered. RPCD_ITSELF: rpcd. */
#define RPCD_ITSELF 100

static int find_administered(struct rpc_call *call, const char *name)
{
	if (!strcmp(name, "rpcd"))
		return RPCD_ITSELF;
	for (size_t i = 0; i < RC_ARRAY_LEN(administered); i++)
		if (!strcmp(name, rc_daemon_name(administered[i].daemon)))
			return (int)i;
	if (!strcmp(name, "utxod"))
		rpc_call_fail(call, RPC_NOT_PERMITTED,
			      "utxod lets rpcd read only: use rustyctl for it");
	else
		rpc_call_fail(call, RPC_BAD_PARAMETER, "%s: there is no daemon \"%.16s\"",
			      call->method->name, name);
	return -1;
}

static void on_level_set(void *arg, const struct rc_reply *why, const char *before)
{
	struct rpc_call *call = call_resume(arg, why);

	(void)before;
	if (!call)
		return;
	out_object(&call->out, NULL);
	out_text(&call->out, call->args[0].text, call->args[1].text);
	out_object_end(&call->out);
	rpc_call_done(call);
}

static void show_levels(struct rpc_call *call)
{
	const struct watch *watch = call_rpcd(call)->watch;

	out_object(&call->out, NULL);
	for (size_t i = 0; i < WATCH_DAEMONS; i++) {
		const struct seen *seen = watch_seen(watch, i);

		if (seen->answered)
			out_text(&call->out, rc_daemon_name(seen->daemon), seen->log_level);
	}
	out_text(&call->out, "rpcd", rc_log_level_name(rc_log_level()));
	out_object_end(&call->out);
	rpc_call_done(call);
}

void on_logging(struct rpc_call *call)
{
	enum rc_log_level level;
	int which;

	if (!call->args[0].given && !call->args[1].given) {
		show_levels(call);
		return;
	}
	if (!call->args[0].given || !call->args[1].given) {
		rpc_call_fail(call, RPC_INVALID_PARAMS,
			      "logging: give both \"daemon\" and \"level\", or neither");
		return;
	}
	if (!rc_log_level_parse(call->args[1].text, &level)) {
		rpc_call_fail(
			call, RPC_BAD_PARAMETER,
			"logging: \"level\" must be crit, err, warning, notice, info or debug");
		return;
	}
	which = find_administered(call, call->args[0].text);
	if (which == RPCD_ITSELF) {
		rc_log_set_level(level);
		out_object(&call->out, NULL);
		out_text(&call->out, "rpcd", rc_log_level_name(level));
		out_object_end(&call->out);
		rpc_call_done(call);
	} else if (which >= 0) {
		rc_daemon_set_log_level(
			backend_client(call_rpcd(call)->backends, administered[which].backend),
			call->args[1].text, call_deadline(call), on_level_set,
			call_wait(call, administered[which].backend));
	}
}

/* Which daemon is being told, when all are: one after another. */
struct reload {
	size_t next, only;
	bool all;
};

static void reload_next(struct rpc_call *call);

static void on_reloaded(void *arg, const struct rc_reply *why, const char *text)
{
	struct rpc_call *call = call_resume(arg, why);
	struct reload *r;

	if (!call)
		return;
	r = call->state;
	out_text(&call->out, rc_daemon_name(administered[r->next].daemon), text);
	r->next++;
	reload_next(call);
}

static void reload_next(struct rpc_call *call)
{
	struct reload *r = call->state;
	enum backend backend;

	if (r->next >= RC_ARRAY_LEN(administered) || (!r->all && r->next != r->only)) {
		if (r->all) {
			kill(getpid(), SIGHUP);
			out_text(&call->out, "rpcd", "told");
		}
		out_object_end(&call->out);
		rpc_call_done(call);
		return;
	}
	backend = administered[r->next].backend;
	rc_daemon_reload(backend_client(call_rpcd(call)->backends, backend), call_deadline(call),
			 on_reloaded, call_wait(call, backend));
}

void on_reloadconfig(struct rpc_call *call)
{
	struct reload *r = rc_alloc(sizeof(*r));
	int which;

	rpc_call_set_state(call, r, NULL);
	r->all = !call->args[0].given;
	if (!r->all) {
		which = find_administered(call, call->args[0].text);
		if (which < 0)
			return;
		r->next = r->only = (size_t)which;
	}
	out_object(&call->out, NULL);
	if (r->next == RPCD_ITSELF) {
		kill(getpid(), SIGHUP);
		out_text(&call->out, "rpcd", "told");
	}
	reload_next(call);
}
