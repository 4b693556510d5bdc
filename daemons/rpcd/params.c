/* Parameters against their rows: by place or by name, type, range; the sentence says which. */
#include "daemons/rpcd/rpc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/num.h"
#include "types/amount.h"

struct check {
	const char *where; /* the method's or the object's name */
	char *text;
	size_t size;
};

static const char *json_type_words(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a number with a fraction";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		break;
	}
	return "null";
}

static int complain(const struct check *c, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int complain(const struct check *c, int code, const char *fmt, ...)
{
	int n = snprintf(c->text, c->size, "%s: ", c->where);
	va_list ap;

	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < c->size)
		vsnprintf(c->text + n, c->size - (size_t)n, fmt, ap);
	va_end(ap);
	return code;
}

static int wrong_type(const struct check *c, const struct rpc_param *p, const json_t *value,
		      const char *want)
{
	return complain(c, RPC_INVALID_PARAMS, "\"%s\" must be %s, it is %s", p->name, want,
			json_type_words(value));
}

static int check_int(const struct check *c, const struct rpc_param *p, json_t *value,
		     struct rpc_arg *arg)
{
	if (p->type == RPC_TYPE_LEVEL && json_is_boolean(value))
		arg->i = json_is_true(value);
	else if (json_is_integer(value))
		arg->i = json_integer_value(value);
	else
		return wrong_type(c, p, value, "an integer");
	if (arg->i < p->min || arg->i > p->max)
		return complain(c, RPC_BAD_PARAMETER,
				"\"%s\" must be from %" PRId64 " to %" PRId64 ", it is %" PRId64,
				p->name, p->min, p->max, arg->i);
	return 0;
}

static int check_text(const struct check *c, const struct rpc_param *p, json_t *value,
		      struct rpc_arg *arg)
{
	if (!json_is_string(value))
		return wrong_type(c, p, value, "a string");
	arg->text = json_string_value(value);
	arg->len = json_string_length(value);
	if ((int64_t)arg->len < p->min || (int64_t)arg->len > p->max)
		return complain(c, RPC_BAD_PARAMETER,
				"\"%s\" must have from %" PRId64 " to %" PRId64
				" characters, it has %zu",
				p->name, p->min, p->max, arg->len);
	return 0;
}

static int check_hex(const struct check *c, const struct rpc_param *p, json_t *value,
		     struct rpc_arg *arg)
{
	size_t len = json_string_length(value);

	if (!json_is_string(value))
		return wrong_type(c, p, value, "a string of hexadecimal digits");
	if ((int64_t)(len / 2) < p->min || (int64_t)(len / 2) > p->max)
		return complain(c, RPC_BAD_PARAMETER,
				"\"%s\" must be from %" PRId64 " to %" PRId64
				" bytes in hexadecimal, it has %zu digits",
				p->name, p->min, p->max, len);
	if (!rc_hex_decode_alloc(json_string_value(value), len, &arg->data, &arg->len))
		return complain(c, RPC_DESERIALIZATION,
				"\"%s\" must be an even number of hexadecimal digits", p->name);
	json_string_set(value, ""); /* a block's digits are 64 MB */
	return 0;
}

static int check_id(const struct check *c, const struct rpc_param *p, json_t *value,
		    struct rpc_arg *arg)
{
	const char *text = json_string_value(value);

	if (!text)
		return wrong_type(c, p, value, "a string of 64 hexadecimal digits");
	if (p->type == RPC_TYPE_ID ? !rc_hex_decode_reversed(text, arg->id, 32)
				   : !rc_hex_decode(text, arg->id, 32))
		return complain(c, RPC_BAD_PARAMETER, "\"%s\" must be 64 hexadecimal digits",
				p->name);
	arg->text = text;
	return 0;
}

static int check_amount(const struct check *c, const struct rpc_param *p, json_t *value,
			struct rpc_arg *arg)
{
	rc_amount amount = 0;

	if (json_is_integer(value) && !json_integer_value(value))
		return 0;
	if (!json_is_string(value))
		return wrong_type(c, p, value,
				  "a decimal string of RUST such as \"0.10000000\" (amounts are "
				  "never JSON numbers)");
	if (!rc_amount_parse(json_string_value(value), &amount))
		return complain(c, RPC_BAD_PARAMETER,
				"\"%s\" must be RUST from 0 to 84000000 with at most 8 decimals",
				p->name);
	arg->i = (int64_t)amount;
	return 0;
}

static int check_texts(const struct check *c, const struct rpc_param *p, json_t *value,
		       struct rpc_arg *arg)
{
	json_t *item;
	size_t i;

