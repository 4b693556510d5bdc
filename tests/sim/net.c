/*
 * daemons/peerd/sockets.h between hosts of this process: TCP with delays, partitions of both
 * directions or one, broken connections, hosts that vanish without a word. A connection is a
 * stream, so nothing on it is doubled or reordered; what is lost on the way is sent again, which is
 * seen as delay, until the sender gives up.
 */
#include "net.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "daemons/peerd/sockets.h"

#define WINDOW	   ((size_t)128 << 10) /* bytes of one direction on their way */
#define PIECE	   ((size_t)16 << 10)
#define BYTES_A_MS 10000 /* of one connection: 80 Mbit/s */
#define RETRY_US   (1000 * SIM_MS)
#define FIRST_PORT 32768
/* What a process that ended left to be sent is tried so long. */
#define LINGER_US (60 * SIM_SECOND)

struct piece {
	struct piece *next;
	int64_t at; /* it arrives */
	size_t len; /* 0: the end */
	uint8_t data[];
};

/* One end; never freed, since what is on its way names it. */
struct sim_conn {
	struct sim_proc *proc; /* NULL: a stranger's */
	struct sockets *sockets;
	const struct sim_stranger_ops *ops;
	void *arg;
	uint64_t peer;
	unsigned here, there; /* hosts; SIM_NOBODY: a stranger's */
	struct net_addr from, to;
	struct sim_conn *other; /* NULL: not made */
	bool closed, broken, reading, full;
	struct piece *transit, **transit_end; /* to the other end */
	bool draining;			      /* an event for it is under way */
	int64_t last;			      /* when the newest piece arrives */
	uint64_t sent, acked;
	int64_t progress; /* the oldest that isn't acknowledged waits since */
	struct sim_event *given_up;
	struct sim_conn *prev, *next; /* of the open ones */
};

struct sockets {
	struct sim_proc *proc;
	struct peerd *core; /* NULL: not started */
	bool listening;
	struct net_addr addr;
	int64_t timeout_us;
	struct sockets *prev, *next;
};

static struct {
	unsigned n;
	uint8_t *cut, *slow; /* n × n: from, to */
	int32_t *base;	     /* n × n: µs one way */
	bool *down;
	struct sim_conn *conns;
	struct sockets *sockets;
	uint16_t port;
} net;
double sim_net_syn_loss;
bool (*sim_stranger_listens)(const struct net_addr *to, struct sim_conn *conn);

/* ---- paths ---- */

void sim_net_init(unsigned nodes)
{
	net.n = nodes;
	net.cut = rc_alloc_array((size_t)nodes * nodes, 1);
	net.slow = rc_alloc_array((size_t)nodes * nodes, 1);
	net.base = rc_alloc_array((size_t)nodes * nodes, sizeof(*net.base));
	net.down = rc_alloc_array(nodes, sizeof(*net.down));
	for (unsigned a = 0; a < nodes; a++) {
		for (unsigned b = 0; b <= a; b++) {
			int32_t us = 500 + (int32_t)sim_random_below(&sim.random, 120000);

			net.base[a * nodes + b] = net.base[b * nodes + a] = us;
		}
	}
	sim_net_heal();
}

void sim_net_address(unsigned node, struct net_addr *ret)
{
	const uint8_t ip[4] = {(uint8_t)(11 + node / 256), (uint8_t)node, 1, 1};

	net_addr_from_wire(ip, sizeof(ip), 17440, ret);
}

static unsigned host_of(const struct net_addr *addr)
{
	for (unsigned i = 0; i < net.n; i++) {
		struct net_addr own;

		sim_net_address(i, &own);
		if (net_addr_eq(&own, addr))
			return i;
	}
	return SIM_NOBODY;
}

static bool is_node(unsigned host)
{
	return host < net.n;
}

static bool is_cut(unsigned from, unsigned to)
{
	if (is_node(from) && net.down[from])
		return true;
	if (is_node(to) && net.down[to])
		return true;
	return is_node(from) && is_node(to) && net.cut[from * net.n + to];
}

static int64_t latency(unsigned from, unsigned to)
{
	int64_t us = 20000, times = 1;

	if (is_node(from) && is_node(to)) {
		us = net.base[from * net.n + to];
		times = net.slow[from * net.n + to];
	}
	return (us + sim_random_delay(&sim.random, us / 8 + 50)) * times;
}

void sim_net_cut(unsigned from, unsigned to, bool cut)
{
	net.cut[from * net.n + to] = cut;
}

void sim_net_slow(unsigned a, unsigned b, unsigned times)
{
	net.slow[a * net.n + b] = net.slow[b * net.n + a] = (uint8_t)times;
}

