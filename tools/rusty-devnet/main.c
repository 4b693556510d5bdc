/*
 * rusty-devnet: a small network of full nodes on one host, for trying things out and for tests.
 * Commands are rows of a table; each works on one directory.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "tools/rusty-devnet/devnet.h"

#define BASE_PORT 17440 /* reg's port for peers (rustycoin(7)) */

struct settings {
	const char *dir;
	unsigned nodes;
	uint16_t base_port;
	bool json;
};

static int fail(const struct rc_error *error)
{
	fprintf(stderr, "rusty-devnet: %s\n", error->text);
	return error->code == RC_EINVAL ? RC_EXIT_USAGE : RC_EXIT_FAILURE;
}

static bool any_running(const struct devnet *net)
{
	for (unsigned i = 0; i < net->n_nodes; i++)
		for (unsigned d = 0; d < DEVNET_DAEMONS; d++)
			if (devnet_running(net, &net->nodes[i], d))
				return true;
	return false;
}

static int start_all(struct devnet *net, struct rc_error *error)
{
	RC_AUTOFREE char *conf = rc_asprintf("%s/rustycoin.conf", net->dir);
	static const char text[] = "# Options of all daemons of this network: none so far.\n";
	int err = rc_file_replace(conf, text, sizeof(text) - 1, 0644, error);

	/* Saved after each node, so that down finds what was started by an up that was killed. */
	for (unsigned i = 0; !err && i < net->n_nodes; i++) {
		for (unsigned d = 0; !err && d < DEVNET_DAEMONS; d++)
			err = devnet_start(net, i, d, error);
		if (!err)
			err = devnet_save(net, error);
	}
	return err;
}

static int cmd_up(struct devnet *net, const struct settings *settings, char **argv)
{
	struct rc_error error, ignored;
	struct stat st;
	int err;

	(void)argv;
	if (devnet_load(net, &error) == RC_OK) {
		if (any_running(net)) {
			rc_error_set(&error, RC_EEXIST,
				     "a network runs in %s already: rusty-devnet down ends it",
				     net->dir);
			return fail(&error);
		}
	} else if (lstat(net->dir, &st) == 0 && rmdir(net->dir) < 0) {
		/* Never somebody's directory that only has the name. */
		rc_error_set(&error, RC_EEXIST,
			     "%s is there and holds no network: choose another "
			     "--dir, or remove it",
			     net->dir);
		return fail(&error);
	}
	err = devnet_remove(net, &error);
	devnet_plan(net, settings->nodes, settings->base_port);
	if (!err)
		err = rc_dir_make(net->dir, 0755, &error);
	if (!err)
		err = start_all(net, &error);
	if (!err)
		err = devnet_wait(net, &error);
	if (err < 0) {
		devnet_stop(net, &ignored);
		fprintf(stderr, "rusty-devnet: logs are in %s\n", net->dir);
		return fail(&error);
	}
	printf("%u nodes are ready and agree; %s/devnet.json says where they are\n", net->n_nodes,
	       net->dir);
	return 0;
}

static int cmd_status(struct devnet *net, const struct settings *settings, char **argv)
{
	struct rc_error error;

	(void)argv;
	if (devnet_load(net, &error) < 0) {
		fprintf(stderr, "rusty-devnet: %s\n", error.text);
		return 2;
	}
	return devnet_status(net, settings->json);
}

static int cmd_down(struct devnet *net, const struct settings *settings, char **argv)
{
	struct rc_error error;
	int err = devnet_load(net, &error);

	(void)settings;
	(void)argv;
	if (err == RC_ENOENT) {
		printf("no network in %s\n", net->dir);
		return 0;
	}
	if (err < 0)
		return fail(&error);
	err = devnet_stop(net, &error);
	if (err < 0)
		fprintf(stderr, "rusty-devnet: %s\n", error.text);
	if (devnet_remove(net, &error) < 0)
		return fail(&error);
	printf("the network in %s has ended; nothing is left of it\n", net->dir);
	return err < 0 ? RC_EXIT_FAILURE : 0;
}

