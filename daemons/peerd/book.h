/*
 * The address book: whom this node could talk to. Two tables as Bitcoin Core has them: *new* for
 * what was heard, *tried* for what once answered, both cut into buckets that are chosen by a secret
 * key, the address's group and the group of who told it, so that one party fills a few buckets
 * only, however many addresses it names (40-network, "Address book").
 *
 * Pure: no file, no clock, no socket.
 */
#ifndef PEERD_BOOK_H
#define PEERD_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "daemons/peerd/netaddr.h"

#define BOOK_NEW_BUCKETS      1024
#define BOOK_TRIED_BUCKETS    256
#define BOOK_BUCKET_SIZE      64
#define BOOK_TRIED_PER_GROUP  8	 /* tried buckets a group can reach */
#define BOOK_NEW_PER_SOURCE   64 /* new buckets a source group can reach */
#define BOOK_REFS_MAX	      8	 /* new buckets one address can stand in */
#define BOOK_HORIZON_DAYS     30
#define BOOK_RETRIES	      3	 /* failures of one that never answered */
#define BOOK_FAILURES	      10 /* failures in a row … */
#define BOOK_FAILURES_DAYS    7	 /* … over so long */
#define BOOK_TRIED_KEEP_HOURS 4	 /* one that answered so lately keeps its place in tried */

enum book_table { BOOK_NEW, BOOK_TRIED };

/* Times in seconds since 1970. */
struct book_entry {
	struct net_addr addr;
	struct net_addr source; /* who told it */
	uint64_t services;
	uint32_t time; /* when it was last known to be there */
	uint32_t last_try;
	uint32_t last_success;
	uint16_t attempts; /* failures since the last success */
	uint8_t refs;	   /* new buckets it stands in; 0 in tried */
	bool tried;
	bool has_key;
	uint8_t key[RC_LINK_KEY_SIZE];
};

struct book;

/* ip ‖ port big-endian: the name of an address, and its order in the file. */
void book_name(const struct net_addr *addr, uint8_t ret_name[18]);

/* private_ok: loopback and private addresses are kept and told too. */
struct book *book_new(const struct rc_random *random, bool private_ok);
void book_free(struct book *book);

/* Whether such an address is kept at all. */
bool book_accepts(const struct book *book, const struct net_addr *addr);

/*
 * Hears of an address. endpoint->time is believed less penalty seconds, and never beyond now.
 * Returns true if it wasn't known. A link key replaces an older one of an address that hasn't
 * answered yet.
 */
struct book_hearsay {
	struct net_endpoint endpoint;
	uint64_t services;
	uint32_t time;
};
bool book_add(struct book *book, const struct book_hearsay *heard, const struct net_addr *source,
	      uint32_t penalty, uint32_t now);
/* A dial begins, a handshake with it succeeded (key: that of the link), the dial failed. */
void book_attempt(struct book *book, const struct net_addr *addr, uint32_t now);
void book_good(struct book *book, const struct net_endpoint *endpoint, uint64_t services,
	       uint32_t now);
void book_failed(struct book *book, const struct net_addr *addr);
/* The key that was told doesn't open: the next link learns it. */
void book_forget_key(struct book *book, const struct net_addr *addr);
void book_remove(struct book *book, const struct net_addr *addr);

const struct book_entry *book_find(const struct book *book, const struct net_addr *addr);
/* One to dial, by chance, long tried or failed ones less likely; NULL: the book is empty. */
const struct book_entry *book_select(struct book *book, uint32_t now);
/* The same of those that were only heard of; NULL: there are none. */
const struct book_entry *book_select_new(struct book *book, uint32_t now);
/* At most max entries by chance that aren't terrible and have all of these services. */
size_t book_sample(struct book *book, uint64_t services, uint32_t now,
		   const struct book_entry **ret_entries, size_t max);

size_t book_count(const struct book *book);
size_t book_count_of(const struct book *book, enum book_table table, bool v4);
/* Grows with every change: whether it should be saved. */
uint64_t book_changes(const struct book *book);

/*
 * The file (book_file.c): one strict encoding.
 *
 *   "RCADDRBK" | version u16 = 1 | network id 32 | bucket key 32 | n u32
 *   | n × { ip 16 | port u16 | source ip 16 | source port u16 | services u64 | time u32
 *         | last_try u32 | last_success u32 | attempts u16 | flags u8 (1: tried, 2: key)
 *         | key 33 if flagged | refs u8 | refs × bucket u16, ascending }
 *   | SHA256 of all before
 *
 * Entries ascend by ip ‖ port (as bytes, port big-endian); a tried one has no refs, a new one 1 to
 * 8; no two stand in one place of a bucket.
 */
#define BOOK_FILE_VERSION   1
#define BOOK_FILE_ENTRY_MAX (18 + 18 + 8 + 12 + 2 + 1 + RC_LINK_KEY_SIZE + 1 + 2 * BOOK_REFS_MAX)
#define BOOK_ENTRIES_MAX    ((BOOK_NEW_BUCKETS + BOOK_TRIED_BUCKETS) * BOOK_BUCKET_SIZE)
#define BOOK_FILE_MAX	    (8 + 2 + 32 + 32 + 4 + BOOK_ENTRIES_MAX * BOOK_FILE_ENTRY_MAX + 32)

void book_encode(const struct book *book, const uint8_t network_id[32], struct rc_buf *buf);
/* RC_EFORMAT, RC_EVERSION, RC_ENETWORK with a sentence; then *ret_book is untouched. */
int book_decode(const void *data, size_t len, const uint8_t network_id[32],
		const struct rc_random *random, bool private_ok, struct book **ret_book,
		struct rc_error *error);

#endif