void sim_net_heal(void)
{
	memset(net.cut, 0, (size_t)net.n * net.n);
	memset(net.slow, 1, (size_t)net.n * net.n);
}

/* ---- ends ---- */

static struct sim_conn *conn_new(unsigned here, unsigned there)
{
	struct sim_conn *c = rc_alloc(sizeof(*c));

	c->here = here;
	c->there = there;
	c->reading = true;
	c->transit_end = &c->transit;
	DL_APPEND(net.conns, c);
	return c;
}

static void forget(struct sim_conn *c)
{
	if (c->given_up)
		sim_cancel(c->given_up);
	c->given_up = NULL;
	c->closed = true;
	DL_DELETE(net.conns, c);
}

/* The core, or the stranger, is told; the core closes it in its turn. */
static void lose(struct sim_conn *c, const char *why)
{
	if (c->closed)
		return;
	if (c->ops) {
		forget(c);
		c->ops->lost(c->arg);
	} else if (c->sockets->core) {
		peerd_lost(c->sockets->core, c->peer, why);
	}
}

static void on_broken(void *arg)
{
	lose(arg, "the connection broke");
}

static void on_refused(void *arg)
{
	lose(arg, "nobody listens there");
}

static void drop_transit(struct sim_conn *c)
{
	while (c->transit) {
		struct piece *p = c->transit;

		c->transit = p->next;
		free(p);
	}
	c->transit_end = &c->transit;
}

/* ---- bytes on their way ---- */

static void drain(void *arg);

static void drain_in(struct sim_conn *c, int64_t us)
{
	if (c->draining || !c->transit)
		return;
	c->draining = true;
	sim_post(NULL, us, "net transit", drain, c);
}

static void drain_at_head(struct sim_conn *c)
{
	if (c->transit)
		drain_in(c, c->transit->at - sim.now);
}

static void append(struct sim_conn *c, const uint8_t *data, size_t len)
{
	struct piece *p = rc_alloc(sizeof(*p) + len);
	int64_t at = sim.now + latency(c->here, c->there);

	at = (at > c->last ? at : c->last) + 1 + (int64_t)len * 1000 / BYTES_A_MS;
	c->last = at;
	*p = (struct piece){.at = at, .len = len};
	if (len)
		memcpy(p->data, data, len);
	*c->transit_end = p;
	c->transit_end = &p->next;
	drain_at_head(c);
}

struct ack {
	struct sim_conn *conn;
	size_t len;
};

static void on_writable(void *arg)
{
	struct sim_conn *c = arg;

	if (c->closed || !c->full || c->sent - c->acked >= WINDOW)
		return;
	c->full = false;
	peerd_writable(c->sockets->core, c->peer);
}

static void on_ack(void *arg)
{
	struct ack *ack = arg;
	struct sim_conn *c = ack->conn;

	if (c->closed) {
		free(ack);
	} else if (is_cut(c->there, c->here)) {
		sim_post(NULL, RETRY_US, "net ack", on_ack, ack);
	} else {
		c->acked += ack->len;
		c->progress = sim.now;
		if (c->full)
			sim_post(c->proc, 1, "net room", on_writable, c);
		free(ack);
	}
}

/* In the process it goes to. */
static void deliver(void *arg)
{
	struct sim_conn *c = arg, *to = c->other;
	struct piece *p = c->transit;
	struct ack *ack;

	c->draining = false;
	if (!p)
		return;
	if (to->closed || !to->reading) { /* since the event was made */
		drain_in(c, 1);
		return;
	}
	c->transit = p->next;
	if (!c->transit)
		c->transit_end = &c->transit;
	drain_at_head(c);
	ack = rc_alloc(sizeof(*ack));
	*ack = (struct ack){c, p->len};
	sim_post(NULL, latency(c->there, c->here), "net ack", on_ack, ack);
	sim_trace(p->data, p->len);
	if (!p->len)
		lose(to, "the other side closed it");
	else if (to->ops)
		to->ops->received(to->arg, p->data, p->len);
	else
		peerd_received(to->sockets->core, to->peer, p->data, p->len);
	free(p);
}

static void drain(void *arg)
{
	struct sim_conn *c = arg, *to = c->other;

	c->draining = false;
	if (!c->transit || !to)
		return;
	if (is_cut(c->here, c->there)) {
		if (c->closed && sim.now - c->transit->at > LINGER_US)
			drop_transit(c);
		drain_in(c, RETRY_US);
	} else if (to->closed) {
		/* That host knows of no such connection, and says so. */
		drop_transit(c);
		if (!c->closed && !is_cut(c->there, c->here))
			sim_post(c->proc, latency(c->there, c->here), "net reset", on_broken, c);
	} else if (to->reading) {
		c->draining = true;
		sim_post(to->proc, 0, "net", deliver, c);
	}
}

