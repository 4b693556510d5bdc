/* Configuration files: libinih over a reader of ours that counts lines and refuses long ones. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"
#include "service/config_value.h"

/* No configuration is larger; a device or a log given by mistake is. */
#define FILE_MAX_BYTES (1u << 20)

/* Sections are named like the programs. */
static const char *const sections[] = {
	"utxod",     "chaind",	    "peerd",	    "rpcd",	    "rustyctl",
	"rusty-cli", "rusty-miner", "rusty-wallet", "rusty-devnet",
};

struct reading {
	struct rc_config *config;
	const char *path;
	const char *at;
	const char *end;
	unsigned line;
	unsigned source; /* of the keys before any section; our section's is one more */
	int err;
	struct rc_error *error;
};

static int complain(struct reading *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int complain(struct reading *r, const char *fmt, ...)
{
	char text[384];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->err = rc_error_set(r->error, RC_ECONFIG, "%s:%u: %s", r->path, r->line, text);
	return 0; /* libinih's word for failure */
}

/* As fgets, from memory. */
static char *read_line(char *dst, int size, void *stream)
{
	struct reading *r = stream;
	size_t left = (size_t)(r->end - r->at);
	const char *newline = memchr(r->at, '\n', left);
	size_t len = newline ? (size_t)(newline - r->at) + 1 : left;

	if (!left || r->err)
		return NULL;
	r->line++;
	if (len > RC_CONFIG_LINE_MAX || len >= (size_t)size) {
		complain(r, "the line is longer than %d bytes", RC_CONFIG_LINE_MAX);
		return NULL;
	}
	if (memchr(r->at, 0, len)) {
		complain(r, "a zero byte; is this a text file?");
		return NULL;
	}
	memcpy(dst, r->at, len);
	dst[len] = 0;
	r->at += len;
	return dst;
}

static bool known_section(const char *name)
{
	for (size_t i = 0; i < RC_ARRAY_LEN(sections); i++)
		if (strcmp(name, sections[i]) == 0)
			return true;
	return false;
}

static int on_key(void *user, const char *section, const char *name, const char *text)
{
	struct reading *r = user;
	struct rc_error inner;
	struct rc_value *value;
	unsigned source = r->source;
	char origin[512];

	if (*section) {
		if (r->config->section && strcmp(section, r->config->section) == 0)
			source++;
		else if (known_section(section))
			return 1; /* another program's */
		else
			return complain(r,
					"there is no section [%s]; sections are named like the "
					"daemons",
					section);
	}
	value = rc_config_find(r->config, name);
	if (value && value->source == source && value->option->type != RC_OPT_LIST)
		return complain(r, "%s is given twice, first at %s", name, value->origin);
	snprintf(origin, sizeof(origin), "%s:%u", r->path, r->line);
	if (rc_config_set(r->config, name, text, source, origin, &inner) < 0)
		return complain(r, "%s", inner.text);
	return 1;
}

/* Debian's libinih has its switches at run time, with defaults that deliver cut values. */
static void set_switches(void)
{
	ini_use_stack = false;
	ini_allow_realloc = true;
	ini_initial_alloc = RC_CONFIG_LINE_MAX + 3;
	ini_max_line = RC_CONFIG_LINE_MAX + 3;
	ini_stop_on_first_error = true;
	ini_allow_inline_comments = false;
	ini_allow_multiline = false;
}

int rc_config_parse(struct rc_config *config, const char *path, const char *text, size_t len,
		    struct rc_error *error)
{
	struct reading r = {
		.config = config,
		.path = path,
		.at = text,
		.end = text + len,
		.source = config->sources + 1,
		.error = error,
	};
	int line;

	config->sources += 2;
	set_switches();
	line = ini_parse_stream(read_line, &r, on_key, &r);
	if (!r.err && line) {
		r.line = (unsigned)line;
		complain(&r, "neither 'name = value' nor '[section]'");
	}
	return r.err;
}

static int read_one(struct rc_config *config, const char *path, bool must_exist,
		    struct rc_error *error)
{
	struct rc_buf text = RC_BUF_INIT;
	const char *slash = strrchr(path, '/');
	int err = rc_file_read(path, FILE_MAX_BYTES, &text, error);

	if (err == RC_ENOENT && !must_exist) {
		rc_buf_done(&text);
		return RC_OK;
	}
	if (err == RC_OK) {
		free(config->directory);
		config->directory = slash ? rc_asprintf("%.*s", (int)(slash - path), path) : NULL;
		err = rc_config_parse(config, path, (const char *)text.data, text.len, error);
		free(config->directory);
		config->directory = NULL;
	} else if (error) {
		error->code = RC_ECONFIG;
		err = RC_ECONFIG;
	}
	rc_buf_done(&text);
	return err;
}

static int is_drop_in(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

int rc_config_read(struct rc_config *config, const char *path, bool must_exist,
		   struct rc_error *error)
{
	RC_AUTOFREE char *dir = rc_asprintf("%s.d", path);
	struct dirent **names = NULL;
	int err = read_one(config, path, must_exist, error);
	int n = 0;

	if (err == RC_OK)
		n = scandir(dir, &names, is_drop_in, alphasort);
	for (int i = 0; i < n; i++) {
		RC_AUTOFREE char *file = rc_asprintf("%s/%s", dir, names[i]->d_name);

		if (err == RC_OK)
			err = read_one(config, file, false, error);
		free(names[i]);
	}
	free(names);
	return err;
}
