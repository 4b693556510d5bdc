/*
 * FerrisScript is prefix form, so one pass over the bytes parses it: a small stack holds, for each
 * open node, how many children are still to come.
 */
#include "types/policy.h"

#include <stdlib.h>
#include <string.h>

/* n keys, strictly ascending. */
static bool read_keys(struct rc_reader *r, struct rc_policy_node *node)
{
	if (node->n < 2 || node->n > RC_POLICY_KEYS_MAX || node->k < 1 || node->k > node->n)
		return false;
	node->bytes = rc_read_bytes(r, 32u * node->n);
	for (unsigned i = 1; node->bytes && i < node->n; i++)
		if (memcmp(node->bytes + 32 * (i - 1), node->bytes + 32 * i, 32) >= 0)
			return false;
	return node->bytes != NULL;
}

/* The fields of one node, its opcode read already; how many children follow. */
static enum rc_policy_fault read_node(struct rc_reader *r, struct rc_policy_node *node,
				      unsigned *ret_children)
{
	bool good = true;

	*ret_children = 0;
	switch (node->op) {
	case RC_POLICY_KEY:
	case RC_POLICY_PREIMAGE:
		node->bytes = rc_read_bytes(r, 32);
		break;
	case RC_POLICY_MULTI:
		node->k = rc_read_u8(r);
		node->n = rc_read_u8(r);
		good = read_keys(r, node);
		break;
	case RC_POLICY_AFTER:
		node->value = rc_read_le32(r);
		break;
	case RC_POLICY_OLDER:
		node->value = rc_read_le32(r);
		good = node->value >= 1 && node->value <= 65535;
		break;
	case RC_POLICY_ALL:
	case RC_POLICY_ANY:
		node->n = rc_read_u8(r);
		good = node->n >= 2 && node->n <= RC_POLICY_CHILDREN_MAX;
		*ret_children = node->n;
		break;
	case RC_POLICY_CHOOSE:
		node->k = rc_read_u8(r);
		node->n = rc_read_u8(r);
		good = node->n >= 3 && node->n <= RC_POLICY_CHILDREN_MAX && node->k >= 2 &&
		       node->k <= node->n - 1;
		*ret_children = node->n;
		break;
	default:
		return RC_POLICY_FAULT_OPCODE;
	}
	return good && !r->failed ? RC_POLICY_OK : RC_POLICY_FAULT_FORM;
}

enum rc_policy_fault rc_policy_parse(const void *data, size_t len, struct rc_policy *ret_policy)
{
	struct rc_reader r = rc_reader_of(data, len);
	struct rc_policy_node *nodes = ret_policy->nodes;
	struct {
		uint8_t node, left;
	} open[RC_POLICY_DEPTH_MAX];
	unsigned depth = 0; /* open ancestors of the next node */
	size_t n = 0;

	do {
		struct rc_policy_node node = {.op = rc_read_u8(&r)};
		enum rc_policy_fault fault;
		unsigned children;

		/* No opcode left is a fault of form; an opcode is looked at before the limits of
		 * its node. */
		if (r.failed)
			return RC_POLICY_FAULT_FORM;
		fault = read_node(&r, &node, &children);
		if (fault == RC_POLICY_FAULT_OPCODE || n == RC_POLICY_NODES_MAX ||
		    depth == RC_POLICY_DEPTH_MAX)
			return fault == RC_POLICY_OK ? RC_POLICY_FAULT_FORM : fault;
		if (fault != RC_POLICY_OK)
			return fault;
		nodes[n] = node;
		if (children) {
			open[depth].node = (uint8_t)n;
			open[depth].left = (uint8_t)children;
			depth++;
		}
		n++;
		nodes[n - 1].end = (uint8_t)n;
		/* A leaf ends itself and every ancestor whose last child it was. */
		while (!children && depth > 0 && --open[depth - 1].left == 0)
			nodes[open[--depth].node].end = (uint8_t)n;
	} while (depth > 0);
	if (!rc_reader_end(&r))
		return RC_POLICY_FAULT_FORM;
	ret_policy->n_nodes = n;
	return RC_POLICY_OK;
}

static void put_op_and_bytes(struct rc_buf *buf, uint8_t op, const uint8_t bytes[32])
{
	rc_buf_put_u8(buf, op);
	rc_buf_put(buf, bytes, 32);
}

void rc_policy_put_key(struct rc_buf *buf, const uint8_t key[32])
{
	put_op_and_bytes(buf, RC_POLICY_KEY, key);
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

void rc_policy_put_multi(struct rc_buf *buf, unsigned k, const uint8_t *keys, unsigned n)
{
	uint8_t *put;

	rc_buf_put_u8(buf, RC_POLICY_MULTI);
	rc_buf_put_u8(buf, (uint8_t)k);
	rc_buf_put_u8(buf, (uint8_t)n);
	put = rc_buf_add(buf, 32 * (size_t)n);
	memcpy(put, keys, 32 * (size_t)n);
	qsort(put, n, 32, by_bytes);
}

void rc_policy_put_after(struct rc_buf *buf, uint32_t lock_time)
{
	rc_buf_put_u8(buf, RC_POLICY_AFTER);
	rc_buf_put_le32(buf, lock_time);
}

void rc_policy_put_older(struct rc_buf *buf, uint32_t blocks)
{
	rc_buf_put_u8(buf, RC_POLICY_OLDER);
	rc_buf_put_le32(buf, blocks);
}

void rc_policy_put_preimage(struct rc_buf *buf, const uint8_t hash[32])
{
	put_op_and_bytes(buf, RC_POLICY_PREIMAGE, hash);
}

void rc_policy_put_all(struct rc_buf *buf, unsigned n)
{
	rc_buf_put_u8(buf, RC_POLICY_ALL);
	rc_buf_put_u8(buf, (uint8_t)n);
}

void rc_policy_put_any(struct rc_buf *buf, unsigned n)
{
	rc_buf_put_u8(buf, RC_POLICY_ANY);
	rc_buf_put_u8(buf, (uint8_t)n);
}

void rc_policy_put_choose(struct rc_buf *buf, unsigned k, unsigned n)
{
	rc_buf_put_u8(buf, RC_POLICY_CHOOSE);
	rc_buf_put_u8(buf, (uint8_t)k);
	rc_buf_put_u8(buf, (uint8_t)n);
}
