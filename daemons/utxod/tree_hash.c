/* Branches hashed many at a time: the lanes of the CPU's vectors each take one. */
#include <stdlib.h>
#include <string.h>

#include "daemons/utxod/tree_build.h"

#define HASH_BATCH 256 /* messages at a time: they stay in the first-level cache */
#define DEPTHS	   (RC_TRIE_DEPTH_MAX + 1)

static int hash_some(struct builder *b, struct job *const *jobs, size_t n)
{
	uint8_t message[HASH_BATCH * RC_STATE_BRANCH_MESSAGE_MAX];
	uint8_t hash[HASH_BATCH][32];
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		const struct job *j = jobs[i];

		/* All of one depth: one length, so each message begins where the last ended. */
		len = rc_state_branch_message(b->ns, j->depth, j->key, j->left, j->right,
					      message + i * len);
	}
	rc_tagged_hash_many(RC_TAG_STATE_BRANCH, message, len, len, n, hash[0]);
	for (size_t i = 0; i < n; i++) {
		const struct job *j = jobs[i];
		rc_amount sum = j->left->sum;

		if (!rc_amount_add(&sum, j->right->sum))
			return tree_misfit(b, "its coins pass the supply limit");
		memcpy(j->out->hash.b, hash[i], 32);
		j->out->sum = sum;
		if (j->copy)
			*j->copy = *j->out;
	}
	return RC_OK;
}

/* The deepest first. */
int tree_hash(struct builder *b, size_t first_job, size_t first)
{
	size_t n_jobs = b->n_jobs - first_job, from = 0, end[DEPTHS + 1] = {0};
	RC_AUTOFREE struct job **sorted = rc_alloc_array(n_jobs, sizeof(struct job *));
	struct job *jobs = b->jobs + first_job;
	int err = RC_OK;

	for (size_t i = 0; i < n_jobs; i++)
		end[jobs[i].depth]++;
	for (size_t d = DEPTHS; d-- > 0;)
		end[d] += end[d + 1];
	for (size_t i = n_jobs; i-- > 0;)
		sorted[--end[jobs[i].depth]] = &jobs[i];
	while (!err && from < n_jobs) {
		size_t n = 1;

		while (n < HASH_BATCH && from + n < n_jobs &&
		       sorted[from + n]->depth == sorted[from]->depth)
			n++;
		err = hash_some(b, sorted + from, n);
		from += n;
	}
	atomic_fetch_add_explicit(&b->tree->hashes, n_jobs, memory_order_relaxed);
	for (size_t i = first; i < b->n; i++)
		b->list[i].job = NO_JOB;
	b->n_jobs = first_job;
	return err;
}
