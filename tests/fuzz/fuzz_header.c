/* A header from a peer: encoding is unique, the rules run on any parent, and bits that count as
 * canonical come back from their target. */
#include <stdint.h>
#include <string.h>

#include "base/num.h"
#include "consensus/header_check.h"
#include "consensus/pow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bits(uint32_t bits)
{
	struct rc_u256 target, work;

	if (!rc_bits_target(bits, &target))
		return;
	work = rc_work_of_bits(bits);
	if (rc_target_bits(&target) != bits || (work.w[0] | work.w[1] | work.w[2] | work.w[3]) == 0)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"main", "reg"};
	struct rc_header_parent parent = {0};
	uint8_t again[RC_HEADER_SIZE];
	struct rc_network network;
	struct rc_header header;
	struct rc_block_id id;

	if (size < RC_HEADER_SIZE + 12)
		return 0;
	rc_header_decode(data, &header);
	rc_header_encode(&header, again);
	if (memcmp(again, data, sizeof(again)) != 0)
		__builtin_trap();
	check_bits(header.bits);
	parent.height = rc_get_le32(data + RC_HEADER_SIZE);
	parent.time = rc_get_le32(data + RC_HEADER_SIZE + 4);
	parent.median_time = rc_get_le32(data + RC_HEADER_SIZE + 8);
	rc_header_id(data, &id);
	for (size_t i = 0; i < RC_ARRAY_LEN(names); i++) {
		struct rc_u256 target;

		rc_network_builtin(names[i], &network);
		/* Required bits are canonical and within the limit, whatever the parent. */
		if (!rc_bits_target(rc_required_bits(&network, parent.height, parent.time),
				    &target) ||
		    rc_u256_cmp(&target, &network.limit) > 0)
			__builtin_trap();
		rc_header_check(&network, &header, &id, &parent, header.time);
	}
	return 0;
}
