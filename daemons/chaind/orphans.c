/* Transactions that wait for their parents. See orphans.h. */
#include "daemons/chaind/orphans.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void orphans_done(struct orphans *orphans)
{
	struct orphan *o, *next;

	HASH_ITER (hh, orphans->all, o, next) {
		HASH_DEL(orphans->all, o);
		free(o);
	}
}

size_t orphans_count(const struct orphans *orphans)
{
	return HASH_COUNT(orphans->all);
}

bool orphans_has(const struct orphans *orphans, const struct rc_wtxid *wtxid)
{
	struct orphan *o;

	HASH_FIND(hh, orphans->all, wtxid->b, sizeof(wtxid->b), o);
	return o != NULL;
}

bool orphans_add(struct orphans *orphans, const struct rc_tx *tx, const struct rc_txid *parents,
		 size_t n_parents, uint64_t peer, uint64_t now)
{
	struct orphan *o;

	if (tx->raw.len > ORPHAN_SIZE_MAX || n_parents > ORPHAN_PARENTS_MAX ||
	    orphans_has(orphans, &tx->wtxid))
		return false;
	while (HASH_COUNT(orphans->all) >= ORPHANS_MAX) {
		o = orphans->all; /* the oldest */
		HASH_DEL(orphans->all, o);
		free(o);
	}
	o = rc_alloc(sizeof(*o) + tx->raw.len);
	o->wtxid = tx->wtxid;
	o->until = now + ORPHAN_SECONDS;
	o->peer = peer;
	o->n_parents = n_parents;
	if (n_parents)
		memcpy(o->parents, parents, n_parents * sizeof(*parents));
	o->len = tx->raw.len;
	memcpy(o->raw, tx->raw.data, tx->raw.len);
	HASH_ADD(hh, orphans->all, wtxid.b, sizeof(o->wtxid.b), o);
	return true;
}

struct orphan *orphans_take_child(struct orphans *orphans, const struct rc_txid *parent)
{
	struct orphan *o, *next;

	HASH_ITER (hh, orphans->all, o, next) {
		for (size_t i = 0; i < o->n_parents; i++) {
			if (!rc_txid_eq(&o->parents[i], parent))
				continue;
			HASH_DEL(orphans->all, o);
			return o;
		}
	}
	return NULL;
}

void orphans_expire(struct orphans *orphans, uint64_t now)
{
	struct orphan *o, *next;

	HASH_ITER (hh, orphans->all, o, next) {
		if (o->until > now)
			break; /* in order of arrival */
		HASH_DEL(orphans->all, o);
		free(o);
	}
}
