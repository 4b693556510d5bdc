/* Time, events, processes as coroutines, the trace. */
#include "sim.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/num.h"

/* Of a coroutine; touched pages count only. More than 2 MiB, so that valgrind sees a change of
 * stacks. */
#define STACK_BYTES ((size_t)4 << 20)

struct sim_world sim;
int64_t (*sim_wall_offset)(unsigned node);

const char *const sim_fault_names[SIM_FAULTS] = {
	[SIM_FAULT_KILL] = "kills",	   [SIM_FAULT_POWER] = "power cuts",
	[SIM_FAULT_LOST] = "writes lost",  [SIM_FAULT_STOP] = "stops",
	[SIM_FAULT_PAUSE] = "pauses",	   [SIM_FAULT_DISK] = "disk failures",
	[SIM_FAULT_SPLIT] = "partitions",  [SIM_FAULT_ONE_WAY] = "one-way",
	[SIM_FAULT_STALL] = "stalled",	   [SIM_FAULT_RESET] = "resets",
	[SIM_FAULT_SLOW] = "slow paths",   [SIM_FAULT_SYN] = "dials lost",
	[SIM_FAULT_BUS] = "bus breaks",	   [SIM_FAULT_EVENT] = "events lost",
	[SIM_FAULT_CLOCK] = "clock jumps", [SIM_FAULT_HOSTILE] = "hostile",
};

/* ---- chance ---- */

static void fill(void *arg, void *dst, size_t len)
{
	uint8_t *p = dst;

	while (len) {
		uint64_t v = sim_random_u64(arg);
		size_t n = len < sizeof(v) ? len : sizeof(v);

		memcpy(p, &v, n);
		p += n;
		len -= n;
	}
}

void sim_random_seed(struct sim_random *r, uint64_t seed)
{
	for (unsigned i = 0; i < 4; i++) {
		uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		r->s[i] = z ^ z >> 31;
	}
	r->random = (struct rc_random){fill, r};
}

static uint64_t rotate(uint64_t v, int by)
{
	return v << by | v >> (64 - by);
}

uint64_t sim_random_u64(struct sim_random *r)
{
	uint64_t *s = r->s, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

uint64_t sim_random_below(struct sim_random *r, uint64_t n)
{
	return sim_random_u64(r) % n; /* no n here comes near 2^64 */
}

bool sim_random_chance(struct sim_random *r, double p)
{
	return (double)(sim_random_u64(r) >> 11) < p * 9007199254740992.0; /* 2^53 */
}

int64_t sim_random_delay(struct sim_random *r, int64_t mean)
{
	int64_t v = 1 + (int64_t)sim_random_below(r, (uint64_t)mean);

	while (sim_random_chance(r, 0.4) && v < 20 * mean)
		v += (int64_t)sim_random_below(r, (uint64_t)mean) + 1;
	return v;
}

/* ---- what base/clock.c has ---- */

static int64_t wall_ms(void *arg)
{
	unsigned node = sim.current ? sim.current->node : SIM_NOBODY;

	(void)arg;
	return sim.wall_base + (sim.now + (sim_wall_offset ? sim_wall_offset(node) : 0)) / 1000;
}

static int64_t mono_us(void *arg)
{
	(void)arg;
	return sim.now + (sim.current ? sim.current->mono_offset : 0);
}

static void system_fill(void *arg, void *dst, size_t len)
{
	(void)arg;
	fill(sim.current ? &sim.current->random : &sim.random, dst, len);
}

const struct rc_clock rc_clock_system = {wall_ms, mono_us, NULL};
const struct rc_random rc_random_system = {system_fill, NULL};

uint64_t rc_random_below(const struct rc_random *random, uint64_t n)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % n; /* a multiple of n */
	uint64_t v;

	do {
		v = rc_random_u64(random);
	} while (v >= limit);
	return v % n;
}

/* ---- the trace ---- */

void sim_trace_u64(uint64_t v)
{
	sim.hash = rotate((sim.hash ^ v) * UINT64_C(0x9e3779b97f4a7c15), 29);
}

void sim_trace(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t v;

	sim_trace_u64(len);
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&v, p, 8);
		sim_trace_u64(v);
	}
	if (len) {
		v = 0;
		memcpy(&v, p, len);
		sim_trace_u64(v);
	}
}

void sim_fault(enum sim_fault fault)
{
	sim.faults[fault]++;
	sim_trace_u64(fault);
}

