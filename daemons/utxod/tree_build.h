/* What building a version is made of, for tree_update.c and tree_hash.c. */
#ifndef UTXOD_TREE_BUILD_H
#define UTXOD_TREE_BUILD_H

#include "daemons/utxod/tree_internal.h"

#define NO_JOB UINT32_MAX

/* An item of a page to be. */
struct element {
	const uint8_t *key;
	const struct rc_state_node *node; /* its hash and sum; not yet known if job isn't NO_JOB */
	const struct rc_state_node
		*after; /* the branch in the gap after it, if that is an old one */
	uint32_t child;
	uint32_t job; /* that will give its node */
	uint16_t depth;
	uint16_t split; /* from the item after it in its old page, or UNKNOWN */
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

struct builder {
	struct tree *tree;
	struct rc_error *error;
	const struct tree_op *op;
	uint64_t from_seq;
	uint64_t seq;
	unsigned ns;
	size_t key_len;
	struct slab_local *slab;
	struct part *parts; /* built already: by item of the page that comes next; or NULL */
	uint64_t hits;
	bool missed;	      /* a page wasn't in memory */
	bool grouped;	      /* inside a group: it is hashed as a whole */
	size_t warmed;	      /* operations whose pages were fetched ahead */
	struct element *list; /* a stack of lists: each call works at its end */
	size_t n, cap;
	struct job *jobs;
	size_t n_jobs, cap_jobs;
	struct page **pages; /* made */
	size_t n_pages, cap_pages;
	uint32_t *made, *gone;
	size_t n_made, cap_made, n_gone, cap_gone;
};

/* RC_EINVAL: what the delta wants can't be. */
int tree_misfit(struct builder *b, const char *what);

/* Hashes the branches of jobs from the first on, those of one depth side by side, and forgets them;
 * elements of the list from `first` on have their nodes then. */
int tree_hash(struct builder *b, size_t first_job, size_t first);

#endif
