/* The address book: tables and choices. The method is that of Bitcoin Core's addrman. */
#include "daemons/peerd/book.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "crypto/sha256.h"
#include "daemons/peerd/book_tables.h"

#define DAY  (24u * 60 * 60)
#define HOUR (60u * 60)

void book_name(const struct net_addr *addr, uint8_t ret_name[18])
{
	memcpy(ret_name, addr->ip, 16);
	ret_name[16] = (uint8_t)(addr->port >> 8);
	ret_name[17] = (uint8_t)addr->port;
}

/* H(RC/addrman, key ‖ purpose ‖ u8 len ‖ a ‖ u8 len ‖ b ‖ n u32), its first eight bytes. */
static uint64_t keyed(const struct book *book, char purpose, const void *a, uint8_t a_len,
		      const void *b, uint8_t b_len, uint32_t n)
{
	uint8_t p = (uint8_t)purpose, le[4], h[32];
	struct rc_bytes parts[] = {
		{book->key, 32}, {&p, 1}, {&a_len, 1}, {a, a_len}, {&b_len, 1}, {b, b_len}, {le, 4},
	};

	rc_put_le32(le, n);
	rc_tagged_hash_parts(RC_TAG_ADDRMAN, parts, RC_ARRAY_LEN(parts), h);
	return rc_get_le64(h);
}

uint32_t book_new_bucket(const struct book *book, const struct net_addr *addr,
			 const struct net_addr *source)
{
	struct net_group g = net_addr_group(addr), from = net_addr_group(source);
	uint32_t one =
		(uint32_t)(keyed(book, 'n', g.b, g.len, from.b, from.len, 0) % BOOK_NEW_PER_SOURCE);

	return (uint32_t)(keyed(book, 'N', from.b, from.len, NULL, 0, one) % BOOK_NEW_BUCKETS);
}

uint32_t book_tried_bucket(const struct book *book, const struct net_addr *addr)
{
	struct net_group g = net_addr_group(addr);
	uint8_t name[18];
	uint32_t one;

	book_name(addr, name);
	one = (uint32_t)(keyed(book, 't', name, 18, NULL, 0, 0) % BOOK_TRIED_PER_GROUP);
	return (uint32_t)(keyed(book, 'T', g.b, g.len, NULL, 0, one) % BOOK_TRIED_BUCKETS);
}

uint32_t book_place(const struct book *book, enum book_table table, uint32_t bucket,
		    const struct net_addr *addr)
{
	uint8_t name[18];

	book_name(addr, name);
	return (uint32_t)(keyed(book, table == BOOK_NEW ? 'p' : 'P', name, 18, NULL, 0, bucket) %
			  BOOK_BUCKET_SIZE);
}

struct book *book_new(const struct rc_random *random, bool private_ok)
{
	struct book *book = rc_alloc(sizeof(*book));

	book->random = random;
	book->private_ok = private_ok;
	rc_random_fill(random, book->key, sizeof(book->key));
	return book;
}

void book_free(struct book *book)
{
	if (!book)
		return;
	HASH_CLEAR(hh, book->nodes);
	for (size_t i = 0; i < book->n; i++)
		free(book->all[i]);
	free(book->all);
	free(book);
}

bool book_accepts(const struct book *book, const struct net_addr *addr)
{
	enum net_class class = net_addr_class(addr);

	if (addr->port == 0 || class == NET_UNUSABLE)
		return false;
	return class == NET_PUBLIC || book->private_ok;
}

static struct book_node *find(const struct book *book, const struct net_addr *addr)
{
	struct book_node *node;
	uint8_t name[18];

	book_name(addr, name);
	HASH_FIND(hh, book->nodes, name, sizeof(name), node);
	return node;
}

const struct book_entry *book_find(const struct book *book, const struct net_addr *addr)
{
	struct book_node *node = find(book, addr);

	return node ? &node->e : NULL;
}

struct book_node *book_node_add(struct book *book, const struct net_addr *addr)
{
	struct book_node *node = rc_alloc(sizeof(*node));

	node->e.addr = *addr;
	book_name(addr, node->name);
	if (book->n == book->cap) {
		book->cap = book->cap ? 2 * book->cap : 64;
		book->all = rc_realloc_array(book->all, book->cap, sizeof(struct book_node *));
	}
	node->place = book->n;
	book->all[book->n++] = node;
	HASH_ADD(hh, book->nodes, name, sizeof(node->name), node);
	return node;
}

static void node_remove(struct book *book, struct book_node *node)
{
	HASH_DEL(book->nodes, node);
	book->n--;
	book->all[node->place] = book->all[book->n];
	book->all[node->place]->place = node->place;
	if (node->e.tried)
		book->n_tried--;
	free(node);
}

/* Takes what stands there out of one new bucket; it is forgotten with its last place. */
static void clear_new(struct book *book, uint32_t bucket, uint32_t place)
{
	struct book_node *node = book->fresh[bucket][place];

	if (!node)
		return;
	book->fresh[bucket][place] = NULL;
	for (unsigned i = 0; i < node->e.refs; i++) {
		if (node->buckets[i] == bucket) {
			node->buckets[i] = node->buckets[--node->e.refs];
			break;
		}
	}
	if (node->e.refs == 0)
		node_remove(book, node);
}

