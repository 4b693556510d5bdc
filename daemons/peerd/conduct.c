/* Conduct: points, discouraged addresses, bans. */
#include "daemons/peerd/conduct.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/reader.h"
#include "crypto/sha256.h"

static const struct score_row rows[] = {
#define SCORE(what, points, why) {what, points, why},
#include "daemons/peerd/score.def"
#undef SCORE
};

const struct score_row *score_rows(size_t *ret_count)
{
	*ret_count = RC_ARRAY_LEN(rows);
	return rows;
}

const struct score_row *score_find(const char *what)
{
	for (size_t i = 0; i < RC_ARRAY_LEN(rows) - 1; i++) {
		size_t len = strlen(rows[i].what);
		bool open = rows[i].what[len - 1] == '*';

		if (open ? strncmp(rows[i].what, what, len - 1) == 0
			 : strcmp(rows[i].what, what) == 0)
			return &rows[i];
	}
	return &rows[RC_ARRAY_LEN(rows) - 1]; /* "*" */
}

static uint64_t decayed(const struct score *score, int64_t now_s)
{
	int64_t passed = now_s - score->since_s;
	uint64_t gone;

	if (passed <= 0)
		return score->points60;
	gone = (uint64_t)passed * SCORE_DECAY_PER_MINUTE;
	return gone < score->points60 ? score->points60 - gone : 0;
}

unsigned score_points(const struct score *score, int64_t now_s)
{
	return (unsigned)((decayed(score, now_s) + 59) / 60);
}

bool score_add(struct score *score, unsigned points, int64_t now_s)
{
	score->points60 = decayed(score, now_s) + (uint64_t)points * 60;
	score->since_s = now_s;
	return score->points60 >= SCORE_LIMIT * 60;
}

struct discouraged_entry {
	uint8_t name[18];
	int64_t until_s;
	UT_hash_handle hh;
};

struct discouraged {
	struct discouraged_entry *entries; /* in the order of adding */
};

struct discouraged *discouraged_new(void)
{
	return rc_alloc(sizeof(struct discouraged));
}

void discouraged_clear(struct discouraged *d)
{
	struct discouraged_entry *e, *next;

	HASH_ITER (hh, d->entries, e, next) {
		HASH_DEL(d->entries, e);
		free(e);
	}
}

void discouraged_free(struct discouraged *d)
{
	if (!d)
		return;
	discouraged_clear(d);
	free(d);
}

static void name_of(const struct net_addr *addr, uint8_t ret_name[18])
{
	enum net_class class = net_addr_class(addr);

	memset(ret_name, 0, 18);
	memcpy(ret_name, addr->ip, class == NET_PUBLIC && !net_addr_is_v4(addr) ? 8 : 16);
	if (class == NET_LOOPBACK)
		rc_put_le16(ret_name + 16, addr->port);
}

void discouraged_add(struct discouraged *d, const struct net_addr *addr, int64_t now_s)
{
	struct discouraged_entry *e;
	uint8_t name[18];

	name_of(addr, name);
	HASH_FIND(hh, d->entries, name, sizeof(name), e);
	if (e)
		HASH_DEL(d->entries, e);
	else
		e = rc_alloc(sizeof(*e));
	memcpy(e->name, name, sizeof(name));
	e->until_s = now_s + DISCOURAGED_SECONDS;
	HASH_ADD(hh, d->entries, name, sizeof(e->name), e);
	while (HASH_COUNT(d->entries) > DISCOURAGED_MAX) {
		e = d->entries;
		HASH_DEL(d->entries, e);
		free(e);
	}
}

bool discouraged_has(struct discouraged *d, const struct net_addr *addr, int64_t now_s)
{
	struct discouraged_entry *e;
	uint8_t name[18];

	name_of(addr, name);
	HASH_FIND(hh, d->entries, name, sizeof(name), e);
	if (e && e->until_s <= now_s) {
		HASH_DEL(d->entries, e);
		free(e);
		e = NULL;
	}
	return e != NULL;
}

size_t discouraged_count(const struct discouraged *d)
{
	return HASH_COUNT(d->entries);
}

void bans_done(struct bans *bans)
{
	free(bans->list);
	*bans = (struct bans){0};
}

static int subnet_cmp(const struct net_subnet *a, const struct net_subnet *b)
{
	int by_ip = memcmp(a->ip, b->ip, 16);

	return by_ip ? by_ip : (int)a->bits - (int)b->bits;
}

/* Where the subnet is, or belongs. */
static size_t place_of(const struct bans *bans, const struct net_subnet *subnet)
{
	size_t i = 0;

	while (i < bans->n && subnet_cmp(&bans->list[i].subnet, subnet) < 0)
		i++;
	return i;
}

static void insert(struct bans *bans, size_t i, const struct ban *ban)
{
	if (bans->n == bans->cap) {
		bans->cap = bans->cap ? 2 * bans->cap : 16;
		bans->list = rc_realloc_array(bans->list, bans->cap, sizeof(*bans->list));
	}
	memmove(bans->list + i + 1, bans->list + i, (bans->n - i) * sizeof(*bans->list));
	bans->list[i] = *ban;
	bans->n++;
	bans->changes++;
}

static void cut(struct bans *bans, size_t i)
{
	bans->n--;
	memmove(bans->list + i, bans->list + i + 1, (bans->n - i) * sizeof(*bans->list));
	bans->changes++;
}

