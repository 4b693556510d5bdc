/* Hosts: what runs there, and when it is started again. */
#include "node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "net.h"

/* The daemons' own (sim.mk gives them these names). */
int utxod_main(int argc, char **argv);
int chaind_main(int argc, char **argv);
int peerd_main(int argc, char **argv);

static int (*const mains[SIM_DAEMONS])(int argc, char **argv) = {
	utxod_main,
	chaind_main,
	peerd_main,
};
static const char *const names[SIM_DAEMONS] = {"utxod", "chaind", "peerd"};

struct node *nodes;
unsigned n_nodes;

/* ---- what checks look at: caught where the daemons make it ---- */

int __real_chaind_enter(struct chaind *chaind, struct rc_error *error);
int __wrap_chaind_enter(struct chaind *chaind, struct rc_error *error);
int __wrap_chaind_enter(struct chaind *chaind, struct rc_error *error)
{
	int err = __real_chaind_enter(chaind, error);

	if (!err)
		sim.current->chaind = chaind;
	return err;
}

void __real_chaind_close(struct chaind *chaind);
void __wrap_chaind_close(struct chaind *chaind);
void __wrap_chaind_close(struct chaind *chaind)
{
	sim.current->chaind = NULL;
	__real_chaind_close(chaind);
}

int __real_engine_open(struct utxod *u, struct rc_error *error);
int __wrap_engine_open(struct utxod *u, struct rc_error *error);
int __wrap_engine_open(struct utxod *u, struct rc_error *error)
{
	int err = __real_engine_open(u, error);

	if (!err)
		sim.current->utxod = u;
	return err;
}

void __real_engine_close(struct utxod *u);
void __wrap_engine_close(struct utxod *u);
void __wrap_engine_close(struct utxod *u)
{
	sim.current->utxod = NULL;
	__real_engine_close(u);
}

void __real_peerd_start(struct peerd *core);
void __wrap_peerd_start(struct peerd *core);
void __wrap_peerd_start(struct peerd *core)
{
	sim.current->peerd = core;
	__real_peerd_start(core);
}

void __real_peerd_free(struct peerd *core);
void __wrap_peerd_free(struct peerd *core);
void __wrap_peerd_free(struct peerd *core)
{
	sim.current->peerd = NULL;
	__real_peerd_free(core);
}

/* ---- starting ---- */

struct start {
	struct node *node;
	enum daemon_kind kind;
};

static void on_end(struct sim_proc *proc);

static void launch(struct node *node, enum daemon_kind kind)
{
	char **argv = rc_alloc_array(32, sizeof(char *));
	char name[24];
	int argc = 0;

	if (node->procs[kind] || !node->power)
		return;
	snprintf(name, sizeof(name), "n%u/%s", node->i, names[kind]);
	argv[argc++] = rc_strdup(names[kind]);
	argv[argc++] = rc_strdup("--network=reg");
	argv[argc++] = rc_strdup("--confine=no");
	argv[argc++] = rc_strdup("--watchdog=no");
	argv[argc++] = rc_asprintf("--rundir=/sim/n%u/run", node->i);
	argv[argc++] = rc_asprintf("--statedir=/sim/n%u/%s", node->i, names[kind]);
	for (unsigned i = 0; node->options[kind][i]; i++)
		argv[argc++] = node->options[kind][i];
	node->starts++;
	node->procs[kind] = sim_spawn(name, node->i, mains[kind], argc, argv);
	node->procs[kind]->on_end = on_end;
}

static void on_start(void *arg)
{
	struct start *start = arg;
	struct node *node = start->node;
	enum daemon_kind kind = start->kind;

	free(start);
	node->restart[kind] = NULL;
	launch(node, kind);
}

static void launch_in(struct node *node, enum daemon_kind kind, int64_t us)
{
	struct start *start;

	if (node->restart[kind])
		return;
	start = rc_alloc(sizeof(*start));
	*start = (struct start){node, kind};
	node->restart[kind] = sim_post(NULL, us, "restart", on_start, start);
}

/* 100 ms as in the units, and what a start takes. */
static int64_t restart_delay(void)
{
	return 100 * SIM_MS + sim_random_delay(&sim.random, 300 * SIM_MS);
}

static void on_end(struct sim_proc *proc)
{
	struct node *node = &nodes[proc->node];

	for (unsigned kind = 0; kind < SIM_DAEMONS; kind++) {
		if (node->procs[kind] != proc)
			continue;
		node->procs[kind] = NULL;
		if (proc->exit_code != RC_EXIT_OK && proc->exit_code != RC_EXIT_IO)
			sim_fail("%s ended with %d, the service manager wouldn't start it again: "
				 "%s",
				 proc->name, proc->exit_code, sim_last_error);
		launch_in(node, kind, restart_delay());
	}
}

static int64_t wall_offset(unsigned i)
{
	return i < n_nodes ? nodes[i].clock_us : 0;
}

void nodes_init(unsigned n)
{
	nodes = rc_alloc_array(n, sizeof(*nodes));
	n_nodes = n;
	for (unsigned i = 0; i < n; i++)
		nodes[i].i = i;
	sim_wall_offset = wall_offset;
}

/* No order of starting is required. */
void node_start(struct node *node)
{
	node->power = true;
	sim_net_host_up(node->i, true);
	for (unsigned kind = 0; kind < SIM_DAEMONS; kind++)
		launch_in(node, kind, 1 + (int64_t)sim_random_below(&sim.random, 200 * SIM_MS));
}

/* ---- ending ---- */

static void end(struct node *node, enum daemon_kind kind)
{
	struct sim_proc *proc = node->procs[kind];

	if (!proc)
		return;
	sim_kill(proc);
	sim_bus_proc_ended(proc);
	sim_net_proc_ended(proc);
	sim_disk_proc_ended(proc);
	sim_files_proc_ended(proc);
	node->procs[kind] = NULL;
}

void node_kill(struct node *node, enum daemon_kind kind)
{
	if (!node->procs[kind])
		return;
	sim_say("n%u: kill -9 %s", node->i, names[kind]);
	sim_fault(SIM_FAULT_KILL);
	end(node, kind);
	launch_in(node, kind, restart_delay());
}

void node_stop(struct node *node, enum daemon_kind kind)
{
	if (!node->procs[kind] || !node->procs[kind]->loop)
		return;
	sim_say("n%u: SIGTERM to %s", node->i, names[kind]);
	sim_fault(SIM_FAULT_STOP);
	sim_terminate(node->procs[kind]);
}

static void on_power(void *arg)
{
	node_start(arg);
}

void node_power_cut(struct node *node, int64_t us)
{
	if (!node->power)
		return;
	sim_say("n%u: power cut", node->i);
	sim_fault(SIM_FAULT_POWER);
	node->power = false;
	sim_net_host_up(node->i, false);
	for (unsigned kind = 0; kind < SIM_DAEMONS; kind++) {
		end(node, kind);
		if (node->restart[kind])
			sim_cancel(node->restart[kind]);
		node->restart[kind] = NULL;
	}
	sim_disk_power_cut(node->i);
	sim_files_power_cut(node->i);
	sim_post(NULL, us, "power", on_power, node);
}
