/* FerrisScript, the policy language: parsing within its limits, and writing (20-consensus). */
#ifndef RC_TYPES_POLICY_H
#define RC_TYPES_POLICY_H

#include "base/buf.h"
#include "base/reader.h"

#define RC_POLICY_SIZE_MAX     2048
#define RC_POLICY_NODES_MAX    64
#define RC_POLICY_DEPTH_MAX    8
#define RC_POLICY_KEYS_MAX     32 /* of one node 02 */
#define RC_POLICY_CHILDREN_MAX 8

enum rc_policy_op {
	RC_POLICY_KEY = 0x01,	   /* one signature of a key */
	RC_POLICY_MULTI = 0x02,	   /* k of n keys */
	RC_POLICY_AFTER = 0x03,	   /* absolute lock */
	RC_POLICY_OLDER = 0x04,	   /* relative lock */
	RC_POLICY_PREIMAGE = 0x05, /* of a SHA256 */
	RC_POLICY_ALL = 0x10,	   /* all of n children */
	RC_POLICY_ANY = 0x11,	   /* one of n, chosen by the spender */
	RC_POLICY_CHOOSE = 0x12,   /* k of n children */
};

struct rc_policy_node {
	const uint8_t *bytes; /* 01: the key; 02: n keys; 05: the hash */
	uint32_t value;	      /* 03, 04 */
	uint8_t op;	      /* enum rc_policy_op */
	uint8_t k;	      /* 02, 12 */
	uint8_t n;	      /* 02: keys; 10, 11, 12: children */
	uint8_t end;	      /* place after the last node of this subtree */
};

/* Nodes in preorder: a node's first child stands right after it, the next child at that one's
 * end. */
struct rc_policy {
	struct rc_policy_node nodes[RC_POLICY_NODES_MAX];
	size_t n_nodes;
};

enum rc_policy_fault {
	RC_POLICY_OK,
	RC_POLICY_FAULT_OPCODE,
	RC_POLICY_FAULT_FORM,
};

/* Parses a whole policy; the first fault in byte order counts. *ret_policy looks into data. The
 * size limit of a witness's policy (1 … RC_POLICY_SIZE_MAX) is the caller's to check. */
enum rc_policy_fault rc_policy_parse(const void *data, size_t len, struct rc_policy *ret_policy);

/*
 * Writers, in prefix order: rc_policy_put_all(buf, 2) is followed by its two children. They write
 * what they are told; rc_policy_parse of the whole says whether it is one. keys of multi: n × 32
 * bytes, sorted here.
 */
void rc_policy_put_key(struct rc_buf *buf, const uint8_t key[32]);
void rc_policy_put_multi(struct rc_buf *buf, unsigned k, const uint8_t *keys, unsigned n);
void rc_policy_put_after(struct rc_buf *buf, uint32_t lock_time);
void rc_policy_put_older(struct rc_buf *buf, uint32_t blocks);
void rc_policy_put_preimage(struct rc_buf *buf, const uint8_t hash[32]);
void rc_policy_put_all(struct rc_buf *buf, unsigned n);
void rc_policy_put_any(struct rc_buf *buf, unsigned n);
void rc_policy_put_choose(struct rc_buf *buf, unsigned k, unsigned n);

#endif
