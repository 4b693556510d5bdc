/*
 * Entries of namespaces 2 … 5 in memory: those that unflushed and recent versions changed, each
 * with its values by version. What is not here is as the disk has it. Any thread; one lock, since a
 * block changes few of them.
 */
#ifndef UTXOD_REGISTRY_H
#define UTXOD_REGISTRY_H

#include <stdbool.h>

#include "base/buf.h"
#include "types/delta.h"

struct registry;

struct registry *registry_new(void);
void registry_free(struct registry *registry);

/* The change of one entry; before and after: data NULL: absent. */
struct registry_change {
	const struct rc_delta_entry *entry;
	size_t n;
	bool undo; /* before and after change places */
};

/* True: known here; then *ret_there, and the value appended to *value. */
bool registry_get(struct registry *registry, uint64_t seq, unsigned ns, const uint8_t *key,
		  bool *ret_there, struct rc_buf *value);

void registry_apply(struct registry *registry, uint64_t seq, const struct registry_change *change);
void registry_drop(struct registry *registry, uint64_t seq, const struct registry_change *change);
void registry_retire(struct registry *registry, uint64_t seq, const struct registry_change *change);

#endif
