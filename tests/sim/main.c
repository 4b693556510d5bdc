/* Runs seeds, each in a process of its own. */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "scenario.h"

#define SEED_LIMIT_S 300 /* of processor time; the dearest take ten */
#define JOBS_MAX     64
#define PLAIN_EVERY  10 /* one in so many runs without what is remembered */

static const char help[] =
	"usage: sim [OPTION...]\n"
	"Runs seeds of the simulation, each in a process of its own.\n"
	"\n"
	"  --seed=N       the first seed (default 1)\n"
	"  --count=N      so many seeds (default 1)\n"
	"  --budget=S     as many as begin within so many seconds of processor time\n"
	"  --jobs=N       so many at a time, up to 64\n"
	"  --twice=N      every Nth seed is run a second time, the other way about what is\n"
	"                 remembered (memo.c): its trace must be the same\n"
	"  --nodes=N      instead of as many as the seed says\n"
	"  --scenario=S   instead of the seed's: mixed, eclipse\n"
	"  --no-sync=P    a control: where a path has P in it, a sync does nothing, so power\n"
	"                 cuts lose what was acknowledged, and some seed must fail\n"
	"  --verbose      what happens, and the daemons' logs\n"
	"  --help         this\n"
	"\n"
	"Ends with 1 if an invariant failed, or no fault was injected.\n";

static struct {
	uint64_t seed, count, twice;
	double budget;
	unsigned jobs;
	struct scenario_options scenario;
} options = {.seed = 1, .count = 1, .jobs = 1};

/* What a seed's process tells. */
struct outcome {
	uint64_t seed, hash, events, blocks, payments, reorganisations, recoveries;
	uint64_t faults[SIM_FAULTS];
	unsigned nodes;
	double virtual_s;
};

struct job {
	pid_t pid;
	int fd;
	uint64_t seed;
	bool second;
	struct outcome first; /* of the run before */
};

static struct job jobs[JOBS_MAX];
static struct outcome total;
static uint64_t done, compared, plain, fewest = UINT64_MAX;
static double began;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* By seeds that have ended, in seconds. */
static double used(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

_Noreturn static void run_child(uint64_t seed, bool second, int fd)
{
	struct outcome o = {.seed = seed};

	setrlimit(RLIMIT_CPU, &(struct rlimit){SEED_LIMIT_S, SEED_LIMIT_S});
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* hundreds of sparse heaps: zeroing costs more */
	/* What is read before it is written differs, too, if it is. */
	if (second)
		mallopt(M_PERTURB, 0xa5);
	options.scenario.memo = (seed % PLAIN_EVERY != PLAIN_EVERY - 1) != second;
	scenario_run(seed, &options.scenario);
	o.hash = sim.hash;
	o.events = sim.events;
	o.nodes = scenario_nodes();
	o.virtual_s = (double)sim.now / 1e6;
	scenario_counts(&o.blocks, &o.payments, &o.reorganisations, &o.recoveries);
	memcpy(o.faults, sim.faults, sizeof(o.faults));
	if (write(fd, &o, sizeof(o)) != sizeof(o))
		_Exit(1);
	_Exit(0);
}

static void start(struct job *job, uint64_t seed, bool second)
{
	int fds[2];

	if (pipe(fds) < 0) {
		perror("pipe");
		exit(1);
	}
	fflush(NULL);
	job->pid = fork();
	if (job->pid == 0)
		run_child(seed, second, fds[1]);
	close(fds[1]);
	job->fd = fds[0];
	job->seed = seed;
	job->second = second;
}

static void print_line(const struct outcome *o)
{
	printf("%llu %016llx %u nodes, %.0f s, %llu events, %llu blocks, %llu reorganisations, "
	       "%llu payments, %llu recoveries;",
	       (unsigned long long)o->seed, (unsigned long long)o->hash, o->nodes, o->virtual_s,
	       (unsigned long long)o->events, (unsigned long long)o->blocks,
	       (unsigned long long)o->reorganisations, (unsigned long long)o->payments,
	       (unsigned long long)o->recoveries);
	for (unsigned i = 0; i < SIM_FAULTS; i++)
		if (o->faults[i])
			printf(" %s %llu", sim_fault_names[i], (unsigned long long)o->faults[i]);
	putchar('\n');
}

/* What campaign.py reads. */
static void print_summary(void)
{
	double n = done ? (double)done : 1;

	printf("%llu seeds from %llu on held, %llu of them without what is remembered, %llu run "
	       "twice: in the mean %.1f nodes, %.0f s, %.0f events, %llu at the least; all "
	       "together:\n",
	       (unsigned long long)done, (unsigned long long)options.seed,
	       (unsigned long long)plain, (unsigned long long)compared, (double)total.nodes / n,
	       total.virtual_s / n, (double)total.events / n,
	       (unsigned long long)(done ? fewest : 0));
	total.seed = options.seed;
	print_line(&total);
	printf("in %.1f s, %.1f of them on a processor\n", now() - began, used());
	fflush(stdout);
}

_Noreturn static void fail(const struct job *job, const char *why)
{
	print_summary();
	fprintf(stderr, "seed %llu: %s\nreplay: build/sim/sim --seed=%llu",
		(unsigned long long)job->seed, why, (unsigned long long)job->seed);
	if (options.scenario.name)
		fprintf(stderr, " --scenario=%s", options.scenario.name);
	if (options.scenario.no_sync)
		fprintf(stderr, " --no-sync=%s", options.scenario.no_sync);
	if (options.scenario.nodes)
		fprintf(stderr, " --nodes=%u", options.scenario.nodes);
	fprintf(stderr, " --verbose\n");
	exit(1);
}

static void add(const struct outcome *o)
{
	done++;
	plain += o->seed % PLAIN_EVERY == PLAIN_EVERY - 1;
	if (o->events < fewest)
		fewest = o->events;
	total.events += o->events;
	total.blocks += o->blocks;
	total.payments += o->payments;
	total.reorganisations += o->reorganisations;
	total.recoveries += o->recoveries;
	total.nodes += o->nodes;
	total.virtual_s += o->virtual_s;
	for (unsigned i = 0; i < SIM_FAULTS; i++)
		total.faults[i] += o->faults[i];
}

/* A seed's process has ended: true if its second run was begun in its place. */
static bool finish(struct job *job, int status)
{
	struct outcome o;
	uint64_t faults = 0;
	char why[96];

	job->pid = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		snprintf(why, sizeof(why), "its process ended by signal %d, code %d",
			 WIFSIGNALED(status) ? WTERMSIG(status) : 0,
			 WIFEXITED(status) ? WEXITSTATUS(status) : 0);
		fail(job, why);
	}
	if (read(job->fd, &o, sizeof(o)) != sizeof(o))
		fail(job, "it told nothing");
	close(job->fd);
	for (unsigned i = 0; i < SIM_FAULTS; i++)
		faults += o.faults[i];
	if (!faults)
		fail(job, "no fault was injected");
	if (job->second) {
		compared++;
		if (o.hash != job->first.hash || o.events != job->first.events)
			fail(job, "a second run has another trace");
		add(&job->first);
		return false;
	}
	if (options.count == 1)
		print_line(&o);
	if (options.twice && job->seed % options.twice == 0) {
		job->first = o;
		start(job, job->seed, true);
		return true;
	}
	add(&o);
	return false;
}

