/*
 * Named points at which a test ends a daemon by SIGKILL (tests/functional/test_points.py); their
 * table is base/test_points.def. In the programs that are shipped there is nothing of it: only a
 * build with TEST_POINTS=1 (build/points) has them.
 *
 * There the environment variable RC_TEST_POINTS names a file of one page, which a test has made and
 * maps too: at its front, little-endian, u32 the point at which the process is to end (its place in
 * the table, from 1; 0: none), u32 at which hit of it from now on; then for each point a u32, how
 * often it was reached.
 */
#ifndef RC_BASE_TEST_POINT_H
#define RC_BASE_TEST_POINT_H

#ifdef TEST_POINTS

#include <stddef.h>

enum rc_test_point_step {
	RC_TEST_POINT_MADE,
	RC_TEST_POINT_WRITTEN,
	RC_TEST_POINT_SYNCED,
	RC_TEST_POINT_RENAMED,
	RC_TEST_POINT_SAVED
};

enum rc_test_point {
#define POINT(name, where) RC_TEST_POINT_##name,
#define POINT_FILE(name, file, what)                                           \
	RC_TEST_POINT_##name##_MADE, RC_TEST_POINT_##name##_WRITTEN,           \
		RC_TEST_POINT_##name##_SYNCED, RC_TEST_POINT_##name##_RENAMED, \
		RC_TEST_POINT_##name##_SAVED,
#include "base/test_points.def"
#undef POINT
#undef POINT_FILE
	RC_TEST_POINT_COUNT
};

/* A point is reached: counted, and perhaps the end. Any thread. */
void rc_test_point(enum rc_test_point point);
/* A step of replacing a file; files that aren't in the table have no points. */
void rc_test_point_file(const char *path, enum rc_test_point_step step);

#define RC_TEST_POINT(name)	       rc_test_point(RC_TEST_POINT_##name)
#define RC_TEST_POINT_FILE(path, step) rc_test_point_file(path, RC_TEST_POINT_##step)

#else

#define RC_TEST_POINT(name)	       ((void)0)
#define RC_TEST_POINT_FILE(path, step) ((void)0)

#endif
#endif