	if (!json_is_array(value))
		return wrong_type(c, p, value, "a list of strings");
	json_array_foreach(value, i, item) if (!json_is_string(item)) return complain(
		c, RPC_INVALID_PARAMS, "\"%s\" must hold strings only, item %zu is %s", p->name, i,
		json_type_words(item));
	arg->len = json_array_size(value);
	arg->json = value;
	if ((int64_t)arg->len < p->min || (int64_t)arg->len > p->max)
		return complain(c, RPC_BAD_PARAMETER,
				"\"%s\" must have from %" PRId64 " to %" PRId64
				" items, it has %zu",
				p->name, p->min, p->max, arg->len);
	return 0;
}

static size_t count_fields(const struct rpc_param *fields)
{
	size_t n = 0;

	while (fields[n].name)
		n++;
	return n;
}

static int check_named(const struct check *c, const struct rpc_param *params, size_t n,
		       json_t *object, struct rpc_arg *args, const char *noun);

static int check_object(const struct check *c, const struct rpc_param *p, json_t *value,
			struct rpc_arg *arg)
{
	struct check inner = {p->name, c->text, c->size};
	size_t n = count_fields(p->fields);

	if (!json_is_object(value))
		return wrong_type(c, p, value, "an object");
	arg->fields = rc_alloc_array(n, sizeof(*arg->fields));
	return check_named(&inner, p->fields, n, value, arg->fields, "field");
}

static int check_value(const struct check *c, const struct rpc_param *p, json_t *value,
		       struct rpc_arg *arg)
{
	switch (p->type) {
	case RPC_TYPE_INT:
	case RPC_TYPE_LEVEL:
		return check_int(c, p, value, arg);
	case RPC_TYPE_BOOL:
		if (!json_is_boolean(value))
			return wrong_type(c, p, value, "true or false");
		arg->b = json_is_true(value);
		return 0;
	case RPC_TYPE_TEXT:
		return check_text(c, p, value, arg);
	case RPC_TYPE_HEX:
		return check_hex(c, p, value, arg);
	case RPC_TYPE_ID:
	case RPC_TYPE_HASH:
		return check_id(c, p, value, arg);
	case RPC_TYPE_AMOUNT:
		return check_amount(c, p, value, arg);
	case RPC_TYPE_TEXTS:
		return check_texts(c, p, value, arg);
	case RPC_TYPE_OBJECT:
		return check_object(c, p, value, arg);
	}
	return 0;
}

static void take_default(const struct rpc_param *p, struct rpc_arg *arg)
{
	rc_amount amount = 0;

	if (!p->def)
		return;
	arg->given = true;
	arg->text = p->def;
	if (p->type == RPC_TYPE_INT || p->type == RPC_TYPE_LEVEL)
		arg->i = strtoll(p->def, NULL, 10);
	else if (p->type == RPC_TYPE_BOOL)
		arg->b = !strcmp(p->def, "true");
	else if (p->type == RPC_TYPE_AMOUNT && rc_amount_parse(p->def, &amount))
		arg->i = (int64_t)amount;
}

/* One parameter; value NULL or null: left out. */
static int check_one(const struct check *c, const struct rpc_param *p, json_t *value,
		     struct rpc_arg *arg)
{
	int code;

	if (!value || json_is_null(value)) {
		if (!p->optional)
			return complain(c, RPC_INVALID_PARAMS, "\"%s\" is missing: %s", p->name,
					p->text);
		take_default(p, arg);
		return 0;
	}
	code = check_value(c, p, value, arg);
	arg->given = code == 0;
	return code;
}

static int check_named(const struct check *c, const struct rpc_param *params, size_t n,
		       json_t *object, struct rpc_arg *args, const char *noun)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		size_t i = 0;

		while (i < n && strcmp(params[i].name, key))
			i++;
		if (i == n)
			return complain(c, RPC_INVALID_PARAMS, "there is no %s \"%.64s\"", noun,
					key);
	}
	for (size_t i = 0; i < n; i++) {
		int code =
			check_one(c, &params[i], json_object_get(object, params[i].name), &args[i]);

		if (code)
			return code;
	}
	return 0;
}

int rpc_params_check(const struct rpc_method *method, json_t *params, struct rpc_arg *args,
		     char *ret_text, size_t size)
{
	struct check c = {method->name, ret_text, size};
	size_t n = json_array_size(params);

	memset(args, 0, method->n_params * sizeof(*args));
	if (json_is_object(params))
		return check_named(&c, method->params, method->n_params, params, args, "parameter");
	if (n > method->n_params)
		return complain(&c, RPC_INVALID_PARAMS,
				"takes at most %zu parameters, %zu are given", method->n_params, n);
	for (size_t i = 0; i < method->n_params; i++) {
		int code = check_one(&c, &method->params[i], json_array_get(params, i), &args[i]);

		if (code)
			return code;
	}
	return 0;
}

void rpc_args_free(const struct rpc_param *params, size_t n, struct rpc_arg *args)
{
	for (size_t i = 0; i < n; i++) {
		if (args[i].fields)
			rpc_args_free(params[i].fields, count_fields(params[i].fields),
				      args[i].fields);
		free(args[i].fields);
		free(args[i].data);
	}
}
