/* Daemons as processes of their own: they outlive the tool, and are ended by pid. */
#include "tools/rusty-devnet/devnet.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#define STOP_MS	     20000 /* as TimeoutStopSec of the units */
#define ARGS_MAX     (32 + 2 * DEVNET_NODES_MAX)
#define LOG_TAIL_MAX 4096

struct arguments {
	char *list[ARGS_MAX];
	unsigned n;
};

static void add(struct arguments *args, char *text)
{
	args->list[args->n++] = text;
}

static void command_line(const struct devnet *net, unsigned i, unsigned d, struct arguments *args)
{
	const struct devnet_node *node = &net->nodes[i];
	const char *daemon = devnet_daemons[d];

	add(args, rc_asprintf("%s/%s", net->libexecdir, daemon));
	add(args, rc_asprintf("--config=%s/rustycoin.conf", net->dir));
	add(args, rc_strdup("--network=reg"));
	add(args, rc_asprintf("--rundir=%s/run", node->datadir));
	add(args, rc_asprintf("--statedir=%s/%s", node->datadir, daemon));
	if (strcmp(daemon, "peerd") == 0) {
		add(args, rc_asprintf("--port=%u", node->port));
		add(args, rc_strdup("--listen=127.0.0.1"));
		/* To those before it: a full mesh, each pair linked once. */
		for (unsigned j = 0; j < i; j++)
			add(args, rc_asprintf("--addnode=127.0.0.1:%u", net->nodes[j].port));
	} else if (strcmp(daemon, "rpcd") == 0) {
		add(args, rc_asprintf("--rpc_port=%u", node->port + 1u));
		add(args, rc_asprintf("--ops_port=%u", node->port + 2u));
	}
	args->list[args->n] = NULL;
}

/* Writes errno to report if it can't; the pipe closes by itself when it can. */
static _Noreturn void become(const struct arguments *args, const char *log, int report)
{
	int null = open("/dev/null", O_RDONLY);
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0640);
	sigset_t none;

	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (null >= 0 && out >= 0)
		execv(args->list[0], args->list);
	if (write(report, &errno, sizeof(errno)) < 0)
		_exit(126);
	_exit(127);
}

int devnet_start(struct devnet *net, unsigned i, unsigned d, struct rc_error *error)
{
	struct devnet_node *node = &net->nodes[i];
	RC_AUTOFREE char *log = rc_asprintf("%s/%s.log", node->datadir, devnet_daemons[d]);
	RC_AUTOFREE char *run = rc_asprintf("%s/run", node->datadir);
	RC_AUTOFREE char *state = rc_asprintf("%s/%s", node->datadir, devnet_daemons[d]);
	struct arguments args = {.n = 0};
	int err = rc_dir_make(run, 0755, error);
	int report[2], code = 0;
	pid_t pid;

	if (!err)
		err = rc_dir_make(state, 0700, error);
	if (err < 0)
		return err;
	if (pipe2(report, O_CLOEXEC) < 0)
		return rc_error_errno(error, "starting %s", devnet_daemons[d]);
	command_line(net, i, d, &args);
	pid = fork();
	if (pid == 0)
		become(&args, log, report[1]);
	/* Until the pipe closes the process is not yet the daemon, and would look like a stranger.
	 */
	close(report[1]);
	if (pid > 0 && read(report[0], &code, sizeof(code)) == sizeof(code)) {
		errno = code;
		err = rc_error_errno(error, "starting %s", args.list[0]);
	}
	close(report[0]);
	for (unsigned a = 0; a < args.n; a++)
		free(args.list[a]);
	if (pid < 0)
		return rc_error_errno(error, "starting %s", devnet_daemons[d]);
	if (err < 0)
		return err;
	node->pids[d] = pid;
	return RC_OK;
}

/* A pid may have gone to somebody else since: ours has the node's directory in its command. */
bool devnet_running(const struct devnet *net, const struct devnet_node *node, unsigned d)
{
	char path[64], want[PATH_MAX + 64];
	struct rc_buf buf = RC_BUF_INIT;
	bool ours = false;
	int fd;

	(void)net;
	if (node->pids[d] <= 0)
		return false;
	waitpid(node->pids[d], NULL, WNOHANG); /* if it is our child still */
	snprintf(path, sizeof(path), "/proc/%ld/cmdline", (long)node->pids[d]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	snprintf(want, sizeof(want), "--statedir=%s/%s", node->datadir, devnet_daemons[d]);
	for (;;) {
		ssize_t n = read(fd, rc_buf_reserve(&buf, 4096), 4096);

		if (n <= 0)
			break;
		buf.len += (size_t)n;
	}
	close(fd);
	if (buf.len)
		ours = memmem(buf.data, buf.len, want, strlen(want) + 1) != NULL;
	rc_buf_done(&buf);
	return ours;
}

static int pidfd_of(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int devnet_stop(struct devnet *net, struct rc_error *error)
{
	struct pollfd fds[DEVNET_NODES_MAX * DEVNET_DAEMONS];
	const char *names[DEVNET_NODES_MAX * DEVNET_DAEMONS];
	int64_t end = rc_mono_us(&rc_clock_system) + STOP_MS * 1000;
	unsigned n = 0, left;
	int err = RC_OK;

	for (unsigned i = 0; i < net->n_nodes; i++)
		for (unsigned d = DEVNET_DAEMONS; d-- > 0;) {
			struct devnet_node *node = &net->nodes[i];

			if (!devnet_running(net, node, d))
				continue;
			fds[n] = (struct pollfd){pidfd_of(node->pids[d]), POLLIN, 0};
			names[n] = devnet_daemons[d];
			kill(node->pids[d], SIGTERM);
			if (fds[n].fd >= 0)
				n++;
		}
	for (left = n; left;) {
		int64_t ms = (end - rc_mono_us(&rc_clock_system)) / 1000;

		if (ms <= 0 || poll(fds, n, (int)ms) < 0)
			break;
		for (unsigned k = 0; k < n; k++)
			if (fds[k].fd >= 0 && fds[k].revents) {
				close(fds[k].fd);
				fds[k].fd = -1;
				left--;
			}
	}
	for (unsigned k = 0; k < n; k++) {
		if (fds[k].fd < 0)
			continue;
		err = rc_error_set(error, RC_EDEADLINE, "%s didn't stop within %d s: killed",
				   names[k], STOP_MS / 1000);
		syscall(SYS_pidfd_send_signal, fds[k].fd, SIGKILL, NULL, 0);
		poll(&fds[k], 1, STOP_MS);
		close(fds[k].fd);
	}
	return err;
}

void devnet_show_log(const struct devnet_node *node, unsigned d)
{
	RC_AUTOFREE char *path = rc_asprintf("%s/%s.log", node->datadir, devnet_daemons[d]);
	FILE *file = fopen(path, "re");
	char tail[LOG_TAIL_MAX + 1];
	size_t n;

	if (!file)
		return;
	if (fseek(file, -LOG_TAIL_MAX, SEEK_END) != 0)
		rewind(file);
	n = fread(tail, 1, LOG_TAIL_MAX, file);
	tail[n] = 0;
	fclose(file);
	fprintf(stderr, "--- the end of %s\n%s", path, tail);
}
