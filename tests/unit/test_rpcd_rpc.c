/* JSON-RPC 2.0 by its specification's own examples; parameters; bounds; what is answered later. */
#include "tests/unit/rc_test.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/num.h"
#include "daemons/rpcd/auth.h"
#include "daemons/rpcd/body.h"
#include "daemons/rpcd/listen.h"
#include "daemons/rpcd/methods.h"
#include "daemons/rpcd/rpc.h"

/* ---- a table as the specification's examples have it ---- */

static struct rpc_call *pending[RPC_BATCH_MAX];
static size_t n_pending;

static void on_subtract(struct rpc_call *call)
{
	out_int(&call->out, NULL, call->args[0].i - call->args[1].i);
	rpc_call_done(call);
}

static void on_sum(struct rpc_call *call)
{
	int64_t sum = 0;

	for (int i = 0; i < 3; i++)
		sum += call->args[i].i;
	out_int(&call->out, NULL, sum);
	rpc_call_done(call);
}

static void on_get_data(struct rpc_call *call)
{
	out_array(&call->out, NULL);
	out_text(&call->out, NULL, "hello");
	out_int(&call->out, NULL, 5);
	out_array_end(&call->out);
	rpc_call_done(call);
}

static void on_nothing(struct rpc_call *call)
{
	out_null(&call->out, NULL);
	rpc_call_done(call);
}

static void on_later(struct rpc_call *call)
{
	pending[n_pending++] = call;
}

static const struct rpc_param field_rows[] = {
	{"list", RPC_TYPE_TEXTS, true, 1, 2, NULL, "texts", NULL},
	{"on", RPC_TYPE_BOOL, true, 0, 0, "true", "switch", NULL},
	{.name = NULL}};
static const struct rpc_param two_rows[] = {
	{"minuend", RPC_TYPE_INT, false, -1000000, 1000000, NULL, "from", NULL},
	{"subtrahend", RPC_TYPE_INT, false, -1000000, 1000000, NULL, "what", NULL}};
static const struct rpc_param many_rows[] = {
	{"a", RPC_TYPE_INT, true, 0, 1000, "0", "a number", NULL},
	{"b", RPC_TYPE_INT, true, 0, 1000, "0", "a number", NULL},
	{"c", RPC_TYPE_INT, true, 0, 1000, "0", "a number", NULL}};
static const struct rpc_param all_rows[] = {
	{"level", RPC_TYPE_LEVEL, true, 0, 2, "1", "how much", NULL},
	{"text", RPC_TYPE_TEXT, true, 1, 4, NULL, "text", NULL},
	{"hex", RPC_TYPE_HEX, true, 1, 3, NULL, "bytes", NULL},
	{"id", RPC_TYPE_ID, true, 0, 0, NULL, "an id", NULL},
	{"hash", RPC_TYPE_HASH, true, 0, 0, NULL, "a hash", NULL},
	{"amount", RPC_TYPE_AMOUNT, true, 0, 0, "0.10000000", "RUST", NULL},
	{"object", RPC_TYPE_OBJECT, true, 0, 0, NULL, "an object", field_rows},
	{"flag", RPC_TYPE_BOOL, true, 0, 0, NULL, "a flag", NULL}};

#define ROW(name, class, fn, rows, n)                                               \
	{                                                                           \
		name, class, "test", 1000, fn, "what it does", "something", rows, n \
	}
static const struct rpc_method rows[] = {
	ROW("all", RPC_READ, on_nothing, all_rows, 8),
	ROW("change", RPC_ADMIN, on_later, NULL, 0),
	ROW("get_data", RPC_READ, on_get_data, NULL, 0),
	ROW("later", RPC_READ, on_later, NULL, 0),
	ROW("notify_hello", RPC_READ, on_nothing, many_rows, 3),
	ROW("notify_sum", RPC_READ, on_sum, many_rows, 3),
	ROW("subtract", RPC_READ, on_subtract, two_rows, 2),
	ROW("sum", RPC_READ, on_sum, many_rows, 3),
};
static const struct rpc_table table = {rows, RC_ARRAY_LEN(rows)};

struct result {
	bool answered;
	int status;
	json_t *json; /* NULL: empty body */
	char *text;
};

static void on_answer(void *arg, struct rpc_answer *answer)
{
	struct result *r = arg;

	assert_false(r->answered);
	r->answered = true;
	r->status = answer->status;
	r->text = rc_alloc(answer->body.len + 1);
	if (answer->body.len)
		memcpy(r->text, answer->body.data, answer->body.len);
	if (answer->body.len) {
		r->json = json_loadb((char *)answer->body.data, answer->body.len, JSON_DECODE_ANY,
				     NULL);
		assert_non_null(r->json);
	}
	rc_buf_done(&answer->body);
}

static struct result ask(const char *body)
{
	struct result r = {0};

	rpc_start(&table, NULL, NULL, NULL, body, strlen(body), on_answer, &r);
	assert_true(r.answered);
	return r;
}

static void result_done(struct result *r)
{
	json_decref(r->json);
	free(r->text);
}

