/*
 * bus/zsock.h between processes of this one: what ZeroMQ's ROUTER, DEALER, XPUB and SUB do over
 * ipc, with delays. A connection is a stream: nothing is lost, doubled or reordered on it; but it
 * may break, and then what was on its way is gone and the client connects again.
 */
#include "bus/zsock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "sim.h"

#define LATENCY_MEAN_US 40
/* As zsock.c tells libzmq. */
#define RECONNECT_MIN_US 10000
#define RECONNECT_MAX_US 50000
#define KEY_SIZE	 5

/* Both directions of one connection: side 0 is the client's. Neither links nor sockets are ever
 * freed: messages and notices that are on their way name them. */
struct link {
	struct rc_zsock *side[2];
	uint8_t key[KEY_SIZE]; /* what the server calls it */
	int64_t last[2];       /* when the newest message to a side arrives */
	bool lost[2];	       /* what is on its way to a side doesn't arrive */
	struct link *next;     /* of the server's */
};

struct rc_zsock {
	struct rc_zsock_config config;
	struct sim_proc *proc;
	char *bound, *target;
	struct link *links; /* a client's only one, or a server's */
	bool want_room;
	bool closed;
	struct rc_zsock *next; /* of all */
	UT_hash_handle hh;     /* by bound */
};

struct message {
	struct link *link;
	int to;
	struct rc_frames frames;
};

struct notice {
	struct rc_zsock *zsock;
	bool up;
};

static struct rc_zsock *servers; /* by endpoint */
static struct rc_zsock *all;
static uint32_t last_key;

static bool is_client(const struct rc_zsock *z)
{
	return z->config.type == ZMQ_DEALER || z->config.type == ZMQ_SUB;
}

static int64_t latency(void)
{
	return sim_random_delay(&sim.random, LATENCY_MEAN_US);
}

/* ---- messages ---- */

static void put_moved(struct rc_frames *frames, zmq_msg_t *from)
{
	zmq_msg_t *msg = rc_frames_add(frames);

	zmq_msg_move(msg, from);
	frames->bytes += zmq_msg_size(msg);
}

static void deliver(void *arg)
{
	struct message *m = arg;
	struct rc_zsock *z = m->link->side[m->to];
	struct rc_frames frames = {0};

	if (!z->closed && !m->link->lost[m->to] && m->frames.bytes <= z->config.max_bytes) {
		if (z->config.type == ZMQ_ROUTER)
			rc_frames_put(&frames, NULL, m->link->key, KEY_SIZE);
		for (unsigned i = 0; i < m->frames.n; i++)
			put_moved(&frames, rc_frames_msg(&m->frames, i));
		z->config.on_frames(z->config.arg, &frames);
		rc_frames_done(&frames);
	}
	rc_frames_done(&m->frames);
	free(m);
}

/* Takes the frames from the first on. */
static void send_to(struct link *link, int to, struct rc_frames *frames, unsigned first)
{
	struct message *m = rc_alloc(sizeof(*m));
	int64_t at = sim.now + latency();

	m->link = link;
	m->to = to;
	for (unsigned i = first; i < frames->n; i++) {
		struct rc_bytes b = rc_frames_get(frames, i);

		sim_trace_u64(b.len);
		put_moved(&m->frames, rc_frames_msg(frames, i));
	}
	rc_frames_done(frames);
	link->last[to] = at = at > link->last[to] ? at : link->last[to] + 1;
	sim_post(link->side[to]->proc, at - sim.now, "bus", deliver, m);
}

/* ---- connections ---- */

static void on_notice(void *arg)
{
	struct notice *n = arg;
	struct rc_zsock *z = n->zsock;

	if (!z->closed)
		z->config.on_link(z->config.arg, n->up);
	free(n);
}

/* After what is on its way already. */
static void tell(struct rc_zsock *z, struct link *link, bool up)
{
	struct notice *n;
	int to = !is_client(z);
	int64_t at = sim.now + latency();

	if (!z->config.watch_links)
		return;
	n = rc_alloc(sizeof(*n));
	*n = (struct notice){z, up};
	at = at > link->last[to] ? at : link->last[to] + 1;
	link->last[to] = at;
	sim_post(z->proc, at - sim.now, "bus link", on_notice, n);
}

static void try_connect(void *arg);

static void connect_in(struct rc_zsock *z, int64_t us)
{
	sim_post(z->proc, us, "bus connect", try_connect, z);
}

static void on_room(void *arg)
{
	struct rc_zsock *z = arg;

	if (z->closed || !z->want_room || !z->links)
		return;
	z->want_room = false;
	z->config.on_room(z->config.arg);
}

static void make_link(struct rc_zsock *client, struct rc_zsock *server)
{
	struct link *link = rc_alloc(sizeof(*link));
	uint32_t number = ++last_key;

	link->side[0] = client;
	link->side[1] = server;
	memcpy(link->key + 1, &number, sizeof(number));
	link->next = server->links;
	server->links = link;
	client->links = link;
	tell(client, link, true);
	tell(server, link, true);
	if (server->config.xpub_hello) {
		struct rc_frames hello = {0};

		rc_frames_put(&hello, NULL, server->config.xpub_hello,
			      strlen(server->config.xpub_hello));
		send_to(link, 0, &hello, 0);
	}
	if (client->want_room)
		sim_post(client->proc, latency(), "bus room", on_room, client);
}

