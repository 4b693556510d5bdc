/* The rig's fake chaind: believes every header, connects every block whose ancestors are here. */
#ifndef PEER_RIG_CHAIN_H
#define PEER_RIG_CHAIN_H

#include "peer_rig.h"

extern const struct chain_ops rig_chain_ops; /* its ctx is the struct rig_node */

/* Calls fn after so many microseconds of the rig's time. */
void rig_later(struct rig *rig, int64_t after, void (*fn)(void *arg), void *arg);

/* NULL: its parent isn't known. The first header of all is the genesis block's. */
struct rig_block *rig_header_add(struct rig_node *node, const uint8_t *raw);
void rig_publish_tip(struct rig_node *node);
struct rig_tx *rig_tx_add(struct rig_node *node, const void *raw, size_t len, uint64_t peer);
struct rig_tx *rig_tx_find(const struct rig_node *node, const uint8_t wtxid[32]);
/* Answers the open long polls RC_ECANCELLED, as a client that closes does. */
void rig_wanted_cancel(struct rig_node *node);

#endif
