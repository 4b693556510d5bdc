/*
 * A whole network in one process: the daemons' own main(), each as a coroutine, with clock,
 * randomness, bus, network and disk replaced by what the linker finds here first. One thread; the
 * order of everything follows from the seed alone.
 *
 * In place of      stands
 *   base/clock.c, base/workers.c, bus/loop.c       schedule.c, loop.c
 *   bus/zsock.c (libzmq)                           bus.c
 *   daemons/peerd/sockets.c (TCP)                  net.c
 *   store/store.c (RocksDB)                        disk.c
 *   open(2) and what works on its descriptors      files.c
 *   base/log.c, service/confine.c, utxod/crew.c,
 *   pthread_create(3)                              host.c
 *
 * A process that is killed is never run again, and its memory is left as it is: a seed has a
 * process of its own, which ends soon.
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "base/clock.h"
#include "base/mem.h"

#define SIM_MS	   INT64_C(1000)
#define SIM_SECOND INT64_C(1000000)
#define SIM_NOBODY UINT32_MAX /* node of a process that belongs to none */

struct rc_loop;
struct rc_source;
struct chaind;
struct peerd;
struct utxod;

/* xoshiro256**, seeded by splitmix64. */
struct sim_random {
	uint64_t s[4];
	struct rc_random random; /* rc_random_…() on &r.random */
};
void sim_random_seed(struct sim_random *r, uint64_t seed);
uint64_t sim_random_u64(struct sim_random *r);
uint64_t sim_random_below(struct sim_random *r, uint64_t n);
bool sim_random_chance(struct sim_random *r, double p);
/* 1 … about 20 × mean, most of them small. */
int64_t sim_random_delay(struct sim_random *r, int64_t mean);

/* ---- processes ---- */

enum sim_end { SIM_RUNS, SIM_EXITED, SIM_KILLED };

struct sim_proc {
	char name[24]; /* "n3/chaind" */
	unsigned node;
	uint64_t serial;
	enum sim_end end;
	int exit_code;
	int (*main)(int argc, char **argv);
	int argc;
	char **argv;
	ucontext_t context;
	struct rc_loop *loop; /* it waits in its turn */
	struct sim_random random;
	int64_t mono_offset; /* µs: clocks of hosts differ */
	int64_t paused_until;
	/* What checks look at; NULL where it isn't one, or isn't open yet. */
	struct chaind *chaind;
	struct peerd *peerd;
	struct utxod *utxod;
	void (*on_end)(struct sim_proc *proc);
	struct sim_proc *next;
};

struct sim_proc *sim_spawn(const char *name, unsigned node, int (*main)(int argc, char **argv),
			   int argc, char **argv);
/* As kill -9: nothing of it runs any more. Its files and connections are the caller's to cut. */
void sim_kill(struct sim_proc *proc);
/* SIGTERM. */
void sim_terminate(struct sim_proc *proc);
/* Nothing of it runs for so long (SIGSTOP, a machine that swaps). */
void sim_pause(struct sim_proc *proc, int64_t us);

/* ---- events ---- */

struct sim_event;
/* fn(arg) in proc (NULL: the world itself) at now + after. Dropped when proc ends. */
struct sim_event *sim_post(struct sim_proc *proc, int64_t after, const char *what,
			   void (*fn)(void *arg), void *arg);
/* Of one that hasn't run. */
void sim_cancel(struct sim_event *event);

/* ---- the world ---- */

enum sim_fault {
	SIM_FAULT_KILL,	   /* a daemon is killed */
	SIM_FAULT_POWER,   /* a host loses power: what wasn't synced is gone, or a part of it */
	SIM_FAULT_LOST,	   /* of those, unsynced writes that were lost */
	SIM_FAULT_STOP,	   /* SIGTERM in the middle of it all */
	SIM_FAULT_PAUSE,   /* a process stands still */
	SIM_FAULT_DISK,	   /* a write fails: the process ends with 74 */
	SIM_FAULT_SPLIT,   /* a partition begins */
	SIM_FAULT_ONE_WAY, /* a partition of one direction begins */
	SIM_FAULT_STALL,   /* bytes that waited for a partition's end */
	SIM_FAULT_RESET,   /* a connection breaks, and what was on its way is lost */
	SIM_FAULT_SLOW,	   /* a path gets slow */
	SIM_FAULT_SYN,	   /* a connection isn't made */
	SIM_FAULT_BUS,	   /* a connection of the bus breaks; requests come twice */
	SIM_FAULT_EVENT,   /* an event of the bus is lost */
	SIM_FAULT_CLOCK,   /* a clock jumps */
	SIM_FAULT_HOSTILE, /* an attacker's link or message */
	SIM_FAULTS
};
extern const char *const sim_fault_names[SIM_FAULTS];

struct sim_world {
	uint64_t seed;
	bool verbose;	   /* the daemons' logs, and every fault */
	int64_t now;	   /* µs since the beginning */
	int64_t wall_base; /* ms since 1970 */
	uint64_t events;
	uint64_t hash; /* of everything that happened */
	uint64_t faults[SIM_FAULTS];
	struct sim_random random; /* the world's own: faults, delays */
	struct sim_proc *procs;
	struct sim_proc *current; /* NULL: the world */
	void (*after_event)(struct sim_proc *proc);
	double bus_event_loss;
	double disk_slow;    /* times as long */
	double disk_failure; /* of a write */
	/* A control: where a path has this in it, a sync does nothing. NULL: none. */
	const char *no_sync;
};
extern struct sim_world sim;

void sim_init(uint64_t seed);
/* Runs events until the time is there, or done (may be NULL) says so; returns whether it did. */
bool sim_run_until(int64_t time, bool (*done)(void *arg), void *arg);
/* Takes bytes, or a number, into the trace. */
void sim_trace(const void *data, size_t len);
void sim_trace_u64(uint64_t v);
void sim_fault(enum sim_fault fault);
bool sim_sync_lies(const char *path);
/* Tells what happens where --verbose asks for it. */
void sim_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* An invariant doesn't hold: prints why and how to replay it, and ends. */
_Noreturn void sim_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* µs that a host's wall clock is off. */
extern int64_t (*sim_wall_offset)(unsigned node);

/* ---- inside of the stand-ins ---- */

/* The present process ends here: _exit. */
_Noreturn void sim_exit(int code);
/* One that waits for another thread of its process: a piece of their work is done instead. */
void sim_work_a_piece(void);
/* The coroutine waits until it is called on. */
void sim_wait_in_loop(struct rc_loop *loop);
bool rc_loop_is_stopped(const struct rc_loop *loop);
void sim_loop_signal(struct rc_loop *loop, int signal);

/* bus.c */
void sim_bus_proc_ended(struct sim_proc *proc);
/* Breaks a connection of the bus of this node by chance; false: there is none. */
bool sim_bus_break_one(unsigned node);

/* net.c: see net.h. */
void sim_net_proc_ended(struct sim_proc *proc);

/* disk.c, files.c: a process was killed, or its host lost power. */
void sim_disk_proc_ended(struct sim_proc *proc);
void sim_disk_power_cut(unsigned node);
void sim_files_proc_ended(struct sim_proc *proc);
void sim_files_power_cut(unsigned node);
/* Every batch that a store of this owner takes is shown, key by key. */
extern void (*sim_disk_on_put)(struct sim_proc *proc, const char *owner, struct rc_bytes key,
			       struct rc_bytes value);

/* host.c: what a daemon logged last at err or crit. */
extern char sim_last_error[512];

/* memo.c */
extern bool sim_memo_on;
extern uint64_t sim_memo_hits, sim_memo_misses;

#endif