bool sim_sync_lies(const char *path)
{
	return sim.no_sync && strstr(path, sim.no_sync);
}

void sim_say(const char *fmt, ...)
{
	va_list ap;

	if (!sim.verbose)
		return;
	va_start(ap, fmt);
	fprintf(stderr, "%11.6f ------ ", (double)sim.now / 1e6);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

void sim_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fflush(stdout);
	fprintf(stderr, "seed %llu: at %.6f s, event %llu, in %s: ", (unsigned long long)sim.seed,
		(double)sim.now / 1e6, (unsigned long long)sim.events,
		sim.current ? sim.current->name : "the world");
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	fflush(stderr);
	abort();
}

/* ---- events: a heap by time, then by order ---- */

struct sim_event {
	int64_t at;
	uint64_t order;
	struct sim_proc *proc;
	const char *what;
	void (*fn)(void *arg);
	void *arg;
	size_t place;
};

static struct {
	struct sim_event **heap;
	size_t n, cap;
	uint64_t order;
	struct sim_event *spare; /* chained by arg */
} queue;

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void put_at(struct sim_event *event, size_t place)
{
	queue.heap[place] = event;
	event->place = place;
}

static void sift(struct sim_event *event, size_t place)
{
	while (place > 0 && before(event, queue.heap[(place - 1) / 2])) {
		put_at(queue.heap[(place - 1) / 2], place);
		place = (place - 1) / 2;
	}
	for (;;) {
		size_t child = 2 * place + 1;

		if (child + 1 < queue.n && before(queue.heap[child + 1], queue.heap[child]))
			child++;
		if (child >= queue.n || !before(queue.heap[child], event))
			break;
		put_at(queue.heap[child], place);
		place = child;
	}
	put_at(event, place);
}

static void take_out(struct sim_event *event)
{
	size_t place = event->place;
	struct sim_event *last = queue.heap[--queue.n];

	if (last != event)
		sift(last, place);
}

static void give_back(struct sim_event *event)
{
	event->arg = queue.spare;
	queue.spare = event;
}

struct sim_event *sim_post(struct sim_proc *proc, int64_t after, const char *what,
			   void (*fn)(void *arg), void *arg)
{
	struct sim_event *event = queue.spare;

	if (event)
		queue.spare = event->arg;
	else
		event = rc_alloc(sizeof(*event));
	if (queue.n == queue.cap) {
		queue.cap = queue.cap * 2 + 64;
		queue.heap = rc_realloc_array(queue.heap, queue.cap, sizeof(struct sim_event *));
	}
	*event = (struct sim_event){
		sim.now + (after > 0 ? after : 0), ++queue.order, proc, what, fn, arg, 0};
	queue.n++;
	sift(event, queue.n - 1);
	return event;
}

void sim_cancel(struct sim_event *event)
{
	take_out(event);
	give_back(event);
}

static void drop_events_of(struct sim_proc *proc)
{
	size_t n = 0;

	for (size_t i = 0; i < queue.n; i++) {
		if (queue.heap[i]->proc != proc)
			queue.heap[n++] = queue.heap[i];
		else
			give_back(queue.heap[i]);
	}
	/* In any order that keeps the heap: it is made anew. */
	queue.n = 0;
	for (size_t i = 0; i < n; i++) {
		struct sim_event *event = queue.heap[i];

		queue.n++;
		sift(event, queue.n - 1);
	}
}

/* ---- processes ---- */

static ucontext_t scheduler;
static jmp_buf out_of_callback;
static bool in_callback; /* on the scheduler's stack, for a process that waits in its loop */

static void ended(struct sim_proc *proc, enum sim_end how, int code)
{
	proc->end = how;
	proc->exit_code = code;
	proc->loop = NULL;
	proc->chaind = NULL;
	proc->peerd = NULL;
	proc->utxod = NULL;
	drop_events_of(proc);
}

static void first_steps(void)
{
	struct sim_proc *proc = sim.current;
	int code = proc->main(proc->argc, proc->argv);

	sim_exit(code);
}

static void unlist(struct sim_proc *proc)
{
	struct sim_proc **link = &sim.procs;

	while (*link && *link != proc)
		link = &(*link)->next;
	if (*link)
		*link = proc->next;
}

