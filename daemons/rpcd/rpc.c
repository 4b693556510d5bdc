/* A body's way: bounds → parse → each call checked, permitted, carried out → one answer. */
#include "daemons/rpcd/rpc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/rpcd/body.h"

struct rpc_batch {
	const struct rpc_table *table;
	rpc_permit_fn permit;
	rpc_keep_fn keep;
	json_t *root;
	bool is_list;
	struct rpc_call *calls;
	size_t n;	/* calls */
	size_t next;	/* the first that hasn't begun */
	size_t running; /* begun and not finished */
	size_t bytes;	/* of answers */
	bool exclusive; /* the running one changes something: it runs alone */
	bool pumping;
	bool full;    /* an answer was too much beside the others: no further call is begun */
	bool hung_up; /* there is nobody to be answered */
	rpc_answer_fn fn;
	void *arg;
};

const char *rpc_class_name(enum rpc_class class)
{
	switch (class) {
	case RPC_READ:
		return "read";
	case RPC_SUBMIT:
		return "submit";
	case RPC_ADMIN:
		break;
	}
	return "admin";
}

const struct rpc_method *rpc_method_find(const struct rpc_table *table, const char *name)
{
	size_t low = 0, high = table->n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = strcmp(name, table->methods[mid].name);

		if (!order)
			return &table->methods[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static void put_json(struct rc_buf *buf, const json_t *value)
{
	char *text =
		value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17))
		      : NULL;

	rc_buf_printf(buf, "%s", text ? text : "null");
	free(text);
}

static void put_error(struct rc_buf *buf, bool legacy, enum rpc_code code, const char *message,
		      const json_t *data, const json_t *id)
{
	struct json_out out = json_out_to(buf);

	out_object(&out, NULL);
	if (legacy)
		out_null(&out, "result");
	else
		out_text(&out, "jsonrpc", "2.0");
	out_object(&out, "error");
	out_int(&out, "code", code);
	out_text(&out, "message", message);
	if (data) {
		rc_buf_put(buf, ",\"data\":", 8);
		put_json(buf, data);
	}
	out_object_end(&out);
	rc_buf_put(buf, ",\"id\":", 6);
	put_json(buf, id);
	rc_buf_put_u8(buf, '}');
}

/* ---- one call ---- */

void rpc_call_restart(struct rpc_call *call)
{
	rc_buf_clear(&call->answer);
	rc_buf_printf(&call->answer, "%s",
		      call->legacy ? "{\"result\":" : "{\"jsonrpc\":\"2.0\",\"result\":");
	call->out = json_out_to(&call->answer);
}

void rpc_call_set_state(struct rpc_call *call, void *state, void (*state_free)(void *))
{
	if (call->state)
		(call->state_free ? call->state_free : free)(call->state);
	call->state = state;
	call->state_free = state_free;
}

static void answer_error(struct rpc_call *call, enum rpc_code code, uint32_t retry_ms,
			 const json_t *data, const char *text)
{
	call->error_code = code;
	call->retry_ms = retry_ms;
	rc_buf_clear(&call->answer);
	put_error(&call->answer, call->legacy, code, text, data, call->id);
}

static void fail_full(struct rpc_call *call)
{
	char text[128];

	call->batch->full = true;
	snprintf(text, sizeof(text),
		 "the other answers of this batch have %zu bytes: send smaller batches",
		 call->batch->bytes);
	answer_error(call, RPC_MISC, 0, NULL, text);
}

/* Counts the answer among what the batch holds, or its refusal where it is too much. Submissions
 * are told in any case what became of them. */
static void keep_answer(struct rpc_call *call)
{
	struct rpc_batch *batch = call->batch;
	size_t before = batch->bytes;
	json_t *data;

	if (before && before + call->answer.len > RPC_BATCH_BYTES && call->method &&
	    call->method->class == RPC_READ) {
		rc_buf_done(&call->answer);
		fail_full(call);
	}
	batch->bytes = before + call->answer.len;
	if (!batch->keep || batch->keep(batch->arg, call->method, call->answer.len, batch->bytes))
		return;
	rc_buf_done(&call->answer);
	data = json_pack("{s:s, s:i}", "daemon", "rpcd", "retry_ms", 1000);
	answer_error(call, RPC_OVERLOADED, 1000, data,
		     "rpcd is overloaded: too many answers wait to be read: try again");
	json_decref(data);
	batch->bytes = before + call->answer.len;
	batch->keep(batch->arg, call->method, call->answer.len, batch->bytes);
}

