/* Commands are rows of one table, what may be set are rows of another. */
#include "tests/net/tapwire/control.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "tests/net/tapwire/units.h"

enum { WORDS_MAX = 32 };

const char control_help[] =
	"  set A B [oneway] KEY=VALUE...  what happens between ports: delay=100ms jitter=10ms\n"
	"                                 loss=5% duplicate=1% corrupt=0.1% reorder=10% gap=20ms\n"
	"                                 rate=1mbit queue=64k; VALUE none takes a fault away\n"
	"  line A KEY=VALUE...            a host's own line, which all its pairs share:\n"
	"                                 up=1mbit down=8mbit queue=64k\n"
	"  cut A B [oneway]               nothing passes from A to B (and from B to A)\n"
	"  heal [A B [oneway]]            the end of cuts: these or all\n"
	"  clear [A B [oneway]]           the end of what set did; without ports, of line too\n"
	"  seed N                         random choices begin anew\n"
	"  reset                          all counters are 0\n"
	"  stats                          counters of each pair that had frames, as JSON\n"
	"A and B: port names with commas between them, or * for all.\n";

struct request {
	struct wire *wire;
	FILE *out;
	char *words[WORDS_MAX];
	unsigned n;
};

/* Ports of a word, by number. */
struct set {
	bool has[PORTS_MAX];
};