static void on_given_up(void *arg)
{
	struct sim_conn *c = arg;

	c->given_up = NULL;
	if (c->closed || c->sent == c->acked)
		return;
	if (sim.now - c->progress < c->sockets->timeout_us) {
		c->given_up = sim_post(c->proc, c->progress + c->sockets->timeout_us - sim.now,
				       "net timeout", on_given_up, c);
		return;
	}
	sim_fault(SIM_FAULT_STALL);
	lose(c, "no acknowledgement for too long");
}

static void send_pieces(struct sim_conn *c, const uint8_t *data, size_t len)
{
	if (c->sent == c->acked)
		c->progress = sim.now;
	c->sent += len;
	while (len) {
		size_t n = len < PIECE ? len : PIECE;

		append(c, data, n);
		data += n;
		len -= n;
	}
}

static size_t net_send(void *ctx, void *conn, const uint8_t *data, size_t len)
{
	struct sim_conn *c = conn;
	size_t on_way = (size_t)(c->sent - c->acked);
	size_t n = on_way < WINDOW ? WINDOW - on_way : 0;

	(void)ctx;
	if (c->broken || !c->other)
		return len;
	if (n > len)
		n = len;
	send_pieces(c, data, n);
	if (n && !c->given_up)
		c->given_up =
			sim_post(c->proc, c->sockets->timeout_us, "net timeout", on_given_up, c);
	c->full |= n < len;
	return n;
}

static void net_set_reading(void *ctx, void *conn, bool on)
{
	struct sim_conn *c = conn;

	(void)ctx;
	c->reading = on;
	if (on && c->other)
		drain_at_head(c->other);
}

static void net_close(void *ctx, void *conn)
{
	struct sim_conn *c = conn;

	(void)ctx;
	forget(c);
	if (c->other && !c->broken)
		append(c, NULL, 0);
}

/* ---- making connections ---- */

static void on_connected(void *arg)
{
	struct sim_conn *c = arg;

	if (c->closed)
		return;
	if (c->ops)
		c->ops->connected(c->arg);
	else
		peerd_connected(c->sockets->core, c->peer);
}

static void pair(struct sim_conn *a, struct sim_conn *b)
{
	a->other = b;
	b->other = a;
	sim_post(a->proc, latency(b->here, a->here), "net connected", on_connected, a);
}

struct arrival {
	struct sim_conn *from;
	struct sockets *sockets;
};

/* In the process that listens. */
static void on_accept(void *arg)
{
	struct arrival *arrival = arg;
	struct sim_conn *a = arrival->from, *b;
	struct sockets *s = arrival->sockets;

	free(arrival);
	if (a->closed || !s->listening)
		return;
	b = conn_new(a->there, a->here);
	b->proc = s->proc;
	b->sockets = s;
	b->peer = peerd_accepted(s->core, b, &a->from);
	if (b->peer == 0) {
		b->other = a;
		a->other = b;
		forget(b);
		sim_post(a->proc, latency(b->here, a->here), "net refused", on_broken, a);
		return;
	}
	pair(a, b);
}

static void on_syn(void *arg)
{
	struct sim_conn *a = arg;
	struct arrival *arrival;
	struct sockets *s;

	if (a->closed)
		return;
	if (is_cut(a->here, a->there) || is_cut(a->there, a->here))
		return;
	if (sim_random_chance(&sim.random, sim_net_syn_loss)) {
		sim_fault(SIM_FAULT_SYN);
		return;
	}
	if (!is_node(a->there)) {
		if (!sim_stranger_listens || !sim_stranger_listens(&a->to, a))
			return; /* nobody has this address: no answer */
		return;
	}
	DL_FOREACH (net.sockets, s)
		if (s->listening && s->core && net_addr_eq(&s->addr, &a->to))
			break;
	if (!s) {
		sim_post(a->proc, latency(a->there, a->here), "net refused", on_refused, a);
		return;
	}
	arrival = rc_alloc(sizeof(*arrival));
	*arrival = (struct arrival){a, s};
	sim_post(s->proc, 1, "net accept", on_accept, arrival);
}

static void *net_dial(void *ctx, const struct net_addr *addr, uint64_t peer, const char **ret_ours)
{
	struct sockets *s = ctx;
	struct sim_conn *c = conn_new(s->proc->node, host_of(addr));

	(void)ret_ours;
	c->proc = s->proc;
	c->sockets = s;
	c->peer = peer;
	c->from = s->addr;
	c->from.port = (uint16_t)(FIRST_PORT + net.port++ % FIRST_PORT);
	c->to = *addr;
	sim_post(NULL, latency(c->here, c->there), "net dial", on_syn, c);
	return c;
}

