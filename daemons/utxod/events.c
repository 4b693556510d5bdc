/* utxod's one event: the tips moved. */
#include "daemons/utxod/utxod.h"
#include "proto/utxod.pb-c.h"

static bool same(const struct block_ref *a, const struct block_ref *b)
{
	return a->height == b->height && rc_block_id_eq(&a->id, &b->id);
}

static void fill(const struct block_ref *block, Rc__BlockRef *ref)
{
	rc__block_ref__init(ref);
	ref->height = block->height;
	ref->id.data = (uint8_t *)(uintptr_t)block->id.b;
	ref->id.len = sizeof(block->id.b);
}

void events_tip(struct utxod *u)
{
	Rc__UtxodTip event = RC__UTXOD_TIP__INIT;
	Rc__BlockRef applied, durable;
	struct block_ref a, d;

	ledger_tips(u->ledger, &a, &d);
	if (same(&a, &u->told_applied) && same(&d, &u->told_durable))
		return;
	u->told_applied = a;
	u->told_durable = d;
	fill(&u->told_applied, &applied);
	fill(&u->told_durable, &durable);
	event.applied = &applied;
	event.durable = &durable;
	rc_server_publish(rc_service_server(u->service), "tip", &event);
}
