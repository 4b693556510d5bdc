/*
 * rusty-cli: JSON-RPC from a shell. It knows each method's parameters from rpcd's own table, so
 * that a word becomes a number, a text or JSON as the method wants it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "client/jsonrpc.h"
#include "client/options.h"

/* ---- what a parameter's word is ---- */

enum kind { KIND_NUMBER, KIND_TEXT, KIND_JSON };

#define KIND_INT    KIND_NUMBER
#define KIND_LEVEL  KIND_NUMBER
#define KIND_BOOL   KIND_NUMBER
#define KIND_HEX    KIND_TEXT
#define KIND_ID	    KIND_TEXT
#define KIND_HASH   KIND_TEXT
#define KIND_AMOUNT KIND_TEXT
#define KIND_TEXTS  KIND_JSON

struct param_kind {
	const char *name;
	enum kind kind;
};

#define NEED(name, type, min, max, text)     {name, KIND_##type},
#define MAY(name, type, min, max, def, text) {name, KIND_##type},
#define NEED_OBJECT(name, fields, text)	     {name, KIND_JSON},
#define MAY_OBJECT(name, fields, text)	     {name, KIND_JSON},
#define METHOD(ident, method, class, group, seconds, summary, result, ...) \
	static const struct param_kind kinds_##ident[] = {__VA_ARGS__{0}};
#include "daemons/rpcd/methods.def"
#undef METHOD

/* Whether a call may be repeated that was perhaps carried out: reading, and what is submitted, of
 * which the second changes nothing. */
#define REPEAT_READ   true
#define REPEAT_SUBMIT true
#define REPEAT_ADMIN  false

static const struct method {
	const char *name;
	const struct param_kind *kinds;
	bool repeat;
} methods[] = {
#define METHOD(ident, method, class, ...) {method, kinds_##ident, REPEAT_##class},
#include "daemons/rpcd/methods.def"
#undef METHOD
};

static const struct method *find_method(const char *name)
{
	for (size_t i = 0; i < RC_ARRAY_LEN(methods); i++)
		if (!strcmp(methods[i].name, name))
			return &methods[i];
	return NULL;
}

static const struct param_kind *kinds_of(const char *name)
{
	const struct method *method = find_method(name);

	return method ? method->kinds : NULL;
}

static bool may_repeat(const char *name)
{
	const struct method *method = find_method(name);

	return method && method->repeat;
}

struct cli {
	struct rc_jsonrpc_where where;
	bool named, getinfo;
	int first; /* the method's place in argv */
};

static void print_help(FILE *out)
{
	fprintf(out, "usage: rusty-cli [options] METHOD [PARAMETER ...]\n"
		     "       rusty-cli [options] -named METHOD [NAME=VALUE ...]\n"
		     "       rusty-cli [options] -getinfo\n\n"
		     "rusty-cli help lists the methods, rusty-cli help METHOD describes one.\n\n"
		     "  -named            parameters by name\n"
		     "  -getinfo          the node on one screen\n"
		     "  --wait SECONDS    go on trying while the node is away\n"
		     "  --version, --help\n\n");
	rc_rpc_options_help(out);
}

static int usage_error(const char *text)
{
	fprintf(stderr, "rusty-cli: %s\nrusty-cli --help shows how it is used.\n", text);
	return RC_EXIT_USAGE;
}

static bool take_seconds(const char *text, uint32_t *ret_ms)
{
	char *end;
	unsigned long seconds = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || seconds < 1 || seconds > 86400)
		return false;
	*ret_ms = (uint32_t)seconds * 1000;
	return true;
}

/* 0: go on; else end with this code (−1: with success). */
static int read_options(struct cli *cli, int argc, char **argv)
{
	struct rc_error error;
	const char *value;
	int i, taken;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		const char *word = argv[i] + (argv[i][1] == '-' ? 2 : 1);

		if (!strcmp(word, "help") || !strcmp(word, "h")) {
			print_help(stdout);
			return -1;
		}
		if (!strcmp(word, "version")) {
			printf("rusty-cli %s\n", RC_VERSION);
			return -1;
		}
		if (!strcmp(word, "named")) {
			cli->named = true;
		} else if (!strcmp(word, "getinfo")) {
			cli->getinfo = true;
		} else if (rc_option_value("wait", argc, argv, &i, &value, &error)) {
			if (!value || !take_seconds(value, &cli->where.retry_ms))
				return usage_error("--wait needs a number of seconds, 1 to 86400");
		} else {
			taken = rc_rpc_option(argc, argv, &i, &cli->where, &error);
			if (taken < 0)
				return usage_error(error.text);
			if (!taken) {
				fprintf(stderr, "rusty-cli: there is no option %s\n", argv[i]);
				return RC_EXIT_USAGE;
			}
		}
	}
	cli->first = i;
	if (i == argc && !cli->getinfo)
		return usage_error("which method? rusty-cli help lists them");
	return 0;
}

/* A word as the parameter's kind wants it; NULL: it isn't JSON. */
static json_t *word_value(const char *word, enum kind kind)
{
	json_t *value;

	if (kind == KIND_TEXT)
		return json_string(word);
	value = json_loads(word, JSON_DECODE_ANY, NULL);
	/* rpcd says best what is wrong with a word that is no number. */
	return value || kind == KIND_JSON ? value : json_string(word);
}

/* For a method of a newer rpcd: what reads as JSON is JSON. */
static json_t *guess_value(const char *word)
{
	json_t *value = json_loads(word, JSON_DECODE_ANY, NULL);

	return value ? value : json_string(word);
}

