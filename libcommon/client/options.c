/* One spelling of the options that find a node, for all tools. */
#include "client/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

bool rc_option_value(const char *name, int argc, char **argv, int *i, const char **ret_value,
		     struct rc_error *error)
{
	const char *word = argv[*i];
	size_t len = strlen(name);

	if (*word++ != '-')
		return false;
	if (*word == '-')
		word++;
	if (strncmp(word, name, len) || (word[len] && word[len] != '='))
		return false;
	if (word[len] == '=') {
		*ret_value = word + len + 1;
	} else if (*i + 1 < argc) {
		*ret_value = argv[++*i];
	} else {
		*ret_value = NULL;
		rc_error_set(error, RC_EINVAL, "%s needs a value", argv[*i]);
	}
	return true;
}

static int take_seconds(const char *text, uint32_t *ret_ms, struct rc_error *error)
{
	char *end;
	unsigned long seconds;

	errno = 0;
	seconds = strtoul(text, &end, 10);
	if (errno || end == text || *end || seconds < 1 || seconds > 86400)
		return rc_error_set(error, RC_EINVAL, "--timeout %s: 1 to 86400 seconds", text);
	*ret_ms = (uint32_t)seconds * 1000;
	return 1;
}

int rc_rpc_option(int argc, char **argv, int *i, struct rc_jsonrpc_where *where,
		  struct rc_error *error)
{
	const struct {
		const char *name;
		const char **value;
	} texts[] = {{"rpc-url", &where->url},
		     {"cookie", &where->cookie},
		     {"datadir", &where->datadir},
		     {"rundir", &where->rundir},
		     {"network", &where->network}};
	const char *value;

	for (size_t t = 0; t < RC_ARRAY_LEN(texts); t++)
		if (rc_option_value(texts[t].name, argc, argv, i, &value, error)) {
			if (!value)
				return RC_EINVAL;
			*texts[t].value = value;
			return 1;
		}
	if (rc_option_value("timeout", argc, argv, i, &value, error))
		return value ? take_seconds(value, &where->timeout_ms, error) : RC_EINVAL;
	return 0;
}

void rc_rpc_options_help(FILE *out)
{
	fprintf(out,
		"Where the node is (by default the socket /run/rustycoin/rpcd/rpcd.sock):\n"
		"  --rpc-url URL     http://HOST:PORT or unix:/PATH\n"
		"  --cookie FILE     holds user:password; default RUNDIR/rpcd/cookie, for this\n"
		"                    host only\n"
		"  --datadir DIR     of one node of rusty-devnet; its run directory is DIR/run\n"
		"  --rundir DIR      run directory of the node\n"
		"  --network NAME    for the default port: main, test or reg\n"
		"  --timeout SECONDS for an answer; default 60\n");
}

int rc_rpc_exit_code(int err)
{
	switch (err) {
	case RC_EUNAVAILABLE:
	case RC_EBUSY:
	case RC_EDEADLINE:
	case RC_ENOENT:
		return RC_EXIT_UNAVAILABLE;
	case RC_EDENIED:
	case RC_EACCES:
		return RC_EXIT_NOPERM;
	case RC_EIO:
		return RC_EXIT_IO;
	default:
		return RC_EXIT_FAILURE;
	}
}
