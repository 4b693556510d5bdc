/* Records of an authentic but hostile peer: any bodies, in any slicing. The input is a list of
 * bodies, each after its length in two bytes; it is sealed with the link's own keys. */
#include <stdint.h>
#include <string.h>

#include "crypto/schnorr.h"
#include "link/message.h"
#include "link/record.h"

#define BIGGEST 5000

static void fill(void *arg, void *dst, size_t len)
{
	uint8_t *next = arg;

	memset(dst, ++*next, len);
}

static int64_t max_len(void *arg, enum rc_link_stream stream, uint16_t type)
{
	(void)arg;
	(void)stream;
	return type > 3 ? -1 : type == 3 ? BIGGEST : 100 * type;
}

static bool on_message(void *arg, struct rc_link *link, enum rc_link_stream stream, uint16_t type,
		       struct rc_buf *data)
{
	if (type > 3 || (int64_t)data->len > max_len(arg, stream, type))
		__builtin_trap();
	rc_link_send(link, stream, type, data->data, data->len);
	return data->len != 77;
}

/* The link under test, opened by a handshake with keys that *send then has. */
static struct rc_link *open_link(struct rc_record_dir *send, const struct rc_random *random)
{
	struct rc_link_events events = {.max_len = max_len, .on_message = on_message};
	struct rc_handshake_params p = {.secret = {[31] = 1}, .random = random};
	struct rc_link *link = rc_link_new(&p, &events);
	struct rc_buf out = RC_BUF_INIT, back = RC_BUF_INIT;
	struct rc_handshake_result result;
	struct rc_handshake hs;
	size_t used;

	rc_link_key_from_secret(p.secret, p.remote);
	p.secret[31] = 2;
	p.initiator = p.has_remote = true;
	if (!rc_handshake_init(&hs, &p, &out))
		__builtin_trap();
	rc_link_feed(link, out.data, out.len);
	rc_buf_clear(&out);
	rc_link_pull(link, &back, 1);
	rc_handshake_feed(&hs, back.data, back.len, &used, &out);
	rc_link_feed(link, out.data, out.len);
	rc_handshake_result(&hs, &result);
	rc_record_init(send, result.send_key, result.chaining_key);
	rc_buf_done(&out);
	rc_buf_done(&back);
	return link;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	rc_schnorr_init();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t next = 10;
	struct rc_random random = {fill, &next};
	struct rc_record_dir send;
	struct rc_link *link = open_link(&send, &random);
	struct rc_buf wire = RC_BUF_INIT;
	size_t slice = size ? 1 + data[0] : 1, at = 0;

	while (size >= 2) {
		size_t len = (size_t)(data[0] | data[1] << 8) % 2000;
		struct rc_bytes part = {data + 2, len};

		data += 2;
		size -= 2;
		if (part.len > size)
			part.len = size;
		rc_record_seal(&send, &part, 1, &wire);
		data += part.len;
		size -= part.len;
	}
	while (at < wire.len) {
		size_t n = wire.len - at < slice ? wire.len - at : slice;

		rc_link_feed(link, wire.data + at, n);
		at += n;
	}
	rc_buf_clear(&wire);
	rc_link_pull(link, &wire, SIZE_MAX);
	if (rc_link_state(link) == RC_LINK_FAILED && wire.len)
		__builtin_trap();
	rc_buf_done(&wire);
	rc_record_done(&send);
	rc_link_free(link);
	return 0;
}