static void wait_for_one(void)
{
	int status;
	pid_t pid = wait(&status);

	for (unsigned i = 0; i < options.jobs; i++)
		if (jobs[i].pid == pid)
			finish(&jobs[i], status);
}

static struct job *free_job(void)
{
	for (unsigned i = 0; i < options.jobs; i++)
		if (!jobs[i].pid)
			return &jobs[i];
	return NULL;
}

static bool any_job(void)
{
	for (unsigned i = 0; i < options.jobs; i++)
		if (jobs[i].pid)
			return true;
	return false;
}

static void read_options(int argc, char **argv)
{
	static const struct option table[] = {
		{"seed", required_argument, NULL, 's'},
		{"count", required_argument, NULL, 'c'},
		{"budget", required_argument, NULL, 'b'},
		{"jobs", required_argument, NULL, 'j'},
		{"twice", required_argument, NULL, 't'},
		{"nodes", required_argument, NULL, 'n'},
		{"verbose", no_argument, NULL, 'v'},
		{"no-sync", required_argument, NULL, 'N'},
		{"scenario", required_argument, NULL, 'S'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (c) {
		case 's':
			options.seed = strtoull(optarg, NULL, 10);
			break;
		case 'c':
			options.count = strtoull(optarg, NULL, 10);
			break;
		case 'b':
			options.budget = atof(optarg);
			options.count = UINT64_MAX / 2;
			break;
		case 'j':
			options.jobs = (unsigned)atoi(optarg);
			break;
		case 't':
			options.twice = strtoull(optarg, NULL, 10);
			break;
		case 'n':
			options.scenario.nodes = (unsigned)atoi(optarg);
			break;
		case 'v':
			options.scenario.verbose = true;
			break;
		case 'N':
			options.scenario.no_sync = optarg;
			break;
		case 'S':
			options.scenario.name = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			exit(0);
		default:
			fputs("sim --help tells the options\n", stderr);
			exit(2);
		}
	}
	if (optind < argc || options.jobs < 1 || options.jobs > JOBS_MAX) {
		fputs("sim takes no arguments, and 1 to 64 jobs\n", stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	began = now();
	read_options(argc, argv);
	for (uint64_t i = 0; i < options.count; i++) {
		if (options.budget && used() >= options.budget)
			break;
		while (!free_job())
			wait_for_one();
		start(free_job(), options.seed + i, false);
	}
	while (any_job())
		wait_for_one();
	print_summary();
	return 0;
}
