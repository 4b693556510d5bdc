/* Values of options: checked when set, asked for by name. */
#include "service/config.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "service/config_value.h"

/* A name this many letters away is a likely slip. */
#define SLIP_MAX       3u
#define NAME_MAX_BYTES 64u

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONFINE_DEFAULT "no" /* the sanitizers' own threads read /proc */
#else
#define CONFINE_DEFAULT "yes"
#endif

const struct rc_option rc_common_options[] = {
	{"network", RC_OPT_CHOICE, 0, 0, NULL, "main|test|reg|custom", "main", false,
	 "Which network this node belongs to; reg is for tests on one machine, custom is described "
	 "by network_file."},
	{"network_file", RC_OPT_PATH, 0, PATH_MAX, NULL, NULL, NULL, false,
	 "Parameter file of a custom network, the same on all of its nodes."},
	{"rundir", RC_OPT_PATH, 0, PATH_MAX, NULL, NULL, "/run/rustycoin", false,
	 "Directory of the bus's sockets, the same for all daemons of a node; short, since a "
	 "socket's path has at most 107 bytes."},
	{"log_level", RC_OPT_CHOICE, 0, 0, NULL, "crit|err|warning|notice|info|debug", "info", true,
	 "The least important lines that are logged; rustyctl log-level changes it for a while."},
	{NULL, 0, 0, 0, NULL, NULL, NULL, false, NULL},
};

const struct rc_option rc_daemon_options[] = {
	{"statedir", RC_OPT_PATH, 0, PATH_MAX, NULL, NULL, NULL, false,
	 "Directory of what this daemon keeps; one process at a time may use it."},
	{"watchdog", RC_OPT_BOOL, 0, 0, NULL, NULL, "yes", false,
	 "Tell the service manager regularly that the daemon is alive, if it asks for that; no "
	 "while a debugger holds the process."},
	{"confine", RC_OPT_BOOL, 0, 0, NULL, NULL, CONFINE_DEFAULT, false,
	 "Give up, before any work, all access to files and networks that this daemon doesn't "
	 "need, and don't let others of its user trace or read the process; no while debugging. "
	 "Core dumps stay off either way."},
	{NULL, 0, 0, 0, NULL, NULL, NULL, false, NULL},
};

/* Dashes are underscores; an over-long name stays unknown. */
static void plain_name(char *dst, const char *name)
{
	size_t i;

	for (i = 0; name[i] && i < NAME_MAX_BYTES - 1; i++)
		dst[i] = name[i] == '-' ? '_' : name[i];
	dst[i] = 0;
}

struct rc_value *rc_config_find(const struct rc_config *config, const char *name)
{
	char plain[NAME_MAX_BYTES];

	if (strlen(name) >= NAME_MAX_BYTES)
		return NULL;
	plain_name(plain, name);
	for (size_t i = 0; i < config->n; i++)
		if (strcmp(config->values[i].option->name, plain) == 0)
			return &config->values[i];
	return NULL;
}

/* Edits (insert, remove, replace) that make b of a; both are shorter than NAME_MAX_BYTES. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX_BYTES + 1];
	size_t n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned corner = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned up = row[j];
			unsigned best = corner + (a[i - 1] != b[j - 1]);

			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			corner = up;
			row[j] = best;
		}
	}
	return row[n];
}

const char *rc_config_nearest(const struct rc_config *config, const char *name)
{
	char plain[NAME_MAX_BYTES];
	unsigned best = SLIP_MAX + 1;
	const char *nearest = NULL;

	plain_name(plain, name);
	for (size_t i = 0; i < config->n; i++) {
		unsigned d = distance(plain, config->values[i].option->name);

		if (d < best) {
			best = d;
			nearest = config->values[i].option->name;
		}
	}
	return nearest;
}

static bool parse_bool(const char *text, uint64_t *ret)
{
	static const char *const words[][2] = {{"no", "yes"}, {"false", "true"}, {"0", "1"}};

	for (size_t i = 0; i < RC_ARRAY_LEN(words); i++) {
		for (unsigned v = 0; v < 2; v++) {
			if (strcasecmp(text, words[i][v]) == 0) {
				*ret = v;
				return true;
			}
		}
	}
	return false;
}

static bool parse_number(const char *text, uint64_t *ret)
{
	uint64_t n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    !rc_add_u64(n, (uint64_t)(*text - '0'), &n))
			return false;
	}
	*ret = n;
	return true;
}

static bool is_choice(const char *choices, const char *text)
{
	size_t len = strlen(text);

	for (const char *p = choices; *p;) {
		size_t n = strcspn(p, "|");

		if (n == len && memcmp(p, text, n) == 0)
			return true;
		p += n + (p[n] == '|');
	}
	return false;
}

/* Whether text is a value of the option; number is set for those that are one. */
static int check_value(const struct rc_option *o, const char *text, uint64_t *ret_number,
		       struct rc_error *error)
{
	const char *unit = o->unit ? o->unit : "";
	size_t len = strlen(text);

