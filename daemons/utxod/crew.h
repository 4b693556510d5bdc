/*
 * Threads that help one other with many small pieces of its own work, such as the parts of a tree:
 * a piece is taken by whoever is free, the asking thread included, so nothing waits for a thread
 * that the system doesn't get to run.
 */
#ifndef UTXOD_CREW_H
#define UTXOD_CREW_H

#include <stddef.h>

struct crew;

/* The most threads that work at a time, the asking one included. */
#define CREW_MAX 4

/* As many threads as there are processors, at most CREW_MAX. */
struct crew *crew_new(const char *name);
/* NULL is fine. */
void crew_free(struct crew *crew);

/* Calls fn(arg, i, who) once for each i of 0 … n − 1, and returns when all have returned. who:
 * below CREW_MAX, different for those that run at once. One caller at a time. */
void crew_run(struct crew *crew, size_t n, void (*fn)(void *arg, size_t i, unsigned who),
	      void *arg);

#endif
