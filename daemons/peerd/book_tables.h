/* The inside of the address book, shared by book.c and book_file.c alone. */
#ifndef PEERD_BOOK_TABLES_H
#define PEERD_BOOK_TABLES_H

#include <uthash.h>

#include "daemons/peerd/book.h"

struct book_node {
	struct book_entry e;
	uint16_t buckets[BOOK_REFS_MAX]; /* the new buckets it stands in, e.refs of them */
	size_t place;			 /* in book->all */
	uint8_t name[18];
	UT_hash_handle hh;
};

struct book {
	uint8_t key[32];
	const struct rc_random *random;
	bool private_ok;
	struct book_node *nodes; /* by name */
	struct book_node **all;	 /* in no order: for choices by chance */
	size_t n, cap;
	size_t n_tried;
	uint64_t changes;
	struct book_node *fresh[BOOK_NEW_BUCKETS][BOOK_BUCKET_SIZE];
	struct book_node *tried[BOOK_TRIED_BUCKETS][BOOK_BUCKET_SIZE];
};

uint32_t book_new_bucket(const struct book *book, const struct net_addr *addr,
			 const struct net_addr *source);
uint32_t book_tried_bucket(const struct book *book, const struct net_addr *addr);
uint32_t book_place(const struct book *book, enum book_table table, uint32_t bucket,
		    const struct net_addr *addr);
/* Makes a node and links it into nodes and all; it stands in no bucket yet. */
struct book_node *book_node_add(struct book *book, const struct net_addr *addr);

#endif
