/*
 * rustyctl: an operator's view of a node and hand on it, by the questions that every daemon answers
 * on the bus. It keeps nothing and decides nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "proto/common.pb-c.h"
#include "service/network_file.h"
#include "tools/rustyctl/rustyctl.h"

static const struct rc_option options[] = {
	{"daemons", RC_OPT_LIST, 0, 0, NULL, NULL, "utxod,chaind,peerd,rpcd", false,
	 "Daemons that this node has: one that doesn't answer makes it degraded."},
	{"timeout_ms", RC_OPT_U64, 10, 600000, "ms", NULL, "3000", false,
	 "How long to wait for a daemon's answer."},
	{NULL, 0, 0, 0, NULL, NULL, NULL, false, NULL},
};

static const struct rc_option *const tables[] = {rc_common_options, options, NULL};

static const struct rc_config_program program = {
	.name = "rustyctl",
	.summary = "commands: status [--json] | metrics DAEMON | reload DAEMON | log-level DAEMON "
		   "LEVEL",
	.tables = tables,
};

/* A command: how many words follow it, the first of which is a daemon. */
struct command {
	const char *name;
	int words;
	int (*run)(struct rustyctl *ctl, char **words);
};

bool rustyctl_daemon(const char *name, enum rc_daemon *ret_daemon)
{
	for (unsigned d = 0; d < RC_TOOL; d++) {
		if (strcmp(rc_daemon_name((enum rc_daemon)d), name) == 0) {
			*ret_daemon = (enum rc_daemon)d;
			return true;
		}
	}
	return false;
}

uint32_t rustyctl_timeout_ms(const struct rustyctl *ctl)
{
	return (uint32_t)rc_config_u64(ctl->config, "timeout_ms");
}

struct rc_client *rustyctl_client(struct rustyctl *ctl, enum rc_daemon daemon, enum rc_role role)
{
	struct rc_client_config config = {
		.from = RC_TOOL,
		.to = daemon,
		.role = role,
		.rundir = rc_config_text(ctl->config, "rundir"),
		.boot = ctl->boot,
	};
	struct rc_client *client = NULL;
	struct rc_error error;

	memcpy(config.network_id, ctl->network.id.b, sizeof(config.network_id));
	if (rc_client_open(ctl->loop, &config, &client, &error) < 0)
		fprintf(stderr, "rustyctl: %s\n", error.text);
	return client;
}

/* One question to one daemon; the answer lives until the client is closed. NULL: said why not. */
static const struct rc_reply *ask(struct rustyctl *ctl, const char *name, enum rc_role role,
				  enum rc_message message, const void *body,
				  struct rc_client **ret_client)
{
	const struct rc_reply *reply;
	enum rc_daemon daemon = RC_TOOL;

	rustyctl_daemon(name, &daemon); /* there is one: run_command looked */
	*ret_client = rustyctl_client(ctl, daemon, role);
	if (!*ret_client)
		return NULL;
	reply = rc_client_wait(*ret_client, message, body, NULL, 0, rustyctl_timeout_ms(ctl));
	if (reply->err == RC_OK)
		return reply;
	fprintf(stderr, "rustyctl: %s: %s\n", name, reply->text);
	return NULL;
}

static int run_metrics(struct rustyctl *ctl, char **words)
{
	struct rc_client *client = NULL;
	const struct rc_reply *reply =
		ask(ctl, words[0], RC_ROLE_READ, RC_MSG_METRICS, NULL, &client);
	const Rc__MetricsReply *metrics = reply ? reply->body : NULL;

	if (metrics)
		fwrite(metrics->text.data, 1, metrics->text.len, stdout);
	rc_client_close(client);
	return metrics ? RC_EXIT_OK : RC_EXIT_UNAVAILABLE;
}

static int run_reload(struct rustyctl *ctl, char **words)
{
	struct rc_client *client = NULL;
	const struct rc_reply *reply =
		ask(ctl, words[0], RC_ROLE_ADMIN, RC_MSG_RELOAD, NULL, &client);
	const Rc__ReloadReply *answer = reply ? reply->body : NULL;

	if (answer)
		printf("%s: %s\n", words[0], answer->text ? answer->text : "");
	rc_client_close(client);
	return answer ? RC_EXIT_OK : RC_EXIT_UNAVAILABLE;
}