static void try_connect(void *arg)
{
	struct rc_zsock *z = arg, *server;

	if (z->closed || z->links || !z->target)
		return;
	HASH_FIND_STR(servers, z->target, server);
	if (server)
		make_link(z, server);
	else
		connect_in(z, RECONNECT_MIN_US +
				      (int64_t)sim_random_below(
					      &sim.random, RECONNECT_MAX_US - RECONNECT_MIN_US));
}

static void unlink_from_server(struct link *link)
{
	struct link **at = &link->side[1]->links;

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
}

/* by: the side that ends it, which isn't told; −1: neither. gently: what it sent still arrives. */
static void end_link(struct link *link, int by, bool gently)
{
	struct rc_zsock *client = link->side[0], *server = link->side[1];

	unlink_from_server(link);
	client->links = NULL;
	link->lost[0] |= by != 1 || !gently;
	link->lost[1] |= by != 0 || !gently;
	if (by != 0)
		tell(client, link, false);
	if (by != 1)
		tell(server, link, false);
	if (by != 0)
		connect_in(client, RECONNECT_MIN_US);
}

bool sim_bus_break_one(unsigned node)
{
	struct link *links[64];
	size_t n = 0;

	for (struct rc_zsock *z = all; z && n < 64; z = z->next)
		if (is_client(z) && z->links && z->proc->node == node)
			links[n++] = z->links;
	if (n == 0)
		return false;
	end_link(links[sim_random_below(&sim.random, n)], -1, false);
	sim_fault(SIM_FAULT_BUS);
	return true;
}

/* ---- sockets ---- */

int rc_zsock_open(struct rc_loop *loop, const struct rc_zsock_config *config, struct rc_zsock **ret,
		  struct rc_error *error)
{
	struct rc_zsock *z = rc_alloc(sizeof(*z));

	(void)loop;
	(void)error;
	z->config = *config;
	z->proc = sim.current;
	z->next = all;
	all = z;
	*ret = z;
	return RC_OK;
}

static void end_links(struct rc_zsock *z, bool gently)
{
	while (z->links)
		end_link(z->links, is_client(z) ? 0 : 1, gently);
	if (z->bound)
		HASH_DEL(servers, z);
	z->bound = NULL;
}

static void forget(struct rc_zsock *z)
{
	struct rc_zsock **at = &all;

	while (*at != z)
		at = &(*at)->next;
	*at = z->next;
}

void rc_zsock_close(struct rc_zsock *z)
{
	if (!z)
		return;
	end_links(z, true);
	forget(z);
	z->closed = true;
}

void sim_bus_proc_ended(struct sim_proc *proc)
{
	struct rc_zsock *next;

	for (struct rc_zsock *z = all; z; z = next) {
		next = z->next;
		if (z->proc != proc)
			continue;
		end_links(z, false);
		forget(z);
		z->closed = true;
	}
}

int rc_zsock_bind(struct rc_zsock *z, const char *endpoint, struct rc_error *error)
{
	struct rc_zsock *other;

	HASH_FIND_STR(servers, endpoint, other);
	if (other)
		return rc_error_set(error, RC_EEXIST, "%s is bound already", endpoint);
	z->bound = rc_strdup(endpoint);
	HASH_ADD_KEYPTR(hh, servers, z->bound, strlen(z->bound), z);
	return RC_OK;
}

int rc_zsock_connect(struct rc_zsock *z, const char *endpoint, struct rc_error *error)
{
	(void)error;
	z->target = rc_strdup(endpoint);
	connect_in(z, latency());
	return RC_OK;
}

void rc_zsock_disconnect(struct rc_zsock *z, const char *endpoint)
{
	(void)endpoint;
	if (z->links)
		end_link(z->links, 0, true);
	z->target = NULL;
}

/* Every subscriber gets a copy, unless it is made to lose it. */
static int publish(struct rc_zsock *z, struct rc_frames *frames)
{
	for (struct link *link = z->links; link; link = link->next) {
		struct rc_frames copy = {0};

		if (frames->n > 1 && sim_random_chance(&sim.random, sim.bus_event_loss)) {
			sim_fault(SIM_FAULT_EVENT);
			continue;
		}
		for (unsigned i = 0; i < frames->n; i++) {
			struct rc_bytes b = rc_frames_get(frames, i);

			rc_frames_put(&copy, NULL, b.data, b.len);
		}
		send_to(link, 0, &copy, 0);
	}
	rc_frames_done(frames);
	return RC_OK;
}

int rc_zsock_send(struct rc_zsock *z, struct rc_frames *frames)
{
	struct rc_bytes key;

	if (z->config.type == ZMQ_XPUB)
		return publish(z, frames);
	if (z->config.type == ZMQ_DEALER) {
		if (!z->links) {
			z->want_room = z->config.on_room != NULL;
			return RC_EBUSY;
		}
		send_to(z->links, 1, frames, 0);
		return RC_OK;
	}
	key = rc_frames_get(frames, 0);
	for (struct link *link = z->links; link; link = link->next) {
		if (key.len == KEY_SIZE && memcmp(key.data, link->key, KEY_SIZE) == 0) {
			send_to(link, 0, frames, 1);
			return RC_OK;
		}
	}
	return RC_EUNAVAILABLE;
}