const struct net_ops sockets_net_ops = {net_dial, net_send, net_set_reading, net_close, NULL};

/* ---- a process's sockets ---- */

int sockets_open(const struct sockets_config *config, struct sockets **ret, struct rc_error *error)
{
	struct sockets *s = rc_alloc(sizeof(*s));

	(void)error;
	s->proc = sim.current;
	s->timeout_us = (int64_t)config->user_timeout_ms * 1000;
	s->listening = config->listening;
	sim_net_address(s->proc->node, &s->addr);
	s->addr.port = config->port;
	DL_APPEND(net.sockets, s);
	*ret = s;
	return RC_OK;
}

void sockets_start(struct sockets *s, struct rc_loop *loop, struct peerd *core)
{
	(void)loop;
	s->core = core;
}

void sockets_stop_listening(struct sockets *s)
{
	s->listening = false;
}

void sockets_close(struct sockets *s)
{
	if (!s)
		return;
	DL_DELETE(net.sockets, s);
	s->listening = false;
	s->core = NULL;
}

size_t sockets_n_listening(const struct sockets *s)
{
	return s->listening;
}

struct net_addr sockets_listening(const struct sockets *s, size_t i)
{
	(void)i;
	return s->addr;
}

size_t sockets_own_addresses(uint16_t port, bool private_ok, struct net_addr *ret, size_t max)
{
	(void)private_ok;
	if (max < 1 || sim.current->node == SIM_NOBODY)
		return 0;
	sim_net_address(sim.current->node, ret);
	ret->port = port;
	return 1;
}

/* ---- ends of processes and hosts ---- */

static void end_conn(struct sim_conn *c, bool vanish)
{
	struct sim_conn *other = c->other;

	if (c->proc->end != SIM_RUNS)
		c->given_up = NULL; /* gone with the process's other events */
	forget(c);
	if (!other)
		return;
	if (vanish)
		drop_transit(c);
	else if (!c->broken)
		append(c, NULL, 0);
	/* What was to be handed to the process finds nobody. */
	other->draining = false;
	drain_at_head(other);
}

static void end_all(struct sim_proc *proc, unsigned node, bool vanish)
{
	struct sim_conn *c, *next_conn;
	struct sockets *s, *next;

	DL_FOREACH_SAFE (net.conns, c, next_conn)
		if (c->proc && (c->proc == proc || c->proc->node == node))
			end_conn(c, vanish);
	DL_FOREACH_SAFE (net.sockets, s, next)
		if (s->proc == proc || s->proc->node == node)
			sockets_close(s);
}

void sim_net_proc_ended(struct sim_proc *proc)
{
	end_all(proc, SIM_NOBODY - 1, false);
}

void sim_net_host_up(unsigned node, bool up)
{
	net.down[node] = !up;
	if (!up)
		end_all(NULL, node, true);
}

bool sim_net_reset_one(unsigned node)
{
	struct sim_conn *c, *some[256];
	size_t n = 0;

	DL_FOREACH (net.conns, c)
		if (n < 256 && c->here == node && c->proc && c->other && !c->other->closed)
			some[n++] = c;
	if (!n)
		return false;
	c = some[sim_random_below(&sim.random, n)];
	c->broken = c->other->broken = true;
	drop_transit(c);
	drop_transit(c->other);
	sim_post(c->proc, 1, "net break", on_broken, c);
	sim_post(c->other->proc, latency(c->here, c->there), "net break", on_broken, c->other);
	sim_fault(SIM_FAULT_RESET);
	return true;
}

/* ---- strangers ---- */

struct sim_conn *sim_stranger_dial(const struct net_addr *from, const struct net_addr *to,
				   const struct sim_stranger_ops *ops, void *arg)
{
	struct sim_conn *c = conn_new(SIM_NOBODY, host_of(to));

	c->ops = ops;
	c->arg = arg;
	c->from = *from;
	c->to = *to;
	sim_post(NULL, latency(c->here, c->there), "stranger dial", on_syn, c);
	return c;
}

struct sim_conn *sim_stranger_take(struct sim_conn *a, const struct sim_stranger_ops *ops,
				   void *arg)
{
	struct sim_conn *b = conn_new(SIM_NOBODY, a->here);

	b->ops = ops;
	b->arg = arg;
	pair(a, b);
	return b;
}

void sim_stranger_send(struct sim_conn *conn, const uint8_t *data, size_t len)
{
	if (!conn->closed && conn->other)
		send_pieces(conn, data, len);
}

void sim_stranger_close(struct sim_conn *conn)
{
	if (!conn->closed)
		net_close(NULL, conn);
}
