/* Counters, gauges and histograms of a daemon: one table, served by Metrics as Prometheus text. */
#ifndef RC_SERVICE_METRICS_H
#define RC_SERVICE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum rc_metric_type { RC_COUNTER, RC_GAUGE, RC_HISTOGRAM };

/* A row of a daemon's table. Names are an interface: rustycoin_DAEMON_NAME, unit in the name. */
struct rc_metric_def {
	const char *name; /* "blocks_connected_total" */
	enum rc_metric_type type;
	const char *label; /* e.g. "stage=\"verify\""; NULL: none */
	const char *text;  /* rows of one name stand together and share the first's */
};

struct rc_metrics;

/* defs: n rows, indexed by the daemon's own enum. Not copied. */
struct rc_metrics *rc_metrics_new(const char *daemon, const struct rc_metric_def *defs, size_t n);
void rc_metrics_free(struct rc_metrics *metrics);

/* Any thread. */
void rc_metric_add(struct rc_metrics *metrics, size_t index, uint64_t n);
/* A gauge, or a counter whose total is kept elsewhere. */
void rc_metric_set(struct rc_metrics *metrics, size_t index, int64_t value);
/* A duration for a histogram (buckets by powers of two from 1 µs). */
void rc_metric_time_us(struct rc_metrics *metrics, size_t index, uint64_t us);
uint64_t rc_metric_get(const struct rc_metrics *metrics, size_t index);

/* Prometheus text format 0.0.4. */
void rc_metrics_write(const struct rc_metrics *metrics, struct rc_buf *buf);
/* A metric that isn't in a table. */
void rc_metrics_write_one(struct rc_buf *buf, const char *daemon, const struct rc_metric_def *def,
			  int64_t value);

#endif
