/* The files peerd reads: address book, bans, link key, anchors. First byte which one; a right
 * checksum is put at the end of what follows, so that the inside is reached. What is read is
 * written the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/schnorr.h"
#include "crypto/sha256.h"
#include "daemons/peerd/anchors.h"
#include "daemons/peerd/book.h"
#include "daemons/peerd/conduct.h"
#include "daemons/peerd/link_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(void *arg, void *dst, size_t len)
{
	(void)arg;
	memset(dst, 7, len);
}

static const uint8_t network[32];

static void same(const struct rc_buf *buf, const uint8_t *data, size_t len)
{
	if (buf->len != len || memcmp(buf->data, data, len) != 0)
		abort();
}

static void read_book(const uint8_t *file, size_t len)
{
	struct rc_random random = {fill, NULL};
	struct rc_buf buf = RC_BUF_INIT;
	struct book *book, *again;

	if (book_decode(file, len, network, &random, true, &book, NULL) != RC_OK)
		return;
	book_encode(book, network, &buf);
	/* Addresses that can't be are dropped; then the second reading is the first's equal. */
	if (book_decode(buf.data, buf.len, network, &random, true, &again, NULL) != RC_OK)
		abort();
	if (book_count(again) != book_count(book))
		abort();
	if (buf.len == len)
		same(&buf, file, len);
	book_free(again);
	book_free(book);
	rc_buf_done(&buf);
}

static void read_bans(const uint8_t *file, size_t len)
{
	struct rc_buf buf = RC_BUF_INIT;
	struct bans bans = {0};

	if (bans_decode(file, len, &bans, NULL) != RC_OK)
		return;
	bans_encode(&bans, &buf);
	same(&buf, file, len);
	bans_done(&bans);
	rc_buf_done(&buf);
}

static void read_key(const uint8_t *file, size_t len)
{
	uint8_t secret[32], machine[32], again[LINK_KEY_FILE_SIZE];

	if (link_key_decode(file, len, secret, machine, NULL) != RC_OK)
		return;
	link_key_encode(secret, machine, again);
	if (len != sizeof(again) || memcmp(again, file, len) != 0)
		abort();
}

static void read_anchors(const uint8_t *file, size_t len)
{
	struct rc_buf buf = RC_BUF_INIT;
	struct anchors anchors;

	if (anchors_decode(file, len, network, &anchors, NULL) != RC_OK)
		return;
	anchors_encode(&anchors, network, &buf);
	same(&buf, file, len);
	rc_buf_done(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	uint8_t *file;

	if (!ready)
		rc_schnorr_init();
	ready = true;
	if (size < 1)
		return 0;
	file = malloc(size + 32);
	if (!file)
		return 0;
	memcpy(file, data + 1, size - 1);
	rc_sha256(file, size - 1, file + size - 1);
	switch (data[0] % 4) {
	case 0:
		read_book(file, size - 1 + 32);
		break;
	case 1:
		read_bans(file, size - 1 + 32);
		break;
	case 2:
		read_key(file, size - 1 + 32);
		break;
	case 3:
		read_anchors(file, size - 1 + 32);
		break;
	}
	free(file);
	return 0;
}
