/* What building a version is made of, for tree_update.c and tree_hash.c. */
#ifndef UTXOD_TREE_BUILD_H
#define UTXOD_TREE_BUILD_H

#include "daemons/utxod/tree_internal.h"

#define NO_JOB UINT32_MAX

/* Of an element: no branch above it, and all, need hashing; its split isn't known. */
#define CLEAN	  (-1)
#define ALL_ABOVE INT16_MAX
#define UNKNOWN	  UINT16_MAX

#define GROW(array, n, cap)                                                             \
	do {                                                                            \
		if ((n) == (cap)) {                                                     \
			(cap) = (cap) ? 2 * (cap) : 256;                                \
			(array) = rc_realloc_array((array), (cap), sizeof((array)[0])); \
		}                                                                       \
	} while (0)

/* Operations that go through all steps together: their pages, two or three of 1.9 KB each, are
 * fetched, hashed and changed while the second-level cache of a megabyte holds them. */
#define GROUP_OPS 256
/* Pages from where a group begins down to a leaf; deeper ones are looked at twice. */
#define WARM_LEVELS  8
#define FOUND_IN     0x80 /* and the item */
#define UNKNOWN_ITEM 0xff

/* An item of a page to be. */
struct element {
	const uint8_t *key;
	const uint8_t *next_key;	  /* of the item after it in its old page */
	const struct rc_state_node *node; /* its hash and sum; not yet known if job isn't NO_JOB */
	const struct rc_state_node *home; /* where it is once patches are applied; NULL: there */
	const struct rc_state_node
		*after; /* the branch in the gap after it, if that is an old one */
	uint32_t child;
	uint32_t job; /* that will give its node */
	uint16_t depth;
	uint16_t split; /* from that one, or UNKNOWN */
	int16_t dirty;
};

/* A branch to hash. */
struct job {
	const struct rc_state_node *left, *right;
	struct rc_state_node *out;
	struct rc_state_node *copy; /* in the page above, or the root; NULL: not a page's root */
	const uint8_t *key;
	uint16_t depth;
};

/* What operations do to one item of a page, or before it. */
struct edit {
	size_t lo, hi; /* operations */
	size_t first;  /* of the list: what came of the item's child */
	size_t n;
	unsigned item;
	bool in; /* to the item */
};

struct builder {
	struct tree *tree;
	struct rc_error *error;
	const struct tree_op *op;
	uint64_t seq;
	unsigned ns;
	size_t key_len;
	struct slab_local *slab;
	struct part *parts; /* built already: by item of the page that comes next; or NULL */
	uint64_t hits;
	bool missed;			       /* a page wasn't in memory */
	bool top;			       /* the page that comes next is the first */
	bool grouped;			       /* inside a group: it is hashed as a whole */
	size_t warm_from, warmed;	       /* operations whose pages were fetched ahead, */
	unsigned level;			       /* pages down from where that began, */
	uint8_t found[WARM_LEVELS][GROUP_OPS]; /* and what page_find said there, or UNKNOWN_ITEM */
	struct element *list;		       /* a stack of lists: each call works at its end */
	size_t n, cap;
	struct job *jobs;
	size_t n_jobs, cap_jobs;
	struct edit *edits; /* a stack too */
	size_t n_edits, cap_edits;
	struct patch **patches; /* one of each page changed */
	size_t n_patches, cap_patches;
	struct tree_touch *touched; /* the same pages; a whole one's age isn't known yet: 0 */
	size_t cap_touched;
	size_t n_applied;	   /* of patches the first, those that parts made */
	struct slab_block *chunks; /* their memory */
	size_t n_chunks, cap_chunks;
	char *room; /* of the last chunk */
	size_t room_left;
	uint32_t *made, *gone;
	size_t n_made, cap_made, n_gone, cap_gone;
};

static inline uint32_t versions_between(uint64_t older, uint64_t seq)
{
	return seq - older < UINT32_MAX ? (uint32_t)(seq - older) : UINT32_MAX;
}

/* RC_EINVAL: what the delta wants can't be. */
int tree_misfit(struct builder *b, const char *what);

/* Children of the branches of a page: from a gap to its two sides, −1: the item beside it. */
struct shape {
	int8_t left[PAGE_ITEMS], right[PAGE_ITEMS];
	int16_t dirty[PAGE_ITEMS]; /* greatest mark below the branch */
	uint8_t order[PAGE_ITEMS]; /* children before parents */
	unsigned n;		   /* branches ordered */
};
/* The trie over n items; dirty: their marks. */
void tree_shape(struct shape *s, const int16_t *dirty, const uint16_t *split, unsigned n);

/* Where items and branches of a page to be are, to hash its dirty branches. */
struct places {
	struct rc_state_node *item[PAGE_ITEMS], *branch[PAGE_ITEMS];
	const uint8_t *key[PAGE_ITEMS];
};
/* Hashes the dirty branches later; returns the job of the root, NO_JOB if it is clean. */
uint32_t tree_add_jobs(struct builder *b, const struct places *p, const struct shape *s,
		       const uint16_t *split);
/* Takes an element's node to where it belongs, now or when it is known. */
void tree_put_node(struct builder *b, const struct element *e, struct rc_state_node *to);

/* At the end of the list. */
struct element *tree_push(struct builder *b);

/* Memory that lives as long as the version before has readers. */
void *tree_alloc_patch(struct builder *b, size_t size);
/* before: version of what the page was; that of the builder: not known. What it says of the page is
 * noted here: at the end of a block patches are no longer in the CPU's cache. */
void tree_add_patch(struct builder *b, struct patch *patch, uint64_t before);

/* Whether the edits from first_edit on leave the page's shape be: children are the same, leaves
 * have room. top: it may have as few as two items. */
bool tree_fits(const struct builder *b, const struct page *page, size_t first_edit, bool top);
/* Makes the patch, and the page's element in the place of the list from `first` on. */
void tree_patch_page(struct builder *b, const struct page *page, size_t first, size_t first_edit);

/* Hashes the branches of jobs from the first on, those of one depth side by side, and forgets them;
 * elements of the list from `first` on have their nodes then. */
int tree_hash(struct builder *b, size_t first_job, size_t first);

#endif