static int run_log_level(struct rustyctl *ctl, char **words)
{
	Rc__SetLogLevelRequest request = RC__SET_LOG_LEVEL_REQUEST__INIT;
	struct rc_client *client = NULL;
	const Rc__SetLogLevelReply *answer;
	const struct rc_reply *reply;

	request.level = words[1];
	reply = ask(ctl, words[0], RC_ROLE_ADMIN, RC_MSG_SET_LOG_LEVEL, &request, &client);
	answer = reply ? reply->body : NULL;
	if (answer)
		printf("%s: log level %s, was %s\n", words[0], words[1],
		       answer->before ? answer->before : "?");
	rc_client_close(client);
	return answer ? RC_EXIT_OK : RC_EXIT_UNAVAILABLE;
}

static int run_status(struct rustyctl *ctl, char **words)
{
	(void)words;
	return rustyctl_status(ctl, false);
}

static int run_status_json(struct rustyctl *ctl, char **words)
{
	(void)words;
	return rustyctl_status(ctl, true);
}

static const struct command commands[] = {
	{"status", 0, run_status},
	{"metrics", 1, run_metrics},
	{"reload", 1, run_reload},
	{"log-level", 2, run_log_level},
};

/* Where the command stands: behind options and their values. */
static int find_command(int argc, char **argv)
{
	int i = 1;

	while (i < argc && strncmp(argv[i], "--", 2) == 0) {
		const char *name = argv[i] + 2;
		bool alone = strchr(name, '=') || strcmp(name, "help") == 0 ||
			     strcmp(name, "version") == 0 || strncmp(name, "print-", 6) == 0 ||
			     strcmp(name, "check-config") == 0;

		i += alone ? 1 : 2;
	}
	return i < argc ? i : argc;
}

static int usage(void)
{
	fprintf(stderr,
		"rustyctl: %s\nrustyctl --help lists the options, which stand before the "
		"command\n",
		program.summary);
	return RC_EXIT_USAGE;
}

static int run_command(struct rustyctl *ctl, const struct command *command, char **words)
{
	enum rc_daemon daemon;

	if (command->words && !rustyctl_daemon(words[0], &daemon)) {
		fprintf(stderr, "rustyctl: there is no daemon '%s'\n", words[0]);
		return RC_EXIT_USAGE;
	}
	return command->run(ctl, words);
}

static int run(struct rustyctl *ctl, int n, char **words)
{
	if (n == 2 && strcmp(words[0], "status") == 0 && strcmp(words[1], "--json") == 0)
		return run_status_json(ctl, words);
	for (size_t i = 0; n && i < RC_ARRAY_LEN(commands); i++)
		if (strcmp(words[0], commands[i].name) == 0 && n - 1 == commands[i].words)
			return run_command(ctl, &commands[i], words + 1);
	return usage();
}

static int load_network(struct rustyctl *ctl, struct rc_error *error)
{
	const char *name = rc_config_text(ctl->config, "network");
	const char *file = rc_config_text(ctl->config, "network_file");

	if (strcmp(name, "custom") == 0 && !file)
		return rc_error_set(error, RC_ECONFIG, "network = custom needs network_file");
	return rc_network_load(strcmp(name, "custom") == 0 ? file : name, &ctl->network, error);
}

int main(int argc, char **argv)
{
	struct rustyctl ctl = {0};
	enum rc_config_mode mode;
	struct rc_error error;
	int command = find_command(argc, argv);
	int code = RC_EXIT_OK;
	int err;

	rc_log_init("rustyctl", RC_LOG_WARNING);
	err = rc_config_load(&program, command, argv, &ctl.config, &mode, &error);
	if (err == RC_OK && mode == RC_MODE_RUN)
		err = load_network(&ctl, &error);
	if (err < 0) {
		fprintf(stderr, "rustyctl: %s\n", error.text);
		code = RC_EXIT_CONFIG;
	} else if (mode != RC_MODE_RUN) {
		rc_config_answer(&program, ctl.config, mode);
	} else {
		ctl.loop = rc_loop_new();
		ctl.boot = rc_random_u64(&rc_random_system) | 1;
		code = run(&ctl, argc - command, argv + command);
		rc_loop_free(ctl.loop);
	}
	rc_config_free(ctl.config);
	return code;
}
