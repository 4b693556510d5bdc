/* Invariants of peerd. Apart from those of chaind: both have a connect.h. */
#include "check.h"
#include "daemons/peerd/peerd.h"

bool check_hostile;

void check_peerd(struct sim_proc *proc)
{
	struct peerd *core = proc->peerd;
	const struct peerd_options *o = &core->opt;
	/* Beside those that are counted: a feeler, and who is to be let go for who comes. */
	unsigned most = o->max_inbound + o->handshakes_max + o->outbound + o->block_only +
			(unsigned)o->n_addnode + (unsigned)o->n_connect + 8;

	if (HASH_COUNT(core->peers) > most)
		sim_fail("%u links, where %u may be", HASH_COUNT(core->peers), most);
	if (HASH_COUNT(core->backoffs) > 1024 + 1)
		sim_fail("more backoffs than may be");
	if (check_hostile)
		return;
	if (discouraged_count(core->discouraged))
		sim_fail("an honest node is discouraged");
	for (struct peer *p = core->peers; p; p = p->hh.next)
		if (p->score.points60)
			sim_fail("an honest node has %u points, %s",
				 score_points(&p->score, core_now(core) / PEERD_SECOND), p->why);
}

unsigned check_links(const struct sim_proc *proc)
{
	return HASH_COUNT(proc->peerd->peers);
}