static bool pump(struct rpc_batch *batch);

static void finish(struct rpc_call *call)
{
	struct rpc_batch *batch = call->batch;

	rpc_call_set_state(call, NULL, NULL);
	if (call->at_end)
		call->at_end(call);
	call->hang_up = NULL;
	call->finished = true;
	batch->running--;
	keep_answer(call);
	batch->exclusive = false;
	pump(batch);
}

void rpc_call_done(struct rpc_call *call)
{
	rc_buf_printf(&call->answer, "%s", call->legacy ? ",\"error\":null,\"id\":" : ",\"id\":");
	put_json(&call->answer, call->id);
	rc_buf_put_u8(&call->answer, '}');
	finish(call);
}

static void fail(struct rpc_call *call, enum rpc_code code, uint32_t retry_ms, json_t *data,
		 const char *fmt, va_list ap)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	answer_error(call, code, retry_ms, data, text);
	json_decref(data);
	finish(call);
}

void rpc_call_fail(struct rpc_call *call, enum rpc_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail(call, code, 0, NULL, fmt, ap);
	va_end(ap);
}

void rpc_call_fail_data(struct rpc_call *call, enum rpc_code code, json_t *data, const char *fmt,
			...)
{
	va_list ap;

	va_start(ap, fmt);
	fail(call, code, 0, data, fmt, ap);
	va_end(ap);
}

void rpc_call_fail_retry(struct rpc_call *call, enum rpc_code code, uint32_t retry_ms, json_t *data,
			 const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail(call, code, retry_ms, data, fmt, ap);
	va_end(ap);
}

/*
 * Is it a request object? With "jsonrpc": "2.0" the specification's rules hold to the letter.
 * Without that member, or with "1.0" or "1.1" in it, as older scripts send it, the answer has both
 * members result and error, and an absent id is null and is answered.
 */
static bool is_request(struct rpc_call *call)
{
	json_t *request = call->request, *version, *params, *method;

	if (!json_is_object(request))
		return false;
	version = json_object_get(request, "jsonrpc");
	method = json_object_get(request, "method");
	params = json_object_get(request, "params");
	call->id = json_object_get(request, "id");
	if (json_is_object(call->id) || json_is_array(call->id) || json_is_boolean(call->id)) {
		call->id = NULL;
		return false;
	}
	if (version && !json_is_string(version))
		return false;
	if (!json_is_string(method))
		return false;
	if (params && !json_is_array(params) && !json_is_object(params) &&
	    !(json_is_null(params) && (!version || strcmp(json_string_value(version), "2.0"))))
		return false;
	if (!version || !strcmp(json_string_value(version), "1.0") ||
	    !strcmp(json_string_value(version), "1.1"))
		call->legacy = true;
	else if (strcmp(json_string_value(version), "2.0"))
		return false;
	call->notification = !call->id && !call->legacy;
	return true;
}

