/*
 * tapwire: a network of hosts that are network namespaces, and everything that can go wrong in it.
 * It opens a TAP in each, carries Ethernet frames between them as a switch, and delays, loses,
 * doubles, reorders, corrupts, thins and cuts as control lines on stdin say. For kernels without
 * netem, and for faults that can be repeated. README.md beside the tests tells how to use it.
 *
 * It needs CAP_SYS_ADMIN and CAP_NET_ADMIN, and /dev/net/tun. It ends with stdin, or by SIGTERM or
 * SIGINT; the interfaces go with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "tests/net/tapwire/control.h"
#include "tests/net/tapwire/tap.h"
#include "tests/net/tapwire/units.h"

enum {
	FRAMES_A_TURN = 64, /* of one port, before others and what is due have their turn */
	LINE_SIZE = 8192,
	MEMORY_MAX = 64 << 20, /* frames on their way; more are dropped, and counted as overflow */
};

struct program {
	struct wire wire;
	const char *ifname;
	const char *netns[PORTS_MAX];
	int taps[PORTS_MAX];
	int timer, signals;
	char line[LINE_SIZE];
	size_t line_len;
	bool line_too_long;
};

static void usage(FILE *out)
{
	fprintf(out,
		"usage: tapwire [--seed N] [--ifname NAME] PORT=NETNS PORT=NETNS...\n"
		"\n"
		"A switch between network namespaces, with faults. In each NETNS "
		"(/run/netns/NAME,\n"
		"/proc/PID/ns/net) an interface is made; \"ready\", the seed and each port's\n"
		"address are told on stdout. Then control lines are read from stdin, each "
		"answered\n"
		"by one line: ok, error: and why, or JSON. The end of stdin is the end.\n"
		"\n"
		"  --seed N       the random choices, a number; else by chance\n"
		"  --ifname NAME  of the interface in each namespace, eth0\n"
		"\n"
		"%s",
		control_help);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static bool deliver(void *ctx, unsigned port, const uint8_t *bytes, size_t len)
{
	const struct program *p = ctx;

	return write(p->taps[port], bytes, len) == (ssize_t)len;
}

/* ---- start ---- */

static _Noreturn void fail_usage(const char *what, const char *word)
{
	fprintf(stderr, "tapwire: %s: \"%s\" (--help tells more)\n", what, word);
	exit(EX_USAGE);
}

static void add_port(struct program *p, char *word)
{
	const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
	char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : 0;
	unsigned n = p->wire.n_ports;

	if (!equals || !equals[1])
		fail_usage("not PORT=NETNS", word);
	if (len == 0 || len > NAME_MAX_LEN || strspn(word, allowed) < len)
		fail_usage("a port's name is 1 to 15 letters, digits, _ - .", word);
	if (n == PORTS_MAX)
		fail_usage("more than 64 ports", word);
	memcpy(p->wire.ports[n].name, word, len);
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(p->wire.ports[i].name, p->wire.ports[n].name) == 0)
			fail_usage("two ports of one name", word);
	}
	p->netns[n] = equals + 1;
	p->wire.n_ports++;
}

/* False: --help or --version was all. */
static bool read_options(struct program *p, int argc, char **argv)
{
	static const struct option options[] = {{"seed", required_argument, NULL, 's'},
						{"ifname", required_argument, NULL, 'i'},
						{"help", no_argument, NULL, 'h'},
						{"version", no_argument, NULL, 'v'},
						{NULL, 0, NULL, 0}};
	bool seeded = false;
	int c;

	p->ifname = "eth0";
	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 's':
			if (!units_number(optarg, &p->wire.seed))
				fail_usage("--seed is no number up to 2^59", optarg);
			seeded = true;
			break;
		case 'i':
			if (strlen(optarg) == 0 || strlen(optarg) >= IFNAMSIZ)
				fail_usage("--ifname has 1 to 15 characters", optarg);
			p->ifname = optarg;
			break;
		case 'h':
			usage(stdout);
			return false;
		case 'v':
			printf("tapwire %s\n", RC_VERSION);
			return false;
		default:
			exit(EX_USAGE);
		}
	}
	for (; optind < argc; optind++)
		add_port(p, argv[optind]);
	if (p->wire.n_ports < 2)
		fail_usage("two ports at least are needed", "PORT=NETNS PORT=NETNS");
	if (!seeded) {
		uint32_t seed;

		if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
			exit(EX_OSERR);
		p->wire.seed = seed;
	}
	return true;
}

