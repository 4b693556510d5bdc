/* The rules of a header, against its parent and a clock that is passed in. */
#ifndef RC_CONSENSUS_HEADER_CHECK_H
#define RC_CONSENSUS_HEADER_CHECK_H

#include "consensus/network.h"
#include "consensus/verdict.h"

#define RC_MEDIAN_SPAN 11

/* What a rule asks of the parent. */
struct rc_header_parent {
	bool invalid; /* it, or an ancestor, is */
	uint32_t height;
	uint32_t time;
	uint32_t median_time; /* MTP(parent) */
};

/* MTP: of the times of the last 11 blocks, or as many as there are (1 ≤ n ≤ 11), any order. */
uint32_t rc_median_time(const uint32_t *times, size_t n);

/* version, genesis, bits, work: what a header shows by itself. */
enum rc_verdict rc_header_check_alone(const struct rc_network *network,
				      const struct rc_header *header, const struct rc_block_id *id);

/*
 * All rules of a header, in order. parent NULL: not known. now: the local clock, seconds since
 * 1970. The network's genesis block is ok.
 */
enum rc_verdict rc_header_check(const struct rc_network *network, const struct rc_header *header,
				const struct rc_block_id *id, const struct rc_header_parent *parent,
				uint64_t now);

#endif
