/*
 * Asks HTTP servers over kept connections, as fast as they answer: one thread, one epoll, a
 * question out on each connection at a time. Bodies are counted and thrown away unread (MSG_TRUNC),
 * so that the asker takes as little of the cores as it can.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/bench/driver.h"

#define TARGETS_MAX   8
#define QUESTIONS_MAX 4096
#define HEAD_MAX      2048 /* of an answer */
#define DISCARD_MAX   ((size_t)1 << 22)
#define STALL_SECONDS 30

struct question {
	char *text;
	size_t len;
};

struct connection {
	int fd;
	size_t next; /* question */
	char head[HEAD_MAX];
	size_t have;	  /* bytes of head */
	size_t len, left; /* bytes of the body; of it to come */
	bool in_body, out;
	int64_t asked_ns;
};

struct target {
	char name[64];
	int epoll;
	struct question *questions;
	size_t n_questions;
	struct connection *connections;
	size_t n_connections;
};

struct run {
	uint32_t *ns; /* of each answer */
	size_t n, cap;
	uint64_t bytes;
	size_t out; /* questions not answered yet */
	int64_t end_ns;
};

static struct target targets[TARGETS_MAX];

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static struct target *find(const char *name)
{
	for (size_t i = 0; i < TARGETS_MAX; i++)
		if (!strcmp(targets[i].name, name))
			return &targets[i];
	driver_die("no target \"%s\", or too many", name);
}

