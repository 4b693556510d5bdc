/* What a tool may be told by whoever listens at rpcd's place: HTTP with a length or in chunks. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/http.h"

#define BODY_MAX   100000
#define TIMEOUT_MS 5000

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct answer {
	const uint8_t *data;
	size_t size;
};

static int listener;
static char path[64];

static void *serve(void *arg)
{
	const struct answer *answer = arg;
	char request[4096];
	int fd = accept(listener, NULL, NULL);

	if (fd < 0 || recv(fd, request, sizeof(request), 0) < 0)
		abort();
	if (answer->size)
		send(fd, answer->data, answer->size, MSG_NOSIGNAL);
	close(fd);
	return NULL;
}

static void remove_socket(void)
{
	unlink(path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	(void)argc;
	(void)argv;
	snprintf(path, sizeof(path), "/tmp/fuzz_http_answer.%d", (int)getpid());
	memcpy(addr.sun_path, path, sizeof(path));
	unlink(path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(listener, 4) < 0)
		abort();
	atexit(remove_socket);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answer told = {data, size};
	struct rc_http_answer answer;
	struct rc_http *http = rc_http_new(path, NULL, 0);
	struct rc_error error;
	pthread_t thread;
	int err;

	if (pthread_create(&thread, NULL, serve, &told))
		abort();
	err = rc_http_post(http, "/", "Basic dTp4", "application/json", "{}", 2, BODY_MAX,
			   TIMEOUT_MS, &answer, &error);
	if (err == RC_OK) {
		if (answer.body.len > BODY_MAX || answer.body.len > size || answer.status < 0 ||
		    answer.status > 999)
			abort();
		rc_buf_done(&answer.body);
	} else if (err == RC_EDEADLINE || err == RC_EUNAVAILABLE) {
		abort(); /* it had all its bytes, and the end */
	}
	pthread_join(thread, NULL);
	rc_http_free(http);
	return 0;
}
