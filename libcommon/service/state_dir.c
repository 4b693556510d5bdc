/* State directories: lock and format file. */
#include "service/state_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"

#define FORMAT_FILE_MAX 4096
#define FORMAT_TEXT	"daemon %s\nformat %u\nnetwork %s\n"

/* What a format file says. */
struct format {
	char daemon[32];
	unsigned version;
	char network[65];
};

static int check_format(const char *path, const struct format *is, const struct format *want,
			struct rc_error *error)
{
	if (strcmp(is->daemon, want->daemon) != 0)
		return rc_error_set(error, RC_ECONFIG,
				    "%s: this is the state of %s, not of %s: check the option "
				    "statedir",
				    path, is->daemon, want->daemon);
	if (strcmp(is->network, want->network) != 0)
		return rc_error_set(error, RC_ENETWORK,
				    "%s: this state belongs to the network %.16s..., not to "
				    "%.16s...: check the options network and statedir; each "
				    "network needs a directory of its own",
				    path, is->network, want->network);
	if (is->version > want->version)
		return rc_error_set(error, RC_EVERSION,
				    "%s: format %u was written by a newer %s, this one reads "
				    "format %u: install the newer version again",
				    path, is->version, is->daemon, want->version);
	if (is->version < want->version)
		return rc_error_set(error, RC_EVERSION,
				    "%s: format %u is older than format %u of this %s, which "
				    "can't convert it: move the directory away and let the node "
				    "build it anew",
				    path, is->version, want->version, is->daemon);
	return RC_OK;
}

static int read_format(const char *path, const struct format *want, struct rc_error *error)
{
	struct rc_buf buf = RC_BUF_INIT;
	RC_AUTOFREE char *text = NULL;
	struct format is;
	int err = rc_file_read(path, FORMAT_FILE_MAX, &buf, error);

	text = (char *)rc_buf_take(&buf, NULL);
	if (err < 0 && err != RC_ETOOBIG)
		return err;
	if (err < 0 || !text ||
	    sscanf(text, "daemon %31s\nformat %9u\nnetwork %64s", is.daemon, &is.version,
		   is.network) != 3)
		return rc_error_set(error, RC_EFORMAT,
				    "%s: not a format file; if the directory isn't ours, check "
				    "the option statedir",
				    path);
	return check_format(path, &is, want, error);
}

static int write_format(const char *path, const struct format *format, struct rc_error *error)
{
	char text[256];
	int n = snprintf(text, sizeof(text), FORMAT_TEXT, format->daemon, format->version,
			 format->network);

	return rc_file_replace(path, text, (size_t)n, 0644, error);
}

int rc_state_dir_open(const char *dir, const char *daemon, unsigned format,
		      const uint8_t network_id[32], int *ret_lock_fd, struct rc_error *error)
{
	RC_AUTOFREE char *path = rc_asprintf("%s/format", dir);
	struct format want = {.version = format};
	int err = rc_dir_make(dir, 0700, error);
	int fd = -1;

	snprintf(want.daemon, sizeof(want.daemon), "%s", daemon);
	rc_hex_encode(want.network, network_id, 32);
	if (err == RC_OK)
		err = rc_dir_lock(dir, &fd, error);
	if (err < 0)
		return err;
	err = read_format(path, &want, error);
	if (err == RC_ENOENT)
		err = write_format(path, &want, error);
	if (err < 0) {
		close(fd);
		return err;
	}
	*ret_lock_fd = fd;
	return RC_OK;
}
