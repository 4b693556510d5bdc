/* What survives peerd: its link key, the address book, anchors, the bans. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/test_point.h"
#include "daemons/peerd/daemon.h"
#include "daemons/peerd/link_key.h"

static char *path_of(const struct daemon *daemon, const char *name)
{
	return rc_asprintf("%s/%s", rc_service_statedir(daemon->service), name);
}

/* What can't be written is refused to who asked for it, or tried again. But a failed sync is final,
 * as for all that is kept on a disk: it can't be said what is there. */
static int save(const char *path, const struct rc_buf *buf, struct rc_error *error)
{
	int err = rc_file_replace(path, buf->data, buf->len, 0600, error);

	if (err == RC_ESYNC)
		rc_service_die_io("saving %s: %s", path, error->text);
	return err;
}

/* A damaged book costs a bootstrap, so the node starts without it; the damaged file is kept aside
 * for whoever wants to know why. */
static void load_book(struct daemon *daemon)
{
	RC_AUTOFREE char *path = path_of(daemon, "addresses");
	RC_AUTOFREE char *aside = path_of(daemon, "addresses.damaged");
	const struct rc_network *network = rc_service_network(daemon->service);
	struct rc_buf buf = RC_BUF_INIT;
	struct rc_error error = {0};
	int err = rc_file_read(path, BOOK_FILE_MAX, &buf, &error);

	if (!err)
		err = book_decode(buf.data, buf.len, network->id.b,
				  rc_service_random(daemon->service),
				  daemon->options.private_addresses, &daemon->book, &error);
	rc_buf_done(&buf);
	if (!err) {
		rc_log(RC_LOG_INFO, "address book: %zu addresses", book_count(daemon->book));
	} else if (err != RC_ENOENT) {
		rc_log(RC_LOG_WARNING, "%s: %s; it is renamed to %s, and a new book begun", path,
		       error.text, aside);
		(void)rename(path, aside);
	}
}

/* Lost anchors cost nothing but their protection: a damaged file is as none. */
static void load_anchors(struct daemon *daemon)
{
	RC_AUTOFREE char *path = path_of(daemon, "anchors");
	struct rc_buf buf = RC_BUF_INIT;
	struct rc_error error = {0};
	int err = rc_file_read(path, ANCHORS_FILE_MAX, &buf, &error);

	if (!err)
		err = anchors_decode(buf.data, buf.len, rc_service_network(daemon->service)->id.b,
				     &daemon->anchors, &error);
	rc_buf_done(&buf);
	if (err && err != RC_ENOENT)
		rc_log(RC_LOG_WARNING, "%s: %s; it will be replaced", path, error.text);
}

static int load_bans(struct daemon *daemon, struct rc_error *error)
{
	RC_AUTOFREE char *path = path_of(daemon, "bans");
	struct rc_buf buf = RC_BUF_INIT;
	int err = rc_file_read(path, BANS_FILE_MAX, &buf, error);

	if (!err)
		err = bans_decode(buf.data, buf.len, &daemon->bans, error);
	rc_buf_done(&buf);
	if (err == RC_ENOENT)
		return RC_OK;
	/* An operator's word isn't dropped silently; and starting again mends nothing. */
	if (err == RC_EFORMAT)
		error->code = err = RC_ECONFIG;
	if (err)
		rc_error_prefix(error, "%s (move it away to start without bans)", path);
	return err;
}

int files_load(struct daemon *daemon, struct rc_error *error)
{
	RC_AUTOFREE char *key = path_of(daemon, "link_key");
	int err = link_key_load(key, daemon->machine, rc_service_random(daemon->service),
				daemon->secret, error);

	if (!err)
		err = load_bans(daemon, error);
	RC_TEST_POINT(PEERD_START_FILES);
	if (!err)
		load_book(daemon);
	if (!err)
		load_anchors(daemon);
	return err;
}

void files_save_anchors(struct daemon *daemon)
{
	RC_AUTOFREE char *path = path_of(daemon, "anchors");
	struct rc_buf buf = RC_BUF_INIT;
	struct rc_error error;

	if (connect_keep_anchors(daemon->core))
		daemon->anchors_unsaved = true;
	if (!daemon->anchors_unsaved)
		return;
	anchors_encode(&daemon->core->anchors, rc_service_network(daemon->service)->id.b, &buf);
	if (save(path, &buf, &error))
		rc_log(RC_LOG_WARNING, "saving the anchors: %s; tried again in a minute",
		       error.text);
	else
		daemon->anchors_unsaved = false;
	rc_buf_done(&buf);
}

void files_save_book(struct daemon *daemon)
{
	RC_AUTOFREE char *path = path_of(daemon, "addresses");
	struct rc_buf buf = RC_BUF_INIT;
	struct rc_error error;
	uint64_t changes = book_changes(daemon->core->book);

	if (changes == daemon->book_saved)
		return;
	book_encode(daemon->core->book, rc_service_network(daemon->service)->id.b, &buf);
	if (save(path, &buf, &error))
		rc_log(RC_LOG_WARNING, "saving the address book: %s; tried again in a minute",
		       error.text);
	else
		daemon->book_saved = changes;
	rc_buf_done(&buf);
}

int files_save_bans(struct daemon *daemon, struct rc_error *error)
{
	RC_AUTOFREE char *path = path_of(daemon, "bans");
	struct rc_buf buf = RC_BUF_INIT;
	int err;

	bans_encode(&daemon->core->bans, &buf);
	err = save(path, &buf, error);
	rc_buf_done(&buf);
	return err;
}
