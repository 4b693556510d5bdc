/* What anybody may send to the API's sockets: through libmicrohttpd, the checks of who asks and of
 * sizes, and JSON-RPC with the real table of methods. First byte: which socket (1: no password),
 * and where the rest is cut in two. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "bus/loop.h"
#include "daemons/rpcd/core.h"
#include "daemons/rpcd/http.h"
#include "daemons/rpcd/methods.h"
#include "service/service_state.h"

/* Of the loop, for each input: more than any answer takes. */
#define TURNS 12

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rc_service service;
static struct rpcd rpcd;

static void on_call(struct rpc_call *call)
{
	out_text(&call->out, NULL, call->method->name);
	rpc_call_done(call);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	/* The password is "x". */
	static const char *const users[] = {
		"u:73616c74$2032ab8d50387d4ca05bd3aed62047a629af8a41067e6da823f0efd18f85f809"};
	static const char *const settings[] = {"rpc_body_mb=1", "rpc_connections=8"};
	const struct rc_option *tables[] = {rpcd_service.options, NULL};
	struct rpc_method *methods;

	(void)argc;
	(void)argv;
	if (rc_config_new(tables, settings, 2, &service.config, NULL) != RC_OK ||
	    auth_open(NULL, users, 1, &rc_random_system, &rpcd.auth, NULL) != RC_OK)
		abort();
	rpcd.service = &service;
	rpcd.loop = rc_loop_new();
	rpcd.metrics = rc_metrics_new("rpcd", rpcd_service.metrics, rpcd_service.n_metrics);
	rpcd.table = methods_table();
	methods = (struct rpc_method *)(uintptr_t)rpcd.table.methods;
	for (size_t i = 0; i < rpcd.table.n; i++)
		methods[i].handle = on_call;
	return 0;
}

static int connected(struct listen_socket *ret)
{
	/* A family alone: the kernel finds a name. */
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(sa_family_t);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	ret->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || ret->fd < 0 || bind(ret->fd, (struct sockaddr *)&addr, len) < 0 ||
	    listen(ret->fd, 8) < 0)
		abort();
	len = sizeof(addr);
	if (getsockname(ret->fd, (struct sockaddr *)&addr, &len) < 0 ||
	    connect(fd, (struct sockaddr *)&addr, len) < 0)
		abort();
	return fd;
}

/* Reads what is there; true while more may come. */
static bool answers(int fd, struct rc_buf *in)
{
	for (;;) {
		uint8_t *room = rc_buf_reserve(in, 65536);
		ssize_t n = recv(fd, room, 65536, 0);

		if (n < 0)
			return true;
		if (n == 0)
			return false;
		in->len += (size_t)n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct listen_socket socket = {.is_local = true, .where = "fuzz"};
	struct rc_buf in = RC_BUF_INIT;
	struct front *front;
	size_t cut;
	int fd;

	if (!size || size > 65536)
		return 0;
	socket.is_unix = data[0] & 1;
	cut = (size_t)(data[0] >> 1) * (size - 1) / 127;
	data++, size--;
	fd = connected(&socket);
	if (front_open(&rpcd, &socket, 1, &front, NULL) != RC_OK)
		abort();
	for (int i = 0; i < TURNS; i++) {
		if (i == 0 && cut)
			send(fd, data, cut, MSG_NOSIGNAL);
		if (i == 2) {
			send(fd, data + cut, size - cut, MSG_NOSIGNAL);
			shutdown(fd, SHUT_WR);
		}
		rc_loop_turn(rpcd.loop, 0);
		if (!answers(fd, &in))
			break;
	}
	if (in.len && (in.len < 9 || memcmp(in.data, "HTTP/1.", 7) != 0))
		abort();
	close(fd);
	rc_loop_turn(rpcd.loop, 0);
	front_close(front);
	rc_buf_done(&in);
	return 0;
}
