/* New blocks, told to the peers that don't have them: in compact form or by header where they want
 * that, else by id. */
#include <string.h>

#include "daemons/peerd/peerd.h"
#include "proto/peer.pb-c.h"

#define ANNOUNCED_KNOWN 1024
/* While this node downloads, the newest block is told so often at most. */
#define ANNOUNCE_LATER (500 * PEERD_MS)

void announce_tell(struct peer *peer, const struct rc_block_id *id, const uint8_t *header)
{
	Rc__P2p__Headers headers = RC__P2P__HEADERS__INIT;
	Rc__P2p__Inv inv = RC__P2P__INV__INIT;
	uint8_t item[PEER_ITEM_SIZE];

	if (header && peer->headers) {
		headers.raw.data = (uint8_t *)(uintptr_t)header;
		headers.raw.len = RC_HEADER_SIZE;
		peer_send(peer, PEER_MSG_HEADERS, &headers.base);
		return;
	}
	item[0] = PEER_ITEM_BLOCK;
	memcpy(item + 1, id->b, 32);
	inv.items.data = item;
	inv.items.len = sizeof(item);
	peer_send(peer, PEER_MSG_INV, &inv.base);
}

void announce_block(struct peerd *core, const struct rc_block_id *id, const uint8_t *header)
{
	bool compact = false;

	core->announce_due = false;
	seen_add(&core->announced, id->b);
	for (struct peer *p = core->peers; p; p = p->hh.next) {
		if (!peer_is_ready(p) || seen_has(&p->known_blocks, id->b))
			continue;
		if (p->compact_wanted && header && !core_in_download(core)) {
			compact = true;
			continue;
		}
		seen_add(&p->known_blocks, id->b);
		announce_tell(p, id, header);
	}
	if (compact)
		compact_announce(core, id, header);
}

void announce_header(struct peerd *core, const struct rc_block_id *id, const uint8_t *header)
{
	struct good_header *slot;

	if (seen_has(&core->arrived, id->b)) {
		announce_block(core, id, header);
		return;
	}
	slot = &core->good_headers[core->next_good_header++ % PEERD_GOOD_HEADERS];
	slot->id = *id;
	memcpy(slot->raw, header, RC_HEADER_SIZE);
}

void announce_arrived(struct peerd *core, const struct rc_block_id *id)
{
	seen_add(&core->arrived, id->b);
	for (unsigned i = 0; i < PEERD_GOOD_HEADERS; i++) {
		if (rc_block_id_eq(&core->good_headers[i].id, id)) {
			announce_block(core, id, core->good_headers[i].raw);
			return;
		}
	}
}

static void on_announce(void *arg)
{
	struct peerd *core = arg;

	if (core->announce_due)
		announce_block(core, &core->announce_id, core->announce_header);
}

void announce_later(struct peerd *core, const struct rc_block_id *id, const uint8_t *header)
{
	core->announce_due = true;
	core->announce_id = *id;
	memcpy(core->announce_header, header, RC_HEADER_SIZE);
	timer_arm_by(&core->timers, &core->announce_timer, core_now(core) + ANNOUNCE_LATER);
}

void announce_init(struct peerd *core)
{
	timer_init(&core->announce_timer, on_announce, core);
	seen_init(&core->announced, core->hash_k0, core->hash_k1, ANNOUNCED_KNOWN);
	seen_init(&core->arrived, core->hash_k0, core->hash_k1, ANNOUNCED_KNOWN);
}

void announce_done(struct peerd *core)
{
	seen_done(&core->announced);
	seen_done(&core->arrived);
}