/* Requests, each after a line with its length in bytes. */
static void read_questions(struct target *t, const char *path)
{
	FILE *f = fopen(path, "rb");
	struct question *q;
	size_t len;

	if (!f)
		driver_die("%s: %s", path, strerror(errno));
	t->questions = rc_alloc_array(QUESTIONS_MAX, sizeof(*t->questions));
	while (t->n_questions < QUESTIONS_MAX && fscanf(f, "%zu", &len) == 1) {
		q = &t->questions[t->n_questions++];
		q->len = len;
		q->text = rc_alloc(len + 1);
		if (fgetc(f) != '\n' || fread(q->text, 1, len, f) != len)
			driver_die("%s: cut short", path);
	}
	fclose(f);
	if (!t->n_questions)
		driver_die("%s: no requests", path);
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		driver_die("connecting to port %u: %s", port, strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static json_t *on_open(char **words, int n)
{
	struct target *t = find("");
	uint16_t port = (uint16_t)driver_number(words[1], UINT16_MAX);

	(void)n;
	snprintf(t->name, sizeof(t->name), "%s", words[0]);
	t->epoll = epoll_create1(EPOLL_CLOEXEC);
	read_questions(t, words[3]);
	t->n_connections = driver_number(words[2], 10000);
	t->connections = rc_alloc_array(t->n_connections, sizeof(*t->connections));
	for (size_t i = 0; i < t->n_connections; i++) {
		struct connection *c = &t->connections[i];
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

		c->fd = connect_to(port);
		c->next = i * t->n_questions / t->n_connections;
		if (epoll_ctl(t->epoll, EPOLL_CTL_ADD, c->fd, &event) < 0)
			driver_die("epoll: %s", strerror(errno));
	}
	return json_object();
}

static json_t *on_close(char **words, int n)
{
	struct target *t = find(words[0]);

	(void)n;
	for (size_t i = 0; i < t->n_connections; i++)
		close(t->connections[i].fd);
	for (size_t i = 0; i < t->n_questions; i++)
		free(t->questions[i].text);
	free(t->questions);
	free(t->connections);
	close(t->epoll);
	memset(t, 0, sizeof(*t));
	return json_object();
}

/* ---- one question and its answer ---- */

static void ask(struct target *t, struct connection *c, struct run *run)
{
	const struct question *q = &t->questions[c->next];

	c->next = (c->next + 1) % t->n_questions;
	c->asked_ns = now_ns();
	c->out = true;
	run->out++;
	if (send(c->fd, q->text, q->len, MSG_NOSIGNAL) != (ssize_t)q->len)
		driver_die("sending a request: %s", strerror(errno));
}

static void answered(struct target *t, struct connection *c, struct run *run)
{
	int64_t now = now_ns();

	c->out = false;
	run->out--;
	if (now < run->end_ns) {
		if (run->n == run->cap) {
			run->cap = run->cap ? 2 * run->cap : 65536;
			run->ns = rc_realloc_array(run->ns, run->cap, sizeof(*run->ns));
		}
		run->bytes += c->len;
		run->ns[run->n++] = (uint32_t)(now - c->asked_ns);
		ask(t, c, run);
	}
}

/* The head is whole: how long is the body? */
static void take_head(struct connection *c, char *end)
{
	size_t rest = c->have - (size_t)(end + 4 - c->head);
	const char *length;

	*end = '\0';
	length = strcasestr(c->head, "\nContent-Length:");
	if (strncmp(c->head, "HTTP/1.1 200", 12) || !length)
		driver_die("not an answer: %s", c->head);
	c->len = strtoul(length + 16, NULL, 10);
	c->left = c->len - rest;
	c->in_body = true;
	c->have = 0;
}

static void on_readable(struct target *t, struct connection *c, struct run *run)
{
	while (c->out) {
		ssize_t n;
		char *end;

		if (c->in_body && c->left) {
			n = recv(c->fd, NULL, c->left < DISCARD_MAX ? c->left : DISCARD_MAX,
				 MSG_TRUNC);
			if (n > 0)
				c->left -= (size_t)n;
		} else {
			n = recv(c->fd, c->head + c->have, HEAD_MAX - 1 - c->have, 0);
			if (n > 0) {
				c->have += (size_t)n;
				c->head[c->have] = '\0';
				end = strstr(c->head, "\r\n\r\n");
				if (end)
					take_head(c, end);
			}
		}
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			driver_die("a connection ended: %s", n < 0 ? strerror(errno) : "closed");
		if (c->in_body && !c->left) {
			c->in_body = false;
			answered(t, c, run);
			return;
		}
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double percentile_us(const struct run *run, double part)
{
	return run->n ? run->ns[(size_t)((double)(run->n - 1) * part)] / 1000.0 : 0;
}

static json_t *on_run(char **words, int n)
{
	struct target *t = find(words[0]);
	int64_t ms = (int64_t)driver_number(words[1], 3600000);
	struct epoll_event events[256];
	struct run run = {.end_ns = now_ns() + ms * 1000000};
	json_t *answer;

	(void)n;
	for (size_t i = 0; i < t->n_connections; i++)
		ask(t, &t->connections[i], &run);
	/* Questions out at the end are waited for and not counted. */
	while (run.out) {
		int ready = epoll_wait(t->epoll, events, 256, STALL_SECONDS * 1000);

		if (ready <= 0)
			driver_die("no answer comes");
		for (int i = 0; i < ready; i++)
			on_readable(t, events[i].data.ptr, &run);
	}
	qsort(run.ns, run.n, sizeof(*run.ns), by_size);
	answer = json_pack("{s:I, s:f, s:I, s:f, s:f}", "count", (json_int_t)run.n, "seconds",
			   (double)ms / 1000, "bytes", (json_int_t)run.bytes, "p50_us",
			   percentile_us(&run, 0.5), "p99_us", percentile_us(&run, 0.99));
	free(run.ns);
	return answer;
}

static const struct driver_command commands[] = {
	{"open", 4, "NAME PORT CONNECTIONS FILE (requests, each after a line with its length)",
	 on_open},
	{"run", 2, "NAME MS", on_run},
	{"close", 1, "NAME", on_close},
	{0},
};

int main(int argc, char **argv)
{
	return driver_run(argc, argv,
			  "Requests over kept HTTP connections, as fast as they are answered.",
			  commands);
}