static void begin(struct rpc_call *call)
{
	struct rpc_batch *batch = call->batch;
	const char *name;
	char text[512];
	int code;

	batch->running++;
	if (!is_request(call)) {
		call->notification = call->legacy = false;
		rpc_call_fail(call, RPC_INVALID_REQUEST, "Invalid Request");
		return;
	}
	name = json_string_value(json_object_get(call->request, "method"));
	call->method = rpc_method_find(batch->table, name);
	if (!call->method && !strcmp(name, "stop")) {
		rpc_call_fail(call, RPC_METHOD_NOT_FOUND,
			      "Method not found: the node is stopped by its service manager: "
			      "systemctl stop rusty-full.target");
		return;
	}
	if (!call->method) {
		rpc_call_fail(call, RPC_METHOD_NOT_FOUND, "Method not found");
		return;
	}
	if (batch->full || batch->bytes > RPC_BATCH_BYTES) {
		fail_full(call);
		finish(call);
		return;
	}
	if (batch->hung_up) {
		rpc_call_fail(call, RPC_MISC, "the client hung up");
		return;
	}
	code = batch->permit ? batch->permit(batch->arg, call->method) : 0;
	if (code == RPC_DAEMON_AWAY || code == RPC_OVERLOADED) {
		rpc_call_fail_retry(call, code, 1000,
				    json_pack("{s:s, s:i}", "daemon", "rpcd", "retry_ms", 1000),
				    code == RPC_DAEMON_AWAY ? "rpcd is stopping: try again"
							    : "rpcd is overloaded: too many "
							      "answers wait to be read: try again");
		return;
	}
	if (code) {
		rpc_call_fail(call, RPC_NOT_PERMITTED,
			      "%s needs the class \"%s\", which this user or listener doesn't have",
			      call->method->name, rpc_class_name(call->method->class));
		return;
	}
	code = rpc_params_check(call->method, json_object_get(call->request, "params"), call->args,
				text, sizeof(text));
	if (code) {
		rpc_call_fail(call, code, "%s", text);
		return;
	}
	batch->exclusive = call->method->class != RPC_READ;
	rpc_call_restart(call);
	call->method->handle(call);
}

/* ---- the whole body ---- */

static void batch_free(struct rpc_batch *batch)
{
	for (size_t i = 0; i < batch->n; i++) {
		struct rpc_call *call = &batch->calls[i];

		if (call->method)
			rpc_args_free(call->method->params, call->method->n_params, call->args);
		rc_buf_done(&call->answer);
	}
	json_decref(batch->root);
	free(batch->calls);
	free(batch);
}

static void answer_single(struct rpc_call *call, struct rpc_answer *answer)
{
	if (call->notification) {
		answer->status = 204;
		return;
	}
	answer->body = call->answer;
	call->answer = RC_BUF_INIT;
	if (call->error_code == RPC_DAEMON_AWAY || call->error_code == RPC_OVERLOADED)
		answer->status = 503;
	else if (call->error_code == RPC_NOT_PERMITTED)
		answer->status = 403;
	answer->retry_ms = call->retry_ms;
}

/* A place for len bytes of the list, and what stands before them. */
static uint8_t *put_item(uint8_t *at, const struct rpc_call *call, const uint8_t *start)
{
	*at = at == start ? '[' : ',';
	if (call->answer.len)
		memcpy(at + 1, call->answer.data, call->answer.len);
	return at + 1 + call->answer.len;
}

/* The largest answer's buffer becomes the list's: twice that answer isn't there at any time. */
static void answer_list(struct rpc_batch *batch, struct rpc_answer *answer)
{
	struct rpc_call *largest = NULL;
	size_t before = 0, total = 0;
	uint8_t *at, *start;

	for (size_t i = 0; i < batch->n; i++) {
		struct rpc_call *call = &batch->calls[i];

		if (call->notification)
			continue;
		if (!largest || call->answer.len > largest->answer.len) {
			largest = call;
			before = total;
		}
		total += 1 + call->answer.len;
	}
	if (!largest) {
		answer->status = 204;
		return;
	}
	answer->body = largest->answer;
	largest->answer = RC_BUF_INIT;
	rc_buf_reserve(&answer->body, total + 1 - answer->body.len);
	at = start = answer->body.data;
	memmove(start + before + 1, start, answer->body.len);
	for (struct rpc_call *call = batch->calls; call < batch->calls + batch->n; call++) {
		if (call->notification)
			continue;
		if (call == largest) {
			*at = at == start ? '[' : ',';
			at += 1 + answer->body.len;
		} else {
			at = put_item(at, call, start);
			rc_buf_done(&call->answer);
		}
	}
	*at++ = ']';
	answer->body.len = (size_t)(at - start);
}

