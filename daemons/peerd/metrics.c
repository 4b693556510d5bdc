/* peerd's metrics: the core's counters, and messages by type. */
#include "base/num.h"
#include "daemons/peerd/daemon.h"

/* One row for each counter, then one for each message and direction. */
enum {
	N_MESSAGES = 0
#define PEER_MESSAGE(NAME, number, name, stream, size, cost, item_cost, state) +1
#include "daemons/peerd/messages.def"
#undef PEER_MESSAGE
};

const struct rc_metric_def peerd_metric_table[] = {
#define METRIC(NAME, type, name, label, text) {name, type, label, text},
#include "daemons/peerd/metrics.def"
#undef METRIC
#define PEER_MESSAGE(NAME, number, name, stream, size, cost, item_cost, state) \
	{"messages_received_total", RC_COUNTER, "type=\"" name "\"", "messages of peers"},
#include "daemons/peerd/messages.def"
#undef PEER_MESSAGE
#define PEER_MESSAGE(NAME, number, name, stream, size, cost, item_cost, state) \
	{"messages_sent_total", RC_COUNTER, "type=\"" name "\"", "messages to peers"},
#include "daemons/peerd/messages.def"
#undef PEER_MESSAGE
};
const size_t peerd_n_metrics = RC_ARRAY_LEN(peerd_metric_table);

static void count_peers(struct peerd *core)
{
	uint64_t *c = core->counters;

	c[PEERD_PEERS_INBOUND] = connect_count(core, PEER_INBOUND, true);
	c[PEERD_PEERS_OUTBOUND] = connect_count(core, PEER_OUTBOUND, true);
	c[PEERD_PEERS_BLOCK_ONLY] = connect_count(core, PEER_BLOCK_ONLY, true);
	c[PEERD_PEERS_MANUAL] = connect_count(core, PEER_MANUAL, true);
	c[PEERD_PEERS_UNREADY] = HASH_COUNT(core->peers) - c[PEERD_PEERS_INBOUND] -
				 c[PEERD_PEERS_OUTBOUND] - c[PEERD_PEERS_BLOCK_ONLY] -
				 c[PEERD_PEERS_MANUAL];
}

static void count_memory(struct peerd *core)
{
	uint64_t *all = &core->counters[PEERD_MEMORY_HALF_BYTES];
	uint64_t *most = &core->counters[PEERD_GROUP_HALF_BYTES];

	memory_count(core);
	for (unsigned kind = 0; kind < MEMORIES; kind++) {
		all[kind] = core->held[kind];
		most[kind] = 0;
		for (const struct peer *p = core->peers; p; p = p->hh.next) {
			if (p->group)
				most[kind] = rc_max_u64(most[kind], p->group->held[kind]);
		}
	}
}

/* The core counts by itself, without locks: what is shown follows. */
static void show(struct rc_metrics *metrics, size_t index, uint64_t value)
{
	if (peerd_metric_table[index].type == RC_GAUGE)
		rc_metric_set(metrics, index, (int64_t)value);
	else
		rc_metric_add(metrics, index, value - rc_metric_get(metrics, index));
}

void metrics_update(struct daemon *daemon)
{
	struct rc_metrics *metrics = rc_service_metrics(daemon->service);
	struct peerd *core = daemon->core;
	uint64_t *c = core->counters;
	size_t n = 0;

	count_peers(core);
	count_memory(core);
	c[PEERD_BYTES_RECEIVED] = core->bytes_in;
	c[PEERD_BYTES_SENT] = core->bytes_out;
	for (const struct peer *p = core->peers; p; p = p->hh.next) {
		if (!p->link)
			continue;
		c[PEERD_BYTES_RECEIVED] += rc_link_bytes_in(p->link);
		c[PEERD_BYTES_SENT] += rc_link_bytes_out(p->link);
	}
	c[PEERD_DISCOURAGED] = discouraged_count(core->discouraged);
	c[PEERD_BANS] = core->bans.n;
	c[PEERD_BOOK_TRIED] = book_count_of(core->book, BOOK_TRIED, true) +
			      book_count_of(core->book, BOOK_TRIED, false);
	c[PEERD_BOOK_NEW] = book_count(core->book) - c[PEERD_BOOK_TRIED];
	c[PEERD_BLOCKS_IN_FLIGHT] = inflight_total(&core->inflight);
	c[PEERD_COMPACT_HIGH] = core->n_announcers;
	c[PEERD_SUBMIT_BYTES] = core->submit_bytes;
	c[PEERD_STALL_MS] = (uint64_t)(core->stall_us / PEERD_MS);
	c[PEERD_TX_WANTS] = relay_wants(core);
	for (size_t i = 0; i < PEERD_COUNTERS; i++)
		show(metrics, n++, c[i]);
	for (size_t i = 0; i < N_MESSAGES; i++) {
		show(metrics, n + i, core->received_by_type[i + 1]);
		show(metrics, n + N_MESSAGES + i, core->sent_by_type[i + 1]);
	}
}
