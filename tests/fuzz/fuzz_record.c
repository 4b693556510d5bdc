/* Records changed on their way: of those sealed, exactly the ones before the first change open.
 * First byte: how many records; then two bytes each, a place and what is XORed into it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "link/record.h"

#define RECORDS_MAX 40
#define BODY	    50 /* most bytes of a body */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[32] = {1}, chain[32] = {2};
	static const uint8_t text[BODY] = "what is said";
	size_t start[RECORDS_MAX + 1], n, opened = 0, whole = 0, first = SIZE_MAX;
	struct rc_buf wire = RC_BUF_INIT, sent = RC_BUF_INIT;
	struct rc_record_dir out, in;

	if (size < 1)
		return 0;
	n = data[0] % RECORDS_MAX + 1u;
	rc_record_init(&out, key, chain);
	rc_record_init(&in, key, chain);
	/* So that the keys change within the input. */
	out.counter = in.counter = RC_RECORD_KEY_USES - n / 2 * 2;
	for (size_t i = 0; i < n; i++) {
		struct rc_bytes part = {text, i * 7 % BODY};

		start[i] = wire.len;
		rc_record_seal(&out, &part, 1, &wire);
	}
	start[n] = wire.len;
	rc_buf_put(&sent, wire.data, wire.len);
	for (size_t i = 1; i + 1 < size; i += 2)
		wire.data[(data[i] * 37u + i) % wire.len] ^= data[i + 1];
	for (size_t i = 0; i < wire.len && first == SIZE_MAX; i++)
		if (wire.data[i] != sent.data[i])
			first = i;
	while (whole < n && start[whole + 1] <= first)
		whole++;
	while (opened < n) {
		uint8_t *record = wire.data + start[opened];
		uint16_t len;

		if (!rc_record_open_head(&in, record, &len) ||
		    start[opened] + RC_RECORD_HEAD_SIZE + len + RC_RECORD_TAG_SIZE !=
			    start[opened + 1] ||
		    !rc_record_open_body(&in, record + RC_RECORD_HEAD_SIZE, len))
			break;
		if (len != opened * 7 % BODY ||
		    memcmp(record + RC_RECORD_HEAD_SIZE, text, len) != 0)
			abort();
		opened++;
	}
	if (opened != whole)
		abort();
	rc_record_done(&in);
	rc_record_done(&out);
	rc_buf_done(&wire);
	rc_buf_done(&sent);
	return 0;
}