static int cmd_exec(struct devnet *net, const struct settings *settings, char **argv)
{
	const char *old = getenv("PATH");
	struct devnet_node *node = NULL;
	struct rc_error error;

	(void)settings;
	if (devnet_load(net, &error) < 0)
		return fail(&error);
	for (unsigned i = 0; argv[0] && i < net->n_nodes; i++)
		if (strcmp(net->nodes[i].name, argv[0]) == 0)
			node = &net->nodes[i];
	if (!node || !argv[1]) {
		fprintf(stderr, "rusty-devnet: exec needs a node (node1 … node%u) and a command\n",
			net->n_nodes);
		return RC_EXIT_USAGE;
	}
	RC_AUTOFREE char *path = rc_asprintf("%s:%s", net->bindir, old ? old : "/usr/bin:/bin");
	RC_AUTOFREE char *rundir = rc_asprintf("%s/run", node->datadir);

	setenv("PATH", path, 1);
	setenv("RUSTYCOIN_DATADIR", node->datadir, 1);
	setenv("RUSTYCOIN_RUNDIR", rundir, 1);
	setenv("RUSTYCOIN_NETWORK", "reg", 1);
	execvp(argv[1], argv + 1);
	fprintf(stderr, "rusty-devnet: %s: %s\n", argv[1], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}

static const struct command {
	const char *name;
	int (*run)(struct devnet *net, const struct settings *settings, char **argv);
	const char *text;
} commands[] = {
	{"up", cmd_up, "start the nodes; returns when all are ready, linked and on one tip"},
	{"status", cmd_status, "a table of all daemons; --json for scripts; exit 0, 1 or 2"},
	{"down", cmd_down, "stop every daemon and remove the directory"},
	{"exec", cmd_exec, "NODE COMMAND…: run a command whose node that is"},
};

static void usage(FILE *out)
{
	fprintf(out, "usage: rusty-devnet [options] COMMAND\n\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].text);
	fprintf(out,
		"\n  --dir DIR      where it lives: $XDG_RUNTIME_DIR/rusty-devnet, or "
		"/tmp/rusty-devnet-UID\n"
		"  --nodes N      how many full nodes, 1 to %d: 3\n"
		"  --base-port P  node i uses P + 10 (i - 1) and the two after: %d\n"
		"  --json         status as JSON\n"
		"  --help, --version\n\nrusty-devnet(1) has examples.\n",
		DEVNET_NODES_MAX, BASE_PORT);
}

/* A whole number in a range; ends the program with a clear line otherwise. */
static unsigned number(const char *name, const char *text, unsigned min, unsigned max)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || v < min || v > max) {
		fprintf(stderr, "rusty-devnet: --%s takes %u to %u, not '%s'\n", name, min, max,
			text);
		exit(RC_EXIT_USAGE);
	}
	return (unsigned)v;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"dir", required_argument, NULL, 'd'},
		{"nodes", required_argument, NULL, 'n'},
		{"base-port", required_argument, NULL, 'p'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	struct settings settings = {.nodes = 3, .base_port = BASE_PORT};
	static struct devnet net; /* 130 KB of paths */
	struct rc_error error;
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (c) {
		case 'd':
			settings.dir = optarg;
			break;
		case 'n':
			settings.nodes = number("nodes", optarg, 1, DEVNET_NODES_MAX);
			break;
		case 'p':
			settings.base_port = (uint16_t)number("base-port", optarg, 1024,
							      65535 - 10 * DEVNET_NODES_MAX);
			break;
		case 'j':
			settings.json = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'V':
			printf("rusty-devnet %s\n", RC_VERSION);
			return 0;
		default:
			return RC_EXIT_USAGE;
		}
	}
	for (size_t i = 0; optind < argc && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[optind], commands[i].name) != 0)
			continue;
		optind++;
		/* Options may also follow the command. */
		if (commands[i].run != cmd_exec && optind < argc) {
			if (strcmp(argv[optind], "--json") == 0 && argc == optind + 1) {
				settings.json = true;
			} else {
				fprintf(stderr, "rusty-devnet: options come before the command\n");
				return RC_EXIT_USAGE;
			}
		}
		if (devnet_locate(&net, settings.dir, &error) < 0)
			return fail(&error);
		return commands[i].run(&net, &settings, argv + optind);
	}
	usage(stderr);
	return RC_EXIT_USAGE;
}