static json_t *positional(const char *method, char **words, int n)
{
	const struct param_kind *kinds = kinds_of(method);
	json_t *list = json_array(), *value;

	for (int i = 0; i < n; i++) {
		value = kinds && kinds->name ? word_value(words[i], kinds->kind)
					     : guess_value(words[i]);
		if (!value) {
			fprintf(stderr, "rusty-cli: parameter %d (%s) must be JSON\n", i + 1,
				kinds->name);
			json_decref(list);
			return NULL;
		}
		json_array_append_new(list, value);
		kinds += kinds && kinds->name;
	}
	return list;
}

static json_t *by_name(const char *method, char **words, int n)
{
	json_t *object = json_object(), *value;

	for (int i = 0; i < n; i++) {
		const struct param_kind *k = kinds_of(method);
		char *equals = strchr(words[i], '=');

		if (!equals) {
			fprintf(stderr, "rusty-cli: %s: after -named parameters are NAME=VALUE\n",
				words[i]);
			json_decref(object);
			return NULL;
		}
		*equals = '\0';
		while (k && k->name && strcmp(k->name, words[i]))
			k++;
		value = k && k->name ? word_value(equals + 1, k->kind) : guess_value(equals + 1);
		if (!value) {
			fprintf(stderr, "rusty-cli: %s must be JSON\n", words[i]);
			json_decref(object);
			return NULL;
		}
		json_object_set_new(object, words[i], value);
	}
	return object;
}

/* ---- answers ---- */

static void print_json(const json_t *value, FILE *out)
{
	if (json_is_null(value))
		return;
	if (json_is_string(value))
		fputs(json_string_value(value), out);
	else
		json_dumpf(value, out, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(12));
	fputc('\n', out);
}

static int print_error(const struct rc_jsonrpc *client, int err, const struct rc_error *error)
{
	const json_t *object = rc_jsonrpc_error(client);

	if (object) {
		json_t *data = json_object_get(object, "data");

		fprintf(stderr, "error code: %d\nerror message:\n%s\n",
			rc_jsonrpc_error_code(client), error->text);
		if (data) {
			fprintf(stderr, "error data:\n");
			print_json(data, stderr);
		}
	} else {
		fprintf(stderr, "rusty-cli: %s\n", error->text);
	}
	return rc_rpc_exit_code(err);
}

static int call(struct rc_jsonrpc *client, const struct cli *cli, int argc, char **argv)
{
	const char *method = argv[cli->first];
	char **words = argv + cli->first + 1;
	int n = argc - cli->first - 1;
	json_t *params = cli->named ? by_name(method, words, n) : positional(method, words, n);
	json_t *result;
	struct rc_error error;
	int err;

	if (!params)
		return RC_EXIT_USAGE;
	err = rc_jsonrpc_call(client, method, params, &result, &error);
	if (err < 0)
		return print_error(client, err, &error);
	print_json(result, stdout);
	json_decref(result);
	return fflush(stdout) ? RC_EXIT_IO : RC_EXIT_OK;
}

/* One line of -getinfo: a member of a method's answer. */
static const struct {
	const char *label, *method, *member;
} info_lines[] = {
	{"Chain", "getblockchaininfo", "chain"},
	{"Blocks", "getblockchaininfo", "blocks"},
	{"Headers", "getblockchaininfo", "headers"},
	{"Tip", "getblockchaininfo", "bestblockhash"},
	{"Difficulty", "getblockchaininfo", "difficulty"},
	{"State root", "getblockchaininfo", "stateroot"},
	{"Links", "getnetworkinfo", "connections"},
	{"Links in", "getnetworkinfo", "connections_in"},
	{"Links out", "getnetworkinfo", "connections_out"},
	{"Version", "getnetworkinfo", "version"},
	{"Pool", "getmempoolinfo", "size"},
	{"Pool bytes", "getmempoolinfo", "bytes"},
	{"Ready", "gethealth", "ready"},
	{"Causes", "gethealth", "causes"},
};

static int getinfo(struct rc_jsonrpc *client)
{
	json_t *answer = NULL;
	const char *method = "";
	struct rc_error error;
	int code = RC_EXIT_OK, err;

	for (size_t i = 0; i < RC_ARRAY_LEN(info_lines); i++) {
		json_t *member;

		if (strcmp(method, info_lines[i].method)) {
			method = info_lines[i].method;
			json_decref(answer);
			answer = NULL;
			err = rc_jsonrpc_call(client, method, NULL, &answer, &error);
			if (err < 0)
				code = print_error(client, err, &error);
		}
		member = json_object_get(answer, info_lines[i].member);
		if (!member || (json_is_array(member) && !json_array_size(member)))
			continue;
		printf("%-12s", info_lines[i].label);
		print_json(member, stdout);
		if (json_is_null(member))
			printf("-\n");
	}
	json_decref(answer);
	return code;
}

int main(int argc, char **argv)
{
	struct cli cli = {0};
	struct rc_jsonrpc *client;
	struct rc_error error;
	int code = read_options(&cli, argc, argv);

	if (code)
		return code < 0 ? RC_EXIT_OK : code;
	/* waitfornewblock and the like last up to ten minutes. */
	if (!cli.where.timeout_ms && cli.first < argc && !strncmp(argv[cli.first], "waitfor", 7))
		cli.where.timeout_ms = 610000;
	cli.where.retry_unsure = cli.getinfo || may_repeat(argv[cli.first]);
	code = rc_jsonrpc_open(&cli.where, &client, &error);
	if (code < 0) {
		fprintf(stderr, "rusty-cli: %s\n", error.text);
		return code == RC_EINVAL ? RC_EXIT_USAGE : rc_rpc_exit_code(code);
	}
	code = cli.getinfo ? getinfo(client) : call(client, &cli, argc, argv);
	rc_jsonrpc_close(client);
	return code;
}
