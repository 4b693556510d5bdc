/* A delta as operations on the tree: keys and leaf hashes, side by side, sorted. */
#ifndef UTXOD_DELTA_OPS_H
#define UTXOD_DELTA_OPS_H

#include "daemons/utxod/tree.h"

/* What a coin or an entry takes of the arena, at most, and what comes to that once. */
#define DELTA_OPS_EACH 256
#define DELTA_OPS_ONCE 1024
/* Everything is the arena's. undo: what was spent is made again. */
void delta_ops(const struct rc_delta *delta, bool undo, struct rc_arena *arena,
	       struct tree_ops ret_ops[TREE_NAMESPACES]);

/* Length of a coin's value with a lock of so many bytes. */
#define COIN_VALUE_HEAD (8 + 4 + 1)

#endif