	switch (o->type) {
	case RC_OPT_BOOL:
		if (!parse_bool(text, ret_number))
			return rc_error_set(error, RC_ECONFIG, "%s = %s: say yes or no", o->name,
					    text);
		return RC_OK;
	case RC_OPT_U64:
		if (!parse_number(text, ret_number) || *ret_number < o->min || *ret_number > o->max)
			return rc_error_set(
				error, RC_ECONFIG,
				"%s = %s: a whole number from %llu to %llu%s%s is wanted", o->name,
				text, (unsigned long long)o->min, (unsigned long long)o->max,
				*unit ? " " : "", unit);
		return RC_OK;
	case RC_OPT_TEXT:
		if (len < o->min || (o->max && len > o->max))
			return rc_error_set(error, RC_ECONFIG, "%s: %llu to %llu bytes are wanted",
					    o->name, (unsigned long long)o->min,
					    (unsigned long long)o->max);
		return RC_OK;
	case RC_OPT_PATH:
		if (!len || len >= PATH_MAX)
			return rc_error_set(error, RC_ECONFIG, "%s: a path is wanted", o->name);
		return RC_OK;
	case RC_OPT_LIST:
		return RC_OK;
	case RC_OPT_CHOICE:
		if (!is_choice(o->choices, text))
			return rc_error_set(error, RC_ECONFIG, "%s = %s: one of %s is wanted",
					    o->name, text, o->choices);
		return RC_OK;
	}
	return RC_EINVAL;
}

static void bury(struct rc_config *config, void *p)
{
	if (!p)
		return;
	config->graveyard = rc_realloc_array(config->graveyard, config->n_graveyard + 1,
					     sizeof(*config->graveyard));
	config->graveyard[config->n_graveyard++] = p;
}

static void clear_list(struct rc_config *config, struct rc_value *value)
{
	for (size_t i = 0; i < value->n_list; i++)
		bury(config, value->list[i]);
	bury(config, value->list);
	value->list = NULL;
	value->n_list = 0;
}

static void add_items(struct rc_config *config, struct rc_value *value, const char *text)
{
	struct rc_buf all = RC_BUF_INIT;

	while (*text) {
		size_t n = strcspn(text, ",");
		const char *first = text + strspn(text, " \t");
		const char *last = text + n;

		while (last > first && strchr(" \t", last[-1]))
			last--;
		if (last > first) {
			char **list = rc_alloc_array(value->n_list + 1, sizeof(*list));

			if (value->n_list)
				memcpy(list, value->list, value->n_list * sizeof(*list));
			bury(config, value->list);
			value->list = list;
			value->list[value->n_list++] =
				rc_asprintf("%.*s", (int)(last - first), first);
		}
		text += n + (text[n] == ',');
	}
	for (size_t i = 0; i < value->n_list; i++)
		rc_buf_printf(&all, "%s%s", i ? "," : "", value->list[i]);
	bury(config, value->text);
	value->text = (char *)rc_buf_take(&all, NULL);
}

static char *absolute(const struct rc_config *config, const char *path)
{
	char cwd[PATH_MAX];
	const char *dir = config->directory;

	if (path[0] == '/')
		return rc_strdup(path);
	if (!dir)
		dir = getcwd(cwd, sizeof(cwd));
	return rc_asprintf("%s/%s", dir ? dir : "", path);
}

int rc_config_set(struct rc_config *config, const char *name, const char *text, unsigned source,
		  const char *origin, struct rc_error *error)
{
	struct rc_value *value = rc_config_find(config, name);
	const char *nearest;
	uint64_t number = 0;
	int err;

	if (!value) {
		nearest = rc_config_nearest(config, name);
		return rc_error_set(error, RC_ECONFIG, "there is no option '%.60s'%s%s%s", name,
				    nearest ? "; did you mean '" : "", nearest ? nearest : "",
				    nearest ? "'?" : "");
	}
	err = check_value(value->option, text, &number, error);
	if (err < 0)
		return err;
	if (value->option->type == RC_OPT_LIST) {
		if (value->source != source)
			clear_list(config, value);
		add_items(config, value, text);
	} else {
		bury(config, value->text);
		value->text = value->option->type == RC_OPT_PATH ? absolute(config, text)
								 : rc_strdup(text);
	}
	value->number = number;
	value->source = source;
	value->set = source > 0;
	bury(config, value->origin);
	value->origin = rc_strdup(origin);
	return RC_OK;
}

struct rc_config *rc_config_of_tables(const struct rc_option *const *tables)
{
	struct rc_config *config = rc_alloc(sizeof(*config));
	int err = RC_OK;

