/* A policy and its arguments from a witness: parsing keeps its limits, evaluation ends. */
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "consensus/witness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool some_hold(void *arg, const uint8_t sig[64], enum rc_hash_type type,
		      const uint8_t key[32])
{
	(void)arg;
	(void)type;
	return sig[0] == key[0];
}

/* Every node's subtree lies within its parent's. */
static void check_shape(const struct rc_policy *p)
{
	if (p->n_nodes < 1 || p->n_nodes > RC_POLICY_NODES_MAX || p->nodes[0].end != p->n_nodes)
		__builtin_trap();
	for (size_t i = 0; i < p->n_nodes; i++) {
		size_t child = i + 1;

		if (p->nodes[i].op < RC_POLICY_ALL) {
			if (p->nodes[i].end != i + 1)
				__builtin_trap();
			continue;
		}
		for (unsigned n = 0; n < p->nodes[i].n; n++)
			child = p->nodes[child].end;
		if (child != p->nodes[i].end)
			__builtin_trap();
	}
}

/* lock_time u32, sequence u32, length of the policy u16, the policy; the rest are arguments. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rc_policy_context context = {.sig_holds = some_hold};
	struct rc_reader r, items;
	struct rc_policy policy;
	uint32_t n = 0;
	size_t len;

	if (size < 10)
		return 0;
	context.lock_time = rc_get_le32(data);
	context.sequence = rc_get_le32(data + 4);
	len = rc_get_le16(data + 8);
	data += 10;
	size -= 10;
	len = len < size ? len : size;
	rc_policy_check(data, size, &policy);
	if (rc_policy_check(data, len, &policy) != RC_VERDICT_OK)
		return 0;
	check_shape(&policy);
	/* As many items as are whole. */
	r = rc_reader_of(data + len, size - len);
	while (rc_reader_left(&r) > 0) {
		rc_read_bytes(&r, (size_t)rc_read_cs(&r));
		if (r.failed)
			break;
		n++;
	}
	items = rc_reader_of(data + len, size - len);
	rc_policy_eval(&policy, &items, n, &context);
	if (items.failed)
		__builtin_trap();
	return 0;
}
