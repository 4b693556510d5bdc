/* JSON-RPC over HTTP: find the node, call, turn each way of failing into one sentence. */
#include "client/jsonrpc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"
#include "client/http.h"

#define DEFAULT_RUNDIR	   "/run/rustycoin"
#define DEFAULT_TIMEOUT_MS 60000u
#define DEFAULT_ANSWER_MAX \
	((size_t)256 << 20) /* a block of 32 MB in JSON is about four times that */
#define COOKIE_MAX    1024u
#define RETRY_STEP_MS 50u

/* rpcd's own codes (rustycoin-rpc(7)). */
#define CODE_DAEMON_AWAY   (-32050)
#define CODE_OVERLOADED	   (-32052)
#define CODE_NOT_PERMITTED (-32053)

struct rc_jsonrpc {
	struct rc_http *http;
	char *authorization; /* NULL: none is needed */
	char *cookie_path;   /* read again after a 401: rpcd renews it when it starts; NULL: none */
	bool loopback;	     /* TCP to this host */
	uint32_t timeout_ms;
	uint32_t retry_ms;
	bool retry_unsure;
	size_t answer_max;
	uint64_t next_id;
	json_t *last_error;
};

uint16_t rc_jsonrpc_default_port(const char *network)
{
	static const struct {
		const char *network;
		uint16_t port;
	} ports[] = {{"main", 7441}, {"test", 27441}, {"reg", 17441}};

	for (size_t i = 0; i < RC_ARRAY_LEN(ports); i++)
		if (network && !strcmp(network, ports[i].network))
			return ports[i].port;
	return 0;
}