static void tell_end(struct sim_proc *proc)
{
	sim_say("%s ends with %d", proc->name, proc->exit_code);
	sim.current = NULL;
	unlist(proc);
	sim_bus_proc_ended(proc);
	sim_net_proc_ended(proc);
	sim_disk_proc_ended(proc);
	sim_files_proc_ended(proc);
	if (proc->on_end)
		proc->on_end(proc);
}

void sim_exit(int code)
{
	struct sim_proc *proc = sim.current;

	assert(proc);
	ended(proc, SIM_EXITED, code);
	if (in_callback)
		longjmp(out_of_callback, 1);
	setcontext(&scheduler);
	abort();
}

/* Until it waits in its loop, or ends. */
static void resume(struct sim_proc *proc)
{
	sim.current = proc;
	swapcontext(&scheduler, &proc->context);
	sim.current = NULL;
	if (proc->end != SIM_RUNS)
		tell_end(proc);
}

void sim_wait_in_loop(struct rc_loop *loop)
{
	struct sim_proc *proc = sim.current;

	assert(!in_callback); /* a wait inside of a callback: no daemon does that */
	proc->loop = loop;
	swapcontext(&proc->context, &scheduler);
	sim.current = proc;
}

static void start(void *arg)
{
	resume(arg);
}

struct sim_proc *sim_spawn(const char *name, unsigned node, int (*main)(int argc, char **argv),
			   int argc, char **argv)
{
	static uint64_t serial;
	struct sim_proc *proc = rc_alloc(sizeof(*proc));
	void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (stack == MAP_FAILED)
		sim_fail("no memory for a stack");
	snprintf(proc->name, sizeof(proc->name), "%s", name);
	proc->node = node;
	proc->serial = ++serial;
	proc->main = main;
	proc->argc = argc;
	proc->argv = argv;
	proc->mono_offset = SIM_SECOND * (int64_t)(1000 + (node == SIM_NOBODY ? 0 : node) * 1009);
	sim_random_seed(&proc->random, sim.seed ^ proc->serial << 40);
	getcontext(&proc->context);
	proc->context.uc_stack.ss_sp = stack;
	proc->context.uc_stack.ss_size = STACK_BYTES;
	makecontext(&proc->context, first_steps, 0);
	proc->next = sim.procs;
	sim.procs = proc;
	sim_post(NULL, 1, "start", start, proc);
	return proc;
}

void sim_kill(struct sim_proc *proc)
{
	assert(sim.current != proc);
	if (proc->end != SIM_RUNS)
		return;
	ended(proc, SIM_KILLED, -9);
	unlist(proc);
}

void sim_terminate(struct sim_proc *proc)
{
	if (proc->loop)
		sim_loop_signal(proc->loop, 15);
}

void sim_pause(struct sim_proc *proc, int64_t us)
{
	proc->paused_until = sim.now + us;
}

/* ---- running ---- */

void sim_init(uint64_t seed)
{
	sim = (struct sim_world){.seed = seed, .disk_slow = 1};
	sim_random_seed(&sim.random, seed);
	sim.wall_base = INT64_C(1800000000000) + (int64_t)sim_random_below(&sim.random, 100000000);
}

static void run_event(struct sim_event *event)
{
	struct sim_proc *proc = event->proc;
	void (*fn)(void *arg) = event->fn;
	void *arg = event->arg;

	sim.events++;
	sim_trace_u64((uint64_t)sim.now ^ (proc ? proc->serial << 48 : 0));
	give_back(event);
	if (!proc) {
		fn(arg);
	} else {
		in_callback = true;
		sim.current = proc;
		if (!_setjmp(out_of_callback))
			fn(arg);
		in_callback = false;
		sim.current = NULL;
		if (proc->end == SIM_EXITED)
			tell_end(proc);
		else if (proc->loop && rc_loop_is_stopped(proc->loop))
			resume(proc);
	}
	if (sim.after_event)
		sim.after_event(proc && proc->end == SIM_RUNS ? proc : NULL);
}

bool sim_run_until(int64_t time, bool (*done)(void *arg), void *arg)
{
	while (!done || !done(arg)) {
		struct sim_event *event = queue.n ? queue.heap[0] : NULL;

		if (!event || event->at > time) {
			sim.now = time;
			return false;
		}
		if (event->proc && event->proc->paused_until > event->at) {
			event->at = event->proc->paused_until;
			sift(event, 0);
			continue;
		}
		take_out(event);
		sim.now = event->at;
		run_event(event);
	}
	return true;
}
