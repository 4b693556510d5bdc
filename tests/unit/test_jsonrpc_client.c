/* The tools' JSON-RPC client against a server that says what the test wants; Base64 by RFC 4648. */
#include "tests/unit/rc_test.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/file.h"
#include "client/jsonrpc.h"

#define OK_BODY "{\"jsonrpc\":\"2.0\",\"result\":7,\"id\":1}"

/* One connection a script: answers, one a request, in turn; then the connection is closed. */
struct script {
	const char *const *answers; /* ends with NULL */
	int listen_fd;
	uint16_t port;
	pthread_t thread;
	char seen[4096]; /* the last request */
	bool one_connection_each;
};

static bool read_request(int fd, char *buf, size_t size)
{
	size_t n = 0;

	for (;;) {
		ssize_t got = recv(fd, buf + n, size - 1 - n, 0);
		char *end, *length;

		if (got <= 0)
			return false;
		n += (size_t)got;
		buf[n] = '\0';
		end = strstr(buf, "\r\n\r\n");
		length = strstr(buf, "Content-Length: ");
		if (end && length && n >= (size_t)(end + 4 - buf) + strtoul(length + 16, NULL, 10))
			return true;
	}
}

static void *serve(void *arg)
{
	struct script *s = arg;
	int fd = -1;

	for (const char *const *a = s->answers; *a; a++) {
		if (fd < 0)
			fd = accept(s->listen_fd, NULL, NULL);
		if (!read_request(fd, s->seen, sizeof(s->seen)))
			break;
		assert_true(send(fd, *a, strlen(*a), MSG_NOSIGNAL) == (ssize_t)strlen(*a));
		if (s->one_connection_each) {
			close(fd);
			fd = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void script_start(struct script *s, const char *const *answers)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);

	s->answers = answers;
	s->listen_fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(s->listen_fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(s->listen_fd, 8), 0);
	assert_int_equal(getsockname(s->listen_fd, (struct sockaddr *)&addr, &len), 0);
	s->port = ntohs(addr.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void script_stop(struct script *s)
{
	pthread_join(s->thread, NULL);
	close(s->listen_fd);
}

static char cookie[] = "/tmp/rc-test-cookie-XXXXXX";

static int make_cookie(void **state)
{
	static const char text[] = "me:secret\n";
	int fd = mkstemp(cookie);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	return 0;
}

static int remove_cookie(void **state)
{
	(void)state;
	return unlink(cookie);
}

static struct rc_jsonrpc *client_of(const struct script *s, size_t answer_max, uint32_t retry_ms)
{
	RC_AUTOFREE char *url = rc_asprintf("http://127.0.0.1:%u/", s->port);
	struct rc_jsonrpc_where where = {.url = url,
					 .cookie = cookie,
					 .timeout_ms = 5000,
					 .answer_max = answer_max,
					 .retry_ms = retry_ms};
	struct rc_jsonrpc *client;

	assert_int_equal(rc_jsonrpc_open(&where, &client, NULL), RC_OK);
	return client;
}

static void test_results(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 35\r\n\r\n" OK_BODY,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"10\r\n{\"jsonrpc\":\"2.0\"\r\n13\r\n,\"result\":7,\"id\":1}\r\n0\r\n\r\n",
		NULL};
	struct script s = {0};
	struct rc_jsonrpc *client;

	(void)state;
	script_start(&s, answers);
	client = client_of(&s, 0, 0);
	for (int i = 0; i < 2; i++) {
		json_t *result = NULL;
		struct rc_error error;
		int err = rc_jsonrpc_call(client, "f", json_pack("[i]", i), &result, &error);

		if (err < 0)
			fail_msg("%s", error.text);
		assert_int_equal(json_integer_value(result), 7);
		json_decref(result);
	}
	script_stop(&s);
	assert_non_null(strstr(s.seen, "Authorization: Basic bWU6c2VjcmV0\r\n"));
	assert_non_null(strstr(s.seen, "\"method\":\"f\""));
	rc_jsonrpc_close(client);
}

/* An answer, and the error it must give. */
static void expect(const char *answer, int want, int code, const char *verdict, size_t max)
{
	/* A refused cookie is read again, and the call made once more. */
	const char *answers[] = {answer, want == RC_EDENIED && !code ? answer : NULL, NULL};
	struct script s = {.one_connection_each = true};
	struct rc_jsonrpc *client;
	json_t *result = NULL;
	struct rc_error error;

	script_start(&s, answers);
	client = client_of(&s, max, 0);
	assert_int_equal(rc_jsonrpc_call(client, "f", NULL, &result, &error), want);
	assert_null(result);
	assert_true(strlen(error.text) > 10);
	assert_null(strstr(error.text, "secret"));
	assert_int_equal(rc_jsonrpc_error_code(client), code);
	if (verdict)
		assert_string_equal(rc_jsonrpc_error_verdict(client), verdict);
	else
		assert_null(rc_jsonrpc_error_verdict(client));
	script_stop(&s);
	rc_jsonrpc_close(client);
}

#define ANSWER(status, body) "HTTP/1.1 " status "\r\nConnection: close\r\nContent-Length: " body

static void test_failures(void **state)
{
	(void)state;
	expect(ANSWER("200 OK", "107\r\n\r\n{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-26,"
				"\"message\":\"refused by rule\",\"data\":{\"verdict\":"
				"\"tx-overspend\"}},\"id\":1}"),
	       RC_EINVAL, -26, "tx-overspend", 0);
	expect(ANSWER("503 Unavailable",
		      "75\r\n\r\n{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32050,"
		      "\"message\":\"chaind is away\"},\"id\":1}"),
	       RC_EUNAVAILABLE, -32050, NULL, 0);
	expect(ANSWER("401 Unauthorized", "0\r\n\r\n"), RC_EDENIED, 0, NULL, 0);
	expect(ANSWER("503 Unavailable", "0\r\n\r\n"), RC_EBUSY, 0, NULL, 0);
	expect(ANSWER("200 OK", "35\r\n\r\n" OK_BODY), RC_ETOOBIG, 0, NULL, 34);
	expect("SSH-2.0-x\r\n\r\n", RC_EFORMAT, 0, NULL, 0);
	expect("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", RC_EIO, 0, NULL, 0);
	expect(ANSWER("200 OK", "5\r\n\r\nhello"), RC_EFORMAT, 0, NULL, 0);
}

static void test_tries_again(void **state)
{
	static const char *const answers[] = {ANSWER("503 Unavailable", "0\r\n\r\n"),
					      ANSWER("200 OK", "35\r\n\r\n" OK_BODY), NULL};
	struct script s = {.one_connection_each = true};
	struct rc_jsonrpc *client;
	json_t *result = NULL;

	(void)state;
	script_start(&s, answers);
	client = client_of(&s, 0, 5000);
	assert_int_equal(rc_jsonrpc_call(client, "f", NULL, &result, NULL), RC_OK);
	json_decref(result);
	script_stop(&s);
	rc_jsonrpc_close(client);
}

static void test_finding(void **state)
{
	struct rc_jsonrpc_where away = {.url = "http://127.0.0.1:1", .timeout_ms = 1000};
	static const char *const bad[] = {"ftp://x", "https://x",	"http://h:99999",
					  "http://", "http://h:1/path", "h:1"};
	char dir[] = "/tmp/rc-test-XXXXXX";
	struct rc_jsonrpc *client;
	struct rc_error error;
	json_t *result;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rc_jsonrpc_where where = {.url = bad[i], .rundir = dir};

		assert_int_equal(rc_jsonrpc_open(&where, &client, &error), RC_EINVAL);
	}
	away.rundir = dir;
	assert_int_equal(rc_jsonrpc_open(&away, &client, &error), RC_OK);
	assert_int_equal(rc_jsonrpc_call(client, "f", NULL, &result, &error), RC_EUNAVAILABLE);
	rc_jsonrpc_close(client);
	assert_int_equal(
		rc_jsonrpc_open(&(struct rc_jsonrpc_where){.rundir = dir}, &client, &error),
		RC_ENOENT);
	assert_non_null(strstr(error.text, "rpcd.sock"));
	rmdir(dir);
}

static void test_base64(void **state)
{
	static const char *const rows[][2] = {{"", ""},
					      {"f", "Zg=="},
					      {"fo", "Zm8="},
					      {"foo", "Zm9v"},
					      {"foob", "Zm9vYg=="},
					      {"fooba", "Zm9vYmE="},
					      {"foobar", "Zm9vYmFy"}};
	static const char *const bad[] = {
		"Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9v!"};
	uint8_t out[16];
	char text[32];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(rc_base64_encode(text, rows[i][0], strlen(rows[i][0])),
				    rows[i][1]);
		assert_true(rc_base64_decode(text, strlen(text), out, sizeof(out), &n));
		assert_int_equal(n, strlen(rows[i][0]));
		assert_memory_equal(out, rows[i][0], n);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(rc_base64_decode(bad[i], strlen(bad[i]), out, sizeof(out), &n));
	assert_false(rc_base64_decode("Zm9v", 4, out, 2, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_results),	    cmocka_unit_test(test_failures),
		cmocka_unit_test(test_tries_again), cmocka_unit_test(test_finding),
		cmocka_unit_test(test_base64),
	};

	return cmocka_run_group_tests(tests, make_cookie, remove_cookie);
}
