/* A body that anybody may POST: parsed, checked against the real table of methods, answered. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/rpcd/methods.h"
#include "daemons/rpcd/rpc.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rpc_table table;

/* In place of each handler: reads every parameter as one would. */
static void on_call(struct rpc_call *call)
{
	struct json_out *out = &call->out;

	out_array(out, NULL);
	for (size_t i = 0; i < call->method->n_params; i++) {
		const struct rpc_arg *arg = &call->args[i];

		if (arg->given && arg->text)
			out_text(out, NULL, arg->text);
		if (arg->data)
			out_hex(out, NULL, arg->data, arg->len);
		for (size_t j = 0; arg->json && j < arg->len; j++)
			out_text(out, NULL, json_string_value(json_array_get(arg->json, j)));
		out_int(out, NULL, arg->i);
		out_id(out, NULL, arg->id);
	}
	out_array_end(out);
	if (call->method->class == RPC_SUBMIT)
		rpc_call_fail_data(call, RPC_REJECTED, json_pack("{s:s}", "verdict", "policy-form"),
				   "refused %s", call->method->name);
	else
		rpc_call_done(call);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct rpc_method *methods;

	(void)argc;
	(void)argv;
	table = methods_table();
	methods = (struct rpc_method *)(uintptr_t)table.methods;
	for (size_t i = 0; i < table.n; i++)
		methods[i].handle = on_call;
	return 0;
}

static void on_answer(void *arg, struct rpc_answer *answer)
{
	int *answered = arg;

	++*answered;
	/* What we say is always JSON; 204 says nothing. */
	if (answer->body.len) {
		json_t *json = json_loadb((char *)answer->body.data, answer->body.len, 0, NULL);

		if (!json)
			__builtin_trap();
		json_decref(json);
	} else if (answer->status != 204) {
		__builtin_trap();
	}
	rc_buf_done(&answer->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int answered = 0;

	rpc_start(&table, NULL, NULL, NULL, (const char *)data, size, on_answer, &answered);
	if (answered != 1)
		__builtin_trap();
	return 0;
}
