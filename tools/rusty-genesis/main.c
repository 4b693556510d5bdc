/* rusty-genesis: shows what a network is made of, and makes parameter files of new ones. */
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "service/network_file.h"

static const char usage_text[] =
	"usage: rusty-genesis show main|test|reg|FILE\n"
	"       rusty-genesis new --name NAME -o FILE [--from main|test|reg] [--hrp HRP]\n"
	"                         [--set KEY=VALUE ...] [--force]\n"
	"       rusty-genesis --help | --version\n"
	"\n"
	"show   prints a network's table, genesis block and ids\n"
	"new    writes a parameter file (network(5)) with the present time as genesis time;\n"
	"       every other value is that of --from (main), unless --set changes it\n";

static int complain(const struct rc_error *error, int code)
{
	fprintf(stderr, "rusty-genesis: %s\n", error->text);
	return code;
}

static int usage(const char *what)
{
	fprintf(stderr, "rusty-genesis: %s\n%s", what, usage_text);
	return RC_EXIT_USAGE;
}

static void print_hex(const char *name, const void *data, size_t len)
{
	RC_AUTOFREE char *hex = rc_alloc(2 * len + 1);

	printf("%-16s%s\n", name, rc_hex_encode(hex, data, len));
}

static void print_network(const struct rc_network *n)
{
	char id[RC_ID_HEX], when[32];
	time_t t = n->params.genesis_time;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	printf("%-16s%s\n", "name", n->params.name);
	printf("%-16s%" PRIu32 " (%s)\n", "genesis_time", n->params.genesis_time, when);
	printf("%-16s%s\n", "genesis_id", rc_block_id_hex(id, &n->genesis_id));
	print_hex("network_id", n->id.b, 32);
	print_hex("table", n->table, n->table_len);
	print_hex("genesis_block", n->genesis_block, n->genesis_len);
	printf("%-16speers %u, rpcd %u, operations %u, bus %u and up\n", "ports", n->ports.peers,
	       n->ports.rpcd, n->ports.operations, n->ports.bus);
}

static int show(int argc, char **argv)
{
	struct rc_network network;
	struct rc_error error;

	if (argc != 2)
		return usage("show takes one network");
	if (rc_network_load(argv[1], &network, &error))
		return complain(&error, RC_EXIT_CONFIG);
	print_network(&network);
	return fflush(stdout) ? RC_EXIT_IO : RC_EXIT_OK;
}

struct new_options {
	const char *name, *hrp, *from, *file;
	bool force;
};

/* The address prefix where none is given: the name's letters. */
static void hrp_of_name(const char *name, char hrp[RC_NETWORK_HRP_MAX + 1])
{
	size_t n = 0;

	for (; *name && n < RC_NETWORK_HRP_MAX; name++)
		if (*name >= 'a' && *name <= 'z')
			hrp[n++] = *name;
	hrp[n] = '\0';
}

/* One KEY=VALUE of --set. */
static int apply(struct rc_network *n, const char *setting, struct rc_error *error)
{
	const char *equals = strchr(setting, '=');
	char key[64];

	if (!equals || (size_t)(equals - setting) >= sizeof(key))
		return rc_error_set(error, RC_ECONFIG, "--set '%s' is not KEY=VALUE", setting);
	memcpy(key, setting, (size_t)(equals - setting));
	key[equals - setting] = '\0';
	return rc_network_set(n, key, equals + 1, error);
}

static int make_params(const struct new_options *o, char *const *settings, size_t n_settings,
		       struct rc_network *draft, struct rc_error *error)
{
	struct rc_network_params *p = &draft->params;
	RC_AUTOFREE char *text = rc_asprintf("Rusty Coin %s", o->name);
	int err;

