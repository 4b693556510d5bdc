/*
 * The authenticated tree: per namespace a trie (30-state, "The tree") in pages, in versions.
 *
 * Versions are numbered (seq) and form one line: the state after each applied or staged block, and
 * after each undo, which is a step forward in versions and back in content. A page is what the
 * newest version has; each version that changed it has left a patch that gives what was before
 * (patch.h). A reader copies the page and takes the copy back to its version; only for the copying
 * he holds the page, so he never waits for who builds the next version, nor that one for him. (A
 * copy of every page for every version instead was half of a block's cost: it is memory that is
 * waited for.)
 *
 * A page no newer than the last flush and than any reader is what the disk has: it may be dropped
 * from memory and read again.
 *
 * One thread builds versions (tree_update, tree_drop), with help of its own; any number read.
 */
#ifndef UTXOD_TREE_H
#define UTXOD_TREE_H

#include "base/err.h"
#include "daemons/utxod/disk.h"
#include "daemons/utxod/page.h"

#define TREE_NAMESPACES 5 /* 1 … 5; the others are empty */

/* Where a namespace's trie begins: depth TREE_EMPTY: nowhere. */
#define TREE_EMPTY UINT16_MAX
struct tree_root {
	struct rc_state_node node;
	uint32_t page;	/* 0: a single leaf */
	uint16_t depth; /* of the root branch; 8 × key length: a leaf */
	uint8_t key[RC_STATE_KEY_MAX];
};

/* All of a version; index ns − 1. */
struct tree_roots {
	struct tree_root ns[TREE_NAMESPACES];
};

enum tree_op_kind {
	TREE_INSERT,  /* must not be there */
	TREE_REPLACE, /* must be there as `before` */
	TREE_REMOVE,
};

struct tree_op {
	const uint8_t *key;
	enum tree_op_kind kind;
	struct rc_state_node before, after; /* leaves */
};

struct tree_ops {
	const struct tree_op *op; /* ascending by key, each key once */
	size_t n;
};

/* A page that a version changed. */
struct tree_touch {
	uint32_t id;
	uint32_t size; /* of the page */
	uint32_t age;  /* versions since it was changed before */
};

/* What a version did to the pages; kept until it is neither needed nor unflushed. */
struct tree_change {
	struct tree_touch *touched; /* tombstones included */
	struct patch **patch;	    /* of each */
	uint32_t *made;		    /* ids it took into use */
	uint32_t *gone;		    /* ids it gave up */
	struct slab_block
		*block; /* memory of the patches, and pages that others took the place of */
	size_t n_touched, n_made, n_gone, n_chunks, n_blocks; /* the chunks come first */
	size_t bytes;	   /* of blocks: until the version before has no readers */
	size_t page_bytes; /* of pages that had been as the disk has them */
};
void tree_change_done(struct tree_change *change);

struct tree;

/* limit: bytes of pages to hold in memory. next_id, free_ids: from the marker. */
struct tree *tree_new(struct disk *disk, size_t limit, uint32_t next_id, const uint32_t *free_ids,
		      size_t n_free);
void tree_free(struct tree *tree);

void tree_roots_init(struct tree_roots *roots);
/* H(RC/state/root, …) over the eight namespaces. */
void tree_state_root(const struct tree_roots *roots, struct rc_hash *ret_root);

/*
 * Builds version seq from the newest, whose roots `from` are. RC_EINVAL: an operation doesn't
 * fit the state (inserted twice, removed and not there or another value, sums over the supply
 * limit); then nothing has changed. RC_EIO, RC_EFORMAT: the disk.
 */
int tree_update(struct tree *tree, uint64_t seq, const struct tree_roots *from,
		const struct tree_ops ops[TREE_NAMESPACES], struct tree_roots *ret_roots,
		struct tree_change *ret_change, struct rc_error *error);

/* Reads the pages on the way to n keys of a namespace, as the newest version has them, into memory,
 * many at once (tree_preload.c), before it is built upon. The caller bounds n: they stay until the
 * next tree_trim. */
int tree_preload(struct tree *tree, const struct tree_roots *roots, unsigned ns,
		 const uint8_t *const *keys, size_t n, struct rc_error *error);

/* Forgets the newest version, seq; no reader of it is left. */
void tree_drop(struct tree *tree, uint64_t seq, struct tree_change *change);
/* No version before seq has readers any more: what gave them goes. Versions in their order. */
void tree_release(struct tree *tree, uint64_t seq, struct tree_change *change);

/* ---- reading a version ---- */

/* Holds copies of pages for one thread. */
struct tree_reader {
	struct tree *tree;
	uint64_t seq;
	struct page_copy *top, *spare;
	bool loaded; /* something that wasn't in memory: it has to be trimmed */
};
void tree_reader_init(struct tree_reader *reader, struct tree *tree, uint64_t seq);
void tree_reader_done(struct tree_reader *reader);
/* Nodes got since the mark are void: a long walk doesn't keep every page it passed. */
struct page_copy *tree_reader_mark(const struct tree_reader *reader);
void tree_reader_back(struct tree_reader *reader, struct page_copy *mark);

/* A node as a reader sees it, valid as long as the reader. */
struct tree_node {
	struct rc_state_node node;
	const uint8_t *key; /* of some leaf below; the first depth bits are the path */
	unsigned depth;
	bool leaf;
	const struct page *page; /* a branch: items lo … hi of this page */
	uint16_t lo, hi;
};
/* False: the namespace is empty. An error: the disk's. */
int tree_top(struct tree_reader *reader, const struct tree_roots *roots, unsigned ns, bool *ret_any,
	     struct tree_node *ret_node, struct rc_error *error);
int tree_sides(struct tree_reader *reader, const struct tree_node *branch,
	       struct tree_node *ret_left, struct tree_node *ret_right, struct rc_error *error);

/* ---- disk and memory ---- */

/* Puts into the disk's pending batch what versions (flushed … seq] left of the given pages: ids may
 * repeat. */
void tree_put(struct tree *tree, uint64_t seq, const uint32_t *ids, size_t n);
/* The batch up to seq is on disk; gone: ids those versions gave up, free from now on. */
void tree_flushed(struct tree *tree, uint64_t seq, const uint32_t *gone, size_t n_gone);
/* Appends the free ids, u32 little-endian each, and tells the first never used. */
uint32_t tree_free_ids(struct tree *tree, struct rc_buf *buf);

/* Drops pages from memory until there is room for a version like those of late within the limit, as
 * far as that can be, and packs those that stay. */
void tree_trim(struct tree *tree);
/* How much the caller holds out of the same limit, beside the pages. */
void tree_beside(struct tree *tree, size_t bytes);
/* Whether the limit is passed. */
bool tree_over(const struct tree *tree);

struct tree_figures {
	size_t bytes;  /* of pages in memory, */
	size_t held;   /* and of what they have to lie in */
	uint64_t hits; /* pages found in memory, loaded from disk, dropped */
	uint64_t loads;
	uint64_t drops;
	uint64_t hashes; /* branches hashed */
};
void tree_figures(struct tree *tree, struct tree_figures *ret);

#endif