static void forget(char **secret)
{
	if (*secret)
		rc_wipe(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

static void set_credential(struct rc_jsonrpc *client, const char *text, size_t len)
{
	size_t size = strlen("Basic ") + RC_BASE64_LEN(len) + 1;

	forget(&client->authorization);
	client->authorization = rc_alloc(size);
	memcpy(client->authorization, "Basic ", strlen("Basic "));
	rc_base64_encode(client->authorization + strlen("Basic "), text, len);
}

static int read_cookie(struct rc_jsonrpc *client, struct rc_error *error)
{
	struct rc_buf text = RC_BUF_INIT;
	int err = rc_file_read(client->cookie_path, COOKIE_MAX, &text, error);

	if (err == RC_OK) {
		while (text.len &&
		       (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
			text.len--;
		if (!text.len || !memchr(text.data, ':', text.len))
			err = rc_error_set(error, RC_EFORMAT,
					   "%s: a cookie file holds user:password in one line",
					   client->cookie_path);
		else
			set_credential(client, (const char *)text.data, text.len);
	}
	if (text.data)
		rc_wipe(text.data, text.len);
	rc_buf_done(&text);
	return err;
}

/* "HOST:PORT", "[IPv6]:PORT" or HOST alone; true if it can be read. */
static bool split_host(char *text, char **ret_host, uint16_t *port)
{
	char *host = text, *end, *number = NULL;
	unsigned long value;

	if (*host == '[') {
		end = strchr(++host, ']');
		if (!end)
			return false;
		*end++ = '\0';
		if (*end == ':')
			number = end + 1;
		else if (*end)
			return false;
	} else {
		end = strchr(host, ':');
		if (end) {
			*end = '\0';
			number = end + 1;
		}
	}
	if (number) {
		errno = 0;
		value = strtoul(number, &end, 10);
		if (errno || end == number || *end || value < 1 || value > 65535)
			return false;
		*port = (uint16_t)value;
	}
	*ret_host = host;
	return *host && *port;
}

/* Whether what is sent there stays on this host. While rpcd is down any user of this host may
 * listen at its TCP port, which is above 1023, and gets what is sent: a Unix socket's directory
 * doesn't allow that. */
static bool is_loopback(const char *host)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return strcmp(host, "localhost") == 0;
}

/* http://HOST[:PORT][/] */
static int open_url(struct rc_jsonrpc *client, const char *url, uint16_t port,
		    struct rc_error *error)
{
	RC_AUTOFREE char *copy = NULL;
	char *rest, *slash, *host;

	if (!strncmp(url, "unix:", 5) || *url == '/') {
		client->http = rc_http_new(url + (*url == '/' ? 0 : 5), NULL, 0);
		return RC_OK;
	}
	if (!strncmp(url, "https://", 8))
		return rc_error_set(error, RC_EINVAL,
				    "%s: TLS is for a proxy in front of rpcd; use its http:// or "
				    "the Unix socket here",
				    url);
	if (strncmp(url, "http://", 7))
		return rc_error_set(error, RC_EINVAL,
				    "%s: an address looks like http://127.0.0.1:7441 or "
				    "unix:/run/rustycoin/rpcd/rpcd.sock",
				    url);
	copy = rc_strdup(url + 7);
	rest = copy;
	slash = strchr(rest, '/');
	if (slash && slash[1])
		return rc_error_set(error, RC_EINVAL, "rpcd answers at / only, not at %s", slash);
	if (slash)
		*slash = '\0';
	if (strchr(rest, '@'))
		return rc_error_set(error, RC_EINVAL,
				    "a password doesn't belong on a command line, where everybody "
				    "can read it: put user:password into a file, for --cookie");
	if (!split_host(rest, &host, &port))
		return rc_error_set(error, RC_EINVAL,
				    "the address of rpcd has no good host and port; it looks like "
				    "http://127.0.0.1:7441");
	client->http = rc_http_new(NULL, host, port);
	client->loopback = is_loopback(host);
	return RC_OK;
}

/* Where rpcd makes its socket itself, and where one may be that a service manager passes to it. */
static const char *const socket_names[] = {"rpcd/rpcd.sock", "rpcd.sock"};

/* The node of a run directory: its socket, if it is there and for us, else port and cookie. */
static int open_found(struct rc_jsonrpc *client, const char *rundir, const char *cookie,
		      const char *network, struct rc_error *error)
{
	uint16_t port = rc_jsonrpc_default_port(network);
	bool there = false;

	for (size_t i = 0; i < RC_ARRAY_LEN(socket_names); i++) {
		RC_AUTOFREE char *path = rc_asprintf("%s/%s", rundir, socket_names[i]);

		if (!access(path, R_OK | W_OK)) {
			client->http = rc_http_new(path, NULL, 0);
			return RC_OK;
		}
		there |= errno == EACCES;
	}
	if (!access(cookie, R_OK) && port) {
		client->http = rc_http_new(NULL, "127.0.0.1", port);
		client->loopback = true;
		return RC_OK;
	}
	if (there)
		return rc_error_set(error, RC_EACCES,
				    "%s/%s: permission denied; join the group of that socket, or "
				    "give --rpc-url and --cookie",
				    rundir, socket_names[0]);
	return rc_error_set(error, RC_ENOENT,
			    "no node found: %s/%s isn't there; is rpcd running? --datadir, "
			    "--rundir or --rpc-url say where",
			    rundir, socket_names[0]);
}

int rc_jsonrpc_open(const struct rc_jsonrpc_where *where, struct rc_jsonrpc **ret,
		    struct rc_error *error)
{
	struct rc_jsonrpc *client = rc_alloc(sizeof(*client));
	bool named = where->url || where->datadir || where->rundir;
	const char *datadir = named ? where->datadir : getenv("RUSTYCOIN_DATADIR");
	const char *run = named ? where->rundir : getenv("RUSTYCOIN_RUNDIR");
	const char *network = where->network ? where->network : getenv("RUSTYCOIN_NETWORK");
	RC_AUTOFREE char *rundir = NULL, *cookie = NULL;
	int err;

	if (run)
		rundir = rc_strdup(run);
	else
		rundir = datadir ? rc_asprintf("%s/run", datadir) : rc_strdup(DEFAULT_RUNDIR);
	if (!network)
		network = "main";
	cookie = where->cookie ? rc_strdup(where->cookie) : rc_asprintf("%s/rpcd/cookie", rundir);
	client->timeout_ms = where->timeout_ms ? where->timeout_ms : DEFAULT_TIMEOUT_MS;
	client->answer_max = where->answer_max ? where->answer_max : DEFAULT_ANSWER_MAX;
	client->retry_ms = where->retry_ms;
	client->retry_unsure = where->retry_unsure;
	if (where->url)
		err = open_url(client, where->url, rc_jsonrpc_default_port(network), error);
	else
		err = open_found(client, rundir, cookie, network, error);
	/* A cookie that was named must be good; the default one, an administrator's, may be absent
	 * and goes only where nobody else can read it. */
	if (err == RC_OK && (where->cookie || client->loopback))
		client->cookie_path = rc_strdup(cookie);
	if (client->cookie_path && (where->cookie || !access(cookie, R_OK)))
		err = read_cookie(client, error);
	if (err < 0) {
		rc_jsonrpc_close(client);
		return err;
	}
	*ret = client;
	return RC_OK;
}

void rc_jsonrpc_close(struct rc_jsonrpc *client)
{
	if (!client)
		return;
	rc_http_free(client->http);
	forget(&client->authorization);
	free(client->cookie_path);
	json_decref(client->last_error);
	free(client);
}

void rc_jsonrpc_set_timeout(struct rc_jsonrpc *client, uint32_t timeout_ms)
{
	client->timeout_ms = timeout_ms;
}

const char *rc_jsonrpc_endpoint(const struct rc_jsonrpc *client)
{
	return rc_http_where(client->http);
}

const json_t *rc_jsonrpc_error(const struct rc_jsonrpc *client)
{
	return client->last_error;
}

int rc_jsonrpc_error_code(const struct rc_jsonrpc *client)
{
	return (int)json_integer_value(json_object_get(client->last_error, "code"));
}

const char *rc_jsonrpc_error_verdict(const struct rc_jsonrpc *client)
{
	json_t *data = json_object_get(client->last_error, "data");

	return json_string_value(json_object_get(data, "verdict"));
}

static int error_object(struct rc_jsonrpc *client, json_t *object, struct rc_error *error)
{
	const char *message = json_string_value(json_object_get(object, "message"));
	int err = RC_EINVAL;

	json_incref(object);
	json_decref(client->last_error);
	client->last_error = object;
	switch (rc_jsonrpc_error_code(client)) {
	case CODE_DAEMON_AWAY:
		err = RC_EUNAVAILABLE;
		break;
	case CODE_OVERLOADED:
		err = RC_EBUSY;
		break;
	case CODE_NOT_PERMITTED:
		err = RC_EDENIED;
		break;
	}
	return rc_error_set(error, err, "%s", message ? message : "an error without a message");
}

static int http_status_error(struct rc_jsonrpc *client, int status, struct rc_error *error)
{
	const char *where = rc_http_where(client->http);

	switch (status) {
	case 401:
		if (!client->cookie_path)
			return rc_error_set(error, RC_EDENIED,
					    "%s: a password is needed; give --cookie (that of this "
					    "host's node goes to this host only)",
					    where);
		return rc_error_set(
			error, RC_EDENIED,
			client->authorization
				? "%s: wrong user or password (the cookie of %s)"
				: "%s: a password is needed; give --cookie (%s can't be read)",
			where, client->cookie_path);
	case 403:
		return rc_error_set(error, RC_EDENIED, "%s: not permitted", where);
	case 413:
		return rc_error_set(error, RC_ETOOBIG, "%s: the request is too large", where);
	case 429:
	case 503:
		return rc_error_set(error, RC_EBUSY, "%s: overloaded, try again", where);
	default:
		return rc_error_set(error, RC_EFORMAT, "%s: HTTP status %d, no JSON-RPC answer",
				    where, status);
	}
}

static int read_answer(struct rc_jsonrpc *client, const struct rc_http_answer *answer,
		       json_t **ret_result, struct rc_error *error)
{
	json_error_t json_error;
	json_t *root, *object, *result;
	int err;

	root = json_loadb((const char *)answer->body.data, answer->body.len, 0, &json_error);
	object = json_object_get(root, "error");
	result = json_object_get(root, "result");
	if (json_is_object(object))
		err = error_object(client, object, error);
	else if (answer->status != 200)
		err = http_status_error(client, answer->status, error);
	else if (result)
		err = RC_OK;
	else
		err = rc_error_set(error, RC_EFORMAT, "%s: the answer isn't JSON-RPC",
				   rc_http_where(client->http));
	if (err == RC_OK)
		*ret_result = json_incref(result);
	json_decref(root);
	return err;
}

static int call_once(struct rc_jsonrpc *client, const char *body, json_t **ret_result,
		     struct rc_error *error)
{
	struct rc_http_answer answer;
	int err;

	for (int attempt = 0;; attempt++) {
		err = rc_http_post(client->http, "/", client->authorization, "application/json",
				   body, strlen(body), client->answer_max, client->timeout_ms,
				   &answer, error);
		if (err < 0)
			return err;
		if (answer.status != 401 || attempt || !client->cookie_path ||
		    access(client->cookie_path, R_OK) || read_cookie(client, NULL) < 0)
			break;
		rc_buf_done(&answer.body);
	}
	err = read_answer(client, &answer, ret_result, error);
	rc_buf_done(&answer.body);
	return err;
}

static void pause_ms(uint32_t ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

/* Text of Jansson's, with whatever allocator the program gave it. */
static void text_freep(char **text)
{
	json_free_t free_text;

	if (!*text)
		return;
	rc_wipe(*text, strlen(*text)); /* transactions, before anybody else sees them */
	json_get_alloc_funcs(NULL, &free_text);
	free_text(*text);
}

int rc_jsonrpc_call(struct rc_jsonrpc *client, const char *method, json_t *params,
		    json_t **ret_result, struct rc_error *error)
{
	json_t *request = json_pack("{s:s, s:I, s:s}", "jsonrpc", "2.0", "id",
				    (json_int_t)++client->next_id, "method", method);
	int64_t until_us = rc_mono_us(&rc_clock_system) + (int64_t)client->retry_ms * 1000;
	RC_CLEANUP(text_freep) char *body = NULL;
	int err;

	if (params)
		json_object_set_new(request, "params", params);
	body = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (!body)
		return rc_error_set(error, RC_EINVAL, "%s: a parameter isn't UTF-8", method);
	for (;;) {
		json_decref(client->last_error);
		client->last_error = NULL;
		err = call_once(client, body, ret_result, error);
		if (err != RC_EUNAVAILABLE && err != RC_EBUSY)
			break;
		/* With an error object rpcd has taken the call, and may have passed it on. */
		if (client->last_error && !client->retry_unsure)
			break;
		if (rc_mono_us(&rc_clock_system) >= until_us)
			break;
		pause_ms(RETRY_STEP_MS);
	}
	return err;
}