/* --> sent, <-- expected ("": nothing). Parse errors may say more than the specification does. */
static void expect(const char *sent, const char *want)
{
	struct result r = ask(sent);
	json_t *wanted = *want ? json_loads(want, 0, NULL) : NULL;

	if (!*want) {
		assert_int_equal(r.status, 204);
		assert_null(r.json);
	} else {
		assert_non_null(wanted);
		if (!json_equal(r.json, wanted))
			fail_msg("sent %s\n want %s\n have %s", sent, want, r.text);
	}
	json_decref(wanted);
	result_done(&r);
}

static void expect_parse_error(const char *sent)
{
	struct result r = ask(sent);
	json_t *error = json_object_get(r.json, "error");

	assert_string_equal(rc_test_str(r.json, "jsonrpc"), "2.0");
	assert_int_equal(json_integer_value(json_object_get(error, "code")), -32700);
	assert_true(json_is_null(json_object_get(r.json, "id")));
	assert_ptr_equal(strstr(rc_test_str(error, "message"), "Parse error"),
			 rc_test_str(error, "message"));
	result_done(&r);
}

#define INVALID                                                              \
	"{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32600, \"message\": " \
	"\"Invalid Request\"}, \"id\": null}"

/* https://www.jsonrpc.org/specification, section 7, all of them, as they stand there. */
static void test_specification(void **state)
{
	(void)state;
	expect("{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": [42, 23], \"id\": 1}",
	       "{\"jsonrpc\": \"2.0\", \"result\": 19, \"id\": 1}");
	expect("{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": [23, 42], \"id\": 2}",
	       "{\"jsonrpc\": \"2.0\", \"result\": -19, \"id\": 2}");
	expect("{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": {\"subtrahend\": 23, "
	       "\"minuend\": 42}, \"id\": 3}",
	       "{\"jsonrpc\": \"2.0\", \"result\": 19, \"id\": 3}");
	expect("{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": {\"minuend\": 42, "
	       "\"subtrahend\": 23}, \"id\": 4}",
	       "{\"jsonrpc\": \"2.0\", \"result\": 19, \"id\": 4}");
	expect("{\"jsonrpc\": \"2.0\", \"method\": \"update\", \"params\": [1,2,3,4,5]}", "");
	expect("{\"jsonrpc\": \"2.0\", \"method\": \"foobar\"}", "");
	expect("{\"jsonrpc\": \"2.0\", \"method\": \"foobar\", \"id\": \"1\"}",
	       "{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32601, \"message\": \"Method not "
	       "found\"}, \"id\": \"1\"}");
	expect_parse_error(
		"{\"jsonrpc\": \"2.0\", \"method\": \"foobar, \"params\": \"bar\", \"baz]");
	expect("{\"jsonrpc\": \"2.0\", \"method\": 1, \"params\": \"bar\"}", INVALID);
	expect_parse_error("[\n  {\"jsonrpc\": \"2.0\", \"method\": \"sum\", \"params\": [1,2,4], "
			   "\"id\": \"1\"},\n  {\"jsonrpc\": \"2.0\", \"method\"\n]");
	expect("[]", INVALID);
	expect("[1]", "[" INVALID "]");
	expect("[1,2,3]", "[" INVALID "," INVALID "," INVALID "]");
	expect("[\n"
	       "{\"jsonrpc\": \"2.0\", \"method\": \"sum\", \"params\": [1,2,4], \"id\": \"1\"},\n"
	       "{\"jsonrpc\": \"2.0\", \"method\": \"notify_hello\", \"params\": [7]},\n"
	       "{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": [42,23], \"id\": "
	       "\"2\"},\n"
	       "{\"foo\": \"boo\"},\n"
	       "{\"jsonrpc\": \"2.0\", \"method\": \"foo.get\", \"params\": {\"name\": "
	       "\"myself\"}, "
	       "\"id\": \"5\"},\n"
	       "{\"jsonrpc\": \"2.0\", \"method\": \"get_data\", \"id\": \"9\"} \n]",
	       "[{\"jsonrpc\": \"2.0\", \"result\": 7, \"id\": \"1\"},"
	       "{\"jsonrpc\": \"2.0\", \"result\": 19, \"id\": \"2\"}," INVALID ","
	       "{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32601, \"message\": \"Method not "
	       "found\"}, \"id\": \"5\"},"
	       "{\"jsonrpc\": \"2.0\", \"result\": [\"hello\", 5], \"id\": \"9\"}]");
	expect("[{\"jsonrpc\": \"2.0\", \"method\": \"notify_sum\", \"params\": [1,2,4]},"
	       "{\"jsonrpc\": \"2.0\", \"method\": \"notify_hello\", \"params\": [7]}]",
	       "");
}

static void test_older_requests(void **state)
{
	(void)state;
	expect("{\"method\": \"sum\", \"params\": [1], \"id\": 7}",
	       "{\"result\": 1, \"error\": null, \"id\": 7}");
	expect("{\"jsonrpc\": \"1.0\", \"method\": \"sum\", \"params\": [1], \"id\": \"curl\"}",
	       "{\"result\": 1, \"error\": null, \"id\": \"curl\"}");
	expect("{\"method\": \"foobar\"}", "{\"result\": null, \"error\": {\"code\": -32601, "
					   "\"message\": \"Method not found\"}, "
					   "\"id\": null}");
	expect("{\"jsonrpc\": \"3.0\", \"method\": \"sum\", \"id\": 1}",
	       "{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32600, \"message\": \"Invalid "
	       "Request\"}, \"id\": 1}");
	expect("1", INVALID);
	expect("\"text\"", INVALID);
	expect("{\"jsonrpc\": \"2.0\", \"method\": \"sum\", \"id\": [1]}", INVALID);
	expect("{\"jsonrpc\": \"2.0\", \"method\": \"sum\", \"id\": null}",
	       "{\"jsonrpc\": \"2.0\", \"result\": 0, \"id\": null}");
}

/* ---- parameters ---- */

static int code_of(const char *params, char *ret_text, size_t size)
{
	struct rpc_arg args[RPC_PARAMS_MAX];
	json_t *json = params ? json_loads(params, 0, NULL) : NULL;
	int code;

	if (params)
		assert_non_null(json);
	code = rpc_params_check(&rows[0], json, args, ret_text, size);
	rpc_args_free(all_rows, RC_ARRAY_LEN(all_rows), args);
	json_decref(json);
	return code;
}

static void test_params(void **state)
{
	static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	static const struct {
		const char *params;
		int code;
		const char *word; /* in the sentence */
	} bad[] = {
		{"[1,\"a\",\"00\",null,null,null,null,true,9]", -32602, "at most 8"},
		{"{\"nosuch\": 1}", -32602, "\"nosuch\""},
		{"{\"level\": \"1\"}", -32602, "\"level\" must be an integer, it is a string"},
		{"{\"level\": 1.0}", -32602, "fraction"},
		{"{\"level\": 3}", -8, "from 0 to 2"},
		{"{\"level\": -1}", -8, "from 0 to 2"},
		{"{\"text\": 5}", -32602, "must be a string"},
		{"{\"text\": \"\"}", -8, "from 1 to 4"},
		{"{\"text\": \"abcde\"}", -8, "it has 5"},
		{"{\"hex\": \"0\"}", -8, "digits"},
		{"{\"hex\": \"0g\"}", -22, "hexadecimal"},
		{"{\"hex\": \"001\"}", -22, "even"},
		{"{\"hex\": \"00000000\"}", -8, "from 1 to 3"},
		{"{\"hex\": [1]}", -32602, "it is a list"},
		{"{\"id\": \"00\"}", -8, "64"},
		{"{\"hash\": 7}", -32602, "64"},
		{"{\"amount\": 1.5}", -32602, "never JSON numbers"},
		{"{\"amount\": 1}", -32602, "never JSON numbers"},
		{"{\"amount\": \"84000000.00000001\"}", -8, "84000000"},
		{"{\"amount\": \"-1\"}", -8, "RUST"},
		{"{\"amount\": \"1e3\"}", -8, "RUST"},
		{"{\"object\": []}", -32602, "an object"},
		{"{\"object\": {\"list\": [\"a\", 1]}}", -32602, "item 1"},
		{"{\"object\": {\"list\": []}}", -8, "from 1 to 2"},
		{"{\"object\": {\"list\": \"a\"}}", -32602, "list of strings"},
		{"{\"object\": {\"nosuch\": 1}}", -32602, "no field"},
		{"{\"flag\": 1}", -32602, "true or false"},
	};
	struct rpc_arg args[RPC_PARAMS_MAX];
	char text[512];
	json_t *json;

	(void)state;
	for (size_t i = 0; i < RC_ARRAY_LEN(bad); i++) {
		text[0] = '\0';
		if (code_of(bad[i].params, text, sizeof(text)) != bad[i].code ||
		    !strstr(text, bad[i].word))
			fail_msg("%s: %s", bad[i].params, text);
	}
	json = json_pack("{s:b, s:s, s:s, s:s, s:s, s:s, s:{s:[s,s]}, s:n}", "level", 1, "text",
			 "ab", "hex", "00ff", "id", id, "hash", id, "amount", "1.5", "object",
			 "list", "x", "y", "flag");
	assert_non_null(json);
	assert_int_equal(rpc_params_check(&rows[0], json, args, text, sizeof(text)), 0);
	assert_int_equal(args[0].i, 1);
	assert_string_equal(args[1].text, "ab");
	assert_int_equal(args[2].len, 2);
	assert_int_equal(args[2].data[1], 0xff);
	assert_int_equal(args[3].id[0], 0xef);
	assert_int_equal(args[4].id[0], 0x01);
	assert_int_equal(args[5].i, 150000000);
	assert_int_equal(args[6].fields[0].len, 2);
	assert_true(args[6].fields[1].b); /* the default */
	assert_false(args[7].given);
	rpc_args_free(all_rows, RC_ARRAY_LEN(all_rows), args);
	json_decref(json);
	assert_int_equal(code_of(NULL, text, sizeof(text)), 0);
	assert_int_equal(code_of("[true]", text, sizeof(text)), 0);
}

static int error_code(const struct result *r)
{
	return (int)json_integer_value(json_object_get(json_object_get(r->json, "error"), "code"));
}

static void test_bounds(void **state)
{
	struct rc_buf body = RC_BUF_INIT;
	struct result r;

	(void)state;
	/* nesting: one bracket too many, and the most that may be */
	for (int i = 0; i <= RPC_DEPTH_MAX; i++)
		rc_buf_put_u8(&body, '[');
	r = (struct result){0};
	rpc_start(&table, NULL, NULL, NULL, (char *)body.data, body.len, on_answer, &r);
	assert_int_equal(error_code(&r), -32700);
	result_done(&r);
	/* too many values */
	rc_buf_clear(&body);
	rc_buf_put_u8(&body, '[');
	for (int i = 0; i < RPC_VALUES_MAX; i++)
		rc_buf_put(&body, "0,", 2);
	rc_buf_put(&body, "0]", 2);
	r = (struct result){0};
	rpc_start(&table, NULL, NULL, NULL, (char *)body.data, body.len, on_answer, &r);
	assert_int_equal(error_code(&r), -32700);
	result_done(&r);
	/* too long a batch */
	rc_buf_clear(&body);
	rc_buf_put_u8(&body, '[');
	for (int i = 0; i < RPC_BATCH_MAX; i++)
		rc_buf_put(&body, "1,", 2);
	rc_buf_put(&body, "1]", 2);
	r = (struct result){0};
	rpc_start(&table, NULL, NULL, NULL, (char *)body.data, body.len, on_answer, &r);
	assert_int_equal(error_code(&r), -32600);
	result_done(&r);
	rc_buf_done(&body);
	r = ask("{\"jsonrpc\": \"2.0\", \"method\": \"sum\", \"params\": [99999999999999999999], "
		"\"id\": 1}");
	assert_int_equal(error_code(&r), -32602);
	result_done(&r);
	r = ask("");
	assert_int_equal(error_code(&r), -32700);
	result_done(&r);
	r = ask("{\"jsonrpc\": \"2.0\", \"method\": \"sum\", \"method\": \"sum\", \"id\": 1}");
	assert_int_equal(error_code(&r), -32700);
	result_done(&r);
	r = ask("{\"jsonrpc\": \"2.0\", \"method\": \"stop\", \"id\": 1}");
	assert_int_equal(error_code(&r), -32601);
	assert_non_null(strstr(r.text, "systemctl stop"));
	result_done(&r);
}

/* ---- answered later: reads side by side, a change alone ---- */

static void test_order(void **state)
{
	static const char body[] = "[{\"jsonrpc\":\"2.0\",\"method\":\"later\",\"id\":1},"
				   "{\"jsonrpc\":\"2.0\",\"method\":\"later\",\"id\":2},"
				   "{\"jsonrpc\":\"2.0\",\"method\":\"change\",\"id\":3},"
				   "{\"jsonrpc\":\"2.0\",\"method\":\"later\",\"id\":4}]";
	struct result r = {0};

	(void)state;
	n_pending = 0;
	rpc_start(&table, NULL, NULL, NULL, body, strlen(body), on_answer, &r);
	assert_int_equal(n_pending, 2); /* the change waits for both reads */
	on_nothing(pending[1]);
	assert_int_equal(n_pending, 2);
	on_nothing(pending[0]);
	assert_int_equal(n_pending, 3); /* and runs alone */
	rpc_call_fail_data(pending[2], RPC_REJECTED, json_pack("{s:s}", "verdict", "tx-overspend"),
			   "refused");
	assert_int_equal(n_pending, 4);
	assert_false(r.answered);
	on_nothing(pending[3]);
	assert_true(r.answered);
	assert_int_equal(json_array_size(r.json), 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
			json_integer_value(json_object_get(json_array_get(r.json, i), "id")),
			(json_int_t)i + 1);
	assert_non_null(strstr(r.text, "\"data\":{\"verdict\":\"tx-overspend\"}"));
	result_done(&r);
}

static int reads_only(void *arg, const struct rpc_method *method)
{
	(void)arg;
	return method->class == RPC_READ ? 0 : RPC_NOT_PERMITTED;
}

static bool closing;

static int until_closing(void *arg, const struct rpc_method *method)
{
	(void)arg, (void)method;
	return closing ? RPC_DAEMON_AWAY : 0;
}

static void test_classes(void **state)
{
	static const char body[] = "{\"jsonrpc\":\"2.0\",\"method\":\"change\",\"id\":1}";
	struct result r = {0};

	(void)state;
	rpc_start(&table, NULL, reads_only, NULL, body, strlen(body), on_answer, &r);
	assert_int_equal(r.status, 403);
	assert_int_equal(error_code(&r), RPC_NOT_PERMITTED);
	result_done(&r);
}

/* What a batch has left at the end is answered, and not begun. */
static void test_closing(void **state)
{
	static const char body[] = "[{\"jsonrpc\": \"2.0\", \"method\": \"change\", \"id\": 1},"
				   "{\"jsonrpc\": \"2.0\", \"method\": \"later\", \"id\": 2}]";
	struct result r = {0};

	(void)state;
	n_pending = 0;
	rpc_start(&table, NULL, until_closing, NULL, body, strlen(body), on_answer, &r);
	assert_int_equal(n_pending, 1);
	closing = true;
	rpc_call_fail(pending[0], RPC_DAEMON_AWAY, "away");
	closing = false;
	assert_int_equal(n_pending, 1);
	assert_true(r.answered);
	assert_int_equal(json_array_size(r.json), 2);
	result_done(&r);
}

/* ---- the real table ---- */

static void test_table(void **state)
{
	struct rpc_table real = methods_table();
	struct rc_buf text = RC_BUF_INIT;
	struct json_out out = json_out_to(&text);
	json_t *doc;

	(void)state;
	for (size_t i = 0; i < real.n; i++) {
		const struct rpc_method *m = &real.methods[i];

		assert_ptr_equal(rpc_method_find(&real, m->name), m);
		assert_true(m->n_params <= RPC_PARAMS_MAX);
		for (size_t p = 1; p < m->n_params; p++)
			assert_true(m->params[p].optional || !m->params[p - 1].optional);
	}
	assert_null(rpc_method_find(&real, "stop"));
	help_openrpc(&real, &out);
	doc = json_loadb((char *)text.data, text.len, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(doc, "methods")), real.n);
	json_decref(doc);
	rc_buf_done(&text);
	free((void *)(uintptr_t)real.methods);
}

/* The list of methods in the manual is the table's. RC_WRITE_MANUAL=1 writes it there. */
static void test_manual(void **state)
{
	static const char path[] = "man/rustycoin-rpc.7";
	static const char begin[] = ".\\\" methods: made from daemons/rpcd/methods.def\n";
	static const char end[] = ".\\\" end of methods\n";
	struct rpc_table real = methods_table();
	struct rc_buf want = RC_BUF_INIT, page = RC_BUF_INIT, fresh = RC_BUF_INIT;
	struct rc_error error;
	char *from, *to;

	(void)state;
	help_mdoc(&real, &want);
	assert_int_equal(rc_file_read(path, 1u << 20, &page, &error), RC_OK);
	rc_buf_put_u8(&page, '\0');
	from = strstr((char *)page.data, begin);
	to = strstr((char *)page.data, end);
	assert_non_null(from);
	assert_non_null(to);
	from += strlen(begin);
	if ((size_t)(to - from) != want.len || memcmp(from, want.data, want.len)) {
		if (!getenv("RC_WRITE_MANUAL"))
			fail_msg("%s isn't what the table says: RC_WRITE_MANUAL=1 mends it", path);
		rc_buf_put(&fresh, page.data, (size_t)(from - (char *)page.data));
		rc_buf_put(&fresh, want.data, want.len);
		rc_buf_put(&fresh, to, strlen(to));
		assert_int_equal(rc_file_replace(path, fresh.data, fresh.len, 0644, &error), RC_OK);
	}
	rc_buf_done(&want);
	rc_buf_done(&page);
	rc_buf_done(&fresh);
	free((void *)(uintptr_t)real.methods);
}

static void test_json_out(void **state)
{
	struct rc_buf buf = RC_BUF_INIT;
	struct json_out out = json_out_to(&buf);
	json_t *json;

	(void)state;
	out_object(&out, NULL);
	out_text(&out, "t", "a\"\\\n\x01\xff\xc3\xa9\xed\xa0\x80");
	out_amount(&out, "v", 150000000);
	out_int(&out, "i", INT64_MIN);
	out_uint(&out, "u", UINT64_MAX);
	out_hex(&out, "h", "\x00\xff", 2);
	out_array(&out, "e");
	out_array_end(&out);
	out_bool(&out, "b", false);
	out_object_end(&out);
	rc_buf_put_u8(&buf, '\0');
	assert_string_equal(
		(char *)buf.data,
		"{\"t\":\"a\\\"\\\\\\n\\u0001\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd"
		"\xef\xbf\xbd\",\"v\":\"1.50000000\",\"v_oxides\":150000000,"
		"\"i\":-9223372036854775808,\"u\":18446744073709551615,\"h\":\"00ff\","
		"\"e\":[],\"b\":false}");
	json = json_loads((char *)buf.data, 0, NULL);
	assert_null(
		json); /* Jansson has no unsigned 64-bit numbers: nothing we send is that large */
	rc_buf_done(&buf);
}

/* ---- passwords ---- */

static void test_auth(void **state)
{
	/* share/rpcauth of Bitcoin Core: user:salt$hash of the password "secret" with salt 0011 */
	static const char *const lines[] = {
		"bob:0011$4c4a19df4d438e931413a0d62473125fe1e58f019fd8ad5055fc62816041fb64:read"};
	static const char *const bad[] = {"bob", "bob:salt", ":s$00", "bob:s$zz", "bob:$00"};
	struct rc_error error;
	struct auth *auth;
	enum rpc_class class;

	(void)state;
	assert_int_equal(auth_open(NULL, lines, 1, &rc_random_system, &auth, &error), RC_OK);
	assert_true(auth_check(auth, "Basic Ym9iOnNlY3JldA==", &class));
	assert_int_equal(class, RPC_READ);
	assert_false(auth_check(auth, NULL, &class));
	assert_false(auth_check(auth, "Basic ", &class));
	assert_false(auth_check(auth, "Bearer Ym9iOnNlY3JldA==", &class));
	assert_false(auth_check(auth, "Basic Ym9iOndyb25n", &class));
	for (size_t i = 0; i < RC_ARRAY_LEN(bad); i++)
		assert_int_equal(auth_reload(auth, &bad[i], 1, &error), RC_ECONFIG);
	assert_int_equal(auth_failed(auth, 0), 100);
	assert_int_equal(auth_failed(auth, 1000), 200);
	assert_int_equal(auth_failed(auth, 2000), 400);
	for (int i = 0; i < 10; i++)
		assert_true(auth_failed(auth, 3000) <= 5000);
	assert_int_equal(auth_failed(auth, INT64_C(100000000)), 100);
	auth_close(auth);
}

/* A small batch can't ask for answers without end. */
static void test_large_answers(void **state)
{
	static const char body[] = "[{\"jsonrpc\":\"2.0\",\"method\":\"change\",\"id\":1},"
				   "{\"jsonrpc\":\"2.0\",\"method\":\"later\",\"id\":2}]";
	RC_AUTOFREE uint8_t *data = rc_alloc(RPC_BATCH_BYTES / 2);
	struct result r = {0};

	(void)state;
	n_pending = 0;
	rpc_start(&table, NULL, NULL, NULL, body, strlen(body), on_answer, &r);
	out_hex(&pending[0]->out, NULL, data, RPC_BATCH_BYTES / 2);
	rpc_call_done(pending[0]);
	assert_int_equal(n_pending, 1);
	assert_true(r.answered);
	result_done(&r);
}

/* What a batch has is bounded, also by calls that run side by side; one answer may be larger. */
static void test_batch_bytes(void **state)
{
	static const char body[] = "[{\"jsonrpc\":\"2.0\",\"method\":\"later\",\"id\":0},"
				   "{\"jsonrpc\":\"2.0\",\"method\":\"later\",\"id\":1},"
				   "{\"jsonrpc\":\"2.0\",\"method\":\"later\",\"id\":2},"
				   "{\"jsonrpc\":\"2.0\",\"method\":\"change\",\"id\":3},"
				   "{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"id\":4}]";
	RC_AUTOFREE uint8_t *data = rc_alloc(RPC_BATCH_BYTES / 2);
	struct result r = {0};

	(void)state;
	n_pending = 0;
	rpc_start(&table, NULL, NULL, NULL, body, strlen(body), on_answer, &r);
	assert_int_equal(n_pending, 3);
	out_hex(&pending[1]->out, NULL, data, RPC_BATCH_BYTES / 2);
	rpc_call_done(pending[1]);
	out_int(&pending[2]->out, NULL, 22);
	rpc_call_done(pending[2]);
	out_int(&pending[0]->out, NULL, 20);
	rpc_call_done(pending[0]);
	assert_true(r.answered);
	assert_int_equal(json_array_size(r.json), 5);
	for (size_t i = 0; i < 5; i++) {
		json_t *item = json_array_get(r.json, i), *error = json_object_get(item, "error");

		assert_int_equal(json_integer_value(json_object_get(item, "id")), i);
		if (i == 1) {
			assert_int_equal(json_string_length(json_object_get(item, "result")),
					 RPC_BATCH_BYTES);
			continue;
		}
		assert_int_equal(json_integer_value(json_object_get(error, "code")), RPC_MISC);
		assert_non_null(strstr(json_string_value(json_object_get(error, "message")),
				       "smaller batches"));
	}
	result_done(&r);
}

/* ---- what a body takes ---- */

static size_t taken;

static void *counted_malloc(size_t size)
{
	void *p = malloc(size);

	taken += malloc_usable_size(p) + sizeof(size_t);
	return p;
}

static void counted_free(void *p)
{
	if (p)
		taken -= malloc_usable_size(p) + sizeof(size_t);
	free(p);
}

static void test_weight(void **state)
{
	static const char *const items[] = {"{}",
					    "[]",
					    "1",
					    "1.5",
					    "\"\"",
					    "\"aaaaaaaaaaaaaaaaaaaaaaaaa\"",
					    "{\"a\":{}}",
					    "{\"a\":[\"\\\\\"]}",
					    "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}",
					    "{\"a\":1,\"b\":2,\"c\":3,\"d\":{}}"};
	json_malloc_t usual_malloc;
	json_free_t usual_free;
	struct rc_buf body = RC_BUF_INIT;

	(void)state;
	json_get_alloc_funcs(&usual_malloc, &usual_free);
	json_set_alloc_funcs(counted_malloc, counted_free);
	for (size_t i = 0; i < RC_ARRAY_LEN(items); i++) {
		json_t *json;

		rc_buf_clear(&body);
		for (int n = 0; n < 2000; n++)
			rc_buf_printf(&body, "%c%s", n ? ',' : '[', items[i]);
		rc_buf_put_u8(&body, ']');
		json = json_loadb((char *)body.data, body.len, 0, NULL);
		assert_non_null(json);
		assert_in_range(taken, 1, rpc_weight((char *)body.data, body.len));
		json_decref(json);
		assert_int_equal(taken, 0);
	}
	json_set_alloc_funcs(usual_malloc, usual_free);
	/* what looks like values in texts is none */
	rc_buf_clear(&body);
	rc_buf_printf(&body, "%s", "[\"\\\\\\\"[[{,,\\\"]\", \"\\\\\", 1]");
	assert_in_range(rpc_weight((char *)body.data, body.len), 1,
			2 * body.len + 4 * (RPC_VALUE_BYTES + sizeof(struct rpc_call)));
	rc_buf_clear(&body);
	for (int i = 0; i <= RPC_DEPTH_MAX; i++)
		rc_buf_put_u8(&body, '[');
	assert_int_equal(rpc_weight((char *)body.data, body.len), 0);
	assert_in_range(rpc_weight(NULL, 0), 1, 2048);
	rc_buf_done(&body);
}

/* Long digits go round the parser; the tree is as if they hadn't. */
static void test_long_digits(void **state)
{
	static const char *const bodies[] = {
		"[\"#\", \"##\", {\"a\": \"#\", \"b\": [\"x\", \"\", \"#\"]}, 5]",
		"{\"#\" : \"##\", \"##\":1}",
		"{\"#\": 1, \"#\": 2}",
		"\"#\"",
		"[\"#\", \"\\n\\ufdd0\"]",
		"[\"#\", \"\xef\xb7\x90"
		"0\", \"\xef\xb7\x90\"]",
		"[\"#g\", \"\\\"#\", \"#\\\\\"]",
		"[\"#\", \"#",
		"[\"#\", \"",
		"[\"#\", \"#\\\"",
		"[\"#\" \"#\"]",
		"\"",
	};
	RC_AUTOFREE char *digits = rc_alloc(2001);
	struct rc_buf body = RC_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < 2000; i++)
		digits[i] = "0123456789abcdefABCDEF"[i % 22];
	for (size_t i = 0; i < RC_ARRAY_LEN(bodies) + 1; i++) {
		json_t *want, *have;
		json_error_t want_error, error;

		rc_buf_clear(&body);
		if (i == RC_ARRAY_LEN(bodies)) { /* more than are taken out */
			rc_buf_put_u8(&body, '[');
			for (int n = 0; n < 100; n++)
				rc_buf_printf(&body, "\"%s%d\",", digits, n);
			rc_buf_printf(&body, "0]");
		}
		for (const char *p = i < RC_ARRAY_LEN(bodies) ? bodies[i] : ""; *p; p++) {
			if (*p == '#')
				rc_buf_put(&body, digits, 2000);
			else
				rc_buf_put_u8(&body, (uint8_t)*p);
		}
		want = json_loadb((char *)body.data, body.len,
				  JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &want_error);
		have = body_parse((char *)body.data, body.len, &error);
		assert_true(want ? json_equal(want, have) : !have);
		if (!want)
			assert_string_equal(error.text, want_error.text);
		json_decref(want);
		json_decref(have);
	}
	rc_buf_done(&body);
}

