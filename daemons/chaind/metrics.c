/* The table of chaind's figures. See metrics.h. */
#include "daemons/chaind/metrics.h"

const struct rc_metric_def chaind_metrics[METRIC_COUNT] = {
#define M(id, name, type, label, text) [METRIC_##id] = {name, type, label, text},
	CHAIND_METRICS(M)
#undef M
};
