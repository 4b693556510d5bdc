/*
 * Anchors: the links for blocks alone that this node had when it stopped. It dials them first, so
 * that who fills its address book doesn't choose its first peers after a restart, which he may have
 * caused (40-network, "Address book"; Bitcoin Core's anchors). Pure.
 */
#ifndef PEERD_ANCHORS_H
#define PEERD_ANCHORS_H

#include "base/buf.h"
#include "base/err.h"
#include "daemons/peerd/netaddr.h"

/* Few: nobody but the network knows of these links, and old ones are worth no more than new. */
#define ANCHORS_MAX 2

/* Each with its link key: at its address nobody else is meant. Best first, no address twice. */
struct anchors {
	struct net_endpoint list[ANCHORS_MAX];
	size_t n;
};

/* At the end, if there is room and its address isn't there. */
void anchors_add(struct anchors *anchors, const struct net_endpoint *endpoint);

/*
 * The file: "RCANCHOR" | version u16 = 1 | network id 32 | n u8 | n × { ip 16 | port u16 | key 33 }
 * | SHA256 of all before.
 */
#define ANCHORS_FILE_VERSION 1
#define ANCHORS_FILE_MAX     (8 + 2 + 32 + 1 + ANCHORS_MAX * (16 + 2 + RC_LINK_KEY_SIZE) + 32)
void anchors_encode(const struct anchors *anchors, const uint8_t network_id[32],
		    struct rc_buf *buf);
/* RC_EFORMAT, RC_EVERSION, RC_ENETWORK with a sentence; then *ret_anchors is untouched. */
int anchors_decode(const void *data, size_t len, const uint8_t network_id[32],
		   struct anchors *ret_anchors, struct rc_error *error);

#endif