	if (!rc_network_builtin(o->from, draft))
		return rc_error_set(error, RC_ECONFIG, "--from '%s' is not main, test or reg",
				    o->from);
	memset(&draft->ports, 0, sizeof(draft->ports));
	err = rc_network_set(draft, "name", o->name, error);
	if (err)
		return err;
	hrp_of_name(o->name, p->hrp);
	if (o->hrp)
		err = rc_network_set(draft, "hrp", o->hrp, error);
	p->genesis_time = (uint32_t)(rc_wall_ms(&rc_clock_system) / 1000);
	if (!err)
		err = rc_network_set(draft, "genesis_text", text, error);
	for (size_t i = 0; !err && i < n_settings; i++)
		err = apply(draft, settings[i], error);
	return err;
}

/* Checks the draft as a whole and writes it: nothing is written that wouldn't be read back. */
static int write_network(const struct new_options *o, const struct rc_network *draft)
{
	struct rc_buf text = RC_BUF_INIT;
	struct rc_network network;
	struct rc_error error;
	int code = RC_EXIT_OK;

	if (rc_network_custom(&draft->params, &network, &error))
		return complain(&error, RC_EXIT_CONFIG);
	if (draft->ports.peers)
		network.ports.peers = draft->ports.peers;
	if (draft->ports.rpcd)
		network.ports.rpcd = draft->ports.rpcd;
	if (draft->ports.operations)
		network.ports.operations = draft->ports.operations;
	if (draft->ports.bus)
		network.ports.bus = draft->ports.bus;
	memcpy(network.bootstrap, draft->bootstrap, sizeof(network.bootstrap));
	if (!o->force && access(o->file, F_OK) == 0) {
		rc_error_set(&error, RC_EEXIST,
			     "%s exists already; --force replaces it, and makes its network "
			     "another one",
			     o->file);
		return complain(&error, RC_EXIT_FAILURE);
	}
	rc_network_write_ini(&network, &text);
	if (rc_file_replace(o->file, text.data, text.len, 0644, &error))
		code = complain(&error, RC_EXIT_IO);
	else
		print_network(&network);
	rc_buf_done(&text);
	return code;
}

static int make_new(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"name", required_argument, NULL, 'n'},
		{"hrp", required_argument, NULL, 'p'},
		{"from", required_argument, NULL, 'f'},
		{"set", required_argument, NULL, 's'},
		{"output", required_argument, NULL, 'o'},
		{"force", no_argument, NULL, 'F'},
		{NULL, 0, NULL, 0},
	};
	struct new_options o = {.from = "main"};
	char **settings = rc_alloc_array((size_t)argc, sizeof(*settings));
	struct rc_network *draft = rc_alloc(sizeof(*draft));
	size_t n_settings = 0;
	struct rc_error error;
	int c, code = RC_EXIT_OK;

	while (code == RC_EXIT_OK && (c = getopt_long(argc, argv, "o:", long_options, NULL)) != -1)
		switch (c) {
		case 'n':
			o.name = optarg;
			break;
		case 'p':
			o.hrp = optarg;
			break;
		case 'f':
			o.from = optarg;
			break;
		case 's':
			settings[n_settings++] = optarg;
			break;
		case 'o':
			o.file = optarg;
			break;
		case 'F':
			o.force = true;
			break;
		default:
			code = usage("see above");
		}
	if (code == RC_EXIT_OK && (!o.name || !o.file || optind != argc))
		code = usage("new needs --name and -o, and nothing else");
	if (code == RC_EXIT_OK && make_params(&o, settings, n_settings, draft, &error))
		code = complain(&error, RC_EXIT_CONFIG);
	if (code == RC_EXIT_OK)
		code = write_network(&o, draft);
	free(settings);
	free(draft);
	return code;
}

int main(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "show") == 0)
		return show(argc - 1, argv + 1);
	if (argc >= 2 && strcmp(argv[1], "new") == 0)
		return make_new(argc - 1, argv + 1);
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage_text, stdout);
		return RC_EXIT_OK;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("rusty-genesis " RC_VERSION);
		return RC_EXIT_OK;
	}
	if (argc < 2)
		return usage("what shall I do?");
	fprintf(stderr, "rusty-genesis: unknown command '%s'\n%s", argv[1], usage_text);
	return RC_EXIT_USAGE;
}
