/* Asks the daemons how they are, once a watch_ms, and makes one picture of the answers. */
#include "daemons/rpcd/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "client/common.h"
#include "daemons/rpcd/ops.h"
#include "daemons/rpcd/tip.h"

/* A tip is old when so many spacings have passed since its time: by chance once in 10^17 blocks. */
#define STALE_SPACINGS 40u
/* Blocks the best header may be ahead before the node counts as syncing. */
#define SYNC_SLACK	6u
#define FAST_MS		200u /* while it isn't ready: readiness is seen soon */
#define ASK_DEADLINE_MS 5000u

struct watch {
	struct rpcd *rpcd;
	struct seen seen[WATCH_DAEMONS];
	struct rc_source *timer;
	uint32_t period_ms;
	bool asking_chain, has_chain, initial_download;
	uint32_t blocks, headers, tip_time;
	bool closing;
};

static const enum backend backends[WATCH_DAEMONS] = {BACKEND_UTXOD_READ, BACKEND_CHAIND_READ,
						     BACKEND_PEERD_READ};

/* An answer's way back: which daemon of which watch. */
struct question {
	struct watch *watch;
	struct seen *seen;
};

static struct question *question_new(struct watch *watch, struct seen *seen)
{
	struct question *q = rc_alloc(sizeof(*q));

	*q = (struct question){watch, seen};
	return q;
}

static void copy_text(char *dst, size_t size, const char *text)
{
	snprintf(dst, size, "%s", text ? text : "");
}

static void publish(struct watch *watch);

static void on_status(void *arg, const struct rc_reply *why, const struct rc_daemon_status *status)
{
	RC_AUTOFREE struct question *q = arg;
	struct seen *seen = q->seen;
	struct json_out out;

	seen->asking_status = false;
	if (why->err || q->watch->closing)
		return;
	seen->answered = true;
	seen->ready = status->ready;
	seen->schema = status->schema;
	seen->pid = status->pid;
	seen->boot = status->boot;
	seen->uptime_ms = status->uptime_ms;
	copy_text(seen->version, sizeof(seen->version), status->version);
	copy_text(seen->network, sizeof(seen->network), status->network);
	copy_text(seen->log_level, sizeof(seen->log_level), status->log_level);
	copy_text(seen->text, sizeof(seen->text), status->text);
	rc_buf_clear(&seen->figures);
	out = json_out_to(&seen->figures);
	out_object(&out, NULL);
	for (size_t i = 0; i < status->n_figures; i++)
		out_text_named(&out, status->figures[i].name, status->figures[i].value);
	out_object_end(&out);
	publish(q->watch);
}

static void on_metrics(void *arg, const struct rc_reply *why, const struct rc_bytes *text)
{
	RC_AUTOFREE struct question *q = arg;
	struct seen *seen = q->seen;

	seen->asking_metrics = false;
	if (why->err || q->watch->closing)
		return;
	rc_buf_clear(&seen->metrics);
	rc_buf_put(&seen->metrics, text->data, text->len);
	publish(q->watch);
}

static void on_chain(void *arg, const struct rc_reply *why, const struct rc_chain_info *info)
{
	struct watch *watch = arg;

	watch->asking_chain = false;
	if (why->err || watch->closing)
		return;
	watch->has_chain = true;
	watch->initial_download = info->initial_download;
	watch->blocks = info->tip.height;
	watch->headers = info->best_header.height;
	watch->tip_time = info->time;
	publish(watch);
}

static void ask(struct watch *watch)
{
	struct backends *b = watch->rpcd->backends;

	for (size_t i = 0; i < WATCH_DAEMONS; i++) {
		struct seen *seen = &watch->seen[i];
		struct rc_client *client = backend_client(b, backends[i]);

		if (!seen->up)
			continue;
		if (!seen->asking_status) {
			seen->asking_status = true;
			rc_daemon_status(client, ASK_DEADLINE_MS, on_status,
					 question_new(watch, seen));
		}
		if (!seen->asking_metrics) {
			seen->asking_metrics = true;
			rc_daemon_metrics(client, ASK_DEADLINE_MS, on_metrics,
					  question_new(watch, seen));
		}
	}
	if (!watch->asking_chain && backend_up(b, BACKEND_CHAIND_READ)) {
		watch->asking_chain = true;
		rc_chaind_chain_info(backend_chaind(b, BACKEND_CHAIND_READ), ASK_DEADLINE_MS,
				     on_chain, watch);
	}
}

/* ---- health ---- */

static void cause(struct json_out *out, bool *ready, const char *text)
{
	out_text(out, NULL, text);
	*ready = false;
}

static void check_daemon(const struct seen *seen, struct json_out *out, bool *ready)
{
	const char *name = rc_daemon_name(seen->daemon);
	char text[400];

	if (!seen->up)
		snprintf(text, sizeof(text), "%s doesn't answer", name);
	else if (!seen->answered)
		snprintf(text, sizeof(text), "%s hasn't told its state yet", name);
	else if (!seen->ready)
		snprintf(text, sizeof(text), "%s isn't ready: %s", name, seen->text);
	else
		return;
	cause(out, ready, text);
}

