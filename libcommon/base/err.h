/* What can go wrong in the environment: one table of codes, and a text that says who and what. */
#ifndef RC_BASE_ERR_H
#define RC_BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Environment failures (style.md, 9): negative, so that a function may return a count or an error.
 * Our own mistakes are asserts; bad data from outside is a verdict (consensus/verdict.h).
 * X(NAME, VALUE, "text")
 */
#define RC_ERR_TABLE(X)                                   \
	X(RC_EIO, -1, "input/output error")               \
	X(RC_ENOMEM, -2, "out of memory")                 \
	X(RC_ENOENT, -3, "not found")                     \
	X(RC_EEXIST, -4, "already exists")                \
	X(RC_EACCES, -5, "permission denied")             \
	X(RC_ELOCKED, -6, "locked by another process")    \
	X(RC_EINVAL, -7, "invalid argument")              \
	X(RC_EFORMAT, -8, "malformed data")               \
	X(RC_EVERSION, -9, "unsupported format version")  \
	X(RC_ENETWORK, -10, "belongs to another network") \
	X(RC_ERANGE, -11, "out of range")                 \
	X(RC_ETOOBIG, -12, "too large")                   \
	X(RC_EBUSY, -13, "busy")                          \
	X(RC_EDEADLINE, -14, "deadline passed")           \
	X(RC_EUNAVAILABLE, -15, "not available")          \
	X(RC_EDENIED, -16, "not permitted")               \
	X(RC_ECONFIG, -17, "bad configuration")           \
	X(RC_ECRYPTO, -18, "cryptographic failure")       \
	X(RC_ECANCELLED, -19, "cancelled")                \
	X(RC_ENOSPC, -20, "no space left")                \
	X(RC_ESYNC, -21, "a sync failed")

enum rc_err {
	RC_OK = 0,
#define X(name, value, text) name = value,
	RC_ERR_TABLE(X)
#undef X
};

/* Exit codes of every daemon and tool (sysexits, and 10-architecture "Process life"). */
enum rc_exit {
	RC_EXIT_OK = 0,
	RC_EXIT_FAILURE = 1,
	RC_EXIT_USAGE = 64,	  /* wrong command line of a tool */
	RC_EXIT_UNAVAILABLE = 69, /* a port in use, a daemon away */
	RC_EXIT_IO = 74,	  /* first failed write or sync of durable data: final */
	RC_EXIT_TEMPFAIL = 75,	  /* locked by another process: try again */
	RC_EXIT_UNSETTLED = 76,	  /* rusty-wallet: a payment may be made or not, and is kept */
	RC_EXIT_NOPERM = 77,
	RC_EXIT_CONFIG = 78, /* bad configuration: never restarted */
};

/* Stable short text of a code; "ok" for 0; never NULL. */
const char *rc_err_text(int err);

/* An error with the sentence a person acts on. text is always terminated. */
struct rc_error {
	int code;
	char text[512];
};

/* Fills *error (may be NULL) with code and a formatted sentence; returns code, so it can be the
 * return statement. */
int rc_error_set(struct rc_error *error, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As rc_error_set, with code chosen from errno and ": strerror(errno)" appended. */
int rc_error_errno(struct rc_error *error, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the text already in *error; returns its code. */
int rc_error_prefix(struct rc_error *error, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The rc_err nearest to an errno value. */
int rc_err_from_errno(int errnum);

#endif
