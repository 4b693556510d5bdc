/* See anchors.h. */
#include "daemons/peerd/anchors.h"

#include <string.h>

#include "base/reader.h"
#include "crypto/sha256.h"

void anchors_add(struct anchors *anchors, const struct net_endpoint *endpoint)
{
	for (size_t i = 0; i < anchors->n; i++) {
		if (net_addr_eq(&anchors->list[i].addr, &endpoint->addr))
			return;
	}
	if (anchors->n < ANCHORS_MAX)
		anchors->list[anchors->n++] = *endpoint;
}

static const char magic[8] = {'R', 'C', 'A', 'N', 'C', 'H', 'O', 'R'};

void anchors_encode(const struct anchors *anchors, const uint8_t network_id[32], struct rc_buf *buf)
{
	size_t start = buf->len;
	uint8_t hash[32];

	rc_buf_put(buf, magic, sizeof(magic));
	rc_buf_put_le16(buf, ANCHORS_FILE_VERSION);
	rc_buf_put(buf, network_id, 32);
	rc_buf_put_u8(buf, (uint8_t)anchors->n);
	for (size_t i = 0; i < anchors->n; i++) {
		rc_buf_put(buf, anchors->list[i].addr.ip, 16);
		rc_buf_put_le16(buf, anchors->list[i].addr.port);
		rc_buf_put(buf, anchors->list[i].key, RC_LINK_KEY_SIZE);
	}
	rc_sha256(buf->data + start, buf->len - start, hash);
	rc_buf_put(buf, hash, 32);
}

int anchors_decode(const void *data, size_t len, const uint8_t network_id[32],
		   struct anchors *ret_anchors, struct rc_error *error)
{
	struct rc_reader r = rc_reader_of(data, len);
	struct anchors anchors = {0};
	uint8_t hash[32], id[32] = {0};
	const uint8_t *p = rc_read_bytes(&r, sizeof(magic));
	unsigned n;

	if (!p || memcmp(p, magic, sizeof(magic)) != 0)
		return rc_error_set(error, RC_EFORMAT, "not a list of anchors");
	n = rc_read_le16(&r);
	if (!r.failed && n != ANCHORS_FILE_VERSION)
		return rc_error_set(error, RC_EVERSION,
				    "anchors of format %u, this program knows %d", n,
				    ANCHORS_FILE_VERSION);
	rc_read_into(&r, id, sizeof(id));
	n = rc_read_u8(&r);
	if (r.failed || n > ANCHORS_MAX ||
	    len != ANCHORS_FILE_MAX - (ANCHORS_MAX - n) * (16 + 2 + RC_LINK_KEY_SIZE))
		return rc_error_set(error, RC_EFORMAT, "the anchors' %zu bytes are cut or grown",
				    len);
	rc_sha256(data, len - 32, hash);
	if (memcmp((const uint8_t *)data + len - 32, hash, 32) != 0)
		return rc_error_set(error, RC_EFORMAT, "the checksum of the anchors is wrong");
	if (memcmp(id, network_id, 32) != 0)
		return rc_error_set(error, RC_ENETWORK, "the anchors are of another network");
	for (unsigned i = 0; i < n; i++) {
		struct net_endpoint e = {.has_key = true};

		rc_read_into(&r, e.addr.ip, 16);
		e.addr.port = rc_read_le16(&r);
		rc_read_into(&r, e.key, RC_LINK_KEY_SIZE);
		if (e.addr.port == 0 || net_addr_class(&e.addr) == NET_UNUSABLE ||
		    !rc_link_key_valid(e.key))
			return rc_error_set(error, RC_EFORMAT, "an anchor that can't be one");
		anchors_add(&anchors, &e);
	}
	if (anchors.n != n)
		return rc_error_set(error, RC_EFORMAT, "an anchor stands twice");
	*ret_anchors = anchors;
	return RC_OK;
}