static void check_chain(const struct watch *watch, struct json_out *out, bool *ready)
{
	const struct rc_network *network = rc_service_network(watch->rpcd->service);
	uint32_t spacing = network->params.spacing;
	int64_t now = rc_wall_ms(rc_service_clock(watch->rpcd->service)) / 1000;
	char text[200];

	if (!watch->has_chain) {
		cause(out, ready, "chaind hasn't told the chain's state yet");
		return;
	}
	if (watch->headers > watch->blocks + SYNC_SLACK || (spacing && watch->initial_download)) {
		snprintf(text, sizeof(text), "syncing: block %u of %u", watch->blocks,
			 watch->headers);
		cause(out, ready, text);
	} else if (spacing && now - watch->tip_time > (int64_t)spacing * STALE_SPACINGS) {
		snprintf(text, sizeof(text), "the tip is %lld seconds old",
			 (long long)(now - watch->tip_time));
		cause(out, ready, text);
	}
}

bool watch_health(const struct watch *watch, struct rc_buf *ret_causes)
{
	struct json_out out = json_out_to(ret_causes);
	bool ready = true;

	out_array(&out, NULL);
	for (size_t i = 0; i < WATCH_DAEMONS; i++)
		check_daemon(&watch->seen[i], &out, &ready);
	check_chain(watch, &out, &ready);
	if (watch->rpcd->stopping)
		cause(&out, &ready, "rpcd is stopping");
	out_array_end(&out);
	return ready;
}

/* ---- the picture for the operations thread ---- */

static void publish(struct watch *watch)
{
	struct ops_picture picture = {.causes = RC_BUF_INIT, .metrics = RC_BUF_INIT};

	if (!watch->rpcd->ops)
		return;
	picture.ready = watch_health(watch, &picture.causes);
	rc_service_write_common(watch->rpcd->service, &picture.metrics);
	for (size_t i = 0; i < WATCH_DAEMONS; i++)
		if (watch->seen[i].up)
			rc_buf_put(&picture.metrics, watch->seen[i].metrics.data,
				   watch->seen[i].metrics.len);
	rc_buf_printf(&picture.metrics, "# HELP rustycoin_rpcd_backend_up Whether a daemon's bus "
					"answers rpcd.\n"
					"# TYPE rustycoin_rpcd_backend_up gauge\n");
	for (size_t i = 0; i < WATCH_DAEMONS; i++)
		rc_buf_printf(&picture.metrics, "rustycoin_rpcd_backend_up{daemon=\"%s\"} %d\n",
			      rc_daemon_name(watch->seen[i].daemon), watch->seen[i].up);
	ops_publish(watch->rpcd->ops, &picture);
}

static void refresh_up(struct watch *watch)
{
	for (size_t i = 0; i < WATCH_DAEMONS; i++) {
		struct seen *seen = &watch->seen[i];

		seen->up = backend_up(watch->rpcd->backends, backends[i]);
		if (!seen->up)
			seen->answered = false;
	}
	if (!backend_up(watch->rpcd->backends, BACKEND_CHAIND_READ))
		watch->has_chain = false;
}

static void on_timer(void *arg)
{
	struct watch *watch = arg;
	struct rc_buf causes = RC_BUF_INIT;
	uint32_t ms = watch->period_ms;

	refresh_up(watch);
	ask(watch);
	if (!watch_health(watch, &causes) && ms > FAST_MS)
		ms = FAST_MS;
	rc_buf_done(&causes);
	publish(watch);
	rc_timer_arm(watch->timer, (int64_t)ms * 1000);
}

void watch_changed(struct watch *watch)
{
	if (!watch || watch->closing)
		return;
	refresh_up(watch);
	ask(watch);
	publish(watch);
}

struct watch *watch_open(struct rpcd *rpcd)
{
	struct watch *watch = rc_alloc(sizeof(*watch));

	watch->rpcd = rpcd;
	watch->period_ms = (uint32_t)rc_config_u64(rc_service_config(rpcd->service), "watch_ms");
	for (size_t i = 0; i < WATCH_DAEMONS; i++)
		watch->seen[i].daemon = backend_daemon(backends[i]);
	watch->timer = rc_loop_add_timer(rpcd->loop, on_timer, watch);
	rc_timer_arm(watch->timer, 0);
	return watch;
}

void watch_close(struct watch *watch)
{
	if (!watch || watch->closing)
		return;
	watch->closing = true;
	rc_source_free(watch->timer);
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	for (size_t i = 0; i < WATCH_DAEMONS; i++) {
		rc_buf_done(&watch->seen[i].figures);
		rc_buf_done(&watch->seen[i].metrics);
	}
	free(watch);
}

const struct seen *watch_seen(const struct watch *watch, size_t i)
{
	return &watch->seen[i];
}