static bool refuse(struct request *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static bool refuse(struct request *r, const char *format, ...)
{
	va_list args;

	fputs("error: ", r->out);
	va_start(args, format);
	vfprintf(r->out, format, args);
	va_end(args);
	fputc('\n', r->out);
	return false;
}

static bool read_ports(struct request *r, char *word, struct set *ret)
{
	char *rest = word, *name;
	unsigned i;

	*ret = (struct set){0};
	if (strcmp(word, "*") == 0) {
		for (i = 0; i < r->wire->n_ports; i++)
			ret->has[i] = true;
		return true;
	}
	while ((name = strsep(&rest, ","))) {
		for (i = 0; i < r->wire->n_ports; i++) {
			if (strcmp(r->wire->ports[i].name, name) == 0)
				break;
		}
		if (i == r->wire->n_ports)
			return refuse(r, "there is no port \"%.40s\"", name);
		ret->has[i] = true;
	}
	return true;
}

/* The pairs of words 1 … 3: from A to B, and back unless oneway. */
struct pairs {
	struct set a, b;
	bool oneway;
	unsigned next_word;
};

static bool read_pairs(struct request *r, struct pairs *ret)
{
	bool any = false;

	if (r->n < 3)
		return refuse(r, "%s: two ports are needed, or * for all", r->words[0]);
	if (!read_ports(r, r->words[1], &ret->a) || !read_ports(r, r->words[2], &ret->b))
		return false;
	ret->oneway = r->n > 3 && strcmp(r->words[3], "oneway") == 0;
	ret->next_word = 3 + ret->oneway;
	for (unsigned i = 0; i < r->wire->n_ports; i++) {
		for (unsigned j = 0; j < r->wire->n_ports; j++)
			any |= i != j && ret->a.has[i] && ret->b.has[j];
	}
	return any || refuse(r, "%s: no two different ports are named", r->words[0]);
}

static bool no_more_words(struct request *r, unsigned from)
{
	return r->n <= from || refuse(r, "%s: \"%.40s\" is too much", r->words[0], r->words[from]);
}

static bool in_pairs(const struct pairs *p, unsigned from, unsigned to)
{
	return from != to &&
	       ((p->a.has[from] && p->b.has[to]) || (!p->oneway && p->b.has[from] && p->a.has[to]));
}

/* ---- what may be set ---- */

enum kind { DURATION, CHANCE, RATE, QUEUE };

struct key {
	const char *name;
	enum kind kind;
	size_t offset; /* in struct pair or struct port */
	const char *example;
};

static const struct key pair_keys[] = {
	{"delay", DURATION, offsetof(struct pair, faults.delay_ns), "100ms, at most 60s"},
	{"jitter", DURATION, offsetof(struct pair, faults.jitter_ns), "10ms, at most 60s"},
	{"gap", DURATION, offsetof(struct pair, faults.gap_ns), "20ms, at most 60s"},
	{"loss", CHANCE, offsetof(struct pair, faults.loss), "5%, at most 100%"},
	{"duplicate", CHANCE, offsetof(struct pair, faults.duplicate), "5%, at most 100%"},
	{"corrupt", CHANCE, offsetof(struct pair, faults.corrupt), "5%, at most 100%"},
	{"reorder", CHANCE, offsetof(struct pair, faults.reorder), "5%, at most 100%"},
	{"rate", RATE, offsetof(struct pair, line.rate), "1mbit, 1kbit to 100gbit"},
	{"queue", QUEUE, offsetof(struct pair, line.queue), "64k, 2k to 64m bytes"},
	{NULL, 0, 0, NULL},
};

static const struct key line_keys[] = {
	{"up", RATE, offsetof(struct port, up.rate), "1mbit, 1kbit to 100gbit"},
	{"down", RATE, offsetof(struct port, down.rate), "1mbit, 1kbit to 100gbit"},
	{"queue", QUEUE, offsetof(struct port, up.queue), "64k, 2k to 64m bytes"},
	{NULL, 0, 0, NULL},
};

static bool read_value(const struct key *key, const char *value, void *object)
{
	void *field = (char *)object + key->offset;

	switch (key->kind) {
	case DURATION:
		return units_duration(value, field);
	case CHANCE:
		return units_chance(value, field);
	case RATE:
		return units_rate(value, field);
	case QUEUE:
		return units_size(value, field);
	}
	return false;
}

/* KEY=VALUE of words from … into an object; with an object that is thrown away: whether they can
 * be read. */
static bool apply(struct request *r, unsigned from, const struct key *keys, void *object)
{
	if (from == r->n)
		return refuse(r, "%s: nothing to set, KEY=VALUE is missing", r->words[0]);
	for (unsigned i = from; i < r->n; i++) {
		const struct key *key = keys;
		char *equals = strchr(r->words[i], '=');
		size_t len = equals ? (size_t)(equals - r->words[i]) : 0;

		if (!equals)
			return refuse(r, "\"%.60s\" is not KEY=VALUE", r->words[i]);
		while (key->name &&
		       (strlen(key->name) != len || strncmp(key->name, r->words[i], len) != 0))
			key++;
		if (!key->name)
			return refuse(r, "%s has no key \"%.*s\"", r->words[0], (int)len,
				      r->words[i]);
		if (!read_value(key, equals + 1, object))
			return refuse(r, "%s: \"%.40s\" is not like %s", key->name, equals + 1,
				      key->example);
	}
	return true;
}

/* ---- commands ---- */

static bool on_set(struct request *r)
{
	struct pair scratch = {0};
	struct pairs p;

	if (!read_pairs(r, &p) || !apply(r, p.next_word, pair_keys, &scratch))
		return false;
	for (unsigned i = 0; i < r->wire->n_ports; i++) {
		for (unsigned j = 0; j < r->wire->n_ports; j++) {
			if (in_pairs(&p, i, j))
				apply(r, p.next_word, pair_keys, wire_pair(r->wire, i, j));
		}
	}
	return true;
}

static bool on_line(struct request *r)
{
	struct port scratch = {0};
	struct set set;

	if (r->n < 2)
		return refuse(r, "line: a port is needed, or * for all");
	if (!read_ports(r, r->words[1], &set) || !apply(r, 2, line_keys, &scratch))
		return false;
	for (unsigned i = 0; i < r->wire->n_ports; i++) {
		if (!set.has[i])
			continue;
		apply(r, 2, line_keys, &r->wire->ports[i]);
		r->wire->ports[i].down.queue = r->wire->ports[i].up.queue;
	}
	return true;
}

static bool set_cut(struct request *r, bool cut)
{
	struct pairs p;

	if (!read_pairs(r, &p) || !no_more_words(r, p.next_word))
		return false;
	for (unsigned i = 0; i < r->wire->n_ports; i++) {
		for (unsigned j = 0; j < r->wire->n_ports; j++) {
			if (in_pairs(&p, i, j))
				wire_pair(r->wire, i, j)->cut = cut;
		}
	}
	return true;
}

static bool on_cut(struct request *r)
{
	return set_cut(r, true);
}

static bool on_heal(struct request *r)
{
	if (r->n > 1)
		return set_cut(r, false);
	for (unsigned i = 0; i < r->wire->n_ports * r->wire->n_ports; i++)
		r->wire->pairs[i].cut = false;
	return true;
}

static bool on_clear(struct request *r)
{
	struct pairs p = {.oneway = true};

	if (r->n == 1) {
		for (unsigned i = 0; i < r->wire->n_ports; i++) {
			p.a.has[i] = p.b.has[i] = true;
			wire_clear_port(&r->wire->ports[i]);
		}
	} else if (!read_pairs(r, &p) || !no_more_words(r, p.next_word)) {
		return false;
	}
	for (unsigned i = 0; i < r->wire->n_ports; i++) {
		for (unsigned j = 0; j < r->wire->n_ports; j++) {
			if (in_pairs(&p, i, j))
				wire_clear_pair(wire_pair(r->wire, i, j));
		}
	}
	return true;
}

static bool on_seed(struct request *r)
{
	uint64_t seed;

	if (r->n < 2 || !units_number(r->words[1], &seed))
		return refuse(r, "seed: a number is needed");
	if (!no_more_words(r, 2))
		return false;
	wire_reseed(r->wire, seed);
	return true;
}

static bool on_reset(struct request *r)
{
	if (!no_more_words(r, 1))
		return false;
	for (unsigned i = 0; i < r->wire->n_ports * r->wire->n_ports; i++)
		r->wire->pairs[i].n = (struct counters){0};
	for (unsigned i = 0; i < r->wire->n_ports; i++)
		r->wire->ports[i].unknown = 0;
	return true;
}

static void put_pair(struct request *r, unsigned from, unsigned to, bool first)
{
	const struct pair *pair = wire_pair(r->wire, from, to);

	fprintf(r->out, "%s{\"from\":\"%s\",\"to\":\"%s\"", first ? "" : ",",
		r->wire->ports[from].name, r->wire->ports[to].name);
#define PUT(name) fprintf(r->out, ",\"" #name "\":%" PRIu64, pair->n.name);
	COUNTERS(PUT)
#undef PUT
	fputc('}', r->out);
}

static bool on_stats(struct request *r)
{
	const struct wire *wire = r->wire;
	bool first = true;

	if (!no_more_words(r, 1))
		return false;
	fprintf(r->out, "{\"seed\":%" PRIu64 ",\"held\":%zu,\"held_bytes\":%zu,\"ports\":[",
		wire->seed, wire->heap.n, wire->heap.bytes);
	for (unsigned i = 0; i < wire->n_ports; i++)
		fprintf(r->out, "%s{\"name\":\"%s\",\"unknown\":%" PRIu64 "}", i ? "," : "",
			wire->ports[i].name, wire->ports[i].unknown);
	fputs("],\"pairs\":[", r->out);
	for (unsigned i = 0; i < wire->n_ports; i++) {
		for (unsigned j = 0; j < wire->n_ports; j++) {
			if (!wire_pair(r->wire, i, j)->n.frames)
				continue;
			put_pair(r, i, j, first);
			first = false;
		}
	}
	fputs("]}\n", r->out);
	return true;
}

static const struct command {
	const char *name;
	bool (*run)(struct request *r); /* false: it has said why */
	bool answers;			/* itself */
} commands[] = {
	{"set", on_set, false},	    {"line", on_line, false},	{"cut", on_cut, false},
	{"heal", on_heal, false},   {"clear", on_clear, false}, {"seed", on_seed, false},
	{"reset", on_reset, false}, {"stats", on_stats, true},
};

void control_line(struct wire *wire, char *line, FILE *out)
{
	struct request r = {.wire = wire, .out = out};
	char *rest = NULL;

	for (char *word = strtok_r(line, " \t\r", &rest); word;
	     word = strtok_r(NULL, " \t\r", &rest)) {
		if (r.n == 0 && *word == '#')
			return;
		if (r.n == WORDS_MAX) {
			refuse(&r, "more than %d words", WORDS_MAX);
			return;
		}
		r.words[r.n++] = word;
	}
	if (r.n == 0)
		return;
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(commands[i].name, r.words[0]) != 0)
			continue;
		if (commands[i].run(&r) && !commands[i].answers)
			fputs("ok\n", out);
		return;
	}
	refuse(&r, "there is no command \"%.40s\"", r.words[0]);
}
