/*
 * A driver: a benchmark's part in C. It reads one command a line from stdin, works, and answers
 * one line of JSON on stdout, so that bench.py can run several in turns, in short slices.
 */
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

#include <jansson.h>

struct driver_command {
	const char *name;
	int n_args;	   /* least number of words after the name */
	const char *usage; /* the words, for --help */
	/* words: n of them after the name, valid during the call. Returns the answer, an object
	 * that driver_run releases. */
	json_t *(*run)(char **words, int n);
};

/* Serves commands until the end of stdin; a table ends with a NULL name. Returns main's value.
 * With --help among the arguments prints what and the commands instead. */
int driver_run(int argc, char **argv, const char *what, const struct driver_command *commands);

/* Prints the message to stderr and exits 1: a benchmark that can't do its work gives no figure. */
_Noreturn void driver_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Seconds of a monotonic clock. */
double driver_now(void);

/* A word as a number 0 … most; dies if it is none. */
unsigned long driver_number(const char *word, unsigned long most);

#endif
