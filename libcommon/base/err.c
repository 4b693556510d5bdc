/* The texts of the error table, and the struct that carries a sentence upwards. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *rc_err_text(int err)
{
	switch (err) {
	case RC_OK:
		return "ok";
#define X(name, value, text) \
	case name:           \
		return text;
		RC_ERR_TABLE(X)
#undef X
	default:
		return "unknown error";
	}
}

int rc_err_from_errno(int errnum)
{
	switch (errnum) {
	case ENOENT:
		return RC_ENOENT;
	case EEXIST:
		return RC_EEXIST;
	case EACCES:
	case EPERM:
	case EROFS:
		return RC_EACCES;
	case ENOMEM:
		return RC_ENOMEM;
	case ENOSPC:
	case EDQUOT:
		return RC_ENOSPC;
	case EAGAIN:
	case EBUSY:
		return RC_EBUSY;
	case EINVAL:
		return RC_EINVAL;
	case ENAMETOOLONG:
	case EFBIG:
		return RC_ETOOBIG;
	case EADDRINUSE:
		return RC_EEXIST;
	case ECONNREFUSED:
		return RC_EUNAVAILABLE;
	default:
		return RC_EIO;
	}
}

int rc_error_set(struct rc_error *error, int code, const char *fmt, ...)
{
	va_list ap;

	if (!error)
		return code;
	va_start(ap, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, ap);
	va_end(ap);
	error->code = code;
	return code;
}

int rc_error_errno(struct rc_error *error, const char *fmt, ...)
{
	int saved = errno;
	int code = rc_err_from_errno(saved);
	va_list ap;
	size_t n;

	if (!error)
		return code;
	va_start(ap, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, ap);
	va_end(ap);
	n = strlen(error->text);
	snprintf(error->text + n, sizeof(error->text) - n, ": %s", strerror(saved));
	error->code = code;
	return code;
}

int rc_error_prefix(struct rc_error *error, const char *fmt, ...)
{
	char old[sizeof(error->text)];
	va_list ap;
	size_t n;

	if (!error)
		return RC_EIO;
	memcpy(old, error->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, ap);
	va_end(ap);
	n = strlen(error->text);
	snprintf(error->text + n, sizeof(error->text) - n, ": %.*s", (int)(sizeof(old) - n - 3),
		 old);
	return error->code;
}
