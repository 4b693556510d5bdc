/*
 * What rpcd is measured against: libmicrohttpd and Jansson, and nothing behind them. One thread,
 * one epoll. A request to / is parsed by Jansson, its answer is made by Jansson from a result given
 * at the start; a request to /NAME gets bytes made beforehand.
 *
 *	bare_http PORT RESULT=FILE... /NAME=FILE...
 *
 * RESULT is a method's name. Runs until its stdin ends.
 */
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/mem.h"

#define NAMES_MAX 16

static struct name {
	char *name;
	json_t *result;
	struct MHD_Response *made;
} names[NAMES_MAX];
static size_t n_names;

static const struct name *find(const char *name)
{
	for (size_t i = 0; i < n_names; i++)
		if (!strcmp(names[i].name, name))
			return &names[i];
	fprintf(stderr, "bare_http: %s isn't known\n", name);
	exit(1);
}

static struct MHD_Response *json_response(void *data, size_t len, enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(len, data, mode);

	MHD_add_response_header(response, "Content-Type", "application/json");
	return response;
}

static enum MHD_Result answer_call(struct MHD_Connection *connection, const struct rc_buf *body)
{
	json_t *request = json_loadb((const char *)body->data, body->len, 0, NULL);
	const struct name *name = find(json_string_value(json_object_get(request, "method")));
	json_t *answer = json_pack("{s:s, s:O, s:O}", "jsonrpc", "2.0", "result", name->result,
				   "id", json_object_get(request, "id"));
	char *text = json_dumps(answer, JSON_COMPACT);
	struct MHD_Response *response = json_response(text, strlen(text), MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result = MHD_queue_response(connection, 200, response);

	MHD_destroy_response(response);
	json_decref(answer);
	json_decref(request);
	return result;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *connection, const char *url,
				 const char *method, const char *version, const char *upload,
				 size_t *upload_len, void **state)
{
	struct rc_buf *body = *state;

	(void)cls, (void)method, (void)version;
	if (!body) {
		*state = rc_alloc(sizeof(*body));
		return MHD_YES;
	}
	if (*upload_len) {
		rc_buf_put(body, upload, *upload_len);
		*upload_len = 0;
		return MHD_YES;
	}
	if (strcmp(url, "/") != 0)
		return MHD_queue_response(connection, 200, find(url)->made);
	return answer_call(connection, body);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode code)
{
	struct rc_buf *body = *state;

	(void)cls, (void)connection, (void)code;
	if (body)
		rc_buf_done(body);
	free(body);
}

static void add_name(char *arg)
{
	char *path = strchr(arg, '=');
	struct name *name = &names[n_names++];
	struct rc_buf bytes = RC_BUF_INIT;
	size_t n;
	FILE *f;

	if (!path || n_names == NAMES_MAX)
		exit(2);
	*path++ = '\0';
	name->name = arg;
	f = fopen(path, "rb");
	if (!f)
		exit(2);
	while ((n = fread(rc_buf_reserve(&bytes, 65536), 1, 65536, f)) > 0)
		bytes.len += n;
	fclose(f);
	if (*arg == '/')
		name->made = json_response(bytes.data, bytes.len, MHD_RESPMEM_MUST_COPY);
	else
		name->result =
			json_loadb((const char *)bytes.data, bytes.len, JSON_DECODE_ANY, NULL);
	rc_buf_done(&bytes);
	if (!name->made && !name->result)
		exit(2);
}

/* Until stdin ends. */
static void serve(struct MHD_Daemon *mhd)
{
	struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};

	fds[1].fd = MHD_get_daemon_info(mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	while (!fds[0].revents) {
		MHD_UNSIGNED_LONG_LONG ms;
		int timeout = MHD_get_timeout(mhd, &ms) == MHD_YES && ms < 1000 ? (int)ms : 1000;

		if (poll(fds, 2, timeout) >= 0)
			MHD_run(mhd);
	}
}

int main(int argc, char **argv)
{
	struct MHD_Daemon *mhd;

	if (argc < 3)
		return 2;
	for (int i = 2; i < argc; i++)
		add_name(argv[i]);
	mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG,
			       (uint16_t)strtoul(argv[1], NULL, 10), NULL, NULL, on_access, NULL,
			       MHD_OPTION_CONNECTION_LIMIT, 1024u, MHD_OPTION_NOTIFY_COMPLETED,
			       on_completed, NULL, MHD_OPTION_END);
	if (!mhd)
		return 1;
	printf("{}\n");
	fflush(stdout);
	serve(mhd);
	MHD_stop_daemon(mhd);
	for (size_t i = 0; i < n_names; i++) {
		json_decref(names[i].result);
		if (names[i].made)
			MHD_destroy_response(names[i].made);
	}
	return 0;
}
