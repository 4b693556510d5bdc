/* The command line, and what is printed of the options. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/num.h"
#include "bus/frames.h"
#include "service/config_value.h"

#define CONFIG_DIR "/etc/rustycoin"

static const struct {
	const char *name;
	enum rc_config_mode mode;
	const char *text;
} modes[] = {
	{"help", RC_MODE_HELP, "Print this and end."},
	{"version", RC_MODE_VERSION, "Print version, schema version of the bus and network."},
	{"print-config", RC_MODE_PRINT, "Print every option with its value, as a file."},
	{"check-config", RC_MODE_CHECK, "Check the configuration and end."},
	{"print-options", RC_MODE_OPTIONS, "Print the table of options, tabs between."},
};

struct command_line {
	const struct rc_config_program *program;
	struct rc_config *config;
	int argc;
	char **argv;
	int i;
	unsigned source;
	const char *file; /* --config */
	enum rc_config_mode mode;
	bool set; /* second pass: values */
};

static bool is_bool_word(const char *text)
{
	static const char *const words[] = {"yes", "no", "true", "false", "1", "0"};

	for (size_t i = 0; text && i < RC_ARRAY_LEN(words); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return false;
}

static int one_option(struct command_line *c, const char *name, const char *value,
		      struct rc_error *error)
{
	const struct rc_value *known = rc_config_find(c->config, name);
	const char *next = c->i + 1 < c->argc ? c->argv[c->i + 1] : NULL;

	for (size_t m = 0; m < RC_ARRAY_LEN(modes); m++) {
		if (!value && strcmp(name, modes[m].name) == 0) {
			c->mode = modes[m].mode;
			return RC_OK;
		}
	}
	if (!value && known && known->option->type == RC_OPT_BOOL && !is_bool_word(next)) {
		value = "yes";
	} else if (!value && (known || strcmp(name, "config") == 0)) {
		if (!next)
			return rc_error_set(error, RC_ECONFIG, "--%s needs a value", name);
		value = next;
		c->i++;
	}
	if (strcmp(name, "config") == 0) {
		c->file = value;
		return RC_OK;
	}
	if (!c->set && known)
		return RC_OK;
	if (rc_config_set(c->config, name, value ? value : "", c->source, "command line", error) <
	    0)
		return rc_error_prefix(error, "command line");
	return RC_OK;
}

/* Twice: first for --config and the modes, then for the values, which win over the files'. */
static int walk(struct command_line *c, bool set, struct rc_error *error)
{
	int err = RC_OK;

	c->set = set;
	for (c->i = 1; c->i < c->argc && err == RC_OK; c->i++) {
		const char *arg = c->argv[c->i];
		const char *equals = strchr(arg, '=');
		RC_AUTOFREE char *name = NULL;

		if (strncmp(arg, "--", 2) != 0 || !arg[2])
			return rc_error_set(error, RC_ECONFIG,
					    "command line: '%s' is no option; %s --help lists them",
					    arg, c->program->name);
		name = equals ? rc_asprintf("%.*s", (int)(equals - arg - 2), arg + 2)
			      : rc_strdup(arg + 2);
		err = one_option(c, name, equals ? equals + 1 : NULL, error);
	}
	return err;
}

static int read_files(struct command_line *c, struct rc_error *error)
{
	RC_AUTOFREE char *own = rc_asprintf(CONFIG_DIR "/%s.conf", c->program->name);
	int err;

	if (c->file)
		return rc_config_read(c->config, c->file, true, error);
	err = rc_config_read(c->config, CONFIG_DIR "/rustycoin.conf", false, error);
	return err < 0 ? err : rc_config_read(c->config, own, false, error);
}

int rc_config_load(const struct rc_config_program *program, int argc, char **argv,
		   struct rc_config **ret, enum rc_config_mode *ret_mode, struct rc_error *error)
{
	struct command_line c = {.program = program, .argc = argc, .argv = argv};
	size_t n = 0;
	int err;

	c.config = rc_config_of_tables(program->tables);
	c.config->section = program->name;
	while (program->defaults && program->defaults[n])
		n++;
	err = rc_config_set_defaults(c.config, program->defaults, n, error);
	if (err == RC_OK)
		err = walk(&c, false, error);
	if (err == RC_OK && c.mode != RC_MODE_HELP && c.mode != RC_MODE_OPTIONS)
		err = read_files(&c, error);
	c.source = ++c.config->sources;
	if (err == RC_OK)
		err = walk(&c, true, error);
	if (err < 0) {
		rc_config_free(c.config);
		return err;
	}
	*ret = c.config;
	*ret_mode = c.mode;
	return RC_OK;
}

static const char *const type_names[] = {
	[RC_OPT_BOOL] = "yes|no", [RC_OPT_U64] = "number", [RC_OPT_TEXT] = "text",
	[RC_OPT_PATH] = "path",	  [RC_OPT_LIST] = "list",  [RC_OPT_CHOICE] = "choice",
};

static void range_text(const struct rc_option *o, char *text, size_t size)
{
	text[0] = 0;
	if (o->type == RC_OPT_CHOICE)
		snprintf(text, size, "%s", o->choices);
	else if (o->type == RC_OPT_U64)
		snprintf(text, size, "%llu to %llu%s%s", (unsigned long long)o->min,
			 (unsigned long long)o->max, o->unit ? " " : "", o->unit ? o->unit : "");
	else
		snprintf(text, size, "%s", type_names[o->type]);
}

/* Words of text in lines of at most 78 columns, behind so many spaces. */
static void print_wrapped(const char *text, int indent)
{
	int column = 0;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (column && column + 1 + (int)n > 78) {
			printf("\n");
			column = 0;
		}
		if (!column)
			column = printf("%*s%.*s", indent, "", (int)n, text);
		else
			column += printf(" %.*s", (int)n, text);
		text += n + strspn(text + n, " ");
	}
	printf("\n");
}

