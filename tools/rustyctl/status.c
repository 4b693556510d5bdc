/* rustyctl status: every daemon is asked at once, and shown in the order of rank. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/num.h"
#include "proto/common.pb-c.h"
#include "tools/rustyctl/rustyctl.h"

/* How a daemon is; the node is as its worst, and down only when nobody answers. */
enum health { READY, NOT_READY, DOWN };
enum { EXIT_OK, EXIT_DEGRADED, EXIT_DOWN };

struct row {
	const char *name;
	struct rc_client *client;
	bool answered;
	enum health health;
	json_t *json; /* what is known of it */
};

struct status {
	struct row rows[RC_DAEMON_COUNT];
	size_t n;
	size_t open; /* rows without an answer yet */
};

static const char *const health_names[] = {
	[READY] = "ready", [NOT_READY] = "not ready", [DOWN] = "down"};

static void put_text(json_t *object, const char *key, const char *text)
{
	json_t *value = json_string(text ? text : "");

	json_object_set_new(object, key, value ? value : json_string("?"));
}

static void take_answer(struct row *row, const Rc__StatusReply *reply)
{
	json_t *figures = json_object();

	row->health = reply->ready ? READY : NOT_READY;
	put_text(row->json, "version", reply->version);
	json_object_set_new(row->json, "schema", json_integer(reply->schema));
	json_object_set_new(row->json, "pid", json_integer(reply->pid));
	json_object_set_new(row->json, "uptime_ms", json_integer((json_int_t)reply->uptime_ms));
	put_text(row->json, "network", reply->network);
	put_text(row->json, "log_level", reply->log_level);
	put_text(row->json, "text", reply->text);
	for (size_t i = 0; i < reply->n_figures; i++)
		put_text(figures, reply->figures[i]->name, reply->figures[i]->value);
	json_object_set_new(row->json, "figures", figures);
}

struct asking {
	struct status *status;
	struct row *row;
};

static void on_answer(void *arg, const struct rc_reply *reply)
{
	struct asking *asking = arg;
	struct row *row = asking->row;

	row->answered = true;
	asking->status->open--;
	if (reply->err == RC_OK)
		take_answer(row, reply->body);
	else
		put_text(row->json, "text", reply->text);
	put_text(row->json, "state", health_names[row->health]);
}

static void ask_all(struct rustyctl *ctl, struct status *status)
{
	struct asking asking[RC_DAEMON_COUNT];

	for (size_t i = 0; i < status->n; i++) {
		struct row *row = &status->rows[i];

		asking[i] = (struct asking){status, row};
		if (!row->client)
			continue;
		status->open++;
		rc_client_call(row->client, RC_MSG_STATUS, NULL, NULL, 0, rustyctl_timeout_ms(ctl),
			       on_answer, &asking[i]);
	}
	while (status->open)
		rc_loop_turn(ctl->loop, -1);
	for (size_t i = 0; i < status->n; i++)
		rc_client_close(status->rows[i].client);
}

static const char *uptime_text(int64_t ms, char *text, size_t size)
{
	int64_t s = ms / 1000;

	if (s < 3600)
		snprintf(text, size, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(text, size, "%" PRId64 "h%02" PRId64 "m", s / 3600, s / 60 % 60);
	else
		snprintf(text, size, "%" PRId64 "d%02" PRId64 "h", s / 86400, s / 3600 % 24);
	return text;
}

static const char *text_of(const struct row *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row->json, key));

	return text ? text : "-";
}

static void print_figures(const struct row *row)
{
	json_t *figures = json_object_get(row->json, "figures");
	const char *name;
	json_t *value;
	int column = 0;

	json_object_foreach(figures, name, value)
	{
		int width = (int)(strlen(name) + json_string_length(value)) + 4;

		if (column && column + width > 100) {
			printf("\n");
			column = 0;
		}
		column += printf("%s%s: %s", column ? "  " : "        ", name,
				 json_string_value(value));
	}
	if (column)
		printf("\n");
}

static void print_table(const struct status *status)
{
	char uptime[32], pid[32];

	printf("%-7s %-10s %-9s %8s %8s  %s\n", "DAEMON", "STATE", "VERSION", "PID", "UPTIME",
	       "WHAT IT DOES");
	for (size_t i = 0; i < status->n; i++) {
		const struct row *row = &status->rows[i];
		bool up = row->health != DOWN;

		snprintf(pid, sizeof(pid), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(json_object_get(row->json, "pid")));
		uptime_text(json_integer_value(json_object_get(row->json, "uptime_ms")), uptime,
			    sizeof(uptime));
		printf("%-7s %-10s %-9s %8s %8s  %s\n", row->name, health_names[row->health],
		       text_of(row, "version"), up ? pid : "-", up ? uptime : "-",
		       text_of(row, "text"));
		print_figures(row);
	}
}

static int verdict(const struct status *status)
{
	size_t ready = 0, answer = 0;

	for (size_t i = 0; i < status->n; i++) {
		ready += status->rows[i].health == READY;
		answer += status->rows[i].health != DOWN;
	}
	if (!answer)
		return EXIT_DOWN;
	return ready == status->n ? EXIT_OK : EXIT_DEGRADED;
}

static void print_json(const struct status *status, int code)
{
	static const char *const names[] = {
		[EXIT_OK] = "ok", [EXIT_DEGRADED] = "degraded", [EXIT_DOWN] = "down"};
	json_t *list = json_array();
	json_t *root = json_object();

	for (size_t i = 0; i < status->n; i++)
		json_array_append(list, status->rows[i].json);
	put_text(root, "state", names[code]);
	json_object_set_new(root, "daemons", list);
	json_dumpf(root, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(root);
}

int rustyctl_status(struct rustyctl *ctl, bool json)
{
	struct status status = {0};
	const char *const *names;
	size_t n = rc_config_list(ctl->config, "daemons", &names);
	int code;

	for (size_t i = 0; i < n && status.n < RC_DAEMON_COUNT; i++) {
		struct row *row = &status.rows[status.n];
		enum rc_daemon daemon;

		if (!rustyctl_daemon(names[i], &daemon)) {
			fprintf(stderr, "rustyctl: there is no daemon '%s'\n", names[i]);
			return RC_EXIT_CONFIG;
		}
		row->name = rc_daemon_name(daemon);
		row->health = DOWN;
		row->json = json_object();
		put_text(row->json, "name", row->name);
		put_text(row->json, "state", health_names[DOWN]);
		row->client = rustyctl_client(ctl, daemon, RC_ROLE_READ);
		status.n++;
	}
	ask_all(ctl, &status);
	code = verdict(&status);
	if (json)
		print_json(&status, code);
	else
		print_table(&status);
	for (size_t i = 0; i < status.n; i++)
		json_decref(status.rows[i].json);
	return code;
}
