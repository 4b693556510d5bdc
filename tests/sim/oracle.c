/* See oracle.h. */
#include "oracle.h"

#include <stdlib.h>
#include <string.h>

#include "daemons/chaind/blockstore.h"
#include "sim.h"

struct seen {
	struct rc_block_id id;
	UT_hash_handle hh;
};

/* Its parent hasn't come. */
struct waiting {
	struct waiting *next;
	uint8_t *raw;
	size_t len;
};

struct mini_chain oracle;
static struct seen *seen;
static struct waiting *waiting;

static bool offer(const uint8_t *raw, size_t len)
{
	/* Clocks differ: what some node took by its own isn't early. */
	uint64_t now = (uint64_t)(rc_wall_ms(&rc_clock_system) / 1000) + 7 * 24 * 3600;
	struct sim_proc *current = sim.current;
	enum rc_verdict verdict;

	sim.current = NULL;
	verdict = mini_chain_block(&oracle, raw, len, now);
	sim.current = current;
	return verdict != RC_V_HEADER_PARENT_UNKNOWN;
}

static void offer_waiting(void)
{
	struct waiting **link = &waiting;

	while (*link) {
		struct waiting *w = *link;

		if (offer(w->raw, w->len)) {
			*link = w->next;
			free(w->raw);
			free(w);
			link = &waiting; /* others may wait for it */
		} else {
			link = &w->next;
		}
	}
}

static void on_put(struct sim_proc *proc, const char *owner, struct rc_bytes key,
		   struct rc_bytes value)
{
	struct seen *s;
	struct waiting *w;

	(void)proc;
	if (strcmp(owner, "chaind/blocks") != 0 || key.len != BLOCKSTORE_KEY_SIZE ||
	    key.data[0] != 'b')
		return;
	HASH_FIND(hh, seen, key.data + 5, 32, s);
	if (s)
		return;
	s = rc_alloc(sizeof(*s));
	memcpy(s->id.b, key.data + 5, 32);
	HASH_ADD(hh, seen, id, sizeof(s->id), s);
	if (offer(value.data, value.len)) {
		offer_waiting();
		return;
	}
	w = rc_alloc(sizeof(*w));
	*w = (struct waiting){waiting, rc_memdup(value.data, value.len), value.len};
	waiting = w;
}

void oracle_init(void)
{
	struct rc_network network;

	if (!rc_network_builtin("reg", &network))
		sim_fail("no network reg");
	mini_chain_init(&oracle, &network);
	sim_disk_on_put = on_put;
}

struct mini_block *oracle_find(const struct rc_block_id *id)
{
	return mini_chain_find(&oracle, id);
}

bool oracle_go(const struct rc_block_id *id)
{
	struct mini_block *b = oracle_find(id);

	if (!b || !b->judged || b->reason != RC_VERDICT_OK)
		return false;
	mini_chain_go(&oracle, b);
	return true;
}
