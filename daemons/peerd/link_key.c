/* The static link key and its file. */
#include "daemons/peerd/link_key.h"

#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/num.h"
#include "base/reader.h"
#include "crypto/sha256.h"
#include "link/handshake.h"

static const char magic[8] = {'R', 'C', 'L', 'I', 'N', 'K', 'E', 'Y'};

#define MACHINE_ID_MAX 4096

void link_key_machine(const char *path, uint8_t ret_machine[32])
{
	struct rc_buf buf = RC_BUF_INIT;

	if (rc_file_read(path, MACHINE_ID_MAX, &buf, NULL) < 0)
		rc_buf_clear(&buf);
	rc_sha256(buf.data, buf.len, ret_machine);
	rc_buf_done(&buf);
}

void link_key_encode(const uint8_t secret[32], const uint8_t machine[32],
		     uint8_t ret_file[LINK_KEY_FILE_SIZE])
{
	uint8_t *p = ret_file;

	memcpy(p, magic, 8);
	rc_put_le16(p + 8, LINK_KEY_VERSION);
	memcpy(p + 10, secret, 32);
	memcpy(p + 42, machine, 32);
	rc_sha256(p, 74, p + 74);
}

int link_key_decode(const void *data, size_t len, uint8_t ret_secret[32], uint8_t ret_machine[32],
		    struct rc_error *error)
{
	struct rc_reader r = rc_reader_of(data, len);
	const uint8_t *p = rc_read_bytes(&r, sizeof(magic));
	uint8_t hash[32], key[RC_LINK_KEY_SIZE];
	uint16_t version;

	if (!p || memcmp(p, magic, sizeof(magic)) != 0)
		return rc_error_set(error, RC_EFORMAT, "not a link key");
	version = rc_read_le16(&r);
	if (!r.failed && version != LINK_KEY_VERSION)
		return rc_error_set(error, RC_EVERSION,
				    "link key of format %u, this program knows %d", version,
				    LINK_KEY_VERSION);
	if (len != LINK_KEY_FILE_SIZE)
		return rc_error_set(error, RC_EFORMAT, "a link key has %d bytes, not %zu",
				    LINK_KEY_FILE_SIZE, len);
	rc_sha256(data, len - 32, hash);
	if (memcmp((const uint8_t *)data + len - 32, hash, 32) != 0)
		return rc_error_set(error, RC_EFORMAT, "the checksum of the link key is wrong");
	p = rc_read_bytes(&r, 64);
	if (!rc_link_key_from_secret(p, key))
		return rc_error_set(error, RC_EFORMAT, "the link key is no key");
	memcpy(ret_secret, p, 32);
	memcpy(ret_machine, p + 32, 32);
	return RC_OK;
}

static int make(const char *path, const uint8_t machine[32], const struct rc_random *random,
		uint8_t ret_secret[32], struct rc_error *error)
{
	uint8_t file[LINK_KEY_FILE_SIZE];
	int err;

	rc_link_secret_make(random, ret_secret);
	link_key_encode(ret_secret, machine, file);
	err = rc_file_replace(path, file, sizeof(file), 0600, error);
	rc_wipe(file, sizeof(file));
	return err;
}

int link_key_load(const char *path, const uint8_t machine[32], const struct rc_random *random,
		  uint8_t ret_secret[32], struct rc_error *error)
{
	struct rc_buf buf = RC_BUF_INIT;
	uint8_t made_on[32];
	struct stat st;
	int err = rc_file_read(path, LINK_KEY_FILE_SIZE, &buf, error);

	if (err == RC_ENOENT)
		return make(path, machine, random, ret_secret, error);
	if (!err && stat(path, &st) == 0 && st.st_mode & (S_IRWXG | S_IRWXO)) {
		rc_log(RC_LOG_WARNING, "%s could be read by others: its mode is now 0600", path);
		(void)chmod(path, 0600);
	}
	if (!err)
		err = link_key_decode(buf.data, buf.len, ret_secret, made_on, error);
	if (buf.data)
		rc_wipe(buf.data, buf.len);
	rc_buf_done(&buf);
	if (err == RC_EFORMAT && error)
		error->code = err = RC_ECONFIG; /* starting again mends nothing */
	if (err) {
		rc_error_prefix(error, "%s (move it away, and a new key is made)", path);
		return err;
	}
	if (memcmp(made_on, machine, 32) != 0) {
		rc_log(RC_LOG_NOTICE,
		       "the link key was made on another machine: this node gets a new one");
		return make(path, machine, random, ret_secret, error);
	}
	return RC_OK;
}