static void conclude(struct rpc_batch *batch)
{
	struct rpc_answer answer = {.status = 200, .body = RC_BUF_INIT};

	for (size_t i = 0; i < batch->n; i++)
		answer.failed += batch->calls[i].error_code != 0;
	if (batch->is_list)
		answer_list(batch, &answer);
	else
		answer_single(&batch->calls[0], &answer);
	batch->fn(batch->arg, &answer);
	batch_free(batch);
}

/* Begins what may begin: reads side by side, anything else alone and in its place. True if that was
 * the end, and the batch is freed. */
static bool pump(struct rpc_batch *batch)
{
	if (batch->pumping)
		return false;
	batch->pumping = true;
	while (batch->next < batch->n && !batch->exclusive && batch->running < RPC_BATCH_PARALLEL) {
		struct rpc_call *call = &batch->calls[batch->next];
		json_t *name = json_object_get(call->request, "method");
		const struct rpc_method *method =
			json_is_string(name)
				? rpc_method_find(batch->table, json_string_value(name))
				: NULL;

		if (method && method->class != RPC_READ && batch->running)
			break;
		batch->next++;
		begin(call);
	}
	batch->pumping = false;
	if (batch->next < batch->n || batch->running)
		return false;
	conclude(batch);
	return true;
}

void rpc_hang_up(struct rpc_batch *batch)
{
	batch->pumping = true; /* what ends now neither begins others nor frees the batch */
	for (size_t i = 0; i < batch->next; i++)
		if (batch->calls[i].hang_up) {
			batch->hung_up = true;
			batch->calls[i].hang_up(&batch->calls[i]);
		}
	batch->pumping = false;
	pump(batch);
}

static void refuse(rpc_answer_fn fn, void *arg, enum rpc_code code, const char *text)
{
	struct rpc_answer answer = {.status = 200, .failed = 1, .body = RC_BUF_INIT};

	put_error(&answer.body, false, code, text, NULL, NULL);
	fn(arg, &answer);
}

static void refuse_parse(rpc_answer_fn fn, void *arg, const json_error_t *e)
{
	RC_AUTOFREE char *text = NULL;

	if (json_error_code(e) == json_error_numeric_overflow) {
		refuse(fn, arg, RPC_INVALID_PARAMS,
		       "Invalid params: a number has more than 64 bits");
		return;
	}
	text = rc_asprintf("Parse error: %s, at byte %d", e->text, e->position);
	refuse(fn, arg, RPC_PARSE_ERROR, text);
}

struct rpc_batch *rpc_start(const struct rpc_table *table, void *ctx, rpc_permit_fn permit,
			    rpc_keep_fn keep, const char *body, size_t len, rpc_answer_fn fn,
			    void *arg)
{
	json_error_t error;
	json_t *root;
	struct rpc_batch *batch;
	size_t n;

	if (!rpc_weight(body, len)) {
		refuse(fn, arg, RPC_PARSE_ERROR, "Parse error: too deep or too many values");
		return NULL;
	}
	root = body_parse(body, len, &error);
	if (!root) {
		refuse_parse(fn, arg, &error);
		return NULL;
	}
	n = json_is_array(root) ? json_array_size(root) : 1;
	if (!n || n > RPC_BATCH_MAX) {
		RC_AUTOFREE char *text = rc_asprintf(
			n ? "Invalid Request: a batch has at most %d calls" : "Invalid Request",
			RPC_BATCH_MAX);

		json_decref(root);
		refuse(fn, arg, RPC_INVALID_REQUEST, text);
		return NULL;
	}
	batch = rc_alloc(sizeof(*batch));
	batch->table = table;
	batch->permit = permit;
	batch->keep = keep;
	batch->root = root;
	batch->is_list = json_is_array(root);
	batch->n = n;
	batch->calls = rc_alloc_array(n, sizeof(*batch->calls));
	batch->fn = fn;
	batch->arg = arg;
	for (size_t i = 0; i < n; i++) {
		batch->calls[i].batch = batch;
		batch->calls[i].ctx = ctx;
		batch->calls[i].request = batch->is_list ? json_array_get(root, i) : root;
	}
	return pump(batch) ? NULL : batch;
}
