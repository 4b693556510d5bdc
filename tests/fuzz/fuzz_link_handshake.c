/* Bytes from a stranger, before any key is known: a responder and both initiators. */
#include <stdint.h>
#include <string.h>

#include "crypto/schnorr.h"
#include "link/handshake.h"

static void fill(void *arg, void *dst, size_t len)
{
	(void)arg;
	memset(dst, 0x42, len);
}

static const struct rc_random fixed = {fill, NULL};

static void run(bool initiator, enum rc_link_pattern pattern, const uint8_t *data, size_t size)
{
	struct rc_handshake_params params = {
		.initiator = initiator,
		.pattern = pattern,
		.secret = {[31] = 7},
		.has_remote = initiator && pattern == RC_LINK_XK,
		.prologue_len = RC_LINK_PROLOGUE_SIZE,
		.random = &fixed,
	};
	static const uint8_t other[32] = {[31] = 9};
	struct rc_buf out = RC_BUF_INIT;
	struct rc_handshake hs;
	size_t used, at = 0;

	rc_link_key_from_secret(other, params.remote);
	if (!rc_handshake_init(&hs, &params, &out))
		__builtin_trap();
	while (at < size && hs.state == RC_HANDSHAKE_GOING) {
		size_t n = 1 + data[at] % 40;

		if (n > size - at)
			n = size - at;
		rc_handshake_feed(&hs, data + at, n, &used, &out);
		if (used > n)
			__builtin_trap();
		at += used;
	}
	/* Nobody without the keys gets through. */
	if (hs.state == RC_HANDSHAKE_DONE && pattern == RC_LINK_XK && initiator)
		__builtin_trap();
	rc_handshake_done(&hs);
	rc_buf_done(&out);
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
	run(false, RC_LINK_XK, data, size);
	run(true, RC_LINK_XK, data, size);
	run(true, RC_LINK_XX, data, size);
	return 0;
}
