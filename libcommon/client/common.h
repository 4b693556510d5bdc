/* What every daemon answers, as typed calls: Status, Metrics, Reload, SetLogLevel. */
#ifndef RC_CLIENT_COMMON_H
#define RC_CLIENT_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "bus/client.h"

struct rc_daemon_figure {
	const char *name;
	const char *value;
};

struct rc_daemon_status {
	const char *name;
	const char *version;
	uint32_t schema;
	uint64_t boot;
	uint32_t pid;
	uint64_t uptime_ms;
	bool ready;
	const char *text; /* one line: what it does now, or what it waits for */
	const char *network;
	const char *log_level;
	size_t n_figures;
	const struct rc_daemon_figure *figures;
};

/* Each is answered exactly once, never from inside the call; the result is NULL unless reply->err
 * is RC_OK, and valid during the callback only. Returns the id for rc_client_cancel. */
typedef void (*rc_daemon_status_fn)(void *arg, const struct rc_reply *reply,
				    const struct rc_daemon_status *status);
uint64_t rc_daemon_status(struct rc_client *client, uint32_t deadline_ms, rc_daemon_status_fn fn,
			  void *arg);

/* Prometheus text. */
typedef void (*rc_daemon_metrics_fn)(void *arg, const struct rc_reply *reply,
				     const struct rc_bytes *text);
uint64_t rc_daemon_metrics(struct rc_client *client, uint32_t deadline_ms, rc_daemon_metrics_fn fn,
			   void *arg);

/* text: what changed on reload, or the level before. Both need the role admin. */
typedef void (*rc_daemon_text_fn)(void *arg, const struct rc_reply *reply, const char *text);
uint64_t rc_daemon_reload(struct rc_client *client, uint32_t deadline_ms, rc_daemon_text_fn fn,
			  void *arg);
uint64_t rc_daemon_set_log_level(struct rc_client *client, const char *level, uint32_t deadline_ms,
				 rc_daemon_text_fn fn, void *arg);

#endif
