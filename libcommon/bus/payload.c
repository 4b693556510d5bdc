/* Payloads: counted, because a call is kept while libzmq may still be sending it. */
#include "bus/payload.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct rc_payload {
	atomic_int refs;
	size_t n;
	struct rc_bytes *frames; /* body, then bulk */
	uint8_t bytes[];
};

struct rc_payload *rc_payload_new(const void *body, const struct rc_bytes *bulk, size_t n_bulk)
{
	size_t body_len = body ? protobuf_c_message_get_packed_size(body) : 0;
	size_t total = body_len;
	struct rc_payload *p;
	uint8_t *at;

	for (size_t i = 0; i < n_bulk; i++)
		total += bulk[i].len;
	p = malloc(sizeof(*p) + total);
	if (!p)
		p = rc_alloc(sizeof(*p) + total); /* logs and ends */
	atomic_init(&p->refs, 1);
	p->n = 1 + n_bulk;
	p->frames = rc_alloc_array(p->n, sizeof(*p->frames));
	if (body)
		protobuf_c_message_pack(body, p->bytes);
	p->frames[0] = (struct rc_bytes){p->bytes, body_len};
	at = p->bytes + body_len;
	for (size_t i = 0; i < n_bulk; i++) {
		if (bulk[i].len)
			memcpy(at, bulk[i].data, bulk[i].len);
		p->frames[1 + i] = (struct rc_bytes){at, bulk[i].len};
		at += bulk[i].len;
	}
	return p;
}

void rc_payload_unref(struct rc_payload *payload)
{
	if (payload && atomic_fetch_sub(&payload->refs, 1) == 1) {
		free(payload->frames);
		free(payload);
	}
}

static void free_shared(void *data, void *hint)
{
	(void)data;
	rc_payload_unref(hint);
}

size_t rc_payload_bytes(const struct rc_payload *payload)
{
	size_t bytes = 0;

	for (size_t i = 0; i < payload->n; i++)
		bytes += payload->frames[i].len;
	return bytes;
}

void rc_payload_put(struct rc_frames *frames, struct rc_payload *payload)
{
	for (size_t i = 0; i < payload->n; i++) {
		struct rc_bytes b = payload->frames[i];

		if (b.len < RC_TALLY_LEAST) {
			rc_frames_put(frames, NULL, b.data, b.len);
			continue;
		}
		atomic_fetch_add(&payload->refs, 1);
		rc_frames_put_owned(frames, NULL, (void *)b.data, b.len, free_shared, payload);
	}
}
