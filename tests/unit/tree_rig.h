/* A version of a tree handed to its disk, as the ledger's flush does. */
#ifndef RC_TEST_TREE_RIG_H
#define RC_TEST_TREE_RIG_H

#include "rc_test.h"

#include <stdlib.h>

#include "daemons/utxod/tree.h"

/* seq: the newest version, which made the change; all before it are on the disk. */
static inline void tree_rig_flush(struct tree *tree, struct disk *disk, uint64_t seq,
				  const struct tree_change *change)
{
	uint32_t *ids = rc_alloc_array(change->n_touched, sizeof(*ids));
	struct rc_error error;

	for (size_t i = 0; i < change->n_touched; i++)
		ids[i] = change->touched[i].id;
	tree_put(tree, seq, ids, change->n_touched);
	free(ids);
	assert_int_equal(disk->ops->commit(disk, DISK_FLUSH, &error), RC_OK);
	tree_flushed(tree, seq, change->gone, change->n_gone);
}

#endif
