/* The header's table of rules, as a list (20-consensus, "Order of checks"). */
#include "consensus/header_check.h"

#include <assert.h>

#include "consensus/pow.h"

uint32_t rc_median_time(const uint32_t *times, size_t n)
{
	uint32_t sorted[RC_MEDIAN_SPAN];

	assert(n >= 1 && n <= RC_MEDIAN_SPAN);
	for (size_t i = 0; i < n; i++) {
		size_t at = i;

		for (; at > 0 && sorted[at - 1] > times[i]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = times[i];
	}
	return sorted[n / 2];
}

enum rc_verdict rc_header_check_alone(const struct rc_network *network,
				      const struct rc_header *header, const struct rc_block_id *id)
{
	struct rc_u256 target;

	if (header->version != RC_HEADER_VERSION)
		return RC_V_HEADER_VERSION;
	if (header->height == 0)
		return rc_block_id_eq(id, &network->genesis_id) ? RC_VERDICT_OK
								: RC_V_HEADER_GENESIS;
	if (!rc_bits_target(header->bits, &target) || rc_u256_cmp(&target, &network->limit) > 0)
		return RC_V_HEADER_BITS;
	if (!rc_pow_holds(id, &target))
		return RC_V_HEADER_WORK;
	return RC_VERDICT_OK;
}

enum rc_verdict rc_header_check(const struct rc_network *network, const struct rc_header *header,
				const struct rc_block_id *id, const struct rc_header_parent *parent,
				uint64_t now)
{
	enum rc_verdict verdict = rc_header_check_alone(network, header, id);

	if (verdict != RC_VERDICT_OK || header->height == 0)
		return verdict;
	if (!parent)
		return RC_V_HEADER_PARENT_UNKNOWN;
	if (parent->invalid)
		return RC_V_HEADER_PARENT_INVALID;
	if (header->height != (uint64_t)parent->height + 1)
		return RC_V_HEADER_HEIGHT;
	if (header->bits != rc_required_bits(network, parent->height, parent->time))
		return RC_V_HEADER_DIFFICULTY;
	if (header->time <= parent->median_time)
		return RC_V_HEADER_TIME_PAST;
	if (header->time > now + network->params.future_limit)
		return RC_V_HEADER_TIME_FUTURE;
	return RC_VERDICT_OK;
}