static void print_help(const struct rc_config_program *program, const struct rc_config *config)
{
	char range[256];

	printf("usage: %s [--config FILE] [--NAME VALUE ...]\n%s\n\n", program->name,
	       program->summary);
	for (size_t m = 0; m < RC_ARRAY_LEN(modes); m++)
		printf("  --%-14s %s\n", modes[m].name, modes[m].text);
	printf("  --%-14s %s\n\n", "config FILE",
	       "Read this file in place of those in " CONFIG_DIR ".");
	printf("Options, of the command line and of the files:\n\n");
	for (size_t i = 0; i < config->n; i++) {
		const struct rc_value *v = &config->values[i];

		range_text(v->option, range, sizeof(range));
		printf("  --%s (%s%s%s%s)\n", v->option->name, range, v->text ? "; default " : "",
		       v->text ? v->text : "", v->option->reload ? "; reloaded on SIGHUP" : "");
		print_wrapped(v->option->text, 8);
	}
}

static void print_options(const struct rc_config *config)
{
	char range[256];

	for (size_t i = 0; i < config->n; i++) {
		const struct rc_value *v = &config->values[i];

		range_text(v->option, range, sizeof(range));
		printf("%s\t%s\t%s\t%s\t%s\n", v->option->name, range, v->text ? v->text : "",
		       v->option->reload ? "reload" : "restart", v->option->text);
	}
}

static void print_config(const struct rc_config_program *program, const struct rc_config *config)
{
	printf("# %s %s: every option, with where its value comes from.\n", program->name,
	       RC_VERSION);
	for (size_t i = 0; i < config->n; i++) {
		const struct rc_value *v = &config->values[i];

		if (v->text)
			printf("# %s\n%s = %s\n", v->origin, v->option->name, v->text);
		else
			printf("# not set\n# %s =\n", v->option->name);
	}
}

void rc_config_answer(const struct rc_config_program *program, const struct rc_config *config,
		      enum rc_config_mode mode)
{
	const struct rc_value *network = rc_config_find(config, "network");

	switch (mode) {
	case RC_MODE_RUN:
		break;
	case RC_MODE_HELP:
		print_help(program, config);
		break;
	case RC_MODE_VERSION:
		printf("%s %s (bus schema %u, network %s)\n", program->name, RC_VERSION,
		       RC_BUS_SCHEMA, network && network->text ? network->text : "none");
		break;
	case RC_MODE_PRINT:
		print_config(program, config);
		break;
	case RC_MODE_CHECK:
		printf("%s: the configuration is good\n", program->name);
		break;
	case RC_MODE_OPTIONS:
		print_options(config);
		break;
	}
}