	for (size_t t = 0; tables[t]; t++) {
		for (const struct rc_option *o = tables[t]; o->name; o++) {
			config->values = rc_realloc_array(config->values, config->n + 1,
							  sizeof(*config->values));
			config->values[config->n] = (struct rc_value){.option = o};
			config->n++;
		}
	}
	for (size_t i = 0; i < config->n; i++) {
		const struct rc_option *o = config->values[i].option;

		assert(rc_config_find(config, o->name) == &config->values[i]);
		if (o->def)
			err = rc_config_set(config, o->name, o->def, 0, "default", NULL);
		assert(err == RC_OK);
	}
	return config;
}

int rc_config_set_defaults(struct rc_config *config, const char *const *defaults, size_t n,
			   struct rc_error *error)
{
	int err = RC_OK;

	for (size_t i = 0; i < n && err == RC_OK; i++) {
		const char *equals = strchr(defaults[i], '=');
		RC_AUTOFREE char *name = NULL;

		assert(equals);
		name = rc_asprintf("%.*s", (int)(equals - defaults[i]), defaults[i]);
		err = rc_config_set(config, name, equals + 1, 0, "default", error);
	}
	return err;
}

int rc_config_new(const struct rc_option *const *tables, const char *const *settings,
		  size_t n_settings, struct rc_config **ret, struct rc_error *error)
{
	struct rc_config *config = rc_config_of_tables(tables);

	config->sources = 1;
	for (size_t i = 0; i < n_settings; i++) {
		const char *equals = strchr(settings[i], '=');
		RC_AUTOFREE char *name = NULL;
		int err;

		if (equals) {
			name = rc_asprintf("%.*s", (int)(equals - settings[i]), settings[i]);
			err = rc_config_set(config, name, equals + 1, 1, "settings", error);
		} else {
			err = rc_error_set(error, RC_ECONFIG, "'%s': name=value is wanted",
					   settings[i]);
		}
		if (err < 0) {
			rc_config_free(config);
			return err;
		}
	}
	*ret = config;
	return RC_OK;
}

void rc_config_free(struct rc_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->n; i++) {
		clear_list(config, &config->values[i]);
		free(config->values[i].text);
		free(config->values[i].origin);
	}
	for (size_t i = 0; i < config->n_graveyard; i++)
		free(config->graveyard[i]);
	free(config->graveyard);
	free(config->values);
	free(config->directory);
	free(config);
}

static bool same_value(const struct rc_value *a, const struct rc_value *b)
{
	if (!a->text || !b->text)
		return a->text == b->text;
	return strcmp(a->text, b->text) == 0;
}

static void take_value(struct rc_config *config, struct rc_value *to, const struct rc_value *from)
{
	clear_list(config, to);
	bury(config, to->text);
	bury(config, to->origin);
	to->text = from->text ? rc_strdup(from->text) : NULL;
	to->origin = from->origin ? rc_strdup(from->origin) : NULL;
	to->number = from->number;
	to->set = from->set;
	to->source = from->source;
	to->list = rc_alloc_array(from->n_list, sizeof(*to->list));
	to->n_list = from->n_list;
	for (size_t i = 0; i < from->n_list; i++)
		to->list[i] = rc_strdup(from->list[i]);
}

void rc_config_take_over(struct rc_config *config, const struct rc_config *fresh,
			 struct rc_buf *changed, struct rc_buf *kept)
{
	assert(config->n == fresh->n);
	for (size_t i = 0; i < config->n; i++) {
		struct rc_value *value = &config->values[i];
		struct rc_buf *list = value->option->reload ? changed : kept;

		if (same_value(value, &fresh->values[i]))
			continue;
		rc_buf_printf(list, "%s%s", list->len ? " " : "", value->option->name);
		if (value->option->reload)
			take_value(config, value, &fresh->values[i]);
	}
}

static const struct rc_value *must_find(const struct rc_config *config, const char *name)
{
	const struct rc_value *value = rc_config_find(config, name);

	if (!value) {
		rc_log(RC_LOG_CRIT, "there is no option '%s' in this program's table", name);
		abort();
	}
	return value;
}

uint64_t rc_config_u64(const struct rc_config *config, const char *name)
{
	return must_find(config, name)->number;
}

bool rc_config_bool(const struct rc_config *config, const char *name)
{
	return must_find(config, name)->number != 0;
}

const char *rc_config_text(const struct rc_config *config, const char *name)
{
	return must_find(config, name)->text;
}

size_t rc_config_list(const struct rc_config *config, const char *name, const char *const **ret)
{
	const struct rc_value *value = must_find(config, name);

	*ret = (const char *const *)value->list;
	return value->n_list;
}

bool rc_config_is_set(const struct rc_config *config, const char *name)
{
	return must_find(config, name)->set;
}
