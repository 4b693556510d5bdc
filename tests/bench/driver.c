/* Reading commands and answering. See driver.h. */
#include "driver.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WORDS_MAX = 32 };

void driver_die(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

double driver_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

unsigned long driver_number(const char *word, unsigned long most)
{
	char *end;
	errno = 0;
	unsigned long n = strtoul(word, &end, 10);
	if (errno || end == word || *end || *word == '-' || n > most)
		driver_die("\"%s\" is not a number from 0 to %lu", word, most);
	return n;
}

static void serve(char *line, const struct driver_command *commands)
{
	char *words[WORDS_MAX], *rest = NULL;
	int n = 0;
	for (char *word = strtok_r(line, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
		if (n == WORDS_MAX)
			driver_die("more than %d words", WORDS_MAX);
		words[n++] = word;
	}
	if (n == 0)
		return;
	const struct driver_command *c = commands;
	while (c->name && strcmp(c->name, words[0]) != 0)
		c++;
	if (!c->name)
		driver_die("no command \"%s\"", words[0]);
	if (n - 1 < c->n_args)
		driver_die("usage: %s %s", c->name, c->usage);
	json_t *answer = c->run(words + 1, n - 1);
	if (json_dumpf(answer, stdout, JSON_COMPACT) || putchar('\n') == EOF || fflush(stdout))
		driver_die("stdout: %s", strerror(errno));
	json_decref(answer);
}

int driver_run(int argc, char **argv, const char *what, const struct driver_command *commands)
{
	if (argc > 1) {
		printf("usage: %s\n%s\nCommands on stdin, one a line, each answered by a line of "
		       "JSON:\n",
		       argv[0], what);
		for (const struct driver_command *c = commands; c->name; c++)
			printf("  %s %s\n", c->name, c->usage);
		return strcmp(argv[1], "--help") == 0 ? 0 : 64;
	}
	char *line = NULL;
	size_t size = 0;
	while (getline(&line, &size, stdin) > 0)
		serve(line, commands);
	free(line);
	return 0;
}
