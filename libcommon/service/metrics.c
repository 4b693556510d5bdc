/* Metrics: atomics beside a table, and their text. */
#include "service/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Buckets of a histogram: 1 µs, 2 µs … 2^26 µs (67 s), and the rest. */
#define BUCKETS 28u

struct histogram {
	atomic_uint_fast64_t buckets[BUCKETS];
	atomic_uint_fast64_t sum_us;
};

struct metric {
	atomic_int_fast64_t value;
	struct histogram *histogram;
};

struct rc_metrics {
	const char *daemon;
	const struct rc_metric_def *defs;
	size_t n;
	struct metric metrics[];
};

struct rc_metrics *rc_metrics_new(const char *daemon, const struct rc_metric_def *defs, size_t n)
{
	struct rc_metrics *metrics = rc_alloc(sizeof(*metrics) + n * sizeof(metrics->metrics[0]));

	metrics->daemon = daemon;
	metrics->defs = defs;
	metrics->n = n;
	for (size_t i = 0; i < n; i++)
		if (defs[i].type == RC_HISTOGRAM)
			metrics->metrics[i].histogram = rc_alloc(sizeof(struct histogram));
	return metrics;
}

void rc_metrics_free(struct rc_metrics *metrics)
{
	if (!metrics)
		return;
	for (size_t i = 0; i < metrics->n; i++)
		free(metrics->metrics[i].histogram);
	free(metrics);
}

void rc_metric_add(struct rc_metrics *metrics, size_t index, uint64_t n)
{
	assert(index < metrics->n && metrics->defs[index].type != RC_HISTOGRAM);
	atomic_fetch_add_explicit(&metrics->metrics[index].value, (int64_t)n, memory_order_relaxed);
}

void rc_metric_set(struct rc_metrics *metrics, size_t index, int64_t value)
{
	assert(index < metrics->n && metrics->defs[index].type != RC_HISTOGRAM);
	atomic_store_explicit(&metrics->metrics[index].value, value, memory_order_relaxed);
}

/* Bucket b holds what took at most 2^b µs. */
static unsigned bucket_of(uint64_t us)
{
	unsigned b = us <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(us - 1);

	return b < BUCKETS ? b : BUCKETS - 1;
}

void rc_metric_time_us(struct rc_metrics *metrics, size_t index, uint64_t us)
{
	struct histogram *h;

	assert(index < metrics->n && metrics->defs[index].type == RC_HISTOGRAM);
	h = metrics->metrics[index].histogram;
	atomic_fetch_add_explicit(&h->buckets[bucket_of(us)], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum_us, us, memory_order_relaxed);
}

uint64_t rc_metric_get(const struct rc_metrics *metrics, size_t index)
{
	const struct metric *m = &metrics->metrics[index];
	uint64_t n = 0;

	assert(index < metrics->n);
	if (!m->histogram)
		return (uint64_t)atomic_load_explicit(&m->value, memory_order_relaxed);
	for (unsigned b = 0; b < BUCKETS; b++)
		n += atomic_load_explicit(&m->histogram->buckets[b], memory_order_relaxed);
	return n;
}

static void write_head(struct rc_buf *buf, const char *daemon, const struct rc_metric_def *def)
{
	static const char *const types[] = {
		[RC_COUNTER] = "counter", [RC_GAUGE] = "gauge", [RC_HISTOGRAM] = "histogram"};

	rc_buf_printf(buf, "# HELP rustycoin_%s_%s %s\n# TYPE rustycoin_%s_%s %s\n", daemon,
		      def->name, def->text, daemon, def->name, types[def->type]);
}

/* NAME{LABEL,more} with the braces only where something is in them. */
static void write_name(struct rc_buf *buf, const char *daemon, const struct rc_metric_def *def,
		       const char *suffix, const char *more)
{
	const char *label = def->label ? def->label : "";
	bool braces = *label || *more;

	rc_buf_printf(buf, "rustycoin_%s_%s%s%s%s%s%s%s ", daemon, def->name, suffix,
		      braces ? "{" : "", label, *label && *more ? "," : "", more,
		      braces ? "}" : "");
}

/* The time of a bucket in seconds, without floating point: microseconds with a decimal point. */
static void write_seconds(char *text, size_t size, uint64_t us)
{
	snprintf(text, size, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

static void write_histogram(struct rc_buf *buf, const char *daemon, const struct rc_metric_def *def,
			    const struct histogram *h)
{
	uint64_t total = 0;
	char seconds[32], le[48];

	for (unsigned b = 0; b < BUCKETS; b++) {
		total += atomic_load_explicit(&h->buckets[b], memory_order_relaxed);
		write_seconds(seconds, sizeof(seconds), (uint64_t)1 << b);
		snprintf(le, sizeof(le), "le=\"%s\"", b == BUCKETS - 1 ? "+Inf" : seconds);
		write_name(buf, daemon, def, "_bucket", le);
		rc_buf_printf(buf, "%" PRIu64 "\n", total);
	}
	write_seconds(seconds, sizeof(seconds),
		      atomic_load_explicit(&h->sum_us, memory_order_relaxed));
	write_name(buf, daemon, def, "_sum", "");
	rc_buf_printf(buf, "%s\n", seconds);
	write_name(buf, daemon, def, "_count", "");
	rc_buf_printf(buf, "%" PRIu64 "\n", total);
}

void rc_metrics_write_one(struct rc_buf *buf, const char *daemon, const struct rc_metric_def *def,
			  int64_t value)
{
	write_head(buf, daemon, def);
	write_name(buf, daemon, def, "", "");
	rc_buf_printf(buf, "%" PRId64 "\n", value);
}

void rc_metrics_write(const struct rc_metrics *metrics, struct rc_buf *buf)
{
	for (size_t i = 0; i < metrics->n; i++) {
		const struct rc_metric_def *def = &metrics->defs[i];
		const struct metric *m = &metrics->metrics[i];

		/* Rows that differ by their label only stand together under one head. */
		if (i == 0 || strcmp(def->name, metrics->defs[i - 1].name) != 0)
			write_head(buf, metrics->daemon, def);
		if (m->histogram) {
			write_histogram(buf, metrics->daemon, def, m->histogram);
			continue;
		}
		write_name(buf, metrics->daemon, def, "", "");
		rc_buf_printf(buf, "%" PRIdFAST64 "\n",
			      atomic_load_explicit(&m->value, memory_order_relaxed));
	}
}
