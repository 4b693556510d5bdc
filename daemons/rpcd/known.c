/* Two tables, the one asked for longest ago at the head of each: it goes first. */
#include "daemons/rpcd/known.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "daemons/rpcd/tip.h"

/* About 300 bytes each: a wallet's or an explorer's recent blocks, in a megabyte. */
#define HEADERS_MAX 4096u

struct known_header {
	struct rc_block_id id;
	struct rc_header_info info;
	uint8_t raw[RC_HEADER_SIZE];
	UT_hash_handle hh;
};

struct known_body {
	struct rc_block_id id;
	size_t len;
	UT_hash_handle hh;
	uint8_t data[];
};

struct known {
	struct rpcd *rpcd;
	struct rc_block_id tip; /* for which the headers hold */
	struct known_header *headers;
	struct known_body *bodies;
	size_t bytes, bytes_max; /* of bodies */
};

struct known *known_new(struct rpcd *rpcd, size_t body_bytes_max)
{
	struct known *known = rc_alloc(sizeof(*known));

	known->rpcd = rpcd;
	known->bytes_max = body_bytes_max;
	return known;
}

static void drop_header(struct known *known, struct known_header *h)
{
	HASH_DEL(known->headers, h);
	free(h);
}

static void drop_headers(struct known *known)
{
	while (known->headers)
		drop_header(known, known->headers);
}

static void drop_body(struct known *known, struct known_body *b)
{
	HASH_DEL(known->bodies, b);
	known->bytes -= b->len;
	free(b);
	rc_metric_set(known->rpcd->metrics, M_KEPT_BODY_BYTES, (int64_t)known->bytes);
}

void known_free(struct known *known)
{
	if (!known)
		return;
	drop_headers(known);
	while (known->bodies)
		drop_body(known, known->bodies);
	free(known);
}

/* ---- headers, while the tip stands ---- */

/* The tip, if it is sure; what held for another one is forgotten. */
static const struct rc_block_ref *present_tip(struct known *known)
{
	const struct rc_block_ref *tip = tip_known(known->rpcd->tip);

	if (tip && !rc_block_id_eq(&tip->id, &known->tip)) {
		drop_headers(known);
		known->tip = tip->id;
	}
	return tip;
}

static struct known_header *find_header(struct known *known, const struct rc_block_id *id)
{
	struct known_header *h;

	HASH_FIND(hh, known->headers, id, sizeof(*id), h);
	return h;
}

const struct rc_header_info *known_header(struct known *known, const struct rc_block_id *id)
{
	struct known_header *h = present_tip(known) ? find_header(known, id) : NULL;

	if (!h)
		return NULL;
	HASH_DEL(known->headers, h);
	HASH_ADD(hh, known->headers, id, sizeof(h->id), h);
	return &h->info;
}

/*
 * chaind answers in order on one connection, so an answer that comes while the tip is sure is of
 * that tip or of one that follows it, whose news then comes and ends this entry's life. The
 * confirmations tell the second case at once.
 */
static bool holds_for(const struct rc_block_ref *tip, const struct rc_header_info *info)
{
	return !strcmp(info->status, "active") && !(info->verdict && *info->verdict) &&
	       info->raw.len >= RC_HEADER_SIZE && info->height <= tip->height &&
	       info->confirmations == (int64_t)tip->height - info->height + 1;
}

void known_put_header(struct known *known, const struct rc_block_id *id,
		      const struct rc_header_info *info)
{
	const struct rc_block_ref *tip = present_tip(known);
	struct known_header *h;

	if (!tip || !holds_for(tip, info) || find_header(known, id))
		return;
	if (HASH_COUNT(known->headers) >= HEADERS_MAX)
		drop_header(known, known->headers);
	h = rc_alloc(sizeof(*h));
	h->id = *id;
	h->info = *info;
	memcpy(h->raw, info->raw.data, RC_HEADER_SIZE);
	h->info.raw = (struct rc_bytes){h->raw, RC_HEADER_SIZE};
	h->info.status = "active";
	h->info.verdict = NULL;
	HASH_ADD(hh, known->headers, id, sizeof(h->id), h);
}

/* ---- bodies ---- */

static struct known_body *find_body(struct known *known, const struct rc_block_id *id)
{
	struct known_body *b;

	HASH_FIND(hh, known->bodies, id, sizeof(*id), b);
	return b;
}

struct rc_bytes known_body(struct known *known, const struct rc_block_id *id)
{
	struct known_body *b = find_body(known, id);

	if (!b)
		return (struct rc_bytes){NULL, 0};
	HASH_DEL(known->bodies, b);
	HASH_ADD(hh, known->bodies, id, sizeof(b->id), b);
	return (struct rc_bytes){b->data, b->len};
}

void known_put_body(struct known *known, const struct rc_block_id *id, struct rc_bytes body)
{
	struct known_body *b;

	if (body.len > known->bytes_max || find_body(known, id))
		return;
	while (known->bytes + body.len > known->bytes_max)
		drop_body(known, known->bodies);
	b = rc_alloc(sizeof(*b) + body.len);
	b->id = *id;
	b->len = body.len;
	memcpy(b->data, body.data, body.len);
	known->bytes += body.len;
	HASH_ADD(hh, known->bodies, id, sizeof(b->id), b);
	rc_metric_set(known->rpcd->metrics, M_KEPT_BODY_BYTES, (int64_t)known->bytes);
}