static void put_new(struct book *book, uint32_t bucket, uint32_t place, struct book_node *node)
{
	book->fresh[bucket][place] = node;
	node->buckets[node->e.refs++] = (uint16_t)bucket;
}

/* Takes a node out of all new buckets, without forgetting it. */
static void leave_new(struct book *book, struct book_node *node)
{
	while (node->e.refs > 0) {
		uint32_t b = node->buckets[--node->e.refs];

		book->fresh[b][book_place(book, BOOK_NEW, b, &node->e.addr)] = NULL;
	}
}

/* Not worth dialling or telling of. */
static bool terrible(const struct book_entry *e, uint32_t now)
{
	if (e->last_try && now - e->last_try < 60 && e->last_try <= now)
		return false; /* its answer isn't there yet */
	if (e->time > now + 600)
		return true; /* from the future */
	if (e->time == 0 || now - e->time > BOOK_HORIZON_DAYS * DAY)
		return true;
	if (e->last_success == 0 && e->attempts >= BOOK_RETRIES)
		return true;
	return now - e->last_success > BOOK_FAILURES_DAYS * DAY && e->attempts >= BOOK_FAILURES;
}

/* In so small a book a choice walks the list: most buckets are empty. */
#define FEW 1024

bool book_add(struct book *book, const struct book_hearsay *heard, const struct net_addr *source,
	      uint32_t penalty, uint32_t now)
{
	const struct net_addr *addr = &heard->endpoint.addr;
	struct book_node *node = find(book, addr), *there;
	uint32_t time = heard->time < now ? heard->time : now;
	uint32_t bucket, place;
	bool fresh = !node;

	if (!book_accepts(book, addr))
		return false;
	time = time > penalty ? time - penalty : 1;
	if (node) {
		if (time > node->e.time && time - node->e.time > HOUR) {
			node->e.time = time;
			book->changes++;
		}
		node->e.services |= heard->services;
		/* After a failure no key is believed: a wrong one, told again and again, would keep
		 * this node from that address for ever. */
		if (heard->endpoint.has_key && !node->e.tried && !node->e.has_key &&
		    node->e.attempts == 0) {
			node->e.has_key = true;
			memcpy(node->e.key, heard->endpoint.key, RC_LINK_KEY_SIZE);
		}
		if (node->e.tried || node->e.refs >= BOOK_REFS_MAX)
			return false;
		/* Each further place is twice as hard to get. */
		if (rc_random_below(book->random, UINT64_C(1) << node->e.refs) != 0)
			return false;
	}
	bucket = book_new_bucket(book, addr, source);
	place = book_place(book, BOOK_NEW, bucket, addr);
	there = book->fresh[bucket][place];
	if (there && there == node)
		return false;
	if (there && !terrible(&there->e, now) && !(there->e.refs > 1 && fresh))
		return false; /* taken */
	if (fresh) {
		node = book_node_add(book, addr);
		node->e.source = *source;
		node->e.services = heard->services;
		node->e.time = time;
		node->e.has_key = heard->endpoint.has_key;
		memcpy(node->e.key, heard->endpoint.key, RC_LINK_KEY_SIZE);
	}
	clear_new(book, bucket, place);
	put_new(book, bucket, place, node);
	book->changes++;
	return fresh;
}

void book_attempt(struct book *book, const struct net_addr *addr, uint32_t now)
{
	struct book_node *node = find(book, addr);

	if (node)
		node->e.last_try = now;
}

void book_failed(struct book *book, const struct net_addr *addr)
{
	struct book_node *node = find(book, addr);

	if (node && node->e.attempts < UINT16_MAX) {
		node->e.attempts++;
		book->changes++;
	}
}

/* What stood in its place of tried goes back to new. */
static void demote(struct book *book, struct book_node *old)
{
	uint32_t bucket = book_new_bucket(book, &old->e.addr, &old->e.source);
	uint32_t place = book_place(book, BOOK_NEW, bucket, &old->e.addr);

	old->e.tried = false;
	book->n_tried--;
	clear_new(book, bucket, place);
	put_new(book, bucket, place, old);
}

void book_good(struct book *book, const struct net_endpoint *endpoint, uint64_t services,
	       uint32_t now)
{
	struct book_node *node = find(book, &endpoint->addr), *old;
	uint32_t bucket, place;

	if (!node)
		return;
	node->e.time = now;
	node->e.last_success = now;
	node->e.attempts = 0;
	node->e.services = services;
	if (endpoint->has_key) {
		node->e.has_key = true;
		memcpy(node->e.key, endpoint->key, RC_LINK_KEY_SIZE);
	}
	book->changes++;
	if (node->e.tried)
		return;
	bucket = book_tried_bucket(book, &endpoint->addr);
	place = book_place(book, BOOK_TRIED, bucket, &endpoint->addr);
	old = book->tried[bucket][place];
	if (old && now - old->e.last_success < BOOK_TRIED_KEEP_HOURS * HOUR)
		return; /* stays in new: who answered lately isn't pushed out */
	leave_new(book, node);
	if (old)
		demote(book, old);
	book->tried[bucket][place] = node;
	node->e.tried = true;
	book->n_tried++;
}

