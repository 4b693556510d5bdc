/* What becomes of a frame. The order of the steps is the one wire.h tells. */
#include "tests/net/tapwire/wire.h"

#include <stdlib.h>
#include <string.h>

#include "tests/net/tapwire/units.h"

enum choice { LOSS, DUPLICATE, CORRUPT, CORRUPT_BIT, JITTER, REORDER };

enum { ETHERTYPE_ARP = 0x0806 };

/* The finisher of splitmix64: a bijection that leaves no pattern. */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint64_t choose(const struct wire *wire, const struct frame *frame, enum choice what)
{
	uint64_t x = mix(wire->seed);

	x = mix(x ^ ((uint64_t)frame->from << 32 | frame->to));
	x = mix(x ^ frame->number);
	return mix(x ^ what);
}

/* 0 … below - 1. */
static uint64_t choose_below(const struct wire *wire, const struct frame *frame, enum choice what,
			     uint64_t below)
{
	return (uint64_t)((unsigned __int128)choose(wire, frame, what) * below >> 64);
}

static bool happens(const struct wire *wire, const struct frame *frame, enum choice what,
		    uint32_t chance)
{
	return choose_below(wire, frame, what, CHANCE_ONE) < chance;
}

struct pair *wire_pair(struct wire *wire, unsigned from, unsigned to)
{
	return &wire->pairs[from * wire->n_ports + to];
}

void wire_clear_pair(struct pair *pair)
{
	pair->faults = (struct faults){.gap_ns = GAP_DEFAULT};
	pair->line = (struct line){.queue = QUEUE_DEFAULT};
}

void wire_clear_port(struct port *port)
{
	port->up = port->down = (struct line){.queue = QUEUE_DEFAULT};
}

void wire_reseed(struct wire *wire, uint64_t seed)
{
	wire->seed = seed;
	for (unsigned i = 0; i < wire->n_ports * wire->n_ports; i++) {
		wire->pairs[i].number = 1;
		wire->pairs[i].last_number = 0;
	}
}

void wire_init(struct wire *wire)
{
	wire->pairs = calloc((size_t)wire->n_ports * wire->n_ports, sizeof(*wire->pairs));
	if (!wire->pairs)
		abort();
	for (unsigned i = 0; i < wire->n_ports * wire->n_ports; i++)
		wire_clear_pair(&wire->pairs[i]);
	for (unsigned i = 0; i < wire->n_ports; i++) {
		const uint8_t mac[6] = {2, 't', 'w', 0, (uint8_t)((i + 1) >> 8), (uint8_t)(i + 1)};

		memcpy(wire->ports[i].mac, mac, sizeof(mac));
		wire_clear_port(&wire->ports[i]);
	}
	wire_reseed(wire, wire->seed);
}