static size_t kept_sum;

static bool keep_small(void *arg, const struct rpc_method *method, size_t bytes, size_t sum)
{
	(void)arg, (void)method;
	kept_sum = sum;
	return bytes <= 1000;
}

/* Each answer is told of when it is made, and gives way where it is too much. */
static void test_kept_answers(void **state)
{
	static const char body[] = "[{\"jsonrpc\":\"2.0\",\"method\":\"later\",\"id\":1},"
				   "{\"method\":\"later\",\"id\":2},"
				   "{\"jsonrpc\":\"2.0\",\"method\":\"later\",\"id\":3}]";
	uint8_t data[1000] = {0};
	struct result r = {0};

	(void)state;
	n_pending = 0;
	kept_sum = 0;
	rpc_start(&table, NULL, NULL, keep_small, body, strlen(body), on_answer, &r);
	assert_int_equal(n_pending, 3);
	for (size_t i = 0; i < 2; i++) {
		out_hex(&pending[i]->out, NULL, data, sizeof(data));
		rpc_call_done(pending[i]);
		assert_in_range(kept_sum, 100 * (i + 1), 300 * (i + 1));
	}
	out_int(&pending[2]->out, NULL, 5);
	rpc_call_done(pending[2]);
	assert_true(r.answered);
	assert_int_equal(r.status, 200);
	/* brackets and commas */
	assert_int_equal(strlen(r.text), kept_sum + 4);
	for (size_t i = 0; i < 2; i++) {
		json_t *error = json_object_get(json_array_get(r.json, i), "error");

		assert_int_equal(json_integer_value(json_object_get(error, "code")),
				 RPC_OVERLOADED);
	}
	assert_int_equal(json_integer_value(json_object_get(json_array_get(r.json, 2), "result")),
			 5);
	result_done(&r);
	/* one call alone */
	r = (struct result){0};
	n_pending = 0;
	rpc_start(&table, NULL, NULL, keep_small, "{\"method\":\"later\"}", 18, on_answer, &r);
	out_hex(&pending[0]->out, NULL, data, sizeof(data));
	rpc_call_done(pending[0]);
	assert_int_equal(r.status, 503);
	assert_int_equal(error_code(&r), RPC_OVERLOADED);
	result_done(&r);
}

