/* The address book's file: its one encoding, read strictly. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/reader.h"
#include "crypto/sha256.h"
#include "daemons/peerd/book_tables.h"

static const char magic[8] = {'R', 'C', 'A', 'D', 'D', 'R', 'B', 'K'};

enum { FLAG_TRIED = 1, FLAG_KEY = 2, FLAGS_KNOWN = 3 };

static int by_name(const void *a, const void *b)
{
	const struct book_node *x = *(struct book_node *const *)a;
	const struct book_node *y = *(struct book_node *const *)b;

	return memcmp(x->name, y->name, sizeof(x->name));
}

static void put_addr(struct rc_buf *buf, const struct net_addr *addr)
{
	rc_buf_put(buf, addr->ip, 16);
	rc_buf_put_le16(buf, addr->port);
}

static int by_number(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static void put_node(const struct book_node *node, struct rc_buf *buf)
{
	const struct book_entry *e = &node->e;
	uint16_t buckets[BOOK_REFS_MAX];

	put_addr(buf, &e->addr);
	put_addr(buf, &e->source);
	rc_buf_put_le64(buf, e->services);
	rc_buf_put_le32(buf, e->time);
	rc_buf_put_le32(buf, e->last_try);
	rc_buf_put_le32(buf, e->last_success);
	rc_buf_put_le16(buf, e->attempts);
	rc_buf_put_u8(buf, (uint8_t)((e->tried ? FLAG_TRIED : 0) | (e->has_key ? FLAG_KEY : 0)));
	if (e->has_key)
		rc_buf_put(buf, e->key, RC_LINK_KEY_SIZE);
	rc_buf_put_u8(buf, e->refs);
	memcpy(buckets, node->buckets, sizeof(buckets));
	qsort(buckets, e->refs, sizeof(*buckets), by_number);
	for (unsigned i = 0; i < e->refs; i++)
		rc_buf_put_le16(buf, buckets[i]);
}

void book_encode(const struct book *book, const uint8_t network_id[32], struct rc_buf *buf)
{
	size_t start = buf->len;
	RC_AUTOFREE struct book_node **sorted = rc_alloc_array(book->n, sizeof(struct book_node *));
	uint8_t hash[32];

	if (book->n)
		memcpy(sorted, book->all, book->n * sizeof(struct book_node *));
	qsort(sorted, book->n, sizeof(struct book_node *), by_name);
	rc_buf_put(buf, magic, sizeof(magic));
	rc_buf_put_le16(buf, BOOK_FILE_VERSION);
	rc_buf_put(buf, network_id, 32);
	rc_buf_put(buf, book->key, 32);
	rc_buf_put_le32(buf, (uint32_t)book->n);
	for (size_t i = 0; i < book->n; i++)
		put_node(sorted[i], buf);
	rc_sha256(buf->data + start, buf->len - start, hash);
	rc_buf_put(buf, hash, 32);
}

static void read_addr(struct rc_reader *r, struct net_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	rc_read_into(r, ret->ip, 16);
	ret->port = rc_read_le16(r);
}

/* One entry into the book; false if it breaks a rule of the encoding. */
static bool read_node(struct rc_reader *r, struct book *book, uint8_t last_name[18], bool first)
{
	struct book_entry e = {0};
	struct book_node *node;
	uint8_t name[18], flags;
	uint32_t bucket, place;
	int last_bucket = -1;

	read_addr(r, &e.addr);
	read_addr(r, &e.source);
	e.services = rc_read_le64(r);
	e.time = rc_read_le32(r);
	e.last_try = rc_read_le32(r);
	e.last_success = rc_read_le32(r);
	e.attempts = rc_read_le16(r);
	flags = rc_read_u8(r);
	e.tried = flags & FLAG_TRIED;
	e.has_key = flags & FLAG_KEY;
	if (e.has_key)
		rc_read_into(r, e.key, RC_LINK_KEY_SIZE);
	e.refs = rc_read_u8(r);
	if (r->failed || flags & ~FLAGS_KNOWN || e.addr.port == 0 || e.refs > BOOK_REFS_MAX ||
	    e.tried == (e.refs > 0))
		return false;
	if (e.has_key && !rc_link_key_valid(e.key))
		return false;
	book_name(&e.addr, name);
	if (!first && memcmp(last_name, name, sizeof(name)) >= 0)
		return false;
	memcpy(last_name, name, sizeof(name));
	node = book_node_add(book, &e.addr);
	node->e = e;
	if (e.tried) {
		book->n_tried++;
		bucket = book_tried_bucket(book, &e.addr);
		place = book_place(book, BOOK_TRIED, bucket, &e.addr);
		if (book->tried[bucket][place])
			return false;
		book->tried[bucket][place] = node;
	}
	for (unsigned i = 0; i < e.refs; i++) {
		bucket = rc_read_le16(r);
		if (r->failed || bucket >= BOOK_NEW_BUCKETS || (int)bucket <= last_bucket)
			return false;
		last_bucket = (int)bucket;
		place = book_place(book, BOOK_NEW, bucket, &e.addr);
		if (book->fresh[bucket][place])
			return false;
		book->fresh[bucket][place] = node;
		node->buckets[i] = (uint16_t)bucket;
	}
	return true;
}

/* What the key says that isn't accepted here any more (private_addresses was turned off). */
static void drop_unwanted(struct book *book)
{
	for (size_t i = book->n; i > 0; i--) {
		struct net_addr addr = book->all[i - 1]->e.addr;

		if (!book_accepts(book, &addr))
			book_remove(book, &addr);
	}
}

int book_decode(const void *data, size_t len, const uint8_t network_id[32],
		const struct rc_random *random, bool private_ok, struct book **ret_book,
		struct rc_error *error)
{
	struct rc_reader r = rc_reader_of(data, len);
	struct book *book;
	const uint8_t *p;
	uint8_t hash[32], last[18] = {0};
	uint32_t n;

	p = rc_read_bytes(&r, sizeof(magic));
	if (!p || memcmp(p, magic, sizeof(magic)) != 0)
		return rc_error_set(error, RC_EFORMAT, "not an address book");
	n = rc_read_le16(&r);
	if (!r.failed && n != BOOK_FILE_VERSION)
		return rc_error_set(error, RC_EVERSION,
				    "address book of format %u, this program knows %u", n,
				    BOOK_FILE_VERSION);
	if (len < 8 + 2 + 32 + 32 + 4 + 32 || len > BOOK_FILE_MAX)
		return rc_error_set(error, RC_EFORMAT, "address book of %zu bytes is cut or grown",
				    len);
	rc_sha256(data, len - 32, hash);
	if (memcmp((const uint8_t *)data + len - 32, hash, 32) != 0)
		return rc_error_set(error, RC_EFORMAT, "address book's checksum is wrong");
	r.end -= 32;
	p = rc_read_bytes(&r, 32);
	if (memcmp(p, network_id, 32) != 0)
		return rc_error_set(error, RC_ENETWORK, "address book of another network");
	book = book_new(random, private_ok);
	rc_read_into(&r, book->key, 32);
	n = rc_read_le32(&r);
	if (n > BOOK_ENTRIES_MAX)
		r.failed = true;
	for (uint32_t i = 0; i < n && !r.failed; i++) {
		if (!read_node(&r, book, last, i == 0))
			r.failed = true;
	}
	if (!rc_reader_end(&r)) {
		book_free(book);
		return rc_error_set(error, RC_EFORMAT, "address book is malformed");
	}
	drop_unwanted(book);
	*ret_book = book;
	return RC_OK;
}
