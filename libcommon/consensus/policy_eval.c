/* FerrisScript's evaluation: one case a node, arguments taken in preorder (20-consensus). */
#include "consensus/witness.h"
#include "crypto/sha256.h"

struct eval {
	const struct rc_policy *policy;
	const struct rc_policy_context *context;
	struct rc_reader *items;
	uint32_t left;
};

/* The caller has checked that one is left. */
static struct rc_bytes take(struct eval *e)
{
	size_t len = (size_t)rc_read_cs(e->items);

	e->left--;
	return (struct rc_bytes){rc_read_bytes(e->items, len), len};
}

bool rc_sig_item_parse(struct rc_bytes item, enum rc_hash_type *ret_type)
{
	if (item.len == 64) {
		*ret_type = RC_HASH_ALL;
		return true;
	}
	if (item.len != 65 || item.data[64] != RC_HASH_ANYONECANPAY)
		return false;
	*ret_type = RC_HASH_ANYONECANPAY;
	return true;
}

static enum rc_verdict check_signature(const struct eval *e, struct rc_bytes item,
				       const uint8_t key[32])
{
	enum rc_hash_type type;

	if (!rc_sig_item_parse(item, &type))
		return RC_V_SIG_ENCODING;
	return e->context->sig_holds(e->context->arg, item.data, type, key) ? RC_VERDICT_OK
									    : RC_V_SIG_INVALID;
}

static enum rc_verdict eval_key(struct eval *e, const struct rc_policy_node *node)
{
	if (e->left < 1)
		return RC_V_POLICY_ARGUMENTS;
	return check_signature(e, take(e), node->bytes);
}

static enum rc_verdict eval_multi(struct eval *e, const struct rc_policy_node *node)
{
	struct rc_bytes items[RC_POLICY_KEYS_MAX];
	unsigned present = 0;

	if (e->left < node->n)
		return RC_V_POLICY_ARGUMENTS;
	for (unsigned i = 0; i < node->n; i++) {
		items[i] = take(e);
		present += items[i].len > 0;
	}
	if (present != node->k)
		return RC_V_POLICY_COUNT;
	for (unsigned i = 0; i < node->n; i++) {
		enum rc_verdict verdict;

		if (items[i].len == 0)
			continue;
		verdict = check_signature(e, items[i], node->bytes + 32 * i);
		if (verdict != RC_VERDICT_OK)
			return verdict;
	}
	return RC_VERDICT_OK;
}

static bool after_holds(const struct rc_policy_context *c, uint32_t v)
{
	bool is_time = v >= RC_LOCK_TIME_IS_TIME;

	return is_time == (c->lock_time >= RC_LOCK_TIME_IS_TIME) && v <= c->lock_time &&
	       c->sequence != RC_SEQUENCE_FINAL;
}

/* Bits 16 to 30 of a sequence without bit 31 are zero by the rule before (tx-sequence). */
static bool older_holds(const struct rc_policy_context *c, uint32_t v)
{
	return !(c->sequence & RC_SEQUENCE_NO_LOCK) && v <= c->sequence;
}

static enum rc_verdict eval_preimage(struct eval *e, const struct rc_policy_node *node)
{
	struct rc_bytes item;
	uint8_t hash[32];

	if (e->left < 1)
		return RC_V_POLICY_ARGUMENTS;
	item = take(e);
	if (item.len != 32)
		return RC_V_POLICY_PREIMAGE;
	rc_sha256(item.data, item.len, hash);
	return memcmp(hash, node->bytes, 32) == 0 ? RC_VERDICT_OK : RC_V_POLICY_PREIMAGE;
}

/* Which children must hold: bit i for child i. */
static enum rc_verdict select_children(struct eval *e, const struct rc_policy_node *node,
				       unsigned *ret_selected)
{
	struct rc_bytes item;

	*ret_selected = (1u << node->n) - 1;
	if (node->op == RC_POLICY_ALL)
		return RC_VERDICT_OK;
	if (e->left < 1)
		return RC_V_POLICY_ARGUMENTS;
	item = take(e);
	if (item.len != 1)
		return RC_V_POLICY_CHOICE;
	if (node->op == RC_POLICY_ANY) {
		if (item.data[0] >= node->n)
			return RC_V_POLICY_CHOICE;
		*ret_selected = 1u << item.data[0];
		return RC_VERDICT_OK;
	}
	if ((item.data[0] & ~*ret_selected) ||
	    (unsigned)__builtin_popcount(item.data[0]) != node->k)
		return RC_V_POLICY_CHOICE;
	*ret_selected = item.data[0];
	return RC_VERDICT_OK;
}

/* The depth of calls is the policy's, at most RC_POLICY_DEPTH_MAX. */
static enum rc_verdict eval_node(struct eval *e, unsigned at)
{
	const struct rc_policy_node *node = &e->policy->nodes[at];
	enum rc_verdict verdict;
	unsigned selected, child = at + 1;

	switch ((enum rc_policy_op)node->op) {
	case RC_POLICY_KEY:
		return eval_key(e, node);
	case RC_POLICY_MULTI:
		return eval_multi(e, node);
	case RC_POLICY_AFTER:
		return after_holds(e->context, node->value) ? RC_VERDICT_OK : RC_V_POLICY_LOCK;
	case RC_POLICY_OLDER:
		return older_holds(e->context, node->value) ? RC_VERDICT_OK : RC_V_POLICY_LOCK;
	case RC_POLICY_PREIMAGE:
		return eval_preimage(e, node);
	case RC_POLICY_ALL:
	case RC_POLICY_ANY:
	case RC_POLICY_CHOOSE:
		break;
	}
	verdict = select_children(e, node, &selected);
	for (unsigned i = 0; verdict == RC_VERDICT_OK && i < node->n; i++) {
		if (selected & 1u << i)
			verdict = eval_node(e, child);
		child = e->policy->nodes[child].end;
	}
	return verdict;
}

enum rc_verdict rc_policy_check(const void *data, size_t len, struct rc_policy *ret_policy)
{
	if (len < 1 || len > RC_POLICY_SIZE_MAX)
		return RC_V_POLICY_SIZE;
	switch (rc_policy_parse(data, len, ret_policy)) {
	case RC_POLICY_FAULT_OPCODE:
		return RC_V_POLICY_OPCODE;
	case RC_POLICY_FAULT_FORM:
		return RC_V_POLICY_FORM;
	case RC_POLICY_OK:
		break;
	}
	return RC_VERDICT_OK;
}

enum rc_verdict rc_policy_eval(const struct rc_policy *policy, struct rc_reader *arguments,
			       uint32_t n, const struct rc_policy_context *context)
{
	struct eval e = {policy, context, arguments, n};
	enum rc_verdict verdict = eval_node(&e, 0);

	if (verdict == RC_VERDICT_OK && e.left > 0)
		return RC_V_POLICY_ARGUMENTS;
	return verdict;
}