void wire_done(struct wire *wire)
{
	heap_done(&wire->heap);
	free(wire->pairs);
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* When the frame has passed the line; false: its queue is full. queued counts those it held. */
static bool line_pass(struct line *line, size_t len, int64_t *now, uint64_t *queued)
{
	int64_t start = later(*now, line->free_ns);

	if (line->rate == 0)
		return true;
	if ((unsigned __int128)(start - *now) * line->rate / 8 / NS_PER_S + len > line->queue)
		return false;
	line->free_ns = start + (int64_t)((unsigned __int128)len * 8 * NS_PER_S / line->rate);
	*now = line->free_ns;
	(*queued)++;
	return true;
}

/* A bit behind the Ethernet header: it reaches the host, whose checksums are to find it. */
static void corrupt(const struct wire *wire, struct frame *frame)
{
	uint64_t bit = choose_below(wire, frame, CORRUPT_BIT, 8 * (frame->len - ETHER_HEADER));

	frame->bytes[ETHER_HEADER + bit / 8] ^= (uint8_t)(1 << bit % 8);
}

/* ARP has no checksum of its own: a wrong answer would poison tables, as no Ethernet lets happen.
 */
static bool may_corrupt(const struct frame *frame)
{
	return frame->len > ETHER_HEADER &&
	       (frame->bytes[12] << 8 | frame->bytes[13]) != ETHERTYPE_ARP;
}

/* One copy of the frame through the pair's line and delay. */
static void enter(struct wire *wire, struct pair *pair, struct frame *frame, int64_t at)
{
	const struct faults *f = &pair->faults;

	if (wire->heap.bytes + sizeof(*frame) + frame->len > wire->memory_max ||
	    !line_pass(&pair->line, frame->len, &at, &pair->n.queued)) {
		pair->n.overflow++;
		free(frame);
		return;
	}
	frame->due_ns = at + f->delay_ns;
	if (f->jitter_ns) {
		uint64_t range = 2 * (uint64_t)f->jitter_ns + 1;

		frame->due_ns += (int64_t)choose_below(wire, frame, JITTER, range) - f->jitter_ns;
		frame->due_ns = later(frame->due_ns, at);
	}
	frame->due_ns = later(frame->due_ns, pair->last_due_ns);
	if (happens(wire, frame, REORDER, f->reorder))
		frame->due_ns += f->gap_ns;
	else
		pair->last_due_ns = frame->due_ns;
	pair->n.delayed += frame->due_ns > at;
	heap_put(&wire->heap, frame);
}

static struct frame *frame_new(unsigned from, unsigned to, const uint8_t *bytes, size_t len)
{
	struct frame *frame = malloc(sizeof(*frame) + len);

	if (!frame)
		abort();
	*frame = (struct frame){
		.from = (uint16_t)from,
		.to = (uint16_t)to,
		.len = (uint16_t)len,
	};
	memcpy(frame->bytes, bytes, len);
	return frame;
}

/* passed: the sender's line had room; queued: it was on it until at. */
static void pair_receive(struct wire *wire, unsigned from, unsigned to, const uint8_t *bytes,
			 size_t len, bool passed, bool queued, int64_t at)
{
	struct pair *pair = wire_pair(wire, from, to);
	struct frame *frame = frame_new(from, to, bytes, len), *copy = NULL;

	frame->number = pair->number++;
	pair->n.frames++;
	pair->n.bytes += len;
	pair->n.queued += queued;
	if (!passed) {
		pair->n.overflow++;
	} else if (pair->cut) {
		pair->n.cut++;
	} else if (happens(wire, frame, LOSS, pair->faults.loss)) {
		pair->n.lost++;
	} else {
		if (happens(wire, frame, CORRUPT, pair->faults.corrupt) && may_corrupt(frame)) {
			corrupt(wire, frame);
			pair->n.corrupted++;
		}
		if (happens(wire, frame, DUPLICATE, pair->faults.duplicate)) {
			copy = frame_new(from, to, frame->bytes, len);
			copy->number = frame->number;
			pair->n.duplicated++;
		}
		enter(wire, pair, frame, at);
		if (copy)
			enter(wire, pair, copy, at);
		return;
	}
	free(frame);
}

void wire_receive(struct wire *wire, unsigned from, const uint8_t *bytes, size_t len, int64_t now)
{
	struct port *port = &wire->ports[from];
	bool group, passed, known = false;
	uint64_t queued = 0;

	if (len < ETHER_HEADER || len > FRAME_MAX) {
		port->unknown++;
		return;
	}
	group = bytes[0] & 1;
	passed = line_pass(&port->up, len, &now, &queued);
	for (unsigned to = 0; to < wire->n_ports; to++) {
		if (to == from || (!group && memcmp(bytes, wire->ports[to].mac, 6) != 0))
			continue;
		known = true;
		pair_receive(wire, from, to, bytes, len, passed, queued > 0, now);
	}
	port->unknown += !known;
}

static void leave(struct wire *wire, struct frame *frame)
{
	struct pair *pair = wire_pair(wire, frame->from, frame->to);

	if (!wire->deliver(wire->ctx, frame->to, frame->bytes, frame->len)) {
		pair->n.down++;
		return;
	}
	pair->n.delivered++;
	if (frame->number < pair->last_number)
		pair->n.reordered++;
	else
		pair->last_number = frame->number;
}

int64_t wire_run(struct wire *wire, int64_t now)
{
	while (heap_next(&wire->heap) <= now) {
		struct frame *frame = heap_take(&wire->heap);
		struct line *down = &wire->ports[frame->to].down;
		struct counters *n = &wire_pair(wire, frame->from, frame->to)->n;
		int64_t at = frame->due_ns;

		if (!frame->queued && down->rate) {
			frame->queued = true;
			if (line_pass(down, frame->len, &at, &n->queued)) {
				frame->due_ns = at;
				heap_put(&wire->heap, frame);
				continue;
			}
			n->overflow++;
		} else {
			leave(wire, frame);
		}
		free(frame);
	}
	return heap_next(&wire->heap);
}
