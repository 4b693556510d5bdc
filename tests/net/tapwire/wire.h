/*
 * The wire: a switch with a fault injector on each pair of its ports and a line of limited rate to
 * each host. It opens nothing and reads no clock: frames, times and what delivers are given to it.
 *
 * The switch's table is fixed, not learnt: port i has the address 02:74:77:00:hi:lo of i + 1, its
 * frames go there, those to a group address go to every other port, others nowhere ("unknown").
 *
 * A frame passes: the sender's line (rate, queue) → the pair: cut, loss, duplication, corruption,
 * the pair's rate and queue, delay with jitter, reordering → the receiver's line.
 *
 * Each choice is a hash of the seed, the pair, the number of the frame among those of its pair, and
 * what is chosen: the same frames meet the same fate, whatever other pairs do, and whatever else is
 * set for the pair.
 */
#ifndef TAPWIRE_WIRE_H
#define TAPWIRE_WIRE_H

#include "tests/net/tapwire/heap.h"

#define PORTS_MAX     64
#define FRAME_MAX     9018 /* an MTU of 9,000 with its header */
#define ETHER_HEADER  14
#define NAME_MAX_LEN  15
#define QUEUE_DEFAULT (64 << 10) /* half a second of 1 Mbit/s */
#define GAP_DEFAULT   (20 * INT64_C(1000000))

/* A line of a rate: when the last byte of what was queued leaves. */
struct line {
	uint64_t rate;	/* bits a second; 0: without limit */
	uint32_t queue; /* bytes that may wait; more are dropped */
	int64_t free_ns;
};

/* What happens on the way from one port to another. */
struct faults {
	int64_t delay_ns;
	int64_t jitter_ns; /* delay ± this; order is kept */
	int64_t gap_ns;	   /* how much later a frame comes that is to be overtaken */
	uint32_t loss, duplicate, corrupt, reorder; /* millionths */
};

/*
 * frames + duplicated = delivered + lost + cut + overflow + down + those on their way.
 * reordered: of the delivered, how many had been overtaken; corrupted: how many had a bit turned;
 * delayed: how many came later by delay, jitter or order; queued: how often one took its time on a
 * line with a rate.
 */
#define COUNTERS(X)  \
	X(frames)    \
	X(bytes)     \
	X(delivered) \
	X(lost)      \
	X(cut)       \
	X(overflow)  \
	X(down) X(duplicated) X(corrupted) X(reordered) X(delayed) X(queued)
struct counters {
#define FIELD(name) uint64_t name;
	COUNTERS(FIELD)
#undef FIELD
};

struct pair {
	struct faults faults;
	struct line line;
	bool cut;
	int64_t last_due_ns;  /* what keeps its place comes no earlier */
	uint64_t number;      /* of the next frame, from 1 */
	uint64_t last_number; /* the highest that was delivered */
	struct counters n;
};

struct port {
	char name[NAME_MAX_LEN + 1];
	uint8_t mac[6];
	struct line up, down; /* from the host, to it */
	uint64_t unknown;     /* frames from it to nobody's address, or too short */
};

struct wire {
	uint64_t seed;
	unsigned n_ports;
	struct port ports[PORTS_MAX];
	struct pair *pairs; /* [from * n_ports + to] */
	struct heap heap;
	size_t memory_max; /* frames beyond are dropped as overflow */
	/* Gives bytes to a host; false: it didn't take them. */
	bool (*deliver)(void *ctx, unsigned port, const uint8_t *bytes, size_t len);
	void *ctx;
};

/* Ports have their names; addresses and pairs are made here. */
void wire_init(struct wire *wire);
void wire_done(struct wire *wire);
struct pair *wire_pair(struct wire *wire, unsigned from, unsigned to);
/* Faults and rates of the pair as at the beginning; a cut stays. */
void wire_clear_pair(struct pair *pair);
void wire_clear_port(struct port *port);
/* The choices begin anew with another seed, each pair's frames with number 1. */
void wire_reseed(struct wire *wire, uint64_t seed);
/* A frame from a host. */
void wire_receive(struct wire *wire, unsigned from, const uint8_t *bytes, size_t len, int64_t now);
/* Delivers what is due; returns when the next is, INT64_MAX: nothing is on its way. */
int64_t wire_run(struct wire *wire, int64_t now);

#endif