void book_forget_key(struct book *book, const struct net_addr *addr)
{
	struct book_node *node = find(book, addr);

	if (node && node->e.has_key) {
		node->e.has_key = false;
		memset(node->e.key, 0, sizeof(node->e.key));
		book->changes++;
	}
}

void book_remove(struct book *book, const struct net_addr *addr)
{
	struct book_node *node = find(book, addr);
	uint32_t bucket, place;

	if (!node)
		return;
	if (node->e.tried) {
		bucket = book_tried_bucket(book, addr);
		place = book_place(book, BOOK_TRIED, bucket, addr);
		book->tried[bucket][place] = NULL;
	} else {
		leave_new(book, node);
	}
	node_remove(book, node);
	book->changes++;
}

/* Of 2^32: how likely one is taken when it was drawn. */
static uint64_t chance(const struct book_entry *e, uint32_t now)
{
	uint64_t c = UINT64_C(1) << 32;

	/* One that answered is as good as it was: after a restart who was there a minute ago comes
	 * before thousands that were only heard of. */
	if (e->last_try > e->last_success && now >= e->last_try && now - e->last_try < 600)
		c /= 100;
	for (unsigned i = 0; i < e->attempts && i < 8; i++)
		c = c * 66 / 100;
	return c;
}

/*
 * A node of the table, which isn't empty: of a small book any with the same chance, else of any
 * bucket. Never by its place in the list, which an attacker can choose.
 */
static struct book_node *draw(struct book *book, enum book_table table)
{
	if (book->n <= FEW) {
		size_t of_table = table == BOOK_TRIED ? book->n_tried : book->n - book->n_tried;
		size_t left = (size_t)rc_random_below(book->random, of_table);

		for (size_t i = 0;; i++) {
			if (book->all[i]->e.tried == (table == BOOK_TRIED) && left-- == 0)
				return book->all[i];
		}
	}
	for (;;) {
		uint32_t buckets = table == BOOK_TRIED ? BOOK_TRIED_BUCKETS : BOOK_NEW_BUCKETS;
		uint32_t b = (uint32_t)rc_random_below(book->random, buckets);
		uint32_t start = (uint32_t)rc_random_below(book->random, BOOK_BUCKET_SIZE);

		for (uint32_t i = 0; i < BOOK_BUCKET_SIZE; i++) {
			uint32_t p = (start + i) % BOOK_BUCKET_SIZE;
			struct book_node *node =
				table == BOOK_TRIED ? book->tried[b][p] : book->fresh[b][p];

			if (node)
				return node;
		}
	}
}

static const struct book_entry *select_of(struct book *book, bool new_only, uint32_t now)
{
	/* Each round makes the next one likelier, as in addrman; it ends by arithmetic. */
	uint64_t factor = 10;

	if (book->n == 0 || (new_only && book->n_tried == book->n))
		return NULL;
	for (;;) {
		enum book_table table =
			!new_only && rc_random_below(book->random, 2) ? BOOK_TRIED : BOOK_NEW;
		struct book_node *node;

		if (book->n_tried == 0)
			table = BOOK_NEW;
		else if (book->n_tried == book->n)
			table = BOOK_TRIED;
		node = draw(book, table);
		if (rc_random_below(book->random, UINT64_C(1) << 32) <
		    chance(&node->e, now) * factor / 10)
			return &node->e;
		factor += factor / 5 + 1;
	}
}

const struct book_entry *book_select(struct book *book, uint32_t now)
{
	return select_of(book, false, now);
}

const struct book_entry *book_select_new(struct book *book, uint32_t now)
{
	return select_of(book, true, now);
}

size_t book_sample(struct book *book, uint64_t services, uint32_t now,
		   const struct book_entry **ret_entries, size_t max)
{
	size_t n = 0;

	/* A shuffle of the list from its front, as far as needed. */
	for (size_t i = 0; i < book->n && n < max; i++) {
		size_t j = i + (size_t)rc_random_below(book->random, book->n - i);
		struct book_node *node = book->all[j];

		book->all[j] = book->all[i];
		book->all[j]->place = j;
		book->all[i] = node;
		node->place = i;
		if ((node->e.services & services) == services && !terrible(&node->e, now))
			ret_entries[n++] = &node->e;
	}
	return n;
}

size_t book_count(const struct book *book)
{
	return book->n;
}

size_t book_count_of(const struct book *book, enum book_table table, bool v4)
{
	size_t n = 0;

	for (size_t i = 0; i < book->n; i++) {
		const struct book_entry *e = &book->all[i]->e;

		n += e->tried == (table == BOOK_TRIED) && net_addr_is_v4(&e->addr) == v4;
	}
	return n;
}

uint64_t book_changes(const struct book *book)
{
	return book->changes;
}
