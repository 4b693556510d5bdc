/* What the nodes say of themselves, by JSON-RPC. */
#include "tools/rusty-devnet/devnet.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "client/jsonrpc.h"

#define READY_SECONDS 60 /* starting 16 nodes on two busy cores takes 20 */
#define ASK_EVERY_MS  50
#define CALL_MS	      5000

int devnet_call(const struct devnet_node *node, const char *method, json_t *params,
		json_t **ret_result, struct rc_error *error)
{
	struct rc_jsonrpc_where where = {
		.datadir = node->datadir, .network = "reg", .timeout_ms = CALL_MS};
	struct rc_jsonrpc *client;
	int err = rc_jsonrpc_open(&where, &client, error);

	if (err < 0) {
		json_decref(params);
		return err;
	}
	err = rc_jsonrpc_call(client, method, params, ret_result, error);
	rc_jsonrpc_close(client);
	return err;
}

/* Ready, linked to all others, and its tip; why tells what is missing. */
static bool node_settled(const struct devnet *net, const struct devnet_node *node, char tip[65],
			 char *why, size_t why_size)
{
	struct rc_error error = {0};
	json_t *health = NULL, *count = NULL, *hash = NULL;
	bool settled = false;

	if (devnet_call(node, "gethealth", NULL, &health, &error) < 0) {
		snprintf(why, why_size, "%s: %s", node->name, error.text);
	} else if (!json_is_true(json_object_get(health, "ready"))) {
		const char *cause =
			json_string_value(json_array_get(json_object_get(health, "causes"), 0));

		snprintf(why, why_size, "%s: %s", node->name, cause ? cause : "not ready");
	} else if (devnet_call(node, "getconnectioncount", NULL, &count, &error) < 0) {
		snprintf(why, why_size, "%s: %s", node->name, error.text);
	} else if (json_integer_value(count) < (json_int_t)net->n_nodes - 1) {
		snprintf(why, why_size, "%s: %d of %u links", node->name,
			 (int)json_integer_value(count), net->n_nodes - 1);
	} else if (devnet_call(node, "getbestblockhash", NULL, &hash, &error) < 0) {
		snprintf(why, why_size, "%s: %s", node->name, error.text);
	} else {
		snprintf(tip, 65, "%s", json_string_value(hash) ? json_string_value(hash) : "");
		settled = true;
	}
	json_decref(health);
	json_decref(count);
	json_decref(hash);
	return settled;
}

static int check_alive(const struct devnet *net, struct rc_error *error)
{
	for (unsigned i = 0; i < net->n_nodes; i++)
		for (unsigned d = 0; d < DEVNET_DAEMONS; d++)
			if (!devnet_running(net, &net->nodes[i], d)) {
				devnet_show_log(&net->nodes[i], d);
				return rc_error_set(error, RC_EUNAVAILABLE, "%s of %s ended",
						    devnet_daemons[d], net->nodes[i].name);
			}
	return RC_OK;
}

int devnet_wait(const struct devnet *net, struct rc_error *error)
{
	int64_t end = rc_mono_us(&rc_clock_system) + (int64_t)READY_SECONDS * 1000000;
	char why[600] = "", shown[600] = "";

	for (;;) {
		char tips[DEVNET_NODES_MAX][65];
		unsigned settled = 0, same = 0;
		int err = check_alive(net, error);

		if (err < 0)
			return err;
		while (settled < net->n_nodes &&
		       node_settled(net, &net->nodes[settled], tips[settled], why, sizeof(why)))
			settled++;
		if (settled == net->n_nodes) {
			while (same < net->n_nodes && strcmp(tips[same], tips[0]) == 0)
				same++;
			if (same == net->n_nodes)
				return RC_OK;
			snprintf(why, sizeof(why), "%s: another tip than node1",
				 net->nodes[same].name);
		}
		if (strcmp(why, shown) != 0) {
			fprintf(stderr, "waiting: %s\n", why);
			snprintf(shown, sizeof(shown), "%s", why);
		}
		if (rc_mono_us(&rc_clock_system) > end)
			return rc_error_set(error, RC_EDEADLINE, "not ready after %d s: %.400s",
					    READY_SECONDS, why);
		poll(NULL, 0, ASK_EVERY_MS);
	}
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* The rows of one node; returns how many of its daemons are ready. */
static unsigned print_node(const struct devnet *net, const struct devnet_node *node,
			   const json_t *daemons)
{
	unsigned ready = 0;

	for (unsigned d = 0; d < DEVNET_DAEMONS; d++) {
		const json_t *row = NULL, *one;
		bool running = devnet_running(net, node, d), well;
		size_t k;

		json_array_foreach(daemons, k, one) if (strcmp(text_of(one, "name"),
							       devnet_daemons[d]) == 0) row = one;
		well = running && json_is_true(json_object_get(row, "ready"));
		printf("%-7s %-7s %7ld  %-9s %s\n", d ? "" : node->name, devnet_daemons[d],
		       (long)node->pids[d],
		       well	 ? "ready"
		       : running ? "not ready"
				 : "down",
		       row ? text_of(row, "state") : "");
		ready += well;
	}
	return ready;
}

int devnet_status(const struct devnet *net, bool as_json)
{
	json_t *out = devnet_json(net);
	unsigned ready = 0, running = 0;

	if (!as_json)
		printf("%-7s %-7s %7s  %-9s %s\n", "NODE", "DAEMON", "PID", "STATE",
		       "WHAT IT DOES");
	for (unsigned i = 0; i < net->n_nodes; i++) {
		const struct devnet_node *node = &net->nodes[i];
		json_t *daemons = NULL;
		struct rc_error error = {0};

		for (unsigned d = 0; d < DEVNET_DAEMONS; d++)
			running += devnet_running(net, node, d);
		if (devnet_call(node, "listdaemons", NULL, &daemons, &error) < 0 && !as_json)
			printf("%s: %s\n", node->name, error.text);
		if (as_json) {
			size_t k;
			json_t *one;

			json_array_foreach(daemons, k, one) ready +=
				json_is_true(json_object_get(one, "ready"));
			json_object_set(json_array_get(json_object_get(out, "nodes"), i), "status",
					daemons ? daemons : json_null());
		} else {
			ready += print_node(net, node, daemons);
		}
		json_decref(daemons);
	}
	if (as_json) {
		json_dumpf(out, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(out);
	if (running == 0)
		return 2;
	return ready == net->n_nodes * DEVNET_DAEMONS ? 0 : 1;
}