/* A path set by mistake costs nobody a file. */
static void test_no_socket(void **state)
{
	char dir[] = "/tmp/rc-listen-XXXXXX";
	struct listen_socket socket;
	struct rc_error error;

	(void)state;
	assert_non_null(mkdtemp(dir));
	RC_AUTOFREE char *path = rc_asprintf("%s/precious", dir);
	assert_int_equal(rc_file_replace(path, "x", 1, 0600, &error), RC_OK);
	assert_int_equal(listen_unix(path, 0660, &socket, &error), RC_EEXIST);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(listen_unix(path, 0660, &socket, &error), RC_OK);
	close(socket.fd); /* dead now: replaced */
	assert_int_equal(listen_unix(path, 0660, &socket, &error), RC_OK);
	close(socket.fd);
	unlink(path);
	rmdir(dir);
}

/* ---- who asked has gone ---- */

static unsigned hung_up;

static void on_hang_up(struct rpc_call *call)
{
	hung_up++;
	rpc_call_fail(call, RPC_MISC, "gone");
}

/* What waits for an event ends, what doesn't goes on, what hasn't begun never does; then there is
 * one answer. */
static void test_hanging_up(void **state)
{
	struct rc_buf body = RC_BUF_INIT;
	struct result r = {0};
	struct rpc_batch *batch;

	(void)state;
	for (int i = 0; i < 30; i++)
		rc_buf_printf(&body, "%s{\"jsonrpc\":\"2.0\",\"method\":\"later\",\"id\":%d}",
			      i ? "," : "[", i);
	rc_buf_printf(&body, "]");
	n_pending = 0;
	hung_up = 0;
	batch = rpc_start(&table, NULL, NULL, NULL, (char *)body.data, body.len, on_answer, &r);
	assert_non_null(batch);
	assert_int_equal(n_pending, RPC_BATCH_PARALLEL);
	for (size_t i = 0; i < n_pending; i++)
		if (i != 3)
			pending[i]->hang_up = on_hang_up;
	rpc_hang_up(batch);
	assert_int_equal(hung_up, RPC_BATCH_PARALLEL - 1);
	assert_int_equal(n_pending, RPC_BATCH_PARALLEL);
	assert_false(r.answered);
	out_null(&pending[3]->out, NULL);
	rpc_call_done(pending[3]);
	assert_true(r.answered);
	assert_int_equal(json_array_size(r.json), 30);
	result_done(&r);
	/* no call waits for an event: all are carried out */
	r = (struct result){0};
	n_pending = 0;
	batch = rpc_start(&table, NULL, NULL, NULL, (char *)body.data, body.len, on_answer, &r);
	rpc_hang_up(batch);
	for (size_t i = 0; i < n_pending; i++) {
		out_null(&pending[i]->out, NULL);
		rpc_call_done(pending[i]);
	}
	assert_int_equal(n_pending, 30);
	assert_true(r.answered);
	assert_null(strstr(r.text, "error"));
	result_done(&r);
	rc_buf_done(&body);
	/* one call alone: its answer comes from within */
	r = (struct result){0};
	n_pending = 0;
	batch = rpc_start(&table, NULL, NULL, NULL, "{\"method\":\"later\"}", 18, on_answer, &r);
	pending[0]->hang_up = on_hang_up;
	rpc_hang_up(batch);
	assert_true(r.answered);
	result_done(&r);
	/* answered at once: nobody to hang up on */
	r = (struct result){0};
	assert_null(rpc_start(&table, NULL, NULL, NULL, "{\"method\":\"sum\"}", 16, on_answer, &r));
	assert_true(r.answered);
	result_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_specification), cmocka_unit_test(test_older_requests),
		cmocka_unit_test(test_params),	      cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_order),	      cmocka_unit_test(test_classes),
		cmocka_unit_test(test_closing),	      cmocka_unit_test(test_no_socket),
		cmocka_unit_test(test_large_answers), cmocka_unit_test(test_table),
		cmocka_unit_test(test_hanging_up),    cmocka_unit_test(test_json_out),
		cmocka_unit_test(test_auth),	      cmocka_unit_test(test_manual),
		cmocka_unit_test(test_kept_answers),  cmocka_unit_test(test_batch_bytes),
		cmocka_unit_test(test_weight),	      cmocka_unit_test(test_long_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
