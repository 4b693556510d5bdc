/* Objects of the chain as people see them in JSON. */
#ifndef RPCD_SHOW_H
#define RPCD_SHOW_H

#include "client/chaind.h"
#include "consensus/network.h"
#include "daemons/rpcd/json_out.h"
#include "types/coin.h"
#include "types/tx.h"

/* {"type": "key", "hex": …, "address": …} */
void show_lock(struct json_out *out, const char *key, const struct rc_network *network,
	       const struct rc_lock *lock);
/* The members of a transaction into an open object. */
void show_tx(struct json_out *out, const struct rc_network *network, const struct rc_tx *tx);
/* The members of a header, and of what is known of its block, into an open object. */
void show_header(struct json_out *out, const struct rc_network *network,
		 const struct rc_block_id *id, const struct rc_header *header,
		 const struct rc_header_info *info);
/* Members bits, target and difficulty: that of the network's easiest target is 1. */
void show_bits(struct json_out *out, const struct rc_network *network, uint32_t bits);
void show_difficulty(struct json_out *out, const char *key, const struct rc_network *network,
		     uint32_t bits);
/* "anchor": {"height", "hash"}: the state that the answer holds for. */
void show_anchor(struct json_out *out, uint32_t height, const struct rc_block_id *id);

#endif
