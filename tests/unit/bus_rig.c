/* See bus_rig.h. */
#include "tests/unit/bus_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/rc_test.h"

#define PATIENCE_US INT64_C(20000000)

void bus_rig_init(struct bus_rig *rig, bool inproc)
{
	memset(rig, 0, sizeof(*rig));
	rig->loop = rc_loop_new();
	if (inproc)
		return;
	snprintf(rig->rundir, sizeof(rig->rundir), "/tmp/rc-bus-XXXXXX");
	assert_non_null(mkdtemp(rig->rundir));
}

void bus_rig_done(struct bus_rig *rig)
{
	static const char *const names[] = {"read", "submit", "write", "admin", "events", "lock"};
	char path[128];

	rc_server_close(rig->server);
	rc_loop_free(rig->loop);
	if (!rig->rundir[0])
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/utxod/%s", rig->rundir, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/utxod", rig->rundir);
	rmdir(path);
	rmdir(rig->rundir);
}

void bus_rig_serve(struct bus_rig *rig, const struct rc_handler *handlers, void *ctx)
{
	const struct rc_server_config config = {
		.daemon = RC_UTXOD,
		.rundir = rig->rundir[0] ? rig->rundir : NULL,
		.inproc = "rig",
		.network_id = {1, 2, 3},
		.handlers = handlers,
		.ctx = ctx,
		.roles = "read,write,admin",
	};
	struct rc_error error;

	if (rc_server_open(rig->loop, &config, &rig->server, &error) < 0)
		fail_msg("%s", error.text);
}

struct rc_client_config bus_rig_config(const struct bus_rig *rig, enum rc_daemon from,
				       enum rc_role role)
{
	return (struct rc_client_config){
		.from = from,
		.to = RC_UTXOD,
		.role = role,
		.rundir = rig->rundir[0] ? rig->rundir : NULL,
		.inproc = "rig",
		.network_id = {1, 2, 3},
		.boot = rc_random_u64(&rc_random_system) | 1,
	};
}

struct rc_client *bus_rig_client(struct bus_rig *rig, enum rc_daemon from, enum rc_role role)
{
	struct rc_client_config config = bus_rig_config(rig, from, role);
	struct rc_client *client;
	struct rc_error error;

	if (rc_client_open(rig->loop, &config, &client, &error) < 0)
		fail_msg("%s", error.text);
	return client;
}

static void turn_until(struct bus_rig *rig, bool (*over)(const void *arg), const void *arg)
{
	int64_t end = rc_mono_us(&rc_clock_system) + PATIENCE_US;

	while (!over(arg)) {
		if (rc_mono_us(&rc_clock_system) > end)
			fail_msg("nothing more happens");
		rc_loop_turn(rig->loop, 100000);
	}
}

static bool is_up(const void *arg)
{
	return rc_client_up(arg);
}

void bus_rig_wait_up(struct bus_rig *rig, struct rc_client *client)
{
	turn_until(rig, is_up, client);
}

struct count {
	const size_t *what;
	size_t n;
};

static bool is_reached(const void *arg)
{
	const struct count *count = arg;

	return *count->what >= count->n;
}

void bus_rig_until(struct bus_rig *rig, const size_t *what, size_t n)
{
	const struct count count = {what, n};

	turn_until(rig, is_reached, &count);
}

void bus_rig_for_ms(struct bus_rig *rig, int64_t ms)
{
	int64_t end = rc_mono_us(&rc_clock_system) + ms * 1000, left;

	while ((left = end - rc_mono_us(&rc_clock_system)) > 0)
		rc_loop_turn(rig->loop, left);
}
