/* See secret.h. */
#include "tools/rusty-wallet/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <jansson.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"

/* Before a block of Jansson's: how long it is, for it to be wiped. */
union block_head {
	size_t size;
	max_align_t align;
};

static void *json_block_alloc(size_t size)
{
	union block_head *head = malloc(sizeof(*head) + size);

	if (!head)
		return NULL;
	head->size = size;
	return head + 1;
}

static void json_block_free(void *block)
{
	union block_head *head = block;

	if (!block)
		return;
	head--;
	rc_wipe(head, sizeof(*head) + head->size);
	free(head);
}

static char out_buffer[BUFSIZ];

void secret_protect_process(void)
{
	struct rlimit none = {0, 0};

	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
	json_set_alloc_funcs(json_block_alloc, json_block_free);
	setvbuf(stdout, out_buffer, _IOFBF, sizeof(out_buffer));
}

int secret_flush(void)
{
	int err = fflush(stdout);

	if (err)
		__fpurge(stdout); /* or exit would write what is left: zeros, after the wipe */
	rc_wipe(out_buffer, sizeof(out_buffer));
	return err;
}

void *secret_alloc(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		rc_log(RC_LOG_CRIT, "out of memory (%zu bytes for secrets)", size);
		abort();
	}
	if (mlock(p, size) < 0)
		rc_log(RC_LOG_WARNING,
		       "secrets may be swapped out: %s (raise the limit of locked memory, ulimit "
		       "-l)",
		       strerror(errno));
	madvise(p, size, MADV_DONTDUMP);
	madvise(p, size, MADV_WIPEONFORK);
	return p;
}

void secret_free(void *secret, size_t size)
{
	if (!secret)
		return;
	rc_wipe(secret, size);
	munmap(secret, size);
}

/* Reads byte by byte, so that what follows the line stays in a descriptor others read on. */
static int read_line(int fd, char *buf, size_t size, struct rc_error *error)
{
	size_t len = 0;

	for (;;) {
		char c;
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rc_error_errno(error, "descriptor %d", fd);
		if (n == 0 && len == 0)
			return rc_error_set(error, RC_EINVAL, "nothing was given");
		if (n == 0 || c == '\n')
			break;
		if (c == '\0')
			return rc_error_set(error, RC_EINVAL, "a zero byte in the text");
		if (len + 1 == size)
			return rc_error_set(error, RC_ETOOBIG, "more than %zu bytes", size - 1);
		buf[len++] = c;
	}
	if (len && buf[len - 1] == '\r')
		len--;
	buf[len] = '\0';
	return RC_OK;
}

/* A line typed unseen. Signals that end the program wait until the terminal shows what is typed
 * again, or the shell would be left blind. */
static int read_hidden(int tty, const struct termios *old, char *buf, size_t size,
		       struct rc_error *error)
{
	struct pollfd fds[2] = {{.fd = tty, .events = POLLIN}, {.events = POLLIN}};
	struct termios quiet = *old;
	sigset_t ending, before;
	int err;

	sigemptyset(&ending);
	sigaddset(&ending, SIGHUP);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGQUIT);
	sigaddset(&ending, SIGTERM);
	sigprocmask(SIG_BLOCK, &ending, &before);
	fds[1].fd = signalfd(-1, &ending, SFD_CLOEXEC);
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(tty, TCSAFLUSH, &quiet);
	while (poll(fds, RC_ARRAY_LEN(fds), -1) < 0 && errno == EINTR)
		;
	err = fds[1].revents ? rc_error_set(error, RC_ECANCELLED, "interrupted")
			     : read_line(tty, buf, size, error);
	tcsetattr(tty, TCSAFLUSH, old);
	dprintf(tty, "\n");
	if (fds[1].fd >= 0)
		close(fds[1].fd);
	sigprocmask(SIG_SETMASK, &before, NULL); /* the signal comes now */
	return err;
}

static int ask_terminal(const char *prompt, bool hidden, char *buf, size_t size,
			struct rc_error *error)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC), err;
	struct termios old;

	if (tty < 0)
		return rc_error_set(error, RC_EINVAL,
				    "no terminal to ask at: give the text by a descriptor "
				    "(--passphrase-fd, --words-fd)");
	dprintf(tty, "%s: ", prompt);
	if (hidden && tcgetattr(tty, &old) == 0)
		err = read_hidden(tty, &old, buf, size, error);
	else
		err = read_line(tty, buf, size, error);
	close(tty);
	return err;
}

int secret_read_line(int fd, const char *prompt, bool hidden, char *buf, size_t size,
		     struct rc_error *error)
{
	int err = fd >= 0 ? read_line(fd, buf, size, error)
			  : ask_terminal(prompt, hidden, buf, size, error);

	if (err < 0)
		rc_wipe(buf, size);
	return err;
}

int secret_read_new_passphrase(int fd, char buf[PASSPHRASE_MAX], struct rc_error *error)
{
	char *again;
	int err = secret_read_line(fd, "New passphrase", true, buf, PASSPHRASE_MAX, error);

	if (err < 0)
		return err;
	if (!*buf)
		return rc_error_set(error, RC_EINVAL, "the passphrase is empty");
	if (fd >= 0)
		return RC_OK;
	again = secret_alloc(PASSPHRASE_MAX);
	err = secret_read_line(-1, "The same again", true, again, PASSPHRASE_MAX, error);
	if (err == RC_OK && strcmp(buf, again) != 0)
		err = rc_error_set(error, RC_EINVAL, "the two passphrases differ");
	secret_free(again, PASSPHRASE_MAX);
	return err;
}