static int begin(struct program *p)
{
	sigset_t set;
	char error[256];

	p->wire.deliver = deliver;
	p->wire.ctx = p;
	p->wire.memory_max = MEMORY_MAX;
	wire_init(&p->wire);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	p->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (p->signals < 0 || p->timer < 0) {
		fprintf(stderr, "tapwire: %s\n", strerror(errno));
		return EX_OSERR;
	}
	for (unsigned i = 0; i < p->wire.n_ports; i++) {
		p->taps[i] = tap_open(p->netns[i], p->ifname, p->wire.ports[i].mac, error,
				      sizeof(error));
		if (p->taps[i] < 0) {
			fprintf(stderr, "tapwire: port %s: %s\n", p->wire.ports[i].name, error);
			return EX_OSERR;
		}
	}
	printf("ready seed=%" PRIu64, p->wire.seed);
	for (unsigned i = 0; i < p->wire.n_ports; i++) {
		const uint8_t *m = p->wire.ports[i].mac;

		printf(" %s=%02x:%02x:%02x:%02x:%02x:%02x", p->wire.ports[i].name, m[0], m[1], m[2],
		       m[3], m[4], m[5]);
	}
	putchar('\n');
	return fflush(stdout) ? EX_IOERR : EX_OK;
}

/* ---- work ---- */

/* False: the end of stdin. */
static bool read_control(struct program *p)
{
	char *end;
	ssize_t n = read(STDIN_FILENO, p->line + p->line_len, LINE_SIZE - p->line_len);

	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	p->line_len += (size_t)n;
	while ((end = memchr(p->line, '\n', p->line_len))) {
		size_t used = (size_t)(end - p->line) + 1;

		*end = '\0';
		if (p->line_too_long || strlen(p->line) != used - 1)
			puts("error: the line is too long, or holds a zero byte");
		else
			control_line(&p->wire, p->line, stdout);
		p->line_too_long = false;
		p->line_len -= used;
		memmove(p->line, p->line + used, p->line_len);
	}
	if (p->line_len == LINE_SIZE) {
		p->line_too_long = true;
		p->line_len = 0;
	}
	return fflush(stdout) == 0;
}

static void read_frames(struct program *p, unsigned port)
{
	uint8_t bytes[FRAME_MAX + 1];

	for (unsigned i = 0; i < FRAMES_A_TURN; i++) {
		ssize_t n = read(p->taps[port], bytes, sizeof(bytes));

		if (n <= 0)
			return;
		wire_receive(&p->wire, port, bytes, (size_t)n, now_ns());
	}
}

static void arm(struct program *p, int64_t next)
{
	struct itimerspec when = {0};

	if (next != INT64_MAX)
		when.it_value = (struct timespec){next / NS_PER_S, next % NS_PER_S};
	timerfd_settime(p->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static int work(struct program *p)
{
	struct pollfd fds[3 + PORTS_MAX] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = p->signals, .events = POLLIN},
		{.fd = p->timer, .events = POLLIN},
	};
	int64_t armed = INT64_MAX, next;

	for (unsigned i = 0; i < p->wire.n_ports; i++)
		fds[3 + i] = (struct pollfd){.fd = p->taps[i], .events = POLLIN};
	for (;;) {
		if (poll(fds, 3 + p->wire.n_ports, -1) < 0) {
			if (errno == EINTR)
				continue;
			return EX_OSERR;
		}
		if (fds[1].revents || (fds[0].revents && !read_control(p)))
			return EX_OK;
		for (unsigned i = 0; i < p->wire.n_ports; i++) {
			if (fds[3 + i].revents)
				read_frames(p, i);
		}
		next = wire_run(&p->wire, now_ns());
		/* One that has rung is set again, which takes its mark away. */
		if (next != armed || fds[2].revents)
			arm(p, next);
		armed = next;
	}
}

int main(int argc, char **argv)
{
	static struct program program;
	int code;

	if (!read_options(&program, argc, argv))
		return EX_OK;
	code = begin(&program);
	if (code == EX_OK)
		code = work(&program);
	wire_done(&program.wire);
	return code;
}