int bans_add(struct bans *bans, const struct net_subnet *subnet, uint64_t until, const char *reason,
	     uint64_t now, struct rc_error *error)
{
	struct ban ban = {.subnet = *subnet, .created = now, .until = until};
	char text[NET_SUBNET_TEXT];
	size_t i;

	bans_sweep(bans, now);
	if (until <= now)
		return rc_error_set(error, RC_ERANGE, "the ban of %s would end before it begins",
				    net_subnet_format(text, subnet));
	i = place_of(bans, subnet);
	if (i < bans->n && net_subnet_eq(&bans->list[i].subnet, subnet))
		return rc_error_set(error, RC_EEXIST, "%s is banned already",
				    net_subnet_format(text, subnet));
	if (bans->n >= BANS_MAX)
		return rc_error_set(error, RC_ETOOBIG, "there are %d bans: remove some first",
				    BANS_MAX);
	snprintf(ban.reason, sizeof(ban.reason), "%s", reason);
	insert(bans, i, &ban);
	return RC_OK;
}

int bans_remove(struct bans *bans, const struct net_subnet *subnet)
{
	size_t i = place_of(bans, subnet);

	if (i == bans->n || !net_subnet_eq(&bans->list[i].subnet, subnet))
		return RC_ENOENT;
	cut(bans, i);
	return RC_OK;
}

void bans_clear(struct bans *bans)
{
	bans->n = 0;
	bans->changes++;
}

void bans_sweep(struct bans *bans, uint64_t now)
{
	for (size_t i = bans->n; i > 0; i--) {
		if (bans->list[i - 1].until <= now)
			cut(bans, i - 1);
	}
}

bool bans_has(const struct bans *bans, const struct net_addr *addr, uint64_t now)
{
	for (size_t i = 0; i < bans->n; i++) {
		if (bans->list[i].until > now && net_subnet_has(&bans->list[i].subnet, addr))
			return true;
	}
	return false;
}

static const char magic[8] = {'R', 'C', 'B', 'A', 'N', 'L', 'S', 'T'};

void bans_encode(const struct bans *bans, struct rc_buf *buf)
{
	size_t start = buf->len;
	uint8_t hash[32];

	rc_buf_put(buf, magic, sizeof(magic));
	rc_buf_put_le16(buf, BANS_FILE_VERSION);
	rc_buf_put_le32(buf, (uint32_t)bans->n);
	for (size_t i = 0; i < bans->n; i++) {
		const struct ban *b = &bans->list[i];
		size_t len = strlen(b->reason);

		rc_buf_put(buf, b->subnet.ip, 16);
		rc_buf_put_u8(buf, b->subnet.bits);
		rc_buf_put_le64(buf, b->created);
		rc_buf_put_le64(buf, b->until);
		rc_buf_put_u8(buf, (uint8_t)len);
		rc_buf_put(buf, b->reason, len);
	}
	rc_sha256(buf->data + start, buf->len - start, hash);
	rc_buf_put(buf, hash, 32);
}

static bool read_ban(struct rc_reader *r, struct ban *ret)
{
	struct net_subnet masked;
	char text[NET_SUBNET_TEXT];
	uint8_t len;

	*ret = (struct ban){0};
	rc_read_into(r, ret->subnet.ip, 16);
	ret->subnet.bits = rc_read_u8(r);
	ret->created = rc_read_le64(r);
	ret->until = rc_read_le64(r);
	len = rc_read_u8(r);
	if (r->failed || ret->subnet.bits > 128 || len > BAN_REASON_MAX)
		return false;
	rc_read_into(r, ret->reason, len);
	if (r->failed || memchr(ret->reason, 0, len))
		return false;
	/* The text form masks: what comes back must be the same subnet. */
	net_subnet_format(text, &ret->subnet);
	return net_subnet_parse(text, &masked) && net_subnet_eq(&masked, &ret->subnet);
}

int bans_decode(const void *data, size_t len, struct bans *ret_bans, struct rc_error *error)
{
	struct rc_reader r = rc_reader_of(data, len);
	struct bans bans = {0};
	struct ban ban;
	uint8_t hash[32];
	const uint8_t *p = rc_read_bytes(&r, sizeof(magic));
	uint32_t n;

	if (!p || memcmp(p, magic, sizeof(magic)) != 0)
		return rc_error_set(error, RC_EFORMAT, "not a list of bans");
	n = rc_read_le16(&r);
	if (!r.failed && n != BANS_FILE_VERSION)
		return rc_error_set(error, RC_EVERSION,
				    "list of bans of format %u, this program knows %d", n,
				    BANS_FILE_VERSION);
	if (len < 8 + 2 + 4 + 32 || len > BANS_FILE_MAX)
		return rc_error_set(error, RC_EFORMAT, "list of bans of %zu bytes is cut or grown",
				    len);
	rc_sha256(data, len - 32, hash);
	if (memcmp((const uint8_t *)data + len - 32, hash, 32) != 0)
		return rc_error_set(error, RC_EFORMAT, "the checksum of the list of bans is wrong");
	r.end -= 32;
	n = rc_read_le32(&r);
	if (n > BANS_MAX)
		r.failed = true;
	for (uint32_t i = 0; i < n && !r.failed; i++) {
		if (!read_ban(&r, &ban) ||
		    (bans.n && subnet_cmp(&bans.list[bans.n - 1].subnet, &ban.subnet) >= 0))
			r.failed = true;
		else
			insert(&bans, bans.n, &ban);
	}
	if (!rc_reader_end(&r)) {
		bans_done(&bans);
		return rc_error_set(error, RC_EFORMAT, "the list of bans is malformed");
	}
	bans.changes = 0;
	*ret_bans = bans;
	return RC_OK;
}
